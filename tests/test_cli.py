"""The command line: output, files, exit codes, errors in one line."""

import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import izhigen as iz
from izhigen.cli import cli, main
from izhigen.codegen.targets import find_target, target_names
from izhigen.standalone.project import project_targets
from tests.command_line import fails, ok


def test_list_and_help():
    assert "IzhikevichLTC" in ok("list")
    for command in ("list", "show", "run", "patterns", "emit", "cache"):
        assert "Usage" in ok(command, "--help")


def test_show():
    assert "linear, parameter rate" in ok("show", "RS")
    assert "\\begin{align*}" in ok("show", "RS", "--latex")
    assert "RS_advance" in ok("show", "RS", "--source", "c")
    assert "k4_V" in ok("show", "RS", "--source", "c", "--method", "rk4", "--dtype", "float64")


def test_spike_timing(tmp_path, monkeypatch):
    located = ("RS", "--spike-timing", "located", "--method", "rk4")
    assert "RS_advance" in ok("show", *located, "--source", "c") and "spike: V >= V_th" in ok("show", *located)
    assert "spike_offset" in ok("emit", *located) and "spike_offset" not in ok("emit", "RS")
    assert "spikes:    10 in all" in ok("run", *located, "--input", "10", "-T", "400", "--dt", "0.5")
    monkeypatch.chdir(tmp_path)
    ok("emit", *located, "--target", "c-embedded", "-o", "neurons")
    assert "spike_offset" in (tmp_path / "neurons" / "RS.h").read_text()


def test_patterns(tmp_path):
    text = ok("patterns", "--out", str(tmp_path / "all.png"))
    lines = text.splitlines()
    assert len(lines) == 21 and (tmp_path / "all.png").stat().st_size > 50_000
    assert lines[2].startswith("(C) TonicBursting ") and "29 spikes, at most 0.0005" in lines[2]
    assert all("ms off" in line for line in lines[:20])


def test_patterns_that_are_missed(capsys, monkeypatch, tmp_path):
    text = ok("patterns", "--method", "exp_euler", "--spike-timing", "step", "--backend", "numpy", "--dt", "0.25")
    assert "(N) ReboundBurst" in text and ", 14 in the exact solution" in text and "(I) SpikeLatency" in text
    assert fails(capsys, monkeypatch, "patterns", "--out", str(tmp_path / "x.foo"))[0] == 2
    code, text = fails(capsys, monkeypatch, "patterns", "--dt", "0.3")
    assert code == 1 and "whole number of steps" in text


def test_settings_with_units_are_converted(tmp_path):
    recordings = []
    for number, settings in enumerate((("C=0.12*nF", "v=-0.05*V"), ("C=120", "v=-50"))):
        out = tmp_path / f"{number}.npz"
        options = [part for setting in settings for part in ("--set", setting)]
        ok("run", "izhikevich2007", "-T", "2", "--backend", "numpy", "--record", "v", "--out", str(out), *options)
        recordings.append(iz.Recording.load(out))
    np.testing.assert_array_equal(*(recording["v"] for recording in recordings))
    assert recordings[0].info["parameters"]["C"] == 120.0
    assert "C = 120 pF" in ok("emit", "izhikevich2007", "--set", "C=0.12*nF")


def test_run_writes_recording_and_picture(tmp_path):
    out, picture = tmp_path / "x.npz", tmp_path / "x.png"
    text = ok(
        "run",
        "IzhikevichLTC",
        "-n",
        "5",
        "-T",
        "100",
        "--set",
        "a=0.1",
        "--set",
        "V=-65",
        "--input",
        "section:values=0,22;durations=20,80",
        "--input",
        "wiener:n=5",
        "--record",
        "V,u",
        "--every",
        "2",
        "--out",
        str(out),
        "--plot",
        str(picture),
        "--seed",
        "3",
        "--threads",
        "2",
    )
    assert "5 neurons, 100 ms" in text and "spikes:" in text
    recording = iz.Recording.load(out)
    assert recording["V"].shape == (500, 5) and recording.info["parameters"]["a"] == 0.1
    assert picture.stat().st_size > 5000


