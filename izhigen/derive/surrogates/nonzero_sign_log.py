"""The slope of sign(x) log(1 + alpha abs(x)): it falls off slowly, and its spike has no bound."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute, log1p, signum
from izhigen.derive.surrogate import X, surrogate


@surrogate()
def nonzero_sign_log(alpha: Any = 1.0) -> tuple[Any, Any]:
    """Gradient 1/(1/alpha + abs(x))."""
    smooth = sp.Rational(1, 2) + signum(X) * log1p(alpha * absolute(X))
    return 1 / (1 / alpha + absolute(X)), smooth
