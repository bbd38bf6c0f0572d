"""A step as a pure function: what a population does, and gradients that chain to those of a run."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import BackendError, ValueShapeError
from tests.end_to_end.random_events import DT, make_case
from tests.helpers import host

MODEL = iz.load("IzhikevichLTC")


def start(shape=(3, 4)):
    rng = np.random.default_rng(0)
    return {"V": rng.uniform(-70, 25, shape), "u": rng.uniform(-15, -10, shape)}


def test_the_same_as_a_population(backend):
    model = iz.load("IzhikevichRefLTC").with_noise(V=1.0)
    step = model.step_function(backend=backend, dt=0.3, seed=7)
    assert step.states == ("V", "u", "t_last_spike")
    a = np.linspace(0.02, 0.1, 4)
    pop = model.population(
        (3, 4), dt=0.3, seed=7, backend=backend, a=np.broadcast_to(a, (3, 4)), tau_ref=1.0, **start()
    )
    states = {name: pop.state[name].copy() for name in step.states}
    for k in range(80):
        before = {name: values.copy() for name, values in states.items()}
        new, spikes = step(states, {"I": 14.0}, {"a": a, "tau_ref": 1.0}, k=k)
        for name, values in before.items():
            np.testing.assert_array_equal(host(states[name]), host(values))
        states = new
        np.testing.assert_array_equal(host(spikes), host(pop(14.0)))
    for name, values in states.items():
        np.testing.assert_array_equal(host(values), host(pop.state[name]))


def test_chained_ways_back_are_that_of_a_run(backend):
    options = {"dt": 0.3, "dtype": "float64", "backend": backend, "surrogate": "arctan"}
    steps, shape = 30, (4,)
    current = np.random.default_rng(1).uniform(5, 25, (steps, 4))
    pop = MODEL.population(4, **options, **start(shape))
    recording = pop.run(steps=steps, record=["V"], I=current, tape=True)
    weights = np.cos(np.arange(steps))[:, None] * np.ones(4)
    expected = {name: host(x) for name, x in recording.backward({"V": weights, "spike": weights}).items()}
    step, path = MODEL.step_function(**options), [start(shape)]
    parameters = dict(MODEL.parameters)
    for k in range(steps):
        path.append(step(path[-1], {"I": current[k]}, parameters, k=k)[0])
    bars, sums = {"V": np.zeros(4), "u": np.zeros(4)}, dict.fromkeys(parameters, 0.0)
    for k in reversed(range(steps)):
        bars["V"] = host(bars["V"]) + weights[k]
        bars, of_inputs, of_parameters = step.vjp(path[k], {"I": current[k]}, parameters, bars, weights[k], k=k)
        np.testing.assert_allclose(host(of_inputs["I"]), expected["I"][k], rtol=1e-11, atol=1e-13)
        for name, value in of_parameters.items():
            sums[name] += value
    np.testing.assert_allclose(host(bars["V"]), expected["V0"], rtol=1e-11)
    for name, value in sums.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(0, 60, 6))
def test_random_models_with_events(seed):
    """By name where there are several; NumPy and central differences agree elsewhere, here the loop and the run."""
    case = make_case(seed, neurons=3, steps=20)
    model = case.model()
    pop = model.population(3, dt=DT, dtype="float64", backend="numpy", **case.initial)
    step = model.step_function(dt=DT, dtype="float64", backend="numpy")
    states = {name: pop.state[name].copy() for name in step.states}
    recording = pop.run(steps=20, record=list(step.events), **{name: v[:20] for name, v in case.inputs.items()})
    for k in range(20):
        states, happened = step(states, {name: v[k] for name, v in case.inputs.items()}, k=k)
        by_name = happened if isinstance(happened, dict) else {"spike": happened}
        for name, flags in by_name.items():
            np.testing.assert_array_equal(flags, recording[name][k])
    for name, values in states.items():
        np.testing.assert_array_equal(values, pop.state[name])


def test_gradients_have_the_shapes_of_what_was_given():
    step = MODEL.step_function(dtype="float64", surrogate="sigmoid")
    rates = np.full((3, 1), 0.02)
    states, inputs, parameters = step.vjp(
        start(), {"I": np.ones(4), "V_delta": 0.5}, {"a": rates, "d": 8.0}, {"V": 1.0}
    )
    assert states["V"].shape == states["u"].shape == (3, 4)
    assert inputs["I"].shape == (4,) and isinstance(inputs["V_delta"], float)
    assert parameters["a"].shape == (3, 1) and isinstance(parameters["d"], float)
    whole = step.vjp(start(), {"I": np.ones((3, 4)), "V_delta": np.full((3, 4), 0.5)}, {"a": rates}, {"V": 1.0})[1]
    np.testing.assert_allclose(inputs["I"], whole["I"].sum(axis=0))
    assert inputs["V_delta"] == pytest.approx(whole["V_delta"].sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s({"V": np.zeros(3)}, {}), "states: u missing"),
        (lambda s: s({"V": np.zeros(3), "u": np.zeros(4)}, {}), r"have shapes \(3,\) and \(4,\)"),
        (lambda s: s({**start(), "W": 0.0}, {}), "has no 'W'"),
        (lambda s: s(start(), {"J": 1.0}), "inputs: model 'IzhikevichLTC' has no 'J'"),
        (lambda s: s(start(), {"I": np.ones(5)}), "does not broadcast"),
        (lambda s: s(start(), {}, {"aa": 1.0}), "did you mean 'a'"),
        (lambda s: s.vjp(start(), {}, None, {"W": 1.0}), r"states_bar: 'W' has no gradient \(known: V, u\)"),
        (
            lambda s: s.vjp(start(), {}, None, {"V": np.nan}),
            "the gradient given for 'V' is not finite.*check_finite=False",
        ),
        (lambda s: s.vjp(start(), {}, None, {}, np.inf), "spikes_bar: the gradient given for 'spike' is not finite"),
        (lambda s: s.vjp(start(), {}, None, [1.0]), "states_bar takes a mapping"),
        (
            lambda s: s.vjp(start(), {}, None, {}, {"burst": 1.0}),
            r"spikes_bar: 'burst' has no gradient \(known: spike\)",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueShapeError, match=message):
        call(MODEL.step_function(backend="numpy", surrogate="sigmoid"))


def test_refused():
    with pytest.raises(
        ValueShapeError,
        match=r"step_function: a spike of model 'IzhikevichLTC' has no derivative.*model.step_function\(\.\.\., surr",
    ):
        MODEL.step_function(backend="numpy").vjp(start(), {}, None, {})
    found = MODEL.step_function(surrogate="sigmoid").vjp(start(), {}, None, {"V": np.inf}, check_finite=False)
    assert not np.isfinite(found[0]["V"]).any()
    with pytest.raises(BackendError, match="backend 'fortran'"):
        MODEL.step_function(backend="fortran")


def test_threads_take_turns():
    """A kernel has room for one call at a time; results are those of one thread."""
    n = 20_000
    step = MODEL.step_function(dtype="float64", surrogate="sigmoid")
    rng = np.random.default_rng(0)
    states = [{"V": rng.uniform(-70, 35, n), "u": np.full(n, -13.0)} for _ in range(2)]

    def work(state):
        found = [step.vjp(state, {"I": 10.0}, {"a": 0.02}, {"V": np.ones(n)}, 1.0)[0]["V"] for _ in range(20)]
        return [*found, *(step(state, {"I": 10.0})[1] for _ in range(20))]

    alone = [work(state) for state in states]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(work, states))
    for first, second in zip(alone, together):
        for one, two in zip(first, second):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s(start(), {}, {"a": "x"}), "parameter a"),
        (lambda s: s(start(), {}, k=1.5), "step 1.5"),
        (lambda s: s(start(), {}, k=-1), "step -1"),
        (lambda s: s.vjp(start(), {}, None, {}, {"q": 1.0}), "spikes_bar: 'q' has no gradient"),
    ],
)
def test_more_errors(call, message):
    with pytest.raises(ValueShapeError, match=message):
        call(MODEL.step_function(backend="numpy", surrogate="sigmoid"))
