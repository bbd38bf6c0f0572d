"""CUDA sources built by g++ and run on the host: every thread of a launch, in a chosen order, on a chosen number of OS threads."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

HEADER = Path(__file__).parent / "cuda_on_host.h"
FLAGS = ("-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-pthread")
"""Products and sums round apart, as they do in the C kernels; ``#pragma unroll`` is for CUDA compilers only."""
ENTRY_POINT = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\(\s*(\w+)[^)]*\)\s*)?(\w+)\s*\(')
ONE_OS_THREAD_EACH = 0
"""Value of ``os_threads`` with which each CUDA thread is an OS thread of its own, all of them alive together."""
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ on the path")


class BuildError(RuntimeError):
    """g++ refused a source; the text is what g++ said."""


@dataclass(frozen=True)
class Outcome:
    """How a program ended, and all it wrote."""

    status: int
    output: str


@cache
def _temporary() -> Any:
    """A folder for what this process builds where no session of tests has one; it goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="cuda-on-host-", ignore_cleanup_errors=True)


def built_once(key: tuple[Any, ...], make: Callable[[Path], None]) -> Path:
    """A folder with what ``make`` writes there: found again by all processes of a session, whole or not at all."""
    builds = Path(os.environ.get("IZHIGEN_TEST_BUILDS") or _temporary().name)
    builds.mkdir(parents=True, exist_ok=True)
    folder = builds / hashlib.sha256(repr(key).encode()).hexdigest()[:20]
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=builds) as scratch:
                made = Path(scratch) / "made"
                made.mkdir()
                make(made)
                made.rename(folder)
    return folder


@cache
def precompiled(header: Path, flags: tuple[str, ...]) -> tuple[str, ...]:
    """The options with which g++, given these flags as well, reads a header before a source, in a fraction of the time."""

    def make(folder: Path) -> None:
        (folder / "first.h").write_text(f'#include "{header}"\n')
        _compile((*flags, "-x", "c++-header", "first.h", "-o", "first.h.gch"), folder)

    return ("-include", str(built_once((str(header), header.read_text(), HEADER.read_text(), flags), make) / "first.h"))


def _compile(arguments: tuple[str, ...], folder: Path) -> None:
    made = subprocess.run(["g++", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if made.returncode:
        raise BuildError(made.stderr)


def _build(source: str, tail: str, flags: tuple[str, ...]) -> Path:
    """Build the header, the source and the tail as one program; what has been built before is found again."""

    def make(folder: Path) -> None:
        found = precompiled(HEADER, flags) if "-shared" in flags else ()  # of the others there are few
        (folder / "source.cu").write_text(source)
        (folder / "program.cpp").write_text(f'#include "{HEADER}"\n#include "source.cu"\n{tail}')
        _compile((*flags, *found, "program.cpp", "-o", "program"), folder)

    return built_once((HEADER.read_text(), source, tail, flags), make) / "program"


def entry_points(source: str) -> list[str]:
    """Names of the kernels in a CUDA source, in their order."""
    return [name for _, name in ENTRY_POINT.findall(source)]


def launch_bounds(source: str) -> dict[str, int]:
    """The most threads that a block of each kernel may have: what it was declared for where that is a number, or CUDA's own limit."""
    return {name: int(bound) if bound.isdigit() else 1024 for bound, name in ENTRY_POINT.findall(source)}


def _shim(name: str) -> str:
    """C functions around a kernel that ctypes can call."""
    return (
        f'extern "C" int parameters_{name}(size_t *sizes) {{ return on_host::parameters({name}, sizes); }}\n'
        f'extern "C" void launch_{name}(void **args, unsigned grid, unsigned block, int reverse, unsigned os_threads) '
        f"{{ on_host::launch({name}, args, grid, block, reverse != 0, os_threads); }}\n"
    )


def as_argument(value: Any) -> ctypes.Array:
    """The bytes of an argument: of a ctypes value, a NumPy scalar or a 0-d array (which may be a struct); of any other array, its address."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = np.uintp(value.ctypes.data)
    content = value.tobytes() if isinstance(value, (np.generic, np.ndarray)) else bytes(value)
    words = (
        ctypes.c_longdouble * (len(content) // ctypes.sizeof(ctypes.c_longdouble) + 1)
    )()  # for the alignment of any type
    ctypes.memmove(words, content, len(content))
    argument = (ctypes.c_char * len(content)).from_buffer(words)
    return argument


def extent(value: Any) -> int:
    """The number along x of a grid or block, given as a number or as CuPy's tuple; other axes have one only."""
    x, *others = value if isinstance(value, Sequence) else (value,)
    if any(n != 1 for n in others) or int(x) < 1:
        raise ValueError(f"a launch takes a positive number along x only, not {value}")
    return int(x)


class HostModule:
    """A CUDA source as a library: :meth:`launch` runs its kernels on the host."""

    def __init__(self, source: str, flags: Sequence[str] = FLAGS) -> None:
        self.names, self.bounds = entry_points(source), launch_bounds(source)
        shims = "".join(_shim(name) for name in self.names)
        self._library = ctypes.CDLL(str(_build(source, shims, (*flags, "-fPIC", "-shared"))))
        self.sizes = {name: self._sizes(name) for name in self.names}

    def _sizes(self, name: str) -> list[int]:
        count = getattr(self._library, f"parameters_{name}")
        sizes = (ctypes.c_size_t * count(None))()
        count(sizes)
        return list(sizes)

    def launch(
        self, name: str, grid: Any, block: Any, args: Sequence[Any], reverse: bool = False, os_threads: int = 1
    ) -> None:
        """Run a kernel for all threads, blocks spread over OS threads (:data:`ONE_OS_THREAD_EACH`: each CUDA thread is one)."""
        self.prepare(name, grid, block, args)(reverse, os_threads)

    def prepare(self, name: str, grid: Any, block: Any, args: Sequence[Any]) -> Callable[[bool, int], None]:
        """A launch with its arguments as they are now, to be run later, given the order and the number of OS threads.

        Stricter than the driver: arguments whose number or sizes are not those of the kernel's parameters are refused.
        """
        arguments = [as_argument(value) for value in args]
        given = [len(a) for a in arguments]
        if given != self.sizes[name]:
            raise TypeError(f"{name} takes arguments of {self.sizes[name]} bytes, not of {given}")
        blocks, threads = extent(grid), extent(block)
        if threads > self.bounds[name]:
            raise ValueError(f"a block of {name} has 1 to {self.bounds[name]} threads, not {threads}")
        addresses = (ctypes.c_void_p * max(1, len(arguments)))(*(ctypes.addressof(a) for a in arguments))
        kernel = getattr(self._library, f"launch_{name}")

        def run(reverse: bool, os_threads: int, _alive: Any = arguments) -> None:
            kernel(addresses, blocks, threads, int(reverse), os_threads)

        return run


@cache
def _sanitizer(name: str) -> tuple[str, ...] | str:
    """What has to stand before a program built with a sanitizer, or why no such program runs here."""
    reason = "no g++ on the path"
    if shutil.which("g++"):
        try:
            program = _build("", "int main() { return 0; }\n", (*FLAGS, f"-fsanitize={name}"))
        except BuildError as problem:
            return f"g++ cannot build with -fsanitize={name}: {problem}"
        for before in (
            (),
            ("setarch", "-R"),
        ):  # the thread sanitizer of older compilers wants addresses that are not random
            if before and shutil.which(before[0]) is None:
                continue
            tried = subprocess.run([*before, str(program)], capture_output=True, text=True, check=False)
            if tried.returncode == 0:
                return before
            reason = f"a program built with -fsanitize={name} does not run: {tried.stderr.strip()}"
    return reason


def run_program(source: str, main: str, sanitizer: str = "") -> Outcome:
    """Build a CUDA source with a C++ text that has ``main``, run it, and say how it ended.

    ``sanitizer`` is empty, ``address,undefined`` or ``thread``; where its library is missing, the test is skipped with the reason.
    Launch by ``void *args[] = {&a, &b}; on_host::launch(kernel, args, grid, block, reverse, os_threads);``.
    """
    before = _sanitizer(sanitizer) if sanitizer else ()
    if isinstance(before, str):
        pytest.skip(before)
    extra = (f"-fsanitize={sanitizer}", "-fno-sanitize-recover=all", "-g") if sanitizer else ()
    program = _build(source, main, (*FLAGS, *extra))
    settings = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1"}
    done = subprocess.run([*before, str(program)], capture_output=True, text=True, check=False, env=settings)
    return Outcome(done.returncode, done.stdout + done.stderr)
