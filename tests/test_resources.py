"""What is found by what a file defines."""

import sys

from izhigen.backends import backend_names
from izhigen.codegen.targets import target_names
from izhigen.resources import modules_with


def test_backends_and_targets_are_found():
    assert backend_names() == ["c", "cuda", "numpy"]
    assert target_names() == ["c", "c-embedded", "cuda", "hip"]


def test_files_that_are_no_modules_of_ours_are_left_alone(tmp_path, monkeypatch):
    folder = tmp_path / "some_package_of_tests"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text("def create(): ...\n")
    (folder / "two.py").write_text("VALUE: int = 1\ncreate = None\n")
    (folder / "helper.py").write_text("from one import create\n# def create\n    create = 1\n")
    (folder / "one (copy).py").write_text("def create(): ...\n")
    (folder / "._one.py").write_bytes(b"\x00\xff")
    (folder / ".#one.py").symlink_to("nowhere")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert modules_with("create", folder.name, str(folder)) == ("one", "two")
    assert modules_with("VALUE", folder.name, str(folder)) == ("two",)
    assert f"{folder.name}.one" not in sys.modules
