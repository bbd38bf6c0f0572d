"""Recordings in a Zarr store, read where they are indexed.

A store is a Zarr group (format 3) of the arrays ``time``, one a trace, ``spike_time``, ``spike_neuron`` and the like of
every other event, one a labelled axis, and one a figure. Its attributes are the recording's ``info``, and
``recording``: shape, times, and the number of rows, spikes and other events that are whole. ``zarr.json`` of the group
has the metadata of every array too ("consolidated"), so one file says all, and readers see one moment.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import RecordingError, shown
from izhigen.files import Folder
from izhigen.model.events import SPIKE
from izhigen.recording.description import (
    FIGURE_TYPES,
    PER_NEURON,
    PER_NEURON_TYPES,
    TRACE_TYPES,
    Description,
    Malformed,
    as_mapping,
    check_array,
    entry,
    flag,
    lengths,
    parse_json,
    whole,
)
from izhigen.recording.events import EventList, array_names

if TYPE_CHECKING:
    from izhigen.recording.chunks import ArrayMetadata

Array = Any

METADATA = "zarr.json"
TIME, NEURON = "time", "neuron"
MOST_METADATA = 1 << 24
"""Bytes of a file of metadata."""
MOST_CHUNK = 1 << 26
"""Bytes of a chunk that is read."""
LABELS_AT_ONCE = 1 << 20
"""Values that are looked at together when a store is opened."""
_REAL, _INDEX = np.dtype(np.float64), np.dtype(np.int64)


def load_zarr() -> Any:
    """zarr, of a version that can be used."""
    try:
        import zarr
    except ImportError:
        raise RecordingError("a recording in a .zarr store needs zarr: pip install 'izhigen[xarray]'") from None
    if int(zarr.__version__.partition(".")[0]) < 3:
        raise RecordingError(
            f"a recording in a .zarr store needs zarr 3 or newer, not {zarr.__version__}: pip install 'izhigen[xarray]'"
        )
    return zarr


def axes_of(shape: tuple[int, ...], neurons: Array) -> dict[str, Any]:
    """The labelled axes of a trace's row: name to labels, a range where these count all neurons."""
    if neurons is not None:
        return {NEURON: neurons}
    if len(shape) == 1:
        return {NEURON: range(shape[0])}
    return {f"axis_{k}": range(length) for k, length in enumerate(shape)}


def name_given_twice(
    axes: Iterable[str], figures: Iterable[str], per_neuron: Iterable[str], events: Iterable[str], traces: Iterable[str]
) -> str | None:
    """A name that two arrays or axes of a store would have, where there is one."""
    seen: set[str] = set()
    of_events = (name for event in events for name in (event, *array_names(event)))
    for name in (TIME, *axes, *figures, *(PER_NEURON + name for name in per_neuron), *of_events, *traces):
        if name in seen:
            return name
        seen.add(name)
    return None


class StoredArray:
    """An array on disk: indexing reads what is asked for, ``np.asarray`` all of it. Only valid rows are seen.

    Reading raises RecordingError where a chunk is missing or broken, or values cannot be.
    """

    def __init__(self, where: str, array: Any, rows: int, check: Callable[[Array], None] | None = None) -> None:
        self._where, self._array, self._check = where, array, check
        self.shape: tuple[int, ...] = (rows, *array.shape[1:])
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
            found = self._read((slice(rows.start, max(rows.stop, rows.start), rows.step), *rest))
        elif isinstance(first, (int, np.integer)) and not isinstance(first, bool):
            found = self._read((range(self.shape[0])[int(first)], *rest))
        else:
            return np.asarray(self)[key]
        return found[()] if np.ndim(found) == 0 else found

    def _read(self, key: tuple[Any, ...]) -> Array:
        try:
            found = self._array[key]
            if self._check is not None:
                self._check(np.atleast_1d(found))
        except (OSError, RuntimeError, ValueError) as problem:  # of the disk, of the decoder, of what it decoded
            raise RecordingError(f"{self._where} cannot be read: {problem}") from problem
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("an array on disk cannot be used without copying it into memory")
        return np.asarray(self[:], dtype=dtype)

    def __repr__(self) -> str:
        return f"<array on disk, shape {self.shape}, {self.dtype}: index it, as in [:1000], to read>"


