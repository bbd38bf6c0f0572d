"""A card of every model and part of the library, a page a family: equations, parameters, a picture, the reference, and
of a model how fast its kernel is.

    python docs/cards.py [NAME ...]      # writes docs/cards; the docs build does so anew

The drive of a picture is found, not chosen: currents from tiny to huge are tried at once, as the neurons of one
population, and the least with which a neuron goes on firing sets the scale.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot

import izhigen as iz
from izhigen.bench.timing import machine, machine_line
from izhigen.model.latex import equations_latex
from izhigen.model.library import family_members, list_families
from izhigen.model.part import read_part
from izhigen.picture import Picture
from izhigen.resources import resource_dir

FOLDER = Path(__file__).with_name("cards")
DT, DURATION, TRIED = 0.02, 800.0, 240
"""ms of a step and a picture's run, and currents that are tried."""
CURRENTS = (1e-3, 1e4)
NEURONS, SECONDS = 1 << 14, 0.1
"""Of a measurement."""
REST, CLAMPED = -70.0, (-40.0, -20.0, 0.0, 20.0)
"""mV before and after the step of a channel's picture."""
ARRIVALS = (10.0, 30.0, 50.0, 100.0)
"""ms at which a spike arrives in a synapse's picture."""


# -- pictures of models -----------------------------------------------------------------------------------------------


def rates(model: Any, current: Any) -> Any:
    """Hz for each current, from the mean interval of a run's second half; 0 where there is none."""
    pop = model.population(len(current), dt=DT, method="auto")
    how: dict[str, Any] = {"check_finite": False, "progress": False, model.inputs[0]: current}
    pop.run(DURATION / 2, record=[], **how)
    return np.nan_to_num(1e3 / pop.run(DURATION / 2, record=["isi"], **how)["isi"].mean)


def scale(model: Any) -> float | None:
    """The least current of those tried with which a neuron goes on firing; None where none does so."""
    if model.spike is None or not model.inputs:
        return None
    for sign in (1.0, -1.0):
        tried = sign * np.geomspace(*CURRENTS, TRIED)
        fires = rates(model, tried) > 0
        if fires.any():
            return float(tried[np.argmax(fires)])
    return None


def trace(axes: Any, model: Any, drive: dict[str, Any], title: str) -> Any:
    """Draw the state that the threshold watches; the recording of all."""
    state = model.spike_state or model.states[0]
    pop = model.population(1, dt=DT, method="auto", dtype="float64")
    recording = pop.run(DURATION / 4, record=list(model.states), check_finite=False, progress=False, **drive)
    axes.plot(recording.t, recording[state][:, 0], lw=0.8)
    axes.set(xlabel="time (ms)", ylabel=f"{state} ({model.unit_of(state) or '1'})")
    axes.set_title(title, fontsize="small")
    return recording


def picture(model: Any, left: Any, right: Any) -> None:
    """A run beside the rate for each current; of a model that does not fire, its plane or the response to a step."""
    least = scale(model)
    name, unit = model.inputs[0], model.unit_of(model.inputs[0]) or "1"
    drive = 1.0 if least is None else 1.5 * least
    amount = f"{name} = {drive:.3g}" + ("" if unit == "1" else f" {unit}")
    recording = trace(left, model, {name: drive}, amount)
    if least is not None:
        current = np.linspace(0.0, 4.0 * least, 121)
        right.plot(current, rates(model, current), lw=1.0)
        right.set(xlabel=f"{name} ({unit})", ylabel="rate (Hz)")
    elif len(model.states) > 1:
        iz.plot.state_plane(model, values={name: drive}, recording=recording, ax=right)
        right.legend().remove()
    else:
        third = DURATION / 12
        step = iz.inputs.section([0.0, drive, 0.0], [third, third, third], dt=DT)
        trace(right, model, {name: step}, f"{amount} from {third:.0f} to {2 * third:.0f} ms")


# -- pictures of parts ------------------------------------------------------------------------------------------------


def wanted(name: str, family: str) -> dict[str, float]:
    """Values of what a part reads of a neuron beside V: as a neighbour that brings it has them, or 1."""
    neighbours = [part["parameters"] for part in family_members(family)[1].values()]
    names = [each for each in read_part(**iz.part(name)).wants if each != "V"]
    return {each: next((found[each] for found in neighbours if each in found), 1.0) for each in names}


def alone(name: str, family: str) -> Any:
    """A model of a part and a V that stays where it is put, with the part's current as a line."""
    part = iz.part(name)
    lines = ["dV/dt = 0", part.get("equations", "")]
    lines += [f"current = {part['current']}"] if "current" in part else []
    fields = {key: part[key] for key in ("inputs", "on_event", "events", "initial") if key in part}
    numbers = {**part["parameters"], **wanted(name, family)}
    fields["initial"] = {"V": REST, **fields.get("initial", {})}
    return iz.Model(name, "\n".join(lines), parameters=numbers, **fields)


def synapse_picture(model: Any, left: Any, right: Any) -> None:
    """What spikes that arrive do to g."""
    pop = model.population(1, dt=DT, dtype="float64")
    recording = pop.run(200.0, record=["g"], progress=False, pre=iz.inputs.spikes(times=ARRIVALS, indices=[0] * 4))
    left.plot(recording.t, recording["g"][:, 0], lw=0.8)
    left.set(xlabel="time (ms)", ylabel="g")
    left.set_title(f"spikes at {', '.join(f'{time:g}' for time in ARRIVALS)} ms", fontsize="small")
    right.remove()


