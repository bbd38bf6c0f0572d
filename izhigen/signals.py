"""Signals: what must not be torn apart is one call of C code, or done while the handlers of signals are held back."""

from __future__ import annotations

import contextlib
import signal
import threading
from _signal import getsignal  # signal.getsignal and signal.signal take a hundred times as long, to make enums
from _signal import signal as set_handler
from collections import deque
from collections.abc import Callable
from functools import partial
from operator import call
from typing import Any, Self

NUMBERS = tuple(sorted(int(number) for number in signal.valid_signals()))


def at_once(*calls: Callable[[], object]) -> None:
    """Call one after the other, with no handler of a signal between them.

    CPython calls handlers, and raises what another thread asks for, between instructions of Python code only. The calls
    must therefore be of functions written in C, or :func:`functools.partial` of such.
    """
    deque(map(call, calls), maxlen=0)


class SignalsDeferred:
    """No handler of a signal runs within a ``with`` block of the main thread; signals are raised again at its end.

    Other threads run no handlers, so there it does nothing.
    A signal that is ignored, or that ends the process, stays as it is.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[..., Any]] = {}
        self._came: list[int] = []

    def _take(self, number: int, frame: Any) -> None:
        self._came.append(number)

    def __enter__(self) -> Self:
        if threading.get_ident() != threading.main_thread().ident:
            return self
        self._handlers = {number: handler for number in NUMBERS if callable(handler := getsignal(number))}
        try:
            for number in self._handlers:
                set_handler(number, self._take)
        except BaseException:  # a handler that was not replaced yet
            self._put_back()
            raise
        return self

    def __exit__(self, *problem: object) -> None:
        try:
            self._put_back()
        finally:  # again, where a handler that is in its place raised before the others were
            self._put_back()
            came, self._came = self._came, []
            at_once(*(partial(signal.raise_signal, number) for number in came))

    def _put_back(self) -> None:
        for number, handler in self._handlers.items():
            if getattr(getsignal(number), "__self__", None) is self:  # not where one was set meanwhile
                set_handler(number, handler)


class Interruptible(SignalsDeferred):
    """Signals of a long run: handlers are called where it asks, and the first Ctrl-C asks it to end.

    That is so where the handler of Ctrl-C raises KeyboardInterrupt, as Python's own does and those that libraries put
    before it; any other handler of the user's is called, and decides. Within another run of this kind, signals are that
    one's, and it ends too.
    """

    interrupted = False
    """Whether the run is to end."""
    _whole: Interruptible | None = None

    def __enter__(self) -> Self:
        found = super().__enter__()
        owner = getattr(self._handlers.get(int(signal.SIGINT)), "__self__", None)
        self._whole = owner if isinstance(owner, Interruptible) else None
        return found

    def look(self) -> bool:
        """Call the handlers of the signals that came, which may raise; then :attr:`interrupted`."""
        while self._came:
            number = self._came.pop(0)
            try:
                self._handlers[number](number, None)
            except KeyboardInterrupt:
                if self.interrupted or number != signal.SIGINT:
                    raise
                self.interrupted = True
        if self._whole is not None and self._whole.look():
            self.interrupted = True
        return self.interrupted

    def __exit__(self, *problem: object) -> None:
        # A first Ctrl-C that came when all was done changes nothing, and loses nothing.
        number = int(signal.SIGINT)
        if not self.interrupted and number in self._came:
            self._came.remove(number)
            with contextlib.suppress(KeyboardInterrupt):
                self._handlers[number](number, None)
        super().__exit__(*problem)
