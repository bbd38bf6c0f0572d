"""Projects whose events are located inside their steps: on a host, as a device's on the host, and on an emulated board."""

import json
import re
from functools import cache

import numpy as np
import pytest

import izhigen as iz
from izhigen import Event, Model
from izhigen.codegen.request import KernelRequest
from izhigen.standalone.project import MANIFEST, build_project
from tests.codegen.test_kernel import HODGKIN_HUXLEY
from tests.cuda.host import needs_compiler
from tests.end_to_end.test_events import MANY
from tests.standalone.conftest import CHECKED, LANGUAGES, STRICT, link, need, on_host, run
from tests.standalone.test_embedded import CORES
from tests.standalone.test_embedded import STRICT as STRICT_EMBEDDED
from tests.standalone.test_events import MODELS as EVENTS
from tests.standalone.test_mutants import compiler, surviving
from tests.standalone.test_projects import files

RICH = (
    Model(
        "Rich",
        "dV/dt = I - V/2 + sin(3*t)\ndw/dt = (V - w)/3",
        threshold="V >= 1 + 0.2*sin(5*t) - 0.3*exp(-(t - t_last_spike)/10)",
        reset="V = 0.2*cos(4*t) + 0.1*old(V); w = w + 0.1*exp(t_last_spike - t)",
        inputs=["I"],
        events={
            "high": Event("w > 0.6 + 0.1*cos(2*t) + 0.2*exp((t_last_spike - t)/2)", "w = w - 0.4 + 0.1*old(w)"),
            "turn": Event("V*w > 0.5 + 0.2*sin(t)", trigger="rising"),
        },
    )
    .with_refractory(1.0, hold=())
    .variant("Rich")
)
"""All that a search reads: the time, that since the last spike, values at the step's start; and events that are muted."""
MODELS = {
    "IzhikevichLTC": (iz.load("IzhikevichLTC"), ()),
    "IzhikevichRefLTC": (iz.load("IzhikevichRefLTC"), ("V",)),
    "HodgkinHuxley": (HODGKIN_HUXLEY.variant("HodgkinHuxley"), ()),
    "Many": (MANY, ("s",)),
    "Until": (MANY.variant("Until").with_refractory(until="s < 1.2", hold=["V"]), ()),
    "Rich": (RICH, ("w",)),
    "Silent": (EVENTS["Silent"], ()),
}
CUDA = pytest.param("cuda", marks=needs_compiler)
BOTH = ["c", "c-embedded"]


@cache
def located(name, target="c", dtype="float32", timing="located"):
    """The project of a model."""
    model, deltas = MODELS[name]
    return build_project(KernelRequest(model, dtype=dtype, deltas=deltas, spike_timing=timing), target)


def built(written, folder, program, target, *flags):
    """Write a project, and build one of its programs."""
    written.write(folder)
    command, source, test, support = compiler(target, written.name)
    strict = [*CHECKED] if target == "cuda" else ["-O1", *STRICT]
    double = ["-Wdouble-promotion"] if target == "c-embedded" else []
    command = on_host(*CHECKED) if target == "cuda" else [*command, *strict, *double, *flags]
    link(command, [test.replace("selftest", program), source, *support], program, folder)
    return f"./{program}"


@pytest.mark.parametrize(
    ("name", "target", "dtype", "timing"),
    [
        *((name, target, "float32", "located") for name in MODELS if name != "Rich" for target in BOTH),
        *(("Rich", target, "float32", "located") for target in BOTH),
        pytest.param(
            "Rich", "cuda", "float32", "located", marks=needs_compiler
        ),  # beside those with the same golden values
        *((name, target, "float32", "linear") for name in ("IzhikevichRefLTC", "Many") for target in BOTH),
        ("Many", "c", "float64", "located"),
        pytest.param("IzhikevichLTC", "cuda", "float32", "located", marks=needs_compiler),
        pytest.param("IzhikevichRefLTC", "cuda", "float64", "linear", marks=needs_compiler),
    ],
)
@pytest.mark.sample(9)
def test_self_tests_pass(tmp_path, name, target, dtype, timing):
    written = located(name, target, dtype, timing)
    assert "0 differences: passed" in run([built(written, tmp_path, "selftest", target)], tmp_path)
    if name == "Silent":
        assert run([built(written, tmp_path, "main", target)], tmp_path).startswith("time_ms,neuron\n")
    assert json.loads(written.files[MANIFEST])["spike_timing"] == timing


