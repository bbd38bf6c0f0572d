"""A component and the ones within it, taken apart into one draft of a model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any

from izhigen.errors import ModelError, shown, suggest
from izhigen.importers.lems.core import NOT_READ
from izhigen.importers.lems.dimensions import Dimension, coherent_text, in_unit
from izhigen.importers.lems.documents import MOST_ANCESTORS, Document
from izhigen.importers.lems.draft import Draft, Made
from izhigen.importers.lems.elements import Element, Place
from izhigen.importers.lems.expressions import Text, opposite, parse, substituted
from izhigen.importers.lems.marks import own_units
from izhigen.importers.lems.types import Assigned, Derived, Dynamics, Type
from izhigen.importers.trees import names_in
from izhigen.model.expressions import NEW, OLD, Binary, Call, Moment, Name, Node, Number, walk

_ATTRIBUTES = frozenset(("id", "name", "type", "extends", "metaid", "neuroLexId", "notes", "schemaLocation"))
_IGNORED = frozenset(("notes", "annotation", "property"))
_SELECT = re.compile(r"(\w+)(\[\*\])?\Z", re.ASCII)
MOST_COMPONENTS = 300
"""Most components of one model."""
MOST_CASES = 50
"""Most cases of a derived variable."""
_ZERO = Number(Fraction(0))


@dataclass
class Instance:
    """A component with its type, the names that its expressions know, and the components within it.

    Attributes
    ----------
    lineage : list of Type
        Its type and those that it extends.
    scope : dict
        Name in LEMS to name in the model, or to what stands for it.
    exposed : dict
        Exposure to name in LEMS, where they differ.
    within : list of (name, Instance)
        Components within it, under the names of Child and Children.
    units : dict
        What izhigen has written of it: the names that it has in a model, and their units.
    """

    element: Element
    lineage: list[Type]
    parent: Instance | None
    prefix: str
    scope: dict[str, Node] = field(default_factory=dict)
    exposed: dict[str, str] = field(default_factory=dict)
    within: list[tuple[str, Instance]] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where the component stands."""
        return self.element.place

    @property
    def dynamics(self) -> Dynamics | None:
        """Those of its type, or of the nearest that it extends."""
        return next((each.dynamics for each in self.lineage if each.dynamics is not None), None)

    @property
    def all(self) -> Iterator[Instance]:
        """It and those within it."""
        yield self
        for _, each in self.within:
            yield from each.all

    @property
    def helpers(self) -> dict[str, str]:
        """Names in the model to names in LEMS of what is not among the names that izhigen has written it for."""
        return {node.id: name for name, node in self.scope.items() if isinstance(node, Name) and name not in self.units}

    def declared(self, kind: str) -> dict[str, Any]:
        """What its type and those that it extends declare of a kind, the eldest first."""
        found: dict[str, Any] = {}
        for each in reversed(self.lineage):
            found |= getattr(each, kind)
        return found

    def find(self, name: str) -> Node | None:
        """What a name stands for here, or in a component around this one."""
        here: Instance | None = self
        while here is not None:
            if name in here.scope:
                return here.scope[name]
            here = here.parent
        return None


