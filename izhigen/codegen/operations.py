"""Counting operations, and what each is taken to cost; the one place for both.

A product that is added to something is one multiply-add: contraction is on, and the printer orders sums so that it
applies. Signs, numbers and copies count nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanFunction

from izhigen.derive import functions as f

COST = {
    "multiply-add": 1,
    "addition": 1,
    "multiplication": 1,
    "select": 1,
    "comparison": 1,
    "absolute": 1,
    "maximum": 1,
    "minimum": 1,
    "limited": 2,
    "capped": 2,
    "division": 8,
    "sqrt": 8,
    "exp": 12,
    "expm1": 16,
    "phi1": 16,
    "cosh_sqrt": 24,
    "sinhc_sqrt": 24,
    "tanh": 24,
    "pow": 60,
    "phi1_mean": 120,
    "phi1_difference": 20,
    "phi1_action": 800,
    "phi1_block": 200,
    "block_covariance": 400,
}
"""Vector instructions as long as one multiply-add, read from generated code; they only rank forms of an expression."""
OTHER_CALL = 30
"""Cost of a function that the table does not name."""
COUNTED_AS = {"phi1_ranged": "phi1", "phi2_ranged": "phi2", "time_since": "addition"}
"""What a kernel's own functions count as."""
_ARITHMETIC = ("multiply-add", "addition", "multiplication", "division", "comparison", "select")


@dataclass(frozen=True)
class Operations:
    """How many operations of each kind.

    Attributes
    ----------
    kinds : tuple of (str, int)
        Kind and number: arithmetic first, then functions by name.
    """

    kinds: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        """All operations, each counted as one."""
        return sum(number for _, number in self.kinds)

    @property
    def cost(self) -> int:
        """All operations, weighted by :data:`COST`."""
        return sum(number * COST.get(kind, OTHER_CALL) for kind, number in self.kinds)

    def __getitem__(self, kind: str) -> int:
        return dict(self.kinds).get(kind, 0)

    def __str__(self) -> str:
        return (
            ", ".join(
                f"{number} {kind}{'s' if number > 1 and kind in _ARITHMETIC else ''}" for kind, number in self.kinds
            )
            or "nothing"
        )


def count(expressions: Iterable[Any], inlined: Mapping[Any, Operations] | None = None) -> Operations:
    """The operations of expressions as printed, each where it stands; ``inlined`` tells those of a symbol."""
    found: Counter[str] = Counter()
    for expression in expressions:
        for part in sp.preorder_traversal(expression):
            found.update(dict(own_operations(part)))
            if inlined and part in inlined:
                found.update(dict(inlined[part].kinds))
    order = {kind: place for place, kind in enumerate(_ARITHMETIC)}
    return Operations(
        tuple(
            sorted(((k, n) for k, n in found.items() if n), key=lambda item: (order.get(item[0], len(order)), item[0]))
        )
    )


def own_operations(
    node: Any, free: Callable[[Any], bool] = lambda part: not part.args and part.is_number
) -> tuple[tuple[str, int], ...]:
    """The operations of a node itself, its arguments apart; those that are ``free`` count as one value together."""
    if not node.args:
        return ()
    if node.is_Add:
        return _sum(node, free)
    if node.is_Mul:
        return _product(node, free)
    if node.is_Pow:
        return _power(node)
    if isinstance(node, f.where):
        return (("select", 1),)
    if isinstance(node, f.heaviside):
        return ("comparison", 1), ("select", 1)
    if isinstance(node, Relational):
        return (("comparison", 1),)
    if isinstance(node, BooleanFunction):
        return (("comparison", max(len(node.args) - 1, 0)),)
    name = type(node).__name__.rstrip("_")
    return ((COUNTED_AS.get(name, name), 1),)


def _terms(node: Any, free: Callable[[Any], bool]) -> tuple[list[Any], int]:
    """The arguments that vary, and how many operands that makes with the free ones taken together."""
    varying = [a for a in node.args if not free(a)]
    rest = [a for a in node.args if free(a)]
    return varying, len(varying) + (1 if any(a != -1 for a in rest) or (node.is_Add and rest) else 0)


def _sum(node: Any, free: Callable[[Any], bool]) -> tuple[tuple[str, int], ...]:
    varying, operands = _terms(node, free)
    fused = min(operands - 1, sum(multiplies(a, free) for a in varying))
    # a fused product counts its multiplication as well: take it back
    return ("multiply-add", fused), ("addition", operands - 1 - fused), ("multiplication", -fused)


def multiplies(term: Any, free: Callable[[Any], bool]) -> bool:
    """Whether the last operation of a term is a multiplication."""
    return dict(own_operations(term, free)).get("multiplication", 0) > 0 and not _quotient(term, free)


def _quotient(term: Any, free: Callable[[Any], bool]) -> bool:
    return any(is_reciprocal(a) and not free(a) for a in (term.args if term.is_Mul else (term,)))


def is_reciprocal(part: Any) -> bool:
    """Whether a factor is a division."""
    return bool(part.is_Pow and part.exp.is_Integer and part.exp < 0)


def _product(node: Any, free: Callable[[Any], bool]) -> tuple[tuple[str, int], ...]:
    varying, operands = _terms(node, free)
    below = sum(is_reciprocal(a) for a in varying)
    above = operands - below
    # "1 / x" is the reciprocal's own division; a / b / c is printed as a / (b * c)
    return ("multiplication", max(above - 1, 0) + max(below - 1, 0)), ("division", 1 - below if below else 0)


def _power(node: Any) -> tuple[tuple[str, int], ...]:
    exponent = node.exp
    if exponent.is_Integer:
        n = abs(int(exponent))
        return ("multiplication", n.bit_length() + n.bit_count() - 2), ("division", int(bool(exponent < 0)))
    if exponent.is_Rational and exponent.q == 2:
        whole = (abs(int(exponent.p)) - 1) // 2
        return (
            ("sqrt", 1),
            ("multiplication", whole.bit_length() + whole.bit_count() - 1 if whole else 0),
            ("division", int(bool(exponent < 0))),
        )
    return (("pow", 1),)
