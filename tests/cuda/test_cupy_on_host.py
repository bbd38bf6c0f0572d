"""The double of CuPy: strict where CuPy is strict, and late wherever a GPU may be late."""

import gc
import sys
import threading

import numpy as np
import pytest

from tests.cuda import cupy_on_host
from tests.cuda.host import needs_compiler
from tests.cuda.test_host import APPEND

pytestmark = pytest.mark.tools

ADD = """
struct job { float *x; long long n; float by; };
extern "C" __global__ void __launch_bounds__(128) add(const struct job j)
{
    for (long long i = blockIdx.x * blockDim.x + threadIdx.x; i < j.n; i += (long long)gridDim.x * blockDim.x) j.x[i] += j.by;
}
extern "C" __global__ void scalars(double *out, const long long i, const double d, const bool b, const float f, const int k)
{
    if (threadIdx.x == 0) { out[0] = (double)i; out[1] = d; out[2] = b; out[3] = f; out[4] = k; }
}
"""
JOB = np.dtype([("x", "u8"), ("n", "i8"), ("by", "f4"), ("pad", "f4")])


@pytest.fixture
def machine(monkeypatch):
    return cupy_on_host.install(monkeypatch, devices=2, memory=1 << 20)


@pytest.fixture
def cupy(machine):
    return sys.modules["cupy"]


def job(x, by=1.0):
    return np.array((x.data.ptr, x.size, by, 0), JOB)


@pytest.fixture
def add(cupy):
    kernel = cupy.RawModule(code=ADD, options=("-fmad=false", "--std=c++14"), backend="nvrtc").get_function("add")
    return lambda x, by=1.0: kernel((2,), (32,), (job(x, by),))


@pytest.mark.parametrize(
    "use",
    [
        np.asarray,
        np.array,
        lambda x: np.ones(3) + x,
        lambda x: x + np.ones(3),
        lambda x: np.add(np.ones(3), x),
        lambda x: x < np.ones(3),
        lambda x: np.concatenate([x, np.ones(3)]),
        lambda x: np.float32(1) in np.ones(3) + x,
        lambda x: [1, 2, 3][x[0]],
        lambda x: x[: x[0]],
        lambda x: x[np.arange(2)],
        lambda x: np.hypot(x, x),
        np.median,
        np.add.reduce,
    ],
)
def test_nothing_becomes_a_numpy_array_by_itself(cupy, use):
    with pytest.raises(TypeError):
        use(cupy.ones(3, cupy.float64))


def test_numpy_does_not_read_the_device(cupy):
    x = cupy.ones(3)
    assert not isinstance(x, np.ndarray) and x.__dlpack_device__() == (2, 0)
    with pytest.raises((BufferError, RuntimeError), match="device"):
        np.from_dlpack(x)
    with pytest.raises(ValueError, match="cannot be used for fill"):
        x[...] = np.zeros(3)
    x[...] = np.float64(2)
    x[1:] = np.array(5)
    with pytest.raises(TypeError, match="cannot be set"):
        x.set(np.zeros(3, "f4"))
    with pytest.raises(ValueError, match="Shape mismatch"):
        x.set(np.zeros(2))
    assert x.tolist() == [2, 5, 5]


def test_results_stay_on_the_device(cupy, machine):
    x = cupy.asarray(np.array([3.0, 1.0, 2.0]))
    before = machine.synchronisations
    y = np.sqrt(x) * 2 + np.float32(1)
    for result in (
        y,
        x[1],
        x.max(),
        x > 1,
        (x > 1).any(),
        cupy.where(x > 1, x, 0),
        np.sum(x),
        cupy.isfinite(x).all(),
        -x,
        2 - x,
        divmod(x, 2)[0],
        np.maximum(x, 2),
    ):
        assert isinstance(result, cupy.ndarray)
    assert machine.synchronisations == before
    assert (float(x[1]), int(x.max()), bool(x.any()), x[2].item(), x.argmax().item()) == (1, 3, True, 2, 0)
    assert machine.synchronisations == before + 5
    assert cupy.flatnonzero(x > 1).tolist() == [0, 2] and machine.synchronisations == before + 7
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)


