"""The cells of Izhikevich (2007), chapter 8, beside their equations written by hand, and what each is known for."""

import numpy as np
import pytest

import izhigen as iz
from tests.library.exact import crossings

pytest.importorskip("scipy", reason="reference solutions need SciPy")


def cell(C, k, v_r, v_t, peak, a, b, c, d, cap=np.inf, recovery=None, peak_u=0.0, reset_u=0.0):
    """Right-hand side for a current, margin and reset; ``recovery(v)`` is what u tends to."""
    tends_to = recovery or (lambda v: b * (v - v_r))

    def rhs(I):
        return lambda y: [(k * (y[0] - v_r) * (y[0] - v_t) - y[1] + I) / C, a * (tends_to(y[0]) - y[1])]

    def margin(y):
        return y[0] - peak - peak_u * y[1]

    def reset(y):
        return [c + reset_u * y[1], min(y[1] + d, cap)]

    return rhs, margin, reset, v_r


CELLS = {
    "RS": (cell(100, 0.7, -60, -40, 35, 0.03, -2, -50, 100), 100.0),
    "IB": (cell(150, 1.2, -75, -45, 50, 0.01, 5, -56, 130), 500.0),
    "CH": (cell(50, 1.5, -60, -40, 25, 0.03, 1, -40, 150), 300.0),
    "LTS": (cell(100, 1.0, -56, -42, 40, 0.03, 8, -53, 20, cap=670, peak_u=-0.1, reset_u=0.04), 300.0),
    "FS": (cell(20, 1.0, -55, -40, 25, 0.2, 0, -45, 0, recovery=lambda v: 0.025 * max(v + 55, 0) ** 3), 200.0),
    "TC": (
        cell(
            200, 1.6, -60, -50, 35, 0.01, 0, -60, 10,
            recovery=lambda v: (15 if v <= -65 else 0) * (v + 65), peak_u=0.1, reset_u=-0.1,
        ),
        100.0,
    ),
    "RTN": (
        cell(40, 0.25, -65, -45, 0, 0.015, 0, -55, 50, recovery=lambda v: (10 if v <= -65 else 2) * (v + 65)),
        120.0,
    ),
}  # fmt: skip


def population(name, n=1, dt=0.01, **start):
    model = iz.load(f"izhikevich2007_{name}")
    return model.population(n, dt=dt, method="rk4", spike_timing="located", backend="c", dtype="float64", **start)


@pytest.mark.parametrize("name", CELLS)
def test_spike_times_are_those_of_the_book(name):
    (rhs, margin, reset, v_r), I = CELLS[name]
    expected, _ = crossings(rhs(I), [v_r, 0.0], 300.0, margin, reset)
    found = population(name).run(300.0, I=I, record=["spike"]).spike_times
    assert len(expected) >= 3 and len(found) == len(expected)
    np.testing.assert_allclose(found, expected, atol=2e-3)


def intervals(name, I, duration=1000.0, **start):
    return np.diff(population(name, dt=0.02, **start).run(duration, I=I, record=["spike"]).spike_times)


def test_regular_spiking_cells_adapt_and_fast_spiking_ones_hardly_do():
    regular, fast = intervals("RS", 200.0), intervals("FS", 200.0)
    assert regular[-1] > 1.3 * regular[0] and fast[-1] < 1.1 * fast[0] and fast[-1] < regular[-1] / 2


def test_intrinsically_bursting_cells_begin_with_a_burst():
    found = intervals("IB", 500.0)
    assert found[0] < found[-1] / 3


def test_chattering_cells_burst_again_and_again():
    found = intervals("CH", 300.0)
    long = found > 4 * np.median(found)
    assert long.sum() > 5 and np.median(found) < 10


def test_recovery_of_low_threshold_cells_is_capped():
    recording = population("LTS").run(500.0, I=1200.0, record=["u"])
    assert 600 < recording["u"].max() <= 670 + 1e-9


def test_relay_cells_burst_after_inhibition():
    """Figure 8.31: released from a long hyperpolarization, a burst; from rest, single spikes."""
    recording = population("TC", dt=0.02).run(600.0, I="where(t < 300, -1000, 0)", record=["spike"])
    times = recording.spike_times
    assert len(times) >= 3 and times[0] > 300 and np.diff(times).min() < 12
    assert np.diff(times)[0] < intervals("TC", 100.0)[-1] / 3


def test_reticular_cells_burst_after_inhibition():
    times = population("RTN", dt=0.02).run(700.0, I="where(t < 400, -300, 50)", record=["spike"]).spike_times
    found = np.diff(times)
    assert times[0] > 400 and found[0] < found[-1]
