"""Kernels beside reference solutions: errors over a ladder of steps, the order they show, and what a neuron costs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from izhigen.derive.scheme import find_scheme, method_names
from izhigen.errors import BackendError, IzhigenError, ValueShapeError, first_line
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
TIMED_NEURONS, TIMED_STEPS, FEW_STEPS, ROUNDS = 4096, 400, 5, 5
TIMED_SECONDS = 0.05
"""Of one round, at most, where that is more than a few steps."""
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

    def meeting(self, tolerance: float) -> tuple[Point, ...]:
        """The points that meet a tolerance, and with them all of smaller steps; the largest step first."""
        found: list[Point] = []
        for point in reversed(self.points):
            if not point.meets(tolerance):
                break
            found.insert(0, point)
        return tuple(found)


def choices(model: Declaration, methods: Iterable[str] = (), timings: Iterable[str] = ()) -> tuple[Choice, ...]:
    """Methods and timings to look at.

    Parameters
    ----------
    model : Declaration
    methods : iterable of str
        Names, or ``all``; by default every exponential method, and of the others Euler's, Heun's and the classical one
        of Runge and Kutta.
    timings : iterable of str
        By default those that suit a method's order: the end of a step for all, and places inside a step for those of
        order 2 and more.
    """
    known, wanted = method_names(), list(methods)
    if "all" in wanted:
        wanted = known
    if not wanted:
        wanted = [n for n in known if n in ("euler", "heun2", "rk4") or find_scheme(n).exponential]
    given, found = tuple(timings), list[Choice]()
    for name in dict.fromkeys(wanted):
        scheme = find_scheme(name)
        suits = ["step", *(["linear", "located"] if scheme.order >= 2 else [])]
        found += [Choice(scheme.name, timing) for timing in (given or suits) if model.events or timing == "step"]
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
            + "; give --dt (steps=) or another duration"
        )
    return tuple(sorted(set(found), reverse=True))


def measure(
    subject: Subject,
    choice: Choice,
    dtype: str,
    ladder: Sequence[float],
    timed: bool = False,
    deadline: float = math.inf,
    enough: tuple[float, int] | None = None,
) -> Curve:
    """Errors of a kernel at every step of a ladder.

    Steps that would begin after the ``deadline`` (of ``time.monotonic``) are left out, and those after so many as meet
    a tolerance one after the other, where ``enough`` gives both.
    """
    points: list[Point] = []
    for dt in ladder:
        if enough and len(Curve(choice, dtype, tuple(points)).meeting(enough[0])) >= enough[1]:
            break
        if time.monotonic() > deadline:
            points.append(Point(dt, problem=NO_TIME))
            continue
        try:
            point = _errors(subject, choice, dtype, dt)
            if timed and not point.problem:
                point = replace(point, cost=cost(subject, choice, dtype, dt))
        except IzhigenError as problem:
            return Curve(choice, dtype, problem=first_line(problem))
        points.append(point)
    return Curve(choice, dtype, tuple(points))


def _run(population: Population, feeds: Mapping[str, Any], **wanted: Any) -> Any:
    inputs = {name: at_step(value, population.dt) for name, value in feeds.items()}
    with np.errstate(all="ignore"):
        recording = population.run(check_finite=False, progress=False, **wanted, **inputs)
    if recording.interrupted:
        raise KeyboardInterrupt
    return recording


def _errors(subject: Subject, choice: Choice, dtype: str, dt: float) -> Point:
    """The errors at one step."""
    population = subject.population(columns_of(subject.feeds), dt, choice, dtype)
    if not subject.events:
        return _trajectory_errors(subject, population, dt)
    recording = _run(population, subject.feeds, duration=subject.duration, record=list(subject.events))
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
    recording = _run(population, subject.feeds, duration=subject.duration, record=list(states), every=every)
    if (bad := _not_finite(population)) is not None:
        return bad
    exact = np.stack([solution.at(recording.t) for solution in subject.solutions], axis=1)
    apart = np.abs(np.stack([recording[name] for name in states], axis=-1) - exact)
    extent = exact.max(axis=(0, 1)) - exact.min(axis=(0, 1))
    known = extent > 0
    error = (apart[..., known] / extent[known]).max(axis=-1) if known.any() else np.zeros(1)
    return Point(dt, float(error.mean()), float(error.max()))


def cost(subject: Subject, choice: Choice, dtype: str, dt: float) -> float:
    """ns a neuron and simulated ms, in a population whose states are spread over what the reference reached."""
    columns = columns_of(subject.feeds)
    size = columns * max(1, TIMED_NEURONS // columns)
    columns_used = np.resize(np.arange(columns), size)
    feeds = {
        name: value if isinstance(value, str) or hasattr(value, "parts") or not np.ndim(value) else value[columns_used]
        for name, value in subject.feeds.items()
    }
    if any(hasattr(value, "parts") and columns > 1 for value in feeds.values()):
        size, columns_used = columns, np.arange(columns)
    rng = np.random.default_rng(0)
    picked = np.array([subject.solutions[k].around(rng.uniform(0, subject.duration)) for k in columns_used])
    population = subject.population(size, dt, choice, dtype)
    for k, name in enumerate(subject.model.states):
        population.state[name] = picked[:, k]
    started = time.perf_counter()
    _run(population, feeds, steps=FEW_STEPS, record=[])
    affordable = TIMED_SECONDS * FEW_STEPS / (time.perf_counter() - started)
    steps = min(max(FEW_STEPS, int(affordable)), TIMED_STEPS, max(1, round(subject.duration / dt)))
    events = sorted(time for solution in subject.solutions for name in subject.events for time in solution.events[name])
    if events:
        population.begin_at(max(0, min(round(events[len(events) // 2] / dt), round(subject.duration / dt) - steps)))
    begin = round(population.t / dt)
    seconds = []
    for _ in range(ROUNDS + 1):
        population.begin_at(begin)
        started = time.perf_counter()
        _run(population, feeds, steps=steps, record=[])
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:]) * 1e9 / (size * steps * dt)


def find_inputs(subject: Subject) -> dict[str, Any]:
    """Amplitudes of the model's first input that give no, a few and many spikes; nothing for a model without inputs."""
    model = subject.model
    names = [name for name in model.inputs if name not in model.event_inputs]
    if not names:
        return {}
    steps = np.array([1, 1.5, 2, 3, 4, 5, 6, 8])
    up = np.concatenate([steps * 10.0**k for k in range(-4, 5)])
    tried = np.concatenate([[0.0], up, -up])
    counts = _counts(subject, names[0], tried)
    return {names[0]: np.array(_chosen(tried, counts, bool(subject.events), subject.duration))}


