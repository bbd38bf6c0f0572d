"""NESTML's text as a tree: the grammar is ``nestml.lark``, the parser that of lark, the nodes are our own.

Nothing is known here of what names mean. Indentation makes blocks, as in Python.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from izhigen.errors import ModelError, shown, suggest
from izhigen.units.names import KNOWN

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

MOST_CHARACTERS = 200_000
"""Longest file that is parsed; the longest neuron that NESTML ships has 13,000."""
DEEPEST = 60
"""Levels of an expression or of blocks."""
MOST_TERMS = 200
"""Terms, factors or conditions in a row."""
_MOST_DIGITS = 60
_LARGEST_EXPONENT = 300
BLOCKS = ("state", "parameters", "internals", "equations", "input", "output", "update", "onReceive", "onCondition")


@dataclass(frozen=True)
class Place:
    """Where something stands in a file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def error(self, what: str) -> ModelError:
        """An error that begins with the place."""
        return ModelError(f"{self.file}, line {self.line}, column {self.column}: {what}")


@dataclass(frozen=True)
class Node:
    """A part of an expression, a statement or a declaration."""

    place: Place


@dataclass(frozen=True)
class Number(Node):
    """A number, with its unit where one follows it (``15 mV``, ``0.5 ms**-1``)."""

    value: Fraction
    unit: Unit | None = None


@dataclass(frozen=True)
class Truth(Node):
    """``true`` or ``false``."""

    value: bool


@dataclass(frozen=True)
class Name(Node):
    """A name, with its quotes for derivatives."""

    id: str


@dataclass(frozen=True)
class Call(Node):
    """A function's name and its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Sum(Node):
    """Terms, each with its sign."""

    terms: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Product(Node):
    """Factors, each with the ``*`` or ``/`` before it."""

    factors: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Power(Node):
    """``base ** exponent``."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Comparison(Node):
    """``< <= > >= == !=`` of two values."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logical(Node):
    """``and``, ``or`` or ``not``."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Conditional(Node):
    """``condition ? a : b``."""

    condition: Node
    chosen: Node
    otherwise: Node


@dataclass(frozen=True)
class Unit(Node):
    """A unit or type: names and numbers, each with the ``*`` or ``/`` before it and its exponent."""

    factors: tuple[tuple[str, str | Unit, int], ...]

    def __str__(self) -> str:
        parts = [
            f"{operator}{f'({factor})' if isinstance(factor, Unit) else factor}{f'**{power}' if power != 1 else ''}"
            for operator, factor, power in self.factors
        ]
        return "".join(parts)[1:]


@dataclass(frozen=True)
class Declaration(Node):
    """Names of one type, with a value: of a state, a parameter, an internal, or within a block."""

    names: tuple[str, ...]
    unit: Unit
    value: Node | None
    invariant: Node | None = None


@dataclass(frozen=True)
class Definition(Node):
    """``x' = ...`` of an equation or a kernel, and ``inline x mV = ...``, which has a unit."""

    name: str
    value: Node
    unit: Unit | None = None

    @property
    def order(self) -> int:
        """Which derivative it defines."""
        return self.name.count("'")


@dataclass(frozen=True)
class Kernel(Node):
    """One function of t, or differential equations that define one."""

    definitions: tuple[Definition, ...]


@dataclass(frozen=True)
class Port(Node):
    """An input: spikes, of which it may be the inhibitory ones alone, or continuous in a unit."""

    name: str
    unit: Unit | None
    is_inhibitory: bool = False


@dataclass(frozen=True)
class Assignment(Node):
    """``x = value``, ``x += value``, ..."""

    name: str
    operator: str
    value: Node


@dataclass(frozen=True)
class Return(Node):
    """What a function gives."""

    value: Node


@dataclass(frozen=True)
class Choice(Node):
    """``if``, ``elif`` and ``else``; the condition of an ``else`` is None."""

    branches: tuple[tuple[Node | None, tuple[Node, ...]], ...]


@dataclass(frozen=True)
class Handler(Node):
    """``onReceive(port)`` or ``onCondition(condition)``, and what is done then."""

    when: str | Node
    body: tuple[Node, ...]


@dataclass(frozen=True)
class Function(Node):
    """A function of the file."""

    name: str
    arguments: tuple[tuple[str, Unit], ...]
    unit: Unit | None
    body: tuple[Node, ...]


