"""What a run of a network wrote down: a recording of each population, and pictures of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from izhigen.errors import RecordingError, shown, suggest
from izhigen.recording.recording import Recording


class NetworkRecording(Mapping[str, Recording]):
    """Recordings by the name of their population: ``rec["exc"].spikes``."""

    def __init__(self, recordings: Mapping[str, Recording]) -> None:
        self._recordings = dict(recordings)

    def __getitem__(self, name: str) -> Recording:
        if name not in self._recordings:
            raise RecordingError(
                f"no population {shown(name)} in the recording{suggest(str(name), self._recordings)} "
                f"({', '.join(self._recordings)})"
            )
        return self._recordings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._recordings)

    def __len__(self) -> int:
        return len(self._recordings)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the run early."""
        return any(each.interrupted for each in self._recordings.values())

    def plot(self, *, bin: float = 5.0) -> Any:
        """A picture: a raster of each population whose spikes are recorded, and the rates of all in bins of ``bin`` ms.

        Returns
        -------
        matplotlib figure

        Raises
        ------
        RecordingError
            Where no population's spikes were recorded.
        """
        from izhigen.network.picture import network_picture

        return network_picture(self._recordings, bin=bin)

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}: {recording!r}" for name, recording in self._recordings.items())
        return f"<NetworkRecording of {parts}>"


__all__ = ["NetworkRecording"]
