"""C spellings with the functions of the C library."""

from __future__ import annotations

from typing import Any

import sympy as sp

from izhigen.codegen.printers.c import HIGHEST_HALF_POWER, CPrinter
from izhigen.derive.functions import BLOCK_BOUND, LIMIT, phi1, phi2


class LibraryPrinter(CPrinter):
    """Spells elementary functions as the C library does; phi1(z) is expm1(z)/z.

    Attributes
    ----------
    plain : set of str
        Functions of the template that the printed text calls.
    """

    _IN_LIBRARY = {
        **{name: name for name in ("exp", "expm1", "log", "log1p", "sin", "cos", "tan", "tanh", "sinh", "cosh", "erf")},
        "maximum": "fmax",
        "minimum": "fmin",
    }
    _NEEDS = {"signum": ("signum",), **{f"phi{k}": tuple(f"phi{j}" for j in range(1, k + 1)) for k in range(1, 5)}}

    def __init__(self, dtype: str) -> None:
        super().__init__(dtype)
        self.plain: set[str] = set()

    def _print_Function(self, expr: Any) -> str:
        name = type(expr).__name__
        arguments = ", ".join(self._print(a) for a in expr.args)
        if name in self._IN_LIBRARY:
            return f"{self.library(self._IN_LIBRARY[name])}({arguments})"
        if name in ("limited", "capped"):
            limit = self.literal((LIMIT if name == "limited" else BLOCK_BOUND)[self.number.__name__])
            return f"{self.library('fmin')}({self.library('fmax')}({arguments}, -{limit}), {limit})"
        if name in self._NEEDS:
            self.plain.update(self._NEEDS[name])
            return f"plain_{name}({arguments})"
        return super()._print_Function(expr)

    _print_exp = _print_expm1 = _print_tanh = _print_sinh = _print_cosh = _print_log = _print_sin = _print_cos = (
        _print_Function
    )
    _print_tan = _print_erf = _print_log1p = _print_Function

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.args
        is_half = exponent.is_Rational and exponent.q == 2 and abs(exponent) < HIGHEST_HALF_POWER
        if exponent.is_Integer or is_half:  # products and square roots
            return super()._print_Pow(expr)
        return f"{self.library('pow')}({self._print(base)}, {self._print(exponent)})"

    def _print_in_elementary(self, expr: Any) -> str:
        return str(self._print(expr.in_elementary()))

    _print_cosh_sqrt = _print_sinhc_sqrt = _print_sinhc_sqrt_slope = _print_in_elementary

    def _print_in_block(self, expr: Any) -> str:
        return str(self._print(expr.in_block()))

    _print_phi1_mean = _print_phi1_difference = _print_in_block

    def _print_phi1_ranged(self, expr: Any) -> str:
        return str(self._print(phi1(expr.args[0])))

    def _print_phi2_ranged(self, expr: Any) -> str:
        return str(self._print(phi2(expr.args[0])))


class TimePrinter(LibraryPrinter):
    """Spells an expression of time in double precision; its numbers c0, c1, ... stand in an array ``c``."""

    def __init__(self) -> None:
        super().__init__("float64")

    def _print_Symbol(self, expr: Any) -> str:
        number = expr.name[1:]
        return f"c[{number}]" if number.isdigit() else expr.name  # the others are t and k

    def _print_Pow(self, expr: Any) -> str:
        if expr.exp == sp.Rational(1, 2):
            return f"sqrt({self._print(expr.base)})"
        return f"pow({self._print(expr.base)}, {self._print(expr.exp)})"
