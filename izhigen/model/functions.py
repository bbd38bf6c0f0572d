"""The functions that equations may call, with their NumPy meaning.

One table serves the parser (names and arity), the evaluation of initial values and of time strings, and the NumPy
backend. Conventions at kinks: ``heaviside(0) = 1`` and ``sign(0) = 0``; ``exprel(x) = (exp(x) - 1)/x``, also called
phi1, has the value 1 at 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
_erf = np.vectorize(math.erf, otypes=[np.float64])


def _maximum(*values: Array) -> Array:
    result = values[0]
    for value in values[1:]:
        result = np.where(result >= value, result, value)
    return result


def _minimum(*values: Array) -> Array:
    result = values[0]
    for value in values[1:]:
        result = np.where(result <= value, result, value)
    return result


def exprel(x: Array) -> Array:
    """(exp(x) - 1)/x, with value 1 at 0; keeps the dtype of ``x``."""
    x = np.asarray(x)
    one, is_zero = x.dtype.type(1), x == 0
    safe = np.where(is_zero, one, x)
    return np.where(is_zero, one, np.expm1(safe) / safe)


def _phi_series(x: Array, order: int) -> Array:
    """phi_order(x) = sum_k x^k/(k + order)! for small x, by recurrence phi_{n+1} = (phi_n - 1/n!)/x else."""
    x = np.asarray(x)
    near = np.abs(x) < 1.0
    small = np.where(near, x, np.zeros_like(x))
    series = np.zeros_like(x)
    for k in range(20, -1, -1):
        series = series * small + x.dtype.type(1.0 / math.factorial(k + order))
    large = np.where(near, np.ones_like(x), x)
    value = exprel(large)
    for n in range(1, order):
        value = (value - x.dtype.type(1.0 / math.factorial(n))) / large
    return np.where(near, series, value)


def phi2(x: Array) -> Array:
    """(phi1(x) - 1)/x, with value 1/2 at 0."""
    return _phi_series(x, 2)


def phi3(x: Array) -> Array:
    """(phi2(x) - 1/2)/x, with value 1/6 at 0."""
    return _phi_series(x, 3)


def phi4(x: Array) -> Array:
    """(phi3(x) - 1/6)/x, with value 1/24 at 0."""
    return _phi_series(x, 4)


def _erf_like(x: Array) -> Array:
    x = np.asarray(x)
    return _erf(x).astype(x.dtype if x.dtype.kind == "f" else np.float64)


@dataclass(frozen=True)
class FunctionSpec:
    """A function of the equation language: its name, least and most arguments, and NumPy meaning."""

    name: str
    least: int
    most: int | None
    numpy: Callable[..., Array]


def _specs(*specs: tuple[str, int, int | None, Callable[..., Array]]) -> dict[str, FunctionSpec]:
    return {name: FunctionSpec(name, least, most, function) for name, least, most, function in specs}


FUNCTIONS: dict[str, FunctionSpec] = _specs(
    ("exp", 1, 1, np.exp),
    ("log", 1, 1, np.log),
    ("sqrt", 1, 1, np.sqrt),
    ("sin", 1, 1, np.sin),
    ("cos", 1, 1, np.cos),
    ("tan", 1, 1, np.tan),
    ("tanh", 1, 1, np.tanh),
    ("sinh", 1, 1, np.sinh),
    ("cosh", 1, 1, np.cosh),
    ("abs", 1, 1, np.abs),
    ("sign", 1, 1, np.sign),
    ("min", 2, None, _minimum),
    ("max", 2, None, _maximum),
    ("clip", 3, 3, lambda x, low, high: _minimum(_maximum(x, low), high)),
    ("where", 3, 3, np.where),
    ("heaviside", 1, 1, lambda x: np.where(np.asarray(x) >= 0, np.ones_like(x), np.zeros_like(x))),
    ("floor", 1, 1, np.floor),
    ("expm1", 1, 1, np.expm1),
    ("log1p", 1, 1, np.log1p),
    ("exprel", 1, 1, exprel),
    ("erf", 1, 1, _erf_like),
)

CONSTANTS: dict[str, float] = {"pi": math.pi}
"""Named constants of the equation language."""

TIME_NAMES = ("t", "dt")
"""Time at the step's start and the step, both in ms; readable in equations, never declared."""

LAST_SPIKE = "t_last_spike"
"""Start of the step in which a neuron last spiked, in ms (float64); readable where there is a threshold."""

RESERVED = frozenset(FUNCTIONS) | frozenset(CONSTANTS) | frozenset(TIME_NAMES) | {"and", "or", "not"}
