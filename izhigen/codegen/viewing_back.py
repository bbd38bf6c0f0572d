"""The view of the way back through a step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from izhigen.codegen.back import IS_HELD
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.printing import printed, word_of
from izhigen.codegen.procedure import Argument, Kind, Placement, Procedure
from izhigen.codegen.view import BackView, Bar, InputsView, Lane, Operand, Variable
from izhigen.codegen.words import Words
from izhigen.derive.event import LAST_SPIKE
from izhigen.derive.lowering import T

HAPPENED = "iz_happened"
"""What the templates call the flags of a neuron's events."""


def back_view(kernel: Kernel, lanes: Iterable[Lane], inputs: InputsView, printer: CPrinter, words: Words) -> BackView:
    """What the templates print of the way back."""
    back, clock = words.back(kernel), kernel["back_clock"]
    guard = kernel["back_guard"] if words.in_parts else Procedure()
    bars, step = kernel.bars, kernel.step
    assert bars is not None
    arguments = [*back.arguments, *clock.arguments]
    read = {word_of(a.symbol) for a in (*arguments, *guard.arguments)}
    written = {bar.name for bar in bars.states.values()} | {bar.name for bar in bars.events.values()}
    states = [c_name(s) for s in step.model.states]
    drawn = [*inputs.drawn, *(c_name(xi.name) for xi, _ in step.variates)]
    known = [lane for lane in lanes if lane.name in read and lane.name != "spike"]
    before = [lane for lane in known if lane.name in (*states, LAST_SPIKE.name)]
    after = [lane for lane in known if lane.name in drawn]
    flags = [Lane(HAPPENED, printer.flags_type)] if any(c_name(e.name) in read for e in step.events) else []
    held = [Lane(IS_HELD.name, printer.flags_type)] if IS_HELD.name in read else []
    saved = [*before, *after, *flags, *held]
    others = [lane for lane in known if lane not in saved]
    given = [i.name for i in inputs.all]
    phi2 = [Operand(word_of(s.symbol), printer.format.real, "bars", read_only=False) for s in guard.stores]
    in_guard = {word_of(a.symbol) for a in guard.arguments}
    elapses = LAST_SPIKE in back.symbols
    reads_t = T in back.symbols | clock.symbols
    kept = tuple(_operand(v, "now") for v in saved)
    every = (*kept, *(_operand(v, words.holder) for v in others))
    return BackView(
        lanes=(*every, *(replace(v, read_only=True) for v in phi2)),
        saved=kept,
        before=tuple(v.name for v in before),
        after=tuple(v.name for v in after),
        reread=tuple(_operand(v, words.holder) for v in others if v.name in given),
        states=tuple(Bar(c_name(n), c_name(b.name)) for n, b in bars.states.items()),
        events=tuple(
            Bar(c_name(n), c_name(b.name), step.event_names.index(n), c_name(n) in read) for n, b in bars.events.items()
        ),
        inputs=tuple(Bar(c_name(n), c_name(b.name)) for n, b in bars.inputs.items()),
        parameters=tuple(Bar(c_name(n), c_name(b.name)) for n, b in bars.parameters.items()),
        given=tuple(c_name(name) for name in sorted(written) if name in read),
        constants=_uniform(arguments, {s.symbol for s in clock.statements}, printer),
        clock=printed(clock.statements, printer, words),
        code=printed(back.statements, printer, words),
        stores=printed(back.stores, printer, words),
        guard=printed(guard.statements, printer, words),
        guarded=printed(guard.stores, printer, words),
        guarded_lanes=tuple(phi2),
        in_guard=(
            *(v for v in kept if v.name in in_guard),
            *(_operand(v, words.holder) for v in others if v.name in in_guard),
        ),
        guard_constants=_uniform(guard.arguments, set(), printer),
        arguments=tuple(word_of(s.expression.args[0]) for s in guard.stores),
        reads_time=reads_t or elapses,
        reads_t=reads_t,
        elapses=elapses,
    )


def _uniform(arguments: Iterable[Argument], known: set[sp.Symbol], printer: CPrinter) -> tuple[Variable, ...]:
    """Values that all neurons share, but for those that are known."""
    found = {a.symbol: a.kind for a in arguments if a.placement is Placement.UNIFORM and a.symbol not in known}
    return tuple(
        Variable(word_of(s), "int" if kind is Kind.CONDITION else printer.format.real) for s, kind in found.items()
    )


def _operand(lane: Lane, holder: str) -> Operand:
    return Operand(lane.name, lane.type, holder)
