"""What a verification found, as data; :mod:`izhigen.verification.report` writes its text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import DerivationError
from izhigen.model.model import Declaration
from izhigen.verification.derivation import Check
from izhigen.verification.ladder import Both, Choice, Curve, Point, Subject
from izhigen.verification.rates import Rates
from izhigen.verification.ulp import Error

FASTER = 1.05
"""A choice is cheaper than another when it is by more than this; else the one with the smaller error is taken."""


@dataclass(frozen=True)
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
    checks : tuple of Check
        Of the derivation.
    rates : Rates
    ladder : tuple of float
        The steps in ms, the largest first.
    functions : tuple of izhigen.verification.ulp.Error
    curves : tuple of Both
        Of every choice, in float64 and in float32.
    """

    model: Declaration
    subject: Subject
    tolerance: float
    dtype: str
    checks: tuple[Check, ...]
    rates: Rates
    ladder: tuple[float, ...]
    functions: tuple[Error, ...]
    curves: tuple[Both, ...]

    @property
    def passed(self) -> bool:
        """Whether no check of the derivation failed."""
        return all(check.passed is not False for check in self.checks)

    @property
    def text(self) -> str:
        """All lines."""
        from izhigen.verification import report

        return "\n".join(report.lines(self))

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        failed = sum(check.passed is False for check in self.checks)
        counts = f"{len(self.checks)} checks, {failed} failed, {len(self.curves)} curves"
        return f"<Verification of {self.model.name}: {counts}>"

    def best(self) -> list[tuple[Curve, Point]]:
        """Every choice at the cheapest step that meets the tolerance, the cheapest first."""
        met = [(curve, curve.meeting(self.tolerance)) for curve in (both.of(self.dtype) for both in self.curves)]
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
            "rates": {
                "decay": self.rates.decay,
                "growth": self.rates.growth,
                "slowest": self.rates.slowest,
                "is_stiff": self.rates.is_stiff,
                "own": {k: list(v) for k, v in self.rates.own.items()},
                "linearized": {k: list(v) for k, v in self.rates.linearized.items()},
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
                for both in self.curves
                for c in both
            ],
        }

    def plot(self) -> Any:
        """Error against cost, one line a choice; the figure."""
        from izhigen.verification.picture import draw

        return draw(self)


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


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, (int, float, np.ndarray, list, tuple)) else str(value)


__all__ = ["Pick", "Verification"]
