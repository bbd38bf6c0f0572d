"""From the blocks of a NESTML neuron to a declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np

from izhigen.errors import EquationError, ModelError, shown, suggest
from izhigen.importers import nestml_kernels as kernels_of
from izhigen.importers.coherent import NAMED, unit_text
from izhigen.importers.nestml_expressions import MILLISECOND, Expressions, Report, declared_unit
from izhigen.importers.nestml_handlers import Effects, Lines
from izhigen.importers.nestml_kernels import KernelState, plain_name
from izhigen.importers.nestml_syntax import (
    Assignment,
    Call,
    Comparison,
    Declaration,
    Definition,
    Handler,
    Kernel,
    Name,
    Neuron,
    Node,
    Number,
    Place,
    Product,
    Sum,
    walk,
)
from izhigen.importers.nestml_syntax import Unit as WrittenUnit
from izhigen.importers.nestml_terms import Term, named, wrapped
from izhigen.importers.nestml_update import INTEGRATE, Update, calls, read_update, reads
from izhigen.model.checking import ALL, INTERFACE_NAMES, SPIKE_FIGURES
from izhigen.model.events import Event
from izhigen.model.expressions import check_name, parse_expression
from izhigen.model.functions import RESERVED
from izhigen.model.model import Declaration as ModelDeclaration
from izhigen.units.dimensions import PLAIN, Unit

D = TypeVar("D", bound=ModelDeclaration)
_TAKEN = INTERFACE_NAMES | RESERVED | {*SPIKE_FIGURES, ALL, "refractory", "t_last_spike"}
_PER_SECOND = Term(PLAIN / MILLISECOND, Fraction(1, 1000), {"ms": Fraction(-1)})
"""A spike of weight 1 in the unit of a port."""


@dataclass(frozen=True)
class Variable:
    """A declared name.

    Attributes
    ----------
    term : Term
        What it stands for.
    unit : Unit
        In the coherent system.
    unit_text : str
        The unit as a model writes it.
    place : Place
    value : Node or None
    """

    term: Term
    unit: Unit
    unit_text: str
    place: Place
    value: Node | None


class NeuronReader:
    """Builds the declaration of one neuron.

    Parameters
    ----------
    neuron : Neuron
        Its blocks.
    """

    def __init__(self, neuron: Neuron) -> None:
        self._neuron, self._report = neuron, Report()
        self._kernels = {kernels_of.kernel_name(kernel): kernel for kernel in neuron.kernels}
        self._spike_ports = tuple(port.name for port in neuron.ports if port.unit is None)
        functions = {function.name: function for function in neuron.functions}
        self._expressions = Expressions(functions, self._convolved, self._report)
        self._convolutions: dict[tuple[str, str], tuple[KernelState, ...]] = {}
        self._of_kernels = kernels_of.own_states(neuron.kernels)
        self._states: dict[str, Variable] = {}
        self._parameters: dict[str, Variable] = {}
        self._internals: dict[str, Variable] = {}
        self._inputs: dict[str, Variable] = {}
        self._kernel_initial: dict[str, Variable] = {}
        self._inlines = {line.name: line for line in neuron.equations if line.unit is not None}
        self._inline_variables: dict[str, Variable] = {}
        self._odes = {line.name.rstrip("'"): line for line in neuron.equations if line.unit is None}
        self._jumps: dict[str, dict[str, list[Term]]] = {}
        self._update = Update()
        self._numbers: dict[str, float] = {}
        self._flag: tuple[str, Node] | None = None
        self._read: set[str] = set()

    def build(self, kind: type[D]) -> tuple[D, tuple[str, ...]]:
        """The model, and what was decided on the way.

        Raises
        ------
        ModelError
            With file, line and column.
        """
        self._declare()
        neuron = self._neuron
        if not self._odes:
            raise neuron.place.error(f"model {neuron.name} has no differential equation, and a model here is made of them")
        self._update = read_update(neuron.update, tuple(self._odes), self._spike_ports)
        self._check_update()
        self._make_flag()
        equations = [*self._line_texts(), *self._ode_texts()]
        on_event, events = self._happenings()
        initial = self._initial()
        equations += self._internal_texts()
        parameters, units = self._parameter_values()
        try:
            model = kind(
                self._neuron.name,
                "\n".join(equations),
                parameters=parameters,
                inputs=list(self._inputs),
                initial=initial,
                events=events,
                on_event=on_event,
                units=units | dict.fromkeys(on_event, "1"),
                strict_units=True,
                description=f"NESTML's {neuron.name}",
            )
        except (ModelError, EquationError) as problem:
            raise ModelError(f"{neuron.place.file}, model {neuron.name}: {problem}") from None
        return model, self._report.lines

    # -- names --------------------------------------------------------------------------------------------------------

    def _declare(self) -> None:
        """Give every declared name its unit and what it stands for here."""
        neuron = self._neuron
        for declaration in neuron.states:
            for name in declaration.names:
                self._add(self._kernel_initial if name in self._of_kernels else self._states, name, declaration)
        for block, into in ((neuron.parameters, self._parameters), (neuron.internals, self._internals)):
            for declaration in block:
                for name in declaration.names:
                    self._add(into, name, declaration)
                if declaration.invariant is not None:
                    self._report.say(declaration.place, f"the bound of {declaration.names[0]} in [[...]] is not kept watch on")
        for line in self._inlines.values():
            assert line.unit is not None
            self._add(self._inline_variables, line.name, Declaration(line.place, (line.name,), line.unit, line.value))
        for port in neuron.ports:
            if port.unit is not None:
                self._add(self._inputs, port.name, Declaration(port.place, (port.name,), port.unit, None))
            else:
                self._check_free(port.name, port.place)
        for name, line in self._odes.items():
            for lower in kernels_of.lower_derivatives(line):
                if lower not in self._states:
                    raise line.place.error(f"{lower} has an equation and no value in the state block{suggest(lower, self._states)}")
            if line.order == 0:
                raise line.place.error(f"{name} is no derivative; write {name}' = ..., or 'inline {name} <unit> = ...'")

    def _check_free(self, name: str, place: Place) -> None:
        known = (self._states, self._parameters, self._internals, self._inline_variables, self._inputs, self._kernel_initial)
        if any(name in names for names in known):
            raise place.error(f"{shown(name)} is declared twice; rename one of them")

    def _add(self, into: dict[str, Variable], name: str, declaration: Declaration) -> None:
        self._check_free(name, declaration.place)
        own = plain_name(name)
        if own in _TAKEN or own in NAMED:
            self._report.say(declaration.place, f"{name} is called {own}_ here, as {own} means something else")
            own = f"{own}_"
        try:
            check_name(own, f"{declaration.place.file}, line {declaration.place.line}")
        except EquationError as problem:
            raise ModelError(str(problem)) from None
        is_truth = str(declaration.unit) == "boolean"
        if str(declaration.unit) in ("string", "void"):
            raise declaration.place.error(f"{name} is of type {declaration.unit}; what a model has are numbers and truth values")
        unit, text = declared_unit(declaration.unit)
        term = named(own, unit, is_truth=is_truth)
        if into is self._parameters and (sign := _infinite(declaration.value)):
            term = Term(unit, infinite=sign)
        into[name] = Variable(term, unit, text, declaration.place, declaration.value)

    def _scope(self, *parts: Mapping[str, Variable]) -> dict[str, Term]:
        return {name: variable.term for part in parts for name, variable in part.items()}

    @property
    def _constants(self) -> dict[str, Term]:
        return self._scope(self._parameters, self._internals)

    @property
    def _everything(self) -> dict[str, Term]:
        """What equations read."""
        return self._constants | self._scope(self._inputs, self._inline_variables, self._states)

    # -- equations ----------------------------------------------------------------------------------------------------

    def _convolved(self, call: Call) -> Term:
        """The state that a ``convolve`` reads."""
        kernel, port = kernels_of.find(call, self._kernels, self._spike_ports)
        if kernels_of.is_delta(kernel):
            raise call.place.error("a delta kernel makes a state jump: write its convolve() as a term of that state's derivative")
        states = self._kernel_states(kernel, port)
        return named(states[0].name, states[0].unit)

    def _kernel_states(self, kernel: Kernel, port: str) -> tuple[KernelState, ...]:
        key = kernels_of.kernel_name(kernel), port
        if key not in self._convolutions:
            initial = {}
            for name, variable in self._kernel_initial.items():
                if variable.value is None:
                    raise variable.place.error(f"the kernel's {name} has no value")
                value = self._expressions.finite(variable.value, self._constants)
                initial[name] = self._expressions.converted(value, variable.unit, variable.place, name)
            self._convolutions[key] = kernels_of.states_of(kernel, port, self._expressions, self._constants, initial)
        return self._convolutions[key]

    def _line_texts(self) -> list[str]:
        """Inline expressions as algebraic lines."""
        found = []
        for name, line in self._inlines.items():
            variable = self._inline_variables[name]
            self._check_ports(line.value)
            value = self._expressions.finite(line.value, self._everything)
            text = self._text(self._expressions.converted(value, variable.unit, line.place, name))
            found.append(f"{variable.term.text} = {text} : {variable.unit_text}")
        return found

    def _check_ports(self, node: Node) -> None:
        """Refuse what an equation cannot read: a spike port, and a value that the update block keeps."""
        for part in walk(node):
            inside = isinstance(part, Name) and part.id
            if inside and inside in self._update.kept and inside in self._states:
                raise part.place.error(f"{inside} keeps a value of the step's start, which equations cannot read")
        convolved = {id(a) for part in walk(node) if isinstance(part, Call) and part.function == "convolve" for a in part.arguments}
        for part in walk(node):
            if isinstance(part, Name) and part.id in self._spike_ports and id(part) not in convolved:
                raise part.place.error(f"spikes of {part.id} in an equation; convolve them with a kernel, or write onReceive({part.id})")

    def _ode_texts(self) -> list[str]:
        """Differential equations: those of the file, of kernels, and of states that only events change."""
        found = []
        for name, line in self._odes.items():
            self._check_ports(line.value)
            lower = list(kernels_of.lower_derivatives(line))
            for below, above in zip(lower, lower[1:]):
                due = self._states[below].unit / MILLISECOND
                slope = self._expressions.converted(self._states[above].term, due, line.place, above)
                found.append(self._ode(below, self._gated(slope, name)))
            last = lower[-1]
            value = self._expressions.finite(self._without_deltas(line, name), self._everything)
            due = self._states[last].unit / MILLISECOND
            found.append(self._ode(last, self._gated(self._expressions.converted(value, due, line.place, line.name), name)))
        integrated = {lower for line in self._odes.values() for lower in kernels_of.lower_derivatives(line)}
        for name, (factor, which) in self._update.decays.items():
            found.append(self._ode(name, self._by_branch(self._decay(name, factor), *which)))
            integrated.add(name)
        left = [name for name in self._states if name not in integrated and name not in self._update.kept]
        found += [f"d{self._states[name].term.text}/dt = 0 : {self._states[name].unit_text}" for name in left]
        for states in self._convolutions.values():
            found += [f"d{state.name}/dt = {self._text(state.derivative)} : {unit_text(state.unit)}" for state in states]
        if self._flag is not None:
            found.append(f"d{self._flag[0]}/dt = 0 : 1")
        return found

    def _ode(self, name: str, slope: Term) -> str:
        variable = self._states[name]
        return f"d{variable.term.text}/dt = {self._text(slope)} : {variable.unit_text}"

    def _gated(self, slope: Term, name: str) -> Term:
        """The derivative in the branches in which a state is integrated."""
        return self._by_branch(slope, *(states is None or name in states for states in self._update.integrated))

    def _by_branch(self, slope: Term, first: bool, second: bool) -> Term:
        if first and second:
            return slope
        zero = Term(slope.unit, Fraction(0))
        if self._flag is None or not (first or second):
            return slope if first else zero
        condition = wrapped(f"{self._flag[0]} > 0.5", PLAIN, [named(self._flag[0], PLAIN)], is_condition=True)
        place = self._neuron.place
        return self._expressions.chosen(condition, slope if first else zero, slope if second else zero, place)

    def _decay(self, name: str, factor: Node) -> Term:
        """The derivative of what is multiplied with a factor P in a step: log(P)/dt of it."""
        if reads(factor, (*self._states, *self._inputs, *self._spike_ports, *self._inlines)):
            raise factor.place.error(f"{name} is multiplied with what varies; the factor is to be of parameters and the step")
        inner = factor
        while isinstance(inner, Name) and inner.id in self._internals and self._internals[inner.id].value is not None:
            inner = self._internals[inner.id].value or inner
        if isinstance(inner, Call) and inner.function == "exp" and len(inner.arguments) == 1:
            exponent = self._expressions.finite(inner.arguments[0], self._constants)
            exponent = self._expressions.converted(exponent, PLAIN, inner.place, "the argument of exp()")
        else:
            value = self._expressions.finite(factor, self._constants)
            value = self._expressions.converted(value, PLAIN, factor.place, "the factor")
            exponent = wrapped(f"log({value.text})", PLAIN, [value], binds=True)
        self._report.say(factor.place, f"{name}, which is multiplied with a factor in each step, is a differential equation with that solution")
        return exponent.over(named("dt", MILLISECOND)).times(self._states[name].term)

    def _without_deltas(self, line: Definition, name: str) -> Node:
        """The right-hand side without the terms that convolve a delta, which are noted as jumps of the state."""
        terms = line.value.terms if isinstance(line.value, Sum) else (("+", line.value),)
        left = []
        for sign, term in terms:
            factors = term.factors if isinstance(term, Product) else (("*", term),)
            deltas = [pair for pair in factors if self._is_delta(pair[1])]
            if not deltas:
                left.append((sign, term))
                continue
            rest = tuple(pair for pair in factors if pair is not deltas[0])
            if len(deltas) > 1 or deltas[0][0] != "*" or line.order > 1:
                raise term.place.error("a delta kernel is multiplied with constants, in the first derivative of a state")
            call = deltas[0][1]
            assert isinstance(call, Call)
            port = kernels_of.find(call, self._kernels, self._spike_ports)[1]
            size = self._expressions.finite(Product(term.place, rest) if rest else Number(term.place, Fraction(1)), self._everything)
            jump = size.times(Term(MILLISECOND, units={"ms": Fraction(1)}))
            jump = self._expressions.converted(jump, self._states[name].unit, term.place, "the jump")
            jump = jump.times(named(port, PLAIN))
            gated = self._gated(jump.negative() if sign == "-" else jump, name)
            self._jumps.setdefault(port, {}).setdefault(name, []).append(gated)
        return Sum(line.value.place, tuple(left)) if left else Number(line.value.place, Fraction(0))

    def _is_delta(self, node: Node) -> bool:
        is_call = isinstance(node, Call) and node.function == "convolve"
        return is_call and kernels_of.is_delta(kernels_of.find(node, self._kernels, self._spike_ports)[0])  # type: ignore[arg-type]

    def _kernel_jumps(self) -> dict[str, dict[str, Term]]:
        """What a spike adds at each port: to states of kernels, and to states by delta kernels."""
        found: dict[str, dict[str, Term]] = {}
        for (_, port), states in self._convolutions.items():
            for state in states:
                if not state.jump.is_zero:
                    weight = state.jump.times(named(port, PLAIN))
                    own = named(state.name, state.unit)
                    found.setdefault(port, {})[state.name] = self._expressions.sum_of([own, weight], self._neuron.place)
        for port, jumps in self._jumps.items():
            for name, terms in jumps.items():
                own = self._states[name].term
                found.setdefault(port, {})[own.text] = self._expressions.sum_of([own, *terms], self._states[name].place)
        return found

    # -- what the update block keeps, and its branches ------------------------------------------------------------------

    def _check_update(self) -> None:
        update = self._update
        for statement in update.kept.values():
            names = statement.names if isinstance(statement, Declaration) else (statement.name,)
            for name in names:
                if isinstance(statement, Assignment) and name not in self._states:
                    raise statement.place.error(f"no state {shown(name)}{suggest(name, self._states)}")
                if name in self._odes or name in self._inlines:
                    raise statement.place.error(f"{name} is assigned in each step and has an equation too; keep one")
        for name, (factor, _) in update.decays.items():
            if name not in self._states or name in self._odes:
                raise factor.place.error(f"{name} is multiplied in each step; it is to be a state without an equation")
        for name in (*self._odes, *self._inlines):
            self._check_ports((self._odes.get(name) or self._inlines[name]).value)

    def _make_flag(self) -> None:
        """The state that says which branch of the update block a step takes."""
        guard = self._update.guard
        if guard is None or self._update.integrated[0] == self._update.integrated[1]:
            return
        if reads(guard, (*self._update.kept, *self._inputs, *self._spike_ports, "t")) or calls(guard, "timestep"):
            raise guard.place.error("the branch that integrates is to be chosen by a condition on states")
        condition = self._expressions.condition(guard, self._everything)
        first = next((part.id for part in walk(guard) if isinstance(part, Name) and part.id in self._states), None)
        if first is None:
            raise guard.place.error("the branch that integrates is chosen by what never changes; keep that branch alone")
        flag = f"{self._states[first].term.text}_on"
        self._check_free(flag, guard.place)
        self._flag = flag, guard
        self._report.say(guard.place, f"the branches integrate other states: {flag} is 1 in a step that begins with {condition.text}, else 0")

    def _is_timer(self, on_event: Iterable[str]) -> bool:
        """Whether the branch's condition, once false, becomes true by events alone: ``x > c`` of x that only falls."""
        guard = self._update.guard
        is_bound = isinstance(guard, Comparison) and guard.operator in (">", ">=") and isinstance(guard.left, Name)
        if not is_bound or not isinstance(guard.right, Number) or guard.left.id not in self._odes:
            return False
        slope = self._expressions.finite(self._odes[guard.left.id].value, self._everything)
        return slope.is_number and slope.coefficient < 0 and self._states[guard.left.id].term.text not in on_event

    def _happenings(self) -> tuple[dict[str, dict[str, str]], dict[str, Event]]:
        """What spikes that arrive assign, and events."""
        known = self._everything | self._kept()
        states = {name: variable.term for name, variable in self._states.items() if name not in self._update.kept}
        lines = Lines(self._inlines, known, set(states), self._expressions)
        effects = Effects(lines, states, self._handlers(), self._flag, self._expressions)
        ports = {port: _PER_SECOND.times(named(port, PLAIN)) for port in self._spike_ports}
        arrivals = effects.arrivals(ports, self._kernel_jumps())
        on_event = {port: {name: self._text(term) for name, term in new.items()} for port, new in arrivals.items()}
        assigned = {name for new in arrivals.values() for name in new}
        events = {}
        for name, happening in effects.events(self._is_timer(assigned)).items():
            new = {state: self._text(term) for state, term in happening.assigned.items()}
            events[name] = Event(self._text(happening.condition), new, "level")
        return on_event, events

    def _text(self, term: Term) -> str:
        """A term as text of the model, whose names the model then has to have."""
        self._read |= term.all_names
        return term.text

    def _kept(self) -> dict[str, Term]:
        """What names that keep a value of the step's start stand for in events: ``old(...)`` of it."""
        found = {}
        for name, statement in self._update.kept.items():
            assert statement.value is not None
            value = self._expressions.value(statement.value, self._everything)
            unit = declared_unit(statement.unit)[0] if isinstance(statement, Declaration) else self._states[name].unit
            value = self._expressions.converted(value, unit, statement.place, name)
            if not value.is_number:
                old = wrapped(f"old({value.text})", unit, [value], binds=True)
                value = replace(old, is_truth=value.is_truth)
                self._report.say(statement.place, f"{name} is no state here: it is {value.text} where it is read")
            found[name] = value
        return found

    def _handlers(self) -> tuple[Handler, ...]:
        """Those of the file, and what stands after integration in the update block, which comes first."""
        arrivals: dict[str, list[Node]] = {}
        for statement in self._update.arrivals:
            (port, *more) = sorted(reads(statement.value, self._spike_ports))
            if more:
                raise statement.place.error("spikes of two ports in one assignment; write one for each")
            arrivals.setdefault(port, []).append(statement)
        for statement in self._update.others:
            before = self._states.get(statement.name)
            value = None if before is None else self._expressions.assigned(statement, before.term, self._everything)
            if before is None or value is None or value.text != before.term.text:
                raise statement.place.error(f"{statement.name} is assigned in each step after integrate_odes(); write onCondition(...), or an equation")
        first = [Handler(body[0].place, port, tuple(body)) for port, body in arrivals.items()]
        for handler in self._neuron.handlers:
            if isinstance(handler.when, str) and handler.when not in self._spike_ports:
                raise handler.place.error(f"no spike port {shown(handler.when)}{suggest(handler.when, self._spike_ports)}")
            if calls(handler.body, INTEGRATE):
                raise handler.place.error("integrate_odes() belongs into the update block")
        for port in self._spike_ports:
            if port not in arrivals and not self._is_read(port):
                self._report.say(self._port_place(port), f"spikes of {port} change nothing, so it is no input")
        return (*first, *self._update.spikes, *self._neuron.handlers)

    def _is_read(self, port: str) -> bool:
        handled = any(handler.when == port for handler in self._neuron.handlers)
        return handled or any(key[1] == port for key in self._convolutions) or port in self._jumps

    def _port_place(self, name: str) -> Place:
        return next(port.place for port in self._neuron.ports if port.name == name)

    # -- numbers ------------------------------------------------------------------------------------------------------

    def _initial(self) -> dict[str, str]:
        """Initial values as expressions of parameters and states, internals written out."""
        found = {}
        scope = self._scope(self._parameters, self._states)
        written = _Written(self._internals, scope, self._expressions)
        for name, variable in self._states.items():
            if name in self._update.kept:
                continue
            if variable.value is None:
                raise variable.place.error(f"state {name} has no value; write {name} <unit> = ...")
            value = self._expressions.finite(variable.value, written)
            found[variable.term.text] = self._text(self._expressions.converted(value, variable.unit, variable.place, name))
        if self._flag is not None and self._update.guard is not None:
            found[self._flag[0]] = self._text(self._expressions.value(self._update.guard, written))
        return found

    def _internal_texts(self) -> list[str]:
        """Algebraic lines of the internals that something reads, and those that they read."""
        found: dict[str, str] = {}
        waiting = [name for name, variable in self._internals.items() if variable.term.text in self._read]
        while waiting:
            name = waiting.pop()
            variable = self._internals[name]
            if name in found or self._is_literal(variable):
                continue
            assert variable.value is not None
            if reads(variable.value, self._states):
                raise variable.place.error(f"internal {name} reads a state's value at the beginning; make that value a parameter")
            value = self._expressions.finite(variable.value, self._constants)
            value = self._expressions.converted(value, variable.unit, variable.place, name)
            found[name] = f"{variable.term.text} = {self._text(value)} : {variable.unit_text}"
            waiting += [other for other in self._internals if self._internals[other].term.text in value.reads]
        return list(found.values())

    def _is_literal(self, variable: Variable) -> bool:
        if variable.value is None:
            raise variable.place.error("an internal without a value; write one after '='")
        return all(isinstance(part, (Number, Sum, WrittenUnit)) for part in walk(variable.value))

    def _parameter_values(self) -> tuple[dict[str, float], dict[str, str]]:
        """Numbers and units: of parameters, of internals that are numbers, and of units that stand in the equations."""
        numbers: dict[str, float] = {}
        units = {variable.term.text: variable.unit_text for variable in self._inputs.values()}
        constants = {**self._parameters}
        constants |= {
            name: variable
            for name, variable in self._internals.items()
            if self._is_literal(variable) and variable.term.text in self._read
        }
        for name, variable in constants.items():
            if variable.term.infinite:
                self._report.say(variable.place, f"{name} is infinite, a bound that is never met; it is no parameter")
                continue
            numbers[variable.term.text] = self._number(name, ())
            units[variable.term.text] = variable.unit_text
            if variable.value is not None and reads(variable.value, (*self._parameters, *self._internals)):
                self._report.say(variable.place, f"{name} is {numbers[variable.term.text]:.10g} {variable.unit_text}, from other parameters' values, and does not follow them when they are changed")
        for name in sorted(self._read & set(NAMED)):
            numbers[name], units[name] = 1.0, name
        return numbers, units

    def _number(self, name: str, path: tuple[str, ...]) -> float:
        """The value of a parameter or internal."""
        variable = self._parameters.get(name) or self._internals[name]
        if name in path:
            raise variable.place.error(f"{' -> '.join((*path, name))} is a circle; give one of them a number")
        if name not in self._numbers:
            if variable.value is None:
                raise variable.place.error(f"{name} has no value; write one after '='")
            if reads(variable.value, self._states):
                raise variable.place.error(f"{name} reads a state's value at the beginning; give it a number")
            term = self._expressions.value(variable.value, self._constants)
            term = self._expressions.converted(term, variable.unit, variable.place, name)
            others = {self._term_of(other): self._number(other, (*path, name)) for other in reads(variable.value, (*self._parameters, *self._internals))}
            values = {**dict.fromkeys(NAMED, 1.0), **others}
            if "dt" in term.reads:
                raise variable.place.error(f"{name} depends on the step, which a parameter does not; make it an internal")
            with np.errstate(all="ignore"):
                self._numbers[name] = float(parse_expression(term.text, name).evaluate(values))
        return self._numbers[name]

    def _term_of(self, name: str) -> str:
        return (self._parameters.get(name) or self._internals[name]).term.text


