"""Single steps go through a prepared call: it must never be out of date."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import NonFiniteError, ValueShapeError
from tests.helpers import host

N = 300


def pair(backend="c", **options):
    return [iz.load("IzhikevichRefLTC").population(N, dt=0.1, backend=backend, **options) for _ in range(2)]


def same(stepped, run):
    for name in stepped.model.all_states:
        np.testing.assert_array_equal(host(stepped.state[name]), host(run.state[name]))


def test_a_step_is_a_run_of_one_step(backend, dtype):
    stepped, run = pair(backend, dtype=dtype, tau_ref=1.0)
    current = np.linspace(0.0, 30.0, N)
    for value in (
        current,
        current.astype(dtype),
        12.0,
        7,
        np.float32(3.5),
        np.array(4.0),
        list(current),
        "t + 1",
        iz.inputs.constant(5.0, 100.0),
        current,
    ):
        held = np.asarray(value) if isinstance(value, list) else value
        spike = stepped.step(I=value)
        recording = run.run(steps=1, I=held, record=["spike"])
        assert spike.dtype == bool and spike.sum() == len(recording.spikes[0])
        same(stepped, run)


def test_changes_between_steps_take_effect(backend):
    stepped, run = pair(backend)
    changes = [
        lambda p: None,
        lambda p: setattr(p, "a", 0.1),
        lambda p: setattr(p, "V", -50.0),
        lambda p: setattr(p, "a", np.linspace(0.02, 0.1, N)),
        lambda p: p.a.__setitem__(slice(None), 0.05),
        lambda p: setattr(p, "a", 0.02),
        lambda p: p.reset(),
        lambda p: p.reset(batch=2),
        lambda p: p.reset(batch=None),
        lambda p: p.u.__imul__(0.5),
    ]
    for change in changes:
        for pop in (stepped, run):
            change(pop)
        stepped.step(I=15.0)
        run.run(steps=1, I=15.0, record=())
        same(stepped, run)
    stepped.step(I=15.0, V_delta=3.0)
    run.run(steps=1, I=15.0, V_delta=3.0, record=())
    same(stepped, run)


def test_the_state_itself_may_be_the_input(backend):
    stepped, run = pair(backend)
    stepped.step(I=stepped.V)
    run.run(steps=1, I=run.V.copy(), record=())
    same(stepped, run)


def test_the_flags_returned_are_the_callers_own(backend):
    pop, _ = pair(backend)
    first = pop.step(I=400.0)
    kept = host(first).copy()
    for _ in range(20):
        pop.step(I=400.0)
    np.testing.assert_array_equal(host(first), kept)


def test_a_bad_input_or_shape_is_refused_before_the_step(backend):
    pop, _ = pair(backend)
    before = host(pop.V).copy()
    current = np.zeros(N, np.float32)
    current[5] = np.inf
    for bad in (np.nan, current):
        with pytest.raises(NonFiniteError, match="left before it"):
            pop.step(I=bad)
    with pytest.raises(ValueShapeError, match="too large for a float"):
        pop.step(I=10**400)
    for bad in (np.zeros(N + 1), np.zeros((2, N)), "q", [1, "a"]):
        with pytest.raises(ValueShapeError):
            pop.step(I=bad)
    np.testing.assert_array_equal(host(pop.V), before)
    assert pop.t == 0.0
    pop.step(I=np.full(N, -3e38, np.float32))  # finite though its square is not
    pop.V[3] = np.nan
    with pytest.raises(NonFiniteError, match="neuron 3 became infinite"):
        pop.step(I=0.0)


def test_a_population_too_large_to_copy_names_the_block(monkeypatch):
    monkeypatch.setattr("izhigen.backends.engine.HostEngine.rewind_bytes", 0)
    pop = iz.Model("E", "dV/dt = V*V", parameters={}).population(
        4, dt=1.0, dtype="float32", method="euler", V=[0.0, 2.0, 0.0, 0.0]
    )
    with pytest.raises(
        NonFiniteError,
        match=r"neuron 1 became infinite or undefined in one of the steps 0 to 49 .*run this neuron alone",
    ):
        pop.run(50.0)
    assert pop.t == 50.0
