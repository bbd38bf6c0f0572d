"""C99 for a microcontroller: fixed size, single precision, no heap, no C library."""

from __future__ import annotations

from izhigen.codegen.printers.embedded import EmbeddedPrinter
from izhigen.codegen.targets.target import Target

TARGET = Target(
    "c-embedded",
    ".c",
    EmbeddedPrinter,
    "embedded",
    "population.c.j2",
    entry="step",
    dtypes=("float32",),
    input_noise=False,
    functions=("variate",),
    flags=("-std=c99", "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-fno-math-errno"),
)
