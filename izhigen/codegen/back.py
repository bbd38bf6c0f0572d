"""The statements of one neuron on the way back through a step, from its adjoint: a procedure like the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from izhigen.codegen.body import named_definitions, time_since
from izhigen.codegen.economy import horner
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.naming import Namer
from izhigen.codegen.placing import Placer, kind_of
from izhigen.codegen.procedure import Kind, Placement, Statement, Store, Word, symbols_read
from izhigen.codegen.sharing import Sharer, share
from izhigen.derive import functions as f
from izhigen.derive.adjoint import HELD, Adjoint, bar_of
from izhigen.derive.event import LAST_SPIKE
from izhigen.derive.lowering import SINCE_SPIKE, symbol


@dataclass(frozen=True)
class Bars:
    """What the way back through a step reads and writes of gradients, a value a neuron each.

    Attributes
    ----------
    states, events : mapping of str to Symbol
        Gradients with respect to what the step left; those of states become those before the step.
    inputs, parameters : mapping of str to Symbol
        Gradients that are found: of the step, and summed over steps.
    """

    states: dict[str, sp.Symbol]
    events: dict[str, sp.Symbol]
    inputs: dict[str, sp.Symbol]
    parameters: dict[str, sp.Symbol]


def bars_of(adjoint: Adjoint) -> Bars:
    """The names of an adjoint's gradients."""
    step, parameters = adjoint.step, set(adjoint.step.model.parameters)
    found = [s.name for s in adjoint.bars if s not in adjoint.states]
    return Bars(
        {s.name: bar_of(step, s) for s in adjoint.states},
        {event.name: bar_of(step, event.symbol) for event in step.events},
        {name: bar_of(step, symbol(name)) for name in found if name not in parameters},
        {name: bar_of(step, symbol(name)) for name in found if name in parameters},
    )


