"""Events besides the spike in recordings: their lists, from every backend, in memory, in files, in stores and in pictures."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.derive.step import derive_step
from izhigen.errors import NonFiniteError, RecordingError, ValueShapeError
from izhigen.recording import store
from izhigen.recording.events import EventList
from izhigen.recording.store import Piece
from tests.disk import Disk, full
from tests.helpers import host
from tests.recording.test_streaming import steps_of

EVENTS = {"climb": iz.Event("V > 0.3", trigger="rising"), "tired": iz.Event("w > 1.6", "w = -1")}
BOTH = iz.Model(
    "Both",
    "dV/dt = (I - V)/10\ndw/dt = -w/20",
    inputs=["I"],
    threshold="V > 0.5",
    reset="V = 0; w = w + 1",
    events=EVENTS,
)
ALWAYS = iz.Model(
    "Always",
    "dV/dt = g*V",
    parameters={"g": 0.0},
    initial={"V": 1.0},
    threshold="V > 0",
    trigger="level",
    events={"one": iz.Event("V > 0.5", trigger="level"), "two": iz.Event("V > 0.1", trigger="level")},
)
SILENT = iz.Model("Silent", "dV/dt = (I - V)/10", inputs=["I"], events=dict(list(EVENTS.items())[:1]))
CURRENT = np.linspace(0.2, 3.0, 12)


def population(size=12, model=BOTH, backend="numpy", **options):
    return model.population(size, dt=0.1, **{"dtype": "float64", "backend": backend, **options})


def expected(full):
    """What the traces of all neurons and steps say of each event: (step, neuron)."""
    rows = len(full.t)
    V, w = np.asarray(full["V"]).reshape(rows, -1), np.asarray(full["w"]).reshape(rows, -1)
    before = np.vstack([np.zeros((1, V.shape[1])), V[:-1]])
    return {"climb": np.argwhere((V > 0.3) & (before <= 0.3)), "tired": np.argwhere(w == -1.0)}


def same(one, two):
    """Two recordings say the same of every event, bit for bit."""
    assert one.names == two.names and list(one.events) == list(two.events) and repr(one) == repr(two)
    for name in two.events:
        for ours, theirs in zip(one.events[name], two.events[name]):
            assert isinstance(ours, np.ndarray) and ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(one[name], two[name])


def test_numbers_are_those_of_kernels():
    assert BOTH.event_numbers == {"spike": 0, "climb": 1, "tired": 2}
    assert SILENT.event_numbers == {"spike": 0, "climb": 1}
    for model in (BOTH, SILENT):
        assert derive_step(model, "exp_euler").event_names == tuple(model.event_numbers)


@pytest.mark.parametrize(("size", "batch"), [(12, None), ((3, 2), 2)])
def test_events_are_where_the_traces_say(backend, size, batch):
    pop = population(size, backend=backend, batch=batch)
    recording = pop.run(90.0, I=CURRENT.reshape(pop.shape), record="all").to_host()
    assert recording.names == ["V", "w", "I", "spike", "climb", "tired"] and "tired" in recording
    for name, places in expected(recording).items():
        times, indices = recording.events[name]
        assert len(places) > 10 and indices.dtype == np.int64
        np.testing.assert_allclose(times, (places[:, 0] + 1) * 0.1, rtol=1e-12)
        np.testing.assert_array_equal(indices, places[:, 1])
        dense = recording[name]
        assert dense.shape == (900, *pop.shape) and dense.dtype == bool
        np.testing.assert_array_equal(np.argwhere(dense.reshape(900, -1)), places)
    for ours, theirs in zip(recording.events["spike"], recording.spikes):
        np.testing.assert_array_equal(ours, theirs)
    assert f"{len(recording.spikes[0])} spikes, {len(recording.events['climb'][0])} of event climb" in repr(recording)


def test_every_choice_of_events_gives_the_same(backend):
    whole = population(backend=backend).run(60.0, I=CURRENT, record=["tired", "climb", "spike"]).to_host()
    assert whole.names == ["spike", "climb", "tired"]
    for record in ("tired", ["climb"], ["tired", "spike"], ["climb", "count", "V"]):
        part = population(backend=backend).run(60.0, I=CURRENT, record=record).to_host()
        assert list(part.events) == [name for name in whole.events if name in record]
        for name in part.events:
            np.testing.assert_array_equal(part.events[name], whole.events[name])


def test_chosen_neurons_and_rows(backend):
    whole = population(backend=backend).run(90.0, I=CURRENT, record="all").to_host()
    chosen = [9, 2, 11]
    part = population(backend=backend).run(90.0, I=CURRENT, record="all", neurons=chosen, every=7).to_host()
    for name in whole.events:
        times, indices = whole.events[name]
        kept = np.isin(indices, chosen)
        np.testing.assert_array_equal(part.events[name], (times[kept], indices[kept]))
        dense = whole[name][: 7 * len(part.t)].reshape(len(part.t), 7, 12).any(axis=1)[:, chosen]
        assert dense.any() and part[name].shape == (128, 3)
        np.testing.assert_array_equal(part[name], dense)


@pytest.mark.parametrize("size", [1, 255, 256, 257])
def test_lists_that_are_full_in_every_step(backend, size):
    """Each event of each neuron in each step: more than any list of a kernel holds."""
    recording = ALWAYS.population(size, backend=backend).run(steps=83, record=["spike", "one", "two", "count"])
    recording = recording.to_host()
    for name in ("spike", "one", "two"):
        times, indices = recording.events[name]
        np.testing.assert_allclose(times, np.repeat(np.arange(1, 84) * recording.info["dt"], size), rtol=1e-12)
        np.testing.assert_array_equal(indices, np.tile(np.arange(size), 83))
    assert (recording["count"] == 83).all()


@pytest.mark.parametrize("options", [{"steps_per_launch": 1}, {"steps_per_launch": 7}, {"sharding": [0, 0]}], ids=str)
def test_launches_and_several_devices(device, options):
    run = {"I": CURRENT, "record": "all"}
    one = population(backend="cuda").run(60.0, **run).to_host()
    same(population(backend="cuda", **options).run(60.0, **run).to_host(), one)
    assert len(one.events["tired"][0]) > 10


def test_a_run_goes_on_where_the_last_ended():
    whole = population().run(60.0, I=CURRENT, record="tired")
    pop = population()
    parts = [pop.run(t, I=CURRENT, record="tired").events["tired"] for t in (20.0, 0.0, 40.0)]
    assert len(parts[0][0]) and len(parts[2][0])
    for joined, wanted in zip(map(np.concatenate, zip(*parts)), whole.events["tired"]):
        np.testing.assert_allclose(joined, wanted, rtol=1e-12)


# -- what is asked for ------------------------------------------------------------------------------------------------


def test_what_is_recorded_by_default(backend):
    assert population(backend=backend).run(5.0, I=1.0).names == ["spike"]
    silent = population(model=SILENT, backend=backend).run(20.0, I=CURRENT).to_host()
    assert silent.names == ["climb"] and len(silent.events["climb"][0]) == (CURRENT > 0.3).sum()
    assert population(model=SILENT).run(1.0, I=1.0, record=[]).names == []


def test_what_cannot_be_asked_for():
    pop = population()
    with pytest.raises(ValueShapeError, match=r"did you mean 'climb'.*events: climb, tired; of spikes: spike, count"):
        pop.run(1.0, record="climp")
    for name in ("spike", "count", "isi"):
        with pytest.raises(ValueShapeError, match=f"has no threshold, so it has no spikes and no '{name}'"):
            population(model=SILENT).run(1.0, record=name)
    recording = pop.run(1.0, I=1.0, record=["V", "climb"])
    with pytest.raises(RecordingError, match=r"'tired' was not recorded \(recorded: V, climb\)"):
        recording["tired"]
    with pytest.raises(KeyError, match=r"no event 'clim' was recorded; did you mean 'climb'.*recorded: climb"):
        recording.events["clim"]
    with pytest.raises(RecordingError, match="spikes were not recorded"):
        recording.counts
    assert recording.spike_times is None and "spike" not in recording.events and recording.events.get("spike") is None
    assert repr(recording.events) == f"<events climb: {len(recording.events['climb'][0])}>"


# -- files and stores -------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Pieces and chunks so small that a short run has many of each."""
    pytest.importorskip("zarr", minversion="3")
    monkeypatch.setattr(store, "PIECE_BYTES", 1 << 12)
    monkeypatch.setattr(store, "LEAST_CHUNK_BYTES", 1 << 9)
    monkeypatch.setattr(store, "CHUNK_BYTES", 1 << 10)
    monkeypatch.setattr(store, "SERIES_CHUNK", 30)
    monkeypatch.setattr("izhigen.recording.recording.SPIKES_AT_ONCE", 17)
    monkeypatch.setattr("izhigen.recording.sinks.StoreSink.spikes", 40)


