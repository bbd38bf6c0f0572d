"""A plain scalar C loop of any model's step: what a kernel is compared with.

It has the kernel's own statements, so both do the same algebra; what differs is that neurons are taken one after the
other and that elementary functions are the C library's (``expf``, ``expm1f``, ...). Values that depend on parameters
only stand in it as numbers, as in a loop written by hand for one model.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from izhigen.backends.engine import Source
from izhigen.backends.evaluation import Evaluator
from izhigen.bench.native import PLAIN_FLAGS, NativeLibrary
from izhigen.codegen.body import PERIOD, REFRACTORY, TIME_NOW, time_since
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.printers.libm import LibraryPrinter
from izhigen.codegen.procedure import Kind, Statement, Word
from izhigen.codegen.render import environment
from izhigen.codegen.view import Line
from izhigen.codegen.words import call
from izhigen.derive.event import TAU_REF
from izhigen.derive.lowering import DT, T
from izhigen.errors import BackendError
from izhigen.inputs.feeds import make_feed
from izhigen.memory.layout import Layout
from izhigen.population.population import Population

PROTOTYPE = """int64_t scalar_steps({real} *const *state, double *last_spike, const {real} *const *input,
                     const int64_t *step_stride, const int64_t *neuron_stride, int64_t first_step, int64_t steps,
                     int64_t neurons);"""
LAST = Word("iz_last_spike[iz_i]", real=True)
"""When a neuron last spiked, as the template has it."""
SMALL = {"float32": "0.1f", "float64": "0.1"}
SERIES_TERMS = {"float32": 6, "float64": 12}


@dataclass(frozen=True)
class ScalarView:
    """What the template of the loop prints.

    Attributes
    ----------
    name, real, suffix, dt : str
        Name of the model, C type of numbers, suffix of literals, and the step in ms.
    functions : frozenset of str
        Functions of the template that are called.
    powers : tuple of str
        Text of integer powers.
    constants, clock, body, stores : tuple of Line
        Values that depend on parameters only, what depends on time only, what is computed for each neuron, and stored.
    states, inputs, noise : tuple of str
        C names.
    keeps_times, elapses, spikes, reads_t, reads_time : bool
        Whether neurons are held, whether there is a threshold, whether statements read t, and whether anything does.
    phi_series : tuple of (int, str)
        Taylor series of phi2 to phi4, for arguments below ``small``.
    inverse_factorial : mapping of int to str
    small, half, uniforms, minus_two, two_pi : str
    """

    name: str
    real: str
    suffix: str
    dt: str
    functions: frozenset[str]
    powers: tuple[str, ...]
    constants: tuple[Line, ...]
    clock: tuple[Line, ...]
    body: tuple[Line, ...]
    stores: tuple[Line, ...]
    states: tuple[str, ...]
    inputs: tuple[str, ...]
    noise: tuple[str, ...]
    keeps_times: bool
    elapses: bool
    spikes: bool
    reads_t: bool
    reads_time: bool
    phi_series: tuple[tuple[int, str], ...]
    inverse_factorial: Mapping[int, str]
    small: str
    half: str
    uniforms: str
    minus_two: str
    two_pi: str


def render_scalar(kernel: Kernel, dt: float, parameters: Mapping[str, float]) -> str:
    """The C source of the loop for parameters with one value each.

    Raises
    ------
    BackendError
        For a kernel with per-neuron parameters or jumps, one that calls functions of matrices in every step, and one
        that finds events inside a step.
    """
    if kernel.step.location is not None:
        raise BackendError("the scalar loop has spikes at the end of a step only")
    if kernel.per_neuron or kernel.deltas:
        raise BackendError("the scalar loop takes one value for each parameter, and no jumps of a state")
    return environment().get_template("c/scalar.c.j2").render(view=_view(kernel, dt, parameters))


def _view(kernel: Kernel, dt: float, parameters: Mapping[str, float]) -> ScalarView:
    printer, model, step = LibraryPrinter(kernel.dtype), kernel.step.model, kernel["step"]
    lines = {
        "clock": tuple(_line(s, printer) for s in kernel["clock"].statements),
        "body": tuple(_line(s, printer) for s in step.statements),
        "stores": tuple(_line(s, printer) for s in step.stores),
    }
    read = {s.name for s in kernel.loop}
    constants = [
        Line(c_name(name), printer.format.real, printer.literal(value))
        for name, value in _constants(kernel, dt, parameters).items()
        if name in read
    ]
    if kernel.refractory:
        constants.append(Line(PERIOD.name, "double", repr(float(parameters[TAU_REF.name]))))
    return ScalarView(
        name=model.name,
        real=printer.format.real,
        suffix=printer.format.suffix,
        dt=repr(dt),
        functions=frozenset(printer.plain),
        powers=tuple("\n".join(printer.power_function(n)) for n in sorted(printer.powers)),
        constants=tuple(constants),
        **lines,
        states=tuple(c_name(s.symbol.name) for s in step.stores),
        inputs=tuple(c_name(i) for i in model.inputs),
        noise=tuple(c_name(xi.name) for xi, _ in kernel.step.variates),
        keeps_times=kernel.keeps_times,
        elapses=kernel.step.reads_elapsed,
        spikes=kernel.spikes,
        reads_t=T in kernel.loop,
        reads_time=kernel.keeps_times or T in kernel.loop,
        phi_series=tuple((order, _series(order, printer)) for order in (2, 3, 4)),
        inverse_factorial={k: printer.literal(sp.Rational(1, math.factorial(k))) for k in (1, 2, 3)},
        small=SMALL[kernel.dtype],
        half=printer.literal(sp.Rational(1, 2)),
        uniforms=printer.literal(2**23),
        minus_two=f"({printer.doprint(sp.Integer(-2))})",
        two_pi=printer.literal(2 * sp.pi),
    )


def _line(statement: Statement, printer: CPrinter) -> Line:
    if statement.symbol == REFRACTORY:  # times are compared in every step
        held = sp.Le(TIME_NOW - LAST, PERIOD, evaluate=False)
        return Line(c_name(REFRACTORY.name), "int", str(printer.doprint(held))[1:-1])
    kind = "int" if statement.kind is Kind.CONDITION else printer.format.real
    since = call(Word("plain_since"), TIME_NOW, LAST)
    expression = statement.expression.replace(time_since, lambda _: since)
    return Line(c_name(statement.symbol.name), kind, printer.doprint(expression))


def _constants(kernel: Kernel, dt: float, parameters: Mapping[str, float]) -> dict[str, float]:
    """Parameters and what is hoisted from them, as numbers."""
    evaluate = Evaluator("float64").compile
    values: dict[str, Any] = {
        **{name: np.float64(value) for name, value in parameters.items()},
        DT.name: np.float64(dt),
    }
    for statement in kernel["constants"].statements:
        values[statement.symbol.name] = evaluate(statement.expression)(values)
    return {name: float(value) for name, value in values.items()}


def _series(order: int, printer: CPrinter) -> str:
    """The Taylor series of a phi function of z, in Horner form."""
    terms = SERIES_TERMS[printer.number.__name__]
    text = printer.literal(sp.Rational(1, math.factorial(order + terms)))
    for k in range(terms - 1, -1, -1):
        text = f"{printer.literal(sp.Rational(1, math.factorial(order + k)))} + z * ({text})"
    return text


class ScalarLoop:
    """The scalar loop beside a population, as a candidate to measure: same model, parameters, state and inputs.

    Parameters
    ----------
    population : Population
        Its present state is copied; it has one value for each parameter.
    inputs : mapping
        Inputs by name, as ``Population.run`` takes them.
    flags : sequence of str
        Compiler flags.

    Raises
    ------
    BackendError
        When the model has no scalar loop; see :func:`render_scalar`.
    """

    fixed_steps: int | None = None
    least_steps = 1

    def __init__(self, population: Population, inputs: Mapping[str, Any], flags: tuple[str, ...] = PLAIN_FLAGS) -> None:
        kernel = population.kernel
        self.dt, self.dtype, self.steps_done, self.spikes = population.dt, population.dtype, 0, 0
        self.state = {s.symbol.name: population.state[s.symbol.name].reshape(-1).copy() for s in kernel["step"].stores}
        self.count = len(next(iter(self.state.values())))
        self.last_spike = population.state["t_last_spike"].reshape(-1).copy() if kernel.keeps_times else None
        self.source = render_scalar(kernel, self.dt, dict(population.parameters))
        real = "float" if kernel.dtype == "float32" else "double"
        self._library = NativeLibrary(self.source, PROTOTYPE.format(real=real), flags)
        self._real, self._inputs = real, {name: inputs.get(name, 0.0) for name in kernel.step.model.inputs}

    def run(self, steps: int) -> float:
        """Advance, and add to the number of spikes; the seconds of the loop, without those of preparing its inputs."""
        library, layout = self._library, Layout((self.count,), None, np.dtype(self.dtype))
        feeds = [
            self._values(make_feed(name, value, layout, self.steps_done, steps, self.dt)(0, steps))
            for name, value in self._inputs.items()
        ]
        kind = f"{self._real} *"
        state = library.ffi.new(f"{self._real} *[]", [library.pointer(kind, a) for a in self.state.values()])
        given = library.ffi.new(
            f"const {self._real} *[]", [library.pointer(kind, a) for a in feeds] or [library.ffi.NULL]
        )
        step_stride = library.ffi.new("int64_t[]", [a.shape[1] if a.shape[0] > 1 else 0 for a in feeds] or [0])
        neuron_stride = library.ffi.new("int64_t[]", [1 if a.shape[1] > 1 else 0 for a in feeds] or [0])
        started = time.perf_counter()
        self.spikes += library.functions.scalar_steps(
            state,
            library.pointer("double *", self.last_spike),
            given,
            step_stride,
            neuron_stride,
            self.steps_done,
            steps,
            self.count,
        )
        seconds = time.perf_counter() - started
        self.steps_done += steps
        return seconds

    def _values(self, source: Source) -> Any:
        if source.noise is not None:
            raise BackendError("the scalar loop draws no noise for inputs; give the input as an array")
        return source.values


__all__ = ["ScalarLoop", "render_scalar"]
