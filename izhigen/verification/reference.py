"""Reference solutions: the declared equations by SciPy's DOP853, restarted at every event, which is located on its
dense output (of order 7) to the last bit of time.

What happens when is read from the declaration alone. An event comes where its condition becomes true; a level event
also where it is true when nothing keeps it from coming (at the start, after a jump, at the end of a hold). Of what an
event assigns, ``old(x)`` reads the states before all events of that moment.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from izhigen.errors import BackendError, DerivationError
from izhigen.model.events import SPIKE, Trigger
from izhigen.verification.declared import Declared
from izhigen.verification.drive import Drive, Impulse

Array = Any
TOLERANCE = 1e-13
"""Relative, of every state in every step; absolute too, times the state's first value or :data:`SMALL`."""
SMALL = 1e-3
MOST_EVALUATIONS = 4_000_000
"""Evaluations of the right-hand sides of one neuron, at most."""
MOST_ROUNDS = 64
"""Times that events may follow at one moment."""
LOOKS, NARROWED, GOLDEN = 8, 40, (math.sqrt(5) - 1) / 2
"""Places inside a step that are looked at where a margin goes up first and down later, and how its top is narrowed."""
LONGEST = 0.05
"""ms of a step of the solver, at most, where conditions move with time or inputs, of which it knows nothing."""
LITTLE = 1e-6
"""How much earlier ``old(x)`` is, as a part of a step."""
HUGE = 1e150
"""A state beyond this one has left all bounds."""


@dataclass
class Solution:
    """What a reference solution gives.

    Attributes
    ----------
    events : dict of str to list of float
        Times of every event, in ms.
    times, states, inputs : list
        The ends of all steps: time in ms, states, and inputs there.
    dense : list
        Solution inside each step, where it is kept.
    end : float
        Time in ms that it reaches.
    problem : str
        Why it goes no further; empty where it goes to the end.
    evaluations : int
        Of the right-hand sides.
    """

    events: dict[str, list[float]]
    times: list[float] = field(default_factory=list)
    states: list[Array] = field(default_factory=list)
    inputs: list[Array] = field(default_factory=list)
    dense: list[tuple[float, float, Callable[[float], Array]]] = field(default_factory=list)
    end: float = 0.0
    problem: str = ""
    evaluations: int = 0

    def around(self, time: float) -> Array:
        """States at the end of the last step up to a time in ms."""
        return self.states[max(0, int(np.searchsorted(self.times, time, side="right")) - 1)]

    def at(self, times: Array) -> Array:
        """States at given times in ms, shape (times, states), where the solution inside steps was kept."""
        begins, found = [begin for begin, _, _ in self.dense], []
        for time in times:
            _, end, solution = self.dense[max(0, bisect_right(begins, time) - 1)]
            found.append(solution(min(time, end)))
        return np.array(found)


def solver() -> Any:
    """SciPy's DOP853.

    Raises
    ------
    BackendError
        Where SciPy is missing.
    """
    try:
        from scipy.integrate import DOP853
    except ImportError:
        raise BackendError(
            "a reference solution needs SciPy, which is not installed: pip install 'izhigen[verify]'"
        ) from None
    return DOP853


def solve(
    declared: Declared,
    feeds: Mapping[str, Any],
    duration: float,
    column: int = 0,
    keeps_dense: bool = False,
    tolerance: float = TOLERANCE,
) -> Solution:
    """The solution of one neuron from its initial states on.

    Parameters
    ----------
    declared : Declared
    feeds : mapping
        Inputs by name, as a run takes them.
    duration : float
        ms.
    column : int
        Which neuron of inputs with one value a neuron.
    keeps_dense : bool
        Whether the solution inside steps is kept, for :meth:`Solution.at`.
    tolerance : float
        Relative, of a step.

    Raises
    ------
    BackendError
        Where SciPy is missing.
    ValueShapeError
        For inputs without values in continuous time.
    """
    run = _Run(declared, Drive(declared, feeds, column, duration), solver(), tolerance, keeps_dense)
    try:
        run.go()
    except _Stopped as stopped:
        run.found.problem = str(stopped)
    run.found.end = run.t
    return run.found


