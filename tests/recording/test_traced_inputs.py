"""Traces of inputs, as the steps read them, and of algebraic lines, evaluated on the rows."""

import tracemalloc

import numpy as np
import pytest

import izhigen as iz
from izhigen import inputs
from izhigen.errors import ModelError, ValueShapeError
from tests.helpers import host

SYNAPSE = iz.Model(
    "Synapse",
    """
    dV/dt = (E_L - V + R*I_syn + I*gate)/tau : mV
    dw/dt = (V - w)/30
    I_syn = g*(E_s - V)*(1 + 0.1*V**2/1000)  : nA
    gate = where(w < -40, 1, 0.5) + p*t/1e4
    constant = 2*p
    """,
    threshold="V > -50",
    reset="V = E_L",
    parameters={"E_L": -65.0, "R": 10.0, "tau": 20.0, "E_s": 0.0, "p": 0.3},
    inputs=["I", "g"],
    initial={"V": "E_L"},
    units={"I": "mV", "g": "nS"},
)
N, STEPS, DT = 37, 260, 0.1
LONG = STEPS * DT
NEURONS = np.arange(N)
KINDS = {
    "number": 12.5,
    "per neuron": np.linspace(5.0, 30.0, N),
    "rows": np.random.default_rng(1).normal(10.0, 3.0, (STEPS, N)),
    "one column": np.random.default_rng(2).normal(10.0, 3.0, (STEPS, 1)),
    "text": "10 + 5*sin(t/3)",
    "section": inputs.section([0.0, 25.0], [10.0, 16.0]),
    "wiener": inputs.wiener(LONG, n=N, seed=5) * 3 + inputs.sinusoid(6, 30, LONG, bias=True),
    "column of noise": inputs.ornstein_uhlenbeck(8.0, 1.0, 5.0, LONG, seed=3),
}


def expected(kind, dtype):
    value = KINDS[kind]
    if isinstance(value, str):
        value = (10 + 5 * np.sin(np.arange(STEPS) * DT / 3))[:, None]
    elif isinstance(value, inputs.Stimulus):
        value = value.sample(DT)[:STEPS]
        value = value[:, None] if value.ndim == 1 else value
    return np.broadcast_to(value, (STEPS, N)).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_an_input_is_what_the_steps_read(kind, backend):
    """In one precision on C, and in the other elsewhere; kinds take turns."""
    dtype = ("float32", "float64")[([*KINDS].index(kind) + (backend == "c")) % 2]
    pop = SYNAPSE.population(N, dt=DT, backend=backend, dtype=dtype)
    found = pop.run(steps=STEPS, I=KINDS[kind], g=0.02, record=["I", "g", "V"]).to_host()
    assert found["I"].dtype == dtype and found["I"].shape == (STEPS, N)
    np.testing.assert_allclose(found["I"], expected(kind, dtype), rtol=2e-5 if dtype == "float32" else 1e-12, atol=1e-5)
    if kind != "text" and "wiener" not in kind:
        np.testing.assert_array_equal(found["I"], expected(kind, dtype))
    np.testing.assert_array_equal(found["g"], np.full((STEPS, N), 0.02, dtype))
    plain = SYNAPSE.population(N, dt=DT, backend=backend, dtype=dtype)
    np.testing.assert_array_equal(
        plain.run(steps=STEPS, I=KINDS[kind], g=0.02, record=["V"]).to_host()["V"], found["V"]
    )


@pytest.mark.parametrize("kind", ["rows", "wiener", "text"])
@pytest.mark.parametrize("options", [{}, {"every": 7}, {"neurons": [30, 2, 17]}, {"every": 3, "neurons": [36, 0]}])
def test_chosen_neurons_and_rows(kind, options, backend):
    every, neurons = options.get("every", 1), options.get("neurons", NEURONS)
    pop = SYNAPSE.population(N, dt=DT, backend=backend, dtype="float64")
    whole = pop.run(steps=STEPS, I=KINDS[kind], g=0.02, record="all").to_host()
    pop.reset()
    part = pop.run(steps=STEPS, I=KINDS[kind], g=0.02, record=["I", "I_syn", "gate"], **options).to_host()
    for name in ("I", "I_syn", "gate"):
        np.testing.assert_array_equal(part[name], whole[name][every - 1 :: every][:, neurons])


def by_hand(model, found, parameters):
    """The lines of SYNAPSE on a recording, by NumPy."""
    V, w, g, t, p = found["V"], found["w"], found["g"], found.t[:, None], parameters
    return {
        "I_syn": g * (p["E_s"] - V) * (1 + 0.1 * V**2 / 1000),
        "gate": np.where(w < -40, 1, 0.5) + p["p"] * t / 1e4,
        "constant": np.full(V.shape, 2 * p["p"]),
    }


