"""Files written whole or not at all, and folders in which nothing leads outside.

A file is written beside the one whose place it takes, and moved there once all of it is on disk: a full disk, an error,
an interrupt or a kill leaves the old file as it was.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, cast

from izhigen.errors import RecordingError, ValueShapeError, shown

try:
    import fcntl
except ImportError:  # where files are not locked so, as on Windows
    fcntl = None  # type: ignore[assignment]

DRAFT_PREFIX, DRAFT_SUFFIX = ".izhigen-", ".part"
"""Of a file that is being written; one that a kill left may be removed."""
LEFTOVER_AGE = 3600.0
"""Seconds after its last change in which such a file is not removed, whoever holds it."""
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
LONGEST_PATH = 4096
"""Characters of a path; no system takes more."""
BY_DESCRIPTOR = os.open in os.supports_dir_fd and bool(NO_LINK)
"""Whether the system can name a file in a folder that is open, whatever becomes of the folder's path meanwhile."""


def read_path(path: Any, example: str) -> Path:
    """A path of the file system; ``example`` is one for the message.

    Raises
    ------
    ValueShapeError
        For what is no path.
    RecordingError
        For text that names no file, as it holds a NUL or half of a pair, or is too long.
    """
    try:
        text = os.fsdecode(path)
        hostile = b"\0" in os.fsencode(text)
    except TypeError:
        raise ValueShapeError(f"{shown(path)} is not a path such as {example!r}") from None
    except UnicodeError:
        hostile = True
    if hostile or len(text) > LONGEST_PATH:
        raise RecordingError(f"{shown(path)} is no name of a file")
    return Path(text)


def is_file(path: Path) -> bool:
    """Whether there is such a file: none of a name too long, or in a folder that may not be entered."""
    try:
        return path.is_file()
    except OSError:
        return False


def at_home(path: str | Path) -> Path:
    """A path whose ``~`` is the user's folder; as it stands where nobody of that name has one."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_draft(name: str) -> bool:
    """Whether a file of that name was being written when its writer was killed."""
    return name.startswith(DRAFT_PREFIX) and name.endswith(DRAFT_SUFFIX)


def sha256(content: bytes) -> str:
    """In hexadecimal digits, as ``sha256sum`` prints it."""
    return hashlib.sha256(content).hexdigest()


class InTheWay(OSError):
    """A link, or something that is neither file nor folder, stands where one of these is needed."""


class _Draft:
    """A new file beside the one that it replaces: ``name`` in the open ``folder``, or a whole path if that is None."""

    def __init__(self, name: str, folder: int | None, durable: bool) -> None:
        self._name, self._folder, self._durable = name, folder, durable
        self.path = os.path.join(os.path.dirname(name), f"{DRAFT_PREFIX}{secrets.token_hex(8)}{DRAFT_SUFFIX}")
        self.file: BinaryIO | None = None

    def create(self) -> BinaryIO:
        """An empty file with the permissions of the one that is there, or of any new file."""
        mode = self._mode_there()
        self.file = cast(BinaryIO, open(self.path, "x+b", opener=self._opener))  # noqa: SIM115
        with contextlib.suppress(OSError):  # a file system without locks
            _lock(self.file)
        if mode is not None and hasattr(os, "fchmod"):
            os.fchmod(self.file.fileno(), mode)
        return self.file

    def _opener(self, path: str, flags: int) -> int:
        return os.open(path, flags | NO_LINK, 0o666, dir_fd=self._folder)

    def _mode_there(self) -> int | None:
        """Permissions of the file that is to be replaced; None where there is none."""
        try:
            there = os.stat(self._name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(there.st_mode):
            raise InTheWay(errno.EINVAL, "it is not a file", self._name)
        if not os.access(self._name, os.W_OK, dir_fd=self._folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self._name)
        return there.st_mode & 0o777

    def complete(self) -> None:
        """Bring all of it to the disk."""
        assert self.file is not None
        self.file.flush()
        if self._durable:
            os.fsync(self.file.fileno())
        self.file.close()

    def place(self) -> None:
        os.replace(self.path, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        if self._durable and self._folder is not None:
            with contextlib.suppress(
                OSError
            ):  # some file systems do not bring folders to disk; the file is there all the same
                os.fsync(self._folder)

    def discard(self) -> None:
        """Remove what was written; nothing where it has been placed."""
        if self.file is not None:
            with contextlib.suppress(OSError):
                self.file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.path, dir_fd=self._folder)


def _lock(file: BinaryIO) -> None:
    """Hold a file for as long as it is open; OSError where another does, or where files cannot be held."""
    if fcntl is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_leftovers(folder: int) -> None:
    """Remove drafts in an open folder whose writers were killed: they are old, and nobody holds them."""
    flags = os.O_RDONLY | NO_LINK | os.O_NONBLOCK
    for name in filter(is_draft, os.listdir(folder)):
        with (
            contextlib.suppress(OSError),
            open(name, "rb", opener=lambda path, _: os.open(path, flags, dir_fd=folder)) as file,
        ):
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > LEFTOVER_AGE:
                _lock(file)
                os.unlink(name, dir_fd=folder)


def check_file(path: str | Path) -> None:
    """See that a file stands there, or nothing yet; raises RecordingError else. The file is not opened."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as problem:
        raise RecordingError(f"{path} cannot be written: {problem.strerror}") from problem
    if not stat.S_ISREG(mode):
        raise RecordingError(
            f"{path} cannot be written: it is {_KINDS.get(stat.S_IFMT(mode), 'a device')}; name a file"
        )


