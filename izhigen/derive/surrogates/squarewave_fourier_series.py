"""The first terms of the Fourier series of a square wave's slope."""

from typing import Any

import sympy as sp

from izhigen.derive.surrogate import X, surrogate
from izhigen.errors import ValueShapeError

MOST_TERMS = 100


@surrogate()
def squarewave_fourier_series(n: Any = 2, t_period: Any = 8.0) -> tuple[Any, Any]:
    """Gradient 4/t_period sum_{i = 1..n} cos((2 i - 1) 2 pi x/t_period)."""
    if not n.is_Integer or n > MOST_TERMS:
        raise ValueShapeError(f"squarewave_fourier_series: n={float(n):g} is not a whole number from 1 to {MOST_TERMS}")
    odd = [2 * i - 1 for i in range(1, int(n) + 1)]
    phase = 2 * sp.pi * X / t_period
    gradient = 4 / t_period * sp.Add(*(sp.cos(k * phase) for k in odd))
    return gradient, sp.Rational(1, 2) + 2 / sp.pi * sp.Add(*(sp.sin(k * phase) / k for k in odd))
