"""Surrogate gradients: BrainPy's numbers, the smooth spikes that they are derivatives of, and a user's own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import izhigen as iz
from izhigen.backends.evaluation import Evaluator
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
    with pytest.raises(TypeError, match=r"sigmoid\(\) takes alpha: .*unexpected keyword argument 'beta'"):
        iz.surrogates.sigmoid(beta=1.0)
    with pytest.raises(TypeError, match=r"sigmoid\(\) takes alpha: too many positional arguments"):
        iz.surrogates.sigmoid(1.0, 2.0)
    with pytest.raises(ValueShapeError, match="sigmoid: alpha"):
        iz.surrogates.sigmoid(alpha="steep")
    for n in (2.5, 101):
        with pytest.raises(
            ValueShapeError, match=f"squarewave_fourier_series: n={n} is not a whole number from 1 to 100"
        ):
            iz.surrogates.squarewave_fourier_series(n=n)


MAY_BE_ZERO = {
    ("inv_square", "alpha"),
    ("leaky_relu", "alpha"),
    ("leaky_relu", "beta"),
    ("log_tailed_relu", "alpha"),
    ("multi_gaussian", "h"),
    ("piecewise_leaky_relu", "c"),
    ("q_pseudo_spike", "alpha"),
    ("s2nn", "beta"),
    ("s2nn", "epsilon"),
}
"""Arguments without which a surrogate still has a gradient."""
ARGUMENTS = [(name, argument) for name in NAMES for argument, _ in getattr(iz.surrogates, name)().arguments]


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_arguments_out_of_range(name, argument):
    make = getattr(iz.surrogates, name)
    least = "0 or above" if (name, argument) in MAY_BE_ZERO else "above 0"
    with pytest.raises(ValueShapeError, match=f"{name}: {argument}=-3 is not a number {least}"):
        make(**{argument: -3.0})
    for value in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueShapeError, match=f"{name}: {argument} = {value} is not finite"):
            make(**{argument: value})
    if least == "above 0":
        with pytest.raises(ValueShapeError, match=f"{name}: {argument}=0 is not a number above 0"):
            make(**{argument: 0.0})
        return
    made, x, h = make(**{argument: 0.0}), np.array([-5.3, -0.81, 0.013, 0.93, 6.1]), 1e-6
    slope = (values(made.smooth, x + h) - values(made.smooth, x - h)) / (2 * h)
    np.testing.assert_allclose(values(made.gradient, x), slope, rtol=1e-6, atol=1e-8)


def test_names_are_functions_whatever_was_imported():
    """In an interpreter of its own, as importing a file sets its name in the package."""
    code = "import izhigen as iz\nfrom importlib import import_module\n"
    code += "".join(f"import izhigen.derive.surrogates.{name}\n" for name in NAMES)
    code += "".join(f"import_module('izhigen.derive.surrogates.{name}')\n" for name in NAMES)
    code += "".join(f"print(iz.surrogates.{name}(), iz.surrogates.{name}_grad())\n" for name in NAMES)
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    made = [repr(getattr(iz.surrogates, name)()) for name in NAMES]
    assert found.stdout.splitlines() == [f"{each} {each}" for each in made]


def test_each_file_is_named():
    folder = Path(iz.surrogates.__file__).parent
    assert sorted(NAMES) == sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def test_a_function_of_the_same_name_is_not_taken_for_one():
    def sigmoid():
        return iz.surrogates.sigmoid()

    with pytest.raises(EquationError, match="text or a SymPy expression"):
        read_surrogate(sigmoid)
