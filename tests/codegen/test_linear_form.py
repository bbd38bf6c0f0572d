"""``dt*f = z*x + dt*B`` of a proved linear equation: for every method that reads f so, whoever wrote it."""

import numpy as np
import pytest
import sympy as sp

from izhigen import Model
from izhigen.codegen.economy import Plan, linear_form
from izhigen.codegen.kernel import build_kernel
from izhigen.derive.event import Assignment
from izhigen.derive.functions import phi1, phi2
from izhigen.derive.lowering import DT, symbol
from izhigen.derive.scheme import Scheme
from izhigen.derive.step import derive_step
from tests.derive.test_own_scheme import etdrk2

GATE = Model(
    "Gate",
    "dV/dt = -V*V + g\ndm/dt = (a*V + c)*(1 - m) - b*m",
    inputs=["g"],
    parameters={"a": 0.5, "b": 0.25, "c": 1.0},
    initial={"V": 0.3, "m": 0.2},
)
F, Z, DT_F = symbol("f_m"), symbol("z_m"), symbol("dt_f_m")


def one_by_one(scaled_of, slope_of, increment_of):
    """A method of one stage that takes the equations one by one: z and f are made of each, the increment of f and z."""

    def advance(system):
        assignments, increments = [], []
        for equation in system.equations:
            slope, scaled = (system.intermediate(f"{part}_{equation.state.name}") for part in ("f", "z"))
            assignments += [Assignment(scaled, scaled_of(equation)), Assignment(slope, slope_of(equation))]
            increments.append(increment_of(slope, scaled))
        return tuple(assignments), tuple(increments)

    return advance


def scaled_rate(equation):
    return DT * equation.rate


def slope(equation):
    return equation.rhs


def exponential(f, z):
    return DT * phi1(z) * f


def expanded(equation):
    """dt*A in another form than that of our own methods: every product for itself."""
    return -sp.expand(-DT * equation.rate)


TAKEN = {
    "z before f": one_by_one(scaled_rate, slope, exponential),
    "z in other words": one_by_one(expanded, slope, exponential),
    "half of it": one_by_one(scaled_rate, slope, lambda f, z: DT * phi1(z) * f / 2),
    "a higher phi function": one_by_one(scaled_rate, slope, lambda f, z: DT * phi1(z) * f - DT * phi2(z) * f / 4),
    "in a stage and at the end": etdrk2,
}
LEFT = {
    "z of half a step": one_by_one(lambda e: DT * e.rate / 2, slope, exponential),
    "z of another slope": one_by_one(lambda e: DT * (e.rate + 1), slope, exponential),
    "f without a phi function": one_by_one(scaled_rate, slope, lambda f, z: DT * phi1(z) * f / 2 + DT * f / 2),
    "f without dt": one_by_one(scaled_rate, slope, lambda f, z: DT * phi1(z) * f + phi2(z) * f / 8),
    "f squared": one_by_one(scaled_rate, slope, lambda f, z: DT * phi1(z) * f + DT * phi2(z) * f**2),
    "phi functions of two arguments": one_by_one(scaled_rate, slope, lambda f, z: DT * phi1(z) * phi1(z / 2) * f),
    "f of no equation": one_by_one(scaled_rate, lambda e: e.rhs + 1, exponential),
}


def derive(monkeypatch, advance):
    scheme = Scheme("own", 1, "", advance, lambda system: ((), ()))
    for module in ("scheme", "step"):
        monkeypatch.setattr(f"izhigen.derive.{module}.find_scheme", lambda name: scheme)
    return derive_step(GATE, "own")


def as_derived(step):
    return Plan(step.assignments, step.increments)


def updates(plan):
    """The increments with all intermediates inlined."""
    inlined = {}
    for assignment in plan.assignments:
        inlined[assignment.symbol] = assignment.expression.xreplace(inlined)
    return [increment.xreplace(inlined) for increment in plan.increments]


@pytest.mark.parametrize("name", TAKEN)
def test_any_method_that_reads_it_so_gets_the_short_form(name, monkeypatch):
    step = derive(monkeypatch, TAKEN[name])
    plan = linear_form(step, as_derived(step), F)
    assert plan is not None
    defined = [a.symbol for a in plan.assignments]
    assert F not in defined and DT_F in defined
    for place, assignment in enumerate(plan.assignments):
        assert not assignment.expression.free_symbols & set(defined[place:]), "read before it is there"
    assert not any(F in e.free_symbols for e in plan.expressions)
    value = next(a.expression for a in plan.assignments if a.symbol == DT_F)
    assert value.coeff(Z) == symbol("m")
    for before, after in zip(updates(as_derived(step)), updates(plan)):
        numbers = {s: sp.Float(0.3 + 0.1 * i, 30) for i, s in enumerate(sorted(before.free_symbols, key=str))}
        assert abs((before - after).evalf(30, subs=numbers)) < 1e-25


@pytest.mark.parametrize("name", LEFT)
def test_what_reads_it_otherwise_is_left_alone(name, monkeypatch):
    step = derive(monkeypatch, LEFT[name])
    assert linear_form(step, as_derived(step), F) is None


@pytest.mark.parametrize("name", ["z before f", "in a stage and at the end"])
def test_slopes_that_are_not_proved_linear_are_left_alone(name, monkeypatch):
    step = derive(monkeypatch, TAKEN[name])
    assert linear_form(step, as_derived(step), symbol("f_V")) is None


@pytest.mark.parametrize("name", ["z before f", "z in other words"])
def test_a_method_in_other_words_gets_the_kernel_of_ours(name, monkeypatch):
    ours = build_kernel(derive_step(GATE)).counts
    assert build_kernel(derive(monkeypatch, TAKEN[name])).counts == ours


@pytest.mark.parametrize(
    ("name", "dtype"), [(name, ("float32", "float64")[k % 2]) for k, name in enumerate([*TAKEN, *LEFT])]
)
def test_values_stay(name, dtype, monkeypatch, tmp_path):
    """The C kernel, whose statements these are, against NumPy, which computes the step as it was derived."""
    monkeypatch.setenv("IZHIGEN_CACHE_DIR", str(tmp_path))  # programs are kept by what the model and the method say
    scheme = Scheme("own", 1, "", {**TAKEN, **LEFT}[name], lambda system: ((), ()))
    for module in ("scheme", "step"):
        monkeypatch.setattr(f"izhigen.derive.{module}.find_scheme", lambda _: scheme)
    found = []
    for backend in ("numpy", "c"):
        pop = GATE.population(3, dt=0.1, method="own", backend=backend, dtype=dtype)
        pop.run(2.0, g=0.5)
        found.append([np.asarray(pop.state[s]) for s in GATE.states])
    np.testing.assert_allclose(found[1], found[0], rtol=50 * np.finfo(dtype).eps)
