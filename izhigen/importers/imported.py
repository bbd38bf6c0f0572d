"""What an import gives: a model, what was decided on the way, and how its file runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from izhigen.model.model import Declaration

D = TypeVar("D", bound=Declaration)


@dataclass(frozen=True)
class Imported(Generic[D]):
    """A model that was read from another program's text.

    Attributes
    ----------
    model : Model
    report : tuple of str
        A line for each decision that the text left open, or that makes the model another than it says.
    doubts : tuple of str
        Those lines of the report where the text contradicts itself, as in units that do not agree.
    method : str or None
        The integration method that the text asks for, by its name here.
    dt, duration : float or None
        ms, where the text says how long and in which steps it runs.
    inputs : mapping
        What drives the model there: name of an input to a number or text in t.
    """

    model: D
    report: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    method: str | None = None
    dt: float | None = None
    duration: float | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