@pytest.mark.parametrize(
    "specification",
    [
        "10",
        "I=10",
        "10*sin(t/20)",
        "I=5 + t/50",
        "constant:value=10",
        "ramp:c_start=0;c_end=20",
        "sinusoid:amplitude=20;frequency=10;bias=true",
        "square:amplitude=9;frequency=20",
        "spike_train:times=10,20;lengths=1;sizes=50",
        "wiener:t_start=10",
        "ornstein_uhlenbeck:mean=10;sigma=1;tau=5",
        "V_delta=0.1",
    ],
)
def test_every_input(specification):
    assert "spikes:" in ok("run", "RS", "-T", "50", "--backend", "numpy", "--dt", "0.5", "--input", specification)


def test_input_files_and_sums(tmp_path):
    np.savetxt(tmp_path / "i.csv", np.full(100, 10.0))
    np.save(tmp_path / "i.npy", np.full((100, 2), 10.0))
    common = ("run", "RS", "-n", "2", "-T", "50", "--dt", "0.5", "--backend", "numpy")
    assert (
        ok(*common, "--input", str(tmp_path / "i.csv")).splitlines()[-1]
        == ok(*common, "--input", f"I={tmp_path / 'i.npy'}").splitlines()[-1]
    )
    summed = ok(*common, "--input", "section:values=4;durations=50", "--input", "3", "--input", "3 + 0*t")
    assert summed.splitlines()[-1] == ok(*common, "--input", "10").splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "RSS"], 1, "no model 'RSS'"),
        (["run", "RS", "--input", "foo:x=1"], 2, "no stimulus 'foo'"),
        (["run", "RS", "--input", "J=1"], 1, "no input 'J'"),
        (["run", "RS", "--input", "sin("], 1, "not a valid expression"),
        (["run", "RS", "--set", "a"], 2, "NAME=NUMBER"),
        (["run", "RS", "--set", "a=x"], 2, "NAME=NUMBER"),
        (["run", "RS", "--set", "q=1"], 1, "has no 'q'"),
        (["run", "RS", "--set", "a=1*mX"], 1, "unknown unit 'mX'"),
        (["run", "izhikevich2007", "--set", "C=1*mV"], 1, "--set C is given in mV, and its unit is pF"),
        (["run", "RS", "--input", "section:values=1,2"], 2, "durations missing"),
        (["run", "RS", "--input", "section:values=x;durations=1"], 2, "not a number"),
        (["run", "RS", "--input", "ramp:start=1"], 2, "is not one of"),
        (["run", "RS", "-n", "0"], 2, "Invalid value"),
        (["run", "RS", "--record", "W"], 1, "not a state"),
        (["run", "RS", "--out", "x.txt"], 2, ".npz"),
        (["run", "RS", "--method", "rk5"], 1, "no method"),
        (["run", "RS", "--backend", "gpu"], 1, "no backend"),
        (["run", "RS", "-T", "0.25"], 1, "whole number of steps"),
        (["show", "absent.py:m"], 1, "no file"),
        (["nothing"], 2, "No such command"),
        (["run", "RS", "--plot", "/no/such/folder/x.png"], 1, "no folder /no/such/folder"),
        (["run", "RS", "--out", "/no/such/x.npz"], 1, "no folder"),
        (["run", "RS", "--plot", "x.foo"], 2, "must end in one of"),
        (["run", "RS", "--out", "/dev/null"], 1, "/dev/null cannot be written: it is a device"),
        (["run", "RS", "--out", "/"], 2, "must end in"),
        (["run", "RS", "--out", "."], 2, "must end in"),
        (["run", "RS", "--out", " "], 2, "must end in"),
        (["run", "RS", "--set", f"{'9' * 5000}=1"], 1, "has no"),
        (["run", "RS", "--every", "9" * 5000], 2, "..."),
        (["run", "RS", "--out", "/proc/x.npz"], 1, "/proc/x.npz cannot be written"),
        (["run", "RS", "--out", "/proc/x.zarr"], 1, "/proc/x.zarr cannot be written"),
        (["run", "RS", "--plot", "/proc/x.png"], 1, "/proc/x.png cannot be written"),
        (["bench", "RS", "--json", "/proc/x.json"], 1, "/proc/x.json cannot be written"),
        (["run", "RS", "--record", ""], 2, "--record is empty"),
        (["run", "RS", "--record", " , "], 2, "--record is empty"),
        (["run", "RS", "--neurons", ","], 2, "--neurons"),
        (["run", "RS", "--out", ""], 2, "--out"),
        (["run", "RS", "--plot", ""], 2, "--plot"),
        (["run", "RS", "--input", ""], 2, "--input is empty"),
        (["run", "RS", "--input", "I="], 2, "--input 'I=' is empty"),
        (["bench", "RS", "-n", "1", "--input", "nan"], 1, "input 'I' = nan is not finite"),
        (["bench", "RS", "-n", "1", "--input", "1e39"], 1, "input 'I' = 1e+39 is too large"),
        (["show", "RS", "--source", ""], 2, "--source is empty"),
        (["emit", "RS", "-o", "n" * 300], 1, "File name too long"),
        (["emit", "RS", "-o", "/dev/null"], 1, "/dev/null is a file; name a folder"),
        (["run", "RS", "--set", "size=4"], 1, "has no 'size'"),
        (["run", "RS", "-T", "nan"], 1, "not a duration"),
        (["run", "RS", "-T", "1e300"], 1, "more than"),
        (["run", "RS", "--input", "inf", "-T", "1"], 1, "neuron 0"),
        (["run", "RS", "-n", "100000000000000000"], 1, "more than"),
        (["run", "RS", "--input", "ramp:c_start=1,2;c_end=5"], 2, "takes one number"),
        (["run", "RS", "--input", "sinusoid:amplitude=1;frequency=1;bias=maybe"], 2, "neither"),
        (["run", "RS", "--input", "wiener:seed=-1"], 1, "seed=-1"),
        (["run", "RS", "--input", "spike_train:times=nan;lengths=1;sizes=1"], 1, "finite"),
        (["run", "RS", "--neurons", "x"], 2, "indices"),
        (["run", "RS", "--input", "absent.npy"], 1, "no file"),
    ],
)
def test_errors(capsys, monkeypatch, arguments, code, words):
    found, text = fails(capsys, monkeypatch, *arguments)
    assert found == code and words in text
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1 and len(text) < 1300


