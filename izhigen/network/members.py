"""A population of a network: a population whose steps the network makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from izhigen.backends.engine import Engine
from izhigen.errors import NetworkError
from izhigen.inputs.feeds import KernelInput
from izhigen.population.exclusive import Use
from izhigen.population.neurons import Neurons
from izhigen.population.population import Population

Array = Any


class NetworkPopulation(Population):
    """A population that a :class:`~izhigen.network.network.Network` made; its states and parameters are live as those
    of any population. Copies of it are populations of their own, which no network advances.
    """

    _name: str | None = None
    _positions: Array = None

    def _of_network(self, what: str) -> NoReturn:
        raise NetworkError(
            f"population {self._name!r} is part of a network; {what} the network instead, as in net.{what}(...), or "
            "copy.copy(population) for one of its own"
        )

    def run(self, *arguments: Any, **options: Any) -> Any:
        """Refused: the network runs all of its populations."""
        if self._name is None:
            return super().run(*arguments, **options)
        self._of_network("run")

    def step(self, **options: Any) -> Any:
        """Refused: the network makes the steps of all of its populations."""
        if self._name is None:
            return super().step(**options)
        self._of_network("run")

    def reset(self, *arguments: Any, **options: Any) -> None:
        """Refused: the network resets all of its populations."""
        if self._name is not None:
            self._of_network("reset")
        super().reset(*arguments, **options)

    def begin_at(self, *arguments: Any, **options: Any) -> None:
        """Refused: the network counts the steps of all of its populations."""
        if self._name is not None:
            self._of_network("reset")
        super().begin_at(*arguments, **options)

    def join(self, name: str, positions: Array, uses: dict[str, Use], steps_done: int) -> None:
        """Become a part of a network, which is used by one at a time as a whole."""
        self._name, self._positions, self._uses = name, positions, uses
        self._neurons.share(uses)
        self._neurons.steps_done = steps_done

    @property
    def neurons(self) -> Neurons:
        """The neurons, for the network that advances them."""
        return self._neurons

    @property
    def positions(self) -> Array:
        """Positions of the neurons, shape (n, 1 to 3), or None."""
        return self._positions

    def find_engine(self, deltas: tuple[str, ...], computed: Mapping[str, KernelInput]) -> Engine:
        """The engine for states that jump and what the kernel computes of its inputs."""
        return self._engine(deltas, computed)

    def input_names(self, given: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of all inputs that a kernel reads, and the states that jump, where those are ``given``."""
        return self._input_names(dict.fromkeys(given))

    def __repr__(self) -> str:
        plain = super().__repr__()
        return plain if self._name is None else plain.replace("<Population of", f"<Population {self._name!r} of", 1)


__all__ = ["NetworkPopulation"]
