"""Pieces of Brian2's text, each of which knows where it stands; and the lines of a block of equations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from izhigen.errors import EquationError, shown
from izhigen.model.equations import check_text

MOST_CHARACTERS = 200_000
"""Longest block of equations that is read."""


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


_START = re.compile(r"\s*(?:d\s*(?P<state>[A-Za-z_]\w*)\s*/\s*dt|(?P<name>[A-Za-z_]\w*))\s*(?P<sign>[=:])", re.ASCII)
_UNIT = re.compile(r"\s*(?P<unit>[A-Za-z0-9_*/. -]*?)\s*(?:\((?P<flags>[^()]*)\)\s*)?\Z", re.ASCII)
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
        raise EquationError(f"text is expected, not {type(value).__name__} (str(...) of Brian2's Equations)", where)
    if len(value) > MOST_CHARACTERS:
        raise EquationError(f"the text has {len(value):,} characters, more than {MOST_CHARACTERS:,}", where)
    text = check_text(value, where).replace("\r\n", "\n")
    return _COMMENT.sub(lambda comment: " " * len(comment.group()), text)


def read_lines(equations: object) -> tuple[Line, ...]:
    """The lines of a block of equations; a right side goes on until the colon before its unit.

    Raises
    ------
    EquationError
        With the line: what is no definition, or has no unit or a flag that a neuron's has not.
    """
    source = read_text(equations, "equations")
    found: list[Line] = []
    position = 0
    while source[position:].strip():
        position += len(source[position:]) - len(source[position:].lstrip())
        line, position = _line(source, position)
        if any(line.name == other.name for other in found):
            raise line.unit.error(f"{line.name!r} is defined twice")
        found.append(line)
    if not found:
        raise EquationError("no equation found; write lines such as 'dv/dt = -v/tau : volt'", "equations")
    return tuple(found)


def _line(source: str, position: int) -> tuple[Line, int]:
    """The definition that starts at a position, and where the next one may."""
    start = _START.match(source, position)
    if start is None:
        end = source.find("\n", position) % (len(source) + 1)
        raise Passage(source[position:end], "equations", source, position).error(
            f"expected 'dx/dt = expression : unit', 'x = expression : unit' or 'x : unit', found "
            f"{shown(source[position:end].strip())}"
        )
    name = start["state"] or start["name"]
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
    position = right.find("\n")
    while position >= 0:
        again = _START.match(right, position)
        if again and right[:position].strip() and right[again.end() - 1 : again.end() + 1] != "==":
            raise passage.error("a unit is missing: a line ends with ': volt', or ': 1' for none", position)
        position = right.find("\n", position + 1)
    if not has_colon:
        raise passage.error("a unit is missing: a line ends with ': volt', or ': 1' for none", len(right.rstrip()))


def _with_unit(name: str, kind: str, expression: Passage | None, after: Passage) -> Line:
    """A line with what stands behind its colon."""
    found = _UNIT.match(after.text)
    if found is None or not found["unit"]:
        _refuse_unit(after)
    flags = tuple(flag.strip() for flag in (found["flags"] or "").split(",") if flag.strip())
    for flag in flags:
        if flag in _OF_SYNAPSES:
            what = "declare what arrives with on_event, or with with_part(...)"
            raise after.error(f"({flag}) is a flag of synapses, not of neurons; {what}", found.start("flags"))
        if flag not in _FLAGS[kind]:
            known = ", ".join(_FLAGS[kind])
            raise after.error(f"({flag}) is no flag of a {kind} (flags: {known})", found.start("flags"))
    unit = Passage(found["unit"], after.where, after.source, after.start + found.start("unit"))
    return Line(name, kind, expression, unit, flags)


def _refuse_unit(after: Passage) -> NoReturn:
    given = after.text.strip()
    if not given:
        raise after.error("a unit is missing after ':' (write 1 for none)")
    raise after.error(f"{shown(given)} is no unit with flags; write such as 'siemens/metre**2 (constant)'")