@pytest.mark.parametrize(
    ("command", "name", "kind"),
    [
        *((["run", "RS", "--out"], "x", kind) for kind in ("folder", "pipe", "loop")),
        *((["run", "RS", "--out"], "x.npz", kind) for kind in ("folder", "pipe", "loop")),
        *((["run", "RS", "--plot"], "x.png", kind) for kind in ("folder", "pipe", "loop")),
        *((["emit", "RS", "-o"], "x.c", kind) for kind in ("pipe", "loop")),
        *((["bench", "RS", "--json"], "x.json", kind) for kind in ("folder", "loop")),
    ],
)
def test_what_is_no_file_in_the_place_of_an_output(capsys, monkeypatch, tmp_path, command, name, kind):
    make = {"folder": os.mkdir, "pipe": os.mkfifo, "loop": lambda path: os.symlink(path, path)}
    make[kind](tmp_path / name)
    code, text = fails(capsys, monkeypatch, *command, str(tmp_path / name))
    assert code in (1, 2) and name in text and "cannot be written" in text and len(text.splitlines()) == 1
    assert ".part" not in text and [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_takes_no_file_is_found_before_the_simulation(capsys, monkeypatch, tmp_path):
    """As root may write everywhere, the folder is one of the system that takes none."""
    monkeypatch.setattr("izhigen.population.Population.run", lambda *a, **k: pytest.fail("something was simulated"))
    for option, path in (("--out", "/proc/x"), ("--out", "/proc/x.npz"), ("--plot", "/proc/x.png")):
        code, text = fails(capsys, monkeypatch, "run", "RS", option, path)
        assert code == 1 and f"{path}" in text and ".part" not in text


def test_names_that_a_terminal_would_obey_are_escaped(capsys, monkeypatch, tmp_path):
    name = "a\x1b[31m\u202eb"
    assert "a\\x1b[31m\\u202eb.npz" in ok("run", "RS", "-T", "1", "--out", str(tmp_path / name))
    code, text = fails(capsys, monkeypatch, "run", f"{name}.py:x")
    assert code == 1 and text.strip().isprintable()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("from izhigen import Model\nm = Model('m', 'dV/dt = -V'", "SyntaxError"),
        ("import no_such_module\nm = 1", "line 1: the file failed with ModuleNotFoundError"),
        ("x = 1\nm = 1/0", "line 2: the file failed with ZeroDivisionError"),
        ("import sys\nsys.exit(3)\nm = 1", "SystemExit"),
        ("m = 1", "declares no izhigen.Model"),
    ],
)
def test_bad_files_are_one_line(capsys, monkeypatch, tmp_path, source, words):
    (tmp_path / "bad.py").write_text(source)
    code, text = fails(capsys, monkeypatch, "show", f"{tmp_path}/bad.py:m")
    assert code == 1 and words in text and len(text.strip().splitlines()) == 1


