"""Models as files of other programs, one file a format, found by its name.

A format's file has ``SUFFIX``, of its files, and ``write(model)``, the text of one. What a format cannot say is
refused.
"""

from __future__ import annotations

import importlib

from izhigen.model.model import Declaration
from izhigen.resources import modules_with


def names() -> tuple[str, ...]:
    """Names of the formats."""
    return modules_with("SUFFIX", __name__, __path__[0])


def is_known(name: object) -> bool:
    """Whether there is a format of that name."""
    return isinstance(name, str) and name in names()


def write(model: Declaration, name: str) -> str:
    """A model in the format of that name.

    Raises
    ------
    ModelError
        What the format cannot say.
    """
    text: str = importlib.import_module(f"{__name__}.{name}").write(model)
    return text
