"""The command line: ``izhigen list | show | run | sweep | verify | patterns | emit | bench | cache``. Errors are one
line and exit code 1; wrong usage is exit code 2.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import izhigen as iz
from izhigen import exporters
from izhigen.errors import IzhigenError, ValueShapeError, printable
from izhigen.files import check_writable, write_file
from izhigen.layers import DEFAULT_SURROGATE
from izhigen.list_command import list_command, part_latex, part_lines
from izhigen.model.library import is_part
from izhigen.options import (
    DTYPE,
    INPUTS,
    METHOD,
    SET,
    TIMING,
    StepType,
    read_inputs,
    read_settings,
    read_sizes,
)
from izhigen.patterns_command import patterns
from izhigen.population.training import DETACHED
from izhigen.run_command import run
from izhigen.sweep_command import sweep
from izhigen.verify_command import verify

ADJOINT = "adjoint"
"""What ``emit --with`` adds to a project."""
BENCH_DURATION = 1000.0
"""ms that a stimulus without a duration lasts in a benchmark; all are quiet after their time."""
LONGEST_MESSAGE = 1200
"""Characters of an error that are printed: arguments can be as long as they like."""
LONGEST_BENCH = 1e9
"""ms that no benchmark reaches."""


class _NobodyReadsError(Exception):
    """The reader of the output has gone, as in ``izhigen list | head -1``."""


class _Commands(click.Group):
    """Commands that tell :func:`main` so; click by itself would end with exit code 1."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _told_when_nobody_reads():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _told_when_nobody_reads():
            return super().invoke(ctx)


