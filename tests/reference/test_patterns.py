"""Izhikevich's 20 firing patterns against event-located spike times: exact counts, and times within 3 times the measured error."""

import json

import numpy as np
import pytest

import izhigen as iz
from tests.conftest import DATA

PATTERNS = json.loads((DATA / "patterns.json").read_text())["patterns"]
SCHEME = "exp_auto_jacobi_no_interp"


def mean_input(pattern, dt, steps):
    """The mean of the piecewise linear current over each step."""
    series = np.zeros(steps)
    start = np.arange(steps) * dt
    for t0, t1, value, slope in pattern["input"]:
        low, high = np.clip(start, t0, t1), np.clip(start + dt, t0, t1)
        series += ((high - low) * (value + slope * ((low + high) / 2 - t0))) / dt
    return series


def spike_times(pattern, dt, backend="c", dtype="float64"):
    parameters = {("V_th" if key == "Vth" else key): float(value) for key, value in pattern["params"].items()}
    model = iz.load("Izhikevich").variant("Pattern", **parameters)
    if pattern["u_equation"] != "a*(b*V-u)":
        model = model.variant(
            "Pattern", equations=f"dV/dt = p1*V**2 + p2*V + p3 - u + I\ndu/dt = {pattern['u_equation']}"
        )
    steps = round(pattern["T"] / dt)
    pop = model.population(1, dt=dt, backend=backend, dtype=dtype, V=float(pattern["V0"]), u=float(pattern["u0"]))
    return pop.run(steps=steps, I=mean_input(pattern, dt, steps)[:, None]).spike_times


CASES = [
    (p, dt) for p in PATTERNS for dt in (0.25, 0.1, 0.05, 0.025, 0.01) if dt <= p["largest_dt_with_exact_count"][SCHEME]
]
"""Each pattern at every step up to the largest at which the method has its exact count."""


def test_every_pattern_is_covered():
    assert len(PATTERNS) == 20 and {p["id"] for p, _ in CASES} == {p["id"] for p in PATTERNS}


@pytest.mark.parametrize(("pattern", "dt"), CASES, ids=[f"{p['name'].replace(' ', '_')}-{dt}" for p, dt in CASES])
def test_pattern(pattern, dt):
    reference = np.asarray(pattern["spike_times_ref_ms"])
    found = spike_times(pattern, dt)
    assert len(found) == len(reference)
    assert np.abs(found - reference).max() <= 3 * pattern["measured_max_abs_dt_ms"][SCHEME][str(dt)] + 1e-9


def test_spike_time_error_is_of_first_order():
    """Without locating the crossing every scheme is of first order through spikes (NUMERICS, section 5)."""
    steps = np.array([0.25, 0.1, 0.05, 0.025, 0.01])
    chosen = [
        p
        for p in PATTERNS
        if p["name"]
        in (
            "tonic spiking",
            "mixed mode",
            "spike frequency adaptation",
            "class 1 excitable",
            "integrator",
            "rebound spike",
            "inhibition-induced spiking",
            "class 2 excitable",
            "tonic bursting",
        )
    ]
    errors = [
        np.mean(np.concatenate([np.abs(spike_times(p, dt) - p["spike_times_ref_ms"]) for p in chosen])) for dt in steps
    ]
    order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(order - 1.0) <= 0.15, (order, errors)
