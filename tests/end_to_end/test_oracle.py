"""The derivation against the declared text itself: f evaluated from the text, J by differences, phi1 by expm1; no SymPy in between."""

import numpy as np
import pytest

import izhigen as iz
from tests.end_to_end.test_random_models import FAMILIES

DT = 0.05
CASES = {
    "Izhikevich": (iz.load("Izhikevich"), {"V": -61.0, "u": -9.0}, {"I": 7.0}),
    "izhikevich2007": (iz.load("izhikevich2007"), {"v": -52.0, "u": 12.0}, {"I": 70.0}),
    "AdEx": (FAMILIES["AdEx"], {"V": -52.3, "w": 14.0}, {"I": 500.0}),
    "HH at a hole": (FAMILIES["HH"], {"V": -40.0, "m": 0.1, "h": 0.5, "n": 0.4}, {"I": 5.0}),
    "HH": (FAMILIES["HH"], {"V": -31.7, "m": 0.3, "h": 0.2, "n": 0.5}, {"I": 5.0}),
    "names like the generator's": (
        iz.Model(
            "N",
            "dV/dt = V*V - f_V*V + z_V\ndu/dt = f_V - u*V + xi_V*k1_V*V_stage2",
            parameters={"f_V": 0.5, "z_V": 0.1, "xi_V": 0.2, "k1_V": 0.7, "V_stage2": 1.1},
        ),
        {"V": 0.3, "u": 1.0},
        {},
    ),
    "stiff and stepwise": (
        iz.Model(
            "S",
            "dV/dt = where(V > 1, -50*(V - 1), 2 - V) + max(w, V) - floor(V)\ndw/dt = abs(V - w)*clip(w, 0, 2)*heaviside(w)",
        ),
        {"V": 1.3, "w": 0.4},
        {},
    ),
}


def right_hand_sides(model, values):
    """Every right-hand side in double precision, straight from the text."""
    bound = {**model.parameters, **values, "t": 0.0, "dt": DT}
    lines = {e.name: e.expression for e in model.equations if not e.is_ode}

    def bind(name):
        if name in lines and name not in bound:
            for other in lines[name].names:
                bind(other)
            with np.errstate(all="ignore"):
                bound[name] = lines[name].evaluate(bound)

    for name in lines:
        bind(name)
    return {e.name: float(e.expression.evaluate(bound)) for e in model.equations if e.is_ode}


@pytest.mark.parametrize("name", CASES)
def test_one_step_is_the_formula(name, backend):
    model, states, inputs = CASES[name]
    nudged = {k: v + (1e-7 if "hole" in name and k == "V" else 0.0) for k, v in states.items()}
    f = right_hand_sides(model, {**nudged, **inputs})
    pop = model.population(1, dt=DT, backend=backend, dtype="float64", **states)
    pop.run(DT, check_finite=True, record=(), **inputs)
    for state in model.states:
        h = 1e-5 * max(abs(states[state]), 1.0)
        up, down = (right_hand_sides(model, {**nudged, state: nudged[state] + s * h, **inputs})[state] for s in (1, -1))
        z = DT * (up - down) / (2 * h)
        new = states[state] + DT * (np.expm1(z) / z if z else 1.0) * f[state]
        spiked = model.spike_state == state and pop.spike[0]
        assert spiked or float(pop.state[state][0]) == pytest.approx(new, rel=2e-7, abs=2e-7)
