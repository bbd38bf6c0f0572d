"""Neurons as a layer of PyTorch (extra ``torch``): ``izhigen.torch.Layer`` trains like any other module.

>>> import torch
>>> from izhigen.torch import Layer
>>> layer = Layer(iz.load("IzhikevichLTC"), 100, trainable=["a", "d"], dt=0.5)
>>> spikes = layer(torch.full((200, 8, 100), 10.0))      # (time, batch, neurons)
>>> spikes.mean().backward()
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from izhigen.errors import BackendError, DerivationError, ValueShapeError
from izhigen.layers import STEP, LayerRuns, check_inputs, name_inputs
from izhigen.memory.space import shape_of
from izhigen.model.events import SPIKE
from izhigen.model.functions import LAST_SPIKE
from izhigen.population.checks import check_step
from izhigen.population.values import plain_values

try:
    import torch
except ImportError:
    raise ImportError(
        "izhigen.torch needs PyTorch: pip install 'izhigen[torch]', or torch by its own instructions"
    ) from None

if TYPE_CHECKING:
    from izhigen.api import Model

TYPES = {torch.float32: "float32", torch.float64: "float64"}


class _Run(torch.autograd.Function):
    """A run as one operation: its inputs, trainable parameters and initial states in, traces and last states out."""

    @staticmethod
    def forward(
        ctx: Any, layer: Layer, names: tuple[tuple[str, ...], ...], first_step: int, *tensors: torch.Tensor
    ) -> Any:
        runs = layer.runs
        inputs, parameters, initial = _by_name(names, [_array(t, layer.device) for t in tensors])
        due = [name for name, tensor in zip(sum(names, ()), tensors) if tensor.requires_grad]
        is_due = any(ctx.needs_input_grad)
        tape = [name for name in (*names[0], *names[1]) if name in due] if is_due else False
        recording, traces, final = runs.forward(inputs, parameters, initial, tape, first_step)
        ctx.save_for_backward(*tensors)  # so that PyTorch tells when one of them is changed in between
        ctx.recording, ctx.layer, ctx.names = recording, layer, names
        ctx.set_materialize_grads(False)
        left = {name: _tensor(values) for name, values in final.items()}
        ctx.mark_non_differentiable(*(values for name, values in left.items() if name not in runs.states))
        return (*(_tensor(values) for values in traces.values()), *left.values())

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor | None) -> Any:
        if torch.is_grad_enabled():  # PyTorch writes down what is done here, and would take it for a constant
            raise DerivationError(
                "izhigen.torch.Layer has gradients of first order only; leave out create_graph=True, or take the "
                "gradients that it is for by finite differences"
            )
        tensors = ctx.saved_tensors
        record, states = ctx.layer.runs.record, ctx.layer.runs.states
        given = [None if g is None else _array(g, ctx.layer.device) for g in gradients]
        traces = {name: g for name, g in zip(record, given) if g is not None}
        final = {name: g for name, g in zip(states, given[len(record) :]) if g is not None}
        found = ctx.layer.runs.backward(ctx.recording, traces, final)
        inputs, parameters, initial = ctx.names
        keys = [*inputs, *parameters, *(f"{name}0" for name in initial)]
        return (
            None,
            None,
            None,
            *(
                _tensor(found[key]).reshape(t.shape).to(t) if needed else None
                for key, t, needed in zip(keys, tensors, ctx.needs_input_grad[3:])
            ),
        )


def _array(tensor: torch.Tensor, device: torch.device) -> Any:
    """The memory of a tensor, as NumPy sees it, or a kernel of its device."""
    if tensor.device != device:
        raise BackendError(
            f"a tensor lies on {tensor.device}, and the layer's kernels run on {device}: bring it over with "
            f".to({str(device)!r}), or make the layer with backend={'c' if tensor.device.type == 'cpu' else 'cuda'!r}"
        )
    tensor = tensor.detach().contiguous()
    return tensor.numpy() if device.type == "cpu" else tensor


def _tensor(values: Any) -> torch.Tensor:
    """A number or an array as a tensor that shares its memory."""
    if isinstance(values, float):
        return torch.tensor(values, dtype=torch.float64)
    return torch.from_numpy(values) if isinstance(values, np.ndarray) else torch.from_dlpack(values)


def _by_name(names: tuple[tuple[str, ...], ...], arrays: list[Any]) -> list[dict[str, Any]]:
    """The arrays by name, in the groups that the names come in."""
    waiting = iter(arrays)
    return [{name: next(waiting) for name in group} for group in names]


class Layer(torch.nn.Module):
    """Neurons of a model as a module.

    Parameters
    ----------
    model : Model
    n : int
        Neurons.
    trainable : iterable of str
        Parameters of the model that become parameters of the module, in its state: a number, or one value a neuron
        where an array is given.
    record : str or iterable of str
        What a call returns: ``"spike"`` (as 0.0 and 1.0), other events, states. A tensor for one name, else a tuple.
    batch_first : bool
        Whether inputs and outputs have the batch before time.
    stateful : bool
        Whether a call goes on from the states that the last one of the same batch size left, without a gradient from
        one to the other; :meth:`reset`, and another batch size, begin anew. Time goes on with it.
    return_state : bool
        Whether a call also returns the states that it leaves: ``out, state = layer(x, initial=state)`` goes on from the
        last call, with gradients from one to the other where ``state`` is not detached.
    check_finite : bool
        Whether to look for inputs, states and gradients that are infinite or undefined, and to raise NonFiniteError
        where there are; with False they go on, as a ``GradScaler`` and clipping of gradients expect.
    dtype : torch.dtype
        In which the kernels compute, whatever the type of tensors: ``torch.float32`` or ``torch.float64``. Gradients
        are of first order only.
    **options
        Of :meth:`izhigen.Model.population` (``dt``, ``method``, ``backend``, ``threads``, ``seed``, ``surrogate``,
        ``detach_spike``, ``spike_reset``, ``spike_scale``, ``smooth_spikes``), and values of parameters and initial
        states. The surrogate is ``"arctan"`` where none is given. Initial states are found once, from the values that
        parameters have here; they do not follow these when they are trained. A model with noise draws other numbers in
        every call until :meth:`reset`: its steps are counted on, and ``t`` in its equations with them.

    Raises
    ------
    ValueShapeError
        For unknown names and wrong shapes.
    BackendError
        For tensors of another device than that of the backend, which ``"cuda"`` reads and writes there without copies,
        and for a backend that cannot run here.
    """

    def __init__(
        self,
        model: Model,
        n: int,
        trainable: Iterable[str] = (),
        *,
        record: str | Iterable[str] = SPIKE,
        batch_first: bool = False,
        stateful: bool = False,
        return_state: bool = False,
        check_finite: bool = True,
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> None:
        super().__init__()
        if dtype not in TYPES:
            raise ValueShapeError(f"dtype={dtype} is not torch.float32 or torch.float64")
        self.runs = LayerRuns(model, n, trainable, record, check_finite, dtype=TYPES[dtype], **options)
        self.batch_first, self.stateful, self.return_state, self._dtype = batch_first, stateful, return_state, dtype
        number = self.runs.device
        self.device = torch.device("cpu") if number is None else torch.device("cuda", number)
        self._last: dict[str, Any] = {}
        self.first_step = 0
        for name in self.runs.trainable:
            if hasattr(self, name):
                raise ValueShapeError(
                    f"trainable: modules have an attribute {name!r}; rename the parameter of model {model.name!r}"
                )
        for name, values in self.runs.values.items():
            tensor = torch.as_tensor(values, dtype=dtype).clone().to(self.device)
            setattr(self, name, torch.nn.Parameter(tensor))

    def reset(self) -> None:
        """Begin the next call with the initial states, at time 0."""
        self._last, self.first_step = {}, 0

    def start(self, batch: int | None = None) -> dict[str, torch.Tensor]:
        """The states that a call begins with where none are given, as a call returns them with ``return_state``.

        Shape (n,), or (batch, n) with a batch.
        """
        found = {name: _tensor(values).clone() for name, values in self.runs.start.items()}
        if batch is not None:
            found = {name: values.repeat(batch, 1) for name, values in found.items()}
        return {**found, STEP: torch.tensor(self.first_step)}

    def forward(
        self, *values: torch.Tensor, initial: dict[str, torch.Tensor] | None = None, **inputs: torch.Tensor
    ) -> Any:
        """Run the neurons.

        Parameters
        ----------
        *values, **inputs : tensor, shape (T, B, n) or (T, n); with ``batch_first``, (B, T, n)
            Inputs in the model's order, or by name; ``<state>_delta`` jumps a state. One that is left out is 0.
        initial : mapping, optional
            Name of a state to its initial values, shape (B, n) or (n,): all or some of what a call has returned as its
            states. ``t_last_spike`` is a time in ms and ``step`` a number, both counted from the beginning of the
            first call; neither has a gradient.

        Returns
        -------
        out : tensor, or tuple of tensors, in the shape of the inputs
            One for each name of ``record``.
        state : dict
            With ``return_state``: name of each state to its values after the last step, shape (B, n), or (n,) without a
            batch; of ``t_last_spike``, in double precision, where the model keeps it; and ``step``, how many were made.
        """
        named = name_inputs(self.runs.model, values, inputs)
        named = {name: self._read(value) for name, value in named.items()}
        check_inputs(self.runs.model, self.runs.n, named)
        is_batched = next(iter(named.values())).ndim == 3
        if not is_batched:
            named = {name: value.unsqueeze(1) for name, value in named.items()}
        elif self.batch_first:
            named = {name: value.transpose(0, 1) for name, value in named.items()}
        steps, batch = next(iter(named.values())).shape[:2]
        if self._last and next(iter(self._last.values())).shape[0] != batch:
            self.reset()
        given = self._initial((batch, self.runs.n)[not is_batched :], {} if initial is None else initial)
        first_step = check_step(given.pop(STEP, self.first_step))
        states = {name: values.broadcast_to(batch, self.runs.n) for name, values in given.items()}
        trainable = {name: self._read(getattr(self, name)) for name in self.runs.trainable}
        names = (tuple(named), tuple(trainable), tuple(states))
        found = _Run.apply(self, names, first_step, *named.values(), *trainable.values(), *states.values())
        traces, left = found[: len(self.runs.record)], dict(zip(self.runs.kept, found[len(self.runs.record) :]))
        if self.runs.is_noisy:
            self.first_step = max(self.first_step, first_step + steps)
        if self.stateful:
            self._last = {**{name: values.detach() for name, values in left.items()}, STEP: first_step + steps}
        if not is_batched:
            traces = tuple(trace.squeeze(1) for trace in traces)
            left = {name: values.squeeze(0) for name, values in left.items()}
        elif self.batch_first:
            traces = tuple(trace.transpose(0, 1) for trace in traces)
        out = traces[0] if len(traces) == 1 else traces
        return (out, {**left, STEP: torch.tensor(first_step + steps)}) if self.return_state else out

    def _read(self, value: Any, dtype: torch.dtype | None = None) -> torch.Tensor:
        """A tensor where it lies, and anything else on the layer's device; in the layer's type, or another."""
        tensor = value if isinstance(value, torch.Tensor) else torch.as_tensor(value, device=self.device)
        return tensor.to(self._dtype if dtype is None else dtype)

    def _initial(self, own: tuple[int, ...], given: dict[str, Any]) -> dict[str, Any]:
        """The initial states that are given, or left from the last call."""
        given = plain_values(self.runs.model, given, "initial")
        self.runs.check_initial({name: shape_of(values) for name, values in given.items()}, own)
        found = {name: self._read(values) for name, values in given.items() if name in self.runs.states}
        if LAST_SPIKE in given:
            found[LAST_SPIKE] = self._read(given[LAST_SPIKE], torch.float64).detach()
        return {**self._last, **given, **found}

    def extra_repr(self) -> str:
        """What stands between the brackets of its text."""
        trainable = ", ".join(self.runs.trainable)
        return f"{self.runs.model.name}, n={self.runs.n}" + (f", trainable: {trainable}" if trainable else "")
