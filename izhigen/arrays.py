"""Arrays that begin on a cache line."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
LINE = 64
"""Bytes of a cache line."""


def aligned_zeros(count: int, dtype: Any) -> Array:
    """Zeros that begin on a cache line, so that threads share none and vectors do not straddle two."""
    size = count * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start:start + size].view(dtype)


def aligned(values: Array) -> Array:
    """A contiguous array that begins on a cache line: the same one where it does already."""
    if values.ctypes.data % LINE == 0:
        return values
    copy = aligned_zeros(values.size, values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
