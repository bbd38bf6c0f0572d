"""LEMS in files of our own: every construct that is read, and the line of every one that is not."""

from __future__ import annotations

import numpy as np
import pytest

import izhigen as iz
from izhigen import importers
from izhigen.errors import IzhigenError, ModelError, ModelNotFoundError
from izhigen.model.unit_checks import check_units

NEURON = """
<ComponentType name="neuron">
    <Parameter name="tau" dimension="time"/>
    <Parameter name="thresh" dimension="voltage"/>
    <Attachments name="synapses" type="basePointCurrent"/>
    {more}
    <Dynamics>
        <StateVariable name="v" dimension="voltage" exposure="v"/>
        {dynamics}
    </Dynamics>
</ComponentType>
<neuron id="cell" tau="20ms" thresh="0.01 V"/>
"""
LEAK = '<TimeDerivative variable="v" value="-v / tau"/>'


def read(text, tmp_path, name="", suffix=".xml", root="Lems"):
    path = tmp_path / f"given{suffix}"
    path.write_text(f"<{root}>{text}</{root}>")
    return importers.read(path, name, iz.Model)


def neuron(tmp_path, dynamics, more="", name=""):
    return read(NEURON.format(dynamics=dynamics, more=more), tmp_path, name)


def fails(text, tmp_path, match, name="", error=ModelError):
    with pytest.raises(error, match=match):
        read(text, tmp_path, name)


def fails_in(dynamics, tmp_path, match, more=""):
    fails(NEURON.format(dynamics=dynamics, more=more), tmp_path, match)


def test_a_type_of_ones_own(tmp_path):
    found = neuron(
        tmp_path,
        """
        <StateVariable name="w" dimension="none"/>
        <DerivedVariable name="i" dimension="current" select="synapses[*]/i" reduce="add"/>
        <DerivedVariable name="drive" dimension="voltage" value="i * R" exposure="drive"/>
        <ConditionalDerivedVariable name="speed" dimension="per_time">
            <Case condition="v .gt. 5 * mV .and. w .leq. 1" value="2 / tau"/>
            <Case condition="v .lt. 0" value="0"/>
            <Case condition="v .geq. 0" value="1 / tau"/>
        </ConditionalDerivedVariable>
        <TimeDerivative variable="v" value="(drive - v) / (half * 2)"/>
        <TimeDerivative variable="w" value="speed * (1 - w^2) - H(w) / tau"/>
        <OnStart><StateAssignment variable="w" value="half / tau"/></OnStart>
        <OnCondition test="v .geq. thresh">
            <StateAssignment variable="v" value="0"/>
            <StateAssignment variable="w" value="w + v / mV"/>
            <EventOut port="spike"/>
        </OnCondition>
        <OnCondition test="w .gt. 3"><StateAssignment variable="w" value="3"/></OnCondition>
        """,
        more="""
        <Constant name="mV" dimension="voltage" value="1mV"/>
        <Constant name="R" dimension="resistance" value="100 Mohm"/>
        <DerivedParameter name="half" dimension="time" value="tau / 2"/>
        <Requirement name="other" dimension="none"/>
        """,
    )
    model = found.model
    assert list(model.describe()) == [
        "half = tau/2 : ms",
        "dv/dt = (drive - v)/(half*2) : mV",
        "dw/dt = speed*(1 - w**2) - heaviside(w)/tau : 1",
        "drive = i*R : mV",
        "speed = where(v > 5*mV and w <= 1, 2/tau, where(v < 0, 0, 1/tau)) : 1/ms",
        "spike when v >= thresh",
        "reset: v = 0; w = w + new(v)/mV",
        "condition_2 when w > 3",
        "at condition_2: w = 3",
    ]
    assert dict(model.parameters) == {"tau": 20.0, "thresh": 10.0, "mV": 1.0, "R": 0.1}
    assert dict(model.units) == {
        "tau": "ms", "thresh": "mV", "mV": "mV", "R": "Gohm", "other": "1", "i": "pA"
    }  # fmt: skip
    assert model.inputs == ("other", "i")
    assert model.initial["w"].text == "tau/2/tau"
    assert "other, which neuron requires, is an input" in found.report[0]
    assert any("H(0) is 1 here" in line for line in found.report)
    check_units(model, strict=True)


