"""Inputs that kernels compute: text in t, stimuli, and normal variates, against their rows as arrays."""

import pickle
import tracemalloc

import numpy as np
import pytest

import izhigen as iz
from izhigen import inputs
from izhigen.backends import create_engine
from izhigen.errors import NonFiniteError
from izhigen.inputs.feeds import Layout, kernel_input
from izhigen.model.expressions import parse_expression
from izhigen.model.forms import form_of
from tests.helpers import host

MODEL = iz.load("IzhikevichLTC")
N, STEPS, DT = 37, 700, 0.1
DURATION = STEPS * DT
SHAPES = {
    "sinusoid": inputs.sinusoid(6, 30, DURATION, t_start=5.0, t_end=60.0, bias=True),
    "square": inputs.square(6, 30, DURATION, t_start=5.0),
    "ramp": inputs.ramp(2, 22, DURATION, t_start=10.0, t_end=65.0),
    "sum": 0.5 * inputs.ramp(0, 20, DURATION) - inputs.sinusoid(3, 50, DURATION) + 4.0,
    "wiener": inputs.wiener(DURATION, n=N, seed=5, t_start=10.0) * 3,
    "table and wiener": inputs.section([0, 12], [20, 50]) + inputs.wiener(DURATION, n=N, seed=2**63),
    "sine and wiener": inputs.sinusoid(6, 30, DURATION, bias=True) + 2 * inputs.wiener(DURATION, n=N, seed=1),
    "two wieners": inputs.wiener(DURATION, n=N, seed=1)
    + inputs.wiener(DURATION, n=N, seed=2)
    + inputs.section([10.0], [DURATION]),
    "one column": inputs.section([10.0], [DURATION]) + inputs.wiener(DURATION, seed=4),
    "ornstein_uhlenbeck": inputs.ornstein_uhlenbeck(8.0, 1.0, 5.0, DURATION, n=N, seed=3),
}


def trace(value, backend="c", dtype="float64", pieces=(STEPS,), **options):
    pop = MODEL.population(N, dt=DT, backend=backend, dtype=dtype, **options)
    rows, start = [], 0
    for steps in pieces:
        part = value[start : start + steps] if isinstance(value, np.ndarray) else value
        rows.append(pop.run(steps=steps, I=part, record=["V"]).to_host()["V"])
        start += steps
    return np.concatenate(rows)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.sample(12)
def test_a_stimulus_gives_what_its_rows_give(name, backend):
    rows = SHAPES[name].sample(DT)[:STEPS]
    expected = trace(rows[:, None] if rows.ndim == 1 else rows, backend)
    found = trace(SHAPES[name], backend)
    close = np.isclose(found, expected, rtol=1e-7, atol=1e-7)
    assert close.mean() > 0.999  # a spike may fall on the next step
    np.testing.assert_array_equal(found, trace(SHAPES[name], backend, pieces=(1, 2, 130, 67, STEPS - 200)))


@pytest.mark.parametrize("name", ["sine and wiener", "ornstein_uhlenbeck"])
def test_threads_and_number_type(name):
    np.testing.assert_array_equal(trace(SHAPES[name], dtype="float32"), trace(SHAPES[name], dtype="float32", threads=2))
    close = np.isclose(trace(SHAPES[name], dtype="float32"), trace(SHAPES[name]), atol=0.5)
    assert close.mean() > 0.97


@pytest.mark.parametrize(
    "text",
    [
        "10",
        "t",
        "22*where(t > 20, 1, 0)",
        "where(t >= 10 and not t > 30, 5 + t**2/100, max(1, 12 - t))",
        "8 + 4*sin(2*pi*t/25)*exp(-t/40)",
        "10*heaviside(t - 5)",
        "clip(t, 3, 14)",
        "floor(t/10) + abs(t - 30)/3",
        "8 + sign(t - 35)*4",
        "5*exprel(t/70)",
        "1e1 + 2.5E-1*t",
        "(t - 5)**2/100",
        "(t - 5)**3/1e4",
        "1/(t + 1)**2 + sin(t)**3",
        "((t + 1)**2)**2/1e7",
        "sqrt(t) + (t + 1)**1.5/100 + (t + 2)**-2",
    ],
)
@pytest.mark.sample(8)
def test_text_gives_what_its_values_give(text, device):
    times = np.arange(STEPS) * DT
    values = np.broadcast_to(parse_expression(text, "I").evaluate({"t": times}), STEPS)
    for backend in (
        "c",
        "numpy",
        *(["cuda"] if "where" in text or "**" in text else []),
    ):  # every new form is built for a device
        close = np.isclose(
            trace(text, backend), trace(np.ascontiguousarray(values)[:, None], backend), rtol=1e-7, atol=1e-7
        )
        assert close.mean() > 0.999


