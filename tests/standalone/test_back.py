"""Projects that go back through steps: built without warnings, their gradients tested by their own self test, and that test itself."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import izhigen as iz
from izhigen.codegen.request import KernelRequest
from izhigen.codegen.targets import find_target
from izhigen.derive.step import derive_step
from izhigen.errors import BackendError, DerivationError, ValueShapeError
from izhigen.population.training import read_training, training_of
from izhigen.standalone.golden import compute_golden
from izhigen.standalone.golden_back import compute_golden_back
from izhigen.standalone.oracle import DT, NOTHING_DRAWN
from izhigen.standalone.oracle_back import Loss, VariedStretch
from izhigen.standalone.project import MANIFEST, build_project
from tests.cuda.host import needs_compiler
from tests.standalone.conftest import (
    CHECKED,
    LANGUAGES,
    MODELS,
    SANITIZED,
    SANITIZERS,
    STRICT,
    link,
    need,
    on_host,
    project,
    run,
)
from tests.standalone.test_events import MODELS as OF_EVENTS
from tests.standalone.test_mutants import surviving

EVERY_MODEL = {**MODELS, **{f"{name}Events": model.variant(f"{name}Events") for name, model in OF_EVENTS.items()}}


def there_and_back(
    name, dtype="float32", method="exp_euler", target="c", *, deltas=(), spikes=(), poisson=(), wanted=None, **how
):
    """The project of a model that goes back."""
    model = EVERY_MODEL[name]
    choices = {"surrogate": "sigmoid" if model.events else None, "detach_spike": False, "spike_scale": 1.0, **how}
    training = training_of(model, read_training(*choices.values(), False))
    if wanted is None:
        wanted = (*model.inputs, *(f"{state}_delta" for state in deltas), *model.gradient_parameters)
    request = KernelRequest(
        model,
        method,
        dtype,
        deltas=deltas,
        counted_inputs=poisson,
        delivered_inputs=spikes,
        training=training,
        wanted=wanted,
    )
    return build_project(request, target)


DRAWN = {"deltas": ("V", "u"), "poisson": ("I", "V_delta"), "spikes": ("V_delta",)}
RATES = {"method": "rk4", "wanted": ("I", "gNa")}
CASES = [
    ("IzhikevichLTC", "float32", "gcc", {}),
    ("Izhikevich", "float64", "clang", {"surrogate": "arctan", "spike_scale": 0.1, "detach_spike": "reset"}),
    ("IzhikevichRefLTC", "float64", "gcc", DRAWN),
    ("IzhikevichRefLTC", "float32", "clang", DRAWN),
    ("IzhikevichRefLTC", "float32", SANITIZED, DRAWN),
    ("HodgkinHuxley", "float32", "gcc", RATES),
    ("HodgkinHuxley", "float32", CHECKED, RATES),
    ("Everything", "float32", "gcc", {"deltas": ("u",)}),
    ("Everything", "float64", CHECKED, {"deltas": ("u",), "detach_spike": "reset"}),
    ("NoisyEIF", "float32", "clang", {"surrogate": "1/(1 + abs(x))**2"}),
    ("ManyEvents", "float32", "gcc", {"surrogate": "gaussian"}),
    ("ManyEvents", "float32", SANITIZED, {"surrogate": "gaussian"}),
    ("UntilEvents", "float64", "clang", {}),
    ("SilentEvents", "float32", "gcc", {"detach_spike": "all"}),
    ("Silent", "float64", "gcc", {"wanted": ()}),
    ("Silent", "float64", CHECKED, {"wanted": ()}),
    ("Pacemaker", "float32", "gcc", {}),
    ("Pacemaker", "float32", CHECKED, {}),
    ("Names", "float64", "clang", {"wanted": ("tile", "steps_since_spike")}),
]
"""Noise, refractory periods, several events and arrivals, jumps, no inputs, no parameters, no events; on the host, and as a
device's with flags for the host, beside the case that has the same golden values.
"""


@pytest.mark.parametrize(
    ("name", "dtype", "how_built", "how"),
    [pytest.param(*case, marks=[] if isinstance(case[2], str) else needs_compiler) for case in CASES],
)
@pytest.mark.sample(8)
def test_gradients_pass_the_self_test(tmp_path, name, dtype, how_built, how):
    target, suffix = ("c", "c") if isinstance(how_built, str) else ("cuda", "cu")
    written = there_and_back(name, dtype, target=target, **how)
    written.write(tmp_path)
    if target == "cuda":
        command = on_host(*how_built)
    else:
        need(how_built)
        checked = (
            [SANITIZERS] if how_built == "gcc" else ["-O2"]
        )  # whose libraries clang does not bring along everywhere
        command = [how_built, "-std=c99", *STRICT, *checked]
    link(command, [f"selftest.{suffix}", f"{name}.{suffix}"], "selftest", tmp_path)
    found = re.search(r"(\d+) gradients compared, 0 differences: passed", run(["./selftest"], tmp_path))
    assert found is not None and int(found[1]) >= 12
    header = written.files[f"{name}.h"]
    if target == "cuda":
        assert f"int {name}_launch_back(" in header
    else:
        assert f"void {name}_pull_back(" in header and f"int64_t {name}_room(int64_t steps);" in header
    assert not re.search(r"\n\n\n", written.files["README.md"] + written.files[f"selftest.{suffix}"])


@pytest.mark.parametrize("name", ["Everything", "Pacemaker"])
def test_sources_are_also_cpp(tmp_path, name):
    need("g++")
    there_and_back(name).write(tmp_path)
    run([*LANGUAGES["C++17"], "-O1", "-o", "selftest", "selftest.c", f"{name}.c", "-lm"], tmp_path)
    assert "passed" in run(["./selftest"], tmp_path)


@pytest.mark.tools
def test_make_and_cmake(tmp_path):
    need("make", "cmake")
    written = there_and_back("IzhikevichLTC", wanted=("I", "a"))
    written.write(tmp_path)
    words = r"60 of 60 trajectories and \d+ gradients compared, 0 differences: passed"
    assert re.search(words, run(["make", "-s", "test", "CFLAGS=-O0"], tmp_path))
    run(["cmake", "-S", ".", "-B", "build", "-DCMAKE_BUILD_TYPE=Debug"], tmp_path)
    run(["cmake", "--build", "build"], tmp_path)
    assert "100% tests passed" in run(["ctest", "--test-dir", "build"], tmp_path)


# -- the golden gradients -----------------------------------------------------------------------------------------------


STEPS = (1e-4, 1e-6, 1e-8)
"""Of differences."""


@pytest.mark.parametrize("name", ["IzhikevichLTC", "HodgkinHuxley"])
def test_golden_gradients_are_central_differences_of_smooth_runs(name):
    """Of runs of a population with the same states, inputs and loss: nothing of the adjoint is used for them."""
    model = MODELS[name]
    how = {"surrogate": iz.surrogates.sigmoid(alpha=1.0), "spike_scale": 0.3}
    step, parameters = derive_step(model, "exp_euler"), model.gradient_parameters
    golden = compute_golden(step, "float64")
    training = read_training(how["surrogate"], False, how["spike_scale"], True)
    back = compute_golden_back(step, "float64", NOTHING_DRAWN, golden, training, ("I", *parameters))
    index = next(k for k, r in enumerate(back.runs) if golden.segments[r.segment].steps > 1 and r.every == 3)
    taken, segment = back.runs[index], golden.segments[back.runs[index].segment]
    loss = Loss(back.states, back.events, len(golden.inputs), taken.every)
    current = VariedStretch(segment.first_step, segment.steps, np.array(golden.inputs)).fed(np.dtype("float64"))[
        :, :, 0
    ]
    states = dict(zip(model.states, np.array(segment.start).T))

    def losses(moved, far, step=None):
        """A neuron's loss each, with something moved: a state, a parameter, or the current in a step."""
        values, inputs = {**model.parameters, **states}, current.copy()
        if step is None:
            values[moved] = values[moved] + far
        else:
            inputs[step] += far
        pop = model.population(4, dt=DT, dtype="float64", backend="numpy", smooth_spikes=True, **how, **values)
        found = pop.run(steps=segment.steps, record=[*back.states, *back.events], I=inputs, check_finite=False)
        parts = [loss.given(part, range(segment.steps)) * found[part] for part in (*back.states, *back.events)]
        return sum(part.sum(axis=0) for part in parts) + sum(loss.final(s) * found[s][-1] for s in back.states)

    places = [(name, None) for name in (*back.states, *back.parameters)] + [
        ("I", s) for s in (0, 17, segment.steps - 1)
    ]
    for k, (moved, step) in enumerate(places):
        expected = np.array(taken.values[k if step is None else len(places) - 3 + step])
        slopes = [(losses(moved, h, step) - losses(moved, -h, step)) / (2 * h) for h in STEPS]
        errors = np.min(
            [np.abs(slope - expected) for slope in slopes], axis=0
        )  # each neuron with the step that suits it
        assert (errors < 1e-5 * np.abs(expected) + 1e-6).all(), (moved, step, expected, slopes)


