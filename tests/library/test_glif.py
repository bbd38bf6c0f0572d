"""GLIF 1 to 5 beside an own stepper: the exact solution of each step by a matrix exponential, rules at a spike by hand."""

import numpy as np
import pytest

import izhigen as iz

linalg = pytest.importorskip("scipy.linalg", reason="the reference is a matrix exponential")

C, g, E_L, V_th = 58.72, 9.43, -78.85, -51.68
K, DELTA = np.array([0.003, 0.1]), np.array([-9.18, -198.94])
b_s, delta_s, a_v, b_v = 0.009, 0.37, 0.005, 0.09
T_REF = 3.75
KINDS = {  # currents after a spike, a threshold that spikes raise, one that follows V
    "GLIF1": (False, False, False),
    "GLIF2": (False, True, False),
    "GLIF3": (True, False, False),
    "GLIF4": (True, True, False),
    "GLIF5": (True, True, True),
}


def stepped(kind, I, dt, steps):
    """Potential over E_L and spikes of a neuron; x = (u, I_1, I_2, theta_s, theta_v, 1)."""
    has_currents, has_spikes, follows = KINDS[kind]
    A = np.zeros((6, 6))
    A[0] = [-g / C, 1 / C, 1 / C, 0, 0, I / C]
    A[1, 1], A[2, 2], A[3, 3] = -K[0], -K[1], -b_s
    if follows:
        A[4, 0], A[4, 4] = a_v, -b_v
    propagator = linalg.expm(A * dt)
    x = np.array([0, 0, 0, 0, 0, 1.0])
    last, potentials, spikes = -1e7, [], []
    for k in range(steps):
        t = k * dt
        held = t - last <= T_REF
        x = x if held else propagator @ x
        fires = not held and x[0] >= V_th - E_L + x[3] + x[4]
        if fires:
            last = t
            x[0] = 0.2 * x[0] + 18.51 if has_spikes else 0.0
            if has_currents:
                x[1:3] = x[1:3] * np.exp(-K * T_REF) + DELTA
            if has_spikes:
                x[3] = x[3] * np.exp(-b_s * T_REF) + delta_s
        potentials.append(x[0] + E_L)
        spikes.append(fires)
    return np.array(potentials), np.array(spikes)


@pytest.mark.parametrize("name", KINDS)
def test_each_level_is_the_papers(name):
    currents, dt, steps = np.array([200.0, 300.0, 420.0]), 0.05, 8000
    pop = iz.load(name).population(3, dt=dt, method="exact", backend="c", dtype="float64")
    recording = pop.run(steps=steps, I=currents, record=["V", "spike"])
    for k, I in enumerate(currents):
        V, spikes = stepped(name, I, dt, steps)
        np.testing.assert_array_equal(recording["spike"][:, k], spikes)
        np.testing.assert_allclose(recording["V"][:, k], V, atol=1e-8)
    assert recording.counts[-1] > 10 and recording.counts[0] == 0


def test_what_each_mechanism_does():
    """After-spike currents slow firing, a threshold that rises lengthens intervals; the first has equal intervals."""
    intervals = {}
    for name in KINDS:
        pop = iz.load(name).population(1, dt=0.01, method="exact", backend="c", dtype="float64")
        intervals[name] = np.diff(pop.run(500.0, I=400.0, record=["spike"]).spike_times)
    assert np.ptp(intervals["GLIF1"]) < 0.02
    closed = T_REF + C / g * np.log(400 / g / (400 / g + E_L - V_th))
    assert abs(intervals["GLIF1"].mean() - closed) < 0.02
    for name in ("GLIF2", "GLIF3", "GLIF4", "GLIF5"):
        assert intervals[name][-1] > intervals[name][0] + 0.1, name
    assert len(intervals["GLIF3"]) < len(intervals["GLIF1"])
    assert len(intervals["GLIF5"]) <= len(intervals["GLIF4"])
