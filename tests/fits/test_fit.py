"""Fits: distances beside their definitions, known parameters found again, and what is refused."""

import json
import os
import signal
import threading

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import ValueShapeError
from izhigen.fits import coincidence, van_rossum, victor_purpura
from izhigen.fits.losses import trains_of
from izhigen.fits.objective import Objective, read_ranges
from izhigen.fits.targets import figures_of, read_loss, read_trials
from tests.conftest import ROOT

pytest.importorskip("scipy")
RS = iz.load("RS")
RANGES = {"a": (0.01, 0.1), "d": (2.0, 10.0)}
DRIVE = iz.inputs.section([8.0, 14.0, 11.0], [60.0, 60.0, 80.0])
MODELS = {
    "RS": (RS, RANGES, DRIVE),
    "AdEx": (
        Model(
            "AdEx",
            "dV/dt = (-gL*(V + 70.6) + gL*2*exp((V + 50.4)/2) - w + I)/281\ndw/dt = (a*(V + 70.6) - w)/tau_w",
            "V >= 0", "V = -70; w = w + b", {"gL": 30.0, "a": 4.0, "tau_w": 144.0, "b": 80.0}, ["I"],
            initial={"V": -70.6},
        ),
        {"gL": (20.0, 45.0), "b": (20.0, 150.0)},
        iz.inputs.section([800.0, 1200.0], [100.0, 100.0]),
    ),
    "ALIF": (
        Model(
            "ALIF", "dV/dt = (I - V)/tau - w\ndw/dt = -w/tau_w", "V >= 1", "V = 0; w = w + b",
            {"tau": 20.0, "tau_w": 120.0, "b": 0.01}, ["I"],
        ),
        {"tau": (5.0, 40.0, "log"), "b": (0.001, 0.05, "log")},
        iz.inputs.section([1.8, 2.6], [100.0, 100.0]),
    ),
    "EIF": (
        Model(
            "EIF", "dV/dt = (-65 - V + 2*exp((V + VT)/2) + I)/tau", "V >= 0", "V = c",
            {"tau": 10.0, "VT": 50.0, "c": -65.0}, ["I"], initial={"V": -65},
        ),
        {"tau": (5.0, 20.0), "c": (-75.0, -55.0)},
        iz.inputs.section([18.0, 26.0], [100.0, 100.0]),
    ),
    "MorrisLecar": (
        Model(
            "ML",
            "dV/dt = (I - 2.2*(1 + tanh((V + 1.2)/18))*(V - 120) - gK*w*(V + 84) - 2*(V + 60))/20\n"
            "dw/dt = phi*((1 + tanh((V - 2)/30))/2 - w)*cosh((V - 2)/60)",
            "V > 0", None, {"gK": 8.0, "phi": 0.04}, ["I"], initial={"V": -60.0},
        ),
        {"gK": (5.0, 11.0), "phi": (0.02, 0.08)},
        iz.inputs.section([95.0, 110.0], [100.0, 100.0]),
    ),
}  # fmt: skip
HOW = {"integration": "rk4", "spike_timing": "located", "dtype": "float64"}


def spikes_of(model, drive, duration=200.0, **options):
    how = {"method": "rk4", "spike_timing": "located", "dtype": "float64", **options}
    return model.population(1, **how).run(duration, I=drive).spikes[0]


# -- distances ------------------------------------------------------------------------------------------------------


def distance_by_definition(a, b, tau):
    times, weights = np.concatenate([a, b]), np.concatenate([np.ones(len(a)), -np.ones(len(b))])
    return 0.5 * (weights[:, None] * weights * np.exp(-np.abs(times[:, None] - times) / tau)).sum()


def cost_by_definition(a, b, cost):
    table = np.zeros((len(a) + 1, len(b) + 1))
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            moved = table[i - 1, j - 1] + cost * abs(a[i - 1] - b[j - 1])
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, moved)
    return table[-1, -1]


