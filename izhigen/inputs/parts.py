"""The parts that stimuli are made of: each gives any rows of its series, so that no run needs the whole of it.

Row k is the value held during step k. All parts are zero outside their own time; ``factor`` scales them.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from izhigen.backends.poisson import first_sum, poisson_counts
from izhigen.backends.random import normal_rows
from izhigen.errors import ValueShapeError
from izhigen.memory.layout import Layout
from izhigen.model.expressions import Expression
from izhigen.timegrid import BEYOND_ANY_RUN, TOLERANCE, first_step_at_or_after

Array = Any


def steps_in(duration: float, dt: float) -> int:
    """Whole steps in a stretch of time: its start belongs to it, a started last step does not."""
    return math.floor(min(duration / dt + TOLERANCE, BEYOND_ANY_RUN))


@dataclass(frozen=True)
class Part:
    """A series by its rows."""

    factor: float = field(default=1.0, kw_only=True)

    def steps(self, dt: float) -> int | None:
        """Steps that it lasts; None where it lasts as long as a run."""
        raise NotImplementedError

    def rows(self, dt: float, first: int, count: int) -> Array:
        """Rows ``first ... first + count - 1`` without the factor, shape (count,) or (count, n)."""
        raise NotImplementedError

    def text(self, dt: float) -> str | None:
        """The same rows as an expression of t (ms) and the step's index k, for a kernel to compute; or None."""
        return None

    def of_neurons(self, whole: Layout, first: int, last: int) -> Part:
        """What the neurons ``first`` to ``last - 1`` of a population of that layout get, as a part of theirs alone."""
        return self


@dataclass(frozen=True)
class Offset(Part):
    """A number added at all times."""

    value: float

    def steps(self, dt: float) -> int | None:
        return None

    def rows(self, dt: float, first: int, count: int) -> Array:
        return np.full(count, self.value)

    def text(self, dt: float) -> str | None:
        return f"({self.value!r})"


@dataclass(frozen=True)
class Text(Part):
    """Text in t (ms), evaluated in float64."""

    expression: Expression
    duration: float

    def steps(self, dt: float) -> int:
        return first_step_at_or_after(self.duration, dt)

    def rows(self, dt: float, first: int, count: int) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(
                np.asarray(self.expression.evaluate({"t": (first + np.arange(count)) * dt}), np.float64), count
            )

    def text(self, dt: float) -> str | None:
        return f"({self.expression.text})"


@dataclass(frozen=True)
class Section(Part):
    """Constant stretches one after another; ``values`` has one row a stretch."""

    values: Array
    durations: tuple[float, ...]

    def steps(self, dt: float) -> int:
        return first_step_at_or_after(sum(self.durations), dt)

    def rows(self, dt: float, first: int, count: int) -> Array:
        edges = np.minimum(np.cumsum([float(steps_in(duration, dt)) for duration in self.durations]), BEYOND_ANY_RUN)
        after = np.concatenate([self.values, np.zeros((1, *self.values.shape[1:]))])
        return after[np.searchsorted(edges, first + np.arange(count), side="right")]

    def of_neurons(self, whole: Layout, first: int, last: int) -> Part:
        return replace(self, values=_columns(self.values, whole, first, last))


@dataclass(frozen=True)
class Pulses(Part):
    """Pulses (time, length, size); where two overlap, the later in the list holds."""

    pulses: tuple[tuple[float, float, float], ...]
    duration: float

    def steps(self, dt: float) -> int:
        return first_step_at_or_after(self.duration, dt)

    def rows(self, dt: float, first: int, count: int) -> Array:
        series = np.zeros(count)
        last = min(count, self.steps(dt) - first)
        for time, width, size in self.pulses:
            start = steps_in(time, dt) - first
            series[max(start, 0) : max(min(start + steps_in(width, dt), last), 0)] = size
        return series


@dataclass(frozen=True)
class Windowed(Part):
    """A series that is zero before ``t_start`` and from ``t_end`` on (ms)."""

    duration: float
    t_start: float
    t_end: float

    def steps(self, dt: float) -> int:
        return steps_in(self.duration, dt)

    def window(self, dt: float) -> tuple[int, int]:
        """The first step inside, and the first one after."""
        return steps_in(self.t_start, dt), min(self.steps(dt), steps_in(self.t_end, dt))


@dataclass(frozen=True)
class Ramp(Windowed):
    """A straight line over the steps from ``t_start`` to ``t_end``."""

    c_start: float
    c_end: float

    def steps(self, dt: float) -> int:
        return first_step_at_or_after(self.duration, dt)

    def window(self, dt: float) -> tuple[int, int]:
        return first_step_at_or_after(self.t_start, dt), first_step_at_or_after(self.t_end, dt)

    def rows(self, dt: float, first: int, count: int) -> Array:
        start, stop = self.window(dt)
        k = first + np.arange(count)
        fraction = (k - start) / max(stop - start - 1, 1)
        line = np.where(
            k == stop - 1,
            self.c_end if stop - start > 1 else self.c_start,
            self.c_start + (self.c_end - self.c_start) * fraction,
        )
        return np.where((k >= start) & (k < stop), line, 0.0)

    def text(self, dt: float) -> str | None:
        start, stop = self.window(dt)
        slope = (self.c_end - self.c_start) / max(stop - start - 1, 1)
        return f"where(k >= {start} and k < {stop}, ({self.c_start!r}) + ({slope!r})*(k - {start}), 0)"


