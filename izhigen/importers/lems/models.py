"""From a component to a model: its draft, checked expression by expression, so that errors name file and line."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import TypeVar

from izhigen.errors import EquationError, IzhigenError, ModelError, shown
from izhigen.importers.imported import spikes_while_held
from izhigen.importers.lems.components import Flattener
from izhigen.importers.lems.documents import Document
from izhigen.importers.lems.draft import Draft, Happening, Names, legal
from izhigen.importers.lems.elements import Element, Place
from izhigen.importers.lems.expressions import rebuilt, substituted
from izhigen.importers.lems.happenings import Happenings
from izhigen.importers.lems.marks import LIQUID, apply_marks
from izhigen.importers.trees import names_in, written
from izhigen.model.additions import Refractory
from izhigen.model.events import SPIKE, Event
from izhigen.model.expressions import NEW, OLD, Binary, Expression, Name, Node, Number, parse_expression, walk
from izhigen.model.functions import LAST_SPIKE, TIME_NAMES
from izhigen.model.model import Declaration
from izhigen.model.unit_checks import Checker
from izhigen.units.dimensions import PLAIN, Unit, unit_of_text

D = TypeVar("D", bound=Declaration)


def read_model(document: Document, element: Element, kind: type[D], report: list[str]) -> D:
    """The model that a component is.

    Parameters
    ----------
    document : Document
    element : Element
        The component.
    kind : type
        The class of the model.
    report : list of str
        Takes what is decided on the way.

    Raises
    ------
    ModelError
        What the language of models has not, with file and line.
    """
    draft = Draft(Names(report), report)
    flattener = Flattener(document, draft)
    made = flattener.instance(element)
    if made.dynamics is None:
        raise ModelError(f"{made.place}: <{made.element.tag}> has no Dynamics, so there is no model in it")
    if made.lineage[0].name not in document.types:
        report.append(
            f"{made.place}: {made.lineage[0].name} is NeuroML's cell as izhigen declares it, as no file that is "
            "included does"
        )
    flattener.compute(made)
    Happenings(flattener, draft).find(made)
    for each in made.all:
        if each.units:
            apply_marks(draft, each.element, each.helpers, each.prefix)
        if each is not made and each.element.get(LIQUID) == "true":
            what = f"{LIQUID} is left out, as it is of a whole model; use with_liquid_time_constant()"
            report.append(f"{each.place}: {what}")
    order = list(made.units)
    draft.inputs.sort(key=lambda each: order.index(each) if each in order else len(order))
    description = made.lineage[0].description if made.lineage[0].name in document.types else ""
    name = legal(element.get("id") or "Cell")
    if name != element.get("id"):
        report.append(f"{made.place}: the model of {shown(element.get('id'))} is called {name}")
    found = _Maker(draft, made.place).model(kind, name, description)
    return found.replaced(liquid=True) if made.element.get(LIQUID) == "true" else found


_MOST_PARTS = 400
"""Largest value at the start, its lines put in."""


class _Maker:
    """Makes the model of a draft."""

    def __init__(self, draft: Draft, place: Place) -> None:
        self._draft, self._place = draft, place
        texts = {**draft.units, **dict.fromkeys((*TIME_NAMES, LAST_SPIKE), "ms")}
        self._units: dict[str, Unit] = {name: unit_of_text(text) for name, text in texts.items()}
        self._texts = texts
        self._checker = Checker(self._units, texts, True)
        self._ones = {name: Number(Fraction(repr(value))) for name, value in draft.ones.items()}

    def model(self, kind: type[D], name: str, description: str) -> D:
        """The model, checked."""
        draft = self._draft
        if not draft.rates:
            raise ModelError(f"{self._place}: {shown(name)} has no StateVariable, so there is nothing to integrate")
        texts = {state: self._rate(state, tree) for state, tree in draft.rates.items()}
        texts |= {line: self._line(line, tree) for line, tree in draft.lines.items()}
        equations = [texts[each] for each in sorted(texts, key=lambda each: draft.declared[each].line)]
        self._check_order()
        events = {each.name: self._event(each) for each in draft.happenings}
        spike = events.pop(SPIKE, None)
        units = {each: draft.units[each] for each in (*draft.numbers, *draft.inputs)}
        initial = self._initial()
        last_spike = {name: parse_expression(initial.pop(name)) for name in [LAST_SPIKE] if name in initial}
        try:
            found = kind(
                name,
                "\n".join(equations),
                threshold=spike.condition if spike else None,
                reset=spike.assignments if spike else None,
                trigger=spike.trigger if spike else "auto",
                events=events,
                parameters=draft.numbers,
                inputs=draft.inputs,
                initial=initial,
                units=units,
                description=description,
            )
            return self._refractory(found, last_spike)
        except IzhigenError as problem:
            raise ModelError(f"{self._place}: {problem}") from None

    def _refractory(self, model: D, last_spike: Mapping[str, Expression]) -> D:
        """The model with its refractory period, and when it is to have spiked last before the start."""
        draft = self._draft
        if not draft.is_refractory:
            return model
        until = None
        if draft.until is not None:
            until = self._checked(draft.until, None, self._place, "the end of the refractory period", "condition")
        initial = MappingProxyType({**model.initial, **last_spike})
        found = model.replaced(refractory=Refractory(draft.hold, until), initial=initial)
        if spikes_while_held(found):
            raise ModelError(
                f"the condition of the spike holds right after the reset, in the regime that is silent in LEMS, and "
                f"{', '.join(draft.hold)} would spike in every step here; give the reset a value below it"
            )
        return found

    def _checked(
        self, tree: Node, unit: Unit | None, place: Place, what: str, kind: str = "number", text: str = ""
    ) -> Expression:
        """The expression of a tree: within the language, and of the unit that is due."""
        where = f"{place}: {what}"
        try:
            text_of_tree = written(tree)
        except ModelError as problem:
            raise ModelError(f"{where}: {problem}") from None
        try:
            found = parse_expression(text_of_tree, where, kind=kind, moments=(OLD, NEW))
        except EquationError as problem:
            raise ModelError(str(problem)) from None
        if kind == "condition":
            self._checker.unit_of(found.tree, where)
        else:
            if not found.names and unit not in (None, PLAIN) and found.evaluate({}):  # LEMS has no bare quantities
                raise ModelError(f"{where}: the right-hand side is in 1, and {text} is due")
            self._checker.check(found, unit, text, where)
        if not found.names.keys() & self._draft.ones.keys():
            return found
        bare = substituted(rebuilt(tree, self._without_unit), self._ones)
        return parse_expression(written(bare), where, kind=kind, moments=(OLD, NEW))

    def _without_unit(self, node: Node) -> Node:
        """The number of one that is times its unit."""
        if isinstance(node, Binary) and isinstance(node.left, Number) and isinstance(node.right, Name):
            one = self._ones.get(node.right.id)
            return node if one is None or node.operator != "*" else Number(node.left.value * one.value)
        return node

    def _rate(self, state: str, tree: Node) -> str:
        unit, text = self._units[state] / self._units["t"], f"{self._texts[state]}/ms"
        found = self._checked(tree, unit, self._draft.places[state], f"TimeDerivative of {state}", text=text)
        return f"d{state}/dt = {found.text} : {self._texts[state]}"

    def _line(self, name: str, tree: Node) -> str:
        unit, text = self._units[name], self._texts[name]
        found = self._checked(tree, unit, self._draft.places[name], f"DerivedVariable {name}", text=text)
        return f"{name} = {found.text} : {text}"

    def _event(self, happening: Happening) -> Event:
        what = f"OnCondition ({happening.name})"
        condition = self._checked(happening.condition, None, happening.place, what, "condition")
        made = []
        for each in happening.made:
            unit, text = self._units[each.state], self._texts[each.state]
            made.append(f"{each.state} = {self._checked(each.value, unit, each.place, what, text=text).text}")
        return Event(condition.text, "; ".join(made), happening.trigger)

    def _check_order(self) -> None:
        """The spike comes first here; where the file has it later, that must make no difference."""
        names = [each.name for each in self._draft.happenings]
        if SPIKE not in names:
            return
        spike = self._draft.happenings[names.index(SPIKE)]
        for other in self._draft.happenings[: names.index(SPIKE)]:
            shared = _assigned(spike) & (self._read(other) | _assigned(other))
            shared |= _assigned(other) & self._read(spike)
            if shared:
                raise ModelError(
                    f"{spike.place}: the OnCondition that sends a spike comes after that at {other.place}, and both "
                    f"concern {', '.join(sorted(shared))}; put it first"
                )

    def _read(self, happening: Happening) -> set[str]:
        """What an event reads, also through lines."""
        trees = [happening.condition, *(each.value for each in happening.made)]
        found, waiting = set[str](), [name for tree in trees for name in names_in(tree)]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                line = self._draft.lines.get(name)
                waiting += names_in(line) if line is not None else ()
        return found

    def _initial(self) -> dict[str, str]:
        """Initial values: lines put in, and time 0; a component may read what others assign at the start."""
        draft = self._draft
        found: dict[str, str] = {}
        states = [each.state for each in draft.start]
        for number, each in enumerate(draft.start):
            if each.state in states[number + 1 :]:
                continue  # OnEntry of the first regime assigns it anew
            tree = substituted(self._without_lines(each.value, each.place), {"t": Number(Fraction(0))})
            later = [
                one.state for one in draft.start[number:] if one.within == each.within or states.count(one.state) > 1
            ]
            for node in walk(tree):
                if isinstance(node, Name) and node.id in later:
                    raise ModelError(
                        f"{each.place}: the value of {each.state} at the start reads {node.id}, which is assigned "
                        "later; put that first"
                    )
            what, text = f"OnStart, {each.state}", self._texts[each.state]
            found[each.state] = self._checked(tree, self._units[each.state], each.place, what, text=text).text
        return found

    def _without_lines(self, tree: Node, place: Place) -> Node:
        """A tree that reads no lines."""
        for _ in range(len(self._draft.lines) + 1):
            read = names_in(tree) & self._draft.lines.keys()
            if not read:
                return tree
            tree = substituted(tree, {name: self._draft.lines[name] for name in read})
            if sum(1 for _ in walk(tree)) > _MOST_PARTS:
                break
        raise ModelError(f"{place}: a value at the start reads derived variables that are cyclic, or too large")


def _assigned(happening: Happening) -> set[str]:
    return {each.state for each in happening.made}
