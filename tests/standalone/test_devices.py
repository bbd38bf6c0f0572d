"""Projects for devices: built by g++ against a runtime of the host and run there, and by nvcc and hipcc where they are present."""

import os
import re
import subprocess

import pytest

from tests.cuda.host import needs_compiler
from tests.standalone.conftest import CHECKED, SANITIZED, drawing, link, need, on_host, project, run


def built(written, folder, program, flags=CHECKED):
    """Write a project, and build one of its programs for the host."""
    written.write(folder)
    link(on_host(*flags), [f"{program}.cu", f"{written.name}.cu"], program, folder)
    return f"./{program}"


@needs_compiler
@pytest.mark.parametrize(
    ("name", "dtype", "method", "flags"),
    [
        ("IzhikevichLTC", "float32", "exp_euler", SANITIZED),
        ("izhikevich2007", "float64", "exp_euler", CHECKED),
        ("Everything", "float32", "exp_euler", SANITIZED),
        ("Everything", "float64", "exp_euler", CHECKED),
        ("HodgkinHuxley", "float32", "rk4", CHECKED),
        ("Oscillator", "float32", "exp_euler", CHECKED),
        ("Pacemaker", "float32", "exp_euler", CHECKED),
        ("Names", "float64", "exp_euler", CHECKED),
        ("NoisyEIF", "float32", "exp_euler", CHECKED),
        ("SharpEIF", "float64", "exp_euler", CHECKED),
        ("NoisyAdEx", "float32", "exp_euler", CHECKED),
        ("NoisyHH", "float32", "exp_euler", CHECKED),
    ],
)
@pytest.mark.sample(6)
def test_self_tests_pass_on_the_host(tmp_path, name, dtype, method, flags):
    assert "0 differences: passed" in run(
        [built(project(name, "cuda", dtype, method), tmp_path, "selftest", flags)], tmp_path
    )


@needs_compiler
def test_a_mutated_kernel_fails_and_says_what_differs(tmp_path):
    written = project("IzhikevichRefLTC", "cuda")
    written.write(tmp_path)
    source = tmp_path / f"{written.name}.cu"
    for old, new in (
        ("spike ? d + u_new", "spike ? d - u_new"),
        ("V_new >= V_th", "V_new >= V_th + 2.0f"),
        ("step_now < release", "step_now < 0 * release"),
    ):
        text = written.files[source.name]
        assert old in text
        source.write_text(text.replace(old, new))
        link(on_host(*CHECKED, "-Wno-unused-parameter"), ["selftest.cu", source.name], "selftest", tmp_path)
        assert "expected" in run(["./selftest"], tmp_path, code=1)


@needs_compiler
@pytest.mark.parametrize("name", ["IzhikevichRefLTC", "Everything"])
def test_the_example_prints_the_spikes_of_the_project_in_c(tmp_path, name):
    device, host = tmp_path / "cuda", tmp_path / "c"
    main = built(project(name, "cuda"), device, "main")
    project(name, "c").write(host)
    run(["gcc", "-std=c99", "-O1", "-ffp-contract=off", "-o", "main", "main.c", f"{name}.c", "-lm"], host)
    printed = [run([program, "7", "300", "0.1", "3"], folder) for program, folder in ((main, device), ("./main", host))]
    assert printed[0] == printed[1] and printed[0].count("\n") > 20
    assert "too many arguments" in run([main, "1", "2", "1", "4", "5"], device, code=2)


@needs_compiler
def test_the_example_of_the_readme_runs_and_the_header_is_c(tmp_path):
    written = project("IzhikevichRefLTC", "cuda")
    written.write(tmp_path)
    (tmp_path / "user.cu").write_text(re.search(r"```c\n(.*?)```", written.files["README.md"], re.DOTALL)[1])
    link(on_host(*CHECKED), ["user.cu", f"{written.name}.cu"], "user", tmp_path)
    assert re.match(r"[1-9]\d{4,} spikes, V = ", run(["./user"], tmp_path))
    (tmp_path / "user.c").write_text(
        f'#include <stddef.h>\n#include "{written.name}.h"\nint main(void) {{ return 0; }}\n'
    )
    run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-c", "user.c"], tmp_path)


