"""Recordings of runs on a cluster in a Zarr store: every worker writes the rows of its shards, and the client counts
them in once all are there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.cluster.connection import Connection, address
from izhigen.cluster.lazily import Grid
from izhigen.cluster.shards import PER_NEURON, Report, array_of, events_of, figure_of, merged
from izhigen.errors import ClusterError, RecordingError
from izhigen.memory.pieces import Piece
from izhigen.recording.description import PER_NEURON as STORED
from izhigen.recording.events import EventList, array_names
from izhigen.recording.recording import Recording
from izhigen.recording.store import Header, StoreWriter, write_part
from izhigen.recording.stored import METADATA, TIME

Array = Any
Future = Any


class ClusterStore:
    """A new store that workers write to.

    Parameters
    ----------
    path : path
        That the client and all workers see.
    header : Header
        With an empty array of its shape for everything that differs between neurons.
    own : sequence
        Of chosen neurons, the places of each shard's among them.

    Raises
    ------
    RecordingError, ClusterError
        Here and in every method, where the disk refuses, or a worker does not see the store.
    """

    def __init__(self, path: Path, header: Header, connection: Connection, grid: Grid, own: Sequence[Array]) -> None:
        self._header, self._connection, self._grid, self._own = header, connection, grid, own
        boxes = grid.block_shape(grid.pieces[0]) if header.neurons is None else None
        self._writer = StoreWriter(path, header, boxes if boxes is not None else header.row_shape)
        self._rows = 0

    @property
    def has_traces(self) -> bool:
        """Whether it has rows that lie in chunks."""
        return bool(self._header.traces)

    @property
    def rows(self) -> int:
        """Rows of a whole chunk: only the last part of a run has another number."""
        return self._writer.rows

    def add(self, recordings: Sequence[Future], reports: Sequence[Report], rows: int, t: Array, stop: float) -> None:
        """Write the rows and events of a stretch, and count them in."""
        futures = []
        for name in self._header.traces if rows else ():
            about = self._writer.about(name, self._rows + rows)
            futures += self._write(recordings, name, name, about, slice(self._rows, self._rows + rows), rows)
        if rows:
            place = (slice(self._rows, None),)
            write_part(self._writer.path, TIME, self._writer.about(TIME, self._rows + rows), place, t)
        counts = {name: sum(report.events[name] for report in reports) for name in self._header.events}
        for name, count in counts.items():
            if count:
                futures.append(self._write_events(recordings, name, count))
        self._wait(futures)
        self._writer.count_in(stop, rows, counts)
        self._rows += rows

    def add_apart(self, recordings: Sequence[Future]) -> None:
        """Write what differs between neurons all the run."""
        for name in self._header.per_neuron:
            about = self._writer.about(STORED + name)
            self._wait(self._write(recordings, PER_NEURON + name, STORED + name, about, None, 0))

    def finish(self, figures: Sequence[Future], types: Mapping[str, Any], stop: float, interrupted: bool) -> Recording:
        """Write the figures of those types, and close the store; the recording that reads from it."""
        for name, dtype in types.items():
            self._writer.describe_figure(name, self._header.row_shape, dtype)
            self._wait(self._write(figures, name, name, self._writer.about(name), None, 0, figure_of))
        self._writer.count_in(stop, 0, {}, interrupted)
        return Recording.load(self._writer.path)

    def _wait(self, futures: Sequence[Future]) -> None:
        try:
            self._connection.results(futures, lambda: False)
        except OSError as problem:
            raise RecordingError(
                f"{self._writer.path} cannot be written: {problem}; {self._writer.safe()}"
            ) from problem

    def _write(
        self,
        recordings: Sequence[Future],
        name: str,
        stored: str,
        about: Any,
        rows: slice | None,
        count: int,
        read: Callable[..., Array] = array_of,
    ) -> list[Future]:
        """Write an array of all shards, as ``read`` finds it: some of its rows, or one value a neuron."""
        path, in_front = str(self._writer.path), () if rows is None else (rows,)
        if self._header.neurons is not None:
            parts = [
                self._connection.submit(read, recording, name, (count, len(own)) if in_front else (len(own),))
                for recording, own in zip(recordings, self._own)
            ]
            asked = (path, stored, about, in_front, parts, list(self._own))
            return [self._connection.submit(write_chosen, *asked)]
        return [
            self._connection.submit(write_block, path, stored, about, in_front, piece, recording, name, shape, read)
            for piece, recording in zip(self._grid.pieces, recordings)
            for shape in [(count, *self._grid.block_shape(piece)) if in_front else self._grid.block_shape(piece)]
        ]

    def _write_events(self, recordings: Sequence[Future], event: str, count: int) -> Future:
        """Write an event of all shards behind those that are counted."""
        before = self._writer.counts[event]
        arrays = [(name, self._writer.about(name, before + count)) for name in array_names(event)]
        lists = [self._connection.submit(events_of, recording, event) for recording in recordings]
        firsts = tuple(piece.first for piece in self._grid.pieces)
        return self._connection.submit(write_events, str(self._writer.path), arrays, before, lists, firsts)


def _seen(path: str) -> Path:
    """The store, where a worker sees it."""
    place = Path(path)
    if not (place / METADATA).is_file():
        raise ClusterError(
            f"worker {address()} does not see {path}; name a store in a folder that the client and all workers share"
        )
    return place


def write_block(
    path: str,
    stored: str,
    about: Any,
    rows: tuple[slice, ...],
    piece: Piece,
    recording: Recording,
    name: str,
    shape: Any,
    read: Callable[..., Array],
) -> None:
    """Write a shard's block of an array, which ``read`` finds."""
    lead = tuple(slice(k, k + 1) for k in piece.lead)
    write_part(_seen(path), stored, about, (*rows, *lead, slice(piece.start, piece.stop)), read(recording, name, shape))


def write_chosen(
    path: str, stored: str, about: Any, rows: tuple[slice, ...], parts: list[Array], own: list[Array]
) -> None:
    """Write the chosen neurons of all shards."""
    order = np.argsort(np.concatenate(own))
    values = np.concatenate(parts, axis=-1)[..., order]
    write_part(_seen(path), stored, about, rows or (slice(None),), values)


def write_events(
    path: str, arrays: list[tuple[str, Any]], before: int, lists: list[EventList], firsts: tuple[int, ...]
) -> None:
    """Write an event of all shards."""
    found = merged(lists, firsts)
    for (name, about), values in zip(arrays, (found.times, found.indices)):
        write_part(_seen(path), name, about, (slice(before, None),), values)
