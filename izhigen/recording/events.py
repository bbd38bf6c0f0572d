"""Lists of events: when each happened, and in which neuron."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from izhigen.errors import shown, suggest
from izhigen.memory.space import fetch, namespace, within_reach
from izhigen.model.events import SPIKE
from izhigen.model.model import Declaration

Array = Any

TIME_SUFFIX, NEURON_SUFFIX = "_time", "_neuron"
"""After the name of an event in the names of its arrays in a store and in xarray."""


@dataclass(frozen=True, eq=False)
class EventList:
    """All that one event did in a run, by time and then index.

    Attributes
    ----------
    times, indices : array
        Time in ms and flat neuron index of every time that it happened.
    """

    times: Array
    indices: Array

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, part: slice) -> EventList:
        return EventList(self.times[part], self.indices[part])

    def on_host(self) -> EventList:
        """The same with NumPy arrays."""
        return EventList(fetch(self.times), fetch(self.indices))

    def in_memory(self) -> tuple[Array, Array]:
        """Times and indices as arrays in memory, on the host or on a device."""
        return within_reach(self.times[:]), within_reach(self.indices[:])

    def dense(self, t: Array, dt: float, count: int, chosen: Array | None) -> Array:
        """Whether it happened since the row before, for rows that end at times ``t`` and ``count`` neurons: the chosen
        ones, or all.
        """
        times, columns = self.in_memory()
        xp = namespace(times)
        dense = xp.zeros((len(t), count), dtype=bool)
        rows = xp.searchsorted(xp.asarray(t), times - 1e-3 * dt)
        kept = rows < len(t)
        if chosen is None:
            kept &= (columns >= 0) & (columns < count)
        else:
            neurons, indices = xp.asarray(chosen), columns
            order = xp.argsort(neurons)
            columns = order[xp.minimum(xp.searchsorted(neurons[order], indices), count - 1)]
            kept &= neurons[columns] == indices
        dense[rows[kept], columns[kept]] = True
        return dense


def by_time(events: EventList) -> EventList:
    """The same by time and then neuron; one that is so already as it is."""
    xp, times, indices = namespace(events.times), events.times, events.indices
    later = xp.diff(times)
    if not ((later < 0) | ((later == 0) & (xp.diff(indices) < 0))).any():
        return events
    order = xp.lexsort(xp.stack([indices.astype(times.dtype), times]))
    return EventList(times[order], indices[order])


def join_lists(parts: list[EventList]) -> EventList:
    """Lists that follow one another as one."""
    if len(parts) == 1:
        return parts[0]
    join: Callable[[list[Array]], Array] = namespace(parts[0].times).concatenate
    return EventList(join([part.times for part in parts]), join([part.indices for part in parts]))


class Events(Mapping[str, tuple[Array, Array]]):
    """The events of a recording by name: ``(times, indices)``, in memory once they are asked for."""

    def __init__(self, lists: Mapping[str, EventList]) -> None:
        self._lists = lists

    def __getitem__(self, name: str) -> tuple[Array, Array]:
        if name not in self._lists:
            have = ", ".join(self._lists) or "none"
            raise KeyError(f"no event {shown(name)} was recorded{suggest(name, self._lists)} (recorded: {have})")
        return self._lists[name].in_memory()

    def __contains__(self, name: object) -> bool:
        return name in self._lists

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def __repr__(self) -> str:
        return f"<events {', '.join(f'{name}: {len(found)}' for name, found in self._lists.items()) or 'none'}>"


def default_events(model: Declaration) -> list[str]:
    """The events that are recorded where nothing else is asked for: the spike, or all of a model without one."""
    return [SPIKE] if model.threshold is not None else [event.name for event in model.events]


def array_names(event: str) -> tuple[str, str]:
    """Names of the arrays of an event's times and neurons in a store and in xarray; their axis has the event's."""
    return event + TIME_SUFFIX, event + NEURON_SUFFIX
