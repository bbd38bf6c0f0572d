"""Where a run's recording goes: kept in memory, or written to a store while the run goes on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

from izhigen.arrays import fetch
from izhigen.recording import Recording
from izhigen.store import Header, Piece, StoreWriter

BUFFER_SPIKES = 1 << 20
"""Spikes that are gathered between two writes to a store."""


class Sink(Protocol):
    """Takes a recording in pieces, one after the other."""

    rows: int
    """Rows of one piece; a piece ends where the number of all rows is a multiple of it."""
    spikes: int
    """Spikes after which a piece ends, whatever its rows."""
    lasting: bool
    """Whether what was written outlives an error in the run."""

    def write(self, piece: Piece, stop: float) -> None:
        """Take a piece; ``stop`` is the time (ms) until which it goes."""
        ...

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Any]) -> Recording:
        """The recording of all pieces, with the figures of each neuron's spikes."""
        ...


class MemorySink:
    """Keeps the recording: all of it is one piece."""

    spikes = sys.maxsize
    lasting = False

    def __init__(self, header: Header) -> None:
        self._header = header
        self.rows = header.rows + 1  # so that a piece is never complete before the run is

    def write(self, piece: Piece, stop: float) -> None:
        self._piece = piece

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Any]) -> Recording:
        header, piece = self._header, self._piece
        return Recording(
            t=piece.t,
            traces=piece.traces,
            shape=header.shape,
            neurons=header.neurons,
            info=header.info,
            start=header.start,
            stop=stop,
            spike_times=piece.spike_times,
            spike_indices=piece.spike_indices,
            figures=figures,
            interrupted=interrupted,
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
        spikes = (None if values is None else fetch(values) for values in (piece.spike_times, piece.spike_indices))
        self._writer.append(Piece(piece.t, traces, *spikes), stop)

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Any]) -> Recording:
        self._writer.finish(stop, interrupted, {name: fetch(values) for name, values in figures.items()})
        return Recording.load(self._writer.path)