def test_conditions_read_lines_as_they_were_before_the_step(tmp_path):
    """As LEMS' interpreters, which compute derived variables, then integrate, then look at conditions."""
    found = neuron(
        tmp_path,
        """
        <DerivedVariable name="twice" dimension="voltage" value="2 * v"/>
        <DerivedVariable name="above" dimension="voltage" value="thresh / 2"/>
        <TimeDerivative variable="v" value="(4 * above - v) / tau"/>
        <OnCondition test="twice .gt. thresh + above">
            <StateAssignment variable="v" value="v - twice"/><EventOut port="spike"/>
        </OnCondition>
        """,
    )
    assert found.model.threshold.text == "old(twice) > thresh + above"
    assert found.model.reset[0].expression.text == "v - old(twice)"
    assert any("twice is read as it was at the step's start" in line for line in found.report)
    dt, v, spikes, values = 0.125, 0.0, [], []
    for step in range(800):
        twice = 2 * v
        v += dt * (20 - v) / 20
        if twice > 15:
            v -= twice
            spikes.append(step + 1)
        values.append(v)
    rec = found.model.population(1, dt=dt, method="euler", dtype="float64").run(100.0, record=["v", "spike"])
    assert len(spikes) > 3 and np.round(rec.spikes[0] / dt).astype(int).tolist() == spikes
    assert np.abs(rec["v"][:, 0] - values).max() < 1e-12


def test_components_within_are_selected_added_and_multiplied(tmp_path):
    """A neuron with a channel of two gates: conductance is multiplied from gates, and currents are added."""
    text = """
    <ComponentType name="gate">
        <Parameter name="rate" dimension="per_time"/>
        <Parameter name="instances" dimension="none"/>
        <Requirement name="v" dimension="voltage"/>
        <Exposure name="fcond" dimension="none"/>
        <Dynamics>
            <StateVariable name="q" dimension="none"/>
            <DerivedVariable name="f" dimension="none" exposure="fcond" value="q^instances"/>
            <TimeDerivative variable="q" value="rate * (1 / (1 + exp(-v / scale)) - q)"/>
        </Dynamics>
        <Constant name="scale" dimension="voltage" value="10 mV"/>
    </ComponentType>
    <ComponentType name="slowGate" extends="gate"><Fixed parameter="rate" value="0.1 per_ms"/></ComponentType>
    <ComponentType name="channel">
        <Parameter name="g" dimension="conductance"/>
        <Children name="gates" type="gate"/>
        <Requirement name="v" dimension="voltage"/>
        <Dynamics>
            <DerivedVariable name="open" dimension="none" select="gates[*]/fcond" reduce="multiply"/>
            <DerivedVariable name="i" dimension="current" exposure="current" value="-1 * g * open * v"/>
        </Dynamics>
    </ComponentType>
    <ComponentType name="point">
        <Parameter name="C" dimension="capacitance"/>
        <Child name="leak" type="channel"/>
        <Children name="channels" type="channel"/>
        <Dynamics>
            <StateVariable name="v" dimension="voltage"/>
            <DerivedVariable name="all" dimension="current" select="channels[*]/current" reduce="add"/>
            <DerivedVariable name="passive" dimension="current" select="leak/current"/>
            <TimeDerivative variable="v" value="(all + passive) / C"/>
        </Dynamics>
    </ComponentType>
    <point id="cell" C="10pF">
        <leak g="1 nS"/>
        <channel id="k" g="2 nS"><gate id="n" rate="1 per_ms" instances="4"/><slowGate id="h" instances="1"/></channel>
        <channel id="na" g="3 nS"><gate id="m" rate="5 per_ms" instances="3"/></channel>
    </point>
    """
    text = text.replace('<slowGate id="h" instances="1"/>', '<slowGate id="h" instances="1" rate="9 per_ms"/>')
    found = read(text, tmp_path)
    lines = {e.name: e.expression.text for e in found.model.equations}
    assert lines["all_"] == "k_i + na_i" and lines["passive"] == "leak_i"
    assert lines["k_open"] == "k_n_f*k_h_f" and lines["leak_open"] == "1"
    assert lines["k_h_q"] == "k_h_rate*(1/(1 + exp(-v/k_h_scale)) - k_h_q)"
    assert found.model.parameters["k_h_rate"] == 0.1 and found.model.parameters["k_n_rate"] == 1.0
    assert set(found.model.states) == {"v", "k_n_q", "k_h_q", "na_m_q"}
    assert any("'all' is called all_" in line for line in found.report)
    assert any("rate='9 per_ms' is left out, as slowGate fixes it to 0.1 per_ms" in line for line in found.report)


