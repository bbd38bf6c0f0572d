"""NeuroML's own examples, read as they are: spike times of their ``.mep`` files, and of PyLEMS (tests/reference/lems_runs)."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

import izhigen as iz
from izhigen import importers
from izhigen.importers.lems.core import TYPES
from izhigen.model.unit_checks import check_units
from tests.conftest import DATA
from tests.reference.lems_runs import FILES, RUNS, crossings

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the examples of NeuroML are not at hand")
PYLEMS = json.loads((DATA / "lems.json").read_text())
EX0, EX9, CELLS = (name for name in RUNS if re.search("Ex0|Ex9|2007", name))


def traces(found, method, name=""):
    """The named state, or the first, from time 0 on, in double precision, in the steps of the file."""
    pop = found.model.population(1, dt=found.dt, method=method, dtype="float64")
    name = name or found.model.states[0]
    start = float(np.ravel(getattr(pop, name))[0])
    return np.r_[start, pop.run(found.duration, record=[name], **found.inputs)[name][:, 0]]


def expected(file):
    """Spike times of a .mep file by name, in ms."""
    text = file.read_text()
    found = re.findall(r"(\w+):\s+expected:\s+spike times: \[(.*?)\]", text)
    return {name: np.array([float(time) for time in times.split(",")]) for name, times in found}


@pytest.mark.parametrize(("file", "population"), [(file, name) for file, names in RUNS.items() for name in names])
def test_crossings_are_those_of_pylems(file, population):
    """Within a step, with Euler's method, which PyLEMS has. Where a period ends on a step, rounding decides which it is
    in PyLEMS, so there each interval is within a step.
    """
    found = importers.read(FILES / file, population, iz.Model)
    path, level = RUNS[file][population]
    state = path.rpartition("/")[2]
    scale = 1000 if found.model.unit_of(state) == "mV" else 1
    steps = np.array(crossings(traces(found, "euler", state), level * scale))
    reference = np.array(PYLEMS[file][population])
    assert len(reference) > 1 or population in ("adExPop2", "adExPop4")
    assert len(steps) == len(reference)
    spikes_before = np.arange(len(steps)) if re.search("iaf.*Ref", population) else 0
    assert (np.abs(steps - reference) <= 1 + spikes_before).all()


def spikes_and_mep(population, threshold="", method="euler"):
    """Steps of the crossings of a population, and those of its .mep file; with another threshold where one is given."""
    file, mep, level = (CELLS, "izhikevich2007/test.2007cells.mep", 0.0)
    if population != "RS_pop":
        file, mep, level = EX0, "examples/ex0.mep", -55.1
    found = importers.read(FILES / file, population, iz.Model)
    if threshold:
        found = replace(found, model=found.model.variant(threshold=threshold))
    steps = np.array(crossings(traces(found, method), level))
    expected_times = expected(FILES / mep)["rs" if population == "RS_pop" else f"{population}0"]
    assert len(steps) == len(expected_times)
    return steps, expected_times / found.dt


@pytest.mark.parametrize(
    ("population", "method"),
    [*((name, "exp_euler") for name in RUNS[EX0]), ("RS_pop", "exp_rosenbrock"), ("RS_pop", "strang")],
)
def test_spikes_are_within_a_step_of_their_mep(population, method):
    """NEURON made these .mep files (its own tests allow it no deviation): it integrates the membrane implicitly, and
    resets in the step after the one that crosses.
    """
    level = "vpeak" if population == "RS_pop" else "thresh"
    steps, mep = spikes_and_mep(population, f"old(v) > {level}", method)
    assert np.abs(steps - mep).max() < 1.001


@pytest.mark.parametrize(
    ("population", "deviation"),
    [("iafTauPop", 0.000103245345356), ("iafPop", 0.00027450406266), ("RS_pop", 0.000439525312662)],
)
def test_spikes_deviate_from_their_mep_as_those_of_jlems(population, deviation):
    """The largest, relative to the time, is what jNeuroML's tests of these files allow jLEMS, to all their digits."""
    steps, mep = spikes_and_mep(population)
    assert np.abs(steps / mep - 1).max() == pytest.approx(deviation, rel=1e-10)


@pytest.mark.parametrize("state", ["V", "W"])
def test_fitzhugh_nagumo_peaks_in_the_steps_of_its_mep(state):
    found = importers.read(FILES / EX9, "", iz.Model)
    x = traces(found, "euler", state)
    peaks = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])) + 1
    mep = expected(FILES / "examples" / "ex9.mep")[state]
    assert np.abs(peaks * found.dt - mep).max() <= found.dt


def test_a_simulation_brings_its_run():
    found = importers.read(FILES / CELLS, "weakpop", iz.Model)
    assert (found.dt, found.duration, found.method) == (0.01, 700.0, None)
    assert found.inputs == {"iSyn": "where(t >= 0 and t < 1000, 100, 0) + where(t >= 0 and t < 1000, -45, 0)"}
    assert iz.load(f"{FILES / CELLS}:weakpop") == found.model
    assert all(found.model.unit_of(name) for name in (*found.model.parameters, *found.model.inputs))
    check_units(found.model, strict=True)


# -- the core -----------------------------------------------------------------------------------------------------------

UNITS = {
    "none": "",
    "time": "ms",
    "per_time": "per_ms",
    "voltage": "mV",
    "current": "pA",
    "conductance": "nS",
    "capacitance": "pF",
    "conductance_per_voltage": "nS_per_mV",
}


def component(name):
    """A component of a core type, with a number for each parameter."""
    parameters, each = {}, TYPES[name]
    while each is not None:
        parameters = {**each.parameters, **parameters}
        each = TYPES.get(each.extends)
    numbers = {p: 1 if p == "reset" else n + 2 for n, p in enumerate(parameters)}  # a reset below the threshold
    values = " ".join(f'{p}="{numbers[p]}{UNITS[unit]}"' for p, unit in parameters.items())
    return f'<Lems><Include file="Cells.xml"/><{name} id="it" {values}/></Lems>'


@pytest.mark.parametrize("name", [name for name, each in TYPES.items() if each.dynamics is not None])
def test_cells_declared_here_are_those_of_the_core(name, tmp_path):
    """The core's own files beside a file are read in the place of what is declared here, and give the same."""
    (tmp_path / "own.xml").write_text(component(name))
    own = importers.read(tmp_path / "own.xml", "", iz.Model)
    assert any("as izhigen declares it" in line for line in own.report)
    beside = tmp_path / "beside"
    shutil.copytree(FILES / "core", beside)
    (beside / "core.xml").write_text(component(name))
    core = importers.read(beside / "core.xml", "", iz.Model)
    assert not any("as izhigen declares it" in line for line in core.report)
    assert own.model == core.model
    assert list(own.model.describe()) == list(core.model.describe())
    assert own.model.units == core.model.units
