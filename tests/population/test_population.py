"""Populations on every backend: forms of inputs and values, continuing, threads, batches, errors."""

import threading
import time

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import BackendError, NonFiniteError, ValueShapeError
from izhigen.population import run
from tests.helpers import host, interrupt_what_runs

RS = iz.load("RS")
LEAK = Model("Leak", "dV/dt = -V/tau + I", parameters={"tau": 10.0}, inputs=["I"], threshold="V >= 1", reset="V = 0")


def population(n, backend="c", dtype="float64", model=RS, **options):
    return model.population(n, dt=0.1, backend=backend, dtype=dtype, **options)


def traces(pop, duration=20.0, **options):
    return pop.run(duration, record=["V", "u", "spike"], **options).to_host()


def test_initial_states_and_live_arrays(backend):
    pop = population(5, backend, V=-60.0, b=np.linspace(0.1, 0.3, 5))
    np.testing.assert_allclose(host(pop.u), np.linspace(0.1, 0.3, 5) * -60.0)
    live = pop.state["V"]
    pop.run(1.0, I=10.0)
    assert live is not pop.state["V"] and (host(live) != -60.0).any()
    np.testing.assert_array_equal(host(live), host(pop.V))
    pop.V = np.arange(5.0)
    np.testing.assert_array_equal(host(live), np.arange(5.0))
    pop.state["u"][2] = 7.0
    assert pop.u[2] == 7.0
    pop.reset()
    assert pop.t == 0.0
    np.testing.assert_array_equal(host(live), -60.0)


def test_step_and_call_agree_with_run(backend, dtype):
    currents = np.linspace(0, 30, 600)
    one, two, three = (population(600, backend, dtype) for _ in range(3))
    recording = one.run(steps=200, I=currents, record=["V", "spike"]).to_host()
    flags = np.array([host(two(currents)) for _ in range(200)])
    for _ in range(200):
        three.step(I=currents)
    assert flags.dtype == bool and flags.shape == (200, 600)
    np.testing.assert_array_equal(flags, recording["spike"])
    np.testing.assert_array_equal(host(one.V), host(two.V))
    np.testing.assert_array_equal(host(one.V), host(three.V))
    np.testing.assert_array_equal(host(two.spike), flags[-1])
    assert two.t == pytest.approx(20.0)


def test_every_form_of_input_is_the_same_input(backend):
    n, steps = 7, 150
    series = 15 + 5 * np.sin(np.arange(steps) * 0.1 / 3)
    forms = {
        "column": series[:, None],
        "matrix": np.repeat(series[:, None], n, axis=1),
        "text": "15 + 5*sin(t/3)",
        "fortran": np.asfortranarray(np.repeat(series[:, None], n, 1)),
        "strided": np.repeat(series[:, None], 2 * n, axis=1)[:, ::2],
        "list": [[v] for v in series],
        "stimulus": iz.inputs.from_array(series, 0.1),
        "matrix stimulus": iz.inputs.from_array(np.repeat(series[:, None], n, axis=1), 0.1),
    }
    results = {name: traces(population(n, backend), 15.0, I=value)["V"] for name, value in forms.items()}
    for name, values in results.items():
        np.testing.assert_array_equal(values, results["column"], err_msg=name)
    constants = [
        12.0,
        12,
        np.float32(12),
        np.full(n, 12.0),
        [12.0] * n,
        np.full((steps, 1), 12.0),
        "12",
        np.array(12.0),
    ]
    for value in constants:
        np.testing.assert_array_equal(
            traces(population(n, backend), 15.0, I=value)["V"], traces(population(n, backend), 15.0, I=12.0)["V"]
        )


