"""A run: blocks of steps submitted to an engine one after the other, and what to do when one of them fails."""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.arrays import fetch
from izhigen.backends.engine import Block, Engine, Pending, Source
from izhigen.drawing import bad_rate_text
from izhigen.errors import DerivationError, IzhigenError, NonFiniteError, shown
from izhigen.feeding import Feed, as_stimulus, held_values, kernel_input, make_feed
from izhigen.plan import RecordingPlan, Subject
from izhigen.progress import progress_bar
from izhigen.recording import Recording
from izhigen.signals import Interruptible

if TYPE_CHECKING:
    from izhigen.population import Population

Array = Any

BLOCK_SECONDS = 0.05
"""About how long one kernel call of a long run takes: short enough for a progress bar and for Ctrl-C."""
SPIKE_FLAG = "spike"
"""Key of the spike flags in a snapshot; no state has that name."""


@dataclass(frozen=True)
class BadInput:
    """Where an input is infinite or undefined: row of the block, neuron (0 if all share it), name and fault."""

    row: int
    neuron: int
    name: str
    what: str = "is infinite or undefined"


@dataclass(frozen=True)
class _Part:
    """A block under way: how many steps of the run stand before it."""

    offset: int
    block: Block
    wait: Pending


@dataclass
class _Snapshot:
    """The states as they were ``offset`` steps into the run."""

    offset: int
    arrays: dict[str, Array]


def record_run(
    population: Population,
    count: int,
    record: str | Iterable[str] | None,
    every: int,
    neurons: Any,
    progress: bool | None,
    check_finite: bool,
    out: str | Path | None,
    inputs: Mapping[str, Any],
) -> Recording:
    """Advance by ``count`` steps and write down what is asked for; see :meth:`~izhigen.population.Population.run`."""
    engine, feeds = _engine_and_feeds(population, inputs, count)
    start = population._steps_done
    subject = _subject(population, {name: held_values(feed, count) for name, feed in feeds.items()})
    with Interruptible() as signals:  # everything below is done between two of its looks
        plan = RecordingPlan(subject, count, record, every, neurons, out)
        try:
            with progress_bar(progress, count, population.dt) as bar:
                Runner(population, plan, engine, feeds, check_finite).run(count, signals.look, bar.update)
                recording = plan.recording(population._steps_done - start, signals.look())
                engine.finish()
                return recording
        except BaseException as problem:
            try:
                plan.abandon(population._steps_done - start, problem)
            except Exception as second:  # such as a device that does not answer any more
                problem.add_note(f"and the recording could not be finished: {second}")
            raise


def _engine_and_feeds(population: Population, inputs: Mapping[str, Any], count: int) -> tuple[Engine, dict[str, Feed]]:
    """The engine of a run and its inputs; what the kernel can compute of them is left to it."""
    names, deltas = population._input_names(inputs)
    layout, dt, done = population._layout, population.dt, population._steps_done
    values = {name: as_stimulus(name, inputs.get(name, 0.0), (done + count) * dt) for name in names}
    computed = {name: kernel_input(value, layout, dt) for name, value in values.items()}
    try:
        engine = population._engine(deltas, computed)
    except DerivationError:
        if not any(part.form for part in computed.values()):
            raise
        # Text without a value at any time, such as 1/(t - t): its rows say where.
        computed = {name: replace(part, form=None) for name, part in computed.items()}
        engine = population._engine(deltas, computed)
    feeds = {
        name: make_feed(name, value, layout, done, count, dt, computed[name], population._seed)
        for name, value in values.items()
    }
    return engine, feeds


def _subject(population: Population, inputs: Mapping[str, Array | None]) -> Subject:
    about = {
        "method": population.method,
        "dt": population.dt,
        "dtype": population._dtype.name,
        "backend": population.backend,
        "seed": population._seed,
    }
    return Subject(
        population.model,
        population.shape,
        population.dt,
        population._steps_done,
        {name: values.dtype for name, values in population._state.items()},
        population._dtype,
        inputs,
        dict(population._parameters),
        about,
        population._space,
    )


