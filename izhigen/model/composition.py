"""How declarations are composed: other defaults and parts, currents, refractory periods, noise, whole parts."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from izhigen.errors import ModelError, shown, suggest
from izhigen.model.additions import REFRACTORY, Current, Noise, Refractory
from izhigen.model.checking import names_in_fields
from izhigen.model.equations import check_text, expression_text, parse_equations
from izhigen.model.events import SPIKE, DeclaredEvent, Event, parse_condition, parse_events, parse_on_event
from izhigen.model.expressions import Expression, check_name, parse_expression
from izhigen.model.functions import LAST_SPIKE, TIME_NAMES
from izhigen.model.model import Declaration
from izhigen.model.part import check_all_read, check_more_parameters, check_no_clash, joined_events, read_part
from izhigen.model.reading import read_initial, read_input_names, read_mapping, read_parameters, read_units, with_spike
from izhigen.model.synapse import Synapse
from izhigen.model.unit_checks import TIME
from izhigen.scalars import carries_unit, read_flag, read_names, scalar_of
from izhigen.units.quantities import plain

D = TypeVar("D", bound="Composable")


class Composable(Declaration):
    """A declaration with what makes another one of it; nothing changes in place."""

    def variant(
        self: D,
        name: str | None = None,
        *,
        threshold: Any = ...,
        reset: Any = ...,
        trigger: Any = ...,
        equations: Any = ...,
        inputs: Any = ...,
        events: Any = ...,
        on_event: Any = ...,
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
        threshold, reset, trigger, equations, inputs, events, on_event : optional
            Take the place of the present ones, in the forms of ``__init__``; ``threshold=None`` and ``reset=None``
            remove them. ``events`` replaces all events but the spike, unless it has one too. Parameters that nothing
            reads any more are dropped.
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
        if any(part is not ... for part in (threshold, reset, trigger, events)):
            changes["events"] = self._changed_events(changes["name"], threshold, reset, trigger, events)
        if on_event is not ...:
            changes["on_event"] = MappingProxyType(dict(parse_on_event({} if on_event is None else on_event)))
        if inputs is not ... or on_event is not ...:
            given = self._ordinary_inputs if inputs is ... else read_input_names(inputs)
            changes["inputs"] = (*given, *changes.get("on_event", self.on_event))
        parsed = self.equations
        if equations is not ...:
            changes["equations"] = parsed = parse_equations(equations)
        changes["initial"] = self._changed_initial(changes, read_initial({} if initial is None else initial, parsed))
        given_units = {} if units is None else units
        own = {name: value for name, value in parameters.items() if name not in {**self.units, **given_units}}
        of_names = {**self.units, **read_units(given_units, own)}
        if of_names != dict(self.units):
            changes["units"] = MappingProxyType(of_names)
        if description is not None:
            changes["description"] = check_text(description, "description")
        replaced = any(part is not ... for part in (threshold, reset, equations, events, on_event))
        new_parameters = read_parameters(parameters, of_names)
        if not replaced:
            for key in new_parameters:
                if key not in self.parameters:
                    raise ModelError(
                        f"model {self.name!r} has no parameter {shown(key)}{suggest(key, self.parameters)} "
                        f"(parameters: {', '.join(self.parameters)})"
                    )
        merged = {**self.parameters, **new_parameters}
        if replaced:
            trial = {**self.fields, **changes}
            read = names_in_fields(trial)
            merged = {key: value for key, value in merged.items() if key in read or key in new_parameters}
            changes["units"] = MappingProxyType(
                {k: v for k, v in changes.get("units", self.units).items() if k in merged or k in _others(trial)}
            )
        changes["parameters"] = MappingProxyType(merged)
        return self.replaced(**changes)

    def _changed_initial(self, changes: Mapping[str, Any], given: Mapping[str, Expression]) -> Mapping[str, Expression]:
        """Those given, and of the present ones those of states that are left and of a last spike that is still read."""
        fields = {**self.fields, **changes}
        kept = {REFRACTORY.name, *(e.name for e in fields["equations"] if e.is_ode)}
        if self.is_held_for_a_time or LAST_SPIKE in names_in_fields(fields):
            kept.add(LAST_SPIKE)
        return MappingProxyType({**{name: value for name, value in self.initial.items() if name in kept}, **given})

    def _changed_events(
        self, name: str, threshold: Any, reset: Any, trigger: Any, events: Any
    ) -> tuple[DeclaredEvent, ...]:
        """The events with some of their parts replaced."""
        spike, others = self.spike, tuple(event for event in self.events if event.name != SPIKE)
        if events is not ...:
            others = parse_events({} if events is None else events)
            if others and others[0].name == SPIKE:
                given = ((threshold, None), (reset, None), (trigger, "auto"))
                return with_spike(name, others, *(default if part is ... else part for part, default in given))
        condition = self.threshold if threshold is ... else threshold
        assignments = self.reset if reset is ... else reset
        kind: Any = (spike.trigger if spike and condition is not None else "auto") if trigger is ... else trigger
        return with_spike(name, others, condition, assignments, kind)

    def with_current(
        self: D,
        expression: Any,
        inputs: Iterable[str] = (),
        *,
        to: str | None = None,
        held: bool = True,
        units: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> D:
        """Return a model with a current added to an input, as in ``model.with_current("g*(E - V)", ["g"], E=0.0)``.

        Parameters
        ----------
        expression : str or SymPy expression
            The current, in the unit of the input that it adds to.
        inputs : iterable of str
            Names in it that vary in time; they become inputs of the model.
        to : str, optional
            The input that it adds to; by default the first one.
        held : bool
            The current is evaluated at the step's start and held during the step, unless the model has a liquid time
            constant. False: it is part of the equations in any case, as that of a channel in the membrane.
        units : mapping, optional
            Of its own inputs and parameters.
        **parameters : float, text or quantity
            Defaults of its own parameters.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            No such input, a parameter that exists already, or an undefined name.
        """
        target = self._target(to)
        of_names = read_units(units, parameters)
        added = read_parameters(parameters, of_names)
        for key in added:
            if key in self.parameters:
                raise ModelError(
                    f"parameter {shown(key)} exists already in model {self.name!r}; "
                    "give the current's parameter another name, or leave it out to share the existing one"
                )
        place = f"current {len(self.currents) + 1}"
        current = Current(parse_expression(expression_text(expression, place), place), target, read_flag(held, "held"))
        return self.replaced(
            currents=(*self.currents, current),
            inputs=(*self._ordinary_inputs, *read_input_names(inputs), *self.on_event),
            parameters=MappingProxyType({**self.parameters, **added}),
            units=MappingProxyType({**self.units, **of_names}),
        )

    @property
    def _ordinary_inputs(self) -> tuple[str, ...]:
        return tuple(name for name in self.inputs if name not in self.on_event)

    def _target(self, to: str | None) -> str:
        """The input that a current adds to."""
        inputs = self._ordinary_inputs
        if not inputs:
            raise ModelError(
                f"model {self.name!r} has no input that a current could add to; "
                "declare one with inputs=['I'] and use it in an equation"
            )
        target = inputs[0] if to is None else to
        if not isinstance(target, str) or target not in inputs:
            raise ModelError(f"to={shown(target)} is not an input of model {self.name!r}{suggest(target, inputs)}")
        return target

    def with_part(
        self: D,
        equations: Any = None,
        *,
        current: Any = None,
        to: str | None = None,
        held: bool = True,
        inputs: Iterable[str] = (),
        on_event: Mapping[str, Any] | None = None,
        events: Mapping[str, Event] | None = None,
        reset: Any = None,
        parameters: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        units: Mapping[str, str] | None = None,
        description: str = "",
        prefix: str | None = None,
        **more_parameters: float,
    ) -> D:
        """Return a model with a part that brings equations of its own: a synapse, a channel, an adaptation.

        The neuron's names can be read in it, and its own in the neuron; so a part that is kept as a dictionary serves
        every model, as in ``model.with_part(**channel)``:

        >>> import izhigen as iz
        >>> ampa = {
        ...     "equations": "ds/dt = -s/tau", "current": "g*s*(E - V)", "on_event": {"arrival": "s = s + arrival"},
        ...     "parameters": {"tau": 5.0, "g": 0.1, "E": 0.0},
        ... }
        >>> iz.load("Izhikevich").with_part(**ampa, prefix="ampa").states
        ('V', 'u', 'ampa_s')

        Parameters
        ----------
        equations : str or mapping, optional
            As in ``__init__``; states and algebraic lines of the part.
        current : str or SymPy expression, optional
            A current that is added to an input; see :meth:`with_current`.
        to : str, optional
            The input that it adds to; by default the first one.
        held : bool
            Whether the current is held during a step; see :meth:`with_current`.
        inputs : iterable of str
            Names in the part that vary in time; they become inputs of the model.
        on_event, events, initial, units, parameters : mapping, optional
            As in ``__init__``.
        reset : str or mapping, optional
            Assignments that are added to those of the neuron's spike, such as ``"w = w + b"``.
        description : str
            What the part is, for those who read its dictionary; the model keeps its own.
        prefix : str, optional
            Renames everything that the part declares to ``<prefix>_<name>``. Without one, a name that the model has
            already is an error.
        **more_parameters : float
            Defaults of parameters, as :meth:`with_current` takes them.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            A name that exists already, an undefined name, or nothing that a current or a reset could add to.
        """
        given = {**read_mapping("parameters", {} if parameters is None else parameters, "{'tau': 5.0}")}
        given.update(check_more_parameters(more_parameters))
        part = read_part(
            equations,
            current=current,
            to=to,
            held=held,
            inputs=inputs,
            on_event=on_event,
            events=events,
            reset=reset,
            parameters=given,
            initial=initial,
            units=units,
            description=description,
        )
        if prefix is not None:
            part = part.prefixed(check_name(prefix, "prefix"))
        taken = {
            **{e.name: "an equation" for e in self.equations},
            **dict.fromkeys(self.parameters, "a parameter"),
            **dict.fromkeys(self.inputs, "an input"),
            **{event.name: "an event" for event in self.events},
        }
        check_no_clash(part, taken, self.name)
        check_all_read(part, names_in_fields(self.fields))
        currents = (Current(part.current, self._target(part.to), part.held),) if part.current else ()
        return self.replaced(
            equations=(*self.equations, *part.equations),
            currents=(*self.currents, *currents),
            inputs=(*self._ordinary_inputs, *part.inputs, *self.on_event, *part.on_event),
            on_event=MappingProxyType({**self.on_event, **part.on_event}),
            events=joined_events(self.events, part, self.name),
            parameters=MappingProxyType({**self.parameters, **part.parameters}),
            initial=MappingProxyType({**self.initial, **part.initial}),
            units=MappingProxyType({**self.units, **part.units}),
        )

    def with_synapse(self: D, synapse: Synapse) -> D:
        """Return a model with a synapse: states of its own that spikes act on, and their current.

        As in ``model.with_synapse(iz.synapses.exponential("g_e", tau=5.0, reversal=0.0))``. A network's connections
        then go to it by its name, ``to="g_e"``.

        Parameters
        ----------
        synapse : Synapse
            One of ``izhigen.synapses``, or a :class:`~izhigen.model.synapse.Synapse` of one's own.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            A name that exists already, an undefined name, or no input that its current could add to.
        """
        if not isinstance(synapse, Synapse):
            raise ModelError(
                f"with_synapse takes a synapse such as iz.synapses.exponential('g_e', tau=5.0), not {shown(synapse)}; "
                "a dictionary of a part goes to with_part(**part)"
            )
        unit = self.unit_of(self._target(synapse.to)) if synapse.current is not None else ""
        voltage = self.unit_of(synapse.voltage) if synapse.voltage in self.states else ""
        part = synapse.part(unit, voltage)
        if not self.units:
            part["units"] = {}
        clash = [name for name in synapse.own_states if name in names_in_fields(self.fields) or name in self.states]
        if clash:
            raise ModelError(
                f"with_synapse: model {self.name!r} has the name {shown(clash[0])} already; call the synapse's another"
            )
        if synapse.receiver == synapse.label and synapse.label not in {*self.states, *synapse.own_states}:
            raise ModelError(
                f"with_synapse: {shown(synapse.label)} is not a state of model {self.name!r}"
                f"{suggest(synapse.label, self.states)} (states: {', '.join(self.states)})"
            )
        return self.with_part(**part)

    def with_liquid_time_constant(self: D) -> D:
        """Return a model whose added currents enter the equations symbolically, so that they shape the linear part.

        As in ``model.with_current("g*(E - V)", ["g"], E=0.0).with_liquid_time_constant()``: the conductance g then
        shortens the time constant of V within a step, instead of being held as a current.
        """
        return self.replaced(liquid=True)

    def with_refractory(
        self: D, tau_ref: Any = ..., *, hold: str | Iterable[str] | None = None, until: Any = None
    ) -> D:
        """Return a model that is refractory after a spike: for a time, or until a condition holds.

        As in ``model.with_refractory(2.0)``: V is held while ``t - t_last_spike <= tau_ref``, and other states go on.

        Parameters
        ----------
        tau_ref : float, text or quantity
            Refractory period in ms, from 0 on; becomes the parameter ``tau_ref``. 0 by default, unless ``until`` is
            given.
        hold : str or iterable of str, optional
            The states that keep their values meanwhile; by default the one that the threshold watches, if the reset
            assigns it and ``until`` does not read it. Where the threshold reads anything else that varies, no spike
            comes meanwhile; ``hold=()`` does just that.
        until : str or SymPy relation, optional
            Condition on the states at a step's start, such as ``"V < 0"``, that ends it, in the place of a period. The
            model then has a state ``refractory``, which is 1 in neurons that are and else 0.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            A model without a threshold on a state, no such state, a period and a condition at once, a condition that
            reads nothing but what is held, or a parameter ``tau_ref`` that means something else.
        """
        if self.threshold is None or self.spike_state is None:
            raise ModelError(
                f"model {self.name!r} has no threshold on a state, so it has no spikes to be refractory after"
            )
        condition = None if until is None else parse_condition(until, "with_refractory: until", moments=())
        held = self._held_by_default(condition) if hold is None else tuple(read_names(hold, "hold"))
        states = tuple(e.name for e in self.equations if e.is_ode)
        for name in held:
            if name not in states:
                raise ModelError(
                    f"with_refractory: {shown(name)} is not a state of model {self.name!r}{suggest(name, states)}"
                )
        own = self.parameters if not self.is_held_for_a_time else set(self.parameters) - {"tau_ref"}
        if condition is not None:
            if tau_ref is not ...:
                raise ModelError("with_refractory: tau_ref and until each end it; give one of them")
            self._check_that_it_ends(condition, held)
            parameters = {name: self.parameters[name] for name in own}
            units = {name: unit for name, unit in self.units.items() if name in own or name not in self.parameters}
            return self.replaced(
                refractory=Refractory(held, condition),
                parameters=MappingProxyType(parameters),
                units=MappingProxyType(units),
            )
        if "tau_ref" in own:
            raise ModelError(
                f"parameter 'tau_ref' exists already in model {self.name!r} and means something else there; rename it"
            )
        period = read_parameters({"tau_ref": 0.0 if tau_ref is ... else tau_ref}, {"tau_ref": "ms"})
        return self.replaced(
            refractory=Refractory(held),
            initial=MappingProxyType({n: value for n, value in self.initial.items() if n != REFRACTORY.name}),
            parameters=MappingProxyType({**self.parameters, **period}),
            units=MappingProxyType({**self.units, "tau_ref": "ms"}),
        )

    def _held_by_default(self, until: Expression | None) -> tuple[str, ...]:
        """The state that the threshold watches, where it can be held: what no reset takes back is on its upstroke."""
        state = self.spike_state
        read = self.reads(until.names) if until else set()
        is_reset = any(assignment.state == state for assignment in self.reset)
        return (state,) if state is not None and is_reset and state not in read else ()

    def _check_that_it_ends(self, until: Expression, held: tuple[str, ...]) -> None:
        """Refuse a condition that cannot change while the neuron is refractory."""
        read = self.reads(until.names)
        fixed = set(held) - {a.state for event in self.events if event.name != SPIKE for a in event.assignments}
        varying = {*self.inputs, *self.states, *TIME_NAMES, LAST_SPIKE} - fixed - {"dt"}
        if not read & varying and read & set(held):
            names = ", ".join(sorted(read & set(held)))
            raise ModelError(
                f"with_refractory: until {until.text!r} reads {names}, which is held, and nothing else that varies, so "
                "it never changes; hold other states, or hold=()"
            )

    def with_noise(self: D, **amplitudes: Any) -> D:
        """Return a model with white noise, ``dx = f dt + g dW``, such as ``model.with_noise(V=3.0)``.

        Draws are made inside the kernel, keyed by seed, neuron, step and state. An amplitude that reads states is
        taken at the step's start (Ito).

        Parameters
        ----------
        **amplitudes : float, quantity, str or SymPy expression
            State to g, in the state's unit per square root of ms. A number or quantity becomes the parameter
            ``sigma_<state>``; an expression may read states, parameters, algebraic lines, inputs and t.

        Raises
        ------
        EquationError
            Text that is not in the equation language.
        ModelError
            No amplitude, no such state, a parameter of that name that means something else,
            or an undefined name.
        """
        if not amplitudes:
            raise ModelError("with_noise needs an amplitude per state, such as with_noise(V=3.0)")
        parameters = dict(self.parameters)
        terms = {term.state: term for term in self.noise}
        for state, amplitude in amplitudes.items():
            if state not in self.states or state == REFRACTORY.name:
                raise ModelError(
                    f"with_noise: {shown(state)} is not a state of model {self.name!r}{suggest(state, self.states)}"
                )
            if carries_unit(amplitude):
                unit = self.unit_of(state) and f"{self.unit_of(state)}/{TIME}**(1/2)"
                amplitude = scalar_of(plain(amplitude, unit, f"noise on {state}"))
            text = expression_text(amplitude, f"noise on {state}")
            if isinstance(amplitude, numbers.Real):
                text = f"sigma_{state}"
                if text in self.parameters and state not in terms:
                    raise ModelError(
                        f"parameter {text!r} exists already in model {self.name!r} and means something else there; "
                        f"rename it, or give the amplitude as text, with_noise({state}={shown(text)})"
                    )
                parameters.update(read_parameters({text: amplitude}))
            terms[state] = Noise(state, parse_expression(text, f"noise on {state}"))
        ordered = tuple(terms[state] for state in self.states if state in terms)
        return self.replaced(noise=ordered, parameters=MappingProxyType(parameters))


def _others(fields: Mapping[str, Any]) -> set[str]:
    """Names that are no parameter's and may have a unit."""
    return {*fields["inputs"], *(equation.name for equation in fields["equations"])}
