"""Expressions of time as a form and its numbers, so that a new number needs no new kernel."""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.model.expressions import Binary, Call, Compare, Logical, Moment, Name, Negative, Node, Number, walk

NOT_IN_FORMS = ("exprel", "sign")
"""Functions without a spelling in the C library."""
LARGEST_EXPONENT = 4
"""Whole exponents up to this one stay in the form: they are products, not numbers."""


@dataclass(frozen=True)
class Form:
    """Text in ``t`` (ms), ``k`` (index of the step) and ``c0, c1, ...``, which stand for ``numbers``."""

    text: str
    numbers: tuple[float, ...]


def form_of(tree: Node) -> Form | None:
    """The form of an expression in t and k; None where it calls a function that forms do not have."""
    if any(isinstance(node, Call) and node.function in NOT_IN_FORMS for node in walk(tree)):
        return None
    numbers: list[float] = []
    return Form(_lifted(tree, numbers), tuple(numbers))


def _lifted(node: Node, numbers: list[float]) -> str:
    """The text of a node, its numbers taken out."""
    if isinstance(node, Number):
        numbers.append(float(node.value))
        return f"c{len(numbers) - 1}"
    if isinstance(node, Name):
        return node.id
    if isinstance(node, Negative):
        return f"(-{_lifted(node.operand, numbers)})"
    if isinstance(node, (Binary, Compare)):
        left, right = _lifted(node.left, numbers), node.right
        if (
            node.operator == "**"
            and isinstance(right, Number)
            and right.value.denominator == 1
            and abs(right.value) <= LARGEST_EXPONENT
        ):
            return f"({left}**({right.value}))"
        return f"({left} {node.operator} {_lifted(right, numbers)})"
    assert not isinstance(node, Moment), "text in t has no moments"
    parts = [_lifted(part, numbers) for part in (node.operands if isinstance(node, Logical) else node.arguments)]
    if isinstance(node, Call):
        return f"{node.function}({', '.join(parts)})"
    return f"(not {parts[0]})" if node.operator == "not" else f"({f' {node.operator} '.join(parts)})"
