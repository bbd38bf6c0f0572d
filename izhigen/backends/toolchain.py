"""Finding a C compiler, keeping it to IEEE arithmetic, and making libraries of sources with it.

The flags that suit a target's sources come with a program (:mod:`izhigen.codegen.program`); here are those that suit
the machine.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from izhigen.backends.cache import Cache, open_cache
from izhigen.codegen.program import C_FLAGS
from izhigen.errors import BackendError, CompileError, error_line, shown
from izhigen.files import sha256
from izhigen.resources import resource_dir

SHARED = ("-march=native", "-fPIC", "-shared")
"""For a library of this machine and no other."""
FLAGS = (*C_FLAGS, *SHARED)
"""What the C backend builds with: a program's own flags are the first of these."""

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
"""Go between the words of ``$CC`` and all other flags where the compiler knows them: they switch off what changes
results or the layout of structs, and at link time keep ``crtfastmath.o`` out.
"""

LIBRARY_SUFFIX = ".dll" if sys.platform == "win32" else ".dylib" if sys.platform == "darwin" else ".so"
LONGEST_CHECK = 120.0
"""Seconds after which a compiler that was given a few lines hangs; zig's first use builds its C library."""
LONGEST_BUILD = 3600.0
"""Seconds after which a compiler hangs."""
_COMPLAINT = re.compile(r"\b(?:error|warning|unknown|unrecognized|unsupported)\b")
ANOTHER = "set CC to another compiler, or use backend='numpy'"


@dataclass(frozen=True)
class Toolchain:
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

    def build(self, flags: tuple[str, ...], source: Path, library: Path) -> str:
        """Make a shared library of a source; the compiler's messages.

        Raises
        ------
        CompileError
            With the compiler's text and the source's path.
        BackendError
            When it cannot be run.
        """
        done = self.compile(flags, source, library)
        if done.returncode != 0 or not library.is_file():
            raise CompileError(
                f"{self.command[0]} failed on {source} ({_end(done)}):\n{done.stderr.strip()}\n"
                f"command: {shlex.join(self.arguments(flags, source, library))}"
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


def find_toolchain() -> Toolchain:
    """``$CC``, then cc, gcc, clang, then the ``ziglang`` wheel.

    Raises
    ------
    BackendError
        When there is none; says what to install.
    """
    named = os.environ.get("CC", "").strip()
    if named:
        return Toolchain(_command(named))
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path is not None:
            return Toolchain((path,))
    if importlib.util.find_spec("ziglang") is not None:
        return Toolchain((sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"))
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


def guarded_toolchain() -> Toolchain:
    """The compiler with the guards that it knows, after a look at its arithmetic; asked once, then kept.

    Raises
    ------
    BackendError
        When there is no compiler, it cannot be run, or its arithmetic is not IEEE 754's whatever it is told.
    """
    compiler, cache = find_toolchain(), open_cache()
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


def _with_known_guards(compiler: Toolchain, library: Path) -> Toolchain:
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


def _check_arithmetic(compiler: Toolchain, library: Path) -> None:
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
