"""The pieces of a sweep, made by the workers of a Dask cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from izhigen.cluster.connection import Connection, address
from izhigen.cluster.shards import same
from izhigen.errors import ClusterError
from izhigen.memory.pieces import Piece
from izhigen.sweeps.making import MadePiece, make_piece
from izhigen.sweeps.results import Room
from izhigen.sweeps.task import Task

AHEAD = 2
"""Pieces under way for each thread: one is made while another waits to be."""


def made_on_cluster(
    task: Task,
    left: Iterator[Piece],
    connection: Connection,
    look: Callable[[], bool],
    room: Callable[[], Room | None],
) -> Iterator[MadePiece | None]:
    """The pieces in their order, some under way at once; None where ``look`` ends them.

    ``room`` says where workers may write values, which then do not come here; None before the first piece.
    """
    connection.check()
    connection.ask_all(make_one, task)
    shared = connection.submit(same, task)  # so that it goes to each worker once, and is there again after one died
    under_way: deque[Any] = deque()
    most = AHEAD * connection.threads
    try:
        while True:
            while len(under_way) < most and (piece := next(left, None)) is not None:
                under_way.append(connection.submit(make_there, shared, piece, room()))
            if not under_way:
                return
            found = connection.results([under_way[0]], look)
            if found is None:
                yield None
                return
            under_way.popleft()
            if found[0] is None:
                raise ClusterError("cluster: a worker was interrupted; the same call goes on with a sweep in a store")
            yield found[0]
    finally:
        connection.client.cancel(list(under_way))


def make_one(task: Task) -> None:
    """Make the neuron of the first set; the kernel is built on the way."""
    task.population(Piece((), 0, 1, 0, 1))


def make_there(task: Task, piece: Piece, room: Room | None) -> MadePiece | None:
    """A piece, whose values are written where there is room for them."""
    made = make_piece(task, piece)
    try:
        if made is None or room is None or not room.write(piece, made.variables, made.values):
            return made
    except ClusterError as problem:
        raise ClusterError(f"worker {address()}: {problem}") from problem
    return replace(made, values=dict.fromkeys(made.values))
