"""Equation blocks, units and resets."""

import pytest

from izhigen.errors import EquationError
from izhigen.model.equations import parse_equations, parse_reset
from izhigen.model.units import check_unit


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
    assert [(r.state, r.expression.text) for r in parse_reset("V = c; u += d\nw = 0")] == [
        ("V", "c"),
        ("u", "u + (d)"),
        ("w", "0"),
    ]
    assert [r.state for r in parse_reset({"V": "c", "u": 3})] == ["V", "u"]
    with pytest.raises(EquationError, match="expected 'state = expression'"):
        parse_reset("V == c")
