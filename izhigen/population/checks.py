"""Checks of what a population is asked for: each returns the value in its one form, or says what is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import ValueShapeError, shown
from izhigen.memory.layout import MOST_NEURONS
from izhigen.model.events import read_spike_timing
from izhigen.scalars import check_count, read_whole
from izhigen.timegrid import check_dt

if TYPE_CHECKING:
    from izhigen.derive.adjoint import Training


def read_options(
    size: Any,
    *,
    dt: Any,
    method: Any,
    spike_timing: Any,
    backend: Any,
    dtype: Any,
    threads: Any,
    seed: Any,
    batch: Any,
    device: Any,
    sharding: Sequence[Any] | None,
    steps_per_launch: Any,
    training: Training | None,
) -> dict[str, Any]:
    """How a population is made, each option in its one form.

    Raises
    ------
    ValueShapeError
        For an option that is nothing of its kind.
    """
    return {
        "training": training,
        "size": check_size(size),
        "dt": check_dt(dt),
        "method": method,
        "spike_timing": read_spike_timing(spike_timing).value,
        "backend": backend,
        "dtype": check_dtype(dtype),
        "threads": check_count("threads", threads),
        "seed": check_seed(seed),
        "batch": check_batch(batch),
        "device": getattr(device, "id", device),
        "sharding": sharding,
        "steps_per_launch": None if steps_per_launch is None else check_count("steps_per_launch", steps_per_launch),
    }


def check_dtype(dtype: Any) -> Any:
    try:
        number = np.dtype(dtype)
    except Exception:  # NumPy asks what it is given for its text
        number = np.dtype(object)
    if number not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueShapeError(f"dtype={shown(dtype)} is not 'float32' or 'float64'")
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


def check_first_index(index: Any) -> int:
    number = read_whole(index, 0, 2**62)
    if number is None:
        raise ValueShapeError(f"first_index={shown(index)} is not a whole number from 0 to 2**62")
    return number


def check_step(step: Any) -> int:
    number = read_whole(step, 0, 2**62)
    if number is None:
        raise ValueShapeError(f"step {shown(step)} is not a whole number from 0 to 2**62")
    return number
