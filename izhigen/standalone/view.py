"""What templates of projects print beside the kernel's view: the model in words, an example, a self test's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from izhigen._version import __version__
from izhigen.codegen.formats import FORMATS
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.plain import plain_comment, plain_markdown
from izhigen.codegen.targets.target import Target
from izhigen.derive.event import TAU_REF
from izhigen.inputs.drawing import stream_of
from izhigen.model.model import Declaration
from izhigen.standalone.golden import Golden, Moment
from izhigen.standalone.numbers import number, row_of, rows_of
from izhigen.standalone.oracle import EVENT_EVERY, EVENT_NEURON, LENGTH, MEAN, steps_of, two_digits
from izhigen.standalone.view_back import GoldenBackView

Table = tuple[tuple[tuple[str, ...], ...], ...]
"""A part of a self test: a row a neuron, a value a state, for every segment."""


@dataclass(frozen=True)
class Example:
    """The seed example: a step of current with Wiener noise, both within a part of the time, and Poisson processes of
    ``rate`` Hz where the kernel draws counts.

    ``current`` and ``noise`` are in units of the input, the current as it is where it makes the model spike; ``begin``
    and ``end`` are fractions of the duration; times are in ms.
    """

    neurons: int = 10
    duration: float = 500.0
    dt: float = 0.1
    seed: int = 1
    current: float = 22.0
    noise: float = 10.0
    begin: float = 0.2
    end: float = 0.8
    rate: float = 1000.0


@dataclass(frozen=True)
class Entry:
    """A state, parameter or input of the model, for tables.

    Its name, its unit, and its default or initial value in the equation language, or for an input what it takes.
    """

    name: str
    unit: str
    value: str = ""


@dataclass(frozen=True)
class Default:
    """A parameter's C name and default value."""

    name: str
    value: str


@dataclass(frozen=True)
class StepView:
    """A step as C text in single precision: the nearest number, what it lacks, its root, and how many make a ms."""

    head: str
    rest: str
    root: str
    per_ms: int


@dataclass(frozen=True)
class GoldenView:
    """A self test's values as C text; see :class:`izhigen.standalone.golden.Golden`.

    Attributes
    ----------
    dt, mean : str
        The step in ms, and the mean Poisson count of one.
    seed, segments, neurons, noisy, length, stride : int
        Key of the noise; segments and neurons; the segment with noise; steps of a segment, and from one to the next.
    event_every, event_neuron : int
        Steps and neuron of the spikes that are delivered.
    parameters : tuple of Default
        Those that differ from the model's defaults.
    inputs : tuple of tuple of str
        A row a neuron.
    noise, initial, initial_tolerance : tuple of str
    steps : tuple of int
        Of each segment.
    start, end, tolerance : Table
    refractory_steps : int
        Steps of the refractory period.
    last_spike : tuple of tuple of int
        Its step.
    last_offset : tuple of tuple of str
        How long after the beginning of that step, as a fraction of it.
    initial_last_spike : tuple of str
        Time of the last spike at time 0 in ms, and how much it may be off.
    initial_last_step : int
        Its step.
    spikes, checked : tuple
        Masks: of steps for each segment, event and neuron, and of neurons for each segment.
    moments : tuple of tuple of str
        Where events are inside their steps: segment, event*neurons + neuron, step, place and tolerance, in that order.
    most_moments : int
        Moments of a segment, at most.
    comparisons : int
        Trajectories that are compared.
    """

    dt: str
    mean: str
    seed: int
    segments: int
    neurons: int
    noisy: int
    length: int
    stride: int
    event_every: int
    event_neuron: int
    parameters: tuple[Default, ...]
    inputs: tuple[tuple[str, ...], ...]
    noise: tuple[str, ...]
    initial: tuple[str, ...]
    initial_tolerance: tuple[str, ...]
    steps: tuple[int, ...]
    start: Table
    end: Table
    tolerance: Table
    refractory_steps: int
    last_spike: tuple[tuple[int, ...], ...]
    last_offset: tuple[tuple[str, ...], ...]
    initial_last_spike: tuple[str, ...]
    initial_last_step: int
    spikes: tuple[tuple[str, ...], ...]
    checked: tuple[str, ...]
    moments: tuple[tuple[str, ...], ...]
    most_moments: int
    comparisons: int


@dataclass(frozen=True)
class ProjectView:
    """What a project's files say beside the kernel.

    Attributes
    ----------
    version, model, description, dtype, method : str
        Of izhigen; name and description of the model; number type and method.
    flags : tuple of str
    suffix : str
        Of the target's sources.
    equations : tuple of str
    states, parameters, inputs : tuple of Entry
        Tables of the README.
    defaults : tuple of Default
    initial_reads : tuple of str
        C names of the parameters that initial values read.
    first_input : str
        C name of the input that the example drives; empty where the model has none.
    jumps : tuple of str
        C names of the inputs that jump a state.
    is_driven : bool
        Whether anything jumps, is drawn or is delivered.
    streams : mapping of str to int
        Of the inputs for which Poisson counts are drawn.
    example : Example
    step : StepView
        That of the example.
    golden : GoldenView
    back : GoldenBackView or None
        Of a project that goes back through steps.
    """

    version: str
    model: str
    description: str
    dtype: str
    method: str
    flags: tuple[str, ...]
    suffix: str
    equations: tuple[str, ...]
    states: tuple[Entry, ...]
    parameters: tuple[Entry, ...]
    inputs: tuple[Entry, ...]
    defaults: tuple[Default, ...]
    initial_reads: tuple[str, ...]
    first_input: str
    jumps: tuple[str, ...]
    is_driven: bool
    streams: Mapping[str, int]
    example: Example
    step: StepView
    golden: GoldenView
    back: GoldenBackView | None


