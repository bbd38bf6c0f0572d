"""Models written as LEMS: what is read again is the same model, and PyLEMS runs what is written."""

from __future__ import annotations

import contextlib
import os
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import izhigen as iz
from izhigen import Model, exporters, importers
from izhigen.cli import cli
from izhigen.errors import IzhigenError, ModelError, ValueShapeError
from izhigen.importers.lems.dimensions import KNOWN_DIMENSIONS, KNOWN_UNITS, LETTERS
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


_ARRIVES = "has what arrives (on_event), which the target neuroml cannot say"
REFUSED = {"LifExpCurrent": _ARRIVES, "LifExpConductance": _ARRIVES}
"""The models of the library that LEMS cannot say, and why."""


@pytest.mark.parametrize("name", iz.list_models())
def test_models_of_the_library_are_the_same(name, tmp_path):
    """Equal, and with the same kernel but for comments, so that spikes and traces are the same to the last bit."""
    model = iz.load(name)
    if name in REFUSED:
        with pytest.raises(ModelError, match=re.escape(REFUSED[name])):
            model.source("neuroml")
        return
    found = again(model, tmp_path)
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


def model(equations, threshold="V > 1", reset="V = 0", **parts):
    parts = {
        "parameters": {"tau": 10.0, "k": 2.0},
        "inputs": ["I"],
        "units": {"tau": "ms", "k": "1", "I": "1"},
        **parts,
    }
    return Model("M", equations, threshold, reset, **parts)


@pytest.mark.parametrize(
    "function",
    ["min(V, k)", "max(V, I, k)", "clip(V, -k, 1)", "sign(V - k)", "heaviside(V)", "exprel(V)", "exprel(k)", "expm1(V)"]
    + [
        "log1p(V*V)",
        "floor(V + 0.5)",
        "where(V > k, 1, where(I < 1 or V < 0 and k < 3, 2, V))",
        "exp(V) - 1",
        "log(1 + k)",
    ],
)
def test_functions_come_back(function, tmp_path):
    """In equations, lines and values at the start, and in what is assigned."""
    text = f"dV/dt = ({function} - V)/tau : 1\ndw/dt = (x - w)/tau : 1\nx = 2*{function} : 1"
    at_spike = "1" if "where" in function else function
    given = model(text, reset=f"V = {at_spike} + w; w = w + 1", initial={"V": 0.25, "w": function.replace("I", "1")})
    found = again(given, tmp_path)
    assert found == given
    one, two = (
        each.population(3, backend="numpy", dtype="float64").run(9.0, I=[-0.5, 0.0, 1.5], record=["V", "w"])
        for each in (given, found)
    )
    assert (one["V"] == two["V"]).all() and (one["w"] == two["w"]).all()


OLD = model(
    "dV/dt = (I - V)/tau : 1\ndw/dt = (V - w)/tau : 1\nx = V - w : 1",
    "V > old(w + x/2) + k",
    "V = where(old(V) > 0.5, k, 0); w = old(V)",
    initial={"V": "w", "w": "k"},
    parameters={"tau": 10.0, "k": 0.02},
)


def test_values_at_a_steps_start_come_back(tmp_path):
    """Of states and lines; LEMS has computed its lines there."""
    assert again(OLD, tmp_path) == OLD
    written = OLD.source("neuroml")
    assert 'test="V .gt. old_w + (x / 2) + k"' in written and '<DerivedParameter name="start_w"' in written


def test_inputs_keep_their_order_and_one_is_attached(tmp_path):
    given = model(
        "dV/dt = (I - V)/tau + J/C + gain*K/C : mV\nx = k*V : mV",
        inputs=["I", "gain", "K", "J"],
        parameters={"tau": 10.0, "k": 2.0, "C": 3.0},
        units={"tau": "ms", "k": "1", "I": "mV", "J": "nA", "K": "nA", "gain": "1", "C": "nF"},
        threshold="V > -50",
        reset="V = -65",
    )
    found = again(given, tmp_path)
    assert found == given and found.inputs == ("I", "gain", "K", "J")
    text = given.source("neuroml")
    assert '<DerivedVariable name="K" dimension="current" select="synapses[*]/i" reduce="add"/>' in text
    assert re.findall(r'<Requirement name="(\w+)"', text) == ["I", "gain", "J"]
    assert '<DerivedVariable name="v" dimension="voltage" exposure="v" value="V"/>' in text


