"""What a population asks of a backend: advance some steps, and write down what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from izhigen.backends.poisson import poisson_counts
from izhigen.backends.pullback import Kept, Pullback
from izhigen.backends.random import normals
from izhigen.codegen.agreed import EVENT_GROUP
from izhigen.errors import BackendError, shown
from izhigen.memory.space import HOST, HostSpace, fetch, namespace

Array = Any

LONGEST_BLOCK = 1 << 14
"""Most steps of one kernel call."""
REWIND_BYTES = 64 << 20
"""Bytes of states that a host keeps a copy of without being slowed down much."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Poisson counts that a kernel draws, one a neuron and step, and what each event adds to an input.

    Attributes
    ----------
    mean : array of float64, shape (1 or steps, 1 or n)
        Mean count of a step.
    first : array of uint64, the same shape
        :func:`izhigen.backends.poisson.first_sum` of the mean.
    weight : array, shape (1 or n,)
        In the kernel's type.
    stream : int
        Of the random numbers, below 2**64; their key is the population's seed with these bits changed.
    seed : int
        The population's.
    bad : tuple of (int, float), or None
        The first row whose mean is negative, no number or too large, and that mean; the arrays have 0 there.
    """

    mean: Array
    first: Array
    weight: Array
    stream: int
    seed: int
    bad: tuple[int, float] | None = None

    def value(self, row: int, neuron: int, step: int, first_index: int = 0) -> float:
        """What it adds for a neuron in a step."""
        mean, first = (
            x[row if len(x) > 1 else 0, neuron if x.shape[1] > 1 else 0].reshape(1) for x in (self.mean, self.first)
        )
        count = poisson_counts(mean, first, self.seed ^ self.stream, first_index + neuron, 1, step)[0]
        return float(self.weight[neuron if len(self.weight) > 1 else 0] * self.weight.dtype.type(count))

    def part(self, offset: int, steps: int) -> Counts:
        """The same over some of the steps."""
        if len(self.mean) == 1:
            return self
        rows = slice(offset, offset + steps)
        bad = self.bad if self.bad is not None and offset <= self.bad[0] < offset + steps else None
        return replace(
            self, mean=self.mean[rows], first=self.first[rows], bad=None if bad is None else (bad[0] - offset, bad[1])
        )

    def share(self, start: int, stop: int) -> Counts:
        """That of some of the neurons; the stream stays, as neurons keep their index in the stream."""
        mean, first = (np.ascontiguousarray(x[:, start:stop]) if x.shape[1] > 1 else x for x in (self.mean, self.first))
        return replace(
            self, mean=mean, first=first, weight=self.weight[start:stop] if len(self.weight) > 1 else self.weight
        )


@dataclass(frozen=True, eq=False)
class Deliveries:
    """Spikes that a kernel delivers, one a neuron and step.

    They are ordered by group of :data:`EVENT_GROUP` neurons, then step, then neuron.

    Attributes
    ----------
    start : array of int64, shape (groups + 1,)
        Where the spikes of each group begin.
    step : array of int64
        Step in absolute time.
    lane : array of uint8
        Place of the neuron in its group.
    weight : array
        What the spike adds, in the kernel's type.
    """

    start: Array
    step: Array
    lane: Array
    weight: Array

    def value(self, neuron: int, step: int) -> float:
        """What it adds for a neuron in a step."""
        group, lane = divmod(neuron, EVENT_GROUP)
        here = slice(int(self.start[group]), int(self.start[group + 1]))
        return float(self.weight[here][(self.step[here] == step) & (self.lane[here] == lane)].sum())

    def share(self, start: int, stop: int) -> Deliveries:
        """Those of some of the neurons, from a group's first on."""
        edges = self.start[start // EVENT_GROUP : -(-stop // EVENT_GROUP) + 1]
        here = slice(int(edges[0]), int(edges[-1]))
        return Deliveries(edges - edges[0], self.step[here], self.lane[here], self.weight[here])


@dataclass(frozen=True, eq=False)
class Source:
    """Values of one input over a block.

    Attributes
    ----------
    given : array, shape (1 or steps, 1 or n), or callable
        Contiguous, in the kernel's type; or, where the kernel computes them itself,
        a function that gives them when they are wanted.
    noise : array, shape (1 or steps,), or None
        Amplitude of the normal variates that the kernel draws and adds, one a neuron and step.
    seed : int
        Key of those variates.
    numbers : tuple of float, or None
        What stands for c0, c1, ... in the form that the kernel computes the values by.
    counts : Counts or None
        Poisson counts that the kernel draws and adds.
    deliveries : Deliveries or None
        Spikes that the kernel adds.
    """

    given: Array | Callable[[], Array]
    noise: Array = None
    seed: int = 0
    numbers: tuple[float, ...] | None = None
    counts: Counts | None = None
    deliveries: Deliveries | None = None

    @cached_property
    def values(self) -> Array:
        """The values, shape (1 or steps, 1 or n)."""
        return self.given() if callable(self.given) else self.given

    def value(self, row: int, neuron: int, step: int, first_index: int = 0) -> float:
        """The value of a neuron in a row, with all that the kernel adds for that neuron and step."""
        value = self.values[row if self.values.shape[0] > 1 else 0, neuron if self.values.shape[1] > 1 else 0]
        value = fetch(value)[()]
        if self.noise is not None:
            variate = normals(self.seed, first_index + neuron, 1, step, 0, self.values.dtype)[0]
            value = value + self.noise[row if len(self.noise) > 1 else 0] * variate
        if self.counts is not None:
            value = value + self.counts.value(row, neuron, step, first_index)
        return float(value) + (0.0 if self.deliveries is None else self.deliveries.value(neuron, step))

    def part(self, offset: int, steps: int) -> Source:
        """The same input over some of the steps."""
        values = self.values[offset : offset + steps] if len(self.values) > 1 else self.values
        noise = self.noise[offset : offset + steps] if self.noise is not None and len(self.noise) > 1 else self.noise
        counts = None if self.counts is None else self.counts.part(offset, steps)
        if values is self.given and noise is self.noise and counts is self.counts:
            return self
        return Source(values, noise, self.seed, self.numbers, counts, self.deliveries)


@dataclass
class Moments:
    """Each neuron's spikes in figures, over all blocks of a run: arrays of n values that a backend brings up to date.

    ``count`` of spikes; steps of the ``first`` and the ``last`` one (-1 before any), whole numbers, or, where spikes
    are located, moments with a fraction; sum of the ``squares`` of the intervals in steps. The last three are all None
    where only the count is wanted.
    """

    count: Array
    first: Array = None
    last: Array = None
    squares: Array = None


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the steps of a block write down.

    Attributes
    ----------
    traces : mapping
        Name of a state, or of an input, to an array (rows, values a row) to fill;
        an input's values are those that the steps read.
    every, phase : int
        Rows are written after steps ``phase``, ``phase + every``, ... of the block; none where ``phase`` is -1.
    neurons : array or None
        Ascending indices of the neurons of a row; None for all.
    events : tuple of int
        Numbers of the events to return; the spike has 0.
    moments : Moments or None
        Spike moments to bring up to date.
    kept : Kept or None
        Where states are written down at the beginning of segments.
    """

    traces: Mapping[str, Array] = field(default_factory=dict)
    every: int = 1
    phase: int = -1
    neurons: Array = None
    events: tuple[int, ...] = ()
    moments: Moments | None = None
    kept: Kept | None = None


NO_OUTPUTS = Outputs()


@dataclass(frozen=True, eq=False)
class Block:
    """One call: steps to make, with which values, and where results go.

    Attributes
    ----------
    first_step, steps : int
        Steps ``first_step ... first_step + steps - 1``; step k starts at ``t = k*dt``.
    dt : float
        Step in ms.
    seed, first_index : int
        Key of the random streams, and the index of the first neuron in them.
    state : mapping
        Name to a contiguous array of n values, advanced in place.
    parameters : mapping
        Name to a float, or to an array of n values.
    inputs : mapping
        Name to a :class:`Source`.
    outputs : Outputs
        What to write down.
    spike_flag : array or None
        n bytes: who spiked in the last step.
    threads : int
    check_finite : bool
        Whether to look for a state that is not finite when the steps are made.
    steps_per_launch : int or None
        Steps of one launch of a kernel on a device; None for all of the block.
    """

    first_step: int
    steps: int
    dt: float
    seed: int
    state: Mapping[str, Array]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Source]
    outputs: Outputs = NO_OUTPUTS
    spike_flag: Array = None
    threads: int = 1
    first_index: int = 0
    check_finite: bool = False
    steps_per_launch: int | None = None


@dataclass(frozen=True)
class Spikes:
    """Spikes and other events of a block, those of each event by (step, neuron); a neuron may have several in one step.

    Attributes
    ----------
    step : (s,) int64
        Within the block.
    neuron : (s,) int64
    event : (s,) int64 or None
        Number of the event, 0 for a spike; None where all are spikes.
    offset : (s,) float64 or None
        Where in its step a spike is, as a fraction of the step above 0; None where all are at the end of theirs.
    """

    step: Array
    neuron: Array
    event: Array | None = None
    offset: Array | None = None

    def of(self, event: int) -> Spikes:
        """Those of one event."""
        if self.event is None:
            return self if event == 0 else self.where(slice(0))
        return replace(self.where(self.event == event), event=None)

    @property
    def moment(self) -> Array:
        """Time since the block's start, in steps: whole numbers where spikes are at the end of theirs."""
        return self.step + (1 if self.offset is None else self.offset)

    def later(self, steps: int) -> Spikes:
        """The same after so many steps more."""
        return replace(self, step=self.step + steps)

    def where(self, kept: Array) -> Spikes:
        """Those of a mask, a slice or an order."""
        event, offset = (None if part is None else part[kept] for part in (self.event, self.offset))
        return Spikes(self.step[kept], self.neuron[kept], event, offset)


def join_spikes(parts: Sequence[Spikes], none: Array) -> Spikes:
    """The spikes of parts, one after the other; ``none`` is an empty array in the memory where they lie."""
    xp = namespace(none)
    join, events, offsets = xp.concatenate, None, None
    if any(part.event is not None for part in parts):
        events = join([xp.zeros(len(p.step), none.dtype) if p.event is None else p.event for p in parts])
    if any(part.offset is not None for part in parts):
        offsets = join([xp.ones(len(p.step)) if p.offset is None else p.offset for p in parts])
    return Spikes(join([none, *(p.step for p in parts)]), join([none, *(p.neuron for p in parts)]), events, offsets)


def in_order(spikes: Spikes) -> Spikes:
    """Located spikes and events by time, then neuron; those at the ends of steps are."""
    if spikes.offset is None:
        return spikes
    xp, moment = namespace(spikes.step), spikes.moment
    order = xp.argsort(moment, kind="stable")  # several times as fast as lexsort
    same, backwards = xp.diff(moment[order]) == 0, xp.diff(spikes.neuron[order]) < 0
    if (same & backwards).any():
        order = xp.lexsort(xp.stack([spikes.neuron.astype(np.float64), moment]))
    return spikes.where(order)


def listed_spikes(place: Array, neuron: Array, event_count: int) -> Spikes:
    """From a kernel's list, in which a step's number counts for each of so many events."""
    if event_count == 1:
        return Spikes(place, neuron)
    return Spikes(place // event_count, neuron, place % event_count)


@dataclass(frozen=True)
class Advanced:
    """What a backend found while it advanced a block.

    ``spikes``, and the first neuron with a state that is not finite, where asked for. ``bad_step`` is the first step of
    the block for which the kernel computes an input that is not finite; nothing was advanced then. What is said of a
    block that was submitted before an earlier one was found to have failed has no meaning. ``is_repeated`` says that
    the block and those after it began again, after work that was asked for between them was done.
    """

    spikes: Spikes | None = None
    bad_neuron: int | None = None
    bad_step: int | None = None
    is_repeated: bool = False


Pending = Callable[[], Advanced]
"""Waits for a block that was submitted, and says what was found."""
PreparedStep = Callable[[int, Mapping[str, Source], Callable[[], object]], int | None]
"""Makes one step and calls a function of C code that counts it: both, or neither, whatever signals come. Returns the
first neuron with a state that is not finite (where the block asks to look), or None.
"""


class Engine(Protocol):
    """A kernel made callable."""

    description: str
    """What was built, for people: compiler, flags, file."""
    method: str
    """Name of the integration method."""
    spike_timing: str
    """Where in a step events happen."""
    cost: int
    """What a neuron-step costs, in multiply-adds."""
    pace: float
    """Multiply-adds a second that a thread makes, roughly; says how many steps to ask for in one call."""
    least_steps: int
    """Steps below which a call is not worth cutting: reading and writing all states must stay a small part of it."""
    depth: int
    """Blocks that may be under way at once."""
    rewind_bytes: int
    """Most bytes of states that a run keeps a copy of, so that a state that is not finite can be traced to its step."""

    def longest(self, block: Block) -> int:
        """Most steps of a block like this one."""
        ...

    def submit(self, block: Block) -> Pending:
        """Begin to advance the states of a block in place; blocks are advanced in the order of their submission."""
        ...

    def finish(self) -> None:
        """Wait until all that was asked for is done, the parts of a recording included: any stream may then read it."""
        ...

    def recover(self) -> None:
        """Take blocks again after one of them failed."""
        ...

    def pull_back(self, block: Block, pullback: Pullback) -> bool:
        """Go back through a block's steps, for a kernel that was asked for with ``training``; arrays of the block's
        states serve as room. Returns whether a gradient was not finite: of an input in any step, of a state where a
        segment begins or in the end; an earlier spike may have cut it off since.

        Raises
        ------
        BackendError
            Where the backend cannot.
        """
        ...

    def prepare(self, block: Block) -> PreparedStep:
        """One step as a function of its number, of the inputs' values and of what counts it, for the arrays and
        parameters of the block.

        The arrays must stay where they are; their values may change.
        """
        ...


def host_space(device: Any, sharding: Any) -> HostSpace:
    """The memory of the process, for a backend that has no devices."""
    for name, value in (("device", device), ("sharding", sharding)):
        if value is not None:
            raise BackendError(
                f"{name}={shown(value)} chooses among devices, and this backend has none; "
                "take backend='cuda', or threads= to share the work"
            )
    return HOST


class HostEngine:
    """What engines share that advance a block while they are asked to."""

    depth = 1
    rewind_bytes = REWIND_BYTES

    def advance(self, block: Block) -> Advanced:
        """Advance the states of a block in place."""
        raise NotImplementedError

    def submit(self, block: Block) -> Pending:
        """Advance the block now."""
        found = self.advance(block)
        return lambda: found

    def longest(self, block: Block) -> int:
        """Most steps of a block."""
        return LONGEST_BLOCK

    def pull_back(self, block: Block, pullback: Pullback) -> bool:
        """Go back through the block's steps now."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing is under way."""

    def recover(self) -> None:
        """Nothing to do."""
