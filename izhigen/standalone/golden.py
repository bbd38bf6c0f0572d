"""Golden values of a self test: what a step must give by the NumPy oracle in float64, and how far rounding may lead.

The test is cut into short segments. Each starts from given states, so that errors do not add up over the whole run, and
each is compared at its end, together with the steps at which neurons spiked. How far a correct kernel may be off is
measured here: the oracle runs again with its states moved by several units in the last place, over and over. Where such
a move shifts a spike, the neuron's segment is left out.

After those of a run come one with noise on the inputs, and some of a single step that starts so that it ends just below
the threshold, or just above.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np

from izhigen.backends.engine import Block, Outputs, Source
from izhigen.backends.numpy import NumpyEngine
from izhigen.backends.poisson import first_sum, poisson_counts
from izhigen.backends.random import normal_rows
from izhigen.derive.event import TAU_REF
from izhigen.derive.step import Step
from izhigen.errors import DerivationError, shown
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
MASK = 64
"""Bits of a mask of steps."""
STRIDES = (50, 250)
"""Steps from the start of one segment to the next one's; the longer is taken where nothing spikes within the shorter.
"""
LEVELS = (0.0, *(digit * 10.0**power for power in range(-1, 4) for digit in (1, 2, 5)))
"""Values of the first input among which those are looked for that make a neuron spike."""
OTHER_LEVELS = (0.0, 0.01, 0.1, 1.0)
"""Values of the other inputs."""
DISPLACEMENT = (0.0, 0.1, -0.1, 0.2)
"""How far the neurons start from the model's initial state, as a fraction of it."""
REFRACTORY_STEPS = 20
"""Least refractory period in steps, so that it is seen; always a whole number of them, so that ties are tested."""
DIGITS = 9
"""Digits of the values: enough for float32, and few enough to be the same on every machine."""
MEMBERS, PIECES, MOVE = 4, 5, 16
"""Runs with moved states, moves in a segment, and units in the last place of each move."""
MARGIN = 4
"""How many times the largest deviation of those runs is allowed."""
EDGES, EDGE = 2, 2e-4
"""Segments that end near the threshold, and how near, as a fraction of the state that spikes."""
NOISE = 0.1
"""Amplitude of the noise on an input, as a fraction of its largest value."""
MEAN = 0.25
"""Mean Poisson count of a step, in the segment with noise; each event adds the amplitude of the noise."""
EVENT_EVERY, EVENT_NEURON = 7, 1
"""In that segment, each step whose number is a multiple of the first gives a spike of that weight to that neuron."""


@dataclass(frozen=True)
class Segment:
    """What one segment starts from and must lead to; a row a neuron.

    Attributes
    ----------
    first_step, steps : int
    start, end, tolerance : tuple of tuple of float
        A value a state: at the start, at the end, and how much it may be off there.
    last_spike : tuple of int
        Step of the neuron's last spike before the start.
    spikes : tuple of int
        Bit s is set where the neuron spikes in step s of the segment, and bit s + k*:data:`MASK` where event k happens.
    checked : int
        Bit i is set where neuron i is compared.
    """

    first_step: int
    steps: int
    start: tuple[tuple[float, ...], ...]
    end: tuple[tuple[float, ...], ...]
    tolerance: tuple[tuple[float, ...], ...]
    last_spike: tuple[int, ...]
    spikes: tuple[int, ...]
    checked: int


@dataclass(frozen=True)
class Golden:
    """A self test's values.

    Attributes
    ----------
    dt : float
        Step in ms.
    seed : int
        Key of the noise.
    parameters : mapping
        Those that differ from the model's defaults.
    inputs : tuple of tuple of float
        A row a neuron: the values at which its inputs are held.
    noise : tuple of float
        Amplitudes of the noise on the inputs, in the segment ``noisy``.
    noisy : int
        Index of the segment with noise on the inputs; -1 without inputs.
    initial, initial_tolerance : tuple of float
        The model's initial value of each state, and how much it may be off.
    segments : tuple of Segment
    last_spike : float
        Time of the last spike at time 0, in ms.
    kinds : int
        Events that masks tell apart.
    """

    dt: float
    seed: int
    parameters: Mapping[str, float]
    inputs: tuple[tuple[float, ...], ...]
    noise: tuple[float, ...]
    noisy: int
    initial: tuple[float, ...]
    initial_tolerance: tuple[float, ...]
    segments: tuple[Segment, ...]
    last_spike: float
    kinds: int


