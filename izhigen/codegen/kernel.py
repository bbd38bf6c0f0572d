"""The kernel: ordered statements, each placed where it is computed least often.

A value that depends on parameters only is computed once a call (once per neuron and call, where a parameter is given
per neuron); one that depends on time only, once a step; the rest in the body, once per neuron and step. Polynomials are
put in Horner form, shared subexpressions get a name of their own, and temporaries are named by what they hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import sympy as sp

from izhigen.codegen.back import IS_HELD, Back, Bars, alive, bars_of, phi2_ranged, write_back
from izhigen.codegen.body import (
    NO_SPIKE,
    PERIOD,
    REFRACTORY,
    RELEASE,
    STEP_NEXT,
    STEP_NOW,
    TIME_NOW,
    WATCHED,
    StepWriter,
    named_definitions,
)
from izhigen.codegen.formats import FORMATS
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.location import SEARCH, excluded, write_location
from izhigen.codegen.naming import Namer
from izhigen.codegen.operations import Operations, count
from izhigen.codegen.placing import Placer
from izhigen.codegen.procedure import Kind, Placement, Procedure, Statement, Store, Word, make_procedure
from izhigen.codegen.sharing import Sharer, share
from izhigen.derive import functions as f
from izhigen.derive.adjoint import Adjoint, Training, derive_adjoint
from izhigen.derive.event import LAST_SPIKE, TAU_REF
from izhigen.derive.lowering import DT, SINCE_SPIKE, T, lower, symbol
from izhigen.derive.ranges import short_ranges
from izhigen.derive.step import Step
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.model.expressions import parse_expression


class phi1_ranged(f.OwnFunction):
    """phi1 of an argument that the kernel checks."""


def _ranged(short: Iterable[ShortArgument]) -> dict[Any, tuple[Any, Word]]:
    """Calls of phi1 and phi2 of arguments that are checked: what stands for each in the kernel, and its name where it
    is computed before the rest of a step.
    """
    found: dict[Any, tuple[Any, Word]] = {}
    for z in (s.argument for s in short):
        found[f.phi1(z)] = phi1_ranged(z), Word(f"iz_phi1_{c_name(z.name)}", real=True)
        found[f.phi2(z)] = phi2_ranged(z), Word(f"iz_phi2_of_{c_name(z.name)}", real=True)
    return found


@dataclass(frozen=True)
class ShortArgument:
    """An argument of phi1 that is checked against the short form's range, and the uniform statement that holds its
    value at the threshold.
    """

    argument: sp.Symbol
    at_bound: sp.Symbol


@dataclass(frozen=True)
class Kernel:
    """Everything a template needs to know, still as SymPy values.

    Attributes
    ----------
    step : Step
    dtype : str
        ``"float32"`` or ``"float64"``.
    per_neuron : tuple of str
        Parameters given one value per neuron.
    deltas : tuple of str
        States that receive an instantaneous input.
    procedures : mapping of str to Procedure
        ``constants``, what depends on parameters only, once a call; ``prepare``, what depends on parameters of the
        neuron, once a call for each; ``clock``, what depends on time only, once a step; ``step``, all else; for every
        event that holds something ``on_<event>``, what is done in neurons in which it happened. Resets are part of the
        step. For targets that make a step in two parts: ``guard``, those statements of the step that compute arguments
        of phi1 that are checked, and stores of their phi1; ``rest``, the second part, which reads these. Where steps
        are gone back through: ``back``, which does so, its two parts ``back_guard`` (phi2 of checked arguments) and
        ``back_rest``, and ``back_clock``, what of it depends on time only. Where events are located: ``part``,
        ``look``, ``first``, ``happen`` and ``end`` (:mod:`izhigen.codegen.location`).
    noisy_inputs : tuple of str
        Inputs to which normal variates are added in the kernel.
    short : tuple of ShortArgument
        Arguments of phi1 that are checked, so that its short form serves.
    timed_inputs : tuple of Statement
        Inputs that are computed from time once a call: expressions of t, k and c0, c1, ..., in double precision.
    counted_inputs, delivered_inputs : tuple of str
        Inputs for which Poisson counts are drawn in the kernel, and those to which it delivers spikes.
    training : Training or None
        How gradients pass through spikes; None where no step is gone back through.
    wanted : tuple of str
        Inputs, jumps and parameters whose gradients are due then, beside those of the states.
    bars : Bars or None
        Names of the gradients.
    """

    step: Step
    dtype: str
    per_neuron: tuple[str, ...]
    deltas: tuple[str, ...]
    procedures: Mapping[str, Procedure]
    noisy_inputs: tuple[str, ...] = ()
    short: tuple[ShortArgument, ...] = ()
    timed_inputs: tuple[Statement, ...] = ()
    counted_inputs: tuple[str, ...] = ()
    delivered_inputs: tuple[str, ...] = ()
    training: Training | None = None
    wanted: tuple[str, ...] = ()
    bars: Bars | None = None

    def __getitem__(self, name: str) -> Procedure:
        return self.procedures[name]

    @property
    def inputs(self) -> tuple[str, ...]:
        """All inputs, those that jump a state last."""
        return (*self.step.model.inputs, *(f"{state}_delta" for state in self.deltas))

    @property
    def spikes(self) -> bool:
        """Whether anything happens to a neuron; a model without a threshold never spikes then."""
        return bool(self.step.events)

    @property
    def uniform_parameters(self) -> tuple[str, ...]:
        """Parameters with one value for all neurons."""
        return tuple(p for p in self.step.model.parameters if p not in self.per_neuron)

    @property
    def refractory(self) -> bool:
        """Whether neurons are held for a time after an event."""
        return self.step.period is not None

    @property
    def keeps_times(self) -> bool:
        """Whether neurons keep the time of their last spike."""
        return bool(self.step.times)

    @property
    def short_back(self) -> bool:
        """Whether the way back has values of phi2 that are computed beforehand, their arguments checked."""
        return bool(self["back_guard"].stores)

    @property
    def search(self) -> tuple[Procedure, ...]:
        """What is called where events are located inside a step."""
        return tuple(self.procedures[name] for name in SEARCH if name in self.procedures)

    @property
    def short_phi2(self) -> bool:
        """Whether phi2 of a checked argument is computed, forth or back."""
        return self.short_back or any(s.expression.has(phi2_ranged) for s in self["step"].statements)

    @property
    def loop(self) -> frozenset[sp.Symbol]:
        """What is read in every step, in the clock or for each neuron."""
        return self["clock"].symbols | self["step"].symbols

    @cached_property
    def counts(self) -> Operations:
        """What is left in the body, per neuron and step, by kind.

        A value read once counts where it is read, as compilers take it.
        """
        return count(_read_once_inlined(self["step"].statements, self["step"].stores))

    @property
    def operations(self) -> int:
        """Arithmetic operations, comparisons and function calls left in the body, per neuron and step."""
        return self.counts.total

    @property
    def bytes_per_step(self) -> int:
        """Bytes that a neuron-step moves when one step is made a call.

        States read and written, inputs, per-neuron values and the spike flag.
        """
        size = 4 if self.dtype == "float32" else 8
        words = 2 * len(self.step.states) + len(self.step.model.inputs) + len(self.deltas) + len(self.per_neuron)
        return words * size + (1 if self.spikes else 0) + (8 if self.keeps_times else 0)


@dataclass(frozen=True)
class Choices:
    """What shapes a kernel beside its step, every name one of the model's; attributes as of :class:`Kernel`."""

    per_neuron: tuple[str, ...]
    deltas: tuple[str, ...]
    noisy_inputs: tuple[str, ...]
    timed_inputs: tuple[Statement, ...]
    counted_inputs: tuple[str, ...]
    delivered_inputs: tuple[str, ...]
    wanted: tuple[str, ...]


