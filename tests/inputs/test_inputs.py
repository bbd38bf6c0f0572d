"""Stimuli, each against its definition."""

import inspect

import numpy as np
import pytest

from izhigen import inputs, load
from izhigen.errors import IzhigenError, ValueShapeError


def test_section_and_constant():
    series = np.asarray(inputs.section([0, 22, 0], [100, 300, 100], dt=0.1))
    assert series.shape == (5000,)
    np.testing.assert_array_equal(series, np.r_[np.zeros(1000), np.full(3000, 22.0), np.zeros(1000)])
    np.testing.assert_array_equal(np.asarray(inputs.constant([(0, 100), (22, 300), (0, 100)], dt=0.1)), series)
    np.testing.assert_array_equal(np.asarray(inputs.constant(3.0, 0.5, dt=0.1)), np.full(5, 3.0))
    matrix = np.asarray(inputs.section([np.zeros(3), np.arange(3.0)], [0.3, 0.4], dt=0.1))
    np.testing.assert_array_equal(matrix, np.r_[np.zeros((3, 3)), np.tile(np.arange(3.0), (4, 1))])


def test_spike_train():
    series = np.asarray(inputs.spike_train([1, 3], [0.5, 1.0], 2.0, 5.0, dt=0.1))
    expected = np.zeros(50)
    expected[10:15] = expected[30:40] = 2.0
    np.testing.assert_array_equal(series, expected)


def test_ramp():
    series = np.asarray(inputs.ramp(0, 1, 100, t_start=20, t_end=70, dt=0.1))
    assert series.shape == (1000,) and not series[:200].any() and not series[700:].any()
    np.testing.assert_allclose(series[200:700], np.linspace(0, 1, 500))


def test_periodic():
    times = np.arange(500) * 0.1
    np.testing.assert_allclose(
        np.asarray(inputs.sinusoid(2, 50, 50, dt=0.1)), 2 * np.sin(2 * np.pi * 0.05 * times), atol=1e-12
    )
    np.testing.assert_allclose(
        np.asarray(inputs.sinusoid(2, 50, 50, dt=0.1, bias=True)), 2 + 2 * np.sin(2 * np.pi * 0.05 * times), atol=1e-12
    )
    shifted = np.asarray(inputs.sinusoid(2, 50, 50, dt=0.1, t_start=10, t_end=40))
    np.testing.assert_allclose(shifted[100:400], 2 * np.sin(2 * np.pi * 0.05 * times[:300]), atol=1e-12)
    assert not shifted[:100].any() and not shifted[400:].any()
    square = np.asarray(inputs.square(3, 50, 40, dt=0.5))
    np.testing.assert_array_equal(square, np.tile(np.r_[np.full(20, 3.0), np.full(20, -3.0)], 2))
    assert set(np.asarray(inputs.square(3, 50, 40, dt=0.5, bias=True))) == {0.0, 6.0}


def test_wiener():
    stimulus = inputs.wiener(1000.0, dt=0.1, n=20, t_start=100, seed=1)
    series = np.asarray(stimulus)
    assert series.shape == (10_000, 20) and not series[:1000].any()
    drawn = series[1000:]
    assert abs(drawn.var() / 0.1 - 1) < 4 * np.sqrt(2 / drawn.size)
    np.testing.assert_array_equal(series, stimulus.sample())
    np.testing.assert_array_equal(series, np.asarray(inputs.wiener(1000.0, dt=0.1, n=20, t_start=100, seed=1)))
    unseeded = inputs.wiener(10.0, dt=0.1)
    np.testing.assert_array_equal(unseeded.sample(), unseeded.sample())
    assert not np.array_equal(unseeded.sample(), inputs.wiener(10.0, dt=0.1).sample())


def test_ornstein_uhlenbeck():
    series = np.asarray(inputs.ornstein_uhlenbeck(mean=3.0, sigma=0.5, tau=10.0, duration=2000.0, dt=0.1, n=50, seed=2))
    late = series[2000:]
    assert abs(late.mean() - 3.0) < 0.03
    assert late.var() == pytest.approx(0.5**2 * 10 / 2, rel=0.05)
    lag = np.mean((late[100:] - 3.0) * (late[:-100] - 3.0)) / late.var()
    assert lag == pytest.approx(np.exp(-1.0), abs=0.03)


def test_from_array_and_files(tmp_path):
    values = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "x.npy", values)
    np.savetxt(tmp_path / "x.csv", values, delimiter=",")
    for source in (values, tmp_path / "x.npy", tmp_path / "x.csv"):
        np.testing.assert_array_equal(np.asarray(inputs.from_array(source, 0.1)), values)
    (tmp_path / "bad.csv").write_text("a,b\n")
    for bad in (tmp_path / "bad.csv", tmp_path / "absent.npy", np.array(["a"]), [], 3.0):
        with pytest.raises(ValueShapeError):
            inputs.from_array(bad, 0.1)


