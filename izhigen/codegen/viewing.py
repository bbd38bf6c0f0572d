"""From a kernel to its view: names, types and printed statements, as a target's printer and words spell them."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from izhigen.codegen.body import PERIOD, RELEASE
from izhigen.codegen.formats import FloatFormat
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.plain import plain_comment
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.printers.libm import TimePrinter
from izhigen.codegen.printing import print_statement, printed, word_of
from izhigen.codegen.procedure import Kind, Placement, Procedure, Statement
from izhigen.codegen.render import functions_of, head_of
from izhigen.codegen.view import (
    CodeView,
    ConstantsView,
    EventView,
    FormView,
    Given,
    HoldView,
    InputsView,
    KernelView,
    Lane,
    LanesView,
    Line,
    ModelView,
    ShortView,
    TileView,
    Variable,
    Variate,
)
from izhigen.codegen.viewing_back import back_view
from izhigen.codegen.viewing_location import location_view
from izhigen.codegen.words import Words
from izhigen.derive.event import LAST_SPIKE, TAU_REF
from izhigen.derive.lowering import DT, T, lower, symbol
from izhigen.derive.ranges import SHORT_RANGE, WIDE_RANGE, within
from izhigen.model.initial import NEVER_SPIKED
from izhigen.model.model import Declaration

LARGEST_TILE, SMALLEST_TILE = 256, 64
"""Neurons advanced together, at most and at least."""
GROUP = 128
"""Lanes of a vector loop: several whole vectors of any machine in flight, and little waste in small populations."""
STEPS, STEPS_WHERE_DRAWN = 8, 4
"""Steps that a thread of a device makes at a stretch; both divide 32. Fewer where drawing makes each of them longer."""
TILE_BYTES = 24 * 1024
"""What a tile may take of the first-level cache (32 KB and more), where its values stay over all steps of a call."""
COUNT_WORDS = 14
"""Numbers of four bytes a lane that drawing counts takes: four random, eight bounds, the likeliest count, the count."""


def view_of(kernel: Kernel, target: str, printer: CPrinter, words: Words, *, with_initial: bool = False) -> KernelView:
    """The view of a kernel.

    Parameters
    ----------
    kernel : Kernel
    target : str
        Name of the target.
    printer : CPrinter
        A new one of the target, in the kernel's number type. Functions that it was told of are written out as well.
    words : Words
        Those of the target.
    with_initial : bool
        Whether initial values of the states are printed.
    """
    words = words.of(kernel)
    lanes = _lanes(kernel, printer, words)
    code = _code(kernel, printer, words, with_initial)
    events = _events(kernel, printer, words)
    tile, inputs = tile_size(kernel), _inputs(kernel, printer.format)
    back = None if kernel.training is None else back_view(kernel, lanes, inputs, printer, words)
    location = None if kernel.step.location is None else location_view(kernel, lanes, events, printer, words)
    return KernelView(
        name=c_name(kernel.step.model.name),
        target=target,
        number=printer.format,
        head=tuple(plain_comment(line) for line in head_of(kernel)),
        functions=tuple(functions_of(kernel, printer)),  # those that the lines above call
        spikes=kernel.spikes,
        noise=tuple(Variate(c_name(xi.name), stream) for xi, stream in kernel.step.variates),
        events=tuple(event for event in events if event.stores),
        other_events=tuple(event for event in events if event.number > 0),
        model=_model(kernel, printer.format),
        inputs=inputs,
        constants=_constants(kernel, printer.format, words),
        lanes=_lane_uses(kernel, lanes, words),
        code=code,
        short=_short(kernel, printer),
        hold=HoldView(
            kernel.refractory, kernel.refractory and TAU_REF.name not in kernel.per_neuron, kernel.keeps_times
        ),
        tile=TileView(tile, min(GROUP, tile), STEPS_WHERE_DRAWN if inputs.drawn or kernel.step.noise else STEPS),
        back=back,
        location=location,
    )


def _events(kernel: Kernel, printer: CPrinter, words: Words) -> tuple[EventView, ...]:
    """The events, numbered from the spike's 0 on."""
    numbers = {name: number for number, name in enumerate(kernel.step.event_names)}
    found = []
    for event in kernel.step.events:
        stores = kernel[f"on_{event.name}"].stores if event.stamps and kernel.step.location is None else ()
        kept = printed(words.kept(stores, elapses=kernel.step.reads_elapsed), printer, words)
        found.append(EventView(c_name(event.name), numbers[event.name], kept))
    return tuple(found)


def _short(kernel: Kernel, printer: CPrinter) -> ShortView:
    sizes = {"SHORT": SHORT_RANGE}
    if printer.WIDE_FORM:
        sizes |= {"WIDE": WIDE_RANGE, "UNLIMITED": printer.format.unlimited}
    forms = (
        FormView(name, printer.literal(size), printer.all_of(c for s in kernel.short for c in within(s.at_bound, size)))
        for name, size in sizes.items()
    )
    return ShortView(tuple(c_name(s.argument.name) for s in kernel.short), tuple(forms))


