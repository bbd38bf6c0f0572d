"""One model measured: its kernel in several settings beside its scalar loop and the machine's peak."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.bench.limits import Limits, PeakCandidate
from izhigen.bench.scalar import ScalarLoop
from izhigen.bench.timing import Rates, cores, in_turn, machine, machine_line
from izhigen.errors import BackendError, ValueShapeError
from izhigen.population.population import Population
from izhigen.scalars import read_finite, too_large

CHECKED_NEURONS, CHECKED_STEPS = 500, 1000
COUNT_TOLERANCE = 0.01
"""How far the spike counts of the loop and the kernel may differ: they round differently, which moves some spikes by a
step, and some beyond the end of the run. A noisy model draws other variates in each: its counts are two samples.
"""
STATE_TOLERANCE = 1e-3
"""Relative, after the first steps, for 99 of 100 neurons (one that spikes at another step is far off)."""
FIRST_STEPS, FIRST_STEPS_WITHOUT_SPIKES = 20, 200
SPREAD = 0.02
"""Relative spread of the initial states while the two are compared."""


class Run:
    """A population in one setting, as something that can be measured.

    Parameters
    ----------
    population : Population
    inputs : mapping
    record : sequence of str
    neurons : array of int, optional
    """

    fixed_steps: int | None = None
    least_steps = 64

    def __init__(
        self, population: Population, inputs: Mapping[str, Any], record: tuple[str, ...] = (), neurons: Any = None
    ) -> None:
        self.population, self.inputs, self.record, self.neurons = population, dict(inputs), record, neurons
        self.count = len(population)
        self.recording: Any = None

    def run(self, steps: int) -> None:
        """Advance by many steps in one call."""
        self.recording = self.population.run(
            steps=steps, record=self.record, neurons=self.neurons, check_finite=False, progress=False, **self.inputs
        )
        if self.recording.interrupted:
            raise KeyboardInterrupt


class StepByStep:
    """A population advanced from Python one step a call."""

    fixed_steps: int | None = None
    least_steps = 2

    def __init__(self, population: Population, inputs: Mapping[str, Any]) -> None:
        self.population, self.inputs, self.count = population, dict(inputs), len(population)

    def run(self, steps: int) -> None:
        """Advance by one step at a time."""
        for _ in range(steps):
            self.population.step(check_finite=False, **self.inputs)


@dataclass(frozen=True)
class Sameness:
    """Spikes of the scalar loop and of the kernel over the same run, and how far the states were apart before that."""

    scalar_spikes: int
    spikes: int
    state_difference: float
    rate_hz: float


@dataclass(frozen=True)
class Subject:
    """What is measured: a model with its values, inputs and method."""

    model: Any
    inputs: Mapping[str, Any]
    values: Mapping[str, Any]
    method: str = "exp_euler"
    dt: float = 0.1
    spike_timing: str = "step"

    def population(self, n: int, dtype: str, threads: int = 1) -> Population:
        """A fresh population."""
        of_step: dict[str, Any] = {"dt": self.dt, "method": self.method, "spike_timing": self.spike_timing}
        return Population(self.model, n, dtype=dtype, threads=threads, **of_step, **self.values)


def check_same(subject: Subject, dtype: str, loop: Callable[..., Any] = ScalarLoop) -> Sameness:
    """Run the scalar loop and the kernel side by side before anything is timed.

    Raises
    ------
    BackendError
        When they do not compute the same thing, or the model has no scalar loop.
    """
    population = subject.population(CHECKED_NEURONS, dtype)
    for (
        values
    ) in population.state.values():  # equal neurons would spike in one step, and one rounding would move all of them
        values *= np.linspace(1 - SPREAD, 1 + SPREAD, CHECKED_NEURONS, dtype=values.dtype)
    scalar = loop(population, subject.inputs)
    noisy = bool(population.kernel.step.noise)
    record = ("spike",) if population.model.threshold is not None else ()
    spikes, difference, first = 0, 0.0, FIRST_STEPS if record else FIRST_STEPS_WITHOUT_SPIKES
    for steps in (first, CHECKED_STEPS - first):
        scalar.run(steps)
        recording = population.run(steps=steps, record=record, check_finite=False, progress=False, **subject.inputs)
        spikes += len(recording.spike_times) if record else 0
        if steps == first and not noisy:
            difference = max(_apart(values, population.state[name]) for name, values in scalar.state.items())
    allowed = 2 + COUNT_TOLERANCE * max(spikes, scalar.spikes) + (5 * np.sqrt(spikes + scalar.spikes) if noisy else 0)
    if not all(np.isfinite(values).all() for values in (*scalar.state.values(), *population.state.values())):
        raise BackendError(
            f"the states are not finite after {CHECKED_STEPS} steps of {subject.dt:g} ms, "
            "in the scalar loop or in the kernel; take a smaller step (--dt), or other inputs"
        )
    if abs(spikes - scalar.spikes) > allowed or not difference <= STATE_TOLERANCE:
        raise BackendError(
            "the scalar loop and the kernel do not compute the same thing: "
            f"{scalar.spikes} and {spikes} spikes of {CHECKED_NEURONS} neurons in {CHECKED_STEPS} steps, "
            f"states {difference:.1g} apart after {first}; the rates would not be comparable"
        )
    seconds = CHECKED_NEURONS * CHECKED_STEPS * subject.dt / 1000
    return Sameness(scalar.spikes, spikes, difference, spikes / seconds)


def _apart(a: Any, b: Any) -> float:
    """Relative difference of the states that 99 of 100 neurons stay below."""
    scale = np.maximum(np.abs(a), np.abs(b)) + 1e-3 * (float(np.abs(b).max()) + 1e-30)
    return float(np.quantile(np.abs(a - b) / scale, 0.99))


def _candidates(
    subject: Subject, n: int, dtype: str, limits: Limits, operations: int, with_scalar: bool
) -> dict[str, Any]:
    """Everything that is measured at one size in one number type."""
    threads = cores()
    spiking = subject.model.threshold is not None

    def fresh(count: int = 1) -> Population:
        return subject.population(n, dtype, count)

    candidates: dict[str, Any] = {f"peak / {operations}": PeakCandidate(limits, n, operations)}
    if with_scalar:
        candidates["scalar loop"] = ScalarLoop(fresh(), subject.inputs)
    candidates["1 core"] = Run(fresh(), subject.inputs)
    if threads > 1:
        candidates[f"{threads} cores"] = Run(fresh(threads), subject.inputs)
    if spiking:
        candidates["1 core, spikes recorded"] = Run(fresh(), subject.inputs, ("spike",))
    candidates["1 core, one step a call from Python"] = StepByStep(fresh(), subject.inputs)
    return candidates


def bench_model(
    subject: Subject,
    sizes: tuple[int, ...] = (1_000, 100_000, 1_000_000),
    dtypes: tuple[str, ...] = ("float32", "float64"),
    quick: bool = False,
    echo: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Measure a model; the figures as data. Each finished line of the table goes to ``echo``.

    Raises
    ------
    BackendError
        When the kernel and the scalar loop differ.
    ValueShapeError
        For an input that is no number of the kernel's type.
    """
    for name, value in subject.inputs.items():
        if isinstance(value, float):
            read_finite(value, f"input {name!r}")
            for dtype in dtypes:
                if too_large(value, dtype):
                    raise ValueShapeError(f"input {name!r} = {value:g} is too large for {dtype}")
    seconds, repeats = (0.004, 2) if quick else (0.06, 5)
    result: dict[str, Any] = {
        "machine": machine(),
        "model": subject.model.name,
        "method": subject.population(1, "float32").method,
        "spike_timing": subject.spike_timing,
        "dt": subject.dt,
        "inputs": {name: str(value) for name, value in subject.inputs.items()},
        "values": dict(subject.values),
        "kernels": [],
        "rows": [],
    }
    echo(machine_line(result["machine"]))
    for dtype in dtypes:
        kernel, limits = subject.population(1, dtype).kernel, Limits(dtype)
        same, refused = _checked(subject, dtype)
        facts = {
            "dtype": dtype,
            "method": kernel.step.method,
            "operations": kernel.operations,
            "bytes_per_step": kernel.bytes_per_step,
            "peak_multiply_adds": limits.peak(seconds, repeats).rate,
            "scalar_loop": refused or "same",
            **(
                {}
                if same is None
                else {"scalar_spikes": same.scalar_spikes, "spikes": same.spikes, "mean_rate_hz": same.rate_hz}
            ),
        }
        result["kernels"].append(facts)
        for line in _facts(subject, facts):
            echo(line)
        for n in sizes:
            rates = in_turn(
                _candidates(subject, n, dtype, limits, kernel.operations, same is not None), seconds, repeats
            )
            for row in _rows(rates, n, dtype):
                result["rows"].append(row)
                echo(_row_text(row))
    return result


