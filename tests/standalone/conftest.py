"""Projects of models, rendered once a session, and what builds and runs them."""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import izhigen as iz
from izhigen.codegen.request import KernelRequest
from izhigen.derive.adjoint import Training
from izhigen.standalone.project import Project, build_project
from tests.codegen.test_kernel import HODGKIN_HUXLEY
from tests.conftest import ROOT
from tests.cuda.host import HEADER, built_once, precompiled
from tests.end_to_end.test_noise import EIF, SHARP
from tests.end_to_end.test_random_models import FAMILIES
from tests.helpers import OTHER_EQUATIONS

STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Wshadow", "-Werror"]
LANGUAGES = {
    "C99": ["gcc", "-std=c99", *STRICT],
    "C++17": ["g++", "-std=c++17", "-x", "c++", "-Wall", "-Wextra", "-Wpedantic", "-Werror"],
}
RUNTIME = ROOT / "tests" / "cuda" / "runtime"
"""CUDA's runtime on the host."""
LINKED = ("-fsanitize", "-pthread")
"""Flags that linking needs as well."""

EVERYTHING = (
    iz.load("IzhikevichRefLTC")
    .with_current("g*(E - V)", inputs=["g"], E=0.0)
    .with_noise(V=1.0, u=0.1)
    .variant("Everything", equations="dV/dt = p1*V**2 + p2*V + p3 - u + I + 2*sin(t/20)\ndu/dt = a*(b*V - u)")
)
MODELS = {
    **{name: iz.load(name) for name in OTHER_EQUATIONS},
    "Everything": EVERYTHING,
    "HodgkinHuxley": HODGKIN_HUXLEY.variant("HodgkinHuxley"),
    "Oscillator": iz.Model(
        "Oscillator",
        "dV/dt = w\ndw/dt = -k*V - 0.1*w + I",
        inputs=["I"],
        parameters={"k": 1.0},
        initial={"w": "exp(k) + sqrt(k)"},
    ),
    "NoisyEIF": EIF.variant("NoisyEIF"),
    "SharpEIF": SHARP.variant("SharpEIF"),
    "NoisyAdEx": FAMILIES["AdEx"].with_noise(V=2.0, w=3.0).variant("NoisyAdEx"),
    "NoisyHH": HODGKIN_HUXLEY.with_noise(V=2.0, n=0.01).variant("NoisyHH"),
    "Silent": iz.Model("Silent", "dV/dt = (I - V)/10", inputs=["I"]),
    "Pacemaker": iz.Model("Pacemaker", "dV/dt = 2 - V", threshold="V > 1", reset="V = 0"),
    "Numbers": iz.Model(
        "Numbers",
        "dv/dt = 0.04*v**2 + 5*v + 140 - u + I\ndu/dt = 0.02*(0.2*v - u)",
        threshold="v >= 30",
        reset="v = -65\nu = u + 8",
        inputs=["I"],
        initial={"v": -65.0, "u": -13.0},
    ),
    "Names": iz.Model(
        "Names",
        "dinput/dt = phase*tile - input*lane + steps_since_spike\ndneuron/dt = abs(floor(input)) - sqrt(input*input) + EOF",
        parameters={"phase": 1.0, "tile": 2.0, "lane": 0.5, "EOF": 0.1},
        inputs=["steps_since_spike"],
        initial={"neuron": "log(phase + tile)"},
    ),
}


@functools.cache
def project(name: str, target: str = "c", dtype: str = "float32", method: str = "exp_euler") -> Project:
    """The project of a model."""
    return build_project(KernelRequest(MODELS[name], method, dtype), target)


def drawing(
    name: str,
    target: str = "c",
    dtype: str = "float32",
    *,
    deltas: tuple[str, ...] = (),
    poisson: tuple[str, ...] = (),
    spikes: tuple[str, ...] = (),
    gradients: bool = False,
) -> Project:
    """The project of a model whose states jump, and whose kernel draws counts and delivers spikes, and goes back."""
    request = KernelRequest(MODELS[name], dtype=dtype, deltas=deltas, counted_inputs=poisson, delivered_inputs=spikes)
    if gradients:
        request = replace(request, training=Training(iz.surrogates.sigmoid()), wanted=MODELS[name].inputs)
    return build_project(request, target)


def run(command: list[str], folder: Path, code: int = 0) -> str:
    """Run a command in a folder; what it printed. It must end in that exit code."""
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def on_host(*flags: str) -> list[str]:
    """The command that compiles a device's sources for the host; all of them read the runtime, which is compiled once for each set of flags."""
    words = ("-std=c++17", "-ffp-contract=off", "-Wno-unknown-pragmas", "-pthread", *flags)
    return ["g++", *words, *precompiled(RUNTIME / "cuda_runtime.h", words), f"-I{RUNTIME}", "-I.", "-x", "c++"]


CHECKED = ("-O1", "-Wall", "-Wextra", "-Werror")
"""Flags of :func:`on_host` with which the sources of projects have no warnings."""
SANITIZERS = "-fsanitize=address,undefined"
SANITIZED = ("-O0", *CHECKED[1:], SANITIZERS)
"""The same with sanitizers, which see more where nothing is optimized, and are built in half the time."""


def compiled(command: list[str], source: str, folder: Path) -> Path:
    """The object of a source; what any test has compiled with the same words, from the same text and headers, is found again."""
    texts = {path.name: path.read_text() for path in (folder / source, *sorted(folder.rglob("*.h")), HEADER)}

    def make(made: Path) -> None:
        run([*command, "-c", source, "-o", str(made / "object.o")], folder)

    return built_once(("object", source, tuple(command), texts), make) / "object.o"


def link(command: list[str], sources: list[str], program: str, folder: Path) -> None:
    """Compile sources and make a program of them."""
    objects = [compiled(command, source, folder) for source in sources]
    flags = [word for word in command if word.startswith(LINKED)]
    run([command[0], *flags, "-o", program, *map(str, objects), "-lm"], folder)


def need(*programs: str) -> None:
    """Skip where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
