r"""Euler's method as Izhikevich (2003), IEEE Trans. Neural Netw. 14:1569, wrote it for steps of 1 ms.

.. math:: V_{1/2} = V + \tfrac{\Delta t}{2} f_V(V, u),\quad V' = V_{1/2} + \tfrac{\Delta t}{2} f_V(V_{1/2}, u),\quad
          u' = u + \Delta t\,f_u(V', u)

The first state makes two half steps with the others held; each of the others makes one step, in the order of the
equations, and sees those before it where they are by then. Inputs are held during a step.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment
from izhigen.derive.lowering import DT, SINCE_SPIKE, T
from izhigen.derive.runge_kutta import euler_maruyama
from izhigen.derive.scheme import Scheme
from izhigen.derive.system import System

HALF = sp.Rational(1, 2)


def _advance(system: System) -> tuple[tuple[Assignment, ...], tuple[Any, ...]]:
    if not system.states:
        return (), ()
    first, equation = system.states[0], system.equations[0]
    half, whole = (system.intermediate(f"{first.name}_{name}") for name in ("half", "whole"))
    later = {first: half, T: T + HALF * DT, SINCE_SPIKE: SINCE_SPIKE + HALF * DT}
    assignments = [
        Assignment(half, first + HALF * DT * equation.rhs),
        Assignment(whole, half + HALF * DT * equation.rhs.xreplace(later)),
    ]
    moved, increments = {first: whole}, [whole - first]
    for state, other in zip(system.states[1:], system.equations[1:]):
        increment = system.intermediate(f"{state.name}_step")
        assignments.append(Assignment(increment, DT * other.rhs.xreplace(moved)))
        increments.append(increment)
        moved[state] = state + increment
    return tuple(assignments), tuple(increments)


SCHEME = Scheme(
    name="izhikevich2003",
    order=1,
    advance=_advance,
    noise=euler_maruyama,
    formula=r"V_{1/2} = V + \tfrac{\Delta t}{2} f_V(V, u),\quad V' = V_{1/2} + \tfrac{\Delta t}{2} f_V(V_{1/2}, u),"
    r"\quad u' = u + \Delta t\,f_u(V', u)",
)
