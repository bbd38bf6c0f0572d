"""Fewer operations: every rule keeps values, costs go down, and the counts in the docs are true."""

import re

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import izhigen as iz
from izhigen import Model
from izhigen.codegen.economy import (
    horner,
    is_only_added,
    join_exponentials,
    over_common_denominators,
    shared_powers,
    spread_coefficient,
)
from izhigen.codegen.kernel import as_written, build_kernel
from izhigen.codegen.operations import count
from izhigen.codegen.printers.c import CPrinter
from izhigen.derive import functions as f
from izhigen.derive.lowering import symbol
from izhigen.derive.step import derive_step
from tests.codegen.test_kernel import HODGKIN_HUXLEY
from tests.conftest import ROOT
from tests.end_to_end.test_random_models import FAMILIES
from tests.helpers import OTHER_EQUATIONS, first_order_error, host

x, y, z, c, d = (symbol(name) for name in "xyzcd")
EXPONENTIAL = Model(
    "EIF",
    "dV/dt = (E - V + D*exp((V - T)/D))/tau + I/C",
    threshold="V >= 0",
    reset="V = E",
    inputs=["I"],
    parameters={"E": -65.0, "D": 2.0, "T": -50.0, "tau": 20.0, "C": 250.0},
)
OTHERS = {
    "AdEx": FAMILIES["AdEx"],
    "exponential integrate-and-fire": EXPONENTIAL,
    "Hodgkin-Huxley": HODGKIN_HUXLEY,
    "five states": FAMILIES["Synapses"],
}
MODELS = {**{name: iz.load(name) for name in OTHER_EQUATIONS}, **OTHERS}
number = st.floats(-30, 30).filter(lambda v: abs(v) > 1e-3)


def constant(expression):
    """What does not vary in the body, here: c and d."""
    return expression.free_symbols <= {c, d}


def in_floats(expression, values):
    """Evaluation in float64, operation by operation."""
    if expression.is_Symbol:
        return np.float64(values[expression])
    if expression.is_Number:
        return np.float64(float(expression))
    parts = [in_floats(a, values) for a in expression.args]
    if expression.is_Add:
        return np.sum(parts)
    if expression.is_Mul:
        return np.prod(parts)
    if expression.is_Pow:
        return parts[0] ** float(expression.exp)
    return {
        "exp": np.exp,
        "minimum": min,
        "maximum": max,
        "phi1": lambda w: np.float64(mpmath.expm1(w) / w) if w else np.float64(1),
    }[type(expression).__name__](*parts)


def assert_same(before, after, values, ulps=40):
    exact, scale = first_order_error(before, values)
    with np.errstate(all="ignore"):
        found = in_floats(after, values)
    assert abs(found - exact) <= ulps * 2.2e-16 * scale, (before, after, values)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(a=number, b=number, s=number, t=number)
def test_rules_keep_values(a, b, s, t):
    values = {x: a, y: b, c: s, d: t}
    product = c * (x - d + y / d) * y
    assert_same(product, spread_coefficient(product, constant), values)
    product = sp.exp(x / 9) * sp.exp(-y / 9) * c
    joined = join_exponentials(product)
    assert len(joined.atoms(sp.exp)) == 1
    assert_same(product, joined, values)
    total = x / (y**2 + 1) + c / (y**2 + 1) + y * d
    grouped = over_common_denominators(total, constant)
    assert count([grouped])["division"] == 1 < count([total])["division"]
    assert_same(total, grouped, values)
    polynomial = c * x**4 + x**3 - d * x + y
    assert_same(polynomial, horner(polynomial, [x]), values)


def shared(expressions):
    names = iter(sp.symbols("s0:9", real=True))
    return shared_powers(expressions, lambda: next(names), "float64")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(a=number, b=number)
def test_shared_powers_keep_values(a, b):
    before = [sp.exp(x / 20 - 1) + y, 3 * sp.exp(x / 5 - 4), f.phi1(y) * x, f.phi1(2 * y), x**2 + 1, x**4, x**3 * y]
    definitions, after = shared(before)
    assert len([1 for e in (*definitions.values(), *after) for _ in e.atoms(sp.exp, f.phi1)]) == 2
    values = {x: a, y: b}
    values |= {name: float(in_floats(value, values)) for name, value in definitions.items()}
    for one, other in zip(before, after):
        assert_same(one, other, values)


def test_opposite_exponents_stay_apart_and_multiples_are_bounded():
    assert shared([sp.exp(x), sp.exp(-x)])[0] == {}
    assert shared([sp.exp(x), sp.exp(5 * x)])[0] == {}
    assert shared([f.phi1(x), sp.exp(x)])[0] == {}


def test_phi1_of_twice_an_argument_never_overflows():
    definitions, (_, twice) = shared([f.phi1(x), f.phi1(2 * x)])
    (name,) = definitions
    for argument in (-1e300, -700.0, 0.0, 300.0, 709.0):
        value = in_floats(
            twice, {x: argument, name: np.float64(mpmath.expm1(min(argument, 709.0)) / argument if argument else 1.0)}
        )
        assert np.isfinite(value) and value >= 0


def test_products_of_sums_are_not_multiplied_out():
    source = iz.load("izhikevich2007").source("c")
    assert "(v - v_t)" in source and "v * v" not in source


