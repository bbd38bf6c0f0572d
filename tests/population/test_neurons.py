"""Neurons as a population owns them, and how a run cuts their steps into blocks."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import izhigen as iz
from izhigen.population.run import BlockLength, Runner
from tests.helpers import host

NOISY = iz.load("RS").with_noise(V=1.0)


def test_neurons_go_back_to_a_snapshot(backend):
    pop = NOISY.population(20, dt=0.1, backend=backend, dtype="float64", seed=3)
    neurons = pop._neurons
    pop.run(10.0, I=15.0)
    kept, steps = neurons.snapshot(), neurons.steps_done
    expected = pop.run(30.0, I=15.0, record=["V", "u", "spike"]).to_host()
    flags = host(pop.spike)
    assert len(expected.spike_times) and (host(pop.V) != host(kept["V"])).any()
    neurons.restore(kept)
    neurons.steps_done = steps
    again = pop.run(30.0, I=15.0, record=["V", "u", "spike"]).to_host()
    for name in ("V", "u", "spike"):
        np.testing.assert_array_equal(again[name], expected[name])
    np.testing.assert_array_equal(host(pop.spike), flags)


def test_snapshots_of_different_slots_are_kept_side_by_side_and_of_the_same_slot_in_the_same_arrays(backend):
    neurons = NOISY.population(4, dt=0.1, backend=backend)._neurons
    first, second = neurons.snapshot(0), neurons.snapshot(1)
    neurons.set_state("V", -40.0)
    again = neurons.snapshot(0)
    assert again["V"] is first["V"] and (host(first["V"]) == -40.0).all() and (host(second["V"]) != -40.0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_states_begin_on_cache_lines_and_long_ones_at_different_quarters_of_a_page(dtype):
    for n in (3, 5000):
        pop = NOISY.population(n, dt=0.1, backend="numpy", dtype=dtype)
        V, u = (pop.state[name].ctypes.data for name in ("V", "u"))
        assert V % 64 == u % 64 == 0
    assert (u - V) % 4096 == 1024 and V % 1024 == 0


@pytest.mark.parametrize(
    "length", [BlockLength(boundary=7), BlockLength(seconds=0.0, boundary=3), BlockLength(boundary=300)]
)
def test_a_run_is_cut_where_it_is_told_to_and_results_stay(backend, length, monkeypatch):
    """No block goes beyond a multiple of the boundary in absolute time, also where the run does not begin at one."""
    expected, pop = (NOISY.population(5, dt=0.1, backend=backend, dtype="float64", seed=1) for _ in range(2))
    blocks, begin = [], Runner.__init__

    def told(self, *arguments):
        begin(self, *arguments[:-1], length)
        submit = self._engine.submit
        monkeypatch.setattr(self._engine, "submit", lambda block: blocks.append(block) or submit(block))

    for each in (expected, pop):
        each.run(steps=4, I=12.0)
    whole = expected.run(steps=300, I=12.0, record=["V", "I", "spike", "isi"], every=4).to_host()
    monkeypatch.setattr(Runner, "__init__", told)
    cut = pop.run(steps=300, I=12.0, record=["V", "I", "spike", "isi"], every=4).to_host()
    assert sum(block.steps for block in blocks) == 300
    assert len(blocks) > 300 // (length.boundary or 300) and len(whole.spike_times)
    for block in blocks if length.boundary else []:
        assert block.first_step // length.boundary == (block.first_step + block.steps - 1) // length.boundary
    for name in ("V", "I", "spike"):
        np.testing.assert_array_equal(cut[name], whole[name])
    np.testing.assert_array_equal(cut["isi"], whole["isi"])
    with pytest.raises(FrozenInstanceError):
        blocks[0].steps = 1
