"""The method that fits a model: ``method="auto"``.

The rule is one of cost at equal error (docs/methods.md has the figures):

- wholly linear with rates of parameters: ``exact``;
- spikes at the ends of steps: ``exp_euler``, as every method is then of first order through them;
- right-hand sides that are polynomials of the states: ``rk4``, which is as cheap as its products, unless a state decays
  so fast at the default parameters that an explicit method needs small steps;
- an upstroke that a threshold ends: ``etdrk2``, which is good at large steps too;
- else, as with gates: ``strang``, which asks for each rate once a step.
"""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

from izhigen.derive.lowering import DT, symbol
from izhigen.derive.schemes import exact
from izhigen.derive.stages import ceiling
from izhigen.derive.system import System, build_system
from izhigen.model.events import SpikeTiming
from izhigen.model.model import Declaration

FASTEST = 2
"""A decay faster than this, per ms, is stiff for steps of about a ms."""


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
        if (rate := _own_rate(system, equation.rate)) < -FASTEST:
            return f"{name} decays at {-rate:.3g} per ms"
    return None


def _own_rate(system: System, rate: sp.Expr) -> float:
    """The part of a rate that is free of states, inputs and time, at the default parameters."""
    defaults = {symbol(name): sp.Float(value) for name, value in system.model.parameters.items()}
    fixed = sp.Add(*(term for term in sp.Add.make_args(sp.expand(rate)) if term.free_symbols <= {*defaults, DT}))
    return float(fixed.xreplace({**defaults, DT: sp.S.Zero}))