def test_a_bare_vector_is_per_neuron_never_time(backend):
    with pytest.raises(ValueShapeError, match=r"bare 1-D array is per neuron: write values\[:, None\]"):
        population(3, backend).run(10.0, I=np.zeros(100))
    recording = population(3, backend).run(50.0, I=[0.0, 10.0, 20.0])
    assert recording.counts[0] == 0 < recording.counts[2]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"J": 1.0}, "no input 'J'"),
        ({"I": np.zeros((9, 3))}, "9 rows but the run has 100"),
        ({"I": np.zeros((100, 2))}, "shape"),
        ({"I": "sin(x)"}, "column 5: 'x'"),
        ({"I": "sin("}, "not a valid"),
        ({"I": [[1.0], [1.0, 2.0]]}, "no real numbers"),
        ({"I": 1j}, "no real numbers"),
        ({"I": object()}, "no real numbers"),
        ({"V_dleta": 1.0}, "did you mean 'V_delta'"),
        ({"I": iz.inputs.constant([(1.0, 5.0)])}, "lasts 5 ms but the run goes on to 10 ms"),
    ],
)
def test_bad_inputs(inputs, words, backend):
    with pytest.raises(iz.IzhigenError, match=words):
        population(3, backend).run(10.0, **inputs)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"aa": 1.0}, "no parameter or state 'aa'"),
        ({"I": 1.0}, "is an input"),
        ({"a": np.zeros(4)}, "shape"),
        ({"a": "x"}, "not a real number"),
        ({"a": "1*mV"}, "given in mV, and its unit is 1/ms"),
        ({"a": np.nan}, "not finite"),
        ({"V": [0.0, np.inf, 0.0]}, "neuron 1"),
        ({"dt": -1.0}, "positive number of ms"),
        ({"size": 0}, "positive whole"),
        ({"size": 2.5}, "positive whole"),
        ({"dtype": "float16"}, "float32"),
        ({"threads": 0}, "positive"),
        ({"seed": -1}, "seed"),
        ({"backend": "cuad"}, "no backend"),
        ({"method": "rk5"}, "no method"),
        ({"batch": 0}, "positive"),
    ],
)
def test_bad_values(values, words):
    options = {"size": 3, "dt": 0.1, **values}
    with pytest.raises(iz.IzhigenError, match=words):
        RS.population(options.pop("size"), **options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((), {}), "either a duration"),
        (((10.0,), {"steps": 5}), "either a duration"),
        (((0.25,), {}), "not a whole number of steps"),
        (((-1.0,), {}), "not a duration"),
        (((1.0,), {"record": ["W"]}), "not a state"),
        (((1.0,), {"every": 0}), "positive"),
        (((1.0,), {"neurons": [9]}), "outside"),
        (((1.0,), {"neurons": [1, 1]}), "twice"),
        (((), {"steps": 1.5}), "number of steps"),
    ],
)
def test_bad_runs(arguments, words, backend):
    with pytest.raises(ValueShapeError, match=words):
        population(3, backend).run(*arguments[0], **arguments[1])


def test_durations_are_counted_without_truncation(backend):
    pop = population(1, backend)
    assert len(pop.run(0.3, record=["V"]).t) == 3
    assert pop.run(0.0).t.shape == (0,)
    assert pop.t == pytest.approx(0.3)


NOISY = iz.load("IzhikevichRefLTC").with_noise(V=1.0).variant("Noisy", tau_ref=2.0)


@pytest.mark.parametrize("kind", ["plain", "refractory with noise"])
def test_continuing_equals_one_long_run(kind, backend):
    """Each kind in one precision on C, and in the other elsewhere."""
    model, dtype = (RS, NOISY)[kind != "plain"], ("float32", "float64")[(kind == "plain") == (backend == "c")]
    stimulus = iz.inputs.section([5.0, 20.0], [7.0, 33.0]) + iz.inputs.wiener(40.0, seed=1)
    options = dict(record=["V", "u", "spike"], I=stimulus, V_delta="0.01*sin(t)")
    whole = population(300, backend, dtype, model).run(40.0, **options).to_host()
    pop = population(300, backend, dtype, model)
    parts = [pop.run(duration, **options).to_host() for duration in (0.1, 12.3, 7.6, 20.0)]
    for name in ("V", "u", "spike"):
        np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), whole[name])
    np.testing.assert_array_equal(np.concatenate([p.t for p in parts]), whole.t)
    np.testing.assert_array_equal(np.concatenate([p.spikes[0] for p in parts]), whole.spikes[0])
    assert len(whole.spike_times) > 50


@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000])
def test_results_do_not_depend_on_threads_size_or_blocks(n, dtype, monkeypatch):
    model = iz.load("IzhikevichRef").with_noise(V=2.0)
    currents = np.linspace(5, 25, 1000)
    reference = traces(population(1000, dtype=dtype, model=model), 30.0, I=currents)
    for threads in (1, 2, 3, 16):
        other = traces(population(n, dtype=dtype, model=model, threads=threads), 30.0, I=currents[:n])
        np.testing.assert_array_equal(other["V"], reference["V"][:, :n])
        kept = reference.spikes[1] < n
        np.testing.assert_array_equal(other.spikes[0], reference.spikes[0][kept])
        np.testing.assert_array_equal(other.spikes[1], reference.spikes[1][kept])
    monkeypatch.setattr("izhigen.backends.engine.LONGEST_BLOCK", 17)
    blocks = traces(population(1000, dtype=dtype, model=model), 30.0, I=currents)
    np.testing.assert_array_equal(blocks["V"], reference["V"])


