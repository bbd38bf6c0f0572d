"""A coherent system of units: in ms, mV and pA, and what follows from them, equations need no factors.

A conductance is then in nS, a capacity in pF, a resistance in GOhm, a charge in fC, a rate in 1/ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from izhigen.units.dimensions import BASES, PLAIN, Unit, unit_of_text

BASIC: tuple[str, ...] = ("ms", "mV", "pA", "um", "K", "mmol")
"""The units that others are products of."""
NAMED: tuple[str, ...] = (*BASIC, "nS", "pF", "GOhm", "fC")
"""Units of the system that have a name."""
Powers = Mapping[str, Fraction]
"""Name of a unit to its exponent."""


def coherent(unit: Unit) -> Unit:
    """The unit of the system that has a unit's dimension."""
    return _unit_of(_powers(unit))


def factor_to_coherent(unit: Unit) -> Fraction:
    """What numbers in a unit are multiplied with to become those of the system; a power of ten.

    Raises
    ------
    ValueError
        Where it is none that is whole.
    """
    power = unit.scale - coherent(unit).scale
    if abs(power - round(power)) > 1e-9:
        raise ValueError("not a whole power of ten")
    return Fraction(10) ** round(power)


def powers_of(unit: Unit) -> dict[str, Fraction]:
    """A dimension as names of units of the system and their exponents: one name where there is one."""
    for name in NAMED:
        if unit_of_text(name).is_alike(unit):
            return {name: Fraction(1)}
    for name in NAMED:
        if unit_of_text(name).power(Fraction(-1)).is_alike(unit):
            return {name: Fraction(-1)}
    if len(found := _powers(unit)) <= 2 and all(abs(power) == 1 for power in found.values()):
        return found
    for above in NAMED:
        for below in NAMED:
            if (unit_of_text(above) / unit_of_text(below)).is_alike(unit):
                return {above: Fraction(1), below: Fraction(-1)}
    return found


def unit_text(unit: Unit) -> str:
    """How a unit of the system is written in a model; 1 for a plain number.

    Raises
    ------
    ValueError
        For a power that is not whole.
    """
    powers = powers_of(unit)
    if any(power.denominator != 1 for power in powers.values()):
        raise ValueError("a power of it is not whole")
    above = [_power_text(name, power) for name, power in powers.items() if power > 0]
    below = [_power_text(name, -power) for name, power in powers.items() if power < 0]
    return "/".join(["*".join(above) or "1", *below])


def _power_text(name: str, power: Fraction) -> str:
    return name if power == 1 else f"{name}**{power}"


def _powers(unit: Unit) -> dict[str, Fraction]:
    """Exponents of the basic units: mass comes with mV alone, whose other dimensions are then taken away."""
    si = dict(zip(BASES, unit.exponents))
    volts = si["kg"]
    found = {
        "ms": si["s"] + 3 * volts,
        "mV": volts,
        "pA": si["A"] + volts,
        "um": si["m"] - 2 * volts,
        "K": si["K"],
        "mmol": si["mol"],
    }
    return {name: power for name, power in found.items() if power}


def _unit_of(powers: Powers) -> Unit:
    found = PLAIN
    for name, power in powers.items():
        found = found * unit_of_text(name).power(power)
    return found
