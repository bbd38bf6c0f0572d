"""The one place that reads a number, of Python, NumPy or another library, or says in one line what was given."""

from __future__ import annotations

import math
import numbers
from decimal import Decimal
from typing import Any

import numpy as np

from izhigen.errors import IzhigenError, ValueShapeError, shown

LARGEST_WHOLE = 2**63 - 1
"""Largest whole number that kernels and indices hold."""
NO_NUMBERS = (bool, np.bool_, np.timedelta64)
"""What Python's or NumPy's types count among the whole numbers: truth values, and times with units of their own."""
MOST_IN_A_RANGE = 1 << 31
"""Numbers of a range that are read."""
DOUBLE = 8
"""Bytes of a number in double precision."""


def scalar_of(value: Any) -> Any:
    """The Python number of an array without axes, also of PyTorch and JAX; anything else as it is."""
    if isinstance(value, numbers.Number) or getattr(value, "ndim", None) != 0 or np.ma.is_masked(value):
        return value
    try:
        return value.item()
    except Exception:  # a tracer of JAX, or a tensor without data
        return value


def carries_unit(value: Any) -> bool:
    """Whether a value is a quantity of pint, astropy, Brian2 or a library like them, by the attributes that those have;
    or one that holds any: a list, a tuple, or an array of objects.

    Raises
    ------
    ValueShapeError
        For lists nested so deeply that no array could be made of them.
    """
    return type(value) not in _PLAIN_TYPES and _carries_unit(value, 0)


def _carries_unit(value: Any, depth: int) -> bool:
    kind = type(value)
    if kind is np.ndarray and value.dtype.kind != "O":
        return False
    parts = parts_of(value)
    if parts is not None:
        if depth >= DEEPEST:
            raise ValueShapeError(f"lists are nested deeper than {DEEPEST} levels; give numbers, or an array of them")
        return any(type(part) not in _PLAIN_TYPES and _carries_unit(part, depth + 1) for part in parts)
    if hasattr(kind, "units") or (hasattr(kind, "decompose") and hasattr(kind, "unit")):
        return True
    return hasattr(getattr(value, "dim", None), "_dims") or (isinstance(value, np.ndarray) and hasattr(value, "units"))


def parts_of(value: Any) -> Any:
    """What a list, a tuple or an array of objects holds, to be looked at one by one; None for anything else."""
    if isinstance(value, (list, tuple)):
        return value
    return list(value.flat) if type(value) is np.ndarray and value.dtype.kind == "O" else None


DEEPEST = 64
"""Levels of nested lists, as many as NumPy's arrays have axes."""
_PLAIN_TYPES = frozenset((int, float, bool, str, dict, range, type(None), np.float64, np.float32))


def refuse_unit(value: Any, what: str, error: type[IzhigenError] = ValueShapeError) -> None:
    """Refuse a quantity where nothing says which unit is due.

    Raises
    ------
    error
        For one.
    """
    if carries_unit(value):
        raise error(
            f"{what} = {shown(value)} brings a unit, and here plain numbers are due; give its magnitude, such as "
            "q.m_as('ms') of pint, q.to_value('ms') of astropy, q/ms of Brian2"
        )


def read_real(value: Any, what: str, error: type[IzhigenError] = ValueShapeError) -> float:
    """A real number as a float; infinite or undefined where it is.

    Raises
    ------
    error
        For what is no real number (a bool is none), and for one beyond a float.
    """
    refuse_unit(value, what, error)
    number = scalar_of(value)
    if isinstance(number, NO_NUMBERS) or not isinstance(number, (numbers.Real, Decimal)):
        raise error(f"{what} = {shown(value)} is not a real number ({type(value).__name__})")
    try:
        found = float(number)
    except OverflowError:
        raise error(f"{what} = {shown(value)} is too large for a float") from None
    except ValueError:  # a signalling NaN of decimal
        return math.nan
    if math.isinf(found) and number != found:
        raise error(f"{what} = {shown(value)} is too large for a float")
    return found


def read_finite(value: Any, what: str, error: type[IzhigenError] = ValueShapeError) -> float:
    """A finite real number as a float, or an error."""
    number = read_real(value, what, error)
    if not math.isfinite(number):
        raise error(f"{what} = {shown(value)} is not finite")
    return number


def read_array(what: str, value: Any, hint: str = "") -> Any:
    """A number, an array or nested lists as an array of integers or floats; see :func:`real_numbers`."""
    if is_endless(value):
        raise ValueShapeError(f"{what} = {shown(value)} has more numbers than fit in memory")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError):  # ragged, or a tensor with a gradient
        array = np.empty(0, object)
    return real_numbers(what, value, array, hint)


