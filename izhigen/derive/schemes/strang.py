r"""Symmetric splitting (Strang 1968, SIAM J. Numer. Anal. 5:506) into the flows of the states' own equations.

.. math:: x' = \Phi_1^{\Delta t/2} \circ \dots \circ \Phi_m^{\Delta t} \circ \dots \circ \Phi_1^{\Delta t/2}\,(x),

where :math:`\Phi_k` moves one state (or the states of a linear block), the others and time (at the step's middle)
frozen. It is exact for a linear equation, :math:`\tau\,\varphi_1(\tau A)\,f`, and for a quadratic one: with q = f''/2,

.. math:: \tau f\,\frac{S}{C - j S}, \quad j = \tau J/2, \quad x = j^2 - \tau^2 q f, \quad
          C = \cosh\sqrt x, \quad S = \sinh\sqrt x/\sqrt x,

the solution of the Riccati equation with constant coefficients. Behind its pole (C - j S <= 0, or x < -pi^2) the state
is a large number of the sign of f. Exact as well is the flow of an equation of Bernoulli, x' = A x + B x^n,

.. math:: x\,e^{\tau A}/D^{1/(n-1)}, \quad D = 1 - (n-1)\,\tau B\,\varphi_1((n-1)\,\tau A)\,x^{n-1},

by logarithms, without the growth of D for A > 0; behind the pole (D <= 0) x is large. Any other equation takes
exponential Euler's step, which is of order 2 for it alone. So the order is 2. States whose flows are dearest, and that
do not read each other, stand in the middle and move once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.expansion import bounded_expand, tree_size
from izhigen.derive.exponential import noise_by_rates, scaled_rate
from izhigen.derive.functions import (
    absolute,
    capped,
    cosh_sqrt,
    expm1,
    limited,
    log1p,
    maximum,
    minimum,
    phi1,
    phi1_block,
    signum,
    sinhc_sqrt,
    where,
)
from izhigen.derive.lowering import DT, SINCE_SPIKE, T
from izhigen.derive.scheme import Scheme
from izhigen.derive.stages import GROWING, ceiling, named
from izhigen.derive.system import EquationClass, StateEquation, System

Unit = tuple[int, ...]
AT_POLE = sp.Rational(1, 10**15)
"""What C - j S counts as, where it is less."""
BEHIND_POLE = sp.Integer(10) ** 30
"""How far behind the pole of an equation of Bernoulli the state moves, before the cap."""


class _Splitting:
    """Writes the flows down one after the other; alive while a step is derived."""

    def __init__(self, system: System) -> None:
        self.system, self.top = system, ceiling(system)
        self.assignments: list[Assignment] = []
        self.increments = [sp.S.Zero] * len(system.states)
        self.present: dict[sp.Symbol, Any] = {}

    def flow(self, unit: Unit, tau: Any, part: str) -> None:
        """Move the states of a unit for a time tau."""
        readers = {self.system.states[k] for k in unit}
        seen = {T: T + DT / 2, SINCE_SPIKE: SINCE_SPIKE + DT / 2, **self.present}
        if self.top is not None and self.top[0] not in readers and self.top[0] in seen:
            seen[self.top[0]] = minimum(seen[self.top[0]], self.top[1])
        moves = self._block(unit, tau, seen, part) if len(unit) > 1 else [self._single(unit[0], tau, seen, part)]
        for index, move in zip(unit, moves):
            state = self.system.states[index]
            before = self.increments[index]
            name = f"move_{state.name}" if before == 0 else f"move_{state.name}{part}"
            self.increments[index] = before + self._named(name, move)
            self.present[state] = state + self.increments[index]

    def _named(self, name: str, value: Any) -> Any:
        return named(self.system, name, value, self.assignments)

    def _single(self, index: int, tau: Any, seen: dict[sp.Symbol, Any], part: str) -> Any:
        equation = self.system.equations[index]
        name = equation.state.name + part
        if equation.kind is EquationClass.QUADRATIC and not _is_long(equation.rhs):
            return self._quadratic(index, tau, seen, name)
        if (parts := bernoulli(equation)) is not None:
            linear, factor, power = (value.xreplace(seen) for value in parts)
            return self._bernoulli(equation.state.xreplace(seen), linear, factor, power, tau, name)
        slope, rate = equation.rhs.xreplace(seen), scaled_rate(equation.rate, tau).xreplace(seen)
        if equation.kind in (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE):
            return tau * phi1(rate) * slope
        slope, rate = self._named(f"slope_{name}", slope), self._named(f"rate_{name}", rate)
        move = tau * phi1(rate) * slope
        return capped(move) if equation.kind in GROWING else move

    def _quadratic(self, index: int, tau: Any, seen: dict[sp.Symbol, Any], name: str) -> Any:
        """The exact flow of x' = q x^2 + p x + r; its discriminant is free of x."""
        equation = self.system.equations[index]
        at_zero = {equation.state: sp.S.Zero}
        curvature = sp.diff(equation.rate, equation.state) / 2
        discriminant = equation.rate.xreplace(at_zero) ** 2 / 4 - curvature * equation.rhs.xreplace(at_zero)
        x = self._named(f"x_{name}", (tau**2 * bounded_expand(discriminant)).xreplace(seen))
        half = scaled_rate(equation.rate, tau / 2).xreplace(seen)
        slope = self._named(f"slope_{name}", equation.rhs.xreplace(seen))
        inside = sp.Gt(x, -(sp.pi**2))
        sine = self._named(f"sine_{name}", sinhc_sqrt(x))
        below = maximum(cosh_sqrt(x) - half * sine, AT_POLE)
        return capped(tau * slope * where(inside, sine, 1) / where(inside, below, AT_POLE))

    def _bernoulli(self, x: Any, rate: Any, factor: Any, power: Any, tau: Any, name: str) -> Any:
        """The exact flow of x' = A x + B x^n, with D or, for A > 0, D exp(-z) where z = (n - 1) tau A."""
        x, z = self._named(f"x_{name}", x), self._named(f"z_{name}", scaled_rate(rate, (power - 1) * tau))
        factor = factor if factor.is_Number else capped(factor)
        gain = (power - 1) * tau * phi1(-absolute(z)) * factor * limited(x ** (power - 1))
        gain, fall = self._named(f"gain_{name}", gain), self._named(f"fall_{name}", minimum(-z, 0))
        below = self._named(f"below_{name}", sp.exp(fall) - gain)
        inside, near = sp.Gt(below, 0), sp.Gt(below, sp.Rational(1, 2))
        logarithm = where(near, log1p(where(near, expm1(fall) - gain, 0)), sp.log(where(inside, below, 1)))
        growth = (minimum(z, 0) - logarithm) / (power - 1)
        return capped(where(inside, x * expm1(growth), BEHIND_POLE * signum(x)))

    def _block(self, unit: Unit, tau: Any, seen: dict[sp.Symbol, Any], part: str) -> list[Any]:
        states = [self.system.states[k] for k in unit]
        matrix = [scaled_rate(self.system.jacobian[r, c], tau) for r in unit for c in unit]
        slopes = [
            self._named(f"slope_{state.name}{part}", self.system.equations[k].rhs.xreplace(seen))
            for state, k in zip(states, unit)
        ]
        return [
            sp.Add(*(tau * phi1_block(row, column, *matrix) * slope for column, slope in enumerate(slopes)))
            for row in range(len(unit))
        ]


