"""The slope of the arc tangent, scaled to rise from 0 to 1 (Fang et al. 2021, ICCV)."""

from typing import Any

import sympy as sp

from izhigen.derive.surrogate import X, surrogate


@surrogate()
def arctan(alpha: Any = 1.0) -> tuple[Any, Any]:
    """Gradient alpha/2/(1 + (pi alpha x/2)^2)."""
    angle = sp.pi * alpha * X / 2
    return alpha / 2 / (1 + angle**2), sp.Rational(1, 2) + sp.atan(angle) / sp.pi
