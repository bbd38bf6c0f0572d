"""Many parameter sets: a sweep is one population call, and its result is labelled."""

from izhigen.sweeps.picture import plot
from izhigen.sweeps.runner import sweep
from izhigen.sweeps.sets import Table, latin_hypercube, sobol
from izhigen.sweeps.store import open_sweep

__all__ = ["Table", "latin_hypercube", "open_sweep", "plot", "sobol", "sweep"]
