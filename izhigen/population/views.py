"""A population's states and parameters by name, as mappings that write through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.model.additions import REFRACTORY
from izhigen.population.neurons import Neurons

Array = Any


class StateView(Mapping[str, Array]):
    """Live state arrays of a population."""

    def __init__(self, neurons: Neurons) -> None:
        self._neurons = neurons

    def __getitem__(self, name: str) -> Array:
        neurons = self._neurons
        if not isinstance(name, str):
            raise KeyError(f"{shown(name)} is no name of a state (states: {', '.join(self)})")
        if name == REFRACTORY.name and neurons.model.is_held_for_a_time:
            if neurons.steps_done == 0:
                return neurons.space.zeros(neurons.layout.count, bool).reshape(neurons.layout.shape)
            with neurons.space.use():
                since = (neurons.steps_done - 1) * neurons.dt - neurons.state["t_last_spike"]
                return (since <= neurons.parameters["tau_ref"]).reshape(neurons.layout.shape)
        if name not in neurons.state:
            raise KeyError(f"no state {shown(name)}{suggest(name, self)} (states: {', '.join(self)})")
        return neurons.state[name].reshape(neurons.layout.shape)

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(name, str) and name == REFRACTORY.name and self._neurons.model.is_held_for_a_time:
            raise ValueShapeError("'refractory' follows from t_last_spike and tau_ref; set those")
        neurons = self._neurons
        if not isinstance(name, str) or name not in neurons.state:
            self[name]  # says which there are
        neurons.set_state(name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._neurons.model.all_states)

    def __len__(self) -> int:
        return len(self._neurons.model.all_states)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name}: {self[name]!r}' for name in self)}}}"


class ParameterView(MutableMapping[str, Any]):
    """Parameter values of a population: a float for all neurons, or an array in the population's shape."""

    def __init__(self, neurons: Neurons) -> None:
        self._neurons = neurons

    def __getitem__(self, name: str) -> Any:
        values = self._neurons.parameters
        if not isinstance(name, str) or name not in values:
            raise KeyError(f"no parameter {shown(name)}{suggest(name, values)} (parameters: {', '.join(values)})")
        value = values[name]
        return value if isinstance(value, (int, float)) else value.reshape(self._neurons.layout.shape)

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str) or name not in self._neurons.parameters:
            raise ValueShapeError(
                f"model {self._neurons.model.name!r} has no parameter {shown(name)}{suggest(name, self)}"
            )
        self._neurons.set_parameter(name, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError("parameters can be changed, not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._neurons.parameters)

    def __len__(self) -> int:
        return len(self._neurons.parameters)

    def __repr__(self) -> str:
        return repr(dict(self))
