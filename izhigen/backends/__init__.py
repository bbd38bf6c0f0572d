"""Stage 5: programs made callable. One file a backend, found by name, with ``create_engine`` and ``open_space``."""

from __future__ import annotations

import importlib
from typing import Any

from izhigen.backends.engine import Engine
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError, shown, suggest
from izhigen.memory.space import Space
from izhigen.resources import modules_with


def backend_names() -> list[str]:
    """Names of the backends: the files of this folder that define ``create_engine``."""
    return list(modules_with("create_engine", __name__, __path__[0]))


def _backend(name: str) -> Any:
    names = backend_names()
    if not isinstance(name, str) or name not in names:
        raise BackendError(f"no backend {shown(name)}{suggest(name, names)} (backends: {', '.join(names)})")
    return importlib.import_module(f"{__name__}.{name}")


def open_space(backend: str, device: Any = None, sharding: Any = None) -> Space:
    """The memory that a backend's arrays lie in.

    Parameters
    ----------
    device : int, optional
        One device; by default the one in use.
    sharding : list of int, optional
        Several devices that share the neurons.

    Raises
    ------
    BackendError
        For an unknown backend, one without devices, or one that cannot run here; says what to install or change.
    """
    space: Space = _backend(backend).open_space(device, sharding)
    return space


def create_engine(backend: str, request: KernelRequest, space: Space) -> Engine:
    """Build the engine of a backend for a kernel that is asked for.

    Raises
    ------
    BackendError
        For an unknown backend, or one that cannot run here; says what to install.
    """
    engine: Engine = _backend(backend).create_engine(request, space)
    return engine
