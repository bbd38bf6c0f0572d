"""Methods on models of neurons: order on smooth stretches, exactness where it is claimed, and what must not become NaN.

The reference is SciPy's DOP853 at 1e-12 on right-hand sides written again here.
"""

import numpy as np
import pytest
from numpy import cosh, exp, tanh
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import izhigen as iz
from izhigen import Model
from izhigen.derive.schemes import strang
from izhigen.errors import DerivationError
from tests.helpers import host


def phi(w):
    """w/(exp(w) - 1)"""
    return w / np.expm1(w)


IZHIKEVICH = Model(
    "Izhikevich",
    "dV/dt = 0.04*V**2 + 5*V + 140 - u + 4\ndu/dt = 0.02*(0.2*V - u)",
    "V >= 30",
    "V = -65",
    initial={"V": -70.0, "u": -14.0},
)
ADEX = Model(
    "AdEx",
    "dV/dt = (-30*(V + 70.6) + 60*exp((V + 50.4)/2) - w + 700)/281\ndw/dt = (4*(V + 70.6) - w)/144",
    "V >= 0",
    "V = -70",
    initial={"V": -70.6},
)
QIF = Model("QIF", "dV/dt = (V**2 + 1)/10", initial={"V": -1.0})
SYNAPSE = Model("LIF", "dV/dt = (-(V + 65) + 10*s)/10\nds/dt = -s/4", initial={"V": -65.0, "s": 3.0})
HODGKIN_HUXLEY = Model(
    "HH",
    """dV/dt = 2 - 120*m**3*h*(V - 50) - 36*n**4*(V + 77) - 0.3*(V + 54.4)
    dm/dt = 0.1*(V + 40)/(1 - exp(-0.1*(V + 40)))*(1 - m) - 4*exp(-(V + 65)/18)*m
    dh/dt = 0.07*exp(-(V + 65)/20)*(1 - h) - h/(1 + exp(-(V + 35)/10))
    dn/dt = 0.01*(V + 55)/(1 - exp(-0.1*(V + 55)))*(1 - n) - 0.125*exp(-(V + 65)/80)*n""",
    initial={"V": -54.0, "m": 0.05, "h": 0.6, "n": 0.32},
)
MORRIS_LECAR = Model(
    "ML",
    "dV/dt = (90 - 2.2*(1 + tanh((V + 1.2)/18))*(V - 120) - 8*w*(V + 84) - 2*(V + 60))/20\n"
    "dw/dt = 0.04*((1 + tanh((V - 2)/30))/2 - w)*cosh((V - 2)/60)",
    initial={"V": -20.0, "w": 0.1},
)
LANDAU = Model("Landau", "dx/dt = x*(1.5 - x**2)", initial={"x": 0.1})
STUART = Model("Stuart", "dx/dt = x*(y - x**2)\ndy/dt = -y/3 - 0.5*x**2 + 1.2", initial={"x": 0.3, "y": 0.5})
FITZHUGH = Model("FHN", "dV/dt = V - V**3/3 - w + 0.5\ndw/dt = 0.08*(V + 0.7 - 0.8*w)", initial={"V": -1.0, "w": 0.5})
DRIVEN = Model("Driven", "dV/dt = -V*(1 + 0.5*sin(t)) + cos(2*t) - w\ndw/dt = (V*cos(t) - w)/3", initial={"V": 0.5})
PROBLEMS = {
    "Izhikevich": (IZHIKEVICH, 3.0, 16, lambda t, V, u: (0.04 * V**2 + 5 * V + 144 - u, 0.02 * (0.2 * V - u))),
    "AdEx": (
        ADEX,
        12.0,
        12,
        lambda t, V, w: (
            (-30 * (V + 70.6) + 60 * exp((V + 50.4) / 2) - w + 700) / 281,
            (4 * (V + 70.6) - w) / 144,
        ),
    ),
    "QIF": (QIF, 12.0, 32, lambda t, V: ((V**2 + 1) / 10,)),
    "LIF": (SYNAPSE, 8.0, 32, lambda t, V, s: ((-(V + 65) + 10 * s) / 10, -s / 4)),
    "HH": (
        HODGKIN_HUXLEY,
        2.0,
        48,
        lambda t, V, m, h, n: (
            2 - 120 * m**3 * h * (V - 50) - 36 * n**4 * (V + 77) - 0.3 * (V + 54.4),
            phi(-(V + 40) / 10) * (1 - m) - 4 * exp(-(V + 65) / 18) * m,
            0.07 * exp(-(V + 65) / 20) * (1 - h) - h / (1 + exp(-(V + 35) / 10)),
            0.1 * phi(-(V + 55) / 10) * (1 - n) - 0.125 * exp(-(V + 65) / 80) * n,
        ),
    ),
    "ML": (
        MORRIS_LECAR,
        20.0,
        48,
        lambda t, V, w: (
            (90 - 2.2 * (1 + tanh((V + 1.2) / 18)) * (V - 120) - 8 * w * (V + 84) - 2 * (V + 60)) / 20,
            0.04 * ((1 + tanh((V - 2) / 30)) / 2 - w) * cosh((V - 2) / 60),
        ),
    ),
    "FHN": (FITZHUGH, 3.0, 24, lambda t, V, w: (V - V**3 / 3 - w + 0.5, 0.08 * (V + 0.7 - 0.8 * w))),
    "Landau": (LANDAU, 4.0, 32, lambda t, x: (x * (1.5 - x**2),)),
    "Stuart": (STUART, 6.0, 32, lambda t, x, y: (x * (y - x**2), -y / 3 - 0.5 * x**2 + 1.2)),
    "Driven": (
        DRIVEN,
        3.0,
        24,
        lambda t, V, w: (-V * (1 + 0.5 * np.sin(t)) + np.cos(2 * t) - w, (V * np.cos(t) - w) / 3),
    ),
}
ORDERS = {"exp_euler": 1, "etdrk2": 2, "exp_rosenbrock": 2, "strang": 2, "heun2": 2, "rk4": 4}
EXACT = {("QIF", "strang"), ("LIF", "exact"), ("Landau", "strang")}
HIGHER = {("QIF", "exp_euler"): 2, ("Landau", "exp_euler"): 2, ("QIF", "etdrk2"): 4, ("LIF", "etdrk2"): 3}
"""Orders on models that are simpler than any."""
NEW = ["etdrk2", "exp_rosenbrock", "strang"]


