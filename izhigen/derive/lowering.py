"""From the parsed tree to SymPy: real symbols, exact rationals, functions with almost-everywhere derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, reduce
from typing import Any

import sympy as sp

from izhigen.derive import functions as f
from izhigen.errors import DerivationError, shown
from izhigen.model.expressions import Binary, Call, Compare, Expression, Logical, Moment, Name, Negative, Node, Number
from izhigen.model.from_sympy import RECIPROCALS
from izhigen.model.functions import LAST_SPIKE

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "tanh": sp.tanh,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "erf": sp.erf,
    "abs": f.absolute,
    "sign": f.signum,
    "heaviside": f.heaviside,
    "floor": f.floor_,
    "expm1": f.expm1,
    "log1p": f.log1p,
    "exprel": f.phi1,
    "where": f.where,
    "min": lambda *a: reduce(f.minimum, a),
    "max": lambda *a: reduce(f.maximum, a),
    "clip": lambda x, low, high: f.minimum(f.maximum(x, low), high),
}
_OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "<": sp.Lt,
    "<=": sp.Le,
    ">": sp.Gt,
    ">=": sp.Ge,
    "==": sp.Eq,
    "!=": sp.Ne,
    "and": sp.And,
    "or": sp.Or,
    "not": sp.Not,
}


Moments = Mapping[str, Mapping[sp.Symbol, sp.Symbol]]
"""What states are at other moments of a step: within ``old(...)``, and within ``new(...)``."""


@lru_cache(maxsize=4096)
def symbol(name: str) -> sp.Symbol:
    """The real symbol of that name; all stages use this one."""
    return sp.Symbol(name, real=True)


T, DT = symbol("t"), symbol("dt")
"""Time at the step's start and the step, in ms."""
SINCE_SPIKE = symbol(f"(t - {LAST_SPIKE})")
"""Time from the start of the step of a neuron's last spike to that of the present one: a difference of times in double
precision. The name is one that no model has, and what reports show.
"""


def at_start(state: sp.Symbol) -> sp.Symbol:
    """What ``old(state)`` means where the state's own symbol stands for a later value; no model has such a name."""
    return symbol(f"old({state.name})")


def just_assigned(state: sp.Symbol) -> sp.Symbol:
    """What ``new(state)`` means: the value that a line above has assigned."""
    return symbol(f"new({state.name})")


def moments_of(states: Iterable[sp.Symbol], assigned: Iterable[sp.Symbol] = ()) -> Moments:
    """What states are within ``old(...)`` and ``new(...)``, where lines above have assigned some."""
    old = {name: at_start(name) for name in (*states, SINCE_SPIKE)}
    return {"old": old, "new": {s: just_assigned(s) for s in assigned}}


def _lower(node: Node, symbols: Mapping[str, Any], moments: Moments) -> Any:
    def part(inner: Node) -> Any:
        return _lower(inner, symbols, moments)

    if isinstance(node, Number):
        return sp.Rational(node.value.numerator, node.value.denominator)
    if isinstance(node, Name):
        if node.id == LAST_SPIKE:  # so that a difference of times is one, whatever stands around it
            return T - SINCE_SPIKE
        return sp.pi if node.id == "pi" else symbols.get(node.id, symbol(node.id))
    if isinstance(node, Negative):
        return -part(node.operand)
    if isinstance(node, (Binary, Compare)):
        return _OPERATIONS[node.operator](part(node.left), part(node.right))
    if isinstance(node, Logical):
        return _OPERATIONS[node.operator](*map(part, node.operands))
    if isinstance(node, Moment):
        return part(node.operand).xreplace(moments[node.which])
    assert isinstance(node, Call)
    return FUNCTIONS[node.function](*map(part, node.arguments))


def _reciprocal(name: str) -> Callable[[Any], Any]:
    function = FUNCTIONS[name]
    return lambda x: 1 / function(x)


_FOREIGN = {
    sp.Abs: f.absolute,
    sp.sign: f.signum,
    **{getattr(sp, name): _reciprocal(of) for name, of in RECIPROCALS.items()},
}


def own_functions(expression: Any) -> Any:
    """Functions that SymPy brings in (``sqrt(x**2)`` becomes ``Abs(x)``) as those of the equation language."""
    for foreign, own in _FOREIGN.items():
        if expression.has(foreign):
            expression = expression.replace(foreign, own)
    return expression


def lower(
    expression: Expression, where: str, symbols: Mapping[str, Any] | None = None, moments: Moments | None = None
) -> Any:
    """The SymPy value of an expression; ``symbols`` replaces names (by algebraic definitions, say), and ``moments``
    says what states are within ``old(...)`` and ``new(...)``.

    Raises
    ------
    DerivationError
        When the expression is not finite or not real for any value of its symbols, such as ``1/(V - V)``.
    """
    result = own_functions(_lower(expression.tree, symbols or {}, moments or {}))
    if result.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise DerivationError(
            f"{where}: {shown(expression.text)} divides by zero or overflows whatever its symbols hold"
        )
    if result.has(sp.I):
        raise DerivationError(f"{where}: {shown(expression.text)} is not real")
    return result
