"""Two events: a bursting neuron spikes, and the end of each burst is recorded under a name of its own.

python examples/bursts.py [--out FOLDER]
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

model = iz.load("CH").variant("Bursting", events={"burst_end": iz.Event("u > 0.5")})
recording = model.population(1, dt=0.1).run(300.0, I=10.0, record=["V", "u", "spike", "burst_end"])
times, _ = recording.events["burst_end"]
print(len(recording.spikes[0]), "spikes in", len(times), "bursts, which end at", times.round(1), "ms")
figure = recording.plot()
figure.savefig(out / "bursts.png", dpi=65)
print(f"done: wrote {out / 'bursts.png'}")
