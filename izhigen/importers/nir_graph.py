"""What a graph of NIR is here: neurons with an array for each parameter, matrices between them, and NIR's dynamic nodes
as declarations. Reading and writing share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from izhigen.errors import ModelError, shown
from izhigen.model.model import Declaration
from izhigen.scalars import read_finite, refuse_unit
from izhigen.timegrid import in_ms

D = TypeVar("D", bound=Declaration)
Array = NDArray[np.float64]
SECOND = 1000.0
"""ms of NIR's unit of time, which its files do not say; frameworks write seconds."""


def package() -> Any:
    """The package ``nir``.

    Raises
    ------
    ModelError
        Where it is not installed.
    """
    try:
        import nir
    except ImportError:
        raise ModelError("NIR's graphs need the package nir: pip install 'izhigen[nir]'") from None
    return nir


def read_second(second: Any) -> float:
    """ms of NIR's unit of time.

    Raises
    ------
    ModelError
        For what is no positive number.
    """
    found = read_finite(in_ms(second, "second"), "second", ModelError)
    if found <= 0:
        raise ModelError(f"second = {shown(second)} is no unit of time; give the ms of one, such as 1000")
    return found


@dataclass(frozen=True)
class Node(Generic[D]):
    """Neurons of one node.

    Attributes
    ----------
    model : Model
        Its parameters' defaults are those of the first neuron.
    shape : tuple of int
        How the neurons are arranged.
    values : mapping
        Parameter to its values, in ``shape``.
    """

    model: D
    shape: tuple[int, ...]
    values: Mapping[str, Any]

    @property
    def input(self) -> str:
        """The input that weights add to."""
        return self.model.inputs[0]

    def population(self, **options: Any) -> Any:
        """The neurons, with their values; ``options`` are those of :meth:`izhigen.Model.population`."""
        make: Any = self.model
        return make.population(self.shape, **{**self.values, **options})


@dataclass(frozen=True)
class Connection:
    """What one node gives another: ``weights @ x + bias`` of all neurons, flattened.

    Attributes
    ----------
    source, target : str
        Names of nodes, or of the graph's inputs and outputs.
    weights : array, shape (neurons of the target, neurons of the source)
    bias : array, shape (neurons of the target,)
    """

    source: str
    target: str
    weights: Array
    bias: Array

    def apply(self, values: Any) -> Array:
        """The input of the target, of shape (..., target's neurons), for values (..., source's neurons)."""
        refuse_unit(values, "values")
        found: Array = np.asarray(values, dtype=np.float64) @ self.weights.T + self.bias
        return found


@dataclass(frozen=True)
class Graph(Generic[D]):
    """Nodes, and what connects them.

    Attributes
    ----------
    nodes : mapping
    connections : tuple of Connection
    report : tuple of str
        A line for each decision.
    """

    nodes: Mapping[str, Node[D]]
    connections: tuple[Connection, ...] = ()
    report: tuple[str, ...] = ()

    def into(self, target: str) -> tuple[Connection, ...]:
        """The connections of a node or an output."""
        return tuple(connection for connection in self.connections if connection.target == target)


@dataclass(frozen=True)
class Form:
    """One of NIR's dynamic nodes.

    Attributes
    ----------
    equations : str
        With times in ms; ``second`` is NIR's unit of time.
    spikes : bool
        Whether it has a threshold and a reset.
    input : str
    values : tuple of str
        Parameters, by the names that NIR gives them.
    """

    name: str
    equations: str
    spikes: bool
    input: str
    values: tuple[str, ...]

    @property
    def times(self) -> tuple[str, ...]:
        """Parameters that are times."""
        return tuple(value for value in self.values if value.startswith("tau"))

    def model(self, kind: type[D], defaults: Mapping[str, float], second: float) -> D:
        """The declaration; all but times are plain numbers."""
        parameters = dict(defaults)
        units = {name: "ms" if name in self.times else "1" for name in (*self.values, self.input)}
        if not self.times:
            parameters["second"], units["second"] = second, "ms"
        return kind(
            self.name,
            self.equations,
            threshold="v > v_threshold" if self.spikes else None,
            reset="v = v_reset" if self.spikes else None,
            trigger="level" if self.spikes else "auto",
            parameters=parameters,
            inputs=[self.input],
            units=units,
            strict_units=True,
            description=f"NIR's {self.name}",
        )


_LEAKY = "dv/dt = (v_leak - v + r*I)/tau : 1"
_CUBA = "di_syn/dt = (w_in*S - i_syn)/tau_syn : 1\ndv/dt = (v_leak - v + r*i_syn)/tau_mem : 1"
_FREE = "dv/dt = r*I/second : 1"
_OF_LEAKY = ("tau", "r", "v_leak")
_OF_CUBA = ("tau_syn", "tau_mem", "r", "v_leak", "w_in")
_RESET = ("v_threshold", "v_reset")
_FORMS = (
    Form("LIF", _LEAKY, True, "I", (*_OF_LEAKY, *_RESET)),
    Form("LI", _LEAKY, False, "I", _OF_LEAKY),
    Form("CubaLIF", _CUBA, True, "S", (*_OF_CUBA, *_RESET)),
    Form("CubaLI", _CUBA, False, "S", _OF_CUBA),
    Form("IF", _FREE, True, "I", ("r", *_RESET)),
    Form("I", _FREE, False, "I", ("r",)),
)
FORMS: Mapping[str, Form] = {form.name: form for form in _FORMS}
"""The dynamic nodes that are read and written."""
