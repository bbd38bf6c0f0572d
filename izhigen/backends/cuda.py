"""The CUDA backend: the generated file, compiled by NVRTC through CuPy.

Arrays stay on the device, and nothing waits that need not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from izhigen.backends.binding import Binding
from izhigen.backends.build import load_program
from izhigen.backends.device import DeviceSpace, check_device, device_errors, launch_shape, load_cupy, load_kernels
from izhigen.backends.engine import (
    LONGEST_BLOCK,
    Advanced,
    Block,
    Pending,
    PreparedStep,
    Source,
    Spikes,
    in_order,
    listed_spikes,
)
from izhigen.backends.pullback import Pullback
from izhigen.backends.sharded import ShardedEngine, ShardedSpace, check_sharding
from izhigen.codegen.agreed import NO_STEP
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.program import Program
from izhigen.codegen.request import KernelRequest
from izhigen.errors import ValueShapeError, shown
from izhigen.memory.space import Space
from izhigen.model.events import SpikeTiming
from izhigen.signals import SignalsDeferred

Array = Any

OPTIONS = ("-ftz=false",)
"""Of NVRTC, to which CuPy adds ``-ftz=true`` by itself. Never ``--use_fast_math`` or a part of it; multiply-adds are
fused, as in C.
"""
DEPTH = 8
"""Blocks under way at once: enough that the device never waits for the host."""
NEURONS_A_THREAD = 4
"""Of the kernel that makes one step."""
LEAST_LIST, LIST_SHARE = 1 << 22, 32
"""Spikes that the list holds at least, and spikes a neuron. A block takes half of it at most, were all its neurons to
spike in every step.
"""
REWIND_SHARE = 16
"""Part of a device's memory that a copy of the states may take."""
GRAPH_STEPS = 32
"""Launches of one step in a CUDA graph."""
OPERATIONS_A_CORE = 64
"""Multiply-adds a multiprocessor makes in a cycle, for the length of a call only."""
CLOCK = 1.5e9
FULL = 1
"""``stopped`` where the list of spikes could overflow."""
MOST_SCALARS = 64
"""Single numbers that are kept on the device."""


@dataclass
class _Report:
    """Room on the host that the device's status is copied to after a block."""

    status: Array
    event: Any


@dataclass(eq=False)
class _Launched:
    """A block under way, and what must live until it is done."""

    block: Block
    report: _Report
    kept: list[Any]
    found: Advanced | None = None


