"""Gradients that the way back is given, checked: of a run (:mod:`~izhigen.population.tape`) and of one step."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.population.faults import first_not_finite

Array = Any


def check_cotangents(what: str, given: Any, known: Collection[str]) -> Mapping[str, Any]:
    """Gradients by the names of what has one, as they are.

    Raises
    ------
    ValueShapeError
        For anything but a mapping, and for an unknown name.
    """
    if not isinstance(given, Mapping):
        raise ValueShapeError(f"{what} takes a mapping such as {{'V': gradient}}, not {type(given).__name__}")
    for name in given:
        if name not in known:
            names = ", ".join(known) or "none"
            raise ValueShapeError(f"{what}: {shown(name)} has no gradient{suggest(str(name), known)} (known: {names})")
    return given


def check_finite_cotangent(what: str, values: Array) -> None:
    """Refuse numbers that are not finite in the kernel's type, which they have.

    Raises
    ------
    ValueShapeError
        Saying where the first one is.
    """
    place = first_not_finite(values)
    if place is not None:
        raise ValueShapeError(
            f"{what} is not finite, or too large for {np.dtype(values.dtype).name}, at "
            f"{', '.join(str(int(k)) for k in place)}; check_finite=False lets it pass"
        )
