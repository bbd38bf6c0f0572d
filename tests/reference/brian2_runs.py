"""Spikes of Brian2 for the neurons of brian2_models, by Euler and RK4 in float64, as numbers of steps.

python -m tests.reference.brian2_runs      # with Brian2; writes tests/data/brian2/*.npz
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.reference.brian2_models import CASES, Case

DATA = Path(__file__).parents[1] / "data" / "brian2"
METHODS = ("euler", "rk4")


def quantity(text: str, known: dict[str, Any]) -> Any:
    """A text of our own tables as Brian2 computes it."""
    import brian2

    return eval(text, {"__builtins__": {}}, {**vars(brian2), **known})


def run(case: Case, method: str, namespace: dict[str, Any] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Steps and neurons of Brian2's spikes, in order."""
    import brian2

    brian2.start_scope()
    brian2.prefs.codegen.target = "numpy"
    if namespace is None:
        namespace = {}
        for name, text in case.namespace.items():
            namespace[name] = quantity(text, namespace)
    step = case.dt * brian2.ms
    group = brian2.NeuronGroup(
        len(case.drive[1]),
        case.equations,
        threshold=case.threshold,
        reset=case.reset,
        refractory=case.refractory or False,
        namespace=namespace,
        method=method,
        dt=step,
    )
    for name, text in sorted(case.initial.items(), key=lambda item: not item[1].lstrip("-")[:1].isdigit()):
        setattr(group, name, text)  # numbers first, as the others read them
    for name, text in case.initial.items():
        setattr(group, name, text)
    name, values = case.drive
    setattr(group, name, [quantity(text, {}) for text in values])
    spikes = brian2.SpikeMonitor(group)
    brian2.Network(group, spikes).run(case.steps * step)
    steps = np.asarray(np.round(np.asarray(spikes.t) / (case.dt * 1e-3)), np.int64)
    neurons = np.asarray(spikes.i, np.int64)
    order = np.lexsort((neurons, steps))
    return steps[order], neurons[order]


def main() -> None:
    """Write a file a neuron."""
    DATA.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        found = {method: np.stack(run(case, method)).astype(np.uint16) for method in METHODS}
        np.savez_compressed(DATA / f"{name}.npz", **found)  # type: ignore[arg-type]
        print(name, *(np.bincount(spikes[1], minlength=4) for spikes in found.values()))


if __name__ == "__main__":
    main()
