"""Where the values of a sweep are gathered: in memory, as one xarray Dataset in the end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from izhigen.errors import RecordingError, ValueShapeError, shown
from izhigen.memory.pieces import Piece
from izhigen.memory.space import free_bytes
from izhigen.recording.events import EventList, array_names, join_lists
from izhigen.sweeps.measures import SET_INDEX, Variable
from izhigen.sweeps.sets import Sets

Array = Any


class Coordinate(NamedTuple):
    """Labels of the result: their dimensions as they are run (none for a number of all sets), values and unit."""

    dims: tuple[str, ...]
    values: Array
    unit: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """As xarray has them."""
        return {"units": self.unit} if self.unit else {}


class Room(Protocol):
    """Takes values where they are made."""

    def write(self, piece: Piece, variables: Mapping[str, Variable], values: Mapping[str, Array]) -> bool:
        """Write those of a piece; whether they need not be brought to the client."""
        ...


class Nowhere:
    """No :class:`Room`: values are brought to the client."""

    def write(self, piece: Piece, variables: Mapping[str, Variable], values: Mapping[str, Array]) -> bool:
        """Nothing is written."""
        return False


class Results(Protocol):
    """Takes the values of one piece after the other."""

    @property
    def done(self) -> int:
        """Sets that were made, in the order of runs."""
        ...

    @property
    def cut(self) -> tuple[int, int]:
        """The dimension that is cut into pieces, and how many of its indices each has."""
        ...

    def check_room(self, needed: int) -> None:
        """Refuse a result of so many bytes, where there is no room for it."""
        ...

    def begin(self, variables: Mapping[str, Variable], coordinates: Mapping[str, Coordinate]) -> None:
        """Be told once, before the first piece, what the values of every piece are, and their own coordinates."""
        ...

    def put(self, piece: Piece, values: Mapping[str, Array], events: Mapping[str, EventList], not_finite: int) -> None:
        """Take a piece: a set a row, and events with flat indices of their sets in the order of the result."""
        ...

    def room_of_others(self, variables: Mapping[str, Variable]) -> Room:
        """Where other processes may write values themselves; those that they wrote are None in :meth:`put`."""
        ...

    def dataset(self, interrupted: bool) -> Any:
        """All of it."""
        ...


def load_xarray() -> Any:
    """xarray.

    Raises
    ------
    RecordingError
        Where it is missing.
    """
    try:
        import xarray
    except ImportError:
        raise RecordingError("a sweep gives an xarray.Dataset: pip install 'izhigen[xarray]'") from None
    return xarray


def result_bytes(sets: Sets, variables: Mapping[str, Variable]) -> int:
    """Bytes of all values."""
    each = (np.dtype(v.dtype).itemsize * math.prod(v.extra.values()) for v in variables.values())
    return sets.count * sum(each)


def check_same(now: Mapping[str, Variable], before: Mapping[str, Variable]) -> None:
    """Refuse values of a function that have another shape than those of the sets before."""
    for name, variable in now.items():
        if variable != before[name]:
            raise ValueShapeError(
                f"measure {shown(name)} returned rows of shape {tuple(before[name].extra.values())} for the first sets "
                f"and {tuple(variable.extra.values())} for later ones; return rows of one length"
            )


class InMemory:
    """Arrays of all sets; see :class:`Results`."""

    def __init__(
        self,
        sets: Sets,
        coordinates: Mapping[str, Coordinate],
        attributes: Mapping[str, Any],
        cut: tuple[int, int],
    ) -> None:
        self._xarray = load_xarray()
        self._sets, self._coordinates, self._attributes = sets, dict(coordinates), dict(attributes)
        self.cut, self.done, self._not_finite = cut, 0, 0
        self._variables: dict[str, Variable] = {}
        self._arrays: dict[str, Array] = {}
        self._events: dict[str, list[EventList]] = {}

    def check_room(self, needed: int) -> None:
        """Refuse what memory has no room for."""
        free = free_bytes()
        if needed > free:
            raise ValueShapeError(
                f"the result takes {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free; write it to a "
                "store with out='sweep.zarr', or trace less (every=, fewer measures)"
            )

    def begin(self, variables: Mapping[str, Variable], coordinates: Mapping[str, Coordinate]) -> None:
        """Make room."""
        self._variables = dict(variables)
        self._coordinates |= coordinates
        for name, variable in variables.items():
            self._arrays[name] = np.full((*self._sets.shape, *variable.extra.values()), np.nan, variable.dtype)

    def put(self, piece: Piece, values: Mapping[str, Array], events: Mapping[str, EventList], not_finite: int) -> None:
        """Copy the values to their place."""
        for name, array in values.items():
            whole = self._arrays[name]
            whole[piece.key] = array.reshape(whole[piece.key].shape)
        for name, found in events.items():
            self._events.setdefault(name, []).append(found)
        self._not_finite += not_finite
        self.done = piece.last

    def room_of_others(self, variables: Mapping[str, Variable]) -> Room:
        """None."""
        return Nowhere()

    def dataset(self, interrupted: bool) -> Any:
        """The Dataset."""
        variables = {
            name: ((*self._sets.lengths, *v.extra), self._arrays[name], {"units": v.unit} if v.unit else {})
            for name, v in self._variables.items()
        }
        for event, lists in self._events.items():
            whole = join_lists(lists)
            variables[array_names(event)[0]] = ((event,), whole.times, {"units": "ms"})
            variables[event + SET_INDEX] = ((event,), whole.indices, {})
        coordinates = {name: (c.dims, c.values, c.attributes) for name, c in self._coordinates.items()}
        about = finished(self._attributes, self.done, self._not_finite, interrupted)
        found = self._xarray.Dataset(variables, coordinates, about)
        return found.transpose(*self._sets.order, ...)


def finished(attributes: Mapping[str, Any], done: int, not_finite: int, interrupted: bool) -> dict[str, Any]:
    """The attributes of a result, with how far it goes."""
    return {**attributes, "sets_done": done, "not_finite": not_finite, "interrupted": int(interrupted)}
