"""Target hip: CUDA's kernels with other headers and wavefronts; compiled for AMD devices where hipcc is present. Its golden sources stand with all others."""

import difflib
import os
import shutil
import subprocess

import pytest

from tests.codegen.test_source import FULL, MODELS

pytestmark = pytest.mark.tools

NEEDS_HIPCC = pytest.mark.skipif(
    shutil.which("hipcc") is None, reason="hipcc is not installed (Debian: apt install hipcc)"
)


def test_differs_from_cuda_in_headers_and_wavefronts_only():
    cuda, hip = (FULL.source(target).splitlines() for target in ("cuda", "hip"))
    changed = [line[2:] for line in difflib.ndiff(cuda, hip) if line[:2] in ("- ", "+ ")]
    assert len(changed) < 45
    assert any("hip_runtime.h" in line for line in changed) and any("__ballot" in line for line in changed)
    assert not any("phi1" in line or "neuron->" in line for line in changed)


@NEEDS_HIPCC
@pytest.mark.parametrize(
    ("name", "device", "dtype"), [("HH", "gfx90a", "float64"), ("Everything", "gfx1030", "float32")]
)
def test_compiles_for_amd_devices(tmp_path, name, dtype, device):
    """Each device, number type and model once, with the way back; projects of ``Everything`` are built for wavefronts of
    64 elsewhere.
    """
    model = MODELS[name]
    source = tmp_path / "kernel.hip"
    drawn = (*model.inputs, f"{model.states[0]}_delta") if name == "Everything" else ()
    shape = {"per_neuron": tuple(model.parameters)[:2], "deltas": model.states[:1], "poisson": drawn, "spikes": drawn}
    source.write_text(model.source("hip", dtype=dtype, gradients=True, surrogate="sigmoid", **shape))
    command = [
        "hipcc",
        "-x",
        "hip",
        f"--offload-arch={device}",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-pass-failed",
        "-c",
        str(source),
        "-o",
        str(tmp_path / "kernel.o"),
    ]
    done = subprocess.run(
        command, env={**os.environ, "HIP_PLATFORM": "amd"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@NEEDS_HIPCC
def test_times_are_rounded_before_they_are_compared(tmp_path):
    """clang takes the product of CUDA's ``__dmul_rn`` into a multiply-add, so ties would end elsewhere than in C."""
    text = MODELS["Everything"].source("hip")
    start = text.index("/* The start of a step in ms")
    function = text[start : text.index("\n}\n", start) + 3]
    source = tmp_path / "start.hip"
    source.write_text(
        f"#include <hip/hip_runtime.h>\n#include <stdint.h>\n{function}"
        'extern "C" __global__ void passed(int64_t step, double since, double dt, double *out)\n'
        "{\n    out[0] = iz_start(step, dt) - since;\n}\n"
    )
    assembly = tmp_path / "start.s"
    command = ["hipcc", "-x", "hip", "--offload-arch=gfx90a", "--cuda-device-only", "-O3", "-S", str(source)]
    done = subprocess.run(
        [*command, "-o", str(assembly)],
        env={**os.environ, "HIP_PLATFORM": "amd"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "v_fma_f64" not in assembly.read_text() and "v_mul_f64" in assembly.read_text()
