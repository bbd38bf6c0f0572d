"""SymPy functions of the equation language, with derivatives that hold almost everywhere.

SymPy's own ``Abs``, ``Max``, ``Heaviside``, ... differentiate into distributions or real parts; these do not.
The phi functions are those of exponential integrators (Hochbruck and Ostermann 2010, Acta Numerica 19):
``phi1(z) = (exp(z) - 1)/z`` and ``phi_{k+1}(z) = (phi_k(z) - 1/k!)/z``, all entire.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mpmath
import sympy as sp
from sympy.core.function import ArgumentIndexError

LIMIT = {"float32": sp.Integer(10) ** 30, "float64": sp.Integer(10) ** 300}
"""What :class:`limited` keeps values of each precision within: some 1e8 of them can be added."""

BLOCK_BOUND = {"float32": sp.Integer(10) ** 11, "float64": sp.Integer(10) ** 100}
"""What :class:`capped` and functions of matrices keep values within, by the precision they compute in: products of
three such values are finite.
"""


def _real(parts: Any) -> bool | None:
    """Real when all parts are known to be; else unknown (never "not real")."""
    return True if all(part.is_real for part in parts) else None


class OwnFunction(sp.Function):  # type: ignore[misc]
    """Base of every function of ours: a number, whatever its arguments are.

    A condition among the arguments has no commutativity,
    from which SymPy would conclude that the value is no real number.
    """

    is_commutative = True


class _Phi(OwnFunction):
    """Base of the phi functions; subclasses set ``order``."""

    order = 0

    @classmethod
    def eval(cls, z: Any) -> Any:
        if z.is_zero:
            return sp.Integer(1) / sp.factorial(cls.order)
        if z is sp.S.NegativeInfinity:
            return sp.S.Zero
        if z is sp.S.Infinity:
            return sp.S.Infinity
        return None

    def _eval_is_real(self) -> Any:
        return self.args[0].is_real

    def _eval_is_positive(self) -> Any:
        return self.args[0].is_real

    def fdiff(self, argindex: int = 1) -> Any:
        """d/dz phi_k = phi_k - k phi_{k+1}, finite at 0 (from phi_k = 1/k! + z phi_{k+1})."""
        if argindex != 1 or self.order + 1 not in PHI:
            raise ArgumentIndexError(self, argindex)
        return self - self.order * PHI[self.order + 1](self.args[0])

    def _eval_rewrite_as_exp(self, z: Any, **hints: Any) -> Any:
        value = (sp.exp(z) - 1) / z
        for k in range(1, self.order):
            value = (value - 1 / sp.factorial(k)) / z
        return value

    def _eval_evalf(self, prec: int) -> Any:
        z = self.args[0]._evalf(prec)
        if not z.is_number or (not z.is_comparable and not z.is_complex):
            return None
        with mpmath.workprec(prec + 40 * (self.order + 1)):
            x = z._to_mpmath(mpmath.mp.prec)
            if abs(x) < mpmath.mpf("1e-3"):
                value = mpmath.nsum(lambda k: x ** int(k) / mpmath.factorial(int(k) + self.order), [0, 30])
            else:
                value = mpmath.expm1(x) / x
                for k in range(1, self.order):
                    value = (value - 1 / mpmath.factorial(k)) / x
            return sp.Expr._from_mpmath(value, prec)

    def _latex(self, printer: Any, exp: Any = None) -> str:
        text = rf"\varphi_{{{self.order}}}\left({printer._print(self.args[0])}\right)"
        return text if exp is None else f"{text}^{{{exp}}}"


class phi1(_Phi):
    """(exp(z) - 1)/z with phi1(0) = 1; phi1' = phi1 - phi2."""

    order = 1


class phi2(_Phi):
    """(phi1(z) - 1)/z with phi2(0) = 1/2; phi2' = phi2 - 2 phi3."""

    order = 2


