"""Populations in a folder on disk, to go on from later or elsewhere: a description in JSON, and files of plain numbers.

``checkpoint.json`` says everything but the numbers: model, options, steps, and which arrays stand in which file one
after the other, with the SHA-256 of each. A file holds those of some neurons in a row, so that machines can write and
read parts of a population. Nothing in the folder is run, and nothing is believed before it was looked at.

A checkpoint that takes the place of an older one writes files of new names, then the description, and removes the old
files last: an error or a kill at any moment leaves one of the two whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from izhigen._version import __version__
from izhigen.errors import IzhigenError, RecordingError, ValueShapeError, first_line, shown
from izhigen.files import Folder, InTheWay, read_path, replacing, sha256
from izhigen.memory.layout import Layout
from izhigen.memory.space import on_host
from izhigen.model.document import model_document, read_model
from izhigen.model.model import Declaration
from izhigen.population.checks import check_first_index, check_step, read_options
from izhigen.population.distributions import Distribution, distribution_document, read_distribution
from izhigen.population.saved import Saved
from izhigen.population.training import read_training
from izhigen.population.values import check_value_names, times_of
from izhigen.scalars import read_finite

Array = Any
D = TypeVar("D", bound=Declaration)

FORMAT = 1
DESCRIPTION, LOCK, SUFFIX = "checkpoint.json", ".lock", ".numbers"
MOST_DESCRIPTION = 1 << 26
LONGEST_REASON = 200
"""Characters of what is wrong with a file."""
PIECE = 1 << 24
"""Bytes written and hashed at once."""
NEURONS_A_FILE = 1 << 18
"""Of a population on one machine; a file is read whole, whatever is needed of it."""
TYPES = {name: np.dtype(name) for name in ("float32", "float64", "int32", "int64", "uint8", "bool")}
"""Number types of arrays."""
PARAMETER, STATE, GIVEN, SPIKE = "parameter ", "state ", "given ", "spike"
"""What the names of arrays begin with."""
FREE = ("backend", "threads", "device", "sharding", "steps_per_launch")
"""Options that the numbers do not depend on, which a population may be restored with others of."""
_NAME = re.compile(r"[0-9a-f]{16}-[0-9]{1,9}\.numbers")


@dataclass(frozen=True)
class Piece:
    """A file: the arrays of the neurons ``first`` to ``last - 1``, and what its bytes hash to."""

    file: str
    first: int
    last: int
    sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint but for its numbers.

    Attributes
    ----------
    path : Path
    saved : Saved
        Where an array belongs stands None.
    count : int
        Neurons.
    arrays : mapping
        Name to number type, in the order in which files hold them.
    pieces : tuple of Piece
        In the order of their neurons.
    """

    path: Path
    saved: Saved
    count: int
    arrays: Mapping[str, Any]
    pieces: tuple[Piece, ...]

    def numbers(self, first: int, last: int) -> Saved:
        """What was saved of some neurons in a row, with arrays of their own.

        Raises
        ------
        RecordingError
            Where a file is missing or broken.
        """
        with _told(self.path):
            whole = {name: np.empty(last - first, dtype) for name, dtype in self.arrays.items()}
            for piece in self.pieces:
                start, stop = max(first, piece.first), min(last, piece.last)
                if start < stop:
                    self._read(piece, whole, first, start, stop)
        return _filled(self.saved, whole)

    def _read(self, piece: Piece, whole: Mapping[str, Array], first: int, start: int, stop: int) -> None:
        """Copy the arrays of the neurons ``start`` to ``stop - 1``; the whole file is looked at."""
        own = piece.last - piece.first
        size = own * sum(dtype.itemsize for dtype in self.arrays.values())
        with Folder(self.path) as folder:
            content = folder.read(piece.file, size)
        if content is None:
            raise RecordingError(f"{self.path}: {piece.file} is missing")
        if len(content) != size:
            raise RecordingError(f"{self.path}: {piece.file} ends too early")
        if sha256(content) != piece.sha256:
            raise RecordingError(f"{self.path}: {piece.file} is not what was written there")
        place = 0
        for name, dtype in self.arrays.items():
            values = np.frombuffer(content, dtype.newbyteorder("<"), own, place)
            whole[name][start - first : stop - first] = values[start - piece.first : stop - piece.first]
            place += own * dtype.itemsize


# -- writing ----------------------------------------------------------------------------------------------------------


