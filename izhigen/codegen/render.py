"""From a kernel to the text of a program. All decisions are taken here and before; templates only lay text out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
import sympy as sp

from izhigen._version import __version__
from izhigen.codegen.body import PERIOD, RELEASE
from izhigen.codegen.elementary import in_order
from izhigen.codegen.formats import FORMATS, FloatFormat, constants
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.plain import plain_comment
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.printers.libm import TimePrinter
from izhigen.codegen.procedure import Kind, Placement, Procedure, Statement, Store, Word
from izhigen.codegen.program import EVENT_GROUP
from izhigen.derive.event import TAU_REF
from izhigen.derive.functions import BLOCK_BOUND, LIMIT
from izhigen.derive.lowering import DT, T, lower, symbol
from izhigen.derive.ranges import SHORT_RANGE, WIDE_RANGE
from izhigen.model.model import Declaration
from izhigen.resources import resource_dir

LARGEST_TILE, SMALLEST_TILE = 256, 64
"""Neurons advanced together, at most and at least."""
GROUP = 128
"""Lanes of a vector loop: several whole vectors of any machine in flight, and little waste in small populations."""
TILE_BYTES = 24 * 1024
"""What a tile may take of the first-level cache (32 KB and more), where its values stay over all steps of a call."""

COUNT_WORDS = 14
"""Numbers of four bytes a lane that drawing counts takes: four random, eight bounds, the likeliest count, the count."""

BLOCK_TERMS = 16
"""Terms of the Taylor series of phi1 of a matrix of norm 1/2: the rest is below 1e-19."""


@dataclass(frozen=True)
class Variable:
    """A value that the template declares, loads or stores; ``note`` says what stands in it, for a comment."""

    name: str
    type: str
    note: str = ""


@dataclass(frozen=True)
class Lane:
    """A value that every neuron of a tile has.

    ``source`` is the population's array that holds it, if one does; ``buffer`` says whether a tile has room for it.
    """

    name: str
    type: str
    read_only: bool = True
    source: str = ""
    buffer: bool = True


@dataclass(frozen=True)
class Line:
    """A printed statement: ``const type name = text;``, or a store, which may add: ``name += text;``."""

    name: str
    type: str
    text: str
    how: str = "="


@dataclass(frozen=True)
class NoiseVariable:
    """Normal variates of one state: the lane's value and the stream that keys it."""

    name: str
    stream: int


@cache
def environment() -> jinja2.Environment:
    """The template environment: undefined names are errors, and white space is as written."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def tile_size(kernel: Kernel) -> int:
    """Neurons of a tile: as many as the model's values allow in the first-level cache."""
    size = 4 if kernel.dtype == "float32" else 8
    model = kernel.step.model
    words = len(model.states) + len(model.inputs) + len(kernel.deltas) + len(kernel.per_neuron) + 1
    words += len(kernel["prepare"].statements)
    words += COUNT_WORDS * len(kernel.counted_inputs) * 4 // size
    words += 4 * (len(kernel.step.variates) + len(kernel.noisy_inputs)) + (
        1 + 2 * 8 // size if kernel.refractory else 0
    )
    tile = LARGEST_TILE
    while tile > SMALLEST_TILE and tile * words * size > TILE_BYTES:
        tile //= 2
    return tile