@needs_compiler
def test_a_population_of_none_is_nothing(tmp_path):
    written = project("IzhikevichLTC", "cuda")
    written.write(tmp_path)
    (tmp_path / "none.cu").write_text(
        f'#include "{written.name}.h"\nint main() {{ struct {written.name}_population p; struct {written.name}_device d; struct {written.name}_run r; '
        f"{written.name}_defaults(&p, 0, 0.1); int e = {written.name}_allocate(&p, &d) || {written.name}_initialize(&p, &d, 0); "
        f"{written.name}_prepare_run(&r, &d, 0, 5); return e || {written.name}_launch(&p, &d, &r, 0) || {written.name}_free(&p, &d); }}\n"
    )
    link(on_host(*SANITIZED), ["none.cu", f"{written.name}.cu"], "none", tmp_path)
    run(["./none"], tmp_path)


@needs_compiler
def test_the_shape_of_launches_is_asked_for_once_and_nothing_is_copied_from_the_stack(tmp_path):
    """An asynchronous copy may be made when the stream comes to it, and a stack frame is gone by then: there is none from the host."""
    written = project("IzhikevichLTC", "cuda")
    written.write(tmp_path)
    name = written.name
    (tmp_path / "often.cu").write_text(
        f'#include "{name}.h"\n#include <cuda_runtime.h>\n#include <cstdio>\nint main() {{ struct {name}_population p; '
        f"struct {name}_device d; struct {name}_run r; struct {name}_status s; int e, k; {name}_defaults(&p, 1000, 0.1); "
        f"e = {name}_allocate(&p, &d) || {name}_initialize(&p, &d, 0); {name}_prepare_run(&r, &d, 0, 5); "
        f"for (k = 0; k < 9; k++) e = e || {name}_launch(&p, &d, &r, 0) || {name}_clear_status(&d, 0); "
        f"e = e || {name}_read_status(&d, &s, 0); "
        f'std::printf("%d %d %d %d", e, occupancy_queries, delayed_copies, d.block); return e || {name}_free(&p, &d); }}\n'
    )
    link(on_host(*SANITIZED), ["often.cu", f"{name}.cu"], "often", tmp_path)
    assert run(["./often"], tmp_path) == "0 1 0 256"


LIGHTLY = "-Xcicc -O1 -Xptxas -O1"
"""Device code that is optimized little, in a third of the time; what optimizers have to say is asked of NVRTC and hipcc elsewhere."""
ALL_THAT_THERE_IS = {"deltas": ("V",), "poisson": ("g", "V_delta"), "spikes": ("I", "V_delta")}
OWN_COMPILERS = {
    "cuda": ("nvcc", [f"FLAGS=-O1 -std=c++14 {LIGHTLY} -Xcompiler -Wall,-Wextra -Werror all-warnings"], {}),
    "hip": ("hipcc", ["ARCH=gfx90a", "FLAGS=-O0 -Wall -Wextra -Werror -Wno-pass-failed"], {"HIP_PLATFORM": "amd"}),
}
"""The compiler, what make is told, and the environment."""


@pytest.mark.tools
@pytest.mark.parametrize(
    ("name", "target", "asked"),
    [
        ("IzhikevichRefLTC", "cuda", {}),  # whose sources are HIP's but for a few words
        ("Everything", "cuda", ALL_THAT_THERE_IS),
        ("Everything", "hip", ALL_THAT_THERE_IS),
    ],
)
def test_make_with_the_targets_own_compiler(tmp_path, name, target, asked):
    """Programs come out, of a model with little and of one with all that there is; without a device they say so."""
    compiler, options, environment = OWN_COMPILERS[target]
    need("make", compiler)
    drawing(name, target, gradients=True, **asked).write(tmp_path)
    done = subprocess.run(
        ["make", "-s", *options],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = subprocess.run(["./selftest"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "passed" in found.stdout or "memory of the device: " in found.stderr
