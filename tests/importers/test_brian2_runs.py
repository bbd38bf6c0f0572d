"""Neurons of Brian2's examples: every spike in the step in which Brian2 has it, by Euler and RK4 in float64."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.importers.brian2_values import Values
from izhigen.model.unit_checks import check_units
from tests.conftest import DATA
from tests.reference.brian2_models import CASES
from tests.reference.brian2_runs import METHODS, run

STORED = DATA / "brian2"


def model_of(case, name):
    return iz.from_brian2(
        case.equations,
        case.threshold,
        case.reset,
        case.refractory or False,
        case.namespace,
        name=name,
        initial=case.initial,
    )


def spikes_of(case, name, method, backend="c"):
    """Steps and neurons of our spikes, in order."""
    parameter, texts = case.drive
    reader = Values({}, "drive")
    values = np.array([float(reader.read(text, "drive").value) for text in texts])
    model = model_of(case, name)
    pop = model.population(
        len(values), dt=case.dt, method=method, backend=backend, dtype="float64", **{parameter: values}
    )
    times, neurons = pop.run(steps=case.steps).spikes
    steps = np.round(times / case.dt).astype(int) - 1
    order = np.lexsort((neurons, steps))
    return steps[order], neurons[order]


def test_there_are_enough_and_they_spike():
    assert len(CASES) >= 16
    assert sorted(path.stem for path in STORED.glob("*.npz")) == sorted(CASES)
    for name in CASES:
        stored = np.load(STORED / f"{name}.npz")
        for method in METHODS:
            assert len(np.unique(stored[method][1])) >= 2, f"{name}: fewer than two neurons spike"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_the_spikes_of_the_stored_runs(name, method):
    steps, neurons = np.load(STORED / f"{name}.npz")[method].astype(int)
    for backend in ("c", "numpy") if name in ("CUBA", "held_and_read") else ("c",):
        found = spikes_of(CASES[name], name, method, backend)
        np.testing.assert_array_equal(found, (steps, neurons))


@pytest.mark.parametrize("name", CASES)
def test_units_are_there_and_agree(name):
    model = model_of(CASES[name], name)
    check_units(model, strict=True)
    assert all(model.unit_of(other) for other in (*model.gradient_states, *model.parameters, *model.inputs))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.sample(12)
def test_the_spikes_of_brian2_itself(name, method):
    pytest.importorskip("brian2", exc_type=Exception, reason="Brian2 does not work here; its stored runs are compared")
    np.testing.assert_array_equal(spikes_of(CASES[name], name, method), run(CASES[name], method))
