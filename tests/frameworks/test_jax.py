"""``izhigen.jax.layer`` under JAX's transformations."""

import subprocess
import sys
from functools import partial

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import ValueShapeError

jax = pytest.importorskip("jax", reason="JAX is not installed")
layer = pytest.importorskip("izhigen.jax").layer
jnp = jax.numpy
MODEL = iz.load("IzhikevichLTC")
T, N = 60, 4


@pytest.fixture(autouse=True)
def in_double_precision():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def make(**options):
    more = {"trainable": ["a", "d"], "record": ("spike", "V"), "dt": 0.3, "dtype": "float64", "surrogate": "arctan"}
    return layer(MODEL, N, **{**more, **options})


def case():
    parameters = {"a": jnp.array(0.02), "d": jnp.full(N, 8.0)}
    return parameters, jnp.asarray(np.random.default_rng(0).uniform(5, 25, (T, N)))


def loss_of(neurons):
    weights = jnp.cos(jnp.arange(T))[:, None]
    return lambda parameters, current: sum((weights * trace).sum() for trace in neurons(parameters, current))


def close(first, second):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12), first, second)


def test_quantities_are_converted():
    quantity = pytest.importorskip("pint").UnitRegistry().Quantity
    options = {"trainable": ["C"], "record": "v", "dt": quantity(1e-4, "s"), "dtype": "float64", "backend": "numpy"}
    neurons, current, start = layer(iz.load("izhikevich2007"), 2, **options), np.full((5, 2), 300.0), [-50.0, -55.0]
    expected = neurons({"C": 120.0}, current, initial={"v": np.array(start)})
    volts = [quantity(v / 1000, "V") for v in start]
    close(expected, neurons({"C": quantity(0.12, "nF")}, quantity(current / 1000, "nA"), initial={"v": volts}))
    for what, call in (
        ("input I", lambda wrong: neurons({"C": 120.0}, I=wrong)),
        ("parameter C", lambda wrong: neurons({"C": wrong}, current)),
        ("initial v", lambda wrong: neurons({"C": 120.0}, current, initial={"v": wrong})),
    ):
        with pytest.raises(ValueShapeError, match=f"{what} is given in second"):
            call(quantity(current, "s"))


def test_the_same_as_a_population():
    parameters, current = case()
    found = jax.grad(loss_of(make()), argnums=(0, 1))(parameters, current)
    pop = MODEL.population(N, dt=0.3, dtype="float64", surrogate="arctan", d=np.full(N, 8.0))
    weights = np.cos(np.arange(T))[:, None]
    expected = pop.run(steps=T, record=[], I=np.asarray(current), tape=True).backward({"spike": weights, "V": weights})
    close(found, ({"a": expected["a"], "d": expected["d"]}, expected["I"]))


def test_jit_vmap_and_scan():
    parameters, current = case()
    loss = loss_of(make())
    several = jnp.stack([current, 1.1 * current, 0.9 * current])
    alone = [jax.grad(loss, argnums=(0, 1))(parameters, each) for each in several]
    together = jax.tree.map(lambda *parts: jnp.stack(parts), *alone)
    close(jax.jit(jax.grad(loss, argnums=(0, 1)))(parameters, current), alone[0])
    close(jax.vmap(jax.grad(loss, argnums=(0, 1)), in_axes=(None, 0))(parameters, several), together)
    close(jax.jit(jax.vmap(jax.grad(loss, argnums=(0, 1)), in_axes=(None, 0)))(parameters, several), together)
    shared = jax.grad(lambda p: jax.vmap(loss, in_axes=(None, 0))(p, several).sum())(parameters)
    close(shared, jax.tree.map(lambda parts: parts.sum(0), together[0]))
    _, found = jax.lax.scan(lambda total, each: (total, loss(parameters, each)), 0.0, several)
    close(found, jnp.stack([loss(parameters, each) for each in several]))
    rates = jnp.array([0.02, 0.1])
    over_a = jax.vmap(lambda a: jax.grad(loss)({**parameters, "a": a}, current))(rates)
    each_a = [jax.grad(loss)({**parameters, "a": a}, current) for a in rates]
    close(over_a, jax.tree.map(lambda *parts: jnp.stack(parts), *each_a))


