"""The tape of a run: what going back through its steps needs, and the way back.

A run with a tape writes its states down at the beginning of segments of some steps. Going back, each segment is made
again by the same kernel from there, so the gradients have the same bits as if everything had been kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from izhigen.backends.engine import Block, Engine, Source
from izhigen.backends.pullback import Cotangent, Kept, Pullback
from izhigen.codegen.agreed import SUMMED_STEPS
from izhigen.errors import NonFiniteError, ValueShapeError, shown
from izhigen.inputs.feeds import Feed
from izhigen.memory.layout import Layout
from izhigen.memory.space import fetch, namespace, refuse_masked, shape_of
from izhigen.model.checking import SPIKE_FIGURES
from izhigen.model.model import Declaration
from izhigen.population.cotangents import check_cotangents, check_finite_cotangent
from izhigen.population.exclusive import Use, exclusive
from izhigen.population.faults import first_not_finite
from izhigen.population.neurons import Neurons
from izhigen.scalars import real_numbers
from izhigen.signals import Interruptible

Array = Any
COUNT = SPIKE_FIGURES[0]
SECONDS = 0.05
"""About how long one call takes on the way back: short enough for Ctrl-C."""
BACK_AND_FORTH = 4.0
"""What going back through a step costs, its making again included, in steps."""


def segment_steps(steps: int) -> int:
    """Steps of a segment of a run: about the square root of them, so that what is kept of the run grows with that, and
    so does the room for one segment; a multiple of the steps whose gradients are summed in the kernel's type.
    """
    return SUMMED_STEPS * max(1, math.ceil(math.isqrt(max(steps, 1)) / SUMMED_STEPS))


@dataclass(frozen=True, eq=False, repr=False)
class Tape:
    """What is needed to go back through the steps of a run; see :meth:`izhigen.population.Population.run`.

    Attributes
    ----------
    model : Declaration
    layout : Layout
    engine : Engine
    block : Block
        All steps of the run, with inputs and parameters of its own; the arrays of its states are room.
    kept : Kept
    wanted : tuple of str
        Inputs, jumps and parameters whose gradients are due.
    is_shared : mapping
        Name of each parameter of one value a neuron to whether all batches share these.
    every : int
        Rows of the recording's traces stand after every that many steps.
    neurons : array or None
        Flat indices of the recorded neurons.
    _uses : dict
        The population's, whose kernel it shares: one of them is used at a time.
    """

    model: Declaration
    layout: Layout
    engine: Engine
    block: Block
    kept: Kept
    wanted: tuple[str, ...]
    is_shared: Mapping[str, bool]
    every: int = 1
    neurons: Array | None = None
    _uses: dict[str, Use] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> Any:  # a pickled recording has none
        return (_no_tape, ())

    def __repr__(self) -> str:
        steps, neurons = self.block.steps, self.layout.count
        each = self.bytes / max(steps * neurons, 1)
        return (
            f"<Tape of {steps} steps of {neurons} neurons: states every {self.kept.every} steps, {each:.2f} bytes a "
            f"neuron-step; gradients of {', '.join([*self.wanted, *(f'{name}0' for name in self.states)])}>"
        )

    def ended(self, steps: int, every: int, neurons: Array | None) -> Tape:
        """The tape of a run that has ended after some steps, with what its recording has of each row."""
        return replace(self, block=replace(self.block, steps=steps), every=every, neurons=neurons)

    @property
    def bytes(self) -> int:
        """Bytes that the tape keeps: states at the beginning of segments, and copies of inputs."""
        inputs = sum(source.values.nbytes for source in self.block.inputs.values() if not callable(source.given))
        return inputs + sum(rows.nbytes for rows in self.kept.rows.values())

    @property
    def states(self) -> tuple[str, ...]:
        """The states that have a gradient."""
        return self.model.gradient_states

    @property
    def event_names(self) -> tuple[str, ...]:
        """The events that have a gradient."""
        return tuple(event.name for event in self.model.events)

    @exclusive
    def backward(
        self, cotangents: Mapping[str, Any], final: Mapping[str, Any], check_finite: bool = True
    ) -> dict[str, Any]:
        """Go back through the run; see :meth:`izhigen.recording.Recording.backward`."""
        with self.layout.space.use():
            return self._backward(cotangents, final, check_finite)

    def _backward(self, cotangents: Mapping[str, Any], final: Mapping[str, Any], check_finite: bool) -> dict[str, Any]:
        given, counts = self._given(cotangents)
        layout, steps = self.layout, self.block.steps
        states = {name: layout.space.zeros(layout.count, layout.dtype) for name in self.states}
        for name, values in check_cotangents("final", final, states).items():
            layout.space.write(states[name], self._of_row(f"final {name}", values, layout.shape)[0])
        if check_finite:
            self._check_finite(given, counts, states)
        inputs = [*self.model.inputs, *self.model.delta_inputs]
        rows = {
            name: layout.space.rows(steps, None, layout.count, layout.dtype) for name in self.wanted if name in inputs
        }
        sums = {name: layout.space.zeros(layout.count, np.float64) for name in self.wanted if name not in inputs}
        with Interruptible() as signals:
            pullback = Pullback(self.kept, self.block.first_step, given, counts, states, rows, sums)
            _WayBack(self, pullback, check_finite).go(signals.look)
        found: dict[str, Any] = {name: values.reshape(steps, *layout.shape) for name, values in rows.items()}
        found |= {f"{name}0": values.reshape(layout.shape) for name, values in states.items()}
        return found | {name: self._of_parameter(name, values, check_finite) for name, values in sums.items()}

    # -- what is given ----------------------------------------------------------------------------------------------

    def _given(self, cotangents: Mapping[str, Any]) -> tuple[dict[str, Cotangent], dict[str, Cotangent]]:
        """What the loss itself depends on, by state and event; and by event, on the number of them."""
        given: dict[str, Cotangent] = {}
        counts: dict[str, Cotangent] = {}
        known = (*self.states, *self.event_names, *([COUNT] if self.model.spike else []))
        for name, values in check_cotangents("backward", cotangents, known).items():
            if name == COUNT:
                assert self.model.spike is not None
                counts[self.model.spike.name] = Cotangent(self._spread(self._of_row(name, values, self._row_shape)))
                continue
            if name in self.event_names and self.every != 1:
                raise ValueShapeError(
                    f"backward: the rows of {shown(name)} stand for several steps (every={self.every}); record every "
                    "step, or give the gradient with respect to 'count'"
                )
            given[name] = Cotangent(self._rows(name, values), self.every)
        return given, counts

    def _check_finite(
        self, given: Mapping[str, Cotangent], counts: Mapping[str, Cotangent], final: Mapping[str, Array]
    ) -> None:
        """Refuse gradients that are given and are not finite."""
        named = {shown(name): found.values for name, found in given.items()}
        named |= {f"the number of {shown(name)}": found.values[0] for name, found in counts.items()}
        named |= {f"the final {shown(name)}": values for name, values in final.items()}
        for what, values in named.items():
            check_finite_cotangent(f"backward: the gradient given for {what}", values)

    def _numbers(self, name: str, values: Any) -> Array:
        refuse_masked(f"backward: {name}", values)
        array = real_numbers(f"backward: {name}", values, self.layout.read(values), "; give numbers")
        with np.errstate(over="ignore"):
            return namespace(array).asarray(array, self.layout.dtype)

    def _of_row(self, name: str, values: Any, shape: tuple[int, ...]) -> Array:
        """One value a neuron, in one row."""
        array = self._numbers(name, values)
        xp = namespace(array)
        try:
            return xp.ascontiguousarray(xp.broadcast_to(array, shape)).reshape(1, -1)
        except ValueError:
            raise ValueShapeError(
                f"backward: {name} has shape {array.shape}; give one value per neuron {shape}"
            ) from None

    def _rows(self, name: str, values: Any) -> Array:
        """Rows of a trace; one where all have the same, of one column where all neurons have."""
        array, shape = self._numbers(name, values), (self.block.steps // self.every, *self._row_shape)
        axes = (1,) * (len(shape) - array.ndim) + array.shape
        if len(axes) != len(shape) or any(given not in (1, wanted) for given, wanted in zip(axes, shape)):
            raise ValueShapeError(
                f"backward: {name} has shape {array.shape}, its trace {shape}; give the gradient in that shape, or in "
                "one that broadcasts to it"
            )
        array, xp = array.reshape(axes), namespace(array)
        is_whole = self.neurons is not None or any(given != 1 for given in axes[1:])
        if is_whole:
            array = xp.broadcast_to(array, (axes[0], *shape[1:]))
        return self._spread(xp.ascontiguousarray(array).reshape(axes[0], math.prod(array.shape[1:])))

    @property
    def _row_shape(self) -> tuple[int, ...]:
        return self.layout.shape if self.neurons is None else (len(self.neurons),)

    def _spread(self, rows: Array) -> Array:
        """Columns of the recorded neurons as columns of all."""
        if self.neurons is None:
            return rows
        xp = namespace(rows)
        whole = xp.zeros((len(rows), self.layout.count), rows.dtype)
        whole[:, xp.asarray(self.neurons)] = rows
        return whole

    # -- what is found ----------------------------------------------------------------------------------------------

    def _of_parameter(self, name: str, values: Array, check_finite: bool) -> float | Array:
        """Of the one value for all neurons, or of one a neuron; those of batches that share it are added up."""
        if isinstance(self.block.parameters[name], float):
            return float(fetch(values).sum())  # in the same order wherever they lie
        space, shape = self.layout.space, self.layout.shape
        if self.layout.batch is not None and self.is_shared[name]:
            whole = fetch(values).reshape(shape).sum(axis=0)
            values, shape = space.send(whole.reshape(-1)), whole.shape
        return self._in_range(name, space.gather(values).reshape(shape), check_finite)

    def _in_range(self, name: str, sums: Array, check_finite: bool) -> Array:
        """Sums of double precision in the kernel's type."""
        dtype = self.layout.dtype
        with np.errstate(over="ignore"):
            found = sums.astype(dtype)
        place = first_not_finite(found.reshape(-1)) if check_finite else None
        if place is not None:
            neuron, step = int(place[0]), self.block.first_step
            raise NonFiniteError(
                f"the gradient of parameter {shown(name)} in neuron {neuron}, summed over the steps from {step} on, is "
                f"too large for {np.dtype(dtype).name}; take dtype='float64'; check_finite=False lets it pass",
                neuron=neuron,
                step=step,
                time=step * self.block.dt,
                state={},
                inputs={},
            )
        return found


