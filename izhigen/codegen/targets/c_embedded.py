"""C99 for a microcontroller: fixed size, single precision, no heap, no C library."""

from __future__ import annotations

from izhigen.codegen.body import PERIOD
from izhigen.codegen.interfaces import microcontroller_interface
from izhigen.codegen.printers.embedded import EmbeddedPrinter
from izhigen.codegen.procedure import Kind, Store, Word
from izhigen.codegen.targets.target import Target
from izhigen.codegen.words import Words

LAST_STEP = Word("last_spike_step", integer=True)
"""The step in which a neuron last spiked."""
LAST_OFFSET = Word("last_spike_offset", real=True)
"""Where in it."""

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
        since=(Word("iz_since"), Word("population->step"), LAST_STEP, Word("population->dt")),
        since_inside=(Word("iz_since"), Word("population->step"), LAST_STEP, LAST_OFFSET, Word("population->dt")),
        stamp=Store(LAST_STEP, Word("population->step", integer=True), Kind.STEP),
    ),
    entry="step",
    dtypes=("float32",),
    input_noise=False,
    functions=("variate",),
    flags=("-std=c99", "-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-fno-math-errno"),
)