@pytest.mark.parametrize("threads", [1, 2])
def test_a_line_is_evaluated_on_its_row(backend, dtype, threads):
    pop = SYNAPSE.population(N, dt=DT, backend=backend, dtype=dtype, threads=threads)
    found = pop.run(steps=STEPS, I=KINDS["rows"], g="0.02 + t/1e4", record="all").to_host()
    assert list(found.names) == ["V", "w", "I", "g", "I_syn", "gate", "constant", "spike"]
    for name, values in by_hand(SYNAPSE, found, SYNAPSE.parameters).items():
        assert found[name].dtype == dtype
        np.testing.assert_array_equal(found[name], values.astype(dtype), err_msg=name)
    assert found.info["units"] == {"V": "mV", "w": "", "I": "mV", "g": "nS", "I_syn": "nA", "gate": "", "constant": ""}


def test_lines_read_parameters_of_each_neuron_and_inputs_that_are_held(backend):
    p, g = np.linspace(0.1, 2.0, 12).reshape(3, 4), np.linspace(0.0, 0.05, 12).reshape(3, 4)
    pop = SYNAPSE.population((3, 4), dt=DT, backend=backend, dtype="float64", p=p)
    found = pop.run(10.0, I=10.0, g=g, record=["constant", "I_syn", "V"]).to_host()
    np.testing.assert_array_equal(found["constant"], np.broadcast_to(2 * p, (100, 3, 4)))
    V = found["V"]
    np.testing.assert_array_equal(found["I_syn"], g * (0.0 - V) * (1 + 0.1 * V**2 / 1000))
    pop.reset()
    chosen = pop.run(10.0, I=10.0, g=g, record=["constant", "I_syn"], neurons=[7, 1], every=4).to_host()
    np.testing.assert_array_equal(chosen["I_syn"], found["I_syn"].reshape(100, 12)[3::4, [7, 1]])
    np.testing.assert_array_equal(chosen["constant"], found["constant"].reshape(100, 12)[3::4, [7, 1]])


@pytest.mark.parametrize("liquid", [False, True])
def test_lines_see_an_input_with_its_currents(liquid, backend):
    model = iz.Model("C", "dV/dt = -V/10 + x\nx = 2*I\ny = V/2", inputs=["I"]).with_current(
        "g*(E - V) + y", inputs=["g"], E=3.0
    )
    model = model.with_liquid_time_constant() if liquid else model
    pop = model.population(3, dt=DT, backend=backend, dtype="float64")
    found = pop.run(5.0, I=[1.0, 2.0, 3.0], g=0.1, record="all").to_host()
    np.testing.assert_array_equal(found["I"], np.broadcast_to([1.0, 2.0, 3.0], (50, 3)))  # as it was given
    total = found["I"] + (found["g"] * (3.0 - found["V"]) + found["V"] / 2)
    np.testing.assert_array_equal(found["x"], 2 * total)


def test_jumps(backend):
    model = iz.load("IzhikevichRef")
    jumps = np.zeros((100, 4))
    jumps[30, 2], jumps[60, 0] = 5.0, -2.5
    pop = model.population(4, dt=DT, backend=backend, dtype="float64")
    found = pop.run(steps=100, V_delta=jumps, record="all").to_host()
    assert found.names == ["V", "u", "refractory", "t_last_spike", "I", "V_delta", "spike"]
    np.testing.assert_array_equal(found["V_delta"], jumps)
    assert found.info["units"]["V_delta"] == "mV"
    pop.reset()
    none = pop.run(steps=10, record=["V_delta", "V"], neurons=[2, 1]).to_host()
    np.testing.assert_array_equal(none["V_delta"], np.zeros((10, 2)))
    pop.reset()
    assert pop.run(steps=10, record="all").names == ["V", "u", "refractory", "t_last_spike", "I", "spike"]


def test_a_run_in_parts_and_a_batch(backend):
    kind = KINDS["wiener"]
    pop = SYNAPSE.population(N, dt=DT, backend=backend, dtype="float64")
    whole = pop.run(steps=STEPS, I=kind, g=0.02, record=["I", "gate"]).to_host()
    pop.reset()
    parts = [pop.run(steps=steps, I=kind, g=0.02, record=["I", "gate"]).to_host() for steps in (1, 100, STEPS - 101)]
    for name in ("I", "gate"):
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), whole[name])
    batch = SYNAPSE.population(5, batch=2, dt=DT, backend=backend).run(steps=9, I=4.0, g=0.1, record="all").to_host()
    assert {batch[name].shape for name in ("I", "g", "gate", "constant")} == {(9, 2, 5)}


