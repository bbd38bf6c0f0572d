"""Brian2's strings: what each construct becomes, and what is refused, with its place."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import izhigen as iz
from izhigen import Model
from izhigen.errors import EquationError, IzhigenError, ModelError
from izhigen.importers import brian2
from izhigen.importers.brian2_passages import Passage, read_unit
from izhigen.importers.brian2_units import unit_named
from izhigen.importers.coherent import coherent
from izhigen.model.lines import bind_lines
from izhigen.model.unit_checks import check_units
from izhigen.units.dimensions import unit_of_text

NAMESPACE = {"tau": "10*ms", "v_t": "-50*mV", "v_r": "-65*mV", "R": "100*Mohm"}
LEAK = "dv/dt = (v_r - v + R*I)/tau : volt\nI : amp"


def read(equations=LEAK, threshold="v > v_t", reset="v = v_r", refractory=False, namespace=NAMESPACE, **more):
    return brian2.read(equations, threshold, reset, refractory, namespace, kind=Model, **more)


def right_side(expression, unit="1", **more):
    """What the right side of a line becomes."""
    found = read(f"{LEAK}\nx = {expression} : {unit}", **more).model
    return next(e.expression.text for e in found.equations if e.name == "x")


# -- units ------------------------------------------------------------------------------------------------------------


def test_every_unit_of_brian2_is_known():
    namespace = pytest.importorskip("brian2.core.namespace", exc_type=Exception, reason="Brian2 does not work here")
    order = (1, 0, 2, 3, 4, 5)
    for name, unit in namespace.DEFAULT_UNITS.items():
        exponents = unit.dim._dims
        if exponents[6] or "cand" in name or "lu" in name:
            assert unit_named(name) is None
            continue
        found = unit_named(name)
        assert found.scale == pytest.approx(np.log10(float(unit)))
        assert found.exponents == tuple(Fraction(exponents[place]) for place in order)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("10*ms", 10.0, "ms"),
        ("-0.5*nA", -500.0, "pA"),
        ("2*usiemens", 2000.0, "nS"),
        ("1*ufarad/cm**2*20000*um2", 200.0, "pF"),
        ("100*msiemens*cm**-2", 100.0, "mS/cm**2"),
        ("1*ufarad/cm**2", 1.0, "uF/cm**2"),
        ("35.4*ohm*cm", 3.54e-5, "Gohm*10*um"),
        ("3*Mohm", 0.003, "Gohm"),
        ("0.02/ms", 0.02, "1/ms"),
        ("5*Hz", 0.005, "1/ms"),
        ("0.7*pA/mV**2", 0.7, "pA/mV**2"),
        ("2*umolar", 0.002, "mM"),
        ("3*pcoulomb", 3000.0, "fC"),
        ("1e-3", 0.001, "1"),
        ("twice*4*mV", 8.0, "mV"),
        ("0.3*mV/ms**0.5", 0.3, "mV/ms**(1/2)"),
        ("volt*second**-0.5", 31.622776601683793, "mV/ms**(1/2)"),
        ("(2*volt/second)**0.5*twice", 2 * 2**0.5, "mV**(1/2)/ms**(1/2)"),
        ("second**0.2", 1000**0.2, "ms**(1/5)"),
        ("3*metre**-.5", 0.03 / 10**0.5, "1/10**(1/2)/um**(1/2)"),
    ],
)
def test_values_of_the_namespace(text, value, unit):
    model = read("dx/dt = 0*y/y/ms : 1", None, None, namespace={"y": text, "twice": 2, "unused": object()}).model
    assert model.parameters["y"] == pytest.approx(value, rel=1e-15)
    assert unit_of_text(model.units["y"]) == unit_of_text(unit)
    assert "unused" not in model.parameters


def test_quantities_of_libraries():
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    model = read(namespace={**NAMESPACE, "tau": 0.02 * registry.second, "R": 50 * registry.megaohm}).model
    assert model.parameters["tau"] == pytest.approx(20.0, rel=1e-15)
    assert model.parameters["R"] == pytest.approx(0.05, rel=1e-15)
    rates = {"s": 0.3 * registry.volt / registry.second**0.5, "tau": 0.5 * registry.minute}
    model = read("dv/dt = -v/tau + s*xi : volt", None, None, namespace=rates).model
    assert model.parameters["s"] == float(Decimal("0.3") * Decimal(1000).sqrt()) and model.units["s"] == "mV/ms**(1/2)"
    assert model.parameters["tau"] == 30_000.0


def test_quantities_of_brian2_and_a_scripts_locals():
    b2 = pytest.importorskip("brian2", exc_type=Exception, reason="Brian2 does not work here")
    script = {**vars(b2), "tau": 10 * b2.ms, "v_t": -50 * b2.mV, "v_r": -65 * b2.mV, "R": 100 * b2.Mohm}
    model = read("dv/dt = (v_r - v + R*I + 2*pi*mV)/tau : volt\nI : amp", namespace=script).model
    assert model.parameters == {"tau": 10.0, "v_r": -65.0, "R": 0.1, "v_t": -50.0, "I": 0.0, "mV": 1.0}


# -- constructs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "unit", "becomes"),
    [
        ("v/mV", "1", "v/mV"),
        ("0.5*usiemens", "siemens", "500*nS"),
        ("1/(20*ms)", "Hz", "0.05/ms"),
        ("120*msiemens/cm**2", "siemens/metre**2", "1.2*nS/um**2"),
        ("int(v > v_t)", "1", "where(v > v_t, 1, 0)"),
        ("int(v/mV)", "1", "sign(v/mV)*floor(abs(v/mV))"),
        ("ceil(v/mV)", "1", "-floor(-(v/mV))"),
        ("v % (3*mV)", "volt", "v - 3*mV*floor(v/(3*mV))"),
        ("v // (3*mV)", "1", "floor(v/(3*mV))"),
        ("log10(v/mV)", "1", "log(v/mV)/log(10)"),
        ("clip(v, -inf*mV, 0*mV)", "volt", "min(v, 0)"),
        ("clip(v, 1*mV, inf*volt)", "volt", "max(v, mV)"),
        ("clip(v, 1*mV, 2*mV)", "volt", "clip(v, mV, 2*mV)"),
        ("sqrt(v*v)", "volt", "sqrt(v*v)"),
        ("(v*v)**.5", "volt", "(v*v)**0.5"),
        ("exprel(v/(4*mV))", "1", "exprel(v/(4*mV))"),
        ("int(v > v_t and not (I > 0*amp or v < v_r))", "1", "where(v > v_t and not (I > 0 or v < v_r), 1, 0)"),
        ("int(-1 < v/mV <= 2)", "1", "where(-1 < v/mV and v/mV <= 2, 1, 0)"),
        ("t_in_timesteps", "1", "floor(t/dt + 0.5)"),
        ("timestep(tau, dt)", "1", "sign(tau/dt + 0.001)*floor(abs(tau/dt + 0.001))"),
        ("lastspike", "second", "t_last_spike"),
        ("sin(2*pi*10*Hz*t)", "1", "sin(2*pi*10*(0.001/ms)*t)"),
        ("e*1", "1", "exp(1)*1"),
        ("2**3 - 7 % 4 + 7//2", "1", "8"),
        ("-v**2/v - (-v)", "volt", "-v**2/v - -v"),
    ],
)
def test_what_an_expression_becomes(written, unit, becomes):
    assert right_side(written, unit) == becomes


def test_booleans_are_numbers():
    model = read(
        f"{LEAK}\nis_high = v/mV > 0.5 : boolean\non : boolean\nx = int(is_high and on) : 1",
        "v > v_t and on",
        "v = v_r; on = v > v_r or not is_high",
        initial={"on": "True"},
    ).model
    lines = {e.name: e.expression.text for e in model.equations}
    assert lines["is_high"] == "where(v/mV > 0.5, 1, 0)"
    assert lines["x"] == "where(is_high > 0.5 and on > 0.5, 1, 0)"
    assert model.threshold.text == "v > v_t and on > 0.5"
    assert model.states == ("v", "on") or set(model.states) == {"v", "on"}
    assert model.initial["on"].text == "1"
    assert {a.state: a.expression.text for a in model.reset}["on"] == (
        "where(v_r > v_r or not where(v_r/mV > 0.5, 1, 0) > 0.5, 1, 0)"
    )


def test_lines_go_on_until_their_unit():
    model = read("dv/dt = (v_r  # rest\n   - v +\n\n R*I)/tau : volt # and so on\nI : amp (constant, shared)").model
    assert str(model.equations[0]) == "dv/dt = (v_r - v + R*I)/tau : mV"


def test_statements_of_a_reset_follow_one_another():
    equations = f"{LEAK}\ndw/dt = -w/tau : volt\nsum_of = v + w : volt\nn_spikes : integer"
    found = read(
        equations,
        reset="tmp = 2*v\nv = v_r  # down\nw += 0.5*v\n  w *= 2; w += tmp + sum_of\nn_spikes += 1",
        initial={},
    )
    reset = {a.state: a.expression.text for a in found.model.reset}
    assert reset == {
        "v": "v_r",
        "w": "(w + 0.5*v_r)*2 + (2*v + (v_r + (w + 0.5*v_r)*2))",
        "n_spikes": "n_spikes + 1",
    }
    assert set(found.model.states) == {"v", "w", "n_spikes"}
    assert any("n_spikes is a state" in line for line in found.report)
    assert "reset: tmp is a name of its statements alone" in found.report


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("divisor", [3, 7, 49, 100])
def test_whole_parts_of_whole_numbers_are_not_rounded(divisor, dtype):
    """(n + 1)/3 is computed as n/3 + 1/3, which is less than 2 at n = 5."""
    reset = f"n += 1; k = n // {divisor}; left = n % {divisor}"
    model = read("dv/dt = 1*Hz : 1\nn : integer\nk : integer\nleft : integer", "v > -1", reset, initial={}).model
    found = model.population(1, dt=0.1, dtype=dtype).run(steps=600, record=["k", "left"])
    count = np.arange(1, 601)
    assert (found["k"][:, 0] == count // divisor).all() and (found["left"][:, 0] == count % divisor).all()


def test_integers_take_whole_numbers():
    equations = f"{LEAK}\nn : integer\nk : integer\non : boolean\nhalf = n/2 : integer"
    whole = "n += 2*k - int(v > v_t); k = int(v/v_r) + n % 3 + abs(n // 2)*clip(k, 0, 3); n = -n + ceil(v/v_r)"
    model = read(equations, reset=whole, initial={"n": "3", "k": "int(2.5)"}).model
    assert {"n", "k"} <= set(model.states)
    for value in ("2.5", "n/2", "k**2", "v/v_r", "half", "0.5*n", "sqrt(n)"):
        with pytest.raises(EquationError, match=r"reset, column 5: 'n' is an integer, .* write int"):
            read(equations, reset=f"k=1;n = {value}")
    for given in ({"initial": {"n": "2.5"}}, {"initial": {"n": 2.5}}, {"namespace": {**NAMESPACE, "n": "5/2"}}):
        with pytest.raises(ModelError, match="n is declared as an integer"):
            read(equations, **given)


def test_noise():
    tau = "dx/dt = -x/tau + sigma*sqrt(2/tau)*xi : 1"
    model = read(tau, None, None, namespace={"tau": "20*ms", "sigma": 0.5}).model
    assert model.noise[0].amplitude.text == "sigma*sqrt(2/tau)"
    pop = model.population(4000, dt=0.5, seed=1)
    pop.run(200.0)
    assert pop.x.std() == pytest.approx(0.5, rel=0.05)


def test_noise_of_several_names_and_units():
    equations = """
    dv/dt = -v/tau + (39.24*mV/ms**0.5)*xi_1 - s*xi_2/2 : volt
    dw/dt = (-w + k*xi_3*w)/tau : 1
    s : volt*second**-.5
    """
    found = read(equations, None, None, namespace={"tau": "20*ms", "k": "3*ms**.5", "s": "2*mV/ms**.5"})
    noise = {term.state: term.amplitude.text for term in found.model.noise}
    assert noise["v"] == "sqrt((39.24*mV/ms**0.5)**2 + (-(s/2))**2)"
    assert noise["w"] == "k*w/tau"
    assert found.model.units["s"] == "mV/ms**(1/2)" and found.model.units["k"] == "ms**(1/2)"
    assert found.model.parameters["s"] == pytest.approx(2.0)
    assert any("Ito" in line for line in found.report)
    assert any("independent" in line for line in found.report)


def test_units_to_broken_powers_may_be_anywhere():
    """A state that only the reset changes, a line, an input and a state with an equation; their numbers, too."""
    found = read(
        """
        dv/dt = -v/tau + (level + given)/second**.5 : volt
        dr/dt = -r/tau : second**-.5
        s : volt*second**-0.5
        level = 2*s + r*mV : volt*second**-0.5
        given : volt*second**-0.5
        """,
        "v > 10*mV",
        "s *= 2; v = 0*mV",
        inputs=["given"],
        initial={"s": "1*volt*second**-0.5", "r": "3*ms**-0.5", "v": "1*mV"},
    )
    model = found.model
    assert str(model.equations[2]) == "ds/dt = 0 : mV/ms**(1/2)"
    assert str(model.equations[3]) == "level = 2*s + r*mV : mV/ms**(1/2)"
    assert model.units["given"] == "mV/ms**(1/2)"
    assert "given is an input in mV/ms**(1/2), held during a step" in found.report
    check_units(model, strict=True)
    pop = model.population(1, dt=0.1, dtype="float64")
    assert (pop.s[0], pop.r[0]) == (pytest.approx(1000**0.5, rel=1e-15), 3.0)
    pop.run(0.1, given=0.5 * 1000**0.5)
    slope = -1 / 10 + (2 * 1000**0.5 + 3 + 0.5 * 1000**0.5) / 1000**0.5
    assert pop.v[0] == pytest.approx(1 + 0.1 * slope, abs=2e-3)
    spikes = pop.run(20.0).counts[0]
    assert spikes > 0 and pop.s[0] == pytest.approx(2.0**spikes * 1000**0.5)


def test_inputs_of_every_kind():
    found = read(
        "dv/dt = (v_r - v + R*(I + stimulus(t) + held + J(t, i)))/tau : volt\nI : amp\nheld = 2*I : amp (constant over dt)",
        inputs={"I": None, "stimulus": "pA", "held": "amp", "J": "amp"},
    )
    assert found.model.inputs == ("I", "stimulus", "held", "J")
    assert found.model.units["stimulus"] == "pA"
    assert str(found.model.equations[0]) == "dv/dt = (v_r - v + R*(I + stimulus + held + J))/tau : mV"
    pop = found.model.population(2, dt=0.1)
    assert pop.run(100.0, I=100.0, stimulus=50.0, held=[10.0, 40.0]).counts[1] > 0


def test_a_line_that_is_constant_over_a_step():
    """By RK4 it is what it was at the step's start, and a model without the flag goes elsewhere."""
    flagged = read("dv/dt = a/ms : 1\na = -v + int(t > 5*ms) : 1 (constant over dt)", None, None)
    plain = read("dv/dt = a/ms : 1\na = -v + int(t > 5*ms) : 1", None, None)
    assert any("held" in line for line in flagged.report)
    values = []
    for found in (flagged, plain):
        pop = found.model.population(1, dt=0.1, method="rk4", dtype="float64", v=1.0)
        pop.run(steps=10)
        values.append(pop.v[0])
    assert values[0] == pytest.approx(0.9**10, rel=1e-12)
    assert values[1] == pytest.approx(np.exp(-1.0), rel=1e-5)
    assert read("dv/dt = a*b/ms : 1\nb : 1\na = -2*b : 1 (constant over dt)", None, None).model.inputs == ()


