"""A synapse as equations: what the spikes that arrive at a neuron do to states of its own, and the current of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from izhigen.errors import ModelError, shown
from izhigen.model.equations import Equation, parse_equations
from izhigen.model.events import Assignment, parse_assignments
from izhigen.model.expressions import Binary, Name, check_name, renamed

WEIGHT = "w"
"""What the weight of a spike is called in ``on_spike``."""
ARRIVALS = "_spikes"
"""Added to the name of a synapse of several states: the input that takes what arrives."""


@dataclass(frozen=True)
class Synapse:
    """A synapse that :meth:`~izhigen.model.composition.Composable.with_synapse` adds to a model.

    All spikes that arrive in a step act together: ``w`` in ``on_spike`` is the sum of their weights.

    >>> import izhigen as iz
    >>> ampa = iz.Synapse(
    ...     states="ds/dt = -s/tau", current="g_max*s*(E - V)", on_spike="s += w",
    ...     parameters={"tau": 5.0, "g_max": 0.1, "E": 0.0},
    ... )
    >>> iz.load("RS").with_synapse(ampa).states
    ('V', 'u', 's')

    Parameters
    ----------
    states : str or mapping
        Equations of its states and lines, in the equation language.
    current : str, optional
        The current that it adds to an input of the neuron, in that input's unit; it may read the neuron's names.
    on_spike : str
        Assignments in a step in which spikes arrive, made after integration; ``w`` is the sum of their weights.
    name : str, optional
        What ``to=`` of a connection calls it; by default its first state, or the first one that spikes act on.
    to : str, optional
        The input of the neuron that the current adds to; by default the first one.
    held : bool
        Whether the current is held during a step; see :meth:`~izhigen.model.composition.Composable.with_current`.
    voltage : str
        The neuron's membrane potential, whose unit is ``{voltage}``.
    parameters, initial, units : mapping, optional
        Of its own names, as a model takes them; in units, ``{current}`` and ``{voltage}`` stand for the neuron's.
    """

    states: Any = ""
    current: Any = None
    on_spike: Any = ""
    name: str | None = None
    to: str | None = None
    held: bool = True
    voltage: str = "V"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    initial: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name is not None:
            check_name(self.name, "name of a synapse")
        if not any(WEIGHT in each.expression.names for each in self._assignments):
            raise ModelError(
                f"on_spike: {shown(str(self.on_spike))} does not read w, the weight of what arrives; "
                "write such as on_spike='s += w'"
            )
        if WEIGHT in {*self.parameters, *(each.name for each in self._equations)}:
            raise ModelError("w is the weight of what arrives, in on_spike; give the synapse's own name another one")

    @property
    def _equations(self) -> tuple[Equation, ...]:
        return parse_equations(self.states) if self.states else ()

    @property
    def _assignments(self) -> tuple[Assignment, ...]:
        return parse_assignments(self.on_spike, "on_spike")

    @property
    def own_states(self) -> tuple[str, ...]:
        """Names of its states."""
        return tuple(each.name for each in self._equations if each.is_ode)

    @property
    def label(self) -> str:
        """What a connection calls it."""
        return self.name or (*self.own_states, self._assignments[0].state)[0]

    @property
    def receiver(self) -> str:
        """What takes the weights: an event input, or where all that they do is add to a state, that state."""
        first, *others = self._assignments
        tree = first.expression.tree
        if isinstance(tree, Binary) and tree.operator == "+" and not others and first.state == self.label:
            added = {side.id for side in (tree.left, tree.right) if isinstance(side, Name)}
            if added == {first.state, WEIGHT}:
                return first.state
        return f"{self.label}{ARRIVALS}"

    def part(self, current_unit: str = "", voltage_unit: str = "") -> dict[str, Any]:
        """The arguments of :meth:`~izhigen.model.composition.Composable.with_part` for a neuron.

        Its current has the unit ``current_unit``, its voltage ``voltage_unit``; where either is an empty text, names
        whose units need it have none.
        """
        known = {"current": current_unit, "voltage": voltage_unit}
        units = {
            name: unit.format(**known)
            for name, unit in self.units.items()
            if all(known[key] for key in known if f"{{{key}}}" in unit)
        }
        found: dict[str, Any] = {
            "equations": self.states or None,
            "current": self.current,
            "to": self.to,
            "held": self.held,
            "parameters": self.parameters,
            "initial": self.initial,
        }
        if self.receiver != self.label:
            names = {WEIGHT: self.receiver}
            found["on_event"] = {
                self.receiver: "; ".join(f"{a.state} = {renamed(a.expression, names).text}" for a in self._assignments)
            }
            if WEIGHT in units:
                units[self.receiver] = units[WEIGHT]
        units.pop(WEIGHT, None)
        return {**found, "units": units}


__all__ = ["ARRIVALS", "Synapse"]
