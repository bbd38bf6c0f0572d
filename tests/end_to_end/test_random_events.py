"""Random models with several events, arrivals, jumps and refractory periods, against an oracle of their text."""

from __future__ import annotations

import numpy as np
import pytest

from tests.end_to_end.random_events import DT, STATES, Oracle, make_case
from tests.helpers import ALL, host

MODELS, CHUNK = 300, 25
ON_NUMPY, ON_C = range(MODELS if ALL else 100), range(0, MODELS, 1 if ALL else 31)
"""Models that are looked at, and compiled: the time goes into the compiler. All of them where the environment asks for it."""


def check(seed, backend, dtype="float64", method="exp_euler"):
    case = make_case(seed)
    expected, ends = Oracle(case).run(method)
    model = case.model()
    pop = model.population(4, dt=DT, backend=backend, dtype=dtype, method=method, **case.initial)
    recording = pop.run(steps=60, record=list(expected), **case.inputs).to_host()
    for name, wanted in expected.items():
        times, neurons = recording.events[name]
        found = list(zip((np.rint(times / DT).astype(int) - 1).tolist(), neurons.tolist()))
        assert found == sorted(wanted), f"seed {seed}, {backend}: {name}\n{model}"
    for state in STATES:
        np.testing.assert_allclose(
            host(pop.state[state]), ends[state], rtol=1e-9, atol=1e-11, err_msg=f"{seed} {state}\n{model}"
        )
    return sum(map(len, expected.values()))


@pytest.mark.parametrize("first", ON_NUMPY[::CHUNK])
def test_numpy(first):
    happened = [
        check(seed, "numpy", method=("exp_euler", "euler")[seed % 2]) for seed in ON_NUMPY[first : first + CHUNK]
    ]
    assert sum(count > 0 for count in happened) > 0.8 * CHUNK


@pytest.mark.parametrize("seed", ON_C)
@pytest.mark.sample(5)
def test_c(seed):
    check(seed, "c")


@pytest.mark.parametrize("seed", range(5, MODELS, 90))
def test_cuda(seed, device):
    check(seed, "cuda")
