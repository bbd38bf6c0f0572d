"""What a sweep is asked for: read, checked, and told from other sweeps."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from izhigen._version import __version__
from izhigen.api import Model
from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.inputs.parts import GivenSpikes, OrnsteinUhlenbeck, Part, Poisson, Section, Series, White
from izhigen.inputs.stimuli import Stimulus
from izhigen.memory.layout import Layout
from izhigen.memory.pieces import Piece
from izhigen.memory.space import refuse_masked
from izhigen.population.checks import check_dtype, check_seed
from izhigen.population.distributions import Distribution
from izhigen.population.population import Population
from izhigen.scalars import carries_unit, check_count, read_finite
from izhigen.sweeps.measures import Measures, read_measures
from izhigen.sweeps.results import Coordinate
from izhigen.sweeps.sets import REPEAT, Sets, is_varied, label, read_sets
from izhigen.timegrid import check_dt, count_steps
from izhigen.units.quantities import plain

Array = Any

DEFAULTS: dict[str, Any] = {
    name: parameter.default
    for name, parameter in inspect.signature(Model.population).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}
"""Options of populations by name."""
NOT_FOR_SWEEPS = ("size", "batch", "surrogate", "detach_spike", "spike_scale", "smooth_spikes", "sharding")
"""Those that a sweep decides itself, or has no use for."""
SAME_VALUES = ("threads", "device", "steps_per_launch")
"""Those that no value depends on."""
TOLD = ("dt", "method", "spike_timing", "backend", "dtype", "seed")
"""Those that a result tells."""


@dataclass(frozen=True)
class Task:
    """What a sweep is to do.

    Attributes
    ----------
    model : Model
    sets : Sets
    options : mapping
        Of populations, all of them.
    fixed : mapping
        Parameters and initial states of all sets: a number, or a flat array of one a set in the order of runs.
    drives : mapping
        Inputs of all sets: the same, or text, a stimulus, or one row a step.
    coordinates : mapping
        Labels of the result: what varies, and numbers that were given for all sets.
    measures : Measures
    steps, every : int
    """

    model: Model
    sets: Sets
    options: Mapping[str, Any]
    fixed: Mapping[str, Any]
    drives: Mapping[str, Any]
    coordinates: Mapping[str, Coordinate]
    measures: Measures
    steps: int
    every: int

    @property
    def rows(self) -> int:
        """Rows of a trace."""
        return -(-self.steps // self.every)

    @property
    def duration(self) -> float:
        """ms."""
        return self.steps * float(self.options["dt"])

    @property
    def itemsize(self) -> int:
        """Bytes of a number of the kernel."""
        return int(np.dtype(self.options["dtype"]).itemsize)

    def population(self, piece: Piece) -> Population:
        """The neurons of a piece."""
        given: dict[str, Any] = dict(self.options)
        given |= {name: _part(value, piece) for name, value in self.fixed.items()}
        given |= {name: self.sets.take(name, piece) for name in self.sets.columns if name not in _inputs(self.model)}
        found = self.model.population(piece.last - piece.first, **given)
        found.begin_at(0, first_index=piece.first)
        return found

    def inputs(self, piece: Piece) -> dict[str, Any]:
        """Their inputs."""
        found = {name: _part(value, piece) for name, value in self.drives.items()}
        found |= {name: self.sets.take(name, piece) for name in self.sets.columns if name in _inputs(self.model)}
        whole = Layout((self.sets.count,), None, np.dtype(self.options["dtype"]))
        return {
            name: value.of_neurons(whole, piece.first, piece.last) if isinstance(value, Stimulus) else value
            for name, value in found.items()
        }

    @property
    def attributes(self) -> dict[str, Any]:
        """What was run, as attributes of the result."""
        told = {name: self.options[name] for name in TOLD}
        drives = {f"input {n}": label(v) for n, v in self.drives.items() if isinstance(v, (str, Stimulus))}
        about = {"model": self.model.name, "duration": self.duration, **told, **drives}
        return {**about, "izhigen": __version__}


def _inputs(model: Model) -> tuple[str, ...]:
    return (*model.inputs, *model.delta_inputs)


def _part(value: Any, piece: Piece) -> Any:
    """That of a piece: numbers of all sets are cut."""
    return value[piece.first : piece.last] if isinstance(value, np.ndarray) and value.ndim == 1 else value


def read_task(
    model: Model,
    values: Any,
    options: dict[str, Any],
    *,
    time: tuple[Any, Any],
    repeats: Any,
    every: Any,
    measure: Any,
    record: Any,
) -> Task:
    """What is asked for, checked as far as that can be without a population; ``time`` is a duration and a number of
    steps, one of them None.
    """
    values, is_table = _read_values(values)
    chosen, given = _read_options(options)
    twice = next((name for name in given if name in values), None)
    if twice is not None:
        raise ValueShapeError(f"{shown(twice)} is given twice, in the values of the sweep and beside them")
    varied = {name: value for name, value in values.items() if is_table or is_varied(value)}
    given |= {name: value for name, value in values.items() if name not in varied}
    _check_names(model, (*values, *given), is_table)
    varied, given = _plain(model, varied), _plain(model, given)
    sets = read_sets(varied, is_table, repeats, {name: model.unit_of(name) for name in varied})
    for name, column in sets.columns.items():
        if isinstance(column, np.ndarray):
            _check_range(name, column, chosen["dtype"])
    inputs = _inputs(model)
    bad = next((name for name in sets.drives if name not in inputs), None)
    if bad is not None:
        raise ValueShapeError(f"the values of {shown(bad)} are text or stimuli, which only inputs take; give numbers")
    of_all = {name: _spread(model, sets, chosen["seed"], name, value) for name, value in given.items()}
    for name, value in of_all.items():
        if isinstance(value, (float, np.ndarray)):
            _check_range(name, np.asarray(value, np.float64), chosen["dtype"])
    for name in inputs:
        for drive in (
            *([of_all[name]] if name in of_all else []),
            *(sets.columns[name] if name in sets.drives else ()),
        ):
            _check_drive(name, drive, sets)
    jumps = [name for name in model.delta_inputs if name in of_all or name in sets.columns]
    coordinates = _coordinates(model, sets, of_all, given)
    return Task(
        model,
        sets,
        chosen,
        {name: value for name, value in of_all.items() if name not in inputs},
        {name: value for name, value in of_all.items() if name in inputs},
        coordinates,
        read_measures(measure, record, model, (*sets.lengths, *coordinates), jumps),
        count_steps(*time, chosen["dt"]),
        check_count("every", every),
    )


def _read_values(values: Any) -> tuple[dict[str, Any], bool]:
    """The values by name, and whether they are the columns of a table."""
    if isinstance(values, Mapping):
        return dict(values), False
    columns = getattr(values, "columns", None)
    if columns is None or callable(columns):
        raise ValueShapeError(
            f"a sweep takes a mapping such as {{'a': [0.02, 0.1]}}, or a table, not {shown(type(values).__name__)}"
        )
    found = {str(name): values[name] for name in columns}
    return {n: v if isinstance(v, np.ndarray) or carries_unit(v) else _as_array(n, v) for n, v in found.items()}, True


def _plain(model: Model, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by name, those that bring a unit as numbers in the model's. Text for an input is in t."""
    inputs = _inputs(model)
    return {
        name: plain(value, model.unit_of(name), name, ValueShapeError)
        if carries_unit(value) or name not in inputs
        else value
        for name, value in values.items()
    }


