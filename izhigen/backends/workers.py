"""Threads that share the neurons of a population: one for each range, always the same range, so that it finds its data in its caches."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

Task = Callable[[], None]


def _serve(tasks: SimpleQueue[Task | None], done: SimpleQueue[BaseException | None]) -> None:
    """Run tasks until None comes."""
    task = tasks.get()
    while task is not None:
        failure: BaseException | None = None
        try:
            task()
        except BaseException as problem:  # handed to the caller, whatever it is
            failure = problem
        task = None  # a waiting thread keeps nothing alive
        done.put(failure)
        failure = None
        task = tasks.get()


class Workers:
    """Threads that wait for tasks; the caller's own thread takes the first one.

    They start when they are first needed, and again in a process that was forked since; they end with the object.
    """

    def __init__(self) -> None:
        self._queues: list[SimpleQueue[Task | None]] = []
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._process = os.getpid()

    def run(self, tasks: Sequence[Task]) -> None:
        """Run all tasks at once, task k always on thread k; the first failure is raised when all have ended."""
        if self._process != os.getpid():
            self._queues, self._done, self._process = [], SimpleQueue(), os.getpid()
        while len(self._queues) < len(tasks) - 1:
            self._queues.append(SimpleQueue())
            threading.Thread(target=_serve, args=(self._queues[-1], self._done), daemon=True, name=f"izhigen-{len(self._queues)}").start()
        others = tasks[1:]
        for queue, task in zip(self._queues, others):
            queue.put(task)
        problems: list[BaseException | None] = []
        try:
            tasks[0]()
        finally:
            problems += [self._done.get() for _ in others]
        for problem in problems:
            if problem is not None:
                raise problem

    def __del__(self) -> None:
        for queue in self._queues:
            queue.put(None)