class Runner:
    """Advances a population by a number of steps.

    As many blocks as the engine takes are under way at once;
    what was found in one is looked at while the later ones run.
    """

    def __init__(
        self, population: Population, plan: RecordingPlan, engine: Engine, feeds: Mapping[str, Feed], check_finite: bool
    ) -> None:
        self._population, self._plan, self._engine, self._feeds, self._check = (
            population,
            plan,
            engine,
            feeds,
            check_finite,
        )
        self._start = population._steps_done
        self._keeps = (
            check_finite and sum(values.nbytes for values in population._state.values()) <= engine.rewind_bytes
        )
        # Where no copy leads back to a state that is not finite, several devices have to stop after the same block.
        self._depth = 1 if check_finite and not self._keeps else engine.depth
        self._under_way: deque[_Part] = deque()
        self._submitted = self._blocks = 0
        self._bad: BadInput | None = None
        self._bad_sources: dict[str, Source] = {}
        self._checked: dict[str, Source] = {}
        self._snapshots: list[_Snapshot] = []

    def run(self, count: int, interrupted: Callable[[], bool], advanced: Callable[[int], Any]) -> None:
        """Advance by ``count`` steps, and write down what the plan asks for; ``advanced`` is told each block's steps.

        Raises
        ------
        NonFiniteError
            The population is left just before the step concerned.
        """
        try:
            self._advance(count, interrupted, advanced)
        except BaseException:
            self._settle()
            raise

    def _advance(self, count: int, interrupted: Callable[[], bool], advanced: Callable[[int], Any]) -> None:
        while True:
            more = self._submitted < count and self._bad is None and not interrupted()
            if more and len(self._under_way) < self._depth and self._plan.room(self._submitted) > 0:
                self._submit(count)
            elif self._under_way:
                advanced(self._conclude())
            elif self._bad is not None:
                raise bad_input_error(self._population, self._bad, self._bad_sources)
            else:
                return

    def _submit(self, count: int) -> None:
        """Begin the next block; shorter, or none, where an input is not finite."""
        offset = self._submitted
        trial = self._block({}, 1, offset)
        self._plan.attach(trial, offset)
        size = min(self._block_steps(trial), count - offset, self._plan.room(offset))
        sources = {name: feed(offset, size) for name, feed in self._feeds.items()}
        self._bad = find_bad_input(sources, self._checked) if self._check else find_bad_rate(sources)
        self._checked = sources
        if self._bad is not None:
            size, self._bad_sources = self._bad.row, sources
        block = self._block(sources, size, offset)
        self._plan.attach(block, offset)
        if self._keeps:
            self._keep(offset)
        self._under_way.append(_Part(offset, block, self._engine.submit(block)))
        self._submitted = offset + size
        self._blocks += 1

    def _block_steps(self, block: Block) -> int:
        """Steps of one kernel call: as many as take about BLOCK_SECONDS."""
        engine, population = self._engine, self._population
        work = BLOCK_SECONDS * engine.pace * population._threads / max(engine.cost, 1)
        return int(min(max(engine.least_steps, work // max(population._layout.count, 1)), engine.longest(block)))

    def _block(self, sources: Mapping[str, Source], steps: int, offset: int, check_finite: bool | None = None) -> Block:
        check = self._check if check_finite is None else check_finite
        return self._population._block(sources, steps, check, self._start + offset)

    def _conclude(self) -> int:
        """Wait for the first block under way and take what it found; the steps that it made."""
        part = self._under_way[0]
        found = part.wait()
        self._under_way.popleft()  # not before: an error while waiting leaves the block to be waited for
        if found.is_repeated:  # copies that were asked for after it were made before it
            self._snapshots = [kept for kept in self._snapshots if kept.offset <= part.offset]
        if found.bad_step is not None:  # an input that the kernel computes; nothing was advanced
            self._abandon(part.offset)
            self._engine.recover()
            self._bad, self._bad_sources = (
                _bad_computed_input(part.block.inputs, found.bad_step),
                dict(part.block.inputs),
            )
            part = self._again(part, self._bad.row)
            found = part.wait()
        done = part.offset + part.block.steps
        self._population._steps_done = self._start + done
        self._plan.collect(found.spikes, part.offset)
        if found.bad_neuron is not None:
            self._abandon(done)
            self._engine.recover()
            self._trace_back(part, found.bad_neuron)
        if self._plan.full(done) and not self._under_way:  # blocks under way still fill rows of the present piece
            self._plan.write(done)
        return part.block.steps

    def _settle(self) -> None:
        """After an error elsewhere: wait for the blocks under way, so that the time is that of the states."""
        sound = True
        for part in self._under_way:
            try:
                found = part.wait()
            except IzhigenError:  # the first error is the one to tell
                sound = False
                continue
            if sound:
                sound = found.bad_neuron is None and found.bad_step is None
                if found.bad_step is None:
                    self._plan.collect(found.spikes, part.offset)
                    self._population._steps_done = self._start + part.offset + part.block.steps
        self._under_way.clear()
        if not sound:
            with contextlib.suppress(IzhigenError):
                self._engine.recover()

    def _abandon(self, offset: int) -> None:
        """Forget the blocks under way; the run goes on after ``offset`` steps."""
        for part in self._under_way:
            part.wait()
        self._under_way.clear()
        self._submitted, self._bad = offset, None

    def _again(self, part: _Part, steps: int) -> _Part:
        """The first steps of a block once more."""
        block = self._block(
            {name: source.part(0, max(steps, 1)) for name, source in part.block.inputs.items()}, steps, part.offset
        )
        self._plan.attach(block, part.offset)
        self._submitted = part.offset + steps
        return _Part(part.offset, block, self._engine.submit(block))

    # -- going back -------------------------------------------------------------------------------------------------

    def _keep(self, offset: int) -> None:
        """Copy the states, to trace a later block back; of two copies one is older than all blocks under way."""
        engine, population = self._engine, self._population
        if engine.depth == 1:
            self._snapshots = [_Snapshot(offset, _snapshot(population, 0))]
        elif self._blocks % (4 * engine.depth) == 0:
            slot = self._blocks // (4 * engine.depth) % 2
            self._snapshots = [*self._snapshots[-1:], _Snapshot(offset, _snapshot(population, slot))]

    def _trace_back(self, part: _Part, bad: int) -> None:
        """Run again to the first step that leaves a state not finite; leave the population just before it."""
        population, engine = self._population, self._engine
        snapshot = next((kept for kept in reversed(self._snapshots) if kept.offset <= part.offset), None)
        if snapshot is None:
            raise _non_finite_within(population, bad, part.block)
        _restore(population, snapshot.arrays)
        offset = snapshot.offset
        while offset < part.offset:
            size = min(part.offset - offset, part.block.steps)
            sources = {name: feed(offset, size) for name, feed in self._feeds.items()}
            engine.submit(self._block(sources, size, offset, check_finite=False))()
            offset += size
        self._bisect(part, bad)

    def _bisect(self, part: _Part, bad: int) -> None:
        population, engine, block = self._population, self._engine, part.block
        done, size = 0, block.steps
        population._steps_done = block.first_step
        while done < block.steps:
            kept = {name: values.copy() for name, values in _snapshot(population, 0).items()}
            count = max(1, min(size, block.steps - done) // 2)
            half = self._block(
                {name: source.part(done, count) for name, source in block.inputs.items()},
                count,
                part.offset + done,
                True,
            )
            worse = engine.submit(half)().bad_neuron
            if worse is None:
                done, population._steps_done = done + count, population._steps_done + count
                continue
            engine.recover()
            _restore(population, kept)
            if count == 1:
                raise self._explained(worse, half)
            size = count
        raise _non_finite_within(population, bad, block)  # the same steps left everything finite the second time

    def _explained(self, neuron: int, block: Block) -> NonFiniteError:
        """Why the one step of a block leaves a neuron not finite: an input that lies on a device is looked at now."""
        bad = find_bad_input_anywhere(block.inputs)
        if bad is not None:
            return bad_input_error(self._population, bad, block.inputs)
        return non_finite(self._population, neuron, block.inputs, 0, "the population is left before it, with")


# -- copies of the state --------------------------------------------------------------------------------------------


def _state_of(population: Population, neuron: int) -> dict[str, float]:
    return {name: float(fetch(population._state[name][neuron])) for name in population._model.states}


def _snapshot(population: Population, slot: int) -> dict[str, Array]:
    """Copies of the states, in arrays that are used again for the same slot."""
    kept = population._kept.setdefault(slot, {})
    for name, values in (*population._state.items(), (SPIKE_FLAG, population._last_spike_flag)):
        if name in kept and kept[name].shape == values.shape:
            kept[name][...] = values
        else:
            kept[name] = values.copy()
    return kept


def _restore(population: Population, snapshot: Mapping[str, Array]) -> None:
    for name, values in snapshot.items():
        (population._last_spike_flag if name == SPIKE_FLAG else population._state[name])[...] = values


# -- what is not finite ---------------------------------------------------------------------------------------------


def find_bad_input(sources: Mapping[str, Source], checked: Mapping[str, Source]) -> BadInput | None:
    """The first row and neuron of an input of the host that is infinite or undefined, without those checked already.

    What the kernel computes, and what lies on a device, the kernel checks.
    """
    found = []
    for name, source in sources.items():
        known = source is checked.get(name) or source.numbers is not None or not isinstance(source.values, np.ndarray)
        place = None if known else first_not_finite(source.values)
        if place is not None:
            found.append(BadInput(int(place[0]), int(place[1]), name))
    rate = find_bad_rate(sources)
    return min([*found, *([] if rate is None else [rate])], key=lambda b: (b.row, b.neuron), default=None)


def find_bad_rate(sources: Mapping[str, Source]) -> BadInput | None:
    """The first row for which a Poisson process has no rate that can be drawn from; looked for in every run."""
    bad = [(name, source.counts.bad) for name, source in sources.items() if source.counts is not None]
    found = [BadInput(where[0], 0, name, bad_rate_text(where[1])) for name, where in bad if where is not None]
    return min(found, key=lambda b: b.row, default=None)


def find_bad_input_anywhere(sources: Mapping[str, Source]) -> BadInput | None:
    """The same of all inputs: what lies on a device is brought over, and what a kernel computes is computed."""
    return find_bad_input({name: Source(fetch(source.values)) for name, source in sources.items()}, {})


def first_not_finite(values: Array) -> Array | None:
    """Index of the first value that is infinite or undefined.

    The sum of all squares is so when any is, and is found in one pass.
    """
    flat = values.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(flat.item() if flat.size == 1 else np.dot(flat, flat)):
            return None
    places = np.argwhere(~np.isfinite(values))  # the squares may overflow where the values do not
    return places[0] if len(places) else None


def _bad_computed_input(sources: Mapping[str, Source], row: int) -> BadInput:
    names = [name for name, source in sources.items() if source.numbers is not None]
    return BadInput(row, 0, next((name for name in names if not np.isfinite(sources[name].values[row, 0])), names[0]))


def bad_input_error(population: Population, bad: BadInput, sources: Mapping[str, Source]) -> NonFiniteError:
    """The error for an input that is not finite; the population stands before the step concerned."""
    return non_finite(
        population, bad.neuron, sources, bad.row, "the population is left before it, with", subject=bad_input_text(bad)
    )


def non_finite_after(population: Population, neuron: int, sources: Mapping[str, Source]) -> NonFiniteError:
    """What a single step left not finite; an input that lies on a device is looked at only now."""
    bad = find_bad_input_anywhere(sources)
    where, subject = (neuron, None) if bad is None else (bad.neuron, bad_input_text(bad))
    return non_finite(population, where, sources, 0, "its state is now", ahead=0, subject=subject)


def bad_input_text(bad: BadInput) -> str:
    """What is wrong with an input."""
    return f"input {shown(bad.name)} of neuron {bad.neuron} {bad.what}"


def non_finite(
    population: Population,
    neuron: int,
    sources: Mapping[str, Source],
    row: int,
    then: str,
    ahead: int = 1,
    subject: str | None = None,
) -> NonFiniteError:
    """The error for a neuron in the step ``ahead`` of the present one, whose inputs stand in a row of the sources."""
    step, dt, state = population._steps_done - 1 + ahead, population.dt, _state_of(population, neuron)
    inputs = {name: source.value(row, neuron, step) for name, source in sources.items()}
    shown = ", ".join(f"{name}={value:g}" for name, value in (*state.items(), *inputs.items()))
    what = subject or f"neuron {neuron} became infinite or undefined"
    return NonFiniteError(
        f"{what} in step {step} (t = {(step + 1) * dt:g} ms); {then} {shown}. "
        "Check the inputs, or take a smaller dt; check_finite=False lets it go on",
        neuron=neuron,
        step=step,
        time=(step + 1) * dt,
        state=state,
        inputs=inputs,
    )


def _non_finite_within(population: Population, neuron: int, block: Block) -> NonFiniteError:
    """The error for a population too large to keep a copy of: the block is known, the step is not."""
    last, dt = block.first_step + block.steps - 1, population.dt
    return NonFiniteError(
        f"neuron {neuron} became infinite or undefined in one of the steps {block.first_step} to {last} "
        f"(t = {block.first_step * dt:g} to {(last + 1) * dt:g} ms); the population is left after them. "
        "Its states are too large to keep a copy that would tell the step: "
        "run this neuron alone, check the inputs, or take a smaller dt; check_finite=False lets it go on",
        neuron=neuron,
        step=last,
        time=(last + 1) * dt,
        state=_state_of(population, neuron),
        inputs={},
    )
