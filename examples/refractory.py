"""A refractory period: V is held after a spike, u goes on.

python examples/refractory.py [--out FOLDER]
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import izhigen as iz

out = Path(sys.argv[sys.argv.index("--out") + 1] if "--out" in sys.argv else "out")
out.mkdir(parents=True, exist_ok=True)

pop = iz.load("IzhikevichRef").population(1, dt=0.1, tau_ref=12.0)
recording = pop.run(120.0, I=14.0, record=["V", "u", "refractory", "spike"])
print(f"refractory {recording['refractory'].mean():.0%} of the time")
figure = recording.plot()
figure.savefig(out / "refractory.png", dpi=65)
print(f"done: wrote {out / 'refractory.png'}")
