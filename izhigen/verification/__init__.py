"""A model's kernels and derivation checked against the declared model: spike times beside a reference solution, the
derivation in many digits, elementary functions in units in the last place, and what accuracy costs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from izhigen.errors import IzhigenError, ValueShapeError, first_line, shown
from izhigen.model.events import read_spike_timing
from izhigen.model.model import Declaration
from izhigen.population.checks import check_dtype
from izhigen.population.values import check_value_names, plain_values
from izhigen.scalars import read_finite, read_names
from izhigen.timegrid import check_dt, in_ms
from izhigen.units.quantities import plain
from izhigen.verification import ladder, reference, report
from izhigen.verification.amplitudes import find_inputs
from izhigen.verification.declared import Declared
from izhigen.verification.derivation import Check, Checker
from izhigen.verification.drive import columns_of, row_length
from izhigen.verification.ladder import Choice, Curve, Point, Subject
from izhigen.verification.rates import rates_of
from izhigen.verification.result import Pick, Verification
from izhigen.verification.survey import compare, timed
from izhigen.verification.ulp import Error, measure

DURATION = 200.0
"""ms."""
SECONDS = 60.0
"""Of kernels at work, at most; what is left then is left out, and said."""
TIMED = 3
"""Steps of a method that are timed, the largest that meet a tolerance: smaller ones may be cheaper (located spikes)."""
MOST_NEURONS = 16
"""Neurons that are followed, at most: each has a reference solution."""
Echo = Callable[[str], None]


def verify(
    model: Declaration,
    duration: float = DURATION,
    *,
    inputs: Mapping[str, Any] | None = None,
    method: str | Iterable[str] = (),
    spike_timing: str | Iterable[str] = (),
    dt: float | Iterable[float] = (),
    tolerance: float | None = None,
    dtype: str = "float32",
    backend: str | None = None,
    seconds: float = SECONDS,
    echo: Echo | None = None,
    **values: float,
) -> Verification:
    """Check a model's kernels and derivation; ``print`` the result, or look at its ``data`` and ``plot()``.

    Noise of a model is left out: its drift is verified.

    Parameters
    ----------
    model : Model
    duration : float
        ms.
    inputs : mapping, optional
        Inputs by name, as a run takes them: numbers, one number a neuron, stimuli, text in t. By default amplitudes of
        the first input that give no, a few and many spikes.
    method, spike_timing : str or iterable of str, optional
        What to look at; ``"all"`` is every method, with the timings that suit its order. By default a handful that
        tells most.
    dt : float or iterable of float, optional
        The step or the ladder of steps, in ms.
    tolerance : float, optional
        Mean error of spike times in ms, by default 0.1; of a model without events that of its states as a part of the
        range of each, by default 0.001.
    dtype : {"float32", "float64"}
        Number type of what is timed. Errors are measured in both.
    backend : {"c", "numpy"}, optional
        By default C where there is a compiler.
    seconds : float
        For kernels, at most.
    echo : callable, optional
        Takes every line of the text when it is known.
    **values
        Parameters and initial states by name.

    Raises
    ------
    BackendError
        Where SciPy is missing.
    DerivationError
        Where the model has no reference solution: it blows up, or its equations read dt.
    ValueShapeError
        For unknown names, and for inputs that have no values in continuous time.
    """
    dtype, steps = check_dtype(dtype).name, _steps(dt)
    duration, inputs = _plain(model, duration, inputs)
    subject = _subject(model, duration, inputs, backend, values)
    asked = _tolerance((0.1 if subject.events else 0.001) if tolerance is None else tolerance)
    chosen = ladder.choices(subject.model, _names(method, "method"), _timings(spike_timing))
    rungs = ladder.ladder_for(duration, steps, row_length(subject.feeds))

    def tell(lines: Iterable[str]) -> None:
        for line in lines:
            if echo is not None:
                echo(line)

    tell(report.head(model, subject))
    checks: list[Check] = []
    tell(report.derivation(_kept(_derivation(subject, chosen), checks)))
    rates, functions = rates_of(subject), _elementary(subject, dtype)
    tell(report.figures(rates, functions))
    curves = compare(subject, chosen, rungs, dtype, seconds)
    result = Verification(model, subject, asked, dtype, tuple(checks), rates, rungs, functions, tuple(curves))
    tell(report.comparison(result))
    return result


def pick(
    model: Declaration,
    duration: float,
    tolerance: float,
    *,
    inputs: Mapping[str, Any],
    dtype: str = "float32",
    backend: str = "c",
    spike_timing: str | Iterable[str] = (),
    most: float = 1000.0,
    **values: float,
) -> Pick:
    """The cheapest method, spike timing and step that meet a tolerance on an input.

    Parameters
    ----------
    model : Model
    duration : float
        ms of the run; the step divides it.
    tolerance : float
        As for :func:`verify`.
    inputs, dtype, backend, spike_timing
        As for :func:`verify`.
    most : float
        ms that are looked at, at most.
    **values
        Parameters and initial states by name.

    Raises
    ------
    DerivationError
        Where nothing meets the tolerance, or there is no reference solution.
    """
    tolerance = _tolerance(tolerance)
    duration, inputs = _plain(model, duration, inputs)
    rungs = ladder.ladder_for(duration, (), row_length(inputs))
    looked_at = duration if duration <= most else math.floor(most / rungs[0]) * rungs[0]
    subject = _subject(model, looked_at, inputs, backend, values)
    rungs = tuple(dt for dt in rungs if abs(looked_at / dt - round(looked_at / dt)) < 1e-6)
    chosen = ladder.choices(subject.model, (), _timings(spike_timing))
    curves = [_down_to(subject, choice, dtype, rungs, tolerance) for choice in chosen]
    met = [replace(curve, points=curve.meeting(tolerance)) for curve in curves]
    return Pick.of(list(zip(curves, timed(met, subject))), tolerance, looked_at, subject)


def _down_to(subject: Subject, choice: Choice, dtype: str, rungs: Sequence[float], tolerance: float) -> Curve:
    """Errors from the largest step on, up to so many that meet a tolerance as are timed."""
    curve = Curve(choice, dtype)
    for dt in rungs:
        try:
            curve = replace(curve, points=(*curve.points, ladder.errors_at(subject, choice, dtype, dt)))
        except IzhigenError as problem:
            return replace(curve, problem=first_line(problem))
        if len(curve.meeting(tolerance)) >= TIMED:
            break
    return curve


def _kept(checks: Iterable[Check], found: list[Check]) -> Iterator[Check]:
    for check in checks:
        found.append(check)
        yield check


def _steps(dt: float | Iterable[float]) -> tuple[float, ...]:
    plainly = in_ms(dt, "dt")
    given = (plainly,) if isinstance(plainly, (int, float, np.number)) else plainly
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ValueShapeError(f"dt={shown(dt)} is neither a step in ms nor several, such as (0.5, 0.1)")
    return tuple(check_dt(one) for one in given)


def _tolerance(value: Any) -> float:
    found = read_finite(in_ms(value, "tolerance"), "tolerance")
    if not found > 0:
        raise ValueShapeError(f"tolerance={shown(value)} is not above 0; give ms, such as 0.1")
    return found


def _names(given: str | Iterable[str], what: str) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else read_names(given, what)


def _timings(given: str | Iterable[str]) -> tuple[str, ...]:
    return tuple(read_spike_timing(name).value for name in _names(given, "spike_timing"))


def _plain(model: Any, duration: Any, inputs: Any) -> tuple[Any, Any]:
    """A duration and inputs without units."""
    if not isinstance(model, Declaration):
        raise ValueShapeError(f"verify takes a model, such as iz.load('RS'), not {shown(model)}")
    return in_ms(duration, "duration"), None if inputs is None else plain_values(model, inputs)


def _subject(
    model: Declaration,
    duration: float,
    inputs: Mapping[str, Any] | None,
    backend: str | None,
    values: Mapping[str, float],
) -> Subject:
    """The model with its inputs and reference solutions."""
    reference.solver()
    if not read_finite(duration, "duration") > 0:
        raise ValueShapeError(f"duration={shown(duration)} is not above 0; give ms, such as {DURATION:g}")
    check_value_names(model, values)
    numbers = {
        name: read_finite(plain(value, model.unit_of(name), name, ValueShapeError), f"{name}=")
        for name, value in values.items()
    }
    quiet = model.replaced(noise=()) if model.noise else model
    declared = Declared(quiet, numbers)
    feeds = {name: np.asarray(v) if isinstance(v, (list, tuple)) else v for name, v in (inputs or {}).items()}
    subject = Subject(quiet, feeds, numbers, float(duration), backend or ladder.compiled_backend())
    if inputs is None:
        subject = replace(subject, feeds=find_inputs(subject))
    subject.check_inputs()
    columns = columns_of(subject.feeds)
    if columns > MOST_NEURONS:
        raise ValueShapeError(
            f"inputs are for {columns} neurons, and each would have a reference solution; give them for at most "
            f"{MOST_NEURONS}"
        )
    solutions = []
    for column in range(columns):
        found = reference.solve(declared, subject.feeds, subject.duration, column, not subject.events)
        reference.check_solution(found, f"model {model.name!r}" + (f", neuron {column}" if columns > 1 else ""))
        solutions.append(found)
    return replace(subject, solutions=tuple(solutions))


def _derivation(subject: Subject, chosen: Sequence[Choice]) -> Iterable[Check]:
    try:
        yield from Checker(subject).checks(chosen)
    except IzhigenError as problem:
        yield Check("derivation", None, first_line(problem))


def _elementary(subject: Subject, dtype: str) -> tuple[Error, ...]:
    """Errors of the functions that the kernels of exponential Euler call; none where there is no compiler."""
    from izhigen.codegen.request import KernelRequest

    if subject.backend != "c":
        return ()
    return tuple(measure(KernelRequest(subject.model, "exp_euler", dtype).program("c").source, dtype))


__all__ = ["Check", "Choice", "Curve", "Pick", "Point", "Verification", "pick", "verify"]
