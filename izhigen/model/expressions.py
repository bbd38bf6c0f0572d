"""A safe parser for expressions: Python's ``ast``, a whitelist, and a small tree of our own.

Text is never executed. Decimal numbers are kept as exact rationals, so that ``0.1`` is 1/10 when the
derivation meets it. The tree carries columns, so that a later stage can still say where a name stands.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from izhigen.errors import EquationError, shown, suggest
from izhigen.model.functions import CONSTANTS, FUNCTIONS

MAX_LENGTH = 10_000
"""Longest expression text, in characters."""
MAX_DEPTH = 60
"""Deepest nesting of an expression."""
MAX_TERMS = 200
"""Longest chain of terms or factors, such as ``a + b + c + ...``."""
MAX_EXPONENT = 64
"""Largest magnitude of a constant exponent."""
MAX_DEGREE = 256
"""Largest degree that nested powers may multiply up to."""
MAX_MAGNITUDE = 300
"""Largest decimal exponent of a number."""
MAX_DIGITS = 60
"""Longest number, in characters."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def check_name(name: str, where: str) -> str:
    """A legal symbol name (ASCII letters, digits, underscore, starting with a letter), or an error."""
    if not isinstance(name, str) or not _NAME.match(name) or len(name) > 64:
        raise EquationError(
            f"{shown(name)} is not a name: use at most 64 ASCII letters, digits and underscores, "
            "starting with a letter",
            where,
        )
    if keyword.iskeyword(name):
        raise EquationError(
            f"{shown(name)} is a word of Python, which the parser cannot read as a name; rename it", where
        )
    return name


@dataclass(frozen=True)
class Number:
    """An exact rational constant."""

    value: Fraction


@dataclass(frozen=True)
class Name:
    """A symbol, with the column where it was written (not part of equality)."""

    id: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Binary:
    """Arithmetic on two numbers: ``+ - * / **``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Negative:
    """Minus a number."""

    operand: Node


@dataclass(frozen=True)
class Compare:
    """A comparison of two numbers: ``< <= > >= == !=``."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logical:
    """``and``, ``or`` or ``not`` of conditions."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True)
class Call:
    """A call of one of the functions of :mod:`izhigen.model.functions`."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Moment:
    """A number at another moment of a step.

    ``old(x)`` is x at the step's start, ``new(x)`` is x after the lines above in the same event.
    """

    which: str
    operand: Node


