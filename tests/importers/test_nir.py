"""NIR's nodes against NumPy steps of their definition, weights as matrices, files there and back, hostile files."""

import sys

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import IzhigenError, ModelError, ModelNotFoundError
from izhigen.importers.nir import Connection, Node, from_nir, read_graph, to_nir
from izhigen.model.unit_checks import check_units

nir = pytest.importorskip("nir", reason="NIR's files are read by nir")
h5py = pytest.importorskip("h5py")

N, DT, STEPS = 5, 0.1, 400
RNG = np.random.default_rng(1)
TAU, TAU_SYN = RNG.uniform(0.005, 0.02, N), RNG.uniform(0.002, 0.01, N)
R, LEAK, W_IN = RNG.uniform(1.0, 3.0, N), RNG.uniform(-0.2, 0.2, N), RNG.uniform(0.5, 1.5, N)
THRESHOLD, RESET = RNG.uniform(0.8, 1.2, N), RNG.uniform(-0.3, 0.1, N)
DRIVE = 1.0 + RNG.random((STEPS, N))
NODES = {
    "LIF": lambda: nir.LIF(tau=TAU, r=R, v_leak=LEAK, v_threshold=THRESHOLD, v_reset=RESET),
    "LI": lambda: nir.LI(tau=TAU, r=R, v_leak=LEAK),
    "CubaLIF": lambda: nir.CubaLIF(
        tau_syn=TAU_SYN, tau_mem=TAU, r=R, v_leak=LEAK, v_threshold=THRESHOLD, v_reset=RESET, w_in=W_IN
    ),
    "CubaLI": lambda: nir.CubaLI(tau_syn=TAU_SYN, tau_mem=TAU, r=R, v_leak=LEAK, w_in=W_IN),
    "IF": lambda: nir.IF(r=100 * R, v_threshold=THRESHOLD, v_reset=RESET),
    "I": lambda: nir.I(r=R),
}


def stepped(node, drive):
    """Forward Euler of a node's own equations, time in seconds: potentials and spikes after each step."""
    dt, what = DT / 1000, type(node).__name__
    v, current = np.zeros(N), np.zeros(N)
    potentials, spikes = [], []
    for given in drive:
        before = current if what.startswith("Cuba") else given
        if what.startswith("Cuba"):
            current = current + dt / node.tau_syn * (-current + node.w_in * given)
        if what in ("I", "IF"):
            v = v + dt * node.r * before
        else:
            v = v + dt / (node.tau_mem if what.startswith("Cuba") else node.tau) * (node.v_leak - v + node.r * before)
        spiking = v > node.v_threshold if what.endswith("F") else np.zeros(N, bool)
        if what.endswith("F"):
            v = np.where(spiking, node.v_reset, v)
        potentials.append(v)
        spikes.append(spiking)
    return np.array(potentials), np.array(spikes)


def graph_of(**nodes):
    return nir.NIRGraph(nodes=nodes, edges=[], metadata={}, type_check=False)


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("what", NODES)
def test_a_node_does_what_its_equations_say(what, backend):
    node = NODES[what]()
    found = from_nir(graph_of(cells=node), Model).nodes["cells"]
    check_units(found.model, strict=True)
    assert found.shape == (N,)
    pop = found.population(dt=DT, method="euler", dtype="float64", backend=backend)
    record = ["v", "spike"] if what.endswith("F") else ["v"]
    run = pop.run(steps=STEPS, record=record, **{found.input: DRIVE})
    potentials, spikes = stepped(node, DRIVE)
    np.testing.assert_allclose(run["v"], potentials, rtol=1e-9, atol=1e-12)
    if what.endswith("F"):
        assert spikes.sum() > 10
        np.testing.assert_array_equal(run["spike"], spikes)


def network():
    """Inputs, weights, neurons, weights and a scale in a row, neurons, an output."""
    first, second = RNG.normal(size=(N, 3)), RNG.normal(size=(2, N))
    nodes = {
        "in": nir.Input({"input": np.array([3])}),
        "w": nir.Affine(weight=first, bias=np.arange(N, dtype=float)),
        "lif": NODES["LIF"](),
        "w2": nir.Linear(weight=second),
        "scale": nir.Scale(scale=np.array([2.0, -1.0])),
        "li": nir.LI(tau=np.full(2, 0.01), r=np.ones(2), v_leak=np.zeros(2)),
        "back": nir.Linear(weight=np.ones((N, 2))),
        "out": nir.Output({"output": np.array([2])}),
    }
    edges = [("in", "w"), ("w", "lif"), ("lif", "w2"), ("w2", "scale"), ("scale", "li"), ("li", "out")]
    edges += [("li", "back"), ("back", "lif")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={}, type_check=False), first, second


