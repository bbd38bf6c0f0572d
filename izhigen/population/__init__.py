"""Neurons that are advanced together: what a user holds, and what a run of it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from izhigen.population.population import Population

__all__ = ["Population"]


def __getattr__(name: str) -> Any:
    """The class by the name of its folder; loaded when it is first used."""
    if name != "Population":
        raise AttributeError(f"module 'izhigen.population' has no attribute {name!r}")
    from izhigen.population.population import Population

    return Population
