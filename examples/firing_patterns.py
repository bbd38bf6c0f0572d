"""Six firing patterns of one model, which differ in parameters only (Izhikevich 2003).

python examples/firing_patterns.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import izhigen as iz

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"))
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)

names = ["RS", "IB", "CH", "FS", "TC", "LTS"]
figure, axes = plt.subplots(len(names), 1, figsize=(7.0, 8.0), sharex=True, layout="constrained")
for name, ax in zip(names, axes):
    recording = iz.load(name).population(1, dt=0.1).run(300.0, I=10.0, record=["V", "spike"])
    iz.plot.traces(recording, ax=ax)
    ax.set_title(iz.load(name).description, loc="left", fontsize="small")
    ax.set_xlabel("")
    print(name, recording.counts[0], "spikes")
axes[-1].set_xlabel("time (ms)")
figure.savefig(out / "firing_patterns.png", dpi=52)
print(f"done: wrote {out / 'firing_patterns.png'}")
