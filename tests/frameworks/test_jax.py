"""``izhigen.jax.layer`` under JAX's transformations."""

import subprocess
import sys

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
