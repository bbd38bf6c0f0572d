"""A triangle of area 1 (Esser et al. 2016, PNAS 113:11441; Bellec et al. 2018, NeurIPS)."""

from typing import Any

from izhigen.derive.functions import absolute, maximum, minimum
from izhigen.derive.surrogate import X, surrogate


@surrogate()
def piecewise_quadratic(alpha: Any = 1.0) -> tuple[Any, Any]:
    """Gradient max(0, alpha - alpha^2 abs(x))."""
    inside = minimum(maximum(alpha * X, -1), 1)
    smooth = (1 + 2 * inside - inside * absolute(inside)) / 2
    return maximum(alpha - alpha**2 * absolute(X), 0), smooth
