"""The slope of the error function, scaled to rise from 0 to 1 (Esser et al. 2015, NeurIPS)."""

from typing import Any

import sympy as sp

from izhigen.derive.surrogate import X, surrogate


@surrogate()
def erf(alpha: Any = 1.0) -> tuple[Any, Any]:
    """Gradient alpha/sqrt(pi) exp(-(alpha x)^2)."""
    return alpha / sp.sqrt(sp.pi) * sp.exp(-((alpha * X) ** 2)), (1 + sp.erf(alpha * X)) / 2
