"""The view of the search for events inside a step."""

from __future__ import annotations

from collections.abc import Iterable

from izhigen.codegen.identifiers import c_name
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.location import SEARCH, old_value
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.printing import printed, word_of
from izhigen.codegen.procedure import Kind, Placement, Procedure
from izhigen.codegen.view import EventView, Lane, LocationView, ProcedureView, Variable
from izhigen.codegen.words import Words
from izhigen.derive.location import FINEST, HALVED, MOST_TRIES, NEVER
from izhigen.model.events import MOST_LOCATED, SpikeTiming, Trigger


def location_view(
    kernel: Kernel, lanes: Iterable[Lane], events: tuple[EventView, ...], printer: CPrinter, words: Words
) -> LocationView:
    """What the templates print of it."""
    step, found = kernel.step, kernel.step.location
    assert found is not None
    parts = {name: _procedure(kernel, kernel[name], lanes, printer, words) for name in SEARCH}
    numbers = {name: number for number, name in enumerate(step.event_names)}
    muted = sum(1 << numbers[event.name] for event in step.events if event.is_muted)
    rising = sum(1 << numbers[event.name] for event in step.events if event.trigger is Trigger.RISING)
    return LocationView(
        is_linear=found.timing is SpikeTiming.LINEAR,
        **parts,
        events=events,
        muted=muted,
        rising=rising,
        ends_hold=any(event.hold is not None and event.hold.end is not None for event in step.events),
        finest=printer.literal(FINEST[kernel.dtype]),
        never=printer.literal(NEVER),
        most_places=MOST_LOCATED,
        most_tries=MOST_TRIES,
        halved=HALVED,
    )


def _procedure(
    kernel: Kernel, procedure: Procedure, lanes: Iterable[Lane], printer: CPrinter, words: Words
) -> ProcedureView:
    states = [c_name(state) for state in kernel.step.model.states]
    read = {word_of(argument.symbol) for argument in procedure.arguments}
    uniform = {a.symbol: a.kind for a in procedure.arguments if a.placement is Placement.UNIFORM}
    old = {old_value(state).name: c_name(state.name) for state in kernel.step.states}
    return ProcedureView(
        constants=tuple(
            Variable(word_of(s), "int" if kind is Kind.CONDITION else printer.format.real)
            for s, kind in uniform.items()
        ),
        lanes=tuple(lane for lane in lanes if lane.name in read and lane.name not in (*states, "spike")),
        states=tuple(state for state in states if state in read),
        old=tuple(state for word, state in old.items() if word in read),
        code=printed(procedure.statements, printer, words),
        stores=printed(procedure.stores, printer, words),
        reads=frozenset(read),
    )
