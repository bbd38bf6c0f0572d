"""Benchmarks: what they measure is the same thing, what they print and save; never how fast it is."""

import importlib
import importlib.util
import json
import re
import shutil
import sys
from importlib.metadata import version

import numpy as np
import pytest
from click.testing import CliRunner

import izhigen as iz
from izhigen.bench import model as bench
from izhigen.bench.limits import Limits, PeakCandidate
from izhigen.bench.scalar import ScalarLoop, render_scalar
from izhigen.bench.timing import Rates, in_turn, machine, machine_line
from izhigen.cli import cli, main
from izhigen.errors import BackendError
from tests.conftest import ROOT
from tests.end_to_end.test_events import MANY

pytestmark = pytest.mark.skipif(not any(shutil.which(c) for c in ("cc", "gcc", "clang")), reason="needs a C compiler")

OWN = """
from izhigen import Model
hh = Model(name="Gates", equations=\"\"\"
    dV/dt = (I - 120*m**3*h*(V - 50) - 36*n**4*(V + 77) - 0.3*(V + 54.4))/C : mV
    dm/dt = 0.1*(V + 40)/(1 - exp(-(V + 40)/10))*(1 - m) - 4*exp(-(V + 65)/18)*m : 1
    dh/dt = 0.07*exp(-(V + 65)/20)*(1 - h) - h/(1 + exp(-(V + 35)/10)) : 1
    dn/dt = 0.01*(V + 55)/(1 - exp(-(V + 55)/10))*(1 - n) - 0.125*exp(-(V + 65)/80)*n : 1
    \"\"\", parameters={"C": 1.0}, inputs=["I"], initial={"V": -65.0, "m": 0.05, "h": 0.6, "n": 0.32})
"""


