"""A sweep over a parameter is one population with one value per neuron; no kernel is built for it twice.

python examples/parameter_sweep.py [--out FOLDER]
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

pop = iz.load("RS").population(300, dt=0.1, d=np.linspace(0.5, 12.0, 300))
recording = pop.run(1000.0, I=10.0)
curve = recording.f_i("d")
print(
    f"d from {curve.values[0]:g} to {curve.values[-1]:g} {curve.unit}: {curve.rates.max():.0f} to "
    f"{curve.rates.min():.0f} Hz"
)
figure = iz.plot.f_i(recording, "d").figure
figure.savefig(out / "parameter_sweep.png", dpi=65)
print(f"done: wrote {out / 'parameter_sweep.png'}")
