"""Derivatives that stay about as large as what they are derivatives of."""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.functions import where

LONG = 8
"""Products of more factors that vary are split in halves: their derivative then has n log n factors, not n squared."""


def derivative(expression: Any, name: sp.Symbol) -> Any:
    """The partial derivative, as SymPy gives it; long products by ``(p*q)' = p'*q + p*q'`` of their halves."""
    return _derivative(expression, name, {})


def _derivative(expression: Any, name: sp.Symbol, known: dict[Any, Any]) -> Any:
    if expression not in known:
        known[expression] = (
            _of_parts(expression, name, known) if _has_long_product(expression) else expression.diff(name)
        )
    return known[expression]


def _has_long_product(expression: Any) -> bool:
    return any(part.is_Mul and len(part.args) > LONG for part in sp.preorder_traversal(expression))


def _of_parts(expression: Any, name: sp.Symbol, known: dict[Any, Any]) -> Any:
    if name not in expression.free_symbols:
        return sp.S.Zero
    if expression.is_Add:
        return sp.Add(*(_derivative(a, name, known) for a in expression.args))
    if expression.is_Mul:
        fixed = [a for a in expression.args if name not in a.free_symbols]
        return sp.Mul(*fixed, _of_product([a for a in expression.args if name in a.free_symbols], name, known))
    if isinstance(expression, where):
        condition, first, second = expression.args
        return where(condition, _derivative(first, name, known), _derivative(second, name, known))
    if expression.is_Pow and expression.exp.is_number:
        base, exponent = expression.args
        return exponent * base ** (exponent - 1) * _derivative(base, name, known)
    if isinstance(expression, sp.Function):
        slopes = ((expression.fdiff(i), _derivative(a, name, known)) for i, a in enumerate(expression.args, start=1))
        return sp.Add(*(outer * inner for outer, inner in slopes if inner != 0))
    return expression.diff(name)


def _of_product(factors: list[Any], name: sp.Symbol, known: dict[Any, Any]) -> Any:
    if len(factors) == 1:
        return _derivative(factors[0], name, known)
    half = len(factors) // 2
    left, right = factors[:half], factors[half:]
    return _of_product(left, name, known) * sp.Mul(*right) + sp.Mul(*left) * _of_product(right, name, known)
