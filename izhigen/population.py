"""A population: state arrays, time, and the kernel that advances them. The only mutable object."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.backends import create_engine, open_space
from izhigen.backends.engine import Block, Engine, PreparedStep, Source
from izhigen.checks import check_batch, check_count, check_dtype, check_seed, check_size
from izhigen.codegen.request import KernelRequest
from izhigen.errors import DerivationError, NonFiniteError, ValueShapeError, suggest
from izhigen.feeding import (
    Feed,
    KernelInput,
    Layout,
    as_stimulus,
    check_input_names,
    kernel_choices,
    kernel_input,
    make_feed,
    step_sources,
)
from izhigen.model.model import Declaration
from izhigen.plan import RecordingPlan, Subject
from izhigen.progress import interruptible, progress_bar
from izhigen.recording import Recording
from izhigen.running import (
    SPIKE_FLAG,
    Runner,
    bad_input_error,
    bad_input_text,
    find_bad_input,
    find_bad_input_anywhere,
    find_bad_rate,
    non_finite,
)
from izhigen.timegrid import check_dt, whole_steps
from izhigen.values import initial_states, read_value
from izhigen.views import ParameterView, StateView

if TYPE_CHECKING:
    from izhigen.codegen.kernel import Kernel

Array = Any

TIMES = ("tau_ref", "t_last_spike")
"""Times that are compared with each other, kept in float64 whatever the kernel's type."""
NOTHING_COMPUTED: Mapping[str, KernelInput] = {}
"""Inputs of which the kernel computes nothing."""
NEVER = -1e7
"""``t_last_spike`` of a neuron that has not spiked, in ms (BrainPy's value)."""


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
    backend : {"c", "cuda", "numpy"}
        ``"numpy"`` needs no compiler; ``"cuda"`` needs CuPy and a device, and keeps its arrays there.
    dtype : {"float32", "float64"}
    threads : int
        Threads that share the neurons; results do not depend on it.
    seed : int
        Key of the noise in the kernel, and of the generator given to callables.
    batch : int, optional
        Length of a leading batch axis.
    device : int, optional
        With ``backend="cuda"``: the device; by default the one in use. Work goes to the stream that is current when it is asked for.
    sharding : list of int, optional
        With ``backend="cuda"``: several devices that share the neurons; results do not depend on it.
    steps_per_launch : int, optional
        With ``backend="cuda"``: steps of one launch, instead of as many as are asked for at once; 1 reads and writes all states every step.
    **values
        Parameter values and initial states by name: a number, an array in the population's shape, or a callable ``f(n, rng)``.

    Raises
    ------
    ValueShapeError
        For an unknown name, a wrong shape, or a value that is not finite.
    BackendError
        When the backend cannot run here; says what to install.
    """

    def __init__(
        self,
        model: Declaration,
        size: int | tuple[int, ...] = 1,
        *,
        dt: float = 0.1,
        method: str = "exp_euler",
        backend: str = "c",
        dtype: Any = "float32",
        threads: int = 1,
        seed: int = 0,
        batch: int | None = None,
        device: Any = None,
        sharding: Any = None,
        steps_per_launch: int | None = None,
        **values: Any,
    ) -> None:
        # Private names only: every other attribute belongs to the model, as in pop.V and pop.a.
        self._model = model
        self._dt = check_dt(dt)
        self._dtype = check_dtype(dtype)
        self._space = open_space(backend, device, sharding)
        self._layout = Layout(check_size(size), check_batch(batch), self._dtype, self._space)
        self._backend, self._threads, self._seed = backend, check_count("threads", threads), check_seed(seed)
        self._asked_method = method
        self._steps_per_launch = None if steps_per_launch is None else check_count("steps_per_launch", steps_per_launch)
        self._engines: dict[tuple[Any, ...], Engine] = {}
        self._given = dict(values)
        self._parameters: dict[str, float | Array] = {}
        self._state: dict[str, Array] = {}
        self._steps_done = 0
        self._prepared: dict[tuple[Any, ...], PreparedStep] = {}
        self._kept: dict[int, dict[str, Array]] = {}
        self._known_inputs: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._last_spike_flag = self._space.zeros(self._layout.count, np.uint8)
        self._check_names(values)
        self.reset()
        self._engine()

    # -- set-up -----------------------------------------------------------------------------------------------------

    def _check_names(self, values: Mapping[str, Any]) -> None:
        known = (*self._model.parameters, *self._model.states, *(["t_last_spike"] if self._model.refractory else []))
        for name in values:
            if name in self._model.inputs:
                raise ValueShapeError(
                    f"{name!r} is an input of model {self._model.name!r}: give it to run({name}=...) or step({name}=...)"
                )
            if name not in known:
                raise ValueShapeError(
                    f"model {self._model.name!r} has no parameter or state {name!r}{suggest(name, known)} "
                    f"(parameters: {', '.join(self._model.parameters)}; states: {', '.join(self._model.states)})"
                )

    def _value(self, name: str, value: Any, layout: Layout | None = None) -> float | Array:
        rng = np.random.default_rng([self._seed, *name.encode()])
        found = read_value(
            name,
            value,
            layout or self._layout,
            rng,
            np.float64 if name in TIMES and self._model.refractory else self._dtype,
        )
        if (
            name == "tau_ref"
            and self._model.refractory
            and (least := found if isinstance(found, float) else float(found.min())) < 0
        ):
            raise ValueShapeError(f"tau_ref = {least:g} is negative; a refractory period is a time in ms from 0 on")
        return found

    def reset(self, batch: int | Any | None = ...) -> None:
        """Set the states to their initial values and time to 0; ``batch`` changes the batch axis (None removes it)."""
        with self._space.use():
            self._reset(
                self._layout
                if batch is ...
                else Layout(self._layout.size, check_batch(batch), self._dtype, self._space)
            )

    def _reset(self, layout: Layout) -> None:
        parameters = self._parameters
        if layout != self._layout or not parameters:
            parameters = {
                name: self._value(name, self._given.get(name, default), layout)
                for name, default in self._model.parameters.items()
            }
        fresh = self._fresh_states(layout, parameters)
        # Nothing above changes the population, so a value that does not fit leaves it as it was.
        self._layout, self._parameters, self._steps_done = layout, parameters, 0
        self._prepared.clear()
        self._last_spike_flag = self._space.zeros(layout.count, np.uint8)
        for name, values in fresh.items():
            if name not in self._state or self._state[name].shape != (
                layout.count,
            ):  # arrays that a user holds stay live
                self._state[name] = self._space.zeros(layout.count, values.dtype)
            self._space.write(self._state[name], values)

    def _set_parameter(self, name: str, value: Any) -> None:
        with self._space.use():
            self._parameters[name] = self._value(name, value)
        self._given[name] = value
        self._prepared.clear()

    def _fresh_states(self, layout: Layout, parameters: Mapping[str, Any]) -> dict[str, Array]:
        """Initial state arrays of a layout."""
        given = {
            name: self._value(name, self._given[name], layout) for name in self._model.states if name in self._given
        }
        fresh = initial_states(self._model, given, parameters, self._dtype)
        if self._model.refractory:
            last = self._value("t_last_spike", self._given.get("t_last_spike", NEVER), layout)
            fresh["t_last_spike"] = np.float64(last) if isinstance(last, float) else last
        return fresh

    def _engine(self, deltas: tuple[str, ...] = (), computed: Mapping[str, KernelInput] = NOTHING_COMPUTED) -> Engine:
        """The engine for the present placement of parameters, with the states that jump and what the kernel computes of inputs."""
        key = (self._per_neuron(), deltas, *kernel_choices(computed))
        if key not in self._engines:
            self._engines[key] = create_engine(self._backend, self._request(*key), self._space)
        self._engine_in_use = self._engines[key]
        return self._engine_in_use

    def _per_neuron(self) -> tuple[str, ...]:
        """Parameters that have one value per neuron now."""
        return tuple(p for p in self._model.parameters if not isinstance(self._parameters[p], float))

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
        return self._engine_in_use.method

    @property
    def backend(self) -> str:
        """Name of the backend."""
        return self._backend

    @property
    def kernel(self) -> Kernel:
        """The kernel in use for the present placement of parameters, without instantaneous inputs."""
        return self._request(self._per_neuron()).kernel()

    def _request(self, *choices: tuple[Any, ...]) -> KernelRequest:
        return KernelRequest(self._model, self._asked_method, self._dtype.name, *choices)

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
        with self._space.use():
            return self._last_spike_flag.view(bool).copy().reshape(self._layout.shape)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._model.all_states:
            return self.state[name]
        if name in self._parameters:
            return self.parameters[name]
        raise AttributeError(
            f"a population of {self._model.name!r} has no {name!r}{suggest(name, [*self._model.all_states, *self._parameters])}"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        elif name in self._model.all_states:
            self.state[name] = value
        elif name in self._parameters:
            self.parameters[name] = value
        else:
            raise AttributeError(
                f"{name!r} cannot be set: it is neither a state nor a parameter of model {self._model.name!r}"
                f"{suggest(name, [*self._model.all_states, *self._parameters])}"
            )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._model.all_states, *self._parameters]

    def __len__(self) -> int:
        return self._layout.shape[0]

    def __repr__(self) -> str:
        return (
            f"<Population of {self._model.name}: {'x'.join(map(str, self.shape))} neurons, dt={self._dt:g} ms, {self.method}, "
            f"{self._backend}, {self._dtype.name}, t={self.t:g} ms>"
        )

    # -- stepping ---------------------------------------------------------------------------------------------------

    def __call__(self, *values: Any, **inputs: Any) -> Array:
        """One step; positional values go to the model's inputs in their order. See :meth:`step`."""
        if len(values) > len(self._model.inputs):
            raise ValueShapeError(
                f"model {self._model.name!r} has {len(self._model.inputs)} inputs ({', '.join(self._model.inputs)}), "
                f"{len(values)} values given"
            )
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
        names, deltas = self._input_names(inputs)
        computed, sources = step_sources(names, inputs, self._layout, self._steps_done, self._dt, self._seed)
        bad_input = find_bad_input(sources, {}) if check_finite else find_bad_rate(sources)
        if bad_input is not None:
            raise bad_input_error(self, bad_input, sources)
        advance = self._prepared_step(deltas, computed, sources, check_finite)
        bad = advance(self._steps_done, sources)
        self._steps_done += 1
        if bad is not None:
            raise self._after_the_step(bad, sources)
        return self.spike

    def _after_the_step(self, neuron: int, sources: Mapping[str, Source]) -> NonFiniteError:
        """What a step left not finite; an input that lies on a device is looked at only now."""
        bad = find_bad_input_anywhere(sources)
        return non_finite(
            self,
            neuron if bad is None else bad.neuron,
            sources,
            0,
            "its state is now",
            ahead=0,
            subject=None if bad is None else bad_input_text(bad),
        )

    def _prepared_step(
        self,
        deltas: tuple[str, ...],
        computed: Mapping[str, KernelInput],
        sources: Mapping[str, Source],
        check_finite: bool,
    ) -> PreparedStep:
        """One step with the arrays and numbers that the population holds now; kept until one of them is replaced."""
        key = (deltas, kernel_choices(computed) if computed else (), check_finite)
        if key not in self._prepared:
            self._prepared[key] = self._engine(deltas, computed).prepare(self._block(sources, 1, check_finite))
        return self._prepared[key]

    def run(
        self,
        duration: float | None = None,
        *,
        steps: int | None = None,
        record: str | Iterable[str] = ("spike",),
        every: int = 1,
        neurons: Any = None,
        progress: bool | None = None,
        check_finite: bool = True,
        out: str | Path | None = None,
        **inputs: Any,
    ) -> Recording:
        """Advance by a duration and write down what is asked for.

        Parameters
        ----------
        duration : float
            ms; a whole number of steps. Or give ``steps``.
        record : str or iterable of str
            States to trace; ``"spike"``, the time and neuron of every spike; and figures of each neuron's spikes that take no more memory
            in a longer run: ``"count"``, ``"first_spike"`` (time in ms) and ``"isi"`` (mean and standard deviation of the intervals in ms).
        every : int
            Trace every that many steps; spikes are all kept.
        neurons : array of int, optional
            Flat indices of the neurons to record.
        progress : bool, optional
            Show a progress bar; by default on a terminal when the run is long.
        check_finite : bool
            Look for infinite or undefined states after every block of steps; when there are some, the block is replayed to find the first
            (a population whose states take more than 64 MB names the block instead of the step).
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
        with self._space.use():
            return self._run(
                self._count_steps(duration, steps), record, every, neurons, progress, check_finite, out, inputs
            )

    def _run(
        self,
        count: int,
        record: str | Iterable[str],
        every: int,
        neurons: Any,
        progress: bool | None,
        check_finite: bool,
        out: str | Path | None,
        inputs: Mapping[str, Any],
    ) -> Recording:
        engine, feeds = self._prepared_run(inputs, count)
        plan = RecordingPlan(self._subject(), count, record, every, neurons, out)
        start = self._steps_done
        try:
            with interruptible() as interrupted, progress_bar(progress, count, self._dt) as bar:
                Runner(self, plan, engine, feeds, check_finite).run(count, interrupted.is_set, bar.update)
                return plan.recording(self._steps_done - start, interrupted.is_set())
        except BaseException as problem:
            try:
                plan.abandon(self._steps_done - start, problem)
            except Exception as second:  # such as a device that does not answer any more
                problem.add_note(f"and the recording could not be finished: {second}")
            raise

    def _prepared_run(self, inputs: Mapping[str, Any], count: int) -> tuple[Engine, dict[str, Feed]]:
        """The engine of a run and its inputs; what the kernel can compute of them is left to it."""
        names, deltas = self._input_names(inputs)
        end = (self._steps_done + count) * self._dt
        values = {name: as_stimulus(name, inputs.get(name, 0.0), end) for name in names}
        computed = {name: kernel_input(value, self._layout, self._dt) for name, value in values.items()}
        try:
            engine = self._engine(deltas, computed)
        except DerivationError:
            if not any(part.form for part in computed.values()):
                raise
            # Text without a value at any time, such as 1/(t - t): its rows say where.
            computed = {name: replace(part, form=None) for name, part in computed.items()}
            engine = self._engine(deltas, computed)
        feeds = {
            name: make_feed(name, value, self._layout, self._steps_done, count, self._dt, computed[name], self._seed)
            for name, value in values.items()
        }
        return engine, feeds

    def _subject(self) -> Subject:
        about = {
            "method": self.method,
            "dt": self._dt,
            "dtype": self._dtype.name,
            "backend": self._backend,
            "seed": self._seed,
        }
        return Subject(
            self._model,
            self.shape,
            self._dt,
            self._steps_done,
            {name: values.dtype for name, values in self._state.items()},
            dict(self._parameters),
            about,
            self._space,
        )

    def _count_steps(self, duration: float | None, steps: int | None) -> int:
        if (duration is None) == (steps is None):
            raise ValueShapeError(
                "run takes either a duration in ms, as in run(500.0), or a number of steps, as in run(steps=5000)"
            )
        if steps is None:
            return whole_steps(duration, self._dt)  # type: ignore[arg-type]
        if isinstance(steps, bool) or not isinstance(steps, numbers.Integral) or steps < 0:
            raise ValueShapeError(f"steps={steps!r} is not a number of steps")
        return int(steps)

    def _input_names(self, inputs: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of all inputs that a kernel reads, and the states that jump."""
        given = tuple(inputs)
        if given not in self._known_inputs:
            model = self._model
            check_input_names(given, (*model.inputs, *model.delta_inputs), model.name)
            deltas = tuple(s for s in model.states if f"{s}_delta" in given)
            self._known_inputs[given] = (*model.inputs, *(f"{s}_delta" for s in deltas)), deltas
        return self._known_inputs[given]

    def _block(
        self, sources: Mapping[str, Source], steps: int, check_finite: bool, first_step: int | None = None
    ) -> Block:
        return Block(
            first_step=self._steps_done if first_step is None else first_step,
            steps=steps,
            dt=self._dt,
            seed=self._seed,
            state=self._state,
            parameters=self._parameters,
            inputs=sources,
            spike_flag=self._last_spike_flag,
            threads=self._threads,
            check_finite=check_finite,
            steps_per_launch=self._steps_per_launch,
        )

    # -- copies of the state ----------------------------------------------------------------------------------------

    def _state_of(self, neuron: int) -> dict[str, float]:
        return {name: float(self._state[name][neuron]) for name in self._model.states}

    def _state_bytes(self) -> int:
        return sum(values.nbytes for values in self._state.values())

    def _snapshot(self, slot: int) -> dict[str, Array]:
        """Copies of the states, in arrays that are used again for the same slot."""
        kept = self._kept.setdefault(slot, {})
        for name, values in (*self._state.items(), (SPIKE_FLAG, self._last_spike_flag)):
            if name in kept and kept[name].shape == values.shape:
                kept[name][...] = values
            else:
                kept[name] = values.copy()
        return kept

    def _restore(self, snapshot: Mapping[str, Array]) -> None:
        for name, values in snapshot.items():
            (self._last_spike_flag if name == SPIKE_FLAG else self._state[name])[...] = values


__all__ = ["Population"]