def _no_tape() -> None:
    """What a pickled tape becomes."""
    return None


class _WayBack:
    """Goes back through the blocks of a run, the last one first; a gradient that overflows is traced to its step."""

    def __init__(self, tape: Tape, pullback: Pullback, check_finite: bool) -> None:
        self._tape, self._pullback, self._check = tape, pullback, check_finite

    def go(self, interrupted: Any) -> None:
        tape, kept = self._tape, self._pullback.kept
        segments = self._segments_at_once()
        end = tape.block.first_step + tape.block.steps
        while end > tape.block.first_step:
            begin = kept.start(max(kept.row_at(end - 1) - segments + 1, 0))
            before = self._copies() if self._check else ({}, {})
            is_bad = self._pull(begin, end, begin)
            if self._check and (is_bad or self._bad_sum() is not None):
                self._trace(begin, end, before)
            end = begin
            if interrupted():
                raise KeyboardInterrupt

    def _copies(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """Gradients of states, and the sums of those of parameters, as they are."""
        states, sums = self._pullback.states, self._pullback.parameters
        return {name: x.copy() for name, x in states.items()}, {name: x.copy() for name, x in sums.items()}

    def _segments_at_once(self) -> int:
        tape = self._tape
        work = SECONDS * tape.engine.pace * tape.block.threads / max(tape.engine.cost * BACK_AND_FORTH, 1)
        return max(1, int(work // max(tape.layout.count, 1)) // tape.kept.every)

    def _pull(self, begin: int, end: int, first: int) -> bool:
        """Go back from step ``end`` to ``first``, the steps made again from ``begin`` on.

        Returns whether a gradient was not finite: of an input, or of a state where a segment begins or in the end.
        """
        tape, offset = self._tape, begin - self._tape.block.first_step
        inputs = {name: source.part(offset, end - begin) for name, source in tape.block.inputs.items()}
        block = replace(tape.block, first_step=begin, steps=end - begin, inputs=inputs)
        rows = {name: values[offset : offset + end - begin] for name, values in self._pullback.inputs.items()}
        return tape.engine.pull_back(block, replace(self._pullback, first=first, inputs=rows))

    def _fault(self, begin: int, end: int) -> tuple[str, int] | None:
        """A gradient that is not finite after going back from step ``end`` to ``begin``: what, and the neuron."""
        origin = self._tape.block.first_step
        places = [first_not_finite(values) for values in self._pullback.states.values()]
        neurons = [int(place[0]) for place in places if place is not None]
        if neurons:
            return "the gradient of neuron", min(neurons)
        for name, rows in self._pullback.inputs.items():
            place = first_not_finite(rows[begin - origin : end - origin])
            if place is not None:
                return f"the gradient of input {shown(name)} of neuron", int(place[1])
        return self._bad_sum()

    def _bad_sum(self) -> tuple[str, int] | None:
        """The first parameter whose sum is not finite, and the neuron; it stays so."""
        for name, sums in self._pullback.parameters.items():
            place = first_not_finite(sums)
            if place is not None:
                return f"the gradient of parameter {shown(name)} in neuron", int(place[0])
        return None

    def _overflow(self, what: str, neuron: int, step: int) -> NonFiniteError:
        time = step * self._tape.block.dt
        return NonFiniteError(
            f"{what} {neuron} overflows, or is undefined, on the way back through step {step} (t = {time:g} ms): "
            "gradients of a run grow with its length where neurons are unstable. Take a shorter run, a flatter "
            "surrogate or a smaller spike_scale, detach_spike='reset', or dtype='float64'; a surrogate of one's own "
            "must have a value for every x; check_finite=False lets it pass",
            neuron=neuron,
            step=step,
            time=time,
            state={},
            inputs={},
        )

    def _trace(self, begin: int, end: int, before: tuple[dict[str, Array], dict[str, Array]]) -> None:
        """Find the last step before which a gradient is not finite, and say so: a later spike may have cut it off
        again, so segment by segment, and then step by step.
        """
        kept = self._pullback.kept
        for row in range(kept.row_at(end - 1), kept.row_at(begin) - 1, -1):
            start = kept.start(row)
            if self._fault_after(start, end, start, before) is None:
                end, before = start, self._copies()
                continue
            for step in range(end - 1, start - 1, -1):
                fault = self._fault_after(start, end, step, before)
                if fault is not None:
                    raise self._overflow(*fault, step)

    def _fault_after(
        self, begin: int, end: int, first: int, before: tuple[dict[str, Array], dict[str, Array]]
    ) -> tuple[str, int] | None:
        """What is not finite after going back to a step, the steps made again from ``begin`` on."""
        now = (self._pullback.states, self._pullback.parameters)
        for arrays, copies in zip(now, before):
            for name, values in copies.items():
                self._tape.layout.space.write(arrays[name], values)
        self._pull(begin, end, first)
        return self._fault(first, end)


def start_tape(
    neurons: Neurons,
    engine: Engine,
    feeds: Mapping[str, Feed],
    count: int,
    wanted: tuple[str, ...],
) -> Tape:
    """Room for the tape of a run of ``count`` steps, and what it is given; whoever makes the run fills it.

    Arrays that a user gave are copied, as they may change before the way back; but not those that are read-only.
    """
    layout, every = neurons.layout, segment_steps(count)
    sources = {name: _own(feed(0, count)) for name, feed in feeds.items()}
    parameters = {
        name: value if isinstance(value, (int, float)) else value.copy() for name, value in neurons.parameters.items()
    }
    first = neurons.steps_done
    kept = Kept(first, every, {})
    segments = kept.row_at(first + max(count, 1) - 1) + 1
    rows = {
        name: layout.space.rows(segments, None, layout.count, values.dtype) for name, values in neurons.state.items()
    }
    room = {name: layout.space.zeros(layout.count, values.dtype) for name, values in neurons.state.items()}
    block = replace(neurons.block(sources, count, False, first), parameters=parameters, state=room, spike_flag=None)
    shared = {name: shape_of(neurons.given.get(name, 0.0)) != layout.shape for name in neurons.parameters}
    kept = replace(kept, rows=rows)
    return Tape(neurons.model, layout, engine, block, kept, wanted, shared, _uses=neurons.uses)


def _own(source: Source) -> Source:
    """A source whose values nobody else can change; memory that nobody can write to is taken as it is."""
    if callable(source.given):
        return source
    on_host = isinstance(source.values, np.ndarray)
    if on_host and (source.values.base is None or _is_fixed(source.values)):
        return source
    return replace(source, given=source.values.copy())


def _is_fixed(array: Array) -> bool:
    """Whether neither the array nor any that it is a view of can be written to."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        if array.base is None:
            return True
        array = array.base
    return False
