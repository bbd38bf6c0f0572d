"""Tables of parameter sets: samples that fill ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import BackendError, ValueShapeError, shown
from izhigen.scalars import check_count, read_finite, read_whole

Array = Any

MOST_SAMPLES, MOST_NAMES = 2**30, 1000
"""Sets that are drawn, and names in them, at most."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of parameter sets: one column of numbers a name, all of the same length; what :func:`izhigen.sweep` takes
    for a table, as it takes frames of pandas and polars. ``pandas.DataFrame(dict(table.columns))`` is such a frame.

    Raises
    ------
    ValueShapeError
        For columns of different lengths, or none.
    """

    columns: Mapping[str, Array]

    def __post_init__(self) -> None:
        if not isinstance(self.columns, Mapping):
            raise ValueShapeError(f"columns of a table are a mapping, not {shown(type(self.columns).__name__)}")
        lengths = {name: _size(values) for name, values in self.columns.items()}
        if len(set(lengths.values())) != 1:
            raise ValueShapeError(f"columns of a table have the same length, not {lengths or 'none'}")

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def _size(values: Any) -> int:
    return len(values) if isinstance(values, (list, tuple)) else np.size(values)


def latin_hypercube(ranges: Mapping[str, tuple[float, float]], count: int, *, seed: int = 0) -> Table:
    """Sets for a sweep, spread so that each of as many slices of every range has one (McKay, Beckman and Conover 1979,
    Technometrics 21:239).

    Parameters
    ----------
    ranges : mapping
        Name of a parameter or input to its lowest and highest value.
    count : int
        Number of sets.
    seed : int

    Returns
    -------
    Table
        A column a name.

    Raises
    ------
    BackendError
        Where SciPy is missing.
    ValueShapeError
        For what is no range.
    """
    return _sampled("LatinHypercube", ranges, count, seed)


def sobol(ranges: Mapping[str, tuple[float, float]], count: int, *, seed: int = 0) -> Table:
    """Sets for a sweep from a scrambled Sobol sequence (Owen 1998, ACM TOMACS 8:71), which fills space evenly.

    Parameters
    ----------
    ranges : mapping
        As for :func:`latin_hypercube`.
    count : int
        Number of sets; best a power of 2.
    seed : int

    Returns
    -------
    Table
        A column a name.

    Raises
    ------
    BackendError
        Where SciPy is missing.
    ValueShapeError
        For what is no range.
    """
    return _sampled("Sobol", ranges, count, seed)


def _sampled(kind: str, ranges: Mapping[str, tuple[float, float]], count: Any, seed: Any) -> Table:
    try:
        from scipy.stats import qmc
    except ImportError:
        raise BackendError("samples need SciPy, which is not installed: pip install scipy") from None
    number, key = check_count("count", count), read_whole(seed, 0)
    if key is None:
        raise ValueShapeError(f"seed={shown(seed)} is not a whole number from 0 on")
    if not isinstance(ranges, Mapping) or not ranges:
        raise ValueShapeError("ranges is a mapping such as {'a': (0.02, 0.1)}")
    edges = {name: _edges(name, pair) for name, pair in ranges.items()}
    generator, sampler_of = np.random.default_rng(key), getattr(qmc, kind)
    if number > MOST_SAMPLES or len(edges) > MOST_NAMES:
        raise ValueShapeError(f"count={number}: at most {MOST_SAMPLES} sets are drawn, of {MOST_NAMES} names")
    try:
        sampler = sampler_of(len(edges), rng=generator)
    except TypeError:  # SciPy before 1.15
        sampler = sampler_of(len(edges), seed=generator)
    try:
        if kind == "Sobol":  # SciPy warns where the number is no power of 2
            unit = sampler.random_base2(math.ceil(math.log2(number)) if number > 1 else 0)[:number]
        else:
            unit = sampler.random(number)
    except (ValueError, MemoryError) as problem:
        raise ValueShapeError(f"{number} sets of {len(edges)} names cannot be drawn: {problem}") from None
    return Table({n: low + (high - low) * unit[:, k] for k, (n, (low, high)) in enumerate(edges.items())})


def _edges(name: str, pair: Any) -> tuple[float, float]:
    try:
        low, high = pair
    except (TypeError, ValueError):
        raise ValueShapeError(f"the range of {shown(name)} is two numbers, the lowest and the highest") from None
    found = read_finite(low, f"the range of {name}"), read_finite(high, f"the range of {name}")
    if found[0] > found[1]:
        raise ValueShapeError(f"the range of {shown(name)} goes from {found[0]:g} down to {found[1]:g}")
    if not math.isfinite(found[1] - found[0]):
        raise ValueShapeError(f"the range of {shown(name)} is wider than numbers are")
    return found
