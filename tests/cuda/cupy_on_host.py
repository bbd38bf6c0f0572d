"""A double of the part of CuPy that izhigen uses, for machines without a GPU: kernels are built by g++ and run on the host.

``install(monkeypatch)`` puts it in the place of ``cupy``, ``cupyx`` and ``cupy_backends`` and returns the machine behind it,
whose counters and settings tests may read and change; see :class:`tests.cuda.device_queue.Machine`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.cuda import device_array, device_queue
from tests.cuda.device_queue import CUDADriverError, CUDARuntimeError, Machine, OutOfMemoryError, machine
from tests.cuda.host import FLAGS, BuildError, HostModule, extent

NAMES_OF_NUMPY = """
    float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool_ intp dtype nan inf newaxis pi finfo iinfo result_type
    can_cast promote_types integer floating ndim size shape
""".split()
OPTIONS = (
    "-ftz=false",
    "-fmad=",
    "--fmad=",
    "-std=",
    "--std=",
    "-D",
    "--define-macro=",
    "-lineinfo",
    "--generate-line-info",
    "-w",
    "-default-device",
    "-maxrregcount=",
    "--maxrregcount=",
    "--device-as-default-execution-space",
)
"""Options of NVRTC that sources may be built with. None relaxes arithmetic."""


class CompileException(Exception):
    """NVRTC (here: g++) refused a source."""

    def __init__(self, msg: str, source: str, name: str, options: Sequence[str], backend: str = "nvcc") -> None:
        super().__init__()
        self._msg, self.source, self.name, self.options, self.backend = msg, source, name, options, backend

    def __str__(self) -> str:
        return self._msg

    def get_message(self) -> str:
        return self._msg


def kernel_argument(value: Any) -> Any:
    """An argument of a kernel as CuPy passes it: the address of a device's array; anything of one element, and any number, by value.

    Stricter than CuPy: ``None`` is refused (CuPy passes an address of no value at all, which the driver reads from), as are NumPy's
    ``void`` scalars (an array without dimensions is the safe form of a struct), and arrays of other devices than the current one.
    """
    if isinstance(value, device_array.ndarray):
        device_array._check_device(value)
        return np.uintp(value.data.ptr)
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise TypeError(
                f"You are trying to pass a numpy.ndarray of shape {value.shape} as a kernel parameter. "
                "Only numpy.ndarrays of size one can be passed by value."
            )
        return value.reshape(()).copy()
    if isinstance(value, (bool, float, complex)) and not isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, int):
        return np.uint64(value) if value >= 1 << 63 else np.int64(value)
    if isinstance(value, (np.bool_, np.number)):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


class RawKernel:
    """A kernel of a module."""

    def __init__(self, module: HostModule, name: str, options: tuple[str, ...]) -> None:
        self._module, self.name, self.options = module, name, options
        self.ptr = machine().handle()
        machine().functions[self.ptr] = self
        self.num_regs, self.local_size_bytes, self.shared_size_bytes = 32, 0, 0
        self.max_threads_per_block = module.bounds[name]

    @property
    def kernel(self) -> RawKernel:
        """The function as the driver knows it: all that is asked of it is its ``ptr``."""
        return self

    @property
    def attributes(self) -> dict[str, int]:
        names = ("num_regs", "local_size_bytes", "shared_size_bytes", "max_threads_per_block")
        return {name: getattr(self, name) for name in names}

    def __call__(self, grid: tuple, block: tuple, args: Any, *, shared_mem: int = 0) -> None:
        """Put the kernel on the current stream, with its arguments as they are now."""
        if not isinstance(grid, tuple) or not isinstance(block, tuple):
            raise TypeError("grid and block of a launch are tuples")
        if shared_mem:
            raise ValueError("shared memory is not made believe")
        blocks, threads = (
            max(1, extent(tuple(max(1, n) for n in grid))),
            max(1, extent(tuple(max(1, n) for n in block))),
        )
        if threads > self.max_threads_per_block:
            raise CUDADriverError("CUDA_ERROR_INVALID_VALUE: invalid argument")
        run = self._module.prepare(self.name, blocks, threads, [kernel_argument(a) for a in args])
        own = machine()
        own.launches += 1
        own.enqueue(own.current(), partial(_run, run, tuple(args)))


def _run(run: Any, _alive: Any) -> None:
    run(machine().reverse, machine().os_threads)


class RawModule:
    """A CUDA source; like CuPy's, it is compiled when its first kernel is asked for."""

    def __init__(
        self,
        code: str | None = None,
        *,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        enable_cooperative_groups: bool = False,
        name_expressions: Sequence[str] | None = None,
        jitify: bool = False,
    ) -> None:
        if path is not None and code is None:  # the double's machine code is the source
            code = Path(path).read_text()
        if (
            code is None
            or backend != "nvrtc"
            or name_expressions
            or enable_cooperative_groups
            or jitify
            or translate_cucomplex
        ):
            raise ValueError("only sources of kernels with C names, for NVRTC, are made believe")
        if not isinstance(options, tuple):
            raise TypeError(f"Argument 'options' has incorrect type (expected tuple, got {type(options).__name__})")
        self.code, self.options, self.backend = code, options, backend
        self._built: HostModule | None = None
        machine().options.append(options)

    def compile(self, log_stream: Any = None) -> None:
        """Build the source."""
        unknown = [o for o in self.options if not o.startswith(OPTIONS)]
        if unknown:
            raise CompileException(
                f"nvrtc: error: unrecognized option {unknown[0]} found", self.code, "source.cu", self.options, "nvrtc"
            )
        try:
            self._built = HostModule(self.code, (*FLAGS, *(o for o in self.options if o.startswith("-D"))))
        except BuildError as problem:
            raise CompileException(str(problem), self.code, "source.cu", self.options, "nvrtc") from problem

    @property
    def module(self) -> HostModule:
        if self._built is None:
            self.compile()
        assert self._built is not None
        return self._built

    def get_function(self, name: str) -> RawKernel:
        """A kernel by its name."""
        if not isinstance(name, str) or name not in self.module.names:
            raise CUDADriverError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        return RawKernel(self.module, name, self.options)


