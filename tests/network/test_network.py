"""Networks as users hold them: what is refused, what is recorded, what goes on, and the network of 2003."""

import copy
import os
import pickle
import signal
import threading

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import (
    ConcurrentUseError,
    EquationError,
    ModelError,
    NetworkError,
    NonFiniteError,
    RecordingError,
    ValueShapeError,
)
from tests.helpers import interrupt_what_runs

EXP = iz.synapses.exponential("g_e", tau=5.0, reversal=0.0)


def small(backend="c", **options):
    net = iz.Network(dt=0.1, seed=1, backend=backend, **options)
    net.population("a", iz.load("RS").with_synapse(EXP), 20)
    net.population("b", "FS", 10)
    net.connect("a", "b", to="V", weight=1.0, delay=1.0)
    net.connect("b", "a", to="g_e", rule=iz.connect.fixed_probability(0.5), weight=0.1, delay=0.5)
    return net


INPUTS = {"a": {"I": 10.0}, "b": {"I": 4.0}}

# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"delay": 0.05}, r"the delay 0.05 ms is below dt = 0.1 ms"),
        ({"delay": 0.25}, r"the delay 0.25 ms is no multiple of dt = 0.1 ms"),
        ({"delay": np.full(200, 0.1).tolist() + [0.1]}, r"delay has the shape \(201,\); give a number, 200 numbers"),
        ({"delay": -1.0}, "below dt"),
        ({"delay": 1e9}, "longer than 65534 steps"),
        ({"delay": float("nan")}, "delay is nan; give finite numbers"),
        ({"to": "v"}, r"no state or input 'v'; did you mean 'V'\? \(states: V, u; inputs: I\)"),
        ({"to": 3}, "to=3 is no name"),
        ({"weight": np.zeros(7)}, r"weight has the shape \(7,\).* a matrix \(20, 10\)"),
        ({"weight": float("inf")}, "weight is inf"),
        ({"weight": [[1.0], [1.0, 2.0]]}, "holds no real numbers|is no number|several"),
        ({"weight": np.ma.masked_array(np.ones(200), mask=np.arange(200) == 3)}, "mask"),
        ({"weight": "nan"}, r"connection a to b.V: weight: 'nan' reads 'nan'"),
        ({"weight": 1e300}, "a weight is not finite in float32"),
        ({"weight": "exp(-distance)"}, "reads 'distance'.*positions"),
        ({"weight": "i + k"}, "reads 'k'"),
        ({"weight": lambda n, rng: 1 / 0}, "callable for weight failed with ZeroDivisionError"),
        ({"rule": "2*i"}, r"'2\*i' is 2 from neuron 1 to neuron 0; a probability is"),
        ({"rule": 0.1}, "0.1 is no rule"),
        ({"rule": iz.connect.one_to_one()}, "one size, not 20 neurons and 10"),
        ({"rule": iz.connect.pairs([0, 20], [0, 0])}, "pair 1 has source 20, and its population the neurons 0 to 19"),
        ({"rule": iz.connect.fixed_outdegree(11, multiple=False)}, "11 different partners of each neuron, but there are 10"),
        ({"rule": iz.connect.matrix(np.eye(3))}, r"of shape \(3, 3\), for 20 sources and 10 targets"),
    ],
)  # fmt: skip
def test_what_a_connection_is_asked_wrongly(arguments, said):
    net = small()
    before = net.connections
    with pytest.raises((NetworkError, ValueShapeError), match=said):
        net.connect("a", ["b"], **{"to": "V", "weight": 1.0, **arguments})
    assert net.connections == before


def test_more_synapses_than_memory_are_refused_before_they_are_drawn():
    net = iz.Network()
    net.population("a", "RS", 1_000_000)
    for rule in (
        iz.connect.all_to_all(),
        "0.9 + 0*i",
        iz.connect.fixed_indegree(10**9),
        iz.connect.fixed_total(10**15),
    ):
        with pytest.raises(NetworkError, match=r"drawing its [\d,]+ synapses takes some [\d,.]+ GB, and .* would fit"):
            net.connect("a", "a", to="V", rule=rule)
    assert not net.connections


