"""A double of the disk: it counts what changes it, and can refuse one such step, or all after it, or stop the process there."""

from __future__ import annotations

import builtins
import errno
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from izhigen import files


class Disk:
    """``wanted`` is the number of bytes that a write asks room for. Every write, sync, new file, new folder and move that izhigen makes is a step; ``at`` is called with the step's number before it is done."""

    def __init__(self, at: Callable[[int], Any]) -> None:
        self.steps, self.wanted = 0, 0
        self._at, self._lock, self._inside = at, threading.RLock(), False

    def step(self, wanted: int = 0) -> None:
        with self._lock:
            self.wanted = wanted
            if self._inside:  # what ``at`` itself does to the disk is no step
                return
            number, self.steps, self._inside = self.steps, self.steps + 1, True
            try:
                self._at(number)
            finally:
                self._inside = False

    def install(self, patch: pytest.MonkeyPatch) -> Disk:
        disk = self

        class File(io.FileIO):
            def write(self, content: Any) -> int:
                disk.step(len(content))
                return super().write(content)

        def opened(path: Any, mode: str = "r", **options: Any) -> Any:
            if "x" not in mode:
                return builtins.open(path, mode, **options)
            disk.step()
            return io.BufferedRandom(File(path, mode.replace("b", ""), opener=options.get("opener")))

        patch.setattr(files, "open", opened, raising=False)
        for name in ("replace", "fsync", "mkdir"):
            patch.setattr(files.os, name, self._counted(getattr(os, name)))
        return self

    def _counted(self, true: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.step()
            return true(*arguments, **options)

        return counted


def full(first: int, last: float = float("inf")) -> Callable[[int], None]:
    """No room from a step on, or only in some."""

    def at(number: int) -> None:
        if first <= number <= last:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return at


def install_small(patch: pytest.MonkeyPatch, folder: Path, room: int) -> None:
    """A disk with so many bytes of room for what lies below a folder; it says so only when it is full."""

    def at(_: int) -> None:
        used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if used + disk.wanted > room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    disk = Disk(at).install(patch)


def interrupted(step: int) -> Callable[[int], None]:
    """Ctrl-C in a step."""

    def at(number: int) -> None:
        if number == step:
            raise KeyboardInterrupt

    return at


def drafts(folder: Path) -> list[Path]:
    """Files left half written."""
    return [path for path in folder.rglob("*") if files.is_draft(path.name)]
