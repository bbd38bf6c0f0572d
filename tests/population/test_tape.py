"""Ways back through runs: the same bits however a run is laid out, what may be given, and what is refused."""

import pickle

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import (
    BackendError,
    ConcurrentUseError,
    DerivationError,
    ModelError,
    NonFiniteError,
    RecordingError,
    ValueShapeError,
)
from izhigen.population import tape as tapes
from izhigen.signals import Interruptible
from tests.helpers import host

MODEL = iz.load("IzhikevichLTC")
REFRACTORY = iz.load("IzhikevichRefLTC").with_noise(V=2.0)


def current(steps, n, seed=0):
    return np.random.default_rng(seed).uniform(5.0, 25.0, (steps, n)).astype(np.float32)


def population(n=300, model=REFRACTORY, **options):
    changes = {"tau_ref": 1.5} if model is REFRACTORY else {}
    return model.population(
        n, **{"dt": 0.2, "surrogate": "sigmoid", "spike_scale": 0.1, "V": np.linspace(-70, 20, n), **changes, **options}
    )


def gradients(pop, steps, inputs, **options):
    recording = pop.run(steps=steps, record=["V", "spike"], tape=True, **inputs, **options)
    weights = np.cos(np.arange(len(recording.t)))[:, None]
    return recording, recording.backward(
        {"V": 1e-2 * weights, "spike": weights, "count": np.arange(pop.size[0]) * 0.01}
    )


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 255, 256, 257, 1000])
def test_threads(n, dtype):
    inputs = {"I": current(70, n)}
    expected = gradients(population(n, dtype=dtype), 70, inputs)[1]
    assert_same(expected, gradients(population(n, dtype=dtype, threads=3), 70, inputs)[1])
    assert np.abs(expected["I"]).max() > 0


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("steps", [1, 31, 32, 33, 100])
def test_segments(steps, backend, monkeypatch):
    """However long they are, and however many are gone back through at once; also from the middle of a simulation."""
    inputs = {"I": current(steps, 20)}

    def found(every, seconds):
        monkeypatch.setattr(tapes, "segment_steps", lambda steps: every)
        monkeypatch.setattr(tapes, "SECONDS", seconds)
        pop = population(20, backend=backend)
        pop.run(steps=13, record=[], I=10.0)
        return gradients(pop, steps, inputs)[1]

    expected = found(1024, 1e9)
    for every, seconds in ((32, 0.0), (32, 1e9), (64, 0.0), (96, 0.05)):
        assert_same(expected, found(every, seconds))


def test_batches():
    """A batch is so many populations side by side; what it shares is added up."""
    n, batches, steps = 7, 3, 50
    scale = np.linspace(0.9, 1.1, n)
    inputs = np.stack([current(steps, n, k) for k in range(batches)], axis=1)
    values = {"d": 8.0 * scale, "V": -60.0}
    options = {"surrogate": "arctan", "dtype": "float64", "dt": 0.2}
    together = MODEL.population(n, batch=batches, **options, **values)
    recording = together.run(steps=steps, record=["V"], I=inputs, tape=True)
    weights = np.random.default_rng(3).standard_normal(recording["V"].shape)
    found = recording.backward({"V": weights})
    assert found["I"].shape == (steps, batches, n)
    assert found["V0"].shape == (batches, n)
    assert found["d"].shape == (n,)
    assert isinstance(found["a"], float)
    alone = []
    for k in range(batches):
        run = MODEL.population(n, **options, **values).run(steps=steps, record=["V"], I=inputs[:, k], tape=True)
        alone.append(run.backward({"V": weights[:, k]}))
    np.testing.assert_array_equal(found["I"], np.stack([part["I"] for part in alone], axis=1))
    np.testing.assert_array_equal(found["u0"], np.stack([part["u0"] for part in alone]))
    np.testing.assert_allclose(found["d"], sum(part["d"] for part in alone), rtol=1e-12)
    np.testing.assert_allclose(found["a"], sum(part["a"] for part in alone), rtol=1e-12)
    own = MODEL.population(n, batch=batches, **options, V=-60.0, d=np.broadcast_to(8.0 * scale, (batches, n)))
    each = own.run(steps=steps, record=[], I=inputs, tape=["d"]).backward({"V": weights})
    np.testing.assert_array_equal(each["d"], np.stack([part["d"] for part in alone]))


