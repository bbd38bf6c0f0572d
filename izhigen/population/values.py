"""Parameter values and initial states of a population, in every form that a user may give them."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.memory.layout import Layout
from izhigen.memory.space import namespace, refuse_gradient, refuse_masked
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.initial import initial_last_spike, initial_states
from izhigen.model.model import Declaration
from izhigen.population.distributions import Distribution
from izhigen.scalars import carries_unit, read_real, real_numbers, too_large
from izhigen.units.quantities import plain

Array = Any
Value = ArrayLike | Callable[[int, np.random.Generator], ArrayLike] | Distribution
"""A parameter's value or an initial state: a number, an array in the population's shape, a callable of the number of
neurons and a generator that is seeded by the population's seed and the name, or a distribution of ``iz.distributions``.
"""


def times_of(model: Declaration) -> set[str]:
    """Times that are compared with each other, kept in float64 whatever the kernel's type."""
    return ({LAST_SPIKE} if model.keeps_last_spike else set()) | ({"tau_ref"} if model.is_held_for_a_time else set())


def check_value_names(model: Declaration, values: Mapping[str, Any]) -> None:
    """Every value given must be that of a parameter or of a state."""
    known = (*model.parameters, *model.states, *([LAST_SPIKE] if model.keeps_last_spike else []))
    for name in values:
        if name in model.inputs:
            raise ValueShapeError(
                f"{shown(name)} is an input of model {model.name!r}: give it to run({name}=...) or step({name}=...)"
            )
        if name not in known:
            raise ValueShapeError(
                f"model {model.name!r} has no parameter or state {shown(name)}{suggest(name, known)} "
                f"(parameters: {', '.join(model.parameters)}; states: {', '.join(model.states)})"
            )


def value_of(model: Declaration, name: str, value: Any, layout: Layout, seed: int) -> float | Array:
    """The checked value of a parameter or state (:func:`read_value`); callables and distributions draw by the seed and
    its name.
    """
    if isinstance(value, Distribution):
        value = value.draw(math.prod(layout.size), seed, name)
    if callable(value):
        value = _drawn(name, value, layout, np.random.default_rng([seed, *name.encode()]))
    value = plain(value, model.unit_of(name), name, ValueShapeError)
    found = read_value(name, value, layout, np.float64 if name in times_of(model) else layout.dtype)
    if name == "tau_ref" and model.is_held_for_a_time:
        least = found if isinstance(found, (int, float)) else float(found.min())
        if least < 0:
            raise ValueShapeError(f"tau_ref = {least:g} is negative; a refractory period is a time in ms from 0 on")
    return found


def plain_values(model: Declaration, values: Mapping[str, Any], what: str = "input") -> dict[str, Any]:
    """Values by name, quantities among them as numbers in the unit that the model gives what is called so."""
    found = dict(values)
    for name, value in values.items():
        if carries_unit(value):
            found[name] = plain(value, model.unit_of(name), f"{what} {name}", ValueShapeError)
    return found


def fresh_states(
    model: Declaration, given: Mapping[str, Any], parameters: Mapping[str, Any], layout: Layout, seed: int
) -> dict[str, Array]:
    """Initial states of a layout, and times of last spikes; see :func:`initial_states`."""
    own = {name: value_of(model, name, given[name], layout, seed) for name in model.states if name in given}
    fresh = initial_states(model, own, parameters, layout.dtype)
    if model.keeps_last_spike:
        last = given.get(LAST_SPIKE, initial_last_spike(model, parameters))
        last = value_of(model, LAST_SPIKE, last, layout, seed)
        fresh[LAST_SPIKE] = np.float64(last) if isinstance(last, float) else last
    return fresh


def _drawn(name: str, function: Callable[..., Any], layout: Layout, rng: np.random.Generator) -> Any:
    """What a user's function gives."""
    try:
        return function(math.prod(layout.size), rng)
    except Exception as problem:  # a user's function may raise anything
        raise ValueShapeError(
            f"{name}: the callable failed with {type(problem).__name__}: {problem}; "
            "it is called as f(n, rng) and returns n numbers"
        ) from problem


def read_value(name: str, value: Any, layout: Layout, dtype: Any) -> float | Array:
    """A number for all neurons, or a flat contiguous array of one number each, where the population's arrays lie.

    ``value`` may be a number, or an array in the population's shape; with a batch axis, an array without it serves all
    batches. An array of the right type and order that lies on the population's device is taken as it is.
    """
    refuse_gradient(name, value)
    if isinstance(value, (numbers.Real, Decimal)) and not isinstance(value, bool):
        number = read_real(value, name)
        if too_large(number, dtype):
            raise ValueShapeError(f"{name} = {shown(value)} is too large for {np.dtype(dtype).name}")
        if not np.isfinite(number):
            raise ValueShapeError(f"{name} = {shown(value)} is not finite")
        return number
    refuse_masked(name, value)
    hint = "; give a number, an array of numbers, a callable f(n, rng), or one of iz.distributions"
    array = real_numbers(name, value, layout.read(value), hint)
    if array.ndim == 0:
        return read_value(name, float(array), layout, dtype)
    flat = layout.per_neuron(array, dtype)
    if flat is None:
        raise ValueShapeError(
            f"{name} has shape {array.shape}, but the population has {layout.shape}; "
            "give a number or an array of that shape"
        )
    bad = namespace(flat).flatnonzero(~namespace(flat).isfinite(flat))
    if len(bad):
        exact = layout.per_neuron(array, np.float64)
        given = float((flat if exact is None else exact)[bad[0]])
        why = f"too large for {np.dtype(dtype).name}" if np.isfinite(given) else "not finite"
        raise ValueShapeError(f"{name} is {why} for neuron {int(bad[0])} ({given})")
    return layout.space.send(flat) if isinstance(flat, np.ndarray) else flat
