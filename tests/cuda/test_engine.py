"""Backend cuda: what is special to devices. On the machine's own device where it has one, else on the double; some tests need the double."""

import builtins
import contextlib
import pkgutil
import sys

import numpy as np
import pytest

import izhigen as iz
from izhigen.backends import cuda
from izhigen.backends.device import launch_shape, load_cupy
from izhigen.errors import BackendError, CompileError, NonFiniteError
from izhigen.inputs.feeds import make_feed
from tests.cuda.cupy_on_host import install
from tests.cuda.host import needs_compiler
from tests.helpers import host, real_device

pytestmark = needs_compiler
needs_double = pytest.mark.skipif(real_device(), reason="looks behind the double of CuPy")
RS = iz.load("RS")
NOISY = iz.load("IzhikevichRef").with_noise(V=1.0).variant("Noisy", tau_ref=2.0)
EVERYTHING = ["V", "u", "refractory", "spike", "count", "first_spike", "isi"]


@pytest.fixture(autouse=True)
def _no_multiply_adds(monkeypatch):
    """A compiler fuses products and sums as it likes in each kernel; without that, kernels agree bit for bit on a device too."""
    monkeypatch.setattr(cuda, "OPTIONS", (*cuda.OPTIONS, "-fmad=false"))


@pytest.fixture
def cupy(device):
    return load_cupy()


def population(n=300, model=RS, **options):
    return model.population(n, **{"dt": 0.1, "backend": "cuda", **options})


def same(one, two):
    """Two recordings are equal, bit for bit."""
    one, two = one.to_host(), two.to_host()
    assert one.names == two.names and (one.start, one.stop) == (two.start, two.stop)
    for name in one.names:
        for a, b in zip(one[name], two[name]) if name == "isi" else [(one[name], two[name])]:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    if "spike" in one:
        for a, b in zip(one.spikes, two.spikes):
            np.testing.assert_array_equal(a, b)


def same_state(one, two):
    for name in one.model.all_states:
        np.testing.assert_array_equal(host(one.state[name]), host(two.state[name]))


class Through:
    """An array of another library, of which only one protocol is known, or one refuses what is asked."""

    def __init__(self, array, protocol, stream=None, refusal=None):
        self.array, self.stream, self.refusal = array, stream, refusal
        if protocol in ("interface", "both"):
            self.__cuda_array_interface__ = array.__cuda_array_interface__
        if protocol in ("dlpack", "both"):
            self.__dlpack_device__ = array.__dlpack_device__
            self.__dlpack__ = self.export

    def export(self, **options):
        """As the library does whose current stream is another than ours."""
        if self.refusal is not None:
            raise self.refusal
        with self.stream or contextlib.nullcontext():
            return self.array.__dlpack__(**options)


# -- arrays stay where they are -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["cupy", "interface", "dlpack"])
def test_arrays_of_the_device_are_taken_without_a_copy(cupy, way):
    given = cupy.asarray(np.linspace(0, 30, 300, dtype=np.float32))
    value = given if way == "cupy" else Through(given, way)
    source = make_feed("I", value, population()._neurons.layout, 0, 10, 0.1)(0, 10)
    assert source.values.data.ptr == given.data.ptr
    pop = population(a=Through(given, way) if way != "cupy" else given)
    assert pop.a.data.ptr == given.data.ptr
    rows = cupy.asarray(np.random.default_rng(1).uniform(0, 30, (50, 300)).astype(np.float32))
    assert make_feed("I", rows, pop._neurons.layout, 0, 50, 0.1)(20, 10).values.data.ptr == rows[20:].data.ptr
    plain = population(a=np.linspace(0, 30, 300)), population(a=given)
    same(
        plain[0].run(steps=50, I=host(rows), record=EVERYTHING[:2]),
        plain[1].run(steps=50, I=rows, record=EVERYTHING[:2]),
    )
    for one in plain:
        one.step(I=value if one is plain[1] else host(given))
    same_state(*plain)


def test_dlpack_orders_streams_and_the_host_waits_for_none(cupy, device):
    """The library computes on a stream of its own what the next step reads; it offers the array interface too."""
    expected, theirs = population(), cupy.cuda.Stream(non_blocking=True)
    current = np.linspace(0, 30, 300, dtype=np.float32)
    given = cupy.zeros(300, np.float32)
    pop = population()
    cupy.cuda.Device().synchronize()
    waited = device.synchronisations if device else None
    with cupy.cuda.Stream(non_blocking=True) as ours:
        for k in range(5):
            with theirs:
                given += cupy.linspace(0, 30, 300, dtype=np.float32)
            pop.step(I=Through(given, "both", theirs), check_finite=False)
        assert waited is None or device.synchronisations == waited
    ours.synchronize()
    for k in range(5):
        expected.step(I=(k + 1) * current)
    np.testing.assert_allclose(host(pop.V), host(expected.V), rtol=1e-5)


