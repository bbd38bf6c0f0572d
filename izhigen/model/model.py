"""The declaration of a neuron model: an immutable value that later stages read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from izhigen.model.additions import REFRACTORY, Current, Noise, Refractory
from izhigen.model.checking import check_declaration, names_in_fields
from izhigen.model.equations import Equation, check_text, parse_equations
from izhigen.model.events import (
    SPIKE,
    Assignment,
    DeclaredEvent,
    Event,
    Trigger,
    arrival_lines,
    event_lines,
    event_numbers,
    names_outside_old,
    parse_events,
    parse_on_event,
)
from izhigen.model.expressions import Expression, check_name
from izhigen.model.functions import LAST_SPIKE
from izhigen.model.reading import read_initial, read_input_names, read_parameters, read_units, with_spike
from izhigen.model.unit_checks import TIME, check_units
from izhigen.scalars import read_flag

D = TypeVar("D", bound="Declaration")
_MAPPINGS = ("parameters", "initial", "units", "on_event")
"""Fields that are mappings."""


class Declaration:
    """ODEs, threshold, reset, parameters and inputs of a spiking neuron, checked as a whole.

    The arguments are described at ``__init__``.
    """

    name: str
    equations: tuple[Equation, ...]
    events: tuple[DeclaredEvent, ...]
    parameters: Mapping[str, float]
    inputs: tuple[str, ...]
    on_event: Mapping[str, tuple[Assignment, ...]]
    initial: Mapping[str, Expression]
    units: Mapping[str, str]
    description: str
    currents: tuple[Current, ...]
    liquid: bool
    refractory: Refractory | None
    noise: tuple[Noise, ...]
    _reads_last_spike: bool

    _FIELDS = (
        "name",
        "equations",
        "events",
        "parameters",
        "inputs",
        "on_event",
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
        parameters: Mapping[str, Any] | None = None,
        inputs: Iterable[str] = (),
        initial: Mapping[str, Any] | None = None,
        *,
        trigger: str = "auto",
        events: Mapping[str, Event] | None = None,
        on_event: Mapping[str, Any] | None = None,
        units: Mapping[str, str] | None = None,
        strict_units: bool = False,
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
            ``old(V)`` is the value before integration.
        reset : str or mapping, optional
            Assignments made when the neuron spikes, such as ``"V = c; u = u + d"``. All right-hand sides read the
            values before the reset; ``new(V)`` reads what a line above has assigned.
        parameters : mapping, optional
            Name to default value: a number in the parameter's unit, text that brings a unit, such as ``"0.5*nA"``, or a
            quantity of pint, astropy or Brian2, which are converted to the parameter's unit where it has one.
        inputs : iterable of str
            Names of the time-varying inputs.
        initial : mapping, optional
            State to initial value in its unit: a number, or an expression in parameters and other states.
            Default 0.
        trigger : {"auto", "level", "rising"}
            Of the spike; see :class:`~izhigen.model.events.Trigger`.
        events : mapping, optional
            Name to :class:`~izhigen.Event`: what else happens to a neuron, after its spike and in this order.
        on_event : mapping, optional
            Name of an event input to assignments made, after integration, where something arrives (its value is not
            0), as in ``{"ampa": "g = g + ampa*(1 - g)"}``.
        units : mapping, optional
            Name of a parameter or input to its unit, such as ``"mV"``. What has a unit is checked: terms, arguments and
            both sides of every line have to agree, powers of ten included.
        strict_units : bool
            Want a unit for every state, parameter and input that is declared here, and take numbers that stand beside
            others in an expression as plain ones.
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
        arriving = parse_on_event({} if on_event is None else on_event)
        others = parse_events({} if events is None else events)
        model_name = check_name(name, "model name")
        numbers = {} if parameters is None else parameters
        of_names = read_units(units, numbers)
        self._fill(
            name=model_name,
            equations=parsed,
            events=with_spike(model_name, others, threshold, reset, trigger),
            parameters=read_parameters(numbers, of_names),
            inputs=(*read_input_names(inputs), *arriving),
            on_event=MappingProxyType(dict(arriving)),
            initial=read_initial({} if initial is None else initial, parsed),
            units=of_names,
            description=check_text(description, "description"),
            currents=(),
            liquid=False,
            refractory=None,
            noise=(),
        )
        if read_flag(strict_units, "strict_units"):
            check_units(self, strict=True)

    def _fill(self, **fields: Any) -> None:
        for key in self._FIELDS:
            object.__setattr__(self, key, fields[key])
        self._look()
        check_declaration(self, fields)

    def _look(self) -> None:
        """Note what is asked for in every run."""
        object.__setattr__(self, "_reads_last_spike", LAST_SPIKE in names_in_fields(self.fields))

    def __setattr__(self, key: str, value: Any) -> None:
        raise AttributeError(f"a model is immutable: use model.variant(name, {key}=...) for one with another {key}")

    def __delattr__(self, key: str) -> None:
        raise AttributeError("a model is immutable")

    def __getstate__(self) -> dict[str, Any]:
        return {key: dict(value) if key in _MAPPINGS else value for key, value in self.fields.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for key, value in state.items():
            object.__setattr__(self, key, MappingProxyType(value) if key in _MAPPINGS else value)
        self._look()

    def replaced(self: D, **changes: Any) -> D:
        """The same but for some of its fields, which are checked together with the rest."""
        return self.from_fields({**self.fields, **changes})

    @classmethod
    def from_fields(cls: type[D], fields: Mapping[str, Any]) -> D:
        """A model of parts that were read already, which are checked as a whole."""
        new = object.__new__(cls)
        new._fill(**fields)
        return new

    @property
    def fields(self) -> dict[str, Any]:
        """All parts by name."""
        return {key: getattr(self, key) for key in self._FIELDS}

    # -- what stages read -------------------------------------------------------------------------------------------

    @property
    def odes(self) -> tuple[Equation, ...]:
        """The differential equations; one that keeps whether a neuron is refractory comes last, where that ends with a
        condition.
        """
        flag = (REFRACTORY,) if self.refractory and self.refractory.until else ()
        return (*(e for e in self.equations if e.is_ode), *flag)

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state variables, in the order of the equations."""
        return tuple(e.name for e in self.odes)

    @property
    def spike(self) -> DeclaredEvent | None:
        """The event that threshold and reset declare."""
        return next((event for event in self.events if event.name == SPIKE), None)

    @property
    def event_numbers(self) -> Mapping[str, int]:
        """Number of each event in kernels and their lists; 0 is the spike's, whether the model has one or not."""
        return event_numbers(event.name for event in self.events)

    @property
    def threshold(self) -> Expression | None:
        """Condition of the spike."""
        return self.spike.condition if self.spike else None

    @property
    def reset(self) -> tuple[Assignment, ...]:
        """Assignments of the spike."""
        return self.spike.assignments if self.spike else ()

    @property
    def spike_state(self) -> str | None:
        """The state that the threshold watches: the first one its condition reads, if need be through lines."""
        if self.threshold is None:
            return None
        read = self.reads(self.threshold.names)
        states = [*self.threshold.names, *(state for state in self.states if state in read)]
        return next((name for name in states if name in self.states), None)

    def reads(self, names: Iterable[str], *, frozen: bool = True) -> set[str]:
        """The ``names``, and what they read through algebraic lines and the currents of inputs.

        ``frozen`` says whether currents count that are held during a step, and so do not change in it.
        """
        currents = [c for c in self.currents if frozen or not self.is_held(c)]
        lines = {e.name: e.expression for e in self.equations if not e.is_ode}
        found, waiting = set[str](), list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += lines[name].names if name in lines else ()
                waiting += [other for c in currents if c.to == name for other in c.expression.names]
        return found

    def is_held(self, current: Current) -> bool:
        """Whether a current keeps its value during a step."""
        return current.held and not self.liquid

    def trigger_of(self, event: DeclaredEvent) -> Trigger:
        """Whether an event happens wherever its condition holds, or where that begins to hold."""
        if event.trigger is not Trigger.AUTO:
            return event.trigger
        read = self.reads(event.condition.names, frozen=False) & set(self.states)
        assigned = {assignment.state for assignment in event.assignments}
        return Trigger.RISING if self.changes_within_step(event) and not read & assigned else Trigger.LEVEL

    def changes_within_step(self, event: DeclaredEvent) -> bool:
        """Whether the condition of an event may be another at a step's end: it reads a state outside ``old(...)``."""
        return bool(self.reads(names_outside_old(event.condition), frozen=False) & set(self.states))

    @property
    def event_inputs(self) -> tuple[str, ...]:
        """The inputs that ``on_event`` declares."""
        return tuple(self.on_event)

    @property
    def is_held_for_a_time(self) -> bool:
        """Whether a refractory period of ``tau_ref`` follows a spike."""
        return self.refractory is not None and self.refractory.until is None

    @property
    def keeps_last_spike(self) -> bool:
        """Whether neurons keep ``t_last_spike``: for a refractory period, or because an expression reads it."""
        return self.is_held_for_a_time or self._reads_last_spike

    @property
    def delta_inputs(self) -> tuple[str, ...]:
        """Names ``<state>_delta`` of the instantaneous inputs that every state accepts."""
        return tuple(f"{name}_delta" for name in self.gradient_states)

    @property
    def gradient_states(self) -> tuple[str, ...]:
        """The states that have a gradient: those with a differential equation."""
        return tuple(e.name for e in self.equations if e.is_ode)

    @property
    def gradient_parameters(self) -> tuple[str, ...]:
        """The parameters that a gradient can be due of: all but the ``tau_ref`` of a refractory period."""
        return tuple(name for name in self.parameters if name != "tau_ref" or not self.is_held_for_a_time)

    @property
    def all_states(self) -> tuple[str, ...]:
        """State variables, ``refractory`` with a refractory period, and ``t_last_spike`` where neurons keep it."""
        refractory = (REFRACTORY.name,) if self.is_held_for_a_time else ()
        return (*self.states, *refractory, *((LAST_SPIKE,) if self.keeps_last_spike else ()))

    def unit_of(self, name: str) -> str:
        """Unit of a state, algebraic variable, parameter or input; an empty string when none was given."""
        if name in self.delta_inputs:
            return self.unit_of(name.removesuffix("_delta"))
        if name == LAST_SPIKE:
            return TIME
        of_equation = next((equation.unit for equation in self.equations if equation.name == name), "")
        return of_equation or self.units.get(name, "")

    # -- description ------------------------------------------------------------------------------------------------

    def describe(self) -> Iterator[str]:
        """Lines that state the whole declaration, in its own language."""
        yield from (str(equation) for equation in self.equations)
        for current in self.currents:
            how = "held during the step" if self.is_held(current) else "part of the equation"
            yield f"{current.to} += {current.expression.text}    ({how})"
        for noise in self.noise:
            yield f"d{noise.state} += ({noise.amplitude.text}) dW"
        yield from arrival_lines(self.on_event)
        for event in self.events:
            yield from event_lines(event, self.trigger_of(event))
        if self.refractory:
            yield f"refractory: {self.refractory}"

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
            [
                (e.name, e.trigger, e.condition.tree, [(a.state, a.expression.tree) for a in e.assignments])
                for e in self.events
            ],
            [(name, [(a.state, a.expression.tree) for a in value]) for name, value in self.on_event.items()],
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
