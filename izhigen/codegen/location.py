"""The statements of one neuron in a step in which events are located: procedures that the templates' search calls.

``part`` integrates over a part of a step; ``look`` tells at a point which conditions hold, and how far ahead events
are; ``first`` tells the latter by the local quadratic; ``happen`` applies the events whose conditions hold; ``end``
adds what arrives at the step's end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sympy as sp

from izhigen.codegen.back import IS_HELD, alive
from izhigen.codegen.body import StepWriter, named_definitions
from izhigen.codegen.economy import Plan, horner
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.naming import Namer
from izhigen.codegen.placing import Placer, kind_of
from izhigen.codegen.procedure import Kind, Placement, Statement, Store, Word
from izhigen.codegen.sharing import Sharer, share
from izhigen.derive.event import Event
from izhigen.derive.location import ELAPSED, LENGTH
from izhigen.derive.lowering import SINCE_SPIKE, T, at_start
from izhigen.derive.sequence import Action, Commit, HoldBack, Integrate
from izhigen.derive.step import Step, decisions
from izhigen.model.events import Trigger

GIVEN = {
    LENGTH: Word("iz_length", real=True),
    ELAPSED: Word("iz_elapsed", real=True),
    SINCE_SPIKE: Word("iz_since_spike", real=True),
    at_start(SINCE_SPIKE): Word("iz_since_at_start", real=True),
}
"""What a procedure is told of the part that is gone through."""

SEARCH = ("part", "look", "first", "happen", "end")
"""Names of the procedures."""

Part = tuple[tuple[Statement, ...], tuple[Store, ...]]


def old_value(state: sp.Symbol) -> Word:
    """The value of a state at the step's start."""
    return Word(f"iz_old_{c_name(state.name)}", real=True)


def excluded(event: str) -> Word:
    """Whether an event is kept from happening."""
    return Word(f"iz_excluded_{c_name(event)}", real=True)


def looked_at(what: str, event: str) -> Word:
    """A value that ``look`` or ``first`` finds for an event: ``holds``, ``ahead``, ``margin`` or ``first``."""
    return Word(f"iz_{what}_{c_name(event)}", real=True)


def write_location(step: Step, jumped: tuple[str, ...], placer: Placer, dtype: str) -> dict[str, Part]:
    """Statements and stores of the procedures by name; parts that do not vary join the placer's lists."""
    assert step.location is not None
    placer.placements |= {T: Placement.BOTH, IS_HELD: Placement.BOTH}  # a part begins at a time of its own
    placer.placements |= dict.fromkeys(GIVEN.values(), Placement.BOTH)
    placer.placements |= {old_value(state): Placement.BOTH for state in step.states}
    placer.placements |= {excluded(event.name): Placement.BOTH for event in step.events}
    writer = _Writer(step, jumped, placer, dtype)
    return {
        "part": writer.integration(),
        "look": writer.look(),
        "first": writer.first(),
        "happen": writer.events(),
        "end": writer.end(),
    }