def compile_using_nvrtc(
    source: str,
    options: tuple[str, ...] = (),
    arch: str | None = None,
    filename: str = "kern.cu",
    name_expressions: Any = None,
    log_stream: Any = None,
    cache_in_memory: bool = False,
) -> tuple[bytes, None]:
    """Build a source to see whether it can be; what :class:`RawModule` then loads is the source."""
    RawModule(source, options=options).compile()
    return source.encode(), None


def occupancyMaxActiveBlocksPerMultiprocessor(func: int, blockSize: int, dynamicSMemSize: int) -> int:
    """How many blocks one of the device's processors runs side by side; few, for the host to be done soon."""
    return max(1, 256 // blockSize) * (func in machine().functions)


def occupancyMaxPotentialBlockSize(func: int, dynamicSMemSize: int, blockSizeLimit: int) -> tuple[int, int]:
    """The least grid that fills the device, and the block for it: the largest that may be (0: no limit), as drivers answer."""
    block = min(blockSizeLimit or 1024, machine().functions[func].max_threads_per_block)
    return machine().processors * occupancyMaxActiveBlocksPerMultiprocessor(func, block, dynamicSMemSize), block


def getDeviceCount() -> int:
    if not machine().devices:
        raise CUDARuntimeError(100)
    return machine().devices


def getDeviceProperties(device: int) -> dict[str, Any]:
    if not 0 <= device < machine().devices:
        raise CUDARuntimeError(101)
    return {
        "name": b"Make-believe GPU",
        "major": 8,
        "minor": 0,
        "multiProcessorCount": machine().processors,
        "warpSize": 32,
        "maxThreadsPerBlock": 1024,
        "maxThreadsPerMultiProcessor": 2048,
        "totalGlobalMem": machine().memory,
    }


def empty_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    """A NumPy array in pinned memory."""
    content = machine().pin(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.ndarray(shape, dtype, content, order=order)


def zeros_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    made = empty_pinned(shape, dtype, order)
    made[...] = 0
    return made


class MemoryPool:
    """The pool of the current device, which keeps nothing back."""

    def free_all_blocks(self, stream: Any = None) -> None:
        """Nothing to give back."""

    def used_bytes(self) -> int:
        return machine().used[machine().device]

    total_bytes = used_bytes

    def free_bytes(self) -> int:
        return 0


def _module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


def modules() -> dict[str, ModuleType]:
    """The modules of the double by name."""
    queue = device_queue
    runtime = _module(
        "cupy_backends.cuda.api.runtime",
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=getDeviceCount,
        getDeviceProperties=getDeviceProperties,
        getDevice=lambda: machine().device,
        setDevice=lambda device: queue.Device(device).use() and None,
        deviceSynchronize=lambda: queue.Device().synchronize(),
        driverGetVersion=lambda: 12090,
        runtimeGetVersion=lambda: 12090,
        pointerGetAttributes=lambda place: SimpleNamespace(device=machine().device_of(place), devicePointer=place),
        memGetInfo=lambda: queue.Device().mem_info,
        streamCaptureModeGlobal=0,
        streamCaptureModeThreadLocal=1,
        streamCaptureModeRelaxed=2,
        is_hip=False,
    )
    driver = _module(
        "cupy_backends.cuda.api.driver",
        CUDADriverError=CUDADriverError,
        occupancyMaxPotentialBlockSize=occupancyMaxPotentialBlockSize,
        occupancyMaxActiveBlocksPerMultiprocessor=occupancyMaxActiveBlocksPerMultiprocessor,
    )
    compiler = _module("cupy.cuda.compiler", CompileException=CompileException, compile_using_nvrtc=compile_using_nvrtc)
    memory = _module("cupy.cuda.memory", OutOfMemoryError=OutOfMemoryError)
    streams = {name: getattr(queue, name) for name in ("Stream", "ExternalStream", "Event", "get_current_stream")}
    cuda = _module(
        "cupy.cuda",
        **streams,
        Device=queue.Device,
        Graph=queue.Graph,
        runtime=runtime,
        driver=driver,
        compiler=compiler,
        memory=memory,
        stream=_module("cupy.cuda.stream", **streams),
        is_available=lambda: machine().devices > 0,
        nvrtc=_module("cupy_backends.cuda.libs.nvrtc", getVersion=lambda: (12, 9)),
        get_elapsed_time=lambda start, end: 0.0,
        alloc_pinned_memory=lambda size: machine().pin(size).data,
    )
    cupy = _module(
        "cupy",
        __version__="14.2.0",
        ndarray=device_array.ndarray,
        cuda=cuda,
        RawModule=RawModule,
        **device_array.FUNCTIONS,
        **{name: getattr(np, name) for name in NAMES_OF_NUMPY},
        get_default_memory_pool=MemoryPool,
        get_array_module=lambda *args: cupy if any(isinstance(a, device_array.ndarray) for a in args) else np,
    )
    api = _module("cupy_backends.cuda.api", runtime=runtime, driver=driver)
    backends = _module("cupy_backends.cuda", api=api)
    cupyx = _module("cupyx", empty_pinned=empty_pinned, zeros_pinned=zeros_pinned)
    found = [cupy, cuda, compiler, memory, cuda.stream, runtime, driver, api, backends, cupyx, cuda.nvrtc]
    return {m.__name__: m for m in [*found, _module("cupy_backends", cuda=backends)]} | {"cupy.cuda.runtime": runtime}


def install(monkeypatch: pytest.MonkeyPatch, devices: int = 2, memory: int = 1 << 30, lazy: bool = True) -> Machine:
    """Put the double in CuPy's place until the test is over; returns the machine behind it.

    ``devices`` may be 0, as on a machine without a GPU; ``memory`` is that of each; ``lazy=False`` does work when it is asked for.
    """
    new = Machine(devices, memory, lazy)
    monkeypatch.setattr(device_queue, "_machines", [new])
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    return new
