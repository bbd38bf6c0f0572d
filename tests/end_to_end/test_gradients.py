"""Gradients against central differences of runs with smooth spikes: library models, methods, random models."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.derive.scheme import method_names
from tests.end_to_end.random_events import DT, make_case
from tests.end_to_end.test_noise import EIF, SHARP
from tests.end_to_end.test_random_models import FAMILIES
from tests.gradients import Differences, random_numbers
from tests.helpers import ALL, distinct_models

MODELS = distinct_models()
RANDOM, CHUNK = 200, 20
ON_NUMPY, ON_C = range(RANDOM if ALL else 60), range(0, RANDOM, 1 if ALL else 45)
"""Random models that are looked at; with half of the seeds, another method than exponential Euler's."""
METHODS = [name for name in method_names() if name != "exact"]  # which is for linear systems
PAIRS = [
    (model, method)
    for k, model in enumerate(MODELS)
    for j, method in enumerate(METHODS)
    if ALL or method == "exp_euler" or (j + k) % len(MODELS) == 0
]


def library_case(model, method, **options):
    """Three neurons on their way to a spike, and a noisy current."""
    inputs = {name: 10.0 + 5.0 * random_numbers((25, 3), 7) for name in model.inputs}
    first = model.states[0]
    low, high = (-60.0, 25.0) if model.parameters.get("V_th", 35.0) > 1 else (-0.5, 0.5)
    values = {name: 0.1 + 0.1 * random_numbers(3, k) for k, name in enumerate(model.states)}
    values[first] = np.linspace(low, high, 3)
    return Differences(model, values, inputs, 25, {"dt": 0.2, "method": method, "backend": "numpy", **options})


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_library(name, method):
    assert library_case(MODELS[name], method).check(each=method == "exp_euler") >= 5


RATES = """
    dm/dt = 0.1*(V + 40)/(1 - exp(-0.1*(V + 40)))*(1 - m) - 4*exp(-(V + 65)/18)*m
    dh/dt = 0.07*exp(-(V + 65)/20)*(1 - h) - h/(1 + exp(-(V + 35)/10))
    dn/dt = 0.01*(V + 55)/(1 - exp(-0.1*(V + 55)))*(1 - n) - 0.125*exp(-(V + 65)/80)*n
"""


def constructs():
    """Models of what the library lacks: blocks, noise, steep upstrokes, held currents, holds, gates; and initial values."""
    izhikevich, liquid = iz.load("Izhikevich"), iz.load("IzhikevichLTC")
    potential = {"V": np.array([-60.0, 0.0, 25.0]), "u": np.full(3, -13.0)}
    ring = iz.Model(
        "Ring",
        "dx/dt = (-x + k*y)/tau + I\ndy/dt = (-y - k*x + z)/tau\ndz/dt = -z/tau2 + x/9",
        threshold="x >= 1",
        reset="x = x - 1; y = 0.5*y",
        parameters={"k": 1.3, "tau": 4.0, "tau2": 7.0},
        inputs=["I"],
    )
    leaky = iz.Model("L", "dV/dt = (-V + I)/tau", "V >= 1", "V = 0", {"tau": 10.0, "s": 0.2}, ["I"])
    exponential = iz.Model(
        "EIF",
        "dV/dt = (E - V + D*exp((V - VT)/D) + I)/tau",
        "V >= 2",
        "V = E",
        {"E": -1, "D": 0.4, "VT": 0.5, "tau": 5},
        ["I"],
    )
    cell = iz.Model(
        "HH",
        "dV/dt = (I - gNa*m**3*h*(V - ENa) - gK*n**4*(V - EK) - gl*(V - El))/C" + RATES,
        threshold="V >= 0",
        parameters={"gNa": 120.0, "gK": 36.0, "gl": 0.3, "ENa": 50.0, "EK": -77.0, "El": -54.4, "C": 1.0},
        inputs=["I"],
    )
    gates = {"V": np.array([-65.0, -40.0, 10.0]), "m": np.full(3, 0.1), "h": np.full(3, 0.5), "n": np.full(3, 0.3)}
    start = {name: 0.3 + 0.1 * random_numbers(3, k) for k, name in enumerate("xyz")}
    return {
        "block": (ring, start),
        "noisy block": (ring.with_noise(x=0.3, y="0.1*k"), start),
        "noise that reads": (leaky.with_noise(V="s*sqrt(abs(V) + 0.1)"), {"V": np.array([0.1, 0.5, 0.9])}),
        "steep": (exponential.with_noise(V=0.2), {"V": np.array([0.1, 1.2, 1.7])}),
        "liquid": (liquid.with_current("g*(E - V)", inputs=["g"], E=0.0), potential),
        "held current": (izhikevich.with_current("g*(E - V)", g=0.1, E=0.0), potential),
        "hold until": (izhikevich.with_refractory(until="u < -6", hold=["V"]), potential),
        "hold for": (izhikevich.with_refractory(0.2, hold=["V", "u"]), potential),
        "gates": (cell, gates),
    }


CONSTRUCTS = constructs()


def construct_case(name, steps=25, **options):
    model, values = CONSTRUCTS[name]
    inputs = {
        i: 3 + random_numbers((steps, 3), k) if i == "I" else np.full((steps, 3), 0.1)
        for k, i in enumerate(model.inputs)
    }
    return Differences(model, values, inputs, steps, {"dt": 0.05, "backend": "numpy", **options})


