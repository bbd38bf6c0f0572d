"""No program carries a function that nothing in it calls: compilers warn of that, some of them for inline functions too."""

import re

import pytest

import izhigen as iz
from izhigen.codegen.elementary import NEEDS, in_order
from izhigen.codegen.render import elementary_texts
from izhigen.codegen.request import KernelRequest
from izhigen.codegen.targets import find_target, target_names
from tests.codegen.test_kernel import HODGKIN_HUXLEY
from tests.codegen.test_source import FULL, ODD
from tests.helpers import distinct_models

DEFINED = re.compile(r"^(?:static|IZ_INLINE)\b[^;={]*?\b(\w+)\([^;{]*\)\n\{", re.MULTILINE)
MODELS = {"Everything": FULL, "HH": HODGKIN_HUXLEY, **distinct_models(), **ODD}


def unused(text, wanted=()):
    """The functions of this file alone that nothing in it calls."""
    names = set(DEFINED.findall(text)) - set(wanted)
    return {name for name in names if len(re.findall(rf"\b{name}\(", text)) < 2}


def test_an_unused_function_is_found():
    text = "static inline float f(float x)\n{\n}\nIZ_INLINE float g(float x)\n{\n    return f(x);\n}\n"
    assert unused(text) == {"g"} and unused(text, ["g"]) == set()


PARTS = {
    "from_bits",
    "to_bits",
    "reduction",
    "limits",
    "head",
    "binary",
    "pair",
    "angle",
    "log_sum",
    "inlining",
    "normal",
    "poisson",
    "time_fused",
}
"""What other functions or a kernel's own text are made with."""


def printed_functions():
    """Every function with each target that has it."""
    for target in target_names():
        variates = find_target(target).printer("float32").VARIATES
        for name in NEEDS:
            counts_steps = name == "time" or name.endswith("_inside")
            other_target = (counts_steps and target != "c-embedded") or (name == "normals" and name != variates)
            if name not in PARTS and not other_target:
                yield target, name


@pytest.mark.parametrize(("target", "name"), printed_functions())
def test_a_function_brings_only_what_it_calls(target, name):
    found = find_target(target)
    printer = found.printer(found.dtypes[0])
    text = "\n".join(elementary_texts(printer, in_order({name}, printer.PROVIDED)))
    assert unused(text, [f"iz_{name.removesuffix('_inside')}"]) == set()


@pytest.mark.parametrize("target", target_names())
@pytest.mark.parametrize("name", MODELS)
def test_a_program_defines_only_what_it_calls(target, name):
    model, found = MODELS[name], find_target(target)
    for dtype in found.dtypes:
        assert unused(model.source(target, dtype=dtype)) == set()


@pytest.mark.parametrize("drawn", ["noisy_inputs", "counted_inputs", "delivered_inputs"])
@pytest.mark.parametrize("target", [name for name in target_names() if name != "c-embedded"])
def test_what_is_drawn_brings_only_what_it_calls(target, drawn):
    for dtype in find_target(target).dtypes:
        request = KernelRequest(iz.load("IzhikevichLTC"), dtype=dtype, deltas=("V",), **{drawn: ("I", "V_delta")})
        assert unused(request.program(target).source) == set()