def test_what_dlpack_refuses_comes_by_the_interface(cupy):
    given = cupy.asarray(np.linspace(0, 30, 300, dtype=np.float32))
    pop = population()
    for refusal in (BufferError("strides"), RuntimeError("bool"), TypeError("old"), NotImplementedError("bfloat16")):
        assert pop._neurons.layout.read(Through(given, "both", refusal=refusal)).data.ptr == given.data.ptr
        with pytest.raises(
            iz.IzhigenError, match=f"Through cannot be read where it lies .{refusal}.; give it detached"
        ):
            pop.step(I=Through(given, "dlpack", refusal=refusal))
    turned = cupy.asarray(np.linspace(30, 0, 300, dtype=np.float32))[::-1]
    flags = given > 15
    for way in ("interface", "dlpack"):
        for strided in (turned, cupy.asarray(np.repeat(np.linspace(0, 30, 300, dtype=np.float32), 2))[::2]):
            one, other = population(), population()
            one.step(I=Through(strided, way))
            other.step(I=given)
            same_state(one, other)
        with pytest.raises(iz.IzhigenError, match="truth values"):
            population().step(I=Through(flags, way))
    assert pop._neurons.layout.space.adopt(np.ones(3)) is None and pop._neurons.layout.space.adopt([1, 2]) is None


@needs_double
@pytest.mark.parametrize("way", ["interface", "dlpack", "both"])
def test_an_array_of_another_device_is_refused_whatever_shows_it(cupy, way):
    with cupy.cuda.Device(1):
        given = cupy.asarray(np.linspace(0, 30, 300, dtype=np.float32))
    with pytest.raises(BackendError, match="an array lies on device 1, the population on device 0; move one of them"):
        population().step(I=Through(given, way))
    population(device=1).step(I=Through(given, way))
    population(sharding=[0, 1]).step(I=Through(given, way))


def test_other_types_and_orders_are_converted(cupy):
    values = np.random.default_rng(1).uniform(0, 30, (50, 20, 15))
    expected = population((20, 15)).run(steps=50, I=values, record="V")
    for given in (cupy.asarray(values), cupy.moveaxis(cupy.asarray(np.moveaxis(values, 1, 2).copy()), 1, 2)):
        same(population((20, 15)).run(steps=50, I=given, record="V"), expected)
    for value in (cupy.asarray(np.array(12.0)), cupy.asarray(np.array([[12]] * 50))):
        same(population().run(steps=50, I=value, record="V"), population().run(steps=50, I=12.0, record="V"))


def test_states_and_recordings_stay_and_are_shared(cupy):
    pop = population((20, 15), NOISY, tau_ref=np.linspace(1, 3, 300))
    recording = pop.run(50.0, I=20.0, record=EVERYTHING)
    arrays = [
        pop.V,
        pop.refractory,
        pop.spike,
        pop.tau_ref,
        pop(20.0),
        *(recording[name] for name in EVERYTHING[:-1]),
        *recording["isi"],
        recording["isi"].cv,
        *recording.spikes,
        recording.counts,
        recording.rates,
    ]
    assert all(isinstance(array, cupy.ndarray) for array in arrays) and type(recording.t) is np.ndarray
    assert cupy.from_dlpack(recording["V"]).data.ptr == recording["V"].data.ptr
    over = cupy.from_dlpack(pop.V)
    over[...] = -50.0
    assert (host(pop.V) == -50.0).all()
    there, here = recording, recording.to_host()
    for name in EVERYTHING[:-1]:
        np.testing.assert_array_equal(host(there[name]), here[name])
    np.testing.assert_array_equal(host(there.counts), here.counts)
    np.testing.assert_array_equal(host(there.rates), here.rates)
    chosen = population(300, NOISY).run(50.0, I=20.0, record=["V", "spike"], neurons=[250, 3, 17])
    assert all(isinstance(array, cupy.ndarray) for array in (chosen["V"], chosen["spike"], chosen.counts))
    np.testing.assert_array_equal(host(chosen["spike"]), chosen.to_host()["spike"])
    np.testing.assert_array_equal(host(chosen.counts), chosen.to_host().counts)


