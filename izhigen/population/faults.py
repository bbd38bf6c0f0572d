"""What is not finite: inputs looked at before a block runs, and errors that name neuron, step, states and inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.backends.engine import Block, Source
from izhigen.errors import NonFiniteError, shown
from izhigen.inputs.drawing import bad_rate_text
from izhigen.memory.space import fetch
from izhigen.model.events import MOST_LOCATED
from izhigen.population.neurons import Neurons

Array = Any
ONE_THREAD = 8192
"""Numbers that BLAS multiplies on the thread that asks."""


@dataclass(frozen=True)
class BadInput:
    """Where an input is infinite or undefined: row of the block, neuron (0 if all share it), name and fault."""

    row: int
    neuron: int
    name: str
    what: str = "is infinite or undefined"

    def __str__(self) -> str:
        return f"input {shown(self.name)} of neuron {self.neuron} {self.what}"


def find_bad_input(sources: Mapping[str, Source], checked: Mapping[str, Source]) -> BadInput | None:
    """The first row and neuron of an input of the host that is infinite or undefined, without those checked already.

    What the kernel computes, and what lies on a device, the kernel checks.
    """
    found = []
    for name, source in sources.items():
        known = source is checked.get(name) or source.numbers is not None or not isinstance(source.values, np.ndarray)
        place = None if known else first_not_finite(source.values)
        if place is not None:
            found.append(BadInput(int(place[0]), int(place[1]), name))
    rate = find_bad_rate(sources)
    return min([*found, *([] if rate is None else [rate])], key=lambda b: (b.row, b.neuron), default=None)


def find_bad_rate(sources: Mapping[str, Source]) -> BadInput | None:
    """The first row for which a Poisson process has no rate that can be drawn from; looked for in every run."""
    bad = [(name, source.counts.bad) for name, source in sources.items() if source.counts is not None]
    found = [BadInput(where[0], 0, name, bad_rate_text(where[1])) for name, where in bad if where is not None]
    return min(found, key=lambda b: b.row, default=None)


def find_bad_input_anywhere(sources: Mapping[str, Source]) -> BadInput | None:
    """The same of all inputs: what lies on a device is brought over, and what a kernel computes is computed."""
    return find_bad_input({name: Source(fetch(source.values)) for name, source in sources.items()}, {})


def first_not_finite(values: Array) -> Array | None:
    """Index of the first value that is infinite or undefined.

    The sum of all squares is so when any is, and is found in one pass, by parts that are too short for BLAS to wake
    threads for. What lies on a device comes over only where it has such a value.
    """
    if not isinstance(values, np.ndarray):
        if bool(np.isfinite(values).all()):
            return None
        values = fetch(values)
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if flat.size <= ONE_THREAD:
            is_finite = math.isfinite(flat.item() if flat.size == 1 else np.dot(flat, flat))
        else:
            whole = flat.size // ONE_THREAD * ONE_THREAD
            rows, rest = flat[:whole].reshape(-1, ONE_THREAD), flat[whole:]
            is_finite = math.isfinite(np.dot(rest, rest)) and bool(np.isfinite(np.vecdot(rows, rows)).all())
        if is_finite:
            return None
    places = np.argwhere(~np.isfinite(values))  # the squares may overflow where the values do not
    return places[0] if len(places) else None


def bad_computed_input(sources: Mapping[str, Source], row: int) -> BadInput:
    """Which of the inputs that a kernel computes is not finite in a row."""
    names = [name for name, source in sources.items() if source.numbers is not None]
    return BadInput(row, 0, next((name for name in names if not np.isfinite(sources[name].values[row, 0])), names[0]))


def bad_input_error(neurons: Neurons, bad: BadInput, sources: Mapping[str, Source]) -> NonFiniteError:
    """The error for an input that is not finite; the population stands before the step concerned."""
    return non_finite(neurons, bad.neuron, sources, bad.row, "the population is left before it, with", subject=str(bad))


def non_finite_after(neurons: Neurons, neuron: int, sources: Mapping[str, Source]) -> NonFiniteError:
    """What a single step left not finite; an input that lies on a device is looked at only now."""
    bad = find_bad_input_anywhere(sources)
    where, subject = (neuron, None) if bad is None else (bad.neuron, str(bad))
    return non_finite(neurons, where, sources, 0, "its state is now", ahead=0, subject=subject)


def non_finite(
    neurons: Neurons,
    neuron: int,
    sources: Mapping[str, Source],
    row: int,
    then: str,
    ahead: int = 1,
    subject: str | None = None,
) -> NonFiniteError:
    """The error for a neuron in the step ``ahead`` of the present one, whose inputs stand in a row of the sources."""
    step, dt, state = neurons.steps_done - 1 + ahead, neurons.dt, neurons.states_of(neuron)
    first = neurons.first_index
    inputs = {name: source.value(row, neuron, step, first) for name, source in sources.items()}
    values = ", ".join(f"{name}={value:g}" for name, value in (*state.items(), *inputs.items()))
    what = subject or f"neuron {neuron} became infinite or undefined{_crowd(neurons)}"
    return NonFiniteError(
        f"{what} in step {step} (t = {(step + 1) * dt:g} ms); {then} {values}. "
        "Check the inputs, or take a smaller dt; check_finite=False lets it go on",
        neuron=neuron,
        step=step,
        time=(step + 1) * dt,
        state=state,
        inputs=inputs,
    )


def _crowd(neurons: Neurons) -> str:
    """Why else a neuron is left undefined, where its events are located."""
    return f" (or had more than {MOST_LOCATED} events)" if neurons.located else ""


def non_finite_within(neurons: Neurons, neuron: int, block: Block) -> NonFiniteError:
    """The error for a population too large to keep a copy of: the block is known, the step is not."""
    last, dt = block.first_step + block.steps - 1, neurons.dt
    return NonFiniteError(
        f"neuron {neuron} became infinite or undefined{_crowd(neurons)} in one of the steps "
        f"{block.first_step} to {last} (t = {block.first_step * dt:g} to {(last + 1) * dt:g} ms); "
        "the population is left after them. "
        "Its states are too large to keep a copy that would tell the step: "
        "run this neuron alone, check the inputs, or take a smaller dt; check_finite=False lets it go on",
        neuron=neuron,
        step=last,
        time=(last + 1) * dt,
        state=neurons.states_of(neuron),
        inputs={},
    )
