"""A model as a LEMS component type and a component of it, which NeuroML's tools read.

Every text that is written is read again, and must give the same model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

from izhigen._version import __version__
from izhigen.derive.canonical import canonical_form
from izhigen.errors import DerivationError, IzhigenError, ModelError, shown
from izhigen.exporters.lems_text import ExpressionText, UnitNames, opposite
from izhigen.importers import neuroml
from izhigen.importers.lems.dimensions import LETTERS
from izhigen.importers.lems.expressions import substituted
from izhigen.importers.lems.happenings import NO_MORE, ONE_MORE, PERIOD
from izhigen.importers.lems.marks import INLINED, LIQUID, RISING, START, UNITS, flag_of, is_unset
from izhigen.model.equations import Equation
from izhigen.model.events import SPIKE, Assignment, DeclaredEvent, Trigger
from izhigen.model.expressions import (
    OLD,
    Binary,
    Call,
    Compare,
    Expression,
    Logical,
    Moment,
    Name,
    Node,
    Number,
    children,
    walk,
)
from izhigen.model.functions import LAST_SPIKE, TIME_NAMES
from izhigen.model.model import Declaration
from izhigen.model.unit_checks import Checker, check_units
from izhigen.units.dimensions import PLAIN, common_text, unit_of_text

SUFFIX = ".xml"
STAMP = "lastSpikeTime"
"""The state that keeps when a neuron spiked, as NeuroML's core calls it."""
_OF_LEMS = frozenset(("id", "name", "type", "extends", "metaid", "neuroLexId", "notes", "annotation", "property"))
_WORDS = frozenset(("H", "ln", "ceil", "sum", "product", "random", "factorial", "mod"))


def write(model: Declaration) -> str:
    """The text of a LEMS file with the model.

    Raises
    ------
    ModelError
        What LEMS cannot say: noise, what arrives, added currents, ``old()``, a missing unit; by name.
    """
    _refuse(model)
    try:
        check_units(model, strict=True)
        text = _File(model).text()
        again = neuroml.read(text, Path(f"{model.name}{SUFFIX}"), model.name, type(model)).model
        is_same = canonical_form(again) == canonical_form(model) and _units(again) == _units(model)
    except (IzhigenError, DerivationError) as problem:
        raise ModelError(f"model {model.name!r} cannot be written for neuroml: {problem}") from None
    if not is_same:
        raise ModelError(
            f"model {model.name!r} cannot be written for neuroml: what is read again is another model; events that "
            "concern the same states as the spike come before it there"
        )
    return text


def _units(model: Declaration) -> dict[str, object]:
    """The units of states, parameters and inputs."""
    names = (*model.gradient_states, *model.parameters, *model.inputs)
    return {name: unit_of_text(model.unit_of(name)) for name in names}


def _refuse(model: Declaration) -> None:
    """Refuse what LEMS has no word for."""
    parts = (
        (model.noise, "noise", "take with_noise() away"),
        (model.on_event, "what arrives (on_event)", "declare the synapse as a component of its own"),
        (model.currents, "currents that are added", "write them into the equations"),
    )
    for part, what, hint in parts:
        if part:
            raise ModelError(f"model {model.name!r} has {what}, which the target neuroml cannot say; {hint}")
    for name in (*model.parameters, *model.inputs, *(e.name for e in model.equations)):
        if name in _OF_LEMS | _WORDS or name.startswith("izhigen_"):
            raise ModelError(f"model {model.name!r}: {shown(name)} means something else in LEMS; rename it")
    for where, expression in _expressions(model):
        for node in walk(expression.tree):
            if isinstance(node, Moment) and node.which == OLD:
                raise ModelError(f"{where}: LEMS has no old(), the value at a step's start; write it without")
            if isinstance(node, Name) and node.id in ("dt", LAST_SPIKE):
                raise ModelError(f"{where}: LEMS has no {node.id}; write it without")


def _expressions(model: Declaration) -> Iterator[tuple[str, Expression]]:
    for equation in model.equations:
        yield equation.where, equation.expression
    for event in model.events:
        yield from event.expressions
    for state, value in model.initial.items():
        yield f"initial value of {state}", value
        if state not in model.gradient_states:
            raise ModelError(f"initial value of {state}: LEMS has none for it; take it away")


