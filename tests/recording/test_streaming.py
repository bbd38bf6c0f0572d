"""Recordings written to a Zarr store while the run goes on: equal to those in memory, bounded, readable after every kind of end."""

import builtins
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import NonFiniteError, RecordingError, ValueShapeError
from izhigen.files import DRAFT_PREFIX
from izhigen.recording import store
from tests.conftest import ROOT
from tests.disk import Disk, drafts, full, install_small
from tests.helpers import host, interrupt_what_runs

xarray = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr", minversion="3")
RS = iz.load("RS")
GROWS = iz.Model("Grows", "dV/dt = g*V", parameters={"g": 1.0}, initial={"V": 1.0})


@pytest.fixture
def small(monkeypatch):
    """Pieces and chunks so small that a short run has many of each."""
    monkeypatch.setattr(store, "PIECE_BYTES", 1 << 15)
    monkeypatch.setattr(store, "CHUNK_BYTES", 1 << 12)
    monkeypatch.setattr(store, "SERIES_CHUNK", 300)
    monkeypatch.setattr("izhigen.recording.recording.SPIKES_AT_ONCE", 170)


RUN_HERE = {**os.environ, "PYTHONPATH": str(ROOT)}


def same(stored, kept):
    """Everything that two recordings say is equal, bit for bit."""
    assert stored.names == kept.names and stored.shape == kept.shape and stored.info == dict(kept.info)
    assert (stored.start, stored.stop, stored.interrupted) == (kept.start, kept.stop, kept.interrupted) and repr(
        stored
    ) == repr(kept)
    np.testing.assert_array_equal(stored.t, kept.t)
    np.testing.assert_array_equal(stored.neurons, kept.neurons)
    for name in kept.names:
        assert stored[name].dtype == kept[name].dtype and stored[name].shape == kept[name].shape
        np.testing.assert_array_equal(stored[name], kept[name])
    if "spike" in kept:
        for ours, theirs in zip(stored.spikes, kept.spikes):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(stored.counts, kept.counts)
        assert stored.counts.dtype == kept.counts.dtype
        if kept.stop > kept.start:
            np.testing.assert_array_equal(stored.rates, kept.rates)


CASES = {
    "prime": (101, {}, {}),
    "grid": ((3, 7), {}, {"record": ["u", "V", "spike"]}),
    "batch": ((5, 4), {"batch": 3}, {}),
    "one": (1, {}, {}),
    "unsorted": (101, {}, {"neurons": [88, 3, 100, 0], "every": 3}),
    "decimated": (101, {}, {"every": 7}),
    "late": (11, {}, {"every": 499}),
    "mask in a batch": (10, {"batch": 2}, {"neurons": np.arange(20) % 3 == 1}),
    "traces alone": (31, {}, {"record": "V"}),
    "spikes alone": (101, {}, {"record": ["spike"]}),
    "nothing": (5, {}, {"record": []}),
    "none of them": (5, {}, {"neurons": []}),
    "refractory": (
        37,
        {"tau_ref": np.linspace(1, 9, 37)},
        {"record": ["refractory", "V", "t_last_spike", "spike"], "neurons": [30, 9, 12], "every": 2},
    ),
}


EVERYWHERE = ("batch", "unsorted", "nothing", "refractory")
BY_BACKEND = [
    (case, backend)
    for k, case in enumerate(CASES)
    for backend in ("c", "numpy", "cuda")
    if backend == "c" or case in EVERYWHERE or backend == ("numpy", "cuda")[k % 2]
]
"""All cases on C and on one of the others, those of a special kind on both."""


@pytest.mark.parametrize(("case", "backend"), BY_BACKEND, indirect=["backend"])
@pytest.mark.sample(12)
def test_equal_to_a_recording_in_memory(case, backend, tmp_path, small):
    size, options, record = CASES[case]
    dtype = "float32" if backend == "c" else "float64"
    model = iz.load("RS").with_refractory() if case == "refractory" else RS
    one, two = (model.population(size, dt=0.1, backend=backend, dtype=dtype, **options) for _ in range(2))
    feed = {"I": np.linspace(5, 40, one.V.size).reshape(one.shape)}
    for k, steps in enumerate((331, 0, 1, 256)):
        run = {"steps": steps, **feed, "record": ["V", "spike"], **record}
        kept, stored = one.run(**run).to_host(), two.run(**run, out=tmp_path / f"{k}.zarr")
        same(stored, kept)
        same(iz.Recording.load(str(tmp_path / f"{k}.zarr")), kept)
    np.testing.assert_array_equal(host(one.V), host(two.V))


