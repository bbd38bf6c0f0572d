"""Gradients of runs by central differences: nothing of the adjoint is used, only runs with smooth spikes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

import izhigen as iz

STEPS_OF_DIFFERENCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


def random_numbers(shape: Any, *seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


@dataclass
class Differences:
    """A run with smooth spikes, a random linear loss of all that it records, and derivatives of that by differences."""

    model: Any
    values: dict[str, Any]
    inputs: dict[str, Any]
    steps: int
    options: dict[str, Any]
    surrogate: Any = field(default_factory=lambda: iz.surrogates.sigmoid(alpha=1.0))
    spike_scale: float = 0.3
    _noisy: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.values = {**self.model.parameters, **self.values}
        states = [equation.name for equation in self.model.equations if equation.is_ode]
        self.names = [*states, *(event.name for event in self.model.events)]
        if self.model.events:
            smooth = {"surrogate": self.surrogate, "spike_scale": self.spike_scale, "smooth_spikes": True}
            self.options = {**smooth, **self.options}

    @property
    def neurons(self) -> int:
        n, *_ = (np.shape(next(iter(self.inputs.values())))[1:] or (3,)) if self.inputs else (3,)
        return int(n)

    def run(self, values: dict[str, Any], inputs: dict[str, Any], tape: bool = False, copies: int = 1) -> Any:
        pop = self.model.population(copies * self.neurons, dtype="float64", **self.options, **values)
        return self.record(pop, inputs, tape)

    def record(self, pop: Any, inputs: dict[str, Any], tape: bool = False) -> Any:
        return pop.run(steps=self.steps, record=self.names, tape=tape, check_finite=False, **inputs)

    def losses(self, values: list[dict[str, Any]], inputs: list[dict[str, Any]]) -> list[float]:
        """The loss of a run for each set of what is moved: all as neurons of one run, unless neurons draw noise."""
        if self.model.noise:
            return [self.noisy_loss(*moved) for moved in zip(values, inputs)]
        n, copies = self.neurons, len(values)
        whole = {
            name: self._side_by_side([v.get(name, value) for v in values], (n,)) for name, value in self.values.items()
        }
        steps = {
            name: self._side_by_side([i.get(name, rows) for i in inputs], (self.steps, n))
            for name, rows in self.inputs.items()
        }
        recording = self.run(whole, steps, copies=copies)
        parts = [(w[:, None] * recording[name].reshape(-1, copies, n)).sum((0, 2)) for name, w in self.weights.items()]
        return [float(loss) for loss in sum(parts)]

    def noisy_loss(self, moved: dict[str, Any], inputs: dict[str, Any]) -> float:
        """The loss of a run of one population that is kept: each begins anew, and so does the noise."""
        if self._noisy is None:
            self._noisy = self.model.population(self.neurons, dtype="float64", **self.options, **self.values)
        pop, values = self._noisy, {**self.values, **moved}
        pop.reset()
        for name, value in values.items():
            (pop.state if name in pop.state else pop.parameters)[name] = value
        recording = self.record(pop, {**self.inputs, **inputs})
        return float(sum((w * recording[name]).sum() for name, w in self.weights.items()))

    @staticmethod
    def _side_by_side(values: list[Any], shape: tuple[int, ...]) -> Any:
        """The values of all copies; one for all where that is what they have."""
        if all(value is values[0] for value in values) and np.ndim(values[0]) == 0:
            return values[0]
        return np.concatenate([np.broadcast_to(value, shape) for value in values], axis=-1)

    def gradients(self) -> dict[str, Any]:
        """Those of the adjoint."""
        recording = self.run(self.values, self.inputs, tape=True)
        largest = {name: max(1.0, float(np.abs(recording[name]).max())) for name in self.names}
        self.weights = {
            name: random_numbers(recording[name].shape, k) / largest[name] for k, name in enumerate(self.names)
        }
        return recording.backward(self.weights)

    def hard(self, backend: str, **options: Any) -> dict[str, Any]:
        """The gradients of the same run with spikes that are 0 or 1, on a backend."""
        case = replace(self, options={**self.options, "smooth_spikes": False, "backend": backend, **options})
        if not self.model.events:
            del case.options["smooth_spikes"]
        recording = case.run(case.values, case.inputs, tape=True)
        weights = {name: random_numbers(recording[name].shape, k) for k, name in enumerate(case.names)}
        return recording.backward(weights)  # type: ignore[no-any-return]

    def slope(self, directions: dict[str, Any]) -> list[float]:
        """The derivative of the loss in a direction, by steps of several lengths and by Richardson's extrapolation."""
        moves = [sign for h in STEPS_OF_DIFFERENCES for sign in (h, -h)]
        values, inputs = [], []
        for move in moves:
            moved = {name: np.asarray(self.value(name), float) + move * way for name, way in directions.items()}
            values.append({n.removesuffix("0"): v for n, v in moved.items() if n not in self.inputs})
            inputs.append({n: v for n, v in moved.items() if n in self.inputs})
        ends = self.losses(values, inputs)
        slopes = [(up - down) / (2 * h) for h, up, down in zip(STEPS_OF_DIFFERENCES, ends[::2], ends[1::2])]
        return [*slopes, *((100 * fine - coarse) / 99 for coarse, fine in pairwise(slopes))]

    def value(self, name: str) -> Any:
        return self.inputs[name] if name in self.inputs else self.values[name.removesuffix("0")]

    def direction(self, name: str, gradient: Any, seed: int) -> Any:
        """A random direction, about as long as what moves is large; where nothing arrives, nothing does."""
        base = np.asarray(self.value(name), float)
        way = random_numbers(base.shape, seed) * max(1.0, float(np.abs(base).max()) * 0.1)
        return np.where(base == 0, 0.0, way) if name in self.model.event_inputs else way

    def check(self, tolerance: float = 1e-6, each: bool = False) -> int:
        """Compare in a direction that moves all, or also in those that move one thing each."""
        found = {
            name: values
            for name, values in self.gradients().items()
            if name in self.inputs or name.removesuffix("0") in self.values
        }
        directions = {
            name: self.direction(name, gradient, k) for k, (name, gradient) in enumerate(sorted(found.items()))
        }
        sets = [directions, *({name: way} for name, way in directions.items() if each)]
        for chosen in sets:
            parts = {name: float((np.asarray(found[name]) * way).sum()) for name, way in chosen.items()}
            expected, slopes = sum(parts.values()), self.slope(chosen)
            scale = max(1e-3, abs(expected), 1e-3 * max(map(abs, parts.values())))
            errors = [abs(slope - expected) / scale for slope in slopes]
            assert min(errors) < tolerance, f"{self.model}\n{parts}\n{slopes}"
        return len(found)