def as_written(step: Step) -> Operations:
    """The operations of a step as derived: every update inlined, nothing shared, nothing computed outside the loop."""
    short = step.short_updates
    expressions = list(short.values())
    for event in step.events:
        if event.hold:
            held = [f.where(event.hold.condition, symbol("old"), symbol("new"))]
            expressions += held * len(event.hold.states) or [event.hold.condition]
        expressions.append(event.happens({state: symbol(f"present {state}") for state in step.states}))
        expressions += [f.where(event.symbol, reset.expression, symbol("new")) for reset in event.resets]
    for arrive in step.arrivals:
        expressions += [f.where(arrive.condition, a.expression, symbol("new")) for a in arrive.assignments]
    long = [step.new_value(i) for i, state in enumerate(step.states) if state.name not in short]
    counted: dict[sp.Symbol, Operations] = {}
    for assignment in step.assignments if long else ():
        counted[assignment.symbol] = count([assignment.expression], counted)
    return count([*expressions, *long], counted)


def build_kernel(
    step: Step,
    dtype: str = "float32",
    per_neuron: Iterable[str] = (),
    deltas: Iterable[str] = (),
    noisy_inputs: Iterable[str] = (),
    timed_inputs: Iterable[tuple[str, str]] = (),
    counted_inputs: Iterable[str] = (),
    delivered_inputs: Iterable[str] = (),
    training: Training | None = None,
    wanted: Iterable[str] = (),
) -> Kernel:
    """Place the statements of a step.

    Parameters
    ----------
    step : Step
    dtype : {"float32", "float64"}
    per_neuron : iterable of str
        Parameters that have one value per neuron; all others have one for the population.
    deltas : iterable of str
        States that receive an instantaneous input, added after integration.
    noisy_inputs : iterable of str
        Inputs to which normal variates are added in the kernel.
    timed_inputs : iterable of (str, str)
        Inputs that the kernel computes from time, each with the text of its form.
    counted_inputs, delivered_inputs : iterable of str
        Inputs for which Poisson counts are drawn in the kernel, and those to which it delivers spikes.
    training : Training, optional
        How gradients pass through spikes, where steps are to be gone back through.
    wanted : iterable of str
        Inputs, ``<state>_delta`` and parameters whose gradients are due then, beside those of the states.

    Raises
    ------
    ValueShapeError
        For a name that is no parameter or state, or another dtype.
    """
    of_inputs = noisy_inputs, timed_inputs, counted_inputs, delivered_inputs
    chosen = read_choices(step, dtype, per_neuron, deltas, *of_inputs, wanted)
    placements = _placements(step, chosen.per_neuron, chosen.deltas)
    placer = Placer(placements, Namer(s.name for s in (*placements, *step.times)))
    writer = StepWriter(step, chosen.deltas, placer)
    ranges = _placed_bounds(step, placer)
    adjoint = None if training is None else derive_adjoint(step, training, chosen.deltas, wanted)
    procedures, short = _procedures(writer, ranges, dtype, adjoint)
    return Kernel(
        step,
        dtype,
        chosen.per_neuron,
        chosen.deltas,
        MappingProxyType(procedures),
        chosen.noisy_inputs,
        short,
        chosen.timed_inputs,
        chosen.counted_inputs,
        chosen.delivered_inputs,
        training,
        chosen.wanted,
        None if adjoint is None else bars_of(adjoint),
    )


