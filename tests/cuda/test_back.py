"""The way back on a device: compiled by NVRTC, and run on the host beside the C backend."""

import numpy as np
import pytest

import izhigen as iz
from izhigen.backends import build, cuda
from izhigen.backends.cuda import OPTIONS
from izhigen.derive.step import derive_step
from izhigen.errors import NonFiniteError, ValueShapeError
from izhigen.population import tape as tapes
from tests.codegen.test_source import MODELS, ODD
from tests.cuda import nvrtc
from tests.cuda.host import needs_compiler
from tests.cuda.test_source import ARCHITECTURES, SHAPES, compare_registers, distinct_kernels, drawn_inputs
from tests.end_to_end.test_gradients import CONSTRUCTS, construct_case, random_case
from tests.helpers import ALL, host, real_device
from tests.population.test_tape import MODEL, REFRACTORY, assert_same, current, gradients, population

needs_double = pytest.mark.skipif(real_device(), reason="rounds as the C compiler does on the double of CuPy only")
PULLING = {"gradients": True, "surrogate": "sigmoid"}
OTHERS = {**MODELS, **{name: model for name, (model, _) in CONSTRUCTS.items() if name != "noisy block"}}
OTHERS |= {name: ODD[name] for name in ("tau_ref in an equation", "names of the generator and of headers")}


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_library_models_compile_without_spills(arch, dtype, request):
    """All of them in one generation of devices, the first model in the others."""
    names = distinct_kernels() if (arch, dtype) == ("sm_80", "float32") else ["IzhikevichLTC"]
    sources = {name: iz.load(name).source("cuda", dtype=dtype, **PULLING) for name in names}
    compare_registers("back", sources, dtype, arch, request.config.getoption("--update-goldens"))


@nvrtc.needs_nvrtc
@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.sample(6)
def test_other_models_compile_without_spills(name):
    """With parameters of each neuron and a jump; functions of matrices, which are called, have memory of their own."""
    model = OTHERS[name]
    has_block = bool(derive_step(model).system.blocks)
    shape = {"per_neuron": () if has_block else tuple(model.parameters), "deltas": model.states[:1]}
    compiled = nvrtc.compile(model.source("cuda", **shape, **PULLING), "sm_80", OPTIONS)
    assert "warning" not in compiled.log, compiled.log
    for kernel, use in compiled.kernels.items():
        assert use.spill_stores == use.stack == 0 or (has_block and kernel.endswith("_begin")), (kernel, use)


@pytest.fixture
def without_contraction(monkeypatch):
    """The C backend rounds every product, as g++ is told to for the CUDA source."""
    monkeypatch.setattr(build, "SHARED", (*build.SHARED, "-ffp-contract=off"))


@needs_compiler
@needs_double
@pytest.mark.parametrize(
    ("name", "dtype"),
    [("Everything", "float32"), ("HH", "float64"), ("tau_ref in an equation", "float32")],
)
def test_equals_the_c_backend_bit_for_bit(name, dtype, without_contraction, monkeypatch, double):
    """For launches of several shapes, threads in either order, and blocks on several processors at once: with counts and
    spikes for every input, jumps, parameters of each neuron, noise, and rows of every third step of some neurons.
    """
    model = {**MODELS, **ODD}[name]
    rng = np.random.default_rng(0)
    values = {p: v * rng.uniform(0.9, 1.1, 333).astype(dtype) for p, v in list(model.parameters.items())[::2]}
    feeds = drawn_inputs(model, model.spike_state or model.states[0])

    def found(backend):
        options = {"surrogate": "sigmoid", "spike_scale": 0.1, "detach_spike": "reset"} if model.events else {}
        pop = model.population(333, dt=0.1, backend=backend, dtype=dtype, seed=7, **options, **values)
        pop.run(steps=5, record=[], **feeds)
        chosen, states = np.arange(0, 333, 7), model.states
        rec = pop.run(steps=70, record=states, every=3, neurons=chosen, tape=True, check_finite=False, **feeds)
        weights = np.random.default_rng(1).standard_normal(rec[states[0]].shape).astype(dtype)
        counts = {"count": weights[0]} if model.events else {}
        return {k: host(v) for k, v in rec.backward(dict.fromkeys(states, weights) | counts).items()}

    expected = found("c")
    assert np.abs(expected[f"{model.states[0]}0"]).max() > 0
    for number, shape in enumerate(SHAPES):
        monkeypatch.setattr(cuda, "launch_shape", lambda *_, shape=shape: shape)
        double.reverse, double.os_threads = bool(number % 2), 1 + number % 3
        assert_same(found("cuda"), expected)


@needs_compiler
@pytest.mark.parametrize("seed", [0, 40, 90, 130, 170] if ALL else [40, 90, 170])
def test_random_models(seed, device):
    agree(random_case(seed))


@needs_compiler
@pytest.mark.parametrize("name", ["block", "noise that reads", "hold until", "hold for"])
def test_constructs(name, device):
    agree(construct_case(name))


def agree(case, tolerance=1e-9):
    expected, found = case.hard("numpy"), case.hard("cuda")
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        largest = max(np.abs(values).max(), 1e-300)
        assert np.abs(host(found[name]) - values).max() <= tolerance * largest, name


def taped(n=300, steps=100, **options):
    """A run of neurons that noise drives and a refractory period holds."""
    return gradients(population(n, REFRACTORY, backend="cuda", **options), steps, {"I": current(steps, n)})[1]