def test_views_share_memory_and_copies_do_not(cupy):
    x = cupy.arange(12, dtype=cupy.int64)
    x.reshape(3, 4)[1, 2:] = -1
    x[x == 3] = 50
    x[[0, 1]] += 7
    element = x[11]
    element[...] = 99
    assert x.tolist() == [7, 8, 2, 50, 4, 5, -1, -1, 8, 9, 10, 99]
    assert (
        x[2:].data.ptr == x.data.ptr + 16
        and x.copy().data.ptr != x.data.ptr
        and x.ravel().view(cupy.float64).dtype == np.float64
    )
    x.sort()
    assert x[:2].tolist() == [-1, -1] and x.astype(cupy.int64, copy=False) is x and len(list(x.reshape(3, 4).T)) == 4
    assert (
        (cupy.empty(4) != cupy.empty(4)).all()
        and cupy.empty(2, "i4").tolist() == [-1, -1]
        and cupy.empty(0).data.ptr == 0
    )


def test_memory_is_taken_over_without_copies(cupy):
    x = cupy.arange(6, dtype=cupy.float32)
    over = cupy.from_dlpack(x[2:])

    class Foreign:
        __cuda_array_interface__ = x.__cuda_array_interface__

    again = cupy.asarray(Foreign())
    over[0], again[5] = 20, 50
    assert x.tolist() == [0, 1, 20, 3, 4, 50] and over.device.id == 0
    with pytest.raises(TypeError, match="CPU arrays"):
        cupy.from_dlpack(np.ones(3))


@needs_compiler
def test_kernels_run_when_somebody_waits(cupy, machine, add):
    x, out = cupy.zeros(100, cupy.float32), sys.modules["cupyx"].empty_pinned(100, np.float32)
    stream = cupy.cuda.Stream(non_blocking=True)
    cupy.cuda.Device().synchronize()
    before = machine.synchronisations
    with stream:
        for _ in range(5):
            add(x)
        x.get(out=out, blocking=False)
        event = stream.record()
        add(x)
    assert machine.launches == 6 and machine.synchronisations == before and np.isnan(out).all() and not x._host.any()
    event.synchronize()
    assert (out == 5).all() and x._host[0] != 6 and event.done and not stream.done
    stream.synchronize()
    assert (x.get() == 6).all() and stream.done and machine.synchronisations == before + 3


@needs_compiler
@pytest.mark.parametrize("waits", [False, True])
def test_a_missing_wait_between_streams_shows(cupy, add, waits):
    x, first, second = (
        cupy.zeros(10, cupy.float32),
        cupy.cuda.Stream(non_blocking=True),
        cupy.cuda.Stream(non_blocking=True),
    )
    cupy.cuda.Device().synchronize()
    with first:
        add(x)
        event = first.record()
    if waits:
        second.wait_event(event)
    assert (x.get(stream=second) == waits).all()
    first.synchronize()


def test_functions_are_done_in_their_turn(cupy):
    """What they give has its shape at once, and its values when their stream has come to it."""
    x, stream = cupy.arange(4, dtype=cupy.float32), cupy.cuda.Stream(non_blocking=True)
    cupy.cuda.Device().synchronize()
    with stream:
        y = x * 2
        y[1] += 5
        total, split = y.sum(), divmod(y, 2)
    assert y.shape == (4,) and np.isnan(y.get(stream=cupy.cuda.Stream.null)).any()
    stream.synchronize()
    assert y.tolist() == [0, 7, 4, 6] and float(total) == 17 and split[1].tolist() == [0, 1, 0, 0]


def test_a_copy_to_the_host_joins_the_stream_of_the_current_device(cupy):
    """As CuPy's: of another device's work it knows nothing, unless both are on the null stream."""
    with cupy.cuda.Device(1):
        x, stream = cupy.zeros(3), cupy.cuda.Stream(non_blocking=True)
        assert x.get().tolist() == [0, 0, 0]
        with stream:
            x += 1
    with cupy.cuda.Stream(non_blocking=True):
        assert x.get().tolist() == [0, 0, 0]
        x.set(np.full(3, 7.0))
        with pytest.raises(RuntimeError, match="does not match"):
            x[::2].get()
        with cupy.cuda.Device(1), stream:
            assert x.get().tolist() != [7, 7, 7]