class _Written(dict[str, Term]):
    """A scope in which internals are what they are made of."""

    def __init__(self, internals: Mapping[str, Variable], scope: Mapping[str, Term], expressions: Expressions) -> None:
        super().__init__(scope)
        self._internals, self._expressions, self._path = internals, expressions, tuple[str, ...]()

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._internals

    def __missing__(self, name: str) -> Term:
        variable = self._internals[name]
        if variable.value is None or name in self._path:
            raise variable.place.error(f"internal {name} has no value, or one that it reads itself")
        self._path = (*self._path, name)
        value = self._expressions.finite(variable.value, self)
        self._path = self._path[:-1]
        self[name] = self._expressions.converted(value, variable.unit, variable.place, name)
        return self[name]


def _infinite(node: Node | None) -> int:
    """The sign of a value that is ``inf`` times numbers; 0 of another."""
    if isinstance(node, Name):
        return int(node.id == "inf")
    if isinstance(node, Sum) and len(node.terms) == 1:
        return _infinite(node.terms[0][1]) * (-1 if node.terms[0][0] == "-" else 1)
    if isinstance(node, Product) and all(isinstance(f, (Number, Name, Sum)) for _, f in node.factors):
        signs = [_infinite(factor) for _, factor in node.factors]
        others = [factor for sign, (_, factor) in zip(signs, node.factors) if not sign]
        return next((sign for sign in signs if sign), 0) if all(isinstance(factor, Number) for factor in others) else 0
    return 0
