"""From a kernel to the text of a program. All decisions are taken here and before; templates only lay text out."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import jinja2
import sympy as sp

from izhigen._version import __version__
from izhigen.codegen.agreed import AGREED
from izhigen.codegen.elementary import in_order
from izhigen.codegen.formats import (
    ANGLE,
    ERROR,
    LOGARITHM,
    NORMAL,
    POWER,
    AngleFormat,
    ErrorFormat,
    FloatFormat,
    LogarithmFormat,
    NormalFormat,
    PowerFormat,
)
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.printers.c import CPrinter
from izhigen.derive.functions import BLOCK_BOUND, LIMIT, LOWEST
from izhigen.derive.lowering import T
from izhigen.derive.ranges import SHORT_RANGE, WIDE_RANGE
from izhigen.resources import resource_dir

LARGE_BLOCK = 3
"""Rows of a matrix whose functions are not copied to where they are called: for 72 copies a compiler takes a minute."""
ACTION_HALVINGS, ACTION_DEGREE = 16, {"float32": 6, "float64": 8}
"""Halvings before, and degrees of, the Taylor series of a matrix's action without loops: as many for every neuron.

What the series leaves out is below half a unit in the last place for rows up to 13,000 and 3,000, in units of 1/dt.
"""
BLOCK_TERMS = 16
"""Terms of the Taylor series of phi1 of a matrix of norm 1/2: the rest is below 1e-19."""


@dataclass(frozen=True)
class FunctionView:
    """What a template of an elementary function prints, under these bare names.

    Attributes
    ----------
    f : FloatFormat
    normal, logarithm, power, angle, error
        Coefficients of the families of functions.
    phi_series : mapping of int to tuple of str
        Taylor coefficients of phi1 to phi4.
    root_series : mapping of str to tuple of str
        Those of cosh(sqrt(x)) and sinh(sqrt(x))/sqrt(x), in x.
    pair_series : tuple of str
        Those of phi1 for complex numbers of size 1.
    root_slope : tuple of str
        Those of the derivative of the latter.
    inverse_factorial : mapping of int to str
        1/k! for k up to 3.
    near, wide : str
        How far from 0 an argument may lie for the short form of phi1, and for the wide one; empty where it is lacking.
    lowest : str
        The least argument of functions of a root.
    limit, cap : str
        Within which ``limited`` and ``capped`` keep a number.
    zero, quarter, half, one, two, four : str
    estimates : bool
        Whether quotients are made from estimates of reciprocals.
    function, inline, always_inline : str
        Words before a function, a short one, and one that must be inlined.
    fabs, sqrt, floor : str
        Names of functions that the target has.
    """

    f: FloatFormat
    normal: NormalFormat
    logarithm: LogarithmFormat
    power: PowerFormat
    angle: AngleFormat
    error: ErrorFormat
    phi_series: Mapping[int, tuple[str, ...]]
    root_series: Mapping[str, tuple[str, ...]]
    root_slope: tuple[str, ...]
    pair_series: tuple[str, ...]
    inverse_factorial: Mapping[int, str]
    near: str
    wide: str
    limit: str
    lowest: str
    cap: str
    zero: str
    quarter: str
    half: str
    one: str
    two: str
    four: str
    estimates: bool
    function: str
    inline: str
    always_inline: str
    fabs: str
    sqrt: str
    floor: str


@dataclass(frozen=True)
class ActionView:
    """What the template of a matrix's action without loops prints, under these bare names.

    Attributes
    ----------
    n : int
        Rows of the matrix.
    f : FloatFormat
    halvings : int
        How often the matrix is halved.
    smallest, largest_row : str
        What that multiplies it by, and the largest sum of a row that is not made smaller.
    series, inverses : tuple of str
        1/k! from k = 0, and 1/k from k = 2.
    zero, half, one, two : str
    fabs, always_inline : str
    """

    n: int
    f: FloatFormat
    halvings: int
    smallest: str
    largest_row: str
    series: tuple[str, ...]
    inverses: tuple[str, ...]
    zero: str
    half: str
    one: str
    two: str
    fabs: str
    always_inline: str


@dataclass(frozen=True)
class BlockView:
    """What a template of a function of matrices prints, under these bare names.

    Attributes
    ----------
    n : int
        Rows of the matrix.
    f, w : FloatFormat
        Of the arguments and the value, and of the computation.
    fabs : str
    terms, doublings : int
        Of the Taylor series, and at most of it.
    bound, largest : str
        Within which entries are kept while they double, and in the end.
    function, inline : str
        Words before a function, and a short one.
    """

    n: int
    f: FloatFormat
    w: FloatFormat
    fabs: str
    terms: int
    doublings: int
    bound: str
    largest: str
    function: str
    inline: str


@cache
def environment() -> jinja2.Environment:
    """The template environment: undefined names are errors, and white space is as written.

    All templates know the numbers of :mod:`izhigen.codegen.agreed`.
    """
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    found.globals["agreed"] = AGREED
    return found


def functions_of(kernel: Kernel, printer: CPrinter) -> list[str]:
    """The elementary functions that the printed statements call, and those that noise needs."""
    wanted = set(printer.elementary) | ({printer.VARIATES} if kernel.step.noise or kernel.noisy_inputs else set())
    if kernel.counted_inputs:
        wanted.add("poisson")
    if kernel.refractory:
        wanted.add("release")
    if kernel.keeps_times:
        wanted |= {"start"} | ({"since"} if kernel.step.reads_elapsed else set())
    if kernel.step.location is not None:
        wanted = {printer.INSIDE.get(name, name) for name in wanted} | {"start"}
    if kernel.short:
        wanted |= {"inlining", "phi1", "phi1_near"} | ({"phi1_wide", "phi1_unlimited"} if printer.WIDE_FORM else set())
    if kernel.short_phi2:
        wanted |= {"phi2", "phi2_near"} | ({"phi2_wide"} if printer.WIDE_FORM else set())
    inside = kernel.search if printer.INSIDE else ()
    if printer.CLOCK and any(T in symbols for symbols in (kernel.loop, *(part.symbols for part in inside))):
        wanted.add(printer.CLOCK)
    powers = ["\n".join(printer.power_function(n)) + "\n" for n in sorted(printer.powers)]
    forms = [*(["phi1_form"] if kernel.short else []), *(["phi2_form"] if kernel.short_phi2 else [])]
    ranged = elementary_texts(printer, forms)
    return powers + elementary_texts(printer, in_order(wanted, printer.PROVIDED)) + block_texts(printer) + ranged


def block_texts(printer: CPrinter) -> list[str]:
    """The text of the functions of matrices that the printed statements call."""
    looped = {(n, name) for n, name in printer.blocks if name != "action_unrolled"}
    parts = [(0, "bounded")] if looped else []
    parts += sorted({(n, "product") for n, _ in looped}) + sorted(printer.blocks)
    views = [(_action_view if name == "action_unrolled" else _block_view)(printer, n) for n, name in parts]
    return [_text(f"block_{name}", view) for (_, name), view in zip(parts, views)]


def elementary_texts(printer: CPrinter, names: Iterable[str]) -> list[str]:
    """The text of elementary functions in the printer's precision, in the given order."""
    view = _function_view(printer)
    return [_text(printer.TEMPLATES.get(name, name), view) for name in names]


