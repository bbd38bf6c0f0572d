"""Spike times against the exact solution: Izhikevich's 20 firing patterns, his seven classes, and random neurons."""

import json

import numpy as np
import pytest

import izhigen as iz
from izhigen.patterns import HOW, PATTERNS
from izhigen.patterns_command import patterns
from tests.conftest import DATA
from tests.reference.exact import CLASSES, random_neurons, spike_times

RECORDED = {p["id"]: p for p in json.loads((DATA / "patterns.json").read_text())["patterns"]}
EXACT = json.loads((DATA / "exact_spikes.json").read_text())
STEPS = (1.0, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01)
MEASURED = {
    ("exp_euler", "step"): "exp_auto_jacobi_no_interp",
    ("rk4", "located"): "rk4_riccati_interp",
    ("etdrk2", "located"): "etdrk2_riccati_interp",
}
"""What the data calls a method and where its spikes are."""
CHOICES = list(MEASURED)
backends = pytest.mark.parametrize("backend", ["c", "numpy"])


def pattern_spikes(dt, **options):
    """Spike times of every pattern, by its letter: all with the same equations are one population."""
    accommodation = PATTERNS["Accommodation"]
    found = {accommodation.letter: accommodation.run(dt, record=["spike"], **options).spike_times}
    same = [pattern for pattern in PATTERNS.values() if pattern is not accommodation]
    longest = max(pattern.duration for pattern in same)
    currents = [np.asarray(pattern.current(dt)) for pattern in same]
    series = np.stack([np.pad(values, (0, round(longest / dt) - len(values)), "edge") for values in currents], axis=1)
    models = [iz.load(pattern.name) for pattern in same]
    values = {name: np.array([model.parameters[name] for model in models]) for name in models[0].parameters}
    V = np.array([float(str(model.initial["V"])) for model in models])
    pop = iz.load("Izhikevich").population(len(same), dt=dt, V=V, **values, **options)
    times, neurons = pop.run(longest, I=series).spikes
    for k, pattern in enumerate(same):
        found[pattern.letter] = times[(neurons == k) & (times <= pattern.duration)]
    return found


def test_the_patterns_are_those_of_the_data():
    assert [pattern.letter for pattern in PATTERNS.values()] == list(RECORDED)
    for name, pattern in PATTERNS.items():
        model, data = iz.load(name), RECORDED[pattern.letter]
        values = {("V_th" if key == "Vth" else key): value for key, value in data["params"].items()}
        assert {key: model.parameters[key] for key in values} == values
        pop = model.population(1, dtype="float64", backend="numpy")
        np.testing.assert_allclose([pop.V[0], pop.u[0]], [data["V0"], data["u0"]], rtol=1e-14)
        np.testing.assert_allclose(pattern.spike_times, data["spike_times_ref_ms"], rtol=0, atol=6e-7)
        pieces = [piece for piece in data["input"] if piece != [0.0, piece[1], 0, 0.0]]
        assert pattern.duration == data["T"] and list(pattern.pieces) == [(p[0], p[2], p[3]) for p in pieces]
        assert pattern.title == f"({data['id']}) {data['name']}"


def test_a_pattern_is_run_as_the_command_runs_it():
    pattern = PATTERNS["TonicBursting"]
    recording = pattern.run(backend="numpy")
    how = {"model": "TonicBursting", "method": "rk4", "spike_timing": "located"}
    assert {key: recording.info[key] for key in how} == how and pattern.difference(recording) < 0.001
    assert {o.name: o.default for o in patterns.params if o.name in HOW} == HOW
    other = pattern.run(0.5, method="exp_euler", spike_timing="step", dtype="float32", backend="numpy")
    assert other.info["method"] == "exp_euler"


def test_a_current_is_the_mean_over_each_step():
    fine, coarse = (np.asarray(PATTERNS["Accommodation"].current(dt)) for dt in (0.0625, 0.5))
    np.testing.assert_allclose(fine.reshape(-1, 8).mean(axis=1), coarse, atol=1e-12)
    assert coarse[1] == 0.04 * 0.75 and not coarse[400:600].any()


MISSED = {("etdrk2", 0.5): "N", ("etdrk2", 0.25): "M"}
"""The pattern that a method misses with a step: the rebound burst has 19 spikes, not 14, and the rebound spike is 0.023 ms
off, where the data has 0.002 with the exact quadratic flow in the last stretch before a spike."""
RUNS = [
    (backend, choice, dt)
    for backend, choices, steps in (("c", CHOICES, STEPS), ("numpy", CHOICES[:2], (0.1,)))
    for choice in choices
    for dt in steps
]


@pytest.mark.parametrize(("backend", "choice", "dt"), RUNS)
@pytest.mark.sample(12)
def test_patterns(backend, choice, dt):
    """The exact count up to the largest step that has it in the data, and times within 3 times the error measured there.

    In the data the last stretch before a spike is an exact quadratic flow, not the method's own solution: with steps of
    0.25 ms, where ``rk4`` errs most in it, two patterns are up to 5 times as far off, which is 0.0015 ms.
    """
    found = pattern_spikes(dt, method=choice[0], spike_timing=choice[1], dtype="float64", backend=backend)
    for letter in RECORDED:
        if letter != MISSED.get((choice[0], dt)):
            check_pattern(letter, found[letter], choice, dt)


