"""What kernels draw and deliver: Poisson processes as counts of a population's neurons, and spikes in the order in
which kernels read them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from izhigen.backends.engine import Counts, Deliveries
from izhigen.backends.poisson import first_sum
from izhigen.codegen.agreed import EVENT_GROUP, LARGEST_MEAN
from izhigen.errors import ValueShapeError
from izhigen.inputs.parts import GivenSpikes, Poisson
from izhigen.memory.layout import Layout
from izhigen.model.expressions import Expression
from izhigen.timegrid import TOLERANCE

Array = Any

KEPT = 4
"""What was made of a part for so many populations is kept with it."""
LAST_STEP = float(1 << 62)


@dataclass(frozen=True)
class Span:
    """Steps of a run: the first one in absolute time, how many, and their length in ms."""

    first: int
    steps: int
    dt: float


class StreamKey(NamedTuple):
    """What keys the random numbers of a population: its seed, and the index of its first neuron."""

    seed: int = 0
    first_index: int = 0


def stream_of(name: str) -> int:
    """The stream of an input's random numbers: the first eight bytes of the SHA-256 of its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def bad_rate_text(mean: float) -> str:
    """What is wrong with the mean count of a step."""
    if mean > LARGEST_MEAN:
        return (
            f"has {mean:g} events a step, more than {LARGEST_MEAN:g}, the most that poisson draws; "
            "lower the rate, n or dt, or take a current and iz.inputs.wiener"
        )
    return f"has a rate that is negative or undefined ({mean:g} events a step); give a rate in Hz from 0 on"


def make_counts(name: str, part: Poisson, stream: str, layout: Layout, span: Span, seed: int) -> Counts:
    """The counts of a process over some steps, for a population of that seed; ``stream`` names its random numbers.

    Raises
    ------
    ValueShapeError
        For arrays that are not one value a neuron, a weight beyond the number type,
        and a fixed rate of too many events a step.
    """
    key = (stream, span.dt, layout.shape, np.dtype(layout.dtype).name, seed)
    if key in part.made:
        fixed = part.made[key]
    else:
        fixed = Counts(*_means(name, part, layout, span), _weights(name, part, layout), stream_of(stream), seed)
        _keep(part.made, key, fixed)
    if not isinstance(part.rate, Expression):
        return fixed
    means = _stepped(part.rate, span) * (part.sources * span.dt / 1000.0)
    bad = np.flatnonzero(~((means >= 0.0) & (means <= LARGEST_MEAN)))
    where = (int(bad[0]), float(means[bad[0]])) if len(bad) else None
    means[bad] = 0.0
    return Counts(means[:, None], first_sum(means)[:, None], fixed.weight, fixed.stream, seed, where)


def _stepped(rate: Expression, span: Span) -> Array:
    """The rate at the start of each step, in Hz."""
    times = (span.first + np.arange(span.steps)) * span.dt
    with np.errstate(all="ignore"):
        return np.array(np.broadcast_to(np.asarray(rate.evaluate({"t": times}), np.float64), span.steps))


def _means(name: str, part: Poisson, layout: Layout, span: Span) -> tuple[Array, Array]:
    """Mean counts of a fixed rate, shape (1, 1 or n), and their first sums; of text nothing yet."""
    if isinstance(part.rate, Expression):
        return np.zeros((1, 1)), first_sum(np.zeros((1, 1)))
    with np.errstate(over="ignore"):
        means = _spread(name, "rate", part.rate, layout, np.float64) * (part.sources * span.dt / 1000.0)
    if means.size and not means.max() <= LARGEST_MEAN:
        raise ValueShapeError(f"input {name!r} of neuron {int(np.argmax(means))} {bad_rate_text(float(means.max()))}")
    return means.reshape(1, -1), first_sum(means).reshape(1, -1)


def _weights(name: str, part: Poisson, layout: Layout) -> Array:
    with np.errstate(over="ignore"):
        weights = (_spread(name, "weight", part.weight, layout, np.float64) * part.factor).astype(layout.dtype)
    return _checked_weights(name, weights, layout)


def _checked_weights(name: str, weights: Array, layout: Layout) -> Array:
    if not np.isfinite(weights).all():
        raise ValueShapeError(f"input {name!r}: a weight does not fit {np.dtype(layout.dtype).name}")
    return weights


def _spread(name: str, what: str, value: Array, layout: Layout, dtype: Any) -> Array:
    """A number as an array of one, or one value a neuron as a flat array."""
    if value.ndim == 0:
        return value.astype(dtype).reshape(1)
    flat = layout.per_neuron(value, dtype)
    if flat is None:
        raise ValueShapeError(
            f"input {name!r}: the {what} of poisson has shape {value.shape}, the population {layout.shape}; "
            "give a number or one value a neuron"
        )
    return flat


def make_deliveries(name: str, parts: Sequence[GivenSpikes], layout: Layout, dt: float) -> Deliveries | None:
    """Spikes in the kernel's order, those of a neuron in one step added up; None where there are no parts.

    Raises
    ------
    ValueShapeError
        For a neuron that the population does not have, or a weight beyond the number type.
    """
    if not parts:
        return None
    key = (dt, layout.count, np.dtype(layout.dtype).name, *(id(part) for part in parts[1:]))
    if key not in parts[0].made:
        _keep(
            parts[0].made, key, (_delivered(name, parts, layout, dt), parts[1:])
        )  # the others live as long, so do their ids
    found: Deliveries = parts[0].made[key][0]
    return found


def _keep(made: dict[Any, Any], key: Any, value: Any) -> None:
    while len(made) >= KEPT:
        made.pop(next(iter(made)))
    made[key] = value


def _order(group: Array, step: Array, neuron: Array) -> Array:
    """The order by group, step and neuron; equal ones stay as given. One key of 64 bits sorts faster than three."""
    steps = int(step.max(initial=0)) + 1
    if (int(group.max(initial=0)) + 1) * steps < 1 << 58:
        return np.argsort((group * steps + step) * EVENT_GROUP + neuron % EVENT_GROUP, kind="stable")
    return np.lexsort((neuron, step, group))


def _delivered(name: str, parts: Sequence[GivenSpikes], layout: Layout, dt: float) -> Deliveries:
    for part in parts:
        outside = part.neurons[(part.neurons < 0) | (part.neurons >= layout.count)]
        if len(outside):
            raise ValueShapeError(
                f"input {name!r}: spikes name neuron {int(outside[0])}, "
                f"but the population has neurons 0 to {layout.count - 1}"
            )
    neuron = np.concatenate([part.neurons for part in parts])
    weight = np.concatenate([part.weights * part.factor for part in parts])
    with np.errstate(over="ignore"):
        times = np.concatenate([part.times for part in parts]) / dt
    step = np.minimum(np.floor(times + TOLERANCE), LAST_STEP).astype(np.int64)
    group = neuron // EVENT_GROUP
    order = _order(group, step, neuron)
    step, neuron, weight, group = step[order], neuron[order], weight[order], group[order]
    is_first = np.ones(len(step), bool)
    is_first[1:] = (step[1:] != step[:-1]) | (neuron[1:] != neuron[:-1])
    places = np.flatnonzero(is_first)
    with np.errstate(over="ignore"):
        sums = (np.add.reduceat(weight, places) if len(places) else weight).astype(layout.dtype)
    groups = -(-layout.count // EVENT_GROUP)
    start = np.searchsorted(group[places], np.arange(groups + 1)).astype(np.int64)
    return Deliveries(
        start,
        np.ascontiguousarray(step[places]),
        (neuron[places] % EVENT_GROUP).astype(np.uint8),
        _checked_weights(name, sums, layout),
    )
