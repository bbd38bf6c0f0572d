"""Poisson counts and spikes of single neurons: exact in distribution, and the same on every backend however a run is made."""

import numpy as np
import pytest

import izhigen as iz
from izhigen import inputs
from izhigen.backends.poisson import first_sum, poisson_counts
from izhigen.errors import NonFiniteError, ValueShapeError

SUM = iz.Model("Sum", "dV/dt = I", inputs=["I"])
N, DT = 300, 0.1
RATES = {
    "small": 100.0,
    "number": 1e4,
    "large": 3e5,
    "array": np.linspace(0.0, 2e5, N),
    "text": "100*t + 5e3*(1 + sin(t))",
}


def values(stimulus, backend="c", pieces=(60,), size=N, name="V_delta", method="euler", **options):
    """What a stimulus gives in each step, shape (T, n): the increments of a sum."""
    pop = SUM.population(size, dt=DT, method=method, backend=backend, **options)
    rows = [np.zeros((1, N))]
    for steps in pieces:
        rows.append(pop.run(steps=steps, record=["V"], **{name: stimulus}).to_host()["V"].reshape(steps, -1))
    return np.diff(np.concatenate(rows), axis=0)


@pytest.mark.parametrize("name", RATES)
@pytest.mark.sample(8)
def test_the_same_counts_on_every_backend(backend, name):
    stimulus = inputs.poisson(RATES[name], n=2)
    expected = values(stimulus, "numpy", seed=5)
    assert expected.any()
    for dtype in ("float32", "float64"):
        np.testing.assert_array_equal(values(stimulus, backend, seed=5, dtype=dtype), expected)
    np.testing.assert_array_equal(values(stimulus, backend, (1, 2, 30, 27), seed=5), expected)


