"""NESTML's expressions as terms of the equation language: names, units, functions.

Where a text's units do not agree, NESTML goes on with the numbers; so does this, and says so for each place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from izhigen.errors import shown, suggest
from izhigen.importers.coherent import MILLISECOND, coherent, unit_text
from izhigen.importers.nestml_syntax import (
    Assignment,
    Call,
    Comparison,
    Conditional,
    Declaration,
    Function,
    Logical,
    Name,
    Node,
    Number,
    Place,
    Power,
    Product,
    Return,
    Sum,
    Truth,
)
from izhigen.importers.nestml_syntax import Unit as WrittenUnit
from izhigen.importers.nestml_terms import Term, added, named, wrapped
from izhigen.model.expressions import MAX_LENGTH
from izhigen.units.dimensions import PLAIN, Unit, unit_of_text
from izhigen.units.names import KNOWN

Scope = Mapping[str, Term]
TYPES_WITHOUT_UNIT = ("real", "integer", "boolean")
MOST_CALLS = 2_000
"""Calls of a file's functions that are written out."""
_CONVERTED = tuple(map(unit_of_text, ("s", "V", "A", "S", "ohm", "F")))
"""What NESTML converts."""
_SAME = {"exp": "exp", "ln": "log", "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh"} | {
    "tanh": "tanh",
    "erf": "erf",
    "expm1": "expm1",
}
"""Functions of one plain number, and what they are called here."""
_OF_ONE_UNIT = {"min": 2, "max": 2, "clip": 3, "abs": 1}
"""Functions whose arguments have one unit, which is that of their value, with the number of arguments."""
_DRAWN = ("random_normal", "random_uniform", "random_poisson")
_STATEMENTS = ("emit_spike", "integrate_odes", "print", "println")
KNOWN_FUNCTIONS = (
    *_SAME,
    *_OF_ONE_UNIT,
    "log10",
    "erfc",
    "ceil",
    "floor",
    "sqrt",
    "convolve",
    "resolution",
    "timestep",
)


class Report:
    """What was decided: one line each, in the order of the file's places, and none twice."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}
        self._doubts: list[str] = []

    def say(self, place: Place, what: str, is_doubtful: bool = False) -> None:
        """Add a line; a doubtful one is where the text contradicts itself."""
        line = f"line {place.line}: {what}"
        self._lines.setdefault(line, place.line)
        self._doubts += [line] if is_doubtful else []

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines."""
        return tuple(sorted(self._lines, key=lambda line: self._lines[line]))

    @property
    def doubts(self) -> tuple[str, ...]:
        """Those that are doubtful."""
        return tuple(line for line in self.lines if line in self._doubts)


def read_unit(written: WrittenUnit, as_counted: bool = False) -> Unit:
    """The unit that a text gives; or what a number without unit beside it counts, for which NESTML converts units of
    time and electricity to its own, and leaves others, such as mmol, as they are.

    Raises
    ------
    ModelError
        For a name or a number that is no unit.
    """
    found = PLAIN
    for operator, factor, power in written.factors:
        if isinstance(factor, WrittenUnit):
            one = read_unit(factor, as_counted)
        elif factor in TYPES_WITHOUT_UNIT or factor == "1":
            one = PLAIN
        elif factor == "Bq":
            one = unit_of_text("Hz")
        elif factor in KNOWN:
            one = unit_of_text(factor)
        else:
            raise written.place.error(f"{shown(factor)} is no unit{suggest(factor, KNOWN)} (units look like mV, nS/ms)")
        one = coherent(one) if as_counted and any(map(one.is_alike, _CONVERTED)) else one
        one = one.power(Fraction(power))
        found = found * one if operator == "*" else found / one
    return found


def declared_unit(written: WrittenUnit) -> tuple[Unit, str]:
    """The unit of what is declared so, and how a model writes it: as the file does if that is the coherent system's."""
    given = read_unit(written)
    plain = any(factor in (*TYPES_WITHOUT_UNIT, "Bq") for _, factor, _ in written.factors)
    text = str(written) if given == coherent(given) and not plain else unit_text(given)
    return read_unit(written, as_counted=True), text


def quantity(number: Number) -> Term:
    """A number with its unit, in the coherent system."""
    if number.unit is None:
        return Term(coefficient=number.value)
    found = Term(coefficient=number.value).in_unit(read_unit(number.unit))
    return replace(found, unit=read_unit(number.unit, as_counted=True))


