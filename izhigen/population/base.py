"""What a population is, wherever its neurons are: states and parameters as attributes, a call as a step, its shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, MutableMapping
from typing import Any

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.memory.layout import Layout
from izhigen.model.events import SpikeTiming
from izhigen.model.model import Declaration


class BasePopulation(ABC):
    """``pop.V`` is ``pop.state["V"]``, and ``pop.a = 0.1`` sets ``pop.parameters["a"]``.

    Names with a line before them belong to the object, all others to the model.
    """

    _model: Declaration
    _options: Mapping[str, Any]

    @property
    @abstractmethod
    def _layout(self) -> Layout:
        """How its arrays lie in memory."""

    @property
    @abstractmethod
    def state(self) -> Mapping[str, Any]:
        """States by name."""

    @property
    @abstractmethod
    def parameters(self) -> MutableMapping[str, Any]:
        """Parameters by name."""

    @property
    @abstractmethod
    def method(self) -> str:
        """Name of the integration method."""

    @property
    @abstractmethod
    def t(self) -> float:
        """Time in ms: the number of steps since the last reset times dt."""

    @abstractmethod
    def step(self, *, check_finite: bool = True, **inputs: Any) -> Any:
        """Advance by one step."""

    # -- names ------------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._model.all_states:
            return self.state[name]
        if name in self._model.parameters:
            return self.parameters[name]
        raise AttributeError(f"a population of {self._model.name!r} has no {shown(name)}{self._nearest(name)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        elif name in self._model.all_states:
            self.state[name] = value  # type: ignore[index]
        elif name in self._model.parameters:
            self.parameters[name] = value
        else:
            raise AttributeError(
                f"{shown(name)} cannot be set: it is neither a state nor a parameter of model {self._model.name!r}"
                f"{self._nearest(name)}"
            )

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self._model.all_states, *self._model.parameters]

    def _nearest(self, name: str) -> str:
        return suggest(name, [*self._model.all_states, *self._model.parameters])

    def __call__(self, *values: Any, **inputs: Any) -> Any:
        """One step, as :meth:`step` takes it by ``inputs``; positional ``values`` go to the model's inputs in order."""
        model = self._model
        if len(values) > len(model.inputs):
            raise ValueShapeError(
                f"model {model.name!r} has {len(model.inputs)} inputs ({', '.join(model.inputs)}), "
                f"{len(values)} values given"
            )
        for name, value in zip(model.inputs, values):
            if name in inputs:
                raise ValueShapeError(f"input {shown(name)} is given twice")
            inputs[name] = value
        return self.step(**inputs)

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
        return float(self._options["dt"])

    @property
    def dtype(self) -> Any:
        """Number type of the states."""
        return self._options["dtype"]

    @property
    def spike_timing(self) -> str:
        """Where in a step events happen: ``"step"``, ``"linear"`` or ``"located"``."""
        return str(self._options["spike_timing"])

    @property
    def backend(self) -> str:
        """Name of the backend."""
        return str(self._options["backend"])

    def __len__(self) -> int:
        return self._layout.shape[0]

    def __repr__(self) -> str:
        located = f", spikes {self.spike_timing}" if self.spike_timing != SpikeTiming.STEP.value else ""
        return (
            f"<Population of {self._model.name}{self._where}, dt={self.dt:g} ms, {self.method}{located}, "
            f"{self.backend}, {self.dtype.name}, t={self.t:g} ms>"
        )

    @property
    def _where(self) -> str:
        """How many neurons it has, and where they are."""
        return f": {'x'.join(map(str, self.shape))} neurons"
