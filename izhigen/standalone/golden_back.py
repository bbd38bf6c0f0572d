"""Golden gradients of a self test: what the way back through some of its segments must give, by the adjoint on plain
arrays in float64, and how far rounding may lead.

A segment is run there and back from the states that it starts from in the test of the way forth, but its inputs change
from step to step, and a loss is taken that depends on every state, event and number of events. As there, tolerances are
measured, by copies of the neurons that are moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.derive.adjoint import Training
from izhigen.derive.step import Step
from izhigen.errors import DerivationError, shown
from izhigen.model.functions import LAST_SPIKE
from izhigen.standalone.golden import MARGIN, Golden, grown, least_tolerance
from izhigen.standalone.oracle import DT, LENGTH, Drawn, in_digits, steps_of, two_digits
from izhigen.standalone.oracle_back import BackOracle, VariedStretch

Array = Any

KEPT_EVERY = 15
"""States are written down before steps that are multiples of it, so that a segment is gone back through in parts."""
TRIED = 5
"""Segments of more than one step that are tried, those in which most neurons spike by themselves."""
EVERY = (1, 3)
"""Segments of more than one step that are gone back through, beside the one with noise: after how many steps the loss
depends on states.
"""
DIGITS = {"float32": 7, "float64": 9}
"""Of the values: few enough to be the same on every machine, as gradients through an upstroke lose some."""
LOOSEST, NOT_COMPARED = 0.05, -1.0
"""A gradient is compared where the tolerance is below this fraction of the neuron's largest one of that name."""


@dataclass(frozen=True)
class BackRun:
    """A segment, there and back; a value a neuron.

    Attributes
    ----------
    segment : int
        Index of the segment of the way forth whose states it starts from.
    every : int
        The loss depends on states after steps every - 1, 2*every - 1, ...
    values : tuple of tuple of float
        Gradients: a row for each initial state and each parameter, then for each step one for each input.
    tolerance : tuple of tuple of float
        How much they may be off: a row for each initial state, each parameter, and each input;
        :data:`NOT_COMPARED` where rounding leaves too little of it.
    worth : tuple of int
        How many events happen in neurons of which most is compared, how much is, and how early something happens.
    """

    segment: int
    every: int
    values: tuple[tuple[float, ...], ...]
    tolerance: tuple[tuple[float, ...], ...]
    worth: tuple[int, int, int]


@dataclass(frozen=True)
class GoldenBack:
    """The values of a self test of the way back.

    Attributes
    ----------
    states, parameters, inputs : tuple of str
        What gradients are due of, in the order of the values.
    events : tuple of str
        What the loss depends on beside the states.
    runs : tuple of BackRun
    """

    states: tuple[str, ...]
    parameters: tuple[str, ...]
    inputs: tuple[str, ...]
    events: tuple[str, ...]
    runs: tuple[BackRun, ...]


def compute_golden_back(
    step: Step, dtype: str, drawn: Drawn, golden: Golden, training: Training, wanted: tuple[str, ...]
) -> GoldenBack:
    """The self test of the way back through a step.

    Raises
    ------
    DerivationError
        When no gradient can be told from rounding.
    """
    oracle = BackOracle(step, dtype, drawn, training, wanted)
    held = [] if dtype == "float64" else [BackOracle(step, dtype, drawn, training, wanted, dtype, copies=1)]
    runs = tuple(_choose_runs(_Segments(golden, oracle, *held)))
    if not runs:
        raise DerivationError(
            f"model {shown(step.model.name)}: no self test of the way back can be made, as gradients through "
            f"{LENGTH} steps of {DT:g} ms overflow in {dtype}, or change with the last digit; take a flatter surrogate "
            "or a smaller spike_scale, detach_spike='reset', or dtype='float64'"
        )
    return GoldenBack(oracle.states, oracle.parameters_wanted, oracle.inputs_wanted, oracle.event_names, runs)


