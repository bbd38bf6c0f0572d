"""The names of a neuron of Brian2: what each stands for, and what was decided about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

from izhigen.errors import ModelError, shown
from izhigen.importers.brian2_expressions import NotReadable, Reader, Term, as_number, boolean, unit_term
from izhigen.importers.brian2_passages import Line, Passage, read_text, read_unit
from izhigen.importers.brian2_units import unit_named
from izhigen.importers.brian2_values import Values
from izhigen.importers.coherent import MILLISECOND, coherent, unit_text
from izhigen.importers.trees import MOST_PARTS, names_in, size_of, substituted
from izhigen.model.expressions import Binary, Call, Name, Negative, Node, Number, children
from izhigen.model.functions import LAST_SPIKE
from izhigen.units.dimensions import PLAIN, Unit

FREE = "not_refractory"
"""Brian2's name of whether a neuron is not refractory; an input whose current says so during a step."""
NOISE = MILLISECOND.power(Fraction(-1, 2))
"""The unit of xi."""
_CONSTANTS = {"pi": math.pi, "e": math.e}
_REFUSED = {
    "i": "'i', the number of a neuron, is not known in equations; declare a parameter and give an array of values",
    "N": "'N', the number of neurons, is not known in equations; declare a parameter",
}
_CONSTANT = ("t", "dt", "inf", "t_in_timesteps", *_REFUSED)
_OF_BRIAN2 = (FREE, "refractory", "lastspike", "refractory_until")
"""Variables that Brian2 adds to a neuron."""
_HALF = Number(Fraction(1, 2))
_STEPS = Call("floor", (Binary("+", Binary("/", Name("t"), Name("dt")), _HALF),))


def is_noise(name: str) -> bool:
    """Whether a name is one of Brian2's white noise."""
    return name == "xi" or name.startswith("xi_")


