"""Brian2's neurons: equations, threshold, reset and refractoriness as strings, with their units.

Brian2 itself is not needed. All quantities come in the coherent system of :mod:`izhigen.importers.coherent`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeVar

from izhigen.errors import EquationError, ModelError, shown, suggest
from izhigen.importers.brian2_expressions import Term, as_number
from izhigen.importers.brian2_neuron import FREE, Neuron, is_noise
from izhigen.importers.brian2_passages import Line, Passage, read_lines, read_text
from izhigen.importers.brian2_units import name_here
from izhigen.importers.brian2_values import Values
from izhigen.importers.coherent import MILLISECOND, VALUES, unit_text
from izhigen.importers.imported import Imported, spikes_while_held
from izhigen.importers.trees import ONE, ZERO, linear_parts, names_in, product, total, written
from izhigen.model.additions import REFRACTORY
from izhigen.model.composition import Composable
from izhigen.model.expressions import Binary, Call, Compare, Logical, Name, Node, Number, check_name
from izhigen.model.functions import LAST_SPIKE
from izhigen.scalars import NO_NUMBERS, carries_unit
from izhigen.units.dimensions import unit_of_text

C = TypeVar("C", bound=Composable)
PERIOD = "refractory_period"
"""The parameter that a refractory period given as a number becomes."""


def read(
    equations: str,
    threshold: str | None = None,
    reset: str | None = None,
    refractory: Any = False,
    namespace: Mapping[str, Any] | None = None,
    *,
    kind: type[C],
    name: str = "Brian2",
    inputs: Any = (),
    initial: Mapping[str, Any] | None = None,
) -> Imported[C]:
    """Read a neuron of Brian2, and report what was decided on the way.

    Parameters
    ----------
    equations : str
        Lines of Brian2's equation language; nothing of them is run.
    threshold, reset : str, optional
        As ``NeuronGroup`` takes them.
    refractory : str, float or quantity
        A time (a plain number is in ms), or a condition during which a neuron stays refractory; False for none.
    namespace : mapping
        Constants by name: numbers, text such as ``"10*ms"`` or ``"100*msiemens/cm**2*area"``, and quantities of Brian2,
        pint or astropy. Those that are read become parameters; a parameter that the equations declare is 0 unless it
        stands here or in ``initial``.
    kind : type
        The class of the model.
    name : str
        Of the model.
    inputs : iterable of str, or mapping from name to unit
        What varies in time: declared parameters, ``(constant over dt)`` subexpressions, and functions that are read as
        ``I(t)``, which need a unit, such as ``{"I": "amp"}``.
    initial : mapping
        What a script assigns to variables before it runs: values as in ``namespace``, or expressions as text.

    Raises
    ------
    EquationError
        Text that is not in Brian2's language or not in ours, with the line, the equation and the column.
    ModelError
        Parts that do not fit together, or whose meaning in Brian2 cannot be had here.
    """
    constants = Values({} if namespace is None else namespace, "namespace")
    variables = Values({} if initial is None else initial, "initial")
    try:
        neuron = Neuron(read_lines(equations), inputs, constants, variables, threshold is not None)
        return _Import(neuron, check_name(name, "model name")).read(threshold, reset, refractory, kind)
    except RecursionError:
        raise EquationError("the text builds too deep an expression; split it into lines", "equations") from None


class _Import:
    """A neuron on its way to a model."""

    def __init__(self, neuron: Neuron, name: str) -> None:
        self._neuron, self._name = neuron, name
        self._noise: dict[str, Node] = {}
        self._held: tuple[str, ...] = ()
        self._until: Node | None = None
        self._states = {line.name for line in neuron.lines.values() if line.kind == "equation"}
        self._noisy: dict[str, str] = {}
        self._frozen: dict[str, Node] = {}

    def read(self, threshold: Any, reset: Any, refractory: Any, kind: type[C]) -> Imported[C]:
        """The model, and the report."""
        for line in self._neuron.lines.values():
            self._line(line)
        condition = None if threshold is None else self._threshold(threshold)
        assigned = self._reset(reset)
        self._refractoriness(refractory, threshold is not None)
        self._check_reads_of_free(assigned)
        self._frozen_lines()
        return Imported(self._model(kind, condition, assigned), tuple(self._report()))

    # -- equations ----------------------------------------------------------------------------------------------------

    def _line(self, line: Line) -> None:
        """Read the right side of a line, and take its noise apart."""
        neuron, passage = self._neuron, line.expression
        if "linked" in line.flags and line.name not in neuron.inputs:
            raise line.unit.error(f"{line.name!r} is (linked) to another group; name it in inputs= and give it there")
        if passage is None or line.name in neuron.inputs:
            return
        term = neuron.read(passage, may_be_noisy=line.kind == "equation")
        if line.name in neuron.booleans:
            neuron.trees[line.name] = as_number(term)
            return
        node = neuron.reader.node(term)
        due = neuron.units[line.name]
        due = due / MILLISECOND if line.kind == "equation" else due
        if term.of_unit != due and not term.is_zero:
            raise passage.error(f"the right side is in {unit_text(term.of_unit)}, and {unit_text(due)} is due")
        neuron.trees[line.name] = self._without_noise(line, node) if line.kind == "equation" else node

    def _without_noise(self, line: Line, node: Node) -> Node:
        """The drift of an equation; its noise is noted."""
        neuron = self._neuron
        variables = sorted(name for name in names_in(node) if is_noise(name))
        rest, factors = linear_parts(node, variables, f"equation d{line.name}/dt")
        for variable in variables:
            other = self._noisy.setdefault(variable, line.name)
            if other != line.name:
                raise ModelError(
                    f"equation d{line.name}/dt: {variable} stands in d{other}/dt too, so their noise is the same; only "
                    "independent noise is known here, so give each a name of its own, such as xi_1"
                )
        amplitude = factors[variables[0]] if len(factors) == 1 else None
        if len(factors) > 1:
            squares: Node | None = None
            for factor in factors.values():
                squares = total(squares, Binary("**", factor, Number(Fraction(2))))
            assert squares is not None
            amplitude = Call("sqrt", (squares,))
            neuron.report.append(f"noise on {line.name}: {', '.join(variables)} are independent, and added as squares")
        if amplitude is not None:
            self._noise[line.name] = amplitude
            if neuron.read_by(amplitude) & self._states:
                neuron.report.append(
                    f"noise on {line.name} reads states at the step's start (Ito), as Brian2's milstein does and heun "
                    "does not"
                )
        return ZERO if rest is None else rest

    # -- events -------------------------------------------------------------------------------------------------------

    def _passage(self, text: object, where: str) -> Passage:
        return Passage(read_text(text, where), where)

    def _threshold(self, text: object) -> Node:
        return self._neuron.reader.condition(self._neuron.read(self._passage(text, "threshold")))

    def _reset(self, text: object) -> dict[str, Node]:
        """Assignments of the spike; a parameter that one changes is a state."""
        if text is None or (isinstance(text, str) and not text.strip()):
            return {}
        found = self._neuron.statements(self._passage(text, "reset"))
        for name in found:
            if name not in self._states:
                self._states.add(name)
                self._neuron.trees[name] = ZERO
                self._neuron.report.append(f"{name} is a state that only the reset changes")
        return found

    def _refractoriness(self, given: Any, has_spikes: bool) -> None:
        """What is held after a spike, and the condition that ends it."""
        neuron = self._neuron
        flagged = tuple(line.name for line in neuron.lines.values() if "unless refractory" in line.flags)
        if given is None or given is False:
            if neuron.reads_free:
                raise ModelError(f"{FREE} is read, and no refractory= is given")
            if flagged:
                neuron.report.append(f"{', '.join(flagged)}: (unless refractory) has no effect without refractory=")
            return
        if not has_spikes:
            raise ModelError("refractory= is given, and no threshold=, so there is no spike to be refractory after")
        self._held, self._until = flagged, neuron.expanded(self._end(given), "refractory")
        if FREE in names_in(self._until):
            raise ModelError(f"refractory: what it reads depends on {FREE}, which is known in equations only")
        if not neuron.reads_free and not self._is_read_by_others(flagged):
            return
        neuron.reads_free = True
        neuron.report.append(
            f"{FREE} is an input that nothing need be given to: a current of its own makes it 0 during refractory "
            "steps, 1 else, so that all stages of a step see the held states at rest"
        )
        for name in flagged:
            neuron.trees[name] = product(Name(FREE), neuron.trees[name])

    def _check_reads_of_free(self, assigned: Mapping[str, Node]) -> None:
        """Refuse a reset that reads whether the neuron is refractory, through a line: since the spike, it is."""
        for name, node in assigned.items():
            if FREE in self._neuron.read_by(node):
                raise ModelError(f"reset of {name}: what it reads depends on {FREE}, which is known in equations only")

    def _is_read_by_others(self, held: tuple[str, ...]) -> bool:
        """Whether a state that goes on reads one that is held."""
        going_on = [self._neuron.trees[name] for name in self._states - set(held)]
        return any(self._neuron.read_by(tree) & set(held) for tree in going_on)

    def _end(self, given: Any) -> Node:
        """The condition that ends refractoriness, after as many steps as in Brian2."""
        neuron = self._neuron
        if isinstance(given, NO_NUMBERS):
            raise ModelError(f"refractory={shown(given)} is neither a time nor a condition")
        if isinstance(given, str):
            term = neuron.read(self._passage(given, "refractory"))
            if term.is_condition:
                neuron.report.append(f"refractory until {given.strip()} is false at a step's start")
                return Logical("not", (neuron.reader.condition(term),))
        else:
            term = neuron.namespace.read(given, "refractory")
            if not carries_unit(given):
                neuron.report.append("refractory=, a plain number, is in ms")
                term = Term(None, term.value, MILLISECOND)
        if term.of_unit != MILLISECOND and not term.is_zero:
            raise ModelError(f"refractory={shown(given)} is in {unit_text(term.of_unit)}; it is a time or a condition")
        return self._end_of_period(term)

    def _end_of_period(self, term: Term) -> Node:
        """Brian2 counts steps: a neuron is free again ``timestep(period, dt)`` steps after its spike."""
        neuron = self._neuron
        if term.node is None:
            if PERIOD in neuron.units:
                raise ModelError(f"{PERIOD!r} is the parameter that refractory= becomes; rename that of the equations")
            neuron.parameters[PERIOD], neuron.units[PERIOD] = Term(None, term.value, MILLISECOND), MILLISECOND
            period: Node = Name(PERIOD)
        else:
            period = term.node
        varying = neuron.read_by(period) & {*self._states, *neuron.inputs, "t", LAST_SPIKE, FREE}
        if varying:
            raise ModelError(
                f"refractory: in Brian2 a period that reads {', '.join(sorted(varying))} may begin again without a "
                "spike, which is not known here; give a time of parameters, or a condition"
            )
        elapsed = Binary("/", Binary("-", Name("t"), Name(LAST_SPIKE)), Name("dt"))
        steps = Call("floor", (Binary("+", Binary("/", period, Name("dt")), Number(Fraction(1, 1000))),))
        neuron.report.append(
            f"refractory for {written(period)}: as many whole steps as fit, less the one of the spike, as Brian2 counts"
        )
        return Compare(">=", Binary("+", elapsed, Number(Fraction(1, 2))), steps)

    def _frozen_lines(self) -> None:
        """Subexpressions that are constant over a step though they read what varies: inputs with a current."""
        neuron = self._neuron
        moving = {*self._states, "t", LAST_SPIKE, FREE}
        constant = [line.name for line in neuron.lines.values() if "constant over dt" in line.flags]
        read = {name: neuron.read_by(neuron.trees[name]) for name in constant if neuron.is_subexpression(name)}
        frozen = [name for name, names in read.items() if names & moving]
        trees = {name: neuron.expanded(neuron.trees[name], name) for name in frozen}
        for name, tree in trees.items():
            if FREE in names_in(tree):
                raise ModelError(
                    f"{name} is (constant over dt) and reads {FREE}; leave out the flag, as that is anyway"
                )
            neuron.report.append(f"{name} is taken at each step's start and held: an input with a current of its own")
            neuron.inputs[name] = neuron.units[name]
            del neuron.trees[name]
        self._frozen = trees

    # -- the model ----------------------------------------------------------------------------------------------------

    def _model(self, kind: type[C], condition: Node | None, assigned: Mapping[str, Node]) -> C:
        """The model of all that was read."""
        neuron = self._neuron
        initial = self._initial()
        parameters = self._parameters()
        held_inputs = {FREE: "1"} if neuron.reads_free else {}
        in_units = {name: unit_text(of_unit) for name, of_unit in neuron.inputs.items()} | held_inputs
        units = {name: unit_text(neuron.units[name]) for name in parameters} | in_units
        for name in sorted(neuron.reader.units):
            parameters[name_here(name)] = float(VALUES[name])
            units[name_here(name)] = unit_text(unit_of_text(name))
        model = kind(
            self._name,
            "\n".join(self._equations()),
            threshold=None if condition is None else written(condition),
            reset="; ".join(f"{name} = {written(node)}" for name, node in assigned.items()),
            parameters=parameters,
            inputs=list(in_units),
            initial=initial,
            trigger="auto" if condition is None else "level",
            units=units,
            strict_units=True,
        )
        if self._noise:
            model = model.with_noise(**{state: written(node) for state, node in self._noise.items()})
        for name, node in self._frozen.items():
            model = model.with_current(written(node), to=name)
        if self._until is not None:
            model = model.with_refractory(hold=self._held, until=written(self._until))
            if spikes_while_held(model):
                assert model.threshold is not None
                raise ModelError(
                    f"threshold {model.threshold.text!r} holds right after the reset, while the neuron is refractory; "
                    "Brian2 keeps it silent then, which is not known for held states here; reset them below it"
                )
        if neuron.reads_free and self._until is not None:
            is_held = Logical("and", (Compare(">", Name(REFRACTORY.name), Number(Fraction(1, 2))), _not(self._until)))
            model = model.with_current(written(Call("where", (is_held, ZERO, ONE))), to=FREE)
        return model

    def _equations(self) -> list[str]:
        """Lines of the model, in the order of the text; states that only a reset changes are among them."""
        neuron, found = self._neuron, []
        for name in neuron.lines:
            if name in neuron.trees:
                left = f"d{name}/dt" if name in self._states else name
                found.append(f"{left} = {written(neuron.trees[name])} : {unit_text(neuron.units[name])}")
        return found

    def _parameters(self) -> dict[str, float]:
        """Defaults of parameters: of the namespace that are read, and of the equations."""
        neuron = self._neuron
        terms = dict(neuron.parameters)
        unset, of_namespace = [], []
        for line in neuron.lines.values():
            if line.kind != "parameter" or line.name in neuron.inputs or line.name in self._states:
                continue
            values = neuron.initial if line.name in neuron.initial else neuron.namespace
            terms[line.name] = self._constant(line.name, values) if line.name in values else Term(None, Fraction(0))
            unset += [] if line.name in values else [line.name]
            of_namespace += [line.name] if values is neuron.namespace and line.name in values else []
        if unset:
            neuron.report.append(f"{', '.join(unset)}: declared without a value, so 0 by default, as in Brian2")
        if of_namespace:
            neuron.report.append(
                f"{', '.join(of_namespace)}: declared, and by default what namespace says; Brian2 would let it be 0"
            )
        return {name: _as_float(name, term) for name, term in terms.items()}

    def _constant(self, name: str, values: Values) -> Term:
        """The value of a declared parameter, in its unit."""
        term = values[name]
        if term.is_condition and name not in self._neuron.booleans:
            raise ModelError(f"{name} is true or false, and declared as a number; declare it as '{name} : boolean'")
        if term.of_unit != self._neuron.units[name] and not term.is_zero:
            raise ModelError(
                f"{name} is declared in {unit_text(self._neuron.units[name])}, and given in {unit_text(term.of_unit)}"
            )
        self._check_integer(name, as_number(term))
        return term

    def _check_integer(self, name: str, node: Node) -> None:
        if name in self._neuron.integers and not self._neuron.is_whole(node):
            raise ModelError(f"{name} is declared as an integer, and its value need not be one; write int(...)")

    def _initial(self) -> dict[str, str]:
        """Initial values as text, for states alone."""
        neuron, found = self._neuron, {}
        known = [*self._states, *(line.name for line in neuron.lines.values() if line.kind == "parameter")]
        for name in neuron.initial:
            if name not in known:
                raise ModelError(f"initial: no variable {shown(name)}{suggest(name, known)}")
        for name in sorted(self._states):
            values = neuron.initial if name in neuron.initial else neuron.namespace
            if name not in values or (values is neuron.namespace and neuron.lines[name].kind == "equation"):
                continue
            text = neuron.initial.text(name) if name in neuron.initial else None
            where = f"initial value of {name}"
            term = neuron.read(Passage(read_text(text, where), where)) if text is not None else values[name]
            node = as_number(term) if name in neuron.booleans else neuron.reader.node(term)
            if term.of_unit != neuron.units[name] and not term.is_zero:
                raise ModelError(f"{where} is in {unit_text(term.of_unit)}, and {unit_text(neuron.units[name])} is due")
            self._check_integer(name, node)
            found[name] = written(neuron.expanded(node, where))
        return found

    def _report(self) -> list[str]:
        """What was decided, a line each; units first."""
        neuron = self._neuron
        given = [name for name in neuron.trees if name in self._states]
        units = ", ".join(f"{name} in {unit_text(neuron.units[name])}" for name in given)
        found = [f"units are converted to ms, mV, pA, nS, pF and so on: {units}"]
        if neuron.reader.units:
            found.append(f"units in the text are parameters: {', '.join(map(name_here, sorted(neuron.reader.units)))}")
        shared = [line.name for line in neuron.lines.values() if "shared" in line.flags and line.kind == "parameter"]
        if shared:
            found.append(f"{', '.join(shared)}: (shared) is not enforced; give one value for all neurons")
        return [*found, *neuron.report]


def _as_float(name: str, term: Term) -> float:
    """The value of a constant."""
    try:
        number = as_number(term)
        assert isinstance(number, Number), "a constant has a value"
        return float(number.value)
    except OverflowError:
        raise ModelError(f"{name} is too large for a number in {unit_text(term.of_unit)}") from None


def _not(node: Node) -> Node:
    return node.operands[0] if isinstance(node, Logical) and node.operator == "not" else Logical("not", (node,))
