"""Durations in ms to whole numbers of steps, without the traps of ``int(duration/dt)``: int(0.3/0.1) is 2."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, shown
from izhigen.scalars import carries_unit, read_real, read_whole
from izhigen.units.quantities import plain

MOST_STEPS = 1e15
"""Longest run, in steps: time must stay a whole number of steps in float64."""
BEYOND_ANY_RUN = 2**60
"""A step that no run reaches."""
TOLERANCE = 1e-6
"""Fraction of a step by which a time may miss a step's edge and still be on it."""


def in_ms(time: Any, what: str) -> Any:
    """A time that may be a quantity as a number of ms."""
    return plain(time, "ms", what, ValueShapeError) if carries_unit(time) else time


def check_dt(dt: object) -> float:
    """A positive finite step, or an error."""
    dt = in_ms(dt, "dt")
    step = read_real(dt, "dt")
    if not math.isfinite(step) or step <= 0:
        raise ValueShapeError(f"dt={shown(dt)} is not a step: give a positive number of ms")
    single = isinstance(dt, np.floating) and dt.dtype == np.float32
    return float(str(dt)) if single else step  # np.float32(0.1) means 0.1 ms, not 0.10000000149


def first_step_at_or_after(time: float, dt: float) -> int:
    """Index of the first step that starts at ``time`` or later; :data:`BEYOND_ANY_RUN` for one that no run reaches."""
    return math.ceil(min(time / dt - TOLERANCE, BEYOND_ANY_RUN))


EDGE = 1e-3
"""Fraction of a step by which a spike may be after the end of its step and still be of it, as times are rounded."""


def steps_of(times: np.ndarray, dt: float) -> np.ndarray:
    """The steps, counted from time 0, in which spikes are: a time at the end of a step, or inside, is of that step."""
    return np.ceil(np.asarray(times) / dt - EDGE) - 1


def whole_steps(duration: float, dt: float, what: str = "duration") -> int:
    """The number of steps in a duration, which must hold a whole number of them.

    Raises
    ------
    ValueShapeError
        For a negative or non-finite duration, or one that is no multiple of dt.
    """
    given, duration = duration, read_real(in_ms(duration, what), what)
    if not math.isfinite(duration) or duration < 0:
        raise ValueShapeError(f"{what}={shown(given)} is not a duration: give a number of ms that is not negative")
    if duration / dt > MOST_STEPS:
        raise ValueShapeError(f"{what}={duration:g} ms is more than {MOST_STEPS:g} steps of dt={dt:g} ms")
    steps = round(float(duration) / dt)
    if abs(float(duration) / dt - steps) > max(TOLERANCE, 1e-12 * steps):
        raise ValueShapeError(
            f"{what}={duration:g} ms is not a whole number of steps of dt={dt:g} ms; "
            f"{steps * dt:g} ms would be, or give steps="
        )
    return steps


def count_steps(duration: float | None, steps: int | None, dt: float) -> int:
    """The steps of a run, asked for as a duration in ms or as a number of steps.

    Raises
    ------
    ValueShapeError
        For both, neither, or what is no number of steps.
    """
    if duration is not None and steps is None:
        return whole_steps(duration, dt)
    if duration is not None or steps is None:
        raise ValueShapeError(
            "run takes either a duration in ms, as in run(500.0), or a number of steps, as in run(steps=5000)"
        )
    number = read_whole(steps, 0, int(MOST_STEPS))
    if number is None:
        raise ValueShapeError(f"steps={shown(steps)} is not a number of steps (at most {MOST_STEPS:g})")
    return number
