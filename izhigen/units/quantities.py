"""Numbers that bring a unit: text such as ``"0.5*nA"``, and quantities of pint, astropy and Brian2.

The libraries are not imported: their quantities are known by the attributes that they have.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import log10
from typing import Any

import numpy as np

from izhigen.errors import IzhigenError, ModelError, shown
from izhigen.scalars import carries_unit
from izhigen.units.dimensions import PLAIN, Unit, unit_of_text
from izhigen.units.names import check_unit

_TEXT = re.compile(
    r"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(?:(?P<operator>[*/])\s*(?P<unit>\S.*?))?\s*\Z"
)
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
    return float(found["number"]), check_unit(unit, where) if unit else ""


def plain(value: Any, unit: str, where: str, error: type[IzhigenError] = ModelError) -> Any:
    """A value as numbers in a unit: a quantity, or text such as ``"10*ms"``; anything else is returned as it is.

    Raises
    ------
    error
        Where its dimension is another, or there is no unit to convert to.
    """
    if not (isinstance(value, str) or carries_unit(value)):
        return value
    magnitude, given, written = _parts(value, where, error)
    if given == PLAIN and written == "":
        return magnitude
    if not unit:
        raise error(f"{where} is given in {written}, and the model says of no unit; give it one, or a plain number")
    wanted = unit_of_text(unit)
    if not given.is_alike(wanted):
        raise error(f"{where} is given in {written}, and its unit is {unit}")
    return scaled(magnitude, given.scale - wanted.scale)


def magnitude_and_unit(value: Any, where: str, error: type[IzhigenError] = ModelError) -> tuple[Any, Unit]:
    """The numbers of a quantity, and the unit that they are in.

    Raises
    ------
    error
        Where its unit cannot be read.
    """
    magnitude, unit, _ = _parts(value, where, error)
    return magnitude, unit


def scaled(value: Any, power: float) -> Any:
    """A number or array times a power of ten; a number of up to 15 digits stays one."""
    if not power:
        return value
    found = value * 10.0**power if power > 0 else value / 10.0**-power
    return float(f"{float(found):.15g}") if np.ndim(found) == 0 else found


def _parts(value: Any, where: str, error: type[IzhigenError]) -> tuple[Any, Unit, str]:
    """The numbers of a quantity, their unit, and how that is written."""
    if isinstance(value, str):
        number, text = read_text(value, where, error)
        return number, unit_of_text(text) if text else PLAIN, text
    try:
        if hasattr(value, "dimensionality"):
            return _of_pint(value)
        return _of_astropy(value) if hasattr(value, "decompose") else _of_brian2(value)
    except Exception as problem:  # of another library, in a version that is not known here
        raise error(
            f"{where}: the unit of {shown(value)} cannot be read ({type(problem).__name__}: {problem})"
        ) from None


def _of_pint(value: Any) -> tuple[Any, Unit, str]:
    dimensions = dict(value.dimensionality)
    exponents = tuple(Fraction(dimensions.pop(name, 0)).limit_denominator(1000) for name in _OF_PINT)
    _refuse_rest(dimensions)
    si = "*".join(f"{name}**{float(power)}" for name, power in zip(_SI, exponents) if power)
    factor = (1 * value.units).to(si or "dimensionless").magnitude
    return value.magnitude, Unit(_rounded(float(factor)), exponents), str(value.units)


def _of_astropy(value: Any) -> tuple[Any, Unit, str]:
    base = value.unit.decompose()
    powers = {unit.name: power for unit, power in zip(base.bases, base.powers)}
    powers.pop("rad", None)
    exponents = tuple(Fraction(powers.pop(name, 0)).limit_denominator(1000) for name in _OF_ASTROPY)
    _refuse_rest(powers)
    return np.asarray(value.value)[()], Unit(_rounded(float(base.scale)), exponents), str(value.unit)


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
