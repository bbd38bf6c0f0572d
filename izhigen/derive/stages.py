"""What exponential methods of several stages share: how much right-hand sides change on the way to a stage.

A change is written in the displacements of the states wherever it is a polynomial of them, as in
``(x + d)**2 - x**2 = (2*x + d)*d``, so that it keeps the digits that a difference of two large numbers would lose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from izhigen.derive.derivative import derivative
from izhigen.derive.event import Assignment
from izhigen.derive.expansion import MOST_TERMS, expanded_terms
from izhigen.derive.functions import limited, maximum, minimum, where
from izhigen.derive.lowering import DT, SINCE_SPIKE, T, at_start, lower, moments_of, own_functions
from izhigen.derive.system import EquationClass, System
from izhigen.model.events import SPIKE, Trigger

HIGHEST_DEGREE = 3
"""Polynomials of the states of a higher degree are not written in displacements: they have too many terms."""
UNBOUNDED = sp.Integer(10) ** 30
"""Above what a state is at the end of a step."""
GROWING = (EquationClass.QUADRATIC, EquationClass.NONLINEAR)
"""Classes of equations whose states may leave the range of numbers in one step."""


def ceiling(system: System) -> tuple[sp.Symbol, Any] | None:
    """The state x of a threshold such as ``x >= E`` whose spikes set x, where E is free of states, and what other
    states see of it at most: E, or x as it was at the step's start.

    What x would be above that at the end of a step is of no consequence for the others, as the spike sets it. Where it
    need not spike although it is above E, muted or by a further condition, they see all of it. Of several conditions
    that must all hold, the first of that form counts.
    """
    model = system.model
    event = next((event for event in model.events if event.name == SPIKE), None)
    if event is None or model.trigger_of(event) is not Trigger.LEVEL:
        return None
    condition = lower(event.condition, event.where, system.definitions, moments_of(system.states))
    parts = sorted(condition.args, key=sp.default_sort_key) if isinstance(condition, sp.And) else [condition]
    set_by_it = {a.state for a in event.assignments}
    now_at_start = {at_start(state): state for state in system.states}  # the stage's states are those at the start
    for part in parts:
        if isinstance(part, (sp.Ge, sp.Gt, sp.Le, sp.Lt)):
            margin = part.gts - part.lts
            read = [state for state in system.states if state in margin.free_symbols]
            slope = sp.diff(margin, read[0]) if len(read) == 1 and read[0].name in set_by_it else sp.S.Zero
            if slope.is_number and slope.is_positive:
                state, bound = read[0], sp.expand(read[0] - margin / slope).xreplace(now_at_start)
                stays = len(parts) > 1 or (model.refractory is not None and state.name not in model.refractory.states)
                return state, where(sp.Lt(state, bound), bound, UNBOUNDED) if stays else maximum(state, bound)
    return None


@dataclass(frozen=True)
class Stage:
    """A stage of a step: where the states are, as displacements from their values at its start.

    Attributes
    ----------
    system : System
    moves : mapping of Symbol to Expr
        The displacement of every state that has one.
    later : Expr
        By how much time is later.
    """

    system: System
    moves: Mapping[sp.Symbol, Any]
    later: Any = DT

    @cached_property
    def _ceiling(self) -> tuple[sp.Symbol, Any] | None:
        return ceiling(self.system)

    def seen(self, reader: sp.Symbol) -> dict[sp.Symbol, Any]:
        """The displacements as the equation of a state sees them: another state's upstroke ends at the threshold."""
        found, top = dict(self.moves), self._ceiling
        if top is not None and top[0] != reader and top[0] in found:
            found[top[0]] = minimum(found[top[0]], top[1] - top[0])
        return found

    def residual(self, index: int) -> Any:
        """``f(stage) - f(start) - J*displacement`` of a state, with the J of the step's start."""
        equation = self.system.equations[index]
        moves = self.seen(equation.state)
        own = moves.get(equation.state, sp.S.Zero)
        if equation.proved:  # f = A*x + B
            rate = self._change(equation.rate, moves)
            return rate * (equation.state + own) + self._change(equation.remainder, moves)
        plain, rest = self._parts(equation.rhs)
        slope = own_functions(derivative(rest, equation.state))
        change = _in_displacements(plain, moves, equation.state)
        if rest == 0 or not rest.free_symbols & {*moves, T, SINCE_SPIKE}:
            return change
        return change + limited(self._at(rest, moves)) - limited(rest + slope * own)

    def change(self, expression: Any, reader: sp.Symbol) -> Any:
        """How much an expression that the equation of a state reads changes."""
        return self._change(expression, self.seen(reader))

    def _change(self, expression: Any, moves: Mapping[sp.Symbol, Any]) -> Any:
        plain, rest = self._parts(expression)
        change = _in_displacements(plain, moves)
        return change + (self._at(rest, moves) - rest if rest.free_symbols & {*moves, T, SINCE_SPIKE} else 0)

    def _at(self, expression: Any, moves: Mapping[sp.Symbol, Any]) -> Any:
        times = {T: T + self.later, SINCE_SPIKE: SINCE_SPIKE + self.later}
        return _moved(expression, moves, times)

    def _parts(self, expression: Any) -> tuple[Any, Any]:
        """The terms of an expression that are polynomials of low degree in the states, and the others."""
        states = set(self.system.states)
        plain: list[Any] = []
        rest: list[Any] = []
        for term in _terms(expression, states):
            (plain if _is_plain(term, states) else rest).append(term)
        return sp.Add(*plain), sp.Add(*rest)


def _moved(expression: Any, moves: Mapping[sp.Symbol, Any], times: Mapping[sp.Symbol, Any] | None = None) -> Any:
    return expression.xreplace({**{state: state + move for state, move in moves.items()}, **(times or {})})


def _in_displacements(polynomial: Any, moves: Mapping[sp.Symbol, Any], state: sp.Symbol | None = None) -> Any:
    """``p(x + d) - p(x)``, multiplied out; without what is linear in the displacement of a state."""
    distances = {name: sp.Dummy(real=True) for name in moves}
    change = _moved(polynomial, distances) - polynomial
    if state is not None:
        change -= sp.diff(polynomial, state) * distances.get(state, 0)
    change = sp.expand(change, power_base=False, power_exp=False, log=False, func=False, trig=False, basic=False)
    return change.xreplace({distances[name]: move for name, move in moves.items()})


def _terms(expression: Any, states: set[sp.Symbol]) -> list[Any]:
    """The terms of a sum; of a sum with a factor free of states, each times that."""
    if expression.is_Add:
        return [term for part in expression.args for term in _terms(part, states)]
    sums = [a for a in expression.args if a.is_Add] if expression.is_Mul else []
    if len(sums) == 1:
        factor = sp.Mul(*(a for a in expression.args if a is not sums[0]))
        if not factor.free_symbols & states:
            return [factor * term for term in _terms(sums[0], states)]
    return [expression]


def _is_plain(term: Any, states: set[sp.Symbol]) -> bool:
    read = sorted(term.free_symbols & states, key=lambda s: s.name)
    if term.free_symbols & {T, SINCE_SPIKE} or expanded_terms(term) > MOST_TERMS:
        return False
    if not read:
        return True
    return bool(term.is_polynomial(*read)) and sp.Poly(term, *read).total_degree() <= HIGHEST_DEGREE


def named(system: System, name: str, value: Any, assignments: list[Assignment]) -> Any:
    """A value under a name of its own, unless it is a symbol or a number."""
    if value.is_Symbol or value.is_Number:
        return value
    assignments.append(Assignment(system.intermediate(name), value))
    return assignments[-1].symbol
