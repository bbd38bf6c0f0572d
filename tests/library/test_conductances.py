"""Neurons with channels, beside the papers' equations written by hand and integrated by DOP853."""

import numpy as np
import pytest
from numpy import cosh, exp, tanh

import izhigen as iz
from izhigen.errors import ModelError
from tests.library.exact import crossings, rest

pytest.importorskip("scipy", reason="reference solutions need SciPy")


def gate(alpha, beta, x):
    return alpha * (1 - x) - beta * x


def hodgkin_huxley(I, g_L=0.3):
    def rhs(y):
        V, m, h, n = y
        current = 120 * m**3 * h * (50 - V) + 36 * n**4 * (-77 - V) + g_L * (-54.387 - V)
        return [
            I + current,
            gate(0.1 * (V + 40) / (1 - exp(-(V + 40) / 10)), 4 * exp(-(V + 65) / 18), m),
            gate(0.07 * exp(-(V + 65) / 20), 1 / (1 + exp(-(V + 35) / 10)), h),
            gate(0.01 * (V + 55) / (1 - exp(-(V + 55) / 10)), 0.125 * exp(-(V + 65) / 80), n),
        ]

    return rhs


def wang_buzsaki(I):
    def rhs(y):
        V, h, n = y
        alpha_m = 0.1 * (V + 35) / (1 - exp(-0.1 * (V + 35)))
        m = alpha_m / (alpha_m + 4 * exp(-(V + 60) / 18))
        return [
            I + 35 * m**3 * h * (55 - V) + 9 * n**4 * (-90 - V) + 0.1 * (-65 - V),
            5 * gate(0.07 * exp(-(V + 58) / 20), 1 / (1 + exp(-0.1 * (V + 28))), h),
            5 * gate(0.01 * (V + 34) / (1 - exp(-0.1 * (V + 34))), 0.125 * exp(-(V + 44) / 80), n),
        ]

    return rhs


def traub_miles(I):
    def rhs(y):
        V, m, h, n = y
        v = V + 63
        return [
            I + 100 * m**3 * h * (50 - V) + 30 * n**4 * (-90 - V) + 0.05 * (-60 - V),
            gate(0.32 * (13 - v) / (exp((13 - v) / 4) - 1), 0.28 * (v - 40) / (exp((v - 40) / 5) - 1), m),
            gate(0.128 * exp((17 - v) / 18), 4 / (1 + exp((40 - v) / 5)), h),
            gate(0.032 * (15 - v) / (exp((15 - v) / 5) - 1), 0.5 * exp((10 - v) / 40), n),
        ]

    return rhs


def connor_stevens(I, g_A=47.7):
    def rhs(y):
        V, m, h, n, a, b = y
        a_inf = (0.0761 * exp(0.0314 * (V + 94.22)) / (1 + exp(0.0346 * (V + 1.17)))) ** (1 / 3)
        b_inf = 1 / (1 + exp(0.0688 * (V + 53.3))) ** 4
        current = 120 * m**3 * h * (55 - V) + 20 * n**4 * (-72 - V) + 0.3 * (-17 - V)
        return [
            I + current + g_A * a**3 * b * (-75 - V),
            gate(0.38 * (V + 29.7) / (1 - exp(-0.1 * (V + 29.7))), 15.2 * exp(-0.0556 * (V + 54.7)), m),
            gate(0.266 * exp(-0.05 * (V + 48)), 3.8 / (1 + exp(-0.1 * (V + 18))), h),
            gate(0.02 * (V + 45.7) / (1 - exp(-0.1 * (V + 45.7))), 0.25 * exp(-0.0125 * (V + 55.7)), n),
            (a_inf - a) / (0.3632 + 1.158 / (1 + exp(0.0497 * (V + 55.96)))),
            (b_inf - b) / (1.24 + 2.678 / (1 + exp(0.0624 * (V + 50)))),
        ]

    return rhs


