"""Many blocks of a network in one call of C code: kernels and deliveries in turn, by threads that meet in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from izhigen.backends.c import CEngine, tile_ranges
from izhigen.backends.engine import Block, Spikes
from izhigen.backends.workers import Workers
from izhigen.codegen.identifiers import c_name
from izhigen.network.delivery import CDelivery
from izhigen.network.rows import Waiting

Array = Any

MOST_LISTED = 1 << 21
"""Spikes that there is room for in a block."""
LEAST_WORK = 1 << 13
"""Neuron-steps of a block that are worth a thread: they take about as long as threads need to meet."""
ROOM = 1 << 18
"""Spikes that there is room for beside those of one block."""


@dataclass(frozen=True, eq=False)
class Member:
    """A population of a call.

    Attributes
    ----------
    engine : CEngine
    block : Block
        All steps of the call; inputs of ``waiting`` have what is given besides, or are not among its inputs' rows.
    offset : int
        Steps of the run before the call, which count for rows of traces.
    waiting : mapping
        Name of an input that spikes are delivered to, to what waits for it.
    given : frozenset of str
        Those of them that are given something besides.
    """

    engine: CEngine
    block: Block
    offset: int
    waiting: Mapping[str, Waiting]
    given: frozenset[str]


@dataclass(frozen=True, eq=False)
class Found:
    """What a call found: the steps that it made, the spikes and other events of each population, and populations with
    a state that is not finite.
    """

    steps: int
    spikes: Sequence[Spikes | None]
    bad: Sequence[int]


class Driver:
    """Makes calls for the populations and channels of a network.

    Parameters
    ----------
    delivery : CDelivery
    names : sequence of str
        Of all populations, in order.
    threads : int
    """

    def __init__(self, delivery: CDelivery, names: Sequence[str], threads: int) -> None:
        self._delivery, self._names, self._threads = delivery, names, threads
        self._ffi, self._library = delivery.ffi, delivery.library
        self._workers = Workers()

    def run(self, members: Sequence[Member], first_step: int, steps: int, least: int, checks: bool) -> Found:
        """Make up to ``steps`` steps; fewer where lists of spikes are full."""
        ffi = self._ffi
        kept: list[Any] = []
        largest = max(len(next(iter(member.block.state.values()))) for member in members)
        most = max(1, min(least, MOST_LISTED // largest))
        work = sum(len(next(iter(member.block.state.values()))) for member in members) * most
        threads = self._threads if work >= LEAST_WORK * self._threads else 1
        structs = ffi.new("struct member[]", len(members))
        outs = [self._fill(*each, most, threads, kept) for each in zip(structs, self._names, members)]
        channels = ffi.new("struct channel *[]", self._delivery.structs)
        network = ffi.new("struct network *")
        network.member, network.members = structs, len(members)
        network.channel, network.channels = channels, len(channels)
        network.threads, network.parts = threads, self._delivery.parts // threads
        network.first_step, network.steps = first_step, steps
        network.least, network.most, network.checks = least, most, int(checks)
        self._workers.run([partial(self._library.izhigen_run, network, k) for k in range(threads)])
        done = int(network.done)
        spikes, bad = [], []
        for k, (struct, member, (place, neuron, runs)) in enumerate(zip(structs, members, outs)):
            count = int(struct.found)
            is_listed = bool(member.block.outputs.events)
            spikes.append(member.engine.spikes(place[:count].copy(), neuron[:count].copy()) if is_listed else None)
            n = int(struct.neurons)
            is_bad = checks and done == steps and any(0 <= run.bad_neuron < n for run in runs)
            if is_bad or any(getattr(run, "bad_step", -1) >= 0 for run in runs):
                bad.append(k)
        return Found(done, spikes, bad)

    def _pointer(self, kind: str, address: int) -> Any:
        return self._ffi.cast(kind, address)

    def _fill(
        self, struct: Any, name: str, member: Member, most: int, threads: int, kept: list[Any]
    ) -> tuple[Array, Array, Any]:
        """Tell the call of a population; its lists, and the runs of its threads."""
        ffi, engine, block = self._ffi, member.engine, member.block
        n = len(next(iter(block.state.values())))
        ranges = tile_ranges(n, engine.tile, threads)
        events = engine.event_count
        widest = max(last - first for first, last in ranges)
        begun = engine.begin(block, ranges, (widest + engine.tile) * most * events)
        binding = begun.binding
        shares = ffi.new("struct share[]", threads)
        for share, run, (first, last) in zip(shares, begun.runs, ranges):
            share.run = self._pointer("void *", int(binding.ffi.cast("intptr_t", run)))
            share.first, share.last = first, last
            for field in ("first_step", "steps", "spike_count", "bad_neuron"):
                setattr(share, field, self._pointer("int64_t *", binding.address(run, field)))
            share.spike_flag = self._pointer("uint8_t **", binding.address(run, "spike_flag"))
            share.flags = share.spike_flag[0]
            if block.outputs.phase >= 0:
                share.record_phase = self._pointer("int64_t *", binding.address(run, "record_phase"))
            for field in ("spike_step", "spike_neuron"):
                value = int(binding.ffi.cast("intptr_t", getattr(run, field)))
                setattr(share, field, self._pointer("int64_t *", value))
            moving = self._moving(begun, run, member, kept)
            share.pointer, share.pointers = moving, len(moving)
            arrivals = self._arrivals(begun, run, member, kept)
            share.arrival, share.arrivals = arrivals, len(arrivals)
        struct.advance = self._pointer("int64_t (*)(const void *, void *, int64_t, int64_t)", begun.advance)
        struct.population = self._pointer("void *", begun.population)
        capacity = n * most * events + ROOM
        lists = [np.empty(size, np.int64) for size in (most + 1, n * most, most * events + 2, capacity, capacity)]
        for field, array in zip(("begin", "neuron", "room", "found_place", "found_neuron"), lists):
            setattr(struct, field, ffi.cast("int64_t *", ffi.from_buffer(array)))
        spikes = self._delivery.spikes(name)
        spikes.begin, spikes.neuron = struct.begin, struct.neuron
        struct.share, struct.spikes = shares, spikes
        struct.neurons, struct.events, struct.capacity = n, events, capacity
        struct.every, struct.offset = block.outputs.every, member.offset
        kept += [begun, shares, lists]
        return lists[3], lists[4], begun.runs

    def _moving(self, begun: Any, run: Any, member: Member, kept: list[Any]) -> Any:
        """Pointers of a run that move with the steps."""
        binding, block, found = begun.binding, member.block, []
        for name, source in block.inputs.items():
            for place, stride in binding.moving(run, name, source):
                if name not in member.waiting or place != binding.address(run, "input", c_name(name), "values"):
                    found.append((place, stride, 1))
        for name, rows in block.outputs.traces.items():
            found.append((binding.address(run, "record", c_name(name)), rows.strides[0], block.outputs.every))
        pointers = self._ffi.new("struct pointer[]", len(found))
        for pointer, (place, stride, every) in zip(pointers, found):
            pointer.place = self._pointer("char **", place)
            pointer.base, pointer.stride = pointer.place[0], stride
            pointer.every, pointer.offset = every, member.offset
        kept.append(pointers)
        return pointers

    def _arrivals(self, begun: Any, run: Any, member: Member, kept: list[Any]) -> Any:
        """Inputs of a run that read what arrives."""
        binding = begun.binding
        arrivals = self._ffi.new("struct arrival[]", len(member.waiting))
        for arrival, (name, waiting) in zip(arrivals, member.waiting.items()):
            source, target = member.block.inputs[name], getattr(run.input, c_name(name))
            arrival.place = self._pointer("char **", binding.address(run, "input", c_name(name), "values"))
            sums = waiting.rows
            arrival.sums = self._ffi.cast("void *", self._ffi.from_buffer(sums))
            arrival.length = len(sums)
            if name in member.given:
                arrival.given = arrival.place[0]
                arrival.step_stride, arrival.neuron_stride = target.step_stride, target.neuron_stride
            target.step_stride, target.neuron_stride = sums.shape[1], 1
            kept += [source, sums]
        kept.append(arrivals)
        return arrivals


__all__ = ["Driver", "Found", "Member"]
