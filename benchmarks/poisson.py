"""What Poisson input costs: counts drawn in the kernel for a rate of each form, beside the same kernel with a constant input.

    python benchmarks/poisson.py [--save]

NumPy's generator, which would draw the counts of every step on the host before a kernel reads them, is measured by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import DT, izhikevich, options, row, save

import izhigen as iz
from izhigen.bench.model import Run
from izhigen.bench.timing import in_turn, machine

MEANS = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Events a step and neuron."""
NEURONS = 10_000
CONSTANT, HOST = "constant input", "NumPy on the host"


class HostDraws:
    """NumPy's counts for each step, without a kernel."""

    fixed_steps: int | None = None
    least_steps = 2

    def __init__(self, n: int, mean: float) -> None:
        self.count, self.mean, self.generator = n, mean, np.random.default_rng(0)

    def run(self, steps: int) -> None:
        """Draw a row a step."""
        for _ in range(steps):
            self.generator.poisson(self.mean, self.count)


def candidates(n: int, mean: float) -> dict[str, Any]:
    """One mean with every form of rate, all on one core."""
    hertz = mean * 1000.0 / DT
    rates: dict[str, Any] = {"a number": hertz, "one a neuron": np.full(n, hertz), "text in t": f"{hertz} + 0*t"}
    drawn = {form: Run(izhikevich(n), {"I": iz.inputs.poisson(rate)}, ("count",)) for form, rate in rates.items()}
    return {CONSTANT: Run(izhikevich(n), {"I": 5.0}, ("count",)), **drawn, HOST: HostDraws(n, mean)}


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "poisson.json").parse_args()
    neurons, means = NEURONS, MEANS
    if given.quick:
        given.seconds, given.repeats, neurons, means = 0.01, 2, 1000, MEANS[:1]
    data: dict[str, Any] = {"machine": machine(), "izhigen": iz.__version__, "rows": []}
    for mean in means:
        rates = in_turn(candidates(neurons, mean), given.seconds, given.repeats)
        for name, rate in rates.items():
            share = rate.ratio(rates[CONSTANT])
            data["rows"].append(row(name, rate, mean=mean, neurons=neurons, share_of_constant=share))
            print(f"mean {mean:<6g} {name:<20} {rate.median / 1e6:10.1f} M/s  {share:5.2f} of {CONSTANT}", flush=True)
    save(given.save, data)


if __name__ == "__main__":
    main()