def test_a_project_is_the_same_in_another_process(tmp_path):
    expected = there_and_back("IzhikevichLTC", surrogate="arctan")
    command = [sys.executable, "-m", "izhigen.cli", "emit", "IzhikevichLTC", "--with", "adjoint", "-o", str(tmp_path)]
    subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "7"}, check=True, capture_output=True)
    assert all((tmp_path / path).read_text() == text for path, text in expected.files.items())


def test_where_every_gradient_overflows_no_self_test_is_made():
    model = iz.Model("Steep", "dV/dt = k*V + I", "V >= 1e30", "V = 0", {"k": 1e3}, ["I"], initial={"V": 1e-30})
    with pytest.raises(DerivationError, match=r"'Steep': no self test (of the way back )?can be made"):
        model.emit("nowhere", gradients=True, surrogate="sigmoid", method="euler")


# -- mutants ------------------------------------------------------------------------------------------------------------

FUNCTIONS = ("back_lanes", "find_row", "add_row", "sum_event", "add_sums", "make_again", "back_tile")
"""The functions of the way back."""
UNSEEN = [r"lanes->\w+\[lane\] = lanes->\w+\[count [-+] 1\];", r"group = GROUP\)", r"bad_neuron", "look_at_bar"]
"""Lines whose change nobody sees: what the lanes beyond the last neuron hold, a loop over a single group, and the search
for gradients that are not finite, which the self test does not ask for (the library's tests of tapes do).
"""
SIGNS = {"+": "-", "-": "+", "*": "+", "/": "*"}


