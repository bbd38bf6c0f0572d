"""The q-pseudo-spike, whose tails fall off as a power (Herranz-Celotti and Rouat 2022, arXiv:2202.00282)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute, log1p, signum
from izhigen.derive.surrogate import X, surrogate


@surrogate("alpha")
def q_pseudo_spike(alpha: Any = 2.0) -> tuple[Any, Any]:
    """Gradient (1 + 2 abs(x)/(alpha + 1))^-alpha."""
    width = 1 + 2 * absolute(X) / (alpha + 1)
    rise = (1 - width ** (1 - alpha)) / (alpha - 1) if alpha != 1 else log1p(absolute(X))
    return width**-alpha, sp.Rational(1, 2) + signum(X) * (alpha + 1) / 2 * rise
