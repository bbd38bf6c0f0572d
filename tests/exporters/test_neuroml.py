"""Models written as LEMS: what is read again is the same model, and PyLEMS runs what is written."""

from __future__ import annotations

import contextlib
import os
import re

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import izhigen as iz
from izhigen import Model, exporters, importers
from izhigen.cli import cli
from izhigen.errors import IzhigenError, ModelError, ValueShapeError
from izhigen.units.dimensions import unit_of_text
from tests.helpers import ALL
from tests.reference.lems_runs import FILES, RUNS

UNITS = {"V": "mV", "w": "pA", "x": "1", "tau": "ms", "E": "mV", "g": "nS", "a": "1", "C": "pF", "I": "pA", "k": "1/mV"}
EQUATIONS = """
    dV/dt = (I - gNa*m**3*h*(V - ENa) - gK*n**4*(V - EK) - gL*(V - EL))/C : mV
    s = V/mV
    am = 0.1*(s + 40)/(1 - exp(-(s + 40)/10))/ms
    dm/dt = am*(1 - m) - 4*exp(-(s + 65)/18)/ms*m : 1
    dh/dt = 0.07*exp(-(s + 65)/20)/ms*(1 - h) - h/(1 + exp(-(s + 35)/10))/ms : 1
    dn/dt = 0.01*where(not (s < -55 or s > -55), 10, (s + 55)/(1 - exp(-(s + 55)/10)))/ms*(1 - n) - 0.125*n/ms : 1
"""
CHOICE = "where(not (s < -55 or s > -55), 10, (s + 55)/(1 - exp(-(s + 55)/10)))"
HODGKIN_HUXLEY = Model(
    "HodgkinHuxley",
    EQUATIONS,
    threshold="V >= 0",
    events={"low": iz.Event("V < EK and n > 0.5", "n = 0.5; h = 0.1 + new(n)", trigger="level")},
    parameters={"gNa": 120.0, "ENa": 50.0, "gK": 36.0, "EK": -77.0, "gL": 0.3, "EL": -54.4, "C": 1.0}
    | {"mV": 1.0, "ms": 1.0},
    units={"gNa": "mS/cm**2", "gK": "mS/cm**2", "gL": "mS/cm**2", "ENa": "mV", "EK": "mV", "EL": "mV"}
    | {"C": "uF/cm**2", "I": "uA/cm**2", "mV": "mV", "ms": "ms"},
    inputs=["I"],
    initial={"V": -65.0, "m": 0.05, "h": 0.6, "n": 0.32},
)


def again(model, tmp_path):
    """The model that is read from what is written."""
    path = tmp_path / f"{model.name}.xml"
    path.write_text(model.source("neuroml"))
    found = iz.load(str(path))
    names = (*model.parameters, *model.inputs, *(e.name for e in model.equations if e.is_ode))
    for name in names:
        assert unit_of_text(found.unit_of(name)) == unit_of_text(model.unit_of(name))
    assert found.description == model.description
    return found


CANNOT = re.compile(r"LEMS has (no|none)")
"""What LEMS cannot say, such as old() or a time of the last spike."""


@pytest.mark.parametrize("name", iz.list_models() if ALL else iz.list_models()[::3])
def test_models_of_the_library_are_the_same(name, tmp_path):
    """Equal, with the same kernel but for comments; what LEMS cannot say is refused by name."""
    model = iz.load(name)
    try:
        found = again(model, tmp_path)
    except ModelError as problem:
        assert model.noise or model.on_event or model.currents or CANNOT.search(str(problem)), problem
        return
    assert found == model
    one, two = (each.variant(description="").source("c", dtype="float64") for each in (model, found))
    assert one == two


