"""Where templates and models lie: beside the package when installed, at the top level in a checkout; and what is found
by the name of its file.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import re
from functools import cache
from importlib.abc import InspectLoader
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_dir(name: str) -> Path:
    """The folder ``templates`` or ``models``; the packaged one, or in a checkout the top-level one."""
    for folder in (_PACKAGE / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"izhigen's folder {name!r} is missing; install izhigen again")


@cache
def modules_with(name: str, package: str, folder: str) -> tuple[str, ...]:
    """The modules of a package's folder that define a name; imported only where their source is not at hand."""
    found = [module for module in pkgutil.iter_modules([folder]) if module.name.isidentifier()]
    return tuple(sorted(module.name for module in found if _defines(module, name, package)))


def _defines(module: pkgutil.ModuleInfo, name: str, package: str) -> bool:
    path = f"{package}.{module.name}"
    spec = importlib.util.find_spec(path)
    source = spec.loader.get_source(path) if spec and isinstance(spec.loader, InspectLoader) else None
    if source is None:
        return hasattr(importlib.import_module(path), name)
    return re.search(rf"^(?:def )?{name}\b", source, re.MULTILINE) is not None
