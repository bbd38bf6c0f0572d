"""Runs there and back on plain arrays: inputs that change from step to step, a loss of all that happens, its gradients.

Copies of the neurons make the same run with their states moved by several units in the last place again and again, and
the gradients on the way back as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from izhigen.backends.engine import Block, Outputs, Source
from izhigen.backends.numpy import NumpyEngine
from izhigen.backends.pullback import Cotangent, Kept, Pullback
from izhigen.derive.adjoint import Training
from izhigen.derive.step import Step
from izhigen.model.functions import LAST_SPIKE
from izhigen.standalone.golden import MEMBERS, grown, pieces
from izhigen.standalone.oracle import DISPLACEMENT, MOVE, Drawn, Oracle, State, Stretch, finite, sign_of

Array = Any

FACTORS = (1.0, 1.125, 0.875, 1.0625, 0.75, 1.25, 0.9375)
"""By which held inputs are multiplied, step by step; the first is 1, so that a single step is that of the way forth."""
WEIGHTS = tuple(((17 * i * i + 5 * i + 3) % 16 - 7.5) / 8 for i in range(31))
"""Numbers that the gradient of the loss consists of, exact in every precision."""
WEIGHT_STEPS = (7, 3)
"""How far apart those of two kinds of cotangents begin, and those of two rows."""


@dataclass(frozen=True)
class VariedStretch(Stretch):
    """Steps of a run with inputs that are held but for factors that change from step to step."""

    before: int = 0
    """Steps of the run that were made before."""

    def part(self, begin: int, stop: int) -> VariedStretch:
        """Some of the steps."""
        return replace(self, first=self.first + begin, steps=stop - begin, before=self.before + begin)

    def fed(self, dtype: np.dtype[Any]) -> Array:
        """Values of the inputs, shape (steps, neurons, inputs); their products are rounded as a kernel's are."""
        factors = np.array([FACTORS[(self.before + s) % len(FACTORS)] for s in range(self.steps)], dtype)
        held = factors[:, None, None] * self.inputs.astype(dtype)
        return held.astype(np.float64) + (super().fed(dtype) - self.inputs[None])


