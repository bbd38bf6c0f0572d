"""Every error izhigen raises on purpose. Each message says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class IzhigenError(Exception):
    """Base of all errors that izhigen raises on purpose."""


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
    """The compiler refused a generated source; carries its text and the source's path."""


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


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest known name, or an empty string."""
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