def test_arrays_of_a_device_are_no_arrays_of_the_host(cupy):
    given = cupy.asarray(np.full(300, 0.05, np.float32))
    for use in (lambda pop: pop.run(1.0, I=given), lambda pop: pop.step(I=given), lambda pop: setattr(pop, "a", given)):
        with pytest.raises(
            BackendError, match="an array lies on a CUDA device, the population on the host; bring it over"
        ) as problem:
            use(population(backend="c"))
        assert "\n" not in str(problem.value)
    with pytest.raises(iz.IzhigenError, match="holds no real numbers"):
        population().run(1.0, I=cupy.asarray(np.ones(300, complex)))
    for neurons in (cupy.asarray(np.array([7, 2])), cupy.asarray(np.arange(300) % 100 == 3)):
        same(
            population().run(5.0, I=9.0, record="V", neurons=neurons),
            population().run(5.0, I=9.0, record="V", neurons=host(neurons)),
        )


def test_initial_expressions_of_any_kind(cupy):
    model = iz.Model(
        "Odd",
        "dV/dt = -V*a\ndu/dt = -u",
        parameters={"a": 1.0},
        initial={
            "V": "where(a > 1, exp(a), max(a, 0.3))",
            "u": "V**2 + abs(sin(a)) + clip(a, 0, 1) + exprel(a) + floor(a) + sign(a - 1)",
        },
    )
    a = np.linspace(0, 2, 100)
    expected = population(100, model, a=a, backend="c")
    for options in ({}, *({"sharding": sharding} for sharding in devices())):
        same_state(population(100, model, a=a, **options), expected)
    pop = population(100, model, V=cupy.asarray(a))
    np.testing.assert_array_equal(host(pop.V), a.astype(np.float32))
    over = population(100, model, a=pop.V, sharding=[0, 0])
    same_state(over, expected)
    over.V = over.u
    np.testing.assert_array_equal(host(over.V), expected.u)


def test_saved_drawn_and_labelled(cupy, tmp_path):
    recording = population((3, 5)).run(80.0, I=20.0, record=["V", "spike", "count", "isi"])
    for name in ("run.npz", "run.zarr"):
        recording.save(tmp_path / name)
        same(iz.Recording.load(tmp_path / name), recording)
    ours, theirs = recording.plot(neurons=[3, 14]), recording.to_host().plot(neurons=[3, 14])
    for drawn, expected in zip(ours.axes, theirs.axes):
        for a, b in zip(drawn.get_lines(), expected.get_lines()):
            np.testing.assert_array_equal(a.get_xydata(), b.get_xydata())
    iz.plot.traces(recording, "V", neurons=[3])
    iz.plot.raster(recording)
    iz.plot.state_plane(RS, recording=population(4).run(20.0, I=20.0, record=["V", "u"]), neuron=1)
    np.testing.assert_array_equal(recording.to_xarray()["V"], recording.to_host()["V"])


# -- errors that the device finds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [3, 16384])
def test_a_device_input_that_is_not_finite_is_named(cupy, block, monkeypatch):
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", block)
    values = np.full((100, 300), 10.0, np.float32)
    values[37, 222] = np.nan
    pop = population()
    with pytest.raises(NonFiniteError, match="input 'I' of neuron 222 is infinite or undefined in step 37 ") as caught:
        pop.run(steps=100, I=cupy.asarray(values))
    assert (caught.value.neuron, caught.value.step) == (222, 37) and pop.t == pytest.approx(3.7)
    clean = population()
    clean.run(steps=37, I=10.0)
    same_state(pop, clean)
    pop.run(steps=20, I=10.0)
    clean.run(steps=20, I=10.0)
    same_state(pop, clean)
    with pytest.raises(NonFiniteError, match="input 'I' of neuron 222"):
        pop.step(I=cupy.asarray(values[37]))


@pytest.mark.parametrize("steps", [None, 1, 7])
def test_a_state_that_is_not_finite_is_traced_over_many_blocks(cupy, steps, monkeypatch):
    grows = iz.Model("Grows", "dV/dt = g*V", parameters={"g": 1.0}, initial={"V": 1.0})
    expected = grows.population(40, dt=0.1, g=np.linspace(-1, 1.2, 40))
    with pytest.raises(NonFiniteError) as first:
        expected.run(1000.0, record=["V"])
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 11)
    pop = population(40, grows, g=np.linspace(-1, 1.2, 40), steps_per_launch=steps)
    with pytest.raises(NonFiniteError) as second:
        pop.run(1000.0, record=["V"])
    assert (second.value.neuron, second.value.step) == (first.value.neuron, first.value.step) and pop.t == expected.t
    np.testing.assert_allclose(host(pop.V), expected.V, rtol=1e-3)