def changes_of(line):
    """The line with an operator changed, a sum that begins anew or goes down, the other side of a choice, or left out."""
    for sign in re.finditer(r" ([-+*/]) (?!=)", line):
        yield line[: sign.start()] + f" {SIGNS[sign[1]]} " + line[sign.end() :]
    if " += " in line:
        yield line.replace(" += ", " = ")
        yield line.replace(" += ", " -= ")
    yield re.sub(r"\? ([\w.]+) : ([\w.]+)", r"? \2 : \1", line)
    yield re.sub(r"^\s+(\w[\w.>\[\]-]* [-+]?= .*|\w+\(.*\));$", ";", line)


def with_mutants(text):
    """A source that holds every mutant of the functions of its way back, all in one, and what was changed: ``chosen`` says which is called."""
    changed, parts = [], []
    for name in FUNCTIONS:
        found = re.search(
            rf"^static [^\n;=]*?\b{name}\((?:[^;{{]|\n)*?\)\n\{{\n.*?^\}}\n", text, re.MULTILINE | re.DOTALL
        )
        head, body = found[0].split("\n{\n", 1)
        parts.append((name, found[0], head.replace("OUT_OF_LINE ", "").replace("static inline", "static"), body))
        for number, line in enumerate(body.splitlines()):
            if not re.search(r"\(void\)|memset|^\s*(int64_t|int|const int width)\b", line):
                changed += [(name, number, line, new) for new in dict.fromkeys(changes_of(line)) if new != line]
    for name, whole, head, body in parts:
        copies, table = [re.sub(rf"\b{name}\(", f"{name}_0(", head) + "\n{\n" + body], []
        for k, (where, number, _, new) in enumerate(changed, 1):
            if where == name:
                lines = [*body.splitlines()[:number], new, *body.splitlines()[number + 1 :]]
                copies.append(re.sub(rf"\b{name}\(", f"{name}_{k}(", head) + "\n{\n" + "\n".join(lines) + "\n")
            table.append(f"{name}_{k if where == name else 0}")
        returns = re.match(r"static ((?:const )?\w+ \*?)", head)[1]
        table = f"static {returns}(*const {name}_table[]){head[head.index('(', head.index(name)) :]} = {{ {name}_0, {', '.join(table)} }};\n"
        text = text.replace(whole, "".join(copies) + table + f"#define {name} (*{name}_table[chosen])\n")
    return text.replace("#include <math.h>", "#include <math.h>\nextern int chosen;", 1), changed


