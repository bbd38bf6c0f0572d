"""The C backend: the generated file, compiled once, called through cffi without the GIL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from izhigen.backends.binding import Binding
from izhigen.backends.build import Built, build_and_open, load_program
from izhigen.backends.engine import (
    LONGEST_BLOCK,
    Advanced,
    Block,
    HostEngine,
    PreparedStep,
    Source,
    Spikes,
    host_space,
    in_order,
    join_spikes,
    listed_spikes,
)
from izhigen.backends.pullback import Pullback
from izhigen.backends.workers import Workers
from izhigen.codegen.program import Program
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError, ValueShapeError
from izhigen.memory.space import Space, aligned_zeros
from izhigen.model.events import SpikeTiming
from izhigen.signals import SignalsDeferred, at_once

PACE = 2e10
"""Multiply-adds a second of one thread, to guess how long a call takes; cores of today are within a factor of four."""
LEAST_WORK = 1 << 16
"""Neuron-steps that are worth another thread: some 50 microseconds of work."""
LONGEST_LIST = 1 << 20
"""Places that the list of a tile may need for a block."""
SPIKE_BUFFER = 1 << 16
"""Least number of spikes that a thread's list holds before it is emptied."""


@dataclass
class _SpikeList:
    """A thread's list of spikes, and the chunks emptied from it."""

    step: np.ndarray
    neuron: np.ndarray
    offset: np.ndarray | None
    taken: list[Spikes]

    def take(self, count: int) -> None:
        """Move the first ``count`` spikes out."""
        if count:
            offset = None if self.offset is None else self.offset[:count].astype(np.float64)
            self.taken.append(Spikes(self.step[:count].copy(), self.neuron[:count].copy(), offset=offset))


@dataclass(frozen=True, eq=False)
class Begun:
    """A block that others call the kernel for: ``advance`` and ``population`` are addresses, each range has a run."""

    binding: Binding
    advance: int
    population: int
    runs: Sequence[Any]
    kept: Sequence[Any]
    """Arrays that must live as long."""


