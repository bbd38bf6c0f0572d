"""The C backend: the generated file, compiled once, called through cffi without the GIL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cffi
import numpy as np

from izhigen.backends.compiler import Built, build
from izhigen.backends.engine import Block, Spikes
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.printers.c import c_name
from izhigen.codegen.program import Program
from izhigen.codegen.render import TILE, render_c
from izhigen.errors import CompileError, ValueShapeError

SPIKE_BUFFER = 1 << 16
"""Least number of spikes that a thread's list holds before it is emptied."""


@dataclass
class _SpikeList:
    """A thread's list of spikes, and the chunks emptied from it."""

    step: np.ndarray
    neuron: np.ndarray
    taken: list[tuple[np.ndarray, np.ndarray]]

    def take(self, count: int) -> None:
        """Move the first ``count`` spikes out."""
        if count:
            self.taken.append((self.step[:count].copy(), self.neuron[:count].copy()))


class CEngine:
    """A compiled kernel; see :class:`izhigen.backends.engine.Engine`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._built = build(program)
        self._ffi = cffi.FFI()
        self._ffi.cdef(program.interface)
        try:
            self._library, self._advance = self._open(self._built)
        except CompileError:  # a library that another machine left behind
            self._built = build(program, again=True)
            self._library, self._advance = self._open(self._built)
        self._real = "float *" if program.dtype == "float32" else "double *"
        self._pool: ThreadPoolExecutor | None = None
        self._pool_size = 0
        self._lists: list[_SpikeList] = []
        self.description = f"{'built' if self._built.fresh else 'found in the cache'}: {self._built.command}"

    def _open(self, built: Built) -> tuple[Any, Any]:
        """The loaded library (kept open by whoever holds it) and its entry point."""
        try:
            library = self._ffi.dlopen(str(built.library))
            return library, getattr(library, self._program.entry_point)
        except (OSError, AttributeError) as problem:
            raise CompileError(f"the compiled kernel {built.library} cannot be loaded: {problem}") from problem

    @property
    def built(self) -> Built:
        """Where the library lies, and how it was built."""
        return self._built

    def advance(self, block: Block) -> Spikes | None:
        """Advance the block; ranges of whole tiles go to the threads."""
        n = len(next(iter(block.state.values())))
        if block.steps == 0 or n == 0:
            return Spikes(np.zeros(0, np.int64), np.zeros(0, np.int64)) if block.collect_spikes else None
        _check_sizes(block, n)
        population = self._population(block, n)
        ranges = _ranges(n, block.threads)
        lists = self._spike_lists(len(ranges), block) if block.collect_spikes else [None] * len(ranges)
        if len(ranges) == 1:
            self._work(population, block, lists[0], ranges[0])
        else:
            futures = [self._executor(len(ranges)).submit(self._work, population, block, spikes, part)
                       for spikes, part in zip(lists, ranges)]
            for future in futures:
                future.result()
        return _ordered(lists) if block.collect_spikes else None

    def _work(self, population: Any, block: Block, spikes: _SpikeList | None, part: tuple[int, int]) -> None:
        run = self._run(block, spikes)
        position, last = part
        while position < last:
            position = self._advance(population, run, position, last)
            if spikes is not None:
                spikes.take(run.spike_count)
                run.spike_count = 0

    def _executor(self, threads: int) -> ThreadPoolExecutor:
        if self._pool is None or self._pool_size < threads:
            if self._pool is not None:
                self._pool.shutdown()
            self._pool, self._pool_size = ThreadPoolExecutor(threads, thread_name_prefix="izhigen"), threads
        return self._pool

    def _spike_lists(self, count: int, block: Block) -> list[_SpikeList]:
        capacity = max(SPIKE_BUFFER, TILE * block.steps)
        if len(self._lists) < count or len(self._lists[0].step) < capacity:
            self._lists = [_SpikeList(np.empty(capacity, np.int64), np.empty(capacity, np.int64), []) for _ in range(count)]
        for spikes in self._lists:
            spikes.taken = []
        return self._lists[:count]

    def _pointer(self, kind: str, array: np.ndarray | None) -> Any:
        return self._ffi.NULL if array is None else self._ffi.cast(kind, array.ctypes.data)

    def _state_pointer(self, name: str, array: np.ndarray | None) -> Any:
        return self._pointer("double *" if name == "t_last_spike" else self._real, array)

    def _population(self, block: Block, n: int) -> Any:
        population = self._ffi.new(f"struct {self._program.name}_population *")
        population.neurons, population.dt = n, block.dt
        if hasattr(population, "seed"):
            population.seed, population.first_index = block.seed, block.first_index
        for name, array in block.state.items():
            setattr(population.state, c_name(name), self._state_pointer(name, array))
        for name, value in block.parameters.items():
            if isinstance(value, np.ndarray):
                kind = "double *" if value.dtype == np.float64 else "float *"
                value = self._pointer(kind, value)
            setattr(population.parameter, c_name(name), value)
        return population

    def _run(self, block: Block, spikes: _SpikeList | None) -> Any:
        run = self._ffi.new(f"struct {self._program.name}_run *")
        run.first_step, run.steps = block.first_step, block.steps
        for name, array in block.inputs.items():
            target = getattr(run.input, c_name(name))
            target.values = self._pointer(self._real, array)
            target.step_stride = array.shape[1] if array.shape[0] > 1 else 0
            target.neuron_stride = 1 if array.shape[1] > 1 else 0
        run.record_every, run.record_phase = block.record_every, block.record_phase
        for name, array in block.record.items():
            setattr(run.record, c_name(name), self._state_pointer(name, array))
            run.record_count = array.shape[1]
        run.record_neurons = self._pointer("int64_t *", block.record_neurons)
        run.spike_flag = self._pointer("uint8_t *", block.spike_flag)
        if spikes is not None:
            run.spike_capacity = len(spikes.step)
            run.spike_step = self._pointer("int64_t *", spikes.step)
            run.spike_neuron = self._pointer("int64_t *", spikes.neuron)
        return run


def _check_sizes(block: Block, n: int) -> None:
    """The kernel trusts its pointers, so lengths are checked once more before it gets them."""
    arrays = {**block.state, **{k: v for k, v in block.parameters.items() if isinstance(v, np.ndarray)}}
    wrong = [name for name, array in arrays.items() if array.shape != (n,)]
    wrong += [name for name, a in block.inputs.items() if 1 < a.shape[0] < block.steps or a.shape[1] not in (1, n)]
    if wrong:
        raise ValueShapeError(f"{wrong[0]} does not have one value for each of {n} neurons")


def _ranges(n: int, threads: int) -> list[tuple[int, int]]:
    """At most ``threads`` ranges of whole tiles that cover n neurons."""
    tiles = -(-n // TILE)
    parts = min(threads, tiles)
    edges = [min(n, TILE * (tiles * k // parts)) for k in range(parts + 1)]
    return list(pairwise(edges))


def _ordered(lists: list[Any]) -> Spikes:
    """All threads' spikes, by step and then neuron."""
    chunks = [chunk for spikes in lists for chunk in spikes.taken]
    if not chunks:
        return Spikes(np.zeros(0, np.int64), np.zeros(0, np.int64))
    step, neuron = (np.concatenate(part) for part in zip(*chunks))
    order = np.lexsort((neuron, step))
    return Spikes(step[order], neuron[order])


def create_engine(kernel: Kernel) -> CEngine:
    """Render, build (or find) and load a kernel."""
    return CEngine(render_c(kernel))
