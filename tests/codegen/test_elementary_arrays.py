"""Logarithms, powers, trigonometric functions, erf and the short phi1, called in loops over arrays with gcc and clang, fused and not."""

from __future__ import annotations

import ctypes
import itertools
import shutil
import subprocess
from functools import cache

import mpmath
import numpy as np
import pytest
import scipy.special

from izhigen.codegen.elementary import in_order
from izhigen.codegen.formats import ANGLE, FORMATS
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.render import elementary_texts
from tests.codegen.test_source import STRICT

ARGUMENTS = {"log": 1, "log1p": 1, "sin": 1, "cos": 1, "tan": 1, "erf": 1, "phi1_near": 1, "phi1_wide": 1, "pow": 2}
LOOPS = {**ARGUMENTS, "phi1": 1, "phi1_unlimited": 1}
BOUNDS = {
    "log": 1.0,
    "log1p": 1.0,
    "sin": 1.0,
    "cos": 1.0,
    "tan": 1.8,
    "erf": 1.5,
    "phi1_near": 1.6,
    "phi1_wide": 3.5,
    "pow": 1.3,
}
"""Units in the last place, whether or not the compiler fuses products and sums, each a little above the largest error found over a million arguments."""
FUSED = {"phi1_near": 1.2, "phi1_wide": 2.5}
"""Where fused products and sums do better by design."""
NUMBERS = {"float32": np.float32, "float64": np.float64}
CONTRACTIONS = ("fast", "off")
LIBRARIES = list(itertools.product(("gcc", "clang"), NUMBERS, CONTRACTIONS))


@cache
def built(folder, compiler, dtype, contraction):
    printer, real = CPrinter(dtype), FORMATS[dtype].real
    lines = [
        "#include <math.h>",
        "#include <stdint.h>",
        "#include <string.h>",
        *elementary_texts(printer, in_order(set(LOOPS), printer.PROVIDED)),
    ]
    for name, count in LOOPS.items():
        given = [f"const {real} *{letter}" for letter in "xy"[:count]]
        values = ", ".join(f"{letter}[i]" for letter in "xy"[:count])
        lines += [
            f"void loop_{name}({', '.join(given)}, {real} *out, int n);",
            f"void loop_{name}({', '.join(given)}, {real} *out, int n) {{ int i; for (i = 0; i < n; i++) out[i] = iz_{name}({values}); }}",
        ]
    lines += [
        "int fuses(void);",
        "#ifdef __FP_FAST_FMA",
        "int fuses(void) { return 1; }",
        "#else",
        "int fuses(void) { return 0; }",
        "#endif",
    ]
    source, library = folder / f"{dtype}.c", folder / f"{compiler}-{dtype}-{contraction}.so"
    source.write_text("\n".join(lines) + "\n")
    flags = [
        *(f for f in STRICT if not f.startswith("-ffp-contract")),
        "-O3",
        "-march=native",
        "-fno-math-errno",
        "-fno-trapping-math",
    ]
    subprocess.run(
        [compiler, *flags, f"-ffp-contract={contraction}", "-fPIC", "-shared", "-o", str(library), str(source), "-lm"],
        check=True,
        capture_output=True,
        text=True,
    )
    return ctypes.CDLL(str(library))


class Functions:
    """The loops of one library as functions of arrays."""

    def __init__(self, library, number):
        self.library, self.number = library, number

    def __call__(self, name, *arrays):
        given = [np.ascontiguousarray(a, self.number) for a in arrays]
        out = np.empty_like(given[0])
        getattr(self.library, f"loop_{name}")(
            *(a.ctypes.data_as(ctypes.c_void_p) for a in (*given, out)), ctypes.c_int(len(out))
        )
        return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("arrays")


@pytest.fixture(params=LIBRARIES, ids="-".join, scope="module")
def setting(request, folder):
    compiler, dtype, contraction = request.param
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    library = built(folder, compiler, dtype, contraction)
    return dtype, contraction == "fast" and bool(library.fuses()), Functions(library, NUMBERS[dtype])


