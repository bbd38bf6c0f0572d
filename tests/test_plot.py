"""Pictures: what is drawn, and labels with units."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import IzhigenError
from izhigen.recording.events import EventList


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
    assert [a.get_ylabel() for a in figure.axes] == ["V (mV)", "u (mV/ms)", "neuron index"]


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
    with pytest.raises(IzhigenError, match="index 9 is outside 0 ... 2"):
        iz.plot.traces(run, neurons=[9])
    with pytest.raises(IzhigenError, match="one state"):
        iz.plot.state_plane(iz.Model("L", "dV/dt = -V"))
    with pytest.raises(IzhigenError, match="not a state"):
        iz.plot.state_plane(iz.load("RS"), "V", "w")


@pytest.mark.parametrize(
    "neurons",
    [
        [np.nan],
        [0.5],
        "0",
        [None],
        [[1], [2, 3]],
        object(),
        10**400,
        [2**64 - 1],
        [-1],
        range(10**12),
        range(-1, 3),
        [1j],
    ],
)
def test_what_names_no_neurons_is_refused_at_once(run, neurons):
    pop = iz.load("RS").population(3, backend="numpy")
    for call in (
        lambda: run.plot(neurons=neurons),
        lambda: iz.plot.traces(run, neurons=neurons),
        lambda: pop.run(1.0, neurons=neurons),
    ):
        with pytest.raises(IzhigenError, match="neuron"):
            call()
    for several in (neurons, [0, 1], []):
        with pytest.raises(IzhigenError, match="neuron"):
            iz.plot.state_plane(iz.load("RS"), recording=run, neuron=several)


def test_a_choice_of_traces_may_be_a_range_a_mask_or_a_slice(run):
    for neurons in (range(2), [True, True, False], slice(2), 0):
        figure = run.plot(neurons=neurons)
        labels = [line.get_label() for line in figure.axes[0].get_lines() if line.get_label().startswith("neuron")]
        assert labels == ["neuron 0", "neuron 1"][: 1 if neurons == 0 else 2]


def test_an_unknown_option_is_told_as_one_of_plot(run):
    with pytest.raises(TypeError, match=r"plot\(\) got an unexpected keyword argument 'zz'"):
        run.plot(zz=1)
    with pytest.raises(IzhigenError, match="states=5 is not a list of names"):
        run.plot(states=5)


@pytest.mark.parametrize(
    "options",
    [
        {"values": 5},
        {"values": {"a": "x"}},
        {"values": {"a": np.nan}},
        {"values": {"V": 10**400}},
        {"values": {"I": None}},
        {"values": {"I": [1.0, 2.0]}},
        {"values": {1: 2}},
        {"limits": 5},
        {"limits": {"V": 5}},
        {"limits": {"V": (1,)}},
        {"limits": {"V": (1, 2, 3)}},
        {"limits": {"V": (1, 1)}},
        {"limits": {"V": (2, 1)}},
        {"limits": {"V": (0, np.inf)}},
        {"limits": {"V": (-1e308, 1e308)}},
        {"limits": {"V": ("a", "b")}},
        {"limits": {"w": (0, 1)}},
        {"x": 5},
        {"x": "V", "y": "V"},
        {"y": ["V"]},
    ],
)
def test_bad_arguments_of_a_state_plane(options, recwarn):
    with pytest.raises(IzhigenError) as caught:
        iz.plot.state_plane(iz.load("RS"), **options)
    assert "\n" not in str(caught.value) and not recwarn


def test_a_wide_plane_is_drawn_without_a_warning(recwarn):
    for limits in ({"V": (-1e9, 1e9)}, {"V": (0.0, 1e-9)}):
        iz.plot.state_plane(iz.load("RS"), limits=limits).figure.canvas.draw()
    assert not [w for w in recwarn if "No contour" not in str(w.message)]


def test_no_more_than_twelve_traces_and_the_picture_says_so(tmp_path):
    recording = iz.load("RS").population(1000, backend="numpy").run(5.0, I=10.0, record=["V", "spike"])
    figure = recording.plot(neurons=range(1000))
    lines = [line for line in figure.axes[0].get_lines() if line.get_label().startswith("neuron")]
    assert len(lines) == 12 and len({line.get_color() for line in lines}) == 12
    assert figure.axes[0].get_title(loc="right") == "12 of 1000 neurons"
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 and box.y1 <= figure.bbox.y1
    assert recording.plot().axes[0].get_title(loc="right") == "6 of 1000 neurons"


def test_many_spikes_become_an_image(run):
    rng, count = np.random.default_rng(1), 300_000
    times = np.sort(rng.integers(1, 1001, count)) * 0.1
    many = dataclasses.replace(run, lists={"spike": EventList(times, rng.integers(0, 3, count))})
    axes = iz.plot.raster(many)
    assert len(axes.images) == 1 and axes.get_title(loc="right") == "300,000 spikes"
    one = dataclasses.replace(run, lists={"spike": EventList(np.full(50_000, 20.0), np.full(50_000, 2))})
    image = np.asarray(iz.plot.raster(one).images[0].get_array())
    assert image.shape == (3, 900) and (image > 0).sum() == 1 and image[2].argmax() == int(19.95 * 9)


@pytest.mark.parametrize(
    ("record", "size", "batch"),
    [
        *((record, (2, 3), 2) for record in (["spike"], "all", ["V"], ["refractory"])),
        *(("all", size, batch) for size, batch in ((1, None), (1, 2), ((2, 3), None))),
        (["spike"], 1, None),
    ],
)
def test_all_kinds_of_recordings_can_be_drawn(size, batch, record):
    pop = iz.load("IzhikevichRef").population(size, batch=batch, backend="numpy", tau_ref=3.0)
    for current, duration in ((0.0, 3.0), (100.0, 20.0), (0.0, 0.0)):
        pop.run(duration, I=current, record=record).plot().canvas.draw()


def test_values_that_are_not_finite_and_text_that_looks_like_a_formula(run):
    broken = np.array(run["V"])
    broken[:, 1], broken[5, 0] = np.nan, np.inf
    info = {**run.info, "model": "$\\frac", "units": {"V": "$_"}}
    dataclasses.replace(run, traces={"V": broken}, info=info).plot().canvas.draw()
    dataclasses.replace(run, traces={"V": broken * np.nan}).plot().canvas.draw()


def test_a_long_trace_keeps_its_peaks(run):
    t = np.arange(1, 400_001) * 0.1
    values = np.zeros((len(t), 1), np.float32)
    values[123_457] = 7.0
    long = dataclasses.replace(run, t=t, traces={"V": values}, shape=(1,), stop=t[-1])
    (line, *_) = iz.plot.traces(long, "V").get_lines()
    assert len(line.get_xdata()) < 60_000 and line.get_ydata().max() == 7.0


def test_rates_against_an_input_and_over_time():
    pop = iz.load("RS").population(6, dt=0.1, backend="numpy", d=[2.0, 2.0, 4.0, 4.0, 8.0, 8.0])
    run = pop.run(200.0, I=[5.0, 10.0, 5.0, 10.0, 5.0, 10.0], record=["spike"])
    curve = run.f_i()
    assert (curve.name, curve.unit) == ("I", "mV/ms")
    np.testing.assert_array_equal(curve.values, [5.0, 10.0])
    np.testing.assert_allclose(curve.rates, [run.rates[::2].mean(), run.rates[1::2].mean()])
    np.testing.assert_allclose(curve.deviations, [run.rates[::2].std(), run.rates[1::2].std()])
    np.testing.assert_allclose(run.f_i("d").rates, run.rates.reshape(3, 2).mean(axis=1))
    late = run.f_i("d", start=100.0)
    times, indices = run.spikes
    counts = np.bincount(indices[times > 100.05], minlength=6)
    np.testing.assert_allclose(late.rates, counts.reshape(3, 2).mean(axis=1) * 10.0)
    for width in (0.1, 0.3, 7.0, 500.0):
        rate = run.population_rate(width)
        assert (rate.rates * np.diff(rate.edges)).sum() * 6 / 1000 == pytest.approx(len(times))
        assert rate.edges[-1] == 200.0 and len(rate.t) == len(rate.rates)
    np.testing.assert_array_equal(
        (run.population_rate(0.1).rates > 0).nonzero()[0], np.unique((times * 10).round()) - 1
    )
    assert iz.plot.f_i(run).get_xlabel() == "I (mV/ms)" and iz.plot.f_i(run, "d").get_ylabel() == "firing rate (Hz)"
    assert iz.plot.population_rate(run, 5.0).get_xlabel() == "time (ms)"
    for wrong in (0.0, np.nan, "1", True, 0.01, -1.0):
        with pytest.raises(IzhigenError, match="bins"):
            run.population_rate(wrong)
    with pytest.raises(IzhigenError, match="known: d, I"):
        run.f_i("b")
    with pytest.raises(IzhigenError, match="not a time of the run"):
        run.f_i(start=200.0)
    with pytest.raises(IzhigenError, match="differs between"):
        pop.run(1.0, record=["V"]).f_i()
