"""Finding a compiler, building once, and saying what is wrong."""

import multiprocessing
import os
import sys
from dataclasses import replace

import pytest

import izhigen as iz
from izhigen.backends import build, toolchain
from izhigen.backends.cache import clear_cache
from izhigen.errors import BackendError, CompileError

pytestmark = pytest.mark.tools

MODEL = iz.load("RS")


def test_built_once_then_found(folder):
    program = MODEL.program()
    first, second = build.build(program), build.build(program)
    assert first.fresh and not second.fresh and first.library == second.library
    assert {p.suffix for p in folder.iterdir()} >= {".c", ".json", toolchain.LIBRARY_SUFFIX}
    assert build.build(MODEL.program(dtype="float64")).library != first.library
    files, size = clear_cache()
    assert files >= 6 and size > 0 and not list(folder.glob("*.so"))


def test_flags_never_relax_arithmetic():
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffinite-math-only"} & set(toolchain.FLAGS)


def test_compile_error_carries_text_and_path(folder):
    program = MODEL.program()
    broken = replace(program, source=program.source + "\nint broken(")
    with pytest.raises(CompileError, match=r"(?s)RS-float32-.*\.c.*error") as caught:
        build.build(broken)
    path = str(caught.value).split(" failed on ")[1].split(" (exit")[0]
    assert os.path.isfile(path)


def test_a_library_that_cannot_be_loaded_is_built_again(filled):
    built = build.build(MODEL.program())
    built.library.write_bytes(b"not a library")
    pop = MODEL.population(2)
    pop.run(1.0)
    assert built.library.stat().st_size > 1000


def test_a_truncated_library_is_never_loaded(filled):
    built = build.build(MODEL.program())
    with open(built.library, "r+b") as file:
        file.truncate(4096)
    MODEL.population(2).run(1.0)
    assert built.library.stat().st_size > 4096


def test_a_relative_cache_folder_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", ".")
    assert MODEL.population(1).run(1.0) is not None
    with pytest.raises(iz.IzhigenError, match="dtype"):
        MODEL.source("c", dtype="float16")
    with pytest.raises(iz.IzhigenError, match="per_neuron: 'zz'"):
        MODEL.source("c", per_neuron=("zz",))


def test_clearing_touches_our_files_only(filled):
    build.build(MODEL.program())
    strangers = ["main.c", "package.json", "mylib.so", "poetry.lock"]
    for name in strangers:
        (filled / name).write_text("keep")
    (filled / "izhigen-building-x").mkdir()
    clear_cache()
    assert sorted(p.name for p in filled.iterdir()) == sorted(strangers)


@pytest.mark.parametrize(("name", "words"), [("no-such-compiler", "no program on the path"), ('gcc "x', "no command")])
def test_cc_is_honoured(folder, monkeypatch, name, words):
    monkeypatch.setenv("CC", name)
    with pytest.raises(BackendError, match=words):
        MODEL.population(1)
    monkeypatch.setenv("CC", "gcc -pipe")
    if toolchain.shutil.which("gcc"):
        assert toolchain.find_toolchain().command[1:] == ("-pipe",)


def test_no_compiler_says_what_to_install_and_numpy_still_runs(folder, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"install gcc or clang.*izhigen\[zig\].*numpy"):
        MODEL.population(1)
    assert MODEL.population(1, backend="numpy").run(1.0) is not None


def test_the_zig_wheel_is_the_last_resort(monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: object())
    assert toolchain.find_toolchain().command[:4] == (sys.executable, "-m", "ziglang", "cc")


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(BackendError, match="IZHIGEN_CACHE_DIR"):
        MODEL.population(1)


def _build(folder, results):
    os.environ["IZHIGEN_CACHE_DIR"] = folder
    results.put(build.build(iz.load("RS").program()).fresh)


def test_two_processes_build_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_build, args=(str(tmp_path), results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    fresh = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(fresh) == 1


@pytest.mark.parametrize("other", ["clang", "zig"])
def test_other_compilers_give_the_same_spikes(folder, monkeypatch, other):
    if other == "clang":
        if toolchain.shutil.which("clang") is None:
            pytest.skip("clang is not installed")
        monkeypatch.setenv("CC", "clang")
    else:
        pytest.importorskip("ziglang", reason="the ziglang wheel is not installed")
        monkeypatch.setenv("CC", f"{sys.executable} -m ziglang cc -fno-sanitize=all")
    found = MODEL.population(40, dtype="float64").run(100.0, I=15.0).counts
    monkeypatch.delenv("CC")
    assert (found == MODEL.population(40, dtype="float64", backend="numpy").run(100.0, I=15.0).counts).all()
