"""A Gaussian (Yin et al. 2021, Nature Mach. Intell. 3:905)."""

from typing import Any

import sympy as sp

from izhigen.derive.surrogate import X, surrogate


@surrogate()
def gaussian(sigma: Any = 0.5, alpha: Any = 0.5) -> tuple[Any, Any]:
    """Gradient alpha N(x; 0, sigma)."""
    bell = sp.exp(-(X**2) / (2 * sigma**2)) / (sp.sqrt(2 * sp.pi) * sigma)
    return alpha * bell, alpha * (1 + sp.erf(X / (sp.sqrt(2) * sigma))) / 2