SEARCH = [
    (r"tried <= 64", "tried <= 1"),
    (r"const int ends = .*;", "const int ends = 0;"),
    (r"is_held = moment.held_until > moment.at;", "is_held = 0;"),
    (r"is_held = moment.held_until >= 1.0f;", "is_held = 0;"),
    (r"excluded = \(before & \(happened", "excluded = (0u & (happened"),
    (r"(excluded = .*) \| \(is_held \? \d+u : 0u\);", r"\1;"),
    (r"places\+\+ == 16", "places++ == 1"),
    (r"\n *iz_arrive\(.*\);", ""),
    (r"moment.since = 0.0f;\n(?!.*since_at)", "\n"),
    (r"moment.since \+= place \* length", "moment.since += length"),
    (r"then.(since|elapsed) = .*;", r"then.\1 = moment->\1;"),
    (r"moment.elapsed = moment.(at \* moment.)?dt;", "moment.elapsed = 0;"),
    (r"(moment.start = state;)", r"\1 moment.start.V += 0.01f;"),
    (r"state = to;\n(?= *now)", "\n"),
]
"""Of what all targets share."""
OWN = {
    "c-embedded": [
        (r"(spike_offset\[i\]\[place\] = )at;", r"\1at * 0.9999f;"),
        (r"(moment.t = ).*;", r"\g<1>0;"),
        (r"\*reach = end < .*;", "*reach = 0.0f;"),
        (r"(last_spike_offset\[i\] = )moment.at", r"\g<1>0.0f"),
    ],
    "c": [
        (r"(spike_offset\[run->spike_count\] = )at;", r"\1at * 0.9999f;"),
        (r"(moment.t = ).*;", r"\g<1>0;"),
        (r"\(double\)\((run->first_step \+ s)\) \+ place", r"(double)(\1)"),
        (r"time = time_now \+ \(double\)moment.at \* time_step", "time = time_now"),
        (r"\(time_now - lanes->t_last_spike\[lane\]\);\n *moment.since_at", "(0);\n moment.since_at"),
    ],
}
"""Of what a part is told, and of what is written down."""


@pytest.mark.parametrize(("target", "shared"), [("c", []), ("c-embedded", SEARCH)], ids=BOTH)
def test_the_self_test_sees_changes(tmp_path, target, shared):
    changes = [*shared, *OWN[target]]
    assert surviving(tmp_path, located("Rich", target), target, changes) == (len(changes), [])


HOLDS = [
    (r"step_next == release", "step_next + 1 == release"),
    (r"is_held = moment.held_until >= 1.0f;", "is_held = 0;"),
    (r"const int ends = .*;", "const int ends = 0;"),
]
"""Of a hold that ends inside a step."""


@pytest.mark.parametrize("target", BOTH)
def test_the_self_test_sees_when_a_hold_ends(tmp_path, target):
    written = located("IzhikevichRefLTC", target, timing="linear")
    assert surviving(tmp_path, written, target, HOLDS) == (len(HOLDS), [])


@needs_compiler
def test_the_self_test_of_a_device_sees_changes(tmp_path):
    changes = [
        (r"(spike_offset\[place\] = )at;", r"\1at * 0.9999f;"),
        (r"places\+\+ == 16", "places++ == 1"),
        (r"\(double\)step \+ \(double\)at", "(double)step"),
    ]
    assert surviving(tmp_path, located("IzhikevichLTC", "cuda"), "cuda", changes) == (3, [])


def spikes_of(printed):
    return np.array([line.split(",") for line in printed.splitlines()[1:] if line[:1].isdigit()], float)


