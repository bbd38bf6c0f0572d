"""A population whose neurons are spread over the workers of a cluster."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np

from izhigen.cluster import checkpoints, shards
from izhigen.cluster.connection import Connection
from izhigen.cluster.inputs import ClusterInputs
from izhigen.cluster.lazily import Grid, delayed, is_dask, on_client
from izhigen.cluster.runs import Runner, kinds, recording_of
from izhigen.cluster.shards import PER_NEURON
from izhigen.cluster.stores import ClusterStore
from izhigen.codegen.request import KernelRequest
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.memory.layout import Layout, check_neurons
from izhigen.memory.pieces import cut_of
from izhigen.model.additions import REFRACTORY
from izhigen.model.model import Declaration
from izhigen.population.base import BasePopulation
from izhigen.population.checks import check_first_index, check_step, read_options
from izhigen.population.distributions import Distribution
from izhigen.population.exclusive import Use, exclusive
from izhigen.population.progress import Progress, progress_bar, read_progress
from izhigen.population.training import read_training, with_spike_reset
from izhigen.population.values import check_value_names, plain_values, times_of, value_of
from izhigen.recording.plan import recorded_names
from izhigen.recording.recording import Recording
from izhigen.recording.store import Header, check_new
from izhigen.scalars import check_count, read_flag
from izhigen.signals import Interruptible
from izhigen.timegrid import count_steps

if TYPE_CHECKING:
    from izhigen.codegen.kernel import Kernel

Array = Any
Future = Any

SHARDS_A_THREAD = 4
"""So that workers of different speed, and more of them, can share the work."""
LEAST_NEURONS = 1 << 12
"""Of a shard, about."""
MOST_BYTES = 1 << 25
"""Of a shard's states; a copy of them leads back to the step in which one is not finite."""