def test_many_spikes_end_a_piece_early(tmp_path, backend, small, monkeypatch):
    monkeypatch.setattr("izhigen.recording.sinks.BUFFER_SPIKES", 40)
    monkeypatch.setattr("izhigen.recording.sinks.StoreSink.spikes", 40)
    for name in ("engine", "cuda"):
        monkeypatch.setattr(f"izhigen.backends.{name}.LONGEST_BLOCK", 37)
    one, two = (RS.population(101, dt=0.1, backend=backend) for _ in range(2))
    options = {"I": 20.0, "record": ["V", "spike"], "every": 3}
    same(two.run(200.0, **options, out=tmp_path / "x.zarr"), one.run(200.0, **options).to_host())


def test_indices_read_what_they_ask_for(tmp_path, small):
    one, two = (RS.population((4, 6), dt=0.1) for _ in range(2))
    kept, stored = (
        one.run(50.0, I=10.0, record=["V"])["V"],
        two.run(50.0, I=10.0, record=["V"], out=tmp_path / "x.zarr")["V"],
    )
    for key in (
        3,
        -1,
        np.int64(7),
        slice(10, 20),
        slice(-5, None),
        slice(20, 10),
        slice(None, None, 7),
        slice(None, None, -1),
        (5, 2, 1),
        (slice(3, 9), 2),
        (Ellipsis, 1),
        (0, Ellipsis),
        Ellipsis,
        (slice(None), slice(1, 3), slice(None, None, 2)),
        [4, 2],
        np.arange(500) % 5 == 0,
    ):
        found = stored[key]
        assert type(found) is type(kept[key]) and found.dtype == kept.dtype
        np.testing.assert_array_equal(found, kept[key])
    assert len(stored) == 500 and stored.ndim == 3 and stored.size == kept.size and "on disk" in repr(stored)
    for outside in (500, -501):
        with pytest.raises(IndexError):
            stored[outside]
    with pytest.raises(TypeError):
        stored[0] = 1.0


def test_memory_is_bounded(tmp_path):
    pop = RS.population(1000, dt=0.1)
    pop.run(0.0, I=10.0)
    tracemalloc.start()
    try:
        recording = pop.run(steps=50_000, I=10.0, record=["V", "spike"], out=tmp_path / "long.zarr")
        part, counts = recording["V"][35_000:35_010, 3], recording.counts
        assert tracemalloc.get_traced_memory()[1] < 75e6
    finally:
        tracemalloc.stop()
    assert (
        recording["V"].size * 4 == 200_000_000
        and part.shape == (10,)
        and counts.sum() == len(recording.spike_times) > 0
    )


def test_chunks_are_of_sensible_size():
    for row_shape, itemsize in [((1000,), 4), ((1,), 8), ((1_000_000,), 4), ((300, 20_000), 8), ((10_000_000,), 8)]:
        header = store.Header(row_shape, None, {}, 0.0, {"V": np.dtype(f"f{itemsize}")}, (), 1_000_000)
        most = max(1, store.PIECE_BYTES // (itemsize * int(np.prod(row_shape))))
        chunk = store.chunk_shape(store.rows_a_chunk(header, most), row_shape, itemsize)
        assert chunk[0] <= most and 0.25 * store.CHUNK_BYTES <= np.prod(chunk) * itemsize <= store.CHUNK_BYTES
        assert all(length <= whole for length, whole in zip(chunk[1:], row_shape))


def test_xarray_opens_the_store(tmp_path, small, recwarn):
    xarray = pytest.importorskip("xarray")
    one, two = (RS.population((3, 5), dt=0.1) for _ in range(2))
    kept, stored = (
        one.run(80.0, I=20.0, record=["V", "spike"]),
        two.run(80.0, I=20.0, record=["V", "spike"], out=tmp_path / "x.zarr"),
    )
    expected = kept.to_xarray()
    for data in (stored.to_xarray(), xarray.open_zarr(tmp_path / "x.zarr", chunks=None)):
        assert (
            data.V.dims == ("time", "axis_0", "axis_1")
            and data.V.attrs == {"units": "mV"}
            and data.time.attrs == {"units": "ms"}
        )
        assert not data.V.variable._in_memory, "values are read when they are asked for"
        xarray.testing.assert_equal(data, expected)
        assert data.spike_neuron.dtype == np.int64 and data.attrs["model"] == "RS" and data.attrs["dt"] == 0.1
    assert stored.to_xarray().attrs == expected.attrs
    chosen = RS.population(9, dt=0.1).run(5.0, record=["V"], neurons=[7, 2], out=tmp_path / "y.zarr").to_xarray()
    np.testing.assert_array_equal(chosen.V.sel(neuron=7), chosen.V[:, 0])
    assert not [str(warning.message) for warning in recwarn if "arr" in str(warning.message)]


def test_saving_and_drawing(tmp_path, small):
    one, two = (RS.population((3, 5), dt=0.1) for _ in range(2))
    kept, stored = (
        one.run(80.0, I=20.0, record=["V", "u", "spike"]),
        two.run(80.0, I=20.0, record=["V", "u", "spike"], out=tmp_path / "x.zarr"),
    )
    stored.save(tmp_path / "x.npz")
    same(iz.Recording.load(tmp_path / "x.npz"), kept)
    for k, recording in enumerate((kept, stored)):
        recording.save(tmp_path / f"copy{k}.zarr")
        same(iz.Recording.load(tmp_path / f"copy{k}.zarr"), kept)
    with pytest.raises(RecordingError, match="exists already"):
        kept.save(tmp_path / "x.zarr")
    ours, theirs = stored.plot(neurons=[3, 14]), kept.plot(neurons=[3, 14])
    for drawn, expected in zip(ours.axes, theirs.axes):
        for a, b in zip(drawn.get_lines(), expected.get_lines()):
            np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())
    iz.plot.state_plane(RS, recording=stored, neuron=4)


