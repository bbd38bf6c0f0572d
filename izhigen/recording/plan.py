"""What a run writes down: buffers that kernels fill, spikes collected on the way, and the sink that both go to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.backends.engine import Moments, Outputs, Spikes, join_spikes
from izhigen.errors import RecordingError, ValueShapeError, shown, suggest
from izhigen.memory.layout import Layout, check_neurons
from izhigen.memory.space import Space, fetch, namespace
from izhigen.model.additions import REFRACTORY
from izhigen.model.checking import ALL
from izhigen.model.events import SPIKE
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.lines import bind_lines, line_names, read_by_lines
from izhigen.model.model import Declaration
from izhigen.recording.events import EventList, by_time, default_events
from izhigen.recording.figures import MOMENTS, copy_moments, new_moments, summary
from izhigen.recording.recording import Recording
from izhigen.recording.sinks import MemorySink, Sink, StoreSink
from izhigen.recording.store import PIECE_BYTES, Header, Piece
from izhigen.scalars import check_count, read_names

Array = Any
CACHED_BYTES, LEAST_ROWS = 1 << 18, 64
"""Rows that a block writes, and the fewest: every tile writes a piece of each, all in the second-level cache."""


@dataclass(frozen=True)
class Subject:
    """What a plan knows of the population that it records.

    Attributes
    ----------
    model : Declaration
    layout : Layout
        Shape and number type of its arrays, and where they lie, as those of the recording do.
    dt : float
        Step in ms.
    steps_done : int
        Steps before the run.
    dtypes : mapping
        Name of a state that is kept to its number type.
    inputs : mapping
        Name of each input that the kernel reads to its values where they are held, one or one a neuron, else to None.
    parameters : mapping
        Name to a float, or to an array of one value per neuron.
    about : mapping
        Method, step, number type, backend and seed, for people.
    smooth : tuple of str
        Events that are numbers, of which there are traces.
    located : bool
        Whether events happen inside steps.
    """

    model: Declaration
    layout: Layout
    dt: float
    steps_done: int
    dtypes: Mapping[str, Any]
    inputs: Mapping[str, Any]
    parameters: Mapping[str, Any]
    about: Mapping[str, Any]
    smooth: tuple[str, ...] = ()
    located: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state."""
        return self.layout.shape

    @property
    def dtype(self) -> Any:
        """Number type of the kernel."""
        return self.layout.dtype

    @property
    def space(self) -> Space:
        """Where the arrays lie."""
        return self.layout.space

    @property
    def count(self) -> int:
        """Number of neurons."""
        return self.layout.count

    def is_written_by_kernel(self, name: str) -> bool:
        """Whether the kernel can write down a trace of that name."""
        return name in self.dtypes or name in self.inputs or name in self.smooth

    def type_of(self, name: str) -> Any:
        """Number type of a trace."""
        return np.dtype(bool) if self.is_compared(name) else self.dtypes.get(name, self.dtype)

    def is_compared(self, name: str) -> bool:
        """Whether a trace follows from times and the refractory period."""
        return name == REFRACTORY.name and self.model.is_held_for_a_time

    def stored(self, name: str) -> str:
        """The kept state that a trace is made from."""
        return LAST_SPIKE if self.is_compared(name) else name


@dataclass
class Carried:
    """What a run takes over from one that it goes on with, and leaves for the next.

    Attributes
    ----------
    moments : Moments or None
        Of the spikes so far; None before the first.
    """

    moments: Moments | None = None


