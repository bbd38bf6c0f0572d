"""A double exponential (Shrestha and Orchard 2018, NeurIPS)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute, expm1, signum
from izhigen.derive.surrogate import X, surrogate


@surrogate()
def slayer(alpha: Any = 1.0) -> tuple[Any, Any]:
    """Gradient exp(-alpha abs(x))."""
    distance = alpha * absolute(X)
    return sp.exp(-distance), sp.Rational(1, 2) - signum(X) * expm1(-distance) / alpha