def test_sums_and_multiples():
    total = inputs.section([1, 2], [1, 1]) + 2 * inputs.wiener(1.0, n=3, seed=0) + 5.0
    series = total.sample(0.1)
    assert series.shape == (20, 3)
    np.testing.assert_array_equal(series[10:], 7.0)
    with pytest.raises(ValueShapeError, match="3 and 2 columns"):
        (inputs.wiener(1.0, n=3) + inputs.wiener(1.0, n=2)).sample(0.1)


def test_a_step_is_needed_and_must_fit():
    with pytest.raises(ValueShapeError, match="no step is known"):
        np.asarray(inputs.ramp(0, 1, 10))
    with pytest.raises(ValueShapeError, match="made with dt=0.1"):
        inputs.ramp(0, 1, 10, dt=0.1).sample(0.2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: inputs.section([1], [1, 2]),
        lambda: inputs.section([], []),
        lambda: inputs.section([1], [-1]),
        lambda: inputs.constant([1, 2]),
        lambda: inputs.ramp(0, 1, 10, t_start=8, t_end=5),
        lambda: inputs.sinusoid(1, 1, -5),
        lambda: inputs.wiener(10, n=0),
        lambda: inputs.spike_train([-1], 1, 1, 5),
        lambda: inputs.ornstein_uhlenbeck(0, 1, 0, 10),
        lambda: inputs.spike_train([1, 2], [1, 2, 3], 1, 5),
        lambda: inputs.section(5.0, 10.0),
        lambda: inputs.constant(5.0),
        lambda: inputs.spike_train(5.0, 1, 1, 10),
        lambda: inputs.section([1, 2], ["a", 2]),
        lambda: inputs.sinusoid(1, "x", 10).sample(0.1),
        lambda: inputs.ramp("a", 1, 10.0).sample(0.1),
        lambda: inputs.square(1.0, 10.0, 100.0, 0.1, False, None),
    ],
)
def test_bad_stimuli(make):
    with pytest.raises(ValueShapeError):
        make()


def test_a_stretch_that_outlasts_every_run():
    long = inputs.section([1.0, 2.0], [1.0, 1e308])
    assert long.rows(1e-3, 999, 2).tolist() == [1.0, 2.0]
    pop = load("RS").population(2, dt=0.1, backend="numpy")
    pop.run(1.0, I=inputs.constant(5.0, 1e308))
    for made in (
        inputs.ramp(0.0, 1.0, 1e308),
        inputs.sinusoid(1.0, 1.0, 1e308),
        inputs.wiener(1e308, seed=1),
        inputs.spike_train([1e300], 1.0, 1.0, 1e308),
    ):
        pop.run(1.0, I=made)


def test_names_of_brainpy():
    assert (
        inputs.section_input is inputs.section
        and inputs.wiener_process is inputs.wiener
        and inputs.ou_process is inputs.ornstein_uhlenbeck
    )
    assert (
        inputs.sinusoidal_input is inputs.sinusoid
        and inputs.square_input is inputs.square
        and inputs.spike_input is inputs.spike_train
    )


HOSTILE = {
    "a whole number beyond a float": 10**400,
    "text": "\ud800",
    "ragged": [[1, 2], [3]],
    "nothing": None,
    "no number": object(),
}
REQUIRED = {"times": [1.0], "values": [1.0], "durations": [1.0], "indices": [0]}
NUMBERS = [
    (function, name)
    for function in ("spike_train", "ramp", "sinusoid", "square", "wiener", "ornstein_uhlenbeck", "poisson", "spikes")
    for name in inspect.signature(getattr(inputs, function)).parameters
    if name != "bias"
]


def made_with(function, **given):
    parameters = inspect.signature(getattr(inputs, function)).parameters
    required = {n: REQUIRED.get(n, 1.0) for n, p in parameters.items() if p.default is p.empty}
    return getattr(inputs, function)(**{**required, **given})


@pytest.mark.parametrize("function, name", NUMBERS)
def test_what_is_no_number_is_refused_in_one_line(function, name):
    """Or taken, where None is a default and 10**400 a valid end; but nothing else is raised."""
    for value in HOSTILE.values():
        try:
            made_with(function, **{name: value})
        except IzhigenError as problem:
            assert "\n" not in str(problem)


def test_infinite_durations_and_factors_are_refused():
    for call in (lambda: made_with("ramp", duration=10**400), lambda: made_with("wiener", n=2**70)):
        with pytest.raises(IzhigenError):
            call()
    assert made_with("ramp", c_end=3).parts[0].factor == 1.0


@pytest.mark.parametrize("function, name", NUMBERS)
def test_tensors_with_a_gradient_are_taken_as_numbers_or_refused(function, name):
    torch = pytest.importorskip("torch")
    for value in (torch.tensor(1.0, requires_grad=True), torch.ones(2, requires_grad=True)):
        try:
            made_with(function, **{name: value})
        except IzhigenError as problem:
            assert "\n" not in str(problem)


def test_tracers_are_refused_in_one_line():
    jax = pytest.importorskip("jax")

    def traced(function, name):
        def call(x):
            made_with(function, **{name: x})
            return x

        return jax.jit(call)

    for function, name in NUMBERS:
        with pytest.raises(IzhigenError) as problem:
            traced(function, name)(1.0)
        assert "\n" not in str(problem.value)
