"""C spellings for a microcontroller: single precision, and no C library."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from izhigen.codegen.printers.c import CPrinter


class EmbeddedPrinter(CPrinter):
    """Prints for one neuron after the other; every function it calls is written out."""

    VARIATES, CLOCK = "variate", "time"
    step_type = "int64_t"
    WIDE_FORM = False
    PROVIDED = frozenset({"start"})  # what single precision does not need
    TEMPLATES = MappingProxyType(
        {
            "from_bits": "from_bits_union",
            "to_bits": "to_bits_union",
            "release": "release_single",
            "since": "since_single",
            "phi1_form": "phi1_form_single",
            "phi2_form": "phi2_form_single",
        }
    )
    INSIDE = MappingProxyType({"release": "release_inside", "since": "since_inside"})
    WIDE = "float32"

    def all_of(self, conditions: Iterable[Any]) -> str:
        """Whether all conditions hold, without a branch."""
        return " & ".join(str(self._print(condition)) for condition in conditions)

    def library(self, name: str) -> str:
        """The name of the function written out."""
        return f"iz_{name}"
