"""All choices over a ladder of steps within a time: rung by rung from the coarsest, the quickest choice first."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from izhigen.errors import IzhigenError, first_line
from izhigen.verification.ladder import NO_TIME, Both, Choice, Curve, Point, Subject, errors_at
from izhigen.verification.timing import Timer, costs

DTYPES = ("float64", "float32")
FOR_ERRORS = 0.7
"""The part of the time that errors may take; the rest is for costs."""


@dataclass
class _Lane:
    """A choice on its way down the ladder."""

    subject: Subject
    choice: Choice
    problem: str = ""
    seconds: float = 0.0
    """That a simulated ms took at the last rung, times its dt."""
    points: dict[str, list[Point]] = field(default_factory=lambda: {dtype: [] for dtype in DTYPES})

    def step(self, dt: float, deadline: float) -> None:
        """The next rung, or none where it would end after the deadline."""
        if self.problem:
            return
        if time.monotonic() + self.seconds / dt > deadline:
            for points in self.points.values():
                points.append(Point(dt, problem=NO_TIME))
            return
        try:
            if not self.points[DTYPES[0]]:  # builds the kernels, so that the time below is that of a run
                for dtype in DTYPES:
                    errors_at(self.subject, self.choice, dtype, dt)
            started = time.monotonic()
            for dtype, points in self.points.items():
                points.append(errors_at(self.subject, self.choice, dtype, dt))
            self.seconds = (time.monotonic() - started) * dt
        except IzhigenError as problem:
            self.problem = first_line(problem)

    def curve(self, dtype: str) -> Curve:
        """What is known of it in a number type."""
        return Curve(self.choice, dtype, () if self.problem else tuple(self.points[dtype]), self.problem)


def compare(
    subject: Subject, chosen: Sequence[Choice], rungs: Sequence[float], dtype: str, seconds: float
) -> list[Both]:
    """Errors of all choices in both number types, and costs in one of them."""
    begun = time.monotonic()
    lanes = [_Lane(subject, choice) for choice in chosen]
    for dt in rungs:
        for lane in sorted(lanes, key=lambda lane: lane.seconds):
            lane.step(dt, begun + FOR_ERRORS * seconds)
    for lane, points in zip(lanes, timed([lane.curve(dtype) for lane in lanes], subject, begun + seconds)):
        lane.points[dtype] = points
    return [Both(*(lane.curve(each) for each in DTYPES)) for lane in lanes]


def timed(curves: Sequence[Curve], subject: Subject, deadline: float = math.inf) -> Iterator[list[Point]]:
    """The points of each curve, with costs where they have errors."""
    timers = [
        None if point.problem else Timer(subject, curve.choice, curve.dtype, point.dt)
        for curve in curves
        for point in curve.points
    ]
    found = iter(costs([timer for timer in timers if timer is not None], deadline))
    for curve in curves:
        yield [point if point.problem else replace(point, cost=next(found)) for point in curve.points]
