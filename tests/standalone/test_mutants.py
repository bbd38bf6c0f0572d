"""The self test of a project fails when its source is wrong: thresholds, defaults, what stands for no spike yet, and noise on inputs."""

import re
import subprocess

import pytest

from tests.cuda.host import needs_compiler
from tests.standalone.conftest import project, run
from tests.standalone.test_devices import ON_HOST
from tests.standalone.test_projects import SUPPORT

pytestmark = pytest.mark.tools

TARGETS = ["c", "c-embedded", pytest.param("cuda", marks=needs_compiler)]
THRESHOLDS = [(r"(const int spike = .* >= )(\S+);", rf"\g<1>{factor}f * \2;") for factor in (1.001, 0.999)]
"""Of 0.1 % more and less."""
DEFAULTS = [(rf"(parameter\.{name} = )([-\d.e]+)(f?);", r"\1(\2\3 + 0.00001\3);") for name in ("V_th", "tau_ref", "a")]
"""A little more."""
NO_SPIKE_YET = [
    (r"(t_last_spike\[neuron\] = )-1e7;", r"\1 -1e6;"),
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
        return (
            [part for part in ON_HOST if part not in ("-O1", "-Werror", "-Wall", "-Wextra")],
            f"{name}.cu",
            "selftest.cu",
            [],
        )
    return ["gcc", "-std=c99"], f"{name}.c", "selftest.c", [part for part in SUPPORT[target] if part.endswith(".c")]


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
    written = project(name, target)
    written.write(tmp_path)
    command, source, test, support = compiler(target, name)
    for file in (test, *support):
        run([*command, "-c", file], tmp_path)
    found, survivors = 0, []
    for old, new in changes:
        text, count = re.subn(old, new, written.files[source])
        if count == 0:  # of another target
            continue
        found += 1
        (tmp_path / source).write_text(text)
        run([*command, "-c", "-o", "mutant.o", source], tmp_path)
        run(
            [
                command[0],
                "-pthread",
                "-o",
                "mutant",
                "mutant.o",
                "selftest.o",
                *[file.replace(".c", ".o") for file in support],
                "-lm",
            ],
            tmp_path,
        )
        done = subprocess.run(["./mutant"], cwd=tmp_path, capture_output=True, text=True, check=False)
        if "FAILED" not in done.stdout:
            survivors.append((old, new))
    assert found >= least and not survivors