@dataclass(frozen=True)
class Neuron(Node):
    """A model, block by block, each in the file's order."""

    name: str
    states: tuple[Declaration, ...]
    parameters: tuple[Declaration, ...]
    internals: tuple[Declaration, ...]
    equations: tuple[Definition, ...]
    kernels: tuple[Kernel, ...]
    ports: tuple[Port, ...]
    update: tuple[Node, ...]
    handlers: tuple[Handler, ...]
    functions: tuple[Function, ...]


def walk(node: Any) -> Iterator[Node]:
    """A node and all parts of it."""
    if isinstance(node, Node):
        yield node
        for value in vars(node).values():
            yield from walk(value)
    elif isinstance(node, tuple):
        for value in node:
            yield from walk(value)


# -- reading ----------------------------------------------------------------------------------------------------------


@cache
def _parser() -> Lark:
    try:
        from lark import Lark
        from lark.indenter import Indenter
    except ImportError:
        raise ModelError(
            "NESTML's files are read by lark, which is not installed: pip install 'izhigen[nestml]'"
        ) from None

    class _Blocks(Indenter):
        NL_type = "_NL"  # pyright: ignore
        OPEN_PAREN_types = ["LPAR"]  # pyright: ignore
        CLOSE_PAREN_types = ["RPAR"]  # pyright: ignore
        INDENT_type = "_INDENT"  # pyright: ignore
        DEDENT_type = "_DEDENT"  # pyright: ignore
        tab_len = 8  # pyright: ignore

    grammar = Path(__file__).with_name("nestml.lark").read_text(encoding="utf-8")
    return Lark(
        grammar, parser="lalr", start="file", postlex=_Blocks(), propagate_positions=True, maybe_placeholders=True
    )


def parse(text: str, file: str) -> tuple[Neuron, ...]:
    """The models of a file.

    Raises
    ------
    ModelError
        With file, line and column: what is not in the grammar, or is too long or too deep.
    """
    if len(text) > MOST_CHARACTERS:
        raise ModelError(
            f"{file} has {len(text):,} characters, more than {MOST_CHARACTERS:,}; give a neuron a file of its own"
        )
    if not text.strip():
        raise ModelError(f"{file} is empty; a NESTML file begins with 'model <name>:'")
    parser = _parser()
    from lark.exceptions import LarkError

    try:
        tree = parser.parse(text.rstrip() + "\n")
    except LarkError as problem:
        raise _Reader(file).refused(problem, text) from None
    return tuple(_Reader(file).model(child) for child in tree.children if not _is_token(child))


def _is_token(child: Any) -> bool:
    return isinstance(child, str)


_HINTS = {
    "for": "; loops are not read: write out what they do",
    "while": "; loops are not read: write out what they do",
    "neuron": "; a model begins with 'model NAME:', as newer NESTML writes it",
    "end": "; blocks end where their indentation does, as in newer NESTML",
    '"': "; descriptions are comments, which begin with #",
}
"""By the first word of a line, or by a character."""


