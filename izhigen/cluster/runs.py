"""A run of shards: stretches of steps, which all shards make, and the recording of what lies with them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import dask.array as da
import numpy as np

from izhigen.cluster import shards
from izhigen.cluster.connection import Connection
from izhigen.cluster.lazily import Grid, columns, delayed, delayed_of_all, joined, on_client
from izhigen.cluster.shards import PER_NEURON, Order, Report
from izhigen.cluster.stores import ClusterStore
from izhigen.errors import NonFiniteError
from izhigen.recording.events import EventList
from izhigen.recording.figures import MOMENTS, UNITS
from izhigen.recording.recording import Recording

Array = Any
Future = Any

SECONDS = 5.0
"""About how long a stretch takes: what Ctrl-C and the death of a worker can cost."""
FIRST_WORK = 1e9
"""Neuron-steps of the first stretch, for each thread."""
MOST_GROWTH = 20.0
"""How many times as long a stretch is as the one before, at most."""


@dataclass(frozen=True)
class Stretch:
    """Some steps that all shards made, each with a report, and a recording where there are traces, events, or what
    differs between neurons; the figures of the last stretch are those of the run.
    """

    steps: int
    recordings: Sequence[Future]
    figures: Sequence[Future]
    reports: Sequence[Report]


@dataclass
class Runner:
    """Advances shards.

    Attributes
    ----------
    connection : Connection
    grid : Grid
    shards : list of Future
        As they are now: what stretches that ended made of them.
    order : Order
        What every stretch is to do.
    neurons : sequence
        The chosen neurons of each shard, by their own indices; None for all.
    inputs_of : callable
        ``inputs_of(number, offset, steps)``: a shard's inputs, as values and as parts that lie on the cluster.
    """

    connection: Connection
    grid: Grid
    shards: list[Future]
    order: Order
    neurons: Sequence[Array]
    inputs_of: Callable[[int, int, int], tuple[Mapping[str, Any], Mapping[str, Future]]]
    start: int
    dt: float
    store: ClusterStore | None = None
    done: int = 0
    stretches: list[Stretch] = field(default_factory=list)
    types: Mapping[str, Any] = field(default_factory=dict)
    _moments: list[Future | None] = field(default_factory=list)

    def run(self, count: int, look: Callable[[], bool], advanced: Callable[[int], Any], threads: int) -> bool:
        """All steps; whether ``look`` ended them early.

        Raises
        ------
        NonFiniteError
            With the population's index of the neuron; the shards are then those just before that step.
        """
        neurons = sum(piece.count for piece in self.grid.pieces)
        least = steps = max(1, int(FIRST_WORK * threads / neurons))
        while self.done < count or not self.stretches:
            size = min(self._whole(steps), count - self.done)
            began = time.monotonic()
            if not self._stretch(size, look):
                self.open()
                return True
            advanced(size)
            took = max(time.monotonic() - began, 1e-3)
            steps = max(least, int(size * min(SECONDS / took, MOST_GROWTH)))
        return False

    def open(self) -> Stretch:
        """The first stretch: one without steps, where none was made yet."""
        if not self.stretches:
            self._stretch(0, lambda: False)
        return self.stretches[0]

    def _whole(self, steps: int) -> int:
        """A number of steps after which a row ends, or a chunk of rows."""
        every = self.order.every
        unit = every * (1 if self.store is None or not self.store.has_traces else self.store.rows)
        unit = unit if unit <= steps else every
        return max(1, steps // unit) * unit

    def _stretch(self, steps: int, look: Callable[[], bool]) -> bool:
        if not self._moments:
            self._moments = [None] * len(self.shards)
        made = self._advance(steps, self.order)
        told = [self.connection.submit(shards.report_of, one, not self.types) for one in made]
        found = self.connection.results(told, look)
        if found is None:
            return False
        self._refuse(found)
        self.types = self.types or found[0].types
        submit, record = self.connection.submit, self.order.record
        has_figures = not MOMENTS.keys().isdisjoint(record)
        is_kept = not self.stretches or any(name not in MOMENTS for name in record)
        recordings = [submit(shards.recording_of, one) for one in made] if record and is_kept else []
        figures = [submit(shards.figures_of, one) for one in made] if has_figures else []
        self._keep(Stretch(steps, recordings, figures, found))
        self.shards = [submit(shards.shard_of, one) for one in made]
        if has_figures:
            self._moments = [submit(shards.moments_of, one) for one in made]
        self.done += steps
        return True

    def _keep(self, stretch: Stretch) -> None:
        """Keep what a stretch recorded: with the workers, or in the store."""
        if self.store is None:
            if self.stretches:
                self.stretches[-1] = replace(self.stretches[-1], figures=())
            self.stretches.append(stretch)
            return
        every, done = self.order.every, self.done + stretch.steps
        before = self.done // every
        rows = done // every - before
        t = (self.start + every * np.arange(before + 1, before + rows + 1)) * self.dt
        self.store.add(stretch.recordings, stretch.reports, rows, t, (self.start + done) * self.dt)
        self.stretches = [replace(stretch, recordings=())]

    def _advance(self, steps: int, order: Order) -> list[Future]:
        order = replace(order, steps=steps, is_first=not self.stretches)
        made = []
        for number, shard in enumerate(self.shards):
            given, parts = self.inputs_of(number, self.done, steps)
            asked = (order, self.neurons[number], self._moments[number], given, parts)
            made.append(self.connection.submit(shards.advance, shard, *asked))
        return made

    def _refuse(self, reports: Sequence[Report]) -> None:
        """Raise the first error of all shards, once they stand before its step."""
        errors = [
            (report.error.step, report.error.neuron + piece.first, report.error, piece.first)
            for report, piece in zip(reports, self.grid.pieces)
            if report.error is not None
        ]
        if not errors:
            return
        step, _, error, first = min(errors, key=lambda found: found[:2])
        before = step - (self.start + self.done)
        if before > 0 and self.store is None:
            made = self._advance(before, Order(before, (), before, check_finite=False))
            self.shards = [self.connection.submit(shards.shard_of, one) for one in made]
            self.done += before
        elif before > 0:
            self._stretch(before, lambda: False)
        raise numbered(error, first)


def numbered(error: NonFiniteError, first: int) -> NonFiniteError:
    """The error of a shard with the population's index of the neuron."""
    number = error.neuron + first
    message = re.sub(rf"\bneuron {error.neuron}\b", f"neuron {number}", str(error), count=1)
    return NonFiniteError(
        message, neuron=number, step=error.step, time=error.time, state=error.state, inputs=error.inputs
    )


