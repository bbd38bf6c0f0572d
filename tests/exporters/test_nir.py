"""Models as NIR's nodes: which are one, proved and not sampled; what is refused, what is said, files and weights."""

import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import izhigen as iz
from izhigen import Model, exporters
from izhigen.cli import cli
from izhigen.errors import BackendError, IzhigenError, ModelError, ValueShapeError
from izhigen.exporters.nir import to_nir
from izhigen.importers.nir import from_nir, read_graph
from izhigen.importers.nir_graph import FORMS, Connection

nir = pytest.importorskip("nir", reason="NIR's files are written by nir")

N = 5
RNG = np.random.default_rng(2)
NODES = {
    name: {each: RNG.uniform(0.5, 2.0, N) / (100 if each in form.times else 1) for each in form.values}
    for name, form in FORMS.items()
}


def imported(what):
    node = getattr(nir, what)(**NODES[what])
    return from_nir(nir.NIRGraph({"cells": node}, [], {}, type_check=False), Model).nodes["cells"]


def exported(model, values=None, shape=(3,)):
    """The node, and the report on it."""
    found = to_nir({"cells": (model, shape, values or {})})
    return found.graph.nodes["cells"], [line for line in found.report if line.startswith("node cells")]


@pytest.mark.parametrize("what", FORMS)
def test_nodes_go_there_and_back(what, tmp_path):
    connection = Connection("in", "cells", RNG.normal(size=(N, 3)), np.ones(N))
    to_nir({"cells": imported(what)}, [connection], path=tmp_path / "x.nir")
    again = nir.read(tmp_path / "x.nir").nodes["cells"]
    assert type(again).__name__ == what
    for name, values in NODES[what].items():
        np.testing.assert_allclose(getattr(again, name), values, rtol=1e-15)
    back = read_graph(tmp_path / "x.nir", Model)
    assert back.nodes["cells"].model.equations == imported(what).model.equations
    np.testing.assert_array_equal(back.connections[0].weights, connection.weights)
    np.testing.assert_array_equal(back.connections[0].bias, connection.bias)


def test_quantities_are_converted():
    quantity = pytest.importorskip("pint").UnitRegistry().Quantity
    graph = nir.NIRGraph({"n": nir.LIF(*(np.full(N, value) for value in (0.02, 2.0, 0.0, 1.0)))}, [], type_check=False)
    given, plainly = (from_nir(graph, Model, second=second).nodes["n"] for second in (quantity(1.0, "s"), 1000.0))
    assert given.model == plainly.model and given.model.unit_of("tau") == "ms"
    tau = quantity(np.full(N, 0.01), "s")
    written = to_nir({"n": (given.model, (N,), {**given.values, "tau": tau})}, second=quantity(1.0, "s")).graph
    np.testing.assert_allclose(written.nodes["n"].tau, 0.01)
    for call in (
        lambda: to_nir({"n": (given.model, (N,), {"tau": quantity(1.0, "V")})}),
        lambda: from_nir(graph, Model, second=quantity(1.0, "V")),
        lambda: Connection("a", "b", np.eye(2), np.zeros(2)).apply(quantity([1.0, 2.0], "V")),
    ):
        with pytest.raises(IzhigenError, match="given in volt|brings a unit"):
            call()


def test_a_model_of_ones_own_is_recognized():
    lif = Model(
        "Own",
        "leak = g*(V - E) : pA\ndV/dt = (J - leak)/C : mV",
        threshold="V >= V_th",
        reset="V = E - 2*mV",
        parameters={"g": 10.0, "E": -70.0, "C": 200.0, "V_th": -50.0, "mV": 1.0},
        inputs=["J"],
        initial={"V": "E"},
    )
    node, report = exported(lif, {"g": np.array([5.0, 10.0, 20.0])})
    assert type(node).__name__ == "LIF"
    np.testing.assert_allclose(node.tau, [0.04, 0.02, 0.01])
    np.testing.assert_allclose(node.r, [0.2, 0.1, 0.05])
    np.testing.assert_allclose(node.v_leak, -70.0)
    np.testing.assert_array_equal(node.v_threshold, -50.0)
    np.testing.assert_array_equal(node.v_reset, -72.0)
    assert report == [
        "node cells: its values begin at V = E here, and NIR says nothing of where",
        "node cells: its numbers, without units in NIR, are for V in mV",
        "node cells: at its threshold it spikes here (V >= V_th), and in NIR above it only",
    ]


SYNAPSE = "ds/dt = -s/t_s + k*J\ndV/dt = (E - V)/t_m + s/C"
NUMBERS = {"t_s": 4.0, "k": 0.5, "E": -2.0, "t_m": 20.0, "C": 8.0}