@pytest.fixture(scope="module", params=PROBLEMS)
def problem(request):
    """A model, its duration and number of steps, and the reference at four moments."""
    model, duration, steps, slopes = PROBLEMS[request.param]
    start = [float(model.initial[s].evaluate({})) if s in model.initial else 0.0 for s in model.states]
    moments = np.linspace(0, duration, 5)[1:]
    exact = solve_ivp(
        lambda t, y: slopes(t, *y), (0, duration), start, method="DOP853", rtol=1e-12, atol=1e-12, t_eval=moments
    )
    return model, duration, steps, exact.y.T


def worst_error(problem, method, steps):
    """The largest error of a state at the four moments, relative to how far it moves."""
    model, duration, _, reference = problem
    pop = model.population(1, dt=duration / steps, method=method, backend="numpy", dtype="float64")
    start = np.array([host(pop.state[s])[0] for s in model.states])
    found = []
    for _ in range(4):
        pop.run(steps=steps // 4, record=())
        found.append([host(pop.state[s])[0] for s in model.states])
    scale = np.abs(reference - start).max(axis=0)
    return (np.abs(np.array(found) - reference) / scale).max()


@pytest.mark.parametrize("method", ORDERS)
@pytest.mark.sample(25)
def test_order_on_models_of_neurons(problem, method):
    model, _, steps, _ = problem
    if (model.name, method) in EXACT:
        assert worst_error(problem, method, steps) < 1e-10
        return
    expected = HIGHER.get((model.name, method), ORDERS[method])
    errors = [worst_error(problem, method, steps * factor) for factor in (4, 8)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(expected, abs=0.25), errors


def one_step(model, method, dt, backend="numpy", dtype="float64", **values):
    pop = model.population(1, dt=dt, method=method, backend=backend, dtype=dtype, **values)
    inputs = dict.fromkeys(model.inputs, 0.0)
    pop.run(steps=1, record=(), check_finite=False, **inputs)
    return np.array([float(host(pop.state[s])[0]) for s in model.states])


@pytest.mark.parametrize("dt", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("current", [-3.0, 0.0, 2.0])
@pytest.mark.sample(20)
def test_flow_of_a_quadratic(backend, dtype, dt, current):
    """tan, 1/x and tanh: exact up to the pole, large behind it; and two half steps are one step."""
    model = Model("Q", "dV/dt = (V**2 + I)/tau", parameters={"tau": 10.0, "I": current})
    tolerance = 1e-11 if dtype == "float64" else 1e-4
    for start in (-4.0, -1.0, 0.0, 1.5, 3.0):
        h, root = dt / 10, np.sqrt(abs(current))
        (found,) = one_step(model, "strang", dt, backend, dtype, V=start)
        if current > 0:
            angle = np.arctan(start / root) + root * h
            expected = root * np.tan(angle) if angle < np.pi / 2 else np.inf
        elif current == 0:
            expected = start / (1 - h * start) if h * start < 1 else np.inf
        else:
            c, s = np.cosh(root * h), np.sinh(root * h) / root
            expected = (start * c - root**2 * s) / (c - start * s) if c > start * s else np.inf
        if abs(expected) > 1e3:
            assert found > 1e2
            continue
        assert found == pytest.approx(expected, abs=tolerance * max(1, expected**2))
        (half,) = one_step(model, "strang", dt / 2, backend, dtype, V=start)
        (both,) = one_step(model, "strang", dt / 2, backend, dtype, V=half)
        assert both == pytest.approx(expected, abs=3 * tolerance * max(1, expected**2))


def bernoulli(x, a, b, n, h):
    """The closed form in double precision; None behind the pole. The root is that of x's own sign."""
    z = (n - 1) * a * h
    below = np.exp(-max(z, 0)) - (n - 1) * b * h * (-np.expm1(-abs(z)) / abs(z) if z else 1.0) * x ** (n - 1)
    return x * np.exp(min(z, 0) / (n - 1)) / below ** (1 / (n - 1)) if below > 0 else None


@pytest.mark.parametrize("n", [3, 4, 7])
@pytest.mark.parametrize("where", ["numpy", "c"])
def test_flow_of_an_equation_of_bernoulli(where, dtype, n):
    """Exact up to the pole for even and odd powers, and far behind it on the side of the state."""
    model = Model("B", f"dx/dt = x*(a + b*x**{n - 1})", parameters={"a": 1.0, "b": 1.0})
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    starts = np.array([-30.0, -1.2, -0.7, -1e-6, 0.0, 1e-6, 0.3, 1.0, 1.7, 25.0])
    for a, b, h in [(a, b, h) for a in (-1.5, 0.0, 1e-9, 2.0) for b in (-1.0, 0.4) for h in (1e-3, 0.3, 60.0)]:
        pop = model.population(len(starts), dt=h, method="strang", backend=where, dtype=dtype, a=a, b=b, x=starts)
        pop.run(steps=1, record=(), check_finite=False)
        for start, found in zip(starts, map(float, host(pop.x))):
            expected = bernoulli(float(np.dtype(dtype).type(start)), a, b, n, h)
            if expected is None or abs(expected) > 1e4:
                assert 1e3 < abs(found) < np.inf and np.sign(found) == np.sign(start)
            else:  # as the solution is conditioned by where its pole lies
                scale = 1 + abs(a * h) + abs(b) * h * max(abs(start), abs(expected)) ** (n - 1)
                assert found == pytest.approx(expected, rel=tolerance * scale, abs=tolerance * abs(start)), (
                    start,
                    a,
                    b,
                    h,
                )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("where", ["numpy", "c"])
def test_no_equation_of_bernoulli_makes_a_nan(where, dtype):
    model = Model("B", "dx/dt = a*x - b*x**3\ndy/dt = a*y + b*y**4", parameters={"a": 1.0, "b": 1.0})
    starts = np.array([0.0, 1e-30, -1e-30, 1.0, -1.0, 1e10, -1e10, 1e30, -1e30])
    for a in (-1e30, -1e3, 0.0, 1e3, 1e30):
        for b in (-1e30, -1.0, 0.0, 1.0, 1e30):
            options = {"dt": 0.1, "method": "strang", "backend": where, "dtype": dtype}
            pop = model.population(len(starts), a=a, b=b, x=starts, y=starts, **options)
            pop.run(steps=3, record=(), check_finite=False)
            assert np.isfinite([host(pop.x), host(pop.y)]).all(), (a, b)


def test_what_is_an_equation_of_bernoulli():
    sides = {
        "x*(1 - x)*(1 + x)": 3,
        "(y + I)*x - 2*x**4/k": 4,
        "-x**3*exp(y)": 3,
        "x - x**3 + 1": None,
        "x - x**3 + x**5": None,
        "x - x**2": None,
        "x - abs(x)**3": None,
        "x - x**3*abs(x)": None,
        "k*x - sqrt(x)": None,
        "x - x**-2": None,
    }
    for side, power in sides.items():
        model = Model("M", f"dx/dt = {side}\ndy/dt = -y", parameters={"k": 2.0}, inputs=["I"])
        parts = strang.bernoulli(model.derive("strang").system.equations[0])
        assert (parts and int(parts[2])) == power, side


CHAIN = Model(
    "Chain",
    "dV/dt = (-V + R*s + 3)/tau\nds/dt = -s/2 + q\ndq/dt = -q/2 - r\ndr/dt = q/3 - r/tau\ndz/dt = V + 0.1",
    parameters={"R": 4.0, "tau": 5.0},
    initial={"V": 1.0, "s": 2.0, "q": -1.0, "r": 0.5},
)


def test_linear_systems_are_exact(backend):
    """A block in a chain of equations, equal rates and a rate of 0 among them."""
    A = np.array(
        [
            [-1 / 5, 4 / 5, 0, 0, 0, 3 / 5],
            [0, -1 / 2, 1, 0, 0, 0],
            [0, 0, -1 / 2, -1, 0, 0],
            [0, 0, 1 / 3, -1 / 5, 0, 0],
            [1, 0, 0, 0, 0, 0.1],
            [0, 0, 0, 0, 0, 0],
        ]
    )
    start = [1.0, 2.0, -1.0, 0.5, 0.0, 1.0]
    for dt in (0.1, 7.0):
        found = one_step(CHAIN, "exact", dt, backend)
        np.testing.assert_allclose(found, (expm(A * dt) @ start)[:-1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("equations", "message"),
    [
        ("dV/dt = -V\ndu/dt = V*u", "du/dt is not linear"),
        ("dV/dt = -V + sin(t)", "dV/dt reads t"),
        ("dV/dt = -abs(V)", "dV/dt is not linear: it has a kink"),
        ("dV/dt = -V + w\ndw/dt = 1/(1 + V**2)", "dw/dt is not linear"),
    ],
)
def test_exact_refuses_what_is_not_linear(equations, message):
    with pytest.raises(DerivationError, match=message):
        Model("M", equations).derive("exact")


@pytest.mark.parametrize("method", NEW)
@pytest.mark.parametrize(
    "matrix",
    [((0.0, 1.0), (-1.0, 0.0)), ((-1.0, 1.0), (-0.25, -2.0)), ((-1.0, 1.0), (1.0, -1.0)), ((-30.0, 1.0), (1.0, -1e-3))],
    ids=["rotation", "equal rates", "singular", "stiff"],
)
def test_linear_blocks_are_exact(method, matrix):
    (a, b), (c, d) = matrix
    model = Model("Pair", f"dx/dt = {a}*x + {b}*y + 1\ndy/dt = {c}*x + {d}*y - 2", initial={"x": 1.0, "y": -0.5})
    full = np.array([[a, b, 1.0], [c, d, -2.0], [0.0, 0.0, 0.0]])
    expected = expm(full * 0.7) @ [1.0, -0.5, 1.0]
    np.testing.assert_allclose(one_step(model, method, 0.7), expected[:2], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", NEW)
def test_rates_that_vary_with_other_states_keep_a_linear_equation_exact(method):
    """One state moves, and the other's rate is its parameter only by what it is at the moment: nothing else changes."""
    model = Model("Gate", "dn/dt = (1 - n)*exp(x/9) - n*x\ndx/dt = 0", initial={"n": 0.2, "x": 1.3})
    rate, steady = np.exp(1.3 / 9) + 1.3, np.exp(1.3 / 9) / (np.exp(1.3 / 9) + 1.3)
    assert one_step(model, method, 2.0)[0] == pytest.approx(steady + (0.2 - steady) * np.exp(-2 * rate), rel=1e-13)


@pytest.mark.parametrize("method", [*NEW, "exp_euler"])
def test_dense_output(method):
    """A step of theta*dt: the identity at 0, continuous, and of the method's order: the error falls with theta."""
    model, *_ = PROBLEMS["Izhikevich"]
    start = np.array([-70.0, -14.0])
    np.testing.assert_allclose(one_step(model, method, 1e-12), start, rtol=1e-11)
    moves = np.array([one_step(model, method, 0.5 * theta) - start for theta in np.linspace(0.05, 1, 40)])
    assert (np.abs(np.diff(moves, n=2, axis=0)) <= 0.02 * np.abs(moves).max(axis=0)).all()


UPSTROKES = {
    "Izhikevich": iz.load("IzhikevichLTC"),
    "EIF": Model(
        "EIF",
        "dV/dt = (-65 - V + 2*exp((V + 50)/2) + I)/tau",
        "V >= 0",
        "V = -65",
        parameters={"tau": 10.0},
        inputs=["I"],
        initial={"V": -65},
    ),
    "AdEx": Model(
        "AdEx",
        "dV/dt = (-30*(V + 70.6) + 60*exp((V + 50.4)/2) - w + I)/281\ndw/dt = (4*(V + 70.6) - w)/144",
        "V >= 0",
        "V = -70; w = w + 80",
        inputs=["I"],
        initial={"V": -70},
    ),
    "QIF": Model("QIF", "dV/dt = (V**2 + I)/10", "V >= 10", "V = -10", inputs=["I"]),
}
STIFF = Model(
    "Stiff",
    "dV/dt = (E - V)*k + w*0.001\ndw/dt = (1/(1 + exp(-V/5)) - w)*k2\ndz/dt = -z*k2 + V*w",
    parameters={"E": 5.0, "k": 1e5, "k2": 1e-8},
)


PLACES = [(name, method, "numpy", dtype) for name in UPSTROKES for method in NEW for dtype in ("float32", "float64")]
PLACES += [("Izhikevich", method, "c", "float32") for method in NEW]
PLACES += [("AdEx", "etdrk2", "c", "float32"), ("AdEx", "exp_rosenbrock", "c", "float64")]


@pytest.mark.parametrize(("name", "method", "backend", "dtype"), PLACES)
def test_no_step_is_too_long(name, method, backend, dtype):
    """Wherever the state starts and however long the step is, it is a number; a neuron above the pole spikes."""
    model = UPSTROKES[name]
    voltages = np.array([-1e3, -300.0, -65.0, -51.0, -20.0, 5.0, 29.0, 300.0, 1e3])
    for dt in (1e-3, 0.1, 1.0, 10.0):
        pop = model.population(len(voltages), dt=dt, method=method, backend=backend, dtype=dtype, V=voltages)
        rec = pop.run(steps=20, record=["spike"], check_finite=False, I=10.0)
        assert all(np.isfinite(host(pop.state[s])).all() for s in model.states), dt
        first = (
            {int(k) for t, k in zip(rec.spike_times, rec.spike_indices) if t <= dt * 1.01}
            if len(rec.spike_times)
            else set()
        )
        assert {7, 8} <= first, dt  # above the threshold at the start
        if model.states[-1] != "V":
            assert np.abs(host(pop.state[model.states[-1]])).max() < 3e4  # no overshoot reached it


@pytest.mark.parametrize("method", NEW)
@pytest.mark.parametrize(("k", "k2"), [(1e5, 1e-8), (1e-8, 1e5), (1e5, 1e5), (0.0, 0.0)])
@pytest.mark.parametrize(("backend", "dtype"), [("numpy", "float64"), ("numpy", "float32"), ("c", "float32")])
def test_rates_of_all_sizes(k, k2, method, backend, dtype):
    for dt in (1e-3, 10.0):
        pop = STIFF.population(1, dt=dt, method=method, backend=backend, dtype=dtype, k=k, k2=k2, V=1e3, w=0.5)
        pop.run(steps=30, record=(), check_finite=False)
        values = [float(host(pop.state[s])[0]) for s in STIFF.states]
        assert np.isfinite(values).all()
        if k * dt > 50:
            assert values[0] == pytest.approx(5.0, abs=1e-3)


def test_auto_picks_and_says_why():
    linear, quadratic = SYNAPSE.derive("auto"), iz.load("Izhikevich").derive("auto", "located")
    assert linear.method == "exact" and quadratic.method == "rk4"
    assert iz.load("Izhikevich").derive("auto").method == "exp_euler"
    assert "method chosen: every equation is linear" in linear.report()
    assert UPSTROKES["EIF"].derive("auto", "located").method == "etdrk2"
    assert HODGKIN_HUXLEY.derive("auto", "located").method == "strang"
    stiff = Model("M", "dV/dt = -20*V + w*w\ndw/dt = -w")
    assert "V decays at 20 per ms" in stiff.derive("auto").chosen
    oscillator = Model("VanDerPol", "dx/dt = mu*(x - x**3/3 - y)\ndy/dt = x/mu", parameters={"mu": 20.0})
    assert "x decays at 40 per ms" in oscillator.derive("auto").chosen  # at x**2 = 3, where it rests without y
    assert oscillator.variant("Slow", mu=0.5).derive("auto").method == "rk4"
    pop = SYNAPSE.population(2, method="auto", backend="numpy")
    assert pop.method == "exact" and "exact" in repr(pop)
    assert "method exact" in SYNAPSE.source("c", method="auto")


def test_noise_of_a_linear_chain_has_the_covariance_of_its_flow():
    """Noise on the synapse reaches the voltage within the step, under the exact method: the covariance by quadrature."""
    A, dt, n = np.array([[-0.2, 0.8], [0.0, -0.5]]), 4.0, 40_000
    model = Model("Noisy", "dV/dt = -0.2*V + 0.8*s\nds/dt = -0.5*s").with_noise(s=1.5)
    pop = model.population(n, dt=dt, method="exact", backend="numpy", dtype="float64", seed=3)
    pop.run(dt, record=())
    nodes, weights = np.polynomial.legendre.leggauss(40)
    D = np.diag([0.0, 1.5**2])
    expected = sum(w * dt / 2 * (F := expm(A * (x + 1) / 2 * dt)) @ D @ F.T for x, w in zip(nodes, weights))
    found = np.cov(np.array([host(pop.V), host(pop.s)], float), bias=True)
    spread = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / n)
    assert (np.abs(found - expected) <= 5 * spread).all(), (found, expected)


@pytest.mark.parametrize("method", ["etdrk2", "strang", "exp_rosenbrock"])
def test_states_see_one_above_a_threshold_where_it_stays_there(method):
    """While a spike is muted the potential is above its threshold, and an adaptation follows it."""
    model = Model("Mute", "dV/dt = (I - V)/10 + 0*V*V*w\ndw/dt = (V - w)/20", "V >= 10", "V = V - 1", {}, ["I"])
    model = model.with_refractory(30.0, hold=())
    found = []
    for dt in (0.5, 0.1):
        options = {"dt": dt, "spike_timing": "located", "dtype": "float64", "backend": "numpy"}
        pops = [model.population(1, method=name, **options) for name in ("rk4", method)]
        for pop in pops:
            pop.run(20.0, I=30.0)
        found.append(abs(float(pops[0].w[0] - pops[1].w[0])))
    assert found[1] < 1e-3 and found[1] < 0.1 * found[0] + 1e-9


def test_strang_is_symmetric_for_three_states_that_read_one_another():
    model = Model(
        "Three", "dx/dt = -x*y*z\ndy/dt = x*z - y*exp(x)\ndz/dt = 1 - z*x*y", initial={"x": 1.0, "y": 0.5, "z": 1.0}
    )
    fine = model.population(1, dt=0.005, method="rk4", dtype="float64", backend="numpy")
    fine.run(2.0)
    errors = []
    for dt in (0.1, 0.05):
        pop = model.population(1, dt=dt, method="strang", dtype="float64", backend="numpy")
        pop.run(2.0)
        errors.append(max(abs(float(pop.state[s][0] - fine.state[s][0])) for s in model.states))
    assert 3.5 < errors[0] / errors[1] < 4.5
