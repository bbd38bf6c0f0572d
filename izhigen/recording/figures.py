"""Each neuron's spikes in figures: how many, the first one, and the moments of the intervals between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from izhigen.backends.engine import Moments
from izhigen.memory.space import Space, beside
from izhigen.model.checking import SPIKE_FIGURES

Array = Any

MOMENTS: Mapping[str, tuple[str, ...]] = dict(
    zip(SPIKE_FIGURES, (("count",), ("first_spike",), ("isi_mean", "isi_std")))
)
"""What ``record`` may ask for, and the arrays that it gives."""
UNITS = {"count": "1", "first_spike": "ms", "isi_mean": "ms", "isi_std": "ms"}


class Intervals(NamedTuple):
    """Each neuron's inter-spike intervals in ms: mean and standard deviation of those found; NaN without any."""

    mean: Array
    std: Array

    @property
    def cv(self) -> Array:
        """Coefficient of variation, std/mean."""
        with beside(self.mean):
            return self.std / self.mean


def new_moments(space: Space, count: int, wanted: Collection[str], *, located: bool = False) -> Moments:
    """No spike so far; only what the wanted figures need."""
    step = np.float64 if located else np.int64
    moments = Moments(space.zeros(count, np.int64))
    if set(wanted) != {"count"}:
        moments.first, moments.last, moments.squares = (space.zeros(count, dtype) for dtype in (step, step, np.float64))
        space.write(moments.first, -1)
        space.write(moments.last, -1)
    return moments


def copy_moments(space: Space, before: Moments, into: Moments) -> None:
    """Go on with the spikes of a run before."""
    space.write(into.count, before.count)
    if before.first is not None:
        for kept, values in ((into.first, before.first), (into.last, before.last), (into.squares, before.squares)):
            space.write(kept, values)


def summary(moments: Moments, wanted: Collection[str], dt: float) -> dict[str, Array]:
    """The arrays that were asked for, one value per neuron; times in ms, where spikes are not located
    that of a spike being the end of its step.
    """
    if moments.first is None:
        return {"count": moments.count}
    intervals = moments.count - 1
    first = moments.first if moments.first.dtype == np.float64 else moments.first + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(intervals > 0, (moments.last - moments.first) / intervals, np.nan)
        square = np.where(intervals > 0, moments.squares / intervals, np.nan)
    found = {
        "count": moments.count,
        "first_spike": np.where(moments.count > 0, first * dt, np.nan),
        "isi_mean": mean * dt,
        "isi_std": np.sqrt(np.maximum(square - mean**2, 0.0)) * dt,
    }
    return {name: found[name] for group, names in MOMENTS.items() if group in wanted for name in names}
