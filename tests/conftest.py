"""Fixtures that every layer's tests share."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest

from izhigen.backends.device import load_cupy
from tests.cuda.cupy_on_host import Machine, install
from tests.helpers import ALL, real_device

matplotlib.use("Agg")

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens", action="store_true", help="write the golden sources anew instead of comparing with them"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test marked ``sample(n)``, n cases, drawn once by their names; the others are counted as deselected.

    All are taken with ``$IZHIGEN_ALL_TESTS``, and where a test is named on the command line.
    """
    if ALL or any("::" in argument for argument in config.args):
        return
    drawn: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sample"):
            drawn.setdefault(item.nodeid.split("[")[0], []).append(item)
    left: set[pytest.Item] = set()
    for cases in drawn.values():
        mark = cases[0].get_closest_marker("sample")
        assert mark is not None
        cases.sort(key=lambda item: hashlib.sha256(item.nodeid.encode()).digest())
        left.update(cases[mark.args[0] :])
    if left:
        config.hook.pytest_deselected(items=[item for item in items if item in left])
        items[:] = [item for item in items if item not in left]


def pytest_configure() -> None:
    """Signals do what they do by default, also where the tests run in the background of a shell that ignores them."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests build goes to folders of the session, and its workers find what another has built."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IZHIGEN_CACHE_DIR", str(folder / "kernels"))
        patch.setenv("IZHIGEN_TEST_BUILDS", str(folder / "on-host"))
        yield


@pytest.fixture(params=["c", "numpy", "cuda"])
def backend(request: pytest.FixtureRequest) -> str:
    """Every behaviour is tested on every backend."""
    if request.param == "cuda":
        request.getfixturevalue("device")
    return str(request.param)


@pytest.fixture(scope="session", autouse=True)
def _without_pool() -> None:
    """For compute-sanitizer, from which CuPy's pool hides where one array ends and the next begins."""
    if os.environ.get("IZHIGEN_TEST_WITHOUT_POOL") and real_device():
        import cupy

        cupy.cuda.set_allocator(None)
        cupy.cuda.set_pinned_memory_allocator(None)


@pytest.fixture
def device(request: pytest.FixtureRequest) -> Iterator[Machine | None]:
    """A CUDA device: the machine's own, or where it has none a double that runs the same source on the host (given to the test)."""
    yield None if real_device() else request.getfixturevalue("double")


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """The double of a CUDA device, whatever the machine has."""
    load_cupy.cache_clear()
    yield install(monkeypatch)
    load_cupy.cache_clear()


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return str(request.param)
