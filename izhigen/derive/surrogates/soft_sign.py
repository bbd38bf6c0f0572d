"""The slope of x/(1 + abs(x)), shifted and scaled to rise from 0 to 1."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute
from izhigen.derive.surrogate import X, surrogate


@surrogate()
def soft_sign(alpha: Any = 1.0) -> tuple[Any, Any]:
    """Gradient alpha/2/(1 + alpha abs(x))^2."""
    width = 1 + alpha * absolute(X)
    return alpha / 2 / width**2, sp.Rational(1, 2) + alpha * X / (2 * width)
