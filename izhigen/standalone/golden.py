"""Golden values of a self test: what a step must give, computed by the NumPy oracle in float64, and how far rounding may lead away.

The test is cut into short segments. Each starts from given states, so that errors do not add up over the whole run, and each is compared at
its end, together with the steps at which neurons spiked. How far a correct kernel may be off is measured here: the oracle runs again with
its states moved by several units in the last place, over and over. Where such a move shifts a spike, the neuron's segment is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp

from izhigen.backends.engine import Block, Source
from izhigen.backends.numpy import Evaluator, NumpyEngine
from izhigen.codegen.kernel import TAU_REF
from izhigen.derive.lowering import DT as DT_SYMBOL
from izhigen.derive.lowering import symbol
from izhigen.derive.step import Step
from izhigen.errors import DerivationError
from izhigen.random import normal_rows
from izhigen.values import initial_states

Array = Any
State = dict[str, Array]

DT = 0.125
"""Step in ms; exact in both precisions, so that times are the same in all."""
SEED = 20030101
SEGMENTS, LENGTH = 12, 50
"""Segments, and steps of each: as many as a mask of 64 bits tells spikes of."""
STRIDES = (50, 250)
"""Steps from the start of one segment to the next one's; the longer is taken where nothing spikes within the shorter."""
LEVELS = (0.0, *(digit * 10.0**power for power in range(-1, 4) for digit in (1, 2, 5)))
"""Values of the first input among which those are looked for that make a neuron spike."""
OTHER_LEVELS = (0.0, 0.01, 0.1, 1.0)
"""Values of the other inputs."""
DISPLACEMENT = (0.0, 0.1, -0.1, 0.2)
"""How far the neurons start from the model's initial state, as a fraction of it."""
REFRACTORY_STEPS = 20.5
"""Least refractory period in steps; between two whole numbers of them, so that every way to compare times agrees."""
DIGITS = 9
"""Digits of the values: enough for float32, and few enough to be the same on every machine."""
MEMBERS, PIECES, MOVE = 4, 5, 16
"""Runs with moved states, moves in a segment, and units in the last place of each move."""
MARGIN = 4
"""How many times the largest deviation of those runs is allowed."""
NEVER = -1e7
"""``t_last_spike`` in ms of a neuron that has not spiked."""


@dataclass(frozen=True)
class Segment:
    """What one segment starts from and must lead to; a row a neuron.

    Attributes
    ----------
    first_step : int
    start, end, tolerance : tuple of tuple of float
        A value a state: at the start, at the end, and how much it may be off there.
    last_spike : tuple of int
        Step of the neuron's last spike before the start; -1 before any.
    spikes : tuple of int
        Bit s is set where the neuron spikes in step s of the segment.
    checked : int
        Bit i is set where neuron i is compared.
    """

    first_step: int
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
    initial, initial_tolerance : tuple of float
        The model's initial value of each state, and how much it may be off.
    segments : tuple of Segment
    """

    dt: float
    seed: int
    parameters: Mapping[str, float]
    inputs: tuple[tuple[float, ...], ...]
    initial: tuple[float, ...]
    initial_tolerance: tuple[float, ...]
    segments: tuple[Segment, ...]


class _Oracle:
    """A model's step on plain arrays in float64, with the noise that the kernel draws in its own precision."""

    def __init__(self, step: Step, dtype: str) -> None:
        self.model, self.dtype, self.variates = step.model, np.dtype(dtype), step.variates
        self.eps = float(np.finfo(self.dtype).eps)
        changed = {TAU_REF.name: _between_steps(step.model.parameters[TAU_REF.name])} if step.model.refractory else {}
        self.parameters = {name: float(self.dtype.type(changed.get(name, value))) for name, value in step.model.parameters.items()}
        self.changed = changed
        increments = [i + sum(n.factor * n.xi for n in step.noise if n.state == s) for s, i in zip(step.states, step.increments)]
        hoisted, self._constants = _without_constants(replace(step, increments=tuple(increments), noise=()), self.parameters)
        self._engine = NumpyEngine(hoisted, "float64", (), 0)

    def initial(self, count: int) -> State:
        """The states at time 0."""
        values = initial_states(self.model, {}, self.parameters, np.float64)
        state = {name: np.full(count, value) for name, value in values.items()}
        if self.model.refractory:
            state["t_last_spike"] = np.full(count, NEVER)
        return state

    def run(self, state: State, inputs: Array, first: int, steps: int) -> Array:
        """Advance the states in place; bits of the steps at which each neuron spiked.

        ``inputs`` has shape (neurons, inputs). There may be several times as many states as neurons: copies, with the same inputs and noise.
        """
        count = len(next(iter(state.values())))
        copies = count // len(inputs)
        sources = {name: Source(np.tile(inputs[:, k], copies)[None, :]) for k, name in enumerate(self.model.inputs)}
        for xi, stream in self.variates:
            sources[xi.name] = Source(np.tile(normal_rows(SEED, 0, len(inputs), first, steps, stream, self.dtype).astype(np.float64), copies))
        found = self._engine.advance(Block(first, steps, DT, SEED, state, self._constants, sources, collect_spikes=True))
        masks = [0] * count
        if found.spikes is not None:
            for step, neuron in zip(found.spikes.step.tolist(), found.spikes.neuron.tolist()):
                masks[neuron] |= 1 << step
        return masks

    def rounded(self, state: State) -> State:
        """The states as they are printed, and then held in the kernel's precision; 0 for one that is not finite."""
        return {name: values.copy() if name == "t_last_spike" else np.array([self._rounded(x) for x in values]) for name, values in state.items()}

    def _rounded(self, value: float) -> float:
        with np.errstate(over="ignore"):
            held = float(self.dtype.type(in_digits(value)))
        return held if math.isfinite(held) else 0.0

    def move(self, copies: State, piece: int, scale: State) -> None:
        """Move every state of the copies by some units in the last place of the neuron's largest value, up or down."""
        for k, name in enumerate(self.model.states):
            signs = [1 - 2 * ((2654435761 * (31 * piece + 7 * k + 3 * i + 1) >> 13) & 1) for i in range(len(copies[name]))]
            copies[name] += MOVE * self.eps * np.resize(scale[name], len(signs)) * np.array(signs, np.float64)


