"""The user's ``Model``: a declaration with the later stages at hand, which load when they are first needed."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from izhigen.cluster.connection import is_asked_for
from izhigen.errors import BackendError, DerivationError, ValueShapeError, shown
from izhigen.files import read_path
from izhigen.model.composition import Composable
from izhigen.model.model import Declaration
from izhigen.scalars import read_names

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from izhigen.codegen.program import Program
    from izhigen.codegen.request import KernelRequest
    from izhigen.derivation import ReportedStep
    from izhigen.population.population import Population
    from izhigen.population.step_function import StepFunction
    from izhigen.population.values import Value


class Model(Composable):
    """A spiking neuron model: equations, threshold, reset, parameters and inputs; immutable.

    ``__init__`` describes the arguments.

    Two models are equal when their parts mean the same; it does not matter whether an equation was given as text
    or as a SymPy expression.
    """

    def derive(self, method: str = "exp_euler", spike_timing: str = "step") -> ReportedStep:
        """Derive the update of one step by a method; ``print(step.report())`` explains it.

        Parameters
        ----------
        method, spike_timing : str
            As for :meth:`population`.

        Raises
        ------
        DerivationError
            For an unknown method, or a right-hand side without a usable derivative.
        ValueShapeError
            For an unknown timing.
        """
        from izhigen.derivation import derive_reported

        return derive_reported(self, method, spike_timing)

    def source(
        self,
        target: str = "c",
        *,
        dtype: str = "float32",
        method: str = "exp_euler",
        spike_timing: str = "step",
        per_neuron: tuple[str, ...] = (),
        deltas: tuple[str, ...] = (),
        poisson: tuple[str, ...] = (),
        spikes: tuple[str, ...] = (),
        gradients: bool | tuple[str, ...] = False,
        surrogate: Any = None,
        detach_spike: bool | str = False,
        spike_reset: str | None = None,
        spike_scale: float = 1.0,
    ) -> str:
        """One readable, compilable file.

        Parameters
        ----------
        target : str
            ``"c"``, ``"c-embedded"`` or another of :func:`izhigen.codegen.targets.target_names`; or the format of
            another program, one of :func:`izhigen.exporters.names`, which takes none of the choices below.
        dtype : {"float32", "float64"}
        method, spike_timing : str
            As for :meth:`population`.
        per_neuron : tuple of str
            Parameters given one value per neuron.
        deltas : tuple of str
            States that receive an instantaneous input.
        poisson, spikes : tuple of str
            Inputs (``"I"``, ``"V_delta"``) for which the kernel draws Poisson counts, and to which it delivers spikes
            of single neurons.
        gradients : bool or tuple of str
            Whether the file has the way back through steps too, ``<name>_pull_back``, with gradients of all inputs and
            parameters, or of those that are named, beside those of the states.
        surrogate, detach_spike, spike_scale
            How gradients pass through spikes; see :meth:`population`.
        spike_reset : {"hard", "soft"}, optional
            What the reset of a spike does; see :meth:`population`.

        Raises
        ------
        BackendError
            For an unknown target, or one that draws no counts, delivers no spikes, does not go back or does not locate
            spikes where that is asked for; for a format whose files are no text, which :meth:`emit` writes.
        ValueShapeError
            For gradients of something unknown, and for a surrogate where none are asked for; for choices about kernels
            where the target is another program's format.
        ModelError
            What that format cannot say.
        """
        from izhigen import exporters

        choices: dict[str, Any] = {"dtype": dtype, "method": method, "per_neuron": per_neuron, "deltas": deltas}
        choices |= {"spike_timing": spike_timing}
        choices |= {"poisson": poisson, "spikes": spikes, "gradients": gradients, "surrogate": surrogate}
        choices |= {"detach_spike": detach_spike, "spike_reset": spike_reset, "spike_scale": spike_scale}
        if exporters.is_known(target):
            _refuse_choices(target, choices)
            text = exporters.write(self, target)
            if isinstance(text, bytes):
                raise BackendError(
                    f"files of target {target!r} are no text; write one by model.emit('x.{target}', "
                    f"target={target!r}), or by izhigen emit --target {target} -o x.{target}"
                )
            return text
        return self.program(target, **choices).source

    def program(
        self,
        target: str = "c",
        *,
        dtype: str = "float32",
        method: str = "exp_euler",
        spike_timing: str = "step",
        per_neuron: tuple[str, ...] = (),
        deltas: tuple[str, ...] = (),
        poisson: tuple[str, ...] = (),
        spikes: tuple[str, ...] = (),
        gradients: bool | tuple[str, ...] = False,
        surrogate: Any = None,
        detach_spike: bool | str = False,
        spike_reset: str | None = None,
        spike_scale: float = 1.0,
    ) -> Program:
        """The rendered program of a target: source, interface and content key; the arguments of :meth:`source`.

        :meth:`izhigen.Model.source` describes the arguments.

        Raises
        ------
        BackendError
            As for :meth:`source`.
        """
        choices = (per_neuron, deltas, poisson, spikes), (surrogate, detach_spike, spike_scale)
        return self._request(dtype, method, spike_timing, gradients, spike_reset, *choices).program(target)

    def _request(
        self,
        dtype: str,
        method: str,
        spike_timing: str,
        gradients: bool | tuple[str, ...],
        spike_reset: str | None,
        of_inputs: tuple[tuple[str, ...], ...],
        of_spikes: tuple[Any, Any, Any],
    ) -> KernelRequest:
        """The kernel that is asked for by the arguments of :meth:`source`."""
        from izhigen.codegen.request import KernelRequest
        from izhigen.population.training import with_spike_reset

        names = ("per_neuron", "deltas", "poisson", "spikes")
        per_neuron, deltas, counted, delivered = (read_names(given, name) for name, given in zip(names, of_inputs))
        model = with_spike_reset(self, spike_reset)
        return KernelRequest(
            model,
            method,
            dtype,
            per_neuron,
            deltas,
            counted_inputs=counted,
            delivered_inputs=delivered,
            spike_timing=spike_timing,
            **_way_back(model, gradients, deltas, *of_spikes),
        )

    def emit(
        self,
        folder: str | Path,
        *,
        target: str = "c",
        dtype: str = "float32",
        method: str = "exp_euler",
        spike_timing: str = "step",
        deltas: tuple[str, ...] = (),
        poisson: tuple[str, ...] = (),
        spikes: tuple[str, ...] = (),
        gradients: bool | tuple[str, ...] = False,
        surrogate: Any = None,
        detach_spike: bool | str = False,
        spike_reset: str | None = None,
        spike_scale: float = 1.0,
        force: bool = False,
    ) -> Path:
        """Write a project of its own: header, source, example, self test, build files, README and manifest; the folder.

        Parameters
        ----------
        folder : path
            New or empty, or one that holds such a project; a file for the format of another program.
        target : str
            ``"c"``, ``"c-embedded"`` or another of :func:`izhigen.standalone.project.project_targets`; or the format of
            another program, as in :meth:`source`: one file with the model. What the format says otherwise, or leaves
            open, are the lines of :func:`izhigen.exporters.report`.
        dtype, method, spike_timing : str
            As in :meth:`source`.
        deltas : tuple of str
            States that jump: the interface has an input ``<state>_delta`` for each.
        poisson, spikes : tuple of str
            As in :meth:`source`.
        gradients, surrogate, detach_spike, spike_reset, spike_scale
            As in :meth:`source`. With gradients the project has the way back through steps, and its self test compares
            them with golden ones, which the NumPy interpretation of the adjoint gives in double precision.
        force : bool
            Whether files may be overwritten that are not as they were written.

        Raises
        ------
        ValueShapeError
            When something would be overwritten that was not written here; for gradients of something unknown, and for a
            surrogate where none are asked for; for choices about kernels where the target is another program's format.
        BackendError
            For an unknown target, or one that lacks the number type or does not go back where that is asked for.
        ModelError
            What another program's format cannot say.
        DerivationError
            When there is nothing that a self test could compare.
        """
        from izhigen import exporters
        from izhigen.standalone.project import build_project, write_source

        if exporters.is_known(target):
            given: dict[str, Any] = {"dtype": dtype, "method": method, "spike_timing": spike_timing, "deltas": deltas}
            given |= {"poisson": poisson, "spikes": spikes, "gradients": gradients, "surrogate": surrogate}
            given |= {"detach_spike": detach_spike, "spike_reset": spike_reset, "spike_scale": spike_scale}
            _refuse_choices(target, given)
            return write_source(exporters.write(self, target), read_path(folder, f"x.{target}"), force=force)
        choices = ((), deltas, poisson, spikes), (surrogate, detach_spike, spike_scale)
        request = self._request(dtype, method, spike_timing, gradients, spike_reset, *choices)
        return build_project(request, target).write(folder, force=force)

    def population(
        self,
        size: int | tuple[int, ...] = 1,
        *,
        dt: float = 0.1,
        method: str = "exp_euler",
        spike_timing: str = "step",
        backend: str = "c",
        dtype: DTypeLike = "float32",
        threads: int = 1,
        seed: int = 0,
        batch: int | None = None,
        device: int | None = None,
        sharding: Sequence[int] | None = None,
        steps_per_launch: int | None = None,
        surrogate: Any = None,
        detach_spike: bool | str = False,
        spike_reset: str | None = None,
        spike_scale: float = 1.0,
        smooth_spikes: bool = False,
        cluster: Any = None,
        **values: Value,
    ) -> Population:
        """Neurons of this model: ``model.population(1000, dt=0.1, a=0.02, V=lambda n, rng: -65 + rng.random(n))``.

        Parameters
        ----------
        size : int or tuple of int
            Number of neurons, or the shape that they are arranged in.
        dt : float
            Step in ms.
        method : str
            Integration method; see ``izhigen.derive.scheme.method_names()``; ``"auto"`` picks one (docs/methods.md).
        spike_timing : {"step", "linear", "located"}
            Where in a step a spike happens, and its reset: at its end, as in BrainPy, Brian2 and GeNN; where a straight
            line between the states before and after the step meets the threshold; or where the method's own solution
            does. The rest of the step goes on from there, and a neuron may spike again in it.
        backend : {"c", "cuda", "numpy"}
            ``"numpy"`` needs no compiler; ``"cuda"`` needs CuPy and a device, and keeps its arrays there.
        dtype : {"float32", "float64"}
        threads : int
            Threads that share the neurons; results do not depend on it.
        seed : int
            Key of the noise in the kernel, and of the generator given to callables.
        batch : int, optional
            Length of a leading batch axis.
        device : int, optional
            With ``backend="cuda"``: the device; by default the one in use. Work goes to the stream that is current when
            it is asked for.
        sharding : list of int, optional
            With ``backend="cuda"``: several devices that share the neurons; results do not depend on it.
        steps_per_launch : int, optional
            With ``backend="cuda"``: steps of one launch, instead of as many as are asked for at once; 1 reads and
            writes all states every step.
        surrogate : Surrogate, str or SymPy expression, optional
            What stands for the derivative of a spike on the way back through a run with a tape: one of
            ``iz.surrogates``, the name of one, or a function of the margin x by which the threshold is passed, such as
            ``"1/(1 + abs(x))**2"``. It changes no spike.
        detach_spike : {False, "reset", "all"}
            Which paths through a spike carry no gradient: none of them, that of what the reset assigns, or all
            (BrainPy's ``detach_spk``; a loss of spikes alone then has no gradient).
        spike_reset : {"hard", "soft"}, optional
            ``"soft"`` makes the reset ``V = c`` of a threshold ``V >= V_th`` subtract ``V_th - c`` instead; by default,
            and with ``"hard"``, it is as declared.
        spike_scale : float
            Multiplies x before the surrogate; for potentials in mV some 0.01 to 0.1.
        smooth_spikes : bool
            Whether a spike is the surrogate's smooth function of x instead of 0 or 1, and its reset in proportion, so
            that gradients are those of what is computed: for checking them. ``record="spike"`` is then a trace of
            numbers. On the NumPy backend.
        cluster : dask.distributed.Client or True, optional
            Spread the neurons over the workers of a Dask cluster, or of one that is started in this process
            (docs/cluster.md). The population is then a :class:`izhigen.cluster.ClusterPopulation`, whose arrays are
            Dask arrays; results are the same bits.
        **values
            Parameter values and initial states by name, in the model's units: a number, an array in the population's
            shape, a callable ``f(n, rng)`` that returns one, or one of ``iz.distributions``.

        Raises
        ------
        ValueShapeError
            For an unknown name, a wrong shape, or a value that is masked or not finite.
        BackendError
            When the backend cannot run here, or not on a worker of the cluster; says what to install.
        """
        from izhigen.population.population import Population

        of_model: dict[str, Any] = dict(values)
        of_device: dict[str, Any] = {"device": device, "sharding": sharding, "steps_per_launch": steps_per_launch}
        of_model |= {"spike_reset": spike_reset, "spike_scale": spike_scale, "smooth_spikes": smooth_spikes}
        of_model |= {"surrogate": surrogate, "detach_spike": detach_spike}
        of_run: dict[str, Any] = {"dt": dt, "method": method, "backend": backend, "dtype": dtype, "threads": threads}
        of_run["spike_timing"] = spike_timing
        if is_asked_for(cluster):
            from izhigen.cluster.population import on_cluster

            found: Population = on_cluster(
                self, cluster, size, seed=seed, batch=batch, **of_run, **of_device, **of_model
            )
            return found
        return Population(self, size, seed=seed, batch=batch, **of_run, **of_device, **of_model)

    def step_function(
        self,
        method: str = "exp_euler",
        backend: str = "c",
        dtype: DTypeLike = "float32",
        *,
        dt: float = 0.1,
        seed: int = 0,
        surrogate: Any = None,
        detach_spike: bool | str = False,
        spike_reset: str | None = None,
        spike_scale: float = 1.0,
    ) -> StepFunction:
        """One step as a pure function, ``new_states, spikes = step(states, inputs, parameters)``, and its way back.

        It keeps nothing from call to call, and nothing of what it is given changes: for loops of one's own.
        ``step.vjp(...)`` gives gradients.

        Parameters
        ----------
        method, dtype, dt, seed, surrogate, detach_spike, spike_reset, spike_scale
            As for :meth:`population`.
        backend : {"c", "cuda", "numpy"}

        Raises
        ------
        BackendError
            For a backend that cannot run here.
        """
        from izhigen.population.step_function import StepFunction

        of_spikes = surrogate, detach_spike, spike_reset, spike_scale
        return StepFunction(self, method, backend, dtype, dt, seed, *of_spikes)

    def scaled(self, values: tuple[float, float], scaled_values: tuple[float, float]) -> Model:
        """Return the model in scaled units, as in ``model.scaled((-65.0, 30.0), (0.0, 1.0))``.

        States, inputs and recordings are then in them.

        Parameters
        ----------
        values : (float, float)
            A range of the potential that the threshold watches, in its unit.
        scaled_values : (float, float)
            The range that it becomes.

        Raises
        ------
        ModelError
            For a model without a threshold on a state, or for an empty range.
        """
        from izhigen.derive.scaling import scale_model

        return scale_model(self, values, scaled_values)

    def _repr_latex_(self) -> str:
        from izhigen.model.latex import equations_latex

        return f"$${equations_latex(self).replace('align*', 'aligned')}$$"

    def _repr_html_(self) -> str:
        from izhigen import notebook

        return notebook.model_html(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Declaration):
            return NotImplemented
        if self.content == other.content:
            return True
        from izhigen.derive.canonical import canonical_form

        try:
            return canonical_form(self) == canonical_form(other)
        except DerivationError:
            return False  # one of them means nothing that could be compared

    def __hash__(self) -> int:
        return hash((self.name, self.states, self.inputs, tuple(sorted(self.parameters.items()))))


def _refuse_choices(target: str, choices: dict[str, Any]) -> None:
    """Refuse what is about kernels, for a target that has none."""
    usual = {name: each.default for name, each in inspect.signature(Model.source).parameters.items()}
    given = [name for name, value in choices.items() if value != usual[name]]
    if given:
        raise ValueShapeError(f"target {target!r} holds the model and no kernel; leave out {', '.join(given)}")


def _way_back(
    model: Declaration, gradients: Any, deltas: tuple[str, ...], surrogate: Any, detach_spike: Any, spike_scale: Any
) -> dict[str, Any]:
    """What a kernel that goes back through steps is asked for; nothing, where it does not."""
    from izhigen.population.training import read_tape, read_training, training_of

    inputs = (*model.inputs, *(f"{state}_delta" for state in deltas))
    wanted = read_tape(gradients, model, inputs, "gradients")
    training = read_training(surrogate, detach_spike, spike_scale, False)
    if wanted is not None:
        return {"training": training_of(model, training, "gradients"), "wanted": wanted}
    if training is not None:
        raise ValueShapeError(
            f"surrogate={shown(surrogate)} says how gradients pass through spikes; give gradients=True as well, or "
            "leave it out"
        )
    return {}


def restore(path: str | Path, *, cluster: Any = None, **options: Any) -> Population:
    """The population of a checkpoint that :meth:`Population.checkpoint` wrote; it goes on with the same bits.

    Parameters
    ----------
    path : str or Path
        The checkpoint's folder.
    cluster : dask.distributed.Client or True, optional
        Spread it over a cluster, as in :meth:`Model.population`, wherever it was before.
    **options
        ``backend``, ``threads``, ``device``, ``sharding`` or ``steps_per_launch`` in the place of those that it had.

    Raises
    ------
    RecordingError
        When there is no checkpoint, or it is broken.
    BackendError
        When its backend cannot run here.
    """
    if is_asked_for(cluster):
        from izhigen.cluster.population import ClusterPopulation

        found: Any = ClusterPopulation.restored(path, Model, cluster, options)
        return found  # type: ignore[no-any-return]
    from izhigen.population.restoring import restore_population

    return restore_population(path, Model, options)
