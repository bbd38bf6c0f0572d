"""SymPy expressions as functions of NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial, reduce
from typing import Any

import numpy as np
import sympy as sp

from izhigen.codegen.formats import PHI1_SATURATES
from izhigen.derive.functions import BLOCK_BOUND, LIMIT, cosh_sqrt, sinhc_sqrt, sinhc_sqrt_slope
from izhigen.derive.lowering import symbol
from izhigen.model import functions as f

Array = Any
Environment = Mapping[str, Any]

_HIGHEST = {np.dtype(name): np.dtype(name).type(value) for name, value in PHI1_SATURATES.items()}
"""Above these phi1 saturates; looked up by type, as NumPy makes a type's name anew whenever it is asked for."""


def _phi(order: int, function: Callable[[Array], Array], z: Array) -> Array:
    """A phi function; phi1 saturates as in the generated C, and so the others fall, by their recursion from it."""
    highest = _HIGHEST[np.asarray(z).dtype]
    is_far = z > highest
    value = function(np.where(is_far, highest, z))
    return value if order == 1 else value * (highest / np.where(is_far, z, highest)) ** (order - 1)


def _limited(limits: Mapping[str, Any], x: Array) -> Array:
    """x within the limit of its precision; NaN stays."""
    limit = np.asarray(x).dtype.type(limits[np.asarray(x).dtype.name])
    return np.clip(x, -limit, limit)


def _matrix(entries: tuple[Array, ...]) -> tuple[Array, int]:
    """Matrices from their entries in double precision, and how often to halve each to get all row sums below 1/8."""
    size = math.isqrt(len(entries))
    values = np.broadcast_arrays(*(np.asarray(e, np.float64) for e in entries))
    z = np.stack([np.stack(values[k * size : (k + 1) * size], axis=-1) for k in range(size)], axis=-2)
    largest = np.nanmax(np.abs(z).sum(axis=-1), initial=0.0)
    halvings = max(int(np.ceil(np.log2(largest))) + 3, 0) if np.isfinite(largest) and largest > 0 else 0
    return z, halvings


def _entry(values: Array, row: Any, column: Any, like: Array) -> Array:
    """An entry of matrices in the precision of ``like``, within the limit of that."""
    number = np.asarray(like).dtype
    limit = float(LIMIT[number.name])
    return np.clip(values[..., int(row), int(column)], -limit, limit).astype(number)


def _within_bound(values: Array) -> Array:
    bound = float(BLOCK_BOUND["float64"])
    return np.clip(values, -bound, bound)


def _expm1(small: Array, terms: int) -> Array:
    """exp(Z) - 1 of small matrices, by the Taylor series."""
    one = np.eye(small.shape[-1])
    result = np.zeros_like(small)
    for k in range(terms, 0, -1):
        result = small @ (one + result) / k
    return result


def _phi1_block(row: Any, column: Any, *entries: Any) -> Array:
    """An entry of phi1 of a matrix."""
    return _entry(_of_matrix(_phi1_of, entries), row, column, entries[0])


def _of_matrix(function: Callable[..., Array], entries: tuple[Array, ...], *rest: int) -> Array:
    """A function of matrices. All entries of the result are asked for one after the other, so the last few of little
    matrices are kept.
    """
    z, halvings = _matrix(entries)
    return _kept(function, z.tobytes(), z.shape, halvings, *rest) if z.nbytes <= KEPT else function(z, halvings, *rest)


KEPT = 1 << 12
"""Bytes of matrices whose functions are kept."""


@lru_cache(maxsize=16)
def _kept(function: Callable[..., Array], content: bytes, shape: tuple[int, ...], *rest: int) -> Array:
    values = function(np.frombuffer(content).reshape(shape), *rest)
    values.flags.writeable = False
    return values


def _phi1_of(z: Array, halvings: int) -> Array:
    """phi1 of matrices: the upper right of exp([[Z, 1], [0, 0]]) - 1, by halving and doubling."""
    size = z.shape[-1]
    augmented = np.zeros((*z.shape[:-2], 2 * size, 2 * size))
    augmented[..., :size, :size], augmented[..., :size, size:] = z / 2.0**halvings, np.eye(size)
    exponential = _expm1(augmented, 24)
    change, phi1 = exponential[..., :size, :size], exponential[..., :size, size:]
    for _ in range(halvings):  # phi1(2 Z) = phi1(Z) (exp(Z) + 1)/2
        phi1 = _within_bound(phi1 + change @ phi1 / 2)
        change = _within_bound(2 * change + change @ change)
    return phi1


def _phi1_action(row: Any, *parts: Any) -> Array:
    """An entry of phi1 of a matrix times a vector."""
    size = math.isqrt(len(parts))
    phi1, vector = _of_matrix(_phi1_of, parts[: size * size]), parts[size * size :]
    values = np.sum(phi1[..., int(row), :] * np.stack(np.broadcast_arrays(*vector), axis=-1), axis=-1)
    return _entry(values[..., None, None], 0, 0, parts[0])


def _of_pair(row: int, m: Array, q: Array) -> Array:
    return _phi1_block(row, 0, m, q, np.ones_like(m), m)


