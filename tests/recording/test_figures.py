"""Figures of spikes kept in the kernel, against those of the spikes themselves."""

import numpy as np
import pytest

import izhigen as iz
from izhigen import Recording
from izhigen.errors import ModelError, RecordingError, ValueShapeError

FIGURES = ["count", "first_spike", "isi"]


def expected(times, indices, neurons):
    """Count, first time, mean and standard deviation of the intervals of each neuron, from a list of spikes."""
    trains = [times[indices == k] for k in neurons]
    none = np.array([np.nan])
    return (
        np.array([len(t) for t in trains]),
        np.array([t[0] if len(t) else np.nan for t in trains]),
        np.array([np.mean(np.diff(t) if len(t) > 1 else none) for t in trains]),
        np.array([np.std(np.diff(t) if len(t) > 1 else none) for t in trains]),
    )


def population(backend, dtype, size=523, **options):
    return iz.load("CH").population(size, dt=0.25, backend=backend, dtype=dtype, **options)


def test_figures_agree_with_the_spikes(backend, dtype):
    current = np.linspace(-2.0, 12.0, 523)
    pop = population(backend, dtype, threads=2)
    recording = pop.run(400.0, I=current, record=["spike", *FIGURES]).to_host()
    count, first, mean, std = expected(*recording.spikes, range(523))
    assert count.min() == 0 and count.max() > 20
    np.testing.assert_array_equal(recording["count"], count)
    np.testing.assert_allclose(recording["first_spike"], first, rtol=1e-12)
    np.testing.assert_allclose(recording["isi"].mean, mean, rtol=1e-12)
    np.testing.assert_allclose(recording["isi"].std, std, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(recording["isi"].cv, std / mean, rtol=1e-6, atol=1e-9)


def test_one_spike_has_a_time_and_no_interval(backend):
    pop = iz.Model("Ramp", "dV/dt = I", threshold="V >= 1", reset="V = 0", inputs=["I"]).population(
        3, dt=1.0, backend=backend
    )
    recording = pop.run(10.0, I=[0.0, 0.15, 0.0], record=FIGURES).to_host()
    assert recording["count"].tolist() == [0, 1, 0] and recording["first_spike"][1] == 7.0
    assert (
        np.isnan(recording["first_spike"][[0, 2]]).all()
        and np.isnan(recording["isi"].mean).all()
        and np.isnan(recording["isi"].std).all()
    )


def test_a_run_that_goes_on_counts_anew_and_keeps_absolute_times(backend):
    pop = population(backend, "float32", 1)
    pop.run(100.0, I=10.0, record=())
    recording = pop.run(200.0, I=10.0, record=["spike", "first_spike", "count"])
    assert recording["first_spike"][0] == recording.spikes[0][0] > 100.0
    assert recording["count"][0] == len(recording.spikes[0])


def test_shapes_chosen_neurons_and_counts_without_spikes(backend):
    pop = population(backend, "float32", (3, 4), batch=2)
    recording = pop.run(200.0, I=10.0, record=FIGURES).to_host()
    assert recording["count"].shape == recording["isi"].mean.shape == (2, 3, 4)
    np.testing.assert_array_equal(recording.counts, recording["count"])
    assert (
        recording.rates.shape == (2, 3, 4)
        and recording.names == FIGURES
        and "isi" in recording
        and "spike" not in recording
    )
    chosen = population(backend, "float32", 12).run(200.0, I=np.arange(12.0), record=FIGURES, neurons=[7, 2]).to_host()
    whole = population(backend, "float32", 12).run(200.0, I=np.arange(12.0), record=FIGURES).to_host()
    np.testing.assert_array_equal(chosen["first_spike"], whole["first_spike"][[7, 2]])


@pytest.mark.parametrize("suffix", ["npz", "zarr"])
def test_saved_and_read_again(tmp_path, suffix, backend):
    made = population(backend, "float32", 5).run(200.0, I=np.arange(5.0) * 3, record=[*FIGURES, "V"])
    made.save(tmp_path / f"run.{suffix}")
    recording, again = made.to_host(), Recording.load(tmp_path / f"run.{suffix}")
    streamed = population(backend, "float32", 5).run(
        200.0, I=np.arange(5.0) * 3, record=[*FIGURES, "V"], out=tmp_path / "streamed.zarr"
    )
    for other in (again, streamed):
        assert other.names == recording.names
        for name in ("count", "first_spike", "isi"):
            np.testing.assert_array_equal(other[name], recording[name])
        np.testing.assert_array_equal(other.to_xarray()["isi_mean"], recording["isi"].mean)


def test_errors():
    recording = population("c", "float32", 2).run(1.0, record=["count"])
    with pytest.raises(RecordingError, match=r"'isi' was not recorded \(recorded: count\)"):
        recording["isi"]
    with pytest.raises(ValueShapeError, match="'isis' is not a state"):
        population("c", "float32", 2).run(1.0, record=["isis"])
    with pytest.raises(ModelError, match="'count' clashes"):
        iz.Model("M", "dcount/dt = 1")
