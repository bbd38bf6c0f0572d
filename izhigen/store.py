"""Recordings in a Zarr store: written piece by piece, read where they are indexed, and labelled for xarray.

A store is a Zarr group (format 3) of the arrays ``time``, one a trace, ``spike_time``, ``spike_neuron`` and one a labelled axis. Its
attributes are the recording's ``info``, and ``recording``: shape, times, and the number of rows and spikes, counted once they are written.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.arrays import fetch
from izhigen.errors import RecordingError, ValueShapeError
from izhigen.moments import UNITS

Array = Any

SUFFIX = ".zarr"
CHUNK_BYTES = 1 << 21
"""Bytes of one chunk, before compression."""
CHUNK_ROWS = 16
"""Fewest rows of a chunk where rows are long, so that one neuron can be read without reading all."""
PIECE_BYTES = 1 << 25
"""Bytes of traces that are gathered between two writes."""
SERIES_CHUNK = 1 << 17
"""Values of one chunk of times, spikes or labels."""
TIME, SPIKE_TIME, SPIKE_NEURON = "time", "spike_time", "spike_neuron"
PER_NEURON = "per_neuron_"
"""Before the name of a parameter or held input in the name of its array."""


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
    spikes : bool
        Whether spikes are recorded.
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
    spikes: bool
    rows: int
    per_neuron: Mapping[str, Array] = field(default_factory=dict)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row of a trace."""
        return self.shape if self.neurons is None else (len(self.neurons),)


@dataclass(frozen=True)
class Piece:
    """Rows and spikes that follow those before: times (ms), traces by name, spike times (ms) and neurons (None where not recorded)."""

    t: Array
    traces: Mapping[str, Array]
    spike_times: Array = None
    spike_indices: Array = None


class StoredArray:
    """An array on disk: indexing reads what is asked for, as NumPy; ``np.asarray`` reads all of it. Only valid rows are seen."""

    def __init__(self, array: Any, rows: int) -> None:
        self._array = array
        self.shape: tuple[int, ...] = (min(rows, array.shape[0]), *array.shape[1:])
        self.dtype, self.chunks = array.dtype, array.chunks
        self.ndim, self.size = len(self.shape), math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        if sum(part is Ellipsis for part in keys) == 1:
            place = next(k for k, part in enumerate(keys) if part is Ellipsis)
            keys = (*keys[:place], *[slice(None)] * (self.ndim - len(keys) + 1), *keys[place + 1 :])
        first, *rest = keys
        if isinstance(first, slice):
            rows = range(self.shape[0])[first]
            if rows.step < 0:
                return self[(slice(None), *rest)][first]
            found = self._array[(slice(rows.start, max(rows.stop, rows.start), rows.step), *rest)]
        elif isinstance(first, (int, np.integer)) and not isinstance(first, bool):
            found = self._array[(range(self.shape[0])[int(first)], *rest)]
        else:
            return np.asarray(self)[key]
        return found[()] if np.ndim(found) == 0 else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("an array on disk cannot be used without copying it into memory")
        return np.asarray(self[:], dtype=dtype)

    def __repr__(self) -> str:
        return f"<array on disk, shape {self.shape}, {self.dtype}: index it, as in [:1000], to read>"


def axes_of(shape: tuple[int, ...], neurons: Array) -> dict[str, Array]:
    """The labelled axes of a trace's row: name to labels."""
    if neurons is not None:
        return {"neuron": neurons}
    if len(shape) == 1:
        return {"neuron": np.arange(shape[0])}
    return {f"axis_{k}": np.arange(length) for k, length in enumerate(shape)}


def check_new(path: Any) -> Path:
    """The path of a store to create, or an error that says why it cannot be. Nothing is written."""
    try:
        place = Path(path)
    except TypeError:
        raise ValueShapeError(f"out={path!r} is not a path such as 'run{SUFFIX}'") from None
    if place.suffix != SUFFIX:
        raise RecordingError(f"out={str(place)!r} is not the name of a Zarr store; it must end in {SUFFIX}")
    if os.path.lexists(place):
        raise RecordingError(f"{place} exists already; remove it or take another name")
    if not place.absolute().parent.is_dir():
        raise RecordingError(f"{place} cannot be written: there is no folder {place.absolute().parent}")
    _zarr()
    return place