def test_distances_are_those_of_their_definitions():
    rng = np.random.default_rng(3)
    trains = [np.sort(rng.uniform(0, 500, k)) for k in (0, 1, 5, 12, 30)]
    times, neurons = np.concatenate(trains), np.repeat(np.arange(5), [len(t) for t in trains])
    mixed = rng.permutation(len(times))
    found = trains_of(times[mixed], neurons[mixed], 5, 500.0, 1000)
    for target in (np.sort(rng.uniform(0, 500, 9)), np.zeros(0), trains[3]):
        expected = [distance_by_definition(train, target, 12.0) for train in trains]
        np.testing.assert_allclose(van_rossum(12.0).of_trains(found, target), expected, atol=1e-9)
        expected = [cost_by_definition(train, target, 0.05) for train in trains]
        np.testing.assert_allclose(victor_purpura(0.05).of_trains(found, target), expected, atol=1e-9)
    assert coincidence().of_trains(found, trains[3])[3] == pytest.approx(0.0, abs=1e-12)
    chance = coincidence(2.0).of_trains(
        trains_of(np.sort(rng.uniform(0, 1e5, 4000)), np.zeros(4000, int), 1, 1e5, 10**6),
        np.sort(rng.uniform(0, 1e5, 4000)),
    )
    assert chance[0] == pytest.approx(1.0, abs=0.05)  # unrelated trains have a factor of 0
    bursts = trains_of(np.repeat(np.arange(3000.0), 2), np.tile([0, 1], 3000), 2, 3000.0, 100)
    for loss in (van_rossum(), victor_purpura(), coincidence()):
        assert (loss.of_trains(bursts, np.array([5.0])) > loss.of_trains(bursts, np.array([5.0]))[0] / 2).all()


def test_coincidences_are_one_to_one_and_bounded():
    def loss(times, target, duration=1000.0, window=2.0):
        train = trains_of(np.array(times), np.zeros(len(times), int), 1, duration, 10**6)
        return coincidence(window).of_trains(train, np.array(target))[0]

    assert loss([11.0], [10.0, 11.0, 12.0]) > 0.4 and loss([10.0, 11.0, 12.0], [10.0, 11.0, 12.0]) == pytest.approx(0)
    fast = np.arange(1.0, 1000.0, 3.3)
    assert loss(fast, fast) == pytest.approx(0, abs=1e-9) and loss(fast[:10], fast) > 0.5
    slow = np.arange(12.0, 1000.0, 25.0)
    losses = [loss(np.sort(np.random.default_rng(1).uniform(0, 1000, n)), slow) for n in (40, 120, 160, 170, 260)]
    assert max(losses) <= 2.0


def test_slopes_of_the_distance_are_its_derivatives():
    rng, dt = np.random.default_rng(5), 0.5
    spikes, target = (rng.random((100, 2)) < 0.1).astype(float), (rng.random(100) < 0.1).astype(float)
    times = (np.arange(100) + 1) * dt

    def distance(weights, tau):
        signed = weights - target[:, None]
        kernel = np.exp(-np.abs(times[:, None] - times) / tau)
        return 0.5 * np.einsum("in,ij,jn->n", signed, kernel, signed)

    for tau in (0.5, 20.0):
        slopes = van_rossum(tau).slope(spikes, target, dt)
        for row in (0, 50, 99):
            shift = np.zeros((100, 1))
            shift[row] = 1e-5
            expected = (distance(spikes + shift, tau) - distance(spikes - shift, tau)) / 2e-5
            np.testing.assert_allclose(slopes[row], expected, rtol=1e-6)


def test_figures_are_those_of_a_recording():
    pop = RS.population(4, backend="numpy", d=np.array([2.0, 4.0, 8.0, 8.0]))
    recording = pop.run(200.0, I=np.array([12.0, 10.0, 6.0, 0.0]), record=["spike", "count", "first_spike", "isi"])
    found = figures_of(recording)
    np.testing.assert_array_equal(found["count"], recording["count"])
    np.testing.assert_allclose(found["first_spike"], recording["first_spike"])
    np.testing.assert_allclose(found["isi_mean"], recording["isi"].mean)
    np.testing.assert_allclose(found["isi_std"], recording["isi"].std, atol=1e-9)
    np.testing.assert_allclose(found["rate"], recording["count"] * 5.0)