def context(kernel: Kernel, printer: CPrinter) -> dict[str, Any]:
    """Everything that templates of any target print."""
    form = FORMATS[kernel.dtype]
    constants, prepare, clock, step = (kernel[name] for name in ("constants", "prepare", "clock", "step"))
    kinds = {s.symbol: s.kind for p in kernel.procedures.values() for s in p.statements}

    def uniform(*procedures: Procedure) -> list[Variable]:
        """The parameters and constants that procedures are given."""
        given = {symbol for procedure in procedures for symbol in procedure.given(Placement.UNIFORM)}
        return [_variable(s, kinds, form) for s in known if s in given]

    lanes = _lanes(kernel, printer)
    parameters = [*(symbol(p) for p in kernel.uniform_parameters), DT]
    known = [*parameters, *(s.symbol for s in constants.statements)]
    lines = {
        name: [print_statement(s, printer) for s in procedure.statements]
        for name, procedure in kernel.procedures.items()
    }
    stores = {
        name: [print_statement(s, printer) for s in procedure.stores] for name, procedure in kernel.procedures.items()
    }
    used_uniform = uniform(prepare, clock, step)
    refractory_uniform = kernel.refractory and TAU_REF.name not in kernel.per_neuron
    tile = tile_size(kernel)
    read_names = frozenset(c_name(s.name) for s in prepare.symbols | kernel.loop)
    return {
        "name": c_name(kernel.step.model.name),
        "f": form,
        "tile": tile,
        "group": min(GROUP, tile),
        "lines": lines,
        "stores": stores,
        "on_event": {event.name: stores[f"on_{event.name}"] for event in kernel.step.events if event.hold},
        "functions": _functions(kernel, printer),
        "zero": printer.literal(0),
        "head": [plain_comment(line) for line in _head(kernel)],
        **_declared(kernel, form),
        "uniform": used_uniform,
        "has_constants": bool(used_uniform or kernel.short),
        "uniform_inputs": [
            v for v in uniform(constants, prepare, clock, step) if v.name in {_word(p) for p in parameters}
        ],
        "uniform_in_prepare": uniform(prepare),
        "uniform_in_step": uniform(clock, step),
        "uniform_in_guard": uniform(kernel["guard"]),
        **_lane_uses(kernel, lanes),
        "read_names": read_names,
        "reads_inputs": any(c_name(i) in read_names for i in kernel.inputs),
        "short_arguments": [c_name(s.argument.name) for s in kernel.short],
        "short_bounds": [c_name(s.at_bound.name) for s in kernel.short],
        "short_range": printer.literal(SHORT_RANGE),
        "wide_range": printer.literal(WIDE_RANGE) if printer.WIDE_FORM else "",
        "reads_t": T in kernel.loop,
        "refractory": kernel.refractory,
        "refractory_uniform": refractory_uniform,
        "spikes": kernel.spikes,
    }


def _declared(kernel: Kernel, form: FloatFormat) -> dict[str, Any]:
    """What the model declares: states, inputs with what the kernel makes of them, parameters and noise."""
    model = kernel.step.model
    return {
        "states": [Variable(c_name(s), form.real, _note(model, s)) for s in model.states],
        "inputs": [Variable(c_name(i), form.real, _note(model, i)) for i in kernel.inputs],
        "noisy_inputs": [c_name(i) for i in kernel.noisy_inputs],
        "counted_inputs": [c_name(i) for i in kernel.counted_inputs],
        "event_inputs": [c_name(i) for i in kernel.event_inputs],
        "event_group": EVENT_GROUP,
        "timed_inputs": [_timed_line(s) for s in kernel.timed_inputs],
        "uniform_parameters": [Variable(c_name(p), "double", _note(model, p)) for p in kernel.uniform_parameters],
        "neuron_parameters": [
            Variable(c_name(p), "double" if _is_time(kernel, p) else form.real, _note(model, p))
            for p in kernel.per_neuron
        ],
        "noise": [NoiseVariable(c_name(xi.name), stream) for xi, stream in kernel.step.variates],
    }


def _variable(symbol: sp.Symbol, kinds: Mapping[sp.Symbol, Kind], form: FloatFormat) -> Variable:
    return Variable(_word(symbol), "int" if kinds.get(symbol) is Kind.CONDITION else form.real)


def _word(symbol: sp.Symbol) -> str:
    """How a symbol is printed."""
    return str(symbol.name) if isinstance(symbol, Word) else c_name(symbol.name)


def _lane_uses(kernel: Kernel, lanes: list[Lane]) -> dict[str, list[Any]]:
    """The values that every neuron has, by the parts of the program that read, check or copy them."""
    written = [c_name(s) for s in kernel.step.model.states]
    given = {c_name(p) for p in kernel.per_neuron}
    values_in_step = _read_lanes(lanes, kernel.loop, written)
    return {
        "lanes": lanes,
        "lanes_in_step": [*values_in_step, *(lane for lane in lanes if lane.name == "spike")],
        "values_in_step": values_in_step,
        "values_read": _read_lanes(lanes, kernel.loop),
        "held": [lane for lane in lanes if lane.name != "spike"],
        "guard_lanes": _read_lanes(lanes, kernel["guard"].symbols),
        "neuron_in_prepare": [lane for lane in _read_lanes(lanes, kernel["prepare"].symbols) if lane.name in given],
        "neuron_times": [lane for lane in lanes if kernel.refractory and lane.name == c_name(TAU_REF.name)],
        "copied_types": sorted({lane.type for lane in lanes if lane.source}),
        "record_arrays": [
            *(lane for lane in lanes if lane.source.startswith("state.")),
            *(lane for lane in lanes if lane.name in {c_name(i) for i in kernel.inputs}),
        ],
    }


