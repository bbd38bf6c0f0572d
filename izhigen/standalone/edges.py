"""States from which a step ends just below the threshold of an event, or just above."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from izhigen.standalone.oracle import LENGTH, MASK, MOVE, SEGMENTS, Oracle, State, Stretch, displaced, finite

Array = Any

EDGE = 2e-4
"""How near to the threshold a step ends, or starts, as a fraction of the state that the event watches."""
SCANNED, SCANNED_RANGE = 1001, 3.0
"""Values of a state that are tried for what makes an event happen; how far from its initial value, in it or in 1."""


Point = dict[str, float]
"""A value for each state."""


def around_threshold(oracle: Oracle, inputs: Array, first: int, stride: int, event: int) -> list[tuple[Point, Point]]:
    """Pairs of states, from one of which an event happens in a step; only one pair for the spike."""
    return _around_event(oracle, inputs, first, event) if event else _around_spike(oracle, inputs, stride)


def _around_spike(oracle: Oracle, inputs: Array, stride: int) -> list[tuple[Point, Point]]:
    """The initial states, and those of a neuron before the step in which it spikes first."""
    state = displaced(oracle, len(inputs))
    for first in range(0, SEGMENTS * stride, LENGTH):
        before = {name: values.copy() for name, values in state.items()}
        if not any(oracle.spikes(state, Stretch(first, LENGTH, inputs))):
            continue
        for step in range(first, first + LENGTH):
            found = {name: values.copy() for name, values in before.items()}
            masks = oracle.spikes(before, Stretch(step, 1, inputs))
            for neuron, mask in enumerate(masks):
                if mask and finite(oracle, found)[neuron]:
                    quiet = {name: float(values[0]) for name, values in oracle.initial(1).items()}
                    return [(quiet, {name: float(found[name][neuron]) for name in oracle.model.states})]
    return []


def _around_event(oracle: Oracle, inputs: Array, first: int, event: int) -> list[tuple[Point, Point]]:
    """Initial states but for the one that an event watches, which has two near values: the event happens in a step from
    one of them alone, and all else alike. A pair where it begins to happen as that state grows, and one where it ends.
    """
    name, count = oracle.watched(event), len(inputs)
    state = oracle.initial(SCANNED * count)
    centre = float(state[name][0])
    reach = SCANNED_RANGE * max(abs(centre), 1.0)
    values = np.linspace(centre - reach, centre + reach, SCANNED)
    state[name] = np.repeat(values, count)
    start = {key: float(part[0]) for key, part in state.items()}
    masks = np.array(oracle.run(state, Stretch(first, 1, inputs)), object).reshape(SCANNED, count)
    alone, found = 1 << MASK * event, dict[bool, tuple[Point, Point]]()
    for k, neuron in product(range(SCANNED - 1), range(count)):
        begins = bool(masks[k + 1, neuron] & alone)
        if masks[k, neuron] ^ masks[k + 1, neuron] == alone and begins not in found:
            quiet, happening = (values[k], values[k + 1]) if begins else (values[k + 1], values[k])
            found[begins] = {**start, name: float(quiet)}, {**start, name: float(happening)}
    return list(found.values())


def solve_edge(
    oracle: Oracle, stretch: Stretch, between: Callable[[Array], State], event: int
) -> tuple[Array, Array, Array]:
    """Where on a line of states an event begins to happen in a single step, how far is near, and for which neurons that
    is known.
    """
    count, name = len(stretch.inputs), oracle.watched(event)

    def spikes(part: Array) -> Array:
        return np.array(oracle.spikes(between(part), stretch, event), bool)

    low, high = np.full(count, np.nan), np.full(count, np.nan)
    for trial in (0.0, -1.0, -3.0):
        low = np.where(np.isnan(low) & ~spikes(np.full(count, trial)), trial, low)
    for trial in (1.0, 1.5, 2.0, 4.0, 8.0):
        high = np.where(np.isnan(high) & spikes(np.full(count, trial)), trial, high)
    found = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(found, low, 0.0), np.where(found, high, 0.0)
    for _ in range(48):
        middle = (low + high) / 2
        above = spikes(middle)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    starts, ends = [], []
    for part in (low, low - 1e-6):
        state = between(part)
        starts.append(state[name].copy())
        oracle.run(state, stretch)
        ends.append(state[name])
    moved, left = (np.abs(one - other) / 1e-6 for one, other in (ends, starts))
    is_start = moved == 0.0  # where the step leads to does not tell, so that where it starts must have decided
    slope, size = np.where(is_start, left, moved), np.abs(np.where(is_start, starts[0], ends[0]))
    near = EDGE * size + 16 * MOVE * oracle.eps * np.abs(starts[0])
    found &= slope > 0.0
    return low, np.where(found, near / np.where(found, slope, 1.0), 0.0), found
