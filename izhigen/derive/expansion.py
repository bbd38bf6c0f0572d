"""Sizes of expressions, and expansion with a bound: a product of sums may have more terms than there is memory for.

An expression is a graph whose parts are shared; written out as a tree it may be exponentially larger. What walks over
trees (as most of SymPy does) is asked only for what :func:`tree_size` says is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from typing import Any

import sympy as sp

MOST_TERMS = 400
"""Expressions that would expand to more terms than this stay as they are."""


def tree_size(expression: Any, inlined: Mapping[Any, int] | None = None) -> int:
    """The number of parts of an expression written out as a tree; ``inlined`` tells how many a symbol stands for."""
    known: dict[Any, int] = dict(inlined or {})

    def size(part: Any) -> int:
        if part not in known:
            known[part] = 1 + sum(size(a) for a in part.args)
        return known[part]

    return size(expression)


def expanded_terms(expression: Any) -> int:
    """An upper bound on the number of terms after expansion; sums inside functions count on their own."""
    return _expanded_terms(expression, {})


def _expanded_terms(expression: Any, known: dict[Any, int]) -> int:
    if expression not in known:
        known[expression] = _terms_of(expression, [_expanded_terms(a, known) for a in expression.args])
    return known[expression]


def _terms_of(expression: Any, sizes: list[int]) -> int:
    """The same of an expression whose arguments expand to terms of these numbers."""
    if not sizes:
        return 1
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
    """Products and integer powers of sums multiplied out where the result stays small; not within functions."""
    if expanded_terms(expression) > MOST_TERMS:
        return expression
    return sp.expand(
        expression, deep=False, power_base=False, power_exp=False, log=False, func=False, trig=False, basic=False
    )
