"""What a target's templates call the things that statements need beside a kernel's own values.

A kernel is the same for all targets. What tells which form of phi1 serves, and how the end of a hold is found, differs:
a target states its words for them, which are put into statements before these are printed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import sympy as sp

from izhigen.codegen.back import phi2_ranged
from izhigen.codegen.body import PERIOD, TIME_NOW, release_step, time_since
from izhigen.codegen.kernel import Kernel, phi1_ranged
from izhigen.codegen.procedure import Kind, Procedure, Statement, Store, Word
from izhigen.derive.functions import OwnFunction

TIME_STEP = Word("time_step", real=True)
"""dt in double precision."""

Some = TypeVar("Some", bound=Statement)


class call(OwnFunction):
    """A call of a function that a target's templates define: ``call(name, *arguments)``."""


@dataclass(frozen=True)
class Words:
    """The words of a target.

    Attributes
    ----------
    form : tuple of Word
        What ``iz_phi1_form`` is given after its argument.
    release : tuple of Word
        The function that finds the first step after a hold, and what it is given: ``TIME_NOW`` stands for the time
        when the hold began, and ``PERIOD`` for its length.
    since : tuple of Word or Symbol
        The function that finds the time since the last spike, and what it is given.
    since_inside : tuple of Word or Symbol
        The same where spikes are inside steps, if it is something else then.
    stamp : Store or None
        What is stored of an event's step, where a population keeps no times in double precision.
    in_parts : bool
        Whether a step is made in two parts: first the phi1 whose arguments are checked, then the rest.
    holder : str
        What holds the values of neurons that outlive a step.
    """

    form: tuple[Word, ...]
    release: tuple[Word, ...]
    since: tuple[sp.Symbol, ...]
    since_inside: tuple[sp.Symbol, ...] = ()
    stamp: Store | None = None
    in_parts: bool = False
    holder: str = "neuron"

    def of(self, kernel: Kernel) -> Words:
        """The words for a kernel."""
        is_inside = kernel.step.location is not None and self.since_inside
        return replace(self, since=self.since_inside) if is_inside else self

    def step(self, kernel: Kernel) -> Procedure:
        """The part of a step that changes states."""
        return kernel["rest" if self.in_parts else "step"]

    def back(self, kernel: Kernel) -> Procedure:
        """The way back through a step, or the part of it after the phi2 whose arguments are checked."""
        return kernel["back_rest" if self.in_parts else "back"]

    def kept(self, stores: Iterable[Store], *, elapses: bool) -> tuple[Store, ...]:
        """The stores of what a population keeps; without times, the step of an event where the time since is read."""
        if self.stamp is None:
            return tuple(stores)
        stamps = (self.stamp,) if elapses else ()
        return tuple(new for s in stores for new in ((s,) if s.kind is not Kind.TIME else stamps))

    def put_into(self, statement: Some) -> Some:
        """The statement in this target's words."""

        def release(since: Word, period: Word) -> call:
            return call(*self.release).xreplace({TIME_NOW: since, PERIOD: period})

        expression = statement.expression.replace(phi1_ranged, lambda z: phi1_ranged(z, *self.form))
        expression = expression.replace(phi2_ranged, lambda z: phi2_ranged(z, *self.form))
        expression = expression.replace(time_since, lambda last: call(*self.since))
        return replace(statement, expression=expression.replace(release_step, release))
