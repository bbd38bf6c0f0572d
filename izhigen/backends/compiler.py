"""Finding a C compiler, and building shared libraries once: a cache on disk, keyed by content."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from izhigen._version import __version__
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.program import Program
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError, CompileError

FLAGS = (
    "-std=c99",
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fPIC",
    "-shared",
)
"""Never ``-ffast-math``: at link time it sets flush-to-zero for the whole process, and it takes NaN's meaning away."""

LIBRARY_SUFFIX = ".dll" if sys.platform == "win32" else ".dylib" if sys.platform == "darwin" else ".so"


_SCRATCH = "izhigen-building-"
_OURS = re.compile(r"\w+-float(?:32|64)-[0-9a-f]{32}\.(?:c|json|program\.json|lock|so|dylib|dll|cubin)")


@dataclass(frozen=True)
class Compiler:
    """A C compiler as the beginning of an argument list."""

    command: tuple[str, ...]

    @property
    def identity(self) -> str:
        """Path, size and time of the executable: another compiler, or an upgraded one, builds again."""
        path = Path(self.command[0]).resolve()
        status = path.stat()
        return f"{' '.join(self.command)} {path} {status.st_size} {status.st_mtime_ns}"

    def build(self, source: Path, library: Path) -> str:
        """Compile a source to a shared library; the compiler's messages.

        Raises
        ------
        CompileError
            With the compiler's text and the source's path.
        """
        arguments = [*self.command, *FLAGS, "-o", str(library), str(source), "-lm"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not library.is_file():
            raise CompileError(
                f"{self.command[0]} failed on {source} (exit code {done.returncode}):\n{done.stderr.strip()}\n"
                f"command: {shlex.join(arguments)}"
            )
        return done.stderr


def find_compiler() -> Compiler:
    """``$CC``, then cc, gcc, clang, then the ``ziglang`` wheel.

    Raises
    ------
    BackendError
        When there is none; says what to install.
    """
    named = os.environ.get("CC", "").strip()
    if named:
        try:
            command = shlex.split(named)
        except ValueError as problem:
            raise BackendError(
                f"the environment names CC={named!r}, which is no command ({problem}); unset CC or correct it"
            ) from None
        path = shutil.which(command[0])
        if path is None:
            raise BackendError(
                f"the environment names CC={named!r}, which is no program on the path; unset CC or correct it"
            )
        return Compiler((path, *command[1:]))
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return Compiler((path,))
    if importlib.util.find_spec("ziglang") is not None:
        return Compiler((sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"))
    raise BackendError(
        "no C compiler found (tried $CC, cc, gcc, clang and the ziglang package); install gcc or clang, "
        "or 'pip install izhigen[zig]', or use backend='numpy'"
    )


def cache_dir() -> Path:
    """Where built kernels are kept: ``$IZHIGEN_CACHE_DIR``, or the user's cache folder."""
    named = os.environ.get("IZHIGEN_CACHE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("izhigen", appauthor=False))


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


def build(program: Program, *, again: bool = False) -> Built:
    """The shared library of a program: from the cache, or compiled now (one process builds, others wait).

    Raises
    ------
    CompileError
        With the compiler's text and the source's path.
    BackendError
        When there is no compiler, or the cache cannot be written.
    """
    compiler = find_compiler()
    key = hashlib.sha256(
        "\n".join((program.key, compiler.identity, " ".join(FLAGS), _processor())).encode()
    ).hexdigest()[:32]
    folder = cache_dir()
    stem = f"{program.name}-{program.dtype}-{key}"
    library, source = folder / f"{stem}{LIBRARY_SUFFIX}", folder / f"{stem}.c"
    command = " ".join((*compiler.command, *FLAGS))
    if _is_whole(library) and not again:
        return Built(library, source, command, False, 0.0)
    from filelock import FileLock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{stem}.lock")
        with lock:
            if _is_whole(library) and not again:
                return Built(library, source, command, False, 0.0)
            started = time.perf_counter()
            _compile_into(folder, compiler, program, source, library)
            return Built(library, source, command, True, time.perf_counter() - started)
    except OSError as problem:
        raise _unwritable(folder, problem) from problem


def load_program(request: KernelRequest, target: str = "c") -> Program:
    """The program of a request for a target: as an earlier process rendered it, or derived and rendered now, and kept."""
    path = cache_dir() / f"{c_name(request.model.name)}-{request.dtype}-{request.key(target)[:32]}.program.json"
    known = _read_program(path)
    if known is not None:
        return known
    program = request.program(target)
    _keep(path, json.dumps(asdict(program)).encode())
    return program


def kept_file(name: str, make: Callable[[], bytes]) -> Path:
    """A file of the cache; made now where it is not there.

    Raises
    ------
    BackendError
        When the cache cannot be written.
    """
    path = cache_dir() / name
    if not path.is_file():
        _keep(path, make())
    return path


def _keep(path: Path, content: bytes) -> None:
    """Write a file of the cache, which readers see whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=_SCRATCH) as scratch:
            _replace(path, content, Path(scratch))
    except OSError as problem:
        raise _unwritable(path.parent, problem) from problem


def _read_program(path: Path) -> Program | None:
    """A program that was kept; None where there is none, or one that is not whole."""
    try:
        return Program(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return None


def _unwritable(folder: Path, problem: OSError) -> BackendError:
    return BackendError(
        f"the kernel cache {folder} cannot be written ({problem}); set IZHIGEN_CACHE_DIR to a folder that can"
    )


def _is_whole(library: Path) -> bool:
    """Whether a library is there with the size it was built with; loading a truncated one would kill the process."""
    try:
        record = json.loads(library.with_suffix(".json").read_text(encoding="utf-8"))
        return bool(library.stat().st_size == record["size"])
    except (OSError, KeyError, ValueError):
        return False


def _compile_into(folder: Path, compiler: Compiler, program: Program, source: Path, library: Path) -> None:
    """Compile in a private folder and move the results in place, the library last, so that readers see whole files."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=_SCRATCH) as scratch:
        _replace(source, program.source.encode(), Path(scratch))
        built = Path(scratch) / library.name
        messages = compiler.build(source, built)
        record = {
            "izhigen": __version__,
            "compiler": list(compiler.command),
            "flags": list(FLAGS),
            "messages": messages,
            "size": built.stat().st_size,
            "built": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        _replace(source.with_suffix(".json"), json.dumps(record, indent=1).encode(), Path(scratch))
        os.replace(built, library)


def _replace(path: Path, content: bytes, scratch: Path) -> None:
    temporary = scratch / path.name
    temporary.write_bytes(content)
    os.replace(temporary, path)


def clear_cache() -> tuple[int, int]:
    """Remove every built kernel, and nothing else that lies there; how many files and bytes went."""
    folder, files, size = cache_dir(), 0, 0
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        if path.is_dir() and path.name.startswith(_SCRATCH):
            shutil.rmtree(path, ignore_errors=True)
        if _OURS.fullmatch(path.name) and path.is_file():
            size += path.stat().st_size
            path.unlink(missing_ok=True)
            files += 1
    return files, size