class CEngine(HostEngine):
    """A compiled kernel; see :class:`izhigen.backends.engine.Engine`."""

    least_steps = 64

    def __init__(self, program: Program) -> None:
        self._program = program
        self._binding = Binding(program)
        self._built, self._library = build_and_open(program, self._binding.ffi)
        self._advance = getattr(self._library, program.entry_point)
        self.method, self.spike_timing = program.method, program.spike_timing
        self.cost, self.pace = program.cost, PACE
        self._workers = Workers()
        self._dtype, self._is_located = np.dtype(program.dtype), program.spike_timing != SpikeTiming.STEP.value
        self._lists: list[_SpikeList] = []
        self._rooms: list[np.ndarray] = []
        if program.goes_back:
            self._room = getattr(self._library, f"{program.name}_room")
            self._pull_back = getattr(self._library, f"{program.name}_pull_back")
        self.description = f"{'built' if self._built.fresh else 'found in the cache'}: {self._built.command}"

    @property
    def built(self) -> Built:
        """Where the library lies, and how it was built."""
        return self._built

    def advance(self, block: Block) -> Advanced:
        """Advance the block; ranges of whole tiles go to the threads."""
        n = len(next(iter(block.state.values())))
        if block.steps == 0 or n == 0:
            return Advanced(_ordered([], self._program.event_count) if block.outputs.events else None)
        _check_sizes(block, n)
        population = self._binding.population(block, n)
        ranges = _ranges(n, self._program.tile, block.threads, block.steps)
        lists = self._spike_lists(len(ranges), block) if block.outputs.events else [None] * len(ranges)
        kept: list[np.ndarray] = []
        runs = [self._run(block, spikes, n, kept) for spikes in lists]
        tasks = [partial(self._work, population, run, spikes, part) for run, spikes, part in zip(runs, lists, ranges)]
        self._workers.run(tasks)
        if block.check_finite and hasattr(runs[0], "bad_step") and runs[0].bad_step >= 0:
            return Advanced(bad_step=runs[0].bad_step)
        bad = min(run.bad_neuron for run in runs)
        found = _ordered(lists, self._program.event_count) if block.outputs.events else None
        return Advanced(found, bad if 0 <= bad < n else None)

    def begin(self, block: Block, ranges: Sequence[tuple[int, int]], capacity: int) -> Begun:
        """What the kernel is told of a block, for those who call it themselves; each range has a list of its own."""
        n = len(next(iter(block.state.values())))
        _check_sizes(block, n)
        lists = [self._spike_list(capacity) for _ in ranges] if block.outputs.events else [None] * len(ranges)
        kept: list[Any] = [lists]
        population = self._binding.population(block, n)
        runs = [self._run(block, spikes, n, kept) for spikes in lists]
        ffi = self._binding.ffi
        advance = int(ffi.cast("intptr_t", self._advance))
        return Begun(self._binding, advance, int(ffi.cast("intptr_t", population)), runs, [population, *kept])

    def spikes(self, place: np.ndarray, neuron: np.ndarray) -> Spikes:
        """What a kernel listed, as spikes and other events."""
        return listed_spikes(place, neuron, self._program.event_count)

    @property
    def event_count(self) -> int:
        """Events that the list of spikes tells apart."""
        return self._program.event_count

    @property
    def tile(self) -> int:
        """Neurons that are advanced together."""
        return self._program.tile

    def _work(self, population: Any, run: Any, spikes: _SpikeList | None, part: tuple[int, int]) -> None:
        position, last = part
        while position < last:
            reached = self._advance(population, run, position, last)
            if reached < 0:
                tile = min(self._program.tile, last - position)
                raise BackendError(
                    f"a list of {run.spike_capacity} spikes is too small for {run.steps} steps of the tile of {tile} "
                    f"neurons from {position} on; run fewer steps at once, or record=['count'], which needs no list"
                )
            position = reached
            if spikes is not None:
                spikes.take(run.spike_count)
                run.spike_count = 0

    def pull_back(self, block: Block, pullback: Pullback) -> bool:
        """Go back through the block; ranges of whole tiles go to the threads."""
        n = len(next(iter(block.state.values())))
        _check_sizes(block, n)
        population, back = self._binding.population(block, n), self._binding.pullback(block, pullback)
        ranges = _ranges(n, self._program.tile, block.threads, block.steps)
        size = self._room(min(pullback.kept.every, block.steps))
        if len(self._rooms) < len(ranges) or len(self._rooms[0]) < size:
            self._rooms = [aligned_zeros(size, np.uint8) for _ in ranges]
        kept: list[np.ndarray] = []
        runs = [self._run(block, None, n, kept) for _ in ranges]
        for run in runs:
            run.bad_neuron = n
        rooms = [self._binding.pointer("void *", room) for room in self._rooms]
        self._workers.run(
            [
                partial(self._pull_back, population, run, back, room, *part)
                for run, room, part in zip(runs, rooms, ranges)
            ]
        )
        return any(run.bad_neuron < n for run in runs)

    def prepare(self, block: Block) -> PreparedStep:
        """The block's one step as a function; see :class:`izhigen.backends.engine.Engine`."""
        n = len(next(iter(block.state.values())))
        _check_sizes(block, n)
        population = self._binding.population(block, n)
        ranges = _ranges(n, self._program.tile, block.threads, block.steps)
        runs = [self._run(block, None, n, []) for _ in ranges]
        nothing = runs[0].bad_neuron
        tasks = [partial(self._advance, population, run, *part) for run, part in zip(runs, ranges)]
        make = partial(at_once, tasks[0]) if len(tasks) == 1 else partial(self._in_parts, tasks)
        targets = [(run, self._binding.inputs(run, block.inputs)) for run in runs]

        def step(first_step: int, inputs: Mapping[str, Source], count: Callable[[], object]) -> int | None:
            for run, slots in targets:
                run.first_step, run.bad_neuron = first_step, nothing
                for name, slot in slots:
                    self._binding.set_input(slot, inputs[name])
            make(count)
            bad = min([run.bad_neuron for run in runs])
            return None if bad == nothing else bad

        return step

    def _in_parts(self, tasks: Sequence[Callable[[], None]], count: Callable[[], object]) -> None:
        """The parts of one step on their threads, and then the count."""
        with SignalsDeferred():
            self._workers.run(tasks)
            count()

    def longest(self, block: Block) -> int:
        """Most steps of a block: where events are located, a neuron may have many in a step."""
        if not self._is_located:
            return super().longest(block)
        return max(1, min(LONGEST_BLOCK, LONGEST_LIST // (self._program.tile * self._program.slots)))

    def _spike_lists(self, count: int, block: Block) -> list[_SpikeList]:
        capacity = max(SPIKE_BUFFER, self._program.tile * block.steps * self._program.slots)
        if len(self._lists) < count or len(self._lists[0].step) < capacity:
            self._lists = [self._spike_list(capacity) for _ in range(count)]
        for spikes in self._lists:
            spikes.taken = []
        return self._lists[:count]

    def _spike_list(self, capacity: int) -> _SpikeList:
        offset = np.empty(capacity, self._dtype) if self._is_located else None
        return _SpikeList(np.empty(capacity, np.int64), np.empty(capacity, np.int64), offset, [])

    def _run(self, block: Block, spikes: _SpikeList | None, n: int, kept: list[np.ndarray]) -> Any:
        """What one thread is told; arrays made for it go to ``kept``, which must live as long as the call."""
        run = self._binding.run(block)
        run.bad_neuron = n if block.check_finite else -1
        if hasattr(run, "bad_step"):
            run.bad_step = -1
        for name, target in self._binding.inputs(run, block.inputs):
            source = block.inputs[name]
            if source.numbers is None:
                self._binding.set_input(target, source)
            else:
                room, numbers = np.empty(block.steps, self._dtype), np.array(source.numbers, np.float64)
                self._binding.set_series(target, source, room, numbers)
                kept += [room, numbers]
        if spikes is not None:
            run.spike_capacity = len(spikes.step)
            run.spike_step = self._binding.pointer("int64_t *", spikes.step)
            run.spike_neuron = self._binding.pointer("int64_t *", spikes.neuron)
            if spikes.offset is not None:
                run.spike_offset = self._binding.pointer(self._binding.real, spikes.offset)
        return run


def _check_sizes(block: Block, n: int) -> None:
    """The kernel trusts its pointers, so lengths are checked once more before it gets them."""
    arrays = {**block.state, **{k: v for k, v in block.parameters.items() if isinstance(v, np.ndarray)}}
    wrong = [name for name, array in arrays.items() if array.shape != (n,)]
    arrays_in = {name: source.values for name, source in block.inputs.items() if source.numbers is None}
    wrong += [
        name for name, values in arrays_in.items() if 1 < values.shape[0] < block.steps or values.shape[1] not in (1, n)
    ]
    if wrong:
        raise ValueShapeError(f"{wrong[0]} does not have one value for each of {n} neurons")


def _ranges(n: int, tile: int, threads: int, steps: int) -> list[tuple[int, int]]:
    """At most ``threads`` ranges of whole tiles that cover n neurons, each worth more than handing it over costs."""
    tiles = -(-n // tile)
    parts = max(1, min(threads, tiles, n * steps // LEAST_WORK))
    return tile_ranges(n, tile, parts)


def tile_ranges(n: int, tile: int, parts: int) -> list[tuple[int, int]]:
    """So many ranges of whole tiles that cover n neurons; some are empty where there are fewer tiles."""
    tiles = -(-n // tile)
    return list(pairwise(min(n, tile * (tiles * k // parts)) for k in range(parts + 1)))


def _ordered(lists: list[Any], event_count: int) -> Spikes:
    """All threads' spikes, by step and then neuron."""
    found = join_spikes([chunk for spikes in lists for chunk in spikes.taken], np.zeros(0, np.int64))
    step, neuron = found.step, found.neuron
    if found.offset is not None:
        return in_order(replace(listed_spikes(step, neuron, event_count), offset=found.offset))
    # Lists go tile by tile, so a stable sort by step leaves neurons in order; NumPy sorts 16-bit numbers by radix.
    order = np.argsort(step.astype(np.uint16) if len(step) and step.max() < 1 << 16 else step, kind="stable")
    return listed_spikes(step[order], neuron[order], event_count)


def open_space(device: Any = None, sharding: Any = None) -> Space:
    """The memory of the process."""
    return host_space(device, sharding)


def create_engine(request: KernelRequest, space: Space) -> CEngine:
    """Render, build (or find) and load a kernel."""
    return CEngine(load_program(request))
