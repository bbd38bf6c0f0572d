"""Every method: order conditions of the tableaus, the update formula, and what a step says."""

import pytest
import sympy as sp

import izhigen as iz
from izhigen import Model
from izhigen.derive.functions import phi1
from izhigen.derive.lowering import DT, symbol
from izhigen.derive.scheme import find_scheme, method_names

EXPONENTIAL = {"exp_euler", "etdrk2", "exp_rosenbrock", "strang", "exact"}
TABLEAUS = [name for name in method_names() if name not in {*EXPONENTIAL, "izhikevich2003"}]


def test_all_methods_are_found():
    assert set(method_names()) == {
        *EXPONENTIAL,
        "euler",
        "midpoint",
        "heun2",
        "ralston2",
        "rk2",
        "rk3",
        "heun3",
        "ralston3",
        "ssprk3",
        "rk4",
        "ralston4",
        "rk4_38rule",
        "izhikevich2003",
    }
    assert find_scheme("exp_auto") is find_scheme("exp_euler")


@pytest.mark.parametrize("name", TABLEAUS)
def test_stability_function_matches_the_exponential_to_the_order(name):
    """On dV/dt = V the step is the Taylor polynomial of exp(dt) up to the method's order."""
    step = Model("M", "dV/dt = V").derive(name)
    factor = sp.expand(step.updates["V"] / symbol("V"))
    for power in range(step.scheme.order + 1):
        assert sp.nsimplify(sp.simplify(factor.coeff(DT, power) - 1 / sp.factorial(power))) == 0


def test_exp_euler_is_the_formula():
    step = iz.load("Izhikevich").derive()
    V, u, I, p1, p2, p3 = (symbol(n) for n in ("V", "u", "I", "p1", "p2", "p3"))
    expected = V + DT * phi1(DT * (2 * p1 * V + p2)) * (p1 * V**2 + p2 * V + p3 - u + I)
    difference = (step.updates["V"] - expected).subs(
        {V: -60, u: -10, I: 3, p1: sp.Rational(1, 25), p2: 5, p3: 140, DT: sp.Rational(1, 10)}
    )
    assert abs(difference.evalf(30)) < 1e-25


def test_updates_read_only_base_symbols():
    for name in set(method_names()) - {"exact"}:
        step = iz.load("IzhikevichLTC").with_current("g*(E - V)", inputs=["g"], E=0.0).derive(name)
        base = {symbol(s) for s in (*step.model.states, *step.model.parameters, *step.model.inputs)} | {DT}
        assert step.updates["V"].free_symbols <= base


def test_pair_of_linear_equations_uses_the_block():
    step = Model("M", "dV/dt = w\ndw/dt = -V - 2*k*w", parameters={"k": 0.3}).derive()
    assert "phi1_block" in str(step.updates["V"])


def test_noise_is_exact_for_linear_drift():
    step = Model("OU", "dV/dt = -V/tau", parameters={"tau": 5.0}).with_noise(V=2.0).derive()
    factor = step.noise[0].factor.subs({DT: sp.Rational(1, 2), symbol("tau"): 5, symbol("sigma_V"): 1})
    assert float(factor**2) == pytest.approx(float((1 - sp.exp(-sp.Rational(1, 5))) * sp.Rational(5, 2)), rel=1e-12)


def test_report_and_latex():
    step = iz.load("IzhikevichLTC").derive()
    report = step.report()
    assert "quadratic" in report and "linearized" in report and "linear, parameter rate" in report and "proof" in report
    assert "hoisted, once a call" in report and "operations" in report and "bytes a neuron-step" in report
    latex = step.latex()
    assert latex.startswith("\\begin{align*}") and "\\varphi_{1}" in latex
    assert (
        "held during the step" in iz.load("Izhikevich").with_current("g*(E - V)", inputs=["g"], E=0.0).derive().report()
    )


def test_report_and_latex_of_a_hold():
    model = Model("M", "dV/dt = -V\ndu/dt = 0", threshold="V >= 1", reset="V = old(t - t_last_spike)")
    until, period = model.with_refractory(until="u >= 1", hold="V").derive(), model.with_refractory(2.0).derive()
    assert "refractory: V keeps its old value, and no spike comes, until u >= 1\n" in until.report()
    assert "refractory: V keeps its old value, and no spike comes, while t - t_last_spike <= tau_ref" in period.report()
    assert r"V' &= V && \text{until } u \geq 1 \\" in until.latex()
    assert r"V &\leftarrow \left(t - t_{\mathrm{last},\mathrm{spike}}\right)^{\mathrm{old}}" in until.latex()
