"""What a run wrote down: decimation, subsets, spikes, files, labelled arrays."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import RecordingError, ValueShapeError
from tests.helpers import host

CURRENTS = np.linspace(5.0, 25.0, 300)


@pytest.fixture
def full(backend):
    return backend, again(backend, record=["V", "u", "spike"])


def again(backend, **options):
    return (
        iz.load("RS")
        .population(300, dt=0.1, backend=backend, dtype="float64")
        .run(60.0, I=CURRENTS, **options)
        .to_host()
    )


def test_times_are_the_ends_of_steps(full):
    _, recording = full
    np.testing.assert_allclose(recording.t, np.arange(1, 601) * 0.1)
    times, indices = recording.spikes
    assert (np.diff(times) >= 0).all() and all(
        np.diff(indices[times == t]).min(initial=1) > 0 for t in np.unique(times)[:5]
    )
    assert (recording["V"][recording["spike"]] == -65.0).all(), "values are those after the reset"


def test_decimation(full):
    backend, recording = full
    every = again(backend, record=["V", "spike"], every=7)
    np.testing.assert_array_equal(every["V"], recording["V"][6::7])
    np.testing.assert_array_equal(every.t, recording.t[6::7])
    np.testing.assert_array_equal(every.spikes[0], recording.spikes[0])
    windows = recording["spike"][: 7 * (600 // 7)].reshape(-1, 7, 300).any(axis=1)
    np.testing.assert_array_equal(every["spike"], windows)


@pytest.mark.parametrize(
    "chosen",
    [[5, 299, 0, 256], [280], slice(250, 270), np.arange(300) % 100 == 3],
    ids=["unsorted", "one", "slice", "mask"],
)
def test_subsets(full, chosen):
    backend, recording = full
    part = again(backend, record=["V", "spike"], neurons=chosen, every=3)
    index = np.arange(300)[chosen]
    np.testing.assert_array_equal(part["V"], recording["V"][2::3][:, index])
    np.testing.assert_array_equal(part.neurons, index)
    kept = np.isin(recording.spikes[1], index)
    np.testing.assert_array_equal(part.spikes[1], recording.spikes[1][kept])
    assert part["spike"].shape == (200, len(index))
    np.testing.assert_array_equal(part["spike"].sum(axis=0) > 0, recording["spike"][:, index].sum(axis=0) > 0)


def test_counts_and_rates(full):
    _, recording = full
    np.testing.assert_array_equal(recording.counts, recording["spike"].sum(axis=0))
    np.testing.assert_allclose(recording.rates, recording.counts / 0.06)


def test_what_was_not_recorded_is_said(full):
    backend, recording = full
    with pytest.raises(RecordingError, match=r"record=\['w'\]"):
        recording["w"]
    silent = again(backend, record=["V"])
    with pytest.raises(RecordingError, match="spikes were not recorded"):
        silent.spikes
    assert "spike" in recording and "spike" not in silent and recording.names == ["V", "u", "spike"]


def test_save_and_load(full, tmp_path):
    backend, _ = full
    recording = again(backend, record=["V", "spike"], neurons=[4, 2])
    recording.save(tmp_path / "run.npz")
    back = iz.Recording.load(tmp_path / "run.npz")
    np.testing.assert_array_equal(back["V"], recording["V"])
    np.testing.assert_array_equal(back["spike"], recording["spike"])
    assert back.info == dict(recording.info) and back.shape == recording.shape
    (tmp_path / "other.npz").write_bytes(b"nothing")
    for bad in ("absent.npz", "other.npz"):
        with pytest.raises(RecordingError, match="not a recording"):
            iz.Recording.load(tmp_path / bad)


def test_to_xarray(full):
    pytest.importorskip("xarray")
    _, recording = full
    data = recording.to_xarray()
    assert data.V.dims == ("time", "neuron") and data.V.attrs["units"] == "mV" and data.attrs["model"] == "RS"
    np.testing.assert_array_equal(data.V.sel(neuron=3), recording["V"][:, 3])
    grid = iz.load("RS").population((2, 3)).run(1.0, record=["V"]).to_xarray()
    assert grid.V.shape == (10, 2, 3)


# -- models without a threshold -----------------------------------------------------------------------------------------

SILENT = iz.Model("Silent", "dV/dt = (I - V)/10", inputs=["I"])
OF_SPIKES = ["spike", "count", "first_spike", "isi"]


@pytest.mark.parametrize("name", OF_SPIKES)
def test_spikes_of_a_model_without_a_threshold_are_an_error(backend, name):
    pop = SILENT.population(3, dt=0.1, backend=backend)
    for record in ([name], name, ["V", name], ["all", name]):
        with pytest.raises(
            ValueShapeError, match=f"'Silent' has no threshold, so it has no spikes and no '{name}'"
        ) as e:
            pop.run(1.0, I=1.0, record=record)
        assert "\n" not in str(e.value) and "model.variant(threshold='V > 0')" in str(e.value)
    assert pop.t == 0.0 and not host(pop.V).any()


def test_by_default_nothing_is_asked_about_spikes_of_a_model_without_a_threshold(backend, monkeypatch, tmp_path):
    """Neither of the engine, nor can it be read from the recording, nor from what was saved of it."""
    blocks = []
    pop = SILENT.population(3, dt=0.1, backend=backend)
    engine = type(pop._engine())
    submit = engine.submit
    monkeypatch.setattr(engine, "submit", lambda self, block: blocks.append(block) or submit(self, block))
    recording = pop.run(2.0, I=1.0).to_host()
    everything = pop.run(2.0, I=1.0, record="all").to_host()
    assert blocks and not any(block.outputs.events or block.outputs.moments is not None for block in blocks)
    assert recording.names == [] and everything.names == ["V", "I"]
    everything.save(tmp_path / "x.npz")
    everything.save(tmp_path / "x.zarr")
    for each in (recording, everything, *(iz.Recording.load(tmp_path / f"x.{suffix}") for suffix in ("npz", "zarr"))):
        reads = [lambda e=each, n=name: e[n] for name in OF_SPIKES]
        reads += [lambda e=each, n=name: getattr(e, n) for name in ("spikes", "counts", "rates")]
        for read in (*reads, lambda e=each: e.population_rate(1.0)):
            with pytest.raises(RecordingError, match="'Silent' has no threshold, so it has no spikes"):
                read()


def test_a_model_with_a_threshold_records_its_spikes_by_default(backend):
    recording = SILENT.variant(threshold="V > 0.5", reset="V = 0").population(3, backend=backend).run(20.0, I=1.0)
    assert recording.names == ["spike"] and recording.to_host().counts.tolist() == [2, 2, 2]
