"""C99 for a processor with vector instructions: populations in tiles, no dependency but the C library."""

from __future__ import annotations

from izhigen.codegen.body import PERIOD, TIME_NOW
from izhigen.codegen.interfaces import processor_interface
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.procedure import Word
from izhigen.codegen.program import C_FLAGS
from izhigen.codegen.targets.target import Target
from izhigen.codegen.words import TIME_STEP, Words
from izhigen.derive.event import LAST_SPIKE

TARGET = Target(
    "c",
    ".c",
    CPrinter,
    "c",
    "population.c.j2",
    processor_interface,
    Words(
        form=(Word("form"), Word("reach")),
        release=(Word("release_in_call"), Word("origin"), TIME_NOW, PERIOD, TIME_STEP),
        since=(Word("iz_since"), TIME_NOW, LAST_SPIKE),
        in_parts=True,
        holder="lanes",
    ),
    tiled=True,
    goes_back=True,
    flags=C_FLAGS,
)
