"""Neurons as a layer of a framework that differentiates: runs without hidden state, and their gradients, on arrays."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.memory.space import beside, is_on_device, on_host, shape_of
from izhigen.model.functions import LAST_SPIKE
from izhigen.population.values import plain_values
from izhigen.scalars import check_count, read_flag, read_names

if TYPE_CHECKING:
    from izhigen.api import Model
    from izhigen.population.population import Population
    from izhigen.recording.recording import Recording

Array = Any
DEFAULT_SURROGATE = "arctan"
"""It falls off slowly enough for potentials in mV: others are 0 to every digit a few mV from the threshold."""
STEP = "step"
"""What a layer's states call the number of steps that were made before them, which keys time and noise."""


class LayerRuns:
    """Runs of a population whose inputs, parameters and initial states are given each time.

    Parameters
    ----------
    model : Model
    n : int
        Neurons of the layer.
    trainable : iterable of str
        Parameters that gradients are due of; the others have the values given here.
    record : iterable of str
        States and events that a run gives.
    check_finite : bool
        Whether to look for states and gradients that are infinite or undefined.
    **options
        Of :meth:`izhigen.Model.population`, and values of parameters and initial states.

    Attributes
    ----------
    kept : tuple of str
        The states that a run leaves: those with a gradient, and the time of the last spike where it is kept.
    start : mapping
        Initial states, shape (n,): those of the parameters that were given, and the same ones ever after, so that a run
        depends on its parameters by its steps alone.
    values : mapping
        First values of the trainable parameters.

    Raises
    ------
    ValueShapeError
        For unknown names.
    """

    def __init__(
        self,
        model: Model,
        n: int,
        trainable: Iterable[str],
        record: Iterable[str],
        check_finite: bool = True,
        **options: Any,
    ) -> None:
        self.model, self.n, self.check_finite = model, check_count("n", n), read_flag(check_finite, "check_finite")
        self.trainable = read_names(trainable, "trainable")
        self.record = read_names(record, "record")
        self.states = model.gradient_states
        self.kept = (*self.states, *((LAST_SPIKE,) if model.keeps_last_spike else ()))
        events = tuple(event.name for event in model.events)
        for what, names, known in (
            ("trainable", self.trainable, model.gradient_parameters),
            ("record", self.record, (*self.states, *events)),
        ):
            for name in names:
                if name not in known:
                    raise ValueShapeError(
                        f"{what}: {shown(name)} is not one of {', '.join(known)}{suggest(name, known)}"
                    )
        if options.get("sharding") is not None:
            raise ValueShapeError("sharding: a layer runs on one device; name it by device=...")
        self.options = {"surrogate": DEFAULT_SURROGATE, **options}
        self._populations: dict[int, Population] = {}
        self.lock = threading.RLock()
        first = self.population(1)
        with beside(first.state[self.kept[0]]):
            self.start = {name: first.state[name][0].copy() for name in self.kept}
        self.values = {name: np.asarray(on_host(first.parameters[name])) for name in self.trainable}
        for name, values in self.values.items():
            self.values[name] = values.reshape(self.n) if values.ndim else values

    def __getstate__(self) -> dict[str, Any]:
        """All but what a copy makes anew: populations and the lock."""
        return {**vars(self), "_populations": {}, "lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.lock = threading.RLock()

    @property
    def device(self) -> int | None:
        """Number of the device that arrays of a run lie on; None for the host."""
        values = self.start[self.kept[0]]
        return int(values.device.id) if is_on_device(values) else None

    @property
    def is_noisy(self) -> bool:
        """Whether the kernel draws noise, by the number of the step."""
        return bool(self.model.noise)

    def check_initial(self, shapes: Mapping[str, tuple[int, ...]], own: tuple[int, ...]) -> None:
        """Initial states must be known, and of a shape that broadcasts to ``own``, (n,) or (B, n).

        Raises
        ------
        ValueShapeError
            Naming the state.
        """
        known = (*self.kept, STEP)
        for name, shape in shapes.items():
            if name not in known:
                raise ValueShapeError(
                    f"initial: model {self.model.name!r} has no state {shown(name)}{suggest(str(name), known)} "
                    f"(known: {', '.join(known)})"
                )
            wanted = () if name == STEP else own
            if len(shape) > len(wanted) or any(k not in (1, m) for k, m in zip(shape[::-1], wanted[::-1])):
                either = " or ".join(dict.fromkeys((str(wanted), str(wanted[-1:]))))
                raise ValueShapeError(f"initial {name!r} has shape {shape}; give {either}")

    def population(self, batch: int) -> Population:
        """The population of so many batches; it is reset before each run."""
        if batch not in self._populations:
            self._populations[batch] = self.model.population(self.n, batch=batch, **self.options)
        return self._populations[batch]

    def forward(
        self,
        inputs: Mapping[str, Array],
        parameters: Mapping[str, Array],
        initial: Mapping[str, Array],
        tape: Iterable[str] | bool,
        first_step: int = 0,
    ) -> tuple[Recording, dict[str, Array], dict[str, Array]]:
        """Run once.

        Parameters
        ----------
        inputs : mapping
            Name to an array of shape (T, B, n).
        parameters : mapping
            Name of a trainable parameter to a number, or to an array (n,) or (B, n).
        initial : mapping
            Name of a state, the time of the last spike among them, to an array (B, n); others begin with ``start``.
        tape : bool or iterable of str
        first_step : int
            Number of the step that the run begins with, which keys time and noise.

        Returns
        -------
        recording, traces, final : Recording, dict, dict
            Traces by name, shape (T, B, n), those of events as numbers; and the last states of ``kept``, shape (B, n).

        Raises
        ------
        KeyboardInterrupt
            Where Ctrl-C ended the run: a part of it is no result.
        """
        with self.lock:
            return self._forward(inputs, parameters, initial, tape, first_step)

    def backward(
        self, recording: Recording, cotangents: Mapping[str, Array], final: Mapping[str, Array]
    ) -> dict[str, Any]:
        """Gradients with respect to what a run was given; see :meth:`izhigen.Recording.backward`."""
        with self.lock:
            return recording.backward(cotangents, final=final, check_finite=self.check_finite)

    def _forward(
        self,
        inputs: Mapping[str, Array],
        parameters: Mapping[str, Array],
        initial: Mapping[str, Array],
        tape: Iterable[str] | bool,
        first_step: int,
    ) -> tuple[Recording, dict[str, Array], dict[str, Array]]:
        steps, batch = next(iter(inputs.values())).shape[:2]
        pop = self.population(batch)
        pop.reset()
        for name, value in parameters.items():
            pop.parameters[name] = value if shape_of(value) else float(value)
        for name, value in {**self.start, **initial}.items():
            pop.state[name] = value
        pop.begin_at(first_step)
        how: dict[str, Any] = {"tape": tape, "check_finite": self.check_finite, "progress": False}
        recording = pop.run(steps=steps, record=list(self.record), **how, **inputs)
        if len(recording.t) < steps:
            raise KeyboardInterrupt
        with beside(pop.state[self.kept[0]]):
            traces = {name: recording[name].astype(pop.dtype, copy=False) for name in self.record}
            return recording, traces, {name: pop.state[name].copy() for name in self.kept}


def check_inputs(model: Model, n: int, inputs: Mapping[str, Any]) -> None:
    """Every input must be known and have the same shape (T, B, n) or (T, n).

    Raises
    ------
    ValueShapeError
        Naming the input.
    """
    known = (*model.inputs, *model.delta_inputs)
    first = None
    for name, values in inputs.items():
        if name not in known:
            raise ValueShapeError(f"model {model.name!r} has no input {shown(name)}{suggest(name, known)}")
        shape = tuple(values.shape)
        if len(shape) not in (2, 3) or shape[-1] != n:
            raise ValueShapeError(
                f"input {name!r} has shape {shape}; a layer of {n} neurons takes (T, B, {n}), or (T, {n}) without a "
                "batch (with batch_first, B before T)"
            )
        if first is not None and shape != first[1]:
            raise ValueShapeError(
                f"inputs {first[0]!r} and {name!r} have shapes {first[1]} and {shape}; give one shape"
            )
        first = first or (name, shape)
    if first is None:
        raise ValueShapeError(f"model {model.name!r}: a layer needs at least one input ({', '.join(known)})")


def name_inputs(model: Model, values: tuple[Any, ...], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Positional inputs by their names, in the model's order, with those that are named; none with a unit."""
    if len(values) > len(model.inputs):
        raise ValueShapeError(
            f"model {model.name!r} has {len(model.inputs)} inputs ({', '.join(model.inputs)}), {len(values)} given"
        )
    named = dict(zip(model.inputs, values))
    for name in inputs:
        if name in named:
            raise ValueShapeError(f"input {shown(name)} is given twice")
    return plain_values(model, {**named, **inputs})
