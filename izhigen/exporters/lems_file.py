"""The text of a LEMS file with one model, as a component type and a component of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import count
from xml.sax.saxutils import quoteattr

from izhigen._version import __version__
from izhigen.errors import ModelError
from izhigen.exporters.lems_numbers import with_units_of_numbers
from izhigen.exporters.lems_text import ExpressionText, UnitNames
from izhigen.importers.lems.dimensions import LETTERS
from izhigen.importers.lems.expressions import opposite, substituted
from izhigen.importers.lems.happenings import NO_MORE, ONE_MORE, PERIOD
from izhigen.importers.lems.marks import LIQUID, UNITS, flag_name, is_unset, old_name, start_name
from izhigen.importers.trees import ONE, ZERO, names_in
from izhigen.model.equations import Equation
from izhigen.model.events import SPIKE, Assignment, DeclaredEvent, Trigger
from izhigen.model.expressions import (
    OLD,
    Binary,
    Call,
    Compare,
    Logical,
    Moment,
    Name,
    Node,
    Number,
    children,
    walk,
)
from izhigen.model.functions import CONSTANTS, LAST_SPIKE, TIME_NAMES
from izhigen.model.model import Declaration
from izhigen.model.unit_checks import Checker, check_units
from izhigen.units.dimensions import PLAIN, common_text, unit_of_text

STAMP = "lastSpikeTime"
"""The state that keeps when a neuron spiked, as NeuroML's core calls it."""
_ATTACHED = {"current": ("basePointCurrent", "i"), "none": ("basePointCurrentDL", "I")}
"""Of the dimensions that inputs of NeuroML have, their type and what they expose."""
_SYNAPSES = "synapses"
_CELLS = {"voltage": ("baseCellMembPot", "v"), "none": ("baseCellMembPotDL", "V")}
"""Of a membrane potential's dimension, the core's type of cell and what it exposes the potential as."""
_BEFORE, _AFTER = "integrating", "refractory"
_ALWAYS = "t .geq. 0"


def lems_text(model: Declaration) -> str:
    """The text of a file with a model.

    Parameters
    ----------
    model : Declaration
        Without noise, currents and what arrives, and with functions of two arguments at most.

    Raises
    ------
    ModelError
        A unit that is missing, or what has no form in LEMS.
    """
    return _File(model).text()


