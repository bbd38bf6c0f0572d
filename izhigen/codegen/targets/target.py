"""What a target consists of: a printer, templates, and how a program of it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from izhigen.codegen.formats import FORMATS
from izhigen.codegen.interface import Interface, c_text
from izhigen.codegen.kernel import Kernel
from izhigen.codegen.printers.c import CPrinter
from izhigen.codegen.program import Program
from izhigen.codegen.render import environment
from izhigen.codegen.view import KernelView
from izhigen.codegen.viewing import view_of
from izhigen.codegen.words import Words
from izhigen.derive.adjoint import Training
from izhigen.errors import BackendError, shown


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
        Folder of ``templates/`` with the template of the source. A target that is based on another may put its own
        versions of parts that this one includes into a folder of its own name.
    template : str
        The template of the source.
    interface : callable
        From a kernel's view to the structs and functions that a program shows.
    words : Words
        What the templates call the things that printed statements need.
    tiled : bool
        Whether neurons are advanced in tiles that stay in a processor's cache.
    entry : str
        What follows the model's name in that of the function that advances neurons.
    dtypes : tuple of str
        Number types that it has.
    flags : tuple of str
        Compiler flags that suit its sources.
    input_noise : bool
        Whether its kernels add normal variates to inputs.
    functions : tuple of str
        Elementary functions that its projects call beside those of the kernel.
    goes_back : bool
        Whether its kernels go back through steps.
    project : str
        Folder of ``templates/standalone/`` with the files of a project; the target's name when empty.
    """

    name: str
    suffix: str
    printer: type[CPrinter]
    folder: str
    template: str
    interface: Callable[[KernelView], Interface]
    words: Words
    tiled: bool = False
    entry: str = "advance"
    dtypes: tuple[str, ...] = ("float32", "float64")
    flags: tuple[str, ...] = ()
    input_noise: bool = True
    functions: tuple[str, ...] = ()
    goes_back: bool = False
    project: str = ""

    def check_dtype(self, dtype: str) -> None:
        """Refuse a number type that the target does not have."""
        if dtype in FORMATS and dtype not in self.dtypes:
            raise BackendError(
                f"target {self.name!r} computes in {' or '.join(self.dtypes)} only, not in {dtype}; "
                f"give dtype={shown(self.dtypes[0])}"
            )

    def check_drawn(self, counted_inputs: tuple[str, ...], delivered_inputs: tuple[str, ...]) -> None:
        """Refuse Poisson counts and spikes on a target whose kernels draw nothing for inputs."""
        if not self.input_noise and (counted_inputs or delivered_inputs):
            raise BackendError(
                f"target {self.name!r} is given the values of its inputs step by step, and draws no Poisson "
                f"counts and delivers no spikes; take target 'c', or add them to the input"
            )

    def check_training(self, training: Training | None) -> None:
        """Refuse to go back through steps where the target cannot, and smooth spikes."""
        if training is not None and not self.goes_back:
            raise BackendError(f"target {self.name!r} does not go back through steps; take 'c', 'cuda' or 'hip'")
        if training is not None and training.smooth:
            raise BackendError(
                "smooth_spikes=True is for checking gradients, and on backend 'numpy' only; leave it out, or take that"
            )

    def render(self, kernel: Kernel) -> Program:
        """The program of a kernel: one file without dependencies but the target's own library.

        Raises
        ------
        BackendError
            For a number type that the target does not have, for counts and spikes where it draws none, and for ways
            back where it has none.
        """
        self.check_training(kernel.training)
        self.check_dtype(kernel.dtype)
        self.check_drawn(kernel.counted_inputs, kernel.delivered_inputs)
        view = view_of(kernel, self.name, self.printer(kernel.dtype), self.words)
        interface = c_text(self.interface(view))
        source = environment().get_template(f"{self.folder}/{self.template}").render(view=view, interface=interface)
        return Program(
            view.name,
            self.name,
            kernel.dtype,
            source,
            interface,
            f"{view.name}_{self.entry}",
            view.tile.size if self.tiled else 1,
            kernel.step.method,
            self.flags,
            kernel.counts.cost,
            view.event_count,
            view.back is not None,
            kernel.step.timing.value,
            view.slots,
        )
