"""Projects whose states jump, and whose kernels draw Poisson counts and deliver spikes."""

import pytest

import izhigen as iz
from izhigen.errors import BackendError
from tests.standalone.conftest import LANGUAGES, STRICT, need, run
from tests.standalone.test_projects import sources

pytestmark = pytest.mark.tools

MODEL = iz.load("IzhikevichRefLTC")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_project_with_jumps_counts_and_spikes_passes_its_self_test(tmp_path, dtype):
    need("gcc", "g++")
    MODEL.emit(tmp_path, deltas=("V", "u"), poisson=("I", "V_delta"), spikes=("V_delta",), dtype=dtype)
    header = (tmp_path / f"{MODEL.name}.h").read_text()
    assert f"struct {MODEL.name}_input V_delta;" in header and f"uint64_t {MODEL.name}_first(double mean);" in header
    for command in LANGUAGES.values():
        language = ["-x", "none"] if "c++" in command else []
        files = ["selftest.c", f"{MODEL.name}.c"]
        run([*command, "-O1", "-o", "selftest", *files, *language, "-lm"], tmp_path)
        assert "0 differences: passed" in run(["./selftest"], tmp_path)
    run(["gcc", "-std=c99", *STRICT, "-o", "main", "main.c", *sources(MODEL.name, "c")], tmp_path)
    run(["./main"], tmp_path)


def test_the_self_test_sees_another_stream(tmp_path):
    need("gcc")
    MODEL.emit(tmp_path, deltas=("V",), poisson=("V_delta",))
    source = tmp_path / f"{MODEL.name}.c"
    source.write_text(source.read_text().replace("counts.stream = ", "counts.stream = 1u + "))
    run(["gcc", "-std=c99", "-o", "selftest", "selftest.c", *sources(MODEL.name, "c")], tmp_path)
    assert "FAILED" in run(["./selftest"], tmp_path, 1)


def test_embedded_projects_jump_and_refuse_what_they_do_not_draw(tmp_path):
    need("gcc")
    MODEL.emit(tmp_path, target="c-embedded", deltas=("V",))
    run(["gcc", "-std=c99", *STRICT, "-o", "selftest", "selftest.c", *sources(MODEL.name, "c-embedded")], tmp_path)
    assert "passed" in run(["./selftest"], tmp_path)
    with pytest.raises(BackendError, match="draws no Poisson counts"):
        MODEL.emit(tmp_path / "other", target="c-embedded", poisson=("I",))
