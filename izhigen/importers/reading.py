"""Which file of this folder reads a format, and what of the disk it is given."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from izhigen.errors import ModelError, ModelNotFoundError
from izhigen.files import at_home
from izhigen.importers.imported import Imported
from izhigen.model.model import Declaration
from izhigen.resources import modules_with

D = TypeVar("D", bound=Declaration)
MOST_BYTES = 10_000_000
"""Longest file that is read."""


def _formats() -> dict[str, ModuleType]:
    """The module of each suffix."""
    package = __name__.rpartition(".")[0]
    names = modules_with("SUFFIXES", package, str(Path(__file__).parent))
    modules = [importlib.import_module(f"{package}.{name}") for name in names]
    return {suffix: module for module in modules for suffix in module.SUFFIXES}


def suffixes() -> tuple[str, ...]:
    """Suffixes of files that are read."""
    return tuple(_formats())


def split(name: str) -> tuple[str, str] | None:
    """The file and the model of ``"file:model"`` or ``"file"``, where a format has the file's suffix; else None.

    Colons before the suffix are part of the file's name, as in ``"C:\\cells\\cell.nml:id"``.
    """
    ends = (*(place for place, letter in enumerate(name) if letter == ":"), len(name))
    of_ends = {end: Path(name[:end]).suffix.lower() for end in ends}
    others = {end: suffix for end, suffix in of_ends.items() if suffix not in ("", ".py") and ":" not in suffix}
    known = suffixes() if others else ()  # which loads what reads them
    return next(((name[:end], name[end + 1 :]) for end, suffix in others.items() if suffix in known), None)


def read_text(path: Path) -> str:
    """A text file of another program.

    Raises
    ------
    ModelNotFoundError
        Where there is none.
    ModelError
        One that is too long, or no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as problem:
        raise ModelNotFoundError(f"no file '{path}' to load a model from ({problem.strerror})") from None
    except ValueError:  # a NUL, or half of a pair of surrogates
        raise ModelNotFoundError(f"no file '{path}' to load a model from (no file has such a name)") from None
    if len(content) > MOST_BYTES:
        raise ModelError(f"{path} is longer than {MOST_BYTES:,} bytes; give a file with the model alone")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ModelError(f"{path} is no text in UTF-8: byte {problem.start} is {content[problem.start]:#04x}") from None


def read(path: str | Path, name: str, kind: type[D]) -> Imported[D]:
    """Read a model, and all that its file says of how it is run.

    Parameters
    ----------
    path : str or Path
    name : str
        Of one of several models in it.
    kind : type
        The class of the model.

    Raises
    ------
    ModelNotFoundError
        No such file, or no such model in it.
    ModelError
        What the format's file cannot say in equations: names the construct, the file and the line.
    """
    place = at_home(path)
    module = _formats().get(place.suffix.lower())
    if module is None:
        raise ModelError(f"{place}: files with this suffix are not read (suffixes: {', '.join(suffixes())})")
    if hasattr(module, "read_file"):
        of_file: Imported[D] = module.read_file(place, name, kind)
        return of_file
    found: Imported[D] = module.read(read_text(place), place, name, kind)
    return found
