"""NESTML's constructs, each in a neuron written here, and what it becomes; what cannot be said is refused by its line."""

import contextlib
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import izhigen as iz
from izhigen import importers
from izhigen.cli import cli
from izhigen.errors import IzhigenError, ModelError, ModelNotFoundError
from izhigen.importers import nestml
from izhigen.model.unit_checks import check_units
from tests.conftest import ROOT

pytest.importorskip("lark", reason="NESTML's files are read by lark")

LIF = """
# a neuron for the tests
model lif_neuron:
    state:
        V mV = E_L
        left ms = 0 ms    # of the refractory period
        I_syn pA = 0 pA

    equations:
        kernel fast = exp(-t / tau_fast)
        inline leak pA = g_L * (V - E_L)
        I_syn' = -I_syn / tau_slow
        V' = (-leak + I_syn + unit * convolve(fast, exc) +
              I_stim) / C
        left' = -1

    parameters:
        E_L mV = -70 mV
        V_th mV = -0.055 V
        g_L nS = 0.01 uS
        C nF = 0.2 nF
        tau_fast ms = 2 ms
        tau_slow ms = 5 ms
        ref ms = 2 ms

    internals:
        unit pA = 1 pA

    input:
        exc <- excitatory spike
        slow <- spike
        I_stim pA <- continuous

    output:
        spike

    update:
        if left > 0 ms:
            integrate_odes(I_syn, left)
        else:
            integrate_odes(I_syn, V)

    onReceive(slow):
        I_syn += unit * slow * 1 s

    onCondition(left <= 0 ms and V >= V_th):
        left = ref
        V = E_L
        emit_spike()
"""


def read(text, name=""):
    """The import of a text."""
    return nestml.read(textwrap.dedent(text), Path("neuron.nestml"), name, iz.Model)


def neuron(
    *,
    state="",
    equations="V' = -V / tau + I_stim / C",
    parameters="",
    internals="",
    ports="",
    update="integrate_odes()",
    handlers="",
    functions="",
):
    """A neuron of one equation, with blocks of one's own."""
    blocks = {
        "state": f"V mV = 0 mV\n{state}",
        "equations": equations,
        "parameters": f"tau ms = 10 ms\nC pF = 100 pF\n{parameters}",
        "internals": internals,
        "input": f"I_stim pA <- continuous\n{ports}",
        "update": update,
    }
    text = "model test_neuron:\n"
    for block, lines in blocks.items():
        if lines.strip():
            text += f"    {block}:\n{textwrap.indent(textwrap.dedent(lines).strip(), ' ' * 8)}\n"
    for part in (handlers, functions):
        text += textwrap.indent(textwrap.dedent(part), " " * 4)
    return text


def test_a_whole_neuron(tmp_path):
    path = tmp_path / "neuron.nestml"
    path.write_text(LIF)
    model = iz.load(str(path))
    check_units(model, strict=True)
    assert model == iz.load(f"{path}:lif_neuron")
    assert model.inputs == ("I_stim", "exc", "slow")
    assert model.parameters["V_th"] == -55.0 and model.parameters["C"] == 200.0 and model.parameters["g_L"] == 10.0
    assert model.units["C"] == "pF" and model.units["g_L"] == "nS" and model.units["ref"] == "ms"
    equal = iz.Model(
        "lif_neuron",
        """
        leak = g_L*(V - E_L) : pA
        dI_syn/dt = -I_syn/tau_slow : pA
        dV/dt = (1 - left_on)*(-leak + I_syn + unit*fast__X__exc + I_stim)/C : mV
        dleft/dt = -left_on : ms
        dfast__X__exc/dt = -fast__X__exc/tau_fast : 1
        dleft_on/dt = 0 : 1
        """,
        parameters=dict(model.parameters),
        units=dict(model.units),
        strict_units=True,
        inputs=["I_stim"],
        on_event={"exc": "fast__X__exc = fast__X__exc + exc", "slow": "I_syn = I_syn + unit*slow"},
        events={
            "spike": iz.Event(
                "left <= 0 and V >= V_th", "left = ref; V = E_L; left_on = where(ref > 0, 1, 0)", trigger="level"
            ),
            "left_on_ends": iz.Event("left_on > 0.5 and not left > 0", "left_on = 0", trigger="level"),
        },
        initial={"V": "E_L", "left_on": "where(left > 0, 1, 0)"},
        description=model.description,
    )
    runs = [
        m.population(1, dt=0.1, dtype="float64").run(100.0, I_stim=300.0, record=["V"])["V"] for m in (model, equal)
    ]
    np.testing.assert_array_equal(*runs)