def quick(*arguments):
    result = CliRunner().invoke(cli, ["bench", *arguments, "--quick"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_library_model(tmp_path):
    file = tmp_path / "figures.json"
    text = quick("RS", "-n", "100,700", "--input", "10", "--json", str(file))
    assert (
        "same step as the scalar loop" in text
        and "operations" in text
        and "peak" in text
        and f"izhigen {iz.__version__}" in text
    )
    data = json.loads(file.read_text())
    assert data["model"] == "RS" and data["inputs"] == {"I": "10.0"} and data["machine"]["compiler"]
    assert [k["dtype"] for k in data["kernels"]] == ["float32", "float64"]
    assert all(abs(k["spikes"] - k["scalar_spikes"]) <= 0.01 * k["spikes"] and k["spikes"] > 0 for k in data["kernels"])
    for dtype in ("float32", "float64"):
        for n in (100, 700):
            rows = {r["what"]: r for r in data["rows"] if r["dtype"] == dtype and r["neurons"] == n}
            assert {"scalar loop", "1 core", "1 core, spikes recorded", "1 core, one step a call from Python"} <= set(
                rows
            )
            assert rows["scalar loop"]["ratio_to_scalar"] == 1 and all(
                min(r["values"]) <= r["rate"] <= max(r["values"]) for r in rows.values()
            )
            assert rows["1 core"]["share_of_peak"] > 0


def test_a_file_of_ones_own(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    text = quick(
        f"{tmp_path / 'own.py'}:hh",
        "-n",
        "300",
        "--dtype",
        "float32",
        "--dt",
        "0.02",
        "--input",
        "10",
        "--set",
        "C=1.1",
        "--method",
        "rk4",
    )
    assert (
        "Gates, rk4, float32" in text
        and "spikes recorded" not in text
        and "scalar loop" in text
        and "float64" not in text
    )


@pytest.mark.parametrize(
    ("name", "kind", "dtype"),
    [
        ("IzhikevichRefLTC", "plain", "float32"),
        ("IzhikevichRefLTC", "noisy", "float64"),
        ("CH", "plain", "float64"),
        ("CH", "noisy", "float32"),
        ("izhikevich2007", "plain", "float32"),
        ("izhikevich2007", "noisy", "float64"),
    ],
)
def test_the_scalar_loop_computes_the_same(name, kind, dtype):
    current = "300 + 5*t" if name == "izhikevich2007" else "10 + sin(t/20)"
    model = iz.load(name)
    model = model.with_noise(**{model.states[0]: 0.5}) if kind == "noisy" else model
    same = bench.check_same(bench.Subject(model, {"I": current}, {}), dtype)
    assert same.spikes > 100


def test_the_scalar_loop_has_events_and_the_time_since_the_last_spike(dtype):
    same = bench.check_same(bench.Subject(MANY, {"I": "2 + sin(t/20)"}, {}), dtype)
    assert same.spikes > 100


def test_a_wrong_scalar_loop_is_noticed(monkeypatch):
    class Wrong(ScalarLoop):
        def run(self, steps):
            super().run(steps)
            self.state["V"] += np.float32(0.5)

    subject = bench.Subject(iz.load("RS"), {"I": 10.0}, {})
    with pytest.raises(BackendError, match="do not compute the same thing"):
        bench.check_same(subject, "float32", Wrong)
    monkeypatch.setattr(ScalarLoop, "run", lambda self, steps: setattr(self, "spikes", 7))
    with pytest.raises(BackendError, match="7 and"):
        bench.check_same(subject, "float32")


def test_what_has_no_scalar_loop_is_said():
    pop = iz.load("RS").population(3, a=np.full(3, 0.02))
    with pytest.raises(BackendError, match="one value for each parameter"):
        render_scalar(pop.kernel, 0.1, dict(pop.parameters))


def test_limits_and_rates():
    limits = Limits("float32")
    assert limits.peak(0.002, 1).rate > 1e6 and limits.bandwidth(1 << 16, 2, 0.002, 1) > 1e6
    rates = in_turn({"a": PeakCandidate(limits, 10, 20), "b": PeakCandidate(limits, 10, 20)}, 0.001, 3)
    assert len(rates["a"].values) == 3
    assert Rates((2.0, 6.0, 4.0), 1).ratio(Rates((1.0, 2.0, 4.0), 1)) == 2.0
    assert machine("click")["click"] == version("click") and machine()["compiler"] in machine_line(machine())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["RSS"], 1, "no model 'RSS'"),
        (["RS", "-n", "x"], 2, "numbers of neurons"),
        (["RS", "-n", "0"], 2, "numbers of neurons"),
        (["RS", "--set", "q=1"], 1, "has no 'q'"),
        (["RS", "--json", "/no/such/x.json"], 1, "no folder"),
        (["RS", "--method", "rk5"], 1, "no method"),
        (["RS", "--input", "J=1"], 1, "no input 'J'"),
    ],
)
def test_errors(capsys, monkeypatch, arguments, code, words):
    monkeypatch.setattr(sys, "argv", ["izhigen", "bench", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    error = capsys.readouterr().err
    assert caught.value.code == code and words in error and error.count("\n") == 1


def test_the_documents_show_the_saved_figures(monkeypatch):
    if not (ROOT / "benchmarks" / "results" / "peers.json").is_file():
        pytest.skip("no saved figures here")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    report = importlib.import_module("report")
    pages = "\n".join(page.read_text() for page in report.PAGES)
    for name, content in report.tables().items():
        assert f"<!-- {name}:begin -->\n{content}\n<!-- {name}:end -->" in pages, (
            f"table {name}: run benchmarks/report.py"
        )


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("steps", 4),
        ("poisson", 5),
        ("events", 12),
        ("sweeps", None),
        ("precision", None),
        ("fits", 1),
        ("networks", None),
    ],
)
def test_a_script_measures_every_candidate(tmp_path, monkeypatch, script, names):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "argv", [f"{script}.py", "--quick", "--save", str(tmp_path / "figures.json")])
    spec = importlib.util.spec_from_file_location(f"bench_{script}", ROOT / "benchmarks" / f"{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main()
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    found = {row["what"] for row in rows}
    least = {
        "precision": {"izhigen, exp_euler, step", "izhigen, rk4, located"},
        "sweeps": {"izhigen, 1 core"},
        "networks": {"izhigen, 1 core"},
    }
    assert len(found) == names if names else least[script] <= found
    assert all(row["rate"] > 0 for row in rows)


def test_make_bench_measures_what_the_pages_show():
    report = (ROOT / "benchmarks" / "report.py").read_text()
    shown = set(re.findall(r'load\("(\w+)"\)', report)) | set(re.findall(r"load\('(\w+)'\)", report))
    measured = set(re.findall(r"benchmarks/(\w+)\.py --save", (ROOT / "Makefile").read_text()))
    assert shown == measured and len(shown) == 13


def test_the_device_benchmark_measures_every_setting(tmp_path, monkeypatch, device):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(sys, "argv", ["device.py", "--quick", "--save", str(tmp_path / "device.json")])
    if device is not None:
        monkeypatch.setattr("izhigen.bench.timing.MOST_STEPS", 64)
    importlib.import_module("device").main()
    data = json.loads((tmp_path / "device.json").read_text())
    assert len({row["what"] for row in data["rows"]}) == 9 and all(
        row["rate"] > 0 and row["share_of_copy"] > 0 for row in data["rows"]
    )
    assert {"device", "driver", "cupy", "date"} <= set(data["machine"])
