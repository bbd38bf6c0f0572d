"""phi1 and the functions with kinks: derivatives, limits, high precision."""

import mpmath
import pytest
import sympy as sp

from izhigen.derive import functions as f

x = sp.Symbol("x", real=True)


def phi(order, z):
    with mpmath.workdps(40):
        z = mpmath.mpf(z)
        return mpmath.nsum(lambda k: z ** int(k) / mpmath.factorial(int(k) + order), [0, 120])


@pytest.mark.parametrize(("function", "order"), [(f.phi1, 1), (f.phi2, 2), (f.phi3, 3)])
@pytest.mark.parametrize("z", ["0.7", "-3.5", "1e-8", "-1e-3", "12"])
def test_phi_values(function, order, z):
    assert float(function(sp.Rational(z)).evalf(20)) == pytest.approx(float(phi(order, z)), rel=1e-14)


def test_limits_at_zero_and_infinity():
    assert f.phi1(sp.S.Zero) == 1
    assert f.phi2(sp.S.Zero) == sp.Rational(1, 2)
    assert f.phi3(sp.S.Zero) == sp.Rational(1, 6)
    assert f.phi1(-sp.oo) == 0


@pytest.mark.parametrize("function", [f.phi1, f.phi2])
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
