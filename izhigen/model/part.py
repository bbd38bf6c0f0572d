"""A part of a neuron that brings equations of its own: a synapse, a channel with its gates, an adaptation."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from izhigen.errors import ModelError, shown, suggest
from izhigen.model.equations import Equation, check_text, expression_text, parse_equations
from izhigen.model.events import (
    SPIKE,
    Assignment,
    DeclaredEvent,
    arrival_lines,
    event_lines,
    parse_assignments,
    parse_events,
    parse_on_event,
    spike_first,
)
from izhigen.model.expressions import Expression, check_name, parse_expression, renamed
from izhigen.model.functions import CONSTANTS, LAST_SPIKE, TIME_NAMES
from izhigen.model.reading import read_initial, read_input_names, read_parameters, read_units
from izhigen.scalars import read_flag


@dataclass(frozen=True)
class Part:
    """What a part declares, read; the fields are those of a declaration.

    ``current`` adds to an input of the neuron, by default to the first one (``to``), and is held during a step or not;
    ``reset`` adds to what is assigned at its spike.
    """

    equations: tuple[Equation, ...]
    current: Expression | None
    inputs: tuple[str, ...]
    on_event: Mapping[str, tuple[Assignment, ...]]
    events: tuple[DeclaredEvent, ...]
    reset: tuple[Assignment, ...]
    parameters: Mapping[str, float]
    initial: Mapping[str, Expression]
    units: Mapping[str, str]
    to: str | None
    held: bool
    description: str

    @property
    def states(self) -> tuple[str, ...]:
        """Names of its state variables."""
        return tuple(e.name for e in self.equations if e.is_ode)

    @property
    def reads(self) -> set[str]:
        """All names that its expressions read, its own among them."""
        currents = () if self.current is None else (self.current,)
        assigned = [a.expression for a in (*self.reset, *(a for value in self.on_event.values() for a in value))]
        events = [expression for event in self.events for _, expression in event.expressions]
        expressions = [*currents, *assigned, *events, *(e.expression for e in self.equations), *self.initial.values()]
        return {name for expression in expressions for name in expression.names}

    @property
    def wants(self) -> list[str]:
        """Names that it reads and does not declare, so that the neuron has to."""
        return sorted(self.reads - self.names.keys() - CONSTANTS.keys() - {*TIME_NAMES, LAST_SPIKE})

    def unit_of(self, name: str) -> str:
        """Unit of one of its names; an empty string when none was given."""
        return next((e.unit for e in self.equations if e.name == name), self.units.get(name, ""))

    def describe(self) -> Iterator[str]:
        """Lines that state all of it but its numbers, as those of a declaration do."""
        yield from (str(equation) for equation in self.equations)
        if self.current:
            yield f"current: {self.current.text}" + ("" if self.held else "    (part of the equation)")
        yield from arrival_lines(self.on_event)
        for event in self.events:
            yield from event_lines(event, event.trigger)
        if self.reset:
            yield "reset: " + "; ".join(map(str, self.reset))

    @property
    def names(self) -> dict[str, str]:
        """What it declares, each name with what it is."""
        return {
            **{e.name: "equation" for e in self.equations},
            **dict.fromkeys(self.parameters, "parameter"),
            **dict.fromkeys((*self.inputs, *self.on_event), "input"),
            **{event.name: "event" for event in self.events},
        }

    def prefixed(self, prefix: str) -> Part:
        """The part with ``<prefix>_`` before everything that it declares, wherever it stands."""
        names = {name: check_name(f"{prefix}_{name}", "prefix") for name in self.names}

        def change(expression: Expression) -> Expression:
            return renamed(expression, names)

        def assigned(assignments: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
            return tuple(Assignment(names.get(a.state, a.state), change(a.expression)) for a in assignments)

        return replace(
            self,
            equations=tuple(replace(e, name=names[e.name], expression=change(e.expression)) for e in self.equations),
            current=change(self.current) if self.current else None,
            inputs=tuple(names[name] for name in self.inputs),
            on_event={names[name]: assigned(value) for name, value in self.on_event.items()},
            events=tuple(
                replace(e, name=names[e.name], condition=change(e.condition), assignments=assigned(e.assignments))
                for e in self.events
            ),
            reset=assigned(self.reset),
            parameters={names[name]: value for name, value in self.parameters.items()},
            initial={names.get(name, name): change(value) for name, value in self.initial.items()},
            units={names.get(name, name): unit for name, unit in self.units.items()},
        )


def read_part(
    equations: Any = None,
    *,
    current: Any = None,
    to: str | None = None,
    held: bool = True,
    inputs: Iterable[str] = (),
    on_event: Any = None,
    events: Any = None,
    reset: Any = None,
    parameters: Mapping[str, float] = MappingProxyType({}),
    initial: Any = None,
    units: Any = None,
    description: str = "",
) -> Part:
    """Read what :meth:`~izhigen.model.composition.Composable.with_part` is given."""
    parsed = parse_equations(equations) if equations is not None else ()
    of_names = read_units(units, parameters)
    happening = parse_events({} if events is None else events)
    if any(event.name == SPIKE for event in happening):
        raise ModelError(
            "with_part: the neuron has the event 'spike'; what a part assigns there is its reset='w = w + b'"
        )
    return Part(
        parsed,
        None if current is None else parse_expression(expression_text(current, "current"), "current"),
        read_input_names(inputs),
        parse_on_event({} if on_event is None else on_event),
        happening,
        parse_assignments(reset),
        read_parameters(parameters, of_names),
        read_initial({} if initial is None else initial, parsed),
        of_names,
        to,
        read_flag(held, "held"),
        check_text(description, "description"),
    )


ARGUMENTS = tuple("equations current to held inputs on_event events reset parameters initial units description".split())
"""Names of what :meth:`~izhigen.model.composition.Composable.with_part` takes beside parameters."""


def check_more_parameters(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters given by keyword; what is no number may be an argument with a typing error."""
    for name, value in given.items():
        hint = suggest(name, (*ARGUMENTS, "prefix"))
        if hint and not isinstance(value, numbers.Real):
            raise ModelError(f"with_part: no argument {shown(name)}{hint}, and no number for a parameter")
    return given


def check_all_read(part: Part, read_by_model: Collection[str]) -> None:
    """Refuse parameters of a part that nothing reads."""
    read = part.reads
    for name in part.parameters:
        if name not in read and name not in read_by_model:
            raise ModelError(f"with_part: nothing reads parameter {shown(name)}{suggest(name, (*ARGUMENTS, *read))}")


def check_no_clash(part: Part, taken: Mapping[str, str], model: str) -> None:
    """Refuse names of a part that a model has already; ``taken`` says what each of those is."""
    for name, kind in part.names.items():
        if name in taken:
            raise ModelError(
                f"with_part: {kind} {shown(name)} exists already in model {model!r} as {taken[name]}; "
                f"give the part a prefix, as in with_part(..., prefix='syn'), and it becomes 'syn_{name}'"
            )


def joined_events(present: tuple[DeclaredEvent, ...], part: Part, model: str) -> tuple[DeclaredEvent, ...]:
    """The events of a model and of a part, in this order; its reset is added to the spike's assignments."""
    events = [replace(e, assignments=(*e.assignments, *part.reset)) if e.name == SPIKE else e for e in present]
    if part.reset and not any(event.name == SPIKE for event in present):
        raise ModelError(f"with_part: model {model!r} has no threshold, so a part has no spike to reset at")
    return spike_first((*events, *part.events))
