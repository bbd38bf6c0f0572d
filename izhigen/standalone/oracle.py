"""A model's step on plain arrays in double precision, and what a self test feeds it with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Any

import numpy as np

from izhigen.backends.engine import Block, Outputs, Source
from izhigen.backends.numpy import NumpyEngine
from izhigen.backends.poisson import first_sum, poisson_counts
from izhigen.backends.random import normal_rows
from izhigen.derive.event import TAU_REF
from izhigen.derive.step import Step
from izhigen.inputs.drawing import stream_of
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.initial import initial_last_spike, initial_states

Array = Any
State = dict[str, Array]

DT = 0.125
"""Step in ms; exact in both precisions, so that times are the same in all."""
SEED = 20030101
SEGMENTS, LENGTH = 12, 50
"""Segments, and steps of each: as many as a mask of 64 bits tells spikes of."""
PARTS = 1024
"""Parts of a step at whose ends a neuron may have spiked last."""
MASK = 64
"""Bits of a mask of steps."""
DISPLACEMENT = (0.0, 0.1, -0.1, 0.2)
"""How far the neurons start from the model's initial state, as a fraction of it."""
REFRACTORY_STEPS = 20
"""Least refractory period in steps, so that it is seen; always a whole number of them, so that ties are tested."""
DIGITS = 9
"""Digits of the values: enough for float32, and few enough to be the same on every machine."""
MOVE = 16
"""Units in the last place by which states are moved."""
MEAN = 0.25
"""Mean Poisson count of a step, in the segment with noise; each event adds the amplitude of the noise."""
EVENT_EVERY, EVENT_NEURON = 7, 1
"""In that segment, each step whose number is a multiple of the first gives a spike of that weight to that neuron."""


@dataclass(frozen=True)
class Drawn:
    """States that jump, and the inputs for which the kernel draws Poisson counts and to which it delivers spikes."""

    deltas: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    spiked: tuple[str, ...] = ()


NOTHING_DRAWN = Drawn()


@dataclass(frozen=True)
class Happened:
    """An event: its number, the step, and where in the step it was, as a fraction of it."""

    event: int
    step: int
    offset: float

    @property
    def bit(self) -> int:
        """The step's bit in a mask that tells events apart."""
        return 1 << self.step + MASK * self.event


@dataclass(frozen=True)
class Stretch:
    """Steps with held inputs, shape (neurons, inputs), and the amplitudes of noise on them."""

    first: int
    steps: int
    inputs: Array
    noise: tuple[float, ...] = ()

    def part(self, begin: int, stop: int) -> Stretch:
        """Some of the steps."""
        return replace(self, first=self.first + begin, steps=stop - begin)

    def fed(self, dtype: np.dtype[Any]) -> Array:
        """Values of the inputs, shape (1 or steps, neurons, inputs)."""
        if not any(self.noise):
            return self.inputs[None]
        variates = normal_rows(SEED, 0, len(self.inputs), self.first, self.steps, 0, dtype).astype(np.float64)
        return self.inputs[None] + variates[:, :, None] * np.array(self.noise)