GATED = """
<ComponentType name="gate">
    <Requirement name="v" dimension="none"/> <Exposure name="q" dimension="none"/>
    <Dynamics>
        <StateVariable name="q" dimension="none" exposure="q"/>
        <DerivedVariable name="inf" dimension="none" value="v / 2"/>
        <OnStart><StateAssignment variable="q" value="{of_gate}"/></OnStart>
    </Dynamics>
</ComponentType>
<ComponentType name="point">
    <Children name="gates" type="gate"/>
    <Dynamics>
        <StateVariable name="v" dimension="none"/> <StateVariable name="w" dimension="none"/>
        <DerivedVariable name="open" dimension="none" select="gates[*]/q" reduce="add"/>
        <OnStart><StateAssignment variable="v" value="-3"/><StateAssignment variable="w" value="{of_point}"/></OnStart>
    </Dynamics>
</ComponentType>
<point id="cell"><gate id="m"/></point>
"""


def test_a_component_begins_with_what_the_one_around_it_assigns_and_the_other_way_round(tmp_path):
    model = read(GATED.format(of_gate="inf", of_point="open + 1"), tmp_path).model
    pop = model.population(1, backend="numpy", dtype="float64")
    assert (pop.v[0], pop.m_q[0], pop.w[0]) == (-3.0, -1.5, -0.5)
    fails(GATED.format(of_gate="w", of_point="open"), tmp_path, "line 1: .*circle|cyclic")


def test_derived_variables_that_conditions_read_are_those_of_the_steps_start(tmp_path):
    """As interpreters have them; where one moves, that is another value than after the step."""
    dynamics = """
    <DerivedVariable name="twice" dimension="voltage" value="2 * v"/>
    <DerivedVariable name="again" dimension="voltage" value="2 * twice"/>
    <DerivedVariable name="still" dimension="voltage" value="2 * thresh"/>
    <OnCondition test="{test} .gt. still"><StateAssignment variable="v" value="{value}"/></OnCondition>
    """
    for test, value in (("v", "still"), ("again", "still"), ("v", "twice"), ("again", "twice")):
        text = "\n".join(neuron(tmp_path, dynamics.format(test=test, value=value)).model.describe())
        assert ("old(again) >" in text) == (test == "again")
        assert ("v = old(twice)" in text) == (value == "twice")


def test_a_state_may_be_called_like_the_input_of_another(tmp_path):
    found = read(NEURON.format(more="", dynamics='<StateVariable name="u_delta"/><StateVariable name="u"/>'), tmp_path)
    assert found.model.states == ("v", "u_delta", "u_")
    assert any("'u' is called u_" in line for line in found.report)
    found.model.population(2, dt=0.1, backend="numpy").run(1.0)


def test_units_become_those_of_the_model(tmp_path):
    dimensions = """
    <Dimension name="odd" m="1" l="-2"/><Unit symbol="kg_per_m2" dimension="odd"/>
    <Unit symbol="dozen" dimension="time" scale="12"/>
    <ComponentType name="all">
        <Parameter name="a" dimension="odd"/><Parameter name="b" dimension="area"/>
        <Parameter name="c" dimension="conductanceDensity"/><Parameter name="d" dimension="time"/>
        <Parameter name="e" dimension="temperature"/><Parameter name="f" dimension="concentration"/>
        <Parameter name="g" dimension="rho_factor"/><Parameter name="h" dimension="conductance_per_voltage"/>
        <Dynamics><StateVariable name="x" dimension="time"/><TimeDerivative variable="x" value="1"/></Dynamics>
    </ComponentType>
    <all id="it" a="3 kg_per_m2" b="2 um2" c="2 S_per_cm2" d=".5dozen" e="6.3degC" f="2 mM" g="1 mol_per_m_per_A_per_s"
         h="1.5e-6 S_per_V"/>
    """
    model = read(dimensions, tmp_path).model
    values = {name: (value, model.units[name]) for name, value in model.parameters.items()}
    assert values["b"] == (0.02, "100*um**2") and values["c"] == (2000.0, "mS/cm**2")
    assert values["d"] == (6000.0, "ms") and values["e"] == (279.45, "K") and values["f"] == (2.0, "mM")
    assert values["h"] == (1.5, "nS/mV")
    for name, (value, unit) in values.items():
        assert model.variant(**{name: f"{value}*{unit}"}).parameters[name] == value


