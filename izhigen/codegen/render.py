"""From a kernel to the text of a program. All decisions are taken here and before; templates only lay text out."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
import sympy as sp

from izhigen._version import __version__
from izhigen.codegen.elementary import FORMATS, NORMAL, in_order
from izhigen.codegen.kernel import LAST_SPIKE, TAU_REF, Kernel, Kind, Statement
from izhigen.codegen.printers.c import CPrinter, c_name, power_function
from izhigen.codegen.program import Program
from izhigen.derive.lowering import DT, T, symbol
from izhigen.resources import resource_dir

TILE = 256
"""Neurons advanced together: their state stays in the first-level cache over all steps of a call."""


@dataclass(frozen=True)
class Variable:
    """A value that the template declares, loads or stores."""

    name: str
    type: str
    doc: str = ""
    unit: str = ""


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
    lines = {part: [_line(s, printer) for s in getattr(kernel, part)] for part in ("uniform", "neuron", "per_step", "body", "stores")}
    read = _reader(kernel)
    parameters = [p for p in kernel.uniform_parameters if p != TAU_REF.name or not kernel.refractory]
    uniform_values = [symbol(p) for p in parameters] + [DT] + [s.symbol for s in kernel.uniform]
    uniform_types = {s.symbol: _type(s, form.real) for s in kernel.uniform}
    neuron_values = [symbol(p) for p in kernel.per_neuron if p != TAU_REF.name] + [s.symbol for s in kernel.neuron]
    functions = _functions(kernel, printer, form.real)
    return {
        "name": c_name(model.name), "kernel": kernel, "f": form, "version": __version__, "tile": TILE,
        "head": list(_head(kernel)), "functions": functions, "lines": lines,
        "states": [Variable(c_name(s), form.real, model.unit_of(s)) for s in model.states],
        "inputs": [Variable(c_name(i), form.real) for i in (*model.inputs, *(f"{s}_delta" for s in kernel.deltas))],
        "uniform_parameters": [Variable(c_name(p), "double") for p in kernel.uniform_parameters],
        "neuron_parameters": [Variable(c_name(p), "double" if p == TAU_REF.name else form.real) for p in kernel.per_neuron],
        "noise": [NoiseVariable(c_name(n.xi.name), n.stream) for n in kernel.step.noise],
        "uniform": [Variable(c_name(s.name), uniform_types.get(s, form.real)) for s in uniform_values
                    if s in read(kernel.neuron, kernel.per_step, kernel.body, kernel.stores)],
        "uniform_inputs": [Variable(c_name(s.name), form.real) for s in uniform_values[:len(parameters) + 1]
                           if s in read(kernel.uniform, kernel.neuron, kernel.per_step, kernel.body, kernel.stores)],
        "uniform_in_neuron": [Variable(c_name(s.name), uniform_types.get(s, form.real)) for s in uniform_values if s in read(kernel.neuron)],
        "uniform_in_body": [Variable(c_name(s.name), uniform_types.get(s, form.real)) for s in uniform_values
                            if s in read(kernel.per_step, kernel.body, kernel.stores)],
        "neuron": [Variable(c_name(s.name), form.real) for s in neuron_values if s in read(kernel.neuron, kernel.body, kernel.stores)],
        "neuron_loaded": [Variable(c_name(p), form.real) for p in kernel.per_neuron if p != TAU_REF.name
                          and symbol(p) in read(kernel.neuron, kernel.body, kernel.stores)],
        "neuron_in_prepare": [Variable(c_name(s.name), form.real) for s in neuron_values[:len(kernel.per_neuron)] if s in read(kernel.neuron)],
        "neuron_in_body": [Variable(c_name(s.name), form.real) for s in neuron_values if s in read(kernel.body, kernel.stores)],
        "inputs_in_body": [Variable(c_name(i), form.real) for i in (*model.inputs, *(f"{s}_delta" for s in kernel.deltas))
                           if symbol(i) in read(kernel.body, kernel.stores)],
        "reads_t": T in read(kernel.per_step, kernel.body, kernel.stores, refractory=False),
        "reads_time": kernel.refractory or T in read(kernel.per_step, kernel.body, kernel.stores),
        "tau_ref_per_neuron": TAU_REF.name in kernel.per_neuron,
        "refractory": kernel.refractory, "spikes": kernel.spikes,
        "record_arrays": [Variable(c_name(s), form.real) for s in model.states] + ([Variable("t_last_spike", "double")] if kernel.refractory else []),
    }


def _reader(kernel: Kernel) -> Any:
    """A function from statement lists to the symbols that they read."""
    def read(*lists: Iterable[Statement], refractory: bool = True) -> set[sp.Symbol]:
        found: set[sp.Symbol] = set()
        for statements in lists:
            for statement in statements:
                if statement.expression.has(LAST_SPIKE):
                    found |= {LAST_SPIKE} if not refractory else statement.expression.free_symbols
                else:
                    found |= statement.expression.free_symbols
        return found

    return read


def _type(statement: Statement, real: str) -> str:
    return "int" if statement.kind is Kind.CONDITION else real


def _line(statement: Statement, printer: CPrinter) -> Line:
    if statement.expression.has(LAST_SPIKE):
        return Line("refractory", "int", "time_now - t_last_spike <= tau_ref")
    text = printer.doprint(statement.expression)
    whole = text.startswith("(") and text.endswith(")") and _closes_at_end(text)
    return Line(c_name(statement.symbol.name), _type(statement, printer.format.real), text[1:-1] if whole else text)


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
    return powers + elementary_texts(printer, in_order(wanted))


def elementary_texts(printer: CPrinter, names: Iterable[str]) -> list[str]:
    """The text of elementary functions in the printer's precision, in the given order."""
    form = printer.format
    series = {order: [printer.literal(sp.Rational(1, math.factorial(k + order))) for k in range(form.series_terms)] for order in (1, 2, 3)}
    numbers = {"f": form, "phi_series": series, "inverse_factorial": {k: printer.literal(sp.Rational(1, math.factorial(k))) for k in (1, 2, 3)},
               "zero": printer.literal(0), "quarter": printer.literal(sp.Rational(1, 4)), "half": printer.literal(sp.Rational(1, 2)),
               "one": printer.literal(1), "two": printer.literal(2), "four": printer.literal(4),
               "fabs": printer.library("fabs"), "sqrt": printer.library("sqrt"), "tile": TILE, "normal": NORMAL[printer.number.__name__]}
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
    return textwrap.wrap(line.replace("*/", "* /"), 118, initial_indent="  ", subsequent_indent="      ", break_long_words=False)
