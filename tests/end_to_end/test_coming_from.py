"""The page for those who come from other simulators: what its right columns say is run."""

import ast
import re

import numpy as np
import pytest

import izhigen as iz
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "coming.md").read_text()
CODE = [
    code
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| ---")
    for code in re.findall(r"`([^`]+)`", line.rstrip("| ").rpartition(" | ")[2])
]


def test_the_tables_are_there():
    assert len(CODE) > 45 and "pop(10.0)" in CODE and "iz.sweep" in CODE


CELL = '<neuroml><iafCell id="iaf" C="0.2nF" leakConductance="10nS" leakReversal="-65mV" thresh="-50mV" reset="-70mV"/></neuroml>'


def shape(*due):
    return lambda found, pop: found.shape == due


def samples(*due):
    """What a stimulus is at 5, 15, ... ms."""
    return lambda found, pop: np.allclose(found.sample(10.0)[: len(due)].ravel(), due, atol=0.6)


def says(*lines):
    return lambda found, pop: all(any(line in text for text in found.describe()) for line in lines)


def each(check):
    return lambda found, pop: all(check(part) for part in found)


MEANS = {
    'iz.load("IzhikevichRefLTC").population(100, tau_ref=2.0)': lambda found, pop: found.tau_ref == 2.0,
    "model.population((10, 10))": shape(10, 10),
    "model.population(100, a=array, b=lambda n, rng: rng.uniform(0.2, 0.25, n))": lambda found, pop: (
        (found.a == 5.0).all() and 0.2 <= found.b.min() < found.b.max() <= 0.25
    ),
    "model.population(100, V=-60.0, u=array)": lambda found, pop: (found.V == -60.0).all() and (found.u == 5.0).all(),
    "pop(10.0)": lambda found, pop: found.dtype == bool and (pop.V > -70.0).all(),
    'pop.run(100.0, I=10.0, record=["V", "spike"])': lambda found, pop: found.counts.min() > 1,
    "pop.reset(batch=4)": lambda found, pop: pop.V.shape == (4, 100),
    "pop.V = np.full(pop.shape, -60.0)": lambda found, pop: (pop.V == -60.0).all(),
    "iz.inputs.section([0.0, 10.0], [50.0, 100.0])": samples(0, 0, 0, 0, 0, 10, 10),
    "iz.inputs.section([0.0, 5.0, 0.0], [10.0, 80.0, 10.0])": samples(0, *8 * [5], 0),
    "iz.inputs.ramp(0.0, 10.0, 100.0)": samples(0, 1, 2, 3),
    "iz.inputs.section(array, np.ones(100))": lambda found, pop: found.sample(0.5).tolist() == 200 * [5.0],
    "model.with_liquid_time_constant()": lambda found, pop: found.liquid,
    'model.with_current("g*(E - V)", ["g"], E=0.0)': says("I += g*(E - V)"),
    "model.with_refractory(tau_ref=2.0)": says("V held while t - t_last_spike <= tau_ref"),
    'model.with_refractory(5.0, hold="V")': says("V held while t - t_last_spike <= tau_ref"),
    'model.with_refractory(until="V <= 0", hold=())': says("until V <= 0"),
    "model.with_noise(V=1.0)": says("dV += (sigma_V) dW"),
    "model.population(100, batch=8)": shape(8, 100),
    'iz.sweep(model, {"a": [0.02, 0.1]}, 10.0)': lambda found, pop: dict(found.sizes) == {"a": 2},
    'pop.run(10.0, record="V", neurons=[0, 5])': lambda found, pop: found["V"].shape == (100, 2),
    'pop.run(10.0, record=["V", "u"], every=10)': lambda found, pop: found["u"].shape == (10, 100),
    "pop.a = 0.1": lambda found, pop: pop.a == 0.1,
    "pop.reset()": lambda found, pop: pop.t == 0.0,
    "pop.run(50.0, I=10.0).spikes": lambda found, pop: len(found[0]) == len(found[1]) > 99,
    'iz.load("cell.nml:iaf")': says("spike when v > thresh"),
    'model.variant("Other", a=0.1)': lambda found, pop: found.parameters["a"] == 0.1,
    "model.population(100, dt=0.05).run(10.0)": lambda found, pop: found.stop == 10.0 and len(found.t) == 200,
    'iz.Model("M", "dv/dt = -v/tau", "v > 1", "v = 0", {"tau": "10*ms"})': says("spike when v > 1", "reset: v = 0"),
    'iz.Model("A", "dx/dt = -x/tau", parameters={"tau": "10*ms"})': lambda found, pop: found.parameters["tau"] == 10.0,
}
"""What rows that say more than that something is there come to, of the result and the population."""


def test_what_is_held_is_on_the_page():
    assert set(MEANS) <= set(CODE)


@pytest.mark.parametrize("code", CODE)
def test_what_stands_here_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = iz.load("RS")
    names = {"iz": iz, "np": np, "model": model, "pop": model.population(100, seed=1), "array": np.full(100, 5.0)}
    names["population"] = model.variant("T", initial={"V": -60.0}).population
    if code.startswith("method="):
        code = f"model.population(100, {code})"
    elif code.startswith("population("):
        code = code.replace("tau=", "size=100, a=")
    tmp_path.joinpath("cell.nml").write_text(CELL)
    *before, last = ast.parse(code).body  # what this project's own page says
    exec(compile(ast.Module(before, []), "<page>", "exec"), names)
    if isinstance(last, ast.Expr):
        found = eval(compile(ast.Expression(last.value), "<page>", "eval"), names)
    else:
        found = exec(compile(ast.Module([last], []), "<page>", "exec"), names)
    assert code not in MEANS or MEANS[code](found, names["pop"])
