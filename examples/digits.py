"""Two layers of spiking neurons learn to read digits: PyTorch holds the weights, izhigen steps the neurons.

Each pixel sends spikes to the first layer all the time, in proportion to its grey value; the first layer's spikes
arrive at the second, and a linear readout of the second's spike counts names the digit. Adam trains the weights, and
the constant drive I_0 of every neuron, by gradients that go back through all steps. A quarter of scikit-learn's 1,797
digits is kept for the test and decides nothing. For other neurons change one line, ``MODEL = izhikevich``.

python examples/digits.py [--out FOLDER] [--epochs N] [--seed N]
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import izhigen as iz

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out"))
parser.add_argument("--epochs", type=int, default=30, help="passes through the training images")
parser.add_argument("--seed", type=int, default=0, help="of first weights, batches and deformations")
given = parser.parse_args()
try:
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch.nn import Linear, Module
    from torch.nn.functional import affine_grid, cross_entropy, grid_sample

    from izhigen.torch import Layer
except ImportError as error:
    raise SystemExit(f"digits.py needs PyTorch and scikit-learn: pip install torch scikit-learn ({error})") from None
given.out.mkdir(parents=True, exist_ok=True)

# Fast spiking neurons of Izhikevich with a synaptic current. The peak is cut off at -30 mV: the end of an upstroke
# takes hardly any time, but multiplies gradients on the way back.
izhikevich = (
    iz.load("FS")
    .with_part("ds/dt = -s/5", current="s + I_0", on_event={"arrival": "s = s + 10*arrival"}, I_0=4.0)
    .variant("Izhikevich", V_th=-30.0)
)

# Neurons of one's own: what arrives opens an excitatory or, where it is negative, an inhibitory conductance, and a
# spike opens a third one, which tires the neuron.
own = iz.Model(
    "Own",
    """
    dV/dt = (E_L - V + I_0 + g_e*(0 - V) + (g_i + g_a)*(E_i - V))/10 : mV
    dg_e/dt = -g_e/5
    dg_i/dt = -g_i/8
    dg_a/dt = -g_a/30
    """,
    threshold="V >= -50",
    reset="V = E_L; g_a = g_a + 0.2",
    on_event={"arrival": "g_e = g_e + 2*max(arrival, 0); g_i = g_i + 2*max(-arrival, 0)"},
    parameters={"E_L": -65.0, "E_i": -75.0, "I_0": 10.0},
    initial={"V": "E_L"},
)

MODEL = izhikevich  # the line to change: MODEL = own

NEURONS, DT, STEPS, BATCH = 128, 0.5, 100, 128
torch.manual_seed(given.seed)
torch.set_num_threads(1)  # the matrices are small: threads would mostly wait for one another
pixels, digits = load_digits(return_X_y=True)
images = pixels.reshape(-1, 1, 8, 8).astype("float32") / 40  # spikes a step, 0.4 at most
split = train_test_split(images, digits, test_size=0.25, stratify=digits, random_state=0)
train_images, test_images, train_digits, test_digits = (torch.from_numpy(part) for part in split)
mean = train_images.mean(dim=0)


class Network(Module):
    """Weights, neurons, weights, neurons, and the readout."""

    def __init__(self):
        super().__init__()
        options = {"dt": DT, "surrogate": "arctan", "spike_scale": 0.02, "detach_spike": "reset"}
        drive = np.full(NEURONS, MODEL.parameters["I_0"])
        self.first, self.second = (Layer(MODEL, NEURONS, ["I_0"], I_0=drive, **options) for _ in range(2))
        self.to_first, self.to_second = Linear(64, NEURONS, bias=False), Linear(NEURONS, NEURONS, bias=False)
        self.readout = Linear(NEURONS, 10)

    def forward(self, images):
        arriving = self.to_first((images - mean).flatten(1))
        first = self.first(arrival=arriving.expand(STEPS, *arriving.shape))
        second = self.second(arrival=self.to_second(first))
        return self.readout(second.sum(dim=0) / 5), first, second


def deformed(images):
    """Images turned, stretched, sheared and shifted a little, each in a way of its own."""
    maps = torch.eye(2, 3) + 0.1 * (2 * torch.rand(len(images), 2, 3) - 1)
    return grid_sample(images, affine_grid(maps, images.shape, align_corners=False), align_corners=False)


def accuracy(scores, digits):
    """Per cent of images whose digit has the highest score."""
    return 100 * (scores.argmax(dim=1) == digits).float().mean().item()


network, curve, start = Network(), [], time.perf_counter()
batches = len(train_images) // BATCH
optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, given.epochs * batches)
for epoch in range(1, given.epochs + 1):
    on_train = []
    for chosen in torch.randperm(len(train_images))[: batches * BATCH].split(BATCH):
        scores, _, _ = network(deformed(train_images[chosen]))
        optimizer.zero_grad()
        cross_entropy(scores, train_digits[chosen]).backward()
        optimizer.step()
        schedule.step()
        on_train.append(accuracy(scores, train_digits[chosen]))
    with torch.no_grad():
        scores, first, second = network(test_images)
    curve.append((np.mean(on_train), accuracy(scores, test_digits)))
    if epoch % 5 == 0 or epoch in (1, given.epochs):
        print(f"epoch {epoch:2}: accuracy {curve[-1][0]:.1f} % in training, {curve[-1][1]:.1f} % on the test images")
print(f"{MODEL.name}: test accuracy {curve[-1][1]:.1f} %, trained in {time.perf_counter() - start:.0f} s")

figure = plt.figure(figsize=(9, 4.6), layout="constrained")
axes = figure.subplot_mosaic([["digit", "first"], ["curve", "second"]], width_ratios=[1, 1.6])
axes["digit"].imshow(test_images[0, 0].numpy(), cmap="gray_r")
axes["digit"].set(title=f"a test image: {test_digits[0]}, read as {scores[0].argmax()}", xticks=[], yticks=[])
axes["curve"].plot(range(1, given.epochs + 1), curve, label=["training images, deformed", "test images"])
axes["curve"].set(xlabel="epoch", ylabel="accuracy (%)")
axes["curve"].legend(loc="lower right", frameon=False)
for name, spikes in (("first", first), ("second", second)):
    step, neuron = np.nonzero(spikes[:, 0].numpy())
    axes[name].scatter((step + 1) * DT, neuron, s=4, linewidths=0)
    axes[name].set(title=f"spikes of the {name} layer", ylabel="neuron", xlim=(0, STEPS * DT), ylim=(-1, NEURONS))
axes["first"].tick_params(labelbottom=False)
axes["second"].set_xlabel("time (ms)")
figure.savefig(given.out / "digits.png", dpi=80)
print(f"done: wrote {given.out / 'digits.png'}")
