"""What a sweep keeps of every set: figures of its spikes, traces, lists of events, and functions of a recording.

All that is kept of a set is numbers in floating point, NaN for a set without a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.errors import IzhigenError, ValueShapeError, shown, suggest
from izhigen.model.checking import SPIKE_FIGURES
from izhigen.model.lines import line_names
from izhigen.model.model import Declaration
from izhigen.recording.events import array_names
from izhigen.recording.figures import UNITS
from izhigen.recording.recording import Recording
from izhigen.scalars import read_names

Array = Any
Function = Callable[[Recording], Any]

TIME, RATE, CV = "time", "rate", "cv"
COUNT, FIRST, INTERVALS = SPIKE_FIGURES
FIGURES = {COUNT: (COUNT,), FIRST: (FIRST,), INTERVALS: ("isi_mean", "isi_std"), CV: (CV,), RATE: (RATE,)}
"""Measures that are one number a set or two, and what they are called in the result."""
SET_INDEX = "_set_index"
"""After the name of an event: the flat index of the set of each."""
LIKELY_RATE = 0.1
"""Events a ms of a neuron that room is reckoned for."""


@dataclass(frozen=True)
class Variable:
    """A variable of the result.

    Attributes
    ----------
    dtype : dtype
        Of floating point.
    extra : mapping
        Dimensions behind those of the sets, with their lengths.
    unit : str
    """

    dtype: Any
    extra: Mapping[str, int]
    unit: str = ""


@dataclass(frozen=True)
class Measures:
    """What is asked for.

    Attributes
    ----------
    figures, traces, events : tuple of str
    functions : mapping
        Name to a function of the recording of a piece, which returns one value, or one row of values, a set.
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

    def bytes_of_result(self, rows: int, itemsize: int) -> int:
        """Bytes that the values of a set take, one for each function; traces have so many rows."""
        return 8 * (sum(len(FIGURES[n]) for n in self.figures) + len(self.functions)) + itemsize * rows * len(
            self.traces
        )

    def bytes_of_run(self, rows: int, itemsize: int, duration: float, events: Iterable[str]) -> int:
        """Bytes that a run records of a set, about; ``events`` are those of the model."""
        known = {*events}
        traced = [name for name in self.record if name not in known and name not in FIGURES]
        listed = [name for name in self.record if name in known or name == "all"]
        return itemsize * rows * len(traced) + int(40 * LIKELY_RATE * duration) * len(listed) + 64

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
                found[RATE] = recording[COUNT] * (1000.0 / lasted) if lasted else np.full(recording.shape, np.nan)
            else:
                found[name] = recording[name]
        found = {name: values.astype(np.float64) for name, values in found.items()}
        for name in self.traces:
            trace = np.moveaxis(np.asarray(recording[name]), 0, -1)
            found[name] = trace.astype(np.float32) if trace.dtype == bool else trace
        return found | {name: self._called(name, function, recording) for name, function in self.functions.items()}

    def _called(self, name: str, function: Function, recording: Recording) -> Array:
        count = recording.shape[0]
        try:
            given = function(recording)
            found = np.ma.filled(given.astype(np.float64), np.nan) if np.ma.isMaskedArray(given) else np.asarray(given)
        except IzhigenError:
            raise
        except Exception as problem:  # a user's function may raise anything
            raise ValueShapeError(
                f"measure {shown(name)} failed with {type(problem).__name__}: {problem}; it is called with the "
                "recording of some sets as neurons, and returns one value a neuron"
            ) from problem
        if found.ndim == 0 or len(found) != count or found.dtype.kind not in "biuf":
            raise ValueShapeError(
                f"measure {shown(name)} returned {found.dtype} of shape {found.shape} for {count} sets; return "
                "numbers, one a set, or one row a set (of a trace, whose rows are times, the transpose)"
            )
        return found.astype(np.float64)

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
    measure : str, callable, mapping of str to callable, or iterable of these
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
    events = [event.name for event in model.events]
    known = list(dict.fromkeys([*FIGURES, *known_traces, *events]))
    for name in names:
        if name not in known:
            raise ValueShapeError(
                f"measure {shown(name)} is none{suggest(name, known)} (known: {', '.join(known)}, and functions of a "
                "recording)"
            )
    figures = tuple(n for n in names if n in FIGURES and n not in known_traces)
    if figures and model.spike is None:
        raise ValueShapeError(f"measure {shown(figures[0])}: model {model.name!r} has no threshold, and no spikes")
    traces = tuple(n for n in names if n not in figures and n not in events)
    listed = tuple(n for n in names if n in events)
    found = Measures(figures, traces, listed, functions, read_names(record, "record"))
    _check_names(found, set(taken))
    return found


def _check_names(found: Measures, taken: set[str]) -> None:
    """Every array and dimension of the result has a name of its own."""
    traced = next((name for name in found.traces if name in taken), None)
    if traced is not None:
        raise ValueShapeError(
            f"{shown(traced)} is what varies, and a trace: one result cannot hold both; trace it under another name, "
            f"measure={{'{traced}_trace': lambda recording: recording['{traced}'].T}}, record='{traced}'"
        )
    of_events = [part for name in found.events for part in (array_names(name)[0], name + SET_INDEX, name)]
    written = [*(part for name in found.figures for part in FIGURES[name]), *found.traces, *of_events]
    if found.traces:
        written.append(TIME)
    for name in found.functions:
        if not name.isidentifier() or not name.isascii():
            raise ValueShapeError(f"measure {shown(name)}: the name of a function is one that a variable could have")
        if any(other == name or re.fullmatch(rf"{name}_\d+", other) for other in (*taken, *written)):
            raise ValueShapeError(f"measure {shown(name)}: the result has something else of that name; rename it")
    twice = next((name for name in written if name in taken or written.count(name) > 1), None)
    if twice is not None:
        raise ValueShapeError(f"{shown(twice)} would name two things in the result; measure one of them by a function")


def _split(measure: Any) -> tuple[list[str], dict[str, Function]]:
    """Names, and functions by name."""
    one = isinstance(measure, (str, Mapping)) or callable(measure)
    names, functions = list[Any](), dict[str, Function]()
    for part in [measure] if one else _iterated(measure):
        for name, given in part.items() if isinstance(part, Mapping) else [(None, part)]:
            if not callable(given):
                if name is not None:
                    raise ValueShapeError(f"measure {shown(name)}: a mapping gives functions of a recording by name")
                names.append(given)
                continue
            key = _name_of(given) if name is None else str(name)
            if key in functions:
                raise ValueShapeError(f"measure {shown(key)} is given twice; give {{'name': function}}")
            functions[key] = given
    return list(read_names(names, "measure")), functions


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