def read_store(path: Path) -> tuple[Description, dict[str, Any]]:
    """The description and the arrays of the recording in a store, named as in :class:`~izhigen.recording.Recording`.

    Only format 3 of Zarr is read, number types and codecs are those that recordings are written with, links are not
    followed, and sizes are compared before memory is taken for them. Times, labels and figures are read and looked at
    here; traces and spikes where they are indexed.

    Raises
    ------
    RecordingError
        When there is none; says what is wrong.
    """
    load_zarr()
    try:
        with Folder(path) as folder:
            return _Reader(path, folder).read()
    except MemoryError as problem:
        raise RecordingError(f"{path} does not fit in memory ({problem})") from problem
    except (OSError, ValueError) as problem:
        raise RecordingError(f"{path} is not a recording that izhigen saved ({problem})") from problem


class _Reader:
    """Reads a store whose metadata has been looked at."""

    def __init__(self, path: Path, folder: Folder) -> None:
        self._path, self._folder = path, folder
        group = self._document(METADATA)
        if group.get("zarr_format") != 3 or group.get("node_type") != "group":
            raise Malformed("it is not a group of Zarr's format 3")
        info = dict(as_mapping("'attributes'", entry(group, "attributes")))
        self._about = as_mapping("'recording'", info.pop("recording", None))
        self._description = Description.from_json(self._about, info)
        inline = group.get("consolidated_metadata")
        self._arrays = (
            None if inline is None else as_mapping("'metadata'", as_mapping("the metadata", inline).get("metadata"))
        )

    def _document(self, path: str) -> dict[str, Any]:
        content = self._folder.read(path, MOST_METADATA)
        if content is None:
            raise Malformed(f"{path} is missing")
        return as_mapping(path, parse_json(content))

    def read(self) -> tuple[Description, dict[str, Any]]:
        about, description = self._about, self._description
        rows, counts = whole(about, "rows"), self._event_counts()
        chosen = None if flag(about, "all_neurons") else self._all(NEURON, {_INDEX}, (None,), description.check_neurons)
        axes = axes_of(description.shape, chosen)
        self._check_labels(axes)
        row = description.shape if chosen is None else chosen.shape
        found: dict[str, Any] = {"neurons": chosen, "t": self._stored(TIME, {_REAL}, (rows,))}
        self._check_times(found["t"])
        events = dict.fromkeys((SPIKE, *counts))
        twice = name_given_twice(axes, FIGURE_TYPES, description.per_neuron, events, description.traces)
        if twice is not None:
            raise Malformed(f"two of its arrays have the name {shown(twice)}")
        found["traces"] = {name: self._stored(name, TRACE_TYPES, (rows, *row)) for name in description.traces}
        found["figures"] = {
            name: self._all(name, {FIGURE_TYPES[name]}, row, functools.partial(description.check_figure, name))
            for name in description.figures
        }
        found["per_neuron"] = {
            name: self._all(PER_NEURON + name, PER_NEURON_TYPES, row) for name in description.per_neuron
        }
        found["lists"] = {name: self._event_list(name, count) for name, count in counts.items()}
        return description, found

    def _event_counts(self) -> dict[str, int]:
        """How often each event is recorded, the spike first."""
        about, others = self._about, self._description.events
        spikes = whole(about, "spikes")
        counts = {SPIKE: spikes} if flag(about, "with_spikes") else {}
        given = as_mapping("'event_counts'", entry(about, "event_counts")) if others else {}
        return counts | {name: whole(given, name) for name in others}

    def _event_list(self, event: str, count: int) -> EventList:
        times, indices = array_names(event)
        in_order = functools.partial(self._description.check_times, times, before=-math.inf, strictly=False)
        known = functools.partial(self._description.check_indices, indices)
        return EventList(
            self._stored(times, {_REAL}, (count,), in_order), self._stored(indices, {_INDEX}, (count,), known)
        )

    def _check_labels(self, axes: Mapping[str, Any]) -> None:
        """Labels of all neurons count them, and are there: so no more memory is taken for them than a store has."""
        for name, labels in axes.items():
            if isinstance(labels, range):
                stored = self._stored(name, {_INDEX}, (len(labels),))
                for part in _parts(len(labels)):
                    if (stored[part] != np.arange(part.start, part.stop)).any():
                        raise Malformed(f"the labels of {shown(name)} do not count its neurons")

    def _check_times(self, times: StoredArray) -> None:
        before = -math.inf
        for part in _parts(len(times)):
            values = times[part]
            self._description.check_times(TIME, values, before, strictly=True)
            before = float(values[-1])

    def _stored(
        self, name: str, types: Any, shape: tuple[int, ...], check: Callable[[Array], None] | None = None
    ) -> StoredArray:
        """An array with at least that many rows."""
        about = self._metadata(name, types)
        if not about.shape or about.shape[0] < shape[0]:
            raise Malformed(f"array {shown(name)} has the shape {about.shape}: it lacks some of its {shape[0]} rows")
        check_array(name, (about.dtype, about.shape[1:]), types, shape[1:])
        return StoredArray(f"{self._path}: array {shown(name)}", self._open(name, about), shape[0], check)

    def _all(
        self, name: str, types: Any, shape: tuple[int | None, ...], check: Callable[[Array], None] | None = None
    ) -> Array:
        """A whole array, in memory."""
        about = self._metadata(name, types)
        wanted = about.shape if shape == (None,) and len(about.shape) == 1 else shape
        check_array(name, (about.dtype, about.shape), types, [-1 if n is None else n for n in wanted])
        if math.prod(about.shape) > self._description.count:
            raise Malformed(f"array {shown(name)} has more values than there are neurons")
        values = StoredArray(f"array {shown(name)}", self._open(name, about), about.shape[0])[:]
        if check is not None:
            check(values)
        return values

    def _open(self, name: str, about: ArrayMetadata) -> Any:
        from izhigen.recording.chunks import open_array

        old = self._description.format == 1
        return open_array(self._folder.root, name, about, zeros_left_out=old)

    def _metadata(self, name: str, types: Iterable[Any]) -> ArrayMetadata:
        """How an array lies, as its metadata says; only what recordings are written with."""
        from izhigen.recording.chunks import ArrayMetadata

        if self._arrays is None:
            document = self._document(f"{name}/{METADATA}")
        else:
            document = as_mapping(f"the metadata of array {shown(name)}", self._arrays.get(name))
        if document.get("zarr_format") != 3 or document.get("node_type") != "array":
            raise Malformed(f"array {shown(name)} is not one of Zarr's format 3")
        types = {dtype.name: dtype for dtype in types}
        data_type = document.get("data_type")
        if not isinstance(data_type, str) or data_type not in types:
            raise Malformed(
                f"array {shown(name)} has the number type {shown(data_type)}, not {' or '.join(sorted(types))}"
            )
        shape = lengths(f"the shape of {shown(name)}", document.get("shape"))
        grid = as_mapping("the chunk grid", document.get("chunk_grid"))
        chunks = lengths(
            f"the chunk of {shown(name)}", as_mapping("its configuration", grid.get("configuration")).get("chunk_shape")
        )
        about = ArrayMetadata(types[data_type], shape, chunks)
        if grid.get("name") != "regular" or len(chunks) != len(shape) or not 0 < about.chunk_bytes <= MOST_CHUNK:
            raise Malformed(f"array {shown(name)} has chunks of {shown(list(chunks))}")
        _check_codecs(name, document)
        return about


