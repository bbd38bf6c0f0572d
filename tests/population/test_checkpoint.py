"""Checkpoints: the same bits go on, whatever happens to disk, process and file."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import BackendError, IzhigenError, RecordingError, ValueShapeError
from izhigen.population import checkpoint
from tests.conftest import ROOT
from tests.disk import drafts
from tests.helpers import host
from tests.model.test_document import COMPOSED, ODD, places
from tests.test_files import every_step

RS = iz.load("RS")


def draw(n, rng):
    return 0.02 + 0.01 * rng.random(n)


def assert_same(one, other):
    for name in one.model.all_states:
        np.testing.assert_array_equal(host(one.state[name]), host(other.state[name]))
    for name in one.parameters:
        np.testing.assert_array_equal(host(one.parameters[name]), host(other.parameters[name]))
    assert one.t == other.t and one.shape == other.shape
    np.testing.assert_array_equal(host(one.spike), host(other.spike))


WHOLE = RS.with_noise(V=1.0).with_refractory(2.0)


@pytest.mark.parametrize("timing", ["step", "located"])
def test_it_goes_on_with_the_same_bits(timing, backend, dtype, tmp_path):
    check_that_it_goes_on(WHOLE, tmp_path, backend=backend, dtype=dtype, spike_timing=timing)


@pytest.mark.parametrize("name", COMPOSED)
def test_so_do_models_of_every_kind(name, tmp_path):
    check_that_it_goes_on(COMPOSED[name], tmp_path, backend="numpy")


def check_that_it_goes_on(model, folder, **options):
    drive = {model.inputs[0]: 12.0}
    spread = 0.01 if "scaled" in model.name else 5.0
    pop = model.population(
        37, seed=2**63 + 5, **options, V=lambda n, rng: rng.normal(-60.0 if spread > 1 else 0.05, spread, n)
    )
    pop.run(15.0, **drive)
    pop.checkpoint(folder / "point")
    again = iz.restore(folder / "point")
    assert type(again.model) is iz.Model and again.model == pop.model
    assert_same(pop, again)
    whole, other = (host_spikes(one.run(15.0, **drive, record=["spike", "count"])) for one in (pop, again))
    for a, b in zip(whole, other):
        np.testing.assert_array_equal(a, b)
    assert_same(pop, again)
    pop.reset()
    again.reset()
    assert_same(pop, again)


def host_spikes(recording):
    here = recording.to_host()
    return (*here.spikes, here["count"])


@pytest.mark.parametrize("size, batch", [(1, None), ((2, 3), None), ((2, 3), 4), (257, 1)])
def test_shapes_batches_and_values_that_were_given(size, batch, tmp_path):
    given = {
        "a": draw,
        "d": np.linspace(1, 8, int(np.prod(size))).reshape(size if isinstance(size, tuple) else (size,)),
    }
    pop = RS.population(size, batch=batch, a=given["a"], d=given["d"], b=iz.distributions.uniform(0.2, 0.25), V=-60)
    pop.c = -50.0
    pop.begin_at(7, first_index=11)
    pop.run(3.0, I=10.0)
    pop.checkpoint(tmp_path / "p")
    again = iz.restore(tmp_path / "p")
    assert_same(pop, again)
    assert again.c == -50.0
    for one in (pop, again):
        one.reset(batch=None if batch else 3)
    assert_same(pop, again)


def test_files_hold_no_pickle_and_several_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "NEURONS_A_FILE", 100)
    pop = RS.population(257, a=draw)
    pop.run(5.0, I=10.0)
    pop.checkpoint(tmp_path / "p")
    files = sorted(path for path in (tmp_path / "p").iterdir() if path.suffix == checkpoint.SUFFIX)
    assert len(files) == 3 and sum(path.stat().st_size for path in files) == 257 * (3 * 4 + 1)
    assert_same(pop, iz.restore(tmp_path / "p"))
    text = (tmp_path / "p" / checkpoint.DESCRIPTION).read_text()
    assert json.loads(text)["pieces"][2][1:3] == [200, 257]
    monkeypatch.setattr(pickle, "loads", None)
    iz.restore(tmp_path / "p")


def test_a_surrogate_stays(tmp_path):
    for options in (
        {"surrogate": "sigmoid"},
        {"surrogate": iz.surrogates.inv_square(alpha=3.0), "detach_spike": "all"},
        {"surrogate": "1/(1 + abs(x))**2", "spike_scale": 0.1},
        {"surrogate": "sigmoid", "smooth_spikes": True, "backend": "numpy"},
    ):
        pop = RS.population(3, **options)
        pop.checkpoint(tmp_path / "p")
        again = iz.restore(tmp_path / "p")
        assert again._options["training"] == pop._options["training"]


def test_other_options(tmp_path):
    pop = RS.population(5, threads=3)
    pop.checkpoint(tmp_path / "p")
    assert iz.restore(tmp_path / "p", backend="numpy", threads=1).backend == "numpy"
    with pytest.raises(ValueShapeError, match="'dt' is nothing that a population can be restored with another of"):
        iz.restore(tmp_path / "p", dt=0.2)
    with pytest.raises(BackendError, match="tpu"):
        iz.restore(tmp_path / "p", backend="tpu")
    with pytest.raises(ValueShapeError, match="threads"):
        iz.restore(tmp_path / "p", threads=0)


# -- the disk -------------------------------------------------------------------------------------------------------


def test_an_older_one_outlives_a_full_disk_and_an_interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "NEURONS_A_FILE", 10)
    pop, place, whole = RS.population(25), tmp_path / "p", set()

    def write():
        pop.run(1.0, I=10.0)
        pop.checkpoint(place)
        whole.add(pop.t)

    def check(problem):
        found = checkpoint.read_checkpoint(place, iz.Model)
        saved = found.numbers(0, 25)
        assert saved.steps_done * 0.1 in (max(whole), pop.t)
        assert saved.steps_done * 0.1 != pop.t or (saved.state["V"] == pop.V).all()
        left = {path.name for path in place.iterdir()} - {checkpoint.LOCK, checkpoint.DESCRIPTION}
        used = {piece[0] for piece in json.loads((place / checkpoint.DESCRIPTION).read_text())["pieces"]}
        assert used <= left and not drafts(place)
        if isinstance(problem, RecordingError):
            assert left == used and "the checkpoint before it is as it was" in str(problem)

    write()
    every_step(monkeypatch, write, check)
    write()
    assert iz.restore(place).t == pop.t


def test_nothing_is_left_of_a_first_one_that_failed(tmp_path, monkeypatch):
    pop, place = RS.population(5), tmp_path / "p"

    def write():
        shutil.rmtree(place, ignore_errors=True)
        pop.checkpoint(place)

    def check(problem):
        if place.exists():
            checkpoint.read_checkpoint(place, iz.Model).numbers(0, 5)
        elif isinstance(problem, RecordingError):
            assert "nothing was written" in str(problem)

    every_step(monkeypatch, write, check)


KILLED = """
import os, sys, itertools, izhigen as iz
from izhigen import files
sys.path.insert(0, {root!r})
from tests.disk import Disk
import pytest
pop = iz.load("RS").population(300, a=lambda n, rng: 0.02 + 0.01*rng.random(n))
pop.run(1.0, I=10.0)
pop.checkpoint({place!r})
pop.run(1.0, I=10.0)
Disk(lambda number: os.kill(os.getpid(), 9) if number == {step} else None).install(pytest.MonkeyPatch())
pop.checkpoint({place!r})
"""


def test_a_kill_leaves_one_of_the_two(tmp_path):
    place, times = tmp_path / "p", []
    for step in range(0, 20, 2):
        code = KILLED.format(root=str(ROOT), place=str(place), step=step)
        ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode
        times.append(iz.restore(place).t)
        if ended == 0:
            break
    assert ended == 0 and step > 4 and times[0] == 1.0 and times[-1] == 2.0 and set(times) == {1.0, 2.0}


def test_something_else_is_not_touched(tmp_path):
    pop = RS.population(2)
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(RecordingError, match=r"holds something else \('mine.txt'\); name another folder"):
        pop.checkpoint(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(RecordingError, match="cannot be written"):
        pop.checkpoint(tmp_path / "mine.txt")
    with pytest.raises(RecordingError, match="cannot be written"):
        pop.checkpoint(tmp_path / "no" / "folder")
    with pytest.raises(ValueShapeError, match="is not the path of a folder"):
        pop.checkpoint(3)
    with pytest.raises(RecordingError, match="does not exist"):
        iz.restore(tmp_path / "nothing")
    with pytest.raises(RecordingError, match="holds no checkpoint"):
        iz.restore(tmp_path)


def test_folders_of_other_programs_are_not_touched(tmp_path):
    pop, mine = RS.population(2), tmp_path / "precious"
    mine.write_text("precious")
    place = tmp_path / "p"
    place.mkdir()
    described = place / checkpoint.DESCRIPTION
    described.symlink_to(mine)
    with pytest.raises(RecordingError, match="holds something else"):
        pop.checkpoint(place)
    described.unlink()
    os.mkfifo(described)
    with pytest.raises(RecordingError, match="holds something else"):
        pop.checkpoint(place)
    described.unlink()
    for content in ('{"weights": "w.bin"}', "", "[]", "[" * 100_000):
        described.write_text(content)
        with pytest.raises(RecordingError, match="not one of izhigen"):
            pop.checkpoint(place)
        assert described.read_text() == content
    described.unlink()
    pop.checkpoint(place)
    (place / "weights.bin").write_text("precious")
    with pytest.raises(RecordingError, match="weights.bin"):
        pop.checkpoint(place)
    assert mine.read_text() == (place / "weights.bin").read_text() == "precious"


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError, MemoryError])
def test_what_comes_after_the_description_is_written_loses_nothing(tmp_path, monkeypatch, problem):
    pop, true = RS.population(5), checkpoint._remove_files
    pop.checkpoint(tmp_path / "p")
    pop.run(1.0, I=10.0)

    def removing(*arguments):
        true(*arguments)
        if not raised:
            raised.append(True)
            raise problem("late")

    raised = []
    monkeypatch.setattr(checkpoint, "_remove_files", removing)
    try:
        pop.checkpoint(tmp_path / "p")
    except (KeyboardInterrupt, MemoryError):
        assert problem is not OSError
    assert raised and iz.restore(tmp_path / "p").t == 1.0


def test_one_that_is_replaced_while_it_is_read_is_read_anew(tmp_path, monkeypatch):
    pop, true = RS.population(5), checkpoint.Checkpoint.numbers
    pop.checkpoint(tmp_path / "p")

    def reading(self, *arguments):
        if pop.t < 2.0:
            pop.run(1.0, I=10.0)
            pop.checkpoint(tmp_path / "p")
        return true(self, *arguments)

    monkeypatch.setattr(checkpoint.Checkpoint, "numbers", reading)
    assert iz.restore(tmp_path / "p").t == 2.0


def test_one_writer_at_a_time(tmp_path):
    import filelock

    pop = RS.population(2)
    pop.checkpoint(tmp_path / "p")
    with filelock.FileLock(tmp_path / "p" / checkpoint.LOCK), pytest.raises(RecordingError, match="another process"):
        pop.checkpoint(tmp_path / "p")
    iz.restore(tmp_path / "p")


# -- what is read ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    place = tmp_path_factory.mktemp("checkpoint") / "p"
    RS.with_refractory(2.0).population(
        (2, 3), a=draw, b=iz.distributions.normal(0.2, 0.01), V=np.full((2, 3), -60.0), surrogate="sigmoid"
    ).checkpoint(place)
    return place


def test_flipped_bits_and_short_files_are_seen(written, tmp_path):
    place = tmp_path / "p"
    shutil.copytree(written, place)
    (path,) = (path for path in place.iterdir() if path.suffix == checkpoint.SUFFIX)
    content = path.read_bytes()
    for broken, told in (
        (bytes([content[0] ^ 1]) + content[1:], "is not what was written there"),
        (content[:-1], "ends too early"),
        (content + b"x", "more than"),
    ):
        path.write_bytes(broken)
        with pytest.raises(RecordingError, match=told):
            iz.restore(place)
    path.unlink()
    with pytest.raises(RecordingError, match="is missing"):
        iz.restore(place)
    path.symlink_to("/dev/zero")
    with pytest.raises(RecordingError, match="link"):
        iz.restore(place)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RecordingError):
        iz.restore(place)


def test_a_description_is_not_believed(written, tmp_path):
    """Every part of it replaced by something odd gives an error of ours, or what a user could have asked for."""
    place = tmp_path / "p"
    shutil.copytree(written, place)
    path = place / checkpoint.DESCRIPTION
    whole = json.loads(path.read_text())
    refused = 0
    for here in places({key: value for key, value in whole.items() if key != "model"}):
        for odd in (*ODD, 2**70, 0, "/etc/passwd", "../p"):
            document = json.loads(json.dumps(whole))
            part = document
            for key in here[:-1]:
                part = part[key]
            if here:
                part[here[-1]] = odd
            path.write_text(json.dumps(document if here else odd))
            try:
                iz.restore(place)
            except IzhigenError as problem:
                refused += 1
                assert len(str(problem)) < 1000
    assert refused > 600
    for text in ("", "{", "[" * 100_000, "nonsense", json.dumps({**whole, "format": 99})):
        path.write_text(text)
        with pytest.raises(RecordingError, match="checkpoint"):
            iz.restore(place)


@pytest.mark.parametrize("number", ["uint8", "float64", "int32", "bool"])
@pytest.mark.parametrize("array", ["state V", "state t_last_spike", "parameter a", "spike", "given V"])
def test_number_types_that_kernels_do_not_have_are_refused(written, tmp_path, number, array):
    """Whatever the sizes and checksums say: a kernel would read and write past the end."""
    place = tmp_path / "p"
    shutil.copytree(written, place)
    path = place / checkpoint.DESCRIPTION
    document = json.loads(path.read_text())
    (entry,) = (entry for entry in document["arrays"] if entry[0] == array)
    if entry[1] == number:
        pytest.skip("it is its own")
    entry[1] = number
    file = place / document["pieces"][0][0]
    content = bytes(6 * sum(np.dtype(kind).itemsize for _, kind in document["arrays"]))
    file.write_bytes(content)
    document["pieces"][0][3] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(document))
    with pytest.raises(RecordingError, match=f"array '{array}' has the number type {number}"):
        iz.restore(place)


def test_pickles_of_callables_are_not_kept(tmp_path):
    pop = RS.population(4, a=partial(draw), V=draw)
    pop.checkpoint(tmp_path / "p")
    again = iz.restore(tmp_path / "p")
    assert isinstance(again._neurons.given["a"], np.ndarray) and (again.a == pop.a).all()


def test_while_a_run_is_under_way(tmp_path):
    pop = RS.population(100_000)
    running = threading.Thread(target=lambda: pop.run(2000.0, I=10.0, record=[]))
    running.start()
    refused = 0
    while running.is_alive() and not refused:
        try:
            pop.checkpoint(tmp_path / "p")
        except IzhigenError as problem:
            assert "run() is under way in another thread" in str(problem)
            refused += 1
    running.join()
    assert refused
