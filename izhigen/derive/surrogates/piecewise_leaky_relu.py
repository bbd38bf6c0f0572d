"""A box of area 1 with a small slope outside of it (Yin et al. 2017, arXiv:1702.01167; Wu et al. 2018)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute, maximum, minimum, where
from izhigen.derive.surrogate import X, surrogate


@surrogate("c")
def piecewise_leaky_relu(c: Any = 0.01, w: Any = 1.0) -> tuple[Any, Any]:
    """Gradient 1/(2 w) where abs(x) <= w, else c."""
    inside = minimum(maximum(X, -w), w)
    smooth = sp.Rational(1, 2) + inside / (2 * w) + c * (X - inside)
    return where(sp.Gt(absolute(X), w), c, 1 / (2 * w)), smooth
