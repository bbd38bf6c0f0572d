"""Numbers that bring a unit: text such as ``"0.5*nA"``, and quantities of pint, astropy and Brian2.

The libraries are not imported: their quantities are known by the attributes that they have.
"""

from __future__ import annotations

import numbers
import re
from decimal import Decimal
from fractions import Fraction
from math import log10
from typing import Any

import numpy as np

from izhigen.errors import IzhigenError, ModelError, shown
from izhigen.scalars import DOUBLE, carries_unit, parts_of
from izhigen.units.dimensions import PLAIN, Unit, unit_of_text
from izhigen.units.names import check_unit

_TEXT = re.compile(
    r"\s*(?P<number>[+-]?(?P<digits>[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*"
    r"(?:(?P<operator>[*/])\s*(?P<unit>\S.*?))?\s*\Z"
)
FARTHEST = 300
"""Powers of ten between two units of one dimension, at most."""
ZERO_CELSIUS = 273.15
"""K of 0 degC."""
_OF_PINT = ("[mass]", "[length]", "[time]", "[current]", "[temperature]", "[substance]")
_SI = ("kilogram", "meter", "second", "ampere", "kelvin", "mole")
_OF_ASTROPY = ("kg", "m", "s", "A", "K", "mol")
_OF_BRIAN2 = (1, 0, 2, 3, 4, 5)
"""What libraries call the bases of :data:`~izhigen.units.dimensions.BASES`, or where they have them."""


def read_text(text: str, where: str, error: type[IzhigenError] = ModelError) -> tuple[float, str]:
    """The number and the unit of a text such as ``"10*ms"``; the unit is empty where it has none.

    Raises
    ------
    error
        For other text.
    EquationError
        For a unit that is none.
    """
    found = _TEXT.match(text) if len(text) <= 300 else None
    if found is None:
        raise error(
            f"{where} = {shown(text)} is not a real number, nor one with a unit such as '10*ms' or '0.7*pA/mV**2'"
        )
    unit = found["unit"] or ""
    if found["operator"] == "/":
        unit = f"1/{unit}"
    unit = check_unit(unit, where) if unit else ""
    number = float(found["number"])
    if not number and found["digits"].strip("0."):
        raise error(f"{where} = {shown(text)} is too small for a float")
    return number, unit


def plain(value: Any, unit: str, where: str, error: type[IzhigenError] = ModelError) -> Any:
    """A value as numbers in a unit: a quantity, or text such as ``"10*ms"``, or a list or an array of them; anything
    else is returned as it is.

    Raises
    ------
    error
        Where its dimension is another, there is no unit to convert to, or only a part of it brings one.
    """
    parts = parts_of(value)
    if parts is None:
        return _plain_one(value, unit, where, error) if _is_to_read(value) else value
    to_read = [_is_to_read(part) for part in parts]
    if not any(to_read):
        return value
    if not all(to_read):
        raise error(f"{where}: some of its numbers bring a unit and others do not; give one to all, or to none")
    found = [plain(part, unit, where, error) for part in parts]
    if not isinstance(value, np.ndarray):
        return found
    array = np.empty_like(value)
    for place, part in enumerate(found):
        array.flat[place] = part
    return array


def _is_to_read(value: Any) -> bool:
    return isinstance(value, str) or carries_unit(value)


def _plain_one(value: Any, unit: str, where: str, error: type[IzhigenError]) -> Any:
    magnitude, given, written = _parts(value, where, error)
    if given == PLAIN and not (unit and written):
        return magnitude
    if not unit:
        raise error(f"{where} is given in {written}, and the model says of no unit; give it one, or a plain number")
    wanted = unit_of_text(unit)
    if not given.is_alike(wanted):
        raise error(f"{where} is given in {written}, and its unit is {unit}")
    power = given.scale - wanted.scale
    if abs(power) > FARTHEST:
        raise error(f"{where} is given in {written}, which is too far from {unit} for a number")
    return scaled(magnitude, power)


def magnitude_and_unit(value: Any, where: str, error: type[IzhigenError] = ModelError) -> tuple[Any, Unit]:
    """The numbers of a quantity, and the unit that they are in.

    Raises
    ------
    error
        Where its unit cannot be read, or counts from another zero than SI.
    """
    magnitude, unit, written = _parts(value, where, error)
    if unit.celsius:
        raise error(f"{where} is given in {written}; give it in kelvin")
    return magnitude, unit


