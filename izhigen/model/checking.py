"""Whether the parts of a declaration fit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from izhigen.errors import ModelError, shown, suggest
from izhigen.model.additions import REFRACTORY
from izhigen.model.events import (
    RESET,
    SPIKE,
    DeclaredEvent,
    Trigger,
    arrival_place,
    assignment_place,
    check_assignments,
)
from izhigen.model.expressions import Expression, Name, Node, walk
from izhigen.model.functions import CONSTANTS, FUNCTIONS, LAST_SPIKE, RESERVED, TIME_NAMES
from izhigen.model.limits import MOST_LINES, check_inlined
from izhigen.model.unit_checks import Parts, check_units
from izhigen.units.names import check_unit

INTERFACE_NAMES = frozenset(
    """
    self model size dt method backend dtype threads seed batch device sharding steps_per_launch
    duration steps record every neurons progress check_finite out run step reset state parameters spike shape
    kernel build_info t surrogate detach_spike spike_reset spike_scale smooth_spikes tape begin_at spike_timing
    cluster shards checkpoint saved saved_for_checkpoint from_saved from_options restored run_part
    """.split()
)
"""Options and attributes of populations, which states, parameters and inputs must not be called."""
SPIKE_FIGURES = ("count", "first_spike", "isi")
"""What recordings call the figures of a neuron's spikes."""
ALL = "all"
"""What ``record`` calls everything that a model has."""
DERIVED_STATES = (REFRACTORY.name, LAST_SPIKE)
"""What neurons have beside their own states: whether each is refractory, and the time of its last spike."""
NO_REASONS: Mapping[str, str] = MappingProxyType({})
MOST_EVENTS = 8
"""Most events of a model, its spike included: the flags of a neuron's events fill a byte."""


def _expressions(fields: Mapping[str, Any]) -> Iterator[tuple[str, Expression]]:
    """Every expression of a declaration except initial values, with its place."""
    yield from _own_expressions(fields)
    for _, where, expression in _arriving(fields):
        yield where, expression


def _arriving(fields: Mapping[str, Any]) -> Iterator[tuple[str, str, Expression]]:
    """What is assigned where something arrives: the event input, the place, and the expression."""
    for name, assignments in fields["on_event"].items():
        for assignment in assignments:
            yield name, assignment_place(arrival_place(name), assignment.state), assignment.expression


def _own_expressions(fields: Mapping[str, Any]) -> Iterator[tuple[str, Expression]]:
    for equation in fields["equations"]:
        yield equation.where, equation.expression
    for event in fields["events"]:
        yield from event.expressions
    refractory = fields["refractory"]
    if refractory is not None and refractory.until is not None:
        yield "with_refractory: until", refractory.until
    for index, current in enumerate(fields["currents"], start=1):
        yield f"current {index}", current.expression
    for noise in fields["noise"]:
        yield f"noise on {noise.state}", noise.amplitude


def names_in_fields(fields: Mapping[str, Any]) -> set[str]:
    """All names that the expressions of a declaration's fields read."""
    read: set[str] = set()
    for _, expression in _expressions(fields):
        read.update(expression.names)
    for expression in fields["initial"].values():
        read.update(expression.names)
    if fields["refractory"] is not None and fields["refractory"].until is None:
        read.add("tau_ref")
    return read


class Declared(Parts, Protocol):
    """What is checked, as :class:`~izhigen.model.model.Declaration` has it."""

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state variables."""
        ...

    @property
    def delta_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that add to a state."""
        ...

    @property
    def spike(self) -> DeclaredEvent | None:
        """The event that threshold and reset declare."""
        ...

    @property
    def keeps_last_spike(self) -> bool:
        """Whether neurons keep the time of their last spike."""
        ...

    def reads(self, names: Iterable[str], *, frozen: bool = True) -> set[str]:
        """The names, and what they read through algebraic lines and currents."""
        ...

    def changes_within_step(self, event: DeclaredEvent) -> bool:
        """Whether the condition of an event may be another at a step's end."""
        ...


