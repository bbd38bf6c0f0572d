"""Dimensions and units of LEMS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from izhigen.errors import ModelError, shown, suggest
from izhigen.importers.coherent import unit_text, unit_with
from izhigen.importers.lems.elements import Element, Place
from izhigen.units.dimensions import unit_of_text

Dimension = tuple[int, ...]
"""Exponents of mass, length, time, current, temperature and amount of substance."""
LETTERS = "mltikn"
"""How LEMS calls them; luminous intensity, its j, has no place in a model."""
NONE: Dimension = (0,) * len(LETTERS)
MOST_POWER = 60

_DIMENSIONS = """
    none 0 0 0 0 0 0, time 0 0 1 0 0 0, per_time 0 0 -1 0 0 0, voltage 1 2 -3 -1 0 0, per_voltage -1 -2 3 1 0 0,
    conductance -1 -2 3 2 0 0, conductanceDensity -1 -4 3 2 0 0, capacitance -1 -2 4 2 0 0,
    specificCapacitance -1 -4 4 2 0 0, resistance 1 2 -3 -2 0 0, resistivity 2 2 -3 -2 0 0, charge 0 0 1 1 0 0,
    charge_per_mole 0 0 1 1 0 -1, current 0 0 0 1 0 0, currentDensity 0 -2 0 1 0 0, length 0 1 0 0 0 0,
    area 0 2 0 0 0 0, volume 0 3 0 0 0 0, concentration 0 -3 0 0 0 1, substance 0 0 0 0 0 1,
    permeability 0 1 -1 0 0 0, temperature 0 0 0 0 1 0, idealGasConstantDims 1 2 -2 0 -1 -1,
    conductance_per_voltage -2 -4 6 3 0 0, rho_factor 0 -1 -1 -1 0 1
"""
"""Name and exponents of m, l, t, i, k and n, as NeuroML's core has them (its resistivity too, which has a mass squared
where one to the first power is due)."""
_UNITS = """
    time: s 0, ms -3; per_time: per_s 0, Hz 0, per_ms 3; length: m 0, cm -2, um -6; area: m2 0, cm2 -4, um2 -12;
    volume: m3 0, cm3 -6, litre -3, um3 -18; voltage: V 0, mV -3; per_voltage: per_V 0, per_mV 3;
    resistance: ohm 0, kohm 3, Mohm 6; conductance: S 0, mS -3, uS -6, nS -9, pS -12;
    conductanceDensity: S_per_m2 0, mS_per_cm2 1, S_per_cm2 4, uS_per_cm2 -2; capacitance: F 0, uF -6, nF -9, pF -12;
    specificCapacitance: F_per_m2 0, uF_per_cm2 -2; resistivity: ohm_m 0, kohm_cm 1, ohm_cm -2; charge: C 0;
    charge_per_mole: C_per_mol 0, nA_ms_per_amol 6, pC_per_umol -6; current: A 0, uA -6, nA -9, pA -12;
    currentDensity: A_per_m2 0, uA_per_cm2 -2, mA_per_cm2 1;
    concentration: mol_per_m3 0, mol_per_cm3 6, M 3, mM 0; substance: mol 0;
    permeability: m_per_s 0, cm_per_s -2, um_per_ms -3, cm_per_ms 1; temperature: K 0;
    idealGasConstantDims: J_per_K_per_mol 0, fJ_per_K_per_umol -9; conductance_per_voltage: S_per_V 0, nS_per_mV -6;
    rho_factor: mol_per_m_per_A_per_s 0, mol_per_cm_per_uA_per_ms 11, umol_per_cm_per_nA_per_ms 8
"""
"""Symbols of each dimension with their powers of ten."""
_SCALED = """
    min time 60 0, per_min per_time 0.01666666667 0, hour time 3600 0, per_hour per_time 0.00027777777778 0,
    e charge 1.602176634e-19 0, degC temperature 1 273.15
