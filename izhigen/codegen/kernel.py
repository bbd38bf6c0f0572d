"""The kernel: ordered statements, each placed where it is computed least often.

A value that depends on parameters only is computed once a call (once per neuron and call, where a parameter is given
per neuron); one that depends on time only, once a step; the rest in the body, once per neuron and step. Polynomials are
put in Horner form, shared subexpressions get a name of their own, and temporaries are named by what they hold.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cache, reduce
from typing import Any

import sympy as sp
from sympy.logic.boolalg import Boolean

from izhigen.codegen.economy import Plan, economical, horner, is_only_added, shared_powers
from izhigen.codegen.formats import FORMATS
from izhigen.codegen.naming import Namer
from izhigen.codegen.operations import Operations, count
from izhigen.derive import functions as f
from izhigen.derive.lowering import DT, T, lower, symbol
from izhigen.derive.ranges import short_ranges
from izhigen.derive.singularities import remove_singularities
from izhigen.derive.step import Step
from izhigen.derive.system import algebraic_definitions
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.model.expressions import parse_expression


class Placement(enum.Flag):
    """What a value varies with."""

    UNIFORM = 0
    NEURON = enum.auto()
    STEP = enum.auto()
    BOTH = NEURON | STEP


class Kind(enum.Enum):
    """The type of a value: a number of the kernel's dtype, or a condition."""

    REAL = "real"
    CONDITION = "condition"


@dataclass(frozen=True)
class Statement:
    """``symbol = expression``, computed once where it is placed."""

    symbol: sp.Symbol
    expression: Any
    kind: Kind


