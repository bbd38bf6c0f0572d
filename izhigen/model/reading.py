"""Reading the parts of a declaration as users give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from izhigen.errors import ModelError, shown, suggest
from izhigen.model.additions import REFRACTORY
from izhigen.model.equations import Equation, expression_text, key_text
from izhigen.model.events import (
    SPIKE,
    DeclaredEvent,
    Trigger,
    parse_assignments,
    parse_condition,
    parse_trigger,
    spike_first,
)
from izhigen.model.expressions import Expression, check_name, parse_expression
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.unit_checks import TIME
from izhigen.scalars import carries_unit, read_finite, scalar_of
from izhigen.units.dimensions import in_inner_time
from izhigen.units.names import check_unit, has_factor
from izhigen.units.quantities import plain, read_text

NO_UNITS: Mapping[str, str] = MappingProxyType({})


def with_spike(
    name: str, others: tuple[DeclaredEvent, ...], threshold: Any, reset: Any, trigger: Any = "auto"
) -> tuple[DeclaredEvent, ...]:
    """Events and the spike that threshold and reset declare; each of them read, or still to be read."""
    happens = parse_trigger(trigger, "threshold")
    if any(event.name == SPIKE for event in others):
        if threshold is not None or reset:
            raise ModelError(f"model {name!r}: threshold and reset declare the event 'spike'; leave it out of events")
        if happens is not Trigger.AUTO:
            raise ModelError(f"model {name!r}: trigger= is that of threshold=; give it to the event 'spike'")
        return others
    assignments = reset if isinstance(reset, tuple) else parse_assignments(reset)
    if threshold is None:
        if assignments:
            raise ModelError(f"model {name!r} has a reset but no threshold; add threshold='V >= V_th'")
        if happens is not Trigger.AUTO:
            raise ModelError(f"model {name!r} has a trigger but no threshold; add threshold='V >= V_th'")
        return others
    condition = threshold if isinstance(threshold, Expression) else parse_condition(threshold, "threshold")
    return spike_first((DeclaredEvent(SPIKE, condition, assignments, happens), *others))


def read_mapping(what: str, value: Any, example: str) -> Mapping[str, Any]:
    """A mapping, or an error that shows what one looks like."""
    if not isinstance(value, Mapping):
        raise ModelError(f"{what} are a mapping such as {example}, not {type(value).__name__}")
    return value


def read_parameters(parameters: Mapping[str, Any], units: Mapping[str, str] = NO_UNITS) -> Mapping[str, float]:
    """Numbers by name, in ``units`` where they bring one of their own, as ``"10*ms"`` does (:func:`read_units`)."""
    result: dict[str, float] = {}
    for key, value in read_mapping("parameters", parameters, "{'tau': 10.0}").items():
        name = check_name(key_text(key, "parameters"), "parameters")
        where = f"parameter {shown(name)}"
        result[name] = read_finite(plain(value, units.get(name, ""), where), where, ModelError)
    return MappingProxyType(result)


def read_units(units: Any, parameters: Any) -> Mapping[str, str]:
    """Units by name: those that are given, and of other parameters those that their text brings; times are in ms."""
    found = dict(read_mapping("units", {} if units is None else units, "{'tau': 'ms'}"))
    for name in found:
        check_unit(found[name], f"unit of {name}")
    for key, value in read_mapping("parameters", parameters, "{'tau': 10.0}").items():
        name = key_text(key, "parameters")
        if isinstance(value, str) and name not in found:
            unit = read_text(value, f"parameter {shown(name)}")[1]
            if has_factor(unit):
                raise ModelError(
                    f"parameter {shown(name)} = {shown(value)} has several numbers; write one, and a unit without"
                )
            found |= {name: in_inner_time(unit)} if unit else {}
    return MappingProxyType(found)


def read_input_names(inputs: Iterable[str]) -> tuple[str, ...]:
    """Names of inputs, in order."""
    if isinstance(inputs, str):
        raise ModelError(f"inputs={shown(inputs)} is one string; give a list such as inputs=[{shown(inputs)}]")
    try:
        names = iter(inputs)
    except TypeError:
        raise ModelError(f"inputs={shown(inputs)} is not a list of names") from None
    return tuple(check_name(key_text(name, "inputs"), "inputs") for name in names)


def read_initial(initial: Mapping[str, Any], equations: tuple[Equation, ...]) -> Mapping[str, Expression]:
    """Initial values of the states of some equations, of ``refractory`` and of ``t_last_spike``."""
    states = {e.name: e.unit for e in equations if e.is_ode}
    units = {**states, REFRACTORY.name: "1", LAST_SPIKE: TIME}
    result: dict[str, Expression] = {}
    for key, value in read_mapping("initial values", initial, "{'V': -65.0}").items():
        name = key_text(key, "initial")
        if name not in units:
            raise ModelError(f"initial: no state {shown(name)}{suggest(name, states)} (states: {', '.join(states)})")
        place = f"initial value of {name}"
        number = scalar_of(plain(value, units[name], place)) if carries_unit(value) else value
        result[name] = parse_expression(expression_text(number, place), place)
    return MappingProxyType({state: result[state] for state in units if state in result})