"""
"""Symbol, dimension, factor and offset of those that are no power of ten."""
_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)\s*([A-Za-z_]\w*)?\s*\Z", re.ASCII)
LONGEST_QUANTITY = 100


@dataclass(frozen=True)
class Unit:
    """A unit: SI value = offset + number * scale * 10**power."""

    dimension: str
    power: int
    scale: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


def _known_dimensions() -> dict[str, Dimension]:
    found = {}
    for line in _DIMENSIONS.replace("\n", " ").split(","):
        name, *exponents = line.split()
        found[name] = tuple(map(int, exponents))
    return found


def _known_units() -> dict[str, Unit]:
    found = {}
    for group in _UNITS.replace("\n", " ").split(";"):
        dimension, _, symbols = group.partition(":")
        for pair in symbols.split(","):
            symbol, power = pair.split()
            found[symbol] = Unit(dimension.strip(), int(power))
    for line in _SCALED.replace("\n", " ").split(","):
        symbol, dimension, scale, offset = line.split()
        found[symbol] = Unit(dimension, 0, Fraction(scale), Fraction(offset))
    return found


KNOWN_DIMENSIONS: Mapping[str, Dimension] = _known_dimensions()
KNOWN_UNITS: Mapping[str, Unit] = _known_units()


def _whole(element: Element, name: str) -> int:
    text = element.get(name, "0").strip()
    if not re.fullmatch(r"[+-]?\d{1,3}", text, re.ASCII) or abs(int(text)) > MOST_POWER:
        raise ModelError(f"{element.place}: {name}={shown(text)} is no whole number up to {MOST_POWER}")
    return int(text)


def _fraction(element: Element, name: str, default: str) -> Fraction:
    text = element.get(name, default)
    found = _QUANTITY.match(text) if len(text) <= LONGEST_QUANTITY else None
    if found is None or found[2]:
        raise ModelError(f"{element.place}: {name}={shown(text)} is no number")
    return Fraction(found[1])


T = TypeVar("T")


def _add(table: dict[str, T], name: str, value: T, element: Element) -> None:
    """Take a name in, unless it is known as something else."""
    if table.setdefault(name, value) != value:
        raise ModelError(f"{element.place}: {element.tag} {shown(name)} is known as something else; rename it")


@dataclass
class Units:
    """The dimensions and units that files declare, beside those of NeuroML's core."""

    dimensions: dict[str, Dimension] = field(default_factory=lambda: dict(KNOWN_DIMENSIONS))
    units: dict[str, Unit] = field(default_factory=lambda: dict(KNOWN_UNITS))

    def declare(self, element: Element) -> None:
        """Take a <Dimension> or <Unit> in.

        Raises
        ------
        ModelError
            One that says something else of a name that is known.
        """
        if element.tag == "Dimension":
            if _whole(element, "j"):
                raise ModelError(f"{element.place}: a dimension with luminous intensity (j) has no unit here")
            _add(self.dimensions, element["name"], tuple(_whole(element, letter) for letter in LETTERS), element)
            return
        dimension = element["dimension"]
        self.dimension(dimension, element.place)
        scale, offset = _fraction(element, "scale", "1"), _fraction(element, "offset", "0")
        _add(self.units, element["symbol"], Unit(dimension, _whole(element, "power"), scale, offset), element)

    def dimension(self, name: str, place: Place) -> Dimension:
        """The exponents of a dimension.

        Raises
        ------
        ModelError
            An unknown one.
        """
        found = self.dimensions.get(name)
        if found is None:
            raise ModelError(
                f"{place}: no dimension {shown(name)}{suggest(name, self.dimensions)}; declare it with <Dimension>"
            )
        return found

    def si(self, text: str, dimension: Dimension, place: Place) -> Fraction:
        """The value of a text such as ``"0.2 nS"`` in SI, which has that dimension.

        Raises
        ------
        ModelError
            Text that is no such value, an unknown unit, or one of another dimension.
        """
        found = _QUANTITY.match(text) if len(text) <= LONGEST_QUANTITY else None
        if found is None:
            raise ModelError(f"{place}: {shown(text)} is no number with a unit, such as '-50mV' or '0.2 nS'")
        number, symbol = Fraction(found[1]), found[2]
        if symbol is None:
            if number and dimension != NONE:
                raise ModelError(f"{place}: {shown(text)} has no unit; write one, such as {coherent_text(dimension)}")
            return number
        unit = self.units.get(symbol)
        if unit is None:
            raise ModelError(f"{place}: no unit {shown(symbol)}{suggest(symbol, self.units)}; declare it with <Unit>")
        if self.dimension(unit.dimension, place) != dimension:
            raise ModelError(
                f"{place}: {shown(text)} is of dimension {unit.dimension}; a value in {coherent_text(dimension)}, or "
                "in a unit of that dimension, is due"
            )
        return unit.offset + number * unit.scale * Fraction(10) ** unit.power


def coherent_text(dimension: Dimension) -> str:
    """A dimension's unit of the coherent system."""
    return unit_text(unit_with(dimension))


def in_unit(value: Fraction, unit: str, dimension: Dimension, place: Place) -> float:
    """A value in SI as a number in a unit of that dimension.

    Raises
    ------
    ModelError
        A unit of another dimension; a value that no number holds.
    """
    known = unit_of_text(unit)
    if known.exponents != dimension:
        raise ModelError(f"{place}: {unit} is of another dimension than {coherent_text(dimension)}")
    power = round(known.scale)
    if abs(known.scale - power) > 1e-9:
        raise ModelError(f"{place}: {unit} is no power of ten of SI units")
    try:
        number = float(value / Fraction(10) ** power)
    except OverflowError:
        number = 0.0
    if value and not number:
        raise ModelError(f"{place}: a value is too large or too small to be a number in {unit}")
    return number
