"""Neurons shared by several devices: neighbours stay together, and noise is keyed by the neuron, so results do not
depend on the split.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from izhigen.backends.device import WARP, DeviceSpace, check_device
from izhigen.backends.engine import (
    Advanced,
    Block,
    Moments,
    Pending,
    PreparedStep,
    Source,
    Spikes,
    in_order,
    join_spikes,
)
from izhigen.backends.pullback import Cotangent, Pullback
from izhigen.errors import BackendError, shown
from izhigen.memory.space import ANYWHERE, fetch
from izhigen.signals import SignalsDeferred

Array = Any


def check_sharding(sharding: Any) -> list[int]:
    """Numbers of the devices that share the neurons; one that is named twice takes two parts."""
    try:
        numbers = list(sharding)
    except TypeError:
        numbers = []
    if not numbers or isinstance(sharding, str):
        raise BackendError(f"sharding={shown(sharding)} is not a list of devices such as [0, 1]")
    return [check_device("sharding", number) for number in numbers]


class ShardedArray(NDArrayOperatorsMixin):
    """An array whose last axis is split over devices.

    Attributes
    ----------
    parts : list of array
        What each device holds, in order.
    shape : tuple of int
        Of the whole. Arithmetic and comparisons go part by part; :meth:`get`, or reading anything but one element,
        brings values to the host.
    """

    def __init__(self, parts: Sequence[Array], shape: tuple[int, ...] | None = None) -> None:
        self.parts = list(parts)
        self.shape = shape or (*self.parts[0].shape[:-1], sum(part.shape[-1] for part in self.parts))

    @property
    def dtype(self) -> Any:
        """Number type."""
        return self.parts[0].dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return sum(part.size for part in self.parts)

    @property
    def nbytes(self) -> int:
        """Bytes of all parts."""
        return sum(part.nbytes for part in self.parts)

    def _each(self, function: Callable[[Array], Array]) -> list[Array]:
        found = []
        for part in self.parts:
            with part.device:
                found.append(function(part))
        return found

    def reshape(self, *shape: Any) -> ShardedArray:
        """The same values seen in another shape."""
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        return ShardedArray(self.parts, (self.size,) if wanted == (-1,) else tuple(wanted))

    def view(self, dtype: Any) -> ShardedArray:
        """The same bytes as another type of the same size."""
        return ShardedArray([part.view(dtype) for part in self.parts], self.shape)

    def astype(self, dtype: Any) -> ShardedArray:
        """A copy of another type."""
        return ShardedArray(self._each(lambda part: part.astype(dtype)), self.shape)

    def copy(self) -> ShardedArray:
        """A copy on the same devices."""
        return ShardedArray(self._each(lambda part: part.copy()), self.shape)

    def fill(self, value: Any) -> None:
        """Set every value."""
        self._each(lambda part: part.fill(value))

    def all(self) -> bool:
        """Whether all values are true."""
        return all(self._each(lambda part: bool(part.all())))

    def min(self) -> float:
        """The least value."""
        return min(self._each(lambda part: float(part.min()) if part.size else np.inf))

    def get(self) -> np.ndarray:
        """All values on the host."""
        return np.concatenate([fetch(part) for part in self.parts], axis=-1).reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.get().astype(dtype, copy=False) if dtype is not None else self.get()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options.get("out") is not None:
            return NotImplemented
        found = []
        for k, part in enumerate(self.parts):
            with part.device:
                found.append(ufunc(*(x.parts[k] if isinstance(x, ShardedArray) else x for x in inputs), **options))
        return ShardedArray(found, self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        if key is Ellipsis or key == slice(None):
            return self
        if isinstance(key, (int, np.integer)) and self.ndim == 1:
            index = int(key) + (self.size if key < 0 else 0)
            for part in self.parts:
                if 0 <= index < part.size:
                    return part[index]
                index -= part.size
            raise IndexError(f"index {key} is outside {self.size} values")
        if isinstance(key, slice) and self.ndim == 2 and all(part.ndim == 2 for part in self.parts):  # rows of a trace
            return ShardedArray([part[key] for part in self.parts])
        return self.get()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        whole = key is Ellipsis or (isinstance(key, slice) and key == slice(None))
        if whole and isinstance(value, ShardedArray):
            for part, new in zip(self.parts, value.parts):
                with part.device:
                    part[...] = new
        elif whole and np.ndim(value) == 0:
            self.fill(value)
        else:
            values = self.get()
            values[key] = fetch(value) if hasattr(value, "get") else value
            flat, start = values.reshape(*self.shape[:-1], -1).reshape(-1), 0
            for part in self.parts:
                with part.device:  # whose stream the copy joins
                    part.set(np.ascontiguousarray(flat[start : start + part.size]))
                start += part.size

    def __repr__(self) -> str:
        return f"ShardedArray({self.get()!r}, devices={[part.device.id for part in self.parts]})"


class ShardedSpace:
    """The memories of several devices; see :class:`izhigen.memory.space.Space`."""

    def __init__(self, parts: Sequence[DeviceSpace]) -> None:
        self.parts = list(parts)

    def use(self) -> Any:
        """The parts choose, each its own device."""
        return ANYWHERE

    def edges(self, count: int) -> list[int]:
        """Where each device's neurons begin, and the end: whole warps, as even as can be."""
        warps, devices = -(-count // WARP), len(self.parts)
        return [min(count, WARP * (warps * k // devices)) for k in range(devices + 1)]

    def _split(self, values: Array) -> list[Array]:
        edges = self.edges(len(values))
        return [values[a:b] for a, b in pairwise(edges)]

    def zeros(self, count: int, dtype: Any) -> Array:
        """Zeros."""
        edges = self.edges(count)
        return ShardedArray([space.zeros(b - a, dtype) for space, a, b in zip(self.parts, edges, edges[1:])])

    def rows(self, count: int, neurons: Array | None, n: int, dtype: Any) -> Array:
        """An empty array; each device has the columns of its own neurons."""
        edges = self.edges(n)
        places = edges if neurons is None else np.searchsorted(neurons, edges).tolist()
        return ShardedArray(
            [space.rows(count, None, b - a, dtype) for space, a, b in zip(self.parts, places, places[1:])]
        )

    def send(self, values: np.ndarray) -> Array:
        """Copies of the parts on the devices."""
        return ShardedArray([space.send(part) for space, part in zip(self.parts, self._split(values))])

    def adopt(self, value: Any) -> Array | None:
        """An array of a device comes by way of the host; its values must be split."""
        if isinstance(value, ShardedArray):
            return value.get()
        found = self.parts[0].shared(value)
        return None if found is None else fetch(found)

    def write(self, array: Array, values: Any) -> None:
        """Fill with a number, or copy."""
        values = self.send(values) if isinstance(values, np.ndarray) and values.ndim else values
        for k, space in enumerate(self.parts):
            space.write(array.parts[k], values.parts[k] if isinstance(values, ShardedArray) else values)

    def gather(self, array: Array) -> Array:
        """All values on the host."""
        return fetch(array)


class ShardedEngine:
    """One engine a device; see :class:`izhigen.backends.engine.Engine`."""

    def __init__(self, engines: Sequence[Any], space: ShardedSpace) -> None:
        self._engines, self._space = list(engines), space
        self._sources: WeakKeyDictionary[Source, dict[int, Source]] = WeakKeyDictionary()
        self._cotangents: WeakKeyDictionary[Cotangent, dict[int, Cotangent]] = WeakKeyDictionary()
        self._choice: tuple[Array, dict[int, Array]] | None = None
        first = self._engines[0]
        self.method, self.spike_timing, self.cost = first.method, first.spike_timing, first.cost
        self.depth, self.least_steps = first.depth, first.least_steps
        self.pace = sum(engine.pace for engine in self._engines)
        self.rewind_bytes = sum(engine.rewind_bytes for engine in self._engines)
        self.description = "; ".join(dict.fromkeys(engine.description for engine in self._engines))

    def _shares(self, block: Block) -> list[tuple[int, int, int]]:
        """Number, first neuron and the one after the last of each device that has neurons."""
        edges = self._space.edges(len(next(iter(block.state.values()))))
        return [(k, start, stop) for k, (start, stop) in enumerate(pairwise(edges)) if stop > start]

    def _blocks(self, block: Block) -> list[tuple[int, int, Any, Block]]:
        """First neuron, the one after the last, engine and part of the block of each device that has neurons."""
        return [
            (start, stop, self._engines[k], self._part(block, k, start, stop)) for k, start, stop in self._shares(block)
        ]

    def _part(self, block: Block, k: int, start: int, stop: int) -> Block:
        def own(values: Mapping[str, Any]) -> dict[str, Any]:
            return _own(values, k)

        whole = block.outputs
        neurons, traces = self._chosen(whole.neurons, k, start, stop), own(whole.traces)
        if neurons is not None:
            traces = traces if len(neurons) else {}
        moments = None if whole.moments is None else Moments(**own(vars(whole.moments)))
        kept = None if whole.kept is None else replace(whole.kept, rows=own(whole.kept.rows))
        phase = whole.phase if traces else -1
        return replace(
            block,
            state=own(block.state),
            parameters=own(block.parameters),
            first_index=block.first_index + start,
            inputs={name: self._source(source, start, stop) for name, source in block.inputs.items()},
            outputs=replace(whole, traces=traces, neurons=neurons, phase=phase, moments=moments, kept=kept),
            spike_flag=None if block.spike_flag is None else block.spike_flag.parts[k],
        )

    def _source(self, source: Source, start: int, stop: int) -> Source:
        """A device's part of an input; the same one for the same input, so that what is held is sent once."""
        is_drawn = source.counts is not None or source.deliveries is not None
        is_shared = source.numbers is not None or source.values.shape[1] == 1
        if is_shared and not is_drawn:
            return source
        parts = self._sources.setdefault(source, {})
        if start not in parts:
            given = source.given if is_shared else np.ascontiguousarray(source.values[:, start:stop])
            counts = None if source.counts is None else source.counts.share(start, stop)
            deliveries = None if source.deliveries is None else source.deliveries.share(start, stop)
            parts[start] = Source(given, source.noise, source.seed, source.numbers, counts, deliveries)
        return parts[start]

    def _chosen(self, neurons: Array | None, k: int, start: int, stop: int) -> Array | None:
        """A device's recorded neurons; the same array for the same choice."""
        if neurons is None:
            return None
        if self._choice is None or self._choice[0] is not neurons:
            self._choice = (neurons, {})
        parts = self._choice[1]
        if k not in parts:
            parts[k] = neurons[(neurons >= start) & (neurons < stop)] - start
        return parts[k]

    def longest(self, block: Block) -> int:
        """Most steps of a block that all devices take."""
        return min(engine.longest(part) for _, _, engine, part in self._blocks(block))

    def submit(self, block: Block) -> Pending:
        """Submit each device's part."""
        parts: list[tuple[int, Pending]] = []
        try:
            for start, _, engine, part in self._blocks(block):
                parts.append((start, engine.submit(part)))
        except (
            BackendError
        ) as problem:  # the devices that began finish, so that none has a block under way that nobody waits for
            for _, pending in parts:
                pending()
            raise BackendError(
                f"{problem}; neurons of the devices before it are a block ahead now: reset the population, "
                "or make it anew"
            ) from problem

        def wait() -> Advanced:
            found = [(start, pending()) for start, pending in parts]
            bad = [start + part.bad_neuron for start, part in found if part.bad_neuron is not None]
            steps = [part.bad_step for _, part in found if part.bad_step is not None]
            spikes = (
                _merged([(start, part.spikes) for start, part in found]) if block.outputs.events and not steps else None
            )
            return Advanced(
                spikes, min(bad, default=None), min(steps, default=None), any(part.is_repeated for _, part in found)
            )

        return wait

    def pull_back(self, block: Block, pullback: Pullback) -> bool:
        """Have each device go back through its part."""
        waiting = []
        for k, start, stop in self._shares(block):
            part = replace(
                pullback,
                kept=replace(pullback.kept, rows=_own(pullback.kept.rows, k)),
                given={name: self._cotangent(given, start, stop) for name, given in pullback.given.items()},
                counts={name: self._cotangent(given, start, stop) for name, given in pullback.counts.items()},
                states=_own(pullback.states, k),
                inputs=_own(pullback.inputs, k),
                parameters=_own(pullback.parameters, k),
            )
            waiting.append(self._engines[k].launch_back(self._part(block, k, start, stop), part))
        found = [wait() for wait in waiting]  # for all of them, whatever the first one says
        return any(found)

    def _cotangent(self, given: Cotangent, start: int, stop: int) -> Cotangent:
        """A device's part of a gradient; the same one for the same gradient, so that it is sent once."""
        if given.values.shape[1] == 1:
            return given
        parts = self._cotangents.setdefault(given, {})
        if start not in parts:
            parts[start] = given.share(start, stop)
        return parts[start]

    def finish(self) -> None:
        """Wait for all devices."""
        for engine in self._engines:
            engine.finish()

    def recover(self) -> None:
        """Take blocks again after one of them failed."""
        for engine in self._engines:
            engine.recover()

    def prepare(self, block: Block) -> PreparedStep:
        """The block's one step as a function."""
        parts = [(start, stop, engine.prepare(part)) for start, stop, engine, part in self._blocks(block)]

        def step(first_step: int, inputs: Mapping[str, Source], count: Callable[[], object]) -> int | None:
            bad = []
            with SignalsDeferred():
                for start, stop, advance in parts:
                    own = {name: self._source(source, start, stop) for name, source in inputs.items()}
                    found = advance(first_step, own, int)  # counted once, when all are made
                    if found is not None:
                        bad.append(start + found)
                count()
            return min(bad, default=None)

        return step


def _own(values: Mapping[str, Any], k: int) -> dict[str, Any]:
    """A device's parts of arrays that are split."""
    return {name: value.parts[k] if isinstance(value, ShardedArray) else value for name, value in values.items()}


def _merged(parts: Sequence[tuple[int, Any]]) -> Spikes:
    """All devices' spikes on the host, by step and then neuron."""
    fetched = [
        Spikes(fetch(s.step), fetch(s.neuron) + start, *(None if x is None else fetch(x) for x in (s.event, s.offset)))
        for start, s in parts
    ]
    whole = join_spikes(fetched, np.zeros(0, np.int64))
    if whole.offset is not None:
        return in_order(whole)
    return whole.where(np.argsort(whole.step, kind="stable"))  # neurons of later parts have higher numbers
