"""What izhigen's own files say beyond LEMS; other files have none of it.

Two texts of the component say what LEMS has no word for: :data:`UNITS`, which names all that the model has, and
:data:`LIQUID`. What a component with units declares besides serves to say the model in LEMS, and is taken back:

- a constant is the unit of a number, as in ``40 * mV``;
- a line ``start_V`` is what V is at the start, for others that read it there;
- another line is part of those that read it;
- a state ``old_V`` is V at the step's start, which a condition that always holds keeps for the next step;
- a state ``was_spike`` says whether the condition of that event held at the step's start: the event is a rising one;
- functions that LEMS has not are written with those that it has, as in :data:`FORMS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from izhigen.errors import ModelError, shown
from izhigen.importers.lems.draft import Draft, Happening
from izhigen.importers.lems.elements import Element
from izhigen.importers.lems.expressions import rebuilt, substituted
from izhigen.importers.trees import size_of
from izhigen.model.expressions import (
    OLD,
    Call,
    Compare,
    Logical,
    Moment,
    Name,
    Node,
    Number,
    children,
    parse_expression,
)
from izhigen.units.names import check_unit

UNITS = "izhigen_units"
"""The names of the model with their units, as ``"V: mV; I: nA"``."""
LIQUID = "izhigen_liquid"
"""``"true"`` where the model has a liquid time constant."""
MOST_PARTS = 20_000
"""Most parts of all expressions together, with lines put in."""

FORMS: Mapping[str, Node] = {
    name: substituted(parse_expression(text, name).tree, {})
    for name, text in {
        "min": "(a + b - abs(a - b))/2",
        "max": "(a + b + abs(a - b))/2",
        "sign": "a/(abs(a) + 0**abs(a))",
        "heaviside": "(1 + sign(a) + 0**abs(a))/2",
        "exprel": "(exp(a) - 1 + 0**abs(a))/(a + 0**abs(a))",
        "expm1": "-(1 - exp(a))",
        "log1p": "log(-(-1 - a))",
    }.items()
}
"""Functions that LEMS has not, by those that it has; ``0**abs(a)`` is 1 at 0, and else 0. None is as one would write it
by oneself, so that what was written by oneself stays.
"""


def start_name(state: str) -> str:
    """The line that is what a state is at the start."""
    return f"start_{state}"


def old_name(state: str) -> str:
    """The state that keeps another's value at the step's start."""
    return f"old_{state}"


def flag_name(event: str) -> str:
    """The state that remembers whether the condition of a rising event holds."""
    return f"was_{event}"


def is_unset(flag: str) -> Node:
    """That a flag is not set."""
    return Compare("<", Name(flag), Number(Fraction(1, 2)))


def own_units(element: Element) -> dict[str, str]:
    """The names and units that a text by izhigen states; nothing for other components.

    Raises
    ------
    ModelError
        Text of another kind.
    """
    found = {}
    for part in filter(None, (part.strip() for part in element.get(UNITS).split(";"))):
        name, colon, unit = part.partition(":")
        if not colon:
            raise ModelError(f"{element.place}: {UNITS} is text such as 'V: mV; I: nA', not {shown(part)}")
        found[name.strip()] = check_unit(unit, f"{element.place}, {UNITS}")
    return found


def apply_marks(draft: Draft, element: Element, helpers: Mapping[str, str], prefix: str) -> None:
    """Make of the draft of a component what izhigen has written it for.

    Parameters
    ----------
    draft : Draft
    element : Element
        The component.
    helpers : mapping
        Names in the draft of what is not among the names of the component's model, and what they are called in it.
    prefix : str
        What stands before its names in the draft.

    Raises
    ------
    ModelError
        Parts that serve no purpose.
    """
    for line in [each for each in draft.lines if each in helpers]:
        if helpers[line].startswith(start_name("")):
            _read_start(draft, line, prefix + helpers[line].removeprefix(start_name("")), element)
        else:
            _inline(draft, line, element)
    _change(draft, lambda tree: rebuilt(tree, _called))
    for state in [each for each in draft.rates if each in helpers]:
        name = helpers[state]
        if name.startswith(old_name("")):
            _read_old(draft, state, prefix + name.removeprefix(old_name("")), element)
        elif name.startswith(flag_name("")):
            _make_rising(draft, state, prefix + name.removeprefix(flag_name("")), element)
        elif not prefix:  # within another component a refractory regime keeps its time
            raise _misfit(state, element)


def _change(draft: Draft, change: Callable[[Node], Node]) -> None:
    """Change every expression of a draft."""
    draft.lines = {name: change(tree) for name, tree in draft.lines.items()}
    draft.rates = {name: change(tree) for name, tree in draft.rates.items()}
    draft.start = [replace(each, value=change(each.value)) for each in draft.start]
    draft.happenings = [
        replace(
            each,
            condition=change(each.condition),
            made=tuple(replace(one, value=change(one.value)) for one in each.made),
        )
        for each in draft.happenings
    ]


def _misfit(name: str, element: Element) -> ModelError:
    return ModelError(
        f"{element.place}: {shown(name)} is not among the names of {UNITS}, and says none of them in LEMS; "
        "add it there with its unit"
    )


# -- lines ------------------------------------------------------------------------------------------------------------


def _read_start(draft: Draft, line: str, state: str, element: Element) -> None:
    """Read a state in the place of a line that is what it is at the start."""
    tree = draft.lines.pop(line)
    if [each.value for each in draft.start if each.state == state] != [Name(line)]:
        raise _misfit(line, element)
    draft.start = [replace(each, value=tree) if each.state == state else each for each in draft.start]
    _change(draft, lambda each: substituted(each, {line: Name(state)}))


def _inline(draft: Draft, line: str, element: Element) -> None:
    """Put a line's expression where it is read."""
    names = {line: draft.lines.pop(line)}
    _change(draft, lambda each: substituted(each, names))
    left = MOST_PARTS
    for each in (*draft.lines.values(), *draft.rates.values(), *(each.value for each in draft.start)):
        left -= size_of(each, left)
        if left < 0:
            raise ModelError(f"{element.place}: lines that are put into others make them too large")