@needs_compiler
def test_examples_print_the_same_spikes_in_order_of_time(tmp_path):
    found = []
    for target in ("c", "cuda"):
        program = built(located("Many", target), tmp_path / target, "main", target)
        found.append(spikes_of(run([program, "7", "200", "0.1", "3"], tmp_path / target)))
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)
    times = found[0][:, 0]
    assert len(times) > 100 and (np.diff(times) >= 0).all()
    assert (np.abs(times / 0.1 - np.round(times / 0.1)) > 1e-3).any()


def test_the_example_of_a_microcontroller_prints_the_spikes_of_that_of_a_processor(tmp_path):
    """Noise has one key, and one step is as long as another but for the last place."""
    c = built(located("IzhikevichLTC"), tmp_path / "c", "main", "c")
    size = "-DIzhikevichLTC_NEURONS=3"
    embedded = built(located("IzhikevichLTC", "c-embedded"), tmp_path / "e", "main", "c-embedded", size)
    wanted = spikes_of(run([c, "3", "500", "0.1", "1"], tmp_path / "c"))
    found = spikes_of(run([embedded], tmp_path / "e"))
    found = found[np.lexsort((found[:, 1], found[:, 0]))]
    np.testing.assert_allclose(found[:20], wanted[:20], atol=2e-3)


TWICE = """
#include <stdio.h>
#include "IzhikevichLTC.h"
int main(void)
{
    static struct IzhikevichLTC_population population;
    static struct IzhikevichLTC_input input;
    int step, k, total = 0;
    IzhikevichLTC_defaults(&population, 0.5f);
    IzhikevichLTC_initialize(&population);
    input.I[0] = 1000.0f;
    for (step = 0; step < 4; step++) {
        total += IzhikevichLTC_step(&population, &input);
        printf("%d %d", population.spike[0], population.spike_count[0]);
        for (k = 0; k < population.spike_count[0] && k < IzhikevichLTC_PLACES; k++)
            printf(" %.7g", (double)population.spike_offset[0][k]);
        printf("\\n");
    }
    printf("%d\\n", total);
    return 0;
}
"""


def test_a_microcontroller_keeps_as_many_places_as_it_is_told(tmp_path):
    located("IzhikevichLTC", "c-embedded").write(tmp_path)
    (tmp_path / "twice.c").write_text(TWICE)
    kept = {}
    for places in (1, 2, 8):
        words = ["gcc", "-std=c99", "-O1", f"-DIzhikevichLTC_PLACES={places}", "-DIzhikevichLTC_NEURONS=1"]
        run([*words, "-o", "twice", "twice.c", "IzhikevichLTC.c"], tmp_path)
        kept[places] = [line.split() for line in run(["./twice"], tmp_path).splitlines()]
    *rows, total = kept[8]
    counts = [int(row[1]) for row in rows]
    assert int(total[0]) == sum(counts) and max(counts) > 2 and all(len(row) == 2 + int(row[1]) for row in rows)
    assert [row[0] for row in rows] == [str(int(count > 0)) for count in counts]
    assert all(np.all(np.diff([0.0, *map(float, row[2:]), 1.0]) > 0) for row in rows)
    for places in (1, 2):
        assert kept[places] == [*(row[: 2 + places] for row in rows), total]
    link(
        ["gcc", "-std=c99", "-DIzhikevichLTC_PLACES=1"],
        ["selftest.c", *files("IzhikevichLTC", "c-embedded")],
        "selftest",
        tmp_path,
    )
    assert "0 differences: passed" in run(["./selftest"], tmp_path)


def test_a_list_holds_what_the_header_says_and_no_more_is_needed(tmp_path):
    """In a step of 1 ms with a strong current, a neuron spikes many times; the last part of the step has no search."""
    written = located("IzhikevichLTC")
    tile, slots = re.search(r"must hold\s+(\d+)\*(\d+)\*steps", written.files["IzhikevichLTC.h"]).groups()
    written.write(tmp_path)
    (tmp_path / "full.c").write_text(FULL)
    found = []
    for capacity in (3 * int(slots), 3 * int(slots) - 1):
        link(["gcc", "-std=c99", "-O1", f"-DCAPACITY={capacity}"], ["full.c", "IzhikevichLTC.c"], "full", tmp_path)
        found.append(run(["./full"], tmp_path).split())
    assert int(tile) > 3 and found[0][0] == "3" and 3 < int(found[0][1]) <= 3 * int(slots) and found[1] == ["-1", "0"]


