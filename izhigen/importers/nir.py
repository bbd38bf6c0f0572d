"""NIR: graphs of neurons and weights that frameworks exchange, read from its HDF5 files.

The dynamic nodes LIF, CubaLIF, LI, CubaLI, IF and I become models with an array for each parameter; Linear, Affine and
Scale between them become matrices (Pedersen et al. 2024, Nature Communications 15:8122). Nothing in a file is executed:
what is in it is looked at before the package ``nir`` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from izhigen.errors import ModelError, ModelNotFoundError, shown, suggest
from izhigen.files import is_file
from izhigen.importers.imported import Imported
from izhigen.importers.nir_graph import FORMS, SECOND, Array, Connection, Graph, Node, package, read_second
from izhigen.model.model import Declaration

D = TypeVar("D", bound=Declaration)
SUFFIXES = (".nir",)
MOST_NUMBERS = 100_000_000
"""Most numbers of a file."""
MOST_NODES = 10_000
DEEPEST = 6
"""Levels of groups in a file."""
_MATRICES = ("Linear", "Affine", "Scale")
_ENDS = ("Input", "Output")
_READ = (*FORMS, *_MATRICES, *_ENDS)
_GRAPH = "NIRGraph"


def read_file(place: Path, name: str, kind: type[D]) -> Imported[D]:
    """A node of a file as a model; one whose parameters differ among its neurons is refused.

    Raises
    ------
    ModelNotFoundError
        No such node, or several and no name.
    ModelError
        What is not read.
    """
    graph = _graph_of(place)
    nodes, before = _nodes(graph, kind, SECOND, str(place)), _before(graph, str(place))
    if name and name not in nodes:
        raise ModelNotFoundError(f"{place} holds no neurons {shown(name)}{suggest(name, nodes)} ({', '.join(nodes)})")
    if not name and len(nodes) != 1:
        raise ModelNotFoundError(
            f"{place} holds nodes {', '.join(nodes) or 'without neurons'}; name one as {place}:NODE"
        )
    own = name or next(iter(nodes))
    chosen = nodes[own]
    for parameter, values in chosen.values.items():
        if np.any(values != values.flat[0]):
            raise ModelError(
                f"{place}: {parameter} differs among the neurons of the node, and a model has one value; "
                "read_graph of izhigen.importers.nir gives the node with its arrays"
            )
    count = int(np.prod(chosen.shape))
    alone = [f"{own} has {count} neurons with the same parameters, and the model is of one"] if count > 1 else []
    if sources := [source for source in before.get(own, ()) if type(graph.nodes[source]).__name__ != "Input"]:
        alone.append(f"what {', '.join(sources)} gives {own} is left out; read_graph gives weights and biases")
    return Imported(chosen.model, (*_report(graph, nodes, before, SECOND), *alone))


def read_graph(path: str | Path, kind: type[D], *, second: float = SECOND) -> Graph[D]:
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
    place = Path(path)
    return from_nir(_graph_of(place), kind, second=second, place=str(place))


def _graph_of(place: Path) -> Any:
    """The ``nir.NIRGraph`` of a file that has been looked at."""
    nir = package()
    _look_at(place)
    try:
        found = nir.read(place)
    except Exception as problem:  # of the package, for whatever a file holds
        raise ModelError(f"{place} is not a NIR graph ({type(problem).__name__}: {problem})") from None
    if not isinstance(found, nir.NIRGraph):
        raise ModelError(f"{place} holds one {type(found).__name__} and no graph; wrap it in one")
    return found


def from_nir(graph: Any, kind: type[D], *, second: float = SECOND, place: str = "the graph") -> Graph[D]:
    """The neurons and weights of a ``nir.NIRGraph``; the arguments of :func:`read_graph`.

    Raises
    ------
    ModelError
        As there.
    """
    second = read_second(second)
    nodes, before = _nodes(graph, kind, second, place), _before(graph, place)
    connections = tuple(islice(_connections(graph, nodes, before, place), MOST_NODES + 1))
    if len(connections) > MOST_NODES:
        raise ModelError(f"{place}: more than {MOST_NODES:,} ways from node to node; join matrices")
    return Graph(nodes, connections, tuple(_report(graph, nodes, before, second)))


def _nodes(graph: Any, kind: type[D], second: float, place: str) -> dict[str, Node[D]]:
    """The neurons of a graph; nodes of other kinds than those that are read are refused."""
    nodes: dict[str, Node[D]] = {}
    for name, node in graph.nodes.items():
        what = type(node).__name__
        if what not in _READ:
            hint = "; put the nodes of the graph within it into the one around it" if what == _GRAPH else ""
            raise ModelError(f"{place}: node {shown(name)} is of type {what}; those read are {', '.join(_READ)}{hint}")
        if what in FORMS:
            nodes[name] = _node(name, node, kind, second, place)
    return nodes


def _report(graph: Any, nodes: Mapping[str, Any], before: Mapping[str, list[str]], second: float) -> Iterator[str]:
    """What NIR leaves open, and what of a graph is not read."""
    yield f"times are in units of {second:g} ms"
    yield f"inputs are held during a step: frameworks give a spike as 1, and a pulse of area 1 is {second:g}/dt"
    yield "states begin at 0"
    for name, node in {"": graph, **graph.nodes}.items():
        if metadata := getattr(node, "metadata", None):  # which nodes of older versions have not
            of_what = f"node {name}" if name else "the graph"
            yield f"metadata of {of_what} is left out: {', '.join(map(shown, metadata))}"
    sources = {source for each in before.values() for source in each}
    for name, node in graph.nodes.items():
        what = type(node).__name__
        if what == "Output" and name not in before:
            yield f"nothing goes into output {name}"
        elif what not in FORMS and what != "Output" and name not in sources:
            yield f"node {name} is left out: what it gives goes nowhere"
    if around := _going_round(nodes, before):
        yield f"connections go round through {', '.join(around)}: no delay is said of them"


def _going_round(nodes: Mapping[str, Any], before: Mapping[str, list[str]]) -> list[str]:
    """The nodes whose own spikes come back to them."""
    found = []
    for name in nodes:
        seen, waiting = set[str](), list(before.get(name, ()))
        while waiting:
            new = waiting.pop()
            if new not in seen:
                seen.add(new)
                waiting += before.get(new, ())
        found += [name] if name in seen else []
    return found


def _node(name: str, node: Any, kind: type[D], second: float, place: str) -> Node[D]:
    form = FORMS[type(node).__name__]
    values = {each: _finite(getattr(node, each), f"{place}: {each} of node {name}") for each in form.values}
    shape = next(iter(values.values())).shape or (1,)
    for each in form.times:
        if np.any(values[each] <= 0):
            raise ModelError(f"{place}: {each} of node {name} is not positive")
        values[each] = values[each] * second
    if any(size == 0 for size in shape):
        raise ModelError(f"{place}: node {name} has no neurons")
    try:
        arrays = {each: np.broadcast_to(array, shape).copy() for each, array in values.items()}
    except ValueError:
        shapes = ", ".join(f"{each} {array.shape}" for each, array in values.items())
        raise ModelError(f"{place}: parameters of node {name} differ in shape ({shapes})") from None
    first = {each: float(array.flat[0]) for each, array in arrays.items()}
    return Node(form.model(kind, first, second), shape, arrays)


def _finite(values: Any, where: str) -> Array:
    try:
        found = np.asarray(values)
        if found.dtype.kind == "c":
            raise TypeError
        found = found.astype(np.float64)
    except (TypeError, ValueError):
        raise ModelError(f"{where} is no array of real numbers") from None
    if not np.all(np.isfinite(found)):
        raise ModelError(f"{where} is not finite everywhere")
    return found


# -- weights ----------------------------------------------------------------------------------------------------------


def _before(graph: Any, place: str) -> dict[str, list[str]]:
    """The nodes before each."""
    found: dict[str, list[str]] = {}
    for edge in graph.edges:
        source, target = map(str, edge)
        for end in (source, target):
            if end not in graph.nodes:
                raise ModelError(f"{place}: an edge names {shown(end)}, which is no node{suggest(end, graph.nodes)}")
        if type(graph.nodes[target]).__name__ == "Input" or type(graph.nodes[source]).__name__ == "Output":
            raise ModelError(f"{place}: an edge goes from {source} to {target}, into an input or out of an output")
        if source in found.setdefault(target, []):
            raise ModelError(f"{place}: two edges go from {source} to {target}; leave one, with twice the weight")
        found[target].append(source)
    return found


def _connections(
    graph: Any, nodes: Mapping[str, Node[D]], before: Mapping[str, list[str]], place: str
) -> Iterator[Connection]:
    """What each node and output gets from others, through the matrices between."""
    for name, node in graph.nodes.items():
        if name in nodes or type(node).__name__ == "Output":
            for source in before.get(name, ()):
                size = int(np.prod(next(iter(node.input_type.values()))))
                yield from _paths(graph, before, name, source, None, np.zeros(size), (), place)


def _paths(
    graph: Any,
    before: Mapping[str, list[str]],
    target: str,
    name: str,
    weights: Array | None,
    bias: Array,
    path: tuple[str, ...],
    place: str,
) -> Iterator[Connection]:
    """Go back from a target to nodes that are no matrices; ``weights`` and ``bias`` are of the way so far.

    ``weights`` is None where there is no matrix yet.
    """
    node = graph.nodes[name]
    what = type(node).__name__
    columns = len(bias) if weights is None else weights.shape[1]
    if what not in _MATRICES:
        size = int(np.prod(next(iter(node.output_type.values()))))
        if size != columns:
            raise ModelError(f"{place}: {name} has {size} values, and {columns} go into {target}")
        yield Connection(name, target, _diagonal(np.ones(size), name, place) if weights is None else weights, bias)
        return
    if name in path or len(path) > DEEPEST:
        raise ModelError(f"{place}: {' -> '.join((*path, name))} goes round, or on too long, without neurons between")
    own = _finite(node.scale if what == "Scale" else node.weight, f"{place}: weights of node {name}")
    own = _diagonal(own.ravel(), name, place) if what == "Scale" else own
    if own.ndim != 2 or own.shape[0] != columns:
        raise ModelError(f"{place}: weights of node {name} have shape {own.shape}, and {columns} rows are due")
    if what == "Affine":
        of_node = _finite(node.bias, f"{place}: bias of node {name}").ravel()
        bias = bias + (of_node if weights is None else weights @ of_node)
    if name not in before:
        raise ModelError(f"{place}: nothing goes into node {name}, which goes on to {target}; put an Input before it")
    for number, source in enumerate(before[name]):
        of_path = bias if number == 0 else np.zeros_like(bias)  # a bias is added once, however many come together
        whole = own if weights is None else weights @ own
        yield from _paths(graph, before, target, source, whole, of_path, (*path, name), place)


def _diagonal(values: Array, name: str, place: str) -> Array:
    """A matrix that multiplies one by one."""
    if values.size**2 > MOST_NUMBERS:
        raise ModelError(
            f"{place}: what node {name} gives would be a matrix of {values.size:,} rows and as many columns, more than "
            f"{MOST_NUMBERS:,} numbers; read a node of neurons alone, as izhigen.load('{place}:NODE')"
        )
    return np.diag(values)


# -- files ------------------------------------------------------------------------------------------------------------


def _look_at(place: Path) -> None:
    """Refuse a file that is too large, refers to others, or names types that are not read."""
    import h5py

    if not is_file(place):
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
        if h5py.h5o.get_info(item.id).rc > 1:
            raise ModelError(f"{place}: {shown(key)} has a second name in the file, which NIR's have not")
        if isinstance(item, h5py.Group):
            yield from _numbers_in(item, h5py, place, depth + 1)
            continue
        if item.external or item.is_virtual:
            raise ModelError(f"{place}: the numbers of {shown(key)} lie in another file, which is not read")
        yield max(int(item.nbytes) // 8, 1)
        if key == "type" and item.shape == () and not group.name.endswith("/metadata"):
            what = item[()]
            name = what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
            if name not in (*_READ, _GRAPH):
                raise ModelError(
                    f"{place}: a node of type {shown(name)}{suggest(name, _READ)}; those read are {', '.join(_READ)}"
                )
