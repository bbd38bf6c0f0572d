"""Long runs: a progress bar, and Ctrl-C that ends a run between kernel calls."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Let Ctrl-C end a run between kernel calls, so that no state is left half advanced; a second one interrupts as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous)

    try:
        signal.signal(signal.SIGINT, stop)
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def progress_bar(progress: bool | None, steps: int, dt: float) -> Iterator[Any]:
    """A progress bar in steps; shown when asked for, or on a terminal once a run has taken a second."""
    from tqdm import tqdm

    disable = None if progress is None else not progress
    with tqdm(
        total=steps,
        unit="step",
        disable=disable,
        delay=1.0 if progress is None else 0.0,
        leave=bool(progress),
        desc=f"{steps * dt:g} ms",
    ) as bar:
        yield bar