# -- known parameters -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_found_again_from_their_own_spikes(name):
    model, ranges, drive = MODELS[name]
    target = spikes_of(model, drive)
    assert len(target) >= 3
    found = iz.fit(model, target, ranges, 200.0, inputs={"I": drive}, generations=60, goal=1e-5, seed=2, **HOW)
    for parameter, value in found.parameters.items():
        assert value == pytest.approx(model.parameters[parameter], rel=0.02), found
    assert found.loss < 1e-2 and found.evaluations == len(found.history) * 24


EXACT = json.loads((ROOT / "tests" / "data" / "exact_spikes.json").read_text())["classes"]


@pytest.mark.parametrize("neuron", EXACT["neurons"], ids=lambda neuron: neuron["name"])
def test_parameters_are_found_again_from_spikes_of_another_method(neuron):
    """SciPy's DOP853, with crossings located, has made them (tests/reference/exact.py)."""
    fixed = {"b": neuron["b"], "c": neuron["c"], "V": -70.0, "u": -70.0 * neuron["b"]}
    target = [spike for spike in neuron["spikes"] if spike < 200.0]
    found = iz.fit(
        iz.load("Izhikevich"), target, {"a": (0.01, 0.15), "d": (0.02, 10.0)}, 200.0, inputs={"I": neuron["I"]},
        generations=40, candidates=60, progress=False, **HOW, **fixed,
    )  # fmt: skip
    for name in ("a", "d"):
        assert abs(found.parameters[name] - neuron[name]) < 0.002 * neuron[name]


def test_cma_finds_them_too():
    pytest.importorskip("cmaes")
    target = spikes_of(RS, DRIVE)
    found = iz.fit(RS, target, RANGES, 200.0, inputs={"I": DRIVE}, method="cma", generations=60, goal=1e-6, **HOW)
    assert found.parameters == pytest.approx({"a": 0.02, "d": 8.0}, rel=1e-3)


def test_gradients_descend():
    target, start = RS.population(1).run(200.0, I=DRIVE).spikes[0], {"a": 0.05, "d": 5.0}
    options = {"inputs": {"I": DRIVE}, "start": start, "generations": 60, "candidates": 16}
    found = iz.fit(RS, target, RANGES, 200.0, method="gradient", **options)
    first = iz.fit(
        RS, target, RANGES, 200.0, generations=1, candidates=5, inputs={"I": DRIVE}, start=start, method="gradient"
    )
    assert found.loss < 0.1 * first.history[0]


def test_slopes_are_central_differences():
    leak = Model("Leak", "dV/dt = (k*I - V)/tau", parameters={"tau": 10.0, "k": 1.0}, inputs=["I"], initial={"V": 0.5})
    target = 0.8 * leak.population(1, dtype="float64").run(20.0, I="1 + sin(t)", record="V")["V"][:, 0]
    ranges = read_ranges(leak, {"tau": (5.0, 20.0, "log"), "k": (0.5, 2.0), "V": (-1.0, 1.0)})
    trials = read_trials(leak, {"V": target}, {"I": "1 + sin(t)"}, 200, 0.1, {"V": 3.0})
    objective = Objective(
        leak, ranges, trials, read_loss(None), 200, {"dt": 0.1, "dtype": "float64", "backend": "numpy"}
    )
    points = np.random.default_rng(0).uniform(0.2, 0.8, (3, 3))
    losses, slopes = objective.with_slopes(points)
    np.testing.assert_array_equal(losses, objective(points))
    for k in range(3):
        shift = np.eye(3)[k] * 1e-5
        np.testing.assert_allclose(
            slopes[:, k], (objective(points + shift) - objective(points - shift)) / 2e-5, rtol=1e-4
        )