EXPRESSIONS = [
    ("int(v/mV)", "1"),
    ("ceil(v/mV) + floor(v/mV)/7", "1"),
    ("v % (3*mV)", "volt"),
    ("(-v) % (3*mV)", "volt"),
    ("v // (3*mV)", "1"),
    ("clip(v, -3*mV, inf*mV) + clip(v, -inf*mV, 2*mV)", "volt"),
    ("clip(v, -3*mV, 4*mV)*sign(v)", "volt"),
    ("log10(abs(v)/mV + 1) + log1p(abs(v)/volt) + expm1(v/volt)", "1"),
    ("exprel(v/(4*mV))/ms", "Hz"),
    ("int(-2*mV < v and v <= 3*mV and not v == 0*mV or v > 6*mV)", "1"),
    ("sqrt(abs(v)*mV)**3/mV**2", "volt"),
    ("0.3*msiemens/cm**2*(v - 2*mV)/(1*uamp/cm**2) + (v/mV)**-2", "1"),
    ("2*pi*v*e**(v/(10*mV))", "volt"),
    ("int(is_low)*3 + int(not is_low)", "1"),
    ("timestep(v*second/volt, 0.7*ms)", "1"),
]


@pytest.mark.parametrize(("text", "unit"), EXPRESSIONS)
def test_expressions_have_brian2s_values(text, unit):
    b2 = pytest.importorskip("brian2", exc_type=Exception, reason="Brian2 does not work here")
    b2.prefs.codegen.target = "numpy"
    values = np.array([-7.31, -3.0, -0.51, 0.25, 2.9, 3.0, 6.02])
    equations = f"v : volt\nis_low = v < 1*mV : boolean\nx = {text} : {unit}\ndz/dt = 0/ms : 1"
    group = b2.NeuronGroup(len(values), equations)
    group.v = values * b2.mV
    model = read(equations, None, None).model
    scale = coherent(read_unit(Passage(unit, "unit"))).scale
    found = bind_lines(model, {**model.parameters, "v": values}, ["x"])["x"]
    np.testing.assert_allclose(found, np.asarray(group.x[:]) / 10.0**scale, rtol=1e-12)


