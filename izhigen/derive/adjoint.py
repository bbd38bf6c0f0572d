"""The adjoint of a step: from the gradient of a loss with respect to what a step leaves, that with respect to all that
it was given.

It is derived action by action from :attr:`~izhigen.derive.step.Step.sequence`: the step is written down as values that
each read only earlier ones, and these are gone through in reverse (Griewank and Walther 2008, "Evaluating Derivatives",
3.2). What happened in the step (its events, and whether it was held) is given, not decided again, and has no
derivative but the surrogate's: an event of margin m is the number s in ``x' = s*assigned + (1 - s)*present``, and
``ds/dm = scale*gradient(scale*m)``. Times carry no gradient, and neither do conditions of any other kind.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from izhigen.derive.derivative import derivative
from izhigen.derive.event import IS_REFRACTORY, Assignment, Event, before, margin_of
from izhigen.derive.functions import expm1, limited, where
from izhigen.derive.lowering import DT, SINCE_SPIKE, at_start, just_assigned, own_functions, symbol
from izhigen.derive.sequence import Action, Apply, Arrive, Commit, Decide, HoldBack, Integrate, Jump
from izhigen.derive.step import Step
from izhigen.derive.surrogate import Surrogate, X, exact
from izhigen.errors import DerivationError

STEEP = (sp.exp, sp.sinh, sp.cosh, expm1)
"""Functions that grow exponentially."""
HELD = symbol("(is held)")
"""Whether the step was held for a time; what is held until a condition is found from the states."""


class Detach(enum.Enum):
    """Which paths through spikes carry no gradient.

    ``NONE``: all carry it. ``RESET``: what an event assigns does not depend on whether it happens. ``ALL``: neither
    does what it emits, as with BrainPy's ``detach_spk``.
    """

    NONE = False
    RESET = "reset"
    ALL = "all"


@dataclass(frozen=True)
class Training:
    """How gradients pass through spikes.

    Attributes
    ----------
    surrogate : Surrogate or None
        None where none passes.
    scale : float
        Multiplies the margin before the surrogate.
    detach : Detach
    smooth : bool
        Whether a spike is the surrogate's smooth function of its margin instead of 0 or 1, so that the gradient is that
        of what is computed.
    """

    surrogate: Surrogate | None = None
    scale: float = 1.0
    detach: Detach = Detach.NONE
    smooth: bool = False

    @property
    def content(self) -> str:
        """Text that is the same for two of them exactly when kernels are."""
        made = None if self.surrogate is None else (sp.srepr(self.surrogate.gradient), sp.srepr(self.surrogate.smooth))
        return repr((made, self.scale, self.detach.value, self.smooth))

    def slope(self, margin: Any) -> Any:
        """What stands for the derivative of an event with respect to its margin."""
        assert self.surrogate is not None
        scale = exact(self.scale)
        return scale * self.surrogate.gradient.xreplace({X: scale * margin})

    def spike(self, margin: Any) -> Any:
        """A smooth event of a margin."""
        assert self.surrogate is not None
        return self.surrogate.smooth.xreplace({X: exact(self.scale) * margin})


@dataclass(frozen=True)
class Adjoint:
    """The adjoint of a step.

    What it reads beside what the step does: for each state and event, the gradient of the loss with respect to the
    state that the step left, and to the event as a number (:meth:`bar`); the symbols of the events, for what happened,
    and :data:`HELD`.

    Attributes
    ----------
    step : Step
    training : Training
    states : tuple of Symbol
        Those with a gradient.
    forward : tuple of Assignment
        Values of the step that are needed, in order.
    backward : tuple of Assignment
        Gradients with respect to the step's values, in order.
    bars : mapping of Symbol to Expr
        The gradient with respect to the state, input, jump or parameter of that symbol, before the step.
    """

    step: Step
    training: Training
    states: tuple[sp.Symbol, ...]
    forward: tuple[Assignment, ...]
    backward: tuple[Assignment, ...]
    bars: Mapping[sp.Symbol, Any]

    def bar(self, name: sp.Symbol) -> sp.Symbol:
        """The gradient with respect to a state or event after the step."""
        return bar_of(self.step, name)


def bar_of(step: Step, name: sp.Symbol) -> sp.Symbol:
    """The symbol of the gradient with respect to what a step leaves."""
    return step.system.intermediate(f"{name.name}_bar")


def derive_adjoint(step: Step, training: Training, jumped: Collection[str] = (), wanted: Iterable[str] = ()) -> Adjoint:
    """Derive the adjoint of a step.

    Parameters
    ----------
    step : Step
    training : Training
    jumped : collection of str
        States that receive an instantaneous input.
    wanted : iterable of str
        Inputs, ``<state>_delta`` and parameters whose gradients are due beside those of the states.
    """
    return _Tape(step, training, tuple(jumped)).adjoint(tuple(symbol(name) for name in wanted))


@dataclass(frozen=True)
class _Value:
    """A value of the step: an expression of earlier ones, or a choice between two by what happened. One that
    ``overflows`` may do so where an event then sets the state.
    """

    name: sp.Symbol
    expression: Any
    choice: _Choice | None = None
    overflows: bool = False


@dataclass(frozen=True)
class _Choice:
    """``first`` where a condition holds, else ``second``; with an event, which may be a number, their mixture."""

    condition: Any
    first: Any
    second: sp.Symbol
    event: Event | None = None


@dataclass(frozen=True)
class _Decision:
    """An event is decided: its margin, and the conditions under which it cannot happen whatever that is."""

    event: Event
    margin: sp.Symbol | None
    unless: tuple[Any, ...]


class _Tape:
    """The values of a step, written down in order; alive while an adjoint is derived."""

    def __init__(self, step: Step, training: Training, jumped: tuple[str, ...]) -> None:
        self.step, self.training, self.jumped = step, training, jumped
        self.values: list[_Value | _Decision] = []
        self.present: dict[sp.Symbol, Any] = {}
        self._held: Any = HELD
        self._elapsed: dict[sp.Symbol, Any] = {at_start(SINCE_SPIKE): SINCE_SPIKE}
        self._taken = {a.symbol.name for a in step.assignments} | {bar_of(step, s).name for s in self._leaves()}
        self.states = tuple(state for state in step.states if state != IS_REFRACTORY)
        for action in step.sequence:
            self._write(action)

    def _leaves(self) -> list[sp.Symbol]:
        return [*self.step.states, *(event.symbol for event in self.step.events)]

    # -- writing down ------------------------------------------------------------------------------------------------

    def _write(self, action: Action) -> None:
        match action:
            case Integrate(assignments, increments, noise):
                self.values += [_Value(a.symbol, a.expression, overflows=self._is_steep(a)) for a in assignments]
                for state, increment in zip(self.step.states, increments):
                    kicks = [term.factor * term.xi for term in noise if term.state == state]
                    self._change(state, sp.Add(state, increment, *kicks), overflows=self._leaves_range(state))
            case Jump():
                for name in self.jumped:
                    state = symbol(name)
                    self._change(state, self.present[state] + symbol(f"{name}_delta"))
            case Arrive(_, assignments):
                self._assign(assignments, lambda value, now: _Choice(action.condition, value, now))
            case HoldBack(hold):
                self._held = HELD if hold.period is not None else hold.condition.xreplace(self._elapsed)
                for state in hold.states:
                    self._change(state, None, _Choice(self._held, state, self.present[state]))
                if hold.flag is not None:
                    self._change(hold.flag, where(self._held, 1, 0))
            case Decide(event):
                self._decide(event)
            case Apply(event):
                self._assign(event.resets, lambda value, now: _Choice(event.symbol, value, now, event))
                if event.stamps:
                    self._elapsed[SINCE_SPIKE] = where(event.symbol, 0, SINCE_SPIKE)
            case Commit():
                pass

    def _name(self, wanted: str) -> sp.Symbol:
        name, number = self.step.system.intermediate(wanted), 1
        while name.name in self._taken:
            number += 1
            name = self.step.system.intermediate(f"{wanted}_{number}")
        self._taken.add(name.name)
        return name

    def _add(
        self, wanted: str, expression: Any, choice: _Choice | None = None, *, overflows: bool = False
    ) -> sp.Symbol:
        if choice is None and expression.is_Symbol:
            return expression
        name = self._name(wanted)
        self.values.append(_Value(name, expression, choice, overflows))
        return name

    def _is_steep(self, assignment: Assignment) -> bool:
        """Whether a value grows exponentially with one that is no parameter, and so may leave the range of numbers."""
        known = {DT, *map(symbol, self.step.model.parameters)}
        return any(call.free_symbols - known for call in assignment.expression.atoms(*STEEP))

    def _leaves_range(self, state: sp.Symbol) -> bool:
        """Whether a state may leave the range of numbers by its integration, before an event sets it."""
        equation = next(e for e in self.step.system.equations if e.state == state)
        return bool(equation.rate.free_symbols & set(self.step.states))

    def _change(
        self, state: sp.Symbol, expression: Any, choice: _Choice | None = None, *, overflows: bool = False
    ) -> None:
        self.present[state] = self._add(f"{state.name}_new", expression, choice, overflows=overflows)

    def _decide(self, event: Event) -> None:
        meaning = {**before(self.present), **self._elapsed}
        held = self._held if event.is_muted else None
        unless = tuple(part.xreplace(self._elapsed) for part in event.excluded(self.present, held))
        margin = margin_in(event, self.training)
        passes = margin is not None and self.training.surrogate is not None and self.training.detach is not Detach.ALL
        is_due = margin is not None and (passes or self.training.smooth)
        name = self._add(f"{event.name}_margin", margin.xreplace(meaning)) if is_due else None
        self.values.append(_Decision(event, name, unless))

    def _assign(self, assignments: tuple[Assignment, ...], choose: Callable[[Any, Any], _Choice]) -> None:
        """Assignments where something happened; all read the values before, but for what ``new`` reads."""
        meaning = {**before(self.present), **self._elapsed}
        read = {s for a in assignments for s in a.expression.free_symbols}
        assigned = {}
        for assignment in assignments:
            state = assignment.symbol
            value = assignment.expression.xreplace(meaning)
            if just_assigned(state) in read:
                value = self._add(f"{state.name}_assigned", value)
            meaning[just_assigned(state)] = assigned[state] = value
        for state, value in assigned.items():
            self._change(state, None, choose(value, self.present[state]))

    # -- going back --------------------------------------------------------------------------------------------------

    def adjoint(self, wanted: tuple[sp.Symbol, ...]) -> Adjoint:
        """The adjoint with the gradients that are wanted beside those of the states."""
        active = self._active({*self.states, *wanted})
        totals: dict[sp.Symbol, list[Any]] = {self.present[s]: [] for s in self.states}
        for state in self.states:
            totals[self.present[state]].append(bar_of(self.step, state))
        backward: list[Assignment] = []
        for value in reversed(self.values):
            if isinstance(value, _Decision):
                self._through(value, totals, backward)
            elif value.name in totals and value.name in active:
                total = self._total(value.name, totals.pop(value.name), backward)
                for name, part in self._parts(value, total, active):
                    if part != 0:
                        totals.setdefault(name, []).append(part)
        bars = {name: sp.Add(*totals.get(name, [])) for name in (*self.states, *wanted)}
        forward = self._needed([*(a.expression for a in backward), *bars.values()])
        return Adjoint(self.step, self.training, self.states, forward, tuple(backward), bars)

    def _active(self, leaves: set[sp.Symbol]) -> set[sp.Symbol]:
        """Everything that depends on what a gradient is due of."""
        active = set(leaves)
        for value in self.values:
            if isinstance(value, _Decision):
                if value.margin in active:
                    active.add(value.event.symbol)
            elif value.choice is not None:
                choice = value.choice
                read = choice.first.free_symbols | {choice.second}
                if choice.event is not None and self.training.detach is Detach.NONE:
                    read.add(choice.event.symbol)
                if read & active:
                    active.add(value.name)
            elif value.expression.free_symbols & active:
                active.add(value.name)
        return active

    def _total(self, name: sp.Symbol, parts: list[Any], backward: list[Assignment]) -> Any:
        """The gradient with respect to a value, under a name of its own."""
        total = sp.Add(*parts)
        if total.is_Symbol or total.is_Number:
            return total
        backward.append(Assignment(self._name(f"{name.name}_bar"), total))
        return backward[-1].symbol

    def _parts(self, value: _Value, total: Any, active: set[sp.Symbol]) -> Iterable[tuple[sp.Symbol, Any]]:
        """What a value's gradient gives to each of the values that it reads."""
        if value.choice is None:
            for name in sorted(value.expression.free_symbols & active, key=lambda s: s.name):
                yield name, _product(total, _slope(value, name))
            return
        choice, second = value.choice, value.choice.second
        is_number = choice.event is not None and self.training.smooth
        for name in sorted((choice.first.free_symbols | {second}) & active, key=lambda s: s.name):
            through = _product(total, own_functions(derivative(choice.first, name)))
            beside = total if name == second else sp.S.Zero
            if is_number:
                yield name, choice.condition * through + (1 - choice.condition) * beside
            else:
                yield name, where(choice.condition, through, beside)
        if choice.event is not None and choice.event.symbol in active and self.training.detach is Detach.NONE:
            yield choice.event.symbol, (choice.first - second) * total

    def _through(self, decision: _Decision, totals: dict[sp.Symbol, list[Any]], backward: list[Assignment]) -> None:
        """Through an event to its margin, by the surrogate."""
        event = decision.event
        parts = totals.pop(event.symbol, [])
        if decision.margin is None or self.training.surrogate is None or self.training.detach is Detach.ALL:
            return
        emitted = self._total(event.symbol, [*parts, bar_of(self.step, event.symbol)], backward)
        passed = emitted * self.training.slope(decision.margin)
        for condition in decision.unless:
            passed = where(condition, 0, passed)
        totals.setdefault(decision.margin, []).append(passed)

    def _needed(self, read: list[Any]) -> tuple[Assignment, ...]:
        """The values of the step that expressions read, in order."""
        needed = set().union(*(e.free_symbols for e in read))
        found: list[Assignment] = []
        for value in reversed(self.values):
            name = value.event.symbol if isinstance(value, _Decision) else value.name
            if name in needed and (isinstance(value, _Value) or self.training.smooth):
                found.append(Assignment(name, self._expression(value)))
                needed |= found[-1].expression.free_symbols
        return tuple(found[::-1])

    def _expression(self, value: _Value | _Decision) -> Any:
        if isinstance(value, _Decision):
            return smooth_event(self.training, value.margin, value.unless)
        if value.choice is None:
            return limited(value.expression) if value.overflows else value.expression
        choice = value.choice
        if choice.event is not None and self.training.smooth:
            return choice.second + choice.condition * (choice.first - choice.second)
        return where(choice.condition, choice.first, choice.second)


