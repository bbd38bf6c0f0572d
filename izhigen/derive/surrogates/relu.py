"""A triangle around the threshold (Neftci et al. 2019, IEEE Signal Process. Mag. 36:51)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute, maximum, minimum
from izhigen.derive.surrogate import X, surrogate


@surrogate()
def relu(alpha: Any = 0.3, width: Any = 1.0) -> tuple[Any, Any]:
    """Gradient max(0, alpha (width - abs(x)))."""
    inside = minimum(maximum(X, -width), width)
    smooth = sp.Rational(1, 2) + alpha * (width * inside - inside * absolute(inside) / 2)
    return maximum(alpha * (width - absolute(X)), 0), smooth