def test_brian2_reads_them_the_same_way():
    """Lines that are constant over a step, and lastspike, in threshold, reset and condition too."""
    b2 = pytest.importorskip("brian2", exc_type=Exception, reason="Brian2 does not work here")
    b2.prefs.codegen.target = "numpy"
    equations = """
    dv/dt = (E - v + g)/(10*ms) : 1 (unless refractory)
    dw/dt = (v - w)/(7*ms)*int(not_refractory) - 0.02*(t - lastspike)/ms/second*int(t > 30*ms) : 1
    g = 0.3*w*v : 1 (constant over dt)
    half = 0.5*g : 1 (constant over dt)
    since = (t - lastspike)/ms : 1
    E : 1
    """
    threshold, refractory = "v > 1 + 0.05*g", "half > 0.1 and v > -1 and t - lastspike < 3*ms"
    reset = "w += 0.1*v + half; v = 0.2*g; u = since; w -= 0.01*u"
    drives = [0.9, 1.2, 1.7, 4.0]
    for method in ("euler", "rk4"):
        group = b2.NeuronGroup(4, equations, method, threshold=threshold, reset=reset, refractory=refractory)
        group.E = drives
        spikes = b2.SpikeMonitor(group)
        b2.Network(group, spikes).run(150 * b2.ms)
        steps = np.round(np.asarray(spikes.t) / 1e-4).astype(int)
        order = np.lexsort((spikes.i, steps))
        model = iz.from_brian2(equations, threshold, reset, refractory)
        pop = model.population(4, dt=0.1, method=method, dtype="float64", E=drives)
        times, neurons = pop.run(150.0).spikes
        assert len(times) > 40
        np.testing.assert_array_equal(np.round(times / 0.1).astype(int) - 1, steps[order])
        np.testing.assert_array_equal(neurons, np.asarray(spikes.i)[order])


