"""A sweep: all parameter sets as the neurons of populations, a piece at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from izhigen.api import Model
from izhigen.cluster.connection import Connection, is_asked_for
from izhigen.errors import ValueShapeError, shown
from izhigen.memory.pieces import Piece, cut_of, pieces
from izhigen.population.progress import Bar, Progress, Share, progress_bar, read_progress
from izhigen.scalars import read_finite
from izhigen.signals import Interruptible
from izhigen.sweeps.making import MadePiece, make_piece
from izhigen.sweeps.measures import COUNT, TIME, Variable
from izhigen.sweeps.results import Coordinate, InMemory, Results, Room, check_same, result_bytes
from izhigen.sweeps.store import InStore
from izhigen.sweeps.task import Task, key_of, read_task

if TYPE_CHECKING:
    import xarray

Array = Any

MEMORY = 1 << 28
"""Bytes that a piece may take."""
MOST_IN_PIECE, LEAST_IN_PIECE = 1 << 16, 1 << 10
"""Sets of a piece, at most, and those that are run together however long they take."""
PIECES_A_THREAD, LEAST_SHARED = 4, 1 << 6
"""Pieces for each thread of a cluster, about, and sets of the smallest."""
WORK_IN_PIECE = 1e9
"""Neuron-steps of a piece, about: what a kill can cost."""


def sweep(
    model: Model,
    values: Any,
    duration: float | None = None,
    *,
    steps: int | None = None,
    measure: Any = COUNT,
    record: str | Iterable[str] = (),
    repeats: int = 1,
    every: int = 1,
    out: Any = None,
    memory: float = MEMORY,
    progress: Progress = None,
    cluster: Any = None,
    **options: Any,
) -> xarray.Dataset:
    """Run a model with many parameter sets, as neurons of populations whose kernel is built once:
    ``iz.sweep(model, {"a": np.linspace(0.02, 0.1, 50), "I": range(20)}, duration=500.0, measure="rate")``.

    Parameters
    ----------
    model : Model
    values : mapping or table
        Of a grid, by name: several numbers in a row for a parameter, an initial state or an input make a dimension, in
        the order of the mapping; so do several texts in t or stimuli for an input. One value serves all sets: a number;
        for an input text in t, a stimulus of ``izhigen.inputs``, or one row a step ``(T, 1)``. A table (a frame of
        pandas or polars, :func:`latin_hypercube`, :func:`sobol`) has one set a row, along the dimension ``"set"``.
    duration : float
        ms of every set; a whole number of steps.
    steps : int
        Number of steps, in place of ``duration``.
    measure : str, callable, mapping of str to callable, or iterable of these
        What is kept of every set: ``"count"``, ``"rate"`` (Hz, count over duration), ``"first_spike"`` (ms) and
        ``"isi"`` (``isi_mean`` and ``isi_std``, ms) of its spikes, and ``"cv"``, the latter over the former; a state,
        input or algebraic line, which is traced; ``"spike"`` or another event, every time that it happened; and
        functions of a recording whose neurons are some of the sets, which look at each neuron on its own and return one
        number, or one row of numbers, a neuron; a trace has times first, ``recording["V"].T`` a neuron a row.
    record : str or iterable of str
        What else such functions read.
    repeats : int
        Of every set, along a last dimension ``"repeat"``: for models with noise.
    every : int
        Trace every that many steps.
    out : path, optional
        A Zarr store, ``"sweep.zarr"``, that the result is written to piece by piece. The same call goes on with one
        that was broken off; a function counts as the same where its code is.
    memory : float
        Bytes that a piece of the sweep may take, about; results do not depend on it.
    progress : bool or bar, optional
        Show a progress bar with the time left; by default on a terminal when it takes more than a second. Or move one
        on: anything with ``update(sets)``.
    cluster : dask.distributed.Client or True, optional
        Have the workers of a Dask cluster make the pieces, or threads of this process; results do not depend on it.
        With ``out`` they write to the store, which all of them must see.
    **options
        As :meth:`izhigen.Model.population` takes them: dt, method, spike_timing, backend, dtype, threads, seed, device
        and so on. Also parameters and initial states by name, for all sets: a number, an array in the shape of the
        sweep without repeats, or a callable ``f(n, rng)`` of the number of all sets; and inputs.

    Returns
    -------
    xarray.Dataset
        With the dimensions of the grid, units, and numbers given for all sets as coordinates. Values are in floating
        point; a set that became infinite or undefined has NaN and no events, as have those that were not made when
        Ctrl-C ended the sweep (``attrs``: ``sets_done``, ``not_finite``, ``interrupted``, and what was run). Noise is
        keyed by the seed and the place of a set. Events are in ``spike_time`` (ms) and ``spike_set_index``, the flat
        index of the set (``numpy.unravel_index`` over the dimensions); those of a set stand in a row, by time.

    Raises
    ------
    ValueShapeError
        For a name that is no parameter, state or input; for values that are no finite numbers; for a result that does
        not fit in memory.
    RecordingError
        Where xarray is missing; where ``out`` holds something else, or its disk has no room.
    ClusterError
        Where a worker cannot make pieces; names it.
    """
    if not isinstance(model, Model):
        raise ValueShapeError(f"sweep takes a model, such as iz.load('RS'), not {shown(model)}")
    of_run: dict[str, Any] = {"time": (duration, steps), "repeats": repeats, "every": every}
    task = read_task(model, values, options, measure=measure, record=record, **of_run)
    progress, room = read_progress(progress), read_finite(memory, "memory")
    if room <= 0:
        raise ValueShapeError(f"memory={shown(memory)} is no number of bytes above 0")
    connection = Connection(cluster) if is_asked_for(cluster) else None
    return _Sweep(task, _results(task, out, room, 1 if connection is None else connection.threads)).go(
        progress, connection
    )


def _results(task: Task, out: Any, memory: float, threads: int) -> Results:
    """Where the values go, and how the sets are cut into pieces: on a cluster, so that every thread has some."""
    sets, measures = task.sets, task.measures
    values = measures.bytes_of_result(task.rows, task.itemsize)
    events = [event.name for event in task.model.events]
    recorded = measures.bytes_of_run(task.rows, task.itemsize, task.duration, events)
    numbers = len(task.model.states) + len(sets.columns) + len(task.fixed) + len(task.model.inputs)
    by_memory = memory // (2 * max(values, recorded) + 16 * numbers)
    by_work = max(LEAST_IN_PIECE, WORK_IN_PIECE // max(task.steps, 1))
    shared = sets.count if threads == 1 else max(LEAST_SHARED, -(-sets.count // (PIECES_A_THREAD * threads)))
    cut = cut_of(sets.shape, int(max(1, min(MOST_IN_PIECE, by_memory, by_work, shared))), sets.apart)
    about = (sets, task.coordinates, task.attributes)
    made: Results = InMemory(*about, cut) if out is None else InStore(out, *about, key_of(task), cut, measures.events)
    made.check_room(values * sets.count)
    return made


class _Sweep:
    """A sweep under way."""

    def __init__(self, task: Task, results: Results) -> None:
        self._task, self._results = task, results
        self._variables: Mapping[str, Variable] | None = None
        self._not_finite, self._first_bad = 0, -1

    def go(self, progress: Progress, connection: Connection | None) -> Any:
        """All pieces that are left; the Dataset."""
        sets, results = self._task.sets, self._results
        left = (piece for piece in pieces(sets.shape, *results.cut) if piece.first >= results.done)
        with Interruptible() as signals, progress_bar(progress, sets.count, f"{sets.count} sets", "set") as bar:
            bar.update(results.done)
            for made in self._made(left, connection, signals.look, bar):
                if made is None:
                    break
                self._take(made)
        self._warn()
        return results.dataset(interrupted=results.done < sets.count)

    def _made(
        self, left: Iterator[Piece], connection: Connection | None, look: Callable[[], bool], bar: Bar
    ) -> Iterator[MadePiece | None]:
        """The pieces one after the other, which move the bar on; None where an interrupt ends them."""
        if connection is not None:
            from izhigen.sweeps.cluster import made_on_cluster

            for made in made_on_cluster(self._task, left, connection, look, self._room_of_others):
                yield made
                bar.update(0 if made is None else made.piece.count)
            return
        for piece in left:
            yield None if look() else make_piece(self._task, piece, Share(bar, piece.count, self._task.steps))

    def _room_of_others(self) -> Room | None:
        """Where workers may write values themselves, once the first piece is there."""
        return None if self._variables is None else self._results.room_of_others(self._variables)

    def _take(self, made: MadePiece) -> None:
        """Keep a piece; those after the first have the same variables."""
        if self._variables is None:
            self._variables = made.variables
            self._begin(made.variables, made.time)
        check_same(made.variables, self._variables)
        self._results.put(made.piece, made.values, made.events, len(made.bad))
        if len(made.bad) and self._first_bad < 0:
            self._first_bad = made.piece.first + int(made.bad[0])
        self._not_finite += len(made.bad)

    def _begin(self, variables: Mapping[str, Variable], time: Array) -> None:
        """Make ready for the values of all pieces."""
        self._results.check_room(result_bytes(self._task.sets, variables))
        traced = any(TIME in variable.extra for variable in variables.values())
        self._results.begin(variables, {TIME: Coordinate((TIME,), time, "ms")} if traced else {})

    def _warn(self) -> None:
        if not self._not_finite:
            return
        sets = self._task.sets
        at: Mapping[str, Any] = sets.at(self._first_bad)
        where = ", ".join(f"{n}={v if isinstance(v, str) else format(v, 'g')}" for n, v in at.items()) or "no parameter"
        warnings.warn(
            f"{self._not_finite} of {sets.count} sets became infinite or undefined, the first with {where}; they have "
            "NaN in the result. Take a smaller dt, or leave them out",
            RuntimeWarning,
            stacklevel=4,
        )
