"""What spikes add to the sums that wait for later steps: by NumPy, or by generated C; the sums have one order in both.

That order is: by the step of the spike, then the connection, then the source, and of one source by delay and target.
Each target's sum is made by one thread, so how many there are changes no bit; where a run is cut does not either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import cffi
import numpy as np

from izhigen._version import __version__
from izhigen.backends.build import build_and_open
from izhigen.backends.engine import Spikes
from izhigen.backends.workers import Workers
from izhigen.codegen.program import C_FLAGS, Program
from izhigen.codegen.render import environment
from izhigen.network.rows import Rows, Waiting

Array = Any

INTERFACE = """\
/* Spikes of a population: those of step s of a block are neuron[begin[s]] ... neuron[begin[s + 1] - 1]. */
struct spikes {
    const int64_t *begin, *neuron;
    int64_t count;
};

/* Synapses by source: those of source i are start[i] ... start[i + 1] - 1, with such a table for each part. */
struct rows {
    const int64_t *start;
    const void *target, *weight, *delay;
    const struct spikes *spikes;
    int64_t kind, sources, one_delay, index_bytes, weight_bytes;
};

/* What receives: sums of `length` steps, and the connections that add to them, in their order. */
struct channel {
    const struct rows *rows;
    int64_t count, length, neurons, parts;
    void *sums;
};

/* A pointer of a run that moves on by `stride` bytes every `every` steps. */
struct pointer {
    char **place, *base;
    int64_t stride, every, offset;
};

/* An input of a run that reads what arrives, and what is given besides (or NULL). */
struct arrival {
    char **place;
    void *sums;
    const void *given;
    int64_t length, step_stride, neuron_stride;
};

/* A thread's neurons of a population, and its run. */
struct share {
    void *run;
    int64_t first, last;
    int64_t *first_step, *steps, *spike_count, *bad_neuron, *record_phase;
    uint8_t **spike_flag, *flags;
    const int64_t *spike_step, *spike_neuron;
    const struct pointer *pointer;
    const struct arrival *arrival;
    int64_t pointers, arrivals;
};

/* A population, and what was found of it: places are steps of the call times `events`, plus the number of the event. */
struct member {
    int64_t (*advance)(const void *population, void *run, int64_t first, int64_t last);
    const void *population;
    const struct share *share;
    struct spikes *spikes;
    int64_t *begin, *neuron, *room, *found_place, *found_neuron;
    int64_t neurons, events, every, offset, capacity, found;
};

/* What a call is to do: steps from `first_step` on, in blocks of at most `least`, which end at multiples of it. Each
   thread delivers to so many parts of the targets. */
struct network {
    struct member *member;
    const struct channel *const *channel;
    int64_t members, channels, threads, parts, first_step, steps, least, most, checks, done, met, round;
};

void izhigen_deliver(const struct channel *channel, int64_t first_step, int64_t steps, int64_t part);

/* Advance all populations and deliver; each thread calls it with its number. */
void izhigen_run(struct network *network, int64_t thread);
"""


@dataclass(frozen=True)
class Kind:
    """What a loop over a row is written for: bits of a target (0 where all follow), of a delay (0 for one), and
    whether each synapse has a weight.
    """

    index: int
    delay: int
    weights: bool


def kind_of(rows: Rows) -> Kind:
    """The kind of loop for a connection."""
    bits = 0 if rows.target is None else 8 * rows.target.itemsize
    return Kind(bits, 8 * rows.delay.itemsize if rows.delay.size > 1 else 0, rows.weight.size > 1)


@dataclass(frozen=True)
class DeliveryView:
    """What the templates of networks print.

    Attributes
    ----------
    head : tuple of str
        Lines of the comment at the head.
    real : str
        C's name of the number type.
    kinds : tuple of Kind
    """

    head: tuple[str, ...]
    real: str
    kinds: tuple[Kind, ...]


KINDS = tuple(Kind(i, d, w) for i in (0, 16, 32) for d in (0, 8, 16) for w in (False, True) if i or not d)


@dataclass(frozen=True, eq=False)
class Channel:
    """What receives: the sums that wait, and the connections that add to them, each with the name of its source."""

    waiting: Waiting
    connections: Sequence[tuple[str, Rows]]


class Delivery(Protocol):
    """Delivers the spikes of a block."""

    def deliver(self, found: Mapping[str, Spikes], first_step: int, steps: int) -> None:
        """Add what spikes of steps ``first_step ... first_step + steps - 1`` do, by the name of their population."""
        ...


class NumpyDelivery:
    """By NumPy, spike after spike."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._channels = channels

    def deliver(self, found: Mapping[str, Spikes], first_step: int, steps: int) -> None:
        """See :class:`Delivery`."""
        for channel in self._channels:
            for step in range(steps):
                for name, rows in channel.connections:
                    spikes = found[name]
                    for source in spikes.neuron[spikes.step == step]:
                        self._add(channel.waiting.rows, rows, int(source), first_step + step)

    @staticmethod
    def _add(sums: Array, rows: Rows, source: int, step: int) -> None:
        for start in rows.start:
            here = slice(int(start[source]), int(start[source + 1]))
            length = here.stop - here.start
            target = np.arange(length) if rows.target is None else rows.target[here]
            weight = rows.weight[here] if rows.weight.size > 1 else rows.weight
            delay = rows.delay[here] if rows.delay.size > 1 else np.broadcast_to(rows.delay, length)
            np.add.at(sums, ((step + delay.astype(np.int64)) % len(sums), target), weight)


