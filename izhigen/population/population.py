"""A population, which a user holds: it owns the neurons (:mod:`~izhigen.population.neurons`) and their kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from izhigen.backends import create_engine, open_space
from izhigen.backends.engine import Engine, Moments, PreparedStep, Source
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError
from izhigen.inputs.feeds import KernelInput, check_input_names, kernel_choices, step_sources
from izhigen.memory.layout import Layout
from izhigen.model.events import SpikeTiming
from izhigen.model.model import Declaration
from izhigen.population.base import BasePopulation
from izhigen.population.checkpoint import as_written, save_checkpoint
from izhigen.population.checks import check_batch, check_first_index, check_step, read_options
from izhigen.population.exclusive import Use, exclusive
from izhigen.population.faults import bad_input_error, find_bad_input, find_bad_rate, non_finite_after
from izhigen.population.neurons import Neurons
from izhigen.population.progress import Progress, read_progress
from izhigen.population.run import UNWATCHED, find_engine_and_feeds, record_run
from izhigen.population.saved import Saved
from izhigen.population.tape import start_tape
from izhigen.population.training import read_tape, read_training, training_of, with_spike_reset
from izhigen.population.values import Value, check_value_names, plain_values
from izhigen.population.views import ParameterView, StateView
from izhigen.recording.plan import Carried
from izhigen.recording.recording import Recording
from izhigen.scalars import read_flag
from izhigen.timegrid import count_steps

if TYPE_CHECKING:
    from izhigen.codegen.kernel import Kernel

Array = Any

NOTHING_COMPUTED: Mapping[str, KernelInput] = {}
"""Inputs of which the kernel computes nothing."""


class Population(BasePopulation):
    """Neurons of one model, advanced together by a compiled kernel.

    Made by :meth:`izhigen.Model.population`, which describes the arguments and the errors raised. States and parameters
    are attributes: ``pop.V`` is the live array of a state, and ``pop.a = 0.1`` sets a parameter for the steps to come.

    ``copy.copy``, ``copy.deepcopy`` and ``pickle`` give a population of its own that goes on from the same step with
    the same bits. A population is used by one thread at a time: what would change it while another such call is under
    way raises ConcurrentUseError. An interrupt (Ctrl-C, or a handler of a signal that raises) leaves the states and the
    time of the same step.
    """

    def __init__(
        self,
        model: Declaration,
        size: int | tuple[int, ...] = 1,
        *,
        dt: float = 0.1,
        method: str = "exp_euler",
        spike_timing: str = "step",
        backend: str = "c",
        dtype: DTypeLike = "float32",
        threads: int = 1,
        seed: int = 0,
        batch: int | None = None,
        device: int | None = None,
        sharding: Sequence[int] | None = None,
        steps_per_launch: int | None = None,
        surrogate: Any = None,
        detach_spike: bool | str = False,
        spike_reset: str | None = None,
        spike_scale: float = 1.0,
        smooth_spikes: bool = False,
        **values: Value,
    ) -> None:
        of_run: dict[str, Any] = {
            "dt": dt,
            "method": method,
            "spike_timing": spike_timing,
            "backend": backend,
            "dtype": dtype,
        }
        of_run |= {"threads": threads, "seed": seed, "batch": batch}
        of_device: dict[str, Any] = {"device": device, "sharding": sharding, "steps_per_launch": steps_per_launch}
        training = read_training(surrogate, detach_spike, spike_scale, smooth_spikes)
        self._begin(
            with_spike_reset(model, spike_reset), read_options(size, training=training, **of_run, **of_device), values
        )

    # -- set-up -----------------------------------------------------------------------------------------------------

    @classmethod
    def from_options(cls, model: Declaration, options: Mapping[str, Any], values: Mapping[str, Value]) -> Self:
        """A population of a ``model`` by ``options`` that were read already, and ``values`` as a user gives them."""
        new = object.__new__(cls)
        new._begin(model, options, values)
        return new

    def _begin(self, model: Declaration, options: Mapping[str, Any], values: Mapping[str, Value]) -> None:
        self._set_up(model, options)
        check_value_names(model, values)
        self._neurons.given = dict(values)
        self.reset()
        self._engine()

    def _set_up(self, model: Declaration, options: Mapping[str, Any]) -> None:
        # Private names only: every other attribute belongs to the model, as in pop.V and pop.a.
        self._model, self._options = model, options
        self._backend, self._dtype = options["backend"], options["dtype"]
        self._space = open_space(self._backend, options["device"], options["sharding"])
        self._uses: dict[str, Use] = {}
        self._neurons = Neurons(
            model,
            Layout(options["size"], options["batch"], self._dtype, self._space),
            options["dt"],
            options["seed"],
            self._uses,
            options["threads"],
            options["steps_per_launch"],
            located=options["spike_timing"] != SpikeTiming.STEP.value,
        )
        self._engines: dict[tuple[Any, ...], Engine] = {}
        self._known_inputs: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}

    @exclusive
    def reset(self, batch: int | EllipsisType | None = ...) -> None:
        """Set the states to their initial values and time to 0.

        Parameters
        ----------
        batch : int or None, optional
            Another length of the batch axis; None removes it. Values that were given as callables are then drawn again,
            from the same seed.

        Raises
        ------
        ValueShapeError
            When a value that was given does not fit; the population is then left as it was.
        """
        layout = self._neurons.layout
        self._neurons.begin(layout if batch is ... else replace(layout, batch=check_batch(batch)))

    @exclusive
    def begin_at(self, step: int, first_index: int | None = None) -> None:
        """Count steps, and neurons, from others than 0 on: both key noise and Poisson counts drawn in the kernel.

        Parameters
        ----------
        step : int
            As if so many steps had been made; time in ms is counted from there too. A reset sets it to 0.
        first_index : int, optional
            Index of the first neuron, as if the population were part of a larger one, of the same seed: it then draws
            what those neurons of that one draw. It stays until another is given. Callables ``f(n, rng)`` are called for
            this population alone, and a Wiener process of one column a neuron counts its columns from here.

        Raises
        ------
        ValueShapeError
            For what is no whole number from 0 to 2**62.
        """
        step, neuron = check_step(step), None if first_index is None else check_first_index(first_index)
        if neuron is not None:
            self._neurons.number_from(neuron)
        self._neurons.steps_done = step

    def _engine(
        self,
        deltas: tuple[str, ...] = (),
        computed: Mapping[str, KernelInput] = NOTHING_COMPUTED,
        wanted: tuple[str, ...] | None = None,
    ) -> Engine:
        """The engine for the present placement of parameters, states that jump, and inputs that the kernel computes;
        with a tape, for the gradients that are wanted.
        """
        training = self._options["training"]
        key: tuple[Any, ...] = (self._neurons.per_neuron, deltas, *kernel_choices(computed))
        if wanted is not None:
            key = (*key, training_of(self._model, training), wanted)
        elif training is not None and training.smooth:
            key = (*key, training)
        if key not in self._engines:
            self._engines[key] = create_engine(self._backend, self._request(*key), self._space)
        self._engine_in_use = self._engines[key]
        return self._engine_in_use

    # -- copies and pickles -----------------------------------------------------------------------------------------

    def saved(self) -> Saved:
        """What it consists of, without its kernel; its own arrays."""
        neurons = self._neurons
        options = {**self._options, "batch": neurons.layout.batch}
        numbers = (neurons.given, neurons.parameters, neurons.state, neurons.spike, neurons.steps_done)
        return Saved(self._model, options, *numbers, first_index=neurons.first_index)

    def _fill(self, saved: Saved) -> None:
        """Become what was saved, with arrays of its own."""
        self._set_up(saved.model, saved.options)
        self._neurons.take(saved.given, saved.parameters, saved.state, saved.spike, saved.steps_done)
        self._neurons.number_from(saved.first_index)
        self._engine()

    @classmethod
    def from_saved(cls, saved: Saved) -> Self:
        """A population that goes on where another was, with arrays of its own."""
        new = object.__new__(cls)
        new._fill(saved)
        return new

    @exclusive
    def __copy__(self) -> Self:
        """A population of its own that goes on from the same step, bit for bit."""
        return self.from_saved(self.saved())

    @exclusive
    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same; arrays that were given as values are copied too."""
        return self.from_saved(replace(self.saved(), given=deepcopy(self._neurons.given, memo)))

    @exclusive
    def __getstate__(self) -> Saved:
        """What is pickled: states, time and all that is needed to go on, as NumPy arrays."""
        with self._space.use():
            return self.saved().on_host(self._neurons.layout, self._neurons.read)

    def __setstate__(self, saved: Saved) -> None:
        try:
            self._fill(saved)
        except BackendError as problem:
            raise BackendError(
                f"a population of backend {saved.options['backend']!r} was pickled, which cannot run here: {problem}; "
                "read it on a machine like the one that wrote it, or pickle recordings and dict(pop.state) instead"
            ) from problem

    @exclusive
    def checkpoint(self, path: str | Path) -> None:
        """Write the population to a folder, from which :func:`izhigen.restore` gives one that goes on with the same
        bits.

        A checkpoint that is there is replaced once the new one is whole; it holds no pickle and runs nothing when it is
        read. Of a callable ``f(n, rng)`` the numbers that it gave are kept.

        Parameters
        ----------
        path : str or Path
            A folder: new, empty, or one with a checkpoint.

        Raises
        ------
        RecordingError
            Where something else is there, or the disk refuses; a checkpoint that was there is as it was.
        """
        save_checkpoint(path, self.saved_for_checkpoint(), self._neurons.layout.count)

    def saved_for_checkpoint(self) -> Saved:
        """What a checkpoint keeps, as NumPy arrays of one number a neuron and plain values."""
        with self._space.use():
            return as_written(self.saved(), self._neurons.layout, self._neurons.read)

    # -- what it is -------------------------------------------------------------------------------------------------

    @property
    def _layout(self) -> Layout:
        return self._neurons.layout

    @property
    def method(self) -> str:
        """Name of the integration method."""
        return self._engine_in_use.method

    @property
    def kernel(self) -> Kernel:
        """The kernel in use for the present placement of parameters, without instantaneous inputs."""
        return self._request(self._neurons.per_neuron).kernel()

    def _request(self, *choices: Any) -> KernelRequest:
        request = KernelRequest(self._model, self._options["method"], self._dtype.name, *choices)
        return replace(request, spike_timing=self._options["spike_timing"])

    @property
    def build_info(self) -> str:
        """Compiler, flags and whether the kernel was built or found, of the kernel used last."""
        return self._engine_in_use.description

    @property
    def t(self) -> float:
        """Time in ms: the number of steps since the last reset times dt."""
        return self._neurons.t

    @property
    def state(self) -> StateView:
        """Live state arrays by name, in the population's shape; assignment writes into them."""
        return StateView(self._neurons)

    @property
    def parameters(self) -> ParameterView:
        """Parameter values by name; assignment takes effect in the next step, and a new number needs no rebuild."""
        return ParameterView(self._neurons)

    @property
    def spike(self) -> NDArray[np.bool_]:
        """Who spiked in the last step, bool in the population's shape."""
        with self._space.use():
            return self._neurons.spike.view(bool).copy().reshape(self._neurons.layout.shape)

    def _repr_html_(self) -> str:
        from izhigen import notebook

        return notebook.population_html(self)

    # -- stepping ---------------------------------------------------------------------------------------------------

    @exclusive
    def step(self, *, check_finite: bool = True, **inputs: Any) -> NDArray[np.bool_]:
        """Advance by one step.

        Parameters
        ----------
        check_finite : bool
            Whether to look for infinite or undefined states.
        **inputs
            Input values by name (numbers or arrays in the population's shape); ``<state>_delta`` adds to a state after
            integration. An input that is left out is 0.

        Returns
        -------
        array of bool, in the population's shape
            Who spiked.

        Raises
        ------
        NonFiniteError
            Naming the neuron, time, state and inputs.
        """
        check_finite = read_flag(check_finite, "check_finite")
        inputs = plain_values(self._model, inputs)
        names, deltas = self._input_names(inputs)
        neurons = self._neurons
        done = neurons.steps_done
        computed, sources = step_sources(names, inputs, neurons.layout, done, neurons.dt, neurons.key)
        bad_input = find_bad_input(sources, {}) if check_finite else find_bad_rate(sources)
        if bad_input is not None:
            raise bad_input_error(neurons, bad_input, sources)
        advance = self._prepared_step(deltas, computed, sources, check_finite)
        bad = advance(done, sources, partial(setattr, neurons, "steps_done", done + 1))
        if bad is not None:
            raise non_finite_after(neurons, bad, sources)
        return self.spike

    def _prepared_step(
        self,
        deltas: tuple[str, ...],
        computed: Mapping[str, KernelInput],
        sources: Mapping[str, Source],
        check_finite: bool,
    ) -> PreparedStep:
        """One step with the arrays and numbers that the neurons hold now; kept until one of them is replaced."""
        key, prepared = (deltas, kernel_choices(computed) if computed else (), check_finite), self._neurons.prepared
        if key not in prepared:
            block = self._neurons.block(sources, 1, check_finite)
            prepared[key] = self._engine(deltas, computed).prepare(block)
        return prepared[key]

    @exclusive
    def run(
        self,
        duration: float | None = None,
        *,
        steps: int | None = None,
        record: str | Iterable[str] | None = None,
        every: int = 1,
        neurons: Any = None,
        progress: Progress = None,
        check_finite: bool = True,
        out: str | Path | None = None,
        tape: bool | Iterable[str] = False,
        **inputs: Any,
    ) -> Recording:
        """Advance by a duration and write down what is asked for.

        Parameters
        ----------
        duration : float
            ms; a whole number of steps.
        steps : int
            Number of steps, in place of ``duration``.
        record : str or iterable of str, optional
            States, inputs and algebraic lines to trace; ``"spike"`` or the name of another event, the times and neurons
            of all that happen; ``"all"``, every one of these; and figures of each neuron's spikes that take no more
            memory in a longer run: ``"count"``, ``"first_spike"`` (time in ms) and ``"isi"`` (mean and standard
            deviation of the intervals in ms). An input's row holds what the step read; an algebraic line is evaluated
            on the row: states after the step, its inputs, and ``t`` at its end. By default the spikes, or all events of
            a model that has no threshold; ``[]`` for nothing.
        every : int
            Trace every that many steps; events are all kept.
        neurons : array of int, optional
            Flat indices of the neurons to record.
        progress : bool or bar, optional
            Show a progress bar; by default on a terminal when the run is long. Or move one on: anything with
            ``update(steps)``.
        check_finite : bool
            Look for infinite or undefined states after every block of steps; when there are some, the block is replayed
            to find the first (a population whose states take more than 64 MB names the block instead of the step).
        out : str or Path, optional
            A new Zarr store, ``"run.zarr"``, that traces and events are written to while the run goes on. The
            recording then reads from it, and memory does not grow with the run. :meth:`Recording.load` opens what an
            error leaves there.
        tape : bool or iterable of str
            Whether the run can be gone back through, by :meth:`Recording.backward`: states are written down every some
            steps (about the square root of their number), and arrays that are given as inputs are copied, but for
            read-only ones. Names of inputs and parameters limit the gradients to these and the initial states, which
            takes less time.
        **inputs
            By name: a number, an array in the population's shape, one row a step ``(T, 1)`` or ``(T, n)``, a stimulus
            of ``izhigen.inputs``, or text in ``t``. ``<state>_delta`` adds to a state after integration. An input that
            is left out is 0. Stimuli and text live in absolute time (since the last reset); the rows of an array, and
            ``every``, count from the start of this run.

        Returns
        -------
        Recording
            Ctrl-C ends the run early and returns what was recorded until then.

        Raises
        ------
        ValueShapeError
            For an unknown input or a wrong shape, or spikes asked of a model without a threshold.
        NonFiniteError
            Naming the neuron, step, time, its state before and its inputs;
            the population is then left just before that step.
        RecordingError
            When ``out`` exists or cannot be written. Nothing is simulated when it cannot be created.
        """
        check_finite = read_flag(check_finite, "check_finite")
        progress = read_progress(progress)
        with self._space.use():
            count = count_steps(duration, steps, self.dt)
            inputs = plain_values(self._model, inputs)
            names, deltas = self._input_names(inputs)
            gradients = read_tape(tape, self._model, names)
            find_engine = partial(self._engine, deltas, wanted=gradients)
            engine, feeds = find_engine_and_feeds(self._neurons, names, inputs, count, find_engine)
            made = None
            if gradients is not None:
                made = start_tape(self._neurons, engine, feeds, count, gradients)
                feeds = {name: source.part for name, source in made.block.inputs.items()}
            wanted = (record, every, neurons, progress, check_finite, out)
            of_tape: dict[str, Any] = {"smooth": self._smooth, "tape": made}
            return record_run(self._neurons, engine, feeds, count, *wanted, self._backend, **of_tape)

    def run_part(
        self,
        count: int,
        record: Iterable[str],
        every: int,
        neurons: Array,
        check_finite: bool,
        moments: Moments | None,
        inputs: Mapping[str, Any],
    ) -> tuple[Recording, Moments | None]:
        """A run that goes on with one before: figures count from where its ``moments`` stand.

        ``count`` steps, with ``record``, ``every``, ``neurons``, ``check_finite`` and ``inputs`` as in :meth:`run`. The
        recording, and the moments then; those that were given stay as they are.
        """
        carried = Carried(moments)
        names, deltas = self._input_names(inputs)
        find_engine = partial(self._engine, deltas)
        engine, feeds = find_engine_and_feeds(self._neurons, names, inputs, count, find_engine)
        wanted = (record, every, neurons, False, check_finite, None)
        of_part: dict[str, Any] = {"length": UNWATCHED, "carried": carried}
        return record_run(self._neurons, engine, feeds, count, *wanted, self._backend, **of_part), carried.moments

    @property
    def _smooth(self) -> tuple[str, ...]:
        """The events that are numbers."""
        training = self._options["training"]
        return tuple(e.name for e in self._model.events) if training is not None and training.smooth else ()

    def _input_names(self, inputs: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of all inputs that a kernel reads, and the states that jump."""
        given = tuple(inputs)
        if given not in self._known_inputs:
            model = self._model
            check_input_names(given, (*model.inputs, *model.delta_inputs), model.name)
            deltas = tuple(s for s in model.states if f"{s}_delta" in given)
            self._known_inputs[given] = (*model.inputs, *(f"{s}_delta" for s in deltas)), deltas
        return self._known_inputs[given]


__all__ = ["Population"]