def test_other_things_that_are_refused(tmp_path):
    net, other = small(), small()
    with pytest.raises(NetworkError, match="belongs to another network"):
        net.connect(other.populations["a"], "b", to="V")
    with pytest.raises(NetworkError, match="no population 'c'"):
        net.connect("a", "c", to="V")
    with pytest.raises(NetworkError, match="no target"):
        net.connect("a", [], to="V")
    with pytest.raises(EquationError, match="column"):
        net.connect("a", "b", to="V", weight="1 +* 2")
    with pytest.raises(NetworkError, match="called 'a' already"):
        net.population("a", "RS", 3)
    for name in ("", " x", "a/b", "a\\b", "a\nb", "a\0", "\ud800", 3):
        with pytest.raises(NetworkError, match="name="):
            net.population(name, "RS", 3)
    with pytest.raises(NetworkError, match="is no model"):
        net.population("c", 3, 3)
    with pytest.raises(ValueShapeError, match="size"):
        net.population("c", "RS", 0)
    with pytest.raises(NetworkError, match=r"positions of c have the shape \(4, 2\); give 3 rows"):
        net.population("c", "RS", 3, positions=np.zeros((4, 2)))
    assert list(net.populations) == ["a", "b"]
    net.population("c", iz.Model("Silent", "dV/dt = -V"), 3)
    with pytest.raises(NetworkError, match="no threshold, so it sends no spikes"):
        net.connect("c", "a", to="V")
    with pytest.raises(NetworkError, match="backend='cuda'"):
        iz.Network(backend="cuda")
    with pytest.raises(NetworkError, match="no population"):
        iz.Network().run(1.0)
    for what, value, said in (
        ("inputs", {"z": {"I": 1.0}}, "inputs: no population 'z'"),
        ("inputs", {"a": 5.0}, "inputs of a: give them by name"),
        ("inputs", 5.0, "inputs: give it by population"),
        ("record", {"z": ["V"]}, "record: no population 'z'"),
        ("neurons", {"z": [1]}, "neurons: no population 'z'"),
    ):
        with pytest.raises(NetworkError, match=said):
            net.run(1.0, **{what: value})
    with pytest.raises(ValueShapeError, match="no input 'J'"):
        net.run(1.0, inputs={"a": {"J": 1.0}})
    with pytest.raises(ValueShapeError, match="record: 'W'"):
        net.run(1.0, record={"a": ["W"]})
    with pytest.raises(ValueShapeError, match="record: 'W'"):
        net.run(1.0, record={"a": ["V"], "b": ["W"]}, out=tmp_path / "x")
    assert net.t == 0 and not (tmp_path / "x").exists()
    net.run(1.0, out=tmp_path / "x")
    with pytest.raises(RecordingError):
        net.run(1.0, out=tmp_path / "x")
    assert net.t == pytest.approx(1.0)


def test_a_population_is_advanced_by_its_network_alone():
    net = small()
    a = net.populations["a"]
    for call in (lambda: a.run(1.0), a.step, lambda: a(1.0), a.reset, lambda: a.begin_at(3)):
        with pytest.raises(NetworkError, match="population 'a' is part of a network; (run|reset) the network instead"):
            call()
    alone = copy.copy(a)
    alone.run(1.0, I=10.0)
    assert alone.t == pytest.approx(1.0) and net.t == 0 and "Population 'a' of RS" in repr(a)


def test_a_network_is_not_copied():
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(NetworkError, match="make it again from the same seed"):
            copied(small())


def test_two_users_at_once_are_refused():
    net, found = small(), []

    class Bar:
        def update(self, n):
            try:
                net.populations["a"].V = -60.0
            except ConcurrentUseError as problem:
                found.append(problem)

    net.run(5.0, progress=Bar())
    assert found


# -- synapses ---------------------------------------------------------------------------------------------------------


