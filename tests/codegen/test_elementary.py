"""Our own elementary functions: error in units in the last place, special values, agreement of population and scalar use."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp

from izhigen.codegen.printers.c import CPrinter
from izhigen.derive import functions as f
from tests.codegen.test_printer import compiled

x = sp.Symbol("x", real=True)
FUNCTIONS = {
    "phi1": f.phi1(x),
    "exp": sp.exp(x),
    "expm1": f.expm1(x),
    "tanh": sp.tanh(x),
    "sinh": sp.sinh(x),
    "cosh": sp.cosh(x),
    "phi2": f.phi2(x),
    "phi3": f.phi3(x),
    "phi4": f.phi4(x),
}
BOUNDS = {
    "phi1": 2.5,
    "exp": 2.0,
    "expm1": 3.0,
    "tanh": 4.0,
    "sinh": 4.0,
    "cosh": 3.0,
    "phi2": 8.0,
    "phi3": 24.0,
    "phi4": 60.0,
}
"""Units in the last place, each a little above the largest error found over a million arguments."""


@pytest.fixture(params=["float32", "float64"], scope="module")
def library(request, tmp_path_factory):
    printer = CPrinter(request.param)
    texts = [printer.doprint(e) for e in FUNCTIONS.values()]
    return request.param, compiled(tmp_path_factory.mktemp("elementary"), request.param, texts, printer)


def exact(name, z):
    with mpmath.workdps(40):
        z = mpmath.mpf(float(z))
        if name.startswith("phi"):
            order = int(name[3])
            if abs(z) < 0.5:
                return mpmath.fsum(z**k / mpmath.factorial(k + order) for k in range(40))
            value = mpmath.expm1(z) / z
            for k in range(1, order):
                value = (value - 1 / mpmath.factorial(k)) / z
            return value
        return getattr(mpmath, name)(z)


def arguments(number, seed=0):
    rng = np.random.default_rng(seed)
    largest = 80.0 if number is np.float32 else 690.0
    wide = rng.uniform(-largest, largest, 1200)
    small = rng.choice([-1, 1], 1200) * 10.0 ** rng.uniform(-8, 0.9, 1200)
    return np.concatenate([wide, small, np.log(2) * (np.arange(-20, 20) + 0.5)]).astype(number)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_error_in_ulp(library, name):
    dtype, functions = library
    number = np.float32 if dtype == "float32" else np.float64
    function = getattr(functions, f"f{list(FUNCTIONS).index(name)}")
    worst = 0.0
    for z in arguments(number):
        reference = exact(name, z)
        spacing = float(np.spacing(number(abs(float(reference)))))
        if number(float(reference)) == 0 or spacing < 1e-37 * (dtype == "float32"):
            continue
        worst = max(worst, abs(float(mpmath.mpf(float(function(float(z), 0.0))) - reference)) / spacing)
    assert worst <= BOUNDS[name], f"{name} {dtype}: {worst:.2f} ulp"


def test_phi1_over_bit_patterns(library):
    """300,000 arguments drawn evenly over the floats of the range, against numpy's expm1 in long double: at most 2.5 ulp."""
    dtype, functions = library
    number, bits = (np.float32, np.uint32) if dtype == "float32" else (np.float64, np.uint64)
    rng = np.random.default_rng(5)
    low, high = np.array([1e-12, 87.0], number).view(bits)
    z = rng.integers(low, high, 300_000).astype(bits).view(number) * rng.choice(np.array([-1, 1], number), 300_000)
    call = functions.f0
    found = np.array([call(float(v), 0.0) for v in z], number)
    wide = z.astype(np.longdouble)
    reference = np.expm1(wide) / wide
    error = np.abs(found.astype(np.longdouble) - reference) / np.spacing(reference.astype(number)).astype(np.longdouble)
    assert float(error.max()) <= 2.5


def test_special_values(library):
    dtype, functions = library
    call = {name: (lambda z, k=k: float(getattr(functions, f"f{k}")(z, 0.0))) for k, name in enumerate(FUNCTIONS)}
    nan, inf = float("nan"), float("inf")
    assert (
        call["phi1"](0.0) == 1.0 and call["phi2"](0.0) == 0.5 and call["exp"](0.0) == 1.0 and call["expm1"](0.0) == 0.0
    )
    assert all(np.isnan(function(nan)) for function in call.values())
    assert (
        call["exp"](inf) == inf
        and call["exp"](-inf) == 0.0
        and call["expm1"](inf) == inf
        and call["expm1"](-inf) == -1.0
    )
    assert (
        call["phi1"](-inf) == 0.0
        and np.isfinite(call["phi1"](1e6))
        and call["phi1"](-1e6) == pytest.approx(1e-6, rel=1e-6)
    )
    assert call["tanh"](inf) == 1.0 and call["tanh"](-inf) == -1.0