# -- runs that end early ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["c", "cuda"], indirect=True)
def test_interrupted(tmp_path, backend, small):
    one, two = (RS.population(500, dt=0.1, backend=backend) for _ in range(2))
    sender = interrupt_what_runs(0.3)
    stored = two.run(1e6, I=10.0, record=["V", "spike"], neurons=[3, 1], every=100, out=tmp_path / "x.zarr")
    sender.join()
    assert (
        stored.interrupted
        and 0 < stored.stop < 1e6
        and stored.stop == two.t
        and len(stored.t) == round(two.t / 0.1) // 100
    )
    kept = one.run(steps=round(two.t / 0.1), I=10.0, record=["V", "spike"], neurons=[3, 1], every=100).to_host()
    np.testing.assert_array_equal(stored["V"], kept["V"])
    np.testing.assert_array_equal(stored.spikes, kept.spikes)


def test_not_finite_in_the_middle(backend, tmp_path, small):
    """The store ends with the last step that is finite, and the replay starts at the last write."""
    one, two = (GROWS.population(3, dt=0.1, backend=backend, g=[0.1, 1.2, -1.0]) for _ in range(2))
    one.run(10.0)
    two.run(10.0)
    with pytest.raises(NonFiniteError) as first:
        one.run(10_000.0, record=["V"])
    with pytest.raises(NonFiniteError) as second:
        two.run(10_000.0, record=["V"], out=tmp_path / "x.zarr")
    assert str(first.value) == str(second.value) and two.t == one.t
    stored = iz.Recording.load(tmp_path / "x.zarr")
    assert stored.interrupted and stored.stop == two.t and len(stored.t) == second.value.step - 100 > 400
    again = GROWS.population(3, dt=0.1, backend=backend, g=[0.1, 1.2, -1.0])
    again.run(10.0)
    np.testing.assert_array_equal(stored["V"], again.run(steps=len(stored.t), record=["V"]).to_host()["V"])


def test_bad_input_in_the_middle(backend, tmp_path, small):
    current = np.full((3000, 1), 10.0)
    current[2500] = np.nan
    pop = RS.population(7, dt=0.1, backend=backend)
    with pytest.raises(NonFiniteError, match="step 2500"):
        pop.run(300.0, I=current, record=["V", "spike"], out=tmp_path / "x.zarr")
    stored = iz.Recording.load(tmp_path / "x.zarr")
    assert stored.interrupted and stored.stop == 250.0
    np.testing.assert_array_equal(
        stored["V"], RS.population(7, dt=0.1, backend=backend).run(250.0, I=10.0, record=["V"]).to_host()["V"]
    )


