"""Pieces of Brian2's text, each of which knows where it stands; and the lines of a block of equations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from izhigen.errors import EquationError, shown, suggest
from izhigen.importers.brian2_units import common_units, unit_named
from izhigen.model.equations import check_text
from izhigen.model.expressions import MAX_EXPONENT, check_name
from izhigen.units.dimensions import PLAIN, Unit

MOST_CHARACTERS = 200_000
"""Longest block of equations that is read."""
MOST_LINES = 1_000
"""Most definitions of a block."""


@dataclass(frozen=True)
class Passage:
    """Text that is read, and where it stands.

    Attributes
    ----------
    text : str
    where : str
        What errors call it, such as ``"equation dv/dt"``.
    source : str
        The text that it was cut from; empty where it is all of it.
    start : int
        Where it starts in the source.
    """

    text: str
    where: str
    source: str = ""
    start: int = 0

    def error(self, what: str, offset: int = 0) -> EquationError:
        """An error at a character of the text, with its line where there are several."""
        source = self.source or self.text
        before = source[: self.start + offset]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        place = f"line {line}, {self.where}" if "\n" in source.strip() else self.where
        return EquationError(what, place, column)


@dataclass(frozen=True)
class Line:
    """One definition of a block of equations.

    Attributes
    ----------
    name : str
    kind : {"equation", "subexpression", "parameter"}
        Of a derivative, of a name by others, of a name alone.
    expression : Passage or None
        The right side; a parameter has none.
    unit : Passage
    flags : tuple of str
    """

    name: str
    kind: str
    expression: Passage | None
    unit: Passage
    flags: tuple[str, ...]


_LEFT = r"(?:d\s*(?P<state>[A-Za-z_]\w*)\s*/\s*dt|(?P<name>[A-Za-z_]\w*))\s*(?P<sign>[=:])"
_START = re.compile(_LEFT, re.ASCII)
_AGAIN = re.compile(rf"^[ \t]*{_LEFT}(?!=)", re.ASCII | re.MULTILINE)
_NAME_ALONE = re.compile(r"(?<!\band)(?<!\bor)(?<!\bnot)(?<=[\w.)])[ \t]*\n\s*[A-Za-z_]\w*\s*\Z", re.ASCII)
"""A parameter's name at the end of a right side: what lacks its unit there is the line before."""
_SOMETHING = re.compile(r"\S")
_UNIT = re.compile(r"[A-Za-z0-9_*/. -]{1,200}", re.ASCII)
_POWER = r"\*\*\s*(?P<power>-?\s*(?:\d{1,9}\.?\d{0,9}|\.\d{1,9}))\s*"
_FACTOR = re.compile(rf"\s*(?P<name>[A-Za-z]\w*|1)\s*(?:{_POWER})?(?P<operator>[*/]|\Z)", re.ASCII)
_COMMENT = re.compile(r"#[^\n]*")
_FLAGS = {
    "equation": ("unless refractory",),
    "subexpression": ("shared", "constant over dt"),
    "parameter": ("constant", "shared", "linked"),
}
_OF_SYNAPSES = ("event-driven", "clock-driven", "summed")


def read_text(value: object, where: str) -> str:
    """Text that may be given, with a space in the place of each character of a comment.

    Raises
    ------
    EquationError
        What is no text, or too long.
    """
    if not isinstance(value, str):
        raise EquationError(f"text is expected, not {type(value).__name__}; give the strings that a script has", where)
    if len(value) > MOST_CHARACTERS:
        raise EquationError(f"the text has {len(value):,} characters, more than {MOST_CHARACTERS:,}", where)
    text = check_text(value, where).replace("\r\n", "\n")
    return _COMMENT.sub(lambda comment: " " * len(comment.group()), text)


def read_unit(passage: Passage) -> Unit:
    """A unit: names multiplied, divided, and raised to powers.

    Raises
    ------
    EquationError
        For other text, and for a name that is none of Brian2's units.
    """
    unit, position, sign = PLAIN, 0, 1
    while position >= 0:
        found = _FACTOR.match(passage.text, position)
        if found is None:
            raise passage.error(f"{shown(passage.text)} is not a unit; write such as 'siemens/metre**2'", position)
        known = PLAIN if found["name"] == "1" else unit_named(found["name"])
        if known is None:
            hint = suggest(found["name"], common_units())
            raise passage.error(f"unknown unit {shown(found['name'])}{hint}", found.start("name"))
        exponent = sign * Fraction((found["power"] or "1").replace(" ", ""))
        if abs(exponent) > MAX_EXPONENT:
            raise passage.error(f"an exponent is larger than {MAX_EXPONENT} in magnitude", found.start("power"))
        unit = unit * known.power(exponent)
        sign = -1 if found["operator"] == "/" else 1
        position = found.end() if found["operator"] else -1
    return unit


