"""Sweeps beside populations of one neuron, in memory and in stores, whole and broken off."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import filelock
import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import RecordingError, ValueShapeError
from izhigen.memory.pieces import cut_of, pieces
from izhigen.sweeps import results, store
from tests.command_line import fails, ok
from tests.conftest import ROOT
from tests.helpers import host, interrupt_what_runs

xarray = pytest.importorskip("xarray")
pytest.importorskip("zarr", minversion="3")
RS = iz.load("RS")
NOISY = RS.with_noise(V=2.0)
GRID = {"a": [0.02, 0.05, 0.1], "I": np.array([4.0, 10.0])}


def run(model=RS, values=GRID, duration=60.0, backend="numpy", **options):
    return iz.sweep(model, values, duration, backend=backend, **options)


def same(found, expected):
    """Everything but how far it went is equal, bit for bit."""
    xarray.testing.assert_identical(found.load().drop_attrs(), expected.load().drop_attrs())


# -- values ---------------------------------------------------------------------------------------------------------


def test_every_set_is_a_neuron_of_its_own(backend):
    found = run(backend=backend, measure=["count", "rate", "first_spike", "isi", "V", "spike"], every=5)
    assert found["count"].dims == ("a", "I") and found.V.dims == ("a", "I", "time")
    for i, a in enumerate(GRID["a"]):
        for k, current in enumerate(GRID["I"]):
            pop = RS.population(1, backend=backend, a=np.array([a]))
            alone = pop.run(60.0, I=current, record=["count", "first_spike", "isi", "V", "spike"], every=5).to_host()
            one = found.isel(a=i, I=k)
            assert one["count"] == alone["count"][0] and one.rate == alone["count"][0] / 0.06
            for name, value in (("first_spike", alone["first_spike"]), ("isi_mean", alone["isi"].mean)):
                np.testing.assert_array_equal(one[name], value[0])
            np.testing.assert_array_equal(one.isi_std, alone["isi"].std[0])
            np.testing.assert_array_equal(one.V, alone["V"][:, 0])
            np.testing.assert_array_equal(one.time, alone.t)
            times = found.spike_time[found.spike_set_index == 2 * i + k]
            np.testing.assert_array_equal(times, alone.spike_times)
    np.testing.assert_array_equal(found.a, GRID["a"])
    assert found.spike_set_index.values.tolist() == sorted(found.spike_set_index.values)
    assert found.attrs["sets_done"] == 6 and found.attrs["model"] == "RS" and not found.attrs["interrupted"]
    assert found.V.attrs == {"units": "mV"} and found.rate.attrs == {"units": "Hz"} and found.a.attrs["units"] == "1/ms"


def test_dimensions_are_those_of_the_mapping_and_repeats_come_last():
    found = run(NOISY, {"d": range(2, 5), "V": [-70.0, -60.0], "I": 10.0}, repeats=3, measure="u", every=300)
    assert found.u.dims == ("d", "V", "repeat", "time") and dict(found.sizes) == {
        "d": 3,
        "V": 2,
        "repeat": 3,
        "time": 2,
    }


def test_a_state_and_its_trace_cannot_have_one_name():
    with pytest.raises(ValueShapeError, match=r"one result cannot hold both.*V_trace"):
        run(values={"V": [-70.0, -60.0]}, measure="V")


def test_noise_is_keyed_by_the_place_in_the_grid(backend):
    options = dict(backend=backend, seed=5, measure=["V", "count"], repeats=4, every=100)
    poisson = iz.inputs.poisson(300.0, 2.0)
    whole = run(NOISY, {"d": [2.0, 8.0]}, I=poisson, **options)
    assert len(np.unique(whole.V[..., -1])) == 8
    pop = NOISY.population(8, backend=backend, seed=5, d=np.repeat([2.0, 8.0], 4))
    recording = pop.run(60.0, I=poisson, record=["V", "count"], every=100).to_host()
    np.testing.assert_array_equal(whole.V.values.reshape(8, -1), recording["V"].T)
    for memory in (1, 1000, 3000):  # pieces of one set, and of some
        same(run(NOISY, {"d": [2.0, 8.0]}, I=poisson, memory=memory, **options), whole)


@pytest.mark.parametrize("shape", [(1,), (7,), (2, 3, 5), (1, 1, 4), (6, 1), (3, 2, 1, 2)])
def test_pieces_are_each_set_once_in_order(shape):
    for apart in range(len(shape) + 1):
        for most in (1, 2, 3, 7, 1000):
            axis, length = cut_of(shape, most, apart)
            whole, after = np.zeros(shape, int), 0
            for place in pieces(shape, axis, length):
                assert place.first == after and place.last - place.first <= max(most, 1)
                assert (whole[place.key] == 0).all() and all(k < n for k, n in zip(place.lead, shape))
                whole[place.key] += 1
                assert whole.sum() == place.last
                after = place.last
                assert apart <= len(place.lead) + (place.stop - place.start == 1)
            assert (whole == 1).all()


def test_threads_and_stores_change_no_bit(tmp_path):
    options = dict(measure=["count", "isi", "V", "spike"], repeats=2, every=50, seed=3)
    grid = {"d": [2.0, 8.0], "I": ["5", "10*sin(t/20)"], "b": [0.2, 0.25, 0.3]}
    kept = run(NOISY, grid, **options)
    same(run(NOISY, grid, threads=2, memory=2000, **options), kept)
    stored = run(NOISY, grid, out=tmp_path / "s.zarr", memory=2000, **options)
    same(stored, kept)
    same(iz.sweeps.open_sweep(tmp_path / "s.zarr"), kept)
    assert xarray.open_zarr(tmp_path / "s.zarr", chunks=None)["count"].sum() == kept["count"].sum()
    assert stored.attrs == kept.attrs and list(stored.I.values) == ["5", "10*sin(t/20)"]


def test_inputs_of_all_kinds():
    rows = np.linspace(0, 20, 600)[:, None]
    for drive in ("10 + 5*sin(t/7)", iz.inputs.ramp(0.0, 20.0, 60.0), rows, 12.0):
        found = run(values={"a": [0.02, 0.1], "I": drive}, measure="spike")
        alone = RS.population(2, backend="numpy", a=np.array([0.02, 0.1])).run(60.0, I=drive)
        order = np.lexsort(alone.spikes)
        np.testing.assert_array_equal(found.spike_time, alone.spike_times[order])
        np.testing.assert_array_equal(found.spike_set_index, alone.spike_indices[order])
    ramp, pulses = iz.inputs.ramp(0.0, 20.0, 60.0), iz.inputs.spike_train([5.0, 30.0], 9.0, 12.0, 60.0)
    found = run(values={"a": [0.02, 0.1], "I": [ramp, pulses]}, measure="count")
    for k, drive in enumerate((ramp, pulses)):
        alone = RS.population(2, backend="numpy", a=np.array([0.02, 0.1])).run(60.0, I=drive, record="count")
        np.testing.assert_array_equal(found["count"][:, k], alone["count"])
    jumps = run(values={"V_delta": [0.0, 0.5]}, measure="V", every=600)
    assert jumps.V[1, 0] > jumps.V[0, 0]


def test_values_of_all_sets():
    d = np.array([[2.0, 8.0], [4.0, 6.0], [8.0, 8.0]])
    found = run(d=d, V=lambda n, rng: -70 + rng.random(n), seed=4, measure="V", every=600)
    drawn = -70 + np.random.default_rng([4, *b"V"]).random(6)
    pop = RS.population(6, backend="numpy", a=np.repeat(GRID["a"], 2), d=d.ravel(), V=drawn)
    np.testing.assert_array_equal(found.V.values.ravel(), pop.run(60.0, I=np.tile(GRID["I"], 3), record="V")["V"][-1])
    same(run(d=d, V=lambda n, rng: -70 + rng.random(n), seed=4, measure="V", every=600, memory=1), found)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_tables(library):
    frame = pytest.importorskip(library).DataFrame
    columns = {"a": [0.02, 0.1, 0.05], "I": [5.0, 10.0, 20.0]}
    found = run(values=frame(columns), repeats=2)
    assert found["count"].dims == ("set", "repeat") and list(found.I.values) == columns["I"]
    alone = RS.population(3, backend="numpy", a=np.array(columns["a"])).run(60.0, I=columns["I"], record="count")
    np.testing.assert_array_equal(found["count"][:, 1], alone["count"])
    same(run(values=iz.sweeps.Table({k: np.array(v) for k, v in columns.items()}), repeats=2), found)
    texts = run(values=frame({"a": [0.02, 0.1], "I": ["5", "10*sin(t)"]}))
    assert list(texts.I.values) == ["5", "10*sin(t)"] and texts["count"].dims == ("set",)
    with pytest.raises(ValueShapeError, match=r"of a table take the columns that are meant"):
        run(values=frame({"a": [0.02], "cell": [1]}))


@pytest.mark.parametrize("sample", [iz.sweeps.latin_hypercube, iz.sweeps.sobol])
def test_samples_fill_their_ranges(sample):
    table = sample({"a": (0.02, 0.1), "I": (0.0, 20.0)}, 64, seed=2)
    assert len(table) == 64
    for name, (low, high) in {"a": (0.02, 0.1), "I": (0.0, 20.0)}.items():
        bins = np.floor((table[name] - low) / (high - low) * 64).astype(int)
        assert len(set(bins)) >= 63 and table[name].min() >= low and table[name].max() <= high
    np.testing.assert_array_equal(table["a"], sample({"a": (0.02, 0.1), "I": (0, 20)}, 64, seed=2)["a"])
    assert run(values=sample({"a": (0.02, 0.1)}, 3))["count"].dims == ("set",)
    with pytest.raises(ValueShapeError, match="from 2 down to 1"):
        sample({"a": (2, 1)}, 3)
    with pytest.raises(ValueShapeError, match="two numbers"):
        sample({"a": 3}, 3)
    for ranges, count in (({"a": (-1e308, 1e308)}, 3), ({"a": (0, 1)}, 2**62), ({"a": (0, 1)}, 0), ({}, 3)):
        with pytest.raises(ValueShapeError):
            sample(ranges, count)
    for columns in ({}, None, {"a": [1, 2], "b": [1]}):
        with pytest.raises(ValueShapeError):
            iz.sweeps.Table(columns)


def test_functions_of_a_recording():
    def highest(recording):
        return recording["V"].max(axis=0)

    found = run(measure=["count", highest], record="V", every=10, memory=500)
    traced = run(measure="V", every=10)
    np.testing.assert_array_equal(found.highest, traced.V.max("time"))
    both = run(
        measure={"ends": lambda recording: recording["V"][[0, -1]].T, "n": lambda r: r["count"]}, record=["V", "count"]
    )
    assert both.ends.dims == ("a", "I", "ends_0") and both.n.dtype == np.float64


def test_sets_that_become_infinite_are_named_and_leave_the_others_alone(tmp_path):
    values = {"p1": [0.04, -1e6], "I": [10.0, 5.0]}
    for options in ({}, {"memory": 1}, {"out": tmp_path / "s.zarr"}):
        with pytest.warns(RuntimeWarning, match=r"2 of 4 sets .* the first with p1=-1e\+06, I=10"):
            found = run(values=values, measure=["count", "first_spike", "V"], every=100, **options)
        assert np.isnan(found["count"][1]).all() and np.isnan(found.V[1]).all() and found.attrs["not_finite"] == 2
        expected = run(values={"p1": [0.04], "I": [10.0, 5.0]}, measure=["count", "V"], every=100)
        np.testing.assert_array_equal(found.V[0], expected.V[0])


# -- what is broken off ---------------------------------------------------------------------------------------------


def interrupted_at(monkeypatch, number):
    """Ctrl-C once a piece is under way; the first piece has the number 1."""
    made, run_whole = [], iz.Population.run

    def run_piece(self, *arguments, **options):
        made.append(self)
        if len(made) != number:
            return run_whole(self, *arguments, **options)
        sender = interrupt_what_runs(0.05)
        try:
            return run_whole(self, *arguments, **options)
        finally:
            sender.join()

    monkeypatch.setattr(iz.Population, "run", run_piece)


def test_an_interrupt_ends_the_piece_that_is_under_way(monkeypatch, tmp_path):
    interrupted_at(monkeypatch, 1)
    started = time.monotonic()
    found = run(duration=1e6, measure="count")
    assert time.monotonic() - started < 20
    assert found.attrs["interrupted"] and found.attrs["sets_done"] == 0 and "count" not in found
    interrupted_at(monkeypatch, 1)
    with pytest.raises(RecordingError, match="interrupted in its first piece"):
        run(duration=1e6, out=tmp_path / "s.zarr")


LONG = {"duration": 400.0, "memory": 300, "measure": ["count", "spike"]}


def test_an_interrupt_keeps_what_is_done(monkeypatch, tmp_path):
    whole = run(**LONG)
    with monkeypatch.context() as patch:
        interrupted_at(patch, 2)
        found = run(**LONG)
    done = found.attrs["sets_done"]
    assert 0 < done < 6 and found.attrs["interrupted"]
    counts = found["count"].values.ravel()
    np.testing.assert_array_equal(counts[:done], whole["count"].values.ravel()[:done])
    assert np.isnan(counts[done:]).all()
    with monkeypatch.context() as patch:
        interrupted_at(patch, 2)
        part = run(**LONG, out=tmp_path / "s.zarr")
    assert part.attrs["sets_done"] == done and part.attrs["interrupted"]
    made, run_whole = [], iz.Population.run
    monkeypatch.setattr(iz.Population, "run", lambda self, **options: made.append(self) or run_whole(self, **options))
    same(run(**LONG, out=tmp_path / "s.zarr"), whole)
    assert len(made) == 6 - done
    same(run(**LONG, out=tmp_path / "s.zarr"), whole)
    assert len(made) == 6 - done


KILLED = """
import sys, numpy as np, izhigen as iz
iz.sweep(iz.load("RS").with_noise(V=2.0), {"a": np.linspace(0.02, 0.1, 16), "I": [4.0, 10.0]}, 25.0, backend="numpy",
         measure=["count", "spike"], memory=600, out=sys.argv[1], progress=False)
