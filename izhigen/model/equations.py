"""Reading the equation block of a declaration.

A block holds lines ``dx/dt = expression : unit`` (a state variable and its right-hand side) and algebraic lines
``name = expression : unit``, which the derivation inlines. ``#`` starts a comment. A line goes on in the next one after
a backslash, within parentheses, or when either side of the break has a dangling operator.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass

from izhigen.errors import EquationError, shown
from izhigen.model.expressions import Expression, check_name, parse_expression
from izhigen.scalars import read_finite
from izhigen.units.names import check_unit


@dataclass(frozen=True)
class Equation:
    """One line: a state variable's right-hand side (``is_ode``) or an algebraic definition."""

    name: str
    expression: Expression
    unit: str
    is_ode: bool

    @property
    def where(self) -> str:
        """How errors call this line."""
        return f"equation d{self.name}/dt" if self.is_ode else f"equation {self.name}"

    def __str__(self) -> str:
        left = f"d{self.name}/dt" if self.is_ode else self.name
        return f"{left} = {self.expression.text}" + (f" : {self.unit}" if self.unit else "")


_ODE = re.compile(r"d([A-Za-z]\w*)/dt\Z")
_NOT_LEFT = re.compile(r"[=<>!:]")
_DANGLING_END = re.compile(r"(?:[-+*/(,=<>]|\b(?:and|or|not))\Z")
_DANGLING_START = re.compile(r"\s*(?:[-+*/),<>]|(?:and|or)\b)")


def _logical_lines(block: str) -> list[tuple[int, str]]:
    """Lines joined where they continue, without comments, each with the number of its first line."""
    lines: list[tuple[int, str]] = []
    going_on = backslash = False
    for number, raw in enumerate(block.splitlines(), start=1):
        line = raw.split("#", 1)[0].rstrip()
        if not line.strip():
            going_on = going_on and not backslash
            continue
        backslash = line.endswith("\\")
        line = line[:-1].rstrip() if backslash else line
        if lines and (going_on or _DANGLING_START.match(line)):
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
        else:
            lines.append((number, line))
        text = lines[-1][1]
        going_on = backslash or text.count("(") > text.count(")") or bool(_DANGLING_END.search(text[-4:]))
    return lines


def _split_unit(text: str) -> tuple[str, str, str]:
    """The expression, and the unit after the first colon outside parentheses."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == ":" and depth <= 0:
            return text[:position], ":", text[position + 1 :]
    return text, "", ""


def _parse_line(number: int, line: str) -> Equation:
    place = f"line {number}"
    found = _NOT_LEFT.search(line)
    if found is None or found.group() != "=" or line.startswith("==", found.start()):
        raise EquationError(
            f"expected 'dx/dt = expression : unit' or 'name = expression : unit', found {shown(line.strip())}", place
        )
    left = "/".join(part.strip() for part in line[: found.start()].split("/"))
    ode = _ODE.match(left)
    if ode is None and "/" in left:
        raise EquationError(
            f"the left side {shown(left)} is neither 'dx/dt' nor a name; time is in ms and its derivative is "
            "written dx/dt",
            place,
        )
    name = check_name(ode.group(1) if ode else left, place)
    where = f"equation d{name}/dt" if ode else f"equation {name}"
    right, colon, unit = _split_unit(line[found.end() :])
    if "(unless refractory)" in unit.replace("  ", " "):
        raise EquationError(
            "'(unless refractory)' is not part of the language; use model.with_refractory(tau_ref=...)", where
        )
    if colon and not unit.strip():
        raise EquationError("a unit is missing after ':' (write 1 for none, or leave out the colon)", where)
    unit = check_unit(unit, where) if colon else ""
    return Equation(name, parse_expression(right, where, offset=found.end()), unit, ode is not None)


def parse_equations(source: str | Mapping[object, object]) -> tuple[Equation, ...]:
    """Read equations: a block of text, or a mapping from state (name or symbol) to right-hand side (text or SymPy).

    Raises
    ------
    EquationError
        With the line, the equation and the column.
    """
    if isinstance(source, str):
        equations = tuple(_parse_line(number, line) for number, line in _logical_lines(source))
    elif isinstance(source, Mapping):
        equations = tuple(_from_pair(key, value) for key, value in source.items())
    else:
        raise EquationError(
            f"equations are a block of text or a mapping {{state: expression}}, not {type(source).__name__}",
            "equations",
        )
    if not equations:
        raise EquationError("no equation found; write lines such as 'dV/dt = -V/tau + I : mV'", "equations")
    return equations


def _from_pair(key: object, value: object) -> Equation:
    name = check_name(key_text(key, "equations"), "equations")
    where = f"equation d{name}/dt"
    text, colon, unit = _split_unit(expression_text(value, where))
    return Equation(name, parse_expression(text, where), check_unit(unit, where) if colon else "", True)


def check_text(text: object, where: str) -> str:
    """Text that can be written to a file, or an error."""
    if not isinstance(text, str):
        raise EquationError(f"text is expected, not {type(text).__name__}", where)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise EquationError(
            f"character {shown(text[problem.start])} is half of a pair and stands for nothing; leave it out",
            where,
            problem.start + 1,
        ) from None
    return str(text)


def key_text(key: object, where: str) -> str:
    """The name that a key of a mapping is: text, or a SymPy symbol."""
    if isinstance(key, str):
        return key
    name = getattr(key, "name", None)
    if not isinstance(name, str):
        raise EquationError(f"{shown(key)} is not a name; keys are text or SymPy symbols", where)
    return name


def expression_text(value: object, where: str) -> str:
    """The equation-language text of a string, a number or a SymPy expression."""
    if isinstance(value, str):
        return value
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = read_finite(value, "the number", EquationError)
        return repr(int(value)) if isinstance(value, numbers.Integral) else repr(number)
    if hasattr(value, "free_symbols") and hasattr(value, "args"):
        from izhigen.model.from_sympy import sympy_text  # SymPy loads only for models that come with SymPy expressions

        return sympy_text(value, where)
    raise EquationError(f"an expression is text or a SymPy expression, not {type(value).__name__}", where)