def test_broken_input_files_are_one_line(capsys, monkeypatch, tmp_path):
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "text.npy", np.array(["a", "b"]))
    np.save(tmp_path / "complex.npy", np.zeros(10, complex))
    for name in ("empty.npy", "text.npy", "complex.npy"):
        code, text = fails(capsys, monkeypatch, "run", "RS", "-T", "1", "--input", str(tmp_path / name))
        assert code == 1 and len(text.strip().splitlines()) == 1 and "from_array" in text


def test_emit_projects_and_sources(tmp_path, capsys, monkeypatch):
    for target in project_targets():
        assert "README.md" in ok("emit", "RS", "--target", target, "-o", str(tmp_path / target), "--set", "d=6")
        assert "| `d` | mV/ms | 6 |" in (tmp_path / target / "README.md").read_text()
    for target in target_names():
        assert "RS" in ok("emit", "RS", "--target", target) and ok("show", "RS", "--source", target) == ok(
            "emit", "RS", "--target", target
        )
    assert "wrote" in ok("emit", "RS", "-o", str(tmp_path / "RS.c")) and "wrote" in ok(
        "emit", "FS", "-o", str(tmp_path / "RS.c")
    )
    (tmp_path / "mine.c").write_text("int mine;")
    for arguments, words in (
        (("-o", str(tmp_path / "mine.c")), "was not written by izhigen"),
        (("-o", str(tmp_path)), "holds no izhigen project"),
        (("--target", "fortran"), "target 'fortran' is not available"),
        (("--target", "c-embedded", "--dtype", "float64"), "float32 only"),
    ):
        code, text = fails(capsys, monkeypatch, "emit", "RS", *arguments)
        assert code == 1 and words in text and len(text.strip().splitlines()) == 1
    for arguments, words in (
        (("-o", ""), "--out is empty"),
        (("-o", str(tmp_path / "x.c"), "--target", "cuda"), "end in .cu, not in .c"),
    ):
        code, text = fails(capsys, monkeypatch, "emit", "RS", *arguments)
        assert code == 2 and words in text
    ok("emit", "RS", "-o", str(tmp_path / "mine.c"), "--force")
    assert (tmp_path / "mine.c").read_text().startswith("/*")


@pytest.mark.parametrize("target", ["c", "cuda", "hip"])
def test_a_source_has_the_jumps_counts_and_spikes_that_are_asked_for(tmp_path, capsys, monkeypatch, target):
    wanted = ("--delta", "V", "--poisson", "V_delta", "--spikes", "I", "--target", target)
    printed = ok("emit", "RS", *wanted)
    assert "RS_counts counts;" in printed and "RS_deliveries deliveries;" in printed and "RS_input V_delta;" in printed
    assert "input.V_delta.counts.mean" in printed and "input.I.deliveries.start" in printed
    assert "input.I.counts.mean" not in printed and "input.V_delta.deliveries.start" not in printed
    file = tmp_path / f"RS{find_target(target).suffix}"
    ok("emit", "RS", *wanted, "-o", str(file))
    assert file.read_text() == printed
    assert printed == iz.load("RS").source(target, deltas=("V",), poisson=("V_delta",), spikes=("I",))
    for option in ("--poisson", "--spikes"):
        code, text = fails(capsys, monkeypatch, "emit", "RS", "--target", target, option, "X")
        assert code == 1 and "'X' is not one of I" in text
        code, text = fails(capsys, monkeypatch, "emit", "RS", "--target", "c-embedded", option, "I")
        assert code == 1 and "draws no Poisson counts" in text and len(text.strip().splitlines()) == 1


