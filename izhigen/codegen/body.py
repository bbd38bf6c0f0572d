"""The statements of one neuron in one step, from the sequence of a step's actions.

No kernel compares times in every step. What is held until a time is held before a step: ``release``, the first step
that starts more than the period after the event. It is found when the event happens and when a call begins, from times
in double precision, rounded as ``t - t_last_spike <= tau_ref`` rounds them; so backends agree on ties, and a step
compares two whole numbers. Single precision for microcontrollers has no times, and counts the steps of a period.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, reduce
from typing import Any

import sympy as sp

from izhigen.codegen.economy import Plan, economical, horner
from izhigen.codegen.placing import Placer, kind_of
from izhigen.codegen.procedure import Kind, Placement, Statement, Store, Word
from izhigen.derive import functions as f
from izhigen.derive.event import Event, Hold
from izhigen.derive.lowering import symbol
from izhigen.derive.sequence import Action, Apply, Commit, Decide, HoldBack, Integrate, Jump
from izhigen.derive.singularities import remove_singularities
from izhigen.derive.step import SPIKE, Step
from izhigen.derive.system import algebraic_definitions
from izhigen.errors import DerivationError

REFRACTORY = symbol("refractory")
"""Whether a neuron is held in a step."""
STEP_NOW, RELEASE = Word("step_now", integer=True), Word("release", integer=True)
"""The number of the step, and that of the first one in which a neuron is not held."""
TIME_NOW, PERIOD = Word("time_now", real=True), Word("refractory_period", real=True)
"""The start of the step, and the refractory period: in ms, in double precision."""


class release_step(f.OwnFunction):
    """The first step whose start is more than a period after a time: ``release_step(time, period)``.

    A target states how it finds it (:mod:`izhigen.codegen.words`).
    """


class StepWriter:
    """Writes down the actions of a step; alive while a kernel is built.

    Attributes
    ----------
    statements, stores : list
        What happens to every neuron in every step.
    on_event : dict of str to list of Store
        What else happens to a neuron in which an event did.
    """

    def __init__(self, step: Step, jumped: tuple[str, ...], placer: Placer) -> None:
        self.step, self.jumped, self.placer = step, jumped, placer
        self.statements: list[Statement] = []
        self.stores: list[Store] = []
        self.on_event: dict[str, list[Store]] = {}
        self._increments: dict[sp.Symbol, Any] = {}
        self._held: set[sp.Symbol] = set()
        self._present: dict[sp.Symbol, Any] = {}
        others = [event.name for event in step.events if event.hold and event.name != SPIKE]
        if others:
            raise DerivationError(f"event {others[0]!r} holds something, which only {SPIKE!r} can")
        for action in step.sequence:
            self._write(action)

    def _write(self, action: Action) -> None:
        match action:
            case Integrate():
                self._integrate(plan_of(self.step, self.placer.placements))
            case Jump():
                for state in self.jumped:
                    self._increments[symbol(state)] += symbol(f"{state}_delta")
            case HoldBack(hold):
                self.statements.append(Statement(REFRACTORY, sp.Lt(STEP_NOW, RELEASE), Kind.CONDITION))
                self._held |= set(hold.states)
            case Decide(event):
                self._decide(event)
            case Apply(event):
                self._apply(event)
            case Commit():
                self._name_present()
                self.stores += [Store(state, value, Kind.REAL) for state, value in self._present.items()]

    def _integrate(self, plan: Plan) -> None:
        renamed: dict[sp.Symbol, sp.Symbol] = {}
        for assignment in plan.assignments:
            name = assignment.symbol
            renamed[name] = self._add(name.name, assignment.expression.xreplace(renamed))
        self._increments = {
            state: increment.xreplace(renamed) for state, increment in zip(self.step.states, plan.increments)
        }

    def _name_present(self) -> None:
        """Give the present value of every state a name, after integration, jumps and hold."""
        for state, value in self._increments.items():
            if value.is_Add:  # the increment is summed first and added to the state once, which matters in float32
                value = self._add(f"d{state.name}", value)
            value = state + value
            if state in self._held:
                value = f.where(REFRACTORY, state, value)
            self._present[state] = self._add(f"{state.name}_new", value)
            self.placer.placements[self._present[state]] = Placement.BOTH
        self._increments = {}

    def _decide(self, event: Event) -> None:
        self._name_present()
        for state, value in self._present.items():
            if not value.is_Symbol:  # an event before this one may have changed it
                self._present[state] = self._add(f"{state.name}_new", value)
        self.placer.owner = event.name
        self.statements.append(Statement(event.symbol, self.placer.hoist(event.happens(self._present)), Kind.CONDITION))

    def _apply(self, event: Event) -> None:
        before = dict(self._present)
        for reset in event.resets:
            self.placer.owner = f"reset_{reset.symbol.name}"
            value = self.placer.hoist(horner(reset.expression.xreplace(before), list(before.values())))
            self._present[reset.symbol] = f.where(event.symbol, value, before[reset.symbol])
        if event.hold:
            self.on_event[event.name] = list(_hold_from_now(event.hold))

    def _add(self, wanted: str, expression: Any) -> sp.Symbol:
        """A statement at the place where its value varies least."""
        self.placer.owner = wanted
        value = self.placer.hoist(horner(expression, self.step.states))
        level = self.placer.place(value)
        name = self.placer.namer.fixed(wanted)
        self.placer.placements[name] = level
        target = self.statements if level is Placement.BOTH else self.placer.lists[level]
        target.append(Statement(name, value, kind_of(value)))
        return name


def _hold_from_now(hold: Hold) -> tuple[Store, Store]:
    """What begins to hold a neuron: the time of its event, and the step in which it ends."""
    return (
        Store(hold.since, TIME_NOW, Kind.TIME),
        Store(RELEASE, release_step(TIME_NOW, PERIOD), Kind.STEP),
    )


def plan_of(step: Step, placements: Mapping[sp.Symbol, Placement]) -> Plan:
    """The step's statements after the rules of :mod:`izhigen.codegen.economy`."""
    levels = dict(placements)

    @cache
    def place(expression: Any) -> Placement:
        return reduce(lambda p, s: p | levels.get(s, Placement.BOTH), expression.free_symbols, Placement.UNIFORM)

    for assignment in step.assignments:
        levels[assignment.symbol] = place(assignment.expression)
    return economical(
        step, named_definitions(step), lambda e: place(e) is not Placement.BOTH, lambda e: place(e) is Placement.NEURON
    )


def named_definitions(step: Step) -> dict[Any, str]:
    """Algebraic lines by their value, so that a shared subexpression that is one carries the user's name."""
    definitions = algebraic_definitions(step.model)
    return {remove_singularities(value): name for name, value in definitions.items() if value.args}
