"""The safe parser: what it reads, and what it refuses with a column."""

from fractions import Fraction

import numpy as np
import pytest

from izhigen.errors import EquationError
from izhigen.model.expressions import MAX_TERMS, Binary, Name, Number, parse_expression
from izhigen.model.functions import FUNCTIONS


def test_decimals_are_exact_rationals():
    tree = parse_expression("0.1*V").tree
    assert tree == Binary("*", Number(Fraction(1, 10)), Name("V"))
    assert parse_expression("1e-3").tree == Number(Fraction(1, 1000))
    assert parse_expression("0.30000000000000000001").tree == Number(Fraction("0.30000000000000000001"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3*4", 14),
        ("2**3**2", 512),
        ("-2**2", -4),
        ("(1 - 3)/4", -0.5),
        ("min(3, 1, 2)", 1),
        ("max(3, 1, 2)", 3),
        ("clip(5, 0, 2)", 2),
        ("where(1 < 2 and not 3 < 2, 7, 8)", 7),
        ("where(0 < 1 < 1, 7, 8)", 8),
        ("where(1 > 2 or 2 >= 2, 1, 0)", 1),
        ("heaviside(0)", 1),
        ("sign(-3)", -1),
        ("floor(-1.5)", -2),
        ("abs(-2)", 2),
        ("exprel(0)", 1),
        ("expm1(0)", 0),
        ("log1p(0)", 0),
        ("sqrt(9)", 3),
        ("erf(0)", 0),
        ("cos(pi)", -1),
        ("exp(log(5))", 5),
        ("tanh(0) + sinh(0) + cosh(0) + sin(0) + tan(0)", 1),
        ("+3", 3),
        ("1_000", 1000),
    ],
)
def test_values(text, value):
    assert float(parse_expression(text).evaluate({})) == pytest.approx(value, abs=1e-15)


def test_evaluation_broadcasts_over_arrays():
    x = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(parse_expression("where(x > 0, x**2, -x)").evaluate({"x": x}), np.where(x > 0, x**2, -x))


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("__import__('os')", 1, "unknown function"),
        ("V.real", 1, "attributes"),
        ("(lambda: 1)()", 1, "can be called"),
        ("x[0]", 1, "indexing"),
        ("[1 for x in V]", 1, "not part"),
        ("'text'", 1, "not a number"),
        ("1j*V", 1, "real"),
        ("True", 1, "not a number"),
        ("V^2", 1, "'**'"),
        ("V % 2", 1, "floor"),
        ("V // 2", 1, "floor"),
        ("1 if V > 0 else 2", 1, "where"),
        ("foo(V)", 1, "unknown function"),
        ("sqr(V)", 1, "did you mean 'sqrt'"),
        ("exp(V, 2)", 1, "1 argument"),
        ("where(V, 1, 2)", 7, "condition is due"),
        ("V + (V > 1)", 6, "number is due"),
        ("V and U", 1, "condition is due"),
        ("2**1000", 4, "exponent"),
        ("9**9**9", 4, "exponent"),
        ("V**(-100)", 5, "exponent"),
        ("1e400", 1, "too large"),
        ("1/0", 1, "finite"),
        ("V/(1 - 1)", 1, "division by zero"),
        ("sqrt(-1)", 1, "finite real"),
        ("log(0)", 1, "finite real"),
        ("(-8)**0.5", 1, "finite real"),
        ("V +* 2", 4, "not a valid"),
        ("((V)", 1, "not a valid"),
        ("exp", 1, "is a function"),
        ("_x", 1, "underscore"),
        ("V + \u00b5", 5, "ASCII"),
        ("max(V)", 1, "at least 2"),
        ("exp(x=V)", 1, "named"),
        ("x := 1", None, "not a valid"),
        ("", None, "missing"),
        ("0x10", 1, "decimal"),
        ("V is U", 1, "not supported"),
        ("*V", None, ""),
    ],
)
def test_refusals_name_the_column(text, column, words):
    with pytest.raises(EquationError, match="(?s)" + words.replace("*", r"\*").replace("(", r"\(")) as caught:
        parse_expression(text, "equation dV/dt")
    assert "equation dV/dt" in str(caught.value)
    if column is not None:
        assert caught.value.column == column


def test_columns_count_from_the_line_that_an_expression_was_cut_from():
    with pytest.raises(EquationError) as caught:
        parse_expression("  foo(V)", "x", offset=8)
    assert caught.value.column == 11


@pytest.mark.parametrize(
    "text",
    [
        "V" * 20_000,
        "+".join(["V"] * (MAX_TERMS + 5)),
        "exp(" * 70 + "V" + ")" * 70,
        "-" * 5000 + "V",
        "(" * 3000 + ")" * 3000,
        "9" * 5000,
        "not " * 500 + "V > 1",
    ],
)
def test_limits(text):
    with pytest.raises(EquationError):
        parse_expression(text)


def test_long_sums_within_the_limit_are_fine():
    assert float(parse_expression("+".join(["V"] * 150)).evaluate({"V": 2.0})) == 300.0


def test_a_condition_is_not_a_number_and_the_other_way_round():
    with pytest.raises(EquationError, match="condition stands"):
        parse_expression("V > 1")
    with pytest.raises(EquationError, match="comparison"):
        parse_expression("V", kind="condition")


def test_every_function_has_an_arity_that_is_checked():
    for name, spec in FUNCTIONS.items():
        with pytest.raises(EquationError):
            parse_expression(f"{name}({', '.join(['V'] * (spec.least - 1))})")
