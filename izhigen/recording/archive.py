"""Recordings in a NumPy archive (``.npz``): a zip file of ``.npy`` members; ``meta`` is the description as JSON."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.errors import RecordingError, shown
from izhigen.files import replacing
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
    parse_json,
)
from izhigen.recording.events import EventList

Array = Any

PIECE = 1 << 20
"""Bytes read and written at once."""
SAMPLES, SAMPLE_BYTES = 4, 1 << 14
"""Parts of an array that are compressed to see whether that is worth the time."""
WORTH = 0.6
"""Compressed size that is, as a fraction.

Voltages that move take 0.82 at 45 MB/s, spike times 0.17, a state at rest 0.01.
"""
MOST_META = 1 << 26
"""Bytes of the description."""
MOST_RATIO = 1032
"""How far the deflate format can compress: a member of a zip file says its size, and may say terabytes."""
_HEADER = re.compile(
    r"\{'descr': '([<>|=]?[a-zA-Z]\d*)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n"
)
_TIME, _INDEX = np.dtype(np.float64), np.dtype(np.int64)
_TYPES = {dtype.str.lstrip("<>|="): dtype for dtype in TRACE_TYPES}
"""Number types by their name in a header, without the order of bytes."""
_FIXED = ("t", "neurons", "spike_times", "spike_indices")
_PREFIXES = ("trace_", "figure_", PER_NEURON, "event_")


_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, NotImplementedError, IndexError)
"""What reading a broken zip file raises, beside OSError and ValueError."""


def event_arrays(event: str) -> tuple[str, str]:
    """Names of the arrays of an event's times and neurons."""
    prefix = event if event == SPIKE else f"event_{event}"
    return f"{prefix}_times", f"{prefix}_indices"


# -- writing ----------------------------------------------------------------------------------------------------------


def write_archive(path: Path, description: Description, arrays: Mapping[str, Array]) -> None:
    """Write an archive in the place of the file that is there, whole or not at all.

    The same recording gives the same bytes.

    Raises
    ------
    OSError
        When the disk refuses; the file that was there is as it was.
    """
    meta = np.array(json.dumps({"info": dict(description.info), **description.to_json()}))
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, values in {**arrays, "meta": meta}.items():
            _write_member(archive, name, np.asarray(values))


