"""Values that a script has: numbers, text such as ``"10*mV"``, and quantities, as constants of the coherent system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from izhigen.errors import EquationError, ModelError, shown
from izhigen.importers.brian2_expressions import Reader, Term, boolean, constant
from izhigen.importers.brian2_passages import Passage, read_text, read_unit
from izhigen.importers.brian2_units import Dimension, coherent_power, is_whole, unit_named
from izhigen.importers.trees import ONE, ZERO
from izhigen.scalars import carries_unit, read_finite
from izhigen.units.quantities import magnitude_and_unit, scaled


def of_quantity(value: Any, where: str) -> Term:
    """A quantity of Brian2, pint or astropy as a constant.

    Raises
    ------
    ModelError
        Where it is an array, or its unit cannot be read.
    """
    number, unit = magnitude_and_unit(value, where)
    found = read_finite(number, where, ModelError)
    of_unit: Dimension = tuple(unit.exponents)
    power = unit.scale - float(coherent_power(of_unit))
    if not is_whole(of_unit) or power != round(power):
        return constant(Fraction(repr(scaled(found, power))), of_unit)
    return constant(Fraction(repr(found)) * Fraction(10) ** round(power), of_unit)


_NUMBER = re.compile(
    r"\s*(?P<number>[+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][+-]?\d{1,3})?)\s*(?P<operator>[*/])"
)


class Values:
    """Constants by name, each read when it is asked for; text may read others, and may be true or false.

    Parameters
    ----------
    given : mapping
        Name to number, text or quantity. What nobody asks for may be anything, such as a script's ``locals()``.
    what : str
        How errors call it.
    """

    def __init__(self, given: Any, what: str) -> None:
        if not isinstance(given, Mapping):
            raise ModelError(f"{what} is a mapping such as {{'tau': '10*ms'}}, not {type(given).__name__}")
        self._given: Mapping[Any, Any] = given
        self._what = what
        self._reading: list[str] = []
        self._found: dict[str, Term] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._given

    def __iter__(self) -> Any:
        return iter(name for name in self._given if isinstance(name, str))

    def text(self, name: str) -> str | None:
        """What is given as text, unread; None for other values."""
        value = self._given[name]
        return value if isinstance(value, str) else None

    def __getitem__(self, name: str) -> Term:
        """The constant of a name.

        Raises
        ------
        ModelError
            For what is no single real number, and for text that reads itself.
        EquationError
            For text that is no constant.
        """
        if name not in self._found:
            if name in self._reading:
                raise ModelError(f"{self._what}: {' -> '.join((*self._reading, name))} is a circle; give a value")
            self._reading.append(name)
            self._found[name] = self.read(self._given[name], f"{self._what} {shown(name)}")
            self._reading.pop()
        return self._found[name]

    def read(self, value: Any, where: str) -> Term:
        """A value as a constant, which may read the names of this mapping."""
        if isinstance(value, str):
            reader = Reader(lambda name: self[name] if name in self and unit_named(name) is None else None, self, _none)
            term = reader.read(Passage(read_text(value, where), where))
            return term if term.value is not None or term.flag is not None else _with_broken_powers(value, where)
        if isinstance(value, (bool, np.bool_)):
            return boolean(ONE if value else ZERO)
        if carries_unit(value):
            return of_quantity(value, where)
        if callable(value):
            raise ModelError(f"{where} is a function; name it in inputs={{...: 'unit'}} where it is read as f(t)")
        return constant(Fraction(repr(read_finite(value, where, ModelError))))


def _with_broken_powers(text: str, where: str) -> Term:
    """A number times a unit such as ``mV/ms**0.5``."""
    found = _NUMBER.match(text)
    if found is None:
        raise EquationError(f"{shown(text)} is not a number with a unit, such as '0.5*nA'", where)
    unit = text[found.end() :].strip()
    power, of_unit = read_unit(Passage(f"1/{unit}" if found["operator"] == "/" else unit, where))
    value = read_finite(scaled(float(found["number"]), float(power - coherent_power(of_unit))), where, ModelError)
    return constant(Fraction(repr(value)), of_unit)


def _none(_: str) -> None:
    """No function is known."""