class Neuron:
    """Lines, inputs and constants of a neuron, and a reader of expressions in them.

    Parameters
    ----------
    lines : tuple of Line
    inputs : iterable of str, or mapping
        Names of what varies in time, and the unit of those that no line declares.
    namespace, initial : Values
    has_spikes : bool
        Whether there is a threshold, so that neurons know when they spiked last.
    """

    def __init__(
        self, lines: tuple[Line, ...], inputs: Any, namespace: Values, initial: Values, has_spikes: bool
    ) -> None:
        self.lines = {line.name: line for line in lines}
        self.namespace, self.initial, self.has_spikes = namespace, initial, has_spikes
        self.units: dict[str, Unit] = {}
        self.trees: dict[str, Node] = {}
        self.parameters: dict[str, Term] = {}
        self.report: list[str] = []
        self.booleans: set[str] = set()
        self.integers: set[str] = set()
        self.changed: dict[str, Term] = {}
        self.inputs: dict[str, Unit] = {}
        self.reads_free = False
        self._functions: set[str] = set()
        self._place, self._may_be_noisy = "", False
        self.reader = Reader(self.meaning, self, self._of_time, is_whole=self.is_whole)
        for line in lines:
            self._declare(line)
        self._read_inputs(inputs)

    def __iter__(self) -> Iterator[str]:
        return iter((*self.lines, *self.inputs, *self.namespace))

    # -- declarations -------------------------------------------------------------------------------------------------

    def _declare(self, line: Line) -> None:
        """Note the unit of a line."""
        name, unit = line.name, line.unit
        if unit_named(name) is not None or name in (*_CONSTANT, "pi", "e"):
            raise unit.error(f"{name!r} is the name of a unit, or has a meaning of its own; rename it")
        if is_noise(name) or name in _OF_BRIAN2:
            raise unit.error(f"{name!r} has a meaning of its own in Brian2; rename it")
        if unit.text in ("boolean", "integer", "1"):
            self.units[name] = PLAIN
            if unit.text != "1":
                (self.booleans if unit.text == "boolean" else self.integers).add(name)
            return
        found = read_unit(unit)
        if not _is_of_si(found):
            raise unit.error(
                f"{shown(unit.text)}: variables are declared in base units, such as volt, amp, siemens, Hz"
            )
        self.units[name] = coherent(found)

    def _read_inputs(self, inputs: Any) -> None:
        """Note what varies in time."""
        if isinstance(inputs, str) or not isinstance(inputs, Iterable):
            raise ModelError(f"inputs={shown(inputs)} is neither a list of names nor a mapping from name to unit")
        pairs = inputs.items() if isinstance(inputs, Mapping) else ((name, None) for name in inputs)
        for name, unit in pairs:
            where = f"inputs: {shown(name)}"
            if not isinstance(name, str) or not name.isidentifier() or unit_named(name) is not None:
                raise ModelError(f"{where} is not a name that an input can have")
            if name in self.lines:
                self._check_line_as_input(self.lines[name], where)
            elif unit is None:
                raise ModelError(f"{where} is declared by no line; give its unit, inputs={{{name!r}: 'amp'}}")
            else:
                self._functions.add(name)
            of_unit = self.units[name] if unit is None else _unit_of_input(unit, where)
            if self.units.setdefault(name, of_unit) != of_unit:
                raise ModelError(
                    f"{where} is declared in {unit_text(self.units[name])}, and here in {unit_text(of_unit)}"
                )
            self.inputs[name] = of_unit
        for name, of_unit in self.inputs.items():
            self.report.append(f"{name} is an input in {unit_text(of_unit)}, held during a step")

    def _check_line_as_input(self, line: Line, where: str) -> None:
        """Refuse an input that a line gives."""
        if line.kind == "equation":
            raise ModelError(f"{where} has a differential equation, so it is a state")
        if line.kind == "subexpression" and "constant over dt" not in line.flags:
            raise ModelError(f"{where} is given by an expression; only (constant over dt) ones may be inputs")
        if line.kind == "subexpression":
            self.report.append(f"{line.name}: its expression is left out, as it is an input")

    # -- names --------------------------------------------------------------------------------------------------------

    def read(self, passage: Passage, may_be_noisy: bool = False) -> Term:
        """The term of an expression in the names of the neuron."""
        self._place, self._may_be_noisy = passage.where, may_be_noisy
        return self.reader.read(passage)

    def meaning(self, name: str) -> Term | None:
        """What a name stands for; None for what is none of the neuron's.

        Raises
        ------
        NotReadable
            Why it cannot be read here.
        """
        if name in self.changed:
            return self.changed[name]
        if name in self.units:
            return self._changed_line(name) or self._own(name)
        if is_noise(name):
            if not self._may_be_noisy:
                raise NotReadable(f"{name} is noise, and stands in the right side of dx/dt only")
            return Term(Name(name), None, NOISE)
        if name in _REFUSED:
            raise NotReadable(_REFUSED[name])
        if name == FREE:
            return self._free()
        if name == "lastspike":
            if not self.has_spikes:
                raise NotReadable("lastspike is known where there is a threshold")
            return Term(Name("t" if self._place == "reset" else LAST_SPIKE), None, MILLISECOND)
        if name in ("t", "dt"):
            return Term(Name(name), None, MILLISECOND)
        if name == "t_in_timesteps":
            return Term(_STEPS)
        return self._constant(name) if name in self.namespace and not self._is_built_in(name) else None

    def _own(self, name: str) -> Term:
        """A declared name as it stands in the model."""
        if name in self.booleans:
            return boolean(Name(name))
        return Term(Name(name), None, self.units[name])

    def _constant(self, name: str) -> Term:
        """A name of the namespace: a parameter of the model."""
        term = self.namespace[name]
        self.parameters[name] = term
        if term.is_condition:
            self.booleans.add(name)
        self.units[name] = term.of_unit
        return self._own(name)

    def _is_built_in(self, name: str) -> bool:
        """Whether a name of the namespace, such as that of a script's ``locals()``, is a unit or a constant anyway."""
        unit = unit_named(name)
        if unit is None:
            return name in _CONSTANTS and self.namespace[name].value == Fraction(repr(_CONSTANTS[name]))
        if self.namespace[name] != unit_term(unit):
            raise NotReadable(f"{name!r} is the name of a unit, and namespace has another value of it; rename that")
        return True

    def _free(self) -> Term:
        if self._place in ("reset", "refractory"):
            raise NotReadable(f"{FREE} is known in equations only")
        self.reads_free = True
        return boolean(Name(FREE))

    def _of_time(self, name: str) -> Term | None:
        """What ``name(t)`` stands for."""
        return self._own(name) if name in self._functions else None

    # -- lines --------------------------------------------------------------------------------------------------------

    def expanded(self, node: Node, where: str) -> Node:
        """A tree without names of subexpressions."""
        for _ in self.lines:
            inner = {name: self.trees[name] for name in names_in(node) if self.is_subexpression(name)}
            if not inner:
                break
            node = substituted(node, inner, where)
        else:
            if any(self.is_subexpression(name) for name in names_in(node)):
                raise ModelError(f"{where}: its subexpressions are cyclic; break the circle")
        return node

    def is_subexpression(self, name: str) -> bool:
        """Whether a name is given by an expression, and is no input."""
        line = self.lines.get(name)
        return line is not None and line.kind == "subexpression" and name not in self.inputs

    def read_by(self, node: Node) -> set[str]:
        """Names that a tree reads, also through subexpressions."""
        found, waiting = set[str](), [*names_in(node)]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += names_in(self.trees[name]) if self.is_subexpression(name) and name in self.trees else ()
        return found

    def _changed_line(self, name: str) -> Term | None:
        """A subexpression that reads what statements above have assigned."""
        if not self.changed or not self.is_subexpression(name) or "constant over dt" in self.lines[name].flags:
            return None
        if not self.read_by(Name(name)) & self.changed.keys():
            return None
        values = {other: as_number(term) for other, term in self.changed.items() if term.node is not None}
        where = f"{self._place}, {name}"
        node = substituted(self.expanded(Name(name), where), values, where)
        if name in self.booleans:
            return boolean(node)
        return Term(node, None, self.units[name])

    def statements(self, passage: Passage) -> dict[str, Node]:
        """What the statements of a reset assign to each variable, by the values before it.

        They are made one after the other, each with what those above have left.
        """
        self._place, self._may_be_noisy = passage.where, False
        self.changed = {LAST_SPIKE: Term(Name("t"), None, MILLISECOND)}
        assigned: list[str] = []
        for statement in self.reader.statements(passage):
            name, line = statement.name, self.lines.get(statement.name)
            if name in self.inputs or (line is not None and line.kind == "subexpression"):
                raise passage.error(f"{name!r} is given from elsewhere, and cannot be assigned", statement.offset)
            if line is None and (name in self.namespace or unit_named(name) is not None or name in _CONSTANT):
                raise passage.error(f"{name!r} is a constant, and cannot be assigned", statement.offset)
            if name in _OF_BRIAN2 or is_noise(name):
                raise passage.error(f"{name!r} has a meaning of its own, and cannot be assigned here", statement.offset)
            if line is None and name not in self.changed:
                self.report.append(f"{passage.where}: {name} is a name of its statements alone")
            before = self.changed.get(name) or (self._own(name) if line is not None else None)
            value = self.reader.value(statement, before)
            if line is not None:
                value = self._as_assigned(name, value, passage, statement.offset)
                assigned += [] if name in assigned else [name]
            self.changed[name] = value
            if value.node is not None and size_of(value.node) > MOST_PARTS:
                raise passage.error("the statements build on one another too often; write fewer", statement.offset)
        found = {name: as_number(self.changed[name]) for name in assigned}
        self.changed = {}
        return found

    def _as_assigned(self, name: str, value: Term, passage: Passage, offset: int) -> Term:
        """A value in the unit of what it is assigned to."""
        if name in self.booleans:
            return boolean(as_number(value) if value.is_condition else self.reader.node(value))
        if value.of_unit != self.units[name] and not value.is_zero:
            raise passage.error(
                f"{name!r} is in {unit_text(self.units[name])}, and what is assigned in {unit_text(value.of_unit)}",
                offset,
            )
        if name in self.integers and not self.is_whole(as_number(value)):
            raise passage.error(f"{name!r} is an integer, and what is assigned need not be one; write int(...)", offset)
        return Term(self.reader.node(value), None, self.units[name])

    def is_whole(self, node: Node) -> bool:
        """Whether a tree is a whole number by its form."""
        if isinstance(node, Number):
            return node.value.denominator == 1
        if isinstance(node, Name):
            return node.id in self.integers | self.booleans and not self.is_subexpression(node.id)
        if isinstance(node, Call):
            chosen = node.arguments[1:] if node.function == "where" else node.arguments
            return node.function in ("floor", "sign") or (
                node.function in ("where", "min", "max", "clip", "abs") and all(map(self.is_whole, chosen))
            )
        is_kept = isinstance(node, Negative) or (isinstance(node, Binary) and node.operator in ("+", "-", "*"))
        return is_kept and all(map(self.is_whole, children(node)))


def _unit_of_input(text: object, where: str) -> Unit:
    """The unit of an input; a unit that is neither SI's nor the system's own would promise other numbers."""
    found = read_unit(Passage(read_text(text, where).strip(), where))
    of_unit = coherent(found)
    if found != of_unit and not _is_of_si(found):
        raise ModelError(f"{where}: an input comes in {unit_text(of_unit)}, not in {shown(text)}; write that")
    return of_unit


def _is_of_si(unit: Unit) -> bool:
    """Whether a unit is a product of SI's base units, without a factor."""
    return unit == Unit(0.0, unit.exponents)
