"""Workers that die, lack something, or cannot be reached; interrupts; and cluster=True."""

import contextlib
import copy
import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import izhigen as iz
from izhigen.cluster import connection, runs
from izhigen.codegen.request import KernelRequest
from izhigen.errors import ClusterError, RecordingError, ValueShapeError
from izhigen.sweeps.store import InStore
from tests.cluster.clusters import start_processes
from tests.cluster.test_population import ALL, NOISY, assert_recorded, assert_same, draw, pair
from tests.conftest import ROOT

distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")
RS = iz.load("RS")
N = 20_000


@pytest.fixture
def slow(monkeypatch):
    """Runs of some seconds, in many stretches."""
    from izhigen.cluster import population, runs

    monkeypatch.setattr(population, "LEAST_NEURONS", 1000)
    monkeypatch.setattr(population, "SHARDS_A_THREAD", 2)
    monkeypatch.setattr(runs, "FIRST_WORK", 4e5)
    monkeypatch.setattr(runs, "SECONDS", 1e9)
    monkeypatch.setattr(runs, "MOST_GROWTH", 1.0)


@pytest.fixture
def own():
    """A cluster that only this test uses."""
    client = start_processes()
    yield client
    cluster = client.cluster
    client.close()
    cluster.close()


def pids(client):
    return list(client.run(os.getpid).values())


def tasks(client):
    """Keys of what the scheduler knows."""
    return client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks])


@pytest.mark.parametrize("where", ["memory", "store"])
def test_a_worker_that_dies_in_a_run_loses_nothing(own, slow, where, tmp_path, monkeypatch):
    """One after the third of twelve stretches, the other after the seventh, in the middle of the next."""
    one, other = pair(own, NOISY, N, a=draw, seed=3)
    for pop in (one, other):
        pop.run(5.0, I=10.0)
    other.checkpoint(tmp_path / "point")
    for pop in (one, other):
        pop.run(5.0, I=12.0)
    out = {} if where == "memory" else {"out": tmp_path / "run.zarr"}
    expected = one.run(48.0, I=10.0, record=ALL, every=100)
    killed, advance, victims = [], runs.Runner._advance, pids(own)

    def advancing(self, steps, order):
        made = advance(self, steps, order)
        if len(killed) < 2 and self.done >= (120, 280)[len(killed)]:
            killed.append(victims.pop())
            os.kill(killed[-1], signal.SIGKILL)
        return made

    monkeypatch.setattr(runs.Runner, "_advance", advancing)
    found = other.run(48.0, I=10.0, record=ALL, every=100, **out)
    assert len(killed) == 2
    assert_recorded(expected, found)
    assert_same(one, other)
    if where == "store":
        assert_recorded(expected, iz.Recording.load(tmp_path / "run.zarr"))


def test_all_are_made_again_from_the_last_checkpoint_alone(own, slow, tmp_path, monkeypatch):
    """The way back ends there: shards do not hang on what was before."""
    one, other = pair(own, NOISY, N, a=draw)
    for pop in (one, other):
        pop.run(2.0, I=10.0)
    other.checkpoint(tmp_path / "a")
    for _ in range(3):
        for pop in (one, other):
            pop.run(2.0, I=10.0)
        other.checkpoint(tmp_path / "a")
    deadline = time.monotonic() + 10.0
    while len(tasks(own)) > other.shards and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(tasks(own)) == other.shards and all("_read_shard" in key for key in tasks(own))
    for pid in pids(own):
        os.kill(pid, signal.SIGKILL)
    assert_same(one, other)
    again = iz.restore(tmp_path / "a", cluster=own)
    assert_same(one, again)
    alone = iz.restore(tmp_path / "a")
    runs = [pop.run(3.0, I=11.0, record=ALL) for pop in (one, again, alone)]
    assert_recorded(runs[0], runs[1])
    assert_recorded(runs[0], runs[2])
    for pop in (one, again):
        pop.reset()
    assert_same(one, again)


def test_what_was_made_from_the_checkpoint_before_is_made_again_too(own, few, tmp_path):
    pop = NOISY.population(60, cluster=own)
    pop.checkpoint(tmp_path / "p")
    found, values, twin = pop.run(5.0, I=10.0, record=["V"]), pop.V, copy.copy(pop)
    pop.run(1.0, I=10.0)
    pop.checkpoint(tmp_path / "p")
    expected = np.asarray(values).copy(), np.asarray(found["V"]).copy()
    for pid in pids(own):
        os.kill(pid, signal.SIGKILL)
    np.testing.assert_array_equal(np.asarray(values), expected[0])
    np.testing.assert_array_equal(np.asarray(found["V"]), expected[1])
    twin.run(1.0, I=10.0)
    assert_same(pop, twin)


