"""Noise that is drawn inside the kernel: the same seed gives the same numbers on every backend and for any number of
threads.

python examples/noise.py [--out FOLDER]
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import izhigen as iz

out = Path(sys.argv[sys.argv.index("--out") + 1] if "--out" in sys.argv else "out")
out.mkdir(parents=True, exist_ok=True)

model = iz.load("RS").with_noise(V=2.0)
pop = model.population(200, dt=0.1, seed=4)
recording = pop.run(500.0, I=3.5, record=["V", "spike"], neurons=range(200))
print(f"{recording.counts.sum()} spikes of 200 neurons, {recording.rates.mean():.1f} Hz")
figure = iz.plot.population_rate(recording, bin=5.0).figure
figure.savefig(out / "noise.png", dpi=65)
print(f"done: wrote {out / 'noise.png'}")
