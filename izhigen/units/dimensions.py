"""Units as numbers: what a unit is in SI base units."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from izhigen.errors import ModelError
from izhigen.units.names import PREFIXES

BASES = ("kg", "m", "s", "A", "K", "mol")
"""What exponents count."""
_SCALES: dict[str, int] = dict(zip(PREFIXES, (0, -15, -12, -9, -6, -3, -2, -1, 3, 6, 9, 12)))
_NAMED: dict[str, tuple[int, tuple[int, int, int, int, int, int]]] = {
    "V": (0, (1, 2, -3, -1, 0, 0)),
    "A": (0, (0, 0, 0, 1, 0, 0)),
    "S": (0, (-1, -2, 3, 2, 0, 0)),
    "F": (0, (-1, -2, 4, 2, 0, 0)),
    "s": (0, (0, 0, 1, 0, 0, 0)),
    "m": (0, (0, 1, 0, 0, 0, 0)),
    "g": (-3, (1, 0, 0, 0, 0, 0)),
    "mol": (0, (0, 0, 0, 0, 0, 1)),
    "M": (3, (0, -3, 0, 0, 0, 1)),
    "Hz": (0, (0, 0, -1, 0, 0, 0)),
    "C": (0, (0, 0, 1, 1, 0, 0)),
    "ohm": (0, (1, 2, -3, -2, 0, 0)),
    "Ohm": (0, (1, 2, -3, -2, 0, 0)),
    "N": (0, (1, 1, -2, 0, 0, 0)),
    "J": (0, (1, 2, -2, 0, 0, 0)),
    "W": (0, (1, 2, -3, 0, 0, 0)),
    "K": (0, (0, 0, 0, 0, 1, 0)),
    "L": (-3, (0, 3, 0, 0, 0, 0)),
    "Pa": (0, (1, -1, -2, 0, 0, 0)),
    "degC": (0, (0, 0, 0, 0, 1, 0)),
    "rad": (0, (0, 0, 0, 0, 0, 0)),
    "bit": (0, (0, 0, 0, 0, 0, 0)),
    "spikes": (0, (0, 0, 0, 0, 0, 0)),
}
"""Power of ten and exponents of each name; tests hold them against pint, whose import takes longer than a model."""


@dataclass(frozen=True)
class Unit:
    """A unit in SI base units.

    Attributes
    ----------
    scale : float
        Decimal logarithm of its factor: -3 of mV.
    exponents : tuple of Fraction
        Of :data:`BASES`.
    celsius : Fraction
        How much of the exponent of K is of degC, whose zero is another: neither stands for the other.
    """

    scale: float
    exponents: tuple[Fraction, ...]
    celsius: Fraction = Fraction(0)

    def __mul__(self, other: Unit) -> Unit:
        exponents = tuple(a + b for a, b in zip(self.exponents, other.exponents))
        return Unit(self.scale + other.scale, exponents, self.celsius + other.celsius)

    def __truediv__(self, other: Unit) -> Unit:
        return self * other.power(Fraction(-1))

    def power(self, exponent: Fraction) -> Unit:
        """To a power."""
        of_bases = tuple(a * exponent for a in self.exponents)
        return Unit(self.scale * float(exponent), of_bases, self.celsius * exponent)

    def is_alike(self, other: Unit) -> bool:
        """Whether they have the same dimension."""
        return self.exponents == other.exponents and self.celsius == other.celsius

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unit) and self.is_alike(other) and abs(self.scale - other.scale) < 1e-9

    def __hash__(self) -> int:
        return hash(self.exponents)

    def __str__(self) -> str:
        powers = {**dict(zip(BASES, self.exponents)), "degC": self.celsius}
        powers["K"] -= self.celsius
        parts = [power_text(base, e) for base, e in powers.items() if e]
        factor = f"{10**self.scale:.12g}" if abs(self.scale) < 300 else f"10**{self.scale:.12g}"
        return "*".join([*([] if abs(self.scale) < 1e-9 else [factor]), *parts]) or "1"


PLAIN = Unit(0.0, (Fraction(0),) * len(BASES))
"""Of a number without unit."""
SECOND = Unit(0.0, tuple(Fraction(base == "s") for base in BASES))


@lru_cache(maxsize=1024)
def unit_of_text(text: str) -> Unit:
    """The unit that a text stands for, which :func:`~izhigen.units.names.check_unit` has read, or ``str`` made."""
    return _of_tree(ast.parse(text.strip(), mode="eval").body)


def _of_tree(node: ast.AST) -> Unit:
    if isinstance(node, ast.Name):
        return _of_name(node.id)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return Unit(math.log10(node.value), PLAIN.exponents)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _of_tree(node.left).power(Fraction(ast.unparse(node.right).replace(" ", "")))
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        left, right = _of_tree(node.left), _of_tree(node.right)
        return left * right if isinstance(node.op, ast.Mult) else left / right
    raise ModelError(f"{ast.unparse(node)} is not a unit")


def _of_name(name: str) -> Unit:
    known = name if name in _NAMED else next(base for base in _NAMED if name[:1] in _SCALES and name[1:] == base)
    scale, exponents = _NAMED[known]
    prefix = name.removesuffix(known)
    return Unit(float(scale + _SCALES[prefix]), tuple(map(Fraction, exponents)), Fraction(known == "degC"))


def power_text(name: str, exponent: Fraction) -> str:
    """A name to a power, as units are written: ``mV``, ``s**-1``, ``ms**(1/2)``."""
    if exponent == 1:
        return name
    return f"{name}**{exponent}" if exponent.denominator == 1 else f"{name}**({exponent})"


def in_inner_time(text: str) -> str:
    """A unit of time, or of a power of it as Hz is, in ms; any other as it stands."""
    unit = unit_of_text(text)
    power = unit.exponents[BASES.index("s")]
    if not power or unit != SECOND.power(power) * Unit(unit.scale, PLAIN.exponents):
        return text
    return power_text("ms", power) if power > 0 else f"1/{power_text('ms', -power)}"


def apart(expected: Unit, found: Unit) -> str:
    """How far two units of one dimension are from each other."""
    if not expected.is_alike(found):
        return ""
    factor = found.scale - expected.scale
    return f": {10**factor:.6g} times what is due" if abs(factor) < 300 else ""


def common_text(unit: Unit, texts: Iterable[str]) -> str:
    """A unit in those that a model uses: one of them, or two of them multiplied or divided; else in SI base units."""
    if unit.is_alike(PLAIN):
        return str(unit)
    known = {text: unit_of_text(text) for text in dict.fromkeys((*texts, "ms", "mV", "1/ms")) if text}
    for text, value in known.items():
        if value == unit:
            return text
    for one, first in known.items():
        for two, second in known.items():
            if first / second == unit:
                return f"{one}/{two if two.isalnum() else f'({two})'}"
            if first * second == unit:
                return f"{one}*{two}"
    return str(unit)
