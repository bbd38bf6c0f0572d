"""Component types: what a kind of component declares, and how it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from izhigen.errors import ModelError, shown, suggest
from izhigen.importers.lems.elements import Element, Place
from izhigen.importers.lems.expressions import Text


@dataclass(frozen=True)
class Assigned:
    """A <StateAssignment>."""

    variable: str
    value: Text


@dataclass(frozen=True)
class Condition:
    """An <OnCondition>: a test; where it holds after a step, assignments, events that are sent, another regime."""

    test: Text
    assigned: tuple[Assigned, ...] = ()
    ports: tuple[str, ...] = ()
    regime: str = ""


@dataclass(frozen=True)
class Regime:
    """A <Regime>: the derivatives and conditions that hold in it, and what is assigned on entry."""

    name: str
    is_initial: bool
    rates: Mapping[str, Text]
    entry: tuple[Assigned, ...]
    conditions: tuple[Condition, ...]
    place: Place


@dataclass(frozen=True)
class Derived:
    """A <DerivedVariable> or <DerivedParameter>: a value, a choice of cases, or what a path selects.

    Attributes
    ----------
    cases : tuple of (condition, value)
        The last condition may be None.
    select, reduce : str
        A path such as ``"synapses[*]/i"``, and ``"add"`` or ``"multiply"``.
    """

    name: str
    dimension: str
    place: Place
    value: Text | None = None
    cases: tuple[tuple[Text | None, Text], ...] = ()
    select: str = ""
    reduce: str = ""
    exposure: str = ""


@dataclass(frozen=True)
class Dynamics:
    """A <Dynamics>: states with dimension and place, lines, derivatives, conditions, regimes.

    ``unread`` has what cannot be read, with its place.
    """

    place: Place
    states: Mapping[str, tuple[str, Place]] = field(default_factory=dict)
    exposed: Mapping[str, str] = field(default_factory=dict)
    derived: tuple[Derived, ...] = ()
    rates: Mapping[str, Text] = field(default_factory=dict)
    start: tuple[Assigned, ...] = ()
    conditions: tuple[Condition, ...] = ()
    regimes: tuple[Regime, ...] = ()
    unread: tuple[tuple[str, Place], ...] = ()


@dataclass(frozen=True)
class Type:
    """A <ComponentType> without what it extends.

    Attributes
    ----------
    parameters, requirements : mapping
        Name to dimension.
    constants, properties : mapping
        Name to dimension and value.
    fixed : mapping
        Parameter to the value that it is given for good.
    derived : tuple of Derived
        Derived parameters.
    child, children, attachments : mapping
        Name to type.
    texts : frozenset of str
        Attributes that are text.
    unread : tuple
        What cannot be read, with its place; refused where the type is used.
    """

    name: str
    extends: str
    place: Place
    parameters: Mapping[str, str] = field(default_factory=dict)
    requirements: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    properties: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    derived: tuple[Derived, ...] = ()
    child: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, str] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    dynamics: Dynamics | None = None
    description: str = ""
    unread: tuple[tuple[str, Place], ...] = ()


_WITHOUT_MEANING = frozenset(("Exposure", "EventPort", "Path", "Link", "Simulation", "notes", "annotation", "About"))
"""Parts of a type that say nothing of how it moves."""
_HINTS = {
    "KineticScheme": "write its states and their TimeDerivatives",
    "Structure": "what a component makes of others is not built; write its equations in one component",
    "ComponentReference": "a component that is named by another is not looked up; put it inside",
    "InstanceRequirement": "give the component what it needs as a Requirement",
    "OnEvent": "declare what arrives in Python, with model.with_part(on_event=...)",
    "EventOut": "an event is sent by an OnCondition",
}


def _text(element: Element, name: str = "value") -> Text:
    return Text(element[name], element.place)


def _named(element: Element, tags: str, value: Callable[[Element], str]) -> dict[str, str]:
    return {child["name"]: value(child) for child in element.each(*tags.split())}


def _dimension(element: Element) -> str:
    return element.get("dimension", "none")


def read_type(element: Element) -> Type:
    """The type that a <ComponentType> declares.

    Raises
    ------
    ModelError
        Where an attribute lacks that its parts need.
    """
    dynamics = list(element.each("Dynamics", "Behavior"))
    if len(dynamics) > 1:
        raise ModelError(f"{dynamics[1].place}: a ComponentType has one <Dynamics>; join them")
    known = {"Parameter", "Requirement", "Constant", "Property", "Fixed", "DerivedParameter", "Child", "Children"}
    known |= {"Attachments", "Text", "Dynamics", "Behavior", *_WITHOUT_MEANING}
    valued = {
        tag: {child["name"]: (_dimension(child), child.get(key, "")) for child in element.each(tag)}
        for tag, key in (("Constant", "value"), ("Property", "defaultValue"))
    }
    return Type(
        name=element["name"],
        extends=element.get("extends"),
        place=element.place,
        parameters=_named(element, "Parameter", _dimension),
        requirements=_named(element, "Requirement", _dimension),
        constants=valued["Constant"],
        properties=valued["Property"],
        fixed={child["parameter"]: child["value"] for child in element.each("Fixed")},
        derived=tuple(_derived(child) for child in element.each("DerivedParameter")),
        child=_named(element, "Child", lambda child: child["type"]),
        children=_named(element, "Children", lambda child: child["type"]),
        attachments=_named(element, "Attachments", lambda child: child["type"]),
        texts=frozenset(child["name"] for child in element.each("Text")),
        dynamics=_dynamics(dynamics[0]) if dynamics else None,
        description=" ".join(element.get("description").split()),
        unread=_unread(element.children, known),
    )


def _unread(elements: Iterable[Element], known: Iterable[str]) -> tuple[tuple[str, Place], ...]:
    """What is not read of some elements, as a line of an error each."""
    names = set(known)
    found = []
    for element in elements:
        if element.tag not in names:
            hint = _HINTS.get(element.tag) or f"it is not known here{suggest(element.tag, names)}"
            found.append((f"<{element.tag}> is not read: {hint}", element.place))
    return tuple(found)


def _dynamics(element: Element) -> Dynamics:
    variables = list(element.each("StateVariable"))
    known = {"StateVariable", "DerivedVariable", "ConditionalDerivedVariable", "TimeDerivative", "OnStart"}
    known |= {"OnCondition", "Regime"}
    busy = [child for child in element.children if child.tag != "OnEvent" or child.children]  # core has empty ones
    unread = [*_unread(busy, known)]
    for inner in element.each("OnCondition", "OnStart", "Regime"):
        unread += _unread_within(inner)
    return Dynamics(
        place=element.place,
        states={child["name"]: (_dimension(child), child.place) for child in variables},
        exposed={child["exposure"]: child["name"] for child in variables if child.get("exposure")},
        derived=tuple(_derived(child) for child in element.each("DerivedVariable", "ConditionalDerivedVariable")),
        rates=_rates(element),
        start=tuple(made for child in element.each("OnStart") for made in _assigned(child)),
        conditions=tuple(_condition(child) for child in element.each("OnCondition")),
        regimes=tuple(_regime(child) for child in element.each("Regime")),
        unread=tuple(unread),
    )


def _unread_within(element: Element) -> list[tuple[str, Place]]:
    """What is not read of an <OnCondition>, <OnStart> or <Regime>."""
    if element.tag == "Regime":
        found = [*_unread(element.children, {"TimeDerivative", "OnEntry", "OnCondition"})]
        for inner in element.each("OnCondition", "OnEntry"):
            found += _unread_within(inner)
        return found
    known = {"StateAssignment", "EventOut", "Transition"} if element.tag == "OnCondition" else {"StateAssignment"}
    return [*_unread(element.children, known)]


def _derived(element: Element) -> Derived:
    cases = tuple(
        (Text(case["condition"], case.place) if case.get("condition") else None, _text(case))
        for case in element.each("Case")
    )
    has_value, select = "value" in element.attributes, element.get("select")
    if has_value + bool(select) + bool(cases) != 1:
        raise ModelError(f"{element.place}: <{element.tag}> has a value, a select or Cases; give one of them")
    if any(condition is None for condition, _ in cases[:-1]):
        raise ModelError(f"{element.place}: a <Case> without a condition is the last one")
    return Derived(
        name=element["name"],
        dimension=_dimension(element),
        place=element.place,
        value=_text(element) if has_value else None,
        cases=cases,
        select=select,
        reduce=element.get("reduce"),
        exposure=element.get("exposure"),
    )


def _rates(element: Element) -> dict[str, Text]:
    found: dict[str, Text] = {}
    for child in element.each("TimeDerivative"):
        if child["variable"] in found:
            raise ModelError(f"{child.place}: {shown(child['variable'])} has a second TimeDerivative; write one")
        found[child["variable"]] = _text(child)
    return found


def _assigned(element: Element) -> tuple[Assigned, ...]:
    return tuple(Assigned(child["variable"], _text(child)) for child in element.each("StateAssignment"))


def _condition(element: Element) -> Condition:
    transitions = list(element.each("Transition"))
    if len(transitions) > 1:
        raise ModelError(f"{transitions[1].place}: a second <Transition>; one regime follows")
    return Condition(
        test=_text(element, "test"),
        assigned=_assigned(element),
        ports=tuple(child["port"] for child in element.each("EventOut")),
        regime=transitions[0]["regime"] if transitions else "",
    )


def _regime(element: Element) -> Regime:
    return Regime(
        name=element["name"],
        is_initial=element.get("initial").lower() == "true",
        rates=_rates(element),
        entry=tuple(made for child in element.each("OnEntry") for made in _assigned(child)),
        conditions=tuple(_condition(child) for child in element.each("OnCondition")),
        place=element.place,
    )
