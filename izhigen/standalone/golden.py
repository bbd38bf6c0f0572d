"""Golden values of a self test: what a step must give by the NumPy oracle in float64, and how far rounding may lead.

The test is cut into short segments. Each starts from given states, so that errors do not add up over the whole run, and
each is compared at its end, together with the steps at which neurons spiked. How far a correct kernel may be off is
measured here: the oracle runs again with its states moved by several units in the last place, over and over. Where such
a move shifts a spike, the neuron's segment is left out.

After those of a run come one with noise on the inputs, and some of a single step that starts so that it ends just below
the threshold, or just above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np

from izhigen.derive.step import Step
from izhigen.errors import DerivationError, shown
from izhigen.model.functions import LAST_SPIKE
from izhigen.standalone.edges import Point, around_threshold, solve_edge
from izhigen.standalone.oracle import (
    DIGITS,
    DT,
    LENGTH,
    MOVE,
    NOTHING_DRAWN,
    SEED,
    SEGMENTS,
    Drawn,
    Happened,
    Oracle,
    State,
    Stretch,
    displaced,
    finite,
    in_digits,
    mask_of,
    two_digits,
)

Array = Any

STRIDES = (50, 250)
"""Steps from the start of one segment to the next one's; the longer is taken where nothing spikes within the shorter.
"""
LEVELS = (0.0, *(digit * 10.0**power for power in range(-1, 4) for digit in (1, 2, 5)))
"""Values of the first input among which those are looked for that make a neuron spike."""
FIRST = 10
"""Steps in which something is to happen twice in one, where events are located."""
OTHER_LEVELS = (0.0, 0.01, 0.1, 1.0)
"""Values of the other inputs."""
MEMBERS, PIECES = 4, 5
"""Runs with moved states, and moves in a segment."""
MARGIN = 4
"""How many times the largest deviation of those runs is allowed."""
EDGES = 2
"""Segments that end near the threshold of an event."""
NOISE = 0.1
"""Amplitude of the noise on an input, as a fraction of its largest value."""


@dataclass(frozen=True)
class Moment:
    """Where an event is inside its step.

    Attributes
    ----------
    event, neuron, step : int
        Its number, the neuron, and the step of the segment.
    offset, tolerance : float
        The place, as a fraction of the step, and how much it may be off.
    """

    event: int
    neuron: int
    step: int
    offset: float
    tolerance: float


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
    last_offset : tuple of float
        How long after the beginning of that step it was, as a fraction of it.
    moments : tuple of Moment
        All that happens in neurons that are compared, event by event, neuron by neuron, and in order of time; nothing
        where events are at the ends of steps.
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
    last_offset: tuple[float, ...]
    spikes: tuple[int, ...]
    moments: tuple[Moment, ...]
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
    event_count : int
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
    event_count: int


def compute_golden(step: Step, dtype: str, drawn: Drawn = NOTHING_DRAWN) -> Golden:
    """The self test of a step in a precision.

    Raises
    ------
    DerivationError
        When there is nothing to compare: every trajectory runs to infinity within the first steps.
    """
    oracle = Oracle(step, dtype, drawn)
    inputs, stride = _choose_inputs(oracle, _at_ends(oracle))
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
            *_noisy_segment(oracle, Stretch(len(segments) * stride, LENGTH, inputs, noise)),
        )
        segments.append(segment)
    for event in oracle.events:
        segments += _edges(oracle, inputs, stride, len(segments), event)
    start = oracle.initial(1)
    initial = tuple(in_digits(float(start[name][0])) for name in step.model.states)
    largest = max(abs(x) for x in initial) or 1.0
    tolerance = tuple(two_digits(least_tolerance(oracle, max(abs(x), largest / 10))) for x in initial)
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


def _at_ends(oracle: Oracle) -> Oracle:
    """One whose events are at the ends of steps, which tells as well whether a neuron spikes, and faster."""
    return Oracle(replace(oracle.step, location=None), oracle.dtype.name, oracle.drawn) if oracle.is_located else oracle


def _choose_inputs(oracle: Oracle, quick: Oracle) -> tuple[Array, int]:
    """Held inputs of four neurons, shape (4, inputs), and the stride between segments.

    None at all; the largest that leaves it quiet; one that makes it spike; and one that does so with all inputs in use,
    or, where events are located, that makes something happen twice in a step.
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
        counts, finite = _try(quick, candidates, stride)
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
    if oracle.is_located:
        repeating = [i for i in _repeating(oracle, candidates) if finite[i]]
        fourth = min(repeating, key=lambda i: (i < len(alone), i % len(alone), i), default=fourth)
    chosen: list[Any] = [0, below[-1] if below else 0, first_spiking, fourth]
    return candidates[chosen], stride


