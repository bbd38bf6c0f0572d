"""A population's states and parameters by name, as mappings that write through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from izhigen.errors import ValueShapeError, shown, suggest

if TYPE_CHECKING:
    from izhigen.population import Population

Array = Any


class StateView(Mapping[str, Array]):
    """Live state arrays of a population."""

    def __init__(self, population: Population) -> None:
        self._population = population

    def __getitem__(self, name: str) -> Array:
        population = self._population
        if not isinstance(name, str):
            raise KeyError(f"{shown(name)} is no name of a state (states: {', '.join(self)})")
        if name == "refractory" and population._model.refractory:
            if population._steps_done == 0:
                return population._space.zeros(population._layout.count, bool).reshape(population.shape)
            with population._space.use():
                since = (population._steps_done - 1) * population._dt - population._state["t_last_spike"]
                return (since <= population._parameters["tau_ref"]).reshape(population.shape)
        if name not in population._state:
            raise KeyError(f"no state {shown(name)}{suggest(name, self)} (states: {', '.join(self)})")
        return population._state[name].reshape(population.shape)

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(name, str) and name == "refractory":
            raise ValueShapeError("'refractory' follows from t_last_spike and tau_ref; set those")
        population = self._population
        if not isinstance(name, str) or name not in population._state:
            self[name]  # says which there are
        population._set_state(name, value)

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
        if not isinstance(name, str) or name not in values:
            raise KeyError(f"no parameter {shown(name)}{suggest(name, values)} (parameters: {', '.join(values)})")
        value = values[name]
        return value if isinstance(value, (int, float)) else value.reshape(self._population.shape)

    def __setitem__(self, name: str, value: Any) -> None:
        if not isinstance(name, str) or name not in self._population._parameters:
            raise ValueShapeError(
                f"model {self._population._model.name!r} has no parameter {shown(name)}{suggest(name, self)}"
            )
        self._population._set_parameter(name, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError("parameters can be changed, not removed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._population._parameters)

    def __len__(self) -> int:
        return len(self._population._parameters)

    def __repr__(self) -> str:
        return repr(dict(self))
