"""Neurons as a function for JAX (extra ``jax``): ``izhigen.jax.layer`` goes with ``jit``, ``grad``, ``vmap``, ``scan``.

>>> import jax, jax.numpy as jnp
>>> from izhigen.jax import layer
>>> neurons = layer(iz.load("IzhikevichLTC"), 100, trainable=["a", "d"], dt=0.5)
>>> parameters = {"a": 0.02, "d": jnp.full(100, 8.0)}
>>> gradient = jax.grad(lambda p: neurons(p, jnp.full((200, 100), 10.0)).mean())(parameters)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import BackendError, ValueShapeError, shown, suggest
from izhigen.layers import STEP, LayerRuns, check_inputs, name_inputs
from izhigen.model.events import SPIKE
from izhigen.model.functions import LAST_SPIKE
from izhigen.population.values import plain_values

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    raise ImportError("izhigen.jax needs JAX: pip install 'izhigen[jax]'") from None

if TYPE_CHECKING:
    from izhigen.api import Model

Array = Any
MARK = np.zeros(())
"""Given to a callback so that it sees which axes ``vmap`` has put before all arrays."""


def layer(
    model: Model,
    n: int,
    trainable: Iterable[str] = (),
    *,
    record: str | Iterable[str] = SPIKE,
    return_state: bool = False,
    check_finite: bool = True,
    dtype: Any = "float32",
    **options: Any,
) -> Layer:
    """A function of parameters and inputs that runs the neurons.

    Parameters
    ----------
    model : Model
    n : int
        Neurons.
    trainable : iterable of str
        Parameters of the model that the function is given.
    record : str or iterable of str
        What it returns: ``"spike"`` (as 0.0 and 1.0), other events, states. An array for one name, else a tuple.
    return_state : bool
        Whether it also returns the states that it leaves: ``out, state = f(parameters, x, initial=state)`` goes on from
        the last call, so that ``state`` is what ``lax.scan`` carries; ``f.start()`` is the first one.
    check_finite : bool
        Whether to look for inputs, states and gradients that are infinite or undefined; with False they go on.
    dtype : {"float32", "float64"}
    **options
        As for :class:`izhigen.torch.Layer`. Initial states are found once, from the values that are given here.

    Returns
    -------
    Layer

    Raises
    ------
    ValueShapeError
        For unknown names and wrong shapes.
    BackendError
        For a backend of a device.
    """
    runs = LayerRuns(model, n, trainable, record, check_finite, dtype=dtype, **options)
    if runs.device is not None:
        raise BackendError(
            "izhigen.jax runs on the processor: take backend='c' or 'numpy', or izhigen.torch for a device"
        )
    number = runs.population(1).dtype
    if jnp.zeros((), number).dtype != number:
        raise ValueShapeError(
            "dtype='float64' needs 64-bit numbers in JAX: jax.config.update('jax_enable_x64', True) comes first"
        )

    return Layer(runs, number, return_state)


class Layer:
    """What :func:`layer` makes: ``f(parameters, *values, initial=None, **inputs)``, which keeps nothing."""

    def __init__(self, runs: LayerRuns, number: Any, return_state: bool) -> None:
        self._runs, self._number, self._returns_state = runs, number, return_state
        other = {LAST_SPIKE: jax.dtypes.canonicalize_dtype(float), STEP: jax.dtypes.canonicalize_dtype(int)}
        self._types = {**dict.fromkeys(runs.states, number), **other}
        self._operation = _operation(runs, number, self._types)

    def start(self, batch: int | None = None) -> dict[str, Array]:
        """The states that a call begins with where none are given, as a call returns them with ``return_state``.

        Shape (n,), or (batch, n) with a batch.
        """
        lead = () if batch is None else (batch, 1)
        return self._read({**{name: np.tile(x, lead) for name, x in self._runs.start.items()}, STEP: 0})

    def __call__(
        self, parameters: dict[str, Array], *values: Array, initial: dict[str, Array] | None = None, **inputs: Array
    ) -> Any:
        """Run the neurons. The way back makes the run again.

        Parameters
        ----------
        parameters : dict
            Name of each trainable parameter to a number, or an array (n,).
        *values, **inputs : array, shape (T, n), or (T, B, n) with a batch
            Inputs in the model's order, or by name; ``<state>_delta`` jumps a state. One that is left out is 0.
        initial : dict, optional
            Name of a state to its initial values, shape (n,) or (B, n): all or some of what a call has returned as its
            states. ``t_last_spike`` is a time in ms and ``step`` a number, both counted from the beginning of the
            first call; neither has a gradient.

        Returns
        -------
        out : array, or tuple of arrays, in the shape of the inputs
            One for each name of ``record``.
        state : dict
            With ``return_state``: name of each state to its values after the last step, shape (B, n), or (n,) without a
            batch; of ``t_last_spike`` in JAX's widest type, where the model keeps it; and how many steps were made.
        """
        runs = self._runs
        _check_parameters(runs, parameters)
        parameters = plain_values(runs.model, parameters, "parameter")
        named = {name: jnp.asarray(x, self._number) for name, x in name_inputs(runs.model, values, inputs).items()}
        check_inputs(runs.model, runs.n, named)
        given = {name: jnp.asarray(value, self._number) for name, value in parameters.items()}
        for name, array in given.items():
            if array.shape not in ((), (runs.n,)):
                raise ValueShapeError(f"parameter {name!r} has shape {array.shape}; give one of (), ({runs.n},)")
        initial = plain_values(runs.model, {} if initial is None else initial, "initial")
        steps, *own = next(iter(named.values())).shape
        runs.check_initial({name: np.shape(value) for name, value in initial.items()}, tuple(own))
        states = self._read({STEP: 0, **initial})
        traces, left = self._operation(named, given, states)
        out = traces[0] if len(traces) == 1 else traces
        return (out, {**left, STEP: states[STEP] + steps}) if self._returns_state else out

    def _read(self, states: dict[str, Any]) -> dict[str, Array]:
        return {name: jnp.asarray(values, self._types[name]) for name, values in states.items()}


def _check_parameters(runs: LayerRuns, parameters: dict[str, Array]) -> None:
    for name in parameters:
        if name not in runs.trainable:
            raise ValueShapeError(
                f"parameters: {shown(name)} is not one of the trainable ones ({', '.join(runs.trainable)})"
                f"{suggest(name, runs.trainable)}"
            )
    lacking = [name for name in runs.trainable if name not in parameters]
    if lacking:
        raise ValueShapeError(f"parameters: {', '.join(lacking)} missing; give each a number or an array")


def _operation(runs: LayerRuns, number: Any, types: dict[str, Any]) -> Callable[..., Any]:
    """The run as an operation that JAX can differentiate, of inputs, parameters and what it begins with; it gives
    traces, and the last states by name, of these types.
    """

    def forth(*trees: dict[str, Array]) -> Any:
        shape = next(iter(trees[0].values())).shape
        traces = tuple(jax.ShapeDtypeStruct(shape, number) for _ in runs.record)
        left = {name: jax.ShapeDtypeStruct(shape[1:], types[name]) for name in runs.kept}
        call = lambda mark, *given: _forward(runs, _Lead(runs, np.ndim(mark), *given), types)  # noqa: E731
        return jax.pure_callback(call, (traces, left), MARK, *trees, vmap_method="broadcast_all")

    def back(kept: tuple[dict[str, Array], ...], cotangents: Any) -> Any:
        inputs, parameters, initial = kept
        due = inputs, parameters, {name: values for name, values in initial.items() if name in runs.states}
        results = jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, number), due)
        bars = cotangents[0], {name: cotangents[1][name] for name in runs.states}
        call = lambda mark, given, bars: _backward(runs, _Lead(runs, np.ndim(mark), *given), *bars)  # noqa: E731
        found = jax.pure_callback(call, results, MARK, kept, bars, vmap_method="broadcast_all")
        none = {LAST_SPIKE: jnp.zeros_like(initial.get(LAST_SPIKE, 0.0)), STEP: np.zeros((), jax.dtypes.float0)}
        return *found[:2], {name: found[2].get(name, none.get(name)) for name in initial}

    operation = jax.custom_vjp(forth)
    operation.defvjp(lambda *trees: (forth(*trees), trees), back)
    return operation


class _Lead:
    """Arrays as a callback gets them, with the axes that ``vmap`` has put before all of them made one of batches."""

    def __init__(
        self,
        runs: LayerRuns,
        mapped: int,
        inputs: dict[str, Array],
        parameters: dict[str, Array],
        initial: dict[str, Array],
    ) -> None:
        self.runs, self.mapped = runs, mapped
        self.shape = np.shape(next(iter(inputs.values())))
        self.is_batched = len(self.shape) - mapped == 3
        self.inputs = {name: self.series(np.asarray(values)) for name, values in inputs.items()}
        numbers = np.unique(initial[STEP])
        if len(numbers) != 1:
            raise ValueShapeError(
                f"initial: 'step' is {', '.join(map(str, numbers))} under vmap; a run begins with one"
            )
        self.first_step = int(numbers[0])
        initial = {name: values for name, values in initial.items() if name != STEP}
        self.own = {name: np.shape(values) for name, values in {**parameters, **initial}.items()}
        self.parameters = {name: self.rows(np.asarray(values)) for name, values in parameters.items()}
        self.initial = {name: self.rows(np.asarray(values)) for name, values in initial.items()}
        if LAST_SPIKE in initial:
            self.initial[LAST_SPIKE] = _on_grid(self.initial[LAST_SPIKE], runs.population(1).dt)

    def series(self, values: Array) -> Array:
        """(*mapped, T, B, n) as (T, batches, n)."""
        values = values if self.is_batched else np.expand_dims(values, -2)
        lead = self.mapped
        moved = np.moveaxis(values, lead, 0)
        return np.ascontiguousarray(moved.reshape(moved.shape[0], math.prod(moved.shape[1:-1]), self.runs.n))

    def unseries(self, values: Array) -> Array:
        """The way back from :meth:`series`."""
        lead = self.shape[: self.mapped]
        own = (self.shape[self.mapped + 1],) if self.is_batched else (1,)
        moved = np.moveaxis(values.reshape(values.shape[0], *lead, *own, self.runs.n), 0, self.mapped)
        return np.ascontiguousarray(moved if self.is_batched else moved.squeeze(-2))

    def rows(self, values: Array) -> Array:
        """A number, or (*mapped, [B,] [n]), as a number or (batches, n)."""
        if values.ndim == 0:
            return values
        lead = self.shape[: self.mapped]
        rest = values.shape[self.mapped :]
        own = self.shape[self.mapped + 1] if self.is_batched else 1
        wide = values.reshape(*values.shape[: self.mapped], *(1,) * (2 - len(rest)), *rest)
        return np.ascontiguousarray(np.broadcast_to(wide, (*lead, own, self.runs.n)).reshape(-1, self.runs.n))

    def unbatch(self, values: Array) -> Array:
        """(batches, n) as (*mapped, [B,] n)."""
        own = self.shape[self.mapped + 1 :] if self.is_batched else (self.runs.n,)
        return values.reshape(*self.shape[: self.mapped], *own)

    def unrows(self, name: str, values: Array) -> Array:
        """A gradient (batches, n), or a number, in the shape of what it belongs to; what was shared is added up."""
        shape = self.own[name]
        if np.ndim(values) == 0 or values.shape == shape:
            return np.asarray(values).reshape(shape)
        lead, rest = self.shape[: self.mapped], shape[self.mapped :]
        whole = values.reshape(*lead, -1, self.runs.n)
        wanted = (*lead, *(1,) * (2 - len(rest)), *rest)
        axes = tuple(k for k, (own, each) in enumerate(zip(wanted, whole.shape)) if own == 1 != each)
        return whole.sum(axis=axes).reshape(shape)


def _on_grid(times: Array, dt: float) -> Array:
    """Times of spikes in double precision: one that JAX rounded to single precision is that of a step, which rounds so
    (below some 8 million steps), or what a user gave.
    """
    if times.dtype == np.float64:
        return times
    steps = np.rint(times / np.float64(dt))
    exact = steps * dt
    return np.where((steps >= 0) & (exact.astype(times.dtype) == times), exact, times.astype(np.float64))


def _forward(runs: LayerRuns, lead: _Lead, types: dict[str, Any]) -> Any:
    _, traces, final = runs.forward(lead.inputs, lead.parameters, lead.initial, False, lead.first_step)
    left = {name: lead.unbatch(values.astype(types[name])) for name, values in final.items()}
    return tuple(lead.unseries(trace) for trace in traces.values()), left


def _backward(runs: LayerRuns, lead: _Lead, bars: tuple[Array, ...], final: dict[str, Array]) -> Any:
    tape = [*lead.inputs, *lead.parameters]
    given = {name: lead.series(np.asarray(bar)) for name, bar in zip(runs.record, bars)}
    last = {name: lead.rows(np.asarray(bar)) for name, bar in final.items()}
    with runs.lock:
        recording, _, _ = runs.forward(lead.inputs, lead.parameters, lead.initial, tape, lead.first_step)
        found = runs.backward(recording, given, last)
    number = runs.population(1).dtype
    return (
        {name: lead.unseries(found[name]).astype(number) for name in lead.inputs},
        {name: lead.unrows(name, found[name]).astype(number) for name in lead.parameters},
        {name: lead.unrows(name, found[f"{name}0"]).astype(number) for name in runs.states if name in lead.initial},
    )
