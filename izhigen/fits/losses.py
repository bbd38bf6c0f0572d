"""How far runs are from a target: distances between spike trains, errors of traces and of figures.

A loss is called with what candidates did and the target, and gives one number a candidate, 0 where they agree.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from izhigen.errors import ValueShapeError, shown
from izhigen.scalars import read_finite

Array = Any

MOST_SPIKES, MORE = 3, 50
"""Candidates with more spikes than so many times the target's, and so many more, are not compared spike by spike."""


MOST_CHANCE = 0.9
"""The share of coincidences that chance is taken to make, at most."""


@dataclass(frozen=True, eq=False)
class Trains:
    """Spike trains of candidates.

    Attributes
    ----------
    times : array, shape (n, k)
        ms, ascending; infinite behind the last spike of each.
    counts : array, shape (n,)
    duration : float
        ms.
    """

    times: Array
    counts: Array
    duration: float


def trains_of(times: Array, neurons: Array, count: int, duration: float, most: int) -> Trains:
    """Trains from all spikes of candidates; of those with more than ``most`` only the number is kept."""
    counts = np.bincount(neurons, minlength=count)
    kept = (counts <= most)[neurons]
    times, neurons = times[kept], neurons[kept]
    order = np.lexsort((times, neurons))
    times, neurons = times[order], neurons[order]
    few = np.bincount(neurons, minlength=count)
    first = np.cumsum(few) - few
    rows = np.full((count, int(few.max(initial=0))), np.inf)
    rows[neurons, np.arange(len(times)) - first[neurons]] = times
    return Trains(rows, counts, duration)


def most_spikes(target: Array) -> int:
    """Spikes of a candidate that is compared spike by spike, at most."""
    return MOST_SPIKES * len(target) + MORE


class SpikeLoss(Protocol):
    """A distance between spike trains."""

    def of_trains(self, found: Trains, target: Array) -> Array:
        """The distance of each candidate's train from the target's.

        Parameters
        ----------
        found : Trains
            Of candidates; those with very many spikes have no times, only their number.
        target : array
            Times in ms, ascending.

        Returns
        -------
        array, shape (n,)

        Raises
        ------
        Exception
            What it likes: a fit passes it on.
        """
        ...


def _above_zero(name: str, value: Any) -> float:
    found = read_finite(value, name)
    if found <= 0:
        raise ValueShapeError(f"{name}={shown(value)} is not above 0")
    return found


@dataclass(frozen=True)
class VanRossum:
    r"""The squared distance of van Rossum (2001, Neural Comput. 13:751): both trains filtered by exp(-t/tau),

    .. math:: D^2 = \frac1\tau\int (f - g)^2 dt = \tfrac12\sum_{ij} w_i w_j e^{-|t_i - t_j|/\tau}

    over all spikes of both, with w = 1 for the candidate's and -1 for the target's. A spike alone counts 1/2.

    Attributes
    ----------
    tau : float
        ms. Long ones see rates, short ones single spikes.
    """

    tau: float = 20.0

    def of_trains(self, found: Trains, target: Array) -> Array:
        """The distance; see :class:`SpikeLoss`."""
        count = len(found.counts)
        times = np.concatenate([found.times, np.broadcast_to(target, (count, len(target)))], axis=1)
        weights = np.concatenate([np.ones(found.times.shape), np.full((count, len(target)), -1.0)], axis=1)
        order = np.argsort(times, axis=1, kind="stable")
        times, weights = np.take_along_axis(times, order, 1), np.take_along_axis(weights, order, 1)
        weights[np.isinf(times)] = 0.0
        times = np.where(np.isinf(times), found.duration + 1e9, times)
        distance, memory, before = np.zeros(count), np.zeros(count), np.zeros(count)
        for now, weight in zip(times.T, weights.T):  # the filtered trains jump by the weight at each spike
            memory = memory * np.exp((before - now) / self.tau)
            distance += weight * memory + 0.5 * weight**2
            memory, before = memory + weight, now
        bound = 0.5 * (found.counts + len(target)) ** 2.0
        return np.where(found.counts > most_spikes(target), bound, np.maximum(distance, 0.0))

    def slope(self, spikes: Array, target: Array, dt: float) -> Array:
        """The gradient of the distance with respect to every spike of candidates: rows of whether each spiked (T, n),
        beside a target's (T,).
        """
        weights, decay = spikes.astype(np.float64) - target[:, None], math.exp(-dt / self.tau)
        before, behind = weights.copy(), weights.copy()
        for row in range(1, len(weights)):
            before[row] += decay * before[row - 1]
            behind[-1 - row] += decay * behind[-row]
        return before + behind - weights


