"""Noise on models with fast upstrokes, on every target, against the NumPy oracle: the same spikes, and every state finite."""

from __future__ import annotations

import ctypes
import subprocess

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import izhigen as iz
from izhigen import Model
from izhigen.backends.random import normals
from izhigen.derive.lowering import symbol
from tests.end_to_end.test_random_models import COMMON, DT, FAMILIES, INPUT, PARAMETERS, STATES, terms
from tests.helpers import first_order_error, host

EIF = Model(
    "EIF",
    "dv/dt = (-(v+65) + 2*exp((v+50)/2) + I)/10",
    threshold="v > -10",
    reset="v = -68",
    inputs=["I"],
    initial={"v": -65},
).with_noise(v=1.0)
SHARP = EIF.variant("Sharp", equations="dv/dt = (-(v+65) + 0.1*exp((v+50)/0.1) + I)/10")
"""Its upstroke overflows in double precision too."""


def conductance(model, reversal=0.0):
    """With a current whose conductance enters the linear part."""
    return model.with_current("g_in*(E_g - V)", inputs=["g_in"], E_g=reversal).with_liquid_time_constant()


MODELS = {
    "EIF": (EIF, {"I": 20.0}),
    "sharp EIF": (SHARP, {"I": 20.0}),
    "EIF held after spikes": (EIF.with_refractory(2.05).variant("HeldEIF"), {"I": 20.0}),
    "AdEx": (FAMILIES["AdEx"].with_noise(V=2.0, w=3.0), {"I": 800.0}),
    "AdEx with a conductance": (
        conductance(FAMILIES["AdEx"].with_noise(V=2.0)).variant("AdExLTC"),
        {"I": 500.0, "g_in": 9.0},
    ),
    "HH": (FAMILIES["HH"].with_noise(V=2.0, n=0.01), {"I": 12.0}),
    "HH with a conductance": (conductance(FAMILIES["HH"].with_noise(V=2.0)).variant("HHLTC"), {"I": 8.0, "g_in": 0.2}),
    "Izhikevich": (conductance(iz.load("IzhikevichRef").with_noise(V=2.0, u=0.1)), {"I": 10.0, "g_in": 0.1}),
}
N, STEPS, SEED = 64, 800, 2**40 + 5
ENGINES = [("c", "float32"), ("cuda", "float32"), ("c-embedded", "float32")]
"""Each model runs on two of these, so that each of these runs most of them; and on C in double precision, in which a device gives the bits
of C, which is tested with its source.
"""
WRAPPER = """
#include <string.h>
#include "model.c"
static struct NAME_population population;
void start(float dt, double rest, uint64_t seed)
{
    memset(&population, 0, sizeof population);
    population.dt = dt;
    population.dt_rest = (float)rest;
    population.seed = seed;
    PARAMETERS
    NAME_prepare(&population);
}
void set(int state, const float *values) { memcpy((float *)&population.state + state * NAME_NEURONS, values, sizeof(float) * NAME_NEURONS); }
void get(int state, float *values) { memcpy(values, (float *)&population.state + state * NAME_NEURONS, sizeof(float) * NAME_NEURONS); }
void step(const float *values, unsigned char *spike)
{
    struct NAME_input input;
    memcpy(&input, values, sizeof input);
    NAME_step(&population, &input);
    memcpy(spike, population.spike, NAME_NEURONS);
}
"""


def start_of(model):
    """Where neurons start: a little apart."""
    pop = model.population(N, backend="numpy", dtype="float64")
    return {s: (pop.state[s] * (1 + 1e-3 * np.arange(N) / N)).astype(np.float32) for s in model.states}


