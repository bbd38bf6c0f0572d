"""Numbers of self tests as C text."""

from __future__ import annotations

import re
from collections.abc import Sequence

LEAST = 1e-44
"""Of smaller numbers in single precision a compiler says that they are 0."""


def number(value: float) -> str:
    """A C literal of double precision with every digit that it needs."""
    text = repr(value)
    return text if re.search(r"[.e]", text) else f"{text}.0"


def row_of(values: Sequence[float], suffix: str = "") -> tuple[str, ...]:
    """Literals of a row of numbers, those with a suffix in single precision; 0 for what is nothing there."""
    least = LEAST if suffix else 0.0
    return tuple(number(x if abs(x) > least else 0.0) + suffix for x in values)


def rows_of(values: Sequence[Sequence[float]], suffix: str = "") -> tuple[tuple[str, ...], ...]:
    """Literals of rows of numbers."""
    return tuple(row_of(row, suffix) for row in values)
