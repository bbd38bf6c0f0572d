r"""Exponential time differencing with two stages (Hochbruck and Ostermann 2005, SIAM J. Numer. Anal. 43:1069, sec. 5).

With the diagonal J of the Jacobian at the step's start as linear part, :math:`N(y) = f(y) - J y`, and a stage at two
thirds of the step,

.. math:: a = x + \tfrac23\Delta t\,\varphi_1(\tfrac23\Delta t\,J)\,f(x), \qquad
          x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f(x) + \tfrac32\Delta t\,\varphi_2(\Delta t\,J)\,(N(a) - N(x)).

Order 2 for any system, as for a stage anywhere in the step; at two thirds what an equation's own curvature adds is of
order 3 besides (the weight of the stage times the square of its place is 1/3), which an upstroke asks for: with steps
of 0.1 ms the spikes of Izhikevich's seven classes are 0.016 ms off, and 0.14 ms with the stage at the step's end (Cox
and Matthews 2002, J. Comput. Phys. 176:430, equation 22). A linear equation whose other terms are constant is
integrated exactly. States of a strongly connected linear block take the matrix functions of the block, with
:math:`\varphi_2(Z) b` as the upper right of :math:`\varphi_1` of the matrix :math:`[[Z, b], [0, 0]]` (Al-Mohy and
Higham 2011, SIAM J. Sci. Comput. 33:488). Where a threshold resets a state, the other states see its stage up to the
threshold only: how far an upstroke overshoots within a step then changes nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.exponential import (
    assign_slopes,
    block_gains,
    block_inhomogeneity,
    noise_by_rates,
    phi2_block,
    scaled_rate,
)
from izhigen.derive.functions import capped, phi1, phi2
from izhigen.derive.lowering import DT
from izhigen.derive.scheme import Scheme
from izhigen.derive.stages import GROWING, Stage, named
from izhigen.derive.system import EquationClass, StateEquation, System

PLACE = sp.Rational(2, 3)
"""Where in the step the stage is."""
FIXED = (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE)
"""Classes of equations whose rates hold parameters only."""


@dataclass(frozen=True)
class _Phi:
    """What the step takes of the phi functions of a single equation with z = dt*J: phi1(2z/3), phi1(z) and phi2(z).

    Where z varies they are made of phi1 and phi2 of y = z/3, with E = y phi1(y) = exp(y) - 1:
    phi1(2y) = phi1(y) (1 + E/2), phi1(3y) = phi1(y) (1 + E + E^2/3), phi2(3y) = (phi2(y) + phi1(y)^2 (1 + E/3))/3.
    """

    stage: Any
    whole: Any
    second: Any


def _phi(system: System, equation: StateEquation, assignments: list[Assignment]) -> _Phi:
    if equation.kind in FIXED:
        rate = scaled_rate(equation.rate)
        return _Phi(phi1(PLACE * rate), phi1(rate), phi2(rate))
    name = equation.state.name
    y = named(system, f"third_z_{name}", scaled_rate(equation.rate, DT / 3), assignments)
    first = named(system, f"phi1_{name}", capped(phi1(y)), assignments)
    growth = named(system, f"growth_{name}", capped(y * first), assignments)
    return _Phi(
        first * (1 + growth / 2),
        first * (1 + growth * (1 + growth / 3)),
        (phi2(y) + first**2 * (1 + growth / 3)) / 3,
    )


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    assignments: list[Assignment] = []
    equations, states = system.equations, system.states
    in_block = {index for block in system.blocks for index in block}
    assign_slopes(system, range(len(states)), assignments)
    phi = {k: _phi(system, e, assignments) for k, e in enumerate(equations) if k not in in_block}

    first: dict[int, Any] = {}
    increments: dict[int, Any] = {}
    for block in system.blocks:
        first.update(block_gains(system, block, assignments, PLACE * DT, "stage_gain"))
        increments.update(block_gains(system, block, assignments))
    for index, functions in phi.items():
        slope = system.intermediate(f"f_{states[index].name}")
        move, increment = PLACE * DT * functions.stage * slope, DT * functions.whole * slope
        first[index], increments[index] = capped(move) if equations[index].kind in GROWING else move, increment

    moves = {states[i]: named(system, f"move_{states[i].name}", first[i], assignments) for i in sorted(first)}
    stage = Stage(system, moves, PLACE * DT)
    for block in system.blocks:
        residuals = [stage.change(part, states[k]) for k, part in block_inhomogeneity(system, block).items()]
        rests = [named(system, f"rest_{states[k].name}", rest, assignments) for k, rest in zip(block, residuals)]
        for row, index in enumerate(block):
            parts = [phi2_block(system, block, row, column) * rest for column, rest in enumerate(rests)]
            increments[index] += sp.Add(*(DT / PLACE * part for part in parts))
    for index, functions in phi.items():
        rest = named(system, f"rest_{states[index].name}", stage.residual(index), assignments)
        correction = DT / PLACE * functions.second * rest
        # Capped, and the increment is not: where both overflow, the new state is infinite in the slope's direction.
        increments[index] += capped(correction) if equations[index].kind in GROWING else correction
    return tuple(assignments), tuple(increments[i] for i in range(len(states)))


SCHEME = Scheme(
    name="etdrk2",
    order=2,
    advance=_advance,
    noise=noise_by_rates,
    exponential=True,
    formula=r"a = x + \tfrac23\Delta t\,\varphi_1(\tfrac23\Delta t\,J)\,f(x),\quad "
    r"x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f(x) + \tfrac32\Delta t\,\varphi_2(\Delta t\,J)\,(N(a) - N(x)),\quad "
    r"N(y) = f(y) - J y",
)
