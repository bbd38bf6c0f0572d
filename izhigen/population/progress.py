"""Long runs: a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress_bar(progress: bool | None, total: int, what: str, unit: str = "step") -> Iterator[Any]:
    """A progress bar; shown when asked for, or on a terminal once a run has taken a second."""
    from tqdm import tqdm

    disable = None if progress is None else not progress
    with tqdm(
        total=total,
        unit=unit,
        disable=disable,
        delay=1.0 if progress is None else 0.0,
        leave=bool(progress),
        desc=what,
    ) as bar:
        yield bar