RUNS = {
    "all": {"record": "all"},
    "events alone": {"record": ["tired", "climb"]},
    "some neurons and rows": {"record": ["V", "spike", "tired"], "neurons": [8, 3, 10], "every": 7},
    "none happen": {"record": ["V", "climb"], "neurons": [0]},
}


@pytest.mark.parametrize(
    ("case", "backend"),
    [
        *((case, "c") for case in RUNS),
        ("all", "numpy"),
        ("all", "cuda"),
        ("some neurons and rows", "cuda"),
        ("none happen", "numpy"),
    ],
    indirect=["backend"],
)
def test_saved_and_streamed(case, backend, tmp_path, small):
    given = {"I": CURRENT, **RUNS[case]}
    kept = population(backend=backend).run(40.0, **given).to_host()
    same(population(backend=backend).run(40.0, **given, out=tmp_path / "run.zarr"), kept)
    kept.save(tmp_path / "kept.npz")
    kept.save(tmp_path / "kept.zarr")
    for name in ("run.zarr", "kept.npz", "kept.zarr"):
        loaded = iz.Recording.load(tmp_path / name)
        same(loaded, kept)
        loaded.save(tmp_path / f"again-{name}.npz")
        assert (tmp_path / f"again-{name}.npz").read_bytes() == (tmp_path / "kept.npz").read_bytes()