def check_declaration(model: Declared, fields: Mapping[str, Any]) -> None:
    """Refuse parts that do not fit together; called before anybody else sees the model. ``fields`` are all its parts.

    Raises
    ------
    ModelError
        An undefined, duplicate or clashing name, a circle, a part that was composed for a state that is gone,
        or too much of anything.
    """
    if not model.states:
        raise ModelError(f"model {model.name!r} has no differential equation; write at least one line 'dx/dt = ...'")
    _check_unique(model)
    known = set(model.states) | {e.name for e in model.equations} | set(model.parameters) | set(model.inputs)
    last_spike = {LAST_SPIKE} if model.spike else set[str]()
    readable = (known - set(model.on_event)) | set(CONSTANTS) | set(TIME_NAMES) | last_spike
    reasons = {
        LAST_SPIKE: "is known in models with a threshold; this one has none",
        **{name: f"is an event input, read in its own on_event={{{name!r}: ...}} only" for name in model.on_event},
    }
    for where, expression in _own_expressions(fields):
        _check_names(expression, readable, where, reasons)
    for name, where, expression in _arriving(fields):
        _check_names(expression, readable | {name}, where, reasons)
    parameters_and_states = set(model.parameters) | set(model.states) | set(CONSTANTS)
    for state, expression in model.initial.items():
        allowed = parameters_and_states - (set(model.states) if state == LAST_SPIKE else set())
        _check_names(expression, allowed, f"initial value of {state}")
    if REFRACTORY.name in model.initial and REFRACTORY.name not in model.states:
        raise ModelError(
            f"initial: model {model.name!r} has no state {REFRACTORY.name}; with_refractory(until=...) gives it one"
        )
    if LAST_SPIKE in model.initial and not model.keeps_last_spike:
        raise ModelError(
            f"initial: neurons of model {model.name!r} do not keep {LAST_SPIKE}; read it in an equation, "
            "or give the model a refractory period first and then variant(initial=...)"
        )
    _check_events(model)
    _check_parts(model)
    for name in model.units:
        if name not in known:
            raise ModelError(f"units: {shown(name)} is neither a parameter nor an input{suggest(name, known)}")
        check_unit(model.units[name], f"unit of {name}")
    check_units(model)
    _check_size(model)
    sizes = _check_acyclic({e.name: e.expression for e in model.equations if not e.is_ode}, "algebraic lines")
    for where, expression in _expressions(fields):
        check_inlined(where.removeprefix("equation "), expression, sizes)
    _check_acyclic(dict(model.initial), "initial values")


def _check_unique(model: Declared) -> None:
    for name in (*(e.name for e in model.equations), *model.inputs, *(event.name for event in model.events)):
        if name in (*SPIKE_FIGURES, ALL):
            raise ModelError(
                f"model {model.name!r}: {shown(name)} clashes: record={shown(name)} means something else; rename it"
            )
    kinds = [
        ("equation", [e.name for e in model.equations]),
        ("parameter", list(model.parameters)),
        ("input", list(model.inputs)),
        ("event", [event.name for event in model.events if event.name != SPIKE]),
        ("built-in input", list(model.delta_inputs)),
        ("built-in state", list(DERIVED_STATES)),
    ]
    seen: dict[str, str] = {}
    for kind, names in kinds:
        for name in names:
            if name in INTERFACE_NAMES:
                raise ModelError(
                    f"model {model.name!r}: {kind} {shown(name)} clashes: "
                    f"populations have an option or attribute {shown(name)}; rename it"
                )
            if name in RESERVED:
                what = "a function" if name in FUNCTIONS else "a constant" if name in CONSTANTS else "reserved"
                raise ModelError(
                    f"model {model.name!r}: {kind} {name!r} clashes: {name!r} is {what} of the language; rename it"
                )
            if name in seen:
                again = f"defined twice as {kind}" if seen[name] == kind else f"both {seen[name]} and {kind}"
                raise ModelError(f"model {model.name!r}: {shown(name)} is {again}; rename one of them")
            seen[name] = kind


