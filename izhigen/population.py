"""A population: state arrays, time, and the kernel that advances them. The only mutable object."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.arrays import aligned_zeros
from izhigen.backends import create_engine
from izhigen.backends.engine import Block, Engine, PreparedStep, Source
from izhigen.checks import check_batch, check_count, check_dtype, check_seed, check_size
from izhigen.codegen.request import KernelRequest
from izhigen.errors import DerivationError, NonFiniteError, ValueShapeError, suggest
from izhigen.feeding import Feed, KernelInput, Layout, as_stimulus, check_input_names, kernel_input, make_feed, step_source
from izhigen.model.model import Declaration
from izhigen.plan import RecordingPlan, Subject
from izhigen.progress import interruptible, progress_bar
from izhigen.recording import Recording
from izhigen.timegrid import check_dt, whole_steps
from izhigen.values import in_type, initial_states, read_value
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
BLOCK_SECONDS = 0.05
"""About how long one kernel call of a long run takes: short enough for a progress bar and for Ctrl-C."""
LONGEST_BLOCK = 1 << 14
"""Most steps of one kernel call."""
REWIND_BYTES = 64 << 20
"""Most bytes of states that a run keeps a copy of, so that a state that is not finite can be traced to its step."""


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
        self._asked_method = method
        self._engines: dict[tuple[Any, ...], Engine] = {}
        self._given = dict(values)
        self._parameters: dict[str, float | Array] = {}
        self._state: dict[str, Array] = {}
        self._steps_done = 0
        self._prepared: dict[tuple[Any, ...], PreparedStep] = {}
        self._kept: dict[str, Array] = {}
        self._known_inputs: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._last_spike_flag = aligned_zeros(self._layout.count, np.uint8)
        self._check_names(values)
        self.reset()
        self._engine()

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
        self._prepared.clear()
        self._last_spike_flag = aligned_zeros(layout.count, np.uint8)
        for name, values in fresh.items():
            if name in self._state and self._state[name].shape == values.shape:
                self._state[name][:] = values  # arrays that a user holds stay live
            else:
                self._state[name] = aligned_zeros(layout.count, values.dtype)
                self._state[name][:] = values

    def _set_parameter(self, name: str, value: Any) -> None:
        self._parameters[name] = self._value(name, value)
        self._given[name] = value
        self._prepared.clear()

    def _fresh_states(self, layout: Layout, parameters: Mapping[str, Any]) -> dict[str, Array]:
        """Initial state arrays of a layout."""
        given = {name: self._value(name, self._given[name], layout) for name in self._model.states if name in self._given}
        states = initial_states(self._model, given, parameters, layout.count)
        fresh = {name: in_type(f"the initial value of {name!r}", values, self._dtype) for name, values in states.items()}
        if self._model.refractory:
            last = self._value("t_last_spike", self._given.get("t_last_spike", NEVER), layout)
            fresh["t_last_spike"] = np.array(np.broadcast_to(last, layout.count), dtype=np.float64)
        return fresh

    def _engine(self, deltas: tuple[str, ...] = (), computed: Mapping[str, KernelInput] = NOTHING_COMPUTED) -> Engine:
        """The engine for the present placement of parameters, with the states that jump and what the kernel computes of inputs."""
        noisy = tuple(name for name, part in computed.items() if part.noise is not None)
        timed = tuple((name, part.form.text) for name, part in computed.items() if part.form is not None)
        key = (self._per_neuron(), deltas, noisy, timed)
        if key not in self._engines:
            self._engines[key] = create_engine(self._backend, self._request(*key))
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
        return self._last_spike_flag.view(bool).copy().reshape(self._layout.shape)

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
        names, deltas = self._input_names(inputs)
        sources = {name: step_source(name, inputs.get(name, 0.0), self._layout, self._steps_done, self._dt) for name in names}
        if check_finite:
            self._refuse_bad_input(sources)
        advance = self._prepared_step(deltas, sources, check_finite)
        bad = advance(self._steps_done, sources)
        self._steps_done += 1
        if bad is not None:
            raise self._non_finite(bad, self._state_of(bad), sources, 0, "its state is now", ahead=0)
        return self.spike

    def _prepared_step(self, deltas: tuple[str, ...], sources: Mapping[str, Source], check_finite: bool) -> PreparedStep:
        """One step with the arrays and numbers that the population holds now; kept until one of them is replaced."""
        key = (deltas, check_finite)
        if key not in self._prepared:
            self._prepared[key] = self._engine(deltas).prepare(self._block(sources, 1, check_finite))
        return self._prepared[key]

    def run(self, duration: float | None = None, *, steps: int | None = None, record: str | Iterable[str] = ("spike",), every: int = 1,
            neurons: Any = None, progress: bool | None = None, check_finite: bool = True, out: str | Path | None = None, **inputs: Any) -> Recording:
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
        count = self._count_steps(duration, steps)
        engine, feeds = self._prepared_run(inputs, count)
        plan = RecordingPlan(self._subject(), count, record, every, neurons, out)
        start = self._steps_done
        try:
            with interruptible() as interrupted, progress_bar(progress, count, self._dt) as bar:
                self._run_blocks(plan, engine, feeds, count, check_finite, interrupted.is_set, bar.update)
                return plan.recording(self._steps_done - start, interrupted.is_set())
        except BaseException as problem:
            plan.abandon(self._steps_done - start, problem)
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
        feeds = {name: make_feed(name, value, self._layout, self._steps_done, count, self._dt, computed[name]) for name, value in values.items()}
        return engine, feeds

    def _run_blocks(self, plan: RecordingPlan, engine: Engine, feeds: Mapping[str, Feed], count: int, check_finite: bool,
                    interrupted: Callable[[], bool], advanced: Callable[[int], Any]) -> None:
        """Advance by ``count`` steps in blocks, with what the plan asks for written down; ``advanced`` is told the steps of each."""
        done, last = 0, dict[str, Source]()
        while done < count and not interrupted():
            size = min(self._block_steps(engine), count - done, plan.room(done))
            sources = {name: feed(done, size) for name, feed in feeds.items()}
            bad = self._bad_input(sources, last) if check_finite else None
            size = size if bad is None else bad.row
            block = self._block(sources, size, check_finite)
            before = self._snapshot() if check_finite and self._state_bytes() <= REWIND_BYTES else None
            plan.attach(block, done)
            found = engine.advance(block)
            if found.bad_step is not None:  # an input that the kernel computes; nothing was advanced
                bad = self._bad_computed_input(sources, found.bad_step)
                size = block.steps = bad.row
                plan.attach(block, done)
                found = engine.advance(block)
            plan.collect(found.spikes, done)
            self._steps_done += size
            if found.bad_neuron is not None:
                self._trace_back(engine, block, before, found.bad_neuron)
            done, last = done + size, sources
            advanced(size)
            if bad is not None:
                raise self._bad_input_error(bad, sources)
            if plan.full(done):
                plan.write(done)

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

    def _block_steps(self, engine: Engine) -> int:
        """Steps of one kernel call: as many as take about BLOCK_SECONDS."""
        work = BLOCK_SECONDS * engine.pace * self._threads / max(engine.cost, 1)
        return int(max(engine.least_steps, min(LONGEST_BLOCK, work // max(self._layout.count, 1))))

    def _input_names(self, inputs: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of all inputs that a kernel reads, and the states that jump."""
        given = tuple(inputs)
        if given not in self._known_inputs:
            model = self._model
            check_input_names(given, (*model.inputs, *model.delta_inputs), model.name)
            deltas = tuple(s for s in model.states if f"{s}_delta" in given)
            self._known_inputs[given] = (*model.inputs, *(f"{s}_delta" for s in deltas)), deltas
        return self._known_inputs[given]

    def _block(self, sources: Mapping[str, Source], steps: int, check_finite: bool) -> Block:
        return Block(first_step=self._steps_done, steps=steps, dt=self._dt, seed=self._seed, state=self._state, parameters=self._parameters,
                     inputs=sources, spike_flag=self._last_spike_flag, threads=self._threads, check_finite=check_finite)

    # -- non-finite states ------------------------------------------------------------------------------------------

    def _state_of(self, neuron: int) -> dict[str, float]:
        return {name: float(self._state[name][neuron]) for name in self._model.states}

    def _state_bytes(self) -> int:
        return sum(values.nbytes for values in self._state.values())

    def _snapshot(self) -> dict[str, Array]:
        for name, values in (*self._state.items(), (SPIKE_FLAG, self._last_spike_flag)):
            if name not in self._kept or self._kept[name].shape != values.shape:
                self._kept[name] = np.empty_like(values)
            np.copyto(self._kept[name], values)
        return self._kept

    def _restore(self, snapshot: Mapping[str, Array]) -> None:
        for name, values in snapshot.items():
            (self._last_spike_flag if name == SPIKE_FLAG else self._state[name])[:] = values

    def _bad_input(self, sources: Mapping[str, Source], checked: Mapping[str, Source]) -> _BadInput | None:
        """The first row and neuron of an input that is infinite or undefined; those that were checked already are left out."""
        found = []
        for name, source in sources.items():
            known = source is checked.get(name) or source.numbers is not None  # what the kernel computes, it checks
            place = None if known else first_not_finite(source.values)
            if place is not None:
                found.append(_BadInput(int(place[0]), int(place[1]), name))
        return min(found, key=lambda b: (b.row, b.neuron), default=None)

    @staticmethod
    def _bad_computed_input(sources: Mapping[str, Source], row: int) -> _BadInput:
        names = [name for name, source in sources.items() if source.numbers is not None]
        return _BadInput(row, 0, next((name for name in names if not np.isfinite(sources[name].values[row, 0])), names[0]))

    def _refuse_bad_input(self, sources: Mapping[str, Source]) -> None:
        bad = self._bad_input(sources, {})
        if bad is not None:
            raise self._bad_input_error(bad, sources)

    def _bad_input_error(self, bad: _BadInput, sources: Mapping[str, Source]) -> NonFiniteError:
        return self._non_finite(bad.neuron, self._state_of(bad.neuron), sources, bad.row, "the population is left before it, with",
                                subject=f"input {bad.name!r} of neuron {bad.neuron} is infinite or undefined")

    def _trace_back(self, engine: Engine, block: Block, before: Mapping[str, Array] | None, bad: int) -> None:
        """Run a block again to the first step that leaves a state not finite; leave the population just before it, and say so."""
        if before is None:
            raise self._non_finite_within(bad, block)
        self._restore(before)
        self._steps_done = block.first_step
        offset, size = 0, block.steps
        while offset < block.steps:
            kept = {name: values.copy() for name, values in self._snapshot().items()}
            count = max(1, min(size, block.steps - offset) // 2)
            part = self._block({name: source.part(offset, count) for name, source in block.inputs.items()}, count, True)
            worse = engine.advance(part).bad_neuron
            if worse is None:
                offset, self._steps_done = offset + count, self._steps_done + count
                continue
            self._restore(kept)
            if count == 1:
                raise self._non_finite(worse, self._state_of(worse), part.inputs, 0, "the population is left before it, with")
            size = count

    def _non_finite(self, neuron: int, state: dict[str, float], sources: Mapping[str, Source], row: int, then: str, ahead: int = 1,
                    subject: str | None = None) -> NonFiniteError:
        """The error for a neuron in the step ``ahead`` of the present one, whose inputs stand in a row of the sources."""
        step = self._steps_done - 1 + ahead
        inputs = {name: source.value(row, neuron, step) for name, source in sources.items()}
        shown = ", ".join(f"{name}={value:g}" for name, value in (*state.items(), *inputs.items()))
        what = subject or f"neuron {neuron} became infinite or undefined"
        return NonFiniteError(f"{what} in step {step} (t = {(step + 1) * self._dt:g} ms); {then} {shown}. "
                              "Check the inputs, or take a smaller dt; check_finite=False lets it go on", neuron=neuron, step=step,
                              time=(step + 1) * self._dt, state=state, inputs=inputs)

    def _non_finite_within(self, neuron: int, block: Block) -> NonFiniteError:
        """The error for a population too large to keep a copy of: the block is known, the step is not."""
        last = block.first_step + block.steps - 1
        return NonFiniteError(f"neuron {neuron} became infinite or undefined in one of the steps {block.first_step} to {last} "
                              f"(t = {block.first_step * self._dt:g} to {(last + 1) * self._dt:g} ms); the population is left after them. "
                              "Its states are too large to keep a copy that would tell the step: run this neuron alone, check the inputs, "
                              "or take a smaller dt; check_finite=False lets it go on", neuron=neuron, step=last, time=(last + 1) * self._dt,
                              state=self._state_of(neuron), inputs={})


def first_not_finite(values: Array) -> Array | None:
    """Index of the first value that is infinite or undefined. The sum of all squares is so when any is, and is found in one pass."""
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(flat.item() if flat.size == 1 else np.dot(flat, flat)):
            return None
    places = np.argwhere(~np.isfinite(values))  # the squares may overflow where the values do not
    return places[0] if len(places) else None


SPIKE_FLAG = "spike"
"""Key of the spike flags in a snapshot; no state has that name."""


@dataclass(frozen=True)
class _BadInput:
    """Where an input is infinite or undefined: row of the block, neuron (0 for a value that serves all), and its name."""

    row: int
    neuron: int
    name: str


__all__ = ["Population"]
