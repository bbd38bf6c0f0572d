"""Parts that serve any neuron: an excitatory and an inhibitory synapse, each with a state that saturates.

python examples/synapses.py [--out FOLDER]
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

synapse = {
    "equations": "ds/dt = -s/tau",
    "current": "g*s*(E - V)",
    "on_event": {"arrival": "s = s + arrival*(1 - s)"},
    "parameters": {"tau": 5.0, "g": 1.0, "E": 0.0},
}
model = (
    iz.load("RS")
    .with_part(**synapse, prefix="ampa")
    .with_part(**synapse, prefix="gaba")
    .variant("Cell", gaba_E=-70.0, gaba_tau=10.0)
    .with_liquid_time_constant()
)
print("states", *model.states, "inputs", *model.inputs)
recording = model.population(1, dt=0.1, seed=1).run(
    300.0,
    ampa_arrival=iz.inputs.poisson(300.0, weight=0.15),
    gaba_arrival=iz.inputs.poisson(100.0, weight=0.1),
    record=["V", "ampa_s", "gaba_s", "spike"],
)
print(recording.counts[0], "spikes")
figure = recording.plot()
figure.savefig(out / "synapses.png", dpi=55)
print(f"done: wrote {out / 'synapses.png'}")