@pytest.mark.parametrize("method", ["exp_euler", "rk4", "etdrk2", "exp_rosenbrock", "strang"])
@pytest.mark.parametrize("name", CONSTRUCTS)
@pytest.mark.sample(20)
def test_constructs(name, method):
    steps = 12 if method == "exp_rosenbrock" else 25  # beyond which its smooth spikes make chaos of differences
    assert construct_case(name, steps, method=method).check(tolerance=1e-5, each=method == "exp_euler") >= 3


@pytest.mark.parametrize("size", [3, 5])
def test_several_coupled_states(size):
    """Derivatives of the action of a matrix, in NumPy and in C; all its rows are found together."""
    lines = [f"dx{k}/dt = -k*x{k}*(1 + 0.3*x{(k + 1) % size}) + x{(k - 1) % size}" for k in range(size)]
    start = {f"x{k}": 0.3 + 0.2 * k for k in range(size)}
    model = iz.Model("Ring", "\n".join(lines), parameters={"k": 1.3}, initial=start)
    case = Differences(model, start, {}, 12, {"dt": 0.2, "method": "exp_rosenbrock", "backend": "numpy"})
    assert case.check(tolerance=1e-5) >= size + 1
    check_backends(case)


def test_equations_of_bernoulli():
    """Derivatives of their flow, for even and odd powers, growing and falling, in NumPy and in C."""
    start = {"x": [0.3, -1.2, 0.8], "y": [0.5, 0.2, -0.3], "w": [0.2, -0.4, 0.7]}
    equations = "dx/dt = x*(y - k*x**2)\ndy/dt = -y/3 - 0.5*x**2 + 1.2\ndw/dt = -k*w + 0.3*x*w**4"
    model = iz.Model("Bernoulli", equations, parameters={"k": 1.3})
    case = Differences(model, start, {}, 12, {"dt": 0.2, "method": "strang", "backend": "numpy"})
    assert case.check(tolerance=1e-5) >= 4
    check_backends(case)


@pytest.mark.parametrize("first", ON_NUMPY[::CHUNK])
def test_random_models(first):
    checked = [random_case(seed).check(tolerance=1e-5) for seed in ON_NUMPY[first : first + CHUNK]]
    assert min(checked) >= 7


def random_case(seed, **options):
    case = make_case(seed, neurons=3, steps=25)
    inputs = dict(case.inputs.items())
    method = METHODS[seed % len(METHODS)] if seed % 2 else "exp_euler"
    return Differences(
        case.model(),
        dict(case.initial),
        inputs,
        25,
        {"dt": DT, "method": method, "backend": "numpy", **options},
        spike_scale=1.0,
    )


def check_backends(case, tolerance=1e-9):
    """C gives what NumPy gives, in double precision; and to what single precision allows, where that is asked for."""
    expected, found = case.hard("numpy"), case.hard("c")
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        largest = max(np.abs(values).max(), 1e-300)
        assert np.abs(found[name] - values).max() <= tolerance * largest, name


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.sample(3)
def test_library_on_c(name):
    check_backends(library_case(MODELS[name], METHODS[list(MODELS).index(name)]))


@pytest.mark.parametrize("name", CONSTRUCTS)
@pytest.mark.sample(4)
def test_constructs_on_c(name):
    check_backends(construct_case(name))


@pytest.mark.parametrize("seed", ON_C)
@pytest.mark.sample(3)
def test_random_models_on_c(seed):
    check_backends(random_case(seed))


STEEP = {
    "EIF": (EIF, 0.1, 40.0),
    "sharp EIF": (SHARP, 0.1, 40.0),
    "QIF": (iz.Model("QIF", "dV/dt = (V**2 + I)/10", "V >= 1000", "V = -1000", {}, ["I"]), 1.0, 40.0),
    "AdEx": (FAMILIES["AdEx"].with_noise(V=1.0), 0.5, 2e3),
    "Izhikevich": (iz.load("IzhikevichLTC"), 20.0, 40.0),
}
"""Models and steps of which a potential leaves the range of numbers within the step that resets it, or nearly so."""


@pytest.mark.parametrize(("name", "dtype"), [*((name, "float32") for name in STEEP), ("AdEx", "float64")])
@pytest.mark.sample(3)
def test_upstrokes_that_leave_the_range_of_numbers(name, dtype):
    """No 0 meets an infinity: gradients are finite, and those of both backends."""
    model, dt, highest = STEEP[name]
    options = {"dt": dt, "dtype": dtype, "surrogate": "arctan", "detach_spike": "reset", "seed": 3}
    found = []
    for backend in ("numpy", "c"):
        pop = model.population(50, backend=backend, **options)
        recording = pop.run(steps=200, record=["spike"], tape=True, I=np.linspace(0.5, highest, 50))
        found.append((recording.spikes, recording.backward({"count": 1.0, model.states[0]: 1e-3})))
    (spikes, expected), (same, gradients) = found
    assert len(spikes[0]) > 5
    if (
        dtype == "float64" and name != "Izhikevich"
    ):  # whose gradients grow to 1e12 with such a step, and rounding with them
        np.testing.assert_array_equal(spikes, same)
        for key, values in expected.items():
            assert np.abs(gradients[key] - values).max() <= 1e-6 * max(np.abs(values).max(), 1e-300), key


def test_a_state_that_does_not_change():
    """It stays the same symbol through the step, and stands first."""
    model = iz.Model("M", "dx/dt = 0\ndV/dt = -V + x + I", "V >= 1", "V = 0", inputs=["I"], initial={"x": 2.0})
    inputs = {"I": 0.5 + random_numbers((25, 3), 1)}
    assert (
        Differences(
            model, {"V": np.zeros(3), "x": np.full(3, 2.0)}, inputs, 25, {"dt": 0.2, "backend": "numpy"}
        ).check()
        >= 3
    )
