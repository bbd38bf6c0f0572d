"""Threads that share the neurons of a population, each always with the same range, which it finds in its caches."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

Task = Callable[[], None]
Outcome = SimpleQueue[BaseException | None]
"""Where the threads of one call say that they have ended, and with what failure."""


def _serve(tasks: SimpleQueue[tuple[Task, Outcome] | None]) -> None:
    """Run tasks until None comes."""
    job = tasks.get()
    while job is not None:
        task, outcome = job
        failure: BaseException | None = None
        try:
            task()
        except BaseException as problem:  # handed to the caller, whatever it is
            failure = problem
        del task, job  # a waiting thread keeps nothing alive
        outcome.put(failure)
        del outcome, failure
        job = tasks.get()


class Workers:
    """Threads that wait for tasks; the caller's own thread takes the first one.

    They start when they are first needed, and again in a process that was forked since; they end with the object.
    """

    def __init__(self) -> None:
        self._queues: list[SimpleQueue[tuple[Task, Outcome] | None]] = []
        self._process = os.getpid()

    def run(self, tasks: Sequence[Task]) -> None:
        """Run all tasks at once, task k always on thread k; the first failure is raised when all have ended, what
        interrupts the waiting too.
        """
        if self._process != os.getpid():
            self._queues, self._process = [], os.getpid()
        while len(self._queues) < len(tasks) - 1:
            self._queues.append(SimpleQueue())
            threading.Thread(
                target=_serve, args=(self._queues[-1],), daemon=True, name=f"izhigen-{len(self._queues)}"
            ).start()
        outcome: Outcome = SimpleQueue()
        failures: list[BaseException | None] = []
        for queue, task in zip(self._queues, tasks[1:]):
            queue.put((task, outcome))
        try:
            tasks[0]()
        except BaseException as problem:
            failures.append(problem)
        ended = 0
        while ended < len(tasks) - 1:  # whatever interrupts the waiting, the others still write to the caller's arrays
            try:
                failures.append(outcome.get())
                ended += 1
            except BaseException as problem:
                failures.append(problem)
        for failure in failures:
            if failure is not None:
                raise failure

    def __del__(self) -> None:
        for queue in self._queues:
            queue.put(None)
