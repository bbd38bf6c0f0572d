"""C spellings of SymPy expressions, for one precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
from sympy.printing.c import C99CodePrinter

from izhigen.codegen.formats import FORMATS
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.procedure import rows_of, rows_together
from izhigen.errors import DerivationError

MOST_UNROLLED = 4
"""Most rows of a matrix whose action on a vector is printed without loops, as vector code has to be."""
HIGHEST_HALF_POWER = 5
"""Half-integer powers up to this one are printed with sqrt."""


class CPrinter(C99CodePrinter):  # type: ignore[misc]
    """Prints expressions of one precision, and records which elementary functions they use.

    Attributes
    ----------
    elementary : set of str
        Templates of ``templates/math`` that the printed text calls.
    powers : set of int
        Integer powers for which a function ``iz_pow<n>`` is called.
    blocks : set of (int, str)
        Sizes and names of the functions of matrices, ``iz_block<n>_<name>``, that are called.
    """

    FUNCTION, INLINE, ALWAYS_INLINE = "static", "static inline", "IZ_INLINE"
    """Words before a function of the program, before a short one, and before one that must be inlined for vector code.
    """
    LARGE_FUNCTION = "static"
    """Words before a function that is too large to be copied to where it is called."""
    VARIATES = "normals"
    """Template of ``templates/math`` that draws normal variates."""
    PROVIDED = frozenset({"fabs", "floor", "sqrt"})
    """Templates of ``templates/math`` that are not written out, as the target has the function."""
    TEMPLATES: Mapping[str, str] = MappingProxyType({})
    """Templates of ``templates/math`` that stand in for others."""
    INSIDE: Mapping[str, str] = MappingProxyType({})
    """The same where events are inside steps, on a target that counts steps and keeps no times."""
    CLOCK = ""
    """Template of ``templates/math`` that computes time from a step's number, where the target needs one."""
    WIDE = "float64"
    """Precision in which functions of matrices are computed."""
    WIDE_FORM = True
    """Whether kernels choose between two polynomials for phi1."""
    ESTIMATES = False
    """Whether the target has an instruction that estimates reciprocals in single precision, and a slow division."""
    _OWN_FUNCTIONS = frozenset(
        {
            "exp",
            "expm1",
            "phi1",
            "phi2",
            "phi3",
            "phi4",
            "tanh",
            "sinh",
            "cosh",
            "log",
            "log1p",
            "sin",
            "cos",
            "tan",
            "erf",
            "cosh_sqrt",
            "sinhc_sqrt",
            "sinhc_sqrt_slope",
            "phi1_mean",
            "phi1_difference",
            "limited",
            "capped",
            "maximum",
            "minimum",
            "signum",
        }
    )
    _LIBRARY_FUNCTIONS = {"floor_": "floor", "absolute": "fabs"}

    def __init__(self, dtype: str) -> None:
        super().__init__({"contract": False})
        self.format = FORMATS[dtype]
        self.number = np.float32 if dtype == "float32" else np.float64
        self.elementary: set[str] = set()
        self.powers: set[int] = set()
        self.blocks: set[tuple[int, str]] = set()

    def literal(self, value: Any) -> str:
        """A number rounded to the precision, with its suffix; exact for every value that the precision holds."""
        text = repr(self.number(float(sp.N(value, 25)))).split("(")[-1].rstrip(")")
        if "inf" in text or "nan" in text:
            raise DerivationError(
                f"the constant {value} is outside the range of {self.number.__name__}; use dtype='float64'"
            )
        if not any(mark in text for mark in ".e"):
            text += ".0"
        return text + self.format.suffix

    @property
    def step_type(self) -> str:
        """The type of a step's number: of the width of the vector lanes, as it counts from some step of the call."""
        return self.format.lane_int

    @property
    def flags_type(self) -> str:
        """The type of a neuron's flags, a bit each."""
        return self.format.lane_int

    def library(self, name: str) -> str:
        """The target's name of a function that C libraries have, in this precision."""
        return name + self.format.suffix

    def _library_call(self, name: str, arguments: str) -> str:
        self.elementary.add(name)
        return f"{self.library(name)}({arguments})"

    def _print_Symbol(self, expr: Any) -> str:
        return c_name(expr.name)

    def _print_Word(self, expr: Any) -> str:
        return str(expr.name)

    def _print_Number(self, expr: Any) -> str:
        return self.literal(expr) if expr >= 0 else f"-{self.literal(-expr)}"

    _print_Integer = _print_Rational = _print_Float = _print_Half = _print_One = _print_Zero = _print_NegativeOne = (
        _print_Number
    )

    def _print_NumberSymbol(self, expr: Any) -> str:
        return self.literal(expr)

    _print_Pi = _print_Exp1 = _print_NumberSymbol

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        text = ""
        for term in _for_contraction(expr.args):
            negative = term.could_extract_minus_sign() and not term.is_Add and (term.is_Mul or term.is_Number)
            printed = self.operand(-term if negative else term, PRODUCT)
            text += (" - " if negative else " + ") + printed if text else ("-" if negative else "") + printed
        return text

    def _print_Mul(self, expr: Any) -> str:
        if expr.could_extract_minus_sign() and expr.args[0].is_Number:
            return "-" + self.operand(-expr, PRODUCT)
        numerator, denominator = [], []
        for factor in expr.args:
            if factor.is_Pow and factor.exp.is_Integer and factor.exp < 0:
                denominator.append(factor.base**-factor.exp)
            else:
                numerator.append(factor)
        top = " * ".join(self.operand(a, ATOM) for a in numerator) or self.literal(1)
        if not denominator:
            return top
        bottom = (
            self.operand(denominator[0], ATOM)
            if len(denominator) == 1
            else "(" + " * ".join(self.operand(a, ATOM) for a in denominator) + ")"
        )
        return f"{top} / {bottom}"

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.args
        if exponent.is_Integer:
            if exponent.is_negative:
                return f"{self.literal(1)} / {self.operand(base**-exponent, ATOM)}"
            if exponent <= 3 and base.is_Symbol:
                return "(" + " * ".join([self._print(base)] * int(exponent)) + ")"
            self.powers.add(int(exponent))
            return f"iz_pow{exponent}({self._print(base)})"
        if exponent.is_Rational and exponent.q == 2 and abs(exponent) < HIGHEST_HALF_POWER:
            return self._half_power(base, exponent)
        self.elementary.add("pow")
        return f"iz_pow({self._print(base)}, {self._print(exponent)})"

    def _half_power(self, base: Any, exponent: Any) -> str:
        """x**(n + 1/2) as x**n * sqrt(x), which over- and underflows where the power does."""
        root = self._library_call("sqrt", self._print(base))
        whole = abs(exponent) - sp.Rational(1, 2)
        product = f"{self._print(base**whole) if whole > 1 else self.operand(base, ATOM)} * {root}" if whole else root
        if exponent > 0:
            return f"({product})" if whole else root
        return f"{self.literal(1)} / ({product})" if whole else f"{self.literal(1)} / {root}"

    def _print_Function(self, expr: Any) -> str:
        name = type(expr).__name__
        arguments = ", ".join(self._print(a) for a in expr.args)
        if name in self._OWN_FUNCTIONS:
            self.elementary.add(name)
            return f"iz_{name}({arguments})"
        if name in self._LIBRARY_FUNCTIONS:
            return self._library_call(self._LIBRARY_FUNCTIONS[name], arguments)
        raise DerivationError(f"{name}() has no C spelling")

    _print_exp = _print_log = _print_sin = _print_cos = _print_tan = _print_tanh = _print_sinh = _print_cosh = (
        _print_Function
    )
    _print_erf = _print_expm1 = _print_log1p = _print_Function

    def _print_phi1_ranged(self, expr: Any) -> str:
        return f"iz_phi1_form({', '.join(self._print(part) for part in expr.args)})"

    def _print_phi2_ranged(self, expr: Any) -> str:
        return f"iz_phi2_form({', '.join(self._print(part) for part in expr.args)})"

    def _print_BooleanFalse(self, expr: Any) -> str:
        return "0"

    def _print_call(self, expr: Any) -> str:
        name, *arguments = (self._print(part) for part in expr.args)
        return f"{name}({', '.join(arguments)})"

    def _print_where(self, expr: Any) -> str:
        condition, a, b = (self._print(part) for part in expr.args)
        return f"({condition} ? {a} : {b})"

    def _print_phi1_block(self, expr: Any) -> str:
        return self._block_call("phi1", 2, expr)

    def _print_phi1_action(self, expr: Any) -> str:
        return str(self._print(rows_together(expr)))

    def _print_block_row(self, expr: Any) -> str:
        row, rows = expr.args
        return f"{self._print(rows)}.v{int(row)}"

    def _print_block_rows(self, expr: Any) -> str:
        size = rows_of(expr)
        self.blocks.add((size, "action" if size > MOST_UNROLLED else "action_unrolled"))
        self.elementary |= {"fabs", "capped", "inlining"}
        return f"iz_block{size}_action({', '.join(self._print(part) for part in expr.args)})"

    def rows_type(self, expr: Any) -> str:
        """The type of all rows of a block."""
        return f"struct iz_block{rows_of(expr)}"

    def _print_block_covariance(self, expr: Any) -> str:
        return self._block_call("covariance", 3, expr)

    def _block_call(self, name: str, indices: int, expr: Any) -> str:
        self.blocks.add((expr.size, name))
        self.elementary.add("fabs")
        arguments = [str(int(a)) for a in expr.args[:indices]] + [self._print(a) for a in expr.args[indices:]]
        return f"iz_block{expr.size}_{name}({', '.join(arguments)})"

    def _print_heaviside(self, expr: Any) -> str:
        return f"({self.operand(expr.args[0], SUM)} >= {self.literal(0)} ? {self.literal(1)} : {self.literal(0)})"

    def _print_Relational(self, expr: Any) -> str:
        return f"({self._print(expr.lhs)} {expr.rel_op} {self._print(expr.rhs)})"

    def all_of(self, conditions: Iterable[Any]) -> str:
        """Whether all conditions hold, for a branch: none is asked after one that does not."""
        return " && ".join(str(self._print(condition))[1:-1] for condition in conditions)

    def _print_And(self, expr: Any) -> str:
        return "(" + " & ".join(self._print(a) for a in sorted(expr.args, key=sp.default_sort_key)) + ")"

    def _print_Or(self, expr: Any) -> str:
        return "(" + " | ".join(self._print(a) for a in sorted(expr.args, key=sp.default_sort_key)) + ")"

    def _print_Not(self, expr: Any) -> str:
        return f"(!{self._print(expr.args[0])})"

    def operand(self, expr: Any, least: int) -> str:
        """Print a part of a larger expression, in parentheses if it binds less than ``least`` or leads with a minus."""
        text = str(self._print(expr))
        return f"({text})" if _binding(expr) < least or text.startswith("-") else text

    def power_function(self, exponent: int) -> list[str]:
        """Lines of ``iz_pow<n>``: x**n by repeated squaring."""
        real = self.format.real
        lines = [f"{self.INLINE} {real} iz_pow{exponent}({real} x)", "{"]
        factors: list[str] = []
        name, power = "x", 1
        while True:
            if exponent & power:
                factors.append(name)
            power *= 2
            if power > exponent:
                break
            lines.append(f"    const {real} x{power} = {name} * {name};")
            name = f"x{power}"
        return [*lines, f"    return {' * '.join(factors)};", "}"]


def _for_contraction(terms: Iterable[Any]) -> list[Any]:
    """Terms of a sum, positive ones first; of the first two one is no product where there is such, as each later
    product is a multiply-add.
    """
    ordered = sorted(terms, key=lambda a: (not a.is_Add and a.could_extract_minus_sign(), _is_product(a)))
    single = next((a for a in ordered if not _is_product(a)), None)
    if single is not None and ordered.index(single) > 1:
        ordered.remove(single)
        ordered.insert(1, single)
    return ordered


def _is_product(term: Any) -> bool:
    factors = term.args[1:] if term.is_Mul and term.args[0] == -1 else term.args
    return bool(term.is_Mul and len(factors) > 1)


SUM, PRODUCT, ATOM = 1, 2, 3


def _binding(expr: Any) -> int:
    """How strongly the printed form of an expression holds together."""
    if expr.is_Add:
        return SUM
    if expr.is_Mul or (expr.is_Pow and expr.exp.is_Number and expr.exp.is_negative):
        return PRODUCT
    return ATOM