def _write_member(archive: zipfile.ZipFile, name: str, values: np.ndarray) -> None:
    values = np.asarray(values, order="C")
    member = zipfile.ZipInfo(f"{name}.npy")
    content = values.reshape(-1).view(np.uint8).data if values.size else memoryview(b"")
    member.compress_type = zipfile.ZIP_DEFLATED if _is_compressible(content) else zipfile.ZIP_STORED
    member._compresslevel = 1  # type: ignore[attr-defined]
    member.external_attr = 0o600 << 16
    with archive.open(member, "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(values))
        for first in range(0, len(content), PIECE):
            file.write(content[first : first + PIECE])


def _is_compressible(content: memoryview) -> bool:
    """Whether parts of the content, evenly spread, become much smaller."""
    stride = max(1, len(content) // SAMPLES)
    sample = b"".join(content[first : first + SAMPLE_BYTES] for first in range(0, len(content), stride))
    return len(zlib.compress(sample, 1)) < WORTH * len(sample)


# -- reading ----------------------------------------------------------------------------------------------------------


def read_archive(path: Path) -> tuple[Description, dict[str, Array]]:
    """The description and the arrays of a recording, by their names in :class:`~izhigen.recording.Recording`.

    Nothing in the file is executed or believed: sizes are compared before memory is taken for them, number types and
    shapes with the description, times and indices with the run.

    Raises
    ------
    RecordingError
        When there is no such file, or it is not a recording; says what is wrong with it.
    """
    try:
        with open(path, "rb", opener=_open_file) as file, zipfile.ZipFile(file) as archive:
            return _Reader(archive, os.fstat(file.fileno()).st_size).read()
    except MemoryError as problem:
        raise RecordingError(f"{path} does not fit in memory ({problem})") from problem
    except (*_ZIP_ERRORS, OSError, ValueError) as problem:
        raise RecordingError(
            f"{path} is not a recording that izhigen saved ({problem or 'it ends too early'})"
        ) from problem


def _open_file(path: str, flags: int) -> int:
    """Open a file, and nothing that a read could wait for, such as a pipe."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Malformed("it is not a file")
    return descriptor


class _Reader:
    """Reads an archive of which only the sizes have been looked at."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        self._members: dict[str, zipfile.ZipInfo] = {}
        members = archive.infolist()
        if sum(member.compress_size for member in members) > size:
            raise Malformed("its members overlap")
        for member in members:
            self._members[self._name(member)] = member

    def _name(self, member: zipfile.ZipInfo) -> str:
        name = member.filename.removesuffix(".npy")
        known = name in (*_FIXED, "meta") or name.startswith(_PREFIXES)
        if not known or name == member.filename:
            raise Malformed(f"{shown(member.filename)} is no array of a recording")
        if name in self._members:
            raise Malformed(f"array {shown(name)} is there twice")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
            raise Malformed(f"array {shown(name)} is encrypted, or compressed in a way that recordings are not")
        ratio = 1 if member.compress_type == zipfile.ZIP_STORED else MOST_RATIO
        if member.file_size > ratio * member.compress_size:
            raise Malformed(f"array {shown(name)} says that it is larger than it can be")
        return name

    def read(self) -> tuple[Description, dict[str, Array]]:
        meta = as_mapping("the description", parse_json(self._text("meta")))
        description = Description.from_json(meta, entry(meta, "info"))
        return description, self._arrays(description)

    def _text(self, name: str) -> str:
        member = self._member(name)
        if member.file_size > MOST_META:
            raise Malformed(f"array {shown(name)} is too large")
        with self._archive.open(member) as file:
            descr, _, shape = _header(name, file)
            if not re.fullmatch(r"[<>]U\d{1,9}", descr) or shape:
                raise Malformed(f"array {shown(name)} is not a text")
            codec = "utf-32-le" if descr[0] == "<" else "utf-32-be"
            return file.read().decode(codec).rstrip("\0")

    def _member(self, name: str) -> zipfile.ZipInfo:
        if name not in self._members:
            raise Malformed(f"array {shown(name)} is missing")
        return self._members[name]

    def _arrays(self, about: Description) -> dict[str, Array]:
        """Every array that the description names, each checked."""
        chosen = "neurons" in self._members
        found: dict[str, Array] = {"t": self._array("t", {_TIME}, (None,)), "neurons": None}
        about.check_times("t", found["t"], -math.inf, strictly=True)
        if chosen:
            found["neurons"] = self._array("neurons", {_INDEX}, (None,))
            about.check_neurons(found["neurons"])
        row = (len(found["neurons"]),) if chosen else about.shape
        found["traces"] = {n: self._array(f"trace_{n}", TRACE_TYPES, (len(found["t"]), *row)) for n in about.traces}
        found["figures"] = {n: self._array(f"figure_{n}", {FIGURE_TYPES[n]}, row) for n in about.figures}
        for name, values in found["figures"].items():
            about.check_figure(name, values)
        found["per_neuron"] = {n: self._array(PER_NEURON + n, PER_NEURON_TYPES, row) for n in about.per_neuron}
        with_spikes = not self._members.keys().isdisjoint(event_arrays(SPIKE))
        events = (*([SPIKE] if with_spikes else []), *about.events)
        found["lists"] = {event: self._event_list(about, event) for event in events}
        return found

    def _event_list(self, about: Description, event: str) -> EventList:
        name, other = event_arrays(event)
        times = self._array(name, {_TIME}, (None,))
        indices = self._array(other, {_INDEX}, times.shape)
        about.check_times(name, times, -math.inf, strictly=False)
        about.check_indices(other, indices)
        return EventList(times, indices)

    def _array(self, name: str, types: Any, wanted: tuple[int | None, ...]) -> Array:
        """An array of one of the types and of that shape (None: any length)."""
        member = self._member(name)
        with self._archive.open(member) as file:
            descr, by_columns, shape = _header(name, file)
            given = _TYPES.get(descr.lstrip("<>|="))
            if given is None:
                raise Malformed(f"array {shown(name)} has the number type {descr}, which recordings do not have")
            given = given.newbyteorder(">") if descr[0] == ">" else given
            if len(shape) == len(wanted):
                wanted = tuple(have if want is None else want for have, want in zip(shape, wanted))
            check_array(name, (given.newbyteorder("="), shape), types, [-1 if n is None else n for n in wanted])
            size = math.prod(shape) * given.itemsize
            if member.file_size - file.tell() != size:
                raise Malformed(f"array {shown(name)} has {member.file_size - file.tell()} bytes, not {size}")
            values = np.empty(math.prod(shape), given)
            _fill(name, file, values.view(np.uint8).data)
        values = values.astype(given.newbyteorder("="), copy=False)
        return values.reshape(shape, order="F" if by_columns else "C")


def _header(name: str, file: Any) -> tuple[str, bool, tuple[int, ...]]:
    """Number type, whether the first index varies fastest, and shape of a ``.npy`` member.

    They are read as NumPy writes them, and not otherwise.
    """
    start = file.read(10)
    if start[:8] != b"\x93NUMPY\x01\x00" or len(start) < 10:
        raise Malformed(f"array {shown(name)} is not in NumPy's format 1.0")
    text = file.read(int.from_bytes(start[8:], "little")).decode("latin1")
    match = _HEADER.fullmatch(text) if len(text) < 4096 else None
    if match is None:
        raise Malformed(f"array {shown(name)} has a header that recordings do not have: {shown(text)}")
    shape = tuple(int(length) for length in re.findall(r"\d+", match[3]))
    if any(length >= 2**63 for length in shape) or len(shape) > 64:
        raise Malformed(f"array {shown(name)} has the shape {shown(shape)}")
    return match[1], match[2] == "True", shape


def _fill(name: str, file: Any, room: memoryview) -> None:
    """Read as many bytes as there is room for; none may follow, as only at the end zipfile compares the checksum."""
    first = 0
    while first < len(room):
        got = file.readinto(room[first : first + PIECE])
        if not got:
            raise Malformed(f"array {shown(name)} ends too early")
        first += got
    if file.read(1):
        raise Malformed(f"array {shown(name)} goes on after its end")
