"""Whether the parts of a declaration fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from izhigen.errors import ModelError, shown, suggest
from izhigen.model.equations import Equation, ResetAssignment
from izhigen.model.expressions import Expression
from izhigen.model.functions import CONSTANTS, FUNCTIONS, RESERVED, TIME_NAMES
from izhigen.model.limits import MOST_LINES, check_inlined
from izhigen.model.parts import Current, Noise, Refractory
from izhigen.model.units import check_unit

INTERFACE_NAMES = frozenset(
    """
    self model size dt method backend dtype threads seed batch device sharding steps_per_launch
    duration steps record every neurons progress check_finite out run step reset state parameters spike shape
    kernel build_info t
    """.split()
)
"""Options and attributes of populations, which states, parameters and inputs must not be called."""
SPIKE_FIGURES = ("count", "first_spike", "isi")
"""What recordings call the figures of a neuron's spikes."""
ALL = "all"
"""What ``record`` calls everything that a model has."""
DERIVED_STATES = ("refractory", "t_last_spike")
"""States that a refractory period adds: a bool per neuron, and the time of the last spike in ms (float64)."""


def _expressions(fields: Mapping[str, Any]) -> Iterator[tuple[str, Expression]]:
    """Every expression of a declaration except initial values, with its place."""
    for equation in fields["equations"]:
        yield equation.where, equation.expression
    if fields["threshold"] is not None:
        yield "threshold", fields["threshold"]
    for assignment in fields["reset"]:
        yield f"reset of {assignment.state}", assignment.expression
    for index, current in enumerate(fields["currents"], start=1):
        yield f"current {index}", current.expression
    for noise in fields["noise"]:
        yield f"noise on {noise.state}", noise.amplitude


def names_in_fields(fields: Mapping[str, Any]) -> set[str]:
    """All names that the expressions of a declaration's fields read."""
    read: set[str] = set()
    for _, expression in _expressions(fields):
        read.update(expression.names)
    for expression in fields["initial"].values():
        read.update(expression.names)
    if fields["refractory"] is not None:
        read.add("tau_ref")
    return read


class Declared(Protocol):
    """The parts that are checked, as :class:`~izhigen.model.model.Declaration` has them."""

    name: str
    equations: tuple[Equation, ...]
    threshold: Expression | None
    reset: tuple[ResetAssignment, ...]
    parameters: Mapping[str, float]
    inputs: tuple[str, ...]
    initial: Mapping[str, Expression]
    currents: tuple[Current, ...]
    refractory: Refractory | None
    noise: tuple[Noise, ...]
    units: Mapping[str, str]

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state variables."""
        ...

    @property
    def delta_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that add to a state."""
        ...


def check_declaration(model: Declared, fields: Mapping[str, Any]) -> None:
    """Refuse parts that do not fit together; called before anybody else sees the model. ``fields`` are all its parts.

    Raises
    ------
    ModelError
        An undefined, duplicate or clashing name, a circle, a part that was composed for a state that is gone,
        or too much of anything.
    """
    if not model.states:
        raise ModelError(f"model {model.name!r} has no differential equation; write at least one line 'dx/dt = ...'")
    _check_unique(model)
    known = set(model.states) | {e.name for e in model.equations} | set(model.parameters) | set(model.inputs)
    readable = known | set(CONSTANTS) | set(TIME_NAMES)
    for where, expression in _expressions(fields):
        _check_names(expression, readable, where)
    parameters_and_states = set(model.parameters) | set(model.states) | set(CONSTANTS)
    for state, expression in model.initial.items():
        _check_names(expression, parameters_and_states, f"initial value of {state}")
    for noise in model.noise:
        _check_names(
            noise.amplitude,
            set(model.parameters) | set(CONSTANTS),
            f"noise on {noise.state}",
            "; noise is additive, so its amplitude may use parameters only",
        )
    _check_reset(model)
    _check_parts(model)
    for name in model.units:
        if name not in known:
            raise ModelError(f"units: {shown(name)} is neither a parameter nor an input{suggest(name, known)}")
        check_unit(model.units[name], f"unit of {name}")
    _check_size(model)
    sizes = _check_acyclic({e.name: e.expression for e in model.equations if not e.is_ode}, "algebraic lines")
    for where, expression in _expressions(fields):
        check_inlined(where.removeprefix("equation "), expression, sizes)
    _check_acyclic(dict(model.initial), "initial values")


