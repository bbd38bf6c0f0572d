"""Expressions on their way from one language to another: text of the equation language with its unit.

A term keeps its number and its units apart from the rest, so that ``unit_psc*spikes*1 s`` of spikes in 1/s becomes
``unit_psc*spikes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from izhigen.importers.coherent import product, to_coherent
from izhigen.units.dimensions import PLAIN, Unit

NOTHING: Mapping[str, Fraction] = {}


@dataclass(frozen=True)
class Term:
    """A number, units and factors, multiplied and divided.

    Attributes
    ----------
    unit : Unit
        Of the whole, as the file counts it; numbers are in the coherent system.
    coefficient : Fraction
    units : mapping
        Names of units and their exponents; they stand in the text as parameters.
    above, below : tuple of str
        Factors and divisors, each as text that binds at least as a power does.
    bare : str
        The whole as text without parentheses, where it is a sum, a condition or a choice.
    reads : frozenset of str
        Names in it.
    is_condition : bool
        Whether it is true or false.
    is_truth : bool
        Whether it is 0 or 1 and stands for false or true.
    infinite : int
        1 or -1 for what is without bound.
    """

    unit: Unit = PLAIN
    coefficient: Fraction = Fraction(1)
    units: Mapping[str, Fraction] = field(default_factory=dict)
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    bare: str = ""
    reads: frozenset[str] = frozenset()
    is_condition: bool = False
    is_truth: bool = False
    infinite: int = 0

    @property
    def is_number(self) -> bool:
        """Whether nothing but a number and units is in it."""
        return not (self.above or self.below or self.infinite)

    @property
    def is_zero(self) -> bool:
        """Whether it is 0."""
        return not self.coefficient and not self.infinite

    @property
    def all_names(self) -> frozenset[str]:
        """The names in it, those of units too."""
        return self.reads | frozenset(self.units if self.coefficient else ())

    @property
    def text(self) -> str:
        """The whole as text of the equation language."""
        if self.bare and self.coefficient == 1 and not self.units:
            return self.bare
        if not self.coefficient:
            return "0"
        above, below = list(self.above), list(self.below)
        for name, power in self.units.items():
            (above if power > 0 else below).append(_power_text(name, abs(power)))
        number, divisor = number_texts(abs(self.coefficient))
        sign = "-" if self.coefficient < 0 else ""
        if number != "1" or not above:
            above.insert(0, number)
        below = [*([divisor] if divisor else []), *below]
        return sign + "/".join(["*".join(above), *below])

    @property
    def factor(self) -> str:
        """As text that binds as a power does."""
        single = len(self.above) == 1 and not self.below and not self.units and self.coefficient == 1
        if single:
            return self.above[0]
        if self.is_number and not self.units and self.coefficient >= 0 and not number_texts(self.coefficient)[1]:
            return self.text
        return f"({self.text})"

    def times(self, other: Term) -> Term:
        """The product."""
        return Term(
            self.unit * other.unit,
            self.coefficient * other.coefficient,
            _joined(self.units, other.units, 1),
            self.above + other.above,
            self.below + other.below,
            reads=self.reads | other.reads,
        )

    def over(self, other: Term) -> Term:
        """The quotient; by no zero."""
        return Term(
            self.unit / other.unit,
            self.coefficient / other.coefficient,
            _joined(self.units, other.units, -1),
            self.above + other.below,
            self.below + other.above,
            reads=self.reads | other.reads,
        )

    def negative(self) -> Term:
        """Minus it."""
        return replace(self, coefficient=-self.coefficient, infinite=-self.infinite)

    def in_unit(self, unit: Unit) -> Term:
        """As many of a unit of another dimension.

        Raises
        ------
        ValueError
            Where that is no power of ten of the coherent system's.
        OverflowError
            Where it is too large a one.
        """
        if self.is_zero:
            return replace(self, unit=unit)
        return self.times(one(unit / self.unit))

    def power(self, exponent: Fraction) -> Term:
        """To a power that is a number."""
        unit = self.unit.power(exponent)
        if self.is_number and exponent.denominator == 1 and abs(exponent) <= 64 and self.coefficient:
            units = {name: power * exponent for name, power in self.units.items()}
            return Term(unit, self.coefficient ** int(exponent), units)
        return wrapped(f"{self.factor}**{_exponent_text(exponent)}", unit, [self], binds=True)


def _joined(one: Mapping[str, Fraction], other: Mapping[str, Fraction], sign: int) -> dict[str, Fraction]:
    powers = {name: one.get(name, Fraction(0)) + sign * other.get(name, Fraction(0)) for name in (*one, *other)}
    return {name: power for name, power in powers.items() if power}


def one(unit: Unit) -> Term:
    """1 in a unit."""
    number, powers = product(unit)
    return Term(unit, to_coherent(number, unit), powers)


def named(name: str, unit: Unit, *, is_truth: bool = False) -> Term:
    """What a name stands for."""
    return Term(unit, above=(name,), reads=frozenset((name,)), is_truth=is_truth)


def wrapped(text: str, unit: Unit, parts: Iterable[Term], *, binds: bool = False, is_condition: bool = False) -> Term:
    """A term of text that was made of others; ``binds`` says whether it binds as a power does."""
    names = frozenset[str]().union(*(part.all_names for part in parts))
    bare = "" if binds else text
    return Term(unit, above=(text if binds else f"({text})",), bare=bare, reads=names, is_condition=is_condition)


def added(terms: list[Term]) -> Term:
    """The sum of terms of one unit."""
    kept = [term for term in terms if not term.is_zero] or terms[:1]
    if len(kept) == 1:
        return kept[0]
    if all(term.is_number and term.units == kept[0].units for term in kept):
        return replace(kept[0], coefficient=sum((term.coefficient for term in kept), Fraction(0)))
    text = kept[0].text
    for term in kept[1:]:
        inner = replace(term, coefficient=abs(term.coefficient))
        written = inner.factor if inner.bare else inner.text
        text += f" {'-' if term.coefficient < 0 else '+'} {written}"
    return wrapped(text, kept[0].unit, kept)


def number_texts(value: Fraction) -> tuple[str, str]:
    """A positive number as a decimal, or as one and another that divides it, which is else empty."""
    twos_and_fives = value.denominator
    for prime in (2, 5):
        while twos_and_fives % prime == 0:
            twos_and_fives //= prime
    if twos_and_fives == 1:
        digits = 0
        while value * 10**digits % 1:
            digits += 1
        whole = int(value * 10**digits)
        if digits <= 25:
            text = str(whole).rjust(digits + 1, "0")
            return (f"{text[:-digits]}.{text[-digits:]}" if digits else _short(text)), ""
        return f"{whole}e-{digits}", ""
    return str(value.numerator), str(value.denominator)


def _short(digits: str) -> str:
    zeros = len(digits) - len(digits.rstrip("0"))
    return f"{digits[:-zeros]}e{zeros}" if zeros > 20 else digits


def _power_text(name: str, power: Fraction) -> str:
    return name if power == 1 else f"{name}**{_exponent_text(power)}"


def _exponent_text(exponent: Fraction) -> str:
    number, divisor = number_texts(abs(exponent))
    text = f"{'-' if exponent < 0 else ''}{number}{f'/{divisor}' if divisor else ''}"
    return text if exponent >= 0 and not divisor else f"({text})"