def over_bit_patterns(low, high, count, number, rng):
    """Arguments spread evenly over the numbers from low to high."""
    bits = np.uint32 if number is np.float32 else np.uint64
    first, last = np.array([low, high], number).view(bits)
    return rng.integers(first, last, count, dtype=bits, endpoint=True).view(number)


def trigonometric_arguments(limit, count, number, rng, signs):
    multiples = (
        rng.choice(np.arange(1, 63_000), count // 2, replace=False) * (np.pi / 2)
        if count < 120_000
        else np.arange(1, 63_000) * (np.pi / 2)
    )
    return [
        signs(over_bit_patterns(1e-6, limit, count, number, rng)),
        rng.uniform(-100, 100, count),
        rng.uniform(-limit, limit, count),
        multiples,
    ]


@cache
def arguments(name, dtype):
    """Over all bit patterns of the range, and densely where the function has joins or loses digits."""
    number = NUMBERS[dtype]
    count, rng, info = 300_000 if dtype == "float32" else 1000, np.random.default_rng(11), np.finfo(NUMBERS[dtype])

    def signs(values):
        return values * rng.choice(np.array([-1, 1], number), len(values))

    def near_one():
        return 1 + signs((10.0 ** rng.uniform(-7, -0.5, count)).astype(number))

    patterns = over_bit_patterns(info.smallest_subnormal, info.max, count, number, rng)
    if name == "log":
        parts = [patterns, rng.uniform(0.5, 2, count), near_one()]
    elif name == "log1p":
        parts = [
            patterns,
            -over_bit_patterns(info.smallest_subnormal, 1 - info.epsneg, count, number, rng),
            rng.uniform(-0.99, 4, count),
        ]
    elif name == "erf":
        parts = [
            signs(over_bit_patterns(info.smallest_subnormal, 7, count, number, rng)),
            rng.uniform(-6, 6, count),
            rng.uniform(0.5, 1.5, count),
        ]
    elif name == "phi1_near":
        parts = [signs(over_bit_patterns(1e-12, 1, count, number, rng)), rng.uniform(-1, 1, count)]
    elif name == "phi1_wide":
        parts = [signs(over_bit_patterns(1e-12, 2, count, number, rng)), rng.uniform(-2, 2, count)]
    elif name == "pow":
        parts = [patterns, rng.uniform(0.5, 2, count), near_one(), rng.uniform(0, 100, count)]
    else:
        parts = trigonometric_arguments(float(ANGLE[dtype].exact_limit.rstrip("f")), count, number, rng, signs)
    x = np.concatenate([p.astype(number) for p in parts])
    if name != "pow":
        return (x,)
    with np.errstate(all="ignore"):  # results over the whole range, subnormal ones and overflow too
        y = rng.uniform(-1.05, 1.02, len(x)) * info.maxexp / np.log2(x.astype(np.float64))
    y[-count:] = rng.uniform(-5, 5, count)
    return x, np.nan_to_num(y, nan=3.0).clip(info.min, info.max).astype(number)


EXACT = {
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "erf": scipy.special.erf,
    "pow": np.power,
    "phi1_near": lambda z: np.expm1(z) / z,
    "phi1_wide": lambda z: np.expm1(z) / z,
}


@cache
def rounded_and_rest(name, dtype):
    """The exact values as the nearest number of the precision, and what that leaves: by float64 for float32, by mpmath for float64."""
    given, number = arguments(name, dtype), NUMBERS[dtype]
    with np.errstate(all="ignore"):
        if dtype == "float32":
            exact = EXACT[name](*(g.astype(np.float64) for g in given))
            rounded = exact.astype(number)
            return rounded, np.where(np.isfinite(rounded), exact - rounded, 0)
    functions = {
        "log1p": mpmath.log1p,
        "phi1_near": lambda z: mpmath.expm1(z) / z,
        "phi1_wide": lambda z: mpmath.expm1(z) / z,
        "pow": mpmath.power,
    }
    with mpmath.workdps(60):
        exact = [
            functions.get(name, getattr(mpmath, name, None))(*(mpmath.mpf(float(v)) for v in values))
            for values in zip(*given)
        ]
        rounded = np.array([float(e) for e in exact])
        return rounded, np.array([float(e - r) if np.isfinite(r) else 0.0 for e, r in zip(exact, rounded)])


@pytest.mark.parametrize("name", ARGUMENTS)
def test_error_in_ulp(setting, name):
    dtype, fused, functions = setting
    rounded, rest = rounded_and_rest(name, dtype)
    found = functions(name, *arguments(name, dtype))
    ordinary = np.isfinite(rounded)
    assert np.isfinite(rounded).mean() > 0.9
    largest = np.finfo(NUMBERS[dtype]).max
    assert (found[~ordinary] == rounded[~ordinary]).all() or (np.abs(found[~ordinary]) >= largest).all()
    difference = (found[ordinary].astype(np.float64) - rounded[ordinary]) - rest[ordinary]
    error = np.abs(difference) / np.spacing(np.abs(rounded[ordinary])).astype(np.float64)
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    bound = FUSED.get(name, BOUNDS[name]) if fused else BOUNDS[name]
    assert error[worst] <= bound, (
        f"{name} at {[float(a[ordinary][worst]) for a in arguments(name, dtype)]}: {error[worst]:.2f} ulp"
    )


NAN, INF = float("nan"), float("inf")
SPECIAL = {
    "log": [(0.0, -INF), (-0.0, -INF), (-1.0, NAN), (-INF, NAN), (INF, INF), (NAN, NAN), (1.0, 0.0)],
    "log1p": [(0.0, 0.0), (-0.0, -0.0), (-1.0, -INF), (-1.5, NAN), (-INF, NAN), (INF, INF), (NAN, NAN)],
    "sin": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN), (1e30, 0.0), (-1e30, 0.0)],
    "cos": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (NAN, NAN), (1e30, 1.0), (-1e30, 1.0)],
    "tan": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN), (1e30, 0.0)],
    "erf": [(0.0, 0.0), (-0.0, -0.0), (INF, 1.0), (-INF, -1.0), (NAN, NAN), (7.0, 1.0), (-7.0, -1.0)],
    "phi1_near": [(0.0, 1.0), (-0.0, 1.0), (NAN, NAN)],
    "phi1_wide": [(0.0, 1.0), (-0.0, 1.0), (NAN, NAN)],
}
"""What the C library gives, except sine, cosine and tangent of arguments above ``ANGLE[...].limit``, which count as 0."""


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(setting, name):
    _, _, functions = setting
    given, expected = np.array(SPECIAL[name]).T
    found = functions(name, given)
    np.testing.assert_array_equal(found, expected)
    zero = (expected == 0) & (np.abs(given) < 1e29)
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))


