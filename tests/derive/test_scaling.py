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


@pytest.mark.parametrize("values", [(-65.0, 30.0), (-66.0, -65.0), (0.0, 1.0), (1.0, 0.0)])
def test_units_of_a_model_do_not_stand_in_the_way(values):
    """What is scaled has none that could be checked, as its factor and its origin are numbers in the equations."""
    models = [iz.load(name) for name in ("Accommodation", "izhikevich2007", "AdExIF", "MorrisLecar", "GLIF5", "TC")]
    for model in models:
        scaled = model.scaled(values, (0.0, 1.0))
        assert scaled.unit_of(model.spike_state) == "" and scaled.variant("Other").states == model.states
    lif = iz.Model(
        "LIF", "dV/dt = (E - V + R*I)/tau : mV", "V >= V_th", "V = E", {"E": -65.0, "R": 1.0, "tau": 10.0, "V_th": -50.0},
        ["I"], {"V": "E"}, units={"E": "mV", "R": "Mohm", "tau": "ms", "V_th": "mV", "I": "nA"}, strict_units=True,
    )  # fmt: skip
    options = dict(backend="numpy", dtype="float64")
    scaled, (low, high) = lif.scaled(values, (0.0, 1.0)), values
    one = lif.population(1, **options).run(50.0, I=20.0, record="V")["V"]
    two = scaled.population(1, **options).run(50.0, I=20.0 / (high - low), record="V")["V"]
    np.testing.assert_allclose(two * (high - low) + low, one, rtol=1e-9)
