"""What a run writes down: the plan of it, where it goes, and what a user reads of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from izhigen.recording.recording import Recording

__all__ = ["Recording"]


def __getattr__(name: str) -> Any:
    """The class by the name of its folder; loaded when it is first used."""
    if name != "Recording":
        raise AttributeError(f"module 'izhigen.recording' has no attribute {name!r}")
    from izhigen.recording.recording import Recording

    return Recording
