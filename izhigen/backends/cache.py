"""The folder of built kernels: one's own, every file checked before it is used, of a limited size."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shlex
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from izhigen.errors import BackendError, shown
from izhigen.files import sha256

DEFAULT_LIMIT = 10**9
"""Bytes that the cache may take, where ``$IZHIGEN_CACHE_SIZE`` says nothing else."""
LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")

_SCRATCH = "izhigen-building-"
_STEM = r"(?:\w+-float(?:32|64)|compiler)-[0-9a-f]{32}"
_OURS = re.compile(rf"(?P<stem>{_STEM})\.(?:c|json|program\.json|lock|so|dylib|dll|cubin)")
_BUILDING = re.compile(rf"{_SCRATCH}(?P<stem>{_STEM})-\w+")
_LARGE = 10_000_000
"""Bytes of a limit from which on a cache has many kernels."""
_ABANDONED = 3600.0
"""Seconds after which something that no lock guards, and that takes milliseconds to write, is a leftover."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def cache_dir() -> Path:
    """Where built kernels are kept: ``$IZHIGEN_CACHE_DIR``, or the user's cache folder.

    Raises
    ------
    BackendError
        When the environment names a user that does not exist.
    """
    named = os.environ.get("IZHIGEN_CACHE_DIR")
    if named:
        if any("\ud800" <= letter <= "\udfff" for letter in named):
            raise BackendError(f"the environment names IZHIGEN_CACHE_DIR={shown(named)}, which is no text; correct it")
        try:
            return Path(named).expanduser().absolute()
        except (RuntimeError, OSError) as problem:  # no such user; no current folder
            raise BackendError(
                f"the environment names IZHIGEN_CACHE_DIR={shown(named)}, which is no folder ({problem}); correct it"
            ) from None
    import platformdirs

    return Path(platformdirs.user_cache_dir("izhigen", appauthor=False))


def cache_limit() -> int:
    """Bytes that the cache may take: ``$IZHIGEN_CACHE_SIZE``, such as 500MB or 2e9, or a gigabyte.

    Raises
    ------
    BackendError
        When the environment names something else.
    """
    named = os.environ.get("IZHIGEN_CACHE_SIZE", "").strip()
    if not named:
        return DEFAULT_LIMIT
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{0,18})?(?:e\d{1,2})?)\s*([kmgt]?)b?", named, re.ASCII | re.IGNORECASE)
    if found is None:
        raise BackendError(
            f"the environment names IZHIGEN_CACHE_SIZE={shown(named)}, which is no size; write one such as 500MB or 2GB"
        )
    return int(float(found[1]) * _UNITS[found[2].lower()])


def file_stem(name: str, dtype: str, key: str) -> str:
    """What the names of a kernel's files begin with."""
    return f"{name}-{dtype}-{key[:32]}"


def open_cache() -> Cache:
    """The cache, found to be nobody else's, or not there yet.

    Raises
    ------
    BackendError
        When its folder is another user's or others may write to it: what lies there is loaded into this process.
    """
    cache = Cache(cache_dir())
    cache.check()
    return cache


@dataclass
class _Group:
    """The files of one kernel."""

    paths: list[Path] = field(default_factory=list)
    size: int = 0
    used: float = 0.0


@dataclass(frozen=True)
class Usage:
    """What lies in the cache: the number of kernels, of files, and their bytes."""

    kernels: int
    files: int
    size: int


