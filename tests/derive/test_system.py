"""Inlining, classes of equations, and removable singularities."""

import pytest
import sympy as sp

from izhigen import Model
from izhigen.derive.functions import phi1
from izhigen.derive.lowering import lower, symbol
from izhigen.derive.singularities import remove_singularities
from izhigen.derive.system import EquationClass, build_system
from izhigen.errors import DerivationError, IzhigenError
from izhigen.model.expressions import parse_expression

V = symbol("V")


def kinds(equations, **parts):
    return [e.kind for e in build_system(Model("M", equations, **parts)).equations]


@pytest.mark.parametrize(
    ("equations", "expected"),
    [
        ("dV/dt = k + I", [EquationClass.CONSTANT]),
        ("dV/dt = (k - V)/tau", [EquationClass.LINEAR_PARAMETER_RATE]),
        ("dV/dt = k*(1 - V) - tau*V + I", [EquationClass.LINEAR_PARAMETER_RATE]),
        ("dV/dt = I*(k - V)", [EquationClass.LINEAR_STATE_RATE]),
        ("dV/dt = w*(k - V)\ndw/dt = -w*V", [EquationClass.LINEAR_STATE_RATE, EquationClass.LINEAR_STATE_RATE]),
        ("dV/dt = sin(t)*V", [EquationClass.LINEAR_STATE_RATE]),
        ("dV/dt = k*V**2 - tau*V + I", [EquationClass.QUADRATIC]),
        ("dV/dt = (V - k)*(V - tau)", [EquationClass.QUADRATIC]),
        ("dV/dt = exp(V)", [EquationClass.NONLINEAR]),
        ("dV/dt = V - V**3/3", [EquationClass.NONLINEAR]),
        ("dV/dt = abs(V)", [EquationClass.NONLINEAR]),
        ("dV/dt = 1/V", [EquationClass.NONLINEAR]),
        ("dV/dt = w\ndw/dt = -V", [EquationClass.COUPLED_LINEAR] * 2),
        ("dV/dt = -V + w\ndw/dt = -w + V + heaviside(V - 1)", [EquationClass.LINEAR_PARAMETER_RATE] * 2),
        ("dV/dt = -V + w\ndw/dt = -w", [EquationClass.LINEAR_PARAMETER_RATE] * 2),
        ("dV/dt = -V + w\ndw/dt = -w + V**2", [EquationClass.LINEAR_PARAMETER_RATE] * 2),
    ],
)
def test_classes(equations, expected):
    assert kinds(equations, parameters={"k": 2.0, "tau": 3.0}, inputs=["I"]) == expected


def test_a_hidden_dependence_is_inlined_before_differentiating():
    system = build_system(Model("M", "dV/dt = x\nx = -y\ny = V/tau", parameters={"tau": 10.0}))
    assert system.equations[0].rate == -1 / symbol("tau")
    assert system.equations[0].kind is EquationClass.LINEAR_PARAMETER_RATE


def test_linear_part_is_proved():
    equation = build_system(
        Model("M", "dV/dt = g*(E - V) - (V - 3)/tau", parameters={"g": 1.0, "E": 0.0, "tau": 10.0})
    ).equations[0]
    assert equation.proved
    assert sp.expand(equation.rate * V + equation.remainder - equation.rhs) == 0
    assert V not in equation.rate.free_symbols | equation.remainder.free_symbols


