"""Populations on a cluster beside the same ones on one machine, bit for bit."""

import copy
import pickle
import threading

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import NonFiniteError, RecordingError, ValueShapeError
from tests import helpers
from tests.model.test_document import COMPOSED

da = pytest.importorskip("dask.array")
RS = iz.load("RS")
NOISY = RS.with_noise(V=1.0).with_refractory(2.0)
N = 257


SQUARE = iz.Model("Square", "dV/dt = -V/10 + I*I", threshold="V > 300 and V < 1e6", reset="V = 0", inputs=["I"])


def draw(n, rng):
    return 0.02 + 0.01 * rng.random(n)


def here(values):
    return np.asarray(values)


def assert_same(one, other):
    """Both populations stand at the same place."""
    for name in one.model.all_states:
        np.testing.assert_array_equal(here(one.state[name]), here(other.state[name]), name)
    for name in one.parameters:
        np.testing.assert_array_equal(here(one.parameters[name]), here(other.parameters[name]), name)
    np.testing.assert_array_equal(here(one.spike), here(other.spike))
    assert (one.t, one.shape, one.size, one.batch, one.dt) == (other.t, other.shape, other.size, other.batch, other.dt)


def assert_recorded(one, other, what=""):
    """Both recordings hold the same."""
    one, other = one.to_host(), other.to_host()
    assert one.names == other.names and one.shape == other.shape and one.info == other.info
    assert (one.start, one.stop, one.interrupted) == (other.start, other.stop, other.interrupted)
    np.testing.assert_array_equal(one.t, other.t)
    np.testing.assert_array_equal(one.neurons, other.neurons)
    for name in one.traces:
        np.testing.assert_array_equal(one[name], other[name], f"{what} {name}")
        assert one[name].dtype == other[name].dtype
    for name in one.lists:
        for a, b in zip(one.events[name], other.events[name]):
            np.testing.assert_array_equal(a, b, name)
    for ours, theirs in ((one.figures, other.figures), (one.per_neuron, other.per_neuron)):
        assert list(ours) == list(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name], name)


def pair(client, model, size=N, **options):
    return model.population(size, **options), model.population(size, cluster=client, **options)


ALL = ["V", "u", "I", "spike", "count", "first_spike", "isi"]


@pytest.mark.parametrize(("timing", "dtype"), [("step", "float32"), ("located", "float64")])
def test_a_run_gives_the_same_bits(processes, many, timing, dtype):
    values = {"a": draw, "d": iz.distributions.normal(8.0, 1.0), "b": np.linspace(0.2, 0.25, N), "V": -60}
    one, other = pair(processes, NOISY, spike_timing=timing, dtype=dtype, seed=3, **values)
    assert other.shards == 4
    for record, every, neurons in (
        (ALL, 7, None),
        (["all", "count"], 1, [256, 0, 100, 13]),
        (None, 1, None),
        ([], 1, []),
        ("isi", 4, [5]),
    ):
        runs = [
            pop.run(12.3, I="10*(1 + sin(t/10))", record=record, every=every, neurons=neurons) for pop in (one, other)
        ]
        assert_recorded(*runs)
        assert_same(one, other)
    assert other.run(1.0, record=["V"], neurons=[])["V"].dtype == dtype
    assert isinstance(runs[1].figures["isi_mean"], da.Array)


@pytest.mark.parametrize("name", ["refractory", "refractory until", "noise", "events", "arrives"])
def test_models_of_every_kind(processes, few, name):
    model = COMPOSED[name]
    one, other = pair(processes, model, 60, backend="numpy")
    record = [*model.states, *([e.name for e in model.events])]
    assert_recorded(*(pop.run(10.0, **{model.inputs[0]: 5.0}, record=record, every=3) for pop in (one, other)))
    assert_same(one, other)


@pytest.mark.parametrize("size, batch", [(1, None), (255, None), (256, 2), ((2, 3, 5), 4)])
def test_shapes(processes, few, size, batch):
    count = int(np.prod(size))
    values = {"a": draw, "d": np.linspace(1.0, 8.0, count).reshape(size), "b": iz.distributions.uniform(0.2, 0.25)}
    one, other = pair(processes, NOISY, size, batch=batch, **values)
    series = np.random.default_rng(1).normal(10.0, 3.0, (40, *one.shape))
    assert_recorded(*(pop.run(4.0, I=series, record=ALL, every=2) for pop in (one, other)))
    assert_same(one, other)
    assert other.V.shape == one.V.shape and isinstance(other.V, da.Array)


