"""Worker threads: each task on its own thread, errors handed on, usable again after a failure and in a forked process."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import izhigen as iz
from izhigen.backends.workers import Workers


def test_each_task_has_its_thread_and_the_caller_takes_the_first():
    workers, seen = Workers(), [[], [], []]
    for _ in range(5):
        workers.run([lambda k=k: seen[k].append(threading.get_ident()) for k in range(3)])
    assert [len(set(ids)) for ids in seen] == [1, 1, 1]
    assert seen[0][0] == threading.get_ident() and len({ids[0] for ids in seen}) == 3


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failure_reaches_the_caller_after_all_have_ended(failing):
    workers, ended = Workers(), []

    def task(k):
        if k == failing:
            raise ValueError(f"task {k}")
        ended.append(k)

    with pytest.raises(ValueError, match=f"task {failing}"):
        workers.run([lambda k=k: task(k) for k in range(3)])
    assert sorted(ended) == [k for k in range(3) if k != failing]
    workers.run([lambda: ended.append("again")] * 3)
    assert ended.count("again") == 3


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no interval timer on this system")
def test_ctrl_c_waits_for_the_others_and_leaves_nothing_behind():
    workers, log = Workers(), []

    def slow(word):
        time.sleep(0.3)
        log.append(word)

    workers.run([lambda: None] * 2)
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            workers.run([lambda: None, lambda: slow("first")])
        assert log == ["first"]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    workers.run([lambda: None, lambda: slow("second")])
    assert log == ["first", "second"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_starts_its_own_threads():
    pop = iz.load("RS").population(100_000, threads=2)
    pop.run(steps=20, I=10.0)
    child = os.fork()
    if child == 0:
        pop.run(steps=20, I=10.0)
        os._exit(0 if np.isfinite(pop.V).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_threads_end_with_the_population():
    before = set(threading.enumerate())
    pop = iz.load("RS").population(100_000, threads=4)
    pop.run(steps=20, I=10.0)
    threads = set(threading.enumerate()) - before
    assert len(threads) == 3 and all(thread.name.startswith("izhigen-") for thread in threads)
    del pop
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_populations_in_two_python_threads_do_not_disturb_each_other():
    def run(results, k):
        pop = iz.load("CH").population(5000, dt=0.1, threads=2)
        results[k] = pop.run(100.0, I=np.linspace(0, 15, 5000) + k).spikes

    together, alone = {}, {}
    threads = [threading.Thread(target=run, args=(together, k)) for k in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in (0, 1):
        run(alone, k)
        for a, b in zip(together[k], alone[k]):
            np.testing.assert_array_equal(a, b)