def test_batches_that_share_what_is_drawn(processes, few, tmp_path):
    one = RS.population(15, batch=4, V=iz.distributions.normal(-65.0, 2.0), a=iz.distributions.uniform(0.02, 0.1))
    one.checkpoint(tmp_path / "p")
    other = iz.restore(tmp_path / "p", cluster=processes)
    for pop in (one, other):
        pop.reset()
    assert_same(one, other)


def test_a_checkpoint_of_one_machine_goes_on_on_a_cluster(processes, few, tmp_path):
    one = NOISY.population((3, 40), batch=2, a=draw, b=iz.distributions.uniform(0.2, 0.25), V=np.full((3, 40), -60.0))
    one.run(4.0, I=10.0)
    one.checkpoint(tmp_path / "p")
    other = iz.restore(tmp_path / "p", cluster=processes, threads=1)
    assert other.shards > 2
    assert_same(one, other)
    for pop in (one, other):
        pop.reset()
    assert_same(one, other)
    other.checkpoint(tmp_path / "p")
    assert_same(one, iz.restore(tmp_path / "p"))


# -- what lacks -----------------------------------------------------------------------------------------------------


def test_workers_without_izhigen_are_named(processes, monkeypatch):
    monkeypatch.setattr(connection, "VERSION", "__import__('izhigen_is_not_there')")
    with pytest.raises(
        ClusterError, match=r"worker tcp://127.0.0.1:\d+ cannot import izhigen \(No module named .*install izhigen"
    ):
        RS.population(5, cluster=processes)
    monkeypatch.setattr(connection, "VERSION", "'0.0.7'")
    with pytest.raises(ClusterError, match=r"worker tcp://127.0.0.1:\d+ has izhigen 0.0.7, this process"):
        iz.sweep(RS, {"a": [0.02, 0.1]}, 5.0, cluster=processes)


def another_version(version):
    connection.__version__ = version


def test_workers_that_join_later_are_asked_too(processes, few, monkeypatch):
    pop = RS.population(20, cluster=processes)
    try:
        processes.run(another_version, "0.0.7")
        with pytest.raises(ClusterError, match=r"worker tcp://127.0.0.1:\d+ has izhigen 0.0.7, the client"):
            pop.run(2.0)
    finally:
        processes.run(another_version, iz.__version__)
    pop.run(2.0)
    assert pop.t == 2.0
    monkeypatch.setattr(connection, "VERSION", "__import__('izhigen_is_not_there')")
    with pytest.raises(ClusterError, match=r"worker tcp://127.0.0.1:\d+ cannot import izhigen"):
        raise pop._connection.told(ModuleNotFoundError("No module named 'izhigen'"))


def test_workers_without_a_compiler_are_named(own):
    own.run(take_compiler_away)
    model = RS.variant("NeverBuiltBefore", description="nor cached")
    with pytest.raises(ClusterError, match=r"worker tcp://127.0.0.1:\d+: .*/no/such/compiler"):
        model.population(5, cluster=own)
    with pytest.raises(ClusterError, match=r"worker tcp://127.0.0.1:\d+: .*/no/such/compiler"):
        iz.sweep(model, {"a": [0.02, 0.1]}, 5.0, cluster=own)
    assert model.population(5, cluster=own, backend="numpy").t == 0.0


def test_a_kernel_is_built_once_a_machine(processes):
    """Two workers ask for it at the same time: one builds it, the other finds it."""
    request = KernelRequest(
        RS.variant("BuiltHere", description=f"by one of two workers, {time.time_ns()}"), "exp_euler", "float32"
    )
    found = sorted(text.split(":")[0] for text in processes.run(described, request).values())
    assert found == ["built", "found in the cache"]


def described(request):
    """How a worker comes by a kernel."""
    from izhigen.backends import create_engine, open_space

    return create_engine("c", request, open_space("c", None, None)).description


def take_compiler_away():
    """On a worker."""
    os.environ["CC"] = "/no/such/compiler"


