"""Units of Brian2: their names, and the coherent system that imported models are in.

In that system plain numbers need no factors: ms, mV, pA, nS, pF, Gohm, fC and mM, and per area uA/cm**2, mS/cm**2 and
uF/cm**2, as its length is 10 um. All factors are powers of ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from izhigen.units.dimensions import BASES

Dimension = tuple[Fraction, ...]
"""Exponents of :data:`~izhigen.units.dimensions.BASES`."""


def dimension(**exponents: int) -> Dimension:
    """A dimension by the exponents of its bases, such as ``dimension(s=-1)``."""
    return tuple(Fraction(exponents.get(base, 0)) for base in BASES)


def times(one: Dimension, other: Dimension, exponent: Fraction | int = 1) -> Dimension:
    """The dimension of ``one*other**exponent``."""
    return tuple(a + exponent * b for a, b in zip(one, other))


PLAIN, SECOND, METRE, AMP = dimension(), dimension(s=1), dimension(m=1), dimension(A=1)
VOLT = dimension(kg=1, m=2, s=-3, A=-1)
COULOMB, SIEMENS = times(AMP, SECOND), times(AMP, VOLT, -1)
FARAD = times(COULOMB, VOLT, -1)

# -- names ------------------------------------------------------------------------------------------------------------

_BY_NAMES: dict[str, tuple[int, Dimension]] = {
    "metre meter": (0, METRE),
    "second": (0, SECOND),
    "amp ampere": (0, AMP),
    "kelvin": (0, dimension(K=1)),
    "mole mol": (0, dimension(mol=1)),
    "gram gramme": (-3, dimension(kg=1)),
    "radian steradian": (0, PLAIN),
    "hertz becquerel": (0, dimension(s=-1)),
    "newton": (0, dimension(kg=1, m=1, s=-2)),
    "pascal": (0, dimension(kg=1, m=-1, s=-2)),
    "joule": (0, dimension(kg=1, m=2, s=-2)),
    "watt": (0, dimension(kg=1, m=2, s=-3)),
    "coulomb": (0, COULOMB),
    "volt": (0, VOLT),
    "farad": (0, FARAD),
    "ohm": (0, times(VOLT, AMP, -1)),
    "siemens": (0, SIEMENS),
    "weber": (0, times(VOLT, SECOND)),
    "tesla": (0, dimension(kg=1, s=-2, A=-1)),
    "henry": (0, dimension(kg=1, m=2, s=-2, A=-2)),
    "gray sievert": (0, dimension(m=2, s=-2)),
    "katal": (0, dimension(mol=1, s=-1)),
    "molar": (3, dimension(mol=1, m=-3)),
    "liter litre": (-3, dimension(m=3)),
}
"""Power of ten in SI and dimension of each unit with a name of its own."""
_UNITS = {name: unit for names, unit in _BY_NAMES.items() for name in names.split()}
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


def unit_named(name: str) -> tuple[int, Dimension] | None:
    """Power of ten in SI and dimension of a unit that Brian2 has; None where it has none of that name."""
    short = re.fullmatch(r"(kilogramme|kilogram)([23])", name)
    name = _SHORT.get(name) or (_SHORT[short[1]] + short[2] if short else name)
    found = _LONG.match(name) if len(name) < 20 else None
    if found is None:
        return None
    prefixes = _OWN_PREFIXES.get(found["unit"], _PREFIXES)
    if found["prefix"] not in prefixes or (found["power"] and found["unit"] in ("liter", "litre")):
        return None
    scale, of_unit = _UNITS[found["unit"]]
    power = int(found["power"] or 1)
    return power * (prefixes[found["prefix"]] + scale), times(PLAIN, of_unit, power)


def common_units() -> tuple[str, ...]:
    """Names of units that models use, for suggestions."""
    return _COMMON


# -- the coherent system ----------------------------------------------------------------------------------------------

_COHERENT = dict(zip(BASES, (-14, -5, -3, -12, 0, -15)))
"""Powers of ten of the bases; that of kg makes the unit of voltage a mV."""
_LABELS: dict[Dimension, str] = {
    PLAIN: "1",
    SECOND: "ms",
    VOLT: "mV",
    AMP: "pA",
    SIEMENS: "nS",
    FARAD: "pF",
    COULOMB: "fC",
    times(VOLT, AMP, -1): "Gohm",
    times(AMP, METRE, -2): "uA/cm**2",
    times(SIEMENS, METRE, -2): "mS/cm**2",
    times(FARAD, METRE, -2): "uF/cm**2",
    dimension(mol=1, m=-3): "mM",
}
"""How the commonest units of the system are written."""
_NAMED: dict[Dimension, str] = {
    **{of_unit: name for of_unit, name in _LABELS.items() if name in ("ms", "mV", "pA", "nS", "pF", "Gohm", "mM")},
    COULOMB: "fcoulomb",
}
_PARTS: dict[Dimension, tuple[str, str]] = {
    VOLT: ("mV", "mV"),
    AMP: ("pA", "pA"),
    SECOND: ("ms", "ms"),
    METRE: ("um", "10*um"),
    dimension(K=1): ("kelvin", "K"),
    dimension(mol=1): ("fmol", "fmol"),
}
"""What all others are products of: name in Brian2, and label."""


def coherent_power(of_unit: Dimension) -> Fraction:
    """Power of ten in SI of the system's unit of a dimension."""
    return sum((exponent * _COHERENT[base] for base, exponent in zip(BASES, of_unit)), Fraction(0))