def _check_codecs(name: str, document: Mapping[str, Any]) -> None:
    """Little-endian numbers compressed by zstd, chunks as ``c/0/1``: what recordings are written with."""
    codecs = document.get("codecs")
    names = (
        [codec.get("name") if isinstance(codec, dict) else None for codec in codecs]
        if isinstance(codecs, list)
        else None
    )
    if names != ["bytes", "zstd"] or document.get("storage_transformers") not in (None, []):
        raise Malformed(f"array {shown(name)} has the codecs {shown(names)}, not bytes and zstd")
    assert isinstance(codecs, list)
    order = codecs[0].get("configuration")
    if order not in (None, {}, {"endian": "little"}):
        raise Malformed(f"array {shown(name)} has numbers stored as {shown(order)}")
    keys = document.get("chunk_key_encoding")
    if (
        not isinstance(keys, dict)
        or keys.get("name") != "default"
        or keys.get("configuration") not in (None, {}, {"separator": "/"})
    ):
        raise Malformed(f"array {shown(name)} has chunks named by {shown(keys)}")
    fill = document.get("fill_value")
    if not isinstance(fill, (bool, int, float)) or fill != 0:
        raise Malformed(f"array {shown(name)} has the fill value {shown(fill)}, not 0")


def _parts(length: int) -> Iterable[slice]:
    return (slice(first, min(first + LABELS_AT_ONCE, length)) for first in range(0, length, LABELS_AT_ONCE))


def labelled(array: StoredArray) -> Any:
    """The array as xarray takes it: read where it is indexed."""
    from xarray.backends import BackendArray
    from xarray.core import indexing

    class Lazy(BackendArray):
        def __init__(self) -> None:
            self.shape, self.dtype = array.shape, array.dtype

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(
                key, self.shape, indexing.IndexingSupport.BASIC, lambda basic: np.asarray(array[basic])
            )

    return indexing.LazilyIndexedArray(Lazy())
