"""Inputs of a population on a cluster, cut for its shards and for stretches of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from izhigen.cluster import shards
from izhigen.cluster.connection import Connection
from izhigen.cluster.lazily import Grid, is_dask
from izhigen.errors import ValueShapeError
from izhigen.inputs.drawing import StreamKey
from izhigen.inputs.feeds import Divided, check_input_names, divided
from izhigen.memory.layout import Layout
from izhigen.model.model import Declaration

Array = Any
Future = Any


class ClusterInputs:
    """The inputs of one run.

    Attributes
    ----------
    names : tuple of str
        Of all that the kernel reads.
    """

    def __init__(
        self,
        model: Declaration,
        layout: Layout,
        grid: Grid,
        connection: Connection,
        options: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> None:
        check_input_names(inputs, (*model.inputs, *model.delta_inputs), model.name)
        self.names = (*model.inputs, *(name for name in model.delta_inputs if name in inputs))
        self._layout, self._grid, self._connection, self._options = layout, grid, connection, options
        self._values = dict(inputs)
        self._divided: dict[str, Divided] = {}
        self._held: dict[tuple[str, int], Future] = {}
        self._parts: dict[tuple[str, int, int], list[Future]] = {}

    def check(self, first_step: int, steps: int) -> None:
        """Refuse what no run could take; text becomes a stimulus."""
        dt = float(self._options["dt"])
        for name, value in self._values.items():
            if is_dask(value):
                if value.shape not in (self._layout.shape, (steps, *self._layout.shape)):
                    raise ValueShapeError(
                        f"input {name!r} has shape {value.shape}; give one value per neuron {self._layout.shape}, or "
                        f"one row per step {(steps, *self._layout.shape)}"
                    )
                continue
            span = (first_step, steps, dt, StreamKey(self._options["seed"]))
            self._divided[name] = divided(name, value, self._layout, *span)

    def of(self, number: int, offset: int, steps: int) -> tuple[dict[str, Any], dict[str, Future]]:
        """What a shard is given for some steps of the run: values, and parts of Dask arrays."""
        piece, given, parts = self._grid.pieces[number], {}, {}
        for name in self._values:
            if name not in self._divided:
                parts[name] = self._part(name, offset, steps)[number]
                continue
            own = self._divided[name].of(piece.first, piece.last, offset, steps)
            if not self._divided[name].is_held:
                given[name] = own
                continue
            if (name, number) not in self._held:  # numbers that all stretches of the run read are sent once
                self._held[name, number] = self._connection.submit(shards.same, own)
            parts[name] = self._held[name, number]
        return given, parts

    def _part(self, name: str, offset: int, steps: int) -> list[Future]:
        """The blocks of a Dask array for some steps, flat over neurons."""
        value = self._values[name]
        is_series = value.ndim > len(self._layout.shape)
        key = (name, offset, steps) if is_series else (name, 0, 0)
        if key not in self._parts:
            taken = value[offset : offset + steps] if is_series else value
            self._parts = {k: v for k, v in self._parts.items() if k[0] != name}
            self._parts[key] = self._connection.client.compute(self._grid.parts(taken))
        return self._parts[key]
