"""The inverse square of the distance to the threshold (Zenke and Ganguli 2018, Neural Comput. 30:1514)."""

from typing import Any

import sympy as sp

from izhigen.derive.functions import absolute
from izhigen.derive.surrogate import X, surrogate


@surrogate("alpha")
def inv_square(alpha: Any = 100.0) -> tuple[Any, Any]:
    """Gradient 1/(1 + alpha abs(x))^2.

    With x in mV it is below 1e-4 beyond 1 mV from the threshold: give the population a ``spike_scale`` of some 1e-2.
    """
    width = 1 + alpha * absolute(X)
    return 1 / width**2, sp.Rational(1, 2) + X / width
