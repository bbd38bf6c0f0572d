"""A card of every model of the library, a page a family: equations, parameters, a picture, and how fast its kernel is.

    python docs/cards.py [NAME ...]      # writes docs/cards; the docs build does so anew

The drive of a picture is found, not chosen: currents from tiny to huge are tried at once, as the neurons of one
population, and the least with which a neuron goes on firing sets the scale.
"""

from __future__ import annotations

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
from izhigen.model.library import library_families
from izhigen.picture import Picture

FOLDER = Path(__file__).with_name("cards")
DT, DURATION, TRIED = 0.02, 800.0, 240
"""ms of a step and a picture's run, and currents that are tried."""
CURRENTS = (1e-3, 1e4)
NEURONS, SECONDS = 1 << 14, 0.1
"""Of a measurement."""


def families() -> dict[str, list[str]]:
    """Files of the library, with the names of their models."""
    return {family: list(models) for family, models in library_families().items()}


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


def picture(model: Any, path: Path) -> None:
    """A run beside the rate for each current; a model that does not fire has its plane, or a run from its start."""
    figure: Any = pyplot.figure(FigureClass=Picture, figsize=(8.0, 2.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    least = scale(model)
    state = model.spike_state or model.states[0]
    drive = dict.fromkeys(model.inputs[:1], 1.0 if least is None else 1.5 * least)
    pop = model.population(1, dt=DT, method="auto", dtype="float64")
    recording = pop.run(DURATION / 4, record=list(model.states), check_finite=False, progress=False, **drive)
    left.plot(recording.t, recording[state][:, 0], lw=0.8)
    unit = model.unit_of(model.inputs[0]) if model.inputs else ""
    shown = "" if unit == "1" else unit
    left.set(xlabel="time (ms)", ylabel=f"{state} ({model.unit_of(state) or '1'})")
    left.set_title("".join(f"{name} = {value:.3g} {shown}" for name, value in drive.items()), fontsize="small")
    if least is not None:
        current = np.linspace(0.0, 4.0 * least, 121)
        right.plot(current, rates(model, current), lw=1.0)
        right.set(xlabel=f"{model.inputs[0]} ({unit or '1'})", ylabel="rate (Hz)")
    elif len(model.states) > 1:
        iz.plot.state_plane(model, values=drive, recording=recording, ax=right)
        right.legend().remove()
    else:
        right.remove()
    pyplot.close(figure)
    iz.plot.save(figure, path, dpi=90)


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


def parameters(model: Any) -> Iterable[str]:
    """Rows of a table."""
    yield "| parameter | default | unit |"
    yield "| --- | --- | --- |"
    for name, value in model.parameters.items():
        yield f"| `{name}` | {value:g} | {model.unit_of(name) or '1'} |"
    for name in model.inputs:
        yield f"| `{name}` | input | {model.unit_of(name) or '1'} |"


def card(name: str, folder: Path) -> str:
    """The section of a model."""
    model: Any = iz.load(name)
    image = folder / f"{name}.png"
    picture(model, image)
    operations = model.population(1).kernel.operations
    facts = f"{operations} operations a step, {speed(model):.2g} ns (exponential Euler, float32, one core)."
    equations = equations_latex(model).strip().strip("$")
    parts = [f"## {name}", model.description, f"$$\n{equations}\n$$", "\n".join(parameters(model))]
    return "\n\n".join([*parts, f"![{name}]({image.name})", facts])


def write(names: Iterable[str] = ()) -> None:
    """Pages of all families, or of the models that are named."""
    chosen, about = set(names), machine_line(machine())
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    pages = []
    for family, models in families().items():
        wanted = [name for name in models if not chosen or name in chosen]
        if wanted:
            cards = "\n\n".join(card(name, FOLDER) for name in wanted)
            title = f"# {family.replace('_', ' ').capitalize()}"
            (FOLDER / f"{family}.md").write_text(f"{title}\n\nMeasured on {about}.\n\n{cards}\n", encoding="utf-8")
            pages.append(family)
    contents = "\n".join(pages)
    (FOLDER / "index.md").write_text(f"# Cards of all models\n\n```{{toctree}}\n{contents}\n```\n", encoding="utf-8")


if __name__ == "__main__":
    write(sys.argv[1:])