def test_xarray_has_an_axis_for_each(tmp_path, small):
    xarray = pytest.importorskip("xarray")
    kept = population().run(70.0, I=CURRENT, record="all")
    kept.save(tmp_path / "x.zarr")
    for found in (
        kept.to_xarray(),
        iz.Recording.load(tmp_path / "x.zarr").to_xarray(),
        xarray.open_zarr(tmp_path / "x.zarr"),
    ):
        for name, (times, indices) in kept.events.items():
            assert found[f"{name}_time"].dims == found[f"{name}_neuron"].dims == (name,)
            assert found[f"{name}_time"].attrs["units"] == "ms"
            np.testing.assert_array_equal(found[f"{name}_time"], times)
            np.testing.assert_array_equal(found[f"{name}_neuron"], indices)


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_no_event_after_the_step_that_a_run_goes_back_to(backend, tmp_path, small):
    growth = np.array([0.1, 12.0, -1.0])
    pop, again = (population(3, ALWAYS, backend, g=growth) for _ in range(2))
    with pytest.raises(NonFiniteError) as problem:
        pop.run(1000.0, record=["V", "one", "two"], every=7, out=tmp_path / "x.zarr")
    stored, steps = iz.Recording.load(tmp_path / "x.zarr"), problem.value.step
    assert stored.interrupted and steps > 100 and stored.stop == pop.t == pytest.approx(steps * 0.1)
    kept = again.run(steps=steps, record=["V", "one", "two"], every=7)
    for name in ("one", "two"):
        np.testing.assert_array_equal(stored.events[name], kept.events[name])
    assert 2 * steps < len(stored.lists["one"]) < len(stored.lists["two"]) < 3 * steps


