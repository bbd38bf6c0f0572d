"""A sweep in a Zarr store: written piece by piece, read by xarray, and gone on with where it was broken off.

Every piece is a whole number of chunks, written before ``zarr.json`` of the group counts its sets; so what is counted
is there, whenever the process ends.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import ClusterError, RecordingError, ValueShapeError, shown
from izhigen.files import Folder, read_path, write_file
from izhigen.memory.pieces import Piece, pieces
from izhigen.recording.description import Malformed
from izhigen.recording.events import EventList, array_names
from izhigen.recording.store import chunk_shape, room, write_part
from izhigen.recording.stored import METADATA, load_zarr
from izhigen.sweeps.measures import SET_INDEX, Variable
from izhigen.sweeps.results import Coordinate, Room, check_same, finished, load_xarray
from izhigen.sweeps.sets import Sets

if TYPE_CHECKING:
    import xarray

    from izhigen.recording.chunks import ArrayMetadata

Array = Any

SUFFIX, ABOUT, LOCK = ".zarr", "sweep", ".lock"
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
    sets, coordinates, attributes
        What is written beside the values.
    key : str
        What tells one sweep from another.
    cut : (int, int)
        The dimension that is cut into pieces, and how many of its indices each has; of a store that is there, its own.

    events : tuple of str
        Events that are listed.

    Raises
    ------
    RecordingError
        Where something else is there, another process writes to it, or the disk refuses.
    """

    def __init__(
        self,
        path: Any,
        sets: Sets,
        coordinates: Mapping[str, Coordinate],
        attributes: Mapping[str, Any],
        key: str,
        cut: tuple[int, int],
        events: tuple[str, ...] = (),
    ) -> None:
        self.path, self._sets, self._attributes = _checked(path), sets, dict(attributes)
        self._coordinates = dict(coordinates)
        self._about: dict[str, Any] = {"key": key, "axis": cut[0], "length": cut[1], "done": 0, "not_finite": 0}
        self._about |= {"events": dict.fromkeys(events, 0), "interrupted": 1}
        self._arrays: dict[str, ArrayMetadata] = {}
        self._documents: dict[str, Any] = {}
        self._lock: Any = None
        if os.path.lexists(self.path) and not _is_empty(self.path):
            self._go_on(key, set(events))

    @property
    def done(self) -> int:
        """Sets that were made, in the order of runs."""
        return int(self._about["done"])

    @property
    def cut(self) -> tuple[int, int]:
        """Axis and length of the pieces that the store is cut into."""
        return int(self._about["axis"]), int(self._about["length"])

    def _go_on(self, key: str, events: set[str]) -> None:
        """Take up what is there."""
        about, documents = _read(self.path)
        if about.get("key") != key:
            raise RecordingError(
                f"{self.path} holds another sweep (another model, values, options, or version); remove it or take "
                "another name"
            )
        self._about = {name: about.get(name) for name in self._about}
        self._documents = documents
        if not self._is_sound(events):
            raise RecordingError(f"{self.path} is broken: it does not say how far the sweep came; remove it")
        self._take_lock()
        self._look_for_chunks()

    def _is_sound(self, events: set[str]) -> bool:
        """Whether what the store says of itself can be."""
        about, shape = self._about, self._sets.shape
        whole = [about[name] for name in ("axis", "length", "done", "not_finite")]
        counts = about["events"] if isinstance(about["events"], dict) else {"": None}
        if any(type(number) is not int or number < 0 for number in (*whole, *counts.values())) or set(counts) != events:
            return False
        axis, length = self.cut
        if not (self._sets.apart <= axis < len(shape) or axis == len(shape) - 1) or not 1 <= length <= shape[axis]:
            return False
        return self.done in {0, *(piece.last for piece in pieces(shape, axis, length))}

    def _look_for_chunks(self) -> None:
        """See that the pieces that are counted are there, and no link is in the way of those to come."""
        shape, (axis, length) = self._sets.shape, self.cut
        made = [piece for piece in pieces(shape, axis, length) if piece.last <= self.done]
        firsts = ["/".join(map(str, (*p.lead, p.start // length, *[0] * (len(shape) - axis - 1)))) for p in made]
        try:
            with Folder(self.path) as folder:
                for name, document in self._documents.items():
                    dims = document["dimension_names"]
                    of_sets = dims[: len(shape)] == list(self._sets.lengths) and name not in self._coordinates
                    places = firsts if of_sets else ["/".join("0" * len(dims))]
                    for place in places:
                        path = f"{name}/c/{place}{'/0' * (len(dims) - len(shape)) if of_sets else ''}"
                        folder.check(path)
                        if document["shape"][0] and self.done and not (self.path / path).is_file():
                            raise RecordingError(f"{self.path} is broken: {path} is missing; remove the store")
        except (OSError, KeyError, TypeError, IndexError) as problem:
            raise RecordingError(f"{self.path} is broken: {problem}; remove the store") from None

    def _take_lock(self) -> None:
        """Keep other processes from writing, until this one ends or the object goes."""
        from filelock import FileLock, Timeout

        self._lock = FileLock(self.path / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RecordingError(f"{self.path} is being written by another process; wait for it") from None

    # -- writing ----------------------------------------------------------------------------------------------------

    def check_room(self, needed: int) -> None:
        """Refuse what the disk has no room for, as it would be without compression."""
        left, free = needed * (1 - self.done / self._sets.count), room(self.path)
        if left > free:
            raise RecordingError(
                f"{self.path}: the result takes {left / 1e9:.3g} GB before compression, and {free / 1e9:.3g} GB are "
                "free there; trace less (every=, fewer measures), sweep less, or take another disk"
            )

    def begin(self, variables: Mapping[str, Variable], coordinates: Mapping[str, Coordinate]) -> None:
        """Describe all arrays, and write the coordinates."""
        self._coordinates |= coordinates
        arrays = {name: self._described(variable) for name, variable in variables.items()}
        for name, about in arrays.items():
            there = self._documents.get(name)
            if there is not None and there != about.document():
                raise RecordingError(
                    f"{self.path}: measure {shown(name)} has another shape or type there; remove the store"
                )
        with self._told():
            self.path.mkdir(exist_ok=True)
            if self._lock is None:
                self._take_lock()
                self._commit()  # from here on the folder is a store
            self._arrays = arrays
            for name, coordinate in self._coordinates.items():
                if coordinate.dims and coordinate.values.dtype.kind != "U":
                    self._put_coordinate(name, coordinate)

    def _described(self, variable: Variable) -> ArrayMetadata:
        """How the array of a variable lies: a piece has whole chunks."""
        from izhigen.recording.chunks import ArrayMetadata

        shape, (axis, length), extra = self._sets.shape, self.cut, tuple(variable.extra.values())
        of_sets = (*(1 for _ in shape[:axis]), length, *shape[axis + 1 :])
        rest = chunk_shape(1, extra, math.prod(of_sets) * np.dtype(variable.dtype).itemsize, CHUNK_BYTES)[1:]
        dims = (*self._sets.lengths, *variable.extra)
        dtype = np.dtype(variable.dtype)
        about = ArrayMetadata(dtype, (*shape, *extra), (*of_sets, *rest), dims, variable.unit or None)
        return replace(about, fill=math.nan)

    def _put_coordinate(self, name: str, coordinate: Coordinate) -> None:
        from izhigen.recording.chunks import ArrayMetadata

        values = coordinate.values
        about = ArrayMetadata(values.dtype, values.shape, values.shape, coordinate.dims, coordinate.unit or None)
        self._arrays[name] = about
        self._put(name, (), values)

    def put(self, piece: Piece, values: Mapping[str, Array], events: Mapping[str, EventList], not_finite: int) -> None:
        """Write a piece, and count its sets."""
        with self._told():
            for name, array in values.items():
                if array is not None:
                    put_piece(self.path, name, self._arrays[name], piece, array)
            counts = dict(self._about["events"])
            for name, found in events.items():
                counts[name] = self._add_events(name, found)
            not_finite += self._about["not_finite"]
            self._about = {**self._about, "done": piece.last, "not_finite": not_finite, "events": counts}
            self._commit()

    def room_of_others(self, variables: Mapping[str, Variable]) -> Room:
        """The store itself, where others see it."""
        return SharedStore(self.path.absolute(), {name: self._arrays[name] for name in variables}, dict(variables))

    def _put(self, name: str, key: tuple[Any, ...], values: Array) -> None:
        write_part(self.path, name, self._arrays[name], key or (slice(None),), values)

    def _add_events(self, event: str, found: EventList) -> int:
        """Write events behind those that are counted; how many there are then."""
        from izhigen.recording.chunks import ArrayMetadata

        before = int(self._about["events"].get(event, 0))
        total = before + len(found)
        for name, values, unit in (
            (array_names(event)[0], found.times, "ms"),
            (event + SET_INDEX, found.indices, None),
        ):
            self._arrays[name] = ArrayMetadata(values.dtype, (total,), (EVENTS_A_CHUNK,), (event,), unit)
            self._put(name, (slice(before, total),), values)
        return total

    def _commit(self) -> None:
        """Make the pieces that were put seen."""
        documents = {**self._documents, **{name: about.document() for name, about in self._arrays.items()}}
        text = {n: (c.dims, c.values.tolist(), c.unit) for n, c in self._coordinates.items() if n not in documents}
        about = {**self._about, "order": list(self._sets.order), "text": text, "coordinates": list(self._coordinates)}
        attributes = finished(self._attributes, self.done, self._about["not_finite"], bool(self._about["interrupted"]))
        group = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {**attributes, ABOUT: about},
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
        except (OSError, Malformed) as problem:
            raise RecordingError(
                f"{self.path} cannot be written: {problem}; its first {self.done} of {self._sets.count} sets are safe, "
                "and the same call goes on from there"
            ) from problem

    # -- reading ----------------------------------------------------------------------------------------------------

    def dataset(self, interrupted: bool) -> Any:
        """The Dataset, read where it is used."""
        if not self.done:
            raise RecordingError(f"{self.path}: the sweep was interrupted in its first piece; no set was made")
        if self._about["interrupted"] != int(interrupted):
            self._about["interrupted"] = int(interrupted)
            with self._told():
                self._commit()
        if self._lock is not None:
            self._lock.release()
        return open_sweep(self.path)


@dataclass(frozen=True)
class SharedStore:
    """A store that workers of a cluster write values to; see :class:`~izhigen.sweeps.results.Room`.

    Attributes
    ----------
    path : Path
    arrays : mapping
        How each variable lies.
    variables : mapping
    """

    path: Path
    arrays: Mapping[str, ArrayMetadata]
    variables: Mapping[str, Variable]

    def write(self, piece: Piece, variables: Mapping[str, Variable], values: Mapping[str, Array]) -> bool:
        """Write a piece, which nobody reads before it is counted."""
        check_same(variables, self.variables)
        if not (self.path / METADATA).is_file():
            raise ClusterError(f"{self.path} is not seen there; name a store in a folder that all workers share")
        try:
            for name, array in values.items():
                put_piece(self.path, name, self.arrays[name], piece, array)
        except OSError as problem:
            raise RecordingError(
                f"{self.path} cannot be written: {problem}; what was counted is safe, and the same call goes on"
            ) from problem
        return True


def put_piece(path: Path, name: str, about: ArrayMetadata, piece: Piece, values: Array) -> None:
    """Write the values of a piece, a set a row."""
    key = piece.key
    part = (piece.stop - piece.start, *about.shape[len(key) :])
    places = tuple(slice(k, k + 1) if isinstance(k, int) else k for k in key)
    write_part(path, name, about, places, values.reshape((*(1 for _ in key[:-1]), *part)))


def _is_empty(path: Path) -> bool:
    """Whether a folder has nothing in it but a lock: one that was begun, and broken off at once."""
    try:
        return not path.is_symlink() and set(os.listdir(path)) <= {LOCK}
    except OSError:
        return False


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a store says of its sweep, and of its arrays."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError), Folder(path) as folder:
        group = json.loads(folder.read(METADATA, MOST_METADATA) or b"")
        about, documents = group["attributes"][ABOUT], group["consolidated_metadata"]["metadata"]
        if isinstance(about, dict) and isinstance(documents, dict):
            return about, documents
    raise RecordingError(f"{path} exists already, and is no sweep; remove it or take another name")


def open_sweep(path: Any) -> xarray.Dataset:
    """The xarray Dataset of a sweep in a store, read where it is used.

    Raises
    ------
    RecordingError
        Where there is none.
    """
    library, place = load_xarray(), _checked(path)
    if not os.path.lexists(place):
        raise RecordingError(f"{place} does not exist")
    about, _ = _read(place)
    try:
        found: Any = library.open_zarr(place, chunks=None)
        found.attrs.pop(ABOUT, None)
        for name, (dims, values, unit) in about["text"].items():
            found = found.assign_coords({name: (tuple(dims), values, {"units": unit} if unit else {})})
        found = found.set_coords([name for name in about["coordinates"] if name in found])
        whole: xarray.Dataset = found.transpose(*about["order"], ...)
        return whole
    except Exception as problem:  # of zarr and xarray, which raise many kinds
        raise RecordingError(f"{place} cannot be read as a sweep: {problem}") from problem


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
