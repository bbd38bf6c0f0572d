"""Firing rates, by the names that the documentation gives them."""

from izhigen.recording.rates import PopulationRate, RateCurve

__all__ = ["PopulationRate", "RateCurve"]