def margin_in(event: Event, training: Training) -> Any:
    """By how much an event's condition holds; None where it has no margin, which a smooth event must have."""
    margin = margin_of(event.condition)
    if margin is None and training.smooth:
        raise DerivationError(
            f"smooth_spikes: event {event.name!r} compares numbers for equality only, so it has no margin"
        )
    return margin


def smooth_event(training: Training, margin: Any, unless: Iterable[Any]) -> Any:
    """A smooth event as a number: 0 under the conditions under which it cannot happen."""
    value = training.spike(margin)
    for condition in unless:
        value = where(condition, 0, value)
    return value


def _slope(value: _Value, name: sp.Symbol) -> Any:
    """The derivative of a value with respect to one that it reads.

    A loss depends on a value that overflows by a surrogate, which is 0 so far from the threshold; so no slope of it may
    be infinite, as 0 times infinity is no number. Each factor of a product is finite by itself (phi1 saturates), and
    the 0 comes first; what may become infinite, a sum of such products or an exponential, is limited.
    """
    slope = own_functions(derivative(value.expression, name))
    if value.overflows and (slope.atoms(*STEEP) or (slope.is_Add and slope.atoms(sp.Function))):
        return limited(slope)
    return slope


def _product(total: Any, slope: Any) -> Any:
    """A gradient times a slope; one that is a choice between 0 and something stays one, so that no infinity meets 0."""
    if isinstance(slope, where):
        condition, first, second = slope.args
        return where(condition, _product(total, first), _product(total, second))
    return total * slope
