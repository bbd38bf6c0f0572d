"""What a target consists of: a printer, templates, and how a program of it is called."""

from __future__ import annotations

from dataclasses import dataclass

from izhigen.codegen.kernel import Kernel
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.program import Program
from izhigen.codegen.render import context, environment


@dataclass(frozen=True)
class Target:
    """A language or device that kernels are rendered for.

    Attributes
    ----------
    name : str
        As in ``model.source(name)``.
    suffix : str
        Of its source files.
    printer : type
        Spells expressions and the words before a function.
    folder : str
        Folder of ``templates/`` with ``interface.h.j2`` and the template of the source. A target that is based on another may put its own
        versions of parts that this one includes into a folder of its own name.
    template : str
        The template of the source.
    tiled : bool
        Whether neurons are advanced in tiles that stay in a processor's cache.
    """

    name: str
    suffix: str
    printer: type[CPrinter]
    folder: str
    template: str
    tiled: bool = False

    def render(self, kernel: Kernel) -> Program:
        """The program of a kernel: one file without dependencies but the target's own library."""
        values = {**context(kernel, self.printer(kernel.dtype)), "target": self.name}
        interface = environment().get_template(f"{self.folder}/interface.h.j2").render(values)
        source = environment().get_template(f"{self.folder}/{self.template}").render(values, interface=interface)
        name = str(values["name"])
        tile = values["tile"] if self.tiled else 1
        return Program(name, self.name, kernel.dtype, source, interface, f"{name}_advance", tile, kernel.step.method, kernel.counts.cost)
