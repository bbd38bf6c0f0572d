"""Random equations through the whole pipeline: parse, derive, print, compile, run, against SymPy's values in 40 digits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from izhigen import Model
from izhigen.derive.lowering import symbol
from izhigen.derive.scheme import method_names
from izhigen.derive.system import algebraic_definitions
from tests.helpers import ALL, first_order_error

PARAMETERS = {"p": 0.7, "q": -1.3, "tau": 8.0}
STATES = {"V": np.array([-1.2, 0.35, 2.1]), "w": np.array([0.8, -0.45, 1.7])}
INPUT = np.array([0.5, -2.0, 3.25])
DT = 0.05


def terms():
    leaf = st.sampled_from(["V", "w", "I", "p", "q", "tau", "0.3", "2", "1.25"])
    binary = st.sampled_from(
        ["({} + {})", "({} - {})", "({} * {})", "({} / (2.5 + abs({})))", "max({}, {})", "min({}, {})"]
    )
    unary = st.sampled_from(
        [
            "exp(-abs({}) / 4)",
            "tanh({})",
            "sin({})",
            "cos({} / 2)",
            "sqrt(({})**2 + 0.1)",
            "log(({})**2 + 1.5)",
            "({})**2",
            "({} / 3)**3",
            "exprel(-abs({}))",
            "-({})",
            "1 / (1 + exp(-({}) / 3))",
            "abs({})",
            "heaviside({})",
            "clip({}, -2, 2)",
            "(({}) + 4)/(1 - exp(-0.5*(({}) + 4)) + 2)",
        ]
    )
    return st.recursive(
        leaf,
        lambda e: st.one_of(
            st.builds(lambda form, a, b: form.format(a, b), binary, e, e),
            st.builds(lambda form, a: form.replace("{}", a), unary, e),
            st.builds("where({} > {}, {}, {})".format, e, e, e, e),
            st.builds("where({} > 0.2 and not {} <= 0.6 or {} < -1, {}, {})".format, e, e, e, e, e),
        ),
        max_leaves=9,
    )


def check(model, backend, dtype, method="exp_euler"):
    """One step of three neurons, each within the first-order bound of rounding."""
    step = model.derive(method)
    pop = model.population(3, dt=DT, backend=backend, dtype=dtype, method=method, **STATES)
    pop.step(I=INPUT, check_finite=False)
    number = np.float32 if dtype == "float32" else np.float64
    eps = float(np.finfo(number).eps)
    for name, update in step.updates.items():
        for k in range(3):
            values = {
                symbol("V"): STATES["V"][k],
                symbol("w"): STATES["w"][k],
                symbol("I"): INPUT[k],
                symbol("dt"): DT,
                symbol("t"): 0.0,
            }
            values |= {symbol(key): value for key, value in PARAMETERS.items()}
            values = {key: float(number(value)) for key, value in values.items()}
            exact, scale = first_order_error(update, values)
            found = float(pop.state[name][k])
            assert abs(found - exact) <= 24 * eps * scale, (name, k, found, exact, scale * eps, str(model))


def check_traces(model, backend, dtype):
    """The traces of the input and of the line ``x`` in the second of two steps, the line within the bound of rounding on its row."""
    pop = model.population(3, dt=DT, backend=backend, dtype=dtype, **STATES)
    rows = np.stack([np.zeros(3), INPUT])
    found = pop.run(steps=2, I=rows, record="all", check_finite=False).to_host()
    number = np.float32 if dtype == "float32" else np.float64
    np.testing.assert_array_equal(found["I"], rows.astype(number))
    line = algebraic_definitions(model)["x"]
    for k in range(3):
        values = {symbol(key): float(number(value)) for key, value in PARAMETERS.items()}
        values |= {symbol(name): float(found[name][1, k]) for name in ("V", "w", "I")}
        exact, scale = first_order_error(line, values | {symbol("t"): 2 * DT})
        assert abs(float(found["x"][1, k]) - exact) <= 24 * float(np.finfo(number).eps) * scale, (k, str(model))


COMMON = dict(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@settings(max_examples=25 if ALL else 10, **COMMON)
@given(first=terms(), second=terms(), dtype=st.sampled_from(["float32", "float64"]))
def test_exponential_euler_of_random_equations(first, second, dtype):
    model = Model(
        "Random", f"dV/dt = {first} - V/tau\ndw/dt = p*V - q*w + x\nx = {second}", parameters=PARAMETERS, inputs=["I"]
    )
    for backend, number in (("c", dtype), ("numpy", "float64")):
        check(model, backend, number)
        check_traces(model, backend, number)


@settings(max_examples=6, **{**COMMON, "suppress_health_check": list(HealthCheck)})
@given(first=terms(), second=terms())
def test_random_equations_on_a_device(device, first, second):
    check(
        Model("Random", f"dV/dt = {first} - V/tau\ndw/dt = p*V - q*w + {second}", parameters=PARAMETERS, inputs=["I"]),
        "cuda",
        "float32",
    )


@settings(max_examples=8, **COMMON)
@given(
    first=terms(),
    second=terms(),
    method=st.sampled_from([name for name in method_names() if name not in ("exp_euler", "exact")]),
)
def test_runge_kutta_of_random_equations(first, second, method):
    model = Model("Random", f"dV/dt = {first} - V/tau\ndw/dt = {second} - w", parameters=PARAMETERS, inputs=["I"])
    check(model, "c", "float64", method)
    check(model, "numpy", "float64", method)


FAMILIES = {
    "AdEx": Model(
        "AdEx",
        """
        dV/dt = (g*(E - V) + g*D*exp((V - T)/D) - w + I)/C
        dw/dt = (a*(V - E) - w)/tau""",
        threshold="V >= -40",
        reset="V = E; w = w + b",
        inputs=["I"],
        initial={"V": "E"},
        parameters={"C": 281.0, "g": 30.0, "E": -70.6, "T": -50.4, "D": 2.0, "a": 4.0, "tau": 144.0, "b": 80.5},
    ),
    "HH": __import__("tests.codegen.test_kernel", fromlist=["HODGKIN_HUXLEY"]).HODGKIN_HUXLEY,
    "Synapses": Model(
        "Synapses",
        """
        dV/dt = ((E - V) + R*(g_e*(0 - V) + g_i*(-80 - V)) + I)/tau
        dg_e/dt = h_e - g_e/5
        dh_e/dt = -h_e/5
        dg_i/dt = -g_i/10
        dtheta/dt = (T - theta)/50""",
        threshold="V >= theta",
        reset="V = E; theta = theta + 2; h_e = h_e + 0.01",
        inputs=["I"],
        initial={"V": "E", "theta": "T", "g_i": 0.02},
        parameters={"E": -65.0, "T": -50.0, "R": 10.0, "tau": 20.0},
    ),
}


@pytest.mark.parametrize(
    ("name", "current", "method"),
    [("AdEx", 700.0, "rk4"), ("HH", 12.0, "exp_euler"), ("HH", 12.0, "rk4"), ("Synapses", 25.0, "exp_euler")],
)
def test_families_run_alike_on_all_backends(name, current, method, device):
    counts = {}
    for backend in ("c", "numpy", "cuda"):
        pop = FAMILIES[name].population(5, dt=0.02, backend=backend, dtype="float64", method=method)
        counts[backend] = pop.run(60.0, I=current * np.linspace(0.8, 1.2, 5), record=["V", "spike"]).to_host()
    assert counts["c"].counts.sum() > 0
    for other in ("numpy", "cuda"):
        np.testing.assert_array_equal(counts["c"]["spike"], counts[other]["spike"])
        np.testing.assert_allclose(counts["c"]["V"][:500], counts[other]["V"][:500], rtol=1e-9)