class ClusterPopulation(BasePopulation):
    """Neurons of one model on a Dask cluster, as :class:`~izhigen.population.Population` has them on one machine.

    Made by :meth:`izhigen.Model.population` with ``cluster=``. Each shard, a range of the neurons, lies with a worker;
    results are the same bits as on one machine, for any number of workers. States, parameters that differ between
    neurons, and what runs record are ``dask.array``s whose blocks stay there: they show what was when they were asked
    for, and are assigned whole, ``pop.V = values``.

    A shard whose worker died is made again from the last :meth:`checkpoint`, or from the beginning, on another one.
    """

    def __init__(self, model: Declaration, cluster: Any, options: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        check_value_names(model, values)
        self._refuse(options)
        self._set_up(model, Connection(cluster), options)
        parameters = {name: values.get(name, default) for name, default in model.parameters.items()}
        given = {**parameters, **{name: value for name, value in values.items() if name not in parameters}}
        cut: dict[str, Any] = {name: self._cut(name, value) for name, value in given.items()}
        self._uniform |= {name: cut[name] if isinstance(cut[name], float) else None for name in model.parameters}
        kept: dict[str, Any] = {name: value for name, value in cut.items() if name in values}
        self._check_workers()
        fresh = []
        for number, piece in enumerate(self._grid.pieces):
            plain: dict[str, Any] = {n: v if isinstance(v, float) else v[number] for n, v in kept.items()}
            parts = {n: v for n, v in plain.items() if self._connection.is_future(v)}
            plain = {n: v for n, v in plain.items() if n not in parts}
            made = (self._model, self._shard_options(piece.count), plain, parts, piece.first)
            fresh.append(self._connection.submit(shards.make, *made))
        self._become(fresh)

    @classmethod
    def restored(cls, path: Any, kind: type[Declaration], cluster: Any, options: Mapping[str, Any]) -> Self:
        """The population of a checkpoint, on a cluster; see :func:`izhigen.restore`."""
        new = object.__new__(cls)
        found = checkpoints.read(path, kind, options)
        cls._refuse(found.saved.options)
        new._set_up(found.saved.model, Connection(cluster), found.saved.options)
        new._steps, new._first_index = found.saved.steps_done, found.saved.first_index
        new._uniform = dict(found.saved.parameters)
        new._check_workers()
        new._become(checkpoints.shards_of(new._connection, new._grid, found))
        return new

    @staticmethod
    def _refuse(options: Mapping[str, Any]) -> None:
        """Refuse what a cluster decides itself, and what has no meaning there."""
        for name in ("device", "sharding"):
            if options[name] is not None:
                raise ValueShapeError(
                    f"{name}= and cluster= exclude each other: a worker takes the device that it sees"
                )
        if options["training"] is not None:
            raise ValueShapeError("a population on a cluster computes no gradients; leave surrogate= out")

    def _set_up(self, model: Declaration, connection: Connection, options: Mapping[str, Any]) -> None:
        self._model, self._options, self._connection = model, dict(options), connection
        self._whole = Layout(options["size"], options["batch"], options["dtype"])
        self._uses: dict[str, Use] = {}
        self._uniform: dict[str, float | None] = {}
        self._shards: list[Future] = []
        self._steps = self._first_index = 0
        count, bytes_each = self._layout.count, 8 * (len(model.states) + 1)
        by_threads = -(-count // (SHARDS_A_THREAD * connection.threads))
        most = max(LEAST_NEURONS, min(by_threads, MOST_BYTES // bytes_each))
        self._grid = Grid(self._layout.shape, *cut_of(self._layout.shape, most))

    def _shard_options(self, count: int) -> dict[str, Any]:
        return {**self._options, "size": (count,), "batch": None}

    def _check_workers(self) -> None:
        """See that all workers can make shards; kernels are built, once a machine, on the way."""
        self._connection.check()
        self._connection.ask_all(shards.build, self._request(), self.backend)

    def _cut(self, name: str, value: Any) -> Any:
        """A number, or the value of each shard: flat arrays, distributions, or futures of a Dask array."""
        if is_dask(value):
            if value.shape != self._layout.shape:
                raise ValueShapeError(f"{name} has shape {value.shape}, but the population has {self._layout.shape}")
            return self._connection.client.compute(self._grid.parts(value))
        if isinstance(value, Distribution) and self._layout.batch is None:
            return [value.begin_at(value.first_index + piece.first) for piece in self._grid.pieces]
        found: Any = value_of(self._model, name, value, self._layout, self._options["seed"])
        if isinstance(found, float):
            return found
        return [found[piece.first : piece.last] for piece in self._grid.pieces]

    def _become(self, made: list[Future]) -> None:
        """Take other shards once all are made; after an error, or Ctrl-C, all is as it was."""
        self._connection.wait(made, lambda: False)
        self._shards = made

    # -- copies -----------------------------------------------------------------------------------------------------

    @exclusive
    def __copy__(self) -> Self:
        """A population of its own on the same cluster, which goes on from the same step."""
        new = object.__new__(type(self))
        for name, value in self.__dict__.items():
            setattr(new, name, value)
        new._shards, new._uniform, new._uses = list(self._shards), dict(self._uniform), {}
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same: shards do not change, so copies share them."""
        return self.__copy__()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a population on a cluster cannot be pickled; write it with pop.checkpoint(path)")

    @exclusive
    def checkpoint(self, path: str | Path) -> None:
        """Write the population to a folder that the client and all workers see, each worker its own shards; from then
        on shards are made again from there. :func:`izhigen.restore` gives the population again, on a cluster or not.

        Parameters
        ----------
        path : str or Path
            A folder: new, empty, or one with a checkpoint, which is replaced once the new one is whole.

        Raises
        ------
        RecordingError
            Where something else is there, or the disk refuses; a checkpoint that was there is as it was.
        ClusterError
            Where a worker does not see the folder; names it.
        """
        self._become(checkpoints.write(path, self._connection, self._grid, self._shards, self._options))

    @exclusive
    def reset(self, batch: int | EllipsisType | None = ...) -> None:
        """Set the states to their initial values and time to 0; another batch axis needs another population."""
        if batch is not ... and batch != self.batch:
            raise ValueShapeError("a population on a cluster keeps its batch axis; make another with batch=")
        self._become([self._connection.submit(shards.reset, shard) for shard in self._shards])
        self._steps = 0

    @exclusive
    def begin_at(self, step: int, first_index: int | None = None) -> None:
        """Count steps, and neurons, from others than 0 on; see :meth:`izhigen.Population.begin_at`."""
        step = check_step(step)
        first = self._first_index if first_index is None else check_first_index(first_index)
        starts = [first + piece.first for piece in self._grid.pieces]
        self._become([self._connection.submit(shards.begin_at, *both, step) for both in zip(self._shards, starts)])
        self._steps, self._first_index = step, first

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def _layout(self) -> Layout:
        return self._whole

    @property
    def method(self) -> str:
        """Name of the integration method."""
        return self._request().program().method

    @property
    def kernel(self) -> Kernel:
        """The kernel of the present placement of parameters, without instantaneous inputs."""
        return self._request().kernel()

    def _request(self) -> KernelRequest:
        per_neuron = tuple(name for name, value in self._uniform.items() if value is None)
        request = (self._model, self._options["method"], self.dtype.name, per_neuron)
        return KernelRequest(*request, spike_timing=self.spike_timing)

    @property
    def t(self) -> float:
        """Time in ms: the number of steps since the last reset times dt."""
        return self._steps * self.dt

    @property
    def shards(self) -> int:
        """Into how many ranges of neurons the population is cut."""
        return len(self._shards)

    @property
    def state(self) -> StateArrays:
        """States by name, as Dask arrays; assignment replaces them."""
        return StateArrays(self)

    @property
    def parameters(self) -> ParameterArrays:
        """Parameters by name: a float, or a Dask array; assignment takes effect in the next step."""
        return ParameterArrays(self)

    @property
    def spike(self) -> Any:
        """Who spiked in the last step, a Dask array of bool in the population's shape."""
        return self._array("spike", np.dtype(bool))

    @property
    def _where(self) -> str:
        return f" on a cluster: {'x'.join(map(str, self.shape))} neurons in {self.shards} shards"

    def _array(self, name: str, dtype: Any) -> Any:
        """A state or parameter of all shards."""
        held = list(self._shards)
        whole = self._grid.whole(lambda number, shape: delayed(shards.state_of, held[number], name, shape), dtype)
        return on_client(whole, self._connection.client)

    def _type_of(self, name: str) -> Any:
        if name == REFRACTORY.name and self._model.is_held_for_a_time:
            return np.dtype(bool)
        return np.dtype(np.float64) if name in times_of(self._model) else self.dtype

    @exclusive
    def _assign(self, name: str, value: Any) -> None:
        cut = self._cut(name, value)
        values = [cut] * len(self._shards) if isinstance(cut, float) else cut
        made = zip(self._shards, values, self._grid.pieces)
        self._become([self._connection.submit(shards.with_value, shard, name, own, p.first) for shard, own, p in made])
        if name in self._uniform:
            self._uniform = {**self._uniform, name: cut if isinstance(cut, float) else None}

    # -- stepping ---------------------------------------------------------------------------------------------------

    def step(self, *, check_finite: bool = True, **inputs: Any) -> Any:
        """Advance by one step; who spiked, as :attr:`spike`. A run has far less to tell the workers."""
        self.run(steps=1, record=(), progress=False, check_finite=check_finite, **inputs)
        return self.spike

    @exclusive
    def run(
        self,
        duration: float | None = None,
        *,
        steps: int | None = None,
        record: str | Iterable[str] | None = None,
        every: int = 1,
        neurons: Any = None,
        progress: Progress = None,
        check_finite: bool = True,
        out: str | Path | None = None,
        **inputs: Any,
    ) -> Recording:
        """Advance by a duration and write down what is asked for; see :meth:`izhigen.Population.run`.

        The recording's arrays are Dask arrays, whose blocks stay with the workers until they are used;
        :meth:`Recording.to_host` brings all of it here. With ``out`` the workers write their rows to that store, in a
        folder that all of them see. Inputs may be Dask arrays, too.

        Raises
        ------
        ClusterError
            Where workers are gone, or one of them fails; the population then stands after the last stretch of steps
            that all made.
        """
        if inputs.pop("tape", False) is not False:
            raise ValueShapeError("a run on a cluster has no tape: gradients are computed on one machine")
        place = None if out is None else check_new(out).absolute()
        check_finite = read_flag(check_finite, "check_finite")
        progress = read_progress(progress)
        count, every = count_steps(duration, steps, self.dt), check_count("every", every)
        plain = plain_values(self._model, inputs)
        drives = ClusterInputs(self._model, self._layout, self._grid, self._connection, self._options, plain)
        drives.check(self._steps, count)
        names = recorded_names(record, self._model, drives.names)
        events = [name for name in self._model.event_numbers if name in names]
        chosen, _ = check_neurons(neurons, self._layout.count)
        places = self._places(chosen)
        own = [None if chosen is None else chosen[p] - piece.first for p, piece in zip(places, self._grid.pieces)]
        order = shards.Order(0, tuple(names), every, check_finite)
        runner = Runner(self._connection, self._grid, self._shards, order, own, drives.of, self._steps, self.dt)
        with Interruptible() as signals, progress_bar(progress, count, f"{count * self.dt:g} ms") as bar:
            try:
                if place is not None:
                    self._open_store(runner, place, chosen, places, events, count)
                interrupted = runner.run(count, signals.look, bar.update, self._connection.threads)
            finally:
                self._shards, self._steps = runner.shards, runner.start + runner.done
        if runner.store is None:
            return recording_of(runner, chosen, places, events, interrupted)
        last = runner.stretches[-1]
        types = {name: runner.types[name] for name in kinds(runner.types)[0]}
        return runner.store.finish(last.figures, types, (runner.start + runner.done) * self.dt, interrupted)

    def _open_store(
        self, runner: Runner, path: Path, chosen: Array, places: list[Array], events: list[str], count: int
    ) -> None:
        """Make a store for what the run records."""
        first = runner.open()
        report = first.reports[0]
        _, apart, traces = kinds(report.types)
        row = self._layout.shape if chosen is None else chosen.shape
        header = Header(
            self._layout.shape,
            chosen,
            report.info,
            self.t,
            {name: report.types[name] for name in traces},
            tuple(events),
            count // runner.order.every,
            {name: np.broadcast_to(np.zeros((), report.types[PER_NEURON + name]), row) for name in apart},
        )
        runner.store = ClusterStore(path, header, self._connection, self._grid, places)
        runner.store.add_apart(first.recordings)

    def _places(self, chosen: Array) -> list[Array]:
        """Where the chosen neurons of each shard stand among all that are chosen."""
        if chosen is None:
            return [np.zeros(0, np.int64)] * len(self._grid.pieces)
        return [np.flatnonzero((chosen >= p.first) & (chosen < p.last)) for p in self._grid.pieces]


class StateArrays(Mapping[str, Any]):
    """States of a population on a cluster."""

    def __init__(self, population: ClusterPopulation) -> None:
        self._population = population

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str) or name not in tuple(self):
            raise KeyError(f"no state {shown(name)}{suggest(name, self)} (states: {', '.join(self)})")
        return self._population._array(name, self._population._type_of(name))

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(name, str) and name == REFRACTORY.name and self._population.model.is_held_for_a_time:
            raise ValueShapeError("'refractory' follows from t_last_spike and tau_ref; set those")
        if not isinstance(name, str) or name not in tuple(self):
            self[name]  # says which there are
        self._population._assign(name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._population.model.all_states)

    def __len__(self) -> int:
        return len(self._population.model.all_states)


class ParameterArrays(MutableMapping[str, Any]):
    """Parameters of a population on a cluster."""

    def __init__(self, population: ClusterPopulation) -> None:
        self._population = population

    def __getitem__(self, name: str) -> Any:
        values = self._population._uniform
        if not isinstance(name, str) or name not in values:
            raise KeyError(f"no parameter {shown(name)}{suggest(name, values)} (parameters: {', '.join(values)})")
        number = values[name]
        return self._population._array(name, self._population._type_of(name)) if number is None else number

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str) or name not in self._population._uniform:
            raise ValueShapeError(
                f"model {self._population.model.name!r} has no parameter {shown(name)}{suggest(name, self)}"
            )
        self._population._assign(name, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError("parameters can be changed, not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._population._uniform)

    def __len__(self) -> int:
        return len(self._population._uniform)


def on_cluster(model: Declaration, cluster: Any, size: Any, *, spike_reset: Any, **options: Any) -> Any:
    """A population by the arguments of :meth:`izhigen.Model.population`."""
    names = ("surrogate", "detach_spike", "spike_scale", "smooth_spikes")
    training = read_training(*(options.pop(name) for name in names))
    of_options = inspect.signature(read_options).parameters
    own = {name: options.pop(name) for name in tuple(options) if name in of_options}
    return ClusterPopulation(
        with_spike_reset(model, spike_reset), cluster, read_options(size, training=training, **own), options
    )
