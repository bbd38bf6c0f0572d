"""Options of a population that say how gradients pass through spikes, read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from izhigen.errors import ModelError, ValueShapeError, shown, suggest
from izhigen.model.events import SPIKE, Assignment, DeclaredEvent
from izhigen.model.expressions import Binary, Compare, Expression, Name
from izhigen.model.model import Declaration
from izhigen.scalars import read_finite, read_flag, read_names

if TYPE_CHECKING:
    from izhigen.derive.adjoint import Training

DETACHED = (False, "reset", "all")
"""What ``detach_spike`` may be."""
METHODS = {"tape": "population", "gradients": "emit", "step_function": "step_function"}
"""What asks for gradients, and the method of a model that is given a surrogate for it."""
RESETS = ("hard", "soft")
"""What ``spike_reset`` may be."""


def read_training(surrogate: Any, detach_spike: Any, spike_scale: Any, smooth_spikes: Any) -> Training | None:
    """How gradients pass through spikes; None where a population says nothing of it.

    Raises
    ------
    ValueShapeError
        For another ``detach_spike``, a scale that is not above 0, smooth spikes without a surrogate that has them, and
        any of these without a surrogate.
    EquationError, DerivationError
        For a surrogate that is none.
    """
    if detach_spike is not False and not (isinstance(detach_spike, str) and detach_spike in DETACHED):
        known = ", ".join(map(repr, DETACHED))
        raise ValueShapeError(f"detach_spike={shown(detach_spike)} is not one of {known}")
    scale, smooth = read_finite(spike_scale, "spike_scale"), read_flag(smooth_spikes, "smooth_spikes")
    if scale <= 0:
        raise ValueShapeError(f"spike_scale={shown(spike_scale)} is not a number above 0")
    if surrogate is None:
        given = {"detach_spike": detach_spike, "spike_scale": scale, "smooth_spikes": smooth}
        for name, default in {"detach_spike": False, "spike_scale": 1.0, "smooth_spikes": False}.items():
            if given[name] != default:
                raise ValueShapeError(
                    f"{name}={shown(given[name])} says how gradients pass through spikes, and needs a surrogate, which "
                    f"stands for a spike's derivative; give surrogate='sigmoid' or another as well, or leave {name} out"
                )
        return None
    from izhigen.derive.adjoint import Detach, Training
    from izhigen.derive.surrogates import read_surrogate

    found = read_surrogate(surrogate)
    if smooth and found.smooth is None:
        raise ValueShapeError(
            f"smooth_spikes=True: {found!r} is a gradient alone; take one of iz.surrogates, which know the function "
            "that it is the gradient of"
        )
    return Training(found, scale, Detach(detach_spike), smooth)


def training_of(model: Declaration, given: Training | None, what: str = "tape") -> Training:
    """How gradients pass through a model's spikes, for a run with a tape, or for ``what`` errors name.

    ``what`` is an argument of a method, or a method: ``"tape"``, ``"gradients"``, ``"step_function"``.

    Raises
    ------
    ValueShapeError
        For a model with events and a population without a surrogate, through whose spikes nothing would pass.
    """
    from izhigen.derive.adjoint import Training

    if given is None and model.events:
        raise ValueShapeError(
            f"{what}: a spike of model {model.name!r} has no derivative; say what stands for it, as in "
            f"model.{METHODS[what]}(..., surrogate='sigmoid'), or detach_spike='all' "
            "beside it for none"
        )
    return Training() if given is None else given


def read_tape(tape: Any, model: Declaration, inputs: tuple[str, ...], what: str = "tape") -> tuple[str, ...] | None:
    """The names whose gradients a run is to make possible, beside those of the initial states; None without a tape.

    ``True`` stands for all ``inputs`` of the run and all parameters; ``what`` is what errors call it.
    """
    known = (*inputs, *model.gradient_parameters)
    if isinstance(tape, bool):
        _refuse_clash(model, known if tape else (), what)
        return known if tape else None
    names = read_names(tape, what)
    for name in names:
        if name not in known:
            why = "; the refractory period carries no gradient" if name in model.parameters else suggest(name, known)
            raise ValueShapeError(
                f"{what}: {shown(name)} is no input of this run and no parameter with a gradient{why} "
                f"(known: {', '.join(known)}; those of the initial states are always there)"
            )
    found = tuple(name for name in known if name in names)
    _refuse_clash(model, found, what)
    return found


def _refuse_clash(model: Declaration, names: tuple[str, ...], what: str) -> None:
    """Refuse an input or parameter ``V0`` beside a state V: the gradients of both would have that name."""
    for name in names:
        if name.endswith("0") and name[:-1] in model.states:
            raise ValueShapeError(
                f"{what}: {shown(name)} is an input or parameter of model {model.name!r}, and what the gradient with "
                f"respect to the initial {name[:-1]} is called; rename it, or leave it out of {what}=[...]"
            )


def with_spike_reset(model: Declaration, how: Any) -> Declaration:
    """The model with its spike's reset made ``"hard"`` (as declared) or ``"soft"``: from ``V = c`` at ``V >= V_th`` to
    ``V = V - (V_th - c)``, so that what V is above the threshold is kept (BrainPy's ``spk_reset``).

    Raises
    ------
    ValueShapeError
        For another word.
    ModelError
        For a model whose reset does not set the state that its threshold compares.
    """
    if how is None or how == "hard":
        return model
    if how != "soft":
        raise ValueShapeError(f"spike_reset={shown(how)} is not one of {', '.join(map(repr, RESETS))}")
    spike = model.spike
    tree = None if spike is None else spike.condition.tree
    if spike is None or not isinstance(tree, Compare) or not isinstance(tree.left, Name):
        raise ModelError(f"spike_reset='soft': the threshold of model {model.name!r} is not of the form 'V >= V_th'")
    state, bound = tree.left.id, tree.right
    found = [a for a in spike.assignments if a.state == state and state not in a.expression.names]
    if tree.operator not in (">=", ">") or not found:
        raise ModelError(
            f"spike_reset='soft': the reset of model {model.name!r} does not set {state}, or builds on its value"
        )
    bound_text = spike.condition.text.split(tree.operator, 1)[1].strip()
    text = f"{state} - (({bound_text}) - ({found[0].expression.text}))"
    soft = Expression(text, Binary("-", Name(state), Binary("-", bound, found[0].expression.tree)))
    changed = tuple(Assignment(state, soft) if a is found[0] else a for a in spike.assignments)
    return model.replaced(events=tuple(_with(e, changed) for e in model.events))


def _with(event: DeclaredEvent, assignments: Iterable[Assignment]) -> DeclaredEvent:
    return replace(event, assignments=tuple(assignments)) if event.name == SPIKE else event