@pytest.mark.parametrize("backend", ["c", "numpy"])
@pytest.mark.parametrize(("ref", "steps"), [(2.0, 20), (1.95, 20), (2.05, 21), (0.1, 1), (0.0, 0)])
def test_the_refractory_period_has_the_steps_of_the_file(backend, ref, steps):
    """``left`` falls by dt from the spike on and V is held while it is above 0 at a step's start."""
    model = read(LIF).model
    pop = model.population(1, dt=0.1, dtype="float64", backend=backend, ref=ref)
    run = pop.run(60.0, I_stim=400.0, record=["V", "spike"])
    V, spikes = run["V"][:, 0], run["spike"][:, 0]
    (first, *_) = np.flatnonzero(spikes)
    held = 0
    while V[first + 1 + held] == V[first]:
        held += 1
    assert held == steps


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exponential_alpha_and_delta_kernels(dtype):
    """A spike of weight 3 at 1 ms against the kernels themselves."""
    text = neuron(
        equations="""
        kernel one = exp(-t / tau_e)
        kernel two = e / tau_a * t * exp(-t / tau_a)
        kernel jump = delta(t)
        kernel three' = three$ - three / tau_a, three$' = -three$ / tau_e
        x' = convolve(one, p) / 1 ms
        y' = convolve(two, p) / 1 ms
        z' = convolve(three, p) / 1 ms
        V' = -V / tau + 2 mV * convolve(jump, p) * 1 ms**-1
        """,
        state="x real = 0\ny real = 0\nz real = 0\nthree real = 0.5\nthree$ real = 2",
        parameters="tau_e ms = 3 ms\ntau_a ms = 5 ms",
        ports="p <- spike",
    )
    model = read(text).model
    dt = 0.01
    arriving = np.zeros((2000, 1))
    arriving[99] = 3.0
    names = ["V", "one__X__p", "two__X__p", "three__X__p"]
    run = model.population(1, dt=dt, dtype=dtype, method="rk4").run(20.0, p=arriving, I_stim=0.0, record=names)
    t = np.maximum(run.t - 1.0, 0.0)
    arrived = run.t > 1.0 - dt / 2
    decay_a, decay_e = np.exp(-t / 5), np.exp(-t / 3)
    slow = 0.5 * decay_a + 2 * (decay_a - decay_e) / (1 / 3 - 1 / 5)
    for name, expected in zip(names, (2 * np.exp(-t / 10), decay_e, np.e / 5 * t * decay_a, slow)):
        np.testing.assert_allclose(run[name][:, 0], 3 * expected * arrived, atol=2e-4 if dtype == "float32" else 1e-7)


def test_spikes_are_dropped_where_a_delta_kernel_meets_a_held_state():
    text = LIF.replace("unit * convolve(fast, exc)", "C * convolve(push, exc) * 1 mV / ms").replace(
        "kernel fast = exp(-t / tau_fast)", "kernel push = delta(t)"
    )
    with pytest.raises(ModelError, match=r"line 13, column \d+: a delta kernel"):
        read(text)  # it stands within a quotient
    text = text.replace("C * convolve(push, exc) * 1 mV / ms +", "").replace(
        "I_stim) / C", "I_stim) / C - 2 mV * convolve(push, exc) / 1 ms"
    )
    model = read(text).model
    arriving = np.zeros((100, 1))
    arriving[[10, 50]] = 1.0
    run = model.population(1, dt=0.1, dtype="float64", left=3.0, V=-60.0, left_on=1.0)
    V = run.run(10.0, exc=arriving, slow=0.0, I_stim=100.0, record=["V"])["V"][:, 0]
    assert np.all(V[:30] == -60.0)
    assert V[50] - V[49] < -1.9


