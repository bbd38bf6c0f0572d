"""The coherent system of units that imported models are in: ms, mV, pA, 10 um, K and fmol, and what follows from them.

In it nS*mV is pA, pA/pF is mV/ms, and uA/cm**2 over uF/cm**2 too, so that equations need no factors. Resistances are
in Gohm, charges in fC, concentrations in mM, rates in 1/ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from fractions import Fraction

from izhigen.units.dimensions import BASES, Unit, power_text, unit_of_text

_BASES = (-14, -5, -3, -12, 0, -15)
"""Powers of ten of the bases in SI; that of kg makes the unit of voltage a mV."""
LENGTH = "um"
MILLISECOND = unit_of_text("ms")
VALUES: Mapping[str, Fraction] = {
    LENGTH: Fraction(1, 10),
    **dict.fromkeys(("mV", "pA", "ms", "K", "fmol", "nS", "pF", "Gohm", "fC", "mM"), Fraction(1)),
}
"""Units by which numbers are written in equations, and what each is in the system; the first six make all others."""
_TEXTS = {unit_of_text(text).exponents: text for text in ("uA/cm**2", "mS/cm**2", "uF/cm**2", "cm/s")}
"""How units of the system are written that their product would say less well."""
_LONG = Context(prec=50)
Powers = Mapping[str, Fraction]
"""Names of units and their exponents."""


def coherent(unit: Unit) -> Unit:
    """The unit of the system that has a unit's dimension."""
    return unit_with(unit.exponents)


def unit_with(exponents: Iterable[int | Fraction]) -> Unit:
    """The unit of the system with exponents of :data:`~izhigen.units.dimensions.BASES`."""
    found = tuple(map(Fraction, exponents))
    return Unit(float(sum(power * base for power, base in zip(found, _BASES))), found)


def to_coherent(number: Fraction | int, unit: Unit) -> Fraction:
    """A number in a unit as one in the system's.

    It is exact where the factor is a whole power of ten; where that is broken, as of V/s**(1/2) to mV/ms**(1/2), it is
    the nearest number in double precision.

    Raises
    ------
    ValueError
        Where the factor is no power of ten.
    OverflowError
        Where it is broken, and the number is too large for double precision.
    """
    power = unit.scale - coherent(unit).scale
    exponent = Fraction(power).limit_denominator(100)
    if abs(power - exponent) > 1e-9:
        raise ValueError("not a power of ten")
    found = number * raised(Fraction(10), exponent)
    return found if exponent.denominator == 1 else rounded(found)


def raised(base: Fraction, exponent: Fraction) -> Fraction:
    """A number that is not negative to a power: exact to a whole one, and to 50 digits to a broken one."""
    if exponent.denominator == 1:
        return base ** int(exponent)
    wide, power = (_LONG.divide(Decimal(x.numerator), Decimal(x.denominator)) for x in (base, exponent))
    return Fraction(_LONG.power(wide, power))


def rounded(number: Fraction) -> Fraction:
    """The nearest number in double precision, with as few digits as tell it from others."""
    return Fraction(repr(float(number)))


def product(unit: Unit) -> tuple[Fraction, Powers]:
    """1 of the system's unit of a dimension, as a number times :data:`VALUES` to powers: as few as there are."""
    powers, value = _powers(unit), Fraction(1)
    for name, power in powers.items():
        value /= raised(VALUES[name], power)
    is_exact = all(power.denominator == 1 for power in powers.values())
    return value if is_exact else rounded(value), powers


def unit_text(unit: Unit) -> str:
    """The system's unit of a dimension as models write it; 1 for a plain number."""
    if unit.exponents in _TEXTS:
        return _TEXTS[unit.exponents]
    above: list[str] = []
    below: list[str] = []
    for name, power in _powers(unit).items():
        (above if power > 0 else below).append(_factor_text(name, abs(power), "*" if power > 0 else "/"))
    return "/".join(["*".join(above) or "1", *below])


def _factor_text(name: str, power: Fraction, between: str) -> str:
    """A unit to a power; lengths are in 10 um."""
    text = power_text(name, power)
    if name != LENGTH:
        return text
    return f"{10**power if power.denominator == 1 else power_text('10', power)}{between}{text}"


def _powers(unit: Unit) -> Powers:
    """A dimension as a product of as few names as can be, and of basic ones where others make it no simpler."""
    basic = _basic_powers(unit)
    known = _PRODUCTS.get(unit.exponents, basic)
    is_simple = all(abs(power) == 1 for power in basic.values()) and len(basic) <= len(known)
    return basic if is_simple or len(basic) == 1 else known


def _basic_powers(unit: Unit) -> Powers:
    """Exponents of the basic units: kg is mV pA ms**3 um**-2."""
    si = dict(zip(BASES, unit.exponents))
    kg = si["kg"]
    exponents = (si["m"] - 2 * kg, kg, si["A"] + kg, si["s"] + 3 * kg, si["K"], si["mol"])
    return {name: power for name, power in zip(VALUES, exponents) if power}


def _known_products() -> dict[tuple[int | Fraction, ...], Powers]:
    """Products by their dimension: named units, and 1 over them, times powers of a length; and named over named."""
    units = {name: tuple(map(int, unit_of_text(name).exponents)) for name in VALUES}
    others = [name for name in units if name != LENGTH]
    made = [{LENGTH: length, name: sign} for length in (0, -1, -2, -3, 1, 2, 3) for sign in (1, -1) for name in others]
    made += [{above: 1, below: -1} for above in units for below in units if above != below]
    found: dict[tuple[int | Fraction, ...], Powers] = {}
    for powers in made:
        exponents = tuple(sum(power * units[name][k] for name, power in powers.items()) for k in range(len(BASES)))
        found.setdefault(exponents, {name: Fraction(power) for name, power in powers.items() if power})
    return found


_PRODUCTS = _known_products()
