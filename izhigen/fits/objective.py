"""The loss of many candidates at once: they are the neurons of a population for each trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.api import Model
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.fits.losses import SpikeLoss, TraceError, VanRossum
from izhigen.fits.targets import FEATURES, FIGURES, Trial
from izhigen.memory.space import fetch
from izhigen.model.events import SPIKE
from izhigen.population.population import Population
from izhigen.recording.recording import Recording
from izhigen.scalars import read_finite
from izhigen.units.quantities import plain

Array = Any
Losses = Callable[[Array], Array]

WORST = 1e30
"""The loss of a candidate that became infinite or undefined."""


@dataclass(frozen=True)
class Range:
    """Where a parameter may lie; in logarithms where it says so."""

    low: float
    high: float
    is_log: bool = False

    def value(self, unit: Array) -> Array:
        """From places between 0 and 1."""
        if self.is_log:
            return self.low * (self.high / self.low) ** unit
        return self.low + (self.high - self.low) * unit

    def place(self, value: float) -> float:
        """The place of a value."""
        if self.is_log:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return (value - self.low) / (self.high - self.low)

    def slope(self, unit: Array) -> Array:
        """The derivative of the value."""
        span = self.high - self.low
        return self.value(unit) * np.log(self.high / self.low) if self.is_log else np.full_like(unit, span)


def read_ranges(model: Model, trainable: Any) -> dict[str, Range]:
    """The ranges of what is fitted.

    Raises
    ------
    ValueShapeError
        For a name that is no parameter or initial state, and what is no range.
    """
    if not isinstance(trainable, Mapping) or not trainable:
        raise ValueShapeError("trainable is a mapping such as {'a': (0.01, 0.2)}")
    known = (*model.parameters, *model.states)
    found = {}
    for name, given in trainable.items():
        if name not in known:
            raise ValueShapeError(
                f"trainable: model {model.name!r} has no parameter or state {shown(name)}{suggest(str(name), known)} "
                f"(known: {', '.join(known)})"
            )
        what, unit = f"trainable: {name}", model.unit_of(name)
        edges = given if isinstance(given, (tuple, list)) else plain(given, unit, what, ValueShapeError)
        parts = list(edges) if isinstance(edges, (tuple, list, np.ndarray)) else []
        if len(parts) not in (2, 3) or (len(parts) == 3 and parts[2] != "log"):
            raise ValueShapeError(
                f"trainable: the range of {shown(name)} is (lowest, highest), or (lowest, highest, 'log')"
            )
        low, high = (read_finite(plain(edge, unit, what, ValueShapeError), what) for edge in parts[:2])
        if not low < high or (len(parts) == 3 and low <= 0):
            above = " above 0" if len(parts) == 3 else ""
            raise ValueShapeError(
                f"trainable: the range of {shown(name)} goes from {low:g} to {high:g}; give two numbers{above}, the "
                "lower first"
            )
        found[str(name)] = Range(low, high, len(parts) == 3)
        if not math.isfinite(high - low) or (len(parts) == 3 and not math.isfinite(high / low)):
            raise ValueShapeError(f"trainable: the range of {shown(name)} is wider than numbers are")
    return found


class Objective:
    """Losses of candidates: points of the unit cube, one dimension a range.

    Parameters
    ----------
    model : Model
    ranges : mapping
    trials : sequence of Trial
    loss : SpikeLoss
    steps : int
    options : mapping
        Of populations, and values of all candidates.
    repeats : int
        Neurons of each candidate, over which losses are averaged.
    """

    def __init__(
        self,
        model: Model,
        ranges: Mapping[str, Range],
        trials: Sequence[Trial],
        loss: SpikeLoss,
        steps: int,
        options: Mapping[str, Any],
        repeats: int = 1,
    ) -> None:
        self.model, self.ranges, self.trials, self.loss = model, dict(ranges), list(trials), loss
        self.steps, self.options, self.repeats = steps, dict(options), repeats
        self._populations: dict[bool, Population] = {}

    @property
    def given(self) -> dict[str, float]:
        """Parameters and initial states that all candidates were given."""
        known = (*self.model.parameters, *self.model.states)
        return {name: float(value) for name, value in self.options.items() if name in known}

    def check(self, is_differentiated: bool) -> None:
        """Run one candidate, so that inputs and options of several neurons, and unknown ones, are told at once."""
        for trial in self.trials:
            for name in trial.inputs:
                if name not in (*self.model.inputs, *self.model.delta_inputs):
                    known = (*self.model.inputs, *self.model.delta_inputs)
                    raise ValueShapeError(
                        f"inputs: model {self.model.name!r} has no input {shown(name)}{suggest(str(name), known)}"
                    )
        middle = np.full((1, len(self.ranges)), 0.5)
        repeats, self.repeats = self.repeats, 1
        try:
            self.with_slopes(middle) if is_differentiated else self(middle)
        finally:
            self.repeats = repeats
            self._populations.clear()

    def values(self, points: Array) -> dict[str, Array]:
        """Parameters of candidates by name."""
        return {name: given.value(points[:, k]) for k, (name, given) in enumerate(self.ranges.items())}

    def _population(self, points: Array, is_differentiated: bool = False) -> Population:
        """Neurons with the values of candidates, made once for a number of them; initial states are read anew."""
        values, found = self.values(points), self._populations.get(is_differentiated)
        if found is None or len(found) != len(points) or set(values) & set(self.model.states):
            training: dict[str, Any] = {"surrogate": "arctan", "detach_spike": "reset"} if is_differentiated else {}
            found = self.model.population(len(points), **self.options, **training, **values)
            self._populations[is_differentiated] = found
            return found
        for name, value in values.items():
            found.parameters[name] = value
        found.reset()
        return found

    def run(self, points: Array, trial: Trial, record: Sequence[str]) -> tuple[Recording, Array]:
        """What candidates do under a trial, and which of them stayed finite."""
        population = self._population(points)
        found = population.run(
            steps=self.steps, record=list(record), check_finite=False, progress=False, **trial.inputs
        ).to_host()
        finite = np.all([np.isfinite(fetch(population.state[name])) for name in self.model.states], axis=0)
        return found, finite

    def __call__(self, points: Array) -> Array:
        """Losses of candidates (n, d), shape (n,)."""
        count, points = len(points), np.repeat(points, self.repeats, axis=0)
        total = np.zeros(len(points))
        for trial in self.trials:
            recording, finite = self.run(points, trial, trial.record)
            if recording.interrupted:
                raise KeyboardInterrupt
            total += np.where(finite, trial.losses(recording, self.loss), WORST)
        total = np.where(np.isfinite(total), np.minimum(total, WORST), WORST)
        return total.reshape(count, self.repeats).mean(axis=1)

    # -- gradients --------------------------------------------------------------------------------------------------

    def check_slopes(self) -> None:
        """Refuse what has no gradient.

        Raises
        ------
        ValueShapeError
            Says what.
        """
        without = [name for trial in self.trials for name in trial.weights if name in (*FIGURES, FEATURES)]
        figures = without[0] if without else None
        if figures is not None:
            raise ValueShapeError(
                f"method='gradient': {figures} has no gradient here; fit spikes or traces, or take another method"
            )
        if not isinstance(self.loss, VanRossum) and any(trial.spikes is not None for trial in self.trials):
            raise ValueShapeError(
                f"method='gradient': {shown(self.loss)} has no gradient; take loss='van_rossum', or another method"
            )
        state = next((name for name in self.ranges if name not in self.model.gradient_parameters), None)
        if state is not None and state not in self.model.gradient_states:
            raise ValueShapeError(f"method='gradient': {state} has no gradient; take another method")

    def with_slopes(self, points: Array) -> tuple[Array, Array]:
        """Losses of candidates, and their gradients with respect to the points (n, d)."""
        losses, count, dt = self(points), len(points), float(self.options["dt"])
        points = np.repeat(points, self.repeats, axis=0)
        slopes = np.zeros(points.shape)
        parameters = [name for name in self.ranges if name in self.model.parameters]
        for trial in self.trials:
            population = self._population(points, True)
            recording = population.run(
                steps=self.steps,
                record=trial.record,
                check_finite=False,
                progress=False,
                tape=parameters,
                **trial.inputs,
            )
            if recording.interrupted:
                raise KeyboardInterrupt
            cotangents = {}
            if trial.spikes is not None:
                assert isinstance(self.loss, VanRossum)
                rows = np.zeros(self.steps)
                np.add.at(rows, np.clip(np.ceil(trial.spikes / dt - 1e-6).astype(int) - 1, 0, self.steps - 1), 1.0)
                cotangents[SPIKE] = trial.weights[SPIKE] * self.loss.slope(fetch(recording[SPIKE]), rows, dt)
            for name, target in trial.traces.items():
                cotangents[name] = trial.weights[name] * TraceError().slope(fetch(recording[name]), target)
            with np.errstate(all="ignore"):
                cotangents = {name: np.nan_to_num(values) for name, values in cotangents.items()}
            gradient = recording.backward(cotangents, check_finite=False)
            for k, (name, given) in enumerate(self.ranges.items()):
                own = gradient[name if name in parameters else f"{name}0"]
                slopes[:, k] += np.asarray(fetch(own), np.float64) * given.slope(points[:, k])
        return losses, np.nan_to_num(slopes).reshape(count, self.repeats, -1).mean(axis=1)
