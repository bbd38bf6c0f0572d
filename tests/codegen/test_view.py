"""What the views say for known kernels, and that templates read nothing else."""

import dataclasses
import re

import jinja2
import jinja2.meta
import pytest

import izhigen as iz
from izhigen.bench.scalar import ScalarView
from izhigen.codegen.render import ActionView, BlockView, FunctionView
from izhigen.codegen.request import KernelRequest
from izhigen.codegen.targets import find_target, target_names
from izhigen.codegen.view import KernelView, Variate
from izhigen.codegen.viewing import view_of
from izhigen.network.delivery import DeliveryView
from izhigen.standalone.view import ProjectView
from tests.conftest import ROOT

LTC = iz.load("IzhikevichRefLTC").with_noise(V=1.0)
TEMPLATES = ROOT / "templates"


def view(model, target="c", dtype="float32", **choices):
    found = find_target(target)
    return view_of(KernelRequest(model, dtype=dtype, **choices).kernel(), target, found.printer(dtype), found.words)


def names(parts):
    return [part.name for part in parts]


@pytest.fixture(scope="module")
def everything():
    return view(
        LTC,
        per_neuron=("a", "tau_ref"),
        deltas=("u",),
        noisy_inputs=("I",),
        counted_inputs=("u_delta",),
        timed_inputs=(("I", "c0*t"),),
    )


def test_what_the_model_declares(everything):
    assert names(everything.model.states) == ["V", "u"] and everything.model.states[0].note == "mV"
    assert names(everything.model.neuron_parameters) == ["a", "tau_ref"]
    assert [p.type for p in everything.model.neuron_parameters] == ["float", "double"]
    assert "a" not in names(everything.model.parameters) and {p.type for p in everything.model.parameters} == {"double"}
    assert everything.noise == (Variate("xi_V", 0),) and everything.spikes


def test_inputs_say_what_the_kernel_makes_of_them(everything):
    inputs = everything.inputs
    assert names(inputs.all) == ["I", "u_delta"] and inputs.drawn == ("I", "u_delta")
    assert (inputs.noisy, inputs.counted, inputs.delivered) == (("I",), ("u_delta",), ())
    assert [(line.name, line.type, line.text) for line in inputs.timed] == [("I", "double", "c[0] * t")]
    delivered = view(LTC, delivered_inputs=("I",)).inputs
    assert delivered.delivered == delivered.drawn == ("I",)


def test_constants_and_where_they_are_given(everything):
    constants = everything.constants
    assert {v.name: v.source for v in constants.given}["V_th"] == "parameter.V_th"
    assert constants.given[-1].source == "dt"
    assert "sigma_V_sqrt_dt" in names(constants.in_step) and "sigma_V_sqrt_dt" not in names(constants.in_guard)
    assert names(constants.in_prepare) == ["dt"]
    read = names(constants.in_step) + names(constants.in_prepare) + names(constants.in_guard)
    assert set(read) == set(names(constants.all))


def test_lanes_by_who_reads_them(everything):
    lanes = everything.lanes
    assert names(lanes.in_prepare) == ["a"] and names(lanes.in_guard) == ["V"]
    assert names(lanes.guarded) == ["iz_phi1_z_V"] and lanes.guarded[0] in lanes.values
    assert names(lanes.in_step) == [*names(lanes.values), "spike"] and "spike" not in names(lanes.stored)
    assert names(lanes.recorded) == ["V", "u", "t_last_spike", "I", "u_delta"]
    assert lanes.copied_types == ("double", "float")
    sources = {lane.name: lane.source for lane in lanes.all}
    assert sources["refractory_period"] == "parameter.tau_ref" and sources["release"] == sources["I"] == ""


def test_a_period_that_equations_read_has_a_lane_of_its_own():
    model = LTC.variant("Read", equations="dV/dt = -V/tau_ref + I\ndu/dt = -u")
    assert names(view(model, per_neuron=("tau_ref",)).lanes.periods) == ["tau_ref"]
    assert view(model).lanes.periods == ()


def test_code_and_events(everything):
    code = everything.code
    assert names(code.stores) == ["V", "u"] and code.stores[0].text == "spike ? c : V_new"
    assert names(code.guard) == ["z_V"] and names(code.prepare) == ["a_dt_phi1_minus_a_dt"]
    assert code.clock == () and not code.reads_time and code.initial == ()
    (spike,) = everything.events
    assert spike.name == "spike" and names(spike.stores) == ["t_last_spike", "release"]
    assert everything.hold.exists and not everything.hold.is_uniform
    (single,) = view(LTC, "c-embedded").events
    assert names(single.stores) == ["release"]
    plain = view(iz.load("Izhikevich"))
    assert plain.events == () and not plain.hold.exists and not plain.hold.is_uniform
    assert view(iz.load("IzhikevichRef")).hold.is_uniform


@pytest.mark.parametrize(
    ("target", "given", "reaches", "serves"),
    [
        ("c", "form, reach", ["1.0f", "2.0f", "87.0f"], "z_V_at_threshold >= -1.0f && z_V_at_threshold <= 1.0f"),
        ("cuda", "constants->short_reach", ["1.0f"], "z_V_at_threshold >= -1.0f && z_V_at_threshold <= 1.0f"),
        ("c-embedded", "short_form", ["1.0f"], "(z_V_at_threshold >= -1.0f) & (z_V_at_threshold <= 1.0f)"),
    ],
)
def test_every_target_has_its_words_for_the_short_form(target, given, reaches, serves):
    found = view(iz.load("Izhikevich"), target)
    lines = found.code.guarded if target == "c" else found.code.step
    assert [f"iz_phi1_form(z_V, {given})" in line.text for line in lines].count(True) == 1
    assert [form.reach for form in found.short.forms] == reaches and found.short.forms[0].serves == serves
    assert found.short.arguments == ("z_V",)
    assert not view(iz.Model("Leak", "dV/dt = -V"), target).short.arguments