def save_checkpoint(path: Any, saved: Saved, count: int) -> None:
    """Write a population, in the place of a checkpoint that is there; see :meth:`Population.checkpoint`."""
    with writing(path) as writer:
        arrays, pieces = arrays_of(saved), []
        for number, first in enumerate(range(0, count, NEURONS_A_FILE)):
            last = min(first + NEURONS_A_FILE, count)
            part = {name: values[first:last] for name, values in arrays.items()}
            pieces.append(write_piece(writer.path, writer.token, number, (first, last), part))
        writer.finish(saved, count, {name: values.dtype for name, values in arrays.items()}, pieces)


def as_written(saved: Saved, layout: Layout, read: Callable[[str, Any], float | Array]) -> Saved:
    """The same as NumPy arrays of one number a neuron and plain values: callables become the numbers that they drew."""
    saved = saved.on_host(layout, read)
    given: dict[str, Any] = {}
    for name, value in saved.given.items():
        in_force = saved.parameters.get(name)
        if isinstance(value, Distribution):
            given[name] = value
        elif in_force is not None:
            given[name] = in_force
        else:
            given[name] = on_host(read(name, value))
    return replace(saved, given=given)


def arrays_of(saved: Saved) -> dict[str, Array]:
    """The arrays of what was saved, by their names in a checkpoint; one that stands in two places once."""
    found = {PARAMETER + name: value for name, value in saved.parameters.items() if isinstance(value, np.ndarray)}
    known = {id(value) for value in found.values()}
    found |= {STATE + name: value for name, value in saved.state.items()} | {SPIKE: saved.spike}
    others = {name: v for name, v in saved.given.items() if isinstance(v, np.ndarray) and id(v) not in known}
    return found | {GIVEN + name: value for name, value in others.items()}


def write_piece(path: Path, token: str, number: int, neurons: tuple[int, int], arrays: Mapping[str, Array]) -> Piece:
    """Write the file of some neurons in a row; a file that was there under its name is replaced."""
    name, digest = f"{token}-{number}{SUFFIX}", hashlib.sha256()
    with replacing(path / name) as file:
        for values in arrays.values():
            content = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).view(np.uint8).data
            for first in range(0, len(content), PIECE):
                digest.update(content[first : first + PIECE])
                file.write(content[first : first + PIECE])
    return Piece(name, *neurons, digest.hexdigest())


@dataclass(frozen=True)
class Writer:
    """A checkpoint being written: its folder, and what the names of its files begin with."""

    path: Path
    token: str

    def finish(
        self,
        saved: Saved,
        count: int,
        arrays: Mapping[str, Any],
        pieces: Sequence[Piece],
        *,
        keep_last: bool = False,
    ) -> Checkpoint:
        """Make the files that were written the checkpoint, and remove those of older ones; with ``keep_last`` not yet
        those of the one before, which something may still be made from.
        """
        document = {
            "format": FORMAT,
            "izhigen": __version__,
            "model": model_document(saved.model),
            "options": _options_document(saved.options),
            "steps_done": saved.steps_done,
            "first_index": saved.first_index,
            "parameters": {name: _number(value) for name, value in saved.parameters.items()},
            "given": {name: _given_document(value) for name, value in saved.given.items()},
            "neurons": count,
            "arrays": [[name, np.dtype(dtype).name] for name, dtype in arrays.items()],
            "pieces": [[piece.file, piece.first, piece.last, piece.sha256] for piece in pieces],
        }
        text = json.dumps(document, allow_nan=False)
        found = _checkpoint(self.path, json.loads(text), type(saved.model))  # what could not be read is not written
        before = _in_use(self.path)
        with replacing(self.path / DESCRIPTION) as file:
            file.write(text.encode())
        with contextlib.suppress(OSError):
            _remove_files(self.path, {piece.file for piece in pieces} | (before if keep_last else set()))
        return found


@contextlib.contextmanager
def writing(path: Any) -> Iterator[Writer]:
    """A folder to write a checkpoint to, which no other process writes to meanwhile; after an error what was there is
    as it was.

    Raises
    ------
    RecordingError
        Where something else is there, or the disk refuses.
    """
    from filelock import FileLock, Timeout

    place, made = checkpoint_path(path), False
    try:
        made = not os.path.lexists(place)
        place.mkdir(exist_ok=True)
        _refuse_foreign(place)
        with FileLock(place / LOCK).acquire(timeout=0):
            token = secrets.token_hex(8)
            try:
                yield Writer(place, token)
            except BaseException:
                with contextlib.suppress(OSError):
                    in_use = _in_use(place)  # the new files too, where the error came after they had been told of
                    _remove_files(place, {n for n in os.listdir(place) if not n.startswith(token)} | in_use)
                raise
    except Timeout:
        raise RecordingError(f"{place} is being written by another process; wait for it") from None
    except OSError as problem:
        kept = "nothing was written" if made else "the checkpoint before it is as it was"
        raise RecordingError(f"{place} cannot be written: {problem}; {kept}") from problem
    finally:
        if made and not (place / DESCRIPTION).exists():
            with contextlib.suppress(OSError):
                (place / LOCK).unlink(missing_ok=True)
                place.rmdir()


