"""Building shared libraries once, into the cache, and finding programs that were rendered before."""

from __future__ import annotations

import contextlib
import platform
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from izhigen._version import __version__
from izhigen.backends.cache import Cache, cache_limit, file_stem, open_cache
from izhigen.backends.toolchain import GUARDS, LIBRARY_SUFFIX, SHARED, Toolchain, find_toolchain, guarded_toolchain
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.program import Program
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError, CompileError
from izhigen.files import sha256


@lru_cache(maxsize=1)
def _processor() -> str:
    """What ``-march=native`` depends on."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(errors="replace").splitlines()
        kept = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
        return "\n".join(sorted(set(kept)))
    return f"{platform.machine()} {platform.processor()}"


@dataclass(frozen=True)
class Built:
    """A library on disk, and whether this process built it."""

    library: Path
    source: Path
    command: str
    fresh: bool
    seconds: float


def _flags(program: Program) -> tuple[str, ...]:
    """Those that suit the program on any machine, and those of this one."""
    return (*program.flags, *SHARED)


def build(program: Program, *, again: bool = False) -> Built:
    """The shared library of a program: from the cache, or compiled now (one process builds, others wait).

    Raises
    ------
    CompileError
        With the compiler's text and the source's path.
    BackendError
        When there is no compiler, or the cache cannot be written or is not one's own.
    """
    toolchain, cache, flags = find_toolchain(), open_cache(), _flags(program)
    key = "\n".join((program.key, toolchain.identity, *GUARDS, *flags, _processor()))
    stem = file_stem(program.name, program.dtype, sha256(key.encode("utf-8", "surrogateescape")))
    built = Built(
        cache.folder / f"{stem}{LIBRARY_SUFFIX}",
        cache.folder / f"{stem}.c",
        " ".join((*toolchain.command, *flags)),
        False,
        0.0,
    )
    if not again and _is_kept(cache, built.library, program):
        return built
    with cache.building(stem):
        if not again and _is_kept(cache, built.library, program):
            return built
        started = time.perf_counter()
        _compile(cache, guarded_toolchain(), program, built)
        built = replace(built, fresh=True, seconds=time.perf_counter() - started)
    cache.tidy_at_times(cache_limit(), stem)
    return built


def build_and_open(program: Program, ffi: Any) -> tuple[Built, Any]:
    """The shared library of a program, and as it is loaded by an interface; it stays open while that is held.

    Raises
    ------
    CompileError
        Where it cannot be loaded either once it was built again.
    BackendError
        As :func:`build`.
    """
    built = build(program)
    try:
        return built, _open(built, program, ffi)
    except CompileError:  # a library that another machine left behind
        built = build(program, again=True)
        return built, _open(built, program, ffi)


def _open(built: Built, program: Program, ffi: Any) -> Any:
    try:
        library = ffi.dlopen(str(built.library))
        getattr(library, program.entry_point)
    except (OSError, AttributeError) as problem:
        raise CompileError(f"the compiled kernel {built.library} cannot be loaded: {problem}") from problem
    return library


def _is_kept(cache: Cache, library: Path, program: Program) -> bool:
    """Whether a library is there as it was built from this program; any other could do anything to the process."""
    record = cache.read_record(f"{library.stem}.json")
    if record is None or record.get("program") != program.key:
        return False
    content = cache.read(library.name)
    if content is None or record.get("sha256") != sha256(content):
        return False
    cache.touch(f"{library.stem}.json")
    return True


def _compile(cache: Cache, toolchain: Toolchain, program: Program, built: Built) -> None:
    """Compile in a folder of its own; the library follows its record in place, so that readers see whole files."""
    stem, flags = built.library.stem, _flags(program)
    source = cache.keep(built.source.name, program.source.encode())
    with cache.scratch(stem) as scratch:
        library = scratch / built.library.name
        messages = toolchain.build(flags, source, library)
        with cache.writing():
            library.chmod(0o700)
            record = {
                "izhigen": __version__,
                "compiler": list(toolchain.command),
                "flags": [*toolchain.guards, *flags],
                "messages": messages,
                "program": program.key,
                "sha256": sha256(library.read_bytes()),
                "built": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            }
            cache.keep_record(f"{stem}.json", record)
            cache.place(library, built.library)


def load_program(request: KernelRequest, target: str = "c") -> Program:
    """The program of a request for a target: as an earlier process rendered it, or derived now, and kept."""
    cache, key = open_cache(), request.key(target)
    name = f"{file_stem(c_name(request.model.name), request.dtype, key)}.program.json"
    record = cache.read_record(name) or {}
    if record.pop("request", None) == key:
        try:
            program = Program(**{**record, "flags": tuple(record["flags"])})
        except (TypeError, KeyError):  # one of another version
            pass
        else:
            cache.touch(name)
            return program
    with _compiler_asked() if target == "c" else contextlib.nullcontext():
        program = request.program(target)
    cache.keep_record(name, {**asdict(program), "request": key})
    return program


@contextlib.contextmanager
def _compiler_asked() -> Iterator[None]:
    """Ask the compiler for its guards while something else is done; :func:`build` says what was wrong."""

    def ask() -> None:
        with contextlib.suppress(BackendError):
            guarded_toolchain()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        asking.join()
