"""Explicit Runge-Kutta methods from their Butcher tableaus (Hairer, Norsett, Wanner, "Solving ODEs I", II.1).

    k_i = f(t + c_i dt, x + dt sum_j a_ij k_j),     x' = x + dt sum_i b_i k_i

Inputs are held during a step. Noise is Euler-Maruyama's, ``g sqrt(dt) N(0, 1)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.lowering import DT, SINCE_SPIKE, T
from izhigen.derive.scheme import Scheme, noise_amplitudes, noise_term
from izhigen.derive.sequence import NoiseTerm
from izhigen.derive.system import System

Coefficient = Any


def runge_kutta(
    name: str, order: int, a: Sequence[Sequence[Coefficient]], b: Sequence[Coefficient], aliases: tuple[str, ...] = ()
) -> Scheme:
    """A scheme from its tableau: ``a`` strictly lower triangular (row i has i entries), ``b`` the weights.

    Coefficients are exact: integers, SymPy numbers, or strings such as ``"1/3"``. The nodes are c_i = sum_j a_ij.
    """
    rows = [[sp.sympify(value, rational=True) for value in row] for row in a]
    weights = [sp.sympify(value, rational=True) for value in b]
    if any(len(row) != i for i, row in enumerate(rows)) or len(rows) != len(weights):
        raise ValueError(f"the tableau of {name} is not strictly lower triangular with one weight a stage")

    def advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
        return _advance(system, rows, weights)

    return Scheme(name, order, _latex(rows, weights), advance, euler_maruyama, aliases)


def euler_maruyama(system: System) -> tuple[tuple[Assignment, ...], tuple[NoiseTerm, ...]]:
    return (), tuple(
        noise_term(system, index, amplitude * sp.sqrt(DT)) for index, amplitude in noise_amplitudes(system).items()
    )


def _advance(
    system: System, rows: list[list[Any]], weights: list[Any]
) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    assignments: list[Assignment] = []
    slopes: list[list[sp.Symbol]] = []
    for stage, row in enumerate(rows, start=1):
        later = sum(row, sp.S.Zero) * DT
        replaced: dict[sp.Symbol, Any] = {T: T + later, SINCE_SPIKE: SINCE_SPIKE + later}
        for index, state in enumerate(system.states):
            moved = sum((coefficient * slopes[j][index] for j, coefficient in enumerate(row)), sp.S.Zero)
            if moved != 0:
                at = system.intermediate(f"{state.name}_stage{stage}")
                assignments.append(Assignment(at, state + DT * moved))
                replaced[state] = at
        names = [system.intermediate(f"k{stage}_{state.name}") for state in system.states]
        for name, equation in zip(names, system.equations):
            assignments.append(Assignment(name, equation.rhs.xreplace(replaced)))
        slopes.append(names)
    unit, multiples = _common(weights)
    increments = tuple(
        unit * DT * sum((w * k[i] for w, k in zip(multiples, slopes)), sp.S.Zero) for i in range(len(system.states))
    )
    return tuple(assignments), increments


def _common(weights: list[Any]) -> tuple[Any, list[Any]]:
    """The smallest weight, where all are its multiples, and these: slopes with the weight 1 are only added."""
    unit = min((w for w in weights if w != 0), key=abs)
    multiples = [w / unit for w in weights]
    return (unit, multiples) if all(m.is_Integer for m in multiples) else (sp.S.One, weights)


def _latex(rows: list[list[Any]], weights: list[Any]) -> str:
    stages = []
    for i, row in enumerate(rows, start=1):
        terms = [f"{sp.latex(c)}\\,k_{{{j}}}" for j, c in enumerate(row, start=1) if c != 0]
        shift = " + \\Delta t\\,(" + " + ".join(terms) + ")" if terms else ""
        stages.append(f"k_{{{i}}} = f(x{shift})")
    total = " + ".join(f"{sp.latex(w)}\\,k_{{{i}}}" for i, w in enumerate(weights, start=1) if w != 0)
    return r",\quad ".join(stages) + rf",\quad x' = x + \Delta t\,({total})"