def _without_constants(step: Step, parameters: Mapping[str, float]) -> tuple[Step, dict[str, float]]:
    """The step with each function of parameters only as a number with a name, and those numbers beside the parameters."""
    evaluate, values = Evaluator("float64").compile, {name: np.float64(value) for name, value in parameters.items()}
    values[DT_SYMBOL.name] = np.float64(DT)
    names: dict[Any, sp.Symbol] = {}

    def hoisted(expression: Any) -> Any:
        known = {symbol(name) for name in values}
        for call in sorted(expression.atoms(sp.Function), key=sp.default_sort_key):
            if call not in names and call.free_symbols and call.free_symbols <= known:
                names[call] = symbol(f"iz_constant_{len(names)}")
                values[names[call].name] = np.float64(evaluate(call)(values))
        return expression.xreplace(names)

    assignments = []
    for assignment in step.assignments:
        expression = hoisted(assignment.expression)
        if expression.free_symbols <= {symbol(name) for name in values}:
            values[assignment.symbol.name] = np.float64(evaluate(expression)(values))
        else:
            assignments.append(replace(assignment, expression=expression))
    new = replace(step, assignments=tuple(assignments), increments=tuple(hoisted(i) for i in step.increments))
    return new, {name: float(value) for name, value in values.items() if name != DT_SYMBOL.name}


def in_digits(value: float) -> float:
    """The value to as many digits as are printed."""
    return float(f"{value:.{DIGITS}g}")


def _between_steps(period: float) -> float:
    """The time nearest to a refractory period that is not near a whole number of steps, and not too short to be seen."""
    return max(math.floor(period / DT) + 0.5, REFRACTORY_STEPS) * DT


def compute_golden(step: Step, dtype: str) -> Golden:
    """The self test of a step in a precision.

    Raises
    ------
    DerivationError
        When there is nothing to compare: every trajectory runs to infinity within the first steps.
    """
    oracle = _Oracle(step, dtype)
    inputs, stride = _choose_inputs(oracle)
    segments = tuple(_segments(oracle, inputs, stride))
    if not any(segment.checked for segment in segments):
        raise DerivationError(f"model {step.model.name!r}: no self test can be made, as every trajectory from the initial state leaves the range of "
                              f"{dtype} or moves its spikes with the last digit; set other initial values or parameters")
    start = oracle.initial(1)
    initial = tuple(in_digits(float(start[name][0])) for name in step.model.states)
    largest = max(abs(x) for x in initial) or 1.0
    tolerance = tuple(_two_digits(_least_tolerance(oracle, max(abs(x), largest / 10))) for x in initial)
    return Golden(DT, SEED, oracle.changed, tuple(tuple(row) for row in inputs.tolist()), initial, tolerance, segments)