def test_single_precision():
    inputs = {"I": current(60, 50)}
    one, two = (gradients(population(50, MODEL, dtype=d), 60, inputs)[1] for d in ("float32", "float64"))
    for name, values in two.items():
        largest = np.abs(values).max()
        assert np.abs(one[name] - values).max() <= 1e-2 * largest, name


def test_two_runs_are_one():
    """What the first leaves is what the second begins with: ``final`` joins them."""
    inputs = current(80, 9)
    weights = np.random.default_rng(1).standard_normal((80, 9))
    pop = population(9, MODEL, dtype="float64")
    whole = pop.run(steps=80, record=["V"], I=inputs, tape=True).backward({"V": weights})
    pop.reset()
    first = pop.run(steps=37, record=["V"], I=inputs[:37], tape=True)
    second = pop.run(steps=43, record=["V"], I=inputs[37:], tape=True).backward({"V": weights[37:]})
    before = first.backward({"V": weights[:37]}, final={"V": second["V0"], "u": second["u0"]})
    np.testing.assert_allclose(before["V0"], whole["V0"], rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(np.concatenate([before["I"], second["I"]]), whole["I"], rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(before["a"] + second["a"], whole["a"], rtol=1e-10)


def test_rows_that_were_recorded():
    """Every fourth step of some neurons; and forms that broadcast."""
    inputs, chosen = {"I": current(42, 6)}, [4, 1]
    pop = population(6, MODEL, dtype="float64")
    recording = pop.run(steps=42, record=["V"], every=4, neurons=chosen, tape=True, **inputs)
    weights = np.random.default_rng(1).standard_normal(recording["V"].shape)
    found = recording.backward({"V": weights})
    dense = np.zeros((42, 6))
    for row, values in enumerate(weights):
        dense[4 * row + 3, chosen] = values
    pop.reset()
    assert_same(found, pop.run(steps=42, record=[], tape=True, **inputs).backward({"V": dense}))
    with pytest.raises(ValueShapeError, match="stand for several steps \\(every=4\\)"):
        recording.backward({"spike": 1.0})
    pop.reset()
    whole = pop.run(steps=42, record=[], tape=True, **inputs)
    full = whole.backward({"V": np.ones((42, 6)), "spike": np.full((42, 6), 2.0)})
    for v, s in ((1.0, 2.0), (np.ones((42, 1)), np.full((1, 6), 2.0)), (np.ones(6), [[2.0]])):
        assert_same(full, whole.backward({"V": v, "spike": s}))
    assert_same(whole.backward({"count": 2.0}), whole.backward({"spike": 2.0}))


@pytest.mark.parametrize(("dtype", "kind"), [("float64", "drawn"), ("float32", "computed")])
def test_all_inputs(dtype, kind):
    """What a kernel draws, delivers and computes is the same on the way back; jumps have gradients."""
    n, steps = 33, 100
    drawn = {
        "I": iz.inputs.poisson(rate=400.0, weight=6.0) + iz.inputs.wiener(duration=20.0, n=n, seed=3) * 3.0 + 8.0,
        "V_delta": iz.inputs.spikes([1.0, 5.0, 5.1], [3, 3, 20], weight=4.0),
    }
    given = drawn if kind == "drawn" else {"I": "10 + 5*sin(t)", "u_delta": current(steps, n)}
    found = [gradients(population(n, backend=b, dtype=dtype, seed=5), steps, given)[1] for b in ("c", "numpy")]
    for name, values in found[1].items():
        largest = max(np.abs(values).max(), 1e-30)
        assert np.abs(found[0][name] - values).max() <= (1e-11 if dtype == "float64" else 2e-3) * largest, name
    assert all(np.abs(found[0][name]).max() > 0 for name in given)


def test_given_arrays_may_change_afterwards():
    given = current(40, 5)
    kept, pop = given.copy(), population(5, MODEL, a=np.full(5, 0.02))
    recording = pop.run(steps=40, record=[], I=given, tape=True)
    expected = recording.backward({"V": 1.0})
    given[:] = 0.0
    pop.a, pop.b = 0.5, 0.9
    pop.run(steps=7, record=[])
    assert_same(expected, recording.backward({"V": 1.0}))
    pop = population(5, MODEL, a=np.full(5, 0.02))
    assert_same(expected, pop.run(steps=40, record=[], I=kept, tape=True).backward({"V": 1.0}))


def test_a_tape_changes_no_spike():
    inputs = {"I": current(300, 100)}
    plain = population(100).run(steps=300, record=["V", "spike"], **inputs)
    taped = population(100).run(steps=300, record=["V", "spike"], tape=True, **inputs)
    np.testing.assert_array_equal(plain["V"], taped["V"])
    np.testing.assert_array_equal(plain.spike_times, taped.spike_times)


def test_memory():
    """At most 6 bytes a neuron-step at 1,024 steps; without inputs of rows, the root of the number of steps."""
    recording = population(512, MODEL).run(steps=1024, record=[], I=current(1024, 512), tape=True)
    assert recording.tape.bytes <= 6 * 512 * 1024
    for steps in (1_000, 16_000, 256_000):
        held = population(2, MODEL).run(steps=steps, record=[], I=10.0, tape=True)
        assert held.tape.bytes <= 2 * 2 * 4 * (np.sqrt(steps) + 32) + 64


def test_names_limit_the_gradients():
    inputs = {"I": current(50, 11)}
    everything = population(11, MODEL).run(steps=50, record=[], tape=True, **inputs).backward({"V": 1.0})
    some = population(11, MODEL).run(steps=50, record=[], tape=["d", "I"], **inputs).backward({"V": 1.0})
    assert set(some) == {"I", "V0", "u0", "d"}
    for name, values in some.items():
        np.testing.assert_allclose(values, everything[name], rtol=1e-4, atol=1e-12)
    assert set(everything) == {"I", "V0", "u0", *MODEL.parameters}


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_detached(backend):
    """With ``"all"``, spikes alone have no gradient; with ``"reset"``, only what they assign has none."""
    inputs = {"I": current(100, 8)}

    def found(detach, cotangents):
        pop = population(8, MODEL, detach_spike=detach, backend=backend, dtype="float64")
        return pop.run(steps=100, record=[], tape=True, **inputs).backward(cotangents)

    assert not any(np.any(values) for values in found("all", {"spike": 1.0}).values())
    assert np.any(found("reset", {"spike": 1.0})["I"])
    assert np.any(found("all", {"V": 1.0})["I"])
    assert np.any(found(False, {"spike": 1.0})["I"] != found("reset", {"spike": 1.0})["I"])
    np.testing.assert_allclose(found("all", {"V": 1.0})["I"], found("reset", {"V": 1.0})["I"], rtol=1e-12)


def test_vanishing_gradient_and_scale():
    """BrainPy's default of 100 per mV lets next to nothing through; a scale of 1e-3 makes it 0.1 per mV."""
    inputs = {"I": current(400, 50)}

    def median(scale):
        pop = population(50, MODEL, surrogate=iz.surrogates.inv_square(100.0), spike_scale=scale, dtype="float64")
        return np.median(np.abs(pop.run(steps=400, record=[], tape=["I"], **inputs).backward({"spike": 1.0})["I"]))

    assert median(1.0) < 1e-5
    assert median(1e-3) > 1e2 * median(1.0)


def test_soft_reset():
    equations = "dV/dt = (-V + I)/tau\ndw/dt = -w/20"
    leaky = iz.Model("LIF", equations, "V > V_th - 1", "V = c; w = w + 1", {"tau": 10, "V_th": 2, "c": 0.1}, ["I"])
    for how, after in ((None, 0.1), ("hard", 0.1), ("soft", 1.5 - (1.0 - 0.1))):
        pop = leaky.population(1, backend="numpy", dtype="float64", V=1.5, spike_reset=how)
        assert pop(1.5)[0]
        assert pop.V[0] == pytest.approx(after, abs=1e-12)
    with pytest.raises(ModelError, match="does not set V, or builds on its value"):
        leaky.variant("Soft", reset="V = V - 1").population(1, spike_reset="soft")
    with pytest.raises(ModelError, match="not of the form"):
        iz.Model("No", "dV/dt = -V").population(1, spike_reset="soft")
    with pytest.raises(ValueShapeError, match="spike_reset='medium' is not one of 'hard', 'soft'"):
        leaky.population(1, spike_reset="medium")


def test_a_model_without_spikes_needs_no_surrogate():
    model = iz.Model("Decay", "dV/dt = -k*V", parameters={"k": 0.1}, initial={"V": 2.0})
    pop = model.population(2, dt=0.5, dtype="float64")
    found = pop.run(steps=10, record=["V"], tape=True).backward({"V": np.eye(10)[:, [-1]]})
    np.testing.assert_allclose(found["V0"], np.exp(-0.5), rtol=1e-12)
    assert found["k"] == pytest.approx(2 * 2 * -5 * np.exp(-0.5), rel=1e-12)


def test_overflow_is_named():
    """Neuron 2 grows by 1e8 a step, so its gradient overflows on the way back through the fifth step from the end."""
    model = iz.Model("Grows", "dV/dt = k*V", parameters={"k": 1.0})
    pop = model.population(4, dt=1.0, method="euler", k=np.array([0.0, 0.0, 1e8, 1.0]), V=1e-38)
    recording = pop.run(steps=100, record=[], tape=[], check_finite=False)
    with pytest.raises(NonFiniteError, match="the gradient of neuron 2 overflows, .* through step 95 ") as caught:
        recording.backward({"V": np.eye(100)[:, [-1]]})
    assert (caught.value.neuron, caught.value.step) == (2, 95)


@pytest.mark.parametrize(
    ("cotangents", "message"),
    [
        ({"W": 1.0}, "'W' has no gradient.*known: V, u, spike, count"),
        ({"V": np.ones((3, 4))}, r"V has shape \(3, 4\), its trace \(30, 4\)"),
        ({"V": np.ones((1, 30, 4))}, "broadcasts to it"),
        ({"V": "steep"}, "backward: V"),
        ({"V": np.nan}, "the gradient given for 'V' is not finite"),
        ({"V": np.full((30, 4), 1e39)}, "too large for float32, at 0, 0"),
        ({"count": np.ones(3)}, r"count has shape \(3,\); give one value per neuron \(4,\)"),
        ({"count": np.inf}, "number of 'spike' is not finite"),
        ([1.0], "takes a mapping"),
        ({3: 1.0}, "3 has no gradient"),
        ({"V": np.ma.masked_greater(np.ones((30, 4)), 0.5)}, "masked"),
    ],
)
def test_bad_cotangents(cotangents, message):
    recording = population(4, MODEL).run(steps=30, record=[], I=10.0, tape=True)
    with pytest.raises(ValueShapeError, match=message):
        recording.backward(cotangents)


def test_refused():
    with pytest.raises(ValueShapeError, match="a spike of model 'IzhikevichLTC' has no derivative"):
        MODEL.population(2).run(steps=3, tape=True)
    with pytest.raises(RecordingError, match="make it with run\\(..., tape=True\\)"):
        population(2).run(steps=3).backward({"V": 1.0})
    with pytest.raises(ValueShapeError, match="the refractory period carries no gradient"):
        population(2).run(steps=3, tape=["tau_ref"])
    with pytest.raises(ValueShapeError, match="'aa' is no input of this run and no parameter.*did you mean 'a'"):
        population(2).run(steps=3, tape=["aa"])
    with pytest.raises(ValueShapeError, match="final: 'W' has no gradient.*known: V, u"):
        population(2, MODEL).run(steps=3, tape=True).backward({}, final={"W": 1.0})
    with pytest.raises(ValueShapeError, match="final 'V' is not finite"):
        population(2, MODEL).run(steps=3, tape=True).backward({}, final={"V": np.nan})
    for options, message in (
        ({"detach_spike": "some"}, "detach_spike='some' is not one of False, 'reset', 'all'"),
        ({"spike_scale": 0.0}, "not a number above 0"),
        ({"spike_scale": np.nan}, "spike_scale"),
        (
            {"smooth_spikes": True, "spike_scale": 1.0, "surrogate": None},
            "smooth_spikes=True says how gradients pass .* needs a surrogate",
        ),
        ({"smooth_spikes": True, "surrogate": "1/(1+abs(x))"}, "is a gradient alone"),
    ):
        with pytest.raises(ValueShapeError, match=message):
            population(2, **options)
    with pytest.raises(BackendError, match="on backend 'numpy' only"):
        population(2, smooth_spikes=True)


@pytest.mark.parametrize("asked", ["population", "step_function", "source", "emit"])
@pytest.mark.parametrize("option", [{"detach_spike": "reset"}, {"detach_spike": "all"}, {"spike_scale": 0.1}])
def test_what_says_how_gradients_pass_needs_a_surrogate(asked, option, tmp_path):
    """The same words wherever it is given; it would say nothing."""
    (name,) = option
    message = f"{name}=.* says how gradients pass through spikes, and needs a surrogate.*or leave {name} out"
    model = iz.load("IzhikevichLTC")
    first = [tmp_path / "project"] if asked == "emit" else []
    with pytest.raises(ValueShapeError, match=message):
        getattr(model, asked)(*first, **option)
    with_gradients = {"gradients": True} if asked in ("source", "emit") else {}
    with pytest.raises(ValueShapeError, match=message):
        getattr(model, asked)(*first, **option, **with_gradients)
    assert not any(tmp_path.iterdir())
    assert getattr(model, asked)(*first, **option, **with_gradients, surrogate="sigmoid")


def test_smooth_spikes_are_a_trace():
    recording = population(3, MODEL, backend="numpy", smooth_spikes=True).run(steps=50, record=["V", "spike"], I=20.0)
    spikes = recording["spike"]
    assert spikes.dtype == np.float32
    assert 0.0 <= spikes.min() < 0.1 < spikes.max() <= 1.0


def test_copies_and_pickles():
    """A copied population has the same surrogate; a pickled recording has no tape."""
    pop = pickle.loads(pickle.dumps(population(3, MODEL)))
    recording = pop.run(steps=20, record=["V"], I=10.0, tape=True)
    assert np.any(recording.backward({"V": 1.0})["I"])
    again = pickle.loads(pickle.dumps(recording))
    np.testing.assert_array_equal(again["V"], recording["V"])
    with pytest.raises(RecordingError, match="no way back"):
        again.backward({"V": 1.0})


def test_nothing_to_go_back_through():
    recording = population(3, MODEL).run(steps=0, record=["V"], tape=True)
    found = recording.backward({"V": 1.0}, final={"V": 2.0})
    assert found["I"].shape == (0, 3)
    np.testing.assert_array_equal(found["V0"], 2.0)


def test_one_use_at_a_time():
    """The way back uses the population's kernel: another thread is refused while a run is under way, and inversely."""
    pop = population(50, MODEL)
    recording = pop.run(steps=50, record=[], I=10.0, tape=True)
    refused = []

    def value(n, rng):
        try:
            recording.backward({"V": 1.0})
        except ConcurrentUseError as problem:
            refused.append(str(problem))
        return np.full(n, -60.0)

    pop.V = value
    assert len(refused) == 1 and "backward()" in refused[0]
    recording.backward({"V": 1.0})


def test_an_interrupted_run_has_a_tape_of_what_was_made(monkeypatch):
    """And a way back that is interrupted raises KeyboardInterrupt, and may be gone again."""
    looks = iter([False, False, True])
    pop = population(2000, MODEL, detach_spike="all")
    with monkeypatch.context() as patch:
        patch.setattr(Interruptible, "look", lambda self: next(looks, True))
        recording = pop.run(steps=20_000, record=["V"], every=1000, I=10.0, tape=["a", "I"])
    done = round(pop.t / pop.dt)
    assert recording.interrupted or done < 20_000
    assert 0 < done < 20_000 and recording.tape.block.steps == done
    found = recording.backward({"V": 1e-3})
    assert found["I"].shape == (done, 2000) and np.isfinite(found["a"])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Interruptible, "look", lambda self: True)
        recording.backward({"V": 1e-3})
    assert_same(found, recording.backward({"V": 1e-3}))


def test_names_of_initial_states_are_not_those_of_others():
    for more in ({"parameters": {"V0": 0.3}, "inputs": ["I"]}, {"inputs": ["V0"]}):
        model = iz.Model("M", "dV/dt = V0 - V", **more)
        with pytest.raises(ValueShapeError, match="'V0' is an input or parameter .* the gradient with respect"):
            model.population(3).run(steps=3, record=[], tape=True)
    assert set(model.population(3).run(steps=3, record=[], tape=[]).backward({"V": 1.0})) == {"V0"}


@pytest.mark.parametrize("kind", ["tensor", "memoryview", "read-only view"])
def test_memory_of_others_is_copied(kind):
    base = np.full((40, 1), 9.0, np.float32)
    given = base
    if kind == "tensor":
        given = pytest.importorskip("torch").from_numpy(base)
    elif kind == "memoryview":
        given = memoryview(base)
    else:
        given = np.broadcast_to(base, (40, 1))
    recording = population(1, MODEL).run(steps=40, record=[], I=given, tape=True)
    expected = recording.backward({"V": 1.0})
    base[:] = 50.0
    assert_same(expected, recording.backward({"V": 1.0}))
    fixed = np.full((40, 1), 9.0, np.float32)
    fixed.flags.writeable = False
    tape = population(1, MODEL).run(steps=40, record=[], I=fixed, tape=True).tape
    assert np.shares_memory(tape.block.inputs["I"].values, fixed)


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize("kind", ["parameters", "inputs", "states"])
def test_a_model_may_call_things_as_the_way_back_does(kind, backend):
    """The same gradients as under another name."""
    found = []
    for name in ("is_held", "other"):
        given = {"parameters": {"tau": 5.0}, "inputs": ["I"]}
        if kind == "parameters":
            given["parameters"][name] = 0.7
        elif kind == "inputs":
            given["inputs"].append(name)
        extra = f"\nd{name}/dt = -{name}/7" if kind == "states" else ""
        model = iz.Model("M", f"dV/dt = (-V + 2*I + {name})/tau{extra}", "V >= 1", "V = 0", **given).with_refractory(
            0.5
        )
        pop = model.population(3, dt=0.25, dtype="float64", surrogate="sigmoid", backend=backend)
        inputs = dict.fromkeys(model.inputs, 0.9)
        found.append(pop.run(steps=40, record=[], tape=True, **inputs).backward({"V": 1.0, "spike": 0.3}))
    assert np.abs(found[0]["I"]).max() > 0
    for name, values in found[0].items():
        np.testing.assert_allclose(values, found[1][name.replace("is_held", "other")], rtol=1e-12)


@pytest.mark.parametrize("backend", ["c", "numpy"])
def test_gradients_of_inputs_and_parameters_are_finite_too(backend):
    model = iz.Model("M", "dV/dt = (-V + G*I*tau)/tau", parameters={"G": 1e300, "tau": 10.0}, inputs=["I"])
    pop = model.population(2, dt=0.5, dtype="float64", backend=backend)
    with pytest.raises(NonFiniteError, match="the gradient of input 'I' of neuron 0 overflows.*step 4"):
        pop.run(steps=5, record=[], I=0.0, tape=["I"]).backward({"V": 1e20})
    with pytest.raises(NonFiniteError, match="the gradient of parameter 'G' in neuron 0"):
        pop.G = 1e-10
        pop.run(steps=5, record=[], I=1e20, tape=["G"]).backward({"V": np.eye(5)[:, [0]] * 1e300})


def test_equality_has_no_margin_and_does_not_hide_others():
    model = iz.Model("M", "dV/dt = (-V + I)/tau", "V >= V_th and V != 3", "V = 0", {"tau": 5.0, "V_th": 1.0}, ["I"])
    plain = model.variant("P", threshold="V >= V_th")
    found = [
        m.population(2, surrogate="sigmoid", dtype="float64", backend="numpy")
        .run(steps=50, record=[], I=2.0, tape=True)
        .backward({"spike": 1.0})["V_th"]
        for m in (model, plain)
    ]
    assert found[0] == found[1] != 0
    with pytest.raises(DerivationError, match="compares numbers for equality only"):
        model.variant("E", threshold="V == 1").population(2, surrogate="sigmoid", smooth_spikes=True, backend="numpy")


def test_traces_without_rows():
    recording = population(3, MODEL).run(steps=2, record=["V"], every=5, I=1.0, tape=True)
    assert not np.any(recording.backward({"V": np.zeros((0, 3))})["I"])


@pytest.mark.parametrize("late", [299, 330])
def test_whether_a_gradient_overflows_does_not_depend_on_cuts(backend, late, monkeypatch):
    """It grows by 1.8 a step on the way back, and an earlier spike cuts it off again: found at segments, or never."""
    model = iz.Model("X", "dV/dt = 8*V + I", "V > 1e5", "V = 0", inputs=["I"])
    options = {"dt": 0.1, "surrogate": "sigmoid", "method": "euler", "detach_spike": "all", "V": 1e-30}

    def found(seconds, threads=1):
        monkeypatch.setattr(tapes, "SECONDS", seconds)
        pop = model.population(4, backend=backend, threads=threads, **options)
        recording = pop.run(steps=400, record=[], I=0.0, tape=[], check_finite=False)
        weights = np.zeros((400, 1))
        weights[late] = 1e10
        with pytest.raises(NonFiniteError) as problem:
            recording.backward({"V": weights})
        return problem.value.neuron, problem.value.step

    assert found(1e9) == found(0.0) == found(0.05, 8)


def test_gradients_that_are_not_finite_are_returned_where_nobody_looks(backend):
    """Given and found, of states, inputs and parameters; other neurons have the numbers that they have alone."""
    model = iz.Model("Grows", "dV/dt = k*V + I", parameters={"k": 1.0}, inputs=["I"])
    pop = model.population(3, dt=1.0, method="euler", k=np.array([0.0, 1e8, 1.0]), V=0.0, backend=backend)
    recording = pop.run(steps=100, record=[], tape=True, check_finite=False)
    weights = np.eye(100)[:, [-1]]
    with pytest.raises(NonFiniteError, match="neuron 1 overflows.*check_finite=False lets it pass"):
        recording.backward({"V": weights})
    found = {name: host(x) for name, x in recording.backward({"V": weights}, check_finite=False).items()}
    assert not np.isfinite(found["V0"][1]) and not np.isfinite(found["I"][0, 1]) and not np.isfinite(found["k"][1])
    finite = host(recording.backward({"V": weights * [1.0, 0.0, 1.0]})["I"])
    np.testing.assert_array_equal(found["I"][:, [0, 2]], finite[:, [0, 2]])
    for given, final in (({"V": [1.0, 1.0, np.inf]}, {}), ({}, {"V": [1.0, 1.0, np.inf]})):
        with pytest.raises(ValueShapeError, match="is not finite.*at .*2; check_finite=False lets it pass"):
            recording.backward(given, final=final)
        assert np.isinf(host(recording.backward(given, final=final, check_finite=False)["V0"])[2])


def test_sums_beyond_the_kernels_type_are_named(backend):
    model = iz.Model("A", "dV/dt = -V + b + I", parameters={"b": 1.0}, inputs=["I"])
    pop = model.population(2, dt=0.1, backend=backend, b=np.array([1.0, 2.0]))
    recording = pop.run(steps=320, record=["V"], I=1.0, tape=True)
    with pytest.raises(NonFiniteError, match="parameter 'b' in neuron 0, summed .* too large for float32"):
        recording.backward({"V": 9e36})
    assert np.isinf(host(recording.backward({"V": 9e36}, check_finite=False)["b"])).all()


def test_the_last_states_are_those_of_all_neurons():
    """Whatever was recorded; so runs can be chained by what the next one began with."""
    pop = population(6, MODEL)
    recording = pop.run(steps=20, record=["V"], neurons=[1, 4], I=10.0, tape=True)
    whole = recording.backward({}, final={"V": np.arange(6.0)})
    assert whole["V0"].shape == (6,)
    with pytest.raises(ValueShapeError, match=r"final V has shape \(2,\); give one value per neuron"):
        recording.backward({}, final={"V": np.ones(2)})
    with pytest.raises(ValueShapeError, match="final takes a mapping"):
        recording.backward({}, final=[1.0])


def test_an_input_that_was_not_finite_in_a_step_stops_no_way_back(backend):
    """It made the neuron spike, and nobody asked to look; the next run goes on as well."""
    model = iz.Model("M", "dV/dt = (-V + I)/5", "V >= 1", "V = 0", inputs=["I"])
    pop = model.population(3, dt=0.5, dtype="float64", backend=backend, surrogate="arctan", detach_spike="reset")
    text, weights = "where(t == 5, 1/(t - 5), 2 + 0.1*sin(t))", []
    for _ in range(2):
        pop.reset()
        recording = pop.run(steps=40, record=["spike"], I=text, tape=["I"], check_finite=False)
        weights.append(host(recording.backward({"count": 1.0})["I"]))
        assert host(recording["spike"])[10].all()
    np.testing.assert_array_equal(*weights)
    assert weights[0][10, 0] == 0.0 and (weights[0][11:-1] > 0.0).all() and (weights[0][:10] > 0.0).all()
