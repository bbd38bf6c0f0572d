"""The short form of phi1: where its range is proved, what is checked, and that neighbours never matter."""

import re

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.codegen.kernel import build_kernel
from izhigen.derive.ranges import short_ranges
from izhigen.derive.step import derive_step

IZHIKEVICH = iz.load("Izhikevich")


def short(model, **choices):
    return [s.argument.name for s in build_kernel(derive_step(model), **choices).short]


def test_only_where_the_threshold_bounds_an_affine_argument():
    assert short(IZHIKEVICH) == ["z_V"] and short(iz.load("izhikevich2007")) == ["z_v"]
    assert short(IZHIKEVICH, per_neuron=["a", "d"]) == ["z_V"]
    assert short(IZHIKEVICH, per_neuron=["p1"]) == short(IZHIKEVICH, per_neuron=["V_th"]) == []
    assert short(IZHIKEVICH.variant("NoThreshold", threshold=None, reset=None)) == []
    assert short(IZHIKEVICH.variant("Below", threshold="u >= 30")) == []
    assert short(IZHIKEVICH.variant("Moving", threshold="V >= V_th + 5*u")) == []
    assert short(Model("E", "dV/dt = -V + exp(V/2)", threshold="V >= 20", reset="V = 0")) == []
    assert short(Model("Q", "dV/dt = V**3 + I", threshold="V >= 1", reset="V = 0", inputs=["I"])) == []
    assert short(Model("G", "dV/dt = V**2 - g*V", threshold="V > 3", reset="V = 0", inputs=["g"])) == ["z_V"]


def test_the_report_prints_the_proof_with_the_largest_step():
    report = IZHIKEVICH.derive().report()
    assert re.search(r"phi1\(z_V\): short form for \|z_V\| <= 1, where z_V = 2\*V\*dt\*p1 \+ dt\*p2", report)
    assert (
        "V < V_th after a step (threshold), so z_V < 2*V_th*dt*p1 + dt*p2, which is at most 1 for dt <= 0.1351 ms"
        in report
    )
    assert "larger steps up to 0.2703 ms: a form of higher degree serves |z_V| <= 2 in C" in report
    assert "short form" not in Model("E", "dV/dt = -V + exp(V/2)", threshold="V >= 20", reset="V = 0").derive().report()
    (found,) = short_ranges(
        derive_step(IZHIKEVICH.with_current("g*(E - V)", inputs=["g"], E=0.0).with_liquid_time_constant())
    )
    assert found.at_bound.free_symbols == short_ranges(derive_step(IZHIKEVICH))[
        0
    ].at_bound.free_symbols and "with g = 0" in "".join(found.proof({}))


def run(n, dtype, outlier, steps=40, threads=1, dt=0.1):
    """Neurons of which one, if any, is pushed far below the range of the short form."""
    pop = IZHIKEVICH.population(n, dt=dt, dtype=dtype, threads=threads)
    pop.V = np.linspace(-80.0, 20.0, n)
    if outlier is not None:
        pop.V[outlier] = -3000.0 if dt == 1.0 else -1000.0
    recording = pop.run(steps=steps, I=np.linspace(0, 30, n), record=["V", "u", "spike"])
    return recording["V"], recording["u"]


@pytest.mark.parametrize("dt", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("outlier", [0, 3, 255, 300, 519])
def test_a_neuron_outside_the_range_changes_no_bit_of_its_neighbours(dtype, outlier, dt):
    others = np.arange(520) != outlier
    alone, beside = run(520, dtype, None, dt=dt), run(520, dtype, outlier, dt=dt)
    for a, b in zip(alone, beside):
        np.testing.assert_array_equal(a[:, others], b[:, others])
    assert np.isfinite(beside[0]).all()


def test_bits_do_not_depend_on_size_threads_or_steps_a_call(dtype):
    whole = run(1300, dtype, 700)
    for other in (run(1300, dtype, 700, threads=2),):
        np.testing.assert_array_equal(whole[0], other[0])
    pop = IZHIKEVICH.population(1300, dtype=dtype)
    pop.V = np.linspace(-80.0, 20.0, 1300)
    pop.V[700] = -1000.0
    current = np.linspace(0, 30, 1300).astype(dtype)
    rows = []
    for _ in range(40):
        pop.step(I=current)
        rows.append(pop.V.copy())
    np.testing.assert_array_equal(whole[0], rows)
    single = IZHIKEVICH.population(1, dtype=dtype, V=float(np.linspace(-80.0, 20.0, 1300)[411]), u=-14.0)
    one = single.run(steps=40, I=float(current[411]), record=["V"])["V"]
    np.testing.assert_array_equal(whole[0][:, 411], one[:, 0])


@pytest.mark.parametrize("dt", [0.1, 0.13, 0.14, 0.27, 0.28, 1.0])
def test_it_agrees_with_the_oracle_on_both_sides_of_the_largest_step(dt, device):
    found = {}
    for backend in ("c", "numpy", "cuda"):
        pop = IZHIKEVICH.population(300, dt=dt, dtype="float64", backend=backend)
        pop.V = np.linspace(-120.0, 25.0, 300)
        found[backend] = pop.run(steps=20, I=5.0, record=["V"]).to_host()["V"]
    for compiled in ("c", "cuda"):
        np.testing.assert_allclose(found[compiled], found["numpy"], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("lowest", "dt"), [(-2000.0, 0.1), (-2000.0, 0.25), (-20_000.0, 1.0), (-1e5, 20.0)])
def test_it_agrees_with_the_oracle_where_arguments_lie_far_below(lowest, dt, device):
    """The full form with limits: below -708 in float64, where a tile is made a second time; at 20 ms no other serves."""
    found = {}
    for backend in ("c", "numpy", "cuda"):
        pop = IZHIKEVICH.population(300, dt=dt, dtype="float64", backend=backend)
        pop.V = np.linspace(lowest, 25.0, 300)
        found[backend] = pop.run(steps=1, I=5.0, record=["V"]).to_host()["V"]
    for compiled in ("c", "cuda"):
        np.testing.assert_allclose(found[compiled], found["numpy"], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("dt", [0.1, 0.25, 1.0])
def test_a_neuron_that_is_no_number_takes_the_full_form_and_harms_no_other(dt):
    pop = IZHIKEVICH.population(300, dt=dt)
    pop.V[7] = np.nan
    pop.run(steps=5, I=10.0, check_finite=False)
    clean = IZHIKEVICH.population(300, dt=dt)
    clean.run(steps=5, I=10.0)
    others = np.arange(300) != 7
    np.testing.assert_array_equal(pop.V[others], clean.V[others])
    assert np.isnan(pop.V[7])
