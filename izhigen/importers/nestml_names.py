"""The declared names of a NESTML neuron: what each is called here, its unit, and its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from izhigen.errors import EquationError, ModelError, shown, suggest
from izhigen.importers.coherent import VALUES
from izhigen.importers.nestml_expressions import Expressions, Report, declared_unit
from izhigen.importers.nestml_kernels import lower_derivatives, own_states, plain_name
from izhigen.importers.nestml_syntax import (
    Declaration,
    Definition,
    Name,
    Neuron,
    Node,
    Number,
    Place,
    Product,
    Sum,
    walk,
)
from izhigen.importers.nestml_syntax import Unit as WrittenUnit
from izhigen.importers.nestml_terms import Term, named
from izhigen.importers.nestml_update import reads
from izhigen.model.checking import ALL, INTERFACE_NAMES, SPIKE_FIGURES
from izhigen.model.expressions import check_name, parse_expression
from izhigen.model.functions import RESERVED
from izhigen.units.dimensions import Unit

_TAKEN = INTERFACE_NAMES | RESERVED | {*SPIKE_FIGURES, ALL, "refractory", "t_last_spike"}


@dataclass(frozen=True)
class Variable:
    """A declared name.

    Attributes
    ----------
    term : Term
        What it stands for.
    unit : Unit
        As the file counts it.
    unit_text : str
        The unit as a model writes it.
    place : Place
    value : Node or None
    """

    term: Term
    unit: Unit
    unit_text: str
    place: Place
    value: Node | None

    @property
    def name(self) -> str:
        """What it is called here."""
        return self.term.text


class Names:
    """All that a neuron declares; what cannot be a name of a model is given another one, which the report says.

    Attributes
    ----------
    states, parameters, internals, inputs, inline : dict
        Name in the file to :class:`Variable`.
    of_kernels : dict
        What the state block says of kernels of differential equations.
    lines, odes : dict
        The definitions of inline names and of states.
    spike_ports : tuple of str

    Raises
    ------
    ModelError
        For a name that is declared twice or not at all, and one that cannot be written.
    """

    def __init__(self, neuron: Neuron, report: Report) -> None:
        self._report = report
        self.states: dict[str, Variable] = {}
        self.parameters: dict[str, Variable] = {}
        self.internals: dict[str, Variable] = {}
        self.inputs: dict[str, Variable] = {}
        self.inline: dict[str, Variable] = {}
        self.of_kernels: dict[str, Variable] = {}
        self.lines: dict[str, Definition] = {}
        self.odes: dict[str, Definition] = {}
        self.spike_ports = tuple(port.name for port in neuron.ports if port.unit is None)
        self._numbers: dict[str, float] = {}
        self._declare(neuron)
        self._check_equations(neuron)

    def _declare(self, neuron: Neuron) -> None:
        of_kernels = own_states(neuron.kernels)
        for declaration in neuron.states:
            for name in declaration.names:
                self._add(self.of_kernels if name in of_kernels else self.states, name, declaration)
        for block, into in ((neuron.parameters, self.parameters), (neuron.internals, self.internals)):
            for declaration in block:
                for name in declaration.names:
                    self._add(into, name, declaration)
                if declaration.invariant is not None:
                    what = f"the bound of {declaration.names[0]} in [[...]] is not kept watch on"
                    self._report.say(declaration.place, what)
        for line in neuron.equations:
            if line.unit is not None:
                self._add(self.inline, line.name, Declaration(line.place, (line.name,), line.unit, line.value))
                self.lines[line.name] = line
        for port in neuron.ports:
            if port.unit is not None:
                self._add(self.inputs, port.name, Declaration(port.place, (port.name,), port.unit, None))
            elif self.spike_ports.count(port.name) > 1 or plain_name(port.name) in (*_TAKEN, *VALUES):
                raise port.place.error(f"a port cannot be called {shown(port.name)} here; rename it")
            else:
                self.check_free(port.name, port.place)
                if port.is_inhibitory:
                    what = (
                        f"{port.name} takes spikes of negative weight in NEST, with the sign turned; give positive ones"
                    )
                    self._report.say(port.place, what)

    def _check_equations(self, neuron: Neuron) -> None:
        for line in neuron.equations:
            if line.unit is not None:
                continue
            name = line.name.rstrip("'")
            if line.order == 0:
                raise line.place.error(f"{name} is no derivative; write {name}' = ..., or 'inline {name} <unit> = ...'")
            if self.odes.setdefault(name, line) is not line:
                raise line.place.error(f"{name} has a second equation; keep one")
            for lower in lower_derivatives(line):
                if lower not in self.states:
                    hint = suggest(lower, self.states)
                    raise line.place.error(f"{lower} has an equation and no value in the state block{hint}")

    def check_free(self, name: str, place: Place) -> None:
        """Refuse a name that is declared already, or can be none."""
        if name in ("true", "false", "True", "False"):
            raise place.error(f"{name} is a truth value, and no name")
        known = (self.states, self.parameters, self.internals, self.inline, self.inputs, self.of_kernels)
        if any(name in names for names in known):
            raise place.error(f"{shown(name)} is declared twice; rename one of them")

    def _add(self, into: dict[str, Variable], name: str, declaration: Declaration) -> None:
        place = declaration.place
        self.check_free(name, place)
        own = plain_name(name)
        if own in _TAKEN or own in VALUES:
            self._report.say(place, f"{name} is called {own}_ here, as {own} means something else")
            own = f"{own}_"
        try:
            check_name(own, f"{place.file}, line {place.line}")
        except EquationError as problem:
            raise ModelError(str(problem)) from None
        if str(declaration.unit) in ("string", "void"):
            raise place.error(f"{name} is of type {declaration.unit}; a model has numbers and truth values")
        if str(declaration.unit) == "integer":
            value = declaration.value
            if isinstance(value, Number) and value.value.denominator != 1:
                raise place.error(f"{name} is an integer, and its value is none")
            if into is self.states:
                self._report.say(
                    place, f"{name} is an integer in NESTML, and here a number, of which nothing is cut off"
                )
        unit, text = declared_unit(declaration.unit)
        term = named(own, unit, is_truth=str(declaration.unit) == "boolean")
        if into is self.parameters and (sign := _infinite(declaration.value)):
            term = Term(unit, infinite=sign)
        into[name] = Variable(term, unit, text, place, declaration.value)

    # -- scopes -------------------------------------------------------------------------------------------------------

    @property
    def constants(self) -> dict[str, Term]:
        """What does not change in a run."""
        return _terms(self.parameters, self.internals)

    @property
    def everything(self) -> dict[str, Term]:
        """What equations read."""
        return self.constants | _terms(self.inputs, self.inline, self.states)

    def at_beginning(self, expressions: Expressions) -> dict[str, Term]:
        """What initial values read: parameters and states, and internals as what they are made of."""
        return _Beginning(self.internals, _terms(self.parameters, self.states), expressions)

    # -- numbers ------------------------------------------------------------------------------------------------------

    def is_literal(self, variable: Variable) -> bool:
        """Whether an internal is a number, so that it can be a parameter."""
        if variable.value is None:
            raise variable.place.error("an internal without a value; write one after '='")
        return all(isinstance(part, (Number, Sum, WrittenUnit)) for part in walk(variable.value))

    def number(self, name: str, expressions: Expressions, path: tuple[str, ...] = ()) -> float:
        """The value of a parameter or an internal, from those of others where it reads them.

        Raises
        ------
        ModelError
            Where it has none, or reads a state or itself.
        """
        variable = self.parameters.get(name) or self.internals[name]
        if name in path:
            raise variable.place.error(f"{' -> '.join((*path, name))} is a circle; give one of them a number")
        if name not in self._numbers:
            if variable.value is None:
                raise variable.place.error(f"{name} has no value; write one after '='")
            if reads(variable.value, self.states):
                raise variable.place.error(f"{name} reads a state's value at the beginning; give it a number")
            term = expressions.finite(variable.value, self.constants)
            term = expressions.converted(term, variable.unit, variable.place, name)
            if "dt" in term.reads:
                raise variable.place.error(
                    f"{name} depends on the step, which a parameter does not; make it an internal"
                )
            values = {unit: float(value) for unit, value in VALUES.items()}
            for other in self.constants_in(variable):
                inner = self.parameters.get(other) or self.internals[other]
                values[inner.name] = self.number(other, expressions, (*path, name))
            self._numbers[name] = self._evaluated(term, values, name, variable.place)
        return self._numbers[name]

    def constants_in(self, variable: Variable) -> set[str]:
        """The parameters and internals that a value reads."""
        names = (*self.parameters, *self.internals)
        return set() if variable.value is None else reads(variable.value, names)

    @staticmethod
    def _evaluated(term: Term, values: Mapping[str, float], name: str, place: Place) -> float:
        try:
            with np.errstate(all="ignore"):
                found = float(parse_expression(term.text, name).evaluate(values))
        except EquationError as problem:
            raise ModelError(f"{place.file}, line {place.line}: {problem}") from None
        if not np.isfinite(found):
            raise place.error(f"{name} is {found}, which is no finite number")
        return found


class _Beginning(dict[str, Term]):
    """A scope in which internals are what they are made of."""

    def __init__(self, internals: Mapping[str, Variable], terms: Mapping[str, Term], expressions: Expressions) -> None:
        super().__init__(terms)
        self._internals, self._expressions, self._path = internals, expressions, tuple[str, ...]()

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._internals

    def __missing__(self, name: str) -> Term:
        variable = self._internals[name]
        if variable.value is None or name in self._path:
            raise variable.place.error(f"internal {name} has no value, or one that it reads itself")
        self._path = (*self._path, name)
        value = self._expressions.finite(variable.value, self)
        self._path = self._path[:-1]
        self[name] = self._expressions.converted(value, variable.unit, variable.place, name)
        return self[name]


def _terms(*parts: Mapping[str, Variable]) -> dict[str, Term]:
    return {name: variable.term for part in parts for name, variable in part.items()}


def _infinite(node: Node | None) -> int:
    """The sign of a value that is ``inf`` times numbers; 0 of another."""
    if isinstance(node, Name):
        return int(node.id == "inf")
    if isinstance(node, Sum) and len(node.terms) == 1:
        return _infinite(node.terms[0][1]) * (-1 if node.terms[0][0] == "-" else 1)
    if isinstance(node, Product):
        signs = [_infinite(factor) for _, factor in node.factors]
        others = [factor for sign, (_, factor) in zip(signs, node.factors) if not sign]
        if all(isinstance(factor, Number) for factor in others):
            return next((sign for sign in signs if sign), 0)
    return 0