def _block_covariance(row: Any, column: Any, source: Any, *entries: Any) -> Array:
    """An entry of int_0^1 exp(Zs) D exp(Zs)^T ds, where D is 1 on the source's place of its diagonal, else 0."""
    return _entry(_of_matrix(_covariance_of, entries, int(source)), row, column, entries[0])


def _covariance_of(z: Array, halvings: int, source: int) -> Array:
    """That integral, from exp of [[-Z, D], [0, Z^T]] (Van Loan 1978), by halving."""
    size = z.shape[-1]
    small = z / 2.0**halvings
    van_loan = np.zeros((*z.shape[:-2], 2 * size, 2 * size))
    van_loan[..., :size, :size], van_loan[..., size:, size:] = -small, np.swapaxes(small, -1, -2)
    van_loan[..., source, size + source] = 1.0
    exponential = _expm1(van_loan, 24)
    change = np.swapaxes(exponential[..., size:, size:], -1, -2)  # exp(Z) - 1
    covariance = exponential[..., :size, size:] + change @ exponential[..., :size, size:]
    for _ in range(halvings):
        moved = change @ covariance
        across = np.swapaxes(moved, -1, -2) + moved @ np.swapaxes(change, -1, -2)
        covariance = _within_bound(covariance + (moved + across) / 2)
        change = _within_bound(2 * change + change @ change)
    return covariance


def _in_elementary(function: Any, x: Array) -> Array:
    """A function by its definition in elementary ones, in the precision of its argument."""
    value = function(symbol("x")).in_elementary()
    return Evaluator(np.asarray(x).dtype.name).compile(value)({"x": np.asarray(x)})


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "tanh": np.tanh,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "erf": f.FUNCTIONS["erf"].numpy,
    "atan": np.arctan,
    "absolute": np.abs,
    "signum": np.sign,
    "floor_": np.floor,
    "expm1": np.expm1,
    "log1p": np.log1p,
    "heaviside": f.FUNCTIONS["heaviside"].numpy,
    "maximum": f.FUNCTIONS["max"].numpy,
    "minimum": f.FUNCTIONS["min"].numpy,
    "where": np.where,
    "limited": partial(_limited, LIMIT),
    "capped": partial(_limited, BLOCK_BOUND),
    "phi1": partial(_phi, 1, f.exprel),
    "phi2": partial(_phi, 2, f.phi2),
    "phi3": partial(_phi, 3, f.phi3),
    "phi4": partial(_phi, 4, f.phi4),
    "cosh_sqrt": partial(_in_elementary, cosh_sqrt),
    "sinhc_sqrt": partial(_in_elementary, sinhc_sqrt),
    "sinhc_sqrt_slope": partial(_in_elementary, sinhc_sqrt_slope),
    "phi1_block": _phi1_block,
    "phi1_action": _phi1_action,
    "phi1_mean": partial(_of_pair, 0),
    "phi1_difference": partial(_of_pair, 1),
    "block_covariance": _block_covariance,
}
_RELATIONS: dict[str, Callable[..., Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}


@lru_cache(maxsize=4096)
def _value(number: sp.Expr) -> float:
    """A number in double precision; the same few stand in most expressions."""
    return float(sp.N(number, 25))


class Evaluator:
    """Turns SymPy expressions into functions of an environment, in one precision."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)

    def compile(self, expression: Any) -> Callable[[Environment], Any]:
        """A function that evaluates the expression; names are looked up when it is called."""
        if expression.is_Symbol:
            name = expression.name
            return lambda values: values[name]
        if expression.is_Number or expression.is_NumberSymbol:
            number = self.dtype.type(_value(expression))
            return lambda values: number
        parts = [self.compile(a) for a in expression.args]
        operation = self._operation(expression)
        if len(parts) == 1:
            (only,) = parts
            return lambda values: operation(only(values))
        if len(parts) == 2:  # as most have
            first, second = parts
            return lambda values: operation(first(values), second(values))
        return lambda values: operation(*[part(values) for part in parts])

    def _operation(self, expression: Any) -> Callable[..., Any]:
        if expression.is_Add:
            return np.add if len(expression.args) == 2 else lambda *a: reduce(np.add, a)
        if expression.is_Mul:
            return np.multiply if len(expression.args) == 2 else lambda *a: reduce(np.multiply, a)
        if expression.is_Pow:
            return _power(expression.exp)
        if expression.is_Relational:
            return _RELATIONS[expression.rel_op]
        if isinstance(expression, (sp.And, sp.Or)):
            combine = np.logical_and if isinstance(expression, sp.And) else np.logical_or
            return lambda *a: reduce(combine, a)
        if isinstance(expression, sp.Not):
            return np.logical_not
        return _FUNCTIONS[type(expression).__name__]


def _power(exponent: Any) -> Callable[..., Any]:
    if exponent == sp.Rational(1, 2):
        return lambda base, _: np.sqrt(base)
    if exponent.is_Integer and abs(int(exponent)) <= 64:
        count = abs(int(exponent))
        if exponent > 0:
            return lambda base, _: reduce(np.multiply, [base] * count)
        return lambda base, _: base.dtype.type(1) / reduce(np.multiply, [base] * count)
    return np.power
