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
from typing import Any

import sympy as sp

from izhigen.derive.lowering import symbol
from izhigen.errors import DerivationError, shown
from izhigen.scalars import read_finite

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


def surrogate(function: Callable[..., tuple[Any, Any]]) -> Callable[..., Surrogate]:
    """From a function of exact numbers to gradient and smooth spike, one of numbers to a surrogate."""

    @wraps(function)
    def made(*values: float, **named: float) -> Surrogate:
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = dict(zip(names, function.__defaults__ or ()))
        if len(values) > len(names):
            raise TypeError(f"{function.__name__}() takes at most {len(names)} numbers, {len(values)} given")
        unknown = [name for name in named if name not in names or name in names[: len(values)]]
        if unknown:
            raise TypeError(f"{function.__name__}() has no further argument {shown(unknown[0])} ({', '.join(names)})")
        given = {**defaults, **dict(zip(names, values)), **named}
        numbers = {name: read_finite(value, f"{function.__name__}: {name}") for name, value in given.items()}
        gradient, smooth = function(**{name: exact(value) for name, value in numbers.items()})
        for value in (gradient, smooth):
            if value is not None and value.has(sp.zoo, sp.nan, sp.oo, sp.I):
                raise DerivationError(f"{WHERE}: {function.__name__} has no values for {numbers}")
        return Surrogate(function.__name__, tuple(numbers.items()), gradient, smooth)

    return made


def exact(value: float) -> Any:
    """The decimal that a number prints as, as a rational."""
    fraction = Fraction(repr(float(value)))
    return sp.Rational(fraction.numerator, fraction.denominator)
