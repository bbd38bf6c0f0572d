"""A C project to take away: header, source, example and self test, without izhigen or Python.

python examples/emit_project.py [--out FOLDER]
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
folder = model.emit(out / "rs_project", force=True)
print(", ".join(sorted(path.name for path in folder.iterdir())))
recording = model.population(1, dt=0.1).run(200.0, I=10.0, record=["V", "spike"])
figure = recording.plot()
figure.savefig(out / "emit_project.png", dpi=65)
print(f"done: wrote {out / 'emit_project.png'}")