@needs_compiler
@pytest.mark.parametrize("n", [1, 31, 257])
def test_however_it_is_cut(n, device, monkeypatch):
    """Into segments, blocks, launches of some steps, and threads that take one neuron after the other."""
    expected = {name: host(values) for name, values in taped(n).items()}
    monkeypatch.setattr(tapes, "SECONDS", 0.0)
    assert_same({k: host(v) for k, v in taped(n).items()}, expected)
    monkeypatch.setattr(tapes, "segment_steps", lambda steps: 64)
    assert_same({k: host(v) for k, v in taped(n).items()}, expected)
    monkeypatch.setattr(cuda.CudaEngine, "rewind_bytes", property(lambda self: 1, lambda self, _: None), raising=False)
    assert_same({k: host(v) for k, v in taped(n).items()}, expected)


@needs_compiler
def test_shared_by_devices(device):
    """The same gradients, in arrays that are shared as well; cotangents may lie anywhere."""
    expected, found = taped(100), taped(100, sharding=[0, 0, 0])
    assert type(found["I"]).__name__ == "ShardedArray"
    assert_same({k: host(v) for k, v in found.items()}, {k: host(v) for k, v in expected.items()})


@needs_compiler
def test_arrays_stay_on_the_device(device):
    """Gradients that are given there are read there, and those that are found lie there, also of parameters a neuron."""
    from izhigen.backends.device import load_cupy

    cupy = load_cupy()
    a = np.linspace(0.01, 0.03, 40).astype(np.float32)
    pop = population(40, MODEL, backend="cuda", a=cupy.asarray(a))
    rows = cupy.asarray(current(60, 40))
    recording = pop.run(steps=60, record=["V"], I=rows, tape=["I", "a", "d"])
    weights = np.random.default_rng(0).standard_normal((60, 40)).astype(np.float32)
    found = recording.backward({"V": cupy.asarray(weights), "count": cupy.asarray(weights[0])})
    assert all(isinstance(found[name], cupy.ndarray) for name in ("I", "V0", "u0", "a"))
    assert isinstance(found["d"], float)
    rows[...] = 0.0  # the tape has a copy
    same = recording.backward({"V": weights, "count": weights[0]}, final={"u": cupy.zeros(40, np.float32)})
    assert_same({k: host(v) for k, v in found.items()}, {k: host(v) for k, v in same.items()})
    other = population(40, MODEL, backend="c", a=a).run(steps=60, record=["V"], I=current(60, 40), tape=True)
    expected = other.backward({"V": weights, "count": weights[0]})
    assert np.abs(host(found["a"]) - expected["a"]).max() < 1e-2 * np.abs(expected["a"]).max()


@needs_compiler
def test_what_is_not_finite_is_named(device):
    """As on a processor: the neuron, and the step before which its gradient overflows."""

    def found(backend):
        pop = MODEL.population(300, dt=0.2, dtype="float64", backend=backend, surrogate="sigmoid", spike_scale=10.0)
        recording = pop.run(steps=400, record=[], I=np.linspace(-5, 60, 300), tape=True)
        with pytest.raises(NonFiniteError, match="on the way back") as problem:
            recording.backward({"spike": 1e300})
        return problem.value.neuron, problem.value.step

    assert found("cuda") == found("numpy")
    pop = MODEL.population(3, dt=0.2, backend="cuda", surrogate="sigmoid")
    recording = pop.run(steps=4, record=["V"], I=1.0, tape=True)
    with pytest.raises(ValueShapeError, match="gradient given for 'V' is not finite.*at 2, 1"):
        weights = np.zeros((4, 3))
        weights[2, 1] = np.nan
        recording.backward({"V": weights})


@needs_compiler
@needs_double
def test_another_device_than_the_current_one(double):
    """What is given comes to the population's device, and what is found lies there."""
    from izhigen.backends.device import load_cupy

    double.devices = 2
    cupy, n = load_cupy(), 45
    model = iz.Model("A", "dV/dt = -k*V + I", parameters={"k": 0.5}, inputs=["I"])
    pop = model.population(n, dt=0.1, backend="cuda", device=1, k=np.full(n, 0.5))
    recording = pop.run(steps=40, record=["V"], I=2.0, tape=True)
    with cupy.cuda.Device(1):
        weights = cupy.asarray(np.ones((40, n)))
    seen, pull_back = [], cuda.CudaEngine.launch_back

    def spy(self, block, pullback):
        seen.extend(c.values.device.id for c in pullback.given.values())
        return pull_back(self, block, pullback)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda.CudaEngine, "launch_back", spy)
        found = recording.backward({"V": weights}, final={"V": 1.0})
    assert set(seen) == {1}
    assert {values.device.id for values in found.values()} == {1}


@needs_compiler
@needs_double
def test_room_is_taken_of_what_is_left(double):
    """Not of what the device has in all; a cotangent of one column is not kept by shared engines."""
    pop = population(20_000, MODEL, backend="cuda")
    recording = pop.run(steps=32, record=[], I=10.0, tape=["a"])
    expected = recording.backward({"count": 1.0})
    fresh = population(20_000, MODEL, backend="cuda").run(steps=32, record=[], I=10.0, tape=["a"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda.CudaEngine, "_free_bytes", lambda self: 1 << 20)
        assert fresh.backward({"count": 1.0})["a"] == expected["a"]
        rooms = fresh.tape.engine._rooms.values()
        assert sum(len(room) for room in rooms) <= 1 << 19
    shared = population(64, MODEL, backend="cuda", sharding=[0, 0])
    recording = shared.run(steps=50, record=["V"], I=10.0, tape=True)
    recording.backward({"V": np.ones((50, 1))})
    assert len(recording.tape.engine._cotangents) == 0