def spikes(count):
    rng = np.random.default_rng(5)
    return iz.inputs.spikes(rng.uniform(0.0, 20.0, 500), rng.integers(0, count, 500), weight=rng.normal(5.0, 1.0, 500))


INPUTS = {
    "number": lambda t: 12,
    "one a neuron": lambda t: np.linspace(0.0, 20.0, N),
    "list": lambda t: list(range(N)),
    "one a step": lambda t: np.linspace(0.0, 20.0, t)[:, None],
    "rows": lambda t: np.random.default_rng(2).normal(10.0, 5.0, (t, N)),
    "text": lambda t: "5 + t/2",
    "section": lambda t: iz.inputs.section([0.0, 12.0, 3.0], [5.0, 10.0, 5.0]),
    "sections of neurons": lambda t: iz.inputs.section(np.arange(2 * N).reshape(2, N) / 20.0, [10.0, 10.0]),
    "ramp": lambda t: iz.inputs.ramp(0.0, 20.0, 20.0),
    "paths": lambda t: iz.inputs.ramp(0.0, 20.0, 20.0) + 3.0 * iz.inputs.wiener(20.0, n=N, seed=3),
    "one path": lambda t: 3.0 * iz.inputs.wiener(20.0, n=1, seed=3),
    "ou": lambda t: iz.inputs.ou(10.0, 2.0, 5.0, 20.0, n=N, seed=4),
    "one ou": lambda t: iz.inputs.ou(10.0, 2.0, 5.0, 20.0, n=1, seed=4),
    "poisson": lambda t: iz.inputs.poisson(np.linspace(0.0, 900.0, N), weight=np.linspace(1.0, 5.0, N), n=3),
    "two poissons": lambda t: iz.inputs.poisson(300.0, weight=2.0) + iz.inputs.poisson("200 + 10*t", weight=1.0),
    "spikes": lambda t: spikes(N) + iz.inputs.ramp(0.0, 3.0, 20.0),
    "dask, one a neuron": lambda t: da.linspace(0.0, 20.0, N, chunks=50),
    "dask, rows": lambda t: da.random.default_rng(7).normal(10.0, 5.0, (t, N), chunks=(33, 100)),
}


LIKE_OTHERS = ("number", "list", "section", "ramp", "one ou", "two poissons")
"""Inputs that are cut as others are; looked at where all random models are."""


def test_inputs(processes, many):
    """One pair of populations for all: what differs is named by the kind."""
    one, other = pair(processes, RS, seed=9)
    for kind, make in INPUTS.items():
        if kind in LIKE_OTHERS and not helpers.ALL:
            continue
        value = make(200)
        first, second = (value.compute(), value) if isinstance(value, da.Array) else (value, value)
        for target in ("I", "V_delta") if kind in ("poisson", "spikes", "dask, rows") else ("I",):
            for pop in (one, other):
                pop.reset()
            options = {"record": ["V", "spike", target], "every": 5}
            runs = [pop.run(20.0, **{target: x}, **options) for pop, x in ((one, first), (other, second))]
            assert_recorded(*runs, kind)
            assert_same(one, other)


def test_steps_and_assignments(processes, few):
    one, other = pair(processes, NOISY, 40)
    for pop in (one, other):
        pop.a = draw
        pop.V = np.linspace(-70.0, -50.0, 40)
        pop.d = 7
    assert isinstance(other.d, float) and isinstance(other.a, da.Array)
    for k in range(3):
        spiked = [pop.step(I=10.0 * k) for pop in (one, other)]
        np.testing.assert_array_equal(*map(here, spiked))
    np.testing.assert_array_equal(here(one(5.0)), here(other(5.0)))
    assert_same(one, other)
    fresh = da.linspace(-80.0, -40.0, 40, chunks=9)
    one.V, other.V = fresh.compute(), fresh
    for pop in (one, other):
        pop.b = iz.distributions.uniform(0.1, 0.3)
        pop.begin_at(1000, first_index=3)
    assert_recorded(*(pop.run(5.0, I=10.0) for pop in (one, other)))
    assert_same(one, other)
    for pop in (one, other):
        pop.reset()
    assert_same(one, other)