def test_nothing_is_lost_when_every_neuron_spikes_every_step(monkeypatch):
    monkeypatch.setattr("izhigen.backends.c.SPIKE_BUFFER", 16)
    pop = LEAK.population(600, dt=0.1, V=2.0)
    recording = pop.run(steps=300, I=100.0)
    assert len(recording.spike_times) == 600 * 300
    np.testing.assert_array_equal(recording.spikes[1], np.tile(np.arange(600), 300))
    np.testing.assert_array_equal(recording.counts, 300)


def test_backends_agree_on_per_neuron_parameters(dtype, device):
    rng = np.random.default_rng(0)
    values = {
        "a": rng.uniform(0.02, 0.1, 50),
        "b": rng.uniform(0.2, 0.25, 50),
        "c": rng.uniform(-65, -50, 50),
        "d": rng.uniform(2, 8, 50),
        "V_th": rng.uniform(25, 35, 50),
    }
    counts = [
        host(population(50, backend, dtype, **values).run(200.0, I=12.0).counts) for backend in ("c", "numpy", "cuda")
    ]
    assert max(abs(found.sum() - counts[0].sum()) for found in counts) <= 0.02 * counts[0].sum()
    one = population(50, "c", **values).run(20.0, I=12.0, record=["V"])["V"]
    for k in (0, 17, 49):
        single = population(1, "c", **{name: v[k] for name, v in values.items()}).run(20.0, I=12.0, record=["V"])["V"]
        np.testing.assert_allclose(single[:, 0], one[:, k], atol=1e-9)


def test_a_callable_that_fails_is_named():
    with pytest.raises(ValueShapeError, match="a: the callable failed with ZeroDivisionError"):
        population(3, a=lambda n, rng: 1 / 0)
    assert len(RS.population(2, dt=np.float32(0.1)).run(0.5, record=["V"]).t) == 5


def test_values_by_callable_and_assignment_between_runs(backend):
    pop = population(
        64,
        backend,
        a=lambda n, rng: rng.uniform(0.02, 0.1, n),
        V=lambda n, rng: -70 + 5 * rng.standard_normal(n),
        seed=5,
    )
    again = population(
        64,
        backend,
        a=lambda n, rng: rng.uniform(0.02, 0.1, n),
        V=lambda n, rng: -70 + 5 * rng.standard_normal(n),
        seed=5,
    )
    np.testing.assert_array_equal(host(pop.parameters["a"]), host(again.a))
    np.testing.assert_array_equal(host(pop.V), host(again.V))
    assert len(np.unique(host(pop.V))) == 64
    pop.a = 0.1
    pop.parameters["d"] = np.full(64, 2.0)
    fresh = population(64, backend, a=0.1, d=np.full(64, 2.0))
    fresh.V = pop.V
    fresh.u = pop.u
    np.testing.assert_array_equal(traces(pop, I=15.0)["V"], traces(fresh, I=15.0)["V"])
    with pytest.raises(AttributeError, match="did you mean 'V_th'"):
        pop.V_ht = 3.0
    with pytest.raises(ValueShapeError):
        pop.parameters["q"] = 3.0


def test_a_new_number_needs_no_new_kernel_a_new_placement_does(monkeypatch):
    built = []
    original = (
        iz.Model.population and __import__("izhigen.population.population", fromlist=["create_engine"]).create_engine
    )
    monkeypatch.setattr("izhigen.population.population.create_engine", lambda *a: built.append(a) or original(*a))
    pop = population(4)
    for value in (0.02, 0.05, 0.1):
        pop.a = value
        pop.run(1.0)
    assert len(built) == 1
    pop.a = np.linspace(0.02, 0.1, 4)
    pop.run(1.0)
    assert len(built) == 2


def test_tuple_sizes_and_batches(backend):
    currents = np.linspace(5, 25, 6)
    flat = traces(population(6, backend), I=currents)
    grid = traces(population((2, 3), backend), I=currents.reshape(2, 3))
    assert grid["V"].shape == (200, 2, 3) and grid["spike"].shape == (200, 2, 3) and grid.counts.shape == (2, 3)
    np.testing.assert_array_equal(grid["V"].reshape(200, 6), flat["V"])
    batched = population(6, backend, batch=4, a=np.full(6, 0.02))
    assert batched.V.shape == (4, 6) and batched(currents).shape == (4, 6)
    batched.reset()
    both = traces(batched, I=np.broadcast_to(currents, (4, 6)))
    for k in range(4):
        np.testing.assert_array_equal(both["V"][:, k], flat["V"])
    batched.reset(batch=2)
    assert batched.V.shape == (2, 6)
    timed = traces(batched, I=np.repeat(currents[None, None], 200, 0))
    np.testing.assert_array_equal(timed["V"][:, 1], flat["V"])
    batched.reset(batch=None)
    assert batched.V.shape == (6,)


