"""A sweep in a Zarr store: written piece by piece, read by xarray, and gone on with where it was broken off.

Every piece is a whole number of chunks, written before ``zarr.json`` of the group counts its sets; so what is counted
is there, whenever the process ends.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import RecordingError, ValueShapeError, shown
from izhigen.files import read_path, write_file
from izhigen.recording.events import EventList, array_names
from izhigen.recording.stored import METADATA, load_zarr
from izhigen.sweeps.measures import TIME, Variable
from izhigen.sweeps.results import EVENT_SET, finished, in_order, load_xarray, result_bytes
from izhigen.sweeps.sets import Place, Sets

if TYPE_CHECKING:
    from izhigen.recording.chunks import ArrayMetadata

Array = Any

SUFFIX, ABOUT, LABELS = ".zarr", "sweep", "labels"
CHUNK_BYTES = 1 << 23
"""Bytes of a chunk before compression, about; a piece has one for each variable without a time."""
EVENTS_A_CHUNK = 1 << 17
MOST_METADATA = 1 << 26


class InStore:
    """A store on disk; see :class:`~izhigen.sweeps.results.Results`.

    Parameters
    ----------
    path : path
        Of a new store, or of one that this very sweep was broken off in.
    key : str
        What tells one sweep from another.
    cut : (int, int)
        The dimension that is cut into pieces, and how many of its indices each has; of a store that is there, its own.

    Raises
    ------
    RecordingError
        Where something else is there, or the disk refuses.
    """

    def __init__(self, path: Any, sets: Sets, attributes: Mapping[str, Any], key: str, cut: tuple[int, int]) -> None:
        self.path, self._sets, self._attributes = _checked(path), sets, dict(attributes)
        self._about: dict[str, Any] = {"key": key, "axis": cut[0], "length": cut[1], "done": 0, "not_finite": 0}
        self._about |= {"events": {}, "interrupted": 1}
        self._arrays: dict[str, ArrayMetadata] = {}
        self._documents: dict[str, Any] = {}
        self._is_known = False
        if os.path.lexists(self.path):
            self._go_on(key)

    @property
    def done(self) -> int:
        """Sets that were made, in flat order."""
        return int(self._about["done"])

    @property
    def cut(self) -> tuple[int, int]:
        """Axis and length of the pieces that the store is cut into."""
        return int(self._about["axis"]), int(self._about["length"])

    def _go_on(self, key: str) -> None:
        """Take up what is there."""
        other = RecordingError(f"{self.path} exists already; remove it or take another name")
        try:
            content = (self.path / METADATA).read_bytes()[:MOST_METADATA]
            group = json.loads(content)
            about, documents = group["attributes"][ABOUT], group["consolidated_metadata"]["metadata"]
            known = {**self._about, **{name: about[name] for name in self._about}}
        except (OSError, ValueError, KeyError, TypeError):
            raise other from None
        if known["key"] != key:
            raise RecordingError(
                f"{self.path} holds another sweep (another model, values, options, or version); remove it or take "
                "another name"
            )
        self._about, self._documents = known, documents

    # -- writing ----------------------------------------------------------------------------------------------------

    def check_room(self, needed: int) -> None:
        """Refuse what the disk has no room for, as it would be without compression."""
        try:
            free = shutil.disk_usage(self.path.absolute().parent).free
        except OSError:
            return
        left = needed * (1 - self.done / self._sets.count)
        if left > free:
            raise RecordingError(
                f"{self.path}: the result takes {left / 1e9:.3g} GB before compression, and {free / 1e9:.3g} GB are "
                "free there; trace less (every=, fewer measures), sweep less, or take another disk"
            )

    def begin(self, variables: Mapping[str, Variable], time: Array) -> None:
        """Describe all arrays, and write the coordinates."""
        from izhigen.recording.chunks import ArrayMetadata

        if self._is_known:
            return
        self.check_room(result_bytes(self._sets, variables))
        dims, shape = tuple(self._sets.lengths), self._sets.shape
        axis, length = self.cut
        of_sets = (*(1 for _ in shape[:axis]), length, *shape[axis + 1 :])
        for name, variable in variables.items():
            extra = tuple(variable.extra.values())
            chunk = (*of_sets, *_extra_chunks(extra, math.prod(of_sets) * np.dtype(variable.dtype).itemsize))
            about = ArrayMetadata(np.dtype(variable.dtype), (*shape, *extra), chunk, (*dims, *variable.extra))
            self._arrays[name] = replace(about, units=variable.unit or None, fill=variable.fill)
        coordinates = dict(self._sets.coordinates)
        if any(TIME in variable.extra for variable in variables.values()):
            coordinates[TIME] = (TIME, time)
        with self._told():
            self.path.mkdir(exist_ok=True)
            for name, (dim, labels) in coordinates.items():
                values = np.arange(len(labels)) if labels.dtype.kind == "U" else labels
                unit = "ms" if name == TIME else self._sets.units.get(name) or None
                self._arrays[name] = ArrayMetadata(values.dtype, values.shape, values.shape, (dim,), unit)
                self._put(name, (), values)
        self._is_known = True

    def put(self, place: Place, values: Mapping[str, Array], events: Mapping[str, EventList], not_finite: int) -> None:
        """Write a piece, and count its sets."""
        with self._told():
            for name, array in values.items():
                key, shape = place.key, self._arrays[name].shape
                part = (place.stop - place.start, *shape[len(key) :])
                self._put(name, key, array.reshape((*(1 for _ in key[:-1]), *part)))
            for name, found in events.items():
                self._add_events(name, in_order(found))
            self._about = {**self._about, "done": place.last, "not_finite": self._about["not_finite"] + not_finite}
            self._commit()

    def _put(self, name: str, key: tuple[Any, ...], values: Array) -> None:
        from izhigen.recording.chunks import open_array

        if values.size:
            whole = tuple(slice(k, k + 1) if isinstance(k, int) else k for k in key)
            open_array(self.path, name, self._arrays[name], writable=True)[whole or slice(None)] = values

    def _add_events(self, event: str, found: EventList) -> None:
        from izhigen.recording.chunks import ArrayMetadata

        before = int(self._about["events"].get(event, 0))
        total = before + len(found)
        times, _ = array_names(event)
        for name, values, unit in ((times, found.times, "ms"), (f"{event}_{EVENT_SET}", found.indices, None)):
            about = ArrayMetadata(np.asarray(values).dtype, (total,), (EVENTS_A_CHUNK,), (event,), unit)
            self._arrays[name] = about
            self._put(name, (slice(before, total),), np.asarray(values))
        self._about["events"] = {**self._about["events"], event: total}

    def _commit(self) -> None:
        """Make the pieces that were put seen."""
        documents = {**self._documents, **{name: about.document() for name, about in self._arrays.items()}}
        for name, (_, labels) in self._sets.coordinates.items():
            if labels.dtype.kind == "U":
                documents[name]["attributes"] = {**documents[name]["attributes"], LABELS: labels.tolist()}
        attributes = finished(self._attributes, self.done, self._about["not_finite"], bool(self._about["interrupted"]))
        group = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {**attributes, ABOUT: self._about},
            "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": documents},
        }
        for name, document in documents.items():
            if document != self._documents.get(name):
                (self.path / name).mkdir(exist_ok=True)
                write_file(self.path / name / METADATA, json.dumps(document).encode(), durable=False)
        write_file(self.path / METADATA, json.dumps(group).encode(), durable=False)
        self._documents = documents

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise RecordingError(
                f"{self.path} cannot be written: {problem}; its first {self.done} of {self._sets.count} sets are safe, "
                "and the same call goes on from there"
            ) from problem

    # -- reading ----------------------------------------------------------------------------------------------------

    def dataset(self, interrupted: bool) -> Any:
        """The Dataset, read where it is used."""
        if self.done or self._is_known:
            self._about["interrupted"] = int(interrupted)
            with self._told():
                self._commit()
        else:
            raise RecordingError(f"{self.path}: the sweep was interrupted before its first piece; nothing was written")
        return open_sweep(self.path)


def open_sweep(path: Any) -> Any:
    """The Dataset of a sweep in a store, read where it is used.

    Raises
    ------
    RecordingError
        Where there is none.
    """
    xarray, place = load_xarray(), Path(path)
    load_zarr()
    try:
        found = xarray.open_zarr(place, chunks=None)
    except Exception as problem:  # of zarr and xarray, which raise many kinds
        raise RecordingError(f"{place} cannot be read as a sweep: {problem}") from problem
    found.attrs.pop(ABOUT, None)
    for name in [name for name in found.coords if LABELS in found[name].attrs]:
        attributes = dict(found[name].attrs)
        found = found.assign_coords({name: (found[name].dims, attributes.pop(LABELS), attributes)})
    return found


def _checked(path: Any) -> Path:
    """The path of a store."""
    try:
        place = read_path(path, f"sweep{SUFFIX}")
    except ValueShapeError:
        raise ValueShapeError(f"out={shown(path)} is not a path such as 'sweep{SUFFIX}'") from None
    if place.suffix.lower() != SUFFIX:
        raise RecordingError(f"out='{place}': a sweep is written to a Zarr store, whose name ends in {SUFFIX}")
    if not place.absolute().parent.is_dir():
        raise RecordingError(f"{place} cannot be written: there is no folder {place.absolute().parent}")
    load_zarr()
    load_xarray()
    return place


def _extra_chunks(extra: tuple[int, ...], row_bytes: int) -> tuple[int, ...]:
    """How the dimensions behind those of the sets are cut, for chunks of about :data:`CHUNK_BYTES`."""
    room, lengths = max(1, CHUNK_BYTES // max(row_bytes, 1)), list[int]()
    for length in reversed(extra):
        lengths.append(max(1, min(length, room)))
        room = max(1, room // lengths[-1])
    return tuple(reversed(lengths))
