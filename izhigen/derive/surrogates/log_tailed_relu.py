"""The slope of a rectifier with a logarithm for a tail (Cai et al. 2017, CVPR)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import maximum, minimum, where
from izhigen.derive.surrogate import X, surrogate


@surrogate("alpha")
def log_tailed_relu(alpha: Any = 0.0) -> tuple[Any, Any]:
    """Gradient alpha for x <= 0, 1 up to x = 1, else 1/x."""
    tail = maximum(X, 1)
    smooth = sp.Rational(1, 2) + alpha * minimum(X, 0) + minimum(maximum(X, 0), 1) + sp.log(tail)
    return where(sp.Gt(X, 0), 1 / tail, alpha), smooth