def _is_ours(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) or name.startswith(".izhigen-")


def _refuse_foreign(place: Path) -> None:
    """Refuse a folder in which there is anything but a checkpoint."""
    others = {name for name in os.listdir(place) if name not in (DESCRIPTION, LOCK) and not _is_ours(name)}
    if others:
        raise RecordingError(f"{place} holds something else ({shown(min(others))}); name another folder")
    try:
        with Folder(place) as folder:
            folder.check(LOCK)
        _in_use(place)
    except InTheWay as problem:
        raise RecordingError(f"{place} holds something else: {problem}; name another folder") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise RecordingError(
            f"{place} holds something else: its {DESCRIPTION} is not one of izhigen; name another folder, or remove it"
        ) from None


def _described(path: Path) -> bytes | None:
    """The description of the checkpoint that is there, as it was read."""
    with Folder(path) as folder:
        return folder.read(DESCRIPTION, MOST_DESCRIPTION)


def _files_of(document: Any) -> set[str]:
    """Names of the files that a description tells of."""
    if not isinstance(document["format"], int):
        raise ValueError("it has no format")
    return {str(entry[0]) for entry in document["pieces"]}


def _in_use(path: Path) -> set[str]:
    """Names of the files of the checkpoint that is there."""
    content = _described(path)
    return set() if content is None else _files_of(json.loads(content))


def _remove_files(path: Path, kept: set[str]) -> None:
    for name in os.listdir(path):
        if _NAME.fullmatch(name) and name not in kept:
            with contextlib.suppress(OSError):
                (path / name).unlink()


def _options_document(options: Mapping[str, Any]) -> dict[str, Any]:
    sharding, training = options["sharding"], options["training"]
    found = {name: value for name, value in options.items() if name != "training"}
    found |= {"size": list(options["size"]), "dtype": options["dtype"].name}
    found["sharding"] = None if sharding is None else [int(getattr(device, "id", device)) for device in sharding]
    found["training"] = None
    if training is not None:
        made = training.surrogate
        found["training"] = [made.name, dict(made.arguments), training.scale, training.detach.value, training.smooth]
    return found


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _given_document(value: Any) -> Any:
    return distribution_document(value) if isinstance(value, Distribution) else _number(value)


# -- reading ----------------------------------------------------------------------------------------------------------


def read_checkpoint(path: Any, kind: type[D]) -> Checkpoint:
    """The checkpoint in a folder, whose model becomes one of that class; its numbers are read later.

    Raises
    ------
    RecordingError
        When there is none; says what is wrong.
    """
    place = checkpoint_path(path)
    with _told(place):
        content = _described(place)
        if content is None:
            raise RecordingError(f"{place} holds no checkpoint: {DESCRIPTION} is missing")
        try:
            document = json.loads(content)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None
        return _checkpoint(place, document, kind)