@pytest.mark.parametrize("turned", [False, True])
def test_a_synaptic_current_of_ones_own_is_recognized(turned):
    lines = "\n".join(SYNAPSE.splitlines()[:: -1 if turned else 1])
    own = Model("Own", lines, "2*V > 2", "V = -1", NUMBERS, ["J"])
    node, report = exported(own)
    assert type(node).__name__ == "CubaLIF" and not report
    expected = {"tau_syn": 0.004, "tau_mem": 0.02, "r": 2.5, "v_leak": -2.0, "w_in": 2.0}
    for name, value in {**expected, "v_threshold": 1.0, "v_reset": -1.0}.items():
        np.testing.assert_allclose(getattr(node, name), value, rtol=1e-15)
    assert type(exported(own.variant(threshold=None, reset=None))[0]).__name__ == "CubaLI"


def test_an_integrator_of_ones_own_is_recognized():
    own = Model("Own", "dV/dt = k*J", "V > 1", "V = 0", {"k": 0.25}, ["J"])
    node, _ = exported(own)
    assert type(node).__name__ == "IF" and np.all(node.r == 250.0)


LIF = Model("L", "dV/dt = (I - V)/10", "V > 1", "V = 0", inputs=["I"], parameters={"k": 1.0})
CUBA = Model("C", "ds/dt = (I - s)/5\ndV/dt = (s - V)/10", "V > 1", "V = 0", inputs=["I"])


def other(equation, of=LIF):
    return of.variant(equations=equation)


NOT_NIR = [
    (iz.load("Izhikevich"), "dV/dt is not linear in V, u, I"),
    (iz.load("GifLTC"), "one input and one state, or two"),
    (iz.load("HodgkinHuxley"), "no node for currents"),
    (LIF.with_current("k - V", to="I"), "no node for currents"),
    (other("dV/dt = (I - V + V**2)/10"), "not linear in V, I"),
    (other("dV/dt = (I**2 - V)/10"), "not linear in V, I"),
    (other("dV/dt = (I*V - V)/10"), "not linear in V, I"),
    (other("dV/dt = (I + V)/10"), "does not decay"),
    (other("dV/dt = I + 1"), "drifts without a leak"),
    (other("dV/dt = (I - V + t)/10"), "reads t"),
    (other("dV/dt = (I - V)/(10 + dt)"), "reads dt"),
    (other("dV/dt = (I - V + t - t_last_spike)/10"), "reads .*t_last_spike"),
    (LIF.with_refractory(2.0), "refractory period"),
    (LIF.with_noise(V=1.0), "noise"),
    (LIF.with_part(events={"e": iz.Event("V < 0", "V = 0")}), "the event e"),
    (LIF.with_part(on_event={"e": "V = V + e"}), "on_event"),
    (LIF.variant(reset="V = V - 1"), "reset: .* does not vary"),
    (LIF.variant(reset="V = -I"), "reset: .* does not vary"),
    (LIF.variant(reset="V = old(V)"), "reset: .* does not vary"),
    (LIF.variant(reset=None), "spikes where its threshold begins to hold"),
    (LIF.variant(trigger="rising"), "spikes where its threshold begins to hold"),
    (LIF.variant(reset=None, trigger="level"), "reset: .* and nothing else"),
    (LIF.variant(threshold="V > I"), "threshold: .* does not vary"),
    (LIF.variant(threshold="V**2 > 1"), "threshold is not linear"),
    (LIF.variant(threshold="abs(V) > 1"), "threshold is not linear"),
    (LIF.variant(threshold="V < 1"), "threshold: .* does not vary"),
    (LIF.variant(threshold="-V > 1"), "threshold: .* does not vary"),
    (LIF.variant(threshold="old(V) > 1"), r"threshold reads old\(V\)"),
    (LIF.variant(threshold="V > 1 + 0.01*t"), "threshold reads t"),
    (LIF.variant(threshold="V == 1"), "V > a value, and nothing else"),
    (LIF.variant(threshold="V > 1 or V < -1"), "V > a value, and nothing else"),
    (CUBA.variant(threshold="s > 1", reset="s = 0"), "threshold: .* spike when V"),
    (CUBA.variant(threshold="V + s > 1"), "threshold: .* spike when V"),
    (CUBA.variant(reset="V = 0; s = 0"), "reset V to a value, and nothing else"),
    (CUBA.variant(reset="V = s"), "reset: .* does not vary"),
    (other("ds/dt = (I - s)/5\ndV/dt = (s - V + I)/10", CUBA), "I drives V itself"),
    (other("ds/dt = (I - s + 1)/5\ndV/dt = (s - V)/10", CUBA), "s does not decay to 0"),
    (other("ds/dt = I/5\ndV/dt = (s - V)/10", CUBA), "s does not decay in every neuron"),
    (other("ds/dt = (I - s)/5\ndV/dt = s/10", CUBA), "V does not decay in every neuron"),
    (other("ds/dt = (I - s + V)/5\ndV/dt = (s - V)/10", CUBA), "of s and V none is a current"),
    (other("ds/dt = (I - s)/5\ndV/dt = (I - V)/10", CUBA), "of s and V none is a current"),
]


