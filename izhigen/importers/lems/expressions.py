"""Expressions of LEMS, parsed by a grammar of our own into the tree of the equation language.

::

    condition = relation (".and." relation)* | relation (".or." relation)*
    relation  = sum [(".gt." | ".lt." | ".geq." | ".leq." | ".eq." | ".neq.") sum]
    sum       = product (("+" | "-") product)*
    product   = signed (("*" | "/") signed)*
    signed    = ["-" | "+"] power
    power     = atom ["^" ["-"] atom]
    atom      = number | name | function "(" sum ")" | "(" condition ")"

What LEMS' interpreters read in different ways is refused: ``-x^2``, ``a^b^c``, and ``.and.`` beside ``.or.``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from izhigen.errors import ModelError, shown, suggest
from izhigen.importers import trees
from izhigen.importers.lems.elements import Place
from izhigen.model.expressions import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_LENGTH,
    MAX_MAGNITUDE,
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Negative,
    Node,
    Number,
)

RELATIONS = {".gt.": ">", ".lt.": "<", ".geq.": ">=", ".ge.": ">=", ".leq.": "<=", ".le.": "<="}
RELATIONS |= {".eq.": "==", ".neq.": "!=", ".ne.": "!="}
FUNCTIONS = {name: name for name in ("exp", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs")}
FUNCTIONS |= {"log": "log", "ln": "log", "H": "heaviside"}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
MOST_OPERATORS = 300
"""Most operators of an expression."""
_CEIL = "ceil"
_REFUSED = {
    "random": "what is drawn has no place in an equation; use model.with_noise(...) or a random input",
    "factorial": "write the product",
    "sum": "write the sum",
    "product": "write the product",
}
_HINTS = {
    "not": "LEMS has no .not.: write the opposite comparison",
    "**": "a power is '^' in LEMS",
    "<": "a comparison is .lt., .leq., .gt., .geq., .eq. or .neq. in LEMS",
}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>\.[A-Za-z]+\.)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|[-+*/^()]))",
    re.ASCII,
)


@dataclass(frozen=True)
class Text:
    """An expression of LEMS as it is written, with its place."""

    text: str
    place: Place


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    column: int


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, source: Text) -> None:
        self._source = source
        if len(source.text) > MAX_LENGTH:
            raise ModelError(
                f"{source.place}: an expression has {len(source.text):,} characters, more than {MAX_LENGTH:,}; "
                "split it with DerivedVariables"
            )
        self._tokens = self._split(source.text)
        if sum(token.kind in ("sign", "word") and token.text not in "()" for token in self._tokens) > MOST_OPERATORS:
            raise self._error(f"more than {MOST_OPERATORS} operators; split it with DerivedVariables", 1)
        self._next = 0

    def _error(self, what: str, column: int) -> ModelError:
        return ModelError(f"{self._source.place}: {shown(self._source.text)}, column {column}: {what}")

    def _split(self, text: str) -> list[_Token]:
        tokens, position, end = list[_Token](), 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                column = position + len(text[position:]) - len(text[position:].lstrip())
                hint = _HINTS["<"] if text[column] in "<>=&|!" else "it has no place in an expression"
                raise self._error(f"{shown(text[column])}: {hint}", column + 1)
            kind = str(found.lastgroup)
            tokens.append(_Token(kind, found[kind], found.start(kind) + 1))
            position = found.end()
        tokens.append(_Token("end", "", end + 1))
        return tokens

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> _Token | None:
        """The next token, where it is one of these."""
        token = self._token
        if token.text not in texts or token.kind in ("end", "number", "name"):
            return None
        self._next += 1
        return token

    def parse(self) -> Node:
        """The tree of the whole text."""
        tree = self._condition(0)
        if self._token.kind != "end":
            token = self._token
            hint = _HINTS.get(token.text.strip("."), "an operator or the end is due")
            raise self._error(f"{shown(token.text)} is out of place: {hint}", token.column)
        return tree

    def _condition(self, depth: int) -> Node:
        start, parts, word = self._token.column, [self._relation(depth)], ""
        while token := self._take(".and.", ".or."):
            if word and token.text != word:
                raise self._error(".and. beside .or. is read in different ways; put parentheses", token.column)
            word = token.text
            parts.append(self._relation(depth))
        if not word:
            return parts[0]
        if not all(isinstance(part, (Compare, Logical)) for part in parts):
            raise self._error(f"what stands beside {word} is no condition", start)
        return Logical(word.strip("."), tuple(parts))

    def _relation(self, depth: int) -> Node:
        left = self._sum(depth)
        token = self._take(*RELATIONS)
        if token is None:
            return left
        right = self._sum(depth)
        if self._token.text in RELATIONS:  # of a comparison nothing can be asked
            raise self._error("comparisons stand in a row; join them by .and.", self._token.column)
        return Compare(RELATIONS[token.text], self._number(left, token), self._number(right, token))

    def _number(self, node: Node, token: _Token) -> Node:
        if isinstance(node, (Compare, Logical)):
            raise self._error("a condition stands where a number is due", token.column)
        return node

    def _sum(self, depth: int) -> Node:
        node = self._product(depth)
        while token := self._take("+", "-"):
            node = Binary(token.text, self._number(node, token), self._number(self._product(depth), token))
        return node

    def _product(self, depth: int) -> Node:
        node = self._signed(depth)
        while token := self._take("*", "/"):
            node = Binary(token.text, self._number(node, token), self._number(self._signed(depth), token))
        return node

    def _signed(self, depth: int) -> Node:
        sign = self._take("-", "+")
        node = self._power(depth, sign)
        return node if sign is None or sign.text == "+" else _negative(self._number(node, sign))

    def _power(self, depth: int, sign: _Token | None) -> Node:
        base = self._atom(depth)
        token = self._take("^")
        if token is None:
            return base
        minus = self._take("-")
        exponent = self._number(self._atom(depth), token)
        if self._token.text in ("^", "**"):
            raise self._error("powers stand in a row; put parentheses", self._token.column)
        if sign and sign.text == "-" and not (isinstance(exponent, Number) and exponent.value % 2 == 1):
            raise self._error("minus before a power is read in different ways; write -(x^2) or (-x)^2", sign.column)
        return Binary("**", self._number(base, token), _negative(exponent) if minus else exponent)

    def _atom(self, depth: int) -> Node:
        token = self._token
        if depth > MAX_DEPTH:
            raise self._error(f"the expression is nested deeper than {MAX_DEPTH} levels", token.column)
        self._next += 1
        if token.kind == "number":
            return self._constant(token)
        if token.kind == "name":
            return self._call(token, depth) if self._token.text == "(" else Name(token.text, token.column)
        if token.text == "(":
            return self._inside(token, depth)
        self._next -= 1
        what = f"{shown(token.text)} is out of place" if token.kind != "end" else "it ends too early"
        hint = _HINTS.get(token.text.strip("."), "a number, a name or '(' is due")
        raise self._error(f"{what}: {hint}", token.column)

    def _constant(self, token: _Token) -> Node:
        power = re.split("[eE]", token.text)[1:]
        if len(token.text) > MAX_DIGITS or (power and abs(int(power[0])) > MAX_MAGNITUDE):
            raise self._error(f"the number {shown(token.text)} is too long, too large or too small", token.column)
        return Number(Fraction(token.text))

    def _inside(self, opening: _Token, depth: int) -> Node:
        node = self._condition(depth + 1)
        if self._take(")") is None:
            raise self._error("a parenthesis that is opened here is not closed", opening.column)
        return node

    def _call(self, token: _Token, depth: int) -> Node:
        opening = self._token
        self._next += 1
        name = token.text
        if name in _REFUSED:
            raise self._error(f"{name}() is not read: {_REFUSED[name]}", token.column)
        if name not in FUNCTIONS and name != _CEIL:
            known = (*FUNCTIONS, _CEIL)
            raise self._error(
                f"no function {shown(name)}{suggest(name, known)} (functions: {', '.join(sorted(known))})", token.column
            )
        argument = self._number(self._inside(opening, depth), token)
        if name == _CEIL:
            return Negative(Call("floor", (Negative(argument),)))
        return Call(FUNCTIONS[name], (argument,))


def _negative(node: Node) -> Node:
    return Number(-node.value) if isinstance(node, Number) else Negative(node)


def parse(source: Text, *, is_condition: bool = False) -> Node:
    """The tree of an expression, or of a condition.

    Raises
    ------
    ModelError
        For anything that LEMS does not have, or reads in several ways: with file, line and column.
    """
    tree = _Parser(source).parse()
    if isinstance(tree, (Compare, Logical)) != is_condition:
        due = "a condition such as v .gt. thresh" if is_condition else "a number"
        raise ModelError(f"{source.place}: {shown(source.text)}: {due} is due here")
    return tree


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """As :func:`izhigen.importers.trees.rebuilt`, where a number with a sign is a number, as :func:`parse` reads it."""
    return trees.rebuilt(node, lambda part: change(_negative(part.operand) if isinstance(part, Negative) else part))


def substituted(node: Node, names: Mapping[str, Node]) -> Node:
    """The tree with others in the place of some names."""
    return rebuilt(node, lambda part: names.get(part.id, part) if isinstance(part, Name) else part)


def opposite(condition: Node) -> Node:
    """The condition that holds where another does not."""
    if isinstance(condition, Compare):
        return Compare(_OPPOSITE[condition.operator], condition.left, condition.right)
    assert isinstance(condition, Logical), "conditions are comparisons, or made of them"
    if condition.operator == "not":
        return condition.operands[0]
    operator = "or" if condition.operator == "and" else "and"
    return Logical(operator, tuple(map(opposite, condition.operands)))


def number_text(value: Fraction) -> str:
    """A number exactly: as a float is written, where it is one, else as a whole number or a quotient."""
    text = repr(float(value)).replace("e+", "e").removesuffix(".0")
    if Fraction(text) == value:
        return text
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"
