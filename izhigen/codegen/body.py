"""The statements of one neuron in one step, from the sequence of a step's actions.

No kernel compares times in every step. What is held until a time is held before a step: ``release``, the first step
that starts more than the period after the event. It is found when the event happens and when a call begins, from times
in double precision, rounded as ``t - t_last_spike <= tau_ref`` rounds them; so backends agree on ties, and a step
compares two whole numbers. Single precision for microcontrollers has no times, and counts the steps of a period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, reduce
from typing import Any

import sympy as sp

from izhigen.codegen.economy import Plan, economical, horner
from izhigen.codegen.placing import Placer, kind_of
from izhigen.codegen.procedure import Kind, Placement, Statement, Store, Word
from izhigen.derive import functions as f
from izhigen.derive.event import LAST_SPIKE, Assignment, Event, Hold, before, untrue
from izhigen.derive.location import NEVER
from izhigen.derive.lowering import SINCE_SPIKE, at_start, just_assigned, symbol
from izhigen.derive.sequence import Action, Apply, Arrive, Commit, Decide, HoldBack, Integrate, Jump, Watch
from izhigen.derive.singularities import remove_singularities
from izhigen.derive.step import Step
from izhigen.derive.system import algebraic_definitions
from izhigen.errors import DerivationError
from izhigen.model.events import SPIKE, Trigger

REFRACTORY = symbol("refractory")
"""Whether a neuron is held in a step."""
NO_SPIKE = Statement(symbol(SPIKE), sp.false, Kind.CONDITION)
"""The spike of a model that has other events only."""
STEP_NOW, RELEASE = Word("step_now", integer=True), Word("release", integer=True)
"""The number of the step, and that of the first one in which a neuron is not held."""
WATCHED = Word("iz_watched", real=True)
"""Whether a step has to be gone through in parts."""
IS_RELEASED = Word("iz_is_released", real=True)
"""Whether a neuron is held in a part of the step only."""
STEP_NEXT = Word("step_next", integer=True)
"""The number of the step after it."""
TIME_NOW, PERIOD = Word("time_now", real=True), Word("refractory_period", real=True)
"""The start of the step, and the refractory period: in ms, in double precision."""


class release_step(f.OwnFunction):
    """The first step whose start is more than a period after a time: ``release_step(time, period)``.

    A target states how it finds it (:mod:`izhigen.codegen.words`).
    """


class time_since(f.OwnFunction):
    """The time from another to the start of the step, a number: ``time_since(time)``.

    A target states how it finds it (:mod:`izhigen.codegen.words`).
    """


class StepWriter:
    """Writes down the actions of a step; alive while a kernel is built.

    Attributes
    ----------
    statements, stores : list
        What happens to every neuron in every step, or in the ``actions`` that are given instead of the step's.
    on_event : dict of str to list of Store
        What else happens to a neuron in which an event did.
    """

    def __init__(
        self,
        step: Step,
        jumped: tuple[str, ...],
        placer: Placer,
        actions: Iterable[Action] | None = None,
        is_held: sp.Symbol | None = None,
        elapsed: Mapping[sp.Symbol, Any] | None = None,
    ) -> None:
        self.step, self.jumped, self.placer = step, jumped, placer
        self.statements: list[Statement] = []
        self.stores: list[Store] = []
        self.on_event: dict[str, list[Store]] = {}
        self._intermediates: list[sp.Symbol] = []  # which sums are nested in, as in states
        self._increments: dict[sp.Symbol, Any] = {}
        self._held: dict[sp.Symbol, Any] = {}  # what a state is where it is held
        self._is_held = is_held
        self._present: dict[sp.Symbol, Any] = {}
        self._elapsed = dict(elapsed or {})
        self._watched: dict[sp.Symbol, Any] = {}  # present values when they were last looked at
        self._may_happen: list[Any] = []
        others = [event.name for event in step.events if (event.hold or event.stamps) and event.name != SPIKE]
        if others:
            raise DerivationError(f"event {others[0]!r} holds something, which only {SPIKE!r} can")
        if actions is not None:
            self._present = {state: state for state in step.states}
        elif step.reads_elapsed:
            since = self._state("since_spike", time_since(LAST_SPIKE), Kind.REAL)
            self._elapsed = {SINCE_SPIKE: since, at_start(SINCE_SPIKE): since}
        self._is_whole = actions is None
        for action in step.sequence if actions is None else actions:
            self._write(action)

    def _write(self, action: Action) -> None:
        match action:
            case Integrate(assignments, increments):
                whole = plan_of(self.step, self.placer.placements) if self._is_whole else None
                self._integrate(whole or Plan(assignments, increments))
            case Jump():
                into = self._increments or self._present
                for state in self.jumped:
                    into[symbol(state)] += symbol(f"{state}_delta")
            case Arrive(name, assignments):
                self._name_present()
                arrives = self._state(f"{name.name}_arrives", action.condition, Kind.CONDITION)
                self._assign(assignments, arrives, f"{name.name}_to")
            case HoldBack(hold):
                self._hold_back(hold)
            case Decide(event):
                self._decide(event)
            case Apply(event):
                self._assign(event.resets, event.symbol, "reset" if event.name == SPIKE else event.name)
                if event.stamps:
                    self.on_event[event.name] = list(_from_now(event.hold))
                    if self._elapsed:
                        self._elapsed[SINCE_SPIKE] = f.where(event.symbol, 0, self._elapsed[SINCE_SPIKE])
            case Watch(events):
                self._watch(events)
            case Commit():
                self._name_present()
                self._keep_watched()
                if self.step.events and self.step.spike is None and self.step.location is None:
                    self.statements.append(NO_SPIKE)
                self.stores += [Store(state, self._present[state], Kind.REAL) for state in self.step.states]

    def _integrate(self, plan: Plan) -> None:
        renamed: dict[sp.Symbol, sp.Symbol] = dict(self._elapsed)
        for assignment in plan.assignments:
            name = assignment.symbol
            renamed[name] = self._add(name.name, assignment.expression.xreplace(renamed))
            if self.placer.placements[renamed[name]] is Placement.BOTH:
                self._intermediates.append(renamed[name])
        self._increments = {
            state: increment.xreplace(renamed) for state, increment in zip(self.step.states, plan.increments)
        }

    def _hold_back(self, hold: Hold) -> None:
        """Held states go back; where nothing has changed a state since its integration, as it gets its name."""
        if self._watched and self._present == self._watched:
            return
        if self._is_held is None:  # else it is held back again, after jumps
            self._is_held = self._held_in_step(hold)
        self._held = {state: state for state in hold.states}
        for state, old in self._held.items() if not self._increments else ():
            self._present[state] = f.where(self._is_held, old, self._present[state])
        if hold.flag is not None:
            self._name_present()
            self._present[hold.flag] = f.where(self._is_held, 1, 0)

    def _held_in_step(self, hold: Hold) -> sp.Symbol:
        """Whether the step is held, as a statement."""
        if hold.period is None:
            return self._state("is_refractory", hold.condition, Kind.CONDITION)
        # a step that is held in part is not held where its parts are gone through
        step = STEP_NOW if self.step.location is None else STEP_NEXT
        self.statements.append(Statement(REFRACTORY, sp.Lt(step, RELEASE), Kind.CONDITION))
        return REFRACTORY

    def _name_present(self) -> None:
        """Give the present value of every state a name, after integration, jumps and hold."""
        for state, value in self._increments.items():
            if value.is_Add:  # the increment is summed first and added to the state once, which matters in float32
                value = self._add(f"d{state.name}", value)
            value = state + value
            if state in self._held:
                value = f.where(self._is_held, state, value)
            self._present[state] = self._add(f"{state.name}_new", value)
            self.placer.placements[self._present[state]] = Placement.BOTH
        self._increments = {}

    def _name_changed(self) -> None:
        """Give the present values that something has changed since a name of their own."""
        self._name_present()
        for state, value in self._present.items():
            if not value.is_Symbol:
                self._present[state] = self._add(f"{state.name}_new", value)

    def _decide(self, event: Event) -> None:
        self._name_changed()
        self.placer.owner = event.name
        held = self._is_held if event.is_muted else None
        happens = event.happens(self._present, held).xreplace(self._elapsed)
        self.statements.append(Statement(event.symbol, self.placer.hoist(happens), Kind.CONDITION))

    def _watch(self, events: tuple[Event, ...]) -> None:
        """Conditions under which an event may have happened, by values that were not looked at before."""
        self._name_changed()
        if self._present == self._watched:
            return
        earlier = self._watched or {state: state for state in self._present}
        for event in events:
            holds = [event.condition.xreplace(before(self._present))]
            if event.trigger is Trigger.RISING:
                holds.append(untrue(event.condition.xreplace(before(earlier))))
            if event.is_muted and self._is_held is not None:
                holds.append(sp.Not(self._is_held))
            self._may_happen.append(sp.And(*holds).xreplace(self._elapsed))
        read = {s for event in events for s in event.condition.free_symbols} & self._present.keys()
        total = sp.Add(*(f.absolute(self._present[s]) for s in self.step.states if s in read or not read))
        self._may_happen.append(untrue(sp.Le(total, NEVER)))
        self._watched = dict(self._present)

    def _keep_watched(self) -> None:
        """States stay as they were where an event may have happened."""
        if not self._may_happen:
            return
        if self.step.period is not None:
            self.statements.append(Statement(IS_RELEASED, sp.Eq(STEP_NEXT, RELEASE), Kind.CONDITION))
            self.placer.placements[IS_RELEASED] = Placement.BOTH
            self._may_happen.append(IS_RELEASED)
        self.placer.owner = WATCHED.name
        inside = self.placer.hoist(sp.Or(*self._may_happen))
        self.placer.placements[WATCHED] = Placement.BOTH
        self.statements.append(Statement(WATCHED, inside, Kind.CONDITION))
        self._present = {state: f.where(WATCHED, state, value) for state, value in self._present.items()}

    def _assign(self, assignments: tuple[Assignment, ...], happened: sp.Symbol, what: str) -> None:
        """The assignments become present values where something happened; all read the values before."""
        self._name_changed()
        meaning = {**before(self._present), **self._elapsed}
        read = {s for a in assignments for s in a.expression.free_symbols}
        values: dict[sp.Symbol, Any] = {}
        for assignment in assignments:
            state = assignment.symbol
            self.placer.owner = f"{what}_{state.name}"
            value = self.placer.hoist(horner(assignment.expression.xreplace(meaning), list(self._present.values())))
            if just_assigned(state) in read:
                value = self._add(f"{state.name}_assigned", value)
                meaning[just_assigned(state)] = value
            values[state] = value
        for state, value in values.items():
            self._present[state] = f.where(happened, value, self._present[state])

    def _state(self, wanted: str, expression: Any, kind: Kind) -> sp.Symbol:
        """A statement about a neuron in a step."""
        name = self.placer.namer.fixed(wanted)
        self.placer.placements[name] = Placement.BOTH
        self.placer.owner = wanted
        self.statements.append(Statement(name, self.placer.hoist(expression.xreplace(self._elapsed)), kind))
        return name

    def _add(self, wanted: str, expression: Any) -> sp.Symbol:
        """A statement at the place where its value varies least."""
        self.placer.owner = wanted
        value = self.placer.hoist(horner(expression, (*self.step.states, *self._intermediates)))
        level = self.placer.place(value)
        name = self.placer.namer.fixed(wanted)
        self.placer.placements[name] = level
        target = self.statements if level is Placement.BOTH else self.placer.lists[level]
        target.append(Statement(name, value, kind_of(value)))
        return name


def _from_now(hold: Hold | None) -> tuple[Store, ...]:
    """What is stored of a spike: its time, and the step in which what it holds ends."""
    stamp = Store(LAST_SPIKE, TIME_NOW, Kind.TIME)
    if hold is None or hold.period is None:
        return (stamp,)
    return (stamp, Store(RELEASE, release_step(TIME_NOW, PERIOD), Kind.STEP))


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
