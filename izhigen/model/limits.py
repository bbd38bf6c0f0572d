"""How large a model may be, so that it is derived within seconds."""

from __future__ import annotations

from izhigen.errors import ModelError
from izhigen.model.expressions import Binary, Expression, Name, Node, children

MOST_LINES = 300
"""Most algebraic lines of a model."""
MOST_NODES, MOST_DEPTH = 3_000, 100
"""Largest right-hand side, with all lines inlined, that is derived: parts, and levels of nesting.

A chain of terms or of factors is one level. Lines that double one another take the longest: derivation and source of
1,500 parts take 2 seconds on one core, of 3,000 parts 5.
"""


def check_inlined(name: str, expression: Expression, done: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Size and depth of an expression with its lines inlined; an error beyond what can be derived in seconds."""

    def measure(node: Node) -> tuple[int, int]:
        if isinstance(node, Name):
            return done.get(node.id, (1, 1))
        links, operands = _chain(node)
        parts = [measure(operand) for operand in operands]
        return links + sum(size for size, _ in parts), 1 + max((depth for _, depth in parts), default=0)

    size, depth = measure(expression.tree)
    if size > MOST_NODES or depth > MOST_DEPTH:
        raise ModelError(
            f"equation {name}: with all lines inlined it has {size} parts nested {depth} deep, "
            f"more than {MOST_NODES} and {MOST_DEPTH}; make a slow part a state of its own, or simplify"
        )
    return size, depth


_SAME_LEVEL = {"+": "+-", "-": "+-", "*": "*/", "/": "*/"}


def _chain(node: Node) -> tuple[int, list[Node]]:
    """The operators of a chain such as ``a + b - c``, which nests to the left, and its operands; of another
    node, 1 and its parts.
    """
    if not isinstance(node, Binary) or node.operator not in _SAME_LEVEL:
        return 1, list(children(node))
    links = 0
    operands: list[Node] = []
    left: Node = node
    while isinstance(left, Binary) and left.operator in _SAME_LEVEL[node.operator]:
        links += 1
        operands.append(left.right)
        left = left.left
    return links, [*operands, left]
