"""Synapses in memory: one row a source, in it by delay, then target; and where what they deliver waits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from izhigen.errors import NetworkError
from izhigen.memory.space import free_bytes

Array = Any

DRAWN_BYTES = 72
"""Bytes that a synapse takes at most while it is drawn and put into its place."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The synapses of a connection, by part of the targets, source, delay, and target.

    Attributes
    ----------
    start : array of int64, shape (parts, sources + 1)
        Where the row of each source begins among the synapses, and in the last column where the last one ends.
    target : array of uint16 or uint32, shape (k,), or None
        None where every source has a synapse to every target, in their order.
    weight : array, shape (k,) or (1,)
        In the network's number type.
    delay : array of uint8 or uint16, shape (k,) or (1,)
        In steps.
    columns : int
        Number of targets.
    """

    start: Array
    target: Array
    weight: Array
    delay: Array
    columns: int

    @property
    def count(self) -> int:
        """Number of synapses."""
        return int(self.start[-1, -1])

    @property
    def nbytes(self) -> int:
        """Bytes that they take."""
        arrays = (self.start, self.target, self.weight, self.delay)
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def source(self) -> Array:
        """The source of every synapse, in the order of the others, int64."""
        sizes = np.diff(self.start, axis=1).reshape(-1)
        return np.repeat(np.tile(np.arange(self.start.shape[1] - 1), len(self.start)), sizes)

    @property
    def targets(self) -> Array:
        """The target of every synapse, int64."""
        if self.target is None:
            sources, edges = self.start.shape[1] - 1, edges_of(self.columns, len(self.start))
            return np.concatenate([np.tile(np.arange(first, last), sources) for first, last in pairwise(edges)])
        return self.target.astype(np.int64)

    @property
    def least_delay(self) -> int:
        """Steps of the shortest delay."""
        return int(self.delay.min())

    @property
    def most_delay(self) -> int:
        """Steps of the longest delay."""
        return int(self.delay.max())


def check_room(synapses: float, where: str) -> None:
    """Refuse more synapses than free memory has room to draw.

    Raises
    ------
    NetworkError
        Says how many there would be, how many bytes they take, and how many synapses would fit.
    """
    free = free_bytes()
    if synapses * DRAWN_BYTES > free:
        raise NetworkError(
            f"{where}: drawing its {synapses:,.0f} synapses takes some {synapses * DRAWN_BYTES / 1e9:,.1f} GB, and "
            f"{free / 1e9:,.1f} GB are free; {free / DRAWN_BYTES:,.0f} synapses would fit"
        )


def edges_of(targets: int, parts: int) -> Array:
    """Where so many parts of the targets begin and end; parts may be empty."""
    return np.array([targets * part // parts for part in range(parts + 1)])


def make_rows(
    sources: int, targets: int, source: Array, target: Array, weight: Array, delay: Array, parts: int
) -> Rows:
    """Rows of synapses that are given by source, then target.

    ``weight`` and ``delay`` (in steps) are one number or one a synapse.
    """
    count = len(source)
    if not count:
        weight, delay = np.zeros(1, weight.dtype), np.ones(1, np.int64)
    small = np.uint8 if delay.max() < 256 else np.uint16
    delay = delay.astype(small) if delay.size == 1 or delay.min() != delay.max() else delay[:1].astype(small)
    is_whole = count == sources * targets > 0 and delay.size == 1
    if is_whole and (target.reshape(sources, targets) == np.arange(targets)).all():
        return _whole_rows(sources, targets, weight, delay, edges_of(targets, parts))
    part: Array = None
    if parts > 1:
        part = np.searchsorted(edges_of(targets, parts)[1:], target, side="right")
    if parts > 1 or delay.size > 1:
        keys = (target, *((delay,) if delay.size > 1 else ()), source, *((part,) if parts > 1 else ()))
        order = np.lexsort(keys)
        source, target = source[order], target[order]
        weight = weight[order] if weight.size > 1 else weight
        delay = delay[order] if delay.size > 1 else delay
        part = part[order] if parts > 1 else part
    place = source + part * sources if parts > 1 else source
    sizes = np.bincount(place, minlength=sources * parts).reshape(parts, sources)
    start = np.zeros((parts, sources + 1), np.int64)
    ends = np.cumsum(sizes.reshape(-1)).reshape(parts, sources)
    start[:, 1:] = ends
    start[1:, 0] = ends[:-1, -1]
    index = np.uint16 if targets <= 1 << 16 else np.uint32
    return Rows(start, target.astype(index), np.ascontiguousarray(weight), np.ascontiguousarray(delay), targets)


def _whole_rows(sources: int, targets: int, weight: Array, delay: Array, edges: Array) -> Rows:
    """Rows of all sources with all targets, which need no index."""
    sizes = np.diff(edges)
    if weight.size > 1:
        matrix = weight.reshape(sources, targets)
        weight = np.concatenate([matrix[:, first:last].reshape(-1) for first, last in pairwise(edges)])
    first = np.concatenate([[0], np.cumsum(sizes * sources)[:-1]])
    start = first[:, None] + sizes[:, None] * np.arange(sources + 1)
    return Rows(np.ascontiguousarray(start, np.int64), None, np.ascontiguousarray(weight), delay, targets)


class Waiting:
    """What is on its way to neurons of one population: rows of sums, one a step, that are used again in turn.

    Attributes
    ----------
    rows : array, shape (length, n)
        Row ``k % length`` is added in step k.
    """

    def __init__(self, neurons: int, dtype: Any, length: int) -> None:
        self.rows = np.zeros((length, neurons), dtype)

    def of(self, first_step: int, steps: int) -> Array:
        """The rows of some steps, which lie together where a run of blocks ends at multiples of their length."""
        first = first_step % len(self.rows)
        return self.rows[first : first + steps]

    def resized(self, length: int, step: int) -> Waiting:
        """With room for another number of steps, of which ``step`` is the next one."""
        new = Waiting(self.rows.shape[1], self.rows.dtype, length)
        for ahead in range(min(length, len(self.rows))):
            new.rows[(step + ahead) % length] = self.rows[(step + ahead) % len(self.rows)]
        return new


__all__ = ["Rows", "Waiting", "edges_of", "make_rows"]