def test_rising_events_choices_and_other_units(tmp_path):
    assert again(HODGKIN_HUXLEY, tmp_path) == HODGKIN_HUXLEY
    lif = Model(
        "Lif", "dV/dt = (E - V + R*I)/tau : mV", "V > -50*mV", "V = E", {"E": -65.0, "R": 10.0, "tau": "10*ms", "mV": 1.0},
        ["I"], {"V": "E"}, units={"E": "mV", "R": "Mohm", "I": "nA", "mV": "mV"},
    )  # fmt: skip
    for model in (lif, lif.with_refractory(2.0), lif.with_refractory(2.0, hold=())):
        found = again(model, tmp_path)
        assert found == model and found.units["I"] == "nA"
        assert found.parameters == model.parameters


def test_assignments_are_written_in_an_order_that_keeps_their_meaning(tmp_path):
    """LEMS makes them one after the other; here u reads V as it was."""
    model = Model("M", "dV/dt = (2 - V)/tau : 1\ndu/dt = -u/tau : 1", "V > 1", "V = 0; u = u + V", {"tau": "10*ms"})
    found = again(model, tmp_path)
    assert found == model and [each.state for each in found.reset] == ["u", "V"]
    one, two = (
        each.population(1, backend="numpy", dtype="float64").run(30.0, record=["u"])["u"] for each in (model, found)
    )
    assert (one == two).all() and one[-1] > 1


@pytest.mark.parametrize(
    "number", ["123456789012345678", "12345678901234567.5", "1e17", "9007199254740993", "1e-300", "1/3", "0.1", "1e300"]
)
def test_numbers_are_written_exactly(number, tmp_path):
    model = Model("M", f"dV/dt = -V*({number})/tau : 1", parameters={"tau": "10*ms"})
    assert again(model, tmp_path) == model
    assert again(model.variant(tau=1 / 3), tmp_path).parameters["tau"] == 1 / 3


@pytest.mark.skipif(not FILES.is_dir(), reason="the examples of NeuroML are not at hand")
@pytest.mark.parametrize(("file", "population"), [(file, name) for file, names in RUNS.items() for name in names])
def test_what_was_read_is_written_and_read_again(file, population, tmp_path):
    model = importers.read(FILES / file, population, iz.Model).model
    found = again(model, tmp_path)
    assert found == model and list(found.describe()) == list(model.describe())


LEAVES = {
    "V": ["V", "E", "(V - E)", "w/g"],
    "1": ["x", "a", "k*V", "w/(g*V)", "0.5", "2", "3"],
}


