"""The spikes of a network as one picture: a raster of each population, and below their rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import cycle
from typing import Any

from izhigen import plot
from izhigen.errors import RecordingError
from izhigen.recording.recording import Recording

Axes = Any

COLORS = ("#4c72b0", "#c44e52", "#55a868", "#8172b3", "#ccb974", "#64b5cd")
LEAST_HEIGHT = 0.12
"""Least height of a population's raster, as a share of the highest."""


def network_picture(recordings: Mapping[str, Recording], *, bin: float = 5.0) -> Any:
    """A raster of each population with recorded spikes, as high as it has neurons, and the rates of all.

    Parameters
    ----------
    recordings : mapping
        By the name of their population, in the order from above.
    bin : float
        Width in ms of the bins in which spikes are counted for the rates.

    Returns
    -------
    matplotlib figure

    Raises
    ------
    RecordingError
        Where no population's spikes were recorded.
    """
    shown = {name: one for name, one in recordings.items() if one.spike_times is not None}
    if not shown:
        raise RecordingError("no spikes were recorded; run(..., record={'exc': ['spike'], ...}) does")
    import matplotlib.pyplot as plt

    from izhigen.picture import Picture

    sizes = [math.prod(one.shape) if one.neurons is None else len(one.neurons) for one in shown.values()]
    heights = [max(size / max(sizes), LEAST_HEIGHT) for size in sizes]
    total = sum(heights)
    figure, axes = plt.subplots(
        len(shown) + 1,
        1,
        FigureClass=Picture,
        figsize=(8.0, 5.6),
        squeeze=False,
        layout="constrained",
        sharex=True,
        height_ratios=[*(0.7 * height / total for height in heights), 0.3],
    )
    rates = axes[-1, 0]
    for (name, one), axis, color in zip(shown.items(), axes[:, 0], cycle(COLORS)):
        plot.raster(one, ax=axis)
        axis.set_xlabel("")
        axis.set_ylabel(name, color=color)
        rate = one.population_rate(bin)
        rates.stairs(rate.rates, rate.edges, color=color, label=name, linewidth=1.0)
    rates.set_xlabel("time (ms)")
    rates.set_ylabel("rate (Hz)")
    rates.set_ylim(bottom=0.0)
    if len(shown) > 1:
        rates.legend(loc="upper right", fontsize="small", framealpha=0.85)
    return figure


__all__ = ["network_picture"]
