"""Finding a C compiler, keeping it to IEEE arithmetic, and building shared libraries once, into the cache."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from izhigen._version import __version__
from izhigen.backends.cache import Cache, cache_dir, cache_limit, clear_cache, file_stem, kept_file, open_cache
from izhigen.codegen.identifiers import c_name
from izhigen.codegen.program import Program
from izhigen.codegen.request import KernelRequest
from izhigen.errors import BackendError, CompileError, error_line, shown
from izhigen.files import sha256
from izhigen.resources import resource_dir

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

GUARDS = (
    "-fno-fast-math",
    "-fno-unsafe-math-optimizations",
    "-fno-associative-math",
    "-fno-reciprocal-math",
    "-fno-finite-math-only",
    "-fsigned-zeros",
    "-fno-rounding-math",
    "-fno-signaling-nans",
    "-fno-single-precision-constant",
    "-fexcess-precision=standard",
    "-mrecip=none",
    "-mfpmath=sse",
    "-mno-daz-ftz",
    "-fdenormal-fp-math=ieee",
    "-ffp-eval-method=source",
    "-fno-approx-func",
    "-fhonor-nans",
    "-fhonor-infinities",
    "-fno-pack-struct",
    "-fvisibility=default",
)
"""Go between the words of ``$CC`` and :data:`FLAGS` where the compiler knows them: they switch off what changes results
or the layout of structs, and at link time keep ``crtfastmath.o`` out."""

LIBRARY_SUFFIX = ".dll" if sys.platform == "win32" else ".dylib" if sys.platform == "darwin" else ".so"
LONGEST_CHECK = 120.0
"""Seconds after which a compiler that was given a few lines hangs; zig's first use builds its C library."""
LONGEST_BUILD = 3600.0
"""Seconds after which a compiler hangs."""
_COMPLAINT = re.compile(r"\b(?:error|warning|unknown|unrecognized|unsupported)\b")
ANOTHER = "set CC to another compiler, or use backend='numpy'"


@dataclass(frozen=True)
class Compiler:
    """A C compiler as the beginning of an argument list, and the guards that it knows."""

    command: tuple[str, ...]
    guards: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """Path, size and time of the programs that the command names: another or an upgraded compiler builds again."""
        found = (shutil.which(word) for word in self.command if not word.startswith("-"))
        programs = [Path(path).resolve() for path in found if path is not None]
        files = [(path, path.stat()) for path in programs]
        return " ".join((*self.command, *(f"{path} {s.st_size} {s.st_mtime_ns}" for path, s in files)))

    def arguments(self, flags: tuple[str, ...], source: Path, library: Path) -> list[str]:
        """The command that compiles a source."""
        return [*self.command, *self.guards, *flags, "-o", str(library), str(source), "-lm"]

    def compile(
        self, flags: tuple[str, ...], source: Path, library: Path, longest: float = LONGEST_BUILD
    ) -> subprocess.CompletedProcess[str]:
        """Run the compiler; its temporary files go beside the library.

        Raises
        ------
        BackendError
            When it cannot be run, or does not end in ``longest`` seconds.
        """
        return _run(f"the compiler '{self}'", self.arguments(flags, source, library), longest, library.parent)

    def build(self, source: Path, library: Path) -> str:
        """Compile a source to a shared library; the compiler's messages.

        Raises
        ------
        CompileError
            With the compiler's text and the source's path.
        BackendError
            When it cannot be run.
        """
        done = self.compile(FLAGS, source, library)
        if done.returncode != 0 or not library.is_file():
            raise CompileError(
                f"{self.command[0]} failed on {source} ({_end(done)}):\n{done.stderr.strip()}\n"
                f"command: {shlex.join(self.arguments(FLAGS, source, library))}"
            )
        return done.stderr

    def __str__(self) -> str:
        return shlex.join(self.command)


