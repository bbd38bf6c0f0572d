"""Parts that composition adds to a declaration."""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.model.equations import Equation
from izhigen.model.expressions import Expression, parse_expression

REFRACTORY = Equation("refractory", parse_expression("0"), "", True)
"""The equation of the state that is 1 in neurons that are refractory until a condition holds."""


@dataclass(frozen=True)
class Current:
    """A current added to the input ``to``.

    One that is ``held`` keeps its value during a step, unless the model has a liquid time constant; one that is not, as
    of a channel in the membrane, is always part of the equations.
    """

    expression: Expression
    to: str
    held: bool = True


@dataclass(frozen=True)
class Refractory:
    """``states`` keep their values while ``t - t_last_spike <= tau_ref``, or from a spike ``until`` a condition."""

    states: tuple[str, ...]
    until: Expression | None = None

    def __str__(self) -> str:
        what = f"{', '.join(self.states)} held" if self.states else "no spike"
        return f"{what} " + (f"until {self.until.text}" if self.until else "while t - t_last_spike <= tau_ref")


@dataclass(frozen=True)
class Noise:
    """White noise of the given amplitude on a state; what the amplitude reads is taken at the step's start (Ito)."""

    state: str
    amplitude: Expression