def morris_lecar(I):
    def rhs(y):
        V, W = y
        m = (1 + tanh((V + 1.2) / 18)) / 2
        W_inf = (1 + tanh((V - 2) / 30)) / 2
        return [
            (I + 4.4 * m * (130 - V) + 8 * W * (-84 - V) + 2 * (-60 - V)) / 20,
            0.04 * cosh((V - 2) / 60) * (W_inf - W),
        ]

    return rhs


def simulated(name, duration, **inputs):
    """Spike times by rk4 and located events, and the population."""
    pop = iz.load(name).population(1, dt=0.01, method="rk4", spike_timing="located", backend="c", dtype="float64")
    return pop.run(duration, record=["spike"], **inputs).spike_times, pop


CASES = {
    "HodgkinHuxley": (hodgkin_huxley, 10.0, 0.0),
    "WangBuzsaki": (wang_buzsaki, 1.0, 0.0),
    "TraubMiles": (traub_miles, 3.0, 0.0),
    "ConnorStevens": (connor_stevens, 12.0, 0.0),
    "MorrisLecar": (morris_lecar, 100.0, 10.0),
}


@pytest.mark.parametrize("name", CASES)
def test_spike_times_are_those_of_the_papers_equations(name):
    rhs, I, level = CASES[name]
    found, pop = simulated(name, 300.0, I=I)
    start = [float(pop.model.population(1, dt=0.01, dtype="float64").state[state][0]) for state in pop.model.states]
    expected, _ = crossings(rhs(I), start, 300.0, lambda y: y[0] - level)
    assert len(expected) >= 3
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-4)


def rates(name, currents, duration=1500.0, **values):
    """Hz over the last spikes for each current; 0 where firing ends."""
    pop = iz.load(name).population(len(currents), dt=0.02, method="rk4", backend="c", dtype="float64", **values)
    times, neurons = pop.run(duration, I=np.array(currents), record=["spike"]).spikes
    found = []
    for k in range(len(currents)):
        own = times[neurons == k]
        goes_on = len(own) > 3 and own[-1] > duration - 3 * np.diff(own).max()
        found.append(1e3 / np.diff(own[-3:]).mean() if goes_on else 0.0)
    return np.array(found)


def test_the_squid_axon_rests_at_minus_65_and_fires_at_no_low_rate():
    """Gates at rest, threshold of repetitive firing and its rate as in every textbook (53 Hz at once, 68 Hz at 10)."""
    model = iz.load("HodgkinHuxley")
    pop = model.population(1, dt=0.01, backend="c", dtype="float64")
    gates = {state: round(float(pop.state[state][0]), 4) for state in ("m", "h", "n")}
    assert gates == {"m": 0.0529, "h": 0.5961, "n": 0.3177}
    fixed = rest(hodgkin_huxley(0.0), [-65.0, 0.05, 0.6, 0.32])
    pop.run(200.0)
    found = [float(pop.state[state][0]) for state in model.states]
    np.testing.assert_allclose(found, fixed, atol=1e-6)
    assert abs(fixed[0] + 65.0) < 0.005
    found = rates("HodgkinHuxley", [2.0, 6.2, 6.3, 10.0])
    np.testing.assert_allclose(found, [0, 0, 52.4, 68.3], atol=0.3)


def test_brainpys_axon_is_the_papers_with_a_tenth_of_the_leak():
    HH, paper = iz.load("HH"), iz.load("HodgkinHuxley")
    assert HH.variant("HodgkinHuxley", gL=0.3, V_th=0.0) == paper
    found = crossings(hodgkin_huxley(6.0, g_L=0.03), start_of(HH), 100.0, lambda y: y[0] - 20.0)[0]
    np.testing.assert_allclose(simulated("HH", 100.0, I=6.0)[0], found, atol=2e-4)


def start_of(model):
    pop = model.population(1, dt=0.1, backend="numpy", dtype="float64")
    return [float(pop.state[state][0]) for state in model.states]


