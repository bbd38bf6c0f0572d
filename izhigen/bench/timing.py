"""Candidates measured in turn, and what they were measured on."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from izhigen._version import __version__
from izhigen.backends.toolchain import find_toolchain

MOST_STEPS = 1 << 21
"""Longest measured run, in steps: small populations would else run for ever."""


class Candidate(Protocol):
    """What can be measured.

    Attributes
    ----------
    count : int
        Neurons.
    least_steps : int
        Steps of the shortest run that shows what the candidate can do.
    fixed_steps : int or None
        Steps of every run where the candidate cannot choose.
    """

    count: int
    least_steps: int
    fixed_steps: int | None

    def run(self, steps: int) -> float | None:
        """Advance; the seconds where the candidate has a clock of its own (the wall clock is taken otherwise)."""
        ...


@dataclass(frozen=True)
class Rates:
    """Neuron-steps per second of one candidate, one value a round."""

    values: tuple[float, ...]
    steps: int

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.values)

    def ratio(self, other: Rates) -> float:
        """Median over the rounds of how many times faster than the other."""
        return statistics.median(a / b for a, b in zip(self.values, other.values))

    def as_data(self) -> dict[str, Any]:
        """Median, the value of every round, and the length of a run, for a results file."""
        return {"rate": self.median, "values": list(self.values), "steps": self.steps}


def _seconds(candidate: Candidate, steps: int) -> float:
    started = time.perf_counter()
    own = candidate.run(steps)
    return time.perf_counter() - started if own is None else own


def choose_steps(candidate: Candidate, seconds: float) -> int:
    """Steps of a run of about that many seconds; each length runs once unmeasured, as it may build something."""
    if candidate.fixed_steps is not None:
        return candidate.fixed_steps
    steps = candidate.least_steps
    while True:
        candidate.run(steps)
        elapsed = _seconds(candidate, steps)
        if elapsed > seconds / 8 or steps >= MOST_STEPS:
            break
        steps = min(8 * steps, MOST_STEPS)
    chosen = int(min(MOST_STEPS, max(candidate.least_steps, steps * seconds / elapsed)))
    if chosen != steps:
        candidate.run(chosen)
    return chosen


def in_turn(candidates: Mapping[str, Candidate], seconds: float = 0.2, repeats: int = 7) -> dict[str, Rates]:
    """Rates of all candidates: each once, then all again, so that drift of the machine hits all alike."""
    steps = {name: choose_steps(candidate, seconds) for name, candidate in candidates.items()}
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, candidate in candidates.items():
            rates[name].append(candidate.count * steps[name] / _seconds(candidate, steps[name]))
    return {name: Rates(tuple(values), steps[name]) for name, values in rates.items()}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(*packages: str) -> dict[str, Any]:
    """What figures were measured on: processor, compiler, date, versions of izhigen and of the named packages."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    shown = subprocess.run(
        [*find_toolchain().command, "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
    ).stdout.splitlines()
    return {
        "date": date.today().isoformat(),
        "processor": names[0] if names else platform.processor(),
        "cores": cores(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "architecture": platform.machine(),
        "system": platform.system(),
        "compiler": shown[0] if shown else "",
        "python": platform.python_version(),
        "izhigen": __version__,
        "numpy": np.__version__,
        **{name: version(name) for name in packages},
    }


def machine_line(info: Mapping[str, Any]) -> str:
    """The machine in one line."""
    cores_text = f"{info['cores']} core{'s' if info['cores'] != 1 else ''}"
    machine = f"{info['processor'] or info['architecture']}, {cores_text}"
    return f"{machine}, {info['compiler']}, izhigen {info['izhigen']}, {info['date']}"
