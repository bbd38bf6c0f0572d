"""Recordings written to a Zarr store piece by piece, while a run goes on; :mod:`izhigen.recording.stored` reads it."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import RecordingError, ValueShapeError, shown
from izhigen.files import write_file
from izhigen.memory.space import fetch
from izhigen.model.events import SPIKE
from izhigen.recording.description import PER_NEURON, Description, recording_path
from izhigen.recording.events import EventList, array_names
from izhigen.recording.figures import UNITS
from izhigen.recording.stored import LABELS_AT_ONCE, METADATA, TIME, axes_of, load_zarr, name_given_twice

if TYPE_CHECKING:
    from izhigen.recording.chunks import ArrayMetadata

Array = Any

SUFFIX = ".zarr"
CHUNK_BYTES = 1 << 21
"""Bytes of one chunk, before compression."""
CHUNK_ROWS = 16
"""Fewest rows of a chunk where rows are long, so that one neuron can be read without reading all."""
PIECE_BYTES = 1 << 22
"""Bytes of traces that are gathered between two writes; what a full disk or a kill can cost."""
SERIES_CHUNK = 1 << 17
"""Values of one chunk of times, spikes or labels."""
LEAST_CHUNK_BYTES = 1 << 14
"""Of a chunk, and twice as many of a piece, however small the disk is."""
PIECES_A_DISK = 32
"""Pieces are smaller than those above where fewer than this many would fit on the disk."""
FULL = tuple(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))
"""What a disk says that has no room for so much, but may have for less."""


@dataclass(frozen=True)
class Header:
    """What is known of a recording before its first step.

    Attributes
    ----------
    shape : tuple of int
        Shape of the population.
    neurons : array or None
        Flat indices of the chosen neurons; None for all.
    info : mapping
        Model, method, units and so on, as in a recording.
    start : float
        Time in ms.
    traces : mapping
        State name to the number type of its trace.
    events : tuple of str
        Names of the recorded events, the spike's too.
    rows : int
        Rows of a run that is not interrupted.
    per_neuron : mapping
        Parameters and held inputs that differ between neurons, as in a recording.
    """

    shape: tuple[int, ...]
    neurons: Array
    info: Mapping[str, Any]
    start: float
    traces: Mapping[str, Any]
    events: tuple[str, ...]
    rows: int
    per_neuron: Mapping[str, Array] = field(default_factory=dict)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row of a trace."""
        return self.shape if self.neurons is None else (len(self.neurons),)


@dataclass(frozen=True)
class Piece:
    """Rows and events that follow those before: times (ms), traces, and the list of each recorded event."""

    t: Array
    traces: Mapping[str, Array]
    events: Mapping[str, EventList] = field(default_factory=dict)

    def part(self, first: int, last: int) -> Piece:
        """Some rows, and the events after the row before them until the last of them; of the last rows, all after."""
        rows, ends = slice(first, last), self.t[[max(first - 1, 0), last - 1]]
        events = {}
        for name, found in self.events.items():
            start, stop = np.searchsorted(found.times, ends, side="right")
            events[name] = found[int(start) if first else 0 : int(stop) if last < len(self.t) else len(found)]
        return Piece(self.t[rows], {name: values[rows] for name, values in self.traces.items()}, events)


def check_new(path: Any) -> Path:
    """The path of a store to create, or an error that says why it cannot be. Nothing is written."""
    try:
        place, suffix = recording_path(path)
    except ValueShapeError:
        raise ValueShapeError(f"out={shown(path)} is not a path such as 'run{SUFFIX}'") from None
    if suffix != SUFFIX:
        raise RecordingError(
            f"out='{path}': a run is written to a Zarr store while it goes on, whose name must end in {SUFFIX}; "
            f"for a {suffix} file, save the recording that the run returns"
        )
    if os.path.lexists(place):
        raise RecordingError(f"{place} exists already; remove it or take another name")
    if not place.absolute().parent.is_dir():
        raise RecordingError(f"{place} cannot be written: there is no folder {place.absolute().parent}")
    load_zarr()
    return place