def tile_size(kernel: Kernel) -> int:
    """Neurons of a tile: as many as the model's values allow in the first-level cache."""
    size = 4 if kernel.dtype == "float32" else 8
    model = kernel.step.model
    words = len(model.states) + len(model.inputs) + len(kernel.deltas) + len(kernel.per_neuron) + 1
    words += len(kernel["prepare"].statements) + len(kernel["guard"].stores)
    words += COUNT_WORDS * len(kernel.counted_inputs) * 4 // size
    words += 4 * (len(kernel.step.variates) + len(kernel.noisy_inputs))
    words += 1 + 2 * 8 // size if kernel.refractory else 8 // size if kernel.keeps_times else 0
    tile = LARGEST_TILE
    while tile > SMALLEST_TILE and tile * words * size > TILE_BYTES:
        tile //= 2
    return tile


def _code(kernel: Kernel, printer: CPrinter, words: Words, with_initial: bool) -> CodeView:
    lines = {
        name: printed(kernel[name].statements, printer, words) for name in ("constants", "prepare", "clock", "guard")
    }
    step = words.step(kernel)
    return CodeView(
        **lines,
        step=printed(step.statements, printer, words),
        stores=printed(step.stores, printer, words),
        guarded=printed(kernel["guard"].stores, printer, words),
        initial=initial_lines(kernel.step.model, printer) if with_initial else (),
        reads=frozenset(c_name(s.name) for s in kernel["prepare"].symbols | kernel.loop),
        reads_time=T in kernel.loop,
        elapses=kernel.step.reads_elapsed,
        time_in_parts=T in kernel.loop and bool(printer.CLOCK),
    )


def initial_lines(model: Declaration, printer: CPrinter) -> tuple[Line, ...]:
    """Statements that compute the initial value of every state, each reading only parameters and states before it; and
    the time of the last spike, where neurons keep it.
    """
    waiting = {
        symbol(s): lower(model.initial[s], f"initial value of {s}") if s in model.initial else sp.S.Zero
        for s in model.states
    }
    lines: list[Line] = []
    while waiting:
        for state in [s for s, value in waiting.items() if not value.free_symbols & waiting.keys()]:
            lines.append(print_statement(Statement(state, waiting.pop(state), Kind.REAL), printer))
    if model.keeps_last_spike:
        given = model.initial.get(LAST_SPIKE.name)
        value = sp.Float(NEVER_SPIKED) if given is None else lower(given, f"initial value of {LAST_SPIKE}")
        lines.append(print_statement(Statement(LAST_SPIKE, value, Kind.REAL), printer))
    return tuple(lines)


def _model(kernel: Kernel, form: FloatFormat) -> ModelView:
    model = kernel.step.model
    return ModelView(
        tuple(Variable(c_name(s), form.real, _note(model, s)) for s in model.states),
        tuple(Variable(c_name(p), "double", _note(model, p)) for p in kernel.uniform_parameters),
        tuple(
            Variable(c_name(p), "double" if _is_time(kernel, p) else form.real, _note(model, p))
            for p in kernel.per_neuron
        ),
    )


def _inputs(kernel: Kernel, form: FloatFormat) -> InputsView:
    model = kernel.step.model
    drawn = {*kernel.noisy_inputs, *kernel.counted_inputs, *kernel.delivered_inputs}
    return InputsView(
        tuple(Variable(c_name(i), form.real, _note(model, i)) for i in kernel.inputs),
        tuple(c_name(i) for i in kernel.noisy_inputs),
        tuple(c_name(i) for i in kernel.counted_inputs),
        tuple(c_name(i) for i in kernel.delivered_inputs),
        tuple(c_name(i) for i in kernel.inputs if i in drawn),
        tuple(
            Line(c_name(s.symbol.name), "double", str(TimePrinter().doprint(s.expression))) for s in kernel.timed_inputs
        ),
    )


def _constants(kernel: Kernel, form: FloatFormat, words: Words) -> ConstantsView:
    """The parameters and constants that procedures are given."""
    constants, prepare, clock, step = (kernel[name] for name in ("constants", "prepare", "clock", "step"))
    back = (kernel["back"], kernel["back_clock"], kernel["back_guard"], *kernel.search)
    parameters = [*(symbol(p) for p in kernel.uniform_parameters), DT]
    known = [*parameters, *(s.symbol for s in constants.statements)]

    def uniform(names: Iterable[sp.Symbol], *procedures: Procedure) -> tuple[Variable, ...]:
        arguments = (argument for procedure in procedures for argument in procedure.arguments)
        given = {a.symbol: a.kind for a in arguments if a.placement is Placement.UNIFORM}
        return tuple(Variable(word_of(s), _type(given[s], form)) for s in names if s in given)

    return ConstantsView(
        uniform(known, prepare, clock, step, *back),
        tuple(
            Given(v.name, v.type, v.name if v.name == DT.name else f"parameter.{v.name}")
            for v in uniform(parameters, constants, prepare, clock, step, *back)
        ),
        uniform(known, prepare),
        uniform(known, clock, words.step(kernel)),
        uniform(known, kernel["guard"]),
    )


