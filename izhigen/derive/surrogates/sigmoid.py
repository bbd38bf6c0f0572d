"""The slope of the logistic function 1/(1 + exp(-alpha x))."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute, where
from izhigen.derive.surrogate import X, surrogate


@surrogate()
def sigmoid(alpha: Any = 4.0) -> tuple[Any, Any]:
    """Gradient alpha s(alpha x) (1 - s(alpha x)) of the logistic function s."""
    tail = sp.exp(-alpha * absolute(X))
    return alpha * tail / (1 + tail) ** 2, where(sp.Ge(X, 0), 1 / (1 + tail), tail / (1 + tail))
