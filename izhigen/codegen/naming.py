"""Names for temporaries: what they hold, spelled short; never a bare counter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from izhigen.derive.lowering import symbol

MAX_LENGTH = 24
"""Longest spelled-out name; a longer one becomes ``<owner>_<factor|term|...>``."""


class Namer:
    """Hands out symbols whose names are not taken yet."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fixed(self, wanted: str) -> sp.Symbol:
        """The wanted name, or it with the first free number."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return symbol(name)

    def temporary(self, expression: Any, owner: str) -> sp.Symbol:
        """A name that spells the expression when that is short, else one that says whose part it is."""
        spelled = _spell(expression)
        if spelled is None or len(spelled) > MAX_LENGTH:
            part = (
                "factor"
                if expression.is_Mul
                else "term"
                if expression.is_Add
                else "power"
                if expression.is_Pow
                else type(expression).__name__.lower()
            )
            spelled = f"{owner}_{part}" if owner else part
        return self.fixed(spelled)


def _spell(expression: Any) -> str | None:
    if expression.is_Symbol:
        return str(expression.name)
    if expression.is_Integer and expression >= 0:
        return str(expression)
    if expression.is_Mul:
        return _spell_product(expression)
    if expression.is_Pow and expression.exp == -1:
        return _prefixed("inv", expression.base)
    if expression.is_Pow and expression.exp == sp.Rational(1, 2):
        return _prefixed("sqrt", expression.base)
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        base = _spell(expression.base)
        return base and f"{base}_pow{expression.exp}"
    if isinstance(expression, sp.Function) and len(expression.args) == 1:
        return _prefixed(type(expression).__name__.lower(), expression.args[0])
    return None


def _spell_product(expression: Any) -> str | None:
    coefficient, factors = expression.as_coeff_mul()
    parts = [_spell(part) for part in factors]
    if any(part is None for part in parts):
        return None
    if coefficient.is_Integer and abs(coefficient) != 1:
        parts.append(str(abs(coefficient)))
    elif not coefficient.is_Integer:
        return None
    if coefficient < 0:
        parts.insert(0, "minus")
    text = "_".join(str(part) for part in parts)
    return text if text[0].isalpha() else None


def _prefixed(prefix: str, expression: Any) -> str | None:
    spelled = _spell(expression)
    return spelled and f"{prefix}_{spelled}"
