"""Stage 5: programs made callable. One file a backend, found by name; each defines ``create_engine``."""

from __future__ import annotations

import importlib
import pkgutil

from izhigen.backends.engine import Engine
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError, suggest

_SUPPORT = ("engine", "compiler", "workers")


def backend_names() -> list[str]:
    """Names of the backends, found as the files of this folder."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _SUPPORT)


def create_engine(backend: str, request: KernelRequest) -> Engine:
    """Build the engine of a backend for a kernel that is asked for.

    Raises
    ------
    BackendError
        For an unknown backend, or one that cannot run here; says what to install.
    """
    names = backend_names()
    if backend not in names:
        raise BackendError(f"no backend {backend!r}{suggest(str(backend), names)} (backends: {', '.join(names)})")
    engine: Engine = importlib.import_module(f"{__name__}.{backend}").create_engine(request)
    return engine
