"""Izhikevich's a, b, c, d fitted to a spike train by gradient descent, from a wrong start.

The loss is the distance of van Rossum (2001): both trains filtered by exp(-t/tau), squared and summed. Its gradient
with respect to every spike goes back through the run. tau falls from 200 ms, which sees rates, to 20 ms, which sees
single spikes. Two hundred copies that begin a little apart descend side by side, as neurons of one population; each
round begins anew around the best.

python examples/fit_spike_train.py [--out FOLDER] [--steps N]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import izhigen as iz

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, default=Path("out"))
parser.add_argument("--steps", type=int, default=150, help="steps of descent a round")
given = parser.parse_args()
given.out.mkdir(parents=True, exist_ok=True)

DT, STEPS, COPIES, TAU = 0.25, 1600, 200, 20.0
TRUE = {"a": 0.02, "b": 0.2, "c": -55.0, "d": 4.0}
START = {"a": 0.035, "b": 0.22, "c": -63.0, "d": 7.0}
SCALE = np.array([[0.02], [0.1], [10.0], [4.0]])  # about how far each may have to go
NAMES = list(TRUE)
current = np.zeros((STEPS, 1))
current[80:], current[800:] = 10.0, 14.0

model = iz.load("IzhikevichLTC")
target = model.population(1, dt=DT, **TRUE).run(steps=STEPS, record=["V", "spike"], I=current)


def filtered(rows, tau):
    """Rows filtered by exp(-t/tau)."""
    result, decay = np.array(rows, float), np.exp(-DT / tau)
    for k in range(1, len(result)):
        result[k] += decay * result[k - 1]
    return result


def distance(spikes, tau):
    """The distance to the target, and its gradient with respect to every spike."""
    error = filtered(spikes, tau) - filtered(target["spike"], tau)
    return (error**2).sum(axis=0) * DT / tau, 2 * filtered(error[::-1], tau)[::-1] * DT / tau


def descend(centre, spread, taus, rng):
    """Adam from around a point: the best parameters and distance, and the least distance of every step."""
    theta = centre + spread * rng.standard_normal((4, COPIES)) * (np.arange(COPIES) > 0)
    pop = model.population(COPIES, dt=DT, surrogate="arctan", detach_spike="reset")
    mean, square, best, least = 0.0, 0.0, (np.inf, None), []
    for step, tau in enumerate(taus, start=1):
        for name, values in zip(NAMES, theta * SCALE):
            pop.parameters[name] = values
        pop.reset()
        recording = pop.run(steps=STEPS, record=["spike"], I=current, tape=NAMES)
        now = distance(recording["spike"], TAU)[0]
        best = min(best, (now.min(), tuple(theta[:, now.argmin()])))
        least.append(best[0])
        gradient = recording.backward({"spike": distance(recording["spike"], tau)[1]})
        slope = np.array([gradient[name] for name in NAMES]) * SCALE
        slope /= np.linalg.norm(slope, axis=0) + 1e-12
        mean, square = 0.9 * mean + 0.1 * slope, 0.99 * square + 0.01 * slope**2
        rate = 0.5 * spread * (0.52 + 0.5 * np.cos(np.pi * step / len(taus)))
        theta = theta - rate * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return best, least


rng = np.random.default_rng(1)
centre, history = np.array([[START[name]] for name in NAMES]) / SCALE, []
for spread, longest in ((0.1, 200.0), (0.05, 50.0), (0.02, TAU), (0.01, TAU)):
    falling = np.geomspace(longest, TAU, given.steps // 2 + 1)
    best, least = descend(centre, spread, [*falling, *[TAU] * (given.steps // 2)], rng)
    history += least
    centre = np.array(best[1])[:, None]
fitted = dict(zip(NAMES, (centre * SCALE)[:, 0]))
runs = {
    name: model.population(1, dt=DT, **values).run(steps=STEPS, record=["V", "spike"], I=current)
    for name, values in (("start", START), ("fitted", fitted))
}
first, last = (distance(run["spike"], TAU)[0][0] for run in runs.values())
print("true  ", TRUE)
print("fitted", {name: round(float(value), 4) for name, value in fitted.items()})
print(f"van Rossum distance {first:.2f} -> {last:.3f}, {last / first:.3f} of the start's")

figure, (above, below) = plt.subplots(2, 1, figsize=(8, 5), layout="constrained", height_ratios=[2, 1])
for place, (name, run) in enumerate((("start", runs["start"]), ("target", target), ("fitted", runs["fitted"]))):
    above.plot(run.t, run["V"][:, 0] - 130 * place, label=name, linewidth=0.9)
above.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
above.set(xlabel="time (ms)", ylabel="V (mV, set apart)", yticks=[])
below.semilogy(np.minimum.accumulate(history))
below.set(xlabel="steps of descent", ylabel="least distance")
figure.savefig(given.out / "fit_spike_train.png", dpi=65)
print(f"done: wrote {given.out / 'fit_spike_train.png'}")
