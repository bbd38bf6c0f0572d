"""Many parameter sets as neurons of populations; the result is labelled."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from izhigen.sweeps.runner import sweep
from izhigen.sweeps.samples import Table, latin_hypercube, sobol
from izhigen.sweeps.store import open_sweep

if TYPE_CHECKING:
    from izhigen.sweeps.picture import plot

__all__ = ["Table", "latin_hypercube", "open_sweep", "plot", "sobol", "sweep"]


def __getattr__(name: str) -> Any:
    """Matplotlib is loaded where something is drawn."""
    if name == "plot":
        return importlib.import_module("izhigen.sweeps.picture").plot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
