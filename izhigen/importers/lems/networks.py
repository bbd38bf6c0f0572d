"""Populations, the inputs that a network gives them, and how a simulation runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from izhigen.errors import ModelError, shown, suggest
from izhigen.importers.lems.dimensions import NONE, coherent_text, in_unit
from izhigen.importers.lems.documents import Document
from izhigen.importers.lems.elements import Element, Place
from izhigen.importers.lems.expressions import substituted
from izhigen.importers.trees import names_in, written
from izhigen.model.expressions import Binary, Number, parse_expression
from izhigen.units.dimensions import unit_of_text

NETWORKS = ("network", "networkWithTemperature")
_ASIDE = frozenset(("notes", "property", "annotation", "population", "explicitInput", "inputList", "layout", "region"))
_TARGET = re.compile(r"(?:\.\./)*(\w+)(?:\[(\d{1,9})\]|/(\d{1,9})/\w+)\Z", re.ASCII)
_METHODS = {"rk4": "rk4", "euler": "euler", "eulertree": "euler"}
_ON = "t >= delay and t < end"
_SHAPES = {
    "pulseGenerator": f"where({_ON}, amplitude, 0)",
    "sineGenerator": f"where({_ON}, amplitude*sin(phase + 2*3.14159265*(t - delay)/period), 0)",
    "rampGenerator": f"where({_ON}, startAmplitude + (finishAmplitude - startAmplitude)*(t - delay)/duration, "
    "baselineAmplitude)",
}
"""Currents of the core in t; 2 pi has the digits that the core gives it. Names with DL at the end have no dimension."""
_OF_INPUTS = {"delay": "time", "duration": "time", "period": "time", "phase": "none", "weight": "none"}
"""Dimensions of their parameters; of others it is the current's."""


@dataclass(frozen=True)
class Run:
    """How a simulation runs: step and duration in ms, and the method that its <Meta> names."""

    dt: float | None = None
    duration: float | None = None
    method: str | None = None
    target: str = ""


def find_run(document: Document) -> Run:
    """The run of the simulation that the file names, or of its only one."""
    found = [each for each in document.others if each.tag == "Simulation"]
    wanted = None if document.target is None else document.target["component"]
    named = [each for each in found if each.get("id") == wanted]
    if document.target is not None and not named:
        raise ModelError(
            f"{document.target.place}: no <Simulation> has the id {shown(wanted)}"
            f"{suggest(wanted, [each.get('id') for each in found])}"
        )
    chosen = named or (found if len(found) == 1 else [])
    if not chosen:
        return Run()
    simulation = chosen[0]
    time = document.units.dimension("time", simulation.place)
    step, length = (
        in_unit(document.units.si(simulation[name], time, simulation.place), "ms", time, simulation.place)
        for name in ("step", "length")
    )
    if step <= 0 or length < 0:
        raise ModelError(f"{simulation.place}: step and length of a simulation are positive")
    methods = [each.get("method").lower() for each in simulation.each("Meta") if each.get("for").lower() == "jlems"]
    return Run(step, length, _METHODS.get(methods[0]) if methods else None, simulation.get("target"))


def populations(document: Document, target: str) -> dict[str, Element]:
    """The populations of the network that is run, or of all networks where none is."""
    networks = [each for each in document.others if each.tag in NETWORKS]
    run = [each for each in networks if each.get("id") == target]
    found: dict[str, Element] = {}
    for network in run or networks:
        for population in network.each("population"):
            found[population["id"]] = population
    return found


@dataclass(frozen=True)
class _Given:
    """An input that a network gives to a neuron."""

    source: Element
    population: str
    index: int
    weight: str
    place: Place


