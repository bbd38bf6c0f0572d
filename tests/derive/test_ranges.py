"""Where the argument of phi1 is small enough for one polynomial."""

import numpy as np
import pytest
import sympy as sp

import izhigen as iz
from izhigen import Model
from izhigen.derive.lowering import DT, symbol
from izhigen.derive.ranges import SHORT_RANGE, WIDE_RANGE, short_ranges, within
from izhigen.derive.step import derive_step

V, V_th = symbol("V"), symbol("V_th")


def ranges(equations, threshold="V >= 30", **choices):
    return short_ranges(derive_step(Model("M", equations, threshold=threshold, reset="V = 0", **choices)))


def test_the_argument_is_affine_in_the_spiking_state():
    (found,) = short_ranges(derive_step(iz.load("Izhikevich")))
    p1, p2 = symbol("p1"), symbol("p2")
    assert found.state == V and found.bound == V_th
    assert sp.expand(found.expression - DT * (2 * p1 * V + p2)) == 0
    assert sp.expand(found.at_bound - DT * (2 * p1 * V_th + p2)) == 0


@pytest.mark.parametrize(
    ("equations", "threshold", "count"),
    [
        ("dV/dt = V**2 + V", "V >= 30", 1),
        ("dV/dt = V**2 + V", "V > 30", 1),
        ("dV/dt = V**2 + V", "V <= -30", 0),  # bounded on the other side
        ("dV/dt = V**2 + V", "V >= 30 + 0.1*t", 0),  # the bound varies
        ("dV/dt = V**2 + V", "V**2 >= 30", 0),
        ("dV/dt = V**3", "V >= 30", 0),  # the slope reads the state
        ("dV/dt = exp(V)", "V >= 30", 0),
    ],
)
def test_what_bounds_the_argument(equations, threshold, count):
    assert len(ranges(equations, threshold)) == count


def test_a_bound_that_is_a_state_is_none():
    assert not ranges("dV/dt = V**2 + V\ndtheta/dt = -theta", "V >= theta")
    assert not short_ranges(derive_step(Model("M", "dV/dt = V**2 + V")))


def test_only_a_spike_that_comes_at_every_step_above_bounds_its_state():
    """Where the threshold must be crossed, or may be mute, or the reset leaves the state, it may stay above."""
    plain = Model("M", "dV/dt = V**2 + V\ndu/dt = -u", threshold="V >= 30", reset="V = 0; u = 1")
    held = {"V": 1, "": 0, "V u": 1}
    models = [(plain, 1), (plain.variant(trigger="rising"), 0), (plain.variant(trigger="level", reset="u = 1"), 0)]
    models += [(plain.with_refractory(1.0, hold=states.split()), count) for states, count in held.items()]
    models += [(plain.with_refractory(until="u < 0.1", hold=()), 0), (plain.with_refractory(until="u < 0.1"), 1)]
    models += [
        (plain.variant(events={"e": iz.Event("u > 2", f"{state} = 3")}), count) for state, count in (("u", 1), ("V", 0))
    ]
    models += [(plain.variant(threshold="V >= 30 + 0.1*(t - t_last_spike)"), 0)]
    assert [len(short_ranges(derive_step(model))) for model, _ in models] == [count for _, count in models]


def test_inputs_count_as_0_at_the_bound_and_are_told():
    (found,) = ranges("dV/dt = V**2 - g*V", inputs=["g"])
    assert symbol("g") in found.expression.free_symbols and symbol("g") not in found.at_bound.free_symbols
    assert any("with g = 0" in line for line in found.proof({}))
    assert sp.expand(found.at_bound - 60 * DT) == 0


def test_the_proof_says_up_to_which_step():
    (found,) = ranges("dV/dt = V**2")
    lines = found.proof({})
    assert f"at most {SHORT_RANGE} for dt <= {float(sp.Rational(1, 60)):.4g} ms" in lines[1]
    assert f"larger steps up to {float(sp.Rational(1, 30)):.4g} ms" in lines[2] and f"<= {WIDE_RANGE} in C" in lines[2]


@pytest.mark.parametrize(("value", "met"), [(-1.5, 1), (-1.0, 2), (0.0, 2), (1.0, 2), (1.5, 1), (np.nan, 0)])
def test_within_is_two_comparisons_that_no_number_meets(value, met):
    z = symbol("z")
    found = within(z, 1)
    assert [type(c) for c in found] == [sp.GreaterThan, sp.LessThan]
    assert sum(bool(sp.lambdify(z, c)(value)) for c in found) == met