def test_traces_figures_and_several_drives():
    leak = Model("Leak", "dV/dt = (k*I - V)/tau", parameters={"tau": 10.0, "k": 1.5}, inputs=["I"])
    traces = [leak.population(1, dtype="float64").run(30.0, I=I, record="V")["V"] for I in (1.0, "sin(t/3)")]
    targets, inputs = [{"V": trace} for trace in traces], [{"I": 1.0}, {"I": "sin(t/3)"}]
    found = iz.fit(
        leak, targets, {"tau": (3.0, 30.0), "k": (0.5, 3.0)}, 30.0, inputs=inputs, goal=1e-9, dtype="float64"
    )
    assert found.parameters == pytest.approx({"tau": 10.0, "k": 1.5}, rel=1e-3)
    target = {"rate": 30.0, "first_spike": 4.0}
    found = iz.fit(RS, target, {"d": (1.0, 12.0), "V": (-70.0, -60.0)}, 200.0, inputs={"I": 10.0}, generations=30)
    figures = figures_of(found.run(progress=False))
    assert found.loss < 0.02 and abs(figures["rate"][0] - 30.0) <= 5.0


# -- results --------------------------------------------------------------------------------------------------------


def test_what_a_fit_gives():
    target = spikes_of(RS, DRIVE)
    found = iz.fit(RS, target, {**RANGES, "V": (-75.0, -65.0)}, 200.0, inputs={"I": DRIVE}, generations=40, **HOW)
    fitted = found.variant("Mine")
    assert fitted.parameters["a"] == found.parameters["a"] and fitted.name == "Mine"
    spikes = found.run(progress=False).spikes[0]
    np.testing.assert_allclose(spikes_of(fitted, DRIVE), spikes)
    scope = {"model": RS}
    exec(found.text("mine"), scope)
    assert scope["mine"].parameters == fitted.parameters
    np.testing.assert_allclose(spikes_of(scope["mine"], DRIVE), spikes)
    profile = found.profile("d", points=5)
    assert len(profile.values) == 5 and profile.losses[2] <= profile.losses[[0, 4]].min()
    low, high = profile.interval(rise=0.1)
    assert low <= found.parameters["d"] <= high
    assert len(found.plot().axes) == 2 and "RS: a=" in repr(found)
    assert found.profile("a", points=1).values == [found.parameters["a"]]
    for bad in ({"points": 10**12}, {"span": 0.0}, {"span": 1e308}):
        with pytest.raises(ValueShapeError):
            found.profile("a", **bad)
    with pytest.raises(ValueShapeError, match="below 0"):
        profile.interval(-1.0)
    for wrong in ({"steps": 10}, {"trial": "a"}, {"trial": 0.5}):
        with pytest.raises(ValueShapeError):
            found.run(**wrong)
    with pytest.raises(ValueShapeError, match="'b' was not fitted"):
        found.profile("b")
    for trial in (1, -1):
        with pytest.raises(ValueShapeError, match="there are 1"):
            found.plot(trial)
    for name in ("a b", "", 3, "class", "None"):
        with pytest.raises(ValueShapeError, match="no name of a variable"):
            found.text(name)


def test_the_same_seed_gives_the_same_fit_on_any_number_of_threads():
    options = {"inputs": {"I": DRIVE}, "generations": 5, "seed": 7}
    noisy = RS.with_noise(V=0.5)
    fits = [iz.fit(noisy, spikes_of(RS, DRIVE), RANGES, 200.0, threads=n, **options) for n in (1, 2, 1)]
    assert fits[0].parameters == fits[1].parameters == fits[2].parameters
    assert fits[0].parameters != iz.fit(noisy, spikes_of(RS, DRIVE), RANGES, 200.0, **{**options, "seed": 8}).parameters


def test_values_of_all_candidates_are_part_of_the_fitted_model():
    found = iz.fit(RS, [20.0, 40.0], RANGES, 50.0, inputs={"I": 10.0}, generations=1, b=0.25, V=-60.0)
    fitted = found.variant("M")
    assert fitted.parameters["b"] == 0.25 and float(str(fitted.initial["V"])) == -60.0
    assert "b=0.25" in found.text() and "'V': -60.0" in found.text()


