"""What is no recording: crafted, broken and mutilated archives and stores are told apart from good ones, and nothing in them runs."""

import io
import json
import pickle
import random
import shutil
import zipfile

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import RecordingError

zarr = pytest.importorskip("zarr", minversion="3")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with the same recording as an archive and as a store."""
    folder = tmp_path_factory.mktemp("good")
    model = iz.load("RS").variant(events={"climb": iz.Event("V > -50", trigger="rising"), "low": iz.Event("V < -90")})
    pop = model.population(6, a=np.linspace(0.02, 0.1, 6), backend="numpy")
    recording = pop.run(60.0, I=15.0, record=["V", "u", "spike", "climb", "low", "count", "isi"], every=10)
    assert len(recording.spike_times) > 20 and "a" in recording.per_neuron
    assert len(recording.lists["climb"]) > 20 and not len(recording.lists["low"])
    recording.save(folder / "r.npz")
    recording.save(folder / "r.zarr")
    return folder


def everything(recording):
    """Read all of a recording, as a user of it would in the end."""
    read = [np.asarray(recording[name]) for name in recording.traces]
    read += [
        np.asarray(part) for part in (recording.t, *(part for found in recording.events.values() for part in found))
    ]
    return [*read, *recording.figures.values(), *recording.per_neuron.values(), repr(recording)]


def read(path):
    return everything(iz.Recording.load(path))


class Shout:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


# -- archives ---------------------------------------------------------------------------------------------------------


def parts_of(path):
    """The arrays of an archive, its description read."""
    with np.load(path) as file:
        arrays = dict(file)
    return json.loads(str(arrays.pop("meta"))), arrays


def put(path, meta, arrays):
    np.savez(path, meta=np.array(meta if isinstance(meta, str) else json.dumps(meta)), **arrays)


def _set(*keys, value):
    def change(meta, arrays):
        place = meta
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def _array(name, change):
    return lambda meta, arrays: arrays.update({name: change(arrays[name])})


META = {
    "no shape": lambda m, a: m.pop("shape"),
    "no info": lambda m, a: m.pop("info"),
    "no traces": lambda m, a: m.pop("traces"),
    "no start": lambda m, a: m.pop("start"),
    "null shape": _set("shape", value=None),
    "empty shape": _set("shape", value=[]),
    "negative shape": _set("shape", value=[-6]),
    "a shape of text": _set("shape", value=["6"]),
    "a shape of true": _set("shape", value=[True]),
    "another shape": _set("shape", value=[7]),
    "a large shape": _set("shape", value=[1 << 62, 1 << 62]),
    "a huge shape": _set("shape", value=[10**400]),
    "start of text": _set("start", value="0"),
    "stop before start": _set("stop", value=-1.0),
    "stop is no number": _set("stop", value=float("nan")),
    "interrupted is no flag": _set("interrupted", value="no"),
    "traces are no list": _set("traces", value="V"),
    "an unknown trace": _set("traces", value=["V", "w"]),
    "a trace twice": _set("traces", value=["V", "V"]),
    "a trace that is no name": _set("traces", value=["../V"]),
    "unknown figures": _set("figures", value=["count", "isi_mean"]),
    "info of another kind": _set("info", value=[]),
    "no step": lambda m, a: m["info"].pop("dt"),
    "a step of zero": _set("info", "dt", value=0),
    "units are no mapping": _set("info", "units", value=[1]),
    "a unit is no text": _set("info", "units", value={"V": {}}),
    "a newer format": _set("format", value=99),
    "a format that is none": _set("format", value="2"),
    "per neuron without an array": _set("per_neuron", value=["a", "b"]),
    "events are no list": _set("events", value={"climb": 20}),
    "an event without arrays": _set("events", value=["climb", "low", "fall"]),
    "an event twice": _set("events", value=["climb", "low", "climb"]),
    "an event that is no name": _set("events", value=["climb", "../low"]),
    "an event that is no text": _set("events", value=["climb", 1]),
    "an event with the name of a trace": _set("events", value=["climb", "V"]),
    "an event with the name of the spike": _set("events", value=["spike"]),
    "an event with the name of figures": _set("events", value=["isi"]),
}
ARRAYS = {
    "no times": lambda m, a: a.pop("t"),
    "no trace": lambda m, a: a.pop("trace_V"),
    "spike times alone": lambda m, a: a.pop("spike_indices"),
    "an array too many": lambda m, a: a.update(other=np.zeros(3)),
    "times not in order": _array("t", lambda t: t[::-1].copy()),
    "a time that is no number": _array("t", lambda t: np.where(t == t[3], np.nan, t)),
    "times of another type": _array("t", lambda t: t.astype(np.float32)),
    "times of text": _array("t", lambda t: t.astype(str)),
    "objects": _array("trace_V", lambda v: v.astype(object)),
    "complex numbers": _array("trace_V", lambda v: v.astype(complex)),
    "rows missing": _array("trace_V", lambda v: v[:-1]),
    "an axis too many": _array("trace_V", lambda v: v[..., None]),
    "an index too large": _array("spike_indices", lambda i: i + 6),
    "an index below zero": _array("spike_indices", lambda i: i - 6),
    "indices as floats": _array("spike_indices", lambda i: i.astype(float)),
    "spikes not in order": _array("spike_times", lambda t: t[::-1].copy()),
    "a spike after the end": _array("spike_times", lambda t: t + 1000.0),
    "spikes of another length": _array("spike_times", lambda t: t[:-1]),
    "event times alone": lambda m, a: a.pop("event_climb_indices"),
    "event indices alone": lambda m, a: a.pop("event_climb_times"),
    "no arrays of an event that never happened": lambda m, a: (a.pop("event_low_times"), a.pop("event_low_indices")),
    "an event's index too large": _array("event_climb_indices", lambda i: i + 6),
    "an event's index below zero": _array("event_climb_indices", lambda i: i - 6),
    "an event's indices as floats": _array("event_climb_indices", lambda i: i.astype(float)),
    "an event's times as text": _array("event_climb_times", lambda t: t.astype(str)),
    "an event's times in two rows": _array("event_climb_times", lambda t: t[None]),
    "events not in order": _array("event_climb_times", lambda t: t[::-1].copy()),
    "an event at no time": _array("event_climb_times", lambda t: np.where(t == t[3], np.nan, t)),
    "an event before the start": _array("event_climb_times", lambda t: t - 1000.0),
    "an event after the end": _array("event_climb_times", lambda t: t + 1000.0),
    "events of another length": _array("event_climb_times", lambda t: t[:-1]),
    "a negative count": _array("figure_count", lambda c: -1 - c),
    "a count of another type": _array("figure_count", lambda c: c.astype(np.int32)),
    "an infinite interval": _array("figure_isi_mean", lambda i: i + np.inf),
}


@pytest.mark.parametrize("case", [*META, *ARRAYS])
def test_an_archive_with_something_wrong(case, good, tmp_path):
    meta, arrays = parts_of(good / "r.npz")
    {**META, **ARRAYS}[case](meta, arrays)
    put(tmp_path / "r.npz", meta, arrays)
    with pytest.raises(RecordingError, match="is not a recording that izhigen saved") as problem:
        read(tmp_path / "r.npz")
    assert len(str(problem.value)) < 400


@pytest.mark.parametrize("meta", ["[]", "null", "", "{", "1", '"text"', "[" * 100_000, '{"a": "\\ud800"}', "NaN"])
def test_an_archive_whose_description_is_none(meta, good, tmp_path):
    put(tmp_path / "r.npz", meta, parts_of(good / "r.npz")[1])
    with pytest.raises(RecordingError, match="is not a recording"):
        iz.Recording.load(tmp_path / "r.npz")


def test_nothing_in_an_archive_runs(good, tmp_path):
    meta, arrays = parts_of(good / "r.npz")
    arrays["trace_V"] = np.array([Shout(tmp_path / "ran")], dtype=object)
    put(tmp_path / "r.npz", meta, arrays)
    with pytest.raises(RecordingError):
        iz.Recording.load(tmp_path / "r.npz")
    assert not (tmp_path / "ran").exists()


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def archive(path, content):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in content:
            file.writestr(name, data)


def _npy(descr, shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def test_archives_that_are_built_to_harm(good, tmp_path):
    whole, path = members(good / "r.npz"), tmp_path / "r.npz"
    huge = {**whole, "trace_V.npy": _npy("<f4", (60, 6, 1 << 50))}
    terabytes = {**whole, "t.npy": _npy("<f8", (1 << 40,))}
    code = {**whole, "t.npy": _npy("<f8", (60,)).replace(b"(60,)", b"(6**9**9,)"[:5])}
    with pytest.warns(UserWarning, match="Duplicate"):
        archive(path, [*whole.items(), ("t.npy", whole["t.npy"])])
    with pytest.raises(RecordingError, match="twice"):
        read(path)
    for content in (huge, terabytes, code, {**whole, "../../t.npy": b""}, {**whole, "/t.npy": b""}, {"meta.npy": b""}):
        archive(path, content.items())
        with pytest.raises(RecordingError):
            read(path)
    archive(path, {**whole, "trace_V.npy": pickle.dumps(Shout(tmp_path / "ran"))}.items())
    with pytest.raises(RecordingError):
        read(path)
    assert not (tmp_path / "ran").exists()


def test_bytes_that_are_flipped_or_missing_in_an_archive(good, tmp_path):
    """Each way the file is refused, or the recording is the one that was saved."""
    content, path, drawn = (good / "r.npz").read_bytes(), tmp_path / "r.npz", random.Random(1)
    wanted = read(good / "r.npz")
    refused = 0
    for _ in range(250):
        changed = bytearray(content)
        if drawn.random() < 0.2:
            del changed[drawn.randrange(len(changed)) :]
        else:
            changed[drawn.randrange(len(changed))] ^= 1 << drawn.randrange(8)
        path.write_bytes(bytes(changed))
        try:
            found = read(path)
        except RecordingError:
            refused += 1
        else:
            for part, other in zip(found[:-1], wanted[:-1], strict=True):
                np.testing.assert_array_equal(part, other)
    assert refused > 200


# -- stores -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(good, tmp_path):
    shutil.copytree(good / "r.zarr", tmp_path / "r.zarr")
    return tmp_path / "r.zarr"


def _metadata(name, **changes):
    def change(store):
        document = json.loads((store / "zarr.json").read_text())
        document["consolidated_metadata"]["metadata"][name].update(changes)
        (store / "zarr.json").write_text(json.dumps(document))

    return change


def _about(**changes):
    def change(store):
        document = json.loads((store / "zarr.json").read_text())
        document["attributes"]["recording"].update(changes)
        (store / "zarr.json").write_text(json.dumps(document))

    return change


def _chunk(name, content):
    return lambda store: (store / name).write_bytes(content)


def _values(name, change):
    def written(store):
        array = zarr.open_array(store / name, mode="r+")
        array[:] = change(array[:])

    return written


def _renamed(event, name):
    """An event that has all its arrays, under another name."""

    def change(store):
        document = json.loads((store / "zarr.json").read_text())
        about, metadata = document["attributes"]["recording"], document["consolidated_metadata"]["metadata"]
        about["events"] = [name if other == event else other for other in about["events"]]
        about["event_counts"][name] = about["event_counts"].pop(event)
        for suffix in ("_time", "_neuron"):
            metadata[name + suffix] = metadata.pop(event + suffix)
            (store / (event + suffix)).rename(store / (name + suffix))
        (store / "zarr.json").write_text(json.dumps(document))

    return change


PICKLED = [{"name": "bytes"}, {"name": "numcodecs.pickle", "configuration": {}}]
STORES = {
    "no metadata": lambda s: (s / "zarr.json").unlink(),
    "a list": lambda s: (s / "zarr.json").write_text("[]"),
    "null": lambda s: (s / "zarr.json").write_text("null"),
    "nested deeply": lambda s: (s / "zarr.json").write_text("[" * 100_000),
    "no text": lambda s: (s / "zarr.json").write_bytes(b"\xff\xfe\x00"),
    "more rows than there are": _about(rows=61),
    "negative rows": _about(rows=-1),
    "rows of text": _about(rows="60"),
    "negative spikes": _about(spikes=-5),
    "more spikes than there are": _about(spikes=10**6),
    "flags of text": _about(with_spikes="yes"),
    "negative events": _about(event_counts={"climb": -5, "low": 0}),
    "more events than there are": _about(event_counts={"climb": 10**6, "low": 0}),
    "events of text": _about(event_counts={"climb": "20", "low": 0}),
    "events without a number": _about(event_counts={"climb": 20}),
    "numbers of events as a list": _about(event_counts=[20, 0]),
    "an event without arrays": _about(events=["climb", "fall"], event_counts={"climb": 20, "fall": 0}),
    "an event outside": _about(events=["../low"], event_counts={"../low": 0}),
    "an event with the name of a trace": _about(events=["V"], event_counts={"V": 0}),
    "an event with the name of an axis": _renamed("climb", "neuron"),
    "an event of a neuron that is not there": _values("climb_neuron", lambda i: i + 6),
    "an event of a neuron below zero": _values("climb_neuron", lambda i: i - 6),
    "events not in order": _values("climb_time", lambda t: t[::-1]),
    "events after the end": _values("climb_time", lambda t: t + 1000.0),
    "a spike of a neuron below zero": _values("spike_neuron", lambda i: i - 6),
    "spikes not in order": _values("spike_time", lambda t: t[::-1]),
    "an event with arrays of another": _about(events=["low", "low_time"], event_counts={"low": 0, "low_time": 0}),
    "event times of another type": _metadata("climb_time", data_type="float32"),
    "event indices of another type": _metadata("climb_neuron", data_type="int32"),
    "event times with more axes": _metadata(
        "climb_time",
        shape=[30, 1],
        chunk_grid={"name": "regular", "configuration": {"chunk_shape": [30, 1]}},
    ),
    "event indices that are missing": _metadata("climb_neuron", shape=[3]),
    "broken event times": _chunk("climb_time/c/0", b"\1" * 50),
    "broken event indices": _chunk("climb_neuron/c/0", b"\1" * 50),
    "events with the times of another": lambda s: shutil.copyfile(s / "climb_neuron/c/0", s / "climb_time/c/0"),
    "an unknown trace": _about(traces=["V", "w"]),
    "a trace with the name of the times": _about(traces=["time"]),
    "a trace outside": _about(traces=["../V"]),
    "a large population": _about(shape=[1 << 40]),
    "objects": _metadata("V", data_type="variable_length_utf8"),
    "a data type of many words": _metadata("V", data_type={"name": "numpy.datetime64", "configuration": {}}),
    "a codec that unpickles": _metadata("V", codecs=PICKLED),
    "no codecs": _metadata("V", codecs=None),
    "sharded": _metadata("V", codecs=[{"name": "sharding_indexed", "configuration": {}}]),
    "big-endian": _metadata("V", codecs=[{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "zstd"}]),
    "another fill value": _metadata("V", fill_value=1.0),
    "format 2 inside": _metadata("V", zarr_format=2),
    "a chunk of terabytes": _metadata(
        "V", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1 << 40, 1 << 10]}}
    ),
    "a chunk of nothing": _metadata("V", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [0, 0]}}),
    "another shape": _metadata("V", shape=[60, 7]),
    "chunks named otherwise": _metadata("V", chunk_key_encoding={"name": "v2", "configuration": {"separator": "."}}),
    "a chunk of zeros": _chunk("V/c/0/0", b"\0" * 100),
    "an empty chunk": _chunk("V/c/0/0", b""),
    "a chunk cut": lambda s: (s / "V/c/0/0").write_bytes((s / "V/c/0/0").read_bytes()[:-9]),
    "no chunk": lambda s: (s / "V/c/0/0").unlink(),
    "broken times": _chunk("time/c/0", b"\1" * 50),
    "broken spikes": _chunk("spike_neuron/c/0", b"\1" * 50),
    "a chunk that is a folder": lambda s: ((s / "V/c/0/0").unlink(), (s / "V/c/0/0").mkdir()),
    "a chunk that leads outside": lambda s: ((s / "V/c/0/0").unlink(), (s / "V/c/0/0").symlink_to("/etc/hostname")),
}


@pytest.mark.parametrize("case", STORES)
def test_a_store_with_something_wrong(case, store):
    STORES[case](store)
    with pytest.raises(RecordingError) as problem:
        read(store)
    assert str(store) in str(problem.value) and len(str(problem.value)) < 500


def test_an_event_may_have_any_other_name(good, store):
    _renamed("climb", "ascent")(store)
    found, wanted = iz.Recording.load(store), iz.Recording.load(good / "r.npz")
    np.testing.assert_array_equal(found.events["ascent"], wanted.events["climb"])


def test_a_store_of_format_2_with_a_filter_that_unpickles(store, tmp_path):
    shutil.rmtree(store)
    attributes = {"recording": {"shape": [1], "traces": ["V"], "rows": 1}}
    about = {
        "zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None, "fill_value": None,
        "order": "C", "filters": [{"id": "pickle", "protocol": 5}],
    }  # fmt: skip
    (store / "V").mkdir(parents=True)
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    (store / ".zattrs").write_text(json.dumps(attributes))
    (store / "V" / ".zarray").write_text(json.dumps(about))
    (store / "V" / "0").write_bytes(pickle.dumps(np.array([Shout(tmp_path / "ran")], dtype=object)))
    with pytest.raises(RecordingError, match=r"zarr\.json is missing"):
        read(store)
    assert not (tmp_path / "ran").exists()


def test_descriptions_of_stores_changed_at_random(store):
    """Numbers, texts and lists of the metadata replaced one at a time: refused, or read without any other error."""
    document, drawn, refused = json.loads((store / "zarr.json").read_text()), random.Random(2), 0
    for _ in range(150):
        changed = json.loads(json.dumps(document))
        place = changed
        while True:
            key = drawn.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if not isinstance(place[key], (dict, list)) or not place[key] or drawn.random() < 0.1:
                break
            place = place[key]
        place[key] = drawn.choice([None, -1, 10**30, 1.5, "x", "\0", [], {}, [None], True, "../..", 2**63])
        (store / "zarr.json").write_text(json.dumps(changed))
        try:
            read(store)
        except RecordingError:
            refused += 1
    assert refused > 75


# -- older formats ----------------------------------------------------------------------------------------------------


def test_files_from_before_there_were_events(good, store, tmp_path):
    """Format 2: an archive and a store that say nothing of events have their traces, spikes and figures."""
    wanted = iz.Recording.load(good / "r.npz")
    meta, arrays = parts_of(good / "r.npz")
    del meta["events"]
    put(tmp_path / "r.npz", {**meta, "format": 2}, {k: v for k, v in arrays.items() if not k.startswith("event_")})
    document = json.loads((store / "zarr.json").read_text())
    about = document["attributes"]["recording"]
    del about["events"], about["event_counts"]
    about["format"] = 2
    for name in ("climb_time", "climb_neuron", "low_time", "low_neuron"):
        del document["consolidated_metadata"]["metadata"][name]
        shutil.rmtree(store / name)
    (store / "zarr.json").write_text(json.dumps(document))
    for path in (tmp_path / "r.npz", store):
        found = iz.Recording.load(path)
        assert list(found.events) == ["spike"] and found.names == [n for n in wanted.names if n not in ("climb", "low")]
        np.testing.assert_array_equal(found.spikes, wanted.spikes)
        np.testing.assert_array_equal(found["V"], wanted["V"])


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["q.h5", "q.txt", "q.npz.gz", "q.ZARRR"])
def test_a_suffix_that_is_unknown(name, good, tmp_path):
    recording = iz.Recording.load(good / "r.npz")
    for call in (lambda: recording.save(tmp_path / name), lambda: iz.Recording.load(tmp_path / name)):
        with pytest.raises(RecordingError, match=r"must end in \.npz"):
            call()
    with pytest.raises(RecordingError, match="must end in"):
        iz.load("RS").population(1, backend="numpy").run(1.0, out=tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_name_without_suffix_is_an_archive(good, tmp_path):
    iz.Recording.load(good / "r.npz").save(tmp_path / "r")
    assert (tmp_path / "r.npz").is_file()
    np.testing.assert_array_equal(iz.Recording.load(tmp_path / "r")["V"], iz.Recording.load(good / "r.npz")["V"])


# -- projects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["a file outside", "a folder outside", "nowhere"])
def test_a_project_is_not_written_through_links(target, tmp_path):
    """A link in the place of a file or folder of a project leads nowhere: what it names is as it was."""
    outside, folder = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    (outside / "precious").write_text("precious")
    model = iz.load("RS")
    model.emit(folder)
    place = folder / "main.c"
    place.unlink()
    place.symlink_to(
        {"a file outside": outside / "precious", "a folder outside": outside, "nowhere": outside / "new"}[target]
    )
    with pytest.raises(iz.IzhigenError, match=r"main\.c"):
        model.emit(folder, force=True)
    assert (outside / "precious").read_text() == "precious" and [p.name for p in outside.iterdir()] == ["precious"]
