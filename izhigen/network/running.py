"""A run of a network: every population makes as many steps as the shortest delay allows, then spikes are delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from izhigen.backends.c import CEngine
from izhigen.backends.engine import NO_OUTPUTS, Engine, Outputs, Source, Spikes
from izhigen.errors import BackendError, NonFiniteError
from izhigen.inputs.feeds import Feed
from izhigen.network.delivery import Delivery
from izhigen.network.driver import Driver, Found, Member
from izhigen.network.members import NetworkPopulation
from izhigen.network.rows import Waiting
from izhigen.population.faults import bad_input_error, find_bad_input, find_bad_rate, non_finite
from izhigen.recording.plan import RecordingPlan

Array = Any

SECONDS = 0.05
"""About how long a call takes: short enough for a progress bar and for Ctrl-C."""
LONGEST_CALL = 1 << 20
"""Most steps of a call."""
SINGLE = 64
"""Steps that are made one by one to find the first that leaves a state not finite."""
KEPT_EVERY = 64
"""Blocks after which all states are copied, so that one that is not finite can be traced to its step."""
SPIKE_NUMBER = 0
"""The spike's number among the events of a model."""


@dataclass
class Part:
    """A population under way.

    Attributes
    ----------
    name : str
    population : NetworkPopulation
    engine : Engine
    feeds : mapping
        Of all inputs that the kernel reads.
    waiting : mapping
        Name of an input that spikes are delivered to, to what waits for it.
    given : frozenset of str
        Inputs of ``waiting`` that a user gives too.
    plan : RecordingPlan
        Set once it may open files.
    """

    name: str
    population: NetworkPopulation
    engine: Engine
    feeds: Mapping[str, Feed]
    waiting: Mapping[str, Waiting]
    given: frozenset[str]
    plan: RecordingPlan = field(init=False)

    def sources(self, offset: int, step: int, steps: int) -> dict[str, Source]:
        """Inputs of steps that begin ``offset`` steps into the run."""
        found = {}
        for name, feed in self.feeds.items():
            if name not in self.waiting:
                found[name] = feed(offset, steps)
                continue
            rows = self.waiting[name].of(step, steps)
            source = feed(offset, steps)
            found[name] = replace(source, given=rows + source.values if name in self.given else rows)
        return found

    def given_sources(self, offset: int, steps: int) -> dict[str, Source]:
        """The same without what arrives, which the driver adds."""
        found = {name: feed(offset, steps) for name, feed in self.feeds.items()}
        return found | {
            name: replace(found[name], given=waiting.rows[:1])
            for name, waiting in self.waiting.items()
            if name not in self.given
        }

    def outputs(self, outputs: Outputs) -> Outputs:
        """What the plan asks for, and the spikes."""
        if self.population.model.threshold is None or SPIKE_NUMBER in outputs.events:
            return outputs
        return replace(outputs, events=(SPIKE_NUMBER, *outputs.events))

    def recorded(self, spikes: Spikes | None) -> Spikes | None:
        """Those of the events that the plan asked for."""
        numbers = tuple(self.plan.events.values())
        if spikes is None or not numbers:
            return None
        if spikes.event is None:
            return spikes if SPIKE_NUMBER in numbers else None
        return spikes.where(np.isin(spikes.event, numbers))


@dataclass
class _Kept:
    """All states and all that waits, as they were ``offset`` steps into the run."""

    offset: int
    states: list[dict[str, Array]]
    waiting: list[Array]


