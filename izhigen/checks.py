"""Checks of what a population is asked for: each returns the value in its one form, or says what is wrong."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from izhigen.arrays import fetch, is_on_device, refuse_masked
from izhigen.errors import ValueShapeError

Array = Any
MOST_NEURONS = 1 << 40
"""Most neurons of one population."""


def check_dtype(dtype: Any) -> Any:
    try:
        number = np.dtype(dtype)
    except TypeError:
        number = np.dtype(object)
    if number not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueShapeError(f"dtype={dtype!r} is not 'float32' or 'float64'")
    return number


def check_count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < 1:
        raise ValueShapeError(f"{name}={value!r} is not a positive whole number")
    return int(value)


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
        raise ValueShapeError(f"size={size!r} is more than {MOST_NEURONS} neurons")
    return shape


def check_batch(batch: Any) -> int | None:
    return None if batch is None else check_count("batch", batch)


def check_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= int(seed) < 2**64:
        raise ValueShapeError(f"seed={seed!r} is not a whole number from 0 to 2**64 - 1")
    return int(seed)


def check_neurons(neurons: Any, count: int) -> tuple[Array, Array]:
    """Chosen neurons as given, and the order that sorts them."""
    if neurons is None:
        return None, None
    refuse_masked("neurons", neurons)
    chosen = np.atleast_1d(np.asarray(fetch(neurons) if is_on_device(neurons) else neurons))
    if isinstance(neurons, slice):
        chosen = np.arange(count)[neurons]
    if chosen.dtype.kind == "b" and chosen.size == count:
        chosen = np.flatnonzero(chosen)
    if chosen.size == 0:
        chosen = chosen.astype(np.int64)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise ValueShapeError(f"neurons={neurons!r} is not a list of neuron indices")
    chosen = chosen.astype(np.int64)
    outside = chosen[(chosen < 0) | (chosen >= count)]
    if len(outside):
        raise ValueShapeError(f"neurons: index {outside[0]} is outside 0 ... {count - 1}")
    if len(np.unique(chosen)) != len(chosen):
        raise ValueShapeError("neurons: an index occurs twice")
    return chosen, np.argsort(chosen)
