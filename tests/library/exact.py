"""Spike times of hand-written right-hand sides, by SciPy's DOP853 with located crossings; nothing of izhigen is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Function = Callable[..., Any]


def crossings(rhs: Function, start: Sequence[float], duration: float, margin: Function, reset: Function | None = None):
    """Times in ms at which ``margin(y)`` rises through 0, and the last state.

    Parameters
    ----------
    rhs : callable
        ``rhs(y)``, per ms.
    start : sequence of float
    duration : float
        ms.
    margin : callable
    reset : callable, optional
        ``reset(y)``, the state after a crossing.
    """
    from scipy.integrate import solve_ivp

    def event(t: float, y: Any) -> float:
        return float(margin(y))

    event.direction = 1.0  # type: ignore[attr-defined]
    event.terminal = reset is not None  # type: ignore[attr-defined]
    times: list[float] = []
    t, y = 0.0, np.asarray(start, dtype=float)
    while t < duration:
        found = solve_ivp(
            lambda t, y: rhs(y), (t, duration), y, "DOP853", events=event, rtol=1e-10, atol=1e-11, max_step=1.0
        )
        assert found.success, found.message
        times += found.t_events[0].tolist()
        t, y = float(found.t[-1]), found.y[:, -1]
        if found.status != 1 or reset is None:
            break
        y = np.asarray(reset(y), dtype=float)
    return np.array(times), y


def rest(rhs: Function, guess: Sequence[float]):
    """The fixed point near a guess."""
    from scipy.optimize import root

    found = root(rhs, guess, tol=1e-12)
    assert found.success, found.message
    return found.x
