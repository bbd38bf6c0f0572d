"""What the machine allows, and how much of it each library model's kernel uses.

    python benchmarks/limits.py [--save]

Many steps a call are held against one core's peak of multiply-adds divided by the operations of a neuron-step (and, for Izhikevich's neuron,
by 20, the instructions that its step needs at least); one step a call against a copy of as many bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import DT, options, row, save
from contestants import OneStep

import izhigen as iz
from izhigen.bench.limits import FLAGS, Limits, PeakCandidate
from izhigen.bench.model import Run
from izhigen.bench.timing import cores, in_turn, machine
from izhigen.patterns import PATTERNS

LEVELS = {"second-level cache": 1 << 19, "third-level cache": 1 << 23, "memory": 1 << 29}
"""Bytes that a thread's copy touches."""
NEURONS = 100_000
FLOOR = 20
ONE_STEP_SIZES = {"second-level cache": 10_000, "third-level cache": 400_000, "memory": 20_000_000}
"""Neurons whose arrays lie at each level, in float32."""


def bandwidths(given: Any) -> list[dict[str, Any]]:
    """Bytes a second of a copy, by level and threads."""
    found, limits = [], Limits("float32")
    for level, size in LEVELS.items():
        for threads in dict.fromkeys((1, cores())):
            rate = limits.bandwidth(size, threads, given.seconds, given.repeats)
            found.append({"level": level, "bytes_a_thread": size, "threads": threads, "bytes_per_second": rate})
            print(f"copy, {level:<20} {threads} thread{'s' if threads > 1 else ' '} {rate / 1e9:8.1f} GB/s", flush=True)
    return found


def kernels(given: Any, dtype: str, limits: Limits) -> list[dict[str, Any]]:
    """Every library model, many steps a call on one core, beside the peak in turn."""
    rows = []
    for name in (name for name in iz.list_models() if name not in PATTERNS):
        population: Any = iz.load(name).population(NEURONS, dt=DT, dtype=dtype)
        feeds = {key: np.linspace(0.0, 20.0, NEURONS, dtype=dtype) for key in population.model.inputs}
        operations = population.kernel.operations
        candidates: dict[str, Any] = {"peak": PeakCandidate(limits, NEURONS, operations), name: Run(population, feeds)}
        if name == "Izhikevich":
            candidates["floor"] = PeakCandidate(limits, NEURONS, FLOOR)
        rates = in_turn(candidates, given.seconds, given.repeats)
        facts = {
            "dtype": dtype,
            "neurons": NEURONS,
            "operations": operations,
            "share_of_peak": rates[name].ratio(rates["peak"]),
        }
        if "floor" in rates:
            facts["share_of_floor"] = rates[name].ratio(rates["floor"])
        rows.append(row(name, rates[name], section="many steps a call", **facts))
        text = f"  {facts['share_of_floor']:.0%} of peak / {FLOOR}" if "floor" in rates else ""
        print(
            f"{name:<20} {dtype} {rates[name].median / 1e6:10.1f} M/s  {facts['share_of_peak']:6.1%} of peak / {operations} operations{text}",
            flush=True,
        )
    return rows


def one_step(given: Any, limits: Limits) -> list[dict[str, Any]]:
    """Izhikevich's neuron, one step a call on one core, beside a copy."""
    rows = []
    each = iz.load("Izhikevich").population(1).kernel.bytes_per_step
    candidate = OneStep()
    for level, n in ONE_STEP_SIZES.items():
        if given.quick and level == "memory":
            continue
        bandwidth = limits.bandwidth(LEVELS[level], 1, given.seconds, given.repeats)
        rate = in_turn({"one step a call": candidate.prepare(n)}, given.seconds, given.repeats)["one step a call"]
        share = rate.median * each / bandwidth
        rows.append(
            row(
                "Izhikevich",
                rate,
                section="one step a call",
                dtype="float32",
                neurons=n,
                level=level,
                bytes_per_step=each,
                copy_bytes_per_second=bandwidth,
                share_of_copy=share,
            )
        )
        print(
            f"Izhikevich, one step a call from C, {n:>11,} neurons ({level}): {rate.median / 1e6:8.1f} M/s  {share:6.1%} of a copy of {each} bytes",
            flush=True,
        )
    return rows


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "limits.json").parse_args()
    if given.quick:
        given.seconds, given.repeats = 0.01, 2
    data: dict[str, Any] = {"machine": machine(), "flags": {"limits": list(FLAGS)}, "peaks": [], "rows": []}
    for dtype in ("float32", "float64"):
        limits = Limits(dtype)
        peak = limits.peak(given.seconds, given.repeats)
        data["peaks"].append({"dtype": dtype, "multiply_adds_per_second": peak.rate, "lanes": peak.lanes})
        print(f"peak of one core, {dtype}: {peak.rate / 1e9:.1f} G multiply-adds/s in vectors of {peak.lanes}")
        data["rows"] += kernels(given, dtype, limits)
    data["copies"] = bandwidths(given)
    data["rows"] += one_step(given, Limits("float32"))
    save(given.save, data)


if __name__ == "__main__":
    main()