class _File:
    """Writes one file."""

    def __init__(self, model: Declaration) -> None:
        self._olds = [state for state in model.gradient_states if state in _read_at_start(model)]
        self._rising = [event.name for event in model.events if model.trigger_of(event) is Trigger.RISING]
        read = {name for value in model.initial.values() for name in value.names}
        self._starts = [state for state in model.initial if state in read or state in self._olds]
        kept = [*map(old_name, self._olds), *map(flag_name, self._rising), *map(start_name, self._starts)]
        self._model, self._constants = with_units_of_numbers(model, kept)
        check_units(self._model, strict=True)
        self._parameters = model.parameters
        self._units = {e.name: e.unit for e in self._model.equations} | dict(self._model.units)
        clash = next((name for name in kept if name in self._units), None)
        if clash is not None:
            raise ModelError(f"{clash} is what LEMS needs besides to say this model; rename yours")
        self._taken = {*self._units, *kept, *(event.name for event in model.events), *TIME_NAMES, *CONSTANTS}
        known = {name: unit_of_text(text) for name, text in {**self._units, **dict.fromkeys(TIME_NAMES, "ms")}.items()}
        self._checker = Checker(known, self._units, True)
        self._refuse_units()
        self._names, self._text = UnitNames(), ExpressionText(self._line, self._before)
        self._lines: dict[Call, str] = {}
        self._at_start: list[str] = []
        self._dynamics: list[str] = []

    def _refuse_units(self) -> None:
        """Refuse what FORMS raise to a power where it has a unit."""
        calls = (node for tree in _trees(self._model) for node in walk(tree) if isinstance(node, Call))
        for node in calls:
            if node.function in ("sign", "heaviside"):
                unit = self._checker.unit_of(node.arguments[0], node.function)
                if unit not in (None, PLAIN):
                    written = common_text(unit, self._units.values())
                    raise ModelError(f"LEMS has no {node.function}() of what is in {written}; divide it by that unit")

    def text(self) -> str:
        """The whole file."""
        model, parameters = self._model, self._parameters
        base, exposure, potential = self._cell()
        attached = self._attached()
        if attached:
            kind, current = _ATTACHED[self._dimension(attached)]
            select = f"{_SYNAPSES}[*]/{current}"
            self._dynamics.append(self._variable("DerivedVariable", attached, select=select, reduce="add"))
        self._fill_dynamics()
        if exposure not in ("", potential):
            unit = self._dimension(potential)
            alias = _element("DerivedVariable", name=exposure, dimension=unit, exposure=exposure, value=potential)
            self._dynamics.insert(0, alias)
        body = [_element("Text", name=name) for name in self._marks()]
        body += [self._variable("Parameter", name) for name in parameters]
        if any(node == Name("pi") for tree in _trees(model) for node in walk(tree)):
            body.append(_element("Constant", name="pi", dimension="none", value=repr(math.pi)))
        body += [self._variable("Constant", name, value=self._value(name, 1.0)) for name in self._constants]
        body += self._at_start
        body += [_element("Attachments", name=_SYNAPSES, type=kind)] if attached else []
        body += [self._variable("Requirement", name) for name in model.inputs if name != attached]
        body += [self._variable("Exposure", e.name) for e in model.equations if e.name != exposure]
        body += [_element("EventPort", name=e.name, direction="out") for e in model.events if e.name != SPIKE]
        body += _within("<Dynamics>", self._dynamics)
        name = f"{model.name}Type"
        head = _attributes(name=name, extends=base, description=model.description)
        values = {each: self._value(each, value) for each, value in parameters.items()}
        lines = [*_within(f"<ComponentType {head}>", body), _element(name, id=model.name, **self._marks(), **values)]
        comment = f"<!-- Generated by izhigen {__version__} : a type, and a component with the default values. -->"
        whole = _within("<Lems>", [comment, _element("Include", file="Cells.xml"), *self._declarations(), *lines])
        return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *whole, ""])

    def _dimension(self, name: str) -> str:
        return self._names.dimension(self._units[name])

    def _value(self, name: str, value: float) -> str:
        return self._names.quantity(value, self._units[name])

    def _variable(self, tag: str, name: str, **attributes: str) -> str:
        """An element that has a name and its dimension."""
        return _element(tag, name=name, dimension=self._dimension(name), **attributes)

    def _marks(self) -> dict[str, str]:
        """What LEMS has no word for, as texts."""
        model = self._model
        names = (*(e.name for e in model.equations), *model.parameters, *model.inputs)
        units = {UNITS: "; ".join(f"{name}: {self._units[name]}" for name in names)}
        return units | ({LIQUID: "true"} if model.liquid else {})

    def _declarations(self) -> Iterator[str]:
        """The dimensions and units that the file uses, and NeuroML's core has not."""
        for name, exponents in self._names.dimensions.items():
            powers = {letter: str(power) for letter, power in zip(LETTERS, exponents) if power}
            yield _element("Dimension", name=name, **powers)
        for symbol, (dimension, power) in self._names.units.items():
            yield _element("Unit", symbol=symbol, dimension=dimension, power=str(power))

    def _cell(self) -> tuple[str, str, str]:
        """The type of the core that the neuron is of, what that exposes the potential as, and the state that it is."""
        model = self._model
        potential = model.spike_state or model.gradient_states[0]
        base, exposure = _CELLS.get(self._dimension(potential), ("", ""))
        if base and (exposure == potential or exposure not in self._taken):
            self._taken.add(exposure)
            return base, exposure, potential
        return "baseSpikingCell" if model.spike else "baseCell", "", ""

    def _attached(self) -> str:
        """The input that is the sum of what a network attaches: the first current, else the first plain number."""
        if _SYNAPSES in self._taken:
            return ""
        inputs = {name: self._dimension(name) for name in self._model.inputs}
        return next((name for kind in _ATTACHED for name, dimension in inputs.items() if dimension == kind), "")

    # -- dynamics -------------------------------------------------------------------------------------------------

    def _fill_dynamics(self) -> None:
        """Variables in the order of the equations, then how they move and what happens to them."""
        model, add = self._model, self._dynamics.append
        stamp = self._free(STAMP) if model.refractory else ""
        for equation in model.equations:
            if equation.is_ode:
                add(self._variable("StateVariable", equation.name, exposure=equation.name))
            else:
                self._add_line(equation.name, equation.expression.tree, exposure=equation.name)
        for state in self._olds:
            add(_element("StateVariable", name=old_name(state), dimension=self._dimension(state)))
        for name in self._rising:
            add(_element("StateVariable", name=flag_name(name), dimension="none"))
        if stamp:
            add(_element("StateVariable", name=stamp, dimension="time"))
        rates = {e.name: self._rate(e) for e in model.equations if e.is_ode}
        start = [_assigned(name, text) for name, text in self._start(stamp)]
        moving = self._regimes(rates, stamp) if stamp else [*rates.values()]
        happening = [line for each in model.events if each.name != SPIKE or not stamp for line in self._happening(each)]
        for state in self._olds:
            happening += _within(f"<OnCondition {_attributes(test=_ALWAYS)}>", [_assigned(old_name(state), state)])
        for event in model.events:
            happening += self._remembering(event) if event.name in self._rising else []
        self._dynamics += [*(_within("<OnStart>", start) if start else []), *moving, *happening]

    def _rate(self, equation: Equation) -> str:
        return _element("TimeDerivative", variable=equation.name, value=self._text.write(equation.expression.tree))

    def _start(self, stamp: str) -> Iterator[tuple[str, str]]:
        """What states are at the start, each after those that it reads."""
        names, left = {state: Name(start_name(state)) for state in self._starts}, dict(self._model.initial)
        while left:  # which ends, as the declaration has no circle among them
            ready = [state for state, value in left.items() if not value.names.keys() & left.keys()]
            for state in ready:
                text = self._text.write(substituted(left.pop(state).tree, names))
                if state in names:
                    dimension, line = self._dimension(state), start_name(state)
                    self._at_start.append(_element("DerivedParameter", name=line, dimension=dimension, value=text))
                yield (stamp if state == LAST_SPIKE else state), (start_name(state) if state in names else text)
        for state in self._olds:
            yield old_name(state), start_name(state) if state in names else "0"
        for event in self._model.events:
            if event.name in self._rising:
                yield flag_name(event.name), self._line(Call("where", (event.condition.tree, ONE, ZERO)))

    def _add_line(self, name: str, tree: Node, **attributes: str) -> None:
        """A derived variable: by its value, or by cases.

        The last case has a condition too, the opposite of the one before it: PyLEMS knows no other.
        """
        if not isinstance(tree, Call) or tree.function != "where":
            self._dynamics.append(self._variable("DerivedVariable", name, value=self._text.write(tree), **attributes))
            return
        cases: list[str] = []
        rest: Node = tree
        while isinstance(rest, Call) and rest.function == "where":
            condition, value, rest = rest.arguments
            cases.append(_element("Case", condition=self._text.write(condition), value=self._text.write(value)))
        otherwise = self._text.write(opposite(condition))
        cases.append(_element("Case", condition=otherwise, value=self._text.write(rest)))
        attributes = {"name": name, "dimension": self._dimension(name), **attributes}
        self._dynamics += _within(f"<ConditionalDerivedVariable {_attributes(**attributes)}>", cases)

    def _line(self, node: Call) -> str:
        """A line for ``where(...)`` within an expression."""
        if node not in self._lines:
            numbered = (f"case_{number}" for number in count(1))
            name = self._free(next(each for each in numbered if each not in self._taken))
            found = self._checker.unit_of(node, f"where() in model {self._model.name!r}")
            self._units[name] = "1" if found is None else common_text(found, self._units.values())
            self._lines[node] = name
            self._add_line(name, node)
        return self._lines[node]

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def _before(self, tree: Node) -> Node:
        """What a tree is at a step's start: LEMS computes lines there, and other states keep those that are read."""
        return substituted(tree, {state: Name(old_name(state)) for state in self._olds})

    # -- what happens ---------------------------------------------------------------------------------------------

    def _happening(self, event: DeclaredEvent) -> list[str]:
        """The condition of an event, which a rising one has not met before."""
        condition = event.condition.tree
        if event.name in self._rising:
            is_and = isinstance(condition, Logical) and condition.operator == "and"
            parts = children(condition) if is_and else (condition,)
            condition = Logical("and", (*parts, is_unset(flag_name(event.name))))
        return self._when(condition, [*self._assignments(event), _element("EventOut", port=event.name)])

    def _when(self, condition: Node, inner: list[str]) -> list[str]:
        return _within(f"<OnCondition {_attributes(test=self._text.write(condition))}>", inner)

    def _remembering(self, event: DeclaredEvent) -> list[str]:
        """What keeps whether a condition holds, for the next step."""
        condition, flag = event.condition.tree, flag_name(event.name)
        return [
            *self._when(condition, [_assigned(flag, "1")]),
            *self._when(opposite(condition), [_assigned(flag, "0")]),
        ]

    def _assignments(self, event: DeclaredEvent) -> Iterator[str]:
        """Assignments in an order in which none reads what one above has assigned, unless it is meant to."""
        left = list(event.assignments)
        while left:
            ready = next((each for each in left if not _is_read_before(each, left)), None)
            if ready is None:
                raise ModelError(
                    f"{event.where_assigned(left[0].state)}: LEMS assigns one after the other, and {left[0].state} is "
                    "read by those that it reads; no order keeps the values before the event"
                )
            left.remove(ready)
            yield _assigned(ready.state, self._text.write(ready.expression.tree))

    def _regimes(self, rates: Mapping[str, str], stamp: str) -> list[str]:
        """Integration, and the time after a spike."""
        model = self._model
        assert model.refractory is not None and model.spike is not None, "a refractory model has a spike"
        if SPIKE in self._rising:
            raise ModelError("a spike that is refractory and rising has no form in LEMS; take trigger='level'")
        after = [text for name, text in rates.items() if name not in model.refractory.states]
        after += _within("<OnEntry>", [_assigned(stamp, "t"), *self._assignments(model.spike)])
        after += _within(
            f"<OnCondition {_attributes(test=self._end(stamp))}>", [_element("Transition", regime=_BEFORE)]
        )
        forth = [_element("EventOut", port=SPIKE), _element("Transition", regime=_AFTER)]
        during = [*rates.values(), *self._when(model.spike.condition.tree, forth)]
        return [
            *_within(f"<Regime {_attributes(name=_BEFORE, initial='true')}>", during),
            *_within(f"<Regime {_attributes(name=_AFTER)}>", after),
        ]

    def _end(self, stamp: str) -> str:
        """The test that ends a refractory period."""
        assert self._model.refractory is not None, "asked for with one only"
        until = self._model.refractory.until
        if until is None:
            return f"t .geq. {stamp} + {PERIOD}"
        tree = until.tree
        if (
            isinstance(tree, Compare)
            and (tree.operator, tree.left) == (">", Binary("-", Name("t"), Name(LAST_SPIKE)))
            and isinstance(tree.right, Binary)
            and tree.right.operator == "+"
        ):
            for steps, word in ((ONE_MORE, ".gt."), (NO_MORE, ".geq.")):
                if tree.right.right == Binary("*", Number(steps), Name("dt")):
                    return f"t {word} {stamp} + {self._text.write(tree.right.left)}"
        raise ModelError("a refractory period that ends by a condition has no form in LEMS; give it a length, tau_ref")


