r"""Exponential Rosenbrock-Euler (Hochbruck, Ostermann and Schweitzer 2009, SIAM J. Numer. Anal. 47:786).

.. math:: x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f(x) + \Delta t\,\varphi_2\,(f(x, y', t + \Delta t) - f(x, y, t)),

with the whole Jacobian J of every strongly connected group of states, and y what the group reads of others, which move
before it. Order 2 for any system, and exact for a linear group with constant terms. For two states phi1 of the matrix
is p0 + p1 (Z - m) with the mean m of the eigenvalues m +- sqrt(q), where p0 is the mean of phi1 over them and p1 its
divided difference; both are entire in m and q, so equal rates and complex pairs need no care. For more states it is the
matrix's Taylor series with doubling. The last term takes phi2 of each equation's own rate: for order 2 it need only be
1/2 at 0. So are moved the states beside one whose upstroke a threshold ends. Groups of more than 8 states are taken one
by one, as exponential Euler does; the order is 1 then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.exponential import noise_by_rates, scaled_rate
from izhigen.derive.functions import capped, minimum, phi1, phi1_action, phi1_difference, phi1_mean, phi2
from izhigen.derive.lowering import DT
from izhigen.derive.scheme import Scheme
from izhigen.derive.stages import GROWING, Stage, ceiling, named
from izhigen.derive.system import MOST_BLOCK, EquationClass, System


class _Writer:
    """Writes the groups down one after the other; alive while a step is derived."""

    def __init__(self, system: System) -> None:
        self.system, self.top = system, ceiling(system)
        self.assignments: list[Assignment] = []
        self.moves: dict[sp.Symbol, Any] = {}

    def named(self, name: str, value: Any) -> Any:
        return named(self.system, name, value, self.assignments)

    def add(self, group: tuple[int, ...]) -> None:
        """The displacements of a group."""
        states = [self.system.states[k] for k in group]
        slopes = [self.named(f"f_{s.name}", self.system.equations[k].rhs) for s, k in zip(states, group)]
        if len(group) == 1 or len(group) > MOST_BLOCK:
            found = [DT * phi1(self._rate(k)) * slope for k, slope in zip(group, slopes)]
        else:
            found = (self._pair if len(group) == 2 else self._several)(group, slopes)
            found = self._below(group, slopes, found)
        stage = Stage(self.system, dict(self.moves))
        for state, k, move in zip(states, group, found):
            equation = self.system.equations[k]
            change = stage.change(equation.rhs, state)
            if change != 0:
                move += DT * phi2(self._rate(k)) * self.named(f"rest_{state.name}", change)
            move = capped(move) if equation.kind in GROWING and not move.is_Symbol else move
            self.moves[state] = self.named(f"move_{state.name}", move)

    def _rate(self, index: int) -> Any:
        equation = self.system.equations[index]
        rate = scaled_rate(equation.rate)
        fixed = equation.kind in (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE)
        return rate if fixed else self._once(f"z_{equation.state.name}", rate)

    def _once(self, name: str, value: Any) -> Any:
        known = {a.symbol: a.expression for a in self.assignments}
        symbol = self.system.intermediate(name)
        return symbol if symbol in known else self.named(name, value)

    def _matrix(self, group: tuple[int, ...]) -> list[Any]:
        """dt*J row by row; entries that vary are kept from overflowing."""
        constant, entries = {*self.system.parameters, DT}, []
        for row in group:
            for column in group:
                value = scaled_rate(self.system.jacobian[row, column])
                if not value.free_symbols <= constant:
                    name = f"z_{self.system.states[row].name}_{self.system.states[column].name}"
                    value = self.named(name, capped(value))
                entries.append(value)
        return entries

    def _pair(self, group: tuple[int, ...], slopes: list[Any]) -> list[Any]:
        a, b, c, d = self._matrix(group)
        both = "_".join(self.system.states[k].name for k in group)
        mean, half = self.named(f"mean_{both}", (a + d) / 2), self.named(f"half_{both}", (a - d) / 2)
        square = self.named(f"square_{both}", half**2 + b * c)
        p0, p1 = (
            self.named(f"p0_{both}", phi1_mean(mean, square)),
            self.named(f"p1_{both}", phi1_difference(mean, square)),
        )
        first, second = slopes
        turned = (half * first + b * second, c * first - half * second)
        return [DT * (p0 * slope + p1 * other) for slope, other in zip(slopes, turned)]

    def _several(self, group: tuple[int, ...], slopes: list[Any]) -> list[Any]:
        matrix = self._matrix(group)
        return [DT * phi1_action(row, *matrix, *slopes) for row in range(len(group))]

    def _below(self, group: tuple[int, ...], slopes: list[Any], found: list[Any]) -> list[Any]:
        """Where a threshold ends the upstroke of a state, the others see it up to there only, each by its own rate:
        x' = x + dt phi1(z) f + dt phi2(z) sum_k J_k move_k, with exponential Euler's moves of the states below.
        """
        if self.top is None:
            return found
        system, (state, bound) = self.system, self.top
        top = next((k for k in group if system.states[k] == state and system.equations[k].kind in GROWING), None)
        if top is None:
            return found
        upstroke = self.named(f"move_{state}", capped(found[group.index(top)]))
        moves = {k: DT * phi1(self._rate(k)) * slope for k, slope in zip(group, slopes)}
        moves[top] = minimum(upstroke, bound - state)
        others = {k: sum((system.jacobian[k, j] * moves[j] for j in group if j != k), sp.S.Zero) for k in group}
        return [upstroke if k == top else moves[k] + DT * phi2(self._rate(k)) * others[k] for k in group]


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    writer = _Writer(system)
    for group in system.groups:
        writer.add(group)
    return tuple(writer.assignments), tuple(writer.moves[state] for state in system.states)


def _notes(system: System) -> Iterator[str]:
    for group in system.groups:
        if len(group) > MOST_BLOCK:
            yield (
                f"{len(group)} states depend on each other ({system.states[group[0]]}, ...): too many for their matrix "
                f"(more than {MOST_BLOCK}), so their equations are taken one by one, which is of order 1"
            )


SCHEME = Scheme(
    name="exp_rosenbrock",
    order=2,
    advance=_advance,
    noise=noise_by_rates,
    exponential=True,
    notes=_notes,
    meanings=dict.fromkeys(
        GROWING, "linearized at the old state, with the states that it depends on and that depend on it"
    ),
    formula=r"x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f,\quad J = \partial f/\partial x",
)
