"""Pictures: traces with spikes marked, rasters, rates, and the state plane with nullclines computed from the equations.

Every function draws a ``recording`` into the given ``ax`` or a figure of its own, returns what it drew on, and labels
axes with units.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from izhigen.errors import RecordingError, ValueShapeError, shown, suggest
from izhigen.files import check_file, read_path, write_file
from izhigen.memory.layout import read_neurons
from izhigen.memory.space import beside, fetch
from izhigen.model.events import SPIKE
from izhigen.model.expressions import Compare, Expression, Name
from izhigen.model.lines import bind_lines, line_names
from izhigen.model.model import Declaration
from izhigen.recorded import Recorded
from izhigen.scalars import read_finite, read_names, read_whole

Axes = Any
MOST_TRACES, FEWER_TRACES = 12, 6
"""Neurons drawn in a trace plot at most, and unless they are chosen."""
MOST_ROWS = 50_000
"""Rows of a trace that are drawn one by one; of more, the smallest and the largest of each stretch."""
MOST_MARKS = 20_000
"""Spikes that are drawn as a mark each; more become an image."""
IMAGE_SIZE = (900, 450)
"""Columns and rows of that image, at most."""
LONG_AGO = -1e6
"""Times of a last spike before this one, in ms, mean that there was none."""
COLORS = (
    *("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown"),
    *("tab:pink", "tab:gray", "tab:olive", "tab:cyan", "black", "gold"),
)

EVENT_COLORS = ("magenta", "deepskyblue", "limegreen", "darkorange", "gold", "tab:brown", "tab:gray")
"""Of events other than the spike; neurons have others."""


def _figure(rows: int = 1, height: float = 2.2, **options: Any) -> tuple[Any, list[Axes]]:
    """A new figure with rows of axes; a figure window only where pyplot has a display to show it on."""
    import matplotlib.pyplot as plt

    from izhigen.picture import Picture

    size = (8.0, 0.8 + height * rows)
    figure, axes = plt.subplots(
        rows, 1, FigureClass=Picture, figsize=size, squeeze=False, layout="constrained", **options
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
    path = read_path(path, "run.png")
    kind = os.path.splitext(path)[1].lower().lstrip(".")
    if kind not in known:
        raise RecordingError(f"{path}: the name of a picture must end in one of .{', .'.join(known)}")
    return kind


def save(figure: Any, path: str | Path, *, dpi: float = 130) -> None:
    """Write a ``figure`` in the format that the suffix of ``path`` names, with ``dpi`` pixels an inch.

    It takes the place of a file that is there only when it is whole.

    Raises
    ------
    RecordingError
        For an unknown suffix, or when the disk refuses; a picture that was there is then as it was.
    """
    path = read_path(path, "run.png")
    kind, content = picture_format(path), io.BytesIO()
    check_file(path)
    try:
        figure.savefig(content, format=kind, dpi=dpi)
        write_file(path, content.getbuffer())
    except (OSError, ValueError) as problem:
        raise RecordingError(f"the picture {path} cannot be written: {problem}") from problem


def _label(name: str, unit: str) -> str:
    return _plain(f"{name} ({unit})" if unit and unit != "1" else name)


def _plain(text: Any) -> str:
    """Text in which Matplotlib finds no formulas."""
    return str(text).replace("$", "\\$")


def _read(recording: Recorded, name: str, columns: Sequence[int]) -> Any:
    """Columns of a trace as (rows, columns); of a recording on disk, no others are kept in memory."""
    values = recording[name]
    with beside(values):
        if values.ndim == 2:
            return fetch(values[:, list(columns)])
        return np.stack(
            [fetch(values[(slice(None), *map(int, np.unravel_index(column, recording.shape)))]) for column in columns],
            axis=1,
        )


def _available(recording: Recorded) -> Any:
    """Flat indices of the recorded neurons."""
    return np.arange(int(np.prod(recording.shape))) if recording.neurons is None else np.asarray(recording.neurons)


def _columns(recording: Recorded, neurons: Any) -> tuple[list[tuple[int, int]], int]:
    """Pairs (column of a trace, flat neuron index) to draw, and how many were asked for.

    Of too many, a choice that is spread evenly is drawn.
    """
    available = _available(recording)
    if neurons is None:
        return [(int(k), int(available[k])) for k in _spread(len(available), FEWER_TRACES)], len(available)
    asked = read_neurons(neurons, int(np.prod(recording.shape)))
    missing = asked[~np.isin(asked, available)]
    if len(missing):
        raise RecordingError(
            f"neuron {missing[0]} was not recorded "
            f"(recorded: {len(available)} neurons, {available[0]} ... {available[-1]})"
        )
    drawn = asked[_spread(len(asked), MOST_TRACES)]
    return [(int(np.flatnonzero(available == index)[0]), int(index)) for index in drawn], len(asked)


def _spread(count: int, most: int) -> Any:
    """At most so many of the numbers below a count, the first and the last among them."""
    return np.arange(count) if count <= most else np.linspace(0, count - 1, most).round().astype(int)


def _spike_times(recording: Recorded, neurons: Sequence[int]) -> dict[int, Any]:
    """Spike times of some neurons, read part by part."""
    found: dict[int, list[Any]] = {index: [np.zeros(0)] for index in neurons}
    for times, indices in recording.spike_parts():
        few = np.isin(indices, list(neurons))
        for index, parts in found.items():
            parts.append(times[few][indices[few] == index])
    return {index: np.concatenate(parts) for index, parts in found.items()}


def traces(
    recording: Recorded, name: str | None = None, *, neurons: Sequence[int] | None = None, ax: Axes = None
) -> Axes:
    """Draw a state, input or algebraic line over time, one line a neuron; spikes are marks above the threshold's state.

    ``name`` defaults to the first trace. ``neurons`` are flat indices, by default six; of more than twelve, twelve are
    drawn, and the picture says so.
    """
    chosen = next(iter(recording.traces), None) if name is None else name
    if chosen is None:
        raise RecordingError("nothing was traced; run with record=['V', 'spike'] to draw traces")
    figure, (axes, *_) = _figure() if ax is None else (None, [ax])
    columns, count = _draw_traces(recording, chosen, neurons, axes)
    _say_how_many(count, columns, axes)
    _legend(axes, figure, _lines(axes, columns))
    return axes


def _lines(axes: Axes, columns: Sequence[Any]) -> list[Any]:
    """The lines that have a name, where several neurons are drawn."""
    lines = axes.get_lines() if len(columns) > 1 else ()
    return [line for line in lines if not str(line.get_label()).startswith("_")]


def _draw_traces(recording: Recorded, name: str, neurons: Any, axes: Axes) -> tuple[list[tuple[int, int]], int]:
    """What was drawn, as :func:`_columns` gives it, and of how many neurons."""
    columns, count = _columns(recording, neurons)
    values, is_flag = _read(recording, name, [column for column, _ in columns]), recording[name].dtype == bool
    if name == "t_last_spike":
        values = np.where(values < LONG_AGO, np.nan, values)
    t, values = _thinned(np.asarray(recording.t), values.astype(float) if is_flag else values)
    marked: dict[int, Any] = {}
    if recording.spike_times is not None and name == recording.info.get("spike_state"):
        marked = _spike_times(recording, [index for _, index in columns])
    finite = values[np.isfinite(values)]
    top = float(finite.max()) + 0.06 * float(np.ptp(finite)) if finite.size else 0.0
    for color, (_, index), trace in zip(COLORS, columns, values.T):
        style = "steps-pre" if is_flag else "default"
        axes.plot(t, trace, lw=0.9, color=color, drawstyle=style, label=f"neuron {index}")
        if index in marked:
            times = marked[index]
            axes.plot(times, np.full(len(times), top), "v", ms=4, color=color)
    if is_flag:
        axes.set_yticks([0, 1], ["no", "yes"])
        axes.set_ylim(-0.15, 1.15)
    if recording.stop > recording.start:
        axes.set_xlim(recording.start, recording.stop)
    if values.size and not finite.size:
        _say_inside("no finite value", axes)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel(_label(name, recording.info.get("units", {}).get(name, "")))
    return columns, count


def _thinned(t: Any, values: Any) -> tuple[Any, Any]:
    """Few enough rows to draw: of each stretch of a long trace the smallest and largest value, so no peak is lost."""
    size = -(-2 * len(t) // MOST_ROWS) if len(t) > MOST_ROWS else 0
    if size < 3:
        return t, values
    count = len(t) // size
    stretches = values[: count * size].reshape(count, size, -1)
    ends = np.stack([np.fmin.reduce(stretches, axis=1), np.fmax.reduce(stretches, axis=1)], axis=1)
    times = t[: count * size].reshape(count, size)[:, [0, size // 2]]
    return (
        np.concatenate([times.reshape(-1), t[count * size :]]),
        np.concatenate([ends.reshape(2 * count, -1), values[count * size :]]),
    )


def _say_inside(text: str, axes: Axes) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color="0.4")


def _say_how_many(count: int, drawn: Sequence[Any], axes: Axes) -> None:
    if len(drawn) < count:
        axes.set_title(f"{len(drawn)} of {count} neurons", loc="right", fontsize="small", color="0.3")


def _legend(axes: Axes, figure: Any, handles: Sequence[Any]) -> None:
    """Names of lines and events: beside the axes of a figure of ours, else within the given axes."""
    if not handles:
        return
    size = "small" if len(handles) <= FEWER_TRACES else "x-small"
    if figure is None:
        axes.legend(handles=handles, loc="upper right", fontsize=size, framealpha=0.85)
    else:
        figure.legend(handles=handles, loc="outside right upper", fontsize=size, frameon=False, labelspacing=0.25)


def raster(recording: Recorded, *, ax: Axes = None) -> Axes:
    """Draw every spike at its time and neuron index; many of them as an image, darker where there are more.

    Other recorded events are marks in colours that a legend tells apart; of more than 20,000, so many are drawn.
    """
    if all(name == SPIKE for name in recording.lists):
        recording.spike_parts()  # says so where spikes were not recorded
    figure, (axes, *_) = _figure() if ax is None else (None, [ax])
    _legend(axes, figure, _draw_raster(recording, axes))
    return axes


def _draw_raster(recording: Recorded, axes: Axes) -> list[Any]:
    """The marks of each event but the spike."""
    neurons = _available(recording)
    low, high = (int(neurons.min()), int(neurons.max())) if len(neurons) else (0, 0)
    found = 0 if recording.spike_times is None else len(recording.spike_times)
    if found:
        _draw_spikes(recording, low, high, axes)
    if recording.stop > recording.start:
        axes.set_xlim(recording.start, recording.stop)
    axes.set_ylim(low - 0.5, high + 0.5)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("neuron index")
    if high - low < 12:
        axes.set_yticks(range(low, high + 1))
    if not any(map(len, recording.lists.values())):
        _say_inside("no spikes" if list(recording.lists) == [SPIKE] else "no events", axes)
    return _draw_events(recording, high - low + 1, axes)


def _mark_size(neurons: int) -> float:
    return float(np.clip(4000.0 / neurons, 1.0, 40.0))


def _draw_events(recording: Recorded, neurons: int, axes: Axes) -> list[Any]:
    size, marks = max(0.6 * _mark_size(neurons), 4.0), []
    others = (name for name in recording.lists if name != SPIKE)
    for name, color in zip(others, itertools.cycle(EVENT_COLORS)):
        times, indices = (fetch(part) for part in recording.events[name])
        kept = _spread(len(times), MOST_MARKS)
        label = name if len(kept) == len(times) else f"{name} ({len(kept):,} of {len(times):,})"
        style = {"s": size, "linewidths": 0, "color": color, "zorder": 3, "rasterized": len(kept) > 2000}
        marks.append(axes.scatter(times[kept], indices[kept], label=label, **style))
    return marks


def _draw_spikes(recording: Recorded, low: int, high: int, axes: Axes) -> None:
    """Spikes as a mark each, or more of them as an image."""
    found = len(recording.spike_times)
    if found <= MOST_MARKS:
        times, indices = (fetch(part) for part in recording.spikes)
        size, marker = _mark_size(high - low + 1), "|" if high - low < 200 else "."
        axes.scatter(times, indices, s=size, marker=marker, linewidths=0.9, color="black", rasterized=found > 2000)
    else:
        axes.imshow(
            _spike_image(recording, low, high),
            extent=(recording.start, recording.stop, low - 0.5, high + 0.5),
            origin="lower",
            aspect="auto",
            cmap="Greys",
            vmin=0.0,
            vmax=1.0,
        )
        axes.set_title(f"{found:,} spikes", loc="right", fontsize="small", color="0.3")


def _spike_image(recording: Recorded, low: int, high: int) -> Any:
    """Darkness of each place of the plane of time and neuron, from its number of spikes; one alone can be seen."""
    span, neurons = recording.stop - recording.start, high - low + 1
    width = int(max(1, min(IMAGE_SIZE[0], round(span / recording.info["dt"]))))
    height = min(IMAGE_SIZE[1], neurons)
    found = np.zeros(width * height, np.int64)
    for times, indices in recording.spike_parts():  # half a step before its end a spike is inside its step
        column = ((times - 0.5 * recording.info["dt"] - recording.start) * (width / span)).astype(np.int64)
        place = (indices - low) * height // neurons * width + np.clip(column, 0, width - 1)
        found += np.bincount(place, minlength=len(found))
    full = max(float(np.quantile(found[found > 0], 0.98)), 1.0)
    return np.where(found > 0, 0.5 + 0.5 * np.minimum(found / full, 1.0), 0.0).reshape(height, width)


def recording(recording: Recorded, *, states: Sequence[str] | None = None, neurons: Sequence[int] | None = None) -> Any:
    """Draw each trace and, below, the raster; returns the figure.

    ``states`` names the traces to draw, ``neurons`` as in :func:`traces`.
    """
    names = list(recording.traces) if states is None else list(read_names(states, "states", RecordingError))
    with_raster = any(name != SPIKE or recording.info.get("threshold") for name in recording.lists)
    rows = len(names) + with_raster
    if rows == 0:
        raise RecordingError("nothing was recorded; name states in record=[...], as in run(500.0, record=['V'])")
    for name in names:
        recording[name]  # says what was recorded, before a figure is made
    figure, axes = _figure(rows, height=2.2 if rows <= 4 else 1.5, sharex=True)
    columns: list[tuple[int, int]] = []
    for name, ax in zip(names, axes):
        columns, count = _draw_traces(recording, name, neurons, ax)
        if ax is axes[0]:
            _say_how_many(count, columns, ax)
    marks = _draw_raster(recording, axes[-1]) if with_raster else []
    _legend(axes[0], figure, [*_lines(axes[0], columns), *marks])  # the first row names the neurons for all
    for ax in axes[:-1]:
        ax.set_xlabel("")
    figure.align_ylabels(axes)
    info = recording.info
    figure.suptitle(
        _plain(f"{info.get('model', '')}  ({info.get('method', '')}, dt = {info.get('dt', 0):g} ms)"), fontsize="medium"
    )
    return figure


def f_i(recording: Recorded, name: str | None = None, *, start: float | None = None, ax: Axes = None) -> Axes:
    """Draw the firing rate against a held input or a parameter that differs between neurons.

    ``name`` and ``start`` are those of :meth:`Recording.f_i`.
    """
    curve = recording.f_i(name, start=start)
    axes = _figure(1, 3.2)[1][0] if ax is None else ax
    marker = "o" if len(curve.values) <= 60 else ""
    axes.plot(curve.values, curve.rates, marker=marker, ms=3.5, lw=1.2, color=COLORS[0])
    if curve.deviations.any():
        low, high = curve.rates - curve.deviations, curve.rates + curve.deviations
        axes.fill_between(curve.values, low, high, color=COLORS[0], alpha=0.2, lw=0)
    axes.set_xlabel(_label(curve.name, curve.unit))
    axes.set_ylabel("firing rate (Hz)")
    axes.set_ylim(bottom=0.0)
    axes.set_title(_plain(recording.info.get("model", "")), fontsize="medium")
    return axes


def population_rate(recording: Recorded, bin: float = 1.0, *, ax: Axes = None) -> Axes:
    """Draw the spikes per neuron and time in bins of ``bin`` ms; see :meth:`Recording.population_rate`."""
    rate = recording.population_rate(bin)
    axes = _figure()[1][0] if ax is None else ax
    axes.stairs(rate.rates, rate.edges, lw=1.0, color=COLORS[0], fill=True, alpha=0.35)
    axes.stairs(rate.rates, rate.edges, lw=1.0, color=COLORS[0])
    axes.set_xlim(rate.edges[0], rate.edges[-1])
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("time (ms)")
    axes.set_ylabel("rate per neuron (Hz)")
    axes.set_title(f"bins of {bin:g} ms", loc="right", fontsize="small", color="0.3")
    return axes


def state_plane(
    model: Declaration,
    x: str | None = None,
    y: str | None = None,
    *,
    limits: Mapping[str, tuple[float, float]] | None = None,
    values: Mapping[str, float] | None = None,
    recording: Recorded | None = None,
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
        A run whose path is drawn.
    neuron : int
        Whose path, by its flat index.
    ax : Axes, optional

    Raises
    ------
    ValueShapeError
        For a model of one state, or a name that it does not have.
    RecordingError
        When the recording lacks the states or the neuron.
    """
    x, y = _plane_states(model, x, y)
    fixed = _plane_values(model, _as_mapping("values", values))
    given = _plane_limits(model, _as_mapping("limits", limits))
    path = {}
    if recording is not None:
        if read_whole(neuron, 0) is None:
            raise ValueShapeError(f"neuron={shown(neuron)} is not the index of a neuron")
        ((column, neuron),), _ = _columns(recording, neuron)
        path = {name: _read(recording, name, [column])[:, 0] for name in (x, y)}
    landmarks = _landmarks(model, fixed)
    edges = {
        name: given.get(name) or _limits(path.get(name), [fixed[name], *landmarks.get(name, {}).values()])
        for name in (x, y)
    }
    grid = np.meshgrid(*(np.linspace(*edges[name], 241) for name in (x, y)))
    slopes = _slopes(model, {**fixed, x: grid[0], y: grid[1]}, (x, y))
    axes = _figure(1, 4.4)[1][0] if ax is None else ax
    _draw_flow(axes, grid, slopes, (edges[x], edges[y]))
    handles = _draw_nullclines(axes, grid, slopes, (x, y))
    if path:
        handles += axes.plot(_without_jumps(recording, path[x], neuron), path[y], color="black", lw=0.8, label="path")
    for what in [mark for mark in LANDMARKS if mark in landmarks.get(x, {})]:
        handles.append(axes.axvline(landmarks[x][what], color="0.4", lw=0.9, ls=LANDMARKS[what], label=what))
    axes.set_xlim(*edges[x])
    axes.set_ylim(*edges[y])
    axes.set_xlabel(_label(x, model.unit_of(x)))
    axes.set_ylabel(_label(y, model.unit_of(y)))
    axes.legend(handles=handles, fontsize="small", loc="best")
    axes.set_title(
        f"{model.name}: " + ", ".join(f"{name} = {fixed[name]:g}" for name in model.inputs), fontsize="medium"
    )
    return axes


