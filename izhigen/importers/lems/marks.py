"""Texts by which izhigen's own files say what LEMS has no word for; other files have none of them.

Each is a <Text> of the component type, whose value stands in the component.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from izhigen.errors import ModelError, shown
from izhigen.importers.lems.draft import Draft, Happening, Made
from izhigen.importers.lems.elements import Element
from izhigen.importers.lems.expressions import substituted
from izhigen.model.expressions import Compare, Logical, Name, Node, Number, walk

UNITS = "izhigen_units"
"""The units that the model has, as ``"V: mV; I: nA"``."""
LIQUID = "izhigen_liquid"
"""``"true"`` where the model has a liquid time constant."""
INLINED = "izhigen_inlined"
"""Derived variables that are parts of other expressions in the model."""
START = "izhigen_start"
"""Constants that are the initial values of states, as numbers of LEMS have no unit."""
RISING = "izhigen_rising"
"""Events that happen where their condition becomes true; the state ``was_<event>`` remembers whether it is."""


MOST_PARTS = 20_000
"""Most parts of all expressions together, with derived variables put in."""


def flag_of(event: str) -> str:
    """The state that remembers whether the condition of a rising event holds."""
    return f"was_{event}"


def is_unset(event: str) -> Node:
    """That the condition of a rising event did not hold."""
    return Compare("<", Name(flag_of(event)), Number(Fraction(1, 2)))


def apply_marks(draft: Draft, element: Element) -> None:
    """Make of a draft what the texts of its component say.

    Raises
    ------
    ModelError
        A text that the component does not fit.
    """
    for name in element.get(INLINED).split():
        _inline(draft, name, element)
        _check_size(draft, element)
    for name in element.get(START).split():
        _start_with(draft, name, element)
    for event in element.get(RISING).split():
        _make_rising(draft, event, element)


def _inline(draft: Draft, name: str, element: Element) -> None:
    """Put a line's expression where it is read."""
    if name not in draft.lines:
        raise _misfit(INLINED, element)
    names = {name: draft.lines.pop(name)}
    draft.lines = {key: substituted(value, names) for key, value in draft.lines.items()}
    draft.rates = {key: substituted(value, names) for key, value in draft.rates.items()}
    draft.start = [_with(each, names) for each in draft.start]
    draft.happenings = [
        replace(
            each,
            condition=substituted(each.condition, names),
            made=tuple(_with(one, names) for one in each.made),
        )
        for each in draft.happenings
    ]


def _check_size(draft: Draft, element: Element) -> None:
    """Refuse what has grown beyond any model that izhigen has written."""
    trees = (*draft.lines.values(), *draft.rates.values(), *(each.value for each in draft.start))
    if sum(1 for tree in trees for _ in walk(tree)) > MOST_PARTS:
        raise _misfit(INLINED, element)


def _start_with(draft: Draft, name: str, element: Element) -> None:
    """Put the number of a constant where a state begins with it, and the state where others read it at the start."""
    state = next((each.state for each in draft.start if each.value == Name(name)), None)
    if state is None or name not in draft.numbers or draft.units[state] != draft.units[name]:
        raise _misfit(START, element)
    number = Number(Fraction(repr(draft.numbers.pop(name))))
    del draft.units[name]
    draft.numbered.add(state)
    draft.start = [
        replace(each, value=number) if each.state == state else _with(each, {name: Name(state)}) for each in draft.start
    ]


def _misfit(mark: str, element: Element) -> ModelError:
    return ModelError(f"{element.place}: {mark}={shown(element.get(mark))} does not fit what the type says")


def _with(made: Made, names: dict[str, Node]) -> Made:
    return replace(made, value=substituted(made.value, names))


def _make_rising(draft: Draft, event: str, element: Element) -> None:
    """Take the state away that remembers a condition, and what sets it."""
    flag = flag_of(event)
    found = next((each for each in draft.happenings if each.name == event), None)
    condition = None if found is None else _without(found.condition, is_unset(event))
    if found is None or condition is None or flag not in draft.rates:
        raise _misfit(RISING, element)
    del draft.rates[flag]
    draft.start = [each for each in draft.start if each.state != flag]
    kept: list[Happening] = []
    for each in draft.happenings:
        if each is found:
            made = tuple(one for one in each.made if one.state != flag)
            kept.append(replace(each, condition=condition, made=made, trigger="rising"))
        elif [one.state for one in each.made] != [flag]:
            kept.append(each)
    draft.happenings = kept


def _without(condition: Node, part: Node) -> Node | None:
    """A condition of two parts without one of them."""
    if not isinstance(condition, Logical) or condition.operator != "and" or part not in condition.operands:
        return None
    left = tuple(each for each in condition.operands if each != part)
    return left[0] if len(left) == 1 else Logical("and", left)
