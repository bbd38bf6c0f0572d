"""Units are text, kept for labels and documentation; they are checked for typing errors and nothing else."""

from __future__ import annotations

import re

from izhigen.errors import EquationError, suggest

_BASES = ("V", "A", "S", "F", "s", "m", "g", "mol", "M", "Hz", "C", "ohm", "Ohm", "N", "J", "W", "K", "L", "Pa")
_PREFIXES = ("", "f", "p", "n", "u", "m", "c", "d", "k", "M", "G", "T")
KNOWN = frozenset(prefix + base for base in _BASES for prefix in _PREFIXES) | {"degC", "rad", "bit", "spikes"}
_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z]+)|(?P<number>\d+)|(?P<operator>\*\*|[*/()-]))")


def check_unit(text: str, where: str) -> str:
    """Return the unit without outer white space, or raise for a name that is no unit.

    Accepts products, quotients and integer powers of SI names with a prefix, such as ``mV``, ``1/ms``,
    ``uA/cm**2``, and ``1`` for a number without unit.
    """
    unit = text.strip()
    position = 0
    tokens: list[str] = []
    while position < len(unit):
        match = _TOKEN.match(unit, position)
        if match is None:
            raise EquationError(
                f"{unit!r} is not a unit: {unit[position]!r} is out of place (units look like mV, 1/ms, uA/cm**2)",
                where,
            )
        name = match.group("name")
        if name and name not in KNOWN:
            near = suggest(name, KNOWN)
            raise EquationError(f"unknown unit {name!r}{near} (units look like mV, 1/ms, uA/cm**2; 1 for none)", where)
        tokens.append("x" if name or match.group("number") else match.group("operator"))
        position = match.end()
    shape = "".join(tokens)
    if unit.count("(") != unit.count(")") or not re.fullmatch(
        r"x(?:(?:\*\*-?|[*/])\(?x(?:(?:\*\*-?|[*/])x)*\)?)*", shape
    ):
        raise EquationError(f"{unit!r} is not a unit (units look like mV, 1/ms, uA/cm**2; 1 for none)", where)
    return unit
