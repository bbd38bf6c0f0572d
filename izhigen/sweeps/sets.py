"""The parameter sets of a sweep: a grid of values, or the rows of a table, with their dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import BackendError, ValueShapeError, shown
from izhigen.inputs.stimuli import Stimulus
from izhigen.memory.space import refuse_masked
from izhigen.scalars import check_count, read_finite, read_whole, real_numbers

Array = Any


@dataclass(frozen=True)
class Place:
    """Where a piece stands: indices of the first dimensions, from where to where along the next one, and its sets in
    flat order.
    """

    lead: tuple[int, ...]
    start: int
    stop: int
    first: int
    last: int

    @property
    def key(self) -> tuple[Any, ...]:
        """The piece's part of an array of all sets."""
        return (*self.lead, slice(self.start, self.stop))


SET, REPEAT = "set", "repeat"
"""Dimensions: the rows of a table, and the repeats of every set."""
MOST_SETS = 2**40
"""Sets of a sweep, repeats counted, at most."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of parameter sets: one column of numbers a name, all of the same length."""

    columns: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True, eq=False)
class Sets:
    """All sets in order: the last dimension changes fastest.

    Attributes
    ----------
    columns : mapping
        Name of what varies to its values along its dimension: numbers, or a tuple of texts and stimuli.
    dimension : mapping
        Name of what varies to the number of its dimension.
    lengths : mapping
        Dimensions in order, with their lengths; ``"repeat"`` last where there are several.
    units : mapping
        Of what varies.
    """

    columns: Mapping[str, Any]
    dimension: Mapping[str, int]
    lengths: Mapping[str, int]
    units: Mapping[str, str]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all dimensions."""
        return tuple(self.lengths.values())

    @property
    def count(self) -> int:
        """Number of sets, repeats counted."""
        return math.prod(self.shape)

    @property
    def drives(self) -> tuple[str, ...]:
        """What varies and is no number: each of its values is run on its own."""
        return tuple(name for name, values in self.columns.items() if isinstance(values, tuple))

    @property
    def apart(self) -> int:
        """How many of the first dimensions are gone through one index at a time."""
        return max((self.dimension[name] + 1 for name in self.drives), default=0)

    def index(self, name: str, first: int, stop: int) -> Array:
        """Where along its dimension some sets in a row have their value of a name."""
        place = self.dimension[name]
        return np.arange(first, stop) // math.prod(self.shape[place + 1 :]) % self.shape[place]

    def take(self, name: str, first: int, stop: int) -> Any:
        """The values of a name in some sets in a row; the text or stimulus that all of them have."""
        values, index = self.columns[name], self.index(name, first, stop)
        return values[int(index[0])] if isinstance(values, tuple) else values[index]

    def at(self, place: int) -> dict[str, Any]:
        """All that varies, in one set."""
        found = {name: self.take(name, place, place + 1) for name in self.columns}
        return {n: label(v) if isinstance(self.columns[n], tuple) else float(v[0]) for n, v in found.items()}

    @property
    def coordinates(self) -> dict[str, tuple[str, Array]]:
        """Labels by name: the dimension that they stand along, and the values."""
        names = list(self.lengths)
        found = {n: (names[self.dimension[n]], _labels(values)) for n, values in self.columns.items()}
        return found | {name: (name, np.arange(k)) for name, k in self.lengths.items() if name not in found}


def label(drive: Any) -> str:
    """What a text or a stimulus is called in a coordinate."""
    return drive.name if isinstance(drive, Stimulus) else str(drive)


def _labels(values: Any) -> Array:
    return np.array([label(drive) for drive in values]) if isinstance(values, tuple) else values


def is_varied(value: Any) -> bool:
    """Whether a value of a grid makes a dimension: several numbers, texts or stimuli in a row."""
    if isinstance(value, (str, Stimulus)) or callable(value):
        return False
    if isinstance(value, (list, tuple, range)):
        return True
    return getattr(value, "ndim", 0) == 1


def read_sets(varied: Mapping[str, Any], table: Any, repeats: Any, units: Mapping[str, str]) -> Sets:
    """The sets of a grid, or of a table where one is given.

    Raises
    ------
    ValueShapeError
        For what is no list of finite numbers, a name of a dimension that is taken, and too many sets.
    """
    count = check_count("repeats", repeats)
    columns = {name: _column(name, values) for name, values in varied.items()}
    if table is not None:
        rows = {name: len(values) for name, values in columns.items()}
        if len(set(rows.values())) > 1:
            raise ValueShapeError(f"columns of a table have the same length, not {rows}")
        lengths = {SET: next(iter(rows.values()))}
        dimension = dict.fromkeys(columns, 0)
    else:
        lengths = {name: len(values) for name, values in columns.items()}
        dimension = {name: k for k, name in enumerate(columns)}
    for name in (SET, REPEAT):
        if name in columns and name not in (lengths if table is None and name == SET else ()):
            raise ValueShapeError(f"{shown(name)} is a dimension of every sweep; rename the parameter")
    if count > 1:
        lengths[REPEAT] = count
    if not lengths:
        raise ValueShapeError("nothing varies: give a list of values for a parameter or an input, or repeats above 1")
    if math.prod(lengths.values()) > MOST_SETS:
        raise ValueShapeError(f"{' x '.join(map(str, lengths.values()))} sets are more than 2**40")
    return Sets(columns, dimension, lengths, units)


def _column(name: str, values: Any) -> Any:
    """Numbers in double precision, or a tuple of texts and stimuli whose labels differ."""
    what = f"the values of {shown(name)}"
    if isinstance(values, (list, tuple)) and any(isinstance(value, (str, Stimulus)) for value in values):
        if not all(isinstance(value, (str, Stimulus)) for value in values):
            raise ValueShapeError(f"{what}: numbers stand beside text or stimuli; write numbers as text, such as '10'")
        labels = [label(value) for value in values]
        twice = next((text for text in labels if labels.count(text) > 1), None)
        if twice is not None:
            raise ValueShapeError(f"{what}: two of them are called {shown(twice)}; give each a name of its own")
        return tuple(values)
    refuse_masked(what, values)
    array = real_numbers(what, values, np.asarray(values), "; give numbers in a row")
    if array.ndim != 1 or not len(array):
        raise ValueShapeError(f"{what} have shape {array.shape}; give at least one number, in a row")
    found = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        raise ValueShapeError(f"{what}: number {int(bad[0])} is {found[bad[0]]}; give finite numbers")
    return found


def cut_of(shape: Sequence[int], most: int, apart: int = 0) -> tuple[int, int]:
    """How all sets are cut into pieces of about ``most`` sets: the dimension that is cut, and how many of its indices a
    piece has. It has one index of each dimension before, and all of those behind. The first ``apart`` dimensions have
    one index a piece.
    """
    if apart == len(shape):
        return len(shape) - 1, 1
    axis = next((k for k in range(apart, len(shape)) if math.prod(shape[k + 1 :]) <= most), len(shape) - 1)
    length = max(1, min(shape[axis], most // math.prod(shape[axis + 1 :])))
    return axis, -(-shape[axis] // -(-shape[axis] // length))  # as even as can be


def pieces(shape: Sequence[int], axis: int, length: int) -> Iterator[Place]:
    """The pieces of a cut, in order."""
    rest = math.prod(shape[axis + 1 :])
    for lead in np.ndindex(*shape[:axis]):
        before = int(np.ravel_multi_index(lead, shape[:axis])) * shape[axis] if lead else 0
        for start in range(0, shape[axis], length):
            stop = min(start + length, shape[axis])
            yield Place(lead, start, stop, (before + start) * rest, (before + stop) * rest)


def latin_hypercube(ranges: Mapping[str, tuple[float, float]], count: int, *, seed: int = 0) -> Table:
    """``count`` sets for a sweep, spread so that each of as many slices of every range has one (McKay, Beckman and
    Conover 1979, Technometrics 21:239).

    Parameters
    ----------
    ranges : mapping
        Name of a parameter or input to its lowest and highest value.
    count, seed : int

    Raises
    ------
    BackendError
        Where SciPy is missing.
    """
    return _sampled("LatinHypercube", ranges, count, seed)


def sobol(ranges: Mapping[str, tuple[float, float]], count: int, *, seed: int = 0) -> Table:
    """``count`` sets from a scrambled Sobol sequence (Owen 1998, ACM TOMACS 8:71), which fills space evenly; its
    balance is that of powers of 2. Arguments and errors are those of :func:`latin_hypercube`.
    """
    return _sampled("Sobol", ranges, count, seed)


def _sampled(kind: str, ranges: Mapping[str, tuple[float, float]], count: Any, seed: Any) -> Table:
    try:
        from scipy.stats import qmc
    except ImportError:
        raise BackendError("sampling needs SciPy, which is not installed: pip install 'izhigen[verify]'") from None
    number, key = check_count("count", count), read_whole(seed, 0)
    if key is None:
        raise ValueShapeError(f"seed={shown(seed)} is not a whole number from 0 on")
    if not isinstance(ranges, Mapping) or not ranges:
        raise ValueShapeError("ranges is a mapping such as {'a': (0.02, 0.1)}")
    edges = {name: _edges(name, pair) for name, pair in ranges.items()}
    generator, sampler_of = np.random.default_rng(key), getattr(qmc, kind)
    try:
        sampler = sampler_of(len(edges), rng=generator)
    except TypeError:  # SciPy before 1.15
        sampler = sampler_of(len(edges), seed=generator)
    if kind == "Sobol":  # SciPy warns where the number is no power of 2
        unit = sampler.random_base2(math.ceil(math.log2(number)) if number > 1 else 0)[:number]
    else:
        unit = sampler.random(number)
    return Table({n: low + (high - low) * unit[:, k] for k, (n, (low, high)) in enumerate(edges.items())})


def _edges(name: str, pair: Any) -> tuple[float, float]:
    try:
        low, high = pair
    except (TypeError, ValueError):
        raise ValueShapeError(f"the range of {shown(name)} is two numbers, the lowest and the highest") from None
    found = read_finite(low, f"the range of {name}"), read_finite(high, f"the range of {name}")
    if found[0] > found[1]:
        raise ValueShapeError(f"the range of {shown(name)} goes from {found[0]:g} down to {found[1]:g}")
    return found
