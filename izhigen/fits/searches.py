"""Searches for the least loss: each asks for the losses of many candidates at once.

Candidates are points of the unit cube, which ranges are mapped to.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from izhigen.errors import BackendError, ValueShapeError, shown, suggest

Array = Any
Losses = Callable[[Array], Array]
"""Of candidates (n, d), their losses (n,)."""


class Enough(Exception):
    """The search is to end: Ctrl-C, or as many generations as were asked for."""


@dataclass
class Found:
    """The best candidate so far.

    Attributes
    ----------
    point : array, shape (d,)
    loss : float
    history : list of float
        The least loss after every generation.
    evaluations : int
    """

    point: Array
    loss: float = math.inf
    history: list[float] = field(default_factory=list)
    evaluations: int = 0

    def take(self, points: Array, losses: Array) -> None:
        """A generation."""
        best = int(np.argmin(losses))
        if losses[best] < self.loss:
            self.point, self.loss = points[best].copy(), float(losses[best])
        self.history.append(self.loss)
        self.evaluations += len(points)


@dataclass(frozen=True)
class Budget:
    """How long a search goes on.

    Attributes
    ----------
    generations, size : int
        Generations, and candidates in each.
    goal : float
        A loss that is good enough.
    """

    generations: int
    size: int
    goal: float


def differential_evolution(losses: Losses, dimensions: int, budget: Budget, seed: int, start: Array | None) -> None:
    """SciPy's (Storn and Price 1997, J. Global Optim. 11:341); a generation is one call."""
    try:
        from scipy.optimize import differential_evolution as evolve
    except ImportError:
        raise BackendError("this method needs SciPy, which is not installed: pip install scipy") from None
    rng = np.random.default_rng(seed)
    first = rng.random((max(budget.size, 5), dimensions))
    first[0] = 0.5 if start is None else start

    def of_columns(points: Array) -> Array:
        return losses(np.atleast_2d(points.T))

    settings: dict[str, Any] = {"init": first, "maxiter": budget.generations, "tol": 0.0, "atol": 0.0}
    settings |= {"polish": False, "updating": "deferred", "vectorized": True}
    settings["rng" if "rng" in inspect.signature(evolve).parameters else "seed"] = rng  # SciPy before 1.15
    evolve(of_columns, [(0.0, 1.0)] * dimensions, **settings)


def cma(losses: Losses, dimensions: int, budget: Budget, seed: int, start: Array | None) -> None:
    """CMA-ES of the package ``cmaes`` (Hansen 2016, arXiv:1604.00772); where it has converged and generations are left,
    it begins anew, with twice the candidates up to eight times as many.
    """
    try:
        from cmaes import CMA
    except ImportError:
        raise BackendError("this method needs cmaes, which is not installed: pip install cmaes") from None
    rng, size, mean = np.random.default_rng(seed), budget.size, np.full(dimensions, 0.5) if start is None else start
    bounds = np.array([[0.0, 1.0]] * dimensions)
    while True:
        search = CMA(mean, 0.3, bounds=bounds, population_size=size, seed=int(rng.integers(2**31)))
        while not search.should_stop():
            points = np.array([search.ask() for _ in range(size)])
            search.tell([(point, float(loss)) for point, loss in zip(points, losses(points))])
        mean, size = rng.random(dimensions), min(2 * size, 8 * budget.size)


def descent(losses: Any, dimensions: int, budget: Budget, seed: int, start: Array | None) -> None:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) down the adjoint's gradient, of as many starts side by side as there
    are candidates; rounds begin anew around the best, each with half the spread.
    """
    rng, spread = np.random.default_rng(seed), 0.5
    centre = np.full(dimensions, 0.5) if start is None else start
    round_of = max(10, budget.generations // 4)
    best = (math.inf, centre)
    while True:
        points = np.clip(centre + spread * rng.uniform(-1, 1, (budget.size, dimensions)), 0.0, 1.0)
        points[0], mean, square = centre, np.zeros_like(points), np.zeros_like(points)
        for step in range(1, round_of + 1):
            found, slopes = losses.with_slopes(points)
            least = int(np.argmin(found))
            best = min(best, (float(found[least]), points[least].copy()), key=lambda pair: pair[0])
            length = np.linalg.norm(slopes, axis=1, keepdims=True)
            slopes = np.where(np.isfinite(length) & (length > 0), slopes / np.where(length > 0, length, 1.0), 0.0)
            mean, square = 0.9 * mean + 0.1 * slopes, 0.99 * square + 0.01 * slopes**2
            rate = 0.1 * spread * (0.52 + 0.5 * math.cos(math.pi * step / round_of))
            moved = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
            points = np.clip(points - rate * moved, 0.0, 1.0)
        centre, spread = best[1], spread / 2


METHODS = {"gradient": descent, "differential_evolution": differential_evolution, "cma": cma}


def read_method(method: Any) -> Callable[..., None]:
    """The search of a name.

    Raises
    ------
    ValueShapeError
        For an unknown one.
    """
    if not isinstance(method, str) or method not in METHODS:
        raise ValueShapeError(
            f"method={shown(method)} is none{suggest(str(method), METHODS)} (known: {', '.join(METHODS)})"
        )
    return METHODS[method]