def read_choices(
    step: Step,
    dtype: str,
    per_neuron: Iterable[str],
    deltas: Iterable[str],
    noisy_inputs: Iterable[str],
    timed_inputs: Iterable[tuple[str, str]],
    counted_inputs: Iterable[str],
    delivered_inputs: Iterable[str],
    wanted: Iterable[str],
) -> Choices:
    """The choices of :func:`build_kernel` in the model's order, after a look at each; it raises what that raises."""
    model = step.model
    _check_choice("dtype", [dtype], tuple(FORMATS))
    jumped = _chosen("deltas", deltas, model.states)
    inputs = (*model.inputs, *(f"{s}_delta" for s in jumped))
    return Choices(
        _chosen("per_neuron", per_neuron, tuple(model.parameters)),
        jumped,
        _chosen("noisy inputs", noisy_inputs, inputs),
        tuple(_timed(name, text) for name, text in timed_inputs),
        _chosen("Poisson inputs", counted_inputs, inputs),
        _chosen("spike inputs", delivered_inputs, inputs),
        _chosen("gradients", wanted, (*inputs, *model.parameters)),
    )


def _procedures(
    writer: StepWriter,
    ranges: list[ShortArgument],
    dtype: str,
    adjoint: Adjoint | None,
) -> tuple[dict[str, Procedure], tuple[ShortArgument, ...]]:
    """The kernel's procedures, without statements that nothing reads, and the checked arguments that are left."""
    step, placer = writer.step, writer.placer
    keep = {event.symbol for event in step.events} | {NO_SPIKE.symbol, WATCHED}
    sharer = Sharer(placer.namer, named_definitions(step), dtype)
    body, stores = share(alive(writer.statements, writer.stores, keep), writer.stores, sharer)
    called = {call.args[0] for s in (*body, *stores) for call in s.expression.atoms(f.phi1, f.phi2)}
    short = tuple(s for s in ranges if s.argument in called & {statement.symbol for statement in body})
    body = tuple(_with_ranged_phi1(s, short) for s in body)
    back = Back() if adjoint is None else write_back(adjoint, placer, dtype, [s.argument for s in short])
    located = {} if step.location is None else write_location(step, writer.jumped, placer, dtype)
    placer.placements[T] = Placement.STEP
    search = [s for part in located.values() for statements in part for s in statements]
    back_clock = alive(placer.lists[Placement.STEP], back.everything)
    loop = [*body, *stores]
    bounds = [Statement(s.argument, s.at_bound, Kind.REAL) for s in short]  # read when the constants are derived
    clock = alive(placer.lists[Placement.STEP], loop)
    everything = [*loop, *clock, *back.everything, *back_clock, *search]
    prepare = alive(placer.lists[Placement.NEURON], everything)
    constants = alive(placer.lists[Placement.UNIFORM], [*everything, *prepare, *bounds])
    guard, guarded, rest = _in_parts(body, stores, keep, short)
    parts: dict[str, tuple[Iterable[Statement], Iterable[Store]]] = {
        "constants": (constants, ()),
        "prepare": (prepare, ()),
        "clock": (clock, ()),
        "guard": (guard, guarded),
        "step": (body, stores),
        "rest": (rest, stores),
        "back": (back.statements, back.stores),
        "back_guard": (back.guard, back.guarded),
        "back_rest": (back.rest, back.stores),
        "back_clock": (back_clock, ()),
        **located,
        **{f"on_{name}": ((), assigned) for name, assigned in writer.on_event.items()},
    }
    known = _known(placer.placements, [s for statements, _ in parts.values() for s in statements])
    if step.period is not None:
        known[REFRACTORY] = Kind.CONDITION, Placement.BOTH
    conditions = [IS_HELD, *(event.symbol for event in step.events), *(excluded(event.name) for event in step.events)]
    known |= dict.fromkeys(conditions, (Kind.CONDITION, Placement.BOTH))
    known |= {store.symbol: (Kind.REAL, Placement.BOTH) for store in (*guarded, *back.guarded)}
    return {name: make_procedure(*part, known) for name, part in parts.items()}, short


