"""Parts that composition adds to a declaration."""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.model.expressions import Expression


@dataclass(frozen=True)
class Current:
    """A current added to the input ``to``; held during a step unless the model has a liquid time constant."""

    expression: Expression
    to: str


@dataclass(frozen=True)
class Refractory:
    """``state`` keeps its value while ``t - t_last_spike <= tau_ref``."""

    state: str


@dataclass(frozen=True)
class Noise:
    """Additive white noise of the given amplitude on a state."""

    state: str
    amplitude: Expression
