"""Networks beside a slow one of plain arrays and single steps, which shares no code with them but the populations' steps."""

import itertools

import numpy as np
import pytest

import izhigen as iz
from izhigen import connect

EXP = iz.synapses.exponential("g_e", tau=5.0, reversal=0.0)
CELL = iz.load("RS").with_synapse(EXP)
ARRIVING = iz.load("FS").with_part(
    equations="ds/dt = -s/7.0", current="s*(E - V)", on_event={"pre": "s = s + pre*(1 - s)"}, parameters={"E": -80.0}
)


def slowly(build, steps, inputs, seed):
    """The spikes and states of the network that ``build`` makes, step by step."""
    net = build(seed)
    dtype, length = net.populations["a"].dtype, 400
    alone = {}
    for name, own in net.populations.items():
        pop = own.model.population(own.size, dt=net.dt, dtype=dtype, seed=own.neurons.seed, backend=own.backend)
        for state, values in own.state.items():
            if state in own.model.gradient_states:
                pop.state[state] = np.array(values)
        alone[name] = pop
    pending = {}
    synapses = [
        list(zip(c.sources.tolist(), c.targets.tolist(), c.weights, np.rint(c.delays / net.dt).astype(int).tolist()))
        for c in net.connections
    ]
    rows = [
        [[s for s in one if s[0] == k] for k in range(net.populations[c.source].neurons.layout.count)]
        for one, c in zip(synapses, net.connections)
    ]
    for c in net.connections:
        model, name = net.populations[c.target].model, c.receiver
        assert name in (f"{c.to}_delta", f"{c.to}_spikes", c.to)
        c.is_held = name in model.inputs and name not in model.on_event
        pending.setdefault((c.target, name), np.zeros((length, net.populations[c.target].neurons.layout.count), dtype))
    spikes = {name: [] for name in alone}
    for step in range(steps):
        flags = {}
        for name, pop in alone.items():
            values = dict(inputs.get(name, {}))
            for (target, to), sums in pending.items():
                if target == name:
                    given = np.asarray(values.get(to, 0.0), dtype)
                    arrived = sums[step % length].reshape(pop.shape)
                    values[to] = arrived + given if to in values else arrived.copy()
            flags[name] = pop.step(**values).reshape(-1)
            spikes[name] += [(step, int(k)) for k in np.flatnonzero(flags[name])]
        for sums in pending.values():
            sums[step % length] = 0
        for c, own in zip(net.connections, rows):
            sums = pending[c.target, c.receiver]
            for k in np.flatnonzero(flags[c.source]):
                for _, target, weight, delay in own[k]:
                    sums[(step + delay + c.is_held) % length, target] += weight
    return spikes, {name: {s: np.array(v) for s, v in pop.state.items()} for name, pop in alone.items()}


def quickly(build, steps, inputs, seed, cuts=(), **options):
    net = build(seed, **options)
    spikes = {name: [] for name in net.populations}
    edges = [0, *cuts, steps]
    for first, last in itertools.pairwise(edges):
        rec = net.run(steps=last - first, inputs=inputs)
        for name, own in rec.items():
            times, neurons = own.spikes
            spikes[name] += list(zip((np.rint(times / net.dt).astype(int) - 1).tolist(), neurons.tolist()))
    return spikes, {name: {s: np.array(v) for s, v in pop.state.items()} for name, pop in net.populations.items()}


def a_net(rule, weight, delay, to="g_e", more=(), dt=0.5):
    def build(seed, **options):
        options = {"backend": "c", "dtype": "float32", **options}
        net = iz.Network(dt=dt, seed=seed, **options)
        rng = np.random.default_rng(seed)
        net.population("a", CELL, 23, positions=rng.random((23, 2)), V=-65 + 10 * rng.random(23))
        net.population("b", ARRIVING, 17, positions=rng.random((17, 2)))
        net.connect("a", ["a", "b"] if to in ("V", "I") else "a", to=to, rule=rule, weight=weight, delay=delay)
        for arguments in more:
            net.connect(*arguments[0], **arguments[1])
        return net

    return build