def _note(model: Declaration, name: str) -> str:
    """Unit and default of a state, parameter or input."""
    default = f"default {model.parameters[name]:g}" if name in model.parameters else ""
    return plain_comment(", ".join(part for part in (model.unit_of(name), default) if part))


def initial_lines(model: Declaration, printer: CPrinter) -> list[Line]:
    """Statements that compute the initial value of every state, each reading only parameters and states before it."""
    waiting = {
        symbol(s): lower(model.initial[s], f"initial value of {s}") if s in model.initial else sp.S.Zero
        for s in model.states
    }
    lines: list[Line] = []
    while waiting:
        for state in [s for s, value in waiting.items() if not value.free_symbols & waiting.keys()]:
            lines.append(print_statement(Statement(state, waiting.pop(state), Kind.REAL), printer))
    return lines


def _timed_line(statement: Statement) -> Line:
    return Line(c_name(statement.symbol.name), "double", str(TimePrinter().doprint(statement.expression)))


def _lanes(kernel: Kernel, printer: CPrinter) -> list[Lane]:
    """All that neurons of a tile have: states, per-neuron parameters and what follows, inputs, variates, spikes."""
    model, form = kernel.step.model, printer.format
    read = kernel.loop | kernel["prepare"].symbols
    lanes = [Lane(c_name(s), form.real, read_only=False, source=f"state.{c_name(s)}") for s in model.states]
    if kernel.refractory:
        lanes.append(Lane("t_last_spike", "double", read_only=False, source="state.t_last_spike"))
        if TAU_REF.name in kernel.per_neuron:
            lanes.append(Lane(PERIOD.name, "double", source=f"parameter.{TAU_REF.name}"))
        lanes.append(Lane(RELEASE.name, printer.step_type, read_only=False))
    for parameter in kernel.per_neuron:
        if symbol(parameter) in read:
            source = "" if _is_time(kernel, parameter) else f"parameter.{c_name(parameter)}"
            lanes.append(Lane(c_name(parameter), form.real, source=source))
    prepared = kernel["prepare"].statements
    lanes += [Lane(c_name(s.symbol.name), "int" if s.kind is Kind.CONDITION else form.real) for s in prepared]
    lanes += [Lane(c_name(i), form.real) for i in kernel.inputs]
    lanes += [Lane(c_name(xi.name), form.real, buffer=False) for xi, _ in kernel.step.variates]
    return [*lanes, *([Lane("spike", form.lane_int, read_only=False)] if kernel.spikes else [])]


def _read_lanes(lanes: list[Lane], read: Iterable[sp.Symbol], written: Iterable[str] = ()) -> list[Lane]:
    """The lanes that are read or written."""
    names = {*written, *(_word(s) for s in read)} - {"spike"}
    return [lane for lane in lanes if lane.name in names]


def _is_time(kernel: Kernel, parameter: str) -> bool:
    """Whether a parameter is compared with times, and so comes in double precision whatever the kernel's type."""
    return kernel.refractory and parameter == TAU_REF.name


def print_statement(statement: Statement, printer: CPrinter) -> Line:
    text = printer.doprint(statement.expression)
    whole = text.startswith("(") and text.endswith(")") and _closes_at_end(text)
    types = {Kind.CONDITION: "int", Kind.TIME: "double", Kind.STEP: printer.step_type}
    how = "+=" if isinstance(statement, Store) and statement.how == "add" else "="
    return Line(
        _word(statement.symbol),
        types.get(statement.kind, printer.format.real),
        text[1:-1] if whole else text,
        how,
    )


