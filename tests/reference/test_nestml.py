"""Neurons that NESTML ships, imported from its package, against NEST running the code that NESTML makes of them.

The spike times are data (``nest_runs.py`` says how they were made), so NEST is not needed; the models are NESTML's, so
its package is: ``pip install nestml``.
"""

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import izhigen as iz
from izhigen import importers
from izhigen.errors import ModelError
from izhigen.importers import nestml
from tests.conftest import DATA

REFERENCE = json.loads((DATA / "nest" / "spikes.json").read_text())
CLOSE = 0.1
"""ms; how far a spike may be from NEST's."""


@pytest.fixture(scope="module")
def folder():
    """Where NESTML keeps its neurons."""
    pytest.importorskip("lark", reason="NESTML's files are read by lark")
    try:
        files = metadata.files("nestml") or ()
    except metadata.PackageNotFoundError:
        pytest.skip("the package nestml, which has the models, is not installed")
    found = next((file for file in files if file.name == "iaf_psc_exp_neuron.nestml"), None)
    assert found is not None
    return Path(str(found.locate())).resolve().parent


RATE, TAKEN = "0.01 s**-1", "0.01 ms**-1"
"""A rate in ``hh_moto_5ht_neuron``, and how the code that NESTML makes takes it."""


def spikes_here(folder, name, run):
    """Spike times of an imported neuron, driven as NEST's was."""
    path = folder / f"{name}_neuron.nestml"
    text = path.read_text()
    assert (RATE in text) == (name == "hh_moto_5ht")
    model = nestml.read(text.replace(RATE, TAKEN), path, "", iz.Model).model
    step = run["step"]
    steps = round(REFERENCE["duration"] / step)
    current = np.zeros((steps, 1))
    current[round(run["begins"] / step) :] = run["current"]
    inputs = {"I_stim": current}
    if "weight" in run:
        port = "exc_spikes" if "exc_spikes" in model.on_event else next(iter(model.on_event))
        arriving = np.zeros((steps, 1))
        arriving[np.round(np.array(run["arrivals"]) / step).astype(int)] = run["weight"]
        inputs[port] = arriving
    pop = model.population(1, dt=step, method="rk4", dtype="float64")
    return pop.run(steps=steps, record="spike", **inputs).spikes[0]


@pytest.mark.parametrize("kind", ["step", "arrivals"])
@pytest.mark.parametrize("name", sorted(REFERENCE["models"]))
def test_spikes_are_those_of_nest(folder, name, kind):
    run = REFERENCE["models"][name][kind]
    assert len(run["spikes"]) > 7
    found = spikes_here(folder, name, run)
    assert len(found) == len(run["spikes"])
    np.testing.assert_allclose(found, run["spikes"], rtol=0, atol=CLOSE)


REFUSED = {
    "hh_cond_exp_destexhe": "g_noise_exc is assigned before integrate_odes",
    "hill_tononi": "this spike is not the first condition",
    "iaf_psc_delta_fixed_timestep": "refr_counter is assigned before integrate_odes",
    "iaf_psc_exp_htum": "r_abs is assigned before integrate_odes",
    "ignore_and_fire": "has no differential equation",
}


def test_every_neuron_of_nestml_is_compared_or_refused_by_its_line(folder):
    for path in folder.glob("*.nestml"):
        name = path.stem.removesuffix("_neuron")
        if name not in REFERENCE["models"]:
            with pytest.raises(ModelError, match=rf"{path.name}, line \d+, column \d+: .*{REFUSED[name]}"):
                importers.read(path, "", iz.Model)


def test_synapses_of_nestml_are_refused(folder):
    for path in (folder.parent / "synapses").glob("*.nestml"):
        with pytest.raises(ModelError, match=rf"{path.name}, line \d+"):
            importers.read(path, "", iz.Model)
