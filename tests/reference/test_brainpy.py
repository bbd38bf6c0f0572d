"""BrainPy 2.8.2's traces, in float64: every spike, and the potential within 1e-8 over the first 500 steps."""

import json

import numpy as np
import pytest

import izhigen as iz
from tests.conftest import DATA

CASES = sorted(path.stem for path in (DATA / "brainpy").glob("*.npz") if not path.stem.startswith("training"))


def run_case(name, backend, dtype):
    """The case's data and our recording of it."""
    data = np.load(DATA / "brainpy" / f"{name}.npz")
    config = json.loads(str(data["config"]))
    model = iz.load(config["model"])
    for k, current in enumerate(config["currents"]):
        model = model.with_current(f"g{k}*(E{k} - V)", **{f"g{k}": current["g"], f"E{k}": current["E"]})
    if config["scaling"]:
        model = model.scaled(*map(tuple, config["scaling"]))
    values = {
        key: np.asarray(value) if isinstance(value, list) else value for key, value in config["parameters"].items()
    }
    inputs = {"I": data["I"], **({"V_delta": np.asarray(config["delta"])} if config["delta"] else {})}
    pop = model.population(
        config["n"],
        dt=config["dt"],
        method=config["method"],
        backend=backend,
        dtype=dtype,
        V=data["V0"],
        u=data["u0"],
        **values,
    )
    return data, pop.run(steps=config["steps"], record=["V", "u", "spike"], **inputs).to_host()


def test_all_cases_are_here():
    assert len(CASES) == 19


@pytest.mark.parametrize("name", CASES)
def test_to_the_last_spike(name, request):
    """C and the oracle in every case, a device, which gives the bits of C, in every third."""
    backends = ["c", "numpy"]
    if CASES.index(name) % 3 == 0:
        request.getfixturevalue("device")
        backends.append("cuda")
    for backend in backends:
        check_spikes(name, backend)


def check_spikes(name, backend):
    data, recording = run_case(name, backend, "float64")
    np.testing.assert_array_equal(recording["spike"], data["spike"].astype(bool))
    assert np.abs(recording["V"][:500] - data["V"][:500]).max() < 1e-8
    assert np.abs(recording["u"][:500] - data["u"][:500]).max() < 1e-8


@pytest.mark.parametrize("name", CASES)
def test_float32_spike_counts(name, request):
    """Each case on one of the backends; that these agree is tested elsewhere."""
    backend = ("c", "numpy", "cuda")[CASES.index(name) % 3]
    if backend == "cuda":
        request.getfixturevalue("device")
    data, recording = run_case(name, backend, "float32")
    expected = int(data["spike"].astype(bool).sum())
    assert abs(len(recording.spike_times) - expected) <= 0.02 * expected


def test_time_handed_to_each_step_is_ours():
    data = np.load(DATA / "brainpy" / "dt_0.5.npz")
    np.testing.assert_array_equal(data["t"], np.arange(len(data["t"])) * 0.5)