def read_lines(equations: object) -> tuple[Line, ...]:
    """The lines of a block of equations; a right side goes on until the colon before its unit.

    Raises
    ------
    EquationError
        With the line: what is no definition, or has no unit or a flag that a neuron's has not.
    """
    source = read_text(equations, "equations")
    found: dict[str, Line] = {}
    something = _SOMETHING.search(source)
    while something:
        line, position = _line(source, something.start())
        if line.name in found:
            raise line.unit.error(f"{line.name!r} is defined twice")
        found[line.name] = line
        if len(found) > MOST_LINES:
            raise line.unit.error(f"there are more than {MOST_LINES:,} lines; take a part of the model")
        something = _SOMETHING.search(source, position)
    if not found:
        raise EquationError("no equation found; write lines such as 'dv/dt = -v/tau : volt'", "equations")
    return tuple(found.values())


def _line(source: str, position: int) -> tuple[Line, int]:
    """The definition that starts at a position, and where the next one may."""
    start = _START.match(source, position)
    if start is None:
        end = source.find("\n", position) % (len(source) + 1)
        raise Passage(source[position:end], "equations", source, position).error(
            f"expected 'dx/dt = expression : unit', 'x = expression : unit' or 'x : unit', found "
            f"{shown(source[position:end].strip())}"
        )
    name = check_name(start["state"] or start["name"], f"line {source.count(chr(10), 0, position) + 1}")
    where = f"equation d{name}/dt" if start["state"] else f"equation {name}"
    colon = start.end() - 1
    expression = None
    if start["sign"] == "=":
        colon = source.find(":", start.end())
        right = source[start.end() : colon if colon >= 0 else len(source)]
        expression = Passage(right.replace("\n", " "), where, source, start.end())
        _check_that_it_ends(right, expression, colon >= 0)
    elif start["state"]:
        raise Passage("", where, source, colon).error("a derivative is missing: write 'dx/dt = expression : unit'")
    end = source.find("\n", colon)
    end = len(source) if end < 0 else end
    after = Passage(source[colon + 1 : end], where, source, colon + 1)
    kind = "equation" if start["state"] else "parameter" if expression is None else "subexpression"
    return _with_unit(name, kind, expression, after), end


def _check_that_it_ends(right: str, passage: Passage, has_colon: bool) -> None:
    """Refuse a right side that runs into the next definition, or to the end, as its unit is missing."""
    missing = "a unit is missing: a line ends with ': volt', or ': 1' for none"
    begun = _SOMETHING.search(right)
    next_line = right.find("\n", begun.start()) if begun else -1
    again = _AGAIN.search(right, next_line + 1) if next_line >= 0 else None
    if again and right.count("(", 0, again.start()) <= right.count(")", 0, again.start()):
        raise passage.error(missing, again.start())
    alone = _NAME_ALONE.search(right.rstrip()[-200:]) if next_line >= 0 else None
    if not has_colon or (alone and right.count("(") <= right.count(")")):
        raise passage.error(missing, len(right.rstrip()))


def _with_unit(name: str, kind: str, expression: Passage | None, after: Passage) -> Line:
    """A line with what stands behind its colon."""
    text, bracket, inner = after.text.rstrip().partition("(")
    if bracket and not inner.endswith(")"):
        raise after.error(f"{shown(after.text.strip())} is no unit with flags, such as 'volt (unless refractory)'")
    unit = Passage(text.strip(), after.where, after.source, after.start + len(text) - len(text.lstrip()))
    if not unit.text:
        raise after.error("a unit is missing after ':' (write 1 for none)")
    if not _UNIT.fullmatch(unit.text):
        raise after.error(f"{shown(unit.text)} is no unit; write such as 'siemens/metre**2'")
    flags = tuple(flag.strip() for flag in inner.removesuffix(")").split(",")) if bracket else ()
    for flag in flags:
        if flag in _OF_SYNAPSES:
            what = "declare what arrives with on_event, or with with_part(...)"
            raise after.error(f"({flag}) is a flag of synapses, not of neurons; {what}", len(text))
        if flag not in _FLAGS[kind]:
            known = ", ".join(_FLAGS[kind])
            raise after.error(f"({shown(flag)[1:-1]}) is no flag of a {kind} (flags: {known})", len(text))
    return Line(name, kind, expression, unit, flags)
