"""The rate over the length of a step: Izhikevich's neuron, many steps a call on one core, for each form that phi1 takes.

    python benchmarks/steps.py [--save]

Up to 0.135 ms the short polynomial serves all arguments below the threshold, up to 0.27 ms the wide one; above, every neuron takes the full
form, with a division, but without limits on its argument. Runs of all lengths are measured in turn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import HIGHEST_CURRENT, PARAMETERS, U0, V0, options, row, save

import izhigen as iz
from izhigen.bench.model import Run
from izhigen.bench.timing import in_turn, machine

LENGTHS = (0.1, 0.25, 0.5, 1.0)
"""Steps in ms; the first is what the others are held against."""
NEURONS = 100_000


def candidates(dtype: str, neurons: int) -> dict[str, Any]:
    """The same population with each length of a step."""
    currents = np.linspace(0.0, HIGHEST_CURRENT, neurons, dtype=dtype)
    model: Any = iz.load("Izhikevich")
    return {
        f"dt = {dt:g} ms": Run(
            model.population(neurons, dt=dt, dtype=dtype, threads=1, **{**PARAMETERS, "V": V0, "u": U0}),
            {"I": currents},
        )
        for dt in LENGTHS
    }


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "steps.json").parse_args()
    neurons = NEURONS
    if given.quick:
        given.seconds, given.repeats, neurons = 0.01, 2, 1000
    data: dict[str, Any] = {"machine": machine(), "izhigen": iz.__version__, "rows": []}
    for dtype in ("float32", "float64"):
        rates = in_turn(candidates(dtype, neurons), given.seconds, given.repeats)
        first = next(iter(rates.values()))
        for (name, rate), dt in zip(rates.items(), LENGTHS):
            share = rate.ratio(first)
            data["rows"].append(row(name, rate, dtype=dtype, neurons=neurons, dt=dt, share_of_first=share))
            print(f"{name:<14} {dtype} {rate.median / 1e6:10.1f} M/s  {share:5.2f} of {LENGTHS[0]:g} ms", flush=True)
    save(given.save, data)


if __name__ == "__main__":
    main()
