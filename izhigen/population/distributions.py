"""Values that are drawn neuron by neuron: ``model.population(10**9, a=iz.distributions.normal(0.02, 0.002))``.

A callable ``f(n, rng)`` draws for a whole population at once, so one machine must be able to. The number that these
give a neuron depends on the seed, the name of what is drawn and the neuron's index alone, and so can be drawn wherever
the neuron is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from izhigen.backends.random import random_words
from izhigen.errors import ValueShapeError, shown
from izhigen.inputs.drawing import stream_of
from izhigen.population.checks import check_first_index
from izhigen.scalars import read_finite

Array = Any

AT_ONCE = 1 << 16
"""Numbers drawn at once."""
MOST_TRIES = 1000
"""How often a number is drawn again that is outside its bounds."""
PART = 0x40000000
"""Added to the last word of the counter, which tells these draws from those of kernels."""


@dataclass(frozen=True)
class Distribution:
    """A distribution of the values of a parameter or of an initial state over neurons.

    Attributes
    ----------
    kind : {"uniform", "normal", "lognormal"}
    arguments : tuple of (str, float)
    first_index : int
        Index of the neuron that gets the first number.
    """

    kind: str
    arguments: tuple[tuple[str, float], ...]
    first_index: int = 0

    def begin_at(self, first_index: int) -> Distribution:
        """The same, whose first number is that of another neuron."""
        return replace(self, first_index=check_first_index(first_index))

    def draw(self, n: int, seed: int, name: str) -> Array:
        """The numbers of ``n`` neurons, shape (n,), float64, for the value of that name."""
        found = np.empty(n)
        for start in range(0, n, AT_ONCE):
            part = found[start : start + AT_ONCE]
            part[:] = self._draw(np.arange(len(part)) + (self.first_index + start), seed ^ stream_of(f"value {name}"))
        return found

    def _draw(self, neurons: Array, key: int) -> Array:
        numbers = dict(self.arguments)
        low, high = numbers.pop("low"), numbers.pop("high")
        if self.kind == "uniform":
            return low + (high - low) * _uniform(neurons, key, 0)[0]
        values, left = np.empty(len(neurons)), np.arange(len(neurons))
        for attempt in range(MOST_TRIES):
            drawn = numbers["mean"] + numbers["std"] * _normal(neurons[left], key, attempt)
            with np.errstate(over="ignore"):  # infinite numbers are refused where they are used
                values[left] = np.exp(drawn) if self.kind == "lognormal" else drawn
            left = left[~((values[left] >= low) & (values[left] <= high))]
            if not len(left):
                return values
        raise ValueShapeError(f"{self}: hardly any number is between low and high; widen them")

    def __str__(self) -> str:
        told = (f"{name}={value:g}" for name, value in self.arguments if math.isfinite(value))
        return f"{self.kind}({', '.join(told)})"


def _uniform(neurons: Array, key: int, attempt: int) -> Array:
    """Two rows of numbers from 0 to below 1 with 53 bits."""
    first = int(neurons[0])
    words = random_words(key, first, int(neurons[-1]) - first + 1, attempt, attempt, PART)[:, 0, neurons - first]
    pairs = words.astype(np.uint64)
    return ((pairs[0::2] << np.uint64(32) | pairs[1::2]) >> np.uint64(11)) * 2.0**-53


def _normal(neurons: Array, key: int, attempt: int) -> Array:
    """Standard normal numbers by Box and Muller (1958)."""
    radius, angle = _uniform(neurons, key, attempt)
    return np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2.0 * np.pi * angle)


def uniform(low: float, high: float) -> Distribution:
    """Numbers from ``low`` to ``high``, each as likely.

    Raises
    ------
    ValueShapeError
        For what is no finite number, and where ``low`` is not below ``high``.
    """
    return _made("uniform", low=read_finite(low, "low"), high=read_finite(high, "high"))


def normal(mean: float, std: float, *, low: float | None = None, high: float | None = None) -> Distribution:
    """Normally distributed numbers; those below ``low`` or above ``high`` are drawn again.

    Raises
    ------
    ValueShapeError
        For what is no finite number, a ``std`` below 0, and where ``low`` is not below ``high``.
    """
    return _made("normal", mean=read_finite(mean, "mean"), std=_deviation(std), low=_bound(low, -1), high=_bound(high))


def lognormal(mean: float, std: float, *, low: float | None = None, high: float | None = None) -> Distribution:
    """Numbers whose logarithm is normally distributed, with mean and standard deviation of the logarithm, as in
    ``numpy.random.Generator.lognormal``; those below ``low`` or above ``high`` are drawn again.

    Raises
    ------
    ValueShapeError
        As :func:`normal`.
    """
    about: dict[str, float] = {"mean": read_finite(mean, "mean"), "std": _deviation(std)}
    return _made("lognormal", **about, low=_bound(low, -1), high=_bound(high))


def _deviation(std: Any) -> float:
    number = read_finite(std, "std")
    if number < 0:
        raise ValueShapeError(f"std = {shown(std)} is below 0")
    return number


def _bound(value: float | None, sign: int = 1) -> float:
    return sign * math.inf if value is None else read_finite(value, "low" if sign < 0 else "high")


def _made(kind: str, **numbers: float) -> Distribution:
    width = numbers["high"] - numbers["low"]
    if not width > 0 or (kind == "uniform" and math.isinf(width)):
        raise ValueShapeError(f"{kind}: low = {numbers['low']:g} is not below high = {numbers['high']:g}")
    return Distribution(kind, tuple(numbers.items()))


KINDS: dict[str, Callable[..., Distribution]] = {"uniform": uniform, "normal": normal, "lognormal": lognormal}


def distribution_document(value: Distribution) -> list[Any]:
    """A distribution as data fit for JSON."""
    return [value.kind, {name: number for name, number in value.arguments if math.isfinite(number)}, value.first_index]


def read_distribution(document: list[Any]) -> Distribution:
    """The distribution of a document; checked as what a user gives."""
    kind, numbers, first_index = document
    return KINDS[kind](**numbers).begin_at(first_index)


__all__ = ["Distribution", "lognormal", "normal", "uniform"]