# -- refractoriness ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("dt", [0.1, 0.025, 0.5, 0.3, 0.01, 1 / 3])
def test_as_many_steps_are_held_as_in_brian2(dt, dtype):
    """A neuron that spikes in every step when it may: intervals are ``timestep(period, dt)`` steps, at least one."""
    equations = "dv/dt = 1/ms : 1 (unless refractory)"
    model = read(equations, "v > 0", "v = 0", "0*ms", {}).model
    periods = np.array([0.0, 0.05, 0.1, 0.2995, 0.3, 0.5, 2 / 3, 1.0, 2.0, 2.05, 3.0, 5.03])
    pop = model.population(len(periods), dt=dt, dtype=dtype, refractory_period=periods)
    times, neurons = pop.run(steps=int(40 / dt)).spikes
    for neuron, period in enumerate(periods):
        steps = np.diff(np.round(times[neurons == neuron] / dt))
        assert set(steps) == {max(int((period + 1e-3 * dt) / dt), 1)}, period


def test_refractory_may_be_many_things():
    assert "v < v_t" in str(read(refractory="v > v_t - 5*mV and v < v_t").model.refractory)
    assert read(refractory=2.5).model.parameters["refractory_period"] == 2.5
    assert read(refractory="2*tau").model.refractory.until.text.endswith("floor(20*ms/dt + 0.001)") is False
    named = read(refractory="rest", namespace={**NAMESPACE, "rest": "3*ms"}).model
    assert named.parameters["rest"] == 3.0
    assert "refractory_period" not in named.parameters
    assert read(refractory=False).model.refractory is None
    flagged = read(LEAK.replace(": volt", ": volt (unless refractory)"))
    assert flagged.model.refractory is None
    assert any("no effect" in line for line in flagged.report)
    with pytest.raises(ModelError, match="may begin again"):
        read(refractory="tau*v/mV")
    with pytest.raises(ModelError, match="nA|pA"):
        read(refractory="3*nA")
    with pytest.raises(ModelError, match="neither a time nor a condition"):
        read(refractory=True)
    with pytest.raises(ModelError, match="no threshold"):
        read(threshold=None, reset=None, refractory="2*ms")
    with pytest.raises(ModelError, match="right after the reset"):
        read(LEAK.replace(": volt", ": volt (unless refractory)"), reset="v = v_t + 1*mV", refractory="2*ms")


