"""``izhigen run``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

import izhigen as iz
from izhigen.errors import RecordingError, printable
from izhigen.files import check_writable
from izhigen.model.events import SPIKE
from izhigen.options import (
    BACKEND,
    DEVICE,
    DTYPE,
    DURATION,
    EVERY,
    INPUTS,
    METHOD,
    PROGRESS,
    SET,
    STEP,
    THREADS,
    TIMING,
    StepType,
    check_picture,
    read_indices,
    read_inputs,
    read_items,
    read_settings,
)
from izhigen.recording.description import output_path, recording_path
from izhigen.recording.events import default_events
from izhigen.recording.store import SUFFIX, check_new
from izhigen.timegrid import whole_steps
from izhigen.verify_command import pick_step


@click.command()
@click.argument("model")
@click.option("-n", "--size", default=1, show_default=True, type=click.IntRange(1), help="Number of neurons.")
@DURATION
@STEP
@METHOD
@TIMING
@click.option(
    "--tolerance",
    type=StepType(),
    help="Mean error of spike times in ms: picks the cheapest method, spike timing and step for the input, beside a "
    "reference solution, instead of --method and --dt.",
)
@DTYPE
@BACKEND
@DEVICE
@click.option("--sharding", metavar="DEVICES", help="With cuda: several devices, separated by commas.")
@THREADS
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Seed of noise, and of random stimuli without their own.",
)
@SET
@INPUTS
@click.option(
    "--record",
    metavar="NAMES",
    help="States, inputs and algebraic lines to trace, or all; events; and count, first_spike, isi; "
    "separated by commas. Spikes are recorded of every model that has a threshold, other events of one that has none.",
)
@click.option("--neurons", metavar="INDICES", help="Neurons to record, separated by commas; default: all.")
@EVERY
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the recording to a .npz file (the suffix may be left out), "
    "or while the run goes on to a new .zarr store.",
)
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Draw the recording to a picture.")
@PROGRESS
@click.pass_context
def run(
    context: click.Context,
    model: str,
    size: int,
    duration: float,
    dt: float,
    method: str,
    spike_timing: str,
    tolerance: float | None,
    dtype: str,
    backend: str,
    device: int | None,
    sharding: str | None,
    threads: int,
    seed: int,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    record: str | None,
    neurons: str | None,
    every: int,
    out: Path | None,
    picture: Path | None,
    progress: bool | None,
) -> None:
    """Simulate a population and print its spike counts; optionally save and draw it.

    A file of another program that says how it runs its model, as LEMS' do, is run so where no option says otherwise.
    """
    found = iz.read(model)
    loaded: Any = found.model
    of_file = _as_in_file(context, found)
    duration, dt, method = (
        of_file.get(name, given) for name, given in (("duration", duration), ("dt", dt), ("method", method))
    )
    values = read_settings(settings, (*loaded.parameters, *loaded.all_states), loaded)
    if tolerance is not None:
        of_pick = {"duration": duration, "dtype": dtype, "backend": backend}
        dt, method, spike_timing = pick_step(loaded, tolerance, inputs, dt, values, **of_pick)
    whole_steps(duration, dt)
    out = _check_outputs(out, picture)
    states = [] if record is None else read_items(record, "--record")
    if picture is not None and not states:
        states = [loaded.spike_state or loaded.states[0]]
    pop = loaded.population(
        size,
        dt=dt,
        method=method,
        spike_timing=spike_timing,
        backend=backend,
        dtype=dtype,
        threads=threads,
        seed=seed,
        device=device,
        sharding=read_indices(sharding, "--sharding"),
        **values,
    )
    feeds = read_inputs(inputs, loaded, duration, dt, seed)
    drives = {name: value for name, value in found.inputs.items() if name not in feeds}
    _tell(found, {**of_file, **drives})
    feeds |= drives
    pop.run(0.0, progress=False, **feeds)  # builds and loads what the run needs, so that the time below is its own
    streamed = out is not None and out.suffix.lower() == SUFFIX
    started = time.perf_counter()
    recording = pop.run(
        duration,
        record=[*dict.fromkeys([*states, *default_events(loaded)])],
        every=every,
        progress=progress,
        neurons=read_indices(neurons, "--neurons"),
        out=out if streamed else None,
        **feeds,
    )
    seconds = time.perf_counter() - started
    recording = recording.to_host()
    try:
        _summary(pop, recording, seconds)
    finally:  # also where nobody reads the summary
        if out is not None and not streamed:
            recording.save(out)
        if picture is not None:
            iz.plot.save(recording.plot(), picture)
    if out is not None:
        click.echo(f"recording: {printable(out)}")
    if picture is not None:
        click.echo(f"picture:   {printable(picture)}")


def _as_in_file(context: click.Context, found: iz.Imported[Any]) -> dict[str, Any]:
    """How another program's file runs its model, of the options that were not given."""
    said = {"method": found.method, "dt": found.dt, "duration": found.duration}
    return {
        name: value
        for name, value in said.items()
        if value is not None and context.get_parameter_source(name) is ParameterSource.DEFAULT
    }


def _tell(found: iz.Imported[Any], taken: Mapping[str, Any]) -> None:
    """Say what is as in another program's file, and what is doubtful in it."""
    if taken:
        click.echo(f"as in the file: {'; '.join(f'{name} = {value}' for name, value in taken.items())}")
    for line in found.doubts:
        click.echo(f"doubtful: {line}", err=True)


def _check_outputs(out: Path | None, picture: Path | None) -> Path | None:
    """Refuse what could not be written before anything is simulated; the recording's path, with a suffix."""
    if out is not None:
        try:
            recording_path(out)
        except RecordingError as problem:
            raise click.UsageError(f"--out: {problem}") from None
        out, suffix = output_path(out)
        if suffix == SUFFIX:
            check_new(out)
        else:
            check_writable(out)
    check_picture(picture, "--plot")
    return out


def _summary(pop: Any, recording: Any, seconds: float) -> None:
    count = len(pop)
    simulated = recording.stop - recording.start
    steps = round(simulated / pop.dt)
    click.echo(
        f"{pop.model.name}: {count} neuron{'s' if count != 1 else ''}, "
        f"{simulated:g} ms in {steps} steps of {pop.dt:g} ms, {pop.method}, spike timing {pop.spike_timing}, "
        f"{pop.backend}, {pop.dtype.name}"
    )
    click.echo(f"kernel:    {pop.build_info}")
    click.echo(f"time:      {seconds:.3g} s, {count * steps / max(seconds, 1e-9) / 1e6:.3g} million neuron-steps/s")
    if pop.model.threshold is None:
        click.echo("spikes:    none, as the model has no threshold")
    else:
        _spike_summary(recording, count)
    others = [f"{len(found)} of {name}" for name, found in recording.lists.items() if name != SPIKE]
    if others:
        click.echo(f"events:    {', '.join(others)}")


def _spike_summary(recording: Any, count: int) -> None:
    counts = recording.counts.ravel()
    recorded = "" if counts.size == count else f" of {counts.size} recorded neurons"
    click.echo(
        f"spikes:    {counts.sum()} in all{recorded}; "
        f"per neuron {counts.min()} to {counts.max()}, mean rate {recording.rates.mean():.3g} Hz"
    )
    if counts.size <= 10:
        click.echo(f"counts:    {' '.join(map(str, counts))}")
