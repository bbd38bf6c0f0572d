"""The state plane: nullclines from the equations, and the path of a run.

python examples/phase_plane.py [--out FOLDER]
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
recording = model.population(1, dt=0.05).run(300.0, I=10.0, record=["V", "u", "spike"])
limits = {"V": (-85.0, 35.0), "u": (-20.0, 15.0)}
figure = iz.plot.state_plane(model, recording=recording, values={"I": 10.0}, limits=limits).figure
print(recording.counts[0], "turns")
figure.savefig(out / "phase_plane.png", dpi=65)
print(f"done: wrote {out / 'phase_plane.png'}")
