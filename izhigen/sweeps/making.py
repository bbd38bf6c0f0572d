"""A piece of a sweep, made from what the sweep is asked for alone, wherever that is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen.memory.pieces import Piece
from izhigen.memory.space import fetch
from izhigen.population.progress import Progress
from izhigen.recording.events import EventList
from izhigen.recording.recording import Recording
from izhigen.sweeps.measures import Variable
from izhigen.sweeps.task import Task

Array = Any


@dataclass(frozen=True)
class MadePiece:
    """The values of a piece.

    Attributes
    ----------
    piece : Piece
    variables : mapping
        What the values are.
    values : mapping
        A set a row; None for one that was written where it belongs already.
    events : mapping
        Name to events, those of a set in a row, with flat indices of sets in the order of the result.
    bad : array of int
        Sets of the piece that became infinite or undefined.
    time : array
        ms of the rows of traces.
    """

    piece: Piece
    variables: Mapping[str, Variable]
    values: Mapping[str, Array]
    events: Mapping[str, EventList]
    bad: Array
    time: Array


def make_piece(task: Task, piece: Piece, progress: Progress = False) -> MadePiece | None:
    """Run the sets of a piece; None where an interrupt ended that."""
    population = task.population(piece)
    recording = population.run(
        steps=task.steps,
        record=task.measures.record,
        every=task.every,
        progress=progress,
        check_finite=False,
        **task.inputs(piece),
    )
    if recording.interrupted:
        return None
    recording = recording.to_host()
    finite = np.all([np.isfinite(fetch(population.state[s])) for s in task.model.states], axis=0)
    values, bad = task.measures.values(recording), np.flatnonzero(~finite)
    variables = task.measures.variables(values, task.model.unit_of)
    for name in values if len(bad) else ():
        values[name] = values[name].copy()
        values[name][bad] = np.nan
    events = _events(task, recording, piece, finite)
    return MadePiece(piece, variables, values, events, bad, np.asarray(recording.t))


def _events(task: Task, recording: Recording, piece: Piece, finite: Array) -> dict[str, EventList]:
    """The events of a piece; none of sets that have no values."""
    found = {}
    for name in task.measures.events:
        times, sets = (np.asarray(part) for part in (recording.lists[name].times, recording.lists[name].indices))
        order = np.lexsort((times, sets))
        order = order[finite[sets[order]]]
        found[name] = EventList(times[order], task.sets.flat_index(sets[order] + piece.first))
    return found
