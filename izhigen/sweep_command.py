"""``izhigen sweep``."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np

import izhigen as iz
from izhigen.errors import RecordingError, ValueShapeError, printable, shown, suggest
from izhigen.files import check_writable, write_file
from izhigen.options import (
    BACKEND,
    DEVICE,
    DTYPE,
    DURATION,
    EVERY,
    METHOD,
    PROGRESS,
    SET,
    STEP,
    THREADS,
    TIMING,
    check_picture,
    read_drive,
    read_inputs,
    read_items,
    read_settings,
)
from izhigen.scalars import read_whole
from izhigen.sweeps.measures import FIGURES, TIME
from izhigen.timegrid import whole_steps

MOST_VALUES = 10**7
"""Values of one ``--grid``, at most."""


@click.command()
@click.argument("model")
@click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="NAME=VALUES",
    help="What varies: a parameter, initial state or input, over FIRST:LAST:NUMBER or numbers separated by commas; "
    "of an input also what --input takes, separated by |. Repeatable, each a dimension.",
)
@DURATION
@STEP
@METHOD
@TIMING
@DTYPE
@BACKEND
@DEVICE
@THREADS
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of noise.")
@click.option("--repeats", default=1, show_default=True, type=click.IntRange(1), help="Runs of every set.")
@SET
@click.option("--input", "inputs", multiple=True, metavar="[NAME=]SPEC", help="An input of all sets, as for run.")
@click.option(
    "--measure",
    default="count,rate",
    show_default=True,
    help="What is kept of every set: count, rate, first_spike, isi, cv; names of traces; spike or other events; "
    "separated by commas.",
)
@EVERY
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the result to a .zarr store, piece by piece (the same command goes on with one that was broken off), "
    "or in the end to a .nc or .csv file.",
)
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Draw one measure to a picture.")
@click.option("--show", "drawn", metavar="NAME", help="The measure that is drawn; default: rate, count, or the first.")
@PROGRESS
def sweep(
    model: str, grids: tuple[str, ...], out: Path | None, picture: Path | None, drawn: str | None, **options: Any
) -> None:
    """Run a model with many parameter sets: a grid of all values of what varies.

    Prints the range of every figure; the whole result goes to --out and --plot.
    """
    loaded: Any = iz.load(model)
    duration, dt = options.pop("duration"), options.pop("dt")
    whole_steps(duration, dt)
    values = _grid(grids, loaded, duration, dt, options["seed"])
    fixed: dict[str, Any] = dict(
        read_settings(options.pop("settings"), (*loaded.parameters, *loaded.all_states), loaded)
    )
    fixed |= read_inputs(options.pop("inputs"), loaded, duration, dt, options["seed"])
    measure = read_items(options.pop("measure"), "--measure")
    _check_outputs(out, picture, measure)
    store = out if out is not None and out.suffix.lower() == ".zarr" else None
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", RuntimeWarning)
        found = iz.sweep(loaded, values, duration, dt=dt, measure=measure, out=store, **options, **fixed)
    _summary(loaded, found, time.perf_counter() - started)
    for warning in warned:
        if issubclass(warning.category, RuntimeWarning):
            click.echo(f"warning:   {printable(warning.message)}", err=True)
    if out is not None:
        if store is None:
            _write(found, out)
        click.echo(f"result:    {printable(out)}")
    if picture is not None:
        iz.plot.save(iz.sweeps.plot(found, drawn), picture)
        click.echo(f"picture:   {printable(picture)}")


def _check_outputs(out: Path | None, picture: Path | None, measure: list[str]) -> None:
    """Refuse what could not be written before anything is simulated."""
    if out is not None:
        if out.suffix.lower() not in (".zarr", ".nc", ".csv"):
            raise click.UsageError(f"--out {printable(out)}: a sweep is written to a .zarr, .nc or .csv file")
        others = [name for name in measure if name not in FIGURES]
        if out.suffix.lower() == ".csv" and others:
            raise click.UsageError(f"--out {printable(out)}: a .csv file has one row a set, and none for {others[0]}")
        if out.suffix.lower() != ".zarr":
            check_writable(out)
    check_picture(picture, "--plot")


def _write(found: Any, out: Path) -> None:
    """A file of the whole result."""
    if out.suffix.lower() == ".csv":
        try:
            text = found.to_dataframe().to_csv()
        except ImportError:
            raise RecordingError("a .csv file of a sweep needs pandas: pip install pandas") from None
        write_file(out, text.encode())
        return
    try:
        content = found.to_netcdf()
    except (ImportError, ValueError) as problem:
        raise RecordingError(f"{out} cannot be written: {problem}; take a .zarr store") from problem
    write_file(out, bytes(content))


def _grid(grids: tuple[str, ...], model: Any, duration: float, dt: float, seed: int) -> dict[str, Any]:
    """The values of every ``--grid NAME=VALUES``."""
    inputs = (*model.inputs, *model.delta_inputs)
    known = (*model.parameters, *model.all_states, *inputs)
    found: dict[str, Any] = {}
    for text in grids:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not equals or not values.strip():
            raise click.UsageError(f"--grid {shown(text)}: expected NAME=FIRST:LAST:NUMBER, or NAME=1,2,3")
        if name not in known:
            raise ValueShapeError(
                f"--grid {shown(text)}: model {model.name!r} has no {shown(name)}{suggest(name, known)} "
                f"(known: {', '.join(known)})"
            )
        if name in found:
            raise click.UsageError(f"--grid {shown(text)}: {name} is given twice")
        found[name] = _numbers(values)
        if found[name] is None and name in inputs:
            found[name] = _drives(text, values, duration, dt, seed)
        if found[name] is None:
            raise click.UsageError(f"--grid {shown(text)}: expected NAME=FIRST:LAST:NUMBER, or NAME=1,2,3")
    if not found and click.get_current_context().params["repeats"] == 1:
        raise click.UsageError("nothing varies; give --grid NAME=VALUES, or --repeats")
    return found


def _numbers(values: str) -> Any:
    """Numbers; None where they are something else."""
    parts = values.split(":")
    try:
        if len(parts) == 3:
            number, first, last = read_whole(int(parts[2]), 1, MOST_VALUES), float(parts[0]), float(parts[1])
            if number is not None and math.isfinite(last - first):
                return np.linspace(first, last, number)
        elif len(parts) == 1:
            return [float(part) for part in read_items(values, "--grid")]
    except ValueError:
        pass
    return None


def _drives(text: str, values: str, duration: float, dt: float, seed: int) -> list[Any]:
    """What drives an input in turn, each called as it is written."""
    items = [item.strip() for item in values.split("|")]
    if "" in items:
        raise click.UsageError(f"--grid {shown(text)}: nothing stands beside |; expected NAME=10*sin(t)|15")
    drives = [(item, read_drive(item, duration, dt, seed + place, "--grid")) for place, item in enumerate(items)]
    return [replace(drive, name=item) if isinstance(drive, iz.inputs.Stimulus) else item for item, drive in drives]


def _summary(model: Any, found: Any, seconds: float) -> None:
    about: Mapping[str, Any] = found.attrs
    lengths = {name: k for name, k in found.sizes.items() if name in found.indexes and name != TIME}
    sets, shape = int(np.prod(list(lengths.values()))), " x ".join(f"{k} of {n}" for n, k in lengths.items())
    click.echo(
        f"{model.name}: {sets} sets ({shape}), {about['duration']:g} ms in steps of {about['dt']:g} ms, "
        f"{about['method']}, {about['backend']}, {about['dtype']}"
    )
    click.echo(f"time:      {seconds:.3g} s")
    if about["interrupted"]:
        click.echo(f"broken off: {about['sets_done']} sets were made")
    for name, variable in found.data_vars.items():
        if variable.dtype.kind == "f" and set(variable.dims) == set(lengths):
            values = variable.values[np.isfinite(variable.values)]
            unit = variable.attrs.get("units", "")
            unit = f" {unit}" if unit and unit != "1" else ""
            if values.size:
                text = f"{values.min():.4g} to {values.max():.4g}{unit}, mean {values.mean():.4g}"
            else:
                text = "none"
            click.echo(f"{name + ':':<10} {text}")