@needs_compiler
def test_the_null_stream_waits_for_blocking_streams_only(cupy, add):
    x, y = cupy.zeros(3, cupy.float32), cupy.zeros(3, cupy.float32)
    with cupy.cuda.Stream():
        add(x)
    with cupy.cuda.Stream(non_blocking=True):
        add(y)
    assert (x.get() == 1).all() and not y.get().any()
    cupy.cuda.Device().synchronize()
    assert (y.get() == 1).all()


@needs_compiler
def test_graphs_keep_the_arguments_of_their_capture(cupy, machine, add):
    x, stream, by = cupy.zeros(4, cupy.float32), cupy.cuda.Stream(non_blocking=True), cupy.ones(1)
    with stream:
        stream.begin_capture()
        add(x, 1.0)
        add(x, 2.0)
        for refused in (
            stream.synchronize,
            x.get,
            by.item,
            cupy.cuda.Device().synchronize,
            lambda: x + 1,
            lambda: float(by[0]),
        ):
            with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="capturing"):
                refused()
        assert stream.is_capturing()
        graph = stream.end_capture()
    stream.synchronize()
    assert not x.get().any()
    for _ in range(3):
        graph.launch(stream)
    with stream:
        graph.launch()
        assert (x.get() == 12).all() and machine.graph_launches == 4
    with pytest.raises(RuntimeError, match="legacy"):
        cupy.cuda.Stream.null.begin_capture()
    with pytest.raises(NotImplementedError):
        cupy.cuda.Graph()


def test_pinned_memory_is_read_when_the_copy_is_done(cupy):
    pinned, plain = sys.modules["cupyx"].zeros_pinned(3), np.zeros(3)
    x, y, stream = cupy.ones(3), cupy.ones(3), cupy.cuda.Stream(non_blocking=True)
    cupy.cuda.Device().synchronize()
    x.set(pinned, stream=stream)
    y.set(plain, stream=stream)
    pinned[:] = plain[:] = 7
    stream.synchronize()
    assert x.tolist() == [7, 7, 7] and y.tolist() == [0, 0, 0]


@needs_compiler
def test_arguments_of_kernels(cupy):
    scalars = cupy.RawModule(code=ADD).get_function("scalars")
    out = cupy.zeros(5)
    scalars((1,), (8,), (out, 5, 2.5, True, np.float32(0.5), np.array([7], "i4")))
    assert out.tolist() == [5, 2.5, 1, 0.5, 7]
    for wrong in (None, "text", np.zeros(2, "i4"), np.array((1, 2), "i4,f4")[()]):
        with pytest.raises(TypeError):
            scalars((1,), (8,), (out, 5, 2.5, True, np.float32(0.5), wrong))
    with pytest.raises(TypeError, match="bytes"):
        scalars((1,), (8,), (out, 5, 2.5, True, np.float32(0.5), 7))
    with pytest.raises(TypeError, match="tuple"):
        scalars(1, 8, (out,))


@needs_compiler
def test_kernels_and_what_they_take(cupy, machine):
    driver = sys.modules["cupy_backends.cuda.api.driver"]
    kernel = cupy.RawModule(code=ADD, options=("-fmad=false",)).get_function("add")
    assert (
        kernel.max_threads_per_block == 128
        and kernel.num_regs > 0
        and kernel.local_size_bytes == 0
        and machine.options == [("-fmad=false",)]
    )
    grid, block = driver.occupancyMaxPotentialBlockSize(kernel.kernel.ptr, 0, 0)
    assert 1 <= block <= 128 and grid == 2 * driver.occupancyMaxActiveBlocksPerMultiprocessor(
        kernel.kernel.ptr, block, 0
    )
    with pytest.raises(driver.CUDADriverError, match="INVALID_VALUE"):
        kernel((1,), (256,), (job(cupy.zeros(1, "f4")),))
    with pytest.raises(driver.CUDADriverError, match="NOT_FOUND"):
        cupy.RawModule(code=ADD).get_function("subtract")