def test_currents_shape_the_rate_only_with_a_liquid_time_constant():
    model = Model("M", "dV/dt = -V + I", inputs=["I"]).with_current("g*(2 - V)", inputs=["g"])
    assert build_system(model).equations[0].rate == -1
    assert build_system(model.with_liquid_time_constant()).equations[0].rate == -1 - symbol("g")


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("0.01*(V + 55)/(1 - exp(-0.1*(V + 55)))", "1/(10*phi1(-V/10 - 11/2))"),
        ("0.1*(V + 40)/(1 - exp(-(V + 40)/10))", "1/phi1(-V/10 - 4)"),
        ("0.032*(15 - V + v)/(exp((15 - V + v)/5) - 1)", "4/(25*phi1(-V/5 + v/5 + 3))"),
        ("0.28*(V - v - 40)/(exp((V - v - 40)/5) - 1)", "7/(5*phi1(V/5 - v/5 - 8))"),
        ("(25 - V)/(10*(exp((25 - V)/10) - 1))", "1/phi1(5/2 - V/10)"),
        ("0.01*(10 - V)/(exp(1 - 0.1*V) - 1)", "1/(10*phi1(1 - V/10))"),
        ("-0.32*(V + 54)/(exp(-(V + 54)/4) - 1)", "32/(25*phi1(-V/4 - 27/2))"),
        ("(0.1 - 0.01*V)/(exp(1 - 0.1*V) - 1)", "1/(10*phi1(1 - V/10))"),
        ("(2.5 - 0.1*V)/(exp(2.5 - 0.1*V) - 1)", "1/phi1(5/2 - V/10)"),
        ("V/expm1(V/10)", "10/phi1(V/10)"),
        ("(exp(V/3) - 1)/V", "phi1(V/3)/3"),
        ("3*V/(2 - 2*exp(-V))", "3/(2*phi1(-V))"),
        ("0.1*(V + 35)/(1 - exp(-0.1*(V + 35)))", "1/phi1(-V/10 - 7/2)"),
    ],
)
def test_gating_rates_lose_their_holes(rate, expected):
    found = remove_singularities(lower(parse_expression(rate), "rate"))
    names = {"phi1": phi1, "V": V, "v": symbol("v")}
    assert found == sp.sympify(expected, locals=names)


def test_a_rate_without_a_hole_stays():
    rate = lower(parse_expression("(V + 50)/(1 - exp(-0.1*(V + 55)))"), "rate")
    assert remove_singularities(rate) == rate


def test_alpha_n_and_its_slope_at_the_hole():
    """Hodgkin and Huxley's alpha_n is 0.1 at V = 10 with slope 0.005."""
    alpha = remove_singularities(lower(parse_expression("0.01*(10 - V)/(exp(1 - 0.1*V) - 1)"), "alpha_n"))
    assert float(alpha.subs(V, 10)) == pytest.approx(0.1, abs=1e-15)
    assert float(alpha.diff(V).subs(V, 10).evalf()) == pytest.approx(0.005, abs=1e-15)


def test_an_input_means_its_sum_in_the_threshold_too(backend):
    model = Model("A", "tot = I\ndV/dt = -V + tot", threshold="tot > 2", inputs=["I"], reset="V = 0").with_current(
        "5.0"
    )
    for variant in (model, model.with_liquid_time_constant()):
        assert variant.population(1, backend=backend).run(1.0).counts[0] == 10


def test_high_powers_are_not_expanded(backend):
    """Multiplied out, (V - 50.2)**6 would lose every digit in float32."""
    model = Model("M", "dV/dt = -0.001*(V - 50.2)**7 + a", parameters={"a": 1.0}, initial={"V": 50.0})
    pop = model.population(1, dt=0.1, backend=backend, dtype="float32")
    pop.run(0.1, record=())
    assert float(pop.V[0]) == pytest.approx(50.1, abs=1e-4)


def test_what_would_explode_ends_soon():
    nasty = Model("M", "dV/dt = 1/(2 + ((u*3)/(2 + (1.5 + V**2)**(-2))**2)**2)/(2 + V**2)**2\ndu/dt = -u")
    assert build_system(nasty).equations[0].kind is EquationClass.NONLINEAR
    logistic = "\n".join(f"a{k + 1} = a{k}*(1 - a{k})" for k in range(20))
    chain = "\n".join(f"a{k + 1} = sin(a{k})" for k in range(250))
    for block in (
        logistic + "\na0 = V\ndV/dt = a20",
        chain + "\na0 = V\ndV/dt = a250",
        "dV/dt = a400\n" + "\n".join(f"a{k} = a{k - 1} + 1" for k in range(400, 0, -1)) + "\na0 = V",
    ):
        with pytest.raises(IzhigenError, match="more than"):
            Model("M", block)
    for text in ("((V + 1)**64)**64", "V*(((1.0001**64)**64)**64)", "V*1e-999999999"):
        with pytest.raises(IzhigenError):
            Model("M", f"dV/dt = {text}")


def test_what_cannot_be_derived_is_refused():
    with pytest.raises(DerivationError, match="divides by zero"):
        build_system(Model("M", "dV/dt = 1/(V - V)"))
    with pytest.raises(DerivationError, match="no method 'rk5'"):
        Model("M", "dV/dt = -V").derive("rk5")
    with pytest.raises(DerivationError, match="whatever the state"):
        Model("M", "dV/dt = -V", threshold="V > V + 1").derive()
