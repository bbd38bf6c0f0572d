"""Equation blocks, units and resets."""

import pytest

from izhigen.errors import EquationError
from izhigen.model.equations import parse_equations
from izhigen.model.events import parse_assignments
from izhigen.units.names import check_unit


def test_block_with_comments_continuation_and_algebraic_lines():
    block = """
        # a comment alone
        dV/dt = p1*V**2 + p2*V \\
                + p3 - u + I : mV   # potential
        du/dt = a*(b*V
                   - u)             : mV
        rate = exp(V/10)            : 1
        dw/dt = rate +
                w
    """
    equations = parse_equations(block)
    assert [(e.name, e.is_ode, e.unit) for e in equations] == [
        ("V", True, "mV"),
        ("u", True, "mV"),
        ("rate", False, "1"),
        ("w", True, ""),
    ]
    assert set(equations[0].expression.names) == {"p1", "V", "p2", "p3", "u", "I"}


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("V = V +", "not a valid"),
        ("dV/dt", "expected 'dx/dt"),
        ("d2V/dt2 = V", "neither"),
        ("dV/ds = V", "neither"),
        ("dV/dt = V : mVV", "unknown unit 'mVV'"),
        ("dV/dt = V :", "unit is missing"),
        ("dV/dt = -V/tau : mV (unless refractory)", "with_refractory"),
        ("dV/dt == V", "expected|valid"),
        ("", "no equation"),
        ("1V = 2", "not a name"),
        ("dV/dt = V : mV/", "not a unit"),
        ("dV/dt = ", "missing"),
        ("my var = 3", "not a name"),
        ("d V V/dt = 1", "neither"),
        ("dV/dt = (lambda: 1)()", "can be called"),
        ("dV/dt = V : mV/(ms", "not a unit"),
        ("dV/dt = V : mV/ms)", "not a unit"),
    ],
)
def test_bad_lines(block, words):
    with pytest.raises(EquationError, match=words):
        parse_equations(block)


def test_error_names_equation_and_column_in_the_line():
    with pytest.raises(EquationError, match=r"equation dV/dt, column 13: unknown function 'foo'"):
        parse_equations("dV/dt = V + foo(2)")


@pytest.mark.parametrize("unit", ["mV", "1/ms", "1", "uA/cm**2", "pA/mV**2", "1/(mV*ms)", "nS", "Hz", "mV*ms**-1"])
def test_units(unit):
    assert check_unit(f" {unit} ", "x") == unit


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("mv", "did you mean 'mV'"),
        ("msec", "unknown unit"),
        ("mV^2", "out of place"),
        ("*mV", "not a unit"),
        ("mV mV", "not a unit"),
    ],
)
def test_bad_units(unit, words):
    with pytest.raises(EquationError, match=words):
        check_unit(unit, "unit of p1")


def test_reset_forms():
    assert [(r.state, r.expression.text) for r in parse_assignments("V = c; u += d\nw = 0")] == [
        ("V", "c"),
        ("u", "u + (d)"),
        ("w", "0"),
    ]
    assert [r.state for r in parse_assignments({"V": "c", "u": 3})] == ["V", "u"]
    with pytest.raises(EquationError, match="expected 'state = expression'"):
        parse_assignments("V == c")


@pytest.mark.parametrize(
    "reset", ["V -= 1) + (5", "V *= 2) or (V", "V += ", "V /= 1, 2", "V -= (1", "V = 1) + (5", "V += 1 = 2"]
)
def test_the_right_side_of_a_reset_is_an_expression_of_its_own(reset):
    with pytest.raises(EquationError, match="reset of V"):
        parse_assignments(reset)


def test_an_operator_before_the_equals_sign_takes_the_whole_right_side():
    (assignment,) = parse_assignments("V -= 1 + 5")
    assert float(assignment.expression.evaluate({"V": 10.0})) == 4.0
    (assignment,) = parse_assignments("V -= 1  # + 5")
    assert float(assignment.expression.evaluate({"V": 10.0})) == 9.0


def test_an_error_in_an_augmented_reset_has_the_column_of_the_text():
    with pytest.raises(EquationError, match=r"column 10: unknown function 'foo'"):
        parse_assignments("V += 1 + foo(2)")


@pytest.mark.parametrize("key", [1, None, b"V", ("V",)])
def test_keys_of_mappings_are_names(key):
    for parse in (parse_equations, parse_assignments):
        with pytest.raises(EquationError, match="is not a name"):
            parse({key: "1"})


def test_units_are_read_in_one_pass():
    """A regular expression for the grammar took 4.5 s for 24 factors, and twice as long for each one more."""
    assert check_unit("*".join(["mV"] * 60), "x")
    for text in (
        "*".join(["m"] * 60) + "*",
        "*".join(["m"] * 60) + "(",
        "/(m" * 60,
        "m*(" + "*".join(["m"] * 50) + "-",
    ):
        with pytest.raises(EquationError, match="not a unit"):
            check_unit(text, "x")
    with pytest.raises(EquationError, match="300 characters"):
        check_unit("m" * 300, "x")


def test_the_language_of_units_is_that_of_the_expression_that_described_it():
    """Every sequence of up to five tokens; powers are numbers, or ratios of them."""
    import itertools
    import re

    power = re.compile(r"\*\*(-?2|\(2/2\))(?!\*\*)")
    shape = re.compile(r"x(?:(?:\*\*-?|[*/])\(?x(?:(?:\*\*-?|[*/])x)*\)?)*")
    for length in range(1, 6):
        for tokens in itertools.product(["m", "2", "*", "/", "**", "-", "(", ")"], repeat=length):
            text = " ".join(tokens)
            joined = "".join(tokens)
            old = joined.replace("m", "x").replace("2", "x")
            opened = old.count("(") == old.count(")") and bool(shape.fullmatch(old))
            opened = opened and len(power.findall(joined)) == joined.count("**") and "2 2" not in text
            try:
                accepted = bool(check_unit(text, "x"))
            except EquationError:
                accepted = False
            spaced = "* *" in text or "2 2" in text  # '* *' are two operators, '**' is one
            assert accepted == opened or spaced, text
