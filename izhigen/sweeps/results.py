"""Where the values of a sweep are gathered: in memory, as one xarray Dataset in the end."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from izhigen.errors import RecordingError, ValueShapeError
from izhigen.recording.events import EventList, array_names
from izhigen.sweeps.measures import TIME, Variable
from izhigen.sweeps.sets import Place, Sets

Array = Any

EVENT_SET = "set_index"
"""What the flat index of the set of an event is called after the event: ``spike_set_index``."""


class Results(Protocol):
    """Takes the values of one piece after the other."""

    @property
    def done(self) -> int:
        """Sets that were made, in flat order."""
        ...

    @property
    def cut(self) -> tuple[int, int]:
        """The dimension that is cut into pieces, and how many of its indices each has."""
        ...

    def check_room(self, needed: int) -> None:
        """Refuse a result of so many bytes, where there is no room for it."""
        ...

    def begin(self, variables: Mapping[str, Variable], time: Array) -> None:
        """Be told what the values are, before the first piece; again changes nothing."""
        ...

    def put(self, place: Place, values: Mapping[str, Array], events: Mapping[str, EventList], not_finite: int) -> None:
        """Take a piece: a set a row, and events with flat indices of their sets."""
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


class InMemory:
    """Arrays of all sets; see :class:`Results`."""

    def __init__(self, sets: Sets, attributes: Mapping[str, Any], cut: tuple[int, int]) -> None:
        self._xarray = load_xarray()
        self._sets, self._attributes, self.cut, self.done = sets, dict(attributes), cut, 0
        self._variables: dict[str, Variable] = {}
        self._arrays: dict[str, Array] = {}
        self._time: Array = np.zeros(0)
        self._events: dict[str, list[EventList]] = {}
        self._not_finite = 0

    def check_room(self, needed: int) -> None:
        """Refuse what memory has no room for."""
        free = _free_memory()
        if needed > free:
            raise ValueShapeError(
                f"the result takes {needed / 1e9:.3g} GB, and {free / 1e9:.3g} GB of memory are free; write it to a "
                "store with out='sweep.zarr', or trace less (every=, fewer measures)"
            )

    def begin(self, variables: Mapping[str, Variable], time: Array) -> None:
        """Make room."""
        if self._variables:
            return
        self.check_room(result_bytes(self._sets, variables))
        self._variables, self._time = dict(variables), time
        for name, variable in variables.items():
            shape = (*self._sets.shape, *variable.extra.values())
            self._arrays[name] = np.full(shape, variable.fill, variable.dtype)

    def put(self, place: Place, values: Mapping[str, Array], events: Mapping[str, EventList], not_finite: int) -> None:
        """Copy the values to their place."""
        for name, array in values.items():
            whole = self._arrays[name]
            whole[place.key] = array.reshape(whole[place.key].shape)
        for name, found in events.items():
            self._events.setdefault(name, []).append(in_order(found))
        self._not_finite += not_finite
        self.done = place.last

    def dataset(self, interrupted: bool) -> Any:
        """The Dataset."""
        dims = tuple(self._sets.lengths)
        variables = {
            name: ((*dims, *v.extra), self._arrays[name], {"units": v.unit} if v.unit else {})
            for name, v in self._variables.items()
        }
        for event, lists in self._events.items():
            times, _ = array_names(event)
            variables[times] = ((event,), np.concatenate([part.times for part in lists]), {"units": "ms"})
            variables[f"{event}_{EVENT_SET}"] = ((event,), np.concatenate([part.indices for part in lists]), {})
        units = {name: {"units": unit} for name, unit in self._sets.units.items() if unit}
        coordinates: dict[str, Any] = {n: (*both, units.get(n, {})) for n, both in self._sets.coordinates.items()}
        if any(TIME in v.extra for v in self._variables.values()):
            coordinates[TIME] = ((TIME,), self._time, {"units": "ms"})
        about = finished(self._attributes, self.done, self._not_finite, interrupted)
        return self._xarray.Dataset(variables, coordinates, about)


def in_order(found: EventList) -> EventList:
    """Events by their sets, those of each by time."""
    order = np.lexsort((found.times, found.indices))
    return EventList(found.times[order], found.indices[order])


def finished(attributes: Mapping[str, Any], done: int, not_finite: int, interrupted: bool) -> dict[str, Any]:
    """The attributes of a result, with how far it goes."""
    return {**attributes, "sets_done": done, "not_finite": not_finite, "interrupted": int(interrupted)}


def _free_memory() -> float:
    """Bytes that are free, and those that the system would free; as many as there can be where it does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = dict(line.split(":", 1) for line in file)
        return 1024.0 * int(found["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))
    except (OSError, ValueError, AttributeError):
        return math.inf
