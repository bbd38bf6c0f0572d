"""The long form of phi1 on a device divides by a reciprocal estimate: every quotient against a division, on the host.

    python -m tests.cuda.quotient

goes through all arguments (three minutes; 242 quotients differ, see docs/internals.md); tests go through each ``stride``-th. The program is the text that the kernel carries; the estimate of
the device, which PTX lets be wrong by one unit in the last place, is a division moved by -1, 0 or 1 units.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from izhigen.codegen.elementary import in_order
from izhigen.codegen.printers.cuda import CudaPrinter
from izhigen.codegen.render import elementary_texts

ESTIMATE = 'asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(estimate) : "f"(z));'
CORRECTIONS = {
    "fmaf(fmaf(-estimate, z, 1.0f), estimate, estimate)": "estimate",
    "fmaf(fmaf(-quotient, z, numerator), reciprocal, quotient)": "quotient",
}
"""What makes a quotient exact, and what stands there without it."""
HEAD = """#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define __device__
#define __forceinline__ inline
#define __CUDA_ARCH__ 900
static int shift;
"""
MAIN = """
static float moved_reciprocal(float z)
{
    return iz_from_bits(iz_to_bits(1.0f / z) + (uint32_t)shift);
}

static float divided(float z)
{
    const struct iz_reduced x = iz_reduce(z);
    const float em1 = x.r + x.r * x.r * x.q;
    const float floored = z < -0x1p125f ? -0x1p125f : z, divisor = floored > 88.37f ? 88.37f : floored;
    return x.n == 0.0f ? 1.0f + x.r * x.q : (x.whole * em1 + (x.whole - 1.0f)) / divisor;
}

/* Arguments looked at, and those whose bits differ. */
int main(void)
{
    const float first[2] = {0.0f, -0.0f};
    long long seen = 0, wrong = 0;
    for (int sign = 0; sign < 2; sign++)
        for (uint64_t bits = iz_to_bits(first[sign]); bits <= iz_to_bits(sign ? -INFINITY : INFINITY); bits += STRIDE) {
            const float z = iz_from_bits((uint32_t)bits), value = divided(z);
            for (shift = -1; shift <= 1; shift++)
                wrong += iz_to_bits(iz_phi1(z)) != iz_to_bits(value);
            seen++;
        }
    printf("%lld %lld\\n", seen, wrong);
    return 0;
}
"""


def quotients(stride: int, folder: Path, corrected: bool = True) -> tuple[int, int]:
    """How many arguments were looked at, and how many quotients differ from a division; without the corrections on demand."""
    printer = CudaPrinter("float32")
    text = "\n".join(elementary_texts(printer, in_order({"phi1"}, printer.PROVIDED)))
    assert text.count(ESTIMATE) == 1
    text = text.replace(ESTIMATE, "estimate = moved_reciprocal(z);").replace(
        "static __device__ __forceinline__ float iz_quotient",
        "static float moved_reciprocal(float z);\nstatic inline float iz_quotient",
    )
    for correction, without in CORRECTIONS.items() if not corrected else ():
        assert text.count(correction) == 1
        text = text.replace(correction, without)
    source, program = folder / "quotient.c", folder / "quotient"
    source.write_text(HEAD + text + MAIN)
    flags = ["-std=gnu99", "-O2", "-march=native", "-ffp-contract=fast", f"-DSTRIDE={stride}"]
    subprocess.run(["gcc", *flags, "-o", str(program), str(source), "-lm"], check=True)
    seen, wrong = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    return int(seen), int(wrong)


if __name__ == "__main__":
    with TemporaryDirectory() as room:
        seen, wrong = quotients(1, Path(room))
        print(f"{seen:,} arguments, {wrong} quotients that differ from a division")
