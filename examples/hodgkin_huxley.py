"""A Hodgkin-Huxley neuron: its spikes are upstrokes through a threshold, which no reset takes back.

python examples/hodgkin_huxley.py [--out FOLDER]
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from izhigen import Model

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--out", type=Path, default=Path("out"))
out = parser.parse_args().out
out.mkdir(parents=True, exist_ok=True)

model = Model(
    "HodgkinHuxley",
    """
    dV/dt = (I - gNa*m**3*h*(V - ENa) - gK*n**4*(V - EK) - gL*(V - EL))/C : mV
    dm/dt = 0.1*(V + 40)/(1 - exp(-(V + 40)/10))*(1 - m) - 4*exp(-(V + 65)/18)*m
    dh/dt = 0.07*exp(-(V + 65)/20)*(1 - h) - h/(1 + exp(-(V + 35)/10))
    dn/dt = 0.01*(V + 55)/(1 - exp(-(V + 55)/10))*(1 - n) - 0.125*exp(-(V + 65)/80)*n
    """,
    threshold="V >= 0",
    parameters={"gNa": 120.0, "ENa": 50.0, "gK": 36.0, "EK": -77.0, "gL": 0.3, "EL": -54.4, "C": 1.0},
    inputs=["I"],
    initial={"V": -65.0, "m": 0.05, "h": 0.6, "n": 0.32},
)
pop = model.population(1, dt=0.01)
recording = pop.run(100.0, I="where(t > 10, 10, 0)", record=["V", "m", "h", "n", "spike"])
print(recording.counts[0], "spikes at", recording.spikes[0].round(1), "ms")
figure = recording.plot(states=["V", "n"])
figure.savefig(out / "hodgkin_huxley.png", dpi=65)
print(f"done: wrote {out / 'hodgkin_huxley.png'}")
