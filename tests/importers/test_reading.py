"""Which file and which model a name means, whatever it is called."""

from __future__ import annotations

import os

import pytest

import izhigen as iz
from izhigen import importers
from izhigen.errors import ModelError, ModelNotFoundError

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