def is_whole(of_unit: Dimension) -> bool:
    """Whether all exponents are whole numbers, so that a unit can be written."""
    return all(exponent.denominator == 1 for exponent in of_unit)


def label(of_unit: Dimension) -> str:
    """The system's unit of a dimension with whole exponents, as models write it."""
    if of_unit in _LABELS:
        return _LABELS[of_unit]
    above: list[str] = []
    below: list[str] = []
    for part, exponent in _parts(of_unit):
        power = "" if abs(exponent) == 1 else f"**{abs(exponent)}"
        text = f"{10 ** abs(int(exponent))}*um" if part == METRE else _PARTS[part][1]
        (above if exponent > 0 else below).append(text + power)
    over = "*".join(above) or "1"
    under = "*".join(below)
    return f"{over}/({under})" if "*" in under.replace("**", "") else f"{over}/{under}" if under else over


def shown_unit(of_unit: Dimension) -> str:
    """A unit for messages."""
    return label(of_unit) if is_whole(of_unit) else f"{label(whole_part(of_unit))}, with broken powers beside it"


def names_of(of_unit: Dimension) -> tuple[tuple[str, Fraction], ...]:
    """Units of Brian2, each with its exponent, whose product has a dimension."""
    for length in (0, -1, -2, -3, 1, 2, 3) if is_whole(of_unit) else (0,):
        for sign in (1, -1):
            rest = times(times(PLAIN, of_unit, sign), METRE, -length * sign)
            if rest in _NAMED:
                return (_NAMED[rest], Fraction(sign)), *((("um", Fraction(length)),) if length else ())
    return tuple((_PARTS[part][0], exponent) for part, exponent in _parts(of_unit))


def broken_powers(of_unit: Dimension) -> tuple[tuple[str, Fraction], ...]:
    """Units to broken powers, without which :func:`whole_part` is left of a dimension."""
    rests = ((_PARTS[part][0], exponent - int(exponent)) for part, exponent in _parts(of_unit))
    return tuple((name, rest) for name, rest in rests if rest)


def whole_part(of_unit: Dimension) -> Dimension:
    """A dimension without broken powers."""
    found = PLAIN
    for part, exponent in _parts(of_unit):
        found = times(found, part, int(exponent))
    return found


def value_of_name(name: str) -> tuple[Fraction, str]:
    """A unit that :func:`names_of` gives as a number in the coherent system, and the label of its unit there."""
    power, of_unit = unit_named(name) or (0, PLAIN)
    return Fraction(10) ** int(power - coherent_power(of_unit)), label(of_unit)


def _parts(of_unit: Dimension) -> Iterator[tuple[Dimension, Fraction]]:
    """Volt, ampere, second and so on, with their exponents: kg is V A s**3 m**-2."""
    kg, m, s, A, K, mol = of_unit
    exponents = (kg, A + kg, s + 3 * kg, m - 2 * kg, K, mol)
    yield from ((part, exponent) for part, exponent in zip(_PARTS, exponents) if exponent)
