"""What going back through the steps of a run needs, and finds: the gradient of a loss with respect to what they were
given, from that with respect to what they left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Array = Any


@dataclass(frozen=True, eq=False)
class Kept:
    """States at the beginning of a run's segments, written down on the way, to go back through the run from there.

    Attributes
    ----------
    first_step : int
        Of the run; the first segment begins there, each later one at the next multiple of ``every``.
    every : int
    rows : mapping
        Name of each state to an array (segments, n).
    """

    first_step: int
    every: int
    rows: Mapping[str, Array]

    def row_at(self, step: int) -> int:
        """Number of the segment that a step belongs to."""
        return step // self.every - self.first_step // self.every

    def is_start(self, step: int) -> bool:
        """Whether a segment begins with a step."""
        return step == self.first_step or step % self.every == 0

    def start(self, row: int) -> int:
        """First step of a segment."""
        return max(self.first_step, (self.first_step // self.every + row) * self.every)


@dataclass(frozen=True, eq=False)
class Cotangent:
    """The gradient of a loss with respect to values of a run's steps.

    Attributes
    ----------
    values : array, shape (1 or rows, 1 or n), in the kernel's type
        Contiguous. Row r is that of step ``(r + 1)*every - 1`` of the run; other steps have 0.
    every : int
    """

    values: Array
    every: int = 1

    def share(self, start: int, stop: int) -> Cotangent:
        """That of some of the neurons."""
        return Cotangent(self.values[:, start:stop], self.every) if self.values.shape[1] > 1 else self

    def at(self, step: int) -> Array | None:
        """The values of a step of the run; None for a step without."""
        row, rest = divmod(step + 1, self.every)
        return None if rest else self.values[row - 1 if len(self.values) > 1 else 0]


@dataclass(frozen=True, eq=False)
class Pullback:
    """What going back through a block of steps is given, and what it finds.

    Attributes
    ----------
    kept : Kept
        The states at the beginning of the segments. The block begins with a segment and ends with one, or the run.
    first : int
        The first step of the block that is gone back through; those before it are only made again.
    given : mapping
        Name of a state or an event to the gradients with respect to it after the steps of the run.
    counts : mapping
        Name of an event to the gradients with respect to the number of them, in one row.
    states : mapping
        Name of each state to an array of n values: the gradient with respect to the states after the block, which
        becomes that with respect to the states before step ``first``.
    inputs : mapping
        Name of an input to an array (steps, n) that its gradients are written to.
    parameters : mapping
        Name of a parameter to an array of n values in double precision that its gradients are added to.
    """

    kept: Kept
    first: int
    given: Mapping[str, Cotangent]
    counts: Mapping[str, Cotangent]
    states: Mapping[str, Array]
    inputs: Mapping[str, Array]
    parameters: Mapping[str, Array]