class Flattener:
    """Takes a component apart.

    Parameters
    ----------
    document : Document
    draft : Draft
        What is filled.
    """

    def __init__(self, document: Document, draft: Draft) -> None:
        self._document, self._draft = document, draft
        self._count = 0

    # -- components and their names -------------------------------------------------------------------------------

    def instance(self, element: Element, parent: Instance | None = None, prefix: str = "", kind: str = "") -> Instance:
        """A component with all names that it declares; nothing is computed yet."""
        merged = self._extended(element)
        name = kind or self._document.type_of(merged)
        made = Instance(merged, self._document.ancestors(name, merged.place), parent, prefix, units=own_units(merged))
        self._count += 1
        if self._count > MOST_COMPONENTS:
            raise ModelError(f"{element.place}: more than {MOST_COMPONENTS} components are within one another")
        self._refuse_unread(made)
        self._declare_numbers(made)
        self._declare_variables(made)
        for child in merged.children:
            if child.tag not in _IGNORED:
                self._child(made, child)
        return made

    def _extended(self, element: Element) -> Element:
        """A component with what it takes over from those that it extends."""
        line = [element]
        while base := line[-1].get("extends"):
            known = self._document.components.get(base)
            if known is None:
                raise ModelError(
                    f"{line[-1].place}: no component {shown(base)}{suggest(base, self._document.components)} to extend"
                )
            line.append(known)
            if len(line) > MOST_ANCESTORS:
                raise ModelError(f"{element.place}: components extend one another in a circle, or too many")
        if len(line) == 1:
            return element
        attributes: dict[str, str] = {}
        for each in reversed(line):
            attributes |= each.attributes
        children = [child for each in reversed(line) for child in each.children]
        return Element(line[-1].tag, attributes, element.place, children)

    def _refuse_unread(self, made: Instance) -> None:
        if "morphology" in made.declared("child"):
            raise ModelError(f"{made.place}: <{made.element.tag}> is not read: {NOT_READ['cell']}")
        unread = [each for part in made.lineage for each in part.unread]
        unread += made.dynamics.unread if made.dynamics else ()
        for what, place in unread:
            raise ModelError(f"{place}: {what} ({made.element.tag} {shown(made.element.get('id'))} needs it)")

    def _dimension(self, name: str, place: Place) -> Dimension:
        return self._document.units.dimension(name, place)

    def _take(self, made: Instance, name: str, dimension: str, place: Place) -> str:
        """A name of the model for one of a component, in a coherent unit or the one that izhigen wrote."""
        exponents = self._dimension(dimension, place)
        taken = self._draft.declare(made.prefix + name, made.units.get(name) or coherent_text(exponents), place)
        made.scope[name] = Name(taken)
        return taken

    def _declare_numbers(self, made: Instance) -> None:
        """Parameters, properties and constants, with their values."""
        parameters: dict[str, str] = made.declared("parameters")
        properties: dict[str, tuple[str, str]] = made.declared("properties")
        constants: dict[str, tuple[str, str]] = made.declared("constants")
        fixed: dict[str, str] = made.declared("fixed")
        given = made.element.attributes
        known = {*parameters, *properties, *_ATTRIBUTES, *(text for each in made.lineage for text in each.texts)}
        for name in given.keys() - known:
            raise ModelError(
                f"{made.place}: <{made.element.tag}> has no parameter {shown(name)}{suggest(name, known)} "
                f"(parameters: {', '.join(parameters) or 'none'})"
            )
        for name in sorted(fixed.keys() & given.keys()):
            if fixed[name] != given[name]:
                what = f"{name}={shown(given[name])} is left out, as {made.lineage[0].name} fixes it to {fixed[name]}"
                self._draft.report.append(f"{made.place}: {what}")
        for name, dimension in parameters.items():
            text = fixed.get(name, given.get(name))
            if text is None:
                raise ModelError(
                    f"{made.place}: <{made.element.tag}> has no {shown(name)}; give it a value of dimension {dimension}"
                )
            self._number(made, name, dimension, text, made.place)
        for name, (dimension, default) in properties.items():
            self._number(made, name, dimension, given.get(name, default or "0"), made.place)
        for name, (dimension, text) in constants.items():
            if name == "pi" and text == repr(math.pi):
                made.scope[name] = Name("pi")
            else:
                taken = self._number(made, name, dimension, text, made.lineage[0].place)
                if name in made.units:
                    self._draft.ones[taken] = self._draft.numbers.pop(taken)

    def _number(self, made: Instance, name: str, dimension: str, text: str, place: Place) -> str:
        """Take a number in; what it is called."""
        exponents = self._dimension(dimension, place)
        value = self._document.units.si(text, exponents, place)
        taken = self._take(made, name, dimension, place)
        self._draft.numbers[taken] = in_unit(value, self._draft.units[taken], exponents, place)
        return taken

    def _declare_variables(self, made: Instance) -> None:
        """States, lines and requirements."""
        dynamics = made.dynamics
        own = {*made.scope, *(dynamics.states if dynamics else ()), *(each.name for each in self._derived(made))}
        for name, dimension in made.declared("requirements").items():
            if name not in own:
                self._requirement(made, name, dimension)
        for name, (dimension, place) in (dynamics.states if dynamics else {}).items():
            self._check_new(made, name, place)
            self._draft.rates[self._take(made, name, dimension, place)] = _ZERO
        for derived in self._derived(made):
            self._check_new(made, derived.name, derived.place)
            self._take(made, derived.name, derived.dimension, derived.place)
        made.exposed |= dynamics.exposed if dynamics else {}
        made.exposed |= {each.exposure: each.name for each in self._derived(made) if each.exposure}

    def _derived(self, made: Instance) -> Iterator[Derived]:
        for each in reversed(made.lineage):
            yield from each.derived
        if made.dynamics:
            yield from made.dynamics.derived

    def _check_new(self, made: Instance, name: str, place: Place) -> None:
        if name in made.scope:
            raise ModelError(f"{place}: {shown(name)} is declared twice in {made.lineage[0].name}; rename one of them")

    def _requirement(self, made: Instance, name: str, dimension: str) -> None:
        """What a component needs of those around it: known there, or an input of the model."""
        place = made.lineage[0].place
        if made.find(name) is None:
            top = made
            while top.parent is not None:
                top = top.parent
            if name == "t":
                top.scope[name] = Name("t")
            else:
                self._draft.inputs.append(self._take(top, name, dimension, place))
                self._draft.report.append(f"{place}: {name}, which {made.lineage[0].name} requires, is an input")

    def _child(self, made: Instance, element: Element) -> None:
        """A component within another, by the Child or Children that it fits."""
        child: dict[str, str] = made.declared("child")
        children: dict[str, str] = made.declared("children")
        prefix = f"{made.prefix}{element.get('id') or element.tag}_"
        if element.tag in child:
            kind = element.get("type") or child[element.tag]
            made.within.append((element.tag, self.instance(element, made, prefix, kind)))
            return
        kind = self._document.type_of(element)
        if self._document.has_type(kind):
            for name, of in children.items():
                if self._document.is_a(kind, of, element.place):
                    made.within.append((name, self.instance(element, made, prefix)))
                    return
        raise ModelError(
            f"{element.place}: <{element.tag}> is not read within <{made.element.tag}>"
            f"{suggest(element.tag, (*child, *children.values()))}; "
            f"{made.lineage[0].name} has {', '.join((*child, *children)) or 'nothing'} within it"
        )

    # -- expressions ----------------------------------------------------------------------------------------------

    def tree(self, made: Instance, source: Text, *, is_condition: bool = False) -> Node:
        """An expression in the names of the model."""
        tree = parse(source, is_condition=is_condition)
        names: dict[str, Node] = {}
        for node in walk(tree):
            if isinstance(node, Name):
                found = Name("t") if node.id == "t" else made.find(node.id)
                if found is None:
                    raise ModelError(
                        f"{source.place}: {shown(source.text)}, column {node.column}: nothing is called "
                        f"{shown(node.id)}{suggest(node.id, made.scope)}"
                    )
                names[node.id] = found
        if any(isinstance(node, Call) and node.function == "heaviside" for node in walk(tree)):
            self._draft.report.append(f"{source.place}: H(0) is 1 here, and 1/2 in LEMS")
        return substituted(tree, names)

    def tree_after_step(self, made: Instance, source: Text, *, is_condition: bool = False) -> Node:
        """An expression of an OnCondition: it reads states as they are after a step, and lines, which LEMS computes
        before integration, as they were at its start.
        """
        tree = self.tree(made, source, is_condition=is_condition)
        own = made.helpers if made.units else {}  # which say what stands there in LEMS
        read = sorted(name for name in names_in(tree) & self._draft.lines.keys() - own.keys() if self._moves(name))
        if read:
            what = f"{', '.join(read)} is read as it was at the step's start, as LEMS computes it before integration"
            self._draft.report.append(f"{source.place}: {what}")
        return substituted(tree, {name: Moment(OLD, Name(name)) for name in read})

    def _moves(self, line: str) -> bool:
        """Whether a line reads a state, if need be through others."""
        seen, waiting = set[str](), {line}
        while waiting:
            if waiting & self._draft.rates.keys():
                return True
            seen |= waiting
            trees = [self._draft.lines[each] for each in waiting & self._draft.lines.keys()]
            waiting = {name for tree in trees for name in names_in(tree)} - seen
        return False

    def compute(self, made: Instance) -> None:
        """Lines of a component and of those within it."""
        for _, child in made.within:
            self.compute(child)
        for derived in self._derived(made):
            name = made.scope[derived.name]
            assert isinstance(name, Name)
            tree = self._value(made, derived)
            if tree is not None:
                self._draft.lines[name.id] = tree

    def _value(self, made: Instance, derived: Derived) -> Node | None:
        """What a derived variable is; None for one that has become an input."""
        if derived.value is not None:
            return self.tree(made, derived.value)
        if derived.select:
            return self._selected(made, derived)
        if len(derived.cases) > MOST_CASES:
            raise ModelError(f"{derived.place}: {shown(derived.name)} has more than {MOST_CASES} cases")
        conditions = [self.tree(made, each, is_condition=True) for each, _ in derived.cases if each is not None]
        *values, tree = (self.tree(made, each) for _, each in derived.cases)
        if len(conditions) == len(derived.cases):
            rest = conditions.pop()
            if not conditions or opposite(conditions[-1]) != rest:
                raise ModelError(
                    f"{derived.place}: {shown(derived.name)} has no value where none of its conditions holds; "
                    "give the last <Case> none, or the opposite of the one before it"
                )
        for condition, value in reversed(list(zip(conditions, values))):
            tree = Call("where", (condition, value, tree))
        return tree

    def _selected(self, made: Instance, derived: Derived) -> Node | None:
        """What a path selects, added or multiplied; an input where it leads to what others attach."""
        first, *rest = derived.select.split("/")
        found = _SELECT.match(first)
        if derived.reduce not in ("", "add", "multiply"):
            raise ModelError(f"{derived.place}: reduce={shown(derived.reduce)} is not read; take add or multiply")
        if found is None or not rest or not all(_SELECT.match(step) for step in rest):
            raise ModelError(
                f"{derived.place}: select={shown(derived.select)} is not read; write a path such as gates[*]/q"
            )
        attachments: dict[str, str] = made.declared("attachments")
        if found[1] in attachments:
            self._attached(made, derived)
            return None
        nodes = list(self._select(made, derived, derived.select.split("/")))
        if not derived.reduce and len(nodes) != 1:
            raise ModelError(
                f"{derived.place}: select={shown(derived.select)} finds {len(nodes)} values; one is due, or reduce=..."
            )
        operator, empty = ("*", 1) if derived.reduce == "multiply" else ("+", 0)
        return reduce(lambda a, b: Binary(operator, a, b), nodes) if nodes else Number(Fraction(empty))

    def _attached(self, made: Instance, derived: Derived) -> None:
        """What others attach to a cell: a current that is given to it."""
        if derived.reduce != "add" or made.parent is not None:
            raise ModelError(f"{derived.place}: what is attached is added, to the outermost component; take reduce=add")
        name = made.scope[derived.name]
        assert isinstance(name, Name)
        self._draft.inputs.append(name.id)
        self._draft.report.append(f"{derived.place}: {name.id}, the sum of what is attached, is an input")

    def _select(self, made: Instance, derived: Derived, path: list[str]) -> Iterator[Node]:
        """The values that a path leads to."""
        found = _SELECT.match(path[0])
        assert found is not None
        if len(path) == 1:
            value = made.scope.get(made.exposed.get(path[0], path[0]))
            if value is None:
                raise ModelError(
                    f"{derived.place}: select={shown(derived.select)}: <{made.element.tag}> at {made.place} has no "
                    f"{shown(path[0])}{suggest(path[0], (*made.exposed, *made.scope))}"
                )
            yield value
            return
        known: Mapping[str, str] = {**made.declared("child"), **made.declared("children")}
        if found[1] not in known:
            raise ModelError(
                f"{derived.place}: select={shown(derived.select)}: {made.lineage[0].name} has no {shown(found[1])} "
                f"within it{suggest(found[1], known)}"
            )
        for name, child in made.within:
            if name == found[1]:
                yield from self._select(child, derived, path[1:])

    def assigned(self, made: Instance, given: tuple[Assigned, ...], *, at_start: bool = False) -> Iterator[Made]:
        """Assignments made one after the other: each reads what those above it have assigned."""
        done: dict[str, Node] = {}
        for each in given:
            target = made.scope.get(each.variable)
            place = each.value.place
            if not isinstance(target, Name) or target.id not in self._draft.rates:
                states = [name for name, node in made.scope.items() if getattr(node, "id", "") in self._draft.rates]
                raise ModelError(
                    f"{place}: {shown(each.variable)} is no state, so nothing is assigned to it"
                    f"{suggest(each.variable, states)}"
                )
            if target.id in done:
                raise ModelError(f"{place}: {shown(each.variable)} is assigned twice; write one assignment")
            tree = self.tree(made, each.value) if at_start else self.tree_after_step(made, each.value)
            read = sorted(names_in(tree) & done.keys())
            if read:
                self._draft.report.append(f"{place}: {', '.join(read)} is read as assigned above, as jLEMS does")
            yield Made(target.id, substituted(tree, {} if at_start else done), place, made.prefix)
            done[target.id] = Moment(NEW, target)