@contextlib.contextmanager
def _told_when_nobody_reads() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _NobodyReadsError from None


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(iz.__version__, prog_name="izhigen")
@click.pass_context
def cli(context: click.Context) -> None:
    """Spiking neuron models: from equations to compiled population steppers.

    MODEL is a name from 'izhigen list', a file as path/to/file.py:NAME, or another program's as cell.nml:NAME.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command()
@click.argument("model")
@METHOD
@TIMING
@DTYPE
@click.option("--latex", is_flag=True, help="Print the derivation as LaTeX.")
@click.option("--source", metavar="TARGET", help="Print the generated source of a target (c, c-embedded, ...) instead.")
@click.pass_context
def show(
    context: click.Context, model: str, method: str, spike_timing: str, dtype: str, latex: bool, source: str | None
) -> None:
    """Show a model and its derivation: class of each equation, linear part, update, what is hoisted.

    MODEL may also be a part, such as a synapse of 'izhigen list synapses'.
    """
    if is_part(model):
        _show_part(context, model, latex)
        return
    found = iz.read(model)
    loaded: Any = found.model
    if source is not None:
        if not source.strip():
            raise click.UsageError("--source is empty; name a target, such as c")
        click.echo(loaded.source(source, dtype=dtype, method=method, spike_timing=spike_timing), nl=False)
        return
    step = loaded.derive(method, spike_timing)
    if latex:
        click.echo(step.latex())
        return
    click.echo(str(loaded))
    click.echo("")
    click.echo(step.report(dtype))
    if found.report:
        click.echo("\nread as:")
        click.echo("\n".join(found.report))


def _show_part(context: click.Context, name: str, latex: bool) -> None:
    """Print a part; what options ask of a derivation is there in a model alone."""
    for option in ("method", "spike_timing", "dtype", "source"):
        if context.get_parameter_source(option) is not ParameterSource.DEFAULT:
            raise click.UsageError(
                f"--{option.replace('_', '-')}: {name} is a part, which is derived in a model that has it"
            )
    click.echo(part_latex(name) if latex else "\n".join(part_lines(name)))


@cli.command()
@click.argument("model")
@click.option("--target", default="c", show_default=True, help="c, c-embedded, ..., neuroml, nir")
@click.option(
    "-o",
    "--out",
    metavar="DIR",
    help="Folder of the project, or a file with the suffix of the target's sources (NAME.c) "
    "for the source alone; default: print it.",
)
@METHOD
@TIMING
@DTYPE
@SET
@click.option(
    "--delta", "deltas", metavar="STATE", multiple=True, help="A state that jumps: adds an input STATE_delta."
)
@click.option("--poisson", metavar="INPUT", multiple=True, help="An input with Poisson counts drawn in the kernel.")
@click.option("--spikes", metavar="INPUT", multiple=True, help="An input with spikes delivered in the kernel.")
@click.option(
    "--with", "parts", multiple=True, type=click.Choice([ADJOINT]), help="adjoint: the way back through steps as well."
)
@click.option(
    "--gradient",
    "gradients",
    metavar="NAME",
    multiple=True,
    help="An input or parameter that the way back gives the gradient of, beside initial states; default: all.",
)
@click.option(
    "--surrogate",
    metavar="NAME",
    help="What stands for the derivative of a spike there: a name of iz.surrogates, or a function of x; "
    f"default: {DEFAULT_SURROGATE}.",
)
@click.option(
    "--detach-spike",
    type=click.Choice([how for how in DETACHED if isinstance(how, str)]),
    help="Paths through a spike that carry no gradient: that of what it assigns, or all; default: none of them.",
)
@click.option("--spike-scale", type=float, metavar="NUMBER", help="Multiplies x before the surrogate; default: 1.")
@click.option("--force", is_flag=True, help="Overwrite files that izhigen did not write, or that were changed since.")
def emit(
    model: str,
    target: str,
    out: str | None,
    method: str,
    spike_timing: str,
    dtype: str,
    settings: tuple[str, ...],
    deltas: tuple[str, ...],
    poisson: tuple[str, ...],
    spikes: tuple[str, ...],
    force: bool,
    parts: tuple[str, ...],
    **of_gradients: Any,
) -> None:
    """Write a project for a model (header, source, example, self test, build files, README), or its source alone.

    --target neuroml writes the model itself, as a LEMS component type in one file; --target nir as a graph of NIR.
    """
    loaded: Any = iz.load(model)
    changes = read_settings(settings, tuple(loaded.parameters), loaded)
    if changes:
        loaded = loaded.variant(**changes)
    shape: dict[str, Any] = {"dtype": dtype, "method": method, "spike_timing": spike_timing}
    shape |= {"deltas": deltas, "poisson": poisson, "spikes": spikes}
    shape |= _of_gradients(loaded, ADJOINT in parts, of_gradients)
    if out is None:
        click.echo(loaded.source(target, **shape), nl=False)
        return
    from izhigen.standalone.project import project_files, write_source

    if exporters.is_known(target):
        if not out.strip():
            raise click.UsageError("--out is empty; name a file")
        report = exporters.report(loaded, target)
        click.echo(f"wrote {printable(loaded.emit(out, target=target, force=force, **shape))}")
        for line in report:
            click.echo(f"report: {printable(line)}")
        return
    if _is_source_file(out, target):
        click.echo(f"wrote {write_source(loaded.source(target, **shape), Path(out), force=force)}")
        return
    folder = loaded.emit(out, target=target, force=force, **shape)
    click.echo(f"wrote {printable(folder)}: {', '.join(project_files(folder))}")


def _of_gradients(model: Any, is_wanted: bool, given: dict[str, Any]) -> dict[str, Any]:
    """What ``--with adjoint`` and the options beside it say, as arguments of :meth:`izhigen.Model.emit`."""
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    if not is_wanted:
        for name in chosen:
            option = f"--{name.removesuffix('s').replace('_', '-')}"
            raise click.UsageError(f"{option} is about gradients; add --with {ADJOINT}, or leave it out")
        return {}
    if model.events:
        chosen = {"surrogate": DEFAULT_SURROGATE, **chosen}
    return {"gradients": True, **chosen}


def _is_source_file(out: str, target: str) -> bool:
    """Whether ``--out`` names a file for the source of a target, not a folder."""
    from izhigen.codegen.targets import find_target, target_names

    if not out.strip():
        raise click.UsageError("--out is empty; name a folder or a file")
    suffix, wanted = Path(out).suffix, find_target(target).suffix
    if out.endswith(("/", os.sep)) or Path(out).is_dir():
        return False
    if suffix != wanted and suffix in {find_target(name).suffix for name in target_names()}:
        raise click.UsageError(f"--out {out}: sources of target {target} end in {wanted}, not in {suffix}")
    return suffix == wanted


@cli.command()
@click.argument("model")
@click.option(
    "-n",
    "--sizes",
    default="1000,100000,1000000",
    show_default=True,
    metavar="SIZES",
    help="Numbers of neurons, separated by commas.",
)
@click.option("--dt", default=0.1, show_default=True, type=StepType(), help="Step in ms.")
@METHOD
@TIMING
@click.option(
    "--dtype", type=click.Choice(["float32", "float64", "both"]), default="both", show_default=True, help="Number type."
)
@SET
@INPUTS
@click.option("--json", "data", type=click.Path(path_type=Path), help="Write the figures to a file.")
@click.option("--quick", is_flag=True, help="Short runs: figures that show only that it works.")
def bench(
    model: str,
    sizes: str,
    dt: float,
    method: str,
    spike_timing: str,
    dtype: str,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    data: Path | None,
    quick: bool,
) -> None:
    """Measure a model's kernel beside a scalar C loop of the same step and the machine's peak."""
    from izhigen.bench.model import Subject, bench_model

    loaded: Any = iz.load(model)
    if data is not None and (data.is_dir() or data.is_file() or not data.exists()):
        check_writable(data)  # a device or a pipe is written to
    counts = tuple(read_sizes(sizes))
    feeds = {name: _quiet_after(value) for name, value in read_inputs(inputs, loaded, BENCH_DURATION, dt, 0).items()}
    jumps = [name for name in feeds if name not in loaded.inputs]
    if jumps:
        raise ValueShapeError(
            f"--input {jumps[0]}=...: a benchmark takes inputs of the model "
            f"({', '.join(loaded.inputs) or 'it has none'}), not jumps of a state"
        )
    values = read_settings(settings, (*loaded.parameters, *loaded.states), loaded)
    subject = Subject(loaded, feeds, values, method, dt, spike_timing)
    result = bench_model(subject, counts, ("float32", "float64") if dtype == "both" else (dtype,), quick, click.echo)
    if data is not None:
        write_file(data, (json.dumps(result, indent=1) + "\n").encode())
        click.echo(f"figures: {printable(data)}")


def _quiet_after(value: Any) -> Any:
    """A stimulus that goes on as zeros, however long a benchmark runs."""
    from izhigen.inputs.stimuli import text_stimulus

    return value + text_stimulus("input", "0", LONGEST_BENCH) if isinstance(value, iz.inputs.Stimulus) else value


@cli.command()
@click.option("--clear", is_flag=True, help="Remove every built kernel.")
def cache(clear: bool) -> None:
    """Show or clear the folder of built kernels: how many, their size, and the size that is kept to."""
    from izhigen.backends.cache import cache_dir, cache_limit, clear_cache, open_cache

    folder = cache_dir()
    if clear:
        files, size = clear_cache()
        click.echo(f"removed {files} files ({size / 1e6:.2f} MB) from {printable(folder)}")
        return
    limit, usage = cache_limit(), open_cache().usage()
    click.echo(
        f"{printable(folder)}: {usage.kernels} kernels, {usage.size / 1e6:.2f} MB in {usage.files} files, "
        f"limit {limit / 1e6:g} MB "
        "(set IZHIGEN_CACHE_DIR to move it, IZHIGEN_CACHE_SIZE to change its limit, --clear to empty it)"
    )


cli.add_command(list_command)
cli.add_command(patterns)
cli.add_command(run)
cli.add_command(sweep)
cli.add_command(verify)


def main() -> None:
    """Entry point: every error that izhigen raises on purpose is printed as one line, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a path need not be text
    try:
        if any("\0" in argument for argument in sys.argv):
            raise click.UsageError("an argument holds a NUL character, which no path or name can")
        with _ended_in_order():
            code = cli.main(standalone_mode=False)  # of click.exceptions.Exit; commands return nothing
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.UsageError as problem:
        command = problem.ctx.command_path if problem.ctx else "izhigen"
        click.echo(f"izhigen: error: {_one_line(problem.format_message())} (see '{command} --help')", err=True)
        sys.exit(2)
    except click.ClickException as problem:
        click.echo(f"izhigen: error: {_one_line(problem.format_message())}", err=True)
        sys.exit(problem.exit_code)
    except IzhigenError as problem:
        click.echo(f"izhigen: error: {_one_line(str(problem))}", err=True)
        sys.exit(1)
    except MemoryError:
        click.echo(
            "izhigen: error: not enough memory; take fewer neurons, record fewer of them, or use --every", err=True
        )
        sys.exit(1)
    except _NobodyReadsError:
        with contextlib.suppress(OSError):  # what is left to write goes nowhere, also at the interpreter's end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as problem:
        click.echo(f"izhigen: error: {_one_line(str(problem))}", err=True)
        sys.exit(1)
    if code:
        sys.exit(code)


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """A request to end (SIGTERM, a terminal that is closed) ends the program as an error does: what was recorded is
    kept, and nothing half written stays.
    """

    def end(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _one_line(text: str) -> str:
    found = printable(" ".join(text.split()))
    return found if len(found) <= LONGEST_MESSAGE else f"{found[: LONGEST_MESSAGE - 303]}...{found[-300:]}"


__all__ = ["cli", "main"]

if __name__ == "__main__":
    main()
