"""What a run writes down: arrays that kernels fill, and spikes collected on the way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.backends.engine import Block, Spikes
from izhigen.checks import check_count, check_neurons
from izhigen.errors import ValueShapeError, suggest
from izhigen.recording import Recording

if TYPE_CHECKING:
    from izhigen.population import Population

Array = Any


class RecordingPlan:
    """What a run writes down: arrays to fill, and spikes collected on the way."""

    def __init__(self, population: Population, steps: int, record: str | Iterable[str], every: int, neurons: Any) -> None:
        self._population = population
        model = population.model
        try:
            wanted = list(dict.fromkeys([record] if isinstance(record, str) else record or ()))
        except TypeError:
            raise ValueShapeError(f"record={record!r} is not a list of names such as ['V', 'spike']") from None
        for name in wanted:
            known = (*model.all_states, "spike")
            if name not in known:
                raise ValueShapeError(f"record: {name!r} is not a state of model {model.name!r}{suggest(str(name), known)} "
                                      f"(states: {', '.join(known)})")
        self.every = check_count("every", every)
        self.neurons, self._order = check_neurons(neurons, population._layout.count)
        self.spikes = "spike" in wanted
        self.wanted = [name for name in wanted if name != "spike"]
        stored = {"t_last_spike" if name == "refractory" else name for name in self.wanted}
        columns = population._layout.count if self.neurons is None else len(self.neurons)
        self._rows = {name: np.empty((steps // self.every, columns), population._state[name].dtype) for name in sorted(stored)}
        self._found: list[tuple[Array, Array]] = []

    def attach(self, block: Block, done: int) -> None:
        """Tell a block that starts ``done`` steps into the run where to write."""
        first, stop = done // self.every, (done + block.steps) // self.every
        block.record = {name: rows[first:stop] for name, rows in self._rows.items()} if stop > first else {}
        block.record_every = self.every
        block.record_phase = (first + 1) * self.every - 1 - done if block.record else -1
        block.record_neurons = None if self.neurons is None else self.neurons[self._order]
        block.collect_spikes = self.spikes

    def collect(self, spikes: Spikes | None, first_step: int) -> None:
        """Keep the spikes of a block."""
        if spikes is None:
            return
        step, neuron = spikes.step, spikes.neuron
        if self.neurons is not None:
            kept = np.isin(neuron, self.neurons)
            step, neuron = step[kept], neuron[kept]
        if not len(step):
            return
        self._found.append((step + first_step, neuron))

    def recording(self, start: int, done: int, interrupted: bool) -> Recording:
        """Everything written down in ``done`` steps."""
        population = self._population
        dt, rows = population.dt, done // self.every
        last_steps = start + self.every * np.arange(1, rows + 1)
        traces = {name: self._trace(name, rows, last_steps) for name in self.wanted}
        times = indices = None
        if self.spikes:
            steps = np.concatenate([step for step, _ in self._found] or [np.zeros(0, np.int64)])
            times, indices = (steps + 1) * dt, np.concatenate([neuron for _, neuron in self._found] or [np.zeros(0, np.int64)])
        model = population.model
        scalars = {name: value if isinstance(value, float) else "per neuron" for name, value in population._parameters.items()}
        info = {"model": model.name, "method": population.method, "dt": dt, "dtype": population.dtype.name, "backend": population.backend,
                "seed": population._seed, "parameters": scalars,
                "units": {name: "ms" if name == "t_last_spike" else model.unit_of(name) for name in self.wanted},
                "threshold": model.threshold.text if model.threshold else "", "spike_state": model.spike_state or ""}
        return Recording(t=last_steps * dt, traces=traces, shape=population.shape, neurons=self.neurons, info=info, start=start * dt,
                         stop=(start + done) * dt, spike_times=times, spike_indices=indices, interrupted=interrupted)

    def _trace(self, name: str, rows: int, last_steps: Array) -> Array:
        population = self._population
        values = self._rows["t_last_spike" if name == "refractory" else name][:rows]
        if name == "refractory":
            tau_ref = population._parameters["tau_ref"]
            if isinstance(tau_ref, np.ndarray) and self.neurons is not None:
                tau_ref = tau_ref[self.neurons[self._order]]
            values = ((last_steps - 1) * population.dt)[:, None] - values <= tau_ref
        if self.neurons is None:
            return values.reshape(rows, *population.shape)
        unsorted = np.empty_like(values)
        unsorted[:, self._order] = values
        return unsorted