def _run(what: str, arguments: list[str], longest: float, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that keeps its temporary files in a folder, and say in one line what is in the way."""
    try:
        return subprocess.run(
            arguments,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=longest,
            env={**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))},
        )
    except subprocess.TimeoutExpired:
        problem = f"did not end in {longest:g} seconds"
    except (OSError, ValueError) as error:
        problem = f"cannot be run ({error})"
    raise BackendError(f"{what} {problem}; {ANOTHER}")


def _end(done: subprocess.CompletedProcess[str]) -> str:
    """How a compiler that built nothing ended."""
    if done.returncode < 0:
        return f"signal {-done.returncode}: {signal.strsignal(-done.returncode) or 'unknown'}"
    return f"exit code {done.returncode}" + (", but no library" if done.returncode == 0 else "")


def find_compiler() -> Compiler:
    """``$CC``, then cc, gcc, clang, then the ``ziglang`` wheel.

    Raises
    ------
    BackendError
        When there is none; says what to install.
    """
    named = os.environ.get("CC", "").strip()
    if named:
        return Compiler(_command(named))
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


def _command(named: str) -> tuple[str, ...]:
    """The words of ``$CC``: a program's path, which may have spaces, or a command as a shell reads it."""
    whole = shutil.which(named)
    if whole is not None:
        return (whole,)
    try:
        words = shlex.split(named, posix=os.name != "nt")
    except ValueError as problem:
        raise BackendError(
            f"the environment names CC={shown(named)}, which is no command ({problem}); unset CC or correct it"
        ) from None
    path = shutil.which(words[0])
    if path is None:
        what = "no program on the path"
        if words[0] and Path(words[0]).exists():
            what = "a folder" if Path(words[0]).is_dir() else "not executable"
        raise BackendError(f"the environment names CC={shown(named)}, which is {what}; unset CC or correct it")
    return (path, *words[1:])


# -- arithmetic -------------------------------------------------------------------------------------------------------


def guarded_compiler() -> Compiler:
    """The compiler with the guards that it knows, after a look at its arithmetic; asked once, then kept.

    Raises
    ------
    BackendError
        When there is no compiler, it cannot be run, or its arithmetic is not IEEE 754's whatever it is told.
    """
    compiler, cache = find_compiler(), open_cache()
    asked = "\n".join((compiler.identity, *GUARDS, *FLAGS, _check_source().read_text(encoding="utf-8"), sys.executable))
    name = f"compiler-{sha256(asked.encode('utf-8', 'surrogateescape'))[:32]}.json"
    if (known := _known_guards(cache, name)) is not None:
        return replace(compiler, guards=known)
    stem = Path(name).stem
    with cache.building(stem), cache.scratch(stem) as scratch:
        if (known := _known_guards(cache, name)) is not None:
            return replace(compiler, guards=known)
        library = scratch / f"arithmetic{LIBRARY_SUFFIX}"
        guarded = _with_known_guards(compiler, library)
        _check_arithmetic(guarded, library)
        cache.keep_record(name, {"command": str(compiler), "guards": list(guarded.guards)})
        return guarded


def _known_guards(cache: Cache, name: str) -> tuple[str, ...] | None:
    record = cache.read_record(name)
    if record is None:
        return None
    cache.touch(name)
    return tuple(record["guards"])


def _check_source() -> Path:
    return resource_dir("templates") / "checks" / "arithmetic.c"


def _with_known_guards(compiler: Compiler, library: Path) -> Compiler:
    """Build the check with all guards but those that the compiler complains of, until there are no complaints."""
    guards: tuple[str, ...] = GUARDS
    while True:
        guarded = replace(compiler, guards=guards)
        done = guarded.compile(FLAGS, _check_source(), library, LONGEST_CHECK)
        complaints = "\n".join(line for line in done.stderr.splitlines() if _COMPLAINT.search(line))
        named = set(re.findall(r"-[fm][\w=-]+", complaints))
        kept = tuple(guard for guard in guards if guard not in named)
        if kept == guards:
            if done.returncode == 0 and library.is_file():
                return guarded
            reason = f"{_end(done)}: {error_line(done.stderr)}"
            raise BackendError(f"the compiler '{compiler}' cannot build a small library ({reason}); {ANOTHER}")
        guards = kept


def _check_arithmetic(compiler: Compiler, library: Path) -> None:
    """Load a library in a process of its own, and compare what it computes with what IEEE 754 says."""
    probe = Path(__file__).with_name("arithmetic_probe.py")
    what = f"what the compiler '{compiler}' builds"
    done = _run(what, [sys.executable, "-I", "-S", str(probe), str(library)], LONGEST_CHECK, library.parent)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [_end(done)])[-1]
        raise BackendError(f"{what} cannot be used by this Python ({reason}); {ANOTHER}")
    if done.stdout.strip():
        faults = done.stdout.strip()
        raise BackendError(
            f"the compiler '{compiler}' leaves IEEE arithmetic, whatever it is told: {faults}; {ANOTHER}"
        )


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
        When there is no compiler, or the cache cannot be written or is not one's own.
    """
    compiler, cache = find_compiler(), open_cache()
    key = "\n".join((program.key, compiler.identity, *GUARDS, *FLAGS, _processor()))
    stem = file_stem(program.name, program.dtype, sha256(key.encode("utf-8", "surrogateescape")))
    built = Built(
        cache.folder / f"{stem}{LIBRARY_SUFFIX}",
        cache.folder / f"{stem}.c",
        " ".join((*compiler.command, *FLAGS)),
        False,
        0.0,
    )
    if not again and _is_kept(cache, built.library, program):
        return built
    with cache.building(stem):
        if not again and _is_kept(cache, built.library, program):
            return built
        started = time.perf_counter()
        _compile(cache, guarded_compiler(), program, built)
        built = replace(built, fresh=True, seconds=time.perf_counter() - started)
    cache.tidy(cache_limit(), stem)
    return built


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


def _compile(cache: Cache, compiler: Compiler, program: Program, built: Built) -> None:
    """Compile in a folder of its own; the library follows its record in place, so that readers see whole files."""
    stem = built.library.stem
    source = cache.keep(built.source.name, program.source.encode())
    with cache.scratch(stem) as scratch:
        library = scratch / built.library.name
        messages = compiler.build(source, library)
        with cache.writing():
            library.chmod(0o700)
            record = {
                "izhigen": __version__,
                "compiler": list(compiler.command),
                "flags": [*compiler.guards, *FLAGS],
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
            program = Program(**record)
        except TypeError:  # one of another version
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
            guarded_compiler()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        asking.join()


__all__ = [
    "FLAGS",
    "GUARDS",
    "LIBRARY_SUFFIX",
    "Built",
    "Compiler",
    "build",
    "cache_dir",
    "clear_cache",
    "find_compiler",
    "guarded_compiler",
    "kept_file",
    "load_program",
]