def steps_of(run):
    """Disk steps of a run, and the first of them after the store was created."""
    created, disk = [], Disk(full(10**9))
    with pytest.MonkeyPatch.context() as patch:
        disk.install(patch)
        true = store.StoreWriter.append
        patch.setattr(store.StoreWriter, "append", lambda *a: (created.append(disk.steps), true(*a))[1])
        run(disk)
    return created[0], disk.steps


WHOLE = {"I": 30.0, "record": ["V", "u", "spike", "count"]}


@pytest.mark.parametrize("recover", [False, True], ids=["for good", "once"])
def test_full_disk(recover, tmp_path, small, monkeypatch):
    """Every step of the disk is refused in turn: what the error says is safe can be read, by us and by xarray."""
    kept = RS.population(101, dt=0.1).run(60.0, **WHOLE)
    first, last = steps_of(lambda _: RS.population(101, dt=0.1).run(60.0, **WHOLE, out=tmp_path / "all.zarr"))
    assert last - first > 60
    seen = set()
    # the number of steps varies a little from run to run, as chunks are written by several threads
    for step in np.unique(np.linspace(first, first + 0.8 * (last - first), 6 if recover else 12, dtype=int)).tolist():
        path = tmp_path / f"{step}.zarr"
        with monkeypatch.context() as patch:
            Disk(full(step, step if recover else float("inf"))).install(patch)
            words = rf"{step}\.zarr cannot be written: .*No space left.*; (its first \d+ rows|nothing)"
            try:
                RS.population(101, dt=0.1).run(60.0, **WHOLE, out=path)
                problem = ""
            except RecordingError as refused:
                problem = str(refused)
        assert not problem if recover else re.search(words, problem)
        seen.add(check_prefix(path, kept, drafts_too=True))
        rows = len(iz.Recording.load(path).t)
        assert f"first {rows} rows" in problem or rows == 0 or (not problem and rows == len(kept.t))
    assert seen == {len(kept.t)} if recover else len(seen) > 5  # what fits at a second try is not lost


@pytest.mark.parametrize("room", [1 << 14, 1 << 16, 1 << 18, 1 << 20])
def test_a_disk_smaller_than_a_piece_keeps_what_fits(room, tmp_path, monkeypatch):
    """With chunks and pieces of their true size, of which not one fits."""
    given = {"I": np.linspace(4.0, 40.0, 101), "record": ["V", "u", "spike", "count"]}
    kept = RS.population(101, dt=0.1).run(600.0, **given)
    with monkeypatch.context() as patch:
        install_small(patch, tmp_path, room)
        with pytest.raises(RecordingError, match="cannot be written: .*No space left") as problem:
            RS.population(101, dt=0.1).run(600.0, **given, out=tmp_path / "x.zarr")
    rows = check_prefix(tmp_path / "x.zarr", kept, drafts_too=True)
    used = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert used <= room and (used > 0.4 * room or room < 1 << 16)
    assert f"first {rows} rows" in str(problem.value) if rows else room < 1 << 16
    assert iz.Recording.load(tmp_path / "x.zarr").interrupted


def check_prefix(path, kept, drafts_too=False):
    """A store holds the first rows and spikes of a recording, whoever reads it; how many rows."""
    stored = iz.Recording.load(path)
    rows = len(stored.t)
    assert stored.stop == pytest.approx(rows * 0.1)
    for name in kept.traces:
        np.testing.assert_array_equal(stored[name], kept[name][:rows])
    before = kept.spikes[0] <= stored.stop + 1e-9
    np.testing.assert_array_equal(stored.spikes, np.array(kept.spikes)[:, before])
    plain = xarray.open_zarr(path, chunks=None)
    assert plain.sizes["time"] == rows and plain.sizes.get("spike", 0) == before.sum()
    for name in kept.traces:
        np.testing.assert_array_equal(plain[name], kept[name][:rows])
    np.testing.assert_array_equal(plain.spike_time, kept.spikes[0][before])
    for name in ("time", *kept.traces):  # one that does not take the metadata of all from one place
        place = path / name / "zarr.json"
        assert not place.exists() or zarr.open_array(path / name, mode="r").shape[0] <= rows
    assert not drafts_too or not drafts(path)
    return rows


