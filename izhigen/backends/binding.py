"""What a kernel is told, in the structs of its interface: filled by name, so that no field's place is written twice."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cffi
import numpy as np

from izhigen.backends.engine import Block, Source
from izhigen.backends.pullback import Cotangent, Pullback
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.program import Program

Array = Any


@lru_cache(maxsize=32)
def _declared(interface: str) -> cffi.FFI:
    """The declarations of an interface, whose text takes some milliseconds to read."""
    ffi = cffi.FFI()
    ffi.cdef(interface)
    return ffi


class Binding:
    """The structs of a program's interface.

    Parameters
    ----------
    program : Program
    address : callable, optional
        Where an array lies, as a number; by default where a NumPy array does.
    """

    def __init__(self, program: Program, address: Callable[[Array], int] | None = None) -> None:
        self.ffi = _declared(program.interface)
        self._name, self._address = program.name, address
        self.real, self._reals = ("float *", "float[]") if program.dtype == "float32" else ("double *", "double[]")

    def pointer(self, kind: str, array: Array | None) -> Any:
        """A pointer to the array's first value; NULL for None."""
        if array is None:
            return self.ffi.NULL
        return self.ffi.cast(kind, self.ffi.from_buffer(array) if self._address is None else self._address(array))

    def population(self, block: Block, n: int) -> Any:
        """``struct <name>_population`` for the block's arrays and parameters."""
        population = self.ffi.new(f"struct {self._name}_population *")
        population.neurons, population.dt = n, block.dt
        if hasattr(population, "seed"):
            population.seed = block.seed
        if hasattr(population, "first_index"):
            population.first_index = block.first_index
        for name, array in block.state.items():
            setattr(population.state, c_name(name), self._state_pointer(name, array))
        for name, value in block.parameters.items():
            if not isinstance(value, float):
                value = self.pointer("double *" if value.dtype == np.float64 else "float *", value)
            setattr(population.parameter, c_name(name), value)
        return population

    def run(self, block: Block) -> Any:
        """``struct <name>_run`` with the block's steps and where its traces and figures go.

        Inputs are set by :meth:`set_input`.
        """
        run = self.ffi.new(f"struct {self._name}_run *")
        run.first_step, run.steps = block.first_step, block.steps
        run.record_every, run.record_phase = block.outputs.every, block.outputs.phase
        for name, array in block.outputs.traces.items():
            setattr(run.record, c_name(name), self._state_pointer(name, array))
            run.record_count = array.shape[1]
        run.record_neurons = self.pointer("int64_t *", block.outputs.neurons)
        if hasattr(run, "recorded_events"):
            run.recorded_events = sum(1 << number for number in block.outputs.events)
        run.spike_flag = self.pointer("uint8_t *", block.spike_flag)
        if block.outputs.moments is not None:
            moments = block.outputs.moments
            for name, array in (("count", moments.count), ("first_spike", moments.first), ("last_spike", moments.last)):
                is_whole = array is None or array.dtype == np.int64
                setattr(run, name, self.pointer("int64_t *" if is_whole else "double *", array))
            run.interval_squares = self.pointer("double *", moments.squares)
        kept = block.outputs.kept
        if kept is not None:
            run.keep_first, run.keep_every = kept.first_step, kept.every
            for name, rows in kept.rows.items():
                setattr(run.keep, c_name(name), self._state_pointer(name, rows))
        return run

    def pullback(self, block: Block, back: Pullback) -> Any:
        """``struct <name>_pullback`` for the way back through a block."""
        found = self.ffi.new(f"struct {self._name}_pullback *")
        found.first, found.origin, found.every = back.first, back.kept.first_step, back.kept.every
        row = back.kept.row_at(block.first_step)
        for name, rows in back.kept.rows.items():
            setattr(found.kept, c_name(name), self._state_pointer(name, rows[row:]))
        for name, values in back.states.items():
            setattr(found.state, c_name(name), self.pointer(self.real, values))
        for name, cotangent in back.given.items():
            self._set_cotangent(getattr(found.given, c_name(name)), cotangent)
        for name, cotangent in back.counts.items():
            self._set_cotangent(getattr(found.count, c_name(name)), cotangent)
        for name, rows in back.inputs.items():
            setattr(found.input, c_name(name), self.pointer(self.real, rows))
        for name, values in back.parameters.items():
            setattr(found.parameter, c_name(name), self.pointer("double *", values))
        return found

    def room_sizes(self) -> dict[str, int]:
        """What the way back on a device keeps of a step: names, and bytes of a value."""
        fields = dict(self.ffi.typeof(f"struct {self._name}_pullback").fields)
        kept = fields["room"].type.fields if "room" in fields else []
        return {name: self.ffi.sizeof(field.type.item) for name, field in kept}

    def set_room(self, pullback: Any, name: str, array: Array) -> None:
        """Point the way back at the room for one of those."""
        setattr(pullback.room, name, self.pointer("void *", array))

    def _set_cotangent(self, target: Any, cotangent: Cotangent) -> None:
        values = cotangent.values
        rows, columns = values.shape
        target.values, target.every = self.pointer(self.real, values), cotangent.every
        target.step_stride = columns if rows > 1 else 0
        target.neuron_stride = 1 if columns > 1 else 0

    def _state_pointer(self, name: str, array: Array) -> Any:
        return self.pointer("double *" if name == "t_last_spike" else self.real, array)

    def inputs(self, run: Any, names: Any) -> list[tuple[str, Any]]:
        """The inputs' structs within a run, by name."""
        return [(name, getattr(run.input, c_name(name))) for name in names]

    def set_input(self, target: Any, source: Source) -> None:
        """Point an input at given values."""
        values = source.values
        rows, columns = values.shape
        target.values = (
            self.ffi.from_buffer(self._reals, values) if self._address is None else self.pointer(self.real, values)
        )
        target.step_stride = columns if rows > 1 else 0
        target.neuron_stride = 1 if columns > 1 else 0
        self._set_drawn(target, source)

    def set_series(self, target: Any, source: Source, room: Array, numbers: Array) -> None:
        """Point an input at room for what the kernel computes from time, and at the numbers that it computes with."""
        target.series = target.values = self.pointer(self.real, room)
        target.numbers = self.pointer("double *", numbers)
        target.step_stride, target.neuron_stride = 1, 0
        self._set_drawn(target, source)

    def address(self, struct: Any, *fields: str) -> int:
        """Where a field of a struct lies, as a number."""
        return int(self.ffi.cast("intptr_t", self.ffi.addressof(struct, *fields)))

    def moving(self, run: Any, name: str, source: Source) -> list[tuple[int, int]]:
        """The pointers of an input that move with the steps: where each lies, and by how many bytes a step."""
        path, found = ("input", c_name(name)), []
        target = getattr(run.input, c_name(name))
        if source.numbers is None:
            found.append((self.address(run, *path, "values"), target.step_stride * source.values.itemsize))
        if source.noise is not None:
            found.append((self.address(run, *path, "noise"), target.noise_stride * source.noise.itemsize))
        if source.counts is not None:
            stride = target.counts.step_stride * source.counts.mean.itemsize
            found += [(self.address(run, *path, "counts", field), stride) for field in ("mean", "first")]
        return [(place, stride) for place, stride in found if stride]

    def _set_drawn(self, target: Any, source: Source) -> None:
        """Tell what the kernel draws and delivers."""
        if source.noise is not None:
            target.noise = self.pointer(self.real, source.noise)
            target.noise_stride = 1 if len(source.noise) > 1 else 0
            target.noise_seed = source.seed
        if source.counts is not None:
            counts, drawn = target.counts, source.counts
            rows, columns = drawn.mean.shape
            counts.mean, counts.first = self.pointer("double *", drawn.mean), self.pointer("uint64_t *", drawn.first)
            counts.step_stride, counts.neuron_stride = columns if rows > 1 else 0, 1 if columns > 1 else 0
            counts.weight, counts.weight_stride = self.pointer(self.real, drawn.weight), int(len(drawn.weight) > 1)
            counts.stream = drawn.stream
        if source.deliveries is not None:
            room, given = target.deliveries, source.deliveries
            room.start, room.step = (self.pointer("int64_t *", a) for a in (given.start, given.step))
            room.lane, room.weight = (
                self.pointer("uint8_t *", given.lane),
                self.pointer(self.real, given.weight),
            )
            room.weight_stride = 1