def test_a_product_that_is_only_added_gets_no_name():
    assert is_only_added(z, [x + z, sp.exp(y - z)])
    assert not is_only_added(z, [x * z]) and not is_only_added(z, [sp.exp(z)]) and not is_only_added(z, [z])
    kernel = build_kernel(derive_step(HODGKIN_HUXLEY))
    assert not [s for s in kernel["step"].statements if s.expression == symbol("V") / 10]


def test_the_users_names_stay():
    found = {s.symbol.name for s in build_kernel(derive_step(HODGKIN_HUXLEY))["step"].statements}
    assert {f"dt_{rate}_{gate}" for rate in ("alpha", "beta") for gate in "mhn"} <= found


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-310, 1e300])
def test_extreme_parameters_give_what_the_step_gives(value, device):
    """A capacitance of 0 divides by zero as in the oracle; a reciprocal that overflows gives no number out of nothing."""
    model = Model("Extreme", "dV/dt = (g*(E - V) + I)/C", inputs=["I"], parameters={"g": 1.0, "E": -60.0, "C": 1.0})
    found = {}
    for backend in ("c", "numpy", "cuda"):
        pop = model.population(2, dt=0.1, backend=backend, dtype="float64", V=[-50.0, -60.0], C=value)
        pop.step(I=[3.0, 1.0], check_finite=False)
        found[backend] = host(pop.state["V"])
    finite = np.isfinite(found["numpy"])
    for compiled in (found["c"], found["cuda"]):
        both = finite & np.isfinite(compiled)
        np.testing.assert_allclose(compiled[both], found["numpy"][both], rtol=1e-12)
        if value != 1e-310:  # there 1/C is infinite, though V/C may not be
            np.testing.assert_array_equal(np.isfinite(compiled), finite)


POWERS = ("0.5", "1.5", "2.5", "-0.5", "-1.5", "-3.5")


def test_half_integer_powers_use_the_square_root(backend, dtype):
    """Of sums that are not the same, so that none is made of another's root."""
    equations = [f"dx{k}/dt = (y + {2 + k / 8})**({power})" for k, power in enumerate(POWERS)]
    model = Model("Half", "\n".join((*equations, "dy/dt = 0*y")))
    pop = model.population(3, dt=1.0, backend=backend, dtype=dtype, y=[-1.5, 0.3, 40.0])
    pop.step()
    for k, power in enumerate(POWERS):
        assert "pow" not in CPrinter("float64").doprint(sp.Symbol("x") ** sp.Rational(power))
        np.testing.assert_allclose(
            host(pop.state[f"x{k}"]),
            (np.array([-1.5, 0.3, 40.0]) + 2 + k / 8) ** float(power),
            rtol=1e-6 if dtype == "float32" else 1e-14,
        )


def test_sums_are_printed_so_that_products_are_contracted():
    printed = CPrinter("float64").doprint
    assert printed(x * y + c * d + z) == "z + c * d + x * y"
    assert printed(x * y + c * d - z) == "c * d - z + x * y"
    assert printed(x * y - z) == "x * y - z"


def test_counting():
    operations = count([x * y + c, sp.exp(x) / y, f.where(x > y, x, -y), x**4, (x + y) / (c * d), sp.sqrt(x) ** 3])
    assert dict(operations.kinds) == {
        "multiply-add": 1,
        "addition": 1,
        "multiplication": 4,
        "division": 2,
        "comparison": 1,
        "select": 1,
        "exp": 1,
        "sqrt": 1,
    }
    assert operations.total == 12 and str(count([x])) == "nothing"
    assert str(count([x * y + c, f.phi1(x)])) == "1 multiply-add, 1 phi1"


EXPECTED = {
    "Izhikevich": 13,
    "IzhikevichLTC": 13,
    "IzhikevichRef": 15,
    "izhikevich2007": 15,
    "AdEx": 16,
    "Hodgkin-Huxley": 47,
    "five states": 19,
}


def test_counts_of_known_models():
    assert {name: build_kernel(derive_step(MODELS[name])).operations for name in EXPECTED} == EXPECTED


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("method", ["exp_euler", "rk4"])
def test_never_more_than_as_derived(name, method):
    step = derive_step(MODELS[name], method)
    kernel = build_kernel(step, per_neuron=list(step.model.parameters)[:2])
    assert kernel.operations <= as_written(step).total and kernel.counts.cost <= as_written(step).cost


TABLE = re.compile(r"(?<=<!-- operations -->\n).*?(?=<!-- end of operations -->)", re.DOTALL)


def table():
    rows = ["| model | as derived | in the body | of these |", "| --- | --- | --- | --- |"]
    alike = {}
    for name, model in MODELS.items():
        step = derive_step(model)
        counts = build_kernel(step).counts
        alike.setdefault((as_written(step).total, counts.total, str(counts)), []).append(name)
    rows += [
        f"| {', '.join(names)} | {before} | {after} | {kinds} |" for (before, after, kinds), names in alike.items()
    ]
    return "\n".join(rows) + "\n"


def test_the_table_in_the_docs(request):
    """``pytest --update-goldens`` writes it."""
    page = ROOT / "docs" / "performance.md"
    text = page.read_text()
    if request.config.getoption("--update-goldens"):
        page.write_text(TABLE.sub(lambda _: table(), text))
    assert TABLE.search(page.read_text()).group() == table()