def test_weights_between_neurons_are_matrices(tmp_path):
    graph, first, second = network()
    nir.write(tmp_path / "net.nir", graph)
    found = read_graph(tmp_path / "net.nir", Model)
    assert set(found.nodes) == {"lif", "li"} and any("1000 ms" in line for line in found.report)
    ways = {(c.source, c.target): c for c in found.connections}
    assert set(ways) == {("in", "lif"), ("lif", "li"), ("li", "out"), ("li", "lif")}
    np.testing.assert_array_equal(ways["in", "lif"].weights, first)
    np.testing.assert_array_equal(ways["in", "lif"].bias, np.arange(N))
    np.testing.assert_allclose(ways["lif", "li"].weights, np.array([[2.0], [-1.0]]) * second)
    np.testing.assert_array_equal(ways["li", "out"].weights, np.eye(2))
    x = RNG.random((STEPS, 3))
    np.testing.assert_allclose(ways["in", "lif"].apply(x), x @ first.T + np.arange(N))
    assert [c.source for c in found.into("lif")] == ["in", "li"]


def test_a_layer_runs_on_what_the_one_before_it_gave():
    graph, _, second = network()
    found = from_nir(graph, Model)
    (into_lif, _), (into_li,) = found.into("lif"), found.into("li")
    x = 2 * RNG.random((STEPS, 3))
    hidden = found.nodes["lif"].population(dt=DT, method="euler", dtype="float64")
    spikes = hidden.run(steps=STEPS, record="spike", I=into_lif.apply(x))["spike"]
    readout = found.nodes["li"].population(dt=DT, method="euler", dtype="float64")
    v = readout.run(steps=STEPS, record=["v"], I=into_li.apply(spikes))["v"]
    _, expected = stepped(NODES["LIF"](), into_lif.apply(x))
    np.testing.assert_array_equal(spikes, expected)
    w, state = np.array([[2.0], [-1.0]]) * second, np.zeros(2)
    for row, z in zip(v, expected):
        state = state + DT / 10 * (-state + w @ z)
        np.testing.assert_allclose(row, state, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("what", NODES)
def test_nodes_go_there_and_back(what, tmp_path):
    node = NODES[what]()
    found = from_nir(graph_of(cells=node), Model)
    connection = Connection("in", "cells", RNG.normal(size=(N, 3)), np.ones(N))
    to_nir(found.nodes, [connection], path=tmp_path / "x.nir")
    again = nir.read(tmp_path / "x.nir", type_check=False).nodes["cells"]
    assert type(again).__name__ == what
    for name in vars(node):
        if isinstance(value := getattr(node, name), np.ndarray):
            np.testing.assert_allclose(getattr(again, name), value, rtol=1e-13)
    back = read_graph(tmp_path / "x.nir", Model)
    np.testing.assert_array_equal(back.connections[0].weights, connection.weights)


def test_quantities_are_converted():
    quantity = pytest.importorskip("pint").UnitRegistry().Quantity
    given = from_nir(graph_of(n=NODES["LIF"]()), Model, second=quantity(1.0, "s")).nodes["n"]
    plainly = from_nir(graph_of(n=NODES["LIF"]()), Model).nodes["n"]
    assert given.model == plainly.model and given.model.unit_of("tau") == "ms"
    tau = quantity(np.full(N, 0.01), "s")
    written = to_nir({"n": (given.model, (N,), {**given.values, "tau": tau})}, second=quantity(1.0, "s"))
    np.testing.assert_allclose(written.nodes["n"].tau, 0.01)
    with pytest.raises(ModelError, match="n: tau is given in volt, and its unit is ms"):
        to_nir({"n": (given.model, (N,), {"tau": quantity(1.0, "V")})})
    for call in (
        lambda: from_nir(graph_of(), Model, second=quantity(1.0, "V")),
        lambda: to_nir({}, second=0.0),
        lambda: Connection("a", "b", np.eye(2), np.zeros(2)).apply(quantity([1.0, 2.0], "V")),
    ):
        with pytest.raises(IzhigenError, match="given in volt|is not above 0|brings a unit"):
            call()


def test_a_model_of_ones_own_is_recognized():
    lif = Model(
        "Own",
        "leak = g*(V - E) : pA\ndV/dt = (J - leak)/C : mV",
        threshold="V >= V_th",
        reset="V = E - 2*mV",
        parameters={"g": 10.0, "E": -70.0, "C": 200.0, "V_th": -50.0, "mV": 1.0},
        inputs=["J"],
    )
    node = to_nir({"own": (lif, (3,), {"g": np.array([5.0, 10.0, 20.0])})}).nodes["own"]
    assert type(node).__name__ == "LIF"
    np.testing.assert_allclose(node.tau, [0.04, 0.02, 0.01])
    np.testing.assert_allclose(node.r, [0.2, 0.1, 0.05])
    np.testing.assert_allclose(node.v_leak, -70.0)
    np.testing.assert_array_equal(node.v_threshold, -50.0)
    np.testing.assert_array_equal(node.v_reset, -72.0)


LIF = Model("L", "dV/dt = (I - V)/10", "V > 1", "V = 0", inputs=["I"])
NOT_NIR = [
    (iz.load("Izhikevich"), "one state and one input"),
    (LIF.variant(equations="dV/dt = (I - V + V**2)/10"), "not linear"),
    (LIF.variant(equations="dV/dt = (I + V)/10"), "does not decay"),
    (LIF.variant(equations="dV/dt = (I - V + t)/10"), "reads t"),
    (LIF.with_refractory(2.0), "refractory period"),
    (LIF.with_noise(V=1.0), "noise"),
    (LIF.with_part(events={"e": iz.Event("V < 0", "V = 0")}), "the event e"),
    (LIF.variant(reset="V = V - 1"), "varies"),
    (LIF.variant(threshold="V > I"), "varies"),
    (LIF.variant(threshold="V > 1 or V < -1"), "spike when V > a value"),
]


@pytest.mark.parametrize(("model", "message"), NOT_NIR)
def test_what_does_not_fit_is_said(model, message):
    with pytest.raises(ModelError, match=f"node cells: .*{message}"):
        to_nir({"cells": Node(model, (2,), {})})


def test_a_model_by_its_path(tmp_path):
    lif = nir.LIF(*(np.full(4, value) for value in (0.02, 2.0, 0.0, 1.0)))
    nir.write(tmp_path / "x.nir", graph_of(a=lif, b=NODES["LI"]()))
    model = iz.load(f"{tmp_path / 'x.nir'}:a")
    assert model.parameters["tau"] == 20.0 and model.units["tau"] == "ms"
    with pytest.raises(ModelError, match="tau differs among the neurons"):
        iz.load(f"{tmp_path / 'x.nir'}:b")
    with pytest.raises(ModelNotFoundError, match="name one as"):
        iz.load(str(tmp_path / "x.nir"))
    with pytest.raises(ModelNotFoundError, match="no neurons 'c'"):
        iz.load(f"{tmp_path / 'x.nir'}:c")


def bad(tmp_path, change):
    """A file of a good graph that something is done to."""
    path = tmp_path / "bad.nir"
    nir.write(path, network()[0])
    with h5py.File(path, "a") as file:
        change(file)
    return path


def put(name, value):
    def change(file):
        if name in file:
            del file[name]
        file[name] = value

    return change


def nest_groups(file):
    group = file["node/nodes"]
    for _ in range(50):
        group = group.create_group("x")


CHANGES = [
    (put("node/nodes/lif/type", "read"), "of type 'read'"),
    (put("node/nodes/lif/type", "Conv2d"), "of type 'Conv2d'"),
    (put("node/nodes/lif/tau", np.full(N, np.nan)), "not finite"),
    (put("node/nodes/lif/tau", np.full(N, -1.0)), "not positive"),
    (put("node/nodes/lif/tau", "x"), "NIR graph|numbers"),
    (put("node/nodes/w2/weight", np.ones((2, N + 1))), "type mismatch"),
    (put("node/nodes/w2/weight", np.ones((3, N))), "type mismatch"),
    (put("node/nodes/lif/tau", h5py.ExternalLink("/etc/passwd", "/x")), "link to elsewhere"),
    (put("node/nodes/lif/tau", h5py.SoftLink("/node")), "link to elsewhere"),
    (nest_groups, "deeper"),
    (lambda file: file.create_dataset("huge", (10**6, 10**6), "f8", chunks=(1000, 1000)), "more than"),
    (lambda file: file.__delitem__("node"), "not a NIR graph"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=range(len(CHANGES)))
def test_hostile_files(change, message, tmp_path):
    with pytest.raises(IzhigenError, match=message):
        read_graph(bad(tmp_path, change), Model)


@pytest.mark.parametrize("content", [b"", b"\x80\x04.", b"\x89HDF\r\n\x1a\n" + bytes(5000), b"x" * 12_000_000])
def test_files_that_are_none(content, tmp_path):
    path = tmp_path / "x.nir"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="no HDF5 file"):
        iz.load(str(path))


@pytest.mark.parametrize(
    ("weights", "message"), [(np.ones((2, N + 1)), "5 values, and 6"), (np.ones((3, N)), "rows are")]
)
def test_weights_of_another_size_are_refused(weights, message):
    graph, *_ = network()
    graph.nodes["w2"] = nir.Linear(weight=weights)
    with pytest.raises(ModelError, match=message):
        from_nir(graph, Model)


def test_matrices_that_go_round_are_refused():
    nodes = {"a": nir.Linear(np.eye(2)), "b": nir.Linear(np.eye(2)), "li": nir.LI(*np.ones((3, 2)))}
    graph = nir.NIRGraph(nodes, [("a", "b"), ("b", "a"), ("b", "li")], {}, type_check=False)
    with pytest.raises(ModelError, match="goes round"):
        from_nir(graph, Model)


def test_without_nir_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ModelError, match=r"pip install 'izhigen\[nir\]'"):
        iz.load(str(tmp_path / "x.nir"))
