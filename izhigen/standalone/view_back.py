"""What templates of projects print of the way back: how gradients pass through events, and golden ones."""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.codegen.identifiers import c_name
from izhigen.codegen.plain import plain_markdown
from izhigen.derive.adjoint import Detach, Training
from izhigen.standalone.golden import Golden
from izhigen.standalone.golden_back import KEPT_EVERY, GoldenBack
from izhigen.standalone.numbers import row_of, rows_of
from izhigen.standalone.oracle_back import FACTORS, WEIGHT_STEPS, WEIGHTS

PASSED = {
    Detach.NONE: "They also pass through what an event assigns.",
    Detach.RESET: "They do not pass through what an event assigns.",
    Detach.ALL: "None of them passes through an event.",
}
"""What the README says of gradients, by what is detached."""


@dataclass(frozen=True)
class GoldenBackView:
    """A self test's golden gradients as C text; see :class:`izhigen.standalone.golden_back.GoldenBack`.

    Attributes
    ----------
    states, events, parameters, inputs : tuple of str
        C names of what the loss depends on, and of what gradients are due of, in the order of the values.
    surrogate, passed : str
        What stands for the derivative of a spike, and through what gradients pass, in words; empty without events.
    kept_every, kinds, weight_steps
        Steps between rows of kept states; kinds of cotangents; how far apart the weights of two kinds begin, and of two
        rows.
    weights, factors : tuple of str
        In the kernel's type.
    segments, every, first_row : tuple of int
        Of each run: the segment that it starts from, after how many steps the loss depends on states, and its first row
        of values.
    values, tolerance : tuple of tuple of str
        Rows of values; rows of tolerances, one a name for each run.
    comparisons : int
        Gradients that are compared.
    """

    states: tuple[str, ...]
    events: tuple[str, ...]
    parameters: tuple[str, ...]
    inputs: tuple[str, ...]
    surrogate: str
    passed: str
    kept_every: int
    kinds: int
    weight_steps: tuple[int, int]
    weights: tuple[str, ...]
    factors: tuple[str, ...]
    segments: tuple[int, ...]
    every: tuple[int, ...]
    first_row: tuple[int, ...]
    values: tuple[tuple[str, ...], ...]
    tolerance: tuple[tuple[str, ...], ...]
    comparisons: int


def view_of_golden_back(back: GoldenBack, golden: Golden, training: Training, suffix: str) -> GoldenBackView:
    """The golden gradients of a self test, with the suffix of the kernel's literals."""
    single, first_row = len(back.states) + len(back.parameters), [0]
    for run in back.runs:
        first_row.append(first_row[-1] + len(run.values))
    steps = [golden.segments[run.segment].steps for run in back.runs]
    compared = [[sum(x > 0 for x in row) for row in run.tolerance] for run in back.runs]
    is_passed = back.events and training.surrogate is not None and training.detach is not Detach.ALL
    scaled = f", of {training.scale:g} times the margin" if training.scale != 1.0 else ""
    return GoldenBackView(
        states=tuple(map(c_name, back.states)),
        events=tuple(map(c_name, back.events)),
        parameters=tuple(map(c_name, back.parameters)),
        inputs=tuple(map(c_name, back.inputs)),
        surrogate=plain_markdown(f"{training.surrogate!r}{scaled}") if is_passed else "",
        passed=PASSED[training.detach] if back.events else "",
        kept_every=KEPT_EVERY,
        kinds=2 * (len(back.states) + len(back.events)),
        weight_steps=WEIGHT_STEPS,
        weights=row_of(WEIGHTS, suffix),
        factors=row_of(FACTORS, suffix),
        segments=tuple(run.segment for run in back.runs),
        every=tuple(run.every for run in back.runs),
        first_row=tuple(first_row[:-1]),
        values=tuple(row for run in back.runs for row in rows_of(run.values)),
        tolerance=tuple(row for run in back.runs for row in rows_of(run.tolerance)),
        comparisons=sum(sum(row[:single]) + count * sum(row[single:]) for row, count in zip(compared, steps)),
    )
