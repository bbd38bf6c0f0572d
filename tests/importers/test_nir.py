"""NIR's nodes against NumPy steps of their definition, weights as matrices, what is not read, hostile files."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model, importers
from izhigen.errors import IzhigenError, ModelError, ModelNotFoundError
from izhigen.importers.nir import from_nir, read_graph
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


def linked(edges, **nodes):
    """A graph of an input, five neurons, an output, and other nodes."""
    found = {"in": nir.Input({"input": np.array([N])}), "lif": NODES["LIF"]()}
    found |= {"out": nir.Output({"output": np.array([N])}), **nodes}
    return nir.NIRGraph(found, edges, {}, type_check=False)


THROUGH = [("in", "lif"), ("lif", "out")]


def test_what_is_left_open_is_said():
    graph = network()[0]
    graph.metadata = {"by": "someone"}
    graph.nodes["lif"].metadata = {"device": 3, "bits": 8}
    report = from_nir(graph, Model, second=10).report
    assert report == (
        "times are in units of 10 ms",
        "inputs are held during a step: frameworks give a spike as 1, and a pulse of area 1 is 10/dt",
        "states begin at 0",
        "metadata of the graph is left out: 'by'",
        "metadata of node lif is left out: 'device', 'bits'",
        "connections go round through lif, li: no delay is said of them",
    )


def test_what_leads_nowhere_is_said():
    loose = {"w": nir.Linear(np.eye(N)), "x": nir.Input({"input": np.array([2])})}
    loose["o"] = nir.Output({"output": np.array([2])})
    report = from_nir(linked([*THROUGH, ("lif", "w")], **loose), Model).report
    assert report[3:] == (
        "node w is left out: what it gives goes nowhere",
        "node x is left out: what it gives goes nowhere",
        "nothing goes into output o",
    )
    assert len(from_nir(linked(THROUGH), Model).report) == 3


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([("in", "lif"), ("in", "lif")], "two edges go from in to lif"),
        ([("lif", "in")], "from lif to in, into an input"),
        ([("out", "lif")], "from out to lif, into an input or out of an output"),
        ([("in", "lfi")], "names 'lfi', which is no node; did you mean 'lif'"),
        ([("w", "lif")], "nothing goes into node w, which goes on to lif"),
    ],
)
def test_edges_without_a_meaning_are_refused(edges, message):
    graph = linked(edges, w=nir.Affine(np.eye(N), np.ones(N)))
    with pytest.raises(ModelError, match=message):
        from_nir(graph, Model)


OTHERS = {
    "Conv2d": lambda: nir.Conv2d((4, 4), np.ones((1, 1, 3, 3)), 1, 0, 1, 1, np.zeros(1)),
    "Flatten": lambda: nir.Flatten({"input": np.array([1, N])}, 0, -1),
    "SumPool2d": lambda: nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
    "Delay": lambda: nir.Delay(np.full(N, 0.001)),
    "Threshold": lambda: nir.Threshold(np.ones(N)),
    "NIRGraph": lambda: linked(THROUGH),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_nodes_are_refused_by_name(what, tmp_path):
    graph = linked(THROUGH, other=OTHERS[what]())
    hint = "put the nodes of the graph within" if what == "NIRGraph" else "those read are LIF, LI, CubaLIF"
    with pytest.raises(ModelError, match=f"node 'other' is of type {what}; .*{hint}"):
        from_nir(graph, Model)
    nir.write(tmp_path / "x.nir", graph)
    with pytest.raises(ModelError, match=f"(of type '?{what}|not a NIR graph)"):
        read_graph(tmp_path / "x.nir", Model)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("r", np.full(N, 1j), "r of node lif is no array of real numbers"),
        ("r", np.full(N, "1a"), "r of node lif is no array of real numbers"),
        ("v_leak", np.full(N, np.inf), "v_leak of node lif is not finite"),
        ("tau", np.zeros(N), "tau of node lif is not positive"),
        ("v_reset", np.zeros(N + 1), r"differ in shape \(tau \(5,\), .*v_reset \(6,\)"),
    ],
)
def test_values_that_are_none_are_refused(name, value, message):
    graph = linked(THROUGH)
    setattr(graph.nodes["lif"], name, value)
    with pytest.raises(ModelError, match=message):
        from_nir(graph, Model)


@pytest.mark.parametrize("second", [0, -1.0, np.inf, "1 s", None])
def test_a_unit_of_time_is_positive(second):
    with pytest.raises(ModelError, match="second"):
        from_nir(linked(THROUGH), Model, second=second)


def test_a_key_of_metadata_is_no_type_of_a_node(tmp_path):
    graph = linked(THROUGH)
    graph.nodes["lif"].metadata = {"type": "hand-made"}
    nir.write(tmp_path / "x.nir", graph)
    assert "metadata of node lif is left out: 'type'" in read_graph(tmp_path / "x.nir", Model).report


def test_a_model_by_its_path(tmp_path):
    lif = nir.LIF(*(np.full(4, value) for value in (0.02, 2.0, 0.0, 1.0)))
    nir.write(tmp_path / "x.nir", graph_of(a=lif, b=NODES["LI"]()))
    model = iz.load(f"{tmp_path / 'x.nir'}:a")
    assert model.parameters["tau"] == 20.0 and model.units["tau"] == "ms"
    report = importers.read(tmp_path / "x.nir", "a", Model).report
    assert report[-1] == "a has 4 neurons with the same parameters, and the model is of one"
    nir.write(tmp_path / "w.nir", nir.NIRGraph.from_list(nir.Affine(np.eye(4), np.ones(4)), lif, lif))
    report = importers.read(tmp_path / "w.nir", "lif", Model).report
    assert report[-1] == "what affine gives lif is left out; read_graph gives weights and biases"
    assert "what lif gives lif_1" in importers.read(tmp_path / "w.nir", "lif_1", Model).report[-1]
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


def put_elsewhere(file):
    """Numbers that are the bytes of another file."""
    secret = Path(file.filename).with_name("secret")
    secret.write_bytes(b"secret12" * 2 * N)
    del file["node/nodes/w2/weight"]
    file["node/nodes/w2"].create_dataset("weight", (2, N), "f8", external=[(str(secret), 0, 16 * N)])


def put_virtually(file):
    other = Path(file.filename).with_name("other.h5")
    with h5py.File(other, "w") as made:
        made["x"] = np.ones((2, N))
    layout = h5py.VirtualLayout((2, N), "f8")
    layout[:] = h5py.VirtualSource(str(other), "x", (2, N))
    del file["node/nodes/w2/weight"]
    file["node/nodes/w2"].create_virtual_dataset("weight", layout)


def put_twice(file):
    file["node/nodes/w2/again"] = file["node/nodes"]


CHANGES = [
    (put_elsewhere, "'weight' lie in another file"),
    (put_virtually, "'weight' lie in another file"),
    (put_twice, "has a second name"),
    (put("node/nodes/w2/weight", np.ones((2, N)) * 1j), "no array of real numbers"),
    (put("node/nodes/w2/long", np.zeros(2, "S500000000")), "more than"),
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


def test_as_many_neurons_as_memory_holds_need_no_matrix(tmp_path):
    count = 20_000
    ones = np.ones(count)
    nodes = {
        "in": nir.Input({"input": np.array([3])}),
        "narrow": nir.Linear(np.ones((count, 3))),
        "lif": nir.LIF(ones, ones, ones, ones),
        "w": nir.Linear(np.ones((2, count))),
        "out": nir.Output({"output": np.array([2])}),
    }
    edges = [("in", "narrow"), ("narrow", "lif"), ("lif", "w"), ("w", "out")]
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes, edges, {}))
    shapes = [each.weights.shape for each in read_graph(tmp_path / "x.nir", Model).connections]
    assert shapes == [(count, 3), (2, count)]
    del nodes["narrow"]
    nodes["in"] = nir.Input({"input": np.array([count])})
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes, [("in", "lif"), *edges[2:]], {}))
    assert iz.load(f"{tmp_path / 'x.nir'}:lif").parameters["tau"] == 1000.0
    with pytest.raises(ModelError, match="a matrix of 20,000 rows"):
        read_graph(tmp_path / "x.nir", Model)


def test_ways_between_nodes_are_counted():
    nodes = {"li": nir.LI(*np.ones((3, 2)))}
    layers = [[f"w{depth}_{one}" for one in range(12)] for depth in range(5)]
    nodes |= {name: nir.Linear(np.eye(2)) for layer in layers for name in layer}
    edges = [(a, b) for one, other in pairwise(layers) for a in one for b in other]
    edges += [("li", name) for name in layers[0]] + [(name, "li") for name in layers[-1]]
    with pytest.raises(ModelError, match="more than 10,000 ways"):
        from_nir(nir.NIRGraph(nodes, edges, {}, type_check=False), Model)


def test_without_nir_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ModelError, match=r"pip install 'izhigen\[nir\]'"):
        iz.load(str(tmp_path / "x.nir"))