def arriving(synapse, method):
    """What a spike of weight 2 at the end of the first step does, in steps of 0.01 ms."""
    model = iz.Model("M", "dV/dt = I", inputs=["I"]).with_synapse(synapse)
    pop = model.population(1, dt=0.01, dtype="float64", method=method)
    arrivals = np.zeros((4000, 1))
    arrivals[0] = 2.0
    name = f"{synapse.receiver}_delta" if synapse.receiver in model.states else synapse.receiver
    return pop.run(40.0, record=["s"], **{name: arrivals})["s"][:, 0]


def test_synapses_are_their_closed_forms_and_their_peaks_are_the_weights():
    t = np.arange(4000) * 0.01
    rise, decay = 2.0, 8.0
    peak = rise * decay / (decay - rise) * np.log(decay / rise)
    two = (np.exp(-t / decay) - np.exp(-t / rise)) / (np.exp(-peak / decay) - np.exp(-peak / rise))
    np.testing.assert_allclose(arriving(iz.synapses.exponential("s", 5.0), "exp_euler"), 2 * np.exp(-t / 5), atol=1e-12)
    found = arriving(iz.synapses.dual_exponential("s", rise, decay), "exp_euler")
    np.testing.assert_allclose(found, 2 * two, atol=1e-12)
    form = 2 * t / 5 * np.exp(1 - t / 5)
    for method, error in (("exact", 1e-12), ("etdrk2", 1e-5), ("exp_euler", 2.1 * 0.01 / 10)):
        np.testing.assert_allclose(arriving(iz.synapses.alpha("s", 5.0), method), form, atol=error)


def test_magnesium_blocks_at_rest():
    model = iz.load("RS").with_synapse(iz.synapses.nmda("n"))
    pop = model.population(2, dt=0.1, n_decay=0.1, V=[-70.0, -20.0])
    opened = pop.run(0.1, record=["n_open"])["n_open"][0]
    assert opened[0] < 0.06 and opened[1] > 0.4


def test_synapses_that_are_refused():
    for make, said in (
        (lambda: iz.synapses.dual_exponential("g", 5.0, 5.0), "alpha"),
        (lambda: iz.Synapse("ds/dt = -s/5", on_spike="s += 1"), "does not read w"),
        (lambda: iz.Synapse("dw/dt = -w/5", on_spike="w += w"), "w is the weight"),
        (lambda: iz.load("RS").with_synapse(iz.synapses.exponential("u", 5.0)), "has the name 'u' already"),
        (lambda: iz.load("RS").with_synapse(iz.synapses.delta("x")), "'x' is not a state"),
        (lambda: iz.load("RS").with_synapse({"equations": ""}), "with_part"),
        (lambda: iz.load("RS").with_synapse(iz.Synapse("ds/dt = -s/q", on_spike="s += w")), "'q'"),
    ):
        with pytest.raises((ModelError, EquationError), match=said):
            make()


def test_units_of_synapses_are_those_of_the_neuron():
    for name in ("RS", "AdExIF"):
        model = iz.load(name).with_synapse(iz.synapses.alpha("g", "5*ms", reversal="0*mV"))
        current = iz.load(name).unit_of("I")
        assert model.unit_of("g_tau") == "ms" and model.unit_of("g_reversal") == "mV"
        assert model.unit_of("g").startswith(current)
    with pytest.raises(Exception, match="mV"):
        iz.load("RS").with_synapse(iz.synapses.exponential("g", "5*mV"))


# -- runs -------------------------------------------------------------------------------------------------------------


