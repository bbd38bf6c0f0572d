"""What a run wrote down."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.errors import RecordingError, suggest

Array = Any


def _with_suffix(path: str | Path) -> Path:
    return Path(path) if str(path).endswith(".npz") else Path(f"{path}.npz")


@dataclass(frozen=True)
class Recording:
    """Traces and spikes of one run.

    Values are those after a step and its reset; ``t`` is the end of each recorded step, and a spike's time is the end of the step
    in which it happened. All times are in ms.

    Attributes
    ----------
    t : array, shape (T,)
        Times of the recorded rows.
    traces : mapping
        State name to an array of shape ``(T, *shape)``, or ``(T, m)`` for m chosen neurons.
    shape : tuple of int
        Shape of the population (with its batch axis first, if any).
    neurons : array or None
        Flat indices of the chosen neurons; None for all.
    info : mapping
        Model, method, dt, dtype, backend, seed, units and parameters of the run.
    interrupted : bool
        Whether Ctrl-C ended the run early.
    """

    t: Array
    traces: Mapping[str, Array]
    shape: tuple[int, ...]
    neurons: Array
    info: Mapping[str, Any]
    start: float
    stop: float
    spike_times: Array = field(default=None, repr=False)
    spike_indices: Array = field(default=None, repr=False)
    interrupted: bool = False

    def __getitem__(self, name: str) -> Array:
        """A state's trace; ``"spike"`` gives a dense bool array of the rows (any spike since the row before)."""
        if name == "spike":
            return self._dense_spikes()
        if name not in self.traces:
            have = [*self.traces, *(["spike"] if self.spike_times is not None else [])]
            raise RecordingError(f"{name!r} was not recorded{suggest(name, have)} (recorded: {', '.join(have) or 'nothing'}); "
                                 f"ask for it with record=[{name!r}]")
        return self.traces[name]

    def __contains__(self, name: object) -> bool:
        return name in self.traces or (name == "spike" and self.spike_times is not None)

    @property
    def names(self) -> list[str]:
        """Everything that can be read by ``recording[name]``."""
        return [*self.traces, *(["spike"] if self.spike_times is not None else [])]

    @property
    def spikes(self) -> tuple[Array, Array]:
        """``(times, indices)``: time in ms and flat neuron index of every spike, ordered by time and then index."""
        if self.spike_times is None:
            raise RecordingError("spikes were not recorded; ask for them with record=['spike']")
        return self.spike_times, self.spike_indices

    @property
    def counts(self) -> Array:
        """Spikes of each neuron in the population's shape, or of each chosen neuron."""
        counts = np.bincount(self.spikes[1], minlength=int(np.prod(self.shape)))
        return counts.reshape(self.shape) if self.neurons is None else counts[self.neurons]

    @property
    def rates(self) -> Array:
        """Mean rate over the run in Hz, of the neurons of :attr:`counts`."""
        if self.stop <= self.start:
            raise RecordingError("the run has no duration, so there is no rate")
        return self.counts * 1000.0 / (self.stop - self.start)

    def _dense_spikes(self) -> Array:
        times, indices = self.spikes
        chosen = np.arange(int(np.prod(self.shape))) if self.neurons is None else self.neurons
        dense = np.zeros((len(self.t), len(chosen)), dtype=bool)
        rows = np.searchsorted(self.t, times - 1e-3 * self.info["dt"])
        order = np.argsort(chosen, kind="stable")
        place = np.minimum(np.searchsorted(chosen, indices, sorter=order), len(chosen) - 1)
        columns = order[place]
        kept = (rows < len(self.t)) & (chosen[columns] == indices)
        dense[rows[kept], columns[kept]] = True
        return dense.reshape(len(self.t), *self.shape) if self.neurons is None else dense

    def save(self, path: str | Path) -> None:
        """Write everything to a NumPy ``.npz`` file; the suffix is added when it is missing."""
        meta = {"info": dict(self.info), "shape": list(self.shape), "start": self.start, "stop": self.stop, "interrupted": self.interrupted,
                "traces": list(self.traces)}
        arrays = {"t": self.t, "meta": np.array(json.dumps(meta))}
        arrays.update({f"trace_{name}": values for name, values in self.traces.items()})
        if self.neurons is not None:
            arrays["neurons"] = self.neurons
        if self.spike_times is not None:
            arrays.update(spike_times=self.spike_times, spike_indices=self.spike_indices)
        np.savez_compressed(_with_suffix(path), allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read what :meth:`save` wrote.

        Raises
        ------
        RecordingError
            When the file is missing or is no recording.
        """
        try:
            with np.load(_with_suffix(path), allow_pickle=False) as file:
                meta = json.loads(str(file["meta"]))
                read = {name: file[name] for name in file.files}
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as problem:
            raise RecordingError(f"{path} is not a recording that izhigen saved ({problem})") from problem
        return cls(t=read["t"], traces={name: read[f"trace_{name}"] for name in meta["traces"]}, shape=tuple(meta["shape"]),
                   neurons=read.get("neurons"), info=meta["info"], start=meta["start"], stop=meta["stop"],
                   spike_times=read.get("spike_times"), spike_indices=read.get("spike_indices"), interrupted=meta["interrupted"])

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` with labelled axes and units (install the extra ``xarray``)."""
        try:
            import xarray
        except ImportError:
            raise RecordingError("to_xarray needs xarray: pip install 'izhigen[xarray]'") from None
        if self.neurons is not None:
            axes, coordinates = ["neuron"], {"neuron": self.neurons}
        else:
            plain = len(self.shape) == 1
            axes = ["neuron"] if plain else [f"axis_{k}" for k in range(len(self.shape))]
            coordinates = {axis: np.arange(length) for axis, length in zip(axes, self.shape)}
        units = self.info.get("units", {})
        variables = {name: (["time", *axes], values, {"units": units.get(name, "")}) for name, values in self.traces.items()}
        if self.spike_times is not None:
            variables["spike_time"] = (["spike"], self.spike_times, {"units": "ms"})
            variables["spike_neuron"] = (["spike"], self.spike_indices, {})
        attributes = {key: value if isinstance(value, (str, int, float)) else json.dumps(value) for key, value in self.info.items()}
        return xarray.Dataset(variables, {"time": ("time", self.t, {"units": "ms"}), **coordinates}, attributes)

    def plot(self, **options: Any) -> Any:
        """Traces with spikes marked and a raster; see :func:`izhigen.plot.recording`."""
        from izhigen import plot  # matplotlib loads only when something is drawn

        return plot.recording(self, **options)

    def __repr__(self) -> str:
        spikes = "" if self.spike_times is None else f", {len(self.spike_times)} spikes"
        return (f"<Recording of {self.info.get('model', '?')}: {self.start:g} to {self.stop:g} ms, {int(np.prod(self.shape))} neurons, "
                f"traces {list(self.traces)} of {len(self.t)} rows{spikes}>")
