"""NeuroML's own examples, read as they are: spike times of their ``.mep`` files, and of PyLEMS (tests/reference/lems_runs)."""

from __future__ import annotations

import json
import re
import shutil

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


@pytest.mark.parametrize("population", RUNS[EX0])
def test_leaky_neurons_cross_in_the_steps_of_their_mep(population):
    """The first crossing, and each interval, within a step; the .mep has a step between spike and reset."""
    found = importers.read(FILES / EX0, population, iz.Model)
    times = np.array(crossings(traces(found, "exp_euler"), -55.1)) * found.dt
    mep = expected(FILES / "examples" / "ex0.mep")[f"{population}0"]
    assert len(times) == len(mep)
    assert abs(times[0] - mep[0]) < 1.5 * found.dt
    assert np.abs(np.diff(times) - np.diff(mep)).max() < 1.5 * found.dt


@pytest.mark.parametrize("state", ["V", "W"])
def test_fitzhugh_nagumo_peaks_in_the_steps_of_its_mep(state):
    found = importers.read(FILES / EX9, "", iz.Model)
    x = traces(found, "euler", state)
    peaks = np.flatnonzero((x[1:-1] > x[:-2]) & (x[1:-1] >= x[2:])) + 1
    mep = expected(FILES / "examples" / "ex9.mep")[state]
    assert np.abs(peaks * found.dt - mep).max() <= found.dt


def test_izhikevich_2007_spikes_where_its_mep_says():
    """The first spike within a step. Later intervals of the .mep are 0.02 to 0.06 ms shorter than those that PyLEMS
    finds in the same steps, and than those in the limit of small steps (73.46, 76.12, 76.03, ... ms).
    """
    found = importers.read(FILES / CELLS, "RS_pop", iz.Model)
    times = np.array(crossings(traces(found, "euler"), 0.0)) * found.dt
    mep = expected(FILES / "izhikevich2007" / "test.2007cells.mep")["rs"]
    assert len(times) == len(mep)
    assert abs(times[0] - mep[0]) < 1.5 * found.dt
    assert np.abs(np.diff(times) - np.diff(mep)).max() < 6 * found.dt


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
    "currentDensity": "uA_per_cm2",
    "conductanceDensity": "mS_per_cm2",
    "specificCapacitance": "uF_per_cm2",
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
    if name == "pinskyRinzelCA3Cell":
        with pytest.raises(iz.errors.ModelError, match=r"Cells\.xml, line 1719: 'Sisat' is declared twice"):
            importers.read(beside / "core.xml", "", iz.Model)
        return
    core = importers.read(beside / "core.xml", "", iz.Model)
    assert not any("as izhigen declares it" in line for line in core.report)
    assert own.model == core.model
    assert list(own.model.describe()) == list(core.model.describe())
    assert own.model.units == core.model.units