def _as_array(name: str, value: Any) -> Array:
    """A value as an array, wherever it comes from."""
    try:
        return np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    except (TypeError, ValueError, MemoryError) as problem:
        raise ValueShapeError(
            f"{shown(name)}: {problem}; give a number, or numbers in the shape of the sweep"
        ) from None


def _read_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of populations, each in its one form, and what else is given."""
    refused = next((name for name in options if name in NOT_FOR_SWEEPS), None)
    if refused is not None:
        raise ValueShapeError(f"{refused}= is no option of a sweep, whose sets are the neurons")
    used = {name: value for name, value in DEFAULTS.items() if name not in NOT_FOR_SWEEPS}
    chosen = {name: options.get(name, default) for name, default in used.items()}
    chosen |= {"dt": check_dt(chosen["dt"]), "dtype": np.dtype(check_dtype(chosen["dtype"])).name}
    chosen |= {"seed": check_seed(chosen["seed"]), "threads": check_count("threads", chosen["threads"])}
    return chosen, {name: value for name, value in options.items() if name not in chosen}


def _check_names(model: Model, names: Iterable[Any], is_table: bool) -> None:
    inputs = _inputs(model)
    settable = (*model.parameters, *model.all_states, *inputs)
    known = (*settable, *DEFAULTS, "duration", "steps", "measure", "record", "repeats", "every", "out", "memory")
    for name in names:
        if not isinstance(name, str) or name not in settable:
            advice = "; of a table take the columns that are meant, as frame[['a', 'I']]" if is_table else ""
            raise ValueShapeError(
                f"model {model.name!r} has no parameter, state or input {shown(name)}{suggest(str(name), known)} "
                f"(parameters: {', '.join(model.parameters)}; states: {', '.join(model.states)}; "
                f"inputs: {', '.join(inputs) or 'none'}){advice}"
            )


def _check_range(name: str, values: Array, dtype: str) -> None:
    """Refuse numbers that are not finite in the kernel's type."""
    with np.errstate(over="ignore", invalid="ignore"):
        bad = np.flatnonzero(~np.isfinite(values.astype(dtype)))
    if len(bad):
        raise ValueShapeError(
            f"{shown(name)} is {values.reshape(-1)[bad[0]]:g} at {int(bad[0])}, which is not finite, or too large for "
            f"{dtype}"
        )


