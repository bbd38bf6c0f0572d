"""A model as a LEMS component type and a component of it, which NeuroML's tools read.

Every text that is written is read again, and must give the same model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from izhigen.derive.canonical import canonical_form
from izhigen.errors import DerivationError, IzhigenError, ModelError, shown
from izhigen.exporters.lems_file import lems_text
from izhigen.exporters.lems_text import binary
from izhigen.importers import neuroml
from izhigen.importers.lems.expressions import rebuilt, substituted
from izhigen.importers.lems.happenings import PERIOD
from izhigen.importers.trees import written
from izhigen.model.events import DeclaredEvent
from izhigen.model.expressions import OLD, Binary, Call, Expression, Moment, Name, Node, children
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.model import Declaration
from izhigen.units.dimensions import unit_of_text

D = TypeVar("D", bound=Declaration)
SUFFIX = ".xml"
_OF_LEMS = frozenset(("id", "name", "type", "extends", "metaid", "neuroLexId", "notes", "annotation", "property"))
_WORDS = frozenset(("H", "ln", "ceil", "sum", "product", "random", "factorial", "mod"))


def write(model: Declaration) -> str:
    """The text of a LEMS file with the model.

    Raises
    ------
    ModelError
        What LEMS cannot say: noise, what arrives, currents that a step holds, a missing unit; by name.
    """
    _refuse(model)
    try:
        text = lems_text(_prepared(model))
        path = Path(model.name, f"LEMS_{model.name}{SUFFIX}")  # beside which no file lies that it could include
        again = neuroml.read(text, path, model.name, type(model)).model
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


# -- what LEMS has no word for ----------------------------------------------------------------------------------------


def _refuse(model: Declaration) -> None:
    held = [current for current in model.currents if model.is_held(current)]
    parts = (
        (model.noise, "noise", "take with_noise() away"),
        (model.on_event, "what arrives (on_event)", "declare the synapse as a component of its own"),
        (held, "a current that is held during a step", "add it with held=False, as part of the equation"),
    )
    for part, what, hint in parts:
        if part:
            raise ModelError(f"model {model.name!r} has {what}, which the target neuroml cannot say; {hint}")
    for name in (*model.parameters, *model.inputs, *(e.name for e in model.equations)):
        if name in _OF_LEMS | _WORDS:
            raise ModelError(f"model {model.name!r}: {shown(name)} means something else in LEMS; rename it")
    for where, expression in _expressions(model):
        for name in ("dt", LAST_SPIKE):
            if name in expression.names:
                raise ModelError(f"{where}: LEMS has no {name}; write it without")
    states = {*model.states}
    lines = {e.name for e in model.equations if not e.is_ode and model.reads([e.name]) & states}
    for event in model.events:
        for where, expression in event.expressions:
            _refuse_before(where, expression.tree, lines, states)
    _refuse_start(model)


def _expressions(model: Declaration) -> Iterator[tuple[str, Expression]]:
    for equation in model.equations:
        yield equation.where, equation.expression
    for number, current in enumerate(model.currents, start=1):
        yield f"current {number}", current.expression
    for event in model.events:
        yield from event.expressions
    for state, value in model.initial.items():
        yield f"initial value of {state}", value


def _refuse_before(where: str, node: Node, lines: set[str], states: set[str]) -> None:
    """Refuse what a line would have to say of states after a step: LEMS computes lines before it."""
    if isinstance(node, Moment) and node.which == OLD:
        return
    if isinstance(node, Name) and node.id in lines:
        what, hint = node.id, f"write its expression, or old({node.id})"
    elif isinstance(node, Call) and node.function == "where":
        if not _names_after(node) & (states | lines):
            return
        what, hint = "where(...)", "write it without, or of old(...)"
    else:
        for part in children(node):
            _refuse_before(where, part, lines, states)
        return
    raise ModelError(f"{where}: LEMS computes {what} before a step, and an event is looked at after it; {hint}")


def _names_after(tree: Node) -> set[str]:
    """The names that are read outside ``old(...)``."""
    if isinstance(tree, Moment) and tree.which == OLD:
        return set()
    return {tree.id} if isinstance(tree, Name) else {name for part in children(tree) for name in _names_after(part)}


def _refuse_start(model: Declaration) -> None:
    """Refuse neurons that are refractory at the start: in LEMS a regime is initial whatever the time."""
    for state, value in model.initial.items():
        if state in model.gradient_states:
            continue
        if state != LAST_SPIKE or value.names:
            raise ModelError(f"initial value of {state}: LEMS has none for it; take it away")
        if -float(value.evaluate({})) <= model.parameters.get(PERIOD, 0.0):
            raise ModelError(f"initial value of {state}: neurons of LEMS are not refractory at the start; take it away")


def _prepared(model: D) -> D:
    """The model with currents, which are part of equations, written into them, and min and max of two arguments."""
    sums: dict[str, Node] = {current.to: Name(current.to) for current in model.currents}
    for number, current in enumerate(model.currents, start=1):
        read = model.replaced(currents=()).reads(current.expression.names) & sums.keys()
        if read:
            raise ModelError(
                f"current {number} reads {', '.join(sorted(read))}, to which currents add; write it without"
            )
        sums[current.to] = Binary("+", sums[current.to], current.expression.tree)

    def change(expression: Expression) -> Expression:
        tree = rebuilt(substituted(expression.tree, sums), binary)
        return Expression(written(tree), tree)

    def changed(event: DeclaredEvent) -> DeclaredEvent:
        made = (replace(each, expression=change(each.expression)) for each in event.assignments)
        return replace(event, condition=change(event.condition), assignments=tuple(made))

    return model.replaced(
        equations=tuple(replace(each, expression=change(each.expression)) for each in model.equations),
        events=tuple(map(changed, model.events)),
        initial=MappingProxyType({state: change(value) for state, value in model.initial.items()}),
        currents=(),
    )
