"""Spikes of Brian2 for the neurons of brian2_models, by Euler and RK4 in float64, as numbers of steps.

python -m tests.reference.brian2_runs      # with Brian2; writes tests/data/brian2/*.npz
"""

from __future__ import annotations

import ast
import operator
from pathlib import Path
from typing import Any

import numpy as np

from tests.reference.brian2_models import CASES, Case

DATA = Path(__file__).parents[1] / "data" / "brian2"
METHODS = ("euler", "rk4")
OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def quantity(text: str, known: dict[str, Any]) -> Any:
    """A text of the tables, in units and by arithmetic of Brian2."""
    import brian2

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.BinOp):
            return OPERATORS[type(node.op)](value(node.left), value(node.right))
        if isinstance(node, ast.UnaryOp):
            return -value(node.operand)
        if isinstance(node, ast.Name):
            return known[node.id] if node.id in known else getattr(brian2, node.id)
        assert isinstance(node, ast.Constant)
        return node.value

    return value(ast.parse(text, mode="eval").body)


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
    for _ in range(2):  # the second time, each reads what the others are
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