def scaled(value: Any, power: float) -> Any:
    """A number or array times a power of ten, in double precision; a number of up to 15 digits stays one."""
    if not power:
        return value
    factor = np.float64(10.0 ** abs(power))
    is_decimal = isinstance(value, Decimal) or (isinstance(value, np.floating) and value.dtype.itemsize < DOUBLE)
    own: Any = float(str(value)) if is_decimal else value  # np.float32(0.1) means 0.1
    with np.errstate(over="ignore"):  # what is infinite then is refused as such where it is used
        found = own * factor if power > 0 else own / factor
    return float(f"{float(found):.15g}") if _is_number(found) else found


def _is_number(value: Any) -> bool:
    """Whether a value is one real number, also as an array without axes."""
    if isinstance(value, np.ndarray):
        return value.ndim == 0 and value.dtype.kind in "iuf" and not np.ma.is_masked(value)
    return isinstance(value, numbers.Real)


def _parts(value: Any, where: str, error: type[IzhigenError]) -> tuple[Any, Unit, str]:
    """The numbers of a quantity, their unit, and how that is written."""
    if isinstance(value, str):
        number, text = read_text(value, where, error)
        return number, unit_of_text(text) if text else PLAIN, text
    try:
        if hasattr(value, "dimensionality") and hasattr(value, "m_as"):
            return _of_pint(value)
        if hasattr(value, "decompose"):
            return _of_astropy(value)
        if hasattr(value, "dim"):
            return _of_brian2(value)
        raise ValueError(
            f"{type(value).__module__.partition('.')[0]} is not known; give one of pint, astropy or Brian2"
        )
    except Exception as problem:  # of another library, in a version that is not known here
        raise error(
            f"{where}: the unit of {shown(value)} cannot be read ({type(problem).__name__}: {problem})"
        ) from None


def _of_pint(value: Any) -> tuple[Any, Unit, str]:
    dimensions = dict(value.dimensionality)
    exponents = tuple(Fraction(dimensions.pop(name, 0)).limit_denominator(1000) for name in _OF_PINT)
    _refuse_rest(dimensions)
    si = "*".join(f"{name}**{float(power)}" for name, power in zip(_SI, exponents) if power)
    zero, one = (float(type(value)(number, value.units).to(si or "dimensionless").magnitude) for number in (0, 1))
    written = str(value.units)
    if zero == 0:
        return value.magnitude, Unit(_rounded(one), exponents), written
    if zero != ZERO_CELSIUS:
        raise ValueError(f"the zero of {written} is another than in SI; convert it first")
    return value.magnitude, unit_of_text("degC"), written


def _of_astropy(value: Any) -> tuple[Any, Unit, str]:
    base = value.unit.decompose()
    powers = {unit.name: power for unit, power in zip(base.bases, base.powers)}
    powers.pop("rad", None)
    celsius = Fraction(powers.pop("deg_C", 0)).limit_denominator(1000)
    exponents = tuple(Fraction(powers.pop(name, 0)).limit_denominator(1000) for name in _OF_ASTROPY)
    _refuse_rest(powers)
    unit = Unit(_rounded(float(base.scale)), exponents) * unit_of_text("degC").power(celsius)
    values = value.value
    if np.any(getattr(value, "mask", False)):
        values = np.ma.masked_array(values.unmasked, value.mask)
    return values if np.ma.isMaskedArray(values) else np.asarray(values)[()], unit, str(value.unit) or "1"


def _of_brian2(value: Any) -> tuple[Any, Unit, str]:
    dimensions = list(value.dim._dims)
    exponents = tuple(Fraction(dimensions[place]).limit_denominator(1000) for place in _OF_BRIAN2)
    _refuse_rest({"candela": dimensions[6]})
    unit = Unit(0.0, exponents)
    return np.asarray(value)[()], unit, str(unit)


def _refuse_rest(powers: dict[str, Any]) -> None:
    left = [name for name, power in powers.items() if power]
    if left:
        raise ValueError(f"{', '.join(left)} in it")


def _rounded(factor: float) -> float:
    """The decimal logarithm, whole where rounding alone keeps it from that."""
    found = log10(factor)
    return float(round(found)) if abs(found - round(found)) < 1e-12 else found