def test_statements_follow_one_another_and_our_assignments_do_not():
    text = neuron(
        state="u mV = 1 mV\nk boolean = false",
        parameters="on boolean = true",
        handlers="""
        onCondition(V >= 5 mV):
            once mV = u + V
            u = once
            V = u - once + 1 mV
            if on == true and not k:
                u *= 2
            elif V > 100 mV:
                u = 0 mV
            else:
                u = 7 mV
            k = u > 3 mV
            emit_spike()
        """,
    )
    model = read(text).model
    pop = model.population(1, dt=0.1, dtype="float64", V=6.0)
    pop.run(0.1, I_stim=0.0)
    integrated = 6.0 * np.exp(-0.01)
    assert pop.u[0] == pytest.approx(2 * (1 + integrated), rel=1e-12)
    assert pop.V[0] == pytest.approx(1.0, rel=1e-12) and pop.k[0] == 1.0


def test_lines_in_an_event_read_what_was_assigned_above():
    text = neuron(
        state="u mV = 0 mV",
        equations="inline twice mV = 2 * V\ninline more mV = twice + 1 mV\nV' = -V / tau",
        handlers="onCondition(more > 5 mV):\n    V = 1 mV\n    u = more\n    emit_spike()\n",
    )
    pop = read(text).model.population(1, dt=0.1, dtype="float64", V=6.0)
    pop.run(0.1, I_stim=0.0)
    assert pop.u[0] == 3.0


def test_values_of_the_steps_start_are_old():
    text = neuron(
        state="before mV = 0 mV",
        equations="V' = 1 mV / ms * cos(t / 1 ms)",
        update="before = V\nintegrate_odes()",
        handlers="onCondition(V > 0.5 mV and before > V):\n    emit_spike()\n",
    )
    found = read(text)
    assert "before" not in found.model.states and any("before is no state" in line for line in found.report)
    run = found.model.population(1, dt=0.01, dtype="float64", method="rk4").run(7.0, I_stim=0.0, record=["V", "spike"])
    V = np.append(0.0, run["V"][:, 0])
    np.testing.assert_array_equal(run["spike"][:, 0], (V[1:] > 0.5) & (V[:-1] > V[1:]))


def test_what_is_kept_may_be_kept_again():
    update = "a = V\nb mV = 2 * a\nintegrate_odes()"
    handlers = "onCondition(V > 1 mV):\n    V = b - a\n    emit_spike()\n"
    model = read(neuron(state="a mV = 0 mV", update=update, handlers=handlers)).model
    assert [each.expression.text for each in model.reset] == ["old(2*V) - old(V)"]


def test_what_other_numbers_mean_is_reported():
    text = neuron(
        equations="kernel k = exp(-t / tau)\nV' = -V / tau + (convolve(k, up) - convolve(k, down)) * 1 mV / ms",
        state="n integer = 0",
        ports="up <- excitatory spike\ndown <- inhibitory spike\nboth <- excitatory inhibitory spike",
        handlers="onCondition(V > 1 mV):\n    V = 0 mV\n    n = n / 2\n    emit_spike()\n",
    )
    report = read(text).report
    assert any("line 4: n is an integer in NESTML" in line for line in report)
    assert [line for line in report if "negative weight" in line] == [
        "line 14: down takes spikes of negative weight in NEST, with the sign turned; give positive ones"
    ]


@pytest.mark.parametrize("method", ["exp_euler", "rk4"])
def test_a_factor_in_each_step_is_a_decay(method):
    text = neuron(
        state="a mV = 8 mV\nb mV = 8 mV\nc mV = 8 mV",
        internals="h ms = resolution()\nP real = exp(-h / tau)",
        parameters="F real = 0.99",
        update="a = a * P\nb *= exp(-timestep() / tau)\nc *= F\nintegrate_odes()",
    )
    run = (
        read(text)
        .model.population(1, dt=0.1, dtype="float64", method=method)
        .run(5.0, I_stim=0.0, record=["a", "b", "c"])
    )
    steps = np.arange(1, 51)
    for name, expected in (("a", np.exp(-0.01 * steps)), ("b", np.exp(-0.01 * steps)), ("c", 0.99**steps)):
        np.testing.assert_allclose(run[name][:, 0], 8 * expected, rtol=1e-8)


