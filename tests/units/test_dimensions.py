"""Dimensions of units beside pint's, and texts that are units."""

import math
from fractions import Fraction

import pytest

from izhigen import Model
from izhigen.errors import EquationError, ModelError
from izhigen.units.dimensions import BASES, PLAIN, Unit, apart, common_text, unit_of_text
from izhigen.units.names import KNOWN, check_unit

SI = ("kilogram", "meter", "second", "ampere", "kelvin", "mole")
OF_PINT = ("[mass]", "[length]", "[time]", "[current]", "[temperature]", "[substance]")
OTHERS = {"Ohm": "ohm", "degC": "kelvin", "spikes": "dimensionless", "bit": "dimensionless", "rad": "dimensionless"}
"""What pint calls otherwise, or counts from another zero."""


def same(name, unit):
    pint = pytest.importorskip("pint")
    quantity = 1 * (pint.UnitRegistry()(name) if isinstance(name, str) else name)
    quantity = quantity if hasattr(quantity, "to") else pint.UnitRegistry().Quantity(quantity)
    exponents = tuple(Fraction(quantity.dimensionality.get(d, 0)).limit_denominator(100) for d in OF_PINT)
    si = "*".join(f"{base}**{float(power)}" for base, power in zip(SI, exponents) if power)
    scale = math.log10(quantity.to(si or "dimensionless").magnitude)
    assert unit.exponents == exponents and abs(unit.scale - scale) < 1e-9, name


def test_every_name_means_what_it_means_to_pint():
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    for name in sorted(KNOWN):
        base = next((other for other in OTHERS if name.endswith(other)), "")
        written = name.removesuffix(base) + OTHERS[base] if base else name
        if base in ("degC", "spikes", "rad", "bit") and name != base:
            continue  # nobody's
        same(registry.parse_units(written), unit_of_text(name))


@pytest.mark.parametrize(
    "text",
    [
        "mV",
        "1/ms",
        "uA/cm**2",
        "pA/mV**2",
        "1/(mV*ms)",
        "mS/cm**2",
        "mol/L",
        "10*mV",
        "kohm*mm",
        "mV**2/ms",
        "1",
        "nA*s**-1",
        "mV/ms**(1/2)",
    ],
)
def test_products_quotients_and_powers(text):
    check_unit(text, "here")
    same(text, unit_of_text(text))


@pytest.mark.parametrize("text", ["01*mV", "mV**02", "mV/03", "mV**(1/02)"])
def test_numbers_do_not_begin_with_zeros(text):
    with pytest.raises(EquationError, match="is not a unit"):
        check_unit(text, "here")


def test_degrees_celsius():
    degree, kelvin = unit_of_text("degC"), unit_of_text("K")
    assert degree != kelvin and not degree.is_alike(kelvin) and degree / degree == PLAIN
    assert str(degree) == "degC" and str(degree * kelvin) == "K*degC" and str(degree.power(Fraction(-1))) == "degC**-1"


def test_arithmetic_of_units():
    volt, ms = unit_of_text("mV"), unit_of_text("ms")
    assert unit_of_text("pA") / unit_of_text("pF") == volt / ms == unit_of_text("V/s")
    assert unit_of_text("pA") / unit_of_text("nF") != volt / ms
    assert volt.power(Fraction(1, 2)).power(Fraction(2)) == volt and volt / volt == PLAIN
    assert volt != "mV" and hash(volt) == hash(unit_of_text("V")) and str(PLAIN) == "1"
    assert str(unit_of_text("mV")) == "0.001*kg*m**2*s**-3*A**-1" and len(volt.exponents) == len(BASES)
    assert str(unit_of_text("V/s**(3/2)")) == "kg*m**2*s**(-9/2)*A**-1"
    assert str(Unit(5000.0, PLAIN.exponents)) == "10**5000"
    for unit in (volt, ms.power(Fraction(-5, 2)), unit_of_text("7*mV/9"), Unit(-400.5, volt.exponents)):
        assert unit_of_text(str(unit)) == unit
    assert apart(unit_of_text("mV"), unit_of_text("V")) == ": 1000 times what is due" and apart(volt, ms) == ""


def test_units_are_called_as_the_model_calls_them():
    used = ["mV", "nS", "pF"]
    assert common_text(unit_of_text("mV"), used) == "mV"
    assert common_text(unit_of_text("nS*mV"), used) == "mV*nS"
    assert common_text(unit_of_text("nS/uF"), [*used, "uF"]) == "nS/uF"
    assert common_text(unit_of_text("1/ms"), []) == "1/ms"
    assert common_text(unit_of_text("mol"), used) == "mol"
    assert common_text(unit_of_text("mV/V"), ["mV", "V"]) == "0.001"


@pytest.mark.parametrize(
    "text", ["mV**(1/0)", "mV**1000", "mV**2**3", "0*mV", "mV**-101", "mV**(ms)", "mV**(2)", "mV**12345"]
)
def test_what_is_no_power(text):
    with pytest.raises(EquationError, match="a power is|0 times"):
        check_unit(text, "here")


def test_lines_without_a_unit_may_have_one_that_has_no_short_text():
    equations = "dV/dt = (a*y - V)/tau : mV\nx = I*I*V*V\ny = x*b/one"
    units = {"a": "1/pA", "b": "1/pA", "tau": "ms", "one": "mV", "I": "pA"}
    values = dict.fromkeys(("a", "b", "tau", "one"), 1.0)
    model = Model("Long", equations, parameters=values, inputs=["I"], units=units)
    assert model.inputs == ("I",)
    with pytest.raises(ModelError, match="the terms beside [+] have different units, 1e-30[*]kg[*][*]2"):
        Model("Long", equations.replace("x*b", "(x + V)*b"), parameters=values, inputs=["I"], units=units)


def test_long_units_are_read_at_once():
    text = "*".join(["mV"] * 60)
    assert unit_of_text(check_unit(text, "here")) == unit_of_text("mV").power(Fraction(60))
    assert math.isfinite(unit_of_text("9" * 190).scale)


@pytest.mark.parametrize(
    ("unit", "instead"),
    [
        ("uF/cm^2", r"'\^' is written \*\*"),
        ("uF/cm2", r"write \* between factors and \*\* before a power"),
        ("\N{MICRO SIGN}F", "is written u"),
        ("S/cm\N{SUPERSCRIPT TWO}", r"is written \*\*2"),
        ("\N{GREEK CAPITAL LETTER OMEGA}", "is written ohm"),
        ("mV ms", r"write \* between factors"),
        ("mV%", "is out of place"),
    ],
)
def test_what_others_write_is_told_how_it_is_written_here(unit, instead):
    with pytest.raises(EquationError, match=instead):
        check_unit(unit, "unit of x")
