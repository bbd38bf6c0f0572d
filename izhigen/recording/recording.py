"""What a run wrote down."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from izhigen.errors import RecordingError, shown, suggest
from izhigen.memory.space import beside, fetch, is_on_cluster, namespace, within_reach
from izhigen.model.events import SPIKE
from izhigen.recording.archive import event_arrays, read_archive, write_archive
from izhigen.recording.description import PER_NEURON, Description, output_path, recording_path
from izhigen.recording.events import EventList, Events, array_names
from izhigen.recording.figures import MOMENTS, UNITS, Intervals
from izhigen.recording.rates import PopulationRate, RateCurve, population_rate, rate_curve
from izhigen.recording.store import SUFFIX, Header, Piece, StoreWriter
from izhigen.recording.stored import axes_of, labelled, name_given_twice, read_store
from izhigen.scalars import read_flag, read_real

Array = Any


class GoesBack(Protocol):
    """The tape of a run."""

    def backward(self, cotangents: Mapping[str, Any], final: Mapping[str, Any], check_finite: bool) -> dict[str, Any]:
        """Gradients with respect to what the run was given."""
        ...


SPIKES_AT_ONCE = 1 << 20
"""Spikes read at once where all of them need not be in memory."""


@dataclass(frozen=True)
class Recording:
    """Traces, spikes and other events of one run.

    Values are those after a step and its reset; ``t`` is the end of each recorded step, and the time of a spike or
    another event is the end of the step in which it happened, or the place in it where events are located. All times
    are in ms. Traces, events and figures of a population on a CUDA device are CuPy arrays and stay there, those of one
    on a cluster are Dask arrays; :meth:`to_host` brings them all over.

    Attributes
    ----------
    t : array, shape (T,)
        Times of the recorded rows.
    traces : mapping
        Name of a state, input or algebraic line to an array of shape ``(T, *shape)``,
        or ``(T, m)`` for m chosen neurons.
    shape : tuple of int
        Shape of the population (with its batch axis first, if any).
    neurons : array or None
        Flat indices of the chosen neurons; None for all.
    info : mapping
        Model, method, dt, dtype, backend, seed, units and parameters of the run.
    start, stop : float
        When the run began and ended.
    lists : mapping
        Name of each recorded event, ``"spike"`` first, to its :class:`~izhigen.recording.events.EventList`;
        :attr:`events` has them in memory.
    figures : mapping
        Figures of the spikes of each neuron of a row, where recorded:
        ``count``, ``first_spike``, ``isi_mean`` and ``isi_std`` (ms).
    interrupted : bool
        Whether Ctrl-C or an error ended the run early.
    store : Path or None
        The Zarr store that the recording stands in. ``t``, traces and what is in ``lists`` are then read where they are
        indexed, as in ``recording["V"][1000:2000]``; ``np.asarray`` reads all of one.
    per_neuron : mapping
        With spikes recorded: the parameters, and the inputs held all the run, that differ between neurons; one value a
        neuron of a row.
    tape : optional
        What :meth:`backward` needs, of a run that was asked for it; it is not saved.
    """

    t: Array
    traces: Mapping[str, Array]
    shape: tuple[int, ...]
    neurons: Array
    info: Mapping[str, Any]
    start: float
    stop: float
    lists: Mapping[str, EventList] = field(default_factory=dict, repr=False)
    figures: Mapping[str, Array] = field(default_factory=dict)
    interrupted: bool = False
    store: Path | None = None
    per_neuron: Mapping[str, Array] = field(default_factory=dict, repr=False)
    tape: GoesBack | None = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> Array:
        """The trace of a state, input or line.

        ``"spike"``, or the name of another event, gives a dense bool array of the rows: whether any came since the row
        before.

        ``"count"`` and ``"first_spike"`` (ms, NaN without one) give one value a neuron,
        ``"isi"`` the :class:`~izhigen.recording.figures.Intervals`.
        """
        if not isinstance(name, str):
            raise RecordingError(f"{shown(name)} is no name (recorded: {', '.join(self.names) or 'nothing'})")
        if name in self.lists:
            found, count = self.lists[name], math.prod(self.shape) if self.neurons is None else len(self.neurons)
            with beside(found.times):
                dense = found.dense(self.t, self.info["dt"], count, self.neurons)
                return dense.reshape(len(self.t), *self.shape) if self.neurons is None else dense
        if name == "isi" and "isi_mean" in self.figures:
            return Intervals(self.figures["isi_mean"], self.figures["isi_std"])
        if name in self.figures:
            return self.figures[name]
        if name not in self.traces:
            have = self.names
            if name == SPIKE or name in MOMENTS:
                self._need_threshold()
            raise RecordingError(
                f"{shown(name)} was not recorded{suggest(name, have)} (recorded: {', '.join(have) or 'nothing'}); "
                f"ask for it with record=[{shown(name)}]"
            )
        return self.traces[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.names

    @property
    def names(self) -> list[str]:
        """Everything that can be read by ``recording[name]``."""
        figures = [group for group, names in MOMENTS.items() if names[0] in self.figures]
        return [*self.traces, *self.lists, *figures]

    @property
    def spike_times(self) -> Array:
        """Time (ms) of every spike, None where they were not recorded; :attr:`spikes` is in memory."""
        return self.lists[SPIKE].times if SPIKE in self.lists else None

    @property
    def spike_indices(self) -> Array:
        """Flat neuron index of every spike, None where they were not recorded."""
        return self.lists[SPIKE].indices if SPIKE in self.lists else None

    @property
    def events(self) -> Events:
        """Each recorded event by name, spikes too: ``(times, indices)`` in memory, as :attr:`spikes`."""
        return Events(self.lists)

    @property
    def spikes(self) -> tuple[Array, Array]:
        """``(times, indices)`` in memory: time in ms and flat neuron index of every spike, by time and then index."""
        self._need_spikes()
        return self.lists[SPIKE].in_memory()

    def _need_threshold(self) -> None:
        if not self.info.get("threshold", "unknown"):
            raise RecordingError(f"model {shown(self.info.get('model', '?'))} has no threshold, so it has no spikes")

    def _need_spikes(self) -> None:
        if self.spike_times is None:
            self._need_threshold()
        if self.spike_times is None:
            raise RecordingError(
                "spikes were not recorded; "
                "ask for them with record=['spike'], or for their number with record=['count']"
            )

    @property
    def counts(self) -> Array:
        """Spikes of each neuron in the population's shape, or of each chosen neuron."""
        if "count" in self.figures:
            return self.figures["count"]
        self._need_spikes()
        with beside(self.spike_indices):
            return self._counts()

    def _counts(self) -> Array:
        xp = namespace(self.spike_indices[:0])
        counts = xp.zeros(int(np.prod(self.shape)), np.int64)
        for part in _parts(len(self.spike_indices), SPIKES_AT_ONCE):
            counts += xp.bincount(within_reach(self.spike_indices[part]), minlength=len(counts))
        return counts.reshape(self.shape) if self.neurons is None else counts[xp.asarray(self.neurons)]

    @property
    def rates(self) -> Array:
        """Mean rate over the run in Hz, of the neurons of :attr:`counts`."""
        if self.stop <= self.start:
            raise RecordingError("the run has no duration, so there is no rate")
        counts = self.counts
        with beside(counts):
            return counts * 1000.0 / (self.stop - self.start)

    def f_i(self, name: str | None = None, *, start: float | None = None) -> RateCurve:
        """Firing rates against an input that was held all the run, or a parameter, that differs between neurons.

        Parameters
        ----------
        name : str, optional
            Of :attr:`per_neuron`; by default the first input of them, else the first parameter.
        start : float, optional
            Time in ms before which spikes are left out, as those of a transient.

        Raises
        ------
        RecordingError
            When spikes were not recorded, or nothing of that name differs between neurons.
        """
        if not self.per_neuron:
            raise RecordingError(
                "no parameter or held input differs between the neurons of this recording; give one a value per "
                "neuron, as in run(500.0, I=np.linspace(0.0, 20.0, 100)), and record spikes"
            )
        inputs = [known for known in self.per_neuron if known not in self.info.get("parameters", {})]
        chosen = name if name is not None else next(iter([*inputs, *self.per_neuron]))
        if not isinstance(chosen, str) or chosen not in self.per_neuron:
            raise RecordingError(
                f"{shown(chosen)} has no value per neuron here{suggest(chosen, self.per_neuron)} "
                f"(known: {', '.join(self.per_neuron)})"
            )
        rates = self.rates if start is None else self._rates_after(start)
        unit = self.info.get("units", {}).get(chosen, "")
        return rate_curve(chosen, unit, fetch(self.per_neuron[chosen]), fetch(rates))

    def _rates_after(self, start: float) -> Array:
        asked, start = start, read_real(start, "start", RecordingError)
        if not self.start <= start < self.stop:
            raise RecordingError(f"start={shown(asked)} is not a time of the run, {self.start:g} to {self.stop:g} ms")
        counts = np.zeros(int(np.prod(self.shape)), np.int64)
        for times, indices in self.spike_parts():
            counts += np.bincount(indices[times > start + 1e-3 * self.info["dt"]], minlength=len(counts))
        counts = counts.reshape(self.shape) if self.neurons is None else counts[self.neurons]
        return counts * 1000.0 / (self.stop - start)

    def population_rate(self, bin: float = 1.0) -> PopulationRate:
        """Spikes per neuron and time in bins of so many ms, in Hz.

        Raises
        ------
        RecordingError
            When spikes were not recorded, or for a bin shorter than a step.
        """
        neurons = int(np.prod(self.shape)) if self.neurons is None else len(self.neurons)
        times = (times for times, _ in self.spike_parts())
        return population_rate(times, self.start, self.stop, neurons, bin, self.info["dt"])

    def spike_parts(self) -> Iterator[tuple[Array, Array]]:
        """The spikes in parts of a million: times (ms) and flat neuron indices, on the host."""
        self._need_spikes()
        parts = (self.lists[SPIKE][part].on_host() for part in _parts(len(self.spike_times), SPIKES_AT_ONCE))
        return ((part.times, part.indices) for part in parts)

    def to_host(self) -> Recording:
        """The same recording with NumPy arrays: itself, where it has them already."""
        if self.store is not None:
            return self
        return replace(
            self,
            traces={name: fetch(values) for name, values in self.traces.items()},
            lists={name: found.on_host() for name, found in self.lists.items()},
            figures={name: fetch(values) for name, values in self.figures.items()},
            per_neuron={name: fetch(values) for name, values in self.per_neuron.items()},
        )

    def backward(
        self, cotangents: Mapping[str, Any], *, final: Mapping[str, Any] | None = None, check_finite: bool = True
    ) -> dict[str, Any]:
        """Gradients of a loss with respect to all that the run was given, from those with respect to what it recorded.

        The run was made with ``tape=True``, by a population that knows its ``surrogate``; see
        :meth:`izhigen.Model.population`.

        Parameters
        ----------
        cotangents : mapping
            Name of a state or an event to the gradient of the loss with respect to its trace, in the trace's shape or
            one that broadcasts to it: of a state after each recorded step, of ``"spike"`` as numbers 0 and 1. A state
            need not have been recorded. ``"count"``: the gradient with respect to the number of spikes, one a neuron.
        final : mapping, optional
            Name of a state to the gradient with respect to its values after the run, beside those of the traces; in the
            population's shape, whichever neurons were recorded.
        check_finite : bool
            Whether to look for gradients, given and found, that are infinite or undefined; with False they go on.

        Returns
        -------
        dict
            ``"I"``, and every other input: shape ``(T, *shape)``, whatever the input was given as. ``"V0"``: with
            respect to the state V at the beginning of the run, in the population's shape; initial states count as
            independent of one another and of parameters. ``"a"``, and every other parameter: a float, where all neurons
            have one value, else one a neuron; what batches share is added up over them.

        Raises
        ------
        RecordingError
            For a run without a tape.
        ValueShapeError
            For an unknown name, a wrong shape, or a number that is not finite.
        NonFiniteError
            Naming the neuron and the step where a gradient overflows.
        """
        check_finite = read_flag(check_finite, "check_finite")
        if self.tape is None:
            raise RecordingError("there is no way back through this run; make it with run(..., tape=True)")
        return self.tape.backward(cotangents, {} if final is None else final, check_finite)

    def save(self, path: str | Path) -> None:
        """Write everything to a file, in the format that its suffix names.

        ``.npz`` is a NumPy archive, which takes the place of one that is there only when it is whole; ``.zarr`` a new
        Zarr store. A name without a suffix gets ``.npz``.

        Raises
        ------
        RecordingError
            For another suffix, when the store exists, or when the disk refuses;
            a file that was there is then as it was.
        """
        place, suffix = output_path(path)
        here = self.to_host()
        if suffix == SUFFIX:
            here._save_store(place)
            return
        try:
            here._save_file(place)
        except OSError as problem:
            raise RecordingError(f"{place} cannot be written: {problem}") from problem

    def _save_file(self, path: Path) -> None:
        arrays = {"t": self.t}
        arrays.update({f"trace_{name}": values for name, values in self.traces.items()})
        arrays.update({f"figure_{name}": values for name, values in self.figures.items()})
        arrays.update({PER_NEURON + name: values for name, values in self.per_neuron.items()})
        if self.neurons is not None:
            arrays["neurons"] = self.neurons
        for name, found in self.lists.items():
            arrays.update(zip(event_arrays(name), (found.times, found.indices)))
        others = [name for name in self.lists if name != SPIKE]
        names = tuple(self.traces), tuple(self.figures), tuple(self.per_neuron), tuple(others)
        description = Description(self.info, self.shape, self.start, self.stop, self.interrupted, *names)
        write_archive(path, description, arrays)

    def _save_store(self, path: str | Path) -> None:
        types = {name: values.dtype for name, values in self.traces.items()}
        events = tuple(self.lists)
        header = Header(self.shape, self.neurons, self.info, self.start, types, events, len(self.t), self.per_neuron)
        writer = StoreWriter(path, header)
        for part in _parts(len(self.t), writer.rows):
            writer.append(Piece(self.t[part], {name: values[part] for name, values in self.traces.items()}), self.stop)
        for name, found in self.lists.items():
            for part in _parts(len(found), SPIKES_AT_ONCE):
                writer.append(Piece(np.zeros(0), {}, {name: found[part]}), self.stop)
        writer.finish(self.stop, self.interrupted, self.figures)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read what :meth:`save` wrote, or open the ``.zarr`` store of a run (which may still go on).

        Nothing in the file is executed, and nothing is believed that was not checked, so a file may come from anyone.

        Raises
        ------
        RecordingError
            When the file is missing, its suffix names no known format, or it is no recording;
            says what is wrong with it.
        """
        place, suffix = recording_path(path)
        description, arrays = read_store(place) if suffix == SUFFIX else read_archive(place)
        return cls(
            **arrays,
            shape=description.shape,
            info=description.info,
            start=description.start,
            stop=description.stop,
            interrupted=description.interrupted,
            store=place if suffix == SUFFIX else None,
        )

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` with labelled axes and units (extra ``xarray``); a store is read when indexed."""
        try:
            import xarray
        except ImportError:
            raise RecordingError("to_xarray needs xarray: pip install 'izhigen[xarray]'") from None
        attributes = {
            key: value if isinstance(value, (str, int, float)) else json.dumps(value)
            for key, value in self.info.items()
        }
        remote = any(map(is_on_cluster, (*self.traces.values(), *(found.times for found in self.lists.values()))))
        here = self if remote else self.to_host()
        coordinates = {name: np.asarray(labels) for name, labels in axes_of(self.shape, self.neurons).items()}
        twice = name_given_twice(coordinates, here.figures, here.per_neuron, here.lists, here.traces)
        if twice is not None:
            raise RecordingError(f"{shown(twice)} is the name of two variables or axes; rename one in the model")

        def lazily(values: Array) -> Array:
            return values if self.store is None else labelled(values)

        units = self.info.get("units", {})
        variables = {
            name: (["time", *coordinates], lazily(values), {"units": units.get(name, "")})
            for name, values in here.traces.items()
        }
        for name, values in here.figures.items():
            variables[name] = (list(coordinates), values, {"units": UNITS[name]})
        for name, values in here.per_neuron.items():
            variables[PER_NEURON + name] = (list(coordinates), values, {"units": units.get(name, "")})
        for name, found in here.lists.items():
            times, indices = array_names(name)
            variables[times] = ([name], lazily(found.times), {"units": "ms"})
            variables[indices] = ([name], lazily(found.indices), {})
        return xarray.Dataset(
            variables, {"time": ("time", np.asarray(self.t), {"units": "ms"}), **coordinates}, attributes
        )

    def plot(self, *, states: Sequence[str] | str | None = None, neurons: Any = None) -> Any:
        """Traces with spikes marked and a raster; see :func:`izhigen.plot.recording`.

        Parameters
        ----------
        states : str or list of str, optional
            Traces to draw; by default all that were recorded.
        neurons : index, list, slice, range or mask, optional
            Neurons whose traces are drawn, by flat index; of more than twelve some are chosen.

        Raises
        ------
        RecordingError
            For a trace or a neuron that was not recorded.
        """
        from izhigen import plot  # matplotlib loads only when something is drawn

        return plot.recording(self, states=states, neurons=neurons)

    def _repr_html_(self) -> str:
        from izhigen import notebook

        return notebook.recording_html(self)

    def __repr__(self) -> str:
        events = "".join(
            f", {len(found)} {'spikes' if name == SPIKE else f'of event {name}'}" for name, found in self.lists.items()
        )
        return (
            f"<Recording of {self.info.get('model', '?')}: {self.start:g} to {self.stop:g} ms, "
            f"{int(np.prod(self.shape))} neurons, traces {list(self.traces)} of {len(self.t)} rows{events}>"
        )


def _parts(length: int, size: int) -> Iterator[slice]:
    """Slices of that size that cover a length."""
    return (slice(first, min(first + size, length)) for first in range(0, length, size))