def of_unit(unit):
    """Expressions in mV or without unit."""
    plain = st.sampled_from(LEAVES["1"])
    leaves = plain if unit == "1" else st.sampled_from(LEAVES["V"])

    def larger(inner):
        if unit == "1":
            return st.one_of(
                st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
                st.tuples(st.sampled_from(["exp", "tanh", "abs", "cos", "heaviside"]), inner).map(
                    lambda p: f"{p[0]}({p[1]})"
                ),
                st.tuples(inner, inner, inner, inner).map(lambda p: f"where({p[0]} < {p[1]}, {p[2]}, {p[3]})"),
                inner.map(lambda p: f"-{p}"),
                inner.map(lambda p: f"({p})**2"),
            )
        return st.one_of(
            st.tuples(inner, st.sampled_from("+-"), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            st.tuples(of_unit("1"), inner).map(lambda p: f"({p[0]})*{p[1]}"),
            st.tuples(inner, of_unit("1")).map(lambda p: f"where({p[0]} > E and not {p[1]} >= a, {p[0]}, -{p[0]})"),
        )

    return st.recursive(leaves, larger, max_leaves=4)


@given(of_unit("V"), of_unit("1"), of_unit("1"), st.sampled_from(["", "level"]), st.integers(0, 3))
@settings(max_examples=200 if ALL else 25, deadline=None)
def test_random_models_are_the_same(of_v, of_x, line, trigger, kind):
    model = Model(
        "Random",
        f"dV/dt = ({of_v})/tau + I/C : mV\nf = {line} : 1\ndw/dt = (g*V*f - w)/tau : pA\ndx/dt = ({of_x})/tau : 1",
        threshold="V >= E and x < 2" if kind else None,
        reset="V = E - a*V; w = w + g*new(V)" if kind else None,
        trigger=trigger or "auto" if kind else "auto",
        events={"other": iz.Event(f"x + ({line}) > 1", "x = 0.5*x")} if kind == 2 else {},
        parameters={"tau": 12.0, "E": -60.5, "g": 3.3, "a": 0.1, "C": 200.0, "k": 0.07},
        inputs=["I"],
        initial={"V": "E", "w": 20.0},
        units={name: unit for name, unit in UNITS.items() if name not in "Vwx"},
        strict_units=True,
    )  # fmt: skip
    model = model.with_refractory(1.5) if kind == 3 and trigger else model
    text = exporters.write(model, "neuroml")
    assert text == exporters.write(model, "neuroml")


def lif(**changes):
    parts = {
        "equations": "dV/dt = (E - V + R*I)/tau : mV",
        "threshold": "V > E",
        "reset": "V = E",
        "parameters": {"E": -65.0, "R": 10.0, "tau": 10.0},
        "inputs": ["I"],
        "units": {"E": "mV", "R": "Mohm", "I": "nA", "tau": "ms"},
    }
    return Model("Lif", **{**parts, **changes})


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: lif(units={}), "'Lif' cannot be written for neuroml: strict_units: parameter 'E' .* has no unit"),
        (lambda: lif(threshold="V > -50"), "has different units|have different units"),
        (
            lambda: lif().with_noise(V="E/sqrt(tau)"),
            "'Lif' has noise, which the target neuroml cannot say; take with_noise",
        ),
        (lambda: lif(on_event={"g": "V = V + E"}), r"'Lif' has what arrives \(on_event\)"),
        (lambda: lif().with_current("I"), "'Lif' has currents that are added, .*; write them into the equations"),
        (lambda: lif(threshold="V > E and old(V) < E"), r"threshold: LEMS has no old\(\)"),
        (lambda: lif(reset="V = E*(t - t_last_spike)/tau"), "reset of V: LEMS has no t_last_spike"),
        (lambda: lif(reset="V = E*dt/tau"), "reset of V: LEMS has no dt"),
        (lambda: lif(reset="V = min(V, E)"), r"LEMS has no min\(\); write it with others \(.*where\)"),
        (lambda: lif().with_refractory(until="V < E", hold=()), "ends by a condition has no form in LEMS"),
        (lambda: lif(trigger="rising").with_refractory(2.0, hold=()), "refractory and rising has no form"),
        (
            lambda: lif(equations="dV/dt = (E - V + R*I)/tau : mV\ndH/dt = -H/tau : 1"),
            "'H' means something else in LEMS",
        ),
        (
            lambda: lif(equations="dV/dt = (E - V + R*I)/tau : mV\ndU/dt = -U/tau : mV", reset="V = U; U = V"),
            "no order keeps the values before the event",
        ),
    ],
    ids=range(13),
)
def test_what_lems_cannot_say_is_refused(make, match):
    with pytest.raises(ModelError, match=match):
        make().source("neuroml")


