"""A run: blocks of steps submitted to an engine one after the other, and what to do when one of them fails."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from izhigen.backends.engine import Block, Engine, Outputs, Pending, Source
from izhigen.backends.pullback import Kept
from izhigen.errors import DerivationError, IzhigenError, NonFiniteError
from izhigen.inputs.feeds import Feed, KernelInput, as_stimulus, held_values, kernel_input, make_feed
from izhigen.model.events import SpikeTiming
from izhigen.population.faults import (
    BadInput,
    bad_computed_input,
    bad_input_error,
    find_bad_input,
    find_bad_input_anywhere,
    find_bad_rate,
    non_finite,
    non_finite_within,
)
from izhigen.population.neurons import Neurons
from izhigen.population.progress import Progress, progress_bar
from izhigen.population.tape import Tape
from izhigen.recording.plan import Carried, RecordingPlan, Subject
from izhigen.recording.recording import Recording
from izhigen.signals import Interruptible

Array = Any

FindEngine = Callable[[Mapping[str, KernelInput]], Engine]
"""Finds the engine for what the kernel is to compute of the inputs."""


@dataclass(frozen=True)
class BlockLength:
    """How many steps the blocks of a run have.

    Attributes
    ----------
    seconds : float
        About how long one call takes in a long run: short enough for a progress bar and for Ctrl-C.
    boundary : int or None
        No block goes on where the number of steps since the last reset is a multiple of it, so that what neurons send
        each other can be exchanged there. None where nothing is.
    """

    seconds: float = 0.05
    boundary: int | None = None

    def steps(self, engine: Engine, block: Block, neurons: int) -> int:
        """Most steps of a block like this one of so many neurons."""
        work = self.seconds * engine.pace * block.threads / max(engine.cost, 1)
        most = int(min(max(engine.least_steps, work // max(neurons, 1)), engine.longest(block)))
        return most if self.boundary is None else min(most, self.boundary - block.first_step % self.boundary)


BY_TIME = BlockLength()
UNWATCHED = BlockLength(seconds=0.5)
"""Of a run that shows no progress and is not interrupted but as a whole."""
LARGE, COPIED_EVERY = 1 << 20, 8
"""Bytes of states from which on they are copied before so many blocks only, as that takes a share of their time."""


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


def find_engine_and_feeds(
    neurons: Neurons,
    names: Iterable[str],
    inputs: Mapping[str, Any],
    count: int,
    find_engine: FindEngine,
    added_to: Collection[str] = (),
) -> tuple[Engine, dict[str, Feed]]:
    """The engine of a run of ``count`` steps and its inputs; what the kernel can compute of them is left to it.

    ``names`` are those of all inputs that the kernel reads; one that is not given is 0. Those that are ``added_to``
    come as rows, whatever they are given as.
    """
    layout, dt, done = neurons.layout, neurons.dt, neurons.steps_done
    values = {name: as_stimulus(name, inputs.get(name, 0.0), (done + count) * dt) for name in names}
    computed = {name: kernel_input(value, layout, dt) for name, value in values.items()}
    computed |= {name: replace(computed[name], form=None) for name in added_to}
    try:
        engine = find_engine(computed)
    except DerivationError:
        if not any(part.form for part in computed.values()):
            raise
        # Text without a value at any time, such as 1/(t - t): its rows say where.
        computed = {name: replace(part, form=None) for name, part in computed.items()}
        engine = find_engine(computed)
    feeds = {
        name: make_feed(name, value, layout, done, count, dt, computed[name], neurons.key)
        for name, value in values.items()
    }
    return engine, feeds


def record_run(
    neurons: Neurons,
    engine: Engine,
    feeds: Mapping[str, Feed],
    count: int,
    record: str | Iterable[str] | None,
    every: int,
    chosen: Any,
    progress: Progress,
    check_finite: bool,
    out: str | Path | None,
    backend: str,
    length: BlockLength = BY_TIME,
    smooth: tuple[str, ...] = (),
    tape: Tape | None = None,
    carried: Carried | None = None,
) -> Recording:
    """Advance by ``count`` steps and write down what is asked for; see :meth:`~izhigen.population.Population.run`.

    ``smooth`` names the events that are numbers; ``tape`` is filled on the way; what is ``carried`` counts on.
    """
    start = neurons.steps_done
    held = {name: held_values(feed, count) for name, feed in feeds.items()}
    subject = run_subject(neurons, held, engine, backend, smooth)
    with Interruptible() as signals:  # everything below is done between two of its looks
        plan = RecordingPlan(subject, count, record, every, chosen, out, carried)
        try:
            with progress_bar(progress, count, f"{count * neurons.dt:g} ms") as bar:
                kept = None if tape is None else tape.kept
                runner = Runner(neurons, plan, engine, feeds, check_finite, kept, length)
                runner.run(count, signals.look, bar.update)
                done = neurons.steps_done - start
                recording = plan.recording(done, signals.look())
                engine.finish()
                return recording if tape is None else replace(recording, tape=tape.ended(done, every, plan.neurons))
        except BaseException as problem:
            try:
                plan.abandon(neurons.steps_done - start, problem)
            except Exception as second:  # such as a device that does not answer any more
                problem.add_note(f"and the recording could not be finished: {second}")
            raise


def run_subject(
    neurons: Neurons, inputs: Mapping[str, Array | None], engine: Engine, backend: str, smooth: tuple[str, ...]
) -> Subject:
    about: dict[str, Any] = {
        "method": engine.method,
        "dt": neurons.dt,
        "dtype": neurons.layout.dtype.name,
        "backend": backend,
        "seed": neurons.seed,
    }
    is_located = engine.spike_timing != SpikeTiming.STEP.value
    if is_located:
        about["spike_timing"] = engine.spike_timing
    return Subject(
        neurons.model,
        neurons.layout,
        neurons.dt,
        neurons.steps_done,
        {name: values.dtype for name, values in neurons.state.items()},
        inputs,
        neurons.parameters,
        about,
        smooth,
        is_located,
    )


class Runner:
    """Advances neurons by a number of steps.

    As many blocks as the engine takes are under way at once;
    what was found in one is looked at while the later ones run.
    """

    def __init__(
        self,
        neurons: Neurons,
        plan: RecordingPlan,
        engine: Engine,
        feeds: Mapping[str, Feed],
        check_finite: bool,
        kept: Kept | None = None,
        length: BlockLength = BY_TIME,
    ) -> None:
        self._kept = kept
        self._neurons, self._plan, self._engine, self._feeds = neurons, plan, engine, feeds
        self._check, self._length = check_finite, length
        self._start = neurons.steps_done
        self._keeps = check_finite and neurons.state_bytes <= engine.rewind_bytes
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
                raise bad_input_error(self._neurons, self._bad, self._bad_sources)
            else:
                return

    def _submit(self, count: int) -> None:
        """Begin the next block; shorter, or none, where an input is not finite."""
        offset = self._submitted
        trial = self._block({}, 1, offset, self._plan.outputs(offset, 1))
        most = self._length.steps(self._engine, trial, self._neurons.layout.count)
        size = min(most, count - offset, self._plan.room(offset))
        sources = {name: feed(offset, size) for name, feed in self._feeds.items()}
        self._bad = find_bad_input(sources, self._checked) if self._check else find_bad_rate(sources)
        self._checked = sources
        if self._bad is not None:
            size, self._bad_sources = self._bad.row, sources
        block = self._block(sources, size, offset, self._plan.outputs(offset, size))
        if self._keeps:
            self._keep(offset)
        self._under_way.append(_Part(offset, block, self._engine.submit(block)))
        self._submitted = offset + size
        self._blocks += 1

    def _block(self, sources: Mapping[str, Source], steps: int, offset: int, outputs: Outputs) -> Block:
        outputs = outputs if self._kept is None else replace(outputs, kept=self._kept)
        return self._neurons.block(sources, steps, self._check, self._start + offset, outputs)

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
                bad_computed_input(part.block.inputs, found.bad_step),
                dict(part.block.inputs),
            )
            part = self._again(part, self._bad.row)
            found = part.wait()
        done = part.offset + part.block.steps
        self._neurons.steps_done = self._start + done
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
                    self._neurons.steps_done = self._start + part.offset + part.block.steps
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
        sources = {name: source.part(0, max(steps, 1)) for name, source in part.block.inputs.items()}
        block = self._block(sources, steps, part.offset, self._plan.outputs(part.offset, steps))
        self._submitted = part.offset + steps
        return _Part(part.offset, block, self._engine.submit(block))

    # -- going back -------------------------------------------------------------------------------------------------

    def _keep(self, offset: int) -> None:
        """Copy the states, to trace a later block back; of two copies one is older than all blocks under way."""
        engine, neurons = self._engine, self._neurons
        if engine.depth == 1:
            if self._blocks % (1 if neurons.state_bytes < LARGE else COPIED_EVERY) == 0:
                self._snapshots = [_Snapshot(offset, neurons.snapshot())]
        elif self._blocks % (4 * engine.depth) == 0:
            slot = self._blocks // (4 * engine.depth) % 2
            self._snapshots = [*self._snapshots[-1:], _Snapshot(offset, neurons.snapshot(slot))]

    def _trace_back(self, part: _Part, bad: int) -> None:
        """Run again to the first step that leaves a state not finite; leave the population just before it."""
        neurons, engine = self._neurons, self._engine
        snapshot = next((kept for kept in reversed(self._snapshots) if kept.offset <= part.offset), None)
        if snapshot is None:
            raise non_finite_within(neurons, bad, part.block)
        neurons.restore(snapshot.arrays)
        offset = snapshot.offset
        while offset < part.offset:
            size = min(part.offset - offset, part.block.steps)
            sources = {name: feed(offset, size) for name, feed in self._feeds.items()}
            engine.submit(neurons.block(sources, size, False, self._start + offset))()
            offset += size
        self._bisect(part, bad)

    def _bisect(self, part: _Part, bad: int) -> None:
        neurons, engine, block = self._neurons, self._engine, part.block
        done, size = 0, block.steps
        neurons.steps_done = block.first_step
        while done < block.steps:
            kept = {name: values.copy() for name, values in neurons.snapshot().items()}
            count = max(1, min(size, block.steps - done) // 2)
            sources = {name: source.part(done, count) for name, source in block.inputs.items()}
            half = neurons.block(sources, count, True, block.first_step + done)
            worse = engine.submit(half)().bad_neuron
            if worse is None:
                done, neurons.steps_done = done + count, neurons.steps_done + count
                continue
            engine.recover()
            neurons.restore(kept)
            if count == 1:
                raise self._explained(worse, half)
            size = count
        raise non_finite_within(neurons, bad, block)  # the same steps left everything finite the second time

    def _explained(self, neuron: int, block: Block) -> NonFiniteError:
        """Why the one step of a block leaves a neuron not finite: an input that lies on a device is looked at now."""
        bad = find_bad_input_anywhere(block.inputs)
        if bad is not None:
            return bad_input_error(self._neurons, bad, block.inputs)
        return non_finite(self._neurons, neuron, block.inputs, 0, "the population is left before it, with")