class _Reader:
    """Turns trees of lark into nodes; levels are counted on the way."""

    def __init__(self, file: str) -> None:
        self._file = file

    def refused(self, problem: Any, text: str) -> ModelError:
        """What a parser's error says to a reader."""
        place = Place(self._file, max(getattr(problem, "line", 0), 1), max(getattr(problem, "column", 0), 1))
        token = getattr(problem, "token", None)
        if token is None and getattr(problem, "char", None) is None:
            return ModelError(f"{self._file}: blocks are indented by the same white space throughout ({problem})")
        if token is None:
            hint = _HINTS.get(text[problem.pos_in_stream], "")
            return place.error(f"character {shown(text[problem.pos_in_stream])} is not part of NESTML's neurons{hint}")
        if token.type == "$END":
            return ModelError(f"{self._file} ends within a block; the block is incomplete")
        words = text.splitlines()[place.line - 1].split()
        hint = _HINTS.get(words[0], "") if words else ""
        if token.type in ("_INDENT", "_DEDENT", "_NL") and not hint:
            return place.error("the line ends, or its indentation changes, where the statement or block goes on")
        found = "the end of the line" if token.type in ("_INDENT", "_DEDENT", "_NL") else shown(str(token))
        return place.error(f"{found} is not expected here{hint or suggest(str(token), BLOCKS)}")

    def _place(self, tree: Tree[Token] | Token) -> Place:
        meta: Any = tree if _is_token(tree) else getattr(tree, "meta", tree)
        return Place(self._file, getattr(meta, "line", 1), getattr(meta, "column", 1))

    def model(self, tree: Any) -> Neuron:
        """A model."""
        name, *blocks = tree.children
        found: dict[str, list[Any]] = {}
        for block in blocks:
            found.setdefault(block.data, []).append(block)
        equations = [line for block in found.get("equations", ()) for line in block.children]
        return Neuron(
            self._place(name),
            str(name),
            self._declarations(found.get("state", ())),
            self._declarations(found.get("parameters", ())),
            self._declarations(found.get("internals", ())),
            tuple(self._definition(line) for line in equations if line.data != "kernel"),
            tuple(self._kernel(line) for line in equations if line.data == "kernel"),
            tuple(self._port(line) for block in found.get("input_ports", ()) for line in block.children),
            tuple(statement for block in found.get("update", ()) for statement in self._body(block.children[0], 0)),
            tuple(self._handler(block) for block in blocks if block.data in ("received", "happens")),
            tuple(self._function(block) for block in found.get("function", ())),
        )

    def _declarations(self, blocks: Any) -> tuple[Declaration, ...]:
        return tuple(self._declaration(line) for block in blocks for line in block.children)

    def _declaration(self, tree: Any) -> Declaration:
        children = list(tree.children)
        names = tuple(str(child) for child in children if _is_token(child))
        unit = next(child for child in children if not _is_token(child) and child is not None)
        value, invariant = children[-2:] if tree.data == "declaration" else (children[-1], None)
        return Declaration(
            self._place(next(child for child in children if _is_token(child))),
            names,
            self._unit(unit, 0),
            None if value is None else self.expression(value, 0),
            None if invariant is None else self.expression(invariant.children[0], 0),
        )

    def _definition(self, tree: Any) -> Definition:
        *left, value = tree.children
        unit = self._unit(left[-1], 0) if tree.data == "inline" else None
        return Definition(self._place(left[0]), str(left[0]), self.expression(value, 0), unit)

    def _kernel(self, tree: Any) -> Kernel:
        return Kernel(self._place(tree), tuple(self._definition(child) for child in tree.children))

    def _port(self, tree: Any) -> Port:
        place, name = self._place(tree.children[0]), str(tree.children[0])
        if tree.data == "continuous_port":
            return Port(place, name, self._unit(tree.children[1], 0))
        return Port(place, name, None, {str(word) for word in tree.children[1:]} == {"inhibitory"})

    def _handler(self, tree: Any) -> Handler:
        when, body = tree.children
        read = str(when) if tree.data == "received" else self.expression(when, 0)
        return Handler(self._place(tree), read, self._body(body, 0))

    def _function(self, tree: Any) -> Function:
        name, *arguments, unit, body = tree.children
        return Function(
            self._place(name),
            str(name),
            tuple((str(a.children[0]), self._unit(a.children[1], 0)) for a in arguments if a is not None),
            None if unit is None else self._unit(unit, 0),
            self._body(body, 0),
        )

    # -- statements --

    def _body(self, tree: Any, depth: int) -> tuple[Node, ...]:
        self._check_depth(tree, depth, "blocks are")
        return tuple(self._statement(child, depth + 1) for child in tree.children)

    def _statement(self, tree: Any, depth: int) -> Node:
        children, place = tree.children, self._place(tree)
        if tree.data == "local":
            return self._declaration(tree)
        if tree.data == "assignment":
            operator = str(children[1])[0] if len(children) == 3 else ""
            return Assignment(place, str(children[0]), operator, self.expression(children[-1], 0))
        if tree.data == "returned":
            return Return(place, self.expression(children[0], 0))
        if tree.data == "invocation":
            return Call(place, str(children[0]), self._arguments(children[1:], 0))
        branches = [
            (self.expression(children[i], 0), self._body(children[i + 1], depth))
            for i in range(0, len(children) - 1, 2)
        ]
        otherwise = children[-1]
        last = [] if otherwise is None else [(None, self._body(otherwise, depth))]
        return Choice(place, (*branches, *last))

    # -- expressions --

    def _check_depth(self, tree: Any, depth: int, what: str) -> None:
        if depth > DEEPEST:
            raise self._place(tree).error(f"{what} nested deeper than {DEEPEST} levels; split what stands here")

    def expression(self, tree: Any, depth: int) -> Node:
        """An expression."""
        self._check_depth(tree, depth, "an expression is")
        method: Callable[[Any, Place, int], Node] = getattr(self, f"_on_{tree.data}")
        if len(tree.children) > 2 * MOST_TERMS:
            raise self._place(tree).error(f"more than {MOST_TERMS} terms in a row; split them with 'inline' lines")
        return method(tree.children, self._place(tree), depth + 1)

    def _arguments(self, children: Any, depth: int) -> tuple[Node, ...]:
        return tuple(self.expression(child, depth) for child in children if child is not None)

    def _on_number(self, children: Any, place: Place, depth: int) -> Node:
        return Number(place, self._number(children[0]))

    def _on_quantity(self, children: Any, place: Place, depth: int) -> Node:
        number, name, sign, exponent = children
        power = 1 if exponent is None else self._exponent(sign, exponent)
        return Number(place, self._number(number), Unit(self._place(name), (("*", str(name), power),)))

    def _on_truth(self, children: Any, place: Place, depth: int) -> Node:
        return Truth(place, str(children[0]).lower() == "true")

    def _on_name(self, children: Any, place: Place, depth: int) -> Node:
        return Name(place, str(children[0]))

    def _on_call(self, children: Any, place: Place, depth: int) -> Node:
        return Call(place, str(children[0]), self._arguments(children[1:], depth))

    def _on_sum(self, children: Any, place: Place, depth: int) -> Node:
        terms = [("+", self.expression(children[0], depth))]
        terms += [(str(sign), self.expression(term, depth)) for sign, term in zip(children[1::2], children[2::2])]
        return Sum(place, tuple(terms))

    def _on_product(self, children: Any, place: Place, depth: int) -> Node:
        factors = [("*", self.expression(children[0], depth))]
        factors += [(str(o), self.expression(factor, depth)) for o, factor in zip(children[1::2], children[2::2])]
        for (operator, factor), (following, after) in pairwise(factors):
            if (
                operator == "/"
                and isinstance(factor, Number)
                and factor.unit
                and isinstance(after, Name)
                and after.id in KNOWN
            ):
                raise after.place.error(
                    f"whether {factor.unit}{following}{after.id} is one unit here is not clear; put it in parentheses"
                )
        return Product(place, tuple(factors))

    def _on_signed(self, children: Any, place: Place, depth: int) -> Node:
        return Sum(place, ((str(children[0]), self.expression(children[1], depth)),))

    def _on_power(self, children: Any, place: Place, depth: int) -> Node:
        return Power(place, self.expression(children[0], depth), self.expression(children[1], depth))

    def _on_comparison(self, children: Any, place: Place, depth: int) -> Node:
        left, operator, right = children
        spelled = "!=" if operator == "<>" else str(operator)
        return Comparison(place, spelled, self.expression(left, depth), self.expression(right, depth))

    def _on_conjunction(self, children: Any, place: Place, depth: int) -> Node:
        return Logical(place, "and", self._arguments(children, depth))

    def _on_disjunction(self, children: Any, place: Place, depth: int) -> Node:
        return Logical(place, "or", self._arguments(children, depth))

    def _on_negation(self, children: Any, place: Place, depth: int) -> Node:
        return Logical(place, "not", self._arguments(children, depth))

    def _on_conditional(self, children: Any, place: Place, depth: int) -> Node:
        return Conditional(place, *self._arguments(children, depth))

    def _number(self, token: Any) -> Fraction:
        text = str(token).lower()
        exponent = text.partition("e")[2]
        too_long = len(text) > _MOST_DIGITS or (exponent and abs(int(exponent)) > _LARGEST_EXPONENT)
        if too_long or not math.isfinite(float(text)):
            raise self._place(token).error(f"the number {shown(text)} is too long, too large or too small")
        return Fraction(text.rstrip(".") if "e" not in text else text.replace(".e", "e"))

    def _exponent(self, sign: Any, token: Any) -> int:
        value = self._number(token)
        if value.denominator != 1 or value > 100:
            raise self._place(token).error(f"exponents of units are whole numbers up to 100, not {shown(str(token))}")
        return -int(value) if sign == "-" else int(value)

    def _unit(self, tree: Any, depth: int) -> Unit:
        self._check_depth(tree, depth, "a unit is")
        factors: list[tuple[str, str | Unit, int]] = []
        operator = "*"
        for child in tree.children:
            if _is_token(child):
                operator = str(child)
                continue
            first, sign, exponent = (*child.children, None, None)[:3]
            power = 1 if exponent is None else self._exponent(sign, exponent)
            factors.append((operator, str(first) if _is_token(first) else self._unit(first, depth + 1), power))
        return Unit(self._place(tree), tuple(factors))
