"""A synaptic conductance as part of the equation: it shapes the time constant (a liquid time constant).

python examples/conductance.py [--out FOLDER]
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

model = iz.load("RS").with_current("g*(E - V)", inputs=["g"], E=0.0).with_liquid_time_constant()
print(model.derive().system.equations[0].rate)
pop = model.population(1, dt=0.1)
recording = pop.run(200.0, g="0.3*exp(-abs(t - 60)/15)", record=["V", "g", "spike"])
print(recording.counts[0], "spikes")
figure = recording.plot()
figure.savefig(out / "conductance.png", dpi=65)
print(f"done: wrote {out / 'conductance.png'}")
