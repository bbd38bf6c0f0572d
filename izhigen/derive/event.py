"""Events of a step: a condition that becomes true for a neuron, what it assigns, and what it holds afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import sympy as sp

from izhigen.derive.functions import maximum, minimum, where
from izhigen.derive.lowering import SINCE_SPIKE, T, at_start, symbol
from izhigen.model import functions
from izhigen.model.additions import REFRACTORY
from izhigen.model.events import Trigger

LAST_SPIKE, TAU_REF = symbol(functions.LAST_SPIKE), symbol("tau_ref")
"""Start of the step in which a neuron last spiked, and its refractory period; both in ms and in double precision."""
IS_REFRACTORY = symbol(REFRACTORY.name)
"""The state that says whether a neuron is held until a condition ends it."""


@dataclass(frozen=True)
class Assignment:
    """``symbol = expression``: a named intermediate value of a step, or a new value of a state."""

    symbol: sp.Symbol
    expression: Any

    def xreplace(self, change: Mapping[sp.Symbol, Any]) -> Assignment:
        """The same, with other values for symbols that it reads."""
        return replace(self, expression=self.expression.xreplace(change))


@dataclass(frozen=True)
class Hold:
    """What an event brings about in the steps after it: a refractory neuron.

    Attributes
    ----------
    states : tuple of Symbol
        They keep their old values.
    end : Boolean or None
        The condition on the states at a step's start that ends it; None where it lasts the refractory period.
    """

    states: tuple[sp.Symbol, ...]
    end: Any = None

    @property
    def period(self) -> sp.Symbol | None:
        """For how long (ms); None where a condition ends it."""
        return TAU_REF if self.end is None else None

    @property
    def flag(self) -> sp.Symbol | None:
        """The state that is 1 from the event on until the condition ends it, else 0; None where there is a period."""
        return None if self.end is None else IS_REFRACTORY

    @property
    def condition(self) -> Any:
        """Whether a step is held: a comparison of times, or a condition on the states at the step's start."""
        if self.end is None:
            return sp.Le(T - LAST_SPIKE, TAU_REF, evaluate=False)
        return sp.And(sp.Gt(IS_REFRACTORY, sp.Rational(1, 2)), untrue(self.end))

    def xreplace(self, change: Mapping[sp.Symbol, Any]) -> Hold:
        """The same, with other values for symbols that its end reads."""
        return self if self.end is None else replace(self, end=self.end.xreplace(change))


def margin_of(condition: Any) -> Any:
    """By how much a condition holds: at least 0 where it does. Of several that must hold it is the least, of several of
    which one must, the largest; parts that say that numbers are equal, or not, have none and do not count.
    """
    if isinstance(condition, (sp.Ge, sp.Gt, sp.Le, sp.Lt)):
        return condition.gts - condition.lts
    if isinstance(condition, (sp.And, sp.Or)):
        parts = [margin_of(part) for part in sorted(condition.args, key=sp.default_sort_key)]
        choose = minimum if isinstance(condition, sp.And) else maximum
        known = [part for part in parts if part is not None]
        return reduce(choose, known) if known else None
    if isinstance(condition, sp.Not):
        inner = margin_of(condition.args[0])
        return None if inner is None else -inner
    return None


def untrue(condition: Any) -> Any:
    """That a condition does not hold. SymPy turns ``Not(x > 0)`` into ``x <= 0``, which is something else for NaN."""
    return sp.Eq(where(condition, 1, 0), 0)


@dataclass(frozen=True)
class Event:
    """Something that happens to a neuron, at the end of a step or inside it.

    States' symbols stand for their values when the event is decided; what ``old(...)`` means in it is
    :func:`~izhigen.derive.lowering.at_start`, and what ``new(...)`` means
    :func:`~izhigen.derive.lowering.just_assigned`.

    Attributes
    ----------
    name : str
        Such as ``"spike"``.
    condition : Boolean
        Condition on the states after integration, jumps and hold, and what events before this one left.
    trigger : Trigger
        ``LEVEL`` or ``RISING``.
    assignments : tuple of Assignment
        New values, all of them reading those before the event. ``t_last_spike`` becomes the step's start.
    hold : Hold or None
        What the event holds in the steps after it.
    is_muted : bool
        Whether it does not happen in a step that it holds.
    """

    name: str
    condition: Any
    trigger: Trigger = Trigger.LEVEL
    assignments: tuple[Assignment, ...] = ()
    hold: Hold | None = None
    is_muted: bool = False

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
        """The assignments to states; that of the last spike's time is not among them."""
        return tuple(a for a in self.assignments if a.symbol != LAST_SPIKE)

    @property
    def stamps(self) -> bool:
        """Whether it is the event whose time neurons keep."""
        return any(a.symbol == LAST_SPIKE for a in self.assignments)

    def xreplace(self, change: Mapping[sp.Symbol, Any]) -> Event:
        """The same, with other values for symbols that its condition, its assignments and its hold read."""
        return replace(
            self,
            condition=self.condition.xreplace(change),
            assignments=tuple(a.xreplace(change) for a in self.assignments),
            hold=None if self.hold is None else self.hold.xreplace(change),
        )

    def excluded(self, present: Mapping[sp.Symbol, Any], held: Any = None) -> tuple[Any, ...]:
        """Conditions of which each keeps it from happening: a rising one that held at the start, and the hold."""
        found = []
        if self.trigger is Trigger.RISING:
            first = {**before({state: state for state in present}), SINCE_SPIKE: at_start(SINCE_SPIKE)}
            found.append(self.condition.xreplace(first))
        return tuple(found) if held is None else (*found, held)

    def happens(self, present: Mapping[sp.Symbol, Any], held: sp.Symbol | None = None) -> Any:
        """Whether it happens, with the states' symbols for the step's start, and ``present`` for now.

        ``held`` says whether the step is held, and mutes the event where it is given.
        """
        without = (sp.Not(part) if part == held else untrue(part) for part in self.excluded(present, held))
        return sp.And(self.condition.xreplace(before(present)), *without)


def before(present: Mapping[sp.Symbol, Any]) -> dict[sp.Symbol, Any]:
    """What symbols stand for in what is assigned, but for ``new(...)``: the present values, and those at the start."""
    return {**present, **{at_start(state): state for state in present}}
