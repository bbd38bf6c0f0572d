"""Checkpoints of populations on a cluster: every worker writes and reads the files of its shards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.cluster.connection import Connection, address
from izhigen.cluster.lazily import Grid
from izhigen.errors import ClusterError, RecordingError
from izhigen.model.model import Declaration
from izhigen.population.checkpoint import (
    LOCK,
    Checkpoint,
    Piece,
    arrays_of,
    checkpoint_path,
    read_checkpoint,
    write_piece,
    writing,
)
from izhigen.population.distributions import Distribution
from izhigen.population.population import Population
from izhigen.population.restoring import with_options
from izhigen.population.saved import Saved

Future = Any


def write(
    path: Any, connection: Connection, grid: Grid, shards: list[Future], options: Mapping[str, Any]
) -> list[Future]:
    """Write all shards; the same shards, which are made again from there from then on."""
    with writing(checkpoint_path(path).absolute()) as writer:
        made = [
            connection.submit(_write_shard, shard, str(writer.path), writer.token, number, piece.first)
            for number, (shard, piece) in enumerate(zip(shards, grid.pieces))
        ]
        try:
            found = connection.results(made, lambda: False)
        except BaseException:
            connection.client.cancel(made)
            raise
        assert found is not None
        (_, saved, types), count = found[0], sum(piece.count for piece in grid.pieces)
        whole = replace(saved, options=dict(options))
        done = writer.finish(whole, count, types, [file for file, *_ in found], keep_last=True)
    return shards_of(connection, grid, done)


def _write_shard(shard: Population, path: str, token: str, number: int, first: int) -> tuple[Piece, Any, Any]:
    """Write a shard's file; that, and what the client needs of the rest."""
    place = Path(path)
    if not (place / LOCK).is_file():
        raise ClusterError(
            f"worker {address()} does not see {path}; name a folder that the client and all workers share"
        )
    saved = shard.saved_for_checkpoint()
    arrays = arrays_of(saved)
    file = write_piece(place, token, number, (first, first + len(saved.spike)), arrays)
    if number:  # the rest is the same in all
        return file, None, {}
    types, nothing = {name: values.dtype for name, values in arrays.items()}, np.zeros(0)
    given = {n: nothing if isinstance(v, np.ndarray) else v for n, v in saved.given.items()}
    parameters = {n: nothing if isinstance(v, np.ndarray) else v for n, v in saved.parameters.items()}
    return file, replace(saved, given=given, parameters=parameters, state={}, spike=None), types


def read(path: Any, kind: type[Declaration], options: Mapping[str, Any]) -> Checkpoint:
    """A checkpoint, without its numbers, with other options."""
    found = read_checkpoint(checkpoint_path(path).absolute(), kind)
    return replace(found, saved=with_options(found.saved, options))


def shards_of(connection: Connection, grid: Grid, found: Checkpoint) -> list[Future]:
    """Shards as a checkpoint has them."""
    made = []
    for piece in grid.pieces:
        files = tuple(file for file in found.pieces if file.first < piece.last and piece.first < file.last)
        made.append(connection.submit(_read_shard, replace(found, pieces=files), piece.first, piece.last))
    return made


def _own(saved: Saved, name: str, value: Any, first: int, last: int) -> Any:
    """A value that was given, as a shard is given it."""
    if not isinstance(value, Distribution):
        return value
    if saved.options["batch"] is None:
        return value.begin_at(value.first_index + first)
    each = math.prod(saved.options["size"])  # all batches have the same numbers
    return value.draw(each, saved.options["seed"], name)[np.arange(first, last) % each]


def _read_shard(found: Checkpoint, first: int, last: int) -> Population:
    try:
        saved = found.numbers(first, last)
    except RecordingError as problem:
        raise RecordingError(
            f"{problem}; what was made from that checkpoint and lost with a worker cannot be made again once two newer "
            "ones have taken its place"
        ) from problem
    given = {name: _own(saved, name, value, first, last) for name, value in saved.given.items()}
    options = {**saved.options, "size": (last - first,), "batch": None}
    return Population.from_saved(replace(saved, given=given, options=options, first_index=saved.first_index + first))
