"""Procedures: what they are given, where it varies, and stores that add."""

import pytest

import izhigen as iz
from izhigen.codegen.body import PERIOD, RELEASE, STEP_NOW, TIME_NOW, release_step
from izhigen.codegen.kernel import build_kernel
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.procedure import Kind, Placement, Statement, Store, Word, make_procedure
from izhigen.codegen.targets import find_target
from izhigen.codegen.viewing import print_statement
from izhigen.derive.event import LAST_SPIKE
from izhigen.derive.lowering import symbol
from izhigen.derive.step import derive_step

x, y, z = (symbol(name) for name in "xyz")
KNOWN = {y: (Kind.REAL, Placement.UNIFORM), x: (Kind.REAL, Placement.BOTH)}


def test_arguments_are_what_is_read_and_not_computed():
    found = make_procedure([Statement(z, x + 1, Kind.REAL)], [Store(x, z * y, Kind.REAL)], KNOWN)
    assert [a.symbol for a in found.arguments] == [y, x]
    assert [a.placement for a in found.arguments] == [Placement.UNIFORM, Placement.BOTH]
    assert found.symbols == {x, y, z}
    with pytest.raises(AssertionError, match="unknown symbols"):
        make_procedure([], [Store(x, symbol("w"), Kind.REAL)], KNOWN)


STEP = ["constants", "prepare", "clock", "guard", "step", "rest"]
BACK = ["back", "back_guard", "back_rest", "back_clock"]


def test_the_procedures_of_a_kernel():
    kernel = build_kernel(derive_step(iz.load("IzhikevichRef")), per_neuron=["a"])
    assert list(kernel.procedures) == [*STEP, *BACK, "on_spike"]
    assert not any(kernel[name].statements or kernel[name].stores for name in BACK)
    assert [(s.symbol, s.expression, s.kind) for s in kernel["on_spike"].stores] == [
        (LAST_SPIKE, TIME_NOW, Kind.TIME),
        (RELEASE, release_step(TIME_NOW, PERIOD), Kind.STEP),
    ]
    placed = {a.symbol: (a.kind, a.placement) for a in kernel["step"].arguments}
    assert placed[RELEASE] == (Kind.STEP, Placement.BOTH) and placed[STEP_NOW] == (Kind.STEP, Placement.STEP)
    assert placed[symbol("b")] == (Kind.REAL, Placement.UNIFORM)
    assert not any(s.symbol == LAST_SPIKE for s in kernel["step"].statements)
    assert "on_spike" not in build_kernel(derive_step(iz.load("Izhikevich"))).procedures


def test_a_word_of_the_templates_is_no_name_of_a_model():
    assert Word("release", real=True) != symbol("release") and Word("release", integer=True) == RELEASE
    printer = CPrinter("float32")
    assert printer.doprint(RELEASE) == "release" and printer.doprint(symbol("release")) == "release_"


def test_a_store_sets_or_adds():
    lines = [print_statement(Store(x, x * 2, Kind.REAL, how), CPrinter("float64")) for how in ("set", "add")]
    assert [(line.name, line.how, line.text) for line in lines] == [("x", "=", "2.0 * x"), ("x", "+=", "2.0 * x")]


@pytest.mark.parametrize(
    ("target", "type_", "text"),
    [
        ("c", "int32_t", "release_in_call(origin, time_now, refractory_period, time_step)"),
        ("cuda", "int64_t", "iz_release(time_now, refractory_period, time_step)"),
        ("c-embedded", "int64_t", "iz_release(population->step, refractory_period, population->dt)"),
    ],
)
def test_every_target_spells_the_end_of_a_hold(target, type_, text):
    found = find_target(target)
    store = found.words.put_into(Store(RELEASE, release_step(TIME_NOW, PERIOD), Kind.STEP))
    line = print_statement(store, found.printer("float32"))
    assert (line.name, line.type, line.text) == ("release", type_, text)