@contextlib.contextmanager
def _told(place: Path) -> Iterator[None]:
    """Turn what reading may raise into an error that names the folder."""
    try:
        yield
    except RecordingError:
        raise
    except FileNotFoundError:
        raise RecordingError(f"{place} does not exist") from None
    except MemoryError as problem:
        raise RecordingError(f"{place} does not fit in memory ({problem})") from problem
    except (OSError, IzhigenError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        why = f"it has no {problem}" if isinstance(problem, KeyError) else first_line(problem)
        why = why if len(why) <= LONGEST_REASON else f"{why[: LONGEST_REASON - 3]}..."
        raise RecordingError(f"{place} is not a checkpoint that izhigen wrote ({why})") from problem


def checkpoint_path(path: Any) -> Path:
    """The path of a checkpoint's folder."""
    try:
        return read_path(path, "checkpoint")
    except ValueShapeError:
        raise ValueShapeError(f"{shown(path)} is not the path of a folder, such as 'checkpoint'") from None


def _checkpoint(place: Path, document: Any, kind: type[D]) -> Checkpoint:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RecordingError(f"{place} is not a checkpoint of format {FORMAT}, which this version reads")
    model = read_model(document["model"], kind)
    options = _read_options(document["options"])
    count = math.prod((options["batch"] or 1, *options["size"]))
    arrays = {str(name): TYPES[dtype] for name, dtype in document["arrays"]}
    parameters = {name: _as_number(name, value) for name, value in document["parameters"].items()}
    given = {name: _as_given(name, value) for name, value in document["given"].items()}
    check_value_names(model, given)
    numbers = check_step(document["steps_done"]), check_first_index(document["first_index"])
    state = dict.fromkeys(name.removeprefix(STATE) for name in arrays if name.startswith(STATE))
    saved = Saved(model, options, given, parameters, state, None, *numbers)
    found = Checkpoint(place, saved, count, arrays, tuple(_piece(piece) for piece in document["pieces"]))
    _check(found, document["neurons"])
    return found


def _check(found: Checkpoint, neurons: Any) -> None:
    """See that a checkpoint has all that its population needs, and no more."""
    saved, arrays = found.saved, found.arrays
    model = saved.model
    if neurons != found.count:
        raise ValueError(f"it tells of {shown(neurons)} neurons where its shape has {found.count}")
    if list(saved.parameters) != list(model.parameters):
        raise ValueError("its parameters are not those of its model")
    kept = {*model.states, *(["t_last_spike"] if model.keeps_last_spike else [])}
    wanted = {PARAMETER + name for name, value in saved.parameters.items() if value is None}
    wanted |= {STATE + name for name in kept} | {SPIKE}
    also = {GIVEN + n for n, v in saved.given.items() if v is None and PARAMETER + n not in arrays}
    if set(arrays) != wanted | also:
        raise ValueError("its arrays are not those of its model")
    for name, dtype in arrays.items():
        value = name.partition(" ")[2]
        due = np.uint8 if name == SPIKE else np.float64 if value in times_of(model) else saved.options["dtype"]
        if dtype != np.dtype(due):  # kernels believe it
            raise ValueError(f"array {shown(name)} has the number type {dtype}, not {np.dtype(due)}")
    ends = [0, *(piece.last for piece in found.pieces)]
    if [piece.first for piece in found.pieces] != ends[:-1] or ends[-1] != found.count:
        raise ValueError("its files do not hold all neurons, one after the other")


def _piece(entry: Any) -> Piece:
    file, first, last, digest = entry
    if not isinstance(file, str) or not _NAME.fullmatch(file) or not isinstance(digest, str):
        raise ValueError(f"{shown(file)} is no name of one of its files")
    if type(first) is not int or type(last) is not int or not 0 <= first < last:
        raise ValueError(f"{shown(file)} holds no neurons")
    return Piece(file, first, last, digest)


def _as_number(name: str, value: Any) -> float | None:
    return None if value is None else read_finite(value, name)


def _as_given(name: str, value: Any) -> Any:
    return read_distribution(value) if isinstance(value, list) else _as_number(name, value)


def _read_options(document: Any) -> dict[str, Any]:
    """Options of a population, checked as those that a user gives."""
    training = document["training"]
    if training is not None:
        name, numbers, scale, detach, smooth = training
        training = read_training(_surrogate(name, numbers), detach, scale, smooth)
    device, sharding = document["device"], document["sharding"]
    if not all(isinstance(document[name], str) for name in ("method", "backend", "dtype", "spike_timing")):
        raise ValueError("its method, backend, dtype and spike_timing are not text")
    places: dict[str, Any] = {"device": None if device is None else int(device)}
    places |= {"sharding": None if sharding is None else [int(number) for number in sharding]}
    return read_options(**{**document, **places, "training": training})


def _surrogate(name: Any, numbers: Mapping[str, Any]) -> Any:
    from izhigen.derive import surrogates

    return surrogates.find(name)(**numbers) if name in surrogates.names() else name


def _filled(saved: Saved, arrays: Mapping[str, Array]) -> Saved:
    """What was saved, with its arrays in their places."""
    parameters = {n: arrays[PARAMETER + n] if v is None else v for n, v in saved.parameters.items()}
    given = {
        n: v if v is not None else arrays[GIVEN + n] if GIVEN + n in arrays else parameters[n]
        for n, v in saved.given.items()
    }
    state = {name: arrays[STATE + name] for name in saved.state}
    return replace(saved, given=given, parameters=parameters, state=state, spike=arrays[SPIKE])
