"""No program carries a function that nothing in it calls: compilers warn of that, some of them for inline functions too."""

import re

import pytest

import izhigen as iz
from izhigen.codegen.elementary import NEEDS, in_order
from izhigen.codegen.render import elementary_texts
from izhigen.codegen.targets import find_target, target_names
from tests.codegen.test_kernel import HODGKIN_HUXLEY
from tests.codegen.test_source import FULL, ODD

DEFINED = re.compile(r"^(?:static|IZ_INLINE)\b[^;={]*?\b(\w+)\([^;{]*\)\n\{", re.MULTILINE)
MODELS = {"Everything": FULL, "HH": HODGKIN_HUXLEY, **{name: iz.load(name) for name in iz.list_models()}, **ODD}


def unused(text, wanted=()):
    """The functions of this file alone that nothing in it calls."""
    names = set(DEFINED.findall(text)) - set(wanted)
    return {name for name in names if len(re.findall(rf"\b{name}\(", text)) < 2}


def test_an_unused_function_is_found():
    text = "static inline float f(float x)\n{\n}\nIZ_INLINE float g(float x)\n{\n    return f(x);\n}\n"
    assert unused(text) == {"g"} and unused(text, ["g"]) == set()


@pytest.mark.parametrize("target", target_names())
@pytest.mark.parametrize("name", NEEDS)
def test_a_function_brings_only_what_it_calls(target, name):
    found = find_target(target)
    printer = found.printer(found.dtypes[0])
    helpers = {
        "from_bits",
        "to_bits",
        "reduction",
        "head",
        "binary",
        "pair",
        "angle",
        "log_sum",
        "inlining",
        "normal",
        "time_fused",
    }
    if name in helpers or (name == "time" and target != "c-embedded") or name == "normals" != printer.VARIATES:
        pytest.skip("a part of others, or not of this target")
    text = "\n".join(elementary_texts(printer, in_order({name}, printer.PROVIDED)))
    assert unused(text, [f"iz_{name}"]) == set()


@pytest.mark.parametrize("target", target_names())
@pytest.mark.parametrize("name", MODELS)
def test_a_program_defines_only_what_it_calls(target, name):
    model, found = MODELS[name], find_target(target)
    for dtype in found.dtypes:
        assert unused(model.source(target, dtype=dtype)) == set()