def test_a_folder_that_workers_do_not_see_is_told(processes, tmp_path, monkeypatch, few):
    from izhigen.cluster import checkpoints, stores

    pop = RS.population(40, cluster=processes)
    pop.checkpoint(tmp_path / "p")
    monkeypatch.setattr(checkpoints, "_write_shard", unseen_checkpoint)
    with pytest.raises(
        ClusterError, match=r"worker tcp.* does not see .*name a folder that the client and all workers"
    ):
        pop.checkpoint(tmp_path / "p")
    assert iz.restore(tmp_path / "p").t == 0.0
    monkeypatch.setattr(stores, "write_block", unseen_block)
    with pytest.raises(ClusterError, match=r"worker tcp.* does not see .*name a store in a folder"):
        pop.run(2.0, I=10.0, record=["V"], out=tmp_path / "run.zarr")
    assert pop.t == 0.0
    with pytest.raises(RecordingError, match="exists already"):
        pop.run(2.0, out=tmp_path / "run.zarr")


def unseen_checkpoint(shard, path, *rest):
    """What a worker does that has no such folder."""
    from izhigen.cluster.checkpoints import _write_shard

    return _write_shard(shard, path + "-of-another-machine", *rest)


def unseen_block(path, *rest):
    """The same of a store."""
    from izhigen.cluster.stores import write_block

    return write_block(path + "-of-another-machine", *rest)


def test_clients_that_cannot_be_used():
    client = distributed.Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", set_as_default=False
    )
    pop = RS.population(5, cluster=client)
    client.close()
    client.cluster.close()
    with pytest.raises(ClusterError, match="the client is closed; make a new one"):
        RS.population(5, cluster=client)
    with pytest.raises(ClusterError, match="client"):
        pop.run(1.0, I=10.0)


def test_a_client_that_is_restarted_says_so(own, few, tmp_path):
    pop = RS.population(60, cluster=own)
    pop.run(2.0, I=10.0)
    pop.checkpoint(tmp_path / "p")
    own.restart()
    for asked in (lambda: pop.run(1.0), pop.reset):
        with contextlib.suppress(ClusterError):  # where the scheduler did not make the shards again by itself
            asked()
    again = iz.restore(tmp_path / "p", cluster=own)
    for future in again._shards:
        future.cancel()
    for asked in (lambda: again.run(1.0), again.reset, lambda: again.checkpoint(tmp_path / "p")):
        with pytest.raises(ClusterError, match="go on from a checkpoint"):
            asked()
    assert iz.restore(tmp_path / "p", cluster=own).t == 2.0


def test_a_client_that_is_not_the_current_one_reads_its_own(few):
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        one, other = pair(client, NOISY, 60, a=draw)
        assert_recorded(*(pop.run(3.0, I=10.0, record=ALL) for pop in (one, other)))
        assert_same(one, other)
        np.testing.assert_array_equal(one.step(I=3.0), other.step(I=3.0).compute())
        third = NOISY.population(60, cluster=cluster, a=draw)
        np.testing.assert_array_equal(np.asarray(third.V), NOISY.population(60, a=draw).V)


def test_no_worker_is_told(monkeypatch):
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
        pytest.raises(ClusterError, match="has had no worker for 0.3 s"),
    ):
        RS.population(5, cluster=client)


def test_true_starts_a_cluster_here():
    code = """
import izhigen as iz, numpy as np
pop = iz.load("RS").population(20_000, cluster=True)
pop.run(5.0, I=10.0)
again = iz.load("RS").population(10, cluster=True)
import distributed
client = distributed.default_client()
assert client is pop._connection.client is again._connection.client
one = iz.load("RS").population(20_000)
one.run(5.0, I=10.0)
assert (np.asarray(pop.V) == one.V).all()
print(len(client.scheduler_info()["workers"]))
"""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0 and ended.stdout == "1\n", ended.stderr


GROUP = """
import os, signal
import numpy as np
import izhigen as iz
from izhigen.cluster import runs
from tests.cluster.clusters import start_processes
from tests.helpers import interrupt_what_runs

if __name__ == "__main__":
    os.setpgrp()
    client = start_processes()
    runs.FIRST_WORK, runs.SECONDS = 1e6, 0.2
    pop = iz.load("RS").population(20_000, cluster=client)
    interrupt_what_runs(1.0, lambda: os.killpg(os.getpgrp(), signal.SIGINT))
    found = pop.run(100_000.0, I=10.0, record=["V"], every=10)
    assert found.interrupted and len(client.scheduler_info()["workers"]) == 2
    assert np.asarray(pop.V).shape == (20_000,) and np.isfinite(np.asarray(found["V"][-1])).all()
    print("whole", flush=True)
    client.cluster.close()
"""


