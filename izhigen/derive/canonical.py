"""What a declaration means, free of how it was written: two models are equal when these are."""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.lowering import lower, moments_of, symbol
from izhigen.model.events import Assignment
from izhigen.model.expressions import Expression
from izhigen.model.model import Declaration


class _Meaning:
    """SymPy values of a model's expressions."""

    def __init__(self, model: Declaration) -> None:
        names = [symbol(name) for name in (*model.states, *(e.name for e in model.equations))]
        self._moments = moments_of(names, names)  # lines are not inlined here, and stand within old() as they are
        self._inputs: dict[str, Any] = {}
        for current in model.currents:
            if not model.is_held(current):  # it is part of all that reads the input
                sum_of_input = self._inputs.get(current.to, symbol(current.to))
                self._inputs[current.to] = sum_of_input + lower(current.expression, "current")

    def of(self, expression: Expression, where: str) -> Any:
        """The value of an expression, with every comparison written in one direction, and none denied."""
        return _straightened(lower(expression, where, self._inputs, self._moments))

    def assigned(self, assignments: tuple[Assignment, ...]) -> tuple[Any, ...]:
        """What is assigned to each state, by state: all are made at the same time."""
        by_state = sorted(assignments, key=lambda each: each.state)
        return tuple((a.state, self.of(a.expression, "assignment")) for a in by_state)


def _straightened(value: Any) -> Any:
    value = value.xreplace({denied: sp.to_nnf(denied, simplify=False) for denied in value.atoms(sp.Not)})
    return value.xreplace(
        {
            r: r.reversed
            for r in value.atoms(sp.core.relational.Relational)
            if sp.default_sort_key(r.lhs) > sp.default_sort_key(r.rhs)
        }
    )


def canonical_form(model: Declaration) -> tuple[Any, ...]:
    """SymPy values of every part, with names; units, descriptions and the writing of equations play no part, nor does
    whether a current is added to an input or stands in the equation that reads it.
    """
    meaning = _Meaning(model)
    held = [current for current in model.currents if model.is_held(current)]
    return (
        model.name,
        model.inputs,
        tuple(sorted(model.parameters.items())),
        model.liquid,
        _refractory(model, meaning),
        tuple((e.name, e.is_ode, meaning.of(e.expression, e.where)) for e in model.equations),
        tuple(
            (e.name, model.trigger_of(e), meaning.of(e.condition, e.where), meaning.assigned(e.assignments))
            for e in model.events
        ),
        tuple((name, meaning.assigned(assignments)) for name, assignments in model.on_event.items()),
        tuple((c.to, _straightened(lower(c.expression, "current"))) for c in held),
        tuple((n.state, meaning.of(n.amplitude, "noise")) for n in model.noise),
        tuple((state, meaning.of(value, "initial value")) for state, value in sorted(model.initial.items())),
    )


def _refractory(model: Declaration, meaning: _Meaning) -> Any:
    refractory = model.refractory
    if refractory is None or refractory.until is None:
        return refractory
    return refractory.states, meaning.of(refractory.until, "until")
