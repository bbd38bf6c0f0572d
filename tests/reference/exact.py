"""Spike times of Izhikevich neurons with a constant current, by SciPy's DOP853 at 1e-12 with located crossings.

python tests/reference/exact.py      # writes tests/data/exact_spikes.json
"""

import json
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

DATA = Path(__file__).parents[1] / "data" / "exact_spikes.json"
CLASSES = {
    "RS": {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0, "I": 10.0},
    "IB": {"a": 0.02, "b": 0.2, "c": -55.0, "d": 4.0, "I": 10.0},
    "CH": {"a": 0.02, "b": 0.2, "c": -50.0, "d": 2.0, "I": 10.0},
    "FS": {"a": 0.1, "b": 0.2, "c": -65.0, "d": 2.0, "I": 10.0},
    "TC": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 0.05, "I": 1.0},
    "RZ": {"a": 0.1, "b": 0.26, "c": -65.0, "d": 2.0, "I": 1.0},
    "LTS": {"a": 0.02, "b": 0.25, "c": -65.0, "d": 2.0, "I": 10.0},
}
"""The classes of Izhikevich (2003), each with a current in mV/ms."""


def random_neurons(count=24, seed=2003):
    """Neurons between the classes: RS to CH and LTS to FS, as in the network of that paper, with currents of 4 to 20."""
    rng = np.random.default_rng(seed)
    found = []
    for k, (r, s, current) in enumerate(zip(rng.random(count), rng.random(count), rng.uniform(4.0, 20.0, count))):
        values = (0.02, 0.2, -65 + 15 * r**2, 8 - 6 * r**2) if k % 2 else (0.02 + 0.08 * r, 0.25 - 0.05 * r, -65, 2)
        values = (*values, current, -75.0 + 15.0 * s)
        found.append({name: round(value, 3) for name, value in zip(("a", "b", "c", "d", "I", "V"), values)})
    return found


def spike_times(neuron, duration):
    """ms; from V, by default -70 mV, and u = b*V."""
    a, b, c, d, current = (neuron[name] for name in ("a", "b", "c", "d", "I"))
    V = neuron.get("V", -70.0)
    t, y, found = 0.0, [V, b * V], []

    def slope(t, y):
        return 0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + current, a * (b * y[0] - y[1])

    def crossing(t, y):
        return y[0] - 30.0

    crossing.terminal, crossing.direction = True, 1
    while True:
        part = solve_ivp(slope, (t, duration), y, method="DOP853", rtol=1e-12, atol=1e-12, events=crossing)
        if part.status != 1:
            return found
        t, y = part.t[-1], [c, part.y[1, -1] + d]
        found.append(round(float(t), 8))


def cases():
    """Lists of neurons, each with its exact spikes."""
    classes = [{"name": name, **neuron, "V": -70.0} for name, neuron in CLASSES.items()]
    return {
        "about": "neurons with a constant current from 0 ms on, from V and u = b*V; spike times in ms (exact.py)",
        "classes": {
            "duration": 500.0,
            "neurons": [{**neuron, "spikes": spike_times(neuron, 500.0)} for neuron in classes],
        },
        "random": {
            "duration": 200.0,
            "neurons": [{**neuron, "spikes": spike_times(neuron, 200.0)} for neuron in random_neurons()],
        },
    }


if __name__ == "__main__":
    text = json.dumps(cases(), indent=1)
    DATA.write_text(text.replace(",\n     ", ", ").replace("[\n     ", "[").replace("\n    ]", "]") + "\n")