def _text(name: str, view: FunctionView | BlockView | ActionView) -> str:
    """A template of ``templates/math``, which reads the fields of its view by their bare names."""
    fields = {field.name: getattr(view, field.name) for field in dataclasses.fields(view)}
    return environment().get_template(f"math/{name}.j2").render(fields)


def _function_view(printer: CPrinter) -> FunctionView:
    dtype = printer.number.__name__
    series = {
        order: tuple(_inverse_factorial(printer, k + order) for k in range(printer.format.series_terms))
        for order in (1, 2, 3, 4)
    }
    return FunctionView(
        f=printer.format,
        normal=NORMAL[dtype],
        logarithm=LOGARITHM[dtype],
        power=POWER[dtype],
        angle=ANGLE[dtype],
        error=ERROR[dtype],
        phi_series=series,
        root_series={
            name: tuple(_inverse_factorial(printer, 2 * k + odd) for k in range(printer.format.root_terms))
            for name, odd in (("cosh", 0), ("sinhc", 1))
        },
        pair_series=tuple(_inverse_factorial(printer, k + 1) for k in range(printer.format.series_terms + 3)),
        root_slope=tuple(
            printer.literal(sp.Rational(k, math.factorial(2 * k + 1))) for k in range(1, printer.format.root_terms)
        ),
        inverse_factorial={k: _inverse_factorial(printer, k) for k in (1, 2, 3)},
        near=printer.literal(SHORT_RANGE),
        wide=printer.literal(WIDE_RANGE) if printer.WIDE_FORM else "",
        limit=printer.literal(LIMIT[dtype]),
        lowest=printer.doprint(LOWEST),
        cap=printer.literal(BLOCK_BOUND[dtype]),
        zero=printer.literal(0),
        quarter=printer.literal(sp.Rational(1, 4)),
        half=printer.literal(sp.Rational(1, 2)),
        one=printer.literal(1),
        two=printer.literal(2),
        four=printer.literal(4),
        estimates=printer.ESTIMATES and printer.format.width == 32,
        function=printer.FUNCTION,
        inline=printer.INLINE,
        always_inline=printer.ALWAYS_INLINE,
        fabs=printer.library("fabs"),
        sqrt=printer.library("sqrt"),
        floor=printer.library("floor"),
    )


def _inverse_factorial(printer: CPrinter, k: int) -> str:
    return printer.literal(sp.Rational(1, math.factorial(k)))


def _action_view(printer: CPrinter, size: int) -> ActionView:
    degree = ACTION_DEGREE[printer.number.__name__]
    return ActionView(
        n=size,
        f=printer.format,
        halvings=ACTION_HALVINGS,
        smallest=printer.literal(sp.Rational(1, 2**ACTION_HALVINGS)),
        largest_row=printer.literal(2**ACTION_HALVINGS),
        series=tuple(_inverse_factorial(printer, k) for k in range(degree + 1)),
        inverses=tuple(printer.literal(sp.Rational(1, k)) for k in range(2, degree + 1)),
        zero=printer.literal(0),
        half=printer.literal(sp.Rational(1, 2)),
        one=printer.literal(1),
        two=printer.literal(2),
        fabs=printer.library("fabs"),
        always_inline=printer.ALWAYS_INLINE,
    )


def _block_view(printer: CPrinter, size: int) -> BlockView:
    wide = type(printer)(printer.WIDE)
    return BlockView(
        n=size,
        f=printer.format,
        w=wide.format,
        fabs=wide.library("fabs"),
        terms=BLOCK_TERMS,
        doublings=printer.format.exponent_bias + 8,
        bound=wide.literal(BLOCK_BOUND[printer.WIDE]),
        largest=wide.literal(LIMIT[printer.number.__name__]),
        function=printer.FUNCTION if size < LARGE_BLOCK else printer.LARGE_FUNCTION,
        inline=printer.INLINE,
    )


def head_of(kernel: Kernel) -> Iterator[str]:
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
    if step.location is not None:
        yield f"Events happen inside a step (spike timing: {step.timing.value})"
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
