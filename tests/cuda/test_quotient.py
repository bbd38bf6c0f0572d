"""The long form of phi1 on a device: no slow path, and the bits of a division."""

import shutil

import pytest

import izhigen as iz
from tests.cuda import machine_code, nvrtc
from tests.cuda.quotient import quotients

FCHK, CALL = 0x102, 0x144
"""What a division in single precision begins with: a check of its range, and a call of the way for the rest."""


def operations(compiled, kernel):
    code = dict(machine_code.sections(compiled.cubin))[f".text.{kernel}"]
    return [low & 0x1FF for low, _ in machine_code.WORDS.iter_unpack(code)]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_every_quotient_has_the_bits_of_a_division(tmp_path):
    """Each 997th of all floats, whatever the estimate's last bit; without the corrections many differ."""
    seen, wrong = quotients(997, tmp_path)
    assert seen > 4_000_000 and wrong == 0
    assert quotients(99_991, tmp_path, corrected=False)[1] > 1000


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90"])
def test_a_kernel_has_no_division_with_a_slow_path(arch):
    source = iz.load("IzhikevichLTC").source("cuda")
    compiled = nvrtc.compile(source, arch)
    for kernel in ("IzhikevichLTC_step", "IzhikevichLTC_advance"):
        assert FCHK not in operations(compiled, kernel)
    plain = nvrtc.compile('extern "C" __global__ void divide(float *x, float y) { *x = *x / y; }', arch)
    assert {FCHK, CALL} <= set(operations(plain, "divide"))


def test_hip_divides():
    """A device without the instruction takes the branch with a division."""
    source = iz.load("IzhikevichLTC").source("hip")
    assert "return numerator / z;" in source and source.count("asm(") <= 1