class CDelivery:
    """By a compiled loop; each thread has a part of the targets of every channel."""

    def __init__(self, channels: Sequence[Channel], dtype: Any, parts: int) -> None:
        self._channels, self._parts = [c for c in channels if c.connections], parts
        program = delivery_program(np.dtype(dtype).name)
        self._ffi: Any = cffi.FFI()
        self._ffi.cdef(program.interface)
        _, self._library = build_and_open(program, self._ffi)
        self._workers = Workers()
        self._names = sorted({name for c in self._channels for name, _ in c.connections})
        self._spikes = {name: self._ffi.new("struct spikes *") for name in self._names}
        self._structs = [self._struct(channel) for channel in self._channels]

    @property
    def ffi(self) -> Any:
        """The declarations of its interface."""
        return self._ffi

    @property
    def library(self) -> Any:
        """The loaded library."""
        return self._library

    @property
    def parts(self) -> int:
        """Into how many parts the targets are divided."""
        return self._parts

    @property
    def structs(self) -> list[Any]:
        """The channels, as the library takes them."""
        return [channel for channel, _ in self._structs]

    def spikes(self, name: str) -> Any:
        """Where the spikes of a population are told; of one that sends none too."""
        return self._spikes.setdefault(name, self._ffi.new("struct spikes *"))

    def _pointer(self, kind: str, array: Array) -> Any:
        return self._ffi.NULL if array is None else self._ffi.cast(kind, self._ffi.from_buffer(array))

    def _struct(self, channel: Channel) -> tuple[Any, Any]:
        """The channel's struct, and what must live as long."""
        rows = self._ffi.new("struct rows[]", len(channel.connections))
        for one, (name, given) in zip(rows, channel.connections):
            one.start = self._pointer("int64_t *", given.start)
            for field in ("target", "weight", "delay"):
                setattr(one, field, self._pointer("void *", getattr(given, field)))
            one.spikes, one.kind = self._spikes[name], KINDS.index(kind_of(given))
            one.sources, one.one_delay = given.start.shape[1] - 1, int(given.delay[0])
            one.index_bytes = 0 if given.target is None else given.target.itemsize
            one.weight_bytes = given.weight.itemsize if given.weight.size > 1 else 0
        found = self._ffi.new("struct channel *")
        sums = channel.waiting.rows
        found.rows, found.count, found.sums = rows, len(channel.connections), self._pointer("void *", sums)
        found.length, found.neurons = sums.shape
        found.parts = self._parts
        return found, rows

    def deliver(self, found: Mapping[str, Spikes], first_step: int, steps: int) -> None:
        """See :class:`Delivery`."""
        kept, any_spike = [], False
        for name in self._names:
            spikes, own = found[name], self._spikes[name]
            begin = np.searchsorted(spikes.step, np.arange(steps + 1))
            neuron = np.ascontiguousarray(spikes.neuron, np.int64)
            own.begin, own.neuron = self._pointer("int64_t *", begin), self._pointer("int64_t *", neuron)
            own.count = len(neuron)
            kept.append((begin, neuron))
            any_spike |= bool(len(neuron))
        if any_spike:
            self._workers.run([partial(self._part, first_step, steps, part) for part in range(self._parts)])

    def _part(self, first_step: int, steps: int, part: int) -> None:
        for channel, _ in self._structs:
            self._library.izhigen_deliver(channel, first_step, steps, part)


def delivery_program(dtype: str) -> Program:
    """The generated loops for a number type."""
    real = "float" if dtype == "float32" else "double"
    head = f"Delivery of spikes in a network, in {dtype}. Written by izhigen {__version__}."
    view = DeliveryView((head,), real, KINDS)
    source = environment().get_template("network/network.c.j2").render(view=view, interface=INTERFACE)
    return Program("izhigen_network", "c", dtype, source, INTERFACE, "izhigen_deliver", 1, "delivery", C_FLAGS, cost=1)


__all__ = ["CDelivery", "Channel", "Delivery", "NumpyDelivery"]
