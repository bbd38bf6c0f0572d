"""Amplitudes of an input that tell something of a model."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from izhigen.verification.ladder import Choice, Subject, run

Array = Any


def find_inputs(subject: Subject) -> dict[str, Any]:
    """Amplitudes of the model's first input that give no, a few and many spikes; nothing for a model without inputs."""
    model = subject.model
    names = [name for name in model.inputs if name not in model.event_inputs]
    if not names:
        return {}
    steps = np.array([1, 1.5, 2, 3, 4, 5, 6, 8])
    up = np.concatenate([steps * 10.0**k for k in range(-4, 5)])
    tried = np.concatenate([[0.0], up, -up])
    counts = _counts(subject, names[0], tried)
    return {names[0]: np.array(_chosen(tried, counts, bool(subject.events), subject.duration))}


def _counts(subject: Subject, name: str, tried: Array) -> Array:
    """Events of neurons with these amplitudes, by the kernel of a small step; -1 where a state is not finite."""
    dt = 0.05 if round(subject.duration / 0.05) * 0.05 == subject.duration else subject.duration / 4000
    population = subject.population(len(tried), dt, Choice("rk4"), "float64")
    recording = run(population, {name: tried}, steps=round(subject.duration / dt), record=list(subject.events))
    counts = np.zeros(len(tried), int)
    for event in subject.events:
        np.add.at(counts, recording.events[event][1], 1)
    for state in subject.model.states:
        counts[~np.isfinite(population.state[state])] = -1
    return counts


def _chosen(tried: Array, counts: Array, has_events: bool, duration: float) -> list[float]:
    if not has_events:
        return [float(a) for a in (0.0, 1.0, 10.0) if counts[list(tried).index(a)] >= 0] or [0.0]
    spiking = [k for k in np.argsort(np.abs(tried), kind="stable") if counts[k] > 0]
    if not spiking:
        return [0.0]
    sign = math.copysign(1.0, tried[spiking[0]]) if tried[spiking[0]] else 1.0
    on_side = [k for k in spiking if tried[k] * sign >= 0 and counts[k] <= max(4.0, duration / 4)] or spiking[:1]
    found = {
        tried[k]
        for wanted in (3, duration / 20, duration / 8)
        if (k := min(on_side, key=lambda k: (abs(math.log(counts[k] / wanted)), abs(tried[k])))) is not None
    }
    lowest = tried[on_side[0]]
    quiet = [tried[k] for k in range(len(tried)) if counts[k] == 0 and abs(tried[k]) <= abs(lowest) / 2]
    silent = [a for a, count in zip(tried, counts) if count == 0]
    if not quiet and silent:  # it spikes by itself
        quiet = [min(silent, key=abs)]
    if quiet:
        found.add(max(quiet, key=lambda a: (a * sign, 0)))
    return sorted((float(a) for a in found), key=lambda a: a * sign)
