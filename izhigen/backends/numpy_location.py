"""Steps of the NumPy backend in which events are located: parts of a step, and the search for the end of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from izhigen.backends.random import normals
from izhigen.derive.event import LAST_SPIKE, Event
from izhigen.derive.location import ELAPSED, FINEST, HALVED, LENGTH, MOST_TRIES, NEVER
from izhigen.derive.lowering import DT, SINCE_SPIKE, T, at_start, just_assigned
from izhigen.derive.sequence import Arrive
from izhigen.derive.step import Step
from izhigen.model.events import MOST_LOCATED, SpikeTiming, Trigger

Array = Any
Environment = Mapping[str, Any]
Evaluated = Callable[[Environment], Any]
Evaluate = Callable[[Any], Evaluated]


class LocatedStep:
    """A step gone through in parts, for all neurons at once; see :mod:`izhigen.derive.location`.

    Parameters
    ----------
    step : Step
        One with a location.
    dtype : dtype
    deltas : tuple of str
        States that jump.
    evaluate : callable
        From an expression to a function of an environment.
    """

    def __init__(self, step: Step, dtype: np.dtype, deltas: tuple[str, ...], evaluate: Evaluate) -> None:
        assert step.location is not None
        self.step, self.location, self.dtype, self.deltas = step, step.location, dtype, deltas
        part, self.names = self.location.part, [state.name for state in step.states]
        self._assignments = [(a.symbol.name, evaluate(a.expression)) for a in part.assignments]
        self._increments = [(s.name, evaluate(i)) for s, i in zip(step.states, part.increments)]
        self._noise = [(n.state.name, n.xi.name, evaluate(n.factor)) for n in part.noise]
        self._conditions = {e.name: evaluate(e.condition) for e in self.location.events}
        self._resets = {e.name: [(a.symbol, evaluate(a.expression)) for a in e.resets] for e in self.location.events}
        self._search = [(a.symbol.name, evaluate(a.expression)) for a in self.location.assignments]
        self._looked_at = {
            kind: {name: evaluate(value) for name, value in getattr(self.location, kind).items()}
            for kind in ("margins", "ahead", "first")
        }
        self._arrivals = [self._compiled(arrive, evaluate) for arrive in self.location.arrivals]
        self._hold = next((e.hold for e in self.location.events if e.hold is not None), None)
        conditional = None if self._hold is None or self._hold.end is None else self._hold.condition
        self._ends = None if conditional is None else evaluate(conditional)
        self._finest = dtype.type(float(FINEST[dtype.name]))

    @staticmethod
    def _compiled(arrive: Arrive, evaluate: Evaluate) -> tuple[Evaluated, list[tuple[Any, Evaluated]]]:
        values = [(a.symbol, evaluate(a.expression)) for a in arrive.assignments]
        return evaluate(arrive.condition), values

    def make(self, now: Any) -> list[tuple[int, Array, Array]]:
        """Make the step that is in progress. Returns number, neurons and offsets of the events in it."""
        return _Made(self, now).found


class _Made:
    """A step that is being made: where each neuron is in it."""

    def __init__(self, located: LocatedStep, now: Any) -> None:
        self.located, self.now = located, now
        step, n, real = located.step, now.n, located.dtype.type
        self.found: list[tuple[int, Array, Array]] = []
        self.numbers = {name: number for number, name in enumerate(step.event_names)}
        self.state = {name: now.values[name].copy() for name in located.names}
        self.fixed = {**now.values, **{at_start(s).name: now.values[s.name] for s in step.states}}
        for xi, stream in step.variates:
            self.fixed[xi.name] = normals(now.block.seed, now.block.first_index, n, now.k, stream, located.dtype)
        self.at = np.zeros(n, located.dtype)
        self.dt = real(now.values[DT.name])
        self.since = np.broadcast_to(np.asarray(now.values.get(SINCE_SPIKE.name, real(0))), n).copy()
        self.held_until = self._held_at_first()
        self.held = np.zeros(n, bool)  # until a condition, in the part that was made last
        self.happened = {e.name: np.zeros(n, bool) for e in step.events}
        self.places, active = np.zeros(n, np.int64), np.arange(n)
        while len(active := active[self.at[active] < 1]):
            self._make_part(active)
        self._end()

    def _held_at_first(self) -> Array:
        """Until where in the step each neuron is held, as a fraction of it; 1 and more for all of it."""
        period = self.located.step.period
        if period is None:
            return np.full(self.now.n, -np.inf, self.located.dtype)
        dt, start, last = self.now.block.dt, self.now.times[T.name], self.now.times[LAST_SPIKE.name]
        self.period = self.now.times[period.name]
        until = ((last + self.period - start) / dt).astype(self.located.dtype)
        end = np.float64((self.now.k + 1) * dt)
        return np.where(end - last <= self.period, np.maximum(until, 1), until)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _environment(self, some: Array) -> dict[str, Any]:
        """Values of some of the neurons, at the beginning of their part."""
        n = self.now.n
        fixed = _of_some(self.fixed, some, n)
        own = {name: values[some] for name, values in self.state.items()}
        return {**fixed, **own, ELAPSED.name: self.at[some] * self.dt, SINCE_SPIKE.name: self.since[some]}

    def _make_part(self, some: Array) -> None:
        real, located = self.located.dtype.type, self.located
        begin, until = self.at[some], self.held_until[some]
        end = np.where((until > begin) & (until < 1), until, real(1))
        values = self._environment(some)
        held = until > begin
        if located._ends is not None:
            held = self.held[some] = np.broadcast_to(located._ends(values), len(some))
        before = self._conditions(values, len(some))
        muted = {e.name: held if e.is_muted else np.zeros(len(some), bool) for e in located.location.events}
        ready = {name: ~was & ~muted[name] for name, was in before.items()}
        part = _Part(located, values, (end - begin) * self.dt, held)
        whole = part.at(np.ones(len(some), located.dtype))
        comes = _is_sound(values, located.names) & self._crosses(part, whole, ready)
        crowded = comes & (self.places[some] == MOST_LOCATED)  # events without end: the neuron is left undefined
        for name in located.names:
            whole[name] = np.where(crowded, real(np.nan), whole[name])
        end, comes = np.where(crowded, real(1), end), comes & ~crowded
        self.places[some] += comes
        quiet = some[~comes]
        for name in located.names:
            self.state[name][quiet] = whole[name][~comes]
        self.since[quiet] += part.length[~comes]
        self.at[quiet] = end[~comes]
        self._release(some[~comes & (end == until) & (until < 1)])
        if comes.any():
            there = np.flatnonzero(comes)
            ready, before = ({k: v[there] for k, v in group.items()} for group in (ready, before))
            part, whole = part.of(there), {k: whole[k][there] for k in located.names}
            fraction, reached = self._search(part, whole, ready)
            some, muted = some[there], {k: v[there] for k, v in muted.items()}
            self.at[some] = np.minimum(begin[there] + fraction * (end - begin)[there], real(1))
            self.since[some] += fraction * part.length
            for name in located.names:
                self.state[name][some] = reached[name]
            self._happen(some, {name: before[name] | muted[name] for name in before})

    def _release(self, some: Array) -> None:
        """The end of a hold inside the step: levels that it muted count."""
        events = self.located.location.events
        released = {e.name for e in events if e.is_muted and e.trigger is not Trigger.RISING}
        if len(some) and released and self.located._ends is None:
            self._happen(some, {e.name: np.array(e.name not in released) for e in events})

    def _conditions(self, values: Environment, n: int) -> dict[str, Array]:
        return {name: np.broadcast_to(c(values), n) for name, c in self.located._conditions.items()}

    def _crosses(self, part: _Part, point: dict[str, Array], ready: Mapping[str, Array]) -> Array:
        """Whether an event comes up to a point of a part; where a state is not finite, one may have come before."""
        found = ~_is_sound(point, self.located.names)
        for name, holds in self._conditions(part.after(point), len(found)).items():
            found = found | (ready[name] & holds)
        return found

    # -- the search -------------------------------------------------------------------------------------------------

    def _search(
        self, part: _Part, whole: dict[str, Array], ready: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        """The first place of each part, as a fraction of it, where an event comes, and the states there."""
        if self.located.location.timing is SpikeTiming.LINEAR:
            return self._on_lines(part, whole, ready)
        real, finest, n = self.located.dtype.type, self.located._finest, len(part.length)
        low, high = np.zeros(n, self.located.dtype), np.ones(n, self.located.dtype)
        reached, done = dict(whole), np.zeros(n, bool)
        guess = self._ahead("first", part, part.values, ready)
        seen, seen_ahead = np.full(n, real(np.nan)), np.full(n, real(np.nan))
        for tried in range(1, MOST_TRIES + 1):
            done |= high - low <= finest
            if done.all():
                break
            halved = ~((guess > low) & (guess < high)) | (tried % HALVED == 0)
            place = np.where(halved, (low + high) / real(2), guess).astype(self.located.dtype)
            place = np.where(done, high, place)
            point = part.at(place)
            comes = self._crosses(part, point, ready)
            ahead = self._ahead("ahead", part, part.after(point), ready)
            per_place = (ahead - seen_ahead) / (place - seen)  # -1 where the rate is that of the dense output
            guess = np.where(per_place < 0, place - ahead / per_place, place + ahead)
            seen, seen_ahead = place, ahead
            for name in self.located.names:
                reached[name] = np.where(comes & ~done, point[name], reached[name])
            high, low = np.where(comes & ~done, place, high), np.where(~comes & ~done, place, low)
            done |= comes & (np.abs(place - guess) <= finest) & (per_place < -0.5)
            guess = np.where(comes, guess, np.maximum(guess, place)) + finest / real(2)
        return high, reached

    def _ahead(self, kind: str, part: _Part, values: dict[str, Any], ready: Mapping[str, Array]) -> Array:
        """How far ahead the first event is, as it looks from a place, as a fraction of the part."""
        values = dict(values)
        for name, value in self.located._search:
            values[name] = value(values)
        earliest = np.full(len(part.length), float(NEVER), self.located.dtype)
        for name, value in self.located._looked_at[kind].items():
            there = value(values)
            earliest = np.where(ready[name] & ~(there >= earliest), there, earliest)
        return earliest / part.length

    def _on_lines(
        self, part: _Part, whole: dict[str, Array], ready: Mapping[str, Array]
    ) -> tuple[Array, dict[str, Array]]:
        """The same on the straight line between the states at both ends."""
        real, n = self.located.dtype.type, len(part.length)
        first, last = part.values, part.after(whole)
        holds, guess = self._conditions(last, n), np.ones(n, self.located.dtype)
        for name, value in self.located._looked_at["margins"].items():
            start, end = value(first), value(last)
            there = start / (start - end)
            guess = np.where(ready[name] & holds[name] & (there > 0) & (there < guess), there, guess)
        finest, is_line = self.located._finest, _is_sound(whole, self.located.names)
        low, high, reached, tried = np.zeros_like(guess), np.ones_like(guess), dict(whole), 0
        while (searching := high - low > finest).any():
            is_within = (tried < 2) & (guess > low) & (guess < high)
            place = np.where(is_within, guess, (low + high) / real(2))
            curve = part.at(place) if not is_line.all() else whole
            point = {
                k: np.where(is_line, first[k] + place * (whole[k] - first[k]), curve[k]) for k in self.located.names
            }
            comes = self._crosses(part, {**point, LENGTH.name: part.length * place}, ready)
            for name in self.located.names:
                reached[name] = np.where(comes & searching, point[name], reached[name])
            high, low = np.where(comes & searching, place, high), np.where(~comes & searching, place, low)
            guess, tried = np.where(comes, place - finest, place + finest), tried + 1
        return high, reached

    # -- what happens -----------------------------------------------------------------------------------------------

    def _happen(self, some: Array, excluded: Mapping[str, Array]) -> None:
        """Events one after the other, at the places where some neurons are, but for those that are excluded."""
        for event in self.located.location.events:
            values = self._environment(some)
            happens = np.broadcast_to(self.located._conditions[event.name](values), len(some)) & ~excluded[event.name]
            if happens.any():
                self._apply(event, some[happens], _of_some(values, happens, len(some)))

    def _apply(self, event: Event, some: Array, values: dict[str, Any]) -> None:
        for name, new in _assigned(self.located._resets[event.name], values).items():
            self.state[name][some] = new
        self.happened[event.name][some] = True
        self.found.append((self.numbers[event.name], some, self.at[some].astype(np.float64)))
        if event.stamps:
            self.since[some] = 0
            start, dt = self.now.times[T.name], self.now.block.dt
            self.now.times[LAST_SPIKE.name][some] = start + self.at[some].astype(np.float64) * dt
            if self.located.step.period is not None:
                period = np.broadcast_to(self.period, self.now.n)[some]
                self.held_until[some] = self.at[some] + (period / dt).astype(self.located.dtype)

    # -- the end ----------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """What comes at the step's end: jumps, arrivals, the hold, and events that these bring about."""
        located, n = self.located, self.now.n
        everyone = np.arange(n)
        reached = {name: values.copy() for name, values in self.state.items()}
        values = self._environment(everyone)
        before = self._conditions(values, n)
        held = self.held_until >= 1 if located._ends is None else self.held
        for name in located.deltas:
            self.state[name] += self.now.values[f"{name}_delta"]
        for arrives, assignments in located._arrivals:
            self._arrive(arrives, assignments)
        if located._hold is not None:
            for state in located._hold.states:
                self.state[state.name] = np.where(held, reached[state.name], self.state[state.name])
        excluded = {}
        for event in located.location.events:
            again = before[event.name] & (self.happened[event.name] | (event.trigger is Trigger.RISING))
            excluded[event.name] = again | (held if event.is_muted else np.zeros(n, bool))
        self._happen(everyone, excluded)
        for name, flags in self.happened.items():
            self.now.values[name] = flags
        for name in located.names:
            self.now.block.state[name][:] = self.state[name]

    def _arrive(self, arrives: Evaluated, assignments: list[tuple[Any, Evaluated]]) -> None:
        values = self._environment(np.arange(self.now.n))
        comes = arrives(values)
        for name, value in _assigned(assignments, values).items():
            self.state[name] = np.where(comes, value, self.state[name])


