"""What a population asks of a backend: advance some steps, and write down what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from izhigen.arrays import HOST, HostSpace
from izhigen.errors import BackendError
from izhigen.random import normals

Array = Any

LONGEST_BLOCK = 1 << 14
"""Most steps of one kernel call."""
REWIND_BYTES = 64 << 20
"""Bytes of states that a host keeps a copy of without being slowed down much."""


@dataclass(frozen=True, eq=False)
class Source:
    """Values of one input over a block.

    Attributes
    ----------
    given : array, shape (1 or steps, 1 or n), or callable
        Contiguous, in the kernel's type; or a function that gives them where they are wanted, as the kernel computes them itself.
    noise : array, shape (1 or steps,), or None
        Amplitude of the normal variates that the kernel draws and adds, one a neuron and step.
    seed : int
        Key of those variates.
    numbers : tuple of float, or None
        What stands for c0, c1, ... in the form that the kernel computes the values by.
    """

    given: Array | Callable[[], Array]
    noise: Array = None
    seed: int = 0
    numbers: tuple[float, ...] | None = None

    @cached_property
    def values(self) -> Array:
        """The values, shape (1 or steps, 1 or n)."""
        return self.given() if callable(self.given) else self.given

    def value(self, row: int, neuron: int, step: int) -> float:
        """The value of a neuron in a row, with the variate of that neuron and step where the kernel adds one."""
        value = self.values[row if self.values.shape[0] > 1 else 0, neuron if self.values.shape[1] > 1 else 0]
        if self.noise is None:
            return float(value)
        return float(
            value
            + self.noise[row if len(self.noise) > 1 else 0]
            * normals(self.seed, neuron, 1, step, 0, self.values.dtype)[0]
        )

    def part(self, offset: int, steps: int) -> Source:
        """The same input over some of the steps."""
        values = self.values[offset : offset + steps] if len(self.values) > 1 else self.values
        noise = self.noise[offset : offset + steps] if self.noise is not None and len(self.noise) > 1 else self.noise
        return Source(values, noise, self.seed, self.numbers)


@dataclass
class Moments:
    """Each neuron's spikes in figures, over all blocks of a run: arrays of n values that a backend brings up to date.

    ``count`` of spikes; steps of the ``first`` and the ``last`` one (-1 before any); sum of the ``squares`` of the intervals in steps.
    The last three are all None where only the count is wanted.
    """

    count: Array
    first: Array = None
    last: Array = None
    squares: Array = None


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
        Name to a :class:`Source`.
    record : mapping
        Name of a state to an array (rows, values a row) to fill.
    record_every, record_phase : int
        Rows are written after steps ``record_phase``, ``record_phase + record_every``, ... of the call.
    record_neurons : array or None
        Ascending neuron indices to record; None for all.
    collect_spikes : bool
        Whether to return the spikes.
    moments : Moments or None
        Spike moments to bring up to date.
    spike_flag : array or None
        n bytes: who spiked in the last step.
    threads : int
    check_finite : bool
        Whether to look for a state that is not finite when the steps are made.
    steps_per_launch : int or None
        Steps of one launch of a kernel on a device; None for all of the block.
    """

    first_step: int
    steps: int
    dt: float
    seed: int
    state: Mapping[str, Array]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Source]
    record: Mapping[str, Array] = field(default_factory=dict)
    record_every: int = 1
    record_phase: int = -1
    record_neurons: Array = None
    collect_spikes: bool = False
    moments: Moments | None = None
    spike_flag: Array = None
    threads: int = 1
    first_index: int = 0
    check_finite: bool = False
    steps_per_launch: int | None = None


@dataclass(frozen=True)
class Spikes:
    """Spikes of a block, ordered by (step, neuron): the step within the block, and the neuron."""

    step: Array
    neuron: Array


@dataclass(frozen=True)
class Advanced:
    """What a backend found while it advanced a block.

    ``spikes``, and the first neuron with a state that is not finite, where asked for. ``bad_step`` is the first step of the block for which
    the kernel computes an input that is not finite; nothing was advanced then. What is said of a block
    that was submitted before an earlier one was found to have failed has no meaning. ``is_repeated`` says that the block and those after it
    began again, after work that was asked for between them was done.
    """

    spikes: Spikes | None = None
    bad_neuron: int | None = None
    bad_step: int | None = None
    is_repeated: bool = False


Pending = Callable[[], Advanced]
"""Waits for a block that was submitted, and says what was found."""
PreparedStep = Callable[[int, Mapping[str, Source], Callable[[], object]], int | None]
"""Makes one step and calls a function of C code that counts it: both, or neither, whatever signals come. Returns the first neuron with a
state that is not finite (where the block asks to look), or None."""


class Engine(Protocol):
    """A kernel made callable."""

    description: str
    """What was built, for people: compiler, flags, file."""
    method: str
    """Name of the integration method."""
    cost: int
    """What a neuron-step costs, in multiply-adds."""
    pace: float
    """Multiply-adds a second that a thread makes, roughly; says how many steps to ask for in one call."""
    least_steps: int
    """Steps below which a call is not worth cutting: reading and writing all states must stay a small part of it."""
    depth: int
    """Blocks that may be under way at once."""
    rewind_bytes: int
    """Most bytes of states that a run keeps a copy of, so that a state that is not finite can be traced to its step."""

    def longest(self, block: Block) -> int:
        """Most steps of a block like this one."""
        ...

    def submit(self, block: Block) -> Pending:
        """Begin to advance the states of a block in place; blocks are advanced in the order of their submission."""
        ...

    def recover(self) -> None:
        """Take blocks again after one of them failed."""
        ...

    def prepare(self, block: Block) -> PreparedStep:
        """One step as a function of its number, of the inputs' values and of what counts it, for the arrays and parameters of the block.

        The arrays must stay where they are; their values may change.
        """
        ...


def host_space(device: Any, sharding: Any) -> HostSpace:
    """The memory of the process, for a backend that has no devices."""
    for name, value in (("device", device), ("sharding", sharding)):
        if value is not None:
            raise BackendError(
                f"{name}={value!r} chooses among devices, and this backend has none; "
                "take backend='cuda', or threads= to share the work"
            )
    return HOST


class HostEngine:
    """What engines share that advance a block while they are asked to."""

    depth = 1
    rewind_bytes = REWIND_BYTES

    def advance(self, block: Block) -> Advanced:
        """Advance the states of a block in place."""
        raise NotImplementedError

    def submit(self, block: Block) -> Pending:
        """Advance the block now."""
        found = self.advance(block)
        return lambda: found

    def longest(self, block: Block) -> int:
        """Most steps of a block."""
        return LONGEST_BLOCK

    def recover(self) -> None:
        """Nothing to do."""
