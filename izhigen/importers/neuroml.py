"""NeuroML 2 and LEMS: ``"cell.nml:id"`` and ``"LEMS_x.xml:population"``.

A component with Dynamics becomes a model in ms, mV, pA, nS, pF and the like, with the units of all its parameters and
inputs; a population also brings the step, the duration and the inputs of its simulation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from izhigen.errors import ModelError, ModelNotFoundError, shown, suggest
from izhigen.importers.imported import Imported
from izhigen.importers.lems.documents import Document, read_document
from izhigen.importers.lems.elements import Element
from izhigen.importers.lems.models import read_model
from izhigen.importers.lems.networks import drives, find_run, populations
from izhigen.model.model import Declaration

SUFFIXES = (".nml", ".xml")
D = TypeVar("D", bound=Declaration)


def read(text: str, place: Path, name: str, kind: type[D]) -> Imported[D]:
    """The model of a population or a component.

    Parameters
    ----------
    text : str
        XML.
    place : Path
        Where it came from; files that it includes are looked for beside it.
    name : str
        Of a population, or the id of a component; empty where there is only one.
    kind : type
        The class of the model.

    Raises
    ------
    ModelNotFoundError
        Nothing of that name, or several where none is named.
    ModelError
        What the language of models has not, with file and line.
    """
    try:
        return _read(text, place, name, kind)
    except RecursionError:
        raise ModelError(f"{place}: its expressions are nested too deeply; split them") from None


def _read(text: str, place: Path, name: str, kind: type[D]) -> Imported[D]:
    document = read_document(text, place)
    run = find_run(document)
    cells = populations(document, run.target)
    report = list[str]()
    if name in cells or (not name and len(cells) == 1):
        population = cells[name] if name else next(iter(cells.values()))
        element = _component(document, population)
        model = read_model(document, element, kind, report)
        units = {each: model.unit_of(each) for each in model.inputs}
        inputs = drives(document, population, units, report)
        return Imported(model, tuple(dict.fromkeys(report)), (), run.method, run.dt, run.duration, inputs)
    element = _named(document, cells, name, place)
    model = read_model(document, element, kind, report)
    return Imported(model, tuple(dict.fromkeys(report)), (), run.method, run.dt, run.duration)


def _component(document: Document, population: Element) -> Element:
    """The component that a population is of."""
    wanted = population["component"]
    found = document.components.get(wanted)
    if found is None:
        raise ModelError(
            f"{population.place}: no component {shown(wanted)}{suggest(wanted, document.components)} for the population"
        )
    return found


def _named(document: Document, cells: dict[str, Element], name: str, place: Path) -> Element:
    """The component of that name, or the only one that has Dynamics."""
    models = {key: each for key, each in document.components.items() if _moves(document, each)}
    if name:
        if name not in document.components:
            known = (*cells, *models)
            raise ModelNotFoundError(
                f"{place} holds no population and no component {shown(name)}{suggest(name, known)} "
                f"(there are: {', '.join(known) or 'none'})"
            )
        return document.components[name]
    if cells or len(models) > 1:
        listed = ", ".join(cells or models)
        raise ModelNotFoundError(f"{place} holds several models ({listed}); name one as {place}:NAME")
    if not models:
        refused = next((each for each in document.components.values() if not document.has_type(each.tag)), None)
        if refused is not None:
            document.type_named(document.type_of(refused), refused.place)
        raise ModelNotFoundError(f"{place} holds no component with Dynamics, so there is no model in it")
    return next(iter(models.values()))


def _moves(document: Document, element: Element) -> bool:
    """Whether a component's type, or one that it extends, has Dynamics."""
    kind = document.type_of(element)
    return document.has_type(kind) and any(
        each.dynamics is not None and each.dynamics.states for each in document.ancestors(kind, element.place)
    )
