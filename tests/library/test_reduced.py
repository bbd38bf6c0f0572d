"""Neurons of few variables, beside closed forms and equations written by hand."""

import numpy as np
import pytest
from numpy import exp, log, pi, sqrt

import izhigen as iz
from tests.library.exact import crossings, rest

pytest.importorskip("scipy", reason="reference solutions need SciPy")


def simulated(name, duration, dt=0.01, **inputs):
    """Spike times by rk4 and located events."""
    pop = iz.load(name).population(1, dt=dt, method="rk4", spike_timing="located", backend="c", dtype="float64")
    return pop.run(duration, record=["spike"], **inputs).spike_times


# -- excitable and bursting -------------------------------------------------------------------------------------------


def fitzhugh_nagumo(I):
    return lambda y: [y[0] - y[0] ** 3 / 3 - y[1] + I, (y[0] + 0.7 - 0.8 * y[1]) / 12.5]


def test_fitzhugh_nagumo_has_the_limit_cycle_of_its_equations():
    expected, _ = crossings(fitzhugh_nagumo(0.5), [-1.1994080352440044, -0.6242600440550055], 400.0, lambda y: y[0] - 1)
    found = simulated("FitzHughNagumo", 400.0, I=0.5)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.ptp(np.diff(found[3:])) < 1e-6 and 39 < np.diff(found)[-1] < 41


def test_fitzhugh_nagumo_is_excitable():
    """It starts at rest; a small push fades, and one beyond the middle branch makes one spike."""
    model = iz.load("FitzHughNagumo")
    fixed = rest(fitzhugh_nagumo(0.0), [-1.2, -0.6])
    pop = model.population(
        3, dt=0.05, method="rk4", backend="c", dtype="float64", V=fixed[0] + np.array([0.0, 0.3, 1.0])
    )
    recording = pop.run(200.0, record=["V", "spike"])
    assert recording.counts.tolist() == [0, 0, 1]
    np.testing.assert_allclose(recording["V"][:, 0], fixed[0], atol=1e-12)
    np.testing.assert_allclose(recording["V"][-1], fixed[0], atol=1e-3)


def hindmarsh_rose(I):
    def rhs(y):
        x, fast, slow = y
        return [fast - x**3 + 3 * x**2 - slow + I, 1 - 5 * x**2 - fast, 0.006 * (4 * (x + 1.6) - slow)]

    return rhs


