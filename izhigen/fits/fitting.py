"""A fit: the parameters whose runs come nearest to a target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from izhigen.api import Model
from izhigen.errors import ValueShapeError, shown
from izhigen.fits.objective import WORST, Objective, read_ranges
from izhigen.fits.result import Fit, fit_of
from izhigen.fits.searches import Budget, Enough, Found, read_method
from izhigen.fits.targets import read_loss, read_trials
from izhigen.model.model import Declaration
from izhigen.population.checks import check_seed
from izhigen.population.progress import Progress, progress_bar, read_progress
from izhigen.scalars import check_count, read_finite
from izhigen.signals import Interruptible
from izhigen.timegrid import check_dt, count_steps
from izhigen.units.quantities import plain

Array = Any

GENERATIONS, A_DIMENSION = 100, 12
"""Generations, and candidates in each for every dimension."""
LEAST, MOST, AGAIN = 5, 10**6, 10
"""Candidates of a generation; and how often the best one of a model with noise is run again for its loss."""
NOT_FOR_FITS = ("size", "batch", "surrogate", "detach_spike", "spike_scale", "smooth_spikes", "sharding")
"""Options of populations that a fit decides itself, or has no use for."""


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
    repeats: int | None = None,
    progress: Progress = None,
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
        Inputs by name, as a run of one neuron takes them.
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
        How long to search, and how many candidates a generation has (at least 5; CMA-ES takes up to 8 times as many
        where it begins anew), by default 12 for each of ``trainable``.
    start : mapping, optional
        Values to begin near; the middle of the ranges by default.
    goal : float
        A loss at which the search ends.
    dt : float
        Step in ms.
    integration : str
        The integration method, which populations call ``method``.
    seed : int
        Of the search, and of noise.
    repeats : int, optional
        Runs of each candidate, whose losses are averaged: for noise. By default 10 of a model with noise, else 1.
    progress : bool or bar, optional
        Show a progress bar; by default on a terminal when it takes more than a second. Or move one on: anything with
        ``update(generations)``.
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
    step, progress = check_dt(dt), read_progress(progress)
    count = count_steps(duration, steps, step)
    if count == 0:
        raise ValueShapeError("a fit needs runs of at least one step")
    ranges = read_ranges(model, trainable)
    twice = next((name for name in ranges if name in options), None)
    if twice is not None:
        raise ValueShapeError(f"{shown(twice)} is trainable, and given for all candidates")
    refused = next((name for name in options if name in NOT_FOR_FITS), None)
    if refused is not None:
        raise ValueShapeError(f"{refused}= is no option of a fit")
    trials = read_trials(model, target, {} if inputs is None else inputs, count, step, _weights(weights))
    of_runs = {"dt": step, "method": integration, "seed": check_seed(seed), **_plain(model, options)}
    runs = (10 if model.noise else 1) if repeats is None else check_count("repeats", repeats)
    objective = Objective(model, ranges, trials, read_loss(loss), count, of_runs, runs)
    search = read_method(method)
    if method == "gradient":
        objective.check_slopes()
    size = A_DIMENSION * len(ranges) if candidates is None else check_count("candidates", candidates)
    if not LEAST <= size <= MOST:
        raise ValueShapeError(f"candidates={size}: a generation has {LEAST} to {MOST}")
    budget = Budget(check_count("generations", generations), size, read_finite(goal, "goal"))
    begin = _start(model, ranges, {} if start is None else start)
    found, is_over = Found(np.full(len(ranges), 0.5)), False
    objective.check(method == "gradient")
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
    if found.loss >= WORST:
        raise ValueShapeError(
            "no candidate has a loss that is a number: all of them became infinite or undefined; narrow the ranges, or "
            "take a smaller dt"
        )
    if model.noise and not is_over:  # the best of many is a lucky one
        found.loss = float(objective(np.repeat(found.point[None], AGAIN, axis=0)).mean())
    return fit_of(objective, found, is_over)


class _Watched:
    """Losses that count generations."""

    def __init__(self, objective: Objective, found: Found, budget: Budget, bar: Any, signals: Interruptible) -> None:
        self.problem: Exception | None = None
        self._objective, self._found, self._budget, self._bar, self._signals = objective, found, budget, bar, signals

    def __call__(self, points: Array) -> Array:
        try:
            losses = self._objective(points)
        except Exception as problem:  # which a search may take for one of its own
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
        if hasattr(self._bar, "set_postfix"):
            self._bar.set_postfix(loss=f"{self._found.loss:.4g}", refresh=False)
        done = len(self._found.history) >= self._budget.generations or self._found.loss <= self._budget.goal
        if self._signals.look() or done:
            raise Enough


def _plain(model: Model, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options, values of parameters and states among them without units."""
    known = (*model.parameters, *model.all_states)
    return {
        name: plain(value, model.unit_of(name), name, ValueShapeError) if name in known else value
        for name, value in options.items()
    }


def _weights(weights: Any) -> dict[str, float]:
    """Weights by name."""
    if weights is None:
        return {}
    if not isinstance(weights, Mapping):
        raise ValueShapeError(f"weights are a mapping such as {{'V': 2.0}}, not {shown(weights)}")
    found = {name: read_finite(value, f"weights: {name}") for name, value in weights.items()}
    bad = next((name for name, value in found.items() if value < 0), None)
    if bad is not None:
        raise ValueShapeError(f"weights: that of {shown(bad)} is below 0")
    return found


def _start(model: Model, ranges: Mapping[str, Any], start: Mapping[str, float]) -> Array | None:
    """The point of the values to begin near."""
    if not isinstance(start, Mapping):
        raise ValueShapeError(f"start is a mapping such as {{'a': 0.02}}, not {shown(start)}")
    if not start:
        return None
    bad = next((name for name in start if name not in ranges), None)
    if bad is not None:
        raise ValueShapeError(f"start: {shown(bad)} is not trainable")
    point = np.full(len(ranges), 0.5)
    for k, (name, given) in enumerate(ranges.items()):
        if name in start:
            what = f"start: {name}"
            value = read_finite(plain(start[name], model.unit_of(name), what, ValueShapeError), what)
            if not given.low <= value <= given.high:
                raise ValueShapeError(f"start: {name}={value:g} is outside its range, {given.low:g} to {given.high:g}")
            point[k] = given.place(value)
    return point
