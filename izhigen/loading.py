"""Models by name: of the library, of Python files, and of other programs' files and strings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from izhigen import importers
from izhigen.api import Model
from izhigen.errors import ModelError
from izhigen.importers.imported import Imported
from izhigen.model import library


def load(name: str) -> Model:
    """Load a model by its library name, or as ``"file.py:NAME"`` (``"file.py"`` when it holds one model), which is run;
    or from another program's file, ``"cell.nml:id"``, which is read (:mod:`izhigen.importers`).

    What contradicts itself in such a file, and was taken in one way, is a ``UserWarning``.

    Raises
    ------
    ModelNotFoundError
        No such file, or no such model in it; names the nearest one.
    ModelError
        What another program's file has, and the language of models has not: with the file and the line.
    """
    return _told(read(name))


def read(name: str) -> Imported[Model]:
    """What :func:`load` loads, with a report of each decision that another program's file left open, and how that file
    runs the model: method, dt, duration and inputs.

    Raises
    ------
    ModelNotFoundError, ModelError
        As there.
    """
    if isinstance(name, str) and "." in name and not name.endswith(".py"):
        file_and_part = importers.split(name)
        if file_and_part is not None:
            return importers.read(*file_and_part, Model)
    found = library.load(name)
    if not isinstance(found, Model):
        raise ModelError(f"{name} is a {type(found).__name__}; declare it as izhigen.Model(...)")
    return importers.Imported(found)


def _told(found: Imported[Model]) -> Model:
    """The model of an import, after its user was told what is doubtful in it."""
    for line in found.doubts:
        warnings.warn(line, stacklevel=3)
    return found.model


def from_brian2(
    equations: str,
    threshold: str | None = None,
    reset: str | None = None,
    refractory: Any = False,
    namespace: Mapping[str, Any] | None = None,
    *,
    name: str = "Brian2",
    inputs: Any = (),
    initial: Mapping[str, Any] | None = None,
) -> Model:
    """A neuron of Brian2 from its strings, as ``NeuronGroup`` takes them; Brian2 itself is not needed.

    Everything is converted to one system of units: ms, mV, pA, nS, pF, Gohm, and uA/cm**2 per area.
    :func:`izhigen.read_brian2` gives the same with a report of each decision.

    Parameters
    ----------
    equations : str
        Lines of Brian2's equation language; nothing of them is run.
    threshold, reset : str, optional
        The condition of a spike, and the statements that follow it.
    refractory : str, float or quantity
        A time, such as ``"5*ms"`` (a plain number is in ms), or a condition during which a neuron stays refractory.
    namespace : mapping
        Constants by name: numbers, text such as ``"10*ms"``, quantities of Brian2, pint or astropy. Those that are
        read become parameters; one that the equations declare (``I : amp``) is 0 unless it stands here.
    name : str
        Of the model.
    inputs : iterable of str, or mapping from name to unit
        What varies in time: declared parameters, ``(constant over dt)`` lines, and functions that are read as ``I(t)``,
        which need a unit, such as ``{"I": "amp"}``.
    initial : mapping
        What a script assigns to variables before it runs: values as in ``namespace``, or expressions as text.

    Raises
    ------
    EquationError
        Text that is not in Brian2's language or not in ours, with the line, the equation and the column.
    ModelError
        Parts that do not fit together, or whose meaning in Brian2 cannot be had here.
    """
    return _told(
        read_brian2(equations, threshold, reset, refractory, namespace, name=name, inputs=inputs, initial=initial)
    )


def read_brian2(
    equations: str,
    threshold: str | None = None,
    reset: str | None = None,
    refractory: Any = False,
    namespace: Mapping[str, Any] | None = None,
    *,
    name: str = "Brian2",
    inputs: Any = (),
    initial: Mapping[str, Any] | None = None,
) -> Imported[Model]:
    """What :func:`izhigen.from_brian2` gives for the same arguments, with a report of each decision that was taken.

    Parameters
    ----------
    equations, threshold, reset, refractory, namespace, name, inputs, initial
        As there.

    Raises
    ------
    EquationError, ModelError
        As there.
    """
    from izhigen.importers import brian2

    return brian2.read(
        equations, threshold, reset, refractory, namespace, kind=Model, name=name, inputs=inputs, initial=initial
    )


__all__ = ["from_brian2", "load", "read", "read_brian2"]
