"""The NumPy backend: the derived step evaluated on plain arrays. Slow and obvious; the oracle for the others.

It reads the :class:`~izhigen.derive.step.Step`, not the kernel's placed statements, whose faults it must not share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from izhigen.backends.engine import (
    Advanced,
    Block,
    HostEngine,
    Moments,
    PreparedStep,
    Source,
    Spikes,
    host_space,
    in_order,
)
from izhigen.backends.evaluation import Environment, Evaluator
from izhigen.backends.hoisting import Constants
from izhigen.backends.numpy_back import AdjointArrays
from izhigen.backends.numpy_location import LocatedStep
from izhigen.backends.poisson import poisson_counts
from izhigen.backends.pullback import Pullback
from izhigen.backends.random import normals
from izhigen.codegen.agreed import EVENT_GROUP
from izhigen.codegen.operations import count
from izhigen.codegen.request import KernelRequest
from izhigen.derive.adjoint import HELD as HELD_IN_STEP
from izhigen.derive.adjoint import Training, derive_adjoint, margin_in, smooth_event
from izhigen.derive.event import LAST_SPIKE, Assignment, Event, Hold, before
from izhigen.derive.lowering import DT, SINCE_SPIKE, T, at_start, just_assigned, symbol
from izhigen.derive.sequence import Action, Apply, Arrive, Commit, Decide, HoldBack, Integrate, Jump
from izhigen.derive.step import Step
from izhigen.errors import BackendError, shown
from izhigen.memory.space import Space
from izhigen.signals import SignalsDeferred

Array = Any


def _first_bad_step(block: Block) -> int | None:
    """The first step for which an input computed from time is not finite."""
    series = [source.values[: block.steps, 0] for source in block.inputs.values() if source.numbers is not None]
    places = (np.flatnonzero(~np.isfinite(values)) for values in series)
    return min((int(place[0]) for place in places if len(place)), default=None)


def _update(moments: Moments, neurons: Array, step: Any) -> None:
    """Take spikes of different neurons in one step into the moments; of located ones, when each was."""
    if moments.first is None:
        moments.count[neurons] += 1
        return
    step, is_again = np.broadcast_to(step, neurons.shape), moments.count[neurons] > 0
    again = neurons[is_again]
    moments.squares[again] += (step[is_again] - moments.last[again]).astype(np.float64) ** 2
    moments.first[neurons[~is_again]] = step[~is_again]
    moments.count[neurons] += 1
    moments.last[neurons] = step


@dataclass
class _StepInProgress:
    """A step that is being made: values by name in the engine's precision, and times in double precision."""

    block: Block
    k: int
    n: int
    values: dict[str, Any]
    times: dict[str, Any]
    increments: dict[sp.Symbol, Any] = field(default_factory=dict)
    found: list[tuple[int, Any, Any]] | None = None
    """Number, neurons and offsets of events that were located in it."""


Act = Callable[[_StepInProgress], None]
"""What one action of a step does."""


def _present(state: sp.Symbol) -> sp.Symbol:
    """The symbol of a state's present value; no name of a model has a blank."""
    return symbol(f"present {state.name}")


HELD = symbol("is held")
"""Whether a step is held."""


def _with_constants(step: Step) -> tuple[Step, list[tuple[str, Any]]]:
    """The step with functions of parameters and dt as symbols, and what these stand for: computed once a block."""
    constants = Constants({*map(symbol, step.model.parameters), DT})
    assignments = []
    for assignment in step.assignments:
        value = constants.hoisted(assignment.expression)
        if value.free_symbols <= constants.known:
            constants.keep(assignment.symbol, value)
        else:
            assignments.append(replace(assignment, expression=value))
    increments = tuple(constants.hoisted(increment) for increment in step.increments)
    noise = tuple(replace(term, factor=constants.hoisted(term.factor)) for term in step.noise)
    return replace(step, assignments=tuple(assignments), increments=increments, noise=noise), constants.found


