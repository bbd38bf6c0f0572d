"""The self test of a project fails when its source is wrong: thresholds, defaults, what stands for no spike yet, and noise on inputs."""

import re
import subprocess

import pytest

from tests.cuda.host import needs_compiler
from tests.standalone.conftest import drawing, on_host, project, run
from tests.standalone.test_projects import SUPPORT

TARGETS = ["c", "c-embedded", pytest.param("cuda", marks=needs_compiler)]
THRESHOLDS = [(r"(const int spike = .* >= )(\S+);", rf"\g<1>{factor}f * \2;") for factor in (1.001, 0.999)]
"""Of 0.1 % more and less."""
DEFAULTS = [(rf"(parameter\.{name} = )([-\d.e]+)(f?);", r"\1(\2\3 + 0.00001\3);") for name in ("V_th", "tau_ref", "a")]
"""A little more."""
NO_SPIKE_YET = [
    (r"(const float t_last_spike = )-[\d.e]+f;", r"\1-1e6f;"),
    (r"(release\[neuron\] = )0;", r"\1 100000;"),
]
HOLDS = [
    (r"(iz_start\(k, dt\) - since )<= period", r"\1< period"),
    (r"(iz_start\(k - 1, dt\) - since )<= period", r"\1< period"),
    (r"(time_now - lanes->t_last_spike\[lane\] )<= refractory_period", r"\1> refractory_period"),
    (r"tolerance = 1e-6f", "tolerance = -1e-6f"),
    (r"step_now < release", "step_now <= release"),
]
"""Of what decides how long a neuron is held; golden values have ties."""
NOISE = [
    ("0xD2511F53u", "0xD2511F57u"),
    ("0xBB67AE85u", "0xBB67AE87u"),
    (r"\+= (run->input.I.noise)", r"-= \1"),
    (r"\+ (amplitude \* )", r"- \1"),
    (r"return (iz_variate)", r"return -\1"),
]
"""Of the generator, and of where its variates are added."""


def compiler(target, name):
    """The command for one file, and the other sources and libraries of a program, by target."""
    if target == "cuda":
        return on_host(), f"{name}.cu", "selftest.cu", []
    return ["gcc", "-std=c99"], f"{name}.c", "selftest.c", [part for part in SUPPORT[target] if part.endswith(".c")]


def surviving(folder, written, target, changes):
    """How many of the changes (a pattern, and what to put there) the source of a project has a place for, and which of
    them its self test does not see.
    """
    written.write(folder)
    command, source, test, support = compiler(target, written.name)
    for file in (test, *support):
        run([*command, "-c", file], folder)
    objects = ["mutant.o", "selftest.o", *[file.replace(".c", ".o") for file in support]]
    found, survivors = 0, []
    for old, new in changes:
        text, count = re.subn(old, new, written.files[source])
        if count == 0:  # of another target
            continue
        found += 1
        (folder / source).write_text(text)
        run([*command, "-c", "-o", "mutant.o", source], folder)
        run([command[0], "-pthread", "-o", "mutant", *objects, "-lm"], folder)
        done = subprocess.run(["./mutant"], cwd=folder, capture_output=True, text=True, check=False)
        if "FAILED" not in done.stdout:
            survivors.append((old, new))
    return found, survivors


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("name", "changes", "least"),
    [
        ("IzhikevichLTC", [*THRESHOLDS, *NOISE], 4),
        ("izhikevich2007", THRESHOLDS, 2),
        ("Numbers", THRESHOLDS, 2),
        ("IzhikevichRefLTC", [*DEFAULTS, *NO_SPIKE_YET, *HOLDS], 5),
    ],
)
def test_the_self_test_fails(tmp_path, target, name, changes, least):
    found, survivors = surviving(tmp_path, project(name, target), target, changes)
    assert found >= least and not survivors


JUMPS = [(r"(const float \w+ = )V_delta \+ ", r"\1"), (r"(const float \w+ = )V_delta \+ ", r"\1-V_delta + ")]
COUNTS = [
    (r"law->weight\[", "1.01f * law->weight["),
    (r"counts\.stream = ", "counts.stream = 1u + "),
    (r"seed \^ law->stream", "seed ^ law->stream ^ 1u"),
    (r"seed \^ law->stream", "seed"),
    (r"(population->)?seed \^ law->stream", "law->stream"),
    (r", 0x80000000u\)", ", 0x80000001u)"),
    (r"-expm1\(-mean\)", "-expm1(-1.2 * mean)"),
]
"""Of what an event adds, of the random numbers' key, and of their law."""
SPIKES = [
    (r"deliveries->weight\[", "1.01f * deliveries->weight["),
    (r"deliveries->lane\[", "1 + deliveries->lane["),
    (r"(deliveries->step\[[^;]*\]) == step\b", r"\1 + 1 == step"),
]


@pytest.mark.parametrize("target", TARGETS)
def test_the_self_test_sees_jumps(tmp_path, target):
    written = drawing("IzhikevichRefLTC", target, deltas=("V",))
    assert surviving(tmp_path, written, target, JUMPS) == (len(JUMPS), [])


@pytest.mark.parametrize("target", ["c", pytest.param("cuda", marks=needs_compiler)])
@pytest.mark.parametrize(
    ("asked", "changes"),
    [({"poisson": ("V_delta",)}, COUNTS), ({"spikes": ("V_delta",)}, SPIKES)],
    ids=["counts", "spikes"],
)
def test_the_self_test_sees_counts_and_spikes(tmp_path, target, asked, changes):
    written = drawing("IzhikevichRefLTC", target, deltas=("V",), **asked)
    assert surviving(tmp_path, written, target, changes) == (len(changes), [])
