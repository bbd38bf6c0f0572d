"""The neurons of a population: parameters, states and time, where they lie, and copies of them to go back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from izhigen.backends.engine import NO_OUTPUTS, Block, Outputs, PreparedStep, Source
from izhigen.inputs.drawing import StreamKey
from izhigen.memory.layout import Layout
from izhigen.memory.space import fetch
from izhigen.model.model import Declaration
from izhigen.population.exclusive import Use, exclusive
from izhigen.population.values import fresh_states, value_of
from izhigen.signals import SignalsDeferred

Array = Any

SPIKE_FLAG = "spike"
"""Key of the spike flags in a snapshot; no state has that name."""


class Neurons:
    """Neurons of one model: their numbers, and the number of steps that they have made.

    A population owns them; its runs, its views and its errors are given them. Whoever advances them by a block counts
    its steps in ``steps_done``.

    Attributes
    ----------
    model : Declaration
    layout : Layout
        Shape and number type of the arrays.
    space : Space
        The memory that they lie in.
    dt : float
        Step in ms.
    seed, threads, steps_per_launch
        As in a :class:`~izhigen.backends.engine.Block`.
    given : mapping
        Parameter values and initial states as they were given; a reset with another batch axis reads them again.
    parameters : mapping
        Name to a float, or to a flat array of one value a neuron.
    state : mapping
        Name to a flat array, which stays the same one while the layout does.
    spike : array of uint8, shape (n,)
        Who spiked in the last step.
    steps_done : int
        Steps since the last reset.
    first_index : int
        Index of the first neuron in random streams.
    located : bool
        Whether events happen inside steps.
    prepared : mapping
        Steps that engines have prepared for the present arrays and parameters; empty again when these are replaced.
    """

    def __init__(
        self,
        model: Declaration,
        layout: Layout,
        dt: float,
        seed: int,
        uses: dict[str, Use],
        threads: int = 1,
        steps_per_launch: int | None = None,
        *,
        located: bool = False,
    ) -> None:
        self.located = located
        self.model, self.layout, self.space = model, layout, layout.space
        self.dt, self.seed, self.threads, self.steps_per_launch = dt, seed, threads, steps_per_launch
        self.given: Mapping[str, Any] = {}
        self.parameters: Mapping[str, float | Array] = {}
        self.state: dict[str, Array] = {}
        self.spike: Array = self.space.zeros(layout.count, np.uint8)
        self.steps_done = self.first_index = 0
        self.prepared: dict[tuple[Any, ...], PreparedStep] = {}
        self._kept: dict[int, dict[str, Array]] = {}
        self._uses = uses  # the population's, so that whoever uses it uses its neurons

    def share(self, uses: dict[str, Use]) -> None:
        """Be used by one at a time together with others, as a population of a network is with all of it."""
        self._uses = uses

    @property
    def uses(self) -> dict[str, Use]:
        """What is under way with the population that owns them."""
        return self._uses

    @property
    def t(self) -> float:
        """Time in ms."""
        return self.steps_done * self.dt

    @property
    def per_neuron(self) -> tuple[str, ...]:
        """Parameters that have one value per neuron now."""
        return tuple(p for p in self.model.parameters if not isinstance(self.parameters[p], float))

    @property
    def state_bytes(self) -> int:
        """Bytes of all states."""
        return sum(values.nbytes for values in self.state.values())

    def read(self, name: str, value: Any, layout: Layout | None = None) -> float | Array:
        """The checked value of a parameter or state; see :func:`~izhigen.population.values.value_of`."""
        return value_of(self.model, name, value, self.layout if layout is None else layout, self.seed)

    @property
    def key(self) -> StreamKey:
        """What keys random streams."""
        return StreamKey(self.seed, self.first_index)

    # -- changes ----------------------------------------------------------------------------------------------------

    def begin(self, layout: Layout) -> None:
        """Set the states to their initial values and time to 0; in another layout, parameters are read again.

        Raises
        ------
        ValueShapeError
            When a value that was given does not fit; everything is then as it was.
        """
        with self.space.use():
            parameters = self.parameters
            if layout != self.layout or not parameters:
                parameters = {
                    name: self.read(name, self.given.get(name, default), layout)
                    for name, default in self.model.parameters.items()
                }
            fresh = fresh_states(self.model, self.given, parameters, layout, self.seed)
            # Nothing above changes anything, so a value that does not fit, or an interrupt, leaves all as it was.
            with SignalsDeferred():
                self.layout, self.parameters, self.steps_done = layout, parameters, 0
                self.prepared.clear()
                self.spike = self.space.zeros(layout.count, np.uint8)
                for name, values in fresh.items():  # arrays that a user holds stay live
                    if name not in self.state or self.state[name].shape != (layout.count,):
                        self.state[name] = self.space.zeros(layout.count, values.dtype)
                    self.space.write(self.state[name], values)

    def number_from(self, first_index: int) -> None:
        """Another index of the first neuron in random streams."""
        self.first_index = first_index
        self.prepared = {}

    @exclusive
    def set_parameter(self, name: str, value: Any) -> None:
        """Another value for the steps to come."""
        with self.space.use():
            found = self.read(name, value)
        parameters, given = {**self.parameters, name: found}, {**self.given, name: value}
        # One call of C code, which no interrupt divides: a step prepared before holds the old value.
        self.__dict__.update(parameters=parameters, given=given, prepared={})

    @exclusive
    def set_state(self, name: str, value: Any) -> None:
        """Write into a state's array."""
        with self.space.use():
            found = self.read(name, value)
            with SignalsDeferred():
                self.space.write(self.state[name], found)

    def take(
        self,
        given: Mapping[str, Any],
        parameters: Mapping[str, float | Array],
        state: Mapping[str, Array],
        spike: Array,
        steps_done: int,
    ) -> None:
        """Take the numbers of others of the same layout, in arrays of their own."""

        def own(values: Array) -> Array:
            array = self.space.zeros(len(values), values.dtype)
            self.space.write(array, values)
            return array

        with self.space.use():
            self.given, self.steps_done = dict(given), steps_done
            self.parameters = {
                name: value if isinstance(value, float) else own(value) for name, value in parameters.items()
            }
            self.state = {name: own(values) for name, values in state.items()}
            self.spike = own(spike)

    # -- blocks and copies ------------------------------------------------------------------------------------------

    def block(
        self,
        inputs: Mapping[str, Source],
        steps: int,
        check_finite: bool,
        first_step: int | None = None,
        outputs: Outputs = NO_OUTPUTS,
    ) -> Block:
        """Steps to make, from the present one where no other is given."""
        return Block(
            first_step=self.steps_done if first_step is None else first_step,
            steps=steps,
            dt=self.dt,
            seed=self.seed,
            state=self.state,
            parameters=self.parameters,
            inputs=inputs,
            outputs=outputs,
            spike_flag=self.spike,
            threads=self.threads,
            first_index=self.first_index,
            check_finite=check_finite,
            steps_per_launch=self.steps_per_launch,
        )

    def snapshot(self, slot: int = 0) -> dict[str, Array]:
        """Copies of the states and of who spiked, in arrays that are used again for the same slot."""
        kept = self._kept.setdefault(slot, {})
        for name, values in (*self.state.items(), (SPIKE_FLAG, self.spike)):
            if name in kept and kept[name].shape == values.shape:
                kept[name][...] = values
            else:
                kept[name] = values.copy()
        return kept

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Go back to a snapshot; the steps are counted by whoever does."""
        for name, values in snapshot.items():
            (self.spike if name == SPIKE_FLAG else self.state[name])[...] = values

    def states_of(self, neuron: int) -> dict[str, float]:
        """The states of one neuron, for messages."""
        return {name: float(fetch(self.state[name][neuron])) for name in self.model.states}