class NumpyEngine(HostEngine):
    """A step evaluated by NumPy; see :class:`izhigen.backends.engine.Engine`."""

    description = "no compilation: NumPy evaluates the step"
    pace, least_steps = 1e8, 1

    def __init__(
        self,
        step: Step,
        dtype: str,
        deltas: tuple[str, ...],
        training: Training | None = None,
        wanted: tuple[str, ...] = (),
    ) -> None:
        self.method, self.spike_timing = step.method, step.timing.value
        self.step, self.dtype, self.deltas = step, np.dtype(dtype), deltas
        self.training, self.wanted = training, wanted
        self._evaluate, self._compare_times = Evaluator(dtype).compile, Evaluator("float64").compile
        self._located = None if step.location is None else LocatedStep(step, self.dtype, deltas, self._evaluate)
        if training is not None:
            for event in step.events:  # what has no margin is refused here, and not on the way
                margin_in(event, training)

    @cached_property
    def cost(self) -> int:
        """What a neuron's step takes by :mod:`izhigen.codegen.operations`, each value of the step computed once."""
        actions = [a for arrive in self.step.arrivals for a in arrive.assignments]
        actions += [*self.step.assignments, *(a for event in self.step.events for a in event.resets)]
        values = [*(a.expression for a in actions), *self.step.increments, *(term.factor for term in self.step.noise)]
        return count([*values, *(event.condition for event in self.step.events)]).cost

    @cached_property
    def _program(self) -> tuple[list[tuple[str, Callable[[Environment], Any]]], list[Act]]:
        """What is computed once a block, by name, and the actions of a step; made when a step is."""
        varying, constants = _with_constants(self.step)
        actions = [self._action(action) for action in (varying.sequence if self._located is None else ())]
        return [(name, self._evaluate(value)) for name, value in constants], actions

    def advance(self, block: Block) -> Advanced:
        """Advance the block, one step after the other."""
        n = len(next(iter(block.state.values())))
        bad_step = _first_bad_step(block) if block.check_finite else None
        if bad_step is not None:
            return Advanced(bad_step=bad_step)
        found: list[tuple[Array, ...]] = []
        row, next_record = 0, block.outputs.phase
        parameters = self._fixed_values(block)
        for s in range(block.steps):
            inputs = {name: self._input(source, block, s, n) for name, source in block.inputs.items()}
            self._keep(block, block.first_step + s)
            with np.errstate(all="ignore"):
                moment = self._one_step(block, block.first_step + s, n, parameters, inputs)
            happened = [self._happened(moment, name, n) for name in self.step.event_names]
            spike = happened[0]
            for number, neurons, offset in self._events(moment, happened):
                if number in block.outputs.events:
                    whole = np.full((2, len(neurons)), [[s], [number]], np.int64)
                    found.append((whole[0], neurons, whole[1], offset))
                if number == 0 and block.outputs.moments is not None:
                    _update(block.outputs.moments, neurons, block.first_step + s + self._moment(offset))
            if s == next_record:
                for name, rows in block.outputs.traces.items():
                    found_here = block.state if name in block.state else inputs if name in inputs else moment.values
                    values = np.broadcast_to(found_here[name], n)
                    rows[row] = values if block.outputs.neurons is None else values[block.outputs.neurons]
                row, next_record = row + 1, next_record + block.outputs.every
        if block.spike_flag is not None and block.steps:
            block.spike_flag[:] = spike
        spikes = None
        if block.outputs.events:
            empty = (*(np.zeros(0, np.int64),) * 3, np.zeros(0))
            steps, neurons, kinds, offset = (np.concatenate(part) for part in zip(empty, *found))
            events = kinds if len(self.step.event_names) > 1 else None
            spikes = Spikes(steps, neurons, events, offset if self._located else None)
            spikes = in_order(spikes)
        return Advanced(spikes, self._first_not_finite(block) if block.check_finite else None)

    def _events(self, moment: _StepInProgress, happened: list[Array]) -> list[tuple[int, Array, Array]]:
        """Number, neurons, and offsets in the step, of the events in it; a neuron may be there several times."""
        if moment.found is not None:
            return moment.found
        where = ((number, np.flatnonzero(flags)) for number, flags in enumerate(happened))
        return [(number, neurons, np.ones(len(neurons))) for number, neurons in where]

    def _moment(self, offset: Array) -> Any:
        """What is added to a step for the moment of an event in it; 0 where all are at the ends of theirs."""
        return 0 if self._located is None else offset

    def _fixed_values(self, block: Block) -> dict[str, Any]:
        """Parameters in the engine's precision, and what follows from them and dt."""
        with np.errstate(all="ignore"):
            values = {name: np.asarray(value).astype(self.dtype)[()] for name, value in block.parameters.items()}
            values[DT.name] = self.dtype.type(block.dt)
            for name, evaluate in self._program[0]:
                values[name] = evaluate(values)
        return values

    def prepare(self, block: Block) -> PreparedStep:
        """The block's one step as a function; see :class:`izhigen.backends.engine.Engine`."""

        def step(first_step: int, inputs: Mapping[str, Source], count: Callable[[], object]) -> int | None:
            with SignalsDeferred():
                found = self.advance(replace(block, first_step=first_step, inputs=inputs))
                count()
            return found.bad_neuron

        return step

    @cached_property
    def _adjoint(self) -> AdjointArrays:
        assert self.training is not None
        return AdjointArrays(derive_adjoint(self.step, self.training, self.deltas, self.wanted), self._evaluate)

    def pull_back(self, block: Block, pullback: Pullback) -> bool:
        """Go back through the block, segment by segment; see :class:`izhigen.backends.engine.Engine`."""
        kept, end, is_bad = pullback.kept, block.first_step + block.steps, False
        while end > max(block.first_step, pullback.first):
            row = kept.row_at(end - 1)
            begin = max(kept.start(row), block.first_step)
            for name, rows in kept.rows.items():
                block.state[name][:] = rows[row]
            with np.errstate(all="ignore"):
                for moment in reversed(self._made_again(block, begin, end)):
                    if moment.k >= pullback.first:
                        self._adjoint.pull(moment, pullback)
            part = slice(max(begin, pullback.first) - block.first_step, end - block.first_step)
            found = [*pullback.states.values(), *(rows[part] for rows in pullback.inputs.values())]
            is_bad = is_bad or not all(np.isfinite(values).all() for values in found)
            end = begin
        return is_bad

    def _made_again(self, block: Block, begin: int, end: int) -> list[_StepInProgress]:
        """Some steps of a block, with what each began with and found on the way."""
        parameters, n, made = self._fixed_values(block), len(next(iter(block.state.values()))), []
        for k in range(begin, end):
            inputs = {
                name: self._input(source, block, k - block.first_step, n) for name, source in block.inputs.items()
            }
            start = {state.name: block.state[state.name].copy() for state in self.step.states}
            moment = self._one_step(block, k, n, parameters, inputs)
            moment.values |= start
            moment.values[HELD_IN_STEP.name] = moment.values.get(HELD.name, False)
            if self.step.times:
                moment.values[SINCE_SPIKE.name] = moment.values[at_start(SINCE_SPIKE).name]
            made.append(moment)
        return made

    def _input(self, source: Source, block: Block, s: int, n: int) -> Array:
        values, step = source.values[s if source.values.shape[0] > 1 else 0], block.first_step + s
        if source.noise is not None:
            xi = normals(source.seed, block.first_index, n, step, 0, self.dtype)
            values = values + source.noise[s if len(source.noise) > 1 else 0] * xi
        if source.counts is not None:
            drawn, row = source.counts, s if len(source.counts.mean) > 1 else 0
            counts = poisson_counts(
                drawn.mean[row], drawn.first[row], block.seed ^ drawn.stream, block.first_index, n, step
            )
            values = values + drawn.weight * counts.astype(self.dtype)
        if source.deliveries is not None:
            values = np.array(np.broadcast_to(values, n))
            due = np.flatnonzero(source.deliveries.step == step)
            group = np.searchsorted(source.deliveries.start, due, side="right") - 1
            values[group * EVENT_GROUP + source.deliveries.lane[due]] += source.deliveries.weight[due]
        return values

    def _first_not_finite(self, block: Block) -> int | None:
        places = (np.flatnonzero(~np.isfinite(block.state[symbol.name])) for symbol in self.step.states)
        return min((int(p[0]) for p in places if len(p)), default=None)

    def _keep(self, block: Block, step: int) -> None:
        """Write down the states where a segment begins."""
        kept = block.outputs.kept
        if kept is not None and kept.is_start(step):
            for name, rows in kept.rows.items():
                rows[kept.row_at(step)] = block.state[name]

    def _happened(self, moment: _StepInProgress, name: str, n: int) -> Array:
        """In which neurons an event happened."""
        found = np.asarray(moment.values.get(name, False))
        return np.broadcast_to(found if found.dtype == bool else found >= 0.5, n)

    def _one_step(self, block: Block, k: int, n: int, parameters: Environment, inputs: Environment) -> _StepInProgress:
        """The step's actions, in their order."""
        time = np.float64(k * block.dt)
        values = {**parameters, **inputs, T.name: self.dtype.type(time)}
        values |= {state.name: block.state[state.name] for state in self.step.states}
        times: dict[str, Any] = {T.name: time, **{name.name: block.state[name.name] for name in self.step.times}}
        if self.step.times:
            values[SINCE_SPIKE.name] = (time - times[LAST_SPIKE.name]).astype(self.dtype)
            values[at_start(SINCE_SPIKE).name] = values[SINCE_SPIKE.name]
        if self.step.period is not None:
            times[self.step.period.name] = np.asarray(block.parameters[self.step.period.name], np.float64)
        moment = _StepInProgress(block, k, n, values, times)
        if self._located is not None:
            moment.found = self._located.make(moment)
        for act in self._program[1]:
            act(moment)
        return moment

    def _action(self, action: Action) -> Act:
        """What an action of the sequence does, as a function."""
        match action:
            case Integrate():
                return self._integrate(action)
            case Jump():
                return self._jump
            case Arrive(_, assignments):
                return self._assign(assignments, self._evaluate(action.condition))
            case HoldBack(hold):
                return self._hold_back(hold)
            case Decide(event):
                return self._decide(event)
            case Apply(event):
                return self._apply(event)
            case Commit():
                return self._commit
        raise AssertionError(f"{type(action).__name__} is for steps in parts")

    def _decide(self, event: Event) -> Act:
        held = HELD if event.is_muted else None
        present = {state: _present(state) for state in self.step.states}
        happens = event.happens(present, held)
        condition = self._evaluate(happens)
        if self.training is None or not self.training.smooth:
            return lambda now: now.values.update({event.name: condition(now.values)})
        margin = margin_in(event, self.training).xreplace(before(present))
        value = self._evaluate(smooth_event(self.training, margin, event.excluded(present, held)))
        return lambda now: now.values.update({event.name: value(now.values)})

    def _integrate(self, action: Integrate) -> Act:
        assignments = [(a.symbol.name, self._evaluate(a.expression)) for a in action.assignments]
        increments = [self._evaluate(increment) for increment in action.increments]
        noise = [(term.state, term.xi.name, term.stream, self._evaluate(term.factor)) for term in action.noise]
        present = {state: _present(state).name for state in self.step.states}

        def act(now: _StepInProgress) -> None:
            for name, value in assignments:
                now.values[name] = value(now.values)
            now.increments = {s: value(now.values) for s, value in zip(self.step.states, increments)}
            for state, name, stream, factor in noise:
                xi = normals(now.block.seed, now.block.first_index, now.n, now.k, stream, self.dtype)
                now.values[name] = xi
                now.increments[state] = now.increments[state] + factor(now.values) * xi
            for state, increment in now.increments.items():
                now.values[present[state]] = now.values[state.name] + increment

        return act

    def _jump(self, now: _StepInProgress) -> None:
        for name in self.deltas:  # into the increment, which is added to the state once
            whole = now.increments[symbol(name)] + now.values[f"{name}_delta"]
            now.values[_present(symbol(name)).name] = now.values[name] + whole

    def _hold_back(self, hold: Hold) -> Act:
        compare = self._evaluate(hold.condition) if hold.period is None else self._compare_times(hold.condition)

        states = [(state.name, _present(state).name) for state in hold.states]

        def act(now: _StepInProgress) -> None:
            held = now.values[HELD.name] = compare(now.values if hold.period is None else now.times)
            for state, present in states:
                now.values[present] = np.where(held, now.values[state], now.values[present])
            if hold.flag is not None:
                now.values[_present(hold.flag).name] = np.asarray(held).astype(self.dtype)

        return act

    def _apply(self, event: Event) -> Act:
        assign, stamps = self._assign(event.resets, lambda values: values[event.name]), event.stamps

        def act(now: _StepInProgress) -> None:
            assign(now)
            if stamps:
                happened = self._happened(now, event.name, now.n)
                np.copyto(now.times[LAST_SPIKE.name], now.times[T.name], where=happened)
                now.values[SINCE_SPIKE.name] = np.where(happened, self.dtype.type(0), now.values[SINCE_SPIKE.name])

        return act

    def _assign(self, assignments: tuple[Assignment, ...], happens: Callable[[Environment], Any]) -> Act:
        """Assignments, one after the other, in neurons in which something happened; all read the values before."""
        meaning = before({state: _present(state) for state in self.step.states})
        values = [
            (_present(a.symbol).name, just_assigned(a.symbol).name, self._evaluate(a.expression.xreplace(meaning)))
            for a in assignments
        ]

        def choose(happened: Array, assigned: Array, present: Array) -> Array:
            if np.asarray(happened).dtype == bool:
                return np.where(happened, assigned, present)
            return present + happened * (assigned - present)  # a smooth event is a number

        def act(now: _StepInProgress) -> None:
            happened = happens(now.values)
            read = dict(now.values)
            for present, new, value in values:
                read[new] = assigned = value(read)
                now.values[present] = choose(happened, assigned, now.values[present])

        return act

    def _commit(self, now: _StepInProgress) -> None:
        for state in self.step.states:
            now.block.state[state.name][:] = now.values[_present(state).name]


def open_space(device: Any = None, sharding: Any = None) -> Space:
    """The memory of the process."""
    return host_space(device, sharding)


def create_engine(request: KernelRequest, space: Space) -> NumpyEngine:
    """The engine of a kernel's step."""
    step, chosen = request.step()
    if request.dtype not in ("float32", "float64"):
        raise BackendError(f"dtype {shown(request.dtype)} is not float32 or float64")
    return NumpyEngine(step, request.dtype, chosen.deltas, request.training, chosen.wanted)