def test_emit_with_the_way_back(tmp_path, capsys, monkeypatch):
    model = iz.load("RS")
    assert ok("emit", "RS", "--with", "adjoint") == model.source("c", gradients=True, surrogate="arctan")
    chosen = ("--gradient", "I", "--surrogate", "1/(1 + abs(x))**2", "--detach-spike", "reset", "--spike-scale", "0.1")
    how = {"surrogate": "1/(1 + abs(x))**2", "detach_spike": "reset", "spike_scale": 0.1}
    assert ok("emit", "RS", "--with", "adjoint", *chosen) == model.source("c", gradients=("I",), **how)
    ok("emit", "RS", "--with", "adjoint", *chosen, "-o", str(tmp_path / "RS.c"))
    assert (tmp_path / "RS.c").read_text() == model.source("c", gradients=("I",), **how)
    assert "selftest.c" in ok("emit", "RS", "--with", "adjoint", *chosen, "-o", str(tmp_path / "project"))
    written = tmp_path / "python"
    model.emit(written, gradients=("I",), **how)
    for file in ("RS.h", "RS.c", "selftest.c", "README.md", "manifest.json"):
        assert (written / file).read_text() == (tmp_path / "project" / file).read_text()
    (tmp_path / "leak.py").write_text('import izhigen as iz\nL = iz.Model("L", "dV/dt = I - V", inputs=["I"])\n')
    assert "L_pull_back" in ok("emit", f"{tmp_path}/leak.py:L", "--with", "adjoint")  # without events
    for arguments, code, words in (
        (("--with", "gradients"), 2, "'gradients' is not 'adjoint'"),
        (("--surrogate", "erf"), 2, "--surrogate is about gradients; add --with adjoint"),
        (("--gradient", "I"), 2, "--gradient is about gradients; add --with adjoint"),
        (("--detach-spike", "all"), 2, "--detach-spike is about gradients"),
        (("--spike-scale", "2"), 2, "--spike-scale is about gradients"),
        (("--with", "adjoint", "--detach-spike", "some"), 2, "'some' is not one of"),
        (("--with", "adjoint", "--gradient", "aa"), 1, "'aa' is no input"),
        (("--with", "adjoint", "--surrogate", "sigmoidal"), 1, "no surrogate 'sigmoidal'"),
        (("--with", "adjoint", "--surrogate", "y"), 1, "no surrogate 'y'"),
        (("--with", "adjoint", "--spike-scale", "-1"), 1, "spike_scale=-1.0 is not a number above 0"),
        (("--with", "adjoint", "--target", "c-embedded"), 1, "'c-embedded' does not go back through steps; take 'c'"),
        (("--with", "adjoint", "--target", "c-embedded", "-o", str(tmp_path / "x")), 1, "does not go back"),
    ):
        found, text = fails(capsys, monkeypatch, "emit", "RS", *arguments)
        assert found == code and words in text and len(text.strip().splitlines()) == 1


def test_a_name_with_a_dot_is_a_folder_and_only_its_own_files_are_listed(tmp_path):
    for folder in ("v1.0", "v2.0/", "v3.c/"):
        ok("emit", "RS", "-o", f"{tmp_path}/{folder}")
        assert (tmp_path / folder / "RS.c").is_file()
    (tmp_path / "v1.0" / "RS.o").write_text("")
    printed = ok("emit", "RS", "-o", f"{tmp_path}/v1.0", "--target", "c-embedded")
    assert "RS.o" not in printed and "board/startup.c" in printed and "manifest.json" in printed
    ok("emit", "RS", "-o", f"{tmp_path}/v1.0")
    assert not (tmp_path / "v1.0" / "board").exists() and (tmp_path / "v1.0" / "RS.o").exists()


def test_emit_and_cache(tmp_path, monkeypatch):
    assert "wrote" in ok("emit", "RS", "-o", str(tmp_path / "sources"), "--set", "a=0.05")
    assert "a = 0.05" in (tmp_path / "sources" / "RS.c").read_text()
    assert ok("emit", "RS").startswith("/*")
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path / "cache"))
    ok("run", "RS", "-T", "1")
    assert "1 kernels" in ok("cache")
    assert "removed" in ok("cache", "--clear") and "0 kernels" in ok("cache")


def test_a_users_own_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from izhigen import Model\nleak = Model('leak', 'dV/dt = -V/10 + I : mV', threshold='V > 5', reset='V = 0', inputs=['I'])\n"
    )
    assert "leak: 1 neuron," in ok("run", f"{path}:leak", "-T", "50", "--input", "2")


