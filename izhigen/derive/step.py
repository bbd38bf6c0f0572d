"""One step of a model as SymPy values: what it computes, the events in it, and the order in which all of it happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

import sympy as sp

from izhigen.derive.auto import choose
from izhigen.derive.event import LAST_SPIKE, Assignment, Event, Hold, before
from izhigen.derive.expansion import tree_size
from izhigen.derive.location import Location, locate
from izhigen.derive.lowering import DT, SINCE_SPIKE, T, at_start, lower, moments_of, symbol
from izhigen.derive.scheme import AUTO, Scheme, find_scheme
from izhigen.derive.sequence import Action, Apply, Arrive, Commit, Decide, HoldBack, Integrate, Jump, NoiseTerm, Watch
from izhigen.derive.system import System, build_system
from izhigen.errors import DerivationError
from izhigen.model import events as declared
from izhigen.model.events import SPIKE, SpikeTiming, arrival_place, assignment_place, read_spike_timing
from izhigen.model.model import Declaration

MOST_INLINED = 2_000
"""Updates of more parts, with all intermediates inlined, are not shown or counted as one expression."""


@dataclass(frozen=True)
class Step:
    """What happens to a neuron in one step.

    Attributes
    ----------
    system : System
    scheme : Scheme
    assignments : tuple of Assignment
        Named intermediates, each reading only what stands before it.
    increments : tuple of Expr
        What is added to each state, without noise.
    noise : tuple of NoiseTerm
    events : tuple of Event
        In the order in which they are decided.
    arrivals : tuple of Arrive
        What event inputs do, in the order in which they do it.
    location : Location or None
        How events are found inside a step; None where they happen at its end.
    chosen : str
        Why the method was chosen, where it was left to the derivation.
    """

    system: System
    scheme: Scheme
    assignments: tuple[Assignment, ...]
    increments: tuple[Any, ...]
    noise: tuple[NoiseTerm, ...]
    events: tuple[Event, ...]
    arrivals: tuple[Arrive, ...] = ()
    location: Location | None = None
    chosen: str = ""

    @property
    def sequence(self) -> tuple[Action, ...]:
        """What a step does, in order; where events are located, in neurons to which nothing happens."""
        if self.location is not None:
            quiet: tuple[Action, ...] = (*self.holds, Watch(self.location.watched))
            return (self.integration, *quiet, Jump(), *self.arrivals, *quiet, Commit())
        return (self.integration, *self.ending, Commit())

    @property
    def integration(self) -> Integrate:
        """The integration over a whole step."""
        return Integrate(self.assignments, self.increments, self.noise)

    @property
    def ending(self) -> tuple[Action, ...]:
        """What follows integration."""
        return (Jump(), *self.arrivals, *self.holds, *decisions(self.events))

    @property
    def holds(self) -> tuple[HoldBack, ...]:
        """What is held."""
        return tuple(HoldBack(event.hold) for event in self.events if event.hold)

    @property
    def spike(self) -> Event | None:
        """The event that is the model's spike."""
        return next((event for event in self.events if event.name == SPIKE), None)

    @cached_property
    def event_names(self) -> tuple[str, ...]:
        """Names of the events by their number; the spike has 0, whether the model has one or not."""
        return tuple(declared.event_numbers(event.name for event in self.events))

    @cached_property
    def times(self) -> tuple[sp.Symbol, ...]:
        """What a neuron has beside its states: times in ms, in double precision."""
        return (LAST_SPIKE,) if any(event.stamps for event in self.events) else ()

    @cached_property
    def period(self) -> sp.Symbol | None:
        """The refractory period, where there is one."""
        return next((event.hold.period for event in self.events if event.hold), None)

    @property
    def reads_elapsed(self) -> bool:
        """Whether anything reads the time since the last spike."""
        actions = [a for arrive in self.arrivals for a in arrive.assignments]
        actions += [*self.assignments, *(a for event in self.events for a in event.resets)]
        read = [*(a.expression for a in actions), *self.increments, *(term.factor for term in self.noise)]
        read += [event.condition for event in self.events]
        read += [event.hold.condition for event in self.events if event.hold]
        return any({SINCE_SPIKE, at_start(SINCE_SPIKE)} & value.free_symbols for value in read)

    @property
    def model(self) -> Declaration:
        """The declaration it was derived from."""
        return self.system.model

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.scheme.name

    @property
    def timing(self) -> SpikeTiming:
        """Where in a step events happen."""
        return SpikeTiming.STEP if self.location is None else self.location.timing

    @cached_property
    def states(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the state variables."""
        return self.system.states

    @property
    def variates(self) -> tuple[tuple[sp.Symbol, int], ...]:
        """The normal variates that a step draws, each with its stream, in the order of the states."""
        return tuple(sorted({(term.xi, term.stream) for term in self.noise}, key=lambda pair: pair[1]))

    def new_value(self, index: int) -> Any:
        """State ``index`` after integration, as an expression of intermediates, before jumps and reset."""
        state = self.states[index]
        kicks = [term.factor * term.xi for term in self.noise if term.state == state]
        return sp.Add(state, self.increments[index], *kicks)

    @cached_property
    def updates(self) -> Mapping[str, Any]:
        """New value of every state after integration, as an expression of states, parameters, inputs, t and dt."""
        inlined: dict[sp.Symbol, Any] = {}
        for assignment in self.assignments:
            inlined[assignment.symbol] = assignment.expression.xreplace(inlined)
        return MappingProxyType(
            {state.name: self.new_value(i).xreplace(inlined) for i, state in enumerate(self.states)}
        )

    @cached_property
    def short_updates(self) -> Mapping[str, Any]:
        """Those of :attr:`updates` that are small: stages that read one another multiply when they are inlined."""
        sizes: dict[sp.Symbol, int] = {}
        inlined: dict[sp.Symbol, Any] = {}
        for assignment in self.assignments:
            sizes[assignment.symbol] = tree_size(assignment.expression, sizes)
            if sizes[assignment.symbol] <= MOST_INLINED:
                inlined[assignment.symbol] = assignment.expression.xreplace(inlined)
        values = {state.name: self.new_value(i) for i, state in enumerate(self.states)}
        short = (name for name, value in values.items() if tree_size(value, sizes) <= MOST_INLINED)
        return MappingProxyType({name: values[name].xreplace(inlined) for name in short})


def decisions(events: Iterable[Event]) -> tuple[Action, ...]:
    """Events one after the other, each decided by what those before it left."""
    return tuple(action for event in events for action in (Decide(event), Apply(event)))


def derive_step(model: Declaration, method: str = "exp_euler", spike_timing: str = "step") -> Step:
    """Derive the step of a model.

    Parameters
    ----------
    model : Declaration
    method : str
        Name or alias of a scheme, or "auto": see :mod:`izhigen.derive.auto`.
    spike_timing : {"step", "linear", "located"}
        Where in a step events happen; see :class:`~izhigen.model.events.SpikeTiming`.

    Raises
    ------
    DerivationError
        For an unknown method or a right-hand side without a usable derivative.
    ValueShapeError
        For an unknown timing.
    """
    timing = read_spike_timing(spike_timing)
    if isinstance(method, str) and method == AUTO:
        found, why = choose(model, timing)
        return replace(_derived(model, find_scheme(found), timing), chosen=why)
    return _derived(model, find_scheme(method), timing)


@lru_cache(maxsize=32)
def _derived(model: Declaration, scheme: Scheme, timing: SpikeTiming) -> Step:
    """The step of a model under a scheme; kernels of several shapes and number types are made of one."""
    system = build_system(model)
    assignments, increments = scheme.advance(system)
    spread, noise = scheme.noise(system)
    events = tuple(_event(system, event) for event in model.events)
    arrivals = tuple(
        Arrive(symbol(name), _assigned(system, arrival_place(name), assignments))
        for name, assignments in model.on_event.items()
    )
    step = Step(system, scheme, system.frozen + assignments + spread, increments, noise, events, arrivals)
    if timing is SpikeTiming.STEP or not events:
        return step
    return replace(step, location=locate(system, timing, step.integration, events, arrivals))


def _event(system: System, event: declared.DeclaredEvent) -> Event:
    """An event of the declaration in SymPy values, with what follows from it."""
    model, is_spike = system.model, event.name == SPIKE
    condition = lower(event.condition, event.where, system.definitions, moments_of(system.states))
    if condition in (sp.true, sp.false):
        raise DerivationError(f"{event.where}: {event.condition.text!r} is {condition} whatever the state is")
    trigger = model.trigger_of(event)
    at_first = condition.xreplace(before({state: state for state in system.states}))
    if trigger is declared.Trigger.RISING and at_first == sp.true:
        raise DerivationError(
            f"{event.where}: {event.condition.text!r} is true at the start of every step, whatever the state is, so it "
            "never rises; take trigger='level'"
        )
    assignments = _assigned(system, declared.RESET if is_spike else event.where, event.assignments)
    hold = _hold(system) if is_spike else None
    if is_spike and model.keeps_last_spike:
        assignments += (Assignment(LAST_SPIKE, T),)
    if hold and hold.flag:
        assignments += (Assignment(hold.flag, sp.S.One),)
    return Event(event.name, condition, trigger, assignments, hold, _is_muted(system, condition, assignments, hold))


def _is_muted(system: System, condition: Any, assignments: tuple[Assignment, ...], hold: Hold | None) -> bool:
    """Whether a spike must be kept from coming while it holds something.

    Not so where its condition reads nothing but parameters and held states that the reset makes values of parameters,
    and that no other event assigns: then it is what it was after the reset, as in BrainPy.
    """
    if hold is None:
        return False
    others = {symbol(a.state) for event in system.model.events if event.name != SPIKE for a in event.assignments}
    constant = {DT, *system.parameters}
    reset = {a.symbol for a in assignments if a.expression.free_symbols <= constant}
    quiet = reset.intersection(hold.states) - others
    known = {*quiet, *map(at_start, quiet)}
    read = condition.free_symbols
    return not read & known or not read <= known | constant


def _hold(system: System) -> Hold | None:
    """What a spike holds."""
    refractory = system.model.refractory
    if refractory is None:
        return None
    states = tuple(symbol(state) for state in refractory.states)
    if refractory.until is None:
        return Hold(states)
    where = "with_refractory: until"
    end = lower(refractory.until, where, system.definitions)
    if end in (sp.true, sp.false):
        raise DerivationError(f"{where}: {refractory.until.text!r} is {end} whatever the state is")
    return Hold(states, end)


def _assigned(system: System, what: str, assignments: tuple[declared.Assignment, ...]) -> tuple[Assignment, ...]:
    """Assignments one after the other; ``new`` means what those above assign."""
    found: list[Assignment] = []
    for assignment in assignments:
        moments = moments_of(system.states, [above.symbol for above in found])
        where = assignment_place(what, assignment.state)
        value = lower(assignment.expression, where, system.definitions, moments)
        found.append(Assignment(symbol(assignment.state), value))
    return tuple(found)
