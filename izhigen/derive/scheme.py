"""Methods: what one states, where they are found, and the noise that they share."""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from izhigen.derive import schemes
from izhigen.derive.event import Assignment
from izhigen.derive.lowering import lower
from izhigen.derive.sequence import NoiseTerm
from izhigen.derive.singularities import remove_singularities
from izhigen.derive.system import EquationClass, System
from izhigen.errors import DerivationError, shown, suggest

AUTO = "auto"
"""Stands for the method that :mod:`izhigen.derive.auto` chooses for a model."""


@dataclass(frozen=True)
class Scheme:
    """A one-step method.

    Its update holds for a step of any length and names that :data:`~izhigen.derive.lowering.DT` throughout. So with
    ``theta*dt`` in the place of dt it is the method's dense output, 0 <= theta <= 1: continuous in theta, the states
    themselves at 0, the step's result at 1, and of the method's order between.

    Attributes
    ----------
    name : str
        Name of the method; its file's name.
    order : int or inf
        Order on smooth problems (for a system); infinite where it is exact.
    formula : str
        Its update in LaTeX.
    advance : callable
        ``advance(system)`` returns the ordered intermediates and the increment of every state over one step.
    noise : callable
        ``noise(system)`` returns ordered intermediates, and what is added to states.
    aliases : tuple of str
        Other names it is known by.
    exponential : bool
        Whether it integrates the linear part of an equation exactly, and noise with it.
    meanings : mapping of EquationClass to str
        What the update of an equation of a class is, where it is another than exponential Euler's.
    notes : callable
        ``notes(system)`` returns what else the report says of a system.
    """

    name: str
    order: float
    formula: str
    advance: Callable[[System], tuple[tuple[Assignment, ...], tuple[Any, ...]]]
    noise: Callable[[System], tuple[tuple[Assignment, ...], tuple[NoiseTerm, ...]]]
    aliases: tuple[str, ...] = ()
    exponential: bool = False
    meanings: Mapping[EquationClass, str] = field(default_factory=dict, hash=False)
    notes: Callable[[System], Iterable[str]] = lambda system: ()

    @property
    def accuracy(self) -> str:
        """Its order in words."""
        return "exact" if math.isinf(self.order) else f"order {self.order} for smooth systems"


def method_names() -> list[str]:
    """Names of all methods, found as the files of ``derive/schemes``."""
    return sorted(module.name for module in pkgutil.iter_modules(schemes.__path__))


def find_scheme(name: str) -> Scheme:
    """The method of that name or alias.

    Raises
    ------
    DerivationError
        For an unknown name, listing the known ones.
    """
    names = method_names()
    if not isinstance(name, str):
        raise DerivationError(f"no method {shown(name)}; a method is a name such as 'exp_euler'")
    ordered = ([name] if name in names else []) + [other for other in names if other != name]
    for candidate in ordered:
        scheme: Scheme = importlib.import_module(f"{schemes.__name__}.{candidate}").SCHEME
        if name == scheme.name or name in scheme.aliases:
            return scheme
    known = [*names, AUTO]
    raise DerivationError(f"no method {shown(name)}{suggest(name, known)} (methods: {', '.join(known)})")


def noise_amplitudes(system: System) -> dict[int, Any]:
    """Amplitude of the white noise on each noisy state, by the state's index."""
    return {
        system.model.states.index(n.state): remove_singularities(
            lower(n.amplitude, f"noise on {n.state}", system.definitions)
        )
        for n in system.model.noise
    }


def noise_term(system: System, index: int, factor: Any, source: int | None = None) -> NoiseTerm:
    """``factor*xi`` on a state, with the variate of that state or of another; every state has a stream of its own."""
    drawn = index if source is None else source
    return NoiseTerm(system.states[index], system.intermediate(f"xi_{system.states[drawn].name}"), factor, drawn)
