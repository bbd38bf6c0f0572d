"""A cluster of two processes for the tests of a module."""

import pytest

from tests.cluster.clusters import start_processes


@pytest.fixture(scope="module")
def processes():
    """A client of two workers, each a process, that are started again when they die. It ends with the module: what a
    cluster does while nothing is asked of it slows all other tests.
    """
    client = start_processes()
    yield client
    cluster = client.cluster
    client.close()
    cluster.close()


@pytest.fixture
def many(few, monkeypatch):
    """Few neurons in many shards, and short runs in many stretches."""
    from izhigen.cluster import runs

    monkeypatch.setattr(runs, "FIRST_WORK", 3e3)
    monkeypatch.setattr(runs, "SECONDS", 1e9)
    monkeypatch.setattr(runs, "MOST_GROWTH", 3.0)


@pytest.fixture
def few(monkeypatch):
    """Few neurons in many shards; every run in one stretch."""
    from izhigen.cluster import population

    monkeypatch.setattr(population, "LEAST_NEURONS", 7)
    monkeypatch.setattr(population, "SHARDS_A_THREAD", 2)
