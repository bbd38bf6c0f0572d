"""The one place that reads a number, of Python, NumPy or another library, or says in one line what was given."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from typing import Any

import numpy as np

from izhigen.errors import IzhigenError, ValueShapeError

LARGEST_WHOLE = 2**63 - 1
"""Largest whole number that kernels and indices hold."""
LONGEST_SHOWN = 60
"""Characters of a value that a message shows."""


def shown(value: Any) -> str:
    """A value for a message: printable, and of a length that fits in a line."""
    try:
        text = (
            repr(value)
            if not isinstance(value, int) or abs(value) < 10**LONGEST_SHOWN
            else f"a whole number of {value.bit_length()} bits"
        )
    except Exception:  # what a foreign object's repr does is its own affair
        text = f"a {type(value).__name__}"
    text = " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii")
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def scalar_of(value: Any) -> Any:
    """The Python number of an array without axes, also of PyTorch and JAX; anything else as it is."""
    if isinstance(value, numbers.Number) or getattr(value, "ndim", None) != 0 or np.ma.is_masked(value):
        return value
    try:
        return value.item()
    except Exception:  # a tracer of JAX, or a tensor without data
        return value


def read_real(value: Any, what: str, error: type[IzhigenError] = ValueShapeError) -> float:
    """A real number as a float; infinite or undefined where it is, or is beyond a float.

    Raises
    ------
    error
        For what is no real number; a bool is none.
    """
    number = scalar_of(value)
    if isinstance(number, (bool, np.bool_)) or not isinstance(number, (numbers.Real, Decimal)):
        raise error(f"{what} = {shown(value)} is not a real number ({type(value).__name__})")
    try:
        return float(number)
    except OverflowError:
        return math.inf if bool(number > 0) else -math.inf  # type: ignore[operator]
    except ValueError:  # a signalling NaN of decimal
        return math.nan


def read_finite(value: Any, what: str, error: type[IzhigenError] = ValueShapeError) -> float:
    """A finite real number as a float, or an error."""
    number = read_real(value, what, error)
    if not math.isfinite(number):
        raise error(f"{what} = {shown(value)} is not finite")
    return number


def read_whole(value: Any, least: int, most: int = LARGEST_WHOLE) -> int | None:
    """A whole number between bounds as an int; None for anything else."""
    number = scalar_of(value)
    if (
        isinstance(number, (bool, np.bool_))
        or not isinstance(number, numbers.Integral)
        or not least <= int(number) <= most
    ):
        return None
    return int(number)