@dataclass(frozen=True)
class Drawn:
    """States that jump, and the inputs for which the kernel draws Poisson counts and to which it delivers spikes."""

    deltas: tuple[str, ...] = ()
    counted: tuple[str, ...] = ()
    spiked: tuple[str, ...] = ()


NOTHING_DRAWN = Drawn()


@dataclass(frozen=True)
class _Stretch:
    """Steps with held inputs, shape (neurons, inputs), and the amplitudes of noise on them."""

    first: int
    steps: int
    inputs: Array
    noise: tuple[float, ...] = ()

    def part(self, begin: int, stop: int) -> _Stretch:
        """Some of the steps."""
        return replace(self, first=self.first + begin, steps=stop - begin)

    def fed(self, dtype: np.dtype[Any]) -> Array:
        """Values of the inputs, shape (1 or steps, neurons, inputs)."""
        if not any(self.noise):
            return self.inputs[None]
        variates = normal_rows(SEED, 0, len(self.inputs), self.first, self.steps, 0, dtype).astype(np.float64)
        return self.inputs[None] + variates[:, :, None] * np.array(self.noise)


class _Oracle:
    """A model's step on plain arrays in float64, with the noise that the kernel draws in its own precision."""

    def __init__(self, step: Step, dtype: str, drawn: Drawn) -> None:
        self.drawn, self.inputs = drawn, (*step.model.inputs, *(f"{state}_delta" for state in drawn.deltas))
        self.model, self.dtype, self.variates = step.model, np.dtype(dtype), step.variates
        self.eps = float(np.finfo(self.dtype).eps)
        changed = {TAU_REF.name: _whole_steps(step.model.parameters[TAU_REF.name])} if step.period else {}
        self.parameters = {
            name: float(self.dtype.type(changed.get(name, value))) for name, value in step.model.parameters.items()
        }
        self.changed = changed
        increments = [
            i + sum(n.factor * n.xi for n in step.noise if n.state == s) for s, i in zip(step.states, step.increments)
        ]
        whole = replace(step, increments=tuple(increments), noise=())
        self._engine = NumpyEngine(whole, "float64", drawn.deltas, 0)
        self.events = tuple(range(len(step.event_names)))

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

    def run(self, state: State, stretch: _Stretch) -> list[int]:
        """Advance the states in place; bits of the steps at which each neuron spiked, above them those of other events.

        There may be several times as many states as neurons: copies, with the same inputs and noise.
        """
        first, steps, neurons = stretch.first, stretch.steps, len(stretch.inputs)
        count = len(next(iter(state.values())))
        copies, fed = count // neurons, self._fed(stretch)
        sources = {name: Source(np.tile(fed[:, :, k], copies)) for k, name in enumerate(self.inputs)}
        for xi, stream in self.variates:
            sources[xi.name] = Source(
                np.tile(normal_rows(SEED, 0, neurons, first, steps, stream, self.dtype).astype(np.float64), copies)
            )
        found = self._engine.advance(
            Block(first, steps, DT, SEED, state, self.parameters, sources, outputs=Outputs(events=self.events))
        )
        masks = [0] * count
        if found.spikes is not None:
            for event in self.events:
                part = found.spikes.of(event)
                for step, neuron in zip(part.step.tolist(), part.neuron.tolist()):
                    masks[neuron] |= 1 << step + MASK * event
        return masks

    def spikes(self, state: State, stretch: _Stretch, event: int = 0) -> list[int]:
        """The same, but bits of the spikes alone, or of another event."""
        return [mask >> MASK * event & (1 << MASK) - 1 for mask in self.run(state, stretch)]

    def watched(self, event: int) -> str:
        """The first state that the condition of an event reads, else the first of all."""
        read = {
            name
            for declared in self.model.events
            if self.model.event_numbers[declared.name] == event
            for name in self.model.reads(declared.condition.names)
        }
        return next((state for state in self.model.states if state in read), self.model.states[0])

    def _fed(self, stretch: _Stretch) -> Array:
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
        """The states as they are printed, and then held in the kernel's precision; 0 for one that is not finite."""
        return {
            name: values.copy() if name == LAST_SPIKE else np.array([self._rounded(x) for x in values])
            for name, values in state.items()
        }

    def _rounded(self, value: float) -> float:
        with np.errstate(over="ignore"):
            held = float(self.dtype.type(in_digits(value)))
        return held if math.isfinite(held) else 0.0

    def move(self, copies: State, piece: int, scale: State) -> None:
        """Move every state of the copies by some units in the last place of the neuron's largest value, up or down."""
        for k, name in enumerate(self.model.states):
            signs = [
                1 - 2 * ((2654435761 * (31 * piece + 7 * k + 3 * i + 1) >> 13) & 1) for i in range(len(copies[name]))
            ]
            copies[name] += MOVE * self.eps * np.resize(scale[name], len(signs)) * np.array(signs, np.float64)