def _in_parts(
    body: Iterable[Statement], stores: Iterable[Store], keep: Collection[sp.Symbol], short: tuple[ShortArgument, ...]
) -> tuple[tuple[Statement, ...], list[Store], tuple[Statement, ...]]:
    """The first of a step's two parts, with what it stores, and the statements of the second."""
    body = tuple(body)
    read = set().union(*(s.expression.atoms(phi1_ranged, phi2_ranged) for s in body)) if short else set()
    values = {call: value for call, value in _ranged(short).values() if call in read}
    guarded = [Store(value, call, Kind.REAL) for call, value in values.items()]
    rest = (replace(s, expression=s.expression.xreplace(values)) for s in body)
    return alive(body, guarded), guarded, alive(rest, stores, keep)


def _known(
    placements: Mapping[sp.Symbol, Placement], statements: Iterable[Statement]
) -> dict[sp.Symbol, tuple[Kind, Placement]]:
    """Kind and placement of everything that a procedure may read."""
    kinds = {s.symbol: s.kind for s in statements}
    known = {symbol: (kinds.get(symbol, Kind.REAL), placement) for symbol, placement in placements.items()}
    period = placements.get(TAU_REF, Placement.UNIFORM)
    return known | {
        STEP_NOW: (Kind.STEP, Placement.STEP),
        STEP_NEXT: (Kind.STEP, Placement.STEP),
        TIME_NOW: (Kind.TIME, Placement.STEP),
        PERIOD: (Kind.TIME, period),
        LAST_SPIKE: (Kind.TIME, Placement.BOTH),
        RELEASE: (Kind.STEP, Placement.BOTH),
    }


