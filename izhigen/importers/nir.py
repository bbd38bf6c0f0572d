"""NIR: graphs of neurons and weights that frameworks exchange, read from and written to its HDF5 files.

The dynamic nodes LIF, CubaLIF, LI, CubaLI, IF and I become models with an array for each parameter; Linear, Affine and
Scale between them become matrices (Pedersen et al. 2024, Nature Communications 15:8122). Nothing in a file is executed:
what is in it is looked at before the package ``nir`` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from izhigen.errors import ModelError, ModelNotFoundError, shown, suggest
from izhigen.importers.imported import Imported
from izhigen.importers.nir_forms import FORMS, nir_values
from izhigen.model.model import Declaration
from izhigen.scalars import read_finite, refuse_unit
from izhigen.timegrid import in_ms

D = TypeVar("D", bound=Declaration)
Array = NDArray[np.float64]
SUFFIXES = (".nir",)
MOST_NUMBERS = 100_000_000
"""Most numbers of a file."""
MOST_NODES = 10_000
DEEPEST = 6
"""Levels of groups in a file."""
_MATRICES = ("Linear", "Affine", "Scale")
_READ = (*FORMS, *_MATRICES, "Input", "Output", "NIRGraph")


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
    values: Mapping[str, Array]

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
    report: tuple[str, ...] = field(default=())

    def into(self, target: str) -> tuple[Connection, ...]:
        """The connections of a node or an output."""
        return tuple(connection for connection in self.connections if connection.target == target)


def read_file(place: Path, name: str, kind: type[D]) -> Imported[D]:
    """A node of a file as a model; one whose parameters differ among its neurons is refused.

    Raises
    ------
    ModelNotFoundError
        No such node, or several and no name.
    ModelError
        What is not read.
    """
    graph = read_graph(place, kind)
    nodes = graph.nodes
    if name and name not in nodes:
        raise ModelNotFoundError(f"{place} holds no neurons {shown(name)}{suggest(name, nodes)} ({', '.join(nodes)})")
    if not name and len(nodes) != 1:
        raise ModelNotFoundError(
            f"{place} holds nodes {', '.join(nodes) or 'without neurons'}; name one as {place}:NODE"
        )
    chosen = nodes[name] if name else next(iter(nodes.values()))
    for parameter, values in chosen.values.items():
        if np.any(values != values.flat[0]):
            raise ModelError(
                f"{place}: {parameter} differs among the neurons of the node, and a model has one value; "
                "read_graph of izhigen.importers.nir gives the node with its arrays"
            )
    return Imported(chosen.model, graph.report)


def read_graph(path: str | Path, kind: type[D], *, second: float = 1000.0) -> Graph[D]:
    """The neurons and weights of a NIR file.

    Parameters
    ----------
    path : str or Path
    kind : type
        The class of the models, :class:`izhigen.Model`.
    second : float
        ms of NIR's unit of time, which its files do not say; seconds by default.

    Raises
    ------
    ModelNotFoundError
        No such file.
    ModelError
        A node that is none of those read, a file that is too large or refers to others, values that are not finite.
    """
    nir, place = _package(), Path(path)
    _look_at(place)
    try:
        found = nir.read(place)
    except Exception as problem:  # of the package, for whatever a file holds
        raise ModelError(f"{place} is not a NIR graph ({type(problem).__name__}: {problem})") from None
    if not isinstance(found, nir.NIRGraph):
        raise ModelError(f"{place} holds one {type(found).__name__} and no graph; wrap it in one")
    return from_nir(found, kind, second=second, place=str(place))


def from_nir(graph: Any, kind: type[D], *, second: float = 1000.0, place: str = "the graph") -> Graph[D]:
    """The neurons and weights of a ``nir.NIRGraph``; the arguments of :func:`read_graph`.

    Raises
    ------
    ModelError
        As there.
    """
    second = _unit_of_time(second)
    report = [f"times are in units of {second:g} ms", "inputs are held during a step: a spike of area 1 is 1/dt"]
    nodes: dict[str, Node[D]] = {}
    for name, node in graph.nodes.items():
        what = type(node).__name__
        if what not in _READ or what == "NIRGraph":
            raise ModelError(f"{place}: node {shown(name)} is of type {what}; those read are {', '.join(_READ[:-1])}")
        if what in FORMS:
            nodes[name] = _node(name, node, kind, second, place)
    return Graph(nodes, tuple(_connections(graph, nodes, place)), tuple(report))


def _node(name: str, node: Any, kind: type[D], second: float, place: str) -> Node[D]:
    form = FORMS[type(node).__name__]
    values = {
        own: _finite(getattr(node, theirs), f"{place}: {theirs} of node {name}") for own, theirs in form.values.items()
    }
    for times in form.times:
        values[times] = values[times] * second
        if np.any(values[times] <= 0):
            raise ModelError(f"{place}: {form.values[times]} of node {name} is not positive")
    shape = next(iter(values.values())).shape or (1,)
    arrays = {own: np.broadcast_to(array, shape).copy() for own, array in values.items()}
    if any(size == 0 for size in shape):
        raise ModelError(f"{place}: node {name} has no neurons")
    first = {own: float(array.flat[0]) for own, array in arrays.items()}
    return Node(form.model(kind, first, second), shape, arrays)


def _finite(values: Any, where: str) -> Array:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError(f"{where} is no array of numbers") from None
    if not np.all(np.isfinite(found)):
        raise ModelError(f"{where} is not finite everywhere")
    return found


# -- weights ----------------------------------------------------------------------------------------------------------


def _connections(graph: Any, nodes: Mapping[str, Node[D]], place: str) -> Iterator[Connection]:
    """What each node and output gets from others, through the matrices between."""
    before: dict[str, list[str]] = {}
    for source, target in dict.fromkeys((str(source), str(target)) for source, target in graph.edges):
        for end in (source, target):
            if end not in graph.nodes:
                raise ModelError(f"{place}: an edge names {shown(end)}, which is no node{suggest(end, graph.nodes)}")
        before.setdefault(target, []).append(source)
    for name, node in graph.nodes.items():
        if name in nodes or type(node).__name__ == "Output":
            for source in before.get(name, ()):
                size = int(np.prod(next(iter(node.input_type.values()))))
                yield from _paths(graph, before, name, source, np.eye(size), np.zeros(size), (), place)


def _paths(
    graph: Any,
    before: Mapping[str, list[str]],
    target: str,
    name: str,
    weights: Array,
    bias: Array,
    path: tuple[str, ...],
    place: str,
) -> Iterator[Connection]:
    """Go back from a target to nodes that are no matrices; ``weights`` and ``bias`` are of the way so far."""
    node = graph.nodes[name]
    what = type(node).__name__
    if what not in _MATRICES:
        size = int(np.prod(next(iter(node.output_type.values()))))
        if size != weights.shape[1]:
            raise ModelError(f"{place}: {name} has {size} values, and {weights.shape[1]} go into {target}")
        yield Connection(name, target, weights, bias)
        return
    if name in path or len(path) > DEEPEST:
        raise ModelError(f"{place}: {' -> '.join((*path, name))} goes round, or on too long, without neurons between")
    own = _finite(node.scale if what == "Scale" else node.weight, f"{place}: weights of node {name}")
    own = np.diag(own.ravel()) if what == "Scale" else own
    if own.ndim != 2 or own.shape[0] != weights.shape[1]:
        raise ModelError(f"{place}: weights of node {name} have shape {own.shape}, and {weights.shape[1]} rows are due")
    if what == "Affine":
        bias = bias + weights @ _finite(node.bias, f"{place}: bias of node {name}").ravel()
    for number, source in enumerate(before.get(name, ())):
        of_path = bias if number == 0 else np.zeros_like(bias)  # a bias is added once, however many come together
        yield from _paths(graph, before, target, source, weights @ own, of_path, (*path, name), place)


# -- files ------------------------------------------------------------------------------------------------------------


def _package() -> Any:
    try:
        import nir
    except ImportError:
        raise ModelError("NIR's files are read by nir, which is not installed: pip install 'izhigen[nir]'") from None
    return nir


def _look_at(place: Path) -> None:
    """Refuse a file that is too large, refers to others, or names types that are not read."""
    import h5py

    if not place.is_file():
        raise ModelNotFoundError(f"no file '{place}' to load a model from")
    try:
        with h5py.File(place, "r") as file:
            numbers = sum(_numbers_in(file, h5py, str(place), 0))
    except (OSError, RuntimeError, KeyError, ValueError) as problem:
        if isinstance(problem, ModelError):
            raise
        raise ModelError(f"{place} is no HDF5 file, which NIR's are ({problem})") from None
    if numbers > MOST_NUMBERS:
        raise ModelError(f"{place} holds {numbers:,} numbers, more than {MOST_NUMBERS:,}; split the graph")


def _numbers_in(group: Any, h5py: Any, place: str, depth: int) -> Iterator[int]:
    """How many numbers each array in a group has."""
    if depth > DEEPEST or len(group) > MOST_NODES:
        raise ModelError(f"{place}: groups deeper than {DEEPEST}, or more than {MOST_NODES:,} in one")
    for key in group:
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ModelError(f"{place}: {shown(key)} is a link to elsewhere, which is not followed")
        item = group[key]
        if isinstance(item, h5py.Group):
            yield from _numbers_in(item, h5py, place, depth + 1)
            continue
        yield int(item.size or 1)
        if key == "type" and item.shape == ():
            what = item[()]
            name = what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
            if name not in _READ:
                raise ModelError(
                    f"{place}: a node of type {shown(name)}{suggest(name, _READ)}; those read are {', '.join(_READ)}"
                )


def _unit_of_time(second: Any) -> float:
    """NIR's unit of time in ms."""
    found = read_finite(in_ms(second, "second"), "second", ModelError)
    if not found > 0:
        raise ModelError(f"second = {shown(second)} is not above 0; give ms, such as 1000")
    return found


