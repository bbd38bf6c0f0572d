"""Whether the units of a declaration agree: those of its equations, events, currents, noise and initial values.

What is not known is not guessed: an expression is looked at where all names in it have a unit, and a number may have
any, as in ``0.04*V**2``, unless ``strict_units`` says that it is plain. Where two things have to agree, their scale
counts too: ``pA/nF`` is a thousandth of ``mV/ms``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Protocol

from izhigen.errors import ModelError, shown
from izhigen.model.additions import REFRACTORY, Current, Noise, Refractory
from izhigen.model.equations import Equation
from izhigen.model.events import RESET, SPIKE, Assignment, DeclaredEvent, arrival_place, assignment_place
from izhigen.model.expressions import (
    Binary,
    Call,
    Compare,
    Expression,
    Logical,
    Moment,
    Name,
    Negative,
    Node,
    Number,
    children,
    walk,
)
from izhigen.model.functions import CONSTANTS, LAST_SPIKE, TIME_NAMES
from izhigen.units.dimensions import PLAIN, Unit, apart, common_text, unit_of_text

PERIOD = "tau_ref"
"""The parameter that a refractory period brings with its unit."""
TIME = "ms"
"""The unit of time, whatever the units of a model are."""


class Parts(Protocol):
    """The parts of a declaration that can be checked."""

    name: str
    equations: tuple[Equation, ...]
    events: tuple[DeclaredEvent, ...]
    parameters: Mapping[str, float]
    inputs: tuple[str, ...]
    on_event: Mapping[str, tuple[Assignment, ...]]
    initial: Mapping[str, Expression]
    currents: tuple[Current, ...]
    refractory: Refractory | None
    noise: tuple[Noise, ...]
    units: Mapping[str, str]


def check_units(model: Parts, strict: bool = False) -> None:
    """Refuse what does not agree. Where no parameter and no input has a unit, those of states are labels; ``strict``
    wants units of all.

    Raises
    ------
    ModelError
        With the place, the column and the two units; ``strict``: also where one is missing.
    """
    texts = {e.name: e.unit for e in model.equations if e.unit}
    _check_said_once(model, texts)
    texts |= dict(model.units)
    if strict:
        _check_all_there(model, texts)
    elif not model.units.keys() - {PERIOD}:
        return
    texts |= dict.fromkeys((*TIME_NAMES, LAST_SPIKE), TIME) | {REFRACTORY.name: "1"}
    _Model(model, texts, strict).check()


def _check_said_once(model: Parts, of_equations: Mapping[str, str]) -> None:
    """Refuse a second unit of a state or line, and one of a refractory period, which kernels compare with time."""
    fixed = dict(of_equations)
    if model.refractory is not None and model.refractory.until is None:
        fixed[PERIOD] = TIME
    for name, unit in fixed.items():
        other = model.units.get(name, unit)
        if unit_of_text(other) != unit_of_text(unit):
            raise ModelError(
                f"units: {shown(name)} of model {model.name!r} is in {unit}, not in {other}; leave it out, and give "
                f"values as text or quantities that are converted, such as '2*{other}'"
            )


def _check_all_there(model: Parts, texts: Mapping[str, str]) -> None:
    states = [e.name for e in model.equations if e.is_ode]
    for kind, names in (("state", states), ("parameter", model.parameters), ("input", model.inputs)):
        missing = next((name for name in names if name not in texts), None)
        if missing is not None:
            how = f"write d{missing}/dt = ... : mV" if kind == "state" else f"give units={{{missing!r}: ...}}"
            raise ModelError(f"strict_units: {kind} {shown(missing)} of model {model.name!r} has no unit; {how}")


class _Model:
    """A model under check; the units of lines that have none written follow from what they read."""

    def __init__(self, model: Parts, texts: dict[str, str], strict: bool) -> None:
        self._model, self._texts = model, texts
        self._units: dict[str, Unit] = {name: unit_of_text(text) for name, text in texts.items()}
        self._checker = Checker(self._units, texts, strict)
        self._lines = {e.name: e for e in model.equations if not e.is_ode}
        self._known: set[str] = set()

    def check(self) -> None:
        """Look at every expression."""
        model, time = self._model, unit_of_text(TIME)
        for name in self._lines:
            self._line(name)
        for equation in model.equations:
            if equation.is_ode:
                self._against(equation.expression, equation.name, equation.where, time.power(Fraction(-1)), f"/{TIME}")
        for event in model.events:
            self._checker.check(event.condition, None, "", event.where)
            self._assigned(event.assignments, RESET if event.name == SPIKE else event.where)
        for name, assignments in model.on_event.items():
            self._assigned(assignments, arrival_place(name))
        if model.refractory is not None and model.refractory.until is not None:
            self._checker.check(model.refractory.until, None, "", "with_refractory: until")
        for number, current in enumerate(model.currents, start=1):
            self._against(current.expression, current.to, f"current {number}")
        for noise in model.noise:
            root = time.power(Fraction(-1, 2))
            self._against(noise.amplitude, noise.state, f"noise on {noise.state}", root, f"/sqrt({TIME})")
        for state, expression in model.initial.items():
            self._against(expression, state, f"initial value of {state}")

    def _line(self, name: str) -> None:
        """The unit of an algebraic line, after those that it reads."""
        if name in self._known:
            return
        self._known.add(name)
        line = self._lines[name]
        for other in line.expression.names:
            if other in self._lines:
                self._line(other)
        found = self._checker.check(line.expression, self._units.get(name), self._texts.get(name, ""), line.where)
        if found is not None:
            self._units.setdefault(name, found)

    def _assigned(self, assignments: Iterable[Assignment], where: str) -> None:
        for made in assignments:
            self._against(made.expression, made.state, assignment_place(where, made.state))

    def _against(
        self, expression: Expression, name: str, where: str, factor: Unit | None = None, text: str = ""
    ) -> None:
        """Check an expression against the unit of a name, times a factor."""
        own = self._units.get(name)
        expected = own if own is None or factor is None else own * factor
        self._checker.check(expression, expected, f"{self._texts.get(name, '')}{text}", where)


# -- expressions ------------------------------------------------------------------------------------------------------

_SAME = frozenset(("min", "max", "clip", "abs"))
_ANY_TO_PLAIN = frozenset(("sign", "heaviside"))


class Checker:
    """Finds the unit of expressions, and what does not agree in them.

    Parameters
    ----------
    units : mapping
        Name to unit, of those that have one.
    texts : mapping
        Name to how its unit is written.
    strict : bool
        Numbers are plain; else one that is multiplied with, or added to, anything may have any unit.
    """

    def __init__(self, units: Mapping[str, Unit], texts: Mapping[str, str], strict: bool) -> None:
        self._units, self._texts, self._strict = units, texts, strict

    def unit_of(self, node: Node, where: str) -> Unit | None:
        """The unit of an expression; None where it may have any.

        Raises
        ------
        ModelError
            Two parts clash: says where, and the two units.
        """
        if isinstance(node, Number):
            return PLAIN if self._strict else None
        if isinstance(node, Name):
            return PLAIN if node.id in CONSTANTS else self._units.get(node.id)
        if isinstance(node, (Negative, Moment)):
            return self.unit_of(node.operand, where)
        if isinstance(node, Call):
            return self._of_call(node, where)
        if isinstance(node, Logical):
            for part in node.operands:
                self.unit_of(part, where)
            return PLAIN
        if isinstance(node, Compare):
            self._agreed((node.left, node.right), f"the sides of {node.operator}", where)
            return PLAIN
        if node.operator == "**":
            return self._of_power(node, where)
        if node.operator in ("+", "-"):
            return self._agreed((node.left, node.right), f"the terms beside {node.operator}", where)
        left, right = self.unit_of(node.left, where), self.unit_of(node.right, where)
        if left is None or right is None:
            return None
        return left * right if node.operator == "*" else left / right

    def _of_call(self, node: Call, where: str) -> Unit | None:
        name, arguments = node.function, node.arguments
        if name == "where":
            self.unit_of(arguments[0], where)
            return self._agreed(arguments[1:], "what where() chooses from", where)
        if name in _SAME:
            return self._agreed(arguments, f"the arguments of {name}()", where)
        found = self.unit_of(arguments[0], where)
        if name in _ANY_TO_PLAIN:
            return PLAIN
        if name == "sqrt":
            return None if found is None else found.power(Fraction(1, 2))
        if found is not None and found != PLAIN:
            raise ModelError(
                f"{where}{self._column(arguments)}: {name}() takes a plain number, and its argument is in "
                f"{self._written(arguments[0], found)}; divide by something in that unit"
            )
        return PLAIN

    def _of_power(self, node: Binary, where: str) -> Unit | None:
        base, exponent = self.unit_of(node.left, where), _number(node.right)
        if exponent is None:
            of_exponent = self.unit_of(node.right, where)
            if of_exponent is not None and of_exponent != PLAIN:
                raise ModelError(
                    f"{where}{self._column([node.right])}: an exponent is a plain number, and this one is in "
                    f"{self._written(node.right, of_exponent)}"
                )
            if base is not None and base != PLAIN:
                raise ModelError(
                    f"{where}{self._column([node.left])}: what is in {self._written(node.left, base)} is raised to a "
                    "power that is no number, so its unit is not known; divide by something in that unit first"
                )
            return base
        return None if base is None else base.power(exponent)

    def _agreed(self, nodes: Iterable[Node], what: str, where: str) -> Unit | None:
        """The unit of all parts, which have the same."""
        first: tuple[Node, Unit] | None = None
        for node in nodes:
            found = self.unit_of(node, where)
            if found is None or _number(node) == 0:  # 0 is 0 in any unit
                continue
            if first is None:
                first = node, found
            elif found != first[1]:
                one, other = self._written(*first), self._written(node, found)
                raise ModelError(
                    f"{where}{self._column([node, first[0]])}: {what} have different units, {one} and {other}"
                    f"{apart(first[1], found)}"
                )
        return None if first is None else first[1]

    def check(self, expression: Expression, expected: Unit | None, text: str, where: str) -> Unit | None:
        """The unit of an expression that is to have one; None where it may have any.

        Raises
        ------
        ModelError
            Where it has another.
        """
        if _number(expression.tree) is not None:  # given in the unit that is due, as parameters are
            return expected
        found = self.unit_of(expression.tree, where)
        if found is None or expected is None:
            return expected if found is None else found
        if found != expected:
            raise ModelError(
                f"{where}{self._column([expression.tree])}: the right-hand side is in "
                f"{self._written(expression.tree, found)}, and {text} is due{apart(expected, found)}"
            )
        return found

    def _written(self, node: Node, unit: Unit) -> str:
        """How a unit is called: as it is written where one name has it, else from those of the names."""
        if isinstance(node, (Negative, Moment)):
            return self._written(node.operand, unit)
        text = self._texts.get(node.id) if isinstance(node, Name) else None
        text = common_text(unit, self._texts.values()) if text is None else text
        return f"{text} ({node.id})" if isinstance(node, Name) else text

    @staticmethod
    def _column(nodes: Iterable[Node]) -> str:
        """Where the first name of some parts stands."""
        columns = [part.column for node in nodes for part in walk(node) if isinstance(part, Name) and part.column]
        return f", column {columns[0]}" if columns else ""


def _number(node: Node) -> Fraction | None:
    """The value of an exponent that consists of numbers."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Negative):
        value = _number(node.operand)
        return None if value is None else -value
    if isinstance(node, Binary) and node.operator in "+-*/":
        left, right = (_number(part) for part in children(node))
        if left is None or right is None or (node.operator == "/" and not right):
            return None
        return _ARITHMETIC[node.operator](left, right)
    return None


_ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