def test_refractory_states(backend):
    model = iz.load("IzhikevichRef").variant("R", tau_ref=5.0)
    pop = population(2, backend, model=model)
    assert not pop.refractory.any() and (pop.t_last_spike == -1e7).all()
    recording = pop.run(60.0, I=[0.0, 40.0], record=["V", "refractory", "t_last_spike", "spike"]).to_host()
    held = recording["refractory"][:, 1]
    spike_rows = np.flatnonzero(recording["spike"][:, 1])
    assert len(spike_rows) >= 3 and np.diff(spike_rows).min() > 50
    for row in spike_rows[:-1]:
        assert held[row : row + 50].all()
        assert np.ptp(recording["V"][row : row + 50, 1]) == 0.0
        assert recording["t_last_spike"][row + 3, 1] == pytest.approx(row * 0.1)
    np.testing.assert_array_equal(host(pop.refractory), recording["refractory"][-1])


def test_delta_inputs_reach_every_state(backend):
    pop = population(3, backend)
    before_u = pop.u.copy()
    plain = population(3, backend)
    pop.step(I=1.0, V_delta=2.0, u_delta=[0.0, 1.0, 2.0])
    plain.step(I=1.0)
    np.testing.assert_allclose(host(pop.V - plain.V), 2.0, atol=1e-12)
    np.testing.assert_allclose(host(pop.u - plain.u), [0.0, 1.0, 2.0], atol=1e-12)
    assert before_u is not pop.u


def test_non_finite_states_are_named(backend):
    current = np.full((100, 4), 5.0)
    current[37, 2] = np.nan
    pop = population(4, backend)
    with pytest.raises(NonFiniteError, match="input 'I' of neuron 2 .*step 37 ") as caught:
        pop.run(10.0, I=current)
    error = caught.value
    assert (error.neuron, error.step, error.time) == (2, 37, pytest.approx(3.8))
    assert np.isnan(error.inputs["I"]) and set(error.state) == {"V", "u"}
    assert pop.t == pytest.approx(3.7) and np.isfinite(host(pop.V)).all()
    clean = population(4, backend)
    clean.run(3.7, I=5.0)
    np.testing.assert_array_equal(host(pop.V), host(clean.V))
    assert error.state["V"] == clean.V[2]
    pop.run(10.0, I=current, check_finite=False)
    np.testing.assert_array_equal(np.isnan(host(pop.V)), [False, False, True, False])
    with pytest.raises(NonFiniteError, match="neuron 1"):
        population(3, backend).step(I=[0.0, np.nan, 0.0])


def test_survives_what_a_kernel_must_survive(backend, dtype):
    pop = population(4, backend, dtype, V=100.0)
    assert pop(0.0).all() and (pop.V == -65).all()
    for dt in (0.01, 0.1, 1.0):
        pop = RS.population(4, dt=dt, backend=backend, dtype=dtype)
        pop.run(steps=200, I=[1e6, -1e6, 1e3, -1e3])
        assert np.isfinite(pop.V).all() and np.isfinite(pop.u).all()


def test_infinite_inputs_are_named_before_they_reach_the_state(backend):
    for value, neuron in ((np.inf, 0), ("1/(t - t)", 0), ([1.0, 1.0, -np.inf], 2)):
        pop = population(3, backend, "float32")
        with pytest.raises(NonFiniteError, match=f"neuron {neuron} "):
            pop.run(1.0, I=value)
        assert pop.t == 0.0 and (pop.V == -70).all()
    with pytest.raises(NonFiniteError):
        population(3, backend, "float32").run(1.0, I=1e300)
    with pytest.raises(ValueShapeError, match="float32"):
        population(3, backend, "float32", a=1e300)
    with pytest.raises(ValueShapeError, match="float32"):
        population(3, backend, "float32", V=1e300)


def test_a_reset_that_fails_changes_nothing(backend):
    pop = population(40, backend, batch=2, a=np.full((2, 40), 0.03))
    pop.run(5.0, I=10.0)
    before = host(pop.V).copy()
    with pytest.raises(ValueShapeError):
        pop.reset(batch=3)
    assert pop.batch == 2 and pop.t == 5.0
    np.testing.assert_array_equal(host(pop.V), before)
    pop.run(5.0, I=10.0)


