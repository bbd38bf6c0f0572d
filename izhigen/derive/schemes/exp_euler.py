r"""Exponential Euler with the diagonal of the Jacobian (BrainPy's ``exp_auto``).

.. math:: x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f, \qquad J = \partial f/\partial x,

all right-hand sides taken at the old state. Exact for a linear equation whose other terms are constant (Rush and
Larsen 1978, IEEE Trans. Biomed. Eng. 25:389); elsewhere it linearizes at the old state. States that form a
strongly connected linear block use the matrix :math:`\varphi_1(\Delta t\,A)` of the block, which is exact for it.
"""

from __future__ import annotations

from typing import Any

from izhigen.derive.event import Assignment
from izhigen.derive.exponential import assign_slopes, block_gains, exact_noise, scaled_rate
from izhigen.derive.functions import phi1
from izhigen.derive.lowering import DT
from izhigen.derive.scheme import Scheme
from izhigen.derive.system import EquationClass, StateEquation, System


def _single(system: System, equation: StateEquation) -> tuple[list[Assignment], Any]:
    """Intermediates and increment of one state on its own."""
    if equation.kind is EquationClass.CONSTANT:
        return [], DT * equation.rhs
    if equation.kind is EquationClass.LINEAR_PARAMETER_RATE:
        return [], DT * phi1(scaled_rate(equation.rate)) * equation.rhs
    name = equation.state.name
    slope, scaled = system.intermediate(f"f_{name}"), system.intermediate(f"z_{name}")
    return [Assignment(slope, equation.rhs), Assignment(scaled, scaled_rate(equation.rate))], DT * phi1(scaled) * slope


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    assignments: list[Assignment] = []
    increments: dict[int, Any] = {}
    for block in system.blocks:
        assign_slopes(system, block, assignments)
        increments.update(block_gains(system, block, assignments))
    for index, equation in enumerate(system.equations):
        if index not in increments:
            added, increments[index] = _single(system, equation)
            assignments += added
    return tuple(assignments), tuple(increments[i] for i in range(len(system.equations)))


SCHEME = Scheme(
    name="exp_euler",
    order=1,
    aliases=("exp_auto", "exponential_euler"),
    advance=_advance,
    noise=exact_noise,
    exponential=True,
    formula=r"x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f,\quad J = \partial f/\partial x",
)
