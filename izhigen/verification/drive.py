"""Inputs as functions of continuous time: what a reference solution is driven by, where a kernel has a row a step."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, shown
from izhigen.inputs.parts import GivenSpikes, Offset, Part, Periodic, Pulses, Ramp, Section, Series, Text
from izhigen.inputs.stimuli import Stimulus, text_stimulus
from izhigen.timegrid import TOLERANCE
from izhigen.verification.declared import Declared

Value = float | Callable[[float], float]
Piece = tuple[float, float, Value]
"""Begin and end in ms, and the value between them: a number, or a function of t."""
MOST_PIECES = 200_000


@dataclass(frozen=True)
class Impulse:
    """Something that arrives at one time (ms): a jump of a state, or a value of an event input."""

    time: float
    name: str
    weight: float


class Drive:
    """The inputs of one neuron over time.

    Parameters
    ----------
    declared : Declared
    feeds : mapping
        Numbers, arrays with one value a neuron, text in t and stimuli, by the names of inputs.
    column : int
        The neuron.
    duration : float
        ms.

    Raises
    ------
    ValueShapeError
        For inputs that are drawn, or that mean something else at every step: they have no values in continuous time.
    """

    def __init__(self, declared: Declared, feeds: Mapping[str, Any], column: int, duration: float) -> None:
        model, self.declared = declared.model, declared
        self.pieces: list[list[Piece]] = [[] for _ in model.inputs]
        self.impulses: list[Impulse] = []
        for name, value in feeds.items():
            stimulus = _stimulus(name, value, column, duration)
            row = stimulus.dt or math.inf
            for part in stimulus.parts:
                if isinstance(part, GivenSpikes):
                    self.impulses += _impulses(name, part, column, model)
                elif name not in model.inputs or name in model.event_inputs:
                    raise ValueShapeError(
                        f"input {name!r}: a jump in every step is another one at each dt; give iz.inputs.spikes(...)"
                    )
                else:
                    self.pieces[model.inputs.index(name)] += _pieces(name, part, column, declared, (duration, row))
        self.impulses.sort(key=lambda impulse: impulse.time)
        edges = {edge for pieces in self.pieces for begin, end, _ in pieces for edge in (begin, end)}
        edges |= {impulse.time for impulse in self.impulses}
        self.stops = sorted(edge for edge in edges if 0 < edge < duration) + [duration]

    def over(self, begin: float, end: float) -> tuple[list[float], list[tuple[int, list[Callable[[float], float]]]]]:
        """The inputs over a stretch without stops: their constant parts, and the functions of t that add to each."""
        middle, constant, varying = (begin + end) / 2, [0.0] * len(self.pieces), []
        for k, pieces in enumerate(self.pieces):
            functions = []
            for first, last, value in pieces:
                if first <= middle < last:
                    if callable(value):
                        functions.append(value)
                    else:
                        constant[k] += value
            if functions:
                varying.append((k, functions))
        return constant, varying


def columns_of(feeds: Mapping[str, Any]) -> int:
    """How many neurons inputs are for: 1 where all are the same for each."""
    widths = {1}
    for name, value in feeds.items():
        if isinstance(value, Stimulus):
            for part in value.parts:
                array: Any = part.values if isinstance(part, (Section, Series)) else np.zeros(1)
                widths.add(array.shape[1] if array.ndim > 1 else 1)
        elif not isinstance(value, str):
            array = np.asarray(value)
            if array.ndim > 1:
                raise ValueShapeError(
                    f"input {name!r}: rows of an array have no length in ms; give iz.inputs.from_array(values, dt)"
                )
            widths.add(array.size if array.ndim else 1)
    found = sorted(widths - {1})
    if len(found) > 1:
        raise ValueShapeError(f"inputs are for {found[0]} and for {found[1]} neurons; give all for the same ones")
    return found[0] if found else 1


def row_length(feeds: Mapping[str, Any]) -> float | None:
    """Length in ms of the rows of arrays among the inputs; None where there are none."""
    lengths = {value.dt for value in feeds.values() if isinstance(value, Stimulus) and value.dt is not None}
    if len(lengths) > 1:
        raise ValueShapeError("inputs have rows of several lengths; give arrays with one dt")
    return lengths.pop() if lengths else None


def at_step(value: Any, dt: float) -> Any:
    """An input for a kernel of that step: rows of an array are repeated."""
    if not isinstance(value, Stimulus) or value.dt is None:
        return value
    parts = []
    for part in value.parts:
        if isinstance(part, Series):
            part = Series(np.repeat(part.values, round(value.dt / dt), axis=0), factor=part.factor)
        parts.append(part)
    return Stimulus(value.name, tuple(parts), dt)


def _stimulus(name: str, value: Any, column: int, duration: float) -> Stimulus:
    if isinstance(value, Stimulus):
        return value
    if isinstance(value, str):
        return text_stimulus(name, value, duration)
    numbers = np.asarray(value, np.float64).ravel()
    return Stimulus(name, (Offset(float(numbers[column if numbers.size > 1 else 0])),))


def _impulses(name: str, part: GivenSpikes, column: int, model: Any) -> Iterator[Impulse]:
    if name in model.inputs and name not in model.event_inputs:
        raise ValueShapeError(
            f"input {name!r}: spikes add their weight for one step, which is less at a smaller dt; give them to a jump "
            "such as V_delta, or to an event input"
        )
    neurons, weights = np.asarray(part.neurons), np.broadcast_to(part.weights, np.shape(part.times))
    for time, neuron, weight in zip(part.times, neurons, weights):
        if int(neuron) == column:
            yield Impulse(float(time), name, part.factor * float(weight))


def _number(values: Any, column: int) -> float:
    row = np.ravel(values)
    return float(row[column if row.size > 1 else 0])


def _pieces(name: str, part: Part, column: int, declared: Declared, times: tuple[float, float]) -> list[Piece]:
    """A part of a stimulus as pieces of time; it is 0 elsewhere. ``times`` are those of the run and of a row (ms)."""
    if isinstance(part, Offset):
        found: list[Piece] = [(-math.inf, math.inf, part.value)]
    elif isinstance(part, Text):
        found = [(-math.inf, part.duration, declared.of_time(part.expression))]
    elif isinstance(part, Section):
        edges = np.concatenate([[0.0], np.cumsum(part.durations)])
        found = [(edges[k], edges[k + 1], _number(row, column)) for k, row in enumerate(part.values)]
    elif isinstance(part, Series):
        found = [(k * times[1], (k + 1) * times[1], _number(row, column)) for k, row in enumerate(part.values)]
    elif isinstance(part, Pulses):
        found = _pulses(part)
    elif isinstance(part, Ramp):
        end, rise = part.t_end, part.c_end - part.c_start
        found = [(part.t_start, end, lambda t: part.c_start + rise * (t - part.t_start) / (end - part.t_start))]
    elif isinstance(part, Periodic):
        found = _periodic(part, times[0])
    else:
        raise ValueShapeError(
            f"input {name!r} is drawn anew at every step ({type(part).__name__}), so it has no values in continuous "
            "time; verify and --tolerance need one that has, such as a number, text in t or section"
        )
    if len(found) > MOST_PIECES:
        raise ValueShapeError(f"input {name!r} changes {len(found)} times; give a shorter or a slower one")
    return [(begin, end, _scaled(value, part.factor)) for begin, end, value in found]


def _scaled(value: Value, factor: float) -> Value:
    if factor == 1.0:
        return value
    return (lambda t: factor * value(t)) if callable(value) else factor * value


def _pulses(part: Pulses) -> list[Piece]:
    """Pulses one after another; where two overlap, the later in the list holds."""
    spans = [(time, min(time + width, part.duration), size) for time, width, size in part.pulses]
    edges = sorted({edge for begin, end, _ in spans for edge in (begin, end)})
    found: list[Piece] = []
    for begin, end in itertools.pairwise(edges):
        covering = [size for first, last, size in spans if first <= begin and end <= last]
        if covering:
            found.append((begin, end, covering[-1]))
    return found


def _periodic(part: Periodic, duration: float) -> list[Piece]:
    end, bias = min(part.duration, part.t_end), part.amplitude if part.bias else 0.0
    rate = part.frequency / 1000.0
    if not part.square:
        return [
            (part.t_start, end, lambda t: bias + part.amplitude * math.sin(2 * math.pi * rate * (t - part.t_start)))
        ]
    count = math.ceil((min(end, duration) - part.t_start) * 2 * rate - TOLERANCE) if rate else 1
    if count > MOST_PIECES:
        raise ValueShapeError(f"a square wave of {shown(part.frequency)} Hz has {count} edges; give a slower one")
    edges = [part.t_start + k / (2 * rate) if rate else math.inf for k in range(1, count)]
    edges = [part.t_start, *edges, end]
    return [(edges[k], edges[k + 1], bias + part.amplitude * (-1) ** k) for k in range(max(count, 0))]


__all__ = ["Drive", "Impulse", "at_step", "columns_of", "row_length"]
