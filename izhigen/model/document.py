"""A model as plain data, fit for JSON, and back: text that is parsed again, nothing that is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from izhigen.errors import IzhigenError, ModelError, first_line
from izhigen.model.additions import Current, Noise, Refractory
from izhigen.model.equations import Equation, check_text
from izhigen.model.events import Assignment, DeclaredEvent, Trigger
from izhigen.model.expressions import NEW, OLD, Expression, check_name, parse_expression
from izhigen.model.model import Declaration
from izhigen.scalars import read_finite
from izhigen.units.names import check_unit

D = TypeVar("D", bound=Declaration)

WHERE = "document of a model"


def model_document(model: Declaration) -> dict[str, Any]:
    """All fields of a model as lists, mappings, texts and numbers.

    Raises
    ------
    ModelError
        Should the text of an expression not say what the model computes.
    """
    refractory = model.refractory
    found: dict[str, Any] = {
        "name": model.name,
        "description": model.description,
        "equations": [[e.name, e.is_ode, e.expression.text, e.unit] for e in model.equations],
        "events": [[e.name, e.condition.text, e.trigger.value, _texts(e.assignments)] for e in model.events],
        "parameters": [[name, value] for name, value in model.parameters.items()],
        "inputs": list(model.inputs),
        "on_event": [[name, _texts(made)] for name, made in model.on_event.items()],
        "initial": [[name, value.text] for name, value in model.initial.items()],
        "units": dict(model.units),
        "currents": [[current.expression.text, current.to, current.held] for current in model.currents],
        "liquid": model.liquid,
        "refractory": None
        if refractory is None
        else [list(refractory.states), None if refractory.until is None else refractory.until.text],
        "noise": [[noise.state, noise.amplitude.text] for noise in model.noise],
    }
    again = read_model(found, type(model))
    if again.fields != model.fields or list(again.parameters) != list(model.parameters):
        raise ModelError(f"model {model.name!r} cannot be written as text that means the same")
    return found


def _texts(assignments: Iterable[Assignment]) -> list[list[str]]:
    return [[made.state, made.expression.text] for made in assignments]


def read_model(document: Any, kind: type[D]) -> D:
    """The model that a document describes, of that class; checked like one that a user declares.

    Raises
    ------
    ModelError
        For what is no such document.
    EquationError
        For text outside the equation language.
    """
    try:
        fields = _fields(document)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        if isinstance(problem, IzhigenError):
            raise
        raise ModelError(f"{WHERE}: {type(problem).__name__}: {first_line(problem)}") from None
    return kind.from_fields(fields)


def _fields(document: Mapping[str, Any]) -> dict[str, Any]:
    refractory = document["refractory"]
    if refractory is not None:
        held, until = refractory
        condition = None if until is None else _expression(until, condition=True)
        refractory = Refractory(tuple(_name(state) for state in held), condition)
    units = {_name(key): check_text(value, "units") for key, value in document["units"].items()}
    on_event = {_name(name): _assignments(made) for name, made in document["on_event"]}
    return {
        "name": check_name(document["name"], "model name"),
        "description": check_text(document["description"], "description"),
        "equations": tuple(
            Equation(_name(name), _expression(text), _unit(unit), _flag(is_ode))
            for name, is_ode, text, unit in document["equations"]
        ),
        "events": tuple(
            DeclaredEvent(_name(name), _expression(text, condition=True), _assignments(made), Trigger(trigger))
            for name, text, trigger, made in document["events"]
        ),
        "parameters": MappingProxyType({_name(k): read_finite(v, k, ModelError) for k, v in document["parameters"]}),
        "inputs": tuple(_name(name) for name in document["inputs"]),
        "on_event": MappingProxyType(on_event),
        "initial": MappingProxyType({_name(name): _expression(text) for name, text in document["initial"]}),
        "units": MappingProxyType(units),
        "currents": tuple(
            Current(_expression(text), _name(to), *map(_flag, held)) for text, to, *held in document["currents"]
        ),
        "liquid": _flag(document["liquid"]),
        "refractory": refractory,
        "noise": tuple(Noise(_name(state), _expression(text)) for state, text in document["noise"]),
    }


def _name(name: Any) -> str:
    return check_name(name, WHERE)


def _unit(text: Any) -> str:
    return check_unit(text, WHERE) if text != "" else ""


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ModelError(f"{WHERE}: {value!r} is not true or false")
    return value


def _assignments(made: Any) -> tuple[Assignment, ...]:
    return tuple(Assignment(_name(state), _expression(text)) for state, text in made)


def _expression(text: Any, *, condition: bool = False) -> Expression:
    kind = "condition" if condition else "number"
    return parse_expression(text, WHERE, kind=kind, moments=(OLD, NEW))
