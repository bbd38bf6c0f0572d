"""A double exponential of area 1 (Shrestha and Orchard 2018, NeurIPS)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute, where
from izhigen.derive.surrogate import X, surrogate


@surrogate()
def piecewise_exp(alpha: Any = 1.0) -> tuple[Any, Any]:
    """Gradient alpha/2 exp(-alpha abs(x))."""
    tail = sp.exp(-alpha * absolute(X)) / 2
    return alpha * tail, where(sp.Ge(X, 0), 1 - tail, tail)
