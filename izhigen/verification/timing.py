"""What a neuron costs: kernels timed in turn, so that what else the machine does meets all of them."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from izhigen.verification.drive import columns_of
from izhigen.verification.ladder import Choice, Subject, run

NEURONS, MOST_STEPS, FEW_STEPS, LEAST_STEPS, ROUNDS = 4096, 400, 5, 2, 16
SECONDS = 0.01
"""Of one round of a kernel, at most, where that is more than the least steps."""


class Timer:
    """A kernel at one step, in a population whose states are spread over what the reference reached."""

    def __init__(self, subject: Subject, choice: Choice, dtype: str, dt: float) -> None:
        columns = columns_of(subject.feeds)
        is_drawn = any(hasattr(value, "parts") for value in subject.feeds.values())
        size = columns if is_drawn and columns > 1 else columns * max(1, NEURONS // columns)
        used = np.resize(np.arange(columns), size)
        self.feeds: dict[str, Any] = {
            name: value if isinstance(value, str) or hasattr(value, "parts") or not np.ndim(value) else value[used]
            for name, value in subject.feeds.items()
        }
        rng = np.random.default_rng(0)
        picked = np.array([subject.solutions[k].around(rng.uniform(0, subject.duration)) for k in used])
        self.population = subject.population(size, dt, choice, dtype)
        for k, name in enumerate(subject.model.states):
            self.population.state[name] = picked[:, k]
        self.steps, self.begin = 1, 0
        self._seconds()  # loads the kernel
        self.steps = FEW_STEPS
        affordable = int(SECONDS * FEW_STEPS / min(self._seconds() for _ in range(2)))
        whole = round(subject.duration / dt)
        self.steps = min(max(LEAST_STEPS, affordable), MOST_STEPS, max(1, whole))
        events = sorted(t for solution in subject.solutions for name in subject.events for t in solution.events[name])
        if events:
            self.begin = max(0, min(round(events[len(events) // 2] / dt), whole - self.steps))

    def _seconds(self) -> float:
        self.population.begin_at(self.begin)
        started = time.perf_counter()
        run(self.population, self.feeds, steps=self.steps, record=[])
        return time.perf_counter() - started

    def cost(self) -> float:
        """ns a neuron and simulated ms, this time."""
        return self._seconds() * 1e9 / (len(self.population) * self.steps * self.population.dt)


def costs(timers: Sequence[Timer], deadline: float = math.inf) -> list[float]:
    """The cost of each, the best of several rounds in which each has its turn; the first round ends in any case."""
    best = [math.inf] * len(timers)
    for turn in range(ROUNDS):
        if turn and time.monotonic() > deadline:
            break
        best = [min(known, timer.cost()) for known, timer in zip(best, timers)]
    return best