def _zarr() -> Any:
    try:
        import zarr
    except ImportError:
        raise RecordingError(f"a recording in a {SUFFIX} store needs zarr: pip install 'izhigen[xarray]'") from None
    if int(zarr.__version__.partition(".")[0]) < 3:
        raise RecordingError(
            f"a recording in a {SUFFIX} store needs zarr 3 or newer, not {zarr.__version__}: pip install 'izhigen[xarray]'"
        )
    return zarr


class StoreWriter:
    """A new store that pieces of a recording are added to. Between two pieces, and after an error, it can be read.

    Attributes
    ----------
    path : Path
    rows : int
        Rows of a piece of whole chunks, of about :data:`PIECE_BYTES`; other pieces are written too, more slowly.

    Raises
    ------
    RecordingError
        Here and in every method, when the disk refuses; says what is safe.
    """

    def __init__(self, path: Any, header: Header) -> None:
        self.path, self._header = check_new(path), header
        row_bytes = max(
            8, sum(np.dtype(dtype).itemsize for dtype in header.traces.values()) * math.prod(header.row_shape)
        )
        most = max(1, PIECE_BYTES // row_bytes)
        chunk_rows = rows_a_chunk(header, most)
        self.rows = most // chunk_rows * chunk_rows
        self._rows = self._spikes = 0
        self._figures: tuple[str, ...] = ()
        axes = axes_of(header.shape, header.neurons)
        taken = {
            TIME,
            SPIKE_TIME,
            SPIKE_NEURON,
            "spike",
            *axes,
            *UNITS,
            *(PER_NEURON + name for name in header.per_neuron),
        }
        for name in header.traces:
            if name in taken:
                raise RecordingError(
                    f"{self.path}: {name!r} is the name of another array of the store; rename it in the model, or run without out"
                )
        with self._told():
            self.path.mkdir()
        try:
            with self._told():
                self._group = _zarr().create_group(self.path)
                self._create(axes, chunk_rows)
                self._count(header.start, interrupted=True)  # true until the run has ended well
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def _create(self, axes: Mapping[str, Array], chunk_rows: int) -> None:
        header, units = self._header, self._header.info.get("units", {})
        for name, labels in axes.items():
            self._array(name, labels.shape, (SERIES_CHUNK,), labels.dtype, (name,))[:] = labels
        self._array(TIME, (0,), (SERIES_CHUNK,), np.float64, (TIME,), units="ms")
        for name, dtype in header.traces.items():
            chunks = chunk_shape(chunk_rows, header.row_shape, np.dtype(dtype).itemsize)
            self._array(name, (0, *header.row_shape), chunks, dtype, (TIME, *axes), units=units.get(name, ""))
        for name, values in header.per_neuron.items():
            self._figure(PER_NEURON + name, fetch(values), units.get(name, ""))
        if header.spikes:
            self._array(SPIKE_TIME, (0,), (SERIES_CHUNK,), np.float64, ("spike",), units="ms")
            self._array(SPIKE_NEURON, (0,), (SERIES_CHUNK,), np.int64, ("spike",))

    def _array(
        self,
        name: str,
        shape: tuple[int, ...],
        chunks: tuple[int, ...],
        dtype: Any,
        axes: tuple[str, ...],
        **attributes: Any,
    ) -> Any:
        return self._group.create_array(
            name, shape=shape, chunks=chunks, dtype=dtype, dimension_names=axes, attributes=attributes
        )

    def _figure(self, name: str, values: Array, unit: str) -> None:
        """One value a neuron."""
        axes, chunks = axes_of(self._header.shape, self._header.neurons), chunk_shape(1, values.shape, values.itemsize)
        self._array(name, values.shape, chunks[1:], values.dtype, tuple(axes), units=unit)[:] = values

    def append(self, piece: Piece, stop: float) -> None:
        """Write a piece and count it in; ``stop`` is the time (ms) until which all is then written."""
        rows, spikes = self._rows + len(piece.t), self._spikes
        with self._told():
            if rows > self._rows:
                for name, values in {TIME: piece.t, **piece.traces}.items():
                    self._extend(name, self._rows, values)
            if piece.spike_times is not None and len(piece.spike_times):
                self._extend(SPIKE_TIME, spikes, piece.spike_times)
                self._extend(SPIKE_NEURON, spikes, piece.spike_indices)
                spikes += len(piece.spike_times)
            # Counted only now: rows of a write that failed are never taken for values.
            previous, (self._rows, self._spikes) = (self._rows, self._spikes), (rows, spikes)
            try:
                self._count(stop, interrupted=True)
            except BaseException:
                self._rows, self._spikes = previous
                raise

    def _extend(self, name: str, first: int, values: Array) -> None:
        array = self._group[name]
        array.resize((first + len(values), *array.shape[1:]))
        array[first:] = values

    def finish(self, stop: float, interrupted: bool, figures: Mapping[str, Array]) -> None:
        """Write the figures of each neuron's spikes; say until when (ms) the recording goes and whether it ended early."""
        with self._told(), warnings.catch_warnings():
            for name, values in figures.items():
                self._figure(name, values, UNITS[name])
            self._figures = tuple(figures)
            self._count(stop, interrupted)
            # xarray looks for all metadata in one place, as it writes it; zarr warns that other programs may not.
            warnings.simplefilter("ignore", UserWarning)
            _zarr().consolidate_metadata(self.path)

    def _count(self, stop: float, interrupted: bool) -> None:
        header = self._header
        self._group.attrs.put(
            {
                **header.info,
                "recording": {
                    "shape": list(header.shape),
                    "start": header.start,
                    "stop": stop,
                    "interrupted": interrupted,
                    "rows": self._rows,
                    "spikes": self._spikes,
                    "traces": list(header.traces),
                    "figures": list(self._figures),
                    "per_neuron": list(header.per_neuron),
                    "with_spikes": header.spikes,
                    "all_neurons": header.neurons is None,
                },
            }
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn an error of the disk into one that says what is safe, and cut the arrays to it."""
        try:
            yield
        except OSError as problem:
            with contextlib.suppress(OSError, AttributeError, KeyError):
                self._cut()
            safe = (
                f"its first {self._rows} rows and {self._spikes} spikes are safe"
                if self._rows or self._spikes
                else "nothing was recorded there"
            )
            raise RecordingError(f"{self.path} cannot be written: {problem}; {safe}") from problem

    def _cut(self) -> None:
        """Arrays of one length, so that other readers can open the store too."""
        for name, array in self._group.arrays():
            if name in (TIME, *self._header.traces):
                array.resize((self._rows, *array.shape[1:]))
            elif name in (SPIKE_TIME, SPIKE_NEURON):
                array.resize((self._spikes,))


def chunk_shape(rows: int, row_shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Chunks of that many rows and about :data:`CHUNK_BYTES`: whole rows where they fit, else split along the first axes."""
    room = max(1, CHUNK_BYTES // (rows * itemsize))
    lengths: list[int] = []
    for length in reversed(row_shape):
        lengths.append(max(1, min(length, room)))
        room = max(1, room // lengths[-1])
    return (rows, *reversed(lengths))


def rows_a_chunk(header: Header, most: int) -> int:
    """Rows of a chunk, at most ``most`` and no more than the run has."""
    row_bytes = max((np.dtype(dtype).itemsize for dtype in header.traces.values()), default=8) * math.prod(
        header.row_shape
    )
    return max(1, min(max(CHUNK_BYTES // max(row_bytes, 1), CHUNK_ROWS), most, header.rows))


def is_store(path: str | Path) -> bool:
    """Whether a recording of that name is a store."""
    return Path(path).suffix == SUFFIX


def read_store(path: str | Path) -> dict[str, Any]:
    """The fields of the recording in a store, its arrays as :class:`StoredArray`.

    Raises
    ------
    RecordingError
        When there is none.
    """
    zarr = _zarr()
    try:
        group = zarr.open_group(Path(path), mode="r", use_consolidated=False)
        info = dict(group.attrs)
        about = info.pop("recording")
        rows, spikes = about["rows"], about["spikes"]
        return {
            "t": StoredArray(group[TIME], rows),
            "traces": {name: StoredArray(group[name], rows) for name in about["traces"]},
            "figures": {name: group[name][:] for name in about["figures"]},
            "per_neuron": {name: group[PER_NEURON + name][:] for name in about.get("per_neuron", ())},
            "shape": tuple(about["shape"]),
            "neurons": None if about["all_neurons"] else group["neuron"][:],
            "info": info,
            "start": about["start"],
            "stop": about["stop"],
            "interrupted": about["interrupted"],
            "spike_times": StoredArray(group[SPIKE_TIME], spikes) if about["with_spikes"] else None,
            "spike_indices": StoredArray(group[SPIKE_NEURON], spikes) if about["with_spikes"] else None,
            "store": Path(path),
        }
    except (OSError, KeyError, TypeError, ValueError) as problem:
        raise RecordingError(f"{path} is not a recording that izhigen saved ({problem})") from problem
