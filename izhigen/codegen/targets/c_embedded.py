"""C99 for a microcontroller: fixed size, single precision, no heap, no C library."""

from __future__ import annotations

from izhigen.codegen.body import PERIOD
from izhigen.codegen.interfaces import microcontroller_interface
from izhigen.codegen.printers.embedded import EmbeddedPrinter
from izhigen.codegen.procedure import Word
from izhigen.codegen.targets.target import Target
from izhigen.codegen.words import Words

TARGET = Target(
    "c-embedded",
    ".c",
    EmbeddedPrinter,
    "embedded",
    "population.c.j2",
    microcontroller_interface,
    Words(
        form=(Word("short_form"),),
        release=(Word("iz_release"), Word("population->step"), PERIOD, Word("population->dt")),
        keeps_times=False,
    ),
    entry="step",
    dtypes=("float32",),
    input_noise=False,
    functions=("variate",),
    flags=("-std=c99", "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-fno-math-errno"),
)