def test_batches_and_initial_states():
    parameters, current = case()
    neurons = make()
    batch = jnp.stack([current, 1.1 * current], axis=1)
    together = neurons(parameters, batch)
    assert together[1].shape == (T, 2, N)
    close([trace[:, 1] for trace in together], list(neurons(parameters, 1.1 * current)))
    start = jnp.full(N, -60.0)
    gradient = jax.grad(lambda v: neurons(parameters, current, initial={"V": v})[1].sum())(start)
    both = jax.grad(lambda v: neurons(parameters, batch, initial={"V": v})[1].sum())(start)
    assert gradient.shape == both.shape == (N,) and np.abs(gradient).min() > 0
    wide = layer(MODEL, N, ["a"], record="V", dtype="float64", dt=0.3, surrogate="arctan")
    close(
        jax.grad(lambda p: wide(p, batch).sum())({"a": jnp.full(N, 0.02)})["a"].sum(),
        jax.grad(lambda p: wide(p, batch).sum())({"a": jnp.array(0.02)})["a"],
    )


@pytest.mark.parametrize(
    ("make_error", "message"),
    [
        (lambda: make()({"a": 0.02}, jnp.ones((T, N))), "d missing"),
        (lambda: make()({"a": 0.02, "d": 8.0, "e": 1.0}, jnp.ones((T, N))), "'e' is not one of the trainable"),
        (lambda: make()({"a": 0.02, "d": 8.0}, jnp.ones((T, 3))), "a layer of 4 neurons"),
        (lambda: make()({"a": 0.02, "d": 8.0}, jnp.ones((T, N)), initial={"W": 1.0}), "has no state 'W'"),
        (lambda: make()({"a": jnp.ones((2, 1)), "d": 8.0}, jnp.ones((T, 2, N))), r"parameter 'a' has shape \(2, 1\)"),
    ],
)
def test_errors(make_error, message):
    with pytest.raises(ValueShapeError, match=message):
        make_error()


def test_double_precision_must_be_on():
    jax.config.update("jax_enable_x64", False)
    with pytest.raises(ValueShapeError, match="jax_enable_x64"):
        make()


def test_without_jax():
    code = "import sys; sys.modules['jax'] = None; import izhigen\ntry:\n import izhigen.jax\nexcept ImportError as e: print(e)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'izhigen[jax]'" in found.stdout


def recurrent(neurons, weights, start, spikes, parts):
    """Neurons that hear each other's spikes of the part before: traces of all parts, and the last states."""

    def body(carry, part):
        state, heard = carry
        (spikes, potentials), state = neurons(weights, part + 4.0 * heard, initial=state)
        return (state, spikes.mean(0)), (spikes, potentials)

    (state, _), traces = jax.lax.scan(body, (start, spikes), parts)
    return traces, state


@pytest.mark.parametrize(
    ("kind", "dtype", "x64"),
    [
        ("plain", "float64", True),
        ("refractory", "float32", False),
        ("refractory", "float32", True),
        ("refractory", "float64", True),
        ("noise", "float32", True),
        ("time", "float32", False),
    ],
)
@pytest.mark.sample(3)
def test_a_state_carried_by_scan_goes_on_with_the_same_bits(kind, dtype, x64):
    """Also where JAX keeps times of spikes in single precision: every kind of model, and those times in all precisions."""
    jax.config.update("jax_enable_x64", x64)
    models = {"plain": MODEL, "refractory": MODEL.with_refractory(4.2), "noise": MODEL.with_noise(V=1.0)}
    model = models.get(kind) or MODEL.with_current("10*sin(t/9)")
    options = {"record": ("spike", "V"), "dt": 0.3, "dtype": dtype, "spike_scale": 0.1, "return_state": True}
    neurons = layer(model, N, ["a"], **options)
    parameters, shape = {"a": jnp.full(N, 0.02)}, (200, 2, N)
    current = jnp.asarray(np.random.default_rng(0).uniform(5, 25, shape), dtype)
    weights = jnp.cos(jnp.arange(200.0))[:, None, None]

    def loss(run, parameters, current, potential):
        (spikes, potentials), state = run(parameters, current, {**neurons.start(2), "V": potential})
        total = (weights * (spikes + potentials.reshape(shape) / 9).reshape(shape)).sum()
        return total + (state["V"] ** 2).sum() / 99 + state["u"].sum(), (spikes, potentials, state)

    def whole(parameters, current, start):
        return neurons(parameters, current, initial=start)

    def parts(parameters, current, start):
        def body(state, part):
            out, state = neurons(parameters, part, initial=state)
            return state, out

        state, traces = jax.lax.scan(body, start, current.reshape(40, 5, 2, N))
        return [trace.reshape(shape) for trace in traces], state

    found = []
    for run in (whole, jax.jit(parts)):
        given = parameters, current, jnp.full((2, N), -60.0, dtype)
        gradients, seen = jax.grad(partial(loss, run), argnums=(0, 1, 2), has_aux=True)(*given)
        found.append((seen, gradients[1:], gradients[0]))
    (one, slopes, of_a), (other, again, again_of_a) = found
    jax.tree.map(np.testing.assert_array_equal, (one, slopes), (other, again))
    np.testing.assert_allclose(of_a["a"], again_of_a["a"], rtol=1e-4 if dtype == "float32" else 1e-11)
    assert one[0].sum() > 10 and np.any(slopes[0]) and np.all(slopes[1]) and int(one[2]["step"]) == 200
    assert ("t_last_spike" in one[2]) == model.keeps_last_spike


