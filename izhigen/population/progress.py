"""Long runs: a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from izhigen.scalars import read_flag


class Bar(Protocol):
    """What a run is followed by: a bar of tqdm, or one's own."""

    def update(self, n: int) -> Any:
        """So many more steps, sets or generations are done.

        Parameters
        ----------
        n : int

        Raises
        ------
        Exception
            What it likes: a run passes it on.
        """
        ...


Progress: TypeAlias = bool | Bar | None


def read_progress(progress: Any) -> Progress:
    """A choice of whether a bar is shown, or a bar.

    Raises
    ------
    ValueShapeError
        For anything else.
    """
    if progress is None:
        return None
    bar: Bar = progress
    is_bar = callable(getattr(progress, "update", None)) and not isinstance(progress, (dict, set))
    return bar if is_bar else read_flag(progress, "progress")


class _Unseen:
    """A bar that is not shown."""

    def update(self, n: int) -> None:
        """Nothing."""


@contextmanager
def progress_bar(progress: Progress, total: int, what: str, unit: str = "step") -> Iterator[Any]:
    """A progress bar; shown when asked for, or on a terminal once a run has taken a second. One that is given is moved
    on.
    """
    if progress is False:
        yield _Unseen()
        return
    if progress is not None and progress is not True:
        yield progress
        return
    from tqdm import tqdm

    with tqdm(
        total=total,
        unit=unit,
        disable=None if progress is None else False,
        delay=1.0 if progress is None else 0.0,
        leave=bool(progress),
        desc=what,
    ) as bar:
        yield bar


class Share:
    """A run that is a part of something longer, whose bar it moves by ``units`` in all.

    Parameters
    ----------
    bar : Bar
    units : int
    steps : int
        Of the run.
    """

    def __init__(self, bar: Bar, units: int, steps: int) -> None:
        self._bar, self._units, self._steps = bar, units, steps
        self._done = self._told = 0

    def update(self, n: int) -> None:
        """So many more steps are done."""
        self._done += n
        units = self._units * self._done // max(self._steps, 1)
        if units > self._told:
            self._bar.update(units - self._told)
            self._told = units