class CudaEngine:
    """A kernel on one device; see :class:`izhigen.backends.engine.Engine`.

    Each block is three launches on the caller's stream: what is computed from time, what depends on parameters only,
    and the steps. The device itself decides whether a block may advance, so that the host need not wait between blocks:
    not when the list of spikes could overflow, and not after something that is not finite was found.
    """

    least_steps, depth = 64, DEPTH

    def __init__(self, program: Program, space: DeviceSpace) -> None:
        self._program, self._space, self._cupy = program, space, space.cupy
        self._binding = Binding(program, lambda array: array.data.ptr)
        self._dtype, self._is_located = np.dtype(program.dtype), program.spike_timing != SpikeTiming.STEP.value
        with space.use(), device_errors(program.name):
            self._module = load_kernels(program, OPTIONS, space)
            self._kernels = {
                part: self._module.get_function(f"{program.name}_{part}")
                for part in ("begin", "advance", "step", "tick", *(("pull_back",) if program.goes_back else ()))
            }
            if f"{program.name}_series" in program.source:
                self._kernels["series"] = self._module.get_function(f"{program.name}_series")
            device = self._cupy.cuda.Device(space.number)
            self.pace = device.attributes["MultiProcessorCount"] * OPERATIONS_A_CORE * CLOCK
            self.rewind_bytes = device.mem_info[1] // REWIND_SHARE
            sizes = {
                part: self._binding.ffi.sizeof(f"struct {program.name}_{part}") for part in ("status", "constants")
            }
            self._constants = self._cupy.empty(sizes["constants"], np.uint8)
            self._status = self._cupy.empty(sizes["status"], np.uint8)
        self._free_reports: list[_Report] = []
        self._under_way: deque[_Launched] = deque()
        self._listed = 0
        self._list: Array = None
        self._offsets: Array = None
        self._sent: WeakKeyDictionary[Source, Source] = WeakKeyDictionary()
        self._sent_parts: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._neurons: tuple[Array, Array] | None = None
        self._scalars: dict[bytes, Array] = {}
        self._shapes: dict[tuple[str, int], tuple[int, int]] = {}
        self._graphs: dict[bytes, Any] = {}
        self._rooms: dict[str, Array] = {}
        self._room_sizes = self._binding.room_sizes() if program.goes_back else {}
        self.method, self.spike_timing, self.cost = program.method, program.spike_timing, program.cost
        name = self._cupy.cuda.runtime.getDeviceProperties(space.number)["name"].decode()
        self.description = f"compiled by NVRTC for device {space.number} ({name})"
        self.recover()
        with (
            space.use()
        ):  # compiling took long anyway, and a population may be made here and run on a stream that waits for no other
            self._cupy.cuda.get_current_stream().synchronize()

    def _new_report(self) -> _Report:
        import cupyx

        return _Report(cupyx.empty_pinned(self._status.size, np.uint8), self._cupy.cuda.Event(disable_timing=True))

    def finish(self) -> None:
        """Wait for all that was asked for on the present stream: the last block, and what was made of its spikes."""
        with self._space.use(), device_errors(f"the last steps of {self._program.name}"):
            self._cupy.cuda.get_current_stream().synchronize()

    def recover(self) -> None:
        """Clear what the device found, and empty the list of spikes."""
        status = self._binding.ffi.new(f"struct {self._program.name}_status *")
        status.bad_neuron = status.bad_step = NO_STEP
        with self._space.use():
            self._status[...] = self._cupy.asarray(np.frombuffer(self._binding.ffi.buffer(status), np.uint8))
        self._listed = 0

    def longest(self, block: Block) -> int:
        """Most steps of a block: their spikes must fit in the list."""
        if not block.outputs.events:
            return LONGEST_BLOCK
        n = len(next(iter(block.state.values())))
        return max(1, min(LONGEST_BLOCK, self._room_for_spikes(n) // (2 * n * self._program.slots)))

    def _room_for_spikes(self, n: int) -> int:
        most = n * self._program.slots  # in one step
        if self._list is None or len(self._list) < most:
            with self._space.use(), device_errors(f"the list of spikes of {n} neurons"):
                size = max(most, min(max(LEAST_LIST, LIST_SHARE * most), self._free_bytes() // 32))
                self._list = self._cupy.empty(size, np.uint64)
                if self._is_located:
                    self._offsets = self._cupy.empty(size, self._dtype)
        return len(self._list)

    def _free_bytes(self) -> int:
        """What the device has left, and CuPy's pool."""
        left = self._cupy.cuda.Device(self._space.number).mem_info[0]
        return int(left + self._cupy.get_default_memory_pool().free_bytes())

    # -- blocks -----------------------------------------------------------------------------------------------------

    def submit(self, block: Block) -> Pending:
        """Launch the block; see :class:`izhigen.backends.engine.Engine`."""
        n = len(next(iter(block.state.values())))
        if block.steps == 0 or n == 0:
            return lambda: Advanced(self._no_spikes() if block.outputs.events else None)
        with self._space.use(), device_errors(f"{block.steps} steps of {n} neurons"):
            launched = _Launched(block, self._free_reports.pop() if self._free_reports else self._new_report(), [])
            self._enqueue(launched, n)
        self._under_way.append(launched)
        return lambda: self._conclude(launched, n)

    def _enqueue(self, launched: _Launched, n: int) -> None:
        """Launch a block, then copy the status that it leaves."""
        launched.kept = self._launch(launched.block, n)
        self._status.get(out=launched.report.status, blocking=False)
        launched.report.event.record()

    def _launch(self, block: Block, n: int) -> list[Any]:
        """Enqueue all of a block; what must live until it is done."""
        binding = self._binding
        population = binding.population(block, n)
        outputs = replace(block.outputs, neurons=self._chosen(block.outputs.neurons))
        run = self._run(replace(block, outputs=outputs))
        if block.outputs.events:
            run.spike_capacity, run.key_step, run.spikes_taken = (
                self._room_for_spikes(n),
                block.first_step,
                self._listed,
            )
            run.spike_key = binding.pointer("uint64_t *", self._list)
            if self._is_located:
                run.spike_offset = binding.pointer(binding.real, self._offsets)
        kept = self._begin(block, population, run)
        self._make_steps(block, n, population, run)
        return [block, *kept]

    def _begin(self, block: Block, population: Any, run: Any) -> list[Any]:
        """Give a run its inputs, and compute what all its steps share; what must live until it is done."""
        kept: list[Any] = []
        for name, target in self._binding.inputs(run, block.inputs):
            source = self._send(block.inputs[name])
            kept.append(source)
            if source.numbers is None:
                self._binding.set_input(target, source)
            else:
                room, numbers = (
                    self._cupy.empty(block.steps, self._dtype),
                    self._cupy.asarray(np.array(source.numbers, np.float64)),
                )
                self._binding.set_series(target, source, room, numbers)
                kept += [room, numbers]
        arguments = self._by_value(population, run)
        if "series" in self._kernels:
            self._start("series", block.steps, 1, arguments)
        self._kernels["begin"]((1,), (1,), arguments)
        return kept

    def _run(self, block: Block) -> Any:
        """What a kernel is told of a block, without its inputs and its list of spikes."""
        run = self._binding.run(block)
        run.constants = self._binding.pointer(f"struct {self._program.name}_constants *", self._constants)
        run.status = self._binding.pointer(f"struct {self._program.name}_status *", self._status)
        run.check_finite = block.check_finite
        return run

    def _make_steps(self, block: Block, n: int, population: Any, run: Any) -> None:
        if block.steps_per_launch is None or block.steps_per_launch >= block.steps:
            self._start("advance", n, 1, self._by_value(population, run))
        elif self._is_repeatable(block):
            self._repeat(block, n, population, run)
        else:
            self._cut(block, n, population, run)

    def _cut(self, block: Block, n: int, population: Any, run: Any) -> None:
        """The steps in launches of some each, every one told where it stands."""
        size, phase = block.steps_per_launch or 1, block.outputs.phase
        targets = [target for _, target in self._binding.inputs(run, block.inputs)]
        for done in range(0, block.steps, size):
            run.steps = min(size, block.steps - done)
            run.record_phase = phase if 0 <= phase < run.steps else -1
            self._start("advance", n, 1, self._by_value(population, run))
            run.first_step += run.steps
            for target in targets:
                target.values += run.steps * target.step_stride
                if hasattr(target, "noise") and target.noise:
                    target.noise += run.steps * target.noise_stride
                if hasattr(target, "counts") and target.counts.mean:
                    target.counts.mean += run.steps * target.counts.step_stride
                    target.counts.first += run.steps * target.counts.step_stride
            if phase >= 0:
                rows = 0 if run.record_phase < 0 else (run.steps - 1 - phase) // block.outputs.every + 1
                phase += rows * block.outputs.every - run.steps
                for name in block.outputs.traces:
                    setattr(run.record, c_name(name), getattr(run.record, c_name(name)) + rows * run.record_count)

    def _is_repeatable(self, block: Block) -> bool:
        """Whether every step is the same launch but for its time: nothing is written down, and inputs are held."""
        held = all(
            source.numbers is None
            and len(source.values) == 1
            and (source.noise is None or len(source.noise) == 1)
            and (source.counts is None or len(source.counts.mean) == 1)
            for source in block.inputs.values()
        )
        return (
            held
            and block.steps_per_launch == 1
            and not (block.outputs.traces or block.outputs.events or block.outputs.moments or block.outputs.kept)
        )

    def _repeat(self, block: Block, n: int, population: Any, run: Any) -> None:
        """One step a launch, many launches at once by a CUDA graph; the device counts the steps."""
        whole, rest = divmod(block.steps, GRAPH_STEPS)
        run.steps = 1
        if whole:
            run.first_step, run.follow_clock = 0, 1
            key = b"".join(a.tobytes() for a in self._by_value(population, run))
            if key not in self._graphs:
                self._graphs = {
                    key: self._capture(n, population, run)
                }  # one is kept: its arrays are those of the population
            self._status[:8].view(np.int64).fill(block.first_step)
            for _ in range(whole):
                self._graphs[key].launch()
        run.follow_clock = 0
        self._single_steps(n, population, run, block.first_step + block.steps - rest, rest)

    def _single_steps(self, n: int, population: Any, run: Any, first_step: int, count: int) -> None:
        for k in range(count):
            run.first_step = first_step + k
            self._start("step", n, NEURONS_A_THREAD, self._by_value(population, run))

    def _capture(self, n: int, population: Any, run: Any) -> Any:
        """A graph of single steps, captured on a stream of its own, as the caller's may be the default one."""
        stream = self._cupy.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            self._single_steps(n, population, run, 0, GRAPH_STEPS)
            self._kernels["tick"]((1,), (1,), (self._status, np.int64(GRAPH_STEPS)))
            return stream.end_capture()

    def _by_value(self, *structs: Any) -> tuple[Array, ...]:
        """Structs as CuPy passes them by value: arrays without axes that hold their bytes."""
        return tuple(
            np.frombuffer(bytes(self._binding.ffi.buffer(struct)), f"V{self._binding.ffi.sizeof(struct[0])}").reshape(
                ()
            )
            for struct in structs
        )

    def _start(self, part: str, neurons: int, per_thread: int, arguments: tuple[Array, ...]) -> None:
        blocks, threads = self._shape(part, neurons, per_thread)
        self._kernels[part]((blocks,), (threads,), arguments)

    def _shape(self, part: str, neurons: int, per_thread: int) -> tuple[int, int]:
        """Blocks and threads a block of a launch, asked for once."""
        if (part, neurons) not in self._shapes:
            self._shapes[part, neurons] = launch_shape(self._kernels[part], neurons, per_thread, self._space)
        return self._shapes[part, neurons]

    # -- the way back -----------------------------------------------------------------------------------------------

    def pull_back(self, block: Block, pullback: Pullback) -> bool:
        """Go back through a block, and wait; see :class:`izhigen.backends.engine.Engine`."""
        return self.launch_back(block, pullback)()

    def launch_back(self, block: Block, pullback: Pullback) -> Callable[[], bool]:
        """Launch the way back through a block; what is returned waits, and says what :meth:`pull_back` does."""
        n, binding = len(next(iter(block.state.values()))), self._binding
        what = f"the way back through {block.steps} steps of {n} neurons"
        with self._space.use(), device_errors(what):
            population, run = binding.population(block, n), self._run(block)
            kept = self._begin(block, population, run)
            run.check_finite = True  # of gradients: what was not finite on the way forth stops nothing
            given, counts = (
                {name: self._send_part(cotangent) for name, cotangent in cotangents.items()}
                for cotangents in (pullback.given, pullback.counts)
            )
            back = binding.pullback(block, replace(pullback, given=given, counts=counts))
            shape = self._make_room(back, n, min(pullback.kept.every, block.steps))
            self._kernels["pull_back"](*shape, self._by_value(population, run, back))

        def wait(_alive: list[Any] = kept) -> bool:
            with self._space.use(), device_errors(what):
                return self._bad_neuron() is not None

        return wait

    def _make_room(self, back: Any, n: int, steps: int) -> tuple[tuple[int], tuple[int]]:
        """Room for what is kept of so many steps; the blocks and threads that it suffices for, each thread taking one
        neuron after the other.
        """
        sizes, (blocks, threads) = self._room_sizes, self._shape("pull_back", n, 1)
        a_block = threads * steps * sum(sizes.values())
        held = sum(map(len, self._rooms.values()))
        most = max(held, min(self.rewind_bytes, (self._free_bytes() + held) // 2))
        blocks = min(blocks, max(1, most // max(a_block, 1)))
        for name, size in sizes.items():
            needed = blocks * threads * steps * size
            if name not in self._rooms or len(self._rooms[name]) < needed:
                self._rooms.pop(name, None)
                self._rooms[name] = self._cupy.empty(needed, np.uint8)
            self._binding.set_room(back, name, self._rooms[name])
        return (blocks,), (threads,)

    def _chosen(self, neurons: Array | None) -> Array | None:
        """The recorded neurons on the device, sent once a run."""
        if neurons is None:
            return None
        if self._neurons is None or self._neurons[0] is not neurons:
            self._neurons = (neurons, self._cupy.asarray(neurons))
        return self._neurons[1]

    def _send(self, source: Source) -> Source:
        """An input with its values on the device; one that is held is sent once."""
        counts, deliveries = self._send_part(source.counts), self._send_part(source.deliveries)
        if source.numbers is not None:
            return Source(source.given, self._on_device(source.noise), source.seed, source.numbers, counts, deliveries)
        if source not in self._sent:
            values, noise = self._on_device(source.values), self._on_device(source.noise)
            self._sent[source] = Source(values, noise, source.seed, None, counts, deliveries)
        return self._sent[source]

    def _send_part(self, part: Any) -> Any:
        """Counts, spikes or a gradient with their arrays on the device; the same ones are sent once."""
        if part is None:
            return None
        if part not in self._sent_parts:
            arrays = {name: self._cupy.asarray(x) for name, x in vars(part).items() if isinstance(x, np.ndarray)}
            self._sent_parts[part] = replace(part, **arrays)
        return self._sent_parts[part]

    def _on_device(self, values: Array | None) -> Array | None:
        if not isinstance(values, np.ndarray):
            return values
        if values.size != 1:
            return self._cupy.asarray(values)
        key = values.tobytes()  # a number that comes again and again, as in a loop of single steps, is sent once
        if key not in self._scalars:
            if len(self._scalars) >= MOST_SCALARS:
                self._scalars.clear()
            self._scalars[key] = self._cupy.asarray(values.reshape(-1))
        return self._scalars[key].reshape(values.shape)

    # -- what was found ---------------------------------------------------------------------------------------------

    def _conclude(self, launched: _Launched, n: int) -> Advanced:
        """Wait for the first block under way, and read the status that it left; what was found stays known."""
        block, report, repeated = launched.block, launched.report, False
        if launched.found is not None:
            return launched.found
        with self._space.use(), device_errors(f"{block.steps} steps of {n} neurons"):
            status = self._wait(report)
            if status.stopped == FULL:
                self._begin_again(n)
                status, repeated = self._wait(report), True
            self._under_way.remove(launched)
            launched.kept, stopped, count = [], status.stopped, status.spikes
            bad_neuron, bad_step = (
                found if block.check_finite and found != NO_STEP else None
                for found in (status.bad_neuron, status.bad_step)
            )
            self._free_reports.append(report)
            if stopped:
                launched.found = Advanced(
                    self._no_spikes() if block.outputs.events else None, bad_step=bad_step, is_repeated=repeated
                )
                return launched.found
            launched.found = Advanced(
                None, bad_neuron, is_repeated=repeated
            )  # known even where there is no memory for the spikes
            if block.outputs.events:
                launched.found = replace(launched.found, spikes=self._take(count, n))
            return launched.found

    def _wait(self, report: _Report) -> Any:
        report.event.synchronize()
        return self._read(report.status)

    def _read(self, status: np.ndarray) -> Any:
        """The struct that bytes of the host hold."""
        return self._binding.ffi.from_buffer(f"struct {self._program.name}_status *", status)

    def _begin_again(self, n: int) -> None:
        """Empty the list of spikes, and launch all blocks under way anew: none has advanced since the list was full."""
        for launched in self._under_way:
            launched.report.event.synchronize()
        self.recover()
        for launched in self._under_way:
            self._enqueue(launched, n)

    def _take(self, count: int, n: int) -> Spikes:
        """The spikes that a block appended, in order of step and neuron; the list is a ring."""
        size, first = len(self._list), self._listed % len(self._list)
        taken, self._listed = count - self._listed, count
        parts = slice(first, first + taken), slice(max(first + taken - size, 0))
        keys = self._cupy.concatenate([self._list[part] for part in parts])
        if self._is_located:
            offset = self._cupy.concatenate([self._offsets[part] for part in parts]).astype(np.float64)
            return in_order(replace(self._listed_spikes(keys, n), offset=offset))
        return self._listed_spikes(self._cupy.sort(keys), n)

    def _listed_spikes(self, keys: Array, n: int) -> Spikes:
        """What the keys of a list stand for."""
        step = (keys // np.uint64(n)).astype(np.int64)
        neuron = (keys - step.astype(np.uint64) * np.uint64(n)).astype(np.int64)
        return listed_spikes(step, neuron, self._program.event_count)

    def _no_spikes(self) -> Spikes:
        with self._space.use():
            empty = self._cupy.empty(0, np.int64)
            return listed_spikes(empty, empty, self._program.event_count)

    # -- single steps -----------------------------------------------------------------------------------------------

    def prepare(self, block: Block) -> PreparedStep:
        """The block's one step as a function; see :class:`izhigen.backends.engine.Engine`."""
        n, binding = len(next(iter(block.state.values()))), self._binding
        population, run = binding.population(block, n), self._run(block)
        slots = binding.inputs(run, block.inputs)
        fixed = self._by_value(population)[0]
        with self._space.use(), device_errors(f"one step of {n} neurons"):
            self._kernels["begin"]((1,), (1,), (fixed, *self._by_value(run)))

        def step(first_step: int, inputs: Mapping[str, Source], count: Callable[[], object]) -> int | None:
            with self._space.use(), device_errors(f"one step of {n} neurons"):
                run.first_step = first_step
                sent = [self._send(inputs[name]) for name, _ in slots]
                for (_, target), source in zip(slots, sent):
                    binding.set_input(target, source)
                with SignalsDeferred():
                    self._start("step", n, NEURONS_A_THREAD, (fixed, *self._by_value(run)))
                    count()
                return self._bad_neuron() if block.check_finite else None

        return step

    def _bad_neuron(self) -> int | None:
        """Wait, and read whether the step left something that is not finite."""
        status = self._read(self._status.get())
        if status.bad_neuron == NO_STEP:
            return None
        self.recover()
        return int(status.bad_neuron)


def open_space(device: Any = None, sharding: Any = None) -> Space:
    """The memory of a device, or of several."""
    cupy = load_cupy()
    if sharding is not None:
        if device is not None:
            raise ValueShapeError(
                f"device={shown(device)} and sharding={shown(sharding)} are both given; sharding names the devices"
            )
        return ShardedSpace([DeviceSpace(number) for number in check_sharding(sharding)])
    return DeviceSpace(cupy.cuda.runtime.getDevice() if device is None else check_device("device", device))


def create_engine(request: KernelRequest, space: Any) -> Any:
    """Render the kernel and compile it for every device of the space."""
    program = load_program(request, "cuda")
    if isinstance(space, ShardedSpace):
        return ShardedEngine([CudaEngine(program, part) for part in space.parts], space)
    return CudaEngine(program, space)
