"""The counter-based generator: known answers, statistics, and the same numbers on every backend."""

import numpy as np
import pytest

from izhigen import Model
from izhigen.backends.random import normals, philox4x32
from tests.helpers import host


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_known_answers_of_philox4x32_10(counter, key, expected):
    assert tuple(int(w) for w in philox4x32(counter, key)) == expected


def test_normals_are_normal_and_independent_of_how_they_are_asked_for():
    draws = np.array([normals(5, 0, 4000, k, 0, np.float64) for k in range(50)])
    count = draws.size
    assert abs(draws.mean()) < 4 / np.sqrt(count)
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / count)
    assert abs((draws**3).mean()) < 4 * np.sqrt(15 / count)
    assert abs((draws**4).mean() - 3) < 4 * np.sqrt(96 / count)
    for lag in (1, 2, 4):
        assert abs((draws[lag:] * draws[:-lag]).mean()) < 4 / np.sqrt(count)
    assert abs((draws[:, 1:] * draws[:, :-1]).mean()) < 4 / np.sqrt(count)
    np.testing.assert_array_equal(normals(5, 100, 10, 7, 0, np.float64), draws[7, 100:110])
    assert not np.array_equal(normals(5, 0, 10, 0, 1, np.float64), draws[0, :10])
    assert not np.array_equal(normals(6, 0, 10, 0, 0, np.float64), draws[0, :10])


def test_all_backends_draw_the_same(dtype, device):
    """A state that only sums its noise shows the draws themselves."""
    model = Model("W", "dV/dt = 0\ndu/dt = 0").with_noise(V=1.0, u=2.0)
    rows = {}
    for backend in ("c", "numpy", "cuda"):
        pop = model.population(777, dt=1.0, backend=backend, dtype=dtype, seed=2**40 + 9)
        rows[backend] = pop.run(steps=30, record=["V", "u"]).to_host()
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for name in ("V", "u"):
        for other in ("numpy", "cuda"):
            np.testing.assert_allclose(rows["c"][name], rows[other][name], atol=tolerance)
    assert np.std(np.diff(rows["c"]["V"], axis=0)) == pytest.approx(1.0, abs=0.02)


def test_draws_follow_neuron_and_step_not_the_call(backend):
    model = Model("W", "dV/dt = 0").with_noise(V=1.0)
    one, two = (model.population(300, dt=1.0, dtype="float64", seed=1, backend=backend) for _ in range(2))
    one.run(steps=23, record=())
    for steps in (1, 2, 5, 3, 11, 1):
        two.run(steps=steps, record=())
    np.testing.assert_array_equal(host(one.V), host(two.V))
    small = model.population(10, dt=1.0, dtype="float64", seed=1, backend=backend)
    small.run(steps=23, record=())
    np.testing.assert_array_equal(host(small.V), host(one.V[:10]))