def current_picture(model: Any, label: str, left: Any, right: Any) -> None:
    """The current after steps of V, if it takes time, and what it is in the end at each V."""
    potentials = np.concatenate([CLAMPED, np.linspace(-100.0, 60.0, 161)])
    pop = model.population(potentials.size, dt=DT, dtype="float64")
    how: dict[str, Any] = {"record": ["current"], "progress": False}
    before = pop.run(2.0, **how)
    pop.V = potentials
    after = pop.run(10.0, **how)
    if len(model.states) > 1:
        times = np.concatenate([before.t, after.t])
        for number, potential in enumerate(CLAMPED):
            current = np.concatenate([each["current"][:, number] for each in (before, after)])
            left.plot(times, current, lw=0.8, label=f"{potential:g} mV")
        left.set(xlabel="time (ms)", ylabel=label)
        left.set_title(f"from {REST:g} mV to", fontsize="small")
        left.legend(fontsize="x-small")
    else:
        right.remove()
        right = left
    end = pop.run(DURATION / 2, every=round(DURATION / 2 / DT), **how)
    right.plot(potentials[len(CLAMPED) :], end["current"][-1, len(CLAMPED) :], lw=1.0)
    right.set(xlabel="V (mV)", ylabel=label)
    right.set_title("g = 1" if "g" in model.parameters else "in the end", fontsize="small")


def part_picture(name: str, family: str, left: Any, right: Any) -> None:
    """That of a synapse, or of what makes a current."""
    model = alone(name, family)
    if "current" in iz.part(name):
        current_picture(model, "current (uA/cm²)" if family == "channels" else "current", left, right)
    else:
        synapse_picture(model, left, right)


# -- text -------------------------------------------------------------------------------------------------------------


def speed(model: Any) -> float:
    """ns of a neuron and step, on one core in float32."""
    pop = model.population(NEURONS)
    steps, elapsed = 4, 0.0
    while elapsed < SECONDS:
        steps *= 2
        started = time.perf_counter()
        pop.run(steps=steps, record=[], check_finite=False, progress=False)
        elapsed = time.perf_counter() - started
    return elapsed / steps / NEURONS * 1e9


def table(of: Any, inputs: Iterable[str], read: Iterable[str] = ()) -> str:
    """Parameters, inputs, and what a part reads of the neuron, with units."""
    rows = [(name, f"{value:g}", of.unit_of(name) or "1") for name, value in of.parameters.items()]
    rows += [(name, "input", of.unit_of(name) or "1") for name in inputs]
    rows += [(name, "of the neuron", "") for name in read]
    lines = [f"| `{name}` | {what} | {unit} |" for name, what, unit in rows]
    return "\n".join(["| parameter | default | unit |", "| --- | --- | --- |", *lines])


def head(family: str) -> str:
    """The text at the head of a family's file, as Markdown."""
    text = ast.get_docstring(ast.parse((resource_dir("models") / f"{family}.py").read_text(encoding="utf-8"))) or ""
    quoted = text.split("``")
    return "`".join(part if place % 2 else part.replace("*", r"\*") for place, part in enumerate(quoted))


def reference(name: str, family: str) -> str:
    """The reference of a model, which the first paragraph of that text has, or of a part, from the list in it."""
    _, listed, references = head(family).partition("References: ")
    if not listed:
        return " ".join(head(family).split("\n\n")[0].split())
    return next(each for each in " ".join(references.split()).split("; ") if re.search(rf"\b{name}\b", each))


def card(name: str, family: str, folder: Path) -> str:
    """The section of a model or a part."""
    figure: Any = pyplot.figure(FigureClass=Picture, figsize=(8.0, 2.6), layout="constrained")
    axes = figure.subplots(1, 2)
    if name in family_members(family)[1]:
        part = read_part(**iz.part(name))
        part_picture(name, family, *axes)
        text, equations = part.description, equations_latex(part)
        numbers, facts = table(part, [*part.inputs, *part.on_event], part.wants), []
    else:
        model: Any = iz.load(name)
        picture(model, *axes)
        text, equations, numbers = model.description, equations_latex(model), table(model, model.inputs)
        operations = model.population(1).kernel.operations
        facts = [f"{operations} operations a step, {speed(model):.2g} ns (exponential Euler, float32, one core)."]
    pyplot.close(figure)
    iz.plot.save(figure, folder / f"{name}.png", dpi=90)
    parts = [f"## {name}", text, f"Reference: {reference(name, family)}", f"$$\n{equations}\n$$", numbers]
    return "\n\n".join([*parts, f"![{name}]({name}.png)", *facts])


def write(names: Iterable[str] = (), folder: Path = FOLDER) -> None:
    """Pages of all families, or of the models and parts that are named."""
    chosen, about = set(names), machine_line(machine())
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    pages = []
    for family in list_families():
        wanted = [name for members in family_members(family) for name in members if not chosen or name in chosen]
        if wanted:
            cards = "\n\n".join(card(name, family, folder) for name in wanted)
            title = f"# {family.replace('_', ' ').capitalize()}\n\n{head(family)}\n\nMeasured on {about}."
            (folder / f"{family}.md").write_text(f"{title}\n\n{cards}\n", encoding="utf-8")
            pages.append(family)
    contents = "\n".join(pages)
    text = f"# Cards of all models and parts\n\n```{{toctree}}\n:maxdepth: 1\n\n{contents}\n```\n"
    (folder / "index.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1:])
