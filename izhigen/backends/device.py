"""A CUDA device: its memory, its errors in words, and the shape of a launch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from izhigen.backends.cache import kept_file
from izhigen.codegen.program import Program
from izhigen.errors import (
    BackendError,
    CompileError,
    IzhigenError,
    ValueShapeError,
    error_line,
    first_line,
    shown,
)
from izhigen.files import sha256

Array = Any

INSTALL = "pip install 'izhigen[cuda12]' (or izhigen[cuda13], to match the driver), or use backend='c'"
"""What brings CuPy."""
WARP = 32
DLPACK_DEVICES = (2, 13)
"""kDLCUDA and kDLCUDAManaged."""
LARGEST_BLOCK = 256
"""Threads of a block: asked for the best occupancy, a driver may answer with one block of 1,024 a multiprocessor, which
then has nothing to do while the last warps of that block finish."""


@cache
def load_cupy() -> Any:
    """CuPy, on a machine where a device can be used.

    Raises
    ------
    BackendError
        One line that says what is missing and what to do: CuPy, a driver, or a device.
    """
    try:
        import cupy
    except ImportError as problem:
        raise BackendError(
            f"backend 'cuda' needs CuPy, which cannot be imported ({first_line(problem)}); {INSTALL}"
        ) from None
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        if "NoDevice" in str(problem):
            count = 0
        else:
            raise BackendError(
                f"backend 'cuda' found no working CUDA driver ({first_line(problem)}); "
                "install or update NVIDIA's driver, or use backend='c'"
            ) from None
    if count < 1:
        raise BackendError(
            "backend 'cuda' found no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES, or use backend='c'"
        )
    return cupy


@contextlib.contextmanager
def device_errors(what: str) -> Iterator[None]:
    """Say in one line what a device refuses.

    Raises
    ------
    CompileError
        With the compiler's first error; all that it said is in the exception that this one comes from.
    BackendError
        When memory is full, NVRTC is missing, or the driver refuses.
    """
    cupy = load_cupy()
    try:
        yield
    except IzhigenError:  # in words already
        raise
    except cupy.cuda.memory.OutOfMemoryError as problem:
        free, total = cupy.cuda.Device().mem_info
        raise BackendError(
            f"the device has no memory left for {what} "
            f"({first_line(problem)}; {free / 1e9:.3g} of {total / 1e9:.3g} GB are free); "
            "take fewer neurons, record less or into out='run.zarr', or several devices with sharding=[...]"
        ) from None
    except cupy.cuda.compiler.CompileException as problem:
        raise CompileError(
            f"NVRTC refused the kernel of {what}: {error_line(str(problem))}; report it, with model.source('cuda'), "
            "or use backend='c'"
        ) from problem
    except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError) as problem:
        raise BackendError(
            f"the device failed on {what} ({first_line(problem)}); results since the last call are lost: "
            "make the population anew, and check nvidia-smi"
        ) from None
    except RuntimeError as problem:
        if "nvrtc" not in str(problem).lower():
            raise
        raise BackendError(
            f"CuPy cannot use NVRTC, which compiles the kernels ({first_line(problem)}); {INSTALL}"
        ) from None


def check_device(name: str, device: Any) -> int:
    """The number of a device that is there.

    Raises
    ------
    BackendError
        When there is none of that number.
    """
    cupy = load_cupy()
    number = device.id if isinstance(device, cupy.cuda.Device) else device
    count = cupy.cuda.runtime.getDeviceCount()
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or not 0 <= number < count:
        raise BackendError(
            f"{name}={shown(device)}: there is no such device; the devices are 0 to {count - 1}"
            if count > 1
            else f"{name}={shown(device)}: there is no such device; the only one is 0"
        )
    return int(number)


class DeviceSpace:
    """The memory of one device; see :class:`izhigen.memory.space.Space`.

    Work goes to the stream that is current when it is asked for.
    """

    def __init__(self, number: int) -> None:
        self.cupy = load_cupy()
        self.number = number

    def use(self) -> Any:
        """A context in which this device is the current one."""
        return self.cupy.cuda.Device(self.number)

    def zeros(self, count: int, dtype: Any) -> Array:
        """Zeros."""
        with self.use(), device_errors(f"{count} values"):
            return self.cupy.zeros(count, dtype)

    def rows(self, count: int, neurons: Array | None, n: int, dtype: Any) -> Array:
        """An empty array."""
        columns = n if neurons is None else len(neurons)
        with self.use(), device_errors(f"traces of {columns} neurons in {count} rows"):
            return self.cupy.empty((count, columns), dtype)

    def send(self, values: np.ndarray) -> Array:
        """A copy on the device."""
        with self.use(), device_errors(f"{values.size} values"):
            return self.cupy.asarray(values)

    def shared(self, value: Any) -> Array | None:
        """What CuPy can see of an array of any library on any device, without a copy; None for anything else.

        By DLPack where the library has it: the stream that is current here then waits for the library's, and the host
        for neither. The CUDA array interface, which has the host wait or gives no order at all, serves where there is
        no DLPack or it refuses.

        Raises
        ------
        ValueShapeError
            For an array of a device that both refuse, such as a tensor that requires a gradient.
        """
        cupy = self.cupy
        if isinstance(value, cupy.ndarray):
            return value
        refusals = (BufferError, RuntimeError, TypeError, ValueError, NotImplementedError)
        problem: BaseException | None = None
        with self.use(), device_errors(f"an array of type {type(value).__name__}"):
            for take in (self._from_dlpack, self._from_interface):
                try:
                    found = take(value)
                except cupy.cuda.runtime.CUDARuntimeError:  # a refusal of the device, not of the library
                    raise
                except refusals as refusal:
                    problem = problem or refusal
                    continue
                if found is not None:
                    return found
        if problem is not None:
            raise ValueShapeError(
                f"{type(value).__name__} cannot be read where it lies ({first_line(problem)}); "
                "give it detached, and as real numbers of a common type"
            ) from None
        return None

    def _from_dlpack(self, value: Any) -> Array | None:
        if not hasattr(value, "__dlpack__") or not hasattr(value, "__dlpack_device__"):
            return None
        return self.cupy.from_dlpack(value) if value.__dlpack_device__()[0] in DLPACK_DEVICES else None

    def _from_interface(self, value: Any) -> Array | None:
        interface = getattr(value, "__cuda_array_interface__", None)
        if interface is None:
            return None
        place = interface["data"][0]
        number = self.cupy.cuda.runtime.pointerGetAttributes(place).device if place else self.number
        with self.cupy.cuda.Device(number):  # where CuPy would copy an array of another device
            return self.cupy.asarray(value)

    def adopt(self, value: Any) -> Array | None:
        """A CuPy array, or without a copy what another library keeps on this device (DLPack, CUDA array interface)."""
        found = self.shared(value)
        if found is None:
            return None
        if found.device.id != self.number:
            raise BackendError(
                f"an array lies on device {found.device.id}, the population on device {self.number}; move one of them"
            )
        return found

    def write(self, array: Array, values: Any) -> None:
        """Fill with a number, or copy."""
        with self.use():
            if getattr(values, "ndim", 0) == 0:
                array.fill(values)
            else:
                array[...] = self.send(values) if isinstance(values, np.ndarray) else values

    def gather(self, array: Array) -> Array:
        """The array itself."""
        return array


def launch_shape(kernel: Any, neurons: int, per_thread: int, space: DeviceSpace) -> tuple[int, int]:
    """Blocks and threads a block: the block of the best occupancy, but no fewer blocks than multiprocessors."""
    from cupy_backends.cuda.api import driver

    with space.use():
        _, best = driver.occupancyMaxPotentialBlockSize(kernel.kernel.ptr, 0, LARGEST_BLOCK)
        processors = space.cupy.cuda.Device(space.number).attributes["MultiProcessorCount"]
    threads = max(1, -(-neurons // per_thread))
    spread = threads // processors  # threads a block, if all multiprocessors are to have one
    block = max(WARP, min(best, spread // WARP * WARP))
    return -(-threads // block), block


def load_kernels(program: Program, options: tuple[str, ...], space: DeviceSpace) -> Any:
    """The module of a program on a device, compiled once for its architecture.

    It is kept beside the kernels of the C backend.

    CuPy's own way from a source to a module adds ``-ftz=true``, which takes small numbers for 0; here NVRTC gets the
    options that are given.
    """
    cupy = space.cupy
    with space.use(), device_errors(program.name):
        device = cupy.cuda.Device(space.number)
        key = "\n".join((program.key, device.compute_capability, str(cupy.cuda.nvrtc.getVersion()), *options))
        stem = f"{program.name}-{program.dtype}-{sha256(key.encode())[:32]}"
        path = kept_file(
            f"{stem}.cubin",
            lambda: cupy.cuda.compiler.compile_using_nvrtc(program.source, options, cache_in_memory=True)[0],
        )
        return cupy.RawModule(path=str(path))
