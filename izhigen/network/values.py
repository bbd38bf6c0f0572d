"""Weights and delays of a connection in every form that a user may give them, and texts of indices and positions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from izhigen.errors import NetworkError, shown, suggest
from izhigen.memory.space import refuse_masked
from izhigen.model.expressions import parse_expression
from izhigen.model.functions import CONSTANTS
from izhigen.network.connect import Pairs, as_array
from izhigen.population.distributions import Distribution
from izhigen.scalars import carries_unit, real_numbers
from izhigen.timegrid import TOLERANCE
from izhigen.units.quantities import plain

Array = Any

Given = ArrayLike | Callable[[int, np.random.Generator], ArrayLike] | Distribution | str | None
"""Weights and delays as a user gives them."""
AXES = ("x", "y", "z")
MOST_DELAY = (1 << 16) - 2
"""Steps of the longest delay."""


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator whose stream depends on the seed and some names alone."""
    words = hashlib.sha256("\n".join((str(seed), *names)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(words[:16], "little")))


@dataclass(frozen=True)
class Space:
    """Where the neurons of two populations are.

    Attributes
    ----------
    source, target : array of float64, shape (n, 1 to 3), or None
        Positions.
    """

    source: Array
    target: Array

    def evaluate(self, text: str, i: Array, j: Array, what: str) -> Array:
        """The value of a text for sources i and targets j.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        NetworkError
            A name that it may not read.
        """
        expression = parse_expression(text, what)
        values: dict[str, Any] = {"i": i.astype(np.float64), "j": j.astype(np.float64)}
        for end, positions, index in (("i", self.source, i), ("j", self.target, j)):
            if positions is not None:
                for axis, column in zip(AXES, positions.T):
                    values[f"{axis}_{end}"] = column[index]
        both = [axis for axis in AXES if f"{axis}_i" in values and f"{axis}_j" in values]
        if both and self.source.shape[1] == self.target.shape[1]:
            values["distance"] = np.sqrt(sum((values[f"{axis}_i"] - values[f"{axis}_j"]) ** 2 for axis in both))
        for name in expression.names:
            if name not in values and name not in CONSTANTS:
                place = "; distances and x_i, x_j need positions: net.population(..., positions=)"
                raise NetworkError(
                    f"{what}: {shown(text)} reads {shown(name)}{suggest(name, values)} "
                    f"(names: {', '.join(values)}{'' if 'distance' in values else place})"
                )
        with np.errstate(all="ignore"):
            return np.asarray(expression.evaluate(values), np.float64)


