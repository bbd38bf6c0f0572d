"""What a notebook shows of a model, derivation, recording or population: HTML, with equations in LaTeX for MathJax.

Every text that comes from a model or a file is escaped, and marked so that MathJax takes none of it for a formula.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from izhigen.codegen.report import event_rows, rhs_latex, update_latex
from izhigen.derive.step import Step
from izhigen.model.events import SPIKE
from izhigen.model.latex import equation_rows, name_latex
from izhigen.model.model import Declaration
from izhigen.plot import raster
from izhigen.recorded import Recorded

MOST_ROWS = 40
"""Most parameters in a table."""
MOST_SPIKES = 5_000_000
"""Spikes and other events that a raster in a summary is drawn from at most; reading more would keep a cell waiting."""


def _text(text: Any) -> str:
    return f'<span class="tex2jax_ignore mathjax_ignore">{escape(str(text))}</span>'


def _math(latex: str) -> str:
    return rf"\({escape(latex)}\)"


def _table(rows: Iterable[Iterable[str]], head: Iterable[str] = ()) -> str:
    """A table of cells that are HTML already."""
    top = "".join(f'<th style="text-align:left">{cell}</th>' for cell in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in row) + "</tr>" for row in rows
    )
    return "<table>" + (f"<thead><tr>{top}</tr></thead>" if top else "") + f"<tbody>{body}</tbody></table>"


def _title(name: Any, rest: Any = "") -> str:
    return f"<div><b>{_text(name)}</b>{': ' + _text(rest) if rest else ''}</div>"


def model_html(model: Declaration) -> str:
    """Equations, threshold, reset; states, inputs and parameters with units."""
    equations = _table(
        (_math(rf"\displaystyle {left} {right}"), _text(note)) for left, right, note in equation_rows(model)
    )
    rows = [
        (_math(name_latex(name)), _text(name), _text(f"{value:g}"), _text(model.unit_of(name)))
        for name, value in list(model.parameters.items())[:MOST_ROWS]
    ]
    if len(model.parameters) > MOST_ROWS:
        rows.append(("", _text(f"and {len(model.parameters) - MOST_ROWS} more"), "", ""))
    parameters = _table(rows, ("", "parameter", "default", "unit")) if rows else ""
    inputs = ", ".join(f"{name} ({model.unit_of(name)})" if model.unit_of(name) else name for name in model.inputs)
    return (
        _title(model.name, model.description)
        + equations
        + (f"<div>inputs: {_text(inputs)}</div>" if inputs else "")
        + parameters
    )


def step_html(step: Step) -> str:
    """Every equation with its class, linear part and update; threshold and reset."""
    rows = []
    for equation in step.system.equations:
        state, rhs, rate = rhs_latex(equation)
        kind = equation.kind.value + ("" if equation.proved else ", linearized")
        rows.append(
            (
                _math(rf"\displaystyle \frac{{d{state}}}{{dt}} = {rhs}"),
                _text(kind),
                _math(rf"\displaystyle {rate}"),
                _math(rf"\displaystyle {state}' = {update_latex(step, equation)}"),
            )
        )
    events = _table([(_math(" ".join(filter(None, row))),) for row in event_rows(step)])
    title = _title(step.model.name, f"method {step.method} ({step.scheme.accuracy}), time in ms")
    return title + _table(rows, ("equation", "class", "linear part", "update")) + events


def recording_html(recording: Recorded) -> str:
    """What was recorded, and a small raster of the events."""
    info, counts = recording.info, recording.spike_times
    neurons = "x".join(map(str, recording.shape))
    chosen = "" if recording.neurons is None else f", {len(recording.neurons)} of them recorded"
    rows = [
        ("time", f"{recording.start:g} to {recording.stop:g} ms" + (", interrupted" if recording.interrupted else "")),
        ("neurons", neurons + chosen),
        (
            "method",
            f"{info.get('method', '')}, dt = {info.get('dt', '')} ms, {info.get('dtype', '')}, "
            f"{info.get('backend', '')}",
        ),
        ("recorded", ", ".join(recording.names) or "nothing"),
        ("rows", len(recording.t)),
    ]
    picture = ""
    if counts is not None:
        rows.append(("spikes", f"{len(counts):,}"))
    others = [f"{len(found):,} of {name}" for name, found in recording.lists.items() if name != SPIKE]
    if others:
        rows.append(("events", ", ".join(others)))
    drawn = sum(map(len, recording.lists.values()))
    if 0 < drawn <= MOST_SPIKES and recording.stop > recording.start:
        picture = _raster_image(recording)
    return _title(info.get("model", "?"), "recording") + _table((_text(a), _text(b)) for a, b in rows) + picture


def _raster_image(recording: Recorded) -> str:
    from matplotlib.figure import Figure  # not pyplot's: a notebook would show that one as well

    figure = Figure(figsize=(4.8, 1.9), layout="constrained")
    raster(recording, ax=figure.add_subplot())
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=80)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="raster of the spikes" src="data:image/png;base64,{data}"/>'


def population_html(population: Any) -> str:
    """Size, step, time, and the range of every state and of the parameters that differ between neurons."""
    rows = []
    for name in (*population.model.states, *population.parameters):
        values = population.state[name] if name in population.model.states else population.parameters[name]
        if isinstance(values, float):
            continue
        host = np.asarray(values.get() if hasattr(values, "get") else values)
        low, high = (float(host.min()), float(host.max())) if host.size else (math.nan, math.nan)
        rows.append((_text(name), _text(f"{low:g} to {high:g}"), _text(population.model.unit_of(name))))
    about = (
        f"{'x'.join(map(str, population.shape))} neurons, dt = {population.dt:g} ms, {population.method}, "
        f"{population.backend}, {population.dtype.name}, t = {population.t:g} ms"
    )
    return _title(population.model.name, about) + _table(rows, ("", "range", "unit"))