class phi3(_Phi):
    """(phi2(z) - 1/2)/z with phi3(0) = 1/6; phi3' = phi3 - 3 phi4."""

    order = 3


class phi4(_Phi):
    """(phi3(z) - 1/6)/z with phi4(0) = 1/24; what the derivatives of the others need. Its own is not there."""

    order = 4


PHI: dict[int, type[_Phi]] = {1: phi1, 2: phi2, 3: phi3, 4: phi4}
"""The phi functions by their order."""


def _with_direction(entries: Sequence[Any], place: int) -> list[Any]:
    """The entries of [[Z, E], [0, Z]], row by row, for a matrix Z and the E that is 1 in one place, else 0. A function
    of it is [[f(Z), L], [0, f(Z)]] with the derivative L of f in the direction E.
    """
    size = math.isqrt(len(entries))
    zero, direction = [sp.S.Zero] * size, [sp.Integer(k == place) for k in range(size * size)]
    rows = [[*entries[r * size :][:size], *direction[r * size :][:size]] for r in range(size)]
    rows += [[*zero, *entries[r * size :][:size]] for r in range(size)]
    return [entry for row in rows for entry in row]


class phi1_block(OwnFunction):
    """``phi1_block(row, column, z11, z12, ...)``: an entry (from 0) of phi1 of a square matrix given row by row."""

    @property
    def size(self) -> int:
        """Rows of the matrix."""
        return math.isqrt(len(self.args) - 2)

    def fdiff(self, argindex: int = 1) -> Any:
        """With respect to an entry of the matrix: an entry of phi1 of a matrix of twice the size (Higham 2008,
        "Functions of Matrices", 3.16).
        """
        row, column, *entries = self.args
        return phi1_block(row, column + self.size, *_with_direction(entries, argindex - 3))

    def _eval_is_real(self) -> Any:
        return _real(self.args)


class phi1_action(OwnFunction):
    """``phi1_action(row, z11, z12, ..., v1, v2, ...)``: an entry of phi1(Z) v of a square matrix given row by row."""

    @property
    def size(self) -> int:
        """Rows of the matrix."""
        return math.isqrt(len(self.args) - 1)

    def fdiff(self, argindex: int = 1) -> Any:
        """With respect to an entry of the vector: an entry of phi1(Z); of the matrix: see :class:`phi1_block`."""
        row, size = self.args[0], self.size
        entries, vector = self.args[1 : 1 + size * size], self.args[1 + size * size :]
        if argindex > 1 + size * size:
            return phi1_block(row, argindex - 2 - size * size, *entries)
        return phi1_action(row, *_with_direction(entries, argindex - 2), *[sp.S.Zero] * size, *vector)

    def _eval_is_real(self) -> Any:
        return _real(self.args)


class _OfPair(OwnFunction):
    """A function of the eigenvalues m + sqrt(q) and m - sqrt(q) of a 2x2 matrix, real or a complex pair: a function of
    m and q; an entry of phi1 of [[m, q], [1, m]].
    """

    row = 0

    def in_block(self) -> Any:
        """The value as an entry of phi1 of a matrix."""
        m, q = self.args
        return phi1_block(self.row, 0, m, q, 1, m)

    def fdiff(self, argindex: int = 1) -> Any:
        """By the derivatives of phi1 of the matrix with respect to those of its entries that are m, or to q."""
        block = self.in_block()
        return block.fdiff(3) + block.fdiff(6) if argindex == 1 else block.fdiff(4)

    def _eval_is_real(self) -> Any:
        return _real(self.args)


class phi1_mean(_OfPair):
    """``phi1_mean(m, q)``: the mean of phi1 over m + sqrt(q) and m - sqrt(q)."""


class phi1_difference(_OfPair):
    """``phi1_difference(m, q)``: the divided difference of phi1 between m + sqrt(q) and m - sqrt(q)."""

    row = 1


