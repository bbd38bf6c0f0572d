"""BrainPy 2.8.2's training mode, in float64: gradients within 1e-9 of the largest (its own rounding reaches 5e-9)."""

import json

import numpy as np
import pytest

import izhigen as iz
from tests.conftest import DATA

CASES = sorted(path.stem for path in (DATA / "brainpy").glob("training*.npz"))
SURROGATES = {"Sigmoid": "sigmoid", "InvSquareGrad": "inv_square_grad", "Arctan": "arctan"}
BACKENDS = ("numpy", "c")


def run_case(name, backend, dtype="float64", threads=1):
    """The case's data, our recording of it, and the gradients of its loss."""
    data = np.load(DATA / "brainpy" / f"{name}.npz")
    config = json.loads(str(data["config"]))
    model = iz.load(config["model"])
    for k, current in enumerate(config["currents"]):
        model = model.with_current(f"g{k}*(E{k} - V)", **{f"g{k}": current["g"], f"E{k}": current["E"]})
    kind, arguments = config["surrogate"]
    pop = model.population(
        config["n"],
        dt=config["dt"],
        method=config["method"],
        backend=backend,
        dtype=dtype,
        threads=threads,
        surrogate=getattr(iz.surrogates, SURROGATES[kind])(**arguments),
        detach_spike="all" if config["detach_spk"] else False,
        V=data["V0"],
        u=data["u0"],
        **config["parameters"],
    )
    recording = pop.run(steps=config["steps"], record=["V", "u", "spike"], I=data["I"], tape=True)
    weights = np.cos(np.arange(config["steps"]))[:, None]
    return data, recording, recording.backward({"spike": weights, "V": 1e-3 * weights})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.sample(4)
def test_gradients(name, backend):
    data, recording, gradient = run_case(name, backend)
    np.testing.assert_array_equal(recording["spike"], data["spike"].astype(bool))
    for ours, theirs in (("I", "grad_I"), ("V0", "grad_V0"), ("u0", "grad_u0")):
        assert gradient[ours].shape == data[theirs].shape
        largest = np.abs(data[theirs]).max()
        assert np.abs(gradient[ours] - data[theirs]).max() <= 1e-8 * largest, (ours, largest)


def test_all_cases_are_here():
    assert len(CASES) == 4
