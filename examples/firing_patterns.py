"""The twenty firing patterns of Izhikevich (2004): spikes are located inside a step, and held against the exact
solution.

python examples/firing_patterns.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import izhigen as iz
from izhigen.patterns import PATTERNS, draw

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"))
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)

recordings = {}
for name, pattern in PATTERNS.items():  # pattern.current(dt) is what each model is given
    recording = pattern.run(dt=0.1)  # rk4, located spikes, float64
    recordings[name] = recording
    print(f"{name:<27} {recording.counts[0]:>3} spikes, at most {pattern.difference(recording):.5f} ms off")
iz.plot.save(draw(recordings), out / "firing_patterns.png", dpi=110)
print(f"done: wrote {out / 'firing_patterns.png'}")
