"""Expressions of Brian2, read by a whitelist into trees of our own language in the coherent system, with their units.

Numbers are exact. What consists of numbers and units is one number, written with units of the system, as ``500*nS``
for ``0.5*usiemens``; each unit in a text is a parameter of the model.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from izhigen.errors import EquationError, shown, suggest
from izhigen.importers.brian2_passages import Passage
from izhigen.importers.brian2_units import name_here, unit_named
from izhigen.importers.coherent import MILLISECOND, coherent, product, raised, to_coherent, unit_text
from izhigen.importers.trees import ONE, ZERO
from izhigen.model.expressions import (
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_EXPONENT,
    MAX_LENGTH,
    MAX_MAGNITUDE,
    MAX_TERMS,
    Binary,
    Call,
    Compare,
    Logical,
    Name,
    Negative,
    Node,
    Number,
)
from izhigen.units.dimensions import PLAIN, Unit

MOST_BITS = 4_000
"""Longest numerator or denominator of a constant."""
_HALF = Number(Fraction(1, 2))
_ODD = re.compile(r"[^\t\n -~]")


class NotReadable(Exception):
    """Why a name that has a meaning cannot be read where it stands; :class:`Reader` says where that is."""


@dataclass(frozen=True)
class Term:
    """What an expression stands for.

    Attributes
    ----------
    node : Node or None
        Its tree; None for a constant.
    value : Fraction or None
        Of a constant, in the coherent system; None for an infinite one.
    of_unit : Unit
        In the coherent system.
    is_condition : bool
        Whether it is true or false in the place of a number.
    infinite : {-1, 0, 1}
        The sign of an infinite constant.
    flag : Node or None
        Of a condition that is a boolean variable: the number, 1 or 0, that it is kept as.
    """

    node: Node | None
    value: Fraction | None = None
    of_unit: Unit = PLAIN
    is_condition: bool = False
    infinite: int = 0
    flag: Node | None = None

    @property
    def is_zero(self) -> bool:
        """Whether it is the constant 0, which has any unit."""
        return self.node is None and self.value == 0


@dataclass(frozen=True)
class Assigned:
    """A statement ``name operator= value``; the operator is empty where it is a plain assignment."""

    name: str
    operator: str
    value: ast.expr
    offset: int


def constant(value: Fraction | int, of_unit: Unit = PLAIN) -> Term:
    """A constant."""
    return Term(None, Fraction(value), of_unit)


def unit_term(unit: Unit) -> Term:
    """A unit of Brian2 as a constant."""
    return constant(to_coherent(1, unit), coherent(unit))


def boolean(number: Node) -> Term:
    """A condition that is kept as the number 1 or 0."""
    return Term(Compare(">", number, Number(Fraction(1, 2))), is_condition=True, flag=number)


def as_number(term: Term) -> Node:
    """The tree of a finite term; 1 and 0 of a condition."""
    if term.node is None:
        return Number(term.value if term.value is not None else Fraction(0))
    if not term.is_condition:
        return term.node
    return term.flag if term.flag is not None else Call("where", (term.node, ONE, ZERO))


_PLAIN_FUNCTIONS = frozenset("sin cos tan sinh cosh tanh exp log expm1 log1p exprel".split())
_COUNTS = {"clip": 3, "timestep": 2}
_REFUSED_FUNCTIONS = {
    "rand": "rand() draws in every step; write noise as xi, or give initial values as arrays",
    "randn": "randn() draws in every step; write noise as xi, or give initial values as arrays",
    "poisson": "poisson() draws in every step; give an input iz.inputs.poisson(rate)",
    **{
        name: f"{name}() is not a function of the equation language; tabulate it outside, or write it by others"
        for name in ("arcsin", "arccos", "arctan")
    },
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.Mod: "%",
    ast.FloorDiv: "//",
}
_HINTS: dict[type[ast.AST], str] = {
    ast.BitXor: "'^' is not a power: write '**'",
    ast.BitAnd: "'&' is not part of the language: write 'and'",
    ast.BitOr: "'|' is not part of the language: write 'or'",
    ast.IfExp: "'a if c else b' is not part of the language: write int(c)*a + int(not c)*b",
    ast.Attribute: "attributes (a dot after a name) are not part of the language",
}


class Reader:
    """Reads expressions.

    Parameters
    ----------
    meaning : callable
        What a name stands for, or None; a :class:`NotReadable` says why it cannot be read.
    known : iterable of str
        Names that could be meant, for suggestions; iterated over when one is due.
    functions : callable
        What ``name(t)`` stands for, or None.
    takes_roots : bool
        Whether a constant to a broken power is a constant too. It is known to 50 digits, and the reader then not
        ``is_exact``.
    is_whole : callable
        Whether a tree is a whole number by its form.
    """

    def __init__(
        self,
        meaning: Callable[[str], Term | None],
        known: Iterable[str],
        functions: Callable[[str], Term | None],
        takes_roots: bool = False,
        is_whole: Callable[[Node], bool] = lambda _: False,
    ) -> None:
        self._meaning, self._known, self._functions = meaning, known, functions
        self._takes_roots, self._is_whole = takes_roots, is_whole
        self._passage = Passage("", "")
        self._indents: tuple[int, ...] = ()
        self._chain = 0
        self.units: set[str] = set()
        self.is_exact = True

    # -- entries ------------------------------------------------------------------------------------------------------

    def read(self, passage: Passage) -> Term:
        """The term of one expression.

        Raises
        ------
        EquationError
            With the place, for what is not in the language, and for units that do not agree.
        """
        indent = len(passage.text) - len(passage.text.lstrip())
        tree = self._parse(passage, passage.text.strip(), "eval", (indent,))
        assert isinstance(tree, ast.Expression)
        return self._guarded(tree.body)

    def statements(self, passage: Passage) -> tuple[Assigned, ...]:
        """The assignments of a reset, in order; :meth:`value` reads what each assigns."""
        lines = passage.text.split("\n")
        indents = tuple(len(line) - len(line.lstrip()) for line in lines)
        tree = self._parse(passage, "\n".join(line.strip() for line in lines), "exec", indents)
        assert isinstance(tree, ast.Module)
        found = []
        for part in tree.body:
            targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", None)]
            target = targets[0]
            is_one = isinstance(part, (ast.Assign, ast.AugAssign)) and len(targets) == 1
            if not isinstance(part, (ast.Assign, ast.AugAssign)) or not is_one or not isinstance(target, ast.Name):
                raise self._error("expected assignments such as 'v = v_r; w += b'", part)
            operator = ""
            if isinstance(part, ast.AugAssign):
                operator = _OPERATORS.get(type(part.op), "")
                if not operator:
                    raise self._error("this operator is not part of the language", part)
            found.append(Assigned(target.id, operator, part.value, self._offset(target)))
        return tuple(found)

    def value(self, assigned: Assigned, before: Term | None) -> Term:
        """What a statement assigns; ``before`` is what its name stands for, None where it is new."""
        value = self._guarded(assigned.value)
        if not assigned.operator:
            return value
        if before is None:
            raise self._passage.error(f"{shown(assigned.name)} has no value yet", assigned.offset)
        return self._combined(assigned.operator, before, value, assigned.value)

    def node(self, term: Term, what: str = "this expression") -> Node:
        """The tree of a number; constants are written in units of the system."""
        if term.infinite:
            raise self._passage.error(f"inf stands in {what}; it is known as a bound of clip() only")
        if term.is_condition:
            raise self._passage.error(f"a condition stands where {what} is due; write int(...) around it")
        return term.node if term.node is not None else self._written(term)

    def condition(self, term: Term) -> Node:
        """The tree of a condition."""
        if not term.is_condition or term.node is None:
            raise self._passage.error("a number stands where a condition is due; write a comparison such as 'v > v_t'")
        return term.node

    # -- text ---------------------------------------------------------------------------------------------------------

    def _parse(self, passage: Passage, text: str, mode: str, indents: tuple[int, ...]) -> ast.AST:
        self._passage, self._indents, self._chain = passage, indents, 0
        if len(text) > MAX_LENGTH:
            raise passage.error(f"the text has {len(text)} characters, more than {MAX_LENGTH}; split it")
        odd = _ODD.search(passage.text)
        if odd:
            raise passage.error(f"character {shown(odd.group())} is not part of the language", odd.start())
        if not text.strip():
            raise passage.error("an expression is missing here")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(text, mode=mode)
        except SyntaxError as problem:
            line = min(problem.lineno or 1, len(indents))
            offset = sum(len(part) + 1 for part in passage.text.split("\n")[: line - 1]) + indents[line - 1]
            raise passage.error(
                f"not a valid expression ({problem.msg}): {shown(text)}", offset + max((problem.offset or 1) - 1, 0)
            ) from None
        except (ValueError, MemoryError, RecursionError, OverflowError) as problem:
            raise passage.error(f"the text is too deep or holds a number too long ({problem})") from None

    def _offset(self, node: ast.AST) -> int:
        """Where a node stands in the passage."""
        line = getattr(node, "lineno", 1)
        before = self._passage.text.split("\n")[: line - 1] if len(self._indents) > 1 else []
        return sum(len(part) + 1 for part in before) + self._indents[line - 1] + getattr(node, "col_offset", 0)

    def _error(self, what: str, node: ast.AST) -> EquationError:
        return self._passage.error(what, self._offset(node))

    def _guarded(self, node: ast.expr) -> Term:
        try:
            return self._term(node, 0)
        except RecursionError:
            raise self._error("the expression is nested too deeply; split it into lines", node) from None

    # -- nodes --------------------------------------------------------------------------------------------------------

    def _term(self, node: ast.AST, depth: int) -> Term:
        if depth > MAX_DEPTH:
            raise self._error(f"the expression is nested deeper than {MAX_DEPTH} levels; split it into lines", node)
        method = getattr(self, "_on_" + type(node).__name__.lower(), None)
        if method is None:
            raise self._error(_HINTS.get(type(node), f"{type(node).__name__} is not part of the language"), node)
        found: Term = method(node, depth + 1)
        return found

    def _number(self, node: ast.AST, depth: int) -> Term:
        term = self._term(node, depth)
        if term.is_condition:
            raise self._error("a condition stands where a number is due; write int(...) around it", node)
        return term

    def _condition(self, node: ast.AST, depth: int) -> Node:
        term = self._term(node, depth)
        if not term.is_condition or term.node is None:
            raise self._error("a number stands where a condition is due; write a comparison such as 'v > v_t'", node)
        return term.node

    def _on_constant(self, node: ast.Constant, depth: int) -> Term:
        if isinstance(node.value, bool):
            return boolean(ONE if node.value else ZERO)
        if not isinstance(node.value, (int, float)):
            raise self._error(f"{shown(node.value)} is not a real number", node)
        if isinstance(node.value, int):
            found = Fraction(node.value) if node.value.bit_length() <= MOST_BITS else None
        else:
            text = ast.unparse(node)
            found = Fraction(text) if len(text) <= MAX_DIGITS and "inf" not in text else None
        if found is None:
            raise self._error("a number is too large or has too many digits", node)
        return self._bounded(constant(found), node)

    def _on_name(self, node: ast.Name, depth: int) -> Term:
        name = node.id
        try:
            found = self._meaning(name)
        except NotReadable as problem:
            raise self._error(str(problem), node) from None
        if found is not None:
            return found
        unit = unit_named(name)
        if unit is not None:
            return unit_term(unit)
        if name == "inf":
            return Term(None, infinite=1)
        special: dict[str, Node] = {"pi": Name("pi"), "e": Call("exp", (ONE,))}
        if name in special:
            return Term(special[name])
        raise self._error(
            f"undefined name {shown(name)}{suggest(name, self._known)}; give it in namespace= or inputs=, or declare "
            f"it in the equations as '{name} : 1'",
            node,
        )

    def _on_unaryop(self, node: ast.UnaryOp, depth: int) -> Term:
        if isinstance(node.op, ast.Not):
            return Term(Logical("not", (self._condition(node.operand, depth),)), is_condition=True)
        if isinstance(node.op, ast.Invert):
            raise self._error("'~' is not part of the language: write 'not'", node)
        term = self._number(node.operand, depth)
        if isinstance(node.op, ast.UAdd):
            return term
        if term.infinite:
            return Term(None, None, term.of_unit, infinite=-term.infinite)
        if term.value is not None:
            return constant(-term.value, term.of_unit)
        return Term(Negative(self.node(term)), None, term.of_unit)

    def _on_binop(self, node: ast.BinOp, depth: int) -> Term:
        operator = _OPERATORS.get(type(node.op))
        if operator is None:
            raise self._error(_HINTS.get(type(node.op), "this operator is not part of the language"), node)
        if isinstance(node.left, ast.BinOp):
            self._chain += 1
            if self._chain > MAX_TERMS:
                raise self._error(f"more than {MAX_TERMS} terms in a row; split them into lines", node)
            left = self._number(node.left, depth - 1)
            self._chain -= 1
        else:
            left = self._number(node.left, depth)
        return self._combined(operator, left, self._number(node.right, depth), node)

    def _on_compare(self, node: ast.Compare, depth: int) -> Term:
        operands = [(part, self._number(part, depth)) for part in (node.left, *node.comparators)]
        parts: list[Node] = []
        for operator, (_, left), (place, right) in zip(node.ops, operands, operands[1:]):
            if type(operator) not in _COMPARISONS:
                raise self._error("'is' and 'in' are not part of the language: compare with < <= > >= == !=", node)
            self._agreed([left, right], "the sides of a comparison", place)
            parts.append(Compare(_COMPARISONS[type(operator)], self.node(left), self.node(right)))
        return Term(parts[0] if len(parts) == 1 else Logical("and", tuple(parts)), is_condition=True)

    def _on_boolop(self, node: ast.BoolOp, depth: int) -> Term:
        operator = "and" if isinstance(node.op, ast.And) else "or"
        parts: list[Node] = []
        for value in node.values:
            part = self._condition(value, depth)
            parts += part.operands if isinstance(part, Logical) and part.operator == operator else (part,)
        return Term(Logical(operator, tuple(parts)), is_condition=True)

    def _on_call(self, node: ast.Call, depth: int) -> Term:
        if not isinstance(node.func, ast.Name):
            raise self._error("only functions by name can be called", node)
        name = node.func.id
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self._error(f"{name}() takes plain arguments only", node)
        as_input = self._functions(name)
        if as_input is not None:
            return self._of_input(name, as_input, node)
        if name in _REFUSED_FUNCTIONS:
            raise self._error(_REFUSED_FUNCTIONS[name], node)
        own = getattr(self, f"_call_{name}", None) if name not in _PLAIN_FUNCTIONS else None
        if own is None and name not in _PLAIN_FUNCTIONS:
            known = [*_PLAIN_FUNCTIONS, *(key.removeprefix("_call_") for key in dir(self) if key.startswith("_call_"))]
            raise self._error(
                f"unknown function {shown(name)}{suggest(name, known)}; one of time, as {name}(t) of a TimedArray, is "
                f"named in inputs={{{name!r}: 'unit'}}",
                node,
            )
        count = _COUNTS.get(name, 1)
        if len(node.args) != count:
            raise self._error(f"{name}() takes {count} argument{'s' * (count > 1)}, {len(node.args)} given", node)
        if name == "int":
            return self._call_int(self._term(node.args[0], depth), node)
        terms = [self._number(argument, depth) for argument in node.args]
        if own is None:
            return Term(Call(name, (self._plain(terms[0], name, node.args[0]),)))
        found: Term = own(*terms, node)
        return found

    def _of_input(self, name: str, term: Term, node: ast.Call) -> Term:
        """``name(t)`` or ``name(t, i)`` of a function of time that is an input."""
        arguments = [argument.id if isinstance(argument, ast.Name) else None for argument in node.args]
        if arguments not in (["t"], ["t", "i"]):
            raise self._error(
                f"input {name!r} is read as {name}(t) or {name}(t, i), at the step's time; give a shifted one as an "
                "input of its own",
                node,
            )
        return term

    # -- functions ----------------------------------------------------------------------------------------------------

    def _call_sqrt(self, term: Term, node: ast.Call) -> Term:
        return Term(Call("sqrt", (self.node(term),)), None, term.of_unit.power(Fraction(1, 2)))

    def _call_abs(self, term: Term, node: ast.Call) -> Term:
        if term.value is not None:
            return constant(abs(term.value), term.of_unit)
        return Term(Call("abs", (self.node(term),)), None, term.of_unit)

    def _call_sign(self, term: Term, node: ast.Call) -> Term:
        return Term(Call("sign", (self.node(term),)))

    def _call_log10(self, term: Term, node: ast.Call) -> Term:
        of_ten = Call("log", (Number(Fraction(10)),))
        return Term(Binary("/", Call("log", (self._plain(term, "log10", node.args[0]),)), of_ten))

    def _call_floor(self, term: Term, node: ast.Call) -> Term:
        return Term(Call("floor", (self._plain(term, "floor", node.args[0]),)))

    def _call_ceil(self, term: Term, node: ast.Call) -> Term:
        return Term(Negative(Call("floor", (Negative(self._plain(term, "ceil", node.args[0])),))))

    def _call_int(self, term: Term, node: ast.Call) -> Term:
        """1 and 0 of a condition, and a number without its fraction."""
        if term.is_condition:
            return Term(as_number(term))
        number = self._plain(term, "int", node.args[0])
        return Term(Binary("*", Call("sign", (number,)), Call("floor", (Call("abs", (number,)),))))

    def _call_clip(self, term: Term, low: Term, high: Term, node: ast.Call) -> Term:
        of_unit = self._agreed([term, low, high], "the arguments of clip()", node)
        found = self.node(term, "the first argument of clip()")
        if low.infinite < 0 and high.infinite > 0:
            return Term(found, None, of_unit)
        if low.infinite < 0:
            return Term(Call("min", (found, self.node(high))), None, of_unit)
        if high.infinite > 0:
            return Term(Call("max", (found, self.node(low))), None, of_unit)
        return Term(Call("clip", (found, self.node(low), self.node(high))), None, of_unit)

    def _call_timestep(self, time: Term, step: Term, node: ast.Call) -> Term:
        """The step that a time lies in, up to a thousandth of one, as Brian2 has it."""
        for term, place in zip((time, step), node.args):
            if term.of_unit != MILLISECOND and not term.is_zero:
                raise self._error(f"timestep() takes times, and this is in {unit_text(term.of_unit)}", place)
        return self._call_int(
            Term(Binary("+", Binary("/", self.node(time), self.node(step)), Number(Fraction(1, 1000)))), node
        )

    # -- arithmetic ---------------------------------------------------------------------------------------------------

    def _combined(self, operator: str, left: Term, right: Term, node: ast.AST) -> Term:
        if left.is_condition or right.is_condition:
            raise self._error("a condition stands where a number is due; write int(...) around it", node)
        if operator == "**":
            return self._power(left, right, node)
        if operator in ("+", "-"):
            of_unit = self._agreed([left, right], f"the terms beside {operator}", node)
        elif operator == "%":
            of_unit = self._agreed([left, right], "the sides of %", node)
        else:
            of_unit = left.of_unit * right.of_unit if operator == "*" else left.of_unit / right.of_unit
        if left.infinite or right.infinite:
            return self._infinite(operator, left, right, of_unit, node)
        if operator in ("/", "//", "%") and right.is_zero:
            raise self._error("division by zero", node)
        if left.value is not None and right.value is not None:
            a, b = left.value, right.value
            results = {"+": a + b, "-": a - b, "*": a * b}
            value = results[operator] if operator in results else a / b if operator == "/" else None
            value = value if value is not None else a % b if operator == "%" else Fraction(a // b)
            if operator == "//":
                self._refuse_units(of_unit, "//", node)
            return self._bounded(constant(value, of_unit), node)
        one, other = self.node(left), self.node(right)
        if operator == "//":
            self._refuse_units(of_unit, "//", node)
            return Term(self._floored(one, other))
        if operator == "%":
            return Term(Binary("-", one, Binary("*", other, self._floored(one, other))), None, of_unit)
        return Term(Binary(operator, one, other), None, of_unit)

    def _floored(self, one: Node, other: Node) -> Node:
        """The whole part of a quotient; half of one on top of whole numbers keeps rounding from making it one less."""
        if isinstance(other, Number) and other.value > 0 and self._is_whole(one) and self._is_whole(other):
            one = Binary("+", one, _HALF)
        return Call("floor", (Binary("/", one, other),))

    def _infinite(self, operator: str, left: Term, right: Term, of_unit: Unit, node: ast.AST) -> Term:
        """An infinite constant times or over a finite one."""
        if operator in ("*", "/") and left.infinite and right.value:
            return Term(None, None, of_unit, infinite=left.infinite * (1 if right.value > 0 else -1))
        if operator == "*" and left.value:
            return Term(None, None, of_unit, infinite=right.infinite * (1 if left.value > 0 else -1))
        raise self._error("inf is known as a bound of clip() only", node)

    def _power(self, left: Term, right: Term, node: ast.AST) -> Term:
        if right.of_unit != PLAIN and not right.is_zero:
            raise self._error(f"an exponent is a plain number, and this one is in {unit_text(right.of_unit)}", node)
        exponent = right.value
        if exponent is not None and abs(exponent) > MAX_EXPONENT:
            raise self._error(f"an exponent is larger than {MAX_EXPONENT} in magnitude", node)
        if exponent is None and left.of_unit != PLAIN:
            raise self._error(f"what is in {unit_text(left.of_unit)} is raised to a power that is no number", node)
        of_unit = left.of_unit.power(exponent) if exponent is not None else PLAIN
        if left.value is not None and exponent is not None and (exponent.denominator == 1 or self._takes_roots):
            if left.value == 0 and exponent < 0:
                raise self._error("division by zero", node)
            if left.value < 0 and exponent.denominator != 1:
                raise self._error("a number below 0 is raised to a power that is not whole", node)
            self.is_exact = self.is_exact and exponent.denominator == 1
            return self._bounded(constant(raised(left.value, exponent), of_unit), node)
        return Term(Binary("**", self.node(left), self.node(right)), None, of_unit)

    def _bounded(self, term: Term, node: ast.AST) -> Term:
        """A constant that is not too long to go on with."""
        value = term.value or Fraction(0)
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
            raise self._error("a constant is too large, too small, or has too many digits", node)
        if value and not Fraction(1, 10**MAX_MAGNITUDE) < abs(value) < 10**MAX_MAGNITUDE:
            raise self._error("a constant is too large or too small", node)
        return term

    def _agreed(self, terms: list[Term], what: str, node: ast.AST) -> Unit:
        """The unit of terms that have the same; 0 and inf have any."""
        units = [term.of_unit for term in terms if not term.is_zero and not (term.infinite and term.of_unit == PLAIN)]
        for found in units[1:]:
            if found != units[0]:
                raise self._error(f"{what} have different units, {unit_text(units[0])} and {unit_text(found)}", node)
        return units[0] if units else terms[0].of_unit

    def _plain(self, term: Term, function: str, node: ast.AST) -> Node:
        if term.of_unit != PLAIN and not term.is_zero:
            raise self._error(
                f"{function}() takes a plain number, and its argument is in {unit_text(term.of_unit)}; divide by one",
                node,
            )
        return self.node(term, f"the argument of {function}()")

    def _refuse_units(self, of_unit: Unit, operator: str, node: ast.AST) -> None:
        if of_unit != PLAIN:
            raise self._error(f"the sides of {operator} have different units", node)

    def _written(self, term: Term) -> Node:
        """A constant as a number times units of the system."""
        value = term.value if term.value is not None else Fraction(0)
        if value == 0 or term.of_unit == PLAIN:
            return Number(value)
        number, powers = product(term.of_unit)
        self.units |= powers.keys()
        value *= number
        above = [name for name, power in powers.items() if power > 0]
        found: Node | None = None if value == 1 and above else Number(value)
        for name in (*above, *(name for name in powers if name not in above)):
            unit: Node = Name(name_here(name))
            if abs(powers[name]) != 1:
                unit = Binary("**", unit, Number(abs(powers[name])))
            found = unit if found is None else Binary("*" if name in above else "/", found, unit)
        return found if found is not None else Number(value)