@needs_compiler
def test_compile_errors_come_with_the_first_kernel(cupy):
    for code, options, text in (
        ("int f(", (), "error"),
        (ADD, ("--no-such-option",), "unrecognized"),
        (ADD, ("--use_fast_math",), "unrecognized"),
    ):
        module = cupy.RawModule(code=code, options=options)
        with pytest.raises(cupy.cuda.compiler.CompileException, match=text):
            module.get_function("add")


@needs_compiler
def test_devices_keep_apart(cupy, add):
    cuda = cupy.cuda
    with cuda.Device(1) as device:
        x, stream, event = cupy.zeros(3, cupy.float32), cuda.Stream(), cuda.Event()
        assert device.id == x.device.id == cuda.runtime.getDevice() == 1
    kernel = cupy.RawModule(code=APPEND).get_function("append")
    for wrong in (
        lambda: x + 1,
        lambda: x.fill(1),
        lambda: kernel((1,), (1,), (x, np.int32(0), x, x)),
        lambda: x[x > 1],
    ):
        with pytest.raises(ValueError, match="array device = 1 while current = 0"):
            wrong()
    with pytest.raises(RuntimeError, match="does not match"), stream:
        pass
    with pytest.raises(cuda.runtime.CUDARuntimeError, match="invalid resource handle"):
        event.record(cuda.Stream.null)
    with pytest.raises(cuda.runtime.CUDARuntimeError, match="invalid device"), cuda.Device(2):
        pass
    assert x.get().tolist() == [0, 0, 0] and cupy.asarray(x).device.id == 0


def test_a_thread_begins_on_the_first_device(cupy):
    seen = []
    with cupy.cuda.Device(1), cupy.cuda.Stream() as stream:
        thread = threading.Thread(
            target=lambda: seen.extend((cupy.cuda.Device().id, cupy.cuda.get_current_stream().ptr))
        )
        thread.start()
        thread.join()
        assert cupy.cuda.get_current_stream() == stream and cupy.cuda.ExternalStream(stream.ptr) == stream
    assert seen == [0, 0]


def test_memory_runs_out_and_is_given_back(cupy, machine):
    kept = cupy.zeros(1 << 16)
    with pytest.raises(cupy.cuda.memory.OutOfMemoryError, match="Out of memory"):
        cupy.zeros(1 << 17)
    assert cupy.cuda.Device(0).mem_info == ((1 << 20) - (1 << 19), 1 << 20)
    view = kept[1:]
    del kept
    gc.collect()
    assert machine.used == [1 << 19, 0]
    del view
    gc.collect()
    assert machine.used == [0, 0] and cupy.zeros((1 << 17) - 64).size


def test_without_a_device(monkeypatch):
    cupy_on_host.install(monkeypatch, devices=0)
    import cupy

    assert not cupy.cuda.is_available()
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="no CUDA-capable device"):
        cupy.cuda.runtime.getDeviceCount()
    with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="no CUDA-capable device"):
        cupy.zeros(3)


@needs_compiler
def test_work_may_be_done_at_once(monkeypatch):
    machine = cupy_on_host.install(monkeypatch, lazy=False)
    import cupy

    x = cupy.zeros(3, cupy.float32)
    machine.reverse, machine.os_threads = True, 2
    cupy.RawModule(code=ADD).get_function("add")((2,), (1,), (job(x, 4.0),))
    assert x._host.tolist() == [4, 4, 4] and machine.synchronisations == 0


def test_nothing_is_here_that_cupy_has_not():
    """Where CuPy itself is installed (it need not find a GPU), each name of the double is one of its names."""
    pytest.importorskip("cupy")
    import importlib

    for name, double in cupy_on_host.modules().items():
        real = importlib.import_module(name) if name != "cupy.cuda.runtime" else sys.modules["cupy"].cuda.runtime
        for member, own in vars(double).items():
            if member.startswith("__"):
                continue
            assert hasattr(real, member), f"{name}.{member}"
            if (
                isinstance(own, type)
                and own.__module__.startswith("tests.cuda")
                and own.__name__ not in ("MemoryPool",)
            ):
                methods = [m for m in vars(own) if not m.startswith("_") and m not in ("queue", "mark", "pinned")]
                missing = [m for m in methods if not hasattr(getattr(real, member), m)]
                assert not missing, f"{name}.{member}: {missing}"
