"""Arrays cut into pieces that are boxes and, flat, ranges: so that a piece is a part of both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Piece:
    """One index of each of the first dimensions (``lead``), ``start`` to ``stop`` along the next one, and all of those
    behind; ``first`` to ``last`` are its flat indices.
    """

    lead: tuple[int, ...]
    start: int
    stop: int
    first: int
    last: int

    @property
    def key(self) -> tuple[Any, ...]:
        """The piece's part of the whole array."""
        return (*self.lead, slice(self.start, self.stop))

    @property
    def count(self) -> int:
        """Its elements."""
        return self.last - self.first


def cut_of(shape: Sequence[int], most: int, apart: int = 0) -> tuple[int, int]:
    """How an array is cut into pieces of about ``most`` elements: the dimension that is cut, and how many of its
    indices a piece has. It has one index of each dimension before, and all of those behind. The first ``apart``
    dimensions have one index a piece.
    """
    if apart == len(shape):
        return len(shape) - 1, 1
    axis = next((k for k in range(apart, len(shape)) if math.prod(shape[k + 1 :]) <= most), len(shape) - 1)
    length = max(1, min(shape[axis], most // math.prod(shape[axis + 1 :])))
    return axis, -(-shape[axis] // -(-shape[axis] // length))  # as even as can be


def pieces(shape: Sequence[int], axis: int, length: int) -> Iterator[Piece]:
    """The pieces of a cut, in order."""
    rest = math.prod(shape[axis + 1 :])
    for lead in np.ndindex(*shape[:axis]):
        before = int(np.ravel_multi_index(lead, shape[:axis])) * shape[axis] if lead else 0
        for start in range(0, shape[axis], length):
            stop = min(start + length, shape[axis])
            yield Piece(lead, start, stop, (before + start) * rest, (before + stop) * rest)
