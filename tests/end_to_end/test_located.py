"""Events inside steps, on every backend: what happens where, against an oracle of random models' text and closed forms."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import NonFiniteError, ValueShapeError
from tests.end_to_end.random_events import DT, STATES, make_case
from tests.end_to_end.random_located import LocatedOracle, Unclear
from tests.helpers import ALL, host

STEPS, MODELS = 60, 300
ON_NUMPY, ON_C = range(0, MODELS, 1 if ALL else 10), range(1, MODELS, 1 if ALL else 110)
"""Models that are looked at: the oracle is slow, and so is the compiler. All where the environment asks for it."""
LIF = Model("Leaky", "dV/dt = (I - V)/10", threshold="V >= 1", reset="V = 0", inputs=["I"])
HH = Model(
    "Axon",
    """dV/dt = I - 120*m**3*h*(V - 50) - 36*n**4*(V + 77) - 0.3*(V + 54.4)
    dm/dt = 0.1*(V + 40)/(1 - exp(-0.1*(V + 40)))*(1 - m) - 4*exp(-(V + 65)/18)*m
    dh/dt = 0.07*exp(-(V + 65)/20)*(1 - h) - h/(1 + exp(-0.1*(V + 35)))
    dn/dt = 0.01*(V + 55)/(1 - exp(-0.1*(V + 55)))*(1 - n) - 0.125*exp(-(V + 65)/80)*n""",
    threshold="V >= 0",
    inputs=["I"],
    initial={"V": -65.0, "m": 0.0529, "h": 0.5961, "n": 0.3177},
)
BACKENDS = ("numpy", "c", "cuda")


@pytest.fixture(params=BACKENDS)
def everywhere(request, device):
    return request.param


def expected(case, method):
    """For each neuron, its events, its last states, and the step at which the comparison ends."""
    oracle, found = LocatedOracle(case), []
    for k in range(case.inputs["I"].shape[1]):
        now, ends = oracle.begin(k), STEPS
        for s in range(STEPS):
            try:
                now = oracle.step(now, k, s, method)
            except Unclear:
                ends = s
                break
        found.append(([event for event in oracle.found if event[1] < ends], now, ends))
    return found


def check(seed, backend, dtype="float64", method="exp_euler"):
    case = make_case(seed)
    model = case.model()
    wanted = expected(case, method)
    pop = model.population(
        4, dt=DT, backend=backend, dtype=dtype, method=method, spike_timing="located", **case.initial
    )
    names = [name for name, _ in LocatedOracle(case).events]
    recording = pop.run(steps=STEPS, record=names, check_finite=False, **case.inputs).to_host()
    for k, (events, states, ends) in enumerate(wanted):
        for name in names:
            times, neurons = recording.events[name]
            found = times[(neurons == k) & (times <= ends * DT)]
            due = [(s + at) * DT for n, s, at in events if n == name]
            np.testing.assert_allclose(found, due, atol=1e-6, err_msg=f"seed {seed}, {name} of neuron {k}\n{model}")
        if ends == STEPS:
            last = [host(pop.state[state])[k] for state in STATES]
            np.testing.assert_allclose(last, [states[s] for s in STATES], atol=1e-6, err_msg=f"seed {seed}\n{model}")
    return sum(len(events) for events, _, _ in wanted), sum(ends for *_, ends in wanted)


@pytest.mark.parametrize("first", ON_NUMPY[::5])
def test_random_models_on_numpy(first):
    seeds = ON_NUMPY[ON_NUMPY.index(first) :][:5]
    found = [check(seed, "numpy", method=("exp_euler", "euler")[seed % 2]) for seed in seeds]
    assert sum(count > 0 for count, _ in found) >= 0.5 * len(seeds)
    assert sum(clear for _, clear in found) > 0.7 * len(seeds) * 4 * STEPS


@pytest.mark.parametrize("seed", ON_C)
def test_random_models_on_c(seed):
    check(seed, "c")


@pytest.mark.parametrize("seed", range(2, MODELS, 100))
def test_random_models_on_cuda(seed, device):
    check(seed, "cuda")


def leaky_times(current, tau_ref=0.0):
    """Spike times of the leaky neuron up to 100 ms, in closed form."""
    interval = 10 * np.log(current / (current - 1))
    return np.arange(interval, 100, interval + tau_ref)


def spikes(model, duration, backend="c", name="spike", **options):
    inputs = {k: options.pop(k) for k in ("I", "V_delta", "a") if k in options}
    options = {"dt": 0.5, "spike_timing": "located", "dtype": "float64", **options}
    recording = model.population(1, backend=backend, **options).run(duration, record=[name], **inputs).to_host()
    return recording.events[name][0]


@pytest.mark.parametrize("dt", [0.05, 0.5, 2.5])
@pytest.mark.parametrize("current", [1.2, 3.0, 40.0])
def test_a_leaky_neuron_spikes_when_it_does(everywhere, dt, current):
    """A linear equation: exponential Euler's dense output is the solution; ten spikes a step where dt is 2.5 ms."""
    due = leaky_times(current)
    found = spikes(LIF, 100.0, everywhere, dt=dt, I=current)
    np.testing.assert_allclose(found, due[due <= 100], atol=1e-9)


