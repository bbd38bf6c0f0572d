"""Numbers that stand for quantities, with their unit.

In a model the 40 of ``V + 40`` is in mV, as V is. In LEMS a number has no unit: it becomes ``40 * mV``, with a constant
of 1 mV. What a number is in follows from what is due where it stands; where nothing is, it is plain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType
from typing import Generic, TypeVar

from izhigen.errors import ModelError
from izhigen.exporters.lems_text import symbol_of
from izhigen.importers.trees import names_in, written
from izhigen.model.equations import Equation
from izhigen.model.events import DeclaredEvent
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
)
from izhigen.model.functions import LAST_SPIKE, TIME_NAMES
from izhigen.model.model import Declaration
from izhigen.units.dimensions import PLAIN, Unit, common_text, unit_of_text

D = TypeVar("D", bound=Declaration)
_LIKE_ITS_ARGUMENTS = frozenset(("min", "max", "clip", "abs"))
_OF_ANY_UNIT = frozenset(("sign", "heaviside"))
_PER_TIME = unit_of_text("1/ms")


def with_units_of_numbers(model: D, taken: Iterable[str]) -> tuple[D, Mapping[str, str]]:
    """The model with units in the place of none, and the constants that it reads besides, with the unit that each is 1
    in. These are among its parameters.

    Parameters
    ----------
    model : Declaration
        All that it reads has a unit, or is looked at as if it were plain.
    taken : iterable of str
        Names that no constant is to have.
    """
    return _Numbers(model, taken).model()


class _Numbers(Generic[D]):
    def __init__(self, model: D, taken: Iterable[str]) -> None:
        self._model = model
        self._texts = {**dict.fromkeys(TIME_NAMES, "ms"), **{e.name: e.unit for e in model.equations if e.unit}}
        self._texts |= {LAST_SPIKE: "ms", **model.units}
        self._units = {name: unit_of_text(text) for name, text in self._texts.items()}
        self._taken = {*taken, *self._texts, *model.parameters, *model.inputs, *(e.name for e in model.equations)}
        self._lines = {e.name: e.expression.tree for e in model.equations if not e.is_ode}
        self._constants: dict[str, str] = {}

    def model(self) -> tuple[D, Mapping[str, str]]:
        model = self._model
        for name in self._lines:
            self._find_unit(name)
        equations = tuple(map(self._equation, model.equations))
        events = tuple(map(self._event, model.events))
        initial = {name: self._due(each, name) for name, each in model.initial.items()}
        refractory = model.refractory
        if refractory is not None and refractory.until is not None:
            refractory = replace(refractory, until=self._written(self._with(refractory.until.tree, None)))
        found = model.replaced(
            equations=equations,
            events=events,
            initial=MappingProxyType(initial),
            refractory=refractory,
            parameters=MappingProxyType({**model.parameters, **dict.fromkeys(self._constants, 1.0)}),
            units=MappingProxyType({**model.units, **self._constants}),
        )
        return found, self._constants

    def _find_unit(self, line: str) -> None:
        """The unit of a line that has none written, after those that it reads; a plain number where it may be any."""
        if line in self._units:
            return
        self._units[line] = PLAIN  # until it is known; no line reads itself
        for other in names_in(self._lines[line]) & self._lines.keys():
            self._find_unit(other)
        self._units[line] = self._unit(self._lines[line]) or PLAIN
        self._texts[line] = common_text(self._units[line], self._texts.values())

    def _equation(self, equation: Equation) -> Equation:
        factor = _PER_TIME if equation.is_ode else PLAIN
        unit = equation.unit or ("" if equation.is_ode else self._texts[equation.name])
        return replace(equation, expression=self._due(equation.expression, equation.name, factor), unit=unit)

    def _event(self, event: DeclaredEvent) -> DeclaredEvent:
        condition = self._written(self._with(event.condition.tree, None))
        assignments = (replace(each, expression=self._due(each.expression, each.state)) for each in event.assignments)
        return replace(event, condition=condition, assignments=tuple(assignments))

    def _due(self, expression: Expression, name: str, factor: Unit = PLAIN) -> Expression:
        """An expression in the unit of a name, times a factor."""
        unit = self._units.get(name)
        return self._written(self._with(expression.tree, None if unit is None else unit * factor))

    @staticmethod
    def _written(tree: Node) -> Expression:
        return Expression(written(tree), tree)

    # -- units ------------------------------------------------------------------------------------------------------

    def _unit(self, node: Node) -> Unit | None:
        """The unit of a part, where numbers that are factors are plain; None of a number by itself."""
        if isinstance(node, Name):
            return self._units.get(node.id, PLAIN)
        if isinstance(node, (Number, Compare, Logical)) or not names_in(node):
            return None
        if isinstance(node, Call):
            return self._unit_of_call(node)
        if isinstance(node, Binary) and node.operator in ("*", "/"):
            left, right = (self._unit(part) or PLAIN for part in children(node))
            return left * right if node.operator == "*" else left / right
        if isinstance(node, Binary) and node.operator == "**":
            base = self._unit(node.left)
            if base is None or base == PLAIN or names_in(node.right):
                return PLAIN
            exponent = Expression("", node.right).evaluate({})
            return base.power(Fraction(float(exponent)).limit_denominator(1000))
        return self._first(children(node))

    def _unit_of_call(self, node: Call) -> Unit | None:
        if node.function == "where":
            return self._first(node.arguments[1:])
        if node.function in _LIKE_ITS_ARGUMENTS:
            return self._first(node.arguments)
        of_root = self._unit(node.arguments[0]) if node.function == "sqrt" else None
        return PLAIN if of_root is None else of_root.power(Fraction(1, 2))

    def _first(self, nodes: Iterable[Node]) -> Unit | None:
        """The unit of the first part that has one; rather of one without a number that is a factor."""
        units = (self._unit(node) for node in sorted(nodes, key=_is_free))
        return next((unit for unit in units if unit is not None), None)

    # -- numbers ----------------------------------------------------------------------------------------------------

    def _with(self, node: Node, due: Unit | None, is_factor: bool = False) -> Node:
        """A part whose numbers are in what is due; where nothing is, in what those beside them are."""
        if isinstance(node, Name):
            return node
        if isinstance(node, Logical):
            return Logical(node.operator, tuple(self._with(part, None) for part in node.operands))
        if isinstance(node, Compare):
            unit = self._first(children(node))
            return Compare(node.operator, self._with(node.left, unit), self._with(node.right, unit))
        if not names_in(node):
            is_any = not is_factor and not Expression("", node).evaluate({})  # 0 is 0 in any unit
            return node if is_any else self._quantity(node, due)
        due = self._unit(node) if due is None else due
        if isinstance(node, Negative):
            return Negative(self._with(node.operand, due, is_factor))
        if isinstance(node, Moment):
            return Moment(node.which, self._with(node.operand, due))
        if isinstance(node, Call):
            return Call(node.function, tuple(self._arguments(node, due)))
        assert isinstance(node, Binary), "numbers, names and all others are looked at above"
        left, right = self._sides(node, due)
        are_factors = node.operator in ("*", "/")
        return Binary(
            node.operator, self._with(node.left, left, are_factors), self._with(node.right, right, are_factors)
        )

    def _arguments(self, node: Call, due: Unit | None) -> Iterable[Node]:
        for number, each in enumerate(node.arguments):
            is_like = node.function in _LIKE_ITS_ARGUMENTS or (node.function == "where" and number > 0)
            is_free = node.function in ("where", "sqrt", *_OF_ANY_UNIT)
            yield self._with(each, due if is_like else None if is_free else PLAIN)

    def _sides(self, node: Binary, due: Unit | None) -> tuple[Unit | None, Unit | None]:
        """What is due on both sides of an operator; a number that is a factor brings what the other side lacks."""
        if node.operator in ("+", "-"):
            return due, due
        left, right = self._unit(node.left) or PLAIN, self._unit(node.right) or PLAIN
        if node.operator == "**" or due is None:
            return left, PLAIN if node.operator == "**" else right
        if _is_free(node.left):
            left = due / right if node.operator == "*" else due * right
        elif _is_free(node.right):
            right = due / left if node.operator == "*" else left / due
        return left, right

    def _quantity(self, node: Node, due: Unit | None) -> Node:
        """A number times the constant of its unit."""
        if due is None or due == PLAIN:
            return node
        known = next((name for name, text in self._constants.items() if unit_of_text(text) == due), None)
        return Binary("*", node, Name(known or self._constant(due)))

    def _constant(self, unit: Unit) -> str:
        """A constant of a unit, by the name of that."""
        text = common_text(unit, (*self._texts.values(), "1"))
        try:
            unit_of_text(text)
        except ModelError:
            raise ModelError(
                f"a number is in {text} there, which has no name; make it a parameter with a unit"
            ) from None
        name = symbol_of(text)
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._constants[name] = text
        return name


def _is_free(node: Node) -> bool:
    """Whether a number is a factor of a part, so that it may be in any unit."""
    if not names_in(node):
        return True
    if isinstance(node, (Negative, Moment)):
        return _is_free(node.operand)
    if isinstance(node, Binary) and node.operator in ("*", "/"):
        return any(map(_is_free, children(node)))
    if isinstance(node, Call) and (node.function == "where" or node.function in _LIKE_ITS_ARGUMENTS):
        return all(map(_is_free, node.arguments[1 if node.function == "where" else 0 :]))
    return isinstance(node, Binary) and node.operator in ("+", "-") and all(map(_is_free, children(node)))
