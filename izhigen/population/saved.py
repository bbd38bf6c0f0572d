"""What a copied or pickled population consists of."""

from __future__ import annotations

import numbers
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from izhigen.memory.layout import Layout
from izhigen.memory.space import fetch, on_host
from izhigen.model.model import Declaration

Array = Any


@dataclass(frozen=True)
class Saved:
    """A population without its kernel.

    Attributes
    ----------
    model : Declaration
    options : mapping
        How it was made: size, dt, method, backend, dtype, threads, seed, batch, device, sharding, steps_per_launch.
    given : mapping
        Parameter values and initial states as they were given, which a reset with another batch axis reads again.
    parameters, state : mapping
        Those in force: a float, or a flat array of one value a neuron.
    spike : array of uint8, shape (n,)
        Who spiked in the last step.
    steps_done : int
        Steps since the last reset.
    first_index : int
        Index of the first neuron in random streams.
    """

    model: Declaration
    options: Mapping[str, Any]
    given: Mapping[str, Any]
    parameters: Mapping[str, float | Array]
    state: Mapping[str, Array]
    spike: Array
    steps_done: int
    first_index: int = 0

    def on_host(self, layout: Layout, read: Callable[[str, Any], float | Array]) -> Saved:
        """The same with NumPy arrays, fit for pickling; a value that is not, as no callable is, becomes its numbers."""
        parameters = {name: on_host(value) for name, value in self.parameters.items()}
        given = {}
        for name, value in self.given.items():
            if _can_be_pickled(value):
                given[name] = value
            else:
                given[name] = as_given(parameters[name] if name in parameters else on_host(read(name, value)), layout)
        state = {name: fetch(values) for name, values in self.state.items()}
        return replace(self, given=given, parameters=parameters, state=state, spike=fetch(self.spike))


def _can_be_pickled(value: Any) -> bool:
    if isinstance(value, (numbers.Real, np.ndarray)):
        return True
    if callable(value):
        return False  # it may be another function, or none, where the pickle is read
    if hasattr(value, "__cuda_array_interface__") or hasattr(value, "__dlpack_device__"):
        return False  # may lie on a device that is not there where it is read
    try:
        pickle.dumps(value)
    except Exception:  # a user's object may raise anything
        return False
    return True


def as_given(value: float | Array, layout: Layout) -> float | Array:
    """Numbers of all neurons as a user would give them: without the batch axis, where all batches have the same."""
    if isinstance(value, (int, float)):
        return value
    values = value.reshape(layout.shape)
    if layout.batch is not None and (values == values[:1]).all():
        values = values[0]
    return values.copy()
