"""Functions of a root and of a pair of eigenvalues, in C and in NumPy, against 60 digits."""

import mpmath
import numpy as np
import pytest
import sympy as sp

from izhigen.backends.evaluation import Evaluator
from izhigen.codegen.printers.c import CPrinter
from izhigen.derive import functions as f
from tests.codegen.test_printer import compiled

x, y = sp.symbols("x y", real=True)
FUNCTIONS = [f.cosh_sqrt(x), f.sinhc_sqrt(x), f.sinhc_sqrt_slope(x), f.phi1_mean(x, y), f.phi1_difference(x, y)]
DTYPES = {"float32": np.float32, "float64": np.float64}


@pytest.fixture(params=[(where, dtype) for where in ("c", "numpy") for dtype in DTYPES], ids="-".join, scope="module")
def library(request, tmp_path_factory):
    where, dtype = request.param
    number = DTYPES[dtype]
    if where == "numpy":
        calls = [Evaluator(dtype).compile(function) for function in FUNCTIONS]
        return number, [lambda a, b, c=c: c({"x": np.array([a], number), "y": np.array([b], number)})[0] for c in calls]
    printer = CPrinter(dtype)
    texts = [printer.doprint(function) for function in FUNCTIONS]
    found = compiled(tmp_path_factory.mktemp("roots"), dtype, texts, printer)
    return number, [getattr(found, f"f{k}") for k in range(len(FUNCTIONS))]


def roots(v):
    """cosh, sinhc and the slope of sinhc, and what they are of the size of."""
    v = mpmath.mpf(float(v))
    r = mpmath.sqrt(v)
    scale = mpmath.exp(-r) if v > 0 else 1
    c, s = mpmath.cosh(r), mpmath.sinh(r) / r if v != 0 else mpmath.mpf(1)
    slope = (c - s) / (2 * v) if abs(v) > 1e-12 else mpmath.mpf(1) / 6
    return [mpmath.re(value * scale) for value in (c, s, slope)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_a_root(library):
    number, calls = library
    rng = np.random.default_rng(0)
    points = [rng.uniform(-9.99, 0, 300), rng.uniform(0, 30, 200), 10.0 ** rng.uniform(-8, 8, 200), [0.0, 1.0, -1.0]]
    points.append(-(10.0 ** rng.uniform(-8, 0, 100)))
    with mpmath.workdps(60):
        for v in np.concatenate(points).astype(number):
            for call, expected, name in zip(calls, roots(v), ("cosh", "sinhc", "slope")):
                size = max(abs(expected), 0.3 if v < 0 else 0)  # they have zeros there, or nearly so
                error = abs(mpmath.mpf(float(call(float(v), 0.0))) - expected) / size / np.finfo(number).eps
                assert error <= 8, (name, v, float(error))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_a_pair(library):
    """Real pairs, equal rates and complex pairs, small and large; to the precision of phi1 of the larger eigenvalue."""
    number, calls = library
    rng = np.random.default_rng(1)
    means = rng.choice([-1, 1], 500) * 10.0 ** rng.uniform(-6, 1.3, 500)
    squares = np.where(rng.random(500) < 0.1, 0.0, rng.choice([-1, 1], 500) * 10.0 ** rng.uniform(-6, 2.6, 500))
    means[:20], squares[:20] = -(10.0 ** rng.uniform(1, 5, 20)), 10.0 ** rng.uniform(-3, 10, 20)
    means[:20] -= np.sqrt(squares[:20])
    with mpmath.workdps(60):
        for m, q in zip(means.astype(number), squares.astype(number)):
            a, b = mpmath.mpf(float(m)), mpmath.mpf(float(q))
            r = mpmath.sqrt(b) if b != 0 else mpmath.mpf("1e-25")
            values = [mpmath.expm1(a + r) / (a + r), mpmath.expm1(a - r) / (a - r)]
            expected = [mpmath.re(sum(values) / 2), mpmath.re((values[0] - values[1]) / (2 * r))]
            size = max(map(abs, values)) * (1 + abs(a) + abs(r))
            for call, value, scale in zip(calls[3:], expected, (size, size / max(1, abs(r)))):
                error = abs(mpmath.mpf(float(call(float(m), float(q)))) - value) / scale / np.finfo(number).eps
                assert error <= 8, (m, q, float(value), float(call(float(m), float(q))), float(error))


@pytest.mark.parametrize("function", [f.sinhc_sqrt, f.cosh_sqrt])
@pytest.mark.parametrize("at", [-3.0, -0.4, 0.3, 5.0])
def test_slope_of_a_quotient_is_that_of_functions_without_the_factor(function, at):
    other = f.cosh_sqrt if function is f.sinhc_sqrt else f.sinhc_sqrt
    quotient = function(x) / (other(x) + sp.Rational(1, 3) * function(x))
    evaluate = Evaluator("float64").compile
    values = [float(evaluate(quotient)({"x": np.array([at + d])})[0]) for d in (1e-5, -1e-5)]
    slope = float(evaluate(quotient.diff(x))({"x": np.array([at])})[0])
    assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("function", [f.phi1_mean, f.phi1_difference])
@pytest.mark.parametrize(("m", "q"), [(-1.0, 2.0), (0.3, 0.0), (-2.0, -7.0), (4.0, 16.0)])
def test_slopes_of_functions_of_a_pair(function, m, q):
    evaluate = Evaluator("float64").compile
    value = evaluate(function(x, y))
    for name, dm, dq in ((x, 1e-5, 0.0), (y, 0.0, 1e-5)):
        ends = [float(value({"x": np.array([m + s * dm]), "y": np.array([q + s * dq])})[0]) for s in (1, -1)]
        slope = float(evaluate(function(x, y).diff(name))({"x": np.array([m]), "y": np.array([q])})[0])
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)


