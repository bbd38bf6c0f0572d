"""Expressions of models in the grammar of LEMS, and dimensions and units by their names there."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce

from izhigen.errors import ModelError
from izhigen.importers.lems.dimensions import KNOWN_DIMENSIONS, KNOWN_UNITS, NONE, Dimension, Unit
from izhigen.importers.lems.expressions import FUNCTIONS, RELATIONS, number_text, opposite, substituted
from izhigen.importers.lems.marks import FORMS
from izhigen.model.expressions import NEW, Binary, Call, Compare, Logical, Moment, Name, Negative, Node, Number
from izhigen.units.dimensions import unit_of_text

_CALLED = {function: name for name, function in FUNCTIONS.items() if name not in ("ln", "H")}
_RELATION = {operator: word for word, operator in reversed(RELATIONS.items())}
_LEVEL = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}


class ExpressionText:
    """Writes expressions.

    Parameters
    ----------
    line : callable
        Gives ``where(condition, a, b)`` a name, which stands in its place.
    at_start : callable
        What ``old(...)`` is: a tree that reads other names.
    """

    def __init__(self, line: Callable[[Call], str], at_start: Callable[[Node], Node]) -> None:
        self._line, self._at_start = line, at_start

    def write(self, node: Node) -> str:
        """The text of a number or a condition."""
        return self._written(node, 0)

    def _written(self, node: Node, level: int, is_followed: bool = False) -> str:
        """The text of a node; in parentheses where it binds weaker than ``level``. ``is_followed`` says that another
        operator comes after it, within the same parentheses.
        """
        if isinstance(node, Name):
            return node.id
        if isinstance(node, Number):
            text = number_text(node.value)
            return f"({text})" if (level > 0 and not text[0].isdigit()) or "/" in text else text
        if isinstance(node, Negative):
            text = f"-{self._written(node.operand, 5)}"
            return f"({text})" if level > 0 else text
        if isinstance(node, Binary):
            return self._binary(node, level, is_followed)
        if isinstance(node, Compare):
            return f"{self._written(node.left, 1)} {_RELATION[node.operator]} {self._written(node.right, 1)}"
        if isinstance(node, Logical):
            return self._logical(node)
        if isinstance(node, Moment):
            inner = node.operand if node.which == NEW else self._at_start(node.operand)
            return self._written(inner, level, is_followed)
        return self._call(node, level)

    def _binary(self, node: Binary, level: int, is_followed: bool) -> str:
        own = _LEVEL[node.operator]
        left, right, sign = (5, 5, "^") if node.operator == "**" else (own, own + 1, f" {node.operator} ")
        if is_followed and own >= level:  # PyLEMS reads a - b * c - d as a - (b * c - d), and so with functions
            right = 5
        text = self._written(node.right, right)
        if right == 5 and re.match(r"\w+\(", text):
            text = f"({text})"
        text = f"{self._written(node.left, left, True)}{sign}{text}"
        return f"({text})" if own < level else text

    def _logical(self, node: Logical) -> str:
        if node.operator == "not":
            return self._written(opposite(node.operands[0]), 0)
        parts = [
            f"({self._written(part, 0)})" if isinstance(part, Logical) else self._written(part, 0)
            for part in node.operands
        ]
        return f" .{node.operator}. ".join(parts)

    def _call(self, node: Call, level: int) -> str:
        if node.function in FORMS:
            return self._written(substituted(FORMS[node.function], dict(zip("ab", node.arguments))), level)
        if node.function == "where":
            return self._line(node)
        argument = self._written(node.arguments[0], 0)
        if node.function == "floor":
            return f"(-ceil(-({argument})))"
        called = _CALLED.get(node.function)
        if called is None:
            raise ModelError(
                f"LEMS has no {node.function}(), and no other functions to say it by; write it with others"
            )
        return f"{called}({argument})"


def binary(node: Node) -> Node:
    """``clip(...)``, and ``min(...)`` and ``max(...)`` of many, by those of two."""
    if not isinstance(node, Call):
        return node
    if node.function == "clip":
        value, low, high = node.arguments
        return Call("min", (Call("max", (value, low)), high))
    if node.function in ("min", "max"):
        return reduce(lambda a, b: Call(node.function, (a, b)), node.arguments)
    return node


class UnitNames:
    """Dimensions and units by their names in LEMS: those of NeuroML's core, and others that a file uses, which it has
    to declare.
    """

    def __init__(self) -> None:
        self.dimensions: dict[str, Dimension] = {}
        self.units: dict[str, tuple[str, int]] = {}

    def dimension(self, text: str) -> str:
        """The name of a unit's dimension."""
        found = self._exponents(text)
        if found == NONE:
            return "none"
        known = {exponents: name for name, exponents in {**self.dimensions, **KNOWN_DIMENSIONS}.items()}
        if found not in known:
            name = symbol_of(text)
            while name in KNOWN_DIMENSIONS.keys() | self.dimensions.keys():
                name += "_"
            known[found], self.dimensions[name] = name, found
        return known[found]

    def _exponents(self, text: str) -> Dimension:
        exponents = unit_of_text(text).exponents
        if any(each.denominator != 1 for each in exponents):
            raise ModelError(f"unit {text}: a dimension of LEMS has whole exponents")
        return tuple(int(each) for each in exponents)

    def quantity(self, value: float, text: str) -> str:
        """A value with its unit."""
        number, dimension, scale = repr(value), self.dimension(text), unit_of_text(text).scale
        power = round(scale)
        if abs(scale - power) > 1e-9:
            raise ModelError(f"unit {text} is no power of ten of SI units, as those of LEMS are; take another")
        if dimension == "none":
            if power:
                raise ModelError(f"unit {text} has no dimension, and is not 1; LEMS has no unit for it")
            return number
        for symbol, unit in KNOWN_UNITS.items():
            if unit == Unit(dimension, power):
                return f"{number} {symbol}"
        symbol = symbol_of(text)
        self.units[symbol] = dimension, power
        return f"{number} {symbol}"


def symbol_of(text: str) -> str:
    """A symbol for a unit, such as ``pA_per_mV2``."""
    spelled = text.replace("**-", "_to_minus_").replace("**", "").replace("/", "_per_").replace("*", "_")
    return re.sub(r"\W", "", spelled).removeprefix("1_").removeprefix("_") or "one"
