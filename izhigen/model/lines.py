"""A model's algebraic lines, evaluated with NumPy for given values of states, inputs and parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from izhigen.model.functions import CONSTANTS
from izhigen.model.model import Declaration

Array = Any


def line_names(model: Declaration) -> tuple[str, ...]:
    """Names of the algebraic lines, in the order of the equations."""
    return tuple(e.name for e in model.equations if not e.is_ode)


def read_by_lines(model: Declaration, lines: Iterable[str]) -> set[str]:
    """States, inputs, parameters and times that lines read, also through other lines and currents of an input."""
    return model.reads(lines) - set(line_names(model)) - CONSTANTS.keys()


def bind_lines(model: Declaration, values: Mapping[str, Any], lines: Iterable[str]) -> dict[str, Any]:
    """The values, with those of the lines, and with every input as equations mean it: with the currents that add to it.

    ``values`` gives a number or an array for everything that the lines read (:func:`read_by_lines`),
    and for the inputs that currents add to; currents see the inputs as they are given.
    Shapes broadcast, and number types are as NumPy's rules make them.
    """
    definitions = {e.name: e.expression for e in model.equations if not e.is_ode}

    def bind(name: str, bound: dict[str, Any]) -> None:
        if name in definitions and name not in bound:
            for other in definitions[name].names:
                bind(other, bound)
            bound[name] = definitions[name].evaluate(bound)

    given, sums = dict(values), dict[str, Any]()
    with np.errstate(all="ignore"):
        for current in model.currents:
            if current.to in values:
                for other in current.expression.names:
                    bind(other, given)
                sums[current.to] = sums.get(current.to, values[current.to]) + current.expression.evaluate(given)
        bound = {**values, **sums}
        for name in lines:
            bind(name, bound)
    return bound
