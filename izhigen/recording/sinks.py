"""Where a run's recording goes: kept in memory, or written to a store while the run goes on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from izhigen.memory.space import fetch, namespace
from izhigen.recording.events import join_lists
from izhigen.recording.recording import Recording
from izhigen.recording.store import Header, Piece, StoreWriter

Array = Any

BUFFER_SPIKES = 1 << 20
"""Spikes and other events that are gathered between two writes to a store."""


class Sink(Protocol):
    """Takes a recording in pieces, one after the other."""

    rows: int
    """Rows of one piece; a piece ends where the number of all rows is a multiple of it."""
    spikes: int
    """Spikes and other events after which a piece ends, whatever its rows."""
    lasting: bool
    """Whether what was written outlives an error in the run."""

    def write(self, piece: Piece, stop: float) -> None:
        """Take a piece; ``stop`` is the time (ms) until which it goes."""
        ...

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Any]) -> Recording:
        """The recording of all pieces, with the figures of each neuron's spikes."""
        ...


class MemorySink:
    """Keeps the recording: all of it is one piece, or pieces of so many rows are copied together."""

    spikes = sys.maxsize
    lasting = False

    def __init__(self, header: Header, rows: int = 0) -> None:
        self._header = header
        self.rows = rows or header.rows + 1  # so that a piece is never complete before the run is
        self._pieces: list[Piece] = []
        self._traces: dict[str, Array] = {}
        self._filled = 0

    def write(self, piece: Piece, stop: float) -> None:
        if self.rows > self._header.rows:
            self._traces = dict(piece.traces)
        else:  # the piece's buffers are used again
            for name, values in piece.traces.items():
                if name not in self._traces:
                    self._traces[name] = namespace(values).empty((self._header.rows, *values.shape[1:]), values.dtype)
                self._traces[name][self._filled : self._filled + len(values)] = values
        self._filled += len(piece.t)
        self._pieces.append(piece if self.rows > self._header.rows else replace(piece, traces={}))

    def _joined(self, parts: list[Array]) -> Array:
        return parts[0] if len(parts) == 1 else namespace(parts[0]).concatenate(parts)

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Any]) -> Recording:
        header, pieces = self._header, self._pieces
        return Recording(
            t=self._joined([piece.t for piece in pieces]),
            traces={name: values[: self._filled] for name, values in self._traces.items()},
            shape=header.shape,
            neurons=header.neurons,
            info=header.info,
            start=header.start,
            stop=stop,
            lists={name: join_lists([piece.events[name] for piece in pieces]) for name in header.events},
            figures=figures,
            interrupted=interrupted,
            per_neuron=header.per_neuron,
        )


class StoreSink:
    """Writes to a new Zarr store in pieces of whole chunks."""

    spikes = BUFFER_SPIKES
    lasting = True

    def __init__(self, header: Header, path: Any) -> None:
        self._writer = StoreWriter(path, header)
        self.rows = self._writer.rows

    def write(self, piece: Piece, stop: float) -> None:
        traces = {name: fetch(values) for name, values in piece.traces.items()}
        events = {name: found.on_host() for name, found in piece.events.items()}
        self._writer.append(Piece(piece.t, traces, events), stop)

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Any]) -> Recording:
        self._writer.finish(stop, interrupted, {name: fetch(values) for name, values in figures.items()})
        return Recording.load(self._writer.path)
