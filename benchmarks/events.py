"""What each construct of events costs: a leaky neuron, many steps a call on one core, without recording, with one more thing each time.

    python benchmarks/events.py [--save]

All candidates have the same input and are measured in turn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import options, row, save

import izhigen as iz
from izhigen.bench.model import Run
from izhigen.bench.timing import in_turn, machine

NEURONS = 100_000
PLAIN = iz.Model(
    "Leaky",
    "dV/dt = (I - V)/tau\ndw/dt = -w/tau_w",
    threshold="V >= 10",
    reset="V = 0; w = w + 1",
    parameters={"tau": 10.0, "tau_w": 50.0},
    inputs=["I"],
)
MODELS: dict[str, Any] = {
    "threshold and reset": PLAIN,
    "rising": PLAIN.variant(trigger="rising"),
    "threshold of the step's start": PLAIN.variant(threshold="V >= 10 + 0.1*old(w)"),
    "one event more": PLAIN.variant(events={"low": iz.Event("w < 0.5", "w = w + 0.1")}),
    "three events more": PLAIN.variant(events={f"e{k}": iz.Event(f"w < 0.{k}", "w = w + 0.1") for k in (1, 2, 3)}),
    "held for 2 ms": PLAIN.with_refractory(2.0),
    "mute for 2 ms": PLAIN.with_refractory(2.0, hold=()),
    "held until a condition": PLAIN.with_refractory(until="w < 1"),
    "time since the last spike": PLAIN.variant(equations="dV/dt = (I - V)/tau\ndw/dt = -w/tau_w*(t - t_last_spike)"),
    "an event input": PLAIN.variant(on_event={"a": "w = w + a*(1 - w)"}),
    "noise": PLAIN.with_noise(V="0.1"),
    "noise that reads a state": PLAIN.with_noise(V="0.1*w"),
}


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "events.json").parse_args()
    neurons = NEURONS
    if given.quick:
        given.seconds, given.repeats, neurons = 0.01, 2, 1000
    data: dict[str, Any] = {"machine": machine(), "izhigen": iz.__version__, "rows": []}
    current = np.linspace(8.0, 20.0, neurons, dtype=np.float32)
    runs = {name: Run(model.population(neurons, dt=0.1, threads=1), {"I": current}) for name, model in MODELS.items()}
    rates = in_turn(runs, given.seconds, given.repeats)
    first = next(iter(rates.values()))
    for name, rate in rates.items():
        share = rate.ratio(first)
        data["rows"].append(row(name, rate, dtype="float32", neurons=neurons, share_of_first=share))
        print(f"{name:<32} {rate.median / 1e6:10.1f} M/s  {share:5.2f}", flush=True)
    save(given.save, data)


if __name__ == "__main__":
    main()
