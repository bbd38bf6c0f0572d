"""What a saved recording says of itself, checked: nothing in a file is believed before it was looked at."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.errors import RecordingError, shown
from izhigen.files import check_file, read_path
from izhigen.memory.layout import MOST_NEURONS
from izhigen.model.events import SPIKE
from izhigen.recording.figures import MOMENTS, UNITS

Array = Any

FORMAT = 3
"""Of saved recordings. In stores of format 1, which did not name it, a chunk of zeros was not written; formats before 3
had no event but the spike."""
SUFFIXES = {".npz": "a NumPy archive", ".zarr": "a Zarr store"}
"""Known suffixes of saved recordings."""
MOST_AXES = 32
TRACE_TYPES = frozenset(map(np.dtype, ("bool", "int32", "int64", "float32", "float64")))
"""Number types of traces."""
FIGURE_TYPES = {name: np.dtype(np.int64 if name == "count" else np.float64) for name in UNITS}
"""Number types of the figures of each neuron's spikes."""
PER_NEURON = "per_neuron_"
"""Before the name of a parameter or held input in the name of its array."""
PER_NEURON_TYPES = frozenset(map(np.dtype, ("float32", "float64")))
"""Number types of parameters and held inputs that differ between neurons."""
_TEXTS = ("model", "method", "dtype", "backend", "threshold", "spike_state")
_MAPPINGS = ("units", "parameters")


class Malformed(ValueError):
    """What is wrong with a saved recording; readers turn it into a RecordingError that names the file."""


def recording_path(path: Any) -> tuple[Path, str]:
    """The path of a recording, with ``.npz`` where it has no suffix, and its suffix in small letters.

    Raises
    ------
    ValueShapeError
        For what is no path.
    RecordingError
        For a suffix that is not one of :data:`SUFFIXES`.
    """
    place = read_path(path, "run.npz")
    suffix = os.path.splitext(place.name)[1].lower()
    if suffix in ("", ".") and place.name.strip(". "):
        return place.with_name(f"{place.name.rstrip('.')}.npz"), ".npz"
    if suffix not in SUFFIXES:
        known = " or ".join(f"{suffix} ({what})" for suffix, what in SUFFIXES.items())
        raise RecordingError(f"'{place}' does not say how a recording is stored: its name must end in {known}")
    return place, suffix


def output_path(path: Any) -> tuple[Path, str]:
    """As :func:`recording_path`, for a recording to write: what stands under the name that was given is a file.

    Raises
    ------
    RecordingError
        For a folder, a device or a pipe too, also where its name then gets a suffix.
    """
    place, suffix = recording_path(path)
    if suffix != ".zarr":
        check_file(os.fsdecode(path))
        check_file(place)
    return place, suffix


@dataclass(frozen=True)
class Description:
    """A recording but for its arrays.

    Attributes
    ----------
    info : mapping
        Model, method, dt and so on.
    shape : tuple of int
        Shape of the population.
    start, stop : float
        Times in ms.
    interrupted : bool
        Whether the run ended early.
    traces, figures : tuple of str
        Names of what was recorded.
    per_neuron : tuple of str
        Parameters and held inputs that differ between neurons.
    events : tuple of str
        Recorded events other than the spike.
    format : int
        Of the file.
    """

    info: Mapping[str, Any]
    shape: tuple[int, ...]
    start: float
    stop: float
    interrupted: bool
    traces: tuple[str, ...]
    figures: tuple[str, ...]
    per_neuron: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """All but ``info``, for a file."""
        return {
            "format": self.format,
            "shape": list(self.shape),
            "start": self.start,
            "stop": self.stop,
            "interrupted": self.interrupted,
            "traces": list(self.traces),
            "figures": list(self.figures),
            "per_neuron": list(self.per_neuron),
            "events": list(self.events),
        }

    @classmethod
    def from_json(cls, about: Any, info: Any) -> Description:
        """What a file says; :class:`Malformed` where that cannot be."""
        about, info = as_mapping("the description", about), as_mapping("'info'", info)
        version = about.get("format", 1)
        if type(version) is not int or version < 1:
            raise Malformed(f"its format {shown(version)} is none")
        if version > FORMAT:
            raise Malformed(f"its format {version} is newer than this izhigen, which knows {FORMAT}: upgrade izhigen")
        check_info(info)
        description = cls(
            info=info,
            shape=_shape(about),
            start=_number(about, "start"),
            stop=_number(about, "stop"),
            interrupted=flag(about, "interrupted"),
            traces=_names(about, "traces"),
            figures=_names(about, "figures") if "figures" in about else (),
            per_neuron=_names(about, "per_neuron") if "per_neuron" in about else (),
            events=_names(about, "events") if "events" in about else (),
            format=version,
        )
        if description.stop < description.start:
            raise Malformed(f"it stops at {description.stop:g} ms, before it starts")
        for name in description.events:
            if name in (SPIKE, *MOMENTS, *description.figures, *description.traces):
                raise Malformed(f"an event cannot have the name {shown(name)}, which something else has")
        wanted = {name for names in MOMENTS.values() if names[0] in description.figures for name in names}
        if set(description.figures) != wanted:
            raise Malformed(
                f"its figures {', '.join(description.figures)} are not {', '.join(sorted(wanted)) or 'known'}"
            )
        return description

    @property
    def count(self) -> int:
        """Number of neurons of the population."""
        return math.prod(self.shape)

    # -- the arrays -------------------------------------------------------------------------------------------------

    def check_times(self, name: str, times: Array, before: float, strictly: bool) -> None:
        """Times (ms) in order, within the run, and none before ``before``."""
        if not len(times):
            return
        slack = float(self.info["dt"])
        if not np.isfinite(times).all():
            raise Malformed(f"{name} has a time that is infinite or not a number")
        steps = np.diff(times, prepend=before)
        if (steps <= 0).any() if strictly else (steps < 0).any():
            raise Malformed(f"the times of {name} are not in order")
        if times[0] < self.start - slack or times[-1] > self.stop + slack:
            raise Malformed(f"{name} has a time outside the run, {self.start:g} to {self.stop:g} ms")

    def check_indices(self, name: str, indices: Array) -> None:
        """Flat indices of neurons of the population."""
        if len(indices) and (indices.min() < 0 or indices.max() >= self.count):
            raise Malformed(f"{name} names a neuron outside 0 ... {self.count - 1}")

    def check_neurons(self, neurons: Array) -> None:
        """Flat indices of chosen neurons, each once."""
        self.check_indices("neurons", neurons)
        if len(np.unique(neurons)) != len(neurons):
            raise Malformed("neurons names a neuron twice")

    def check_figure(self, name: str, values: Array) -> None:
        """Counts and times are not negative; times may be missing (NaN)."""
        if np.isinf(values).any() or (values < 0).any():
            raise Malformed(f"figure {name} has a value below 0 or an infinite one")