def test_one_neuron_is_the_target():
    whole = RS.population(3).run(50.0, I=np.array([8.0, 10.0, 20.0]))
    with pytest.raises(ValueShapeError, match="a recording of 3 neurons"):
        iz.fit(RS, whole, RANGES, 50.0, inputs={"I": 10.0})
    pop = RS.population(1)
    pop.run(50.0, I=10.0)
    second = pop.run(50.0, I=10.0)
    trials = read_trials(RS, second, {"I": 10.0}, 500, 0.1, {})
    np.testing.assert_allclose(trials[0].spikes, second.spikes[0] - 50.0)


def test_a_loss_of_ones_own_and_its_errors():
    class Late:
        def of_trains(self, found, target):
            return np.abs(found.counts - len(target)).astype(float)

    found = iz.fit(RS, [5.0, 20.0, 40.0], RANGES, 50.0, inputs={"I": 10.0}, loss=Late(), generations=20, goal=0.0)
    assert found.loss == 0.0

    class Wrong(Late):
        def of_trains(self, found, target):
            raise TypeError("my own")

    class Shape(Late):
        def of_trains(self, found, target):
            return 1.0

    with pytest.raises(TypeError, match="my own"):
        iz.fit(RS, [5.0], RANGES, 50.0, inputs={"I": 10.0}, loss=Wrong())
    with pytest.raises(ValueShapeError, match="one number each"):
        iz.fit(RS, [5.0], RANGES, 50.0, inputs={"I": 10.0}, loss=Shape())


def test_noise_is_averaged():
    noisy, options = RS.with_noise(V=3.0), {"inputs": {"I": 10.0}, "generations": 4}
    found = iz.fit(noisy, spikes_of(RS, 10.0), RANGES, 200.0, **options)
    again = found.objective(np.repeat(found.point[None], 10, axis=0)).mean()
    assert found.objective.repeats == 10 and found.loss == pytest.approx(again, rel=1e-12)


@pytest.mark.parametrize("method", ["differential_evolution", "gradient"])
def test_an_interrupt_in_the_middle_of_a_generation(method, monkeypatch):
    calls, run_whole = [], iz.Population.run

    def run_and_interrupt(self, *arguments, **options):
        calls.append(self)
        if len(calls) == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return run_whole(self, *arguments, **options)

    monkeypatch.setattr(iz.Population, "run", run_and_interrupt)
    found = iz.fit(RS, [50.0, 90.0], RANGES, 200.0, inputs={"I": 10.0}, generations=10_000, method=method)
    assert found.interrupted and np.isfinite(found.loss)


