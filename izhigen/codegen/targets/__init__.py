"""Languages and devices that kernels are rendered for. One file a target, found by name; each defines ``TARGET``."""

from __future__ import annotations

import importlib

from izhigen.codegen.targets.target import Target
from izhigen.errors import BackendError, shown, suggest
from izhigen.resources import modules_with


def target_names() -> list[str]:
    """Names of the targets: the files of this folder that define ``TARGET``; ``-`` in a name is ``_`` in its file's."""
    return sorted(name.replace("_", "-") for name in modules_with("TARGET", __name__, __path__[0]))


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