@pytest.mark.parametrize(("model", "message"), NOT_NIR, ids=range(len(NOT_NIR)))
def test_what_does_not_fit_is_said(model, message):
    with pytest.raises(ModelError, match=f"node cells: .*{message}"):
        to_nir({"cells": (model, (2,), {})})


LEAKY = Model(
    "M",
    "dV/dt = (I - g*(V - E))/C",
    "V >= -50",
    "V = E",
    {"g": 10.0, "E": -70.0, "C": 200.0},
    ["I"],
)
HIDDEN = [
    "where(V < -60, 500, 0)",
    "max(0, V - 41)",
    "max(0, -V - 60)**2",
    "max(0, I - 100)",
    "1e-9*where(V > 1e6, V, 0)",
    "heaviside(I - 1e9)",
    "floor(V/1000)*0.001",
    "abs(V - 12345) - 12345 + V",
    "min(V, 1e5) - V",
    "1e-12*V*I",
    "1e-15*V**3",
    "sin(1e-6*I)",
    "clip(I, -1e4, 1e4) - I",
    "exp(-(V - 777)**2)",
    "V*(V - 0)*(V - 1)*(V + 2.5)*(V - 40)",
]
"""What is nothing, or nearly, at most values that one would look at."""


@pytest.mark.parametrize("term", HIDDEN)
def test_what_hides_from_samples_is_refused(term):
    with pytest.raises(ModelError, match="not linear in V, I"):
        exported(other(f"dV/dt = (I - g*(V - E) + {term})/C", LEAKY))
    with pytest.raises(ModelError, match="not linear in V, I"):
        exported(other(f"extra = {term}\ndV/dt = (I - g*(V - E) + extra)/C", LEAKY))
    with pytest.raises(ModelError, match="threshold is not linear"):
        exported(LEAKY.variant(threshold=f"V > -50 + {term}"))
    with pytest.raises(ModelError, match="reset"):
        exported(LEAKY.variant(reset=f"V = E + {term}"))


SAME = [
    "0*V",
    "3*I - I - 2*I",
    "where(g > 3, E, -E) - E",
    "max(g, 1) - g",
    "V**2 - V*(V - 1) - V",
    "(V + I)**2 - V**2 - 2*V*I - I**2",
    "sin(V)**2 + cos(V)**2 - 1",
    "log(exp(V)) - V",
]
"""What is 0 at these parameters, for any V and I."""


@pytest.mark.parametrize("term", SAME)
def test_what_is_linear_however_it_is_written_is_taken(term):
    plain, _ = exported(LEAKY)
    found, _ = exported(other(f"extra = {term}\ndV/dt = (I - g*(V - E) + extra)/C", LEAKY))
    for name in FORMS["LIF"].values:
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-15)


finite = st.floats(0.1, 100.0).map(lambda x: round(x, 3))
places = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))
KINKS = [
    "where({x} > {a}, {b}, 0)",
    "where({x} > {a} and I < {b}, V, 0)",
    "max({x}, {a})",
    "min({x}, {b} - {x})",
    "abs({x} - {a})",
    "sign({x} - {a})",
    "heaviside({x} - {a})*{b}",
    "floor({x}/{b})",
    "clip({x}, {a}, {a} + {b})",
    "tanh({x}/{b})",
    "exp(-({x} - {a})**2)",
    "({x} - {a})**3",
    "V*I/{b}",
    "1/(1 + {x}**2)",
    "{x}*where({x} == {a}, 1, 0)",
]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KINKS), st.sampled_from(["V", "I", "(V + 2*I)"]), places, finite, finite)
def test_a_kink_anywhere_is_refused(kink, x, a, b, factor):
    term = kink.format(x=x, a=f"({a})", b=b)
    with pytest.raises(ModelError, match="not linear in V, I"):
        exported(other(f"dV/dt = (I - g*(V - E) + {factor}*{term})/C", LEAKY))


