"""States and parameters as attributes of a population, and a call as a step."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Protocol

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.model.model import Declaration


class Named(Protocol):
    """Has states and parameters by name."""

    @property
    def _model(self) -> Declaration: ...

    @property
    def state(self) -> Mapping[str, Any]:
        """States by name."""
        ...

    @property
    def parameters(self) -> MutableMapping[str, Any]:
        """Parameters by name."""
        ...

    def step(self, *, check_finite: bool = True, **inputs: Any) -> Any:
        """Advance by one step."""
        ...


class NamedValues:
    """``pop.V`` is ``pop.state["V"]``, and ``pop.a = 0.1`` sets ``pop.parameters["a"]``.

    Names with a line before them belong to the object, all others to the model.
    """

    def __getattr__(self: Named, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._model.all_states:
            return self.state[name]
        if name in self._model.parameters:
            return self.parameters[name]
        raise AttributeError(f"a population of {self._model.name!r} has no {shown(name)}{_nearest(self, name)}")

    def __setattr__(self: Named, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        elif name in self._model.all_states:
            self.state[name] = value  # type: ignore[index]
        elif name in self._model.parameters:
            self.parameters[name] = value
        else:
            raise AttributeError(
                f"{shown(name)} cannot be set: it is neither a state nor a parameter of model {self._model.name!r}"
                f"{_nearest(self, name)}"
            )

    def __call__(self: Named, *values: Any, **inputs: Any) -> Any:
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

    def __dir__(self: Named) -> list[str]:
        return [*object.__dir__(self), *self._model.all_states, *self._model.parameters]


def _nearest(population: Named, name: str) -> str:
    return suggest(name, [*population._model.all_states, *population._model.parameters])