def test_killed_at_any_step(tmp_path, small, monkeypatch):
    """What lies on the disk at each step, as a kill there would leave it."""
    kept = RS.population(101, dt=0.1).run(60.0, **WHOLE)
    copies, path = [], tmp_path / "x.zarr"

    def copy(step):
        if step % 37 == 0 and path.exists():
            unfinished = shutil.ignore_patterns(f"{DRAFT_PREFIX}*")  # another thread may be about to move them
            copies.append(shutil.copytree(path, tmp_path / f"{step}.zarr", ignore=unfinished))

    with monkeypatch.context() as patch:
        Disk(copy).install(patch)
        RS.population(101, dt=0.1).run(60.0, **WHOLE, out=path)
    rows = []
    for place in copies:
        if (place / "zarr.json").exists():
            rows.append(check_prefix(place, kept))
        else:
            with pytest.raises(RecordingError, match="zarr.json is missing"):
                iz.Recording.load(place)
    assert rows == sorted(rows) and len(set(rows)) > 5


KILLED = """
import os, signal, sys
import pytest, izhigen as iz
from izhigen.recording import chunks, store
from tests.disk import Disk

store.PIECE_BYTES, store.CHUNK_BYTES, store.SERIES_CHUNK = 1 << 15, 1 << 12, 300
iz.load("RS").population(101, dt=0.1).run(0.1, I=30.0)
for step in map(int, sys.argv[2:]):
    if (child := os.fork()) == 0:
        at = lambda number: os.kill(os.getpid(), signal.SIGKILL) if number == step else None
        Disk(at).install(pytest.MonkeyPatch())
        out = os.path.join(sys.argv[1], f"{step}.zarr")
        iz.load("RS").population(101, dt=0.1).run(60.0, I=30.0, record=["V", "u", "spike", "count"], out=out)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, step
"""


def test_killed(tmp_path, small):
    """The same with processes that really end."""
    kept = RS.population(101, dt=0.1).run(60.0, **WHOLE)
    first, last = steps_of(lambda _: RS.population(101, dt=0.1).run(60.0, **WHOLE, out=tmp_path / "all.zarr"))
    points = [str(step) for step in np.linspace(first, first + 0.8 * (last - first), 5).astype(int)]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), *points], check=True, env=RUN_HERE)
    for point in points:
        check_prefix(tmp_path / f"{point}.zarr", kept)


def test_a_store_is_read_while_it_is_written(tmp_path, small, monkeypatch):
    seen, write = [], store.StoreWriter.append

    def looking(self, *piece):
        write(self, *piece)
        seen.append(iz.Recording.load(self.path))

    monkeypatch.setattr(store.StoreWriter, "append", looking)
    whole = RS.population(101, dt=0.1).run(100.0, I=30.0, record=["V", "spike"], out=tmp_path / "x.zarr")
    assert len(seen) > 5 and not whole.interrupted
    for part in seen:
        assert part.interrupted and part.stop == pytest.approx(len(part.t) * 0.1)
        np.testing.assert_array_equal(part["V"], whole["V"][: len(part.t)])
        assert part.to_xarray().sizes["time"] == len(part.t)


# -- what is refused, before anything is simulated ----------------------------------------------------------------------


def refused(out, words, kind=RecordingError):
    pop = RS.population(3, dt=0.1)
    pop.run(1.0, I=10.0)
    before = pop.V.copy()
    with pytest.raises(kind, match=words) as problem:
        pop.run(1.0, I=10.0, out=out)
    assert "\n" not in str(problem.value) and pop.t == pytest.approx(1.0)
    np.testing.assert_array_equal(pop.V, before)


def test_paths_that_cannot_be(tmp_path):
    (tmp_path / "old.zarr").mkdir()
    (tmp_path / "file.zarr").write_text("kept")
    (tmp_path / "link.zarr").symlink_to(tmp_path / "nowhere")
    for name in ("old.zarr", "file.zarr", "link.zarr"):
        refused(tmp_path / name, f"{name} exists already; remove it or take another name")
    refused(tmp_path / "no" / "x.zarr", "there is no folder .*no")
    refused(tmp_path / "file.zarr" / "x.zarr", "there is no folder")
    refused(str(tmp_path / "x.npz"), r"must end in \.zarr; for a \.npz file, save the recording")
    refused(str(tmp_path / "x"), r"must end in \.zarr")
    refused(str(tmp_path / "x.h5"), r"must end in \.npz .* or \.zarr")
    refused("", r"must end in \.npz .* or \.zarr")
    for wrong in (3, True, ["x.zarr"], object()):
        refused(wrong, "is not a path such as 'run.zarr'", ValueShapeError)
    assert (tmp_path / "file.zarr").read_text() == "kept" and sorted(os.listdir(tmp_path)) == [
        "file.zarr",
        "link.zarr",
        "old.zarr",
    ]


