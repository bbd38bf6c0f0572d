"""How fast a model is over the states that it reaches: rates, stiffness, where linear parts vanish, and up to which
step a linearization describes a step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

from izhigen.derive.lowering import symbol
from izhigen.derive.step import derive_step
from izhigen.derive.system import StateEquation
from izhigen.verification.declared import Declared
from izhigen.verification.digits import value_of
from izhigen.verification.ladder import Subject

Array = Any
MOST_PLACES = 400
"""Places of the reference solutions that are looked at."""
STIFF = 100.0
"""Decay this many times as fast as the slowest rate is called stiff."""
NOISE = 1e-7
"""Relative change of a numeric derivative that counts as none."""
LOOKED = 2001
"""Values of a state at which a linear part is looked at for a change of its sign."""


@dataclass(frozen=True)
class Rates:
    """Rates over the reached states, in 1/ms.

    Attributes
    ----------
    decay, growth : float
        The fastest ones.
    slowest : float
        The smallest magnitude of a rate, at the median place; NaN where all are 0.
    own : dict of str to (float, float)
        Least and largest own rate J = df/dx of every state.
    linearized : dict of str to (float, float)
        Of states whose J changes: the step in ms from which it does by more than 1/dt within a step somewhere, and the
        state's value there.
    zeros : tuple of str
        Where own rates vanish.
    """

    decay: float
    growth: float
    slowest: float
    own: dict[str, tuple[float, float]]
    linearized: dict[str, tuple[float, float]]
    zeros: tuple[str, ...]

    @property
    def is_stiff(self) -> bool:
        """Whether the fastest decay is much faster than the slowest rate."""
        return self.decay > STIFF * self.slowest

    def lines(self) -> Iterator[str]:
        """What to know, for people."""
        yield (
            f"rates over the reached states: fastest decay {self.decay:.3g}/ms, fastest growth {self.growth:.3g}/ms, "
            f"slowest {self.slowest:.3g}/ms; "
            + ("stiff" if self.is_stiff else "not stiff")
            + (f", explicit methods need dt < {2 / self.decay:.3g} ms" if self.decay > 0 else "")
        )
        yield "largest dt at which an update means something over these states, J being the slope of f in the state"
        for name, (low, high) in self.own.items():
            spans = " to ".join(dict.fromkeys((f"{low:.3g}", f"{high:.3g}")))
            bent, explicit = "any, as J stays the same", "any, as it does not decay"
            if name in self.linearized:
                dt, place = self.linearized[name]
                bent = f"{dt:.3g} ms, then J changes by more than 1/dt within a step (first at {name} = {place:.4g})"
            if low < 0:
                explicit = f"{-2 / low:.3g} ms, then |dt*J| > 2"
            yield f"  {name} (J {spans} /ms): exponential methods {bent}; explicit ones {explicit}"
        yield from self.zeros


def rates_of(subject: Subject) -> Rates:
    """Look at the states that the reference solutions reached."""
    declared = Declared(subject.model, subject.values)
    system = derive_step(subject.model, "euler").system
    places = list(_places(subject))
    jacobians = np.array([_jacobian(declared, *place) for place in places])
    good: Array = np.isfinite(jacobians).all(axis=(1, 2))
    jacobians, places = jacobians[good], [place for place, is_good in zip(places, good) if is_good]
    if not len(places):
        return Rates(math.nan, math.nan, math.nan, {}, {}, ())
    found = np.linalg.eigvals(jacobians)
    sizes = np.abs(found)
    slowest = np.nanmedian(np.where(sizes > 1e-12, sizes, np.nan).min(axis=1)) if (sizes > 1e-12).any() else math.nan
    own = {
        name: (float(np.round(jacobians[:, k, k].min(), 9)), float(np.round(jacobians[:, k, k].max(), 9)))
        for k, name in enumerate(subject.model.states)
    }
    linearized = {}
    for k, name in enumerate(subject.model.states):
        if (limit := _linearized(declared, places, jacobians, k)) is not None:
            linearized[name] = limit
    zeros = tuple(line for e in system.equations for line in _zeros(subject, e, jacobians, places))
    real = found.real
    return Rates(max(0.0, float(-real.min())), max(0.0, float(real.max())), float(slowest), own, linearized, zeros)


def _places(subject: Subject) -> Iterator[tuple[float, Array, list[float]]]:
    """Times, states and inputs, evenly chosen of the ends of the reference's steps."""
    for solution in subject.solutions:
        count = max(1, MOST_PLACES // len(subject.solutions))
        for k in np.unique(np.linspace(0, len(solution.times) - 1, count).astype(int)):
            yield solution.times[k], solution.states[k], list(solution.inputs[k])


def _slopes(declared: Declared, t: float, y: Array, x: list[float]) -> Array:
    try:
        return np.array(declared.rhs(t, y.tolist(), x, t - 1.0), float)
    except (ArithmeticError, ValueError):
        return np.full(len(y), np.nan)


def _jacobian(declared: Declared, t: float, y: Array, x: list[float]) -> Array:
    """By central differences."""
    columns = []
    for k in range(len(y)):
        h = 1e-6 * (1 + abs(y[k]))
        ends = [y + h * sign * (np.arange(len(y)) == k) for sign in (-1, 1)]
        low, high = (_slopes(declared, t, end, x) for end in ends)
        columns.append((high - low) / (2 * h))
    return np.array(columns).T


def _linearized(declared: Declared, places: list[Any], jacobians: Array, k: int) -> tuple[float, float] | None:
    """The smallest step for which dt*|J(x + dt*f) - J(x)| is above 1 somewhere, by the slope of J, and where."""
    fastest, place = 0.0, 0.0
    for (t, y, x), jacobian in zip(places, jacobians):
        slopes = _slopes(declared, t, y, x)
        h = 1e-3 / max(1e-300, float((np.abs(slopes) / (1 + np.abs(y))).max()))
        change = abs(_jacobian(declared, t, y + h * slopes, x)[k, k] - jacobian[k, k])
        if change > NOISE * (1 + abs(jacobian[k, k])) and change / h > fastest:
            fastest, place = change / h, float(y[k])
    return (1 / math.sqrt(fastest), place) if fastest > 0 else None


def _zeros(subject: Subject, equation: StateEquation, jacobians: Array, places: list[Any]) -> Iterator[str]:
    """Where the linear part of an equation vanishes."""
    model, name = subject.model, equation.state.name
    read = {s.name for s in equation.rate.free_symbols}
    states = [state for state in model.states if state in read]
    if not states:
        return
    if len(states) == 1 and read <= {*states, *model.parameters}:
        k = model.states.index(states[0])
        reached = np.array([y[k] for _, y, _ in places])
        roots = list(_roots(subject, equation, states[0], float(reached.min()), float(reached.max())))
        if roots:
            yield f"J of {name} vanishes at {states[0]} = " + ", ".join(f"{root:.6g}" for root in roots)
        return
    k = model.states.index(name)
    own = jacobians[:, k, k]
    if own.min() < 0 < own.max():
        names = ", ".join(sorted(read & {*model.states, *model.inputs}))
        yield f"J of {name} changes its sign among the reached states (it reads {names})"


def _roots(subject: Subject, equation: StateEquation, state: str, low: float, high: float) -> Iterator[float]:
    """Zeros of a linear part that reads one state, within what was reached."""
    given = {**subject.model.parameters, **subject.values}
    values = {symbol(name): mpmath.mpf(given[name]) for name in subject.model.parameters}

    def rate(x: float) -> float:
        try:
            return float(value_of(equation.rate, {**values, symbol(state): mpmath.mpf(x)}))
        except (ArithmeticError, ValueError, TypeError, NotImplementedError):
            return math.nan

    looked = np.linspace(low, high, LOOKED if equation.rate.is_polynomial() else LOOKED // 10)
    found = [rate(x) for x in looked]
    for a, b, x, y in zip(found, found[1:], looked, looked[1:]):
        if a * b > 0 or math.isnan(a * b) or b == 0:
            continue
        for _ in range(60):
            middle = (x + y) / 2
            x, y = (middle, y) if rate(middle) * a > 0 else (x, middle)
        yield float(y)