def test_what_only_arguments_of_phi1_read_is_in_the_first_part_of_a_step_alone():
    found = view(iz.load("Izhikevich"))
    assert names(found.code.guard) == ["z_V"] and names(found.code.guarded) == ["iz_phi1_z_V"]
    assert names(found.constants.in_guard) == ["dt_p2", "dt_p1_2"] and "z_V" not in names(found.code.step)
    assert "dt_p2" in names(found.constants.in_step) and "dt_p1_2" not in names(found.constants.in_step)
    assert "z_V" in names(view(iz.load("Izhikevich").with_noise(V=1.0)).code.step)
    plain = view(iz.load("Izhikevich"), "cuda")
    assert "z_V" in names(plain.code.step) and "iz_phi1_z_V" not in names(plain.lanes.all)


def test_what_follows_from_the_parts():
    still = view(iz.Model("Leak", "dV/dt = -V"))
    assert not (still.is_timed or still.is_clocked or still.draws or still.draws_by_step or still.is_fed)
    clock_model = iz.Model("Clock", "dV/dt = sin(t)")
    clock = view(clock_model)
    assert clock.is_timed and clock.is_clocked and clock.code.reads_time and clock.code.clock
    leaky = iz.Model("Leak", "dV/dt = I - V", inputs=["I"])
    assert view(leaky).is_fed and not view(leaky).draws
    assert view(leaky, delivered_inputs=("I",)).draws and not view(leaky, delivered_inputs=("I",)).draws_by_step
    assert view(leaky, counted_inputs=("I",)).draws_by_step
    assert view(leaky).tile.steps == 8 and view(leaky, delivered_inputs=("I",)).tile.steps == 4
    assert [view(clock_model, "cuda", dtype).code.time_in_parts for dtype in ("float32", "float64")] == [True, False]
    assert view(leaky).has_constants and not view(iz.Model("Still", "dV/dt = 0*V")).has_constants
    assert view(leaky, dtype="float64").zero == "0.0" and view(leaky).zero == "0.0f"


def test_tiles_hold_fewer_neurons_of_larger_models():
    model = iz.Model("Chain", "\n".join(f"dx{k}/dt = x{(k + 1) % 20} - x{k}" for k in range(20)))
    assert view(iz.load("Izhikevich")).tile.size == 256 and view(iz.load("Izhikevich")).tile.group == 128
    assert view(model, dtype="float64").tile.size == view(model, dtype="float64").tile.group == 128


def fields(type_):
    own = {f.name for f in dataclasses.fields(type_)}
    return own | {name for name, value in vars(type_).items() if isinstance(value, property)}


def test_templates_read_views_and_nothing_else():
    """Every name that a template does not set itself is a view, and each field that it reads of one exists."""
    environment = jinja2.Environment(trim_blocks=True, autoescape=False)
    parts = {f.name: f.type for f in dataclasses.fields(KernelView)}
    views = {"view": KernelView, "project": ProjectView}
    scalar = TEMPLATES / "c" / "scalar.c.j2"
    assert set(re.findall(r"\bview\.(\w+)", scalar.read_text())) == fields(ScalarView)
    for path in sorted(TEMPLATES.rglob("*.j2")):
        place = path.relative_to(TEMPLATES)
        if place.parts[0] == "math" or place.name in ("scalar.c.j2", "limits.c.j2"):
            continue  # of elementary functions, and of benchmarks
        text = path.read_text()
        set_by_includers = {"number", "number_suffix", "target_words", "words", "neurons_before"}
        known = {"view", "interface", "project", "agreed", *set_by_includers}
        assert jinja2.meta.find_undeclared_variables(environment.parse(text)) <= known, path
        views["view"] = DeliveryView if place.parts[0] == "network" else KernelView
        for tag in re.findall(r"\{[{%].*?[%}]\}", text, re.S):
            for owner, field, part in re.findall(r"(?<![\w.])(view|project)\.(\w+)(?:\.(\w+))?", tag):
                assert field in fields(views[owner]), f"{path}: {owner}.{field}"
                type_ = getattr(__import__("izhigen.codegen.view", fromlist=["x"]), str(parts.get(field)), None)
                if owner == "view" and part and dataclasses.is_dataclass(type_):
                    assert part in fields(type_), f"{path}: view.{field}.{part}"


def test_templates_of_functions_read_the_fields_of_their_view():
    environment = jinja2.Environment(trim_blocks=True, autoescape=False)
    for path in sorted((TEMPLATES / "math").iterdir()):
        type_ = BlockView if path.name.startswith("block_") else FunctionView
        type_ = ActionView if path.name == "block_action_unrolled.j2" else type_
        read = jinja2.meta.find_undeclared_variables(environment.parse(path.read_text()))
        assert read <= fields(type_) | {"agreed"}, path


@pytest.mark.parametrize("target", target_names())
def test_a_view_is_text_alone(target):
    """No SymPy value reaches a template."""

    def check(value):
        if dataclasses.is_dataclass(value):
            for f in dataclasses.fields(value):
                check(getattr(value, f.name))
        elif isinstance(value, (tuple, frozenset)):
            for part in value:
                check(part)
        else:
            assert value is None or isinstance(value, (str, int, bool)), value

    check(view(LTC, target))