def test_vmap_over_carried_states():
    parameters, current = case()
    neurons = layer(MODEL.with_refractory(4.0), N, ["a", "d"], record=("spike", "V"), dt=0.3, dtype="float64",
                    spike_scale=0.1, return_state=True)  # fmt: skip
    parts = current.reshape(6, 10, N)
    starts = {**neurons.start(), "V": jnp.linspace(-70.0, -50.0, 3)[:, None] * jnp.ones(N)}
    axes = {**dict.fromkeys(starts), "V": 0}

    def loss(parameters, start):
        (spikes, potentials), state = recurrent(neurons, parameters, start, jnp.zeros(N), parts)
        return (spikes.sum() + jnp.cos(potentials).sum() + state["V"].sum()), state

    go = jax.jit(jax.value_and_grad(loss, argnums=0, has_aux=True))  # traced once, for all that begin alone
    together = jax.vmap(go, in_axes=(None, axes))(parameters, starts)
    alone = [go(parameters, {**starts, "V": v}) for v in starts["V"]]
    close(together, jax.tree.map(lambda *parts: jnp.stack(parts), *alone))
    with pytest.raises(Exception, match="'step' is 0, 5 under vmap; a run begins with one"):
        jax.vmap(lambda step: neurons(parameters, current, initial={"step": step})[0])(jnp.array([0, 5]))


def test_gradients_through_returned_states():
    """Central differences of smooth spikes, of the last states of a second call with respect to what the first began
    with.
    """
    smooth = make(record="V", smooth_spikes=True, backend="numpy", spike_scale=0.1, return_state=True)
    parameters, current = case()

    def loss(start):
        _, state = smooth(parameters, current[:5], initial={"V": start})
        _, state = smooth(parameters, current[5:12], initial=state)
        return (jnp.arange(1.0, N + 1) * state["V"]).sum() + state["u"].sum()

    start, h = jnp.linspace(-60.0, 25.0, N), 1e-6
    for k, slope in enumerate(jax.grad(loss)(start)):
        difference = (loss(start.at[k].add(h)) - loss(start.at[k].add(-h))) / (2 * h)
        np.testing.assert_allclose(slope, difference, rtol=1e-5, atol=1e-7)


def test_a_detached_state_cuts_the_gradient():
    neurons, (parameters, current) = make(return_state=True), case()

    def loss(current, detach):
        _, state = neurons(parameters, current[:40])
        return neurons(parameters, current[40:], initial=detach(state))[0][1].sum()

    cut, joined = (jax.grad(loss)(current, detach) for detach in (jax.lax.stop_gradient, lambda state: state))
    assert not cut[:40].any() and joined[:40].any()
    np.testing.assert_array_equal(cut[40:], joined[40:])


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"V": np.zeros((2, N))}, rf"initial 'V' has shape \(2, {N}\); give \({N},\)"),
        ({"step": np.zeros(N, int)}, rf"initial 'step' has shape \({N},\); give \(\)"),
        ({"t_last_spike": 0.0}, r"has no state 't_last_spike' \(known: V, u, step\)"),
    ],
)
def test_bad_initial_states(initial, message):
    parameters, current = case()
    with pytest.raises(ValueShapeError, match=message):
        make()(parameters, current, initial=initial)


def test_an_initial_state_may_be_one_number():
    parameters, current = case()
    both = [
        jax.grad(lambda v: make()(parameters, current, initial={"V": v})[1].sum())(v)
        for v in (-60.0, jnp.full(N, -60.0))
    ]
    np.testing.assert_allclose(both[0], both[1].sum(), rtol=1e-12)


def test_gradients_that_are_not_finite_go_on_where_nobody_looks():
    model = iz.Model("Grows", "dV/dt = k*V + I", parameters={"k": 1.0}, inputs=["I"])
    one, other = (
        layer(model, 3, ["k"], record="V", dt=1.0, method="euler", k=np.zeros(3), check_finite=check)
        for check in (True, False)
    )

    def gradient(neurons):
        return jax.grad(lambda k: neurons({"k": k}, jnp.zeros((100, 3)))[-1].sum())(jnp.array([0.0, 1e8, 1.0]))

    assert np.isfinite(gradient(other)).tolist() == [True, False, True]
    with pytest.raises(Exception, match="the gradient of neuron 1 overflows"):
        gradient(one)