def check_writable(path: str | Path) -> None:
    """See that a file can be written there: nothing else stands in the place, and its folder takes new files.

    Raises
    ------
    RecordingError
        Says what is in the way.
    """
    place = Path(os.path.realpath(path))
    check_file(path)

    def refuse(why: str) -> RecordingError:
        return RecordingError(f"{path} cannot be written: {why}")

    if not place.parent.is_dir():
        raise refuse(f"there is no folder {place.parent}")
    try:
        with _opened(place.parent) as folder:
            draft = _Draft(place.name if BY_DESCRIPTOR else str(place), folder, durable=False)
            try:
                draft.create()
            finally:
                draft.discard()
    except OSError as problem:
        raise refuse(f"its folder takes no file ({problem.strerror})") from problem


@contextlib.contextmanager
def replacing(path: str | Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` once the block has ended well; after any error nothing has changed.

    A new file has the permissions that the umask leaves; one that is replaced keeps its own, and other names of it
    (hard links) keep the old content. A link is written through: what it names is replaced. A device or a pipe, which
    holds nothing that could be lost, is written to.

    Parameters
    ----------
    durable : bool
        Whether the file must also outlive a loss of power. What earlier writers left in the folder when they were
        killed then goes, too.

    Raises
    ------
    OSError
        As of any write: no room, no permission, a folder in the place.
    """
    place = Path(os.path.realpath(path))
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        with place.open("wb") as file:
            yield file
        return
    with _opened(place.parent) as folder:
        if durable and folder is not None:
            with contextlib.suppress(OSError):  # a folder that may not be listed
                _remove_leftovers(folder)
        draft = _Draft(place.name if BY_DESCRIPTOR else str(place), folder, durable)
        try:
            yield draft.create()
            draft.complete()
            draft.place()
        except OSError as problem:
            if problem.filename == draft.path:  # which nobody knows
                raise OSError(problem.errno, problem.strerror, str(path)) from problem
            raise
        finally:
            draft.discard()


def write_file(path: str | Path, content: Any, *, durable: bool = True) -> None:
    """Write bytes to a file as :func:`replacing` does."""
    with replacing(path, durable=durable) as file:
        file.write(content)


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """The descriptor of a folder, where the system names files by it."""
    if not BY_DESCRIPTOR:
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Folder:
    """A folder whose files are read, written and removed by their paths in it (``"board/startup.c"``).

    A link in the way is an error, also one that is put there meanwhile, so nothing outside the folder is read or
    touched. The folder itself may be named by a link. Use it in a ``with`` statement.

    Raises
    ------
    InTheWay
        By every method, where a link, or something that is no file or folder, stands in the way.
    OSError
        As of any read or write.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self._stack = contextlib.ExitStack()
        self._descriptor = self._stack.enter_context(_opened(self.root))

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int | None, str]]:
        """The open folder of a path (made if missing, with ``make``) and the file's name there.

        Without descriptors the name is the whole path.
        """
        parts = PurePosixPath(path).parts
        if not parts or ".." in parts or PurePosixPath(path).is_absolute():
            raise InTheWay(errno.EINVAL, "it is no path of a file in the folder", path)
        *folders, name = parts
        here, at = self.root, None if self._descriptor is None else os.dup(self._descriptor)
        try:
            for part in folders:
                here = here / part
                step = str(here) if at is None else part
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(step, dir_fd=at)
                if not stat.S_ISDIR(os.stat(step, dir_fd=at, follow_symlinks=False).st_mode):
                    raise self._in_the_way(here)
                if at is not None:
                    outer, at = at, self._step_into(step, at, here)
                    os.close(outer)
            yield at, str(here / name) if at is None else name
        finally:
            if at is not None:
                os.close(at)

    def _step_into(self, part: str, at: int, here: Path) -> int:
        try:
            return os.open(part, os.O_RDONLY | os.O_DIRECTORY | NO_LINK, dir_fd=at)
        except OSError as problem:
            if problem.errno in (errno.ELOOP, errno.ENOTDIR):  # a link that was put there just now
                raise self._in_the_way(here) from problem
            raise

    def _in_the_way(self, place: Path) -> InTheWay:
        what = "a link, which is not followed here" if place.is_symlink() else "not what is needed there"
        return InTheWay(errno.ELOOP, f"it is {what}", str(place))

    def check(self, path: str) -> None:
        """See that a path leads to a file, or to nothing yet, by folders of this one."""
        with contextlib.suppress(FileNotFoundError), self._parent(path) as (at, name):
            if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
                raise self._in_the_way(self.root / path)

    def read(self, path: str, most: int = sys.maxsize) -> bytes | None:
        """A file's content, of at most so many bytes; None where there is none."""
        self.check(path)
        flags = os.O_RDONLY | NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with (
            contextlib.suppress(FileNotFoundError),
            self._parent(path) as (at, name),
            open(name, "rb", opener=lambda name, _: os.open(name, flags, dir_fd=at)) as file,
        ):
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise self._in_the_way(self.root / path)
            if status.st_size > most:
                raise OSError(
                    errno.EFBIG, f"it has {status.st_size} bytes, more than the {most} that it can have", path
                )
            return file.read()
        return None

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        with contextlib.suppress(FileNotFoundError), self._parent(path) as (at, name):
            os.unlink(name, dir_fd=at)
        for folder in PurePosixPath(path).parents[:-1]:
            with contextlib.suppress(OSError), self._parent(str(folder)) as (at, name):
                os.rmdir(name, dir_fd=at)

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        with self.writing({path: content}):
            pass

    @contextlib.contextmanager
    def writing(self, files: Mapping[str, bytes]) -> Iterator[None]:
        """Write all files beside their places; once the block has ended well, move each into its place, in this order.

        So a disk without room for one of them changes none.
        """
        with contextlib.ExitStack() as stack:
            drafts = []
            for path, content in files.items():
                at, name = stack.enter_context(self._parent(path, make=True))
                draft = _Draft(name, at, True)
                stack.callback(draft.discard)
                draft.create().write(content)
                draft.complete()
                drafts.append(draft)
            yield
            for draft in drafts:
                draft.place()