def _counts(subject: Subject, name: str, tried: Array) -> Array:
    """Events of neurons with these amplitudes, by the kernel of a small step; -1 where a state is not finite."""
    dt = 0.05 if round(subject.duration / 0.05) * 0.05 == subject.duration else subject.duration / 4000
    population = subject.population(len(tried), dt, Choice("rk4"), "float64")
    recording = _run(population, {name: tried}, steps=round(subject.duration / dt), record=list(subject.events))
    counts = np.zeros(len(tried), int)
    for event in subject.events:
        np.add.at(counts, recording.events[event][1], 1)
    for state in subject.model.states:
        counts[~np.isfinite(population.state[state])] = -1
    return counts


def _chosen(tried: Array, counts: Array, has_events: bool, duration: float) -> list[float]:
    if not has_events:
        return [float(a) for a in (0.0, 1.0, 10.0) if counts[list(tried).index(a)] >= 0] or [0.0]
    spiking = [k for k in np.argsort(np.abs(tried), kind="stable") if counts[k] > 0]
    if not spiking:
        return [0.0]
    sign = math.copysign(1.0, tried[spiking[0]]) if tried[spiking[0]] else 1.0
    on_side = [k for k in spiking if tried[k] * sign >= 0 and counts[k] <= max(4.0, duration / 4)] or spiking[:1]
    found = {
        tried[k]
        for wanted in (3, duration / 20, duration / 8)
        if (k := min(on_side, key=lambda k: (abs(math.log(counts[k] / wanted)), abs(tried[k])))) is not None
    }
    lowest = tried[on_side[0]]
    quiet = [tried[k] for k in range(len(tried)) if counts[k] == 0 and abs(tried[k]) <= abs(lowest) / 2]
    silent = [a for a, count in zip(tried, counts) if count == 0]
    if not quiet and silent:  # it spikes by itself
        quiet = [min(silent, key=abs)]
    if quiet:
        found.add(max(quiet, key=lambda a: (a * sign, 0)))
    return sorted((float(a) for a in found), key=lambda a: a * sign)


def compiled_backend() -> str:
    """``"c"`` where there is a C compiler, else ``"numpy"``."""
    from izhigen.backends.toolchain import find_toolchain

    try:
        find_toolchain()
    except BackendError:
        return "numpy"
    return "c"