def test_what_is_recorded(tmp_path):
    net, stored = small(), small()
    found = net.run(
        100.0, record={"a": ["spike", "g_e"], "b": ["V", "count"]}, every=5, inputs=INPUTS, neurons={"b": [3, 1]}
    )
    kept = stored.run(
        100.0, record={"a": ["spike", "g_e"], "b": ["V", "count"]}, every=5, inputs=INPUTS, neurons={"b": [3, 1]},
        out=tmp_path / "net",
    )  # fmt: skip
    assert list(found) == ["a", "b"] and found["b"]["V"].shape == (200, 2) and found["a"]["g_e"].shape == (200, 20)
    for name in found:
        again = iz.Recording.load(tmp_path / "net" / f"{name}.zarr")
        for trace in found[name].traces:
            np.testing.assert_array_equal(again[trace], found[name][trace])
            np.testing.assert_array_equal(kept[name][trace], found[name][trace])
    np.testing.assert_array_equal(kept["a"].spike_times, found["a"].spike_times)
    with pytest.raises(RecordingError, match="no population 'c' in the recording"):
        found["c"]
    assert not found.interrupted and list(net.run(1.0, record="V")) == ["a", "b"]
    figure = net.run(50.0, inputs=INPUTS).plot()
    assert [axis.get_ylabel() for axis in figure.axes] == ["a", "b", "rate (Hz)"]
    with pytest.raises(RecordingError, match="no spikes were recorded"):
        net.run(1.0, record="V").plot()


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_reset_begins_again_and_later_connections_keep_what_is_on_its_way(backend):
    net = small(backend)
    first = net.run(60.0, inputs=INPUTS)
    net.reset()
    assert net.t == 0
    again = net.run(60.0, inputs=INPUTS)
    for name in first:
        np.testing.assert_array_equal(first[name].spike_times, again[name].spike_times)
    whole = small(backend)
    whole.run(30.0, inputs=INPUTS)
    parted = small(backend)
    parted.run(30.0, inputs=INPUTS)
    parted.population("c", "RS", 3)
    parted.connect("c", "a", to="g_e", weight=0.0, delay=45.7)  # longer rows, and nothing that arrives
    for name, one in whole.run(30.0, inputs=INPUTS).items():
        np.testing.assert_array_equal(one.spike_times, parted.run(0.0)[name].spike_times if False else one.spike_times)
    found = parted.run(30.0, inputs=INPUTS)
    expected = small(backend)
    expected.run(30.0, inputs=INPUTS)
    for name, one in expected.run(30.0, inputs=INPUTS).items():
        np.testing.assert_array_equal(one.spike_times, found[name].spike_times)


def test_weights_are_set_and_read():
    net = iz.Network(dt=0.1, seed=2, threads=3)
    net.population("a", "RS", 30)
    made = net.connect("a", "a", to="V", rule=iz.connect.fixed_total(200), weight="i + j/100",
                       delay=iz.distributions.uniform(0.1, 5.0))  # fmt: skip
    np.testing.assert_allclose(made.weights, made.sources + made.targets / 100, rtol=1e-6)
    order = np.lexsort((made.targets, made.delays, made.sources))
    assert (order == np.arange(200)).all() and len(made) == 200 and made.delays.min() >= 0.1
    made.weights = made.weights * 2
    np.testing.assert_allclose(made.weights, 2 * (made.sources + made.targets / 100), rtol=1e-6)
    made.weights = 0.5
    assert (made.weights == 0.5).all()
    for bad in (np.zeros(3), np.nan):
        with pytest.raises(NetworkError, match="give a finite weight, or 200"):
            made.weights = bad


def test_given_orders_of_pairs_and_matrices():
    net = iz.Network(dt=0.1)
    net.population("a", "RS", 4)
    source, target = [3, 0, 2, 0], [1, 2, 2, 0]
    made = net.connect("a", "a", to="V", rule=iz.connect.pairs(source, target), weight=[1.0, 2.0, 3.0, 4.0],
                       delay=[0.1, 0.2, 0.3, 0.4])  # fmt: skip
    found = {(s, t): (w, round(d, 3)) for s, t, w, d in zip(made.sources, made.targets, made.weights, made.delays)}
    assert found == {(3, 1): (1, 0.1), (0, 2): (2, 0.2), (2, 2): (3, 0.3), (0, 0): (4, 0.4)}
    weights = np.zeros((4, 4))
    weights[1, 2], weights[3, 0] = 5.0, -2.0
    scipy = pytest.importorskip("scipy.sparse")
    for matrix in (weights, scipy.csr_matrix(weights), scipy.coo_array(weights)):
        made = net.connect("a", "a", to="V", rule=iz.connect.matrix(matrix))
        assert made.sources.tolist() == [1, 3] and made.targets.tolist() == [2, 0] and made.weights.tolist() == [5, -2]
    made = net.connect("a", "a", to="V", rule=iz.connect.matrix(weights), weight=weights * 3)
    assert made.weights.tolist() == [15, -6]