def _is_read_before(made: Assignment, left: list[Assignment]) -> bool:
    """Whether others read the value before of what is assigned, or it reads the new value of one that is left."""
    for other in left:
        if other is not made and made.state in _names(other.expression.tree):
            return True
        new = (node for node in walk(made.expression.tree) if isinstance(node, Moment))
        if other is not made and any(other.state in _names(node.operand) for node in new):
            return True
    return False


def _names(tree: Node) -> set[str]:
    """The names that are read outside ``new()``."""
    if isinstance(tree, Moment):
        return set()
    return {tree.id} if isinstance(tree, Name) else {name for part in children(tree) for name in _names(part)}


def _trees(model: Declaration) -> Iterator[Node]:
    for equation in model.equations:
        yield equation.expression.tree
    for event in model.events:
        yield from (expression.tree for _, expression in event.expressions)
    yield from (value.tree for value in model.initial.values())


def _read_at_start(model: Declaration) -> set[str]:
    """The names that are read in ``old(...)``."""
    olds = (node for tree in _trees(model) for node in walk(tree) if isinstance(node, Moment) and node.which == OLD)
    return {name for node in olds for name in names_in(node)}


def _assigned(state: str, text: str) -> str:
    return _element("StateAssignment", variable=state, value=text)


def _attributes(**attributes: str) -> str:
    return " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items() if value)


def _element(tag: str, **attributes: str) -> str:
    return f"<{tag} {_attributes(**attributes)}/>"


def _within(opening: str, lines: list[str]) -> list[str]:
    """Lines within an element."""
    tag = opening.strip("<>").split()[0]
    return [opening, *(f"    {line}" for line in lines), f"</{tag}>"]
