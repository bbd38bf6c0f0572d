"""How a population's arrays are laid out: shape, number type and memory; and its neurons by their flat indices."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, first_line, shown
from izhigen.memory.space import HOST, Space, fetch, is_on_device, namespace, refuse_masked
from izhigen.scalars import is_endless, refuse_unit

Array = Any
MOST_NEURONS = 1 << 40
"""Most neurons of one population."""


@dataclass(frozen=True)
class Layout:
    """The shape of a population (``size`` axes after an optional batch axis), its number type, and where arrays lie."""

    size: tuple[int, ...]
    batch: int | None
    dtype: Any
    space: Space = field(default=HOST, compare=False)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state array."""
        return self.size if self.batch is None else (self.batch, *self.size)

    @cached_property
    def count(self) -> int:
        """Neurons, those of all batches together."""
        return math.prod(self.shape)

    def read(self, value: Any) -> Array:
        """An array that lies with the population's as it is, another as NumPy reads it; of objects where it cannot."""
        here = self.space.adopt(value)
        if here is not None:
            return here
        if is_endless(value):
            return np.empty(0, dtype=object)
        try:
            return np.asarray(value)
        except Exception:  # ragged lists, tracers, tensors without data: each library has errors of its own
            return np.empty(0, dtype=object)

    def per_neuron(self, value: Any, dtype: Any = None) -> Array | None:
        """A value of a shape that means "per neuron", as a flat array (of the kernel's type by default), or None."""
        if value.shape not in (self.size, self.shape, (int(np.prod(self.size)),)):
            return None
        xp = namespace(value)
        spread = xp.broadcast_to(value.reshape(self.size) if value.shape != self.shape else value, self.shape)
        if xp is not np:  # what lies on a device is shared, as far as its type and order allow
            return xp.ascontiguousarray(spread, dtype=dtype or self.dtype).reshape(-1)
        with np.errstate(over="ignore"):  # what overflows the type becomes infinite, and is refused as such
            return np.array(spread, dtype=dtype or self.dtype, order="C").reshape(-1)


def check_neurons(neurons: Any, count: int) -> tuple[Array, Array]:
    """Chosen neurons as given, and the order that sorts them."""
    if neurons is None:
        return None, None
    chosen = read_neurons(neurons, count)
    if len(np.unique(chosen)) != len(chosen):
        raise ValueShapeError("neurons: an index occurs twice")
    return chosen, np.argsort(chosen)


def read_neurons(neurons: Any, count: int) -> Array:
    """Flat indices of neurons below a count, from a number, a list, a range, a slice or a mask; int64."""
    refuse_unit(neurons, "neurons")
    refuse_masked("neurons", neurons)
    if isinstance(neurons, range):  # looked at by its ends: it may be longer than any memory
        for end in (neurons[0], neurons[-1]) if len(neurons[:1]) else ():
            if not 0 <= end < count:
                raise ValueShapeError(f"neurons: index {shown(end)} is outside 0 ... {count - 1}")
    try:
        chosen = np.atleast_1d(np.asarray(fetch(neurons) if is_on_device(neurons) else neurons))
    except Exception as problem:  # ragged lists, and what other libraries refuse to hand over
        raise ValueShapeError(
            f"neurons={shown(neurons)} is not a list of neuron indices ({first_line(problem)})"
        ) from None
    if isinstance(neurons, slice):
        chosen = np.arange(count)[neurons]
    if chosen.dtype.kind == "b" and chosen.size == count:
        chosen = np.flatnonzero(chosen)
    if chosen.size == 0:
        chosen = chosen.astype(np.int64)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise ValueShapeError(f"neurons={shown(neurons)} is not a list of neuron indices")
    outside = chosen[(chosen < 0) | (chosen >= count)]  # before they are made int64, in which 2**64 - 1 is -1
    chosen = chosen.astype(np.int64)
    if len(outside):
        raise ValueShapeError(f"neurons: index {outside[0]} is outside 0 ... {count - 1}")
    return chosen