def _closes_at_end(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position < len(text) - 1:
            return False
    return True


def _functions(kernel: Kernel, printer: CPrinter) -> list[str]:
    """The elementary functions that the printed statements call, and those that noise needs."""
    wanted = set(printer.elementary) | ({printer.VARIATES} if kernel.step.noise or kernel.noisy_inputs else set())
    if kernel.counted_inputs:
        wanted.add("poisson")
    if kernel.short:
        wanted |= {"inlining", "phi1", "phi1_near"} | ({"phi1_wide"} if printer.WIDE_FORM else set())
    if printer.CLOCK and T in kernel.loop:
        wanted.add(printer.CLOCK)
    powers = ["\n".join(printer.power_function(n)) + "\n" for n in sorted(printer.powers)]
    parts = sorted({(n, "product") for n, _ in printer.blocks}) + sorted(printer.blocks)
    wide = type(printer)(printer.WIDE)
    matrix = {
        "f": printer.format,
        "w": wide.format,
        "fabs": wide.library("fabs"),
        "terms": BLOCK_TERMS,
        "doublings": printer.format.exponent_bias + 8,
        "bound": wide.literal(BLOCK_BOUND[printer.WIDE]),
        "largest": wide.literal(LIMIT[printer.number.__name__]),
        "function": printer.FUNCTION,
        "inline": printer.INLINE,
    }
    if parts:
        parts.insert(0, (0, "bounded"))
    blocks = [environment().get_template(f"math/block_{name}.j2").render(matrix, n=n) for n, name in parts]
    return powers + elementary_texts(printer, in_order(wanted, printer.PROVIDED)) + blocks


def elementary_texts(printer: CPrinter, names: Iterable[str]) -> list[str]:
    """The text of elementary functions in the printer's precision, in the given order."""
    form = printer.format
    series = {
        order: [printer.literal(sp.Rational(1, math.factorial(k + order))) for k in range(form.series_terms)]
        for order in (1, 2, 3, 4)
    }
    numbers = {
        **constants(printer.number.__name__),
        "phi_series": series,
        "inverse_factorial": {k: printer.literal(sp.Rational(1, math.factorial(k))) for k in (1, 2, 3)},
        "limit": printer.literal(LIMIT[printer.number.__name__]),
        "zero": printer.literal(0),
        "quarter": printer.literal(sp.Rational(1, 4)),
        "half": printer.literal(sp.Rational(1, 2)),
        "one": printer.literal(1),
        "two": printer.literal(2),
        "four": printer.literal(4),
        "estimates": printer.ESTIMATES and printer.format.width == 32,
        "function": printer.FUNCTION,
        "inline": printer.INLINE,
        "always_inline": printer.ALWAYS_INLINE,
        "fabs": printer.library("fabs"),
        "sqrt": printer.library("sqrt"),
        "floor": printer.library("floor"),
    }
    return [
        environment().get_template(f"math/{printer.TEMPLATES.get(name, name)}.j2").render(numbers) for name in names
    ]


def _head(kernel: Kernel) -> Iterator[str]:
    """Lines of the comment at the top: the model, its equations, the method, the update, the parameters with units."""
    model, step = kernel.step.model, kernel.step
    yield f"{model.name}{': ' + model.description if model.description else ''}"
    yield f"Generated by izhigen {__version__}, {kernel.dtype}. Time is in ms."
    yield ""
    yield "Model"
    for line in model.describe():
        yield from _wrapped(line)
    yield ""
    yield f"Step of length dt, method {step.method}, with phi1(z) = (exp(z) - 1)/z"
    for equation in step.system.equations:
        update = step.short_updates.get(equation.state.name)
        how = equation.kind.value + ("" if equation.proved else ", linearized")
        shown = "see the body" if update is None or sp.count_ops(update) >= 120 else update
        yield from _wrapped(f"{equation.state}' = {shown}    ({how})")
    yield ""
    if model.parameters:
        yield "Parameters (default, unit)"
        for parameter, value in model.parameters.items():
            where = "one value per neuron" if parameter in kernel.per_neuron else ""
            yield f"  {parameter} = {value:g} {model.unit_of(parameter)}{'  ' + where if where else ''}".rstrip()
    for name in model.inputs:
        yield f"Input {name} {model.unit_of(name)}".rstrip()


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 118, initial_indent="  ", subsequent_indent="      ", break_long_words=False)
