"""What the benchmark scripts share: the one setting that every candidate runs, reading options, saving."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import izhigen as iz
from izhigen.bench.model import Run
from izhigen.bench.timing import Rates, machine_line

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DT = 0.1
PARAMETERS = {"a": 0.02, "b": 0.2, "c": -65.0, "d": 8.0}
V0, U0 = -70.0, -14.0
HIGHEST_CURRENT = 20.0
NOISE = 1.0
"""Amplitude of the noise on V, in mV per square root of a ms."""


def currents(n: int, highest: float = HIGHEST_CURRENT, dtype: str = "float32") -> np.ndarray:
    """One constant current per neuron, from silent to fast."""
    return np.linspace(0.0, highest, n, dtype=dtype)


def izhikevich(n: int, *, dtype: str = "float32", threads: int = 1, noise: float = 0.0, **values: Any) -> Any:
    """The population that every comparison runs."""
    model = iz.load("Izhikevich")
    if noise:
        model = model.with_noise(V=noise)
    return model.population(n, dt=DT, dtype=dtype, threads=threads, **{**PARAMETERS, "V": V0, "u": U0, **values})


class Izhigen(Run):
    """izhigen, many steps a call."""

    def __init__(
        self,
        n: int,
        *,
        record: tuple[str, ...] = (),
        neurons: Any = None,
        highest: float = HIGHEST_CURRENT,
        dtype: str = "float32",
        **options: Any,
    ) -> None:
        super().__init__(izhikevich(n, dtype=dtype, **options), {"I": currents(n, highest, dtype)}, record, neurons)

    def counts(self) -> int:
        """Spikes of the last run, where they were recorded."""
        return len(self.recording.spike_times)


def row(what: str, rates: Rates, **facts: Any) -> dict[str, Any]:
    """One measured candidate as data."""
    return {"what": what, **facts, **rates.as_data()}


def show(n: int, rates: dict[str, Rates], reference: str) -> None:
    """Print the rates at one size, with their ratio to one of them."""
    for name, rate in rates.items():
        ratio = f"{rate.ratio(rates[reference]):7.2f} x {reference}" if reference in rates else ""
        print(f"{n:>13,}  {name:<44} {rate.median / 1e6:10.1f} M/s {ratio}", flush=True)


def options(description: str | None, name: str) -> argparse.ArgumentParser:
    """The options that every script has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--save", type=Path, nargs="?", const=RESULTS / name, help=f"write the figures (default: results/{name})"
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="length of a run")
    parser.add_argument(
        "--quick", action="store_true", help="short runs of small populations: shows only that it works"
    )
    return parser


def save(path: Path | None, data: dict[str, Any]) -> None:
    """Write the figures where that was asked for."""
    print(f"measured on {machine_line(data['machine'])}")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
        print(f"saved {path}")