REFUSED = {
    "a distribution": lambda: iz.distributions.lognormal(1000.0, 1.0),
    "bounds": lambda: iz.distributions.normal(0.0, 1.0, low=50.0, high=51.0),
    "too large": lambda: iz.distributions.uniform(1e39, 1e40),
    "undefined": lambda: da.where(da.arange(40, chunks=9) == 25, np.nan, 1.0),
    "objects": lambda: da.from_array(np.array([object()] * 40), chunks=9),
    "masked": lambda: da.ma.masked_array(np.ones(40), mask=np.arange(40) == 33),
    "a block that fails": lambda: da.ones(40, chunks=9).map_blocks(fails, dtype=float),
}


def fails(block):
    raise RuntimeError("no such block")


def test_what_a_worker_refuses_changes_nothing(processes, few):
    one, other = pair(processes, RS, 40, V=np.linspace(-70.0, -50.0, 40))
    for pop in (one, other):
        pop.run(3.0, I=10.0)
    for kind, make in REFUSED.items():
        for name in ("a", "V"):
            with pytest.raises(iz.IzhigenError) as caught:
                setattr(other, name, make())
            assert kind != "undefined" or "for neuron 25" in str(caught.value)
        if kind in ("masked", "objects", "a block that fails"):
            with pytest.raises(iz.IzhigenError):
                other.run(2.0, I=make())
        assert_same(one, other)
    assert_recorded(*(pop.run(3.0, I=10.0) for pop in (one, other)))
    for pop in (one, other):
        pop.reset()
    assert_same(one, other)


def axes(size, batch):
    """Stimuli with an axis for each of the population's, or as many columns as neurons without the batch axis."""
    shape, each = (*size,) if batch is None else (batch, *size), int(np.prod(size))
    rng = np.random.default_rng(3)
    found = [
        iz.inputs.section(rng.normal(8.0, 4.0, (2, *shape)), [2.0, 100.0]),
        iz.inputs.from_array(rng.normal(8.0, 4.0, (60, *shape)), 0.1),
    ]
    if batch is not None:
        found += [
            iz.inputs.from_array(rng.normal(8.0, 4.0, (60, each)), 0.1),
            iz.inputs.section(rng.normal(8.0, 4.0, (2, *size)), [2.0, 100.0]),
        ]
        found += [3.0 * iz.inputs.wiener(6.0, n=each, seed=1), iz.inputs.ou(8.0, 5.0, 3.0, 6.0, n=each, seed=4)]
    return found


@pytest.mark.parametrize("size, batch", [((3, 4, 5), None), ((3, 4), 3)])
def test_stimuli_of_several_axes(processes, many, size, batch):
    one, other = pair(processes, RS, size, batch=batch)
    for stimulus in axes(size, batch):
        for pop in (one, other):
            pop.reset()
        assert_recorded(*(pop.run(6.0, I=stimulus, record=["V", "I"], every=7) for pop in (one, other)))


def test_initial_values_that_only_some_parameters_give(processes, few):
    model = iz.Model(
        "X",
        "dV/dt = -V + I",
        threshold="V >= 1",
        reset="V = 0",
        parameters={"a": 0.5},
        inputs=["I"],
        initial={"V": "1/(a - 1)"},
    )
    assert_same(*pair(processes, model, 20, a=np.full(20, 0.5)))


def test_copies_are_used_side_by_side():
    """Shards that copies share are read by several threads at once."""
    import distributed

    client = distributed.Client(processes=False, n_workers=1, threads_per_worker=4, dashboard_address="127.0.0.1:0")
    try:
        pop = RS.population(50_000, cluster=client)
        for _ in range(5):
            copies = [copy.copy(pop) for _ in range(3)]
            threads = [threading.Thread(target=lambda twin=twin: twin.run(0.2, I=10.0, record=[])) for twin in copies]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert all(twin.t == 0.2 for twin in copies)
    finally:
        client.close()
        client.cluster.close()


