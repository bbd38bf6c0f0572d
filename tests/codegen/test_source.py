"""Generated C as a whole: golden files, determinism, warnings, sanitizers, and what a reader finds at its head."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import izhigen as iz
from izhigen.backends import build
from izhigen.codegen.targets import find_target, target_names
from tests.codegen.test_kernel import HODGKIN_HUXLEY
from tests.conftest import ROOT

GOLDEN = Path(__file__).parent.parent / "golden"
STRICT = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror", "-ffp-contract=off"]
FULL = (
    iz.load("IzhikevichRefLTC").with_current("g*(E - V)", inputs=["g"], E=0.0).with_noise(V=1.0).variant("Everything")
)
OSCILLATOR = iz.Model("Oscillator", "dV/dt = w\ndw/dt = -k*V - 0.1*w + I", inputs=["I"], parameters={"k": 1.0})
MODELS = {
    "Izhikevich": iz.load("Izhikevich"),
    "HH": HODGKIN_HUXLEY,
    "Everything": FULL,
    "Oscillator": OSCILLATOR,
    "izhikevich2007": iz.load("izhikevich2007"),
}


ODD = {
    "tau_ref in an equation": iz.Model("A", "dV/dt = 2 - V", threshold="V > 1", reset="V = 0")
    .with_refractory(2.0)
    .variant("A", equations="dV/dt = 2 - V/tau_ref", reset="V = 0.1*tau_ref"),
    "tau_ref without a refractory period": iz.Model("A", "dV/dt = 2 - V/tau_ref", parameters={"tau_ref": 1.0}),
    "conditions of parameters": iz.Model(
        "A", "dV/dt = where((a > 0.5) and (V > 0.1), -V*V, 1) + where(a > b, V, 2)", parameters={"a": 1.0, "b": 2.0}
    ),
    "perfect integrator": iz.Model("A", "dV/dt = I", inputs=["I"]),
    "functions of SymPy's own": iz.Model(
        "A", "dV/dt = sqrt(V**2) + sqrt(a**2*V**4) + tan(V + pi/2) + (V**2)**0.5 + sign(V - 1)", parameters={"a": 1.0}
    ),
    "constants of functions": iz.Model(
        "A", "dV/dt = V*max(pi, 3) + abs(-pi)*V + sign(pi)*V + floor(pi) + clip(tanh(0.9), 0, 1) + sqrt(2)"
    ),
    "names of the generator and of headers": iz.Model(
        "A",
        "dV/dt = phase*tile - V*lane + INT64_MAX + FP_NAN*int_ + offsetof*UINTMAX_MAX + x_t\nx_t = near*far\ndlane/dt = -lane*constants",
        parameters={
            "phase": 1.0,
            "tile": 2.0,
            "INT64_MAX": 3.0,
            "offsetof": 0.1,
            "UINTMAX_MAX": 0.2,
            "FP_NAN": 1.0,
            "int_": 1.0,
            "near": 1.0,
            "far": 2.0,
            "constants": 0.1,
        },
    ).with_noise(V=1.0),
    "noise in a block": iz.Model("A", "dV/dt = -a*V + w\ndw/dt = -V - 0.1*w", parameters={"a": 1.0}).with_noise(V=1.0),
    "comments": iz.Model(
        "A", "dV/dt = -V", threshold="V > 1  # /* x", reset="V = 0", description="a */ int evil; /* b"
    ),
    "many maxima": iz.Model("A", "dV/dt = max(" + ", ".join(f"{k}*V" for k in range(1, 30)) + ")"),
}


def per_neuron(model):
    return tuple(model.parameters)


@pytest.mark.parametrize("target", target_names())
@pytest.mark.parametrize("name", ["IzhikevichLTC", "IzhikevichRefLTC", "izhikevich2007"])
def test_golden_sources(name, target, request):
    source = iz.load(name).source(target).replace(iz.__version__, "VERSION")
    path = GOLDEN / target / f"{name}{find_target(target).suffix}"
    if request.config.getoption("--update-goldens"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    assert source == path.read_text(), (
        "the generated source changed; look at the difference, then run pytest --update-goldens"
    )


@pytest.mark.tools
@pytest.mark.parametrize(
    ("compiler", "dtype", "placement"),
    [
        ("gcc", "float32", tuple),
        ("gcc", "float64", per_neuron),
        ("clang", "float32", per_neuron),
        ("clang", "float64", tuple),
    ],
)
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.sample(10)
def test_compiles_without_warnings(tmp_path, compiler, name, dtype, placement):
    """Every kernel by one of the compilers."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    model = MODELS[name]
    source = tmp_path / "kernel.c"
    source.write_text(
        model.source(
            "c", dtype=dtype, per_neuron=() if placement is tuple else placement(model), deltas=model.states[:1]
        )
    )
    done = subprocess.run(
        [compiler, *STRICT, "-c", str(source), "-o", str(tmp_path / "kernel.o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.sample(9)
def test_odd_models_compile_without_warnings_and_agree(tmp_path, name, dtype, device, monkeypatch):
    """Those that run are compiled with the same warnings; rk4 is compiled alone, in either number type with another placement."""
    model = ODD[name]
    own = tuple(model.parameters)
    source = tmp_path / "kernel.c"
    source.write_text(model.source("c", dtype=dtype, method="rk4", per_neuron=own if dtype == "float32" else ()))
    assert source.stat().st_size < 100_000 and len(model.source("c", dtype=dtype)) < 100_000
    done = subprocess.run(
        ["cc", *STRICT, "-Wcomment", "-c", str(source), "-o", str(tmp_path / "kernel.o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    warnings = [flag for flag in STRICT if flag.startswith("-W")]
    monkeypatch.setattr(build, "SHARED", (*build.SHARED, *warnings, "-Wcomment"))
    for values in ({}, {p: [v, v] for p, v in model.parameters.items()}):
        on_device = values and dtype == "float32"  # one kernel of a model
        backends = ["c", "numpy", *(["cuda"] if on_device else [])]
        found = [
            model.population(2, dt=0.01, backend=backend, dtype=dtype, V=0.3, **values)
            .run(0.05, record=["V"])
            .to_host()["V"]
            for backend in backends
        ]
        for other in found[1:]:
            np.testing.assert_allclose(found[0], other, rtol=1e-4 if dtype == "float32" else 1e-10)


def test_a_description_never_becomes_code():
    assert "int evil" not in ODD["comments"].source("c").split("*/", 1)[1]


@pytest.mark.parametrize("method", ["euler", "rk4", "ralston4"])
def test_other_methods_compile_without_warnings(tmp_path, method):
    source = tmp_path / "kernel.c"
    source.write_text(HODGKIN_HUXLEY.source("c", method=method))
    done = subprocess.run(
        ["cc", *STRICT, "-c", str(source), "-o", str(tmp_path / "kernel.o")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


BYTES = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.codegen.test_source import MODELS
from tests.standalone.conftest import project
sources = [m.source(t, method=k) for m in MODELS.values() for t, k in (("c", "exp_euler"), ("c", "rk4"), ("cuda", "exp_euler"))]
projects = [path + text for t in ("c", "c-embedded") for path, text in project("Everything", t).files.items()]
sys.stdout.write("".join((*sources, *projects)))
"""


def test_the_same_bytes_under_any_hash_seed():
    """Of kernels and of projects."""
    outputs = [
        subprocess.run(
            [sys.executable, "-c", BYTES, str(ROOT)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    ]
    assert len(outputs[0]) > 100_000 and outputs[0] == outputs[1]


def test_the_head_comment_tells_what_it_is():
    head = iz.load("IzhikevichLTC").source("c").split("*/")[0]
    for text in (
        "dV/dt = p1*V**2 + p2*V + p3 - u + I : mV",
        "exp_euler",
        "phi1(z)",
        "p1 = 0.04 1/(mV*ms)",
        "Input I mV/ms",
        "linearized",
        "reset: V = c; u = u + d",
    ):
        assert text in head


MAIN = """
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    enum { N = 300, STEPS = 40 };
    static float zero, V[N], u[N], I[STEPS * N], a[N], trace[4 * 5];
    static double last[N], tau[N];
    static int64_t step[600000], neuron[600000], chosen[5] = {0, 3, 255, 256, 299};
    struct Everything_population p = {0};
    struct Everything_run r = {0};
    int i;
    for (i = 0; i < N; i++) { V[i] = -70.0f; u[i] = -14.0f; a[i] = 0.02f; last[i] = -1e7; tau[i] = 2.0; }
    for (i = 0; i < STEPS * N; i++) I[i] = 300.0f;
    p.neurons = N; p.dt = 0.1; p.seed = 7; p.state.V = V; p.state.u = u; p.state.t_last_spike = last;
    p.parameter.a = a; p.parameter.tau_ref = tau; p.parameter.p1 = 0.04; p.parameter.p2 = 5; p.parameter.p3 = 140; p.parameter.b = 0.2;
    p.parameter.c = -65; p.parameter.d = 8; p.parameter.V_th = 30; p.parameter.sigma_V = 1;
    r.steps = STEPS; r.input.I.values = I; r.input.I.step_stride = N; r.input.I.neuron_stride = 1; r.input.g.values = &zero;
    r.record_every = 10; r.record_phase = 9; r.record_count = 5; r.record_neurons = chosen; r.record.V = trace;
    r.spike_capacity = 600000; r.spike_step = step; r.spike_neuron = neuron;
    if (Everything_advance(&p, &r, 0, N) != N || r.spike_count == 0) return 1;
    printf("%lld\\n", (long long)r.spike_count);
    return 0;
}
"""


def test_runs_clean_under_sanitizers(tmp_path):
    source = tmp_path / "kernel.c"
    source.write_text(FULL.source("c", per_neuron=("a", "tau_ref")) + MAIN)
    program = tmp_path / "kernel"
    flags = ["-std=c99", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    built = subprocess.run(
        ["cc", *flags, str(source), "-o", str(program), "-lm"], capture_output=True, text=True, check=False
    )
    if built.returncode != 0 and "cannot find" in built.stderr:
        pytest.skip("the compiler has no sanitizer runtime")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