@dataclass(frozen=True)
class Periodic(Windowed):
    """A sine or square wave that starts at ``t_start``; ``frequency`` in Hz."""

    square: bool
    amplitude: float
    frequency: float
    bias: bool

    def rows(self, dt: float, first: int, count: int) -> Array:
        start, stop = self.window(dt)
        k = first + np.arange(count)
        cycles = (k - start) * dt * (self.frequency / 1000.0)
        if self.square:  # an edge on a step's start belongs to that step
            wave = np.where(np.floor(2 * cycles + TOLERANCE) % 2 == 0, 1.0, -1.0)
        else:
            wave = np.sin(2 * np.pi * cycles)
        return np.where((k >= start) & (k < stop), self.amplitude * wave + (self.amplitude if self.bias else 0.0), 0.0)

    def text(self, dt: float) -> str | None:
        start, stop = self.window(dt)
        cycles = f"(k - {start})*({dt * self.frequency / 1000.0!r})"
        wave = f"sin(2*pi*{cycles})"
        if self.square:
            half_periods = f"floor(2*{cycles} + {TOLERANCE!r})"
            wave = f"(1 - 2*({half_periods} - 2*floor({half_periods}/2)))"
        bias = self.amplitude if self.bias else 0.0
        return f"where(k >= {start} and k < {stop}, ({self.amplitude!r})*{wave} + ({bias!r}), 0)"


@dataclass(frozen=True)
class White(Windowed):
    """Increments of a Wiener process: sqrt(dt) times a normal variate keyed by (seed, column, step)."""

    columns: int
    seed: int
    first_index: int = 0
    shared: bool = False
    """Whether a single column is that of several neurons, of which a population may have one."""

    def of_neurons(self, whole: Layout, first: int, last: int) -> Part:
        return _paths_of(self, whole, first, last, shared=True)

    def amplitude(self, dt: float, first: int, count: int) -> Array:
        """What multiplies the variates of each step, without the factor; shape (count,)."""
        start, stop = self.window(dt)
        k = first + np.arange(count)
        return math.sqrt(dt) * ((k >= start) & (k < stop))

    def rows(self, dt: float, first: int, count: int) -> Array:
        return self.amplitude(dt, first, count)[:, None] * normal_rows(
            self.seed, self.first_index, self.columns, first, count, 0, np.float64
        )


class Walks:
    """Where walks have come, those used last: equal ones in a process go on from there, as the parts of a run do that
    are sent to a worker one after the other.
    """

    most, most_bytes = 256, 1 << 28
    """Walks that are known, and bytes of their values; the one that was used last is kept whatever it takes."""

    def __init__(self) -> None:
        self._places: dict[Any, dict[int, Array]] = {}
        self._lock = threading.Lock()

    def latest(self, walk: Any, step: int) -> tuple[int, Array | None]:
        """The last step up to ``step`` at which a walk is known, and its values then."""
        with self._lock:
            places = self._places.get(walk, {})
            found = max((k for k in places if k <= step), default=None)
            return (step, None) if found is None else (found, places[found])

    def keep(self, walk: Any, begin: int, end: int, values: Array) -> None:
        """A walk has come to ``end``; where it stood at ``begin`` is kept too, as that block may be asked for again."""
        with self._lock:
            before = self._places.pop(walk, {})
            self._places[walk] = {**({begin: before[begin]} if begin in before else {}), end: values}
            sizes = {known: sum(x.nbytes for x in places.values()) for known, places in self._places.items()}
            total = sum(sizes.values())
            for known in tuple(sizes)[:-1]:
                if total > self.most_bytes or len(self._places) > self.most:
                    total -= sizes[known]
                    del self._places[known]


WALKS = Walks()


@dataclass(frozen=True)
class OrnsteinUhlenbeck(Windowed):
    """dX = (mean - X)/tau dt + sigma dW by Euler-Maruyama from X = mean at ``t_start``."""

    mean: float
    sigma: float
    tau: float
    columns: int
    seed: int
    first_index: int = 0

    def rows(self, dt: float, first: int, count: int) -> Array:
        start, stop = self.window(dt)
        values = np.zeros((count, self.columns))
        begin, end = max(first, start), min(first + count, stop)
        if end <= begin:
            return values
        position, x = WALKS.latest((self, dt), begin)  # a run asks for one block after the other
        if x is None:
            position, x = start, np.full(self.columns, self.mean)
        while position < end:
            block = min(end, position + 1024) - position
            kicks = (
                self.sigma
                * math.sqrt(dt)
                * normal_rows(self.seed, self.first_index, self.columns, position, block, 0, np.float64)
            )
            with np.errstate(all="ignore"):  # a step far longer than tau has no finite values, which a run tells
                for kick in kicks:
                    x = x + dt * (self.mean - x) / self.tau + kick
                    if position >= begin:
                        values[position - first] = x
                    position += 1
        WALKS.keep((self, dt), begin, end, x)
        return values

    def of_neurons(self, whole: Layout, first: int, last: int) -> Part:
        return _paths_of(self, whole, first, last)