class RecordingPlan:
    """What a run writes down: buffers to fill, and spikes and other events collected on the way.

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
        carried: Carried | None = None,
    ) -> None:
        self._subject = subject
        wanted = recorded_names(record, subject.model, subject.inputs)
        self.every = check_count("every", every)
        self.neurons, self._order = check_neurons(neurons, subject.count)
        happens = {name: n for name, n in subject.model.event_numbers.items() if name not in subject.smooth}
        self.events = {name: number for name, number in happens.items() if name in wanted}
        self.figures = [name for name in wanted if name in MOMENTS]
        self.wanted = [name for name in wanted if name not in self.events and name not in MOMENTS]
        self._moments = None
        if self.figures:
            self._moments = new_moments(subject.space, subject.count, self.figures, located=subject.located)
            if carried is not None:
                if carried.moments is not None:
                    copy_moments(subject.space, carried.moments, self._moments)
                carried.moments = self._moments
        self._chosen = chosen = None if self.neurons is None else self.neurons[self._order]
        self._lines = [name for name in self.wanted if name in line_names(subject.model)]
        self._read = self._read_by_lines()
        kept = sorted(
            {subject.stored(name) for name in (*self.wanted, *self._read)}
            & {*subject.dtypes, *subject.inputs, *subject.smooth}
        )
        columns = subject.count if self.neurons is None else len(self.neurons)
        row_bytes = sum(subject.type_of(name).itemsize for name in kept) * columns
        # What lines read and nobody asked for is thrown away piece by piece.
        piece = 0 if set(self._read) <= set(self.wanted) else max(LEAST_ROWS, PIECE_BYTES // max(row_bytes, 1))
        header = self._header(steps)
        self._sink: Sink = MemorySink(header, piece) if out is None else StoreSink(header, out)
        rows = min(self._sink.rows, header.rows)
        self._rows = {name: subject.space.rows(rows, chosen, subject.count, subject.type_of(name)) for name in kept}
        self._at_once = max(LEAST_ROWS, CACHED_BYTES // max(row_bytes, 1)) * self.every
        self._written = self._spikes_found = 0
        self._found: list[Spikes] = []
        self._none = subject.space.gather(subject.space.zeros(0, np.int64))
        """An empty array where the recording's arrays lie."""

    def _header(self, steps: int) -> Header:
        subject, model = self._subject, self._subject.model
        per_neuron = self._per_neuron() if SPIKE in self.events or "count" in self.figures else {}
        scalars = {
            name: value if isinstance(value, float) else "per neuron" for name, value in subject.parameters.items()
        }
        info = {
            "model": model.name,
            **subject.about,
            "parameters": scalars,
            "units": {name: subject.model.unit_of(name) for name in (*self.wanted, *per_neuron)},
            "threshold": model.threshold.text if model.threshold else "",
            "spike_state": model.spike_state or "",
        }
        return Header(
            subject.shape,
            self.neurons,
            info,
            subject.steps_done * subject.dt,
            {name: subject.type_of(name) for name in self.wanted},
            tuple(self.events),
            steps // self.every,
            per_neuron,
        )

    def _per_neuron(self) -> dict[str, Array]:
        """Copies of the parameters and held inputs that differ between neurons, as a row of a trace has them."""
        given = {**self._subject.parameters, **self._subject.inputs}
        return {
            name: self._row(values).copy()
            for name, values in given.items()
            if values is not None and not isinstance(values, float) and len(values) == self._subject.count
        }

    def _row(self, values: Array) -> Array:
        """One value a neuron as a row of a trace has them."""
        values = self._subject.space.gather(values)
        if self.neurons is None:
            return values.reshape(self._subject.shape)
        return values[namespace(values).asarray(self.neurons)]

    def _read_by_lines(self) -> list[str]:
        """States, and inputs that are not held, whose traces the recorded lines are made from."""
        names = read_by_lines(self._subject.model, self._lines)
        held = {name for name, values in self._subject.inputs.items() if values is not None} - set(self.wanted)
        return [name for name in sorted(names - held) if self._subject.is_written_by_kernel(name)]

    # -- filling ----------------------------------------------------------------------------------------------------

    def room(self, done: int) -> int:
        """Steps that can follow before the buffers are full, or a piece has events enough."""
        if self._spikes_found >= self._sink.spikes:
            return 0
        full = (self._written // self._sink.rows + 1) * self._sink.rows
        return min(full * self.every - done, self._at_once)

    def outputs(self, done: int, steps: int) -> Outputs:
        """What a block of so many steps that starts ``done`` steps into the run writes down, and where."""
        first, stop = done // self.every, (done + steps) // self.every
        here = slice(first - self._written, stop - self._written)
        traces = {name: rows[here] for name, rows in self._rows.items()} if stop > first else {}
        phase = (first + 1) * self.every - 1 - done if traces else -1
        return Outputs(traces, self.every, phase, self._chosen, tuple(self.events.values()), self._moments)

    def collect(self, spikes: Spikes | None, done: int) -> None:
        """Keep the spikes and other events of a block that started ``done`` steps into the run."""
        if spikes is None:
            return
        if isinstance(spikes.neuron, np.ndarray):  # on a device that would have to wait for the block, and comes last
            spikes = self._of_chosen(spikes)
        if len(spikes.step):
            self._found.append(spikes.later(done))
            self._spikes_found += len(spikes.step)

    def _of_chosen(self, spikes: Spikes) -> Spikes:
        """Those of the recorded neurons."""
        if self.neurons is None:
            return spikes
        xp = namespace(spikes.neuron)
        return spikes.where(xp.isin(spikes.neuron, xp.asarray(self.neurons)))

    def full(self, done: int) -> bool:
        """Whether :meth:`write` must come before the next step."""
        return self.room(done) == 0

    # -- handing over -----------------------------------------------------------------------------------------------

    def write(self, done: int) -> None:
        """Give the sink everything up to ``done`` steps, and forget the rest."""
        subject, first, last = self._subject, self._written, done // self.every
        ends = subject.steps_done + self.every * np.arange(first + 1, last + 1)
        traces = self._traces(last - first, ends)
        events = {}
        if self.events:
            found = self._of_chosen(join_spikes(self._found, self._none))
            events = {name: self._event_list(found.of(number), done) for name, number in self.events.items()}
        self._sink.write(Piece(ends * subject.dt, traces, events), (subject.steps_done + done) * subject.dt)
        self._written, self._spikes_found, self._found = last, 0, []

    def _event_list(self, found: Spikes, done: int) -> EventList:
        """One event in the first ``done`` steps, with times in ms."""
        found = found.where(slice(int((found.step < done).sum()))).later(self._subject.steps_done)
        events = EventList(found.moment * self._subject.dt, found.neuron)
        return events if found.offset is None else by_time(events)

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

    def _traces(self, rows: int, ends: Array) -> dict[str, Array]:
        written = dict.fromkeys([*self.wanted, *self._read])
        found = {name: self._trace(name, rows, ends) for name in written if name not in self._lines}
        if self._lines:
            found |= self._line_traces(found, rows, ends)
        return {name: found[name] for name in self.wanted}

    def _line_traces(self, traces: Mapping[str, Array], rows: int, ends: Array) -> dict[str, Array]:
        """The algebraic lines of each row, by NumPy from what the row holds, rounded to the kernel's type."""
        subject = self._subject
        held = {name: values for name, values in subject.inputs.items() if values is not None and name not in traces}
        given = {**subject.parameters, **held}
        values: dict[str, Any] = {"t": (ends * subject.dt).reshape(rows, *[1] * len(self._row_shape)), "dt": subject.dt}
        for name in read_by_lines(subject.model, self._lines):
            if name in traces:
                values[name] = fetch(traces[name])
            elif name in given:
                value = given[name]
                is_one = isinstance(value, float) or len(value) != subject.count
                values[name] = (
                    value if isinstance(value, float) else fetch(value)[0] if is_one else fetch(self._row(value))
                )
        bound = bind_lines(subject.model, values, self._lines)
        place = namespace(self._none)
        with np.errstate(over="ignore", invalid="ignore"):
            return {
                name: place.asarray(np.broadcast_to(bound[name], (rows, *self._row_shape)).astype(subject.dtype))
                for name in self._lines
            }

    @property
    def _row_shape(self) -> tuple[int, ...]:
        return self._subject.shape if self.neurons is None else (len(self.neurons),)

    def _trace(self, name: str, rows: int, ends: Array) -> Array:
        subject = self._subject
        if subject.stored(name) not in self._rows:  # a jump that the run was not given
            return namespace(self._none).zeros((rows, *self._row_shape), subject.dtype)
        values = subject.space.gather(self._rows[subject.stored(name)][:rows])
        xp = namespace(values)
        if subject.is_compared(name):
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


def recorded_names(record: str | Iterable[str] | None, model: Declaration, inputs: Iterable[str]) -> list[str]:
    """The names to record, each once.

    None stands for what :func:`default_events` gives, "all" for every state, input, line and event.
    """
    if record is None:
        return default_events(model)
    asked = read_names(record, "record")
    lines = line_names(model)
    events = [event.name for event in model.events]
    everything = [*model.all_states, *inputs, *lines, *events]
    wanted = list(dict.fromkeys(name for item in asked for name in (everything if item == ALL else [item])))
    known = (*model.all_states, *model.inputs, *lines, *model.event_numbers, *MOMENTS, *model.delta_inputs, ALL)
    for name in wanted:
        if name not in known:
            others = [event for event in events if event != SPIKE]
            parts = (("states", model.all_states), ("inputs", model.inputs), ("lines", lines), ("events", others))
            told = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in parts if names)
            raise ValueShapeError(
                f"record: {shown(name)} is not a state, input, line or event of model {model.name!r}"
                f"{suggest(name, known)} ({told}; of spikes: spike, {', '.join(MOMENTS)}; or {ALL})"
            )
        if model.threshold is None and name in (SPIKE, *MOMENTS):
            raise ValueShapeError(
                f"record: model {model.name!r} has no threshold, so it has no spikes and no {shown(name)}; "
                f"record its states ({', '.join(model.all_states)}), "
                f"or declare when it spikes, as in model.variant(threshold='{model.states[0]} > 0')"
            )
    return wanted
