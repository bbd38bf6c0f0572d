"""Parameter values and initial states of a population, in every form that a user may give them."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError
from izhigen.feeding import Layout
from izhigen.model.model import Declaration

Array = Any


def read_value(name: str, value: Any, layout: Layout, rng: np.random.Generator, dtype: Any) -> float | Array:
    """A number for all neurons, or a flat contiguous array of one number each.

    ``value`` may be a number, an array in the population's shape, or a callable ``f(n, rng)`` that returns one; with a batch axis, an array
    without it serves all batches.
    """
    if callable(value):
        try:
            value = value(int(np.prod(layout.size)), rng)
        except Exception as problem:  # a user's function may raise anything
            raise ValueShapeError(f"{name}: the callable failed with {type(problem).__name__}: {problem}; it is called as f(n, rng) "
                                  "and returns n numbers") from problem
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = float(value)
        with np.errstate(over="ignore"):
            if not np.isfinite(np.dtype(dtype).type(number)):
                raise ValueShapeError(f"{name} = {number} is not finite in {np.dtype(dtype).name}")
        return number
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "iuf" or isinstance(value, bool):
        raise ValueShapeError(f"{name}: {type(value).__name__} is not a number, an array of numbers, or a callable f(n, rng)")
    if array.ndim == 0:
        return read_value(name, float(array), layout, rng, dtype)
    flat = layout.per_neuron(array, dtype)
    if flat is None:
        raise ValueShapeError(f"{name} has shape {array.shape}, but the population has {layout.shape}; give a number or an array of that shape")
    bad = np.flatnonzero(~np.isfinite(flat))
    if len(bad):
        raise ValueShapeError(f"{name} is not finite for neuron {bad[0]} ({flat[bad[0]]})")
    return flat


def initial_states(model: Declaration, given: Mapping[str, float | Array], parameters: Mapping[str, Any], count: int) -> dict[str, Array]:
    """Float64 arrays of every state variable: given values, else the model's initial expressions, else 0.

    An initial expression may read parameters and other states (their initial values).
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
        with np.errstate(all="ignore"):
            values[state] = expression.evaluate(values)

    states = {}
    for state in model.states:
        resolve(state)
        states[state] = np.array(np.broadcast_to(np.asarray(values[state], dtype=np.float64), (count,)))
        bad = np.flatnonzero(~np.isfinite(states[state]))
        if len(bad):
            raise ValueShapeError(f"the initial value of {state!r} is not finite for neuron {bad[0]} ({states[state][bad[0]]}); "
                                  f"check {expression_of(model, state)}")
    return states


def in_type(what: str, values: Array, dtype: Any) -> Array:
    """The values in the kernel's type, in which they must be finite."""
    with np.errstate(over="ignore"):
        converted = values.astype(dtype)
    bad = np.flatnonzero(~np.isfinite(converted))
    if len(bad):
        raise ValueShapeError(f"{what} is not finite in {np.dtype(dtype).name} for neuron {bad[0]} ({values[bad[0]]})")
    return converted


def expression_of(model: Declaration, state: str) -> str:
    """The model's initial expression of a state, for messages."""
    expression = model.initial.get(state)
    return f"its expression {expression.text!r}" if expression is not None else "the value given"