def test_states_too_large_to_copy(cupy, monkeypatch):
    """The block is named, and all devices stand after it."""
    monkeypatch.setattr(cuda, "REWIND_SHARE", 1 << 60)
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 10)
    model, start = iz.Model("E", "dV/dt = V*V", parameters={}), np.where(np.arange(64) == 40, 0.06, 0.001)
    for sharding in [None, *devices()]:
        pop, clean = (population(64, model, dt=1.0, method="euler", V=start, sharding=sharding) for _ in range(2))
        with pytest.raises(
            NonFiniteError,
            match=r"neuron 40 became infinite or undefined in one of the steps 20 to 29 .*run this neuron alone",
        ):
            pop.run(500.0)
        clean.run(30.0, check_finite=False)
        assert pop.t == 30.0
        same_state(pop, clean)


def test_computed_inputs_that_are_not_finite_are_named_over_many_blocks(cupy, monkeypatch):
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 11)
    pop, clean = population(), population()
    with pytest.raises(NonFiniteError, match="input 'I' of neuron 0 is infinite or undefined in step 300"):
        pop.run(100.0, I="log(30 - t)")
    clean.run(30.0, I="log(30 - t)")
    same_state(pop, clean)
    same(pop.run(5.0, I=10.0, record=["V", "spike"]), clean.run(5.0, I=10.0, record=["V", "spike"]))


# -- blocks, launches, streams, graphs ----------------------------------------------------------------------------------


def options_of(name):
    """A run's options: recordings, noise, series, what the kernel computes."""
    rows = np.random.default_rng(4).uniform(0, 30, (500, 300))
    return {
        "plain": {"I": 20.0, "record": EVERYTHING},
        "rows": {"I": rows, "record": ["V", "spike"], "every": 7, "neurons": [5, 299, 0]},
        "text": {"I": "15 + 10*sin(t/5)", "record": ["u", "count"], "every": 3},
        "noise": {"I": iz.inputs.wiener(50.0, n=300, seed=3) * 9, "record": ["V", "isi"]},
        "both": {
            "I": iz.inputs.sinusoid(20, 30, 50.0) + iz.inputs.wiener(50.0, n=300, seed=3),
            "V_delta": 0.1,
            "record": "spike",
        },
        "nothing": {"I": 20.0, "record": ()},
    }[name]


@pytest.mark.parametrize("name", ["plain", "rows", "text", "noise", "both", "nothing"])
def test_launches_of_any_length_give_the_same(cupy, name, monkeypatch):
    options = options_of(name)
    whole = population(300, NOISY)
    expected = whole.run(50.0, **options)
    for steps in (1, 7, 64):
        pop = population(300, NOISY, steps_per_launch=steps)
        same(pop.run(50.0, **options), expected)
        same_state(pop, whole)
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 13)
    for steps in (None, 1, 4):
        pop = population(300, NOISY, steps_per_launch=steps)
        same(pop.run(50.0, **options), expected)
        np.testing.assert_array_equal(host(pop.spike), host(whole.spike))