def test_an_interrupt_of_the_whole_terminal_leaves_workers_alone():
    ended = subprocess.run(
        [sys.executable, "-c", GROUP], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert "whole" in ended.stdout, ended.stderr


INTERRUPTED = """
import sys
import numpy as np
import izhigen as iz
from izhigen.cluster import population, runs
from tests.helpers import interrupt_what_runs

population.LEAST_NEURONS, runs.FIRST_WORK, runs.SECONDS = 1000, 1e6, 0.2
if __name__ == "__main__":
    out = dict(out=sys.argv[1]) if len(sys.argv) > 1 else {}
    pop = iz.load("RS").population(20_000, cluster=True)
    interrupt_what_runs(1.0)
    first = pop.run(10_000.0, I=10.0, record="spike", out=sys.argv[1] + "0.zarr") if out else None
    assert first is None or (first.interrupted and 0 < first.stop == pop.t and len(first.spikes[0]) > 1000)
    pop.reset()
    if out:
        interrupt_what_runs(1.0)
    found = pop.run(100_000.0, I=10.0, record=["V", "count"], every=10, **out)
    assert found.interrupted and 0 < found.stop == pop.t < 100_000 and len(found.t) == round(pop.t)
    one = iz.load("RS").population(20_000)
    expected = one.run(steps=round(pop.t / 0.1), I=10.0, record=["V", "count"], every=10)
    assert (np.asarray(pop.V) == one.V).all() and (np.asarray(found["V"]) == expected["V"]).all()
    assert (np.asarray(found["count"]) == expected["count"]).all()
    print("whole")
"""


@pytest.mark.parametrize("store", [False, True])
def test_an_interrupt_keeps_what_was_made(tmp_path, store):
    arguments = [str(tmp_path / "run.zarr")] if store else []
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0 and "whole" in ended.stdout, ended.stderr


# -- stores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size, batch, neurons, every",
    [
        (257, None, None, 1),
        (257, None, [256, 3, 100], 7),
        ((3, 17), 2, None, 3),
        (1, None, None, 5),
        (40, None, None, 1000),
    ],
)
def test_stores_hold_the_same(processes, many, tmp_path, size, batch, neurons, every):
    one, other = pair(processes, NOISY, size, batch=batch, a=draw, seed=4)
    made = [
        pop.run(20.0, I=12.0, record=ALL, every=every, neurons=neurons, out=tmp_path / name)
        for pop, name in ((one, "one.zarr"), (other, "other.zarr"))
    ]
    assert_recorded(*made)
    assert_same(one, other)
    assert made[1].store == tmp_path / "other.zarr"
    made[1].to_xarray()


def test_a_store_keeps_what_was_before_an_error(processes, many, tmp_path):
    model = iz.Model("Square", "dV/dt = -V/10 + I*I", threshold="V > 300 and V < 1e6", reset="V = 0", inputs=["I"])
    series = np.full((300, 60), 10.0)
    series[222, 50] = 1e30
    found = []
    for pop, name in zip(pair(processes, model, 60), ("one.zarr", "other.zarr")):
        with pytest.raises(iz.IzhigenError, match="neuron 50 became infinite"):
            pop.run(30.0, I=series, record=["V", "spike"], out=tmp_path / name)
        found.append(iz.Recording.load(tmp_path / name))
    assert found[1].interrupted
    assert_recorded(*found)
    assert len(found[1].t) == 222


def test_a_store_of_events_alone_and_inputs_that_lie_on_the_cluster(processes, many, tmp_path):
    one, other = pair(processes, NOISY, 60)
    series = np.random.default_rng(3).normal(10.0, 3.0, (200, 60))
    for record in ("spike", ["count"], ["V"]):
        runs = [
            pop.run(20.0, I=given, record=record, every=7, out=tmp_path / f"{name}{record[0]}.zarr")
            for pop, given, name in ((one, series, "one"), (other, da.from_array(series, chunks=(33, 25)), "other"))
        ]
        assert_recorded(*runs)
        assert_same(one, other)


