"""``izhigen.torch.Layer``: gradients, layouts, state, and errors."""

import copy
import subprocess
import sys

import numpy as np
import pytest

import izhigen as iz
from izhigen import layers
from izhigen.errors import BackendError, DerivationError, NonFiniteError, ValueShapeError
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


def test_quantities_are_converted():
    quantity = pytest.importorskip("pint").UnitRegistry().Quantity
    options = {"trainable": ["C"], "record": "v", "dtype": torch.float64, "backend": "numpy"}
    neurons, other = (
        Layer(iz.load("izhikevich2007"), 2, C=C, dt=dt, **options)
        for C, dt in ((120.0, 0.1), (quantity(0.12, "nF"), quantity(1e-4, "s")))
    )
    current, start = np.full((5, 2), 300.0), [-50.0, -55.0]
    expected = neurons(torch.tensor(current), initial={"v": torch.tensor(start, dtype=torch.float64)})
    volts = [quantity(v / 1000, "V") for v in start]
    found = other(quantity(current / 1000, "nA"), initial={"v": volts})
    np.testing.assert_allclose(found.detach(), expected.detach(), rtol=1e-12)
    for what, call in (
        ("input I", lambda wrong: neurons(I=wrong)),
        ("initial v", lambda wrong: neurons(torch.tensor(current), initial={"v": wrong})),
    ):
        with pytest.raises(ValueShapeError, match=f"{what} is given in second"):
            call(quantity(current, "s"))


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


KINDS = pytest.mark.parametrize(
    "model",
    [MODEL, MODEL.with_refractory(4.0), MODEL.with_noise(V=2.0), MODEL.with_current("10*sin(t/9)")],
    ids=["plain", "refractory", "noise", "time"],
)


def whole_and_parts(model, lengths, **options):
    """Spikes, potentials, last states, and gradients of a loss of all of them: of one call, and of several."""
    options = {"trainable": ["a"], "record": ("spike", "V"), "dt": 0.3, "dtype": torch.float64, **options}
    found = []
    for cuts in ((sum(lengths),), lengths):
        neurons = Layer(model, 5, spike_scale=0.1, return_state=True, **options)
        inputs, start = current(sum(lengths)).requires_grad_(), torch.full((3, 5), -60.0, dtype=torch.float64)
        state, traces = {"V": start.requires_grad_()}, []
        for part in inputs.split(cuts):
            out, state = neurons(part, initial=state)
            traces.append(out)
        spikes, potentials = (torch.cat(parts) for parts in zip(*traces))
        loss = (spikes * potentials.cos()).sum() + state["V"].square().mean() + state["u"].sum()
        loss.backward()
        found.append((spikes, potentials, state, inputs.grad, start.grad, neurons.a.grad))
    return found


@KINDS
def test_a_returned_state_goes_on_with_the_same_bits(model):
    whole, parts = whole_and_parts(model, (25, 1, 50, 24))
    assert whole[0].sum() > 10 and whole[3].abs().sum() > 0
    assert [*whole[2]] == [*parts[2]] == [*model.states, *(["t_last_spike"] if model.keeps_last_spike else []), "step"]
    assert int(parts[2]["step"]) == 100
    for one, other in zip((*whole[:2], *whole[2].values(), *whole[3:5]), (*parts[:2], *parts[2].values(), *parts[3:5])):
        assert torch.equal(one, other)
    torch.testing.assert_close(parts[5], whole[5], rtol=1e-11, atol=0.0)  # the sum over steps is in another order


def test_gradcheck_through_returned_states():
    """From the last state of the second call to what the first was given, and back into the states handed over."""
    smooth = layer(3, record="V", smooth_spikes=True, backend="numpy", return_state=True)
    inputs = current(12, 2, 3).requires_grad_()
    initial = torch.tensor([[-60.0, 10, 25], [-50, 20, 28]], dtype=torch.float64, requires_grad=True)

    def run(inputs, initial, *parameters):
        given, state, found = dict(zip(("a", "V_th"), parameters)), {"V": initial}, []
        for part in inputs.split((5, 7)):
            out, state = torch.func.functional_call(smooth, given, (part,), {"initial": state})
            found.append(out.mean())
        return *found, state["V"], state["u"]

    assert torch.autograd.gradcheck(run, (inputs, initial, *smooth.parameters()), eps=1e-6, atol=1e-5, rtol=1e-4)


def test_a_detached_state_cuts_the_gradient():
    """Backpropagation through time that is truncated: the same spikes, and the gradients of each part by itself."""
    whole, alone = layer(return_state=True, record="V"), layer(return_state=True, record="V")
    inputs = current(60).requires_grad_()
    first, state = whole(inputs[:40])
    second, left = whole(inputs[40:], initial={name: values.detach() for name, values in state.items()})
    (cut,) = torch.autograd.grad(second.sum(), inputs)
    assert not cut[:40].any() and cut[40:].all()
    (joined,) = torch.autograd.grad(whole(inputs[40:], initial=whole(inputs[:40])[1])[0].sum(), inputs)
    assert joined[:40].any() and torch.equal(joined[40:], cut[40:])
    assert torch.equal(torch.cat([first, second]), alone(inputs)[0])
    assert not left["step"].requires_grad and left["V"].requires_grad