@pytest.mark.parametrize(("I", "spikes"), [(1.5, 1), (2.0, 2), (2.5, 3), (2.8, 4)])
def test_hindmarsh_rose_bursts(I, spikes):
    """As many spikes a burst as the paper's equations give, and at the same times; more current, more of them."""
    found = simulated("HindmarshRose", 2000.0, I=I)
    expected, _ = crossings(hindmarsh_rose(I), [-1.6, 1 - 5 * 1.6**2, 0.0], 2000.0, lambda y: y[0] - 1)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found[: 2 * len(found) // 3], expected[: 2 * len(found) // 3], atol=1e-3)
    late = found[found > 500]
    pauses = np.flatnonzero(np.diff(late) > 60)
    assert set(np.diff(pauses)) == {spikes}


# -- theta ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [1.0, 10.0])
def test_theta_fires_at_the_root_of_its_current(tau):
    """f = sqrt(I)/(pi tau), the half period from 0 to pi first."""
    currents = np.array([0.01, 0.1, 1.0, 4.0])
    pop = iz.load("Theta").population(
        4, dt=0.01, method="rk4", spike_timing="located", backend="c", dtype="float64", tau=tau
    )
    times, neurons = pop.run(80.0 * tau, I=currents, record=["spike"]).spikes
    for k, I in enumerate(currents):
        own = times[neurons == k]
        period = pi * tau / sqrt(I)
        np.testing.assert_allclose(own, (np.arange(len(own)) + 0.5) * period, rtol=1e-6)
        assert len(own) == int(80.0 * tau / period + 0.5)


def test_theta_rests_below_zero_current():
    pop = iz.load("Theta").population(2, dt=0.05, backend="c", dtype="float64", theta=[-2.0, 0.5])
    assert pop.run(200.0, I=-0.25, record=["spike"]).counts.sum() == 0
    np.testing.assert_allclose(pop.theta, -np.arccos((1 - 0.25) / (1 + 0.25)), atol=1e-9)


# -- integrate and fire with synapses and adaptation ------------------------------------------------------------------


def test_a_spike_gives_the_closed_form_of_an_exponential_current():
    """V - E_L = w tau_e R/(tau_m - tau_e) (exp(-t/tau_m) - exp(-t/tau_e)), here below threshold."""
    model = iz.load("LifExpCurrent")
    pop = model.population(2, dt=0.1, method="exact", backend="c", dtype="float64", E_L=-60.0)
    exc, inh = np.zeros((2, 400, 2))
    exc[0, 0], inh[0, 1] = 1.0, 1.0
    V = pop.run(40.0, exc=exc, inh=inh, record=["V"])["V"]
    t = np.arange(400) * 0.1  # since the spike, which acts at its step's end
    for column, weight, tau in ((0, 16.2, 5.0), (1, -90.0, 10.0)):
        expected = weight / 200.0 * 20.0 * tau / (20.0 - tau) * (exp(-t / 20.0) - exp(-t / tau))
        np.testing.assert_allclose(V[:, column] + 60.0, expected, atol=1e-10)
    assert abs(V[:, 0].max() + 60.0 - 0.2551) < 1e-3


def test_conductances_pull_towards_their_reversals():
    """Against the equations by hand, from the step's end in which the spikes arrive."""
    model = iz.load("LifExpConductance")
    exc, inh = np.zeros((2, 3000, 1))
    exc[0], inh[0] = 1.0, 2.0
    pop = model.population(1, dt=0.01, method="rk4", backend="c", dtype="float64")
    V = pop.run(30.0, exc=exc, inh=inh, record=["V"])["V"][:, 0]

    def rhs(y):
        v, g_e, g_i = y
        return [(10 * (-60 - v) + g_e * (0 - v) + g_i * (-80 - v)) / 200, -g_e / 5, -g_i / 10]

    _, end = crossings(rhs, [-60.0, 6.0, 134.0], 29.99, lambda y: y[0])
    assert abs(V[-1] - end[0]) < 1e-9
    assert V.min() < -65


@pytest.mark.parametrize(("name", "rest_at"), [("LifExpCurrent", -49.0), ("LifExpConductance", -60.0)])
def test_the_rate_of_a_leaky_neuron_is_the_closed_form(name, rest_at):
    """1/f = tau_ref + tau log((E_L + R I - V_reset)/(E_L + R I - V_th)), within the step that a spike takes."""
    I, dt = 250.0, 0.01
    pop = iz.load(name).population(1, dt=dt, method="rk4", backend="c", dtype="float64")
    found = np.diff(pop.run(400.0, I=I, record=["spike"]).spike_times)
    level = rest_at + I / 10
    expected = 5.0 + 20 * log((level + 60) / (level + 50))
    assert np.all(np.abs(found - expected) <= 2 * dt) and len(found) > 10


def test_the_threshold_of_alif_rises_with_each_spike():
    """Beside a calculation from spike to spike: V and a in closed form, the crossing by bisection."""
    from scipy.optimize import brentq

    I, V, a, t = 3.0, 0.0, 0.0, 0.0
    expected = []
    while t < 400.0:
        V0, a0 = V, a

        def margin(s, V0=V0, a0=a0):
            return I + (V0 - I) * exp(-s / 20) - 1 - 0.174 * a0 * exp(-s / 200)

        low = 5.0 if expected else 0.0
        wait = low if margin(low) >= 0 else brentq(margin, low, 400.0, xtol=1e-12)
        t += wait
        V, a = I + (V0 - I) * exp(-wait / 20) - 1, a0 * exp(-wait / 200) + 1
        expected.append(t)
    expected = np.array(expected[:-1])
    dt = 0.002
    pop = iz.load("ALIF").population(1, dt=dt, method="exact", backend="c", dtype="float64")
    found = pop.run(400.0, I=I, record=["spike"]).spike_times
    assert len(found) == len(expected)
    assert np.abs(found - expected).max() < 3 * dt * len(found)
    intervals = np.diff(found)
    assert intervals[-1] > 1.5 * intervals[0] and np.all(np.diff(intervals) > -2 * dt)
