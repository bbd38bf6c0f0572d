"""What a fit is to reach: spike times, traces and figures of one neuron under one or several drives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from izhigen.api import Model
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.fits.features import Features
from izhigen.fits.losses import (
    SPIKE_LOSSES,
    FigureError,
    SpikeLoss,
    TraceError,
    Trains,
    VanRossum,
    most_spikes,
    trains_of,
)
from izhigen.memory.space import refuse_masked
from izhigen.model.events import SPIKE
from izhigen.model.lines import line_names
from izhigen.recording.recording import Recording
from izhigen.scalars import read_array, read_finite, real_numbers
from izhigen.units.quantities import plain

Array = Any

FEATURES = "features"
COUNT, RATE, FIRST = "count", "rate", "first_spike"
FIGURES = {COUNT: "1", RATE: "Hz", FIRST: "ms", "isi_mean": "ms", "isi_std": "ms", "cv": "1"}
"""Figures of spikes that can be a target, and their units."""


@dataclass(frozen=True, eq=False)
class Trial:
    """One drive, and what the neuron does under it.

    Attributes
    ----------
    inputs : mapping
        As a run takes them.
    spikes : array or None
        Times in ms, ascending.
    traces : mapping
        Name to an array (T,), a value a step.
    figures : mapping
        Name to a number.
    weights : mapping
        Name of each of these to its weight in the sum.
    features : Features or None
        Of the trace that it names.
    """

    inputs: Mapping[str, Any]
    spikes: Array | None
    traces: Mapping[str, Array]
    figures: Mapping[str, float]
    weights: Mapping[str, float]
    features: Features | None = None

    @property
    def record(self) -> list[str]:
        """What runs record."""
        spikes = [SPIKE] if self.spikes is not None or self.figures else []
        watched = [] if self.features is None else [str(self.features.trace)]
        return list(dict.fromkeys([*self.traces, *watched, *spikes]))

    def trains(self, recording: Recording) -> Trains:
        """Spike trains of candidates; long ones are cut where they are compared with a target's."""
        times, neurons = recording.spikes
        count, lasted = recording.shape[0], recording.stop - recording.start
        longest = most_spikes(self.spikes) if self.spikes is not None else len(times)
        return trains_of(np.asarray(times), np.asarray(neurons), count, lasted, longest)

    def losses(self, recording: Recording, loss: SpikeLoss) -> Array:
        """The weighted sum of all errors of candidates, shape (n,)."""
        total = np.zeros(recording.shape[0])
        if self.spikes is not None:
            found = np.asarray(loss.of_trains(self.trains(recording), self.spikes))
            if found.shape != total.shape:
                raise ValueShapeError(
                    f"the loss gave shape {found.shape} for {len(total)} candidates; give one number each"
                )
            total += self.weights[SPIKE] * found
        for name, target in self.traces.items():
            total += self.weights[name] * TraceError().of_traces(np.asarray(recording[name]), target)
        if self.figures:
            figures = figures_of(recording)
            for name, value in self.figures.items():
                total += self.weights[name] * FigureError().of_figures(figures[name], value)
        if self.features is not None:
            trace = np.asarray(recording[str(self.features.trace)])
            of_trace = self.features.of_traces(np.asarray(recording.t) - recording.start, trace)
            for name, value in self.features.values:
                total += self.weights[FEATURES] * FigureError().of_figures(of_trace[name], value)
        return total


def figures_of(recording: Recording) -> dict[str, Array]:
    """Figures of the spikes of every neuron by name; NaN where there is none."""
    times, neurons = (np.asarray(part) for part in recording.spikes)
    count, lasted = recording.shape[0], recording.stop - recording.start
    order = np.lexsort((times, neurons))
    times, neurons = times[order], neurons[order]
    number = np.bincount(neurons, minlength=count)
    first = np.full(count, np.nan)
    first[neurons[::-1]] = times[::-1]
    same = neurons[1:] == neurons[:-1]
    intervals, owner = np.diff(times)[same], neurons[1:][same]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(owner, intervals, count) / (number - 1)
        square = np.bincount(owner, intervals**2, count) / (number - 1)
        mean, square = (np.where(number > 1, values, np.nan) for values in (mean, square))
        deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
        found = {COUNT: number.astype(float), RATE: number / lasted * 1000.0, FIRST: first}
        return found | {"isi_mean": mean, "isi_std": deviation, "cv": deviation / mean}


def read_trials(
    model: Model, target: Any, inputs: Any, steps: int, dt: float, weights: Mapping[str, float]
) -> list[Trial]:
    """The trials of a fit: one, or as many as targets are given in a list, each with its inputs.

    Raises
    ------
    ValueShapeError
        For a target of another length, kind or name, and inputs that are not as many.
    """
    several = (list, tuple, Mapping, Recording)
    many = isinstance(target, (list, tuple)) and any(
        isinstance(p, several) or getattr(p, "ndim", 0) > 0 for p in target
    )
    targets = list(target) if many else [target]
    drives = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs] * (1 if not many else 0)
    if many and not drives:
        raise ValueShapeError(f"{len(targets)} targets are given, so inputs= is a list of as many mappings")
    if len(drives) != len(targets):
        raise ValueShapeError(f"{len(targets)} targets are given, and inputs for {len(drives)}; give one each")
    found = []
    for number, (one, drive) in enumerate(zip(targets, drives)):
        where = f"target {number}" if many else "target"
        if not isinstance(drive, Mapping):
            raise ValueShapeError(f"{where}: its inputs are a mapping such as {{'I': 10.0}}, not {shown(drive)}")
        found.append(_trial(model, where, one, drive, steps, dt, weights))
    parts = [name for trial in found for name in trial.weights]
    bad = next((name for name in weights if name not in parts), None)
    if bad is not None:
        raise ValueShapeError(f"weights: {shown(bad)} is no part of the target ({', '.join(dict.fromkeys(parts))})")
    return found