class _Part:
    """Parts of a step, one a neuron: what holds at their beginning, and how long each may become."""

    def __init__(self, located: LocatedStep, values: dict[str, Any], length: Array, held: Array) -> None:
        self.located, self.values, self.length, self.held = located, values, length, held

    def of(self, some: Array) -> _Part:
        """Those of some of the neurons."""
        n = len(self.length)
        return _Part(self.located, _of_some(self.values, some, n), self.length[some], self.held[some])

    def at(self, fraction: Array) -> dict[str, Array]:
        """The states a fraction of the part later, and how much later that is."""
        located, values = self.located, {**self.values, LENGTH.name: self.length * fraction}
        for name, value in located._assignments:
            values[name] = value(values)
        change = {name: increment(values) for name, increment in located._increments}
        for name, xi, factor in located._noise:
            change[name] = change[name] + factor(values) * values[xi]
        point = {name: values[name] + change[name] for name in located.names}
        hold = located._hold
        for state in () if hold is None else hold.states:
            point[state.name] = np.where(self.held, values[state.name], point[state.name])
        if hold is not None and hold.flag is not None:
            point[hold.flag.name] = self.held.astype(located.dtype)
        return {**point, LENGTH.name: values[LENGTH.name]}

    def after(self, point: dict[str, Array]) -> dict[str, Any]:
        """What conditions read at a point of the part."""
        states = {name: point[name] for name in self.located.names}
        later = point.get(LENGTH.name, self.length)
        return {
            **self.values,
            **states,
            ELAPSED.name: self.values[ELAPSED.name] + later,
            SINCE_SPIKE.name: self.values[SINCE_SPIKE.name] + later,
        }


def _is_sound(values: Mapping[str, Any], names: list[str]) -> Array:
    """Whether all states are finite."""
    return np.all([np.isfinite(values[name]) for name in names], axis=0)


def _of_some(values: Environment, some: Array, n: int) -> dict[str, Any]:
    """Values of some of n neurons; what is the same for all stays as it is."""
    return {k: v[some] if getattr(v, "shape", ()) == (n,) else v for k, v in values.items()}


def _assigned(assignments: Iterable[tuple[Any, Evaluated]], values: Environment) -> dict[str, Any]:
    """New values of states, one after the other: those that come later read the earlier ones by ``new(...)``."""
    read, new = dict(values), dict[str, Any]()
    for state, value in assignments:
        read[just_assigned(state).name] = new[state.name] = value(read)
    return new