MUTANTS = """
/* Prints the numbers of the mutants that the self test does not see; each is tested in a process of its own. */
int main(void)
{
    for (chosen = 0; chosen <= COUNT; chosen++) {
        int status = 0;
        const pid_t child = fork();
        if (child == 0) {
            alarm(chosen ? 2 : 60); /* a mutant may go on for ever */
            if (freopen("/dev/null", "w", stdout) == NULL)
                return 2;
            _exit(check() != 0);
        }
        waitpid(child, &status, 0);
        if (status == 0)
            printf("%d ", chosen);
        fflush(stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("name", ["IzhikevichRefLTC"])
def test_the_self_test_sees_every_mutant_of_the_way_back(tmp_path, name):
    """Signs, factors, sums, rows and choices, for every line of the functions that go back."""
    written = there_and_back(name)
    written.write(tmp_path)
    source, changed = with_mutants(written.files[f"{name}.c"])
    test = written.files["selftest.c"].replace("int main(void)", "static int check(void)")
    test = test.replace("wanted, tolerance);\n    return 1;", "wanted, tolerance);\n    exit(1);")
    test = test.replace("segment < SEGMENTS; segment++", "segment < (chosen ? 0 : SEGMENTS); segment++")
    test = "#define _XOPEN_SOURCE 700\n#include <unistd.h>\n#include <sys/wait.h>\nint chosen;\n" + test
    (tmp_path / f"{name}.c").write_text(source)
    (tmp_path / "selftest.c").write_text(test + MUTANTS.replace("COUNT", str(len(changed))))
    run(["gcc", "-std=c99", "-w", "-o", "mutants", "selftest.c", f"{name}.c", "-lm"], tmp_path)
    survivors = [int(number) for number in run(["./mutants"], tmp_path).split()]
    assert survivors[0] == 0 and len(changed) > 150
    seen = [changed[k - 1] for k in survivors[1:] if not any(re.search(line, changed[k - 1][2]) for line in UNSEEN)]
    assert not seen, seen


IN_ROWS = [
    (r"(lanes\.I = )?read_input\(tile->I, &run->input\.I, s, ", r"\1read_input(tile->I, &run->input.I, s - (s > 0), "),
    (
        r"row \* population->neurons \+ first, lanes->V",
        "(row > 0 ? row - 1 : row) * population->neurons + first, lanes->V",
    ),
    (r"weight_stride\];\n", "weight_stride] * 1.01f;\n"),
    (r"law->weight\[0\]", "1.01f * law->weight[0]"),
]
"""Rows of inputs and of kept states, and what events add."""


def test_the_self_test_sees_rows_that_are_shifted(tmp_path):
    written = there_and_back("IzhikevichRefLTC", **DRAWN)
    found, survivors = surviving(tmp_path, written, "c", IN_ROWS)
    assert (found, survivors) == (len(IN_ROWS), [])


ON_DEVICES = [
    (r"step_now - pullback->origin", "step_now - pullback->origin + 1"),
    (
        r"row \* population->neurons \+ i\];\n    neuron->u",
        "(row > 0 ? row - 1 : row) * population->neurons + i];\n    neuron->u",
    ),
    (r"\(s - begin\) \* threads \+ thread", "(s - begin + (s + 1 < end)) * threads + thread"),
    (r"\+= begin \* run->input", "+= (begin > 0) * run->input"),
    (r"(pullback->room\.I\[place\] = )neuron->I", r"\g<1>0.0f"),
    (r"\+= given_bar\(&pullback->given\.V", "-= given_bar(&pullback->given.V"),
    (r"= counted_spike \+", "="),
    (r"= counted_spike \+ ", "= counted_spike - "),
    (r"find_release\(neuron, constants\);\n    load", "load"),
    (r"run->first_step \+ s < neuron->release", "run->first_step + s + 1 < neuron->release"),
    (r"\[i\] \+= \(double\)bars\.p1_bar", "[i] = (double)bars.p1_bar"),
    (r"bars\.V_th_bar = 0\.0f;\n            }", ";\n            }"),
    (r"step_now == pullback->first\)", "0)"),
    (r"(pullback->input\.I)\[s \*", r"\1[(end - 1 - s) *"),
    (r"pullback->state\.V\[i\] = bars\.V_bar", "pullback->state.V[i] = -bars.V_bar"),
    (r"next_kept \+= run->keep_every", "next_kept += 1 + run->keep_every"),
    (r"(bars->u_bar = [^;]*) - ", r"\1 + "),
    (r"\(spike \? 0\.0f : V_bar\)", "V_bar"),
]
"""Rows, places, sums and signs of the way back on a device."""


@needs_compiler
def test_the_self_test_of_devices_sees_every_mutant(tmp_path):
    written = there_and_back("IzhikevichRefLTC", target="cuda")
    found, survivors = surviving(tmp_path, written, "cuda", ON_DEVICES)
    assert (found, survivors) == (len(ON_DEVICES), [])


# -- what is written ----------------------------------------------------------------------------------------------------


def test_without_gradients_nothing_of_it_is_there():
    plain, whole = project("IzhikevichLTC").files, there_and_back("IzhikevichLTC").files
    assert plain.keys() == whole.keys()
    assert {path for path in plain if plain[path] != whole[path]} == {
        "IzhikevichLTC.c",
        "IzhikevichLTC.h",
        "README.md",
        "selftest.c",
        MANIFEST,
    }
    words = ("pull_back", "gradient", "The way back")
    assert not any(word in text for text in plain.values() for word in words)
    assert whole["IzhikevichLTC.h"].count("pull_back") and "## The way back" in whole["README.md"]


def test_the_manifest_and_the_readme_say_how_gradients_pass():
    text = "1/(1 + abs(x))**2"
    files = there_and_back("RS", wanted=("I", "a"), surrogate=text, detach_spike="reset", spike_scale=0.1).files
    manifest = json.loads(files[MANIFEST])
    said = {name: manifest[name] for name in ("gradients", "surrogate", "spike_scale", "detach_spike")}
    assert said == {"gradients": ["V", "u", "I", "a"], "surrogate": text, "spike_scale": 0.1, "detach_spike": "reset"}
    assert r"1/(1 + abs(x))\*\*2, of 0.1 times the margin" in files["README.md"]
    assert "do not pass through what an event assigns" in files["README.md"]
    assert "a surrogate" not in there_and_back("RS", wanted=(), detach_spike="all").files["README.md"]


@pytest.mark.parametrize(("name", "first"), [("IzhikevichRefLTC", "I"), ("Oscillator", "I"), ("Pacemaker", "")])
@pytest.mark.parametrize("target", ["c", "cuda"])
@pytest.mark.sample(3)
def test_the_program_of_the_readme_gives_the_gradients_of_the_library(tmp_path, name, first, target):
    need("gcc", "g++")
    written = there_and_back(name, "float64", target=target)
    written.write(tmp_path)
    program = re.findall(r"```c\n(.*?)```", written.files["README.md"], re.DOTALL)[1]
    command = ["gcc", "-std=c99", *STRICT, SANITIZERS] if target == "c" else on_host(*SANITIZED[:-1], "-O1")
    suffix = "c" if target == "c" else "cu"
    (tmp_path / f"user.{suffix}").write_text(program.replace("%g", "%.12g"))
    link(command, [f"user.{suffix}", f"{name}.{suffix}"], "user", tmp_path)
    printed = run(["./user"], tmp_path)
    model = MODELS[name]
    pop = model.population(3, dt=0.1, dtype="float64", surrogate="sigmoid" if model.events else None)
    inputs = {first: float(re.search(r"current = ([\d.]+)", program)[1])} if first else {}
    recording = pop.run(steps=100, record=["count"] if model.events else [], tape=True, **inputs)
    found = recording.backward({"count": 1.0} if model.events else {}, final={model.states[0]: 1.0})
    numbers = [float(x) for x in re.findall(r" by (\S+?)[,\n]", printed)]
    names = [*model.gradient_parameters][:1]
    wanted = [found[f"{model.states[0]}0"][0], *(found[p] / 3 for p in names)]
    assert numbers == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("target", ["c-embedded"])
@pytest.mark.parametrize("kernels_do", [False, True])
def test_targets_whose_projects_do_not_go_back_say_so(tmp_path, monkeypatch, target, kernels_do):
    changed = replace(find_target(target), goes_back=kernels_do)
    monkeypatch.setattr("izhigen.standalone.project.find_target", lambda name: changed)
    with pytest.raises(BackendError, match=f"target '{target}' do(es)? not go back through steps"):
        MODELS["RS"].emit(tmp_path / "x", target=target, gradients=True, surrogate="sigmoid")
    assert not (tmp_path / "x").exists()


def test_bad_arguments_are_refused(tmp_path):
    for how, words in (
        ({"gradients": ("aa",)}, r"gradients: 'aa' is no input.*did you mean 'a'"),
        ({"gradients": True, "surrogate": None}, r"gradients: a spike of model 'RS' has no derivative.*model\.emit"),
        ({"gradients": False}, r"surrogate='sigmoid' says how gradients pass.*give gradients=True"),
        ({"surrogate": None, "spike_scale": 2.0}, r"spike_scale=2\.0 says how gradients pass"),
        ({"gradients": True, "detach_spike": "some"}, "detach_spike='some' is not one of"),
        ({"spike_reset": "some"}, "spike_reset='some' is not one of"),
    ):
        with pytest.raises(ValueShapeError, match=words):
            MODELS["RS"].emit(tmp_path / "x", **{"surrogate": "sigmoid", **how})
    assert not (tmp_path / "x").exists()


def test_a_soft_reset_is_the_models():
    soft, hard = (MODELS["RS"].source("c", spike_reset=how) for how in ("soft", "hard"))
    assert hard == MODELS["RS"].source("c") and soft != hard
