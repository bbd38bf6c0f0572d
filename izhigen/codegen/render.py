"""From a kernel to the text of a program. All decisions are taken here and before; templates only lay text out."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
import sympy as sp

from izhigen._version import __version__
from izhigen.codegen.elementary import FORMATS, constants, in_order
from izhigen.codegen.kernel import REFRACTORY, TAU_REF, Kernel, Kind, Statement
from izhigen.codegen.printers.c import CPrinter, c_name, power_function
from izhigen.codegen.program import Program
from izhigen.derive.lowering import DT, T, symbol
from izhigen.resources import resource_dir

TILE = 256
"""Neurons advanced together: their state stays in the first-level cache over all steps of a call."""


BLOCK_TERMS = 16
"""Terms of the Taylor series of phi1 of a matrix of norm 1/2: the rest is below 1e-19."""


@dataclass(frozen=True)
class Variable:
    """A value that the template declares, loads or stores."""

    name: str
    type: str


@dataclass(frozen=True)
class Line:
    """A printed statement: ``const type name = text;``"""

    name: str
    type: str
    text: str


@dataclass(frozen=True)
class NoiseVariable:
    """Normal variates of one state: the lane's value and the stream that keys it."""

    name: str
    stream: int


@cache
def environment() -> jinja2.Environment:
    """The template environment: undefined names are errors, and white space is as written."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(resource_dir("templates")), undefined=jinja2.StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False)


def render_c(kernel: Kernel) -> Program:
    """Render the C program of a kernel: C99, no dependency but the C library."""
    printer = CPrinter(kernel.dtype)
    context = _context(kernel, printer)
    interface = environment().get_template("c/interface.h.j2").render(context)
    source = environment().get_template("c/population.c.j2").render(context, interface=interface)
    name = str(context["name"])
    return Program(name, "c", kernel.dtype, source, interface, f"{name}_advance")


def _context(kernel: Kernel, printer: CPrinter) -> dict[str, Any]:
    model, form = kernel.step.model, FORMATS[kernel.dtype]
    loop = (*kernel.per_step, *kernel.body, *kernel.stores)
    types = {s.symbol: "int" for s in kernel.statements if s.kind is Kind.CONDITION}

    def variables(symbols: Iterable[sp.Symbol], *readers: Iterable[Statement]) -> list[Variable]:
        """Those of the symbols that the statements read, with C names and types; all of them without readers."""
        read = _symbols_read(itertools.chain(*readers))
        return [Variable(c_name(s.name), types.get(s, form.real)) for s in symbols if not readers or s in read]

    uniform_parameters, neuron_parameters = [symbol(p) for p in kernel.uniform_parameters], [symbol(p) for p in kernel.per_neuron]
    uniform = [*uniform_parameters, DT, *(s.symbol for s in kernel.uniform)]
    neuron = [*neuron_parameters, *(s.symbol for s in kernel.neuron)]
    inputs = [symbol(i) for i in (*model.inputs, *(f"{s}_delta" for s in kernel.deltas))]
    lines = {part: [_line(s, printer) for s in getattr(kernel, part)] for part in ("uniform", "neuron", "per_step", "body", "stores")}
    return {
        "name": c_name(model.name), "f": form, "tile": TILE, "lines": lines, "functions": _functions(kernel, printer, form.real),
        "head": [line.replace("*/", "* /").replace("/*", "/ *") for line in _head(kernel)],
        "states": variables(symbol(s) for s in model.states), "inputs": variables(inputs), "inputs_in_body": variables(inputs, loop),
        "uniform_parameters": [Variable(c_name(p), "double") for p in kernel.uniform_parameters],
        "neuron_parameters": [Variable(c_name(p), "double" if _is_time(kernel, p) else form.real) for p in kernel.per_neuron],
        "noise": [NoiseVariable(c_name(xi.name), stream) for xi, stream in kernel.step.variates],
        "uniform": variables(uniform, kernel.neuron, loop),
        "uniform_inputs": variables([*uniform_parameters, DT], kernel.uniform, kernel.neuron, loop),
        "uniform_in_neuron": variables(uniform, kernel.neuron), "uniform_in_body": variables(uniform, loop),
        "neuron": variables(neuron, kernel.neuron, loop), "neuron_in_prepare": variables(neuron_parameters, kernel.neuron),
        "neuron_loaded": variables((s for s in neuron_parameters if not _is_time(kernel, s.name)), kernel.neuron, loop),
        "neuron_times": variables((s for s in neuron_parameters if _is_time(kernel, s.name)), kernel.neuron, loop),
        "neuron_in_body": variables(neuron, loop),
        "record_arrays": [*variables(symbol(s) for s in model.states), *([Variable("t_last_spike", "double")] if kernel.refractory else [])],
        "reads_t": T in _symbols_read(loop), "reads_time": kernel.refractory or T in _symbols_read(loop),
        "refractory": kernel.refractory, "refractory_per_neuron": kernel.refractory and TAU_REF.name in kernel.per_neuron,
        "refractory_uniform": kernel.refractory and TAU_REF.name not in kernel.per_neuron, "spikes": kernel.spikes,
    }


def _is_time(kernel: Kernel, parameter: str) -> bool:
    """Whether a parameter is compared with times, and so comes in double precision whatever the kernel's type."""
    return kernel.refractory and parameter == TAU_REF.name