def to_nir(
    nodes: Mapping[str, Any],
    connections: Iterable[Connection] = (),
    *,
    path: str | Path | None = None,
    second: float = 1000.0,
) -> Any:
    """Neurons and weights as a ``nir.NIRGraph``, written to a file where ``path`` is given.

    A model fits if its equation is linear in its state and its one input, its threshold compares that state with a
    value, and its reset gives it one.

    Parameters
    ----------
    nodes : mapping
        Name to a :class:`Node`, or to ``(model, shape, values)``.
    connections : iterable of Connection
        A source that is none of the nodes becomes an input of the graph, a target an output.
    path : str or Path, optional
    second : float
        ms of the unit of time to write in.

    Raises
    ------
    ModelError
        For a model that does not fit; says what in it.
    """
    nir, second = _package(), _unit_of_time(second)
    written: dict[str, Any] = {}
    for name, given in nodes.items():
        node = given if isinstance(given, Node) else Node(*given)
        form, values = nir_values(node.model, node.shape, node.values, second, name)
        written[name] = getattr(nir, form)(**values)
    edges: list[tuple[str, str]] = []
    for number, connection in enumerate(connections):
        into, out_of = connection.weights.shape
        if connection.source not in written:
            written[connection.source] = nir.Input({"input": np.array([out_of])})
        if connection.target not in written:
            written[connection.target] = nir.Output({"output": np.array([into])})
        between = f"weights_{number}"
        written[between] = nir.Affine(weight=connection.weights, bias=connection.bias)
        edges += [(connection.source, between), (between, connection.target)]
    graph = nir.NIRGraph(nodes=written, edges=edges, metadata={}, type_check=False)
    if path is not None:
        nir.write(path, graph)
    return graph
