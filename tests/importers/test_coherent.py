"""The coherent system of units: every text is its unit, and every product what it says."""

from __future__ import annotations

import itertools
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from izhigen.importers.coherent import VALUES, coherent, product, raised, to_coherent, unit_text, unit_with
from izhigen.units.dimensions import PLAIN, Unit, unit_of_text
from izhigen.units.names import check_unit

HALF = Fraction(1, 2)
GRID = [
    unit_with((*powers, *rest))
    for powers in itertools.product((-2, 0, 1), repeat=4)
    for rest in ((0, 0), (1, 0), (0, -1))
]
BROKEN = [unit.power(power) for unit in GRID[::7] for power in (HALF, Fraction(-1, 3), Fraction(5, 2)) if unit != PLAIN]


@pytest.mark.parametrize("units", [GRID, BROKEN], ids=["whole", "broken"])
def test_texts_are_the_unit_and_products_are_one_of_it(units):
    for unit in units:
        assert coherent(unit) == unit
        assert unit_of_text(check_unit(unit_text(unit), "here")) == unit
        number, powers = product(unit)
        found, value = PLAIN, number
        for name, power in powers.items():
            found *= unit_of_text(name).power(power)
            value *= raised(VALUES[name], power)
        assert found.exponents == unit.exponents
        assert value == 1 if units is GRID else float(value) == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("name", VALUES)
def test_units_by_name_are_worth_what_they_say(name):
    unit = unit_of_text(name)
    assert to_coherent(1, unit) == VALUES[name]
    assert unit_text(unit) == ("10*um" if name == "um" else name)
    assert product(unit) == (1 / VALUES[name], {name: 1})


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("A/m**2", "uA/cm**2"),
        ("S/m**2", "mS/cm**2"),
        ("F/m**2", "uF/cm**2"),
        ("m/s", "cm/s"),
        ("Hz", "1/ms"),
        ("1/V", "1/mV"),
        ("S/V", "nS/mV"),
        ("m**2", "100*um**2"),
        ("1/m", "1/10/um"),
        ("ohm*cm", "10*um*Gohm"),
        ("mol/L", "mM"),
        ("mol", "fmol"),
        ("V**2", "mV**2"),
        ("1", "1"),
        ("V/s**(1/2)", "mV/ms**(1/2)"),
        ("s**-1/V**(3/2)", "1/mV**(3/2)/ms"),
    ],
)
def test_how_units_are_written(text, becomes):
    assert unit_text(unit_of_text(text)) == becomes


def test_equations_need_no_factors():
    for left, right in (
        ("nS*mV", "pA"),
        ("pA/pF", "mV/ms"),
        ("uA/cm**2/(uF/cm**2)", "mV/ms"),
        ("mV/Gohm", "pA"),
        ("pA*ms", "fC"),
        ("uA/cm**2*100*um**2", "pA"),
        ("fmol/(1000*um**3)", "mM"),
    ):
        assert unit_of_text(left) == unit_of_text(right) == coherent(unit_of_text(left))


def test_numbers_are_converted_exactly_or_to_the_nearest():
    assert to_coherent(Fraction(1, 3), unit_of_text("A")) == Fraction(10**12, 3)
    assert to_coherent(2, unit_of_text("cm**-3")) == Fraction(2, 10**9)
    for number in (Fraction(1), Fraction(3, 10), Fraction(7, 3)):
        for text, power in (("V/s**(1/2)", "1.5"), ("s**(1/3)", 1), ("V**(1/4)", "0.75"), ("A**(7/2)", 42)):
            with localcontext(prec=60):
                exact = Decimal(number.numerator) / number.denominator * Decimal(10) ** Decimal(power)
            assert float(to_coherent(number, unit_of_text(text))) == float(exact)
    with pytest.raises(ValueError, match="power of ten"):
        to_coherent(1, Unit(1.7781512503836436, PLAIN.exponents))  # 60
    with pytest.raises(OverflowError):
        to_coherent(10**308, unit_of_text("V**(1/2)"))