def test_names_of_a_neuron_may_be_those_that_lems_has_besides(tmp_path):
    """Constants, lines and states that are added get others."""
    given = model(
        "dV/dt = (where(V < v, mV, 7) - V)/tau + case_1*synapses/tau : mV\nv = 2*V + lastSpikeTime/per_ms*mV/k : mV",
        inputs=["synapses", "case_1"],
        parameters={"tau": 10.0, "k": 2.0, "mV": 3.0, "per_ms": 4.0, "lastSpikeTime": 1.0},
        units={
            "tau": "ms",
            "k": "ms",
            "mV": "mV",
            "per_ms": "1/ms",
            "synapses": "mV",
            "case_1": "1",
            "lastSpikeTime": "1",
        },
        threshold="V > -50",
        reset="V = -65",
    ).with_refractory(2.0)
    assert again(given, tmp_path) == given


@pytest.mark.skipif(not FILES.is_dir(), reason="the examples of NeuroML are not at hand")
@pytest.mark.parametrize(("file", "population"), [(file, name) for file, names in RUNS.items() for name in names])
def test_what_was_read_is_written_and_read_again(file, population, tmp_path):
    model = importers.read(FILES / file, population, iz.Model).model
    found = again(model, tmp_path)
    assert found == model and list(found.describe()) == list(model.describe())


