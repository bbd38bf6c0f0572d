"""Which neurons a connection joins: ``net.connect(a, b, to="g_e", rule=iz.connect.fixed_probability(0.1))``.

What is drawn depends on the network's seed and on the connection alone: the names of the two populations, what it goes
to, and its number among those that have the same. Names of rules are those of NEST and PyNN. Without
``self_connections`` no neuron is connected with itself, without ``multiple`` no pair of neurons twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from izhigen.errors import NetworkError, shown
from izhigen.memory.space import refuse_masked
from izhigen.scalars import read_finite, read_flag, read_whole

Array = Any
AT_ONCE = 1 << 22
"""Pairs of neurons that are looked at at once."""
SAMPLED = 10_000
"""Pairs for which a text is evaluated to see how many synapses it will make."""


@dataclass(frozen=True)
class Ends:
    """What a rule knows of the two populations that it joins.

    Attributes
    ----------
    sources, targets : int
        Numbers of neurons.
    is_one : bool
        Whether both are the same population.
    rng : numpy.random.Generator
        Keyed by the seed and the connection.
    probability : callable
        Of a text and arrays of source and target indices, which it evaluates.
    """

    sources: int
    targets: int
    is_one: bool
    rng: np.random.Generator
    probability: Callable[[str, Array, Array], Array]

    def without_self(self, rule: Any) -> bool:
        """Whether a neuron is not to be connected with itself."""
        return self.is_one and not rule.self_connections


@dataclass(frozen=True)
class Pairs:
    """Pairs of neurons, one a synapse, ascending by source, then target.

    Attributes
    ----------
    source, target : array of int64, shape (k,)
    order : array of int64, shape (k,), or None
        Where each pair stood in what was given; None for what was drawn.
    weights : array, shape (k,), or None
        Those that came with the pairs, in their order here.
    """

    source: Array
    target: Array
    order: Array = None
    weights: Array = None


class Rule(Protocol):
    """A rule: what it stands for in words, and the pairs that it draws."""

    def expected(self, ends: Ends) -> float:
        """About how many synapses it will make."""
        ...

    def draw(self, ends: Ends) -> Pairs:
        """The pairs; a NetworkError where the populations do not suit."""
        ...


def _pairs(flat: Array, columns: int, skips_self: bool) -> Pairs:
    """From places in the flat matrix of sources by targets, which has no diagonal where that is left out."""
    source, target = np.divmod(flat, columns)
    return Pairs(source, target + (target >= source) if skips_self else target)


def _distinct(draw: Callable[[int], Array], rows: int, count: int, among: int) -> Array:
    """``rows`` subsets of ``count`` of the numbers below ``among``, each as likely, ascending; shape (rows, count).

    What was drawn twice is drawn again; of more than half of the numbers, those left out are drawn.
    """
    if 2 * count > among:
        left = _distinct(draw, rows, among - count, among)
        kept = np.ones((rows, among), bool)
        kept[np.arange(rows)[:, None], left] = False
        return np.nonzero(kept)[1].reshape(rows, count)
    found = np.sort(draw(rows * count).reshape(rows, count), axis=1)
    while (again := found[:, 1:] == found[:, :-1]).any():
        found[:, 1:][again] = draw(int(again.sum()))
        found.sort(axis=1)
    return found


@dataclass(frozen=True)
class AllToAll:
    """Every source to every target."""

    self_connections: bool = True

    def expected(self, ends: Ends) -> float:
        """See :class:`Rule`."""
        return float(ends.sources) * (ends.targets - ends.without_self(self))

    def draw(self, ends: Ends) -> Pairs:
        """See :class:`Rule`."""
        skips = ends.without_self(self)
        columns = ends.targets - skips
        return _pairs(np.arange(ends.sources * columns), max(columns, 1), skips)


@dataclass(frozen=True)
class OneToOne:
    """Source k to target k."""

    def expected(self, ends: Ends) -> float:
        """See :class:`Rule`."""
        return float(ends.sources)

    def draw(self, ends: Ends) -> Pairs:
        """See :class:`Rule`."""
        if ends.sources != ends.targets:
            raise NetworkError(
                f"one_to_one joins populations of one size, not {ends.sources} neurons and {ends.targets}"
            )
        return Pairs(np.arange(ends.sources), np.arange(ends.targets))


@dataclass(frozen=True)
class FixedProbability:
    """Every pair with one probability, a number or a text of indices and positions."""

    probability: float | str
    self_connections: bool = True

    def expected(self, ends: Ends) -> float:
        """See :class:`Rule`; of a text, what it is for pairs drawn at random."""
        if not isinstance(self.probability, str):
            return self.probability * float(ends.sources) * ends.targets
        places = np.random.default_rng(0)
        i, j = places.integers(0, ends.sources, SAMPLED), places.integers(0, ends.targets, SAMPLED)
        p = np.nan_to_num(np.broadcast_to(ends.probability(self.probability, i, j), SAMPLED))
        return float(np.clip(p, 0.0, 1.0).mean()) * ends.sources * ends.targets

    def draw(self, ends: Ends) -> Pairs:
        """See :class:`Rule`."""
        if isinstance(self.probability, str):
            return self._by_text(ends, self.probability)
        skips = ends.without_self(self)
        columns = max(ends.targets - skips, 0)
        total = ends.sources * columns
        if self.probability == 1.0:
            return AllToAll(self.self_connections).draw(ends)
        parts, last = [np.zeros(0, np.int64)], -1
        while self.probability > 0 and last < total - 1:
            expected = self.probability * (total - 1 - last)
            count = int(min(expected + 6 * expected**0.5 + 16, AT_ONCE))
            gaps = np.minimum(ends.rng.geometric(self.probability, count), total + 1)
            places = last + np.cumsum(gaps)
            parts.append(places[places < total])
            last = int(places[-1])
        return _pairs(np.concatenate(parts), max(columns, 1), skips)

    def _by_text(self, ends: Ends, text: str) -> Pairs:
        rows = max(1, AT_ONCE // max(ends.targets, 1))
        found = []
        for first in range(0, ends.sources, rows):
            source = np.arange(first, min(first + rows, ends.sources))[:, None]
            target = np.arange(ends.targets)[None, :]
            p = np.broadcast_to(ends.probability(text, source, target), (len(source), ends.targets))
            if not ((p >= 0) & (p <= 1)).all():
                at = np.argwhere(~((p >= 0) & (p <= 1)))[0]
                raise NetworkError(
                    f"rule: {shown(text)} is {p[tuple(at)]:g} from neuron {first + at[0]} to neuron {at[1]}; "
                    "a probability is a number from 0 to 1"
                )
            joined = ends.rng.random(p.shape) < p
            if ends.without_self(self):
                joined &= source != target
            row, column = np.nonzero(joined)
            found.append((row + first, column))
        return Pairs(np.concatenate([s for s, _ in found]), np.concatenate([t for _, t in found]))


@dataclass(frozen=True)
class FixedDegree:
    """The same number of synapses for every target (indegree), or for every source (outdegree)."""

    count: int
    is_in: bool
    self_connections: bool = True
    multiple: bool = True

    def expected(self, ends: Ends) -> float:
        """See :class:`Rule`."""
        return float(self.count) * (ends.targets if self.is_in else ends.sources)

    def draw(self, ends: Ends) -> Pairs:
        """See :class:`Rule`."""
        rows, others = (ends.targets, ends.sources) if self.is_in else (ends.sources, ends.targets)
        skips = ends.without_self(self)
        among = others - skips
        if (among < self.count and not self.multiple) or (among == 0 and self.count):
            word = "fixed_indegree" if self.is_in else "fixed_outdegree"
            raise NetworkError(
                f"{word}: {self.count} different partners of each neuron, but there are {max(among, 0)}; "
                "take fewer, or multiple=True"
            )

        def draw(count: int) -> Array:
            return ends.rng.integers(0, among, count)

        if self.multiple:
            partner = draw(rows * self.count).reshape(rows, self.count) if self.count else np.zeros((rows, 0), np.int64)
        else:
            partner = _distinct(draw, rows, self.count, among)
        own = np.repeat(np.arange(rows), self.count)
        partner = partner.reshape(-1)
        partner = partner + (partner >= own) if skips else partner
        source, target = (partner, own) if self.is_in else (own, partner)
        flat = np.sort(source * ends.targets + target)
        return _pairs(flat, ends.targets, False)


@dataclass(frozen=True)
class FixedTotal:
    """So many synapses in all, each between a source and a target that are drawn for it."""

    count: int
    self_connections: bool = True
    multiple: bool = True

    def expected(self, ends: Ends) -> float:
        """See :class:`Rule`."""
        return float(self.count)

    def draw(self, ends: Ends) -> Pairs:
        """See :class:`Rule`."""
        skips = ends.without_self(self)
        columns = ends.targets - skips
        total = ends.sources * columns
        if (total < self.count and not self.multiple) or (total == 0 and self.count):
            raise NetworkError(
                f"fixed_total: {self.count} different pairs, {max(total, 0)} there are; take fewer, or multiple=True"
            )
        if self.multiple:
            flat = np.sort(ends.rng.integers(0, max(total, 1), self.count))
        else:
            flat = _distinct(lambda count: ends.rng.integers(0, total, count), 1, self.count, total)[0]
        return _pairs(flat, max(columns, 1), skips)


@dataclass(frozen=True, eq=False)
class Listed:
    """Pairs that are given; ``weights`` come with those of a matrix."""

    source: Array
    target: Array
    what: str
    shape: tuple[int, int] | None = None
    weights: Array = None

    def expected(self, ends: Ends) -> float:
        """See :class:`Rule`."""
        return float(len(self.source))

    def draw(self, ends: Ends) -> Pairs:
        """See :class:`Rule`."""
        if self.shape is not None and self.shape != (ends.sources, ends.targets):
            raise NetworkError(
                f"{self.what}: of shape {self.shape}, for {ends.sources} sources and {ends.targets} targets"
            )
        for name, values, count in (("source", self.source, ends.sources), ("target", self.target, ends.targets)):
            bad = np.nonzero((values < 0) | (values >= count))[0]
            if len(bad):
                raise NetworkError(
                    f"{self.what}: pair {bad[0]} has {name} {values[bad[0]]}, and its population the neurons "
                    f"0 to {count - 1}"
                )
        order = np.lexsort((self.target, self.source))
        weights = None if self.weights is None else self.weights[order]
        return Pairs(self.source[order], self.target[order], order, weights)


# -- what users call ------------------------------------------------------------------------------------------------


def all_to_all(*, self_connections: bool = True) -> Rule:
    """Every source to every target; ``self_connections=False`` leaves out a neuron's own."""
    return AllToAll(read_flag(self_connections, "self_connections"))