@settings(max_examples=30, deadline=None)
@given(st.lists(finite, min_size=5, max_size=5), st.booleans(), places)
def test_random_linear_neurons_are_the_same_when_read_again(numbers, is_split, shift):
    """Spikes of the model and of what its file says, step by step."""
    g1, g2, C, gain, low = numbers
    leak = "leak = g1*(V - E) + g2*(V + E)" if is_split else "leak = (g1 + g2)*V + (g2 - g1)*E"
    own = Model(
        "R",
        f"{leak}\ndV/dt = (gain*(I + b) - gain*b - leak)/C",
        "V - E > low/2",
        "V = E - low",
        {"g1": g1, "g2": g2, "C": 10 * C, "gain": gain * 100, "low": low, "E": 0.5, "b": shift / 1e4},
        ["I"],
        initial={"V": 0.0},
    )
    again = from_nir(to_nir({"cells": (own, (4,), {})}).graph, Model).nodes["cells"]
    total = g1 + g2
    drive = 3 * (1 + low) * total / (gain * 100) * np.random.default_rng(0).random((300, 4))
    steps = {"dt": C / total, "dtype": "float64", "backend": "numpy", "method": "exp_euler"}
    ours = own.population(4, **steps).run(steps=300, record=["V", "spike"], I=drive)
    theirs = again.population(**steps).run(steps=300, record=["v", "spike"], I=drive)
    assert ours["spike"].sum() > 20
    np.testing.assert_array_equal(ours["spike"], theirs["spike"])
    np.testing.assert_allclose(theirs["v"], ours["V"], rtol=1e-6, atol=1e-6 * (1 + abs(shift / 1e4)))


# -- graphs -----------------------------------------------------------------------------------------------------------


def weights(rows, columns):
    return RNG.normal(size=(rows, columns)), np.zeros(rows)


def test_a_graph_says_what_it_is_for_nir():
    links = [
        Connection("in", "a", *weights(N, 2)),
        Connection("a", "a", *weights(N, N)),
        Connection("a", "b", *weights(6, N)),
    ]
    nodes = {"a": imported("LIF"), "b": (LIF, (2, 3), {"k": np.ones((2, 3))}), "weights_1": (LIF, (1,), {})}
    found = to_nir(nodes, links, second=1)
    assert found.report == (
        "times are in units of 1 ms",
        "node b: its neurons of shape (2, 3) are in a row, as weights take them",
        "inputs of the graph: in, input_weights_1; outputs: output_b, output_weights_1",
    )
    kinds = {name: type(node).__name__ for name, node in found.graph.nodes.items()}
    assert kinds["weights_1"] == "LIF" and kinds["weights_1_"] == "Linear" and kinds["in"] == "Input"
    assert found.graph.nodes["b"].tau.shape == (6,) and found.graph.nodes["b"].tau[0] == 10.0
    back = from_nir(found.graph, Model, second=1)
    assert {(c.source, c.target) for c in back.connections} >= {("in", "a"), ("a", "a"), ("a", "b")}
    assert exported(LIF, shape=(2, 3))[0].tau.shape == (2, 3)


WRONG = [
    ([Connection("in", "a", *weights(4, 2))], "a has 5 values, and weights of a connection are for 4"),
    ([Connection("in", "a", *weights(5, 2)), Connection("in", "a", *weights(5, 3))], "in has 2 values, .* for 3"),
    ([Connection("in", "a", np.ones((5, 2)), np.ones(4))], r"bias \(4,\)"),
    ([Connection("in", "a", np.ones(5), np.ones(5))], r"weights have shape \(5,\)"),
    ([Connection("in", "a", np.full((5, 2), np.nan), np.ones(5))], "weights are not finite"),
    ([Connection("in", "a", "x", np.ones(5))], "connection from 'in' to 'a': weights"),
    ([Connection("a", "o", *weights(5, 5)), Connection("o", "a", *weights(5, 5))], "come from o and go to it"),
    ([Connection("in", "a/b", *weights(5, 5))], "'a/b' is no name of a node"),
    ([Connection("a", "a", *weights(5, 5))], "NIR refuses the graph"),
]