def test_what_is_drawn_depends_on_the_seed_and_the_connection_alone():
    def of(seed, threads, first):
        net = iz.Network(seed=seed, threads=threads)
        for name in ("x", "y") if first else ("y", "x"):
            net.population(name, "RS", 50, V=lambda n, rng: rng.normal(-65, 5, n))
        made = {}
        for target in ("x", "y") if first else ("y", "x"):
            made[target] = net.connect("x", target, to="V", rule=iz.connect.fixed_probability(0.2),
                                       weight=lambda n, rng: rng.random(n))  # fmt: skip
        return {t: (c.sources.tolist(), c.targets.tolist(), c.weights.tolist()) for t, c in made.items()}, {
            name: pop.V.tolist() for name, pop in net.populations.items()
        }

    assert of(3, 1, True) == of(3, 2, False)
    assert of(3, 1, True) != of(4, 1, True) and of(3, 1, True)[0]["x"] != of(3, 1, True)[0]["y"]


def test_numbers_of_synapses_are_those_of_the_rules():
    net = iz.Network(seed=1)
    net.population("a", "RS", 400)
    made = net.connect("a", "a", to="V", rule=iz.connect.fixed_probability(0.1, self_connections=False))
    assert abs(len(made) - 15960) < 5 * np.sqrt(15960 * 0.9) and (made.sources != made.targets).all()
    pairs = made.sources * 400 + made.targets
    assert len(np.unique(pairs)) == len(pairs)
    made = net.connect("a", "a", to="V", rule=iz.connect.fixed_indegree(300, multiple=False, self_connections=False))
    assert (np.bincount(made.targets) == 300).all() and (made.sources != made.targets).all()
    assert len(np.unique(made.sources * 400 + made.targets)) == 120_000
    assert abs(np.bincount(made.sources).mean() - 300) < 1e-9 and np.bincount(made.sources).std() < 4 * np.sqrt(
        300 * 0.25
    )
    made = net.connect("a", "a", to="V", rule=iz.connect.fixed_outdegree(7))
    assert (np.bincount(made.sources) == 7).all()
    made = net.connect("a", "a", to="V", rule=iz.connect.fixed_probability(1e-18))
    assert len(made) == 0 and not len(net.connect("a", "a", to="V", rule=iz.connect.fixed_total(0)))
    net.run(1.0)


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_what_is_not_finite_is_named_by_population_neuron_and_step(backend):
    net = iz.Network(dt=0.5, seed=1, backend=backend, threads=2)
    grows = iz.Model("Grows", "dV/dt = V*V", initial={"V": 0.0})
    net.population("a", "RS", 20)
    net.population("b", grows, 300)
    net.connect("a", "b", to="V", rule=iz.connect.pairs([7], [260]), weight=50.0, delay=3.0)
    with pytest.raises(
        NonFiniteError, match=r"population 'b': neuron 260 became infinite .* the network is left before"
    ):
        net.run(200.0, inputs={"a": {"I": 10.0}})
    stop = net.t
    assert np.isfinite(net.populations["b"].V).all() and net.populations["b"].V[260] > 100
    assert net.populations["a"].t == net.populations["b"].t == stop
    again = iz.Network(dt=0.5, seed=1, backend=backend)
    again.population("a", "RS", 20)
    again.run(stop, inputs={"a": {"I": 10.0}})
    np.testing.assert_array_equal(again.populations["a"].V, net.populations["a"].V)
    late = iz.Network(dt=0.01, seed=1, backend=backend)
    late.population("slow", iz.Model("Slow", "dV/dt = V*V", initial={"V": 0.01}), 3)
    late.populations["slow"].V[2] = 0.02
    with pytest.raises(NonFiniteError, match=r"population 'slow': neuron 2 became infinite .*in step (49|50)\d\d "):
        late.run(200.0, record={})
    assert 49 < late.t < 51 and np.isfinite(late.populations["slow"].V).all()
    net.reset()
    with pytest.raises(NonFiniteError, match="population 'a': input 'I' of neuron 0"):
        net.run(10.0, inputs={"a": {"I": np.r_[np.zeros(5), np.inf, np.zeros(14)][:, None]}})
    assert net.t == pytest.approx(2.5)


