"""A population: state arrays, time, and the kernel that advances them. The only mutable object."""

from __future__ import annotations

import numbers
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from izhigen.backends import create_engine
from izhigen.backends.engine import Block, Engine, Spikes
from izhigen.codegen.kernel import Kernel, build_kernel
from izhigen.derive.step import Step, derive_step
from izhigen.errors import BackendError, NonFiniteError, ValueShapeError, suggest
from izhigen.feeding import Feed, Layout, check_input_names, make_feed
from izhigen.model.model import DERIVED_STATES, Declaration
from izhigen.recording import Recording
from izhigen.timegrid import check_dt, whole_steps
from izhigen.values import initial_states, read_value

Array = Any

NEVER = -1e7
"""``t_last_spike`` of a neuron that has not spiked, in ms (BrainPy's value)."""
BLOCK_WORK = 1 << 25
"""Neuron-steps of one kernel call in a long run: short enough for a progress bar and for Ctrl-C."""
LONGEST_BLOCK = 1024
"""Most steps of one kernel call."""


class Population:
    """Neurons of one model, advanced together by a compiled kernel.

    Parameters
    ----------
    model : Declaration
    size : int or tuple of int
        Number of neurons, or the shape that they are arranged in.
    dt : float
        Step in ms.
    method : str
        Integration method; see ``izhigen.derive.step.method_names()``.
    backend : {"c", "numpy"}
        ``"numpy"`` needs no compiler.
    dtype : {"float32", "float64"}
    threads : int
        Threads that share the neurons; results do not depend on it.
    seed : int
        Key of the noise in the kernel, and of the generator given to callables.
    batch : int, optional
        Length of a leading batch axis.
    **values
        Parameter values and initial states by name: a number, an array in the population's shape, or a callable ``f(n, rng)``.

    Raises
    ------
    ValueShapeError
        For an unknown name, a wrong shape, or a value that is not finite.
    BackendError
        When the backend cannot run here; says what to install.
    """

    def __init__(self, model: Declaration, size: int | tuple[int, ...] = 1, *, dt: float = 0.1, method: str = "exp_euler", backend: str = "c",
                 dtype: Any = "float32", threads: int = 1, seed: int = 0, batch: int | None = None, **values: Any) -> None:
        # Private names only: every other attribute belongs to the model, as in pop.V and pop.a.
        self._model = model
        self._dt = check_dt(dt)
        self._dtype = _check_dtype(dtype)
        self._layout = Layout(_check_size(size), _check_batch(batch), self._dtype)
        self._backend, self._threads, self._seed = backend, _check_count("threads", threads), _check_seed(seed)
        self._step_rule: Step = derive_step(model, method)
        self._engines: dict[tuple[tuple[str, ...], tuple[str, ...]], Engine] = {}
        self._given = dict(values)
        self._parameters: dict[str, float | Array] = {}
        self._state: dict[str, Array] = {}
        self._steps_done = 0
        self._last_spike_flag = np.zeros(self._layout.count, np.uint8)
        self._check_names(values)
        self._fill_parameters()
        self.reset()
        self._engine(())

    # -- set-up -----------------------------------------------------------------------------------------------------

    def _check_names(self, values: Mapping[str, Any]) -> None:
        known = (*self._model.parameters, *self._model.states)
        for name in values:
            if name in self._model.inputs:
                raise ValueShapeError(f"{name!r} is an input of model {self._model.name!r}: give it to run({name}=...) or step({name}=...)")
            if name not in known:
                raise ValueShapeError(f"model {self._model.name!r} has no parameter or state {name!r}{suggest(name, known)} "
                                      f"(parameters: {', '.join(self._model.parameters)}; states: {', '.join(self._model.states)})")

    def _value(self, name: str, value: Any) -> float | Array:
        rng = np.random.default_rng([self._seed, *name.encode()])
        return read_value(name, value, self._layout, rng, np.float64 if name == "tau_ref" else self._dtype)

    def _fill_parameters(self) -> None:
        for name, default in self._model.parameters.items():
            self._parameters[name] = self._value(name, self._given.get(name, default))

    def reset(self, batch: int | Any | None = ...) -> None:
        """Set the states to their initial values and time to 0; ``batch`` changes the batch axis (None removes it)."""
        if batch is not ...:
            layout = Layout(self._layout.size, _check_batch(batch), self._dtype)
            if layout != self._layout:
                self._layout = layout
                self._fill_parameters()
                self._last_spike_flag = np.zeros(layout.count, np.uint8)
        given = {name: self._value(name, self._given[name]) for name in self._model.states if name in self._given}
        states = initial_states(self._model, given, self._parameters, self._layout.count)
        fresh = {name: values.astype(self._dtype) for name, values in states.items()}
        if self._model.refractory:
            fresh["t_last_spike"] = np.full(self._layout.count, NEVER)
        for name, values in fresh.items():
            if name in self._state and self._state[name].shape == values.shape:
                self._state[name][:] = values  # arrays that a user holds stay live
            else:
                self._state[name] = values
        self._last_spike_flag[:] = 0
        self._steps_done = 0

    def _engine(self, deltas: tuple[str, ...]) -> Engine:
        per_neuron = tuple(p for p in self._model.parameters if isinstance(self._parameters[p], np.ndarray))
        key = (per_neuron, deltas)
        if key not in self._engines:
            self._engines[key] = create_engine(self._backend, self._kernel_for(per_neuron, deltas))
        return self._engines[key]

    def _kernel_for(self, per_neuron: tuple[str, ...], deltas: tuple[str, ...]) -> Kernel:
        return build_kernel(self._step_rule, self._dtype.name, per_neuron, deltas)

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def model(self) -> Declaration:
        """The model."""
        return self._model

    @property
    def size(self) -> tuple[int, ...]:
        """Shape of the population without the batch axis."""
        return self._layout.size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a state array."""
        return self._layout.shape

    @property
    def batch(self) -> int | None:
        """Length of the batch axis, or None."""
        return self._layout.batch

    @property
    def dt(self) -> float:
        """Step in ms."""
        return self._dt

    @property
    def dtype(self) -> Any:
        """Number type of the states."""
        return self._dtype

    @property
    def method(self) -> str:
        """Name of the integration method."""
        return self._step_rule.method

    @property
    def backend(self) -> str:
        """Name of the backend."""
        return self._backend

    @property
    def kernel(self) -> Kernel:
        """The kernel in use for the present placement of parameters, without instantaneous inputs."""
        return self._kernel_for(tuple(p for p in self._model.parameters if isinstance(self._parameters[p], np.ndarray)), ())

    @property
    def build_info(self) -> str:
        """Compiler, flags and whether the kernel was built or found."""
        return self._engine(()).description

    @property
    def t(self) -> float:
        """Time in ms: the number of steps since the last reset times dt."""
        return self._steps_done * self._dt

    @property
    def state(self) -> StateView:
        """Live state arrays by name, in the population's shape; assignment writes into them."""
        return StateView(self)

    @property
    def parameters(self) -> ParameterView:
        """Parameter values by name; assignment takes effect in the next step and never needs a rebuild for a new number."""
        return ParameterView(self)

    @property
    def spike(self) -> Array:
        """Who spiked in the last step, bool in the population's shape."""
        return self._last_spike_flag.astype(bool).reshape(self.shape)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._model.all_states:
            return self.state[name]
        if name in self._parameters:
            return self.parameters[name]
        raise AttributeError(f"a population of {self._model.name!r} has no {name!r}{suggest(name, [*self._model.all_states, *self._parameters])}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        elif name in self._model.all_states:
            self.state[name] = value
        elif name in self._parameters:
            self.parameters[name] = value
        else:
            raise AttributeError(f"{name!r} cannot be set: it is neither a state nor a parameter of model {self._model.name!r}"
                                 f"{suggest(name, [*self._model.all_states, *self._parameters])}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._model.all_states, *self._parameters]

    def __len__(self) -> int:
        return self._layout.size[0]

    def __repr__(self) -> str:
        return (f"<Population of {self._model.name}: {'x'.join(map(str, self.shape))} neurons, dt={self._dt:g} ms, {self.method}, "
                f"{self._backend}, {self._dtype.name}, t={self.t:g} ms>")

    # -- stepping ---------------------------------------------------------------------------------------------------

    def __call__(self, *values: Any, **inputs: Any) -> Array:
        """One step; positional values go to the model's inputs in their order. See :meth:`step`."""
        if len(values) > len(self._model.inputs):
            raise ValueShapeError(f"model {self._model.name!r} has {len(self._model.inputs)} inputs ({', '.join(self._model.inputs)}), "
                                  f"{len(values)} values given")
        for name, value in zip(self._model.inputs, values):
            if name in inputs:
                raise ValueShapeError(f"input {name!r} is given twice")
            inputs[name] = value
        return self.step(**inputs)

    def step(self, *, check_finite: bool = True, **inputs: Any) -> Array:
        """Advance by one step.

        Parameters
        ----------
        check_finite : bool
            Whether to look for infinite or undefined states.
        **inputs
            Input values by name (numbers or arrays in the population's shape); ``<state>_delta`` adds to a state after integration.
            An input that is left out is 0.

        Returns
        -------
        array of bool, in the population's shape
            Who spiked.

        Raises
        ------
        NonFiniteError
            Naming the neuron, time, state and inputs.
        """
        feeds, deltas = self._feeds(inputs, 1)
        flag = self._last_spike_flag
        block = self._block(feeds, 0, 1)
        block.spike_flag = flag
        self._engine(deltas).advance(block)
        self._steps_done += 1
        if check_finite:
            bad = self._first_bad_neuron()
            if bad is not None:
                raise self._non_finite(bad, {name: self._state[name][bad] for name in self._model.states}, block, 0, "its state is now")
        return flag.astype(bool).reshape(self.shape)

    def run(self, duration: float | None = None, *, steps: int | None = None, record: str | Iterable[str] = ("spike",), every: int = 1,
            neurons: Any = None, progress: bool | None = None, check_finite: bool = True, **inputs: Any) -> Recording:
        """Advance by a duration and write down what is asked for.

        Parameters
        ----------
        duration : float
            ms; a whole number of steps. Or give ``steps``.
        record : str or iterable of str
            States to trace, and ``"spike"``.
        every : int
            Trace every that many steps; spikes are all kept.
        neurons : array of int, optional
            Flat indices of the neurons to record.
        progress : bool, optional
            Show a progress bar; by default on a terminal when the run is long.
        check_finite : bool
            Look for infinite or undefined states at the end; when there are some, the run is replayed to find the first.
        **inputs
            By name: a number, an array in the population's shape, one row a step ``(T, 1)`` or ``(T, n)``, a stimulus of ``izhigen.inputs``,
            or text in ``t``. ``<state>_delta`` adds to a state after integration. An input that is left out is 0.

        Returns
        -------
        Recording
            Ctrl-C ends the run early and returns what was recorded until then.

        Raises
        ------
        ValueShapeError
            For an unknown input or a wrong shape.
        NonFiniteError
            Naming the neuron, step, time, its state before and its inputs; the population is then left just before that step.
        """
        count = self._count_steps(duration, steps)
        plan = _Plan(self, count, record, every, neurons)
        feeds, deltas = self._feeds(inputs, count)
        engine = self._engine(deltas)
        before = {name: values.copy() for name, values in self._state.items()} if check_finite else {}
        start = self._steps_done
        with _interruptible() as interrupted, _bar(progress, count, self._dt) as bar:
            done = 0
            while done < count and not interrupted.is_set():
                size = min(self._block_steps(), count - done)
                block = self._block(feeds, done, size)
                plan.attach(block, done, last=done + size == count)
                plan.collect(engine.advance(block), start + done)
                done += size
                self._steps_done += size
                bar.update(size)
        if check_finite and self._first_bad_neuron() is not None:
            self._replay(engine, feeds, before, start, done)
        return plan.recording(start, done, interrupted.is_set())

    def _count_steps(self, duration: float | None, steps: int | None) -> int:
        if (duration is None) == (steps is None):
            raise ValueShapeError("run takes either a duration in ms, as in run(500.0), or a number of steps, as in run(steps=5000)")
        if steps is None:
            return whole_steps(duration, self._dt)  # type: ignore[arg-type]
        if isinstance(steps, bool) or not isinstance(steps, numbers.Integral) or steps < 0:
            raise ValueShapeError(f"steps={steps!r} is not a number of steps")
        return int(steps)

    def _block_steps(self) -> int:
        return int(max(16, min(LONGEST_BLOCK, BLOCK_WORK // max(self._layout.count, 1))))

    def _feeds(self, inputs: Mapping[str, Any], steps: int) -> tuple[dict[str, Feed], tuple[str, ...]]:
        model = self._model
        check_input_names(inputs, (*model.inputs, *model.delta_inputs), model.name)
        deltas = tuple(s for s in model.states if f"{s}_delta" in inputs)
        names = (*model.inputs, *(f"{s}_delta" for s in deltas))
        feeds = {name: make_feed(name, inputs.get(name, 0.0), self._layout, self._steps_done, steps, self._dt) for name in names}
        return feeds, deltas

    def _block(self, feeds: Mapping[str, Feed], offset: int, steps: int) -> Block:
        return Block(first_step=self._steps_done, steps=steps, dt=self._dt, seed=self._seed, state=self._state, parameters=self._parameters,
                     inputs={name: feed(offset, steps) for name, feed in feeds.items()}, threads=self._threads)

    # -- non-finite states ------------------------------------------------------------------------------------------

    def _first_bad_neuron(self) -> int | None:
        """The first neuron with a state that is not finite. A sum is infinite or undefined when any of its terms is."""
        found = []
        with np.errstate(all="ignore"):
            for name in self._model.states:
                values = self._state[name]
                if not np.isfinite(values.sum()):
                    bad = ~np.isfinite(values)
                    if bad.any():
                        found.append(int(np.argmax(bad)))
        return min(found, default=None)

    def _replay(self, engine: Engine, feeds: Mapping[str, Feed], before: Mapping[str, Array], start: int, done: int) -> None:
        """Run again from the start to the first step that leaves a state not finite; leave the population just before it."""
        for name, values in before.items():
            self._state[name][:] = values
        self._steps_done = start
        offset, size = 0, self._block_steps()
        while offset < done:
            kept = {name: values.copy() for name, values in self._state.items()}
            count = min(size, done - offset)
            block = self._block(feeds, offset, count)
            engine.advance(block)
            self._steps_done += count
            bad = self._first_bad_neuron()
            if bad is None:
                offset += count
                continue
            for name, values in kept.items():
                self._state[name][:] = values
            self._steps_done -= count
            if count == 1:
                state = {name: self._state[name][bad] for name in self._model.states}
                raise self._non_finite(bad, state, block, 1, "the population is left before it, with")
            size = max(1, count // 2)

    def _non_finite(self, neuron: int, state: Mapping[str, Any], block: Block, ahead: int, then: str) -> NonFiniteError:
        values = {name: float(value) for name, value in state.items()}
        inputs = {name: float(a[0, neuron if a.shape[1] > 1 else 0]) for name, a in block.inputs.items()}
        step = self._steps_done - 1 + ahead
        shown = ", ".join(f"{name}={value:g}" for name, value in (*values.items(), *inputs.items()))
        return NonFiniteError(f"neuron {neuron} became infinite or undefined in step {step} (t = {(step + 1) * self._dt:g} ms); {then} {shown}. "
                              "Check the inputs, or take a smaller dt; check_finite=False lets it go on", neuron=neuron, step=step,
                              time=(step + 1) * self._dt, state=values, inputs=inputs)


class _Plan:
    """What a run writes down: arrays to fill, and spikes collected on the way."""

    def __init__(self, population: Population, steps: int, record: str | Iterable[str], every: int, neurons: Any) -> None:
        self._population = population
        model = population.model
        wanted = list(dict.fromkeys([record] if isinstance(record, str) else record))
        for name in wanted:
            known = (*model.all_states, "spike")
            if name not in known:
                raise ValueShapeError(f"record: {name!r} is not a state of model {model.name!r}{suggest(str(name), known)} "
                                      f"(states: {', '.join(known)})")
        self.every = _check_count("every", every)
        self.neurons, self._order = _check_neurons(neurons, population._layout.count)
        self.spikes = "spike" in wanted
        self.wanted = [name for name in wanted if name != "spike"]
        stored = {"t_last_spike" if name == "refractory" else name for name in self.wanted}
        columns = population._layout.count if self.neurons is None else len(self.neurons)
        self._rows = {name: np.empty((steps // self.every, columns), population._state[name].dtype) for name in sorted(stored)}
        self._found: list[tuple[Array, Array]] = []

    def attach(self, block: Block, done: int, last: bool) -> None:
        """Tell a block that starts ``done`` steps into the run where to write."""
        first, stop = done // self.every, (done + block.steps) // self.every
        block.record = {name: rows[first:stop] for name, rows in self._rows.items()} if stop > first else {}
        block.record_every = self.every
        block.record_phase = (first + 1) * self.every - 1 - done if block.record else -1
        block.record_neurons = None if self.neurons is None else self.neurons[self._order]
        block.collect_spikes = self.spikes
        block.spike_flag = self._population._last_spike_flag if last else None

    def collect(self, spikes: Spikes | None, first_step: int) -> None:
        """Keep the spikes of a block."""
        if spikes is None:
            return
        step, neuron = spikes.step, spikes.neuron
        if self.neurons is not None:
            kept = np.isin(neuron, self.neurons)
            step, neuron = step[kept], neuron[kept]
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
                "seed": population._seed, "parameters": scalars, "units": {name: model.unit_of(name) for name in self.wanted},
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


class StateView(Mapping[str, Array]):
    """Live state arrays of a population."""

    def __init__(self, population: Population) -> None:
        self._population = population

    def __getitem__(self, name: str) -> Array:
        population = self._population
        if name == "refractory" and population._model.refractory:
            if population._steps_done == 0:
                return np.zeros(population.shape, bool)
            since = (population._steps_done - 1) * population._dt - population._state["t_last_spike"]
            return (since <= population._parameters["tau_ref"]).reshape(population.shape)
        if name not in population._state:
            raise KeyError(f"no state {name!r}{suggest(name, self)} (states: {', '.join(self)})")
        return population._state[name].reshape(population.shape)

    def __setitem__(self, name: str, value: Any) -> None:
        if name == "refractory":
            raise ValueShapeError("'refractory' follows from t_last_spike and tau_ref; set those")
        array = self[name]
        new = self._population._value(name, value)
        array[...] = new.reshape(array.shape) if isinstance(new, np.ndarray) else new

    def __iter__(self) -> Iterator[str]:
        return iter(self._population._model.all_states)

    def __len__(self) -> int:
        return len(self._population._model.all_states)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {self[name]!r}' for name in self)}}}"


class ParameterView(MutableMapping[str, Any]):
    """Parameter values of a population: a float for all neurons, or an array in the population's shape."""

    def __init__(self, population: Population) -> None:
        self._population = population

    def __getitem__(self, name: str) -> Any:
        values = self._population._parameters
        if name not in values:
            raise KeyError(f"no parameter {name!r}{suggest(name, values)} (parameters: {', '.join(values)})")
        value = values[name]
        return value.reshape(self._population.shape) if isinstance(value, np.ndarray) else value

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._population._parameters:
            raise ValueShapeError(f"model {self._population._model.name!r} has no parameter {name!r}{suggest(name, self)}")
        self._population._parameters[name] = self._population._value(name, value)
        self._population._given[name] = value

    def __delitem__(self, name: str) -> None:
        raise TypeError("parameters can be changed, not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._population._parameters)

    def __len__(self) -> int:
        return len(self._population._parameters)

    def __repr__(self) -> str:
        return repr(dict(self))


# -- checks -----------------------------------------------------------------------------------------------------------


def _check_dtype(dtype: Any) -> Any:
    try:
        number = np.dtype(dtype)
    except TypeError:
        number = np.dtype(object)
    if number not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueShapeError(f"dtype={dtype!r} is not 'float32' or 'float64'")
    return number


def _check_count(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < 1:
        raise ValueShapeError(f"{name}={value!r} is not a positive whole number")
    return int(value)


def _check_size(size: Any) -> tuple[int, ...]:
    axes = tuple(size) if isinstance(size, (tuple, list)) else (size,)
    if not axes:
        raise ValueShapeError("size=() is empty; give a number of neurons")
    return tuple(_check_count("size", axis) for axis in axes)


def _check_batch(batch: Any) -> int | None:
    return None if batch is None else _check_count("batch", batch)


def _check_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= int(seed) < 2**64:
        raise ValueShapeError(f"seed={seed!r} is not a whole number from 0 to 2**64 - 1")
    return int(seed)


def _check_neurons(neurons: Any, count: int) -> tuple[Array, Array]:
    """Chosen neurons as given, and the order that sorts them."""
    if neurons is None:
        return None, None
    chosen = np.atleast_1d(np.asarray(neurons))
    if isinstance(neurons, slice):
        chosen = np.arange(count)[neurons]
    if chosen.dtype.kind == "b" and chosen.size == count:
        chosen = np.flatnonzero(chosen)
    if chosen.dtype.kind not in "iu" or chosen.ndim != 1:
        raise ValueShapeError(f"neurons={neurons!r} is not a list of neuron indices")
    chosen = chosen.astype(np.int64)
    outside = chosen[(chosen < 0) | (chosen >= count)]
    if len(outside):
        raise ValueShapeError(f"neurons: index {outside[0]} is outside 0 ... {count - 1}")
    if len(np.unique(chosen)) != len(chosen):
        raise ValueShapeError("neurons: an index occurs twice")
    return chosen, np.argsort(chosen)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Let Ctrl-C end a run between kernel calls, so that no state is left half advanced; a second one interrupts as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous)

    try:
        signal.signal(signal.SIGINT, stop)
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _bar(progress: bool | None, steps: int, dt: float) -> Iterator[Any]:
    """A progress bar in steps; shown when asked for, or on a terminal once a run has taken a second."""
    from tqdm import tqdm

    disable = None if progress is None else not progress
    with tqdm(total=steps, unit="step", disable=disable, delay=1.0 if progress is None else 0.0, leave=bool(progress),
              desc=f"{steps * dt:g} ms") as bar:
        yield bar


__all__ = ["BackendError", "DERIVED_STATES", "Population"]
