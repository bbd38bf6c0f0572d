"""Firing rates of a recording: against a value that differs between neurons, and of the whole population over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import RecordingError, shown
from izhigen.scalars import read_real
from izhigen.timegrid import steps_of

Array = Any


@dataclass(frozen=True, eq=False)
class RateCurve:
    """Firing rates against an input (an f-I curve) or a parameter.

    Attributes
    ----------
    name, unit : str
        Of the input or parameter.
    values : array, shape (k,)
        Its distinct values, ascending.
    rates : array, shape (k,)
        Mean rate in Hz of the neurons that have the value.
    deviations : array, shape (k,)
        Standard deviation of the rates of these neurons in Hz (of those found, not of a sample); 0 for one neuron.
    """

    name: str
    unit: str
    values: Array
    rates: Array
    deviations: Array


@dataclass(frozen=True, eq=False)
class PopulationRate:
    """Rate of a population over time.

    Attributes
    ----------
    edges : array, shape (k + 1,)
        Edges of the bins in ms; the last bin ends where the run does, and may be shorter.
    rates : array, shape (k,)
        Spikes of a bin divided by its length and by the number of neurons, in Hz.
    """

    edges: Array
    rates: Array

    @property
    def t(self) -> Array:
        """Centres of the bins in ms."""
        return (self.edges[:-1] + self.edges[1:]) / 2


def rate_curve(name: str, unit: str, values: Array, rates: Array) -> RateCurve:
    """Rates of neurons gathered by a value that each of them has; arrays of one shape."""
    distinct, place = np.unique(values.reshape(-1), return_inverse=True)
    neurons = np.bincount(place, minlength=len(distinct))
    mean = np.bincount(place, rates.reshape(-1), len(distinct)) / neurons
    square = np.bincount(place, (rates.reshape(-1) - mean[place]) ** 2, len(distinct)) / neurons
    return RateCurve(name, unit, distinct, mean, np.sqrt(square))


def population_rate(
    spike_times: Iterable[Array], start: float, stop: float, neurons: int, bin: Any, dt: float
) -> PopulationRate:
    """Spikes (ms; array by array) counted in bins of the time from ``start`` to ``stop``.

    Raises
    ------
    RecordingError
        For a bin shorter than a step, or a run without duration.
    """
    width = read_real(bin, "the length of bins", RecordingError)
    if not dt * (1 - 1e-9) <= width < np.inf:
        raise RecordingError(
            f"bin={shown(bin)} is not a length of bins: give a number of ms that is at least dt={dt:g}"
        )
    if not stop > start:
        raise RecordingError("the run has no duration, so there is no rate")
    count = max(1, int(np.ceil((stop - start) / width - 1e-9)))
    edges = np.append(start + width * np.arange(count), stop)
    found = np.zeros(count, np.int64)
    for times in spike_times:  # the middle of its step says where a spike is, so that no rounding moves it
        place = np.floor(((steps_of(times, dt) + 0.5) * dt - start) / width).astype(np.int64)
        found += np.bincount(np.clip(place, 0, count - 1), minlength=count)
    return PopulationRate(edges, found * 1000.0 / (np.diff(edges) * max(neurons, 1)))