Node = Number | Name | Binary | Negative | Compare | Logical | Call | Moment
OLD, NEW = "old", "new"
"""What calls of a :class:`Moment` are written as."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its text as written and its tree; two are equal when their trees are."""

    text: str = field(compare=False)
    tree: Node = field()

    @cached_property
    def names(self) -> dict[str, int]:
        """The symbols it reads, each with the column of its first occurrence, in order."""
        found: dict[str, int] = {}
        for node in walk(self.tree):
            if isinstance(node, Name):
                found.setdefault(node.id, node.column)
        return found

    @property
    def is_condition(self) -> bool:
        """Whether it yields true or false instead of a number."""
        return isinstance(self.tree, (Compare, Logical))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Evaluate with NumPy. ``values`` gives each name a scalar or an array; shapes broadcast."""
        return _evaluate(self.tree, values)

    def __str__(self) -> str:
        return self.text


def children(node: Node) -> tuple[Node, ...]:
    """The direct parts of a node."""
    if isinstance(node, (Binary, Compare)):
        return (node.left, node.right)
    if isinstance(node, (Negative, Moment)):
        return (node.operand,)
    if isinstance(node, Logical):
        return node.operands
    return node.arguments if isinstance(node, Call) else ()


def walk(node: Node) -> Iterator[Node]:
    """All nodes of a tree, a node before its parts, left to right."""
    yield node
    for child in children(node):
        yield from walk(child)


_ARITHMETIC: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_HINTS: dict[type[ast.AST], str] = {
    ast.BitXor: "'^' is not a power here: write '**'",
    ast.FloorDiv: "'//' is not supported: write floor(a/b)",
    ast.Mod: "'%' is not supported: write a - b*floor(a/b)",
    ast.BitAnd: "'&' is not supported: write 'and'",
    ast.BitOr: "'|' is not supported: write 'or'",
    ast.Invert: "'~' is not supported: write 'not'",
    ast.IfExp: "'a if c else b' is not supported: write where(c, a, b)",
    ast.Lambda: "'lambda' is not supported",
    ast.Attribute: "attributes (a dot after a name) are not supported",
    ast.Subscript: "indexing with [] is not supported",
    ast.Tuple: "a comma is only allowed between a function's arguments",
    ast.NamedExpr: "':=' is not supported",
    ast.Starred: "'*' before an argument is not supported",
}


class _Parser:
    """Turns one whitelisted ``ast`` into a :class:`Node`, with kinds (number or condition) checked on the way."""

    def __init__(self, text: str, where: str, offset: int, moments: Collection[str]) -> None:
        self.text, self.where, self.offset, self.moments = text, where, offset, moments
        self.chain = 0

    def error(self, what: str, node: ast.AST | None = None, column: int | None = None) -> EquationError:
        if node is not None:
            column = getattr(node, "col_offset", 0)
        return EquationError(what, self.where, None if column is None else column + self.offset + 1)

    def parse(self) -> Node:
        text = self.text
        unprintable = next((i for i, c in enumerate(text) if c.isascii() and not c.isprintable() and c != "\t"), None)
        if unprintable is not None:
            raise self.error(f"character {shown(text[unprintable])} is not part of the language", column=unprintable)
        if not text.strip():
            raise self.error("an expression is missing here")
        if len(text) > MAX_LENGTH:
            raise self.error(
                f"the expression has {len(text)} characters, more than {MAX_LENGTH}; "
                "split it with algebraic lines 'name = expression'"
            )
        if not text.isascii():
            position = next(i for i, character in enumerate(text) if not character.isascii())
            raise self.error(
                f"character {shown(text[position])} is not ASCII; spell the name in ASCII letters", column=position
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text.strip(), mode="eval")
        except SyntaxError as problem:
            column = (problem.offset or 1) - 1 + len(text) - len(text.lstrip())
            raise self.error(f"not a valid expression ({problem.msg}): {_shorten(text)}", column=column) from None
        except (ValueError, MemoryError, RecursionError, OverflowError) as problem:
            raise self.error(f"the expression is too deep or holds a number too long ({problem})") from None
        self.offset += len(text) - len(text.lstrip())
        self.text = text.strip()
        return self.node(tree.body, 0)

    def node(self, node: ast.AST, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.error(
                f"the expression is nested deeper than {MAX_DEPTH} levels; "
                "split it with algebraic lines 'name = expression'",
                node,
            )
        method = getattr(self, "on_" + type(node).__name__.lower(), None)
        if method is None:
            what = _HINTS.get(type(node), f"{type(node).__name__} is not part of the equation language")
            raise self.error(what, node)
        result: Node = method(node, depth + 1)
        return result

    def number(self, node: ast.AST, depth: int, role: str) -> Node:
        result = self.node(node, depth)
        if isinstance(result, (Compare, Logical)):
            raise self.error(
                f"a condition stands where a number is due ({role}); wrap it as where(condition, 1, 0)", node
            )
        return result

    def condition(self, node: ast.AST, depth: int, role: str) -> Node:
        result = self.node(node, depth)
        if not isinstance(result, (Compare, Logical)):
            raise self.error(
                f"a number stands where a condition is due ({role}); write a comparison such as x > 0", node
            )
        return result

    def on_constant(self, node: ast.Constant, depth: int) -> Node:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float, complex)):
            raise self.error(f"{shown(node.value)} is not a number", node)
        if isinstance(node.value, complex):
            raise self.error("constants must be real; an imaginary number stands here", node)
        literal = self.text[node.col_offset : node.end_col_offset].replace("_", "").lower()
        if len(literal) > MAX_DIGITS:
            raise self.error(f"a number has more than {MAX_DIGITS} characters", node)
        if isinstance(node.value, float) and not math.isfinite(node.value):
            raise self.error(f"the number {literal} is too large", node)
        exponent = literal.partition("e")[2] if not literal.startswith("0x") else ""
        if exponent and abs(int(exponent)) > MAX_MAGNITUDE:
            raise self.error(f"the number {literal} is too {'small' if exponent.startswith('-') else 'large'}", node)
        try:
            value = Fraction(literal)
        except ValueError:
            raise self.error(f"write the number {literal} in decimal", node) from None
        if abs(value) > Fraction(10) ** MAX_MAGNITUDE:
            raise self.error(f"the number {literal} is too large", node)
        if value and abs(value) < Fraction(1, 10**MAX_MAGNITUDE):
            raise self.error(f"the number {literal} is too small", node)
        return Number(value)

    def on_name(self, node: ast.Name, depth: int) -> Node:
        if node.id.startswith("_"):
            raise self.error(f"name {shown(node.id)} starts with an underscore; names start with a letter", node)
        if node.id in FUNCTIONS:
            raise self.error(f"{shown(node.id)} is a function: write {node.id}(...)", node)
        return Name(node.id, node.col_offset + self.offset + 1)

    def on_unaryop(self, node: ast.UnaryOp, depth: int) -> Node:
        if isinstance(node.op, ast.Not):
            return Logical("not", (self.condition(node.operand, depth, "after 'not'"),))
        if isinstance(node.op, ast.Invert):
            raise self.error(_HINTS[ast.Invert], node)
        operand = self.number(node.operand, depth, "after a sign")
        if isinstance(node.op, ast.UAdd):
            return operand
        return Number(-operand.value) if isinstance(operand, Number) else Negative(operand)

    def on_binop(self, node: ast.BinOp, depth: int) -> Node:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            raise self.error(_HINTS.get(type(node.op), "this operator is not supported"), node)
        left = self.left_operand(node, depth, operator)
        right = self.number(node.right, depth, f"right of '{operator}'")
        result = Binary(operator, left, right)
        if operator == "**":
            exponent = self.constant(right, node.right)
            if exponent is not None and abs(exponent) > MAX_EXPONENT:
                raise self.error(f"exponent {exponent:g} is larger than {MAX_EXPONENT} in magnitude", node.right)
            if _degree(result) > MAX_DEGREE:
                raise self.error(f"nested powers reach degree {_degree(result):g}, more than {MAX_DEGREE}", node)
        self.constant(result, node)
        return result

    def left_operand(self, node: ast.BinOp, depth: int, operator: str) -> Node:
        """The left side; ``a + b + c`` nests to the left without being deep for a reader, so it has its own limit."""
        if not isinstance(node.left, ast.BinOp):
            return self.number(node.left, depth, f"left of '{operator}'")
        self.chain += 1
        if self.chain > MAX_TERMS:
            raise self.error(
                f"more than {MAX_TERMS} terms in a row; split them with algebraic lines 'name = expression'", node
            )
        left = self.number(node.left, depth - 1, f"left of '{operator}'")
        self.chain -= 1
        return left

    def on_compare(self, node: ast.Compare, depth: int) -> Node:
        operands = [self.number(item, depth, "in a comparison") for item in (node.left, *node.comparators)]
        parts: list[Node] = []
        for operator, left, right in zip(node.ops, operands, operands[1:]):
            if type(operator) not in _COMPARISONS:
                raise self.error("'is' and 'in' are not supported: compare with < <= > >= == !=", node)
            parts.append(Compare(_COMPARISONS[type(operator)], left, right))
        return parts[0] if len(parts) == 1 else Logical("and", tuple(parts))

    def on_boolop(self, node: ast.BoolOp, depth: int) -> Node:
        operator = "and" if isinstance(node.op, ast.And) else "or"
        return Logical(operator, tuple(self.condition(item, depth, f"beside '{operator}'") for item in node.values))

    def on_call(self, node: ast.Call, depth: int) -> Node:
        if not isinstance(node.func, ast.Name):
            raise self.error("only the functions " + ", ".join(sorted(FUNCTIONS)) + " can be called", node)
        name = node.func.id
        if name in (OLD, NEW):
            return self.moment(name, node, depth)
        spec = FUNCTIONS.get(name)
        if spec is None:
            raise self.error(
                f"unknown function {shown(name)}{suggest(name, FUNCTIONS)} (functions: {', '.join(sorted(FUNCTIONS))})",
                node.func,
            )
        if node.keywords:
            raise self.error(f"{name}() takes no named arguments", node)
        count = len(node.args)
        if count < spec.least or (spec.most is not None and count > spec.most):
            wanted = f"{spec.least}" if spec.most == spec.least else f"at least {spec.least}"
            raise self.error(f"{name}() takes {wanted} argument{'s' if wanted != '1' else ''}, {count} given", node)
        arguments: list[Node] = []
        for index, argument in enumerate(node.args):
            check = self.condition if name == "where" and index == 0 else self.number
            arguments.append(check(argument, depth, f"argument {index + 1} of {name}()"))
        result = Call(name, tuple(arguments))
        self.constant(result, node)
        return result

    def moment(self, name: str, node: ast.Call, depth: int) -> Node:
        """``old(x)`` or ``new(x)``, where the place knows them."""
        if name not in self.moments:
            known = "conditions and assignments of events" if name == OLD else "assignments of events"
            raise self.error(f"{name}(x) is known in {known} only", node)
        if node.keywords or len(node.args) != 1:
            raise self.error(f"{name}() takes 1 argument, {len(node.args) + len(node.keywords)} given", node)
        operand = self.number(node.args[0], depth, f"argument 1 of {name}()")
        parts = list(walk(operand))
        if any(isinstance(part, Moment) for part in parts):
            raise self.error(f"{name}() stands around another old() or new(); each takes plain values", node)
        if not any(isinstance(part, Name) and part.id not in CONSTANTS for part in parts):
            raise self.error(f"{name}() of a number is the number; leave it out", node)
        return Moment(name, operand)

    def constant(self, node: Node, source: ast.AST) -> float | None:
        """The value of a constant subtree; an error when it is not a finite real number."""
        if any(isinstance(part, Name) and part.id not in CONSTANTS for part in walk(node)):
            if isinstance(node, Binary) and node.operator == "/" and self.constant(node.right, source) == 0:
                raise self.error("division by zero", source)
            return None
        if isinstance(node, Binary) and node.operator == "**":
            base, exponent = self.constant(node.left, source), self.constant(node.right, source)
            if exponent is not None and abs(exponent) > MAX_EXPONENT:
                return exponent if base is None else None
        with np.errstate(all="ignore"):
            try:
                value = float(_evaluate(node, {}))
            except (ZeroDivisionError, OverflowError, TypeError, ValueError):
                value = math.nan
        if not math.isfinite(value):
            raise self.error("this constant is not a finite real number", source)
        return value


def _degree(node: Node) -> float:
    """How often the deepest factor of a power is multiplied with itself, counting numbers as factors too."""
    if isinstance(node, Binary) and node.operator == "**" and isinstance(node.right, (Number, Negative, Binary)):
        exponent = abs(float(node.right.value)) if isinstance(node.right, Number) else 1.0
        return max(exponent, 1.0) * _degree(node.left)
    parts = [_degree(child) for child in children(node)]
    if isinstance(node, Binary) and node.operator in ("*", "/"):
        return sum(parts)
    return max(parts, default=1.0)


def _shorten(text: str, limit: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def parse_expression(
    text: str, where: str = "expression", *, kind: str = "number", offset: int = 0, moments: Collection[str] = ()
) -> Expression:
    """Parse one expression.

    Parameters
    ----------
    text : str
        The expression.
    where : str
        Its place, for errors, such as ``"equation dV/dt"``.
    kind : {"number", "condition"}
        What the whole must yield.
    offset : int
        Column of ``text`` in the line it was cut from, added to reported columns.
    moments : collection of {"old", "new"}
        Which of ``old(x)`` and ``new(x)`` have a meaning there.

    Raises
    ------
    EquationError
        With the place and column, for anything outside the language.
    """
    if not isinstance(text, str):
        raise EquationError(f"text is expected, not {type(text).__name__}", where)
    text = _one_line(text)
    tree = _Parser(text, where, offset, moments).parse()
    is_condition = isinstance(tree, (Compare, Logical))
    if kind == "number" and is_condition:
        raise EquationError(
            "a condition stands where a number is due; wrap it as where(condition, 1, 0)", where, offset + 1
        )
    if kind == "condition" and not is_condition:
        raise EquationError("a comparison such as 'V >= V_th' is due here, not a number", where, offset + 1)
    return Expression(text.strip(), tree)


def renamed(expression: Expression, names: Mapping[str, str]) -> Expression:
    """The expression with other names in the place of some; its text follows.

    Names are the only words of the language that may stand for themselves: a call's name is followed by a bracket.
    """
    text = _WORD.sub(lambda word: names.get(word.group(), word.group()), expression.text)
    return Expression(text, _renamed(expression.tree, names))


_WORD = re.compile(r"(?<![\w.])[A-Za-z]\w*\b(?!\s*\()")


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    if isinstance(node, Name):
        return replace(node, id=names.get(node.id, node.id))
    if isinstance(node, (Binary, Compare)):
        return replace(node, left=_renamed(node.left, names), right=_renamed(node.right, names))
    if isinstance(node, (Negative, Moment)):
        return replace(node, operand=_renamed(node.operand, names))
    if isinstance(node, Logical):
        return replace(node, operands=tuple(_renamed(part, names) for part in node.operands))
    if isinstance(node, Call):
        return replace(node, arguments=tuple(_renamed(part, names) for part in node.arguments))
    return node


def _one_line(text: str) -> str:
    """The text without comments, on one line: what stands in it is what was parsed."""
    if "#" not in text and "\n" not in text:
        return text
    return " ".join(line.split("#", 1)[0] for line in text.replace("\r\n", "\n").split("\n"))


def _divide(left: Any, right: Any) -> Any:
    return np.true_divide(left, right)


def _power(left: Any, right: Any) -> Any:
    base = np.asarray(left)
    return (base if base.dtype.kind == "f" else base.astype(np.float64)) ** right


def _evaluate(node: Node, values: Mapping[str, Any]) -> Any:
    if isinstance(node, Number):
        return float(node.value)
    if isinstance(node, Name):
        return CONSTANTS[node.id] if node.id in CONSTANTS else values[node.id]
    if isinstance(node, Negative):
        return -_evaluate(node.operand, values)
    if isinstance(node, Moment):  # of what does not change in a step
        return _evaluate(node.operand, values)
    parts = [_evaluate(child, values) for child in children(node)]
    if isinstance(node, Call):
        return FUNCTIONS[node.function].numpy(*parts)
    return _OPERATIONS[node.operator](*parts)


_OPERATIONS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    "**": _power,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
    "and": lambda *parts: np.logical_and.reduce(np.broadcast_arrays(*parts)),
    "or": lambda *parts: np.logical_or.reduce(np.broadcast_arrays(*parts)),
    "not": np.logical_not,
}
