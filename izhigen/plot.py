"""Pictures: traces with spikes marked, rasters, and the state plane with nullclines computed from the equations.

Every function draws into given axes or makes a figure of its own, returns what it drew on, and labels axes with units.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.arrays import fetch
from izhigen.errors import RecordingError, ValueShapeError, suggest
from izhigen.files import write_file
from izhigen.model.expressions import Compare, Expression, Name
from izhigen.model.model import Declaration
from izhigen.recording import Recording

Axes = Any
MOST_TRACES = 6
"""Neurons drawn in a trace plot unless they are chosen."""


def _figure(rows: int = 1, height: float = 2.2, **options: Any) -> tuple[Any, list[Axes]]:
    """A new figure with rows of axes; a figure window only where pyplot has a display to show it on."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        rows, 1, figsize=(8.0, 0.8 + height * rows), squeeze=False, layout="constrained", **options
    )
    return figure, list(axes[:, 0])


def picture_format(path: str | Path) -> str:
    """The format that a picture's suffix names, as matplotlib calls it.

    Raises
    ------
    RecordingError
        For a suffix that matplotlib does not know; lists those that it does.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    known = sorted(FigureCanvasBase.get_supported_filetypes())
    kind = os.path.splitext(path)[1].lower().lstrip(".")
    if kind not in known:
        raise RecordingError(f"{path}: the name of a picture must end in one of .{', .'.join(known)}")
    return kind


def save(figure: Any, path: str | Path, *, dpi: float = 130) -> None:
    """Write a figure to a picture in the format that the suffix names, in the place of one that is there only when it is whole.

    Raises
    ------
    RecordingError
        For an unknown suffix, or when the disk refuses; a picture that was there is then as it was.
    """
    kind, content = picture_format(path), io.BytesIO()
    try:
        figure.savefig(content, format=kind, dpi=dpi)
        write_file(path, content.getbuffer())
    except (OSError, ValueError) as problem:
        raise RecordingError(f"the picture {path} cannot be written: {problem}") from problem


def _label(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit and unit != "1" else name


def _read(recording: Recording, name: str, columns: Sequence[int]) -> Any:
    """Columns of a trace as (rows, columns); of a recording on disk, no others are kept in memory."""
    values = recording[name]
    if values.ndim == 2:
        return fetch(values[:, list(columns)])
    return np.stack(
        [fetch(values[(slice(None), *map(int, np.unravel_index(column, recording.shape)))]) for column in columns],
        axis=1,
    )


def _spikes(recording: Recording) -> tuple[Any, Any]:
    """Times and neurons of the spikes, on the host."""
    times, indices = recording.spikes
    return fetch(times), fetch(indices)


def _columns(recording: Recording, neurons: Sequence[int] | None) -> list[tuple[int, int]]:
    """Pairs (column of a trace, flat neuron index) to draw."""
    available = np.arange(int(np.prod(recording.shape))) if recording.neurons is None else recording.neurons
    if neurons is None:
        return [(k, int(index)) for k, index in enumerate(available[:MOST_TRACES])]
    place = {int(index): k for k, index in enumerate(available)}
    missing = [index for index in neurons if index not in place]
    if missing:
        raise RecordingError(
            f"neuron {missing[0]} was not recorded (recorded: {len(available)} neurons, {available[0]} ... {available[-1]})"
        )
    return [(place[index], int(index)) for index in neurons]


def traces(
    recording: Recording, name: str | None = None, *, neurons: Sequence[int] | None = None, ax: Axes = None
) -> Axes:
    """Draw a state over time, one line a neuron; spikes of the threshold's state are marked above its trace.

    ``name`` defaults to the first recorded state; ``neurons`` to the first six.
    """
    chosen = name or next(iter(recording.traces), None)
    if chosen is None:
        raise RecordingError("no state was recorded; run with record=['V', 'spike'] to draw traces")
    axes = _figure()[1][0] if ax is None else ax
    columns = _columns(recording, neurons)
    values, t = _read(recording, chosen, [column for column, _ in columns]), np.asarray(recording.t)
    marked = (
        _spikes(recording)
        if recording.spike_times is not None and chosen == recording.info.get("spike_state")
        else None
    )
    for (_, index), trace in zip(columns, values.T):
        (line,) = axes.plot(t, trace, lw=0.9, label=f"neuron {index}")
        if marked is not None:
            times = marked[0][marked[1] == index]
            top = values.max() + 0.06 * np.ptp(values) if values.size else 0.0
            axes.plot(times, np.full(len(times), top), "v", ms=4, color=line.get_color())
    axes.set_xlabel("time (ms)")
    axes.set_ylabel(_label(chosen, recording.info.get("units", {}).get(chosen, "")))
    if len(columns) > 1:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small", frameon=False)
    return axes


def raster(recording: Recording, *, ax: Axes = None) -> Axes:
    """Draw every spike as a dot at its time and neuron index."""
    times, indices = _spikes(recording)
    axes = _figure()[1][0] if ax is None else ax
    count = int(np.prod(recording.shape))
    size = float(np.clip(4000.0 / max(count, 1), 1.0, 40.0))
    axes.scatter(times, indices, s=size, marker="|" if count <= 200 else ".", linewidths=0.9, color="black")
    if recording.stop > recording.start:
        axes.set_xlim(recording.start, recording.stop)
    axes.set_ylim(-0.5, count - 0.5)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("neuron index")
    if count <= 12:
        axes.set_yticks(range(count))
    return axes


def recording(
    recording: Recording, *, states: Sequence[str] | None = None, neurons: Sequence[int] | None = None
) -> Any:
    """Draw each recorded state and, below, the raster; returns the figure."""
    names = list(recording.traces) if states is None else list(states)
    with_raster = recording.spike_times is not None and bool(recording.info.get("threshold"))
    rows = len(names) + with_raster
    if rows == 0:
        raise RecordingError("nothing was recorded; name states in record=[...], as in run(500.0, record=['V'])")
    figure, axes = _figure(rows, sharex=True)
    for name, ax in zip(names, axes):
        traces(recording, name, neurons=neurons, ax=ax)
    if with_raster:
        raster(recording, ax=axes[-1])
    for ax in axes[:-1]:
        ax.set_xlabel("")
    for ax in axes[1:]:
        if ax.get_legend() is not None:
            ax.get_legend().remove()  # the first row names the neurons for all
    info = recording.info
    figure.suptitle(
        f"{info.get('model', '')}  ({info.get('method', '')}, dt = {info.get('dt', 0):g} ms)", fontsize="medium"
    )
    return figure


def state_plane(
    model: Declaration,
    x: str | None = None,
    y: str | None = None,
    *,
    limits: Mapping[str, tuple[float, float]] | None = None,
    values: Mapping[str, float] | None = None,
    recording: Recording | None = None,
    neuron: int = 0,
    ax: Axes = None,
) -> Axes:
    """Draw the plane of two states: their nullclines and flow, computed from the equations, and a recorded path.

    Parameters
    ----------
    model : Declaration
    x, y : str
        States of the axes; by default the first two.
    limits : mapping
        State to (low, high) of its axis; by default around the recorded path, or the state's initial value.
    values : mapping
        Values of parameters, inputs and other states; inputs default to 0, others to the model's own.
    recording : Recording, optional
        A run whose path is drawn for the neuron of that flat index.
    """
    states = model.states
    if len(states) < 2:
        raise ValueShapeError(f"model {model.name!r} has one state; a state plane needs two")
    x, y = x or states[0], y or next(s for s in states if s != (x or states[0]))
    for name in (x, y):
        if name not in states:
            raise ValueShapeError(f"{name!r} is not a state of model {model.name!r}{suggest(name, states)}")
    fixed = _plane_values(model, values or {})
    path = {}
    if recording is not None:
        ((column, _),) = _columns(recording, [neuron])
        path = {name: _read(recording, name, [column])[:, 0] for name in (x, y)}
    landmarks = _landmarks(model, fixed)
    edges = {
        name: (limits or {}).get(name) or _limits(path.get(name), [fixed[name], *landmarks.get(name, {}).values()])
        for name in (x, y)
    }
    grid = np.meshgrid(*(np.linspace(*edges[name], 241) for name in (x, y)))
    slopes = _slopes(model, {**fixed, x: grid[0], y: grid[1]}, (x, y))
    axes = _figure(1, 4.4)[1][0] if ax is None else ax
    step = 16
    dx, dy = (slope / (high - low) for slope, (low, high) in zip(slopes, (edges[x], edges[y])))
    length = np.hypot(dx, dy) + 1e-30
    part = (slice(step // 2, None, step),) * 2
    axes.quiver(
        grid[0][part],
        grid[1][part],
        (dx / length)[part],
        (dy / length)[part],
        color="0.75",
        width=0.0022,
        angles="uv",
        scale=45,
    )
    handles = []
    for name, slope, color in ((x, slopes[0], "tab:blue"), (y, slopes[1], "tab:orange")):
        axes.contour(*grid, slope, levels=[0.0], colors=[color], linewidths=1.6)
        handles += axes.plot([], [], color=color, label=f"d{name}/dt = 0")
    if path:
        handles += axes.plot(_without_jumps(recording, path[x], neuron), path[y], color="black", lw=0.8, label="path")
    for what, style in (("threshold", ":"), ("reset", "--")):
        if what in landmarks.get(x, {}):
            handles.append(axes.axvline(landmarks[x][what], color="0.4", lw=0.9, ls=style, label=what))
    axes.set_xlim(*edges[x])
    axes.set_ylim(*edges[y])
    axes.set_xlabel(_label(x, model.unit_of(x)))
    axes.set_ylabel(_label(y, model.unit_of(y)))
    axes.legend(handles=handles, fontsize="small", loc="best")
    axes.set_title(
        f"{model.name}: " + ", ".join(f"{name} = {fixed[name]:g}" for name in model.inputs), fontsize="medium"
    )
    return axes


def _plane_values(model: Declaration, values: Mapping[str, float]) -> dict[str, Any]:
    from izhigen.values import initial_states

    known = (*model.parameters, *model.inputs, *model.states)
    for name in values:
        if name not in known:
            raise ValueShapeError(f"model {model.name!r} has no {name!r}{suggest(name, known)}")
    parameters = {**model.parameters, **{k: v for k, v in values.items() if k in model.parameters}}
    given = {k: float(v) for k, v in values.items() if k in model.states}
    states = initial_states(model, given, parameters, float)
    inputs = {name: values.get(name, 0.0) for name in model.inputs}
    return {**parameters, **inputs, **{name: float(state) for name, state in states.items()}, "t": 0.0, "dt": 0.0}


def _slopes(model: Declaration, values: dict[str, Any], names: tuple[str, str]) -> list[Any]:
    """Right-hand sides on a grid, with algebraic lines evaluated first and currents added to their inputs."""
    definitions = {e.name: e.expression for e in model.equations if not e.is_ode}
    bound = dict(values)

    def bind(name: str) -> None:
        if name in definitions and name not in bound:
            for other in definitions[name].names:
                bind(other)
            bound[name] = definitions[name].evaluate(bound)

    with np.errstate(all="ignore"):
        currents = dict(bound)
        for current in model.currents:
            for other in current.expression.names:
                bind(other)
            currents[current.to] = currents[current.to] + current.expression.evaluate(bound)
        bound = {**bound, **{name: currents[name] for name in model.inputs}}
        for name in list(definitions):
            bound.pop(name, None)
        for name in definitions:
            bind(name)
        sides = {e.name: e.expression for e in model.equations if e.is_ode}
        return [np.broadcast_to(sides[name].evaluate(bound), values[names[0]].shape) for name in names]


def _landmarks(model: Declaration, values: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Threshold and reset values of states, where they are constants: state to {"threshold": ..., "reset": ...}."""
    found: dict[str, dict[str, float]] = {}
    known = {name: value for name, value in values.items() if name not in model.states}
    tree = model.threshold.tree if model.threshold else None
    if isinstance(tree, Compare) and isinstance(tree.left, Name) and tree.left.id in model.states:
        limit = Expression("", tree.right)
        if all(name in known for name in limit.names):
            found.setdefault(tree.left.id, {})["threshold"] = float(limit.evaluate(known))
    for assignment in model.reset:
        if all(name in known for name in assignment.expression.names):
            found.setdefault(assignment.state, {})["reset"] = float(assignment.expression.evaluate(known))
    return found


def _limits(path: Any, values: Sequence[float]) -> tuple[float, float]:
    """Around the path and the given values, with a margin; at least one unit wide."""
    points = np.concatenate([np.asarray(values, float), np.asarray([] if path is None else path, float)])
    low, high = float(np.nanmin(points)), float(np.nanmax(points))
    margin = max(0.12 * (high - low), 0.5 if high > low else max(abs(high), 1.0))
    return low - margin, high + margin


def _without_jumps(recording: Recording | None, values: Any, neuron: int) -> Any:
    """The path with a gap at each reset, so that no line is drawn across the plane."""
    shown = np.array(values, dtype=float)
    if recording is not None and recording.spike_times is not None:
        times, indices = _spikes(recording)
        times = times[indices == neuron]
        rows = np.searchsorted(np.asarray(recording.t), times - 1e-3 * recording.info["dt"])
        shown[rows[rows < len(shown)]] = np.nan
    return shown


__all__ = ["picture_format", "raster", "recording", "save", "state_plane", "traces"]
