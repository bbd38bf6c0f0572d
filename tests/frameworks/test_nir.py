"""A graph that is written here, run by snnTorch: the same spikes."""

import numpy as np
import pytest

from izhigen import Model
from izhigen.exporters.nir import to_nir
from izhigen.importers.nir import read_graph
from izhigen.importers.nir_graph import Connection

nir = pytest.importorskip("nir")
torch = pytest.importorskip("torch")
snntorch = pytest.importorskip("snntorch.import_nir", reason="a framework that reads NIR")

NEURONS, STEPS, DT = 20, 2000, 0.1
"""snnTorch takes steps of 0.1 ms for NIR's, whatever a graph says."""


def test_snntorch_spikes_as_the_model_does(tmp_path):
    rng = np.random.default_rng(3)
    own = Model("Own", "dV/dt = (R*I - V)/tau : 1", "V > 1", "V = 0", {"R": 3.0, "tau": 12.0}, ["I"])
    first = Connection("in", "cells", rng.normal(0.4, 0.5, (NEURONS, 5)), rng.normal(0.2, 0.1, NEURONS))
    last = Connection("cells", "out", np.eye(NEURONS), np.zeros(NEURONS))
    to_nir({"cells": (own, (NEURONS,), {})}, [first, last], path=tmp_path / "x.nir")
    given = (rng.random((STEPS, 5)) < 0.3).astype(float)
    read = read_graph(tmp_path / "x.nir", Model)
    (into,) = read.into("cells")
    for model in (own, read.nodes["cells"].model):
        pop = model.population(NEURONS, dt=DT, method="euler", dtype="float64")
        ours = pop.run(steps=STEPS, record="spike", I=into.apply(given))["spike"]
        network, state, theirs = snntorch.import_from_nir(nir.read(tmp_path / "x.nir")), None, []
        for row in given:
            now = torch.tensor(row[None], dtype=torch.float32)
            spikes, state = network(now) if state is None else network(now, state)
            theirs.append(spikes.detach().numpy()[0])
        assert ours.sum() > 500
        np.testing.assert_array_equal(np.array(theirs) > 0, ours)
