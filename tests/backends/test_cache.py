"""What lies in the cache is one's own, checked before it is used, and of a limited size."""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

import izhigen as iz
from izhigen.backends import build, toolchain
from izhigen.backends import cache as cache_module
from izhigen.backends.cache import Cache, cache_limit, kept_file
from izhigen.errors import BackendError, CompileError
from tests.conftest import ROOT

MODEL = iz.load("RS")
posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")


def counts(**options):
    return MODEL.population(3, **options).run(100.0, I=[8.0, 12.0, 20.0]).counts.tolist()


EXPECTED = counts(backend="numpy")


def flip(path, position, bit=0):
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)


# -- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [0.001, 0.3, 0.6, 0.999])
def test_a_flipped_bit_in_a_library_is_built_again(filled, part):
    built = build.build(MODEL.program())
    flip(built.library, int(part * built.library.stat().st_size), 3)
    assert build.build(MODEL.program()).fresh
    assert counts() == EXPECTED


@pytest.mark.parametrize("suffix", [".json", ".program.json"])
def test_a_flipped_bit_in_a_record_is_made_again(filled, suffix):
    assert counts() == EXPECTED
    for path in sorted(filled.glob(f"RS*{suffix}")):
        good = path.read_bytes()
        for position in range(0, len(good), max(1, len(good) // 40)):
            flip(path, position)
            assert Cache(filled).read_record(path.name) is None
            path.write_bytes(good)
        flip(path, len(good) // 2)
    assert counts() == EXPECTED


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"0", b'"x"', b"{}", b"\xff\xfe", b"[" * 100_000, b'{"digest": null}', b'{"size": 1}']
)
def test_a_record_of_anything_else_is_made_again(filled, text):
    assert counts() == EXPECTED
    for path in filled.glob("*.json"):
        path.write_bytes(text)
    assert counts() == EXPECTED
    assert not build.build(MODEL.program()).fresh


def test_a_record_under_another_name_is_not_taken(folder):
    cache = Cache(folder)
    path = cache.keep_record(f"RS-float32-{'0' * 32}.json", {"sha256": "x"})
    other = path.with_name(f"FS-float32-{'0' * 32}.json")
    path.rename(other)
    assert cache.read_record(other.name) is None


def test_a_folder_in_the_place_of_a_file_is_no_dead_end(filled):
    assert counts() == EXPECTED
    names = sorted(path.name for path in filled.iterdir())
    assert len(names) > 5
    for name in names:
        (filled / name).unlink()
        (filled / name).mkdir()
        (filled / name / "x").write_text("anything")
    assert counts() == EXPECTED
    assert {path.name for path in filled.iterdir() if path.is_file()} >= {n for n in names if not n.endswith(".lock")}
    (filled / names[0]).unlink()
    (filled / names[0]).mkdir()
    (filled / "own").mkdir()
    cache_module.clear_cache()
    assert [path.name for path in filled.iterdir()] == ["own"]


def test_a_kept_file_that_was_changed_is_made_again(folder):
    name, made = f"RS-float32-{'0' * 32}.cubin", []

    def make():
        made.append(None)
        return b"machine code"

    assert kept_file(name, make) == kept_file(name, make) == folder / name and len(made) == 1
    flip(folder / name, 5)
    assert kept_file(name, make).read_bytes() == b"machine code" and len(made) == 2
    (folder / name).with_suffix(".json").write_text("null")
    kept_file(name, make)
    assert len(made) == 3


# -- whose it is ------------------------------------------------------------------------------------------------------


@posix
def test_folder_and_files_are_the_users_alone(folder):
    previous = os.umask(0)
    try:
        build.build(MODEL.program())
    finally:
        os.umask(previous)
    for path in (folder, *folder.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


@posix
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777, 0o702])
def test_a_folder_that_others_can_write_is_refused(folder, mode):
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(BackendError, match=r"can be written by others.*chmod 700 .*IZHIGEN_CACHE_DIR"):
        MODEL.population(1)
    link = folder.with_name("link")
    link.symlink_to(folder)
    with pytest.raises(BackendError, match="can be written by others"):
        Cache(link).check()
    assert MODEL.population(1, backend="numpy").run(1.0) is not None
    folder.chmod(0o700)
    assert counts() == EXPECTED