def test_spike_flags_belong_to_the_last_step(backend):
    pop = LEAK.population(2, dt=1.0, backend=backend, dtype="float64")
    current = np.array([[0.0, 0.0], [9.0, 0.0], [np.nan, 0.0]])
    with pytest.raises(NonFiniteError):
        pop.run(steps=3, I=current)
    assert pop.spike.tolist() == [True, False] and pop.t == 2.0


def test_times_of_spikes_survive_saving_and_restoring(backend):
    model = iz.load("IzhikevichRef").variant("R", tau_ref=2.0)
    pop = population(20, backend, "float32", model)
    pop.run(103.7, I=np.linspace(5, 30, 20))
    other = population(20, backend, "float32", model, V=pop.V, u=pop.u, t_last_spike=pop.t_last_spike)
    np.testing.assert_array_equal(host(other.t_last_spike), host(pop.t_last_spike))
    pop.t_last_spike = other.t_last_spike
    np.testing.assert_array_equal(host(other.t_last_spike), host(pop.t_last_spike))
    with pytest.raises(ValueShapeError, match="negative"):
        pop.tau_ref = -1.0


@pytest.mark.parametrize("backend", ["c", "cuda"], indirect=True)
def test_ctrl_c_returns_what_was_recorded(backend):
    pop = population(20_000, backend, "float32")
    interrupt_what_runs(0.4)
    started = time.perf_counter()
    recording = pop.run(steps=2_000_000, I=10.0, record=["V", "spike"], neurons=[3, 1])
    assert recording.interrupted and time.perf_counter() - started < 30
    done = round(pop.t / 0.1)
    assert 0 < done < 2_000_000 and recording["V"].shape == (done, 2)
    again = population(20_000, backend, "float32").run(steps=done, I=10.0, record=["V"], neurons=[3, 1])
    np.testing.assert_array_equal(host(again["V"]), host(recording["V"]))


@pytest.mark.parametrize("backend", ["c", "cuda"], indirect=True)
def test_two_populations_in_two_threads(backend):
    results = {}

    def work(key):
        results[key] = traces(population(2000, backend, threads=2), 100.0, I=10.0)["V"][-1]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results[0], results[1])


def test_models_without_spikes_inputs_or_parameters(backend):
    bare = Model("Bare", "dV/dt = -V", initial={"V": 1.0}).population(3, dt=0.5, backend=backend, dtype="float64")
    recording = bare.run(2.0, record=["V"]).to_host()
    np.testing.assert_allclose(recording["V"][-1], np.exp(-2.0), rtol=1e-12)
    assert recording.spike_times is None
    with pytest.raises(ValueShapeError, match="0 inputs"):
        bare(1.0)


def test_progress_bar_and_repr(capsys, backend):
    pop = population(2, backend)
    pop.run(5.0, I=1.0, progress=True)
    assert "50/50" in capsys.readouterr().err
    assert "RS" in repr(pop) and "t=5" in repr(pop)


def test_a_bar_of_ones_own(backend):
    told = []

    class Own:
        def update(self, steps):
            told.append(steps)

    population(2, backend).run(5.0, I=1.0, progress=Own())
    assert sum(told) == 50
    with pytest.raises(ValueShapeError, match="progress='yes' is not True or False"):
        population(2, backend).run(5.0, progress="yes")


def test_no_such_backend_message_lists_them():
    with pytest.raises(BackendError, match="backends: c, cuda, numpy"):
        RS.population(1, backend="fortran")


@pytest.mark.parametrize("first", [5, 600, 643, 1023, 1024, 1300])
@pytest.mark.sample(6)
def test_a_step_is_found_from_an_older_copy_of_large_states(first, backend, monkeypatch):
    """States that take long to copy are copied before each eighth block; what follows is made again to the first bad step."""
    model = iz.Model(
        "Square", "dV/dt = -V/10 + I*I", threshold="V > 300 and V < 1e6", reset="V = 0", inputs=["I"]
    ).with_noise(V=1.0)
    series = np.full((1400, 1), 9.0)
    series[first] = 1e30
    errors, states = [], []
    for large in (1 << 60, 0):
        monkeypatch.setattr(run, "LARGE", large)
        pop = model.population(5000, backend=backend, seed=3)
        with pytest.raises(NonFiniteError) as caught:
            pop.run(140.0, I=series, record=["V"], every=1)
        errors.append(str(caught.value))
        states.append((host(pop.V).copy(), pop.t))
    assert errors[0] == errors[1] and f"in step {first} " in errors[0]
    np.testing.assert_array_equal(states[0][0], states[1][0])
    assert states[0][1] == states[1][1]
