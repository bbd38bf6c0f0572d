"""Fixtures of the tests of backends."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel cache of one test, not there yet."""
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"