def _coordinates(
    model: Model, sets: Sets, of_all: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Coordinate]:
    """Labels of what varies; numbers of all sets; and arrays of numbers that were given in their shape."""
    found = {n: Coordinate((dim,), values, sets.units.get(n, "")) for n, (dim, values) in sets.coordinates.items()}
    for name, value in of_all.items():
        unit = model.unit_of(name)
        if isinstance(value, float):
            found[name] = Coordinate((), np.array(value), unit)
        elif isinstance(value, np.ndarray) and value.ndim == 1 and not _is_drawn(given[name]):
            found[name] = Coordinate(tuple(sets.lengths), value.reshape(sets.shape), unit)
    return found


def _is_drawn(value: Any) -> bool:
    """Whether a value says how numbers are drawn."""
    return callable(value) or isinstance(value, Distribution)


def _spread(model: Model, sets: Sets, seed: int, name: str, value: Any) -> Any:
    """A value of all sets: a number, one a set in the order of runs, or what drives an input."""
    is_input = name in _inputs(model)
    refuse_masked(name, value)
    if is_input and isinstance(value, (str, Stimulus)):
        return value
    if callable(value) and not is_input:
        return sets.as_run(_drawn(model, sets, seed, name, value))
    if isinstance(value, Distribution) and not is_input:
        return sets.as_run(value.draw(sets.count, seed, name))
    shape = tuple(sets.lengths[dim] for dim in sets.order if dim != REPEAT)
    if isinstance(value, (str, bytes)) or callable(value):
        raise ValueShapeError(f"{shown(name)}: give a number, or numbers in the shape of the sweep {shape}")
    array = _as_array(name, value)
    if array.ndim == 0:
        return read_finite(value, name)
    if is_input and array.ndim == 2 and array.shape[1] == 1 and array.shape not in (shape, sets.shape_of_result):
        return array
    if array.dtype.kind not in "iuf" or array.shape not in (shape, sets.shape_of_result):
        kind = "" if array.dtype.kind in "iuf" else f" of {array.dtype}"
        raise ValueShapeError(
            f"{shown(name)} has shape {array.shape}{kind}: give a number, or numbers in the shape of the sweep {shape}"
            + ("; a course in time is iz.inputs.from_array, or one row a step, (T, 1)" if is_input else "")
        )
    repeats = 1 if array.shape == sets.shape_of_result else sets.count // math.prod(shape)
    return sets.as_run(np.repeat(array.reshape(-1), repeats).astype(np.float64))


