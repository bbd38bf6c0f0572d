"""Whether what was derived follows from what was declared: at random states, in sixty digits.

The declared side is the text's right-hand side and its numeric derivative (:mod:`izhigen.verification.declared`); the
derived side are the values of the system and of the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import mpmath
import numpy as np

from izhigen.derive.lowering import DT, SINCE_SPIKE, T, symbol
from izhigen.derive.step import Step, derive_step
from izhigen.derive.system import EquationClass, System
from izhigen.errors import IzhigenError
from izhigen.verification.declared import Declared
from izhigen.verification.digits import phi, phi1_matrix, value_of
from izhigen.verification.ladder import Choice, Subject

DIGITS = 60
AGREES = mpmath.mpf(10) ** -25
"""Relative difference that a numeric derivative may leave."""
NOTHING = mpmath.mpf(10) ** -12
"""Values that are this small a part of the largest beside them count as 0: digits of a derivative are lost in them."""
ROUNDING = mpmath.mpf(10) ** (12 - DIGITS)
"""What rounding and the extrapolation leave of a step that is exact, as a part of the states."""
POINTS, ORDER_POINTS, DRAWS = 12, 3, 20
ROWS = 9
"""Of the extrapolation that a single step is compared with: it has twice as many orders."""
SHORT = mpmath.mpf("0.01")
"""Length of that step, times the largest rate."""


@dataclass(frozen=True)
class Check:
    """Something that was checked.

    Attributes
    ----------
    what : str
    passed : bool or None
        None where it could not be checked.
    detail : str
    """

    what: str
    passed: bool | None
    detail: str

    def __str__(self) -> str:
        return f"{'ok  ' if self.passed else 'WRONG' if self.passed is False else '--  '} {self.what}: {self.detail}"


@dataclass(frozen=True)
class Place:
    """A random place: time, states, inputs and time of the last spike, in many digits."""

    t: Any
    y: list[Any]
    x: list[Any]
    last: Any


class Checker:
    """A model's declared text beside its derivation.

    Parameters
    ----------
    subject : Subject
        With its reference solutions, around whose states the places are.
    """

    def __init__(self, subject: Subject) -> None:
        self.model, self.rng = subject.model, np.random.default_rng(1)
        with mpmath.workdps(DIGITS):
            self.declared = Declared(subject.model, subject.values, DIGITS)
        self.system: System = derive_step(subject.model, "euler").system
        with mpmath.workdps(DIGITS):
            self.places = [self._quiet_place(subject) for _ in range(POINTS)]

    def _quiet_place(self, subject: Subject) -> Place:
        """One where no event is due, if there is: steps need not be right behind a threshold."""
        for _ in range(DRAWS):
            place = self._place(subject)
            if not any(self._is_due(event.name, place) for event in self.model.events):
                break
        return place

    def _is_due(self, event: str, place: Place) -> bool:
        try:
            return bool(self.declared.conditions[event](place.t, place.y, place.x, place.last, place.y))
        except (ArithmeticError, ValueError):
            return False

    def _place(self, subject: Subject) -> Place:
        solution = subject.solutions[int(self.rng.integers(len(subject.solutions)))]
        k = int(self.rng.integers(len(solution.times))) if solution.times else 0
        states, inputs = np.array(solution.states), np.array(solution.inputs)

        def near(values: Any) -> list[Any]:
            extent = values.max(axis=0) - values.min(axis=0) + 1e-3 * np.abs(values[k]) + 1e-6
            return [mpmath.mpf(float(v)) for v in values[k] + 0.02 * extent * self.rng.standard_normal(len(extent))]

        t = mpmath.mpf(float(solution.times[k]))
        return Place(
            t, near(states), near(inputs) if inputs.size else [], t - mpmath.mpf(float(self.rng.uniform(1, 30)))
        )

    # -- the declared side ------------------------------------------------------------------------------------------

    def inputs(self, place: Place) -> Any:
        """What inputs mean at a place, with their currents."""
        return self.declared.sums(place.t, place.y, place.x, place.last)

    def slopes(self, place: Place, y: Sequence[Any], t: Any = None) -> list[Any]:
        """The declared right-hand sides for other states; currents that a step holds stay as they are."""
        when = place.t if t is None else t
        if self.declared.holds_currents:
            found: list[Any] = self.declared.slopes(when, y, self.inputs(place), place.last)
            return found
        return self.declared.rhs(when, y, place.x, place.last)

    def derivatives(self, place: Place, column: int) -> list[Any] | None:
        """The numeric derivatives of all right-hand sides by a state; None at a kink."""
        h = mpmath.mpf(10) ** (-DIGITS // 3) * (1 + abs(place.y[column]))

        def at(k: int) -> list[Any]:
            y = list(place.y)
            y[column] += k * h
            return self.slopes(place, y)

        sides = {k: at(k) for k in (-2, -1, 0, 1, 2)}
        rows = list(zip(*(sides[k] for k in (-2, -1, 0, 1, 2))))
        tiny = mpmath.mpf(10) ** -10
        if any(abs((d - c) - (c - b)) > tiny * (abs(d - c) + abs(c - b) + h * tiny) for _, b, c, d, _ in rows):
            return None
        return [(a - 8 * b + 8 * d - e) / (12 * h) for a, b, _, d, e in rows]

    # -- the derived side -------------------------------------------------------------------------------------------

    def values(self, place: Place, dt: Any = None) -> dict[Any, Any]:
        """What symbols of the derivation stand for at a place."""
        found = {T: place.t, DT: dt, SINCE_SPIKE: place.t - place.last}
        found |= dict(zip((symbol(name) for name in self.model.states), place.y))
        found |= dict(zip((symbol(name) for name in self.model.inputs), place.x))
        found |= {symbol(name): mpmath.mpf(value) for name, value in self.declared.parameters.items()}
        for held in self.system.frozen:
            found[held.symbol] = value_of(held.expression, found)
        return found

    def after(self, step: Step, place: Place, dt: Any) -> list[Any]:
        """The states after a derived step, without jumps and events."""
        values = self.values(place, dt)
        for assignment in step.assignments:
            values[assignment.symbol] = value_of(assignment.expression, values)
        known: dict[Any, Any] = {}
        return [y + value_of(increment, values, known) for y, increment in zip(place.y, step.increments)]

    # -- checks -----------------------------------------------------------------------------------------------------

    def checks(self, choices: Sequence[Choice]) -> Iterator[Check]:
        """All of them."""
        with mpmath.workdps(DIGITS):
            yield self._compared("right-hand sides equal the declared text", self._sides)
            yield self._compared("Jacobian equals the numeric derivative of the text", self._jacobian)
            if any(e.proved for e in self.system.equations):
                yield self._compared("A*x + B equals f where the report says proved", self._linear)
            for method in dict.fromkeys(choice.method for choice in choices):
                try:
                    step = derive_step(self.model, method)
                except IzhigenError:  # the model cannot have it, as its kernel says
                    continue
                if step.scheme.name == "exp_euler":
                    yield self._compared("exp_euler is x + dt*phi1(dt*J)*f", partial(self._update, step))
                yield self._order(step)

    def _compared(self, what: str, pairs: Callable[[Place], Iterator[tuple[Any, Any, str]]]) -> Check:
        """Pairs of numbers that should be equal, at every place."""
        worst, where, count = mpmath.mpf(0), "", 0
        try:
            for place in self.places:
                try:
                    found = list(pairs(place))
                except (ZeroDivisionError, ValueError):
                    continue
                scale = max((abs(one) for one, _, _ in found), default=0) or 1
                for one, other, name in found:
                    if not (mpmath.isfinite(one) and mpmath.isfinite(other) and mpmath.im(one) == 0):
                        continue
                    count += 1
                    apart = abs(one - other) / (abs(one) + abs(other) + NOTHING * scale)
                    if apart > worst:
                        worst, where = apart, f" (d{name}/dt)"
        except NotImplementedError as problem:
            return Check(what, None, f"function {problem} has no value in many digits")
        if not count:
            return Check(what, None, "no place where both are finite")
        places = f"{count} values at {len(self.places)} random places"
        return Check(
            what, bool(worst < AGREES), f"largest relative difference {mpmath.nstr(worst, 2)}{where}, {places}"
        )

    def _sides(self, place: Place) -> Iterator[tuple[Any, Any, str]]:
        values, known = self.values(place), dict[Any, Any]()
        for equation, side in zip(self.system.equations, self.slopes(place, place.y)):
            yield value_of(equation.rhs, values, known), side, equation.state.name

    def _jacobian(self, place: Place) -> Iterator[tuple[Any, Any, str]]:
        values, known = self.values(place), dict[Any, Any]()
        for column in range(len(place.y)):
            numeric = self.derivatives(place, column)
            for row, equation in enumerate(self.system.equations if numeric is not None else ()):
                derived = self.system.jacobian[row, column] if row != column else equation.rate
                yield value_of(derived, values, known), (numeric or [])[row], equation.state.name

    def _linear(self, place: Place) -> Iterator[tuple[Any, Any, str]]:
        values, known = self.values(place), dict[Any, Any]()
        for k, (equation, side) in enumerate(zip(self.system.equations, self.slopes(place, place.y))):
            if equation.proved:
                whole = value_of(equation.rate, values, known) * place.y[k]
                yield whole + value_of(equation.remainder, values, known), side, equation.state.name

    def _update(self, step: Step, place: Place) -> Iterator[tuple[Any, Any, str]]:
        """The formula of exponential Euler from numeric derivatives."""
        dt = mpmath.mpf(1) / 8
        numeric = [self.derivatives(place, column) for column in range(len(place.y))]
        if any(column is None for column in numeric):
            return
        slopes, after = self.slopes(place, place.y), self.after(step, place, dt)
        in_block = {k: block for block in self.system.blocks for k in block}
        for k, equation in enumerate(self.system.equations):
            block = in_block.get(k, (k,))
            matrix = mpmath.matrix([[(numeric[c] or [])[r] * dt for c in block] for r in block])
            if len(block) == 1:
                rate = 0 if equation.kind is EquationClass.CONSTANT else matrix[0, 0]
                change = phi(1, mpmath.mpf(rate)) * slopes[k]
            else:
                gains = phi1_matrix(matrix)
                change = sum(gains[block.index(k), c] * slopes[other] for c, other in enumerate(block))
            yield after[k] - place.y[k], dt * change, equation.state.name

    def _order(self, step: Step) -> Check:
        """One step beside the solution over it, and a step of half the length."""
        wanted = min(step.scheme.order, 1) if self.declared.holds_currents else step.scheme.order
        what = f"one step of {step.method} is " + (f"right up to order {wanted}" if wanted < math.inf else "exact")
        found: list[float] = []
        try:
            for place in self.places:
                if len(found) < ORDER_POINTS and (order := self._local_order(step, place)) is not None:
                    found.append(order)
        except NotImplementedError as problem:
            return Check(what, None, f"function {problem} has no value in many digits")
        if not found:
            return Check(what, None, "no place where it can be told")
        order = min(found)
        detail = "only rounding is left" if order == math.inf else f"its error falls with dt**{order + 1:.2f}"
        return Check(what, order >= wanted - 0.2, detail)

    def _local_order(self, step: Step, place: Place) -> float | None:
        rates = [self.derivatives(place, column) for column in range(len(place.y))]
        if any(column is None for column in rates):
            return None
        fastest = max((abs(rate) for column in rates for rate in column or []), default=mpmath.mpf(0))
        h = SHORT / (1 + fastest)
        errors = []
        for length in (h, h / 2):
            exact = self._exact(place, length)
            apart = [abs(a - b) for a, b in zip(self.after(step, place, length), exact)]
            errors.append(max(apart))
        if errors[1] <= ROUNDING * (1 + max(map(abs, place.y))):
            return math.inf
        return float(mpmath.log(errors[0] / errors[1], 2)) - 1

    def _exact(self, place: Place, length: Any) -> list[Any]:
        """The states a short time later, by extrapolation of Gragg's midpoint rule (Hairer et al. 1993, II.9)."""
        table: list[list[list[Any]]] = []
        counts = [2 * (k + 1) for k in range(ROWS)]
        for k, count in enumerate(counts):
            row = [self._midpoint(place, length, count)]
            for j in range(1, k + 1):
                ratio = (mpmath.mpf(counts[k]) / counts[k - j]) ** 2 - 1
                row.append([a + (a - b) / ratio for a, b in zip(row[j - 1], table[k - 1][j - 1])])
            table.append(row)
        return table[-1][-1]

    def _midpoint(self, place: Place, length: Any, count: int) -> list[Any]:
        h = length / count

        def slope(k: int, y: list[Any]) -> list[Any]:
            moment = Place(place.t, place.y, place.x, place.last)
            return self.slopes(moment, y, place.t + k * h)

        before, now = place.y, [a + h * b for a, b in zip(place.y, slope(0, place.y))]
        for k in range(1, count):
            before, now = now, [a + 2 * h * b for a, b in zip(before, slope(k, now))]
        return [(a + b + h * c) / 2 for a, b, c in zip(before, now, slope(count, now))]