def test_other_mistakes_create_no_store(tmp_path):
    pop = RS.population(3, dt=0.1)
    for wrong in ({"record": ["w"]}, {"J": 1.0}, {"every": 0}, {"neurons": [5]}, {"I": np.zeros((3, 9))}):
        with pytest.raises(ValueShapeError):
            pop.run(1.0, out=tmp_path / "x.zarr", **wrong)
    named = iz.Model("T", "dtime/dt = -time").population(1)
    with pytest.raises(RecordingError, match="'time' is the name of another array"):
        named.run(1.0, record=["time"], out=tmp_path / "x.zarr")
    assert not list(tmp_path.iterdir())


def test_a_store_that_cannot_be_created_is_not_left_behind(tmp_path, monkeypatch):
    first, _ = steps_of(lambda _: RS.population(3, dt=0.1).run(1.0, I=10.0, out=tmp_path / "all.zarr"))
    shutil.rmtree(tmp_path / "all.zarr")
    for step in range(first):
        with monkeypatch.context() as patch:
            Disk(full(step)).install(patch)
            refused(tmp_path / "x.zarr", "x.zarr cannot be written: .*No space left.*; nothing was recorded")
        assert not list(tmp_path.iterdir())
    monkeypatch.setattr(
        pathlib.Path, "mkdir", lambda self: (_ for _ in ()).throw(PermissionError(13, "Permission denied", str(self)))
    )
    refused(tmp_path / "x.zarr", "Permission denied")


def test_without_zarr(tmp_path, monkeypatch):
    true = builtins.__import__

    def without(name, *rest):
        if name == "zarr":
            raise ImportError("no zarr")
        return true(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    refused(tmp_path / "x.zarr", r"needs zarr: pip install 'izhigen\[xarray\]'")
    with pytest.raises(RecordingError, match="needs zarr"):
        iz.Recording.load(tmp_path / "x.zarr")
    monkeypatch.undo()
    monkeypatch.setattr(zarr, "__version__", "2.18.4")
    refused(tmp_path / "x.zarr", r"zarr 3 or newer, not 2\.18\.4")


def test_what_is_no_recording(tmp_path):
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "file.zarr").write_text("text")
    zarr.create_group(tmp_path / "other.zarr").create_array("V", shape=(3,), dtype="f4")
    (tmp_path / "broken.zarr").mkdir()
    (tmp_path / "broken.zarr" / "zarr.json").write_text("{")
    for name in ("absent", "empty", "file", "other", "broken"):
        with pytest.raises(RecordingError, match=rf"{name}\.zarr is not a recording"):
            iz.Recording.load(tmp_path / f"{name}.zarr")


def test_command_line(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from izhigen.cli import cli

    monkeypatch.chdir(tmp_path)
    line = ["run", "RS", "-n", "20", "-T", "100", "--input", "10", "--record", "V", "--progress", "--out"]
    done = CliRunner().invoke(cli, [*line, "x.zarr", "--plot", "x.png"], catch_exceptions=False)
    assert done.exit_code == 0 and "recording: x.zarr" in done.output and (tmp_path / "x.png").stat().st_size > 5000
    CliRunner().invoke(cli, [*line, "x.npz"], catch_exceptions=False)
    same(iz.Recording.load("x.zarr"), iz.Recording.load("x.npz"))
    with pytest.raises(RecordingError, match=r"x\.zarr exists already"):
        CliRunner().invoke(cli, [*line, "x.zarr"], catch_exceptions=False)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_program_that_is_asked_to_end_keeps_what_it_recorded(tmp_path, name):
    number = getattr(signal, name)
    line = ["run", "RS", "-n", "20", "-T", "1e8", "--input", "10", "--record", "V", "--every", "100", "--out", "x.zarr"]
    program = subprocess.Popen([sys.executable, "-m", "izhigen.cli", *line], cwd=tmp_path, env=RUN_HERE)
    try:
        while not (tmp_path / "x.zarr" / "zarr.json").exists():
            assert program.poll() is None
            time.sleep(0.02)
        time.sleep(0.5)
        program.send_signal(number)
        assert program.wait(60) == 128 + number
    finally:
        program.kill()
    stored = iz.Recording.load(tmp_path / "x.zarr")
    assert stored.interrupted and len(stored.t) > 0 and stored.stop == pytest.approx(stored.t[-1], abs=10.1)
    assert not drafts(tmp_path)
