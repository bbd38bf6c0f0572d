"""What a declaration means, free of how it was written: two models are equal when these are."""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.lowering import Moments, lower, moments_of, symbol
from izhigen.model.events import Assignment
from izhigen.model.expressions import Expression
from izhigen.model.model import Declaration


def _meaning(expression: Expression, where: str, moments: Moments | None = None) -> Any:
    """The SymPy value, with every comparison written in one direction, and none denied."""
    value = lower(expression, where, moments=moments)
    value = value.xreplace({denied: sp.to_nnf(denied, simplify=False) for denied in value.atoms(sp.Not)})
    return value.xreplace(
        {
            r: r.reversed
            for r in value.atoms(sp.core.relational.Relational)
            if sp.default_sort_key(r.lhs) > sp.default_sort_key(r.rhs)
        }
    )


def canonical_form(model: Declaration) -> tuple[Any, ...]:
    """SymPy values of every part, with names; units, descriptions and the writing of equations play no part."""
    names = [symbol(name) for name in (*model.states, *(e.name for e in model.equations))]
    moments = moments_of(names, names)  # lines are not inlined here, and stand within old() as they are
    return (
        model.name,
        model.inputs,
        tuple(sorted(model.parameters.items())),
        model.liquid,
        _refractory(model),
        tuple((e.name, e.is_ode, _meaning(e.expression, e.where)) for e in model.equations),
        tuple(
            (e.name, model.trigger_of(e), _meaning(e.condition, e.where, moments), _assigned(e.assignments, moments))
            for e in model.events
        ),
        tuple((name, _assigned(assignments, moments)) for name, assignments in model.on_event.items()),
        tuple((c.to, model.is_held(c), _meaning(c.expression, "current")) for c in model.currents),
        tuple((n.state, _meaning(n.amplitude, "noise")) for n in model.noise),
        tuple((state, _meaning(value, "initial value")) for state, value in model.initial.items()),
    )


def _assigned(assignments: tuple[Assignment, ...], moments: Moments) -> tuple[Any, ...]:
    """By state: all are made at the same time, and what ``new()`` reads is told by its name."""
    by_state = sorted(assignments, key=lambda each: each.state)
    return tuple((a.state, _meaning(a.expression, "assignment", moments)) for a in by_state)


def _refractory(model: Declaration) -> Any:
    refractory = model.refractory
    if refractory is None or refractory.until is None:
        return refractory
    return refractory.states, _meaning(refractory.until, "until")
