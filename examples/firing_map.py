"""A map of firing patterns over a and d: every pixel is a neuron, a million of them with --side 1000.

python examples/firing_map.py [--side NUMBER] [--threads NUMBER] [--out FOLDER]
"""

import argparse
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import izhigen as iz

PATTERNS = ("silent", "phasic", "tonic", "irregular", "bursting")
COLORS = ("#222222", "#56B4E9", "#009E73", "#E69F00", "#D55E00")
SETTLED = 500.0  # ms

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--side", type=int, default=200)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--out", type=Path, default=Path("out"))
given = parser.parse_args()
given.out.mkdir(parents=True, exist_ok=True)


def pattern(recording):
    """What each neuron does: a place in PATTERNS."""
    times, neurons = recording.spikes
    count = recording.shape[0]
    fired = np.bincount(neurons, minlength=count)
    late = times >= SETTLED
    order = np.lexsort((times[late], neurons[late]))
    times, neurons = times[late][order], neurons[late][order]
    interval, same = np.diff(times), np.diff(neurons) == 0
    owner, interval = neurons[1:][same], interval[same]
    shortest, longest = np.full(count, np.inf), np.zeros(count)
    np.minimum.at(shortest, owner, interval)
    np.maximum.at(longest, owner, interval)
    spread = np.where(longest > 0, longest / shortest, 1.0)
    goes_on = np.bincount(neurons, minlength=count) > 1
    found = np.select([~goes_on & (fired == 0), ~goes_on, spread < 1.2, spread < 2.0], [0, 1, 2, 3], 4)
    return found.astype(np.int64)


grid = {"a": np.linspace(0.005, 0.12, given.side), "d": np.linspace(0.05, 10.0, given.side)}
started = time.perf_counter()
found = iz.sweep(
    iz.load("CH"), grid, duration=1500.0, I=10.0, measure=pattern, record="spike", threads=given.threads, progress=False
)
print(f"{given.side**2:,} neurons over 1.5 s in {time.perf_counter() - started:.1f} s")
figure, axes = plt.subplots(figsize=(6.4, 4.6), layout="constrained")
colors = matplotlib.colors.ListedColormap(COLORS)
mesh = axes.pcolormesh(found.d, found.a, found.pattern, cmap=colors, vmin=-0.5, vmax=4.5, rasterized=True)
bar = figure.colorbar(mesh, ax=axes, ticks=range(len(PATTERNS)))
bar.ax.set_yticklabels(PATTERNS)
axes.set(xlabel="d (mV)", ylabel="a (1/ms)", title="Izhikevich's neuron, c = -50 mV, I = 10")
iz.plot.save(figure, given.out / "firing_map.png", dpi=100)
shares = ", ".join(f"{100 * float((found.pattern == k).mean()):.0f} % {name}" for k, name in enumerate(PATTERNS))
print(shares)
print(f"done: wrote {given.out / 'firing_map.png'}")