def test_functions_are_written_out_and_internals_stand_in_initial_values():
    text = neuron(
        state="n real = n0 / (n0 + rate(V0) * 1 ms)",
        equations="V' = -V / tau\nn' = rate(V) * (1 - n) - n / tau",
        parameters="V0 mV = 10 mV",
        internals="n0 real = rate(V0) * tau",
        functions="""
        function rate(V mV) 1/ms:
            x real = V / 20 mV
            x = x + 1
            return (x > 1.2 ? x : 0.5) / half()

        function half() ms:
            return 4 ms / 2
        """,
    )
    model = read(text).model
    pop = model.population(1, dt=0.1, dtype="float64")
    assert pop.n[0] == pytest.approx(7.5 / (7.5 + 0.75))
    pop = model.population(1, dt=1e-3, dtype="float64", n=0.5, V=8.0)
    pop.run(1e-3, I_stim=0.0)
    assert (pop.n[0] - 0.5) / 1e-3 == pytest.approx(0.7 * 0.5 - 0.05, rel=1e-3)


def test_equations_of_second_order_and_names_with_quotes_and_dollars():
    text = neuron(
        state="g nS = 0 nS\ng' nS/ms = 1 nS/ms\nq$ real = 1",
        equations="V' = -V / tau\ng'' = -2 * g' / tau - g / tau**2",
    )
    run = read(text).model.population(1, dt=0.01, dtype="float64", method="rk4").run(20.0, I_stim=0.0, record="all")
    np.testing.assert_allclose(run["g"][:, 0], run.t * np.exp(-run.t / 10), rtol=1e-6)
    assert {"g__d", "q__DOLLAR"} <= set(read(text).model.states)


def test_all_functions_and_operators():
    text = neuron(
        parameters="a real = 0.3\nr mV = -3 mV",
        equations="""
        inline f1 real = exp(a) + ln(a) + log10(a) + sin(a) + cos(a) + tan(a) + sinh(a) + cosh(a) + tanh(a)
        inline f2 real = erf(a) + erfc(a) + floor(4.7 * a) + ceil(4.7 * a) + expm1(a) + sqrt(a) + abs(-a) + e
        inline f3 mV = min(r, 2 mV) + max(r, 2 mV) + clip(r, -1 mV, 1 mV) + abs(r)
        inline f4 real = -a**2 + 2**a + a**-1 + (a + 1)**2.5 - 7 / 2 / 4
        inline f5 real = a > 0.2 and not (a >= 1 or a == 3) or a != 0.3 ? 1. : 2.E0
        inline f6 mV = r / 3 + (r - 1 mV) * (a - 1) - -r;
        V' = (f1 + f2 + f4 + f5) * 1 mV / ms + (f3 + f6) / 1 ms
        """,
    )
    from math import ceil, cos, cosh, e, erf, erfc, exp, floor, log, log10, sin, sinh, sqrt, tan, tanh

    a, r = 0.3, -3.0
    f1 = exp(a) + log(a) + log10(a) + sin(a) + cos(a) + tan(a) + sinh(a) + cosh(a) + tanh(a)
    f2 = erf(a) + erfc(a) + floor(4.7 * a) + ceil(4.7 * a) + exp(a) - 1 + sqrt(a) + a + e
    expected = {
        "f1": f1,
        "f2": f2,
        "f3": r + 2 - 1 + 3,
        "f4": -(a**2) + 2**a + 1 / a + (a + 1) ** 2.5 - 7 / 8,
        "f5": 1.0,
        "f6": r / 3 + (r - 1) * (a - 1) + r,
    }
    pop = read(text).model.population(1, dt=0.1, dtype="float64", method="rk4")
    run = pop.run(0.1, I_stim=0.0, record=list(expected))
    for name, value in expected.items():
        assert run[name][0, 0] == pytest.approx(value, rel=1e-12), name
    assert pop.V[0] == pytest.approx(0.1 * sum(expected.values()), rel=1e-9)


