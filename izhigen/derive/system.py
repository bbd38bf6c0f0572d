"""The system of ODEs: inlined right-hand sides, Jacobian, and the class of every equation."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp

from izhigen.derive import functions as f
from izhigen.derive.derivative import derivative
from izhigen.derive.event import Assignment
from izhigen.derive.expansion import MOST_TERMS, bounded_expand, expanded_terms, tree_size
from izhigen.derive.lowering import SINCE_SPIKE, T, lower, own_functions, symbol
from izhigen.derive.singularities import remove_singularities
from izhigen.errors import DerivationError
from izhigen.model.model import Declaration


class EquationClass(enum.Enum):
    """What the derivation can prove of ``dx/dt = f`` (docs/methods.md)."""

    CONSTANT = "constant"
    LINEAR_PARAMETER_RATE = "linear, parameter rate"
    LINEAR_STATE_RATE = "linear, state rate"
    COUPLED_LINEAR = "coupled linear block"
    QUADRATIC = "quadratic"
    NONLINEAR = "nonlinear"


@dataclass(frozen=True)
class StateEquation:
    """One ODE ``dx/dt = f``.

    Attributes
    ----------
    state : Symbol
    rhs : Expr
        f, with algebraic lines inlined and removable singularities rewritten to phi1.
    rate : Expr
        J = df/dx, the linear part A.
    remainder : Expr
        B = f - A*x, with the terms free of x collected (for a nonlinear f it still holds x).
    kind : EquationClass
    proved : bool
        Whether A = df/dx is free of x and f has no jumps in x, so that A*x + B equals f with B = f(x = 0).
    """

    state: sp.Symbol
    rhs: Any
    rate: Any
    remainder: Any
    kind: EquationClass
    proved: bool


@dataclass(frozen=True)
class System:
    """Right-hand sides with everything inlined, and what is known about each."""

    model: Declaration
    equations: tuple[StateEquation, ...]
    frozen: tuple[Assignment, ...]
    """Inputs with the currents added to them, evaluated at the step's start: ``symbol = expression``."""
    jacobian: sp.ImmutableMatrix
    blocks: tuple[tuple[int, ...], ...]
    large_blocks: tuple[tuple[int, ...], ...]
    """Linear blocks of more than :data:`MOST_BLOCK` states, whose equations are taken one by one."""
    definitions: Mapping[str, Any] = field(compare=False, repr=False)
    """Algebraic variables and inputs as the equations mean them: an input is with its currents, or their held sum."""

    @property
    def states(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the state variables, in order."""
        return tuple(e.state for e in self.equations)

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the parameters, in order."""
        return tuple(symbol(name) for name in self.model.parameters)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Strongly connected groups of states, single ones included; those that others read first."""
        return tuple(strong_groups(self.jacobian))

    def intermediate(self, name: str) -> sp.Symbol:
        """The symbol of an intermediate value: the name, with underscores after it while the model has one like it."""
        return fresh_symbol(self.model, name)


def fresh_symbol(model: Declaration, name: str) -> sp.Symbol:
    """A symbol that is none of the model's own."""
    taken = {*model.parameters, *model.inputs, *model.delta_inputs, *model.states, *(e.name for e in model.equations)}
    taken |= {event.name for event in model.events}
    while name in taken:
        name += "_"
    return symbol(name)


def _algebraic(model: Declaration, inputs: dict[str, Any]) -> dict[str, Any]:
    """Every algebraic line, fully inlined."""
    lines = {e.name: e for e in model.equations if not e.is_ode}
    done: dict[str, Any] = dict(inputs)

    def resolve(name: str) -> None:
        if name not in lines or name in done:
            return
        for other in lines[name].expression.names:
            resolve(other)
        done[name] = lower(lines[name].expression, lines[name].where, done)

    for name in lines:
        resolve(name)
    return done


def algebraic_definitions(model: Declaration) -> dict[str, Any]:
    """Algebraic variables as expressions of states, parameters and inputs (as given, without added currents)."""
    return _algebraic(model, {})


def _input_sums(model: Declaration) -> tuple[dict[str, Any], tuple[Assignment, ...]]:
    """What an input's name means inside the equations, and the currents held during a step."""
    definitions = algebraic_definitions(model)
    held: dict[str, Any] = {}
    moving: dict[str, Any] = {}
    for index, current in enumerate(model.currents, start=1):
        value = remove_singularities(lower(current.expression, f"current {index}", definitions))
        if model.is_held(current):
            held[current.to] = held.get(current.to, symbol(current.to)) + value
        else:
            moving[current.to] = moving.get(current.to, 0) + value
    frozen = {name: Assignment(fresh_symbol(model, f"{name}_total"), value) for name, value in held.items()}
    meanings = {name: assignment.symbol for name, assignment in frozen.items()}
    for name, value in moving.items():
        meanings[name] = meanings.get(name, symbol(name)) + value
    return meanings, tuple(frozen.values())


def build_system(model: Declaration) -> System:
    """Inline, differentiate and classify. Everything is inlined first: a hidden dependence would lose its derivative.

    Raises
    ------
    DerivationError
        When a right-hand side has no usable derivative.
    """
    meanings, frozen = _input_sums(model)
    definitions = _algebraic(model, meanings)
    odes = model.odes
    states = [symbol(e.name) for e in odes]
    sides = [remove_singularities(lower(e.expression, e.where, definitions)) for e in odes]
    jacobian = sp.zeros(len(states), len(states))
    for i, (ode, side) in enumerate(zip(odes, sides)):
        read = side.free_symbols
        for j, state in enumerate(states):
            if state in read:
                jacobian[i, j] = _derivative(side, state, states, ode.where)
    varying = set(states) | {symbol(n) for n in model.inputs} | {f.symbol for f in frozen} | {T, SINCE_SPIKE}
    linear = _linear_blocks(jacobian, states, sides, varying)
    blocks = tuple(block for block in linear if len(block) <= MOST_BLOCK)
    large = tuple(block for block in linear if len(block) > MOST_BLOCK)
    in_block = {index for block in blocks for index in block}
    equations = tuple(
        _classify(states[i], sides[i], jacobian[i, i], varying, i in in_block) for i in range(len(states))
    )
    return System(model, equations, frozen, sp.ImmutableMatrix(jacobian), blocks, large, definitions)


def _derivative(side: Any, state: sp.Symbol, states: list[sp.Symbol], where: str) -> Any:
    slope = own_functions(derivative(side, state))
    if slope.has(sp.Derivative, sp.DiracDelta, sp.Subs, sp.re, sp.im):
        raise DerivationError(
            f"{where}: no usable derivative with respect to {state}; it contains {slope.atoms(sp.Function) or slope}"
        )
    if slope.has(sp.zoo, sp.nan):
        raise DerivationError(f"{where}: the derivative with respect to {state} is not finite")
    return remove_singularities(_tidy(slope, states))


MOST_BLOCK = 8
"""Most states of a linear block that share one propagator, whose matrix costs n squared multiply-adds and constants.

Measured in C float32 on one x86-64 core (4,096 neurons, a ring of n states, tau 10 ms, dt 0.5 ms, 100 ms from x0 = 1),
in ns a neuron-step, best of three, by the block and equation by equation: n = 2, 0.48 and 0.50; 4, 0.70 and 0.55;
8, 1.8 and 0.72; 10, 6.2 and 0.98; 14, 15.9 and 1.04. The block's error is that of float32 (1e-6 of the largest state),
the other's 2e-2. So a block pays up to 8 states: from there to 10 its time grows by 3.5 times.
"""
MOST_PARTS = 1_000
"""Larger slopes are not differentiated again to learn whether they are linear or constant: they count as nonlinear."""
STEPWISE = (f.where, f.heaviside, f.signum, f.floor_, f.maximum, f.minimum, f.absolute)
"""Functions with kinks or jumps."""


def _tidy(expression: Any, states: Iterable[sp.Symbol]) -> Any:
    """Multiply out what is of first degree in the states; leave anything else as differentiation made it.

    Expanding higher powers, as of ``(V - E)**6``, would lose all digits to cancellation.
    """
    read = expression.free_symbols
    names = [s for s in states if s in read]
    if tree_size(expression) > MOST_PARTS or expanded_terms(expression) > MOST_TERMS:
        return expression  # which would not be multiplied out
    if names and not expression.is_polynomial(*names):
        return expression
    slopes = [sp.diff(expression, name) for name in names]
    if any(sp.diff(slope, name) != 0 for slope in slopes for name in slope.free_symbols.intersection(names)):
        return expression
    return bounded_expand(expression)


def _classify(state: sp.Symbol, side: Any, rate: Any, varying: set[sp.Symbol], coupled: bool) -> StateEquation:
    if state not in side.free_symbols and not coupled:
        return StateEquation(state, side, sp.S.Zero, side, EquationClass.CONSTANT, True)
    slope = bounded_expand(rate) if state in rate.free_symbols else rate
    smooth = not any(state in part.free_symbols for part in side.atoms(*STEPWISE))
    proved = state not in slope.free_symbols and smooth  # f' is free of x and f has no jumps, so f = A*x + f(0)
    rate = slope if proved else rate
    remainder = bounded_expand(side.xreplace({state: sp.S.Zero}) if proved else side - rate * state)
    if coupled and proved:
        kind = EquationClass.COUPLED_LINEAR
    elif proved:
        kind = EquationClass.LINEAR_STATE_RATE if rate.free_symbols & varying else EquationClass.LINEAR_PARAMETER_RATE
    else:
        quadratic = smooth and tree_size(rate) <= MOST_PARTS and _is_linear(rate, state)
        kind = EquationClass.QUADRATIC if quadratic else EquationClass.NONLINEAR
    return StateEquation(state, side, rate, remainder, kind, proved)


def _is_linear(rate: Any, state: sp.Symbol) -> bool:
    curvature = bounded_expand(derivative(rate, state))
    return state not in curvature.free_symbols and curvature != 0


def reached(start: int, edges: Mapping[int, Iterable[int]]) -> set[int]:
    """What can be reached from a place along edges, and itself."""
    found, waiting = {start}, [start]
    while waiting:
        new = set(edges[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


def states_read(jacobian: sp.Matrix) -> dict[int, list[int]]:
    """Which states the equation of each reads."""
    count = range(jacobian.rows)
    return {i: [j for j in count if jacobian[i, j] != 0] for i in count}


def strong_groups(jacobian: sp.Matrix) -> list[tuple[int, ...]]:
    """Strongly connected groups of states, those that others read first."""
    reads = states_read(jacobian)
    reach = {i: reached(i, reads) for i in reads}
    groups = {tuple(j for j in reads if j in reach[i] and i in reach[j]) for i in reads}
    return sorted(groups, key=lambda group: (len(reach[group[0]]), group))


def _linear_blocks(
    jacobian: sp.Matrix, states: list[sp.Symbol], sides: list[Any], varying: set[sp.Symbol]
) -> tuple[tuple[int, ...], ...]:
    """Strongly connected groups of two or more states, their equations linear in these, with parameters as rates.

    Where a rate varies (with another state, an input or time), a function of the matrix would be due in every step of
    every neuron, for no higher order; those equations are taken one by one.
    """
    reads = states_read(jacobian)
    blocks: list[tuple[int, ...]] = []
    for group in sorted(group for group in strong_groups(jacobian) if len(group) > 1):
        members = {states[j] for j in group}
        smooth = not any(part.free_symbols & members for j in group for part in sides[j].atoms(*STEPWISE))
        if smooth and not any(jacobian[a, b].free_symbols & varying for a in group for b in reads[a] if b in group):
            blocks.append(group)
    return tuple(blocks)