def _check_unique(model: Declared) -> None:
    for name in (*(e.name for e in model.equations), *model.inputs):
        if name in (*SPIKE_FIGURES, ALL):
            raise ModelError(
                f"model {model.name!r}: {shown(name)} clashes: record={shown(name)} means something else; rename it"
            )
    kinds = [
        ("equation", [e.name for e in model.equations]),
        ("parameter", list(model.parameters)),
        ("input", list(model.inputs)),
        ("built-in input", list(model.delta_inputs)),
        ("built-in state", list(DERIVED_STATES)),
    ]
    seen: dict[str, str] = {}
    for kind, names in kinds:
        for name in names:
            if name in INTERFACE_NAMES:
                raise ModelError(
                    f"model {model.name!r}: {kind} {shown(name)} clashes: "
                    f"populations have an option or attribute {shown(name)}; rename it"
                )
            if name in RESERVED:
                what = "a function" if name in FUNCTIONS else "a constant" if name in CONSTANTS else "reserved"
                raise ModelError(
                    f"model {model.name!r}: {kind} {name!r} clashes: {name!r} is {what} of the language; rename it"
                )
            if name in seen:
                again = f"defined twice as {kind}" if seen[name] == kind else f"both {seen[name]} and {kind}"
                raise ModelError(f"model {model.name!r}: {shown(name)} is {again}; rename one of them")
            seen[name] = kind


def _check_names(expression: Expression, known: set[str], where: str, why: str = "") -> None:
    for name, column in expression.names.items():
        if name not in known:
            hint = suggest(name, known) or "; declare it as a parameter, an input or an algebraic line"
            raise ModelError(f"{where}, column {column}: undefined name {shown(name)}{why or hint}")


def _check_reset(model: Declared) -> None:
    if model.reset and model.threshold is None:
        raise ModelError(f"model {model.name!r} has a reset but no threshold; add threshold='V >= V_th'")
    seen: set[str] = set()
    for assignment in model.reset:
        if assignment.state not in model.states:
            raise ModelError(
                f"reset: no state {assignment.state!r}{suggest(assignment.state, model.states)} "
                f"(states: {', '.join(model.states)})"
            )
        if assignment.state in seen:
            raise ModelError(
                f"reset: {assignment.state!r} is assigned twice; "
                "all assignments read the values before the reset, so write one"
            )
        seen.add(assignment.state)


def _check_parts(model: Declared) -> None:
    """What composition added must still have the states and inputs that it was made for."""
    held = [("a refractory period", model.refractory.state)] if model.refractory else []
    for what, state in [*held, *(("noise", noise.state) for noise in model.noise)]:
        if state not in model.states:
            raise ModelError(
                f"model {model.name!r} has {what} on {shown(state)}, which is no state of it any more "
                f"(states: {', '.join(model.states)}); compose it again from a model without"
            )
    if model.refractory and model.threshold is None:
        raise ModelError(f"model {model.name!r} has a refractory period but no threshold")
    for current in model.currents:
        if current.to not in model.inputs:
            raise ModelError(
                f"model {model.name!r} has a current {shown(current.expression.text)} that adds to {current.to!r}, "
                f"which is no input of it any more (inputs: {', '.join(model.inputs)})"
            )


def _check_size(model: Declared) -> None:
    lines = sum(not e.is_ode for e in model.equations)
    if lines > MOST_LINES:
        raise ModelError(f"model {model.name!r} has {lines} algebraic lines, more than {MOST_LINES}")


def _check_acyclic(definitions: Mapping[str, Expression], what: str) -> dict[str, tuple[int, int]]:
    """Sizes and depths of the definitions, inlined; an error for a circle."""
    done: dict[str, tuple[int, int]] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ModelError(f"{what} are cyclic: {' -> '.join((*path[path.index(name) :], name))}; break the circle")
        if name not in done:
            for other in definitions[name].names:
                if other in definitions:
                    visit(other, (*path, name))
            done[name] = check_inlined(name, definitions[name], done)

    for name in definitions:
        visit(name, ())
    return done