def test_an_interrupt_gives_the_best_so_far(monkeypatch):
    calls, run_whole = [], iz.Population.run

    def run_and_interrupt(self, *arguments, **options):
        calls.append(self)
        if len(calls) == 6:
            threading.Timer(0.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        return run_whole(self, *arguments, **options)

    monkeypatch.setattr(iz.Population, "run", run_and_interrupt)
    found = iz.fit(RS, [50.0, 90.0], RANGES, 200.0, inputs={"I": 10.0}, generations=10_000)
    assert found.interrupted and 3 <= len(found.history) < 1000


def test_candidates_that_become_infinite_are_the_worst():
    found = iz.fit(RS, [3.2, 20.0], {"p1": (-0.2, 0.08)}, 50.0, inputs={"I": 10.0}, generations=3, candidates=20)
    assert found.loss < 100
    with pytest.raises(ValueShapeError, match="no candidate has a loss that is a number"):
        iz.fit(RS, [3.2, 20.0], {"p1": (-1e6, -1e5)}, 50.0, inputs={"I": 10.0}, generations=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "RS"}, "takes a model"),
        ({"trainable": {}}, "trainable is a mapping"),
        ({"trainable": {"aa": (0, 1)}}, "no parameter or state 'aa'.*did you mean"),
        ({"trainable": {"a": 3}}, r"\(lowest, highest\)"),
        ({"trainable": {"a": (1, 0)}}, "from 1 to 0"),
        ({"trainable": {"a": (0, 1, "log")}}, "above 0"),
        ({"trainable": {"a": (0, np.nan)}}, "not finite"),
        ({"target": [-1.0]}, "spike 0 is at -1 ms, outside the 50 ms"),
        ({"target": [60.0]}, "outside the 50 ms"),
        ({"target": [[1.0, 2.0]], "inputs": None}, "a list of as many mappings"),
        ({"target": np.ones((2, 2))}, "shape"),
        ({"target": np.ma.masked_array([1.0, 2.0], [0, 1])}, "masked"),
        ({"target": {"V": np.zeros(10)}}, "has shape .* a run has 500 steps"),
        ({"target": {"V": np.full(500, np.nan)}}, "is nan in step 0"),
        ({"target": {"x": 3}}, "'x' is no part"),
        ({"target": {}}, "is empty"),
        ({"target": [{"count": 3}, {"count": 4}], "inputs": [{"I": 1.0}]}, "2 targets are given, and inputs for 1"),
        ({"inputs": 3}, "a mapping"),
        ({"inputs": {"J": 1.0}}, "no input 'J'"),
        ({"loss": "van_rossom"}, r"'van_rossom' is none.*did you mean"),
        ({"loss": 3}, "nothing like"),
        ({"method": "newton"}, "'newton' is none"),
        ({"method": "gradient", "loss": "coincidence"}, "has no gradient"),
        ({"method": "gradient", "target": {"rate": 3.0}}, "rate has no gradient"),
        ({"weights": {"V": 2.0}}, "'V' is no part of the target"),
        ({"weights": {"spike": "x"}}, "weights: spike"),
        ({"weights": {"spike": -1.0}}, "below 0"),
        ({"weights": {"spike": np.nan}}, "not finite"),
        ({"weights": 3}, "weights are a mapping"),
        ({"start": 3}, "start is a mapping"),
        ({"inputs": {"I": np.linspace(0, 30, 5)}}, "shape"),
        ({"inputs": {"I": np.ones((500, 5))}}, "shape"),
        ({"inputs": {"steps": 10.0}}, "no input 'steps'"),
        ({"inputs": {3: 10.0}}, "no input"),
        ({"b": np.linspace(0.1, 0.3, 5)}, "shape"),
        ({"batch": 2}, "batch= is no option"),
        ({"surrogate": "arctan"}, "surrogate= is no option"),
        ({"method": "gradient", "spike_timing": "located"}, "spike_timing"),
        ({"candidates": 10**12}, "a generation has 5 to"),
        ({"trainable": {"a": (-1e308, 1e308)}}, "wider than numbers"),
        ({"target": range(10**13)}, "target"),
        ({"start": {"b": 2.0}}, "'b' is not trainable"),
        ({"start": {"a": 2.0}}, "outside its range"),
        ({"a": 0.02}, "'a' is trainable, and given"),
        ({"duration": 0.0}, "at least one step"),
        ({"generations": 0}, "generations"),
        ({"candidates": 0}, "candidates"),
        ({"goal": "x"}, "goal"),
        ({"integration": "rk5"}, "rk5"),
    ],
)
def test_bad_input(change, message):
    given = {"model": RS, "target": [20.0], "trainable": {"a": (0.01, 0.1)}, "duration": 50.0, "inputs": {"I": 10.0}}
    given |= {"backend": "numpy", "generations": 1, "candidates": 5, **change}
    with pytest.raises(iz.IzhigenError, match=message):
        iz.fit(given.pop("model"), given.pop("target"), given.pop("trainable"), given.pop("duration"), **given)
    for wrong in (0.0, -1.0, "x"):
        with pytest.raises(ValueShapeError):
            van_rossum(wrong)
