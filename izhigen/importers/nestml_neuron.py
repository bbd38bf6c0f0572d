"""From the blocks of a NESTML neuron to a declaration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from izhigen.errors import EquationError, ModelError, shown, suggest
from izhigen.importers import nestml_kernels as kernels_of
from izhigen.importers.coherent import MILLISECOND, VALUES, unit_text
from izhigen.importers.nestml_expressions import Expressions, Report, declared_unit
from izhigen.importers.nestml_handlers import Effects, Lines
from izhigen.importers.nestml_kernels import KernelState
from izhigen.importers.nestml_names import Names
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
from izhigen.importers.nestml_terms import Term, added, named, wrapped
from izhigen.importers.nestml_update import INTEGRATE, Update, calls, read_update, reads
from izhigen.model.events import Event
from izhigen.model.model import Declaration as ModelDeclaration
from izhigen.units.dimensions import PLAIN, unit_of_text

D = TypeVar("D", bound=ModelDeclaration)
_PER_SECOND = Term(PLAIN / MILLISECOND, Fraction(1, 1000), {"ms": Fraction(-1)})
"""A spike of weight 1 in the unit of a port."""


class NeuronReader:
    """Builds the declaration of one neuron.

    Parameters
    ----------
    neuron : Neuron
        Its blocks.
    """

    def __init__(self, neuron: Neuron) -> None:
        self._neuron, self._report = neuron, Report()
        self._names = Names(neuron, self._report)
        self._kernels = {kernels_of.kernel_name(kernel): kernel for kernel in neuron.kernels}
        functions = {function.name: function for function in neuron.functions}
        self._expressions = Expressions(functions, self._convolved, self._report)
        self._convolutions: dict[tuple[str, str], tuple[KernelState, ...]] = {}
        self._jumps: dict[str, dict[str, list[Term]]] = {}
        self._update = Update()
        self._flag: tuple[str, Node] | None = None
        self._read: set[str] = set()

    def build(self, kind: type[D]) -> tuple[D, Report]:
        """The model, and what was decided on the way.

        Raises
        ------
        ModelError
            With file, line and column.
        """
        neuron = self._neuron
        if not self._names.odes:
            raise neuron.place.error(
                f"model {neuron.name} has no differential equation, and a model here is made of them"
            )
        if not neuron.update:
            raise neuron.place.error(f"model {neuron.name} has no update block; write one with integrate_odes()")
        for part in walk((neuron.update, neuron.handlers)):
            if isinstance(part, Call) and part.function == "convolve":
                raise part.place.error("convolve() is not read here; give an inline line its value, and read that")
        self._update = read_update(neuron.update, tuple(self._names.odes), self._names.spike_ports)
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
                inputs=list(self._names.inputs),
                initial=initial,
                events=events,
                on_event=on_event,
                units=units | dict.fromkeys(on_event, "1"),
                strict_units=True,
                description=f"NESTML's {neuron.name}",
            )
        except (ModelError, EquationError) as problem:
            raise ModelError(f"{neuron.place.file}, model {neuron.name}: {problem}") from None
        return model, self._report

    # -- equations ----------------------------------------------------------------------------------------------------

    def _convolved(self, call: Call) -> Term:
        """The state that a ``convolve`` reads."""
        kernel, port = self._found(call)
        if kernels_of.is_delta(kernel):
            raise call.place.error(
                "a delta kernel makes a state jump: write its convolve() as a term of that state's derivative"
            )
        states = self._kernel_states(kernel, port)
        return named(states[0].name, states[0].unit)

    def _kernel_states(self, kernel: Kernel, port: str) -> tuple[KernelState, ...]:
        key = kernels_of.kernel_name(kernel), port
        if key not in self._convolutions:
            initial = {}
            for name, variable in self._names.of_kernels.items():
                if variable.value is None:
                    raise variable.place.error(f"the kernel's {name} has no value")
                value = self._expressions.finite(variable.value, self._names.constants)
                initial[name] = self._expressions.converted(value, variable.unit, variable.place, name)
            self._convolutions[key] = kernels_of.states_of(
                kernel, port, self._expressions, self._names.constants, initial
            )
        return self._convolutions[key]

    def _line_texts(self) -> list[str]:
        """Inline expressions as algebraic lines."""
        found = []
        for name, line in self._names.lines.items():
            variable = self._names.inline[name]
            self._check_ports(line.value)
            value = self._expressions.finite(line.value, self._names.everything)
            text = self._text(self._expressions.converted(value, variable.unit, line.place, name))
            found.append(f"{variable.name} = {text} : {variable.unit_text}")
        return found

    def _check_ports(self, node: Node) -> None:
        """Refuse what an equation cannot read: a spike port, and a value that the update block keeps."""
        for part in walk(node):
            inside = isinstance(part, Name) and part.id
            if inside and inside in self._update.kept and inside in self._names.states:
                raise part.place.error(f"{inside} keeps a value of the step's start, which equations cannot read")
        convolved = {
            id(a)
            for part in walk(node)
            if isinstance(part, Call) and part.function == "convolve"
            for a in part.arguments
        }
        for part in walk(node):
            if isinstance(part, Name) and part.id in self._names.spike_ports and id(part) not in convolved:
                raise part.place.error(
                    f"spikes of {part.id} in an equation; convolve them with a kernel, or write onReceive({part.id})"
                )

    def _ode_texts(self) -> list[str]:
        """Differential equations: those of the file, of kernels, and of states that only events change."""
        found = []
        for name, line in self._names.odes.items():
            self._check_ports(line.value)
            lower = list(kernels_of.lower_derivatives(line))
            for below, above in pairwise(lower):
                due = self._names.states[below].unit / MILLISECOND
                slope = self._expressions.converted(self._names.states[above].term, due, line.place, above)
                found.append(self._ode(below, self._gated(slope, name)))
            last = lower[-1]
            value = self._expressions.finite(self._without_deltas(line, name), self._names.everything)
            due = self._names.states[last].unit / MILLISECOND
            found.append(
                self._ode(last, self._gated(self._expressions.converted(value, due, line.place, line.name), name))
            )
        integrated = {lower for line in self._names.odes.values() for lower in kernels_of.lower_derivatives(line)}
        for name, (factor, which) in self._update.decays.items():
            found.append(self._ode(name, self._by_branch(self._decay(name, factor), *which)))
            integrated.add(name)
        left = [name for name in self._names.states if name not in integrated and name not in self._update.kept]
        found += [f"d{self._names.states[name].name}/dt = 0 : {self._names.states[name].unit_text}" for name in left]
        for states in self._convolutions.values():
            found += [
                f"d{state.name}/dt = {self._text(state.derivative)} : {unit_text(state.unit)}" for state in states
            ]
        if self._flag is not None:
            found.append(f"d{self._flag[0]}/dt = 0 : 1")
        return found

    def _ode(self, name: str, slope: Term) -> str:
        variable = self._names.states[name]
        return f"d{variable.name}/dt = {self._text(slope)} : {variable.unit_text}"

    def _gated(self, slope: Term, name: str) -> Term:
        """The derivative in the branches in which a state is integrated."""
        return self._by_branch(slope, *(states is None or name in states for states in self._update.integrated))

    def _by_branch(self, slope: Term, first: bool, second: bool) -> Term:
        """A derivative that is 0 in a branch; a factor of 0 or 1 leaves what is linear linear."""
        if self._flag is None or first == second:
            return slope if first else Term(slope.unit, Fraction(0))
        flag = named(self._flag[0], PLAIN)
        return (flag if first else added([Term(), flag.negative()])).times(slope)

    def _decay(self, name: str, factor: Node) -> Term:
        """The derivative of what is multiplied with a factor P in a step: log(P)/dt of it."""
        names = self._names
        if reads(factor, (*names.states, *names.inputs, *names.spike_ports, *names.lines)):
            raise factor.place.error(f"{name} is multiplied with what varies; a factor is of parameters and the step")
        inner, seen = factor, set[str]()
        while isinstance(inner, Name) and inner.id in names.internals and inner.id not in seen:
            seen.add(inner.id)
            inner = names.internals[inner.id].value or inner
        if isinstance(inner, Call) and inner.function == "exp" and len(inner.arguments) == 1:
            exponent = self._expressions.finite(inner.arguments[0], self._names.constants)
            exponent = self._expressions.converted(exponent, PLAIN, inner.place, "the argument of exp()")
        else:
            value = self._expressions.finite(factor, self._names.constants)
            value = self._expressions.converted(value, PLAIN, factor.place, "the factor")
            exponent = wrapped(f"log({value.text})", PLAIN, [value], binds=True)
        what = f"{name}, multiplied with a factor in each step, is a differential equation with that solution"
        self._report.say(factor.place, what)
        return exponent.over(named("dt", MILLISECOND)).times(self._names.states[name].term)

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
                raise term.place.error("a delta kernel is multiplied with constants, in a state's first derivative")
            port = self._found(deltas[0][1])[1]
            factor = Product(term.place, rest) if rest else Number(term.place, Fraction(1))
            size = self._expressions.finite(factor, self._names.everything)
            jump = size.times(Term(MILLISECOND, units={"ms": Fraction(1)}))
            jump = self._expressions.converted(jump, self._names.states[name].unit, term.place, "the jump")
            jump = jump.times(named(port, PLAIN))
            gated = self._gated(jump.negative() if sign == "-" else jump, name)
            self._jumps.setdefault(port, {}).setdefault(name, []).append(gated)
        return Sum(line.value.place, tuple(left)) if left else Number(line.value.place, Fraction(0))

    def _is_delta(self, node: Node) -> bool:
        is_convolved = isinstance(node, Call) and node.function == "convolve"
        return is_convolved and kernels_of.is_delta(self._found(node)[0])

    def _found(self, node: Node) -> tuple[Kernel, str]:
        """The kernel and the port of a ``convolve``."""
        assert isinstance(node, Call)
        return kernels_of.find(node, self._kernels, self._names.spike_ports)

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
                of_file = self._names.states[name]
                changed = self._expressions.sum_of([of_file.term, *terms], of_file.place)
                found.setdefault(port, {})[of_file.name] = changed
        return found

    # -- what the update block keeps, and its branches ----------------------------------------------------------------

    def _check_update(self) -> None:
        update = self._update
        for statement in update.kept.values():
            names = statement.names if isinstance(statement, Declaration) else (statement.name,)
            for name in names:
                if isinstance(statement, Assignment) and name not in self._names.states:
                    raise statement.place.error(f"no state {shown(name)}{suggest(name, self._names.states)}")
                if name in self._names.odes or name in self._names.lines:
                    raise statement.place.error(f"{name} is assigned in each step and has an equation too; keep one")
        for name, (factor, _) in update.decays.items():
            if name not in self._names.states or name in self._names.odes:
                raise factor.place.error(f"{name} is multiplied in each step; it is to be a state without an equation")
        for name in (*self._names.odes, *self._names.lines):
            self._check_ports((self._names.odes.get(name) or self._names.lines[name]).value)

    def _make_flag(self) -> None:
        """The state that says which branch of the update block a step takes."""
        guard = self._update.guard
        if guard is None or self._update.integrated[0] == self._update.integrated[1]:
            return
        names = self._names
        varying = (*self._update.kept, *names.inputs, *names.spike_ports, "t")
        first = next((part.id for part in walk(guard) if isinstance(part, Name) and part.id in names.states), None)
        if first is None or reads(guard, varying) or calls(guard, "timestep"):
            raise guard.place.error("the branch that integrates is chosen by a condition on states; write one")
        condition = self._expressions.condition(guard, names.everything)
        flag = f"{self._names.states[first].name}_on"
        self._names.check_free(flag, guard.place)
        self._flag = flag, guard
        what = f"the branches integrate other states: {flag} is 1 in a step that begins with {condition.text}, else 0"
        self._report.say(guard.place, what)

    def _is_timer(self, on_event: Iterable[str]) -> bool:
        """Whether the branch's condition, once false, becomes true by events alone: ``x > c`` of x that only falls."""
        guard, names = self._update.guard, self._names
        if not isinstance(guard, Comparison) or guard.operator not in (">", ">="):
            return False
        timer, bound = guard.left, guard.right
        if not isinstance(timer, Name) or not isinstance(bound, Number) or timer.id not in names.odes:
            return False
        slope = self._expressions.finite(names.odes[timer.id].value, names.everything)
        return slope.is_number and slope.coefficient < 0 and names.states[timer.id].name not in on_event

    def _happenings(self) -> tuple[dict[str, dict[str, str]], dict[str, Event]]:
        """What spikes that arrive assign, and events."""
        known = self._names.everything | self._kept()
        states = {name: variable.term for name, variable in self._names.states.items() if name not in self._update.kept}
        lines = Lines(self._names.lines, known, set(states), self._expressions)
        effects = Effects(lines, states, self._handlers(), self._flag, self._expressions)
        ports = {port: _PER_SECOND.times(named(port, PLAIN)) for port in self._names.spike_ports}
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
        found, values = dict[str, Term](), dict[str, Term]()
        for name, statement in self._update.kept.items():
            assert statement.value is not None
            value = self._expressions.value(statement.value, self._names.everything | values)
            written = statement.unit if isinstance(statement, Declaration) else None
            unit = declared_unit(written)[0] if written else self._names.states[name].unit
            value = values[name] = self._expressions.converted(value, unit, statement.place, name)
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
            (port, *more) = sorted(reads(statement.value, self._names.spike_ports))
            if more:
                raise statement.place.error("spikes of two ports in one assignment; write one for each")
            arrivals.setdefault(port, []).append(statement)
        for statement in self._update.others:
            self._check_changes_nothing(statement)
        first = [Handler(body[0].place, port, tuple(body)) for port, body in arrivals.items()]
        for handler in self._neuron.handlers:
            if isinstance(handler.when, str) and handler.when not in self._names.spike_ports:
                hint = suggest(handler.when, self._names.spike_ports)
                raise handler.place.error(f"no spike port {shown(handler.when)}{hint}")
            if calls(handler.body, INTEGRATE):
                raise handler.place.error("integrate_odes() belongs into the update block")
        for port in self._names.spike_ports:
            if port not in arrivals and not self._is_read(port):
                self._report.say(self._port_place(port), f"spikes of {port} change nothing, so it is no input")
        return (*first, *self._update.spikes, *self._neuron.handlers)

    def _check_changes_nothing(self, statement: Assignment) -> None:
        """Refuse an assignment after integration, unless it gives back what is there."""
        state = self._names.states.get(statement.name)
        if state is not None:
            value = self._expressions.assigned(statement, state.term, self._names.everything)
            if value.text == state.name:
                return
        raise statement.place.error(
            f"{statement.name} is assigned in each step after integrate_odes(); write onCondition(...), or an equation"
        )

    def _is_read(self, port: str) -> bool:
        handled = any(handler.when == port for handler in self._neuron.handlers)
        return handled or any(key[1] == port for key in self._convolutions) or port in self._jumps

    def _port_place(self, name: str) -> Place:
        return next(port.place for port in self._neuron.ports if port.name == name)

    # -- numbers ------------------------------------------------------------------------------------------------------

    def _initial(self) -> dict[str, str]:
        """Initial values as expressions of parameters and states, internals written out."""
        found = {}
        written = self._names.at_beginning(self._expressions)
        for name, variable in self._names.states.items():
            if name in self._update.kept:
                continue
            if variable.value is None:
                raise variable.place.error(f"state {name} has no value; write {name} <unit> = ...")
            value = self._expressions.finite(variable.value, written)
            found[variable.name] = self._text(self._expressions.converted(value, variable.unit, variable.place, name))
        if self._flag is not None and self._update.guard is not None:
            found[self._flag[0]] = self._text(self._expressions.value(self._update.guard, written))
        return found

    def _internal_texts(self) -> list[str]:
        """Algebraic lines of the internals that something reads, and those that they read."""
        names, found = self._names, dict[str, str]()
        waiting = [name for name, variable in names.internals.items() if variable.name in self._read]
        while waiting:
            name = waiting.pop()
            variable = names.internals[name]
            if name in found or names.is_literal(variable):
                continue
            assert variable.value is not None
            if reads(variable.value, names.states):
                what = f"internal {name} reads a state's value at the beginning; make that value a parameter"
                raise variable.place.error(what)
            value = self._expressions.finite(variable.value, names.constants)
            value = self._expressions.converted(value, variable.unit, variable.place, name)
            found[name] = f"{variable.name} = {self._text(value)} : {variable.unit_text}"
            waiting += [other for other in names.internals if names.internals[other].name in value.reads]
        return list(found.values())

    def _parameter_values(self) -> tuple[dict[str, float], dict[str, str]]:
        """Numbers and units: of parameters, of internals that are numbers, and of units that stand in the equations."""
        names, numbers = self._names, dict[str, float]()
        units = {variable.name: variable.unit_text for variable in names.inputs.values()}
        read = {name: v for name, v in names.internals.items() if v.name in self._read and names.is_literal(v)}
        for name, variable in (names.parameters | read).items():
            own = variable.name
            if variable.term.infinite:
                self._report.say(variable.place, f"{name} is infinite, a bound that is never met; it is no parameter")
                continue
            numbers[own], units[own] = names.number(name, self._expressions), variable.unit_text
            if names.constants_in(variable):
                what = f"{name} is {numbers[own]:.10g} {units[own]}, from other parameters; it does not follow them"
                self._report.say(variable.place, what)
        for name in sorted(self._read & VALUES.keys()):
            numbers[name], units[name] = float(VALUES[name]), unit_text(unit_of_text(name))
        return numbers, units