class NetworkRunner:
    """Advances the populations of a network together.

    Parameters
    ----------
    parts : list of Part
    delivery : Delivery
    step : int
        The first step, since the last reset.
    least : int
        Steps that populations may make before spikes are exchanged.
    check_finite : bool
    driver : Driver or None
        Makes many blocks in one call, where populations run on C.
    """

    def __init__(
        self,
        parts: list[Part],
        delivery: Delivery,
        step: int,
        least: int,
        check_finite: bool,
        driver: Driver | None = None,
    ) -> None:
        self._parts, self._delivery, self._least, self._check = parts, delivery, least, check_finite
        self._driver, self._most = driver, least
        self._start, self.done, self._blocks = step, 0, 0
        self._kept: _Kept | None = None
        self._checked: dict[str, dict[str, Source]] = {part.name: {} for part in parts}

    def run(self, count: int, interrupted: Callable[[], bool], advanced: Callable[[int], Any]) -> None:
        """Advance by ``count`` steps.

        Raises
        ------
        NonFiniteError
            All populations are left just before the step concerned.
        """
        while self.done < count and not interrupted():
            if self._check and (self._driver or self._blocks % KEPT_EVERY == 0):
                self._kept = self._copy()
            self._blocks += 1
            step, before = self._start + self.done, self.done
            if self._driver is not None:
                steps = min(self._most, count - self.done, *(p.plan.room(self.done) for p in self._parts))
                self._call(self._driver, steps)
                advanced(self.done - before)
                self._hand_over()
                continue
            steps = min(
                self._least - step % self._least, count - self.done, *(p.plan.room(self.done) for p in self._parts)
            )
            self._block(steps)
            advanced(steps)
            self._hand_over()

    def _hand_over(self) -> None:
        for part in self._parts:
            if part.plan.full(self.done):
                part.plan.write(self.done)

    def _call(self, driver: Driver, steps: int) -> None:
        """Many blocks in one call, whose length follows from how long the last one took."""
        offset, started = self.done, time.perf_counter()
        sources = {part.name: part.given_sources(offset, steps) for part in self._parts}
        sound = self._sound_steps(sources, steps)
        if sound < steps:
            sources, steps = {part.name: part.given_sources(offset, sound) for part in self._parts}, sound
        found = self._many(driver, steps, sources, [part.plan.outputs(offset, steps) for part in self._parts])
        if found.bad:
            self._trace_back(steps)
        self._count(found.steps)
        for part, spikes in zip(self._parts, found.spikes):
            part.plan.collect(part.recorded(spikes), offset)
        took = time.perf_counter() - started
        self._most = int(min(max(1.0, self._most * min(SECONDS / max(took, 1e-6), 8.0)), LONGEST_CALL))

    def _many(
        self, driver: Driver, steps: int, sources: Mapping[str, Mapping[str, Source]], outputs: Sequence[Outputs]
    ) -> Found:
        """One call of the driver; what it made is not counted yet."""
        offset, step, members = self.done, self._start + self.done, []
        for part, wanted in zip(self._parts, outputs):
            engine = part.engine
            block = part.population.neurons.block(sources[part.name], steps, self._check, step, part.outputs(wanted))
            assert isinstance(engine, CEngine)
            members.append(Member(engine, block, offset, part.waiting, part.given))
        return driver.run(members, step, steps, self._least, self._check)

    def _count(self, steps: int) -> None:
        """So many steps were made by all populations."""
        self.done += steps
        for part in self._parts:
            part.population.neurons.steps_done = self._start + self.done

    def _block(self, steps: int) -> None:
        offset, step, found = self.done, self._start + self.done, {}
        bad: list[str] = []
        sources = {part.name: part.sources(offset, step, steps) for part in self._parts}
        steps = self._sound_steps(sources, steps)
        for part in self._parts:
            neurons = part.population.neurons
            own = sources[part.name]
            if len(own) and steps < max(source.values.shape[0] for source in own.values()):
                own = part.sources(offset, step, steps)
            outputs = part.outputs(part.plan.outputs(offset, steps))
            advanced = part.engine.submit(neurons.block(own, steps, self._check, step, outputs))()
            if advanced.bad_neuron is not None or advanced.bad_step is not None:
                bad.append(part.name)
            spikes = advanced.spikes
            found[part.name] = _none() if spikes is None else spikes.of(SPIKE_NUMBER)
            if not bad:
                part.plan.collect(part.recorded(spikes), offset)
        if bad:
            self._trace_back(steps)
        self._exchange(found, step, steps)
        self._count(steps)

    def _exchange(self, found: Mapping[str, Spikes], step: int, steps: int) -> None:
        for part in self._parts:
            for waiting in part.waiting.values():
                waiting.of(step, steps)[...] = 0
        self._delivery.deliver(found, step, steps)

    def _sound_steps(self, sources: Mapping[str, Mapping[str, Source]], steps: int) -> int:
        """Steps before the first one that has an input that is not finite; none is an error."""
        rows = []
        for part in self._parts:
            own = {name: source for name, source in sources[part.name].items() if name not in part.waiting}
            found = find_bad_input(own, self._checked[part.name]) if self._check else find_bad_rate(own)
            self._checked[part.name] = own
            if found is not None:
                rows.append((found.row, part, found, own))
        if not rows:
            return steps
        row, part, found, own = min(rows, key=lambda each: each[0])
        if row == 0:
            raise _of_population(part, bad_input_error(part.population.neurons, found, own))
        return row

    # -- going back -------------------------------------------------------------------------------------------------

    def _copy(self) -> _Kept:
        states = [{n: v.copy() for n, v in part.population.neurons.snapshot().items()} for part in self._parts]
        return _Kept(self.done, states, [w.rows.copy() for part in self._parts for w in part.waiting.values()])

    def _restore(self, kept: _Kept) -> None:
        for part, states in zip(self._parts, kept.states):
            part.population.neurons.restore(states)
            part.population.neurons.steps_done = self._start + kept.offset
        waiting = [w for part in self._parts for w in part.waiting.values()]
        for one, rows in zip(waiting, kept.waiting):
            one.rows[...] = rows
        self.done = kept.offset

    def _trace_back(self, steps: int) -> None:
        """Run again from the last copy, at last step by step, to the first one that leaves a state not finite."""
        last = self.done + steps
        if self._kept is not None:
            self._restore(self._kept)
        while self._driver is not None and last - self.done > SINGLE:
            before, half = self._copy(), (last - self.done) // 2
            sources = {part.name: part.given_sources(self.done, half) for part in self._parts}
            found_half = self._many(self._driver, half, sources, [NO_OUTPUTS] * len(self._parts))
            if found_half.bad:
                self._restore(before)
                last = self.done + half
            else:
                self._count(found_half.steps)
        while self.done < last:
            before, step, found = self._copy(), self._start + self.done, {}
            bad: tuple[Part, int, dict[str, Source]] | None = None
            for part in self._parts:
                own = part.sources(self.done, step, 1)
                block = part.population.neurons.block(own, 1, True, step, part.outputs(NO_OUTPUTS))
                advanced = part.engine.submit(block)()
                found[part.name] = _none() if advanced.spikes is None else advanced.spikes.of(SPIKE_NUMBER)
                if bad is None and (advanced.bad_neuron is not None or advanced.bad_step is not None):
                    values = {name: Source(source.values.copy()) for name, source in own.items()}
                    bad = part, advanced.bad_neuron or 0, values
            if bad is not None:
                self._restore(before)
                part, neuron, values = bad
                what = non_finite(part.population.neurons, neuron, values, 0, "the network is left before it, with")
                raise _of_population(part, what)
            self._exchange(found, step, 1)
            self._count(1)
        raise BackendError("a state was not finite, and is when the same steps are made again; please report this")


def _none() -> Spikes:
    return Spikes(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _of_population(part: Part, problem: NonFiniteError) -> NonFiniteError:
    return NonFiniteError(
        f"population {part.name!r}: {problem}",
        neuron=problem.neuron,
        step=problem.step,
        time=problem.time,
        state=problem.state,
        inputs=problem.inputs,
    )


__all__ = ["NetworkRunner", "Part"]
