"""izhigen: spiking neuron models, from equations to compiled population steppers.

>>> import izhigen as iz
>>> pop = iz.load("IzhikevichLTC").population(1000, dt=0.1)
>>> recording = pop.run(500.0, I=22.0, record=["V", "spike"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from izhigen._version import __version__
from izhigen.api import Model, restore
from izhigen.errors import IzhigenError, shown
from izhigen.loading import from_brian2, load, read, read_brian2
from izhigen.model.events import Event
from izhigen.model.library import list_models, list_parts, part

if TYPE_CHECKING:
    from izhigen import fits, inputs, plot, sweeps, synapses
    from izhigen.derive import surrogates
    from izhigen.fits import fit
    from izhigen.importers.imported import Imported
    from izhigen.model.synapse import Synapse
    from izhigen.network import connect
    from izhigen.network.network import Network
    from izhigen.population import distributions
    from izhigen.population.population import Population
    from izhigen.recording.recording import Recording
    from izhigen.sweeps import sweep
    from izhigen.verification import verify

_LAZY = {
    "Network": ("izhigen.network.network", "Network"),
    "Synapse": ("izhigen.model.synapse", "Synapse"),
    "connect": ("izhigen.network.connect", None),
    "synapses": ("izhigen.synapses", None),
    "fit": ("izhigen.fits", "fit"),
    "fits": ("izhigen.fits", None),
    "Imported": ("izhigen.importers.imported", "Imported"),
    "inputs": ("izhigen.inputs", None),
    "plot": ("izhigen.plot", None),
    "surrogates": ("izhigen.derive.surrogates", None),
    "Population": ("izhigen.population.population", "Population"),
    "distributions": ("izhigen.population.distributions", None),
    "Recording": ("izhigen.recording.recording", "Recording"),
    "sweep": ("izhigen.sweeps", "sweep"),
    "sweeps": ("izhigen.sweeps", None),
    "verify": ("izhigen.verification", "verify"),
}

__all__ = [
    "Event",
    "Imported",
    "IzhigenError",
    "Model",
    "Network",
    "Population",
    "Recording",
    "Synapse",
    "__version__",
    "connect",
    "distributions",
    "fit",
    "fits",
    "from_brian2",
    "inputs",
    "list_models",
    "list_parts",
    "load",
    "part",
    "plot",
    "read",
    "read_brian2",
    "restore",
    "surrogates",
    "sweep",
    "sweeps",
    "synapses",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load what is heavy when it is first used, so that ``import izhigen`` stays quick."""
    if name not in _LAZY:
        raise AttributeError(f"module 'izhigen' has no attribute {shown(name)}")
    module_name, attribute = _LAZY[name]
    module = importlib.import_module(module_name)
    return module if attribute is None else getattr(module, attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
