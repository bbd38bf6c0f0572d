"""The oracle of random models with events, for steps in which events are located: by halving alone, a neuron at a time.

It follows what the documentation says: parts of a step, each ended by the first event in it, by the end of a hold, or by the step;
then jumps, arrivals, the hold, and what these bring about.
"""

from __future__ import annotations

import numpy as np

from tests.end_to_end.random_events import DT, STATES, Oracle

HALVINGS = 60
MOST_PLACES = 16
NEAREST = 1e-7
"""An event that comes sooner after another, as a fraction of a part, may be lost in rounding; many do so faster and faster."""
GLIMPSES = 24
"""Places of a part that are looked at to see whether its first event is where halving finds one."""


class Unclear(Exception):
    """An event comes and goes within a part, or at once again: which of its places is found is nobody's business."""


class LocatedOracle(Oracle):
    """The steps of a case whose events are located."""

    def begin(self, k):
        """A neuron before its first step."""
        self.last = self.case.last_spike if self.case.last_spike is not None else -1e7
        self.flag, self.found = False, []
        return {state: float(self.case.initial[state][k]) for state in STATES}

    @property
    def events(self):
        spike = [("spike", (self.case.threshold, self.case.reset, self.case.trigger))] if self.case.threshold else []
        return [*spike, *self.case.events.items()]

    def muted(self):
        """Whether a spike does not come while the neuron is held."""
        from tests.end_to_end.random_events import FUNCTIONS, PARAMETERS, words_of

        case = self.case
        if case.hold is None or not case.threshold:
            return False
        written = {state for _, assignments, _ in case.events.values() for state, _ in assignments}
        reset = {state for state, text in case.reset if not words_of(case, text) - {*PARAMETERS, *FUNCTIONS}}
        quiet = reset.intersection(case.hold) - written
        return bool(words_of(case, case.threshold) & {*STATES, "I", "t"} - quiet)

    def given(self, k, s, at):
        """What a neuron is given at a fraction of a step."""
        values = {name: float(rows[s, k]) for name, rows in self.case.inputs.items()}
        return values | {"t": s * DT + at * DT, "dt": DT, "t_last_spike": self.last}

    def holding(self, now, start, k, s, at):
        return {n: self.evaluate(c, now, self.given(k, s, at), start) for n, (c, _, _) in self.events}

    def step(self, now, k, s, method):
        """One step; events are added to those found, each with its name and place in the step."""
        case, start, at, held = self.case, dict(now), 0.0, False
        happened = set()
        places = 0
        while at < 1:
            until = (self.last + case.tau_ref - s * DT) / DT if case.tau_ref is not None else -1.0
            end = until if at < until < 1 else 1.0
            held = until > at
            if case.until is not None:
                held = self.flag = self.flag and not self.evaluate(case.until, now, self.given(k, s, at))
            before = self.holding(now, start, k, s, at)
            ready = {n for n, was in before.items() if not was and not (n == "spike" and held and self.muted())}

            def point(part, now=now, at=at, end=end, held=held):
                new = self.integrate(now, self.given(k, s, at), method, (end - at) * DT * part)
                return new | {state: now[state] for state in case.hold or () if held}

            def comes(part, at=at, end=end, ready=ready, point=point):
                found = self.holding(point(part), start, k, s, at + part * (end - at))
                return any(found[n] for n in ready)

            if not comes(1.0):
                now, at = point(1.0), end
                if end == until < 1 and self.muted() and not self.is_rising(*self.events[0][1]):
                    now = self.happen(now, start, k, s, at, {n for n, _ in self.events[1:]}, happened)
                continue
            low, high = 0.0, 1.0
            for _ in range(HALVINGS):
                middle = (low + high) / 2
                low, high = (low, middle) if comes(middle) else (middle, high)
            seen = [comes(part) for part in np.linspace(0, 1, GLIMPSES)[1:-1]]
            places += 1
            if seen != sorted(seen) or high < NEAREST or places > MOST_PLACES:
                raise Unclear
            now, at = point(high), at + high * (end - at)
            now = self.happen(now, start, k, s, at, before.keys() - ready, happened)
        before = self.holding(now, start, k, s, 1.0)
        reached = dict(now)
        if case.tau_ref is not None:
            held = (self.last + case.tau_ref - s * DT) / DT >= 1
        given = self.given(k, s, 0.0)
        for state in STATES:
            now[state] += given.get(f"{state}_delta", 0.0)
        for name, assignments in case.on_event.items():
            if given[name] != 0:
                now = self.assign(assignments, now, given, start)
        now |= {state: reached[state] for state in case.hold or () if held}
        rising = {n for n, event in self.events if self.is_rising(*event)}
        kept = {n for n, was in before.items() if was and (n in rising or n in happened)}
        return self.happen(now, start, k, s, 1.0, kept | ({"spike"} if held and self.muted() else set()), happened)

    def is_rising(self, condition, assignments, trigger):
        from tests.end_to_end.random_events import is_affected

        writes, reads = is_affected(self.case, condition, assignments)
        return trigger == "rising" or (trigger == "auto" and reads and not writes)

    def happen(self, now, start, k, s, at, excluded, happened):
        """Events one after the other at a place in a step."""
        since = self.last
        for name, (condition, assignments, _) in self.events:
            given = self.given(k, s, at)
            if name in excluded or not self.evaluate(condition, now, given, start):
                continue
            if name == "spike":
                given["t_last_spike"] = since  # the reset reads the interval before
                self.last, self.flag = s * DT + at * DT, True
            now = self.assign(assignments, now, given, start)
            self.found.append((name, s, at))
            happened.add(name)
        return now