def _symbols_read(statements: Iterable[Statement]) -> set[sp.Symbol]:
    """What the printed statements read; the refractory condition is printed with names of its own."""
    return set().union(*(s.expression.free_symbols for s in statements if s.symbol != REFRACTORY))


def _line(statement: Statement, printer: CPrinter) -> Line:
    if statement.symbol == REFRACTORY:
        return Line("refractory", "int", "time_now - t_last_spike <= refractory_period")
    text = printer.doprint(statement.expression)
    whole = text.startswith("(") and text.endswith(")") and _closes_at_end(text)
    kind = "int" if statement.kind is Kind.CONDITION else printer.format.real
    return Line(c_name(statement.symbol.name), kind, text[1:-1] if whole else text)


def _closes_at_end(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0 and position < len(text) - 1:
            return False
    return True


def _functions(kernel: Kernel, printer: CPrinter, real: str) -> list[str]:
    """The elementary functions that the printed statements call, and those that noise needs."""
    wanted = set(printer.elementary) | ({"normal"} if kernel.step.noise else set())
    powers = ["\n".join(power_function(real, n)) + "\n" for n in sorted(printer.powers)]
    parts = sorted({(n, "product") for n, _ in printer.blocks}) + sorted(printer.blocks)
    blocks = [environment().get_template(f"math/block_{name}.j2").render(n=n, f=printer.format, terms=BLOCK_TERMS) for n, name in parts]
    return powers + blocks + elementary_texts(printer, in_order(wanted))


def elementary_texts(printer: CPrinter, names: Iterable[str]) -> list[str]:
    """The text of elementary functions in the printer's precision, in the given order."""
    form = printer.format
    series = {order: [printer.literal(sp.Rational(1, math.factorial(k + order))) for k in range(form.series_terms)] for order in (1, 2, 3)}
    numbers = {**constants(printer.number.__name__), "phi_series": series,
               "inverse_factorial": {k: printer.literal(sp.Rational(1, math.factorial(k))) for k in (1, 2, 3)},
               "zero": printer.literal(0), "quarter": printer.literal(sp.Rational(1, 4)), "half": printer.literal(sp.Rational(1, 2)),
               "one": printer.literal(1), "two": printer.literal(2), "four": printer.literal(4),
               "fabs": printer.library("fabs"), "sqrt": printer.library("sqrt"), "floor": printer.library("floor"), "tile": TILE}
    return [environment().get_template(f"math/{name}.j2").render(numbers) for name in names]


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
    for equation, (name, update) in zip(step.system.equations, step.updates.items()):
        how = equation.kind.value + ("" if equation.proved else ", linearized")
        yield from _wrapped(f"{name}' = {update if sp.count_ops(update) < 120 else 'see the body'}    ({how})")
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