class phi1_ranged(f.OwnFunction):
    """phi1 of an argument that the kernel checks."""


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
    uniform, neuron, per_step, body : tuple of Statement
        Statements by placement.
    stores : tuple of Statement
        New value of each state at the end of the step.
    noisy_inputs : tuple of str
        Inputs to which normal variates are added in the kernel.
    short : tuple of ShortArgument
        Arguments of phi1 that are checked, so that its short form serves.
    guard : tuple of Statement
        The statements of the body that compute those arguments.
    timed_inputs : tuple of Statement
        Inputs that are computed from time once a call: expressions of t, k and c0, c1, ..., in double precision.
    counted_inputs, event_inputs : tuple of str
        Inputs for which Poisson counts are drawn in the kernel, and those to which it delivers spikes.
    """

    step: Step
    dtype: str
    per_neuron: tuple[str, ...]
    deltas: tuple[str, ...]
    uniform: tuple[Statement, ...]
    neuron: tuple[Statement, ...]
    per_step: tuple[Statement, ...]
    body: tuple[Statement, ...]
    stores: tuple[Statement, ...]
    noisy_inputs: tuple[str, ...] = ()
    short: tuple[ShortArgument, ...] = ()
    guard: tuple[Statement, ...] = ()
    timed_inputs: tuple[Statement, ...] = ()
    counted_inputs: tuple[str, ...] = ()
    event_inputs: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """All inputs, those that jump a state last."""
        return (*self.step.model.inputs, *(f"{state}_delta" for state in self.deltas))

    @property
    def spikes(self) -> bool:
        """Whether the model has a threshold."""
        return self.step.threshold is not None

    @property
    def uniform_parameters(self) -> tuple[str, ...]:
        """Parameters with one value for all neurons."""
        return tuple(p for p in self.step.model.parameters if p not in self.per_neuron)

    @property
    def refractory(self) -> bool:
        """Whether the model has a refractory period."""
        return self.step.model.refractory is not None

    @property
    def statements(self) -> tuple[Statement, ...]:
        """All statements, outermost first."""
        return self.uniform + self.neuron + self.per_step + self.body + self.stores

    @property
    def counts(self) -> Operations:
        """What is left in the body, per neuron and step, by kind; a value read once counts where it is read, as
        compilers take it.
        """
        return count(_read_once_inlined(self.body, self.stores))

    @property
    def operations(self) -> int:
        """Arithmetic operations, comparisons and function calls left in the body, per neuron and step."""
        return self.counts.total

    @property
    def bytes_per_step(self) -> int:
        """Bytes a neuron-step moves when one step is made a call: states read and written, inputs, per-neuron values,
        spike flag.
        """
        size = 4 if self.dtype == "float32" else 8
        words = 2 * len(self.step.states) + len(self.step.model.inputs) + len(self.deltas) + len(self.per_neuron)
        return words * size + (1 if self.spikes else 0) + (16 if self.refractory else 0)


SPIKE = symbol("spike")
REFRACTORY = symbol("refractory")
LAST_SPIKE = symbol("t_last_spike")
TAU_REF = symbol("tau_ref")


def as_written(step: Step) -> Operations:
    """The operations of a step as derived: every update inlined, nothing shared, nothing computed outside the loop."""
    short = step.short_updates
    expressions = list(short.values())
    if step.model.refractory:
        expressions.append(f.where(sp.Le(T - LAST_SPIKE, TAU_REF, evaluate=False), symbol("old"), symbol("new")))
    if step.threshold is not None:
        expressions.append(step.threshold)
    expressions += [f.where(SPIKE, reset.expression, symbol("new")) for reset in step.resets]
    long = [step.new_value(i) for i, state in enumerate(step.states) if state.name not in short]
    counted: dict[sp.Symbol, Operations] = {}
    for assignment in step.assignments if long else ():
        counted[assignment.symbol] = count([assignment.expression], counted)
    return count([*expressions, *long], counted)


class _Placer:
    """Builds the statement lists; the only mutable helper, alive during :func:`build_kernel`."""

    def __init__(self, placements: dict[sp.Symbol, Placement], namer: Namer) -> None:
        self.placements, self.namer = placements, namer
        self.lists: dict[Placement, list[Statement]] = {
            p: [] for p in (Placement.UNIFORM, Placement.NEURON, Placement.STEP)
        }
        self.hoisted: dict[Any, sp.Symbol] = {}
        self.owner = ""

    def place(self, expression: Any) -> Placement:
        """What an expression varies with."""
        return reduce(lambda p, s: p | self.placements[s], expression.free_symbols, Placement.UNIFORM)

    def hoist(self, expression: Any) -> Any:
        """The expression with every part that varies less than the whole replaced by a statement of its own."""
        if not expression.args:
            return expression
        level = self.place(expression)
        if expression.is_Add or expression.is_Mul:
            return self._hoist_operands(expression, level)
        return expression.func(*(self._operand(a, level) for a in expression.args))

    def _operand(self, part: Any, level: Placement) -> Any:
        return self.hoist(part) if self.place(part) == level else self.named(part)

    def _hoist_operands(self, expression: Any, level: Placement) -> Any:
        operation = expression.func
        groups: dict[Placement, list[Any]] = {}
        for part in expression.args:
            groups.setdefault(self.place(part), []).append(part)
        uniform = groups.pop(Placement.UNIFORM, [])
        sign = sp.S.One
        if expression.is_Mul and uniform and uniform[0].is_Number and uniform[0].is_negative:
            sign, uniform = sp.S.NegativeOne, ([-uniform[0]] if uniform[0] != -1 else []) + uniform[1:]
        if level is Placement.UNIFORM:
            return sign * operation(*(self.hoist(p) for p in uniform))
        kept = [self.hoist(p) for p in groups.pop(level, [])]
        lower = [p for p in (Placement.NEURON, Placement.STEP) if p in groups]
        if lower:
            groups[lower[0]] = uniform + groups[lower[0]]
            uniform = []
        parts = [operation(*groups[p]) for p in lower] + ([operation(*uniform)] if uniform else [])
        return sign * operation(*(self.named(p) for p in parts), *kept)

    def named(self, expression: Any) -> Any:
        """A symbol that stands for the expression, computed once at its own placement."""
        if not expression.args or (
            expression.is_Mul and expression.args[0] == -1 and len(expression.args) == 2 and not expression.args[1].args
        ):
            return expression
        level = self.place(expression)
        if level is Placement.BOTH:
            return self.hoist(expression)
        if expression not in self.hoisted:
            value = self.hoist(expression)
            name = self.namer.temporary(expression, self.owner)
            self.placements[name] = level
            self.hoisted[expression] = name
            self.lists[level].append(Statement(name, value, kind_of(expression)))
        return self.hoisted[expression]


def kind_of(expression: Any) -> Kind:
    """Whether an expression is a condition or a number."""
    return Kind.CONDITION if isinstance(expression, Boolean) and not expression.is_Symbol else Kind.REAL


def build_kernel(
    step: Step,
    dtype: str = "float32",
    per_neuron: Iterable[str] = (),
    deltas: Iterable[str] = (),
    noisy_inputs: Iterable[str] = (),
    timed_inputs: Iterable[tuple[str, str]] = (),
    counted_inputs: Iterable[str] = (),
    event_inputs: Iterable[str] = (),
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
    counted_inputs, event_inputs : iterable of str
        Inputs for which Poisson counts are drawn in the kernel, and those to which it delivers spikes.

    Raises
    ------
    ValueShapeError
        For a name that is no parameter or state, or another dtype.
    """
    model = step.model
    _check_choice("per_neuron", per_neuron, tuple(model.parameters))
    _check_choice("deltas", deltas, model.states)
    _check_choice("dtype", [dtype], tuple(FORMATS))
    neuron_parameters = tuple(p for p in model.parameters if p in set(per_neuron))
    jumped = tuple(s for s in model.states if s in set(deltas))
    placements = _placements(step, neuron_parameters, jumped)
    namer = Namer(s.name for s in placements)
    placer = _Placer(placements, namer)
    body, stores = _body(step, jumped, placer)
    ranges = _placed_bounds(step, placer)
    shared_body, shared_stores = _share(_alive(body, stores), stores, _Sharer(namer, named_definitions(step), dtype))
    short = tuple(s for s in ranges if s.argument in {statement.symbol for statement in shared_body})
    shared_body = tuple(_with_ranged_phi1(s, short) for s in shared_body)
    loop = [*shared_body, *shared_stores]
    bounds = [Statement(s.argument, s.at_bound, Kind.REAL) for s in short]  # read when the constants are derived
    per_step = _alive(placer.lists[Placement.STEP], loop)
    neuron = _alive(placer.lists[Placement.NEURON], loop)
    uniform = _alive(placer.lists[Placement.UNIFORM], [*loop, *per_step, *neuron, *bounds])
    inputs = (*model.inputs, *(f"{s}_delta" for s in jumped))
    return Kernel(
        step,
        dtype,
        neuron_parameters,
        jumped,
        tuple(uniform),
        tuple(neuron),
        tuple(per_step),
        shared_body,
        shared_stores,
        _chosen("noisy inputs", noisy_inputs, inputs),
        short,
        _guard(shared_body, short),
        tuple(_timed(name, text) for name, text in timed_inputs),
        _chosen("Poisson inputs", counted_inputs, inputs),
        _chosen("spike inputs", event_inputs, inputs),
    )