@dataclass(frozen=True)
class Series(Part):
    """A given series."""

    values: Array

    def steps(self, dt: float) -> int:
        return len(self.values)

    def rows(self, dt: float, first: int, count: int) -> Array:
        rows = np.zeros((count, *self.values.shape[1:]))
        taken = self.values[first : first + count]
        rows[: len(taken)] = taken
        return rows

    def of_neurons(self, whole: Layout, first: int, last: int) -> Part:
        return replace(self, values=_columns(self.values, whole, first, last))


@dataclass(frozen=True)
class Endless(Part):
    """A part that is drawn or delivered neuron by neuron, for as long as a run lasts; it has no rows of its own."""

    def steps(self, dt: float) -> int | None:
        return None

    def rows(self, dt: float, first: int, count: int) -> Array:
        raise ValueShapeError("it is computed for the neurons of a population; give it to run(...) or step(...)")


@dataclass(frozen=True, eq=False)
class Poisson(Endless):
    """Counts of a Poisson process, times a weight; ``rate`` in Hz is an array (without axes, or one a neuron) or text
    in t; so is ``weight``.
    """

    rate: Array | Expression
    weight: Array
    sources: int
    made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    """What was made of it for a population, so that a loop of single steps makes it once."""

    def of_neurons(self, whole: Layout, first: int, last: int) -> Part:
        def own(values: Any) -> Any:
            flat = whole.per_neuron(values, np.float64) if isinstance(values, np.ndarray) and values.ndim else None
            return values if flat is None else flat[first:last]

        return Poisson(own(self.rate), own(self.weight), self.sources, factor=self.factor)


@dataclass(frozen=True, eq=False)
class GivenSpikes(Endless):
    """Spikes of single neurons: ``weights[i]`` in the step of ``times[i]`` (ms) for the flat neuron ``neurons[i]``."""

    times: Array
    neurons: Array
    weights: Array
    made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def of_neurons(self, whole: Layout, first: int, last: int) -> Part:
        here = (self.neurons >= first) & (self.neurons < last)
        return GivenSpikes(self.times[here], self.neurons[here] - first, self.weights[here], factor=self.factor)


@dataclass(frozen=True)
class DrawnRows(Part):
    """Poisson counts with what a population adds to them, as rows: for one process beside another in the same input."""

    mean: Array
    weight: Array
    key: int
    neurons: int
    first_row: int | None
    """Step of the first mean, where there is one a step; else None."""
    first_index: int = 0

    def steps(self, dt: float) -> int | None:
        return None

    def rows(self, dt: float, first: int, count: int) -> Array:
        def drawn(step: int) -> Array:
            mean = self.mean if self.first_row is None else self.mean[[step - self.first_row]]
            return self.weight * poisson_counts(mean, first_sum(mean), self.key, self.first_index, self.neurons, step)

        return np.array([drawn(step) for step in range(first, first + count)]).reshape(count, self.neurons)


@dataclass(frozen=True)
class Columns(Part):
    """Some columns of another part, which makes all of them."""

    part: Part
    chosen: Array

    def steps(self, dt: float) -> int | None:
        return self.part.steps(dt)

    def rows(self, dt: float, first: int, count: int) -> Array:
        return self.part.rows(dt, first, count)[:, self.chosen]


def _columns(values: Array, whole: Layout, first: int, last: int) -> Array:
    """The columns of some neurons, where there is one a neuron; all batches may share them."""
    each = math.prod(whole.size)
    if values.ndim < 2 or values[0].size == 1:
        return values
    flat = values.reshape(len(values), -1)
    if values.shape[1:] in (whole.shape, (whole.count,)):
        return flat[:, first:last]
    if whole.batch is not None and values.shape[1:] in (whole.size, (each,), (1, *whole.size)):
        return flat[:, np.arange(first, last) % each]
    return values


def _paths_of(part: Any, whole: Layout, first: int, last: int, **shared: bool) -> Any:
    """The paths of some neurons of a process that draws one a neuron (that all batches may share), or one for all."""
    if part.columns == whole.count > 1:
        return replace(part, columns=last - first, first_index=first)
    each = math.prod(whole.size)
    if whole.batch is not None and part.columns == each > 1:
        own = replace(part, factor=1.0)
        return Columns(own, np.arange(first, last) % each, factor=part.factor)
    return replace(part, **shared) if part.columns == 1 < whole.count else part