@pytest.mark.parametrize(("links", "message"), WRONG, ids=range(len(WRONG)))
def test_weights_that_do_not_fit_are_refused(links, message):
    with pytest.raises(IzhigenError, match=message):
        to_nir({"a": imported("LIF")}, links)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("a", (LIF, (2,), {"q": 1.0}), "node a: L has no parameter 'q'"),
        ("a", (LIF, (2,), {"V": 1.0}), "node a: V is given values, and NIR says nothing of where states begin"),
        ("a", (LIF, (2,), {"k": np.ones(3)}), r"node a: k has shape \(3,\), and the neurons \(2,\)"),
        ("a", (LIF, (2,), {"k": [1.0, np.nan]}), "node a: k is not finite"),
        ("a", (LIF, (2,), {"k": "x"}), "node a: k"),
        ("a", (LEAKY, (2,), {"C": [1.0, 0.0]}), "node a: .* is not finite in every neuron"),
        ("a", (LEAKY, (2,), {"g": [1.0, -1.0]}), "node a: V does not decay in every neuron"),
        ("a", (LEAKY, (2,), {"g": [1.0, 0.0]}), "node a: V does not decay in every neuron"),
        ("a", (LIF, (2, 0), {}), r"node a: \(2, 0\) is no shape"),
        ("a", (LIF, 2, {}), r"node a: give a Node, or \(model, shape, values\)"),
        ("a", (LIF, (2,)), r"node a: give a Node, or \(model, shape, values\)"),
        ("a", ("LIF", (2,), {}), "node a: give a model"),
        ("a/b", (LIF, (2,), {}), "'a/b' is no name of a node"),
        (3, (LIF, (2,), {}), "3 is no name of a node"),
    ],
)
def test_nodes_that_are_none_are_refused(name, given, message):
    with pytest.raises(ModelError, match=message):
        to_nir({name: given})


def test_a_unit_of_time_is_positive():
    with pytest.raises(ModelError, match="second"):
        to_nir({"a": imported("LIF")}, second=0)


# -- files ------------------------------------------------------------------------------------------------------------


def test_the_library_has_four_models_that_are_neurons_of_nir():
    """Which names are refused is told above; these are the ones that are not."""
    found = {}
    for name in iz.list_models():
        try:
            found[name] = exporters.write(iz.load(name), "nir")
        except ModelError as problem:
            assert str(problem).startswith(f"node {name}: ")
    assert set(found) == {"IF", "IFLTC", "Lif", "LifLTC"}
    assert all(isinstance(content, bytes) for content in found.values())


def test_a_file_is_the_same_again_and_holds_the_report(tmp_path):
    lif = iz.load("Lif")
    content = exporters.write(lif, "nir")
    assert content == exporters.write(lif, "nir")
    (tmp_path / "x.nir").write_bytes(content)
    graph = nir.read(tmp_path / "x.nir")
    head, *lines = graph.metadata["izhigen"].splitlines()
    assert head.startswith("Generated by izhigen ")
    assert tuple(lines) == exporters.report(lif, "nir")
    assert lines[1:] == [
        "node Lif: its numbers, without units in NIR, are for V in mV, I in nA",
        "node Lif: at its threshold it spikes here (V >= V_th), and in NIR above it only",
        "inputs of the graph: input_Lif; outputs: output_Lif",
    ]
    assert exporters.report(iz.load("RS"), "neuroml") == ()


def test_emit_writes_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def emit(*arguments):
        return CliRunner().invoke(cli, ["emit", "Lif", "--target", "nir", *arguments])

    for _ in range(2):  # its own file may be written again
        result = emit("-o", "x.nir", "--set", "tau=20")
        assert result.exit_code == 0, result.output
        assert "wrote x.nir" in result.output and "report: times are in units of 1000 ms" in result.output
    assert iz.load("x.nir").parameters["tau"] == 20.0
    assert iz.load("Lif").emit("y.nir", target="nir").read_bytes() == exporters.write(iz.load("Lif"), "nir")
    nir.write("theirs.nir", nir.NIRGraph({"cells": nir.LIF(*np.ones((4, 1)))}, [], {}, type_check=False))
    for arguments, match in (
        (["-o", "theirs.nir"], "was not written by izhigen"),
        (["-o", "."], "folder"),
        (["-o", ""], "--out is empty"),
        ([], "files of target 'nir' are no text; .*-o x.nir"),
        (["-o", "z.nir", "--dtype", "float64"], "leave out dtype"),
    ):
        result = emit(*arguments)
        assert result.exit_code != 0
        assert re.search(match, str(result.exception) + result.output)
    assert emit("-o", "theirs.nir", "--force").exit_code == 0
    with pytest.raises(BackendError, match=r"model.emit\('x.nir', target='nir'\)"):
        iz.load("Lif").source("nir")
    with pytest.raises(ValueShapeError, match="is not a path"):
        iz.load("Lif").emit(3.5, target="nir")
    with pytest.raises(IzhigenError, match="cannot be written"):
        to_nir({"a": imported("LIF")}, path=tmp_path / "no" / "x.nir")
    assert not (tmp_path / "z.nir").exists()


def test_without_nir_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(ModelError, match=r"pip install 'izhigen\[nir\]'"):
        exporters.write(iz.load("Lif"), "nir")
