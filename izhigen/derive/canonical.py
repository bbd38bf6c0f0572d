"""What a declaration means, free of how it was written: two models are equal when these are."""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.derive.lowering import lower
from izhigen.model.expressions import Expression
from izhigen.model.model import Declaration


def _meaning(expression: Expression, where: str) -> Any:
    """The SymPy value, with every comparison written in one direction."""
    value = lower(expression, where)
    return value.xreplace(
        {
            r: r.reversed
            for r in value.atoms(sp.core.relational.Relational)
            if sp.default_sort_key(r.lhs) > sp.default_sort_key(r.rhs)
        }
    )


def canonical_form(model: Declaration) -> tuple[Any, ...]:
    """SymPy values of every part, with names; units, descriptions and the writing of equations play no part."""
    return (
        model.name,
        model.inputs,
        tuple(sorted(model.parameters.items())),
        model.liquid,
        model.refractory,
        tuple((e.name, e.is_ode, _meaning(e.expression, e.where)) for e in model.equations),
        None if model.threshold is None else _meaning(model.threshold, "threshold"),
        tuple((r.state, _meaning(r.expression, "reset")) for r in model.reset),
        tuple((c.to, _meaning(c.expression, "current")) for c in model.currents),
        tuple((n.state, _meaning(n.amplitude, "noise")) for n in model.noise),
        tuple((state, _meaning(value, "initial value")) for state, value in model.initial.items()),
    )
