"""What a sweep is asked for: read, checked, and told from other sweeps."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from izhigen._version import __version__
from izhigen.api import Model
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.inputs.parts import GivenSpikes, OrnsteinUhlenbeck, White
from izhigen.inputs.stimuli import Stimulus
from izhigen.population.checks import check_seed
from izhigen.population.population import Population
from izhigen.sweeps.measures import Measures, read_measures
from izhigen.sweeps.sets import REPEAT, Place, Sets, Table, is_varied, label, read_sets

Array = Any

NOT_FOR_SWEEPS = ("size", "batch", "surrogate", "detach_spike", "spike_scale", "smooth_spikes", "sharding")
"""Options of populations that a sweep decides itself, or has no use for."""


@dataclass(frozen=True)
class Task:
    """What a sweep is to do.

    Attributes
    ----------
    model : Model
    sets : Sets
    options : mapping
        Of populations.
    fixed : mapping
        Parameters and initial states of all sets: a number, or a flat array of one a set, repeats counted.
    drives : mapping
        Inputs of all sets.
    measures : Measures
    steps, every : int
    """

    model: Model
    sets: Sets
    options: Mapping[str, Any]
    fixed: Mapping[str, Any]
    drives: Mapping[str, Any]
    measures: Measures
    steps: int = 0
    every: int = 1

    @property
    def is_input(self) -> frozenset[str]:
        """Names of inputs."""
        return frozenset((*self.model.inputs, *self.model.delta_inputs))

    def population(self, place: Place) -> Population:
        """The neurons of a piece."""
        given: dict[str, Any] = dict(self.options)
        given |= {name: v if isinstance(v, float) else v[place.first : place.last] for name, v in self.fixed.items()}
        varied = [name for name in self.sets.columns if name not in self.is_input]
        given |= {name: self.sets.take(name, place.first, place.last) for name in varied}
        found = self.model.population(place.last - place.first, **given)
        found.begin_at(0, first_neuron=place.first)
        return found

    def inputs(self, place: Place) -> dict[str, Any]:
        """Their inputs."""
        varied = [name for name in self.sets.columns if name in self.is_input]
        found = {name: v[place.first : place.last] if _is_flat(v) else v for name, v in self.drives.items()}
        return found | {name: self.sets.take(name, place.first, place.last) for name in varied}

    def bytes_a_set(self, itemsize: int) -> int:
        """Bytes that the values of a set take."""
        rows, extra = -(-self.steps // self.every), len(self.measures.functions)
        return 8 * (len(self.measures.figures) + extra + 1) + itemsize * rows * len(self.measures.traces)


def _is_flat(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1


def read_task(model: Model, values: Any, options: dict[str, Any], repeats: Any, measure: Any, record: Any) -> Task:
    """What is asked for, checked as far as that can be without a population."""
    names = () if isinstance(values, Mapping) else getattr(values, "columns", ())
    is_table = isinstance(values, Table) or len(names) > 0
    if is_table:
        values = {str(name): np.asarray(values[name]) for name in names}
    if not isinstance(values, Mapping):
        raise ValueShapeError(
            f"a sweep takes a mapping such as {{'a': [0.02, 0.1]}}, or a table, not {shown(type(values).__name__)}"
        )
    known = [*inspect.signature(Model.population).parameters][2:-1]
    chosen = {name: options[name] for name in known if name in options}
    refused = next((name for name in options if name in NOT_FOR_SWEEPS), None)
    if refused is not None:
        raise ValueShapeError(f"{refused}= is no option of a sweep, whose sets are the neurons")
    check_seed(chosen.get("seed", 0))
    fixed = {name: value for name, value in options.items() if name not in known}
    twice = next((name for name in fixed if name in values), None)
    if twice is not None:
        raise ValueShapeError(f"{shown(twice)} is given twice, in the values of the sweep and beside them")
    varied = {name: value for name, value in values.items() if is_table or is_varied(value)}
    fixed |= {name: value for name, value in values.items() if name not in varied}
    inputs = (*model.inputs, *model.delta_inputs)
    settable = (*model.parameters, *model.all_states, *inputs)
    for name in (*values, *fixed):
        if not isinstance(name, str) or name not in settable:
            raise ValueShapeError(
                f"model {model.name!r} has no parameter, state or input {shown(name)}{suggest(str(name), settable)} "
                f"(parameters: {', '.join(model.parameters)}; states: {', '.join(model.states)}; "
                f"inputs: {', '.join(inputs) or 'none'})"
            )
    units = {
        name: model.unit_of(name.removesuffix("_delta") if name in model.delta_inputs else name) for name in varied
    }
    sets = read_sets(varied, values if is_table else None, repeats, units)
    bad = next((name for name in sets.drives if name not in inputs), None)
    if bad is not None:
        raise ValueShapeError(f"the values of {shown(bad)} are text or stimuli, which only inputs take; give numbers")
    spread = partial(_spread, sets, check_seed(chosen.get("seed", 0)))
    of_all = {name: spread(name, value, name in inputs) for name, value in fixed.items()}
    for name in inputs:
        for drive in [of_all[name]] if name in of_all else sets.columns.get(name, ()) if name in sets.drives else ():
            _check_drive(name, drive)
    jumps = [name for name in model.delta_inputs if name in of_all or name in sets.columns]
    measures = read_measures(measure, record, model, (*sets.lengths, *sets.columns), jumps)
    return Task(
        model,
        sets,
        chosen,
        {name: value for name, value in of_all.items() if name not in inputs},
        {name: value for name, value in of_all.items() if name in inputs},
        measures,
    )


def _spread(sets: Sets, seed: int, name: str, value: Any, is_input: bool) -> Any:
    """A value of all sets: a number, one a set in flat order, or what drives an input."""
    if is_input and (isinstance(value, (str, Stimulus)) or getattr(value, "ndim", 0) > 1):
        array = None if isinstance(value, (str, Stimulus)) else np.asarray(value)
        if array is None or array.shape[1:] == (1,):
            return value
    shape = tuple(length for dim, length in sets.lengths.items() if dim != REPEAT)
    if callable(value) and not is_input:
        count = sets.count
        try:
            value = np.asarray(value(count, np.random.default_rng([seed, *name.encode()]))).reshape(sets.shape)
        except Exception as problem:  # a user's function may raise anything
            raise ValueShapeError(
                f"{name}: the callable failed with {type(problem).__name__}: {problem}; it is called as f(n, rng) "
                f"and returns {count} numbers"
            ) from problem
        return value.reshape(-1)
    array = np.asarray(value)
    if array.ndim == 0 and array.dtype.kind in "iuf":
        return float(array)
    if array.dtype.kind not in "iuf" or array.shape not in (shape, sets.shape):
        raise ValueShapeError(
            f"{shown(name)}: give a number, or an array of numbers in the shape of the sweep {shape}, not "
            f"{shown(value) if array.ndim == 0 else f'shape {array.shape}'}"
        )
    repeats = sets.count // math.prod(shape)
    return np.repeat(array.reshape(-1), 1 if array.shape == sets.shape else repeats)


def _check_drive(name: str, drive: Any) -> None:
    """Refuse stimuli that are of single neurons."""
    for part in drive.parts if isinstance(drive, Stimulus) else ():
        columns = part.columns if isinstance(part, (White, OrnsteinUhlenbeck)) else 1
        if isinstance(part, GivenSpikes) or columns > 1:
            raise ValueShapeError(
                f"input {shown(name)}: {drive.name} is of single neurons, and those of a sweep are its sets; give a "
                "stimulus that all of them share, or one drawn for each, as iz.inputs.poisson"
            )


def attributes_of(task: Task) -> dict[str, Any]:
    """What was run, as attributes of the result."""
    population = inspect.signature(Model.population).parameters
    names = ("dt", "method", "spike_timing", "backend", "dtype", "seed")
    options = {name: task.options.get(name, population[name].default) for name in names}
    options["dtype"] = np.dtype(options["dtype"]).name
    fixed = {name: v for name, v in {**task.fixed, **task.drives}.items() if isinstance(v, float)}
    drives = {name: label(v) for name, v in task.drives.items() if isinstance(v, (str, Stimulus))}
    return {
        "model": task.model.name,
        "duration": task.steps * float(options["dt"]),
        **options,
        **{f"{name}_": value for name, value in {**fixed, **drives}.items()},
        "izhigen": __version__,
    }


def key_of(task: Task) -> str:
    """What tells one sweep from another: all that its values follow from."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            found.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, Mapping):
            for name, part in value.items():
                found.update(f"{name}:".encode())
                add(part)
        elif isinstance(value, (tuple, list)):
            for part in value:
                add(part)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            found.update(type(value).__name__.encode())
            add({f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name != "made" and f.init})
        elif callable(value):
            found.update(str(getattr(value, "__qualname__", "")).encode())
        else:
            found.update(f"{type(value).__name__}{value!r};".encode())

    options = {n: np.dtype(v).name if n == "dtype" else v for n, v in task.options.items() if n != "threads"}
    add([__version__, str(task.model), dict(task.model.parameters), options, task.sets, task.fixed, task.drives])
    add([task.measures, task.steps, task.every])
    return found.hexdigest()