def test_cut_threads_and_batch():
    stimulus = inputs.poisson(1e4)
    expected = values(stimulus, seed=5)
    np.testing.assert_array_equal(values(stimulus, seed=5, threads=2), expected)
    np.testing.assert_array_equal(values(stimulus, seed=5, size=N // 2, batch=2), expected)
    np.testing.assert_array_equal(values(inputs.poisson(np.full(N, 1e4)), seed=5), expected)
    np.testing.assert_array_equal(values(inputs.poisson("1e4"), seed=5), expected)
    assert not np.array_equal(values(stimulus, seed=6), expected)
    for size in (1, 255, 257):
        pop = SUM.population(size, dt=DT, method="euler", seed=5)
        rec = pop.run(steps=60, V_delta=stimulus, record=["V"])
        np.testing.assert_array_equal(rec["V"][-1], expected[:, :size].sum(axis=0))


def test_sharded(device):
    if device is None:
        pytest.skip("a machine's own device")
    stimulus = inputs.poisson(np.linspace(0, 2e4, N)) + inputs.spikes([1.0, 2.0], [0, N - 1], 3.0)
    np.testing.assert_array_equal(values(stimulus, "cuda", seed=5, sharding=[0, 0]), values(stimulus, "numpy", seed=5))


@pytest.mark.parametrize("mean", [1e-6, 1e-3, 0.1, 0.9, 1.0, 3.7, 15.0, 31.5, 40.0, 1000.0, 1e4])
def test_counts_are_poisson(mean):
    stats = pytest.importorskip("scipy.stats")
    n, steps = 100_000, 4
    means = np.array([mean])
    found = np.concatenate([poisson_counts(means, first_sum(means), 77, 0, n, k) for k in range(steps)])
    total = len(found)
    assert abs(found.mean() - mean) < 5 * np.sqrt(mean / total)
    assert abs(found.var() / mean - 1) < 5 * np.sqrt((2 + 1 / mean) / total)
    low, high = stats.poisson.ppf([20 / total, 1 - 20 / total], mean)
    edges = np.unique(np.linspace(low, high, min(int(high - low) + 1, 60)).astype(int))
    cdf = np.r_[0.0, stats.poisson.cdf(edges, mean), 1.0]
    expected = np.diff(cdf) * total
    observed = np.histogram(np.searchsorted(edges, found), np.arange(len(edges) + 2))[0]
    kept = expected > 5
    chi = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
    assert kept.sum() < 2 or stats.chi2.sf(chi, kept.sum() - 1) > 1e-4


def test_probability_of_the_mode_against_many_digits():
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(40):
        for mean in (1e-12, 1e-6, 0.1, 1.0, 7.3, 31.99, 32.0, 1234.5, 1e6):
            m, mode = mpmath.mpf(mean), int(mean)
            exact = mpmath.e**-m * m**mode / mpmath.factorial(mode)
            assert (
                abs(mpmath.mpf(int(first_sum(mean))) / mpmath.mpf(2) ** 64 - exact) < 2e-15 * exact * (mode > 0) + 1e-16
            )


def test_neurons_steps_and_inputs_are_independent():
    model = iz.Model("Two", "dV/dt = I\ndW/dt = J", inputs=["I", "J"]).with_noise(V=1e-9)
    pop = model.population(4000, dt=1.0, method="euler", dtype="float64", seed=0)
    rec = pop.run(steps=50, I=inputs.poisson(1e3), J=inputs.poisson(1e3), record=["V", "W"])
    counts = [np.round(np.diff(rec[s], axis=0)) - 1 for s in "VW"]
    bound = 5 / np.sqrt(counts[0].size)
    assert abs((counts[0] * counts[1]).mean()) < bound
    assert abs((counts[0][1:] * counts[0][:-1]).mean()) < bound
    assert abs((counts[0][:, 1:] * counts[0][:, :-1]).mean()) < bound
    two = values(inputs.poisson(1e4) + inputs.poisson(1e4), seed=1)
    assert two.var() == pytest.approx(2.0, rel=0.1)  # 4 if both were one process


def test_weights_sums_multiples_and_steps(backend):
    weight = np.arange(N) / 4
    stimulus = inputs.section([0.0, 2.0], [1.0, 5.0]) - 0.5 * inputs.poisson(1e4, weight=weight) + 4.0
    expected = values(stimulus, "numpy", (40,), seed=3, dtype="float64")
    np.testing.assert_allclose(values(stimulus, backend, (40,), seed=3, dtype="float64"), expected, atol=1e-9)
    pop = SUM.population(N, dt=DT, method="euler", backend=backend, seed=3, dtype="float64")
    for _ in range(40):
        pop.step(V_delta=stimulus)
    from tests.helpers import host

    np.testing.assert_allclose(host(pop.V), expected.sum(axis=0), atol=1e-8)


def test_spikes_arrive_in_their_steps(backend):
    times = [4.95, 0.0, 0.3, 0.3, 0.25, 0.3 - 1e-9, 1e9, 2.05]
    neurons = [64, 0, 299, 299, 1, 31, 7, 32]
    weights = [5.0, 1.0, 3.0, 4.0, 2.0, 6.0, 9.0, 8.0]
    expected = np.zeros((60, N))
    for step, neuron, weight in zip((49, 0, 3, 3, 2, 3, None, 20), neurons, weights):
        if step is not None:
            expected[step, neuron] += weight
    np.testing.assert_array_equal(values(inputs.spikes(times, neurons, weights), backend), expected)
    np.testing.assert_array_equal(values(inputs.spikes(times, neurons, weights), backend, (1, 2, 17, 40)), expected)
    doubled = inputs.spikes(times[:4], neurons[:4], weights[:4]) + inputs.spikes(times[4:], neurons[4:], weights[4:])
    np.testing.assert_array_equal(values(2 * doubled, backend), 2 * expected)
    assert not values(inputs.spikes([], []), backend).any()


def test_three_million_spikes():
    rng = np.random.default_rng(0)
    neurons = rng.integers(0, 10_000, 3 * 10**6)
    pop = SUM.population(10_000, dt=DT, method="euler", dtype="float64")
    pop.run(steps=1000, V_delta=inputs.spikes(rng.uniform(0, 100, 3 * 10**6), neurons))
    np.testing.assert_array_equal(pop.V, np.bincount(neurons, minlength=10_000))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: inputs.poisson(-1.0), "negative"),
        (lambda: inputs.poisson([1.0, np.nan]), r"rate\[1\]"),
        (lambda: inputs.poisson(np.inf), "not a finite"),
        (lambda: inputs.poisson("100*x"), "'x' is not known"),
        (lambda: inputs.poisson(1.0, n=0), "number of sources"),
        (lambda: inputs.poisson(np.ma.masked_array([1.0], [True])), "masked"),
        (lambda: inputs.spikes([-1.0], [0]), "negative"),
        (lambda: inputs.spikes([np.nan], [0]), "not a finite"),
        (lambda: inputs.spikes([1.0, 2.0], [0]), "shapes"),
        (lambda: inputs.spikes([[1.0], [1.0, 2.0]], [0, 1]), "no real numbers"),
        (lambda: inputs.spikes([1.0], [0.5]), "whole numbers"),
        (lambda: inputs.spikes([1.0], [-1]), "negative"),
        (lambda: values(inputs.spikes([1.0], [N])), "has neurons 0 to 299"),
        (lambda: values(inputs.poisson(np.ones(7))), "shape"),
        (lambda: values(inputs.poisson(1e12)), "events a step"),
        (lambda: inputs.poisson(1.0).sample(0.1), "as long as the run"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, text):
    with pytest.raises(ValueShapeError, match=text):
        make()


@pytest.mark.parametrize("check", [True, False])
def test_a_rate_in_text_that_goes_wrong_names_the_step(backend, check):
    pop = SUM.population(N, dt=DT, method="euler", backend=backend)
    with pytest.raises(NonFiniteError, match="input 'I' of neuron 0 has a rate that is negative") as caught:
        pop.run(10.0, I=inputs.poisson("1000 - 1000*t"), check_finite=check)
    assert caught.value.step == 11 and pop.t == pytest.approx(1.1)


@pytest.mark.parametrize("rate", [0.0, 5e-324, 1e-300])
def test_rates_of_nothing(backend, rate):
    assert not values(inputs.poisson(rate), backend).any()
