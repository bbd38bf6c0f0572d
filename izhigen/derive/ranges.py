"""Where the argument of phi1 is small enough for one polynomial: what can be proved, and what has to be checked.

The linear part of a spiking state is often affine in that state, z = A*x + B with A and B free of other states
(Izhikevich: z = dt*(2*p1*V + p2)). After a step the state lies below its threshold, or at its reset value; so z is
bounded on one side by its value at the threshold, and the generated kernel checks the rest of the range before it uses
the polynomial. There are two, a short one and a wide one; which of them a kernel takes depends on parameters and dt
only, never on a neuron or its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from izhigen.derive.functions import phi1
from izhigen.derive.lowering import DT, symbol
from izhigen.derive.step import Step
from izhigen.model.events import Trigger

SHORT_RANGE = 1
"""The short form of phi1 serves arguments of at most this size."""
WIDE_RANGE = 2
"""The same of its wide form, of higher degree, taken where the short one does not serve up to the threshold."""


def within(argument: Any, size: int) -> tuple[Any, Any]:
    """The comparisons that an argument between -size and size meets; one that is no number meets none of them."""
    return sp.Ge(argument, -size, evaluate=False), sp.Le(argument, size, evaluate=False)


@dataclass(frozen=True)
class ShortRange:
    """The argument z of a phi1 that is affine in the spiking state.

    Attributes
    ----------
    argument : Symbol
        The intermediate z of the step.
    expression : Expr
        Its value, in states, parameters, inputs and dt.
    state : Symbol
        The spiking state that it is affine in.
    bound : Expr
        The threshold's value, which the state does not reach after a step.
    at_bound : Expr
        z at the bound with inputs at rest (0); in parameters and dt only.
    """

    argument: sp.Symbol
    expression: Any
    state: sp.Symbol
    bound: Any
    at_bound: Any

    def proof(self, defaults: dict[sp.Symbol, float]) -> tuple[str, ...]:
        """Lines that say why the short form may be used, and for which steps at the default parameters."""
        inputs = sorted(s.name for s in self.expression.free_symbols - self.at_bound.free_symbols - {self.state})
        rest = f" with {', '.join(inputs)} = 0" if inputs else ""
        lines = [
            f"phi1({self.argument}): short form for |{self.argument}| <= {SHORT_RANGE}, "
            f"where {self.argument} = {self.expression}",
            f"  above: {self.state} < {self.bound} after a step (threshold), "
            f"so {self.argument} < {self.at_bound}{rest}",
        ]
        slope = sp.diff(self.at_bound.xreplace(defaults), DT)
        if slope.is_number and slope > 0:
            lines[-1] += (
                f", which is at most {SHORT_RANGE} "
                f"for dt <= {float(SHORT_RANGE / slope):.4g} ms at the default parameters"
            )
            wide = f"  larger steps up to {float(WIDE_RANGE / slope):.4g} ms"
        else:
            wide = f"  where {self.argument} at the threshold is larger, but at most {WIDE_RANGE}"
        lines.append(f"{wide}: a form of higher degree serves |{self.argument}| <= {WIDE_RANGE} in C")
        lines.append(
            f"  below and at the start: every step of a tile checks |{self.argument}|; "
            "a neuron outside takes the full form"
        )
        return tuple(lines)


def short_ranges(step: Step) -> tuple[ShortRange, ...]:
    """The arguments of phi1 in a step whose range the threshold bounds."""
    spiking = _bounded_state(step)
    if spiking is None:
        return ()
    state, bound = spiking
    values = [*step.increments, *(assignment.expression for assignment in step.assignments)]
    called = {call.args[0] for value in values for call in value.atoms(phi1)}
    found = []
    for assignment in step.assignments:
        if assignment.symbol in called and _is_affine(assignment.expression, state, step):
            inputs = {symbol(name): sp.S.Zero for name in step.model.inputs}
            at_bound = assignment.expression.xreplace({state: bound, **inputs})
            if not at_bound.has(sp.nan, sp.zoo, sp.oo):
                found.append(ShortRange(assignment.symbol, assignment.expression, state, bound, at_bound))
    return tuple(found)


def _bounded_state(step: Step) -> tuple[sp.Symbol, Any] | None:
    """The state x and the bound E of a threshold ``x >= E`` or ``x > E`` that depends on nothing that varies.

    After a step x is below E or what the reset made it: so where the spike comes in every step after which x >= E
    holds, also in those that are held, and its reset writes x, which no later event does.
    """
    event = step.spike
    if event is None or event.margin is None or event.trigger is not Trigger.LEVEL or event.is_muted:
        return None
    state, bound = event.condition.gts, event.condition.lts
    constant = {DT, *(symbol(name) for name in step.model.parameters)}
    assigned = [assignment.symbol for other in step.events[1:] for assignment in other.resets]
    if state not in {reset.symbol for reset in event.resets} or state in assigned or not bound.free_symbols <= constant:
        return None
    return state, bound


def _is_affine(expression: Any, state: sp.Symbol, step: Step) -> bool:
    """Whether z is A*x + B, with a slope A of parameters and dt, and B a polynomial of parameters, dt and inputs."""
    constant = {DT, *(symbol(name) for name in step.model.parameters)}
    allowed = constant | {state} | {symbol(name) for name in step.model.inputs}
    if not expression.free_symbols <= allowed or not expression.is_polynomial(*(allowed - constant)):
        return False
    slope = sp.diff(expression, state)
    return bool(slope != 0 and slope.free_symbols <= constant)