def test_slopes_of_the_action_of_a_block():
    names = sp.symbols("z0:4 v0:2", real=True)
    start = np.array([-1.0, 2.0, -0.5, 0.3, 1.5, -0.7])
    evaluate = Evaluator("float64").compile
    for row in (0, 1):
        call = f.phi1_action(row, *names)
        value = evaluate(call)
        for k, name in enumerate(names):
            ends = []
            for step in (1e-6, -1e-6):
                moved = start.copy()
                moved[k] += step
                ends.append(float(np.squeeze(value({s.name: np.array([v]) for s, v in zip(names, moved)}))))
            slope = float(np.squeeze(evaluate(call.diff(name))({s.name: np.array([v]) for s, v in zip(names, start)})))
            assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-7)


def matrices(size, rng):
    """Any, symmetric decaying, defective with equal rates, far apart in size, singular; rows up to 30."""
    for kind in range(60):
        matrix = rng.normal(size=(size, size))
        if kind % 5 == 1:
            matrix = -matrix @ matrix.T
        elif kind % 5 == 2:
            matrix = np.triu(matrix, 1) - np.eye(size)
        elif kind % 5 == 3:
            matrix = matrix * 10.0 ** rng.uniform(-3, 3, (size, 1)) * 10.0 ** rng.uniform(-3, 3, size)
        elif kind % 5 == 4:
            matrix[-1] = matrix[0]
        yield matrix * 10.0 ** rng.uniform(-3, 1.47) / np.abs(matrix).sum(axis=1).max()


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.sample(4)
def test_action_of_a_block(size, dtype, tmp_path):
    """Within a few units of the largest phi1 times the largest entry of the vector; of no size does it make a NaN."""
    number, rng = DTYPES[dtype], np.random.default_rng(size)
    names = sp.symbols(f"z0:{size * size} v0:{size}", real=True)
    rows = [f.phi1_action(row, *names) for row in range(size)]
    printer = CPrinter(dtype)
    texts = [printer.doprint(row) for row in rows]
    found = compiled(tmp_path, dtype, texts, printer, [s.name for s in names])
    calls = [getattr(found, f"f{row}") for row in range(size)]
    with mpmath.workdps(60):
        for matrix in matrices(size, rng):
            z, v = matrix.astype(number), rng.normal(size=size).astype(number)
            both = mpmath.zeros(2 * size)
            both[:size, :size], both[:size, size:] = mpmath.matrix(z.astype(float)), mpmath.eye(size)
            phi1 = mpmath.expm(both, method="taylor")[:size, size:]
            scale = max(sum(abs(phi1[i, j]) for j in range(size)) for i in range(size)) * float(np.abs(v).max())
            for row, call in enumerate(calls):
                expected = sum(phi1[row, j] * float(v[j]) for j in range(size))
                error = abs(mpmath.mpf(float(call(*z.ravel(), *v))) - expected) / scale / np.finfo(number).eps
                assert error <= 8 + np.abs(matrix).sum(axis=1).max(), (
                    matrix,
                    row,
                    float(error),
                )  # as it is conditioned
    for big in (1e5, 1e7, 1e11):
        signs = big * rng.choice([-1, 0, 1], (20, size * size + size))
        assert all(np.isfinite(call(*map(float, values))) for values in signs for call in calls)
        stiff = -big * np.eye(size)
        assert abs(calls[0](*map(float, stiff.ravel()), *([big] * size)) - 1) < 1e-2
    assert np.isnan(calls[0](*[float("nan")] * (size * size + size)))
