"""What a user waits for and pays besides steps: import, the first step of a new model, the first step of a known one, memory a neuron.
Each is measured in processes of its own."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

IMPORT = "import time; started = time.perf_counter(); import izhigen; print(time.perf_counter() - started)"
FIRST_STEP = """
import time
import izhigen as iz
started = time.perf_counter()
iz.load("Izhikevich").population(1000, dt=0.1).step(I=10.0)
print(time.perf_counter() - started)
"""
MEMORY = """
import sys
import numpy as np
import izhigen as iz

def status(name):  # in bytes; VmHWM rather than getrusage, whose maximum a process takes over from its parent
    for line in open("/proc/self/status"):
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])

n, threads = int(sys.argv[1]), int(sys.argv[2])
load = iz.load("Izhikevich").population(1000, dt=0.1, threads=threads)
load.run(steps=16, record=(), check_finite=False, I=10.0)
I = np.linspace(0, 20, n, dtype=np.float32)
before = status("VmRSS")
pop = iz.load("Izhikevich").population(n, dt=0.1, threads=threads)
made, peak = status("VmRSS"), status("VmHWM")
pop.run(steps=32, record=(), check_finite=False, progress=False, I=I)
print((made - before) / n, (status("VmRSS") - before) / n, (peak - before) / n, (status("VmHWM") - before) / n)
"""


def _script(text: str, *arguments: str, cache: str | None = None) -> str:
    environment = dict(os.environ, **({"IZHIGEN_CACHE_DIR": cache} if cache else {}))
    return subprocess.run(
        [sys.executable, "-c", text, *arguments], env=environment, capture_output=True, text=True, check=True
    ).stdout


def startup(repeats: int) -> dict[str, float]:
    """Seconds, medians: of ``import izhigen``, of the first step after it with an empty cache, and with a filled one."""
    _script(IMPORT)  # byte code and disk caches are filled once
    imports = [float(_script(IMPORT)) for _ in range(repeats)]
    cold, warm = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(float(_script(FIRST_STEP, cache=folder)))
            warm.append(float(_script(FIRST_STEP, cache=folder)))
    return {
        "import": statistics.median(imports),
        "first_step_cold": statistics.median(cold),
        "first_step_cached": statistics.median(warm),
    }


def memory(n: int, threads: int) -> dict[str, float]:
    """Bytes a neuron in float32 beyond an array of currents of one's own (4 more) and without recordings: resident after making the population
    and after a run, and the most at any time."""
    names = ("population", "after_run", "highest_while_made", "highest")
    return {
        "neurons": n,
        "threads": threads,
        **dict(zip(names, map(float, _script(MEMORY, str(n), str(threads)).split()))),
    }