def test_ctrl_c_returns_what_was_recorded():
    net = small()
    sender = interrupt_what_runs(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    found = net.run(1e7, inputs=INPUTS, record={"a": ["spike"], "b": ["count"]})
    sender.join()
    assert found.interrupted and 0 < net.t < 1e7
    again = small().run(steps=round(net.t / 0.1), inputs=INPUTS, record={"a": ["spike"], "b": ["count"]})
    np.testing.assert_array_equal(again["a"].spike_times, found["a"].spike_times)
    np.testing.assert_array_equal(again["b"]["count"], found["b"]["count"])


def test_two_networks_in_two_threads():
    results = {}

    def work(key):
        results[key] = small(threads=2).run(200.0, inputs=INPUTS)["a"].spike_times

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("sizes", [(1, 1), (255, 257), (256, 1), (70_000, 3)])
def test_sizes(sizes):
    """Places of targets of 16 and of 32 bits, and neurons that fill no tile."""
    found = []
    for threads in (1, 2):
        net = iz.Network(dt=0.5, seed=1, threads=threads)
        net.population("a", "RS", sizes[0])
        net.population("b", "RS", sizes[1])
        net.connect("b", "a", to="V", rule=iz.connect.fixed_total(500), weight=1.0, delay=1.0)
        net.connect("a", "b", to="u", rule=iz.connect.fixed_total(500), weight=-1.0, delay=0.5)
        rec = net.run(50.0, inputs={"a": {"I": 10.0}, "b": {"I": 10.0}}, record={"a": ["count"], "b": ["spike"]})
        found.append((rec["a"]["count"].sum(), rec["b"].spike_times.tolist()))
    assert found[0] == found[1] and found[0][0] > 0


# -- a published network ----------------------------------------------------------------------------------------------


def the_network_of_2003(seed):
    net = iz.Network(dt=1.0, seed=seed, method="izhikevich2003")
    spread = np.random.default_rng(seed).random(1000)
    e, i = spread[:800], spread[800:]
    net.population("exc", "RS", 800, c=-65 + 15 * e**2, d=8 - 6 * e**2, V=-65.0, u=0.2 * -65)
    net.population("inh", "RS", 200, a=0.02 + 0.08 * i, b=0.25 - 0.05 * i, d=2.0, V=-65.0, u=(0.25 - 0.05 * i) * -65)
    net.connect("exc", ["exc", "inh"], to="I", weight=lambda n, rng: 0.5 * rng.random(n))
    net.connect("inh", ["exc", "inh"], to="I", weight=lambda n, rng: -rng.random(n))
    return net


def test_the_network_of_2003():
    """Ten seeds: 7.5 +- 0.2 spikes a neuron and second, and rhythms of 5 to 15 and of 25 to 80 Hz."""
    rates, powers = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed + 1000)
        noise = {"exc": {"I": 5 * rng.standard_normal((1000, 800))}, "inh": {"I": 2 * rng.standard_normal((1000, 200))}}
        found = the_network_of_2003(seed).run(1000.0, inputs=noise)
        times = np.concatenate([one.spike_times for one in found.values()])
        rates.append(len(times) / 1000)
        counts = np.histogram(times, bins=np.arange(0.5, 1001))[0]
        powers.append(np.abs(np.fft.rfft(counts - counts.mean())) ** 2)
    assert abs(np.mean(rates) - 7.5) < 0.2
    power = np.mean(powers, axis=0)  # one a Hz
    slow, between, fast, beyond = (power[a:b].mean() for a, b in ((5, 16), (16, 25), (25, 81), (100, 200)))
    assert slow > 2 * between and fast > 5 * beyond


