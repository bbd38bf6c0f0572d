"""Kernels beside reference solutions: errors over a ladder of steps, and the order they show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from izhigen.derive.auto import choose
from izhigen.derive.scheme import AUTO, find_scheme, method_names
from izhigen.errors import BackendError, ValueShapeError
from izhigen.inputs.feeds import check_input_names
from izhigen.model.events import SPIKE, SpikeTiming
from izhigen.model.model import Declaration
from izhigen.population.population import Population
from izhigen.timegrid import whole_steps
from izhigen.verification.drive import at_step, columns_of
from izhigen.verification.reference import Solution

Array = Any
LADDER = (1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01)
"""Steps in ms."""
TELLING = {
    "exp_euler": "step",
    "rk4": "located",
    "etdrk2": "located",
    "strang": "located",
    "heun2": "linear",
}
"""The methods that are looked at by default, each with the timing that tells most."""
NO_TIME = "no time left"
"""The problem of a point that was left out."""
SAMPLES = 200
"""Rows of a trajectory that are compared."""
FLOOR = {"float64": 1e-8, "float32": 1e-4}
"""Errors in ms, or parts of a state's range, that rounding may have made: no order is read from them."""
FITTED = 4
"""Points that an order is read from, at most: those of the smallest steps."""


@dataclass(frozen=True)
class Subject:
    """What is verified: a model with its values and inputs, on one backend.

    Attributes
    ----------
    model : Declaration
        Without noise.
    feeds : mapping
        Inputs by name, as a run takes them.
    values : mapping of str to float
        Parameters and initial states that are not the declared ones.
    duration : float
        ms.
    backend : str
    solutions : tuple of Solution
        One a neuron.
    """

    model: Declaration
    feeds: Mapping[str, Any]
    values: Mapping[str, float]
    duration: float
    backend: str
    solutions: tuple[Solution, ...] = ()

    @property
    def events(self) -> tuple[str, ...]:
        """The events whose times are compared: the spike, or all of a model that has none."""
        names = tuple(event.name for event in self.model.events)
        return (SPIKE,) if SPIKE in names else names

    def check_inputs(self) -> None:
        """Refuse inputs that the model does not have."""
        check_input_names(tuple(self.feeds), (*self.model.inputs, *self.model.delta_inputs), self.model.name)

    def population(self, size: int, dt: float, choice: Choice, dtype: str, **values: Any) -> Population:
        """A fresh population."""
        given: dict[str, Any] = {**self.values, **values}
        of_run: dict[str, Any] = {"dt": dt, "method": choice.method, "spike_timing": choice.timing}
        return Population(self.model, size, backend=self.backend, dtype=dtype, **of_run, **given)


@dataclass(frozen=True)
class Choice:
    """A method and a spike timing."""

    method: str
    timing: str = SpikeTiming.STEP.value

    def __str__(self) -> str:
        return f"{self.method}, {self.timing}"


@dataclass(frozen=True)
class Point:
    """A kernel at one step.

    Attributes
    ----------
    dt : float
        ms.
    mean, largest : float
        Error of spike times in ms; of a model without events, of states as a part of the range of each. NaN where there
        is none.
    wrong : int
        Spikes too many or too few, over all neurons.
    cost : float
        ns a neuron and simulated ms; NaN where it was not measured.
    problem : str
        Why there are no numbers.
    """

    dt: float
    mean: float = math.nan
    largest: float = math.nan
    wrong: int = 0
    cost: float = math.nan
    problem: str = ""

    def meets(self, tolerance: float) -> bool:
        """Whether the mean error is within a tolerance, and no spike is too many or too few."""
        return not self.problem and self.wrong == 0 and self.mean <= tolerance


@dataclass(frozen=True)
class Curve:
    """A method, a spike timing and a number type over a ladder of steps, the largest first."""

    choice: Choice
    dtype: str
    points: tuple[Point, ...] = ()
    problem: str = ""

    @property
    def order(self) -> float:
        """How fast errors fall with the step: a line through the logarithms of the last ones that rounding did not
        make, in which no spike was too many or too few; NaN where there are not two.
        """
        last: list[Point] = []
        for point in self.points:
            usable = not point.problem and point.wrong == 0 and point.mean > FLOOR[self.dtype]
            last = [*last, point] if usable else last if point.mean <= FLOOR[self.dtype] else []
        last = last[-FITTED:]
        if len(last) < 2:
            return math.nan
        slope, _ = np.polyfit(np.log([p.dt for p in last]), np.log([p.mean for p in last]), 1)
        return float(slope)

    @property
    def looked_at(self) -> tuple[Point, ...]:
        """The points that were not left out."""
        return tuple(point for point in self.points if point.problem != NO_TIME)

    def meeting(self, tolerance: float) -> tuple[Point, ...]:
        """The points that meet a tolerance, and with them all of smaller steps that were looked at; the largest step
        first.
        """
        found: list[Point] = []
        for point in reversed(self.looked_at):
            if not point.meets(tolerance):
                break
            found.insert(0, point)
        return tuple(found)


class Both(NamedTuple):
    """A choice in both number types."""

    float64: Curve
    float32: Curve

    def of(self, dtype: str) -> Curve:
        """The curve of a number type."""
        return self.float32 if dtype == "float32" else self.float64

    @property
    def problem(self) -> str:
        """Why the model cannot have the choice."""
        return self.float64.problem or self.float32.problem