@pytest.mark.parametrize("tau_ref", [0.0, 0.3, 0.5, 2.0, 7.77])
def test_a_refractory_period_begins_and_ends_inside_steps(everywhere, tau_ref):
    model = LIF.with_refractory(tau_ref)
    due = leaky_times(3.0, tau_ref)
    found = spikes(model, 100.0, everywhere, I=3.0)
    np.testing.assert_allclose(found, due[due <= 100], atol=1e-9)
    pop = model.population(1, dt=0.5, backend=everywhere, spike_timing="located", dtype="float64")
    for _ in range(200):  # steps of their own find holds anew
        pop.step(I=3.0)
    np.testing.assert_allclose(host(pop.state["t_last_spike"]), due[due <= 100][-1], atol=1e-9)


def test_the_line_between_states_is_of_first_or_second_order(everywhere):
    """On a line, the times are those of the chord; and for a straight solution, exact."""
    straight = Model("Straight", "dV/dt = I", threshold="V >= 1", reset="V = 0", inputs=["I"])
    found = spikes(straight, 19.5, everywhere, spike_timing="linear", I=0.7)
    np.testing.assert_allclose(found, np.arange(1, 14) / 0.7, atol=1e-9)
    errors = [abs(spikes(LIF, 5.0, everywhere, spike_timing="linear", dt=dt, I=3.0)[0] - leaky_times(3.0)[0])
              for dt in (0.5, 0.25)]  # fmt: skip
    assert 0 < errors[1] < 0.5 * errors[0] < 0.01


@cache
def times_by_small_steps():
    return spikes(HH, 20.0, "c", dt=0.002, method="rk4", I=10.0)


@pytest.mark.parametrize("method", ["exp_euler", "rk4"])
def test_a_condition_that_rises_is_counted_once(everywhere, method):
    """And, as nothing changes the potential, where rk4 puts it with steps of a tenth."""
    exact = times_by_small_steps()
    found = spikes(HH, 20.0, everywhere, dt=0.02, method=method, I=10.0)
    assert len(found) == len(exact) == 2
    assert abs(found - exact).max() < (2e-6 if method == "rk4" else 0.6)


def test_of_two_events_in_a_step_the_earlier_comes_first(everywhere):
    model = Model(
        "Two",
        "dV/dt = 1\ndw/dt = 2",
        threshold="V >= 1.2",
        reset="V = 0; w = w + 0.01",
        events={"w_end": iz.Event("w >= 1.5", "w = 0; V = V + 0.25")},
    )
    options = {"dt": 1.0, "spike_timing": "located", "dtype": "float64", "backend": everywhere}
    recording = model.population(1, **options).run(3.0, record=["spike", "w_end"]).to_host()
    # w reaches 1.5 at 0.75, and V goes up to 1.0; so V reaches 1.2 at 0.95, where w goes from 0.4 to 0.41
    np.testing.assert_allclose(recording.events["w_end"][0][:2], [0.75, 0.95 + (1.5 - 0.41) / 2], atol=1e-9)
    np.testing.assert_allclose(recording.events["spike"][0][0], 0.95, atol=1e-9)


