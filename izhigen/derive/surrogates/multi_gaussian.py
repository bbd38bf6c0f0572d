"""A Gaussian with two negative ones beside it (Yin et al. 2021, Nature Mach. Intell. 3:905)."""

from typing import Any

import sympy as sp

from izhigen.derive.surrogate import X, surrogate


def _bell(mean: Any, deviation: Any) -> tuple[Any, Any]:
    """A normal density and its integral."""
    z = (X - mean) / deviation
    return sp.exp(-(z**2) / 2) / (sp.sqrt(2 * sp.pi) * deviation), (1 + sp.erf(z / sp.sqrt(2))) / 2


@surrogate("h")
def multi_gaussian(h: Any = 0.15, s: Any = 6.0, sigma: Any = 0.5, scale: Any = 0.5) -> tuple[Any, Any]:
    """Gradient scale ((1 + h) N(x; 0, sigma) - h N(x; sigma, s sigma) - h N(x; -sigma, s sigma))."""
    middle, right, left = _bell(0, sigma), _bell(sigma, s * sigma), _bell(-sigma, s * sigma)
    gradient, smooth = (scale * ((1 + h) * m - h * r - h * w) for m, r, w in zip(middle, right, left))
    return gradient, smooth