@pytest.mark.parametrize("operator", [".gt.", ".geq."])
def test_a_refractory_regime_holds_as_long_as_in_lems(operator, tmp_path):
    """As a loop that does what LEMS' interpreters do: Euler's step, then the conditions of the regime that held."""
    regimes = f"""
        <StateVariable name="w" dimension="none"/>
        <StateVariable name="last" dimension="time"/>
        <TimeDerivative variable="w" value="1 / tau"/>
        <Regime name="after">
            <OnEntry>
                <StateAssignment variable="last" value="t"/><StateAssignment variable="v" value="0"/>
            </OnEntry>
            <OnCondition test="t {operator} last + period"><Transition regime="integrating"/></OnCondition>
        </Regime>
        <Regime name="integrating" initial="true">
            <TimeDerivative variable="v" value="(2 * thresh - v) / tau"/>
            <OnCondition test="v .gt. thresh"><EventOut port="spike"/><Transition regime="after"/></OnCondition>
        </Regime>
    """
    period = '<Parameter name="period" dimension="time"/>'
    text = NEURON.format(dynamics=regimes, more=period).replace('tau="20ms"', 'tau="20ms" period="3ms"')
    found = read(text, tmp_path)
    assert found.model.refractory.states == ("v",) and "w" in found.model.states
    assert "last" not in found.model.states and any("one step longer" in line for line in found.report)
    dt, v, last, is_after, spikes = 0.125, 0.0, 0.0, False, []
    for step in range(2000):
        t = step * dt
        if not is_after:
            v += dt * (20 - v) / 20
            if v > 10:
                spikes.append(step)
                v, last, is_after = 0.0, t, True
        elif t > last + 3 or (operator == ".geq." and t == last + 3):
            is_after = False
    rec = found.model.population(1, dt=dt, method="euler", dtype="float64").run(250.0)
    assert np.round(rec.spikes[0] / dt).astype(int).tolist() == [step + 1 for step in spikes]


def test_a_reset_above_the_threshold_is_refused_where_it_would_spike_on(tmp_path):
    """In LEMS the regime of the refractory period sends nothing."""
    cell = '<iafTauRefCell id="c" leakReversal="-65mV" thresh="-50mV" reset="{}" tau="10ms" refract="2ms"/>'
    assert read(cell.format("-50mV"), tmp_path).model.refractory
    fails(cell.format("-49mV"), tmp_path, "line 1: the condition of the spike holds right after the reset")


def test_regimes_of_any_kind_are_numbered(tmp_path):
    """Three regimes, one left by a condition on a state, against the same loop."""
    regimes = """
        <StateVariable name="n" dimension="none"/>
        <OnStart><StateAssignment variable="v" value="0.5 * thresh"/></OnStart>
        <Regime name="rise" initial="true">
            <OnEntry><StateAssignment variable="n" value="1"/></OnEntry>
            <TimeDerivative variable="v" value="thresh / tau"/>
            <OnCondition test="v .gt. thresh">
                <StateAssignment variable="n" value="n + 1"/><EventOut port="spike"/><Transition regime="fall"/>
            </OnCondition>
        </Regime>
        <Regime name="fall">
            <OnEntry><StateAssignment variable="v" value="v * 0.9"/></OnEntry>
            <TimeDerivative variable="v" value="-3 * thresh / tau"/>
            <OnCondition test="v .lt. 0"><Transition regime="rest"/><EventOut port="low"/></OnCondition>
        </Regime>
        <Regime name="rest">
            <TimeDerivative variable="n" value="1 / tau"/>
            <OnCondition test="n .gt. 2.5"><Transition regime="rise"/></OnCondition>
        </Regime>
    """
    found = neuron(tmp_path, regimes)
    assert any("0 is rise, 1 is fall, 2 is rest" in line for line in found.report)
    dt, v, n, regime, spikes, lows = 0.125, 5.0, 1.0, "rise", [], []
    for step in range(1600):
        if regime == "rise":
            v += dt * 10 / 20
            if v > 10:
                spikes.append(step + 1)
                n, v, regime = n + 1, v * 0.9, "fall"
        elif regime == "fall":
            v -= dt * 30 / 20
            if v < 0:
                lows.append(step + 1)
                regime = "rest"
        else:
            n += dt / 20
            if n > 2.5:
                n, regime = 1.0, "rise"
    pop = found.model.population(1, dt=dt, method="euler", dtype="float64")
    rec = pop.run(200.0, record=["spike", "low", "v"])
    assert len(spikes) > 3 and np.round(rec.spikes[0] / dt).astype(int).tolist() == spikes
    assert np.round(rec.events["low"][0] / dt).astype(int).tolist() == lows
    assert rec["v"][-1, 0] == pytest.approx(v, abs=1e-12)


