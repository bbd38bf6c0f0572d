"""Functions of what a block of steps shares, computed once a block instead of in every step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy as sp

from izhigen.derive.lowering import symbol


class Constants:
    """Calls of functions of known symbols alone, under names of their own.

    Attributes
    ----------
    known : set of Symbol
    found : list of (str, Expr)
        Names, and what they stand for, in order.
    """

    def __init__(self, known: Iterable[sp.Symbol], kind: str = "constant") -> None:
        self.known, self.found = set(known), list[tuple[str, Any]]()
        self._names: dict[Any, sp.Symbol] = {}
        self._kind = kind

    def keep(self, name: sp.Symbol, value: Any) -> None:
        """Take a value under its name."""
        self.found.append((name.name, value))
        self.known.add(name)

    def hoisted(self, expression: Any) -> Any:
        """The expression with names in the place of such calls."""
        for call in sorted(expression.atoms(sp.Function), key=sp.default_sort_key):
            if call not in self._names and call.free_symbols and call.free_symbols <= self.known:
                name = symbol(f"{self._kind} {len(self._names)}")  # no name of a model has a blank
                self._names[call] = name
                self.keep(name, call)
        return expression.xreplace(self._names)