def in_digits(value: float) -> float:
    """The value to as many digits as are printed."""
    return float(f"{value:.{DIGITS}g}")


def _whole_steps(period: float) -> float:
    """A refractory period of whole steps that is not too short to be seen."""
    return max(round(period / DT), REFRACTORY_STEPS) * DT


def compute_golden(step: Step, dtype: str, drawn: Drawn = NOTHING_DRAWN) -> Golden:
    """The self test of a step in a precision.

    Raises
    ------
    DerivationError
        When there is nothing to compare: every trajectory runs to infinity within the first steps.
    """
    oracle = _Oracle(step, dtype, drawn)
    inputs, stride = _choose_inputs(oracle)
    segments = list(_segments(oracle, inputs, stride))
    if not any(segment.checked for segment in segments):
        raise DerivationError(
            f"model {shown(step.model.name)}: no self test can be made, as every trajectory from the initial state "
            f"leaves the range of {dtype} or moves its spikes with the last digit; "
            "set other initial values or parameters"
        )
    noise, noisy = tuple(two_digits(NOISE * (float(np.abs(column).max()) or 1.0)) for column in inputs.T), -1
    if noise:
        noisy, noise, segment = (
            len(segments),
            *_noisy_segment(oracle, _Stretch(len(segments) * stride, LENGTH, inputs, noise)),
        )
        segments.append(segment)
    for event in oracle.events:
        segments += _edges(oracle, inputs, stride, len(segments), event)
    start = oracle.initial(1)
    initial = tuple(in_digits(float(start[name][0])) for name in step.model.states)
    largest = max(abs(x) for x in initial) or 1.0
    tolerance = tuple(two_digits(_least_tolerance(oracle, max(abs(x), largest / 10))) for x in initial)
    return Golden(
        DT,
        SEED,
        oracle.changed,
        tuple(tuple(row) for row in inputs.tolist()),
        noise,
        noisy,
        initial,
        tolerance,
        tuple(segments),
        oracle.last_spike,
        len(step.event_names),
    )


