"""What exponential methods share: scaled rates, functions of the matrix of a linear block, and exact noise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.expansion import bounded_expand
from izhigen.derive.functions import block_covariance, limited, maximum, phi1, phi1_block, where
from izhigen.derive.lowering import DT
from izhigen.derive.scheme import noise_amplitudes, noise_term
from izhigen.derive.sequence import NoiseTerm
from izhigen.derive.system import EquationClass, System


def scaled_rate(rate: Any, step: Any = DT) -> Any:
    """dt*J; a sum of products is multiplied out, so that dt joins the constants of each term."""
    if rate.is_Add and rate.is_polynomial(*rate.free_symbols):
        return sp.Add(*(step * term for term in rate.args))
    return step * rate


def scaled_matrix(system: System, block: tuple[int, ...], step: Any = DT) -> list[Any]:
    """dt*J of some states, row by row."""
    return [scaled_rate(system.jacobian[r, c], step) for r in block for c in block]


def block_gains(
    system: System, block: tuple[int, ...], assignments: list[Assignment], step: Any = DT, gain: str = "gain"
) -> dict[int, Any]:
    """step phi1(step A) f of the states of a linear block with the matrix A, by their index; exact for it. The slopes
    f have been assigned by :func:`assign_slopes`.
    """
    names, matrix = [system.states[k].name for k in block], scaled_matrix(system, block, step)
    slopes = [system.intermediate(f"f_{name}") for name in names]
    increments = {}
    for row, index in enumerate(block):
        gains = [system.intermediate(f"{gain}_{names[row]}_{name}") for name in names]
        assignments += [Assignment(gain, step * phi1_block(row, column, *matrix)) for column, gain in enumerate(gains)]
        increments[index] = sp.Add(*(gain * slope for gain, slope in zip(gains, slopes)))
    return increments


def assign_slopes(system: System, indices: Iterable[int], assignments: list[Assignment]) -> None:
    """Name the right-hand sides of some states ``f_`` and the state."""
    for equation in (system.equations[k] for k in indices):
        assignments.append(Assignment(system.intermediate(f"f_{equation.state.name}"), equation.rhs))


def block_inhomogeneity(system: System, block: tuple[int, ...]) -> dict[int, Any]:
    """What is left of the right-hand sides of a linear block without its own states, by index."""
    at_zero = dict.fromkeys((system.states[k] for k in block), sp.S.Zero)
    return {k: bounded_expand(system.equations[k].rhs.xreplace(at_zero)) for k in block}


def phi2_block(system: System, block: tuple[int, ...], row: int, column: int) -> Any:
    """An entry of phi2(dt A) of a linear block: phi1 of [[Z, b], [0, 0]] holds phi2(Z) b; b is 1 in a place."""
    size, matrix = len(block), scaled_matrix(system, block)
    rows = [[*matrix[r * size :][:size], sp.Integer(r == column)] for r in range(size)]
    return phi1_block(row, size, *(entry for line in rows for entry in line), *[sp.S.Zero] * (size + 1))


def noise_by_rates(system: System) -> tuple[tuple[Assignment, ...], tuple[NoiseTerm, ...]]:
    """The same for methods that do not name ``z``, the scaled rate at the step's start."""
    named = (system.equations[index] for index in noise_amplitudes(system))
    rates = tuple(Assignment(system.intermediate(f"z_{e.state.name}"), scaled_rate(e.rate)) for e in named)
    assignments, terms = exact_noise(system)
    return rates + assignments, terms


def exact_noise(system: System) -> tuple[tuple[Assignment, ...], tuple[NoiseTerm, ...]]:
    """Noise with the variance that a linear drift gives it over a step; a block passes it on to its other states."""
    return joint_noise(system, system.blocks)


def joint_noise(
    system: System, groups: tuple[tuple[int, ...], ...]
) -> tuple[tuple[Assignment, ...], tuple[NoiseTerm, ...]]:
    """The same with these groups of states for blocks."""
    amplitudes = noise_amplitudes(system)
    assignments: list[Assignment] = []
    terms: list[NoiseTerm] = []
    for block in groups:
        if any(index in amplitudes for index in block):
            added, spread = _block_noise(system, block, amplitudes)
            assignments += added
            terms += spread
    in_block = {index for block in groups for index in block}
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
    scaled = system.intermediate(f"z_{equation.state.name}") if named else scaled_rate(equation.rate)
    return limited(amplitude * sp.sqrt(DT * phi1(2 * scaled)))


def _block_noise(
    system: System, block: tuple[int, ...], amplitudes: dict[int, Any]
) -> tuple[list[Assignment], list[NoiseTerm]]:
    """The covariance of a step, dt int_0^1 exp(Zs) G G^T exp(Zs)^T ds, by its Cholesky factor.

    Van Loan 1978, IEEE TAC 23:395.
    """
    names = [system.states[k].name for k in block]
    matrix = scaled_matrix(system, block)
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