@dataclass(frozen=True)
class Drawing:
    """What weights and delays are read for.

    Attributes
    ----------
    pairs : Pairs
    where : str
        The connection, for messages.
    seed : int
    names : tuple of str
        What keys its random numbers.
    space : Space
    shape : (int, int)
        Sources and targets.
    """

    pairs: Pairs
    where: str
    seed: int
    names: tuple[str, ...]
    space: Space
    shape: tuple[int, int]

    def read(self, value: Any, what: str, unit: str) -> Array:
        """Numbers, float64, one or one a synapse by source and then target.

        Raises
        ------
        NetworkError
            For values of another number, and for what is no finite number.
        """
        count, pairs = len(self.pairs.source), self.pairs
        if isinstance(value, Distribution):
            value = value.draw(count, self.seed, "\n".join((*self.names, what)))
        elif isinstance(value, str):
            found = self.space.evaluate(value, pairs.source, pairs.target, f"{self.where}: {what}")
            value = np.broadcast_to(found, count)
        elif callable(value):
            value = self._called(value, what)
        elif carries_unit(value):
            value = plain(value, unit, f"{self.where}: {what}", NetworkError)
        refuse_masked(f"{self.where}: {what}", value)
        array = np.asarray(real_numbers(f"{self.where}: {what}", value, as_array(value), self._forms(what)))
        array = np.asarray(array, np.float64)
        if array.ndim == 2 and array.shape == self.shape:
            array = array[pairs.source, pairs.target]
        elif array.shape == (count,) and pairs.order is not None and not isinstance(value, str):
            array = array[pairs.order]
        if array.ndim > 1 or (array.ndim == 1 and len(array) != count):
            raise NetworkError(f"{self.where}: {what} has the shape {array.shape}{self._forms(what)}")
        array = array.reshape(-1)
        bad = np.flatnonzero(~np.isfinite(array))
        if len(bad):
            of = f" of synapse {bad[0]}" if len(array) > 1 else ""
            raise NetworkError(f"{self.where}: {what}{of} is {array[bad[0]]}; give finite numbers")
        return array

    def _forms(self, what: str) -> str:
        return (
            f"; give a number, {len(self.pairs.source)} numbers (one a synapse, by source, then target), a matrix "
            f"{self.shape}, text, a distribution, or a callable f(n, rng)"
        )

    def _called(self, function: Any, what: str) -> Any:
        try:
            return function(len(self.pairs.source), generator(self.seed, *self.names, what))
        except Exception as problem:  # a user's function may raise anything
            raise NetworkError(
                f"{self.where}: the callable for {what} failed with {type(problem).__name__}: {problem}; "
                "it is called as f(n, rng) and returns n numbers"
            ) from problem

    def delays(self, value: Any, dt: float) -> Array:
        """Delays in steps, int64, one or one a synapse.

        Numbers and arrays must be multiples of dt; what is drawn or computed is rounded to one.

        Raises
        ------
        NetworkError
            For a delay below dt, no multiple of it, or beyond :data:`MOST_DELAY` steps.
        """
        is_drawn = isinstance(value, (str, Distribution)) or (callable(value) and not isinstance(value, np.ndarray))
        steps = self.read(value, "delay", "ms") / dt
        whole = np.rint(steps)
        bad = np.flatnonzero((whole < 1) | (whole > MOST_DELAY))
        if not is_drawn:
            bad = np.union1d(bad, np.flatnonzero(np.abs(steps - whole) > TOLERANCE * np.maximum(whole, 1)))
        if len(bad):
            one = steps[bad[0]]
            of = f" of synapse {bad[0]}" if len(steps) > 1 else ""
            if one > MOST_DELAY:
                why = f"is longer than {MOST_DELAY} steps"
            elif one < 1 - TOLERANCE:
                why = "is below dt"
            else:
                why = "is no multiple of dt"
            raise NetworkError(
                f"{self.where}: the delay {one * dt:g} ms{of} {why} = {dt:g} ms"
                if "dt" in why
                else f"{self.where}: the delay {one * dt:g} ms{of} {why} of {dt:g} ms"
            )
        return whole.astype(np.int64)


def read_positions(value: Any, count: int, name: str) -> Array:
    """Positions of a population's neurons, shape (n, 1 to 3); None where there are none.

    Raises
    ------
    NetworkError
        For another shape, or what is no finite number.
    """
    if value is None:
        return None
    hint = f"; give {count} rows of 1 to 3 coordinates"
    refuse_masked(f"positions of {name}", value)
    array = np.asarray(real_numbers(f"positions of {name}", value, as_array(value), hint), np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[0] != count or not 1 <= array.shape[1] <= len(AXES):
        raise NetworkError(f"positions of {name} have the shape {array.shape}{hint}")
    if not np.isfinite(array).all():
        raise NetworkError(f"positions of {name} are not finite")
    return array


def by_name(value: Mapping[str, Any] | None, known: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    """What is given by population, of populations that there are.

    Raises
    ------
    NetworkError
        For another name.
    """
    found = {} if value is None else value
    if not isinstance(found, Mapping):
        raise NetworkError(f"{what}: give it by population, as in {what}={{'exc': ...}}, not {shown(value)}")
    for name in found:
        if name not in known:
            raise NetworkError(f"{what}: no population {shown(name)}{suggest(name, known)} ({', '.join(known)})")
    return found


__all__ = ["Drawing", "Given", "Space", "by_name", "generator", "read_positions"]
