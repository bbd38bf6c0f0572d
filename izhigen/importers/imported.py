"""What an import gives: a model, what was decided on the way, and how its file runs it; and whether a model of another
program, in which a refractory neuron is silent, is so here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from izhigen.model.functions import CONSTANTS
from izhigen.model.lines import bind_lines, line_names
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


def spikes_while_held(model: Declaration) -> bool:
    """Whether a refractory neuron would spike in every step, at the default parameters.

    Elsewhere it is silent in any case. Here a condition that reads held states alone, of which the reset makes values
    of parameters, is looked at while it is refractory, too, and so must not hold after the reset.
    """
    assert model.threshold is not None and model.refractory is not None, "a refractory neuron has a spike"
    given, lines = dict(model.parameters), set(line_names(model))
    reset = {assignment.state: assignment.expression for assignment in model.reset}
    read = model.reads(model.threshold.names)
    states = read & set(model.states)
    if not states or not states <= reset.keys() & set(model.refractory.states):
        return False
    of_reset = model.reads(name for state in states for name in reset[state].names)
    if not (of_reset | read - states) - lines - CONSTANTS.keys() <= given.keys():
        return False
    with np.errstate(all="ignore"):
        known = bind_lines(model, given, of_reset & lines)
        after = {**given, **{state: reset[state].evaluate(known) for state in states}}
        return bool(model.threshold.evaluate(bind_lines(model, after, read & lines)))