def test_the_command_writes_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def ok(*arguments):
        result = CliRunner().invoke(cli, [*arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    printed = ok("emit", "RS", "--target", "neuroml", "--set", "d=6")
    assert 'd="6.0 mV_per_ms"' in printed and printed == ok("show", "RS", "--source", "neuroml").replace(
        "8.0 mV_per", "6.0 mV_per"
    )
    assert "wrote rs.nml" in ok("emit", "RS", "--target", "neuroml", "-o", "rs.nml")
    assert "wrote rs.nml" in ok("emit", "RS", "--target", "neuroml", "-o", "rs.nml")
    assert iz.load("rs.nml") == iz.load("RS")
    (tmp_path / "mine.xml").write_text("<Lems/>")
    for arguments, match in (
        (["-o", "mine.xml"], "was not written by izhigen"),
        (["-o", "."], "folder"),
        (["--method", "rk4"], "target 'neuroml' holds the model and no kernel; leave out method"),
        (["--delta", "V", "--dtype", "float64"], "leave out dtype, deltas"),
    ):
        result = CliRunner().invoke(cli, ["emit", "RS", "--target", "neuroml", *arguments])
        assert result.exit_code != 0
        assert match in str(result.exception) + result.output
    assert iz.load("RS").emit("again.xml", target="neuroml").read_text() == iz.load("RS").source("neuroml")
    with pytest.raises(ValueShapeError, match="leave out method"):
        iz.load("RS").emit("again.xml", target="neuroml", method="rk4")
    with pytest.raises(ValueShapeError, match="leave out gradients"):
        iz.load("RS").source("neuroml", gradients=True)


SIMULATION = """
    <ComponentType name="Simulation">
        <Parameter name="length" dimension="time"/><Parameter name="step" dimension="time"/>
        <ComponentReference name="target" type="Component"/>
        <Children name="outputs" type="OutputFile"/>
        <Dynamics><StateVariable name="t" dimension="time"/></Dynamics>
        <Simulation><Run component="target" variable="t" increment="step" total="length"/></Simulation>
    </ComponentType>
    <ComponentType name="OutputFile">
        <Children name="columns" type="OutputColumn"/><Text name="path"/><Text name="fileName"/>
        <Simulation><DataWriter path="path" fileName="fileName"/></Simulation>
    </ComponentType>
    <ComponentType name="OutputColumn">
        <Path name="quantity"/><Simulation><Record quantity="quantity"/></Simulation>
    </ComponentType>
    <Unit symbol="s" dimension="time"/>
    <Target component="sim"/>
    <Simulation id="sim" length="0.3s" step="{step}s" target="{model}">
        <OutputFile id="o" path="." fileName="kept.dat"><OutputColumn id="c" quantity="{state}"/></OutputFile>
    </Simulation>
"""


@pytest.mark.parametrize("name", ["RS", "IzhikevichRef", "izhikevich2007", "HodgkinHuxley"])
def test_pylems_runs_what_is_written(name, tmp_path):
    """Euler's method there and here: potentials are the same but for rounding."""
    lems = pytest.importorskip("lems.run")
    plain = EQUATIONS.replace(CHOICE, "(s + 55)/(1 - exp(-(s + 55)/10))")  # PyLEMS cannot order cases
    model = HODGKIN_HUXLEY.variant(equations=plain) if name == "HodgkinHuxley" else iz.load(name)
    model = model.variant(tau_ref=1000 / 2**9) if name == "IzhikevichRef" else model
    dt = 0.01 if name == "HodgkinHuxley" else 1000 / 2**13  # steps that add up without rounding
    state, given, drive = model.states[0], model.inputs[0], 120.0 if name == "izhikevich2007" else 10.0
    text = model.source("neuroml")
    dimension = re.search(f'<Requirement name="{given}" dimension="(\\w+)"/>', text)[1]
    text = text.replace(
        f'<Requirement name="{given}" dimension="{dimension}"/>',
        f'<Constant name="{given}" dimension="{dimension}" value="{drive} held"/>',
    )
    power = round(unit_of_text(model.unit_of(given)).scale)
    unit = f'<Unit symbol="held" dimension="{dimension}" power="{power}"/>'
    simulation = SIMULATION.format(state=state, step=dt / 1000, model=model.name)
    (tmp_path / "run.xml").write_text(text.replace("</Lems>", f"{unit}{simulation}</Lems>"))
    with contextlib.chdir(tmp_path), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        lems.run("run.xml", nogui=True)
        theirs = np.loadtxt("kept.dat")[:, 1] / 10 ** unit_of_text(model.unit_of(state)).scale
    pop = model.population(1, dt=dt, method="euler", dtype="float64")
    rec = pop.run(steps=len(theirs) - 1, record=[state, "spike"], **{given: drive})
    assert len(rec.spikes[0]) > 3
    assert np.abs(theirs[:-1] - rec[state][:, 0]).max() < 1e-6


def test_names_are_found():
    assert exporters.names() == ("neuroml", "nir")
    with pytest.raises(IzhigenError, match="target 'neurml' is not available"):
        iz.load("RS").source("neurml")
