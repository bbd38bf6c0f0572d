"""Values that a script has: numbers, text such as ``"10*mV"``, and quantities, as constants of the coherent system."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from izhigen.errors import EquationError, ModelError, shown
from izhigen.importers.brian2_expressions import Reader, Term, boolean, constant
from izhigen.importers.brian2_passages import Passage, read_text
from izhigen.importers.brian2_units import unit_named
from izhigen.importers.coherent import coherent, rounded, to_coherent, unit_text
from izhigen.importers.trees import ONE, ZERO
from izhigen.scalars import carries_unit, read_finite
from izhigen.units.quantities import magnitude_and_unit, scaled


def of_quantity(value: Any, where: str) -> Term:
    """A quantity of Brian2, pint or astropy as a constant.

    Raises
    ------
    ModelError
        Where it is an array, or too large, or its unit cannot be read.
    """
    number, unit = magnitude_and_unit(value, where)
    found = read_finite(number, where, ModelError)
    of_unit = coherent(unit)
    try:
        return constant(to_coherent(Fraction(repr(found)), unit), of_unit)
    except ValueError:  # minutes, inches
        converted = read_finite(scaled(found, unit.scale - of_unit.scale), where, ModelError)
        return constant(Fraction(repr(converted)), of_unit)
    except OverflowError:
        raise ModelError(f"{where} is too large for a number in {unit_text(of_unit)}") from None


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
            reader = Reader(self._meaning, self, lambda name: None, takes_roots=True)
            term = reader.read(Passage(read_text(value, where), where))
            if term.value is None:
                if term.flag is None:
                    raise EquationError(f"{shown(value)} is not a number with a unit, such as '0.5*nA'", where)
                return term
            return term if reader.is_exact else constant(rounded(term.value), term.of_unit)
        if isinstance(value, (bool, np.bool_)):
            return boolean(ONE if value else ZERO)
        if carries_unit(value):
            return of_quantity(value, where)
        if callable(value):
            raise ModelError(f"{where} is a function; name it in inputs={{...: 'unit'}} where it is read as f(t)")
        return constant(Fraction(repr(read_finite(value, where, ModelError))))

    def _meaning(self, name: str) -> Term | None:
        return self[name] if name in self and unit_named(name) is None else None
