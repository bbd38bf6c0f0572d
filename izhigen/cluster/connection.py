"""The Dask cluster that something is to run on: found or started, and looked at before it is used."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from izhigen._version import __version__
from izhigen.errors import ClusterError, IzhigenError, ValueShapeError, first_line, shown

PATIENCE = 30.0
"""Seconds without any worker after which nothing is waited for."""
LOOK_AGAIN, ASK_AGAIN = 0.05, 1.0
"""Seconds between two looks for signals, and between two questions whether there are workers."""
VERSION = "__import__('izhigen').__version__"
"""What a worker is asked first, in Python, as it may know nothing of izhigen."""


def load_distributed() -> Any:
    """dask.distributed.

    Raises
    ------
    ClusterError
        Where it is missing.
    """
    try:
        import dask.array  # noqa: F401 - a part of dask that may be missing
        import distributed
    except ImportError as problem:
        raise ClusterError(f"a cluster needs dask.distributed ({problem}): pip install 'izhigen[dask]'") from None
    return distributed


def is_asked_for(cluster: Any) -> bool:
    """Whether ``cluster=`` asks for one.

    Raises
    ------
    ClusterError
        Where it does, and Dask is missing.
    """
    if cluster is None or cluster is False:
        return False
    load_distributed()
    return True


class Connection:
    """A cluster, by the client of a user or the one that is current."""

    def __init__(self, cluster: Any) -> None:
        distributed = load_distributed()
        self._distributed = distributed
        if cluster is True:
            cluster = _own_client(distributed)
        elif isinstance(cluster, distributed.deploy.Cluster):
            cluster = cluster.get_client()
        if not isinstance(cluster, distributed.Client):
            raise ValueShapeError(
                f"cluster={shown(cluster)} is neither a dask.distributed.Client (or Cluster) nor True, which takes the "
                "current client or starts a cluster in this process"
            )
        if cluster.asynchronous:
            raise ValueShapeError("cluster: the client is asynchronous; give one made without asynchronous=True")
        self._client = cluster
        self.workers()

    @property
    def client(self) -> Any:
        """The client, while it can be used.

        Raises
        ------
        ClusterError
            Once it is closed.
        """
        if self._client.status != "running":
            raise ClusterError(f"cluster: the client is {self._client.status}; make a new one")
        return self._client

    def workers(self) -> dict[str, Any]:
        """What the scheduler says of each worker, by its address.

        Raises
        ------
        ClusterError
            Where there is none for a time.
        """
        try:
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise self.lost() from None
        return dict(self.client.scheduler_info(n_workers=-1)["workers"])

    @property
    def threads(self) -> int:
        """Threads of all workers."""
        return sum(int(worker["nthreads"]) for worker in self.workers().values())

    def check(self) -> None:
        """See that every worker has this version of izhigen.

        Raises
        ------
        ClusterError
            Names the first that has not.
        """
        self.client.run(
            ignore_interrupts, os.getpid(), os.getpgrp() if hasattr(os, "getpgrp") else 0, on_error="ignore"
        )
        for address, found in self._answers(eval, VERSION):
            if isinstance(found, BaseException):
                raise ClusterError(
                    f"worker {address} cannot import izhigen ({first_line(found)}); install izhigen {__version__} there"
                )
            if found != __version__:
                raise ClusterError(
                    f"worker {address} has izhigen {found}, this process {__version__}; install the same there"
                )

    def ask_all(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call a function on every worker, which raises where something is wrong there.

        Raises
        ------
        ClusterError
            With the address of the first where it does.
        """
        for address, found in self._answers(function, *arguments):
            if isinstance(found, BaseException):
                kind = "" if isinstance(found, IzhigenError) else f"{type(found).__name__}: "
                raise ClusterError(f"worker {address}: {kind}{found}") from found

    def _answers(self, function: Callable[..., Any], *arguments: Any) -> Iterator[tuple[str, Any]]:
        """What each worker answers, or the error that it raised; nothing of those that are gone meanwhile."""
        for address, found in self.client.run(function, *arguments, on_error="return").items():
            if not (isinstance(found, OSError) and self._is_of_dask(found)):
                yield address, found

    @staticmethod
    def _is_of_dask(problem: BaseException) -> bool:
        """Whether an error is one of the cluster's own, such as a connection that broke off."""
        return type(problem).__module__.partition(".")[0] == "distributed"

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The future of a call, which is made again where what it gave is lost with a worker; one that joined since
        the workers were looked at is asked for its version by every task.
        """
        key = f"{function.__name__}-{uuid.uuid4().hex}"
        try:
            return self.client.submit(with_version, __version__, function, *arguments, key=key, pure=False)
        except CancelledError as problem:
            raise self._gone() from problem

    def results(self, futures: Sequence[Any], look: Callable[[], bool]) -> list[Any] | None:
        """Wait for futures and bring their results here; None where ``look`` says that it is to end.

        Raises
        ------
        ClusterError
            Where a worker failed otherwise than by an error of ours, or all are gone.
        """
        if not self.wait(futures, look):
            return None
        try:
            return list(self.client.gather(list(futures)))
        except Exception as problem:  # of whatever a worker raised meanwhile
            raise self.told(problem) from problem

    def wait(self, futures: Sequence[Any], look: Callable[[], bool]) -> bool:
        """Wait until all are made; False, and all of them forgotten, where ``look`` says that it is to end."""
        alone_since, asked = None, time.monotonic()
        for future in futures:
            ended = (
                threading.Event()
            )  # distributed.wait would raise at every look, and what it raises keep all futures alive
            if not future.done():
                future.add_done_callback(lambda _, ended=ended: ended.set())
            while not future.done():
                if look():
                    self.client.cancel(list(futures))
                    return False
                if not ended.wait(LOOK_AGAIN) and time.monotonic() > asked + ASK_AGAIN:
                    alone_since, asked = self._alone(alone_since), time.monotonic()
            alone_since = None
            if future.status == "error":
                raise self.told(future.exception())
            if future.status != "finished":
                raise self._gone()
        return True

    def is_future(self, value: Any) -> bool:
        """Whether a value lies on the cluster."""
        return isinstance(value, self._distributed.Future)

    def told(self, problem: BaseException) -> BaseException:
        """What a task raised, as an error of ours, or as one of a disk."""
        if isinstance(problem, IzhigenError) or (isinstance(problem, OSError) and not self._is_of_dask(problem)):
            return problem
        if isinstance(problem, CancelledError):
            return self._gone()
        if isinstance(problem, self._distributed.scheduler.KilledWorker):
            return ClusterError(
                f"cluster: {first_line(problem)}; the workers that had it died, perhaps for want of memory: take more "
                "of them, or record less"
            )
        try:
            self.check()  # one that joined later may lack izhigen
        except ClusterError as found:
            return found
        return ClusterError(f"cluster: a worker failed with {type(problem).__name__}: {first_line(problem)}")

    @staticmethod
    def _gone() -> ClusterError:
        """The error for tasks that nobody will make any more."""
        return ClusterError(
            "cluster: what lay there is gone, as the client was restarted or its tasks were cancelled; go on from a "
            "checkpoint, by iz.restore(path, cluster=client)"
        )

    def _alone(self, since: float | None) -> float | None:
        """Since when there has been no worker; raises ClusterError once that is too long."""
        if self.client.scheduler_info(n_workers=1)["workers"]:
            return None
        since = time.monotonic() if since is None else since
        if time.monotonic() - since > PATIENCE:
            raise self.lost()
        return since

    def lost(self) -> ClusterError:
        """The error for a cluster without workers."""
        where = self.client.scheduler.address if self.client.scheduler is not None else "no scheduler"
        return ClusterError(f"the cluster at {where} has had no worker for {PATIENCE:g} s; start one, or take fewer")


def _own_client(distributed: Any) -> Any:
    """The current client; without one, that of a new cluster in this process."""
    try:
        return distributed.default_client()
    except ValueError:
        cluster = distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            processes=False,
            dashboard_address="127.0.0.1:0",
        )
        return distributed.Client(cluster)


def with_version(version: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """On a worker: call a function of a client of the same version.

    Raises
    ------
    ClusterError
        For another one.
    """
    if version != __version__:
        raise ClusterError(
            f"worker {address()} has izhigen {__version__}, the client {version}; install the same there"
        )
    return function(*arguments)


def ignore_interrupts(client: int, group: int) -> None:
    """On a worker that is a process of its own in the client's group: leave Ctrl-C in the terminal, which reaches all
    of them, to the client, which ends the run.
    """
    is_beside = hasattr(os, "getpgrp") and os.getpid() != client and os.getpgrp() == group
    if is_beside and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def address() -> str:
    """Of the worker that asks."""
    return str(load_distributed().get_worker().address)
