"""Every error izhigen raises on purpose. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class IzhigenError(Exception):
    """Base of all errors that izhigen raises on purpose. Its text is one line that can be printed, whatever the names
    of files in it hold.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class EquationError(IzhigenError, ValueError):
    """Text that is not a valid equation, condition, reset or unit.

    Parameters
    ----------
    what : str
        What is wrong and what to do.
    where : str
        The place in the declaration, such as ``"equation dV/dt"``.
    column : int, optional
        Column in the text, counted from 1.
    """

    def __init__(self, what: str, where: str = "", column: int | None = None) -> None:
        place = where + (f", column {column}" if column is not None else "")
        super().__init__(f"{place}: {what}" if place else what)
        self.what, self.where, self.column = what, where, column


class ModelError(IzhigenError, ValueError):
    """A declaration whose parts do not fit together (unknown, missing or clashing names)."""


class ModelNotFoundError(IzhigenError, LookupError):
    """No model of that name in the library, or no such file."""


class DerivationError(IzhigenError, ValueError):
    """A valid declaration for which an update cannot be derived."""


class ValueShapeError(IzhigenError, ValueError):
    """A parameter, state or input value of the wrong name, shape or kind."""


class ConcurrentUseError(IzhigenError, RuntimeError):
    """A population was asked for something that changes it while another such call of it is under way."""


class BackendError(IzhigenError, RuntimeError):
    """A backend that is missing or cannot do what was asked of it."""


class CompileError(BackendError):
    """The compiler refused a generated source; carries its text, in lines, and the source's path."""

    def __str__(self) -> str:
        return "\n".join(printable(line) for line in Exception.__str__(self).splitlines())


class ClusterError(BackendError):
    """A cluster cannot be used, or lost what it was to do; names the worker's address."""


class NetworkError(IzhigenError, ValueError):
    """Populations that cannot be connected as asked, or a network that cannot run so."""


class RecordingError(IzhigenError, LookupError):
    """Something was asked of a recording that it does not hold, or it cannot be read or written."""


class NonFiniteError(IzhigenError, ArithmeticError):
    """A state became infinite or not a number.

    Attributes
    ----------
    neuron : int
        Flat index of the first neuron concerned.
    step : int
        Index of the step that produced the value, counted from the last reset.
    time : float
        Time at the end of that step, in ms.
    state : dict
        The neuron's state before that step.
    inputs : dict
        The neuron's inputs in that step.
    """

    def __init__(
        self, message: str, *, neuron: int, step: int, time: float, state: dict[str, float], inputs: dict[str, float]
    ) -> None:
        super().__init__(message)
        self.neuron, self.step, self.time = neuron, step, time
        self.state, self.inputs = state, inputs

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild_non_finite, (str(self), self.__dict__.copy()))


def _rebuild_non_finite(message: str, fields: dict[str, Any]) -> NonFiniteError:
    return NonFiniteError(message, **fields)


LONGEST = 80
"""Characters of a value that a message shows."""


def shown(value: Any) -> str:
    """A value for a message: what ``repr`` says of it, printable, and of a length that fits in a line."""
    if isinstance(value, (str, bytes, bytearray, list, tuple)):
        value = value[: LONGEST + 1]  # more than fits, and none of a million
    elif isinstance(value, int) and abs(value) >= 10**LONGEST:
        return f"a whole number of {value.bit_length()} bits"
    try:
        text = repr(value)
    except Exception:  # what a foreign object's repr does is its own affair
        text = f"a {type(value).__name__}"
    text = printable(" ".join(text[: 10 * LONGEST].split()))
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def printable(text: object) -> str:
    """Text, such as a path, without what a terminal would obey or cannot show: control characters, marks of direction
    and halves of pairs become escapes.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def suggest(name: object, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, or an empty string."""
    if not isinstance(name, str) or len(name) > LONGEST:
        return ""
    candidates = sorted(known, key=str.swapcase)  # 'mV' before 'MV'
    near = [k for k in candidates if k.lower() == name.lower()][:1] or get_close_matches(
        name, candidates, n=1, cutoff=0.6
    )
    return f"; did you mean {near[0]!r}?" if near else ""


def first_line(problem: BaseException) -> str:
    """The first line that an exception says, without the full stop; its type where it says nothing."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0].rstrip(".")


def error_line(text: str) -> str:
    """The first line of a compiler's text that tells of an error, or else its first line."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return next((line for line in lines if "error" in line.lower()), lines[0] if lines else "it said nothing")


__all__ = [
    "BackendError",
    "ClusterError",
    "CompileError",
    "ConcurrentUseError",
    "DerivationError",
    "EquationError",
    "IzhigenError",
    "ModelError",
    "ModelNotFoundError",
    "NonFiniteError",
    "RecordingError",
    "ValueShapeError",
]


def __dir__() -> list[str]:
    return sorted(__all__)
