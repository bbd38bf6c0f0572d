"""Where a population's arrays lie: in the memory of the host, or in that of a device."""

from __future__ import annotations

import itertools
import math
import os
import sys
from contextlib import nullcontext
from typing import Any, Protocol

import numpy as np

from izhigen.errors import BackendError, ValueShapeError

Array = Any
LINE, PAGE = 64, 4096
"""Bytes of a cache line and of a page."""
_turns = itertools.count()


class Space(Protocol):
    """A memory that holds a population's arrays."""

    def use(self) -> Any:
        """A context in which arithmetic with arrays that lie here is done here."""
        ...

    def zeros(self, count: int, dtype: Any) -> Array:
        """A new array of one zero a neuron."""
        ...

    def rows(self, count: int, neurons: Array | None, n: int, dtype: Any) -> Array:
        """Room for rows of the chosen neurons (ascending indices; None for all n), shape (count, neurons)."""
        ...

    def send(self, values: np.ndarray) -> Array:
        """A contiguous array of the host as one that lies here."""
        ...

    def adopt(self, value: Any) -> Array | None:
        """An array of another library that lies here already as one of ours, without a copy; None for anything else."""
        ...

    def write(self, array: Array, values: Any) -> None:
        """Fill an array with a number, or with an array of its shape from here or from the host."""
        ...

    def gather(self, array: Array) -> Array:
        """An array in one piece, here or, where no memory here could hold it, on the host."""
        ...


class HostSpace:
    """The memory of the process; see :class:`Space`."""

    def use(self) -> Any:
        """Nothing to choose."""
        return ANYWHERE

    def zeros(self, count: int, dtype: Any) -> Array:
        """Zeros that begin on a cache line."""
        return aligned_zeros(count, dtype)

    def rows(self, count: int, neurons: Array | None, n: int, dtype: Any) -> Array:
        """An empty array."""
        return np.empty((count, n if neurons is None else len(neurons)), dtype)

    def send(self, values: np.ndarray) -> Array:
        """The array itself."""
        return values

    def adopt(self, value: Any) -> Array | None:
        """None: NumPy reads what lies here by itself. An array of a device is refused."""
        if hasattr(value, "__cuda_array_interface__"):
            raise BackendError(
                "an array lies on a CUDA device, the population on the host; bring it over, as CuPy's .get() does, "
                "or take backend='cuda'"
            )
        return None

    def write(self, array: Array, values: Any) -> None:
        """Assign."""
        array[...] = values

    def gather(self, array: Array) -> Array:
        """The array itself."""
        return array


ANYWHERE = nullcontext()
HOST = HostSpace()


def namespace(array: Array) -> Any:
    """The module whose functions take the array: CuPy for one of its own, else NumPy."""
    return sys.modules["cupy"] if is_on_device(array) else np


def is_on_device(array: Any) -> bool:
    """Whether an array lies on one device."""
    return hasattr(array, "get") and hasattr(array, "device")


def is_on_cluster(array: Any) -> bool:
    """Whether an array is one of Dask, whose blocks lie on a cluster."""
    return hasattr(array, "__dask_graph__")


def within_reach(array: Array) -> Array:
    """An array that can be computed with where it lies; one on a cluster is brought here."""
    return fetch(array) if is_on_cluster(array) else array


def beside(array: Array) -> Any:
    """A context in which the device of an array, where it lies on one, is the current one."""
    return array.device if is_on_device(array) else ANYWHERE


def fetch(array: Array) -> np.ndarray:
    """An array on the host: the same one where it lies there already.

    Else it is a copy made after all work on the stream of the array's device, or one of its blocks on a cluster.

    CuPy's ``get`` alone copies on the stream of the device that is current, which knows nothing of work on another.
    """
    if isinstance(array, (np.ndarray, np.generic)):
        return np.asarray(array)
    if is_on_cluster(array):
        return np.asarray(array.compute())
    with beside(array):
        return np.asarray(array.get())


def on_host(value: float | Array) -> float | Array:
    """A value for all neurons as it is, one a neuron as :func:`fetch` gives it."""
    return value if isinstance(value, (int, float)) else fetch(value)


def free_bytes() -> float:
    """Bytes of memory that are free, and those that the system would free; infinite where it does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = dict(line.split(":", 1) for line in file)
        return 1024.0 * int(found["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))
    except (OSError, ValueError, AttributeError):
        return math.inf


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape of a value, wherever it lies."""
    return tuple(value.shape) if hasattr(value, "shape") else np.shape(value)


def refuse_gradient(what: str, value: Any) -> None:
    """Raise ValueShapeError for a tensor of PyTorch that a gradient is to pass through."""
    if getattr(value, "requires_grad", False) is True:
        raise ValueShapeError(
            f"{what}: the tensor requires a gradient, and none passes through a population; take izhigen.torch.Layer, "
            "through which one does, or give tensor.detach()"
        )


def refuse_masked(what: str, value: Any) -> None:
    """Raise ValueShapeError where a value, or one within lists, is an array of which some numbers are masked."""
    if isinstance(value, (list, tuple)):
        for part in value:
            if not isinstance(part, (float, int)):
                refuse_masked(what, part)
    elif np.ma.is_masked(value):
        raise ValueShapeError(f"{what}: some of its numbers are masked; fill them in, as values.filled(0.0) does")


def aligned_zeros(count: int, dtype: Any) -> Array:
    """Zeros that begin on a cache line, so that threads share none and vectors do not straddle two.

    Arrays that are longer than a page begin at its quarters in turn: a processor tells a load from the stores before it
    by the place within a page first, and a kernel reads and writes several arrays at the same index.
    """
    size = count * np.dtype(dtype).itemsize
    unit, place = (PAGE, next(_turns) % 4 * PAGE // 4) if size > PAGE else (LINE, 0)
    room = np.zeros(size + unit, np.uint8)
    start = (place - room.ctypes.data) % unit
    return room[start : start + size].view(dtype)


def aligned(values: Array) -> Array:
    """A contiguous array that begins on a cache line: the same one where it does already."""
    if values.ctypes.data % LINE == 0:
        return values
    copy = aligned_zeros(values.size, values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