def test_units_become_one_coherent_system():
    text = neuron(
        parameters="g uS = 3 nS\nR MOhm = 0.2 GOhm\nf Bq = 50 Bq\nq 1/s = 2 / 1 ms\nk pF/mV/ms = 2 nS / 1 V\nW nA = 1 pA",
        equations="V' = (0.01 nA * R * q + g * R * 1 V * f + W * R / 1 s + 0 mV / ms)",
    )
    model = read(text).model
    expected = {"g": 3.0, "R": 0.2, "f": 0.05, "q": 2.0, "k": 0.002, "W": 1.0}
    assert {name: model.parameters[name] for name in expected} == pytest.approx(expected)
    assert {name: model.units[name] for name in expected} == {
        "g": "nS",
        "R": "Gohm",
        "f": "1/ms",
        "q": "1/ms",
        "k": "pF/mV/ms",
        "W": "pA",
    }
    pop = model.population(1, dt=0.1, dtype="float64")
    pop.run(0.1, I_stim=0.0)
    assert pop.V[0] == pytest.approx(0.1 * (10 * 0.2 * 2 + 3 * 0.2 * 1000 * 0.05 + 0.2 / 1000))


def test_units_that_do_not_agree_are_reported():
    text = neuron(
        parameters="late mV = V_0 + 1 mV\nV_0 mV = 4 mV [[V_0 > 0 mV]]\nfloor_V mV = -inf * 1 mV",
        equations="V' = (V + 65.) / tau + exp(V) * 1 mV / ms",
        update="integrate_odes()\nV = max(floor_V, V)",
        ports="unused <- spike",
    )
    found = read(text)
    assert found.model.parameters["late"] == 5.0 and "floor_V" not in found.model.parameters
    assert [line.split(": ", 1)[1] for line in found.report] == [
        "65 is a plain number where in mV is due, and is taken as that",
        "the argument of exp() is in mV where a plain number is due, and is taken as that",
        "late is 5 mV, from other parameters; it does not follow them",
        "the bound of V_0 in [[...]] is not kept watch on",
        "floor_V is infinite, a bound that is never met; it is no parameter",
        "spikes of unused change nothing, so it is no input",
        "max() with a bound at infinity is its other argument",
    ]


def test_a_number_beside_a_unit_counts_what_nestml_counts():
    """NESTML converts units of time and electricity to its own, and leaves others as a file has them."""
    text = neuron(
        parameters="c mmol = 2 mmol\nl mm = 30 um\ng uS = 5 nS\nr real = 1 / 0.00001 m",
        equations="V' = (c*c/(c*c + 3) + l/(l + 0.5) + g/(g + 20) + l*r) * 1 mV/ms",
    )
    found = read(text)
    assert dict(found.model.units) | {"c": "fmol", "l": "10*um", "g": "nS"} == dict(found.model.units)
    assert {name: found.model.parameters[name] for name in "clgr"} == {"c": 2e12, "l": 3.0, "g": 5.0, "r": 100_000.0}
    assert [line.split(": ", 1)[1] for line in found.report[:3]] == [
        "3 is a plain number where in 1e-06*mol**2 is due, and is taken as that",
        "0.5 is a plain number where in 0.001*m is due, and is taken as that",
        "20 is a plain number where in nS is due, and is taken as that",
    ]
    pop = found.model.population(1, dt=0.1, dtype="float64", method="rk4")
    pop.run(0.1, I_stim=0.0)
    assert pop.V[0] == pytest.approx(0.1 * (4 / 7 + 0.03 / 0.53 + 5 / 25 + 0.03 * 100_000))


def test_names_that_mean_something_here_are_called_otherwise():
    found = read(neuron(state="size real = 1\ndt ms = 1 ms", equations="V' = -V / tau * size"))
    assert {"size_", "dt_"} <= set(found.model.states)
    assert any("size is called size_ here" in line for line in found.report)


def test_a_condition_without_a_spike_is_an_event():
    text = neuron(
        state="n integer = 0",
        handlers="""
        onCondition(V > 5 mV):
            V = 0 mV
            emit_spike()

        onCondition(V > 2 mV):
            n += 1
        """,
    )
    model = read(text).model
    (other,) = [event.name for event in model.events if event.name != "spike"]
    run = model.population(1, dt=0.1, dtype="float64").run(50.0, I_stim=100.0, record=["V", "n"])
    assert run["n"][-1, 0] == np.sum(run["V"] > 2.0) > 0 and other.startswith("condition_")