class block_covariance(OwnFunction):
    """``block_covariance(row, column, source, z11, z12, ...)``: an entry of int_0^1 exp(Zs) D exp(Zs)^T ds.

    D is 1 at (source, source) only.

    Times dt and the squared amplitude it is the covariance that white noise on one state of a linear block spreads over
    the block in a step.
    """

    @property
    def size(self) -> int:
        """Rows of the matrix."""
        return math.isqrt(len(self.args) - 3)

    def fdiff(self, argindex: int = 1) -> Any:
        """With respect to an entry of the matrix: entries of the covariance of a matrix of twice the size, whose
        exponential holds that of the matrix and its derivative.
        """
        row, column, source, *entries = self.args
        size, twice = self.size, _with_direction(entries, argindex - 4)
        return block_covariance(row, size + column, size + source, *twice) + block_covariance(
            column, size + row, size + source, *twice
        )

    def _eval_is_real(self) -> Any:
        return _real(self.args)


class _OfRoot(OwnFunction):
    """A function of sqrt(x) that is entire in x, times exp(-sqrt(x)) for x > 0, so that it stays finite.

    Only quotients of such functions are of use, in which that factor cancels; so derivatives leave it alone. An x below
    :data:`LOWEST` counts as that.
    """

    def _eval_is_real(self) -> Any:
        return self.args[0].is_real

    @classmethod
    def _parts(cls, x: Any) -> tuple[Any, Any, Any]:
        """x within the range, sqrt(abs(x)), and phi1(-2 sqrt(x)) = exp(-sqrt(x)) sinh(sqrt(x))/sqrt(x) for x >= 0."""
        x = maximum(x, LOWEST)
        root = sp.sqrt(absolute(x))
        return x, root, phi1(-2 * root)


LOWEST = sp.Integer(-10)
"""The least argument of functions of a root: below -pi^2, where the flow of a quadratic has passed its pole."""


class cosh_sqrt(_OfRoot):
    """cosh(sqrt(x)), which is cos(sqrt(-x)) for x < 0, times exp(-sqrt(x)) for x > 0."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sinhc_sqrt(self.args[0]) / 2

    def in_elementary(self) -> Any:
        """The value by functions of C libraries."""
        x, root, scaled = self._parts(self.args[0])
        return where(sp.Ge(x, 0), 1 - root * scaled, sp.cos(root))


class sinhc_sqrt(_OfRoot):
    """sinh(sqrt(x))/sqrt(x), which is sin(sqrt(-x))/sqrt(-x) for x < 0, times exp(-sqrt(x)) for x > 0."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sinhc_sqrt_slope(self.args[0])

    def in_elementary(self) -> Any:
        """The value by functions of C libraries."""
        x, root, scaled = self._parts(self.args[0])
        return where(sp.Ge(x, 0), scaled, sp.sin(root) / root)


class sinhc_sqrt_slope(_OfRoot):
    """(cosh_sqrt(x) - sinhc_sqrt(x))/(2x), the derivative of the other; its own is not there."""

    def in_elementary(self) -> Any:
        """The value by functions of C libraries."""
        x, root, _ = self._parts(self.args[0])
        series = sum(k * x ** (k - 1) / sp.factorial(2 * k + 1) for k in range(1, 10))
        near = series * where(sp.Ge(x, 0), sp.exp(-root), 1)
        far = (cosh_sqrt(x).in_elementary() - sinhc_sqrt(x).in_elementary()) / (2 * x)
        return where(sp.Lt(absolute(x), 1), near, far)


class _AlmostEverywhere(OwnFunction):
    """A piecewise constant function: derivative zero almost everywhere."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.S.Zero

    def _eval_is_real(self) -> Any:
        return self.args[0].is_real

    def _latex(self, printer: Any, exp: Any = None) -> str:
        text = rf"\operatorname{{{type(self).__name__.rstrip('_')}}}\left({printer._print(self.args[0])}\right)"
        return text if exp is None else f"{text}^{{{exp}}}"


class heaviside(_AlmostEverywhere):
    """1 for x >= 0, else 0."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.Integer(1 if x >= 0 else 0) if x.is_Number else None

    def _eval_evalf(self, prec: int) -> Any:
        found = heaviside(self.args[0]._evalf(prec))
        return found if found.is_Number else None


