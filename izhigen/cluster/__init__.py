"""Populations spread over the workers of a Dask cluster, each of which has ranges of their neurons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from izhigen.cluster.population import ClusterPopulation

__all__ = ["ClusterPopulation"]


def __getattr__(name: str) -> Any:
    """The class by the name of its folder; loaded, and Dask with it, when it is first used."""
    if name != "ClusterPopulation":
        raise AttributeError(f"module 'izhigen.cluster' has no attribute {name!r}")
    from izhigen.cluster.population import ClusterPopulation

    return ClusterPopulation
