"""One use of a population at a time: a second, from another thread or from within the first, is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from izhigen.errors import ConcurrentUseError

Use = tuple[str, int]
"""What is done, and the thread that does it."""
NOW = "now"


class Used(Protocol):
    """Something that is used by one at a time."""

    _uses: dict[str, Use]
    """Under ``NOW`` what is under way, if anything is."""


M = TypeVar("M", bound=Callable[..., Any])


def exclusive(method: M) -> M:
    """A method that raises ConcurrentUseError while another exclusive one of the same object is under way.

    The mark is set by one call of C code within the ``try``, and taken away without any call: an interrupt, which
    CPython raises after calls, cannot leave it behind.
    """

    @wraps(method)
    def alone(self: Used, /, *arguments: Any, **options: Any) -> Any:
        use, uses = (method.__name__, threading.get_ident()), self._uses
        try:
            if (other := uses.setdefault(NOW, use)) is not use:
                raise _in_use(method.__name__, other)
            return method(self, *arguments, **options)
        finally:
            if NOW in uses and uses[NOW] is use:
                del uses[NOW]

    return cast(M, alone)


def _in_use(what: str, other: Use) -> ConcurrentUseError:
    name, ident = other
    named = {"set_state": "an assignment to a state", "set_parameter": "an assignment to a parameter"}
    what, name = (named.get(word, f"{word.strip('_')}()") for word in (what, name))
    if ident == threading.get_ident():
        return ConcurrentUseError(
            f"{what} was asked of a population while its {name} is under way in the same thread; "
            "a handler of a signal, a callable value or a callback of the progress bar "
            "may read the population, and must leave it as it is"
        )
    return ConcurrentUseError(
        f"{what} was asked of a population while its {name} is under way in another thread; "
        "let the threads take turns, as with a threading.Lock, or give each its own population: copy.copy(pop)"
    )


__all__ = ["exclusive"]