FULL = """
#include <stdio.h>
#include "IzhikevichLTC.h"
int main(void)
{
    static float V[3], u[3], offset[CAPACITY];
    static int64_t step[CAPACITY], neuron[CAPACITY];
    const float current = 20000.0f;
    struct IzhikevichLTC_population population;
    struct IzhikevichLTC_run run;
    long long last;
    IzhikevichLTC_defaults(&population, 3, 1.0);
    population.state.V = V;
    population.state.u = u;
    IzhikevichLTC_initialize(&population);
    IzhikevichLTC_prepare_run(&run, 0, 1);
    run.input.I.values = &current;
    run.spike_step = step;
    run.spike_neuron = neuron;
    run.spike_offset = offset;
    run.spike_capacity = CAPACITY;
    last = (long long)IzhikevichLTC_advance(&population, &run, 0, 3);
    printf("%lld %lld", last, (long long)run.spike_count);
    return 0;
}
"""


@pytest.mark.tools
def test_the_sources_are_c_and_cpp(tmp_path):
    for target in BOTH:
        located("Rich", target).write(tmp_path / target)
        for command in LANGUAGES.values():
            run([*command, "-c", "-o", "x.o", "Rich.c"], tmp_path / target)


@pytest.mark.tools
@pytest.mark.parametrize("core", CORES)
def test_a_microcontroller_links_to_nothing_but_single_precision_arithmetic(tmp_path, core):
    need("arm-none-eabi-gcc", "arm-none-eabi-nm")
    located("Rich", "c-embedded").write(tmp_path)
    run(["arm-none-eabi-gcc", *CORES[core][0], *STRICT_EMBEDDED, "-Os", "-c", "Rich.c"], tmp_path)
    symbols = [line.split() for line in run(["arm-none-eabi-nm", "Rich.o"], tmp_path).splitlines()]
    undefined = {parts[-1] for parts in symbols if parts[-2] == "U"}
    assert all(symbol.startswith("__aeabi_") or symbol in ("memset", "memcpy") for symbol in undefined), undefined
    assert not [symbol for symbol in undefined if symbol.startswith("__aeabi_d") or symbol.endswith("2d")]
    assert not {parts[-2] for parts in symbols} & set("bBdDC")


@pytest.mark.tools
def test_the_self_test_passes_on_an_emulated_board(tmp_path):
    need("arm-none-eabi-gcc", "qemu-system-arm", "make")
    located("Rich", "c-embedded").write(tmp_path)
    assert "0 differences: passed" in run(["make", "-s", "qemu"], tmp_path)


@pytest.mark.parametrize("target", ["c", "cuda", "c-embedded"])
def test_pages_and_headers_say_where_events_are(target):
    written = located("Many", target)
    page, header = written.files["README.md"], written.files["Many.h"]
    assert "## Places inside steps" in page and "spike_offset" in page and "spike_offset" in header
    assert "whole steps: as many" not in page and "where in it" in re.sub(r"\s+", " ", header + page)
    assert "spike_offset" not in build_project(KernelRequest(MANY), target).files["README.md"]


def test_names_of_a_model_may_be_those_of_a_search(tmp_path):
    names = ["moment", "ready", "ahead", "holds", "there", "happened", "excluded", "margins"]
    lines = "\n".join(f"d{name}/dt = {name}_0 - {name}/10" for name in names)
    parameters = dict.fromkeys((f"{name}_0" for name in names), 1.0) | {"to": 2.0}
    events = {"other": Event("there + ahead + holds > to", "ready = 0; happened = 0")}
    model = Model("Names", lines, threshold="moment + excluded + margins > to", parameters=parameters, events=events)
    for timing in ("linear", "located"):
        for target in BOTH:
            (tmp_path / "x.c").write_text(KernelRequest(model, spike_timing=timing).program(target).source)
            run(["gcc", "-std=c99", *STRICT, "-Wno-unused-function", "-fsyntax-only", "x.c"], tmp_path)
