"""A file and what it includes: types, units and components."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from izhigen.errors import ModelError, ModelNotFoundError, shown, suggest
from izhigen.importers.lems.core import FILES, NOT_READ, TYPES
from izhigen.importers.lems.dimensions import Units
from izhigen.importers.lems.elements import Element, Place, read_elements
from izhigen.importers.lems.types import Type, read_type
from izhigen.importers.reading import MOST_BYTES, read_text

MOST_FILES = 64
"""Most files that one may include, together."""
MOST_ANCESTORS = 32
"""Longest line of types, or of components, that extend one another."""
ROOTS = ("Lems", "neuroml")
_ASIDE = frozenset(("notes", "annotation", "property", "Assertion", "Constant", "ComponentReference"))


@dataclass
class Document:
    """What a file and its includes declare.

    Attributes
    ----------
    components : dict
        Elements at the top, by id, that are components.
    others : list of Element
        The networks, simulations and other elements at the top, in order.
    target : Element or None
        The element that names the simulation.
    """

    units: Units = field(default_factory=Units)
    types: dict[str, Type] = field(default_factory=dict)
    components: dict[str, Element] = field(default_factory=dict)
    others: list[Element] = field(default_factory=list)
    target: Element | None = None

    def type_named(self, name: str, place: Place) -> Type:
        """The type of that name: of a file, or of NeuroML's core.

        Raises
        ------
        ModelError
            There is none.
        """
        found = self.types.get(name) or TYPES.get(name)
        if found is None and name in NOT_READ:
            raise ModelError(f"{place}: <{name}> is not read: {NOT_READ[name]}")
        if found is None:
            raise ModelError(
                f"{place}: no component type {shown(name)}{suggest(name, self._known())}; declare it with "
                f"<ComponentType>, or put the file that does beside this one (known here: {', '.join(_of_core())})"
            )
        return found

    def _known(self) -> Iterable[str]:
        return (*self.types, *TYPES)

    def has_type(self, name: str) -> bool:
        """Whether there is a type of that name."""
        return name in self.types or name in TYPES

    def ancestors(self, name: str, place: Place) -> list[Type]:
        """A type and those that it extends, itself first.

        Raises
        ------
        ModelError
            An unknown one, or types that extend one another in a circle.
        """
        found = [self.type_named(name, place)]
        while found[-1].extends:
            found.append(self.type_named(found[-1].extends, found[-1].place))
            if len(found) > MOST_ANCESTORS:
                raise ModelError(f"{found[0].place}: type {shown(name)} extends others in a circle, or too many")
        return found

    def is_a(self, name: str, kind: str, place: Place) -> bool:
        """Whether a type is, or extends, another."""
        return any(each.name == kind for each in self.ancestors(name, place))

    def type_of(self, element: Element) -> str:
        """The name of a component's type: what it says, or its tag."""
        return element.get("type") if element.tag == "Component" and element.get("type") else element.tag


def _of_core() -> Iterator[str]:
    return (name for name, each in TYPES.items() if each.dynamics is not None)


class _Reader:
    """Reads files one after the other, each once."""

    def __init__(self) -> None:
        self.document = Document()
        self._seen: set[Path] = set()
        self._bytes = 0

    def read(self, text: str, path: Path) -> None:
        """A file's text, and the files that it includes."""
        self._seen.add(path.resolve())
        self._bytes += len(text)
        root = read_elements(text, str(path))
        if root.tag not in ROOTS:
            raise ModelError(f"{root.place}: <{root.tag}> is no <Lems> or <neuroml>; this is another format")
        for element in root.children:
            self._take(element, path)

    def _take(self, element: Element, path: Path) -> None:
        document = self.document
        if element.tag in ("Dimension", "Unit"):
            document.units.declare(element)
        elif element.tag == "ComponentType":
            self._declare(read_type(element))
        elif element.tag in ("Include", "include"):
            self._include(element, path)
        elif element.tag == "Target":
            document.target = element
        elif element.tag not in _ASIDE:
            self._component(element)

    def _declare(self, found: Type) -> None:
        known = self.document.types.setdefault(found.name, found)
        if known is not found:
            raise ModelError(f"{found.place}: type {shown(found.name)} stands at {known.place} too; rename one")

    def _component(self, element: Element) -> None:
        document, name = self.document, element.get("id")
        document.others.append(element)
        if name:
            known = document.components.setdefault(name, element)
            if known is not element:
                raise ModelError(f"{element.place}: id {shown(name)} stands at {known.place} too; rename one")

    def _include(self, element: Element, path: Path) -> None:
        name = element.get("file") or element.get("href")
        if not name:
            raise ModelError(f"{element.place}: <{element.tag}> names no file; give file=...")
        given = Path(name)
        if given.is_absolute() or PureWindowsPath(name).drive or "://" in name or "\0" in name:
            raise ModelError(
                f"{element.place}: {shown(name)} is included, and only files beside this one are read; copy it there"
            )
        target = path.parent / given
        try:
            is_there = target.is_file()
        except OSError:
            is_there = False
        if not is_there:
            if given.name in FILES:
                return
            raise ModelNotFoundError(f"{element.place}: no file {shown(str(target))}; put it there, or leave it out")
        if target.resolve() in self._seen:
            return
        if len(self._seen) >= MOST_FILES or self._bytes > MOST_BYTES:
            raise ModelError(
                f"{element.place}: more than {MOST_FILES} files, or {MOST_BYTES:,} bytes, are included; "
                "put what the model needs into one"
            )
        self.read(read_text(target), target)


def read_document(text: str, path: Path) -> Document:
    """What a file's text, and the files beside it that it includes, declare.

    Raises
    ------
    ModelError
        What is no LEMS or NeuroML, with file and line.
    ModelNotFoundError
        A file that is included and is not there.
    """
    reader = _Reader()
    reader.read(text, path)
    return reader.document
