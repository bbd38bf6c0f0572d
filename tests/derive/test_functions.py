"""phi1 and the functions with kinks: derivatives, limits, high precision."""

import mpmath
import numpy as np
import pytest
import sympy as sp

import izhigen as iz
from izhigen.backends.evaluation import Evaluator
from izhigen.derive import functions as f

x = sp.Symbol("x", real=True)


def phi(order, z):
    with mpmath.workdps(40):
        z = mpmath.mpf(z)
        return mpmath.nsum(lambda k: z ** int(k) / mpmath.factorial(int(k) + order), [0, 120])


@pytest.mark.parametrize(("function", "order"), [(f.phi1, 1), (f.phi2, 2), (f.phi3, 3), (f.phi4, 4)])
@pytest.mark.parametrize("z", ["0.7", "-3.5", "1e-8", "-1e-3", "12"])
def test_phi_values(function, order, z):
    assert float(function(sp.Rational(z)).evalf(20)) == pytest.approx(float(phi(order, z)), rel=1e-14)


def test_limits_at_zero_and_infinity():
    assert f.phi1(sp.S.Zero) == 1
    assert f.phi2(sp.S.Zero) == sp.Rational(1, 2)
    assert f.phi3(sp.S.Zero) == sp.Rational(1, 6)
    assert f.phi4(sp.S.Zero) == sp.Rational(1, 24)
    assert f.phi1(-sp.oo) == 0


@pytest.mark.parametrize("function", [f.phi1, f.phi2, f.phi3])
@pytest.mark.parametrize("z", [0, sp.Rational(1, 3), -2, sp.Rational(1, 10**9)])
def test_derivatives_are_finite_at_zero_and_agree_with_differences(function, z):
    slope = function(x).diff(x).subs(x, z).evalf(25)
    h = sp.Rational(1, 10**8)
    difference = (function(z + h).evalf(40) - function(z - h).evalf(40)) / (2 * h)
    assert abs(slope - difference) < 1e-12


def test_kinks_differentiate_almost_everywhere():
    assert f.absolute(x).diff(x) == f.signum(x)
    assert f.heaviside(x).diff(x) == 0
    assert f.signum(x).diff(x) == 0
    assert f.floor_(x).diff(x) == 0
    assert f.maximum(x, 2).diff(x).subs(x, 3) == 1
    assert f.maximum(x, 2).diff(x).subs(x, 1) == 0
    assert f.minimum(x**2, 2).diff(x).subs(x, 1) == 2
    select = f.where(x > 0, x**3, -x).diff(x)
    assert select == f.where(x > 0, 3 * x**2, -1)


def test_a_step_at_a_number_that_only_kernels_compute():
    """SymPy asks for its digits, and they may not be there."""
    for text in ("heaviside(abs(sin(3)))", "1/heaviside(abs(exp(1)))", "exprel(abs(sin(3)))"):
        model = iz.Model("M", f"dV/dt = -V*{text}/tau", parameters={"tau": 5.0})
        assert model.program("c").source.count("V_new")


BLOCKS = {
    "damped": [-0.4, 0.3, -0.2, -0.7],
    "defective": [-0.5, 1.0, 0.0, -0.5],
    "rotation": [0.0, 2.0, -2.0, 0.0],
    "zero": [0.0, 0.0, 0.0, 0.0],
}
ENTRIES = sp.symbols("z11 z12 z21 z22", real=True)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("call", [(f.phi1_block, 0, 1), (f.phi1_block, 1, 1), (f.block_covariance, 0, 1, 1)])
def test_derivatives_of_functions_of_matrices_agree_with_differences(name, place, call):
    function, *indices = call
    value = function(*(sp.Integer(i) for i in indices), *ENTRIES)
    slope = value.diff(ENTRIES[place])
    assert not slope.has(sp.Derivative)
    evaluate, h = Evaluator("float64").compile, 1e-5

    def at(expression, shift):
        moved = [z + shift * (k == place) for k, z in enumerate(BLOCKS[name])]
        values = {symbol.name: np.float64(z) for symbol, z in zip(ENTRIES, moved)}
        return float(evaluate(expression)(values))

    assert at(slope, 0.0) == pytest.approx((at(value, h) - at(value, -h)) / (2 * h), abs=1e-9)
