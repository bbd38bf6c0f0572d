"""XML as a small tree that knows its lines, read within limits and without entities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from xml.parsers import expat

from izhigen.errors import ModelError, shown

MOST_DEPTH = 60
"""Deepest nesting of elements."""
MOST_ELEMENTS = 100_000
"""Most elements of a file."""
LONGEST_ATTRIBUTE = 10_000
"""Characters of an attribute's value."""


@dataclass(frozen=True)
class Place:
    """Where something stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}" if self.line else self.file


@dataclass(frozen=True)
class Element:
    """An XML element: its tag and attributes without namespaces, its place, and the elements in it."""

    tag: str
    attributes: Mapping[str, str]
    place: Place
    children: list[Element] = field(default_factory=list, compare=False)

    def __getitem__(self, name: str) -> str:
        """An attribute that has to be there."""
        value = self.attributes.get(name)
        if value is None:
            raise ModelError(f"{self.place}: <{self.tag}> has no attribute {name!r}; give it one")
        return value

    def get(self, name: str, default: str = "") -> str:
        """An attribute, or what stands for it."""
        return self.attributes.get(name, default)

    def each(self, *tags: str) -> Iterator[Element]:
        """The elements in it that have one of these tags."""
        return (child for child in self.children if child.tag in tags)


def _local(name: str) -> str:
    """A name without the prefix of its namespace."""
    return name.rpartition(":")[2]


class _Builder:
    """Puts elements together as the parser meets them."""

    def __init__(self, file: str) -> None:
        self._file, self._count = file, 0
        self._open: list[Element] = []
        self.root: Element | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.EntityDeclHandler = self._refuse_doctype

    def parse(self, text: str) -> None:
        """Read the whole text."""
        try:
            self._parser.Parse(text, True)
        except expat.ExpatError as problem:
            what = expat.ErrorString(problem.code)
            raise ModelError(f"{self._place(problem.lineno)}: this is no well-formed XML ({what})") from None
        except UnicodeEncodeError:
            raise ModelError(f"{self._file} holds halves of surrogate pairs, which no XML has") from None

    def _place(self, line: int | None = None) -> Place:
        return Place(self._file, self._parser.CurrentLineNumber if line is None else line)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        place = self._place()
        self._count += 1
        if self._count > MOST_ELEMENTS:
            raise ModelError(
                f"{place}: the file has more than {MOST_ELEMENTS:,} elements; give one with the model alone"
            )
        if len(self._open) >= MOST_DEPTH:
            raise ModelError(f"{place}: elements are nested deeper than {MOST_DEPTH} levels")
        for name, value in attributes.items():
            if len(value) > LONGEST_ATTRIBUTE:
                raise ModelError(
                    f"{place}: attribute {shown(name)} has {len(value):,} characters, more than {LONGEST_ATTRIBUTE:,}"
                )
        own = {_local(name): value for name, value in attributes.items() if not name.startswith("xmlns")}
        element = Element(_local(tag), MappingProxyType(own), place)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, _tag: str) -> None:
        self._open.pop()

    def _refuse_doctype(self, *_: Any) -> None:
        raise ModelError(f"{self._place()}: a DOCTYPE or an entity stands here; neither is read, so take it out")


def read_elements(text: str, file: str) -> Element:
    """The root element of an XML text; ``file`` is what places call it.

    Raises
    ------
    ModelError
        Text that is no XML, declares entities, or goes beyond the limits: with file and line.
    """
    builder = _Builder(file)
    builder.parse(text)
    assert builder.root is not None, "expat refuses a text without an element"
    return builder.root
