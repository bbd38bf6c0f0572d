"""Surrogate gradients: BrainPy's numbers, the smooth spikes that they are derivatives of, and a user's own."""

import json

import numpy as np
import pytest
import sympy as sp

import izhigen as iz
from izhigen.backends.numpy import Evaluator
from izhigen.derive.surrogate import Surrogate, X
from izhigen.derive.surrogates import read_surrogate
from izhigen.errors import DerivationError, EquationError, ValueShapeError
from tests.conftest import DATA

BRAINPY = json.loads((DATA / "brainpy" / "surrogates.json").read_text())
NAMES = iz.surrogates.names()
OTHER_ARGUMENTS = {"squarewave_fourier_series": {"n": 4, "t_period": 5.0}, "q_pseudo_spike": {"alpha": 1.0}}


def values(expression, x):
    found = Evaluator("float64").compile(expression)({"x": np.asarray(x, np.float64)})
    return np.broadcast_to(found, np.shape(x))


def test_all_of_brainpy():
    assert sorted(NAMES) == sorted(BRAINPY["gradient"])
    assert len(NAMES) == 18


@pytest.mark.parametrize("name", NAMES)
def test_brainpy_gradient(name):
    """BrainPy rounds these to single precision."""
    found = values(getattr(iz.surrogates, name)().gradient, BRAINPY["x"])
    np.testing.assert_allclose(found, BRAINPY["gradient"][name], rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("name", NAMES)
def test_smooth_spike_has_the_gradient(name):
    make = getattr(iz.surrogates, name)
    wide = {argument: 1.7 for argument, _ in make().arguments}
    for made in (make(), make(**OTHER_ARGUMENTS.get(name, wide))):
        x, h = np.array([-5.3, -1.9, -0.81, -0.021, 0.013, 0.37, 0.93, 1.81, 6.1]), 1e-6
        slope = (values(made.smooth, x + h) - values(made.smooth, x - h)) / (2 * h)
        np.testing.assert_allclose(values(made.gradient, x), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_finite_everywhere(name):
    """Also far away, where exponentials under- and overflow, and at the threshold itself."""
    made = getattr(iz.surrogates, name)()
    for dtype, far in (("float32", 1e30), ("float64", 1e150)):
        x = np.array([-far, -1e5, -1.0, -0.0, 0.0, 1e-30, 1.0, 1e5, far], dtype)
        with np.errstate(all="ignore"):
            assert np.isfinite(Evaluator(dtype).compile(made.gradient)({"x": x})).all(), made


def test_names_with_and_without_grad():
    assert iz.surrogates.inv_square_grad(alpha=10.0) == iz.surrogates.inv_square(10.0)
    assert read_surrogate("slayer_grad") == read_surrogate("slayer") == iz.surrogates.slayer()
    assert repr(iz.surrogates.gaussian(sigma=0.3)) == "gaussian(sigma=0.3, alpha=0.5)"
    with pytest.raises(AttributeError, match="did you mean 'sigmoid'"):
        _ = iz.surrogates.sigmiod


def test_own():
    x = sp.Symbol("x")
    by_text = read_surrogate("1/(1 + abs(x))**2")
    assert by_text.gradient == read_surrogate(1 / (1 + sp.Abs(x)) ** 2).gradient
    assert X in by_text.gradient.free_symbols
    assert repr(by_text) == "1/(1 + abs(x))**2"
    assert isinstance(read_surrogate(iz.surrogates.erf), Surrogate)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("sigmiod", DerivationError, "did you mean 'sigmoid'"),
        ("x + y", DerivationError, "reads y; it is a function of x alone"),
        ("x +", EquationError, "surrogate, column"),
        ("__import__('os')", EquationError, "surrogate"),
        (None, EquationError, "text or a SymPy expression"),
        ("1/(x - x)", DerivationError, "divides by zero"),
    ],
)
def test_bad_own(source, error, message):
    with pytest.raises(error, match=message):
        read_surrogate(source)


def test_bad_arguments():
    with pytest.raises(TypeError, match="no further argument 'beta'"):
        iz.surrogates.sigmoid(beta=1.0)
    with pytest.raises(TypeError, match="at most 1 numbers, 2 given"):
        iz.surrogates.sigmoid(1.0, 2.0)
    with pytest.raises(ValueShapeError, match="sigmoid: alpha"):
        iz.surrogates.sigmoid(alpha="steep")
    with pytest.raises(DerivationError, match="has no values"):
        iz.surrogates.gaussian(sigma=0.0)
    with pytest.raises(DerivationError, match="1 to 100 terms"):
        iz.surrogates.squarewave_fourier_series(n=2.5)
