"""What a population asks of a backend: advance some steps, and write down what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Array = Any


@dataclass
class Block:
    """One call: steps to make, with which values, and where results go.

    Attributes
    ----------
    first_step, steps : int
        Steps ``first_step ... first_step + steps - 1``; step k starts at ``t = k*dt``.
    dt : float
        Step in ms.
    seed, first_index : int
        Key of the random streams, and the index of the first neuron in them.
    state : mapping
        Name to a contiguous array of n values, advanced in place.
    parameters : mapping
        Name to a float, or to an array of n values.
    inputs : mapping
        Name to a contiguous array of shape (1 or steps, 1 or n).
    record : mapping
        Name of a state to an array (rows, values a row) to fill.
    record_every, record_phase : int
        Rows are written after steps ``record_phase``, ``record_phase + record_every``, ... of the call.
    record_neurons : array or None
        Ascending neuron indices to record; None for all.
    collect_spikes : bool
        Whether to return the spikes.
    spike_flag : array or None
        n bytes: who spiked in the last step.
    threads : int
    """

    first_step: int
    steps: int
    dt: float
    seed: int
    state: Mapping[str, Array]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Array]
    record: Mapping[str, Array] = field(default_factory=dict)
    record_every: int = 1
    record_phase: int = -1
    record_neurons: Array = None
    collect_spikes: bool = False
    spike_flag: Array = None
    threads: int = 1
    first_index: int = 0


@dataclass(frozen=True)
class Spikes:
    """Spikes of a block, ordered by (step, neuron): the step within the block, and the neuron."""

    step: Array
    neuron: Array


class Engine(Protocol):
    """A kernel made callable."""

    description: str
    """What was built, for people: compiler, flags, file."""

    def advance(self, block: Block) -> Spikes | None:
        """Advance the states of a block in place; the spikes where they were asked for."""
        ...