LANDMARKS = {"threshold": ":", "reset": "--"}
"""Values of a state that are marked in its plane, and how."""


def _plane_states(model: Declaration, x: str | None, y: str | None) -> tuple[str, str]:
    """The states of a plane's axes."""
    states = model.states
    for name in (x, y):
        if name is not None and not (isinstance(name, str) and name in states):
            raise ValueShapeError(f"{shown(name)} is not a state of model {model.name!r}{suggest(name, states)}")
    if len(states) < 2:
        raise ValueShapeError(f"model {model.name!r} has one state; a state plane needs two")
    x, y = x or states[0], y or next(s for s in states if s != (x or states[0]))
    if x == y:
        raise ValueShapeError(f"a state plane needs two states, not {x!r} twice")
    return x, y


def _draw_flow(axes: Axes, grid: Sequence[Any], slopes: Sequence[Any], edges: Sequence[tuple[float, float]]) -> None:
    """Arrows of one length along the flow, at every 16th point of the grid; directions are those on the page."""
    step = 16
    dx, dy = (slope / (high - low) for slope, (low, high) in zip(slopes, edges))
    length = np.hypot(dx, dy) + 1e-30
    part = (slice(step // 2, None, step),) * 2
    columns = [values[part] for values in (*grid, dx / length, dy / length)]
    axes.quiver(*columns, color="0.75", width=0.0022, angles="uv", scale=45)


def _as_mapping(what: str, given: Any) -> Mapping[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise ValueShapeError(f"{what}={shown(given)} is not a mapping of names, such as {{'V': ...}}")
    return given or {}


def _plane_limits(model: Declaration, limits: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Ends of axes, checked."""
    found = {}
    for name, ends in limits.items():
        if name not in model.states:
            raise ValueShapeError(
                f"limits: {shown(name)} is not a state of model {model.name!r}{suggest(name, model.states)}"
            )
        try:
            low, high = ends
        except (TypeError, ValueError):
            raise ValueShapeError(f"limits: {name}={shown(ends)} is not a pair (low, high)") from None
        found[name] = read_finite(low, f"limits: low of {name}"), read_finite(high, f"limits: high of {name}")
        if not 0 < found[name][1] - found[name][0] < np.inf:
            raise ValueShapeError(f"limits: {name}={shown(ends)} does not go from low to high")
    return found


def _plane_values(model: Declaration, values: Mapping[str, Any]) -> dict[str, Any]:
    from izhigen.model.initial import initial_states

    known = (*model.parameters, *model.inputs, *model.states)
    for name in values:
        if name not in known:
            raise ValueShapeError(f"model {model.name!r} has no {shown(name)}{suggest(name, known)}")
    values = {name: read_finite(value, f"values: {name}") for name, value in values.items()}
    parameters = {**model.parameters, **{k: v for k, v in values.items() if k in model.parameters}}
    given = {k: v for k, v in values.items() if k in model.states}
    states = initial_states(model, given, parameters, float)
    inputs = {name: values.get(name, 0.0) for name in model.inputs}
    return {**parameters, **inputs, **{name: float(state) for name, state in states.items()}, "t": 0.0, "dt": 0.0}


def _draw_nullclines(axes: Axes, grid: Sequence[Any], slopes: list[Any], names: tuple[str, str]) -> list[Any]:
    """What a legend shows of them."""
    handles: list[Any] = []
    for name, slope, color in zip(names, slopes, ("tab:blue", "tab:orange")):
        axes.contour(*grid, slope, levels=[0.0], colors=[color], linewidths=1.6)
        handles += axes.plot([], [], color=color, label=f"d{name}/dt = 0")
    return handles


def _slopes(model: Declaration, values: dict[str, Any], names: tuple[str, str]) -> list[Any]:
    """Right-hand sides on a grid, with algebraic lines evaluated first and currents added to their inputs."""
    bound = bind_lines(model, values, line_names(model))
    sides = {e.name: e.expression for e in model.odes}
    with np.errstate(all="ignore"):
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


def _without_jumps(recording: Recorded | None, values: Any, neuron: int) -> Any:
    """The path with a gap at each reset, so that no line is drawn across the plane."""
    shown = np.array(values, dtype=float)
    if recording is not None and recording.spike_times is not None:
        times = _spike_times(recording, [neuron])[neuron]
        rows = np.searchsorted(np.asarray(recording.t), times - 1e-3 * recording.info["dt"])
        shown[rows[rows < len(shown)]] = np.nan
    return shown


__all__ = [
    "f_i",
    "picture_format",
    "population_rate",
    "raster",
    "recording",
    "save",
    "state_plane",
    "traces",
]


def __dir__() -> list[str]:
    return sorted(__all__)
