"""From a SymPy expression to the text of the equation language, exactly (floats become their decimal rationals)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import sympy as sp
from sympy.printing.str import StrPrinter

from izhigen.errors import EquationError
from izhigen.model.expressions import NEW, OLD, check_name
from izhigen.model.functions import LAST_SPIKE

_RENAMED = {
    "Abs": "abs",
    "absolute": "abs",
    "sign": "sign",
    "signum": "sign",
    "Max": "max",
    "Min": "min",
    "maximum": "max",
    "minimum": "min",
    "Heaviside": "heaviside",
    "heaviside": "heaviside",
    "floor": "floor",
    "floor_": "floor",
    "phi1": "exprel",
    "expm1": "expm1",
    "log1p": "log1p",
    "exp": "exp",
    "log": "log",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "tanh": "tanh",
    "sinh": "sinh",
    "cosh": "cosh",
    "erf": "erf",
    "where": "where",
}


RECIPROCALS = {"sec": "cos", "csc": "sin", "cot": "tan", "sech": "cosh", "csch": "sinh", "coth": "tanh"}
"""Functions that SymPy makes of a quotient by itself."""


class _TextPrinter(StrPrinter):  # type: ignore[misc]
    """Prints what the parser reads back; anything else is refused by name."""

    def _print_Exp1(self, expr: Any) -> str:
        return "exp(1)"

    def _print_Symbol(self, expr: Any) -> str:
        """A name, whole: one that holds other text would be read as an expression."""
        if expr.name == f"{OLD}((t - {LAST_SPIKE}))":
            return f"{OLD}(t - {LAST_SPIKE})"
        which, bracket, state = expr.name.partition("(")
        if bracket and which in (OLD, NEW):  # as the derivation writes a state at another moment of a step
            return f"{which}({check_name(state.removesuffix(')'), 'SymPy symbol')})"
        if expr.name == f"(t - {LAST_SPIKE})":
            return str(expr.name)
        return check_name(expr.name, "SymPy symbol")

    def _print_Pi(self, expr: Any) -> str:
        return "pi"

    def _print_Function(self, expr: Any) -> str:
        name = type(expr).__name__
        if name in RECIPROCALS:
            return f"(1/{RECIPROCALS[name]}({self._print(expr.args[0])}))"
        if name in (OLD, NEW):  # sympy.Function("old")(V)
            return f"{name}({', '.join(self._print(a) for a in expr.args)})"
        if name not in _RENAMED:
            raise NotImplementedError(name)
        arguments = expr.args[:1] if name == "Heaviside" else expr.args
        return f"{_RENAMED[name]}({', '.join(self._print(a) for a in arguments)})"

    _print_sec = _print_csc = _print_cot = _print_Function
    _print_Abs = _print_Max = _print_Min = _print_Heaviside = _print_log = _print_floor = _print_Function

    def _print_Piecewise(self, expr: Any) -> str:
        *pairs, (last, condition) = expr.args
        if condition is not sp.true:
            raise NotImplementedError("Piecewise without a final (value, True)")
        text = self._print(last)
        for value, condition in reversed(pairs):
            text = f"where({self._print(condition)}, {self._print(value)}, {text})"
        return str(text)

    def _print_Relational(self, expr: Any) -> str:
        operator = {"==": "==", "!=": "!="}.get(expr.rel_op, expr.rel_op)
        return f"({self._print(expr.lhs)} {operator} {self._print(expr.rhs)})"

    def _print_And(self, expr: Any) -> str:
        return "(" + " and ".join(self._print(a) for a in sorted(expr.args, key=sp.default_sort_key)) + ")"

    def _print_Or(self, expr: Any) -> str:
        return "(" + " or ".join(self._print(a) for a in sorted(expr.args, key=sp.default_sort_key)) + ")"

    def _print_Not(self, expr: Any) -> str:
        return f"(not {self._print(expr.args[0])})"

    def emptyPrinter(self, expr: Any) -> str:
        raise NotImplementedError(type(expr).__name__)


def _exact(number: Any) -> Any:
    """The decimal that a float prints as, as a rational: printing places parentheses by what it sees."""
    value = Fraction(repr(float(number)))
    return sp.Rational(value.numerator, value.denominator)


def sympy_text(expression: Any, where: str) -> str:
    """Text that parses to the given SymPy expression.

    Raises
    ------
    EquationError
        For a function or object outside the equation language, and for non-real constants.
    """
    if expression.has(sp.I) or expression.has(sp.zoo, sp.oo, -sp.oo, sp.nan):
        raise EquationError("constants must be finite and real", where)
    expression = expression.xreplace({number: _exact(number) for number in expression.atoms(sp.Float)})
    try:
        return str(_TextPrinter({"full_prec": True}).doprint(expression))
    except NotImplementedError as unknown:
        raise EquationError(f"SymPy's {unknown} is not part of the equation language", where) from None
