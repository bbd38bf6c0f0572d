"""Populations that send spikes without being neurons: those of arrays and recordings, and Poisson processes."""

from __future__ import annotations

from typing import Any

import numpy as np

from izhigen.api import Model
from izhigen.errors import NetworkError, shown
from izhigen.inputs.stimuli import Stimulus, spikes
from izhigen.recording.recording import Recording
from izhigen.scalars import check_count
from izhigen.timegrid import steps_of

Array = Any

SENT = "sent"
"""The input of a source: it sends a spike in every step in which this is above 0."""


def source_model() -> Model:
    """A model without equations of its own that sends what it is told to."""
    return Model("Source", "dx/dt = 0", threshold=f"{SENT} > 0", inputs=[SENT], description="sends what it is told")


def given_spikes(times: Any, indices: Any, size: Any, dt: float, where: str) -> tuple[int, Stimulus]:
    """The number of sources, and the input that makes them send spikes at given times.

    A spike at time t is of the step that ends at t, or in which t lies, as the times of recordings are.

    Raises
    ------
    NetworkError
        For two spikes of a source in one step, a time that is not above 0, and an index beyond the size.
    ValueShapeError
        For arrays that do not fit each other.
    """
    if isinstance(times, Recording):
        if indices is not None:
            raise NetworkError(f"{where}: a recording has its neurons; give it alone")
        count, (times, indices) = int(np.prod(times.shape)), times.to_host().spikes
        size = count if size is None else size
    if indices is None:
        raise NetworkError(f"{where}: give times and indices, one of each a spike, or a recording")
    checked: Any = spikes(times, indices).parts[0]
    when, who = checked.times, checked.neurons
    count = check_count("size", int(who.max(initial=0)) + 1 if size is None else size)
    steps = steps_of(when, dt).astype(np.int64)
    for what, bad in (("is not above 0", steps < 0), (f"is of source {count} or later", who >= count)):
        if bad.any():
            k = int(np.flatnonzero(bad)[0])
            raise NetworkError(f"{where}: spike {k}, at {when[k]:g} ms of source {who[k]}, {what}")
    order = np.lexsort((steps, who))
    same = (np.diff(steps[order]) == 0) & (np.diff(who[order]) == 0)
    if same.any():
        k = int(order[np.flatnonzero(same)[0] + 1])
        raise NetworkError(
            f"{where}: source {who[k]} has two spikes in the step that ends at {(steps[k] + 1) * dt:g} ms; "
            "a source sends one a step: take a smaller dt, or two sources"
        )
    return count, spikes((steps + 0.5) * dt, who)


def check_rate(rate: Any, where: str) -> None:
    """Refuse a rate that is no number, array or text."""
    if isinstance(rate, (dict, set)) or rate is None:
        raise NetworkError(f"{where}: rate={shown(rate)} is no rate; give Hz, one a source, or text in t")


__all__ = ["SENT", "check_rate", "given_spikes", "source_model"]