class StoreWriter:
    """A new store for pieces of a recording; it can be read between two pieces, and after an error or a kill.

    A piece is written in this order: its chunks, beyond what any reader looks at (a chunk that has rows already is
    replaced whole); the group's metadata, one file with the number of rows and the shape of every array; then the
    metadata of each array, for readers that look there. So no reader sees a row that was not counted.

    Attributes
    ----------
    path : Path
    rows : int
        Rows of a piece of whole chunks, of about :data:`PIECE_BYTES`; other pieces are written too, more slowly.

    Parameters
    ----------
    path : path
    header : Header
    boxes : sequence of int, optional
        Where others write parts of rows (:func:`write_part`): lengths of these along each axis of a row. No chunk
        reaches from one into another, and what differs between neurons is left to them too.

    Raises
    ------
    RecordingError
        Here and in every method, when the disk refuses; says what is safe.
    """

    def __init__(self, path: Any, header: Header, boxes: Sequence[int] | None = None) -> None:
        self.path, self._header, self._boxes = check_new(path), header, boxes
        row_bytes = max(
            8, sum(np.dtype(dtype).itemsize for dtype in header.traces.values()) * math.prod(header.row_shape)
        )
        piece_bytes = max(min(PIECE_BYTES, room(self.path) // PIECES_A_DISK), 2 * LEAST_CHUNK_BYTES)
        self._chunk_bytes = min(CHUNK_BYTES, piece_bytes // 2)
        most = max(1 if boxes is None else CHUNK_ROWS, piece_bytes // row_bytes)
        chunk_rows = rows_a_chunk(header, most, self._chunk_bytes)
        self.rows = most // chunk_rows * chunk_rows
        self._rows, self._counts = 0, dict.fromkeys(header.events, 0)
        axes = axes_of(header.shape, header.neurons)
        events = dict.fromkeys((SPIKE, *header.events))
        twice = name_given_twice(axes, UNITS, header.per_neuron, events, header.traces)
        if twice is not None:
            raise RecordingError(
                f"{self.path}: {shown(twice)} is the name of another array of the store; "
                "rename it in the model, or run without out"
            )
        self._arrays = self._describe_arrays(axes, chunk_rows)
        self._told_of: dict[str, ArrayMetadata] = {}  # by the metadata of each array
        self._figures: tuple[str, ...] = ()
        with self._told():
            self.path.mkdir()
        try:
            with self._told():
                for name, labels in axes.items():
                    self._put_labels(name, labels)
                for name, values in header.per_neuron.items() if boxes is None else ():
                    self._put(PER_NEURON + name, 0, fetch(values))
                self._commit(header.start, 0, self._counts, interrupted=True)  # true until the run has ended well
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def _describe_arrays(self, axes: Mapping[str, Array], chunk_rows: int) -> dict[str, ArrayMetadata]:
        """How each array lies, those of rows and events still empty."""
        from izhigen.recording.chunks import ArrayMetadata

        header, units = self._header, self._header.info.get("units", {})
        real, index = np.dtype(np.float64), np.dtype(np.int64)
        series = (min(SERIES_CHUNK, self._chunk_bytes // real.itemsize),)
        found = {name: ArrayMetadata(index, (len(labels),), series, (name,)) for name, labels in axes.items()}
        found[TIME] = ArrayMetadata(real, (0,), series, (TIME,), "ms")
        for name, dtype in header.traces.items():
            chunks = self._chunks(chunk_rows, header.row_shape, np.dtype(dtype).itemsize, self._chunk_bytes)
            found[name] = ArrayMetadata(
                np.dtype(dtype), (0, *header.row_shape), chunks, (TIME, *axes), str(units.get(name, ""))
            )
        for name, values in header.per_neuron.items():
            chunks = self._chunks(1, values.shape, values.dtype.itemsize)[1:]
            unit = str(units.get(name, ""))
            found[PER_NEURON + name] = ArrayMetadata(values.dtype, values.shape, chunks, tuple(axes), unit)
        for name in header.events:
            times, indices = array_names(name)
            found[times] = ArrayMetadata(real, (0,), series, (name,), "ms")
            found[indices] = ArrayMetadata(index, (0,), series, (name,))
        return found

    def append(self, piece: Piece, stop: float) -> None:
        """Write a piece and count it in; ``stop`` is the time (ms) until which all is then written.

        Of a piece for which the disk has no room, as many rows are written as fit, and their events.
        """
        before = self._rows
        with self._told():
            try:
                self._add(piece, stop)
            except OSError as problem:
                if problem.errno not in FULL or not len(piece.t):
                    raise
                self._add_what_fits(piece, stop, before)
                if self._rows - before < len(piece.t):
                    raise

    def _add(self, piece: Piece, stop: float) -> None:
        if len(piece.t):
            for name, values in {TIME: piece.t, **piece.traces}.items():
                self._put(name, self._rows, values)
        counts = dict(self._counts)
        for event, found in piece.events.items():
            for name, values in zip(array_names(event), (found.times, found.indices)):
                self._put(name, counts[event], values)
            counts[event] += len(found)
        self._commit(stop, self._rows + len(piece.t), counts, interrupted=True)

    def _add_what_fits(self, piece: Piece, stop: float, before: int) -> None:
        """Write the first rows of a piece, fewer and fewer at once, until not even one more fits."""
        count = len(piece.t)
        size = count // 2
        while size and (done := self._rows - before) < count:
            last = min(done + size, count)
            self._forget_uncounted()
            try:
                self._add(piece.part(done, last), stop if last == count else float(piece.t[last - 1]))
            except OSError as problem:
                if problem.errno not in FULL:
                    raise
                size //= 2
        self._forget_uncounted()

    def _forget_uncounted(self) -> None:
        """Remove the chunks of which no row is counted, that their room may be used."""
        for name, about in self._arrays.items():
            counted = -(-about.shape[0] // about.chunks[0])
            with contextlib.suppress(OSError):
                for place in (self.path / name / "c").iterdir():
                    if place.name.isdecimal() and int(place.name) >= counted:
                        shutil.rmtree(place) if place.is_dir() else place.unlink()

    def _put(self, name: str, first: int, values: Array) -> None:
        """Write rows from the first on; to readers they are not there yet."""
        write_part(self.path, name, self.about(name, first + len(values)), (slice(first, None),), values)

    def _put_labels(self, name: str, labels: Sequence[int]) -> None:
        """Write the labels of an axis, a range not all at once."""
        for first in range(0, len(labels), LABELS_AT_ONCE):
            self._put(name, first, np.asarray(labels[first : first + LABELS_AT_ONCE], np.int64))

    def _chunks(self, rows: int, shape: tuple[int, ...], itemsize: int, most: int | None = None) -> tuple[int, ...]:
        found = chunk_shape(rows, shape, itemsize, most)
        if self._boxes is None:
            return found
        return (rows, *(divisor(box, length) for box, length in zip(self._boxes, found[1:])))

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Array]) -> None:
        """Write the figures of each neuron's spikes, until when (ms) the recording goes, and whether it ended early."""
        with self._told():
            for name, values in figures.items():
                self.describe_figure(name, values.shape, values.dtype)
                self._put(name, 0, values)
            self._commit(stop, self._rows, self._counts, interrupted)

    def describe_figure(self, name: str, shape: tuple[int, ...], dtype: Any) -> None:
        """Make ready for the values of a figure."""
        from izhigen.recording.chunks import ArrayMetadata

        axes, dtype = tuple(axes_of(self._header.shape, self._header.neurons)), np.dtype(dtype)
        chunks = self._chunks(1, shape, dtype.itemsize)[1:]
        self._arrays[name] = ArrayMetadata(dtype, shape, chunks, axes, UNITS[name])
        self._figures = (*self._figures, name)

    def about(self, name: str, rows: int | None = None) -> ArrayMetadata:
        """How an array lies, once it has so many rows."""
        found = self._arrays[name]
        return found if rows is None else replace(found, shape=(rows, *found.shape[1:]))

    def count_in(self, stop: float, rows: int, events: Mapping[str, int], interrupted: bool = True) -> None:
        """Make what others wrote seen: so many more rows and events, until ``stop`` (ms)."""
        counts = {name: count + events.get(name, 0) for name, count in self._counts.items()}
        with self._told():
            self._commit(stop, self._rows + rows, counts, interrupted)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of each event are counted in."""
        return self._counts

    def _commit(self, stop: float, rows: int, counts: Mapping[str, int], interrupted: bool) -> None:
        """Make what was put seen, up to so many rows, and so many of each event."""
        header = self._header
        lengths = dict.fromkeys((TIME, *header.traces), rows)
        lengths |= {name: count for event, count in counts.items() for name in array_names(event)}
        arrays = {
            name: replace(about, shape=(lengths.get(name, about.shape[0]), *about.shape[1:]))
            for name, about in self._arrays.items()
        }
        documents = {name: about.document() for name, about in arrays.items()}
        about = Description(
            info=header.info,
            shape=header.shape,
            start=header.start,
            stop=stop,
            interrupted=interrupted,
            traces=tuple(header.traces),
            figures=self._figures,
            per_neuron=tuple(header.per_neuron),
            events=tuple(name for name in counts if name != SPIKE),
        ).to_json()
        about |= {"rows": rows, "spikes": counts.get(SPIKE, 0), "with_spikes": SPIKE in counts}
        about |= {"event_counts": {name: count for name, count in counts.items() if name != SPIKE}}
        about |= {"all_neurons": header.neurons is None}
        group = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {**header.info, "recording": about},
            "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": documents},
        }
        _write_json(self.path / METADATA, group)
        self._arrays, self._rows, self._counts = arrays, rows, dict(counts)
        for name, document in documents.items():
            if arrays[name] != self._told_of.get(name):
                place = self.path / name / METADATA
                place.parent.mkdir(exist_ok=True)
                _write_json(place, document)
                self._told_of[name] = arrays[name]

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn an error of the disk into one that says what is safe."""
        try:
            yield
        except OSError as problem:
            raise RecordingError(f"{self.path} cannot be written: {problem}; {self.safe()}") from problem

    def safe(self) -> str:
        """What can still be read after an error."""
        if not self._rows and not any(self._counts.values()):
            return "nothing was recorded there"
        spikes = self._counts.get(SPIKE, 0)
        others = sum(self._counts.values()) - spikes
        events = f", {spikes} spikes and {others} other events" if others else f" and {spikes} spikes"
        return f"its first {self._rows} rows{events} are safe"


def write_part(path: Path, name: str, about: ArrayMetadata, key: tuple[Any, ...], values: Array) -> None:
    """Write a part of an array of a store; of rows that are not counted yet, so that no reader sees them."""
    from izhigen.recording.chunks import open_array

    if values.size:
        open_array(path, name, about, writable=True)[key] = values


def divisor(length: int, most: int) -> int:
    """The largest divisor of a length that is at most ``most``."""
    small = [k for k in range(1, math.isqrt(length) + 1) if length % k == 0]
    return max(k for k in (*small, *(length // k for k in small)) if k <= max(most, 1))


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    write_file(path, json.dumps(document, indent=1).encode(), durable=False)


def room(path: Path) -> int:
    """Bytes that are free where a path is to be; as many as there can be where the system does not say."""
    try:
        return shutil.disk_usage(path.absolute().parent).free
    except OSError:
        return sys.maxsize


def chunk_shape(
    rows: int, row_shape: tuple[int, ...], itemsize: int, chunk_bytes: int | None = None
) -> tuple[int, ...]:
    """Chunks of that many rows and about so many bytes (:data:`CHUNK_BYTES`): whole rows where they fit, else split
    along the first axes.
    """
    room = max(1, (chunk_bytes or CHUNK_BYTES) // (rows * itemsize))
    lengths: list[int] = []
    for length in reversed(row_shape):
        lengths.append(max(1, min(length, room)))
        room = max(1, room // lengths[-1])
    return (rows, *reversed(lengths))


def rows_a_chunk(header: Header, most: int, chunk_bytes: int | None = None) -> int:
    """Rows of a chunk, at most ``most`` and no more than the run has."""
    row_bytes = max((np.dtype(dtype).itemsize for dtype in header.traces.values()), default=8) * math.prod(
        header.row_shape
    )
    return max(1, min(max((chunk_bytes or CHUNK_BYTES) // max(row_bytes, 1), CHUNK_ROWS), most, header.rows))
