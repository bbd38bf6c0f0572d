"""The state plane: nullclines from the equations, and the path of a run.

python examples/phase_plane.py [--out FOLDER]
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import izhigen as iz

out = Path(sys.argv[sys.argv.index("--out") + 1] if "--out" in sys.argv else "out")
out.mkdir(parents=True, exist_ok=True)

model = iz.load("RS")
recording = model.population(1, dt=0.05).run(300.0, I=10.0, record=["V", "u", "spike"])
limits = {"V": (-85.0, 35.0), "u": (-20.0, 15.0)}
figure = iz.plot.state_plane(model, recording=recording, values={"I": 10.0}, limits=limits).figure
print(recording.counts[0], "turns")
figure.savefig(out / "phase_plane.png", dpi=65)
print(f"done: wrote {out / 'phase_plane.png'}")
