"""Intervals between spikes, by the name that the documentation gives them."""

from izhigen.recording.figures import Intervals

__all__ = ["Intervals"]
