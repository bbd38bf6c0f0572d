"""CUDA sources built by NVRTC for a given GPU where no GPU is: whether they compile, and what ptxas says each kernel takes."""

from __future__ import annotations

import ctypes
import importlib.util
import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.cuda.host import built_once

LAYOUTS = ("cuda_nvrtc/lib", "cu13/lib", "cu12/lib", "cuda_nvrtc/bin", "cu13/bin/x86_64")
"""Where wheels put the library, below the namespace package ``nvidia``: those of CUDA 12, of CUDA 13, and both on Windows."""
COMPILING = re.compile(r"Compiling entry function '(\w+)' for '(\w+)'")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
PROPERTIES = re.compile(r"Function properties for (\w+)")


class NvrtcError(RuntimeError):
    """NVRTC refused a source or an option; the text is what it said."""


@dataclass(frozen=True)
class Kernel:
    """What one kernel takes: registers of a thread; bytes of its stack, and bytes that it spills for want of registers."""

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int


@dataclass(frozen=True)
class Compiled:
    """The machine code, all that the compiler said, and the kernels by name."""

    cubin: bytes
    log: str
    kernels: dict[str, Kernel]


def _candidates() -> list[Path]:
    """The NVRTC libraries of installed wheels."""
    try:
        package = importlib.util.find_spec("nvidia")
    except ImportError:
        package = None
    roots = [Path(p) for p in (package.submodule_search_locations or ())] if package else []
    found = [path for root in roots for layout in LAYOUTS for path in sorted((root / layout).glob("*nvrtc*"))]
    return [path for path in found if re.fullmatch(r"libnvrtc\.so\.\d+|nvrtc64_\d+_\d+\.dll", path.name)]


@cache
def _load() -> Any:
    """The library, or the reason why there is none."""
    problems = []
    for path in _candidates():
        try:
            library = ctypes.CDLL(str(path))
        except OSError as problem:
            problems.append(str(problem))
            continue
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        return library
    return "; ".join(problems) or "no NVRTC: neither nvidia-cuda-nvrtc-cu12 nor nvidia-cuda-nvrtc is installed"


def reason() -> str:
    """Why NVRTC cannot be used here; empty where it can."""
    found = _load()
    return found if isinstance(found, str) else ""


def available() -> bool:
    """Whether NVRTC can be used here."""
    return not reason()


def version() -> str:
    """The version of the wheel that NVRTC comes from."""
    for name in ("nvidia-cuda-nvrtc-cu12", "nvidia-cuda-nvrtc"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


needs_nvrtc = pytest.mark.skipif(not available(), reason=reason())


def _check(code: int, what: str) -> None:
    if code:
        raise NvrtcError(f"{what}: {_load().nvrtcGetErrorString(code).decode()}")


def architectures() -> list[str]:
    """The architectures that this NVRTC compiles for, such as ``sm_75``."""
    library, count = _load(), ctypes.c_int()
    _check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)), "architectures")
    archs = (ctypes.c_int * count.value)()
    _check(library.nvrtcGetSupportedArchs(archs), "architectures")
    return [f"sm_{arch}" for arch in archs]


def _text(program: ctypes.c_void_p, what: str) -> bytes:
    """The log or the machine code of a program."""
    library, size = _load(), ctypes.c_size_t()
    _check(getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)), what)
    content = ctypes.create_string_buffer(max(1, size.value))
    _check(getattr(library, f"nvrtcGet{what}")(program, content), what)
    return content.raw[: size.value]


def read_kernels(log: str) -> dict[str, Kernel]:
    """What ptxas said of each entry point; device functions that were not put in line are left out."""
    kernels: dict[str, Kernel] = {}
    name, subject, frame = "", "", (0, 0, 0)
    for line in log.splitlines():
        if found := COMPILING.search(line):
            name = subject = found[1]
            frame = (0, 0, 0)
        elif found := PROPERTIES.search(line):
            subject = found[1]
        elif (found := FRAME.search(line)) and subject == name:
            frame = (int(found[1]), int(found[2]), int(found[3]))
        elif (found := USED.search(line)) and name:
            kernels[name] = Kernel(int(found[1]), *frame)
            name = ""
    return kernels


def compile(source: str, arch: str, options: Sequence[str] = ()) -> Compiled:
    """Compile for an architecture such as ``sm_75``, once a session; raises :class:`NvrtcError` with the log where that fails."""
    if not available():
        raise NvrtcError(reason())

    def make(folder: Path) -> None:
        (folder / "compiled").write_bytes(pickle.dumps(_compile(source, arch, options)))

    folder = built_once(("nvrtc", version(), source, arch, tuple(options)), make)
    found: Compiled = pickle.loads((folder / "compiled").read_bytes())
    return found


def _compile(source: str, arch: str, options: Sequence[str]) -> Compiled:
    library = _load()
    given = [f"-arch={arch}", "--std=c++17", "--ptxas-options=-v", *options]
    program = ctypes.c_void_p()
    _check(
        library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"source.cu", 0, None, None),
        "nvrtcCreateProgram",
    )
    try:
        status = library.nvrtcCompileProgram(
            program, len(given), (ctypes.c_char_p * len(given))(*(o.encode() for o in given))
        )
        log = _text(program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
        if status:
            raise NvrtcError(f"{library.nvrtcGetErrorString(status).decode()} with {' '.join(given)}:\n{log}")
        return Compiled(_text(program, "CUBIN"), log, read_kernels(log))
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))
