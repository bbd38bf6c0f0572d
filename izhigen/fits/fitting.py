"""A fit: the parameters whose runs come nearest to a target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from izhigen.api import Model
from izhigen.errors import IzhigenError, ValueShapeError, shown
from izhigen.fits.objective import Objective, read_ranges
from izhigen.fits.result import Fit, fit_of
from izhigen.fits.searches import Budget, Enough, Found, read_method
from izhigen.fits.targets import read_loss, read_trials
from izhigen.model.model import Declaration
from izhigen.population.checks import check_seed
from izhigen.population.progress import progress_bar
from izhigen.scalars import check_count, read_finite
from izhigen.signals import Interruptible
from izhigen.timegrid import check_dt, count_steps

Array = Any

GENERATIONS, A_DIMENSION = 100, 12
"""Generations, and candidates in each for every dimension."""


def fit(
    model: Declaration,
    target: Any,
    trainable: Mapping[str, Any],
    duration: float | None = None,
    *,
    inputs: Any = None,
    loss: Any = None,
    method: str = "differential_evolution",
    weights: Mapping[str, float] | None = None,
    steps: int | None = None,
    generations: int = GENERATIONS,
    candidates: int | None = None,
    start: Mapping[str, float] | None = None,
    goal: float = 0.0,
    dt: float = 0.1,
    integration: str = "exp_euler",
    seed: int = 0,
    progress: bool | None = None,
    **options: Any,
) -> Fit:
    """Find the parameters with which a model comes nearest to a target; each generation of candidates is one population
    call: ``iz.fit(model, spike_times, {"a": (0.01, 0.2), "d": (1.0, 10.0)}, duration=500.0, inputs={"I": 10.0})``.

    Parameters
    ----------
    model : Model
    target : array, Recording, mapping, or list of these
        Spike times in ms; a recording of one neuron, whose spikes count; or a mapping of ``"spike"`` to times, states
        and lines to traces ``(T,)`` (a value a step), and figures of spikes to numbers: ``count``, ``rate`` (Hz),
        ``first_spike``, ``isi_mean``, ``isi_std`` (ms), ``cv``. A list has a target for each of ``inputs``.
    trainable : mapping
        Name of a parameter or initial state to (lowest, highest), or (lowest, highest, "log") to search its logarithm.
    duration : float
        ms; a whole number of steps.
    inputs : mapping, or list of mappings
        Inputs by name, as a run takes them.
    loss : str or object, optional
        Of spike trains: ``"van_rossum"`` (the default), ``"victor_purpura"``, ``"coincidence"``, or one of these with
        other numbers, ``iz.fits.van_rossum(tau=10.0)``. Traces count by their squared error over the target's variance,
        figures by their squared relative error.
    method : {"differential_evolution", "cma", "gradient"}
        How candidates are searched: SciPy's differential evolution, CMA-ES of the package ``cmaes``, or many starts
        that descend the adjoint's gradient (of van Rossum's distance, and of traces).
    weights : mapping, optional
        Part of the target to its weight in the sum; 1 by default.
    steps : int
        Number of steps, in place of ``duration``.
    generations, candidates : int
        How long to search, and how many candidates a generation has, by default 12 for each of ``trainable``.
    start : mapping, optional
        Values to begin near; the middle of the ranges by default.
    goal : float
        A loss at which the search ends.
    dt : float
        Step in ms.
    integration : str
        The integration method, which populations call ``method``.
    seed : int
        Of the search, and of noise, which is the same for a candidate's place in every generation.
    progress : bool, optional
        Show a progress bar; by default on a terminal when it takes more than a second.
    **options
        Other options of :meth:`izhigen.Model.population`, and values of all candidates by name.

    Returns
    -------
    Fit
        The best candidate; Ctrl-C ends the search with the best so far.

    Raises
    ------
    ValueShapeError
        For a target of another length, unknown names, and ranges that are none.
    BackendError
        Where the method's package is missing.
    """
    if not isinstance(model, Model):
        raise ValueShapeError(f"fit takes a model, such as iz.load('RS'), not {shown(model)}")
    step = check_dt(dt)
    count = count_steps(duration, steps, step)
    if count == 0:
        raise ValueShapeError("a fit needs runs of at least one step")
    ranges = read_ranges(model, trainable)
    twice = next((name for name in ranges if name in options), None)
    if twice is not None:
        raise ValueShapeError(f"{shown(twice)} is trainable, and given for all candidates")
    trials = read_trials(model, target, {} if inputs is None else inputs, count, step, dict(weights or {}))
    of_runs = {"dt": step, "method": integration, "seed": check_seed(seed), **options}
    objective = Objective(model, ranges, trials, read_loss(loss), count, of_runs)
    search = read_method(method)
    if method == "gradient":
        objective.check_slopes()
    size = A_DIMENSION * len(ranges) if candidates is None else check_count("candidates", candidates)
    budget = Budget(check_count("generations", generations), size, read_finite(goal, "goal"))
    begin = _start(ranges, {} if start is None else start)
    found, is_over = Found(np.full(len(ranges), 0.5)), False
    with Interruptible() as signals, progress_bar(progress, budget.generations, "fit", "generation") as bar:
        watched = _Watched(objective, found, budget, bar, signals)
        try:
            search(watched, len(ranges), budget, of_runs["seed"], begin)
        except Enough:
            if watched.problem is not None:
                raise watched.problem from None
        except KeyboardInterrupt:
            is_over = True
        is_over |= signals.interrupted
    if not math.isfinite(found.loss):
        raise ValueShapeError("the fit was interrupted before its first generation")
    return fit_of(objective, found, is_over)


class _Watched:
    """Losses that count generations."""

    def __init__(self, objective: Objective, found: Found, budget: Budget, bar: Any, signals: Interruptible) -> None:
        self.problem: IzhigenError | None = None
        self._objective, self._found, self._budget, self._bar, self._signals = objective, found, budget, bar, signals

    def __call__(self, points: Array) -> Array:
        try:
            losses = self._objective(points)
        except IzhigenError as problem:  # which a search may take for one of its own
            self.problem = problem
            raise Enough from None
        self._count(points, losses)
        return losses

    def with_slopes(self, points: Array) -> tuple[Array, Array]:
        """Losses and gradients."""
        losses, slopes = self._objective.with_slopes(points)
        self._count(points, losses)
        return losses, slopes

    def _count(self, points: Array, losses: Array) -> None:
        self._found.take(points, losses)
        self._bar.update(1)
        self._bar.set_postfix(loss=f"{self._found.loss:.4g}", refresh=False)
        done = len(self._found.history) >= self._budget.generations or self._found.loss <= self._budget.goal
        if self._signals.look() or done:
            raise Enough


def _start(ranges: Mapping[str, Any], start: Mapping[str, float]) -> Array | None:
    """The point of the values to begin near."""
    if not start:
        return None
    bad = next((name for name in start if name not in ranges), None)
    if bad is not None:
        raise ValueShapeError(f"start: {shown(bad)} is not trainable")
    point = np.full(len(ranges), 0.5)
    for k, (name, given) in enumerate(ranges.items()):
        if name in start:
            value = read_finite(start[name], f"start: {name}")
            if not given.low <= value <= given.high:
                raise ValueShapeError(f"start: {name}={value:g} is outside its range, {given.low:g} to {given.high:g}")
            point[k] = given.place(value)
    return point