def check_pattern(letter, found, choice, dt):
    data, key = RECORDED[letter], MEASURED[choice]
    exact, factor = data["spike_times_ref_ms"], 5 if choice[0] == "rk4" and dt == 0.25 else 3
    if choice == ("rk4", "located"):
        assert len(found) == len(exact), letter  # at steps up to 1 ms, with every pattern
    if dt <= data["largest_dt_with_exact_count"][key]:
        assert len(found) == len(exact), letter
        measured = data["measured_max_abs_dt_ms"][key].get(str(dt), np.inf) + 5e-8  # it has seven digits
        assert np.abs(found - exact).max() <= factor * measured, letter


@pytest.mark.xfail(strict=True, reason="the last stretch of a rebound is long for a method of order 2")
@pytest.mark.parametrize(("method", "dt"), MISSED)
def test_patterns_that_are_missed(method, dt):
    letter, choice = MISSED[method, dt], (method, "located")
    found = pattern_spikes(dt, method=method, spike_timing="located", dtype="float64")
    check_pattern(letter, found[letter], choice, dt)


def test_spike_times_at_the_end_of_steps_are_of_first_order():
    """NUMERICS, section 5: whatever the method."""
    steps, letters = np.array([0.25, 0.1, 0.05, 0.025, 0.01]), "ACEFGHLMS"
    errors = []
    for dt in steps:
        found = pattern_spikes(dt, dtype="float64", method="exp_euler", spike_timing="step")
        differences = [found[letter] - RECORDED[letter]["spike_times_ref_ms"] for letter in letters]
        errors.append(np.abs(np.concatenate(differences)).mean())
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(order - 1.0) <= 0.15, (order, errors)


def against_exact(kind, dt, **options):
    """Mean error of the spike times in ms, and the sum of the errors in their number, of the neurons of that kind."""
    neurons, duration = EXACT[kind]["neurons"], EXACT[kind]["duration"]
    values = {name: np.array([neuron[name] for neuron in neurons]) for name in ("a", "b", "c", "d", "V", "I")}
    current = values.pop("I")
    pop = iz.load("Izhikevich").population(len(neurons), dt=dt, **values, **options)
    times, indices = pop.run(duration, I=current).spikes
    errors, miscounted = [], 0
    for k, neuron in enumerate(neurons):
        found, exact = times[indices == k], neuron["spikes"]
        both = min(len(found), len(exact))
        miscounted += abs(len(found) - len(exact))
        errors.append(np.abs(found[:both] - exact[:both]))
    return np.concatenate(errors).mean(), miscounted


AIMS = [
    ("rk4", "classes", 0.25, 0.02),
    ("rk4", "classes", 0.1, 0.001),
    ("rk4", "random", 0.1, 0.001),
    ("etdrk2", "classes", 0.25, 0.1),
    ("etdrk2", "classes", 0.1, 0.02),
    ("etdrk2", "random", 0.25, 0.1),
    ("etdrk2", "random", 0.1, 0.02),
]
"""A method, which neurons, a step, and the mean error in ms that is allowed."""


def check(method, kind, dt, largest, **options):
    """The number of spikes of every neuron, and their times."""
    error, miscounted = against_exact(kind, dt, method=method, spike_timing="located", **options)
    assert miscounted == 0 and error <= largest


@pytest.mark.parametrize(("method", "kind", "dt", "largest"), AIMS)
def test_neurons_against_the_exact_solution(dtype, method, kind, dt, largest):
    check(method, kind, dt, largest, dtype=dtype)


@pytest.mark.parametrize(("method", "kind", "dt", "largest"), AIMS[:4])
def test_neurons_against_the_exact_solution_without_a_compiler(method, kind, dt, largest):
    check(method, kind, dt, largest, backend="numpy")


def test_the_data_is_what_the_script_makes():
    """A neuron of each kind, made anew."""
    classes, others = EXACT["classes"]["neurons"], EXACT["random"]["neurons"]
    assert [neuron["name"] for neuron in classes] == list(CLASSES)
    assert sum(len(neuron["spikes"]) for neuron in classes) == 223
    for neuron, drawn in zip(others, random_neurons(len(others)), strict=True):
        assert {name: neuron[name] for name in drawn} == drawn
    for neuron, kind in ((classes[0], "classes"), (others[5], "random")):
        np.testing.assert_allclose(spike_times(neuron, EXACT[kind]["duration"]), neuron["spikes"], rtol=0, atol=1e-7)


@backends
def test_several_spikes_in_a_step(backend, dtype):
    pop = iz.load("RS").population(1, dt=1.0, method="rk4", spike_timing="located", dtype=dtype, backend=backend)
    assert abs(pop.run(50.0, I=1000.0).counts[0] - 195) <= 2


@backends
def test_spike_times_keep_their_precision(backend):
    """After 1e6 ms the intervals of the same neuron are those of the beginning, to what its states round to."""
    intervals = []
    for step in (0, 10_000_000):
        pop = iz.load("RS").population(1, dt=0.1, method="rk4", spike_timing="located", backend=backend)
        pop.begin_at(step)
        times = pop.run(400.0, I=10.0).spike_times
        assert step * 0.1 < times[0] and len(times) > 8 and times.dtype == np.float64
        intervals.append(np.diff(times))
    np.testing.assert_allclose(intervals[1], intervals[0], rtol=0, atol=1e-8)
