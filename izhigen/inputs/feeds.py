"""An input on its way from a user to a kernel. Each of its forms has one name:

value
    What is given to ``run`` or ``step``: a number, an array, text in t, or a stimulus.
:class:`~izhigen.inputs.stimuli.Stimulus`
    A sum of parts in absolute time, which knows neither a population nor a step. Text becomes one.
:class:`~izhigen.inputs.parts.Part`
    A summand. Most have rows, one a step; some can also be written as text; ``White``, ``Poisson`` and ``GivenSpikes``
    can be left to a kernel.
:class:`KernelInput`
    What a kernel takes over of the parts: ``form`` (of time), ``noise``, ``counts``, ``deliveries``. Others are rows.
:data:`Feed`
    The input of one run of one population: asked for some steps, it gives a source.
:class:`~izhigen.backends.engine.Source`
    The input over one block, as an engine reads it: ``given`` values or the ``numbers`` of a form, the amplitude of
    ``noise``, the :class:`~izhigen.backends.engine.Counts` of a Poisson process, and given spikes as
    :class:`~izhigen.backends.engine.Deliveries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from izhigen.backends.engine import Counts, Source
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.inputs.drawing import Span, StreamKey, bad_rate_text, make_counts, make_deliveries
from izhigen.inputs.parts import DrawnRows, GivenSpikes, Offset, Part, Poisson, White
from izhigen.inputs.stimuli import Stimulus, text_stimulus
from izhigen.memory.layout import Layout
from izhigen.memory.space import aligned, namespace, refuse_gradient, refuse_masked
from izhigen.model.expressions import Expression
from izhigen.model.forms import Form
from izhigen.scalars import real_numbers

Array = Any
ORDINARY = 1e38
"""Numbers below this one fit every kernel's type."""
Feed = Callable[[int, int], Source]
"""``feed(offset, steps)``: the values of ``steps`` steps from step ``offset`` of the run."""


