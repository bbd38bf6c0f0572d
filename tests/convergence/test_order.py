"""Every method through the same convergence test, on a scalar problem and on a coupled one, to +-0.1; exactness where it is claimed."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from izhigen import Model
from izhigen.derive.scheme import find_scheme, method_names
from tests.helpers import host

SCALAR = Model("Scalar", "dV/dt = 1 - V**2 + 0.3*exp(-V)", initial={"V": 0.1})
COUPLED = Model(
    "FitzHughNagumo", "dV/dt = V - V**3/3 - w + 0.5\ndw/dt = 0.4*(V + 0.7 - 0.8*w)", initial={"V": -1.0, "w": 1.0}
)
DRIVEN = Model("Driven", "dV/dt = -V*(1 + 0.5*sin(t)) + cos(2*t)", initial={"V": 0.5})


METHODS = [name for name in method_names() if name != "exact"]  # which is for linear systems


def slopes(model):
    return {
        "Scalar": lambda t, y: [1 - y[0] ** 2 + 0.3 * np.exp(-y[0])],
        "FitzHughNagumo": lambda t, y: [y[0] - y[0] ** 3 / 3 - y[1] + 0.5, 0.4 * (y[0] + 0.7 - 0.8 * y[1])],
        "Driven": lambda t, y: [-y[0] * (1 + 0.5 * np.sin(t)) + np.cos(2 * t)],
    }[model.name]


def observed_order(model, method, duration=2.0):
    start = [float(model.initial[s].evaluate({})) for s in model.states]
    exact = solve_ivp(slopes(model), (0, duration), start, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    steps = np.array([20, 40, 80]) if find_scheme(method).order >= 3 else np.array([80, 160, 320])
    errors = []
    for count in steps:
        pop = model.population(1, dt=duration / count, method=method, backend="numpy", dtype="float64")
        pop.run(steps=int(count), record=())
        errors.append(max(abs(pop.state[s][0] - e) for s, e in zip(model.states, exact)))
    return np.log2(errors[-2] / errors[-1])


@pytest.mark.parametrize("method", METHODS)
def test_order_on_a_scalar_problem(method):
    found, order = observed_order(SCALAR, method), find_scheme(method).order
    if method == "etdrk2":  # of order 3, at least, without other states
        assert found >= 2.85
    else:
        assert abs(found - (2 if method == "exp_euler" else order)) <= 0.15  # order 2 on a scalar autonomous equation


@pytest.mark.parametrize("method", METHODS)
def test_order_on_a_coupled_problem(method):
    assert abs(observed_order(COUPLED, method) - find_scheme(method).order) <= 0.15


@pytest.mark.parametrize("method", ["exp_euler", "heun2", "rk3", "rk4", "etdrk2", "exp_rosenbrock", "strang"])
def test_order_with_explicit_time(method):
    assert observed_order(DRIVEN, method) >= find_scheme(method).order - 0.1


def run(model, dt, steps, backend, **values):
    pop = model.population(1, dt=dt, backend=backend, dtype="float64", **values)
    pop.run(steps=steps, record=())
    return {s: float(pop.state[s][0]) for s in model.states}


def test_exact_on_a_linear_equation_and_two_half_steps_equal_one(backend):
    model = Model("Leak", "dV/dt = (E - V)/tau", parameters={"E": -65.0, "tau": 7.0}, initial={"V": -20.0})
    whole, halves = run(model, 3.0, 1, backend)["V"], run(model, 1.5, 2, backend)["V"]
    assert whole == pytest.approx(-65 + 45 * np.exp(-3 / 7), abs=1e-12)
    assert halves == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize(
    "matrix",
    [
        ((0.0, 1.0), (-1.0, 0.0)),
        ((-0.1, 1.0), (-1.0, -0.1)),
        ((-1.0, 1.0), (-0.25, -2.0)),
        ((-1.0, 1.0), (1.0, -1.0)),
        ((2.0, -5.0), (1.0, -2.0)),
        ((-30.0, 1.0), (1.0, -0.001)),
        ((0.5, 0.25), (0.25, 0.5)),
    ],
    ids=["rotation", "damped", "equal rates", "singular", "pure imaginary", "stiff", "growing"],
)
def test_pairs_of_linear_equations_are_exact(matrix, backend):
    (a, b), (c, d) = matrix
    model = Model(
        "Pair",
        "dx/dt = a*x + b*y + 1\ndy/dt = c*x + d*y - 2",
        parameters=dict(a=a, b=b, c=c, d=d),
        initial={"x": 1.0, "y": -0.5},
    )
    full = np.array([[a, b, 1.0], [c, d, -2.0], [0.0, 0.0, 0.0]])
    for dt, steps in ((0.4, 1), (0.1, 20), (5.0, 1)):
        expected = expm(full * dt * steps) @ [1.0, -0.5, 1.0]
        found = run(model, dt, steps, backend)
        np.testing.assert_allclose([found["x"], found["y"]], expected[:2], rtol=1e-11, atol=1e-11)


def test_larger_blocks_are_exact(backend):
    rng = np.random.default_rng(1)
    for size in (3, 4):
        matrix = rng.normal(size=(size, size))
        states = [f"x{k}" for k in range(size)]
        lines = [
            f"d{s}/dt = " + " + ".join(f"a{i}{j}*x{j}" for j in range(size)) + f" + {i}" for i, s in enumerate(states)
        ]
        values = {f"a{i}{j}": float(matrix[i, j]) for i in range(size) for j in range(size)}
        model = Model("Block", "\n".join(lines), parameters=values, initial=dict.fromkeys(states, 1.0))
        full = np.zeros((size + 1, size + 1))
        full[:size, :size], full[:size, size] = matrix, np.arange(size)
        expected = expm(full * 1.2) @ np.ones(size + 1)
        for dt, steps in ((1.2, 1), (0.1, 12)):
            found = run(model, dt, steps, backend)
            np.testing.assert_allclose([found[s] for s in states], expected[:size], rtol=1e-11, atol=1e-11)


def test_equations_coupled_by_rates_that_vary_are_taken_one_by_one(backend):
    """An adaptive neuron with a conductance: V's rate varies with g, so V and w are no block; the step is that of each alone."""
    model = Model(
        "Adaptive",
        "dV/dt = (-V - w + g*(5 - V))/10\ndw/dt = (0.5*V - w)/30\ndg/dt = -g/4",
        initial={"V": 1.0, "w": 0.3, "g": 2.0},
    )
    assert [e.kind.value for e in model.derive().system.equations] == [
        "linear, state rate",
        "linear, parameter rate",
        "linear, parameter rate",
    ]
    V, w, g, dt = 1.0, 0.3, 2.0, 0.5
    found = run(model, dt, 1, backend)
    rate = -(1 + g) / 10
    assert found["V"] == pytest.approx(V + (-V - w + g * (5 - V)) / 10 * np.expm1(rate * dt) / rate, rel=1e-13)
    assert found["w"] == pytest.approx(w - (0.5 * V - w) * np.expm1(-dt / 30), rel=1e-13)
    assert found["g"] == pytest.approx(g * np.exp(-dt / 4), rel=1e-13)


