"""A population: state arrays, time, and the kernel that advances them. The only mutable object."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.backends import create_engine
from izhigen.backends.engine import Block, Engine
from izhigen.checks import check_batch, check_count, check_dtype, check_seed, check_size
from izhigen.codegen.kernel import Kernel, build_kernel
from izhigen.derive.step import Step, derive_step
from izhigen.errors import NonFiniteError, ValueShapeError, suggest
from izhigen.feeding import Feed, Layout, check_input_names, make_feed
from izhigen.model.model import Declaration
from izhigen.plan import RecordingPlan, Subject
from izhigen.progress import interruptible, progress_bar
from izhigen.recording import Recording
from izhigen.timegrid import check_dt, whole_steps
from izhigen.values import in_type, initial_states, read_value

Array = Any

TIMES = ("tau_ref", "t_last_spike")
"""Times that are compared with each other, kept in float64 whatever the kernel's type."""
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
        self._dtype = check_dtype(dtype)
        self._layout = Layout(check_size(size), check_batch(batch), self._dtype)
        self._backend, self._threads, self._seed = backend, check_count("threads", threads), check_seed(seed)
        self._step_rule: Step = derive_step(model, method)
        self._engines: dict[tuple[tuple[str, ...], tuple[str, ...]], Engine] = {}
        self._given = dict(values)
        self._parameters: dict[str, float | Array] = {}
        self._state: dict[str, Array] = {}
        self._steps_done = 0
        self._last_spike_flag = np.zeros(self._layout.count, np.uint8)
        self._check_names(values)
        self.reset()
        self._engine(())

    # -- set-up -----------------------------------------------------------------------------------------------------

    def _check_names(self, values: Mapping[str, Any]) -> None:
        known = (*self._model.parameters, *self._model.states, *(["t_last_spike"] if self._model.refractory else []))
        for name in values:
            if name in self._model.inputs:
                raise ValueShapeError(f"{name!r} is an input of model {self._model.name!r}: give it to run({name}=...) or step({name}=...)")
            if name not in known:
                raise ValueShapeError(f"model {self._model.name!r} has no parameter or state {name!r}{suggest(name, known)} "
                                      f"(parameters: {', '.join(self._model.parameters)}; states: {', '.join(self._model.states)})")

    def _value(self, name: str, value: Any, layout: Layout | None = None) -> float | Array:
        rng = np.random.default_rng([self._seed, *name.encode()])
        found = read_value(name, value, layout or self._layout, rng, np.float64 if name in TIMES and self._model.refractory else self._dtype)
        if name == "tau_ref" and self._model.refractory and np.min(found) < 0:
            raise ValueShapeError(f"tau_ref = {np.min(found):g} is negative; a refractory period is a time in ms from 0 on")
        return found

    def reset(self, batch: int | Any | None = ...) -> None:
        """Set the states to their initial values and time to 0; ``batch`` changes the batch axis (None removes it)."""
        layout = self._layout if batch is ... else Layout(self._layout.size, check_batch(batch), self._dtype)
        parameters = self._parameters
        if layout != self._layout or not parameters:
            parameters = {name: self._value(name, self._given.get(name, default), layout) for name, default in self._model.parameters.items()}
        fresh = self._fresh_states(layout, parameters)
        # Nothing above changes the population, so a value that does not fit leaves it as it was.
        self._layout, self._parameters, self._steps_done = layout, parameters, 0
        self._last_spike_flag = np.zeros(layout.count, np.uint8)
        for name, values in fresh.items():
            if name in self._state and self._state[name].shape == values.shape:
                self._state[name][:] = values  # arrays that a user holds stay live
            else:
                self._state[name] = values

    def _fresh_states(self, layout: Layout, parameters: Mapping[str, Any]) -> dict[str, Array]:
        """Initial state arrays of a layout."""
        given = {name: self._value(name, self._given[name], layout) for name in self._model.states if name in self._given}
        states = initial_states(self._model, given, parameters, layout.count)
        fresh = {name: in_type(f"the initial value of {name!r}", values, self._dtype) for name, values in states.items()}
        if self._model.refractory:
            last = self._value("t_last_spike", self._given.get("t_last_spike", NEVER), layout)
            fresh["t_last_spike"] = np.array(np.broadcast_to(last, layout.count), dtype=np.float64)
        return fresh

    def _engine(self, deltas: tuple[str, ...]) -> Engine:
        key = (self._per_neuron(), deltas)
        if key not in self._engines:
            self._engines[key] = create_engine(self._backend, build_kernel(self._step_rule, self._dtype.name, *key))
        self._engine_in_use = self._engines[key]
        return self._engine_in_use

    def _per_neuron(self) -> tuple[str, ...]:
        """Parameters that have one value per neuron now."""
        return tuple(p for p in self._model.parameters if isinstance(self._parameters[p], np.ndarray))

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
        return build_kernel(self._step_rule, self._dtype.name, self._per_neuron())

    @property
    def build_info(self) -> str:
        """Compiler, flags and whether the kernel was built or found, of the kernel used last."""
        return self._engine_in_use.description

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
        return self._layout.shape[0]

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
        block = self._block(feeds, 0, 1)
        refused = self._bad_input(block) if check_finite else None
        if refused is not None:
            raise self._bad_input_error(refused, block)
        self._engine(deltas).advance(block)
        self._steps_done += 1
        if check_finite:
            bad = self._first_bad_neuron()
            if bad is not None:
                raise self._non_finite(bad, self._state_of(bad), block, 0, "its state is now", ahead=0)
        return self.spike

    def run(self, duration: float | None = None, *, steps: int | None = None, record: str | Iterable[str] = ("spike",), every: int = 1,
            neurons: Any = None, progress: bool | None = None, check_finite: bool = True, out: str | Path | None = None, **inputs: Any) -> Recording:
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
            Look for infinite or undefined states at the end (and before every write to ``out``); when there are some, the run is replayed to
            find the first.
        out : str or Path, optional
            A new Zarr store, ``"run.zarr"``, that traces and spikes are written to while the run goes on. The recording then reads from it,
            and memory does not grow with the run. What an error leaves there, :meth:`Recording.load` opens.
        **inputs
            By name: a number, an array in the population's shape, one row a step ``(T, 1)`` or ``(T, n)``, a stimulus of ``izhigen.inputs``,
            or text in ``t``. ``<state>_delta`` adds to a state after integration. An input that is left out is 0. Stimuli and text live in
            absolute time (since the last reset); the rows of an array, and ``every``, count from the start of this run.

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
        RecordingError
            When ``out`` exists or cannot be written. Nothing is simulated when it cannot be created.
        """
        count = self._count_steps(duration, steps)
        feeds, deltas = self._feeds(inputs, count)
        engine = self._engine(deltas)
        plan = RecordingPlan(self._subject(), count, record, every, neurons, out)
        start = self._steps_done
        try:
            with interruptible() as interrupted, progress_bar(progress, count, self._dt) as bar:
                self._run_blocks(plan, engine, feeds, count, check_finite, interrupted.is_set, bar.update)
                return plan.recording(self._steps_done - start, interrupted.is_set())
        except BaseException as problem:
            plan.abandon(self._steps_done - start, problem)
            raise

    def _run_blocks(self, plan: RecordingPlan, engine: Engine, feeds: Mapping[str, Feed], count: int, check_finite: bool,
                    interrupted: Callable[[], bool], advanced: Callable[[int], Any]) -> None:
        """Advance by ``count`` steps in blocks, with what the plan asks for written down; ``advanced`` is told the steps of each."""
        before = self._snapshot() if check_finite else {}
        start, checked, done = self._steps_done, 0, 0
        while done < count and not interrupted():
            size = min(self._block_steps(), count - done, plan.room(done))
            block = self._block(feeds, done, size)
            bad = self._bad_input(block) if check_finite else None
            if bad is not None:
                size = block.steps = bad.row
            plan.attach(block, done)
            if size:
                plan.collect(engine.advance(block), done)
            done += size
            self._steps_done += size
            advanced(size)
            if bad is not None:
                self._check_states(engine, feeds, before, start, checked, done)
                raise self._bad_input_error(bad, block)
            if plan.full(done):
                if check_finite:
                    self._check_states(engine, feeds, before, start, checked, done)
                    before, checked = self._snapshot(), done
                plan.write(done)
        if check_finite:
            self._check_states(engine, feeds, before, start, checked, done)

    def _subject(self) -> Subject:
        about = {"method": self.method, "dt": self._dt, "dtype": self._dtype.name, "backend": self._backend, "seed": self._seed}
        return Subject(self._model, self.shape, self._dt, self._steps_done, {name: values.dtype for name, values in self._state.items()},
                       dict(self._parameters), about)

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
                     inputs={name: feed(offset, steps) for name, feed in feeds.items()}, spike_flag=self._last_spike_flag,
                     threads=self._threads)

    # -- non-finite states ------------------------------------------------------------------------------------------

    def _first_bad_neuron(self) -> int | None:
        """The first neuron with a state that is not finite."""
        places = (_first_not_finite(self._state[name]) for name in self._model.states)
        return min((int(place[0]) for place in places if place is not None), default=None)

    def _state_of(self, neuron: int) -> dict[str, float]:
        return {name: float(self._state[name][neuron]) for name in self._model.states}

    def _snapshot(self) -> dict[str, Array]:
        return {name: values.copy() for name, values in (*self._state.items(), (SPIKE_FLAG, self._last_spike_flag))}

    def _restore(self, snapshot: Mapping[str, Array]) -> None:
        for name, values in snapshot.items():
            (self._last_spike_flag if name == SPIKE_FLAG else self._state[name])[:] = values

    def _bad_input(self, block: Block) -> _BadInput | None:
        """The first row and neuron of an input that is infinite or undefined."""
        places = ((name, _first_not_finite(values)) for name, values in block.inputs.items())
        found = [_BadInput(int(place[0]), int(place[1]), name) for name, place in places if place is not None]
        return min(found, key=lambda b: (b.row, b.neuron), default=None)

    def _bad_input_error(self, bad: _BadInput, block: Block) -> NonFiniteError:
        return self._non_finite(bad.neuron, self._state_of(bad.neuron), block, bad.row, "the population is left before it, with",
                                subject=f"input {bad.name!r} of neuron {bad.neuron} is infinite or undefined")

    def _check_states(self, engine: Engine, feeds: Mapping[str, Feed], before: Mapping[str, Array], start: int, checked: int, done: int) -> None:
        if self._first_bad_neuron() is not None:
            self._replay(engine, feeds, before, start, checked, done)

    def _replay(self, engine: Engine, feeds: Mapping[str, Feed], before: Mapping[str, Array], start: int, checked: int, done: int) -> None:
        """Run steps ``checked`` to ``done`` again to the first that leaves a state not finite; leave the population just before it."""
        self._restore(before)
        self._steps_done = start + checked
        offset, size = checked, self._block_steps()
        while offset < done:
            kept = self._snapshot()
            count = min(size, done - offset)
            block = self._block(feeds, offset, count)
            engine.advance(block)
            self._steps_done += count
            bad = self._first_bad_neuron()
            if bad is None:
                offset += count
                continue
            self._restore(kept)
            self._steps_done -= count
            if count == 1:
                raise self._non_finite(bad, self._state_of(bad), block, 0, "the population is left before it, with")
            size = max(1, count // 2)

    def _non_finite(self, neuron: int, state: dict[str, float], block: Block, row: int, then: str, ahead: int = 1,
                    subject: str | None = None) -> NonFiniteError:
        """The error for a neuron in the step ``ahead`` of the present one, whose inputs stand in a row of the block."""
        inputs = {name: float(a[row if a.shape[0] > 1 else 0, neuron if a.shape[1] > 1 else 0]) for name, a in block.inputs.items()}
        step = self._steps_done - 1 + ahead
        shown = ", ".join(f"{name}={value:g}" for name, value in (*state.items(), *inputs.items()))
        what = subject or f"neuron {neuron} became infinite or undefined"
        return NonFiniteError(f"{what} in step {step} (t = {(step + 1) * self._dt:g} ms); {then} {shown}. "
                              "Check the inputs, or take a smaller dt; check_finite=False lets it go on", neuron=neuron, step=step,
                              time=(step + 1) * self._dt, state=state, inputs=inputs)


def _first_not_finite(values: Array) -> Array | None:
    """Index of the first value that is infinite or undefined. The sum of all is so when any is, and is found in one pass."""
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):
            return None
    places = np.argwhere(~np.isfinite(values))
    return places[0] if len(places) else None


SPIKE_FLAG = "spike"
"""Key of the spike flags in a snapshot; no state has that name."""


@dataclass(frozen=True)
class _BadInput:
    """Where an input is infinite or undefined: row of the block, neuron (0 for a value that serves all), and its name."""

    row: int
    neuron: int
    name: str


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


__all__ = ["Population"]
