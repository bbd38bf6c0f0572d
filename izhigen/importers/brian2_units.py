"""Names of Brian2's units."""

from __future__ import annotations

import re
from fractions import Fraction

from izhigen.units.dimensions import PLAIN, Unit, unit_of_text

_BY_NAMES = {
    "metre meter": "m",
    "second": "s",
    "amp ampere": "A",
    "kelvin": "K",
    "mole mol": "mol",
    "gram gramme": "g",
    "radian steradian": "rad",
    "hertz becquerel": "Hz",
    "newton": "N",
    "pascal": "Pa",
    "joule": "J",
    "watt": "W",
    "coulomb": "C",
    "volt": "V",
    "farad": "F",
    "ohm": "ohm",
    "siemens": "S",
    "weber": "V*s",
    "tesla": "V*s/m**2",
    "henry": "ohm*s",
    "gray sievert": "m**2/s**2",
    "katal": "mol/s",
    "molar": "M",
    "liter litre": "L",
}
"""Names in Brian2, and the unit."""
_UNITS = {name: unit_of_text(text) for names, text in _BY_NAMES.items() for name in names.split()}
_PREFIXES = {"": 0, **dict(zip("yzafpnum", range(-24, 0, 3))), **dict(zip("kMGTPEZY", range(3, 25, 3)))}
_OF_VOLUME = {**_PREFIXES, "c": -2, "d": -1, "da": 1, "h": 2}
_OWN_PREFIXES = {name: {**_PREFIXES, "c": -2} for name in ("metre", "meter")}
_OWN_PREFIXES.update(dict.fromkeys(("liter", "litre"), _OF_VOLUME))
_SHORT = {
    **{f"{prefix}V": f"{prefix}volt" for prefix in "m"},
    **{f"{prefix}A": f"{prefix}amp" for prefix in "munp"},
    **{f"{prefix}F": f"{prefix}farad" for prefix in "unp"},
    **{f"{prefix}S": f"{prefix}siemens" for prefix in "mun"},
    **{f"{prefix}s": f"{prefix}second" for prefix in "mu"},
    **{f"{prefix}Hz": f"{prefix}hertz" for prefix in ("", "k", "M")},
    **{f"{prefix}m{power}": f"{prefix}metre{power}" for prefix in "cmu" for power in ("", "2", "3")},
    **{f"{prefix}M": f"{prefix}molar" for prefix in "mun"},
    "kilogram": "kgram",
    "kilogramme": "kgramme",
}
"""Names that Brian2 has for some units only."""
_LONG = re.compile(rf"(?P<prefix>\w{{0,2}}?)(?P<unit>{'|'.join(_UNITS)})(?P<power>[23]?)\Z", re.ASCII)
_COMMON = (*_SHORT, *_UNITS, "mvolt", "namp", "nsiemens", "ufarad", "msecond", "umetre", "Mohm")


def unit_named(name: str) -> Unit | None:
    """A unit that Brian2 has; None where it has none of that name."""
    short = re.fullmatch(r"(kilogramme|kilogram)([23])", name)
    name = _SHORT.get(name) or (_SHORT[short[1]] + short[2] if short else name)
    found = _LONG.match(name) if len(name) < 20 else None
    if found is None:
        return None
    prefixes = _OWN_PREFIXES.get(found["unit"], _PREFIXES)
    if found["prefix"] not in prefixes or (found["power"] and found["unit"] in ("liter", "litre")):
        return None
    prefix = Unit(float(prefixes[found["prefix"]]), PLAIN.exponents)
    return (prefix * _UNITS[found["unit"]]).power(Fraction(found["power"] or 1))


def common_units() -> tuple[str, ...]:
    """Names of units that models use, for suggestions."""
    return _COMMON


def name_here(name: str) -> str:
    """What Brian2 calls a unit of the coherent system: a name that no variable of a model there can have."""
    return {"K": "kelvin", "fC": "fcoulomb"}.get(name, name)
