"""The declaration of a neuron model: an immutable value that later stages read."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from izhigen.errors import EquationError, ModelError, shown, suggest
from izhigen.model.checking import DERIVED_STATES, check_declaration, names_in_fields
from izhigen.model.equations import (
    Equation,
    ResetAssignment,
    check_text,
    expression_text,
    key_text,
    parse_equations,
    parse_reset,
)
from izhigen.model.expressions import Expression, check_name, parse_expression
from izhigen.model.parts import Current, Noise, Refractory
from izhigen.scalars import read_finite

D = TypeVar("D", bound="Declaration")


class Declaration:
    """ODEs, threshold, reset, parameters and inputs of a spiking neuron, checked as a whole.

    The arguments are described at ``__init__``.
    """

    name: str
    equations: tuple[Equation, ...]
    threshold: Expression | None
    reset: tuple[ResetAssignment, ...]
    parameters: Mapping[str, float]
    inputs: tuple[str, ...]
    initial: Mapping[str, Expression]
    units: Mapping[str, str]
    description: str
    currents: tuple[Current, ...]
    liquid: bool
    refractory: Refractory | None
    noise: tuple[Noise, ...]

    _FIELDS = (
        "name",
        "equations",
        "threshold",
        "reset",
        "parameters",
        "inputs",
        "initial",
        "units",
        "description",
        "currents",
        "liquid",
        "refractory",
        "noise",
    )

    def __init__(
        self,
        name: str,
        equations: str | Mapping[Any, Any],
        threshold: Any = None,
        reset: Any = None,
        parameters: Mapping[str, float] | None = None,
        inputs: Iterable[str] = (),
        initial: Mapping[str, Any] | None = None,
        *,
        units: Mapping[str, str] | None = None,
        description: str = "",
    ) -> None:
        """Read the parts and check them as a whole, as in this leaky integrate-and-fire neuron.

        >>> from izhigen import Model
        >>> lif = Model(
        ...     "LIF", "dV/dt = (E - V + R*I)/tau : mV", threshold="V >= -50", reset="V = E",
        ...     parameters={"E": -65.0, "R": 10.0, "tau": 10.0}, inputs=["I"], initial={"V": "E"}, units={"R": "Mohm"},
        ... )

        Parameters
        ----------
        name : str
            Name of the model; becomes part of generated C names.
        equations : str or mapping
            Lines ``dx/dt = expression : unit`` and ``name = expression : unit``, or ``{state: SymPy expression}``.
            Time is in ms, so a right-hand side is in the state's unit per ms.
        threshold : str or SymPy relation, optional
            Condition on the state after integration, such as ``"V >= V_th"``; without one the model never spikes.
        reset : str or mapping, optional
            Assignments made when the neuron spikes, such as ``"V = c; u = u + d"``. All right-hand sides read the
            values before the reset.
        parameters : mapping, optional
            Name to default value, in the parameter's unit.
        inputs : iterable of str
            Names of the time-varying inputs.
        initial : mapping, optional
            State to initial value in its unit: a number, or an expression in parameters and other states.
            Default 0.
        units : mapping, optional
            Name of a parameter or input to its unit, such as ``"mV"``; labels and docs only.
        description : str
            One line for listings and the head of generated files.

        Raises
        ------
        EquationError
            Text that is not in the equation language, with the equation and the column.
        ModelError
            Parts that do not fit together: an undefined, duplicate or clashing name, a cyclic definition, ...
        """
        parsed = parse_equations(equations)
        self._fill(
            name=check_name(name, "model name"),
            equations=parsed,
            threshold=_parse_threshold(threshold),
            reset=parse_reset(reset),
            parameters=_parse_parameters({} if parameters is None else parameters),
            inputs=_parse_inputs(inputs),
            initial=_parse_initial({} if initial is None else initial, parsed),
            units=MappingProxyType(dict(_as_mapping("units", {} if units is None else units, "{'tau': 'ms'}"))),
            description=check_text(description, "description"),
            currents=(),
            liquid=False,
            refractory=None,
            noise=(),
        )

    def _fill(self, **fields: Any) -> None:
        for key in self._FIELDS:
            object.__setattr__(self, key, fields[key])
        check_declaration(self, fields)

    def __setattr__(self, key: str, value: Any) -> None:
        raise AttributeError(f"a model is immutable: use model.variant(name, {key}=...) for one with another {key}")

    def __delattr__(self, key: str) -> None:
        raise AttributeError("a model is immutable")

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        for key in ("parameters", "initial", "units"):
            state[key] = dict(state[key])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            object.__setattr__(
                self, key, MappingProxyType(value) if key in ("parameters", "initial", "units") else value
            )

    def _with(self: D, **changes: Any) -> D:
        fields = {key: changes.get(key, getattr(self, key)) for key in self._FIELDS}
        new = object.__new__(type(self))
        new._fill(**fields)
        return new

    # -- what stages read -------------------------------------------------------------------------------------------

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state variables, in the order of the equations."""
        return tuple(e.name for e in self.equations if e.is_ode)

    @property
    def spike_state(self) -> str | None:
        """The state that the threshold watches: the first one its condition reads."""
        if self.threshold is None:
            return None
        return next((name for name in self.threshold.names if name in self.states), None)

    @property
    def delta_inputs(self) -> tuple[str, ...]:
        """Names ``<state>_delta`` of the instantaneous inputs that every state accepts."""
        return tuple(f"{state}_delta" for state in self.states)

    @property
    def all_states(self) -> tuple[str, ...]:
        """State variables and, with a refractory period, ``refractory`` and ``t_last_spike``."""
        return self.states + (DERIVED_STATES if self.refractory else ())

    def unit_of(self, name: str) -> str:
        """Unit of a state, algebraic variable, parameter or input; an empty string when none was given."""
        for equation in self.equations:
            if equation.name == name:
                return equation.unit
        return self.units.get(name, "")

    # -- composition ------------------------------------------------------------------------------------------------

    def variant(
        self: D,
        name: str | None = None,
        *,
        threshold: Any = ...,
        reset: Any = ...,
        equations: Any = ...,
        inputs: Any = ...,
        initial: Mapping[str, Any] | None = None,
        units: Mapping[str, str] | None = None,
        description: str | None = None,
        **parameters: float,
    ) -> D:
        """Return a model with another name, other parameter defaults, or replaced parts.

        As in ``model.variant("Fast", tau=5.0)``.

        Parameters
        ----------
        name : str, optional
            By default the present one.
        threshold, reset, equations, inputs : optional
            Take the place of the present ones, in the forms of ``__init__``; ``threshold=None`` and ``reset=None``
            remove them. Parameters that nothing reads any more are dropped.
        initial, units : mapping, optional
            Update the present ones.
        description : str, optional
        **parameters : float
            New defaults by name, in the parameter's unit; where a part is replaced, also new parameters.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            An unknown parameter, or parts that do not fit together.
        """
        changes: dict[str, Any] = {"name": check_name(name, "model name") if name is not None else self.name}
        if threshold is not ...:
            changes["threshold"] = _parse_threshold(threshold)
        if reset is not ...:
            changes["reset"] = parse_reset(reset)
        if inputs is not ...:
            changes["inputs"] = _parse_inputs(inputs)
        parsed = self.equations
        if equations is not ...:
            changes["equations"] = parsed = parse_equations(equations)
        states = {e.name for e in parsed if e.is_ode}
        kept = {state: value for state, value in self.initial.items() if state in states}
        changes["initial"] = MappingProxyType({**kept, **_parse_initial({} if initial is None else initial, parsed)})
        if units is not None:
            changes["units"] = MappingProxyType({**self.units, **_as_mapping("units", units, "{'tau': 'ms'}")})
        if description is not None:
            changes["description"] = check_text(description, "description")
        replaced = any(part is not ... for part in (threshold, reset, equations))
        new_parameters = _parse_parameters(parameters)
        if not replaced:
            for key in new_parameters:
                if key not in self.parameters:
                    raise ModelError(
                        f"model {self.name!r} has no parameter {shown(key)}{suggest(key, self.parameters)} "
                        f"(parameters: {', '.join(self.parameters)})"
                    )
        merged = {**self.parameters, **new_parameters}
        if replaced:
            trial = {**{k: getattr(self, k) for k in self._FIELDS}, **changes}
            read = names_in_fields(trial)
            merged = {key: value for key, value in merged.items() if key in read or key in new_parameters}
            changes["units"] = MappingProxyType(
                {k: v for k, v in changes.get("units", self.units).items() if k in merged or k in trial["inputs"]}
            )
        changes["parameters"] = MappingProxyType(merged)
        return self._with(**changes)

    def with_current(
        self: D, expression: Any, inputs: Iterable[str] = (), *, to: str | None = None, **parameters: float
    ) -> D:
        """Return a model with a current added to an input, as in ``model.with_current("g*(E - V)", ["g"], E=0.0)``.

        The current is evaluated at the step's start and held during the step,
        unless the model has a liquid time constant.

        Parameters
        ----------
        expression : str or SymPy expression
            The current, in the unit of the input that it adds to.
        inputs : iterable of str
            Names in it that vary in time; they become inputs of the model.
        to : str, optional
            The input that it adds to; by default the first one.
        **parameters : float
            Defaults of its own parameters.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            No such input, a parameter that exists already, or an undefined name.
        """
        if not self.inputs:
            raise ModelError(
                f"model {self.name!r} has no input that a current could add to; "
                "declare one with inputs=['I'] and use it in an equation"
            )
        target = self.inputs[0] if to is None else to
        if not isinstance(target, str) or target not in self.inputs:
            raise ModelError(f"to={shown(target)} is not an input of model {self.name!r}{suggest(target, self.inputs)}")
        added = _parse_parameters(parameters)
        for key in added:
            if key in self.parameters:
                raise ModelError(
                    f"parameter {shown(key)} exists already in model {self.name!r}; "
                    "give the current's parameter another name, or leave it out to share the existing one"
                )
        place = f"current {len(self.currents) + 1}"
        current = Current(parse_expression(expression_text(expression, place), place), target)
        return self._with(
            currents=(*self.currents, current),
            inputs=(*self.inputs, *_parse_inputs(inputs)),
            parameters=MappingProxyType({**self.parameters, **added}),
        )

    def with_liquid_time_constant(self: D) -> D:
        """Return a model whose added currents enter the equations symbolically, so that they shape the linear part.

        As in ``model.with_current("g*(E - V)", ["g"], E=0.0).with_liquid_time_constant()``: the conductance g then
        shortens the time constant of V within a step, instead of being held as a current.
        """
        return self._with(liquid=True)

    def with_refractory(self: D, tau_ref: float = 0.0, *, state: str | None = None) -> D:
        """Return a model that holds a state while ``t - t_last_spike <= tau_ref``; other states go on.

        As in ``model.with_refractory(2.0)``.

        Parameters
        ----------
        tau_ref : float
            Refractory period in ms, from 0 on; becomes the parameter ``tau_ref``.
        state : str, optional
            The state that is held; by default the one that the threshold watches.

        Raises
        ------
        ModelError
            A model without a threshold on a state, no such state,
            or a parameter ``tau_ref`` that means something else.
        """
        held = state or self.spike_state
        if self.threshold is None or held is None:
            raise ModelError(
                f"model {self.name!r} has no threshold on a state, so it has no spikes to be refractory after"
            )
        if held not in self.states:
            raise ModelError(
                f"with_refractory: {shown(held)} is not a state of model {self.name!r}{suggest(held, self.states)}"
            )
        if self.refractory is None and "tau_ref" in self.parameters:
            raise ModelError(
                f"parameter 'tau_ref' exists already in model {self.name!r} and means something else there; rename it"
            )
        parameters = MappingProxyType({**self.parameters, **_parse_parameters({"tau_ref": tau_ref})})
        return self._with(
            refractory=Refractory(held), parameters=parameters, units=MappingProxyType({**self.units, "tau_ref": "ms"})
        )

    def with_noise(self: D, **amplitudes: Any) -> D:
        """Return a model with additive white noise, ``dx = f dt + g dW``, such as ``model.with_noise(V=3.0)``.

        Draws are made inside the kernel, keyed by seed, neuron, step and state.

        Parameters
        ----------
        **amplitudes : float, str or SymPy expression
            State to g, in the state's unit per square root of ms. A number becomes the parameter ``sigma_<state>``;
            an expression may use parameters only.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            No amplitude, no such state, a parameter of that name that means something else,
            or an amplitude that reads a state.
        """
        if not amplitudes:
            raise ModelError("with_noise needs an amplitude per state, such as with_noise(V=3.0)")
        parameters = dict(self.parameters)
        terms = {term.state: term for term in self.noise}
        for state, amplitude in amplitudes.items():
            if state not in self.states:
                raise ModelError(
                    f"with_noise: {shown(state)} is not a state of model {self.name!r}{suggest(state, self.states)}"
                )
            text = expression_text(amplitude, f"noise on {state}")
            if isinstance(amplitude, numbers.Real):
                text = f"sigma_{state}"
                if text in self.parameters and state not in terms:
                    raise ModelError(
                        f"parameter {text!r} exists already in model {self.name!r} and means something else there; "
                        f"rename it, or give the amplitude as text, with_noise({state}={shown(text)})"
                    )
                parameters.update(_parse_parameters({text: amplitude}))
            terms[state] = Noise(state, parse_expression(text, f"noise on {state}"))
        ordered = tuple(terms[state] for state in self.states if state in terms)
        return self._with(noise=ordered, parameters=MappingProxyType(parameters))

    # -- description ------------------------------------------------------------------------------------------------

    def describe(self) -> Iterator[str]:
        """Lines that state the whole declaration, in its own language."""
        yield from (str(equation) for equation in self.equations)
        for current in self.currents:
            how = "part of the equation" if self.liquid else "held during the step"
            yield f"{current.to} += {current.expression.text}    ({how})"
        for noise in self.noise:
            yield f"d{noise.state} += ({noise.amplitude.text}) dW"
        if self.threshold:
            yield f"spike when {self.threshold.text}"
        if self.reset:
            yield "reset: " + "; ".join(str(assignment) for assignment in self.reset)
        if self.refractory:
            yield f"refractory: {self.refractory.state} held while t - t_last_spike <= tau_ref"

    @property
    def content(self) -> str:
        """Text that is the same for two declarations exactly when their parsed parts are."""
        parts = [
            self.name,
            self.description,
            self.liquid,
            self.refractory,
            self.noise,
            self.currents,
            self.inputs,
            [(e.name, e.expression.tree, e.unit, e.is_ode) for e in self.equations],
            self.threshold and self.threshold.tree,
            [(r.state, r.expression.tree) for r in self.reset],
            sorted(self.parameters.items()),
            list(self.parameters),
            sorted(self.units.items()),
            [(key, value.tree) for key, value in self.initial.items()],
        ]
        return repr(parts)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}, states={list(self.states)}, inputs={list(self.inputs)}, "
            f"parameters={dict(self.parameters)})"
        )

    def __str__(self) -> str:
        return "\n".join([self.name, *("    " + line for line in self.describe())])


