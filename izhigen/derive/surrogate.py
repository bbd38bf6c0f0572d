"""Surrogate gradients: what stands in the place of a spike's derivative, which is 0 wherever it exists.

A spike is H(x), 1 for x >= 0, of the margin x by which its condition holds, such as ``V - V_th``. Going back through
it, H' is replaced by a smooth function of x (Neftci et al. 2019, IEEE Signal Process. Mag. 36:51). The choice changes
no spike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec

import sympy as sp

from izhigen.derive.lowering import symbol
from izhigen.errors import ValueShapeError
from izhigen.scalars import read_finite

P = ParamSpec("P")
X = symbol("x")
"""The margin of a condition, times the scale."""
WHERE = "surrogate"
"""How errors call one."""


@dataclass(frozen=True)
class Surrogate:
    """A surrogate gradient.

    Attributes
    ----------
    name : str
        Of the function that made it, or the text that a user gave.
    arguments : tuple of (str, float)
    gradient : Expr
        In :data:`X`: what stands for H'(x).
    smooth : Expr or None
        A function with that derivative: what a spike is where spikes are smooth. None where there is no closed form.
    """

    name: str
    arguments: tuple[tuple[str, float], ...]
    gradient: Any
    smooth: Any = None

    def __repr__(self) -> str:
        if not self.arguments:
            return self.name
        return f"{self.name}({', '.join(f'{name}={value:g}' for name, value in self.arguments)})"


def surrogate(*may_be_zero: str) -> Callable[[Callable[P, tuple[Any, Any]]], Callable[P, Surrogate]]:
    """From a function of exact numbers to gradient and smooth spike, one of numbers to a surrogate.

    The numbers are above 0, those that are named here 0 or above: no spike has a negative width, slope or height.
    """

    def of(function: Callable[P, tuple[Any, Any]]) -> Callable[P, Surrogate]:
        bounds = signature(function)

        @wraps(function)
        def made(*values: P.args, **named: P.kwargs) -> Surrogate:
            try:
                given = bounds.bind(*values, **named)
            except TypeError as problem:
                known = ", ".join(bounds.parameters)
                raise TypeError(f"{function.__name__}() takes {known}: {problem}") from None
            given.apply_defaults()
            numbers = {}
            for name, value in given.arguments.items():
                number = numbers[name] = read_finite(value, f"{function.__name__}: {name}")
                if number < 0 or (number == 0 and name not in may_be_zero):
                    least = "0 or above" if name in may_be_zero else "above 0"
                    raise ValueShapeError(f"{function.__name__}: {name}={number:g} is not a number {least}")
            gradient, smooth = function(**{name: exact(value) for name, value in numbers.items()})  # type: ignore[call-arg]
            return Surrogate(function.__name__, tuple(numbers.items()), gradient, smooth)

        return made

    return of


def exact(value: float) -> Any:
    """The decimal that a number prints as, as a rational."""
    fraction = Fraction(repr(float(value)))
    return sp.Rational(fraction.numerator, fraction.denominator)
