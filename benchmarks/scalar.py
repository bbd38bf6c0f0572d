"""Neuron-steps per second of the generated C kernel and of a scalar loop with the C library's expm1f, measured in turn in one run.

    python benchmarks/scalar.py [--save benchmarks/results/scalar.json]

Both integrate the same neurons from the same state; the spike counts are compared before anything is timed. The ratio is what counts:
absolute rates drift with what else the machine does.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import subprocess
import tempfile
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

import izhigen as iz
from izhigen.backends.compiler import find_compiler

HERE = Path(__file__).parent
SCALAR_FLAGS = ["-std=c99", "-O3", "-march=native", "-fPIC", "-shared"]


def scalar_loop(folder: str) -> ctypes.CDLL:
    """Build the reference loop."""
    library = Path(folder) / "scalar.so"
    subprocess.run([*find_compiler().command, *SCALAR_FLAGS, "-o", str(library), str(HERE / "scalar.c"), "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.scalar_steps.restype = ctypes.c_int64
    loaded.scalar_steps.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int64, ctypes.c_int64, ctypes.c_float]
    return loaded


def currents(n: int) -> np.ndarray:
    """One constant current per neuron, from silent to fast."""
    return np.linspace(0.0, 20.0, n, dtype=np.float32)


class Scalar:
    """The reference loop as something that can be timed."""

    def __init__(self, library: ctypes.CDLL, n: int) -> None:
        self.library, self.n = library, n
        self.V, self.u, self.I = np.full(n, -70, np.float32), np.full(n, -14, np.float32), currents(n)

    def run(self, steps: int) -> int:
        """Advance; the number of spikes."""
        pointers = [a.ctypes.data for a in (self.V, self.u, self.I)]
        return int(self.library.scalar_steps(*pointers, self.n, steps, 0.1))


class Generated:
    """The generated kernel as something that can be timed."""

    def __init__(self, n: int, dtype: str, threads: int, record: tuple[str, ...]) -> None:
        self.pop = iz.load("Izhikevich").population(n, dt=0.1, dtype=dtype, threads=threads)
        self.I, self.record = currents(n), record

    def run(self, steps: int) -> int:
        """Advance; the number of spikes where they are recorded."""
        recording = self.pop.run(steps=steps, I=self.I, record=self.record, check_finite=False, progress=False)
        return 0 if recording.spike_times is None else len(recording.spike_times)


def same_work(library: ctypes.CDLL, n: int) -> tuple[int, int]:
    """Spike counts of both over 200 ms, which must agree within 1 per cent (float32 rounding moves single spikes)."""
    counts = Scalar(library, n).run(2000), Generated(n, "float32", 1, ("spike",)).run(2000)
    if abs(counts[0] - counts[1]) > 0.01 * counts[0]:
        raise SystemExit(f"the loops do not compute the same thing: {counts[0]} and {counts[1]} spikes")
    return counts


def in_turn(candidates: dict[str, object], n: int, repeats: int) -> dict[str, list[float]]:
    """Rates in neuron-steps per second: every candidate once, then all again, so that drift hits all alike."""
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for candidate in candidates.values():
        candidate.run(50)  # type: ignore[attr-defined]
    for _ in range(repeats):
        for name, candidate in candidates.items():
            steps = max(20, int((2e7 if name == "scalar" else 2e8) // n))
            started = time.perf_counter()
            candidate.run(steps)  # type: ignore[attr-defined]
            rates[name].append(n * steps / (time.perf_counter() - started))
    return rates


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    model = next((line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), "") if info.is_file() else ""
    compiler = subprocess.run([*find_compiler().command, "--version"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
    return {"date": date.today().isoformat(), "processor": model or platform.processor(), "architecture": platform.machine(), "system": platform.system(),
            "compiler": compiler, "python": platform.python_version(), "izhigen": iz.__version__, "numpy": version("numpy"), "sympy": version("sympy")}


def main() -> None:
    """Measure and print; save as data when asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        library = scalar_loop(folder)
        scalar_spikes, our_spikes = same_work(library, 1000)
        print(f"same work: {scalar_spikes} spikes in the scalar loop, {our_spikes} in the kernel (1,000 neurons, 200 ms)")
        for n in (1_000, 100_000, 1_000_000):
            candidates = {"scalar": Scalar(library, n), "float32": Generated(n, "float32", 1, ()), "float32, spikes recorded": Generated(n, "float32", 1, ("spike",)),
                          "float64": Generated(n, "float64", 1, ()), "float32, 2 threads": Generated(n, "float32", 2, ())}
            rates = in_turn(candidates, n, options.repeats)
            for name, values in rates.items():
                ratio = statistics.median(ours / scalar for ours, scalar in zip(values, rates["scalar"]))
                rows.append({"neurons": n, "what": name, "rate": statistics.median(values), "lowest": min(values), "highest": max(values), "ratio_to_scalar": ratio})
                print(f"{n:>9,} neurons  {name:<26} {statistics.median(values) / 1e6:8.1f} M neuron-steps/s   {ratio:5.1f} x the scalar loop")
    if options.save:
        options.save.parent.mkdir(parents=True, exist_ok=True)
        options.save.write_text(json.dumps({"machine": machine(), "scalar_flags": SCALAR_FLAGS, "rows": rows}, indent=1) + "\n")
        print(f"saved {options.save}")


if __name__ == "__main__":
    main()
