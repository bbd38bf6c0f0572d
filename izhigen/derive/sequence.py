"""What happens in a step, one action after the other. :attr:`~izhigen.derive.step.Step.sequence` puts them in order;
code generation and the NumPy backend both go through that.

Every state has its value at the step's start, which all of the step can read, and its *present* value, which the
actions change and which becomes the state's own at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from izhigen.derive.event import Assignment, Event, Hold


@dataclass(frozen=True)
class NoiseTerm:
    """``factor * xi`` added to a state; ``xi`` is standard normal, drawn per neuron and step from the ``stream``."""

    state: sp.Symbol
    xi: sp.Symbol
    factor: Any
    stream: int


@dataclass(frozen=True)
class Integrate:
    """The present value of each state is that at the start, its increment, and its noise.

    Attributes
    ----------
    assignments : tuple of Assignment
        Named intermediates of the increments, each reading only what stands before it.
    increments : tuple of Expr
        One for each state, without noise.
    noise : tuple of NoiseTerm
    """

    assignments: tuple[Assignment, ...]
    increments: tuple[Any, ...]
    noise: tuple[NoiseTerm, ...]


@dataclass(frozen=True)
class Jump:
    """What arrives at states at once (their ``<state>_delta``) is added to the present values."""


@dataclass(frozen=True)
class Arrive:
    """Something arrives at neurons whose value of an event input is not 0: these assignments become present values."""

    input: sp.Symbol
    assignments: tuple[Assignment, ...]

    @property
    def condition(self) -> Any:
        """Whether something arrives."""
        return sp.Ne(self.input, 0)

    def xreplace(self, change: Mapping[sp.Symbol, Any]) -> Arrive:
        """The same, with other values for symbols that its assignments read."""
        return replace(self, assignments=tuple(a.xreplace(change) for a in self.assignments))


@dataclass(frozen=True)
class HoldBack:
    """States go back to their values at the start, in neurons that are held."""

    hold: Hold


@dataclass(frozen=True)
class Decide:
    """Whether an event happens, by the present values."""

    event: Event


@dataclass(frozen=True)
class Apply:
    """The assignments of an event become present values, in neurons in which it happened."""

    event: Event


@dataclass(frozen=True)
class Watch:
    """Whether an event may have happened inside the step, by the present values: then nothing of the step is kept, and
    it is gone through in parts (:mod:`izhigen.derive.location`). So it is where a state has left the numbers that can
    be computed with, and where a hold ends inside the step.

    Attributes
    ----------
    events : tuple of Event
        At the step's end.
    """

    events: tuple[Event, ...]


@dataclass(frozen=True)
class Commit:
    """The present values become the states."""


Action = Integrate | Jump | Arrive | HoldBack | Decide | Apply | Watch | Commit