def choose_current(step: Step, dtype: str, golden: Golden, wanted: float, duration: float) -> float:
    """A value of the first input that makes the model spike within a time: the wanted one, else that of the self test.

    The wanted one where neither does.
    """
    oracle = Oracle(replace(step, location=None), dtype, NOTHING_DRAWN)
    if not oracle.model.inputs:
        return wanted
    levels = (wanted, float(f"{golden.inputs[2][0]:.3g}"))
    inputs = np.zeros((len(levels), len(oracle.model.inputs)))
    inputs[:, 0] = levels
    state, spiked = oracle.initial(len(levels)), [0, 0]
    for first in range(0, int(duration / DT), LENGTH):
        spiked = [mask | new for mask, new in zip(spiked, oracle.spikes(state, Stretch(first, LENGTH, inputs)))]
        if spiked[0]:
            return wanted
    return levels[1] if spiked[1] else wanted


def _try(oracle: Oracle, candidates: Array, stride: int) -> tuple[Array, Array]:
    """Spikes of each candidate in the time of all segments, and whether it stays finite."""
    state = oracle.initial(len(candidates))
    counts = np.zeros(len(candidates), np.int64)
    for first in range(0, SEGMENTS * stride, LENGTH):
        counts += [mask.bit_count() for mask in oracle.spikes(state, Stretch(first, LENGTH, candidates))]
    finite = np.all([np.abs(state[name]) < np.finfo(oracle.dtype).max for name in oracle.model.states], axis=0)
    return counts, finite


def _repeating(oracle: Oracle, candidates: Array) -> list[int]:
    """Candidates by which something happens twice in one of the first steps."""
    found = oracle.happenings(oracle.initial(len(candidates)), Stretch(0, FIRST, candidates))
    return [i for i, happened in enumerate(found) if len({one.bit for one in happened}) < len(happened)]


def _segments(oracle: Oracle, inputs: Array, stride: int) -> Iterator[Segment]:
    """Those of a run: each starts where the one before has led."""
    state = displaced(oracle, len(inputs))
    scale = {name: np.zeros(len(inputs)) for name in oracle.model.states}
    for first in range(0, SEGMENTS * stride, stride):
        segment, state = _segment(oracle, Stretch(first, LENGTH, inputs), state, scale)
        yield segment
        for offset in range(LENGTH, stride, LENGTH):
            oracle.run(state, Stretch(first + offset, LENGTH, inputs))


def _segment(oracle: Oracle, stretch: Stretch, state: State, scale: State) -> tuple[Segment, State]:
    """The segment that starts from states, and where it leads; ``scale``, the largest magnitudes so far, is updated."""
    names, count = oracle.model.states, len(stretch.inputs)
    finite_before = finite(oracle, state)
    start = oracle.rounded(state)
    state = {name: values.copy() for name, values in start.items()}
    happened: list[list[Happened]] = [[] for _ in range(count)]
    scale.update({name: grown(scale[name], start[name]) for name in names})
    for begin, stop in pieces(stretch):
        _add(happened, oracle.happenings(state, stretch.part(begin, stop)), begin)
        scale.update({name: grown(scale[name], state[name]) for name in names})
    deviation, offsets, stable = _deviation(oracle, stretch, start, state, happened, scale)
    checked = finite_before & stable & finite(oracle, state)
    tolerance = {
        name: np.where(checked, MARGIN * deviation[name] + least_tolerance(oracle, scale[name]), 0.0) for name in names
    }
    end = {name: np.where(checked, state[name], 0.0) for name in names}
    last = start[LAST_SPIKE] / DT if oracle.model.keeps_last_spike else np.zeros(count)
    return Segment(
        stretch.first,
        stretch.steps,
        _rows(start, names),
        _rows(end, names),
        _rows({n: [two_digits(x) for x in v] for n, v in tolerance.items()}, names),
        tuple(np.floor(last).astype(int).tolist()),
        tuple((last - np.floor(last)).tolist()),
        tuple(mask_of(found) if c else 0 for found, c in zip(happened, checked)),
        tuple(_moments(oracle, happened, offsets, checked)) if oracle.is_located else (),
        sum(1 << i for i, c in enumerate(checked) if c),
    ), state


def _add(happened: list[list[Happened]], new: list[list[Happened]], begin: int) -> None:
    """Add what happened in a piece of a segment from step ``begin`` on, and keep the order."""
    for own, part in zip(happened, new):
        own += [replace(one, step=one.step + begin) for one in part]
        own.sort(key=lambda one: (one.event, one.step, one.offset))