def test_blocks_are_of_few_threads_and_all_multiprocessors_have_one(cupy):
    """An answer to the question for the best occupancy may be one block of 1,024 a multiprocessor."""
    pop = population()
    kernel = pop._engine_in_use._kernels["advance"]
    processors = cupy.cuda.Device().attributes["MultiProcessorCount"]
    for n in (1, 255, 256, 257, 40 * processors, 60 * processors, 10**7):
        blocks, threads = launch_shape(kernel, n, 1, pop._space)
        assert 32 <= threads <= 256 and threads % 32 == 0 and (blocks - 1) * threads < n <= blocks * threads
        assert blocks >= min(processors, -(-n // 32)), "no multiprocessor is idle for want of a warp"


@needs_double
def test_a_run_of_many_blocks_waits_for_none_but_the_oldest(cupy, device, monkeypatch):
    """One wait a block, for one that was submitted ``depth`` blocks before; the queue is drained at the end only."""
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 10)
    pop = population()
    pop.run(steps=10, I=10.0, record=())
    behind, true = [], device.synchronise

    def synchronise(queue, mark=None):
        behind.append(queue.put - (queue.put if mark is None else mark))
        true(queue, mark)

    monkeypatch.setattr(device, "synchronise", synchronise)
    before = device.synchronisations
    pop.run(steps=1000, I=10.0, record=())
    assert device.synchronisations - before == 101 and min(behind[: -cuda.DEPTH - 1]) > 0
    before = device.synchronisations
    for _ in range(20):
        pop.step(I=10.0, check_finite=False)
    assert device.synchronisations == before


def test_the_callers_stream_is_used(cupy):
    expected = population(300, NOISY)
    recording = expected.run(30.0, I=20.0, record=EVERYTHING)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        pop = population(300, NOISY)
        same(pop.run(30.0, I=20.0, record=EVERYTHING), recording)
        for one in (pop, expected):
            for _ in range(5):
                one.step(I=20.0, check_finite=False)
        stream.synchronize()
        same_state(pop, expected)


def test_a_recording_is_whole_when_the_run_returns(cupy):
    """What is made of the last block's spikes too: whoever reads it need not know the stream of the run."""
    wanted = ["V", *EVERYTHING[3:]]
    expected = population().run(60.0, I=20.0, record=wanted).to_host()
    for options in ({}, {"sharding": [0, 0]}):
        pop = population(**options)
        with cupy.cuda.Stream(non_blocking=True):
            recording = pop.run(60.0, I=20.0, record=wanted)
        same(recording, expected)


@needs_double
def test_nothing_goes_to_another_stream(cupy, device):
    pop = population()
    stream, null = cupy.cuda.Stream(non_blocking=True), device.null[0]
    device.synchronise_device(0)
    put = null.put
    with stream:
        pop.run(20.0, I=15.0, record=["V", "spike", "count"])
        pop.step(I=15.0)
        pop.step(I=np.full(300, 15.0), check_finite=False)
    assert null.put == put


@needs_double
def test_graphs_repeat_single_steps_with_held_inputs(cupy, device):
    def run(pop):
        pop.run(steps=100, I=15.0, record=())
        pop.a = 0.1
        pop.run(steps=100, I=np.linspace(0, 30, 300), record=())
        pop.a = np.linspace(0.02, 0.1, 300)
        pop.run(steps=65, I=15.0, record=())
        return pop

    expected = run(population())
    with cupy.cuda.Stream(non_blocking=True) as stream:
        pop = run(population(steps_per_launch=1))
        stream.synchronize()
        assert device.graph_launches == 3 + 3 + 2
        same_state(pop, expected)
    same_state(run(population(steps_per_launch=1)), expected)
    assert device.graph_launches == 16, (
        "the default stream, which cannot be captured, replays what another one captured"
    )


def test_steps_that_are_not_waited_for(cupy):
    rows = np.random.default_rng(0).uniform(0, 30, (50, 300))
    stepped, run = population(), population()
    for row in rows:
        stepped.step(I=row, check_finite=False)
    run.run(steps=50, I=rows)
    same_state(stepped, run)


def test_a_list_of_spikes_that_is_full_is_emptied(cupy, monkeypatch):
    leak = iz.Model(
        "Leak", "dV/dt = -V/tau + I", parameters={"tau": 10.0}, inputs=["I"], threshold="V >= 1", reset="V = 0"
    )
    current = np.where(np.arange(100) % 3, 100.0, 0.05)
    expected = population(100, leak).run(steps=400, I=current)
    monkeypatch.setattr(cuda, "LEAST_LIST", 100)
    monkeypatch.setattr(cuda, "LIST_SHARE", 5)
    pop = population(100, leak)
    same(pop.run(steps=400, I=current), expected)
    assert len(expected.spike_times) > 20_000 and len(pop._engine_in_use._list) == 500
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 2)
    small = population(100, leak, steps_per_launch=1)
    parts = [small.run(steps=steps, I=current, record=["spike", "V"]).to_host() for steps in (1, 150, 249)]
    for k in (0, 1):
        np.testing.assert_array_equal(np.concatenate([part.spikes[k] for part in parts]), host(expected.spikes[k]))
    same_state(small, pop)


@needs_double
@pytest.mark.parametrize("n", [1000, 300_000])
def test_a_list_of_spikes_is_read_while_it_fills(cupy, monkeypatch, n):
    """Ordinary rates never fill it, however long the run: every block is launched once."""
    monkeypatch.setattr(cuda, "LEAST_LIST", 1 << 14)
    launched, true = [], cuda.CudaEngine._enqueue
    monkeypatch.setattr(cuda.CudaEngine, "_enqueue", lambda *given: launched.append(given) or true(*given))
    tonic = iz.Model("Tonic", "dV/dt = I", inputs=["I"], threshold="V >= 1", reset="V = 0")
    pop = tonic.population(n, dt=0.1, backend="cuda")
    steps = 4000 if n == 1000 else 120
    rec = pop.run(steps=steps, I=1.0)
    assert len(launched) == -(-steps // pop._engine_in_use.longest(launched[0][1].block))
    assert len(rec.spike_times) == int(rec.counts.sum()) == n * round(
        len(rec.spike_times) / n
    ) and n * steps / 12 < len(rec.spike_times)


def test_a_full_list_leads_back_to_the_right_step(cupy, monkeypatch):
    """Copies of the states that were asked for behind a block that was refused are not those that their place says."""
    blow = iz.Model(
        "Blow",
        "dV/dt = I\ndw/dt = where(w > 0, w*w*k, 0)",
        inputs=["I"],
        threshold="V >= 1",
        reset="V = 0",
        parameters={"k": 1e-3},
        initial={"w": 10.1},
    )
    expected = blow.population(50, dt=0.1, backend="c")
    with pytest.raises(NonFiniteError) as known:
        expected.run(steps=2000, I=4.0)
    monkeypatch.setattr(cuda, "LEAST_LIST", 100)
    monkeypatch.setattr(cuda, "LIST_SHARE", 2)
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 7)
    pop = blow.population(50, dt=0.1, backend="cuda")
    with pytest.raises(NonFiniteError) as found:
        pop.run(steps=2000, I=4.0)
    assert abs(found.value.step - known.value.step) <= 1 and pop.t == pytest.approx(found.value.step * 0.1)