def test_a_disk_that_is_full_leaves_the_population_where_the_store_ends(processes, many, tmp_path, monkeypatch):
    from izhigen.cluster import stores

    pop = NOISY.population(60, cluster=processes)
    monkeypatch.setattr(stores, "write_block", full_after_a_while)
    with pytest.raises(RecordingError, match=r"No space left.*its first \d+ rows .* are safe"):
        pop.run(40.0, I=10.0, record=["V"], out=tmp_path / "run.zarr")
    found = iz.Recording.load(tmp_path / "run.zarr")
    assert found.stop == pop.t > 0 and len(found.t) == round(pop.t / 0.1)
    one = NOISY.population(60)
    expected = one.run(steps=round(pop.t / 0.1), I=10.0, record=["V"])
    np.testing.assert_array_equal(found["V"][:], expected["V"])
    assert_same(one, pop)


def full_after_a_while(path, stored, about, rows, *rest):
    """What a worker does whose disk has room for some rows."""
    from izhigen.cluster.stores import write_block

    if rows and rows[0].start > 50:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write_block(path, stored, about, rows, *rest)


def test_a_store_that_cannot_be_made(processes, few, tmp_path):
    pop = RS.population(40, cluster=processes)
    for out, told in (
        (tmp_path / "a.npz", "must end in .zarr"),
        (tmp_path / "no" / "a.zarr", "no folder"),
        (3, "is not a path"),
    ):
        with pytest.raises((RecordingError, ValueShapeError), match=told):
            pop.run(5.0, out=out)
    assert pop.t == 0.0


# -- sweeps ---------------------------------------------------------------------------------------------------------


def test_sweeps_give_the_same(processes, tmp_path):
    xarray = pytest.importorskip("xarray")
    values = {"a": np.linspace(0.02, 0.1, 9), "I": ["10", "20*sin(t/10)"], "b": [0.2, 0.22, 0.25]}
    options = {
        "measure": ["count", "isi", "V", "spike", {"mean": lambda r: r["V"].mean(axis=0)}],
        "every": 50,
        "repeats": 3,
        "d": iz.distributions.normal(8.0, 1.0),
        "seed": 3,
        "memory": 3e5,
    }
    one = iz.sweep(NOISY, values, 20.0, **options)
    other = iz.sweep(NOISY, values, 20.0, cluster=processes, **options)
    stored = iz.sweep(NOISY, values, 20.0, cluster=processes, out=tmp_path / "s.zarr", **options)
    xarray.testing.assert_identical(one, other)
    xarray.testing.assert_identical(one, stored.load())
    again = iz.sweep(NOISY, values, 20.0, out=tmp_path / "s.zarr", **options)
    xarray.testing.assert_identical(one, again.load())


def test_a_sweep_outlives_its_workers(own, tmp_path, monkeypatch):
    xarray = pytest.importorskip("xarray")
    values = {"a": np.linspace(0.02, 0.1, 300), "I": np.linspace(5.0, 20.0, 20)}
    options = {"measure": ["count", "V"], "every": 1000, "memory": 3e5, "seed": 3}
    one = iz.sweep(NOISY, values, 400.0, **options)
    killed, put, victims = [], InStore.put, pids(own)

    def putting(self, piece, *rest):
        put(self, piece, *rest)
        if len(killed) < 2 and self.done > (0, 3000)[len(killed)]:
            killed.append(victims.pop())
            os.kill(killed[-1], signal.SIGKILL)

    monkeypatch.setattr(InStore, "put", putting)
    other = iz.sweep(NOISY, values, 400.0, cluster=own, out=tmp_path / "s.zarr", **options)
    assert len(killed) == 2
    xarray.testing.assert_identical(one, other.load())


def test_errors_of_measures_come_here(processes):
    def wrong(recording):
        raise RuntimeError("no such thing")

    with pytest.raises(ValueShapeError, match="no such thing"):
        iz.sweep(RS, {"a": [0.02, 0.1]}, 5.0, measure={"x": wrong}, cluster=processes)


def test_a_sweep_that_is_not_finite_says_so(processes):
    model = iz.Model("Square", "dV/dt = -V/10 + I*I", threshold="V > 300 and V < 1e6", reset="V = 0", inputs=["I"])
    with pytest.warns(RuntimeWarning, match="1 of 3 sets became infinite or undefined, the first with I=1e"):
        found = iz.sweep(model, {"I": [1.0, 1e30, 2.0]}, 5.0, cluster=processes)
    assert np.isnan(found["count"].values).tolist() == [False, True, False]
