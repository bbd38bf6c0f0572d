"""One step as a pure function of states, inputs and parameters, and its vector-Jacobian product."""

from __future__ import annotations

import numbers
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from izhigen.backends import create_engine, open_space
from izhigen.backends.engine import Block, Engine, Outputs, Source
from izhigen.backends.pullback import Cotangent, Kept, Pullback
from izhigen.codegen.request import KernelRequest
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.memory.space import namespace, refuse_gradient, refuse_masked, shape_of
from izhigen.model.events import SPIKE
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.model import Declaration
from izhigen.population.checks import check_dtype, check_seed, check_step
from izhigen.population.cotangents import check_cotangents, check_finite_cotangent
from izhigen.population.training import read_training, training_of, with_spike_reset
from izhigen.scalars import read_finite, read_flag, real_numbers, refuse_unit
from izhigen.timegrid import check_dt

Array = Any
States = Mapping[str, Array]


class StepFunction:
    """A step without hidden state: ``new_states, spikes = step(states, inputs, parameters)``.

    Made by :meth:`izhigen.Model.step_function`. What loops of one's own and layers of other frameworks are made of.
    """

    def __init__(
        self,
        model: Declaration,
        method: str,
        backend: str,
        dtype: Any,
        dt: float,
        seed: int,
        surrogate: Any,
        detach_spike: Any,
        spike_reset: Any,
        spike_scale: float,
    ) -> None:
        self._space = open_space(backend)
        self.model = with_spike_reset(model, spike_reset)
        self._method, self._backend, self.dtype = method, backend, check_dtype(dtype)
        self.dt, self.seed = check_dt(dt), check_seed(seed)
        self._training = read_training(surrogate, detach_spike, spike_scale, False)
        self._engines: dict[tuple[Any, ...], Engine] = {}
        self._lock = threading.Lock()  # a kernel has room for one call

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states that it takes and gives: all of the model, and the time of the last spike where kept."""
        return (*self.model.states, *((LAST_SPIKE,) if self.model.keeps_last_spike else ()))

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the model's events."""
        return tuple(event.name for event in self.model.events)

    def __call__(
        self, states: States, inputs: Mapping[str, Any], parameters: Mapping[str, Any] | None = None, *, k: int = 0
    ) -> tuple[dict[str, Array], Any]:
        """Make one step.

        Parameters
        ----------
        states : mapping
            Every state by name, arrays of one shape. With backend ``"cuda"``, what lies on the device is read there
            (CuPy, PyTorch, DLPack), and new arrays lie there.
        inputs : mapping
            Inputs and ``<state>_delta`` by name: numbers, or arrays that broadcast to that shape. One that is left out
            is 0.
        parameters : mapping, optional
            Parameters by name: numbers, or arrays that broadcast to that shape; by default the model's.
        k : int
            Number of the step, which starts at ``k*dt`` and keys the noise.

        Returns
        -------
        new_states, spikes
            States by name, new arrays of that shape; who spiked, bool, or by name where there are other events.
        """
        engine, block, shape = self._prepared(states, inputs, {} if parameters is None else parameters, k, None)
        order = self.model.event_numbers
        with self._lock:
            found = engine.submit(block)().spikes
        happened, space = {}, self._space
        with space.use():
            for name in self.events:
                flags = space.zeros(int(np.prod(shape)), bool)
                assert found is not None
                flags[found.of(order[name]).neuron] = True
                happened[name] = flags.reshape(shape)
            new = {name: values.reshape(shape) for name, values in block.state.items()}
            if len(happened) > 1 or (happened and SPIKE not in happened):
                return new, happened
            return new, happened[SPIKE] if happened else space.zeros(int(np.prod(shape)), bool).reshape(shape)

    def vjp(
        self,
        states: States,
        inputs: Mapping[str, Any],
        parameters: Mapping[str, Any] | None,
        states_bar: States,
        spikes_bar: Any = None,
        *,
        k: int = 0,
        check_finite: bool = True,
    ) -> tuple[dict[str, Array], dict[str, Array], dict[str, Any]]:
        """Gradients with respect to what a step was given, from those with respect to what it gave.

        Parameters
        ----------
        states, inputs, parameters, k
            As for the step.
        states_bar : mapping
            Name of a state to the gradient with respect to its new values; others have 0.
        spikes_bar : array or mapping, optional
            The same of the spikes as numbers, by name where there are other events; 0 where it is left out.
        check_finite : bool
            Whether to refuse gradients given that are infinite or undefined; those found are returned as they are.

        Returns
        -------
        states, inputs, parameters : dict
            Of each that was given, in its shape.

        Raises
        ------
        ValueShapeError
            For a model with events where no ``surrogate`` was given.
        """
        check_finite = read_flag(check_finite, "check_finite")
        given = {} if parameters is None else parameters
        training_of(self.model, self._training, "step_function")
        wanted = (*inputs, *(name for name in given if name in self.model.gradient_parameters))
        engine, block, shape = self._prepared(states, inputs, given, k, wanted)
        n, space = int(np.prod(shape)), self._space
        events_bar = {} if spikes_bar is None else spikes_bar
        if not isinstance(events_bar, Mapping):
            events_bar = {SPIKE: spikes_bar}
        bars = {name: space.zeros(n, self.dtype) for name in self.model.gradient_states}
        of_states = self._bars("states_bar", states_bar, tuple(bars), shape, check_finite)
        counts = self._bars("spikes_bar", events_bar, self.events, shape, check_finite)
        for name, values in of_states.items():
            space.write(bars[name], values)
        rows = {name: space.rows(1, None, n, self.dtype) for name in inputs}
        sums = {name: space.zeros(n, np.float64) for name in wanted if name not in inputs}
        cotangents = {name: Cotangent(values.reshape(1, -1)) for name, values in counts.items()}
        with self._lock, space.use():
            kept = Kept(k, 1, {name: values.reshape(1, -1).copy() for name, values in block.state.items()})
            engine.pull_back(block, Pullback(kept, k, cotangents, {}, bars, rows, sums))
            found = {name: values[0].reshape(shape) for name, values in rows.items()}
            return (
                {name: values.reshape(shape) for name, values in bars.items()},
                {name: _summed(values, shape_of(inputs[name])) for name, values in found.items()},
                {name: _summed(values.reshape(shape), shape_of(given[name])) for name, values in sums.items()},
            )

    def _bars(
        self, what: str, given: Any, known: tuple[str, ...], shape: tuple[int, ...], check_finite: bool
    ) -> dict[str, Array]:
        """Gradients that are given, by name."""
        found = {
            name: self._flat(f"{what} {name}", values, shape)
            for name, values in check_cotangents(what, given, known).items()
        }
        for name, values in found.items() if check_finite else ():
            check_finite_cotangent(f"{what}: the gradient given for {shown(name)}", values)
        return found

    def _prepared(
        self,
        states: States,
        inputs: Mapping[str, Any],
        parameters: Mapping[str, Any],
        k: int,
        wanted: tuple[str, ...] | None,
    ) -> tuple[Engine, Block, tuple[int, ...]]:
        """The engine, and a block of one step on arrays of its own."""
        model, shape, k = self.model, self._shape(states), check_step(k)
        known = (*model.inputs, *model.delta_inputs)
        for what, names, all_names in (("inputs", inputs, known), ("parameters", parameters, tuple(model.parameters))):
            for name in names:
                if name not in all_names:
                    raise ValueShapeError(
                        f"{what}: model {model.name!r} has no {shown(name)}{suggest(name, all_names)}"
                    )
        values: dict[str, Any] = {}
        for name, default in model.parameters.items():
            value = parameters.get(name, default)
            refuse_gradient(f"parameter {name}", value)
            is_number = isinstance(value, numbers.Real) or shape_of(value) == ()
            what = f"parameter {name}"
            values[name] = read_finite(value, what) if is_number else self._flat(what, value, shape, name)
        deltas = tuple(state for state in model.states if f"{state}_delta" in inputs)
        per_neuron = tuple(name for name, value in values.items() if not isinstance(value, float))
        engine = self._engine(per_neuron, deltas, wanted)
        read = (*model.inputs, *(f"{state}_delta" for state in deltas))
        sources = {name: Source(self._flat(f"input {name}", inputs.get(name, 0.0), shape)[None]) for name in read}
        with self._space.use():
            state = {name: self._flat(f"state {name}", states[name], shape, name).copy() for name in self.states}
        events = tuple(model.event_numbers[name] for name in self.events)
        block = Block(k, 1, self.dt, self.seed, state, values, sources, Outputs(events=events))
        return engine, block, shape

    def _engine(self, per_neuron: tuple[str, ...], deltas: tuple[str, ...], wanted: tuple[str, ...] | None) -> Engine:
        if wanted is not None:  # in the order of the model, so that a kernel serves all calls of the same names
            order = (*self.model.inputs, *self.model.delta_inputs, *self.model.parameters)
            wanted = tuple(name for name in order if name in wanted)
        key = (per_neuron, deltas, wanted)
        if key not in self._engines:
            training = None if wanted is None else training_of(self.model, self._training, "step_function")
            choices: dict[str, Any] = {"training": training, "wanted": wanted or ()}
            request = KernelRequest(self.model, self._method, self.dtype.name, per_neuron, deltas, **choices)
            self._engines[key] = create_engine(self._backend, request, self._space)
        return self._engines[key]

    def _shape(self, states: States) -> tuple[int, ...]:
        """The one shape of all states."""
        for name in states:
            if name not in self.states:
                raise ValueShapeError(
                    f"states: model {self.model.name!r} has no {shown(name)}{suggest(name, self.states)}"
                )
        lacking = [name for name in self.states if name not in states]
        if lacking:
            raise ValueShapeError(f"states: {', '.join(lacking)} missing; a step takes every state of the model")
        shapes = {name: shape_of(values) for name, values in states.items()}
        first = next(iter(shapes))
        for name, shape in shapes.items():
            if shape != shapes[first]:
                raise ValueShapeError(f"states {first!r} and {name!r} have shapes {shapes[first]} and {shape}")
        return shapes[first]

    def _flat(self, what: str, values: Any, shape: tuple[int, ...], name: str = "") -> Array:
        """One number a neuron, contiguous and in the kernel's type; times in double precision."""
        refuse_unit(values, what)
        refuse_gradient(what, values)
        refuse_masked(what, values)
        here = self._space.adopt(values)
        array = real_numbers(what, values, np.asarray(values) if here is None else here, "; give numbers")
        is_time = name == LAST_SPIKE or (name == "tau_ref" and self.model.is_held_for_a_time)
        xp = namespace(array)
        try:
            with self._space.use(), np.errstate(over="ignore"):
                spread = xp.broadcast_to(array, shape)
                flat = xp.ascontiguousarray(spread, np.float64 if is_time else self.dtype).reshape(-1)
        except ValueError:
            raise ValueShapeError(f"{what} has shape {array.shape}, which does not broadcast to {shape}") from None
        return flat if here is not None else self._space.send(flat)


def _summed(values: Array, shape: tuple[int, ...]) -> Any:
    """A gradient in the shape of what was broadcast."""
    if values.shape == shape:
        return float(values) if not shape else values
    extra = values.ndim - len(shape)
    total = values.sum(axis=tuple(range(extra)))
    axes = tuple(k for k, (own, whole) in enumerate(zip(shape, total.shape)) if own == 1 != whole)
    total = total.sum(axis=axes, keepdims=True) if axes else total
    return float(total) if not shape else total
