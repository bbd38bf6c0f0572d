"""A long recording goes to a Zarr store while the run goes on; indexing reads what is asked for.

python examples/to_zarr.py [--out FOLDER]
"""

import argparse
import shutil
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np

import izhigen as iz

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"))
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)

store = out / "run.zarr"
shutil.rmtree(store, ignore_errors=True)
pop = iz.load("CH").population(50, dt=0.1)
pop.run(500.0, I=np.linspace(4.0, 14.0, 50), record=["V", "spike"], out=store)
recording = iz.Recording.load(store)
print(recording["V"])
figure = recording.plot(neurons=[0, 49])
figure.savefig(out / "to_zarr.png", dpi=65)
print(f"done: wrote {out / 'to_zarr.png'}")
