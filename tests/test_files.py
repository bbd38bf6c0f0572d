"""Files are written whole or not at all, whatever the disk does; folders lead nowhere else."""

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys

import numpy as np
import pytest

import izhigen as iz
from izhigen import files
from izhigen.errors import IzhigenError, RecordingError
from izhigen.standalone.project import GENERATOR, MANIFEST, Project
from tests.disk import Disk, drafts, full, interrupted

RS = iz.load("RS")


@pytest.fixture(scope="module")
def recording():
    return RS.population(7, dt=0.1).run(20.0, I=20.0, record=["V", "spike", "count"])


def every_step(monkeypatch, write, check):
    """Refuse each step of a write in turn, once and for good, and interrupt it there."""
    disk = Disk(full(10**9))
    with monkeypatch.context() as patch:
        disk.install(patch)
        write()
    steps = disk.steps
    assert steps > 3
    for step in range(steps):
        for fault in (full(step), full(step, step), interrupted(step)):
            with monkeypatch.context() as patch:
                Disk(fault).install(patch)
                try:
                    write()
                except (IzhigenError, KeyboardInterrupt) as problem:
                    check(problem)
    return steps


@pytest.mark.parametrize("kind", ["npz", "png", "svg", "source"])
def test_a_file_that_was_there_outlives_a_full_disk_and_an_interrupt(kind, recording, tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    from izhigen.standalone.project import write_source

    path = tmp_path / f"x.{kind if kind != 'source' else 'c'}"
    figure = recording.plot()
    write = {
        "npz": lambda: recording.save(path),
        "source": lambda: write_source("text", path, force=True),
    }.get(kind, lambda: iz.plot.save(figure, path))
    write()
    old = b"the old content"
    path.write_bytes(old)
    failed = []

    def check(problem):
        failed.append(problem)
        assert not drafts(tmp_path)
        if path.read_bytes() != old:  # it was in its place already when the folder was to be synced
            assert isinstance(problem, KeyboardInterrupt)
            path.write_bytes(old)
        elif isinstance(problem, IzhigenError):
            assert "No space left" in str(problem) and path.name in str(problem) and "\n" not in str(problem)

    def again():
        path.write_bytes(old)
        write()

    every_step(monkeypatch, again, check)
    assert len(failed) > 5
    plt.close(figure)


def test_permissions_links_and_places(tmp_path):
    mask = os.umask(0o027)
    try:
        files.write_file(tmp_path / "new", b"1")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
        (tmp_path / "new").chmod(0o604)
        files.write_file(tmp_path / "new", b"2")
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604
    finally:
        os.umask(mask)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/named")
    for content in (b"made through a link", b"replaced through it"):
        files.write_file(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink() and (tmp_path / "folder" / "named").read_bytes() == content
    (tmp_path / "loop").symlink_to("loop")
    for name, error in (("loop", OSError), ("folder", IsADirectoryError), ("no/file", FileNotFoundError)):
        with pytest.raises(error):
            files.write_file(tmp_path / name, b"")
    files.write_file("/dev/null", b"nothing is lost here")
    if os.path.isdir("/proc"):  # which takes no file, from root neither
        with pytest.raises(OSError) as problem:
            files.write_file("/proc/x", b"a draft is named by nobody")
        assert str(problem.value).endswith(": '/proc/x'")
    files.write_file(tmp_path / ("n" * 255), b"a name as long as can be")
    with pytest.raises(IzhigenError, match="cannot be written"):
        RS.emit(tmp_path / ("n" * 300))
    assert not drafts(tmp_path)
    if os.geteuid() != 0:
        (tmp_path / "new").chmod(0o444)
        with pytest.raises(PermissionError):
            files.write_file(tmp_path / "new", b"3")


def test_an_interrupt_at_any_line(tmp_path):
    """An interrupt at each line of the module in turn leaves the old file or the new one, and nothing beside it."""
    path, line = tmp_path / "x", 0
    name = files.__file__
    seen = set()
    while True:
        path.write_bytes(b"old")
        count = 0

        def trace(frame, event, _, line=line):
            nonlocal count
            if frame.f_code.co_filename != name or frame.f_code.co_name in ("discard", "_opened"):
                return None
            if event == "line":
                count += 1
                if count == line + 1:
                    raise KeyboardInterrupt
            return trace

        sys.settrace(trace)
        try:
            files.write_file(path, b"new")
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        seen.add(path.read_bytes())
        assert os.listdir(tmp_path) == ["x"], line
        if count <= line:
            break
        line += 1
    assert line > 15 and seen == {b"old", b"new"}


KILLED = """
import os, signal, sys
from izhigen import files
with files.replacing(sys.argv[1]) as file:
    file.write(b"half of it")
    file.flush()
    os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.skipif(not files.BY_DESCRIPTOR, reason="the system names no files by an open folder")
def test_what_a_killed_writer_left_goes_with_a_later_write(tmp_path):
    """Once it is old, and nobody writes it."""
    path, old = tmp_path / "x", (1e9, 1e9)
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGTERM
    (left,) = drafts(tmp_path)
    kept = [tmp_path / f"{files.DRAFT_PREFIX}{name}{files.DRAFT_SUFFIX}" for name in ("folder", "link", "pipe")]
    kept[0].mkdir()
    kept[1].symlink_to("named")
    os.mkfifo(kept[2])
    (tmp_path / "named").write_bytes(b"of the user")
    for place in (*kept, tmp_path / "named"):
        os.utime(place, old)
    files.write_file(path, b"1")
    assert left in drafts(tmp_path), "it may be written now, on another machine"
    with files.replacing(tmp_path / "y") as file:
        file.write(b"a writer that takes its time")
        file.flush()
        for place in (file.fileno(), left):
            os.utime(place, old)
        files.write_file(path, b"2", durable=False)
        assert left in drafts(tmp_path)
        files.write_file(path, b"3")
        assert left not in drafts(tmp_path)
    assert (tmp_path / "y").read_bytes() == b"a writer that takes its time" and path.read_bytes() == b"3"
    assert sorted(drafts(tmp_path)) == sorted(kept) and (tmp_path / "named").read_bytes() == b"of the user"


@pytest.fixture(params=["8m"])
def small_disk(tmp_path, request):
    """A file system of 8 MB or of another size, where the tests may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_really_full(small_disk, recording, monkeypatch):
    recording.save(small_disk / "x.npz")
    RS.emit(small_disk / "project")
    large = RS.population(1000, dt=0.1).run(400.0, I=np.linspace(4, 20, 1000), record=["V"])
    for write, words in (
        (lambda: large.save(small_disk / "x.npz"), r"x\.npz cannot be written: .*No space left"),
        (lambda: large.save(small_disk / "y.npz"), r"y\.npz cannot be written: .*No space left"),
        (lambda: large.save(small_disk / "y.zarr"), r"y\.zarr cannot be written: .*No space left"),
    ):
        with pytest.raises(RecordingError, match=words):
            write()
    with open(small_disk / "rest", "wb", buffering=0) as rest:
        try:
            while rest.write(bytes(4096)):
                pass
        except OSError:
            pass
    with pytest.raises(IzhigenError, match="cannot be written: .*No space left"):
        iz.load("FS").emit(small_disk / "project")
    expected = RS.emit(small_disk.parent / "same")
    for path in expected.rglob("*"):
        there = small_disk / "project" / path.relative_to(expected)
        assert path.is_dir() or there.read_bytes() == path.read_bytes()
    assert not drafts(small_disk)
    same = iz.Recording.load(small_disk / "x.npz")
    np.testing.assert_array_equal(same["V"], recording["V"])


def test_a_run_onto_a_disk_that_fills_keeps_what_there_was_room_for(small_disk):
    """Of 20 MB on a disk of 8, nothing is lost but the piece for which there was no room."""
    pop = RS.population(100, dt=0.1)
    with pytest.raises(RecordingError, match=r"its first \d+ rows and 0 spikes are safe") as problem:
        pop.run(5000.0, I=np.linspace(4, 20, 100), record=["V"], out=small_disk / "x.zarr")
    stored = iz.Recording.load(small_disk / "x.zarr")
    rows = len(stored.t)
    assert rows > 10_000 and f"first {rows} rows" in str(problem.value)
    kept = RS.population(100, dt=0.1).run(steps=rows, I=np.linspace(4, 20, 100), record=["V"])
    np.testing.assert_array_equal(stored["V"][:], kept["V"])


@pytest.mark.parametrize("small_disk", ["256k", "2m"], indirect=True)
def test_a_run_onto_a_disk_smaller_than_a_piece_keeps_what_there_was_room_for(small_disk):
    pop = RS.population(100, dt=0.1)
    with pytest.raises(RecordingError, match=r"its first \d+ rows and \d+ spikes are safe") as problem:
        pop.run(5000.0, I=np.linspace(4, 20, 100), record=["V", "spike"], out=small_disk / "x.zarr")
    stored = iz.Recording.load(small_disk / "x.zarr")
    rows = len(stored.t)
    assert f"first {rows} rows" in str(problem.value)
    room = shutil.disk_usage(small_disk)
    assert room.free < 0.25 * room.total and not drafts(small_disk)
    kept = RS.population(100, dt=0.1).run(steps=rows, I=np.linspace(4, 20, 100), record=["V", "spike"])
    np.testing.assert_array_equal(stored["V"][:], kept["V"])
    np.testing.assert_array_equal(stored.spikes, kept.spikes)


# -- folders ----------------------------------------------------------------------------------------------------------


def test_paths_out_of_a_folder_are_refused(tmp_path):
    with files.Folder(tmp_path) as folder:
        for path in ("../x", "a/../../x", "/etc/passwd", "", "."):
            for act in (folder.read, folder.check, folder.remove, lambda path: folder.write(path, b"")):
                with pytest.raises(OSError):
                    act(path)
        folder.write("a/b/c", b"1")
        assert folder.read("a/b/c") == b"1" and folder.read("a/x") is None and folder.read("x/y") is None
        folder.remove("a/b/c")
    assert not os.listdir(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with files.Folder(tmp_path) as folder, pytest.raises(files.InTheWay):
        folder.read("pipe")


# -- links that are put there while a project is written ----------------------------------------------------------------


def small(*paths):
    """A project of few files."""
    texts = {path: f"text of {path} among {len(paths)}" for path in paths}
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
    return Project("Small", "c", {**texts, MANIFEST: json.dumps({"generator": GENERATOR, "files": digests})})


BEFORE = small("board/link.ld", "main.c", "old.c")
AFTER = {"kept": small("board/link.ld", "main.c"), "removed": small("main.c", "new.c")}
"""With the folder of the project before, and without."""


class Attacker:
    """Stands between a program and the system: before call number ``at`` that names a file, ``swap`` is called once."""

    CALLS = ("open", "stat", "mkdir", "rmdir", "unlink", "replace", "access")

    def __init__(self, at, swap):
        self.calls, self._at, self._swap = 0, at, swap
        for name in self.CALLS:
            setattr(self, name, self._watched(getattr(os, name)))

    def __getattr__(self, name):
        return getattr(os, name)

    def _watched(self, true):
        def watched(*arguments, **options):
            if self.calls == self._at:
                self._swap()
            self.calls += 1
            return true(*arguments, **options)

        return watched

    def fsync(self, descriptor):
        """Not waited for: nothing here outlives a loss of power."""


def content(folder):
    return {str(path.relative_to(folder)): path.is_file() and path.read_text() for path in folder.rglob("*")}


def clear(*places):
    for place in places:
        if place.is_symlink():
            place.unlink()
        shutil.rmtree(place, ignore_errors=True)


def attacked(tmp_path, monkeypatch, name, new, at):
    """Write a project over another one while ``name`` in it becomes a link to the same outside; how many calls were made,
    and whether all outside is as it was.

    What is outside has the names of the project, so that anything that follows the link finds what it looks for.
    """
    folder, outside, aside = tmp_path / "project", tmp_path / "outside", tmp_path / "aside"
    clear(folder, outside, aside)
    BEFORE.write(folder)
    shutil.copytree(folder, outside)
    before = content(outside)

    def swap():
        if os.path.lexists(folder / name):
            (folder / name).rename(aside)
        if (folder / name).parent.is_dir():
            (folder / name).symlink_to(outside / name)

    attacker = Attacker(at, swap)
    with monkeypatch.context() as patch:
        patch.setattr(files, "os", attacker)
        try:
            new.write(folder, force=True)
        except IzhigenError as problem:
            assert "\n" not in str(problem)
    return attacker.calls, content(outside) == before


NAMES = ["board", "board/link.ld", "main.c", "old.c", MANIFEST, ""]
"""A folder, files that are written, and one that is removed; and the project's own folder."""
by_descriptor = pytest.mark.skipif(not files.BY_DESCRIPTOR, reason="the system names no files by an open folder")


@by_descriptor
@pytest.mark.parametrize("after", AFTER)
@pytest.mark.parametrize("name", NAMES)
def test_a_link_that_is_put_there_meanwhile_leads_nowhere(tmp_path, monkeypatch, name, after):
    """At every moment between a check and what follows it, files outside are neither written, removed nor made."""
    at = 0 if name else 1  # the folder itself may be a link, until it is open
    while True:
        calls, is_same = attacked(tmp_path, monkeypatch, name, AFTER[after], at)
        assert is_same and not drafts(tmp_path), f"before call {at}"
        if at >= calls:
            break
        at += 1
    assert at > 25


@by_descriptor
@pytest.mark.parametrize("name", ["board", ""])
def test_it_would_lead_outside_without_open_folders(tmp_path, monkeypatch, name):
    monkeypatch.setattr(files, "BY_DESCRIPTOR", False)
    moments = ((new, at) for new in AFTER.values() for at in range(1, 60))
    assert not all(attacked(tmp_path, monkeypatch, name, new, at)[1] for new, at in moments)