def parse_json(text: str | bytes) -> Any:
    """A JSON document from a file; :class:`Malformed` where it is none."""
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # half of a character, as in "\\ud800", could not be printed
    except RecursionError:
        raise Malformed("its description is nested too deeply") from None
    except ValueError as problem:
        raise Malformed(f"its description is not JSON: {problem}") from None
    return found


def as_mapping(what: str, value: Any) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not a JSON object but {shown(value)}")
    return value


def entry(about: Mapping[str, Any], key: str) -> Any:
    """An entry that must be there."""
    if key not in about:
        raise Malformed(f"{shown(key)} is missing")
    return about[key]


def flag(about: Mapping[str, Any], key: str) -> bool:
    value = entry(about, key)
    if not isinstance(value, bool):
        raise Malformed(f"{shown(key)} is {shown(value)}, neither true nor false")
    return value


def whole(about: Mapping[str, Any], key: str) -> int:
    value = entry(about, key)
    if type(value) is not int or not 0 <= value < 2**63:
        raise Malformed(f"{shown(key)} is {shown(value)}, not a number of things")
    return value


def lengths(what: str, value: Any) -> tuple[int, ...]:
    """Lengths of axes."""
    if not isinstance(value, list) or not all(type(length) is int and 0 <= length < 2**63 for length in value):
        raise Malformed(f"{what} is {shown(value)}, not a list of lengths")
    if len(value) > MOST_AXES:
        raise Malformed(f"{what} has {len(value)} axes")
    return tuple(value)


def _number(about: Mapping[str, Any], key: str) -> float:
    value = entry(about, key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise Malformed(f"{shown(key)} is {shown(value)}, not a finite number")
    return float(value)


def _shape(about: Mapping[str, Any]) -> tuple[int, ...]:
    shape = lengths("'shape'", entry(about, "shape"))
    if not shape or math.prod(shape) > MOST_NEURONS:
        raise Malformed(f"'shape' is {shown(list(shape))}: one to {MOST_NEURONS} neurons can be recorded")
    return shape


def _names(about: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = entry(about, key)
    if not isinstance(value, list) or not all(isinstance(name, str) and name.isidentifier() for name in value):
        raise Malformed(f"{shown(key)} is {shown(value)}, not a list of names")
    if len(set(value)) < len(value):
        raise Malformed(f"{shown(key)} has a name twice")
    return tuple(value)


def check_info(info: Mapping[str, Any]) -> None:
    """What readers of ``info`` rely on: a model's name, a step, texts, and mappings of names."""
    entry(info, "model")
    if not _number(info, "dt") > 0:
        raise Malformed(f"'dt' is {info['dt']:g}, not a step in ms")
    for key in _TEXTS:
        if not isinstance(info.get(key, ""), str):
            raise Malformed(f"{shown(key)} is {shown(info[key])}, not text")
    for key in _MAPPINGS:
        as_mapping(repr(key), info.get(key, {}))
    if not all(isinstance(unit, str) for unit in info.get("units", {}).values()):
        raise Malformed("'units' are not texts")


def check_array(name: str, found: tuple[Any, Sequence[int]], types: Any, shape: Sequence[int]) -> None:
    """Number type and shape of an array, against what they must be."""
    dtype, there = found
    if dtype not in types:
        raise Malformed(f"array {shown(name)} has the number type {dtype}, not {' or '.join(sorted(map(str, types)))}")
    if tuple(there) != tuple(shape):
        raise Malformed(f"array {shown(name)} has the shape {tuple(there)}, not {tuple(shape)}")
