"""The C printer: print, compile, evaluate, and compare with SymPy's own numbers."""

from __future__ import annotations

import subprocess

import cffi
import pytest
import sympy as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from izhigen.backends.toolchain import FLAGS, find_toolchain
from izhigen.codegen.elementary import in_order
from izhigen.codegen.formats import FORMATS
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.render import block_texts, elementary_texts
from izhigen.derive import functions as f
from tests.helpers import first_order_error

x, y = sp.symbols("x y", real=True)


def expressions():
    leaf = st.sampled_from([x, y, sp.Integer(2), sp.Rational(1, 3), sp.Rational(-5, 4), sp.Integer(-1), sp.pi])
    return st.recursive(
        leaf,
        lambda e: st.one_of(
            st.builds(lambda a, b: a + b, e, e),
            st.builds(lambda a, b: a - b, e, e),
            st.builds(lambda a, b: a * b, e, e),
            st.builds(lambda a, b: a / (f.absolute(b) + 2), e, e),
            st.builds(lambda a, n: a**n, e, st.sampled_from([2, 3, 5, 7])),
            st.builds(lambda a: 1 / (3 + a**2), e),
            st.builds(lambda a: -a, e),
            st.builds(lambda a: sp.sqrt(a**2 + 1), e),
            st.builds(lambda a: sp.exp(-f.absolute(a)), e),
            st.builds(lambda a: f.phi1(sp.sin(a)), e),
            st.builds(sp.tanh, e),
            st.builds(f.expm1, st.just(x / 3)),
            st.builds(lambda a: sp.log(a**2 + 2), e),
            st.builds(f.maximum, e, e),
            st.builds(lambda a, b, c: f.where(a > b, c, b), e, e, e),
            st.builds(f.heaviside, e),
            st.builds(f.signum, e),
            st.builds(lambda a: (a**2 + 1) ** sp.Rational(2, 3), e),
        ),
        max_leaves=8,
    )


def compiled(tmp_path, dtype, texts, printer, names=("x", "y")):
    """Evaluate printed expressions in one library: f<k>(x, y), or of other names."""
    real = FORMATS[dtype].real
    body = [
        *("\n".join(printer.power_function(n)) for n in sorted(printer.powers)),
        *elementary_texts(printer, in_order(printer.elementary)),
        *block_texts(printer),
    ]
    lines = ["#include <math.h>", "#include <stdint.h>", "#include <string.h>", *body]
    given, unused = ", ".join(f"{real} {name}" for name in names), " ".join(f"(void){name};" for name in names)
    lines += [f"{real} f{k}({given}) {{ {unused} return {text}; }}" for k, text in enumerate(texts)]
    source, library = tmp_path / "f.c", tmp_path / f"f{len(list(tmp_path.iterdir()))}.so"
    source.write_text("\n".join(lines))
    compiler = find_toolchain()
    subprocess.run(
        [
            *compiler.command,
            *FLAGS,
            "-Wall",
            "-Wextra",
            "-Wconversion",
            "-Werror",
            "-Wno-unused-function",
            "-o",
            str(library),
            str(source),
            "-lm",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    ffi = cffi.FFI()
    ffi.cdef("\n".join(f"{real} f{k}({given});" for k in range(len(texts))))
    return ffi.dlopen(str(library))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(batch=st.lists(expressions(), min_size=12, max_size=12))
def test_print_compile_evaluate(tmp_path, dtype, batch):
    printer = CPrinter(dtype)
    texts = [printer.doprint(e) for e in batch]
    library = compiled(tmp_path, dtype, texts, printer)
    eps = 2.0**-23 if dtype == "float32" else 2.0**-52
    for k, expression in enumerate(batch):
        for a, b in ((0.5, -1.25), (-2.0, 0.75)):
            exact, scale = first_order_error(expression, {x: a, y: b})
            assert abs(float(getattr(library, f"f{k}")(a, b)) - exact) <= 16 * eps * scale, (texts[k], expression)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (x - y, "x - y"),
        (-x, "-x"),
        (x * (y + 1), "x * (1.0f + y)"),
        (x / (2 * y), "0.5f * x / y"),
        (1 / x, "1.0f / x"),
        (x**2, "(x * x)"),
        (sp.Rational(1, 3) * x, "0.33333334f * x"),
        (sp.sqrt(x), "sqrtf(x)"),
        (x - (y - 2), "2.0f + x - y"),
        (sp.Integer(3), "3.0f"),
        (f.where(x >= y, x, 0), "((x >= y) ? x : 0.0f)"),
        (-(x + y), "-x - y"),
        (x / y / (x + 1), "x / (y * (1.0f + x))"),
        (sp.log(x), "iz_log(x)"),
        (x**y, "iz_pow(x, y)"),
        (x ** sp.Rational(3, 4), "iz_pow(x, 0.75f)"),
        (f.floor_(x), "floorf(x)"),
    ],
)
def test_spelling(expression, text):
    assert CPrinter("float32").doprint(expression) == text


def test_names_never_collide_with_the_language():
    assert [c_name(n) for n in ("V", "int", "int_", "tile", "register", "v_t", "iz_x")] == [
        "V",
        "int_",
        "int__",
        "tile_",
        "register_",
        "v_t",
        "iz_x_",
    ]