"""


def test_a_kill_loses_no_piece_that_was_counted(tmp_path):
    place = tmp_path / "s.zarr"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for least in (1, 6):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(place)], env=environment)
        while process.poll() is None:
            time.sleep(0.01)
            try:
                done = json.loads((place / "zarr.json").read_text())["attributes"]["sweep"]["done"]
                assert done < 32, "it ended before it was killed"
            except OSError:
                continue
            if done >= least:
                process.kill()
                process.wait()
        assert process.returncode == -signal.SIGKILL
    options = dict(duration=25.0, measure=["count", "spike"], memory=600, progress=False)
    grid = {"a": np.linspace(0.02, 0.1, 16), "I": [4.0, 10.0]}
    same(run(NOISY, grid, out=place, **options), run(NOISY, grid, **options))


def test_a_store_goes_on_only_with_its_own_sweep(tmp_path):
    place = tmp_path / "s.zarr"
    first = run(out=place)
    same(run(out=place), first)
    for change in (
        {"values": {**GRID, "I": [4.0, 10.1]}},
        {"model": RS.variant("RS", p2=5.1)},
        {"model": RS.variant("RS", initial={"V": -60.0})},
        {"duration": 61.0},
        {"measure": "rate"},
        {"dtype": "float64"},
        {"d": 7.0},
        {"seed": 1},
    ):
        with pytest.raises(RecordingError, match="holds another sweep"):
            run(out=place, **change)
    same(run(out=place, threads=2, dt=np.float64(0.1), seed=0, memory=1), first)
    pop = RS.population(2, backend="numpy")
    pop.run(10.0, out=tmp_path / "run.zarr", record="V")
    (tmp_path / "file.zarr").write_text("text")
    for other in ("run.zarr", "file.zarr"):
        with pytest.raises(RecordingError, match="exists already"):
            run(out=tmp_path / other)
    assert iz.Recording.load(tmp_path / "run.zarr")["V"].shape == (100, 2)
    for out, message in (("s.nc", "ends in .zarr"), (7, "is not a path"), (tmp_path / "no" / "s.zarr", "no folder")):
        with pytest.raises((RecordingError, ValueShapeError), match=message):
            run(out=out)


def test_functions_are_told_apart_by_their_code(tmp_path):
    def scaled(by):
        return lambda recording: recording["count"] * by

    def kept(recording):
        return recording["count"]

    one = {"measure": {"f": scaled(1)}, "record": "count"}
    first = run(out=tmp_path / "s.zarr", **one)
    same(run(out=tmp_path / "s.zarr", **one), first)
    for other in (scaled(2), kept, functools.partial(kept), functools.partial(scaled, 2)):
        with pytest.raises(RecordingError, match="holds another sweep"):
            run(out=tmp_path / "s.zarr", measure={"f": other}, record="count")


@pytest.mark.parametrize("name", ["out.zarr", "link.zarr"])
def test_a_store_that_was_begun_and_broken_off_at_once_goes_on(tmp_path, monkeypatch, name):
    """By a full disk at any of the first writes."""
    writes, write = [], store.write_file

    def fails(path, content, **options):
        writes.append(path)
        if len(writes) == allowed:
            raise OSError(28, "No space left on device")
        write(path, content, **options)

    for allowed in (1, 2, 3):
        writes.clear()
        with monkeypatch.context() as patch:
            patch.setattr(store, "write_file", fails)
            with pytest.raises(RecordingError, match="the same call goes on from there"):
                run(out=tmp_path / name)
    same(run(out=tmp_path / name), run())


def tampered(place, **changes):
    path = place / "zarr.json"
    group = json.loads(path.read_text())
    group["attributes"]["sweep"] |= changes
    path.write_text(json.dumps(group))


@pytest.mark.parametrize(
    "change",
    [
        {"done": "x"}, {"done": None}, {"done": 7}, {"done": -1}, {"done": 1.5}, {"done": 10**30}, {"done": True},
        {"axis": 5}, {"axis": -1}, {"axis": "x"}, {"length": 0}, {"length": -1}, {"length": 10**12},
        {"events": {}}, {"events": None}, {"events": []}, {"events": {"spike": -5}}, {"not_finite": "x"},
    ],
)  # fmt: skip
def test_a_store_that_cannot_be_is_refused(change, tmp_path):
    options = {"measure": ["count", "spike"], "memory": 500, "out": tmp_path / "s.zarr"}
    run(**options)
    tampered(tmp_path / "s.zarr", **change)
    with pytest.raises(RecordingError, match="is broken"):
        run(**options)


def test_pieces_and_folders_that_are_not_what_they_were(tmp_path):
    options = {"measure": ["count", "spike"], "memory": 500}
    whole = run(**options)
    for number, harm in enumerate(
        (
            lambda place: (place / "count" / "c" / "0" / "0").unlink(),
            lambda place: (place / "a" / "c" / "0").unlink(),
            lambda place: (place / "zarr.json").write_text("[" * 100_000),
            lambda place: ((place / "zarr.json").unlink(), os.mkfifo(place / "zarr.json")),
            lambda place: (
                shutil.move(place / "count", tmp_path / "else"),
                (place / "count").symlink_to(tmp_path / "else"),
            ),
        )
    ):
        place = tmp_path / f"{number}.zarr"
        same(run(**options, out=place), whole)
        harm(place)
        with pytest.raises(RecordingError, match="broken|exists already"):
            run(**options, out=place)
    for bad, error in (
        (3, ValueShapeError),
        (tmp_path / "no.zarr", RecordingError),
        (tmp_path / "s.npz", RecordingError),
    ):
        with pytest.raises(error):
            iz.sweeps.open_sweep(bad)
    RS.population(2, backend="numpy").run(10.0, out=tmp_path / "run.zarr", record="V")
    with pytest.raises(RecordingError, match="is no sweep"):
        iz.sweeps.open_sweep(tmp_path / "run.zarr")


def test_two_processes_do_not_write_to_one_store(tmp_path):
    place = tmp_path / "s.zarr"
    run(out=place, memory=500)
    with filelock.FileLock(place / store.LOCK), pytest.raises(RecordingError, match="another process"):
        run(out=place, memory=500)


def test_values_of_functions_have_one_shape_wherever_the_sweep_is_cut():
    def latency(recording):
        return [int(k) if k else np.nan for k in recording["count"]]

    values = {"I": [20.0, 0.0, 10.0]}
    whole = run(values=values, measure=latency, record="count")
    same(run(values=values, measure=latency, record="count", memory=1), whole)
    assert np.isnan(whole.latency[1]) and whole.latency[0] > 0
    with pytest.raises(ValueShapeError, match="'x' returned rows of shape"):
        run(values=values, measure={"x": lambda r: [[1.0] * int(1 + r["count"][0])]}, record="count", memory=1)


def test_texts_are_run_first_wherever_they_stand(monkeypatch):
    made, run_whole = [], iz.Population.run
    monkeypatch.setattr(iz.Population, "run", lambda self, **options: made.append(self) or run_whole(self, **options))
    values = {"a": np.linspace(0.02, 0.1, 9), "I": ["5", "10*sin(t/20)"]}
    found = run(NOISY, values, repeats=2, measure=["count", "spike"], b=np.linspace(0.1, 0.2, 18).reshape(9, 2))
    assert len(made) == 2 and found["count"].dims == ("a", "I", "repeat") and found.b.dims == ("a", "I", "repeat")
    counts = np.bincount(found.spike_set_index, minlength=36).reshape(9, 2, 2)
    np.testing.assert_array_equal(counts, found["count"])
    np.testing.assert_allclose(found.b[:, :, 0], np.linspace(0.1, 0.2, 18).reshape(9, 2))


def test_numbers_of_all_sets_are_coordinates(tmp_path):
    for out in (None, tmp_path / "s.zarr"):
        found = run(d=6.0, b=np.full((3, 2), 0.2), out=out)
        assert float(found.d) == 6.0 and found.d.attrs == {"units": "mV/ms"}
        assert found.b.dims == ("a", "I") and set(found.coords) == {"a", "I", "b", "d"}


def test_memory_counts_what_functions_read():
    made = []

    def last(recording):
        made.append(recording.shape[0])
        return recording["V"][-1]

    run(values={"I": np.linspace(5, 20, 300)}, measure=last, record="V", memory=1 << 20)
    assert max(made) * 600 * 4 <= 1 << 20 and sum(made) == 300


def test_a_wiener_process_of_one_column_a_set():
    drive = iz.inputs.wiener(60.0, n=6, seed=3) + 8.0
    whole = run(measure="V", values={"a": [0.02, 0.05, 0.1]}, I=drive, repeats=2)
    pop = RS.population(6, backend="numpy", a=np.repeat([0.02, 0.05, 0.1], 2))
    np.testing.assert_array_equal(whole.V.values.reshape(6, -1), pop.run(60.0, I=drive, record="V")["V"].T)
    same(run(measure="V", values={"a": [0.02, 0.05, 0.1]}, I=drive, repeats=2, memory=1), whole)


def test_what_does_not_fit_is_told_before_anything_runs(monkeypatch, tmp_path):
    monkeypatch.setattr(iz.Population, "run", lambda self, **options: pytest.fail("a piece was run"))
    with monkeypatch.context() as patch:
        patch.setattr(results, "free_bytes", lambda: 1e5)
        with pytest.raises(ValueShapeError, match=r"takes .* GB, and .* of memory are free"):
            run(measure="V", duration=1e4)
    monkeypatch.setattr(store, "room", lambda path: 100_000)
    with pytest.raises(RecordingError, match=r"takes .* GB before compression"):
        run(measure="V", duration=1e4, out=tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr").exists()


# -- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": {"aa": [1, 2]}}, r"no parameter, state or input 'aa'.*did you mean"),
        ({"values": {"a": [1, np.nan]}}, "number 1 is nan"),
        ({"values": {"a": []}}, "at least one"),
        ({"values": {"a": [[1, 2], [3, 4]]}}, "shape"),
        ({"values": {"a": [iz.inputs.ramp(0.0, 1.0, 10.0)]}}, "only inputs take"),
        ({"values": {"a": ["1", "t"]}}, "a = 't' is not a real number"),
        ({"values": {"a": ["1", "2*mV"]}}, "a is given in mV, and its unit is 1/ms"),
        ({"values": {"a": [True, False]}}, "'a'"),
        ({"values": {"I": [1.0, "t"]}}, "stand beside text"),
        ({"values": {"I": ["t", "t"]}}, "two of them are called 't'"),
        ({"values": {"a": 0.02}}, "nothing varies"),
        ({"values": {}}, "nothing varies"),
        ({"values": [0.02, 0.1]}, "takes a mapping"),
        ({"values": {"a": np.ma.masked_array([0.02, 0.1], [0, 1])}}, "masked"),
        ({"a": 0.02}, "'a' is given twice"),
        ({"size": 3}, "size= is no option"),
        ({"batch": 3}, "batch= is no option"),
        ({"repeats": 0}, "repeats"),
        ({"repeats": 2**40}, r"more than 2\*\*40"),
        ({"every": 0}, "every"),
        ({"duration": 60.05}, "whole number of steps"),
        ({"dt": 0.0}, "dt=0.0 is not a step"),
        ({"method": "rk5"}, "rk5"),
        ({"measure": "counts"}, r"measure 'counts' is none.*did you mean"),
        ({"measure": ["V", "V_th"]}, "measure 'V_th' is none"),
        ({"measure": 3}, "no name, function or list"),
        ({"measure": {"x": 3}}, "gives functions"),
        ({"measure": lambda r: 0}, "has no name"),
        ({"measure": {"x": lambda r: 0}}, "returned int64 of shape"),
        ({"measure": {"x": lambda r: 1 / 0}}, "failed with ZeroDivisionError"),
        ({"measure": {"a": lambda r: r["count"]}}, "measure 'a': the result has something else"),
        ({"measure": {"../a": lambda r: r["count"]}}, "one that a variable could have"),
        ({"measure": ["spike", {"spike_time": lambda r: r["count"]}]}, "something else"),
        ({"measure": ["V", {"time": lambda r: r["count"]}]}, "something else"),
        ({"measure": ["count", "count_"]}, "measure 'count_' is none"),
        ({"memory": -1}, "memory"),
        ({"memory": "1GB"}, "memory"),
        ({"dtype": "foo"}, "dtype"),
        ({"mesure": "count"}, r"'mesure'.*did you mean.*'measure'"),
        ({"values": {"a": [[1], [2, 3]]}}, "'a'"),
        ({"values": {"a": [0.02, 1e39]}}, "too large for float32"),
        ({"values": {"a": [0.02, 0.1]}, "I": np.array([np.inf, 1.0])}, "not finite"),
        ({"values": {"a": [0.02, 0.1]}, "I": float("nan")}, "'?I'? = nan is not finite"),
        ({"values": {"a": [0.02, 0.1]}, "b": np.ma.masked_array([0.1, 0.2], [0, 1])}, "masked"),
        ({"values": {"a": [0.02, 0.1]}, "I": [[1.0], 2]}, "'I'"),
        (
            {"values": {"a": [0.02, 0.1]}, "I": iz.inputs.wiener(60.0), "repeats": 2},
            "one path, the same in every repeat",
        ),
        ({"d": [1.0, 2.0]}, r"in the shape of the sweep \(3, 2\)"),
        ({"d": "t"}, "d = 't' is not a real number"),
        ({"V": lambda n, rng: 1 / 0}, "the callable failed"),
        ({"V": lambda n, rng: rng.random(3)}, "returns 6 numbers"),
        ({"values": {"a": [0.02, 0.1]}, "I": iz.inputs.spikes([1.0], [0], 2.0)}, "of single neurons"),
        ({"values": {"a": [0.02, 0.1]}, "I": iz.inputs.wiener(60.0, n=3)}, "of single neurons"),
        ({"values": {"a": [0.02, 0.1]}, "I": iz.inputs.ramp(0.0, 1.0, 30.0)}, "lasts 30 ms"),
    ],
)
def test_bad_input(change, message):
    with pytest.raises(iz.IzhigenError, match=message):
        run(**change)


def test_models_without_spikes():
    plain = iz.Model("Leak", "dV/dt = (I - V)/tau", parameters={"tau": 10.0}, inputs=["I"])
    with pytest.raises(ValueShapeError, match="has no threshold"):
        run(plain, {"tau": [5.0, 10.0]})
    found = run(plain, {"tau": [5.0, 10.0]}, measure="V", I=1.0, dtype="float64", method="exact")
    np.testing.assert_allclose(found.V[:, -1], 1 - np.exp(-60 / found.tau), rtol=1e-12)
    with pytest.raises(ValueShapeError, match="takes a model"):
        iz.sweep("RS", GRID, 10.0)


def test_without_xarray(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(RecordingError, match=r"pip install 'izhigen\[xarray\]'"):
        run()


# -- numbers of neurons in random streams ---------------------------------------------------------------------------


def test_a_population_may_be_part_of_a_larger_one(backend):
    drive = iz.inputs.poisson(400.0, 3.0) + iz.inputs.poisson(200.0, 1.0) + 5.0
    whole, part = (NOISY.population(n, backend=backend, seed=3) for n in (300, 40))
    part.begin_at(0, first_index=256)
    expected = host(whole.run(5.0, record="V", I=drive)["V"])[:, 256:296]
    np.testing.assert_array_equal(host(part.run(5.0, record="V", I=drive)["V"]), expected)
    whole.reset()
    part.reset()
    for _ in range(5):
        whole.step(I=drive)
        part.step(I=drive)
    np.testing.assert_array_equal(host(part.V), host(whole.V)[256:296])
    for pop, first in ((whole, None), (part, 0)):
        pop.reset()
        pop.begin_at(0, first)
        pop.step(I=drive)
    np.testing.assert_array_equal(host(part.V), host(whole.V)[:40])
    for bad in (-1, 1.5, "1"):
        with pytest.raises(ValueShapeError, match="first_index"):
            part.begin_at(0, first_index=bad)


# -- pictures and the command line ----------------------------------------------------------------------------------


def test_pictures():
    found = run(NOISY, {**GRID, "b": [0.2, 0.25]}, repeats=2, measure=["count", "V"], every=300)
    line = iz.sweeps.plot(found.isel(I=1, b=0)).axes[0]
    assert line.get_ylabel() == "count" and line.get_xlabel() == "a (1/ms)" and len(line.collections) == 1
    np.testing.assert_allclose(line.lines[0].get_ydata(), found["count"].isel(I=1, b=0).mean("repeat"))
    drawn = iz.sweeps.plot(found.isel(b=0))
    assert drawn.axes[0].get_ylabel() == "a (1/ms)" and drawn.axes[1].get_ylabel() == "count"
    mesh = drawn.axes[0].collections[0].get_array()
    np.testing.assert_allclose(mesh.reshape(3, 2), found["count"].isel(b=0).mean("repeat"))
    assert iz.sweeps.plot(found.isel(I=0, b=0), "V").axes[0].get_xlabel() == "time (ms)"
    with pytest.raises(ValueShapeError, match=r"take a part, as dataset.isel\(a=0\)"):
        iz.sweeps.plot(found)
    with pytest.raises(ValueShapeError, match="is one number"):
        iz.sweeps.plot(found.isel(a=0, b=0, I=0))
    with pytest.raises(ValueShapeError, match="takes the Dataset"):
        iz.sweeps.plot(None)
    with pytest.raises(ValueShapeError, match="no variable 'counts'"):
        iz.sweeps.plot(found, "counts")
    table = run(values=iz.sweeps.latin_hypercube({"a": (0.02, 0.1), "I": (5.0, 20.0)}, 5))
    dots = iz.sweeps.plot(table).axes[0]
    np.testing.assert_allclose(dots.collections[0].get_offsets()[:, 0], table.a)
    texts = iz.sweeps.plot(run(values={"I": ["5", "10*sin(t)"]})).axes[0]
    assert [label.get_text() for label in texts.get_xticklabels()] == ["5", "10*sin(t)"]


def test_command(tmp_path):
    place, picture = tmp_path / "fI.zarr", tmp_path / "fI.png"
    arguments = ["sweep", "RS", "--grid", "a=0.02:0.1:4", "--grid", "I=0,10,20", "--backend", "numpy", "-T", "100"]
    printed = ok(*arguments, "--out", str(place), "--plot", str(picture), "--set", "d=6")
    assert "12 sets (4 of a x 3 of I), 100 ms in steps of 0.1 ms" in printed and "rate:      0 to" in printed
    found = iz.sweeps.open_sweep(place)
    same(found[["count"]], run(values={"a": np.linspace(0.02, 0.1, 4), "I": [0, 10, 20]}, duration=100.0, d=6.0))
    assert picture.stat().st_size > 1000
    assert "12 sets" in ok(*arguments, "--out", str(place), "--set", "d=6")  # it is all there
    ok(*arguments, "--out", str(tmp_path / "fI.csv"), "--measure", "rate", "--repeats", "2")
    lines = (tmp_path / "fI.csv").read_text().splitlines()
    assert lines[0] == "a,I,repeat,rate" and len(lines) == 25
    noisy = ["sweep", "RS", "--repeats", "3", "--input", "10*sin(t)", "--backend", "numpy", "-T", "20"]
    assert "3 sets (3 of repeat)" in ok(*noisy)


def test_drives_in_the_grid_of_a_command(tmp_path):
    drives = "10*sin(t/20)**2 | section:values=5,20;durations=40,60 | 12"
    arguments = ["sweep", "RS", "--grid", f"I={drives}", "--grid", "a=0.02,0.1", "--backend", "numpy", "-T", "100"]
    ok(*arguments, "--out", str(tmp_path / "s.zarr"))
    found = iz.sweeps.open_sweep(tmp_path / "s.zarr").load()
    assert list(found.I.values) == drives.split(" | ")
    section = iz.inputs.section([5.0, 20.0], [40.0, 60.0])
    expected = run(values={"I": ["10*sin(t/20)**2", section, "12"], "a": [0.02, 0.1]}, duration=100.0)
    np.testing.assert_array_equal(found["count"], expected["count"])
    assert len(np.unique(found["count"])) > 2


def test_the_bar_moves_within_a_piece():
    told = []

    class Own:
        def update(self, sets):
            told.append(sets)

    iz.sweep(RS, {"I": np.linspace(0.0, 20.0, 100)}, steps=100_000, progress=Own())
    assert sum(told) == 100 and len(told) > 5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--grid", "q=1,2"], 1, "has no 'q'"),
        (["--grid", "a"], 2, "expected NAME=FIRST:LAST:NUMBER"),
        (["--grid", "a=1:2"], 2, "expected NAME=FIRST:LAST:NUMBER"),
        (["--grid", "a=1:2:0"], 2, "expected NAME=FIRST:LAST:NUMBER"),
        (["--grid", "a=1:x:3"], 2, "expected NAME=FIRST:LAST:NUMBER"),
        (["--grid", "a=,"], 2, "is empty"),
        (["--grid", "a=1|2"], 2, "expected NAME=FIRST:LAST:NUMBER"),
        (["--grid", "I=sin(t)|"], 2, "nothing stands beside |"),
        (["--grid", "I=ramp:x=1|2"], 2, "--grid ramp: 'x=1' is not one of"),
        (["--grid", "I=foo:1|2"], 2, "--grid 'foo:1': no stimulus 'foo'"),
        (["--grid", "I=sin(q)|2"], 1, "'q' is not known"),
        (["--grid", "I=sin(t)|sin(t)"], 1, "two of them are called 'sin(t)'"),
        (["--grid", "a=1,2", "--grid", "a=3,4"], 2, "given twice"),
        ([], 2, "nothing varies"),
        (["--grid", "a=1,2", "--out", "x.txt"], 2, ".zarr, .nc or .csv"),
        (["--grid", "a=1,2", "--out", "x.csv", "--measure", "count,V"], 2, "none for V"),
        (["--grid", "a=-1e308:1e308:3"], 2, "expected NAME=FIRST:LAST:NUMBER"),
        (["--repeats", "2", "-T", "1", "--plot", "x.png"], 1, "is one number"),
        (["--grid", "a=1,2", "--measure", "x"], 1, "measure 'x' is none"),
        (["--grid", "a=1,2", "--plot", "x.foo"], 2, "--plot"),
        (["--grid", "a=1,2", "-T", "0.05"], 1, "whole number of steps"),
    ],
)
def test_errors_of_the_command(arguments, code, message, capsys, monkeypatch):
    found, said = fails(capsys, monkeypatch, "sweep", "RS", "--backend", "numpy", *arguments)
    assert (found, message in said) == (code, True), said


def test_sweeps_of_one_dimension_go_on(tmp_path):
    for values, measure in (({"a": [0.01, 0.02, 0.03]}, "V"), ({"a": np.linspace(0.01, 0.02, 3000)}, "count")):
        path = tmp_path / f"{measure}.zarr"
        whole = run(values=values, duration=5.0, measure=measure, I=10.0, out=path, memory=1e5).load()
        same(run(values=values, duration=5.0, measure=measure, I=10.0, out=path, memory=1e5), whole)


def test_stimuli_with_a_column_a_set_are_refused():
    columns = np.tile(np.arange(6.0), (50, 1))
    for stimulus in (
        iz.inputs.from_array(columns, 0.1),
        iz.inputs.section(columns[:2], [2.0, 3.0]),
        iz.inputs.poisson(np.arange(6.0)),
        iz.inputs.poisson(3.0, weight=np.arange(6.0)),
    ):
        with pytest.raises(ValueShapeError, match="is of single neurons"):
            run(values={"b": [0.2, 0.21, 0.22], "V_delta": ["0*t", "0.01*t"]}, duration=5.0, I=stimulus)


def test_a_path_that_all_share_is_one_path_in_pieces_of_one_set():
    whole = run(values={"a": [0.02, 0.05, 0.1]}, duration=5.0, measure="I", I=iz.inputs.wiener(5.0, n=1, seed=3))
    same(
        run(values={"a": [0.02, 0.05, 0.1]}, duration=5.0, measure="I", I=iz.inputs.wiener(5.0, n=1, seed=3), memory=1),
        whole,
    )
    assert (whole.I[0] == whole.I).all()
