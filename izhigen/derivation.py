"""The user's derivation: a step that can explain itself, as :class:`izhigen.Model` can be derived."""

from __future__ import annotations

from dataclasses import fields

from izhigen.codegen.kernel import build_kernel
from izhigen.codegen.report import report_lines, step_latex
from izhigen.derive.step import Step, derive_step
from izhigen.model.model import Declaration


class ReportedStep(Step):
    """A :class:`~izhigen.derive.step.Step` that can explain itself."""

    def report(self, dtype: str = "float32") -> str:
        """Per state: class, linear part with its proof or the word "linearized", and update.

        Then what is hoisted, operations and bytes.
        """
        return "\n".join(report_lines(self, build_kernel(self, dtype)))

    def __repr__(self) -> str:
        kinds = "; ".join(
            f"{e.state}: {e.kind.value}{'' if e.proved else ', linearized'}" for e in self.system.equations
        )
        return f"<Step of {self.model.name} by {self.method}: {kinds}>"

    def latex(self) -> str:
        """The same derivation as LaTeX, a block of ``align*``."""
        return step_latex(self)

    def _repr_latex_(self) -> str:
        return f"$${step_latex(self).replace('align*', 'aligned')}$$"

    def _repr_html_(self) -> str:
        from izhigen import notebook

        return notebook.step_html(self)


def derive_reported(model: Declaration, method: str, spike_timing: str = "step") -> ReportedStep:
    """Derive a step that can explain itself."""
    step = derive_step(model, method, spike_timing)
    return ReportedStep(**{f.name: getattr(step, f.name) for f in fields(Step)})