rng = np.random.default_rng(5)
PAIRS = rng.integers(0, 23, (2, 60))
RULES = {
    "all to all": connect.all_to_all(),
    "all to all but self": connect.all_to_all(self_connections=False),
    "one to one": connect.one_to_one(),
    "probability": connect.fixed_probability(0.2),
    "never": connect.fixed_probability(0.0),
    "always but self": connect.fixed_probability(1.0, self_connections=False),
    "probability but self": connect.fixed_probability(0.4, self_connections=False),
    "text": "exp(-distance/0.3)",
    "indegree": connect.fixed_indegree(5),
    "indegree, distinct": connect.fixed_indegree(20, self_connections=False, multiple=False),
    "outdegree": connect.fixed_outdegree(3, multiple=False),
    "outdegree but self": connect.fixed_outdegree(40, self_connections=False),
    "total": connect.fixed_total(100),
    "total, distinct": connect.fixed_total(300, self_connections=False, multiple=False),
    "pairs": connect.pairs(PAIRS[0], PAIRS[1]),
}
WEIGHTS = {
    "number": 0.05,
    "callable": lambda n, rng: 0.1 * rng.random(n),
    "drawn": iz.distributions.normal(0.05, 0.02),
    "text": "0.1*exp(-distance)",
}
DELAYS = {
    "dt": None,
    "one": 3.0,
    "drawn": iz.distributions.uniform(0.5, 9.0),
    "text": "1 + 10*distance",
    "long": lambda n, rng: rng.choice([0.5, 190.0], n),
}
BACK = [
    (("b", "a"), {"to": "V", "rule": connect.fixed_probability(0.3), "weight": -2.0, "delay": 1.0}),
    (("a", "b"), {"to": "pre", "rule": connect.fixed_total(50), "weight": 0.1, "delay": 2.5}),
    (("a", "b"), {"to": "I", "rule": connect.fixed_indegree(3), "weight": 4.0, "delay": 0.5}),
]
INPUTS = {"a": {"I": 12.0}, "b": {"I": 5.0}}


def assert_alike(found, expected):
    assert found[0] == expected[0]
    for name, states in expected[1].items():
        for state, values in states.items():
            np.testing.assert_array_equal(found[1][name][state], values)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule(rule):
    build = a_net(rule, WEIGHTS["callable"], DELAYS["drawn"], more=BACK)
    expected = slowly(build, 300, INPUTS, 3)
    assert sum(map(len, expected[0].values())) > 100
    assert_alike(quickly(build, 300, INPUTS, 3), expected)
    assert_alike(quickly(build, 300, INPUTS, 3, cuts=(1, 4, 150), threads=3), expected)
    numpy = quickly(build, 300, INPUTS, 3, backend="numpy")
    assert_alike(numpy, slowly(lambda seed: build(seed, backend="numpy"), 300, INPUTS, 3))
    assert_alike(quickly(build, 300, INPUTS, 3, backend="numpy", cuts=(11,), threads=2), numpy)


@pytest.mark.sample(14)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("delay", DELAYS.values(), ids=DELAYS)
@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_every_weight_and_delay(weight, delay, dtype):
    build = a_net(connect.fixed_probability(0.3), weight, delay, more=BACK[:2])
    expected = slowly(lambda seed: build(seed, dtype=dtype), 500, INPUTS, 1)
    assert_alike(quickly(build, 500, INPUTS, 1, dtype=dtype, threads=2, cuts=(7, 8, 123)), expected)


@pytest.mark.parametrize("to", ["g_e", "V", "u", "I"])
def test_every_receiver_that_also_has_an_input(to):
    name = {"g_e": "g_e_delta", "V": "V_delta", "u": "u_delta", "I": "I"}[to]
    build = a_net(connect.fixed_probability(0.3), 0.3, 1.0, to=to)
    inputs = {"a": {"I": 12.0, **({} if name == "I" else {name: np.linspace(0, 0.01, 23)})}, "b": {"I": 5.0}}
    expected = slowly(build, 200, inputs, 1)
    assert_alike(quickly(build, 200, inputs, 1, cuts=(3,)), expected)


