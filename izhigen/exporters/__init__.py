"""Models as files of other programs, one file a format, found by its name.

A format's file has ``SUFFIX``, of its files, and ``write(model)``, the content of one: text, or bytes. What a format
cannot say is refused; what it says otherwise, or leaves open, are the lines of ``report(model)``, where it has that.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from izhigen.model.model import Declaration
from izhigen.resources import modules_with


def names() -> tuple[str, ...]:
    """Names of the formats."""
    return modules_with("SUFFIX", __name__, __path__[0])


def is_known(name: object) -> bool:
    """Whether there is a format of that name."""
    return isinstance(name, str) and name in names()


def write(model: Declaration, name: str) -> str | bytes:
    """A model in the format of that name: the content of a file, text or bytes.

    Raises
    ------
    ModelError
        What the format cannot say.
    """
    content: str | bytes = _format(name).write(model)
    return content


def report(model: Declaration, name: str) -> tuple[str, ...]:
    """A line for each thing that the format of that name leaves open, or says otherwise than the model.

    Raises
    ------
    ModelError
        What the format cannot say.
    """
    found = _format(name)
    lines: tuple[str, ...] = found.report(model) if hasattr(found, "report") else ()
    return lines


def _format(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
