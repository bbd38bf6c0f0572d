"""Compilers turn the generated loops into vector code: read from the assembly, for AVX2, AVX-512 and NEON from the same source."""

import importlib.util
import platform
import re
import shutil
import subprocess
import sys

import pytest

import izhigen as iz
from izhigen import Event, Model
from izhigen.backends.toolchain import FLAGS
from izhigen.model.library import family_members, list_families
from tests.codegen.test_kernel import HODGKIN_HUXLEY

MODELS = {
    "Izhikevich": iz.load("Izhikevich"),
    "HodgkinHuxley": HODGKIN_HUXLEY,
    "AdEx": Model(
        "AdEx",
        "dV/dt = (g*(E - V) + g*D*exp((V - T)/D) - w + I)/C\ndw/dt = (a*(V - E) - w)/tau",
        threshold="V >= 0",
        reset="V = E; w = w + b",
        inputs=["I"],
        parameters={"g": 30.0, "E": -70.6, "D": 2.0, "T": -50.4, "C": 281.0, "a": 4.0, "tau": 144.0, "b": 80.5},
    ),
    "Leaky": Model(
        "Leaky", "dV/dt = (I - V)/10\ndw/dt = -w/50", threshold="V >= 10", reset="V = 0; w = w + 1", inputs=["I"]
    ).with_refractory(2.0),
    "Powers": Model("Powers", "dV/dt = -V**1.5 + log(1 + V**2) + sin(V)*cos(t) + tanh(V) + I", inputs=["I"]),
}
TARGETS = {  # flags, and a multiply-add of whole vectors in each number type
    "avx2": (
        ["-mavx2", "-mfma"],
        {"float32": r"vfn?m(?:add|sub)\d+ps\s+.*%ymm", "float64": r"vfn?m(?:add|sub)\d+pd\s+.*%ymm"},
    ),
    "avx512": (
        ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mprefer-vector-width=512"],
        {"float32": r"vfn?m(?:add|sub)\d+ps\s+.*%zmm", "float64": r"vfn?m(?:add|sub)\d+pd\s+.*%zmm"},
    ),
}
KEPT = [flag for flag in FLAGS if flag not in ("-march=native", "-fPIC", "-shared")]


def assembly(command, tmp_path, model, dtype, flags):
    source, output = tmp_path / "kernel.c", tmp_path / "kernel.s"
    source.write_text(model.source("c", dtype=dtype))
    done = subprocess.run(
        [*command, *KEPT, *flags, "-S", "-o", str(output), str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return output.read_text()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, ("float32", "float64")[k % 2]) for k, name in enumerate(MODELS)), ("Izhikevich", "float64")],
)
@pytest.mark.sample(10)
def test_x86(tmp_path, compiler, target, dtype, name):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    flags, patterns = TARGETS[target]
    text = assembly([compiler], tmp_path, MODELS[name], dtype, flags)
    assert len(re.findall(patterns[dtype], text)) >= (2 if name == "Leaky" else 5)  # it has no more
    assert not re.search(r"call\s+(?:exp|expm1|log|pow|sin|cos|tanh)", text)


def is_vector_code(model, dtype):
    """Whether the loop over lanes is, as gcc says itself."""
    source = model.source("c", dtype=dtype)
    before = source[: source.index("for (lane = group", source.index("step_lanes("))]
    command = ["gcc", *KEPT, *TARGETS["avx2"][0], "-fopt-info-vec", "-S", "-x", "c", "-o", "/dev/null", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    return f"<stdin>:{before.count(chr(10)) + 1}:" in done.stderr


needs_gcc = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or shutil.which("gcc") is None, reason="gcc, with flags of x86-64"
)


@needs_gcc
@pytest.mark.parametrize("family", list_families())
@pytest.mark.sample(10)
def test_a_model_of_each_family_is_vector_code(family):
    """And all that raise to a power that is no whole number."""
    for k, model in enumerate(family_members(family)[0].values()):
        dtype = ("float32", "float64")[(len(family) + k) % 2]
        if k == 0 or "iz_pow(" in model.source("c", dtype=dtype):
            assert is_vector_code(model, dtype), model.name


@needs_gcc
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_events_that_read_what_others_have_set_are_vector_code(dtype):
    """gcc decided for each branch of the first whether the second happens, and left all of it to be done one by one."""
    model = Model(
        "Counted",
        "dV/dt = (I - V)/tau\ndleft/dt = -held\nheld = 0*V + on\ndon/dt = 0",
        threshold="V >= 1 and left <= 0",
        reset="V = 0; left = rest; on = where(rest > 0, 1, 0)",
        parameters={"tau": 10.0, "rest": 2.0},
        inputs=["I"],
        events={"freed": Event("on > 0.5 and not (left > 0)", "on = 0")},
    )
    assert is_vector_code(model, dtype)


@pytest.mark.tools
@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the ziglang wheel is not installed")
def test_neon(tmp_path):
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-linux-gnu"]
    for name, dtype, lanes in (("Izhikevich", "float32", "4s"), ("HodgkinHuxley", "float64", "2d")):
        assert len(re.findall(rf"fml[as]\s+v\d+\.{lanes}", assembly(command, tmp_path, MODELS[name], dtype, []))) >= 5


@pytest.mark.tools
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86-64 assembly")
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_each_form_of_phi1_is_vector_code(tmp_path, compiler):
    """The three with a division too: clang left them in one loop that chose among them for each neuron."""
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    text = assembly([compiler], tmp_path, MODELS["Izhikevich"], "float32", TARGETS["avx2"][0])
    assert len(re.findall(r"vdivps\s+.*%ymm", text)) >= 3