def _trial(
    model: Model, where: str, target: Any, drive: Mapping[str, Any], steps: int, dt: float, weights: Mapping[str, float]
) -> Trial:
    if isinstance(target, Recording):
        neurons = math.prod(target.shape) if target.neurons is None else len(target.neurons)
        if neurons != 1:
            raise ValueShapeError(f"{where} is a recording of {neurons} neurons; give that of one, or its spike times")
        target = target.to_host().spikes[0] - target.start
    whole = FEATURES if isinstance(target, Features) else SPIKE
    parts = dict(target) if isinstance(target, Mapping) else {whole: target}
    traced = (*model.all_states, *line_names(model))
    spikes, traces, figures = None, dict[str, Array](), dict[str, float]()
    features: Features | None = None
    for name, value in parts.items():
        if name == SPIKE:
            spikes = _spike_times(where, value, steps * dt)
        elif name in traced:
            traces[name] = _trace(where, name, value, steps, model.unit_of(name))
        elif name == FEATURES and isinstance(value, Features):
            features = replace(value, trace=_watched(where, model, value.trace, traced))
        elif name in FIGURES:
            figures[name] = read_finite(plain(value, FIGURES[name], where, ValueShapeError), f"{where}: {name}")
        else:
            known = (SPIKE, *traced, *FIGURES, FEATURES)
            raise ValueShapeError(
                f"{where}: {shown(name)} is no part of one{suggest(str(name), known)} (known: {', '.join(known)})"
            )
    if not parts:
        raise ValueShapeError(f"{where} is empty; give spike times, or {{'V': trace}}, or {{'rate': 12.0}}")
    if (spikes is not None or figures) and model.spike is None:
        raise ValueShapeError(f"{where}: model {model.name!r} has no threshold, and no spikes")
    of_parts = {name: float(weights.get(name, 1.0)) for name in parts}
    return Trial(dict(drive), spikes, traces, figures, of_parts, features)


def _watched(where: str, model: Model, trace: str | None, traced: tuple[str, ...]) -> str:
    """The trace that features are of."""
    found = model.spike_state if trace is None else trace
    if found not in traced:
        raise ValueShapeError(
            f"{where}: features are of a state or line, and {shown(found)} is none{suggest(str(found), traced)}; name "
            f"one of {', '.join(traced)} by trace="
        )
    return found


def _numbers(where: str, value: Any, unit: str) -> Array:
    value = plain(value, unit, where, ValueShapeError)
    refuse_masked(where, value)
    array = np.asarray(read_array(where, value))
    if not array.size:
        return array.astype(np.float64)
    return np.asarray(real_numbers(where, value, array, "; give numbers"), np.float64)


def _spike_times(where: str, value: Any, duration: float) -> Array:
    times = _numbers(f"{where}: spike times", value, "ms")
    if times.ndim != 1:
        raise ValueShapeError(f"{where}: spike times have shape {times.shape}; give them in a row, in ms")
    bad = np.flatnonzero(~((times >= 0) & (times <= duration)))
    if len(bad):
        raise ValueShapeError(
            f"{where}: spike {int(bad[0])} is at {times[bad[0]]:g} ms, outside the {duration:g} ms of a run"
        )
    return np.sort(times)


def _trace(where: str, name: str, value: Any, steps: int, unit: str) -> Array:
    trace = _numbers(f"{where}: {name}", value, unit)
    if trace.ndim == 2 and trace.shape[1] == 1:
        trace = trace[:, 0]
    if trace.shape != (steps,):
        raise ValueShapeError(
            f"{where}: the trace of {name} has shape {trace.shape}; a run has {steps} steps, and a value for each"
        )
    bad = np.flatnonzero(~np.isfinite(trace))
    if len(bad):
        raise ValueShapeError(f"{where}: {name} is {trace[bad[0]]} in step {int(bad[0])}; give finite numbers")
    return trace


def read_loss(loss: Any) -> SpikeLoss:
    """The distance of spike trains that is asked for.

    Raises
    ------
    ValueShapeError
        For what is none.
    """
    if loss is None:
        return VanRossum()
    if isinstance(loss, str):
        if loss not in SPIKE_LOSSES:
            raise ValueShapeError(
                f"loss={shown(loss)} is none{suggest(loss, SPIKE_LOSSES)} (known: {', '.join(SPIKE_LOSSES)})"
            )
        return SPIKE_LOSSES[loss]()
    if not callable(getattr(loss, "of_trains", None)):
        raise ValueShapeError(f"loss={shown(loss)} is no name of one, and nothing like iz.fits.van_rossum(tau=10)")
    given: SpikeLoss = loss
    return given
