"""Clusters to test on."""

import pytest


def start_processes(workers=2):
    """A client of so many workers with one thread each."""
    distributed = pytest.importorskip("distributed")
    pytest.importorskip("dask.array")
    options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    return distributed.Client(distributed.LocalCluster(**options), set_as_default=True)