class _Stopped(Exception):
    """The solution goes no further; says why."""


class _Run:
    """A solution under way."""

    def __init__(self, declared: Declared, drive: Drive, method: Any, tolerance: float, keeps_dense: bool) -> None:
        self.declared, self.drive, self.method, self.keeps_dense = declared, drive, method, keeps_dense
        self.model, self.tolerance = declared.model, tolerance
        states, self.last = declared.initial()
        self.t, self.y = 0.0, np.array(states)
        self.scale = np.maximum(np.abs(self.y), SMALL)
        self.found = Solution({event.name: [] for event in self.model.events})
        self.levels = {e.name for e in self.model.events if self.model.trigger_of(e) is Trigger.LEVEL}
        self.armed = dict.fromkeys(self.found.events, True)
        refractory = self.model.refractory
        self.held = [] if refractory is None else [self.model.states.index(name) for name in refractory.states]
        self.is_held, self.held_until = False, -math.inf
        self.period = declared.parameters["tau_ref"] if self.model.is_held_for_a_time else 0.0
        self.longest = LONGEST if declared.conditions_move else math.inf
        self.x = self._inputs_from(0.0)

    # -- over time --------------------------------------------------------------------------------------------------

    def go(self) -> None:
        """To the end."""
        self.found.times, self.found.states, self.found.inputs = [self.t], [self.y.copy()], [list(self.x)]
        self.armed = {name: not self._holds(name) for name in self.armed}
        self._settle()
        impulses = list(self.drive.impulses)
        for stop in self.drive.stops:
            while self.t < stop:
                self._stretch(min(stop, self.held_until if self.held_until > self.t else stop))
                if self.is_held and self.t >= self.held_until:
                    self._release()
            while impulses and impulses[0].time <= self.t:
                self._arrive(impulses.pop(0))

    def _inputs_from(self, begin: float) -> list[float]:
        """What inputs are from a time on."""
        end = next((stop for stop in self.drive.stops if stop > begin), begin + 1.0)
        self.constant, self.varying = self.drive.over(begin, end)
        return self._inputs(begin)

    def _inputs(self, t: float) -> list[float]:
        if not self.varying:
            return self.constant
        x = list(self.constant)
        for k, functions in self.varying:
            x[k] += sum(function(t) for function in functions)
        return x

    def _slopes(self, t: float, y: Array) -> Array:
        self.found.evaluations += 1
        try:
            slopes = self.declared.rhs(t, y.tolist(), self._inputs(t), self.last)
        except ZeroDivisionError:
            slopes = self._beside(t, y)
        except (OverflowError, ValueError):
            slopes = [math.nan] * len(y)
        found = np.array(slopes, float)
        if self.is_held:
            found[self.held] = 0.0
        return found

    def _beside(self, t: float, y: Array) -> Array:
        """The right-hand sides in a hole of them, such as x/(exp(x) - 1) at 0: the mean of what they are beside it."""
        try:
            sides = (
                self.declared.rhs(t, (y + k * 1e-7 * (np.abs(y) + 1)).tolist(), self._inputs(t), self.last)
                for k in (-1, 1)
            )
            return np.mean(list(sides), axis=0)
        except (ArithmeticError, ValueError):
            return np.full(len(y), math.nan)

    def _stretch(self, stop: float) -> None:
        """To the next event, or to a time up to which nothing else happens."""
        self.x = self._inputs_from(self.t)
        with np.errstate(all="ignore"):
            first = self._slopes(self.t, self.y)
            if not np.isfinite(first).all():
                raise _Stopped(f"the right-hand sides are not finite at t = {self.t:g} ms")
            absolute = self.tolerance * self.scale
            step = self.method(self._slopes, self.t, self.y, stop, self.longest, rtol=self.tolerance, atol=absolute)
            while step.status == "running":
                begin, before, slope = step.t, step.y, step.f
                problem = step.step()
                self._check(step, problem)
                watched = self._watched()
                if watched:
                    place, old = self._first(step, begin, before, slope, watched)
                    if place is not None:
                        self._keep(step, begin, place)
                        self._come(place, step.dense_output()(place), old)
                        return
                self._keep(step, begin, step.t)
                for name in self.armed:
                    self.armed[name] |= not self._holds(name)

    def _check(self, step: Any, problem: str | None) -> None:
        if step.status == "failed" or not np.isfinite(step.y).all() or np.abs(step.y).max() > HUGE:
            state = self.model.states[int(np.argmax(np.nan_to_num(np.abs(step.y), nan=np.inf)))]
            raise _Stopped(
                f"the solution leaves all bounds at t = {step.t:.6g} ms ({state} = {step.y.max():.3g})"
                + (f": {problem}" if problem else "")
            )
        if self.found.evaluations > MOST_EVALUATIONS:
            raise _Stopped(
                f"the reference reached t = {step.t:.4g} ms in {MOST_EVALUATIONS} evaluations: the equations are too "
                "stiff for it, or the run is too long; take a shorter one"
            )

    def _keep(self, step: Any, begin: float, end: float) -> None:
        self.t, self.y = end, step.y if end == step.t else step.dense_output()(end)
        self.found.times.append(end)
        self.found.states.append(self.y.copy())
        self.x = self._inputs(end)
        self.found.inputs.append(list(self.x))
        if self.keeps_dense:
            self.found.dense.append((begin, end, step.dense_output()))

    # -- events -----------------------------------------------------------------------------------------------------

    def _mutes(self, name: str) -> bool:
        return self.is_held and name == SPIKE

    def _holds(self, name: str, y: Array = None, old: Array = None) -> bool:
        now = self.y if y is None else y
        old = now if old is None else old
        try:
            return bool(self.declared.conditions[name](self.t, now, self.x, self.last, old))
        except (ArithmeticError, ValueError):
            return False

    def _watched(self) -> list[tuple[Callable[..., Any], Callable[..., Any] | None, bool]]:
        """Conditions that were false so far, each with its margin, and whether it is to compare with states before."""
        found: list[tuple[Callable[..., Any], Callable[..., Any] | None, bool]] = []
        for name, armed in self.armed.items():
            if armed and not self._mutes(name):
                both = self.declared.conditions[name], self.declared.margins[name]
                found += [(*both, False), (*both, True)][: 2 if name in self.declared.reads_old else 1]
        if self.is_held and self.declared.until is not None:
            found.append((self.declared.until, None, False))
        return found

    def _first(
        self, step: Any, begin: float, before: Array, slope: Array, watched: Any
    ) -> tuple[float | None, Array | None]:
        """The first time in a step at which one of the conditions is true, and what ``old`` means then: states a little
        earlier, where a condition compares with them (``V >= 1 and old(V) < 1``), else None, for those at the time.
        """
        places: list[tuple[float, Array | None]] = []
        for condition, margin, compares in watched:
            old = before if compares else None

            def is_true(t: float, y: Array, condition: Callable[..., Any] = condition, old: Array | None = old) -> bool:
                try:
                    return bool(condition(t, y, self._inputs(t), self.last, y if old is None else old))
                except (ArithmeticError, ValueError):
                    return False

            end = step.t if is_true(step.t, step.y) else self._inside(step, begin, before, slope, is_true, margin)
            if end is None:
                continue
            dense, low, finest = step.dense_output(), begin, LITTLE * (step.t - begin)
            while low < (middle := (low + end) / 2) < end:
                low, end = (low, middle) if is_true(middle, dense(middle)) else (middle, end)
            earlier = None if old is None else dense(max(begin, end - finest))
            if earlier is None or is_true(end, dense(end), old=earlier):
                places.append((end, earlier))
        return min(places, key=lambda place: place[0], default=(None, None))

    def _inside(
        self, step: Any, begin: float, before: Array, slope: Array, is_true: Callable[..., bool], margin: Any
    ) -> float | None:
        """A time at which a condition is true that is false at both ends of a step: where its margin goes up first and
        down later.
        """
        if margin is None:
            return None
        tiny = 1e-6 * (step.t - begin)
        rises = [
            margin(t + tiny, y + tiny * f, self._inputs(t), self.last, before)
            - margin(t, y, self._inputs(t), self.last, before)
            for t, y, f in ((begin, before, slope), (step.t, step.y, step.f))
        ]
        if not rises[0] > 0 > rises[1]:
            return None
        dense = step.dense_output()

        def height(t: float) -> float:
            return float(margin(t, dense(t), self._inputs(t), self.last, before))

        places = np.linspace(begin, step.t, LOOKS + 2)
        top = 1 + int(np.argmax([height(t) for t in places[1:-1]]))
        low, high = float(places[top - 1]), float(places[top + 1])
        for _ in range(NARROWED):  # golden sections
            left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            low, high = (low, right) if height(left) > height(right) else (left, high)
        return low if is_true(low, dense(low)) else None

    def _come(self, t: float, y: Array, old: Array | None) -> None:
        """Go on from an event; ``old`` are states a little before it, where it was found by them."""
        self.t, self.y = t, np.array(y)
        self.x = self._inputs(t)
        if self.is_held and self.declared.until is not None and self.declared.until(t, self.y, self.x, self.last):
            self._release()
        else:
            self._settle(old)

    def _release(self) -> None:
        """The end of a hold."""
        self.is_held, self.held_until = False, -math.inf
        if self.declared.until is not None:
            self.y[-1] = 0.0
        self.armed[SPIKE] = not self._holds(SPIKE)
        self._settle()

    def _arrive(self, impulse: Impulse) -> None:
        """A jump of a state, or what is assigned where an event input is not 0."""
        y = self.y.copy()
        self.x = self._inputs_from(self.t)
        if impulse.name in self.model.event_inputs:
            x = list(self.x)
            x[self.model.inputs.index(impulse.name)] += impulse.weight
            y = np.array(self.declared.arrived[impulse.name](self.t, y, x, self.last, y))
        else:
            y[self.model.states.index(impulse.name.removesuffix("_delta"))] += impulse.weight
        if self.is_held:
            y[self.held] = self.y[self.held]
        self.y = y
        self._settle()

    def _settle(self, old: Array = None) -> None:
        """Events one after the other, until none comes any more; conditions read ``old(x)`` from these states."""
        for _ in range(MOST_ROUNDS):
            before = self.y.copy()
            old = before if old is None else old
            happened = [event.name for event in self.model.events if self._decide(event.name, before, old)]
            if not happened:
                return
            old = None
        raise _Stopped(
            f"{happened[0]} comes again and again at t = {self.t:g} ms, as its condition still holds after what it "
            "assigns; a kernel has it in every step, so there is no solution apart from a step"
        )

    def _decide(self, name: str, before: Array, old: Array) -> bool:
        """Whether an event happens now; it is done then."""
        if self._mutes(name) or not self._holds(name, self.y, old):
            self.armed[name] |= not self._holds(name)
            return False
        if name not in self.levels and not self.armed[name]:
            return False
        self.found.events[name].append(self.t)
        self.y = np.array(self.declared.assigned[name](self.t, self.y, self.x, self.last, before), float)
        if name == SPIKE:
            self.last = self.t
            refractory = self.model.refractory
            if refractory is not None and (refractory.until or self.period > 0):
                self.is_held = True
                self.held_until = math.inf if refractory.until else self.t + self.period
                if refractory.until:
                    self.y[-1] = 1.0
        self.armed[name] = not self._holds(name)
        return True


def check_solution(solution: Solution, what: str) -> None:
    """Refuse a solution that does not reach the end.

    Raises
    ------
    DerivationError
        With the reason.
    """
    if solution.problem:
        raise DerivationError(f"no reference solution for {what}: {solution.problem}")
