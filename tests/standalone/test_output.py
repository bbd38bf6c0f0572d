"""Examples that cannot write, spike lists that are too small, and arguments that are no sizes."""

import subprocess

import pytest

from tests.standalone.conftest import need, project, run
from tests.standalone.test_projects import sources

pytestmark = pytest.mark.tools


@pytest.fixture(scope="module", params=["c", "c-embedded"])
def built(request, tmp_path_factory):
    need("gcc")
    folder = tmp_path_factory.mktemp("project")
    written = project("IzhikevichLTC", request.param)
    written.write(folder)
    for program in ("main", "selftest"):
        run(["gcc", "-std=c99", "-O1", "-o", program, f"{program}.c", *sources(written.name, request.param)], folder)
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
        run(["gcc", "-std=c99", "-O1", "-o", "main", "main.c", "IzhikevichLTC.c", "-lm"], folder)
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
    (tmp_path / "small.c").write_text(PROGRAM)
    run(["gcc", "-std=c99", f"-DSTEPS={steps}", "-o", "small", "small.c", "IzhikevichLTC.c", "-lm"], tmp_path)
    assert run(["./small"], tmp_path) == found
