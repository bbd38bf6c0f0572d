"""Projects whose states jump, and whose kernels draw Poisson counts and deliver spikes."""

import pytest

import izhigen as iz
from izhigen.errors import BackendError
from tests.cuda.host import needs_compiler
from tests.standalone.conftest import LANGUAGES, STRICT, drawing, need, run
from tests.standalone.test_devices import ON_HOST
from tests.standalone.test_projects import sources

pytestmark = pytest.mark.tools

MODEL = iz.load("IzhikevichRefLTC")
CUDA = pytest.param("cuda", marks=needs_compiler)
ASKED = {
    "all": {"deltas": ("V", "u"), "poisson": ("I", "V_delta"), "spikes": ("V_delta",)},
    "counts": {"poisson": ("I",)},
    "spikes": {"deltas": ("V",), "spikes": ("I", "V_delta")},
}
"""What the kernel draws and delivers."""


def build(target, name, program, folder):
    """Build a program of a project, with sanitizers."""
    sanitizers = "-fsanitize=address,undefined"
    if target == "cuda":
        run([*ON_HOST, sanitizers, "-o", program, f"{program}.cu", f"{name}.cu"], folder)
    else:
        run(["gcc", "-std=c99", *STRICT, sanitizers, "-o", program, f"{program}.c", *sources(name, target)], folder)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("target", ["c", CUDA])
def test_a_project_with_jumps_counts_and_spikes_passes_its_self_test(tmp_path, target, asked, dtype):
    drawing(MODEL.name, target, dtype, **ASKED[asked]).write(tmp_path)
    build(target, MODEL.name, "selftest", tmp_path)
    assert "60 of 60 trajectories compared, 0 differences: passed" in run(["./selftest"], tmp_path)


@pytest.mark.parametrize("target", ["c", CUDA])
def test_without_a_threshold(tmp_path, target):
    drawing("Silent", target, poisson=("I",), spikes=("I",)).write(tmp_path)
    build(target, "Silent", "selftest", tmp_path)
    assert "0 differences: passed" in run(["./selftest"], tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_project_is_c_and_cpp(tmp_path, dtype):
    need("gcc", "g++")
    drawing(MODEL.name, "c", dtype, **ASKED["all"]).write(tmp_path)
    header = (tmp_path / f"{MODEL.name}.h").read_text()
    assert f"struct {MODEL.name}_input V_delta;" in header and f"uint64_t {MODEL.name}_first(double mean);" in header
    for command in LANGUAGES.values():
        language = ["-x", "none"] if "c++" in command else []
        files = ["selftest.c", f"{MODEL.name}.c"]
        run([*command, "-O1", "-o", "selftest", *files, *language, "-lm"], tmp_path)
        assert "0 differences: passed" in run(["./selftest"], tmp_path)
    run(["gcc", "-std=c99", *STRICT, "-o", "main", "main.c", *sources(MODEL.name, "c")], tmp_path)
    run(["./main"], tmp_path)


def test_embedded_projects_jump_and_refuse_what_they_do_not_draw(tmp_path):
    need("gcc")
    MODEL.emit(tmp_path, target="c-embedded", deltas=("V",))
    build("c-embedded", MODEL.name, "selftest", tmp_path)
    assert "passed" in run(["./selftest"], tmp_path)
    with pytest.raises(BackendError, match="draws no Poisson counts"):
        MODEL.emit(tmp_path / "other", target="c-embedded", poisson=("I",))
