r"""Exponential Euler with the diagonal of the Jacobian (BrainPy's ``exp_auto``).

.. math:: x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f, \qquad J = \partial f/\partial x,

all right-hand sides taken at the old state. Exact for a linear equation whose other terms are constant (Rush and
Larsen 1978, IEEE Trans. Biomed. Eng. 25:389); elsewhere it linearizes at the old state. States that form a
strongly connected linear block use the matrix :math:`\varphi_1(\Delta t\,A)` of the block, which is exact for it.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.functions import phi1, phi1_block
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


def _block(system: System, block: tuple[int, ...]) -> tuple[list[Assignment], dict[int, Any]]:
    """The states of a linear block: x' = x + dt phi1(dt A) f with the block's matrix A, exact for it."""
    names = [system.states[k].name for k in block]
    matrix = [_scaled_rate(system.jacobian[r, c]) for r in block for c in block]
    slopes = [system.intermediate(f"f_{name}") for name in names]
    assignments = [Assignment(slope, system.equations[k].rhs) for slope, k in zip(slopes, block)]
    increments = {}
    for row, index in enumerate(block):
        gains = [system.intermediate(f"gain_{names[row]}_{name}") for name in names]
        assignments += [Assignment(gain, DT * phi1_block(row, column, *matrix)) for column, gain in enumerate(gains)]
        increments[index] = sp.Add(*(gain * slope for gain, slope in zip(gains, slopes)))
    return assignments, increments


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    assignments: list[Assignment] = []
    increments: dict[int, Any] = {}
    for block in system.blocks:
        added, rows = _block(system, block)
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
    alone = not any(index in block for block in system.blocks)
    named = alone and equation.kind not in (EquationClass.CONSTANT, EquationClass.LINEAR_PARAMETER_RATE)
    scaled = system.intermediate(f"z_{equation.state.name}") if named else _scaled_rate(equation.rate)
    return sp.sqrt(DT * phi1(2 * scaled))


SCHEME = Scheme(
    name="exp_euler", order=1, aliases=("exp_auto", "exponential_euler"), advance=_advance, noise=_noise,
    formula=r"x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f,\quad J = \partial f/\partial x")