@pytest.mark.parametrize("threshold", ["threshold='V > 5', reset='V = 0', ", ""])
def test_events_of_a_users_own_model(threshold, tmp_path):
    """They are recorded where asked for, and by default where there are no spikes."""
    path, out = tmp_path / "mine.py", tmp_path / "r.npz"
    event = "events={'rise': Event('V > 2')}, inputs=['I']"
    path.write_text(
        f"from izhigen import Event, Model\nleak = Model('leak', 'dV/dt = -V/10 + I', {threshold}{event})\n"
    )
    options = ["run", f"{path}:leak", "-T", "20", "--backend", "numpy", "--input", "2", "--out", str(out)]
    text = ok(*options)
    assert ("events:" in text) == (not threshold) and ("spikes:    none" in text) == (not threshold)
    assert iz.Recording.load(out).names == (["spike"] if threshold else ["rise"])
    found = ok(*options, "--record", "V,rise")
    rises = len(iz.Recording.load(out).events["rise"][0])
    assert f"events:    {rises} of rise\n" in found and rises == (7 if threshold else 1)


def test_as_a_program():
    done = subprocess.run([sys.executable, "-m", "izhigen.cli", "list"], capture_output=True, text=True, check=True)
    assert "izhikevich2007" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "buffering"),
    [
        (["list"], ""),
        (["list"], "1"),
        (["--help"], ""),
        (["list", "--help"], "1"),
        (["show", "Izhikevich", "--source", "c"], ""),
        (["run", "RS", "-T", "5", "--backend", "numpy", "--out", "kept.npz", "--plot", "kept.png"], "1"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given[:2]),
)
def test_a_reader_that_has_gone_is_no_error(arguments, buffering, tmp_path):
    """As in ``izhigen list | head -1``; what a run was to write is written all the same."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "izhigen.cli", *arguments],
            stdout=write,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": buffering},
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {path.name for path in tmp_path.iterdir()} == {name for name in arguments if name.startswith("kept")}


def test_record_all_and_plot(tmp_path):

    options = ["run", "RS", "-T", "20", "--backend", "numpy", "--input", "10", "--record", "all"]
    files = [str(tmp_path / name) for name in ("r.npz", "r.png")]
    done = CliRunner().invoke(cli, [*options, "--out", files[0], "--plot", files[1]])
    assert done.exit_code == 0, done.output
    assert iz.Recording.load(files[0]).names == ["V", "u", "I", "spike"] and (tmp_path / "r.png").stat().st_size > 5000


def test_without_a_command_it_helps(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["izhigen"])
    assert main() is None
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "bench"])
@pytest.mark.parametrize("dt", ["nan", "inf", "-inf", "0", "-1", "x", ""])
def test_what_is_no_step(capsys, monkeypatch, command, dt):
    code, text = fails(capsys, monkeypatch, command, "RS", "--dt", dt)
    assert code == 2 and "--dt" in text and len(text.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "a\0b.py:m"],
        ["run", "RS", "--out", "a\0b.npz"],
        ["run", "RS", "--plot", "a\0b.png"],
        ["emit", "RS", "-o", "a\0b"],
        ["run", "RS", "--input", "a\0b.npy"],
        ["bench", "RS", "--json", "a\0b"],
    ],
)
def test_a_nul_in_a_path_is_one_line(capsys, monkeypatch, arguments):
    code, text = fails(capsys, monkeypatch, *arguments)
    assert code == 2 and "NUL" in text and len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("folder", ["~nouser/x", "/dev/null", "/dev/null/x", "x" * 300, "x\udcff"])
def test_cache_folders_that_are_none(capsys, monkeypatch, tmp_path, folder):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", folder)
    code, text = fails(capsys, monkeypatch, "run", "RS", "-T", "1")
    assert code == 1 and "IZHIGEN_CACHE_DIR" in text and len(text.strip().splitlines()) == 1


def test_the_cache_shows_its_limit(monkeypatch, tmp_path):
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path / "cache"))
    assert "0 kernels" in ok("cache") and "limit 1000 MB" in ok("cache")
    monkeypatch.setenv("IZHIGEN_CACHE_SIZE", "50MB")
    ok("run", "RS", "-T", "1")
    assert "1 kernels" in ok("cache") and "limit 50 MB" in ok("cache")


def test_a_path_that_is_no_text_is_shown(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "izhigen.cli", "emit", "RS", "-o", bytes(tmp_path / "x") + b"\xff"],
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1
