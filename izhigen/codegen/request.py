"""What a population asks of code generation: a kernel, told by the model and the choices that shape it. Derived only
where it is needed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from izhigen._version import __version__
from izhigen.codegen.program import Program
from izhigen.errors import DerivationError, ValueShapeError, shown
from izhigen.files import sha256
from izhigen.model.events import SpikeTiming, read_spike_timing
from izhigen.model.model import Declaration
from izhigen.resources import resource_dir

if TYPE_CHECKING:
    from izhigen.codegen.kernel import Choices, Kernel
    from izhigen.derive.adjoint import Training
    from izhigen.derive.scheme import Scheme
    from izhigen.derive.step import Step


@dataclass(frozen=True)
class KernelRequest:
    """A kernel to build.

    Attributes
    ----------
    model : Declaration
    method : str
        Name or alias of an integration method.
    dtype : str
        ``"float32"`` or ``"float64"``.
    per_neuron, deltas, noisy_inputs : tuple of str
        Parameters with one value per neuron, states that jump, and inputs that the kernel adds noise to;
        see :func:`izhigen.codegen.kernel.build_kernel`.
    timed_inputs : tuple of (str, str)
        Inputs that the kernel computes from time, each with the text of its :class:`~izhigen.model.forms.Form`.
    counted_inputs, delivered_inputs : tuple of str
        Inputs that the kernel draws Poisson counts for, and those that it delivers spikes to.
    training : Training or None
        How gradients pass through spikes, where steps are to be gone back through.
    wanted : tuple of str
        Inputs, ``<state>_delta`` and parameters whose gradients are due then, beside those of the states.
    spike_timing : {"step", "linear", "located"}
        Where in a step events happen.
    """

    model: Declaration
    method: str = "exp_euler"
    dtype: str = "float32"
    per_neuron: tuple[str, ...] = ()
    deltas: tuple[str, ...] = ()
    noisy_inputs: tuple[str, ...] = ()
    timed_inputs: tuple[tuple[str, str], ...] = ()
    counted_inputs: tuple[str, ...] = ()
    delivered_inputs: tuple[str, ...] = ()
    training: Training | None = None
    wanted: tuple[str, ...] = ()
    spike_timing: str = SpikeTiming.STEP.value

    def __post_init__(self) -> None:
        timing = read_spike_timing(self.spike_timing)
        if self.training is not None and timing is not SpikeTiming.STEP:
            raise ValueShapeError(
                f"spike_timing={self.spike_timing!r}: gradients pass through spikes at the end of a step only; "
                "take spike_timing='step' for training"
            )
        if not isinstance(self.method, str):
            raise DerivationError(f"no method {shown(self.method)}; a method is a name such as 'exp_euler'")

    def kernel(self) -> Kernel:
        """The kernel, derived now or a short time ago. SymPy loads here, and not before."""
        from izhigen.derive.scheme import AUTO, find_scheme

        derive = _kernel if isinstance(self.dtype, str) else _kernel.__wrapped__  # which says what is wrong with it
        return derive(self, None if self.method == AUTO else find_scheme(self.method))

    def step(self) -> tuple[Step, Choices]:
        """The step alone and what shapes its kernel, for those who need no statements; it raises what a kernel does."""
        from izhigen.codegen.kernel import read_choices
        from izhigen.derive.step import derive_step

        step = derive_step(self.model, self.method, self.spike_timing)
        of_inputs = self.noisy_inputs, self.timed_inputs
        drawn = self.counted_inputs, self.delivered_inputs
        return step, read_choices(step, self.dtype, self.per_neuron, self.deltas, *of_inputs, *drawn, self.wanted)

    def program(self, target: str = "c") -> Program:
        """The kernel's program for a target; see :func:`izhigen.codegen.targets.target_names`."""
        from izhigen.codegen.targets import find_target

        return find_target(target).render(self.kernel())

    def key(self, target: str = "c") -> str:
        """SHA-256 of all that the program depends on: the model, the choices, and the code that derives and renders."""
        choices = (
            target,
            self.model.content,
            self.method,
            self.dtype,
            self.per_neuron,
            self.deltas,
            self.noisy_inputs,
            self.timed_inputs,
            self.counted_inputs,
            self.delivered_inputs,
            None if self.training is None else self.training.content,
            self.wanted,
            self.spike_timing,
            _code(),
        )
        return sha256(repr(choices).encode())


@lru_cache(maxsize=32)
def _kernel(request: KernelRequest, _scheme: Scheme | None) -> Kernel:
    """The kernel of a request under a scheme."""
    from izhigen.codegen.kernel import build_kernel
    from izhigen.derive.step import derive_step

    return build_kernel(
        derive_step(request.model, request.method, request.spike_timing),
        request.dtype,
        request.per_neuron,
        request.deltas,
        request.noisy_inputs,
        request.timed_inputs,
        request.counted_inputs,
        request.delivered_inputs,
        request.training,
        request.wanted,
    )


@cache
def _code() -> tuple[str, ...]:
    """Version, size and time of the files of the first stages, of their templates, and of SymPy."""
    package = Path(__file__).resolve().parents[1]
    folders = (package / "model", package / "derive", package / "codegen", resource_dir("templates"))
    found = importlib.util.find_spec("sympy")
    files = [path for folder in folders for path in _files(folder)]
    if found is not None and found.origin is not None:
        files.append(Path(found.origin).with_name("release.py"))
    stats = [(path.name, path.stat()) for path in files]
    return (__version__, *(f"{name} {status.st_size} {status.st_mtime_ns}" for name, status in stats))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in (".py", ".j2"))
