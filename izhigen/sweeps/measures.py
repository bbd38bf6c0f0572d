"""What a sweep keeps of every set: figures of its spikes, traces, lists of events, and functions of a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import IzhigenError, ValueShapeError, shown, suggest
from izhigen.model.checking import SPIKE_FIGURES
from izhigen.model.lines import line_names
from izhigen.model.model import Declaration
from izhigen.recording.figures import UNITS
from izhigen.recording.recording import Recording
from izhigen.scalars import read_names

Array = Any
Function = Callable[[Recording], Any]

TIME, RATE, CV = "time", "rate", "cv"
COUNT, FIRST, INTERVALS = SPIKE_FIGURES
FIGURES = {COUNT: (COUNT,), FIRST: (FIRST,), INTERVALS: ("isi_mean", "isi_std"), CV: (CV,), RATE: (RATE,)}
"""Measures that are one number a set or two, and what they are called in the result."""
NO_COUNT = -1
"""The count of a set that was not made, or became infinite or undefined."""


@dataclass(frozen=True)
class Variable:
    """A variable of the result.

    Attributes
    ----------
    dtype : dtype
    extra : mapping
        Dimensions behind those of the sets, with their lengths.
    unit : str
    """

    dtype: Any
    extra: Mapping[str, int]
    unit: str = ""

    @property
    def fill(self) -> Any:
        """What stands for a set without a value: NaN, -1 of whole numbers, False."""
        kind = np.dtype(self.dtype).kind
        return np.nan if kind == "f" else NO_COUNT if kind == "i" else 0


@dataclass(frozen=True)
class Measures:
    """What is asked for.

    Attributes
    ----------
    figures, traces, events : tuple of str
    functions : mapping
        Name to a function of the recording of a piece, which returns one value, or one array, a set.
    read : tuple of str
        What is recorded for the functions besides.
    """

    figures: tuple[str, ...]
    traces: tuple[str, ...]
    events: tuple[str, ...]
    functions: Mapping[str, Function]
    read: tuple[str, ...]

    @property
    def record(self) -> list[str]:
        """What runs are to record."""
        figures = [{RATE: COUNT, CV: INTERVALS}.get(name, name) for name in self.figures]
        return list(dict.fromkeys([*figures, *self.traces, *self.events, *self.read]))

    def values(self, recording: Recording) -> dict[str, Array]:
        """The values of a piece by name, a set first, but for events."""
        found: dict[str, Array] = {}
        for name in self.figures:
            if name == INTERVALS:
                found["isi_mean"], found["isi_std"] = recording[INTERVALS]
            elif name == CV:
                with np.errstate(invalid="ignore"):
                    found[CV] = recording[INTERVALS].cv
            elif name == RATE:
                lasted = recording.stop - recording.start
                found[RATE] = recording[COUNT] * (1000.0 / lasted) if lasted else np.zeros(len(recording[COUNT]))
            else:
                found[name] = recording[name]
        found |= {name: np.moveaxis(np.asarray(recording[name]), 0, -1) for name in self.traces}
        return found | {name: self._called(name, function, recording) for name, function in self.functions.items()}

    def _called(self, name: str, function: Function, recording: Recording) -> Array:
        count = recording.shape[0]
        try:
            found = np.asarray(function(recording))
        except IzhigenError:
            raise
        except Exception as problem:  # a user's function may raise anything
            raise ValueShapeError(
                f"measure {shown(name)} failed with {type(problem).__name__}: {problem}; it is called with the "
                f"recording of some sets as neurons, and returns one value a neuron"
            ) from problem
        if found.ndim == 0 or len(found) != count or found.dtype.kind not in "biuf":
            raise ValueShapeError(
                f"measure {shown(name)} returned {found.dtype} of shape {found.shape} for {count} sets; return "
                "numbers, one a set, or one row a set"
            )
        return found.astype(np.int64) if found.dtype.kind in "iu" else found

    def variables(self, values: Mapping[str, Array], unit_of: Callable[[str], str]) -> dict[str, Variable]:
        """What the values of a piece become in the result."""
        found = {}
        for name, array in values.items():
            names = [TIME] if name in self.traces else [f"{name}_{k}" for k in range(array.ndim - 1)]
            unit = "Hz" if name == RATE else UNITS.get(name) or (unit_of(name) if name in self.traces else "")
            found[name] = Variable(array.dtype, dict(zip(names, array.shape[1:])), unit)
        return found


def read_measures(
    measure: Any, record: Any, model: Declaration, taken: Iterable[str], jumps: Iterable[str] = ()
) -> Measures:
    """The measures that are asked for.

    Parameters
    ----------
    measure : str, callable, iterable of these, or mapping of str to callable
    record : str or iterable of str
        What functions read besides.
    taken : iterable of str
        Names of coordinates, which no measure may have.
    jumps : iterable of str
        Inputs ``<state>_delta`` of the runs, which can be traced too.

    Raises
    ------
    ValueShapeError
        For what is no measure of the model.
    """
    names, functions = _split(measure)
    known_traces = [*model.all_states, *model.inputs, *line_names(model), *jumps]
    known = list(dict.fromkeys([*FIGURES, *known_traces, *(e.name for e in model.events)]))
    for name in names:
        if name not in known:
            raise ValueShapeError(
                f"measure {shown(name)} is none{suggest(name, known)} (known: {', '.join(known)}, and functions of a "
                "recording)"
            )
    events = {e.name for e in model.events}
    figures = tuple(n for n in names if n in FIGURES and n not in known_traces)
    if figures and model.spike is None:
        raise ValueShapeError(f"measure {shown(figures[0])}: model {model.name!r} has no threshold, and no spikes")
    traces = tuple(n for n in names if n not in figures and n not in events)
    found = Measures(figures, traces, tuple(n for n in names if n in events), functions, read_names(record, "record"))
    written = [*(part for name in figures for part in FIGURES[name]), *traces, *functions]
    for name in written:
        if name in taken or written.count(name) > 1:
            raise ValueShapeError(
                f"{shown(name)} would name two things in the result; rename the function, or measure it by one"
            )
    return found


def _split(measure: Any) -> tuple[list[str], dict[str, Function]]:
    """Names, and functions by name."""
    if isinstance(measure, Mapping):
        bad = next((name for name, function in measure.items() if not callable(function)), None)
        if bad is not None:
            raise ValueShapeError(f"measure {shown(bad)}: a mapping gives functions of a recording by name")
        return [], {str(name): function for name, function in measure.items()}
    parts = [measure] if isinstance(measure, str) or callable(measure) else list(_iterated(measure))
    functions = {}
    for part in parts:
        if callable(part):
            functions[_name_of(part)] = part
    return list(read_names([part for part in parts if not callable(part)], "measure")), functions


def _iterated(measure: Any) -> Iterable[Any]:
    try:
        return iter(measure)
    except TypeError:
        raise ValueShapeError(f"measure={shown(measure)} is no name, function or list of them") from None


def _name_of(function: Function) -> str:
    name = getattr(function, "__name__", "")
    if not name.isidentifier():
        raise ValueShapeError(f"measure {shown(function)} has no name; give {{'name': function}}")
    return name
