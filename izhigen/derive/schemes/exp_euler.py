r"""Exponential Euler with the diagonal of the Jacobian (BrainPy's ``exp_auto``).

.. math:: x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f, \qquad J = \partial f/\partial x,

all right-hand sides taken at the old state. Exact for a linear equation whose other terms are constant (Rush and
Larsen 1978, IEEE Trans. Biomed. Eng. 25:389); elsewhere it linearizes at the old state. States that form a
strongly connected linear block use the matrix :math:`\varphi_1(\Delta t\,A)` of the block, which is exact for it.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.functions import block_covariance, limited, maximum, phi1, phi1_block, where
from izhigen.derive.lowering import DT
from izhigen.derive.sequence import NoiseTerm
from izhigen.derive.step import Scheme, noise_amplitudes, noise_term
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


def _noise(system: System) -> tuple[tuple[Assignment, ...], tuple[NoiseTerm, ...]]:
    """Noise with the variance that a linear drift gives it over a step; a block passes it on to its other states."""
    amplitudes = noise_amplitudes(system)
    assignments: list[Assignment] = []
    terms: list[NoiseTerm] = []
    for block in system.blocks:
        if any(index in amplitudes for index in block):
            added, spread = _block_noise(system, block, amplitudes)
            assignments += added
            terms += spread
    in_block = {index for block in system.blocks for index in block}
    terms += [
        noise_term(system, index, _single_noise(system, index, amplitude))
        for index, amplitude in amplitudes.items()
        if index not in in_block
    ]
    return tuple(assignments), tuple(terms)


def _single_noise(system: System, index: int, amplitude: Any) -> Any:
    """g sqrt(dt phi1(2 J dt)): the exact standard deviation for a linear drift (Gillespie 1996, Phys. Rev. E 54:2084).

    Limited, as J of a steep upstroke has no bound: the new state is never inf - inf.
    """
    equation = system.equations[index]
    if equation.kind is EquationClass.CONSTANT:
        return amplitude * sp.sqrt(DT)
    named = equation.kind is not EquationClass.LINEAR_PARAMETER_RATE
    scaled = system.intermediate(f"z_{equation.state.name}") if named else _scaled_rate(equation.rate)
    return limited(amplitude * sp.sqrt(DT * phi1(2 * scaled)))


def _block_noise(
    system: System, block: tuple[int, ...], amplitudes: dict[int, Any]
) -> tuple[list[Assignment], list[NoiseTerm]]:
    """The covariance of a step, dt int_0^1 exp(Zs) G G^T exp(Zs)^T ds, by its Cholesky factor.

    Van Loan 1978, IEEE TAC 23:395.
    """
    names = [system.states[k].name for k in block]
    matrix = [_scaled_rate(system.jacobian[r, c]) for r in block for c in block]
    sources = [(position, amplitudes[k]) for position, k in enumerate(block) if k in amplitudes]
    assignments: list[Assignment] = []
    terms: list[NoiseTerm] = []
    factor: dict[tuple[int, int], sp.Symbol] = {}
    for row in range(len(block)):
        for column in range(row + 1):
            parts = [limited(limited(g**2) * block_covariance(row, column, source, *matrix)) for source, g in sources]
            known = sum((limited(factor[row, k] * factor[column, k]) for k in range(column)), sp.S.Zero)
            rest = DT * sp.Add(*parts) - known
            pivot = factor.get((column, column))
            if pivot is None:
                value = sp.sqrt(maximum(rest, 0))
            else:  # a pivot of 0: no noise has reached the state, and what stands under it is 0
                value = limited(where(sp.Gt(pivot, 0), rest / pivot, 0))
            factor[row, column] = system.intermediate(f"noise_{names[row]}_{names[column]}")
            assignments.append(Assignment(factor[row, column], value))
            terms.append(noise_term(system, block[row], factor[row, column], block[column]))
    return assignments, terms


SCHEME = Scheme(
    name="exp_euler",
    order=1,
    aliases=("exp_auto", "exponential_euler"),
    advance=_advance,
    noise=_noise,
    exponential=True,
    formula=r"x' = x + \Delta t\,\varphi_1(\Delta t\,J)\,f,\quad J = \partial f/\partial x",
)