def choices(model: Declaration, methods: Iterable[str] = (), timings: Iterable[str] = ()) -> tuple[Choice, ...]:
    """Methods and timings to look at.

    Parameters
    ----------
    model : Declaration
    methods : iterable of str
        Names, ``auto``, or ``all``; by default those of :data:`TELLING` and that of ``auto``; the others that are exact
        for a model for which ``exact`` is, are left out.
    timings : iterable of str
        By default one for each method where there are no ``methods``, else those that suit a method's order: the end of
        a step for all, and places inside a step for those of order 2 and more.
    """
    given, wanted, found = tuple(timings), list(methods), list[Choice]()
    at_ends = SpikeTiming.STEP if given == (SpikeTiming.STEP.value,) else SpikeTiming.LOCATED
    auto = choose(model, at_ends)[0]
    telling = {name: how for name, how in TELLING.items() if auto != "exact" or name not in ("etdrk2", "strang")}
    telling.setdefault(auto, "located")
    for name in method_names() if "all" in wanted else wanted or telling:
        scheme = find_scheme(auto if name == AUTO else name)
        suits = ("step", "linear", "located") if scheme.order >= 2 else ("step",)
        of_name = given or (suits if wanted else (telling[name],))
        found += [Choice(scheme.name, timing) for timing in (of_name if model.events else ("step",))]
    return tuple(dict.fromkeys(found))


def ladder_for(duration: float, steps: Sequence[float] = (), row: float | None = None) -> tuple[float, ...]:
    """The steps of a ladder that divide a run and the rows of its inputs, the largest first.

    Raises
    ------
    ValueShapeError
        Where a step that was asked for does not, or none is left.
    """
    for dt in steps:
        whole_steps(duration, dt)
    found = [dt for dt in (steps or LADDER) if abs(duration / dt - round(duration / dt)) < 1e-6]
    if row is not None:
        found = [dt for dt in found if dt <= row * (1 + 1e-9) and abs(row / dt - round(row / dt)) < 1e-6]
    if not found:
        raise ValueShapeError(
            f"no step of the ladder divides {duration:g} ms"
            + (f" and the inputs' rows of {row:g} ms" if row else "")
            + "; give another dt or another duration"
        )
    return tuple(sorted(set(found), reverse=True))


def run(population: Population, feeds: Mapping[str, Any], **wanted: Any) -> Any:
    inputs = {name: at_step(value, population.dt) for name, value in feeds.items()}
    with np.errstate(all="ignore"):
        recording = population.run(check_finite=False, progress=False, **wanted, **inputs)
    if recording.interrupted:
        raise KeyboardInterrupt
    return recording


def errors_at(subject: Subject, choice: Choice, dtype: str, dt: float) -> Point:
    """The errors of a kernel at one step.

    Raises
    ------
    IzhigenError
        Where the model cannot have that method and timing.
    """
    population = subject.population(columns_of(subject.feeds), dt, choice, dtype)
    if not subject.events:
        return _trajectory_errors(subject, population, dt)
    recording = run(population, subject.feeds, duration=subject.duration, record=list(subject.events))
    if (bad := _not_finite(population)) is not None:
        return bad
    errors, wrong = [np.empty(0)], 0
    for name in subject.events:
        times, neurons = recording.events[name]
        for column, solution in enumerate(subject.solutions):
            found, missed = matched(times[neurons == column], solution.events[name], subject.duration)
            errors.append(found)
            wrong += missed
    every = np.concatenate(errors)
    return Point(dt, *((float(every.mean()), float(every.max())) if every.size else (math.nan, math.nan)), wrong)


def matched(times: Array, reference: Sequence[float], end: float) -> tuple[Array, int]:
    """Errors of the spikes one by one (ms), and how many are too many or too few.

    One spike more or less does not count where it is as near the end of the run as it may be off: errors grow from
    spike to spike, so that is taken to be three times the largest.
    """
    times, exact = np.sort(times), np.asarray(reference)
    both = min(len(times), len(exact))
    errors = np.abs(times[:both] - exact[:both])
    wrong = abs(len(times) - len(exact))
    if wrong == 1:
        odd = times[both] if len(times) > both else exact[both]
        wrong = 0 if end - odd <= 3.0 * errors.max(initial=0.0) else 1
    return errors, wrong


def _not_finite(population: Population) -> Point | None:
    bad = [name for name in population.model.states if not np.isfinite(population.state[name]).all()]
    return Point(population.dt, problem=f"{bad[0]} is not finite") if bad else None


def _trajectory_errors(subject: Subject, population: Population, dt: float) -> Point:
    """The same for a model without events: how far its states are from the reference, over the run."""
    steps = round(subject.duration / dt)
    every = max(1, steps // SAMPLES)
    states = subject.model.states
    recording = run(population, subject.feeds, duration=subject.duration, record=list(states), every=every)
    if (bad := _not_finite(population)) is not None:
        return bad
    exact = np.stack([solution.at(recording.t) for solution in subject.solutions], axis=1)
    apart = np.abs(np.stack([recording[name] for name in states], axis=-1) - exact)
    extent = exact.max(axis=(0, 1)) - exact.min(axis=(0, 1))
    known = extent > 0
    error = (apart[..., known] / extent[known]).max(axis=-1) if known.any() else np.zeros(1)
    return Point(dt, float(error.mean()), float(error.max()))


def compiled_backend() -> str:
    """``"c"`` where there is a C compiler, else ``"numpy"``."""
    from izhigen.backends.toolchain import find_toolchain

    try:
        find_toolchain()
    except BackendError:
        return "numpy"
    return "c"