class signum(_AlmostEverywhere):
    """-1, 0 or 1."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.Integer(bool(x > 0) - bool(x < 0)) if x.is_Number else None


class floor_(_AlmostEverywhere):
    """Largest integer not above x."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.floor(x) if x.is_Number else None


class absolute(OwnFunction):
    """Magnitude; derivative signum(x)."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return abs(x) if x.is_Number else None

    def fdiff(self, argindex: int = 1) -> Any:
        return signum(self.args[0])

    def _eval_is_real(self) -> Any:
        return self.args[0].is_real


class _Extreme(OwnFunction):
    """The larger or the smaller of two, in canonical order; at a tie the derivative is that of the first."""

    sign = 0
    """1 for the larger, -1 for the smaller."""

    @classmethod
    def eval(cls, a: Any, b: Any) -> Any:
        if a == b:
            return a
        if a.is_Number and b.is_Number:
            return a if cls.sign * (a - b) > 0 else b
        return cls(b, a) if sp.default_sort_key(a) > sp.default_sort_key(b) else None

    def fdiff(self, argindex: int = 1) -> Any:
        first = heaviside(self.sign * (self.args[0] - self.args[1]))
        return first if argindex == 1 else 1 - first

    def _eval_is_real(self) -> Any:
        return _real(self.args)


class maximum(_Extreme):
    """The larger of two."""

    sign = 1


class minimum(_Extreme):
    """The smaller of two."""

    sign = -1


class limited(OwnFunction):
    """x within the limit of the precision (:data:`LIMIT`): sums of such values neither overflow nor give inf - inf."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.S.One

    def _eval_is_real(self) -> Any:
        return self.args[0].is_real

    def _eval_evalf(self, prec: int) -> Any:
        return self.args[0]._eval_evalf(prec) if self.args[0].is_number else None


class capped(limited):
    """x within the smaller bound :data:`BLOCK_BOUND` of the precision: products of three such values are finite."""


class where(OwnFunction):
    """``where(condition, a, b)``: a select; its derivative is the select of the derivatives."""

    nargs = 3
    is_commutative = (
        True  # SymPy takes a condition for something that does not commute, and the whole for no real number
    )

    @classmethod
    def eval(cls, condition: Any, a: Any, b: Any) -> Any:
        if condition is sp.true:
            return a
        if condition is sp.false:
            return b
        return a if a == b else None

    def _eval_derivative(self, symbol: Any) -> Any:
        condition, a, b = self.args
        return where(condition, a.diff(symbol), b.diff(symbol))

    def _eval_is_real(self) -> Any:
        return _real(self.args[1:])


class expm1(OwnFunction):
    """exp(x) - 1, accurate near 0."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.S.Zero if x.is_zero else None

    def fdiff(self, argindex: int = 1) -> Any:
        return sp.exp(self.args[0])

    def _eval_is_real(self) -> Any:
        return self.args[0].is_real

    def _eval_rewrite_as_exp(self, x: Any, **hints: Any) -> Any:
        return sp.exp(x) - 1

    def _eval_evalf(self, prec: int) -> Any:
        return (sp.exp(self.args[0]) - 1)._eval_evalf(prec) if self.args[0].is_number else None


class log1p(OwnFunction):
    """log(1 + x), accurate near 0."""

    @classmethod
    def eval(cls, x: Any) -> Any:
        return sp.S.Zero if x.is_zero else None

    def fdiff(self, argindex: int = 1) -> Any:
        return 1 / (1 + self.args[0])

    def _eval_evalf(self, prec: int) -> Any:
        return sp.log(1 + self.args[0])._eval_evalf(prec) if self.args[0].is_number else None