def _checked(subject: Subject, dtype: str) -> tuple[Sameness | None, str]:
    """The comparison with the scalar loop; or why there is no such loop."""
    try:
        ScalarLoop(subject.population(1, dtype), subject.inputs)
    except BackendError as problem:
        return None, str(problem)
    return check_same(subject, dtype), ""


def _facts(subject: Subject, facts: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield (
        f"{subject.model.name}, {facts['method']}, {facts['dtype']}: "
        f"{facts['operations']} operations and {facts['bytes_per_step']} bytes a neuron-step; "
        f"one core's peak {facts['peak_multiply_adds'] / 1e9:.1f} G multiply-adds/s"
    )
    if "spikes" not in facts:
        yield f"no scalar loop: {facts['scalar_loop']}"
    else:
        yield _sameness(subject, facts)
    yield f"{'neurons':>13}  {'':<36} {'M neuron-steps/s':>16} {'x scalar loop':>14} {'of peak':>8}"


def _sameness(subject: Subject, facts: Mapping[str, Any]) -> str:
    quiet = (
        "; no spikes in this time, so recording them costs nothing"
        if facts["spikes"] == 0 and subject.model.threshold is not None
        else ""
    )
    return (
        f"same step as the scalar loop: {facts['scalar_spikes']} spikes there, "
        f"{facts['spikes']} in the kernel ({CHECKED_NEURONS} neurons, {CHECKED_STEPS} steps, "
        f"{facts['mean_rate_hz']:.3g} Hz){quiet}"
    )


def _rows(rates: Mapping[str, Rates], n: int, dtype: str) -> Iterator[dict[str, Any]]:
    peak = next(value for name, value in rates.items() if name.startswith("peak"))
    for name, rate in rates.items():
        row: dict[str, Any] = {"neurons": n, "dtype": dtype, "what": name, **rate.as_data()}
        if rate is not peak:
            row["share_of_peak"] = rate.ratio(peak)
        if "scalar loop" in rates:
            row["ratio_to_scalar"] = rate.ratio(rates["scalar loop"])
        yield row


def _row_text(row: Mapping[str, Any]) -> str:
    ratio = f"{row['ratio_to_scalar']:14.2f}" if "ratio_to_scalar" in row else " " * 14
    share = f"{row['share_of_peak']:8.1%}" if "share_of_peak" in row else ""
    return f"{row['neurons']:>13,}  {row['what']:<36} {row['rate'] / 1e6:16.1f} {ratio} {share}".rstrip()