def _type(kind: Kind, form: FloatFormat) -> str:
    """C type of a number of the kernel's, or of a condition."""
    return "int" if kind is Kind.CONDITION else form.real


def _note(model: Declaration, name: str) -> str:
    """Unit and default of a state, parameter or input."""
    default = f"default {model.parameters[name]:g}" if name in model.parameters else ""
    return plain_comment(", ".join(part for part in (model.unit_of(name), default) if part))


def _lanes(kernel: Kernel, printer: CPrinter, words: Words) -> list[Lane]:
    """All that neurons have: states, per-neuron parameters and what follows, inputs, variates, spikes."""
    model, form = kernel.step.model, printer.format
    read = kernel.loop | kernel["prepare"].symbols | kernel["back"].symbols | kernel["back_guard"].symbols
    read = read.union(*(procedure.symbols for procedure in kernel.search))
    lanes = [Lane(c_name(s), form.real, read_only=False, source=f"state.{c_name(s)}") for s in model.states]
    if kernel.keeps_times:
        since = LAST_SPIKE.name
        lanes.append(Lane(since, "double", read_only=False, source=f"state.{since}"))
    if kernel.refractory:
        if TAU_REF.name in kernel.per_neuron:
            lanes.append(Lane(PERIOD.name, "double", source=f"parameter.{TAU_REF.name}"))
        lanes.append(Lane(RELEASE.name, printer.step_type, read_only=False))
    for parameter in kernel.per_neuron:
        if symbol(parameter) in read:
            source = "" if _is_time(kernel, parameter) else f"parameter.{c_name(parameter)}"
            lanes.append(Lane(c_name(parameter), form.real, source=source))
    prepared = kernel["prepare"].statements
    lanes += [Lane(c_name(s.symbol.name), _type(s.kind, form)) for s in prepared]
    lanes += [Lane(c_name(i), form.real) for i in kernel.inputs]
    lanes += [Lane(c_name(xi.name), form.real, buffer=False) for xi, _ in kernel.step.variates]
    if words.in_parts:
        lanes += [Lane(word_of(s.symbol), form.real, read_only=False) for s in kernel["guard"].stores]
    return [*lanes, *([Lane("spike", form.lane_int, read_only=False)] if kernel.spikes else [])]


def _lane_uses(kernel: Kernel, lanes: list[Lane], words: Words) -> LanesView:
    """The values that every neuron has, by the parts of the program that read, check or copy them."""
    written = [c_name(s) for s in kernel.step.model.states]
    given, inputs = {c_name(p) for p in kernel.per_neuron}, {c_name(i) for i in kernel.inputs}
    values = _read_lanes(lanes, kernel["clock"].symbols | words.step(kernel).symbols, written)
    kept = tuple(lane for lane in lanes if lane.source and not lane.read_only)
    return LanesView(
        all=tuple(lanes),
        stored=tuple(lane for lane in lanes if lane.name != "spike"),
        in_step=(*values, *(lane for lane in lanes if lane.name == "spike")),
        values=values,
        read=_read_lanes(lanes, kernel.loop),
        in_guard=_read_lanes(lanes, (a.symbol for a in kernel["guard"].arguments)),
        guarded=_read_lanes(lanes, (s.symbol for s in kernel["guard"].stores)),
        in_prepare=tuple(lane for lane in _read_lanes(lanes, kernel["prepare"].symbols) if lane.name in given),
        periods=tuple(lane for lane in lanes if kernel.refractory and lane.name == c_name(TAU_REF.name)),
        kept=kept,
        recorded=(*kept, *(lane for lane in lanes if lane.name in inputs)),
        copied_types=tuple(sorted({lane.type for lane in lanes if lane.source})),
    )


def _read_lanes(lanes: list[Lane], read: Iterable[sp.Symbol], written: Iterable[str] = ()) -> tuple[Lane, ...]:
    """The lanes that are read or written."""
    names = {*written, *(word_of(s) for s in read)} - {"spike"}
    return tuple(lane for lane in lanes if lane.name in names)


def _is_time(kernel: Kernel, parameter: str) -> bool:
    """Whether a parameter is compared with times, and so comes in double precision whatever the kernel's type."""
    return kernel.refractory and parameter == TAU_REF.name
