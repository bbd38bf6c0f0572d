"""The target c-embedded on its processors: what it links to, what an emulated board gives, and the functions it brings itself."""

import ctypes
import importlib.util
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from izhigen.codegen.elementary import in_order
from izhigen.codegen.printers.embedded import EmbeddedPrinter
from izhigen.codegen.render import elementary_texts
from tests.standalone.conftest import need, project, run

pytestmark = pytest.mark.tools

CORES = {
    "cortex-m0": (["-mcpu=cortex-m0", "-mthumb"], None),
    "cortex-m3": (["-mcpu=cortex-m3", "-mthumb"], "mps2-an385"),
    "cortex-m4": (["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"], "mps2-an386"),
}
STRICT = ["-std=c99", "-ffreestanding", "-Wall", "-Wextra", "-Werror", "-Wdouble-promotion", "-Wconversion"]
ZIG = [sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabi", "-mcpu=cortex_m3"]


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", ["IzhikevichRefLTC", "Everything", "Names", "Oscillator"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_links_to_nothing_but_single_precision_arithmetic(tmp_path, core, name, level):
    need("arm-none-eabi-gcc", "arm-none-eabi-nm")
    project(name, "c-embedded").write(tmp_path)
    run(["arm-none-eabi-gcc", *CORES[core][0], *STRICT, level, "-c", f"{name}.c"], tmp_path)
    symbols = [line.split() for line in run(["arm-none-eabi-nm", f"{name}.o"], tmp_path).splitlines()]
    undefined = {parts[-1] for parts in symbols if parts[-2] == "U"}
    assert all(symbol.startswith("__aeabi_") or symbol in ("memset", "memcpy") for symbol in undefined), undefined
    assert not [symbol for symbol in undefined if symbol.startswith("__aeabi_d") or symbol.endswith("2d")]
    assert not {parts[-2] for parts in symbols} & set("bBdDC")


@pytest.mark.parametrize("core", [core for core, (_, machine) in CORES.items() if machine])
@pytest.mark.parametrize("name", ["IzhikevichRefLTC", "Everything"])
def test_passes_its_self_test_on_an_emulated_board(tmp_path, core, name):
    need("arm-none-eabi-gcc", "qemu-system-arm", "make")
    flags, machine = CORES[core]
    project(name, "c-embedded").write(tmp_path)
    assert "60 of 60 trajectories compared, 0 differences: passed" in run(
        ["make", "-s", "qemu", f"CPU={' '.join(flags)}", f"MACHINE={machine}"], tmp_path
    )


def test_the_example_on_the_board_prints_what_it_prints_here(tmp_path):
    need("arm-none-eabi-gcc", "qemu-system-arm", "make")
    project("IzhikevichRefLTC", "c-embedded").write(tmp_path)
    printed = [
        subprocess.run(["sh", "-e", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for command in ("make -s main && ./main", "make -s qemu-main")
    ]
    assert printed[0] == printed[1] and printed[0].count("\n") > 20


def test_a_failure_on_the_board_is_an_exit_code(tmp_path):
    need("arm-none-eabi-gcc", "qemu-system-arm", "make")
    written = project("IzhikevichLTC", "c-embedded")
    written.write(tmp_path)
    (tmp_path / "IzhikevichLTC.c").write_text(
        written.files["IzhikevichLTC.c"].replace("parameter.d = 8.0f", "parameter.d = 8.1f")
    )
    assert "FAILED" in run(["make", "-s", "qemu"], tmp_path, code=2)  # make's own code


def test_numbers_are_printed_with_seven_digits(tmp_path):
    project("RS", "c-embedded").write(tmp_path)
    values = [8388609.0, 8388611.0, 9999999.0, 9999998.0, 9999999.5e5, 1.0, 0.1, 12345.678, 3.4e38, 1e-30]
    calls = "".join(f'write_real({value!r}f); write_text("\\n");' for value in values)
    (tmp_path / "user.c").write_text(f'#include "output.h"\nint main(void) {{ {calls} return 0; }}\n')
    run(["gcc", "-o", "user", "user.c", "output.c", "host.c"], tmp_path)
    printed = run(["./user"], tmp_path).split()
    assert printed[:4] == ["8.388609e6", "8.388611e6", "9.999999e6", "9.999998e6"]
    np.testing.assert_allclose([float(text) for text in printed], np.float32(values), rtol=2e-6)
    assert all(float(text.partition("e")[0]) < 10 for text in printed)


def test_a_state_that_is_not_finite_is_told_beside_the_spikes(tmp_path):
    need("arm-none-eabi-gcc", "qemu-system-arm", "make")
    written = project("RS", "c-embedded")
    written.write(tmp_path)
    (tmp_path / "RS.c").write_text(written.files["RS.c"].replace("parameter.d = 8.0f", "parameter.d = INFINITY"))
    for command, code in ((["./main"], 1), (["make", "-s", "qemu-main"], 2)):
        run(["make", "-s", "main"], tmp_path)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code and "not finite" in done.stderr and "finite" not in done.stdout


def test_compiles_with_zig(tmp_path):
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("the package ziglang is not installed")
    project("IzhikevichRefLTC", "c-embedded").write(tmp_path)
    run([*ZIG, *STRICT, "-Os", "-c", "IzhikevichRefLTC.c", "-o", "x.o"], tmp_path)


def test_the_size_is_a_macro(tmp_path):
    project("IzhikevichLTC", "c-embedded").write(tmp_path)
    sources = ["IzhikevichLTC.c", "output.c", "host.c"]
    run(["gcc", "-DIzhikevichLTC_NEURONS=5", "-o", "main", "main.c", *sources], tmp_path)
    assert {row.split(",")[1] for row in run(["./main"], tmp_path).splitlines()[1:]} == set("01234")
    assert "needs 4 neurons" in run(["gcc", "-DIzhikevichLTC_NEURONS=3", "selftest.c", *sources], tmp_path, code=1)


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    """The functions that stand in for the C library's, as a shared library of this machine."""
    folder = tmp_path_factory.mktemp("functions")
    texts = elementary_texts(EmbeddedPrinter("float32"), in_order({"sqrt", "floor", "time", "variate"}))
    exported = "\n".join(
        f"void all_{name}(const float *x, float *y, int n)\n{{\n    int i;\n    for (i = 0; i < n; i++)\n        y[i] = iz_{name}(x[i]);\n}}"
        for name in ("sqrt", "floor", "fabs")
    )
    head = "#include <stdint.h>\n#define INFINITY iz_from_bits(0x7F800000u)\n#define NAN iz_from_bits(0x7FC00000u)\n"
    other = (
        "float time_of(int64_t step, float dt, float rest) { return iz_time(step, dt, rest); }\n"
        "float variate(uint64_t seed, int64_t neuron, int64_t step) { return iz_variate(seed, neuron, step, 3u); }\n"
    )
    (folder / "functions.c").write_text(head + "\n".join(texts) + exported + "\n" + other)
    run(["gcc", "-std=c99", "-O2", "-shared", "-fPIC", "-o", "functions.so", "functions.c"], folder)
    return ctypes.CDLL(str(folder / "functions.so"))


@pytest.mark.parametrize("name", ["sqrt", "floor", "fabs"])
def test_own_functions_are_exact(functions, name):
    bits = np.random.default_rng(1).integers(0, 2**32, 1_000_000, dtype=np.uint32)
    special = np.array(
        [
            0,
            0x80000000,
            1,
            0x007FFFFF,
            0x00800000,
            0x7F7FFFFF,
            0x7F800000,
            0xFF800000,
            0x7FC00000,
            0x3F7FFFFF,
            0xBF000001,
            0x4B000000,
        ],
        np.uint32,
    )
    near = np.arange(0x3F7FF000, 0x3F801000, dtype=np.uint32)
    x = np.concatenate([bits, special, near]).view(np.float32)
    y = np.empty_like(x)
    pointer = ctypes.POINTER(ctypes.c_float)
    getattr(functions, f"all_{name}")(x.ctypes.data_as(pointer), y.ctypes.data_as(pointer), len(x))
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(y, getattr(np, name)(x))


def test_time_stays_exact_in_long_runs(functions):
    functions.time_of.restype = ctypes.c_float
    functions.time_of.argtypes = [ctypes.c_int64, ctypes.c_float, ctypes.c_float]
    random = np.random.default_rng(2)
    for dt in (0.1, 0.05, 0.01, 1 / 3):
        head = float(np.float32(dt))
        rest = float(np.float32(dt - head))
        for step in [0, 1, 4095, 4096, 10**6 + 1, 10**9 + 7, 2**40 + 12345, *random.integers(0, 2**44, 200).tolist()]:
            exact = Fraction(step) * (Fraction(head) + Fraction(rest))
            found = functions.time_of(step, head, rest)
            assert abs(Fraction(found) - exact) <= Fraction(float(np.spacing(np.float32(exact)))) * Fraction(501, 1000)


def test_variates_are_those_of_the_other_targets(functions):
    from izhigen.backends.random import normal_rows

    functions.variate.restype = ctypes.c_float
    functions.variate.argtypes = [ctypes.c_uint64, ctypes.c_int64, ctypes.c_int64]
    seed = 2**40 + 12345
    wanted = normal_rows(seed, 7, 20, 3, 30, 3, np.float32)
    found = [[functions.variate(seed, 7 + i, 3 + k) for i in range(20)] for k in range(30)]
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)
