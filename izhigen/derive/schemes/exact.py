r"""The exact flow of a linear system with rates of parameters, its inputs held over the step.

.. math:: x' = x + \Delta t\,\varphi_1(\Delta t\,A)\,f(x), \qquad A = \partial f/\partial x

(Rotter and Diesmann 1999, Biol. Cybern. 81:381). A is the matrix of all states that are coupled in either direction, so
a chain of equations is exact as a block is; an entry takes the states on the way from one state to the other. Whatever
is not linear is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.exponential import joint_noise, scaled_rate
from izhigen.derive.functions import phi1, phi1_block
from izhigen.derive.lowering import DT, SINCE_SPIKE, T
from izhigen.derive.scheme import Scheme
from izhigen.derive.sequence import NoiseTerm
from izhigen.derive.system import STEPWISE, System, reached, states_read
from izhigen.errors import DerivationError

MOST_COUPLED = 16
"""Most states that share a propagator."""


def why_not(system: System) -> str | None:
    """What is not linear with rates of parameters in a system; None where the method serves."""
    constant, states = {*system.parameters, DT}, set(system.states)
    for row, equation in enumerate(system.equations):
        name, rhs = equation.state.name, equation.rhs
        if rhs.free_symbols & {T, SINCE_SPIKE}:
            return f"d{name}/dt reads {'t' if T in rhs.free_symbols else 't_last_spike'}"
        if any(part.free_symbols & states for part in rhs.atoms(*STEPWISE)):
            return f"d{name}/dt is not linear: it has a kink or a jump"
        for column, state in enumerate(system.states):
            if not system.jacobian[row, column].free_symbols <= constant:
                return f"d{name}/dt is not linear with a rate of parameters only: its slope in {state} varies"
    if (most := max((len(group) for group in _groups(system)), default=0)) > MOST_COUPLED:
        return f"{most} states are coupled, more than the {MOST_COUPLED} that can share a propagator"
    return None


def _groups(system: System) -> list[tuple[int, ...]]:
    """States that are coupled in either direction."""
    jacobian = system.jacobian
    edges = states_read(jacobian + jacobian.T) if jacobian.rows else {}
    return sorted({tuple(sorted(reached(i, edges))) for i in edges})


def _gain(system: System, row: int, column: int, reach: dict[int, set[int]]) -> Any:
    """dt times an entry of phi1(dt A); the states on the way between the two are all that it takes."""
    way = [k for k in sorted(reach[row]) if column in reach[k]]
    if len(way) == 1:
        return DT * phi1(scaled_rate(system.jacobian[row, row]))
    matrix = [scaled_rate(system.jacobian[r, c]) for r in way for c in way]
    return DT * phi1_block(way.index(row), way.index(column), *matrix)


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    if (reason := why_not(system)) is not None:
        raise DerivationError(f"method 'exact' of {system.model.name}: {reason}; take another method, such as 'etdrk2'")
    edges = states_read(system.jacobian)
    reach = {i: reached(i, edges) for i in edges}
    slopes = [system.intermediate(f"f_{state.name}") for state in system.states]
    assignments = [Assignment(slope, equation.rhs) for slope, equation in zip(slopes, system.equations)]
    increments = []
    for row, state in enumerate(system.states):
        terms = []
        for column in sorted(reach[row]):
            gain = system.intermediate(f"gain_{state.name}_{system.states[column].name}")
            assignments.append(Assignment(gain, _gain(system, row, column, reach)))
            terms.append(gain * slopes[column])
        increments.append(sp.Add(*terms))
    return tuple(assignments), tuple(increments)


def _noise(system: System) -> tuple[tuple[Assignment, ...], tuple[NoiseTerm, ...]]:
    groups: Iterable[tuple[int, ...]] = (group for group in _groups(system) if len(group) > 1)
    return joint_noise(system, tuple(groups))


SCHEME = Scheme(
    name="exact",
    order=math.inf,
    advance=_advance,
    noise=_noise,
    exponential=True,
    formula=r"x' = x + \Delta t\,\varphi_1(\Delta t\,A)\,f,\quad A = \partial f/\partial x",
)
