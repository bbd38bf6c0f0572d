"""How long a neuron is held: decided by times in double precision, alike on every backend, for any cut of a run."""

import numpy as np
import pytest

from izhigen import Model
from tests.helpers import host

CLOCK = Model("Clock", "dV/dt = 1 + 0*I", threshold="V >= V_th", reset="V = 0", parameters={"V_th": 1.0}, inputs=["I"])
HELD = CLOCK.with_refractory(2.0)
BACKENDS = ("numpy", "c", "cuda")


def spikes_of(backend, dtype, dt, tau_ref, steps, cuts=(), start=0.0):
    pop = HELD.population(3, dt=dt, backend=backend, dtype=dtype, tau_ref=tau_ref, V_th=dt * 1.5)
    pop.state["t_last_spike"][1] = start
    found = []
    for steps_of_part in [*np.diff([0, *cuts, steps])]:
        recording = pop.run(steps=int(steps_of_part), record=["spike"]).to_host()
        found.append(recording["spike"])
    return np.concatenate(found), host(pop.state["t_last_spike"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("dt", "tau_ref"),
    [
        (0.1, 2.0),
        (0.1, 0.3),
        (0.1, 0.7),
        (0.05, 1.15),
        (0.01, 0.29),
        (1 / 3, 2.0),
        (0.125, 2.0),
        (0.1, 0.0),
        (0.1, 2.05),
    ],
)
def test_ties_are_decided_alike(dtype, dt, tau_ref, device):
    """Of a period of whole steps: t - t_last_spike is one unit in the last place too much in some steps, and not in others."""
    steps = 500
    expected, expected_last = spikes_of("numpy", dtype, dt, tau_ref, steps)
    assert expected.any()
    for backend in BACKENDS:
        for cuts in ((), (1, 2, 3, 50, 250, 257)):
            found, last = spikes_of(backend, dtype, dt, tau_ref, steps, cuts)
            np.testing.assert_array_equal(found, expected, err_msg=f"{backend} {cuts}")
            np.testing.assert_array_equal(last, expected_last)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("threshold", "reset"),
    [("V >= 1", "n = n + 1"), ("V >= 1", "n = n + 1; V = V"), ("on > 0 and V >= V - 1", "n = n + 1; V = 0")],
)
def test_a_threshold_that_the_reset_leaves_as_it_is_is_mute(backend, threshold, reset, device):
    """One spike, and none until the neuron is released; the condition holds all the time."""
    model = Model("M", "dV/dt = 1 + 0*I\ndn/dt = 0", threshold, reset, {"on": 1.0}, ["I"], trigger="level")
    pop = model.with_refractory(2.05, hold=["V"]).population(2, dt=0.1, backend=backend, dtype="float64")
    spikes = pop.run(steps=80, record=["spike"]).to_host()["spike"]
    assert (np.diff(np.flatnonzero(spikes[:, 0])) == 21).all() and (spikes.sum(0) == 4).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_step_by_step_and_in_one_run(backend, device):
    pop = HELD.population(300, dt=0.1, backend=backend, dtype="float64", tau_ref=np.linspace(0, 3, 300), V_th=0.15)
    single = np.array([host(pop.step()) for _ in range(200)])
    pop.reset()
    np.testing.assert_array_equal(host(pop.run(steps=200, record=["spike"])["spike"]), single)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tau_ref", [1e-300, 1e9, 1e300])
def test_extreme_periods(backend, tau_ref, device):
    """Neurons start as if their last spike were 10,000 s ago, which a period may be longer than."""
    spikes, _ = spikes_of(backend, "float32", 0.1, tau_ref, 100)
    np.testing.assert_array_equal(spikes, spikes_of("numpy", "float32", 0.1, tau_ref, 100)[0])
    assert spikes.sum(axis=0)[0] == (0 if tau_ref > 1 else 50)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("start", [np.nan, np.inf, -np.inf, 1e300, -1e300, 3.0, 5.05])
@pytest.mark.parametrize("cuts", [(), (1, 2)])
def test_extreme_times_of_the_last_spike(backend, start, cuts, device):
    """No number: not held, as t - t_last_spike <= tau_ref says; a time to come: held until it is past."""
    expected = spikes_of("numpy", "float64", 0.1, 0.5, 100, cuts, start)[0]
    np.testing.assert_array_equal(spikes_of(backend, "float64", 0.1, 0.5, 100, cuts, start)[0], expected)
    assert expected[:, 1].any() == (start not in (np.inf, 1e300))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("dt", "tau_ref", "start"), [(0.1, 1e300, -1e300), (0.1, 1e24, -1e24), (1e-30, 1e7, -1e7), (0.1, 1e18, -1e18)]
)
def test_an_end_that_no_estimate_comes_near_is_found(backend, dt, tau_ref, start, device):
    """Where times cancel, the first step that is not held may be any."""
    pop = HELD.population(3, dt=dt, backend=backend, dtype="float64", tau_ref=tau_ref, V_th=dt * 1.5)
    expected = HELD.population(3, dt=dt, backend="numpy", dtype="float64", tau_ref=tau_ref, V_th=dt * 1.5)
    for each in (pop, expected):
        each.state["t_last_spike"][:] = start
    found, wanted = (each.run(steps=60, record=["spike"]).to_host()["spike"] for each in (pop, expected))
    np.testing.assert_array_equal(found, wanted)


NAMES = [
    "release",
    "step_now",
    "time_now",
    "origin",
    "time_step",
    "on_spike",
    "iz_on_spike",
    "IZ_BOUNDS",
    "DT",
    "STEPS",
]


def test_a_state_may_have_a_name_of_the_kernel():
    """All of them at once, each in an equation, the threshold and the reset."""
    names = [*NAMES, "IZ_COUNTED_STEPS", "COUNTED_STEPS", "find_releases", "refractory_period"]
    equations = "\n".join(f"d{name}/dt = 1 + 0*I" for name in names)
    threshold, reset = (
        joint.join(f"{name} {end}" for name in names) for joint, end in ((" and ", ">= 1"), ("; ", "= 0"))
    )
    held = Model("Named", equations, threshold=threshold, reset=reset, inputs=["I"]).with_refractory(0.3)
    runs = [held.population(3, dt=0.1, backend=b).run(steps=60, record=[*names, "spike"]) for b in ("c", "numpy")]
    np.testing.assert_array_equal(runs[0]["spike"], runs[1]["spike"])
    assert runs[0]["spike"].any()
