"""An affine change of variables, done on the equations (BrainPy's ``Scaling.transform``).

The potential is ``V = scale*S - bias``, with ``scale = (V_max - V_min)/(S_max - S_min)`` and
``bias = S_min*scale - V_min``. States that enter dV/dt with a coefficient free of states (a recovery variable, an
adaptation current) are divided by the same scale, about the point where their own equation rests at S = 0; inputs that
do so are divided by it. Parameters keep their unscaled values, and their units where these still agree; what is scaled
has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

import sympy as sp

from izhigen.derive.expansion import bounded_expand
from izhigen.derive.lowering import Moments, lower, moments_of, symbol
from izhigen.derive.system import algebraic_definitions
from izhigen.errors import ModelError, shown
from izhigen.model.additions import Noise, Refractory
from izhigen.model.equations import Equation
from izhigen.model.events import Assignment, arrival_place, assignment_place
from izhigen.model.expressions import Expression, parse_expression
from izhigen.model.from_sympy import sympy_text
from izhigen.model.model import Declaration
from izhigen.model.unit_checks import PERIOD
from izhigen.scalars import read_finite

D = TypeVar("D", bound=Declaration)


def scale_model(model: D, values: tuple[float, float], scaled_values: tuple[float, float]) -> D:
    """Return the model in scaled units: states, inputs and recordings are then in them.

    Parameters
    ----------
    values : (float, float)
        A range of the potential that the threshold watches, in its unit.
    scaled_values : (float, float)
        The range that it becomes.

    Raises
    ------
    ModelError
        For a model without a threshold on a state, or for an empty range.
    """
    state = model.spike_state
    if state is None:
        raise ModelError(f"model {model.name!r} has no threshold on a state, so there is no potential to scale")
    (low, high), (scaled_low, scaled_high) = _range(values), _range(scaled_values)
    if low == high or scaled_low == scaled_high:
        raise ModelError(f"scaled: the ranges {shown(values)} and {shown(scaled_values)} must not be empty")
    scale = (high - low) / (scaled_high - scaled_low)
    return _apply(model, symbol(state), scale, scaled_low * scale - low)


def _range(ends: Any) -> tuple[sp.Rational, sp.Rational]:
    try:
        low, high = ends
    except (TypeError, ValueError):
        raise ModelError(f"scaled: {shown(ends)} is not a range (low, high)") from None
    return _exact(low), _exact(high)


def _exact(value: float) -> sp.Rational:
    fraction = Fraction(repr(read_finite(value, "scaled: a value", ModelError)))
    return sp.Rational(fraction.numerator, fraction.denominator)


def _apply(model: D, potential: sp.Symbol, scale: Any, bias: Any) -> D:
    definitions = algebraic_definitions(model)
    sides = {symbol(e.name): lower(e.expression, e.where, definitions) for e in model.equations if e.is_ode}
    additive = [
        s
        for s in (*sides, *map(symbol, model.inputs))
        if s != potential and _enters_additively(s, sides[potential], sides)
    ]
    meaning: dict[sp.Symbol, Any] = {potential: scale * potential - bias}
    for name in additive:
        meaning[name] = scale * name + (_rest(name, sides[name], potential, -bias) if name in sides else 0)

    moments, at = _moments(meaning, sides, definitions)

    def change(expression: Expression, where: str, factor: Any = 1, shift: Any = 0) -> Expression:
        value = bounded_expand((lower(expression, where, moments=moments).xreplace(at) - shift) / factor)
        return parse_expression(sympy_text(value, where), where, moments=moments)

    def condition(expression: Expression, where: str) -> Expression:
        value = lower(expression, where, moments=moments).xreplace(at)
        return parse_expression(sympy_text(value, where), where, kind="condition", moments=moments)

    def assigned(assignments: tuple[Assignment, ...], what: Callable[[str], str]) -> tuple[Assignment, ...]:
        return tuple(
            Assignment(a.state, change(a.expression, what(a.state), scale, scaled[symbol(a.state)]))
            if symbol(a.state) in scaled
            else Assignment(a.state, change(a.expression, what(a.state)))
            for a in assignments
        )

    scaled = {potential: -bias, **{name: meaning[name] - scale * name for name in additive}}
    equations = tuple(_equation(e, change, scaled, scale) for e in model.equations)
    events = tuple(
        replace(e, condition=condition(e.condition, e.where), assignments=assigned(e.assignments, e.where_assigned))
        for e in model.events
    )
    arrivals = {
        name: assigned(assignments, partial(assignment_place, arrival_place(name)))
        for name, assignments in model.on_event.items()
    }
    currents = tuple(
        replace(c, expression=change(c.expression, "current", scale if symbol(c.to) in scaled else 1))
        for c in model.currents
    )
    noise = tuple(
        Noise(n.state, change(n.amplitude, "noise", scale if symbol(n.state) in scaled else 1)) for n in model.noise
    )
    changes = {
        "equations": equations,
        "events": events,
        "on_event": MappingProxyType(arrivals),
        "refractory": _refractory(model, condition),
        "currents": currents,
        "noise": noise,
        "initial": _initial(model, change, scaled, scale),
    }
    left = {name: unit for name, unit in model.units.items() if symbol(name) not in scaled}
    return _with_units(model, changes, left)


def _with_units(model: D, changes: Mapping[str, Any], units: Mapping[str, str]) -> D:
    """The changed model with the units that are left; without those of parameters where they seem to disagree."""
    try:
        return model.replaced(**changes, units=MappingProxyType(units))
    except ModelError:  # a factor of 1 is left out of the text, and what it multiplies seems to be in another unit
        of_period = {name: unit for name, unit in units.items() if name == PERIOD}
        return model.replaced(**changes, units=MappingProxyType(of_period))


def _moments(
    meaning: Mapping[sp.Symbol, Any], sides: Iterable[sp.Symbol], definitions: Iterable[str]
) -> tuple[Moments, Mapping[sp.Symbol, Any]]:
    """Names within ``old(...)`` and ``new(...)``, and what every name means in scaled ones."""
    names = [*sides, *(symbol(name) for name in definitions)]
    moments = moments_of(names, names)
    at = dict(meaning)
    for moment in moments.values():
        at |= {moment[name]: value.xreplace(moment) for name, value in meaning.items() if name in moment}
    return moments, at


def _refractory(model: Declaration, condition: Any) -> Refractory | None:
    """The refractory period, its end in scaled units where it is a condition."""
    refractory = model.refractory
    if refractory is None or refractory.until is None:
        return refractory
    return replace(refractory, until=condition(refractory.until, "until"))


def _enters_additively(name: sp.Symbol, side: Any, sides: Mapping[sp.Symbol, Any]) -> bool:
    """Whether a name stands in dV/dt with a coefficient that is not zero and free of states."""
    coefficient = sp.diff(side, name)
    return coefficient != 0 and not coefficient.free_symbols & (set(sides) | {name})


def _rest(name: sp.Symbol, side: Any, potential: sp.Symbol, at: Any) -> Any:
    """Where the state's own equation rests with the potential at the scaled origin; 0 where it is not linear."""
    fixed = side.xreplace({potential: at})
    slope = sp.diff(fixed, name)
    if slope == 0 or name in slope.free_symbols:
        return sp.S.Zero
    rest = sp.cancel(-fixed.xreplace({name: sp.S.Zero}) / slope)
    return rest if not rest.has(sp.zoo, sp.nan) else sp.S.Zero


def _equation(equation: Equation, change: Any, scaled: Mapping[sp.Symbol, Any], scale: Any) -> Equation:
    is_scaled = equation.is_ode and symbol(equation.name) in scaled
    expression = change(equation.expression, equation.where, scale if is_scaled else 1)
    return Equation(equation.name, expression, "" if is_scaled else equation.unit, equation.is_ode)


def _initial(model: Declaration, change: Any, scaled: Mapping[sp.Symbol, Any], scale: Any) -> Mapping[str, Expression]:
    """Initial values in scaled units; a scaled state that starts at 0 by default gets an explicit value."""
    zero = parse_expression("0")
    result = {}
    for state in model.states:
        name, expression = symbol(state), model.initial.get(state)
        if name in scaled:
            result[state] = change(expression or zero, f"initial value of {state}", scale, scaled[name])
        elif expression is not None:
            result[state] = change(expression, f"initial value of {state}")
    kept = {name: value for name, value in model.initial.items() if name not in model.states}
    return MappingProxyType({**result, **kept})