def test_shapes_of_states():
    inputs, held = current(), Layer(MODEL.with_refractory(4.0), 5, dt=0.3, return_state=True)
    out, state = held(inputs[:, 0].float())
    assert out.shape == (40, 5) and {k: tuple(x.shape) for k, x in state.items()} == {
        "V": (5,),
        "u": (5,),
        "t_last_spike": (5,),
        "step": (),
    }
    assert state["V"].dtype == torch.float32 and state["t_last_spike"].dtype == torch.float64
    many = held(inputs.float(), initial=state)[1]  # one state for all of a batch
    assert many["V"].shape == many["t_last_spike"].shape == (3, 5) and many["step"] == 80
    turned = Layer(MODEL, 5, dt=0.3, return_state=True, batch_first=True)(inputs.float().transpose(0, 1))
    assert turned[0].shape == (3, 40, 5) and turned[1]["V"].shape == (3, 5)
    for batch in (None, 3):
        first, rows = held.start(batch), inputs.float() if batch else inputs[:, 0].float()
        assert first.keys() == state.keys()
        assert torch.equal(held(rows, initial=first)[0], held(rows)[0])


def test_returned_states_of_a_stateful_layer_are_what_it_keeps():
    kept, given = layer(stateful=True, return_state=True), layer(return_state=True)
    inputs, state = current(60), None
    for part in inputs.split(20):
        own, left = kept(part)
        out, state = given(part, initial=state)
        assert torch.equal(own, out)
        assert all(torch.equal(left[name], values) for name, values in state.items())


def test_a_state_handed_back_does_not_bring_noise_back():
    noisy = Layer(MODEL.with_noise(V=2.0), 5, record="V", dt=0.3, return_state=True)
    inputs = current().float()
    first, state = noisy(inputs)
    again, _ = noisy(inputs, initial={**state, "step": 0})
    fresh, later = noisy(inputs)
    assert int(state["step"]) == 40 and int(later["step"]) == 80
    replay, _ = noisy(inputs, initial=noisy.start() | {"step": 0})
    assert torch.equal(replay, first) and not torch.equal(fresh, first) and not torch.equal(again, first)


@pytest.mark.parametrize(
    ("initial", "message"),
    [
        ({"w": torch.zeros(5)}, r"has no state 'w' \(known: V, u, step\)"),
        ({"t_last_spike": torch.zeros(5)}, "has no state 't_last_spike'"),
        ({"V": torch.zeros(2, 5)}, r"initial 'V' has shape \(2, 5\); give \(3, 5\) or \(5,\)"),
        ({"step": torch.zeros(5)}, r"initial 'step' has shape \(5,\); give \(\)"),
        ({"step": -1}, "step -1 is not a whole number"),
        ({"step": 1.5}, "step 1.5 is not a whole number"),
    ],
)
def test_bad_initial_states(initial, message):
    with pytest.raises(ValueShapeError, match=message):
        layer()(current(), initial=initial)


def hear_each_other(neurons, heard, is_cut):
    """The loss of the recurrent network of docs/training.md, in parts of 10 steps."""
    state, spikes, counts = None, torch.zeros(20), torch.zeros(20)
    for _ in range(25):
        current = 4.0 + 20.0 * heard(spikes)
        out, state = neurons(current.expand(10, 20), initial=state)
        if is_cut:
            state = {name: values.detach() for name, values in state.items()}
        spikes, counts = out.mean(dim=0), counts + out.sum(dim=0)
    return (counts - torch.linspace(2.0, 8.0, 20)).square().mean()


def test_a_recurrent_network_learns():
    """With states that are detached; through these the gradient is larger by orders of magnitude."""
    torch.manual_seed(0)
    heard = torch.nn.Linear(20, 20, bias=False)
    options = {"dt": 0.5, "V_th": -30.0, "spike_scale": 0.1, "detach_spike": "reset"}
    neurons = Layer(iz.load("FS"), 20, return_state=True, **options)
    norms = []
    for is_cut in (True, False):
        (gradient,) = torch.autograd.grad(hear_each_other(neurons, heard, is_cut), heard.weight)
        norms.append(gradient.norm())
    assert norms[1] > 1e4 * norms[0] > 0
    optimizer, losses = torch.optim.Adam(heard.parameters(), lr=0.01), []
    for _ in range(60):
        loss = hear_each_other(neurons, heard, True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 4.0 and min(losses) <= 0.5, losses


@pytest.mark.parametrize("options", [{"record": "V"}, {"record": "V", "return_state": True}])
def test_gradients_that_are_not_finite_go_on_where_nobody_looks(options):
    """As a scaler of losses expects, which skips a step of the optimizer then."""
    model = iz.Model("Grows", "dV/dt = k*V + I", parameters={"k": 1.0}, inputs=["I"])
    options |= {"dt": 1.0, "method": "euler", "k": np.array([0.0, 1e8, 1.0]), "trainable": ["k"]}
    found = []
    for check in (True, False):
        one = Layer(model, 3, check_finite=check, **options)
        out = one(torch.zeros(100, 3, requires_grad=True))
        traces, last = out if isinstance(out, tuple) else (out, {"V": out[-1]})
        found.append((one, traces[-1].sum() + last["V"].sum()))
    with pytest.raises(NonFiniteError, match="the gradient of neuron 1 overflows"):
        found[0][1].backward()
    found[1][1].backward()
    assert found[1][0].k.grad.isfinite().tolist() == [True, False, True]
    blind = Layer(model, 3, check_finite=False, **options)
    state = blind(torch.full((2, 3), torch.nan))
    assert not (state[0] if isinstance(state, tuple) else state).isfinite().any()
    with pytest.raises(NonFiniteError, match="input 'I' of neuron 0 is infinite or undefined"):
        Layer(model, 3, **options)(torch.full((2, 3), torch.nan))