def test_jumps_and_arrivals_bring_events_about_at_the_end_of_a_step(everywhere):
    model = Model("Still", "dV/dt = 0*I", threshold="V >= 1", reset="V = V - 1", inputs=["I"])
    found = spikes(model, 5.0, everywhere, dt=1.0, V_delta=0.625)
    np.testing.assert_allclose(found, [2.0, 4.0, 5.0], atol=1e-9)
    arriving = Model("Arriving", "dV/dt = 0", threshold="V >= 1", reset="V = 0", on_event={"a": "V = V + a"})
    np.testing.assert_allclose(spikes(arriving, 4.0, everywhere, dt=1.0, a=0.6), [2.0, 4.0], atol=1e-9)


def test_a_level_that_is_above_at_first_or_stays_there_comes_once_a_step(everywhere):
    model = Model("Above", "dV/dt = 0.25", threshold="V >= 1", reset="V = V + 0", initial={"V": 2.0})
    np.testing.assert_allclose(spikes(model, 4.0, everywhere, dt=1.0), [1.0, 2.0, 3.0, 4.0])
    later = model.variant(initial={"V": 0.625})
    np.testing.assert_allclose(spikes(later, 4.0, everywhere, dt=1.0), [1.5, 3.0, 4.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_spikes_without_end_in_a_step_do_no_harm(everywhere, dtype):
    """A reset below the threshold by rounding's width: after sixteen spikes in a step, an error names neuron and step."""
    model = Model(
        "Zeno",
        "dV/dt = 1",
        threshold="V >= 1",
        reset=f"V = 1 - {1e-6 if dtype == 'float32' else 1e-9}",
        initial={"V": 0.25},
    )
    options = {"dt": 1.0, "spike_timing": "located", "dtype": dtype, "backend": everywhere}
    pop = model.population(3, **options, V=np.array([-9.0, 0.25, -9.0]))
    with pytest.raises(NonFiniteError, match=r"neuron 1 became .*more than 16 events\) in step 0.*V=0.25") as found:
        pop.run(6.0, record=["spike", "count"])
    assert (found.value.neuron, found.value.step) == (1, 0)
    rest = model.population(3, **options, V=np.array([-9.0, 0.25, -9.0])).run(6.0, check_finite=False)
    assert set(host(rest.spikes[1])) == {1}


def test_an_overflow_inside_a_step_is_a_spike_before(everywhere):
    """The upstroke of an exponential neuron leaves single precision within one step, and its threshold long before."""
    model = Model("Steep", "dV/dt = (exp((V + 50)/2) - (V + 70) + I)/10", "V >= 0", "V = -70", inputs=["I"],
                  initial={"V": -70.0})  # fmt: skip
    for method in ("rk4", "exp_euler", "euler"):
        counts = [
            len(spikes(model, 60.0, everywhere, method=method, dtype=dtype, dt=dt, I=40.0))
            for dtype in ("float32", "float64")
            for dt in (2.0, 0.1)
        ]
        assert min(counts) >= 3 and max(counts) - min(counts) <= (1 if method == "rk4" else 4), (method, counts)


def test_figures_of_located_spikes(everywhere):
    due = leaky_times(3.0)
    due = due[due <= 100]
    pop = LIF.population((2, 2), dt=0.5, backend=everywhere, spike_timing="located", dtype="float64")
    recording = pop.run(100.0, I=3.0, record=["count", "first_spike", "isi"]).to_host()
    assert (recording["count"] == len(due)).all() and recording["count"].shape == (2, 2)
    np.testing.assert_allclose(recording["first_spike"], due[0], atol=1e-9)
    np.testing.assert_allclose(recording["isi"].mean, np.diff(due).mean(), atol=1e-9)
    np.testing.assert_allclose(recording["isi"].std, 0.0, atol=1e-5)


def test_results_do_not_depend_on_threads_or_cuts():
    """Lists, states and figures are equal to the last bit."""
    rng = np.random.default_rng(0)
    current, found = 5 + 10 * rng.random(1000), []
    for threads, cuts in ((1, (400,)), (2, (400,)), (1, (1, 7, 92, 300))):
        pop = (
            iz.load("RS")
            .with_noise(V=0.5)
            .population(1000, dt=0.25, method="rk4", spike_timing="located", threads=threads)
        )
        parts = [pop.run(steps=steps, I=current, record=["spike"]).spikes for steps in cuts]
        found.append([*(np.concatenate(x) for x in zip(*parts)), pop.V.copy(), pop.u.copy()])
    for other in found[1:]:
        for one, two in zip(found[0], other):
            np.testing.assert_array_equal(one, two)
    assert len(found[0][0]) > 2000


@pytest.mark.parametrize("n", [1, 255, 256, 257])
def test_sizes_around_a_tile(n):
    pop = LIF.population(n, dt=0.5, spike_timing="located")
    times, neurons = pop.run(20.0, I=3.0).spikes
    due = leaky_times(3.0)
    np.testing.assert_allclose(times, np.repeat(due[due <= 20], n), atol=1e-4)
    assert (np.bincount(neurons, minlength=n) == (due <= 20).sum()).all()


def test_times_are_as_exact_late_as_early():
    """A fraction of a step in single precision, and steps that are counted."""
    pop = LIF.population(1, dt=10.0, spike_timing="located")
    early = pop.run(200.0, I=3.0).spikes[0]
    pop.begin_at(100_000)
    late = pop.run(200.0, I=3.0).spikes[0]
    assert late[0] > 1e6
    np.testing.assert_allclose(np.diff(late), np.diff(early)[0], atol=2e-6)


def test_a_recording_keeps_what_times_it_has(tmp_path):
    recording = iz.load("RS").population(50, dt=0.25, method="rk4", spike_timing="located").run(100.0, I=10.0)
    recording.save(tmp_path / "run.npz")
    again = iz.Recording.load(tmp_path / "run.npz")
    np.testing.assert_array_equal(again.spikes[0], recording.spikes[0])
    assert again.info["spike_timing"] == "located" and again["spike"].sum() == len(recording.spikes[0])
    ordered = np.lexsort(recording.spikes[::-1])
    np.testing.assert_array_equal(ordered, np.arange(len(ordered)))


def test_what_is_refused():
    with pytest.raises(ValueShapeError, match="spike_timing='exact' is not one of 'step', 'linear', 'located'"):
        LIF.population(1, spike_timing="exact")
    with pytest.raises(ValueShapeError, match="spike_timing=None is not one of"):
        LIF.population(1, spike_timing=None)
    pop = LIF.population(3, spike_timing="located", surrogate="sigmoid")
    with pytest.raises(ValueShapeError, match="gradients pass through spikes at the end of a step only"):
        pop.run(5.0, I=3.0, tape=True)


def test_a_model_without_events_has_nothing_to_locate():
    model = Model("Plain", "dV/dt = -V/10", initial={"V": 1.0})
    one, two = (model.population(3, spike_timing=timing).run(5.0, record=["V"])["V"] for timing in ("step", "located"))
    np.testing.assert_array_equal(one, two)


def test_the_ends_of_holds_do_not_count_as_events(everywhere):
    """13 spikes a step, each with a refractory period: 26 parts, and no more than 16 events."""
    model = LIF.with_refractory(0.05)
    due = leaky_times(100.0, 0.05)
    found = spikes(model, 20.0, everywhere, dt=2.0, I=100.0)
    np.testing.assert_allclose(found, due[due <= 20], atol=1e-9)


ADEX = "dV/dt = (-10*(V+70) + 20*exp((V+50)/2) - w + I)/200\ndw/dt = (2*(V+70) - w)/30\ndat/dt = 0"


@pytest.mark.parametrize(
    ("method", "everywhere"),
    [
        *((method, "numpy") for method in ("exp_euler", "rk4", "etdrk2", "strang", "exp_rosenbrock")),
        *((method, "c") for method in ("exp_euler", "rk4", "exp_rosenbrock")),
        *((method, "cuda") for method in ("exp_euler", "etdrk2", "strang")),
    ],
    indirect=["everywhere"],
)
def test_a_steep_upstroke_meets_its_threshold_to_the_last_bits(method, everywhere):
    """Far behind the threshold margin and rate grow alike, and their ratio says nothing of how far it is."""
    model = Model("AdEx", ADEX, "V >= 0", "V = -58; w = w + 60; at = V", {}, ["I"], initial={"V": -70.0})
    pop = model.population(1, dt=0.5, method=method, spike_timing="located", dtype="float64", backend=everywhere)
    assert pop.run(60.0, I=500.0).spikes[0].size >= 4
    assert abs(float(host(pop.at)[0])) < 1e-6


def test_noise_and_thresholds_in_time_are_met_where_the_drift_does_not_lead(everywhere):
    model = Model("Noisy", "dV/dt = (8 - V)/10\ndat/dt = 0", "V >= 10", "V = 0; at = V").with_noise(V=1.5)
    options = {"method": "rk4", "spike_timing": "located", "dtype": "float64", "backend": everywhere}
    pop = model.population(200, dt=0.5, seed=1, **options)
    places = host(pop.run(50.0).spikes[0]) / 0.5 % 1
    assert host(pop.at).max() < 10 + 1e-9 and len(np.unique(places.round(4))) > 0.9 * len(places) > 20
    for equation, condition, start, due in (
        ("dV/dt = -0.01*V", "V >= 2 - 0.3*t", 1.0, 3.44625149),
        ("dV/dt = 0.3", "floor(V) >= 1", 0.0, 10 / 3),
        ("dV/dt = 1", "t >= 1.3 and V > -1", 0.0, 1.3),
    ):
        timed = Model("Timed", equation, events={"e": iz.Event(condition)}, initial={"V": start})
        assert spikes(timed, 10.0, everywhere, "e", dt=1.0, method="rk4")[0] == pytest.approx(due, abs=1e-7), condition


@pytest.mark.parametrize("threshold", ["V >= Vc", "V - Vc >= 0", "V >= Vc and t >= 0", "V >= Vc + 0.001*I", "scaled"])
def test_no_threshold_of_a_steep_upstroke_lets_it_reach_other_states(threshold):
    model = Model(
        "AdEx", ADEX, threshold if threshold != "scaled" else "V >= Vc", "V = -58; w = w + 60", {"Vc": 0.0}, ["I"],
        initial={"V": -70.0},
    )  # fmt: skip
    current = 500.0
    if threshold == "scaled":
        model, current = model.scaled((-70.0, 30.0), (0.0, 1.0)), 5.0
    for method in ("exp_euler", "etdrk2", "strang", "exp_rosenbrock", "auto"):
        for timing in ("step", "located") if method != "auto" else ("located",):
            options = {"dt": 0.1, "method": method, "spike_timing": timing, "dtype": "float64", "backend": "numpy"}
            assert len(model.population(1, **options).run(40.0, I=current).spikes[0]) == 3, (method, timing)


def test_a_chord_that_leads_nowhere_and_conditions_that_are_not_linear(everywhere):
    options = {"spike_timing": "linear", "backend": everywhere}
    model = Model("AdEx", ADEX, "V >= 0", "V = -58; w = w + 60", {}, ["I"], initial={"V": -70.0})
    assert len(spikes(model, 100.0, dt=0.1, I=500.0, **{**options, "dtype": "float32"})) == 7  # its end is infinite

    def event(condition, equations, initial):
        model = Model("N", equations, events={"e": iz.Event(condition)}, initial=initial)
        return spikes(model, 4.0, name="e", dt=1.0, method="rk4", **options)[0]

    assert abs(event("V != 0 and V > -5", "dV/dt = 1", {"V": 0.0})) < 1e-6
    assert event("V >= 1 and w >= 1", "dV/dt = 2\ndw/dt = 105", {"V": 0.0, "w": -5.0}) == pytest.approx(0.5)
    assert event("V >= 1.3 and w <= 2.01", "dV/dt = 1\ndw/dt = 1", {"V": 0.0, "w": 0.0}) == pytest.approx(1.3)
    gate = Model("Gate", "dV/dt = 0.001", "V >= 10 and floor(t/20) == 3", "V = 0", initial={"V": 15.0})
    assert spikes(gate, 100.0, method="rk4", **options) == pytest.approx([60.0])