def test_a_refractory_neuron_is_silent_whatever_the_threshold_reads():
    equations = "dv/dt = (2 - v)/tau : 1 (unless refractory)\ntwice = 2*v : 1\nn : integer"
    kept = read(equations, "twice > 1", "n += 1", refractory="3*ms", namespace={"tau": "10*ms"}, initial={}).model
    pop = kept.population(1, dt=0.5, method="euler", dtype="float64", backend="numpy")
    steps = np.flatnonzero(pop.run(40.0, record=["spike"])["spike"][:, 0])
    assert len(steps) > 3 and (np.diff(steps) == 6).all()
    for threshold in ("v > 0.6", "twice > 1.2"):
        with pytest.raises(ModelError, match=f"threshold '{threshold}' holds right after the reset"):
            read(equations, threshold, "v = 1", refractory="3*ms", namespace={"tau": "10*ms"}, initial={})


def test_a_held_state_rests_in_every_stage():
    """What goes on reads the held state; by RK4 too it sees one value in a step."""
    equations = "dv/dt = 10/ms : 1 (unless refractory)\ndw/dt = v/ms : 1"
    found = read(equations, "v > 5", "v = 1; w = 0", "10*ms", {})
    assert any("not_refractory" in line for line in found.report)
    pop = found.model.population(1, dt=0.1, method="rk4", dtype="float64")
    recording = pop.run(10.0, record=["w", "spike"])
    start = np.flatnonzero(recording["spike"][:, 0])[0]
    np.testing.assert_allclose(recording["w"][start : start + 30, 0], 0.1 * np.arange(30), rtol=1e-12)


