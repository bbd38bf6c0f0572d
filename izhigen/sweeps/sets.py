"""The parameter sets of a sweep: a grid of values or the rows of a table, and in which order they are run.

Dimensions of texts and stimuli are run first, as each of their values is a run of its own; the user's order is that of
the result.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, shown
from izhigen.inputs.stimuli import Stimulus
from izhigen.memory.pieces import Piece
from izhigen.memory.space import refuse_masked
from izhigen.scalars import check_count, real_numbers, refuse_unit

Array = Any

SET, REPEAT = "set", "repeat"
"""Dimensions: the rows of a table, and the repeats of every set."""
MOST_SETS = 2**40
"""Sets of a sweep, repeats counted, at most."""


@dataclass(frozen=True, eq=False)
class Sets:
    """All sets, in the order in which they are run: the last dimension changes fastest.

    Attributes
    ----------
    columns : mapping
        Name of what varies to its values along its dimension: numbers, or a tuple of texts and stimuli.
    dimension : mapping
        Name of what varies to the name of its dimension.
    lengths : mapping
        Dimensions in the order in which they are run, with their lengths.
    order : tuple of str
        Dimensions in the order of the result; ``"repeat"`` is last in both where there are several.
    units : mapping
        Of what varies.
    """

    columns: Mapping[str, Any]
    dimension: Mapping[str, str]
    lengths: Mapping[str, int]
    order: tuple[str, ...]
    units: Mapping[str, str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all dimensions, as they are run."""
        return tuple(self.lengths.values())

    @property
    def count(self) -> int:
        """Number of sets, repeats counted."""
        return math.prod(self.shape)

    @property
    def drives(self) -> tuple[str, ...]:
        """What varies and is no number."""
        return tuple(name for name, values in self.columns.items() if isinstance(values, tuple))

    @property
    def apart(self) -> int:
        """How many of the first dimensions have one index a piece: those of texts and stimuli."""
        return len({self.dimension[name] for name in self.drives})

    def take(self, name: str, piece: Piece) -> Any:
        """The values of a name in the sets of a piece; the text or stimulus that all of them have."""
        values, place = self.columns[name], list(self.lengths).index(self.dimension[name])
        index = np.arange(piece.first, piece.last) // math.prod(self.shape[place + 1 :]) % self.shape[place]
        return values[int(index[0])] if isinstance(values, tuple) else values[index]

    def at(self, set_index: int) -> dict[str, Any]:
        """All that varies, in one set by its index in the order of runs."""
        only = Piece((), 0, 0, set_index, set_index + 1)
        found = {name: self.take(name, only) for name in self.columns}
        return {n: label(v) if isinstance(self.columns[n], tuple) else float(v[0]) for n, v in found.items()}

    @property
    def shape_of_result(self) -> tuple[int, ...]:
        """Lengths of all dimensions in the order of the result."""
        return tuple(self.lengths[name] for name in self.order)

    def as_run(self, values: Array) -> Array:
        """An array of all sets in the order of the result as a flat one in the order in which they are run."""
        axes = [self.order.index(name) for name in self.lengths]
        return np.ascontiguousarray(values.reshape(self.shape_of_result).transpose(axes)).reshape(-1)

    def flat_index(self, indices: Array) -> Array:
        """Flat indices in the order of the result, of flat indices in the order of runs."""
        if tuple(self.lengths) == self.order:
            return indices
        places = dict(zip(self.lengths, np.unravel_index(indices, self.shape)))
        return np.ravel_multi_index([places[name] for name in self.order], self.shape_of_result)

    @property
    def coordinates(self) -> dict[str, tuple[str, Array]]:
        """Labels by name: the dimension that they stand along, and the values."""
        found = {n: (self.dimension[n], _labels(values)) for n, values in self.columns.items()}
        return found | {name: (name, np.arange(k)) for name, k in self.lengths.items() if name not in found}


def label(drive: Any) -> str:
    """What a text or a stimulus is called in a coordinate."""
    return drive.name if isinstance(drive, Stimulus) else str(drive)


def _labels(values: Any) -> Array:
    return np.array([label(drive) for drive in values]) if isinstance(values, tuple) else values


def is_varied(value: Any) -> bool:
    """Whether a value of a grid makes a dimension: several numbers, texts or stimuli in a row."""
    if isinstance(value, (str, bytes, Stimulus)) or callable(value):
        return False
    if isinstance(value, (list, tuple, range)):
        return True
    return getattr(value, "ndim", 0) == 1


def read_sets(varied: Mapping[str, Any], is_table: bool, repeats: Any, units: Mapping[str, str]) -> Sets:
    """The sets of a grid, or of the columns of a table.

    Raises
    ------
    ValueShapeError
        For what is no list of finite numbers, a name of a dimension that is taken, and too many sets.
    """
    count = check_count("repeats", repeats)
    columns = {name: _column(name, values) for name, values in varied.items()}
    if is_table:
        rows = {name: len(values) for name, values in columns.items()}
        if len(set(rows.values())) != 1:
            raise ValueShapeError(f"columns of a table have the same length, not {rows or 'none'}")
        lengths, dimension = {SET: next(iter(rows.values()))}, dict.fromkeys(columns, SET)
    else:
        lengths, dimension = {n: len(values) for n, values in columns.items()}, {n: n for n in columns}
    for name in (SET, REPEAT):
        if name in columns and (is_table or name == REPEAT):
            raise ValueShapeError(f"{shown(name)} is a dimension of the result; rename the parameter")
    if count > 1:
        lengths[REPEAT] = count
    if not lengths:
        raise ValueShapeError("nothing varies: give a list of values for a parameter or an input, or repeats above 1")
    if math.prod(lengths.values()) > MOST_SETS:
        raise ValueShapeError(f"{' x '.join(map(str, lengths.values()))} sets are more than 2**40")
    driven = [dimension[name] for name, values in columns.items() if isinstance(values, tuple)]
    run = dict.fromkeys([*driven, *lengths])
    return Sets(columns, dimension, {name: lengths[name] for name in run}, tuple(lengths), units)


def _column(name: str, values: Any) -> Any:
    """Numbers in double precision, or a tuple of texts and stimuli whose labels differ."""
    what = f"the values of {shown(name)}"
    refuse_masked(what, values)
    refuse_unit(values, what)
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    given = list(values) if isinstance(values, (list, tuple)) or kind in ("O", "U", "T") else []
    if any(isinstance(value, (str, Stimulus)) for value in given):
        if not all(isinstance(value, (str, Stimulus)) for value in given):
            raise ValueShapeError(f"{what}: other things stand beside text or stimuli; write numbers as text ('10')")
        labels = [label(value) for value in given]
        times = Counter(labels)
        twice = next((text for text in labels if times[text] > 1), None)
        if twice is not None:
            raise ValueShapeError(f"{what}: two of them are called {shown(twice)}; give each a name of its own")
        return tuple(given)
    hint = "; give numbers in a row (a course in time is iz.inputs.from_array, or one row a step, (T, 1))"
    try:
        array = real_numbers(what, values, np.asarray(values), hint)
    except (ValueError, OverflowError, MemoryError) as problem:
        if isinstance(problem, ValueShapeError):
            raise
        raise ValueShapeError(f"{what}: {problem}{hint}") from None
    if array.ndim != 1 or not len(array):
        raise ValueShapeError(f"{what} have shape {array.shape}, and there is at least one{hint}")
    found = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise ValueShapeError(f"{what}: number {int(bad[0])} is {found[bad[0]]}; give finite numbers")
    return found
