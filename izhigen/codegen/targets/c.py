"""C99 for a processor with vector instructions: populations in tiles, no dependency but the C library."""

from __future__ import annotations

from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.program import C_FLAGS
from izhigen.codegen.targets.target import Target

TARGET = Target(
    "c",
    ".c",
    CPrinter,
    "c",
    "population.c.j2",
    tiled=True,
    flags=C_FLAGS,
)
