"""Initial states of a model's neurons, from values that are given and the model's expressions."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, shown
from izhigen.memory.space import namespace, on_host
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.model import Declaration

Array = Any
NEVER_SPIKED = -1e7
"""``t_last_spike`` of a neuron that has not spiked, in ms (BrainPy's value)."""


def initial_states(
    model: Declaration, given: Mapping[str, float | Array], parameters: Mapping[str, Any], dtype: Any
) -> dict[str, Array]:
    """Every state variable's value, a number or one a neuron: the given one, the model's initial expression, or 0.

    An initial expression may read parameters and other states (their initial values), and is evaluated in double
    precision where it can be.
    """
    values: dict[str, Any] = {**parameters, **given}

    def resolve(state: str) -> None:
        if state in values:
            return
        expression = model.initial.get(state)
        if expression is None:
            values[state] = 0.0
            return
        for other in expression.names:
            if other in model.states:
                resolve(other)
        with np.errstate(all="ignore"):  # on the host: its functions are not all a device's
            values[state] = expression.evaluate(
                {name: on_host(values[name]) for name in expression.names if name in values}
            )

    for state in model.states:
        resolve(state)
    return {state: _in_type(model, state, values[state], dtype) for state in model.states}


def initial_last_spike(model: Declaration, parameters: Mapping[str, Any]) -> float | Array:
    """``t_last_spike`` at time 0, a number or one a neuron: by the model's initial expression, else long ago."""
    expression = model.initial.get(LAST_SPIKE)
    if expression is None:
        return NEVER_SPIKED
    return expression.evaluate({name: on_host(parameters[name]) for name in expression.names if name in parameters})


def _in_type(model: Declaration, state: str, value: Any, dtype: Any) -> Array:
    """An initial value in the kernel's type, in which it must be finite."""
    number = np.float64(value) if isinstance(value, numbers.Real) else value
    xp = namespace(number) if number.ndim else np
    with np.errstate(over="ignore"):
        converted = number.astype(dtype)
    bad = xp.flatnonzero(~xp.isfinite(converted))
    if len(bad):
        neuron = int(bad[0])
        given = float(number.reshape(-1)[neuron])
        why = f"too large for {np.dtype(dtype).name}" if np.isfinite(given) else "not finite"
        raise ValueShapeError(
            f"the initial value of {shown(state)} is {why} for neuron {neuron} ({given}); check "
            f"{expression_of(model, state)}"
        )
    return converted


def expression_of(model: Declaration, state: str) -> str:
    """The model's initial expression of a state, for messages."""
    expression = model.initial.get(state)
    return f"its expression {shown(expression.text)}" if expression is not None else "the value given"
