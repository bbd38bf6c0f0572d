"""Fixtures that every layer's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the golden sources anew instead of comparing with them")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kernels built by the tests go to a folder of their own."""
    previous = os.environ.get("IZHIGEN_CACHE_DIR")
    os.environ["IZHIGEN_CACHE_DIR"] = str(tmp_path_factory.mktemp("kernels"))
    yield
    if previous is None:
        os.environ.pop("IZHIGEN_CACHE_DIR")
    else:
        os.environ["IZHIGEN_CACHE_DIR"] = previous


@pytest.fixture(params=["c", "numpy"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every behaviour is tested on every backend."""
    return str(request.param)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)