def drives(document: Document, population: Element, units: Mapping[str, str], report: list[str]) -> dict[str, str]:
    """What drives a population's neurons: the names of inputs, and text in t.

    Parameters
    ----------
    document : Document
    population : Element
    units : mapping
        The inputs of the model, and their units.
    report : list of str
        Takes what is left out.

    Raises
    ------
    ModelError
        An input of another kind, or neurons that get different ones.
    """
    network = _network_of(document, population)
    for other in network.children:
        if other.tag not in _ASIDE:
            report.append(f"{other.place}: <{other.tag}> is not read: a model is one cell, without what connects it")
    size = _size(population)
    terms: dict[str, list[list[str]]] = {}
    for given in _given(document, network):
        if given.population == population["id"]:
            name, text = _current(document, given, units)
            if given.index >= size:
                raise ModelError(f"{given.place}: {shown(given.population)} has {size} neurons, and no {given.index}")
            terms.setdefault(name, [[] for _ in range(size)])[given.index].append(text)
    for of_neurons in terms.values():
        if any(texts != of_neurons[0] for texts in of_neurons):
            raise ModelError(
                f"{population.place}: neurons of {shown(population['id'])} get different inputs; name the cell "
                f"{shown(population['component'])} in the place of the population, and give each neuron its own"
            )
    return {name: " + ".join(of_neurons[0]) for name, of_neurons in terms.items()}


def _network_of(document: Document, population: Element) -> Element:
    networks = (each for each in document.others if each.tag in NETWORKS)
    return next(each for each in networks if any(inner is population for inner in each.children))


def _size(population: Element) -> int:
    """The number of neurons, which may be listed; at most as many as anybody would list inputs for."""
    listed = sum(1 for _ in population.each("instance"))
    text = population.get("size", str(listed or 1)).strip()
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or int(text) < 1:
        raise ModelError(f"{population.place}: size={shown(text)} is no whole number from 1 to 999999")
    return int(text)


def _given(document: Document, network: Element) -> Iterator[_Given]:
    """All inputs of a network."""
    for element in network.children:
        if element.tag == "explicitInput":
            yield _one(document, element, element["input"], element["target"], "1")
        elif element.tag == "inputList":
            for inner in element.children:
                yield _one(document, inner, element["component"], inner["target"], inner.get("weight", "1"))


def _one(document: Document, element: Element, source: str, target: str, weight: str) -> _Given:
    found = _TARGET.match(target)
    if found is None:
        raise ModelError(f"{element.place}: target={shown(target)} is no neuron such as pop[0] or pop/0/cell")
    component = document.components.get(source)
    if component is None:
        raise ModelError(f"{element.place}: no component {shown(source)}{suggest(source, document.components)}")
    return _Given(component, found[1], int(found[2] or found[3]), weight, element.place)


def _current(document: Document, given: _Given, units: Mapping[str, str]) -> tuple[str, str]:
    """The input of the model that a current goes to, and its text in t."""
    source = given.source
    kind = document.type_of(source)
    shape = _SHAPES.get(kind.removesuffix("DL"))
    if shape is None:
        raise ModelError(
            f"{source.place}: <{kind}> is not read as an input{suggest(kind, _SHAPES)} (inputs: {', '.join(_SHAPES)}); "
            f"name the cell in the place of the population of {given.place}, and drive it in Python"
        )
    dimension = document.units.dimension("none" if kind.endswith("DL") else "current", source.place)
    name = next((each for each, unit in units.items() if unit_of_text(unit).exponents == dimension), None)
    if name is None:
        raise ModelError(f"{given.place}: the cell has no input in {coherent_text(dimension)}, as {shown(kind)} is")
    tree = parse_expression(shape, kind).tree
    parts = names_in(tree) - {"t", "end"}
    values = {}
    for part in parts | {"duration", "weight"}:
        of_part = document.units.dimension(_OF_INPUTS[part], source.place) if part in _OF_INPUTS else dimension
        text = source.get("weight", "1") if part == "weight" else source[part]
        unit = coherent_text(of_part) if part in _OF_INPUTS else units[name]
        value = in_unit(document.units.si(text, of_part, source.place), unit, of_part, source.place)
        values[part] = Fraction(repr(value))
    values["end"] = values["delay"] + values["duration"]
    weight = values["weight"] * document.units.si(given.weight, NONE, given.place)
    tree = substituted(tree, {part: Number(value) for part, value in values.items()})
    return name, written(tree if weight == 1 else Binary("*", Number(weight), tree))