class _File:
    """Writes one file."""

    def __init__(self, model: Declaration) -> None:
        self._model, self._names, self._text = model, UnitNames(), ExpressionText(self._choice)
        self._units = {e.name: e.unit for e in model.equations if e.unit} | dict(model.units)
        self._known = {name: unit_of_text(text) for name, text in self._units.items()}
        self._known |= {name: unit_of_text("ms") for name in TIME_NAMES}
        self._checker = Checker(self._known, self._units, True)
        for equation in model.equations:
            self._infer(equation)
        self._taken = {*self._units, *(event.name for event in model.events), *TIME_NAMES}
        self._rising = [event.name for event in model.events if model.trigger_of(event) is Trigger.RISING]
        self._choices: list[str] = []
        self._constants: list[dict[str, str]] = []
        self._dynamics: list[str] = []

    def _infer(self, line: Equation) -> None:
        """The unit of a line that has none written, after those that it reads; a plain number has any."""
        if line.name in self._units:
            return
        for other in self._model.equations:
            if other.name in line.expression.names:
                self._infer(other)
        found = self._checker.unit_of(line.expression.tree, line.where)
        text = "1" if found is None else common_text(found, self._units.values())
        self._units[line.name], self._known[line.name] = text, unit_of_text(text)

    def text(self) -> str:
        """The whole file."""
        model = self._model
        self._fill_dynamics()
        body = [_element("Text", name=name) for name in self._marks()]
        body += [self._named("Parameter", name) for name in model.parameters]
        if any(node == Name("pi") for _, e in _expressions(model) for node in walk(e.tree)):
            body.append(_element("Constant", name="pi", dimension="none", value=repr(math.pi)))
        body += [_element("Constant", **each) for each in self._constants]
        body += [self._named("Requirement", name) for name in model.inputs]
        body += [self._named("Exposure", equation.name) for equation in model.equations]
        body += [_element("EventPort", name=event.name, direction="out") for event in model.events]
        body += _within("<Dynamics>", self._dynamics)
        values = {name: self._names.quantity(value, self._units[name]) for name, value in model.parameters.items()}
        kind = f"{model.name}Type"
        lines = [
            *_within(f"<ComponentType {_attributes(name=kind, description=model.description)}>", body),
            _element(kind, id=model.name, **self._marks(), **values),
        ]
        head = f"<!-- Generated by izhigen {__version__} : a type, and a component with the default values. -->"
        whole = _within("<Lems>", [head, *self._declarations(), *lines])
        return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *whole, ""])

    def _named(self, tag: str, name: str) -> str:
        return _element(tag, name=name, dimension=self._names.dimension(self._units[name]))

    def _marks(self) -> dict[str, str]:
        """What LEMS has no word for, as texts."""
        model = self._model
        written = [*(e.name for e in model.equations if e.unit), *model.parameters, *model.inputs]
        written += [each["name"] for each in self._constants]
        found = {UNITS: "; ".join(f"{name}: {self._units[name]}" for name in written)}
        found |= {LIQUID: "true"} if model.liquid else {}
        found |= {INLINED: " ".join(self._choices)} if self._choices else {}
        found |= {START: " ".join(each["name"] for each in self._constants)} if self._constants else {}
        return found | ({RISING: " ".join(self._rising)} if self._rising else {})

    def _declarations(self) -> Iterator[str]:
        """The dimensions and units that the file uses."""
        for name, exponents in self._names.dimensions.items():
            powers = {letter: str(power) for letter, power in zip(LETTERS, exponents) if power}
            yield _element("Dimension", name=name, **powers)
        for symbol, (dimension, power) in self._names.units.items():
            yield _element("Unit", symbol=symbol, dimension=dimension, power=str(power))

    # -- dynamics -------------------------------------------------------------------------------------------------

    def _fill_dynamics(self) -> None:
        """Variables in the order of the equations, then how they move and what happens to them."""
        model, add = self._model, self._dynamics.append
        for equation in model.equations:
            if equation.is_ode:
                unit = self._names.dimension(self._units[equation.name])
                add(_element("StateVariable", name=equation.name, dimension=unit, exposure=equation.name))
            else:
                self._add_line(equation.name, equation.expression.tree, exposure=equation.name)
        for flag in self._flags():
            add(_element("StateVariable", name=flag, dimension="none"))
        rates = {e.name: self._text.write(e.expression.tree) for e in model.equations if e.is_ode}
        start = [_element("StateAssignment", variable=name, value=text) for name, text in self._initial()]
        start += [_element("StateAssignment", variable=flag, value="1") for flag in self._flags()]
        self._dynamics += _within("<OnStart>", start) if start else []
        events = [event for event in model.events if event.name != SPIKE or model.refractory is None]
        if model.refractory is None:
            self._dynamics += [_element("TimeDerivative", variable=name, value=text) for name, text in rates.items()]
        else:
            self._add_regimes(rates)
        for event in events:
            self._dynamics += self._happening(event)

    def _flags(self) -> list[str]:
        return [flag_of(event) for event in self._rising]

    def _initial(self) -> Iterator[tuple[str, str]]:
        """What states are at the start, each after those that it reads.

        A state that begins with a constant is read as that: interpreters differ in when they see what was assigned.
        """
        left, constants = dict(self._model.initial), dict[str, Node]()
        while left:  # which ends, as the declaration has no circle among them
            ready = [name for name, value in left.items() if not value.names.keys() & left.keys()]
            for name in ready:
                tree = left.pop(name).tree
                if self._is_constant(name):
                    constants[name] = tree = Name(self._constant(name, tree))
                yield name, self._text.write(substituted(tree, constants))

    def _is_constant(self, state: str) -> bool:
        """Whether a state begins with a number that needs a unit."""
        value = self._model.initial[state]
        return not value.names and bool(value.evaluate({})) and unit_of_text(self._units[state]) != PLAIN

    def _constant(self, state: str, value: Node) -> str:
        """The constant for the number that a state begins with; numbers of LEMS have no unit."""
        name, unit = self._free(f"{state}_start"), self._units[state]
        number = float(Expression("", value).evaluate({}))
        self._units[name] = unit
        dimension = self._names.dimension(unit)
        self._constants.append({"name": name, "dimension": dimension, "value": self._names.quantity(number, unit)})
        return name

    def _add_line(self, name: str, tree: Node, **attributes: str) -> None:
        """A derived variable: by its value, or by cases."""
        attributes = {"name": name, "dimension": self._names.dimension(self._units[name]), **attributes}
        if not isinstance(tree, Call) or tree.function != "where":
            self._dynamics.append(_element("DerivedVariable", **attributes, value=self._text.write(tree)))
            return
        cases: list[str] = []
        rest: Node = tree
        while isinstance(rest, Call) and rest.function == "where":
            condition, value, rest = rest.arguments
            cases.append(_element("Case", condition=self._text.write(condition), value=self._text.write(value)))
        cases.append(_element("Case", value=self._text.write(rest)))
        self._dynamics += _within(f"<ConditionalDerivedVariable {_attributes(**attributes)}>", cases)

    def _choice(self, node: Call) -> str:
        """A derived variable for ``where(...)`` in the middle of an expression."""
        name = self._free(f"choice_{len(self._choices) + 1}")
        found = self._checker.unit_of(node, f"where() in model {self._model.name!r}")
        self._units[name] = "1" if found is None else common_text(found, self._units.values())
        self._choices.append(name)
        self._add_line(name, node)
        return name

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    # -- what happens ---------------------------------------------------------------------------------------------

    def _happening(self, event: DeclaredEvent, regime: str = "") -> list[str]:
        """The condition of an event; of a rising one also what forgets that it held."""
        condition = event.condition.tree
        inner = list(self._assignments(event))
        if event.name in self._rising:
            is_and = isinstance(condition, Logical) and condition.operator == "and"
            parts = children(condition) if is_and else (condition,)
            test = self._text.write(Logical("and", (*parts, is_unset(event.name))))
            inner.append(_element("StateAssignment", variable=flag_of(event.name), value="1"))
        else:
            test = self._text.write(condition)
        inner.append(_element("EventOut", port=event.name))
        inner += [_element("Transition", regime=regime)] if regime else []
        found = _within(f"<OnCondition {_attributes(test=test)}>", inner)
        if event.name in self._rising:
            forget = [_element("StateAssignment", variable=flag_of(event.name), value="0")]
            found += _within(f"<OnCondition {_attributes(test=self._text.write(opposite(condition)))}>", forget)
        return found

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
            yield _element("StateAssignment", variable=ready.state, value=self._text.write(ready.expression.tree))

    def _add_regimes(self, rates: Mapping[str, str]) -> None:
        """Integration, and the time after a spike."""
        model = self._model
        assert model.refractory is not None and model.spike is not None, "a refractory model has a spike"
        if SPIKE in self._rising:
            raise ModelError("a spike that is refractory and rising has no form in LEMS; take trigger='level'")
        stamp = self._free(STAMP)
        self._dynamics.insert(0, _element("StateVariable", name=stamp, dimension=self._names.dimension("ms")))
        held = set(model.refractory.states)
        during = [_element("TimeDerivative", variable=name, value=text) for name, text in rates.items()]
        after = [text for name, text in zip(rates, during) if name not in held]
        entry = [_element("StateAssignment", variable=stamp, value="t"), *self._assignments(model.spike)]
        back = _element("Transition", regime="integrating")
        after += _within("<OnEntry>", entry)
        after += _within(f"<OnCondition {_attributes(test=self._end(stamp))}>", [back])
        test = self._text.write(model.spike.condition.tree)
        forth = [_element("EventOut", port=SPIKE), _element("Transition", regime="refractory")]
        during += _within(f"<OnCondition {_attributes(test=test)}>", forth)
        self._dynamics += _within(f"<Regime {_attributes(name='integrating', initial='true')}>", during)
        self._dynamics += _within(f"<Regime {_attributes(name='refractory')}>", after)

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


def _attributes(**attributes: str) -> str:
    return " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items() if value)


def _element(tag: str, **attributes: str) -> str:
    return f"<{tag} {_attributes(**attributes)}/>"


def _within(opening: str, lines: list[str]) -> list[str]:
    """Lines within an element."""
    tag = opening.strip("<>").split()[0]
    return [opening, *(f"    {line}" for line in lines), f"</{tag}>"]