def one_to_one() -> Rule:
    """Source k to target k, of two populations of one size."""
    return OneToOne()


def fixed_probability(probability: float | str, *, self_connections: bool = True) -> Rule:
    """Every pair with a probability of its own accord.

    Parameters
    ----------
    probability : float or str
        From 0 to 1; or text, as in ``"0.5*exp(-distance/0.2)"``, which may read ``i`` and ``j`` (indices of source and
        target), and where the populations have positions ``distance`` and ``x_i``, ``y_i``, ``z_i``, ``x_j``, ...
    self_connections : bool
        Whether a neuron may be connected with itself.

    Raises
    ------
    ValueShapeError, NetworkError
        For what is no number from 0 to 1.
    """
    if not isinstance(probability, str):
        probability = read_finite(probability, "probability")
        if not 0 <= probability <= 1:
            raise NetworkError(f"fixed_probability: {probability:g} is no probability; give a number from 0 to 1")
    return FixedProbability(probability, read_flag(self_connections, "self_connections"))


def fixed_indegree(count: int, *, self_connections: bool = True, multiple: bool = True) -> Rule:
    """``count`` sources for every target, drawn one by one."""
    flags = read_flag(self_connections, "self_connections"), read_flag(multiple, "multiple")
    return FixedDegree(_number(count), True, *flags)


