"""The affine change of variables: BrainPy's meaning, and the same spikes."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import ModelError
from tests.helpers import host


def test_scaled_model_is_the_same_neuron(backend):
    plain = iz.load("IzhikevichLTC").with_current("g*(E - V)", g=0.1, E=-10.0)
    scaled = plain.scaled((-65.0, 30.0), (0.0, 1.0))
    options = dict(dt=0.1, backend=backend, dtype="float64")
    one, two = plain.population(3, **options), scaled.population(3, **options)
    np.testing.assert_allclose(host(two.V), host(one.V + 65.0) / 95.0, atol=1e-13)
    currents = np.array([5.0, 12.0, 20.0])
    first = one.run(200.0, I=currents, record=["V", "u", "spike"]).to_host()
    second = two.run(200.0, I=currents / 95.0, record=["V", "u", "spike"]).to_host()
    assert first.counts.sum() > 10
    np.testing.assert_array_equal(first["spike"], second["spike"])
    np.testing.assert_allclose(second["V"] * 95.0 - 65.0, first["V"], atol=1e-7)
    np.testing.assert_allclose(second["u"] * 95.0 - 0.2 * 65.0, first["u"], atol=1e-7)


def test_other_ranges_and_families():
    scaled = iz.load("izhikevich2007").with_noise(v=1.0).scaled((-60.0, 40.0), (-1.0, 1.0))
    pop = scaled.population(1, dtype="float64")
    assert float(pop.v[0]) == pytest.approx(-1.0)
    with pytest.raises(ModelError, match="empty"):
        iz.load("RS").scaled((1.0, 1.0), (0.0, 1.0))
    with pytest.raises(ModelError, match="no threshold"):
        iz.Model("N", "dV/dt = -V").scaled((0.0, 1.0), (0.0, 2.0))
