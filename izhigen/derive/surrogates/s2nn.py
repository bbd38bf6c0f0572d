"""The logistic function's slope below the threshold, a slow decay above (Suetake et al. 2022, arXiv:2201.10879)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import log1p, maximum, minimum, where
from izhigen.derive.surrogate import X, surrogate


@surrogate("beta", "epsilon")
def s2nn(alpha: Any = 4.0, beta: Any = 1.0, epsilon: Any = 1e-8) -> tuple[Any, Any]:
    """Gradient alpha s(alpha x) (1 - s(alpha x)) for x < 0, else beta/(1 + x); ``epsilon`` plays no part in it."""
    above = maximum(X, 0)
    tail = sp.exp(alpha * minimum(X, 0))
    gradient = where(sp.Lt(X, 0), alpha * tail / (1 + tail) ** 2, beta / (1 + above))
    return gradient, where(sp.Lt(X, 0), tail / (1 + tail), sp.Rational(1, 2) + beta * log1p(above))
