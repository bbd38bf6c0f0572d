"""Examples that cannot write, spike lists that are too small, and arguments that are no sizes."""

import re
import subprocess

import pytest

from tests.cuda.host import needs_compiler
from tests.standalone.conftest import CHECKED, link, need, on_host, project, run
from tests.standalone.test_projects import files


@pytest.fixture(scope="module", params=["c", "c-embedded"])
def built(request, tmp_path_factory):
    need("gcc")
    folder = tmp_path_factory.mktemp("project")
    written = project("IzhikevichLTC", request.param)
    written.write(folder)
    for program in ("main", "selftest"):
        link(["gcc", "-std=c99", "-O1"], [f"{program}.c", *files(written.name, request.param)], program, folder)
    return folder


@pytest.mark.parametrize("program", ["main", "selftest"])
@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_output_that_cannot_be_written_is_an_error(built, program, where):
    done = subprocess.run(["sh", "-c", f"./{program} {where}"], cwd=built, capture_output=True, text=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize(
    "arguments",
    ["nan", "inf", "-1", "0", "1e30", "x", "1.5", "''", "10 nan", "10 1e300", "10 500 0", "10 500 0.1 -1", "1 2 3 4 5"],
)
def test_arguments_that_are_refused(tmp_path_factory, arguments):
    need("gcc")
    folder = tmp_path_factory.getbasetemp() / "arguments"
    if not (folder / "main").exists():
        project("IzhikevichLTC").write(folder)
        link(["gcc", "-std=c99", "-O1"], ["main.c", "IzhikevichLTC.c"], "main", folder)
    done = subprocess.run(["sh", "-c", f"./main {arguments}"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""


PROGRAM = """
#include <stdio.h>
#include "IzhikevichLTC.h"
int main(void)
{
    static float V[3], u[3];
    static int64_t step[8], neuron[8];
    struct IzhikevichLTC_population population;
    struct IzhikevichLTC_run run;
    IzhikevichLTC_defaults(&population, 3, 0.1);
    population.state.V = V;
    population.state.u = u;
    IzhikevichLTC_initialize(&population);
    IzhikevichLTC_prepare_run(&run, 0, STEPS);
    run.spike_step = step;
    run.spike_neuron = neuron;
    run.spike_capacity = 8;
    printf("%lld", (long long)IzhikevichLTC_advance(&population, &run, 0, 3));
    return 0;
}
"""


@pytest.mark.parametrize(
    ("steps", "found"), [("2", "3"), ("3", "-1"), ("6148914691236517206", "-1"), ("0x7fffffffffffffff", "-1")]
)
def test_a_list_that_is_too_small_is_told_apart_from_one_that_is_full(tmp_path, steps, found):
    need("gcc")
    project("IzhikevichLTC").write(tmp_path)
    (tmp_path / "small.c").write_text(f"#define STEPS {steps}\n{PROGRAM}")
    link(["gcc", "-std=c99", "-O1"], ["small.c", "IzhikevichLTC.c"], "small", tmp_path)
    assert run(["./small"], tmp_path) == found


@pytest.mark.parametrize("capacity", [0, 39])
@pytest.mark.parametrize(
    ("target", "file", "room"),
    [
        ("c", "main.c", "run.spike_capacity = neurons;"),
        pytest.param(
            "cuda", "main.cu", "run.spike_capacity = room->steps * population->neurons;", marks=needs_compiler
        ),
    ],
)
def test_an_example_with_a_list_that_is_too_small_says_what_is_needed(tmp_path, target, file, room, capacity):
    """All 40 neurons are of one tile, so none of them is advanced."""
    written = project("IzhikevichLTC", target)
    written.write(tmp_path)
    source = tmp_path / file
    assert room in source.read_text()
    source.write_text(source.read_text().replace(room, f"run.spike_capacity = {capacity};"))
    command = on_host(*CHECKED) if target == "cuda" else ["gcc", "-std=c99", "-O1"]
    link(command, [file, f"IzhikevichLTC{source.suffix}"], "main", tmp_path)
    done = subprocess.run(["./main", "40", "10"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == "time_ms,neuron\n"
    assert re.fullmatch(rf"a list of {capacity} spikes is too small for .*; give it room for (40|4000)\n", done.stderr)


MANY = """
#include <stdio.h>
#include "IzhikevichLTC.h"
enum { N = 700 };
int main(void)
{
    static float V[N], u[N];
    static int64_t step[CAPACITY], neuron[CAPACITY];
    const float current = 300.0f;
    struct IzhikevichLTC_population population;
    struct IzhikevichLTC_run run;
    int64_t first = 0, spikes = 0;
    IzhikevichLTC_defaults(&population, N, 0.1);
    population.state.V = V;
    population.state.u = u;
    IzhikevichLTC_initialize(&population);
    IzhikevichLTC_prepare_run(&run, 0, 100);
    run.input.I.values = &current;
    run.spike_step = step;
    run.spike_neuron = neuron;
    run.spike_capacity = CAPACITY;
    while (first >= 0 && first < N) {
        first = IzhikevichLTC_advance(&population, &run, first, N);
        spikes += run.spike_count;
        run.spike_count = 0;
    }
    printf("%lld %lld %g %g", (long long)first, (long long)spikes, (double)V[0], (double)V[N - 1]);
    return 0;
}
"""


def test_a_list_of_one_tile_is_enough_for_many_and_one_less_for_none(tmp_path):
    """The tile is the one that the header tells. What is not advanced is as it was."""
    need("gcc")
    written = project("IzhikevichLTC")
    written.write(tmp_path)
    tile = int(re.search(r"it must hold\s+(\d+)\*steps", written.files["IzhikevichLTC.h"])[1])
    found = []
    for capacity in (tile * 100, tile * 100 - 1, 700 * 100):
        (tmp_path / "many.c").write_text(f"#define CAPACITY {capacity}\n{MANY}")
        link(["gcc", "-std=c99", "-O1"], ["many.c", "IzhikevichLTC.c"], "many", tmp_path)
        found.append(run(["./many"], tmp_path).split())
    assert found[0] == found[2] and found[0][0] == "700" and int(found[0][1]) > 700
    assert found[1] == ["-1", "0", "-70", "-70"]