def _check_names(expression: Expression, known: set[str], where: str, reasons: Mapping[str, str] = NO_REASONS) -> None:
    """Refuse names that are not known; some names have a reason of their own."""
    for name, column in expression.names.items():
        if name not in known and name in reasons:
            raise ModelError(f"{where}, column {column}: {shown(name)} {reasons[name]}")
        if name not in known:
            hint = suggest(name, known) or "; declare it as a parameter, an input or an algebraic line"
            raise ModelError(f"{where}, column {column}: undefined name {shown(name)}{hint}")


def _check_events(model: Declared) -> None:
    others = [event for event in model.events if event.name != SPIKE]
    if len(others) >= MOST_EVENTS:
        raise ModelError(
            f"model {model.name!r} has {len(others)} events besides the spike, more than {MOST_EVENTS - 1}"
        )
    states = set(model.states)

    def read(node: Node) -> set[str]:
        return model.reads(part.id for part in walk(node) if isinstance(part, Name)) & states

    for event in model.events:
        check_assignments(event.assignments, RESET if event.name == SPIKE else event.where, model.states, read)
        if not event.condition.names.keys() - CONSTANTS.keys():
            raise ModelError(f"{event.where}, column 1: {event.condition.text!r} reads nothing that varies")
        if event.trigger is Trigger.RISING and not model.changes_within_step(event):
            raise ModelError(
                f"{event.where}: {event.condition.text!r} reads no state, or only in old(), so it never changes within "
                "a step and cannot rise; take trigger='level'"
            )
    if model.spike and any(a.state == REFRACTORY.name for a in model.spike.assignments):
        raise ModelError(f"reset: {REFRACTORY.name!r} becomes 1 at a spike; another event may set it to 0")
    for name, assignments in model.on_event.items():
        states_of_equations = [e.name for e in model.equations if e.is_ode]
        check_assignments(assignments, arrival_place(name), states_of_equations, read)


def _check_parts(model: Declared) -> None:
    """What composition added must still have the states and inputs that it was made for."""
    held = [("a refractory period", state) for state in model.refractory.states] if model.refractory else []
    for what, state in [*held, *(("noise", noise.state) for noise in model.noise)]:
        if state not in model.states:
            raise ModelError(
                f"model {model.name!r} has {what} on {shown(state)}, which is no state of it any more "
                f"(states: {', '.join(model.states)}); compose it again from a model without"
            )
    if model.refractory and model.spike is None:
        raise ModelError(f"model {model.name!r} has a refractory period but no threshold")
    for current in model.currents:
        if current.to not in model.inputs:
            raise ModelError(
                f"model {model.name!r} has a current {shown(current.expression.text)} that adds to {current.to!r}, "
                f"which is no input of it any more (inputs: {', '.join(model.inputs)})"
            )


def _check_size(model: Declared) -> None:
    lines = sum(not e.is_ode for e in model.equations)
    if lines > MOST_LINES:
        raise ModelError(f"model {model.name!r} has {lines} algebraic lines, more than {MOST_LINES}")


def _check_acyclic(definitions: Mapping[str, Expression], what: str) -> dict[str, tuple[int, int]]:
    """Sizes and depths of the definitions, inlined; an error for a circle."""
    done: dict[str, tuple[int, int]] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ModelError(f"{what} are cyclic: {' -> '.join((*path[path.index(name) :], name))}; break the circle")
        if name not in done:
            for other in definitions[name].names:
                if other in definitions:
                    visit(other, (*path, name))
            done[name] = check_inlined(name, definitions[name], done)

    for name in definitions:
        visit(name, ())
    return done
