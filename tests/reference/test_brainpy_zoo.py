"""BrainPy 2.8.2's neurons, synapses and outputs, in float64, beside the library's models and parts.

No spike differs, and no state by more than 1e-8 over the first 500 steps. Every file of ``tests/data/zoo`` is claimed.
"""

import json

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from tests.conftest import DATA
from tests.helpers import host

FOLDER = DATA / "zoo"
FILES = {path.stem for path in FOLDER.glob("*.npz")}
SYNAPSES = sorted(name for name in FILES if name.startswith("syn_"))
OUTPUTS = sorted(name for name in FILES if name.startswith("out_"))
NEURONS = sorted(FILES - {*SYNAPSES, *OUTPUTS})
TIGHT = 500
"""Steps over which states are compared."""


def read(name):
    with np.load(FOLDER / f"{name}.npz") as found:
        data = {key: found[key] for key in found.files}
    return data, json.loads(str(data.pop("config")))


def test_every_class_is_here():
    classes = {read(name)[1]["model"] for name in NEURONS}
    integrators = {f"{name}{form}" for name in ("Lif", "ExpIF", "AdExIF", "QuaIF", "AdQuaIF", "Gif") for form in FORMS}
    channels = {f"{name}{form}" for name in ("IF", "HH", "MorrisLecar", "WangBuzsakiHH") for form in ("", "LTC")}
    assert classes == integrators | channels and len(NEURONS) == 38
    assert {read(name)[1]["model"] for name in SYNAPSES} | {"COBA", "CUBA", "MgBlock"} <= set(iz.list_parts())
    assert len(SYNAPSES) == 10 and len(OUTPUTS) == 3


FORMS = ("", "LTC", "Ref", "RefLTC")


# -- neurons ----------------------------------------------------------------------------------------------------------


def neuron(config):
    """The class's model, with the case's currents."""
    model = iz.load(config["model"])
    for k, current in enumerate(config["currents"]):
        model = model.with_current(f"g{k}*(E{k} - V)", **{f"g{k}": current["g"], f"E{k}": current["E"]})
    return model


@pytest.mark.parametrize("name", NEURONS)
def test_defaults_are_brainpys(name):
    data, config = read(name)
    model = iz.load(config["model"])
    assert list(model.states) == config["states"]
    assert set(model.parameters) >= set(config["all_parameters"])
    kept = {key: value for key, value in config["all_parameters"].items() if key not in config["parameters"]}
    assert {key: model.parameters[key] for key in kept} == kept
    if "t_last_spike" in config["extra_states"]:
        pop = model.population(4, dt=config["dt"], backend="numpy", dtype="float64")
        np.testing.assert_array_equal(pop.t_last_spike, data["t_last_spike0"])


@pytest.mark.parametrize("name", NEURONS)
def test_neurons(name, request):
    """C and the oracle in every case, a device in every fourth."""
    backends = ["c", "numpy"]
    if NEURONS.index(name) % 4 == 0:
        request.getfixturevalue("device")
        backends.append("cuda")
    for backend in backends:
        check_neurons(name, backend)


def check_neurons(name, backend):
    data, config = read(name)
    model = neuron(config)
    states = [*config["states"], *config["extra_states"]]
    start = {state: data[f"{state}0"] for state in config["states"]}
    pop = model.population(
        config["n"],
        dt=config["dt"],
        method=config["method"],
        backend=backend,
        dtype="float64",
        **config["parameters"],
        **start,
    )
    record = [*states, *(["spike"] if model.spike else [])]
    recording = pop.run(steps=config["steps"], I=data["I"], record=record).to_host()
    if model.spike:
        np.testing.assert_array_equal(host(recording["spike"]), data["spike"].astype(bool))
        assert data["spike"].sum() > 3
    else:
        assert not data["spike"].any()
    for state in states:
        np.testing.assert_allclose(recording[state][:TIGHT], data[state][:TIGHT], rtol=0, atol=1e-8, err_msg=state)


@pytest.mark.parametrize("name", [name for name in NEURONS if name.endswith("moving")])
def test_a_moving_threshold_decides_by_its_old_value(name):
    """What the cases are for: compared with the new threshold, some spike is another."""
    data, config = read(name)
    model = neuron(config).variant(threshold="V >= V_th")
    start = {state: data[f"{state}0"] for state in config["states"]}
    pop = model.population(
        config["n"], dt=config["dt"], backend="numpy", dtype="float64", **config["parameters"], **start
    )
    recording = pop.run(steps=config["steps"], I=data["I"], record=["spike"])
    assert (recording["spike"] != data["spike"].astype(bool)).any()


