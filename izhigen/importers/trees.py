"""Trees of the equation language as an import puts them together: written as text, with other parts in the place of
names, and taken apart where noise enters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from fractions import Fraction

from izhigen.errors import ModelError
from izhigen.model.expressions import (
    MAX_DIGITS,
    Binary,
    Call,
    Compare,
    Logical,
    Moment,
    Name,
    Negative,
    Node,
    Number,
    children,
    walk,
)

ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))
MOST_PARTS = 5_000
"""Largest tree that an import puts together."""
_PRECEDENCE = {"or": 1, "and": 2, "not": 3, "+": 5, "-": 5, "*": 6, "/": 6, "**": 8}
_COMPARISON, _SIGN, _ATOM = 4, 7, 9


def written(node: Node) -> str:
    """A tree as text of the equation language, without parentheses that it can do without.

    Raises
    ------
    ModelError
        For a number that takes too many digits.
    """
    return _written(node)[0]


def _written(node: Node) -> tuple[str, int]:
    """The text, and how closely its outermost operator binds."""
    if isinstance(node, Number):
        return _number(node.value)
    if isinstance(node, Name):
        return node.id, _ATOM
    if isinstance(node, Call):
        return f"{node.function}({', '.join(map(written, node.arguments))})", _ATOM
    if isinstance(node, Moment):
        return f"{node.which}({written(node.operand)})", _ATOM
    if isinstance(node, Negative):
        return f"-{_within(node.operand, _SIGN)}", _SIGN
    if isinstance(node, Compare):
        sides = (_within(side, _COMPARISON + 1) for side in (node.left, node.right))
        return f" {node.operator} ".join(sides), _COMPARISON
    own = _PRECEDENCE[node.operator]
    if isinstance(node, Logical):
        if node.operator == "not":
            return f"not {_within(node.operands[0], own + 1)}", own
        return f" {node.operator} ".join(_within(part, own + 1) for part in node.operands), own
    if node.operator == "**":
        return f"{_within(node.left, own + 1)}**{_within(node.right, own)}", own
    between = f" {node.operator} " if own == _PRECEDENCE["+"] else node.operator
    return f"{_within(node.left, own)}{between}{_within(node.right, own + 1)}", own


def _within(node: Node, least: int) -> str:
    """The text of an operand, in parentheses where its operator does not bind closely enough."""
    text, binds = _written(node)
    return text if binds >= least else f"({text})"


def _number(value: Fraction) -> tuple[str, int]:
    """A decimal where there is an exact one, else a quotient."""
    text = _decimal(value)
    if len(text) <= MAX_DIGITS:
        return text, _SIGN if value < 0 else _ATOM
    if max(len(str(value.numerator)), len(str(value.denominator))) > MAX_DIGITS:
        raise ModelError(f"a constant of {float(value):.6g} takes too many digits to be written; give it fewer")
    return f"{value.numerator}/{value.denominator}", _PRECEDENCE["/"] if value > 0 else _PRECEDENCE["-"]


def _decimal(value: Fraction) -> str:
    """A number in decimal; longer than any that may be written where it has no end."""
    rest, places = value.denominator, 0
    for factor in (2, 5):
        count = 0
        while rest % factor == 0:
            rest, count = rest // factor, count + 1
        places = max(places, count)
    if rest != 1:
        return " " * (MAX_DIGITS + 1)
    digits = str(abs(value.numerator) * 10**places // value.denominator)
    sign = "-" if value < 0 else ""
    if places == 0:
        short = digits.rstrip("0")
        zeros = len(digits) - len(short)
        return sign + (digits if zeros < 6 or not short else f"{short}e{zeros}")
    if places < 7 or places < len(digits) + 4:
        padded = digits.rjust(places + 1, "0")
        return f"{sign}{padded[:-places]}.{padded[-places:]}"
    return f"{sign}{digits}e-{places}"


def size_of(node: Node, limit: int = MOST_PARTS) -> int:
    """How many parts a tree has; counting stops beyond the limit."""
    found, waiting = 0, [node]
    while waiting and found <= limit:
        found += 1
        waiting += children(waiting.pop())
    return found


def names_in(node: Node) -> set[str]:
    """The names that a tree reads."""
    return {part.id for part in walk(node) if isinstance(part, Name)}


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The tree with every part changed, after the parts of it."""
    if isinstance(node, (Binary, Compare)):
        node = type(node)(node.operator, rebuilt(node.left, change), rebuilt(node.right, change))
    elif isinstance(node, Negative):
        node = Negative(rebuilt(node.operand, change))
    elif isinstance(node, Moment):
        node = Moment(node.which, rebuilt(node.operand, change))
    elif isinstance(node, Logical):
        node = Logical(node.operator, tuple(rebuilt(part, change) for part in node.operands))
    elif isinstance(node, Call):
        node = Call(node.function, tuple(rebuilt(part, change) for part in node.arguments))
    return change(node)


