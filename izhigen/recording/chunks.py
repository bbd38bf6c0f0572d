"""Arrays of a store on disk: Zarr's arrays over files that are written whole, and looked at before they are read.

zarr is imported with this module, so it is loaded where a store is first used. It never sees metadata or a file of a
store that was not checked: a document is made anew from what :class:`ArrayMetadata` says, and a chunk is a regular file
of the store that says its true size.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.storage import StorePath

from izhigen.files import Folder, write_file
from izhigen.recording.description import Malformed

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class ArrayMetadata:
    """How an array lies on disk.

    Attributes
    ----------
    dtype : numpy.dtype
    shape, chunks : tuple of int
        Of the array, and of each of its chunks.
    axes : tuple of str
        Names of its axes.
    units : str, optional
        Of its values; None where there is no such attribute.
    """

    dtype: Any
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    axes: tuple[str, ...] = ()
    units: str | None = None
    fill: float | int | None = None

    @property
    def _fill_value(self) -> bool | float | int | str:
        """As Zarr's metadata has it."""
        if self.fill is None or self.dtype.kind == "b":
            return False if self.dtype.kind == "b" else 0.0 if self.dtype.kind == "f" else 0
        return "NaN" if math.isnan(self.fill) else self.fill

    @property
    def chunk_bytes(self) -> int:
        """Bytes of one chunk before compression."""
        return math.prod(self.chunks) * int(self.dtype.itemsize)

    def document(self) -> dict[str, Any]:
        """Zarr's metadata (format 3). Chunks have a checksum."""
        order = {"configuration": {"endian": "little"}} if self.dtype.itemsize > 1 else {}
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunks)}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": self._fill_value,
            "codecs": [{"name": "bytes", **order}, {"name": "zstd", "configuration": {"level": 0, "checksum": True}}],
            "attributes": {} if self.units is None else {"units": self.units},
            "dimension_names": list(self.axes) or None,
            "storage_transformers": [],
        }


def open_array(
    folder: Path, name: str, about: ArrayMetadata, *, writable: bool = False, zeros_left_out: bool = False
) -> Any:
    """The Zarr array of that name in a store; nothing is read.

    Reading a chunk that is missing (unless ``zeros_left_out``) or broken raises
    :class:`~izhigen.recording.description.Malformed`.
    """
    store = _Chunks(folder, name, about.chunk_bytes, zeros_left_out, read_only=not writable)
    metadata: Any = about.document()
    return zarr.Array(zarr.AsyncArray(metadata, StorePath(store), {"write_empty_chunks": True}))


class _Chunks(Store):
    """The chunks of one array, by their keys (``"c/0/1"``)."""

    supports_writes = supports_deletes = True
    supports_listing = supports_partial_writes = False

    def __init__(self, folder: Path, name: str, chunk_bytes: int, zeros_left_out: bool, *, read_only: bool) -> None:
        super().__init__(read_only=read_only)
        self._folder, self._name, self._chunk_bytes, self._zeros_left_out = folder, name, chunk_bytes, zeros_left_out

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Chunks) and (self._folder, self._name) == (other._folder, other._name)

    def __hash__(self) -> int:
        return hash((self._folder, self._name))

    def __str__(self) -> str:
        return f"file://{(self._folder / self._name).as_posix()}"

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        content = await asyncio.to_thread(self._read, key)
        return None if content is None else prototype.buffer.from_bytes(content)

    def _read(self, key: str) -> bytes | None:
        most = self._chunk_bytes + self._chunk_bytes // 128 + 512  # zstd adds less where it cannot compress
        with Folder(self._folder) as folder:
            content = folder.read(f"{self._name}/{key}", most)
        if content is None:
            if self._zeros_left_out:
                return None
            raise Malformed(f"chunk {key} is missing")
        if content_size(content) != self._chunk_bytes:
            raise Malformed(f"chunk {key} does not hold {self._chunk_bytes} bytes")
        return content

    async def set(self, key: str, value: Any) -> None:
        self._check_writable()
        await asyncio.to_thread(self._write, key, value.as_numpy_array())

    def _write(self, key: str, content: np.ndarray) -> None:
        path = self._folder / self._name / key
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, content.data, durable=False)

    # What no array asks of the chunks that it knows.

    async def exists(self, key: str) -> bool:
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        raise NotImplementedError

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> Any:
        raise NotImplementedError

    async def set_partial_values(self, key_start_values: Any) -> None:
        raise NotImplementedError

    def list(self) -> Any:
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> Any:
        raise NotImplementedError

    def list_dir(self, prefix: str) -> Any:
        raise NotImplementedError


def content_size(frame: bytes) -> int | None:
    """Bytes that a zstd frame says it holds (RFC 8878, 3.1.1.1); None for what is none or does not say.

    The decoder takes as much memory before it looks at the rest.
    """
    if frame[:4] != ZSTD_MAGIC or len(frame) < 6:
        return None
    flags, place = frame[4], 5
    alone = flags >> 5 & 1
    place += (0 if alone else 1) + (0, 1, 2, 4)[flags & 3]
    length = (alone, 2, 4, 8)[flags >> 6]
    if not length:
        return None
    return int.from_bytes(frame[place : place + length], "little") + (256 if length == 2 else 0)
