r"""Exponential Euler with the diagonal of the Jacobian (BrainPy's ``exp_auto``).

.. math:: x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f, \qquad J = \partial f/\partial x,

all right-hand sides taken at the old state. Exact for a linear equation whose other terms are constant (Rush and
Larsen 1978, IEEE Trans. Biomed. Eng. 25:389); elsewhere it linearizes at the old state. Two states that form a
strongly connected linear block use the matrix :math:`\varphi_1(\Delta t\,A)` of the block, which is exact for it.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.functions import pair_phi1_mean, pair_phi1_slope, phi1
from izhigen.derive.lowering import DT
from izhigen.derive.step import Assignment, Scheme
from izhigen.derive.system import EquationClass, StateEquation, System


def _scaled_rate(rate: Any) -> Any:
    """dt*J; a sum of products is multiplied out, so that dt joins the constants of each term."""
    if rate.is_Add and rate.is_polynomial(*rate.free_symbols):
        return sp.Add(*(DT * term for term in rate.args))
    return DT * rate


def _single(system: System, equation: StateEquation) -> tuple[list[Assignment], Any]:
    """Intermediates and increment of one state on its own."""
    if equation.kind is EquationClass.CONSTANT:
        return [], DT * equation.rhs
    if equation.kind is EquationClass.LINEAR_PARAMETER_RATE:
        return [], DT * phi1(_scaled_rate(equation.rate)) * equation.rhs
    name = equation.state.name
    slope, scaled = system.intermediate(f"f_{name}"), system.intermediate(f"z_{name}")
    return [Assignment(slope, equation.rhs), Assignment(scaled, _scaled_rate(equation.rate))], DT * phi1(scaled) * slope


def _pair(system: System, block: tuple[int, ...]) -> tuple[list[Assignment], dict[int, Any]]:
    """phi1 of a 2x2 block by its eigenvalues m +- sqrt(x): phi1(Z) = mean*1 + slope*(Z - m), complex pairs included."""
    i, j = block
    z = {(r, c): DT * system.jacobian[r, c] for r in block for c in block}
    pair = f"{system.states[i].name}_{system.states[j].name}"
    middle, spread, mean, slope = (system.intermediate(f"{what}_{pair}") for what in ("middle", "spread", "phi1_mean", "phi1_slope"))
    assignments = [
        Assignment(middle, (z[i, i] + z[j, j]) / 2), Assignment(spread, ((z[i, i] - z[j, j]) / 2) ** 2 + z[i, j] * z[j, i]),
        Assignment(mean, pair_phi1_mean(middle, spread)), Assignment(slope, pair_phi1_slope(middle, spread))]
    slopes = {k: system.intermediate(f"f_{system.states[k].name}") for k in block}
    assignments += [Assignment(slopes[k], system.equations[k].rhs) for k in block]
    increments = {}
    for row, other in ((i, j), (j, i)):
        own, cross = (system.intermediate(f"gain_{system.states[row].name}_{system.states[k].name}") for k in (row, other))
        assignments += [Assignment(own, DT * (mean + slope * (z[row, row] - middle))), Assignment(cross, DT * slope * z[row, other])]
        increments[row] = own * slopes[row] + cross * slopes[other]
    return assignments, increments


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    pairs = [block for block in system.blocks if len(block) == 2]
    assignments: list[Assignment] = []
    increments: dict[int, Any] = {}
    for block in pairs:
        added, rows = _pair(system, block)
        assignments += added
        increments.update(rows)
    for index, equation in enumerate(system.equations):
        if index not in increments:
            added, increments[index] = _single(system, equation)
            assignments += added
    return tuple(assignments), tuple(increments[i] for i in range(len(system.equations)))


def _noise(system: System, index: int) -> Any:
    """sqrt(dt phi1(2 J dt)): the exact standard deviation for a linear drift (Gillespie 1996, Phys. Rev. E 54:2084)."""
    equation = system.equations[index]
    alone = not any(index in block and len(block) == 2 for block in system.blocks)
    named = alone and equation.kind not in (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE)
    scaled = system.intermediate(f"z_{equation.state.name}") if named else _scaled_rate(equation.rate)
    return sp.sqrt(DT * phi1(2 * scaled))


SCHEME = Scheme(
    name="exp_euler", order=1, aliases=("exp_auto", "exponential_euler"), advance=_advance, noise=_noise,
    formula=r"x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f,\quad J = \partial f/\partial x")