def test_arrays_show_what_was_and_are_assigned_whole(processes, few):
    pop = RS.population(40, cluster=processes)
    before = pop.V
    pop.run(3.0, I=10.0)
    np.testing.assert_array_equal(here(before), RS.population(40).V)
    assert (here(before) != here(pop.V)).all()
    assert float((pop.V * 2).mean().compute()) == pytest.approx(float(2 * here(pop.V).mean()))
    with pytest.raises(ValueShapeError, match="assign a whole one"):
        pop.V[3] = 0.0
    twin, kept = copy.copy(pop), here(pop.V)
    twin.run(3.0, I=10.0)
    np.testing.assert_array_equal(here(pop.V), kept)
    assert twin.t == 6.0 and pop.t == 3.0
    with pytest.raises(TypeError, match=r"write it with pop.checkpoint"):
        pickle.dumps(pop)
    assert "on a cluster: 40 neurons in" in repr(pop) and len(pop) == 40 and "V" in dir(pop)
    with pytest.raises(AttributeError, match="did you mean"):
        pop.Vv
    assert pop.method == "exp_euler" and pop.kernel is not None and pop.model is RS


# -- what cannot be -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["state", "input", "one input", "late"])
def test_what_is_not_finite_is_told_as_on_one_machine(processes, many, how):
    series = np.full((300, N), 10.0)
    one, other = pair(processes, SQUARE, seed=2)
    inputs = {"I": series}
    if how == "state":
        series[123, 200] = series[150, 3] = 1e30
    elif how == "input":
        series[123, 200] = np.nan
    elif how == "one input":
        inputs = {"I": "10/(t - 12.3)"}
    else:
        series[299, 256] = 1e30
    errors = []
    for pop in (one, other):
        with pytest.raises(NonFiniteError) as caught:
            pop.run(30.0, **inputs)
        errors.append(caught.value)
    assert str(errors[0]) == str(errors[1]) and errors[0].neuron == errors[1].neuron
    assert errors[0].step == errors[1].step and errors[0].state == errors[1].state
    assert_same(one, other)
    assert_recorded(*(pop.run(2.0, I=5.0) for pop in (one, other)))
    for pop in (one, other):
        pop.run(30.0, **inputs, check_finite=False) if how != "input" else None
    assert_same(one, other)


def test_what_a_run_is_asked_wrongly(processes, few):
    one, other = pair(processes, RS, 40)
    for asked in (
        {"I": np.zeros(41)},
        {"J": 1.0},
        {"I": np.zeros((7, 40))},
        {"record": "W"},
        {"neurons": [40]},
        {"every": 0},
        {"I": iz.inputs.wiener(5.0, n=39)},
        {"I": iz.inputs.ramp(0, 1, 2.0)},
        {"check_finite": 3},
    ):
        messages = []
        for pop in (one, other):
            with pytest.raises((ValueShapeError, RecordingError)) as caught:
                pop.run(5.0, **asked)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
    with pytest.raises(ValueShapeError, match="has shape"):
        other.run(5.0, I=da.zeros(39))
    with pytest.raises(ValueShapeError, match="has shape"):
        other.V = da.zeros(39)
    with pytest.raises(ValueShapeError, match="has no tape"):
        other.run(5.0, tape=True)
    with pytest.raises(ValueShapeError, match="keeps its batch axis"):
        other.reset(batch=2)
    with pytest.raises(KeyError, match="no state"):
        other.state["W"]
    assert_same(one, other)


def test_what_a_population_is_asked_wrongly(processes):
    for values, told in (
        ({"surrogate": "sigmoid"}, "no gradients"),
        ({"sharding": [0]}, "exclude"),
        ({"device": 0}, "exclude"),
        ({"a": np.zeros(4)}, "has shape"),
        ({"dt": 0}, "dt"),
        ({"W": 1.0}, "no parameter or state"),
    ):
        with pytest.raises(ValueShapeError, match=told):
            RS.population(5, cluster=processes, **values)
    bad = da.from_array(np.array([1.0, np.nan, 0.0]))
    with pytest.raises(ValueShapeError, match="not finite"):
        RS.population(3, cluster=processes, a=bad)
    for cluster in (3, "tcp://nowhere", object()):
        with pytest.raises(ValueShapeError, match=r"neither a dask.distributed.Client \(or Cluster\) nor True"):
            RS.population(5, cluster=cluster)