def test_what_the_kernel_computes():
    layout = Layout((N,), None, np.dtype(np.float32))
    kinds = {name: kernel_input(stimulus, layout, DT) for name, stimulus in SHAPES.items()}
    assert {name for name, kind in kinds.items() if kind.form} == {
        "sinusoid",
        "square",
        "ramp",
        "sum",
        "sine and wiener",
    }
    assert {name for name, kind in kinds.items() if kind.noise} == {
        "wiener",
        "table and wiener",
        "sine and wiener",
        "two wieners",
    }


def test_another_number_needs_no_other_kernel(monkeypatch):
    built = []
    monkeypatch.setattr("izhigen.population.population.create_engine", lambda *a: built.append(a) or create_engine(*a))
    pop = MODEL.population(3)
    for amplitude in (1.0, 2.5, -3.0):
        pop.run(1.0, I=f"{amplitude}*sin(t/{amplitude + 5})")
    assert len(built) == 2  # the one that the population is made with, and the one for number*sin(t/number)
    pop.run(1.0, I="7*cos(t/3)")
    assert len(built) == 3


def test_numbers_are_lifted_and_small_powers_stay():
    form = form_of(parse_expression("3*t**2 + 0.5*sin(2*pi*t)**7.5 - 1", "I").tree)
    assert form.text == "(((c0 * (t**(2))) + (c1 * (sin(((c2 * pi) * t)) ** c3))) - c4)"
    assert form.numbers == (3.0, 0.5, 2.0, 7.5, 1.0)
    assert form_of(parse_expression("exprel(t)", "I").tree) is None


@pytest.mark.parametrize("text", ["where(t > 30, exp(t*1000), 5)", "log(30 - t)"])
def test_text_that_becomes_infinite_is_named_before_it_reaches_the_state(backend, text):
    pop = MODEL.population(5, dt=DT, backend=backend)
    with pytest.raises(NonFiniteError, match="input 'I' of neuron 0 is infinite or undefined in step 30[01]") as caught:
        pop.run(50.0, I=text)
    assert pop.t == pytest.approx(caught.value.step * DT) and np.isfinite(host(pop.V)).all()
    expected = MODEL.population(5, dt=DT, backend=backend)
    expected.run(steps=caught.value.step, I=text)
    np.testing.assert_array_equal(host(pop.V), host(expected.V))


def test_a_power_in_text_keeps_its_precision_beside_one_in_the_model(device):
    model = iz.Model("Powers", "dV/dt = (-V + 0.1*tanh(V)**4 + 0.1*tanh(V)**5 + I)/10", inputs=["I"])
    text = "1e6*((t + 1e4)**4 - (t + 9999)**4)/1e12 - 4e6"
    found = [
        model.population(1, dt=DT, backend=backend).run(steps=5, I=text, record=["V"]).to_host()["V"]
        for backend in ("c", "numpy", "cuda")
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-4)


def test_an_error_names_the_input_with_its_variate(backend):
    model = iz.Model("Blow", "dV/dt = V**3*0.01 + I", inputs=["I"])
    noise = inputs.ramp(1.0, 2.0, 400.0) + inputs.wiener(400.0, n=50, seed=4)
    pop = model.population(50, dt=DT, method="euler", dtype="float64", backend=backend)
    with pytest.raises(NonFiniteError) as caught:
        pop.run(400.0, I=noise)
    assert caught.value.inputs["I"] == pytest.approx(noise.sample(DT)[caught.value.step, caught.value.neuron], rel=1e-9)


def test_a_long_run_needs_no_array_of_its_steps():
    pop = MODEL.population(1000, dt=DT)
    stimulus = inputs.sinusoid(5, 20, 1e6) + inputs.wiener(1e6, n=1000, seed=1)
    pop.run(1.0, I=stimulus)
    tracemalloc.start()
    pop.run(steps=20_000, I=stimulus, record=["count"])  # as an array: 160 MB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_stimuli_can_be_pickled():
    for stimulus in SHAPES.values():
        again = pickle.loads(pickle.dumps(stimulus))
        np.testing.assert_array_equal(again.sample(DT), stimulus.sample(DT))