def test_a_guard_that_is_no_timer_turns_on_and_off():
    text = neuron(
        state="w mV = 0 mV",
        equations="V' = 1 mV / ms * cos(t / 1 ms)\nw' = 1 mV / ms",
        update="if V > 0.5 mV:\n    integrate_odes(V, w)\nelse:\n    integrate_odes(V)",
    )
    run = (
        read(text).model.population(1, dt=0.01, dtype="float64", method="rk4").run(14.0, I_stim=0.0, record=["V", "w"])
    )
    starts = np.append(0.0, run["V"][:-1, 0])
    np.testing.assert_allclose(run["w"][:, 0], 0.01 * np.cumsum(starts > 0.5), atol=1e-9)


def test_several_models_in_a_file():
    text = LIF + LIF.replace("lif_neuron", "other_neuron")
    assert read(text, "other_neuron").model.name == "other_neuron"
    with pytest.raises(ModelNotFoundError, match=r"several models \(lif_neuron, other_neuron\)"):
        read(text)
    with pytest.raises(ModelNotFoundError, match="did you mean 'lif_neuron'"):
        read(text, "lif_neurn")


REFUSED = [
    (neuron(equations="V' = -V / tou"), r"line 5, column 19: 'tou' is not known here; did you mean 'tau'"),
    (
        neuron(equations="V' = -sn(V / 1 mV) * 1 mV / ms"),
        r"line 5, column \d+: unknown function 'sn'; did you mean 'sin'",
    ),
    (neuron(parameters="x mw = 3 mV"), r"line 9, column 11: 'mw' is no unit; did you mean 'mW'"),
    (neuron(equations="V' = 3 qq / ms"), r"line 5, .*'qq' is no unit"),
    (neuron(equations="V' = -V / tau + random_normal(0, 1) * 1 mV / ms"), r"line 5, .*random_normal\(\) draws numbers"),
    (neuron(internals="n integer = steps(tau)", equations="V' = -V / tau * n"), r"line 10, .*steps\(\) counts steps"),
    (neuron(equations="V' = -V / tau + convolve(k, I_stim)"), r"line 5, .*no kernel 'k'"),
    (neuron(equations="kernel k = sin(t / tau)\nV' = convolve(k, p)", ports="p <- spike"), r"line 5, .*none of those"),
    (neuron(equations="V' = -V / tau * p", ports="p <- spike"), r"line 5, .*spikes of p in an equation"),
    (neuron(equations="V' = -V / tau\nV' = 0 mV / ms"), r"line 6, .*V has a second equation"),
    (neuron(equations="V' = -V / tau\nw' = 1"), r"line 6, .*w has an equation and no value"),
    (neuron(equations="inline a mV = V\ninline a mV = V\nV' = -V / tau"), r"line 6, .*'a' is declared twice"),
    (neuron(equations="V' = -V / 1 ms*mV"), r"line 5, .*whether ms\*mV is one unit"),
    (neuron(equations="V' = V / (0 * tau)"), r"line 5, .*division by zero"),
    (neuron(equations="V' = inf * V / ms"), r"line 5, .*infinite"),
    (neuron(update="V = 2 * V + 1 mV\nintegrate_odes()"), r"line 12, .*assigned before integrate_odes"),
    (neuron(state="n integer = 0", update="n -= 1\nintegrate_odes()"), r"line 13, .*assigned before integrate_odes"),
    (neuron(update="integrate_odes()\nV = V + 1 mV"), r"line 13, .*assigned in each step after"),
    (neuron(update="integrate_odes()\nintegrate_odes()"), r"line 13, .*again in a step"),
    (neuron(update="V = 1 mV"), r"line 12, .*integrates nothing"),
    (neuron(update="integrate_odes(W)"), r"line 12, .*takes states that have equations"),
    (neuron(update="if I_stim > 1 pA:\n    integrate_odes()"), r"line 12, .*chosen by a condition on states"),
    (neuron(update="for i in 1 ... 3 step 1:\n    integrate_odes()"), r"line 12, .*; loops are not read"),
    (neuron(update="while V > 1 mV:\n    integrate_odes()"), r"line 12, .*; loops are not read"),
    (neuron().replace("model ", "neuron ", 1), r"line 1, .*; a model begins with 'model NAME:'"),
    (neuron() + "end\n", r"'end' is not expected here; blocks end where"),
    (neuron().replace("    state:", '    """A neuron."""\n    state:', 1), r"line 2, .*; descriptions are comments"),
    (neuron(handlers="onReceive(q):\n    V += 1 mV\n"), r"line 13, .*no spike port 'q'"),
    (neuron(handlers="onCondition(V):\n    emit_spike()\n"), r"line 13, .*a number where a condition is due"),
    (neuron(handlers="onCondition(V > 1 mV):\n    tau = 3 ms\n    emit_spike()\n"), r"line 14, .*'tau' is no state"),
    (
        neuron(handlers="onCondition(V > 1 mV):\n    V = 0 mV\nonCondition(V > 2 mV):\n    emit_spike()\n"),
        r"line 15, .*not the first condition",
    ),
    (
        neuron(handlers="onCondition(V > 1 mV):\n    if V > 2 mV:\n        emit_spike()\n"),
        r"line 15, .*under a further condition",
    ),
    (
        neuron(equations="V' = f(V) / ms", functions="function f(x mV) mV:\n    return f(x)\n"),
        r"line 14, .*f\(\) calls itself",
    ),
    (
        neuron(state="g real = 1\nh real = 0", update="g *= exp(-timestep() / tau)\nh = g\nintegrate_odes()"),
        r"line 15, .*g is read after it was multiplied",
    ),
    (
        neuron(state="g real = 1", update="g *= exp(-timestep() / tau)\nif g > 0.5:\n    integrate_odes()"),
        r"line 14, .*g is read after it was multiplied",
    ),
    (neuron(update="x mV = V\nx mV = 2 * V\nintegrate_odes()"), r"line 13, .*'x' is declared twice"),
    (neuron(update=""), r"line 1, column 7: model test_neuron has no update block"),
    (
        neuron(
            equations="kernel k = exp(-t / tau)\nV' = -V / tau",
            ports="p <- spike",
            handlers="onCondition(V > 1 mV):\n    V = convolve(k, p) * 1 mV\n    emit_spike()\n",
        ),
        r"line 16, column 13: convolve\(\) is not read here",
    ),
    (neuron(parameters="n integer = 2.7"), r"line 9, column 9: n is an integer"),
    (neuron(state="true real = 0"), r"line 4, column 9: true is a truth value"),
    (neuron() + neuron(), r"line 13, column 7: a second model is called 'test_neuron'"),
    (neuron(parameters="a real = b\nb real = a"), r"line \d+, .*is a circle"),
    (neuron(parameters="a real = 1 / 0."), r"division by zero"),
    (neuron(parameters="a real = ln(-1)"), r"line 9.*"),
    (neuron(parameters="a string = 3"), r"line 9, .*of type string"),
    (neuron(state="lambda mV = 0 mV"), r"line 4.*word of Python"),
    (neuron(internals="P real = P", state="x real = 1", update="x *= P\nintegrate_odes()"), r"cyclic|circle"),
    (neuron(equations="V' = -V / tau + $"), r"line 5, column 25: character '\$'"),
    (neuron(equations="V' = -V /"), r"line 5, .*the line ends"),
    ("model x:\n    state:\n        V mV = 0 mV\n", "no differential equation"),
    ("model x:\n  state:\n      V mV = 0 mV\n    equations:\n", r"indent"),
    ("neuron x:\n    state:\n", r"line 1, column 1: 'neuron' is not expected here"),
    ("", "is empty"),
    ("   \n\n# nothing\n", r"ends|not expected"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_cannot_be_said_is_refused_by_its_line(text, message):
    with pytest.raises(ModelError, match=message) as caught:
        read(text)
    assert "neuron.nestml" in str(caught.value)


def doubling(levels):
    """Functions each of which calls the one below twice."""
    text = "function f0(x real) real:\n    return x + 1\n"
    for level in range(1, levels):
        text += f"function f{level}(x real) real:\n    return f{level - 1}(x) + f{level - 1}(x)\n"
    return neuron(equations=f"V' = f{levels - 1}(V / 1 mV) * 1 mV / ms", functions=text)


HOSTILE = [
    neuron(equations="V' = " + "-" * 20_000 + "V"),
    neuron(equations="V' = V" + "**V" * 20_000),
    neuron(equations="V' = " + "+".join(["V"] * 20_000)),
    neuron(equations="V' = " + "max(V, " * 5_000 + "V" + ")" * 5_000),
    neuron(equations="V' = V > 1 mV ? " * 3_000 + "V"),
    neuron(update="".join(" " * n + "if V > 1 mV:\n" for n in range(500)) + " " * 500 + "integrate_odes()"),
    neuron(parameters="x " + "(" * 5_000 + "mV" + ")" * 5_000 + " = 1"),
    neuron(parameters="x mV/" + "(" * 5_000 + "mV" + ")" * 5_000 + " = 1"),
    neuron(equations="V' = 1e999999999 * V / tau"),
    neuron(equations="V' = 9**9**9**9 * V / tau"),
    neuron(equations="V' = " + "9" * 5_000 + " * V / tau"),
    neuron(parameters="x mV**99999999 = 1 mV"),
    neuron(handlers="onCondition(V > 1 mV):\n" + "    V = V + V\n" * 200 + "    emit_spike()\n"),
    neuron(equations="V' = __import__('os').system('touch HACKED')"),
    neuron(equations="V' = exec('1') * V / tau"),
    neuron(equations="V' = V.__class__ / tau"),
    neuron(equations='V\' = "{{ self }}" * V / tau'),
    neuron(equations="V' = -V / tau \x00"),
    neuron(equations="V' = -V / tau \u202e"),
    neuron(equations="\u0435' = -V / tau"),
    neuron(state="\ud800 mV = 1 mV"),
    doubling(40),
    "model " * 30_000,
    "\t" * 100_000 + "model x:",
    "(" * 150_000,
    "x" * 300_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_refused_within_seconds(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begun = time.perf_counter()
    with pytest.raises(IzhigenError) as caught:
        read(text)
    assert time.perf_counter() - begun < 20
    assert not (tmp_path / "HACKED").exists() and len(str(caught.value)) < 2_000


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"model x" * 2_000_000, bytes(range(256)) * 10])
def test_hostile_files(content, tmp_path):
    path = tmp_path / "x.nestml"
    path.write_bytes(content)
    with pytest.raises(IzhigenError, match=r"x\.nestml"):
        iz.load(str(path))


def test_a_byte_changed_anywhere_is_read_or_refused():
    generator = np.random.default_rng(0)
    for _ in range(300):
        text = list(LIF)
        for place in generator.integers(0, len(text), 3):
            text[place] = chr(generator.choice([*range(32, 127), 10, 9]))
        with contextlib.suppress(IzhigenError):
            read("".join(text))


def test_the_grammar_is_part_of_the_package():
    assert (ROOT / "izhigen" / "importers" / "nestml.lark").is_file()
    assert ".nestml" in importers.suffixes()


def test_without_lark_it_says_what_to_install(monkeypatch):
    from izhigen.importers import nestml_syntax

    monkeypatch.setattr(nestml_syntax, "_parser", nestml_syntax._parser.__wrapped__)
    monkeypatch.setitem(sys.modules, "lark", None)
    with pytest.raises(ModelError, match=r"pip install 'izhigen\[nestml\]'"):
        read(LIF)


def test_parentheses_are_no_levels_and_lines_go_on():
    text = neuron(equations="V' = " + "(" * 3_000 + "V" + ")" * 3_000 + " / tau * \\\n  -1")
    assert read(text).model == read(neuron(equations="V' = -V / tau")).model


def test_the_command_line_shows_one(tmp_path):
    path = tmp_path / "x.nestml"
    path.write_text(LIF)
    result = CliRunner().invoke(cli, ["show", str(path)])
    assert result.exit_code == 0 and "fast__X__exc" in result.output
