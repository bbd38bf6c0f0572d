"""Placement, hoisting, Horner form, sharing and naming."""

import sympy as sp

import izhigen as iz
from izhigen import Model
from izhigen.codegen.body import RELEASE, STEP_NOW
from izhigen.codegen.economy import horner
from izhigen.codegen.kernel import build_kernel
from izhigen.codegen.operations import count
from izhigen.codegen.request import KernelRequest
from izhigen.derive.lowering import symbol
from izhigen.derive.step import derive_step

HODGKIN_HUXLEY = Model(
    "HH",
    """
    dV/dt = (I - gNa*m**3*h*(V - ENa) - gK*n**4*(V - EK) - gL*(V - EL))/C : mV
    alpha_m = 0.1*(V + 40)/(1 - exp(-(V + 40)/10))
    beta_m = 4*exp(-(V + 65)/18)
    alpha_h = 0.07*exp(-(V + 65)/20)
    beta_h = 1/(1 + exp(-(V + 35)/10))
    alpha_n = 0.01*(V + 55)/(1 - exp(-(V + 55)/10))
    beta_n = 0.125*exp(-(V + 65)/80)
    dm/dt = alpha_m*(1 - m) - beta_m*m : 1
    dh/dt = alpha_h*(1 - h) - beta_h*h : 1
    dn/dt = alpha_n*(1 - n) - beta_n*n : 1
    """,
    threshold="V >= 20",
    parameters=dict(gNa=120.0, ENa=50.0, gK=36.0, EK=-77.0, gL=0.3, EL=-54.4, C=1.0),
    inputs=["I"],
    initial={"V": -65.0, "m": 0.05, "h": 0.6, "n": 0.32},
)


def names(statements):
    return [s.symbol.name for s in statements]


def test_what_depends_on_parameters_only_leaves_the_loop():
    kernel = build_kernel(derive_step(iz.load("Izhikevich")))
    assert not any("phi1" in str(s.expression) and "a*dt" in str(s.expression) for s in kernel["step"].statements)
    assert any("phi1(-a*dt)" in str(s.expression) for s in kernel["constants"].statements)
    assert kernel["prepare"].statements == () and kernel["clock"].statements == ()


def test_per_neuron_parameters_move_their_constants_to_the_neuron():
    kernel = build_kernel(derive_step(iz.load("Izhikevich")), per_neuron=["a"])
    assert any("phi1" in str(s.expression) for s in kernel["prepare"].statements)
    assert not any(symbol("a") in s.expression.free_symbols for s in kernel["constants"].statements)


def test_time_only_values_are_computed_once_a_step():
    kernel = build_kernel(derive_step(Model("M", "dV/dt = -V + sin(w*t) + cos(w*t)", parameters={"w": 0.1})))
    assert len(kernel["clock"].statements) >= 1
    assert not any(isinstance(a, sp.sin) for s in kernel["step"].statements for a in s.expression.atoms(sp.Function))


def all_statements(kernel):
    return [s for procedure in kernel.procedures.values() for s in (*procedure.statements, *procedure.stores)]


def test_statements_read_only_what_stands_before_them():
    for model in (
        iz.load("IzhikevichRefLTC").with_current("g*(E - V)", inputs=["g"], E=0.0).with_noise(V=1.0),
        HODGKIN_HUXLEY,
    ):
        kernel = build_kernel(derive_step(model), per_neuron=list(model.parameters)[:2], deltas=["V"])
        known = {symbol(s) for s in (*model.states, *model.parameters, *model.inputs, "dt", "t", "V_delta", "xi_V")} | {
            STEP_NOW,
            RELEASE,
        }
        for statement in (s for name in ("constants", "prepare", "clock", "step") for s in kernel[name].statements):
            assert statement.expression.free_symbols <= known, statement
            assert statement.symbol not in known
            known.add(statement.symbol)


def test_repeated_parts_are_computed_once_and_carry_the_users_names():
    kernel = build_kernel(derive_step(HODGKIN_HUXLEY))
    assert {"dt_alpha_m", "dt_beta_m", "dt_beta_h", "dt_beta_n"} <= set(
        names(kernel["step"].statements)
    )  # each rate is only wanted times dt
    exponentials = [a for s in kernel["step"].statements for a in s.expression.atoms(sp.exp)]
    assert len(exponentials) == len(set(exponentials)) == 3  # exp(-(V + 65)/20) is a power of exp(-(V + 65)/80)


def test_no_bare_counters_as_names():
    for model in (HODGKIN_HUXLEY, iz.load("IzhikevichLTC")):
        for method in ("exp_euler", "rk4"):
            kernel = build_kernel(derive_step(model, method))
            assert not [
                n for n in names(all_statements(kernel)) if n.startswith(("x0", "x1", "tmp", "shared_expression"))
            ]


def test_horner():
    V, a, b, c = (symbol(n) for n in ("V", "a", "b", "c"))
    nested = horner(a * V**2 + b * V + c, [V])
    assert sp.expand(nested) == a * V**2 + b * V + c
    assert not nested.has(V**2)
    assert count([nested]).total == count([nested])["multiply-add"] == 2


def test_operations_and_bytes():
    kernel = build_kernel(derive_step(iz.load("Izhikevich")))
    assert kernel.bytes_per_step == 21  # V and u read and written, I read, a spike flag
    assert kernel.operations == kernel.counts.total == 13


def test_a_kernel_is_derived_once_a_process():
    """Of the same model; kernels of another shape share its step, and those of another method or model do not."""
    model = iz.load("RS")
    kernel = KernelRequest(model).kernel()
    assert KernelRequest(model).kernel() is kernel
    jumping, double = KernelRequest(model, deltas=("V",)).kernel(), KernelRequest(model, dtype="float64").kernel()
    assert jumping.deltas == ("V",) and double.dtype == "float64" and jumping.step is double.step is kernel.step
    assert KernelRequest(model, "rk4").kernel().step.method == "rk4"
    assert KernelRequest(model.variant(d=2.0)).kernel().step.model.parameters["d"] == 2.0
