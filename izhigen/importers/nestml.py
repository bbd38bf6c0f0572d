"""NESTML: neurons of its files as models, with a grammar of our own (``nestml.lark``).

A neuron is its blocks: states, equations, parameters, internals, input ports, ``update`` with ``integrate_odes``,
``onReceive`` and ``onCondition``. docs/nestml.md says what each becomes here, and what is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from izhigen.errors import ModelNotFoundError, shown, suggest
from izhigen.importers.imported import Imported
from izhigen.importers.nestml_neuron import NeuronReader
from izhigen.importers.nestml_syntax import Neuron, parse
from izhigen.model.model import Declaration

D = TypeVar("D", bound=Declaration)
SUFFIXES = (".nestml",)


def read(text: str, place: Path, name: str, kind: type[D]) -> Imported[D]:
    """A neuron of a NESTML file.

    Parameters
    ----------
    text : str
        What the file holds.
    place : Path
        Of the file, for messages.
    name : str
        Of one of several models in it.
    kind : type
        The class of the model.

    Raises
    ------
    ModelNotFoundError
        No such model, or several and no name.
    ModelError
        What cannot be said in equations, with file, line and column.
    """
    neurons: dict[str, Neuron] = {}
    for neuron in parse(text, str(place)):
        if neurons.setdefault(neuron.name, neuron) is not neuron:
            raise neuron.place.error(f"a second model is called {shown(neuron.name)}; rename one of them")
    if name and name not in neurons:
        raise ModelNotFoundError(
            f"{place} holds no model {shown(name)}{suggest(name, neurons)} (models: {', '.join(neurons)})"
        )
    if not name and len(neurons) > 1:
        raise ModelNotFoundError(f"{place} holds several models ({', '.join(neurons)}); name one as {place}:NAME")
    chosen = neurons[name] if name else next(iter(neurons.values()))
    model, report = NeuronReader(chosen).build(kind)
    return Imported(model, report.lines, report.doubts)