@needs_double
def test_no_memory_for_the_spikes_that_were_found(cupy, monkeypatch):
    """The error is told, and what follows is as if nothing had been."""
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 20)
    pop, calls, true = population(100), [], cuda.CudaEngine._take

    def fail(*given):
        calls.append(given)
        if len(calls) == 3:
            raise load_cupy().cuda.memory.OutOfMemoryError(1, 2, 3)
        return true(*given)

    with monkeypatch.context() as patch:
        patch.setattr(cuda.CudaEngine, "_take", fail)
        with pytest.raises(BackendError, match="no memory left"):
            pop.run(50.0, I=15.0)
    clean = population(100)
    clean.run(steps=round(pop.t / 0.1), I=15.0)
    same_state(pop, clean)
    pop.reset()
    clean.reset()
    same(pop.run(50.0, I=15.0), clean.run(50.0, I=15.0))


@needs_double
@pytest.mark.parametrize("flags", [("-ffp-contract=off",), ("-ffp-contract=fast", "-mfma", "-O2")])
def test_refractory_periods_end_where_those_of_c_do(cupy, monkeypatch, flags):
    """A period that is a whole number of steps ends in a tie, which no multiply-add may decide: a device fuses, the double elsewhere does not."""
    import tests.cuda.cupy_on_host as double

    monkeypatch.setattr(double, "FLAGS", (*double.FLAGS, *flags))
    model = iz.Model(
        "Held", "dV/dt = I - V/tau", inputs=["I"], threshold="V >= 1", reset="V = 0", parameters={"tau": 10.0}
    ).with_refractory(2.0)
    current = np.linspace(0.15, 2.0, 64)
    found = []
    for backend, steps in (("c", None), ("cuda", None), ("cuda", 1)):
        pop = model.population(64, dt=0.1, backend=backend, dtype="float64", steps_per_launch=steps)
        pop.run(150.0, I=current, record=())
        found.append(host(pop.t_last_spike))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@pytest.mark.parametrize(
    "where", ["izhigen.recording.plan.RecordingPlan.collect", "izhigen.backends.cuda.CudaEngine._wait"]
)
def test_a_run_that_another_error_ends_leaves_states_and_time_in_step(cupy, monkeypatch, where):
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 10)
    pop, clean = population(), population()
    calls, (owner, name) = [], where.rsplit(".", 1)
    true = getattr(pkgutil.resolve_name(owner), name)

    def fail(*given):
        calls.append(given)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return true(*given)

    with monkeypatch.context() as patch:
        patch.setattr(where, fail)
        with pytest.raises(KeyboardInterrupt):
            pop.run(steps=1000, I=10.0)
    clean.run(steps=round(pop.t / 0.1), I=10.0)
    same_state(pop, clean)
    assert not pop._engine_in_use._under_way
    same(pop.run(steps=300, I=10.0, record=["V", "spike"]), clean.run(steps=300, I=10.0, record=["V", "spike"]))


# -- several devices ----------------------------------------------------------------------------------------------------


def devices():
    """Pairs of devices: two of them, where there are two."""
    count = load_cupy().cuda.runtime.getDeviceCount()
    return [[0, 0], *([[0, 1], [1, 0, 1]] if count > 1 else [])]