def is_endless(value: Any) -> bool:
    """Whether a range has more numbers than NumPy should be asked to write down."""
    return isinstance(value, range) and bool(value[MOST_IN_A_RANGE:])


def real_numbers(what: str, value: Any, array: Any, hint: str = "") -> Any:
    """The array that a value was read as, where it holds integers or floats; those that NumPy can only keep as objects
    (large whole numbers, fractions, decimals) as float64.

    Raises
    ------
    ValueShapeError
        For anything else; truth values, also within lists, are no numbers. ``hint`` says what to give.
    """
    refuse_unit(value, what)
    if array.dtype.kind == "O" and array.size:
        array = _from_objects(what, array)
    kind = array.dtype.kind
    if kind == "b" or (kind in "iuf" and _holds_bool(value)):
        given = "is a truth value, not a number" if array.ndim == 0 else "holds truth values, not numbers"
        raise ValueShapeError(f"{what} = {shown(value)} {given}; give 1.0 and 0.0, as .astype(float) does")
    if kind not in "iuf":
        of = f" of {array.dtype}" if array.ndim and array.size and kind != "O" else ""
        raise ValueShapeError(f"{what}: {type(value).__name__}{of} holds no real numbers{hint}")
    if kind == "f" and array.dtype.itemsize > DOUBLE:
        with np.errstate(over="ignore"):
            double = array.astype(np.float64)
        if (np.isinf(double) & (array != double)).any():
            raise ValueShapeError(f"{what} = {shown(value)} is too large for a float")
        return double
    return array


def _from_objects(what: str, array: Any) -> Any:
    """Float64 from an array of Python's own numbers; the array itself where it holds anything else."""
    parts = [scalar_of(part) for part in array.flat]
    if not all(isinstance(part, (numbers.Real, Decimal)) for part in parts):
        return array
    read = [read_real(part, what if array.ndim == 0 else f"{what}[{i}]") for i, part in enumerate(parts)]
    return np.array(read).reshape(array.shape)


def _holds_bool(value: Any) -> bool:
    """Whether a truth value stands among the numbers of a list, where NumPy takes it for one."""
    if isinstance(value, (list, tuple)):
        return any(
            type(part) is not float and (isinstance(part, (bool, np.bool_)) or _holds_bool(part)) for part in value
        )
    return getattr(getattr(value, "dtype", None), "kind", "") == "b"


def too_large(value: Any, dtype: Any) -> bool:
    """Whether a number, or one of an array, is finite and beyond a number type."""
    with np.errstate(over="ignore"):
        return bool((np.isfinite(value) & ~np.isfinite(np.asarray(value).astype(dtype))).any())


def read_names(names: Any, what: str, error: type[IzhigenError] = ValueShapeError) -> tuple[str, ...]:
    """Names from a list of them, or from one."""
    if isinstance(names, str):
        return (names,)
    try:
        given = iter(names)
    except TypeError:
        raise error(f"{what}={shown(names)} is not a list of names such as ['V', 'u']") from None
    found = []
    for name in given:
        if not isinstance(name, str):
            raise error(f"{what}: {shown(name)} is not a name ({type(name).__name__})")
        found.append(name)
    return tuple(found)


def read_whole(value: Any, least: int, most: int = LARGEST_WHOLE) -> int | None:
    """A whole number between bounds as an int; None for anything else."""
    number = scalar_of(value)
    if isinstance(number, NO_NUMBERS) or not isinstance(number, numbers.Integral) or not least <= int(number) <= most:
        return None
    return int(number)


def read_flag(value: Any, what: str) -> bool:
    """True or False, also as a number 1 or 0, or of NumPy and its like.

    Raises
    ------
    ValueShapeError
        For anything else: an array has no one truth value, and text is true whatever it says.
    """
    if value is True or value is False:
        return value
    found = scalar_of(value)
    if isinstance(found, (bool, np.bool_)):
        return bool(found)
    number = read_whole(found, 0, 1)
    if number is None:
        raise ValueShapeError(f"{what}={shown(value)} is not True or False")
    return bool(number)


def check_count(name: str, value: Any) -> int:
    """A positive whole number, or an error that names it."""
    number = read_whole(value, 1)
    if number is None:
        raise ValueShapeError(f"{name}={shown(value)} is not a positive whole number (at most 2**63 - 1)")
    return number
