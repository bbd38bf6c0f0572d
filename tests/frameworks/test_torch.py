"""``izhigen.torch.Layer``: gradients, layouts, state, and errors."""

import copy
import subprocess
import sys

import numpy as np
import pytest

import izhigen as iz
from izhigen import layers
from izhigen.errors import BackendError, DerivationError, ValueShapeError
from tests.helpers import host

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
bridge = pytest.importorskip("izhigen.torch")
Layer = bridge.Layer
MODEL = iz.load("IzhikevichLTC")


def current(steps=40, batch=3, n=5, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return (8 + 12 * torch.rand(steps, batch, n, generator=generator)).to(dtype)


def layer(n=5, **options):
    return Layer(
        MODEL, n, **{"trainable": ["a", "V_th"], "dt": 0.3, "dtype": torch.float64, "spike_scale": 0.1, **options}
    )


def test_gradcheck_of_smooth_spikes():
    """PyTorch's own differences, of inputs, initial states and parameters, one for all and one a neuron."""
    start = np.array([-60.0, 10.0, 25.0])
    smooth = layer(
        3,
        trainable=["a", "b", "d", "V_th"],
        record=("spike", "V"),
        smooth_spikes=True,
        backend="numpy",
        V=start,
        d=start * 0 + 8,
    )
    inputs = current(10, 2, 3).requires_grad_()
    initial = torch.tensor([[-60.0, 10, 25], [-50, 20, 28]], dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in smooth.named_parameters()]

    def run(inputs, initial, *parameters):
        given = dict(zip(names, parameters))
        return torch.func.functional_call(smooth, given, (inputs,), {"initial": {"V": initial}})

    assert torch.autograd.gradcheck(run, (inputs, initial, *smooth.parameters()), eps=1e-6, atol=1e-5, rtol=1e-4)


def test_the_same_as_a_population():
    one = layer(record=("spike", "V"), threads=2)
    inputs = current().requires_grad_()
    spikes, potentials = one(inputs)
    weights = torch.randn(potentials.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    ((spikes * weights).sum() + (potentials * weights * 0.1).sum()).backward()
    pop = MODEL.population(5, batch=3, dt=0.3, dtype="float64", surrogate="arctan", spike_scale=0.1)
    recording = pop.run(steps=40, record=["spike", "V"], I=inputs.detach().numpy(), tape=True)
    found = recording.backward({"spike": weights.numpy(), "V": 0.1 * weights.numpy()})
    np.testing.assert_array_equal(spikes.detach().numpy(), recording["spike"])
    np.testing.assert_array_equal(potentials.detach().numpy(), recording["V"])
    np.testing.assert_array_equal(inputs.grad.numpy(), found["I"])
    assert one.a.grad.item() == found["a"] and one.V_th.grad.item() == found["V_th"]


def test_layouts():
    inputs = current()
    expected = layer()(inputs)
    assert expected.shape == (40, 3, 5) and expected.dtype == torch.float64
    assert set(expected.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(layer(batch_first=True)(inputs.transpose(0, 1)), expected.transpose(0, 1))
    torch.testing.assert_close(layer()(inputs[:, 1]), expected[:, 1])
    torch.testing.assert_close(layer()(inputs.float()), layer()(inputs.float().double()))
    torch.testing.assert_close(layer()(I=inputs), expected)
    kicked = layer()(inputs, V_delta=torch.full_like(inputs, 5.0))
    assert kicked.sum() > expected.sum()


def test_stateful():
    """Two calls are one that is twice as long; a reset, or another batch, begins anew."""
    inputs = current(80)
    whole = layer()(inputs)
    parts = layer(stateful=True)
    torch.testing.assert_close(torch.cat([parts(inputs[:30]), parts(inputs[30:])]), whole)
    parts.reset()
    torch.testing.assert_close(parts(inputs), whole)
    torch.testing.assert_close(parts(inputs[:, :2]), whole[:, :2])


def test_trains():
    """A rate is reached by gradient descent on d, a value a neuron."""
    torch.manual_seed(0)
    options = {"surrogate": "arctan", "spike_scale": 0.2, "detach_spike": "reset"}
    one = Layer(MODEL, 4, ["d"], d=np.full(4, 8.0), dt=0.5, **options)
    optimizer = torch.optim.Adam(one.parameters(), lr=0.5)
    inputs = torch.full((400, 4), 10.0)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = ((one(inputs).sum(0) - 12.0) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 40 and min(losses) <= 1.0


def test_in_place_changes_are_told():
    inputs = current().requires_grad_()
    moved = inputs * 1.0
    spikes = layer()(moved)
    moved.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.sum().backward()


def test_saved_and_loaded():
    one, two = layer(), layer()
    with torch.no_grad():
        one.a.fill_(0.1)
    two.load_state_dict(one.state_dict())
    torch.testing.assert_close(two(current()), one(current()))
    assert "IzhikevichLTC, n=5, trainable: a, V_th" in repr(one)


def test_no_gradient_asked_for_makes_no_tape():
    with torch.no_grad():
        assert not layer()(current()).requires_grad
    assert not layer(trainable=[])(current()).requires_grad
    found = layer()(current())
    (gradient,) = torch.autograd.grad(found.sum(), [layer().a], allow_unused=True)
    assert gradient is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layer(trainable=["aa"]), "trainable: 'aa' is not one of.*did you mean 'a'"),
        (lambda: layer(record=["W"]), "record: 'W' is not one of V, u, spike"),
        (lambda: layer(dtype=torch.float16), "is not torch.float32 or torch.float64"),
        (lambda: layer()(current(n=4)), r"input 'I' has shape \(40, 3, 4\); a layer of 5 neurons"),
        (lambda: layer()(J=current()), "has no input 'J'"),
        (lambda: layer().forward(), "needs at least one input"),
        (lambda: layer()(current(), I=current()), "'I' is given twice"),
        (lambda: layer()(current(), V_delta=current(20)), "give one shape"),
        (lambda: layer()(current(), initial={"W": torch.zeros(5)}), "has no state 'W'"),
        (lambda: layer()(current(), initial={"V": torch.zeros(4)}), r"give \(3, 5\) or \(5,\)"),
        (lambda: MODEL.population(2).run(steps=2, I=torch.ones(2, requires_grad=True)), "izhigen.torch.Layer"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueShapeError, match=message):
        make()


def test_without_torch():
    """The error names the extra; the rest of the package does not miss it."""
    code = "import sys; sys.modules['torch'] = None; import izhigen\ntry:\n import izhigen.torch\nexcept ImportError as e: print(e)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'izhigen[torch]'" in found.stdout


@pytest.mark.parametrize(
    "model",
    [MODEL.with_refractory(10.0), MODEL.with_noise(V=2.0), iz.Model("T", "dV/dt = sin(t) - V + I", inputs=["I"])],
    ids=["refractory", "noise", "time"],
)
def test_stateful_goes_on_in_time(model):
    inputs = current(60)
    options = {"record": "V", "dt": 0.3, "dtype": torch.float64}
    whole = Layer(model, 5, **options)(inputs)
    parts = Layer(model, 5, stateful=True, **options)
    torch.testing.assert_close(torch.cat([parts(inputs[k : k + 15]) for k in range(0, 60, 15)]), whole)


def test_noise_differs_from_call_to_call():
    noisy = Layer(MODEL.with_noise(V=2.0), 5, record="V", dt=0.3)
    first, second = noisy(current()), noisy(current())
    assert not torch.equal(first, second)
    noisy.reset()
    assert torch.equal(noisy(current()), first)


def test_an_interrupt_is_no_result(monkeypatch):
    one = layer()
    monkeypatch.setattr("izhigen.signals.Interruptible.look", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        one(current())


def test_names_of_modules_are_not_overwritten():
    model = iz.Model("M", "dV/dt = -V*training + I", parameters={"training": 1.0}, inputs=["I"])
    with pytest.raises(ValueShapeError, match="modules have an attribute 'training'"):
        Layer(model, 3, ["training"], record="V")


def test_a_layer_on_a_device(device, monkeypatch):
    """Nothing comes to the host between the tensors that are given and those that are found. Where there is no device,
    tensors of the host stand for such, at the two places where they are handed over.
    """
    from izhigen.backends.device import load_cupy

    where = "cuda" if device is None else "cpu"
    model = iz.load("IzhikevichRefLTC")
    options = {"trainable": ["a", "d"], "record": ("spike", "V"), "dt": 0.3, "tau_ref": 1.0, "d": np.full(5, 8.0)}
    options |= {"dtype": torch.float64, "stateful": True, "spike_scale": 0.1, "detach_spike": "reset"}
    found = []
    for backend, place in (("c", "cpu"), ("cuda", where)):
        if backend == "cuda" and device is not None:
            monkeypatch.setattr(layers.LayerRuns, "device", None)
            monkeypatch.setattr(bridge, "_array", lambda t, _: load_cupy().asarray(t.detach().contiguous().numpy()))
            monkeypatch.setattr(bridge, "_tensor", lambda x: torch.as_tensor(host(x), dtype=torch.float64))
        one = Layer(model, 5, backend=backend, **options)
        inputs = current().to(place).requires_grad_()
        both = [one(inputs[:25], initial={"V": torch.full((5,), -60.0)}), one(inputs[25:])]
        sum((spikes.sum() + 0.1 * potentials.square().mean()) for spikes, potentials in both).backward()
        assert inputs.grad.device.type == one.a.device.type == place
        found.append([inputs.grad, one.a.grad, one.d.grad, *(x.detach() for pair in both for x in pair)])
    for wanted, value in zip(*found):
        torch.testing.assert_close(value.cpu(), wanted, rtol=1e-9, atol=1e-9)
    with pytest.raises(ValueShapeError, match="one device"):
        Layer(model, 5, backend="cuda", sharding=[0, 0])


def test_a_tensor_of_another_device_is_named():
    with pytest.raises(
        BackendError, match=r"lies on meta, and the layer's kernels run on cpu: bring it over with \.to"
    ):
        layer()(current().to("meta"))


def test_copies_and_whole_modules(tmp_path):
    """A copy trains by itself, as of a mean of weights; a module is saved with all that it needs."""
    one = layer()
    other = copy.deepcopy(one)
    torch.save(one, tmp_path / "layer.pt")
    again = torch.load(tmp_path / "layer.pt", weights_only=False)
    with torch.no_grad():
        other.a.mul_(2.0)
    assert one.a.item() == again.a.item() == other.a.item() / 2
    torch.testing.assert_close(again(current()), one(current()))


def test_second_derivatives_are_refused():
    """They would be left out without a word."""
    inputs = current().requires_grad_()
    with pytest.raises(DerivationError, match="first order only; leave out create_graph=True"):
        torch.autograd.grad(layer()(inputs).sum(), inputs, create_graph=True)


def test_kernels_compute_in_their_own_type():
    inputs = current()
    half = layer(dtype=torch.float32).to(torch.bfloat16)
    assert half(inputs.to(torch.bfloat16)).dtype == torch.float32
    half(inputs).sum().backward()
    assert half.a.grad.dtype == torch.bfloat16


def test_the_default_surrogate_passes_something_for_potentials_in_mv():
    one = Layer(MODEL, 4, trainable=["a", "d"], dt=0.5)
    one(torch.full((200, 2, 4), 10.0)).mean().backward()
    assert abs(one.a.grad.item()) > 1e-3


def test_parameters_without_a_gradient_are_not_trainable():
    with pytest.raises(ValueShapeError, match="trainable: 'tau_ref' is not one of"):
        Layer(iz.load("IzhikevichRefLTC"), 4, trainable=["tau_ref"])
    with pytest.raises(ValueShapeError, match=r"initial 'V' has shape \(4,\)"):
        layer()(current(), initial={"V": [1.0, 2.0, 3.0, 4.0]})
