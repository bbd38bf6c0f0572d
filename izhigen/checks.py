"""Checks of what a population is asked for: each returns the value in its one form, or says what is wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from izhigen.arrays import fetch, is_on_device, refuse_masked
from izhigen.errors import ValueShapeError, first_line, shown
from izhigen.scalars import read_whole

Array = Any
MOST_NEURONS = 1 << 40
"""Most neurons of one population."""


def check_dtype(dtype: Any) -> Any:
    try:
        number = np.dtype(dtype)
    except Exception:  # NumPy asks what it is given for its text
        number = np.dtype(object)
    if number not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueShapeError(f"dtype={shown(dtype)} is not 'float32' or 'float64'")
    return number


def check_count(name: str, value: Any) -> int:
    number = read_whole(value, 1)
    if number is None:
        raise ValueShapeError(f"{name}={shown(value)} is not a positive whole number (at most 2**63 - 1)")
    return number


def check_size(size: Any) -> tuple[int, ...]:
    axes = (
        tuple(size.tolist())
        if isinstance(size, np.ndarray) and size.ndim == 1
        else tuple(size)
        if isinstance(size, (tuple, list))
        else (size,)
    )
    if not axes:
        raise ValueShapeError("size=() is empty; give a number of neurons")
    shape = tuple(check_count("size", axis) for axis in axes)
    if math.prod(shape) > MOST_NEURONS:
        raise ValueShapeError(f"size={shown(size)} is more than {MOST_NEURONS} neurons")
    return shape


def check_batch(batch: Any) -> int | None:
    return None if batch is None else check_count("batch", batch)


def check_seed(seed: Any) -> int:
    number = read_whole(seed, 0, 2**64 - 1)
    if number is None:
        raise ValueShapeError(f"seed={shown(seed)} is not a whole number from 0 to 2**64 - 1")
    return number


def check_neurons(neurons: Any, count: int) -> tuple[Array, Array]:
    """Chosen neurons as given, and the order that sorts them."""
    if neurons is None:
        return None, None
    chosen = read_neurons(neurons, count)
    if len(np.unique(chosen)) != len(chosen):
        raise ValueShapeError("neurons: an index occurs twice")
    return chosen, np.argsort(chosen)


def read_neurons(neurons: Any, count: int) -> Array:
    """Flat indices of neurons below a count, from a number, a list, a range, a slice or a mask; int64."""
    refuse_masked("neurons", neurons)
    if isinstance(neurons, range):  # looked at by its ends: it may be longer than any memory
        for end in (neurons[0], neurons[-1]) if len(neurons[:1]) else ():
            if not 0 <= end < count:
                raise ValueShapeError(f"neurons: index {shown(end)} is outside 0 ... {count - 1}")
    try:
        chosen = np.atleast_1d(np.asarray(fetch(neurons) if is_on_device(neurons) else neurons))
    except Exception as problem:  # ragged lists, and what other libraries refuse to hand over
        raise ValueShapeError(
            f"neurons={shown(neurons)} is not a list of neuron indices ({first_line(problem)})"
        ) from None
    if isinstance(neurons, slice):
        chosen = np.arange(count)[neurons]
    if chosen.dtype.kind == "b" and chosen.size == count:
        chosen = np.flatnonzero(chosen)
    if chosen.size == 0:
        chosen = chosen.astype(np.int64)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise ValueShapeError(f"neurons={shown(neurons)} is not a list of neuron indices")
    outside = chosen[(chosen < 0) | (chosen >= count)]  # before they are made int64, in which 2**64 - 1 is -1
    chosen = chosen.astype(np.int64)
    if len(outside):
        raise ValueShapeError(f"neurons: index {outside[0]} is outside 0 ... {count - 1}")
    return chosen
