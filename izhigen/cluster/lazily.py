"""Arrays of a whole population, as Dask arrays whose blocks lie with the shards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dask.array as da
import numpy as np
from dask.delayed import delayed as make_delayed

from izhigen.errors import ValueShapeError
from izhigen.memory.pieces import Piece, pieces
from izhigen.memory.space import refuse_masked

Array = Any
Delayed = Any


class ClusterArray(da.Array):  # type: ignore[misc]
    """What lies with the shards, as it was when it was asked for: it changes neither with the population nor by itself.
    Its values come by the population's own client, whichever is the current one; those of arrays that are computed from
    it, by the current one.
    """

    __slots__ = ("_own_client",)

    def compute(self, **options: Any) -> Any:
        """The values, in memory."""
        with self._own_client.as_current():
            return super().compute(**options)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise ValueShapeError(
            "a population on a cluster gives copies of its arrays: assign a whole one, as in pop.V = values"
        )


class Grid:
    """How an array of one value a neuron is cut into blocks, one a shard.

    Attributes
    ----------
    shape : tuple of int
    pieces : tuple of Piece
    """

    def __init__(self, shape: tuple[int, ...], axis: int, length: int) -> None:
        self.shape, self._axis = shape, axis
        self.pieces: tuple[Piece, ...] = tuple(pieces(shape, axis, length))
        self._along = tuple(min(start + length, shape[axis]) - start for start in range(0, shape[axis], length))

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Lengths of the blocks along each axis."""
        before = tuple((1,) * length for length in self.shape[: self._axis])
        return (*before, self._along, *((length,) for length in self.shape[self._axis + 1 :]))

    def block_shape(self, piece: Piece) -> tuple[int, ...]:
        """Shape of the block of a shard."""
        before = (1,) * self._axis
        return (*before, piece.stop - piece.start, *self.shape[self._axis + 1 :])

    def whole(self, block_of: Callable[[int, tuple[int, ...]], Delayed], dtype: Any, rows: int | None = None) -> Any:
        """The array of all blocks: ``block_of`` gives that of a shard, by its number and shape. With ``rows`` every
        block has so many in front.
        """
        blocks = np.empty(len(self.pieces), object)
        for number, piece in enumerate(self.pieces):
            shape = self.block_shape(piece) if rows is None else (rows, *self.block_shape(piece))
            blocks[number] = da.from_delayed(block_of(number, shape), shape, dtype)
        grid = tuple(map(len, self.chunks))
        return da.block(blocks.reshape(grid if rows is None else (1, *grid)).tolist())

    def parts(self, array: Any) -> list[Delayed]:
        """The blocks of a Dask array of this shape, in the order of the shards; of one with rows in front, too."""
        in_front = ((array.shape[0],),) if array.ndim > len(self.shape) else ()
        found = array.rechunk((*in_front, *self.chunks)).to_delayed()
        return [delayed(_flat, block, bool(in_front)) for block in found.reshape(-1)]


def _flat(block: Array, has_rows: bool) -> Array:
    """A block as a shard takes it."""
    refuse_masked("a block of a Dask array", block)
    array = np.asarray(block)
    return array.reshape((len(array), math.prod(array.shape[1:])) if has_rows else -1)


def on_client(array: Any, client: Any) -> ClusterArray:
    """The same array, read by a client."""
    found = ClusterArray(array.dask, array.name, array.chunks, meta=array._meta)
    found._own_client = client
    return found


def delayed(function: Callable[..., Any], *arguments: Any) -> Delayed:
    """A call that is made when it is needed."""
    return make_delayed(function, pure=True, traverse=False)(*arguments)


def delayed_of_all(function: Callable[..., Any], *arguments: Any) -> Delayed:
    """The same, of lists of such calls too."""
    return make_delayed(function, pure=True)(*arguments)


def joined(parts: Sequence[Any], axis: int = 0) -> Any:
    """Arrays one after the other."""
    return parts[0] if len(parts) == 1 else da.concatenate(list(parts), axis=axis)


def columns(blocks: Iterable[tuple[Delayed, int]], rows: int, dtype: Any, order: Array) -> Any:
    """Rows of chosen neurons: blocks with a number of columns each, side by side and then in another order."""
    found = [da.from_delayed(block, (rows, count), dtype) for block, count in blocks if count]
    whole = joined(found, axis=1) if found else da.zeros((rows, 0), dtype=dtype)
    return whole if (order == np.arange(len(order))).all() else whole[:, order]


def is_dask(value: Any) -> bool:
    """Whether a value is a Dask array."""
    return isinstance(value, da.Array)