def _drawn(model: Model, sets: Sets, seed: int, name: str, function: Any) -> Array:
    """What a callable gives for all sets, in the order of the result."""
    try:
        given = function(sets.count, np.random.default_rng([seed, *name.encode()]))
        found = np.asarray(plain(given, model.unit_of(name), name, ValueShapeError), np.float64)
        return np.broadcast_to(found, sets.count) if found.ndim == 0 else found.reshape(sets.count)
    except ValueShapeError:
        raise
    except Exception as problem:  # a user's function may raise anything
        raise ValueShapeError(
            f"{name}: the callable failed with {type(problem).__name__}: {problem}; it is called as f(n, rng) and "
            f"returns {sets.count} numbers"
        ) from problem


def _check_drive(name: str, drive: Any, sets: Sets) -> None:
    """Refuse stimuli of single neurons, but a Wiener process of one column a set; and repeats of one path."""
    own = 0
    for part in drive.parts if isinstance(drive, Stimulus) else ():
        if isinstance(part, White) and part.columns == sets.count > 1:
            own += 1
            continue
        columns = part.columns if isinstance(part, (White, OrnsteinUhlenbeck)) else 0
        if isinstance(part, GivenSpikes) or columns > 1 or _has_columns(part):
            raise ValueShapeError(
                f"input {shown(name)}: {drive.name} is of single neurons, and those of a sweep are its {sets.count} "
                f"sets; give a stimulus that all of them share, iz.inputs.wiener(..., n={sets.count}), or "
                "iz.inputs.poisson, which is drawn for each"
            )
        if columns and REPEAT in sets.lengths:
            raise ValueShapeError(
                f"input {shown(name)}: {drive.name} is one path, the same in every repeat; take "
                f"iz.inputs.wiener(..., n={sets.count}), or model.with_noise, which draws one for each set"
            )
    if own > 1:
        raise ValueShapeError(f"input {shown(name)}: {drive.name} adds several paths a set; give one of their sum")


def _has_columns(part: Part) -> bool:
    """Whether a part has numbers for single neurons."""
    if isinstance(part, Poisson):
        return any(np.size(value) > 1 for value in (part.rate, part.weight) if isinstance(value, np.ndarray))
    return isinstance(part, (Section, Series)) and part.values.ndim > 1 and part.values[:1].size > 1


def key_of(task: Task) -> str:
    """What tells one sweep from another: all that its values follow from, as far as that can be seen."""
    found = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, np.ndarray):
            found.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, Mapping):
            for name, part in value.items():
                found.update(f"{name}:".encode(errors="replace"))
                add(part)
        elif isinstance(value, (tuple, list)):
            found.update(f"[{len(value)}".encode())
            for part in value:
                add(part)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            found.update(type(value).__name__.encode())
            add({f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name != "made" and f.init})
        elif callable(value):
            add(_code_of(value))
        else:
            found.update(f"{type(value).__name__}{value!r};".encode(errors="replace"))

    options = {name: value for name, value in task.options.items() if name not in SAME_VALUES}
    add([__version__, task.model.content, options, task.sets, task.fixed, task.drives])
    add([task.measures, task.steps, task.every])
    return found.hexdigest()


def _code_of(function: Any) -> list[Any]:
    """What a function does, as far as it can be told: its code, and the values in it."""
    if isinstance(function, functools.partial):
        return ["partial", _code_of(function.func), function.args, function.keywords]
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if code is None:
        return [name, {key: repr(value) for key, value in getattr(function, "__dict__", {}).items()}]
    inside = [cell.cell_contents for cell in function.__closure__ or ()]
    values = [
        part if isinstance(part, np.ndarray) else repr(part) for part in (*inside, *(function.__defaults__ or ()))
    ]
    inner = [part.co_code if hasattr(part, "co_code") else repr(part) for part in code.co_consts]
    return [name, code.co_code, code.co_names, inner, values]
