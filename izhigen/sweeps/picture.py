"""Pictures of sweeps: a line over one dimension, a map over two, points of a table."""

from __future__ import annotations

from typing import Any

import numpy as np

from izhigen.errors import ValueShapeError, shown, suggest
from izhigen.model.events import SPIKE
from izhigen.picture import Picture
from izhigen.sweeps.measures import COUNT, RATE, TIME
from izhigen.sweeps.sets import REPEAT, SET

Array = Any

PREFERRED = (RATE, COUNT)
"""What is drawn where nothing is said, if it is there; else the first variable of numbers."""


def plot(dataset: Any, name: str | None = None) -> Picture:
    """Draw a variable of a sweep, the mean over its repeats: over one dimension a line, with their standard deviation
    as a band; over two a map; of a table its sets as points, over the first column or the first two.

    Parameters
    ----------
    dataset : xarray.Dataset
        What :func:`izhigen.sweep` returns, or a part of it (``dataset.isel(b=0)``).
    name : str, optional
        By default ``rate``, ``count``, or the first variable.

    Raises
    ------
    ValueShapeError
        For a variable that is not there, or over other dimensions.
    """
    import matplotlib.pyplot as plt

    if not hasattr(dataset, "data_vars"):
        raise ValueShapeError(f"plot takes the Dataset of a sweep, not {shown(type(dataset).__name__)}")
    known = [str(n) for n, v in dataset.data_vars.items() if v.dtype.kind == "f" and v.dims != (SPIKE,)]
    chosen = next((n for n in (*PREFERRED, *known) if n in known), "") if name is None else name
    if chosen not in known:
        raise ValueShapeError(f"no variable {shown(chosen)}{suggest(chosen, known)} (known: {', '.join(known)})")
    values = dataset[chosen].astype(float)
    if not values.size:
        raise ValueShapeError(f"{shown(chosen)} has no values to draw")
    deviation = values.std(REPEAT) if REPEAT in values.dims else None
    values = values.mean(REPEAT) if REPEAT in values.dims else values
    figure: Any = plt.figure(FigureClass=Picture, figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    label = _labelled(chosen, dataset[chosen])
    try:
        if values.dims == (SET,) and SET not in _columns(dataset):
            _points(figure, axes, dataset, values, label)
        elif len(values.dims) == 1:
            _line(axes, dataset, values, deviation, label)
        elif len(values.dims) == 2:
            _map(figure, axes, dataset, values, label)
        else:
            over = f"over {', '.join(map(str, values.dims))}" if values.dims else "one number"
            advice = f": take a part, as dataset.isel({values.dims[0]}=0)" if values.dims else ""
            raise ValueShapeError(
                f"{shown(chosen)} is {over}, and a picture has one or two dimensions (without {REPEAT}){advice}"
            )
    finally:
        plt.close(figure)
    axes.set_title(str(dataset.attrs.get("model", "")).replace("$", "\\$"), fontsize=10, loc="left")
    return figure  # type: ignore[no-any-return]


def _columns(dataset: Any) -> list[str]:
    """What varies along the rows of a table."""
    return [str(n) for n, c in dataset.coords.items() if c.dims == (SET,) and n != SET]


def _labelled(name: Any, variable: Any) -> str:
    unit = variable.attrs.get("units", "")
    return str(f"{name} ({unit})" if unit and unit != "1" else name).replace("$", "\\$")


def _places(dataset: Any, dim: Any, axis: Any) -> Array:
    """Where the labels of a dimension stand on an axis; texts in a row, with their names."""
    labels = dataset[dim].values
    if labels.dtype.kind in "iuf":
        return labels.astype(float)
    axis.set_ticks(np.arange(len(labels)), [str(text).replace("$", "\\$") for text in labels])
    return np.arange(float(len(labels)))


def _line(axes: Any, dataset: Any, values: Any, deviation: Any, label: str) -> None:
    (dim,) = values.dims
    x = _places(dataset, dim, axes.xaxis)
    order = np.argsort(x, kind="stable")
    axes.plot(x[order], values.values[order], ".-" if len(x) < 60 else "-", lw=1.2)
    if deviation is not None:
        low, high = (values - deviation).values[order], (values + deviation).values[order]
        axes.fill_between(x[order], low, high, alpha=0.25, lw=0)
    axes.set(xlabel=_labelled(dim, dataset[dim]), ylabel=label)


def _map(figure: Any, axes: Any, dataset: Any, values: Any, label: str) -> None:
    first, second = values.dims
    if first == TIME:
        first, second = second, first
    x, y = _places(dataset, second, axes.xaxis), _places(dataset, first, axes.yaxis)
    across, along = np.argsort(x, kind="stable"), np.argsort(y, kind="stable")
    found = values.transpose(first, second).values[along][:, across]
    mesh = axes.pcolormesh(x[across], y[along], np.ma.masked_invalid(found), shading="nearest", rasterized=True)
    figure.colorbar(mesh, ax=axes, label=label)
    axes.set(xlabel=_labelled(second, dataset[second]), ylabel=_labelled(first, dataset[first]))


def _points(figure: Any, axes: Any, dataset: Any, values: Any, label: str) -> None:
    first, *others = _columns(dataset)
    if not others:
        axes.plot(dataset[first].values, values.values, ".")
        axes.set(xlabel=_labelled(first, dataset[first]), ylabel=label)
        return
    dots = axes.scatter(dataset[first].values, dataset[others[0]].values, c=values.values, s=12)
    figure.colorbar(dots, ax=axes, label=label)
    axes.set(xlabel=_labelled(first, dataset[first]), ylabel=_labelled(others[0], dataset[others[0]]))
