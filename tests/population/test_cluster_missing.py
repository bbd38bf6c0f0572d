"""What is told where Dask is not installed."""

import sys

import pytest

import izhigen as iz
from izhigen.errors import ClusterError

RS = iz.load("RS")


def test_the_extra_is_named(monkeypatch, tmp_path):
    RS.population(2).checkpoint(tmp_path / "p")
    monkeypatch.setitem(sys.modules, "distributed", None)
    for asked in (
        lambda: RS.population(5, cluster=True),
        lambda: iz.restore(tmp_path / "p", cluster=True),
        lambda: iz.sweep(RS, {"a": [0.02, 0.1]}, 5.0, cluster=True),
    ):
        with pytest.raises(ClusterError, match=r"needs dask.distributed .*pip install 'izhigen\[dask\]'"):
            asked()
    assert RS.population(5, cluster=False).t == RS.population(5, cluster=None).t == 0.0
