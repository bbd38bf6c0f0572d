"""Which of NIR's dynamic nodes a model is, and that node's parameters: read off equations that are proved linear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from izhigen.derive.derivative import derivative
from izhigen.derive.expansion import bounded_expand
from izhigen.derive.lowering import lower, moments_of, symbol
from izhigen.derive.system import STEPWISE, System, build_system
from izhigen.errors import IzhigenError, ModelError, shown, suggest
from izhigen.importers.nir_graph import Array, Node
from izhigen.importers.trees import ZERO
from izhigen.model.events import Trigger
from izhigen.model.expressions import Compare, Expression, parse_expression
from izhigen.model.from_sympy import sympy_text
from izhigen.model.model import Declaration
from izhigen.scalars import read_array
from izhigen.units.quantities import plain

_NO_UNIT = ("", "1")


@dataclass(frozen=True)
class Neuron:
    """A dynamic node.

    Attributes
    ----------
    form : str
        Its type.
    values : mapping
        Its parameters, in the shape of the node; times in NIR's unit.
    report : tuple of str
        What NIR does not say of it, or says otherwise.
    """

    form: str
    values: Mapping[str, Array]
    report: tuple[str, ...]


def neuron_of(node: Node[Declaration], second: float, where: str) -> Neuron:
    """The dynamic node that a model is.

    Parameters
    ----------
    node : Node
    second : float
        ms of NIR's unit of time.
    where : str
        How errors and report call the node.

    Raises
    ------
    ModelError
        For a model that is none of them, and for values that fit no parameter; names what in it.
    """
    try:
        _refuse(node.model)
        form, values, report = _Reader(node, second).read()
    except IzhigenError as problem:
        raise ModelError(f"{where}: {problem}") from None
    return Neuron(form, values, tuple(f"{where}: {line}" for line in report))


def _refuse(model: Declaration) -> None:
    """Refuse what no node of NIR has."""
    others = [event.name for event in model.events if event is not model.spike]
    lacking = {
        "a refractory period": model.refractory,
        "noise": model.noise,
        "what arrives by on_event": model.on_event,
        "currents": model.currents,
        f"the event {', '.join(others)}": others,
    }
    for what, there in lacking.items():
        if there:
            raise ModelError(f"NIR has no node for {what}; export a model without")
    if len(model.inputs) != 1 or len(model.states) not in (1, 2):
        raise ModelError("NIR's neurons have one input and one state, or two: a synaptic current and a potential")


@dataclass(frozen=True)
class _Sum:
    """``constant + slope*variable + ...``, as is proved of an expression."""

    constant: Any
    slopes: Mapping[sp.Symbol, Any]


def _linear(expression: Any, variables: Iterable[sp.Symbol]) -> _Sum | None:
    """An expression taken apart, where it is linear in the variables: its derivatives are free of them, and no kink or
    jump depends on them.
    """
    moving = set(variables)
    slopes = {each: bounded_expand(derivative(expression, each)) for each in moving}
    constant = expression.xreplace(dict.fromkeys(moving, sp.S.Zero))
    bends = any(part.free_symbols & moving for part in expression.atoms(*STEPWISE))
    if bends or any(slope.free_symbols & moving for slope in slopes.values()) or constant.has(*_UNDEFINED):
        return None
    return _Sum(constant, slopes)


_UNDEFINED = (sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I)


class _Reader:
    """Reads the parameters of one node off its model."""

    def __init__(self, node: Node[Declaration], second: float) -> None:
        self._model, self._second, self._shape = node.model, second, node.shape
        self._system: System = build_system(node.model)
        self._numbers = _numbers(node)
        self._given = symbol(node.model.inputs[0])
        self._variables = [*self._system.states, self._given]

    def read(self) -> tuple[str, dict[str, Array], list[str]]:
        """Type, parameters and report."""
        lines = {e.state: self._taken_apart(e.rhs, f"d{e.state}/dt") for e in self._system.equations}
        potential, current = self._roles(lines)
        spike, report = self._spike(potential)
        if current is None:
            form, values = self._of_one(potential, lines[potential])
        else:
            form, values = "CubaLI", self._of_two(potential, current, lines)
        return f"{form}F" if spike else form, {**values, **spike}, [*self._left_open(), *report]

    def _taken_apart(self, expression: Any, what: str) -> _Sum:
        known = {*self._variables, *self._system.parameters}
        if others := sorted(each.name for each in expression.free_symbols - known):
            raise ModelError(f"{what} reads {', '.join(others)}, which NIR's neurons do not have")
        if (found := _linear(expression, self._variables)) is None:
            names = ", ".join(each.name for each in self._variables)
            raise ModelError(f"{what} is not linear in {names}, as NIR's neurons are")
        return found

    def _array(self, expression: Any, what: str) -> Array:
        """The values of an expression of parameters."""
        text = sympy_text(expression, what)
        with np.errstate(all="ignore"):
            found = np.asarray(parse_expression(text, what).evaluate(self._numbers), np.float64)
        if not np.all(np.isfinite(found)):
            raise ModelError(f"{what} is not finite in every neuron: {text}")
        return np.broadcast_to(found, self._shape).copy()

    def _is_zero(self, expression: Any, what: str) -> bool:
        return not np.any(self._array(expression, what))

    # -- what moves ---------------------------------------------------------------------------------------------------

    def _roles(self, lines: Mapping[sp.Symbol, _Sum]) -> tuple[sp.Symbol, sp.Symbol | None]:
        """The potential, and the current that it reads."""
        states = list(lines)
        if len(states) == 1:
            return states[0], None
        for potential, current in (states, states[::-1]):
            if lines[potential].slopes[current] != 0 and lines[current].slopes[potential] == 0:
                return potential, current
        raise ModelError(
            f"of {' and '.join(s.name for s in states)} none is a current that decays for itself and that the other "
            "reads, as in NIR's neurons of two states"
        )

    def _decay(self, state: sp.Symbol, line: _Sum) -> tuple[Any, Array]:
        """The time constant of a state, and its values in NIR's unit of time."""
        what = f"the rate of {state}"
        if np.any(self._array(line.slopes[state], what) >= 0):
            raise ModelError(f"{state} does not decay in every neuron, as in NIR's leaky ones")
        tau = -1 / line.slopes[state]
        return tau, self._array(tau, what) / self._second

    def _of_one(self, state: sp.Symbol, line: _Sum) -> tuple[str, dict[str, Array]]:
        """A potential that the input drives: with a leak or without."""
        gain = line.slopes[self._given]
        if self._is_zero(line.slopes[state], f"the rate of {state}"):
            if not self._is_zero(line.constant, f"d{state}/dt"):
                raise ModelError(f"{state} drifts without a leak; NIR's IF and I move by their input alone")
            return "I", {"r": self._array(gain, "r") * self._second}
        tau, values = self._decay(state, line)
        return "LI", {
            "tau": values,
            "r": self._array(gain * tau, "r"),
            "v_leak": self._array(line.constant * tau, "v_leak"),
        }

    def _of_two(self, potential: sp.Symbol, current: sp.Symbol, lines: Mapping[sp.Symbol, _Sum]) -> dict[str, Array]:
        """A current that the input drives, and a potential that the current drives."""
        of_current, of_potential = lines[current], lines[potential]
        if not self._is_zero(of_potential.slopes[self._given], f"d{potential}/dt"):
            raise ModelError(f"{self._given} drives {potential} itself, and in NIR by a synaptic current alone")
        if not self._is_zero(of_current.constant, f"d{current}/dt"):
            raise ModelError(f"{current} does not decay to 0, as the synaptic current of NIR's neurons does")
        tau_syn, synaptic = self._decay(current, of_current)
        tau, membrane = self._decay(potential, of_potential)
        return {
            "tau_syn": synaptic,
            "tau_mem": membrane,
            "r": self._array(of_potential.slopes[current] * tau, "r"),
            "v_leak": self._array(of_potential.constant * tau, "v_leak"),
            "w_in": self._array(of_current.slopes[self._given] * tau_syn, "w_in"),
        }

    # -- spikes -------------------------------------------------------------------------------------------------------

    def _spike(self, potential: sp.Symbol) -> tuple[dict[str, Array], list[str]]:
        """Threshold and reset of a model that spikes, and what is another in NIR."""
        spike = self._model.spike
        if spike is None:
            return {}, []
        if self._model.trigger_of(spike) is Trigger.RISING:
            raise ModelError(
                "it spikes where its threshold begins to hold, and NIR's neurons in every step in which it holds; "
                "give a reset of the potential, and trigger='level'"
            )
        tree = spike.condition.tree
        if not isinstance(tree, Compare) or tree.operator not in (">", ">=", "<", "<="):
            raise ModelError(f"threshold: NIR's neurons spike when {potential} > a value, and nothing else")
        left, right = (self._lowered(side, "threshold") for side in (tree.left, tree.right))
        above = self._taken_apart(left - right if ">" in tree.operator else right - left, "threshold")
        others = [each for each in self._variables if each != potential and above.slopes[each] != 0]
        if others or np.any(self._array(above.slopes[potential], "threshold") <= 0):
            raise ModelError(f"threshold: NIR's neurons spike when {potential} > a value that does not vary")
        if [each.state for each in spike.assignments] != [potential.name]:
            raise ModelError(f"reset: NIR's neurons reset {potential} to a value, and nothing else")
        reset = self._lowered(spike.assignments[0].expression.tree, "reset")
        if not reset.free_symbols <= set(self._system.parameters):
            raise ModelError(f"reset: NIR's neurons reset {potential} to a value that does not vary")
        meets = [f"at its threshold it spikes here ({spike.condition}), and in NIR above it only"]
        return {
            "v_threshold": self._array(-above.constant / above.slopes[potential], "threshold"),
            "v_reset": self._array(reset, "reset"),
        }, meets if "=" in tree.operator else []

    def _lowered(self, tree: Any, what: str) -> Any:
        return lower(Expression("", tree), what, self._system.definitions, moments_of(self._system.states))

    def _left_open(self) -> list[str]:
        """What NIR has no word for."""
        model = self._model
        started = [f"{state} = {value}" for state, value in model.initial.items() if value.tree != ZERO]
        units = {name: model.unit_of(name) for name in (*model.states, *model.inputs)}
        found = [f"its values begin at {', '.join(started)} here, and NIR says nothing of where"] if started else []
        if written := ", ".join(f"{name} in {unit}" for name, unit in units.items() if unit not in _NO_UNIT):
            found.append(f"its numbers, without units in NIR, are for {written}")
        return found


def _numbers(node: Node[Declaration]) -> dict[str, Array]:
    """The values of each parameter, in the node's shape."""
    model, found = node.model, dict[str, Array]()
    for name in node.values:
        if name in model.all_states:
            raise ModelError(f"{name} is given values, and NIR says nothing of where states begin; leave them out")
        if name not in model.parameters:
            raise ModelError(f"{model.name} has no parameter {shown(name)}{suggest(name, model.parameters)}")
    for name, default in model.parameters.items():
        given = read_array(name, plain(node.values.get(name, default), model.unit_of(name), name))
        try:
            found[name] = np.broadcast_to(np.asarray(given, np.float64), node.shape)
        except ValueError:
            raise ModelError(f"{name} has shape {np.shape(given)}, and the neurons {node.shape}") from None
        if not np.all(np.isfinite(found[name])):
            raise ModelError(f"{name} is not finite everywhere")
    return found