def test_special_values_of_pow(setting):
    """Every pair of values where C99 F.9.4.4 says something, against NumPy's power in double precision, signs of zeros too."""
    dtype, _, functions = setting
    info, number = np.finfo(NUMBERS[dtype]), NUMBERS[dtype]
    odd = 2.0**info.nmant + 1
    size = [
        0.0,
        1.0,
        2.0,
        0.5,
        3.0,
        4.0,
        1.5,
        INF,
        info.max,
        info.tiny,
        info.smallest_subnormal,
        1 + info.eps,
        1 - info.epsneg,
        odd,
        2 * odd,
    ]
    values = np.array([*size, *(-float(v) for v in size), NAN]).astype(number)
    x, y = (a.ravel() for a in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.float64), y.astype(np.float64)).astype(number)
    found = functions("pow", x, y)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    number_there = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[number_there], np.signbit(expected)[number_there])
    ordinary = number_there & np.isfinite(expected) & (expected != 0)
    np.testing.assert_array_equal(found[number_there & ~ordinary], expected[number_there & ~ordinary])
    np.testing.assert_allclose(found[ordinary], expected[ordinary], rtol=2 * info.eps)


def test_large_angles(setting):
    """Above the limit of exact reduction: an error as from moving the argument by a unit in its last place, and never outside [-1, 1]."""
    dtype, _, functions = setting
    angle, number = ANGLE[dtype], NUMBERS[dtype]
    low, high = (float(text.rstrip("f")) for text in (angle.exact_limit, angle.limit))
    x = np.exp(np.random.default_rng(2).uniform(np.log(low), np.log(high), 1000)).astype(number)
    x = x[x <= high]
    for name, function in (("sin", mpmath.sin), ("cos", mpmath.cos)):
        found = functions(name, x)
        with mpmath.workdps(60):
            exact = np.array([float(function(mpmath.mpf(float(v)))) for v in x])
        assert (np.abs(found - exact) <= np.spacing(x) + 2 * np.finfo(number).eps).all()
        everywhere = functions(
            name,
            np.concatenate(
                [x, over_bit_patterns(1e-3, np.finfo(number).max, 100_000, number, np.random.default_rng(3))]
            ),
        )
        assert (np.abs(everywhere) <= 1).all()
    beyond = np.array([1.01 * high, np.finfo(number).max, -1.01 * high])
    assert (
        (functions("sin", beyond) == 0).all()
        and (functions("cos", beyond) == 1).all()
        and (functions("tan", beyond) == 0).all()
    )