@posix
def test_another_users_folder_and_files_are_refused(filled, monkeypatch):
    assert counts() == EXPECTED
    (record,) = filled.glob("RS*.program.json")
    own = os.geteuid() or 4242
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: own + 1)
        if os.geteuid() != own and filled.stat().st_uid != 0:
            with pytest.raises(BackendError, match="belongs to another user"):
                Cache(filled).check()
    if os.geteuid() == 0:
        os.chown(record, 4242, -1)
        assert Cache(filled).read(record.name) is None
        os.chown(filled, 4242, -1)
        with pytest.raises(BackendError, match=r"another user \(4242\).*IZHIGEN_CACHE_DIR"):
            MODEL.population(1)


@posix
def test_files_that_others_can_write_and_links_and_pipes_are_not_read(folder):
    cache = Cache(folder)
    name = f"RS-float32-{'0' * 32}.json"
    path = cache.keep_record(name, {"a": 1})
    path.chmod(0o664)
    assert cache.read_record(name) is None
    path.chmod(0o600)
    path.rename(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")
    assert cache.read(name) is None
    path.unlink()
    os.mkfifo(path, 0o600)
    assert cache.read(name) is None


@pytest.mark.parametrize("named", ["~nouser/x", "~no user at all"])
def test_a_folder_of_nobody(monkeypatch, named):
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", named)
    with pytest.raises(BackendError, match="IZHIGEN_CACHE_DIR"):
        MODEL.population(1)


@posix
def test_a_folder_that_is_no_text(monkeypatch, tmp_path):
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", f"{tmp_path}/\udcff")
    with pytest.raises(BackendError, match="no text"):
        MODEL.population(1)


# -- nothing by halves ------------------------------------------------------------------------------------------------


CALLS = {"write": 4, "replace": 5, "mkstemp": 4, "mkdtemp": 2}
"""How often each is called while a kernel is built."""


@pytest.mark.parametrize(("call", "number"), [(call, number) for call in CALLS for number in range(CALLS[call])])
def test_a_full_disk_leaves_whole_files_or_none(folder, monkeypatch, call, number):
    left = [number]

    def full(function):
        def refuse(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return function(*arguments, **options)

        return refuse

    place = {"write": (cache_module, "open"), "replace": (os, "replace")}.get(call, (tempfile, call))
    with monkeypatch.context() as patch:
        if call == "write":
            patch.setattr(cache_module, "open", _opener(full), raising=False)
        else:
            patch.setattr(*place, full(getattr(*place)))
        with contextlib.suppress(BackendError):
            counts()
        assert left[0] < 0
        assert not list(folder.glob("izhigen-building-*"))
    cache = Cache(folder)
    for path in folder.glob("*.json"):
        assert cache.read_record(path.name) is not None
    assert counts() == EXPECTED


def _opener(full):
    """``open`` whose files cannot be written once the disk is full."""

    def opened(*arguments, **options):
        file = open(*arguments, **options)  # noqa: SIM115
        if file.writable():
            write = full(file.raw.write)

            class Full:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

                def write(self, content):
                    file.raw.write(content[: len(content) // 2])
                    os.ftruncate(file.fileno(), 0)
                    os.lseek(file.fileno(), 0, os.SEEK_SET)
                    return write(content)

            return Full()
        return file

    return opened


@posix
def test_a_limit_of_file_sizes_is_one_line(folder):
    code = (
        "import resource, izhigen as iz\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try: iz.load('RS').population(1)\n"
        "except iz.errors.BackendError as problem: print(type(problem).__name__, problem)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout and not list(folder.glob("izhigen-building-*"))


# -- leftovers and size -----------------------------------------------------------------------------------------------


KILLED = """
import os, signal, sys
from izhigen.backends.cache import Cache
from pathlib import Path
cache = Cache(Path(sys.argv[1]))
stem = "RS-float32-" + "f" * 32
with cache.building(stem), cache.scratch(stem) as scratch:
    (scratch / "half").write_text("x")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_leftovers_of_a_killed_build_go_and_those_of_a_running_one_stay(folder):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    try:
        assert child.stdout.readline().strip() == b"ready"
        Cache(folder).tidy(0)
        Cache(folder).clear()
        assert len(list(folder.glob("izhigen-building-*"))) == 1
    finally:
        child.kill()
        child.communicate()
    assert len(list(folder.iterdir())) == 2
    Cache(folder).tidy(10**9)
    assert not list(folder.iterdir())


def test_single_files_go_when_they_are_old(folder):
    folder.mkdir(mode=0o700)
    young, old = folder / "izhigen-building-abcdefgh", folder / "izhigen-building-ijklmnop"
    young.write_text(""), old.write_text("")
    os.utime(old, (1, 1))
    Cache(folder).tidy(10**9)
    assert [p.name for p in folder.iterdir()] == [young.name]


def _stem(k):
    return f"RS-float32-{k:032x}"


def _fill(folder, count, size=1000):
    cache = Cache(folder)
    for k in range(count):
        cache.keep(f"{_stem(k)}.so", b"x" * size)
        cache.keep_record(f"{_stem(k)}.json", {"k": k})
        for path in folder.glob(f"{_stem(k)}.*"):
            os.utime(path, (1000 + k, 1000 + k))
    return cache


def test_what_was_not_used_for_longest_goes_first(folder):
    cache = _fill(folder, 6)
    (folder / "mine.so").write_bytes(b"x" * 5000)
    cache.touch(f"{_stem(0)}.json")
    cache.tidy(3 * 1100 + 400)
    kept = {p.name for p in folder.glob("RS*.so")}
    assert kept == {f"{_stem(k)}.so" for k in (0, 4, 5)} and {p.stem for p in folder.glob("RS*.json")} == {
        _stem(k) for k in (0, 4, 5)
    }
    assert (folder / "mine.so").exists()


def test_some_new_kernels_tidy_a_large_cache_and_not_each(folder):
    cache, most, size = _fill(folder, 1), 0, 10**6
    for k in range(300):
        for suffix in (".so", ".json"):
            path = folder / f"{_stem(k)}{suffix}"
            path.touch()
            os.truncate(path, size if suffix == ".so" else 100)
        cache.tidy_at_times(20 * size, _stem(k))
        most = max(most, cache.usage().kernels)
        assert (folder / f"{_stem(k)}.so").exists()
    assert 21 < most < 120


def test_what_is_being_built_or_loaded_stays(folder):
    cache = _fill(folder, 3)
    entered, leave = threading.Event(), threading.Event()

    def build():
        with cache.building(_stem(0)):
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=build)
    thread.start()
    entered.wait(30)
    try:
        cache.tidy(0, _stem(1))
        assert {p.name for p in folder.glob("*.so")} == {f"{_stem(0)}.so", f"{_stem(1)}.so"}
    finally:
        leave.set()
        thread.join()


def test_the_limit_holds_for_builds(folder, monkeypatch):
    monkeypatch.setenv("IZHIGEN_CACHE_SIZE", "1kB")
    first = build.build(MODEL.program())
    os.utime(first.library, (1, 1))
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    second = build.build(MODEL.program(dtype="float64"))
    assert second.library.exists() and not first.library.exists()
    assert counts() == EXPECTED


def test_use_is_noted(filled):
    assert counts() == EXPECTED
    for path in filled.iterdir():
        os.utime(path, (1, 1))
    assert counts() == EXPECTED
    now = time.time()
    for pattern in ("RS*[0-9a-f].json", "RS*.program.json"):
        assert any(now - path.stat().st_mtime < 60 for path in filled.glob(pattern)), pattern


@pytest.mark.parametrize(
    ("text", "size"), [("", 10**9), ("500MB", 5 * 10**8), ("2 GB", 2 * 10**9), ("1e6", 10**6), ("0", 0), ("1.5k", 1500)]
)
def test_sizes(monkeypatch, text, size):
    monkeypatch.setenv("IZHIGEN_CACHE_SIZE", text)
    assert cache_limit() == size


@pytest.mark.parametrize("text", ["x", "-1", "nan", "inf", "1XB", "1e999", "9" * 400])
def test_what_is_no_size(folder, monkeypatch, text):
    monkeypatch.setenv("IZHIGEN_CACHE_SIZE", text)
    with pytest.raises(BackendError, match="IZHIGEN_CACHE_SIZE"):
        cache_limit()
    if text == "x":
        with pytest.raises(BackendError, match="IZHIGEN_CACHE_SIZE"):
            MODEL.population(1)


def test_a_file_system_without_locks_builds(folder, monkeypatch):
    def refuse(*arguments, **options):
        raise NotImplementedError("no locks here")

    monkeypatch.setattr(cache_module, "_lock", refuse)
    assert counts() == EXPECTED
    Cache(folder).tidy(0)
    assert not list(folder.glob("*.so"))


def test_a_long_name_is_no_obstacle(folder):
    model = iz.Model("n" * 64, "dV/dt = -V/10 + I", threshold="V > 5", reset="V = 0", inputs=["I"])
    assert model.population(1).run(50.0, I=2.0).counts.sum() > 0


# -- compilers --------------------------------------------------------------------------------------------------------


@pytest.mark.tools
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/no/such/interpreter\n", "cannot be run"),
        ("echo no first line\n", "cannot"),
        ("\x7fELF but not one", "cannot be run"),
        ("#!/bin/sh\nprintf 'error \\377\\376 caf\\351\\n' >&2; exit 1\n", "cannot build a small library"),
        ("#!/bin/sh\nexit 0\n", "no library"),
        ("#!/bin/sh\nkill -9 $$\n", "signal 9"),
        ("#!/bin/sh\nread line || exit 3; exit 0\n", "exit code 3"),
    ],
)
@posix
def test_programs_that_are_no_compiler(folder, tmp_path, monkeypatch, script, words):
    path = tmp_path / "my cc"
    path.write_text(script)
    path.chmod(0o755)
    monkeypatch.setenv("CC", f"'{path}' -x")
    with pytest.raises(BackendError, match=words) as caught:
        MODEL.population(1)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.tools
@posix
@pytest.mark.parametrize("named", ["FOLDER", "FILE", '""', "-O2", "''"])
def test_what_is_no_program(folder, tmp_path, monkeypatch, named):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("CC", {"FOLDER": str(tmp_path), "FILE": str(tmp_path / "file")}.get(named, named))
    with pytest.raises(BackendError, match="unset CC or correct it"):
        MODEL.population(1)


@posix
def test_a_compiler_that_hangs(folder, tmp_path, monkeypatch):
    path = tmp_path / "cc"
    path.write_text("#!/bin/sh\nexec sleep 60\n")
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    monkeypatch.setattr(toolchain, "LONGEST_CHECK", 0.3)
    with pytest.raises(BackendError, match="did not end in"):
        MODEL.population(1)


@pytest.mark.tools
@posix
def test_a_path_with_spaces_and_only_spaces(folder, tmp_path, monkeypatch):
    gcc = toolchain.shutil.which("cc") or toolchain.shutil.which("gcc")
    path = tmp_path / "my compilers"
    path.symlink_to(gcc)
    monkeypatch.setenv("CC", str(path))
    assert toolchain.find_toolchain().command == (str(path),)
    monkeypatch.setenv("CC", "   ")
    assert toolchain.find_toolchain().command[0] in (toolchain.shutil.which("cc"), gcc)


@pytest.mark.tools
@posix
def test_messages_that_are_no_text(folder, tmp_path, monkeypatch):
    gcc = toolchain.shutil.which("cc") or toolchain.shutil.which("gcc")
    path = tmp_path / "cc"
    path.write_text(f'#!/bin/sh\nprintf "caf\\351\\n" >&2; exec {gcc} "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    assert counts() == EXPECTED


RELAXED = [
    "-ffast-math",
    "-Ofast",
    "-funsafe-math-optimizations",
    "-fassociative-math -fno-signed-zeros -fno-trapping-math",
    "-ffinite-math-only",
    "-freciprocal-math",
    "-fno-signed-zeros",
    "-frounding-math",
    "-O0",
    "-std=gnu89",
    "-fpack-struct",
    "-fvisibility=hidden",
]
WORDS_OF_GCC = ("-std=gnu89", "-fpack-struct", "-fvisibility=hidden")
"""Which are tried with gcc alone."""
OF_GCC, OF_CLANG = ["-fsingle-precision-constant", "-mrecip", "-fexcess-precision=fast"], ["-ffp-model=fast"]
IN_ONE_PROCESS = """
import os, sys, numpy as np, izhigen as iz
from izhigen.errors import NonFiniteError
rs = iz.load("RS")
model = rs.variant(equations="\\n".join(map(str, (*rs.equations, "dx/dt = -x"))))
for flags in ("", *sys.argv[1:]):
    os.environ["CC"] = f"{os.environ['PLAIN']} {flags}"
    pop = model.population(300, dtype="float64", V=np.linspace(-80, -50, 300))
    rec = pop.run(60.0, I=np.linspace(0, 20, 300), record=["V", "spike"])
    left = model.population(1, dtype="float64", x=1e-310).run(1.0, record=["x"])["x"][-1, 0]
    try:
        model.population(2, dtype="float64").run(1.0, I=float("nan"))
        found = False
    except NonFiniteError:
        found = True
    tiny = np.full(3, 5e-324) * 1.0
    bits = rec["V"].tobytes().hex()[-4000:]
    print(repr((rec.counts.tolist(), bits, found, bool((tiny > 0).all()), bool(left > 0))))
"""


@pytest.mark.tools
@pytest.mark.parametrize(("compiler", "own"), [("gcc", OF_GCC), ("clang", OF_CLANG), ("zig", None)])
def test_flags_of_the_environment_change_no_bit(folder, compiler, own):
    """One process for all flags of a compiler: what one of them sets for a whole process is found after it too."""
    flags = [" ".join(RELAXED[:1] + RELAXED[4:7]), *RELAXED[1:4], *RELAXED[7:], *(own or ())]
    if compiler == "zig":
        pytest.importorskip("ziglang", reason="the ziglang wheel is not installed")
        flags = flags[:2]  # it is a clang
    elif toolchain.shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    elif compiler == "clang":
        flags = [flag for flag in flags if flag not in WORDS_OF_GCC]
    cc = f"{sys.executable} -m ziglang cc -fno-sanitize=all" if compiler == "zig" else compiler
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS, *flags],
        env=dict(os.environ, PLAIN=cc),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    plain, *found = done.stdout.splitlines()
    assert plain.endswith("True, True, True)") and len(found) == len(flags)
    assert len(list(folder.glob("RS*.so"))) == 1 + len(flags), "each has a kernel of its own"
    assert [flag for flag, result in zip(flags, found) if result != plain] == []


@pytest.mark.tools
@posix
@pytest.mark.parametrize("flag", ["-ffast-math", "-ffinite-math-only", "-freciprocal-math", "-fpack-struct"])
def test_a_wrapper_whose_flags_come_last_is_found_out(folder, tmp_path, monkeypatch, flag):
    gcc = toolchain.shutil.which("cc") or toolchain.shutil.which("gcc")
    path = tmp_path / "cc"
    path.write_text(f'#!/bin/sh\nexec {gcc} "$@" {flag}\n')
    path.chmod(0o755)
    monkeypatch.setenv("CC", str(path))
    with pytest.raises(BackendError, match="leaves IEEE arithmetic"):
        MODEL.population(1)


@pytest.mark.tools
@posix
def test_a_compiler_that_is_killed_says_so(folder, tmp_path):
    path = tmp_path / "cc"
    path.write_text("#!/bin/sh\nkill -TERM $$\n")
    path.chmod(0o755)
    with pytest.raises(CompileError, match=f"signal {int(signal.SIGTERM)}"):
        toolchain.Toolchain((str(path),)).build(toolchain.FLAGS, Path("x.c"), tmp_path / "x.so")
