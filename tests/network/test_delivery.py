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
        pop = own.model.population(len(own), dt=net.dt, dtype=dtype, seed=own.neurons.seed, backend=own.backend)
        for state, values in own.state.items():
            pop.state[state] = np.array(values)
        alone[name] = pop
    pending = {}
    synapses = [
        list(zip(c.sources.tolist(), c.targets.tolist(), c.weights, np.rint(c.delays / net.dt).astype(int).tolist()))
        for c in net.connections
    ]
    rows = [
        [[s for s in one if s[0] == k] for k in range(len(net.populations[c.source]))]
        for one, c in zip(synapses, net.connections)
    ]
    for c in net.connections:
        model = net.populations[c.target].model
        kind = "delta" if c.to in model.states else "event" if c.to in model.on_event else "input"
        name = f"{c.to}_delta" if kind == "delta" else c.to
        pending.setdefault((c.target, name), np.zeros((length, len(net.populations[c.target])), dtype))
        c.kind, c.name = kind, name
    spikes = {name: [] for name in alone}
    for step in range(steps):
        flags = {}
        for name, pop in alone.items():
            values = dict(inputs.get(name, {}))
            for (target, to), sums in pending.items():
                if target == name:
                    given = np.asarray(values.get(to, 0.0), dtype)
                    values[to] = sums[step % length] + given if to in values else sums[step % length].copy()
            flags[name] = pop.step(**values)
            spikes[name] += [(step, int(k)) for k in np.flatnonzero(flags[name])]
        for sums in pending.values():
            sums[step % length] = 0
        for c, own in zip(net.connections, rows):
            sums = pending[c.target, c.name]
            for k in np.flatnonzero(flags[c.source]):
                for _, target, weight, delay in own[k]:
                    sums[(step + delay + (c.kind == "input")) % length, target] += weight
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