# -- initial values ---------------------------------------------------------------------------------------------------


def test_initial_values():
    model = read(
        f"{LEAK}\ndw/dt = -w/tau : volt\nhalf = 0.5*v : volt",
        initial={"v": "-70*mV", "w": "half + v_r", "I": "0.2*nA"},
    ).model
    assert {name: value.text for name, value in model.initial.items()} == {"v": "-70*mV", "w": "0.5*v + v_r"}
    assert model.parameters["I"] == 200.0
    assert model.population(1).w[0] == -100.0
    with pytest.raises(ModelError, match="no variable 'V'; did you mean 'v'"):
        read(initial={"V": 1})
    with pytest.raises(ModelError, match="initial value of v is in 1, and mV is due"):
        read(initial={"v": -70.0})


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("v + 1", "line 3, equation x, column 5: the terms beside [+] have different units, mV and 1"),
        ("exp(v)", "column 9: exp.* takes a plain number"),
        ("rand()", "draws in every step"),
        ("randn()*2", "column 5: randn"),
        ("poisson(1)", "iz.inputs.poisson"),
        ("arctan(1)", "arctan"),
        ("stim(t)", "unknown function 'stim'.*inputs="),
        ("i*1", "'i', the number of a neuron"),
        ("N*1", "'N', the number of neurons"),
        ("xi*sqrt(ms)", "xi is noise"),
        ("wrong", "undefined name 'wrong'"),
        ("v_", "did you mean 'v"),
        ("mvv", "undefined name 'mvv'"),
        ("v > v_t", "a condition stands where"),
        ("(v > v_t)*2", "write int"),
        ("v ^ 2", "write '[*][*]'"),
        ("v if v else v", "int"),
        ("v.real", "attributes"),
        ("[1]", "List is not part"),
        ("inf", "inf"),
        ("1/0", "division by zero"),
        ("9**9**9", "exponent"),
        ("(10**60)**60", "too large"),
        ("2 +", "not a valid expression"),
        ("", "missing"),
        ("v == int(v)", "plain number"),
        ("floor(v)", "plain number"),
        ("v//2", "different units"),
        ("not_refractory*1", "write int"),
        ("'text'", "not a real number"),
        ("1j", "not a real number"),
        ("1e999", "too large"),
        ("exp(1, 2)", "takes 1 argument, 2 given"),
        ("exp(x=1)", "plain arguments"),
        ("__import__('os')", "unknown function"),
        ("v\u00b5", "not part of the language"),
    ],
)
def test_expressions_that_are_refused(expression, message):
    with pytest.raises((EquationError, ModelError), match=message):
        read(f"{LEAK}\nx = {expression} : 1")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("dw/dt = -w/tau : 1 (event-driven)", "line 3, .*event-driven.*synapses"),
        ("x = v : volt (summed)", "summed"),
        ("x : 1 (unless refractory)", "no flag of a parameter"),
        ("x : 1 (linked)", "inputs="),
        ("x : mV", "base units"),
        ("x : furlong", "unknown unit 'furlong'"),
        ("x : 2", "line 3.*not a unit"),
        ("x = v", "a unit is missing"),
        ("x = v\ny = 2*v : volt", "line 3, equation x.*unit is missing|line 4, equation x.*unit is missing"),
        ("x = v\ny : volt", "unit is missing"),
        ("x = v :", "a unit is missing"),
        ("x : 1 (constant", "no unit with flags"),
        ("v : 1", "defined twice"),
        ("t : 1", "meaning of its own"),
        ("mV : 1", "name of a unit"),
        ("not_refractory : boolean", "meaning of its own"),
        ("dx/dy = 1 : 1", "expected"),
        ("dx/dt : 1", "derivative is missing"),
        ("nonsense", "expected"),
        ("dw/dt = v : volt", "right side is in mV, and mV/ms is due"),
        ("dw/dt = xi*xi : 1", "stands elsewhere|different|due"),
        ("dw/dt = sqrt(xi*xi) : 1", "due|stands elsewhere"),
        ("dw/dt = exp(xi*sqrt(ms))/ms : 1", "noise enters as a term"),
        ("dw/dt = xi/sqrt(ms) : 1\ndz/dt = xi/sqrt(ms) : 1", "independent noise"),
        ("x = y : 1\ny = x : 1", "cyclic"),
        ("size : 1", "clashes"),
        ("dw/dt = not_refractory/ms : 1", "write int"),
        ("dw/dt = int(not_refractory)/ms : 1", "no refractory="),
        ("dw/dt = 1/ms : volt**.5", "right side is in 1/ms, and mV[*][*][(]1/2[)]/ms is due"),
        ("dw/dt = -w/ms : volt**.333", "a power is a whole number up to 100, or two"),
        ("x : volt**99", "exponent"),
        ("x : siemns/metre**2", "unknown unit 'siemns'; did you mean 'siemens'"),
    ],
)
def test_lines_that_are_refused(lines, message):
    with pytest.raises((EquationError, ModelError), match=message):
        read(f"{LEAK}\n{lines}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": "v"}, "condition is due"),
        ({"threshold": "lambda: 1"}, "Lambda"),
        ({"threshold": 5}, "text is expected"),
        ({"threshold": "v > 1"}, "threshold, column 5"),
        ({"threshold": "rand() < 0.1"}, "rand"),
        ({"reset": "v = v_r*int(not_refractory)"}, "in equations only"),
        (
            {"reset": "v = v_r*x", "equations": f"{LEAK}\nx = int(not_refractory) : 1", "refractory": "1*ms"},
            "depends on",
        ),
        ({"reset": "v == v_r"}, "expected assignments"),
        ({"reset": "if v: v = 1"}, "expected assignments"),
        ({"reset": "v = 1"}, "'v' is in mV"),
        ({"reset": "v_r = v"}, "constant"),
        ({"reset": "v = v_r; i = 2"}, "'i' is a constant"),
        ({"reset": "v = v_r; lastspike = 0*ms"}, "column 10: 'lastspike' has a meaning of its own"),
        (
            {"reset": "v = v_r; not_refractory = True", "refractory": "1*ms"},
            "'not_refractory' has a meaning of its own",
        ),
        ({"reset": "v = v_r; xi = 3"}, "'xi' has a meaning of its own"),
        (
            {"reset": "s *= v/mV", "equations": f"{LEAK}\ns : volt*second**-0.5", "initial": {"s": "2*mV"}},
            "initial value of s is in mV, and mV/ms[*][*][(]1/2[)] is due",
        ),
        ({"reset": "v = v_r\nw += 1"}, "line 2, reset.*'w' has no value yet"),
        ({"reset": "a = b = v"}, "expected assignments"),
        ({"reset": "v[0] = v"}, "expected assignments"),
        ({"reset": "import os"}, "expected assignments"),
        ({"reset": "v = v_r\n  v = (v"}, "line 2, reset|not a valid"),
        ({"reset": ["v = 1"]}, "text is expected"),
        ({"namespace": {"tau": "10*furlong", "v_r": "1*mV", "v_t": "1*mV", "R": "1*ohm"}}, "furlong"),
        ({"namespace": {**NAMESPACE, "tau": "tau"}}, "circle"),
        ({"namespace": {**NAMESPACE, "tau": np.arange(3)}}, "tau"),
        ({"namespace": {**NAMESPACE, "tau": float("nan")}}, "tau"),
        ({"namespace": {**NAMESPACE, "tau": lambda t: t}}, "is a function"),
        ({"namespace": {**NAMESPACE, "tau": True}}, "condition stands where a number is due"),
        ({"namespace": {**NAMESPACE, "I": True}}, "I is true or false"),
        ({"namespace": {**NAMESPACE, "tau": None}}, "tau"),
        ({"namespace": {**NAMESPACE, "mV": 3}, "threshold": "v > 3*mV"}, "name of a unit"),
        ({"namespace": 5}, "mapping"),
        ({"namespace": {**NAMESPACE, "I": "5*mV"}}, "declared in pA, and given in mV"),
        ({"inputs": "I"}, "neither a list"),
        ({"inputs": 5}, "neither a list"),
        ({"inputs": [[1]]}, "not a name"),
        ({"inputs": ["v"]}, "so it is a state"),
        ({"inputs": ["other"]}, "give its unit"),
        ({"inputs": {"other": "parsec"}}, "parsec"),
        ({"inputs": {"I": "mV"}}, "declared in pA"),
        ({"inputs": {"other": "nA"}}, "an input comes in pA, not in 'nA'"),
        ({"initial": 3}, "mapping"),
        ({"initial": {"v": "rand()*mV"}}, "rand"),
        ({"initial": {"v": "i*mV"}}, "number of a neuron"),
        ({"equations": 5}, "text is expected"),
        ({"equations": ""}, "no equation found"),
        ({"equations": " \n# nothing\n"}, "no equation found"),
        ({"name": "not a name"}, "not a name"),
    ],
)
def test_arguments_that_are_refused(given, message):
    with pytest.raises((EquationError, ModelError), match=message):
        read(**given)


