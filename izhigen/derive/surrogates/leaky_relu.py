"""The slope of a leaky rectifier: one value below the threshold, one above."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import maximum, minimum, where
from izhigen.derive.surrogate import X, surrogate


@surrogate("alpha", "beta")
def leaky_relu(alpha: Any = 0.1, beta: Any = 1.0) -> tuple[Any, Any]:
    """Gradient alpha for x < 0, else beta."""
    return where(sp.Lt(X, 0), alpha, beta), sp.Rational(1, 2) + alpha * minimum(X, 0) + beta * maximum(X, 0)
