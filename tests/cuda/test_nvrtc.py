"""NVRTC without a GPU: what kernels take is read from the compiler's own report, and errors carry its text."""

import pytest

from tests.cuda import nvrtc
from tests.cuda.test_host import ADD, APPEND, HISTOGRAM

pytestmark = [pytest.mark.tools, nvrtc.needs_nvrtc]
ARCH = "sm_75"
SPILLING = """
extern "C" __global__ void many(const float *x, float *out, const int n)
{
    float kept[64];
    #pragma unroll
    for (int k = 0; k < 64; ++k) kept[k] = x[k * n + threadIdx.x];
    for (int turn = 0; turn < n; ++turn) {
        #pragma unroll
        for (int k = 0; k < 64; ++k) kept[k] = kept[k] * kept[(k + 1) % 64] + x[turn];
    }
    #pragma unroll
    for (int k = 0; k < 64; ++k) out[k * n + threadIdx.x] = kept[k];
}
"""


def test_each_kernel_is_reported():
    compiled = nvrtc.compile(ADD + APPEND, ARCH)
    assert compiled.cubin[:4] == b"\x7fELF" and set(compiled.kernels) == {"vectors_add", "append"}
    assert all(
        0 < k.registers <= 64 and (k.stack, k.spill_stores, k.spill_loads) == (0, 0, 0)
        for k in compiled.kernels.values()
    )


def test_spilling_is_reported():
    assert nvrtc.compile(SPILLING, ARCH).kernels["many"].spill_stores == 0
    tight = nvrtc.compile(SPILLING, ARCH, ["--maxrregcount=24"]).kernels["many"]
    assert tight.registers <= 24 and tight.stack > 0 and tight.spill_stores > 0 and tight.spill_loads > 0


@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90"])
def test_every_architecture(arch):
    assert arch in nvrtc.architectures() and "append" in nvrtc.compile(APPEND, arch).kernels


def test_warnings_are_in_the_log():
    warned = nvrtc.compile('extern "C" __global__ void k(int *p) { int unused; p[0] = 1; }', ARCH)
    assert "never referenced" in warned.log
    assert "warning" not in nvrtc.compile(ADD, ARCH).log


@pytest.mark.parametrize(
    "source,options,text",
    [
        ("int f(", [], r"source\.cu\(1\): error"),
        (ADD, ["--no-such-option"], "no-such-option"),
        (HISTOGRAM, [], r"stdint\.h"),
    ],
)
def test_errors_carry_the_text(source, options, text):
    with pytest.raises(nvrtc.NvrtcError, match=text):
        nvrtc.compile(source, ARCH, options)


def test_a_missing_library_has_a_reason(monkeypatch):
    monkeypatch.setattr(nvrtc, "_candidates", list)
    monkeypatch.setattr(nvrtc, "_load", nvrtc._load.__wrapped__)
    assert not nvrtc.available() and "nvidia-cuda-nvrtc" in nvrtc.reason()
    with pytest.raises(nvrtc.NvrtcError, match="installed"):
        nvrtc.compile(ADD, ARCH)
