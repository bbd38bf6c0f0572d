"""Events of a step: a condition that becomes true for a neuron, what it assigns, and what it holds afterwards."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from izhigen.derive.lowering import T, symbol

LAST_SPIKE, TAU_REF = symbol("t_last_spike"), symbol("tau_ref")
"""Start of the step in which a neuron last spiked, and its refractory period; both in ms and in double precision."""


@dataclass(frozen=True)
class Assignment:
    """``symbol = expression``: a named intermediate value of a step, or a new value of a state."""

    symbol: sp.Symbol
    expression: Any


class Trigger(enum.Enum):
    """When a condition makes an event: wherever it holds, or where it does that did not hold at the step's start."""

    LEVEL = "level"
    RISING = "rising"


@dataclass(frozen=True)
class Hold:
    """States that keep their old values for a time.

    Attributes
    ----------
    states : tuple of Symbol
        What is held.
    since, period : Symbol
        The time from which on, and for how long (ms).
    """

    states: tuple[sp.Symbol, ...]
    since: sp.Symbol
    period: sp.Symbol

    @property
    def condition(self) -> Any:
        """Whether a step that starts at t is held: a comparison of times."""
        return sp.Le(T - self.since, self.period, evaluate=False)


@dataclass(frozen=True)
class Event:
    """Something that happens to a neuron at the end of a step.

    Attributes
    ----------
    name : str
        Such as ``"spike"``.
    condition : Boolean
        Condition on the states after integration, jumps and hold.
    trigger : Trigger
    assignments : tuple of Assignment
        New values, all of them reading those before the event. A time such as ``t_last_spike`` becomes the step's
        start.
    hold : Hold or None
        What the event holds in the steps after it.
    """

    name: str
    condition: Any
    trigger: Trigger = Trigger.LEVEL
    assignments: tuple[Assignment, ...] = ()
    hold: Hold | None = None

    @property
    def symbol(self) -> sp.Symbol:
        """The condition's value in a step."""
        return symbol(self.name)

    @property
    def margin(self) -> Any:
        """By how much the condition holds: at least 0 where it does, such as ``V - V_th``; None where it does not
        compare two numbers.
        """
        if isinstance(self.condition, (sp.Ge, sp.Gt, sp.Le, sp.Lt)):
            return self.condition.gts - self.condition.lts
        return None

    @property
    def resets(self) -> tuple[Assignment, ...]:
        """The assignments to states; those of times are not among them."""
        return tuple(a for a in self.assignments if not self.is_time(a.symbol))

    def is_time(self, name: sp.Symbol) -> bool:
        """Whether what the event assigns is a time."""
        return self.hold is not None and name == self.hold.since

    def happens(self, present: Mapping[sp.Symbol, Any]) -> Any:
        """The condition of the event, with the states' symbols for the step's start, and ``present`` for now."""
        now = self.condition.xreplace(dict(present))
        return now if self.trigger is Trigger.LEVEL else sp.And(now, sp.Not(self.condition))
