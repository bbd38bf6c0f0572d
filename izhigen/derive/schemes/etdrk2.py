r"""Exponential time differencing with two stages (Cox and Matthews 2002, J. Comput. Phys. 176:430, equation 22).

With the diagonal J of the Jacobian at the step's start as linear part, and :math:`N(y) = f(y) - J y`,

.. math:: a = x + \Delta t\,\varphi_1(\Delta t\,J)\,f(x), \qquad
          x' = a + \Delta t\,\varphi_2(\Delta t\,J)\,(N(a) - N(x)).

Order 2 for any system. The first stage is exponential Euler's, so a linear equation whose other terms are constant is
integrated exactly. States of a strongly connected linear block take the matrix functions of the block, with
:math:`\varphi_2(Z) b` as the upper right of :math:`\varphi_1` of the matrix :math:`[[Z, b], [0, 0]]` (Al-Mohy and
Higham 2011, SIAM J. Sci. Comput. 33:488). At the stage time is a step later; what a state would be above a threshold
that sets it is not seen by other states, so that an overshoot of the upstroke stays without consequence.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.exponential import block_gains, block_inhomogeneity, exact_noise, phi2_block, scaled_rate
from izhigen.derive.functions import capped, phi1, phi2
from izhigen.derive.lowering import DT
from izhigen.derive.scheme import Scheme
from izhigen.derive.stages import GROWING, Stage, named
from izhigen.derive.system import EquationClass, System


def _first_stage(system: System, assignments: list[Assignment]) -> dict[int, Any]:
    """The displacement of every state, by its index."""
    moves: dict[int, Any] = {}
    for block in system.blocks:
        moves.update(block_gains(system, block, assignments))
    for index, equation in enumerate(system.equations):
        if index in moves:
            continue
        name = equation.state.name
        if equation.kind in (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE):
            moves[index] = DT * phi1(scaled_rate(equation.rate)) * equation.rhs
            continue
        slope, scaled = system.intermediate(f"f_{name}"), system.intermediate(f"z_{name}")
        assignments += [Assignment(slope, equation.rhs), Assignment(scaled, scaled_rate(equation.rate))]
        move = DT * phi1(scaled) * slope
        moves[index] = capped(move) if equation.kind in GROWING else move
    return moves


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    assignments: list[Assignment] = []
    first = _first_stage(system, assignments)
    moves = {i: named(system, f"move_{system.states[i].name}", move, assignments) for i, move in first.items()}
    stage = Stage(system, {system.states[index]: move for index, move in moves.items()})
    increments = dict(moves)
    for block in system.blocks:
        residuals = [stage.change(part, system.states[k]) for k, part in block_inhomogeneity(system, block).items()]
        names = [system.states[k].name for k in block]
        residuals = [named(system, f"rest_{name}", rest, assignments) for name, rest in zip(names, residuals)]
        for row, index in enumerate(block):
            parts = [DT * phi2_block(system, block, row, column) * rest for column, rest in enumerate(residuals)]
            increments[index] += sp.Add(*parts)
    in_block = {index for block in system.blocks for index in block}
    for index, equation in enumerate(system.equations):
        if index in in_block:
            continue
        rest = named(system, f"rest_{equation.state.name}", stage.residual(index), assignments)
        varies = equation.kind not in (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE)
        scaled = system.intermediate(f"z_{equation.state.name}") if varies else scaled_rate(equation.rate)
        increments[index] += DT * phi2(scaled) * rest
    return tuple(assignments), tuple(increments[i] for i in range(len(system.equations)))


SCHEME = Scheme(
    name="etdrk2",
    order=2,
    advance=_advance,
    noise=exact_noise,
    exponential=True,
    formula=r"a = x + \Delta t\,\varphi_1(\Delta t\,J)\,f(x),\quad "
    r"x' = a + \Delta t\,\varphi_2(\Delta t\,J)\,(N(a) - N(x)),\quad N(y) = f(y) - J y",
)
