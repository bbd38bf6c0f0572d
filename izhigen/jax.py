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
from izhigen.layers import LayerRuns, check_inputs, name_inputs
from izhigen.model.events import SPIKE

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
    dtype: Any = "float32",
    **options: Any,
) -> Callable[..., Any]:
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
    dtype : {"float32", "float64"}
    **options
        As for :class:`izhigen.torch.Layer`. Initial states are found once, from the values that are given here.

    Returns
    -------
    callable
        ``f(parameters, *values, initial=None, **inputs)``: ``parameters`` maps names of trainable ones to a number or
        an array (n,); inputs have the shape (T, n), or (T, B, n) with a batch, which outputs have too; ``initial`` maps
        states to arrays (n,) or (B, n). It keeps nothing from call to call. The way back makes the run again.

    Raises
    ------
    ValueShapeError
        For unknown names and wrong shapes.
    BackendError
        For a backend of a device.
    """
    runs = LayerRuns(model, n, trainable, record, dtype=dtype, **options)
    if runs.device is not None:
        raise BackendError(
            "izhigen.jax runs on the processor: take backend='c' or 'numpy', or izhigen.torch for a device"
        )
    number = runs.population(1).dtype
    if jnp.zeros((), number).dtype != number:
        raise ValueShapeError(
            "dtype='float64' needs 64-bit numbers in JAX: jax.config.update('jax_enable_x64', True) comes first"
        )

    def apply(
        parameters: dict[str, Array], *values: Array, initial: dict[str, Array] | None = None, **inputs: Array
    ) -> Any:
        _check_parameters(runs, parameters)
        named = {name: jnp.asarray(value, number) for name, value in name_inputs(model, values, inputs).items()}
        check_inputs(model, n, named)
        given = {name: jnp.asarray(value, number) for name, value in parameters.items()}
        states = {name: jnp.asarray(value, number) for name, value in ({} if initial is None else initial).items()}
        own = next(iter(named.values())).shape[1:]
        for name in states:
            if name not in runs.states:
                raise ValueShapeError(f"initial: model {model.name!r} has no state {shown(name)}")
        for what, arrays, shapes in (("parameter", given, ((), (n,))), ("initial", states, ((n,), own))):
            for name, array in arrays.items():
                if array.shape not in shapes:
                    raise ValueShapeError(
                        f"{what} {name!r} has shape {array.shape}; give one of {', '.join(map(str, shapes))}"
                    )
        found = _operation(runs, number)(named, given, states)
        return found[0] if len(found) == 1 else found

    return apply


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


def _operation(runs: LayerRuns, number: Any) -> Callable[..., Any]:
    """The run as an operation that JAX can differentiate, of (inputs, parameters, initial states)."""

    def shape(array: Array) -> Any:
        return jax.ShapeDtypeStruct(array.shape, number)

    def forth(*trees: dict[str, Array]) -> tuple[Array, ...]:
        first = next(iter(trees[0].values()))
        results = tuple(shape(first) for _ in runs.record)
        call = lambda mark, *given: _forward(runs, _Lead(runs, np.ndim(mark), *given))  # noqa: E731
        return jax.pure_callback(call, results, MARK, *trees, vmap_method="broadcast_all")  # type: ignore[no-any-return]

    def back(kept: tuple[dict[str, Array], ...], cotangents: tuple[Array, ...]) -> Any:
        results = jax.tree.map(shape, kept)
        call = lambda mark, given, bars: _backward(runs, _Lead(runs, np.ndim(mark), *given), bars)  # noqa: E731
        return jax.pure_callback(call, results, MARK, kept, cotangents, vmap_method="broadcast_all")

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
        self.own = {name: np.shape(values) for name, values in {**parameters, **initial}.items()}
        self.parameters = {name: self.rows(np.asarray(values)) for name, values in parameters.items()}
        self.initial = {name: self.rows(np.asarray(values)) for name, values in initial.items()}

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

    def unrows(self, name: str, values: Array) -> Array:
        """A gradient (batches, n), or a number, in the shape of what it belongs to; what was shared is added up."""
        shape = self.own[name]
        if np.ndim(values) == 0 or values.shape == shape:
            return np.asarray(values).reshape(shape)
        lead, rest = self.shape[: self.mapped], shape[self.mapped :]
        whole = values.reshape(*lead, -1, self.runs.n)
        if len(rest) < 2 or rest[0] == 1:
            whole = whole.sum(axis=-2)
            if not rest or rest[-1] == 1:
                whole = whole.sum(axis=-1)
        return np.asarray(whole).reshape(shape)


def _forward(runs: LayerRuns, lead: _Lead) -> tuple[Array, ...]:
    _, traces, _ = runs.forward(lead.inputs, lead.parameters, lead.initial, False)
    return tuple(lead.unseries(trace) for trace in traces.values())


def _backward(runs: LayerRuns, lead: _Lead, bars: tuple[Array, ...]) -> Any:
    tape = [*lead.inputs, *lead.parameters]
    given = {name: lead.series(np.asarray(bar)) for name, bar in zip(runs.record, bars)}
    with runs.lock:
        recording, _, _ = runs.forward(lead.inputs, lead.parameters, lead.initial, tape)
        found = runs.backward(recording, given, {})
    number = runs.population(1).dtype
    return (
        {name: lead.unseries(found[name]).astype(number) for name in lead.inputs},
        {name: lead.unrows(name, found[name]).astype(number) for name in lead.parameters},
        {name: lead.unrows(name, found[f"{name}0"]).astype(number) for name in lead.initial},
    )