def fixed_outdegree(count: int, *, self_connections: bool = True, multiple: bool = True) -> Rule:
    """``count`` targets for every source, drawn one by one."""
    flags = read_flag(self_connections, "self_connections"), read_flag(multiple, "multiple")
    return FixedDegree(_number(count), False, *flags)


def fixed_total(count: int, *, self_connections: bool = True, multiple: bool = True) -> Rule:
    """``count`` synapses in all; the source and the target of each are drawn."""
    return FixedTotal(_number(count), read_flag(self_connections, "self_connections"), read_flag(multiple, "multiple"))


def pairs(source: Any, target: Any) -> Rule:
    """Pairs by two arrays of indices, ``source`` and ``target``; an array of weights or delays is in their order.

    Raises
    ------
    NetworkError
        For arrays that are not of whole numbers, or not of one length.
    """
    found = [_indices(values, name) for name, values in (("source", source), ("target", target))]
    if len(found[0]) != len(found[1]):
        raise NetworkError(f"pairs: {len(found[0])} sources and {len(found[1])} targets; give as many of both")
    return Listed(found[0], found[1], "pairs")


def matrix(weights: Any) -> Rule:
    """What is not 0 in a matrix of sources by targets (SciPy sparse, or a NumPy array), with its values as weights.

    ``net.connect(..., weight=)`` takes the place of the values; entries of a sparse matrix that are stored are synapses
    even where they are 0.

    Raises
    ------
    NetworkError
        For what is no matrix of numbers.
    """
    if hasattr(weights, "tocoo"):
        found = weights.tocoo()
        return Listed(
            found.row.astype(np.int64), found.col.astype(np.int64), "matrix", tuple(found.shape), np.asarray(found.data)
        )
    refuse_masked("matrix", weights)
    array = as_array(weights)
    if array.ndim != 2 or array.dtype.kind not in "iufb":
        raise NetworkError("matrix takes a matrix of numbers, one row a source and one column a target")
    row, column = np.nonzero(array)
    return Listed(row, column, "matrix", array.shape, array[row, column].astype(np.float64))