def _choose_inputs(oracle: _Oracle) -> tuple[Array, int]:
    """Held inputs of four neurons, shape (4, inputs), and the stride between segments.

    None at all; the largest that leaves it quiet; one that makes it spike; and one that does so with all inputs in use.
    """
    width = len(oracle.inputs)
    candidates = np.array(
        [
            [level, *(other * (1 + 0.3 * k) for k in range(width - 1))][:width]
            for other in OTHER_LEVELS[: 1 if width < 2 else None]
            for level in (LEVELS if width else (0.0,))
        ]
    )
    candidates = np.array([[float(oracle.dtype.type(x)) for x in row] for row in candidates]).reshape(
        len(candidates), width
    )
    for stride in STRIDES:
        counts, finite = _try(oracle, candidates, stride)
        if counts.any():
            break
    else:
        stride = STRIDES[0]
    alone = np.arange(len(LEVELS) if width else 1)
    quiet = [i for i in alone if finite[i] and not counts[i]]
    spiking = [i for i in alone if finite[i] and counts[i]]
    together = [i for i in range(len(alone), len(candidates)) if finite[i]]
    first_spiking = spiking[min(1, len(spiking) - 1)] if spiking else (quiet[len(quiet) // 2] if quiet else 0)
    below = [i for i in quiet if i < first_spiking]
    fourth = (
        max(together, key=lambda i: (counts[i] > 0, i // len(alone), -counts[i]))
        if together
        else min(first_spiking + 1, len(alone) - 1)
    )
    chosen: list[Any] = [0, below[-1] if below else 0, first_spiking, fourth]
    return candidates[chosen], stride


def choose_current(step: Step, dtype: str, golden: Golden, wanted: float, duration: float) -> float:
    """A value of the first input that makes the model spike within a time: the wanted one, else that of the self test.

    The wanted one where neither does.
    """
    oracle = _Oracle(step, dtype, NOTHING_DRAWN)
    if not oracle.model.inputs:
        return wanted
    levels = (wanted, float(f"{golden.inputs[2][0]:.3g}"))
    inputs = np.zeros((len(levels), len(oracle.model.inputs)))
    inputs[:, 0] = levels
    state, spiked = oracle.initial(len(levels)), [0, 0]
    for first in range(0, int(duration / DT), LENGTH):
        spiked = [mask | new for mask, new in zip(spiked, oracle.spikes(state, _Stretch(first, LENGTH, inputs)))]
        if spiked[0]:
            return wanted
    return levels[1] if spiked[1] else wanted


def _try(oracle: _Oracle, candidates: Array, stride: int) -> tuple[Array, Array]:
    """Spikes of each candidate in the time of all segments, and whether it stays finite."""
    state = oracle.initial(len(candidates))
    counts = np.zeros(len(candidates), np.int64)
    for first in range(0, SEGMENTS * stride, LENGTH):
        counts += [mask.bit_count() for mask in oracle.spikes(state, _Stretch(first, LENGTH, candidates))]
    finite = np.all([np.abs(state[name]) < np.finfo(oracle.dtype).max for name in oracle.model.states], axis=0)
    return counts, finite


def _displaced(oracle: _Oracle, count: int) -> State:
    """Where neurons start: near the initial state, as a model at rest would show nothing."""
    state = oracle.initial(count)
    for name in oracle.model.states:
        state[name] += np.array(DISPLACEMENT) * np.where(state[name] == 0.0, 1.0, np.abs(state[name]))
    return state


def _segments(oracle: _Oracle, inputs: Array, stride: int) -> Iterator[Segment]:
    """Those of a run: each starts where the one before has led."""
    state = _displaced(oracle, len(inputs))
    scale = {name: np.zeros(len(inputs)) for name in oracle.model.states}
    for first in range(0, SEGMENTS * stride, stride):
        segment, state = _segment(oracle, _Stretch(first, LENGTH, inputs), state, scale)
        yield segment
        for offset in range(LENGTH, stride, LENGTH):
            oracle.run(state, _Stretch(first + offset, LENGTH, inputs))


def _segment(oracle: _Oracle, stretch: _Stretch, state: State, scale: State) -> tuple[Segment, State]:
    """The segment that starts from states, and where it leads; ``scale``, the largest magnitudes so far, is updated."""
    names, count = oracle.model.states, len(stretch.inputs)
    finite_before = _finite(oracle, state)
    start = oracle.rounded(state)
    state = {name: values.copy() for name, values in start.items()}
    spikes = [0] * count
    scale.update({name: _grown(scale[name], start[name]) for name in names})
    for begin, stop in _pieces(stretch):
        spikes = [mask | new << begin for mask, new in zip(spikes, oracle.run(state, stretch.part(begin, stop)))]
        scale.update({name: _grown(scale[name], state[name]) for name in names})
    deviation, stable = _deviation(oracle, stretch, start, state, spikes, scale)
    checked = finite_before & stable & _finite(oracle, state)
    tolerance = {
        name: np.where(checked, MARGIN * deviation[name] + _least_tolerance(oracle, scale[name]), 0.0) for name in names
    }
    end = {name: np.where(checked, state[name], 0.0) for name in names}
    last = [round(t / DT) for t in start[LAST_SPIKE].tolist()] if oracle.model.keeps_last_spike else [0] * count
    return Segment(
        stretch.first,
        stretch.steps,
        _rows(start, names),
        _rows(end, names),
        _rows({n: [two_digits(x) for x in v] for n, v in tolerance.items()}, names),
        tuple(last),
        tuple(mask if c else 0 for mask, c in zip(spikes, checked)),
        sum(1 << i for i, c in enumerate(checked) if c),
    ), state


def _noisy_segment(oracle: _Oracle, stretch: _Stretch) -> tuple[tuple[float, ...], Segment]:
    """A segment with noise on the inputs, less of it where rounding would move spikes; and the amplitudes."""
    for _ in range(4):
        scale = {name: np.zeros(len(stretch.inputs)) for name in oracle.model.states}
        segment, _ = _segment(oracle, stretch, _displaced(oracle, len(stretch.inputs)), scale)
        if segment.checked:
            break
        stretch = replace(stretch, noise=tuple(two_digits(amplitude / 10) for amplitude in stretch.noise))
    return stretch.noise, segment


def _edges(oracle: _Oracle, inputs: Array, stride: int, index: int, event: int) -> Iterator[Segment]:
    """Single steps that end just below and above the threshold of an event, from states between the initial one and one
    that makes it happen.
    """
    quiet = {name: float(values[0]) for name, values in oracle.initial(1).items()}
    spiking = _before_event(oracle, inputs, stride, event)
    if spiking is None:
        return
    if event:
        quiet |= _before_event(oracle, inputs, stride, event, happens=False) or {}
    for k in range(EDGES):
        stretch = _Stretch((index + k) * stride, 1, inputs)

        def between(part: Array) -> State:
            return {name: value + part * (spiking.get(name, value) - value) for name, value in quiet.items()}

        part, distance, found = _solve_edge(oracle, stretch, between, event)
        side = np.where(np.arange(len(inputs)) % 2 == k % 2, -1.0, 1.0)
        scale = {name: np.zeros(len(inputs)) for name in oracle.model.states}
        segment, _ = _segment(oracle, stretch, between(part + side * distance), scale)
        yield replace(segment, checked=segment.checked & sum(1 << i for i, f in enumerate(found) if f))


def _before_event(
    oracle: _Oracle, inputs: Array, stride: int, event: int, happens: bool = True
) -> dict[str, float] | None:
    """The states of a neuron before the first step in which an event happens, or does not; None without such a step."""
    state = _displaced(oracle, len(inputs))
    for first in range(0, SEGMENTS * stride, LENGTH):
        before = {name: values.copy() for name, values in state.items()}
        if happens and not any(oracle.spikes(state, _Stretch(first, LENGTH, inputs), event)):
            continue
        for step in range(first, first + LENGTH):
            found = {name: values.copy() for name, values in before.items()}
            masks = oracle.spikes(before, _Stretch(step, 1, inputs), event)
            for neuron, mask in enumerate(masks):
                if bool(mask) is happens and _finite(oracle, found)[neuron]:
                    return {name: float(found[name][neuron]) for name in oracle.model.states}
    return None


def _solve_edge(
    oracle: _Oracle, stretch: _Stretch, between: Callable[[Array], State], event: int
) -> tuple[Array, Array, Array]:
    """Where on a line of states an event begins to happen in a single step, how far is near, and for which neurons that
    is known.
    """
    count, name = len(stretch.inputs), oracle.watched(event)

    def spikes(part: Array) -> Array:
        return np.array(oracle.spikes(between(part), stretch, event), bool)

    low, high = np.full(count, np.nan), np.full(count, np.nan)
    for trial in (0.0, -1.0, -3.0):
        low = np.where(np.isnan(low) & ~spikes(np.full(count, trial)), trial, low)
    for trial in (1.0, 1.5, 2.0, 4.0, 8.0):
        high = np.where(np.isnan(high) & spikes(np.full(count, trial)), trial, high)
    found = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(found, low, 0.0), np.where(found, high, 0.0)
    for _ in range(48):
        middle = (low + high) / 2
        above = spikes(middle)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    before, ends = between(low)[name], []
    for part in (low, low - 1e-6):
        state = between(part)
        oracle.run(state, stretch)
        ends.append(state[name])
    slope = np.abs(ends[0] - ends[1]) / 1e-6
    near = EDGE * np.abs(ends[0]) + 16 * MOVE * oracle.eps * np.abs(before)
    found &= slope > 0.0
    return low, np.where(found, near / np.where(found, slope, 1.0), 0.0), found


def _grown(scale: Array, *states: Array) -> Array:
    """The largest magnitude so far of a state, a value a neuron; at least a thousandth of the other neurons' one."""
    largest = reduce(np.maximum, [np.abs(np.where(np.isfinite(x), x, 0.0)) for x in states], scale)
    return np.maximum(largest, 1e-3 * (np.max(largest) or 1.0))


def _least_tolerance(oracle: _Oracle, scale: Any) -> Any:
    """What rounding in the kernel and in the printed values takes at least."""
    return 2 * (MOVE * oracle.eps + 10.0 ** (1 - DIGITS)) * scale


def _pieces(stretch: _Stretch) -> list[tuple[int, int]]:
    """The stretch in pieces: first step of each, and that after its last."""
    return list(pairwise(sorted({stretch.steps * piece // PIECES for piece in range(PIECES + 1)})))


def _deviation(
    oracle: _Oracle, stretch: _Stretch, start: State, end: State, spikes: Sequence[int], scale: State
) -> tuple[State, Array]:
    """How far moved states lead from the end, the largest of all copies, and whether all spike at the same steps."""
    state = {name: np.tile(values, MEMBERS) for name, values in start.items()}
    count = len(stretch.inputs)
    found = [0] * (MEMBERS * count)
    for piece, (begin, stop) in enumerate(_pieces(stretch)):
        oracle.move(state, piece, scale)
        found = [mask | new << begin for mask, new in zip(found, oracle.run(state, stretch.part(begin, stop)))]
    same = _finite(oracle, state) & np.array([mask == spikes[i % count] for i, mask in enumerate(found)])
    with np.errstate(invalid="ignore"):
        deviation = {
            name: np.abs(state[name].reshape(MEMBERS, -1) - end[name]).max(axis=0) for name in oracle.model.states
        }
    return deviation, same.reshape(MEMBERS, -1).all(axis=0)


def _finite(oracle: _Oracle, state: State) -> Array:
    """Which neurons have states within the precision's range."""
    return np.all([np.abs(state[name]) < np.finfo(oracle.dtype).max / 2 for name in oracle.model.states], axis=0)


def two_digits(value: float) -> float:
    """The value to two digits, as tolerances are printed."""
    return float(f"{value:.1e}")


def _rows(state: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """A tuple of printed states a neuron."""
    return tuple(tuple(in_digits(float(x)) for x in row) for row in zip(*(state[name] for name in names)))