def _placements(step: Step, per_neuron: Collection[str], jumped: Iterable[str]) -> dict[sp.Symbol, Placement]:
    """Where what a step is given changes: parameters, time, and all that each neuron has its own of in every step."""
    placements = {symbol(p): Placement.NEURON if p in per_neuron else Placement.UNIFORM for p in step.model.parameters}
    placements.update({DT: Placement.UNIFORM, T: Placement.STEP})
    varying = [
        *step.states,
        *(symbol(i) for i in step.model.inputs),
        *(n.xi for n in step.noise),
        *(symbol(f"{s}_delta") for s in jumped),
        *(event.symbol for event in step.events),
        REFRACTORY,
        SINCE_SPIKE,
        LAST_SPIKE,
    ]
    placements.update(dict.fromkeys(varying, Placement.BOTH))
    return placements


def _chosen(what: str, chosen: Iterable[str], known: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the known names that are chosen; no other may be."""
    _check_choice(what, chosen, known)
    names = set(chosen)
    return tuple(name for name in known if name in names)


def _timed(name: str, text: str) -> Statement:
    return Statement(symbol(name), lower(parse_expression(text, f"input {name}"), f"input {name}"), Kind.REAL)


def _placed_bounds(step: Step, placer: Placer) -> list[ShortArgument]:
    """Checked arguments of phi1 with one value for all neurons at the threshold, and the statement that computes it."""
    found = []
    for part in short_ranges(step):
        if placer.place(part.at_bound) is Placement.UNIFORM and part.at_bound.free_symbols:
            name = placer.namer.fixed(f"{part.argument.name}_at_threshold")
            placer.owner = name.name
            placer.placements[name] = Placement.UNIFORM
            placer.lists[Placement.UNIFORM].append(Statement(name, placer.hoist(part.at_bound), Kind.REAL))
            found.append(ShortArgument(part.argument, name))
    return found


def _with_ranged_phi1(statement: Statement, short: tuple[ShortArgument, ...]) -> Statement:
    calls = {call: ranged for call, (ranged, _) in _ranged(short).items()}
    return replace(statement, expression=statement.expression.xreplace(calls)) if calls else statement


def _check_choice(what: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    for name in given:
        if not isinstance(name, str) or name not in known:
            raise ValueShapeError(f"{what}: {shown(name)} is not one of {', '.join(known)}{suggest(name, known)}")


def _read_once_inlined(body: Iterable[Statement], stores: Iterable[Statement]) -> list[Any]:
    """The expressions of statements; those of the body that are read once stand in their reader's place."""
    uses = Counter(part for s in (*body, *stores) for part in sp.preorder_traversal(s.expression) if part.is_Symbol)
    inlined: dict[sp.Symbol, Any] = {}
    kept: list[Any] = []
    for statement in body:
        value = statement.expression.xreplace(inlined)
        if uses[statement.symbol] == 1:
            inlined[statement.symbol] = value
        else:
            kept.append(value)
    return [*kept, *(s.expression.xreplace(inlined) for s in stores)]