def substituted(node: Node, values: Mapping[str, Node], where: str) -> Node:
    """The tree with others in the place of names.

    Raises
    ------
    ModelError
        Where it grows too large.
    """
    if not values or not names_in(node) & values.keys():
        return node
    growth = sum(size_of(values[part.id]) for part in walk(node) if isinstance(part, Name) and part.id in values)
    if growth + size_of(node) > MOST_PARTS:
        raise ModelError(f"{where}: with what it reads put in its place it has more than {MOST_PARTS} parts; simplify")
    return rebuilt(node, lambda part: values.get(part.id, part) if isinstance(part, Name) else part)


def product(left: Node, right: Node) -> Node:
    """Left times right, without factors of one."""
    if left == ONE:
        return right
    return left if right == ONE else Binary("*", left, right)


def total(left: Node | None, right: Node | None, operator: str = "+") -> Node | None:
    """Left plus (or minus) right, either of which may be missing."""
    if right is None:
        return left
    if left is None:
        return right if operator == "+" else Negative(right)
    return Binary(operator, left, right)


def linear_parts(node: Node, variables: Collection[str], where: str) -> tuple[Node | None, dict[str, Node]]:
    """What a tree consists of beside ``variables``, and the factor of each; it has to be linear in them.

    Raises
    ------
    ModelError
        Where a variable stands elsewhere than in a sum or as a factor.
    """
    if not names_in(node) & set(variables):
        return node, {}
    if isinstance(node, Name):
        return None, {node.id: ONE}
    if isinstance(node, Negative):
        rest, factors = linear_parts(node.operand, variables, where)
        return total(None, rest, "-"), {name: Negative(factor) for name, factor in factors.items()}
    if isinstance(node, Binary) and node.operator in ("+", "-"):
        left, of_left = linear_parts(node.left, variables, where)
        right, of_right = linear_parts(node.right, variables, where)
        both = {name: total(of_left.get(name), of_right.get(name), node.operator) for name in {**of_left, **of_right}}
        return total(left, right, node.operator), {name: f for name, f in both.items() if f is not None}
    if isinstance(node, Binary) and node.operator in ("*", "/"):
        factor, noisy = (node.left, node.right) if names_in(node.right) & set(variables) else (node.right, node.left)
        if not names_in(factor) & set(variables) and not (node.operator == "/" and noisy is node.right):
            rest, factors = linear_parts(noisy, variables, where)

            def scaled(part: Node) -> Node:
                if node.operator == "/":
                    return Binary("/", part, factor)
                return product(factor, part) if noisy is node.right else product(part, factor)

            return None if rest is None else scaled(rest), {name: scaled(f) for name, f in factors.items()}
    names = ", ".join(sorted(names_in(node) & set(variables)))
    raise ModelError(f"{where}: noise enters as a term with a factor, 'dx/dt = f + g*xi'; {names} stands elsewhere")