def test_a_network_gives_inputs(tmp_path):
    network = """
    <Include file="Cells.xml"/>
    <iafCell id="iaf" leakConductance="10nS" leakReversal="-70mV" thresh="-55mV" reset="-70mV" C="200pF"/>
    <pulseGenerator id="p" delay="10ms" duration="0.1s" amplitude="0.2nA"/>
    <sineGenerator id="s" delay="0ms" duration="50ms" amplitude="10pA" phase="0.5" period="10ms"/>
    <rampGenerator id="r" delay="5ms" duration="10ms" startAmplitude="0pA" finishAmplitude="-20pA" baselineAmplitude="1pA"/>
    <network id="net">
        <population id="two" component="iaf" size="2"/><population id="one" component="iaf"/>
        <explicitInput target="one[0]" input="p"/>
        <inputList id="l" population="one" component="s"><inputW id="0" target="../one/0/iaf" weight="2"/></inputList>
        <explicitInput target="two[0]" input="r"/><explicitInput target="two[1]" input="r"/>
        <projection id="x" presynapticPopulation="one" postsynapticPopulation="two"/>
    </network>
    <Target component="sim"/>
    <Simulation id="sim" length="0.2s" step="50us" target="net"><Meta for="jLEMS" method="rk4"/></Simulation>
    <Simulation id="other" length="2s" step="1ms" target="net"/>
    <Unit symbol="us" dimension="time" power="-6"/>
    """
    one, two = (read(network, tmp_path, name) for name in ("one", "two"))
    assert (one.dt, one.duration, one.method) == (0.05, 200.0, "rk4")
    pulse = "where(t >= 10 and t < 110, 200, 0)"
    assert one.inputs == {"iSyn": f"{pulse} + 2*where(t >= 0 and t < 50, 10*sin(0.5 + 2*3.14159265*(t - 0)/10), 0)"}
    assert two.inputs == {"iSyn": "where(t >= 5 and t < 15, 0 + (-20 - 0)*(t - 5)/10, 1)"}
    assert any("<projection> is not read" in line for line in one.report)
    assert one.model == two.model == read(network, tmp_path, "iaf").model
    rec = one.model.population(1, dt=one.dt).run(one.duration, **one.inputs)
    assert len(rec.spikes[0]) > 1
    fails(network, tmp_path, r"several models \(two, one\)", error=ModelNotFoundError)
    different = network.replace('target="two[1]" input="r"', 'target="two[1]" input="p"')
    fails(different, tmp_path, "'two' get different inputs; name the cell 'iaf'", "two")
    fails(network.replace('target="two[1]"', 'target="two[2]"'), tmp_path, "'two' has 2 neurons, and no 2", "two")
    fails(network.replace('component="sim"', 'component="sin"'), tmp_path, "did you mean 'sim'")
    fails(network.replace("sineGenerator", "spikeGenerator"), tmp_path, "line 5: <spikeGenerator> is not read", "one")


def test_neurons_of_a_population_may_be_listed(tmp_path):
    """As ``<instance>``, without a size; what is attached to them is an input, which the report says."""
    network = """
    <pulseGenerator id="p" delay="0ms" duration="1ms" amplitude="1pA"/>
    <network id="n">
        <population id="pop" type="populationList" component="cell"><instance id="0"/><instance id="1"/></population>
        <inputList id="i" component="p" population="pop">
            <input id="0" target="../pop/0/cell" destination="s"/><input id="1" target="../pop/1/cell" destination="s"/>
        </inputList>
    </network>
    """
    dynamics = '<DerivedVariable name="iSyn" dimension="current" select="synapses[*]/i" reduce="add"/>'
    found = read(NEURON.format(more="", dynamics=dynamics) + network, tmp_path, "pop")
    assert found.inputs == {"iSyn": "where(t >= 0 and t < 1, 1, 0)"}
    assert any("line 9: iSyn, the sum of what is attached, is an input" in line for line in found.report)
    fails(
        NEURON.format(more="", dynamics=dynamics) + network.replace("pop/1/", "pop/2/"),
        tmp_path,
        "has 2 neurons",
        "pop",
    )


