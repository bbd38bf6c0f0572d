"""The asynchronous side of the double of CuPy: devices, their memory, streams, events and graphs.

Work put on a stream is not done before somebody asks for it: it is done when its stream is synchronised, or an event recorded
after it, or when other work that has to wait for it is done. This is one of the orders that a GPU may take, and the one in
which every missing wait shows. ``lazy=False`` does all work at once, which is the other extreme.
"""

from __future__ import annotations

import gc
import itertools
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

ERRORS = {
    1: "cudaErrorInvalidValue: invalid argument",
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",
    101: "cudaErrorInvalidDevice: invalid device ordinal",
    400: "cudaErrorInvalidResourceHandle: invalid resource handle",
    900: "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing",
    906: "cudaErrorStreamCaptureImplicit: operation would make the legacy stream depend on a capturing blocking stream",
}
POISON = 0xFF
"""Every byte of memory that nothing has been written to: NaN, -1, or a number too large."""


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime, by its number."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(ERRORS[status])


class CUDADriverError(RuntimeError):
    """An error of the CUDA driver."""


class OutOfMemoryError(MemoryError):
    """A device's memory is used up."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes, limit set to: {limit:,} bytes)."
        )


class Queue:
    """The work of a stream: what waits, how much was ever put there, and how much of it has been done."""

    def __init__(self, device: int, blocking: bool) -> None:
        self.device, self.blocking = device, blocking
        self.waiting: deque[Callable[[], Any]] = deque()
        self.put = self.done = 0
        self.captured: list[Callable[[], Any]] | None = None

    def add(self, work: Callable[[], Any]) -> None:
        """Put work at the end."""
        self.waiting.append(work)
        self.put += 1


class Machine:
    """The make-believe GPUs: counters and settings for tests, and the work and the memory of all devices.

    ``launches``, ``graph_launches`` and ``synchronisations`` count from zero; ``reverse`` and ``os_threads`` say how kernels are run.
    """

    def __init__(self, devices: int = 2, memory: int = 1 << 30, lazy: bool = True) -> None:
        self.devices, self.memory, self.lazy = devices, memory, lazy
        self.launches = self.graph_launches = self.synchronisations = 0
        self.reverse, self.os_threads, self.processors = False, 1, 2
        self.options: list[tuple[str, ...]] = []
        self.functions: dict[int, Any] = {}
        self.used = [0] * devices
        self.pinned: dict[int, int] = {}
        self._places: list[tuple[int, int, weakref.ref[Memory]]] = []
        self.null = [Queue(device, blocking=True) for device in range(devices)]
        self.queues: dict[int, Queue] = {}
        self._lock = threading.RLock()
        self._local = threading.local()
        self._handles = itertools.count(0x1000)

    @property
    def device(self) -> int:
        """The device of the calling thread."""
        if not self.devices:
            raise CUDARuntimeError(100)
        return getattr(self._local, "device", 0)

    @device.setter
    def device(self, number: int) -> None:
        if not 0 <= number < self.devices:
            raise CUDARuntimeError(101)
        self._local.device = number

    @property
    def streams(self) -> dict[int, Any]:
        """The current stream of the calling thread on each device; what is missing is the null stream."""
        if not hasattr(self._local, "streams"):
            self._local.streams = {}
        return self._local.streams

    def handle(self) -> int:
        """A number never given before."""
        return next(self._handles)

    def enqueue(self, queue: Queue, work: Callable[[], Any]) -> None:
        """Put work on a stream, or into the graph that it captures; the null stream and blocking ones wait for each other."""
        with self._lock:
            if queue.captured is not None:
                queue.captured.append(work)
                return
            null = self.null[queue.device]
            blocking = [q for q in self.queues.values() if q.blocking and q.device == queue.device]
            for other in blocking if queue is null else [null] * queue.blocking:
                if other.captured is not None:
                    raise CUDARuntimeError(906)
                if other.done < other.put:
                    queue.add(partial(self.drain, other, other.put))
            queue.add(work)
            if not self.lazy:
                self.drain(queue, queue.put)

    def drain(self, queue: Queue, mark: int) -> None:
        """Do the work of a stream up to a mark."""
        with self._lock:
            while queue.done < mark:
                work = queue.waiting.popleft()
                queue.done += 1
                work()

    def synchronise(self, queue: Queue, mark: int | None = None) -> None:
        """Wait for a stream on the host: refused while it captures, and counted."""
        if queue.captured is not None:
            raise CUDARuntimeError(900)
        self.synchronisations += 1
        self.drain(queue, queue.put if mark is None else mark)

    def synchronise_device(self, device: int) -> None:
        """Wait on the host for all streams of a device."""
        queues = [self.null[device], *(q for q in self.queues.values() if q.device == device)]
        if any(q.captured is not None for q in queues):
            raise CUDARuntimeError(900)
        self.synchronisations += 1
        for queue in queues:
            self.drain(queue, queue.put)

    def current(self, device: int | None = None) -> Queue:
        """The work of the current stream."""
        device = self.device if device is None else device
        stream = self.streams.get(device)
        return stream.queue if stream is not None and stream.ptr else self.null[device]

    def now(self, work: Callable[[], Any], waits: bool = False) -> Any:
        """Do work on the current stream, after all that is there, and return its result; ``waits``: it keeps the host waiting."""
        queue, results = self.current(), []
        self.refuse_capture()
        self.enqueue(queue, lambda: results.append(work()))
        self.synchronisations += waits
        self.drain(queue, queue.put)
        return results[0]

    def refuse_capture(self) -> None:
        """Stricter than CuPy: while a stream captures, array functions are refused, since a graph would take them up unnoticed."""
        if self.current().captured is not None:
            raise CUDARuntimeError(900)

    def later(self, work: Callable[[], Any]) -> None:
        """Put work that only writes into arrays that exist on the current stream."""
        self.enqueue(self.current(), work)

    def allocate(self, host: np.ndarray, device: int) -> Memory:
        """Account for memory of a device, in units of 512 bytes as CuPy's pool does. Given back, it is not used again before the work that
        was there has been done, since a pool gives it to later work of the same stream."""
        size = -(-host.nbytes // 512) * 512
        if self.used[device] + size > self.memory and not any(q.captured is not None for q in self.queues.values()):
            for queue in [self.null[device], *self.queues.values()]:
                self.drain(
                    queue, queue.put
                )  # work that waits holds on to memory that a pool would have given out again
            gc.collect()
        if self.used[device] + size > self.memory:
            raise OutOfMemoryError(size, self.used[device], self.memory)
        memory = Memory(device)
        self.used[device] += size
        weakref.finalize(memory, self._free, device, size, host)
        self._places.append((host.ctypes.data, host.nbytes, weakref.ref(memory)))
        return memory

    def device_of(self, place: int) -> int:
        """The device that an address lies on; the current one for none."""
        self._places = [known for known in self._places if known[2]() is not None]
        for start, size, memory in self._places:
            owner = memory()
            if owner is not None and start <= place < start + size:
                return owner.device_id
        return self.device

    def _free(self, device: int, size: int, host: np.ndarray) -> None:
        self.used[device] -= size
        for queue in [self.null[device], *self.queues.values()]:
            if queue.done < queue.put and queue.device == device:
                queue.add(partial(id, host))

    def pin(self, nbytes: int) -> np.ndarray:
        """Bytes of the host that the device copies from and to while the host goes on."""
        content = np.full(max(1, nbytes), POISON, np.uint8)
        self.pinned[content.ctypes.data] = content.nbytes
        weakref.finalize(content, self.pinned.pop, content.ctypes.data, None)
        return content

    def is_pinned(self, array: np.ndarray) -> bool:
        """Whether an array of the host lies in pinned memory."""
        address = array.ctypes.data
        return any(
            start <= address and address + array.nbytes <= start + size for start, size in list(self.pinned.items())
        )


class Memory:
    """A piece of a device's memory; it is given back when the last array on it goes."""

    def __init__(self, device: int) -> None:
        self.device_id = device


