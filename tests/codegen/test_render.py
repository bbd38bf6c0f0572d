"""Text of functions, the comment at the head, and the environment of templates."""

import jinja2
import pytest

import izhigen as iz
from izhigen.backends import poisson, random
from izhigen.codegen import agreed
from izhigen.codegen.kernel import build_kernel
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.printers.cuda import CudaPrinter
from izhigen.codegen.printers.embedded import EmbeddedPrinter
from izhigen.codegen.render import elementary_texts, environment, functions_of, head_of
from izhigen.codegen.request import KernelRequest
from izhigen.codegen.targets import target_names
from izhigen.derive.step import derive_step
from izhigen.model import initial
from tests.conftest import ROOT


def defined(texts):
    return [line.split("(")[0].split()[-1] for text in texts for line in text.splitlines() if line.startswith("static")]


def kernel(name, **choices):
    return build_kernel(derive_step(iz.load(name)), **choices)


def test_undefined_names_are_errors():
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        environment().from_string("{{ nothing }}").render()


@pytest.mark.parametrize(
    ("printer", "first", "wide"), [(CPrinter, "inline", 1), (CudaPrinter, "inline", 0), (EmbeddedPrinter, "float", 0)]
)
def test_the_choice_among_forms_stands_after_the_forms(printer, first, wide):
    found = defined(functions_of(kernel("Izhikevich"), printer("float32")))
    assert found[-1] == "iz_phi1_form" and found.index("iz_phi1") < found.index("iz_phi1_near") < len(found) - 1
    assert found.count("iz_phi1_wide") == wide
    (text,) = elementary_texts(printer("float32"), ["phi1_form"])
    assert first in next(line for line in text.splitlines() if "iz_phi1_form" in line).split(" iz_phi1_form")[0]
    assert text.count("1.0f") == {CPrinter: 2, CudaPrinter: 0, EmbeddedPrinter: 3}[printer]


def test_functions_follow_from_the_kernel():
    assert "iz_release" in defined(functions_of(kernel("IzhikevichRef"), CPrinter("float32")))
    assert "iz_release" not in defined(functions_of(kernel("Izhikevich"), CPrinter("float32")))
    found = defined(functions_of(kernel("Izhikevich", counted_inputs=["I"], noisy_inputs=["I"]), CPrinter("float64")))
    assert {"iz_find_value", "iz_philox", "iz_normals"} <= set(found) and len(found) == len(set(found))


def test_the_head_names_model_method_and_units():
    head = list(head_of(kernel("IzhikevichRef", per_neuron=["a"])))
    assert head[0].startswith("IzhikevichRef") and iz.__version__ in head[1]
    assert any("method exp_euler" in line for line in head)
    assert [line for line in head if line.endswith("one value per neuron")] == [
        "  a = 0.02 1/ms  one value per neuron"
    ] and head[-1].startswith("Input I")


def test_numbers_stand_where_kernels_and_hosts_agree_on_them():
    assert initial.NEVER_SPIKED is agreed.NEVER_SPIKED and poisson.HIGH_WORDS is agreed.HIGH_WORDS
    assert random.MULTIPLIERS is agreed.MULTIPLIERS
    assert (agreed.AGREED.never, agreed.AGREED.no_step) == ("-1e7", "0x7fffffffffffffff")
    assert (agreed.AGREED.latest_release, agreed.AGREED.latest_release_whole) == ("4e18", "4000000000000000000LL")
    assert (agreed.AGREED.high_words, agreed.AGREED.low_words) == ("0x80000000u", "0xC0000000u")


def test_templates_hold_no_number_that_is_agreed_on():
    told = [value for value in vars(agreed.AGREED).values() if isinstance(value, str)]
    told += [*agreed.AGREED.multipliers, *agreed.AGREED.weyl]
    for path in (ROOT / "templates").rglob("*.j2"):
        text = path.read_text()
        found = [n for n in told if n in text and not (n == "1e6" and "read_number" in text)]
        assert not found, f"{path}: {found}"


def test_the_numbers_reach_the_text(request):
    model = iz.load("IzhikevichRef")
    for target in target_names():
        source = KernelRequest(model, "exp_euler").program(target).source
        assert "4000000000000000000LL" in source, target
    drawn = KernelRequest(model, counted_inputs=("I",), delivered_inputs=("I",)).program("c").source
    assert drawn.count("0x80000000u") == 1 and drawn.count("0xC0000000u") == 1 and "0x7fffffffffffffffLL" in drawn
