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


def spikes_here(folder, name, runs):
    """Spike times of an imported neuron in each run, driven as NEST's was; the runs are neurons of one population."""
    path = folder / f"{name}_neuron.nestml"
    text = path.read_text()
    assert (RATE in text) == (name == "hh_moto_5ht")
    model = nestml.read(text.replace(RATE, TAKEN), path, "", iz.Model).model
    (step,) = {run["step"] for run in runs}
    steps = round(REFERENCE["duration"] / step)
    port = "exc_spikes" if "exc_spikes" in model.on_event else next(iter(model.on_event))
    inputs = {"I_stim": np.zeros((steps, len(runs))), port: np.zeros((steps, len(runs)))}
    for k, run in enumerate(runs):
        inputs["I_stim"][round(run["begins"] / step) :, k] = run["current"]
        if "weight" in run:
            inputs[port][np.round(np.array(run["arrivals"]) / step).astype(int), k] = run["weight"]
    pop = model.population(len(runs), dt=step, method="rk4", dtype="float64")
    times, neurons = pop.run(steps=steps, record="spike", **inputs).spikes
    return [times[neurons == k] for k in range(len(runs))]


@pytest.mark.parametrize("name", sorted(REFERENCE["models"]))
def test_spikes_are_those_of_nest(folder, name):
    """Under a step of current, and under one and spikes that arrive."""
    runs = [REFERENCE["models"][name][kind] for kind in ("step", "arrivals")]
    for found, run in zip(spikes_here(folder, name, runs), runs):
        assert len(found) == len(run["spikes"]) > 7
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
