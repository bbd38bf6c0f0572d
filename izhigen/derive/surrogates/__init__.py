"""Surrogate gradients by name, as in ``iz.surrogates.sigmoid(alpha=4.0)``: one file each, found by its name.

The names are those of BrainPy, and each is known with ``_grad`` after it as well. A user's own is text or a SymPy
expression in x, given to a population as it is.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any

from izhigen.derive.lowering import lower
from izhigen.derive.surrogate import WHERE, Surrogate, X
from izhigen.errors import DerivationError, shown, suggest
from izhigen.model.equations import expression_text
from izhigen.model.expressions import parse_expression


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
    globals()[stem] = function  # in the place of the module, which the import has put there
    return function


def read_surrogate(source: Any) -> Surrogate:
    """A surrogate as it is, one by its name, or a user's own gradient as text or SymPy expression in x.

    Raises
    ------
    EquationError
        For text outside the equation language, with the column.
    DerivationError
        For an expression that reads anything but x.
    """
    if isinstance(source, Surrogate):
        return source
    if callable(source) and getattr(source, "__name__", "") in names():  # iz.surrogates.sigmoid, not called
        return read_surrogate(source())
    if isinstance(source, str) and source.strip().isidentifier() and source.strip() != X.name:
        return find(source.strip())()
    text = expression_text(source, WHERE)
    value = lower(parse_expression(text, WHERE), WHERE)
    others = sorted(s.name for s in value.free_symbols - {X})
    if others:
        raise DerivationError(
            f"{WHERE}: {shown(text)} reads {', '.join(others)}; it is a function of x alone, the margin by which the "
            "condition of a spike holds; put numbers in the place of other names"
        )
    return Surrogate(text, (), value)


def __getattr__(name: str) -> Callable[..., Surrogate]:
    try:
        return find(name)
    except DerivationError as problem:
        raise AttributeError(str(problem)) from None


def __dir__() -> list[str]:
    return [*names(), "find", "names", "read_surrogate"]