OTHERS = {
    "adaptive exponential": iz.load("AdExIF").with_synapse(iz.synapses.exponential("s", 5.0)),
    "Hodgkin and Huxley": iz.load("HodgkinHuxley").with_synapse(iz.synapses.exponential("s", 5.0, 0.0)),
    "refractory": iz.load("Lif").with_refractory(2.0).with_synapse(iz.synapses.alpha("s", 5.0)),
    "several events": iz.Model(
        "Events", "dV/dt = (I - V)/10\nds/dt = -s/5", threshold="V >= 1", reset="V = 0", inputs=["I"],
        events={"high": iz.Event("s > 0.5", trigger="rising"), "low": iz.Event("V < 0.2")},
    ),
    "noise": iz.load("RS").with_noise(V=1.0).with_synapse(iz.synapses.nmda("s")),
    "saturating": iz.load("RS").with_part(
        equations="ds/dt = -s/5", current="s*(E - V)", on_event={"s_spikes": "s = s + s_spikes*(1 - s)"}, E=0.0
    ),
}  # fmt: skip
CURRENT = {"adaptive exponential": 1.0, "Hodgkin and Huxley": 8.0, "refractory": 25.0, "several events": 1.3}


@pytest.mark.parametrize("name", OTHERS)
def test_other_models(name):
    """Kernels of any kind, with lists of several events and random numbers of their own; a population of two axes."""
    model = OTHERS[name]

    def build(seed, **options):
        net = iz.Network(dt=0.1, seed=seed, **{"dtype": "float64", **options})
        net.population("a", model, 19)
        net.population("b", model, (3, 90))
        for source, target in (("a", "b"), ("b", "a"), ("b", "b")):
            net.connect(source, target, to="s", rule=connect.fixed_total(80), weight=0.01, delay=0.3)
        return net

    inputs = {"a": {"I": CURRENT.get(name, 10.0)}, "b": {"I": 1.1 * CURRENT.get(name, 10.0)}}
    expected = slowly(build, 600, inputs, 2)
    assert sum(map(len, expected[0].values())) > 50
    assert_alike(quickly(build, 600, inputs, 2, cuts=(1, 301), threads=2), expected)


def test_events_and_traces_are_recorded_as_of_populations_alone():
    """A network whose synapses weigh nothing is its populations, each with the seed that it has."""
    net = iz.Network(dt=0.1, seed=4, threads=2)
    model = OTHERS["several events"].with_noise(V=0.05)
    net.population("a", model, 300)
    net.connect("a", "a", to="s", rule=connect.fixed_probability(0.1), weight=0.0, delay=0.7)
    alone = model.population(300, dt=0.1, seed=net.populations["a"].neurons.seed)
    record = ["spike", "high", "low", "V", "count", "isi"]
    for current in (1.2, "1.2 + 0.5*sin(t/10)", iz.inputs.wiener(120.0, n=300, seed=1) + 1.2,
                    iz.inputs.poisson(300.0, weight=5.0), np.linspace(0.5, 2.0, 400)[:, None]):  # fmt: skip
        for chosen in ("I", "s_delta"):
            given = {"I": 1.2, chosen: current}
            net.reset()
            alone.reset()
            found = net.run(40.0, record={"a": record}, every=7, inputs={"a": given}, neurons={"a": [5, 299, 3]})["a"]
            expected = alone.run(40.0, record=record, every=7, neurons=[5, 299, 3], **given)
            np.testing.assert_array_equal(found["V"], expected["V"])
            for name in ("spike", "high", "low"):
                for one, other in zip(found.events[name], expected.events[name]):
                    np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(found["count"], expected["count"])