@dataclass(frozen=True)
class VictorPurpura:
    """The least cost of turning one train into the other (Victor and Purpura 1996, J. Neurophysiol. 76:1310): 1 for a
    spike that is put in or taken away, ``cost`` a ms for one that is moved.

    Attributes
    ----------
    cost : float
        1/ms. Two spikes further apart than 2/cost count as different ones.
    """

    cost: float = 0.1

    def of_trains(self, found: Trains, target: Array) -> Array:
        """The distance; see :class:`SpikeLoss`."""
        count, along = len(found.counts), np.arange(len(target) + 1.0)
        row = np.broadcast_to(along, (count, len(target) + 1))
        ends = np.where(found.counts == 0, float(len(target)), np.nan)
        for k, times in enumerate(np.where(np.isinf(found.times), 0.0, found.times).T, start=1):
            moved = row[:, :-1] + self.cost * np.abs(times[:, None] - target)
            least = np.concatenate([np.full((count, 1), float(k)), np.minimum(row[:, 1:] + 1.0, moved)], axis=1)
            row = np.minimum.accumulate(least - along, axis=1) + along  # spikes of the target that are put in
            ends = np.where(found.counts == k, row[:, -1], ends)
        return np.where(found.counts > most_spikes(target), found.counts + float(len(target)), ends)


@dataclass(frozen=True)
class Coincidence:
    r"""One minus the coincidence factor (Kistler et al. 1997; Jolivet et al. 2008, J. Neurosci. Methods 169:417),

    .. math:: \Gamma = \frac{N_{coinc} - 2\nu\Delta N}{\tfrac12 (N + N_{model})}\,\frac1{1 - 2\nu\Delta},

    the share of spikes within :math:`\Delta` of one of the target's N, less what a Poisson process of the candidate's
    rate :math:`\nu` would have (a share of 0.9 at most); between 0 and 2.

    Attributes
    ----------
    window : float
        Delta in ms.
    """

    window: float = 2.0

    def of_trains(self, found: Trains, target: Array) -> Array:
        """One minus the factor; see :class:`SpikeLoss`."""
        model, total = found.counts.astype(float), float(len(target))
        near, close = np.zeros(len(model)), np.zeros(found.times.shape, bool)
        for time in target:
            within = np.abs(found.times - time) <= self.window
            near += within.any(axis=1)
            close |= within
        near = np.minimum(near, close.sum(axis=1))  # one spike of the candidate for one of the target
        chance = np.minimum(2.0 * self.window * model / max(found.duration, 1e-300), MOST_CHANCE)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.clip((near - chance * total) / (0.5 * (total + model)) / (1.0 - chance), -1.0, 1.0)
        return 1.0 - np.where(model + total == 0, 1.0, np.where(found.counts > most_spikes(target), -1.0, factor))


@dataclass(frozen=True)
class TraceError:
    """The mean squared error of a trace, over the variance of the target where that is not 0."""

    def of_traces(self, found: Array, target: Array) -> Array:
        """Of traces (T, n) from a target (T,), shape (n,)."""
        scale = float(np.var(target)) or 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            return np.mean((found.astype(np.float64) - target[:, None]) ** 2, axis=0) / scale

    def slope(self, found: Array, target: Array) -> Array:
        """The gradient with respect to the traces (T, n)."""
        scale = float(np.var(target)) or 1.0
        return (found.astype(np.float64) - target[:, None]) * (2.0 / len(target) / scale)


@dataclass(frozen=True)
class FigureError:
    """The squared error of a number, over the square of the target where that is not 0. A figure that a candidate does
    not have, such as the first spike of one without any, counts as an error of 1.
    """

    def of_figures(self, found: Array, target: float) -> Array:
        """Of numbers (n,) from a target, shape (n,)."""
        error = ((np.asarray(found, float) - target) / (abs(target) or 1.0)) ** 2
        return np.where(np.isfinite(error), error, 1.0)


def van_rossum(tau: float = 20.0) -> VanRossum:
    """The squared distance of van Rossum (2001, Neural Comput. 13:751); see :class:`VanRossum`.

    Parameters
    ----------
    tau : float
        ms.

    Raises
    ------
    ValueShapeError
        For a number that is not above 0.
    """
    return VanRossum(_above_zero("tau", tau))


def victor_purpura(cost: float = 0.1) -> VictorPurpura:
    """The distance of Victor and Purpura (1996, J. Neurophysiol. 76:1310); see :class:`VictorPurpura`.

    Parameters
    ----------
    cost : float
        Of moving a spike by one ms.

    Raises
    ------
    ValueShapeError
        For a number that is not above 0.
    """
    return VictorPurpura(_above_zero("cost", cost))


def coincidence(window: float = 2.0) -> Coincidence:
    """One minus the coincidence factor (Jolivet et al. 2008); see :class:`Coincidence`.

    Parameters
    ----------
    window : float
        ms.

    Raises
    ------
    ValueShapeError
        For a number that is not above 0.
    """
    return Coincidence(_above_zero("window", window))


SPIKE_LOSSES: dict[str, Callable[[], SpikeLoss]] = {
    "van_rossum": van_rossum,
    "victor_purpura": victor_purpura,
    "coincidence": coincidence,
}
"""By name."""