@pytest.mark.parametrize(("dt", "dtype"), [(0.1, "float32"), (1.0, "float64"), (20.0, "float64"), (20.0, "float32")])
@pytest.mark.sample(5)
def test_noise_in_a_linear_block_has_the_covariance_of_the_flow(backend, dtype, dt):
    """One step from rest against the integral of exp(As) G G^T exp(As)^T, itself by quadrature; 5 standard errors. With a parameter of each
    neuron the same words give the same noise: neurons are compared one by one, for which fewer do."""
    A = np.array([[-0.2, -1.0, 0.3], [0.5, -0.2, 0.0], [0.4, 0.0, -0.6]])
    g = {"V": 1.0, "w": 0.0, "q": 0.7}
    values = {f"a{i}{j}": A[i, j] for i in range(3) for j in range(3)}
    lines = [f"d{s}/dt = a{i}0*V + a{i}1*w + a{i}2*q" for i, s in enumerate("Vwq")]
    model = Model("OU3", "\n".join(lines), parameters=values).with_noise(V=g["V"], q=g["q"])
    n = 40_000
    pop = model.population(n, dt=dt, backend=backend, dtype=dtype, seed=11)
    few = model.population(500, dt=dt, backend=backend, dtype=dtype, seed=11, a00=np.full(500, A[0, 0]))
    for each in (pop, few):
        each.run(dt, record=())
    for s in "Vwq":
        near = {"rtol": 1e-10, "atol": 1e-10} if dtype == "float64" else {"rtol": 2e-4, "atol": 2e-4}
        np.testing.assert_allclose(host(few.state[s]), host(pop.state[s])[:500], **near)
    found = np.cov(np.array([host(pop.V), host(pop.w), host(pop.q)], float), bias=True)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    D = np.diag([g[s] ** 2 for s in "Vwq"])
    expected = sum(w * dt / 2 * (F := expm(A * (x + 1) / 2 * dt)) @ D @ F.T for x, w in zip(nodes, weights))
    spread = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / n)
    assert (np.abs(found - expected) <= 5 * spread).all(), (found, expected)


def test_block_noise_is_drawn_alike_on_all_backends(dtype, device):
    model = Model("OU2", "dV/dt = -V/5 - w\ndw/dt = V/2 - w/5").with_noise(V=1.0)
    rows = [
        model.population(300, dt=0.5, backend=b, dtype=dtype, seed=3).run(20.0, record=["V", "w"]).to_host()
        for b in ("c", "numpy", "cuda")
    ]
    for name in ("V", "w"):
        for other in rows[1:]:
            np.testing.assert_allclose(rows[0][name], other[name], atol=2e-4 if dtype == "float32" else 1e-10)


def test_stationary_variance_of_linear_noise(backend):
    """dV = -V/tau dt + g dW has variance g^2 tau/2 at any step; 4 standard errors."""
    model = Model("OU", "dV/dt = -V/tau", parameters={"tau": 2.0}).with_noise(V=1.5)
    n = 20_000
    for dt in (0.2, 2.0):
        pop = model.population(n, dt=dt, backend=backend, dtype="float64", seed=3)
        pop.run(steps=round(20 / dt), record=())
        expected = 1.5**2 * 2.0 / 2
        assert abs(host(pop.V).var() - expected) <= 4 * expected * np.sqrt(2 / n)
        assert abs(host(pop.V).mean()) <= 4 * np.sqrt(expected / n)
