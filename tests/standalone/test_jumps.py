"""Projects whose states jump, and whose kernels draw Poisson counts and deliver spikes."""

import re
import subprocess

import numpy as np
import pytest

import izhigen as iz
from izhigen.errors import BackendError
from tests.cuda.host import needs_compiler
from tests.standalone.conftest import (
    LANGUAGES,
    SANITIZED,
    SANITIZERS,
    STRICT,
    drawing,
    link,
    need,
    on_host,
    run,
)
from tests.standalone.test_projects import files, sources

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
    if target == "cuda":
        link(on_host(*SANITIZED), [f"{program}.cu", f"{name}.cu"], program, folder)
    else:
        link(["gcc", "-std=c99", *STRICT, SANITIZERS], [f"{program}.c", *files(name, target)], program, folder)


@pytest.mark.parametrize("target", ["c", CUDA])
@pytest.mark.parametrize(("asked", "dtype"), [("all", "float32"), ("counts", "float64"), ("spikes", "float32")])
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
        program = ["selftest.c", f"{MODEL.name}.c"]
        run([*command, "-O1", "-o", "selftest", *program, *language, "-lm"], tmp_path)
        assert "0 differences: passed" in run(["./selftest"], tmp_path)
    run(["gcc", "-std=c99", *STRICT, "-o", "main", "main.c", *sources(MODEL.name, "c")], tmp_path)
    run(["./main"], tmp_path)


JUMPS = {"deltas": ("V", "u")}
CASES = [
    *((target, "float64", what) for target in ("c", "cuda") for what in (*ASKED.values(), JUMPS)),
    ("c-embedded", "float32", JUMPS),
]
"""In double precision where there is one, as rounding in single precision moves a spike now and then."""


def added_by(written, dtype):
    """What the example of a project says that it adds to each input."""
    head = next(text for path, text in written.files.items() if path.startswith("main.")).split("*/")[0]
    found = re.findall(r"^     (\w+): (\S+) (?:in|for) ", head, re.MULTILINE)
    return {name: float(np.dtype(dtype).type(value)) for name, value in found}


def as_in_python(what, added, current, duration, steps, neurons):
    """Inputs for a population: a current, a jump in the middle of the duration, counts, and spikes."""
    middle = duration / 2
    feeds = {"I": current}
    for name in (f"{state}_delta" for state in what.get("deltas", ())):
        feeds[name] = iz.inputs.section([0.0, added[name], 0.0], [middle, 0.1, middle - 0.1])
    for name in what.get("poisson", ()):
        feeds[name] = feeds[name] + iz.inputs.poisson(1000.0, weight=added[name])
    for name in what.get("spikes", ()):
        feeds[name] = feeds[name] + iz.inputs.spikes(np.array(steps) * 0.1, neurons, weight=added[name])
    return feeds


