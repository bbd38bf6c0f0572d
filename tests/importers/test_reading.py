"""Which file and which model a name means, whatever it is called."""

from __future__ import annotations

import os
import warnings

import pytest
from click.testing import CliRunner

import izhigen as iz
from izhigen import importers
from izhigen.cli import cli
from izhigen.errors import ModelError, ModelNotFoundError
from izhigen.importers import reading

CELL = """<Lems><ComponentType name="neuron"><Dynamics><StateVariable name="v" dimension="none"/></Dynamics></ComponentType>
<neuron id="cell"/></Lems>"""


@pytest.mark.parametrize(
    ("name", "file", "model"),
    [
        ("cell.nml", "cell.nml", ""),
        ("cell.nml:id", "cell.nml", "id"),
        ("C:\\cells\\cell.nml:id", "C:\\cells\\cell.nml", "id"),
        ("C:/cells/LEMS_x.xml", "C:/cells/LEMS_x.xml", ""),
        ("a:b.nestml:c:d", "a:b.nestml", "c:d"),
        ("CELL.NML:id", "CELL.NML", "id"),
    ],
)
def test_a_name_is_a_file_and_a_model(name, file, model):
    assert importers.split(name) == (file, model)


@pytest.mark.parametrize("name", ["Lif", "models.py:x", "C:\\models.py:x", ".nml", "x.nmlx", "nml:x", ""])
def test_other_names_are_none_of_a_format(name):
    assert importers.split(name) is None


def test_formats_are_loaded_where_a_name_may_be_one_of_theirs(monkeypatch):
    asked = []
    monkeypatch.setattr(reading, "suffixes", lambda: asked.append(1) or (".nml",))
    assert [importers.split(name) for name in ("Lif", "a.py", "a/b.py:NAME", "C:\\b.py:NAME")] == 4 * [None]
    assert not asked and importers.split("a.nml:b") == ("a.nml", "b") and asked


@pytest.mark.skipif(os.name == "nt", reason="a file's name has no colon there")
@pytest.mark.parametrize(
    "name", ["a b.nml", "C:\\cell.nml", "a:b.nml", "zelle_\N{LATIN SMALL LETTER E WITH ACUTE}.nml", "X.NML"]
)
def test_files_of_any_name_are_loaded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / name).write_text(CELL)
    assert iz.load(name).name == iz.load(f"{name}:cell").name == iz.load(f"~/{name}:cell").name == "cell"
    with pytest.raises(ModelNotFoundError, match="no component 'cel'; did you mean 'cell'"):
        iz.load(f"{name}:cel")


@pytest.mark.skipif(os.name == "nt", reason="a file's name has no colon there")
@pytest.mark.parametrize("name", ["C:\\own.py", "a:b.py", "own.py"])
def test_python_files_of_any_name_are_loaded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("import izhigen as iz\nM = iz.Model('M', 'dV/dt = -V/10')\n")
    assert iz.load(name).name == iz.load(f"{name}:M").name == "M"


@pytest.mark.parametrize("suffix", [".nml", ".xml", ".nestml", ".nir"])
@pytest.mark.parametrize("name", ["a\0b", "a\ud800", "x" * 5000, "absent", "~nobody_of_this_name/x"])
def test_files_that_cannot_be_there_are_not_found(name, suffix, tmp_path, monkeypatch):
    if suffix == ".nir":
        pytest.importorskip("nir")
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"folder{suffix}").mkdir()
    for given in (f"{name}{suffix}", f"{name}{suffix}:id", f"folder{suffix}"):
        with pytest.raises(ModelNotFoundError, match="no file"):
            iz.load(given)


def test_other_suffixes_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"x.txt: files with this suffix are not read \(suffixes: .*\.nml"):
        importers.read(tmp_path / "x.txt", "", iz.Model)


DRIVEN = """<Lems>
    <iafCell id="iaf" C="0.2nF" leakConductance="10nS" leakReversal="-65mV" thresh="-50mV" reset="-70mV"/>
    <pulseGenerator id="pulse" delay="10ms" duration="80ms" amplitude="0.3nA"/>
    <network id="net"><population id="pop" component="iaf" size="1"/><explicitInput target="pop[0]" input="pulse"/></network>
    <Target component="sim"/><Simulation id="sim" length="100ms" step="0.05ms" target="net"/>
</Lems>"""


def test_a_file_is_run_as_it_says_where_no_option_says_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.xml").write_text(DRIVEN)
    found = iz.read("run.xml:pop")
    assert (found.dt, found.duration) == (0.05, 100.0)
    count = found.model.population(1, dt=0.05).run(100.0, **found.inputs).counts[0]
    told = CliRunner().invoke(cli, ["run", "run.xml:pop"]).output
    assert "as in the file: dt = 0.05; duration = 100.0; iSyn = where(t >= 10 and t < 90, 300, 0)\n" in told
    assert "in 2000 steps of 0.05 ms" in told and f"counts:    {count}\n" in told and count > 2
    told = CliRunner().invoke(cli, ["run", "run.xml:pop", "--dt", "0.1", "-T", "50", "--input", "0"]).output
    assert "as in the file" not in told and "in 500 steps of 0.1 ms" in told and "counts:    0\n" in told
    assert f"read as:\n{found.report[0]}" in CliRunner().invoke(cli, ["show", "run.xml:pop"]).output


NEURON = """model lif:
    state:
        V_m mV = -70 mV
    equations:
        V_m' = -(V_m + 65.) / tau_m
    parameters:
        tau_m ms = 10 ms
    update:
        integrate_odes()
"""


def test_what_contradicts_itself_is_a_warning(tmp_path, monkeypatch):
    pytest.importorskip("lark", reason="NESTML's files are read by lark")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lif.nestml").write_text(NEURON)
    with pytest.warns(UserWarning, match=r"line 5: .* is taken as that") as told:
        iz.load("lif.nestml")
    assert told[0].filename == __file__ and (str(told[0].message),) == iz.read("lif.nestml").doubts
    assert "doubtful: line 5" in CliRunner().invoke(cli, ["run", "lif.nestml"]).stderr
    (tmp_path / "lif.nestml").write_text(NEURON.replace("65.", "65. mV"))
    with warnings.catch_warnings(action="error"):
        iz.load("lif.nestml")
    assert iz.read("lif.nestml").doubts == ()


def test_models_of_the_library_are_read_without_decisions():
    assert iz.read("Lif") == iz.Imported(iz.load("Lif"))