@dataclass(frozen=True)
class Loss:
    """The gradient of the loss with respect to what a run leads to, as the self test gives it.

    Kinds are numbered: states after steps, events, numbers of events, and states after the last step.

    Attributes
    ----------
    states, events : tuple of str
    neurons : int
    every : int
        It depends on states after steps every - 1, 2*every - 1, ...; where that is not 1, in the same way for all
        neurons.
    """

    states: tuple[str, ...]
    events: tuple[str, ...]
    neurons: int
    every: int

    def given(self, name: str, steps: range) -> Array:
        """That with respect to a state or an event after some steps, shape (steps, neurons), numbers included."""
        if name in self.states:
            kind = self.states.index(name)
            rows = [self._weights(kind, (s + 1) // self.every - 1) * self._is_due(s) for s in steps]
            return np.array(rows if self.every == 1 else [np.full(self.neurons, row[0]) for row in rows])
        kind = len(self.states) + self.events.index(name)
        count = self._weights(kind + len(self.events), 0)
        return np.array([self._weights(kind, s) + count for s in steps])

    def final(self, name: str) -> Array:
        """That with respect to a state after the last step."""
        return self._weights(len(self.states) + 2 * len(self.events) + self.states.index(name), 0)

    def _is_due(self, step: int) -> bool:
        return (step + 1) % self.every == 0

    def _weights(self, kind: int, row: int) -> Array:
        first = WEIGHT_STEPS[0] * kind + WEIGHT_STEPS[1] * row
        return np.array([WEIGHTS[(first + n) % len(WEIGHTS)] for n in range(self.neurons)])


@dataclass(frozen=True)
class ThereAndBack:
    """What a run there and back has found.

    Attributes
    ----------
    gradients : tuple of array
        One a name (states, parameters, inputs), of shape (rows, copies, neurons); the first copy is not moved.
    masks : tuple of int
        What happened to each neuron, as :meth:`izhigen.standalone.oracle.Oracle.run` says it.
    is_sound : array
        Which neurons stay within the number type, gradients included, with the same events in all copies.
    """

    gradients: tuple[Array, ...]
    masks: tuple[int, ...]
    is_sound: Array


class BackOracle(Oracle):
    """An oracle that goes there and back, with several copies of the neurons, all but the first of them moved.

    Parameters
    ----------
    step, dtype, drawn
        As for any oracle.
    training, wanted
        How gradients pass through events, and of what they are due beside initial states.
    precision : str
        Number type that it computes in.
    copies : int

    Attributes
    ----------
    states, event_names : tuple of str
        What a loss can depend on.
    inputs_wanted, parameters_wanted : tuple of str
        What gradients are due of beside the initial states.
    """

    def __init__(
        self,
        step: Step,
        dtype: str,
        drawn: Drawn,
        training: Training,
        wanted: tuple[str, ...],
        precision: str = "float64",
        copies: int = 1 + MEMBERS,
    ) -> None:
        self._training, self._wanted = training, wanted
        self._precision, self._copies = np.dtype(precision), copies
        super().__init__(step, dtype, drawn)
        self.states = self.model.gradient_states
        self.event_names = tuple(event.name for event in self.model.events)
        self.parameters_wanted = tuple(name for name in wanted if name not in self.inputs)
        self.inputs_wanted = tuple(name for name in self.inputs if name in wanted)

    def _engine_of(self, step: Step) -> NumpyEngine:
        return NumpyEngine(step, self._precision.name, self.drawn.deltas, self._training, self._wanted)

    def _block(self, state: State, stretch: Stretch, outputs: Outputs) -> Block:
        """The steps, with variates of the moved copies that are off as much as a kernel's may be."""
        block = super()._block(state, stretch, outputs)
        drawn = {xi.name for xi, _ in self.variates}
        inputs = {
            name: Source((source.values + (self._off(0) - 1) * (name in drawn)).astype(self._precision))
            for name, source in block.inputs.items()
        }
        return replace(block, inputs=inputs)

    def _off(self, kind: int) -> Array:
        """Factors that move numbers of the copies, a value a neuron; 1 for the first copy."""
        count = len(DISPLACEMENT)
        signs = [sign_of(7 * kind + k) * (k >= count) for k in range(count * self._copies)]
        return 1 + MOVE * self.eps * np.array(signs)

    def there_and_back(self, start: State, stretch: VariedStretch, every: int) -> ThereAndBack:
        """Make the steps, and go back through them; the loss depends on states after every so many."""
        count = len(stretch.inputs)
        state = {
            name: np.tile(values, self._copies).astype(np.float64 if name == LAST_SPIKE else self._precision)
            for name, values in start.items()
        }
        with np.errstate(all="ignore"):
            starts, masks = self._forth(stretch, state)
            gradients = self._back(stretch, starts, Loss(self.states, self.event_names, count, every))
        most = np.finfo(self.dtype).max / 2
        sound = [(np.abs(values) < most).all(axis=(0, 1)) for values in gradients]
        sound.append(
            np.array([mask == masks[n % count] for n, mask in enumerate(masks)]).reshape(-1, count).all(axis=0)
        )
        sound.append(finite(self, state).reshape(-1, count).all(axis=0))
        return ThereAndBack(tuple(gradients), tuple(masks[:count]), np.all(sound, axis=0))

    def _forth(self, stretch: VariedStretch, state: State) -> tuple[list[State], list[int]]:
        """Make the steps in pieces; the states at the beginning of each, and in which steps events happened."""
        count = len(stretch.inputs)
        masks, starts = [0] * (count * self._copies), []
        scale = {name: np.zeros(count) for name in self.model.states}
        for piece, (begin, stop) in enumerate(pieces(stretch)):
            scale = {name: grown(values, state[name][:count]) for name, values in scale.items()}
            self.move({name: values[count:] for name, values in state.items()}, piece, scale)
            starts.append({name: values.copy() for name, values in state.items()})
            made = self.run(state, stretch.part(begin, stop))
            masks = [mask | new << begin for mask, new in zip(masks, made)]
        return starts, masks

    def _back(self, stretch: VariedStretch, starts: Sequence[State], loss: Loss) -> list[Array]:
        """Gradients, an array a name of shape (rows, copies, neurons)."""
        count, copies, real = len(stretch.inputs), self._copies, self._precision
        bars = {name: np.tile(loss.final(name), copies).astype(real) for name in self.states}
        rows = {name: np.empty((stretch.steps, count * copies), real) for name in self.inputs_wanted}
        sums = {name: np.zeros(count * copies) for name in self.parameters_wanted}
        for piece, (begin, stop) in reversed(list(enumerate(pieces(stretch)))):
            part, start = stretch.part(begin, stop), starts[piece]
            scale = {name: np.abs(values[:count]) for name, values in bars.items()}
            self.move({name: values[count:] for name, values in bars.items()}, piece, scale)
            kept = Kept(part.first, part.first + part.steps, {name: values[None] for name, values in start.items()})
            given = {
                name: Cotangent((np.tile(loss.given(name, range(begin, stop)), copies) * self._off(kind)).astype(real))
                for kind, name in enumerate((*self.states, *self.event_names))
            }
            here = {name: values[begin:stop] for name, values in rows.items()}
            block = self._block({name: values.copy() for name, values in start.items()}, part, Outputs())
            self._engine.pull_back(block, Pullback(kept, part.first, given, {}, bars, here, sums))
        return [values.reshape(-1, copies, count) for values in (*bars.values(), *sums.values(), *rows.values())]
