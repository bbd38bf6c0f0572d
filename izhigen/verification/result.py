"""What a verification found: as data, text and a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from izhigen.errors import DerivationError
from izhigen.model.model import Declaration
from izhigen.verification.derivation import Check
from izhigen.verification.ladder import NO_TIME, Choice, Curve, Point, Subject
from izhigen.verification.rates import Rates
from izhigen.verification.reference import TOLERANCE

FASTER = 1.05
"""A choice is cheaper than another when it is by more than this; else the one with the smaller error is taken."""


@dataclass
class Verification:
    """What :func:`izhigen.verify` found; ``print`` it, or look at :attr:`data` and :meth:`plot`.

    Attributes
    ----------
    model : Declaration
        As it was given.
    subject : Subject
        What was looked at, with its reference solutions.
    tolerance : float
        ms, or a part of the range of a state where there are no events.
    dtype : str
        Number type of what was timed.
    checks : list of Check
        Of the derivation.
    rates : Rates or None
    ladder : tuple of float
        The steps in ms, the largest first.
    functions : list of izhigen.verification.ulp.Error
    curves : list of (Curve, Curve)
        Of every choice, in float64 and in float32.
    """

    model: Declaration
    subject: Subject
    tolerance: float
    dtype: str
    echo: Callable[[str], None]
    checks: list[Check] = field(default_factory=list)
    rates: Rates | None = None
    ladder: tuple[float, ...] = ()
    functions: list[Any] = field(default_factory=list)
    curves: list[tuple[Curve, Curve]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    # -- what is known ----------------------------------------------------------------------------------------------

    @property
    def passed(self) -> bool:
        """Whether no check of the derivation failed."""
        return all(check.passed is not False for check in self.checks)

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        failed = sum(check.passed is False for check in self.checks)
        counts = f"{len(self.checks)} checks, {failed} failed, {len(self.curves)} curves"
        return f"<Verification of {self.model.name}: {counts}>"

    def timed(self, pair: tuple[Curve, Curve]) -> Curve:
        """The curve of the number type that was timed."""
        return pair[self.dtype == "float32"]

    def best(self) -> list[tuple[Curve, Point]]:
        """Every choice at the cheapest step that meets the tolerance, the cheapest first."""
        met = [(curve, curve.meeting(self.tolerance)) for curve in map(self.timed, self.curves)]
        found = [(curve, min(points, key=_cost)) for curve, points in met if points]
        return sorted(found, key=lambda pair: (_cost(pair[1]), str(pair[0].choice)))

    @property
    def data(self) -> dict[str, Any]:
        """All of it as numbers, text, lists and dictionaries, for JSON."""
        solutions = self.subject.solutions
        return {
            "model": self.model.name,
            "duration": self.subject.duration,
            "inputs": {name: _plain(value) for name, value in self.subject.feeds.items()},
            "values": dict(self.subject.values),
            "backend": self.subject.backend,
            "tolerance": self.tolerance,
            "events": {n: [[float(t) for t in s.events[n]] for s in solutions] for n in self.subject.events},
            "checks": [{"what": c.what, "passed": c.passed, "detail": c.detail} for c in self.checks],
            "rates": None
            if self.rates is None
            else {
                "decay": self.rates.decay,
                "growth": self.rates.growth,
                "slowest": self.rates.slowest,
                "is_stiff": self.rates.is_stiff,
                "own": {k: list(v) for k, v in self.rates.own.items()},
            },
            "functions": [vars(error) for error in self.functions],
            "curves": [
                {
                    "method": c.choice.method,
                    "spike_timing": c.choice.timing,
                    "dtype": c.dtype,
                    "order": _number(c.order),
                    "problem": c.problem,
                    "points": [{k: _number(v) for k, v in vars(p).items()} for p in c.points],
                }
                for pair in self.curves
                for c in pair
            ],
        }

    def plot(self) -> Any:
        """Error against cost, one line a choice; the figure."""
        from izhigen.verification.picture import draw

        return draw(self)

    # -- as it becomes known ----------------------------------------------------------------------------------------

    def show(self, line: str = "") -> None:
        """Another line of the text."""
        self.lines.append(line)
        self.echo(line)

    def show_head(self) -> None:
        """What is looked at."""
        subject, model = self.subject, self.model
        self.show(f"{model.name}, {subject.duration:g} ms, backend {subject.backend}")
        if model.noise:
            self.show("noise is left out: what follows is about the drift")
        for name, value in subject.feeds.items():
            self.show(f"input {name} = {_shown(value)}")
        for name in subject.events:
            counts = ", ".join(str(len(solution.events[name])) for solution in subject.solutions)
            self.show(f"reference (DOP853, relative tolerance {TOLERANCE:g}): {name}s {counts}")
        if not subject.events:
            self.show(f"reference (DOP853, relative tolerance {TOLERANCE:g}): no events, so trajectories are compared")

    def add_checks(self, checks: Iterable[Check]) -> None:
        """Checks of the derivation."""
        self.show()
        self.show("derivation against the declared text, in 60 digits")
        for check in checks:
            self.checks.append(check)
            self.show(f"  {check}")

    def add_rates(self, rates: Rates, ladder: Sequence[float]) -> None:
        """Rates over the reached states."""
        self.rates, self.ladder = rates, tuple(ladder)
        self.show()
        for line in rates.lines(ladder):
            self.show(line)

    def add_functions(self, functions: Iterable[Any]) -> None:
        """Errors of elementary functions."""
        self.functions = list(functions)
        if self.functions:
            found = ", ".join(f"{error.function} {error.ulp:.2f}" for error in self.functions)
            self.show(f"largest error of the kernel's functions in units in the last place ({self.dtype}): {found}")

    def add_curves(self, double: Curve, single: Curve) -> None:
        """A choice over the ladder, in both number types."""
        if not self.curves:
            self._show_columns()
        said = any(pair[0].choice.method == double.choice.method and pair[0].problem for pair in self.curves)
        self.curves.append((double, single))
        if double.problem and said:
            return
        for line in self._curve_lines(double, single):
            self.show(line)

    def _show_columns(self) -> None:
        self.show()
        what = (
            "error of spike times in ms" if self.subject.events else "error of states, as a part of the range of each"
        )
        if self.subject.events:
            what += "; +2: two spikes too many or too few"
        self.show(f"{what}; cost in ns a neuron and simulated ms ({self.dtype})")
        steps = "".join(f"{f'dt {dt:g}':>11}" for dt in self.ladder)
        self.show(f"{'':<30}{'order':>6}  {'':<8}{steps}")

    def _curve_lines(self, double: Curve, single: Curve) -> Iterator[str]:
        name = str(double.choice)
        if double.problem or single.problem:
            yield f"{double.choice.method:<30}{'':>6}  {double.problem or single.problem}"
            return
        order = "" if math.isnan(double.order) else f"{double.order:.2f}"

        def row(head: str, order: str, what: str, cells: Iterable[str]) -> str:
            return f"{head:<30}{order:>6}  {what:<8}{''.join(f'{cell:>11}' for cell in cells)}".rstrip()

        yield row(name, order, "mean", (_error(p, p.mean) for p in double.points))
        yield row("", "", "largest", ("" if p.problem else _error(p, p.largest, False) for p in double.points))
        yield row("", "", "float32", (_error(p, p.mean) for p in single.points))
        cost = self.timed((double, single)).points
        yield row("", "", "cost", ("" if math.isnan(p.cost) else f"{p.cost:.3g}" for p in cost))

    def show_summary(self) -> None:
        """The cheapest choices that meet the tolerance, and problems."""
        self.show()
        unit = " ms" if self.subject.events else " of the range"
        self.show(
            f"cheapest step with a mean error of at most {self.tolerance:g}{unit}"
            + (" and no wrong count" if self.subject.events else "")
            + f" ({self.dtype}), and the largest such step"
        )
        for curve, point in self.best():
            largest = curve.meeting(self.tolerance)[0].dt
            self.show(
                f"  {curve.choice!s:<28} dt {point.dt:<6g} error {point.mean:<8.2g} "
                f"{point.cost:<6.3g} ns a neuron and ms; up to dt {largest:g}"
            )
        met = {curve.choice for curve, _ in self.best()}
        missed = [str(double.choice) for double, _ in self.curves if double.choice not in met and not double.problem]
        if missed:
            self.show(f"  not met by {'; '.join(missed)}")
        if any(p.problem == NO_TIME for pair in self.curves for curve in pair for p in curve.points):
            self.show("  some steps are left out, as the time was over; --seconds gives more")


@dataclass(frozen=True)
class Pick:
    """What a run is made with.

    Attributes
    ----------
    choice : Choice
    point : Point
    reason : str
        One line.
    """

    choice: Choice
    point: Point
    reason: str

    @classmethod
    def of(
        cls, curves: Sequence[tuple[Curve, Sequence[Point]]], tolerance: float, duration: float, subject: Subject
    ) -> Pick:
        """The cheapest of the points that meet a tolerance.

        Raises
        ------
        DerivationError
            Where there is none; says which was nearest.
        """
        what = "mean spike-time error" if subject.events else "mean error of the states"
        unit = " ms" if subject.events else " of their range"
        if subject.events and not any(times for s in subject.solutions for times in s.events.values()):
            raise DerivationError(
                f"nothing happens in {duration:g} ms with this input, so no step is better than another; "
                "take an input that makes the neuron spike, or give --dt and --method"
            )
        met = [(curve, point) for curve, points in curves for point in points]
        if not met:
            rest = [(p, c) for c, _ in curves for p in c.points if not p.problem and not math.isnan(p.mean)]
            near = min(rest, key=lambda pair: (pair[0].wrong, pair[0].mean), default=None)
            raise DerivationError(
                f"no method meets a {what} of {tolerance:g}{unit} without wrong counts in {duration:g} ms"
                + (
                    ""
                    if near is None
                    else f"; nearest was {near[1].choice} at dt {near[0].dt:g} ms with "
                    f"{near[0].mean:.2g}{unit} and {near[0].wrong} wrong; take a larger tolerance or a shorter run"
                )
            )
        cheapest, count = min(point.cost for _, point in met), len({curve.choice for curve, _ in met})
        curve, point = min((pair for pair in met if pair[1].cost <= FASTER * cheapest), key=lambda pair: pair[1].mean)
        size = f"{what} {point.mean:.2g}{unit}"
        reason = (
            f"{curve.choice.method}, spike timing {curve.choice.timing}, dt {point.dt:g} ms: {size} against the "
            f"reference over {duration:g} ms (asked: {tolerance:g}), {point.cost:.3g} ns a neuron and ms, "
            f"the cheapest of {count} that meet it"
        )
        return cls(curve.choice, point, reason)


def _cost(point: Point) -> float:
    return math.inf if math.isnan(point.cost) else point.cost


def _error(point: Point, value: float, with_count: bool = True) -> str:
    """A cell of the table."""
    if point.problem:
        return "left out" if point.problem == NO_TIME else "not finite"
    wrong = f" +{point.wrong}" if with_count and point.wrong else ""
    return ("none" if math.isnan(value) else f"{value:.1e}" if value < 1e-3 else f"{value:.3g}") + wrong


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, (int, float, np.ndarray, list, tuple)) else str(value)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if hasattr(value, "parts"):
        return str(value.name)
    return ", ".join(f"{number:g}" for number in np.ravel(value))


__all__ = ["Pick", "Verification"]
