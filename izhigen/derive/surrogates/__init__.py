"""Surrogate gradients by name, as in ``iz.surrogates.sigmoid(alpha=4.0)``: one file each, found by its name.

The names are those of BrainPy, and each is known with ``_grad`` after it as well. A user's own is text or a SymPy
expression in x, given to a population as it is.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from izhigen.derive.surrogate import Surrogate
from izhigen.errors import DerivationError, shown, suggest


@cache
def names() -> tuple[str, ...]:
    """Names of all surrogates: the files of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def find(name: str) -> Callable[..., Surrogate]:
    """The function that makes a surrogate, by its name.

    Raises
    ------
    DerivationError
        For an unknown name, listing the known ones.
    """
    stem = name.removesuffix("_grad")
    if stem not in names():
        raise DerivationError(f"no surrogate {shown(name)}{suggest(name, names())} (surrogates: {', '.join(names())})")
    function: Callable[..., Surrogate] = getattr(importlib.import_module(f"{__name__}.{stem}"), stem)
    return function


def __getattr__(name: str) -> Callable[..., Surrogate]:
    try:
        function = find(name)
    except DerivationError as problem:
        raise AttributeError(str(problem)) from None
    globals()[name] = function  # in the place of the module of that name
    return function


def __dir__() -> list[str]:
    return [*names(), "find", "names"]
