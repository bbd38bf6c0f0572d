"""Languages and devices that kernels are rendered for. One file a target, found by name; each defines ``TARGET``."""

from __future__ import annotations

import importlib
import pkgutil

from izhigen.codegen.targets.target import Target
from izhigen.errors import BackendError, shown, suggest

_SUPPORT = ("target",)


def target_names() -> list[str]:
    """Names of the targets, found as the files of this folder; ``-`` in a name is ``_`` in its file's."""
    return sorted(
        module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if module.name not in _SUPPORT
    )


def find_target(name: str) -> Target:
    """The target of that name.

    Raises
    ------
    BackendError
        When there is none.
    """
    names = target_names()
    if not isinstance(name, str) or name not in names:
        raise BackendError(f"target {shown(name)} is not available{suggest(name, names)} (targets: {', '.join(names)})")
    target: Target = importlib.import_module(f"{__name__}.{name.replace('-', '_')}").TARGET
    return target
