"""A model in the making: names that the equation language takes, and the parts that they name, still as trees."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field

from izhigen.importers.lems.elements import Place
from izhigen.model.checking import ALL, DERIVED_STATES, INTERFACE_NAMES, SPIKE_FIGURES
from izhigen.model.events import SPIKE
from izhigen.model.expressions import NEW, OLD, Node
from izhigen.model.functions import RESERVED

_TAKEN = frozenset((*RESERVED, *INTERFACE_NAMES, *SPIKE_FIGURES, ALL, *DERIVED_STATES, OLD, NEW, SPIKE))
_LONGEST = 60


def legal(wanted: str) -> str:
    """A name in ASCII letters, digits and underscores, as near to the wanted one as it can be."""
    name = re.sub(r"\W", "_", wanted, flags=re.ASCII).lstrip("_")[:_LONGEST]
    if not re.match(r"[A-Za-z]", name):
        name = f"n_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


@dataclass
class Names:
    """Names of a model, each given once; a name that means something else to izhigen gets an underscore behind it."""

    report: list[str]
    _given: set[str] = field(default_factory=set)

    def take(self, wanted: str, place: Place) -> str:
        """A legal name that is free, as near to the wanted one as it can be."""
        name = base = legal(wanted)
        count = 0
        while name in _TAKEN or not self._given.isdisjoint((name, f"{name}_delta")):
            count += 1
            name = f"{base}_" if count == 1 else f"{base[: _LONGEST - 8]}_{count}"
        self._given |= {name, f"{name}_delta"}  # the built-in input of a state
        if name != wanted:
            self.report.append(f"{place}: {wanted!r} is called {name}, as the name is taken or not one here")
        return name


@dataclass(frozen=True)
class Made:
    """``state = value``, made at the start or by an event; ``within`` is the prefix of the component that says so."""

    state: str
    value: Node
    place: Place
    within: str = ""


@dataclass(frozen=True)
class Happening:
    """What an OnCondition becomes: an event, by its condition, what it assigns, and its trigger."""

    name: str
    condition: Node
    made: tuple[Made, ...]
    place: Place
    trigger: str = "level"


@dataclass
class Draft:
    """The parts of a model.

    Attributes
    ----------
    units : dict
        Unit of every name.
    numbers : dict
        Parameter to value.
    lines, rates : dict
        Algebraic line, and state, to expression.
    declared, places : dict
        Where each name is declared, and where its expression stands.
    start : list of Made
        What is assigned at the start, one after the other.
    happenings : list of Happening
        In order.
    hold : tuple of str
        States that are held after a spike, ``until`` a condition, or for ``tau_ref`` where there is none.
    is_refractory : bool
        Whether anything is.
    ones : dict
        Constants that give numbers their unit, as ``40 * mV``, and are 1 in it.
    """

    names: Names
    report: list[str]
    units: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    lines: dict[str, Node] = field(default_factory=dict)
    rates: dict[str, Node] = field(default_factory=dict)
    declared: dict[str, Place] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    start: list[Made] = field(default_factory=list)
    happenings: list[Happening] = field(default_factory=list)
    hold: tuple[str, ...] = ()
    until: Node | None = None
    is_refractory: bool = False
    ones: dict[str, float] = field(default_factory=dict)

    def declare(self, wanted: str, unit: str, place: Place) -> str:
        """A name with its unit and place."""
        name = self.names.take(wanted, place)
        self.units[name] = unit
        self.declared[name] = self.places[name] = place
        return name