@pytest.mark.parametrize(
    "backend_and_options", [("c", {}), ("numpy", {}), ("cuda", {}), ("cuda", {"sharding": [0, 0]})]
)
def test_a_store_holds_the_same(backend_and_options, tmp_path, monkeypatch, request):
    pytest.importorskip("zarr", minversion="3")
    monkeypatch.setattr("izhigen.recording.store.PIECE_BYTES", 1 << 15)
    backend, options = backend_and_options
    if backend == "cuda":
        request.getfixturevalue("device")
    run = dict(steps=STEPS, I=KINDS["wiener"], g=KINDS["per neuron"] / 1e3)
    for number, chosen in enumerate(
        ({"record": "all"}, {"record": ["I_syn", "gate", "count"], "every": 2, "neurons": [9, 4]})
    ):
        pops = [SYNAPSE.population(N, dt=DT, backend=backend, dtype="float64", **options) for _ in range(2)]
        kept = pops[0].run(**run, **chosen).to_host()
        stored = pops[1].run(**run, **chosen, out=tmp_path / f"{number}.zarr")
        assert stored.names == kept.names
        for name in [*kept.traces, *kept.per_neuron]:
            pairs = (stored.traces, kept.traces) if name in kept.traces else (stored.per_neuron, kept.per_neuron)
            np.testing.assert_array_equal(*(np.asarray(pair[name]) for pair in pairs))
        kept.save(tmp_path / "r.npz")
        again = iz.Recording.load(tmp_path / "r.npz")
        np.testing.assert_array_equal(again.per_neuron["g"], kept.per_neuron["g"])
        np.testing.assert_array_equal(again["gate"], kept["gate"])
        data = iz.Recording.load(tmp_path / f"{number}.zarr").to_xarray()
        assert data["gate"].attrs["units"] == "" and data["per_neuron_g"].attrs["units"] == "nS"


def test_what_a_line_reads_is_thrown_away_piece_by_piece(monkeypatch):
    monkeypatch.setattr("izhigen.recording.plan.PIECE_BYTES", 1 << 18)
    pop = SYNAPSE.population(500, dt=DT, dtype="float64")
    whole = pop.run(steps=2000, I="20*sin(t)", g=0.02, record="all")
    pop.reset()
    pop.run(1.0, I="20*sin(t)", g=0.02)
    pop.reset()
    tracemalloc.start()
    found = pop.run(steps=2000, I="20*sin(t)", g=0.02, record=["gate", "spike"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found["gate"], whole["gate"])
    np.testing.assert_array_equal(found["spike"], whole["spike"])
    np.testing.assert_array_equal(found.t, whole.t)
    assert peak < found["gate"].nbytes + 5e6  # with all of V, w and g kept: 24 MB more


def test_no_rows_and_an_end_before_time(backend):
    pop = SYNAPSE.population(3, dt=DT, backend=backend)
    assert pop.run(0.0, record="all", I=1.0)["gate"].shape == (0, 3)
    rows = np.full((50, 3), 5.0)
    rows[20, 1] = np.nan
    with pytest.raises(iz.IzhigenError, match="input 'I' of neuron 1"):
        pop.run(steps=50, I=rows, record=["I", "gate"])


def test_names():
    pop = SYNAPSE.population(2, backend="numpy")
    with pytest.raises(ValueShapeError, match="'I_sin' is not a state, input, line or event .*did you mean 'I_syn'"):
        pop.run(1.0, record=["I_sin"])
    with pytest.raises(ValueShapeError, match="'tau' is not"):
        pop.run(1.0, record="tau")
    still = iz.Model("Still", "dV/dt = -V").population(1, backend="numpy").run(1.0, record=["all"])
    assert still.names == ["V"]
    for part in (dict(equations="dV/dt = -V\ncount = V"), dict(equations="dV/dt = -V + all", inputs=["all"])):
        with pytest.raises(ModelError, match="rename it"):
            iz.Model("Clash", **part)


def test_values_of_each_neuron_are_kept_with_the_spikes(backend):
    pop = iz.load("RS").population(4, dt=DT, backend=backend, d=[2.0, 4.0, 6.0, 8.0])
    current = np.array([1.0, 2.0, 3.0, 4.0])
    found = pop.run(10.0, I=current, record=["spike"], neurons=[3, 1])
    current[:], pop.d = 0.0, 1.0
    assert set(found.per_neuron) == {"d", "I"}
    np.testing.assert_array_equal(host(found.per_neuron["I"]), [4.0, 2.0])
    np.testing.assert_array_equal(host(found.per_neuron["d"]), [8.0, 4.0])
    assert found.info["units"] == {"d": "mV/ms", "I": "mV/ms"}
    assert pop.run(1.0, I=current, record=["V"]).per_neuron == {}
