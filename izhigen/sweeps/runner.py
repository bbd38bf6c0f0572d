"""A sweep: all parameter sets as the neurons of populations, a piece at a time."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from izhigen.api import Model
from izhigen.errors import ValueShapeError, shown
from izhigen.memory.space import fetch
from izhigen.model.model import Declaration
from izhigen.population.progress import progress_bar
from izhigen.recording.events import EventList
from izhigen.recording.recording import Recording
from izhigen.scalars import check_count
from izhigen.signals import Interruptible
from izhigen.sweeps.measures import COUNT, NO_COUNT
from izhigen.sweeps.results import InMemory, Results
from izhigen.sweeps.sets import Place, cut_of, pieces
from izhigen.sweeps.store import InStore
from izhigen.sweeps.task import Task, attributes_of, key_of, read_task
from izhigen.timegrid import check_dt, count_steps

Array = Any

MEMORY = 1 << 28
"""Bytes that a piece may take."""
MOST_IN_PIECE = 1 << 16
"""Sets of a piece, at most: a long sweep shows how far it is, and can be broken off, between pieces."""


def sweep(
    model: Declaration,
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
    progress: bool | None = None,
    **options: Any,
) -> Any:
    """Run a model with many parameter sets, all of them neurons of one population, without a rebuild:
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
    measure : str, callable, iterable of these, or mapping of str to callable
        What is kept of every set: ``"count"``, ``"rate"`` (Hz, count over duration), ``"first_spike"`` (ms) and
        ``"isi"`` (``isi_mean`` and ``isi_std``, ms) of its spikes, and ``"cv"``, the latter over the former; a state,
        input or algebraic line, which is traced; ``"spike"`` or another event, every time that it happened; and
        functions of a recording whose neurons are some of the sets, which return one number, or one row of numbers, a
        neuron.
    record : str or iterable of str
        What else such functions read.
    repeats : int
        Of every set, along a last dimension ``"repeat"``: for models with noise.
    every : int
        Trace every that many steps.
    out : path, optional
        A Zarr store, ``"sweep.zarr"``, that the result is written to piece by piece. The same call goes on with one
        that was broken off.
    memory : float
        Bytes that a piece of the sweep may take; results do not depend on it.
    progress : bool, optional
        Show a progress bar with the time left; by default on a terminal when it takes more than a second.
    **options
        As :meth:`izhigen.Model.population` takes them: dt, method, spike_timing, backend, dtype, threads, seed, device
        and so on. Also parameters and initial states by name, for all sets: a number, an array in the shape of the
        sweep without repeats, or a callable ``f(n, rng)`` of the number of all sets; and inputs.

    Returns
    -------
    xarray.Dataset
        With the dimensions of the grid and units. A set that became infinite or undefined has NaN (count -1), as have
        those not made when Ctrl-C ended the sweep. ``attrs`` say how many sets were made (``sets_done``) and were not
        finite, and what was run. Noise is keyed by the seed and the place of a set in flat order. Events are in
        ``spike_time`` (ms) and ``spike_set_index``, the flat index of the set, by set and then time.

    Raises
    ------
    ValueShapeError
        For a name that is no parameter, state or input; for values that are no finite numbers; for a result that does
        not fit in memory.
    RecordingError
        Where xarray is missing; where ``out`` holds something else, or its disk has no room.
    """
    if not isinstance(model, Model):
        raise ValueShapeError(f"sweep takes a model, such as iz.load('RS'), not {shown(model)}")
    task = read_task(model, values, options, repeats, measure, record)
    dt = check_dt(task.options.get("dt", 0.1))
    count = count_steps(duration, steps, dt)
    task = dataclasses.replace(task, steps=count, every=check_count("every", every))
    results = _results(task, out, memory)
    return _Sweep(task, results).go(progress)


def _results(task: Task, out: Any, memory: float) -> Results:
    """Where the values go, and how the sets are cut into pieces."""
    dtype = np.dtype(task.options.get("dtype", "float32"))
    values = task.bytes_a_set(dtype.itemsize)
    numbers = len(task.model.states) + len(task.sets.columns) + len(task.fixed) + len(task.model.inputs)
    most = int(max(1, min(MOST_IN_PIECE, memory // (2 * values + 16 * numbers))))
    cut = cut_of(task.sets.shape, most, task.sets.apart)
    about = attributes_of(task)
    made = InMemory(task.sets, about, cut) if out is None else InStore(out, task.sets, about, key_of(task), cut)
    made.check_room(values * task.sets.count)
    return made


class _Sweep:
    """A sweep under way."""

    def __init__(self, task: Task, results: Results) -> None:
        self._task, self._results, self._not_finite = task, results, 0
        self._first_bad: int | None = None

    def go(self, progress: bool | None) -> Any:
        """All pieces that are left; the Dataset."""
        task, results = self._task, self._results
        places = [p for p in pieces(task.sets.shape, *results.cut) if p.first >= results.done]
        with Interruptible() as signals, progress_bar(progress, task.sets.count, 1.0, unit="set") as bar:
            bar.update(results.done)
            for place in places:
                if signals.look() or not self._make(place):
                    break
                bar.update(place.last - place.first)
            is_whole = results.done == task.sets.count
            signals.look()
        self._warn()
        return results.dataset(interrupted=not is_whole)

    def _make(self, place: Place) -> bool:
        """A piece; whether it was made whole."""
        task = self._task
        population = task.population(place)
        recording = population.run(
            steps=task.steps,
            record=task.measures.record,
            every=task.every,
            progress=False,
            check_finite=False,
            **task.inputs(place),
        )
        if recording.interrupted:
            return False
        recording = recording.to_host()
        finite = np.all([np.isfinite(fetch(population.state[s])) for s in task.model.states], axis=0)
        values = task.measures.values(recording)
        variables = task.measures.variables(values, task.model.unit_of)
        self._results.begin(variables, np.asarray(recording.t))
        bad = np.flatnonzero(~finite)
        for name, array in values.items() if len(bad) else ():
            values[name] = array.copy()
            values[name][bad] = variables[name].fill
        events = self._events(recording, place)
        if len(bad) and self._first_bad is None:
            self._first_bad = place.first + int(bad[0])
        self._not_finite += len(bad)
        self._results.put(place, values, events, len(bad))
        return True

    def _events(self, recording: Recording, place: Place) -> dict[str, EventList]:
        """The events of a piece, with flat indices of their sets."""
        found = {name: recording.lists[name] for name in self._task.measures.events}
        return {n: EventList(np.asarray(f.times), np.asarray(f.indices) + place.first) for n, f in found.items()}

    def _warn(self) -> None:
        if self._first_bad is None:
            return
        sets = self._task.sets
        at = sets.at(self._first_bad).items()
        where = ", ".join(f"{name}={v if isinstance(v, str) else format(v, 'g')}" for name, v in at) or "no parameter"
        warnings.warn(
            f"{self._not_finite} of {sets.count} sets became infinite or undefined, the first with {where}; they have "
            f"NaN, and a count of {NO_COUNT}. Take a smaller dt, or leave them out",
            RuntimeWarning,
            stacklevel=4,
        )
