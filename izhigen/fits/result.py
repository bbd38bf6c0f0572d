"""What a fit has found."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.api import Model
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.fits.objective import Objective
from izhigen.fits.searches import Found
from izhigen.model.events import SPIKE
from izhigen.picture import Picture
from izhigen.scalars import check_count, read_finite, read_whole
from izhigen.signals import Interruptible

Array = Any

POINTS, GENERATIONS, SIZE, MOST_POINTS = 11, 20, 24, 1000
"""Of a profile: values of a parameter, generations of so many candidates for each, and values at most."""


@dataclass(frozen=True)
class Profile:
    """The least loss for values of one parameter, the others fitted to each.

    Attributes
    ----------
    name : str
    values : array
    losses : array
    """

    name: str
    values: Array
    losses: Array

    def interval(self, rise: float) -> tuple[float, float]:
        """The lowest and the highest value whose loss is within ``rise`` of the least.

        Parameters
        ----------
        rise : float
            In units of the loss.

        Raises
        ------
        ValueShapeError
            For what is no number.
        """
        if read_finite(rise, "rise") < 0:
            raise ValueShapeError(f"rise={shown(rise)} is below 0")
        within = self.values[self.losses <= self.losses.min() + rise]
        return float(within.min()), float(within.max())


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model.

    Attributes
    ----------
    model : Model
        As it was given.
    parameters : mapping
        What was fitted, by name.
    loss : float
        At these values.
    history : array
        The least loss after every generation.
    evaluations : int
        Of candidates.
    interrupted : bool
        Whether Ctrl-C ended the search.
    objective : Objective
        Called with points of the unit cube, one dimension a range, it gives their losses.
    point : array
        The best of them.
    """

    model: Model
    parameters: Mapping[str, float]
    loss: float
    history: Array
    evaluations: int
    interrupted: bool
    objective: Objective
    point: Array

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value:.5g}" for name, value in self.parameters.items())
        return f"<Fit of {self.model.name}: {values}; loss {self.loss:.4g} after {self.evaluations} runs>"

    @property
    def _changes(self) -> dict[str, Any]:
        """What a variant of the model is given."""
        values = {**self.objective.given, **self.parameters}
        states = {key: value for key, value in values.items() if key in self.model.states}
        found: dict[str, Any] = {key: value for key, value in values.items() if key not in states}
        if states:
            found["initial"] = {**{key: str(text) for key, text in self.model.initial.items()}, **states}
        return found

    def variant(self, name: str) -> Model:
        """The model with the fitted values for defaults.

        Parameters
        ----------
        name : str
            Of the new model.

        Raises
        ------
        ModelError
            For what is no name of one.
        """
        return self.model.variant(name, **self._changes)

    def text(self, name: str = "fitted") -> str:
        """A line of Python that makes the fitted model from the one that was given, in a variable ``model``.

        Parameters
        ----------
        name : str
            Of the variable, and of the new model.

        Raises
        ------
        ValueShapeError
            For what is no name of a variable.
        """
        if not isinstance(name, str) or not (name.isidentifier() and name.isascii()) or keyword.iskeyword(name):
            raise ValueShapeError(f"{shown(name)} is no name of a variable")
        values = ", ".join(f"{key}={value!r}" for key, value in self._changes.items())
        return f"{name} = model.variant({name!r}, {values})"

    def run(self, trial: int = 0, **options: Any) -> Any:
        """The recording of the fitted neuron.

        Parameters
        ----------
        trial : int
            Whose drive it has: the number of its target.
        **options
            As :meth:`izhigen.Population.run` takes them, but for the duration, which is that of the fit.

        Raises
        ------
        ValueShapeError
            For a trial that is not there.
        """
        objective = self.objective
        if read_whole(trial, 0, len(objective.trials) - 1) is None:
            raise ValueShapeError(f"trial={shown(trial)}: there are {len(objective.trials)}, counted from 0")
        if "steps" in options or "duration" in options:
            raise ValueShapeError("the fitted neuron is run as long as its target is")
        values: dict[str, Any] = dict(self.parameters)
        population = objective.model.population(1, **objective.options, **values)
        return population.run(steps=objective.steps, **{**objective.trials[trial].inputs, **options})

    def profile(self, name: str, points: int = POINTS, span: float = 0.2) -> Profile:
        """How well a parameter is known: its loss around the fitted value, the others fitted anew for each.

        Parameters
        ----------
        name : str
            Of what was fitted.
        points : int
            Values, the fitted one among them where it is odd.
        span : float
            How far to go on both sides, as a part of the range.

        Raises
        ------
        ValueShapeError
            For another name.
        """
        names = list(self.parameters)
        if name not in names:
            raise ValueShapeError(
                f"{shown(name)} was not fitted{suggest(str(name), names)} (fitted: {', '.join(names)})"
            )
        place, count = names.index(name), check_count("points", points)
        reach = read_finite(span, "span")
        if not 0 < reach <= 1 or count > MOST_POINTS:
            raise ValueShapeError(f"points={count}, span={reach:g}: give at most {MOST_POINTS} points, and a part of 1")
        apart = np.linspace(-reach, reach, count) if count > 1 else np.zeros(1)
        along = np.unique(np.clip(self.point[place] + apart, 0.0, 1.0))
        count = len(along)
        rng, spread = np.random.default_rng(0), 0.1
        best, losses = np.tile(self.point, (count, 1)), np.full(count, np.inf)
        best[:, place] = along
        with Interruptible() as signals:
            for _ in range(GENERATIONS if len(names) > 1 else 1):
                if signals.look():
                    break
                tried = np.repeat(best, SIZE, axis=0)
                tried += spread * rng.standard_normal(tried.shape) * (np.arange(len(tried)) % SIZE > 0)[:, None]
                tried = np.clip(tried, 0.0, 1.0)
                tried[:, place] = np.repeat(along, SIZE)
                try:
                    found = self.objective(tried).reshape(count, SIZE)
                except KeyboardInterrupt:
                    if np.isinf(losses).any():
                        raise
                    break
                least = found.argmin(axis=1)
                best, losses = tried.reshape(count, SIZE, -1)[np.arange(count), least], found.min(axis=1)
                spread *= 0.85
        return Profile(name, self.objective.ranges[name].value(along), losses)

    def plot(self, trial: int = 0) -> Picture:
        """The fitted neuron beside its target, and the loss over generations.

        Parameters
        ----------
        trial : int
            As for :meth:`run`.

        Raises
        ------
        ValueShapeError
            For a trial that is not there.
        """
        import matplotlib.pyplot as plt

        there = read_whole(trial, 0, len(self.objective.trials) - 1)
        given = None if there is None else self.objective.trials[there]
        traced = list(given.traces) if given is not None else []
        state = traced[0] if traced else (self.model.spike_state or self.model.states[0])
        recording = self.run(trial, record=[state, *([SPIKE] if self.model.spike is not None else [])], progress=False)
        recording = recording.to_host()
        figure: Any = plt.figure(FigureClass=Picture, figsize=(7.5, 4.8), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=[2, 1])
        above.plot(recording.t, np.asarray(recording[state])[:, 0], lw=0.9, label="fitted")
        if traced and given is not None:
            above.plot(recording.t, given.traces[state], "--", lw=0.9, color="0.4", label="target")
        if given is not None and given.spikes is not None:
            low, high = above.get_ylim()
            above.vlines(
                given.spikes, high, high + 0.08 * (high - low), color="tab:red", lw=0.9, label="target's spikes"
            )
        above.set(xlabel="time (ms)", ylabel=state, title=repr(self)[1:-1].replace("$", "\\$"))
        above.title.set_fontsize(8)
        above.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        below.plot(np.arange(1, len(self.history) + 1), self.history)
        below.set(xlabel="generation", ylabel="least loss", yscale="log" if (self.history > 0).all() else "linear")
        plt.close(figure)
        return figure  # type: ignore[no-any-return]


def fit_of(objective: Objective, found: Found, interrupted: bool) -> Fit:
    """The result of a search."""
    values = {name: float(value[0]) for name, value in objective.values(found.point[None]).items()}
    history = np.array(found.history)
    return Fit(objective.model, values, found.loss, history, found.evaluations, interrupted, objective, found.point)