def test_phi1_without_limits_has_the_same_bits_where_none_are_needed(setting):
    dtype, _, functions = setting
    size, rng = FORMATS[dtype].unlimited, np.random.default_rng(5)
    assert size == {"float32": 87, "float64": 708}[dtype]
    z = over_bit_patterns(np.finfo(NUMBERS[dtype]).smallest_subnormal, size, 300_000, NUMBERS[dtype], rng)
    z = np.concatenate([z, rng.uniform(0, size, 300_000), [0.0, size]])
    for given in (z, -z):
        np.testing.assert_array_equal(functions("phi1_unlimited", given), functions("phi1", given))
    assert np.isnan(functions("phi1_unlimited", [NAN])).all()


JOINS = {
    "log": [0.5, 0.5**0.5, 1.0, 2.0**0.5, 2.0],
    "log1p": [0.5**0.5 - 1, 2.0**0.5 - 1, 1.0],
    "erf": [1.0, 1.5],
    "phi1_near": [0.5],
    "phi1_wide": [0.5, 1.0],
}


@pytest.mark.parametrize("name", JOINS)
def test_rises_across_joins(setting, name):
    """Values at neighbouring arguments never fall by more than a unit in the last place, and rise over 64 of them."""
    dtype, _, functions = setting
    number = NUMBERS[dtype]
    bits = np.int32 if dtype == "float32" else np.int64
    for join in JOINS[name]:
        start = np.array([abs(join)], number).view(bits)[0]
        x = np.sort((np.arange(start - 2000, start + 2000, dtype=bits)).view(number) * np.sign(number(join)))
        values = functions(name, x)
        assert (np.diff(values) >= -np.spacing(np.abs(values[1:])) * 1.01).all()
        assert (values[64:] > values[:-64]).all()


@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("name", ARGUMENTS)
def test_compilers_agree_to_the_bit_without_fusing(folder, dtype, name):
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler) is None:
            pytest.skip(f"{compiler} is not installed")
    found = [
        Functions(built(folder, compiler, dtype, "off"), NUMBERS[dtype])(name, *arguments(name, dtype))
        for compiler in ("gcc", "clang")
    ]
    np.testing.assert_array_equal(*found)
