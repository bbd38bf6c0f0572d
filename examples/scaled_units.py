"""A change of variables, done symbolically: V from 0 at -65 mV to 1 at 30 mV; inputs are scaled too.

python examples/scaled_units.py [--out FOLDER]
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

model = iz.load("RS")
scaled = model.scaled((-65.0, 30.0), (0.0, 1.0))
print(scaled)
plain = model.population(1, dt=0.1, dtype="float64").run(200.0, I=10.0)
recording = scaled.population(1, dt=0.1, dtype="float64").run(200.0, I=10.0 / 95.0, record=["V", "u", "spike"])
print(plain.counts[0], "and", recording.counts[0], "spikes")
figure = recording.plot()
figure.savefig(out / "scaled_units.png", dpi=65)
print(f"done: wrote {out / 'scaled_units.png'}")