def kinds(types: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Of the names of a recording's arrays: the figures, what differs between neurons, and the traces."""
    names = list(types)
    figures = [name for name in names if name in UNITS]
    apart = [name.removeprefix(PER_NEURON) for name in names if name.startswith(PER_NEURON)]
    return figures, apart, [n for n in names if n not in figures and not n.startswith(PER_NEURON)]


def recording_of(
    runner: Runner, neurons: Array, own: Sequence[Array], events: Sequence[str], interrupted: bool
) -> Recording:
    """What all stretches recorded, read where it is used.

    ``neurons`` are the chosen ones, ``own`` those of each shard by their places among them.
    """
    made = _Assembled(runner.grid, neurons, own, runner.types, runner.connection.client)
    stretches, first = runner.stretches, runner.stretches[0].reports[0]
    every, dt = runner.order.every, runner.dt
    rows = [stretch.steps // every for stretch in stretches]
    figures, apart, traces = kinds(first.types)
    return Recording(
        t=(runner.start + every * np.arange(1, sum(rows) + 1)) * dt,
        traces={
            name: made.owned(joined([made.trace(stretch, name, count) for stretch, count in zip(stretches, rows)]))
            for name in traces
        },
        shape=runner.grid.shape,
        neurons=neurons,
        info=first.info,
        start=runner.start * dt,
        stop=(runner.start + runner.done) * dt,
        lists={name: made.event(stretches, name) for name in events},
        figures={name: made.row(shards.figure_of, stretches[-1].figures, name) for name in figures},
        interrupted=interrupted,
        per_neuron={name: made.row(shards.array_of, stretches[0].recordings, PER_NEURON + name) for name in apart},
    )


@dataclass(frozen=True)
class _Assembled:
    """Arrays of a recording of all neurons, or of chosen ones."""

    grid: Grid
    neurons: Array
    own: Sequence[Array]
    types: Mapping[str, Any]
    client: Any

    def owned(self, array: Any) -> Any:
        """An array that is read by the population's client."""
        return on_client(array, self.client)

    def trace(self, stretch: Stretch, name: str, rows: int) -> Any:
        """Rows of a stretch."""
        block = self._block(shards.array_of, stretch.recordings, name)
        if self.neurons is None:
            return self.grid.whole(block, self.types[name], rows)
        return self._columns(block, rows, self.types[name])

    def row(self, read: Callable[..., Array], futures: Sequence[Future], name: str) -> Any:
        """One value a neuron, which ``read`` finds in what lies with each shard."""
        block, dtype = self._block(read, futures, name), self.types[name]
        return self.owned(self.grid.whole(block, dtype) if self.neurons is None else self._columns(block, 1, dtype)[0])

    def event(self, stretches: Sequence[Stretch], name: str) -> EventList:
        """All times of an event, merged stretch by stretch."""
        firsts, times, indices = tuple(piece.first for piece in self.grid.pieces), [], []
        for stretch in stretches:
            count = sum(report.events[name] for report in stretch.reports)
            lists = [delayed(shards.events_of, recording, name) for recording in stretch.recordings]
            merged = delayed_of_all(shards.merged, lists, firsts)
            times.append(da.from_delayed(delayed(shards.times_of, merged), (count,), np.float64))
            indices.append(da.from_delayed(delayed(shards.indices_of, merged), (count,), np.int64))
        return EventList(self.owned(joined(times)), self.owned(joined(indices)))

    @staticmethod
    def _block(
        read: Callable[..., Array], futures: Sequence[Future], name: str
    ) -> Callable[[int, tuple[int, ...]], Any]:
        return lambda number, shape: delayed(read, futures[number], name, shape)

    def _columns(self, block: Callable[[int, tuple[int, ...]], Any], rows: int, dtype: Any) -> Any:
        blocks = ((block(k, (rows, len(places))), len(places)) for k, places in enumerate(self.own))
        return columns(blocks, rows, dtype, np.argsort(np.concatenate(list(self.own))))
