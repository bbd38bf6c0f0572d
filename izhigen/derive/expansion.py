"""Expansion with a bound: user expressions may multiply out to more terms than there is memory for."""

from __future__ import annotations

from math import comb
from typing import Any

import sympy as sp

MOST_TERMS = 400
"""Expressions that would expand to more terms than this stay as they are."""


def expanded_terms(expression: Any) -> int:
    """An upper bound on the number of terms after expansion; sums inside functions count on their own."""
    if not expression.args:
        return 1
    sizes = [expanded_terms(a) for a in expression.args]
    if expression.is_Add:
        return min(sum(sizes), MOST_TERMS + 1)
    if expression.is_Mul:
        product = 1
        for size in sizes:
            product = min(product * size, MOST_TERMS + 1)
        return product
    if expression.is_Pow and expression.exp.is_Integer:
        power = min(abs(int(expression.exp)), MOST_TERMS)
        return min(comb(sizes[0] + power - 1, power), MOST_TERMS + 1)
    return max(sizes) if max(sizes) > MOST_TERMS else 1


def bounded_expand(expression: Any) -> Any:
    """Products and integer powers of sums multiplied out where the result stays small; arguments of functions stay as they are."""
    if expanded_terms(expression) > MOST_TERMS:
        return expression
    return sp.expand(
        expression, deep=False, power_base=False, power_exp=False, log=False, func=False, trig=False, basic=False
    )
