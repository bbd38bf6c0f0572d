"""Fixtures of the tests of backends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import izhigen as iz


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel cache of one test, not there yet."""
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def _filled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kernel cache in which RS was built."""
    kept = tmp_path_factory.mktemp("filled") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IZHIGEN_CACHE_DIR", str(kept))
        iz.load("RS").population(1)
    return kept


@pytest.fixture
def filled(folder: Path, _filled_once: Path) -> Path:
    """The kernel cache of one test, in which RS was built."""
    shutil.copytree(_filled_once, folder)
    return folder
