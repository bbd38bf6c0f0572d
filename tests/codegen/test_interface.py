"""Interfaces as values: what a program shows, by target and by what its kernel has."""

import cffi
import pytest

import izhigen as iz
from izhigen.codegen.interface import (
    NUMBERS,
    Field,
    Function,
    Group,
    Interface,
    Struct,
    c_text,
    pointer,
    prototype,
    value,
)
from izhigen.codegen.kernel import build_kernel
from izhigen.codegen.targets import find_target, target_names
from izhigen.codegen.viewing import view_of
from izhigen.derive.step import derive_step
from tests.standalone.conftest import EVERYTHING

SHAPES = {
    "plain": {},
    "all": {"per_neuron": ("a", "tau_ref"), "deltas": ("V",), "noisy_inputs": ("I",), "timed_inputs": (("I", "c0*t"),)},
}
DRAWN = {"counted_inputs": ("I",), "delivered_inputs": ("I",)}


def interface(target, model, **shape):
    found = find_target(target)
    if not found.input_noise:
        shape = {name: names for name, names in shape.items() if name in ("per_neuron", "deltas")}
    kernel = build_kernel(derive_step(model), "float32", **shape)
    return found.interface(view_of(kernel, target, found.printer("float32"), found.words)), kernel


def fields(struct):
    """All fields of a struct with those of its groups, by path."""
    for member in struct.members:
        for part in member.fields if isinstance(member, Group) else (member,):
            for name in part.names:
                yield (f"{member.name}.{name}" if isinstance(member, Group) else name), part


@pytest.mark.parametrize("target", target_names())
@pytest.mark.parametrize("shape", SHAPES)
def test_structs_hold_only_numbers_and_what_stands_before_them(target, shape):
    found, _ = interface(target, iz.load("IzhikevichRefLTC"), **SHAPES[shape], **(DRAWN if shape == "all" else {}))
    known = {*NUMBERS, "void"}
    for struct in found.structs:
        for _, part in fields(struct):
            assert part.type in known, (struct.name, part)
        known.add(f"struct {struct.name}")
        assert struct.about
    for function in found.functions:
        assert {function.returns, *(part.type for part in (*function.first, *function.rest))} <= known
        assert function.about


@pytest.mark.parametrize("target", ["c", "cuda", "hip"])
def test_the_struct_of_a_population_has_all_that_it_is_given(target):
    found, kernel = interface(target, EVERYTHING, per_neuron=("tau_ref",))
    population = next(s for s in found.structs if s.name.endswith("_population"))
    named = dict(fields(population))
    assert {f"state.{name}" for name in kernel.step.model.states} <= set(named)
    assert {f"parameter.{name}" for name in kernel.step.model.parameters} == {n for n in named if "parameter." in n}
    assert named["parameter.tau_ref"].is_pointer and named["parameter.tau_ref"].type == "float64"
    assert named["state.t_last_spike"].type == "float64"


@pytest.mark.parametrize("target", ["c", "cuda"])
def test_inputs_have_what_the_kernel_makes_of_them(target):
    plain, _ = interface(target, iz.load("RS"))
    drawn, _ = interface(target, iz.load("RS"), **DRAWN)
    names = [{s.name: [n for n, _ in fields(s)] for s in found.structs} for found in (plain, drawn)]
    assert names[0]["RS_input"] == ["values", "step_stride", "neuron_stride"]
    assert names[1]["RS_input"] == [*names[0]["RS_input"], "counts", "deliveries"]
    assert "RS_counts" not in names[0] and set(names[1]) - set(names[0]) == {"RS_counts", "RS_deliveries"}


@pytest.mark.parametrize("target", ["c", "cuda", "hip"])
def test_the_text_is_what_a_program_begins_with_and_what_cffi_reads(target):
    program = EVERYTHING.program(target)
    assert program.interface in program.source
    ffi = cffi.FFI()
    ffi.cdef(program.interface)
    assert ffi.sizeof(f"struct {program.name}_run") > 100


def test_the_text_in_c():
    found = Interface(
        (
            Struct(
                "pair",
                (
                    value("count", "int64", "how many"),
                    Group("inner", (pointer("a b", "float32", constant=True),)),
                    Field(("x",), "float64", length="4", about="two lines\nof what comes"),
                ),
                "A pair.",
            ),
        ),
        (Function("add", "int32", (pointer("to", "struct pair"),), "Adds.", (value("n", "uint8"),)),),
    )
    assert c_text(found) == (
        "/* A pair. */\nstruct pair {\n    int64_t count; /* how many */\n    struct {\n        const float *a, *b;\n"
        "    } inner;\n    /* two lines\n       of what comes */\n    double x[4];\n};\n"
        "\n/* Adds. */\nint32_t add(struct pair *to,\n                           uint8_t n);\n"
    )
    assert prototype(Function("f", "void", (), "")) == "void f(void);"
