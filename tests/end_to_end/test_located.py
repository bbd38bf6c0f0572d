"""Events inside steps, on every backend: what happens where, against an oracle of random models' text and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.end_to_end.random_events import DT, STATES, make_case
from tests.end_to_end.random_located import LocatedOracle, Unclear
from tests.helpers import host

STEPS, MODELS, CHUNK = 60, 300, 25


def expected(case, method):
    """For each neuron, its events, its last states, and the step at which the comparison ends."""
    oracle, found = LocatedOracle(case), []
    for k in range(case.inputs["I"].shape[1]):
        now, ends = oracle.begin(k), STEPS
        for s in range(STEPS):
            try:
                now = oracle.step(now, k, s, method)
            except Unclear:
                ends = s
                break
        found.append(([event for event in oracle.found if event[1] < ends], now, ends))
    return found


def check(seed, backend, dtype="float64", method="exp_euler"):
    case = make_case(seed)
    model = case.model()
    wanted = expected(case, method)
    pop = model.population(
        4, dt=DT, backend=backend, dtype=dtype, method=method, spike_timing="located", **case.initial
    )
    names = [name for name, _ in LocatedOracle(case).events]
    recording = pop.run(steps=STEPS, record=names, **case.inputs).to_host()
    for k, (events, states, ends) in enumerate(wanted):
        for name in names:
            times, neurons = recording.events[name]
            found = times[(neurons == k) & (times <= ends * DT)]
            due = [(s + at) * DT for n, s, at in events if n == name]
            np.testing.assert_allclose(found, due, atol=1e-6, err_msg=f"seed {seed}, {name} of neuron {k}\n{model}")
        if ends == STEPS:
            last = [host(pop.state[state])[k] for state in STATES]
            np.testing.assert_allclose(last, [states[s] for s in STATES], atol=1e-6, err_msg=f"seed {seed}\n{model}")
    return sum(len(events) for events, _, _ in wanted), sum(ends for *_, ends in wanted)


@pytest.mark.parametrize("first", range(0, MODELS, CHUNK))
def test_random_models_on_numpy(first):
    found = [check(seed, "numpy", method=("exp_euler", "euler")[seed % 2]) for seed in range(first, first + CHUNK)]
    assert sum(count > 0 for count, _ in found) > 0.8 * CHUNK
    assert sum(clear for _, clear in found) > 0.8 * CHUNK * 4 * STEPS