def bernoulli(equation: StateEquation) -> tuple[Any, Any, Any] | None:
    """A, B and the integer n > 2 of an equation x' = A x + B x^n with A and B free of x; None for any other."""
    if equation.kind is not EquationClass.NONLINEAR or _is_long(equation.rhs):
        return None
    factors: dict[Any, Any] = {}
    for term in sp.Add.make_args(bounded_expand(equation.rhs)):
        factor, rest = term.as_independent(equation.state, as_Add=False)
        power = rest.as_base_exp()[1] if rest.as_base_exp()[0] == equation.state else sp.S.Zero
        factors[power] = factors.get(power, 0) + factor
    rate = factors.pop(sp.S.One, sp.S.Zero)
    if len(factors) != 1:
        return None
    ((power, factor),) = factors.items()
    return (rate, factor, power) if power.is_Integer and power > 2 else None


def _is_long(rhs: Any) -> bool:
    return tree_size(rhs) > MOST_PARTS


MOST_PARTS = 300
"""Right-hand sides of more parts are not multiplied out for the flow of a quadratic."""


def _units(system: System) -> tuple[list[Unit], list[Unit]]:
    """The units that move twice, and those in the middle: the dearest ones of which none reads another."""
    in_block = {index for block in system.blocks for index in block}
    units = [*system.blocks, *((index,) for index in range(len(system.states)) if index not in in_block)]
    cost = {unit: sum(_cost(system, index) for index in unit) for unit in units}
    dearest = sorted(units, key=lambda unit: -cost[unit])

    def around(first: Unit) -> list[Unit]:
        found = [first]
        for unit in dearest:
            if unit not in found and not any(_reads(system, unit, a) or _reads(system, a, unit) for a in found):
                found.append(unit)
        return found

    middle = max((around(unit) for unit in dearest), key=lambda found: sum(cost[unit] for unit in found))
    return [unit for unit in units if unit not in middle], middle


def _reads(system: System, reader: Unit, read: Unit) -> bool:
    return any(system.states[k] in system.equations[i].rhs.free_symbols for i in reader for k in read)


def _cost(system: System, index: int) -> int:
    equation = system.equations[index]
    cheap = equation.kind in (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE, EquationClass.COUPLED_LINEAR)
    return tree_size(equation.rhs) + (0 if cheap else 30)


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    outer, middle = _units(system)
    splitting = _Splitting(system)
    for unit in outer:
        splitting.flow(unit, DT / 2, "_before")
    for unit in middle:
        splitting.flow(unit, DT, "")
    for unit in reversed(outer):
        splitting.flow(unit, DT / 2, "_after")
    return tuple(splitting.assignments), tuple(splitting.increments)


def _notes(system: System) -> Iterator[str]:
    for equation in system.equations:
        if (parts := bernoulli(equation)) is not None:
            x, power = equation.state, parts[2]
            yield f"d{x}/dt is of the form A*{x} + B*{x}**{power} with A and B free of {x}: its own flow is exact"


SCHEME = Scheme(
    name="strang",
    order=2,
    advance=_advance,
    noise=noise_by_rates,
    exponential=True,
    notes=_notes,
    formula=r"x' = \Phi_1^{\Delta t/2} \circ \dots \circ \Phi_m^{\Delta t} \circ \dots \circ \Phi_1^{\Delta t/2}(x)",
)