def test_the_interneuron_fires_at_any_low_rate_and_brainpys_does_not():
    """60 Hz at 1 uA/cm**2 as in figure 1 of the paper; with the faster potassium gate no second spike comes."""
    np.testing.assert_allclose(rates("WangBuzsaki", [0.15, 0.17, 1.0, 2.0]), [0, 4.0, 59.7, 101.8], atol=0.3)
    times = iz.load("WangBuzsakiHH").population(4, dt=0.02, backend="c", dtype="float64")
    assert times.run(100.0, I=[1.0, 5.0, 20.0, 80.0]).counts.max() <= 1


def test_an_a_current_makes_the_crab_axon_fire_at_low_rates():
    """As figure 6.1 of Dayan and Abbott: with it the rate begins at 0, without it with a jump."""
    currents = [8.0, 8.2, 8.3, 9.0, 20.0]
    np.testing.assert_allclose(rates("ConnorStevens", currents), [0, 3.5, 5.7, 18.5, 132.4], atol=0.5)
    without = rates("ConnorStevens", np.arange(-12.0, -4.0, 0.5), gA=0.0)
    assert without[0] == 0 and without[without > 0].min() > 60


def test_the_hippocampal_neuron_of_the_benchmark_fires_by_itself():
    """Its leak reverses above its threshold; the rate is that of the equations by hand."""
    found = rates("TraubMiles", [-1.0, 0.0, 1.0])
    np.testing.assert_allclose(found, [0, 13.9, 46.0], atol=0.3)
    times, _ = crossings(traub_miles(0.0), start_of(iz.load("TraubMiles")), 500.0, lambda y: y[0])
    assert abs(found[1] - 1e3 / np.diff(times[-3:]).mean()) < 0.05


def test_the_muscle_fibre_oscillates_between_two_currents():
    """Rinzel and Ermentrout's first set: no low rate, and rest again at high currents."""
    found = rates("MorrisLecar", [60.0, 90.0, 100.0, 150.0, 240.0], duration=3000.0)
    np.testing.assert_allclose(found, [0, 10.5, 11.8, 14.3, 0], atol=0.2)
    model = iz.load("MorrisLecar")
    pop = model.population(1, dt=0.05, method="rk4", backend="c", dtype="float64")
    pop.run(2000.0, I=0.0)
    fixed = rest(morris_lecar(0.0), [-60.0, 0.01])
    np.testing.assert_allclose([float(pop.V[0]), float(pop.W[0])], fixed, atol=1e-8)


@pytest.mark.parametrize("name", ["HodgkinHuxley", "WangBuzsaki", "TraubMiles", "ConnorStevens", "MorrisLecar"])
def test_gates_start_at_their_steady_state(name):
    """The derivative of every gate is 0 at the start, but of Morris and Lecar's W, which BrainPy starts at 0.02."""
    rhs = CASES[name][0](0.0)
    slopes = np.abs(rhs(start_of(iz.load(name)))[1:])
    assert slopes.max() < (1e-3 if name == "MorrisLecar" else 1e-14)


def test_channels_of_one_model_serve_another():
    """The A current of the crab axon in a quadratic neuron, whose currents are no densities: its unit has to be told."""
    channel = iz.part("IA_CWM1977")
    with pytest.raises(ModelError, match=r"mV\*mS/cm\*\*2, and nA is due"):
        iz.load("QuaIF").with_part(**channel, prefix="A")
    channel["units"]["gA"] = "uS"
    model = iz.load("QuaIF").with_part(**channel, prefix="A")
    assert {"A_a", "A_b"} <= set(model.states) and not model.currents[0].held
    pop = model.population(3, dt=0.05, dtype="float64", V=-60.0, A_gA=np.array([0.0, 10.0, 30.0]))
    counts = pop.run(300.0, I=20.0).counts
    assert counts[0] > counts[1] > counts[2]
