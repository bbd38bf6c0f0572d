"""The text of a verification, part by part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from izhigen.model.model import Declaration
from izhigen.verification.derivation import Check
from izhigen.verification.ladder import NO_TIME, Both, Point, Subject
from izhigen.verification.rates import Rates
from izhigen.verification.reference import TOLERANCE
from izhigen.verification.ulp import Error

Lines = Iterator[str]
Result = Any
"""A :class:`~izhigen.verification.result.Verification`."""


def lines(result: Result) -> Lines:
    """All of it."""
    return chain(
        head(result.model, result.subject),
        derivation(result.checks),
        figures(result.rates, result.functions),
        comparison(result),
    )


def head(model: Declaration, subject: Subject) -> Lines:
    """What is looked at."""
    yield f"{model.name}, {subject.duration:g} ms, backend {subject.backend}"
    if model.noise:
        yield "noise is left out: what follows is about the drift"
    for name, value in subject.feeds.items():
        yield f"input {name} = {_shown(value)}"
    about = f"reference (DOP853, relative tolerance {TOLERANCE:g}): "
    for name in subject.events:
        yield about + f"{name}s " + ", ".join(str(len(solution.events[name])) for solution in subject.solutions)
    if not subject.events:
        yield about + "no events, so trajectories are compared"


def derivation(checks: Iterable[Check]) -> Lines:
    """Checks of the derivation."""
    yield from ("", "derivation against the declared text, in 60 digits")
    for check in checks:
        yield f"  {check}"


def figures(rates: Rates, functions: Sequence[Error]) -> Lines:
    """Rates over the reached states, and errors of elementary functions."""
    yield ""
    yield from rates.lines()
    if functions:
        found = ", ".join(f"{error.function} {error.ulp:.2f}" for error in functions)
        yield f"largest error of the kernel's functions in units in the last place ({functions[0].dtype}): {found}"


def comparison(result: Result) -> Lines:
    """The choices over the ladder, the cheapest that meet the tolerance, and what came of the others."""
    yield ""
    has_events = bool(result.subject.events)
    what = "error of spike times in ms" if has_events else "error of states, as a part of the range of each"
    if has_events:
        what += "; +2: two spikes too many or too few"
    yield f"{what}; float32: where it is another; cost in ns a neuron and simulated ms ({result.dtype})"
    yield f"{'':<30}{'order':>6}  {'':<8}" + "".join(f"{f'dt {dt:g}':>11}" for dt in result.ladder)
    for both in result.curves:
        if both.float64.looked_at:
            yield from _rows(both, result.dtype)
    yield ""
    yield from _cheapest(result, has_events)
    yield from _others(result)


def _rows(both: Both, dtype: str) -> Lines:
    def row(head: str, order: str, what: str, cells: Iterable[str]) -> str:
        return f"{head:<30}{order:>6}  {what:<8}{''.join(f'{cell:>11}' for cell in cells)}".rstrip()

    double = both.float64
    order = "" if math.isnan(double.order) else f"{double.order:.2f}"
    means, others = ([_error(p, p.mean) for p in curve.points] for curve in both)
    yield row(str(double.choice), order, "mean", means)
    yield row("", "", "largest", ("" if p.problem else _error(p, p.largest, False) for p in double.points))
    if others != means:
        yield row("", "", "float32", others)
    yield row("", "", "cost", ("" if math.isnan(p.cost) else f"{p.cost:.3g}" for p in both.of(dtype).points))


def _cheapest(result: Result, has_events: bool) -> Lines:
    yield (
        f"cheapest step with a mean error of at most {result.tolerance:g}{' ms' if has_events else ' of the range'}"
        + (" and no wrong count" if has_events else "")
        + f" ({result.dtype}), and the largest such step"
    )
    for curve, point in result.best():
        largest = curve.meeting(result.tolerance)[0].dt
        yield (
            f"  {curve.choice!s:<28} dt {point.dt:<6g} error {point.mean:<8.2g} "
            f"{point.cost:<6.3g} ns a neuron and ms; up to dt {largest:g}"
        )


def _others(result: Result) -> Lines:
    """Three different things: what does not meet the tolerance, what the model cannot have, and what was left out."""
    met = {curve.choice for curve, _ in result.best()}
    curves = [both.of(result.dtype) for both in result.curves]
    missed = [str(curve.choice) for curve in curves if curve.choice not in met and curve.looked_at]
    if missed:
        yield f"  not met by {'; '.join(missed)}"
    for method, problem in {both.float64.choice.method: both.problem for both in result.curves if both.problem}.items():
        yield f"  cannot have {method}: {problem}"
    first = {c.choice: p.dt for c in curves for p in reversed(c.points) if p.problem == NO_TIME}
    if first:
        found = "; ".join(f"{choice} from dt {dt:g} on" for choice, dt in first.items())
        yield f"  left out, as the time was over (--seconds gives more): {found}"


def _error(point: Point, value: float, with_count: bool = True) -> str:
    """A cell of the table."""
    if point.problem:
        return "left out" if point.problem == NO_TIME else "not finite"
    wrong = f" +{point.wrong}" if with_count and point.wrong else ""
    return ("none" if math.isnan(value) else f"{value:.1e}" if value < 1e-3 else f"{value:.3g}") + wrong


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if hasattr(value, "parts"):
        return str(value.name)
    return ", ".join(f"{number:g}" for number in np.ravel(value))
