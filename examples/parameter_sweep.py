"""A sweep: all parameter sets are neurons of one population, the result is labelled, and no kernel is built twice.

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

grid = {"d": np.linspace(0.5, 12.0, 60), "I": np.linspace(0.0, 20.0, 80)}
rates = iz.sweep(iz.load("RS"), grid, duration=1000.0, measure="rate")
curve = rates.sel(I=10.0, method="nearest").rate
print(f"I = 10, d from {grid['d'][0]:g} to {grid['d'][-1]:g}: {float(curve.max()):.0f} to {float(curve.min()):.0f} Hz")
iz.plot.save(iz.sweeps.plot(rates), out / "parameter_sweep.png", dpi=80)
print(f"done: wrote {out / 'parameter_sweep.png'}")