class Expressions:
    """Writes expressions of one model.

    Parameters
    ----------
    functions : mapping
        Those that the file defines.
    convolve : callable
        What ``convolve(kernel, port)`` is, by the call.
    report : Report
    """

    def __init__(self, functions: Mapping[str, Function], convolve: Callable[[Call], Term], report: Report) -> None:
        self._functions, self._convolve, self._report = functions, convolve, report
        self._calls = 0
        self._stack: tuple[str, ...] = ()

    # -- values and conditions ----------------------------------------------------------------------------------------

    def value(self, node: Node, scope: Scope) -> Term:
        """A number; a condition becomes 0 or 1."""
        found = self._any(node, scope)
        if found.is_condition:
            found = replace(wrapped(f"where({found.text}, 1, 0)", PLAIN, [found], binds=True), is_truth=True)
        return self._checked(found, node.place)

    def finite(self, node: Node, scope: Scope) -> Term:
        """A number that is not infinite."""
        found = self.value(node, scope)
        if found.infinite:
            raise node.place.error("an infinite value has a meaning in min() and max() only; give a finite one")
        return found

    def condition(self, node: Node, scope: Scope) -> Term:
        """A condition; what is 0 or 1 is asked whether it is 1."""
        found = self._any(node, scope)
        if found.is_condition:
            return self._checked(found, node.place)
        if isinstance(node, Truth):
            raise node.place.error("a condition that is always the same decides nothing; leave it out")
        if not found.is_truth:
            raise node.place.error(f"{found.text} is a number where a condition is due; write a comparison")
        return wrapped(f"{found.text} > 0.5", PLAIN, [found], is_condition=True)

    def _any(self, node: Node, scope: Scope) -> Term:
        if isinstance(node, Number):
            return quantity(node)
        if isinstance(node, Truth):
            return Term(coefficient=Fraction(node.value), is_truth=True)
        if isinstance(node, Name):
            return self._name(node, scope)
        if isinstance(node, Sum):
            terms = [
                (sign, self.finite(term, scope) if len(node.terms) > 1 else self.value(term, scope))
                for sign, term in node.terms
            ]
            signed = [term.negative() if sign == "-" else term for sign, term in terms]
            return signed[0] if len(signed) == 1 else added(self._of_one_unit(signed, node.place))
        if isinstance(node, Product):
            return self._product(node, scope)
        if isinstance(node, Power):
            return self._power(node, scope)
        if isinstance(node, Comparison):
            return self._comparison(node, scope)
        if isinstance(node, Logical):
            parts = [self.condition(part, scope) for part in node.operands]
            texts = [part.factor for part in parts]
            text = f"not {texts[0]}" if node.operator == "not" else f" {node.operator} ".join(texts)
            return wrapped(text, PLAIN, parts, is_condition=True)
        if isinstance(node, Conditional):
            condition = self.condition(node.condition, scope)
            return self.chosen(condition, self.value(node.chosen, scope), self.value(node.otherwise, scope), node.place)
        if isinstance(node, Call):
            return self._call(node, scope)
        raise node.place.error("this is not an expression")

    def chosen(self, condition: Term, one: Term, other: Term, place: Place) -> Term:
        """``where(condition, one, other)``."""
        if one.is_truth and other.is_truth:
            text = f"where({condition.text}, {one.text}, {other.text})"
            return replace(wrapped(text, PLAIN, [condition, one, other], binds=True), is_truth=True)
        one, other = self._of_one_unit([one, other], place)
        text = f"where({condition.text}, {one.text}, {other.text})"
        unit = other.unit if one.is_zero else one.unit
        return wrapped(text, unit, [condition, one, other], binds=True)

    def _name(self, node: Name, scope: Scope) -> Term:
        if node.id in scope:
            return scope[node.id]
        if node.id == "e":
            return Term(above=("exp(1)",))
        if node.id == "inf":
            return Term(infinite=1)
        if node.id == "t":
            return named("t", MILLISECOND)
        if node.id in KNOWN:
            return quantity(Number(node.place, Fraction(1), WrittenUnit(node.place, (("*", node.id, 1),))))
        raise node.place.error(f"{shown(node.id)} is not known here{suggest(node.id, scope)}")

    def _product(self, node: Product, scope: Scope) -> Term:
        found = Term()
        for operator, factor in node.factors:
            term = self.value(factor, scope)
            if operator == "/" and term.is_zero:
                raise factor.place.error("division by zero")
            if term.infinite and (
                operator == "/" or not all(isinstance(f, (Number, Name, Sum)) for _, f in node.factors)
            ):
                raise factor.place.error("an infinite value has a meaning in min() and max() only; give a finite one")
            sign = found.infinite or term.infinite
            found = found.times(term) if operator == "*" else found.over(term)
            found = replace(found, infinite=sign * (1 if found.coefficient > 0 else -1)) if sign else found
        return found

    def _power(self, node: Power, scope: Scope) -> Term:
        base, exponent = self.finite(node.base, scope), self.finite(node.exponent, scope)
        if exponent.is_number and not exponent.units:
            return base.power(exponent.coefficient)
        base = self.converted(base, PLAIN, node.base.place, "the base of a power that is no number")
        exponent = self.converted(exponent, PLAIN, node.exponent.place, "an exponent")
        return wrapped(f"{base.factor}**{exponent.factor}", PLAIN, [base, exponent], binds=True)

    def _comparison(self, node: Comparison, scope: Scope) -> Term:
        for side, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(side, Truth) and node.operator in ("==", "!="):
                found = self.condition(other, scope)
                if side.value == (node.operator == "=="):
                    return found
                return wrapped(f"not {found.factor}", PLAIN, [found], is_condition=True)
        left, right = self._of_one_unit([self.finite(part, scope) for part in (node.left, node.right)], node.place)
        return wrapped(f"{left.text} {node.operator} {right.text}", PLAIN, [left, right], is_condition=True)

    # -- functions ----------------------------------------------------------------------------------------------------

    def _call(self, node: Call, scope: Scope) -> Term:
        name = node.function
        if name in self._functions:
            return self._own(node, scope)
        if name == "convolve":
            return self._convolve(node)
        if name in ("resolution", "timestep"):
            self._count(node, 0)
            return named("dt", MILLISECOND)
        if name in _OF_ONE_UNIT:
            self._count(node, _OF_ONE_UNIT[name])
            return self._bounded(node, scope)
        if name in _DRAWN:
            raise node.place.error(
                f"{name}() draws numbers, which an import does not; leave it out and add noise by with_noise"
            )
        if name == "steps":
            raise node.place.error(
                "steps() counts steps, and a model does not know how long they are; keep a time in ms"
            )
        if name == "delta":
            raise node.place.error("delta(t) has a meaning as a kernel only: kernel K = delta(t)")
        if name in _STATEMENTS:
            raise node.place.error(f"{name}() is no value")
        if name not in KNOWN_FUNCTIONS:
            known = (*KNOWN_FUNCTIONS, *self._functions)
            raise node.place.error(
                f"unknown function {shown(name)}{suggest(name, known)} (functions: {', '.join(known)})"
            )
        self._count(node, 1)
        argument = self.finite(node.arguments[0], scope)
        if name == "sqrt":
            return argument.power(Fraction(1, 2))
        if name in ("floor", "ceil"):
            plain = self.converted(argument, PLAIN, node.place, f"the argument of {name}()")
            inner = plain if name == "floor" else plain.negative()
            found = wrapped(f"floor({inner.text})", PLAIN, [inner], binds=True)
            return found if name == "floor" else found.negative()
        argument = self.converted(argument, PLAIN, node.place, f"the argument of {name}()")
        if name == "log10":
            return wrapped(f"(log({argument.text})/log(10))", PLAIN, [argument], binds=True)
        if name == "erfc":
            return wrapped(f"1 - erf({argument.text})", PLAIN, [argument])
        return wrapped(f"{_SAME[name]}({argument.text})", PLAIN, [argument], binds=True)

    def _count(self, node: Call, count: int) -> None:
        if len(node.arguments) != count:
            raise node.place.error(f"{node.function}() takes {count} arguments, {len(node.arguments)} given")

    def _bounded(self, node: Call, scope: Scope) -> Term:
        """``min``, ``max``, ``clip`` or ``abs``; a bound that is infinite binds nothing."""
        arguments = [self.value(argument, scope) for argument in node.arguments]
        if any(argument.infinite for argument in arguments):
            unbounded = -1 if node.function == "max" else 1
            left = [argument for argument in arguments if not argument.infinite]
            never = [argument.infinite == unbounded for argument in arguments if argument.infinite]
            if node.function not in ("min", "max") or len(left) != 1 or not all(never):
                raise node.place.error("an infinite value has a meaning as a bound that is never met only")
            self._report.say(node.place, f"{node.function}() with a bound at infinity is its other argument")
            return left[0]
        arguments = self._of_one_unit(arguments, node.place)
        text = f"{node.function}({', '.join(argument.text for argument in arguments)})"
        return wrapped(text, arguments[0].unit, arguments, binds=True)

    def _own(self, node: Call, scope: Scope) -> Term:
        """A call of one of the file's functions, written out."""
        function = self._functions[node.function]
        self._count(node, len(function.arguments))
        self._calls += 1
        if node.function in self._stack or self._calls > MOST_CALLS:
            what = "calls itself" if node.function in self._stack else f"is one of more than {MOST_CALLS:,} calls"
            raise node.place.error(f"{node.function}() {what}; functions are written out, so write it without")
        own: dict[str, Term] = {}
        for (name, unit), argument in zip(function.arguments, node.arguments):
            own[name] = self.converted(
                self.finite(argument, scope),
                declared_unit(unit)[0],
                argument.place,
                f"argument {name} of {node.function}()",
            )
        self._stack = (*self._stack, node.function)
        *before, last = function.body
        for statement in before:
            name, value = self.step(statement, own, f"function {node.function}")
            own[name] = value
        if not isinstance(last, Return):
            raise last.place.error(
                f"function {node.function} ends with something else than 'return'; write one expression"
            )
        found = self.finite(last.value, own)
        if function.unit is not None:
            found = self.converted(found, declared_unit(function.unit)[0], last.place, f"what {node.function}() gives")
        self._stack = self._stack[:-1]
        return found

    def step(self, statement: Node, scope: Scope, what: str) -> tuple[str, Term]:
        """What a declaration or an assignment to a local name makes that name."""
        if isinstance(statement, Declaration) and len(statement.names) == 1 and statement.value is not None:
            name = statement.names[0]
            unit = declared_unit(statement.unit)[0]
            return name, self.converted(self.finite(statement.value, scope), unit, statement.place, name)
        if isinstance(statement, Assignment) and statement.name in scope:
            return statement.name, self.assigned(statement, scope[statement.name], scope)
        raise statement.place.error(f"this statement is not read in a {what}; write local values and one 'return'")

    def assigned(self, statement: Assignment, before: Term, scope: Scope) -> Term:
        """The value that an assignment gives, in the unit of what it had before."""
        value = self.finite(statement.value, scope)
        if statement.operator in ("+", "-"):
            value = self.converted(value, before.unit, statement.place, f"what is added to {statement.name}")
            value = added([before, value if statement.operator == "+" else value.negative()])
        elif statement.operator == "*":
            value = before.times(value)
        elif statement.operator == "/":
            value = before.over(value)
        if before.is_truth != value.is_truth and statement.operator == "":
            kind = "true or false" if before.is_truth else "a number"
            raise statement.place.error(f"{statement.name} is {kind}, and what it is assigned is not")
        return self._checked(self.converted(value, before.unit, statement.place, statement.name), statement.place)

    # -- units --------------------------------------------------------------------------------------------------------

    def converted(self, term: Term, unit: Unit, place: Place, what: str) -> Term:
        """A term in a unit; where its own has another dimension, its number is kept, and that is reported."""
        if term.unit.is_alike(unit) or term.is_zero:
            return replace(term, unit=unit)
        self._report.say(
            place, f"{what} is {_named(term.unit)} where {_named(unit)} is due, and is taken as that", True
        )
        try:
            return term.in_unit(unit)
        except (ValueError, OverflowError):
            raise place.error(f"{what} has a unit to a power that cannot be written; give it another") from None

    def sum_of(self, terms: list[Term], place: Place) -> Term:
        """The sum of terms, in the unit of the first one that has any."""
        return self._checked(added(self._of_one_unit(terms, place)), place)

    def _of_one_unit(self, terms: list[Term], place: Place) -> list[Term]:
        """Terms in the unit of the first one that has any."""
        with_unit = [term for term in terms if not term.is_zero and not term.unit.is_alike(PLAIN)]
        unit = (with_unit or terms)[0].unit
        return [self.converted(term, unit, place, term.text) for term in terms]

    @staticmethod
    def _checked(term: Term, place: Place) -> Term:
        if len(term.text) > MAX_LENGTH:
            raise place.error(
                f"written out, this has more than {MAX_LENGTH:,} characters; split it with 'inline' lines"
            )
        return term


def _named(unit: Unit) -> str:
    if unit.is_alike(PLAIN):
        return "a plain number"
    return f"in {unit_text(unit) if unit == coherent(unit) else unit}"
