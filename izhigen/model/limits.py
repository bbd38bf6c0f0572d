"""How large a model may be, so that it is derived within seconds."""

from __future__ import annotations

from typing import Any

from izhigen.errors import ModelError
from izhigen.model.expressions import Expression, Name, children

MOST_LINES = 300
"""Most algebraic lines of a model."""
MOST_NODES, MOST_DEPTH = 5_000, 100
"""Largest right-hand side, with all lines inlined, that is derived: parts, and levels of nesting."""


def check_inlined(name: str, expression: Expression, done: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """Size and depth of an expression with the lines it reads inlined; an error beyond what can be derived in
    reasonable time.
    """

    def measure(node: Any) -> tuple[int, int]:
        if isinstance(node, Name):
            return done.get(node.id, (1, 1))
        parts = [measure(child) for child in children(node)]
        return 1 + sum(size for size, _ in parts), 1 + max((depth for _, depth in parts), default=0)

    size, depth = measure(expression.tree)
    if size > MOST_NODES or depth > MOST_DEPTH:
        raise ModelError(
            f"equation {name}: with all lines inlined it has {size} parts nested {depth} deep, more than "
            f"{MOST_NODES} and {MOST_DEPTH}; "
            "make a slow part a state of its own, or simplify"
        )
    return size, depth