def test_files_include_others(tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "types.xml").write_text(
        '<Lems><Include file="../given.nml"/>' + NEURON.format(dynamics=LEAK, more="") + "</Lems>"
    )
    found = read(
        '<include href="part/types.xml"/><neuron id="b" extends="cell" tau="5ms"/>', tmp_path, "b", ".nml", "neuroml"
    )
    assert dict(found.model.parameters) == {"tau": 5.0, "thresh": 10.0}
    for name in ("/etc/passwd", "C:\\x.xml", "http://a/b.xml"):
        fails(f'<Include file="{name}"/>', tmp_path, "line 1: .* is included, and only files beside this one are read")
    fails('<Include file="missing.xml"/>', tmp_path, "line 1: no file .*missing", error=ModelNotFoundError)
    fails('<Include file="."/>', tmp_path, "line 1: no file", error=ModelNotFoundError)
    fails("<Include/>", tmp_path, "line 1: <Include> names no file")


@pytest.mark.parametrize(
    ("dynamics", "match"),
    [
        ('\n<KineticScheme name="k" nodes="a" edges="b"/>', "line 10: <KineticScheme> is not read: write its states"),
        ('<OnEvent port="in"><StateAssignment variable="v" value="0"/></OnEvent>', "line 9: <OnEvent> is not read"),
        ("<TimeDerivate/>", "line 9: <TimeDerivate> is not read: .*did you mean 'TimeDerivative'"),
        ('<TimeDerivative variable="x" value="1"/>', "line 9: 'x' is no state"),
        ('<TimeDerivative variable="v" value="w / tau"/>', "line 9: 'w / tau', column 1: nothing is called 'w'"),
        ('<TimeDerivative variable="v" value="sim(v) / tau"/>', "line 9: .*no function 'sim'; did you mean 'sin'"),
        ('<TimeDerivative variable="v" value="random(1) * v / tau"/>', r"line 9: .*random\(\) is not read: .*with_noise"),
        ('<TimeDerivative variable="v" value="v"/>', "line 9: TimeDerivative of v, .*is in mV .*and mV/ms is due"),
        ('<TimeDerivative variable="v" value="exp(v) / tau"/>', r"line 9: .*exp\(\) takes a plain number"),
        (LEAK + LEAK, "line 9: 'v' has a second TimeDerivative"),
        ('<DerivedVariable name="v" value="1"/>', "line 9: 'v' is declared twice"),
        ('<DerivedVariable name="d" dimension="volts" value="1"/>', "line 9: no dimension 'volts'; did you mean 'voltage'"),
        ('<DerivedVariable name="d"/>', "line 9: .* has a value, a select or Cases"),
        ('<DerivedVariable name="d" select="gates[*]/q" reduce="add"/>', "line 9: .*neuron has no 'gates'"),
        ('<DerivedVariable name="d" select="x[a=1]/q" reduce="add"/>', "line 9: .* is not read; write a path"),
        ('<DerivedVariable name="d" select="synapses[*]/i" reduce="max"/>', "line 9: reduce='max' is not read"),
        (
            '<ConditionalDerivedVariable name="d"><Case condition="v .gt. 0" value="1"/></ConditionalDerivedVariable>',
            "line 9: 'd' has no value where none of its conditions holds",
        ),
        ('<OnCondition test="v"><EventOut port="spike"/></OnCondition>', "line 9: 'v': a condition such as"),
        ('<OnCondition test="v .gt. 1"><EventOut port="spike"/></OnCondition>', "line 9: .*different units"),
        (
            '<OnCondition test="v .gt. thresh"><StateAssignment variable="tau" value="tau"/></OnCondition>',
            "line 9: 'tau' is no state, so nothing is assigned",
        ),
        (
            '<OnCondition test="v .gt. thresh"><EventOut port="spike"/></OnCondition>'
            '\n<OnCondition test="v .lt. thresh"><EventOut port="spike"/></OnCondition>',
            "line 10: a second condition sends a spike",
        ),
        (
            '<OnCondition test="v .lt. thresh"><StateAssignment variable="v" value="0"/></OnCondition>'
            '\n<OnCondition test="v .gt. thresh"><EventOut port="spike"/></OnCondition>',
            "line 10: the OnCondition that sends a spike comes after that at .*line 9, and both concern v",
        ),
        ('<OnCondition test="v .gt. thresh"><Transition regime="a"/></OnCondition>', "line 9: a <Transition> stands outside"),
        ('<Regime name="a"/>', "line 9: 0 regimes are initial"),
        ('<OnStart><StateAssignment variable="v" value="5"/></OnStart>', "line 9: OnStart, v.*is in 1, and mV is due"),
        (
            '<StateVariable name="x" dimension="voltage"/><OnStart><StateAssignment variable="v" value="x"/>'
            '<StateAssignment variable="x" value="thresh"/></OnStart>',
            "line 9: the value of v at the start reads x, which is assigned later",
        ),
        ('<OnStart><EventOut port="spike"/></OnStart>', "line 9: <EventOut> is not read: an event is sent by an OnCondition"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named_with_its_line(dynamics, match, tmp_path):
    fails_in(dynamics, tmp_path, match)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('\n<cell id="c"><morphology id="m"/></cell>', "line 2: <cell> is not read: it has a morphology"),
        ('<pinskyRinzelCA3Cell id="c"/>', "line 1: .* is not read: the core declares its Sisat twice"),
        ('<iafCell id="c"/>', "line 1: <iafCell> has no 'C'; give it a value of dimension capacitance"),
        ('<fitzHughNagumoCell id="c" I="1mV"/>', "line 1: '1mV' is of dimension voltage; a value in 1,"),
        ('<fitzHughNagumoCell id="c" I="1" J="1"/>', "line 1: .*no parameter 'J' .parameters: I"),
        ('<fitzHughNagumoCell id="c" I="one"/>', "line 1: 'one' is no number with a unit"),
        (
            '<fitzHughNagumoCell id="c" I="1"><morphology/></fitzHughNagumoCell>',
            "line 1: <morphology> is not read within",
        ),
        ('<iafTauCell id="c" leakReversal="1" thresh="1mV" reset="1mV" tau="1ms"/>', "line 1: '1' has no unit"),
        (
            '<iafTauCell id="c" leakReversal="1mv" thresh="1mV" reset="1mV" tau="1ms"/>',
            "no unit 'mv'; did you mean 'mV'",
        ),
        (
            '<Component id="c" type="izhikevich"/>',
            "line 1: no component type 'izhikevich'; did you mean 'izhikevichCell'",
        ),
        ('<pulseGenerator id="c"/>', "line 1: <pulseGenerator> is not read: it is an input"),
        ('<a id="c"/><b id="c"/>', "line 1: id 'c' stands at .*line 1 too"),
        ('<ComponentType name="a" extends="b"/><ComponentType name="b" extends="a"/><a id="c"/>', "in a circle"),
        ('<Dimension name="d" m="x"/>', "line 1: m='x' is no whole number"),
        ('<Unit symbol="u" dimension="voltag"/>', "line 1: no dimension 'voltag'; did you mean 'voltage'"),
        ('<Unit symbol="mV" dimension="voltage" power="3"/>', "line 1: Unit 'mV' is known as something else"),
        ("", "holds no component with Dynamics"),
        ('<fitzHughNagumoCell id="c" I="1e400"/>', "line 1: a value is too large or too small to be a number in 1"),
        ('<fitzHughNagumoCell id="c" I="1e-400"/>', "line 1: a value is too large or too small to be a number in 1"),
        (
            '<fitzHughNagumoCell id="c" I="1"/><Simulation id="s" step="1e999s" length="1s" target="c"/>',
            "line 1: a value is too large or too small to be a number in ms",
        ),
    ],
)
def test_what_a_file_lacks_is_named(text, match, tmp_path):
    fails(text, tmp_path, match, error=IzhigenError)


def test_names_are_found_or_suggested(tmp_path):
    text = '<fitzHughNagumoCell id="fn1" I="0.8"/><fitzHughNagumoCell id="fn2" I="0.8"/>'
    fails(text, tmp_path, r"several models \(fn1, fn2\); name one as", error=ModelNotFoundError)
    fails(text, tmp_path, "'fn3'; did you mean 'fn", "fn3", ModelNotFoundError)
    assert read(text, tmp_path, "fn2").model.name == "fn2"
    assert iz.load(f"{tmp_path / 'given.xml'}:fn1").parameters["SEC"] == 1000.0