def _moments(
    oracle: Oracle, happened: list[list[Happened]], deviations: list[list[float]], checked: Array
) -> list[Moment]:
    """All that happened to the neurons that are compared, and how much its place may be off."""
    found = [
        Moment(
            one.event,
            neuron,
            one.step,
            in_digits(one.offset),
            two_digits(MARGIN * deviation + least_tolerance(oracle, 1.0)),
        )
        for neuron, own in enumerate(happened)
        for one, deviation in zip(own, deviations[neuron] if checked[neuron] else ())
    ]
    return sorted(found, key=lambda moment: (moment.event, moment.neuron))


def _noisy_segment(oracle: Oracle, stretch: Stretch) -> tuple[tuple[float, ...], Segment]:
    """A segment with noise on the inputs, less of it where rounding would move spikes; and the amplitudes."""
    for _ in range(4):
        scale = {name: np.zeros(len(stretch.inputs)) for name in oracle.model.states}
        segment, _ = _segment(oracle, stretch, displaced(oracle, len(stretch.inputs)), scale)
        if segment.checked:
            break
        stretch = replace(stretch, noise=tuple(two_digits(amplitude / 10) for amplitude in stretch.noise))
    return stretch.noise, segment


def _edges(oracle: Oracle, inputs: Array, stride: int, index: int, event: int) -> Iterator[Segment]:
    """Single steps that end just below and above the threshold of an event, from states between one from which it does
    not happen and one from which it does.
    """
    for pair in around_threshold(oracle, inputs, index * stride, stride, event):
        for k in range(EDGES):
            yield _edge(oracle, Stretch((index + k) * stride, 1, inputs), pair, event, k)
        index += EDGES


def _edge(oracle: Oracle, stretch: Stretch, pair: tuple[Point, Point], event: int, k: int) -> Segment:
    """One of them: half of the neurons on one side, and half on the other."""
    quiet, happening = pair

    def between(part: Array) -> State:
        return {name: value + part * (happening.get(name, value) - value) for name, value in quiet.items()}

    count = len(stretch.inputs)
    part, distance, found = solve_edge(oracle, stretch, between, event)
    side = np.where(np.arange(count) % 2 == k % 2, -1.0, 1.0)
    scale = {name: np.zeros(count) for name in oracle.model.states}
    segment, _ = _segment(oracle, stretch, between(part + side * distance), scale)
    checked = segment.checked & sum(1 << i for i, f in enumerate(found) if f)
    return replace(segment, checked=checked, moments=tuple(m for m in segment.moments if checked >> m.neuron & 1))


def grown(scale: Array, *states: Array) -> Array:
    """The largest magnitude so far of a state, a value a neuron; at least a thousandth of the other neurons' one."""
    largest = reduce(np.maximum, [np.abs(np.where(np.isfinite(x), x, 0.0)) for x in states], scale)
    return np.maximum(largest, 1e-3 * (np.max(largest) or 1.0))


def least_tolerance(oracle: Oracle, scale: Any) -> Any:
    """What rounding in the kernel and in the printed values takes at least."""
    return 2 * (MOVE * oracle.eps + 10.0 ** (1 - DIGITS)) * scale


def pieces(stretch: Stretch) -> list[tuple[int, int]]:
    """The stretch in pieces: first step of each, and that after its last."""
    return list(pairwise(sorted({stretch.steps * piece // PIECES for piece in range(PIECES + 1)})))


def _deviation(
    oracle: Oracle, stretch: Stretch, start: State, end: State, happened: list[list[Happened]], scale: State
) -> tuple[State, list[list[float]], Array]:
    """How far moved states lead from the end, and events from their places, the largest of all copies; and whether the
    same happens at the same steps in all.
    """
    state = {name: np.tile(values, MEMBERS) for name, values in start.items()}
    count = len(stretch.inputs)
    found: list[list[Happened]] = [[] for _ in range(MEMBERS * count)]
    for piece, (begin, stop) in enumerate(pieces(stretch)):
        oracle.move(state, piece, scale)
        _add(found, oracle.happenings(state, stretch.part(begin, stop)), begin)
    bits, other_bits = ([[one.bit for one in own] for own in each] for each in (happened, found))
    same = finite(oracle, state) & np.array([own == bits[i % count] for i, own in enumerate(other_bits)])
    offsets = [
        [max(abs(one.offset - other.offset) for one in ones) for other, *ones in zip(own, *found[i::count])]
        for i, own in enumerate(happened)
    ]
    with np.errstate(invalid="ignore"):
        deviation = {
            name: np.abs(state[name].reshape(MEMBERS, -1) - end[name]).max(axis=0) for name in oracle.model.states
        }
    return deviation, offsets, same.reshape(MEMBERS, -1).all(axis=0)


def _rows(state: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """A tuple of printed states a neuron."""
    return tuple(tuple(in_digits(float(x)) for x in row) for row in zip(*(state[name] for name in names)))
