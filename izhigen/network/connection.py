"""A connection, which a user holds: its synapses as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from izhigen.errors import NetworkError
from izhigen.network.rows import Rows

Array = Any


class Connection:
    """Synapses from one population to another, made by :meth:`Network.connect`.

    Arrays have one value a synapse, ordered by source, then delay, then target.

    Attributes
    ----------
    source, target : str
        Names of the populations.
    to : str
        What spikes are added to in the target: a state, an event input or an input.
    """

    def __init__(
        self,
        source: str,
        target: str,
        to: str,
        receiver: str,
        rows: Rows,
        late: int,
        dt: float,
        changed: Callable[[], None],
    ) -> None:
        self.source, self.target, self.to, self.receiver = source, target, to, receiver
        self._rows, self._late, self._dt, self._changed = rows, late, dt, changed

    def __len__(self) -> int:
        return self._rows.count

    def __bool__(self) -> bool:
        return True

    def _in_order(self, values: Array) -> Array:
        """By source, then delay, then target, where threads have parts of the targets."""
        rows = self._rows
        if len(rows.start) == 1:
            return values
        return values[self._order()]

    def _order(self) -> Array:
        rows = self._rows
        return np.lexsort((rows.targets, self._all(rows.delay), rows.source))

    @property
    def where(self) -> str:
        """What messages call it."""
        return f"connection {self.source} to {self.target}.{self.to}"

    def _all(self, values: Array) -> Array:
        return values if values.size > 1 else np.broadcast_to(values, self._rows.count)

    @property
    def sources(self) -> Array:
        """Indices of the sources, int64."""
        return self._in_order(self._rows.source)

    @property
    def targets(self) -> Array:
        """Indices of the targets, int64."""
        return self._in_order(self._rows.targets)

    @property
    def weights(self) -> Array:
        """Weights, a copy in the network's number type; assignment takes a number, or one a synapse in this order."""
        return self._in_order(self._all(self._rows.weight)).copy()

    @weights.setter
    def weights(self, value: Any) -> None:
        rows, count = self._rows, self._rows.count
        given = np.asarray(value, np.float64)
        if given.shape not in ((), (count,)) or not np.isfinite(given).all():
            raise NetworkError(f"{self.where}: give a finite weight, or {count} (one a synapse)")
        weights = in_type(given.reshape(-1), rows.weight.dtype, self.where)
        if weights.size > 1 and len(rows.start) > 1:
            weights[self._order()] = weights.copy()
        self._rows = replace(rows, weight=weights)
        self._changed()

    @property
    def delays(self) -> Array:
        """Delays in ms, float64."""
        return self._in_order(self._all(self._rows.delay) - np.int64(self._late)) * self._dt

    @property
    def rows(self) -> Rows:
        """The synapses as they lie in memory."""
        return self._rows

    @property
    def nbytes(self) -> int:
        """Bytes that the synapses take."""
        return self._rows.nbytes

    def __repr__(self) -> str:
        delays = self._rows.delay
        least, most = ((int(d) - self._late) * self._dt for d in (delays.min(), delays.max()))
        span = f"{least:g}" if least == most else f"{least:g} to {most:g}"
        return (
            f"<Connection {self.source} to {self.target}.{self.to}: {len(self):,} synapses, {span} ms, "
            f"{self.nbytes / 1e6:.3g} MB>"
        )


def in_type(weights: Array, dtype: Any, where: str) -> Array:
    """Weights in a number type.

    Raises
    ------
    NetworkError
        Where one is too large for it.
    """
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(weights, dtype)
    if not np.isfinite(found).all():
        raise NetworkError(f"{where}: a weight is not finite in {np.dtype(dtype).name}")
    return found


__all__ = ["Connection", "in_type"]