@dataclass(frozen=True)
class KernelInput:
    """What of an input the kernel computes: a form of time, normal variates, Poisson counts, and spikes."""

    form: Form | None = None
    noise: White | None = None
    counts: Poisson | None = None
    deliveries: tuple[GivenSpikes, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the stimulus that are drawn or delivered there; the others are its rows."""
        return tuple(part for part in (self.noise, self.counts, *self.deliveries) if part is not None)


NOT_COMPUTED = KernelInput()
NO_KEY = StreamKey()


def kernel_input(value: Any, layout: Layout, dt: float, single_step: bool = False) -> KernelInput:
    """What a kernel can compute of an input.

    Text in t, smooth stimuli, a Wiener process with one column a neuron, a Poisson process, spikes.

    In a single step the first three are not worth a kernel of their own.
    """
    if not isinstance(value, Stimulus):
        return NOT_COMPUTED
    counts = next((part for part in value.parts if isinstance(part, Poisson)), None)
    deliveries = tuple(part for part in value.parts if isinstance(part, GivenSpikes))
    if single_step:
        return KernelInput(counts=counts, deliveries=deliveries)
    noise = next((part for part in value.parts if isinstance(part, White) and _is_own(part, layout)), None)
    rest = _without(value, (noise, counts, *deliveries))
    return KernelInput(rest.form(dt) if _varies(rest) else None, noise, counts, deliveries)


def _is_own(part: White, layout: Layout) -> bool:
    """Whether a process has a path for each neuron."""
    return part.columns == layout.count and not part.shared


def kernel_choices(computed: Mapping[str, KernelInput]) -> tuple[tuple[Any, ...], ...]:
    """What the kernel is asked to compute, as :class:`~izhigen.codegen.request.KernelRequest` takes it: the inputs with
    noise, those that follow from time, those with counts, and those with spikes.
    """
    return (
        tuple(name for name, part in computed.items() if part.noise is not None),
        tuple((name, part.form.text) for name, part in computed.items() if part.form is not None),
        tuple(name for name, part in computed.items() if part.counts is not None),
        tuple(name for name, part in computed.items() if part.deliveries),
    )


def _without(stimulus: Stimulus, parts: tuple[Any, ...]) -> Stimulus:
    return replace(stimulus, parts=tuple(p for p in stimulus.parts if not any(p is part for part in parts)))


def _varies(rest: Stimulus) -> bool:
    """Whether a part of the stimulus changes with time; numbers alone are held."""
    return any(not isinstance(part, Offset) for part in rest.parts)


def make_feed(
    name: str,
    value: Any,
    layout: Layout,
    first_step: int,
    steps: int,
    dt: float,
    computed: KernelInput = NOT_COMPUTED,
    key: StreamKey = NO_KEY,
) -> Feed:
    """Understand one input of a run that starts at step ``first_step`` and has ``steps`` steps; ``computed`` is what
    the kernel takes over, ``key`` the population's.

    Raises
    ------
    ValueShapeError
        For a value of no known form; says which forms there are.
    """
    value = as_stimulus(name, value, (first_step + steps) * dt)
    if isinstance(value, Stimulus):
        return _StimulusFeed(name, value, layout, Span(first_step, steps, dt), computed, key).feed()
    array = _as_numbers(name, value, layout)
    if array.ndim == 0:
        return _held(array.reshape(1, 1), layout)
    flat, rows = _flat_or_rows(name, array, layout, steps)
    if flat is not None:
        return _held(flat.reshape(1, -1), layout)
    return lambda offset, count: Source(_contiguous(rows[offset : offset + count], layout))


def _flat_or_rows(name: str, array: Array, layout: Layout, steps: int) -> tuple[Array, Array]:
    """An array with axes as one value a neuron, or as one row a step; the other is None."""
    flat = layout.per_neuron(array)
    rows = _as_series(array, layout, steps)
    if flat is not None and rows is not None and array.ndim > 1:
        raise ValueShapeError(
            f"input {name!r}: shape {array.shape} could be one value per neuron or one row per step; "
            f"give it as (T, {', '.join(map(str, layout.shape))})"
        )
    if flat is None and rows is None:
        raise ValueShapeError(_explain(name, array, layout, steps))
    return flat, None if flat is not None else rows


def step_sources(
    names: tuple[str, ...], inputs: Mapping[str, Any], layout: Layout, step: int, dt: float, key: StreamKey
) -> tuple[dict[str, KernelInput], dict[str, Source]]:
    """The inputs of one step: what the kernel computes of those that are stimuli, and the values of all; one that is
    not given is 0.
    """
    computed = {
        name: kernel_input(value, layout, dt, single_step=True)
        for name, value in inputs.items()
        if isinstance(value, Stimulus)
    }
    sources = {
        name: step_source(name, inputs.get(name, 0.0), layout, step, dt, computed.get(name, NOT_COMPUTED), key)
        for name in names
    }
    return computed, sources


def step_source(
    name: str,
    value: Any,
    layout: Layout,
    step: int,
    dt: float,
    computed: KernelInput = NOT_COMPUTED,
    key: StreamKey = NO_KEY,
) -> Source:
    """One input of one step; the usual forms (a number, an array of the kernel's own type) without detours."""
    if (type(value) is float or type(value) is int) and -ORDINARY < value < ORDINARY:
        return Source(np.array([[value]], layout.dtype))
    if (
        type(value) is np.ndarray
        and value.dtype == layout.dtype
        and value.shape == layout.shape
        and value.flags.c_contiguous
    ):
        return Source(value.reshape(1, -1))
    with layout.space.use():
        return make_feed(name, value, layout, step, 1, dt, computed, key)(0, 1)


def _held(values: Array, layout: Layout) -> Feed:
    values = _contiguous(values, layout)
    source = Source(aligned(values) if isinstance(values, np.ndarray) else values)
    return lambda offset, count: source


def held_values(feed: Feed, steps: int) -> Array | None:
    """The values of an input that are the same in all steps of a run, flat: one, or one a neuron. None where they
    change or are drawn.
    """
    source = feed(0, min(steps, 2))
    drawn = (source.numbers, source.noise, source.counts, source.deliveries)
    if any(part is not None for part in drawn) or len(source.values) != 1:
        return None
    return source.values[0]


def _contiguous(values: Array, layout: Layout) -> Array:
    with np.errstate(over="ignore"):  # what overflows the type becomes infinite, and is refused as such
        return namespace(values).ascontiguousarray(values, dtype=layout.dtype)


def _as_numbers(name: str, value: Any, layout: Layout) -> Array:
    refuse_gradient(f"input {name!r}", value)
    refuse_masked(f"input {name!r}", value)
    hint = "; give a number, an array, a stimulus of iz.inputs, or text in t"
    return real_numbers(f"input {name!r}", value, layout.read(value), hint)


def _as_series(array: Array, layout: Layout, steps: int) -> Array | None:
    """An array with one row a step as (T, 1) or (T, n), or None; a bare 1-D array is never one."""
    if array.ndim < 2 or array.shape[0] != steps:
        return None
    if array.size == steps:
        return array.reshape(steps, 1)
    rest = array.shape[1:]
    if rest in (layout.shape, (layout.count,)):
        return array.reshape(steps, -1)
    if layout.batch is not None and rest == (int(np.prod(layout.size)),):
        array, rest = array.reshape(steps, *layout.size), layout.size
    if layout.batch is not None and (
        rest == layout.size or (len(rest) == len(layout.shape) and rest[0] == 1 and rest[1:] == layout.size)
    ):
        spread = namespace(array).broadcast_to(array.reshape(steps, 1, *layout.size), (steps, *layout.shape))
        return spread.reshape(steps, -1)
    return None


def _explain(name: str, array: Array, layout: Layout, steps: int) -> str:
    shape = layout.shape
    message = (
        f"input {name!r} has shape {array.shape}; give a number, one value per neuron {shape}, "
        f"or one row per step ({steps}, 1)" + (f" or {(steps, *shape)}" if shape != (1,) else "")
    )
    if array.ndim == 1 and len(array) == steps:
        message += "; a bare 1-D array is per neuron: write values[:, None] for a time series"
    elif array.ndim >= 2 and array.shape[1:] in (shape, (1,)):
        message += f"; it has {array.shape[0]} rows but the run has {steps} steps"
    return message


class _StimulusFeed:
    """A stimulus as blocks of a run: its rows, or a form of them, and what the kernel draws and delivers."""

    def __init__(
        self, name: str, stimulus: Stimulus, layout: Layout, span: Span, computed: KernelInput, key: StreamKey
    ) -> None:
        self._name, self._stimulus, self._layout, self._span = name, stimulus, layout, span
        self._computed, self._key = computed, key
        self._rest = _without(stimulus, computed.parts)

    def feed(self) -> Feed:
        """Check what can be checked before anything runs."""
        dt, stimulus = self._span.dt, self._stimulus
        stimulus.step_length(dt)
        length, end = stimulus.steps(dt), self._span.first + self._span.steps
        if length is not None and end > length:
            raise ValueShapeError(
                f"input {shown(self._name)}: {stimulus.name} lasts {length * dt:g} ms "
                f"but the run goes on to {end * dt:g} ms; make it longer, or add a section of zeros"
            )
        deliveries = make_deliveries(self._name, self._computed.deliveries, self._layout, dt)
        first = self._rows(0, min(self._span.steps, 1))  # columns that do not fit are refused before anything runs
        held = None if _varies(self._rest) or not len(first) else _held(first, self._layout)(0, 1).values
        return partial(self._source, held, deliveries)

    def _rows(self, offset: int, count: int) -> Array:
        """Rows of what the kernel does not compute."""
        rest, layout = self._bound(offset, count), self._layout
        series = rest.rows(self._span.dt, self._span.first + offset, count)
        found = _as_series(series[:, None] if series.ndim == 1 else series, layout, count)
        if found is None:
            raise ValueShapeError(
                f"input {shown(self._name)}: {self._stimulus.name} has {series.shape[1]} columns "
                f"for {layout.count} neurons; give {'1' if layout.count == 1 else f'1 or {layout.count}'}"
            )
        return _contiguous(found, layout)

    def _bound(self, offset: int, count: int) -> Stimulus:
        """The rest; its processes have streams of their own, beside the one that the kernel draws."""
        parts = list(self._rest.parts)
        for place, part in enumerate(parts):
            if isinstance(part, White) and part.columns == self._layout.count > 1:
                parts[place] = replace(part, first_index=self._key.first_index)
            elif isinstance(part, Poisson):
                counts = self._counts(part, f"{self._name}#{place}", offset, count)
                if counts.bad is not None:
                    raise ValueShapeError(f"input {shown(self._name)}: {bad_rate_text(counts.bad[1])}")
                first = self._span.first + offset if isinstance(part.rate, Expression) else None
                weight = counts.weight.astype(np.float64)
                parts[place] = DrawnRows(
                    counts.mean.reshape(-1),
                    weight,
                    counts.seed ^ counts.stream,
                    self._layout.count,
                    first,
                    self._key.first_index,
                )
        return replace(self._rest, parts=tuple(parts))

    def _counts(self, part: Poisson, stream: str, offset: int, count: int) -> Counts:
        span = Span(self._span.first + offset, count, self._span.dt)
        return make_counts(self._name, part, stream, self._layout, span, self._key.seed)

    def _source(self, held: Array | None, deliveries: Any, offset: int, count: int) -> Source:
        """The block of some steps of the run."""
        white, form, counts = self._computed.noise, self._computed.form, self._computed.counts
        if held is not None:
            given = held
        else:
            given = self._rows(offset, count) if form is None else partial(self._rows, offset, count)
        amplitude = None
        if white is not None:
            rows = white.factor * white.amplitude(self._span.dt, self._span.first + offset, count)
            amplitude = np.ascontiguousarray(rows, dtype=self._layout.dtype)
        return Source(
            given,
            amplitude,
            0 if white is None else white.seed,
            None if form is None else form.numbers,
            None if counts is None else self._counts(counts, self._name, offset, count),
            deliveries,
        )


@dataclass(frozen=True)
class Divided:
    """An input of a run, from which parts for some neurons and steps are cut.

    Attributes
    ----------
    value
        Text, a stimulus, a number; or one number a neuron (n,), or rows, (T, 1) or (T, n), in the kernel's type.
    layout : Layout
        Of the whole population.
    """

    value: Any
    layout: Layout

    @property
    def is_held(self) -> bool:
        """Whether it is one number a neuron, the same in all steps."""
        return isinstance(self.value, np.ndarray) and self.value.ndim == 1

    def of(self, first: int, last: int, offset: int, steps: int) -> Any:
        """As it is given to the neurons ``first`` to ``last - 1`` alone, for ``steps`` steps of the run."""
        if isinstance(self.value, Stimulus):
            return self.value.of_neurons(self.layout, first, last)
        if not isinstance(self.value, np.ndarray):
            return self.value
        if self.value.ndim == 1:
            return self.value[first:last]
        rows = self.value[offset : offset + steps]
        return rows if rows.shape[1] == 1 else rows[:, first:last]


def divided(name: str, value: Any, layout: Layout, first_step: int, steps: int, dt: float, key: StreamKey) -> Divided:
    """An input of a run that starts at step ``first_step`` and has ``steps`` steps, checked as :func:`make_feed` does.

    Raises
    ------
    ValueShapeError
        As there.
    """
    value = as_stimulus(name, value, (first_step + steps) * dt)
    if isinstance(value, Stimulus):
        make_feed(name, value, layout, first_step, steps, dt, kernel_input(value, layout, dt), key)
        return Divided(value, layout)
    array = _as_numbers(name, value, layout)
    if array.ndim == 0:
        return Divided(value, layout)
    flat, rows = _flat_or_rows(name, array, layout, steps)
    return Divided(flat if flat is not None else _contiguous(rows, layout), layout)


def as_stimulus(name: str, value: Any, duration: float) -> Any:
    """Text in t as a stimulus; anything else as it is."""
    return text_stimulus(name, value, duration) if isinstance(value, str) else value


def check_input_names(names: Any, known: tuple[str, ...], model_name: str) -> None:
    """Every given input must be one that the model has."""
    for name in names:
        if name not in known:
            raise ValueShapeError(
                f"model {model_name!r} has no input {name!r}{suggest(name, known)} (inputs: {', '.join(known)})"
            )


__all__ = [
    "NOT_COMPUTED",
    "Divided",
    "Feed",
    "KernelInput",
    "as_stimulus",
    "check_input_names",
    "divided",
    "held_values",
    "kernel_choices",
    "kernel_input",
    "make_feed",
    "step_sources",
]
