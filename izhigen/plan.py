"""What a run writes down: buffers that kernels fill, spikes collected on the way, and the sink that both go to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.arrays import Space, namespace
from izhigen.backends.engine import Block, Moments, Spikes
from izhigen.checks import check_count, check_neurons
from izhigen.errors import RecordingError, ValueShapeError, suggest
from izhigen.model.model import Declaration
from izhigen.moments import MOMENTS, new_moments, summary
from izhigen.recording import Recording
from izhigen.sinks import MemorySink, Sink, StoreSink
from izhigen.store import Header, Piece

Array = Any
CACHED_BYTES, LEAST_ROWS = 1 << 18, 64
"""Rows that a block writes: every tile writes a piece of each, so they should stay in the second-level cache; and no fewer than this."""


@dataclass(frozen=True)
class Subject:
    """What a plan knows of the population that it records.

    Attributes
    ----------
    model : Declaration
    shape : tuple of int
        Shape of a state.
    dt : float
        Step in ms.
    steps_done : int
        Steps before the run.
    dtypes : mapping
        Name of a state that is kept to its number type.
    parameters : mapping
        Name to a float, or to an array of one value per neuron.
    about : mapping
        Method, step, number type, backend and seed, for people.
    space : Space
        Where its arrays lie, and those of the recording.
    """

    model: Declaration
    shape: tuple[int, ...]
    dt: float
    steps_done: int
    dtypes: Mapping[str, Any]
    parameters: Mapping[str, Any]
    about: Mapping[str, Any]
    space: Space

    @property
    def count(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)


class RecordingPlan:
    """What a run writes down: buffers to fill, and spikes collected on the way.

    ``done`` counts the steps of the run. A buffer holds the rows that the sink has not been given yet.
    """

    def __init__(
        self,
        subject: Subject,
        steps: int,
        record: str | Iterable[str] | None,
        every: int,
        neurons: Any,
        out: Any = None,
    ) -> None:
        self._subject = subject
        wanted = _names(record, subject.model)
        self.every = check_count("every", every)
        self.neurons, self._order = check_neurons(neurons, subject.count)
        self.spikes = "spike" in wanted
        self.figures = [name for name in wanted if name in MOMENTS]
        self.wanted = [name for name in wanted if name != "spike" and name not in MOMENTS]
        self._moments = new_moments(subject.space, subject.count, self.figures) if self.figures else None
        header = self._header(steps)
        self._sink: Sink = MemorySink(header) if out is None else StoreSink(header, out)
        columns = subject.count if self.neurons is None else len(self.neurons)
        rows = min(self._sink.rows, header.rows)
        self._chosen = chosen = None if self.neurons is None else self.neurons[self._order]
        self._rows = {
            name: subject.space.rows(rows, chosen, subject.count, subject.dtypes[name])
            for name in sorted({_stored(name) for name in self.wanted})
        }
        row_bytes = sum(buffer.dtype.itemsize for buffer in self._rows.values()) * columns
        self._at_once = max(LEAST_ROWS, CACHED_BYTES // max(row_bytes, 1)) * self.every
        self._written = self._spikes_found = 0
        self._found: list[tuple[Array, Array]] = []

    def _header(self, steps: int) -> Header:
        subject, model = self._subject, self._subject.model
        scalars = {
            name: value if isinstance(value, float) else "per neuron" for name, value in subject.parameters.items()
        }
        info = {
            "model": model.name,
            **subject.about,
            "parameters": scalars,
            "units": {name: "ms" if name == "t_last_spike" else model.unit_of(name) for name in self.wanted},
            "threshold": model.threshold.text if model.threshold else "",
            "spike_state": model.spike_state or "",
        }
        traces = {name: np.dtype(bool) if name == "refractory" else subject.dtypes[name] for name in self.wanted}
        return Header(
            subject.shape, self.neurons, info, subject.steps_done * subject.dt, traces, self.spikes, steps // self.every
        )

    # -- filling ----------------------------------------------------------------------------------------------------

    def room(self, done: int) -> int:
        """Steps that can follow before the buffers are full, or a piece has spikes enough."""
        if self._spikes_found >= self._sink.spikes:
            return 0
        full = (self._written // self._sink.rows + 1) * self._sink.rows
        return min(full * self.every - done, self._at_once)

    def attach(self, block: Block, done: int) -> None:
        """Tell a block that starts ``done`` steps into the run where to write."""
        first, stop = done // self.every, (done + block.steps) // self.every
        block.record = (
            {name: rows[first - self._written : stop - self._written] for name, rows in self._rows.items()}
            if stop > first
            else {}
        )
        block.record_every = self.every
        block.record_phase = (first + 1) * self.every - 1 - done if block.record else -1
        block.record_neurons = self._chosen
        block.collect_spikes = self.spikes
        block.moments = self._moments

    def collect(self, spikes: Spikes | None, done: int) -> None:
        """Keep the spikes of a block that started ``done`` steps into the run."""
        if spikes is None:
            return
        step, neuron = spikes.step, spikes.neuron
        if isinstance(
            neuron, np.ndarray
        ):  # on a device the choice would have to wait for the block, and is made at the end
            step, neuron = self._of_chosen(step, neuron)
        if len(step):
            self._found.append((step + done, neuron))
            self._spikes_found += len(step)

    def _of_chosen(self, step: Array, neuron: Array) -> tuple[Array, Array]:
        """The spikes of the recorded neurons."""
        if self.neurons is None:
            return step, neuron
        xp = namespace(neuron)
        kept = xp.isin(neuron, xp.asarray(self.neurons))
        return step[kept], neuron[kept]

    def full(self, done: int) -> bool:
        """Whether :meth:`write` must come before the next step."""
        return self.room(done) == 0

    # -- handing over -----------------------------------------------------------------------------------------------

    def write(self, done: int) -> None:
        """Give the sink everything up to ``done`` steps, and forget the rest."""
        subject, first, last = self._subject, self._written, done // self.every
        ends = subject.steps_done + self.every * np.arange(first + 1, last + 1)
        traces = {name: self._trace(name, last - first, ends) for name in self.wanted}
        times = indices = None
        if self.spikes:
            none = subject.space.gather(subject.space.zeros(0, np.int64))
            step, indices = self._of_chosen(
                *(namespace(none).concatenate([none, *(found[k] for found in self._found)]) for k in (0, 1))
            )
            kept = slice(int((step < done).sum()))
            times, indices = (subject.steps_done + step[kept] + 1) * subject.dt, indices[kept]
        self._sink.write(Piece(ends * subject.dt, traces, times, indices), (subject.steps_done + done) * subject.dt)
        self._written, self._spikes_found, self._found = last, 0, []

    def recording(self, done: int, interrupted: bool) -> Recording:
        """Everything written down in ``done`` steps."""
        self.write(done)
        return self._sink.finish((self._subject.steps_done + done) * self._subject.dt, interrupted, self._figures())

    def _figures(self) -> dict[str, Array]:
        if self._moments is None:
            return {}
        space, moments = self._subject.space, self._moments
        whole = Moments(
            *(
                None if part is None else space.gather(part)
                for part in (moments.count, moments.first, moments.last, moments.squares)
            )
        )
        flat = summary(whole, self.figures, self._subject.dt)
        if self.neurons is None:
            return {name: values.reshape(self._subject.shape) for name, values in flat.items()}
        return {name: values[namespace(values).asarray(self.neurons)] for name, values in flat.items()}

    def abandon(self, done: int, problem: BaseException) -> None:
        """Keep what was recorded in ``done`` steps, where it outlives the error that then ended the run."""
        if self._sink.lasting and not isinstance(problem, RecordingError):
            self._moments = None  # they hold spikes after the step that the run goes back to
            self.recording(done, interrupted=True)

    def _trace(self, name: str, rows: int, ends: Array) -> Array:
        subject = self._subject
        values = subject.space.gather(self._rows[_stored(name)][:rows])
        xp = namespace(values)
        if name == "refractory":
            tau_ref = subject.parameters["tau_ref"]
            if not isinstance(tau_ref, float):
                tau_ref = subject.space.gather(tau_ref)
                tau_ref = tau_ref if self._chosen is None else tau_ref[xp.asarray(self._chosen)]
            values = xp.asarray((ends - 1) * subject.dt)[:, None] - values <= tau_ref
        if self.neurons is None:
            return values.reshape(rows, *subject.shape)
        unsorted = xp.empty_like(values)
        unsorted[:, xp.asarray(self._order)] = values
        return unsorted


def _names(record: str | Iterable[str] | None, model: Declaration) -> list[str]:
    """The names to record, each once; for None spikes, where the model has any."""
    if record is None:
        return ["spike"] if model.threshold else []
    try:
        wanted = list(dict.fromkeys([record] if isinstance(record, str) else record))
    except TypeError:
        raise ValueShapeError(f"record={record!r} is not a list of names such as ['V', 'spike']") from None
    known = (*model.all_states, "spike", *MOMENTS)
    for name in wanted:
        if name not in known:
            raise ValueShapeError(
                f"record: {name!r} is not a state of model {model.name!r}{suggest(str(name), known)} "
                f"(states: {', '.join(model.all_states)}; of spikes: spike, {', '.join(MOMENTS)})"
            )
        if model.threshold is None and name not in model.all_states:
            raise ValueShapeError(
                f"record: model {model.name!r} has no threshold, so it has no spikes and no {name!r}; record its states "
                f"({', '.join(model.all_states)}), or declare when it spikes, as in model.variant(threshold='{model.states[0]} > 0')"
            )
    return wanted


def _stored(name: str) -> str:
    """The kept state that a trace is made from."""
    return "t_last_spike" if name == "refractory" else name
