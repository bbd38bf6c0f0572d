"""The network of Izhikevich (2003): 1,000 neurons, each connected with all, fall into rhythms of 8 and of 40 Hz.

python examples/izhikevich2003.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")

import izhigen as iz

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"))
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)

# As published: half steps of V and steps of 1 ms; what arrives is held as a current for one step.
net = iz.Network(dt=1.0, seed=5, method="izhikevich2003")
spread = np.random.default_rng(5).random(1000)
e, i = spread[:800], spread[800:]
exc = net.population("exc", "RS", 800, c=-65 + 15 * e**2, d=8 - 6 * e**2, V=-65.0, u=0.2 * -65)
inh = net.population("inh", "RS", 200, a=0.02 + 0.08 * i, b=0.25 - 0.05 * i, d=2.0, V=-65.0, u=(0.25 - 0.05 * i) * -65)
net.connect(exc, [exc, inh], to="I", weight=iz.distributions.uniform(0.0, 0.5))
net.connect(inh, [exc, inh], to="I", weight=iz.distributions.uniform(-1.0, 0.0))
thalamus = {
    "exc": {"I": 5.0 * iz.inputs.wiener(1000.0, n=800, seed=1)},
    "inh": {"I": 2.0 * iz.inputs.wiener(1000.0, n=200, seed=2)},
}
recording = net.run(1000.0, inputs=thalamus)
print(net)
print({name: f"{one.counts.mean():.1f} spikes a neuron" for name, one in recording.items()})
recording.plot().savefig(out / "izhikevich2003.png", dpi=55)
print(f"done: wrote {out / 'izhikevich2003.png'}")