def as_array(values: Any) -> Array:
    """An array of what a user gives; of lists of several lengths, one of objects."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.array([values], object)


def _number(count: Any) -> int:
    number = read_whole(count, 0)
    if number is None:
        raise NetworkError(f"count={shown(count)} is not a whole number from 0 on")
    return number


def _indices(values: Any, name: str) -> Array:
    refuse_masked(f"pairs: {name}", values)
    array = as_array(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise NetworkError(f"pairs: {name} is not an array of indices, one a pair: {shown(values)}")
    return array.astype(np.int64)


def read_rule(value: Any) -> Rule:
    """A rule as a user gives it: one of those here, or the text of a probability.

    Raises
    ------
    NetworkError
        For anything else.
    """
    if isinstance(value, str):
        return FixedProbability(value)
    if not callable(getattr(value, "draw", None)) or isinstance(value, type):
        raise NetworkError(
            f"rule: {shown(value)} is no rule; give one such as iz.connect.fixed_probability(0.1) or "
            "iz.connect.all_to_all(), or a probability as text"
        )
    rule: Rule = value
    return rule


__all__ = [
    "all_to_all",
    "fixed_indegree",
    "fixed_outdegree",
    "fixed_probability",
    "fixed_total",
    "matrix",
    "one_to_one",
    "pairs",
]