def test_a_level_threshold_counts_every_step_of_an_upstroke():
    """What the trigger is for: the same neuron by ``level`` spikes in each step above its threshold."""
    counts = {}
    for trigger in ("auto", "rising", "level"):
        model = iz.load("HH").variant(trigger=trigger, gL=0.3)
        pop = model.population(1, dt=0.01, backend="c", dtype="float64")
        recording = pop.run(100.0, I=10.0, record=["V", "count"])
        counts[trigger] = int(recording["count"][0])
    above = recording["V"][:, 0] >= 20.0
    upstrokes = int((above[1:] & ~above[:-1]).sum())
    assert counts == {"auto": upstrokes, "rising": upstrokes, "level": int(above.sum())}
    assert upstrokes >= 6 and counts["level"] > 30 * upstrokes


# -- synapses ---------------------------------------------------------------------------------------------------------


def passive(**part):
    """A neuron on which a part has no effect but through its current."""
    return Model("Passive", "dV/dt = I", inputs=["I"]).with_part(**part)


@pytest.mark.parametrize("name", SYNAPSES)
def test_synapses(name, backend):
    data, config = read(name)
    model = passive(**iz.part(config["model"]))
    assert {key: model.parameters[key] for key in config["all_parameters"]} == config["all_parameters"]
    assert set(model.states) == {"V", *config["states"]}
    pop = model.population(
        config["n"], dt=config["dt"], method=config["method"], backend=backend, dtype="float64", **config["parameters"]
    )
    for state in config["states"]:
        np.testing.assert_array_equal(host(pop.state[state]), data[f"{state}0"], err_msg=f"{state} at the start")
    recording = pop.run(steps=config["steps"], pre=data["pre"], record=[*config["states"], "g"]).to_host()
    assert data["pre"].sum() > 20
    for state in config["states"]:
        np.testing.assert_allclose(recording[state], data[state], rtol=0, atol=1e-8, err_msg=state)
    np.testing.assert_allclose(recording["g"], data[config["output"]], rtol=0, atol=1e-8, err_msg="g")


@pytest.mark.parametrize(
    ("name", "bound", "steps"), [("AMPA", "g", {5, 6}), ("GABAa", "g", {10, 11}), ("BioNMDA", "x", {5, 6})]
)
def test_transmitter_is_there_as_long_as_double_precision_says(name, bound, steps, backend):
    """The difference of two times in steps of 0.1 ms falls on either side of ``T_dur``, by when the spike comes.

    What binds transmitter rises in the steps in which it is there.
    """
    pre = np.eye(60, 40)  # a spike in the k-th step for neuron k
    model = passive(**iz.part(name))
    recording = model.population(40, dt=0.1, backend=backend, dtype="float64").run(
        steps=60, pre=pre, record=[bound, "arrival"]
    )
    times = np.arange(60) * 0.1
    expected = [((times[k:] - times[k]) < model.parameters["T_dur"]).sum() for k in range(40)]
    found = (np.diff(host(recording[bound]), axis=0, prepend=0.0) > 0).sum(axis=0)
    np.testing.assert_array_equal(found, expected)
    assert set(expected) == steps
    np.testing.assert_array_equal(host(recording["arrival"]), pre.astype(bool))


# -- outputs ----------------------------------------------------------------------------------------------------------


def current_of(model, V, g, scaling):
    """The current that an output gives at potentials and conductances: by what it adds to V in a step of 1 ms."""
    pop = model.population(V.shape[0], dt=1.0, method="euler", backend="numpy", dtype="float64", V=V)
    pop.step(g=g)
    return pop.V - V


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs(name):
    data, config = read(name)
    for case, V, expected in zip(config["cases"], data["V"], data["current"]):
        given = {**config["defaults"], **case["parameters"]}
        cell = Model("Cell", "dV/dt = I + 0*g", threshold="V > 1000", reset="V = 0", inputs=["I", "g"])
        part = iz.part(config["model"])
        assert {key: part["parameters"][key] for key in config["defaults"]} == config["defaults"]
        if case["scaling"] and config["model"] == "CUBA":  # g is then a current in scaled units, as the neuron is
            model = cell.scaled(*map(tuple, case["scaling"])).with_part(**part)
        else:
            model = cell.with_part(**part).variant(**given)
            model = model.scaled(*map(tuple, case["scaling"])) if case["scaling"] else model
        found = current_of(model, V, data["g"], case["scaling"])
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-8)