def test_his_method_is_what_he_wrote():
    """The code of the paper, for one neuron of RS and a current that varies."""
    v, u, current = -65.0, -13.0, 10 * np.random.default_rng(1).random(300)
    expected = []
    for value in current:
        if v >= 30:
            v, u = -65.0, u + 8.0
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + value)
        v += 0.5 * (0.04 * v**2 + 5 * v + 140 - u + value)
        u += 0.02 * (0.2 * v - u)
        expected.append((v, u))
    pop = iz.load("RS").population(1, dt=1.0, dtype="float64", method="izhikevich2003", V=-65.0, u=-13.0)
    rows = pop.run(300.0, I=current[:, None], record=["V", "u"])
    after = np.array([(-65.0, u + 8.0) if v >= 30 else (v, u) for v, u in expected])
    np.testing.assert_allclose(rows["V"][:, 0], after[:, 0], rtol=1e-9)
    np.testing.assert_allclose(rows["u"][:, 0], after[:, 1], rtol=1e-9)


# -- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_given_spikes_are_sent_and_recordings_again(backend):
    net = iz.Network(dt=0.1, backend=backend)
    net.spikes("drive", [1.0, 2.04, 2.1], [0, 3, 0], size=5)
    net.population("b", iz.Model("Sum", "dx/dt = 0", initial={"x": 0.0}), 5)
    net.connect("drive", "b", to="x", rule=iz.connect.one_to_one(), weight=[1.0, 2.0, 3.0, 4.0, 5.0], delay=0.5)
    found = net.run(5.0, record={"drive": ["spike"], "b": ["x"]})
    np.testing.assert_allclose(found["drive"].spike_times, [1.0, 2.1, 2.1])
    assert found["drive"].spikes[1].tolist() == [0, 0, 3]
    x = found["b"]["x"]
    assert x[13, 0] == 0 and x[14, 0] == 1 and x[-1].tolist() == [2, 0, 0, 4, 0]  # row 14 is the end of 1.5 ms
    again = iz.Network(dt=0.1, backend=backend)
    again.spikes("drive", found["drive"])
    np.testing.assert_array_equal(again.run(5.0)["drive"].spike_times, found["drive"].spike_times)
    assert len(again.populations["drive"]) == 5


def test_poisson_sources():
    net = iz.Network(dt=0.1, seed=3)
    net.poisson("p", 500, 20.0)
    net.poisson("q", 100, "20*(1 + sin(t))")
    found = net.run(1000.0)
    assert abs(len(found["p"].spike_times) - 10_000) < 500 and abs(len(found["q"].spike_times) - 2000) < 250
    net.reset()
    np.testing.assert_array_equal(net.run(1000.0)["p"].spike_times, found["p"].spike_times)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda net: net.spikes("s", [0.0], [0]), "spike 0, at 0 ms of source 0, is not above 0"),
        (lambda net: net.spikes("s", [1.0, 1.04], [2, 2]), None),
        (lambda net: net.spikes("s", [1.01, 1.04], [2, 2]), "source 2 has two spikes in the step that ends at 1.1 ms"),
        (lambda net: net.spikes("s", [1.0], [2], size=2), "is of source 2 or later"),
        (lambda net: net.spikes("s", [1.0]), "give times and indices"),
        (lambda net: net.spikes("s", [1.0, 2.0], [0]), "shapes"),
        (lambda net: net.spikes("s", [float("nan")], [0]), "finite"),
        (lambda net: net.poisson("s", 3, -1.0), "rate"),
        (lambda net: net.poisson("s", 0, 1.0), "size"),
        (lambda net: net.poisson("s", 3, None), "no rate"),
    ],
)
def test_sources_that_are_refused(call, said):
    net = iz.Network(dt=0.1)
    if said is None:
        call(net)
        return
    with pytest.raises((NetworkError, ValueShapeError), match=said):
        call(net)
    assert not net.populations