def _placements(step: Step, per_neuron: Collection[str], jumped: Iterable[str]) -> dict[sp.Symbol, Placement]:
    """Where what a step is given changes: parameters, time, and all that each neuron has its own of in every step."""
    placements = {symbol(p): Placement.NEURON if p in per_neuron else Placement.UNIFORM for p in step.model.parameters}
    placements.update({DT: Placement.UNIFORM, T: Placement.STEP})
    varying = [
        *step.states,
        *(symbol(i) for i in step.model.inputs),
        *(n.xi for n in step.noise),
        *(symbol(f"{s}_delta") for s in jumped),
        REFRACTORY,
        SPIKE,
        LAST_SPIKE,
    ]
    placements.update(dict.fromkeys(varying, Placement.BOTH))
    return placements


def _guard(body: tuple[Statement, ...], short: tuple[ShortArgument, ...]) -> tuple[Statement, ...]:
    """The statements that the arguments of the short forms depend on."""
    if not short:
        return ()
    checked = [Statement(s.at_bound, s.argument, Kind.REAL) for s in short]
    return tuple(_alive([s for s in body if s.symbol not in (SPIKE, REFRACTORY)], checked, keep=()))


def _chosen(what: str, chosen: Iterable[str], inputs: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the inputs that are chosen, which must be among them."""
    _check_choice(what, chosen, inputs)
    names = set(chosen)
    return tuple(i for i in inputs if i in names)


def _timed(name: str, text: str) -> Statement:
    return Statement(symbol(name), lower(parse_expression(text, f"input {name}"), f"input {name}"), Kind.REAL)


def _placed_bounds(step: Step, placer: _Placer) -> list[ShortArgument]:
    """The checked arguments of phi1 whose value at the threshold is one for all neurons, with the statement that
    computes it.
    """
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
    calls = {f.phi1(s.argument): phi1_ranged(s.argument) for s in short}
    return replace(statement, expression=statement.expression.xreplace(calls)) if calls else statement


def _check_choice(what: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    for name in given:
        if not isinstance(name, str) or name not in known:
            raise ValueShapeError(f"{what}: {shown(name)} is not one of {', '.join(known)}{suggest(name, known)}")


def _body(step: Step, jumped: tuple[str, ...], placer: _Placer) -> tuple[list[Statement], list[Statement]]:
    """The statements of one neuron-step in order: integrate, jump, hold, compare, reset."""
    body: list[Statement] = []
    renamed: dict[sp.Symbol, sp.Symbol] = {}

    def add(wanted: str, expression: Any, at: Callable[[Any], Any] = lambda e: e) -> sp.Symbol:
        placer.owner = wanted
        value = placer.hoist(horner(at(expression).xreplace(renamed), step.states))
        level = placer.place(value)
        name = placer.namer.fixed(wanted)
        placer.placements[name] = level
        target = body if level is Placement.BOTH else placer.lists[level]
        target.append(Statement(name, value, kind_of(value)))
        return name

    if step.model.refractory:
        condition = sp.Le(T - LAST_SPIKE, TAU_REF, evaluate=False)
        body.append(Statement(REFRACTORY, condition, Kind.CONDITION))
    plan = _plan(step, placer.placements)
    for assignment in plan.assignments:
        renamed[assignment.symbol] = add(assignment.symbol.name, assignment.expression)
    new: dict[sp.Symbol, sp.Symbol] = {}
    for state, value in zip(step.states, plan.increments):
        if state.name in jumped:
            value = value + symbol(f"{state.name}_delta")
        if value.is_Add:  # the increment is summed first and added to the state once, which matters in float32
            value = add(f"d{state.name}", value)
        value = state + value
        if step.model.refractory and step.model.refractory.state == state.name:
            value = f.where(REFRACTORY, state, value)
        new[state] = add(f"{state.name}_new", value)
        placer.placements[new[state]] = Placement.BOTH
    stores = {state: new[state] for state in step.states}
    if step.threshold is not None:
        placer.owner = "threshold"
        body.append(Statement(SPIKE, placer.hoist(step.threshold.xreplace(new)), Kind.CONDITION))
        for reset in step.resets:
            placer.owner = f"reset_{reset.symbol.name}"
            value = placer.hoist(horner(reset.expression.xreplace(new), list(new.values())))
            stores[reset.symbol] = f.where(SPIKE, value, new[reset.symbol])
    return body, [Statement(state, value, Kind.REAL) for state, value in stores.items()]


def _plan(step: Step, placements: dict[sp.Symbol, Placement]) -> Plan:
    """The step's statements after the rules of :mod:`izhigen.codegen.economy`."""
    levels = dict(placements)

    @cache
    def place(expression: Any) -> Placement:
        return reduce(lambda p, s: p | levels.get(s, Placement.BOTH), expression.free_symbols, Placement.UNIFORM)

    for assignment in step.assignments:
        levels[assignment.symbol] = place(assignment.expression)
    return economical(
        step, named_definitions(step), lambda e: place(e) is not Placement.BOTH, lambda e: place(e) is Placement.NEURON
    )


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


def _alive(
    statements: list[Statement], readers: list[Statement], keep: tuple[sp.Symbol, ...] = (SPIKE, REFRACTORY)
) -> list[Statement]:
    """The statements that something later reads (a stage of a state that no right-hand side reads is not one), and
    those to keep.
    """
    needed = set(keep).union(*(s.expression.free_symbols for s in readers))
    kept: list[Statement] = []
    for statement in reversed(statements):
        if statement.symbol in needed:
            kept.append(statement)
            needed |= statement.expression.free_symbols
    return kept[::-1]


def named_definitions(step: Step) -> dict[Any, str]:
    """Algebraic lines by their value, so that a shared subexpression that is one carries the user's name."""
    definitions = algebraic_definitions(step.model)
    return {remove_singularities(value): name for name, value in definitions.items() if value.args}


@dataclass(frozen=True)
class _Sharer:
    """Names repeated subexpressions."""

    namer: Namer
    known: dict[Any, str]
    dtype: str

    def name(self, value: Any, inlined: Any) -> sp.Symbol:
        """The user's own name for a value where there is one, else one that spells it."""
        if inlined in self.known:
            return self.namer.fixed(self.known[inlined])
        return self.namer.temporary(value, "shared")


def _is_negated_symbol(value: Any) -> bool:
    return bool(value.is_Mul and len(value.args) == 2 and value.args[0] == -1 and value.args[1].is_Symbol)


def _in_order(definitions: list[tuple[sp.Symbol, Any]]) -> list[tuple[sp.Symbol, Any]]:
    """Definitions sorted so that each reads only what stands before it."""
    waiting = dict(definitions)
    ordered: list[tuple[sp.Symbol, Any]] = []
    while waiting:
        ready = [name for name, value in waiting.items() if not value.free_symbols & waiting.keys()]
        ordered += [(name, waiting.pop(name)) for name in ready]
    return ordered


def _is_one_product(value: Any) -> bool:
    return bool(value.is_Mul and len(value.args) == 2 and not any(a.args for a in value.args))


def _share(
    body: list[Statement], stores: list[Statement], sharer: _Sharer
) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Give every repeated subexpression of the body a statement before its first use."""
    everything = body + stores
    temporaries = sp.numbered_symbols("shared_expression_", real=True)
    powers, plain = shared_powers(
        [s.expression for s in everything if s.symbol != REFRACTORY], lambda: next(temporaries), sharer.dtype
    )
    found, reduced = sp.cse([*powers.values(), *plain], symbols=temporaries)
    replacements = _in_order([*found, *zip(powers, reduced)])
    reduced = reduced[len(powers) :]
    readers = [*(e for _, e in replacements), *reduced]
    renamed: dict[sp.Symbol, Any] = {}
    inlined: dict[sp.Symbol, Any] = {}
    definitions: dict[sp.Symbol, Any] = {}
    for temporary, raw in replacements:
        value = raw.xreplace(renamed)
        inlined[temporary] = raw.xreplace(inlined)
        if _is_negated_symbol(value) or (_is_one_product(value) and is_only_added(temporary, readers)):
            renamed[temporary] = value
            continue
        renamed[temporary] = sharer.name(value, inlined[temporary])
        definitions[renamed[temporary]] = value
    values = iter(reduced)
    new_body: list[Statement] = []
    new_stores: list[Statement] = []
    placed: set[sp.Symbol] = set()

    def place(expression: Any) -> None:
        read = expression.free_symbols & definitions.keys() - placed
        for name in definitions if read else ():
            if name in read and name not in placed:
                place(definitions[name])
                placed.add(name)
                new_body.append(Statement(name, definitions[name], kind_of(definitions[name])))

    for index, statement in enumerate(everything):
        value = statement.expression if statement.symbol == REFRACTORY else next(values).xreplace(renamed)
        place(value)
        (new_body if index < len(body) else new_stores).append(Statement(statement.symbol, value, statement.kind))
    return tuple(new_body), tuple(new_stores)