@needs_compiler
@pytest.mark.parametrize(("target", "dtype", "what"), CASES)
@pytest.mark.sample(4)
def test_the_example_gives_the_spikes_of_the_library(tmp_path, target, dtype, what):
    written = drawing(MODEL.name, target, dtype, **what)
    written.write(tmp_path)
    build(target, MODEL.name, "main", tmp_path)
    neurons = 16 if target == "c-embedded" else 40
    arguments = [] if target == "c-embedded" else [str(neurons), "500", "0.1", "1"]
    printed = subprocess.run(["./main", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    rows = np.loadtxt(printed.splitlines()[1:], delimiter=",")
    current = iz.inputs.section([0.0, 22.0, 0.0], [100.0, 300.0, 100.0])
    current = current + 10.0 * iz.inputs.wiener(500.0, n=neurons, t_start=100.0, t_end=400.0, seed=1)
    index = np.arange(neurons)
    feeds = as_in_python(what, added_by(written, dtype), current, 500.0, 2500 + index % 32, index)
    recording = MODEL.population(neurons, dt=0.1, seed=1, dtype=dtype).run(500.0, **feeds)
    order = np.lexsort((recording.spike_indices, recording.spike_times.round(6)))
    np.testing.assert_array_equal(rows[:, 1], recording.spike_indices[order])
    np.testing.assert_allclose(rows[:, 0], recording.spike_times[order], rtol=1e-9)


@needs_compiler
@pytest.mark.parametrize(("target", "dtype", "what"), CASES)
@pytest.mark.sample(4)
def test_the_readme_shows_how_they_are_given(tmp_path, target, dtype, what):
    """And its program does what the same inputs do in Python."""
    written = drawing(MODEL.name, target, dtype, **what)
    written.write(tmp_path)
    readme = written.files["README.md"]
    file = "user.cu" if target == "cuda" else "user.c"
    program = re.search(r"```c\n(.*?)```", readme, re.DOTALL)[1]
    if target == "c-embedded":  # where nothing is printed
        shown = 'printf("V = %g\\n", (double)population.state.V[0]);\n    return spikes < 0;'
        program = "#include <stdio.h>\n" + program.replace("return spikes < 0;", shown)
    if target == "cuda":
        assert "neurons = 100000;" in program
        program = program.replace("neurons = 100000;", "neurons = 320;")  # which run here one after the other
    (tmp_path / file).write_text(program.replace("%g", "%.12g"))
    build(target, MODEL.name, "user", tmp_path)
    found = float(re.search(r"V = (\S+)", run(["./user"], tmp_path))[1])
    current, added = iz.inputs.constant(22.0, 100.0), added_by(written, dtype)
    feeds = as_in_python(what, added, current, 100.0, [100, 200, 200], [0, 0, 2])
    driven, alone = (MODEL.population(3, dt=0.1, seed=1, dtype=dtype) for _ in range(2))
    driven.run(100.0, **feeds)
    alone.run(100.0, I=current)
    near = pytest.approx(driven.V[0], rel=1e-9 if dtype == "float64" else 1e-4)
    assert found == near and alone.V[0] != near
    for name, words in (("poisson", "Poisson counts"), ("spikes", "spikes")):
        for i in ("I", "V_delta"):
            row = re.search(rf"\| `{i}` .*", readme)
            assert row is None or (words in row[0]) == (i in what.get(name, ()))


ODD = {
    "Silent": {"deltas": ("V",), "poisson": ("I",), "spikes": ("V_delta",)},
    "Pacemaker": {"deltas": ("V",), "poisson": ("V_delta",), "spikes": ("V_delta",)},
    "Names": {"deltas": ("neuron", "input"), "poisson": ("steps_since_spike",), "spikes": ("neuron_delta",)},
}
"""Without a threshold, without inputs, and with names that programs have themselves."""


@needs_compiler
@pytest.mark.parametrize("target", ["c", "cuda", "c-embedded"])
@pytest.mark.parametrize("name", ODD)
@pytest.mark.sample(4)
def test_examples_and_readmes_of_other_models(tmp_path, name, target):
    what = ODD[name] if target != "c-embedded" else {"deltas": ODD[name]["deltas"]}
    for each in (what, {"deltas": what["deltas"]}):
        if each is not what and (name != "Names" or each == what):  # jumps alone, of the model with odd names
            continue
        written = drawing(name, target, **each)
        written.write(tmp_path)
        readme = written.files["README.md"]
        file = "user.cu" if target == "cuda" else "user.c"
        (tmp_path / file).write_text(re.search(r"```c\n(.*?)```", readme, re.DOTALL)[1])
        assert not re.search(r"\n\n\n", readme)
        for program in ("main", "selftest", "user"):
            build(target, name, program, tmp_path)
        assert run(["./main"], tmp_path).startswith("time_ms,neuron\n")
        assert "differences: passed" in run(["./selftest"], tmp_path)


def test_embedded_projects_jump_and_refuse_what_they_do_not_draw(tmp_path):
    need("gcc")
    MODEL.emit(tmp_path, target="c-embedded", deltas=("V",))
    build("c-embedded", MODEL.name, "selftest", tmp_path)
    assert "passed" in run(["./selftest"], tmp_path)
    with pytest.raises(BackendError, match="draws no Poisson counts"):
        MODEL.emit(tmp_path / "other", target="c-embedded", poisson=("I",))
