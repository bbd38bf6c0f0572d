"""Currents that are held during a step, and those that are part of the membrane's equation."""

import pickle

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import IzhigenError
from tests.helpers import host

CELL = Model(
    "Cell", "dV/dt = (I - 0.1*V)/C", "V >= 10", "V = 0", {"C": 2.0}, ["I", "J"], initial={"V": 1.0}, units={"C": "nF"}
)
OWN = "g*m*(E - V)"
WRITTEN = CELL.variant("Cell", equations=f"dV/dt = (I + {OWN} - 0.1*V)/C\ndm/dt = (V/20 - m)/3", g=0.4, E=30.0)
COMPOSED = CELL.with_part("dm/dt = (V/20 - m)/3", current=OWN, held=False, parameters={"g": 0.4, "E": 30.0})


def trace(model, backend, method="exp_euler", **inputs):
    pop = model.population(3, dt=0.5, method=method, backend=backend, dtype="float64", V=np.array([1.0, 3.0, 6.0]))
    recording = pop.run(60.0, record=["V", "m", "spike"], **inputs).to_host()
    return np.stack([host(recording["V"]), host(recording["m"])]), host(recording["spike"])


def added(model):
    """With a current from outside, which is held unless the time constant is liquid."""
    return model.with_current("k*(5 - V)", k=0.1)


@pytest.mark.parametrize("method", ["exp_euler", "rk4", "exp_rosenbrock"])
@pytest.mark.parametrize("composed", [lambda m: m, added, lambda m: added(m).with_liquid_time_constant()])
@pytest.mark.sample(12)
def test_what_is_not_held_is_as_written_in_the_equation(composed, method, backend):
    found, spikes = trace(composed(COMPOSED), backend, method, I=2.0)
    expected, expected_spikes = trace(composed(WRITTEN), backend, method, I=2.0)
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)
    np.testing.assert_array_equal(spikes, expected_spikes)
    assert spikes.sum() > 3


def test_it_differs_from_a_held_one():
    held = CELL.with_part("dm/dt = (V/20 - m)/3", current=OWN, parameters={"g": 0.4, "E": 30.0})
    found, _ = trace(COMPOSED, "numpy", I=2.0)
    other, _ = trace(held, "numpy", I=2.0)
    assert np.abs(found - other).max() > 0.01
    assert held != COMPOSED and held.with_liquid_time_constant() == COMPOSED.with_liquid_time_constant()
    told = [line for line in added(COMPOSED).describe() if "+=" in line]
    assert told == [f"I += {OWN}    (part of the equation)", "I += k*(5 - V)    (held during the step)"]


def test_its_slope_is_the_linear_part():
    step = added(COMPOSED).derive()
    rates = {str(e.state): str(e.rate) for e in step.system.equations}
    assert "g" in rates["V"] and "k" not in rates["V"]
    assert [str(held.symbol) for held in step.system.frozen] == ["I_total"]


def test_a_threshold_that_an_unheld_current_moves_can_rise():
    """The current is part of what changes within a step."""
    watched = CELL.variant(threshold="I > 5", reset="m = 0", equations="dV/dt = I - V\ndm/dt = -m")
    assert watched.with_current("2*V", held=False).trigger_of(watched.spike).value == "rising"
    assert watched.with_current("2*V").trigger_of(watched.spike).value == "level"


def test_copies_scaled_models_and_refusals():
    assert pickle.loads(pickle.dumps(COMPOSED)) == COMPOSED
    scaled = COMPOSED.scaled((0.0, 10.0), (0.0, 1.0))
    assert not scaled.currents[0].held
    start = np.array([1.0, 3.0, 6.0])
    pops = [
        model.population(3, dt=0.5, backend="numpy", dtype="float64", V=V, m=0.0)
        for model, V in ((COMPOSED, start), (scaled, start / 10))
    ]
    for pop, drive in zip(pops, (2.0, 0.2)):
        pop.run(20.0, I=drive)
    np.testing.assert_allclose(pops[0].V, 10 * pops[1].V, rtol=1e-10)
    with pytest.raises(IzhigenError, match="held"):
        CELL.with_current("1", held="no")
    with pytest.raises(IzhigenError, match="held"):
        CELL.with_part(current="1", held=[True])
    assert iz.load("HH").with_current("1").currents[-1].held