def _choose_runs(segments: _Segments) -> Iterator[BackRun]:
    """Those with the most events of neurons that can be compared, the one with noise, and single steps."""
    golden = segments.golden
    checked = [i for i, segment in enumerate(golden.segments) if segment.checked]
    long = [i for i in checked if golden.segments[i].steps > 1 and i != golden.noisy]
    tried = sorted(long, key=lambda i: sum(map(bool, golden.segments[i].spikes)), reverse=True)[:TRIED]
    found = {i: run for i in tried if (run := segments.go(i, 1)).worth[1]}
    best = sorted(found, key=lambda i: found[i].worth, reverse=True)[: len(EVERY)]
    for i, every in zip(sorted(best), EVERY):
        yield found[i] if every == 1 else segments.go(i, every)
    for i in checked:
        if i not in long and (run := segments.go(i, 1)).worth[1]:
            yield run


class _Segments:
    """Segments of a self test, run there and back by an oracle, and by others for whether they find the same."""

    def __init__(self, golden: Golden, *oracles: BackOracle) -> None:
        self.golden, self._oracles, self._oracle = golden, oracles, oracles[0]
        self._digits = DIGITS[self._oracle.dtype.name]

    def go(self, index: int, every: int) -> BackRun:
        """One of them; the loss depends on states after every so many steps."""
        segment, count = self.golden.segments[index], len(self.golden.inputs)
        inputs = np.array(self.golden.inputs).reshape(count, len(self._oracle.inputs))
        noise = self.golden.noise if index == self.golden.noisy else ()
        stretch = VariedStretch(segment.first_step, segment.steps, inputs, noise)
        start = dict(zip(self._oracle.model.states, np.array(segment.start).T))
        if self._oracle.model.keeps_last_spike:
            start[LAST_SPIKE] = np.array(segment.last_spike) * DT
        found = [oracle.there_and_back(start, stretch, every) for oracle in self._oracles]
        is_checked = [bool(segment.checked >> n & 1) for n in range(count)]
        is_sound = np.all([is_checked, *(part.is_sound for part in found)], axis=0)
        for part in found[1:]:
            is_sound &= _agrees(found[0].gradients, part.gradients)
        gradients = [np.where(is_sound, values, 0.0) for values in found[0].gradients]
        tolerance = [self._tolerance(values, is_sound) for values in gradients]
        single = len(gradients) - len(self._oracle.inputs_wanted)
        rows = [values[0, 0] for values in gradients[:single]]
        rows += [values[s, 0] for s in range(segment.steps) for values in gradients[single:]]
        return BackRun(
            index,
            every,
            tuple(tuple(in_digits(x, self._digits) for x in row.tolist()) for row in rows),
            tuple(tuple(map(two_digits, row.tolist())) for row in tolerance),
            self._worth(found[0].masks, np.array(tolerance) > 0.0),
        )

    def _tolerance(self, values: Array, is_sound: Array) -> Array:
        """How much gradients of shape (rows, copies, neurons) may be off, a value a neuron."""
        numbers = np.finfo(self._oracle.dtype)
        least = float(numbers.tiny / numbers.eps)  # products of smaller ones lose digits
        largest = grown(np.zeros(values.shape[-1]), *values[:, 0])
        off = MARGIN * np.abs(values - values[:, :1]).max(axis=(0, 1)) + least_tolerance(self._oracle, largest)
        off += 10.0 ** (1 - self._digits) * largest
        return np.where(is_sound & (off <= LOOSEST * largest + least), off + least, NOT_COMPARED)

    def _worth(self, masks: tuple[int, ...], compared: Array) -> tuple[int, int, int]:
        most = (2 * compared.sum(axis=0) > len(compared)).tolist()
        parts = [steps_of(event, mask) for mask, is_in in zip(masks, most) if is_in for event in self._oracle.events]
        first = [(part & -part).bit_length() for part in parts if part]
        return len(first), int(compared.sum()), -min(first, default=LENGTH)


def _agrees(wide: Sequence[Array], narrow: Sequence[Array]) -> Array:
    """Of which neurons a narrower type finds the same gradients: not where its range ends earlier, as that of a margin
    which is squared.
    """
    same = np.ones(wide[0].shape[-1], bool)
    with np.errstate(all="ignore"):
        for one, two in zip(wide, narrow):
            largest = np.abs(one[:, 0]).max(axis=0)
            same &= np.abs(one[:, 0] - two[:, 0]).max(axis=0) <= 2 * LOOSEST * largest + np.finfo(np.float32).tiny
    return same
