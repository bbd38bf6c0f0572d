"""The way back through a step on plain arrays: its adjoint, evaluated by NumPy."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from izhigen.backends.engine import Block
from izhigen.backends.hoisting import Constants
from izhigen.backends.pullback import Pullback
from izhigen.codegen.agreed import SUMMED_STEPS
from izhigen.derive.adjoint import Adjoint
from izhigen.derive.lowering import DT, symbol

Array = Any


class Moment(Protocol):
    """A step that was made: its number, and everything that it was given and found, by name."""

    block: Block
    k: int
    n: int
    values: dict[str, Any]


class AdjointArrays:
    """The adjoint of a step, evaluated on arrays."""

    def __init__(self, adjoint: Adjoint, evaluate: Callable[[Any], Callable[[Mapping[str, Any]], Any]]) -> None:
        self._adjoint = adjoint
        constants = Constants({*map(symbol, adjoint.step.model.parameters), DT}, "constant of the way back")
        self._values = [
            (a.symbol.name, evaluate(constants.hoisted(a.expression))) for a in (*adjoint.forward, *adjoint.backward)
        ]
        self._bars = {name.name: evaluate(constants.hoisted(value)) for name, value in adjoint.bars.items()}
        self._constants = [(name, evaluate(value)) for name, value in constants.found]
        self._known: tuple[Callable[[], Block | None], dict[str, Any]] = (lambda: None, {})
        self._sums: dict[str, Array] = {}

    def pull(self, now: Moment, pullback: Pullback) -> None:
        """Go back through one step."""
        step, dtype, n = now.k - pullback.kept.first_step, now.values[DT.name].dtype, now.n
        values = {**now.values, **self._of_block(now)}
        values |= {
            self._adjoint.bar(state).name: self._sum(pullback.states[state.name].copy(), state.name, step, pullback)
            for state in self._adjoint.states
        }
        values |= {
            self._adjoint.bar(event.symbol).name: self._sum(np.zeros(n, dtype), event.name, step, pullback)
            for event in self._adjoint.step.events
        }
        for name, value in self._values:
            values[name] = value(values)
        found = {name: np.broadcast_to(np.asarray(value(values), dtype), n) for name, value in self._bars.items()}
        for state in self._adjoint.states:
            pullback.states[state.name][:] = found[state.name]
        for name, rows in pullback.inputs.items():
            rows[now.k - now.block.first_step] = found[name]
        for name, total in pullback.parameters.items():
            self._sums[name] = self._sums.get(name, np.zeros(n, dtype)) + found[name]
            if now.k % SUMMED_STEPS == 0 or now.k == pullback.first:
                total += self._sums.pop(name)

    def _of_block(self, now: Moment) -> dict[str, Any]:
        """What all steps of a block share."""
        if self._known[0]() is not now.block:
            values = dict(now.values)
            for name, value in self._constants:
                values[name] = value(values)
            self._known = weakref.ref(now.block), {name: values[name] for name, _ in self._constants}
        return self._known[1]

    def _sum(self, bar: Array, name: str, step: int, pullback: Pullback) -> Array:
        """With the gradients that the loss itself has with respect to a state or event."""
        row = pullback.given[name].at(step) if name in pullback.given else None
        bar = bar if row is None else bar + row
        return bar + pullback.counts[name].values[0] if name in pullback.counts else bar
