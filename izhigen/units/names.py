"""Units as text: their names, with prefixes, and products, quotients and powers of them."""

from __future__ import annotations

import re
from itertools import pairwise

from izhigen.errors import EquationError, shown, suggest

_BASES = ("V", "A", "S", "F", "s", "m", "g", "mol", "M", "Hz", "C", "ohm", "Ohm", "N", "J", "W", "K", "L", "Pa")
PREFIXES = ("", "f", "p", "n", "u", "m", "c", "d", "k", "M", "G", "T")
KNOWN = frozenset(prefix + base for base in _BASES for prefix in PREFIXES) | {"degC", "rad", "bit", "spikes"}
MAX_LENGTH = 200
"""Longest unit, in characters."""
MAX_POWER = 100
_POWER = re.compile(r"\*\*(-?[0-9]{1,4}|\([0-9]{1,4}/[0-9]{1,4}\))(?![0-9]|\*\*)")
_INSTEAD = {
    "^": "is written **",
    "\N{SUPERSCRIPT TWO}": "is written **2",
    "\N{SUPERSCRIPT THREE}": "is written **3",
    "\N{MICRO SIGN}": "is written u",
    "\N{GREEK SMALL LETTER MU}": "is written u",
    "\N{GREEK CAPITAL LETTER OMEGA}": "is written ohm",
    "\N{OHM SIGN}": "is written ohm",
    "\N{MIDDLE DOT}": "is written *",
    "\N{DEGREE SIGN}": "is written deg, as in degC",
}
_LIKE = "units look like mV, 1/ms, uA/cm**2"
_TOKEN = re.compile(r" *(?:(?P<name>[A-Za-z]+)|(?P<number>0|[1-9][0-9]*)|(?P<operator>\*\*|[*/()-]))")


def check_unit(text: str, where: str) -> str:
    """Return the unit without outer white space, or raise for a name that is no unit.

    Accepts products, quotients and integer powers of SI names with a prefix, such as ``mV``, ``1/ms``,
    ``uA/cm**2``, and ``1`` for a number without unit.
    """
    if not isinstance(text, str):
        raise EquationError(f"a unit is text, not {type(text).__name__} ({_LIKE}; 1 for none)", where)
    unit = text.strip()
    if len(unit) > MAX_LENGTH:
        raise EquationError(f"the unit has {len(unit)} characters, more than {MAX_LENGTH} ({_LIKE})", where)
    tokens = _tokens(unit, where)
    if _factors(tokens, 0, False) != len(tokens):
        side_by_side = any(one == other == "x" for one, other in pairwise(tokens))
        hint = ": write * between factors and ** before a power" if side_by_side else ""
        raise EquationError(f"{shown(unit)} is not a unit{hint} ({_LIKE}; 1 for none)", where)
    _check_numbers(unit, where)
    return unit


def has_factor(unit: str) -> bool:
    """Whether a number other than 1 stands in a unit, as in ``10*mV``; powers are none."""
    return any(number != "1" for number in re.findall("[0-9]+", _POWER.sub("", unit.replace(" ", ""))))


def _tokens(unit: str, where: str) -> list[str]:
    """The operators of a unit, and an ``x`` for each name or number; the grammar refuses two powers that meet."""
    tokens: list[str] = []
    position = 0
    while position < len(unit):
        match = _TOKEN.match(unit, position)
        if match is None:
            what = unit[position]
            hint = f"; {what!r} {_INSTEAD[what]}" if what in _INSTEAD else ""
            raise EquationError(f"{shown(unit)} is not a unit: {what!r} is out of place{hint} ({_LIKE})", where)
        name = match.group("name")
        if name and name not in KNOWN:
            raise EquationError(f"unknown unit {shown(name)}{suggest(name, KNOWN)} ({_LIKE}; 1 for none)", where)
        tokens.append(match.group("operator") or "x")
        position = match.end()
    return tokens


def _check_numbers(unit: str, where: str) -> None:
    """Refuse a factor of 0, and powers that are no whole numbers or ratios of them."""
    compact = unit.replace(" ", "")
    powers = _POWER.findall(compact)
    numbers = [int(number) for power in powers for number in re.findall("[0-9]+", power)]
    if len(powers) < compact.count("**") or max(numbers, default=0) > MAX_POWER or "/0)" in compact:
        raise EquationError(
            f"{shown(unit)}: a power is a whole number up to {MAX_POWER}, or two, as in mV/ms**(1/2)", where
        )
    if any(not number.strip("0") for number in re.findall("[0-9]+", _POWER.sub("", compact))):
        raise EquationError(f"{shown(unit)} is 0 times a unit ({_LIKE}; 1 for none)", where)


def _factors(tokens: list[str], position: int, inside: bool) -> int:
    """Where the product that starts at a position ends, or -1; one pair of parentheses may follow an operator."""
    position = _factor(tokens, position, False)
    while 0 <= position < len(tokens):
        operator = tokens[position]
        if operator == ")" and inside:
            return position
        if operator not in ("*", "/", "**"):
            return -1
        position = _factor(tokens, position + 1, operator == "**", not inside)
    return position


def _factor(tokens: list[str], position: int, signed: bool, may_open: bool = False) -> int:
    """Where a name, a number, a power's signed number or a product in parentheses ends; -1 where none stands there."""
    if signed and tokens[position : position + 1] == ["-"]:
        position += 1
    token = tokens[position] if position < len(tokens) else ""
    if token == "x":
        return position + 1
    if token == "(" and may_open:
        end = _factors(tokens, position + 1, True)
        return end + 1 if 0 <= end < len(tokens) and tokens[end] == ")" else -1
    return -1
