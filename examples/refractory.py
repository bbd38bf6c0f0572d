"""A refractory period: V is held after a spike, u goes on.

python examples/refractory.py [--out FOLDER]
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

pop = iz.load("IzhikevichRef").population(1, dt=0.1, tau_ref=12.0)
recording = pop.run(120.0, I=14.0, record=["V", "u", "refractory", "spike"])
print(f"refractory {recording['refractory'].mean():.0%} of the time")
figure = recording.plot()
figure.savefig(out / "refractory.png", dpi=65)
print(f"done: wrote {out / 'refractory.png'}")
