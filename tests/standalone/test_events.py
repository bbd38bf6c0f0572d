"""Projects of models with several events, arrivals, and the time since the last spike: on a host, and as a device's on the host."""

import subprocess

import numpy as np
import pytest

from izhigen import Event, Model
from izhigen.codegen.request import KernelRequest
from izhigen.standalone.project import build_project
from tests.cuda.host import needs_compiler
from tests.end_to_end.test_events import MANY
from tests.standalone.conftest import CHECKED, LANGUAGES, STRICT, run
from tests.standalone.test_mutants import compiler, surviving

MODELS = {
    "Many": MANY,
    "Until": MANY.variant("Until").with_refractory(until="s < 1.2", hold=["V"]),
    "Silent": Model(
        "Silent", "dV/dt = sin(t/3)\ndu/dt = 0", events={"up": Event("V > 0.5", "u = u + 1"), "low": Event("V < 0")}
    ),
}
TARGETS = ["c", "c-embedded", pytest.param("cuda", marks=needs_compiler)]


def events_project(name, target, dtype="float32"):
    return build_project(KernelRequest(MODELS[name], dtype=dtype), target)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.sample(4)
def test_self_tests_pass(tmp_path, name, target):
    both = ("float32", "float64")
    own = {
        "c": both,
        "c-embedded": both[:1],
        "cuda": both[list(MODELS).index(name) % 2 :][:1],
    }  # a device's take long to build
    for dtype in own[target]:
        written = events_project(name, target, dtype)
        written.write(tmp_path / dtype)
        command, source, test, support = compiler(target, written.name)
        strict = CHECKED if target == "cuda" else STRICT
        run([*command, *strict, "-o", "selftest", test, source, *support, "-lm"], tmp_path / dtype)
        assert "0 differences: passed" in run(["./selftest"], tmp_path / dtype)


CHANGES = [
    (r"(const int low = .* < )(\S+);", r"\g<1>0.999f * \2;"),
    (r"(const int cross = \(s <= )0\.5f", r"\g<1>0.4995f"),
    (r"(a_arrives = .*)!= 0", r"\1> 1000"),
    (r"(s_new_\d = )low \? ", r"\1!low ? "),
    (r"(iz_since\(.*\)\n\{\n    return )", r"\1 1.001f * "),
    (r"low << 1 \| cross << 2", "cross << 1 | low << 2"),
]
"""Conditions of events, arrivals, what an event assigns, the time since the last spike, and which event is which."""


@pytest.mark.parametrize("target", TARGETS)
def test_the_self_test_sees_changes(tmp_path, target):
    found, survivors = surviving(tmp_path, events_project("Many", target), target, CHANGES)
    assert found >= 4 and not survivors


@pytest.mark.parametrize("target", TARGETS)
def test_the_example_gives_the_spikes_of_the_library(tmp_path, target):
    """The example's list is of spikes alone, whatever else happens."""
    written = events_project("Many", target)
    written.write(tmp_path)
    command, source, _, support = compiler(target, written.name)
    run(
        [
            *command,
            "-DMany_NEURONS=3",
            "-o",
            "main",
            "main.cu" if target == "cuda" else "main.c",
            source,
            *support,
            "-lm",
        ],
        tmp_path,
    )
    words = ["./main"] if target == "c-embedded" else ["./main", "3", "500", "0.1", "1"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    rows = np.array([line.split(",") for line in done.stdout.splitlines()[1:] if line[:1].isdigit()], float)
    assert len(rows) > 5 and set(rows[:, 1]) <= {0.0, 1.0, 2.0}
    assert (np.diff(rows[:, 0]) >= 0).all() and len(np.unique(rows, axis=0)) == len(rows)


def test_the_source_is_c_and_cpp(tmp_path):
    for dtype in ("float32", "float64"):
        written = events_project("Many", "c", dtype)
        written.write(tmp_path / dtype)
        for command in LANGUAGES.values():
            run([*command, "-c", "-o", "x.o", "Many.c"], tmp_path / dtype)


def test_the_interfaces_say_what_the_list_holds():
    c, cuda, embedded = (events_project("Many", target).files for target in ("c", "cuda", "c-embedded"))
    assert "plus 0 for spike, 1 for low, 2 for cross" in c["Many.h"].replace("\n   ", "")
    assert "recorded_events" in cuda["Many.h"] and "1 for spike, 2 for low, 4 for cross" in embedded["Many.h"]
