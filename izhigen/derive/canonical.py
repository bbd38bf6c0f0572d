"""What a declaration means, free of how it was written: two models are equal when these are."""

from __future__ import annotations

from typing import Any

from izhigen.derive.lowering import lower
from izhigen.model.model import Declaration


def canonical_form(model: Declaration) -> tuple[Any, ...]:
    """SymPy values of every part, with names; units, descriptions and the writing of equations play no part."""
    return (
        model.name, model.inputs, tuple(sorted(model.parameters.items())), model.liquid, model.refractory,
        tuple((e.name, e.is_ode, lower(e.expression, e.where)) for e in model.equations),
        None if model.threshold is None else lower(model.threshold, "threshold"),
        tuple((r.state, lower(r.expression, "reset")) for r in model.reset),
        tuple((c.to, lower(c.expression, "current")) for c in model.currents),
        tuple((n.state, lower(n.amplitude, "noise")) for n in model.noise),
        tuple((state, lower(value, "initial value")) for state, value in model.initial.items()),
    )
