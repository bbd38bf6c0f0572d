"""Small C sources of the benchmarks, built into a folder that lives as long as the library is open."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cffi

from izhigen.backends.toolchain import LIBRARY_SUFFIX, guarded_toolchain

PLAIN_FLAGS = ("-std=c99", "-O3", "-march=native", "-fPIC", "-shared")
"""What one writes without thinking about vectors: the reference of every ratio."""


class NativeLibrary:
    """A C source, compiled and opened.

    Parameters
    ----------
    source : str
    prototypes : str
        What ``cffi`` is to know of it.
    flags : sequence of str
        Compiler flags.

    Raises
    ------
    CompileError
        With the compiler's text.
    """

    def __init__(self, source: str, prototypes: str, flags: tuple[str, ...]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="izhigen-bench-", ignore_cleanup_errors=True)
        path = Path(self._folder.name) / "source.c"
        library = path.with_suffix(LIBRARY_SUFFIX)
        path.write_text(source, encoding="utf-8")
        guarded_toolchain().build(flags, path, library)
        self.ffi = cffi.FFI()
        self.ffi.cdef(prototypes)
        self.functions: Any = self.ffi.dlopen(str(library))

    def pointer(self, kind: str, array: Any) -> Any:
        """A C pointer to an array's data; NULL for None."""
        return self.ffi.NULL if array is None else self.ffi.cast(kind, array.ctypes.data)