# -- reading the parts ----------------------------------------------------------------------------------------------


def with_parts(model: D, **parts: Any) -> D:
    """The same declaration but for some of its parts, which are checked together with the rest."""
    return model._with(**parts)


def _parse_threshold(source: Any) -> Expression | None:
    if source is None:
        return None
    text = expression_text(source, "threshold")
    if "=" in text and not any(sign in text for sign in ("==", "<", ">", "!=")):
        raise EquationError(f"{shown(text)} assigns; a threshold is a comparison such as 'V >= V_th'", "threshold")
    return parse_expression(text, "threshold", kind="condition")


def _as_mapping(what: str, value: Any, example: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ModelError(f"{what} are a mapping such as {example}, not {type(value).__name__}")
    return value


def _parse_parameters(parameters: Mapping[str, Any]) -> Mapping[str, float]:
    result: dict[str, float] = {}
    for key, value in _as_mapping("parameters", parameters, "{'tau': 10.0}").items():
        name = check_name(key_text(key, "parameters"), "parameters")
        result[name] = read_finite(value, f"parameter {shown(name)}", ModelError)
    return MappingProxyType(result)


def _parse_inputs(inputs: Iterable[str]) -> tuple[str, ...]:
    if isinstance(inputs, str):
        raise ModelError(f"inputs={shown(inputs)} is one string; give a list such as inputs=[{shown(inputs)}]")
    try:
        names = iter(inputs)
    except TypeError:
        raise ModelError(f"inputs={shown(inputs)} is not a list of names") from None
    return tuple(check_name(key_text(name, "inputs"), "inputs") for name in names)


def _parse_initial(initial: Mapping[str, Any], equations: tuple[Equation, ...]) -> Mapping[str, Expression]:
    states = [e.name for e in equations if e.is_ode]
    result: dict[str, Expression] = {}
    for key, value in _as_mapping("initial values", initial, "{'V': -65.0}").items():
        name = key_text(key, "initial")
        if name not in states:
            raise ModelError(f"initial: no state {shown(name)}{suggest(name, states)} (states: {', '.join(states)})")
        place = f"initial value of {name}"
        result[name] = parse_expression(expression_text(value, place), place)
    return MappingProxyType({state: result[state] for state in states if state in result})