@pytest.mark.parametrize(("size", "batch"), [(300, None), (5, None), (33, None), ((4, 25), 3), (1, None)])
def test_sharded_neurons_give_what_one_device_gives(cupy, size, batch):
    n = int(np.prod(size))
    values = {
        "b": np.linspace(0.2, 0.26, n).reshape(size),
        "tau_ref": np.linspace(1, 3, n).reshape(size),
        "seed": 9,
        "batch": batch,
    }
    inputs = {
        "I": iz.inputs.sinusoid(20, 30, 1e3) + iz.inputs.wiener(1e3, n=n * (batch or 1), seed=3),
        "V_delta": np.linspace(0, 0.1, n).reshape(size),
    }
    one = population(size, NOISY, **values)
    expected = one.run(60.0, **inputs, record=EVERYTHING)
    for sharding in devices():
        pop = population(size, NOISY, sharding=sharding, **values)
        same(pop.run(60.0, **inputs, record=EVERYTHING), expected)
        same_state(pop, one)
    current = np.linspace(0, 30, n).reshape(size)
    flags = [host(made(current)) for made in (one, pop)]
    np.testing.assert_array_equal(*flags)
    same_state(pop, one)
    rows = np.random.default_rng(0).uniform(0, 30, (50, *one.shape))
    chosen = {
        "neurons": np.arange(n * (batch or 1))[::-3],
        "every": 4,
        "I": rows,
        "record": ["V", "spike", "count", "refractory"],
    }
    same(pop.run(steps=50, **chosen), one.run(steps=50, **chosen))
    pop.V, pop.a = one.V, 0.05
    one.a = 0.05
    same(pop.run(5.0, I=cupy.asarray(current), record="V"), one.run(5.0, I=current, record="V"))
    for made in (pop, one):
        made.reset(batch=2)
    same(pop.run(5.0, I=20.0, record=["V", "spike"]), one.run(5.0, I=20.0, record=["V", "spike"]))


@pytest.fixture
def own_streams(cupy):
    """On each device a stream of its own is the current one, which no other waits for."""
    before = []
    for number in range(cupy.cuda.runtime.getDeviceCount()):
        with cupy.cuda.Device(number):
            before.append(cupy.cuda.get_current_stream())
            cupy.cuda.Stream(non_blocking=True).use()
    yield
    for number, stream in enumerate(before):
        with cupy.cuda.Device(number):
            cupy.cuda.get_current_stream().synchronize()
            stream.use()


def test_each_device_is_read_and_written_on_its_own_stream(cupy, own_streams):
    """CuPy copies on the stream of the device that is current, and that stream knows nothing of work on another device."""
    for sharding in devices():
        pop, clean = population(sharding=sharding), population()
        for made in (pop, clean):
            for _ in range(20):
                made.step(I=30.0, check_finite=False)
        same_state(pop, clean)
        for made in (pop, clean):
            made.step(I=30.0, check_finite=False)
            made.V[140:290] = -50.0
            made.u = np.linspace(-14, -10, 300)
            made.step(I=30.0, check_finite=False)
        same_state(pop, clean)
        assert pop.state["V"].min() == clean.V.min() and (pop.V > -100).all()


@needs_double
def test_the_second_device_is_read_from_the_first(cupy, own_streams):
    """What a population on another device than the current one gives away."""
    pop, clean = population(device=1), population()
    for made in (pop, clean):
        for _ in range(20):
            made.step(I=30.0, check_finite=False)
    same_state(pop, clean)
    same(*(made.run(30.0, I=30.0, record=EVERYTHING[:2] + EVERYTHING[3:]) for made in (pop, clean)))
    recording = pop.run(30.0, I=30.0, record=["V", "spike"])
    recording.plot(neurons=[3, 14])
    assert pop._neurons.states_of(7) == {name: float(host(pop.state[name])[7]) for name in ("V", "u")}


def test_sharded_states_that_are_not_finite_are_named(cupy, monkeypatch):
    monkeypatch.setattr(cuda, "LONGEST_BLOCK", 11)
    current = np.full((400, 100), 10.0)
    current[237, 77] = np.inf
    for sharding in devices():
        pop, clean = (population(100, sharding=sharding) for _ in range(2))
        with pytest.raises(NonFiniteError, match="input 'I' of neuron 77 .* in step 237 "):
            pop.run(steps=400, I=current)
        clean.run(steps=237, I=10.0)
        same_state(pop, clean)
        with pytest.raises(NonFiniteError, match="neuron 77"):
            pop.step(I=current[237])


