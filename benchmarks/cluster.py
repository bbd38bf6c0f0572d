"""What a Dask cluster costs and brings: the same run with and without it, and on more processes.

    python benchmarks/cluster.py [--save]

Izhikevich's neuron, currents from silent to fast, counts recorded. First a population that threads of this process
advance, beside the same on the in-process cluster (``cluster=True``) with as many threads. Then clusters of one
process after another, with as many neurons for each. Then what is not neurons: the seconds of a run of one step of few
neurons, the bytes of a neuron and of a worker that advances some, and the rates at which checkpoints are written and
read.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import DT, PARAMETERS, U0, V0, currents, options, row, save

import izhigen as iz
from izhigen.bench.timing import cores, in_turn, machine

try:
    from distributed import Client, LocalCluster

    from izhigen.cluster.population import LEAST_NEURONS
except ImportError:
    print("left out: dask.distributed is not installed (pip install 'izhigen[dask]')")
    raise SystemExit(0) from None

NEURONS, EACH, STEPS = 10_000_000, 5_000_000, 5000


class Spread:
    """A population, on a cluster where one is given."""

    least_steps = 1

    def __init__(self, n: int, steps: int, **where: Any) -> None:
        self.count, self.fixed_steps, self.current = n, steps, currents(n)
        self.population = iz.load("Izhikevich").population(n, dt=DT, V=V0, u=U0, **PARAMETERS, **where)

    def run(self, steps: int) -> None:
        """Advance."""
        found = self.population.run(steps=steps, I=self.current, record=["count"], progress=False)["count"]
        self.spikes = int(found.sum()) if isinstance(found, np.ndarray) else int(found.sum().compute())


def processes(workers: int) -> Client:
    """A cluster of processes of one thread."""
    where = "127.0.0.1:0"
    return Client(LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=where, silence_logs=50))


def close(client: Client) -> None:
    """The cluster too."""
    cluster = client.cluster
    client.close()
    cluster.close()


def overheads(client: Client, n: int) -> dict[str, float]:
    """What is not the neurons' work."""
    shards = 4 * cores()
    small = iz.load("Izhikevich").population(LEAST_NEURONS * shards, cluster=client)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        small.run(steps=1, record=["count"], progress=False)
        times.append(time.perf_counter() - started)
    before = memory(client)
    large = Spread(n, 100, cluster=client)
    large.run(100)
    after = memory(client)
    folder = Path(tempfile.mkdtemp(prefix="izhigen-checkpoint-"))
    started = time.perf_counter()
    large.population.checkpoint(folder / "point")
    written = time.perf_counter() - started
    started = time.perf_counter()
    iz.restore(folder / "point", cluster=client)
    read = time.perf_counter() - started
    size = sum(path.stat().st_size for path in (folder / "point").iterdir())
    shutil.rmtree(folder)
    return {
        "shards": shards,
        "run_of_one_step_s": float(np.median(times)),
        "state_bytes": 2 * 4 + 1,
        "worker_bytes_a_neuron": (after - before) / n,
        "checkpoint_bytes_a_neuron": size / n,
        "checkpoint_written_bytes_s": size / written,
        "checkpoint_read_bytes_s": size / read,
    }


def memory(client: Client) -> float:
    """Bytes that all workers hold."""
    return float(sum(client.run(worker_bytes).values()))


def worker_bytes() -> int:
    """Of this process, at most so far. (What getrusage says may be of the process that started it.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def main() -> None:
    """Measure and print; save as data when asked."""
    given = options(__doc__, "cluster.json").parse_args()
    n, each, steps = (20_000, 20_000, 20) if given.quick else (NEURONS, EACH, STEPS)
    repeats, threads = (2 if given.quick else min(given.repeats, 3)), cores()
    data: dict[str, Any] = {"machine": machine("dask", "distributed"), "neurons": n, "each": each, "rows": []}

    alone, spread = "one population", "in-process cluster"
    made = {alone: Spread(n, steps, threads=threads), spread: Spread(n, steps, cluster=True)}
    rates = in_turn(made, given.seconds, repeats)
    assert made[alone].spikes == made[spread].spikes
    for name, rate in rates.items():
        data["rows"].append(row(name, rate, neurons=n, threads=threads, times=rate.ratio(rates[alone])))
        print(f"{name:<24} {rate.median / 1e6:10.0f} M/s   {rate.ratio(rates[alone]):.3f} of one population")
    del made
    close(Client.current())

    first = None
    for workers in range(1, threads + 1):
        client = processes(workers)
        name = f"{workers} process{'es' if workers > 1 else ''}"
        rate = in_turn({name: Spread(workers * each, steps, cluster=client)}, given.seconds, repeats)[name]
        first = first or rate
        share = rate.median / (workers * first.median)
        data["rows"].append(row(name, rate, neurons=workers * each, threads=workers, efficiency=share))
        print(f"{name:<24} {rate.median / 1e6:10.0f} M/s   {share:.3f} of {workers} times one process")
        close(client)
    client = processes(threads)  # anew, as what they hold at most is asked for
    data["overheads"] = overheads(client, each * threads)
    close(client)
    for name, value in data["overheads"].items():
        print(f"{name:<32} {value:.4g}")
    save(given.save, data)


if __name__ == "__main__":
    main()