class Oracle:
    """A model's step on plain arrays in float64, with the noise that the kernel draws in its own precision."""

    def __init__(self, step: Step, dtype: str, drawn: Drawn) -> None:
        self.drawn, self.inputs = drawn, (*step.model.inputs, *(f"{state}_delta" for state in drawn.deltas))
        self.model, self.dtype, self.variates = step.model, np.dtype(dtype), step.variates
        self.step, self.is_located = step, step.location is not None
        self.eps = float(np.finfo(self.dtype).eps)
        changed = {TAU_REF.name: _whole_steps(step.model.parameters[TAU_REF.name])} if step.period else {}
        self.parameters = {
            name: float(self.dtype.type(changed.get(name, value))) for name, value in step.model.parameters.items()
        }
        self.changed = changed
        increments = [
            i + sum(n.factor * n.xi for n in step.noise if n.state == s) for s, i in zip(step.states, step.increments)
        ]
        self._engine = self._engine_of(replace(step, increments=tuple(increments), noise=()))
        self.events = tuple(range(len(step.event_names)))

    def _engine_of(self, step: Step) -> NumpyEngine:
        """The engine of a step whose noise stands in its increments."""
        return NumpyEngine(step, "float64", self.drawn.deltas)

    def initial(self, count: int) -> State:
        """The states at time 0."""
        values = initial_states(self.model, {}, self.parameters, np.float64)
        state = {name: np.full(count, value) for name, value in values.items()}
        if self.model.keeps_last_spike:
            state[LAST_SPIKE] = np.full(count, round(self.last_spike / DT) * DT)
        return state

    @property
    def last_spike(self) -> float:
        """Time of the last spike at time 0, in ms."""
        return float(self.dtype.type(initial_last_spike(self.model, self.parameters)))

    def run(self, state: State, stretch: Stretch) -> list[int]:
        """Advance the states in place; bits of the steps at which each neuron spiked, above them those of other events.

        There may be several times as many states as neurons: copies, with the same inputs and noise.
        """
        return [mask_of(found) for found in self.happenings(state, stretch)]

    def happenings(self, state: State, stretch: Stretch) -> list[list[Happened]]:
        """The same, but all that happened to each neuron, event by event and in order of time."""
        happened: list[list[Happened]] = [[] for _ in next(iter(state.values()))]
        spikes = self._engine.advance(self._block(state, stretch, Outputs(events=self.events))).spikes
        if spikes is None:
            return happened
        for event in self.events:
            part = spikes.of(event)
            offsets = np.ones(len(part.step)) if part.offset is None else part.offset
            for step, neuron, offset in zip(part.step.tolist(), part.neuron.tolist(), offsets.tolist()):
                happened[neuron].append(Happened(event, step, offset))
        return happened

    def _block(self, state: State, stretch: Stretch, outputs: Outputs) -> Block:
        """The steps for as many copies of the neurons as there are states for."""
        first, steps, neurons = stretch.first, stretch.steps, len(stretch.inputs)
        copies, fed = len(next(iter(state.values()))) // neurons, self._fed(stretch)
        sources = {name: Source(np.tile(fed[:, :, k], copies)) for k, name in enumerate(self.inputs)}
        for xi, stream in self.variates:
            sources[xi.name] = Source(
                np.tile(normal_rows(SEED, 0, neurons, first, steps, stream, self.dtype).astype(np.float64), copies)
            )
        return Block(first, steps, DT, SEED, state, self.parameters, sources, outputs=outputs)

    def spikes(self, state: State, stretch: Stretch, event: int = 0) -> list[int]:
        """The same, but bits of the spikes alone, or of another event."""
        return [steps_of(event, mask) for mask in self.run(state, stretch)]

    def watched(self, event: int) -> str:
        """The first state that the condition of an event reads, else the first of all."""
        read = {
            name
            for declared in self.model.events
            if self.model.event_numbers[declared.name] == event
            for name in self.model.reads(declared.condition.names)
        }
        return next((state for state in self.model.states if state in read), self.model.states[0])

    def _fed(self, stretch: Stretch) -> Array:
        """Values of the inputs with what the kernel draws and delivers, where there is noise on them."""
        fed = stretch.fed(self.dtype)
        if not any(stretch.noise):
            return fed
        mean, steps = np.array([MEAN]), range(stretch.first, stretch.first + stretch.steps)
        for k, name in enumerate(self.inputs):
            key = SEED ^ stream_of(name)
            if name in self.drawn.counted:
                counts = [poisson_counts(mean, first_sum(mean), key, 0, fed.shape[1], step) for step in steps]
                fed[:, :, k] += stretch.noise[k] * np.array(counts)
            if name in self.drawn.spiked:
                fed[[step % EVENT_EVERY == 0 for step in steps], EVENT_NEURON, k] += stretch.noise[k]
        return fed

    def rounded(self, state: State) -> State:
        """The states as they are printed, and then held in the kernel's precision; 0 for one that is not finite. The
        last spike is at a place in its step that every precision has.
        """
        return {
            name: _in_parts(values) if name == LAST_SPIKE else np.array([self._rounded(x) for x in values])
            for name, values in state.items()
        }

    def _rounded(self, value: float) -> float:
        with np.errstate(over="ignore"):
            held = float(self.dtype.type(in_digits(value)))
        return held if math.isfinite(held) else 0.0

    def move(self, copies: State, piece: int, scale: State) -> None:
        """Move every state of the copies, or gradient with respect to one, by some units in the last place of the
        neuron's largest value, up or down.
        """
        for k, name in enumerate(self.model.states):
            if name not in copies:
                continue
            signs = [sign_of(31 * piece + 7 * k + 3 * i) for i in range(len(copies[name]))]
            copies[name] += MOVE * self.eps * np.resize(scale[name], len(signs)) * np.array(signs, np.float64)


def sign_of(number: int) -> int:
    """1 or -1, as often and in no order."""
    return 1 - 2 * ((2654435761 * (number + 1) >> 13) & 1)


def steps_of(event: int, mask: int) -> int:
    """Bits of the steps at which one event happened."""
    return mask >> MASK * event & (1 << MASK) - 1


def mask_of(found: Iterable[Happened]) -> int:
    """Bits of the steps of all of them."""
    return reduce(or_, (one.bit for one in found), 0)


def _in_parts(times: Array) -> Array:
    """Times, rounded to parts of a step."""
    return np.round(times / DT * PARTS) / PARTS * DT


def in_digits(value: float, digits: int = DIGITS) -> float:
    """The value to as many digits as are printed."""
    return float(f"{value:.{digits}g}")


def _whole_steps(period: float) -> float:
    """A refractory period of whole steps that is not too short to be seen."""
    return max(round(period / DT), REFRACTORY_STEPS) * DT


def displaced(oracle: Oracle, count: int) -> State:
    """Where neurons start: near the initial state, as a model at rest would show nothing."""
    state = oracle.initial(count)
    for name in oracle.model.states:
        state[name] += np.array(DISPLACEMENT) * np.where(state[name] == 0.0, 1.0, np.abs(state[name]))
    return state


def finite(oracle: Oracle, state: State) -> Array:
    """Which neurons have states within the precision's range."""
    return np.all([np.abs(state[name]) < np.finfo(oracle.dtype).max / 2 for name in oracle.model.states], axis=0)


def two_digits(value: float) -> float:
    """The value to two digits, as tolerances are printed."""
    return float(f"{value:.1e}")