@dataclass(frozen=True)
class Cache:
    """A folder of files that are read whole or not at all."""

    folder: Path

    # -- whose it is ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse a folder that others could put a library in; see :func:`open_cache`."""
        try:
            status = os.stat(self.folder)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as problem:
            raise self._unusable(problem) from None
        if not stat.S_ISDIR(status.st_mode):
            raise self._unusable("it is no folder")
        if _is_anothers(status):
            raise BackendError(
                f"the kernel cache {self.folder} belongs to another user ({status.st_uid}), whose libraries would be "
                "loaded; set IZHIGEN_CACHE_DIR to a folder of your own"
            )
        if _is_open(status):
            mode = f"{stat.S_IMODE(status.st_mode):o}"
            raise BackendError(
                f"the kernel cache {self.folder} can be written by others (mode {mode}), whose "
                "libraries would be loaded; run 'izhigen cache --clear' and "
                f"'chmod 700 {shlex.quote(str(self.folder))}', or set IZHIGEN_CACHE_DIR to a folder of your own"
            )

    def make(self) -> None:
        """Make the folder, for its owner alone, where it is not there."""
        with self.writing():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.folder.mkdir(mode=0o700)
        self.check()  # it could have come from somebody else in between

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Say in one line why something cannot be written."""
        try:
            yield
        except OSError as problem:
            raise self._unusable(problem) from problem

    def _unusable(self, problem: object) -> BackendError:
        return BackendError(
            f"the kernel cache {self.folder} cannot be written ({problem}); set IZHIGEN_CACHE_DIR to a folder that can"
        )

    # -- files ------------------------------------------------------------------------------------------------------

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where there is none, or one that others could have written."""
        try:
            with open(self.folder / name, "rb", opener=_open_regular) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or _is_anothers(status) or _is_open(status):
                    return None
                return file.read()
        except OSError:
            return None

    def keep(self, name: str, content: bytes) -> Path:
        """Write a file, which readers see whole or not at all.

        Raises
        ------
        BackendError
            When it cannot be written; nothing is left behind then.
        """
        self.make()
        path = self.folder / name
        with self.writing():
            number, temporary = tempfile.mkstemp(prefix=_SCRATCH, dir=self.folder)
            try:
                with open(number, "wb") as file:
                    file.write(content)
                self.place(temporary, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                raise
        return path

    @staticmethod
    def place(written: str | Path, path: Path) -> None:
        """Move a file to its name; a folder there, which would be in the way at every start, is removed first."""
        _remove_folder(path)
        os.replace(written, path)

    def read_record(self, name: str) -> dict[str, Any] | None:
        """A record that was kept; None where there is none, or one that is not as it was written."""
        content = self.read(name)
        try:
            record = json.loads(content or b"")
            if not isinstance(record, dict) or record.pop("digest", None) != _digest(name, record):
                return None
        except (ValueError, RecursionError):
            return None
        return record

    def keep_record(self, name: str, record: dict[str, Any]) -> Path:
        """Keep names and values with a SHA-256 of all of it, and of the file's name."""
        return self.keep(name, json.dumps({**record, "digest": _digest(name, record)}, indent=1).encode())

    def touch(self, name: str) -> None:
        """Note that a kernel was used."""
        with contextlib.suppress(OSError):
            os.utime(self.folder / name)

    # -- builds -----------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def building(self, stem: str) -> Iterator[None]:
        """One process builds a kernel, others wait; where the file system has no locks, each builds its own."""
        self.make()
        with contextlib.ExitStack() as held:
            with self.writing(), _without_locks():
                _remove_folder(self.folder / f"{stem}.lock")
                held.enter_context(_lock(self.folder / f"{stem}.lock"))
            yield

    @contextlib.contextmanager
    def scratch(self, stem: str) -> Iterator[Path]:
        """A folder for what is being built, made by whoever holds the kernel's lock: a leftover has a free lock."""
        with self.writing():
            folder = tempfile.mkdtemp(prefix=f"{_SCRATCH}{stem}-", dir=self.folder)
        try:
            yield Path(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _idle(self, stem: str) -> Iterator[bool | None]:
        """Whether nobody builds a kernel, who is kept from it meanwhile; None where the file system cannot say."""
        from filelock import Timeout

        path = self.folder / f"{stem}.lock"
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(_lock(path, timeout=0))
            except Timeout:
                yield False
            except (NotImplementedError, OSError):
                yield None
            else:
                yield True
                _remove(path)

    # -- size -------------------------------------------------------------------------------------------------------

    def tidy(self, limit: int, spare: str = "") -> None:
        """Remove what killed builds left, then what was not used for longest, until the limit is kept.

        Parameters
        ----------
        limit : int
            In bytes.
        spare : str
            Stem of a kernel that stays, as it is about to be loaded.
        """
        self._sweep(_ABANDONED)
        groups = self._groups()
        for stem in [stem for stem, group in groups.items() if all(path.suffix == ".lock" for path in group.paths)]:
            del groups[stem]
            with self._idle(stem):
                pass  # which removes the lock that is free
        size = sum(group.size for group in groups.values())
        for stem, group in sorted(groups.items(), key=lambda item: item[1].used):
            if size <= limit:
                return
            if stem != spare and self._discard(stem, group):
                size -= group.size

    def tidy_at_times(self, limit: int, new: str) -> None:
        """:meth:`tidy` after a new kernel; where the cache may be large, after one in sixteen, by its stem: looking
        through many files takes as long as compiling a kernel.
        """
        if limit < _LARGE or sha256(new.encode())[0] == "0":
            self.tidy(limit, new)

    def clear(self) -> tuple[int, int]:
        """Remove every kernel, and nothing else that lies there; how many files and bytes went."""
        self._sweep(0.0)
        files = size = 0
        for stem, group in self._groups().items():
            if self._discard(stem, group):
                files, size = files + len(group.paths), size + group.size
        return files, size

    def usage(self) -> Usage:
        """What lies there."""
        groups = list(self._groups().values())
        names = [path.name for group in groups for path in group.paths]
        kernels = sum(name.endswith((*LIBRARY_SUFFIXES, ".cubin")) for name in names)
        return Usage(kernels, len(names), sum(group.size for group in groups))

    def _groups(self) -> dict[str, _Group]:
        groups: dict[str, _Group] = {}
        for entry in self._entries():
            ours = _OURS.fullmatch(entry.name)
            with contextlib.suppress(OSError):  # removed by another process meanwhile
                if ours is not None and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    group = groups.setdefault(ours["stem"], _Group())
                    group.paths.append(Path(entry.path))
                    group.size += status.st_size
                    group.used = max(group.used, status.st_mtime)
        return groups

    def _entries(self) -> Iterable[os.DirEntry[str]]:
        try:
            with os.scandir(self.folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            return []
        except OSError as problem:
            raise BackendError(f"the kernel cache {self.folder} cannot be read ({problem})") from None

    def _discard(self, stem: str, group: _Group) -> bool:
        """Remove a kernel that nobody builds; its record first, so that nobody takes what is half gone."""
        with self._idle(stem) as idle:
            if idle is False:
                return False
            for path in sorted(group.paths, key=lambda path: (path.suffix != ".json", path.suffix)):
                _remove(path)
        return True

    def _sweep(self, age: float) -> None:
        """Remove the scratch of builds that are no longer running: their lock is free; else by age in seconds."""
        for entry in self._entries():
            if _OURS.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):  # all of ours are files
                _remove(Path(entry.path))
            building = _BUILDING.fullmatch(entry.name)
            if entry.name.startswith(_SCRATCH):
                with (
                    contextlib.suppress(OSError),  # removed by another process meanwhile
                    self._idle(building["stem"]) if building else contextlib.nullcontext(None) as idle,
                ):
                    old = time.time() - entry.stat(follow_symlinks=False).st_mtime >= age
                    if idle or (idle is None and old):
                        _remove(Path(entry.path))


def clear_cache() -> tuple[int, int]:
    """Remove every built kernel, and nothing else that lies there; how many files and bytes went."""
    return Cache(cache_dir()).clear()


def kept_file(name: str, make: Callable[[], bytes]) -> Path:
    """A file of the cache, as it was written; made now where it is not there, or was changed since.

    Raises
    ------
    BackendError
        When the cache cannot be written, or is not one's own.
    """
    cache = open_cache()
    record, path = f"{Path(name).stem}.json", cache.folder / name
    content, known = cache.read(name), cache.read_record(record)
    if content is not None and known is not None and known.get("sha256") == sha256(content):
        cache.touch(record)
        return path
    content = make()
    cache.keep(name, content)
    cache.keep_record(record, {"sha256": sha256(content)})
    cache.tidy_at_times(cache_limit(), Path(name).stem)
    return path


def _is_anothers(status: os.stat_result) -> bool:
    """Whether a user other than this one and the system's own may change it."""
    return hasattr(os, "geteuid") and status.st_uid not in (0, os.geteuid())


def _is_open(status: os.stat_result) -> bool:
    return hasattr(os, "geteuid") and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _open_regular(path: str, flags: int) -> int:
    """Open without following a link, and without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def _digest(name: str, record: dict[str, Any]) -> str:
    return sha256(f"{name}\n{json.dumps(record, sort_keys=True)}".encode())


def _lock(path: Path, timeout: float = -1) -> Any:
    from filelock import FileLock

    return FileLock(path, timeout=timeout, mode=0o600)


@contextlib.contextmanager
def _without_locks() -> Iterator[None]:
    """Go on where the file system has no locks."""
    try:
        yield
    except NotImplementedError:
        pass
    except OSError as problem:
        if problem.errno not in _NO_LOCKS:
            raise


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder; what cannot be removed stays."""
    _remove_folder(path)
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_folder(path: Path) -> None:
    """Remove a folder, and nothing that is none; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)


__all__ = [
    "Cache",
    "Usage",
    "cache_dir",
    "cache_limit",
    "clear_cache",
    "file_stem",
    "kept_file",
    "open_cache",
]
