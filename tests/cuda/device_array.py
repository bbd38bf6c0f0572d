"""Arrays of the double of CuPy: NumPy's arithmetic behind CuPy's manners.

Stricter than NumPy where CuPy is: nothing becomes a NumPy array by itself, NumPy arrays are no operands, elements and reductions
are arrays without dimensions, and an array belongs to a device. Stricter than CuPy too, where a slip would cost time unnoticed:
NumPy arrays are no indices (CuPy copies them to the device), and indices out of range are errors (CuPy wraps them around).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.cuda.device_queue import (
    POISON,
    CUDARuntimeError,
    Device,
    ExternalStream,
    Memory,
    get_current_stream,
    machine,
)

KNOWS_ITS_LENGTH_ONLY_THEN = {"flatnonzero", "nonzero", "argwhere", "unique", "bincount", "repeat"}
"""Functions whose results have a shape that depends on values: CuPy waits for the device to learn it."""


LEGACY = 1
"""The null stream's name in the protocols, where 0 is none."""


class ndarray:
    """An array on a device; see :class:`cupy.ndarray`."""

    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float) -> None:
        host = np.empty(shape, dtype)
        _poison(host)
        self._host, self._memory = host, machine().allocate(host, machine().device)

    @classmethod
    def _of(cls, host: np.ndarray, memory: Memory) -> ndarray:
        """The device's array with given content; ``host`` itself is the make-believe device memory."""
        array = cls.__new__(cls)
        array._host, array._memory = host, memory
        return array

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    T = property(lambda self: _wrap(self._host.T, [self]))

    @property
    def flags(self) -> Any:
        own = self._host.flags
        return SimpleNamespace(c_contiguous=own.c_contiguous, f_contiguous=own.f_contiguous, owndata=own.owndata)

    @property
    def data(self) -> Any:
        """Where the array lies; an array without elements lies nowhere."""
        return SimpleNamespace(
            ptr=self._host.ctypes.data if self.size else 0,
            device=self.device,
            device_id=self.device.id,
            mem=self._memory,
        )

    @property
    def device(self) -> Device:
        return Device(self._memory.device_id)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "version": 3,
            "data": (self.data.ptr, False),
            "strides": None if self._host.flags.c_contiguous else self.strides,
            "stream": get_current_stream().ptr or LEGACY,
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, self.device.id)

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None
    ) -> Any:
        here = get_current_stream()
        if stream not in (None, -1, here.ptr or LEGACY):
            ExternalStream(0 if stream == LEGACY else stream).wait_event(here.record())
        return _relabel(self._host.__dlpack__(), 2, self.device.id)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or ufunc.__name__ not in FUNCTIONS:
            return NotImplemented
        if "out" in kwargs:
            kwargs["out"] = kwargs["out"][0]
        return FUNCTIONS[ufunc.__name__](*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        found = FUNCTIONS.get(function.__name__)
        return NotImplemented if found is None else found(*args, **kwargs)

    def get(
        self, stream: Any = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True
    ) -> np.ndarray:
        """A copy on the host. Not blocking, it arrives when its stream is synchronised, or an event recorded after it."""
        target = np.full(self.nbytes, POISON, np.uint8).view(self.dtype).reshape(self.shape) if out is None else out
        if not isinstance(target, np.ndarray) or target.dtype != self.dtype:
            raise TypeError(
                f"{getattr(target, 'dtype', type(target))} array cannot be obtained from {self.dtype} array"
            )
        if target.shape != self.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self.shape}, actual shape: {target.shape}")
        if out is not None and not target.flags.c_contiguous:
            raise RuntimeError("`out` cannot be specified when copying to non-contiguous ndarray")
        queue = self._queue(stream)
        if not self._host.flags.c_contiguous and queue.device != self.device.id:  # it is made contiguous there first
            raise RuntimeError(
                f"The device that the stream is created on ({queue.device}) does not match with the current device "
                f"({self.device.id})"
            )
        if blocking and queue.captured is not None:
            raise CUDARuntimeError(900)
        machine().enqueue(queue, partial(np.copyto, target, self._host))
        if blocking:
            machine().synchronise(queue)
        return target

    def _queue(self, stream: Any) -> Any:
        """The work that a copy joins. As in CuPy it is that of the *current* device's stream, whatever device the array lies on; only the
        null stream, which every device has, is the array's own."""
        chosen = get_current_stream() if stream is None else stream
        return chosen.queue if chosen.ptr else machine().null[self.device.id]

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Copy from the host: from pinned memory when the copy is done, from other memory as it is now."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not self._host.flags.forc:
            raise RuntimeError("Cannot set to non-contiguous array")
        queue = self._queue(stream)
        source = arr if machine().is_pinned(arr) else arr.copy()
        machine().enqueue(queue, partial(np.copyto, self._host, source))
        if stream is None and queue is machine().null[self.device.id]:
            machine().synchronise(queue)

    def item(self, *index: int) -> Any:
        return self.get().item(*index)

    def tolist(self) -> Any:
        return self.get().tolist()

    def tobytes(self) -> bytes:
        return self.get().tobytes()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> ndarray:
        own = _index(index)
        masked = any(isinstance(i, np.ndarray) and i.dtype == bool for i in (own if isinstance(own, tuple) else (own,)))

        def taken() -> np.ndarray:
            found = self._host[own]
            if isinstance(found, np.ndarray):
                return found
            return self._host[
                (*own, ...) if isinstance(own, tuple) else (own, ...)
            ]  # a view, where NumPy takes the element out

        if _is_basic(own):
            return _wrap(taken(), [self])
        _check_device(self)
        return _call(lambda _: taken(), masked, (self,), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        _check_device(self)
        own, content = _index(index), value if isinstance(value, np.ndarray) else _unwrap(value)
        machine().later(partial(self._host.__setitem__, own, content))

    def fill(self, value: Any) -> None:
        self[...] = value

    def view(self, dtype: Any = None) -> ndarray:
        return _wrap(self._host.view() if dtype is None else self._host.view(dtype), [self])

    def reshape(self, *shape: Any) -> ndarray:
        return _wrap(self._host.reshape(*shape), [self])

    def ravel(self) -> ndarray:
        return _wrap(self._host.reshape(-1), [self])

    def astype(self, dtype: Any, order: str = "K", copy: bool = True) -> ndarray:
        if not copy and self.dtype == np.dtype(dtype):
            return self
        return _call(lambda a: a.astype(dtype), False, (self,), {})

    def copy(self) -> ndarray:
        return _call(np.ndarray.copy, False, (self,), {})

    def sort(self, axis: int = -1) -> None:
        _check_device(self)
        machine().later(partial(self._host.sort, axis))


def _poison(host: np.ndarray) -> None:
    host[...] = np.frombuffer(bytes([POISON]) * host.itemsize, host.dtype)[0]


def _relabel(capsule: Any, device_type: int, device_id: int) -> Any:
    """Write another device into the tensor that a DLPack capsule holds (its second member, after the address)."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    device = (ctypes.c_int32 * 2).from_address(pointer(capsule, b"dltensor") + ctypes.sizeof(ctypes.c_void_p))
    device[0], device[1] = device_type, device_id
    return capsule


def _root(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _check_device(array: ndarray) -> None:
    here = machine().device
    if array._memory.device_id != here:
        raise ValueError(
            f"Array device must be same as the current device: array device = {array._memory.device_id} while current = {here}"
        )


def _unwrap(value: Any) -> Any:
    """An operand as NumPy takes it; NumPy arrays are refused."""
    if isinstance(value, ndarray):
        _check_device(value)
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (list, tuple)):
        return type(value)(_unwrap(v) for v in value)
    return value


def _index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(_index(i) for i in index)
    if isinstance(index, slice) and any(
        isinstance(bound, (ndarray, np.ndarray)) for bound in (index.start, index.stop, index.step)
    ):
        raise TypeError("a bound of a slice has to be a number: an array of CuPy has no __index__")
    return _unwrap(index)


def _is_basic(index: Any) -> bool:
    """Whether an index gives a view."""
    parts = index if isinstance(index, tuple) else (index,)
    return not any(isinstance(i, (np.ndarray, list)) for i in parts)


def _wrap(value: Any, sources: list[ndarray]) -> Any:
    """A result of NumPy as arrays of the device; what shares its memory with an operand goes on doing so."""
    if isinstance(value, (tuple, list)):
        return (
            type(value)(*(_wrap(v, sources) for v in value))
            if hasattr(value, "_fields")
            else type(value)(_wrap(v, sources) for v in value)
        )
    host = np.asarray(value)
    for source in sources:
        if host is source._host:
            return source
        if _root(host) is _root(source._host):
            return ndarray._of(host, source._memory)
    return ndarray._of(host, machine().allocate(host, machine().device))


def _arrays(value: Any) -> list[ndarray]:
    """The device's arrays among arguments."""
    if isinstance(value, ndarray):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [array for part in parts for array in _arrays(part)]


def _call(function: Callable[..., Any], waits: bool, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Have NumPy do a function on the device's arrays, when its turn comes; ``waits``: the host waits for it.

    NumPy is asked twice: at once, whatever the operands hold by now, for the shape and type of what comes out; and in turn, for its values.
    """
    own, named = _unwrap(args), {name: _unwrap(value) for name, value in kwargs.items()}
    sources = [*_arrays(args), *_arrays(kwargs)]
    if "out" in kwargs:
        machine().later(partial(function, *own, **named))
        return kwargs["out"]
    if waits:
        return _wrap(machine().now(lambda: function(*own, **named), waits), sources)
    machine().refuse_capture()
    with np.errstate(all="ignore"):
        found = function(*own, **named)
    result = _wrap(found, sources)
    fresh = [a for a in _arrays(result) if not any(a._memory is source._memory for source in sources)]
    if fresh:
        for array in fresh:
            _poison(array._host)
        machine().later(partial(_fill, [a._host for a in _arrays(result)], function, own, named))
    return result


def _fill(hosts: list[np.ndarray], function: Callable[..., Any], own: Any, named: dict[str, Any]) -> None:
    """Do a function in its turn, and write what comes out where it was promised."""
    found = function(*own, **named)
    for host, value in zip(hosts, found if isinstance(found, (tuple, list)) else [found], strict=True):
        if not np.shares_memory(host, value):
            host[...] = value


def _delegate(name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return _call(getattr(np, name), name in KNOWS_ITS_LENGTH_ONLY_THEN, args, kwargs)

    function.__name__ = name
    return function


def from_dlpack(array: Any, *, device: Any = None, copy: bool | None = None) -> ndarray:
    """The same memory as an array of this or another library, whose stream the current one waits for."""
    kind, number = array.__dlpack_device__()
    if kind not in (2, 13):
        raise TypeError("CPU arrays cannot be directly imported to CuPy.")
    with Device(number):
        stream = get_current_stream().ptr or LEGACY
        try:
            capsule = array.__dlpack__(stream=stream, max_version=(1, 0), copy=copy)
        except TypeError:
            capsule = array.__dlpack__(stream=stream)

    class Exported:
        def __dlpack__(self, **_: Any) -> Any:
            return _relabel(capsule, 1, 0)

        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

    host = np.from_dlpack(Exported())
    if not host.flags.writeable:
        host = _at(host.ctypes.data, host.shape, host.dtype, host.strides, array)
    return ndarray._of(host, array._memory if isinstance(array, ndarray) else Memory(number))


def _at(address: int, shape: Any, dtype: Any, strides: Any, owner: Any) -> np.ndarray:
    """The array at an address; its owner lives as long."""
    dtype = np.dtype(dtype)
    if not address:
        return np.empty(shape, dtype)
    steps = [(n - 1) * s for n, s in zip(shape, strides)] if strides else [int(np.prod(shape) - 1) * dtype.itemsize]
    below = sum(min(step, 0) for step in steps)
    span = sum(max(step, 0) for step in steps) - below + dtype.itemsize
    content = (ctypes.c_char * span).from_address(address + below)
    content._owner = owner
    return np.ndarray(shape, dtype, content, offset=-below, strides=strides)


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """A new array on the current device; the only way in for NumPy's, besides ``set``."""
    here = machine().device
    if isinstance(obj, ndarray):
        if not copy and dtype in (None, obj.dtype) and obj._memory.device_id == here:
            return obj
        with obj.device:
            made = _call(lambda a: np.array(a, dtype), False, (obj,), {})
            if obj.device.id != here:
                machine().drain(
                    machine().current(), machine().current().put
                )  # CuPy has the streams wait for each other
        return made if obj.device.id == here else _wrap(made._host, [])
    if hasattr(obj, "__cuda_array_interface__"):
        given = obj.__cuda_array_interface__
        place, stream = given["data"][0], given.get("stream")
        own = ndarray._of(
            _at(place, given["shape"], given["typestr"], given.get("strides"), obj), Memory(machine().device_of(place))
        )
        if stream is not None:
            ExternalStream(0 if stream == LEGACY else stream).synchronize()
        return array(own, dtype, copy)
    if machine().current().captured is not None:
        raise CUDARuntimeError(900)
    content = np.array(obj, dtype, ndmin=ndmin)
    if content.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {content.dtype}")
    machine().synchronisations += blocking
    made = ndarray(content.shape, content.dtype)
    machine().later(partial(np.copyto, made._host, content))
    return made


def asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False) -> ndarray:
    return array(a, dtype, copy=False, blocking=blocking)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    own = array(a, dtype, copy=False)
    return own if own.flags.c_contiguous and own.ndim else _call(np.ascontiguousarray, False, (own,), {})


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> np.ndarray:
    return a.get(stream, order, out, blocking) if isinstance(a, ndarray) else np.asarray(a)


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Memory that nothing has been written to: poison."""
    return ndarray(shape, dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    made = ndarray(shape, np.asarray(_unwrap(fill_value)).dtype if dtype is None else dtype)
    made.fill(fill_value)
    return made


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return full(shape, 1, dtype)


def empty_like(a: ndarray, dtype: Any = None) -> ndarray:
    return ndarray(a.shape, dtype or a.dtype)


def zeros_like(a: ndarray, dtype: Any = None) -> ndarray:
    return zeros(a.shape, dtype or a.dtype)


def copyto(dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    """Copy into an array that exists; between devices too."""
    if isinstance(src, ndarray) and src._memory.device_id != dst._memory.device_id:
        src = array(src)
    _check_device(dst)
    machine().later(partial(np.copyto, dst._host, _unwrap(src), casting, True if where is None else _unwrap(where)))


def lexsort(keys: Any) -> ndarray:
    """As CuPy has it: of one array with two axes, not of several."""
    if not isinstance(keys, ndarray) or keys.ndim != 2:
        raise TypeError(f"lexsort takes one array with two axes, not {type(keys).__name__}")
    return _delegate("lexsort")(keys)


DELEGATED = """
    arange concatenate stack where isfinite isnan isinf flatnonzero nonzero argwhere sort argsort searchsorted isin unique bincount broadcast_to
    minimum maximum abs absolute sqrt exp log floor ceil rint sign clip floor_divide remainder mod divmod array_equal sum any all min max amin amax
    argmax argmin prod mean cumsum count_nonzero repeat tile diff take logical_and logical_or logical_not logical_xor add subtract multiply divide
    true_divide power negative positive bitwise_and bitwise_or bitwise_xor invert left_shift right_shift equal not_equal less less_equal greater
    greater_equal reshape ravel transpose squeeze expand_dims moveaxis fmin fmax square linspace
""".split()
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _delegate(name) for name in DELEGATED},
    **{
        f.__name__: f
        for f in (
            array,
            asarray,
            ascontiguousarray,
            asnumpy,
            empty,
            full,
            zeros,
            ones,
            empty_like,
            zeros_like,
            copyto,
            lexsort,
            from_dlpack,
        )
    },
}
"""The functions of the namespace, by name; NumPy's functions given arrays of the device come here too."""

METHODS = "sum min max any all argmax argmin prod mean cumsum argsort searchsorted nonzero clip take repeat squeeze transpose".split()
OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}
COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
UNARY = {"neg": "negative", "pos": "positive", "invert": "invert", "abs": "absolute"}


def _add_operators() -> None:
    """Give arrays the methods and operators that are functions of the namespace."""

    def in_place(function: Callable[..., Any]) -> Callable[..., Any]:
        def operate(a: ndarray, b: Any) -> ndarray:
            _check_device(a)
            machine().later(partial(function, a._host, _unwrap(b), out=a._host, casting="same_kind"))
            return a

        return operate

    for name in METHODS:
        setattr(ndarray, name, FUNCTIONS[name])
    for short, name in {**OPERATORS, **COMPARISONS, **UNARY}.items():
        setattr(ndarray, f"__{short}__", FUNCTIONS[name])
    for short, name in OPERATORS.items():
        setattr(ndarray, f"__r{short}__", lambda a, b, name=name: FUNCTIONS[name](b, a))
        setattr(ndarray, f"__i{short}__", in_place(getattr(np, name)))
    ndarray.__divmod__ = FUNCTIONS["divmod"]  # type: ignore[attr-defined]


_add_operators()
