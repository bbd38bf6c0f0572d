"""Expressions of models in the grammar of LEMS, and dimensions and units by their names there."""

from __future__ import annotations

import re
from collections.abc import Callable

from izhigen.errors import ModelError
from izhigen.importers.lems.dimensions import KNOWN_DIMENSIONS, KNOWN_UNITS, NONE, Dimension, Unit
from izhigen.importers.lems.expressions import FUNCTIONS, RELATIONS, number_text
from izhigen.model.expressions import Binary, Call, Compare, Logical, Moment, Name, Negative, Node, Number
from izhigen.units.dimensions import unit_of_text

_CALLED = {function: name for name, function in FUNCTIONS.items() if name != "ln"}
_RELATION = {operator: word for word, operator in reversed(RELATIONS.items())}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_LEVEL = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 4}


class ExpressionText:
    """Writes expressions.

    Parameters
    ----------
    choice : callable
        Gives ``where(condition, a, b)`` a name, which stands in its place.
    """

    def __init__(self, choice: Callable[[Call], str]) -> None:
        self._choice = choice

    def write(self, node: Node) -> str:
        """The text of a number or a condition."""
        return self._written(node, 0)

    def _written(self, node: Node, level: int) -> str:
        """The text of a node; in parentheses where it binds weaker than ``level``."""
        if isinstance(node, Name):
            return node.id
        if isinstance(node, Number):
            text = number_text(node.value)
            return f"({text})" if (level > 0 and not text[0].isdigit()) or "/" in text else text
        if isinstance(node, Negative):
            text = f"-{self._written(node.operand, 5)}"
            return f"({text})" if level > 0 else text
        if isinstance(node, Binary):
            return self._binary(node, level)
        if isinstance(node, Compare):
            return f"{self._written(node.left, 1)} {_RELATION[node.operator]} {self._written(node.right, 1)}"
        if isinstance(node, Logical):
            return self._logical(node)
        if isinstance(node, Moment):
            return self._written(node.operand, level)
        return self._call(node)

    def _binary(self, node: Binary, level: int) -> str:
        own = _LEVEL[node.operator]
        left, right = (5, 5) if node.operator == "**" else (own, own + 1)
        sign = "^" if node.operator == "**" else f" {node.operator} "
        text = f"{self._written(node.left, left)}{sign}{self._written(node.right, right)}"
        return f"({text})" if own < level else text

    def _logical(self, node: Logical) -> str:
        if node.operator == "not":
            return self._written(opposite(node.operands[0]), 0)
        parts = [
            f"({self._written(part, 0)})" if isinstance(part, Logical) else self._written(part, 0)
            for part in node.operands
        ]
        return f" .{node.operator}. ".join(parts)

    def _call(self, node: Call) -> str:
        if node.function == "where":
            return self._choice(node)
        called = _CALLED.get(node.function)
        if called is None:
            known = ", ".join(sorted((*_CALLED, "where")))
            raise ModelError(f"LEMS has no {node.function}(); write it with others ({known})")
        return f"{called}({self._written(node.arguments[0], 0)})"


def opposite(condition: Node) -> Node:
    """The condition that holds where another does not."""
    if isinstance(condition, Compare):
        return Compare(_OPPOSITE[condition.operator], condition.left, condition.right)
    assert isinstance(condition, Logical), "conditions are comparisons, or made of them"
    if condition.operator == "not":
        return condition.operands[0]
    operator = "or" if condition.operator == "and" else "and"
    return Logical(operator, tuple(map(opposite, condition.operands)))


class UnitNames:
    """The dimensions and units that a file uses, by their names in LEMS."""

    def __init__(self) -> None:
        self.dimensions: dict[str, Dimension] = {}
        self.units: dict[str, tuple[str, int]] = {}

    def dimension(self, text: str) -> str:
        """The name of a unit's dimension."""
        found = self._exponents(text)
        if found == NONE:
            return "none"
        known = {exponents: name for name, exponents in {**KNOWN_DIMENSIONS, **self.dimensions}.items()}
        name = known.get(found) or f"dimension_{len(self.dimensions) + 1}"
        self.dimensions[name] = found
        return name

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
                self.units[symbol] = dimension, power
                return f"{number} {symbol}"
        symbol = self._symbol(text)
        self.units[symbol] = dimension, power
        return f"{number} {symbol}"

    def _symbol(self, text: str) -> str:
        """A symbol for a unit, such as ``pA_per_mV2``."""
        spelled = text.replace("**-", "_to_minus_").replace("**", "").replace("/", "_per_").replace("*", "_")
        return re.sub(r"\W", "", spelled).removeprefix("1_").removeprefix("_") or "one"
