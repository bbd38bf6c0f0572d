"""Poisson input drawn inside the kernel: each neuron counts the spikes of 200 sources of its own, of 8 to 12 Hz each.

python examples/poisson_drive.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np

import izhigen as iz

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"))
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)

drive = iz.inputs.poisson(np.linspace(8.0, 12.0, 50), weight=30.0, n=200)  # counts of a step times 30 mV/ms
pop = iz.load("RS").population(50, dt=0.1, seed=3)
recording = pop.run(400.0, I=drive, record=["V", "spike"])
print(f"{recording.counts.sum()} spikes, {recording.rates.mean():.1f} Hz")
figure = recording.plot(neurons=[0, 49])
figure.savefig(out / "poisson_drive.png", dpi=65)
print(f"done: wrote {out / 'poisson_drive.png'}")
