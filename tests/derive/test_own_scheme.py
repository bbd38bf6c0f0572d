"""A method of somebody's own: whatever the order in which it names its intermediates, it is derived and runs."""

import numpy as np
import pytest

from izhigen import Model
from izhigen.derive.event import Assignment
from izhigen.derive.functions import phi1, phi2
from izhigen.derive.lowering import DT
from izhigen.derive.scheme import Scheme

FAST_AND_SLOW = Model(
    "FastAndSlow",
    "dV/dt = -V/tau + w*w\ndw/dt = -w/4 + sin(V)",
    parameters={"tau": 2.0},
    initial={"V": 1.0, "w": 0.5},
)


def etdrk2(system):
    """Cox and Matthews (2002), J. Comput. Phys. 176:430; equation 22, with the diagonal of the Jacobian as linear part."""
    assignments, stages = [], {}
    for equation in system.equations:
        name = equation.state.name
        slope, scaled, stage = (system.intermediate(f"{part}_{name}") for part in ("f", "z", "stage"))
        stages[equation.state] = stage
        assignments.append(Assignment(slope, equation.rhs))  # f before z
        assignments.append(Assignment(scaled, DT * equation.rate))
        assignments.append(Assignment(stage, equation.state + DT * phi1(scaled) * slope))
    increments = []
    for equation in system.equations:
        name = equation.state.name
        scaled = system.intermediate(f"z_{name}")
        before, after = system.intermediate(f"n_{name}"), system.intermediate(f"m_{name}")
        assignments.append(Assignment(before, equation.remainder))
        assignments.append(Assignment(after, equation.rhs.xreplace(stages) - equation.rate * stages[equation.state]))
        slope = system.intermediate(f"f_{name}")
        increments.append(DT * phi1(scaled) * slope + DT * phi2(scaled) * (after - before))
    return tuple(assignments), tuple(increments)


def error(model, backend, dt, exact):
    pop = model.population(2, dt=dt, method="etdrk2", backend=backend, dtype="float64")
    pop.run(2.0)
    return max(abs(float(pop.state[s][0]) - float(exact[s][0])) for s in model.states)


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_intermediates_in_any_order(backend, monkeypatch, tmp_path):
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path))  # programs are kept by what the model and the method say
    scheme = Scheme("etdrk2", 2, "", etdrk2, lambda system: ((), ()))
    for module in ("scheme", "step"):
        monkeypatch.setattr(f"izhigen.derive.{module}.find_scheme", lambda name: scheme)
    fine = FAST_AND_SLOW.population(1, dt=1 / 4096, method="etdrk2", backend="numpy", dtype="float64")
    fine.run(2.0)
    errors = [error(FAST_AND_SLOW, backend, dt, fine.state) for dt in (1 / 32, 1 / 64, 1 / 128)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, 2.0, atol=0.15)