@needs_double
def test_the_second_device_alone(cupy):
    expected = population(300, NOISY, tau_ref=np.linspace(1, 3, 300))
    pop = population(300, NOISY, tau_ref=np.linspace(1, 3, 300), device=1)
    for made in (pop, expected):
        made.run(steps=3, I=3.0)
    recordings = [made.run(30.0, I=np.linspace(0, 30, 300), record=EVERYTHING) for made in (pop, expected)]
    same(*recordings)
    for read in (lambda r: r["spike"], lambda r: r.counts, lambda r: r.rates, lambda r: r["isi"].cv):
        here, there = (read(recording) for recording in recordings)
        np.testing.assert_array_equal(host(here), host(there))
        assert here.device.id == 1
    for array in (pop.V, pop.spike, pop.refractory, pop(20.0), recordings[0]["V"], recordings[0].spikes[1]):
        assert array.device.id == 1
    expected(20.0)
    pop.V = pop.u = 1.0
    expected.V = expected.u = 1.0
    pop.reset(batch=2)
    pop.a = np.linspace(0, 1, 300)
    with cupy.cuda.Device(1):
        pop.V[0, 3] = np.nan
    with pytest.raises(NonFiniteError, match="neuron 3 "):
        pop.run(1.0)
    with cupy.cuda.Device(1):
        given = cupy.asarray(np.linspace(0, 30, 300, dtype=np.float32))
    population(device=1, a=given).run(1.0, I=given)
    for wrong in (lambda: population(a=given), lambda: population().run(1.0, I=given), lambda: population()(given)):
        with pytest.raises(
            BackendError, match="an array lies on device 1, the population on device 0; move one of them"
        ):
            wrong()


# -- what is said -------------------------------------------------------------------------------------------------------


def refused(words, kind=BackendError, n=10, **options):
    with pytest.raises(kind, match=words) as problem:
        population(n, **options)
    assert "\n" not in str(problem.value)


def test_choices_that_cannot_be(cupy):
    refused("device=7: there is no such device; the ", device=7)
    refused("device='0': there is no such device", device="0")
    refused("device=True: there is no such device", device=True)
    refused("sharding='x' is not a list of devices such as", sharding="x")
    refused("sharding=3 is not a list of devices such as", sharding=3)
    refused(r"sharding=\[\] is not a list of devices such as", sharding=[])
    refused("sharding=9: there is no such device", sharding=[0, 9])
    refused("are both given; sharding names the devices", iz.IzhigenError, device=0, sharding=[0])
    for backend in ("c", "numpy"):
        refused(
            "device=0 chooses among devices, and this backend has none; take backend='cuda'", backend=backend, device=0
        )
        refused(r"sharding=\[0\] chooses among devices", backend=backend, sharding=[0])


def test_without_cupy(monkeypatch):
    load_cupy.cache_clear()
    true = builtins.__import__

    def without(name, *rest, **options):
        if name == "cupy":
            raise ImportError("libcupy.so: no such file\nmore")
        return true(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    refused(
        r"backend 'cuda' needs CuPy, which cannot be imported \(libcupy.so: no such file\); pip install 'izhigen\[cuda12\]'"
    )
    load_cupy.cache_clear()


@needs_double
def test_without_a_driver_or_a_device(monkeypatch):
    install(monkeypatch, devices=0)
    load_cupy.cache_clear()
    refused("found no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES, or use backend='c'")

    def fail():
        problem = runtime.CUDARuntimeError(100)
        problem.args = ("cudaErrorInsufficientDriver: CUDA driver version is insufficient",)
        raise problem

    runtime = sys.modules["cupy"].cuda.runtime
    monkeypatch.setattr(runtime, "getDeviceCount", fail)
    refused(
        r"found no working CUDA driver \(cudaErrorInsufficientDriver.*\); install or update NVIDIA's driver, or use backend='c'"
    )
    load_cupy.cache_clear()


@needs_double
def test_memory_that_is_used_up(monkeypatch):
    install(monkeypatch, memory=1 << 22)
    load_cupy.cache_clear()
    refused("the device has no memory left for 1000000 values .* GB are free.; take fewer neurons", n=1_000_000)
    pop = population(1000)
    before = host(pop.V)
    with pytest.raises(BackendError, match="no memory left for traces of 1000 neurons in 10000 rows") as problem:
        pop.run(steps=10_000, record="V")
    assert "\n" not in str(problem.value)
    np.testing.assert_array_equal(host(pop.V), before)
    pop.run(steps=10, record="V")
    with pytest.raises(BackendError, match="no memory left for"):
        population(20_000).run(steps=100, I=np.zeros((100, 20_000), np.float32), record=())
    load_cupy.cache_clear()


def test_a_source_that_does_not_compile(cupy, monkeypatch):
    from dataclasses import replace

    true = cuda.load_program
    monkeypatch.setattr(cuda, "load_program", lambda *given: replace(true(*given), source="int f("))
    refused(r"(?s)NVRTC refused the kernel of RS: .*model.source\('cuda'\), or use backend='c'", CompileError)
