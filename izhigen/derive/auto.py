"""The method that fits a model: ``method="auto"``.

The rule is one of cost at equal error (docs/methods.md has the figures):

- wholly linear with rates of parameters: ``exact``;
- spikes at the ends of steps: ``exp_euler``, as every method is then of first order through them;
- right-hand sides that are polynomials of the states: ``rk4``, which is as cheap as its products, unless a state decays
  so fast at the default parameters, at its rests too, that an explicit method needs small steps;
- an upstroke that a threshold ends: ``etdrk2``, which is good at large steps too;
- else, as with gates: ``strang``, which asks for each rate once a step.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import sympy as sp

from izhigen.derive.lowering import symbol
from izhigen.derive.schemes import exact
from izhigen.derive.stages import ceiling
from izhigen.derive.system import StateEquation, System, build_system
from izhigen.model.events import SpikeTiming
from izhigen.model.model import Declaration

FASTEST = 3
"""A decay faster than this, per ms, is stiff for steps of about a ms: rk4 is stable up to 2.8."""


@lru_cache(maxsize=32)
def choose(model: Declaration, timing: SpikeTiming = SpikeTiming.STEP) -> tuple[str, str]:
    """The name of the method for a model and where in a step its events happen, and why."""
    system = build_system(model)
    if exact.why_not(system) is None:
        return "exact", "every equation is linear with a rate of parameters only: exact"
    if model.events and timing is SpikeTiming.STEP:
        return "exp_euler", "exp_euler, as spikes at the ends of steps make every method first order (spike_timing)"
    if (rough := _why_not_polynomial(system)) is None:
        return "rk4", "rk4, as every right-hand side is a polynomial of the states and none decays fast"
    if ceiling(system) is not None:
        return "etdrk2", f"etdrk2, as {rough}, and the threshold ends an upstroke"
    return "strang", f"strang, as {rough}"


def _why_not_polynomial(system: System) -> str | None:
    for equation in system.equations:
        name = equation.state.name
        if not equation.rhs.is_polynomial(*system.states):
            return f"d{name}/dt is no polynomial of the states"
        if (rate := _own_rate(system, equation)) < -FASTEST:
            return f"{name} decays at {-rate:.3g} per ms"
    return None


def _own_rate(system: System, equation: StateEquation) -> float:
    """The rate of a polynomial equation at the default parameters, with all other states, inputs and time at 0: at its
    rests, where it is not linear, as a state that limits itself is found near them; else the part that is free of it.
    """
    defaults = {symbol(name): sp.Float(value) for name, value in system.model.parameters.items()}
    others = {s: sp.S.Zero for s in equation.rhs.free_symbols if s not in (*defaults, equation.state)}
    alone = sp.Poly(equation.rhs.xreplace({**others, **defaults}), equation.state)
    coefficients = np.array(alone.all_coeffs(), float)
    roots = np.roots(coefficients) if len(coefficients) > 2 and np.isfinite(coefficients).all() else np.zeros(0)
    rests = [root.real for root in roots if abs(root.imag) <= 1e-9 * abs(root)]
    slope = np.polyder(coefficients)
    return float(min((np.polyval(slope, x) for x in rests), default=slope[-1] if len(slope) else 0.0))
