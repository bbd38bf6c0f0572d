"""Pictures: what is drawn, and labels with units."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import IzhigenError


@pytest.fixture(scope="module")
def run():
    pop = iz.load("RS").population(3, dt=0.1, dtype="float64", backend="numpy")
    return pop.run(100.0, I=[0.0, 10.0, 20.0], record=["V", "u", "spike"])


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_traces_mark_spikes_and_label_units(run):
    axes = iz.plot.traces(run, neurons=[1, 2])
    assert axes.get_ylabel() == "V (mV)" and axes.get_xlabel() == "time (ms)"
    lines = axes.get_lines()
    np.testing.assert_array_equal(lines[0].get_ydata(), run["V"][:, 1])
    np.testing.assert_array_equal(lines[1].get_xdata(), run.spikes[0][run.spikes[1] == 1])
    assert not [line for line in iz.plot.traces(run, "u").get_lines() if line.get_marker() == "v"]


def test_raster(run):
    axes = iz.plot.raster(run)
    offsets = axes.collections[0].get_offsets()
    np.testing.assert_allclose(np.asarray(offsets), np.column_stack(run.spikes))


def test_whole_recording(run):
    figure = run.plot()
    assert [a.get_ylabel() for a in figure.axes] == ["V (mV)", "u (mV)", "neuron index"]


def test_nullclines_come_from_the_equations():
    model = iz.load("IzhikevichLTC").with_current("g*(E - V)", inputs=["g"], E=0.0)
    axes = iz.plot.state_plane(model, values={"I": 5.0, "g": 0.1}, limits={"V": (-90, 30), "u": (-30, 40)})
    curves = [c for c in axes.collections if hasattr(c, "get_paths") and "Contour" in type(c).__name__]
    V, u = curves[0].get_paths()[0].vertices.T
    np.testing.assert_allclose(u, 0.04 * V**2 + 5 * V + 140 + 5.0 + 0.1 * (0 - V), atol=0.15)
    V, u = curves[1].get_paths()[0].vertices.T
    np.testing.assert_allclose(u, 0.2 * V, atol=0.05)
    assert axes.get_xlabel() == "V (mV)"


def test_path_with_algebraic_lines(run):
    model = iz.Model("A", "dV/dt = x - w : mV\ndw/dt = 0.1*(y - w)\nx = V - V**3/3 + I\ny = 2*V", inputs=["I"])
    axes = iz.plot.state_plane(model, values={"I": 0.3})
    assert axes.get_ylabel() == "w"
    iz.plot.state_plane(iz.load("RS"), recording=run, neuron=2)


def test_empty_recordings_and_subsets():
    pop = iz.load("RS").population(9, dt=0.1, backend="numpy")
    pop.run(0.0, record=["V", "spike"]).plot()
    part = pop.run(20.0, I=15.0, record=["V", "u", "spike"], neurons=[7, 8])
    axes = iz.plot.state_plane(iz.load("RS"), recording=part, neuron=8)
    path = next(line for line in axes.get_lines() if line.get_label() == "path")
    np.testing.assert_array_equal(np.asarray(path.get_ydata()), part["u"][:, 1])
    assert {"threshold", "reset"} <= {line.get_label() for line in axes.get_lines()}
    with pytest.raises(IzhigenError, match="neuron 0 was not recorded"):
        iz.plot.state_plane(iz.load("RS"), recording=part, neuron=0)


def test_errors(run):
    with pytest.raises(IzhigenError, match="was not recorded"):
        iz.plot.traces(run, "w")
    with pytest.raises(IzhigenError, match="neuron 9"):
        iz.plot.traces(run, neurons=[9])
    with pytest.raises(IzhigenError, match="one state"):
        iz.plot.state_plane(iz.Model("L", "dV/dt = -V"))
    with pytest.raises(IzhigenError, match="not a state"):
        iz.plot.state_plane(iz.load("RS"), "V", "w")