def _called(node: Node) -> Node:
    """A node, or the call of a function that it has the form of."""
    for function, form in FORMS.items():
        found: dict[str, Node] = {}
        if _fits(form, node, found):
            return Call(function, tuple(found[name] for name in sorted(found)))
    return node


def _fits(form: Node, tree: Node, found: dict[str, Node]) -> bool:
    """Whether a tree has a form, whose names stand for any part, the same in all places."""
    if isinstance(form, Name):
        return found.setdefault(form.id, tree) == tree
    if type(form) is not type(tree):
        return False
    if isinstance(form, Number):
        return form == tree
    of_form, parts = children(form), children(tree)
    return (
        _kind(form) == _kind(tree)
        and len(of_form) == len(parts)
        and all(_fits(one, other, found) for one, other in zip(of_form, parts))
    )


def _kind(node: Node) -> str:
    """The operator or function of a node."""
    return node.function if isinstance(node, Call) else str(getattr(node, "operator", ""))


# -- states -----------------------------------------------------------------------------------------------------------


def _drop(draft: Draft, state: str, happenings: list[Happening]) -> None:
    """Take a state away, and the happenings that assign it alone."""
    del draft.rates[state]
    draft.start = [each for each in draft.start if each.state != state]
    draft.happenings = [each for each in happenings if [one.state for one in each.made] != [state]]


def _read_old(draft: Draft, state: str, of: str, element: Element) -> None:
    """Read a state at the step's start in the place of the one that keeps its value."""
    kept = [one.value for each in draft.happenings for one in each.made if one.state == state]
    if of not in draft.rates or kept != [Name(of)]:
        raise _misfit(state, element)
    _drop(draft, state, draft.happenings)
    _change(draft, lambda tree: substituted(tree, {state: Moment(OLD, Name(of))}))


def _make_rising(draft: Draft, state: str, event: str, element: Element) -> None:
    """Make an event a rising one, without the state that remembers its condition."""
    unset = is_unset(state)
    for number, each in enumerate(draft.happenings):
        condition = _without(each.condition, unset) if each.name == event else None
        if condition is not None:
            others = (*draft.happenings[:number], *draft.happenings[number + 1 :])
            rising = replace(each, condition=condition, trigger="rising")
            return _drop(draft, state, [*others[:number], rising, *others[number:]])
    raise _misfit(state, element)


def _without(condition: Node, part: Node) -> Node | None:
    """A condition of several parts without one of them."""
    if not isinstance(condition, Logical) or condition.operator != "and" or part not in condition.operands:
        return None
    left = tuple(each for each in condition.operands if each != part)
    return left[0] if len(left) == 1 else Logical("and", left)