_machines: list[Machine] = [Machine(devices=0)]


def machine() -> Machine:
    """The machine that tests have installed."""
    return _machines[-1]


class Device:
    """A device by its number; as a context manager, it is the calling thread's for a while."""

    def __init__(self, device: Any = None) -> None:
        self.id = machine().device if device is None else int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __enter__(self) -> Device:
        self._before.append(machine().device)
        machine().device = self.id
        return self

    def __exit__(self, *_: object) -> None:
        machine().device = self._before.pop()

    def use(self) -> Device:
        """Make this the calling thread's device."""
        machine().device = self.id
        return self

    def synchronize(self) -> None:
        """Wait for all work on the device."""
        machine().synchronise_device(self.id)

    @property
    def compute_capability(self) -> str:
        return "80"

    @property
    def mem_info(self) -> tuple[int, int]:
        return machine().memory - machine().used[self.id], machine().memory

    @property
    def attributes(self) -> dict[str, int]:
        return {
            "MultiProcessorCount": machine().processors,
            "MaxThreadsPerBlock": 1024,
            "MaxThreadsPerMultiProcessor": 2048,
            "WarpSize": 32,
            "MaxGridDimX": 2147483647,
            "ComputeCapabilityMajor": 8,
            "ComputeCapabilityMinor": 0,
        }