def _choose_inputs(oracle: _Oracle) -> tuple[Array, int]:
    """Held inputs of four neurons, shape (4, inputs), and the stride between segments.

    None at all; the largest that leaves it quiet; one that makes it spike; and one that does so with all inputs in use.
    """
    width = len(oracle.model.inputs)
    candidates = np.array([[level, *(other * (1 + 0.3 * k) for k in range(width - 1))][:width]
                           for other in OTHER_LEVELS[:1 if width < 2 else None] for level in (LEVELS if width else (0.0,))])
    candidates = np.array([[float(oracle.dtype.type(x)) for x in row] for row in candidates]).reshape(len(candidates), width)
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
    fourth = max(together, key=lambda i: (counts[i] > 0, i // len(alone), -counts[i])) if together else min(first_spiking + 1, len(alone) - 1)
    chosen: list[Any] = [0, below[-1] if below else 0, first_spiking, fourth]
    return candidates[chosen], stride


def _try(oracle: _Oracle, candidates: Array, stride: int) -> tuple[Array, Array]:
    """Spikes of each candidate in the time of all segments, and whether it stays finite."""
    state = oracle.initial(len(candidates))
    counts = np.zeros(len(candidates), np.int64)
    for first in range(0, SEGMENTS * stride, LENGTH):
        counts += [mask.bit_count() for mask in oracle.run(state, candidates, first, LENGTH)]
    finite = np.all([np.abs(state[name]) < np.finfo(oracle.dtype).max for name in oracle.model.states], axis=0)
    return counts, finite


def _segments(oracle: _Oracle, inputs: Array, stride: int) -> Iterator[Segment]:
    state, names = oracle.initial(len(inputs)), oracle.model.states
    for name in names:  # a model at rest would show nothing
        state[name] += np.array(DISPLACEMENT) * np.where(state[name] == 0.0, 1.0, np.abs(state[name]))
    scale = {name: np.zeros(len(inputs)) for name in names}
    for first in range(0, SEGMENTS * stride, stride):
        finite_before = _finite(oracle, state)
        start = oracle.rounded(state)
        state = {name: values.copy() for name, values in start.items()}
        spikes = oracle.run(state, inputs, first, LENGTH)
        scale = {name: _grown(scale[name], start[name], state[name]) for name in names}
        deviation, stable = _deviation(oracle, inputs, first, start, state, spikes, scale)
        checked = finite_before & stable & _finite(oracle, state)
        tolerance = {name: np.where(checked, MARGIN * deviation[name] + _least_tolerance(oracle, scale[name]), 0.0) for name in names}
        end = {name: np.where(checked, state[name], 0.0) for name in names}
        last = [round(t / DT) if t > NEVER else -1 for t in start["t_last_spike"].tolist()] if oracle.model.refractory else [-1] * len(inputs)
        yield Segment(first, _rows(start, names), _rows(end, names), _rows({n: [_two_digits(x) for x in v] for n, v in tolerance.items()}, names),
                      tuple(last), tuple(mask if c else 0 for mask, c in zip(spikes, checked)), sum(1 << i for i, c in enumerate(checked) if c))
        for offset in range(LENGTH, stride, LENGTH):
            oracle.run(state, inputs, first + offset, LENGTH)


def _grown(scale: Array, *states: Array) -> Array:
    """The largest magnitude so far of a state, a value a neuron; at least a thousandth of the other neurons' one."""
    largest = reduce(np.maximum, [np.abs(np.where(np.isfinite(x), x, 0.0)) for x in states], scale)
    return np.maximum(largest, 1e-3 * (np.max(largest) or 1.0))


def _least_tolerance(oracle: _Oracle, scale: Any) -> Any:
    """What rounding in the kernel and in the printed values takes at least."""
    return 2 * (MOVE * oracle.eps + 10.0 ** (1 - DIGITS)) * scale


def _deviation(oracle: _Oracle, inputs: Array, first: int, start: State, end: State, spikes: Sequence[int], scale: State) -> tuple[State, Array]:
    """How far moved states lead from the end, the largest of all copies, and whether all spike at the same steps."""
    state = {name: np.tile(values, MEMBERS) for name, values in start.items()}
    found = [0] * (MEMBERS * len(inputs))
    edges = [LENGTH * piece // PIECES for piece in range(PIECES + 1)]
    for piece, (begin, stop) in enumerate(pairwise(edges)):
        oracle.move(state, piece, scale)
        found = [mask | new << begin for mask, new in zip(found, oracle.run(state, inputs, first + begin, stop - begin))]
    same = _finite(oracle, state) & np.array([mask == spikes[i % len(inputs)] for i, mask in enumerate(found)])
    with np.errstate(invalid="ignore"):
        deviation = {name: np.abs(state[name].reshape(MEMBERS, -1) - end[name]).max(axis=0) for name in oracle.model.states}
    return deviation, same.reshape(MEMBERS, -1).all(axis=0)


def _finite(oracle: _Oracle, state: State) -> Array:
    """Which neurons have states within the precision's range."""
    return np.all([np.abs(state[name]) < np.finfo(oracle.dtype).max / 2 for name in oracle.model.states], axis=0)


def _two_digits(value: float) -> float:
    return float(f"{value:.1e}")


def _rows(state: Mapping[str, Any], names: Sequence[str]) -> tuple[tuple[float, ...], ...]:
    """A tuple of printed states a neuron."""
    return tuple(tuple(in_digits(float(x)) for x in row) for row in zip(*(state[name] for name in names)))