class _Writer:
    """Writes the procedures of a location; alive while a kernel is built."""

    def __init__(self, step: Step, jumped: tuple[str, ...], placer: Placer, dtype: str) -> None:
        assert step.location is not None
        self.step, self.location, self.jumped, self.placer, self.dtype = step, step.location, jumped, placer, dtype
        self._words = GIVEN | {at_start(state): old_value(state) for state in step.states}
        self._elapsed = {name: GIVEN[name] for name in (SINCE_SPIKE, at_start(SINCE_SPIKE))}
        self._apart = [s.symbol.name for statements in placer.lists.values() for s in statements]

    def _fresh(self) -> None:
        """Names of values that only one procedure has may be those of values of others."""
        model = self.step.model
        names = [*model.parameters, *model.inputs, *model.states, *model.delta_inputs, "t", "dt"]
        names += [*(event.name for event in self.step.events), *(xi.name for xi, _ in self.step.variates)]
        apart = {s.symbol.name for statements in self.placer.lists.values() for s in statements}
        self.placer.namer = Namer([*names, *self._apart, *apart])

    def _done(self, statements: Iterable[Statement], stores: Iterable[Store]) -> Part:
        sharer = Sharer(self.placer.namer, named_definitions(self.step), self.dtype)
        body, stored = share(alive(statements, stores), stores, sharer)
        return alive(body, stored), stored

    def integration(self) -> Part:
        """Over a part."""
        self._fresh()
        change = {**GIVEN, T: T}
        part = self.location.part
        increments = dict(zip(self.step.states, part.increments))
        for term in part.noise:
            increments[term.state] += term.factor * term.xi
        assignments = tuple(a.xreplace(change) for a in part.assignments)
        plan = Plan(assignments, tuple(value.xreplace(change) for value in increments.values()))
        holds = tuple(HoldBack(event.hold) for event in self._events() if event.hold)
        actions: tuple[Action, ...] = (Integrate(plan.assignments, plan.increments, ()), *holds, Commit())
        writer = StepWriter(self.step, (), self.placer, actions, IS_HELD)
        return self._done(writer.statements, writer.stores)

    def _events(self) -> tuple[Event, ...]:
        """The events at a point of a step; the time since a spike may become 0 there."""
        words = {name: word for name, word in self._words.items() if name not in self._elapsed}
        return tuple(event.xreplace(words) for event in self.location.events)

    def look(self) -> Part:
        """Which conditions hold at a point, and what tells how far ahead the others are."""
        self._fresh()
        found = [(looked_at("holds", event.name), event.condition) for event in self.location.events]
        holds = [event.hold for event in self.location.events if event.hold is not None]
        found += [(looked_at("holds", "hold"), hold.condition) for hold in holds if hold.flag is not None]
        found += [(looked_at("ahead", name), value) for name, value in self.location.ahead.items()]
        found += [(looked_at("margin", name), value) for name, value in self.location.margins.items()]
        return self._looked_at(found)

    def first(self) -> Part:
        """How far ahead events are from the beginning of a part."""
        self._fresh()
        return self._looked_at([(looked_at("first", name), value) for name, value in self.location.first.items()])

    def _looked_at(self, found: Iterable[tuple[sp.Symbol, Any]]) -> Part:
        statements = [self._statement(a.symbol, a.expression) for a in self.location.assignments]
        stores = []
        for name, value in found:
            self.placer.owner = name.name.removeprefix("iz_")
            expression = self.placer.hoist(horner(value.xreplace(self._words), self.step.states))
            stores.append(Store(name, expression, kind_of(value)))
        return self._done([s for s in statements if s is not None], stores)

    def _statement(self, name: sp.Symbol, value: Any) -> Statement:
        self.placer.owner = name.name
        expression = self.placer.hoist(horner(value.xreplace(self._words), self.step.states))
        self.placer.placements[name] = Placement.BOTH
        return Statement(name, expression, kind_of(value))

    def events(self) -> Part:
        """What happens at a point: events whose conditions hold there, but for those that are excluded."""
        self._fresh()
        allowed = tuple(
            replace(
                event,
                condition=sp.And(event.condition, sp.Not(excluded(event.name))),
                trigger=Trigger.LEVEL,
                hold=None,
                is_muted=False,
            )
            for event in self._events()
        )
        writer = StepWriter(self.step, (), self.placer, (*decisions(allowed), Commit()), elapsed=self._elapsed)
        happened = [Store(looked_at("happened", e.name), e.symbol, Kind.CONDITION) for e in self.step.events]
        return self._done(writer.statements, [*_changes(writer.stores), *happened])

    def end(self) -> Part:
        """What is added at the step's end, where held states stay as they are."""
        self._fresh()
        arrivals = tuple(arrive.xreplace(self._words) for arrive in self.location.arrivals)
        jumps = self.step.ending[:1]
        holds = tuple(HoldBack(replace(event.hold, end=None)) for event in self._events() if event.hold)
        writer = StepWriter(self.step, self.jumped, self.placer, (*jumps, *arrivals, *holds, Commit()), IS_HELD)
        return self._done(writer.statements, _changes(writer.stores))


def _changes(stores: Iterable[Store]) -> list[Store]:
    """Those that change something."""
    return [store for store in stores if store.expression != store.symbol]
