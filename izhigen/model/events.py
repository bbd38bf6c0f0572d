"""Events of a declaration: what has to hold for one to happen in a neuron, and what is assigned then.

Threshold and reset are the event called ``spike``; any other is declared with :class:`Event`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from izhigen.errors import EquationError, ModelError, ValueShapeError, shown, suggest
from izhigen.model.equations import expression_text, key_text
from izhigen.model.expressions import (
    NEW,
    OLD,
    Binary,
    Compare,
    Expression,
    Moment,
    Name,
    Node,
    check_name,
    children,
    parse_expression,
    walk,
)

SPIKE = "spike"
"""The event that threshold and reset declare."""
RESET = "reset"
"""How errors call the assignments of the spike."""


class Trigger(enum.Enum):
    """When a condition makes an event happen.

    ``level``: in every step after which it holds. ``rising``: where it holds after a step and did not at that step's
    start, so that it happens once in an excursion. ``auto``: rising where the event's own assignments leave all states
    that its condition reads as they are, else level.
    """

    AUTO = "auto"
    LEVEL = "level"
    RISING = "rising"


class SpikeTiming(enum.Enum):
    """Where in a step an event happens.

    ``step``: at its end, as in BrainPy, Brian2 and GeNN. ``linear``: where the straight line between the states before
    and after integration meets the threshold. ``located``: where the method's own solution does.
    """

    STEP = "step"
    LINEAR = "linear"
    LOCATED = "located"


MOST_LOCATED = 16
"""Places in a step at which events of a neuron happen, at most. A neuron with more is left undefined: its states become
NaN, which a run tells by neuron and step.
"""


def read_spike_timing(given: Any) -> SpikeTiming:
    """The timing of that name.

    Raises
    ------
    ValueShapeError
        For another one.
    """
    known = {timing.value: timing for timing in SpikeTiming}
    if not isinstance(given, str) or given not in known:
        names = ", ".join(map(repr, known))
        raise ValueShapeError(f"spike_timing={shown(given)} is not one of {names}{suggest(given, known)}")
    return known[given]


@dataclass(frozen=True)
class Event:
    """Something that happens to a neuron besides its spike: at the end of a step, or inside it (``spike_timing``).

    As in ``Model(..., events={"burst_end": iz.Event("u < u_0", "w = 0")})``. Nothing is read before a model is made.

    Parameters
    ----------
    condition : str or SymPy relation
        Condition on the states after integration, such as ``"u < u_0"``; ``old(u)`` is the value at the step's start.
    assignments : str or mapping, optional
        What is assigned in neurons in which it happens, such as ``"w = 0; u = u + d"``. Right-hand sides read the
        values before the event; ``new(u)`` reads what a line above has assigned, ``old(u)`` the value at the step's
        start.
    trigger : {"auto", "level", "rising"}
        See :class:`~izhigen.model.events.Trigger`.
    """

    condition: Any
    assignments: Any = None
    trigger: str = "auto"


@dataclass(frozen=True)
class Assignment:
    """``state = expression``, made where an event happens or something arrives."""

    state: str
    expression: Expression

    def __str__(self) -> str:
        return f"{self.state} = {self.expression.text}"


@dataclass(frozen=True)
class DeclaredEvent:
    """An event, read.

    Attributes
    ----------
    name : str
    condition : Expression
    assignments : tuple of Assignment
    trigger : Trigger
        As declared.
    """

    name: str
    condition: Expression
    assignments: tuple[Assignment, ...] = ()
    trigger: Trigger = Trigger.AUTO

    @property
    def where(self) -> str:
        """How errors call its condition."""
        return "threshold" if self.name == SPIKE else f"event {self.name}"

    def where_assigned(self, state: str) -> str:
        """How errors call an assignment."""
        return assignment_place(RESET if self.name == SPIKE else f"event {self.name}", state)

    @property
    def expressions(self) -> Iterator[tuple[str, Expression]]:
        """Condition and right-hand sides, each with its place."""
        yield self.where, self.condition
        for assignment in self.assignments:
            yield self.where_assigned(assignment.state), assignment.expression


def assignment_place(what: str, state: str) -> str:
    """How errors call an assignment."""
    return f"{RESET} of {state}" if what == RESET else f"{what}, assignment to {state}"


# -- description ------------------------------------------------------------------------------------------------------


def arrival_lines(on_event: Mapping[str, tuple[Assignment, ...]]) -> Iterator[str]:
    """What is assigned where something arrives, in words."""
    for name, assignments in on_event.items():
        yield f"when {name} arrives: " + "; ".join(map(str, assignments))


def event_lines(event: DeclaredEvent, trigger: Trigger) -> Iterator[str]:
    """An event and what it assigns, in words."""
    rising = " becomes true" if trigger is Trigger.RISING else ""
    yield f"{event.name} when {event.condition.text}{rising}"
    if event.assignments:
        what = RESET if event.name == SPIKE else f"at {event.name}"
        yield f"{what}: " + "; ".join(map(str, event.assignments))


# -- reading --------------------------------------------------------------------------------------------------------


def parse_condition(source: Any, where: str, moments: Collection[str] = (OLD,)) -> Expression:
    """Read the condition of an event, or another on states, in which ``old`` has no meaning."""
    text = expression_text(source, where)
    if "=" in text and not any(sign in text for sign in ("==", "<", ">", "!=")):
        raise EquationError(f"{shown(text)} assigns; a condition is a comparison such as 'V >= V_th'", where)
    found = parse_expression(text, where, kind="condition", moments=moments)
    if isinstance(found.tree, Compare) and found.tree.left == found.tree.right:
        column = next((part.column for part in walk(found.tree) if isinstance(part, Name)), 1)
        raise EquationError("both sides of the comparison are the same, so it is always true or never", where, column)
    return found


def parse_trigger(source: Any, where: str) -> Trigger:
    """Read a trigger."""
    try:
        return Trigger(source)
    except ValueError:
        known = [trigger.value for trigger in Trigger]
        raise ModelError(
            f"{where}: no trigger {shown(source)}{suggest(source, known)} (triggers: {', '.join(known)})"
        ) from None


def parse_events(source: Any) -> tuple[DeclaredEvent, ...]:
    """Read ``{"name": iz.Event(...)}``; the spike comes first."""
    example = "{'burst_end': iz.Event('u < u_0', 'w = 0')}"
    if not isinstance(source, Mapping):
        raise ModelError(f"events are a mapping such as {example}, not {type(source).__name__}")
    events = []
    for key, value in source.items():
        name = check_name(key_text(key, "events"), "events")
        where = "threshold" if name == SPIKE else f"event {name}"
        if not isinstance(value, Event):
            raise ModelError(f"{where}: an event is declared as in {example}, not by {type(value).__name__}")
        condition = parse_condition(value.condition, where)
        assignments = parse_assignments(value.assignments, RESET if name == SPIKE else where)
        events.append(DeclaredEvent(name, condition, assignments, parse_trigger(value.trigger, where)))
    return spike_first(events)


def spike_first(events: Iterable[DeclaredEvent]) -> tuple[DeclaredEvent, ...]:
    """The events in the order in which they happen: the spike, then as declared."""
    return tuple(sorted(events, key=lambda event: event.name != SPIKE))


def event_numbers(names: Iterable[str]) -> dict[str, int]:
    """The number by which kernels know each event: 0 for the spike, which a model need not have, then in order."""
    return {name: number for number, name in enumerate((SPIKE, *(name for name in names if name != SPIKE)))}


def parse_on_event(source: Any) -> Mapping[str, tuple[Assignment, ...]]:
    """Read ``{"ampa": "g = g + ampa*(1 - g)"}``."""
    example = "{'ampa': 'g = g + ampa*(1 - g)'}"
    if not isinstance(source, Mapping):
        raise ModelError(f"on_event is a mapping such as {example}, not {type(source).__name__}")
    found = {}
    for key, value in source.items():
        name = check_name(key_text(key, "on_event"), "on_event")
        if name == SPIKE:
            raise ModelError("on_event names what arrives; what happens at the neuron's own spike is its reset")
        found[name] = parse_assignments(value, arrival_place(name))
        if not found[name]:
            raise ModelError(f"{arrival_place(name)}: nothing is assigned; write such as {example}")
    return found


def arrival_place(name: str) -> str:
    """How errors call what is assigned where something arrives."""
    return f"on_event {name}"


def parse_assignments(source: object, what: str = RESET) -> tuple[Assignment, ...]:
    """Read ``"V = c; u = u + d"`` (also ``u += d``), or a mapping from state to expression."""
    if source is None or (isinstance(source, str) and source == ""):
        return ()
    if isinstance(source, Mapping):
        parts = [
            (check_name(key_text(key, what), what), "", expression_text(value, what), 0)
            for key, value in source.items()
        ]
    elif isinstance(source, str):
        parts = _parts(source, what)
    else:
        kind = "a reset is" if what == RESET else "assignments are"
        raise EquationError(f"{kind} text such as 'V = c; u = u + d' or a mapping, not {type(source).__name__}", what)
    return tuple(_assignment(what, *part) for part in parts)


def _assignment(what: str, state: str, operator: str, text: str, offset: int) -> Assignment:
    """``state = text``, or ``state operator= text`` where the text is parsed as an expression of its own."""
    value = parse_expression(text, assignment_place(what, state), offset=offset, moments=(OLD, NEW))
    if not operator:
        return Assignment(state, value)
    return Assignment(
        state, Expression(f"{state} {operator} ({value.text})", Binary(operator, Name(state), value.tree))
    )


def _parts(source: str, what: str) -> list[tuple[str, str, str, int]]:
    """State, operator before ``=``, text, and the column where the text begins, of every assignment."""
    parts = []
    text = "\n".join(line.split("#", 1)[0] for line in source.splitlines())
    for match in re.finditer(r"[^;\n]+", text):
        part = match.group()
        if not part.strip():
            continue
        assignment = re.match(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*([-+*/]?)=(?!=)", part)
        if assignment is None:
            raise EquationError(f"expected 'state = expression', found {shown(part.strip())}", what, match.start() + 1)
        state, operator = assignment.groups()
        parts.append((state, operator, part[assignment.end() :], match.start() + assignment.end()))
    return parts


def names_outside_old(expression: Expression) -> set[str]:
    """The names that an expression reads outside ``old(...)``."""
    found, waiting = set[str](), [expression.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Name):
            found.add(node.id)
        if not (isinstance(node, Moment) and node.which == OLD):
            waiting += children(node)
    return found


# -- checking -------------------------------------------------------------------------------------------------------


def check_assignments(
    assignments: Iterable[Assignment], what: str, states: Iterable[str], reads: Callable[[Node], set[str]]
) -> None:
    """Refuse assignments to what is no state, twice to one, or with ``new(x)`` of what no line above assigns.

    ``reads(tree)`` gives the states that an expression reads, also through algebraic lines.
    """
    known, seen = tuple(states), set[str]()
    for assignment in assignments:
        if assignment.state not in known:
            raise ModelError(
                f"{what}: no state {assignment.state!r}{suggest(assignment.state, known)} (states: {', '.join(known)})"
            )
        if assignment.state in seen:
            raise ModelError(
                f"{what}: {assignment.state!r} is assigned twice; "
                f"all assignments read the values before the {RESET if what == RESET else 'event'}, so write one"
            )
        for node in walk(assignment.expression.tree):
            if isinstance(node, Moment) and node.which == NEW and not seen & reads(node.operand):
                column = next((n.column for n in walk(node.operand) if isinstance(n, Name)), 0)
                above = f"lines above assign {', '.join(sorted(seen))} only" if seen else "no line stands above it"
                raise ModelError(
                    f"{assignment_place(what, assignment.state)}, column {column}: new() reads what a line above has "
                    f"assigned, and {above}; leave out new() for the value before"
                )
        seen.add(assignment.state)
