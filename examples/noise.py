"""Noise drawn inside the kernel: a seed gives the same numbers on every backend and for any number of threads.

python examples/noise.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import izhigen as iz

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"))
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)

model = iz.load("RS").with_noise(V=2.0)
pop = model.population(200, dt=0.1, seed=4)
recording = pop.run(500.0, I=3.5, record=["V", "spike"], neurons=range(200))
print(f"{recording.counts.sum()} spikes of 200 neurons, {recording.rates.mean():.1f} Hz")
figure = iz.plot.population_rate(recording, bin=5.0).figure
figure.savefig(out / "noise.png", dpi=65)
print(f"done: wrote {out / 'noise.png'}")