LEAVES = {
    "V": ["V", "E", "(V - E)", "w/g", "(V + 40)", "(-55)"],
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
        events={"other": iz.Event(f"x + old(x + {line}) > 1", "x = 0.5*x")} if kind == 2 else {},
        parameters={"tau": 12.0, "E": -60.5, "g": 3.3, "a": 0.1, "C": 200.0, "k": 0.07},
        inputs=["I"],
        initial={"V": "E", "w": 20.0},
        units={name: unit for name, unit in UNITS.items() if name not in "Vwx"},
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
        (lambda: lif(threshold="V > I"), "threshold, column 5: the sides of > have different units, mV .V. and nA .I."),
        (
            lambda: lif().with_noise(V="E/sqrt(tau)"),
            "'Lif' has noise, which the target neuroml cannot say; take with_noise",
        ),
        (lambda: lif(on_event={"g": "V = V + E"}), r"'Lif' has what arrives \(on_event\)"),
        (
            lambda: lif().with_current("g", ["g"], units={"g": "nA"}),
            "has a current that is held during a step, .*; add it with held=False",
        ),
        (
            lambda: lif(equations="dV/dt = (E - V + x)/tau : mV\nx = R*I : mV").with_current("x/R", held=False),
            "current 1 reads I, to which currents add; write it without",
        ),
        (
            lambda: lif(equations="dV/dt = (E - V + R*I)/tau : mV\nx = V - E : mV", threshold="x > E"),
            r"threshold: LEMS computes x before a step, .*; write its expression, or old\(x\)",
        ),
        (lambda: lif(reset="V = where(V > 2*E, E, V)"), r"reset of V: LEMS computes where\(...\) before a step"),
        (
            lambda: lif(
                equations="dV/dt = (E - V + R*I)/tau : mV\nx = V - E : mV", reset="V = where(old(V) > E, x, E)"
            ),
            r"reset of V: LEMS computes where\(...\) before a step",
        ),
        (lambda: lif(reset="V = E*sign(V)"), r"LEMS has no sign\(\) of what is in mV; divide it by that unit"),
        (lambda: lif().with_refractory(2.0).variant(initial={"t_last_spike": -1.0}), "not refractory at the start"),
        (
            lambda: lif(equations="dV/dt = (E - V + R*I)/tau : mV\ndold_V/dt = -old_V/tau : 1", threshold="old(V) > E"),
            "old_V is what LEMS needs besides to say this model; rename yours",
        ),
        (lambda: lif(reset="V = E*(t - t_last_spike)/tau"), "reset of V: LEMS has no t_last_spike"),
        (lambda: lif(reset="V = E*dt/tau"), "reset of V: LEMS has no dt"),
        (lambda: lif(reset="V = E*erf(V/E)"), r"LEMS has no erf\(\)"),
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
    ids=range(19),
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


# -- in PyLEMS ----------------------------------------------------------------------------------------------------------

OF_CORE = """
    <ComponentType name="baseCell"/>
    <ComponentType name="baseSpikingCell" extends="baseCell"><EventPort name="spike" direction="out"/></ComponentType>
    <ComponentType name="baseCellMembPot" extends="baseSpikingCell"><Exposure name="v" dimension="voltage"/></ComponentType>
    <ComponentType name="baseCellMembPotDL" extends="baseSpikingCell"><Exposure name="V" dimension="none"/></ComponentType>
    <ComponentType name="network">
        <Children name="populations" type="population"/><Children name="explicitInputs" type="explicitInput"/>
    </ComponentType>
    <ComponentType name="population">
        <ComponentReference name="component" type="baseCell"/><Parameter name="size" dimension="none"/>
        <Structure><MultiInstantiate number="size" component="component"/></Structure>
    </ComponentType>
    <ComponentType name="explicitInput">
        <ComponentReference name="input" type="basePointCurrent"/><Path name="target"/><Text name="destination"/>
        <Structure>
            <With instance="target" as="a"/><With instance="target" as="b"/>
            <EventConnection from="a" to="b" receiver="input" receiverContainer="destination"/>
        </Structure>
    </ComponentType>
    <ComponentType name="Simulation">
        <Parameter name="length" dimension="time"/><Parameter name="step" dimension="time"/>
        <ComponentReference name="target" type="Component"/><Children name="outputs" type="OutputFile"/>
        <Dynamics><StateVariable name="t" dimension="time"/></Dynamics>
        <Simulation><Run component="target" variable="t" increment="step" total="length"/></Simulation>
    </ComponentType>
    <ComponentType name="OutputFile">
        <Children name="columns" type="OutputColumn"/><Text name="path"/><Text name="fileName"/>
        <Simulation><DataWriter path="path" fileName="fileName"/></Simulation>
    </ComponentType>
    <ComponentType name="OutputColumn"><Path name="quantity"/><Simulation><Record quantity="quantity"/></Simulation></ComponentType>
"""
PULSE = """
    <ComponentType name="basePointCurrent{kind}"><Exposure name="{name}" dimension="{dimension}"/></ComponentType>
    <ComponentType name="pulseGenerator{kind}" extends="basePointCurrent{kind}">
        <Parameter name="delay" dimension="time"/><Parameter name="duration" dimension="time"/>
        <Parameter name="amplitude" dimension="{dimension}"/><EventPort name="in" direction="in"/>
        <Dynamics>
            <StateVariable name="{name}" dimension="{dimension}" exposure="{name}"/><OnEvent port="in"/>
            <OnCondition test="t .lt. delay"><StateAssignment variable="{name}" value="0"/></OnCondition>
            <OnCondition test="t .geq. delay .and. t .lt. delay + duration">
                <StateAssignment variable="{name}" value="amplitude"/>
            </OnCondition>
            <OnCondition test="t .geq. delay + duration"><StateAssignment variable="{name}" value="0"/></OnCondition>
        </Dynamics>
    </ComponentType>
"""


def write_core(folder):
    """NeuroML's core, or types of the same names where it is not at hand."""
    if FILES.is_dir():
        for path in (FILES / "core").glob("*.xml"):
            shutil.copy(path, folder)
        return
    dimensions = (
        f'<Dimension name="{name}" ' + " ".join(f'{letter}="{power}"' for letter, power in zip(LETTERS, powers)) + "/>"
        for name, powers in KNOWN_DIMENSIONS.items()
    )
    units = (
        f'<Unit symbol="{symbol}" dimension="{unit.dimension}" power="{unit.power}"/>'
        for symbol, unit in KNOWN_UNITS.items()
        if (unit.scale, unit.offset) == (1, 0)
    )
    pulses = PULSE.format(kind="", name="i", dimension="current") + PULSE.format(kind="DL", name="I", dimension="none")
    (folder / "Cells.xml").write_text(f"<Lems>{''.join(dimensions)}{''.join(units)}{OF_CORE}{pulses}</Lems>")
    for name in ("Networks.xml", "Simulation.xml"):
        (folder / name).write_text("<Lems/>")


PULSED = """
    <pulseGenerator{kind} id="pulse" delay="0.015625s" duration="1s" amplitude="{amplitude}"/>
    <network id="net"><population id="pop" component="{model}" size="1"/>
        <explicitInput target="pop[0]" input="pulse" destination="synapses"/></network>
"""
DRIVEN = """
    <ComponentType name="Driven" extends="baseCell">
        <Parameter name="begin" dimension="time"/><Parameter name="step" dimension="{dimension}"/>
        <Children name="neurons" type="{model}Type"/>
        <Dynamics>
            <ConditionalDerivedVariable name="{input}" dimension="{dimension}">
                <Case condition="t .lt. begin" value="0 * step"/><Case condition="t .geq. begin" value="step"/>
            </ConditionalDerivedVariable>
        </Dynamics>
    </ComponentType>
    <Unit symbol="given" dimension="{dimension}" power="{power}"/>
    <Driven id="driven" begin="0.015625s" step="{amplitude}given"><{model}Type id="neuron" {values}/></Driven>
    <network id="net"><population id="pop" component="driven" size="1"/></network>
"""
RUN = """
    <Include file="Networks.xml"/><Include file="Simulation.xml"/><Target component="sim"/>
    <Simulation id="sim" length="{length}ms" step="{step}s" target="net">
        <OutputFile id="o" path="." fileName="kept.dat"><OutputColumn id="c" quantity="{path}"/></OutputFile>
    </Simulation>
</Lems>
"""


def run_in_pylems(model, amplitude, dt, length, folder):
    """The first state, in its unit, of a neuron in a network whose input is a step: a pulse that is attached where it
    is a current or a plain number, else what a type around the neuron exposes.
    """
    lems = pytest.importorskip("lems.run")
    text, drive, state = model.source("neuroml"), model.inputs[0], model.states[0]
    scale = {name: round(unit_of_text(model.unit_of(name)).scale) for name in (drive, state)}
    if "<Attachments" in text:
        is_plain = unit_of_text(model.unit_of(drive)) == unit_of_text("1")
        written = str(amplitude) if is_plain else f"{amplitude}e{scale[drive]}A"
        network = PULSED.format(kind="DL" if is_plain else "", amplitude=written, model=model.name)
        path = f"pop[0]/{state}"
    else:
        dimension = re.search(f'<Requirement name="{drive}" dimension="(\\w+)"/>', text)[1]
        values = re.search(f'<{model.name}Type id="\\w+" (.*)/>', text)[1]
        parts = {"model": model.name, "input": drive, "dimension": dimension, "values": values}
        network = DRIVEN.format(**parts, power=scale[drive], amplitude=amplitude)
        path = f"pop[0]/neuron/{state}"
    whole = text.replace("</Lems>", network + RUN.format(length=length, step=dt / 1000, path=path))
    (folder / "LEMS_run.xml").write_text(whole)
    write_core(folder)
    with contextlib.chdir(folder), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        lems.run("LEMS_run.xml", nogui=True)
        return np.loadtxt("kept.dat")[:, 1] / 10.0 ** scale[state]


FAST = 1000 / 2**17
PERIOD = {"tau_ref": 1000 / 2**8}
"""Steps and periods that add up without rounding, in s as in ms."""
IN_PYLEMS = {
    "M": (5, {}),
    "izhikevich2007_RS": (100, {}),
    "izhikevich2007_LTS": (300, {}),
    "RS": (10, {}),
    "IzhikevichRef": (10, PERIOD),
    "AdExIFRef": (20, {**PERIOD, "initial": {"V": -65.0}}),
    "Gif": (1.2, {}),
    "GifRef": (1.2, PERIOD),
    "GLIF5": (300, PERIOD),
    "ALIF": (3, PERIOD),
    "FitzHughNagumo": (0.8, {}),
    "HindmarshRose": (3, {}),
    "MorrisLecar": (100, {}),
    "Theta": (0.5, {}),
    "HodgkinHuxley": (10, {}),
    "WangBuzsaki": (2, {}),
}


@pytest.mark.parametrize("name", IN_PYLEMS)
@pytest.mark.sample(7)
def test_pylems_runs_what_is_written_in_a_network(name, tmp_path):
    """Euler's method there and here: states are the same but for rounding, so that spikes are in the same steps; and the
    file is read as what it was written from, with its input.
    """
    amplitude, changes = IN_PYLEMS[name]
    model = OLD if name == "M" else iz.load(name).variant(**changes)
    state, drive = model.states[0], model.inputs[0]
    dt, length = (FAST, 40) if {"m", "n"} & {*model.states} else (1000 / 2**13, 250)
    theirs = run_in_pylems(model, amplitude, dt, length, tmp_path)
    found = importers.read(tmp_path / "LEMS_run.xml", "pop", iz.Model)
    is_attached = bool(found.inputs)
    begin = 1000 / 2**6
    later = begin if is_attached else begin + dt  # PyLEMS steps what is within a component first

    def run(model, state, **inputs):
        pop = model.population(1, dt=dt, method="euler", dtype="float64", backend="numpy")
        return pop.run(steps=len(theirs) - 1, record=state, **inputs)

    rec = run(model, [state, "spike"], **{drive: f"where(t >= {later}, {amplitude}, 0)"})
    assert len(rec.spikes[0]) > 1
    assert np.abs(theirs[:-1] - rec[state][:, 0]).max() < 1e-6
    assert (found.dt, found.duration) == (dt, length)
    if is_attached:
        assert found.model == model and found.inputs == {
            drive: f"where(t >= {begin} and t < {begin + 1000}, {amplitude}, 0)"
        }
    elif "tau_ref" not in model.parameters:
        one, two = (
            run(model, [state], **{drive: f"where(t >= {begin}, {amplitude}, 0)"}),
            run(found.model, ["neuron_V"]),
        )
        assert np.abs(one[state] - two["neuron_V"]).max() < 1e-6


def test_names_are_found():
    assert exporters.names() == ("neuroml", "nir")
    with pytest.raises(IzhigenError, match="target 'neurml' is not available"):
        iz.load("RS").source("neurml")