@dataclass(frozen=True)
class Back:
    """The way back: whole, and in two parts, first the phi2 whose arguments are checked, then the rest.

    Attributes
    ----------
    rest : tuple of Statement
        Those that read the values of phi2.
    stores : tuple of Store
    guard : tuple of Statement
        Those that compute the arguments of phi2.
    guarded : tuple of Store
        The values of phi2.
    """

    rest: tuple[Statement, ...] = ()
    stores: tuple[Store, ...] = ()
    guard: tuple[Statement, ...] = ()
    guarded: tuple[Store, ...] = ()

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Those of both parts, one after the other."""
        values = [Statement(store.symbol, store.expression, store.kind) for store in self.guarded]
        first = {statement.symbol for statement in self.guard}
        return alive([*self.guard, *values, *(s for s in self.rest if s.symbol not in first)], self.stores)

    @property
    def everything(self) -> tuple[Statement, ...]:
        """All statements and stores."""
        return (*self.rest, *self.stores, *self.guard, *self.guarded)


IS_HELD = Word("iz_is_held", real=True)
"""Whether a neuron was held in a step."""


class phi2_ranged(f.OwnFunction):
    """phi2 of an argument that the kernel checks."""


def write_back(adjoint: Adjoint, placer: Placer, dtype: str, short: Iterable[sp.Symbol]) -> Back:
    """Statements and stores of the way back; parts that vary less join the placer's lists. ``short`` are arguments of
    phi1 that are checked.
    """
    bars = bars_of(adjoint)
    writer = _Writer(adjoint, placer)
    for name in (*bars.states.values(), *bars.events.values(), IS_HELD):
        placer.placements[name] = Placement.BOTH
    for assignment in (*adjoint.forward, *adjoint.backward):
        writer.add(assignment.symbol, assignment.expression)
    for name, bar in {**bars.states, **bars.inputs, **bars.parameters}.items():
        writer.store(bar, adjoint.bars[symbol(name)], is_sum=name in bars.parameters)
    guarded = writer.with_phi2(short)
    sharer = Sharer(placer.namer, named_definitions(adjoint.step), dtype)
    statements, stores = share(writer.statements, writer.stores, sharer)
    return Back(alive(statements, stores), stores, alive(statements, guarded), guarded)


def alive(
    statements: Iterable[Statement], readers: Iterable[Statement], keep: Collection[sp.Symbol] = ()
) -> tuple[Statement, ...]:
    """The statements that something later reads, and those to keep.

    A stage of a state that no right-hand side reads is read by nothing.
    """
    needed = set(keep) | symbols_read(readers)
    kept: list[Statement] = []
    for statement in reversed(tuple(statements)):
        if statement.symbol in needed:
            kept.append(statement)
            needed |= statement.expression.free_symbols
    return tuple(kept[::-1])


class _Writer:
    """Places the statements of an adjoint; alive while a kernel is built.

    Names of values that only this procedure has may be those of values of others.
    """

    def __init__(self, adjoint: Adjoint, placer: Placer) -> None:
        self.adjoint, self.placer = adjoint, placer
        self.statements: list[Statement] = []
        self.stores: list[Store] = []
        self._renamed: dict[sp.Symbol, Any] = {HELD: IS_HELD}
        apart = [s.symbol.name for statements in placer.lists.values() for s in statements]
        placer.namer = Namer([*_given_names(adjoint), *apart])
        if adjoint.step.reads_elapsed:
            self.add(SINCE_SPIKE, time_since(LAST_SPIKE), "since_spike")

    def add(self, name: sp.Symbol, expression: Any, wanted: str = "") -> None:
        """A value, at the place where it varies least."""
        self.placer.owner = wanted or name.name
        value = self.placer.hoist(horner(expression.xreplace(self._renamed), self.adjoint.step.states))
        level = self.placer.place(value)
        found = self.placer.namer.fixed(wanted or name.name)
        self.placer.placements[found] = level
        target = self.statements if level is Placement.BOTH else self.placer.lists[level]
        target.append(Statement(found, value, kind_of(value)))
        self._renamed[name] = found

    def with_phi2(self, short: Iterable[sp.Symbol]) -> tuple[Store, ...]:
        """Put values of phi2 that are computed beforehand in the place of phi1 and phi2 of checked arguments."""
        arguments = [self._renamed[z] for z in short if z in self._renamed]
        values = {z: Word(f"iz_phi2_{c_name(z.name)}", real=True) for z in arguments}
        called = {call for s in (*self.statements, *self.stores) for call in s.expression.atoms(f.phi1, f.phi2)}
        change = {f.phi1(z): 1 + z * value for z, value in values.items()}
        change |= {f.phi2(z): value for z, value in values.items()}
        self.statements = [replace(s, expression=s.expression.xreplace(change)) for s in self.statements]
        self.stores = [replace(s, expression=s.expression.xreplace(change)) for s in self.stores]
        read = {call.args[0] for call in called}
        return tuple(Store(value, phi2_ranged(z), Kind.REAL) for z, value in values.items() if z in read)

    def store(self, bar: sp.Symbol, expression: Any, *, is_sum: bool) -> None:
        self.placer.owner = bar.name
        value = self.placer.hoist(horner(expression.xreplace(self._renamed), self.adjoint.step.states))
        self.stores.append(Store(bar, value, Kind.REAL, "add" if is_sum else "set"))


def _given_names(adjoint: Adjoint) -> list[str]:
    """Names of all that a step is given, and of the gradients."""
    step, model, bars = adjoint.step, adjoint.step.model, bars_of(adjoint)
    names = [*model.parameters, *model.inputs, *model.states, *model.delta_inputs, "t", "dt", LAST_SPIKE.name]
    names += [event.name for event in step.events]
    names += [xi.name for xi, _ in step.variates]
    names += [s.name for group in (bars.states, bars.events, bars.inputs, bars.parameters) for s in group.values()]
    return names
