"""What workers do with their shard of a population, a range of its neurons: functions of shards that change none, so
that one whose worker died can be made again.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from dask.sizeof import sizeof

from izhigen.backends import create_engine, open_space
from izhigen.backends.engine import Moments
from izhigen.codegen.request import KernelRequest
from izhigen.errors import NonFiniteError, ValueShapeError
from izhigen.memory.space import fetch
from izhigen.model.model import Declaration
from izhigen.population.population import Population
from izhigen.recording.events import EventList, by_time, join_lists
from izhigen.recording.recording import Recording

Array = Any


@dataclass(frozen=True)
class Order:
    """What shards are to do in some steps: as :meth:`~izhigen.population.Population.run` takes it."""

    steps: int
    record: tuple[str, ...]
    every: int
    check_finite: bool
    is_first: bool = True
    """Whether what does not change in the run is kept, too."""


@dataclass(frozen=True)
class Made:
    """What some steps made of a shard; of its error alone, where a neuron became undefined."""

    shard: Population | None
    recording: Recording | None = None
    moments: Moments | None = None
    error: NonFiniteError | None = None


@dataclass(frozen=True)
class Report:
    """What the client is told of them.

    Attributes
    ----------
    error : NonFiniteError or None
        With this shard's own index of the neuron.
    info : mapping
        As in a recording.
    types : mapping
        Name of an array of the recording to its number type.
    events : mapping
        Name of an event to how often it happened.
    """

    error: NonFiniteError | None
    info: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, Any] = field(default_factory=dict)
    events: Mapping[str, int] = field(default_factory=dict)


def build(request: KernelRequest, backend: str) -> None:
    """Build a kernel, for all populations of this machine that need it."""
    create_engine(backend, request, open_space(backend, None, None))


def twin(shard: Population) -> Population:
    """A population of its own that goes on from the same step. Several threads may ask for one at a time, as shards do
    not change.
    """
    return Population.from_saved(shard.saved())


def make(
    model: Declaration, options: Mapping[str, Any], values: Mapping[str, Any], parts: Mapping[str, Array], first: int
) -> Population:
    """A new shard. ``parts`` are values that lay on the cluster."""
    with numbered_from(first):
        shard = Population.from_options(model, options, {**values, **parts})
    shard.begin_at(0, first)
    return shard


@contextlib.contextmanager
def numbered_from(first: int) -> Iterator[None]:
    """Errors within name neurons by their indices in the population."""
    try:
        yield
    except ValueShapeError as problem:
        text = re.sub(r"\bfor neuron (\d+)", lambda found: f"for neuron {int(found[1]) + first}", str(problem))
        raise ValueShapeError(text) from None


def reset(shard: Population) -> Population:
    """The shard as it began."""
    new = twin(shard)
    new.reset()
    return new


def begin_at(shard: Population, first_index: int, step: int) -> Population:
    """The shard as if it had made so many steps, and began at another neuron."""
    new = twin(shard)
    new.begin_at(step, first_index)
    return new


def with_value(shard: Population, name: str, value: Any, first: int) -> Population:
    """The shard with another value of a state or parameter."""
    new = twin(shard)
    with numbered_from(first):
        setattr(new, name, value)
    return new


def advance(
    shard: Population, order: Order, neurons: Array, moments: Moments | None, given: Any, parts: Mapping[str, Array]
) -> Made:
    """Some steps of a shard; ``parts`` are inputs that lay on the cluster."""
    new = twin(shard)
    inputs = {**given, **parts}
    try:
        recording, moments = new.run_part(
            order.steps, order.record, order.every, neurons, order.check_finite, moments, inputs
        )
    except NonFiniteError as error:
        return Made(None, error=error)
    found = recording.to_host()
    return Made(new, found if order.is_first else replace(found, per_neuron={}), moments)


def same(values: Array) -> Array:
    """What is given: a task that holds it, and can be made again on any worker."""
    return values


def shard_of(made: Made) -> Population | None:
    """The shard then."""
    return made.shard


def recording_of(made: Made) -> Recording | None:
    """What it recorded, but for the figures, which the next stretch goes on with."""
    return None if made.recording is None else replace(made.recording, figures={})


def figures_of(made: Made) -> Mapping[str, Array]:
    """The figures of its spikes until then."""
    return {} if made.recording is None else made.recording.figures


def moments_of(made: Made) -> Moments | None:
    """The figures of its spikes so far."""
    return made.moments


def report_of(made: Made, is_first: bool) -> Report:
    """What the client is told; what is the same in all stretches once."""
    found = made.recording
    if found is None:
        return Report(made.error)
    events = {name: len(listed) for name, listed in found.lists.items()}
    if not is_first:
        return Report(None, events=events)
    arrays = {**found.traces, **found.figures, **{PER_NEURON + n: values for n, values in found.per_neuron.items()}}
    types = {name: values.dtype for name, values in arrays.items()}
    return Report(None, found.info, types, events)


PER_NEURON = "per neuron "
"""Before the name of what differs between neurons."""


def array_of(recording: Recording, name: str, shape: tuple[int, ...]) -> Array:
    """A trace, or what differs between neurons, of a recording."""
    if name.startswith(PER_NEURON):
        return recording.per_neuron[name.removeprefix(PER_NEURON)].reshape(shape)
    return recording.traces[name].reshape(shape)


def figure_of(figures: Mapping[str, Array], name: str, shape: tuple[int, ...]) -> Array:
    """A figure."""
    return figures[name].reshape(shape)


def state_of(shard: Population, name: str, shape: tuple[int, ...]) -> Array:
    """The values of a state or parameter of a shard, or who spiked in the last step."""
    if name == "spike":
        return shard.spike.reshape(shape)
    found = fetch(shard.parameters[name] if name in shard.parameters else shard.state[name])
    return np.array(found).reshape(shape)


def events_of(recording: Recording, event: str) -> EventList:
    """An event of a shard."""
    return recording.lists[event]


def merged(lists: list[EventList], firsts: tuple[int, ...]) -> EventList:
    """An event in all shards, by time and then neuron of the population."""
    whole = join_lists([EventList(part.times, part.indices + first) for part, first in zip(lists, firsts)])
    return by_time(whole)


def times_of(events: EventList) -> Array:
    """When they happened."""
    return events.times


def indices_of(events: EventList) -> Array:
    """In which neuron."""
    return events.indices


@sizeof.register(Population)  # type: ignore[untyped-decorator]
def _population_size(shard: Population) -> int:
    parameters = [value for value in shard.parameters.values() if not isinstance(value, (int, float))]
    return sum(int(values.nbytes) for values in (*shard.state.values(), *parameters)) + len(shard) + 10_000


@sizeof.register(Recording)  # type: ignore[untyped-decorator]
def _recording_size(recording: Recording) -> int:
    events = [part for found in recording.lists.values() for part in (found.times, found.indices)]
    arrays = (*recording.traces.values(), *recording.figures.values(), *recording.per_neuron.values(), *events)
    return sum(int(values.nbytes) for values in arrays) + 10_000


@sizeof.register(Made)  # type: ignore[untyped-decorator]
def _made_size(made: Made) -> int:
    return sum(int(sizeof(part)) for part in (made.shard, made.recording) if part is not None)
