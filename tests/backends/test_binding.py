"""The structs of a program, filled by name."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.backends.binding import Binding
from izhigen.backends.engine import Block, Moments, Outputs, Source

MODEL = iz.load("IzhikevichRef")


@pytest.fixture(params=["float32", "float64"])
def binding(request):
    return Binding(MODEL.program("c", dtype=request.param, per_neuron=("a",)))


def read(binding, pointer, count, dtype):
    return np.frombuffer(binding.ffi.buffer(pointer, count * np.dtype(dtype).itemsize), dtype)


def block(dtype, **more):
    n = 3
    state = {"V": np.arange(n, dtype=dtype), "u": np.arange(n, dtype=dtype) + 10, "t_last_spike": np.full(n, -1e7)}
    parameters = {**{name: float(v) for name, v in MODEL.parameters.items()}, "a": np.full(n, 0.03, dtype)}
    return Block(5, 4, 0.1, 7, state, parameters, {}, **more)


def test_a_population_points_at_the_arrays_of_a_block(binding):
    dtype = "float32" if binding.real == "float *" else "float64"
    given = block(dtype)
    population = binding.population(given, 3)
    assert (population.neurons, population.dt, population.parameter.b) == (3, 0.1, MODEL.parameters["b"])
    assert read(binding, population.state.V, 3, dtype).tolist() == [0, 1, 2]
    assert read(binding, population.state.t_last_spike, 3, "float64").tolist() == [-1e7] * 3
    np.testing.assert_array_equal(read(binding, population.parameter.a, 3, dtype), given.parameters["a"])
    given.state["V"][1] = 42
    assert read(binding, population.state.V, 3, dtype)[1] == 42


def test_a_run_points_at_what_it_writes_and_at_nothing_else(binding):
    dtype = "float32" if binding.real == "float *" else "float64"
    empty = binding.run(block(dtype))
    assert (empty.first_step, empty.steps, empty.count, empty.record_neurons) == (5, 4, *[binding.ffi.NULL] * 2)
    rows, chosen = np.zeros((2, 1), dtype), np.array([2])
    moments = Moments(np.zeros(3, np.int64), np.full(3, -1), np.full(3, -1), np.zeros(3))
    outputs = Outputs(traces={"V": rows}, every=2, phase=1, neurons=chosen, moments=moments)
    run = binding.run(block(dtype, outputs=outputs))
    assert (run.record_every, run.record_phase, run.record_count) == (2, 1, 1)
    assert read(binding, run.record_neurons, 1, np.int64).tolist() == [2]
    assert read(binding, run.first_spike, 3, np.int64).tolist() == [-1] * 3
    assert int(binding.ffi.cast("uintptr_t", run.record.V)) == rows.ctypes.data


@pytest.mark.parametrize(
    ("rows", "columns", "strides"), [(1, 1, (0, 0)), (1, 3, (0, 1)), (4, 1, (1, 0)), (4, 3, (3, 1))]
)
def test_strides_of_an_input_are_0_where_it_does_not_vary(binding, rows, columns, strides):
    dtype = "float32" if binding.real == "float *" else "float64"
    run = binding.run(block(dtype))
    [(name, target)] = binding.inputs(run, ["I"])
    binding.set_input(target, Source(np.ones((rows, columns), dtype)))
    assert name == "I" and (run.input.I.step_stride, run.input.I.neuron_stride) == strides