@pytest.mark.parametrize("recover", [False, True], ids=["for good", "once"])
def test_full_disk(recover, tmp_path, small, monkeypatch):
    """What the error says is safe can be read; what fits at a second try is not lost, also after the last row."""
    given = {"I": CURRENT, "record": ["V", "spike", "climb", "tired"], "every": 7}
    kept = population().run(100.0, **given)
    first, last = steps_of(lambda _: population().run(100.0, **given, out=tmp_path / "all.zarr"))
    told = set()
    for step in np.linspace(first, first + 0.8 * (last - first), 6, dtype=int).tolist():
        path, problem = tmp_path / f"{step}.zarr", None
        with monkeypatch.context() as patch:
            Disk(full(step, step if recover else float("inf"))).install(patch)
            try:
                population().run(100.0, **given, out=path)
            except RecordingError as refused:
                problem = str(refused)
        stored = iz.Recording.load(path)
        assert (problem is None) == recover
        for name in kept.events:
            times, indices = kept.events[name]
            before = times <= stored.stop + 1e-9
            np.testing.assert_array_equal(stored.events[name], (times[before], indices[before]))
        if problem:
            others = len(stored.lists["climb"]) + len(stored.lists["tired"])
            events = f", {len(stored.spikes[0])} spikes and {others} other events"
            assert f"its first {len(stored.t)} rows{events} are safe" in problem or not others
            told.add(others)
    assert recover or len(told) > 3


def test_parts_of_a_piece_have_every_event_of_it():
    t, times = np.array([3.0, 6.0, 9.0]), np.arange(1.0, 12.0)
    piece = Piece(t, {"V": t}, {"x": EventList(times, np.arange(11)), "none": EventList(times[:0], np.arange(0))})
    parts = [piece.part(0, 1), piece.part(1, 2), piece.part(2, 3)]
    assert [part.events["x"].times.tolist() for part in parts] == [[1, 2, 3], [4, 5, 6], [7, 8, 9, 10, 11]]
    assert [len(part.events["none"]) for part in parts] == [0, 0, 0]


@pytest.mark.parametrize(
    ("event", "state"), [("neuron", "V"), ("x", "x_time"), ("x", "x_neuron"), ("y", "spike_time"), ("isi_mean", "V")]
)
def test_names_that_two_arrays_would_have(event, state, tmp_path, small):
    model = iz.Model("Clash", f"d{state}/dt = 1", events={event: iz.Event(f"{state} > 0.1")})
    recording = model.population(2, backend="numpy").run(1.0, record="all")
    with pytest.raises(RecordingError, match="is the name of another array of the store"):
        recording.save(tmp_path / "x.zarr")
    with pytest.raises(RecordingError, match="is the name of another array of the store"):
        model.population(2, backend="numpy").run(1.0, record="all", out=tmp_path / "x.zarr")
    assert not list(tmp_path.iterdir())
    recording.save(tmp_path / "x.npz")
    same(iz.Recording.load(tmp_path / "x.npz"), recording)
    if (event, state) in (("neuron", "V"), ("x", "x_time"), ("x", "x_neuron")):
        pytest.importorskip("xarray")
        with pytest.raises(RecordingError, match="is the name of two variables or axes"):
            recording.to_xarray()


# -- shown ------------------------------------------------------------------------------------------------------------


def legend(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def test_pictures_and_pages_show_them(backend, monkeypatch):
    recording = population(backend=backend).run(60.0, I=CURRENT, record=["V", "spike", "climb", "tired"])
    figure = recording.plot()
    assert legend(figure)[-2:] == ["climb", "tired"] and len(figure.axes) == 2
    spikes, *others = figure.axes[-1].collections
    for name, drawn in zip(("climb", "tired"), others, strict=True):
        np.testing.assert_array_equal(drawn.get_offsets().T, [host(part) for part in recording.events[name]])
    assert len(spikes.get_offsets()) == len(recording.spike_times)
    page = recording._repr_html_()
    assert (
        "V, spike, climb, tired" in page and f", {len(recording.lists['tired'])} of tired<" in page and "<img" in page
    )
    monkeypatch.setattr("izhigen.plot.MOST_MARKS", 10)
    label = legend(recording.plot())[-1]
    assert label == f"tired (10 of {len(recording.lists['tired'])})"


def test_events_without_spikes_are_drawn():
    recording = population(model=SILENT).run(20.0, I=CURRENT)
    figure = recording.plot()
    assert legend(figure) == ["climb"] and len(figure.axes[0].collections) == 1 and "<img" in recording._repr_html_()
    nothing = population(model=SILENT).run(20.0, I=0.0)
    assert [text.get_text() for text in nothing.plot().axes[0].texts] == ["no events"]