def run_embedded(folder, model, inputs, dt):
    """Spikes (steps, neurons) and final states of the target for microcontrollers, built for this machine."""
    name = model.name
    (folder / "model.c").write_text(model.source("c-embedded"))
    values = "".join(f"population.parameter.{p} = {float(v)!r}f; " for p, v in model.parameters.items())
    text = WRAPPER.replace("PARAMETERS", values)
    (folder / "wrapper.c").write_text(text.replace("NAME", name))
    command = ["gcc", "-O1", "-shared", "-fPIC", f"-D{name}_NEURONS={N}", "-o", "model.so", "wrapper.c"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    library = ctypes.CDLL(str(folder / "model.so"))
    library.start.argtypes = [ctypes.c_float, ctypes.c_double, ctypes.c_uint64]
    library.start(dt, dt - float(np.float32(dt)), SEED)
    states = {s: np.ascontiguousarray(v, np.float32) for s, v in start_of(model).items()}
    for k, values in enumerate(states.values()):
        library.set(k, values.ctypes.data_as(ctypes.c_void_p))
    given = np.repeat(np.array([inputs[i] for i in model.inputs], np.float32), N)
    spikes = np.zeros((STEPS, N), np.uint8)
    for row in spikes:
        library.step(given.ctypes.data_as(ctypes.c_void_p), row.ctypes.data_as(ctypes.c_void_p))
    for k, values in enumerate(states.values()):
        library.get(k, values.ctypes.data_as(ctypes.c_void_p))
    return spikes.astype(bool), states


def run(model, inputs, backend, dtype, dt):
    """Spikes (steps, neurons) and final states of a backend."""
    pop = model.population(N, dt=dt, backend=backend, dtype=dtype, seed=SEED, **start_of(model))
    recording = pop.run(steps=STEPS, record=["spike"], check_finite=False, **inputs).to_host()
    return recording["spike"], {s: host(pop.state[s]) for s in model.states}


def alike(found, expected):
    """The share of spikes that the other has too, in the same step or one beside it."""
    near = expected.copy()
    near[1:] |= expected[:-1]
    near[:-1] |= expected[1:]
    return (found & near).sum() / max(found.sum(), 1)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.sample(4)
def test_noisy_models_spike_alike_on_every_target(name, device, tmp_path):
    model, inputs = MODELS[name]
    dt = 0.05 if name.startswith("HH") else 0.1
    expected = {dtype: run(model, inputs, "numpy", dtype, dt) for dtype in ("float32", "float64")}
    assert expected["float64"][0].any(axis=0).mean() > 0.9
    left_out = ENGINES[list(MODELS).index(name) % 3]
    for backend, dtype in [("c", "float64"), *(engine for engine in ENGINES if engine != left_out)]:
        if backend == "c-embedded":
            spikes, states = run_embedded(tmp_path, model, inputs, dt)
        else:
            spikes, states = run(model, inputs, backend, dtype, dt)
        wanted, wanted_states = expected[dtype]
        for state, values in states.items():
            assert np.isfinite(values).all() and np.isfinite(wanted_states[state]).all(), (backend, dtype, state)
        if dtype == "float64":
            np.testing.assert_array_equal(spikes, wanted, err_msg=backend)
        assert min(alike(spikes, wanted), alike(wanted, spikes)) >= 0.99, (backend, dtype)


ARGUMENTS = np.array([s * z for z in (0.0, 1e-30, 0.3, 5.0, 44.2, 60.0, 1e3, 1e5, 1e9, 1e30, 1e37) for s in (1, -1)])


@pytest.mark.parametrize("sigma", [0.0, 1e-30, 1.0, 1e30])
def test_the_spread_is_finite_for_any_rate(sigma, dtype, device):
    """A rate that is a state, so that phi1(2z) is made of phi1(z); from rest, the new state is the noise alone."""
    model = Model("Rate", "dV/dt = r*V\ndr/dt = 0*r*r").with_noise(V=1.0)
    rates = np.concatenate([ARGUMENTS, ARGUMENTS * 1e270]) if dtype == "float64" else ARGUMENTS
    found = {}
    for backend in ("c", "numpy", "cuda"):
        pop = model.population(
            len(rates), dt=1.0, backend=backend, dtype=dtype, seed=3, sigma_V=sigma, r=rates.astype(dtype)
        )
        pop.step(check_finite=False)
        found[backend] = host(pop.V)
    assert np.isfinite(found["numpy"]).all() and (found["numpy"] != 0).any() == (sigma > 0)
    for backend in ("c", "cuda"):
        error = 1e-4 if dtype == "float32" else 1e-11  # of exp at the end of its range
        np.testing.assert_allclose(found[backend], found["numpy"], rtol=error)


@pytest.mark.parametrize("rate", [-0.5, 30.0, 1e5, -1e5, -1e12, 1e30, -1e30])
def test_noise_of_a_block_is_finite_for_any_rate(rate, dtype, device):
    """A fast state beside a slow one: what a fast one passes on, and what the slow one draws itself, is right for any ratio."""
    model = Model("Pair", "dV/dt = a*V + w\ndw/dt = V/10 - w/20", parameters={"a": 1.0}).with_noise(V=1.0, w=0.5)
    value = rate if dtype == "float32" else np.full(300, rate)
    found = {}
    for backend in ("c", "numpy", "cuda"):
        pop = model.population(300, dt=1.0, backend=backend, dtype=dtype, seed=5, a=value, V=0.0, w=0.0)
        pop.step(check_finite=False)
        found[backend] = host(pop.V), host(pop.w)
    for backend in ("c", "cuda"):
        for a, b in zip(found[backend], found["numpy"]):
            assert np.isfinite(a).all() and np.isfinite(b).all()
            np.testing.assert_allclose(a, b, rtol=1e-3 if dtype == "float32" else 1e-8, atol=1e-6)
    if rate < -20:  # w is then a process of its own: its variance after one step
        drawn = 0.25 * 10 * -np.expm1(-0.1)
        assert found["c"][1].var() == pytest.approx(drawn, rel=5 * np.sqrt(2 / 300))


@settings(max_examples=6, **COMMON)
@given(first=terms(), second=terms(), dtype=st.sampled_from(["float32", "float64"]))
def test_noise_on_random_equations(first, second, dtype):
    """One step with noise on both states, within the first-order bound of rounding."""
    model = Model(
        "Random", f"dV/dt = {first} - V/tau\ndw/dt = {second} - w", parameters=PARAMETERS, inputs=["I"]
    ).with_noise(V=0.7, w=0.2)
    for backend, number in (("c", dtype), ("numpy", "float64")):
        check_noisy(model, backend, number)


@settings(max_examples=3, **{**COMMON, "suppress_health_check": list(HealthCheck)})
@given(first=terms(), second=terms())
def test_noise_on_random_equations_on_a_device(device, first, second):
    model = Model(
        "Random", f"dV/dt = {first} - V/tau\ndw/dt = {second} - w", parameters=PARAMETERS, inputs=["I"]
    ).with_noise(V=0.7, w=0.2)
    check_noisy(model, "cuda", "float32")


def check_noisy(model, backend, dtype):
    step, number = model.derive(), np.dtype(dtype).type
    pop = model.population(3, dt=DT, backend=backend, dtype=dtype, seed=SEED, **STATES)
    pop.step(I=INPUT, check_finite=False)
    drawn = {xi: normals(SEED, 0, 3, 0, stream, number) for xi, stream in step.variates}
    for name, update in step.updates.items():
        for k in range(3):
            values = {symbol("V"): STATES["V"][k], symbol("w"): STATES["w"][k], symbol("I"): INPUT[k]}
            values |= {symbol("dt"): DT, symbol("t"): 0.0, **{symbol(p): v for p, v in model.parameters.items()}}
            values |= {xi: variates[k] for xi, variates in drawn.items()}
            values = {key: float(number(value)) for key, value in values.items()}
            exact, scale = first_order_error(update, values)
            # a variate is off by units in the last place of 1, not of its own
            _, most = first_order_error(update, values | dict.fromkeys(drawn, 4.0))
            found, eps = float(host(pop.state[name])[k]), float(np.finfo(number).eps)
            assert abs(found - exact) <= 24 * eps * (scale + most), (name, k, found, exact, str(model))
