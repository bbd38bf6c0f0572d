"""Removable singularities of gating rates, rewritten to phi1.

``c*w/(exp(w) - 1)`` is 0/0 at w = 0, where its limit is c. It equals ``c/phi1(w)``, which has no hole and no
cancellation. The rewrite is exact: proportionality of numerator and exponent is decided on polynomials with
rational coefficients, never numerically.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.functions import expm1, phi1

MOST_OPERATIONS = 60
"""Numerators and exponents larger than this are not looked at."""


def remove_singularities(expression: Any) -> Any:
    """Rewrite every ``p*w/(a*exp(w) + b)`` that has a removable zero, and ``(exp(w) - 1)/w``, to phi1.

    Parts that do not match stay as they are.
    """
    if not expression.args or isinstance(expression, (sp.core.relational.Relational,)):
        return expression
    rebuilt = expression.func(*(remove_singularities(a) for a in expression.args))
    return _rewrite_product(rebuilt) if rebuilt.is_Mul else rebuilt


def _rewrite_product(product: Any) -> Any:
    factors = list(sp.Mul.make_args(product))
    for index, factor in enumerate(factors):
        if not (factor.is_Pow and factor.exp == -1):
            continue
        rest = factors[:index] + factors[index + 1 :]
        replaced = _over_exponential(factor.base, rest) or _over_linear(factor.base, rest)
        if replaced is not None:
            return _rewrite_product(replaced) if replaced.is_Mul else replaced
    return product


def _over_exponential(denominator: Any, numerators: list[Any]) -> Any:
    """The product of ``numerators`` over ``scale*(exp(w) - 1)``, if one of them is c*w."""
    matched = _scaled_expm1(denominator)
    if matched is None:
        return None
    scale, w = matched
    for index, numerator in enumerate(numerators):
        ratio = _proportion(numerator, w)
        if ratio is not None:
            others = numerators[:index] + numerators[index + 1 :]
            return sp.Mul(ratio / scale, *others) / phi1(w)
    return None


def _over_linear(denominator: Any, numerators: list[Any]) -> Any:
    """The product of ``numerators`` over c*w, if one of them is ``scale*(exp(w) - 1)``."""
    for index, numerator in enumerate(numerators):
        matched = _scaled_expm1(numerator)
        if matched is None:
            continue
        scale, w = matched
        ratio = _proportion(denominator, w)
        if ratio is not None:
            others = numerators[:index] + numerators[index + 1 :]
            return sp.Mul(scale / ratio, *others) * phi1(w)
    return None


def _scaled_expm1(expression: Any) -> tuple[Any, Any] | None:
    """``(scale, w)`` with ``expression = scale*(exp(w) - 1)`` exactly, or None.

    Matches ``a*exp(v) + b`` for opposite-signed factors a, b free of v's symbols up to a positive number:
    ``a*exp(v) + b = -b*(exp(v + log(-a/b)) - 1)``.
    """
    if isinstance(expression, expm1):
        return sp.S.One, expression.args[0]
    if expression.is_Mul:
        inner = [a for a in expression.args if isinstance(a, expm1)]
        if len(inner) == 1:
            return expression / inner[0], inner[0].args[0]
    if not expression.is_Add or len(expression.args) != 2:
        return None
    for exponential, constant in (expression.args, expression.args[::-1]):
        coefficient, body = exponential.as_independent(sp.exp, as_Add=False)
        if not isinstance(body, sp.exp) or constant.has(sp.exp):
            continue
        quotient = -coefficient / constant
        if quotient.is_Rational and quotient.is_positive:
            w = body.args[0] + sp.log(quotient)
            return -constant, w
    return None


def _proportion(numerator: Any, w: Any) -> Any:
    """The constant c with ``numerator == c*w``, or None; both as polynomials over the rationals."""
    symbols = sorted(w.free_symbols & numerator.free_symbols, key=lambda s: s.name)
    if not symbols or max(sp.count_ops(numerator), sp.count_ops(w)) > MOST_OPERATIONS:
        return None
    main = symbols[0]
    try:
        numerator_poly, w_poly = sp.Poly(numerator, main), sp.Poly(w, main)
    except sp.PolynomialError:
        return None
    if numerator_poly.degree() != w_poly.degree() or w_poly.degree() < 1:
        return None
    ratio = sp.cancel(numerator_poly.LC() / w_poly.LC())
    if ratio.has(sp.exp) or sp.expand(numerator - ratio * w) != 0:
        return None
    return ratio
