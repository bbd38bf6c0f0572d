"""SymPy expressions in many digits: every part by mpmath, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import sympy as sp

from izhigen.derive import functions as f

Values = Mapping[Any, Any]
SERIES = mpmath.mpf("0.1")
"""phi functions of smaller arguments are summed as series."""


def phi(order: int, z: Any) -> Any:
    """phi_order(z), by its definition."""
    if abs(z) < SERIES:
        terms = range(mpmath.mp.dps + 10)
        return mpmath.fsum(z**k / mpmath.factorial(k + order) for k in terms)
    value = mpmath.exp(z)
    for k in range(order):
        value = (value - 1 / mpmath.factorial(k)) / z
    return value


def phi1_matrix(matrix: Any) -> Any:
    """phi1 of a square matrix: a block of the exponential of a larger one."""
    n = matrix.rows
    large = mpmath.zeros(2 * n, 2 * n)
    for row in range(n):
        large[row, row + n] = 1
        for column in range(n):
            large[row, column] = matrix[row, column]
    return mpmath.expm(large)[:n, n:]


def _block(row: Any, column: Any, *entries: Any) -> Any:
    n = math.isqrt(len(entries))
    rows = [entries[k * n : (k + 1) * n] for k in range(n)]
    return phi1_matrix(mpmath.matrix(rows))[int(row), int(column)]


def _action(row: Any, *rest: Any) -> Any:
    """An entry of phi1(Z) v, of a matrix given row by row and a vector."""
    n = math.isqrt(len(rest) - 1)
    matrix = mpmath.matrix([rest[k * n : (k + 1) * n] for k in range(n)])
    gains = phi1_matrix(matrix)
    return mpmath.fsum(gains[int(row), column] * value for column, value in enumerate(rest[n * n :]))


def _phi1_pair(m: Any, q: Any, is_difference: bool) -> Any:
    """The mean or the divided difference of phi1 over m + sqrt(q) and m - sqrt(q), which may be complex."""
    root = mpmath.sqrt(q)
    if not root:
        return phi(1, m) - phi(2, m) if is_difference else phi(1, m)
    high, low = phi(1, m + root), phi(1, m - root)
    return mpmath.re((high - low) / (2 * root) if is_difference else (high + low) / 2)


def _of_root(x: Any, is_sine: bool) -> Any:
    """cosh(sqrt(x)) or sinh(sqrt(x))/sqrt(x), times exp(-sqrt(x)) for x > 0."""
    root = mpmath.sqrt(x)
    value = mpmath.cosh(root) if not is_sine else mpmath.sinh(root) / root if root else mpmath.mpf(1)
    return mpmath.re(value * mpmath.exp(-root) if x > 0 else value)


def _root_slope(x: Any) -> Any:
    """(cosh_sqrt(x) - sinhc_sqrt(x))/(2x); at 0 its limit."""
    return (_of_root(x, False) - _of_root(x, True)) / (2 * x) if x else mpmath.mpf(1) / 6


def _covariance(row: Any, column: Any, source: Any, *entries: Any) -> Any:
    """An entry of int_0^1 exp(Zs) D exp(Zs)^T ds, from the exponential of a larger matrix (Van Loan 1978)."""
    n, source = math.isqrt(len(entries)), int(source)
    large = mpmath.zeros(2 * n, 2 * n)
    for k, value in enumerate(entries):
        large[k // n, k % n], large[n + k % n, n + k // n] = -value, value
    large[source, n + source] = 1
    whole = mpmath.expm(large)
    return (whole[n:, n:].T * whole[:n, n:])[int(row), int(column)]


PLAIN = ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "erf", "expm1", "log1p", "atanh", "atan")
VALUES: dict[str, Callable[..., Any]] = {
    **{name: getattr(mpmath, name) for name in PLAIN},
    **{f"phi{order}": (lambda z, order=order: phi(order, z)) for order in (1, 2, 3, 4)},
    "power": mpmath.power,
    "floor": mpmath.floor,
    "phi1_block": _block,
    "phi1_action": _action,
    "block_covariance": _covariance,
    "heaviside": lambda x: mpmath.mpf(x >= 0),
    "signum": mpmath.sign,
    "floor_": mpmath.floor,
    "absolute": abs,
    "phi1_mean": lambda m, q: _phi1_pair(m, q, False),
    "phi1_difference": lambda m, q: _phi1_pair(m, q, True),
    "cosh_sqrt": lambda x: _of_root(x, False),
    "sinhc_sqrt": lambda x: _of_root(x, True),
    "sinhc_sqrt_slope": _root_slope,
    "limited": lambda x: x,
    "capped": lambda x: x,
    "maximum": max,
    "minimum": min,
    "where": lambda condition, a, b: a if condition else b,
}
"""Values in as many digits as mpmath is set to, by the names of functions: of those of the derivation, and of what
declared texts and kernels call.
"""
_COMPARE: dict[Any, Callable[[Any, Any], bool]] = {
    sp.Ge: lambda a, b: a >= b,
    sp.Gt: lambda a, b: a > b,
    sp.Le: lambda a, b: a <= b,
    sp.Lt: lambda a, b: a < b,
    sp.Eq: lambda a, b: a == b,
    sp.Ne: lambda a, b: a != b,
}


def value_of(expression: Any, values: Values, known: dict[Any, Any] | None = None) -> Any:
    """The value of an expression, or whether a condition holds, where symbols have these values.

    Raises
    ------
    NotImplementedError
        For a function that is not known here.
    """
    known = {} if known is None else known
    if expression not in known:
        known[expression] = _value_of(expression, values, known)
    return known[expression]


def _value_of(e: Any, values: Values, known: dict[Any, Any]) -> Any:
    if e.is_Symbol:
        return values[e]
    if e is sp.true or e is sp.false:
        return bool(e)
    if e.is_Rational:
        return mpmath.mpf(int(e.p)) / int(e.q)
    if e.is_Number or e.is_NumberSymbol:
        return mpmath.mpf(sp.N(e, mpmath.mp.dps + 5)._mpf_)
    if isinstance(e, f.where):
        return value_of(e.args[1] if value_of(e.args[0], values, known) else e.args[2], values, known)
    parts = [value_of(part, values, known) for part in e.args]
    if e.is_Add:
        return mpmath.fsum(parts)
    if e.is_Mul:
        return mpmath.fprod(parts)
    if e.is_Pow:
        whole = e.exp.is_Integer and int(e.exp)
        return parts[0] ** whole if whole is not False else mpmath.power(*parts)
    for kind, compare in _COMPARE.items():
        if isinstance(e, kind):
            return compare(*parts)
    if isinstance(e, (sp.And, sp.Or, sp.Not)):
        return all(parts) if isinstance(e, sp.And) else any(parts) if isinstance(e, sp.Or) else not parts[0]
    return _called(e, parts)


def _called(e: Any, parts: list[Any]) -> Any:
    """The value of a function; of one that is not known here by its own digits."""
    name = type(e).__name__
    if name in VALUES:
        return VALUES[name](*parts)
    found = sp.N(e.func(*(sp.Float(str(part), mpmath.mp.dps + 5) for part in parts)), mpmath.mp.dps)
    if not found.is_Number:
        raise NotImplementedError(name)
    return mpmath.mpf(found._mpf_)
