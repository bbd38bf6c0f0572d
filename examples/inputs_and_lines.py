"""What a neuron received: inputs and algebraic lines are recorded like states.

python examples/inputs_and_lines.py [--out FOLDER]
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

model = iz.Model(
    "Synaptic",
    "dV/dt = (E_L - V + I_syn + I)/tau : mV\nI_syn = g*(E_s - V) : mV",
    threshold="V >= -50",
    reset="V = E_L",
    parameters={"E_L": -65.0, "E_s": 0.0, "tau": 20.0},
    inputs=["I", "g"],
    initial={"V": "E_L"},
    units={"I": "mV"},
)
pop = model.population(1, dt=0.1, dtype="float64")
recording = pop.run(200.0, I=12.0, g="0.3*max(sin(t/10), 0)", record="all")
difference = recording["I_syn"] - recording["g"] * (0.0 - recording["V"])
print("a line is its expression on the row: largest difference", abs(difference).max())
figure = recording.plot()
figure.savefig(out / "inputs_and_lines.png", dpi=65)
print(f"done: wrote {out / 'inputs_and_lines.png'}")