def view_of_project(
    kernel: Kernel, target: Target, golden: Golden, example: Example, back: GoldenBackView | None = None
) -> ProjectView:
    """The view of a project of a kernel."""
    model = kernel.step.model
    return ProjectView(
        version=__version__,
        model=model.name,
        description=plain_markdown(model.description),
        dtype=kernel.dtype,
        method=kernel.step.method,
        flags=target.flags,
        suffix=target.suffix,
        equations=tuple(plain_comment(line) for line in model.describe()),
        states=tuple(
            Entry(s, model.unit_of(s), plain_comment(model.initial[s].text) if s in model.initial else "0")
            for s in model.states
        ),
        parameters=tuple(Entry(p, model.unit_of(p), f"{v:.15g}") for p, v in model.parameters.items()),
        inputs=tuple(Entry(i, model.unit_of(i), _taken(i, kernel)) for i in kernel.inputs),
        defaults=_defaults(model.parameters),
        initial_reads=_read_by_initial_values(model),
        first_input=next((c_name(name) for name in model.inputs if name not in model.on_event), ""),
        jumps=tuple(c_name(f"{state}_delta") for state in kernel.deltas),
        is_driven=bool(kernel.deltas or kernel.counted_inputs or kernel.delivered_inputs),
        streams={c_name(i): stream_of(i) for i in kernel.counted_inputs},
        example=example,
        step=_step(example.dt),
        golden=view_of_golden(golden, FORMATS[kernel.dtype].suffix),
        back=back,
    )


def _read_by_initial_values(model: Declaration) -> tuple[str, ...]:
    read = {name for expression in model.initial.values() for name in expression.names}
    return tuple(c_name(p) for p in model.parameters if p in read)


def _defaults(values: Mapping[str, float]) -> tuple[Default, ...]:
    return tuple(Default(c_name(name), number(value)) for name, value in values.items())


def _taken(name: str, kernel: Kernel) -> str:
    """What a project takes for an input, in words."""
    parts = (
        ("noise", kernel.noisy_inputs),
        ("Poisson counts", kernel.counted_inputs),
        ("spikes", kernel.delivered_inputs),
    )
    what = "jumps" if name not in kernel.step.model.inputs else "values"
    return ", ".join([what, *(word for word, names in parts if name in names)])


def _step(dt: float) -> StepView:
    head = np.float32(dt)
    return StepView(str(head), str(np.float32(dt - float(head))), str(np.float32(np.sqrt(dt))), round(1 / dt))


def view_of_golden(golden: Golden, suffix: str) -> GoldenView:
    """A self test's values, with the suffix of the kernel's literals."""

    segments = golden.segments
    return GoldenView(
        dt=number(golden.dt),
        mean=number(MEAN),
        seed=golden.seed,
        segments=len(segments),
        neurons=len(golden.inputs),
        noisy=golden.noisy,
        length=LENGTH,
        stride=segments[1].first_step,
        event_every=EVENT_EVERY,
        event_neuron=EVENT_NEURON,
        parameters=_defaults(golden.parameters),
        inputs=rows_of(golden.inputs, suffix),
        noise=row_of(golden.noise, suffix),
        initial=row_of(golden.initial, suffix),
        initial_tolerance=row_of(golden.initial_tolerance, suffix),
        steps=tuple(s.steps for s in segments),
        start=tuple(rows_of(s.start, suffix) for s in segments),
        end=tuple(rows_of(s.end, suffix) for s in segments),
        tolerance=tuple(rows_of(s.tolerance, suffix) for s in segments),
        refractory_steps=round(golden.parameters.get(TAU_REF.name, 0.0) / golden.dt),
        last_spike=tuple(s.last_spike for s in segments),
        last_offset=tuple(row_of(s.last_offset, suffix) for s in segments),
        initial_last_spike=row_of([golden.last_spike, two_digits(1e-6 * abs(golden.last_spike))], suffix),
        initial_last_step=round(golden.last_spike / golden.dt),
        spikes=tuple(
            tuple(f"0x{steps_of(event, mask):013X}u" for event in range(golden.event_count) for mask in s.spikes)
            for s in segments
        ),
        checked=tuple(f"0x{s.checked:X}u" for s in segments),
        moments=tuple(_moment(k, m, len(golden.inputs), suffix) for k, s in enumerate(segments) for m in s.moments),
        most_moments=max(len(s.moments) for s in segments),
        comparisons=sum(s.checked.bit_count() for s in segments),
    )


def _moment(segment: int, moment: Moment, neurons: int, suffix: str) -> tuple[str, ...]:
    place = row_of((moment.offset, moment.tolerance), suffix)
    return (str(segment), str(moment.event * neurons + moment.neuron), str(moment.step), *place)
