"""An f-I curve: two hundred neurons, each with a constant current of its own, are one population.

python examples/f_i_curve.py [--out FOLDER]
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

pop = iz.load("RS").population(200, dt=0.1)
recording = pop.run(1000.0, I=np.linspace(0.0, 20.0, 200))
curve = recording.f_i(start=200.0)  # without the first 200 ms
print(f"rates from {curve.rates.min():.0f} to {curve.rates.max():.0f} Hz against {curve.name} in {curve.unit}")
figure = iz.plot.f_i(recording, start=200.0).figure
figure.savefig(out / "f_i_curve.png", dpi=65)
print(f"done: wrote {out / 'f_i_curve.png'}")
