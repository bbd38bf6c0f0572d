"""NIR's dynamic nodes as declarations, and declarations as NIR's dynamic nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from izhigen.errors import ModelError
from izhigen.model.expressions import Compare, Expression, Name
from izhigen.model.functions import CONSTANTS
from izhigen.model.lines import bind_lines, line_names
from izhigen.model.model import Declaration
from izhigen.units.quantities import plain

D = TypeVar("D", bound=Declaration)
Array = NDArray[np.float64]
_PROBES = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-2.5, 3.75), (40.0, -7.5))
"""Values of state and input at which a right-hand side is looked at; the first three give its coefficients."""


@dataclass(frozen=True)
class Form:
    """One of NIR's dynamic nodes.

    Attributes
    ----------
    equations : str
        With times in ms; ``second`` is NIR's unit of time.
    spikes : bool
        Whether it has a threshold and a reset.
    input : str
    values : mapping
        Parameter to what NIR calls it.
    times : tuple of str
        Parameters that are times.
    """

    name: str
    equations: str
    spikes: bool
    input: str
    values: Mapping[str, str]
    times: tuple[str, ...]

    def model(self, kind: type[D], defaults: Mapping[str, float], second: float) -> D:
        """The declaration; all but times are plain numbers."""
        parameters = dict(defaults)
        units = {name: "ms" if name in self.times else "1" for name in (*self.values, self.input)}
        if not self.times:
            parameters["second"], units["second"] = second, "ms"
        return kind(
            self.name,
            self.equations,
            threshold="v > v_threshold" if self.spikes else None,
            reset="v = v_reset" if self.spikes else None,
            trigger="level" if self.spikes else "auto",
            parameters=parameters,
            inputs=[self.input],
            units=units,
            strict_units=True,
            description=f"NIR's {self.name}",
        )


_LEAKY = "dv/dt = (v_leak - v + r*I)/tau : 1"
_CUBA = "di_syn/dt = (w_in*S - i_syn)/tau_syn : 1\ndv/dt = (v_leak - v + r*i_syn)/tau_mem : 1"
_FREE = "dv/dt = r*I/second : 1"
_RESET = ("v_threshold", "v_reset")
_OF_CUBA = ("tau_syn", "tau_mem", "r", "v_leak", "w_in")


def _form(name: str, equations: str, given: str, values: tuple[str, ...], spikes: bool) -> Form:
    every = (*values, *(_RESET if spikes else ()))
    times = tuple(value for value in every if value.startswith("tau"))
    return Form(name, equations, spikes, given, {value: value for value in every}, times)


FORMS: Mapping[str, Form] = {
    "LIF": _form("LIF", _LEAKY, "I", ("tau", "r", "v_leak"), True),
    "LI": _form("LI", _LEAKY, "I", ("tau", "r", "v_leak"), False),
    "CubaLIF": _form("CubaLIF", _CUBA, "S", _OF_CUBA, True),
    "CubaLI": _form("CubaLI", _CUBA, "S", _OF_CUBA, False),
    "IF": _form("IF", _FREE, "I", ("r",), True),
    "I": _form("I", _FREE, "I", ("r",), False),
}
"""The dynamic nodes that are read."""


def nir_values(
    model: Declaration, shape: tuple[int, ...], values: Mapping[str, Any], second: float, name: str
) -> tuple[str, dict[str, Array]]:
    """The type of a model's node, and the node's arrays.

    Parameters
    ----------
    model : Model
    shape : tuple of int
    values : mapping
        Parameters that differ from their defaults.
    second : float
        ms of the unit of time to write in.
    name : str
        Of the node, for messages.

    Raises
    ------
    ModelError
        For a model that is none of the forms.
    """
    _check_parts(model, name)
    given = {
        key: plain(values.get(key, v), model.unit_of(key), f"{name}: {key}") for key, v in model.parameters.items()
    }
    numbers = {key: np.broadcast_to(np.asarray(value, float), shape) for key, value in given.items()}
    own = FORMS.get(model.name)
    if own is not None and own.times and set(own.values) == set(numbers):
        same = own.model(type(model), dict.fromkeys(own.values, 1.0), second)
        if same.equations == model.equations and same.events == model.events:
            return own.name, {theirs: _scaled(numbers[key], key, own, second) for key, theirs in own.values.items()}
    return _recognized(model, numbers, shape, second, name)


def _scaled(values: Array, key: str, form: Form, second: float) -> Array:
    return values / second if key in form.times else values.copy()


def _check_parts(model: Declaration, name: str) -> None:
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
            raise ModelError(f"node {name}: NIR has no node for {what}; export a model without")


def _recognized(
    model: Declaration, numbers: Mapping[str, Array], shape: tuple[int, ...], second: float, name: str
) -> tuple[str, dict[str, Array]]:
    """A model of one state that is linear in it and in its input."""
    if len(model.states) != 1 or len(model.inputs) != 1:
        raise ModelError(
            f"node {name}: NIR's neurons have one state and one input, or are CubaLIF or CubaLI as imported"
        )
    (state,), (given,) = model.states, model.inputs
    slopes = [_slope(model, {**numbers, state: np.full(shape, v), given: np.full(shape, i)}, name) for v, i in _PROBES]
    constant = slopes[0]
    of_state, of_input = slopes[1] - constant, slopes[2] - constant
    for (v, i), slope in zip(_PROBES, slopes):
        expected = constant + of_state * v + of_input * i
        if not np.allclose(slope, expected, rtol=1e-9, atol=1e-12):
            raise ModelError(f"node {name}: d{state}/dt is not linear in {state} and {given}, as NIR's neurons are")
    found = _threshold(model, state, given, numbers, shape, name)
    if np.all(of_state == 0) and np.all(constant == 0):
        return ("IF" if found else "I"), {"r": of_input * second, **found}
    if np.any(of_state >= 0):
        raise ModelError(f"node {name}: {state} does not decay in every neuron, as NIR's leaky neurons do")
    tau = -1 / of_state
    leaky = {"tau": tau / second, "r": of_input * tau, "v_leak": constant * tau, **found}
    return ("LIF" if found else "LI"), leaky


def _slope(model: Declaration, values: Mapping[str, Any], name: str) -> Array:
    equation = next(equation for equation in model.equations if equation.is_ode)
    return _evaluated(model, equation.expression, values, name)


def _evaluated(model: Declaration, expression: Expression, values: Mapping[str, Any], name: str) -> Array:
    read = model.reads(expression.names) - set(line_names(model)) - CONSTANTS.keys()
    unknown = sorted(read - set(values))
    if unknown:
        raise ModelError(
            f"node {name}: {expression.text!r} reads {', '.join(unknown)}, which NIR's neurons do not have"
        )
    lines = [line for line in line_names(model) if line in model.reads(expression.names)]
    bound = bind_lines(model, values, lines)
    shape = next(iter(values.values())).shape
    found: Array = np.broadcast_to(np.asarray(expression.evaluate(bound), float), shape).copy()
    return found


def _threshold(
    model: Declaration, state: str, given: str, numbers: Mapping[str, Array], shape: tuple[int, ...], name: str
) -> dict[str, Array]:
    """Threshold and reset, of a model that spikes."""
    if model.spike is None:
        return {}
    tree = model.spike.condition.tree
    (reset,) = model.spike.assignments if len(model.spike.assignments) == 1 else (None,)
    if not isinstance(tree, Compare) or tree.left != Name(state) or tree.operator not in (">", ">=") or reset is None:
        raise ModelError(f"node {name}: NIR's neurons spike when {state} > a value, and are reset to a value")
    bound = Expression(model.spike.condition.text, tree.right)
    known = {**numbers, "": np.zeros(shape)}
    for expression in (bound, reset.expression):
        if {state, given} & model.reads(expression.names):
            raise ModelError(f"node {name}: {expression.text!r} varies, and NIR's thresholds and resets do not")
    return {
        "v_threshold": _evaluated(model, bound, known, name),
        "v_reset": _evaluated(model, reset.expression, known, name),
    }