class _BaseStream:
    """What streams of one's own and those of others have in common."""

    def __init__(self, ptr: int, device_id: int) -> None:
        self.ptr, self.device_id = ptr, device_id
        self._before: list[tuple[int, Any]] = []

    @property
    def queue(self) -> Queue:
        """The work of this stream; the null stream is that of the current device."""
        return machine().queues[self.ptr] if self.ptr else machine().null[machine().device]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _BaseStream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.ptr)

    def use(self) -> Any:
        """Make this the calling thread's stream."""
        here = machine().device
        if self.device_id not in (-1, here):
            raise RuntimeError(
                f"The device that the stream is created on ({self.device_id}) does not match with the current device ({here})"
            )
        machine().streams[here] = self
        return self

    def __enter__(self) -> Any:
        self._before.append((machine().device, machine().streams.get(machine().device)))
        return self.use()

    def __exit__(self, *_: object) -> None:
        device, before = self._before.pop()
        machine().streams[device] = before

    @property
    def done(self) -> bool:
        """Whether all work is done. Time passes by asking: a piece of work is done for each question."""
        return _asked(self.queue, self.queue.put)

    def synchronize(self) -> None:
        """Wait for all work on the stream."""
        machine().synchronise(self.queue)

    def record(self, event: Event | None = None) -> Event:
        """Record an event after the work that is there now."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let later work wait for an event."""
        if self.queue.captured is not None:
            raise CUDARuntimeError(900)  # stricter than CUDA, which joins streams into the graph by events
        if event.mark is not None:
            machine().enqueue(self.queue, partial(machine().drain, *event.mark))

    def begin_capture(self, mode: int | None = None) -> None:
        """Take work into a graph from now on instead of doing it."""
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.queue.captured is not None:
            raise CUDARuntimeError(1)
        self.queue.captured = []

    def end_capture(self) -> Graph:
        """The graph of the work captured."""
        captured, self.queue.captured = self.queue.captured, None
        if captured is None:
            raise CUDARuntimeError(1)
        return Graph._of(captured)

    def is_capturing(self) -> bool:
        return self.queue.captured is not None

    @property
    def is_non_blocking(self) -> bool:
        return not self.queue.blocking


class Stream(_BaseStream):
    """A stream of the current device."""

    null: Stream
    ptds: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: int | None = None
    ) -> None:
        if null:
            super().__init__(0, -1)
            return
        device, handle = machine().device, machine().handle()
        super().__init__(handle, device)
        machine().queues[handle] = Queue(device, blocking=not non_blocking)


Stream.null = Stream(null=True)


class ExternalStream(_BaseStream):
    """A stream made elsewhere, by its handle."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        device = machine().device if device_id == -1 else device_id
        if ptr:
            machine().queues.setdefault(ptr, Queue(device, blocking=True))
        super().__init__(ptr, device_id)


def get_current_stream(device_id: int = -1) -> Any:
    """The calling thread's stream on a device, the current one unless another is named."""
    return machine().streams.get(machine().device if device_id == -1 else device_id) or Stream.null


def _asked(queue: Queue, mark: int) -> bool:
    """Whether work is done up to a mark; if not, one piece more is done by the next question."""
    if queue.captured is not None:
        raise CUDARuntimeError(900)
    if queue.done >= mark:
        return True
    machine().drain(queue, queue.done + 1)
    return False


class Event:
    """A mark in the work of a stream."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self.ptr, self._device = machine().handle(), machine().device
        self.mark: tuple[Queue, int] | None = None

    def record(self, stream: _BaseStream | None = None) -> None:
        """Mark the work that is on a stream by now."""
        queue = (get_current_stream() if stream is None else stream).queue
        if queue.device != self._device:
            raise CUDARuntimeError(400)
        if queue.captured is not None:
            raise CUDARuntimeError(900)  # stricter than CUDA, which takes the event into the graph
        self.mark = (queue, queue.put)

    def synchronize(self) -> None:
        """Wait for the work before the mark."""
        if self.mark is not None:
            machine().synchronise(*self.mark)

    @property
    def done(self) -> bool:
        """Whether the work before the mark is done. Time passes by asking."""
        return self.mark is None or _asked(*self.mark)


class Graph:
    """Work captured from a stream, to be done as often as one likes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "currently this class cannot be initiated by the user and must be created via stream capture"
        )

    @classmethod
    def _of(cls, captured: list[Callable[[], Any]]) -> Graph:
        graph = cls.__new__(cls)
        graph._captured = captured
        return graph

    def launch(self, stream: _BaseStream | None = None) -> None:
        """Put all the work on a stream."""
        queue = (get_current_stream() if stream is None else stream).queue
        machine().graph_launches += 1
        for work in self._captured:
            machine().enqueue(queue, work)

    def upload(self, stream: _BaseStream | None = None) -> None:
        """Make the graph ready on a stream."""