BOMBS = [
    "x" * 10_000_000,
    "\n" * 10_000_000,
    "(" * 100_000,
    "\n" * 190_000,
    " " * 190_000 + "!",
    "x : 1" + " " * 190_000 + "!",
    "x = 1" + "\n" * 190_000 + "y",
    "".join(f"a{k} : 1\n" for k in range(20_000)),
    "dv/dt = " + "+".join(["v"] * 4_000) + " : 1",
    "dv/dt = " + "(" * 4_000 + "v" + ")" * 4_000 + " : 1",
    "dv/dt = " + "-" * 9_000 + "v : 1",
    "dv/dt = " + "2**" * 3_000 + "v : 1",
    "dv/dt = " + "9" * 5_000 + " : 1",
    "dv/dt = v/ms : 1\n" + "".join(f"a{k} = a{k + 1}*a{k + 1} : 1\n" for k in range(200)) + "a200 = v : 1",
    "d" * 100_000 + "/dt = 1 : 1",
    "d" + " " * 190_000,
    "dv/dt = \ud800 : 1",
    "dv/dt = v\0 : 1",
    "dv/dt = v/ms : 1 (" + "(" * 50_000,
    "dv/dt = v/ms : " + "1*" * 50_000,
    "dv/dt = v/ms : " + "volt**" * 33 + "1",
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_hostile_text_is_refused_at_once(text):
    start = time.perf_counter()
    with pytest.raises(IzhigenError) as caught:
        brian2.read(text, kind=Model)
    assert len(str(caught.value)) < 1000
    assert time.perf_counter() - start < 5.0


@pytest.mark.parametrize(
    "given",
    [
        {"reset": "v += v_r\n" * 5_000},
        {"reset": "w = 2\n" + "w = w*w\n" * 60 + "v = w*mV"},
        {"reset": "w = v\n" + "w = w + w\n" * 60 + "v = w"},
        {"reset": "v = v_r + v\n" * 800},
        {"threshold": "v > " + "(" * 3_000 + "v_t" + ")" * 3_000},
        {"namespace": {**NAMESPACE, "tau": "a0*ms", **{f"a{k}": f"a{k + 1}" for k in range(5_000)}}},
        {"refractory": "not " * 2_000 + "v > v_t"},
        {"inputs": {"stim": "(" * 50_000}},
        {"initial": {"v": "v_r" + "+v_r" * 4_000}},
    ],
    ids=range(9),
)
def test_hostile_arguments_are_refused_at_once(given):
    start = time.perf_counter()
    with pytest.raises(IzhigenError):
        read(**given)
    assert time.perf_counter() - start < 5.0


def test_from_brian2_is_the_same_model():
    model = iz.from_brian2(LEAK, "v > v_t", "v = v_r", "2*ms", NAMESPACE, name="Leak", inputs=["I"])
    assert isinstance(model, Model)
    assert model == read(refractory="2*ms", name="Leak", inputs=["I"]).model
    assert model.population(1, dt=0.1, v=-65.0).run(100.0, I=200.0).counts[0] > 3
